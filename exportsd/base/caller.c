/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * caller.c - a connection to the daemon that waits for what it wants to know.
 *
 * The buffer holds at least one message of the greatest length, and what was handed out last.
 */

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "exportsd/base/caller.h"

enum { BUFFER_BYTES = 2 * PROTO_MESSAGE_MAX };

struct caller {
	int fd;
	struct proto_message message;
	size_t start, n_bytes; /* what is not handed out yet lies between */
	char buffer[BUFFER_BYTES];
};

int caller_open(struct caller **ret_caller, const char *socket_path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct caller *caller;

	if (fd < 0)
		return -errno;
	if (strlen(socket_path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, socket_path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	caller = calloc(1, sizeof(*caller));
	if (!caller)
		return -ENOMEM;
	caller->fd = TAKE_FD(fd);
	*ret_caller = caller;
	return 0;
}

struct caller *caller_close(struct caller *caller)
{
	if (!caller)
		return NULL;
	proto_message_done(&caller->message);
	close(caller->fd);
	free(caller);
	return NULL;
}

int caller_ask(struct caller *caller, struct proto_writer *request)
{
	size_t n_sent = 0;
	int r = 0;

	while (r == 0 && n_sent < request->n_bytes) {
		ssize_t n = send(caller->fd, request->bytes + n_sent, request->n_bytes - n_sent,
				 MSG_NOSIGNAL);

		if (n >= 0)
			n_sent += (size_t)n;
		else if (errno == EPIPE)
			break; /* what the peer said before it left, such as why, can still be read */
		else if (errno != EINTR)
			r = -errno;
	}
	proto_writer_done(request);
	return r;
}

static int receive(struct caller *caller)
{
	ssize_t n;

	caller->n_bytes -= caller->start;
	memmove(caller->buffer, caller->buffer + caller->start, caller->n_bytes);
	caller->start = 0;
	do
		n = recv(caller->fd, caller->buffer + caller->n_bytes,
			 BUFFER_BYTES - caller->n_bytes, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ECONNRESET;
	caller->n_bytes += (size_t)n;
	return 0;
}

int caller_next(struct caller *caller, const struct proto_message **ret_message)
{
	const char *why;

	proto_message_done(&caller->message);
	for (;;) {
		size_t used;
		int r = proto_parse(caller->buffer + caller->start, caller->n_bytes - caller->start,
				    &caller->message, &used, &why);

		if (r < 0)
			return r;
		if (r == 0) {
			caller->start += used;
			*ret_message = &caller->message;
			return 0;
		}
		r = receive(caller);
		if (r < 0)
			return r;
	}
}
