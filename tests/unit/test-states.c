/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-states.c - NFSv4 state beside the loop: whose reading is told to whom, and what a worker process is told to do. */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "exportsd/kernel/states.h"
#include "exportsd/worker/worker.h"
#include "tests/tap.h"

static sd_event *event;
static char proc[] = "/tmp/test-states-XXXXXX";

/* ---- the worker: serves at once, in this process ---- */

static unsigned int n_workers, n_served;
static int served_error;

int worker_new(struct worker **ret_worker, sd_event *loop, enum worker_kind kind,
	       unsigned int n_processes, const char *argument)
{
	is_int(kind, WORKER_CLIENTS, "a worker of its kind");
	n_workers++;
	*ret_worker = (struct worker *)&n_workers;
	return 0;
}

struct worker *worker_free(struct worker *worker)
{
	n_workers -= worker != NULL;
	return NULL;
}

int worker_ask(struct worker *worker, struct proto_writer *message, uint64_t timeout_usec,
	       worker_done_fn done, void *userdata, struct pending **ret_question)
{
	struct proto_writer answer = { 0 };
	struct proto_message question;
	const char *why;
	char *text;
	size_t used;

	ok(timeout_usec > 0, "it is not waited for for ever");
	proto_put_u64(message, "id", 1);
	if (proto_end(message) < 0)
		return -EINVAL;
	text = strndup(message->bytes, message->n_bytes);
	if (proto_parse(text, message->n_bytes, &question, &used, &why) != 0)
		abort();
	kernel_states_serve(&question, &answer);
	n_served++;
	served_error = memmem(answer.bytes, answer.n_bytes, "error", strlen("error")) ? -1 : 0;
	proto_message_done(&question);
	proto_writer_done(&answer);
	free(text);
	return 0;
}

/* ---- asking ---- */

static struct told {
	unsigned int n;
	int error;
	enum kernel_hold hold;
} told[4];

static void on_looked(void *userdata, int error, const struct kernel_holdings *holdings)
{
	struct told *to = userdata;

	to->n++;
	to->error = error;
	to->hold = holdings ? kernel_holdings_on(holdings, makedev(7, 1)) : KERNEL_HOLD_NOTHING;
}

static struct pending *look(struct kernel_states *states, size_t i, uint64_t max_age_usec)
{
	struct pending *pending = NULL;

	told[i] = (struct told){ 0 };
	is_int(kernel_states_look(states, max_age_usec, on_looked, &told[i], &pending), 0, "asked");
	is_int(told[i].n, 0, "and not told from within");
	return pending;
}

static void wait_for(size_t i)
{
	for (int turns = 0; turns < 1000 && !told[i].n; turns++)
		sd_event_run(event, 100000);
	is_int(told[i].n, 1, "told once");
}

static void put(const char *name, const char *text)
{
	char path[100];
	FILE *to;

	snprintf(path, sizeof(path), "%s/fs/nfsd/%s", proc, name);
	to = fopen(path, "w");
	if (!to || fputs(text, to) < 0 || fclose(to) != 0)
		abort();
}

static void put_open(const char *text)
{
	put("clients/1/states", text);
}

#define OPEN "- 0x1: { type: open, access: r-, superblock: \"07:01:12\", filename: \"a\" }\n"

static void looks(struct kernel_states *states)
{
	const uint64_t hour_usec = 3600 * UINT64_C(1000000);
	struct pending *pending;

	put_open(OPEN);
	look(states, 0, 0);
	look(states, 1, hour_usec);
	wait_for(0);
	is_int(told[0].hold, KERNEL_HOLD_FILES, "a file is open");
	ok(told[1].n == 1 && told[1].hold == KERNEL_HOLD_FILES, "both are told of one reading");
	put_open("");
	look(states, 0, hour_usec);
	wait_for(0);
	is_int(told[0].hold, KERNEL_HOLD_FILES, "who takes an old reading gets it");
	look(states, 0, 0);
	wait_for(0);
	is_int(told[0].hold, KERNEL_HOLD_NOTHING, "who wants to know how it is now gets that");
	/* The reading under way began before the second one asks. */
	look(states, 0, 0);
	sd_event_run(event, 0);
	put_open(OPEN);
	look(states, 1, 0);
	wait_for(1);
	is_int(told[0].n, 1, "the first was told,");
	is_int(told[1].hold, KERNEL_HOLD_FILES, "the second of a reading that began later");
	pending = look(states, 0, 0);
	look(states, 1, 0);
	pending_cancel(&pending);
	wait_for(1);
	is_int(told[0].n, 0, "one that is cancelled is told nothing");
}

static void taking_away(struct kernel_states *states)
{
	struct stat st;
	char path[100], text[16] = "";
	FILE *from;

	put_open("");
	put("clients/1/ctl", "");
	put("clients/1/info", "status: courtesy\n");
	put_open(OPEN);
	kernel_states_shed(states, "/nowhere", makedev(7, 1));
	is_int(n_served, 1, "the worker is asked");
	is_int(served_error, 0, "and does it");
	snprintf(path, sizeof(path), "%s/fs/nfsd/clients/1/ctl", proc);
	from = fopen(path, "r");
	is_str(from && fgets(text, sizeof(text), from) ? text : NULL, "expire\n",
	       "a client that is gone is let go of");
	if (from)
		fclose(from);
	kernel_states_revoke(states, "/nowhere", makedev(7, 1), true);
	is_int(n_served, 2, "and asked again");
	is_int(n_workers, 1, "it is one worker");
	is_int(stat(proc, &st), 0, "nothing else is touched");
}

static void remove_all(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r '%s'", proc);
	(void)!system(command);
}

int main(void)
{
	static const char *const names[] = { "fs", "fs/nfsd", "fs/nfsd/clients",
					     "fs/nfsd/clients/1" };
	struct kernel_states *states;
	char path[100];

	if (!mkdtemp(proc) || sd_event_new(&event) < 0)
		return EXIT_FAILURE;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", proc, names[i]);
		mkdir(path, 0700);
	}
	is_int(kernel_states_new(&states, event, proc), 0, "there it is");
	looks(states);
	taking_away(states);
	look(states, 0, 0);
	sd_event_run(event, 0);
	kernel_states_free(states);
	is_int(told[0].n, 0, "who waits at the end is told nothing");
	is_int(n_workers, 0, "and the worker has gone");
	remove_all();
	sd_event_unref(event);
	return tap_done();
}
