/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * entries.h - everything that is known of numbers and directories, in memory.
 *
 * An entry is a row of the store. Entries live until entries_done(), and are found by their number,
 * and by their path: those of a path are a chain. One that is not synced is not known to others,
 * but keeps its number for itself: the disk may remember it.
 */

#include "exportsd/numbers/index.h"
#include "exportsd/numbers/row.h"

struct number {
	uint32_t number; /* 0: the record of a directory */
	bool synced; /* others may see it */
	bool retired;
	bool is_alone; /* its path has no other entry */
	uint32_t n_path;
	struct number *next_of_path;
	char *identity; /* NULL: stands for any */
	uint64_t sequence;
	int64_t created;
	struct numbers_change *change; /* the last one that is not applied, or NULL */
	char path[];
};

struct entries {
	struct number **all; /* in the order they came */
	size_t n, size;
	struct numbers_index by_number; /* of all but directories */
	struct numbers_index by_path; /* the first of each chain */
	struct store_totals totals; /* of the synced ones */
	uint64_t last_sequence;
	uint32_t highest; /* number */
	size_t n_paths; /* with a primary number */
	/* Those with numbers, in order, made when somebody looks. */
	struct number **sorted;
	size_t n_sorted; /* 0: not made */
};

void entries_done(struct entries *entries);
int entries_reserve(struct entries *entries, size_t n);

struct number *entries_find_number(const struct entries *entries, uint32_t number);
/* The first of a path's entries, or NULL. */
struct number *entries_find_path(const struct entries *entries, const char *path, size_t n_path);
/* The record of a directory, or NULL. */
struct number *entries_find_directory(const struct entries *entries, const char *path,
				      size_t n_path);

/* entries_add - one that is not synced. Returns 0; -ENOMEM. */
int entries_add(struct entries *entries, const struct store_row *row, struct number **ret_entry);

/*
 * entries_set - from now on others see this row in the entry. @identity: becomes the entry's; or
 * NULL: it keeps its own
 */
void entries_set(struct entries *entries, struct number *entry, char *identity, uint64_t sequence,
		 bool retired, int64_t created);

/* entries_join - a row of a copy. Returns 0; -ENOMEM; -EEXIST: it contradicts *ret_entry. */
int entries_join(struct entries *entries, const struct store_row *row, struct number **ret_entry);

/* Both may be NULL: any. */
bool entries_same_identity(const char *a, const char *b);

/* The row that others see. Borrows the entry's bytes. */
struct store_row entries_row(const struct number *entry);

/* The primary number of a chain: synced, not retired, said last. */
struct number *entries_primary(struct number *chain);

/* The next number, or NULL. */
struct number *entries_next(struct entries *entries, uint32_t after);
