/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One change at a time, in steps: the files are read, by a thread (loading.h); realpath(3) of every
 * plain path and the addresses of every host name are asked for, both at once, and whose the
 * numbers in the files are; the snapshot is made, by a thread, and put in force; the kernel is told
 * what changed (renew.h); etab is written, by a thread (recording.h). With 100,000 lines no step
 * holds up the loop. Answers about hosts are kept until the next ones.
 *
 * Changes wait in a line, the first one is under way. Reloads of the files that have not begun are
 * one.
 */

#include "exportsd/exports/reload.h"

#include <errno.h>
#include <time.h>
#include <utlist.h>

#include "exportsd/base/background.h"
#include "exportsd/base/log.h"
#include "exportsd/exports/etab_file.h"
#include "exportsd/exports/etab_watch.h"
#include "exportsd/exports/loading.h"
#include "exportsd/exports/recording.h"
#include "exportsd/exports/reexport.h"
#include "exportsd/exports/renew.h"
#include "exportsd/kernel/tls.h"

enum { NUMBERS_A_TURN = 1000 };

struct waiter {
	reload_done_fn done;
	void *userdata;
	struct waiter *next;
};

struct job {
	struct change *change;
	struct waiter *waiters;
	struct job *next;
};

struct reload {
	struct daemon *daemon;
	struct reload_hooks hooks;
	struct job *jobs; /* the first one is under way */
	struct waiter *being_told;
	char *said;
	struct suspects *suspects;
	size_t n_errors;
	uint64_t applied_usec;
	struct fact *known_hosts; /* of the snapshot in force */
	struct fact *known_real_paths;
	bool paths_unknown; /* nobody could look at some path */
	struct runtime *runtime;
	struct etab_watch *etab_watch;
	bool is_etab_touched; /* by whom is not known yet */
	bool was_record_failure_said; /* and it fails still */
	bool is_etab_written; /* by us, of the snapshot in force */
	uint32_t etab_per_flavor; /* with these flags printed for each flavour */

	/* The one under way. */
	bool has_begun; /* the files are being read, or were */
	struct loading loading;
	struct recording recording;
	struct pending *background; /* the loading is its, not ours */
	struct pending *paths_question;
	struct pending *names_question;
	struct reexport *reexport; /* exports with reexport= are given their numbers */
	const char **host_names; /* as asked */
	size_t n_owners_known; /* numbers of the loading whose owners were looked up */
	size_t n_given; /* numbers given when that began */
	sd_event_source *turn; /* the next step, in a turn of its own */
	struct renew *telling_kernel;

	sd_event_source *renew; /* host names' age */
};

/* ---- end ---- */

/* The change under way, or NULL. */
static const struct change *under_way(const struct reload *reload)
{
	return reload->jobs ? reload->jobs->change : NULL;
}

static void stop(struct reload *reload)
{
	reload->turn = sd_event_source_disable_unref(reload->turn);
	pending_cancel(&reload->background);
	reload->telling_kernel = renew_cancel(reload->telling_kernel);
	pending_cancel(&reload->paths_question);
	reload->paths_question = NULL;
	pending_cancel(&reload->names_question);
	reload->names_question = NULL;
	reload->reexport = reexport_free(reload->reexport);
	free(reload->host_names);
	reload->host_names = NULL;
	loading_clear(&reload->loading);
	reload->has_begun = false;
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

static void free_waiters(struct waiter *waiters)
{
	while (waiters) {
		struct waiter *next = waiters->next;

		free(waiters);
		waiters = next;
	}
}

static void job_free(struct job *job)
{
	change_free(job->change);
	free_waiters(job->waiters);
	free(job);
}

static void start_next(struct reload *reload);
static void schedule_renewal(struct reload *reload);
static void look_at_etab(struct reload *reload);

static void finish(struct reload *reload, bool applied, bool changed)
{
	struct job *job = reload->jobs;
	struct waiter *waiters = TAKE_PTR(job->waiters);
	struct diags diags = reload->loading.diags;

	reload->loading.diags = (struct diags){ 0 };
	free(reload->said);
	reload->said = TAKE_PTR(reload->loading.work.said);
	suspects_free(reload->suspects);
	reload->suspects = TAKE_PTR(reload->loading.suspects);
	if (job->change->kind == CHANGE_START || job->change->kind == CHANGE_FILES ||
	    job->change->kind == CHANGE_FILES_TOO)
		reload->n_errors = diags.n_errors;
	stop(reload);
	LL_DELETE(reload->jobs, job);
	job_free(job);
	if (applied || !reload->renew)
		schedule_renewal(reload);
	look_at_etab(reload);
	start_next(reload);
	tell(reload, waiters, &diags, applied, changed);
	diags_done(&diags);
}

const char *reload_said(const struct reload *reload)
{
	return reload->said ?: "";
}

const struct suspects *reload_suspects(const struct reload *reload)
{
	return reload->suspects;
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

/* ---- recording ---- */

static void tell_record(struct reload *reload, const char *file, const char *what_follows,
			int error)
{
	const struct position nowhere = { .file = "" };

	if (error == 0)
		return;
	diag_add(&reload->loading.diags, DIAG_MISTAKE, &nowhere, "cannot write %s: %s", file,
		 strerror(-error));
	if (!reload->was_record_failure_said)
		log_warning(NULL, "Cannot write %s, %s, trying again: %s", file, what_follows,
			    strerror(-error));
}

/* What failed is tried again when the renewal of host names is due, which it makes sooner. */
static void note_record(struct reload *reload, bool has_failed)
{
	if (reload->was_record_failure_said && !has_failed)
		log_notice(NULL, "etab and run-time-exports are written again");
	reload->was_record_failure_said = has_failed;
}

static void on_recorded(void *userdata)
{
	struct reload *reload = userdata;
	const struct recording *recording = &reload->recording;

	reload->background = NULL;
	reload->is_etab_written = recording->etab_error == 0 && !recording->has_etab;
	reload->etab_per_flavor = recording->per_flavor;
	tell_record(reload, "etab", "other tools see old exports", recording->etab_error);
	tell_record(reload, "run-time-exports",
		    "what commands changed is lost if exportsd ends now", recording->runtime_error);
	note_record(reload, recording->etab_error < 0 || recording->runtime_error < 0);
	finish(reload, true, reload->loading.changed);
}

static void record_beside(void *userdata)
{
	struct reload *reload = userdata;

	recording_run(&reload->recording);
}

static void record(struct reload *reload)
{
	struct daemon *daemon = reload->daemon;
	uint32_t per_flavor =
		daemon->kernel ? kernel_per_flavor_flags(daemon->kernel) : EXPORT_PER_FLAVOR;
	int r = 0;

	reload->recording = (struct recording){
		.config = daemon->config,
		.kind = under_way(reload)->kind,
		.per_flavor = per_flavor,
		.runtime = reload->runtime,
		.now = daemon->snapshot,
		.has_etab = reload->loading.work.has_read_etab,
		.etab = reload->loading.work.etab,
		.is_etab_written = reload->is_etab_written && !reload->loading.changed_etab &&
				   per_flavor == reload->etab_per_flavor,
	};
	reload->is_etab_written = false;
	/* Without a directory for it there is no etab: in tests. */
	if (daemon->config->nfs_state_directory)
		r = background_start(&reload->background, daemon->event, record_beside, on_recorded,
				     reload);
	if (r < 0) {
		tell_record(reload, "etab", "other tools see old exports", r);
		note_record(reload, true);
	}
	if (!reload->background)
		finish(reload, true, reload->loading.changed);
}

/* ---- in force ---- */

static void on_told(void *userdata)
{
	struct reload *reload = userdata;

	reload->telling_kernel = NULL;
	record(reload);
}

/* @old: taken. Without one, what the kernel was told comes from an earlier process. */
static void tell_kernel(struct reload *reload, struct snapshot *old)
{
	struct daemon *daemon = reload->daemon;
	int r = 0;

	if (old && daemon->kernel &&
	    renew_start(&reload->telling_kernel, daemon->event, daemon->kernel, daemon->paths,
			daemon->media, old, daemon->snapshot, on_told, reload) == 0)
		return;
	if (reload->loading.changed && daemon->kernel)
		r = kernel_flush(daemon->kernel);
	if (r < 0) {
		errno = -r;
		log_warning(NULL, "Cannot make the kernel forget the old exports: %m");
	}
	snapshot_free(old);
	record(reload);
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
	daemon->snapshot = TAKE_PTR(reload->loading.snapshot);
	reload->hooks.in_force(reload->hooks.userdata);
	facts_clear(&reload->known_hosts);
	reload->known_hosts = TAKE_PTR(reload->loading.hosts);
	facts_clear(&reload->known_real_paths);
	reload->known_real_paths = TAKE_PTR(reload->loading.real_paths);
	reload->paths_unknown = reload->loading.paths_unknown;
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
	if (r == 0 && reload->loading.wants_tls && reload->daemon->kernel &&
	    !kernel_knows_tls(reload->daemon->kernel))
		tls_advise(reload->loading.snapshot, &reload->loading.diags);
	if (r == 0 && owners_changed(reload))
		r = begin(
			reload); /* a medium has got a number that the files give to another path */
	else if (r == 0 && reload->loading.diags.n_errors &&
		 !change_takes_faults(under_way(reload)))
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

static void ask_owners(void *userdata, int error)
{
	struct reload *reload = userdata;
	int r = error;

	reload->reexport = reexport_free(reload->reexport);
	reload->n_given = numbers_count(reload->daemon->numbers);
	if (r == 0)
		r = next_turn(reload, on_turn_owners);
	if (r < 0)
		fail(reload, r);
}

static void step(struct reload *reload)
{
	int r;

	if (reload->paths_question || reload->names_question)
		return;
	r = reexport_start(&reload->reexport, reload->daemon->numbers, &reload->loading, ask_owners,
			   reload);
	if (r == REEXPORT_NOTHING)
		ask_owners(reload, 0);
	else if (r < 0)
		fail(reload, r);
}

/* ---- asking ---- */

/*
 * Nobody could look: a dead disk or server does not make another path of it, which would withdraw
 * the one that clients use. Asked again soon (schedule_renewal()).
 */
static const char *known_real_path(struct reload *reload, const char *path)
{
	const struct fact *known = facts_find(reload->known_real_paths, path);

	reload->loading.paths_unknown = true;
	return known ? known->answer : NULL;
}

static void on_real_paths(void *userdata, const char *const *real, size_t n_paths)
{
	struct reload *reload = userdata;
	struct loading *loading = &reload->loading;

	reload->paths_question = NULL;
	for (size_t i = 0; i < n_paths; i++) {
		struct fact *fact;

		const char *answer = real[i];

		if (answer == paths_unknown)
			answer = known_real_path(reload, loading->paths[i]);
		if (!answer || answer == loading->paths[i])
			continue;
		/*
		 * Without memory the path is taken as it is written, like one that has no real
		 * path.
		 */
		fact = facts_add(&loading->real_paths, loading->paths[i]);
		if (fact && !fact->answer)
			fact_set(fact, NULL, 0, answer);
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
	free(reload->host_names); /* of the same reload, begun anew */
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
			       loading->seen, on_real_paths, reload, &reload->paths_question);
	return r;
}

/* ---- reading ---- */

static void on_read(void *userdata)
{
	struct reload *reload = userdata;
	struct loading *loading = &reload->loading;
	int r = loading->error;

	reload->background = NULL;
	if (r == 0 && loading->diags.n_errors && !change_takes_faults(under_way(reload))) {
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
	reload->loading.change = under_way(reload);
	reload->loading.runtime = reload->runtime;
	reload->loading.in_force = reload->daemon->snapshot;
	reload->n_owners_known = 0;
	reload->turn = sd_event_source_disable_unref(reload->turn);
	reload->has_begun = true;
	reload->hooks.begin(reload->hooks.userdata);
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

/* ---- the line of changes ---- */

/* The first job in the line begins. */
static int start(struct reload *reload)
{
	const struct change *change = under_way(reload);

	stop(reload);
	if (change && change->kind != CHANGE_NAMES)
		names_forget(reload->daemon->names);
	return begin(reload);
}

static void start_next(struct reload *reload)
{
	static const struct diags no_diags;

	while (reload->jobs && start(reload) < 0) {
		struct job *job = reload->jobs;

		log_error(NULL, "No memory to reload, keeping the previous exports");
		LL_DELETE(reload->jobs, job);
		tell(reload, TAKE_PTR(job->waiters), &no_diags, false, false);
		job_free(job);
	}
}

/* The job that would do this one's work, too. */
static struct job *find_job(struct reload *reload, const struct change *change)
{
	struct job *job;

	if (change->kind != CHANGE_FILES && change->kind != CHANGE_START &&
	    change->kind != CHANGE_ETAB)
		return NULL;
	LL_FOREACH (reload->jobs, job)
		if (job->change->kind == change->kind &&
		    (job != reload->jobs || !reload->has_begun) &&
		    /* What is done in between counts. */
		    (change->kind == CHANGE_ETAB || !job->next))
			return job;
	return NULL;
}

static bool is_waiting(struct waiter *waiters, reload_done_fn done, const void *userdata)
{
	struct waiter *waiter;

	LL_FOREACH (waiters, waiter)
		if (waiter->done == done && waiter->userdata == userdata)
			return true;
	return false;
}

/*
 * Renewing host names gives way, but for a thread's work, which would hold up the loop to its end.
 */
static void give_way(struct reload *reload)
{
	struct job *job = reload->jobs;

	if (!job || job->change->kind != CHANGE_NAMES || reload->background ||
	    reload->telling_kernel)
		return;
	stop(reload);
	LL_DELETE(reload->jobs, job);
	job_free(job);
}

static int add_job(struct reload *reload, struct change *change, struct job **ret_job)
{
	struct job *job = calloc(1, sizeof(*job));
	bool is_first;
	int r = 0;

	if (!job)
		return -ENOMEM;
	job->change = change;
	give_way(reload);
	is_first = !reload->jobs;
	LL_APPEND(reload->jobs, job);
	if (is_first)
		r = start(reload);
	if (r < 0) {
		LL_DELETE(reload->jobs, job);
		free(job);
		return r;
	}
	*ret_job = job;
	return 0;
}

/* @change: taken; it is the same one, whose reading has not begun. */
static void join(struct change *into, struct change *change)
{
	into->is_verbose |= change->is_verbose;
	change_free(change);
}

int reload_change(struct reload *reload, struct change *change, reload_done_fn done, void *userdata)
{
	struct job *job = find_job(reload, change);
	struct waiter *waiter;
	int r = 0;

	if (job && is_waiting(job->waiters, done, userdata)) {
		change_free(change);
		return 0;
	}
	waiter = calloc(1, sizeof(*waiter));
	if (!waiter)
		r = -ENOMEM;
	else if (!job)
		r = add_job(reload, change, &job);
	else
		join(job->change, TAKE_PTR(change));
	if (r < 0) {
		free(waiter);
		change_free(change);
		return r;
	}
	*waiter = (struct waiter){ .done = done, .userdata = userdata };
	LL_APPEND(job->waiters, waiter);
	return 0;
}

int reload_start(struct reload *reload, bool accept_faults, reload_done_fn done, void *userdata)
{
	struct change *change;
	int r = change_new(&change, accept_faults ? CHANGE_START : CHANGE_FILES);

	return r < 0 ? r : reload_change(reload, change, done, userdata);
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
	struct job *job;

	forget(reload->being_told, userdata);
	LL_FOREACH (reload->jobs, job)
		forget(job->waiters, userdata);
}

/* ---- host names' age ---- */

static int on_renew(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct reload *reload = userdata;
	struct change *change;

	reload->renew = sd_event_source_disable_unref(reload->renew);
	if (reload->jobs)
		return 0;
	if (change_new(&change, CHANGE_NAMES) < 0 || reload_change(reload, change, NULL, NULL) < 0)
		schedule_renewal(reload);
	return 0;
}

/* What did not resolve is asked about again soon: at boot the name service may come after us. */
static void schedule_renewal(struct reload *reload)
{
	const struct config *config = reload->daemon->config;
	uint64_t seconds = config->name_age_seconds;
	bool is_needed = reload->paths_unknown || reload->was_record_failure_said;

	if (is_needed)
		seconds = config->name_timeout_seconds;
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

/* ---- other programs' etab ---- */

static void on_etab_taken_in(void *userdata, const struct diags *diags, bool applied, bool changed)
{
	for (size_t i = 0; i < diags->n_items; i++)
		log_warning(NULL, "etab:%u: %s", diags->items[i].line, diags->items[i].text);
	if (applied)
		log_notice(NULL, "Another program has written etab: %s",
			   changed ? "its exports are in force" : "nothing changed");
}

/* Is the etab that is there now another program's? While ours is written nobody can tell. */
static void look_at_etab(struct reload *reload)
{
	struct file_version version;
	struct change *change;

	if (!reload->is_etab_touched || reload->background)
		return;
	reload->is_etab_touched = false;
	if (etab_file_version(reload->daemon->config->nfs_state_directory, &version) < 0 ||
	    runtime_knows_etab(reload->runtime, &version))
		return;
	if (change_new(&change, CHANGE_ETAB) < 0 ||
	    reload_change(reload, change, on_etab_taken_in, reload) < 0)
		log_error(NULL, "No memory to take in what another program wrote into etab");
}

static void on_etab(void *userdata)
{
	struct reload *reload = userdata;

	reload->is_etab_touched = true;
	look_at_etab(reload);
}

/* What cannot be read is as if it were not there: the files count. */
static void read_runtime(struct reload *reload)
{
	CLEANUP(freep) char *file = recording_runtime_file(reload->daemon->config);
	int r = file ? runtime_read(reload->runtime, file) : -ENOMEM;

	if (r < 0 && r != -ENOENT)
		log_warning(NULL, "Cannot read %s, exports made by commands are lost: %s",
			    file ?: "run-time-exports", strerror(-r));
}

static int open_etab(struct reload *reload)
{
	const char *directory = reload->daemon->config->nfs_state_directory;
	int r;

	if (!directory)
		return 0;
	read_runtime(reload);
	r = etab_watch_new(&reload->etab_watch, reload->daemon->event, directory, on_etab, reload);
	if (r < 0 && r != -ENOMEM) {
		log_warning(NULL,
			    "Cannot watch %s, what other tools write into etab is not seen: %s",
			    directory, strerror(-r));
		return 0;
	}
	return r;
}

size_t reload_n_errors(const struct reload *reload)
{
	return reload->n_errors;
}

uint64_t reload_applied_usec(const struct reload *reload)
{
	return reload->applied_usec;
}

int reload_new(struct reload **ret_reload, struct daemon *daemon, const struct reload_hooks *hooks)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	int r;

	if (!reload)
		return -ENOMEM;
	reload->daemon = daemon;
	reload->hooks = *hooks;
	reload->loading.config = daemon->config;
	r = runtime_new(&reload->runtime);
	if (r >= 0)
		r = open_etab(reload);
	if (r < 0) {
		reload_free(reload);
		return r;
	}
	*ret_reload = reload;
	return 0;
}

struct reload *reload_free(struct reload *reload)
{
	if (!reload)
		return NULL;
	stop(reload);
	sd_event_source_disable_unref(reload->renew);
	etab_watch_free(reload->etab_watch);
	while (reload->jobs) {
		struct job *job = reload->jobs;

		LL_DELETE(reload->jobs, job);
		job_free(job);
	}
	facts_clear(&reload->known_hosts);
	facts_clear(&reload->known_real_paths);
	runtime_free(reload->runtime);
	free(reload->said);
	suspects_free(reload->suspects);
	free(reload);
	return NULL;
}

bool reload_reserves(const struct reload *reload, uint32_t number)
{
	return reload->reexport && reexport_reserves(reload->reexport, number);
}
