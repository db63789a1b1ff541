/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue.c - which media are drained, and when: who asked for it, idleness, and one after another.
 *
 * What the kernel was told of a mounted medium holds its mount, so that it is told little and for a
 * short time. Who uses the medium makes the kernel ask again before that time is over (linux
 * net/sunrpc/cache.c cache_check()), so that silence is what an idle medium sounds like.
 *
 * Drains wait in a queue and begin one after another, so that a thousand media that fall idle at
 * once leave the loop free for questions; and idle ones no faster than the handlers unmount them in
 * half of the time, so that they leave half of the machine free for who is waited for.
 */

#include <errno.h>

#include "exportsd/media/private.h"

enum { DRAINS_AT_ONCE = 64 };

static const uint64_t drain_gap_usec = 10000;
/* A robot is not a busy machine: others need not wait for it. */
static const uint64_t longest_gap_usec = 250000;

/* One that has been told to be drained. */
struct media_drain {
	struct pending pending;
	struct media_drain *prev, *next;
	struct media *media;
	struct medium *medium; /* NULL: it is decided */
	media_drain_fn done;
	void *userdata;
	enum media_drain_outcome outcome;
	char *why;
};

/* ---- who asked for drains ---- */

static void drain_free(struct media_drain *drain)
{
	free(drain->why);
	free(drain);
}

static void deliver(void *userdata)
{
	struct media *media = userdata;

	while (media->drained) {
		struct media_drain *drain = media->drained;

		DL_DELETE(media->drained, drain);
		drain->done(drain->userdata, drain->outcome, drain->why);
		drain_free(drain);
	}
}

void queue_tell(struct medium *medium, enum media_drain_outcome outcome)
{
	struct media *media = media_of(medium);
	struct media_drain *drain = TAKE_PTR(medium->queue.asker);

	if (!drain)
		return;
	drain->medium = NULL;
	drain->outcome = outcome;
	if (outcome == MEDIA_DRAIN_FAILED)
		media_set_string(&drain->why, medium->said.message);
	DL_APPEND(media->drained, drain);
	later_call(&media->deliver_drained, media->event, deliver, media);
}

static void cancel_drain(struct pending *pending)
{
	struct media_drain *drain = (struct media_drain *)pending;

	if (drain->medium)
		drain->medium->queue.asker = NULL;
	else
		DL_DELETE(drain->media->drained, drain);
	drain_free(drain);
}

/* ---- the queue ---- */

/* How long after the last drain the next one may begin. */
static uint64_t queue_gap(const struct media *media)
{
	uint64_t gap = 2 * media->unmounting_usec;

	if (media->drain_queue->queue.kind != MEDIA_DRAIN_IDLE || gap < drain_gap_usec)
		return drain_gap_usec;
	return gap < longest_gap_usec ? gap : longest_gap_usec;
}

static void on_queue_time(void *userdata);

static void run_queue(struct media *media)
{
	uint64_t now = media_now(media), next;

	if (!media->drain_queue)
		return;
	next = media->drain_begun_usec + queue_gap(media);
	if (media->n_draining < DRAINS_AT_ONCE)
		media_call_at(media, &media->drain_timer, next > now ? next : now, on_queue_time,
			      media);
}

static void on_queue_time(void *userdata)
{
	struct media *media = userdata;
	struct medium *medium = media->drain_queue;

	if (!medium || media->n_draining >= DRAINS_AT_ONCE)
		return;
	queue_leave(medium);
	media->n_draining++;
	media->drain_begun_usec = media_now(media);
	medium_report(medium, MEDIUM_DRAIN, MEDIUM_CALLED);
	run_queue(media);
}

void queue_enter(struct medium *medium)
{
	struct media *media = media_of(medium);

	queue_leave(medium);
	if (medium->queue.kind == MEDIA_DRAIN_IDLE)
		DL_APPEND2(media->drain_queue, medium, queue.prev, queue.next);
	else
		DL_PREPEND2(media->drain_queue, medium, queue.prev, queue.next);
	run_queue(media);
}

void queue_leave(struct medium *medium)
{
	if (!medium->queue.prev)
		return;
	DL_DELETE2(media_of(medium)->drain_queue, medium, queue.prev, queue.next);
	medium->queue.prev = medium->queue.next = NULL;
}

void queue_end(struct media *media)
{
	media->n_draining--;
	run_queue(media);
}

void queue_note(struct media *media, uint64_t took_usec)
{
	if (took_usec > longest_gap_usec)
		took_usec = longest_gap_usec;
	media->unmounting_usec = (3 * media->unmounting_usec + took_usec) / 4;
}

static void wish(struct medium *medium, enum media_drain_kind kind)
{
	medium->queue.kind = kind;
	medium_report(medium, MEDIUM_DRAIN, MEDIUM_WISHED);
}

/* ---- idleness ---- */

static uint32_t rule_ttl_seconds(const struct rule *rule)
{
	enum { LEAST_SECONDS = 2 };
	const struct media *media = rule->media;
	uint64_t idle = rule->idle_usec / second_usec;
	uint32_t ttl = media->config->medium_ttl_seconds;

	if (idle && idle < ttl)
		ttl = idle > LEAST_SECONDS ? (uint32_t)idle : LEAST_SECONDS;
	return ttl;
}

/* The kernel's silence begins up to half an entry's life after the last use. */
static uint64_t idle_due(const struct medium *medium)
{
	uint64_t idle = medium->rule->idle_usec, hold = medium->rule->min_hold_usec;
	uint64_t due = medium->queue.used_usec + idle +
		       (uint64_t)rule_ttl_seconds(medium->rule) * second_usec / 2;

	if (due < medium->queue.mounted_usec + hold)
		due = medium->queue.mounted_usec + hold;
	return due > medium->queue.not_before_usec ? due : medium->queue.not_before_usec;
}

static void on_idle_time(void *userdata);

void queue_watch(struct medium *medium)
{
	if (medium->rule->idle_usec && medium_stage(medium, MEDIUM_MOUNT) == MEDIUM_DONE)
		media_call_at(media_of(medium), &medium->queue.idle_timer, idle_due(medium),
			      on_idle_time, medium);
	else
		later_cancel(&medium->queue.idle_timer);
}

static void on_idle_time(void *userdata)
{
	struct medium *medium = userdata;

	if (medium_stage(medium, MEDIUM_MOUNT) != MEDIUM_DONE ||
	    medium_stage(medium, MEDIUM_DRAIN) != MEDIUM_IDLE)
		return;
	if (medium_must_go(medium))
		wish(medium, MEDIA_DRAIN_GONE);
	else if (media_now(media_of(medium)) < idle_due(medium))
		queue_watch(medium);
	else
		wish(medium, MEDIA_DRAIN_IDLE);
}

void queue_used(struct medium *medium)
{
	medium->queue.used_usec = media_now(media_of(medium));
}

void queue_mounted(struct medium *medium)
{
	medium->queue.used_usec = medium->queue.mounted_usec = media_now(media_of(medium));
	medium->queue.not_before_usec = medium->queue.pause_usec = 0;
	queue_watch(medium);
}

void queue_watch_anew(struct medium *medium)
{
	if (medium_must_go(medium) && medium_stage(medium, MEDIUM_MOUNT) == MEDIUM_DONE)
		wish(medium, MEDIA_DRAIN_GONE);
	else
		queue_watch(medium);
}

/* A drain ended because somebody asks for it. */
void queue_turned(struct medium *medium)
{
	medium->queue.pause_usec = 0;
	queue_used(medium);
	queue_watch_anew(medium);
}

/* It was in use, or its handler could not: each pause is longer than the last. */
void queue_try_later(struct medium *medium)
{
	struct media *media = media_of(medium);
	uint64_t least = 5 * second_usec, most = 60 * second_usec;
	uint64_t pause = medium->queue.pause_usec ? 2 * medium->queue.pause_usec : least;

	medium->queue.pause_usec = pause < most ? pause : most;
	medium->queue.not_before_usec = media_now(media) + medium->queue.pause_usec;
	if (medium_must_go(medium))
		media_call_at(media, &medium->queue.idle_timer, medium->queue.not_before_usec,
			      on_idle_time, medium);
	else
		queue_watch(medium);
}

uint32_t media_ttl_seconds(struct media *media, const char *path)
{
	enum { DRAINING_SECONDS = 1 };
	const struct medium *medium = media_find(media, path);
	const char *key;
	const struct rule *rule = media_rule_of(media, path, &key);

	if (medium && medium_is_draining(medium))
		return DRAINING_SECONDS;
	return rule ? rule_ttl_seconds(rule) : media->config->medium_ttl_seconds;
}

/* It is to go, used or not. */
void queue_at_once(struct medium *medium)
{
	medium->queue.pause_usec = 0;
	if (!medium_is_draining(medium))
		wish(medium, MEDIA_DRAIN_GONE);
}

void queue_forget(struct medium *medium)
{
	later_cancel(&medium->queue.idle_timer);
}

/* ---- interface ---- */

int media_drain(struct media *media, const char *path, enum media_drain_kind kind,
		media_drain_fn done, void *userdata, struct pending **ret_drain)
{
	struct media_drain *drain;
	struct medium *medium;
	const char *key;
	struct rule *rule = media_rule_of(media, path, &key);
	int r = rule ? medium_get(rule, path, &medium) : -ENOENT;

	if (r < 0)
		return r;
	if (medium->queue.asker || medium_is_draining(medium))
		return -EALREADY;
	if (medium_is_under_way(medium))
		return -EBUSY;
	drain = calloc(1, sizeof(*drain));
	if (!drain) {
		medium_report(medium, MEDIUM_ALL, MEDIUM_UNUSED);
		return -ENOMEM;
	}
	drain->pending.cancel = cancel_drain;
	drain->media = media;
	drain->medium = medium;
	drain->done = done;
	drain->userdata = userdata;
	medium->queue.asker = drain;
	medium->queue.pause_usec = 0;
	wish(medium, kind);
	*ret_drain = &drain->pending;
	return 0;
}

void queue_done(struct media *media)
{
	while (media->drained)
		cancel_drain(&media->drained->pending);
	later_cancel(&media->deliver_drained);
	later_cancel(&media->drain_timer);
}
