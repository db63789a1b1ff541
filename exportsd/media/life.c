/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life.c - what follows from what happens to a medium.
 *
 * The other files of this folder do something and report what came of it; none of them knows what
 * is done about it. Here that is looked up (medium.h), and done. A step may report before it
 * returns, and what follows may free the medium: whoever has reported something does not touch it
 * any more, unless he holds it.
 */

#include "exportsd/media/private.h"

static void happens_to_part(struct medium *medium, enum medium_part part, enum medium_event event);

/* ---- the end of a medium ---- */

/* Who waits goes on waiting. */
static void stop(struct medium *medium)
{
	lookup_stop(medium);
	load_stop(medium);
	identity_stop(medium);
	for (int part = 0; part < MEDIUM_N_PARTS; part++) {
		later_cancel(&medium->timers[part]);
		happens_to_part(medium, part, MEDIUM_STOPPED);
	}
	queue_forget(medium);
}

void life_free(struct medium *medium)
{
	stop(medium);
	watch_end(medium);
	places_forget(medium);
	medium_drop_observers(medium);
	medium_forget_users(medium);
	drain_forget_domains(medium);
	load_done(medium);
	identity_free(medium);
	catalogue_forget(medium);
	medium_unsay(medium);
	medium_free(medium);
}

/* Does anybody still need it? */
static void release(struct medium *medium)
{
	enum medium_stage number = medium_stage(medium, MEDIUM_NUMBER);

	if (medium->listed.is_listed || medium->waiters.requests || medium->waiters.n_decided ||
	    medium->observed.observers)
		return;
	if (medium_stage(medium, MEDIUM_DRAIN) != MEDIUM_IDLE ||
	    medium_stage(medium, MEDIUM_MOUNT) != MEDIUM_IDLE ||
	    (number != MEDIUM_IDLE && number != MEDIUM_DONE) || medium->settled.recording)
		return;
	if (!numbers_get(media_of(medium)->numbers, medium->path))
		life_free(medium);
}

/* ---- its number, and its mount ---- */

static void on_number_time(void *userdata)
{
	happens_to_part(userdata, MEDIUM_NUMBER, MEDIUM_TIMER);
}

static void on_mount_time(void *userdata)
{
	happens_to_part(userdata, MEDIUM_MOUNT, MEDIUM_TIMER);
}

static void on_drain_time(void *userdata)
{
	happens_to_part(userdata, MEDIUM_DRAIN, MEDIUM_TIMER);
}

static void wake_at(struct medium *medium, enum medium_part part, uint64_t usec)
{
	static const later_fn calls[] = { on_number_time, on_mount_time, on_drain_time };

	media_call_at(media_of(medium), &medium->timers[part], usec, calls[part], medium);
}

static void log_trouble(const struct medium *medium, enum medium_part part, bool is_first)
{
	medium_log_trouble(medium, &medium->life.part[part], is_first,
			   part == MEDIUM_NUMBER ? "look up" : "mount");
}

static void sleep_on(struct medium *medium, enum medium_part part, bool is_first)
{
	uint64_t wake = medium->life.part[part].wake_usec;

	if (part != MEDIUM_DRAIN) {
		log_trouble(medium, part, is_first);
		medium_changed(medium);
		wake_at(medium, part, wake);
	} else if (drain_turns(medium) && medium_is_awaited(medium, MEDIUM_MOUNT)) {
		happens_to_part(medium, MEDIUM_DRAIN, MEDIUM_WANTED);
	} else {
		/* Until what the kernel was told last is over, that holds the mount. */
		wake_at(medium, part,
			wake > medium->drain.forgotten_usec ? wake : medium->drain.forgotten_usec);
	}
}

/* Who loads it waits for its number. */
static void serve_load(struct medium *medium)
{
	const struct medium_course *number = &medium->life.part[MEDIUM_NUMBER];

	if (medium_stage(medium, MEDIUM_MOUNT) == MEDIUM_WAITING)
		happens_to_part(medium, MEDIUM_MOUNT,
				number->stage == MEDIUM_DONE ? MEDIUM_SERVED : number->reason);
}

static void tell(struct medium *medium, enum medium_part part)
{
	const struct medium_course *course = &medium->life.part[part];
	/* Its number is refused to all, a mount to whom it was asked for. */
	bool is_refused = part == MEDIUM_MOUNT && course->stage == MEDIUM_FAILED &&
			  course->reason == MEDIUM_REFUSED &&
			  medium_stage(medium, MEDIUM_NUMBER) != MEDIUM_FAILED;

	medium_decide(medium, part, medium_outcome_of(course), is_refused);
	if (part == MEDIUM_NUMBER)
		serve_load(medium);
	else if (is_refused && medium_is_awaited(medium, MEDIUM_MOUNT))
		happens_to_part(medium, MEDIUM_MOUNT, MEDIUM_WANTED); /* others may be let in */
}

static void tell_first(struct medium *medium, enum medium_part part, bool is_first)
{
	const struct medium_course *course = &medium->life.part[part];

	if (course->stage == MEDIUM_FAILED) {
		log_trouble(medium, part, is_first);
		wake_at(medium, part, course->wake_usec);
	}
	tell(medium, part);
}

static void ask(struct medium *medium, enum medium_part part)
{
	if (part == MEDIUM_NUMBER)
		lookup_begin(medium);
	else
		load_begin(medium);
}

static void go_on(struct medium *medium, enum medium_part part)
{
	if (part == MEDIUM_NUMBER)
		lookup_in_list(medium);
	else
		load_go_on(medium);
}

static void fetch(struct medium *medium, enum medium_part part)
{
	if (part == MEDIUM_NUMBER)
		catalogue_refresh(medium->rule);
	else
		happens_to_part(medium, MEDIUM_NUMBER, MEDIUM_WANTED);
}

static bool is_loading(enum medium_stage stage)
{
	return stage == MEDIUM_ASKING || stage == MEDIUM_WAITING;
}

/* Its mount is in another stage. */
static void changed(struct medium *medium, enum medium_stage before)
{
	enum medium_stage now = medium_stage(medium, MEDIUM_MOUNT);

	if (now == before || (is_loading(now) && is_loading(before)))
		return;
	if (now == MEDIUM_DONE) {
		medium->is_gone = false;
		drain_forget_all(medium, !is_loading(before) || !medium->load.was_absent);
		watch_begin(medium);
		queue_mounted(medium);
		if (is_loading(before) || before == MEDIUM_PAUSING)
			load_log_mounted(medium);
	} else if (is_loading(before)) {
		load_close_placeholder(medium); /* nothing covers it */
	}
	(void)sd_event_now(media_of(medium)->event, CLOCK_REALTIME, &medium->since_usec);
	medium_changed(medium);
}

/* Whichever medium it is: that is found out before anybody is told of it. */
static void look(struct medium *medium)
{
	CLEANUP(closep) int root = medium_open_root(medium);

	if (root >= 0)
		happens_to_part(medium, MEDIUM_MOUNT, MEDIUM_FOUND);
}

/* Somebody asks for it to be mounted. */
static void want_mount(struct medium *medium)
{
	bool was_draining = medium_is_draining(medium);

	if (medium_stage(medium, MEDIUM_DRAIN) == MEDIUM_QUEUED && drain_turns(medium))
		queue_used(medium);
	happens_to_part(medium, MEDIUM_DRAIN, MEDIUM_WANTED);
	/* It is served when the drain ends. */
	if (was_draining)
		return;
	/* While the handler is at it, what is mounted may not be ready. */
	if (!is_loading(medium_stage(medium, MEDIUM_MOUNT)) && medium_is_known_mounted(medium) &&
	    numbers_get(media_of(medium)->numbers, medium->path))
		happens_to_part(medium, MEDIUM_MOUNT, MEDIUM_FOUND);
	else
		happens_to_part(medium, MEDIUM_MOUNT, MEDIUM_WANTED);
}

/* ---- a drain ---- */

static void end_unmounted(struct medium *medium)
{
	if (medium->is_gone && !medium->listed.is_listed)
		places_remove(media_of(medium), medium->rule->facts.directory, medium->path);
	medium->is_gone = false;
	happens_to_part(medium, MEDIUM_MOUNT, MEDIUM_DRAINED);
	medium_forget_users(medium);
	drain_forget_domains(medium);
	watch_end(medium);
	queue_watch(medium);
}

static void end_drain(struct medium *medium, enum media_drain_outcome outcome)
{
	drain_stop(medium);
	drain_log_end(medium, outcome);
	queue_tell(medium, outcome);
	switch (outcome) {
	case MEDIA_DRAINED: end_unmounted(medium); break;
	case MEDIA_DRAIN_WANTED: queue_turned(medium); break;
	case MEDIA_DRAIN_IN_USE:
	case MEDIA_DRAIN_FAILED: queue_try_later(medium); break;
	}
	medium_changed(medium);
	queue_end(media_of(medium));
	if (medium_is_awaited(medium, MEDIUM_MOUNT)) {
		want_mount(medium);
	} else if (outcome == MEDIA_DRAINED) {
		identity_follow_list(medium);
		release(medium);
	}
}

static void stop_drain(struct medium *medium, enum medium_stage before)
{
	if (before == MEDIUM_QUEUED)
		queue_leave(medium);
	else
		queue_end(media_of(medium));
	drain_stop(medium);
	queue_tell(medium, MEDIA_DRAIN_IN_USE);
}

/* It was taken out by hand. */
static void be_gone(struct medium *medium)
{
	if (medium_stage(medium, MEDIUM_MOUNT) != MEDIUM_DONE)
		return;
	medium->is_gone = true;
	queue_at_once(medium);
}

static void be_troubled(struct medium *medium)
{
	if (watch_trouble(medium) != MEDIUM_WELL) {
		queue_at_once(medium);
	} else if (!medium_is_draining(medium) && !medium_must_go(medium) && !medium->queue.asker) {
		happens_to_part(medium, MEDIUM_DRAIN, MEDIUM_NEEDED);
		queue_watch(medium);
	}
}

/* ---- whatever happens ---- */

static void act(struct medium *medium, enum medium_part part, enum medium_action action,
		const struct medium_course *before)
{
	bool is_first = before->pause_usec == 0;

	switch (action) {
	case MEDIUM_STAY: break;
	case MEDIUM_ASK: ask(medium, part); break;
	case MEDIUM_GO_ON: go_on(medium, part); break;
	case MEDIUM_FETCH: fetch(medium, part); break;
	case MEDIUM_LOOK: look(medium); break;
	case MEDIUM_SLEEP: sleep_on(medium, part, is_first); break;
	case MEDIUM_WAKE: wake_at(medium, part, media_now(media_of(medium))); break;
	case MEDIUM_TELL: tell_first(medium, part, is_first); break;
	case MEDIUM_TELL_AGAIN: tell(medium, part); break;
	case MEDIUM_FORGET:
		/* What was mounted there meanwhile was told of when nothing could be made of it. */
		if (part == MEDIUM_MOUNT)
			happens_to_part(medium, part, MEDIUM_SIGHTED);
		release(medium);
		break;
	case MEDIUM_QUEUE: queue_enter(medium); break;
	case MEDIUM_UNQUEUE:
		queue_leave(medium);
		queue_watch(medium);
		break;
	case MEDIUM_BEGIN: drain_begin(medium); break;
	case MEDIUM_TRY: drain_try(medium, false); break;
	case MEDIUM_TRY_ALL: drain_try(medium, true); break;
	case MEDIUM_UNMOUNT: drain_ask_unmount(medium); break;
	case MEDIUM_END: end_drain(medium, MEDIA_DRAINED); break;
	case MEDIUM_GIVE_UP: end_drain(medium, MEDIA_DRAIN_IN_USE); break;
	case MEDIUM_TURN: end_drain(medium, MEDIA_DRAIN_WANTED); break;
	case MEDIUM_FAIL: end_drain(medium, MEDIA_DRAIN_FAILED); break;
	case MEDIUM_STOP: stop_drain(medium, before->stage); break;
	}
}

static void happens_to_part(struct medium *medium, enum medium_part part, enum medium_event event)
{
	struct medium_course *course = &medium->life.part[part];
	struct medium_now now = {
		.usec = media_now(media_of(medium)),
		.is_awaited = medium_is_awaited(medium, part),
		.is_for_others = part == MEDIUM_MOUNT && course->stage == MEDIUM_FAILED &&
				 medium_has_others(medium),
		.turns = drain_turns(medium),
		.patience_usec = drain_patience_usec(medium),
	};
	struct medium_course before = *course;
	enum medium_action action =
		medium_step(&medium->life, part, event, &medium->rule->limits, &now);

	if (part == MEDIUM_MOUNT)
		changed(medium, before.stage);
	act(medium, part, action, &before);
}

static void be_listed(struct medium *medium)
{
	medium->is_gone = false;
	identity_follow_list(medium);
	medium_changed(medium);
}

static void vanish(struct medium *medium)
{
	places_forget(medium);
	places_remove(media_of(medium), medium->rule->facts.directory, medium->path);
	be_gone(medium);
	medium_changed(medium);
	release(medium);
}

/* Whoever looks at the path is to be told the other number. */
static void be_exchanged(struct medium *medium)
{
	media_names_changed(media_of(medium));
	medium_changed(medium);
}

static void move(struct medium *medium)
{
	queue_watch_anew(medium);
	if (medium_is_awaited(medium, MEDIUM_NUMBER))
		happens_to_part(medium, MEDIUM_NUMBER, MEDIUM_WANTED);
	if (medium_is_awaited(medium, MEDIUM_MOUNT))
		want_mount(medium);
}

static void happens_to_all(struct medium *medium, enum medium_event event)
{
	static void (*const follows[])(struct medium * medium) = {
		[MEDIUM_LISTED] = be_listed,
		[MEDIUM_VANISHED] = vanish,
		[MEDIUM_EXCHANGED] = be_exchanged,
		[MEDIUM_GONE] = be_gone,
		[MEDIUM_TROUBLED] = be_troubled,
		[MEDIUM_STOPPED] = stop,
		[MEDIUM_MOVED] = move,
		[MEDIUM_UNUSED] = release,
	};

	if (event < N_ELEMENTS(follows) && follows[event])
		follows[event](medium);
	else
		for (enum medium_part part = 0; part < MEDIUM_N_PARTS; part++)
			happens_to_part(medium, part, event);
}

void life_happens(struct medium *medium, enum medium_part part, enum medium_event event)
{
	if (event == MEDIUM_WANTED)
		catalogue_prod(medium->rule);
	if (part == MEDIUM_ALL)
		happens_to_all(medium, event);
	else if (part == MEDIUM_MOUNT && event == MEDIUM_WANTED)
		want_mount(medium);
	else
		happens_to_part(medium, part, event);
}
