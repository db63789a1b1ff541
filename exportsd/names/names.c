/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * names.c - what the name service said, by address, host and user, and how it is asked.
 *
 * An entry is what is known under one key. However many calls want it, one question is under way
 * for it. A call holds its entries until its done() was called or it was cancelled; entries that
 * nobody holds are idle: they may be evicted, the longest idle first, and are freed when they are
 * forgotten. A forgotten entry is out of the table: whoever waits for it gets its answer, new calls
 * make a new one.
 *
 * Exports files may name a thousand hosts, which a reload asks for all at once. They have processes
 * of their own, so that a client that comes meanwhile need not wait behind them. And they have no
 * time limit each, which most would spend waiting for a process, but one together: how long no
 * answer came for any of them.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <uthash.h>
#include <utlist.h>

#include "exportsd/base/address.h"
#include "exportsd/names/names.h"
#include "exportsd/worker/worker.h"

enum {
	N_PROCESSES = 4, /* for addresses and users */
	N_HOST_PROCESSES = 24, /* WORKER_PROCESSES_MAX leaves some in place of those that hang */
	NETGROUPS_PER_QUESTION = 400, /* within PROTO_FIELDS_MAX */
	NETGROUP_BYTES_MAX = 48 * 1024,
	FAILURE_AGE_MIN_USEC = 1000 * 1000,
	SILENCE_AGE_MAX_USEC = 5 * 1000 * 1000,
};

enum kind { KIND_ADDRESS, KIND_HOST, KIND_USER };

/* Is the address in this netgroup? */
struct verdict {
	UT_hash_handle hh;
	bool is_member;
	char netgroup[];
};

struct entry {
	UT_hash_handle hh;
	struct entry *prev,
		*next; /* in asked_hosts while asked, if a host; else in idle while nobody holds it */
	struct names *names;
	enum kind kind;
	unsigned int n_users; /* calls that hold it */
	bool forgotten;
	bool answered;
	bool listed_only; /* the names took too long: now only which netgroups list the address itself */
	uint64_t expires_usec;
	struct pending *asked;
	struct waiter *waiters;
	int error;
	/* KIND_ADDRESS */
	char **host_names;
	size_t n_host_names;
	struct verdict *verdicts;
	/* KIND_HOST */
	char *canonical;
	struct address *addresses;
	size_t n_addresses;
	/* KIND_USER */
	uint32_t *groups;
	size_t n_groups;
	char key[]; /* "a", "h" or "u", and the text */
};

struct waiter {
	struct names_question *question;
	struct waiter *next;
};

struct names_question {
	struct pending pending;
	struct names *names;
	struct names_question *prev, *next; /* in waiting or ready */
	enum kind kind;
	bool is_ready; /* it is in ready */
	struct entry **entries;
	struct waiter *waiters; /* one an entry */
	size_t n_entries;
	size_t n_pending;
	char **netgroups;
	size_t n_netgroups;
	bool cancelled;
	names_address_fn address_done;
	names_hosts_fn hosts_done;
	names_groups_fn groups_done;
	void *userdata;
};

struct names {
	sd_event *event;
	struct worker *worker;
	struct worker *host_worker;
	struct entry *idle; /* lists: the longest idle first */
	struct entry *asked_hosts;
	struct later stall; /* pending while hosts are asked for */
	uint64_t age_usec;
	uint64_t timeout_usec;
	bool trust_reverse;
	struct entry *entries;
	struct names_question *waiting;
	struct names_question *ready;
	struct later tell_ready;
};

/* ---- entries ---- */

static char **free_strings(char **strings, size_t n_strings)
{
	for (size_t i = 0; strings && i < n_strings; i++)
		free(strings[i]);
	free(strings);
	return NULL;
}

/* Forget what it says, but not who waits. */
static void entry_clear(struct entry *entry)
{
	struct verdict *verdict, *next;

	entry->host_names = free_strings(entry->host_names, entry->n_host_names);
	entry->n_host_names = 0;
	HASH_ITER (hh, entry->verdicts, verdict, next) {
		HASH_DEL(entry->verdicts, verdict);
		free(verdict);
	}
	free(entry->canonical);
	free(entry->addresses);
	free(entry->groups);
	entry->canonical = NULL;
	entry->addresses = NULL;
	entry->groups = NULL;
	entry->n_addresses = entry->n_groups = 0;
	entry->error = 0;
	entry->answered = false;
}

static void note_asked(struct entry *entry, struct pending *asked)
{
	struct names *names = entry->names;

	if (entry->kind == KIND_HOST && !entry->asked && asked)
		DL_APPEND(names->asked_hosts, entry);
	else if (entry->kind == KIND_HOST && entry->asked && !asked)
		DL_DELETE(names->asked_hosts, entry);
	entry->asked = asked;
	if (entry->kind == KIND_HOST && !names->asked_hosts) {
		later_cancel(&names->stall);
		worker_rest(names->host_worker);
	}
}

static void stop_asking(struct entry *entry)
{
	struct pending *asked = entry->asked;

	note_asked(entry, NULL);
	pending_cancel(&asked);
}

/* Nobody holds it and nothing is asked about it. */
static bool is_idle(const struct entry *entry)
{
	return !entry->n_users && !entry->asked && !entry->forgotten;
}

static void entry_free(struct entry *entry)
{
	stop_asking(entry);
	entry_clear(entry);
	free(entry);
}

/* Out of the table; freed now, or when its last user lets go. */
static void entry_forget(struct entry *entry)
{
	HASH_DEL(entry->names->entries, entry);
	if (is_idle(entry))
		DL_DELETE(entry->names->idle, entry);
	entry->forgotten = true;
	if (!entry->n_users)
		entry_free(entry);
}

static void entry_use(struct entry *entry)
{
	if (is_idle(entry))
		DL_DELETE(entry->names->idle, entry);
	entry->n_users++;
}

static void entry_unuse(struct entry *entry)
{
	if (--entry->n_users)
		return;
	if (entry->forgotten)
		entry_free(entry);
	else if (is_idle(entry))
		DL_APPEND(entry->names->idle, entry);
}

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Make room for one more. What is held stays, however much it is. */
static void evict(struct names *names)
{
	while (names->idle && HASH_COUNT(names->entries) >= NAMES_CACHE_MAX)
		entry_forget(names->idle);
}

/* The entry of a key, made if need be; one too old is made anew. NULL: out of memory. */
static struct entry *use_entry(struct names *names, enum kind kind, const char *text)
{
	static const char letters[] = {
		[KIND_ADDRESS] = 'a', [KIND_HOST] = 'h', [KIND_USER] = 'u'
	};
	size_t size = strlen(text) + 2;
	struct entry *entry, *fresh = calloc(1, sizeof(*fresh) + size);

	if (!fresh)
		return NULL;
	fresh->key[0] = letters[kind];
	memcpy(fresh->key + 1, text, size - 1);
	fresh->names = names;
	fresh->kind = kind;
	HASH_FIND_STR(names->entries, fresh->key, entry);
	if (entry && entry->answered && !entry->asked && entry->expires_usec <= now_usec()) {
		entry_forget(entry);
		entry = NULL;
	}
	if (entry) {
		free(fresh);
	} else {
		evict(names);
		HASH_ADD_STR(names->entries, key, fresh);
		if (!fresh->hh.tbl) {
			free(fresh);
			return NULL;
		}
		fresh->n_users = 1;
		return fresh;
	}
	entry_use(entry);
	return entry;
}

/* ---- asking ---- */

static void on_answer(void *userdata, int error, const struct proto_message *answer);
static void on_stall(void *userdata);
static void on_ready(void *userdata);

static bool has_verdict(const struct entry *entry, const char *netgroup)
{
	struct verdict *verdict;

	HASH_FIND_STR(entry->verdicts, netgroup, verdict);
	return verdict;
}

/* Put the first netgroups that are not known yet, as many as a message takes. */
static void put_netgroups(const struct entry *entry, const struct names_question *question,
			  struct proto_writer *message)
{
	size_t n = 0, n_bytes = 0;

	for (size_t i = 0; i < question->n_netgroups; i++) {
		const char *netgroup = question->netgroups[i];

		if (has_verdict(entry, netgroup))
			continue;
		n_bytes += 4 * strlen(netgroup);
		if (n && (n == NETGROUPS_PER_QUESTION || n_bytes > NETGROUP_BYTES_MAX))
			return;
		proto_put(message, "netgroup", netgroup);
		n++;
	}
}

/* From now on it counts how long no answer comes for any host. */
static void wait_for_hosts(struct names *names)
{
	(void)later_call_in(&names->stall, names->event, names->timeout_usec, on_stall, names);
}

/* Ask what this call still needs of an entry. */
static int ask(struct entry *entry, const struct names_question *question)
{
	static const char *const words[] = {
		[KIND_ADDRESS] = "address", [KIND_HOST] = "host", [KIND_USER] = "user"
	};
	struct names *names = entry->names;
	bool is_host = entry->kind == KIND_HOST;
	struct pending *asked;
	struct proto_writer message = {};
	int r;

	proto_begin(&message, words[entry->kind]);
	proto_put(&message, words[entry->kind], entry->key + 1);
	if (entry->kind == KIND_ADDRESS) {
		if (names->trust_reverse)
			proto_put(&message, "trust", "1");
		if (entry->listed_only)
			proto_put(&message, "listed", "1");
		put_netgroups(entry, question, &message);
	}
	r = worker_ask(is_host ? names->host_worker : names->worker, &message,
		       is_host ? 0 : names->timeout_usec, on_answer, entry, &asked);
	proto_writer_done(&message);
	if (r < 0)
		return r;
	if (is_host && !names->asked_hosts)
		wait_for_hosts(names);
	note_asked(entry, asked);
	return 0;
}

static bool covers(const struct entry *entry, const struct names_question *question)
{
	if (!entry->answered)
		return false;
	if (entry->error || entry->kind != KIND_ADDRESS)
		return true;
	for (size_t i = 0; i < question->n_netgroups; i++)
		if (!has_verdict(entry, question->netgroups[i]))
			return false;
	return true;
}

static void make_ready(struct names_question *question)
{
	struct names *names = question->names;

	DL_DELETE(names->waiting, question);
	DL_APPEND(names->ready, question);
	question->is_ready = true;
	later_call(&names->tell_ready, names->event, on_ready, names);
}

/* What a failed answer means: known to be unknown, for a short while. */
static void entry_fail(struct entry *entry, int error)
{
	entry->answered = true;
	entry->error = error;
	entry->expires_usec = 0;
}

/* Have a call wait for what it lacks of its entry, asking if nobody has; or be done with it. */
static void advance(struct waiter *waiter, struct entry *entry)
{
	struct names_question *question = waiter->question;

	if (!covers(entry, question)) {
		int r = entry->asked ? 0 : ask(entry, question);

		if (r >= 0) {
			waiter->next = entry->waiters;
			entry->waiters = waiter;
			return;
		}
		entry_fail(entry, r);
	}
	if (--question->n_pending == 0)
		make_ready(question);
}

/* ---- taking answers ---- */

static int take_strings(const struct proto_message *answer, const char *key, char ***ret_strings,
			size_t *ret_n_strings)
{
	char **strings = calloc(answer->n_fields + 1, sizeof(char *));
	size_t n = 0;

	if (!strings)
		return -ENOMEM;
	for (size_t i = 0; i < answer->n_fields; i++)
		if (str_equal(answer->fields[i].key, key)) {
			strings[n] = strdup(answer->fields[i].value);
			if (!strings[n]) {
				free_strings(strings, n);
				return -ENOMEM;
			}
			n++;
		}
	*ret_strings = strings;
	*ret_n_strings = n;
	return 0;
}

static int take_verdict(struct entry *entry, const char *netgroup, bool is_member)
{
	size_t size = strlen(netgroup) + 1;
	struct verdict *verdict;

	HASH_FIND_STR(entry->verdicts, netgroup, verdict);
	if (verdict) {
		verdict->is_member = is_member;
		return 0;
	}
	verdict = calloc(1, sizeof(*verdict) + size);
	if (!verdict)
		return -ENOMEM;
	verdict->is_member = is_member;
	memcpy(verdict->netgroup, netgroup, size);
	HASH_ADD_STR(entry->verdicts, netgroup, verdict);
	if (verdict->hh.tbl)
		return 0;
	free(verdict);
	return -ENOMEM;
}

static int take_address(struct entry *entry, const struct proto_message *answer)
{
	uint64_t number;
	int r;

	free_strings(entry->host_names, entry->n_host_names);
	entry->host_names = NULL;
	entry->n_host_names = 0;
	r = take_strings(answer, "name", &entry->host_names, &entry->n_host_names);
	for (size_t i = 0; r >= 0 && i < answer->n_fields; i++) {
		const struct proto_field *field = &answer->fields[i];

		if (str_equal(field->key, "member") || str_equal(field->key, "stranger"))
			r = take_verdict(entry, field->value, str_equal(field->key, "member"));
	}
	if (r >= 0 && proto_get_u64(answer, "incomplete", 4095, &number) == 0)
		r = -(int)number;
	return r;
}

static int take_host(struct entry *entry, const struct proto_message *answer)
{
	const char *canonical = proto_get(answer, "canonical");

	entry->addresses = calloc(NAMES_ADDRESSES_MAX, sizeof(*entry->addresses));
	entry->canonical = canonical ? strdup(canonical) : NULL;
	if (!entry->addresses || (canonical && !entry->canonical))
		return -ENOMEM;
	for (size_t i = 0; i < answer->n_fields && entry->n_addresses < NAMES_ADDRESSES_MAX; i++)
		if (str_equal(answer->fields[i].key, "address") &&
		    address_parse(answer->fields[i].value, &entry->addresses[entry->n_addresses]))
			entry->n_addresses++;
	return 0;
}

static int take_answer(struct entry *entry, const struct proto_message *answer)
{
	switch (entry->kind) {
	case KIND_ADDRESS: return take_address(entry, answer);
	case KIND_HOST: return take_host(entry, answer);
	case KIND_USER:
		return worker_get_numbers(answer, "groups", &entry->groups, &entry->n_groups);
	}
	return -EINVAL;
}

/*
 * Being unknown is soon looked at again, and silence sooner: who has no other name waits for it to
 * end.
 */
static uint64_t expiry(const struct entry *entry)
{
	const struct names *names = entry->names;
	uint64_t age = names->age_usec;

	if (entry->error || !(entry->n_host_names + entry->n_addresses + entry->n_groups)) {
		age /= 10;
		if (entry->error && age > SILENCE_AGE_MAX_USEC)
			age = SILENCE_AGE_MAX_USEC;
		if (age < FAILURE_AGE_MIN_USEC)
			age = FAILURE_AGE_MIN_USEC;
	}
	return now_usec() + age;
}

static void on_answer(void *userdata, int error, const struct proto_message *answer)
{
	struct entry *entry = userdata;
	struct waiter *waiter = entry->waiters, *next;
	bool more = entry->answered; /* further netgroups: what was known does not get younger */

	note_asked(entry, NULL);
	if (entry->kind == KIND_HOST && entry->names->asked_hosts)
		wait_for_hosts(entry->names);
	if (error == -ETIMEDOUT && entry->kind == KIND_ADDRESS && !entry->listed_only && waiter) {
		entry->listed_only = true;
		if (ask(entry, waiter->question) >= 0)
			return;
	}
	entry->listed_only = false;
	entry->waiters = NULL;
	entry->error = error < 0 ? error : take_answer(entry, answer);
	entry->answered = true;
	if (!more || entry->error)
		entry->expires_usec = expiry(entry);
	for (; waiter; waiter = next) {
		next = waiter->next;
		advance(waiter, entry);
	}
	if (is_idle(entry))
		DL_APPEND(entry->names->idle, entry);
}

/* For so long nobody said anything about any host. */
static void on_stall(void *userdata)
{
	struct names *names = userdata;
	struct entry *entry, *last = names->asked_hosts ? names->asked_hosts->prev : NULL;
	bool more = last;

	/* A host that is asked about anew is behind the last one. */
	while (more && (entry = names->asked_hosts)) {
		bool has_begun = worker_has_begun(entry->asked);

		more = entry != last;
		stop_asking(entry);
		on_answer(entry, -ETIMEDOUT, NULL);
		/* It only stood behind others: next time these are known, and it has its turn. */
		if (!has_begun)
			entry->expires_usec = 0;
	}
}

/* ---- calls ---- */

static void question_free(struct names_question *question)
{
	for (size_t i = 0; i < question->n_entries; i++)
		entry_unuse(question->entries[i]);
	free_strings(question->netgroups, question->n_netgroups);
	free(question->entries);
	free(question->waiters);
	free(question);
}

static void cancel_names(struct pending *pending);

static struct names_question *question_new(struct names *names, enum kind kind, size_t n_entries,
					   void *userdata)
{
	struct names_question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	question->pending.cancel = cancel_names;
	question->names = names;
	question->kind = kind;
	question->userdata = userdata;
	question->entries = calloc(n_entries + 1, sizeof(struct entry *));
	question->waiters = calloc(n_entries + 1, sizeof(struct waiter));
	if (question->entries && question->waiters)
		return question;
	question_free(question);
	return NULL;
}

/* All entries are there: wait for them. */
static void question_start(struct names_question *question, struct pending **ret_question)
{
	DL_APPEND(question->names->waiting, question);
	question->n_pending = question->n_entries + 1;
	for (size_t i = 0; i < question->n_entries; i++) {
		question->waiters[i].question = question;
		advance(&question->waiters[i], question->entries[i]);
	}
	if (--question->n_pending == 0)
		make_ready(question);
	if (ret_question)
		*ret_question = &question->pending;
}

static int add_entry(struct names_question *question, const char *text)
{
	struct entry *entry = use_entry(question->names, question->kind, text);

	if (!entry)
		return -ENOMEM;
	question->entries[question->n_entries++] = entry;
	return 0;
}

int names_of_address(struct names *names, const struct address *address,
		     const char *const *netgroups, size_t n_netgroups, names_address_fn done,
		     void *userdata, struct pending **ret_question)
{
	struct names_question *question = question_new(names, KIND_ADDRESS, 1, userdata);
	char text[ADDRESS_TEXT_MAX];
	int r = -ENOMEM;

	if (!question)
		return -ENOMEM;
	question->address_done = done;
	question->netgroups = calloc(n_netgroups + 1, sizeof(char *));
	if (question->netgroups) {
		address_format(address, text, sizeof(text));
		r = add_entry(question, text);
	}
	for (size_t i = 0; r >= 0 && i < n_netgroups; i++) {
		question->netgroups[i] = strdup(netgroups[i]);
		if (question->netgroups[i])
			question->n_netgroups++;
		else
			r = -ENOMEM;
	}
	if (r < 0)
		question_free(question);
	else
		question_start(question, ret_question);
	return r;
}

int names_of_hosts(struct names *names, const char *const *host_names, size_t n_hosts,
		   names_hosts_fn done, void *userdata, struct pending **ret_question)
{
	struct names_question *question = question_new(names, KIND_HOST, n_hosts, userdata);
	int r = 0;

	if (!question)
		return -ENOMEM;
	question->hosts_done = done;
	for (size_t i = 0; r >= 0 && i < n_hosts; i++)
		r = add_entry(question, host_names[i]);
	if (r < 0)
		question_free(question);
	else
		question_start(question, ret_question);
	return r;
}

int names_groups(struct names *names, uint32_t uid, names_groups_fn done, void *userdata,
		 struct pending **ret_question)
{
	struct names_question *question = question_new(names, KIND_USER, 1, userdata);
	char text[16];
	int r;

	if (!question)
		return -ENOMEM;
	question->groups_done = done;
	snprintf(text, sizeof(text), "%" PRIu32, uid);
	r = add_entry(question, text);
	if (r < 0)
		question_free(question);
	else
		question_start(question, ret_question);
	return r;
}

static void stop_waiting(struct waiter *waiter, struct entry *entry)
{
	struct waiter **link = &entry->waiters;

	while (*link && *link != waiter)
		link = &(*link)->next;
	if (*link)
		*link = waiter->next;
}

static void cancel_names(struct pending *pending)
{
	struct names_question *question = (struct names_question *)pending;

	question->cancelled = true;
	if (question->is_ready)
		return; /* on_ready() may be at it */
	for (size_t i = 0; i < question->n_entries; i++)
		stop_waiting(&question->waiters[i], question->entries[i]);
	DL_DELETE(question->names->waiting, question);
	question_free(question);
}

/* ---- telling ---- */

static void tell_address(const struct names_question *question)
{
	const struct entry *entry = question->entries[0];
	CLEANUP(freep) const char **members = calloc(question->n_netgroups + 1, sizeof(char *));
	struct snapshot_address_names known = {
		.names = (const char *const *)entry->host_names,
		.n_names = entry->n_host_names,
		.netgroups = members,
	};

	for (size_t i = 0; members && i < question->n_netgroups; i++) {
		struct verdict *verdict;

		HASH_FIND_STR(entry->verdicts, question->netgroups[i], verdict);
		if (verdict && verdict->is_member)
			members[known.n_netgroups++] = question->netgroups[i];
	}
	question->address_done(question->userdata, members ? entry->error : -ENOMEM, &known);
}

static void tell_hosts(const struct names_question *question)
{
	CLEANUP(freep) struct names_host *hosts = calloc(question->n_entries + 1, sizeof(*hosts));

	for (size_t i = 0; hosts && i < question->n_entries; i++) {
		const struct entry *entry = question->entries[i];

		hosts[i] = (struct names_host){
			.name = entry->key + 1,
			.canonical = entry->canonical ? entry->canonical : entry->key + 1,
			.addresses = entry->addresses,
			.n_addresses = entry->n_addresses,
			.error = entry->error,
		};
	}
	question->hosts_done(question->userdata, hosts, hosts ? question->n_entries : 0);
}

static void tell(const struct names_question *question)
{
	switch (question->kind) {
	case KIND_ADDRESS: tell_address(question); break;
	case KIND_HOST: tell_hosts(question); break;
	case KIND_USER:
		question->groups_done(question->userdata, question->entries[0]->error,
				      question->entries[0]->groups, question->entries[0]->n_groups);
		break;
	}
}

static void on_ready(void *userdata)
{
	struct names *names = userdata;
	struct names_question *question, *last = names->ready ? names->ready->prev : NULL;
	bool more = last;

	/* A done() may make further calls, which are for the next turn. */
	while (more && (question = names->ready)) {
		more = question != last;
		DL_DELETE(names->ready, question);
		if (!question->cancelled)
			tell(question);
		question_free(question);
	}
	if (names->ready)
		later_call(&names->tell_ready, names->event, on_ready, names);
}

/* ---- the whole ---- */

int names_new(struct names **ret_names, sd_event *event, uint64_t age_usec, uint64_t timeout_usec,
	      bool trust_reverse)
{
	struct names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	names->age_usec = age_usec;
	names->timeout_usec = timeout_usec;
	names->trust_reverse = trust_reverse;
	names->event = event;
	r = worker_new(&names->worker, event, WORKER_NAMES, N_PROCESSES, NULL);
	if (r >= 0)
		r = worker_new(&names->host_worker, event, WORKER_NAMES, N_HOST_PROCESSES, NULL);
	if (r < 0) {
		names_free(names);
		return r;
	}
	*ret_names = names;
	return 0;
}

void names_forget(struct names *names)
{
	struct entry *entry, *next;

	HASH_ITER (hh, names->entries, entry, next)
		entry_forget(entry);
}

size_t names_n_remembered(const struct names *names)
{
	return HASH_COUNT(names->entries);
}

struct names *names_free(struct names *names)
{
	struct names_question *question, *next;

	if (!names)
		return NULL;
	names_forget(names);
	DL_FOREACH_SAFE (names->waiting, question, next)
		question_free(question);
	DL_FOREACH_SAFE (names->ready, question, next)
		question_free(question);
	worker_free(names->worker);
	worker_free(names->host_worker);
	later_cancel(&names->tell_ready);
	later_cancel(&names->stall);
	free(names);
	return NULL;
}
