/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drain.c - from a mounted medium to an unmounted one, while clients may ask for it at any
 * moment.
 *
 *	drain_begin() ─ wanted, gone ──► NEEDED, UNMOUNTED
 *	      │   └──── ejected, gone ───────────────────────► FREE ─┐
 *	      ▼                                                      │
 *	ask_who_holds_it() ─ a client needs it ──► HELD              │
 *	      ▼ SERVED                                               │
 *	drain_try() ◄─────────────────────────── TIMER ◄─┐           │
 *	      ├── somebody holds it ─────────────► BUSY ─┤           │
 *	      ▼                                          │           │
 *	drain_ask_unmount() ◄────────────────────────────│───────────┘
 *	      ├── its handler is busy ───────────► BUSY ─┘
 *	      ├── its handler cannot ────────────► BROKEN
 *	      ▼
 *	  UNMOUNTED
 *
 * What the kernel was told of a mounted medium holds its mount: media_note_domain() keeps for which
 * domains. The kernel is made to forget the medium; it is looked, without waiting for anything,
 * whether something still holds the mount, again and again until the drain's patience is over; the
 * handler unmounts it. Meanwhile requests for the medium wait in its list. A question about its
 * export is answered all the same, because a pending one holds the mount as well; the next try has
 * that forgotten, too.
 */

#include <errno.h>

#include "exportsd/media/private.h"

enum {
	/* For more than these whatever the kernel lists is looked through. */
	DOMAINS_MAX = 64,
};

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

static bool is_lost(const struct medium *medium)
{
	return watch_trouble(medium) == MEDIUM_DEVICE_GONE;
}

/* ---- domains ---- */

void drain_forget_domains(struct medium *medium)
{
	while (medium->drain.n_domains)
		free(medium->drain.domains[--medium->drain.n_domains]);
	free(medium->drain.domains);
	medium->drain.domains = NULL;
	medium->drain.has_other_domains = false;
}

void drain_forget_all(struct medium *medium, bool has_other_domains)
{
	drain_forget_domains(medium);
	medium->drain.forgotten_usec = 0;
	medium->drain.has_other_domains = has_other_domains;
}

static bool has_domain(const struct medium *medium, const char *domain)
{
	for (size_t i = 0; i < medium->drain.n_domains; i++)
		if (str_equal(medium->drain.domains[i], domain))
			return true;
	return false;
}

void media_note_domain(struct media *media, const char *path, const char *domain)
{
	struct medium *medium = media_find(media, path);
	char **domains;

	if (medium && medium_is_draining(medium))
		medium->drain.forgotten_usec = media_now(media) + MEDIA_FORGET_USEC;
	if (!medium || medium_is_draining(medium) || medium->drain.has_other_domains ||
	    has_domain(medium, domain))
		return;
	domains = medium->drain.n_domains < DOMAINS_MAX
			  ? reallocarray(medium->drain.domains, medium->drain.n_domains + 1,
					 sizeof(*domains))
			  : NULL;
	if (domains) {
		medium->drain.domains = domains;
		domains[medium->drain.n_domains] = strdup(domain);
		if (domains[medium->drain.n_domains]) {
			medium->drain.n_domains++;
			return;
		}
	}
	medium->drain.has_other_domains = true;
}

/* ---- a drain ---- */

static void withdraw(struct medium *medium, int root_fd, bool tries_all)
{
	struct media *media = media_of(medium);
	struct media_withdrawal withdrawal = {
		.path = medium->path,
		.root_fd = root_fd,
		.number = numbers_get(media->numbers, medium->path),
		.domains = (const char *const *)medium->drain.domains,
		.n_domains = medium->drain.n_domains,
		.all = medium->drain.has_other_domains || tries_all,
	};
	int r;

	if (!media->kernel.withdraw || (!withdrawal.n_domains && !withdrawal.all))
		return;
	r = media->kernel.withdraw(media->kernel.userdata, &withdrawal);
	if (r == 0) {
		drain_forget_domains(medium);
		medium->drain.forgotten_usec = media_now(media) + MEDIA_FORGET_USEC;
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

	if (!medium->drain.forgotten_usec || now < medium->drain.forgotten_usec ||
	    !media->kernel.sweep)
		return;
	medium->drain.forgotten_usec = 0;
	medium->drain.swept_usec = now;
	media->kernel.sweep(media->kernel.userdata);
}

/* What still holds it may be delegations that nobody uses, or what a flush left to be swept. */
static void help(struct medium *medium, bool tries_all)
{
	struct media *media = media_of(medium);
	uint64_t now = media_now(media);
	bool is_forced = medium->queue.kind == MEDIA_DRAIN_FORCE;

	if ((is_forced || is_lost(medium)) && medium->drain.n_tries == 1 && media->kernel.revoke)
		media->kernel.revoke(media->kernel.userdata, medium->path,
				     medium->seen.place.device, !is_forced);
	else if (tries_all && media->kernel.shed)
		media->kernel.shed(media->kernel.userdata, medium->path, medium->seen.place.device);
	if (now - medium->drain.swept_usec >= sweep_usec && media->kernel.sweep) {
		medium->drain.swept_usec = now;
		media->kernel.sweep(media->kernel.userdata);
	}
}

/*
 * Whoever ejects means whatever is there; else something that was mounted there since is not what
 * is to go.
 */
static bool is_overtaken(const struct medium *medium)
{
	return medium->queue.kind != MEDIA_DRAIN_EJECT && medium->queue.kind != MEDIA_DRAIN_FORCE &&
	       !mounts_same_mount(&medium->seen.place, &medium->drain.place);
}

void drain_try(struct medium *medium, bool tries_all)
{
	int fd = medium_open_root(medium);
	CLEANUP(closep) int directory = -1;
	int r;

	if (fd == -ENOENT || (fd >= 0 && is_overtaken(medium))) {
		closep(&fd);
		medium_report(medium, MEDIUM_DRAIN, MEDIUM_UNMOUNTED);
		return;
	}
	medium->drain.n_tries++;
	if (fd >= 0) {
		/*
		 * Of what somebody else mounted there it is not known whose numbers to tell once
		 * more.
		 */
		if (identity_is_settled(medium, fd))
			withdraw(medium, fd, tries_all);
		close(fd);
	}
	sweep_forgotten(medium);
	directory = mounts_open(medium->rule->facts.directory);
	r = directory < 0 ? directory : mounts_probe(directory, medium->key);
	if (r == -EBUSY && is_lost(medium) &&
	    media_now(media_of(medium)) - medium->life.part[MEDIUM_DRAIN].begun_usec >=
		    lost_patience_usec)
		r = mounts_abandon(directory, medium->key);
	if (r == -EBUSY) {
		help(medium, tries_all);
		medium_report(medium, MEDIUM_DRAIN, MEDIUM_BUSY);
	} else {
		medium_report(medium, MEDIUM_DRAIN,
			      MEDIUM_FREE); /* or its handler says what is wrong */
	}
}

static void on_unmounted(void *userdata, enum handler_outcome outcome,
			 const struct proto_message *message, int mount_fd, const char *why)
{
	struct medium *medium = userdata;
	const char *text = message ? proto_get(message, "message") : NULL;
	CLEANUP(closep) int root = medium_open_root(medium);

	medium->drain.pending = NULL;
	queue_note(media_of(medium), media_now(media_of(medium)) - medium->drain.begun_usec);
	closep(&mount_fd);
	if (root >= 0 && outcome == HANDLER_UNSUPPORTED) {
		CLEANUP(closep) int directory = mounts_open(medium->rule->facts.directory);

		closep(&root);
		if (directory >= 0)
			(void)mounts_unmount(directory, medium->key);
		root = medium_open_root(medium);
	}
	if (root < 0) {
		medium_report(medium, MEDIUM_DRAIN, MEDIUM_UNMOUNTED);
		return;
	}
	closep(&root);
	root = -1;
	if (outcome == HANDLER_BUSY || outcome == HANDLER_OK || outcome == HANDLER_UNSUPPORTED) {
		medium_report(medium, MEDIUM_DRAIN, MEDIUM_BUSY);
		return;
	}
	medium_say(medium, text ? text : why ? why : "its handler cannot unmount it");
	medium_report(medium, MEDIUM_DRAIN, MEDIUM_BROKEN);
}

void drain_ask_unmount(struct medium *medium)
{
	static const struct handler_events events = { .done = on_unmounted };
	struct proto_writer writer = { 0 };
	int r;

	identity_let_go(medium);
	medium_begin_request(&writer, "unmount", medium);
	if (medium->queue.kind == MEDIA_DRAIN_EJECT || medium->queue.kind == MEDIA_DRAIN_FORCE)
		proto_put(&writer, "eject", "1");
	proto_put_u64(&writer, "deadline-ms", medium->rule->limits.deadline_usec / 1000);
	medium->drain.begun_usec = media_now(media_of(medium));
	r = medium_ask(medium, &writer, &events, &medium->drain.pending);
	if (r < 0) {
		medium_say(medium, "its handler cannot be asked");
		medium_report(medium, MEDIUM_DRAIN, MEDIUM_BROKEN);
	}
}

static const char *why_gone(const struct medium *medium)
{
	switch (watch_trouble(medium)) {
	case MEDIUM_WELL: break;
	case MEDIUM_DEVICE_GONE: return "its device is gone";
	case MEDIUM_DEVICE_OFFLINE:
	case MEDIUM_UNREADABLE: return "its device cannot be read";
	}
	return "it is gone";
}

void drain_log_end(const struct medium *medium, enum media_drain_outcome outcome)
{
	static const char *const reasons[] = {
		[MEDIA_DRAIN_IDLE] = "nobody used it",
		[MEDIA_DRAIN_EJECT] = "it was ejected",
		[MEDIA_DRAIN_FORCE] = "it was ejected by force",
	};

	switch (outcome) {
	case MEDIA_DRAINED:
		log_info(ABOUT_MEDIUM(medium), "'%s' is unmounted: %s", medium->path,
			 medium->queue.kind == MEDIA_DRAIN_GONE ? why_gone(medium)
								: reasons[medium->queue.kind]);
		break;
	case MEDIA_DRAIN_FAILED:
		log_message(medium->queue.pause_usec ? LOG_DEBUG : LOG_WARNING,
			    ABOUT_MEDIUM(medium), "Cannot unmount '%s', trying again: %s",
			    medium->path, medium->said.message);
		break;
	case MEDIA_DRAIN_IN_USE:
	case MEDIA_DRAIN_WANTED:
		log_debug(ABOUT_MEDIUM(medium), "'%s' is %s, it stays mounted", medium->path,
			  outcome == MEDIA_DRAIN_IN_USE ? "in use" : "wanted");
		break;
	}
}

/* What there is to be drained: MEDIUM_SERVED: the medium. */
static enum medium_event look_at_it(struct medium *medium)
{
	bool is_ejected =
		medium->queue.kind == MEDIA_DRAIN_EJECT || medium->queue.kind == MEDIA_DRAIN_FORCE;
	CLEANUP(closep) int root = medium_open_root(medium);

	if (medium_is_under_way(medium))
		return MEDIUM_NEEDED; /* somebody asked for it while it was in the queue */
	if (root < 0)
		return is_ejected ? MEDIUM_FREE /* nothing to drain, but something to give up */
				  : MEDIUM_UNMOUNTED; /* somebody was faster */
	if (watch_follow(medium) && !medium_must_go(medium) && !medium->queue.asker)
		return MEDIUM_NEEDED; /* it was mounted anew by somebody else */
	return MEDIUM_SERVED;
}

static void go(struct medium *medium, enum medium_event event)
{
	if (event == MEDIUM_SERVED || event == MEDIUM_FREE) {
		medium->drain.place = medium->seen.place;
		medium->drain.swept_usec = media_now(media_of(medium));
		medium_changed(medium);
	}
	medium_report(medium, MEDIUM_DRAIN, event);
}

/* What was mounted there meanwhile was not asked about. */
static void on_looked(void *userdata, bool is_held)
{
	struct medium *medium = userdata;
	enum medium_event event = look_at_it(medium);

	medium->drain.pending = NULL;
	if (event == MEDIUM_SERVED &&
	    (is_held || !mounts_same_mount(&medium->seen.place, &medium->drain.place)))
		event = MEDIUM_HELD;
	go(medium, event);
}

/*
 * Does NFSv4 state hold it? Delegations of files that cannot be read are of no use. Returns whether
 * that will be told: on_looked().
 */
static bool ask_who_holds_it(struct medium *medium)
{
	const struct media_kernel *kernel = &media_of(medium)->kernel;
	uint64_t quiet_usec = 0;

	if (medium->queue.kind == MEDIA_DRAIN_FORCE || is_lost(medium) || !kernel->look)
		return false;
	if (watch_trouble(medium) != MEDIUM_WELL)
		quiet_usec = UINT64_MAX;
	else if (medium->queue.kind == MEDIA_DRAIN_IDLE)
		quiet_usec = media_now(media_of(medium)) - medium->queue.used_usec;
	medium->drain.place = medium->seen.place;
	if (kernel->look(kernel->userdata, medium->seen.place.device, quiet_usec, on_looked, medium,
			 &medium->drain.pending) < 0)
		go(medium, MEDIUM_HELD);
	return true;
}

/* It is its turn. */
void drain_begin(struct medium *medium)
{
	enum medium_event event = look_at_it(medium);

	medium->drain.n_tries = 0;
	if (event != MEDIUM_SERVED || !ask_who_holds_it(medium))
		go(medium, event);
}

bool drain_turns(const struct medium *medium)
{
	return medium->queue.kind == MEDIA_DRAIN_IDLE;
}

uint64_t drain_patience_usec(const struct medium *medium)
{
	if (!medium->drain.n_tries)
		return 0; /* there was nothing to drain */
	return drain_turns(medium)			 ? idle_patience_usec
	       : medium->queue.kind == MEDIA_DRAIN_FORCE ? force_patience_usec
							 : eject_patience_usec;
}

void drain_stop(struct medium *medium)
{
	pending_cancel(&medium->drain.pending);
}

void media_set_kernel(struct media *media, const struct media_kernel *kernel)
{
	media->kernel = *kernel;
}
