/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * entries.c - everything that is known, in memory.
 */

#include <errno.h>

#include "exportsd/numbers/private.h"

void numbers_entries_done(struct numbers_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		free(entries->all[i]->identity);
		free(entries->all[i]);
	}
	free(entries->all);
	free(entries->sorted);
	numbers_index_done(&entries->by_number);
	numbers_index_done(&entries->by_path);
}

int numbers_entries_reserve(struct numbers_entries *entries, size_t n)
{
	int r;

	if (n > entries->size) {
		size_t size = entries->size ?: 1024;
		struct numbers_entry **grown;

		while (size < n)
			size *= 2;
		grown = reallocarray(entries->all, size, sizeof(struct numbers_entry *));
		if (!grown)
			return -ENOMEM;
		entries->all = grown;
		entries->size = size;
	}
	r = numbers_index_reserve(&entries->by_number, n);
	return r < 0 ? r : numbers_index_reserve(&entries->by_path, n);
}

/* ---- finding ---- */

static uint64_t hash_path(const char *path, size_t n_path)
{
	uint64_t hash = n_path, word;

	for (; n_path >= sizeof(word); path += sizeof(word), n_path -= sizeof(word)) {
		memcpy(&word, path, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, path, n_path);
	hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
	return hash ^ hash >> 32;
}

struct numbers_entry *numbers_entries_find(const struct numbers_entries *entries, uint32_t number)
{
	size_t cursor = 0, position;

	while (number && numbers_index_next(&entries->by_number, number, &cursor, &position))
		if (entries->all[position]->number == number)
			return entries->all[position];
	return NULL;
}

struct numbers_entry *numbers_entries_find_path(const struct numbers_entries *entries,
						const char *path, size_t n_path)
{
	uint64_t hash = hash_path(path, n_path);
	size_t cursor = 0, position;

	while (numbers_index_next(&entries->by_path, hash, &cursor, &position)) {
		struct numbers_entry *entry = entries->all[position];

		if (entry->n_path == n_path && memcmp(entry->path, path, n_path) == 0)
			return entry;
	}
	return NULL;
}

struct numbers_entry *numbers_entries_find_directory(const struct numbers_entries *entries,
						     const char *path, size_t n_path)
{
	struct numbers_entry *entry = numbers_entries_find_path(entries, path, n_path);

	while (entry && entry->number)
		entry = entry->next_of_path;
	return entry;
}

bool numbers_same_identity(const char *a, const char *b)
{
	return a && b ? str_equal(a, b) : a == b;
}

struct numbers_entry *numbers_entry_primary(struct numbers_entry *chain)
{
	struct numbers_entry *best = NULL;

	for (struct numbers_entry *entry = chain; entry; entry = entry->next_of_path)
		if (entry->number && entry->synced && !entry->retired &&
		    (!best || entry->sequence > best->sequence ||
		     (entry->sequence == best->sequence && entry->number < best->number)))
			best = entry;
	return best;
}

/* ---- adding ---- */

int numbers_entries_add(struct numbers_entries *entries, const struct store_row *row,
			struct numbers_entry **ret_entry)
{
	struct numbers_entry *entry, *first;
	int r = numbers_entries_reserve(entries, entries->n + 1);

	if (r < 0)
		return r;
	entry = malloc(sizeof(*entry) + row->n_path + 1);
	if (!entry)
		return -ENOMEM;
	*entry = (struct numbers_entry){ .number = row->number, .n_path = (uint32_t)row->n_path };
	memcpy(entry->path, row->path, row->n_path);
	entry->path[row->n_path] = '\0';
	first = numbers_entries_find_path(entries, row->path, row->n_path);
	if (first) {
		entry->next_of_path = first->next_of_path;
		first->next_of_path = entry;
	} else {
		numbers_index_add(&entries->by_path, hash_path(row->path, row->n_path),
				  (uint32_t)entries->n);
	}
	if (row->number)
		numbers_index_add(&entries->by_number, row->number, (uint32_t)entries->n);
	if (row->number > entries->highest)
		entries->highest = row->number;
	entry->is_alone = !first;
	if (first)
		first->is_alone = false;
	entries->all[entries->n++] = entry;
	*ret_entry = entry;
	return 0;
}

void numbers_entries_set(struct numbers_entries *entries, struct numbers_entry *entry,
			 char *identity, uint64_t sequence, bool retired, int64_t created)
{
	/* Nearly all are, and looking at the table waits for memory. */
	struct numbers_entry *chain =
		entry->is_alone ? entry
				: numbers_entries_find_path(entries, entry->path, entry->n_path);
	struct store_row row = numbers_entry_row(entry);

	entries->n_paths -= numbers_entry_primary(chain) != NULL;
	if (entry->synced) {
		entries->totals.n--;
		entries->totals.sum -= store_row_checksum(&row);
	}
	if (identity)
		entry->identity = identity;
	entry->sequence = sequence;
	entry->retired = retired;
	entry->created = created;
	if (!entry->synced && entry->number)
		entries->n_sorted = 0;
	entry->synced = true;
	if (sequence > entries->last_sequence)
		entries->last_sequence = sequence;
	row = numbers_entry_row(entry);
	store_totals_add(&entries->totals, store_row_checksum(&row));
	entries->n_paths += numbers_entry_primary(chain) != NULL;
}

static struct numbers_entry *find_row(const struct numbers_entries *entries,
				      const struct store_row *row)
{
	/* Copies are read in order. */
	if (row->number > entries->highest)
		return NULL;
	return row->number ? numbers_entries_find(entries, row->number)
			   : numbers_entries_find_directory(entries, row->path, row->n_path);
}

int numbers_entries_join(struct numbers_entries *entries, const struct store_row *row,
			 struct numbers_entry **ret_entry)
{
	struct numbers_entry *entry = find_row(entries, row);
	struct store_row joined = *row;
	char *identity = NULL;
	int r;

	if (entry) {
		joined = numbers_entry_row(entry);
		*ret_entry = entry;
		if (!store_row_join(&joined, row))
			return -EEXIST;
	} else {
		r = numbers_entries_add(entries, row, &entry);
		if (r < 0)
			return r;
	}
	if (joined.identity && !entry->identity) {
		identity = strndup(joined.identity, joined.n_identity);
		if (!identity)
			return -ENOMEM;
	}
	numbers_entries_set(entries, entry, identity, joined.sequence, joined.retired,
			    joined.created);
	*ret_entry = entry;
	return 0;
}

struct store_row numbers_entry_row(const struct numbers_entry *entry)
{
	return (struct store_row){
		.number = entry->number,
		.path = entry->path,
		.n_path = entry->n_path,
		.identity = entry->identity,
		.n_identity = entry->identity ? strlen(entry->identity) : 0,
		.sequence = entry->sequence,
		.retired = entry->retired,
		.created = entry->created,
	};
}

/* ---- in order ---- */

static int compare_numbers(const void *a, const void *b)
{
	const struct numbers_entry *first = *(struct numbers_entry *const *)a,
				   *second = *(struct numbers_entry *const *)b;

	return (first->number > second->number) - (first->number < second->number);
}

/* Returns false when memory is out. */
static bool sort(struct numbers_entries *entries)
{
	bool in_order = true;
	size_t n = 0;

	if (entries->n_sorted || !entries->n)
		return true;
	free(entries->sorted);
	entries->sorted = malloc(entries->n * sizeof(struct numbers_entry *));
	if (!entries->sorted)
		return false;
	for (size_t i = 0; i < entries->n; i++) {
		struct numbers_entry *entry = entries->all[i];

		if (!entry->number || !entry->synced)
			continue;
		in_order &= n == 0 || entries->sorted[n - 1]->number < entry->number;
		entries->sorted[n++] = entry;
	}
	if (!in_order)
		qsort(entries->sorted, n, sizeof(struct numbers_entry *), compare_numbers);
	entries->n_sorted = n;
	return true;
}

struct numbers_entry *numbers_entries_next(struct numbers_entries *entries, uint32_t after)
{
	size_t low = 0, high;

	if (!sort(entries))
		return NULL;
	high = entries->n_sorted;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entries->sorted[middle]->number <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low < entries->n_sorted ? entries->sorted[low] : NULL;
}
