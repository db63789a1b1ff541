/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - what the kit's files share: kit.c (start and end), connection.c (bytes and
 * requests), job.c (children and results).
 *
 *	connection ──► job waiting ──► job with a child ──► outcome sent ──► child gone, job freed
 *
 * A job belongs to its connection until its outcome was sent or the connection died; from then on
 * only to the kit. Jobs wait in order of arrival; one that must not start yet (its path is being
 * worked on) does not hold up those behind it. The number of children is bounded; watches
 * are counted apart because they never end.
 *
 * A connection is only freed by kit_connection_settle() and its stall timer, at the end of an event's
 * callback: everything below just marks it broken. What a peer does not read is kept up to
 * KIT_OUTPUT_MAX; then its input and its jobs' results are not read any more, so that at last
 * the children wait.
 */

#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "handlers/kit/kit.h"
#include "handlers/kit/listen.h"

enum { USEC_PER_SEC = 1000000, USEC_PER_MSEC = 1000 };

struct kit;
struct verb;

struct connection {
	TAILQ_ENTRY(connection) link;
	struct kit *kit;
	int fd;
	sd_event_source *io;
	sd_event_source *stall;
	char *input; /* PROTO_MESSAGE_MAX bytes */
	size_t n_input;
	struct proto_writer output;
	size_t n_sent; /* of output */
	size_t n_jobs;
	bool input_ended;
	bool broken;
};

struct job {
	TAILQ_ENTRY(job) link;
	struct kit *kit;
	struct connection *connection; /* NULL: nobody waits for it any more */
	uint64_t id;
	const struct verb *verb;
	char *bytes; /* what message points into */
	struct proto_message message;
	pid_t pid; /* 0: waiting */
	int fd; /* results */
	sd_event_source *io;
	sd_event_source *child;
	sd_event_source *deadline; /* NULL: nobody said when it must be known */
	uint64_t deadline_msec;
	char *input; /* PROTO_MESSAGE_MAX bytes */
	size_t n_input;
};

struct kit {
	sd_event *event;
	const struct kit_operations *operations;
	void *userdata;
	struct kit_settings settings;
	struct listening listening;
	sd_event_source *accepting[LISTEN_MAX];
	sd_event_source *idle;
	TAILQ_HEAD(connections, connection) connections;
	size_t n_connections;
	TAILQ_HEAD(jobs, job) jobs;
	size_t n_waiting, n_running, n_watches;
	bool stopping;
};

/* A verb's row: its name, where its operation is, which keys it cannot do without. */
struct verb {
	const char *name;
	size_t operation; /* offset in struct kit_operations */
	const char *needs[2];
	bool watches; /* never ends */
	bool changes; /* never two at once for one path */
};

static inline kit_operation operation_of(const struct kit *kit, const struct verb *verb)
{
	return *(const kit_operation *)((const char *)kit->operations + verb->operation);
}

/* ---- kit.c ---- */

/* Nothing to do any more? Then exit, at once or after the idle time. */
void kit_consider_idleness(struct kit *kit);

/* ---- connection.c ---- */

/* @fd: taken. Refused, with a line in the log, if the peer is not trusted or there are too many. */
void kit_connection_new(struct kit *kit, int fd);
void kit_connection_free(struct connection *connection);

/* The last thing a callback does with a connection: it may be gone afterwards. */
void kit_connection_settle(struct connection *connection);

/*
 * Answer without an operation. @error: for PROTO_ERROR; @why: may be NULL. Sent by the next
 * settling.
 */
void kit_connection_answer(struct connection *connection, uint64_t id, enum proto_outcome outcome,
			   int error, const char *why);

/* ---- job.c ---- */

/*
 * job_new - put a request into the queue.
 *
 * @message: copied; its strings lie in @bytes
 *
 * Returns 0; -ENOMEM.
 */
int job_new(struct connection *connection, uint64_t id, const struct verb *verb,
	    const struct proto_message *message, const char *bytes, size_t n_bytes);

/* Start what may start, in order of arrival. */
void jobs_start(struct kit *kit);

/* The connection dies: its jobs that wait go too, the others go on without it. */
void jobs_leave(struct connection *connection);

/* The kit stops: jobs that wait are told busy, watches end, the others have time to finish. */
void jobs_shed(struct kit *kit);
void job_free(struct job *job);
