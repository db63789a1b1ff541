/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - what the kit's files share. Each may use those above it in this list:
 *
 *	log.c, timer.c		one line, one call later
 *	listen.c		where connections come from
 *	request.c		an operation and what it says, in its own process
 *	connection.c		a peer's bytes, in and out
 *	job.c			requests under way: children and their results
 *	verbs.c			what a peer may ask
 *	kit.c			start and end, and what follows from each event
 *
 *	connection ──► job waiting ──► job with a child ──► outcome sent ──► child gone, job freed
 *
 * A callback of the event loop only changes what is in memory: it reads, appends answers, marks a
 * connection broken. What follows from that is done after each event, in one place (kit.c
 * settle()): requests are taken, jobs started, answers sent, connections freed.
 *
 * A job belongs to its connection until its outcome was sent or the connection died; from then on
 * only to the kit. Jobs wait in order of arrival; one that must not start yet (its path is being
 * worked on) does not hold up those behind it. The number of children is bounded; watches
 * are counted apart because they never end.
 *
 * What a peer does not read is kept up to KIT_OUTPUT_MAX; then its input and its jobs' results are
 * not read any more, so that at last the children wait.
 */

#include <systemd/sd-event.h>
#include <utlist.h>

#include "handlers/kit/kit.h"
#include "handlers/kit/listen.h"

enum { USEC_PER_SEC = 1000000, USEC_PER_MSEC = 1000 };

struct kit;
struct kit_verb;

struct kit_connection {
	struct kit_connection *prev, *next;
	struct kit *kit;
	int fd;
	sd_event_source *io;
	sd_event_source *stall; /* NULL: its peer owes nothing */
	char *input; /* PROTO_MESSAGE_MAX bytes */
	size_t n_input;
	struct proto_writer output;
	size_t n_jobs;
	bool has_news; /* input that was not looked at */
	bool is_paused; /* so much is unsent that no request is taken */
	bool input_ended;
	bool broken;
};

struct kit_job {
	struct kit_job *prev, *next;
	struct kit *kit;
	struct kit_connection *connection; /* NULL: nobody waits for it any more */
	uint64_t id;
	const struct kit_verb *verb;
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
	struct kit_listening listening;
	sd_event_source *accepting[KIT_LISTEN_MAX];
	sd_event_source *accept_again;
	sd_event_source *idle; /* NULL: somebody is connected, or it never ends */
	sd_event_source *stop; /* NULL: it goes on */
	struct kit_connection *connections;
	size_t n_connections;
	struct kit_job *jobs;
	size_t n_waiting, n_running, n_watches;
	bool stopping;
};

/* A verb's row: its name, where its operation is, which keys it cannot do without. */
struct kit_verb {
	const char *name;
	size_t operation; /* offset in struct kit_operations */
	const char *needs[2];
	bool watches; /* never ends */
	bool changes; /* never two at once for one path */
};

static inline kit_operation operation_of(const struct kit *kit, const struct kit_verb *verb)
{
	return *(const kit_operation *)((const char *)kit->operations + verb->operation);
}

/* ---- timer.c ---- */

/*
 * Have a function called once, so long from now; a timer that is set already, at that time instead.
 *
 * @timer: NULL, or one that was set; sd_event_source_disable_unref() ends it
 *
 * Returns 0; -errno.
 */
int kit_call_in(struct kit *kit, sd_event_source **timer, uint64_t usec,
		sd_event_time_handler_t call, void *userdata);

/* ---- connection.c ---- */

/* @fd: taken. Refused, with a line in the log, if the peer is not trusted or there are too many. */
void kit_connection_new(struct kit *kit, int fd);

/* No job may be left. */
void kit_connection_free(struct kit_connection *connection);

void kit_connection_break(struct kit_connection *connection, const char *why);

/* Is so much unsent that nothing more must be asked? */
bool kit_connection_is_full(const struct kit_connection *connection);

/*
 * Append an answer without an operation. @error: for PROTO_ERROR; @why: may be NULL.
 */
void kit_connection_answer(struct kit_connection *connection, uint64_t id,
			   enum proto_outcome outcome, int error, const char *why);

/* Send what the peer takes. */
void kit_connection_flush(struct kit_connection *connection);

/* Is nothing more to be done for it: it is broken, or its peer is content? */
bool kit_connection_is_over(const struct kit_connection *connection);

/* Wait for what it now needs. */
void kit_connection_arm(struct kit_connection *connection);

/* ---- job.c ---- */

/*
 * Put a request into the queue.
 *
 * @message: copied; its strings lie in @bytes
 *
 * Returns 0; -ENOMEM.
 */
int kit_job_new(struct kit_connection *connection, uint64_t id, const struct kit_verb *verb,
		const struct proto_message *message, const char *bytes, size_t n_bytes);
void kit_job_free(struct kit_job *job);

/* Start what may start, in order of arrival. */
void kit_jobs_start(struct kit *kit);

/* Read the results of a connection's jobs, or do not. */
void kit_jobs_pause(const struct kit_connection *connection, bool is_paused);

/* The connection dies: its jobs that wait go too, the others go on without it. */
void kit_jobs_leave(struct kit_connection *connection);

/* The kit stops: jobs that wait are told busy, watches end, the others have time to finish. */
void kit_jobs_shed(struct kit *kit);

/* ---- verbs.c ---- */

/* Take every complete request from the input, as long as the peer reads the answers. */
void kit_take_requests(struct kit_connection *connection);
