/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * requests.h - between control.c, which moves bytes, and requests.c, which knows
 * what is asked and what to say. Groups of requests have files of their own, control_*.c.
 */

#include "exportsd/base/parts.h"
#include "exportsd/config/config.h"
#include "exportsd/control/control.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/media/media.h"
#include "exportsd/names/names.h"
#include "exportsd/numbers/numbers.h"
#include "handlers/proto.h"
#include "parser/snapshot/snapshot.h"

enum {
	CONTROL_CHUNK = 64 * 1024, /* bytes that may wait to be sent before a producer pauses */
	CONTROL_REQUEST_MAX = 32 * 1024, /* bytes of one request: a path may take 16 KiB */
};

struct connection;

/* Write some entries; true when the last one is written. */
typedef bool (*producer_fn)(struct connection *connection);

/* One of exportsctl's connections. */
struct connection {
	struct control *control;
	struct daemon *daemon;
	struct connection *prev, *next;
	int fd;
	sd_event_source *io, *timer;
	size_t n_input;
	struct proto_writer out;
	size_t n_sent; /* of out.bytes */
	bool closing; /* when all is sent */

	/* The request under way. */
	producer_fn producer;
	bool waiting; /* for a callback */
	char *path; /* that it is about */
	char *after; /* media up to this path are written */
	size_t n_done; /* exports or clients written */
	uint64_t since; /* when the exports that are being listed came into force */
	struct pending *mounting;
	struct media_observer *observer;
	struct pending *numbers_question;
	bool verifying;
	bool reloading;
	bool lists_media; /* mounted ones, behind their rules */
	struct exportfs_request *exportfs;
	struct pending *naming;
	struct eject *eject; /* life.h */

	char input[CONTROL_REQUEST_MAX];
};

/* connection_pending - bytes that wait to be sent. */
size_t connection_pending(const struct connection *connection);

/* connection_arm - to be called by callbacks that wrote something or finished. */
void connection_arm(struct connection *connection);

/*
 * connection_end - proto_end() for a message of an answer. If that fails, the connection is closed,
 * so that nobody takes a part for the whole.
 */
void connection_end(struct connection *connection);

/* connection_answer - the outcome; the request is done with. @message: may be NULL */
void connection_answer(struct connection *connection, enum proto_outcome outcome,
		       const char *message);

/*
 * exports_changed - whether other exports are in force than when a listing began; then it is
 * answered so.
 */
bool exports_changed(struct connection *connection);

/* put_fault - one message of an answer. */
void put_fault(struct connection *connection, const struct diag *diag);

/* requests_start - a request came. */
void requests_start(struct connection *connection, const struct proto_message *message);

/* handle.c */
void control_start_handle(struct connection *connection, const struct proto_message *message);

/* fsid.c: the numbers themselves, as exportsctl's fsid wants them. */
void fsid_start_list(struct connection *connection, const struct proto_message *message);
void fsid_start_set(struct connection *connection, const struct proto_message *message);
void fsid_start_retire(struct connection *connection, const struct proto_message *message);
void fsid_start_take(struct connection *connection, const struct proto_message *message);
void fsid_start_verify(struct connection *connection, const struct proto_message *message);
/* fsid_put_copies - one entry for each copy of the store. */
void fsid_put_copies(struct connection *connection);

/* requests_forget - the connection's request, if any, is answered or no longer wanted. */
void requests_forget(struct connection *connection);
