/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * later.c - a list for each loop of what is to be called in its next turn, emptied by one deferred
 * source; a time source for each that waits for a time.
 *
 * The list belongs to its loop: the source that empties it is floating, and takes the list with it
 * when the loop goes.
 */

#include "exportsd/base/later.h"

#include <errno.h>
#include <time.h>
#include <utlist.h>

enum { ACCURACY_USEC = 1000 };

struct ready {
	struct ready *next;
	sd_event *event;
	sd_event_source *source; /* the loop's */
	struct later *list;
};

/* One a loop; the daemon has one loop. */
static struct ready *all_ready;

static void unlink_ready(struct later *later)
{
	DL_DELETE(later->ready->list, later);
	later->ready = NULL;
}

static void ready_free(void *userdata)
{
	struct ready *ready = userdata;

	while (ready->list)
		unlink_ready(ready->list);
	LL_DELETE(all_ready, ready);
	free(ready);
}

static void call_now(struct later *later)
{
	later_cancel(later);
	later->call(later->userdata);
}

/* What is asked for meanwhile is behind the mark: the next turn's. */
static int on_turn(sd_event_source *source, void *userdata)
{
	struct ready *ready = userdata;
	struct later mark = { .ready = ready };

	DL_APPEND(ready->list, &mark);
	while (ready->list != &mark)
		call_now(ready->list);
	unlink_ready(&mark);
	if (ready->list)
		(void)sd_event_source_set_enabled(ready->source, SD_EVENT_ONESHOT);
	return 0;
}

static struct ready *ready_new(sd_event *event)
{
	struct ready *ready = calloc(1, sizeof(*ready));

	if (!ready)
		return NULL;
	ready->event = event;
	if (sd_event_add_defer(event, &ready->source, on_turn, ready) < 0) {
		free(ready);
		return NULL;
	}
	(void)sd_event_source_set_destroy_callback(ready->source, ready_free);
	(void)sd_event_source_set_floating(ready->source, true);
	(void)sd_event_source_unref(ready->source);
	LL_PREPEND(all_ready, ready);
	return ready;
}

static struct ready *ready_of(sd_event *event)
{
	struct ready *ready;

	LL_FOREACH (all_ready, ready)
		if (ready->event == event)
			return ready;
	return ready_new(event);
}

void later_call(struct later *later, sd_event *event, later_fn call, void *userdata)
{
	struct ready *ready = ready_of(event);

	if (!ready) {
		(void)sd_event_exit(event, -ENOMEM);
		return;
	}
	later->call = call;
	later->userdata = userdata;
	if (later->ready)
		return;
	later_cancel(later);
	later->ready = ready;
	DL_APPEND(ready->list, later);
	(void)sd_event_source_set_enabled(ready->source, SD_EVENT_ONESHOT);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	call_now(userdata);
	return 0;
}

int later_call_at(struct later *later, sd_event *event, uint64_t usec, later_fn call,
		  void *userdata)
{
	int r;

	later->call = call;
	later->userdata = userdata;
	if (later->ready)
		unlink_ready(later);
	if (later->timer)
		r = sd_event_source_set_time(later->timer, usec);
	else
		r = sd_event_add_time(event, &later->timer, CLOCK_MONOTONIC, usec, ACCURACY_USEC,
				      on_time, later);
	return r < 0 ? r : 0;
}

int later_call_in(struct later *later, sd_event *event, uint64_t usec, later_fn call,
		  void *userdata)
{
	uint64_t now = later_now_usec();

	return later_call_at(later, event, usec > UINT64_MAX - now ? UINT64_MAX : now + usec, call,
			     userdata);
}

bool later_is_pending(const struct later *later)
{
	return later->ready || later->timer;
}

void later_cancel(struct later *later)
{
	if (later->ready)
		unlink_ready(later);
	later->timer = sd_event_source_disable_unref(later->timer);
}

uint64_t later_now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
