/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drain.c - from a mounted medium to an unmounted one, while clients may ask for it at any
 * moment.
 *
 * What the kernel was told of a mounted medium holds its mount, so that it is told little and for a
 * short time: media_note_domain() keeps for which domains. Who uses the medium makes the kernel ask
 * again before that time is over (linux net/sunrpc/cache.c cache_check()), so that silence is what
 * an idle medium sounds like.
 *
 * A drain: the kernel is made to forget the medium; it is looked, without waiting for anything,
 * whether something still holds the mount, again and again until the drain's patience is over; the
 * handler unmounts it. Meanwhile requests for the medium wait in its list. A question about its
 * export is answered all the same, because a pending one holds the mount as well; the next try has
 * that forgotten, too.
 *
 * Drains wait in a queue and begin one after another, so that a thousand media that fall idle at
 * once leave the loop free for questions; and idle ones no faster than the handlers unmount them in
 * half of the time, so that they leave half of the machine free for who is waited for.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/base/log.h"
#include "exportsd/media/private.h"

enum {
	DRAINS_AT_ONCE = 64,
	/* For more than these whatever the kernel lists is looked through. */
	DOMAINS_MAX = 64,
};

static const uint64_t drain_gap_usec = 10000;
/* A robot is not a busy machine: others need not wait for it. */
static const uint64_t longest_gap_usec = 250000;
/*
 * When all that was told must be over: look through what the kernel lists, and let go of
 * delegations.
 */
static const uint64_t thorough_usec = 3000000;
static const uint64_t second_usec = 1000000;
/*
 * A flush in the same second leaves something behind, which the sweep of the next one frees
 * (cache.c write_flush()).
 */
static const uint64_t sweep_usec = 1100000;
static const uint64_t idle_patience_usec = 6000000;
/* nfsd closes an NFSv3 client's file 2 to 4 s after its last use (filecache.c nfsd_file_gc()). */
static const uint64_t eject_patience_usec = 10000000;
/* A client's state goes when its last request is answered (nfs4state.c force_expire_client()). */
static const uint64_t force_patience_usec = 15000000;
/*
 * What a device that is gone for good has mounted is of use to nobody: holders keep it no longer
 * than this.
 */
static const uint64_t lost_patience_usec = 5000000;

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

static void drain_event(struct medium *medium, enum drain_event event);
static int on_idle_time(sd_event_source *source, uint64_t usec, void *userdata);

static struct media *media_of(const struct medium *medium)
{
	return medium->rule->media;
}

/* Is it to be unmounted, used or not? */
static bool must_go(const struct medium *medium)
{
	return medium->is_gone || medium->trouble != MEDIUM_WELL;
}

static bool is_lost(const struct medium *medium)
{
	return medium->trouble == MEDIUM_DEVICE_GONE;
}

/* ---- domains ---- */

void medium_forget_domains(struct medium *medium)
{
	while (medium->n_domains)
		free(medium->domains[--medium->n_domains]);
	free(medium->domains);
	medium->domains = NULL;
	medium->has_other_domains = false;
}

static bool has_domain(const struct medium *medium, const char *domain)
{
	for (size_t i = 0; i < medium->n_domains; i++)
		if (str_equal(medium->domains[i], domain))
			return true;
	return false;
}

void media_note_domain(struct media *media, const char *path, const char *domain)
{
	struct medium *medium = media_find(media, path);
	char **domains;

	if (medium && medium->drain.stage != DRAIN_NONE)
		medium->forgotten_usec = media_now(media) + MEDIA_FORGET_USEC;
	if (!medium || medium->drain.stage != DRAIN_NONE || medium->has_other_domains ||
	    has_domain(medium, domain))
		return;
	domains = medium->n_domains < DOMAINS_MAX
			  ? reallocarray(medium->domains, medium->n_domains + 1, sizeof(*domains))
			  : NULL;
	if (domains) {
		medium->domains = domains;
		domains[medium->n_domains] = strdup(domain);
		if (domains[medium->n_domains]) {
			medium->n_domains++;
			return;
		}
	}
	medium->has_other_domains = true;
}

/* ---- who asked for drains ---- */

static void drain_free(struct media_drain *drain)
{
	free(drain->why);
	free(drain);
}

static int deliver(sd_event_source *source, void *userdata)
{
	struct media *media = userdata;

	while (media->drained) {
		struct media_drain *drain = media->drained;

		DL_DELETE(media->drained, drain);
		drain->done(drain->userdata, drain->outcome, drain->why);
		drain_free(drain);
	}
	return 0;
}

static void tell_asker(struct medium *medium, enum media_drain_outcome outcome)
{
	struct media *media = media_of(medium);
	struct media_drain *drain = TAKE_PTR(medium->drain_asker);

	if (!drain)
		return;
	drain->medium = NULL;
	drain->outcome = outcome;
	if (outcome == MEDIA_DRAIN_FAILED)
		media_set_string(&drain->why, medium->message);
	DL_APPEND(media->drained, drain);
	(void)sd_event_source_set_enabled(media->deliver_drained, SD_EVENT_ONESHOT);
}

static void cancel_drain(struct pending *pending)
{
	struct media_drain *drain = (struct media_drain *)pending;

	if (drain->medium)
		drain->medium->drain_asker = NULL;
	else
		DL_DELETE(drain->media->drained, drain);
	drain_free(drain);
}

/* ---- the queue ---- */

static void finish(struct medium *medium, enum media_drain_outcome outcome);
static void start_drain(struct medium *medium);

static void run_queue(struct media *media);

static int on_queue_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct media *media = userdata;
	struct medium *medium = media->drain_queue;

	if (!medium || media->n_draining >= DRAINS_AT_ONCE)
		return 0;
	DL_DELETE2(media->drain_queue, medium, drain_prev, drain_next);
	medium->is_drain_queued = false;
	media->n_draining++;
	media->drain_begun_usec = media_now(media);
	start_drain(medium);
	run_queue(media);
	return 0;
}

/* How long after the last drain the next one may begin. */
static uint64_t queue_gap(const struct media *media)
{
	uint64_t gap = 2 * media->unmounting_usec;

	if (media->drain_queue->drain_kind != MEDIA_DRAIN_IDLE || gap < drain_gap_usec)
		return drain_gap_usec;
	return gap < longest_gap_usec ? gap : longest_gap_usec;
}

static void run_queue(struct media *media)
{
	uint64_t now = media_now(media), next;

	if (!media->drain_queue)
		return;
	next = media->drain_begun_usec + queue_gap(media);
	if (media->n_draining < DRAINS_AT_ONCE)
		media_arm(media, &media->drain_timer, next > now ? next : now, on_queue_time,
			  media);
}

static void enqueue(struct medium *medium, enum media_drain_kind kind)
{
	struct media *media = media_of(medium);

	medium->drain_kind = kind;
	if (medium->is_drain_queued)
		DL_DELETE2(media->drain_queue, medium, drain_prev, drain_next);
	medium->is_drain_queued = true;
	if (kind == MEDIA_DRAIN_IDLE)
		DL_APPEND2(media->drain_queue, medium, drain_prev, drain_next);
	else
		DL_PREPEND2(media->drain_queue, medium, drain_prev, drain_next);
	run_queue(media);
}

static void leave_queue(struct medium *medium)
{
	struct media *media = media_of(medium);

	if (!medium->is_drain_queued)
		return;
	DL_DELETE2(media->drain_queue, medium, drain_prev, drain_next);
	medium->is_drain_queued = false;
}

/* ---- idleness ---- */

/* The kernel's silence begins up to half an entry's life after the last use. */
static uint64_t idle_due(const struct medium *medium)
{
	const struct media *media = media_of(medium);
	uint64_t idle = medium->rule->idle_usec, hold = medium->rule->min_hold_usec;
	uint64_t due = medium->used_usec + idle +
		       (uint64_t)media_rule_ttl_seconds(medium->rule) * media->second_usec / 2;

	if (due < medium->mounted_usec + hold)
		due = medium->mounted_usec + hold;
	return due > medium->not_before_usec ? due : medium->not_before_usec;
}

static void arm_idle(struct medium *medium)
{
	if (medium->rule->idle_usec && medium->load.stage == MEDIUM_DONE)
		media_arm(media_of(medium), &medium->idle_timer, idle_due(medium), on_idle_time,
			  medium);
	else if (medium->idle_timer)
		(void)sd_event_source_set_enabled(medium->idle_timer, SD_EVENT_OFF);
}

static int on_idle_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct medium *medium = userdata;

	if (medium->load.stage != MEDIUM_DONE || medium->drain.stage != DRAIN_NONE ||
	    medium->is_drain_queued)
		return 0;
	if (must_go(medium))
		enqueue(medium, MEDIA_DRAIN_GONE);
	else if (media_now(media_of(medium)) < idle_due(medium))
		arm_idle(medium);
	else
		enqueue(medium, MEDIA_DRAIN_IDLE);
	return 0;
}

void medium_used(struct medium *medium)
{
	medium->used_usec = media_now(media_of(medium));
}

void medium_is_mounted_now(struct medium *medium, bool by_somebody_else)
{
	medium->used_usec = medium->mounted_usec = media_now(media_of(medium));
	medium->not_before_usec = medium->drain_pause_usec = 0;
	medium->is_gone = false;
	medium->trouble = MEDIUM_WELL;
	medium_forget_domains(medium);
	medium->forgotten_usec = 0;
	medium->has_other_domains = by_somebody_else;
	watch_begin(medium);
	arm_idle(medium);
}

void medium_watch_idleness(struct medium *medium)
{
	if (must_go(medium) && medium->load.stage == MEDIUM_DONE)
		enqueue(medium, MEDIA_DRAIN_GONE);
	else
		arm_idle(medium);
}

/* It was in use, or its handler could not: each pause is longer than the last. */
static void try_later(struct medium *medium)
{
	struct media *media = media_of(medium);
	uint64_t least = 5 * media->second_usec, most = 60 * media->second_usec;
	uint64_t pause = medium->drain_pause_usec ? 2 * medium->drain_pause_usec : least;

	medium->drain_pause_usec = pause < most ? pause : most;
	medium->not_before_usec = media_now(media) + medium->drain_pause_usec;
	if (must_go(medium))
		media_arm(media, &medium->idle_timer, medium->not_before_usec, on_idle_time,
			  medium);
	else
		arm_idle(medium);
}

uint32_t media_rule_ttl_seconds(const struct rule *rule)
{
	enum { LEAST_SECONDS = 2 };
	const struct media *media = rule->media;
	uint64_t idle = rule->idle_usec / media->second_usec;
	uint32_t ttl = media->config->medium_ttl_seconds;

	if (idle && idle < ttl)
		ttl = idle > LEAST_SECONDS ? (uint32_t)idle : LEAST_SECONDS;
	return ttl;
}

uint32_t media_ttl_seconds(struct media *media, const char *path)
{
	enum { DRAINING_SECONDS = 1 };
	const struct medium *medium = media_find(media, path);
	const char *key;
	const struct rule *rule = media_rule_of(media, path, &key);

	if (medium && medium->drain.stage != DRAIN_NONE)
		return DRAINING_SECONDS;
	return rule ? media_rule_ttl_seconds(rule) : media->config->medium_ttl_seconds;
}

/* ---- a drain ---- */

static int on_drain_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	drain_event(userdata, DRAIN_TIMER);
	return 0;
}

static void withdraw(struct medium *medium, int root_fd)
{
	struct media *media = media_of(medium);
	struct media_withdrawal withdrawal = {
		.path = medium->path,
		.root_fd = root_fd,
		.number = numbers_get(media->numbers, medium->path),
		.domains = (const char *const *)medium->domains,
		.n_domains = medium->n_domains,
		.all = medium->has_other_domains || medium->is_thorough,
	};
	int r;

	if (!media->kernel.withdraw || (!withdrawal.n_domains && !withdrawal.all))
		return;
	r = media->kernel.withdraw(media->kernel.userdata, &withdrawal);
	if (r == 0) {
		medium_forget_domains(medium);
		medium->forgotten_usec = media_now(media) + MEDIA_FORGET_USEC;
	} else
		log_debug(ABOUT_MEDIUM(medium),
			  "Cannot have the kernel forget '%s', trying again: %s", medium->path,
			  strerror(-r));
}

/* Once what the kernel was told is over. */
static void sweep_forgotten(struct medium *medium)
{
	struct media *media = media_of(medium);
	uint64_t now = media_now(media);

	if (!medium->forgotten_usec || now < medium->forgotten_usec || !media->kernel.sweep)
		return;
	medium->forgotten_usec = 0;
	medium->swept_usec = now;
	media->kernel.sweep(media->kernel.userdata);
}

/* What still holds it may be delegations that nobody uses, or what a flush left to be swept. */
static void help(struct medium *medium)
{
	struct media *media = media_of(medium);
	uint64_t now = media_now(media);

	bool is_forced = medium->drain_kind == MEDIA_DRAIN_FORCE;

	if ((is_forced || is_lost(medium)) && medium->n_tries == 1 && media->kernel.revoke)
		media->kernel.revoke(media->kernel.userdata, medium->path, medium->seen.device,
				     !is_forced);
	else if (medium->is_thorough && media->kernel.shed)
		media->kernel.shed(media->kernel.userdata, medium->path, medium->seen.device);
	if (now - medium->swept_usec >= sweep_usec && media->kernel.sweep) {
		medium->swept_usec = now;
		media->kernel.sweep(media->kernel.userdata);
	}
}

/*
 * Whoever ejects means whatever is there; else something that was mounted there since is not what
 * is to go.
 */
static bool is_overtaken(const struct medium *medium)
{
	return medium->drain_kind != MEDIA_DRAIN_EJECT && medium->drain_kind != MEDIA_DRAIN_FORCE &&
	       !mounts_same_mount(&medium->seen, &medium->draining);
}

static void try(struct medium *medium)
{
	int fd = medium_open_root(medium);
	CLEANUP(closep) int directory = -1;
	int r;

	if (fd == -ENOENT || (fd >= 0 && is_overtaken(medium))) {
		closep(&fd);
		drain_event(medium, DRAIN_UNMOUNTED);
		return;
	}
	medium->n_tries++;
	medium->is_thorough =
		!medium->was_thorough &&
		media_now(media_of(medium)) - medium->drain.begun_usec >= thorough_usec;
	medium->was_thorough |= medium->is_thorough;
	if (fd >= 0) {
		/*
		 * Of what somebody else mounted there it is not known whose numbers to tell once
		 * more.
		 */
		if (identity_is_settled(medium, fd))
			withdraw(medium, fd);
		close(fd);
	}
	sweep_forgotten(medium);
	directory = mounts_open(medium->rule->facts.directory);
	r = directory < 0 ? directory : mounts_probe(directory, medium->key);
	if (r == -EBUSY && is_lost(medium) &&
	    media_now(media_of(medium)) - medium->drain.begun_usec >= lost_patience_usec)
		r = mounts_abandon(directory, medium->key);
	if (r == -EBUSY) {
		help(medium);
		drain_event(medium, DRAIN_BUSY);
	} else {
		drain_event(medium, DRAIN_FREE); /* or its handler says what is wrong */
	}
}

/* A mean that leans to the last few. */
static void note_unmounting(const struct medium *medium)
{
	struct media *media = media_of(medium);
	uint64_t took = media_now(media) - medium->unmount_begun_usec;

	if (took > longest_gap_usec)
		took = longest_gap_usec;
	media->unmounting_usec = (3 * media->unmounting_usec + took) / 4;
}

static void on_unmounted(void *userdata, enum handler_outcome outcome,
			 const struct proto_message *message, int mount_fd, const char *why)
{
	struct medium *medium = userdata;
	const char *text = message ? proto_get(message, "message") : NULL;
	CLEANUP(closep) int root = medium_open_root(medium);

	medium->unmount_request = NULL;
	note_unmounting(medium);
	closep(&mount_fd);
	if (root >= 0 && outcome == HANDLER_UNSUPPORTED) {
		CLEANUP(closep) int directory = mounts_open(medium->rule->facts.directory);

		closep(&root);
		if (directory >= 0)
			(void)mounts_unmount(directory, medium->key);
		root = medium_open_root(medium);
	}
	if (root < 0) {
		drain_event(medium, DRAIN_UNMOUNTED);
		return;
	}
	closep(&root);
	root = -1;
	if (outcome == HANDLER_BUSY || outcome == HANDLER_OK || outcome == HANDLER_UNSUPPORTED) {
		drain_event(medium, DRAIN_BUSY);
		return;
	}
	media_set_string(&medium->message, text	 ? text
					   : why ? why
						 : "its handler cannot unmount it");
	drain_event(medium, DRAIN_BROKEN);
}

static void ask_unmount(struct medium *medium)
{
	static const struct handler_events events = { .done = on_unmounted };
	struct proto_writer writer = { 0 };
	int r;

	medium_begin_request(&writer, "unmount", medium);
	if (medium->drain_kind == MEDIA_DRAIN_EJECT || medium->drain_kind == MEDIA_DRAIN_FORCE)
		proto_put(&writer, "eject", "1");
	proto_put_u64(&writer, "deadline-ms", medium->rule->limits.deadline_usec / 1000);
	medium->unmount_begun_usec = media_now(media_of(medium));
	r = medium_ask(medium, &writer, &events, &medium->unmount_request);
	if (r < 0) {
		media_set_string(&medium->message, "its handler cannot be asked");
		drain_event(medium, DRAIN_BROKEN);
	}
}

static const char *why_gone(const struct medium *medium)
{
	switch (medium->trouble) {
	case MEDIUM_WELL: break;
	case MEDIUM_DEVICE_GONE: return "its device is gone";
	case MEDIUM_DEVICE_OFFLINE:
	case MEDIUM_UNREADABLE: return "its device cannot be read";
	}
	return "it is gone";
}

static void log_end(const struct medium *medium, enum media_drain_outcome outcome)
{
	static const char *const reasons[] = {
		[MEDIA_DRAIN_IDLE] = "nobody used it",
		[MEDIA_DRAIN_EJECT] = "it was ejected",
		[MEDIA_DRAIN_FORCE] = "it was ejected by force",
	};

	switch (outcome) {
	case MEDIA_DRAINED:
		log_info(ABOUT_MEDIUM(medium), "'%s' is unmounted: %s", medium->path,
			 medium->drain_kind == MEDIA_DRAIN_GONE ? why_gone(medium)
								: reasons[medium->drain_kind]);
		break;
	case MEDIA_DRAIN_FAILED:
		log_message(medium->drain_pause_usec ? LOG_DEBUG : LOG_WARNING,
			    ABOUT_MEDIUM(medium), "Cannot unmount '%s', trying again: %s",
			    medium->path, medium->message);
		break;
	case MEDIA_DRAIN_IN_USE:
	case MEDIA_DRAIN_WANTED:
		log_debug(ABOUT_MEDIUM(medium), "'%s' is %s, it stays mounted", medium->path,
			  outcome == MEDIA_DRAIN_IN_USE ? "in use" : "wanted");
		break;
	}
}

static void finish(struct medium *medium, enum media_drain_outcome outcome)
{
	struct media *media = media_of(medium);
	const char *client, *domain;

	media->n_draining--;
	log_end(medium, outcome);
	tell_asker(medium, outcome);
	if (outcome == MEDIA_DRAINED) {
		medium->load.stage = MEDIUM_IDLE;
		medium_forget_users(medium);
		medium_forget_domains(medium);
		(void)sd_event_now(media->event, CLOCK_REALTIME, &medium->since_usec);
		if (medium->is_gone && !medium->is_listed)
			places_remove(media, medium->rule->facts.directory, medium->path);
		medium->is_gone = false;
		medium->trouble = MEDIUM_WELL;
		watch_end(medium);
		arm_idle(medium);
	} else if (outcome == MEDIA_DRAIN_WANTED) {
		medium->drain_pause_usec = 0;
		medium_used(medium);
		medium_watch_idleness(medium);
	} else {
		try_later(medium);
	}
	medium_changed(medium);
	run_queue(media);
	if (medium_first_asker(medium, &client, &domain))
		medium_want_mount(medium, client, domain);
	else if (outcome == MEDIA_DRAINED) {
		identity_follow_list(medium);
		medium_release(medium);
	}
}

/* Not before what the kernel was told last is over: until then that holds the mount. */
static uint64_t next_try(const struct medium *medium)
{
	uint64_t wake = medium->drain.wake_usec;

	return wake > medium->forgotten_usec ? wake : medium->forgotten_usec;
}

static void drain_event(struct medium *medium, enum drain_event event)
{
	struct media *media = media_of(medium);
	enum media_drain_kind kind = medium->drain_kind;
	bool turns = kind == MEDIA_DRAIN_IDLE;
	uint64_t patience = turns			? idle_patience_usec
			    : kind == MEDIA_DRAIN_FORCE ? force_patience_usec
							: eject_patience_usec;
	enum drain_action action =
		drain_step(&medium->drain, event, turns, patience, media_now(media));

	switch (action) {
	case DRAIN_STAY: break;
	case DRAIN_TRY: try(medium); break;
	case DRAIN_SLEEP:
		if (turns && medium_is_awaited(medium, true)) {
			drain_event(medium, DRAIN_ASKED);
			break;
		}
		media_arm(media, &medium->drain_timer, next_try(medium), on_drain_time, medium);
		break;
	case DRAIN_UNMOUNT: ask_unmount(medium); break;
	case DRAIN_END: finish(medium, MEDIA_DRAINED); break;
	case DRAIN_GIVE_UP: finish(medium, MEDIA_DRAIN_IN_USE); break;
	case DRAIN_TURN: finish(medium, MEDIA_DRAIN_WANTED); break;
	case DRAIN_FAIL: finish(medium, MEDIA_DRAIN_FAILED); break;
	}
}

/* Does NFSv4 state hold it? Delegations of files that cannot be read are of no use. */
static bool is_held(const struct medium *medium)
{
	const struct media *media = media_of(medium);
	uint64_t quiet_usec = 0;

	if (medium->drain_kind == MEDIA_DRAIN_FORCE || is_lost(medium) || !media->kernel.is_held)
		return false;
	if (medium->trouble != MEDIUM_WELL)
		quiet_usec = UINT64_MAX;
	else if (medium->drain_kind == MEDIA_DRAIN_IDLE)
		quiet_usec = media_now(media) - medium->used_usec;
	return media->kernel.is_held(media->kernel.userdata, medium->seen.device, quiet_usec);
}

/* It has left the queue. */
static void start_drain(struct medium *medium)
{
	struct media *media = media_of(medium);
	CLEANUP(closep) int root = -1;

	if (medium->load.stage == MEDIUM_ASKING || medium->load.stage == MEDIUM_PAUSING) {
		finish(medium,
		       MEDIA_DRAIN_WANTED); /* somebody asked for it while it was in the queue */
		return;
	}
	root = medium_open_root(medium);
	if (root < 0 && medium->drain_kind != MEDIA_DRAIN_EJECT &&
	    medium->drain_kind != MEDIA_DRAIN_FORCE) {
		finish(medium, MEDIA_DRAINED); /* somebody was faster */
		return;
	}
	if (root >= 0 && watch_follow(medium) && !must_go(medium) && !medium->drain_asker) {
		finish(medium, MEDIA_DRAIN_WANTED); /* it was mounted anew by somebody else */
		return;
	}
	if (root >= 0 && is_held(medium)) {
		finish(medium, MEDIA_DRAIN_IN_USE);
		return;
	}
	medium->n_tries = 0;
	medium->draining = medium->seen;
	medium->is_thorough = medium->was_thorough = false;
	medium->swept_usec = media_now(media);
	medium_changed(medium);
	if (root < 0) { /* nothing to drain, but something to give up */
		medium->drain = (struct drain_machine){ .stage = DRAIN_UNMOUNTING };
		ask_unmount(medium);
		return;
	}
	closep(&root);
	root = -1;
	drain_event(medium, DRAIN_WISHED);
}

bool medium_must_wait(struct medium *medium)
{
	if (medium->drain.stage == DRAIN_NONE) {
		if (medium->is_drain_queued && medium->drain_kind == MEDIA_DRAIN_IDLE) {
			leave_queue(medium);
			medium_used(medium);
			arm_idle(medium);
		}
		return false;
	}
	drain_event(medium, DRAIN_ASKED);
	return true;
}

static void drain_now(struct medium *medium)
{
	medium->drain_pause_usec = 0;
	if (medium->drain.stage == DRAIN_NONE)
		enqueue(medium, MEDIA_DRAIN_GONE);
}

void medium_drain_gone(struct medium *medium)
{
	if (medium->load.stage != MEDIUM_DONE)
		return;
	medium->is_gone = true;
	drain_now(medium);
}

void medium_set_trouble(struct medium *medium, enum medium_trouble trouble)
{
	medium->trouble = trouble;
	if (trouble != MEDIUM_WELL)
		drain_now(medium);
	else if (medium->drain.stage == DRAIN_NONE && !must_go(medium) && !medium->drain_asker) {
		leave_queue(medium);
		arm_idle(medium);
	}
}

void medium_stop_drain(struct medium *medium)
{
	pending_cancel(&medium->unmount_request);
	leave_queue(medium);
	if (medium->drain.stage != DRAIN_NONE) {
		medium->drain.stage = DRAIN_NONE;
		media_of(medium)->n_draining--;
		run_queue(media_of(medium));
	}
	tell_asker(medium, MEDIA_DRAIN_IN_USE);
	medium->drain_timer = sd_event_source_disable_unref(medium->drain_timer);
	medium->idle_timer = sd_event_source_disable_unref(medium->idle_timer);
}

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
	if (medium->drain_asker || medium->drain.stage != DRAIN_NONE)
		return -EALREADY;
	if (medium->load.stage == MEDIUM_ASKING || medium->load.stage == MEDIUM_PAUSING)
		return -EBUSY;
	drain = calloc(1, sizeof(*drain));
	if (!drain) {
		medium_release(medium);
		return -ENOMEM;
	}
	drain->pending.cancel = cancel_drain;
	drain->media = media;
	drain->medium = medium;
	drain->done = done;
	drain->userdata = userdata;
	medium->drain_asker = drain;
	medium->drain_pause_usec = 0;
	enqueue(medium, kind);
	*ret_drain = &drain->pending;
	return 0;
}

void media_set_kernel(struct media *media, const struct media_kernel *kernel)
{
	media->kernel = *kernel;
}

/* ---- start and end ---- */

int drains_start(struct media *media)
{
	int r;

	media->second_usec = second_usec;
	r = sd_event_add_defer(media->event, &media->deliver_drained, deliver, media);
	return r < 0 ? r : sd_event_source_set_enabled(media->deliver_drained, SD_EVENT_OFF);
}

void drains_end(struct media *media)
{
	while (media->drained)
		cancel_drain(&media->drained->pending);
	sd_event_source_disable_unref(media->deliver_drained);
	sd_event_source_disable_unref(media->drain_timer);
}
