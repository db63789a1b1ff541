/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One reload at a time, in steps: the files are read, by a thread (loading.h); realpath(3) of every plain path and the
 * addresses of every host name are asked for, both at once, and whose the numbers in the files are; the
 * snapshot is made, by a thread, and put in force; the kernel is told what changed (renew.h). With 100,000 lines no step holds up the loop. Answers
 * about hosts are kept until the next ones.
 */

#include "exportsd/reload.h"

#include <errno.h>
#include <time.h>
#include <utlist.h>

#include "exportsd/background.h"
#include "exportsd/loading.h"
#include "exportsd/log.h"
#include "exportsd/mountd.h"
#include "exportsd/questions.h"
#include "exportsd/renew.h"

enum { NUMBERS_A_TURN = 1000 };

struct waiter {
	reload_done_fn done;
	void *userdata;
	struct waiter *next;
};

struct reload {
	struct daemon *daemon;
	struct waiter *waiters; /* lists: for the one under way, and for the one after it */
	struct waiter *waiters_for_next;
	struct waiter *being_told;
	size_t n_errors;
	uint64_t applied_usec;
	/* Of the snapshot in force. */
	uint64_t fingerprint; /* of the files it was read from */
	struct fact *known_hosts;
	bool was_edited_said;

	/* The one under way. */
	bool running;
	bool has_begun; /* the files are being read, or were */
	bool accept_faults;
	bool only_if_same; /* to renew host names: not if files were edited */
	struct loading loading;
	struct background *background; /* the loading is its, not ours */
	struct paths_question *paths_question;
	struct names_question *names_question;
	const char **host_names; /* as asked */
	size_t n_owners_known; /* numbers of the loading whose owners were looked up */
	size_t n_given; /* numbers given when that began */
	sd_event_source *turn; /* the next step, in a turn of its own */
	struct renew *telling_kernel;
	bool changed; /* then: what will be said */

	sd_event_source *renew; /* host names' age */
};

/* ---- end ---- */

static void stop(struct reload *reload)
{
	reload->turn = sd_event_source_disable_unref(reload->turn);
	reload->background = background_abandon(reload->background);
	reload->telling_kernel = renew_cancel(reload->telling_kernel);
	paths_cancel(reload->paths_question);
	reload->paths_question = NULL;
	names_cancel(reload->names_question);
	reload->names_question = NULL;
	free(reload->host_names);
	reload->host_names = NULL;
	loading_clear(&reload->loading);
	reload->running = reload->has_begun = false;
}

/* @waiters: taken. A callback may forget others among them, and start the next reload. */
static void tell(struct reload *reload, struct waiter *waiters, const struct diags *diags,
		 bool applied, bool changed)
{
	LL_CONCAT(reload->being_told, waiters);
	while (reload->being_told) {
		struct waiter *waiter = reload->being_told;

		LL_DELETE(reload->being_told, waiter);
		if (waiter->done)
			waiter->done(waiter->userdata, diags, applied, changed);
		free(waiter);
	}
}

static void start_next(struct reload *reload);
static void schedule_renewal(struct reload *reload);

static void finish(struct reload *reload, bool applied, bool changed)
{
	struct waiter *waiters = TAKE_PTR(reload->waiters);
	struct diags diags = reload->loading.diags;

	reload->loading.diags = (struct diags){ 0 };
	if (!reload->only_if_same)
		reload->n_errors = diags.n_errors;
	stop(reload);
	if (applied || !reload->renew)
		schedule_renewal(reload);
	start_next(reload);
	tell(reload, waiters, &diags, applied, changed);
	diags_done(&diags);
}

/* One at a time. The handler ends itself: it is called in each turn. */
static int next_turn(struct reload *reload, sd_event_handler_t handler)
{
	int r = sd_event_add_defer(reload->daemon->event, &reload->turn, handler, reload);

	return r < 0 ? r : sd_event_source_set_enabled(reload->turn, SD_EVENT_ON);
}

static void fail(struct reload *reload, int error)
{
	errno = -error;
	log_error(NULL, "Cannot take up the exports: %m; keeping the previous ones");
	finish(reload, false, false);
}

static void on_told(void *userdata)
{
	struct reload *reload = userdata;

	reload->telling_kernel = NULL;
	finish(reload, true, reload->changed);
}

/* @old: taken. Without one, what the kernel was told comes from an earlier process. */
static void tell_kernel(struct reload *reload, struct snapshot *old)
{
	struct daemon *daemon = reload->daemon;
	int r = 0;

	reload->changed = reload->loading.changed;
	if (old && daemon->kernel &&
	    renew_start(&reload->telling_kernel, daemon->event, daemon->kernel, daemon->media, old,
			daemon->snapshot, on_told, reload) == 0)
		return;
	if (reload->changed && daemon->kernel)
		r = kernel_flush(daemon->kernel);
	if (r < 0) {
		errno = -r;
		log_warning(NULL, "Cannot make the kernel forget the old exports: %m");
	}
	snapshot_free(old);
	finish(reload, true, reload->changed);
}

static void put_in_force(struct reload *reload)
{
	struct daemon *daemon = reload->daemon;
	struct snapshot *old = daemon->snapshot, *snapshot = reload->loading.snapshot;
	struct timespec now;
	int r = media_set_snapshot(daemon->media, snapshot);

	if (r < 0) {
		fail(reload, r);
		return;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	reload->applied_usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	reload->fingerprint = reload->loading.fingerprint;
	daemon->snapshot = TAKE_PTR(reload->loading.snapshot);
	if (daemon->mountd)
		mountd_again(daemon->mountd);
	questions_again(daemon->questions);
	facts_clear(&reload->known_hosts);
	reload->known_hosts = TAKE_PTR(reload->loading.hosts);
	reload->was_edited_said = false;
	tell_kernel(reload, old);
}

/* ---- numbers' owners ---- */

static int begin(struct reload *reload);

static bool owners_changed(struct reload *reload)
{
	struct loading *loading = &reload->loading;
	const struct numbers *numbers = reload->daemon->numbers;

	if (numbers_count(numbers) == reload->n_given)
		return false;
	for (size_t i = 0; i < loading->n_numbers; i++)
		if (!loading_owner(loading, loading->numbers[i]) &&
		    numbers_path(numbers, loading->numbers[i]))
			return true;
	return false;
}

static void on_built(void *userdata)
{
	struct reload *reload = userdata;
	int r = reload->loading.error;

	reload->background = NULL;
	if (r == 0 && owners_changed(reload))
		r = begin(
			reload); /* a medium has got a number that the files give to another path */
	else if (r == 0 && reload->loading.diags.n_errors && !reload->accept_faults)
		finish(reload, false, false);
	else if (r == 0)
		put_in_force(reload);
	if (r < 0)
		fail(reload, r);
}

/* In a thread, like read_beside(). */
static void build_beside(void *userdata)
{
	struct reload *reload = userdata;

	loading_build(&reload->loading);
}

static void build(struct reload *reload)
{
	int r;

	reload->loading.in_force = reload->daemon->snapshot;
	r = background_start(&reload->background, reload->daemon->event, build_beside, on_built,
			     reload);
	if (r < 0)
		fail(reload, r);
}

/* A slice a turn. */
static int on_turn_owners(sd_event_source *source, void *userdata)
{
	struct reload *reload = userdata;
	struct loading *loading = &reload->loading;
	const struct numbers *numbers = reload->daemon->numbers;
	int r = 0;

	for (size_t n = 0; n < NUMBERS_A_TURN && reload->n_owners_known < loading->n_numbers; n++) {
		uint32_t number = loading->numbers[reload->n_owners_known++];
		const char *path = numbers_path(numbers, number);

		if (path && r == 0)
			r = loading_add_owner(loading, number, path);
	}
	if (r == 0 && reload->n_owners_known < loading->n_numbers)
		return 0;
	reload->turn = sd_event_source_disable_unref(reload->turn);
	if (r < 0)
		fail(reload, r);
	else
		build(reload);
	return 0;
}

static void step(struct reload *reload)
{
	int r;

	if (reload->paths_question || reload->names_question)
		return;
	reload->n_given = numbers_count(reload->daemon->numbers);
	r = next_turn(reload, on_turn_owners);
	if (r < 0)
		fail(reload, r);
}

/* ---- asking ---- */

static void on_real_paths(void *userdata, const char *const *real, size_t n_paths)
{
	struct reload *reload = userdata;
	struct loading *loading = &reload->loading;

	reload->paths_question = NULL;
	for (size_t i = 0; i < n_paths; i++) {
		struct fact *fact;

		if (!real[i] || real[i] == loading->paths[i])
			continue;
		/* Without memory the path is taken as it is written, like one that has no real path. */
		fact = facts_add(&loading->real_paths, loading->paths[i]);
		if (fact && !fact->answer)
			fact_set(fact, NULL, 0, real[i]);
	}
	step(reload);
}

static void on_hosts(void *userdata, const struct names_host *hosts, size_t n_hosts)
{
	struct reload *reload = userdata;
	size_t i = 0;

	reload->names_question = NULL;
	for (struct fact *fact = reload->loading.hosts; fact; fact = fact->hh.next, i++) {
		const struct names_host *host = i < n_hosts ? &hosts[i] : NULL;
		const struct fact *known;

		if (host && !host->error) {
			fact_set(fact, host->addresses, host->n_addresses, host->canonical);
			continue;
		}
		fact->is_old = true;
		known = facts_find(reload->known_hosts, fact->text);
		if (known)
			fact_set(fact, known->addresses, known->n_addresses, known->answer);
	}
	step(reload);
}

static int ask_hosts(struct reload *reload)
{
	size_t n_hosts = HASH_COUNT(reload->loading.hosts), i = 0;

	if (!n_hosts)
		return 0;
	reload->host_names = calloc(n_hosts, sizeof(*reload->host_names));
	if (!reload->host_names)
		return -ENOMEM;
	for (struct fact *fact = reload->loading.hosts; fact; fact = fact->hh.next)
		reload->host_names[i++] = fact->text;
	return names_of_hosts(reload->daemon->names, reload->host_names, n_hosts, on_hosts, reload,
			      &reload->names_question);
}

static int ask(struct reload *reload)
{
	struct loading *loading = &reload->loading;
	int r = ask_hosts(reload);

	if (r == 0 && loading->n_paths)
		r = paths_real(reload->daemon->paths, loading->paths, loading->n_paths,
			       on_real_paths, reload, &reload->paths_question);
	return r;
}

/* ---- reading ---- */

static void on_read(void *userdata)
{
	struct reload *reload = userdata;
	struct loading *loading = &reload->loading;
	int r = loading->error;

	reload->background = NULL;
	if (r == 0 && reload->only_if_same && loading->fingerprint != reload->fingerprint) {
		if (!reload->was_edited_said)
			log_notice(
				NULL,
				"Host names not looked up again: the exports files were edited and wait for "
				"a reload");
		reload->was_edited_said = true;
		finish(reload, false, false);
		return;
	}
	if (r == 0 && loading->diags.n_errors && !reload->accept_faults) {
		finish(reload, false, false);
		return;
	}
	if (r == 0)
		r = ask(reload);
	if (r < 0)
		fail(reload, r);
	else
		step(reload);
}

static void read_beside(void *userdata)
{
	struct reload *reload = userdata;

	loading_read(&reload->loading);
}

static int on_turn_read(sd_event_source *source, void *userdata)
{
	struct reload *reload = userdata;
	int r;

	loading_clear(&reload->loading);
	reload->n_owners_known = 0;
	reload->turn = sd_event_source_disable_unref(reload->turn);
	reload->has_begun = true;
	r = background_start(&reload->background, reload->daemon->event, read_beside, on_read,
			     reload);
	if (r < 0)
		fail(reload, r);
	return 0;
}

static int begin(struct reload *reload)
{
	return next_turn(reload, on_turn_read);
}

static int start(struct reload *reload, bool accept_faults, bool only_if_same)
{
	int r;

	stop(reload);
	r = begin(reload);
	if (r < 0)
		return r;
	reload->running = true;
	reload->accept_faults = accept_faults;
	reload->only_if_same = only_if_same;
	return 0;
}

static int reload_now(struct reload *reload, bool accept_faults)
{
	names_forget(reload->daemon->names);
	return start(reload, accept_faults, false);
}

static void start_next(struct reload *reload)
{
	static const struct diags no_diags;
	int r;

	if (!reload->waiters_for_next)
		return;
	r = reload_now(reload, false);
	reload->waiters = TAKE_PTR(reload->waiters_for_next);
	if (r == 0)
		return;
	log_error(NULL, "No memory to reload, keeping the previous exports");
	tell(reload, TAKE_PTR(reload->waiters), &no_diags, false, false);
}

static bool is_waiting(struct waiter *waiters, reload_done_fn done, const void *userdata)
{
	struct waiter *waiter;

	LL_FOREACH (waiters, waiter)
		if (waiter->done == done && waiter->userdata == userdata)
			return true;
	return false;
}

int reload_start(struct reload *reload, bool accept_faults, reload_done_fn done, void *userdata)
{
	/* Renewing host names gives way, but for a thread's work, which would hold up the loop to its end. */
	bool is_under_way = reload->running &&
			    (!reload->only_if_same || reload->background || reload->telling_kernel);
	struct waiter **waiters =
		is_under_way && reload->has_begun ? &reload->waiters_for_next : &reload->waiters;
	struct waiter *waiter;
	int r;

	if (is_under_way && is_waiting(*waiters, done, userdata))
		return 0;
	waiter = calloc(1, sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	r = is_under_way ? 0 : reload_now(reload, accept_faults);
	if (r < 0) {
		free(waiter);
		return r;
	}
	*waiter = (struct waiter){ .done = done, .userdata = userdata };
	LL_APPEND(*waiters, waiter);
	return 0;
}

static void forget(struct waiter *waiters, const void *userdata)
{
	struct waiter *waiter;

	LL_FOREACH (waiters, waiter)
		if (waiter->userdata == userdata)
			waiter->done = NULL;
}

void reload_forget(struct reload *reload, const void *userdata)
{
	forget(reload->being_told, userdata);
	forget(reload->waiters, userdata);
	forget(reload->waiters_for_next, userdata);
}

/* ---- host names' age ---- */

static int on_renew(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct reload *reload = userdata;

	reload->renew = sd_event_source_disable_unref(reload->renew);
	if (!reload->running && start(reload, true, true) < 0)
		schedule_renewal(reload);
	return 0;
}

/* What did not resolve is asked about again soon: at boot the name service may come after us. */
static void schedule_renewal(struct reload *reload)
{
	const struct config *config = reload->daemon->config;
	uint64_t seconds = config->name_age_seconds;
	bool is_needed = false;

	for (struct fact *fact = reload->known_hosts; fact; fact = fact->hh.next) {
		is_needed = true;
		if (!fact->n_addresses || fact->is_old)
			seconds = config->name_timeout_seconds;
	}
	reload->renew = sd_event_source_disable_unref(reload->renew);
	if (!is_needed)
		return;
	if (sd_event_add_time_relative(reload->daemon->event, &reload->renew, CLOCK_MONOTONIC,
				       seconds * UINT64_C(1000000), 0, on_renew, reload) < 0)
		log_warning(NULL, "Host names will not be looked up again before the next reload");
}

size_t reload_n_errors(const struct reload *reload)
{
	return reload->n_errors;
}

uint64_t reload_applied_usec(const struct reload *reload)
{
	return reload->applied_usec;
}

int reload_new(struct reload **ret_reload, struct daemon *daemon)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (!reload)
		return -ENOMEM;
	reload->daemon = daemon;
	reload->loading.config = daemon->config;
	*ret_reload = reload;
	return 0;
}

static void free_waiters(struct waiter *waiters)
{
	while (waiters) {
		struct waiter *next = waiters->next;

		free(waiters);
		waiters = next;
	}
}

struct reload *reload_free(struct reload *reload)
{
	if (!reload)
		return NULL;
	stop(reload);
	sd_event_source_disable_unref(reload->renew);
	free_waiters(reload->waiters);
	free_waiters(reload->waiters_for_next);
	facts_clear(&reload->known_hosts);
	free(reload);
	return NULL;
}
