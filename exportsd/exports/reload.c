/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * reload.c - changes wait in a line, the first one is under way (attempt.h). Reloads of the files
 * that have not begun are one. Beside the line: host names grow old, and other programs write etab.
 */

#include "exportsd/exports/reload.h"

#include <errno.h>
#include <sys/inotify.h>
#include <utlist.h>

#include "exportsd/base/log.h"
#include "exportsd/exports/attempt.h"
#include "exportsd/exports/etab_file.h"
#include "exportsd/exports/recording.h"

struct waiter {
	reload_done_fn done;
	void *userdata;
	struct waiter *next;
};

struct job {
	struct exports_change *change;
	struct waiter *waiters;
	struct job *next;
};

struct reload {
	struct daemon *daemon;
	struct reload_hooks hooks;
	struct attempt *attempt;
	struct job *jobs; /* the first one is under way */
	struct waiter *being_told;
	char *said;
	struct suspects *suspects;
	size_t n_errors;
	struct runtime *runtime;
	sd_event_source *etab_watch;
	bool is_etab_touched; /* by whom is not known yet */
	struct later again; /* what is in force is looked at once more */
};

/* ---- who waits ---- */

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

static bool is_waiting(struct waiter *waiters, reload_done_fn done, const void *userdata)
{
	struct waiter *waiter;

	LL_FOREACH (waiters, waiter)
		if (waiter->done == done && waiter->userdata == userdata)
			return true;
	return false;
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

/* ---- the line of changes ---- */

/* The first job in the line begins. */
static void start(struct reload *reload)
{
	const struct exports_change *change = reload->jobs->change;

	if (change->kind != CHANGE_NAMES)
		names_forget(reload->daemon->names);
	attempt_start(reload->attempt, change);
}

/* The job that would do this one's work, too. */
static struct job *find_job(struct reload *reload, const struct exports_change *change)
{
	struct job *job;

	if (change->kind != CHANGE_FILES && change->kind != CHANGE_START &&
	    change->kind != CHANGE_ETAB)
		return NULL;
	LL_FOREACH (reload->jobs, job)
		if (job->change->kind == change->kind &&
		    (job != reload->jobs || !attempt_has_begun(reload->attempt)) &&
		    /* What is done in between counts. */
		    (change->kind == CHANGE_ETAB || !job->next))
			return job;
	return NULL;
}

/*
 * Looking host names up again gives way, but for a thread's work, which would hold up the loop to
 * its end, and what is half told.
 */
static void give_way(struct reload *reload)
{
	struct job *job = reload->jobs;

	if (!job || job->change->kind != CHANGE_NAMES || !attempt_can_stop(reload->attempt))
		return;
	attempt_stop(reload->attempt);
	LL_DELETE(reload->jobs, job);
	job_free(job);
}

static int add_job(struct reload *reload, struct exports_change *change, struct job **ret_job)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->change = change;
	give_way(reload);
	LL_APPEND(reload->jobs, job);
	if (job == reload->jobs)
		start(reload);
	*ret_job = job;
	return 0;
}

/* @change: taken; it is the same one, whose reading has not begun. */
static void join(struct exports_change *into, struct exports_change *change)
{
	into->is_verbose |= change->is_verbose;
	change_free(change);
}

int reload_change(struct reload *reload, struct exports_change *change, reload_done_fn done,
		  void *userdata)
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
	struct exports_change *change;
	int r = change_new(&change, accept_faults ? CHANGE_START : CHANGE_FILES);

	return r < 0 ? r : reload_change(reload, change, done, userdata);
}

/* ---- once more ---- */

static void look_again(struct reload *reload);

static void on_again(void *userdata)
{
	struct reload *reload = userdata;
	struct exports_change *change;

	if (reload->jobs)
		return;
	if (change_new(&change, CHANGE_NAMES) < 0 || reload_change(reload, change, NULL, NULL) < 0)
		look_again(reload);
}

/* What did not resolve is asked about again soon: at boot the name service may come after us. */
static void look_again(struct reload *reload)
{
	uint64_t seconds;

	later_cancel(&reload->again);
	if (attempt_ages(reload->attempt, &seconds) &&
	    later_call_in(&reload->again, reload->daemon->event, seconds * UINT64_C(1000000),
			  on_again, reload) < 0)
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
	struct exports_change *change;

	if (!reload->is_etab_touched || attempt_is_in_thread(reload->attempt))
		return;
	reload->is_etab_touched = false;
	if (etab_file_version(reload->daemon->config->nfs_state_directory, &version) < 0 ||
	    runtime_knows_etab(reload->runtime, &version))
		return;
	if (change_new(&change, CHANGE_ETAB) < 0 ||
	    reload_change(reload, change, on_etab_taken_in, reload) < 0)
		log_error(NULL, "No memory to take in what another program wrote into etab");
}

/* Of the directory: etab itself is replaced by another file each time. */
static int on_etab(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct reload *reload = userdata;

	if (event->mask & IN_Q_OVERFLOW || (event->len && str_equal(event->name, ETAB_NAME))) {
		reload->is_etab_touched = true;
		look_at_etab(reload);
	}
	return 0;
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
	r = sd_event_add_inotify(reload->daemon->event, &reload->etab_watch, directory,
				 IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR, on_etab, reload);
	if (r < 0 && r != -ENOMEM) {
		log_warning(NULL,
			    "Cannot watch %s, what other tools write into etab is not seen: %s",
			    directory, strerror(-r));
		return 0;
	}
	return r;
}

/* ---- the end of an attempt ---- */

static void on_attempt_over(void *userdata, struct attempt_result *result)
{
	struct reload *reload = userdata;
	struct job *job = reload->jobs;
	struct waiter *waiters = TAKE_PTR(job->waiters);

	free(reload->said);
	reload->said = TAKE_PTR(result->said);
	suspects_free(reload->suspects);
	reload->suspects = TAKE_PTR(result->suspects);
	if (job->change->kind == CHANGE_START || job->change->kind == CHANGE_FILES ||
	    job->change->kind == CHANGE_FILES_TOO)
		reload->n_errors = result->diags->n_errors;
	LL_DELETE(reload->jobs, job);
	job_free(job);
	if (result->applied || !later_is_pending(&reload->again))
		look_again(reload);
	if (reload->jobs)
		start(reload);
	look_at_etab(reload);
	tell(reload, waiters, result->diags, result->applied, result->changed);
}

const char *reload_said(const struct reload *reload)
{
	return reload->said ?: "";
}

const struct suspects *reload_suspects(const struct reload *reload)
{
	return reload->suspects;
}

size_t reload_n_errors(const struct reload *reload)
{
	return reload->n_errors;
}

uint64_t reload_applied_usec(const struct reload *reload)
{
	return attempt_applied_usec(reload->attempt);
}

bool reload_reserves(const struct reload *reload, uint32_t number)
{
	return attempt_reserves(reload->attempt, number);
}

/* ---- start and end ---- */

int reload_new(struct reload **ret_reload, struct daemon *daemon, const struct reload_hooks *hooks)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	int r;

	if (!reload)
		return -ENOMEM;
	reload->daemon = daemon;
	reload->hooks = *hooks;
	r = runtime_new(&reload->runtime);
	if (r >= 0)
		r = attempt_new(&reload->attempt, daemon, &reload->hooks, reload->runtime,
				on_attempt_over, reload);
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
	attempt_free(reload->attempt);
	later_cancel(&reload->again);
	sd_event_source_disable_unref(reload->etab_watch);
	while (reload->jobs) {
		struct job *job = reload->jobs;

		LL_DELETE(reload->jobs, job);
		job_free(job);
	}
	runtime_free(reload->runtime);
	free(reload->said);
	suspects_free(reload->suspects);
	free(reload);
	return NULL;
}
