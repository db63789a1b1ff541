/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * verb.h - what a verb of the control socket is, and how it answers. Messages are the wire codec's
 * (handlers/proto.h).
 *
 * A program sends a request, and gets entries and then one outcome. A request is answered at once,
 * in the verb's start(); or later, by a callback of whoever start() asked; or piece by piece, by
 * produce(), which notes in the verb's struct where it stopped.
 *
 * A verb is a file that defines a struct control_verb, at the start of a line: that puts it into
 * the table (Makefile).
 */

#include "exportsd/base/later.h"
#include "exportsd/base/parts.h"
#include "handlers/proto.h"

struct control_verb;
struct control_connection;

/* A request under way: the first member of what its verb keeps of it. */
struct control_request {
	const struct control_verb *verb;
	struct daemon *daemon;
	struct control_connection *connection;
	struct pending *pending; /* what it waits for, or NULL */
};

/*
 * start:   a request came. Returns 0; -errno: it is answered so. @message: valid during the call
 * produce: write some entries, until control_is_full(). True: the last one is written; that is
 *          answered by "ok", unless it has answered itself. NULL: whatever answers is a callback
 * end:     the request is answered, or nobody wants the answer any more. What is pending is
 *          cancelled, the verb's struct freed after this; the rest is the verb's. NULL: nothing is
 */
struct control_verb {
	const char *word;
	size_t size; /* of the verb's own struct, zeroed at the start; 0: it has none */
	int (*start)(struct control_request *request, const struct proto_message *message);
	bool (*produce)(struct control_request *request);
	void (*end)(struct control_request *request);
};

/* ---- entries ---- */

/* control_begin - the next entry; its fields are put into what this returns. */
struct proto_writer *control_begin(struct control_request *request, const char *word);

/*
 * control_end - the entry is complete. If that fails the connection is closed, so that nobody takes
 * a part for the whole.
 */
void control_end(struct control_request *request);

/* control_break - an entry could not be made, for want of memory: the connection is closed. */
void control_break(struct control_request *request);

/* control_is_full - enough waits to be sent, or the connection is being closed: write no more. */
bool control_is_full(const struct control_request *request);

/*
 * ---- the outcome: nothing more is said of the request. It is freed when these return; within
 * start() and produce(), when that returns ----
 */

void control_ok(struct control_request *request);
void control_fail(struct control_request *request, enum proto_outcome outcome, const char *format,
		  ...) FORMAT_PRINTF(3, 4);
/* control_fail_errno - PROTO_ERROR, in strerror(3)'s words. @error: -errno */
void control_fail_errno(struct control_request *request, int error);

/* An outcome with fields of its own; control_finish() ends it. */
struct proto_writer *control_begin_outcome(struct control_request *request,
					   enum proto_outcome outcome);
void control_finish(struct control_request *request);

/* The table of all verbs, ended by NULL. */
extern const struct control_verb *const control_verbs[];
