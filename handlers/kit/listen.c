/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listen.c - inherited and own sockets.
 *
 * A connection on standard input is moved away from descriptors 0 and 1, which become /dev/null:
 * nothing that writes to standard output by mistake, and no child, ends up in the protocol.
 */

#include <errno.h>
#include <fcntl.h>
#include <systemd/sd-daemon.h>

#include "handlers/kit/listen.h"

static bool is_connection(int fd)
{
	return sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 0) > 0;
}

static int set_flags(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static int take_inherited(struct kit_listening *listening, int n_fds, const char **ret_why)
{
	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n_fds; fd++) {
		int r = set_flags(fd);

		if (r < 0) {
			*ret_why = "an inherited socket cannot be used";
			return r;
		}
		if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0 &&
		    listening->n_fds < KIT_LISTEN_MAX) {
			listening->fds[listening->n_fds++] = fd;
		} else if (is_connection(fd) && listening->connection < 0) {
			listening->connection = fd;
		} else {
			*ret_why =
				"what systemd passed is no UNIX stream socket, or there are too many";
			return -EINVAL;
		}
	}
	listening->inherited = listening->n_fds > 0;
	return 0;
}

static int take_standard_input(struct kit_listening *listening, const char **ret_why)
{
	CLEANUP(closep) int null = -1;

	*ret_why = "standard input cannot be taken over";
	listening->connection = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (listening->connection < 0)
		return -errno;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -errno;
	if (is_connection(STDOUT_FILENO) && dup2(null, STDOUT_FILENO) < 0)
		return -errno;
	return set_flags(listening->connection);
}

int kit_listening_open(struct kit_listening *ret_listening, const char *socket,
		       const char **ret_why)
{
	struct kit_listening listening = { .connection = -1, .own.fd = -1 };
	int r, n_fds;

	n_fds = sd_listen_fds(true);
	if (n_fds != 0) {
		*ret_why = "what systemd passed cannot be used";
		r = n_fds < 0 ? n_fds : take_inherited(&listening, n_fds, ret_why);
	} else if (socket) {
		r = socket_listen(socket, SOCK_STREAM, &listening.own, ret_why);
		if (r == 0)
			listening.fds[listening.n_fds++] = listening.own.fd;
	} else if (is_connection(STDIN_FILENO)) {
		r = take_standard_input(&listening, ret_why);
	} else {
		*ret_why = "no socket: give --socket, or have systemd pass one";
		r = -EDESTADDRREQ;
	}
	if (r < 0) {
		kit_listening_done(&listening);
		return r;
	}
	*ret_listening = listening;
	return 0;
}

void kit_listening_done(struct kit_listening *listening)
{
	for (size_t i = 0; i < listening->n_fds; i++)
		if (listening->fds[i] != listening->own.fd)
			close(listening->fds[i]);
	socket_unlisten(&listening->own);
	closep(&listening->connection);
	*listening = (struct kit_listening){ .connection = -1, .own.fd = -1 };
}
