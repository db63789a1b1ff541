/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * listener.h - a UNIX socket on which root's programs, or those of the daemon's own user, are
 * accepted.
 *
 * Where no connection can be accepted, for want of descriptors, the listener looks away for a
 * second: the loop does not turn for nothing. That is said once until one is accepted, and once
 * that another user connected: anybody may connect to an abstract name for ever.
 */

#include <systemd/sd-event.h>

#include "handlers/socket.h"

struct listener;

/* @fd: the connection, non-blocking; taken */
typedef void (*listener_accepted_fn)(void *userdata, int fd);

/*
 * listener_new - make the socket and listen (socket_listen()).
 *
 * @name: "/path" or "@abstract"
 * @type: SOCK_STREAM, SOCK_SEQPACKET
 * @what: what it is called in messages; static
 *
 * Returns 0; -EADDRINUSE: another process listens there; -EEXIST: a file is there that is no
 * socket; -errno.
 */
int listener_new(struct listener **ret_listener, sd_event *event, const char *name, int type,
		 const char *what, listener_accepted_fn accepted, void *userdata);

/* listener_free - close the socket and remove its path. Connections are their owner's. */
struct listener *listener_free(struct listener *listener);
