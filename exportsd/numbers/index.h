/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * index.h - from a hash to positions in an array: open addressing, eight bytes a place.
 *
 * Millions of entries are entered at the start, and a table of nodes (uthash) spends its time
 * waiting for memory then. What is added stays.
 */

#include "parser/base.h"

struct numbers_index_place {
	uint32_t tag; /* of the hash */
	uint32_t position; /* plus one; 0: free */
};

struct numbers_index {
	struct numbers_index_place *places; /* two for every entry at least */
	size_t n_places, n; /* n_places: a power of two */
};

/* numbers_index_reserve - make room for so many in all. Returns 0; -ENOMEM. */
int numbers_index_reserve(struct numbers_index *index, size_t n);
void numbers_index_done(struct numbers_index *index);

/* numbers_index_add - another position; there must be room. */
void numbers_index_add(struct numbers_index *index, uint64_t hash, uint32_t position);

/*
 * numbers_index_next - the positions of a hash, one after another.
 *
 * @cursor: 0 to start
 *
 * False: there are no more. Other hashes' may be among them.
 */
bool numbers_index_next(const struct numbers_index *index, uint64_t hash, size_t *cursor,
			size_t *ret_position);
