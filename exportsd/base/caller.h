/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * caller.h - exportsctl's end of the daemon's socket (control/control.c): one request, entries, an outcome.
 * Blocks.
 */

#include "handlers/proto.h"

struct caller;

/*
 * caller_open - connect.
 *
 * Returns 0; -errno (-ENOENT, -ECONNREFUSED: no daemon).
 */
int caller_open(struct caller **ret_caller, const char *socket);
struct caller *caller_close(struct caller *caller);

/* caller_ask - send the request: one ended message in the writer, emptied by this call. */
int caller_ask(struct caller *caller, struct proto_writer *request);

/*
 * caller_next - wait for the next message: an entry, or the outcome.
 *
 * @ret_message: borrowed until the next call
 *
 * Returns 0; -ECONNRESET if the daemon went away before the outcome; -EBADMSG; -ENOMEM; -errno.
 */
int caller_next(struct caller *caller, const struct proto_message **ret_message);
