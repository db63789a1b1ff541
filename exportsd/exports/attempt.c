/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * attempt.c - one change, in these steps:
 *
 *	step       runs in   does
 *	begin      loop      tells those above that other exports are about to be looked at
 *	read       thread    the files, and whatever else the change is made of (loading.h)
 *	ask        loop      realpath(3) of every plain path and the addresses of every host name, both
 *	                     at once, of other processes; not if files have faults
 *	number     loop      the number store, for exports with reexport=
 *	owners     loop      whose are the numbers in the files: a slice a turn
 *	build      thread    the snapshot, compared with the one in force
 *	check      loop      begins anew if a medium has got one of the files' numbers meanwhile
 *	force      loop      the snapshot is in force: those above go by it from now on
 *	tell       thread    what of the kernel's entries is no longer true; the loop has it forgotten
 *	                     (renew.h)
 *	prepare    loop      what is to be written
 *	record     thread    etab, and what commands changed (recording.h)
 *	end        loop      says what could not be written
 *
 * Up to "force" any fault ends the attempt, and the exports stay as they are; from then on the
 * attempt has succeeded. With 100,000 lines no step holds up the loop. Answers about hosts are kept
 * until the next ones.
 */

#include "exportsd/exports/attempt.h"

#include <errno.h>
#include <time.h>

#include "exportsd/base/background.h"
#include "exportsd/base/log.h"
#include "exportsd/exports/loading.h"
#include "exportsd/exports/recording.h"
#include "exportsd/exports/reexport.h"
#include "exportsd/exports/renew.h"
#include "exportsd/kernel/tls.h"

enum { NUMBERS_A_TURN = 1000 };

/* What a step comes to, besides 0 (go on with the next one) and -errno (the attempt has failed). */
enum verdict {
	STEP_WAITS = 1, /* step_over() follows */
	STEP_AGAIN, /* the same one, in the next turn */
	STEP_ANEW, /* all of them, from the first one on */
	STEP_REFUSED, /* the files have faults, which are told */
};

struct step {
	const char *name;
	int (*in_loop)(struct attempt *attempt);
	void (*in_thread)(struct attempt *attempt);
};

struct attempt {
	struct daemon *daemon;
	const struct reload_hooks *hooks;
	struct runtime *runtime;
	attempt_done_fn done;
	void *userdata;

	/* What lasts. */
	uint64_t applied_usec;
	struct exports_fact *known_hosts; /* of the snapshot in force */
	struct exports_fact *known_real_paths;
	bool paths_unknown; /* nobody could look at some path */
	bool was_record_failure_said; /* and it fails still */
	bool is_etab_written; /* by us, of the snapshot in force */
	uint32_t etab_per_flavor; /* with these flags printed for each flavour */

	/* The one under way. */
	const struct step *step; /* NULL: none is */
	struct later turn;
	struct pending *pending; /* a thread, or whoever was asked */
	struct pending *hosts; /* asked beside the paths */
	struct loading loading; /* the thread's while one runs */
	struct recording recording; /* likewise */
	struct snapshot *old; /* no longer in force, and the kernel not told */
	const char **host_names; /* as asked */
	size_t n_owners_known; /* numbers of the loading whose owners were looked up */
	size_t n_given; /* numbers given when that began */
	bool is_in_force;
	bool reserves; /* the loading's numbers are nobody else's */
};

static void step_over(struct attempt *attempt, int r);

/* ---- begin, read ---- */

static int begin(struct attempt *attempt)
{
	const struct exports_change *change = attempt->loading.change;

	loading_clear(&attempt->loading);
	attempt->loading.change = change;
	attempt->loading.runtime = attempt->runtime;
	attempt->loading.in_force = attempt->daemon->snapshot;
	attempt->n_owners_known = 0;
	attempt->reserves = false;
	attempt->hooks->begin(attempt->hooks->userdata);
	return 0;
}

static void read_files(struct attempt *attempt)
{
	loading_read(&attempt->loading);
}

/* ---- ask ---- */

/*
 * Nobody could look: a dead disk or server does not make another path of it, which would withdraw
 * the one that clients use. Asked again soon (attempt_ages()).
 */
static const char *known_real_path(struct attempt *attempt, const char *path)
{
	const struct exports_fact *known = facts_find(attempt->known_real_paths, path);

	attempt->loading.paths_unknown = true;
	return known ? known->answer : NULL;
}

/* Paths and hosts are asked at once: whichever comes last ends the step. */
static void asked(struct attempt *attempt)
{
	if (!attempt->pending && !attempt->hosts)
		step_over(attempt, 0);
}

static void on_real_paths(void *userdata, const char *const *real, size_t n_paths)
{
	struct attempt *attempt = userdata;
	struct loading *loading = &attempt->loading;

	attempt->pending = NULL;
	for (size_t i = 0; i < n_paths; i++) {
		struct exports_fact *fact;

		const char *answer = real[i];

		if (answer == paths_unknown)
			answer = known_real_path(attempt, loading->paths[i]);
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
	asked(attempt);
}

static void on_hosts(void *userdata, const struct names_host *hosts, size_t n_hosts)
{
	struct attempt *attempt = userdata;
	size_t i = 0;

	attempt->hosts = NULL;
	for (struct exports_fact *fact = attempt->loading.hosts; fact; fact = fact->hh.next, i++) {
		const struct names_host *host = i < n_hosts ? &hosts[i] : NULL;
		const struct exports_fact *known;

		if (host && !host->error) {
			fact_set(fact, host->addresses, host->n_addresses, host->canonical);
			continue;
		}
		fact->is_old = true;
		known = facts_find(attempt->known_hosts, fact->text);
		if (known)
			fact_set(fact, known->addresses, known->n_addresses, known->answer);
	}
	asked(attempt);
}

static int ask_hosts(struct attempt *attempt)
{
	size_t n_hosts = HASH_COUNT(attempt->loading.hosts), i = 0;

	if (!n_hosts)
		return 0;
	free(attempt->host_names); /* of the same reload, begun anew */
	attempt->host_names = calloc(n_hosts, sizeof(*attempt->host_names));
	if (!attempt->host_names)
		return -ENOMEM;
	for (struct exports_fact *fact = attempt->loading.hosts; fact; fact = fact->hh.next)
		attempt->host_names[i++] = fact->text;
	return names_of_hosts(attempt->daemon->names, attempt->host_names, n_hosts, on_hosts,
			      attempt, &attempt->hosts);
}

static bool has_refused_faults(const struct attempt *attempt)
{
	return attempt->loading.diags.n_errors && !change_takes_faults(attempt->loading.change);
}

static int ask(struct attempt *attempt)
{
	struct loading *loading = &attempt->loading;
	int r = loading->error;

	if (r == 0 && has_refused_faults(attempt))
		return STEP_REFUSED;
	if (r == 0)
		r = ask_hosts(attempt);
	if (r == 0 && loading->n_paths)
		r = paths_real(attempt->daemon->paths, loading->paths, loading->n_paths,
			       loading->seen, on_real_paths, attempt, &attempt->pending);
	return r < 0 || (!attempt->pending && !attempt->hosts) ? r : STEP_WAITS;
}

/* ---- number, owners ---- */

static void on_numbered(void *userdata, int error)
{
	struct attempt *attempt = userdata;

	attempt->pending = NULL;
	step_over(attempt, error);
}

static int number(struct attempt *attempt)
{
	int r;

	attempt->reserves = true;
	r = reexport_start(&attempt->pending, attempt->daemon->numbers, &attempt->loading,
			   on_numbered, attempt);

	if (r == REEXPORT_NOTHING)
		return 0;
	return r < 0 ? r : STEP_WAITS;
}

static int owners(struct attempt *attempt)
{
	struct loading *loading = &attempt->loading;
	const struct numbers *numbers = attempt->daemon->numbers;
	int r = 0;

	if (attempt->n_owners_known == 0)
		attempt->n_given = numbers_count(numbers);
	for (size_t n = 0; r == 0 && n < NUMBERS_A_TURN; n++) {
		uint32_t number;
		const char *path;

		if (attempt->n_owners_known == loading->n_numbers)
			return 0;
		number = loading->numbers[attempt->n_owners_known++];
		path = numbers_path(numbers, number);
		if (path)
			r = loading_add_owner(loading, number, path);
	}
	return r < 0 ? r : STEP_AGAIN;
}

/* ---- build, check ---- */

static void build(struct attempt *attempt)
{
	loading_build(&attempt->loading);
}

static bool owners_changed(struct attempt *attempt)
{
	struct loading *loading = &attempt->loading;
	const struct numbers *numbers = attempt->daemon->numbers;

	if (numbers_count(numbers) == attempt->n_given)
		return false;
	for (size_t i = 0; i < loading->n_numbers; i++)
		if (!loading_owner(loading, loading->numbers[i]) &&
		    numbers_path(numbers, loading->numbers[i]))
			return true;
	return false;
}

static int check(struct attempt *attempt)
{
	struct loading *loading = &attempt->loading;
	struct kernel *kernel = attempt->daemon->kernel;

	if (loading->error < 0)
		return loading->error;
	if (loading->wants_tls && kernel && !kernel_knows_tls(kernel))
		tls_advise(loading->snapshot, &loading->diags);
	if (owners_changed(attempt))
		return STEP_ANEW;
	return has_refused_faults(attempt) ? STEP_REFUSED : 0;
}

/* ---- force, tell ---- */

static int force(struct attempt *attempt)
{
	struct daemon *daemon = attempt->daemon;
	struct timespec now;
	int r = media_set_snapshot(daemon->media, attempt->loading.snapshot);

	if (r < 0)
		return r;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	attempt->applied_usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	attempt->is_in_force = true;
	attempt->reserves = false;
	attempt->old = daemon->snapshot;
	daemon->snapshot = TAKE_PTR(attempt->loading.snapshot);
	attempt->hooks->in_force(attempt->hooks->userdata);
	facts_clear(&attempt->known_hosts);
	attempt->known_hosts = TAKE_PTR(attempt->loading.hosts);
	facts_clear(&attempt->known_real_paths);
	attempt->known_real_paths = TAKE_PTR(attempt->loading.real_paths);
	attempt->paths_unknown = attempt->loading.paths_unknown;
	return 0;
}

static void on_told(void *userdata)
{
	struct attempt *attempt = userdata;

	attempt->pending = NULL;
	step_over(attempt, 0);
}

/* Without an old snapshot, what the kernel was told comes from an earlier process. */
static int tell(struct attempt *attempt)
{
	struct daemon *daemon = attempt->daemon;
	int r = 0;

	if (attempt->old && daemon->kernel &&
	    renew_start(&attempt->pending, daemon->event, daemon->kernel, daemon->paths,
			daemon->media, attempt->old, daemon->snapshot, on_told, attempt) == 0) {
		attempt->old = NULL;
		return STEP_WAITS;
	}
	if (attempt->loading.changed && daemon->kernel)
		r = kernel_flush(daemon->kernel);
	if (r < 0) {
		errno = -r;
		log_warning(NULL, "Cannot make the kernel forget the old exports: %m");
	}
	attempt->old = snapshot_free(attempt->old);
	return 0;
}

/* ---- record, end ---- */

static int prepare_record(struct attempt *attempt)
{
	const struct daemon *daemon = attempt->daemon;
	const struct exports_change_work *work = &attempt->loading.work;
	uint32_t per_flavor =
		daemon->kernel ? kernel_per_flavor_flags(daemon->kernel) : EXPORT_PER_FLAVOR;

	attempt->recording = (struct recording){
		.config = daemon->config,
		.kind = attempt->loading.change->kind,
		.per_flavor = per_flavor,
		.runtime = attempt->runtime,
		.now = daemon->snapshot,
		.has_etab = work->has_read_etab,
		.etab = work->etab,
		.is_etab_written = attempt->is_etab_written && !attempt->loading.changed_etab &&
				   per_flavor == attempt->etab_per_flavor,
	};
	attempt->is_etab_written = false;
	return 0;
}

/* Without a directory for it there is no etab: in tests. */
static void record(struct attempt *attempt)
{
	if (attempt->daemon->config->nfs_state_directory)
		recording_run(&attempt->recording);
}

static void tell_record(struct attempt *attempt, const char *file, const char *what_follows,
			int error)
{
	const struct position nowhere = { .file = "" };

	if (error == 0)
		return;
	diag_add(&attempt->loading.diags, DIAG_MISTAKE, &nowhere, "cannot write %s: %s", file,
		 strerror(-error));
	if (!attempt->was_record_failure_said)
		log_warning(NULL, "Cannot write %s, %s, trying again: %s", file, what_follows,
			    strerror(-error));
}

/* What failed is tried again (attempt_ages()). */
static void note_record(struct attempt *attempt, bool has_failed)
{
	if (attempt->was_record_failure_said && !has_failed)
		log_notice(NULL, "etab and run-time-exports are written again");
	attempt->was_record_failure_said = has_failed;
}

static int end(struct attempt *attempt)
{
	const struct recording *recording = &attempt->recording;

	attempt->is_etab_written = attempt->daemon->config->nfs_state_directory &&
				   recording->etab_error == 0 && !recording->has_etab;
	attempt->etab_per_flavor = recording->per_flavor;
	tell_record(attempt, "etab", "other tools see old exports", recording->etab_error);
	tell_record(attempt, "run-time-exports",
		    "what commands changed is lost if exportsd ends now", recording->runtime_error);
	note_record(attempt, recording->etab_error < 0 || recording->runtime_error < 0);
	return 0;
}

/* ---- one step after another ---- */

static const struct step steps[] = {
	{ "begin", .in_loop = begin },
	{ "read", .in_thread = read_files },
	{ "ask", .in_loop = ask },
	{ "number", .in_loop = number },
	{ "owners", .in_loop = owners },
	{ "build", .in_thread = build },
	{ "check", .in_loop = check },
	{ "force", .in_loop = force },
	{ "tell", .in_loop = tell },
	{ "prepare", .in_loop = prepare_record },
	{ "record", .in_thread = record },
	{ "end", .in_loop = end },
	{ .name = NULL },
};

static void finish(struct attempt *attempt)
{
	struct diags diags = attempt->loading.diags;
	struct attempt_result result = {
		.diags = &diags,
		.said = TAKE_PTR(attempt->loading.work.said),
		.suspects = TAKE_PTR(attempt->loading.suspects),
		.applied = attempt->is_in_force,
		.changed = attempt->is_in_force && attempt->loading.changed,
	};

	attempt->loading.diags = (struct diags){ 0 };
	attempt_stop(attempt);
	attempt->done(attempt->userdata, &result);
	free(result.said);
	suspects_free(result.suspects);
	diags_done(&diags);
}

/* What fails once the exports are in force is only that no file says so. */
static void fail(struct attempt *attempt, int error)
{
	if (attempt->is_in_force) {
		attempt->recording.etab_error = error;
		(void)end(attempt);
	} else {
		errno = -error;
		log_error(NULL, "Cannot take up the exports: %m; keeping the previous ones");
	}
	finish(attempt);
}

static void on_thread_over(void *userdata)
{
	struct attempt *attempt = userdata;

	attempt->pending = NULL;
	step_over(attempt, 0);
}

static void in_thread(void *userdata)
{
	struct attempt *attempt = userdata;

	attempt->step->in_thread(attempt);
}

static int take_step(struct attempt *attempt)
{
	int r;

	log_debug(NULL, "Exports: %s", attempt->step->name);
	if (attempt->step->in_loop)
		return attempt->step->in_loop(attempt);
	r = background_start(&attempt->pending, attempt->daemon->event, in_thread, on_thread_over,
			     attempt);
	return r < 0 ? r : STEP_WAITS;
}

static void go_on(void *userdata)
{
	struct attempt *attempt = userdata;
	int r = 0;

	while (r == 0 && attempt->step->name) {
		r = take_step(attempt);
		if (r == 0)
			attempt->step++;
	}
	if (r == STEP_ANEW)
		attempt->step = steps;
	if (r == STEP_ANEW || r == STEP_AGAIN)
		later_call(&attempt->turn, attempt->daemon->event, go_on, attempt);
	else if (r < 0)
		fail(attempt, r);
	else if (r != STEP_WAITS)
		finish(attempt);
}

static void step_over(struct attempt *attempt, int r)
{
	if (r < 0) {
		fail(attempt, r);
		return;
	}
	attempt->step++;
	go_on(attempt);
}

void attempt_start(struct attempt *attempt, const struct exports_change *change)
{
	attempt->loading.change = change;
	attempt->step = steps;
	later_call(&attempt->turn, attempt->daemon->event, go_on, attempt);
}

void attempt_stop(struct attempt *attempt)
{
	later_cancel(&attempt->turn);
	pending_cancel(&attempt->pending);
	pending_cancel(&attempt->hosts);
	free(TAKE_PTR(attempt->host_names));
	attempt->old = snapshot_free(attempt->old);
	loading_clear(&attempt->loading);
	attempt->step = NULL;
	attempt->is_in_force = attempt->reserves = false;
}

/* ---- what others ask ---- */

bool attempt_has_begun(const struct attempt *attempt)
{
	return attempt->step && attempt->step > steps;
}

bool attempt_is_in_thread(const struct attempt *attempt)
{
	return attempt->pending && attempt->step->in_thread;
}

bool attempt_can_stop(const struct attempt *attempt)
{
	return !attempt_is_in_thread(attempt) && !attempt->is_in_force;
}

bool attempt_ages(const struct attempt *attempt, uint64_t *ret_seconds)
{
	const struct config *config = attempt->daemon->config;
	bool is_soon = attempt->paths_unknown || attempt->was_record_failure_said;

	for (const struct exports_fact *fact = attempt->known_hosts; fact; fact = fact->hh.next)
		is_soon |= !fact->n_addresses || fact->is_old;
	*ret_seconds = is_soon ? config->name_timeout_seconds : config->name_age_seconds;
	return is_soon || attempt->known_hosts;
}

bool attempt_reserves(const struct attempt *attempt, uint32_t wanted)
{
	const struct loading *loading = &attempt->loading;

	if (!attempt->reserves)
		return false;
	for (size_t i = 0; i < loading->n_numbers; i++)
		if (loading->numbers[i] == wanted)
			return true;
	return false;
}

uint64_t attempt_applied_usec(const struct attempt *attempt)
{
	return attempt->applied_usec;
}

/* ---- start and end ---- */

int attempt_new(struct attempt **ret_attempt, struct daemon *daemon,
		const struct reload_hooks *hooks, struct runtime *runtime, attempt_done_fn done,
		void *userdata)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));

	if (!attempt)
		return -ENOMEM;
	*attempt = (struct attempt){
		.daemon = daemon,
		.hooks = hooks,
		.runtime = runtime,
		.done = done,
		.userdata = userdata,
		.loading.config = daemon->config,
	};
	*ret_attempt = attempt;
	return 0;
}

struct attempt *attempt_free(struct attempt *attempt)
{
	if (!attempt)
		return NULL;
	attempt_stop(attempt);
	facts_clear(&attempt->known_hosts);
	facts_clear(&attempt->known_real_paths);
	free(attempt);
	return NULL;
}
