/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Work in threads: real ones, with the loop beside them.
 */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include "exportsd/base/background.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

static sd_event *event;

struct job {
	struct pending *background;
	pthread_t thread; /* that worked */
	bool signals_blocked;
	unsigned int n_worked, n_done;
	uint64_t msec; /* it takes */
	sem_t *gate; /* it waits there if not NULL */
};

static void work(void *userdata)
{
	struct job *job = userdata;
	uint64_t end = loop_now_msec() + job->msec;
	sigset_t blocked;

	while (loop_now_msec() < end)
		;
	if (job->gate)
		(void)sem_wait(job->gate);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	job->signals_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGUSR1);
	job->thread = pthread_self();
	job->n_worked++;
}

static void done(void *userdata)
{
	struct job *job = userdata;

	job->background = NULL;
	job->n_done++;
}

static void start(struct job *job)
{
	is_int(background_start(&job->background, event, work, done, job), 0, "work is begun");
}

static void over_in_the_loop(void)
{
	struct job job = { 0 };

	start(&job);
	is_int(job.n_done, 0, "done() is not called from within the call");
	ok(loop_until(event, &job.n_done, 1, 10000), "it is called by the loop");
	is_int(job.n_worked, 1, "when the work was done");
	ok(!pthread_equal(job.thread, pthread_self()), "in another thread");
	ok(job.signals_blocked, "that hears no signals");
	loop_for(event, 20);
	is_int(job.n_done, 1, "and once");
}

static void loop_goes_on(void)
{
	enum { TURNS = 100 };
	sem_t gate;
	struct job job = { .gate = &gate };

	sem_init(&gate, 0, 0);
	start(&job);
	for (int i = 0; i < TURNS; i++)
		sd_event_run(event, 1000);
	is_int(job.n_worked + job.n_done, 0, "the loop turns while the work is done");
	sem_post(&gate);
	ok(loop_until(event, &job.n_done, 1, 10000), "and hears of its end");
	sem_destroy(&gate);
}

static void several(void)
{
	enum { N = 20 };
	struct job jobs[N] = { { 0 } };
	unsigned int n_done = 0;

	for (int i = 0; i < N; i++)
		background_start(&jobs[i].background, event, work, done, &jobs[i]);
	for (int i = 0; i < N; i++)
		n_done += loop_until(event, &jobs[i].n_done, 1, 10000);
	is_int(n_done, N, "several at once all end");
}

static void abandoned(void)
{
	struct job job = { .msec = 30 };

	start(&job);
	pending_cancel(&job.background);
	is_int(job.n_worked, 1, "what is abandoned is over: its memory may be freed");
	loop_for(event, 20);
	is_int(job.n_done, 0, "done() is not called");
}

int main(void)
{
	if (sd_event_new(&event) < 0)
		return EXIT_FAILURE;
	over_in_the_loop();
	loop_goes_on();
	several();
	abandoned();
	sd_event_unref(event);
	return tap_done();
}
