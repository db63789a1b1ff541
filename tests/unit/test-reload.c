/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reloads with real files, and everything they ask and tell replaced: names and paths answer when the
 * test says so, the kernel counts flushes, media and questions are told and nothing else.
 */

#include <errno.h>
#include <sys/stat.h>

#include "exportsd/base/background.h"
#include "exportsd/exports/reload.h"
#include "exportsd/exports/renew.h"
#include "exportsd/mountd/mountd.h"
#include "exportsd/questions/questions.h"
#include "tests/fake/facts.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

static struct daemon server;

#include "tests/fake/one-number.h"
static struct config config;
static char directory[] = "/tmp/test-reload-XXXXXX";
static char file[64];

/* ---- what is told ---- */

static struct {
	unsigned int flushes, begun_anew, taken_up;
	int refuses;
} told;

int kernel_flush(struct kernel *kernel)
{
	told.flushes++;
	return 0;
}

bool kernel_knows_tls(struct kernel *kernel)
{
	return false;
}

uint32_t kernel_per_flavor_flags(const struct kernel *kernel)
{
	return EXPORT_PER_FLAVOR;
}

static void on_load(void *userdata)
{
}

static void on_other_exports(void *userdata)
{
	told.begun_anew++;
}

int media_set_snapshot(struct media *media, const struct snapshot *snapshot)
{
	told.taken_up++;
	return told.refuses;
}

uint32_t numbers_get(const struct numbers *numbers, const char *path)
{
	if (str_equal(path, "/known"))
		return 80000;
	return store.path && str_equal(path, store.path) && store.is_known ? 80001 : 0;
}

static bool is_given = true;

const char *numbers_path(const struct numbers *numbers, uint32_t number)
{
	return is_given && number == 70001 ? "/mnt/cdrom/rom1" : NULL;
}

static size_t n_given;

size_t numbers_count(const struct numbers *numbers)
{
	return n_given;
}

/* ---- the thread: its work is done at once, and is over in the next turn ---- */

struct background {
	struct pending pending;
	background_fn done;
	void *userdata;
	struct later over;
};

static void abandon(struct pending *pending)
{
	struct background *background = (struct background *)pending;

	later_cancel(&background->over);
	free(background);
}

static void end_work(void *userdata)
{
	struct background copy = *(struct background *)userdata;

	abandon(userdata);
	copy.done(copy.userdata);
}

int background_start(struct pending **ret_pending, sd_event *event, background_fn work,
		     background_fn done, void *userdata)
{
	struct background *background = calloc(1, sizeof(*background));

	*background = (struct background){ { abandon }, .done = done, .userdata = userdata };
	later_call(&background->over, event, end_work, background);
	work(userdata);
	*ret_pending = &background->pending;
	return 0;
}

/* ---- telling the kernel: counted as a flush, if there is something to tell ---- */

struct renew {
	struct pending pending;
	struct snapshot *old;
	renew_done_fn done;
	void *userdata;
	struct later told;
};

static void stop_telling(struct pending *pending)
{
	struct renew *renew = (struct renew *)pending;

	later_cancel(&renew->told);
	snapshot_free(renew->old);
	free(renew);
}

static void end_telling(void *userdata)
{
	struct renew *renew = userdata;
	renew_done_fn done = renew->done;
	void *whose = renew->userdata;

	stop_telling(&renew->pending);
	done(whose);
}

int renew_start(struct pending **ret_pending, sd_event *event, struct kernel *kernel,
		struct paths *paths, struct media *media, struct snapshot *old,
		const struct snapshot *new, renew_done_fn done, void *userdata)
{
	struct renew *renew = calloc(1, sizeof(*renew));

	told.flushes += snapshot_changes(old, new) != 0;
	*renew = (struct renew){ { stop_telling }, .old = old, .done = done, .userdata = userdata };
	later_call(&renew->told, event, end_telling, renew);
	*ret_pending = &renew->pending;
	return 0;
}

/* ---- names and paths: one question each at a time ---- */

static struct {
	const char *address; /* NULL: it does not resolve */
	int error;
	bool is_held; /* no answer until answer_names() */
	unsigned int asked, forgotten;
} name_service;

struct names_question {
	struct pending pending;
	names_hosts_fn done;
	void *userdata;
	struct names_host *hosts;
	size_t n_hosts;
	struct address address;
	sd_event_source *source;
};
static struct names_question *held;

static void cancel_names(struct pending *pending)
{
	struct names_question *question = (struct names_question *)pending;

	if (question == held)
		held = NULL;
	sd_event_source_disable_unref(question->source);
	free(question->hosts);
	free(question);
}

static int answer_hosts(sd_event_source *source, void *userdata)
{
	struct names_question *question = userdata, copy;

	if (name_service.address)
		question->address = facts_address(name_service.address);
	for (size_t i = 0; i < question->n_hosts; i++) {
		question->hosts[i].error = name_service.error;
		question->hosts[i].addresses = &question->address;
		question->hosts[i].n_addresses = name_service.address && !name_service.error;
	}
	copy = *question;
	copy.done(copy.userdata, copy.hosts, copy.n_hosts);
	cancel_names(&question->pending);
	return 0;
}

int names_of_hosts(struct names *names, const char *const *host_names, size_t n_hosts,
		   names_hosts_fn done, void *userdata, struct pending **ret_question)
{
	struct names_question *question = calloc(1, sizeof(*question));

	name_service.asked++;
	*question = (struct names_question){
		{ cancel_names }, .done = done, .userdata = userdata, .n_hosts = n_hosts
	};
	question->hosts = calloc(n_hosts, sizeof(*question->hosts));
	for (size_t i = 0; i < n_hosts; i++)
		question->hosts[i].name = host_names[i];
	if (name_service.is_held)
		held = question;
	else
		sd_event_add_defer(server.event, &question->source, answer_hosts, question);
	*ret_question = &question->pending;
	return 0;
}

/* For clients.c, of which only address_parse() is used. */
int names_of_address(struct names *names, const struct address *address,
		     const char *const *netgroups, size_t n_netgroups, names_address_fn done,
		     void *userdata, struct pending **ret_question)
{
	return -ENOSYS;
}

void names_forget(struct names *names)
{
	name_service.forgotten++;
}

/* What realpath(3) says: NULL: nothing of the kind, or paths_unknown. */
static const char *real_path_said;
const char paths_unknown[] = "";

struct paths_question {
	struct pending pending;
	paths_real_fn done;
	void *userdata;
	size_t n_paths;
	sd_event_source *source;
};

static void cancel_paths(struct pending *pending)
{
	struct paths_question *question = (struct paths_question *)pending;

	sd_event_source_disable_unref(question->source);
	free(question);
}

static int answer_paths(sd_event_source *source, void *userdata)
{
	struct paths_question *question = userdata;
	CLEANUP(freep) const char **real = calloc(question->n_paths, sizeof(*real));

	for (size_t i = 0; i < question->n_paths; i++)
		real[i] = real_path_said;
	question->done(question->userdata, real, question->n_paths);
	cancel_paths(&question->pending);
	return 0;
}

int paths_real(struct paths *paths, const char *const *wanted, size_t n_paths,
	       struct snapshot_seen *ret_seen, paths_real_fn done, void *userdata,
	       struct pending **ret_question)
{
	struct paths_question *question = calloc(1, sizeof(*question));

	*question = (struct paths_question){
		{ cancel_paths }, .done = done, .userdata = userdata, .n_paths = n_paths
	};
	sd_event_add_defer(server.event, &question->source, answer_paths, question);
	*ret_question = &question->pending;
	return 0;
}

/* ---- the test's side ---- */

static void write_exports(const char *text)
{
	FILE *to = fopen(file, "w");

	fputs(text, to);
	fclose(to);
}

static void turn(void)
{
	/* Where names have no age they are looked up again in each turn. */
	for (int i = 0; i < 60 && sd_event_run(server.event, 0) > 0; i++)
		;
}

static void answer_names(void)
{
	name_service.is_held = false;
	if (held)
		answer_hosts(NULL, held);
	turn();
}

struct caller {
	unsigned int n_told;
	bool applied, changed;
	size_t n_errors;
	char first[256];
};

static void on_done(void *userdata, const struct diags *diags, bool applied, bool changed)
{
	struct caller *caller = userdata;

	caller->n_told++;
	caller->applied = applied;
	caller->changed = changed;
	caller->n_errors = diags->n_errors;
	snprintf(caller->first, sizeof(caller->first), "%s",
		 diags->n_items ? diags->items[0].text : "");
}

static struct caller start_reload(bool accept_faults)
{
	struct caller caller = { 0 };

	reload_start(server.reload, accept_faults, on_done, &caller);
	turn();
	reload_forget(server.reload, &caller);
	return caller;
}

static void domain_is(const char *address, const char *wanted, const char *what)
{
	struct address from = facts_address(address);
	CLEANUP(freep) char *domain = NULL;

	(void)snapshot_domain(server.snapshot, &from, NULL, &domain);
	is_str(domain, wanted, what);
}

static const char *first_path(void)
{
	return snapshot_n_exports(server.snapshot) ? snapshot_export(server.snapshot, 0)->path
						   : NULL;
}

static void begin(const char *text)
{
	memset(&told, 0, sizeof(told));
	memset(&name_service, 0, sizeof(name_service));
	config.name_age_seconds = 600;
	config.name_timeout_seconds = 10;
	write_exports(text);
	reload_new(&server.reload, &server,
		   &(struct reload_hooks){ .begin = on_load, .in_force = on_other_exports });
}

static void end(void)
{
	server.reload = reload_free(server.reload);
	server.snapshot = snapshot_free(server.snapshot);
}

/* ---- tests ---- */

static void all_or_nothing(void)
{
	struct caller caller;

	begin("/a *(ro)\n/b *(nonsense)\n");
	caller = start_reload(true);
	ok(caller.applied && caller.n_errors == 1, "at the start what has no faults is in force");
	is_str(first_path(), "/a", "that is one export");
	is_int((long long)reload_n_errors(server.reload), 1, "the fault is counted");
	ok(reload_applied_usec(server.reload) > 0, "and the time kept");
	write_exports("/c *(ro)\n/b *(nonsense)\n");
	caller = start_reload(false);
	ok(!caller.applied && caller.n_told == 1, "later a file with faults changes nothing");
	is_str(first_path(), "/a", "what was in force is");
	is_int(told.flushes, 1, "and the kernel is not told");
	write_exports("/a *(ro)\n");
	caller = start_reload(false);
	ok(caller.applied && !caller.changed, "the same exports as before");
	is_int(told.flushes, 1, "are no news to the kernel");
	write_exports("/d *(ro)\n");
	caller = start_reload(false);
	ok(caller.applied && caller.changed, "others are");
	is_int(told.flushes, 2, "and it is flushed");
	told.refuses = -ENOMEM;
	write_exports("/e *(ro)\n");
	caller = start_reload(false);
	ok(!caller.applied, "where media cannot take them up");
	is_str(first_path(), "/d", "they are not in force");
	is_int(told.begun_anew, 3, "questions begin anew with each that came into force");
	end();
}

static void many_at_once(void)
{
	struct caller first = { 0 }, second = { 0 }, third = { 0 };

	begin("/a host(ro)\n");
	name_service.is_held = true;
	reload_start(server.reload, true, on_done, &first);
	turn();
	write_exports("/b host(ro)\n");
	for (int i = 0; i < 1000; i++) {
		reload_start(server.reload, false, on_done, &second);
		turn();
	}
	reload_start(server.reload, false, on_done, &third);
	turn();
	is_int(name_service.asked, 1, "a reload that waits for names is not begun anew");
	answer_names();
	is_int(first.n_told, 1, "it ends");
	ok(first.applied, "with its files in force");
	is_int(second.n_told, 1, "who asked a thousand times is told once");
	is_int(third.n_told, 1, "and others once each");
	is_str(first_path(), "/b", "by then of the files as they are now");
	is_int(name_service.asked, 2, "which took one more reload");
	reload_start(server.reload, false, on_done, &first);
	reload_start(server.reload, false, on_done, &second);
	turn();
	is_int(name_service.asked, 3, "before the files are read two share one");
	is_int((int)first.n_told + (int)second.n_told, 4, "and both are told");
	name_service.is_held = true;
	reload_start(server.reload, false, on_done, &first);
	turn();
	reload_start(server.reload, false, on_done, &second);
	reload_forget(server.reload, &first);
	reload_forget(server.reload, &second);
	answer_names();
	is_int((int)first.n_told + (int)second.n_told, 4, "who is forgotten is not told");
	name_service.is_held = true;
	reload_start(server.reload, false, on_done, &first);
	turn();
	reload_start(server.reload, false, on_done, &second);
	end();
	is_int((int)first.n_told + (int)second.n_told, 4, "nor when the daemon ends");
}

/* Two files in turn, a hundred times, with nothing that is left behind: leaks show under valgrind. */
static void alternate(void)
{
	unsigned int n_applied = 0;

	begin("/a *(ro)\n");
	for (int i = 0; i < 100; i++) {
		write_exports(i % 2 ? "/a host(ro)\n/mnt/* *(mountpoint,ro,fsid=/run/h)\n"
				    : "/b *(ro)\n");
		n_applied += start_reload(false).changed;
	}
	is_int(n_applied, 100, "a hundred reloads, each other exports");
	is_int(told.taken_up, 100, "media are told of each");
	end();
}

static void names_come_later(void)
{
	begin("/a host(ro)\n");
	config.name_timeout_seconds = 0;
	start_reload(true);
	domain_is("192.0.2.1", NULL, "a host that does not resolve is nobody");
	name_service.address = "192.0.2.1";
	loop_for(server.event, 50);
	domain_is("192.0.2.1", "host", "soon it is asked about again, and is somebody");
	is_int(told.flushes, 2, "which the kernel is told");
	name_service.asked = 0;
	loop_for(server.event, 50);
	is_int(name_service.asked, 0, "then it is let alone for its age");
	end();
}

/* A link to a dead server: what clients use stays where it was. */
static void paths_are_silent(void)
{
	struct caller caller;

	real_path_said = "/real";
	begin("/link *(ro)\n");
	start_reload(true);
	is_str(first_path(), "/real", "a link's export is known by where it leads");
	real_path_said = paths_unknown;
	config.name_timeout_seconds = 0;
	caller = start_reload(false);
	is_str(first_path(), "/real", "and stays so while nobody can look");
	ok(caller.applied && !caller.changed, "which is no news to the kernel");
	real_path_said = "/other";
	loop_for(server.event, 50);
	is_str(first_path(), "/other", "soon it is looked at again");
	real_path_said = NULL;
	start_reload(false);
	is_str(first_path(), "/link", "a link that is gone is one no more");
	real_path_said = paths_unknown;
	end();
	begin("/link *(ro)\n");
	start_reload(true);
	is_str(first_path(), "/link", "at the start it is taken as it is written");
	end();
	real_path_said = NULL;
}

static void names_are_silent(void)
{
	begin("/a host(ro)\n");
	config.name_age_seconds = 0;
	name_service.address = "192.0.2.1";
	start_reload(true);
	name_service.error = -EAGAIN;
	config.name_timeout_seconds = 0;
	loop_for(server.event, 50);
	ok(name_service.asked > 1, "names are asked again");
	domain_is("192.0.2.1", "host", "a dead name service takes nobody's exports away");
	write_exports("/a host(ro)\n/b host(ro)\n");
	start_reload(false);
	domain_is("192.0.2.1", "host", "not on a reload either");
	is_int((long long)snapshot_n_exports(server.snapshot), 2, "which comes into force");
	name_service.error = 0;
	name_service.address = "192.0.2.2";
	loop_for(server.event, 50);
	domain_is("192.0.2.2", "host", "when it is back the host's new address counts");
	domain_is("192.0.2.1", NULL, "and the old one no more");
	name_service.address = NULL;
	loop_for(server.event, 50);
	domain_is("192.0.2.2", NULL, "a host that is gone is nobody");
	end();
}

static void addresses_are_not_asked(void)
{
	begin("/a 192.0.2.7(ro)\n/b 2001:db8::1(ro)\n");
	config.name_age_seconds = 0;
	name_service.is_held = true;
	start_reload(true);
	domain_is("192.0.2.7", "192.0.2.7", "an address is one, whatever the name service does");
	domain_is("2001:db8::1", "2001:db8::1", "in both families");
	loop_for(server.event, 50);
	is_int(name_service.asked, 0, "it is never asked");
	is_int(told.taken_up, 1, "and nothing is renewed");
	write_exports("/a 192.0.2.7(ro)\n/b host(ro)\n/c 192.0.2.8(ro)\n");
	name_service.address = "192.0.2.1";
	name_service.is_held = false;
	start_reload(false);
	domain_is("192.0.2.1", "host", "a name between them gets its own addresses");
	domain_is("192.0.2.8", "192.0.2.8", "and they theirs");
	end();
}

static void edited_files(void)
{
	begin("/a host(ro)\n");
	config.name_age_seconds = 0;
	config.name_timeout_seconds = 0;
	name_service.address = "192.0.2.1";
	start_reload(true);
	write_exports("/b host(ro)\n");
	name_service.address = "192.0.2.2";
	loop_for(server.event, 50);
	is_str(first_path(), "/a", "what was edited waits for a reload");
	domain_is("192.0.2.2", "host", "the names of what is in force do not wait with it");
	write_exports("/a host(ro)\n");
	loop_for(server.event, 50);
	domain_is("192.0.2.2", "host", "nor when it is edited back");
	end();
}

static void faults_while_renewing(void)
{
	struct caller caller = { 0 };

	begin("/a host(ro)\n/c *(ro)\n");
	config.name_age_seconds = 0;
	name_service.address = "192.0.2.1";
	start_reload(true);
	name_service.is_held = true;
	name_service.asked = 0;
	loop_until(server.event, &name_service.asked, 1, 5000);
	is_int(name_service.asked, 1, "names are being looked up again");
	config.name_age_seconds = 600;
	write_exports("/a host(ro)\n/b *(nonsense)\n");
	reload_start(server.reload, false, on_done, &caller);
	turn();
	answer_names();
	ok(caller.n_told == 1 && !caller.applied, "a reload now refuses faults all the same");
	is_int((long long)snapshot_n_exports(server.snapshot), 2, "and revokes nothing");
	write_exports("/a host(ro)\n/c *(ro)\n");
	name_service.address = "192.0.2.9";
	config.name_age_seconds = 0;
	start_reload(false);
	domain_is("192.0.2.9", "*,host", "names go on being looked up");
	end();
}

static void refused_reload_renews(void)
{
	struct caller caller = { 0 };

	begin("/a host(ro)\n");
	config.name_age_seconds = 0;
	config.name_timeout_seconds = 0;
	name_service.address = "192.0.2.1";
	start_reload(true);
	name_service.is_held = true;
	write_exports("/a host(ro)\n/b other(ro)\n");
	reload_start(server.reload, false, on_done, &caller);
	loop_for(server.event, 20); /* the age ends while it waits */
	told.refuses = -ENOMEM;
	answer_names();
	ok(!caller.applied, "a reload fails while names should be looked up again");
	told.refuses = 0;
	write_exports("/a host(ro)\n");
	name_service.address = "192.0.2.2";
	loop_for(server.event, 50);
	domain_is("192.0.2.2", "host", "they are, nevertheless");
	end();
}

static void rules_beneath_rootdir(void)
{
	struct caller caller;

	begin("/a *(ro)\n/mnt/* *(mountpoint,ro,fsid=/run/h)\n");
	config.rootdir = (char *)"/nfs";
	caller = start_reload(false);
	ok(!caller.applied && strstr(caller.first, "rootdir"),
	   "rules and rootdir do not go together");
	config.rootdir = NULL;
	caller = start_reload(false);
	ok(caller.applied, "rules alone do");
	end();
}

static void numbers_of_reexports(void)
{
	struct caller caller;

	store.path = "/re";
	begin("/re *(ro,reexport=auto-fsidnum)\n/known *(ro,reexport=predefined-fsidnum)\n"
	      "/root *(ro,fsid=0,reexport=auto-fsidnum)\n/plain *(ro)\n");
	caller = start_reload(false);
	ok(caller.applied, "exports with reexport=");
	is_int(store.asked, 1, "one is given a number by the store");
	ok(snapshot_has_fsid(server.snapshot, 80001), "and has it");
	ok(snapshot_has_fsid(server.snapshot, 80000), "the one that was known has its own");
	is_int(snapshot_export(server.snapshot, 2)->fsid, 0, "the root stays 0");
	ok(!(snapshot_export(server.snapshot, 3)->options->flags & EXPORT_FSID),
	   "and others without");
	write_exports("/re *(ro,fsid=80001,reexport=auto-fsidnum)\n");
	caller = start_reload(false);
	ok(caller.applied, "the number may be written");
	write_exports("/re *(ro,fsid=5,reexport=auto-fsidnum)\n");
	caller = start_reload(false);
	ok(!caller.applied, "another must not");
	ok(strstr(caller.first, "80001"), "which is said");
	write_exports("/new *(ro,reexport=predefined-fsidnum)\n");
	caller = start_reload(false);
	ok(!caller.applied, "none that is predefined: a fault");
	store.is_known = false;
	store.is_full = true;
	write_exports("/re *(ro,reexport=auto-fsidnum)\n");
	caller = start_reload(false);
	ok(!caller.applied, "nor is it in force while the store gives none");
	real_path_said = "/re";
	store.is_full = false;
	write_exports("/link *(ro,reexport=auto-fsidnum)\n");
	caller = start_reload(false);
	ok(caller.applied && snapshot_has_fsid(server.snapshot, 80001),
	   "numbers belong to real paths");
	real_path_said = NULL;
	end();
}

static void numbers_of_others(void)
{
	struct caller caller;

	begin("/a *(ro,fsid=70000)\n/mnt/cdrom/rom1 *(ro,fsid=70001)\n");
	caller = start_reload(false);
	ok(caller.applied, "a number by hand that is nobody's, or this path's");
	write_exports("/a *(ro,fsid=70001)\n");
	caller = start_reload(false);
	ok(!caller.applied, "one that is a medium's for ever is a fault");
	is_str(caller.first,
	       "fsid=70001 is the number of '/mnt/cdrom/rom1' for ever; choose one below 65536 for '/a'",
	       "which names both");
	end();
	begin("/a *(ro,fsid=70001)\n/b *(ro)\n");
	caller = start_reload(true);
	ok(caller.applied, "at the start the others are in force");
	is_str(first_path(), "/b", "without it");
	end();
	begin("/mnt/cdrom/rom1 *(ro,fsid=70001)\n/c host(ro)\n");
	start_reload(true);
	write_exports("/a *(ro,fsid=70001)\n/c host(ro)\n");
	is_given = false;
	name_service.is_held = true;
	caller = (struct caller){ 0 };
	reload_start(server.reload, false, on_done, &caller);
	turn();
	name_service.is_held = false;
	answer_hosts(NULL, held); /* owners are known, the snapshot is made */
	is_given = true;
	n_given++;
	turn();
	ok(caller.n_told == 1 && !caller.applied,
	   "so is one that was given while the reload was under way");
	end();
}

int main(void)
{
	char *files[] = { file, NULL }, *none[] = { NULL };

	if (!mkdtemp(directory))
		return EXIT_FAILURE;
	snprintf(file, sizeof(file), "%s/exports", directory);
	config.exports_files = files;
	config.exports_directories = none;
	server.config = &config;
	server.kernel = (struct kernel *)&server;
	if (sd_event_new(&server.event) < 0)
		return EXIT_FAILURE;
	all_or_nothing();
	many_at_once();
	alternate();
	names_come_later();
	names_are_silent();
	paths_are_silent();
	addresses_are_not_asked();
	edited_files();
	faults_while_renewing();
	refused_reload_renews();
	numbers_of_others();
	numbers_of_reexports();
	rules_beneath_rootdir();
	sd_event_unref(server.event);
	unlink(file);
	rmdir(directory);
	return tap_done();
}
