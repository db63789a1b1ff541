/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * entries.h - everything that is known of numbers and directories, in memory: the daemon's, and
 * that of exportsctl fsid. All zero is empty.
 *
 * An entry is a row of the store. Entries live until numbers_entries_done(), and are found by their
 * number, and by their path: those of a path are a chain. One that is not synced is not known to
 * others, but keeps its number for itself: the disk may remember it.
 */

#include "exportsd/numbers/index.h"
#include "exportsd/numbers/row.h"

struct numbers_entry {
	uint32_t number; /* 0: the record of a directory */
	bool synced; /* others may see it */
	bool retired;
	bool is_alone; /* its path has no other entry */
	uint32_t n_path;
	struct numbers_entry *next_of_path;
	char *identity; /* NULL: stands for any */
	uint64_t sequence;
	int64_t created;
	struct numbers_change *change; /* the last one that is not applied, or NULL */
	char path[];
};

struct numbers_entries {
	struct numbers_entry **all; /* in the order they came */
	size_t n, size;
	struct numbers_index by_number; /* of all but directories */
	struct numbers_index by_path; /* the first of each chain */
	struct store_totals totals; /* of the synced ones */
	uint64_t last_sequence;
	uint32_t highest; /* number */
	size_t n_paths; /* with a primary number */
	/* Those with numbers, in order, made when somebody looks. */
	struct numbers_entry **sorted;
	size_t n_sorted; /* 0: not made */
};

void numbers_entries_done(struct numbers_entries *entries);
/* numbers_entries_reserve - make room for so many in all. Returns 0; -ENOMEM. */
int numbers_entries_reserve(struct numbers_entries *entries, size_t n);

struct numbers_entry *numbers_entries_find(const struct numbers_entries *entries, uint32_t number);
/* The first of a path's entries, the others are behind it; or NULL. */
struct numbers_entry *numbers_entries_find_path(const struct numbers_entries *entries,
						const char *path, size_t n_path);
/* The record of a directory, or NULL. */
struct numbers_entry *numbers_entries_find_directory(const struct numbers_entries *entries,
						     const char *path, size_t n_path);

/* numbers_entries_add - one that is not synced. Returns 0; -ENOMEM. */
int numbers_entries_add(struct numbers_entries *entries, const struct store_row *row,
			struct numbers_entry **ret_entry);

/*
 * numbers_entries_set - from now on others see this row in the entry.
 *
 * @identity: becomes the entry's; or NULL: it keeps its own
 */
void numbers_entries_set(struct numbers_entries *entries, struct numbers_entry *entry,
			 char *identity, uint64_t sequence, bool retired, int64_t created);

/*
 * numbers_entries_join - a row from a copy: a new entry, or what it says is joined to one.
 *
 * Returns 0; -ENOMEM; -EEXIST: it contradicts *ret_entry, which stays as it was.
 */
int numbers_entries_join(struct numbers_entries *entries, const struct store_row *row,
			 struct numbers_entry **ret_entry);

/* Both may be NULL: any. */
bool numbers_same_identity(const char *a, const char *b);

/* The row that others see. Borrows the entry's bytes. */
struct store_row numbers_entry_row(const struct numbers_entry *entry);

/* The primary number of a chain: synced, not retired, said last. */
struct numbers_entry *numbers_entry_primary(struct numbers_entry *chain);

/* Those with numbers, in order: the next one after @after (0 to start), or NULL. */
struct numbers_entry *numbers_entries_next(struct numbers_entries *entries, uint32_t after);
