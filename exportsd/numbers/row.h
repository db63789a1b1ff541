/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * row.h - one fact of the number store, and how two copies' words about it become one.
 *
 * A row says which path a number belongs to. Number, path and the time it was made never change; an
 * identity is added once; which of a path's numbers is primary, and which are retired, is said with
 * a sequence number, and the highest wins. So rows only grow, in whatever order they meet, and all
 * copies' union is the truth.
 *
 * A row with number 0 says of a directory that the daemon made it, or (retired) does no longer.
 */

#include "parser/base.h"

enum {
	NUMBERS_LAST = 0x7fffffff, /* the kernel reads a signed int */
	STORE_PATH_MAX = 4095, /* bytes */
	NUMBERS_IDENTITY_MAX = 1024, /* bytes, without a NUL */
};

/* Bytes are borrowed, and not NUL-terminated. */
struct store_row {
	uint32_t number;
	bool retired;
	size_t n_path, n_identity;
	const char *path;
	const char *identity; /* NULL: stands for whatever is at the path */
	uint64_t sequence; /* when it was last made primary, retired, made or removed; 0: never */
	int64_t created; /* seconds since 1970; 0: not known */
};

/* A row in a message: its path, and its medium if it stands for one. */
#define STORE_ROW_FORMAT "'%.*s'%s%.*s"
#define STORE_ROW_WORDS(row)                                                                       \
	(int)(row)->n_path, (row)->path, (row)->identity ? " and medium " : "",                    \
		(int)(row)->n_identity, (row)->identity ?: ""

/* What is done with each of many rows. A negative result ends it, and is passed on. */
typedef int (*store_row_fn)(void *userdata, const struct store_row *row);

/*
 * What all rows come to. Two stores with the same totals hold the same rows: a row that is lost,
 * or another byte in one, changes the sum.
 */
struct store_totals {
	uint64_t n;
	uint64_t sum; /* of the rows' checksums, modulo 2^64 */
};

/* store_row_checksum - of all fields; no two rows that differ in one byte have the same. */
uint64_t store_row_checksum(const struct store_row *row);

/* store_row_good - may there be such a row? */
bool store_row_good(const struct store_row *row);

/*
 * store_row_is_plausible - may it be taken from elsewhere? Each change takes the next sequence
 * number, so one near their end would leave none for changes to come.
 */
static inline bool store_row_is_plausible(const struct store_row *row)
{
	return row->sequence <= INT64_MAX / 2;
}

/*
 * store_row_join - what both rows say together.
 *
 * @row: gets it; may borrow bytes of @other
 *
 * Returns true; false: they contradict each other (another path, or another identity).
 */
bool store_row_join(struct store_row *row, const struct store_row *other);

static inline void store_totals_add(struct store_totals *totals, uint64_t checksum)
{
	totals->n++;
	totals->sum += checksum;
}

static inline bool store_totals_equal(const struct store_totals *a, const struct store_totals *b)
{
	return a->n == b->n && a->sum == b->sum;
}

/* store_fail - say why, in words to free(3) (NULL if memory is out), and pass the error on. */
int store_fail(int error, char **reterr_why, const char *format, ...) FORMAT_PRINTF(3, 4);
