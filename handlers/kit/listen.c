/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listen.c - inherited and own sockets.
 *
 * A connection on standard input is moved away from descriptors 0 and 1, which become /dev/null:
 * nothing that writes to standard output by mistake, and no child, ends up in the protocol.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "handlers/kit/listen.h"

enum { BACKLOG = 128 };

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

/* Fill an address; @suffix goes behind a path, for a name of the moment. */
static int make_address(const char *name, const char *suffix, struct sockaddr_un *ret_address,
			socklen_t *ret_length)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name) + strlen(suffix);

	if (length < 2 || (name[0] != '/' && name[0] != '@'))
		return -EINVAL;
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, name, strlen(name));
	memcpy(address.sun_path + strlen(name), suffix, strlen(suffix));
	if (name[0] == '@')
		address.sun_path[0] = '\0'; /* abstract, unix(7): the length tells where it ends */
	*ret_address = address;
	*ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return 0;
}

/* May a socket be put at this path: nothing is there, or a socket nobody listens on? */
static int check_place(const char *path, const char **ret_why)
{
	CLEANUP(closep) int fd = -1;
	struct sockaddr_un address;
	socklen_t length;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		*ret_why = "there is a file of that name which is no socket";
		return -EEXIST;
	}
	r = make_address(path, "", &address, &length);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, length) < 0 && errno == ECONNREFUSED)
		return 0;
	*ret_why = "another process listens there already";
	return -EADDRINUSE;
}

static int bind_and_listen(int fd, const char *name, const char *suffix, const char **ret_why)
{
	struct sockaddr_un address;
	socklen_t length;
	mode_t mask;
	int r;

	r = make_address(name, suffix, &address, &length);
	if (r < 0) {
		*ret_why = "a socket is /PATH or @NAME, of at most about a hundred bytes";
		return r;
	}
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&address, length) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	return r;
}

/* Bind under a name of the moment, then rename: the path never is a socket that refuses. */
static int listen_at_path(struct kit_listening *listening, int fd, const char *path,
			  const char **ret_why)
{
	CLEANUP(freep) char *moment = NULL;
	char suffix[16];
	struct stat st;
	int r;

	r = check_place(path, ret_why);
	if (r < 0)
		return r;
	snprintf(suffix, sizeof(suffix), "~%d", getpid());
	if (asprintf(&moment, "%s%s", path, suffix) < 0) {
		moment = NULL;
		return -ENOMEM;
	}
	r = bind_and_listen(fd, path, suffix, ret_why);
	if (r < 0)
		return r;
	if (lstat(moment, &st) < 0 || rename(moment, path) < 0) {
		r = -errno;
		unlink(moment);
		return r;
	}
	listening->path = strdup(path);
	listening->device = st.st_dev;
	listening->inode = st.st_ino;
	return listening->path ? 0 : -ENOMEM;
}

static int make_own(struct kit_listening *listening, const char *name, const char **ret_why)
{
	int fd;

	*ret_why = "the socket cannot be made";
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	listening->fds[listening->n_fds++] = fd;
	if (name[0] == '@')
		return bind_and_listen(fd, name, "", ret_why);
	return listen_at_path(listening, fd, name, ret_why);
}

int kit_listening_open(struct kit_listening *ret_listening, const char *socket,
		       const char **ret_why)
{
	struct kit_listening listening = { .connection = -1 };
	int r, n_fds;

	n_fds = sd_listen_fds(true);
	if (n_fds != 0) {
		*ret_why = "what systemd passed cannot be used";
		r = n_fds < 0 ? n_fds : take_inherited(&listening, n_fds, ret_why);
	} else if (socket) {
		r = make_own(&listening, socket, ret_why);
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
	struct stat st;

	if (listening->path && lstat(listening->path, &st) == 0 && st.st_dev == listening->device &&
	    st.st_ino == listening->inode)
		unlink(listening->path);
	free(listening->path);
	for (size_t i = 0; i < listening->n_fds; i++)
		close(listening->fds[i]);
	closep(&listening->connection);
	*listening = (struct kit_listening){ .connection = -1 };
}
