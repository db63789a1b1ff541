/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * callout.c - a queue of runs, of which the first is under way.
 */

#include "exportsd/mountd/callout.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <utlist.h>

#include "exportsd/base/later.h"
#include "exportsd/base/log.h"
#include "exportsd/base/spawn.h"

struct run {
	struct run *prev, *next;
	char *client, *path;
	const char *event;
	unsigned int count;
};

struct callout {
	sd_event *event;
	char *program;
	struct run *runs; /* list */
	size_t n_runs;
	bool is_overflow_said;
	sd_event_source *process; /* the first run's; NULL: none */
	struct later deadline;
};

static void start_next(struct callout *callout);

static void run_free(struct run *run)
{
	free(run->client);
	free(run->path);
	free(run);
}

static void end_first(struct callout *callout)
{
	struct run *run = callout->runs;

	callout->process = sd_event_source_disable_unref(callout->process);
	later_cancel(&callout->deadline);
	DL_DELETE(callout->runs, run);
	callout->n_runs--;
	run_free(run);
}

static int on_end(sd_event_source *source, const siginfo_t *end, void *userdata)
{
	struct callout *callout = userdata;
	const struct run *run = callout->runs;

	if (end->si_code == CLD_EXITED && end->si_status == 0)
		log_debug(ABOUT(.path = run->path, .client = run->client), "%s %s %s %s: done",
			  callout->program, run->event, run->client, run->path);
	else
		log_warning(ABOUT(.path = run->path, .client = run->client),
			    "%s %s %s %s: %s %d (ha-callout)", callout->program, run->event,
			    run->client, run->path,
			    end->si_code == CLD_EXITED ? "it exited with"
						       : "it was killed by signal",
			    end->si_status);
	end_first(callout);
	start_next(callout);
	return 0;
}

static void on_deadline(void *userdata)
{
	const struct callout *callout = userdata;

	log_warning(NULL, "%s takes longer than %d s, killing it (ha-callout)", callout->program,
		    CALLOUT_SECONDS);
	(void)sd_event_source_send_child_signal(callout->process, SIGKILL, NULL, 0);
}

static int spawn(const struct callout *callout, const struct run *run, pid_t *ret_pid)
{
	char count[16];
	char *argv[] = {
		callout->program, (char *)run->event, run->client, run->path, count, NULL
	};
	posix_spawn_file_actions_t files;
	int r;

	snprintf(count, sizeof(count), "%u", run->count);
	r = -posix_spawn_file_actions_init(&files);
	if (r < 0)
		return r;
	r = -posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = spawn_program(callout->program, argv, &files, ret_pid);
	posix_spawn_file_actions_destroy(&files);
	return r;
}

static int start_first(struct callout *callout)
{
	pid_t pid;
	int r = spawn(callout, callout->runs, &pid);

	if (r < 0)
		return r;
	r = sd_event_add_child(callout->event, &callout->process, pid, WEXITED, on_end, callout);
	if (r < 0)
		return r;
	return later_call_in(&callout->deadline, callout->event,
			     CALLOUT_SECONDS * UINT64_C(1000000), on_deadline, callout);
}

static void start_next(struct callout *callout)
{
	while (callout->runs && !callout->process) {
		int r = start_first(callout);

		if (r >= 0)
			return;
		errno = -r;
		log_warning(ABOUT(.path = callout->runs->path, .client = callout->runs->client),
			    "Cannot run %s: %m (ha-callout)", callout->program);
		end_first(callout);
	}
}

void callout_run(struct callout *callout, const char *event, const char *client, const char *path,
		 unsigned int count)
{
	struct run *run;

	if (!callout)
		return;
	run = callout->n_runs < CALLOUT_WAITING_MAX ? calloc(1, sizeof(*run)) : NULL;
	if (run) {
		*run = (struct run){
			.event = event,
			.client = strdup(client),
			.path = strdup(path),
			.count = count,
		};
	}
	if (!run || !run->client || !run->path) {
		if (!callout->is_overflow_said)
			log_warning(
				ABOUT(.path = path, .client = client),
				"%s is not run for %s of %s: too many wait already (ha-callout)",
				callout->program, event, path);
		callout->is_overflow_said = true;
		if (run)
			run_free(run);
		return;
	}
	callout->is_overflow_said = false;
	DL_APPEND(callout->runs, run);
	callout->n_runs++;
	start_next(callout);
}

int callout_new(struct callout **ret_callout, sd_event *event, const char *program)
{
	struct callout *callout = calloc(1, sizeof(*callout));

	if (!callout)
		return -ENOMEM;
	callout->event = sd_event_ref(event);
	callout->program = strdup(program);
	if (!callout->program) {
		callout_free(callout);
		return -ENOMEM;
	}
	*ret_callout = callout;
	return 0;
}

struct callout *callout_free(struct callout *callout)
{
	if (!callout)
		return NULL;
	while (callout->runs)
		end_first(callout);
	sd_event_unref(callout->event);
	free(callout->program);
	free(callout);
	return NULL;
}
