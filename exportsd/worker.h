/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * worker.h - processes that do for the daemon what can block.
 *
 * The daemon's loop never looks up a name, never touches an exported file system and never
 * waits for a disk. A pool of processes does, all receiving from one SOCK_SEQPACKET socket, so
 * that one that hangs holds up only its own question. A question is one message of the wire
 * codec (handlers/proto.h); its word picks what to do; the answer is one message with the same id.
 *
 * A pool's processes are this same program, started again with its kind's name. One that dies
 * is replaced; the question it had fails with -EPIPE, others do not notice.
 */

#include <systemd/sd-event.h>

#include "handlers/proto.h"

enum worker_kind {
	WORKER_NAMES, /* names.c: DNS, netgroups, group lists */
	WORKER_PATHS, /* paths.c: realpath, stat, file system identity, walks as somebody else */
	WORKER_STORE, /* store.c: the number store's SQLite file; one process */
};

struct worker;
struct worker_question;

/*
 * worker_new - start a pool.
 *
 * @event:       borrowed
 * @kind:        what its processes are for
 * @n_processes: how many may block at once; at least 1
 * @argument:    given to the processes as their argument (the store's file), or NULL
 *
 * Returns 0; -errno.
 */
int worker_new(struct worker **ret_worker, sd_event *event, enum worker_kind kind,
	       unsigned int n_processes, const char *argument);
struct worker *worker_free(struct worker *worker);

/*
 * worker_ask - ask one question.
 *
 * @message:  without "id", which is added; its one message is copied
 * @timeout_usec: after this, done() gets -ETIMEDOUT; 0: never
 * @done:     called exactly once, never from within this call: error 0 and the answer (valid during the call), or
 *            -ETIMEDOUT, -EPIPE (the process died), -E2BIG
 * @ret_question: for worker_cancel(); may be NULL
 *
 * More questions than the pool takes at once wait here, in order; at most 65,536.
 * Returns 0; -ENOMEM; -EAGAIN (too many waiting).
 */
typedef void (*worker_done_fn)(void *userdata, int error, const struct proto_message *answer);
int worker_ask(struct worker *worker, struct proto_writer *message, uint64_t timeout_usec,
	       worker_done_fn done, void *userdata, struct worker_question **ret_question);

/* worker_cancel - done() will not be called. NULL is fine. */
void worker_cancel(struct worker_question *question);

/*
 * worker_main - what a worker process does until its socket closes: main() calls it for
 * "exportsd --worker KIND FD [ARGUMENT]".
 *
 * Returns an exit code.
 */
int worker_main(const char *kind, int fd, const char *argument);
