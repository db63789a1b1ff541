/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One reload at a time, in three steps: the files are read (from /etc: not worth another process);
 * realpath(3) of every plain path and the addresses of every host name are asked for, both at once;
 * the snapshot is made and put in force. Answers are kept in two tables for the time between; those about hosts
 * until the next answer.
 */

#include "exportsd/reload.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <time.h>
#include <uthash.h>
#include <utlist.h>

#include "exportsd/address.h"
#include "exportsd/log.h"
#include "exportsd/mountd.h"
#include "exportsd/questions.h"

/* nfs-utils: pseudo-roots offer Kerberos where the server has a key. */
static const char keytab[] = "/etc/krb5.keytab";

struct fact {
	char *text; /* the path, or the host's name, as written */
	char *answer; /* realpath, or canonical name; NULL: none */
	struct address *addresses;
	size_t n_addresses;
	bool is_address; /* the text is one: nobody is asked */
	bool is_old; /* the name service did not answer: what it said before, if anything */
	UT_hash_handle hh;
};

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
	bool accept_faults;
	bool only_if_same; /* to renew host names: not if files were edited */
	uint64_t new_fingerprint;
	struct diags diags;
	struct exports_source *source;
	struct fact *paths; /* hashes by text */
	struct fact *hosts;
	struct paths_question *paths_question;
	struct names_question *names_question;
	sd_event_source *deferred; /* until the files are read */

	sd_event_source *renew; /* host names' age */
};

/* ---- facts ---- */

static void facts_clear(struct fact **facts)
{
	struct fact *fact, *next;

	HASH_ITER (hh, *facts, fact, next) {
		HASH_DEL(*facts, fact);
		free(fact->text);
		free(fact->answer);
		free(fact->addresses);
		free(fact);
	}
}

static int facts_add(struct fact **facts, const char *text)
{
	struct fact *fact;

	HASH_FIND_STR(*facts, text, fact);
	if (fact)
		return 0;
	fact = calloc(1, sizeof(*fact));
	if (!fact)
		return -ENOMEM;
	fact->text = strdup(text);
	if (!fact->text) {
		free(fact);
		return -ENOMEM;
	}
	HASH_ADD_KEYPTR(hh, *facts, fact->text, strlen(fact->text), fact);
	return 0;
}

/* The texts to ask about in the hash's order, which is that of adding: as long as nothing is added. */
static const char **facts_texts(struct fact *facts, size_t *ret_n)
{
	size_t n = HASH_COUNT(facts), i = 0;
	const char **texts = calloc(n ? n : 1, sizeof(*texts));

	if (!texts)
		return NULL;
	for (struct fact *fact = facts; fact; fact = fact->hh.next)
		if (!fact->is_address)
			texts[i++] = fact->text;
	*ret_n = i;
	return texts;
}

/* The addresses and the canonical name; without memory the host has none until they are asked for again. */
static void set_host(struct fact *fact, const struct address *addresses, size_t n_addresses,
		     const char *canonical)
{
	size_t size = n_addresses * sizeof(*addresses);

	if (!size)
		return;
	fact->addresses = malloc(size);
	if (!fact->addresses)
		return;
	memcpy(fact->addresses, addresses, size);
	fact->n_addresses = n_addresses;
	fact->answer = canonical ? strdup(canonical) : NULL;
}

/* No name service is needed for these, and none can hold them up. */
static void find_addresses(struct fact *hosts)
{
	for (struct fact *fact = hosts; fact; fact = fact->hh.next) {
		struct address address;

		fact->is_address = address_parse(fact->text, &address);
		if (fact->is_address)
			set_host(fact, &address, 1, NULL);
	}
}

static const char *fact_real_path(void *userdata, const char *path)
{
	struct reload *reload = userdata;
	struct fact *fact;

	HASH_FIND_STR(reload->paths, path, fact);
	return fact ? fact->answer : NULL;
}

static bool fact_host(void *userdata, const char *name, const char **ret_canonical,
		      const struct address **ret_addresses, size_t *ret_n_addresses)
{
	struct reload *reload = userdata;
	struct fact *fact;

	HASH_FIND_STR(reload->hosts, name, fact);
	if (!fact || !fact->n_addresses)
		return false;
	*ret_canonical = fact->answer ? fact->answer : fact->text;
	*ret_addresses = fact->addresses;
	*ret_n_addresses = fact->n_addresses;
	return true;
}

static const char *fact_number_owner(void *userdata, uint32_t number)
{
	const struct reload *reload = userdata;

	return numbers_path(reload->daemon->numbers, number);
}

/* ---- end ---- */

static void stop(struct reload *reload)
{
	reload->deferred = sd_event_source_disable_unref(reload->deferred);
	paths_cancel(reload->paths_question);
	reload->paths_question = NULL;
	names_cancel(reload->names_question);
	reload->names_question = NULL;
	reload->source = exports_source_free(reload->source);
	facts_clear(&reload->paths);
	facts_clear(&reload->hosts);
	diags_done(&reload->diags);
	reload->running = false;
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
	struct diags diags = reload->diags;

	reload->diags = (struct diags){ 0 };
	if (!reload->only_if_same)
		reload->n_errors = diags.n_errors;
	stop(reload);
	if (applied || !reload->renew)
		schedule_renewal(reload);
	start_next(reload);
	tell(reload, waiters, &diags, applied, changed);
	diags_done(&diags);
}

static void put_in_force(struct reload *reload, struct snapshot *snapshot)
{
	struct daemon *daemon = reload->daemon;
	struct snapshot *old = daemon->snapshot;
	bool changed = !old || !snapshot_equal(old, snapshot);
	struct timespec now;
	int r = media_set_snapshot(daemon->media, snapshot);

	if (r < 0) {
		errno = -r;
		log_error(NULL, "Cannot take up the rules: %m; keeping the previous exports");
		snapshot_free(snapshot);
		finish(reload, false, false);
		return;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	reload->applied_usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	reload->fingerprint = reload->new_fingerprint;
	daemon->snapshot = snapshot;
	if (daemon->mountd)
		mountd_again(daemon->mountd);
	questions_again(daemon->questions);
	snapshot_free(old);
	if (changed && daemon->kernel) {
		r = kernel_flush(daemon->kernel);
		if (r < 0) {
			errno = -r;
			log_warning(NULL, "Cannot make the kernel forget the old exports: %m");
		}
	}
	facts_clear(&reload->known_hosts);
	reload->known_hosts = TAKE_PTR(reload->hosts);
	reload->was_edited_said = false;
	finish(reload, true, changed);
}

static void make_snapshot(struct reload *reload)
{
	struct snapshot_facts facts = {
		.userdata = reload,
		.real_path = fact_real_path,
		.host = fact_host,
		.number_owner = fact_number_owner,
		.kerberos = access(keytab, F_OK) == 0,
	};
	struct snapshot *snapshot = NULL;
	int r = snapshot_new(TAKE_PTR(reload->source), &facts, false, &reload->diags, &snapshot);

	if (r < 0) {
		errno = -r;
		log_error(NULL, "Cannot take up the exports: %m; keeping the previous ones");
		finish(reload, false, false);
		return;
	}
	if (reload->diags.n_errors && !reload->accept_faults) {
		snapshot_free(snapshot);
		finish(reload, false, false);
		return;
	}
	put_in_force(reload, snapshot);
}

static void step(struct reload *reload)
{
	if (!reload->paths_question && !reload->names_question)
		make_snapshot(reload);
}

/* ---- asking ---- */

static void on_real_paths(void *userdata, const char *const *real, size_t n_paths)
{
	struct reload *reload = userdata;
	size_t i = 0;

	reload->paths_question = NULL;
	for (struct fact *fact = reload->paths; fact && i < n_paths; fact = fact->hh.next, i++)
		if (real[i])
			fact->answer = strdup(real[i]);
	step(reload);
}

static void on_hosts(void *userdata, const struct names_host *hosts, size_t n_hosts)
{
	struct reload *reload = userdata;
	size_t i = 0;

	reload->names_question = NULL;
	for (struct fact *fact = reload->hosts; fact; fact = fact->hh.next) {
		const struct names_host *host = NULL;
		struct fact *known;

		if (fact->is_address)
			continue;
		if (i < n_hosts)
			host = &hosts[i++];
		if (host && !host->error) {
			set_host(fact, host->addresses, host->n_addresses, host->canonical);
			continue;
		}
		fact->is_old = true;
		HASH_FIND_STR(reload->known_hosts, fact->text, known);
		if (known)
			set_host(fact, known->addresses, known->n_addresses, known->answer);
	}
	step(reload);
}

static int collect(struct reload *reload)
{
	for (size_t i = 0; i < reload->source->n_items; i++) {
		const struct export_item *item = &reload->source->items[i];
		int r = 0;

		if (!item->pattern)
			r = facts_add(&reload->paths, item->path);
		if (r == 0 && item->client.type == CLIENT_HOST)
			r = facts_add(&reload->hosts, item->client.text);
		if (r < 0)
			return r;
	}
	return 0;
}

static int ask(struct reload *reload)
{
	struct daemon *daemon = reload->daemon;
	CLEANUP(freep) const char **paths = NULL;
	CLEANUP(freep) const char **hosts = NULL;
	size_t n_paths, n_hosts;
	int r = collect(reload);

	if (r < 0)
		return r;
	find_addresses(reload->hosts);
	paths = facts_texts(reload->paths, &n_paths);
	hosts = facts_texts(reload->hosts, &n_hosts);
	if (!paths || !hosts)
		return -ENOMEM;
	if (n_paths)
		r = paths_real(daemon->paths, paths, n_paths, on_real_paths, reload,
			       &reload->paths_question);
	if (r == 0 && n_hosts)
		r = names_of_hosts(daemon->names, hosts, n_hosts, on_hosts, reload,
				   &reload->names_question);
	return r;
}

/* ---- reading ---- */

static size_t count(char *const *strings)
{
	size_t n = 0;

	while (strings[n])
		n++;
	return n;
}

/* Of all items, in order: only to notice an edited file. */
static uint64_t fingerprint(const struct exports_source *source)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < source->n_items; i++) {
		const struct export_item *item = &source->items[i];
		char *text = NULL;
		size_t size = 0;
		FILE *memory = open_memstream(&text, &size);
		unsigned int hash;

		if (!memory)
			return 0;
		(void)export_print_etab(memory, item->pattern ? item->pattern : item->path,
					item->client.text, item->options, EXPORT_PER_FLAVOR);
		if (fclose(memory) == 0) {
			HASH_VALUE(text, size, hash);
			sum = sum * 31 + hash;
		}
		free(text);
	}
	return sum;
}

static int read_files(struct reload *reload)
{
	const struct config *config = reload->daemon->config;
	int r = exports_read_files(
		(const char *const *)config->exports_files, count(config->exports_files),
		(const char *const *)config->exports_directories,
		count(config->exports_directories), &reload->diags, &reload->source);

	if (r == 0)
		reload->new_fingerprint = fingerprint(reload->source);
	return r;
}

static int on_start(sd_event_source *source, void *userdata)
{
	struct reload *reload = userdata;
	int r;

	reload->deferred = sd_event_source_disable_unref(reload->deferred);
	r = read_files(reload);
	if (r == 0 && reload->only_if_same && reload->new_fingerprint != reload->fingerprint) {
		if (!reload->was_edited_said)
			log_notice(
				NULL,
				"Host names not looked up again: the exports files were edited and wait for "
				"a reload");
		reload->was_edited_said = true;
		finish(reload, false, false);
		return 0;
	}
	if (r == 0 && reload->diags.n_errors && !reload->accept_faults) {
		finish(reload, false, false);
		return 0;
	}
	if (r == 0)
		r = ask(reload);
	if (r < 0) {
		errno = -r;
		log_error(NULL, "Cannot read the exports: %m; keeping the previous ones");
		finish(reload, false, false);
		return 0;
	}
	step(reload);
	return 0;
}

static int start(struct reload *reload, bool accept_faults, bool only_if_same)
{
	int r;

	stop(reload);
	r = sd_event_add_defer(reload->daemon->event, &reload->deferred, on_start, reload);
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
	bool is_under_way = reload->running && !reload->only_if_same;
	struct waiter **waiters =
		is_under_way && !reload->deferred ? &reload->waiters_for_next : &reload->waiters;
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
		is_needed |= !fact->is_address;
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
