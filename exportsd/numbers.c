/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * numbers.c - paths and their numbers in memory, and the errands to the store's process.
 *
 * An entry is a number with its path. It is synced (the store said so: others may see it), under way (an errand
 * has it), or in doubt: the store failed, and nobody can say whether the row is on the disk. One in
 * doubt keeps its number and its path for itself until an errand for it succeeds, so nothing that
 * the disk may yet remember is ever contradicted. Entries live until numbers_close().
 *
 * A call (struct numbers_question) counts what it waits for. When that is nothing any more, it goes to the
 * ready list, and its done() is called from the loop.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <uuid/uuid.h>

#define HASH_NONFATAL_OOM 1 /* an element that was not added has no table */
#include <uthash.h>
#include <utlist.h>

#include "exportsd/log.h"
#include "exportsd/numbers.h"
#include "exportsd/store.h"
#include "exportsd/worker.h"

enum {
	ERRAND_PATHS_MAX = 500, /* two fields each: within PROTO_FIELDS_MAX */
	ERRAND_BYTES_MAX = 96 * 1024, /* escaped: within PROTO_MESSAGE_MAX */
	ERRAND_TRIES_MAX = 3, /* of the same errand, when the store's process dies over it */
	FIELD_BYTES = 32, /* what a path's fields take besides the path */
};

struct number {
	UT_hash_handle by_number;
	UT_hash_handle by_path; /* primary ones only */
	struct waiter *waiters; /* calls to tell when it is settled */
	uint32_t number;
	int error; /* of the last errand */
	bool synced;
	bool under_way;
	char path[];
};

/* One call waits for one entry. */
struct waiter {
	struct numbers_question *question;
	struct waiter *next;
};

struct directory {
	UT_hash_handle hh;
	char path[];
};

struct numbers_question {
	struct numbers *numbers;
	struct numbers_question *prev, *next; /* in waiting or ready */
	size_t n_pending;
	struct waiter *waiters; /* as many as it has paths */
	int error;
	numbers_done_fn done; /* NULL: cancelled */
	void *userdata;
};

/* One message to the store: numbers, or directories of one call. */
struct errand {
	struct numbers *numbers;
	struct errand *prev, *next;
	struct number **entries;
	char **directories;
	size_t n; /* of either */
	bool made;
	struct numbers_question *question; /* whose directories */
	unsigned int n_tries;
};

/* Synced entries in order of number, sorted when somebody looks. */
struct order {
	struct number **entries;
	size_t n, size;
	bool sorted;
};

struct numbers {
	char *file;
	struct worker *worker;
	sd_event_source *ready_source;
	struct number *by_number;
	struct number *by_path;
	size_t n_paths; /* with a synced primary number */
	struct order *order;
	struct directory *directories;
	struct numbers_question *waiting;
	struct numbers_question *ready;
	struct errand *errands;
};

/* ---- entries ---- */

static struct number *find_path(const struct numbers *numbers, const char *path)
{
	struct number *entry;

	HASH_FIND(by_path, numbers->by_path, path, strlen(path), entry);
	return entry;
}

static struct number *find_number(const struct numbers *numbers, uint32_t number)
{
	struct number *entry;

	HASH_FIND(by_number, numbers->by_number, &number, sizeof(number), entry);
	return entry;
}

static struct number *add_entry(struct numbers *numbers, uint32_t number, const char *path,
				size_t n_bytes, bool is_primary)
{
	struct number *entry = calloc(1, sizeof(*entry) + n_bytes + 1);

	if (!entry)
		return NULL;
	entry->number = number;
	memcpy(entry->path, path, n_bytes);
	HASH_ADD(by_number, numbers->by_number, number, sizeof(entry->number), entry);
	if (!entry->by_number.tbl) {
		free(entry);
		return NULL;
	}
	if (!is_primary)
		return entry;
	HASH_ADD_KEYPTR(by_path, numbers->by_path, entry->path, n_bytes, entry);
	if (!entry->by_path.tbl) {
		HASH_DELETE(by_number, numbers->by_number, entry);
		free(entry);
		return NULL;
	}
	return entry;
}

/* From now on others may see it. */
static int entry_synced(struct numbers *numbers, struct number *entry)
{
	struct order *order = numbers->order;

	if (order->n == order->size) {
		size_t size = order->size ? order->size * 2 : 64;
		struct number **grown = reallocarray(order->entries, size, sizeof(struct number *));

		if (!grown)
			return -ENOMEM;
		order->entries = grown;
		order->size = size;
	}
	order->sorted &= !order->n || order->entries[order->n - 1]->number < entry->number;
	order->entries[order->n++] = entry;
	entry->synced = true;
	numbers->n_paths += entry->by_path.tbl != NULL;
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	const struct number *first = *(struct number *const *)a,
			    *second = *(struct number *const *)b;

	return (first->number > second->number) - (first->number < second->number);
}

uint32_t numbers_get(const struct numbers *numbers, const char *path)
{
	const struct number *entry = find_path(numbers, path);

	return entry && entry->synced ? entry->number : 0;
}

const char *numbers_path(const struct numbers *numbers, uint32_t number)
{
	const struct number *entry = find_number(numbers, number);

	return entry && entry->synced ? entry->path : NULL;
}

size_t numbers_count(const struct numbers *numbers)
{
	return numbers->n_paths;
}

uint32_t numbers_next(const struct numbers *numbers, uint32_t after)
{
	struct order *order = numbers->order;
	size_t low = 0, high = order->n;

	if (!order->sorted)
		qsort(order->entries, order->n, sizeof(struct number *), compare_numbers);
	order->sorted = true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order->entries[middle]->number <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low < order->n ? order->entries[low]->number : 0;
}

bool numbers_made_directory(const struct numbers *numbers, const char *path)
{
	struct directory *directory;

	HASH_FIND_STR(numbers->directories, path, directory);
	return directory;
}

static int add_directory(struct numbers *numbers, const char *path, size_t n_bytes)
{
	struct directory *directory;

	HASH_FIND(hh, numbers->directories, path, n_bytes, directory);
	if (directory)
		return 0;
	directory = calloc(1, sizeof(*directory) + n_bytes + 1);
	if (!directory)
		return -ENOMEM;
	memcpy(directory->path, path, n_bytes);
	HASH_ADD_KEYPTR(hh, numbers->directories, directory->path, n_bytes, directory);
	if (directory->hh.tbl)
		return 0;
	free(directory);
	return -ENOMEM;
}

static void remove_directory(struct numbers *numbers, const char *path)
{
	struct directory *directory;

	HASH_FIND_STR(numbers->directories, path, directory);
	if (!directory)
		return;
	HASH_DEL(numbers->directories, directory);
	free(directory);
}

/* ---- calls ---- */

static void question_free(struct numbers_question *question)
{
	free(question->waiters);
	free(question);
}

static void make_ready(struct numbers_question *question)
{
	struct numbers *numbers = question->numbers;

	DL_DELETE(numbers->waiting, question);
	DL_APPEND(numbers->ready, question);
	(void)sd_event_source_set_enabled(numbers->ready_source, SD_EVENT_ONESHOT);
}

/* One thing a call waited for is settled. */
static void settle_one(struct numbers_question *question, int error)
{
	if (!question->error)
		question->error = error;
	if (--question->n_pending == 0)
		make_ready(question);
}

static int on_ready(sd_event_source *source, void *userdata)
{
	struct numbers *numbers = userdata;
	struct numbers_question *question, *all = numbers->ready;

	/* A done() may make further calls ready, for the next turn, and cancel these. */
	DL_FOREACH (all, question)
		question->n_pending = 1;
	while ((question = numbers->ready) && question->n_pending) {
		numbers_done_fn done = question->done;
		void *asker = question->userdata;
		int error = question->error;

		DL_DELETE(numbers->ready, question);
		question_free(question);
		if (done)
			done(asker, error);
	}
	if (numbers->ready)
		(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

void numbers_cancel(struct numbers_question *question)
{
	if (question)
		question->done = NULL;
}

/* A call that so far waits for one thing: that it has been read to its end. */
static struct numbers_question *question_new(struct numbers *numbers, size_t n_paths,
					     numbers_done_fn done, void *userdata)
{
	struct numbers_question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	*question = (struct numbers_question){
		.numbers = numbers,
		.n_pending = 1,
		.waiters = calloc(n_paths ? n_paths : 1, sizeof(struct waiter)),
		.done = done,
		.userdata = userdata,
	};
	if (!question->waiters) {
		question_free(question);
		return NULL;
	}
	DL_APPEND(numbers->waiting, question);
	return question;
}

static void wait_for(struct numbers_question *question, struct number *entry, size_t index)
{
	struct waiter *waiter = &question->waiters[index];

	*waiter = (struct waiter){ .question = question, .next = entry->waiters };
	entry->waiters = waiter;
	question->n_pending++;
}

static void settle_entry(struct number *entry, int error)
{
	struct waiter *waiter = entry->waiters, *next;

	entry->under_way = false;
	entry->error = error;
	entry->waiters = NULL;
	for (; waiter; waiter = next) {
		next = waiter->next; /* the call, and with it the waiter, may go */
		settle_one(waiter->question, error);
	}
}

/* ---- errands ---- */

static void errand_free(struct errand *errand)
{
	for (size_t i = 0; errand->directories && i < errand->n; i++)
		free(errand->directories[i]);
	free(errand->directories);
	free(errand->entries);
	free(errand);
}

static struct errand *errand_new(struct numbers *numbers, bool with_directories)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (!errand)
		return NULL;
	errand->numbers = numbers;
	if (with_directories)
		errand->directories = calloc(ERRAND_PATHS_MAX, sizeof(char *));
	else
		errand->entries = calloc(ERRAND_PATHS_MAX, sizeof(struct number *));
	if (errand->directories || errand->entries)
		return errand;
	free(errand);
	return NULL;
}

static int directories_synced(const struct errand *errand)
{
	int r = 0;

	for (size_t i = 0; i < errand->n; i++) {
		const char *path = errand->directories[i];

		if (!errand->made)
			remove_directory(errand->numbers, path);
		else if (add_directory(errand->numbers, path, strlen(path)) < 0)
			r = -ENOMEM;
	}
	return r;
}

/* The store has answered for good. */
static void errand_finish(struct errand *errand, int error)
{
	for (size_t i = 0; errand->entries && i < errand->n; i++) {
		int r = error;

		if (r == 0)
			r = entry_synced(errand->numbers, errand->entries[i]);
		settle_entry(errand->entries[i], r);
	}
	if (errand->directories)
		settle_one(errand->question, error ? error : directories_synced(errand));
	DL_DELETE(errand->numbers->errands, errand);
	errand_free(errand);
}

static int errand_send(struct errand *errand);

static void on_answer(void *userdata, int error, const struct proto_message *answer)
{
	struct errand *errand = userdata;
	const char *why = answer ? proto_get(answer, "message") : NULL;

	/* The row may be there or not; said twice, it is as true as said once. */
	if (error == -EPIPE && errand->n_tries < ERRAND_TRIES_MAX) {
		error = errand_send(errand);
		if (error == 0)
			return;
	}
	if (error < 0) {
		errno = -error;
		if (why)
			log_error(NULL, "Cannot record numbers: %s", why);
		else
			log_error(NULL, "Cannot record numbers in '%s': %m", errand->numbers->file);
	}
	errand_finish(errand, error);
}

static int errand_send(struct errand *errand)
{
	struct proto_writer message = {};
	int r;

	errand->n_tries++;
	proto_begin(&message, errand->entries ? "numbers" : "directories");
	if (errand->directories)
		proto_put_u64(&message, "made", errand->made);
	for (size_t i = 0; i < errand->n; i++)
		if (errand->entries) {
			proto_put_u64(&message, "number", errand->entries[i]->number);
			proto_put(&message, "path", errand->entries[i]->path);
		} else {
			proto_put(&message, "path", errand->directories[i]);
		}
	r = worker_ask(errand->numbers->worker, &message, 0, on_answer, errand, NULL);
	proto_writer_done(&message);
	return r;
}

/* Send it; if that cannot be, it has failed already. */
static void errand_start(struct errand *errand)
{
	int r;

	DL_APPEND(errand->numbers->errands, errand);
	r = errand_send(errand);
	if (r < 0)
		errand_finish(errand, r);
}

/* How much of a message a path may take: every byte may need an escape. */
static size_t path_cost(const char *path)
{
	return 4 * strlen(path) + FIELD_BYTES;
}

/* Fill errands with what numbers_assign() and numbers_adopt() find. */
struct load {
	struct numbers *numbers;
	struct errand *errand; /* being filled, or NULL */
	size_t cost;
};

static void load_send(struct load *load)
{
	if (load->errand)
		errand_start(load->errand);
	load->errand = NULL;
	load->cost = 0;
}

/* An errand with room for one more path. */
static struct errand *load_errand(struct load *load, const char *path, bool with_directories)
{
	size_t cost = path_cost(path);

	if (load->errand &&
	    (load->errand->n == ERRAND_PATHS_MAX || load->cost + cost > ERRAND_BYTES_MAX))
		load_send(load);
	if (!load->errand)
		load->errand = errand_new(load->numbers, with_directories);
	load->cost += cost;
	return load->errand;
}

static int load_entry(struct load *load, struct number *entry)
{
	struct errand *errand = load_errand(load, entry->path, false);

	if (!errand)
		return -ENOMEM;
	entry->under_way = true;
	errand->entries[errand->n++] = entry;
	return 0;
}

/* ---- giving numbers ---- */

uint32_t numbers_first_choice(const char *path)
{
	static const uuid_t name_space = { 0x5d, 0x1c, 0x7a, 0x0e, 0x6a, 0x1b, 0x4f, 0x0c,
					   0x9f, 0x0e, 0x2f, 0x6b, 0x1f, 0x0a, 0x7c, 0x11 };
	const uint64_t n_numbers = (uint64_t)NUMBERS_LAST - NUMBERS_FIRST + 1;
	uint64_t value = 0;
	uuid_t hash;

	uuid_generate_sha1(hash, name_space, path, strlen(path));
	/* The first six bytes: the seventh holds the UUID's version. */
	for (int i = 0; i < 6; i++)
		value = value << 8 | hash[i];
	return (uint32_t)(NUMBERS_FIRST + value % n_numbers);
}

/* Returns 0 if none is free. */
static uint32_t choose(const struct numbers *numbers, const char *path,
		       numbers_reserved_fn reserved, void *reserved_userdata)
{
	uint32_t number = numbers_first_choice(path);

	for (int i = 0; i < NUMBERS_PROBES_MAX; i++) {
		if (!find_number(numbers, number) &&
		    !(reserved && reserved(reserved_userdata, number)))
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

/* Have a call wait until an entry is synced, with an errand if it has none. */
static int await(struct load *load, struct numbers_question *question, struct number *entry,
		 size_t index)
{
	if (entry->synced)
		return 0;
	if (!entry->under_way) {
		int r = load_entry(load, entry);

		if (r < 0)
			return r;
	}
	wait_for(question, entry, index);
	return 0;
}

/* An entry that nobody was told of can go as it came. */
static void forget_entry(struct numbers *numbers, struct number *entry)
{
	HASH_DELETE(by_number, numbers->by_number, entry);
	HASH_DELETE(by_path, numbers->by_path, entry);
	free(entry);
}

static int add_and_await(struct load *load, struct numbers_question *question, uint32_t number,
			 const char *path, size_t index)
{
	struct number *entry = add_entry(load->numbers, number, path, strlen(path), true);
	int r;

	if (!entry)
		return -ENOMEM;
	r = await(load, question, entry, index);
	if (r < 0)
		forget_entry(load->numbers, entry);
	return r;
}

int numbers_assign(struct numbers *numbers, const char *const *paths, size_t n_paths,
		   numbers_reserved_fn reserved, void *reserved_userdata, numbers_done_fn done,
		   void *userdata, struct numbers_question **ret_question)
{
	struct numbers_question *question = question_new(numbers, n_paths, done, userdata);
	struct load load = { .numbers = numbers };
	int r = 0;

	if (!question)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n_paths; i++) {
		struct number *entry = find_path(numbers, paths[i]);
		uint32_t number;

		if (entry) {
			r = await(&load, question, entry, i);
			continue;
		}
		r = check_path(paths[i]);
		if (r < 0)
			break;
		number = choose(numbers, paths[i], reserved, reserved_userdata);
		r = number ? add_and_await(&load, question, number, paths[i], i) : -ENOSPC;
	}
	load_send(&load);
	settle_one(question, r);
	if (ret_question)
		*ret_question = question;
	return 0;
}

/* Why a path cannot have a number; 0 if it can, or has it. */
static int judge(const struct numbers *numbers, const char *path, uint32_t number,
		 numbers_reserved_fn reserved, void *reserved_userdata)
{
	const struct number *by_path = find_path(numbers, path);
	const struct number *by_number = find_number(numbers, number);

	if (number < NUMBERS_FIRST || number > NUMBERS_LAST)
		return -ERANGE;
	if (by_path || by_number)
		return by_path == by_number ? 0 : -EEXIST;
	if (check_path(path) < 0)
		return check_path(path);
	return reserved && reserved(reserved_userdata, number) ? -EEXIST : 0;
}

int numbers_adopt(struct numbers *numbers, const char *path, const char *identity, uint32_t number,
		  numbers_reserved_fn reserved, void *reserved_userdata, numbers_done_fn done,
		  void *userdata, struct numbers_question **ret_question)
{
	struct numbers_question *question = question_new(numbers, 1, done, userdata);
	struct load load = { .numbers = numbers };
	int r;

	if (!question)
		return -ENOMEM;
	r = judge(numbers, path, number, reserved, reserved_userdata);
	if (r == 0) {
		struct number *entry = find_path(numbers, path);

		if (entry)
			r = await(&load, question, entry, 0);
		else
			r = add_and_await(&load, question, number, path, 0);
	}
	load_send(&load);
	settle_one(question, r);
	if (ret_question)
		*ret_question = question;
	return 0;
}

int numbers_record_directories(struct numbers *numbers, const char *const *paths, size_t n_paths,
			       bool made, numbers_done_fn done, void *userdata,
			       struct numbers_question **ret_question)
{
	struct numbers_question *question = question_new(numbers, 0, done, userdata);
	struct load load = { .numbers = numbers };
	int r = 0;

	if (!question)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n_paths; i++) {
		struct errand *errand = load_errand(&load, paths[i], true);
		char *copy = errand ? strdup(paths[i]) : NULL;

		if (errand && errand->question != question) {
			errand->question = question;
			errand->made = made;
			question->n_pending++;
		}
		if (copy)
			errand->directories[errand->n++] = copy;
		else
			r = -ENOMEM;
	}
	load_send(&load);
	settle_one(question, r);
	if (ret_question)
		*ret_question = question;
	return 0;
}

/* ---- opening and closing ---- */

static int read_number(void *userdata, uint32_t number, const char *path, size_t n_bytes,
		       bool is_primary)
{
	struct numbers *numbers = userdata;
	struct number *entry;

	HASH_FIND(by_path, numbers->by_path, path, n_bytes, entry);
	if (entry && is_primary) {
		log_error(
			NULL,
			"Number store '%s' contradicts itself: '%s' has the primary numbers %" PRIu32
			" and %" PRIu32 ", put a copy in its place",
			numbers->file, entry->path, entry->number, number);
		return -EUCLEAN;
	}
	entry = add_entry(numbers, number, path, n_bytes, is_primary);
	return entry ? entry_synced(numbers, entry) : -ENOMEM;
}

static int read_directory(void *userdata, const char *path, size_t n_bytes)
{
	return add_directory(userdata, path, n_bytes);
}

static int load_store(struct numbers *numbers)
{
	const struct store_reader reader = { numbers, read_number, read_directory };
	CLEANUP(freep) char *why = NULL;
	int r;

	r = store_load(numbers->file, &reader, &why);
	if (r < 0 && why)
		log_error(NULL, "Cannot use %s", why);
	return r;
}

int numbers_open(struct numbers **ret_numbers, sd_event *event, const char *file)
{
	struct numbers *numbers = calloc(1, sizeof(*numbers));
	int r = -ENOMEM;

	if (!numbers)
		return -ENOMEM;
	numbers->file = strdup(file);
	numbers->order = calloc(1, sizeof(*numbers->order));
	if (numbers->file && numbers->order) {
		numbers->order->sorted = true;
		r = load_store(numbers);
	}
	if (r >= 0)
		r = sd_event_add_defer(event, &numbers->ready_source, on_ready, numbers);
	if (r >= 0)
		r = sd_event_source_set_enabled(numbers->ready_source, SD_EVENT_OFF);
	if (r >= 0)
		r = worker_new(&numbers->worker, event, WORKER_STORE, 1, file);
	if (r < 0) {
		numbers_close(numbers);
		return r;
	}
	*ret_numbers = numbers;
	return 0;
}

static void free_entries(struct numbers *numbers)
{
	struct number *entry, *next;
	struct directory *directory, *next_directory;

	HASH_CLEAR(by_path, numbers->by_path);
	HASH_ITER (by_number, numbers->by_number, entry, next) {
		HASH_DELETE(by_number, numbers->by_number, entry);
		free(entry);
	}
	HASH_ITER (hh, numbers->directories, directory, next_directory) {
		HASH_DEL(numbers->directories, directory);
		free(directory);
	}
}

struct numbers *numbers_close(struct numbers *numbers)
{
	struct numbers_question *question, *next_question;
	struct errand *errand, *next_errand;

	if (!numbers)
		return NULL;
	worker_free(numbers->worker);
	DL_FOREACH_SAFE (numbers->errands, errand, next_errand)
		errand_free(errand);
	DL_FOREACH_SAFE (numbers->waiting, question, next_question)
		question_free(question);
	DL_FOREACH_SAFE (numbers->ready, question, next_question)
		question_free(question);
	free_entries(numbers);
	sd_event_source_disable_unref(numbers->ready_source);
	if (numbers->order)
		free(numbers->order->entries);
	free(numbers->order);
	free(numbers->file);
	free(numbers);
	return NULL;
}
