/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * listen.h - where a handler's connections come from: systemd, a socket of its own, or its
 * standard input.
 */

#include "handlers/socket.h"

enum { KIT_LISTEN_MAX = 8 };

struct kit_listening {
	int fds[KIT_LISTEN_MAX]; /* listening sockets, non-blocking */
	size_t n_fds;
	int connection; /* an inherited connection, or -1 */
	bool inherited; /* from systemd, which goes on listening when we exit */
	struct socket_own own; /* among fds; fd -1: all are from systemd */
};

/*
 * kit_listening_open - find or make the socket, as kit_run() says.
 *
 * @socket: "/path" or "@abstract"; NULL: none
 *
 * A path gets mode 0600, appears whole (bound under another name, then renamed), and
 * takes the place of a dead socket, never of a live one or of any other file.
 *
 * Returns 0; -errno, with a static text in *ret_why.
 */
int kit_listening_open(struct kit_listening *ret_listening, const char *socket,
		       const char **ret_why);

/* kit_listening_done - close; remove the socket's path if it is still the one we made. */
void kit_listening_done(struct kit_listening *listening);
