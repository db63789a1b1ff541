/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * worker.h - processes that do for the daemon what can block.
 *
 * The daemon's loop never looks up a name, never touches an exported file system and never
 * waits for a disk. A pool of processes does, each with a SOCK_SEQPACKET socket of its own and
 * one question at a time, so that one that hangs holds up only its own question. (The store's
 * one process is sent many at a time, so that it can put them into one transaction.)
 * A question is one message of the wire codec (handlers/proto.h); its word picks what to do; the
 * answer is one message with the same id: "ok", or "error" with number=ERRNO.
 *
 * A pool's processes are this same program, started again with its kind's name, when there
 * is something to ask. One that dies fails the questions it had with -EPIPE, others do not notice.
 * One that has not answered for a while no longer counts, and another is started; it is killed
 * once nobody waits for its answer any more.
 */

#include <systemd/sd-event.h>

#include "exportsd/base/later.h"
#include "handlers/proto.h"

enum worker_kind {
	WORKER_NAMES, /* names/names.c: DNS, netgroups, group lists */
	WORKER_PATHS, /* fs/paths.c: realpath, stat, file system identity, walks as somebody else */
	WORKER_STORE, /* numbers/process.c: the number store's SQLite file; one process */
	WORKER_DEVICES, /* fs/device.h: reads from the devices of media */
	WORKER_CLIENTS, /* kernel/states.h: takes NFSv4 state away */
	/* No pools: each process does one thing and ends (worker_spawn()). */
	WORKER_RMTAB, /* mountd/rmtab_file.h: reads and writes rmtab */
	WORKER_RPCBIND, /* mountd/rpcbind.h: registers with rpcbind, or takes it back */
};

enum {
	WORKER_WAITING_MAX = 65536, /* questions of one pool that no process has yet */
	WORKER_PROCESSES_MAX = 32, /* of one pool, those that hang included */
	WORKER_STUCK_MSEC =
		1000, /* without an answer for so long: another process is started if one is needed */
	WORKER_HUNG_MSEC = 10000, /* so long, and nobody waits: killed */
};

/* What a kind is called on the command line: "names", ... */
const char *worker_kind_word(enum worker_kind kind);

struct worker;

/*
 * worker_new - start a pool.
 *
 * @event:       borrowed
 * @kind:        what its processes are for
 * @n_processes: how many may be busy at once; at least 1
 * @argument:    given to the processes as their argument (the store's file), or NULL
 *
 * Returns 0; -errno.
 */
int worker_new(struct worker **ret_worker, sd_event *event, enum worker_kind kind,
	       unsigned int n_processes, const char *argument);

/* worker_free - no done() is called any more. Processes are killed; the store's is let finish. */
struct worker *worker_free(struct worker *worker);

/*
 * worker_ask - ask one question.
 *
 * @message:  begun and filled, but not ended: "id" and the end are added here. Copied; the writer
 *            stays the caller's to free
 * @timeout_usec: after this, done() gets -ETIMEDOUT; 0: never
 * @done:     called exactly once, never from within this call: error 0 and the answer; or the
 *            negative errno that the process answered, with the answer (-E2BIG: it would be longer
 *            than a message can be); or -ETIMEDOUT, -EPIPE (the process died) and NULL. The answer
 *            is valid during the call.
 * @ret_question: for pending_cancel(); may be NULL
 *
 * More questions than the pool takes at once wait here, in order.
 * Returns 0; -ENOMEM; -EAGAIN (too many waiting); -E2BIG, -EINVAL (what proto_end() says of the
 * message).
 */
typedef void (*worker_done_fn)(void *userdata, int error, const struct proto_message *answer);
int worker_ask(struct worker *worker, struct proto_writer *message, uint64_t timeout_usec,
	       worker_done_fn done, void *userdata, struct pending **ret_question);

/* worker_has_begun - does a process have it, or does it wait for one? */
bool worker_has_begun(const struct pending *pending);

/*
 * worker_rest - a burst of questions is over: let processes that have nothing to do go, but for
 * one. NULL is fine.
 */
void worker_rest(struct worker *worker);

/* How many questions wait for a process; how many processes there are, those that hang included. */
size_t worker_n_waiting(const struct worker *worker);
size_t worker_n_processes(const struct worker *worker);

/*
 * worker_spawn - start a process that does one thing and ends. It is the caller's to wait for.
 *
 * @fd:       the process's one descriptor besides 0 to 2; -1: none. Borrowed
 * @argument: or NULL
 *
 * Returns 0; -errno.
 */
int worker_spawn(enum worker_kind kind, int fd, const char *argument, pid_t *ret_pid);

/* ---- the processes' side ---- */

/*
 * worker_serve - answer questions, one at a time, until the socket closes.
 *
 * @serve: begins and fills the answer ("ok", or worker_fail()), but neither gives it an id nor ends
 *         it
 *
 * Returns 0 when the daemon is gone; -errno.
 */
typedef void (*worker_serve_fn)(const struct proto_message *question, struct proto_writer *answer);
int worker_serve(int fd, worker_serve_fn serve);

/*
 * worker_receive - read one question.
 *
 * @buffer: PROTO_MESSAGE_MAX bytes; the message points into it
 *
 * Returns 0; WORKER_NOTHING (only without @wait); WORKER_END (the daemon is gone); -errno.
 */
enum { WORKER_NOTHING = 1, WORKER_END = 2 };
int worker_receive(int fd, bool wait, char *buffer, struct proto_message *ret_message,
		   uint64_t *ret_id);

/*
 * worker_reply - end and send an answer; one that is too long becomes -E2BIG. Returns 0;
 * WORKER_END; -errno.
 */
int worker_reply(int fd, uint64_t id, struct proto_writer *answer);

/*
 * worker_fail - answer with a negative errno, and a text if not NULL, in place of what was begun.
 */
void worker_fail(struct proto_writer *answer, int error, const char *message);

/* Lists of numbers in messages: as many per field as a line takes. */
void worker_put_numbers(struct proto_writer *writer, const char *key, const uint32_t *numbers,
			size_t n_numbers);
/* Returns 0 and an array to free(3), NULL if there are none; -EINVAL; -ENOMEM. */
int worker_get_numbers(const struct proto_message *message, const char *key, uint32_t **ret_numbers,
		       size_t *ret_n_numbers);
