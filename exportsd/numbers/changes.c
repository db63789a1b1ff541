/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * changes.c - what is asked of the numbers, and the changes that come of it.
 *
 * A change is queued, then sent to the copies with all others that wait by then: so a burst costs
 * each copy one sync, and only one set of rows is under way at a time. Then it is applied to its
 * entry. If no copy could take it, it is in doubt: nobody can say whether a disk has it. It keeps
 * its number and its identity for itself, and is sent again when it is asked for again, or when the
 * copies work again.
 *
 * A call (struct numbers_question) counts what it waits for. When that is nothing any more, its
 * done() is called from the loop.
 */

#include <errno.h>
#include <limits.h>
#include <time.h>
#include <utlist.h>
#include <uuid/uuid.h>

#include "exportsd/numbers/copies.h"
#include "exportsd/numbers/private.h"

enum {
	PACE_ROWS = 1000, /* while so many come together, */
	PACE_MSEC = 100, /* more are waited for: a sync costs the whole machine */
};

/* ---- calls ---- */

static void question_free(struct numbers_question *question)
{
	DL_DELETE(question->numbers->questions, question);
	later_cancel(&question->answer);
	free(question->waiters);
	free(question);
}

static void answer(void *userdata)
{
	struct numbers_question *question = userdata;
	numbers_done_fn done = question->done;
	void *asker = question->userdata;
	int error = question->error;

	question_free(question);
	if (done)
		done(asker, error);
}

/* One thing a call waited for is settled. */
static void settle_one(struct numbers_question *question, int error)
{
	if (!question->error)
		question->error = error;
	if (--question->n_pending == 0)
		later_call(&question->answer, question->numbers->event, answer, question);
}

/* What it waits for has its waiters until it is settled. */
static void cancel_question(struct pending *pending)
{
	((struct numbers_question *)pending)->done = NULL;
}

/* A call that so far waits for one thing: that it has been read to its end. */
static struct numbers_question *question_new(struct numbers *numbers, size_t n_paths,
					     numbers_done_fn done, void *userdata)
{
	struct numbers_question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	*question = (struct numbers_question){
		.pending = { cancel_question },
		.numbers = numbers,
		.waiters = calloc(n_paths ?: 1, sizeof(*question->waiters)),
		.n_pending = 1,
		.done = done,
		.userdata = userdata,
	};
	if (!question->waiters) {
		free(question);
		return NULL;
	}
	DL_APPEND(numbers->questions, question);
	return question;
}

/* It has been read to its end. */
static int question_begun(struct numbers_question *question, int error,
			  struct pending **ret_pending)
{
	settle_one(question, error);
	if (ret_pending)
		*ret_pending = &question->pending;
	return 0;
}

/* ---- changes ---- */

static void send_changes(void *userdata);

/* In the loop's next turn: what comes in the same one goes together. */
static void want_send(struct numbers *numbers)
{
	if (numbers->n_rows >= PACE_ROWS)
		(void)later_call_at(&numbers->send, numbers->event,
				    numbers->sent_usec + PACE_MSEC * 1000, send_changes, numbers);
	else
		later_call(&numbers->send, numbers->event, send_changes, numbers);
}

static void list_change(struct numbers *numbers, struct numbers_change *change,
			enum numbers_change_state state)
{
	change->state = state;
	DL_APPEND(numbers->lists[state], change);
	if (state == QUEUED && !numbers->lists[SENT])
		want_send(numbers);
}

static void move_change(struct numbers *numbers, struct numbers_change *change,
			enum numbers_change_state state)
{
	DL_DELETE(numbers->lists[change->state], change);
	list_change(numbers, change, state);
}

/* What an entry will be when all is written. */
static const char *coming_identity(const struct numbers_entry *entry)
{
	return entry->change ? entry->change->identity : entry->identity;
}

static bool coming_retired(const struct numbers_entry *entry)
{
	return entry->change ? entry->change->retired : entry->retired;
}

static uint64_t coming_sequence(const struct numbers_entry *entry)
{
	return entry->change ? entry->change->sequence : entry->sequence;
}

/* A change of an entry that is not sent yet, queued. */
static struct numbers_change *change_of(struct numbers *numbers, struct numbers_entry *entry)
{
	struct numbers_change *before = entry->change, *change;

	if (before && before->state != SENT) {
		if (before->state == DOUBT)
			move_change(numbers, before, QUEUED);
		return before;
	}
	change = calloc(1, sizeof(*change));
	if (!change)
		return NULL;
	change->entry = entry;
	change->identity = coming_identity(entry);
	change->retired = coming_retired(entry);
	change->sequence = coming_sequence(entry);
	change->created = before ? before->created : entry->synced ? entry->created : time(NULL);
	entry->change = change;
	list_change(numbers, change, QUEUED);
	return change;
}

/* Unless it stands for one already. */
static int say_identity(struct numbers_change *change, const char *identity)
{
	if (identity && !change->identity)
		change->identity = change->new_identity = strdup(identity);
	return identity && !change->identity ? -ENOMEM : 0;
}

static void wait_for(struct numbers_question *question, struct numbers_change *change)
{
	struct numbers_waiter *waiter = &question->waiters[question->n_waiters++];

	*waiter = (struct numbers_waiter){ .question = question, .next = change->waiters };
	change->waiters = waiter;
	question->n_pending++;
}

/* What a call makes of an entry, and waits for. NULL: memory is out. */
static struct numbers_change *begin_change(struct numbers_question *question,
					   struct numbers_entry *entry)
{
	struct numbers_change *change = change_of(question->numbers, entry);

	if (change)
		wait_for(question, change);
	return change;
}

/* Wait for what is under way with an entry, if anything is. */
static void await(struct numbers_question *question, struct numbers_entry *entry)
{
	if (!entry->change)
		return;
	if (entry->change->state == DOUBT)
		move_change(question->numbers, entry->change, QUEUED);
	wait_for(question, entry->change);
}

static void tell_waiters(struct numbers_change *change, int error)
{
	struct numbers_waiter *waiter = change->waiters, *next;

	change->waiters = NULL;
	for (; waiter; waiter = next) {
		next = waiter->next; /* the call, and with it the waiter, may go */
		settle_one(waiter->question, error);
	}
}

static void change_free(struct numbers_change *change)
{
	if (change->entry->change == change)
		change->entry->change = NULL;
	free(change->new_identity);
	free(change);
}

static void apply(struct numbers *numbers, struct numbers_change *change)
{
	numbers_entries_set(numbers->entries, change->entry, TAKE_PTR(change->new_identity),
			    change->sequence, change->retired, change->created);
	tell_waiters(change, 0);
	change_free(change);
}

static void fail_change(struct numbers *numbers, struct numbers_change *change, int error)
{
	struct numbers_change *later = change->entry->change;

	tell_waiters(change, error);
	if (later != change) {
		/* It says all that this one said, and more. */
		if (change->new_identity)
			later->new_identity = TAKE_PTR(change->new_identity);
		change_free(change);
	} else if (error == -EEXIST) {
		/* What stands against it is on the disk; this is not. */
		change_free(change);
	} else {
		list_change(numbers, change, DOUBT);
	}
}

/* ---- to the copies and back ---- */

static struct store_row row_of_change(const struct numbers_change *change)
{
	return (struct store_row){
		.number = change->entry->number,
		.path = change->entry->path,
		.n_path = change->entry->n_path,
		.identity = change->identity,
		.n_identity = change->identity ? strlen(change->identity) : 0,
		.sequence = change->sequence,
		.retired = change->retired,
		.created = change->created,
	};
}

static void send_changes(void *userdata)
{
	struct numbers *numbers = userdata;
	struct numbers_change *change, *next;
	size_t n = 0;

	if (numbers->lists[SENT])
		return;
	DL_FOREACH_SAFE (numbers->lists[QUEUED], change, next) {
		if (n == NUMBERS_GROUP_MAX)
			break;
		numbers->rows[n++] = row_of_change(change);
		move_change(numbers, change, SENT);
	}
	if (n == 0)
		return;
	numbers->n_rows = n;
	numbers->sent_usec = later_now_usec();
	copies_write(numbers->copies, numbers->rows, n);
}

void numbers_written(void *userdata, int error)
{
	struct numbers *numbers = userdata;
	struct numbers_change *change, *next, *sent = TAKE_PTR(numbers->lists[SENT]);

	DL_FOREACH_SAFE (sent, change, next) {
		DL_DELETE(sent, change);
		if (error == 0)
			apply(numbers, change);
		else
			fail_change(numbers, change, error);
	}
	if (error == 0)
		while (numbers->lists[DOUBT])
			move_change(numbers, numbers->lists[DOUBT], QUEUED);
	if (numbers->lists[QUEUED])
		want_send(numbers);
}

void numbers_free_changes(struct numbers *numbers)
{
	struct numbers_change *change, *next;

	later_cancel(&numbers->send);
	for (size_t i = 0; i < N_ELEMENTS(numbers->lists); i++)
		DL_FOREACH_SAFE (numbers->lists[i], change, next)
			change_free(change);
	while (numbers->questions)
		question_free(numbers->questions);
}

/* ---- giving numbers ---- */

/*
 * The same for every version and machine: handles that clients hold depend on it when a store is
 * lost.
 */
static uint32_t hash_to_number(const char *bytes, size_t n_bytes)
{
	static const uuid_t name_space = { 0x5d, 0x1c, 0x7a, 0x0e, 0x6a, 0x1b, 0x4f, 0x0c,
					   0x9f, 0x0e, 0x2f, 0x6b, 0x1f, 0x0a, 0x7c, 0x11 };
	const uint64_t n_numbers = (uint64_t)NUMBERS_LAST - NUMBERS_FIRST + 1;
	uint64_t value = 0;
	uuid_t hash;

	uuid_generate_sha1(hash, name_space, bytes, n_bytes);
	/* The first six bytes: the seventh holds the UUID's version. */
	for (int i = 0; i < 6; i++)
		value = value << 8 | hash[i];
	return (uint32_t)(NUMBERS_FIRST + value % n_numbers);
}

uint32_t numbers_first_choice(const char *path)
{
	return hash_to_number(path, strlen(path));
}

/*
 * A path's first number depends on the path alone, whatever medium is there; further ones on both.
 */
static uint32_t first_choice_for(const struct numbers *numbers, const char *path,
				 const char *identity)
{
	char bytes[PATH_MAX + NUMBERS_IDENTITY_MAX + 1];
	size_t n_path = strlen(path), n_identity = identity ? strlen(identity) : 0;
	const struct numbers_entry *entry = numbers_chain(numbers, path);

	while (entry && !entry->number)
		entry = entry->next_of_path;
	if (!entry || !identity)
		return numbers_first_choice(path);
	memcpy(bytes, path, n_path + 1);
	memcpy(bytes + n_path + 1, identity, n_identity);
	return hash_to_number(bytes, n_path + 1 + n_identity);
}

void numbers_set_reserved(struct numbers *numbers, numbers_reserved_fn reserved, void *userdata)
{
	numbers->reserved = reserved;
	numbers->reserved_userdata = userdata;
}

static bool is_reserved(const struct numbers *numbers, uint32_t number)
{
	return numbers->reserved && numbers->reserved(numbers->reserved_userdata, number);
}

/* Returns 0 if none is free. */
static uint32_t choose(const struct numbers *numbers, const char *path, const char *identity)
{
	uint32_t number = first_choice_for(numbers, path, identity);

	for (int i = 0; i < NUMBERS_PROBES_MAX; i++) {
		if (!numbers_entries_find(numbers->entries, number) &&
		    !is_reserved(numbers, number))
			return number;
		number = number == NUMBERS_LAST ? NUMBERS_FIRST : number + 1;
	}
	return 0;
}

static int check_path(const char *path)
{
	if (path[0] != '/')
		return -EINVAL;
	return strlen(path) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int check_identity(const char *identity)
{
	if (!identity)
		return 0;
	if (!*identity)
		return -EINVAL;
	return strlen(identity) > NUMBERS_IDENTITY_MAX ? -E2BIG : 0;
}

/* Is it known, or will it be? Else a call wanted it, and could not have it written. */
static bool is_wanted(const struct numbers_entry *entry)
{
	return entry->synced || entry->change;
}

/* Of a path's numbers the one that will be primary, with this identity if there is one. */
static struct numbers_entry *coming_primary(struct numbers_entry *chain,
					    const char *const *identity)
{
	struct numbers_entry *best = NULL;

	for (struct numbers_entry *entry = chain; entry; entry = entry->next_of_path)
		if (entry->number && is_wanted(entry) && !coming_retired(entry) &&
		    (!identity || numbers_same_identity(coming_identity(entry), *identity)) &&
		    (!best || coming_sequence(entry) > coming_sequence(best)))
			best = entry;
	return best;
}

static struct numbers_entry *find_left(struct numbers_entry *chain)
{
	while (chain && (is_wanted(chain) || !chain->number))
		chain = chain->next_of_path;
	return chain;
}

/* Make an entry its path's primary number, and have the call wait for it. */
static int make_primary(struct numbers_question *question, struct numbers_entry *entry,
			const char *identity)
{
	struct numbers_change *change = begin_change(question, entry);

	if (!change)
		return -ENOMEM;
	change->sequence = ++question->numbers->entries->last_sequence;
	change->retired = false;
	return say_identity(change, identity);
}

static int give_new(struct numbers_question *question, const char *path, const char *identity,
		    uint32_t number)
{
	const struct store_row row = { .number = number, .path = path, .n_path = strlen(path) };
	struct numbers_entry *entry;
	int r = numbers_entries_add(question->numbers->entries, &row, &entry);

	return r < 0 ? r : make_primary(question, entry, identity);
}

static int assign_new(struct numbers_question *question, const char *path, const char *identity)
{
	struct numbers_entry *left = find_left(numbers_chain(question->numbers, path));
	uint32_t number;
	int r = check_path(path);

	if (r < 0)
		return r;
	if (left)
		return make_primary(question, left, identity);
	number = choose(question->numbers, path, identity);
	return number ? give_new(question, path, identity, number) : -ENOSPC;
}

int numbers_assign(struct numbers *numbers, const char *const *paths, size_t n_paths,
		   numbers_done_fn done, void *userdata, struct pending **ret_pending)
{
	struct numbers_question *question = question_new(numbers, n_paths, done, userdata);
	int r = 0;

	if (!question)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n_paths; i++) {
		struct numbers_entry *chain = numbers_chain(numbers, paths[i]);
		struct numbers_entry *entry = coming_primary(chain, NULL);

		if (numbers_entry_primary(chain))
			continue;
		if (entry)
			await(question, entry);
		else
			r = assign_new(question, paths[i], NULL);
	}
	return question_begun(question, r, ret_pending);
}

int numbers_assign_for(struct numbers *numbers, const char *path, const char *identity,
		       numbers_done_fn done, void *userdata, struct pending **ret_pending)
{
	struct numbers_question *question = question_new(numbers, 1, done, userdata);
	struct numbers_entry *chain = numbers_chain(numbers, path), *entry;
	int r = check_identity(identity);

	if (!question)
		return -ENOMEM;
	entry = coming_primary(chain, &identity);
	if (r == 0 && !entry)
		r = assign_new(question, path, identity);
	else if (r == 0 && entry == coming_primary(chain, NULL))
		await(question, entry);
	else if (r == 0)
		r = make_primary(question, entry, identity);
	return question_begun(question, r, ret_pending);
}

/* Why a path cannot have a number; 0 if it can, or has it. */
static int judge(const struct numbers *numbers, const char *path, const char *identity,
		 uint32_t number)
{
	const struct numbers_entry *entry = numbers_entries_find(numbers->entries, number);
	const char *its_identity = entry ? coming_identity(entry) : NULL;
	int r = check_identity(identity);

	if (number < 1 || number > NUMBERS_LAST)
		return -ERANGE;
	if (r == 0 && entry &&
	    (!str_equal(entry->path, path) ||
	     (its_identity && !numbers_same_identity(its_identity, identity))))
		return -EEXIST;
	return r < 0 ? r : check_path(path);
}

int numbers_set(struct numbers *numbers, const char *path, const char *identity, uint32_t number,
		numbers_done_fn done, void *userdata, struct pending **ret_pending)
{
	struct numbers_question *question = question_new(numbers, 1, done, userdata);
	struct numbers_entry *chain = numbers_chain(numbers, path);
	struct numbers_entry *entry = numbers_entries_find(numbers->entries, number);
	int r;

	if (!question)
		return -ENOMEM;
	r = judge(numbers, path, identity, number);
	if (r == 0 && !entry)
		r = give_new(question, path, identity, number);
	else if (r == 0 && entry == coming_primary(chain, NULL) &&
		 numbers_same_identity(coming_identity(entry), identity))
		await(question, entry);
	else if (r == 0)
		r = make_primary(question, entry, identity);
	return question_begun(question, r, ret_pending);
}

int numbers_adopt(struct numbers *numbers, const char *path, const char *identity, uint32_t number,
		  numbers_done_fn done, void *userdata, struct pending **ret_pending)
{
	const struct numbers_entry *other = coming_primary(numbers_chain(numbers, path), &identity);
	struct numbers_question *question;
	int r = number < NUMBERS_FIRST || number > NUMBERS_LAST ? -ERANGE : 0;

	if (r == 0 && other && other->number != number)
		r = -EEXIST;
	if (r == 0 && !numbers_entries_find(numbers->entries, number) &&
	    is_reserved(numbers, number))
		r = -EEXIST;
	if (r == 0)
		return numbers_set(numbers, path, identity, number, done, userdata, ret_pending);
	question = question_new(numbers, 1, done, userdata);
	return question ? question_begun(question, r, ret_pending) : -ENOMEM;
}

/* ---- saying more of a number ---- */

static int bind(struct numbers_question *question, uint32_t number, const char *identity)
{
	struct numbers_entry *entry = numbers_entries_find(question->numbers->entries, number);
	struct numbers_change *change;
	int r = identity ? check_identity(identity) : -EINVAL;

	if (r < 0)
		return r;
	if (!entry || !is_wanted(entry))
		return -ENOENT;
	if (numbers_same_identity(coming_identity(entry), identity)) {
		await(question, entry);
		return 0;
	}
	if (coming_identity(entry) ||
	    coming_primary(numbers_chain(question->numbers, entry->path), &identity))
		return -EEXIST;
	change = begin_change(question, entry);
	return change ? say_identity(change, identity) : -ENOMEM;
}

int numbers_bind(struct numbers *numbers, uint32_t number, const char *identity,
		 numbers_done_fn done, void *userdata, struct pending **ret_pending)
{
	struct numbers_question *question = question_new(numbers, 1, done, userdata);

	if (!question)
		return -ENOMEM;
	return question_begun(question, bind(question, number, identity), ret_pending);
}

/* Numbers and directories: say whether it is in use. */
static int say_retired(struct numbers_question *question, struct numbers_entry *entry, bool retired)
{
	struct numbers_change *change;

	if (is_wanted(entry) && coming_retired(entry) == retired) {
		await(question, entry);
		return 0;
	}
	change = begin_change(question, entry);
	if (!change)
		return -ENOMEM;
	change->retired = retired;
	change->sequence = ++question->numbers->entries->last_sequence;
	return 0;
}

int numbers_retire(struct numbers *numbers, uint32_t number, numbers_done_fn done, void *userdata,
		   struct pending **ret_pending)
{
	struct numbers_question *question = question_new(numbers, 1, done, userdata);
	struct numbers_entry *entry = numbers_entries_find(numbers->entries, number);
	int r = -ENOENT;

	if (!question)
		return -ENOMEM;
	if (entry && is_wanted(entry))
		r = say_retired(question, entry, true);
	return question_begun(question, r, ret_pending);
}

int numbers_record_directories(struct numbers *numbers, const char *const *paths, size_t n_paths,
			       bool made, numbers_done_fn done, void *userdata,
			       struct pending **ret_pending)
{
	struct numbers_question *question = question_new(numbers, n_paths, done, userdata);
	int r = 0;

	if (!question)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n_paths; i++) {
		const struct store_row row = { .path = paths[i], .n_path = strlen(paths[i]) };
		struct numbers_entry *entry =
			numbers_entries_find_directory(numbers->entries, row.path, row.n_path);

		r = check_path(paths[i]);
		if (r == 0 && !entry && made)
			r = numbers_entries_add(numbers->entries, &row, &entry);
		if (r == 0 && entry)
			r = say_retired(question, entry, !made);
	}
	return question_begun(question, r, ret_pending);
}

/* ---- facts from elsewhere ---- */

bool numbers_contradicts(const struct numbers *numbers, const struct numbers_fact *fact)
{
	const struct numbers_entry *entry = numbers_entries_find(numbers->entries, fact->number);
	const char *identity = entry ? coming_identity(entry) : NULL;

	return entry && (!str_equal(entry->path, fact->path) ||
			 (identity && fact->identity && !str_equal(identity, fact->identity)));
}

static struct store_row row_of_fact(const struct numbers_fact *fact)
{
	return (struct store_row){
		.number = fact->number,
		.path = fact->path,
		.n_path = strlen(fact->path),
		.identity = fact->identity,
		.n_identity = fact->identity ? strlen(fact->identity) : 0,
		.sequence = fact->sequence,
		.created = fact->created,
		.retired = fact->retired,
	};
}

static int take_fact(struct numbers_question *question, const struct numbers_fact *fact)
{
	struct numbers_entries *entries = question->numbers->entries;
	struct numbers_entry *entry = numbers_entries_find(entries, fact->number);
	const struct store_row row = row_of_fact(fact);
	struct numbers_change *change;
	struct store_row joined = row;
	bool is_new = !entry;
	int r = is_new ? numbers_entries_add(entries, &row, &entry) : 0;

	if (r < 0)
		return r;
	change = begin_change(question, entry);
	if (!change)
		return -ENOMEM;
	if (!is_new)
		joined = row_of_change(change);
	if (!store_row_join(&joined, &row))
		return -EEXIST;
	change->sequence = joined.sequence;
	change->retired = joined.retired;
	change->created = joined.created;
	return say_identity(change, fact->identity);
}

/* Returns 0; -EINVAL; -EEXIST if it is against what is known, or against one of those before it. */
static int judge_fact(const struct numbers *numbers, const struct numbers_fact *facts, size_t i)
{
	const struct store_row row = row_of_fact(&facts[i]);

	if (!row.number || !store_row_good(&row) || !store_row_is_plausible(&row))
		return -EINVAL;
	if (numbers_contradicts(numbers, &facts[i]))
		return -EEXIST;
	for (size_t k = 0; k < i; k++) {
		struct store_row other = row_of_fact(&facts[k]);

		if (other.number == row.number && !store_row_join(&other, &row))
			return -EEXIST;
	}
	return 0;
}

int numbers_take(struct numbers *numbers, const struct numbers_fact *facts, size_t n_facts,
		 numbers_done_fn done, void *userdata, struct pending **ret_pending)
{
	struct numbers_question *question = question_new(numbers, n_facts, done, userdata);
	int r = 0;

	if (!question)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n_facts; i++)
		r = judge_fact(numbers, facts, i);
	for (size_t i = 0; r == 0 && i < n_facts; i++)
		r = take_fact(question, &facts[i]);
	return question_begun(question, r, ret_pending);
}
