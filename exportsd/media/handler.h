/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * handler.h - the client of one handler: whatever listens on a rule's socket (exportsd-handler(7)).
 *
 * Connects when there is something to ask, says hello, keeps many requests under way on a
 * connection if the handler can (hello's answer says how many), else one a connection on a few
 * connections (an Accept=yes script). A handler that is not there, dies, or breaks the protocol
 * loses its connection and that connection's requests fail with HANDLER_LOST; whether to ask again
 * is the asker's matter.
 */

#include <systemd/sd-event.h>

#include "exportsd/base/later.h"
#include "handlers/proto.h"

struct handler;

/*
 * handler_new - no connection yet.
 *
 * @socket: "/path" or "@abstract"; copied
 * @peer_uid: besides root, whose processes may answer (SO_PEERCRED); (uid_t)-1: nobody's
 */
int handler_new(struct handler **ret_handler, sd_event *event, const char *socket, uid_t peer_uid);
struct handler *handler_free(struct handler *handler); /* requests under way are cancelled */
const char *handler_socket(const struct handler *handler);

/* What became of a request. The first are the handler's own words (enum proto_outcome). */
enum handler_outcome {
	HANDLER_OK = PROTO_OK,
	HANDLER_NOENT = PROTO_NOENT,
	HANDLER_DENIED = PROTO_DENIED,
	HANDLER_BUSY = PROTO_BUSY,
	HANDLER_ERROR = PROTO_ERROR,
	HANDLER_UNSUPPORTED = PROTO_UNSUPPORTED,
	HANDLER_LOST =
		PROTO_N_OUTCOMES, /* not there, gone, or broke the protocol: it may come (back) */
	HANDLER_TIMED_OUT, /* no outcome within the time given */
};

struct handler_events {
	/*
	 * Messages before the outcome: progress, and a list's or watch's entries. May be NULL.
	 */
	void (*message)(void *userdata, const struct proto_message *message);
	/*
	 * Exactly once, never from within handler_ask(). @message: the outcome's message, or NULL
	 * if there is none (LOST, TIMED_OUT). @mount_fd: a detached mount sent with it
	 * (SCM_RIGHTS), or -1; taken by the callee.
	 * @why: for LOST, TIMED_OUT and ERROR one line saying why, else NULL.
	 */
	void (*done)(void *userdata, enum handler_outcome outcome,
		     const struct proto_message *message, int mount_fd, const char *why);
};

/*
 * handler_ask - one request.
 *
 * @message: begun, without "id" (added) and not ended; emptied by this call
 * @timeout_usec: to the outcome; every progress message starts it anew (but see the media's
 *                deadline); 0: never (watch)
 * @own_connection: do not share one (list and watch)
 * @ret_request: cancelled, a late answer is dropped
 */
int handler_ask(struct handler *handler, struct proto_writer *message, uint64_t timeout_usec,
		bool own_connection, const struct handler_events *events, void *userdata,
		struct pending **ret_request);
