/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * numbers.c - what others see of the numbers; how they are read at the start.
 */

#include <errno.h>

#include "exportsd/base/log.h"
#include "exportsd/numbers/copies.h"
#include "exportsd/numbers/private.h"

/* ---- what others see ---- */

static const struct numbers_entry *find_synced(const struct numbers *numbers, uint32_t number)
{
	const struct numbers_entry *entry = numbers_entries_find(numbers->entries, number);

	return entry && entry->synced ? entry : NULL;
}

uint32_t numbers_get(const struct numbers *numbers, const char *path)
{
	const struct numbers_entry *entry = numbers_entry_primary(numbers_chain(numbers, path));

	return entry ? entry->number : 0;
}

uint32_t numbers_get_for(const struct numbers *numbers, const char *path, const char *identity)
{
	const struct numbers_entry *best = NULL;

	for (const struct numbers_entry *entry = numbers_chain(numbers, path); entry;
	     entry = entry->next_of_path)
		if (entry->number && entry->synced && !entry->retired &&
		    numbers_same_identity(entry->identity, identity) &&
		    (!best || entry->sequence > best->sequence))
			best = entry;
	return best ? best->number : 0;
}

const char *numbers_path(const struct numbers *numbers, uint32_t number)
{
	const struct numbers_entry *entry = find_synced(numbers, number);

	return entry ? entry->path : NULL;
}

const char *numbers_identity(const struct numbers *numbers, uint32_t number)
{
	const struct numbers_entry *entry = find_synced(numbers, number);

	return entry ? entry->identity : NULL;
}

bool numbers_is_retired(const struct numbers *numbers, uint32_t number)
{
	const struct numbers_entry *entry = find_synced(numbers, number);

	return entry && entry->retired;
}

size_t numbers_count(const struct numbers *numbers)
{
	return numbers->entries->n_paths;
}

uint32_t numbers_next(const struct numbers *numbers, uint32_t after)
{
	const struct numbers_entry *entry = numbers_entries_next(numbers->entries, after);

	return entry ? entry->number : 0;
}

uint32_t numbers_next_of_path(const struct numbers *numbers, const char *path, uint32_t after)
{
	uint32_t next = 0;

	for (const struct numbers_entry *entry = numbers_chain(numbers, path); entry;
	     entry = entry->next_of_path)
		if (entry->synced && entry->number > after && (!next || entry->number < next))
			next = entry->number;
	return next;
}

bool numbers_fact(const struct numbers *numbers, uint32_t number, struct numbers_fact *ret_fact)
{
	const struct numbers_entry *entry = find_synced(numbers, number);

	if (entry)
		*ret_fact = (struct numbers_fact){
			.number = number,
			.path = entry->path,
			.identity = entry->identity,
			.sequence = entry->sequence,
			.created = entry->created,
			.retired = entry->retired,
		};
	return entry;
}

bool numbers_made_directory(const struct numbers *numbers, const char *path)
{
	const struct numbers_entry *entry =
		numbers_entries_find_directory(numbers->entries, path, strlen(path));

	return entry && entry->synced && !entry->retired;
}

/* ---- the copies ---- */

bool numbers_copy(const struct numbers *numbers, size_t index,
		  struct numbers_copy_status *ret_status)
{
	return copies_status(numbers->copies, index, ret_status);
}

int numbers_verify(struct numbers *numbers, later_fn done, void *userdata,
		   struct pending **ret_pending)
{
	return copies_check(numbers->copies, done, userdata, ret_pending);
}

/* ---- opening and closing ---- */

static int load_and_begin(struct numbers *numbers, struct store_copy *found, size_t n_found)
{
	CLEANUP(freep) char *why = NULL;
	int r = store_load(found, n_found, numbers->entries, &why);

	if (r < 0 && why)
		log_error(NULL, "Cannot use the number store: %s", why);
	if (r >= 0)
		r = copies_new(&numbers->copies, numbers->event, found, n_found, numbers->entries,
			       numbers_written, numbers);
	for (size_t i = 0; i < n_found; i++)
		store_copy_done(&found[i]);
	return r;
}

int numbers_open(struct numbers **ret_numbers, sd_event *event, const char *const *files)
{
	struct store_copy found[NUMBERS_COPIES_MAX] = {};
	struct numbers *numbers;
	size_t n_found = 0;
	int r = -ENOMEM;

	for (; files[n_found]; n_found++) {
		if (n_found == NUMBERS_COPIES_MAX)
			return -E2BIG;
		found[n_found].file = files[n_found];
	}
	numbers = calloc(1, sizeof(*numbers));
	if (!numbers)
		return -ENOMEM;
	numbers->event = event;
	numbers->entries = calloc(1, sizeof(*numbers->entries));
	numbers->rows = calloc(NUMBERS_GROUP_MAX, sizeof(*numbers->rows));
	if (numbers->entries && numbers->rows)
		r = load_and_begin(numbers, found, n_found);
	if (r < 0) {
		numbers_close(numbers);
		return r;
	}
	*ret_numbers = numbers;
	return 0;
}

struct numbers *numbers_close(struct numbers *numbers)
{
	if (!numbers)
		return NULL;
	copies_free(numbers->copies);
	numbers_free_changes(numbers);
	if (numbers->entries)
		numbers_entries_done(numbers->entries);
	free(numbers->entries);
	free(numbers->rows);
	free(numbers);
	return NULL;
}
