/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Called once, later: the order, what is asked for or cancelled meanwhile, and what frees itself.
 */

#include <stdio.h>

#include "exportsd/base/later.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

static sd_event *event;
static char said[64];

struct job {
	struct later later;
	char name;
	struct job *cancels, *asks;
	bool frees;
};

static void say(void *userdata)
{
	struct job *job = userdata;

	(void)snprintf(said + strlen(said), sizeof(said) - strlen(said), "%c", job->name);
	if (job->cancels)
		later_cancel(&job->cancels->later);
	if (job->asks)
		later_call(&job->asks->later, event, say, job->asks);
	if (job->frees)
		free(job);
}

static void turns(unsigned int n)
{
	said[0] = '\0';
	while (n--)
		sd_event_run(event, 0);
}

static void in_order(void)
{
	struct job a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };

	said[0] = '\0';
	later_call(&b.later, event, say, &b);
	later_call(&a.later, event, say, &a);
	later_call(&b.later, event, say, &b);
	is_str(said, "", "nothing is called from within the call");
	ok(later_is_pending(&a.later) && !later_is_pending(&c.later), "what is pending says so");
	turns(1);
	is_str(said, "ba", "all are called in the next turn, once, in the order of the asking");
	ok(!later_is_pending(&b.later), "and are pending no more");
	turns(2);
	is_str(said, "", "nor called again");
}

static void meanwhile(void)
{
	struct job a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };
	struct job *freed = calloc(1, sizeof(*freed));

	a.cancels = &b;
	a.asks = &a;
	freed->name = 'f';
	freed->frees = true;
	later_call(&a.later, event, say, &a);
	later_call(&b.later, event, say, &b);
	later_call(&freed->later, event, say, freed);
	later_call(&c.later, event, say, &c);
	turns(1);
	is_str(said, "afc",
	       "one that is cancelled is not called; one that frees itself does no harm");
	turns(1);
	is_str(said, "a", "what asks again has its turn in the next one");
	later_cancel(&a.later);
	turns(2);
	is_str(said, "", "until it is cancelled");
	later_cancel(&a.later);
}

static void at_times(void)
{
	struct job a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };
	uint64_t now = later_now_usec();

	is_int(later_call_at(&a.later, event, now - 1, say, &a), 0, "a time that has passed");
	is_int(later_call_in(&b.later, event, UINT64_MAX, say, &b), 0, "one that never comes");
	is_int(later_call_in(&c.later, event, 3600 * UINT64_C(1000000), say, &c), 0, "an hour");
	turns(1);
	is_str(said, "a", "only what is due is called");
	ok(later_is_pending(&b.later) && later_is_pending(&c.later), "the others wait");
	later_call_at(&b.later, event, now, say, &b);
	later_call(&c.later, event, say, &c);
	turns(2);
	ok(strlen(said) == 2, "another time counts from then on, and so does the next turn");
	turns(2);
	is_str(said, "", "each once");
	later_call(&a.later, event, say, &a);
	later_call_in(&a.later, event, UINT64_MAX, say, &a);
	turns(2);
	is_str(said, "", "from the next turn to a time");
	later_cancel(&a.later);
	ok(!later_is_pending(&a.later), "which is cancelled");
}

static void cancel_job(struct pending *pending)
{
	struct later *later = (struct later *)(pending + 1);

	later_cancel(later);
}

static void as_somebody_waits(void)
{
	struct {
		struct pending pending;
		struct later later;
	} asked = { .pending = { cancel_job } };
	struct job a = { .name = 'a' };
	struct pending *pending = &asked.pending;

	later_call(&asked.later, event, say, &a);
	pending_cancel(&pending);
	ok(!pending, "a pointer to what was cancelled is NULL");
	pending_cancel(&pending);
	turns(2);
	is_str(said, "", "and nobody is told");
}

static void without_loop(void)
{
	struct job a = { .name = 'a' };

	later_call(&a.later, event, say, &a);
	sd_event_unref(event);
	ok(!later_is_pending(&a.later), "nothing is pending in a loop that is gone");
	later_cancel(&a.later);
	sd_event_new(&event);
	later_call(&a.later, event, say, &a);
	turns(1);
	is_str(said, "a", "another loop has a list of its own");
}

int main(void)
{
	sd_event_new(&event);
	in_order();
	meanwhile();
	at_times();
	as_somebody_waits();
	without_loop();
	sd_event_unref(event);
	return tap_done();
}
