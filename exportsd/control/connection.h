/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * connection.h - the connections of programs that ask: bytes, framing, limits of size and time. What
 * is asked and answered is the verbs' (verb.h).
 */

#include "exportsd/control/verb.h"

enum {
	CONTROL_CHUNK = 64 * 1024, /* bytes that may wait to be sent before a producer pauses */
	CONTROL_REQUEST_MAX = 32 * 1024, /* bytes of one request: a path may take 16 KiB */
	CONTROL_CONNECTIONS_MAX = 64,
};

/* All of them. Set the first two. */
struct control_connections {
	struct daemon *daemon;
	const struct control_verb *const *verbs; /* ended by NULL */
	struct control_connection *first;
	size_t n;
};

/* control_connections_add - another one. @fd: taken. Returns 0; -errno: it is closed. */
int control_connections_add(struct control_connections *all, int fd);

/* control_connections_close - all; nothing more is sent. */
void control_connections_close(struct control_connections *all);
