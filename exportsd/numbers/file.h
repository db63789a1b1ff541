/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * file.h - one copy of the number store: an SQLite file.
 *
 * Triggers keep rows from being deleted or changing their meaning. Each row has a checksum, and one
 * row of totals is written with every commit, so that a lost or altered row shows. Schema version
 * in user_version.
 */

#include "exportsd/numbers/row.h"

struct store_file;

enum store_file_flag {
	STORE_FILE_MAKE = 1 << 0, /* if it is missing; it is not complete then */
	STORE_FILE_WHOLE = 1 << 1, /* check the file's structure first */
	STORE_FILE_WRITE = 1 << 2, /* to be written, not only read */
};

/*
 * store_file_open - open a copy, to the exclusion of all other processes. Blocks.
 *
 * Nothing is written to a file before it has been looked at and found good. One that a crash left
 * with a log is checked, and its log taken in, first, also to read it.
 *
 * @reterr_why: on failure what is wrong, to free(3); NULL if memory is out
 *
 * Returns 0; -ENOENT (without STORE_FILE_MAKE; or its directory); -EBUSY (another process has it);
 * -EUCLEAN (damaged); -EINVAL (something else, to be left alone); -EPERM (others could have written
 * it); -EPROTONOSUPPORT (of another version); -EROFS, -ENOSPC, -EIO, -ENOMEM, ...
 */
int store_file_open(const char *name, unsigned int flags, struct store_file **ret_file,
		    char **reterr_why);
struct store_file *store_file_close(struct store_file *file);

/* What the file says it holds. */
const struct store_totals *store_file_totals(const struct store_file *file);
/* Did it ever have all rows? Being made from others takes a while, and can be cut short. */
bool store_file_is_complete(const struct store_file *file);
/* Written with the next commit. */
void store_file_set_complete(struct store_file *file);

/*
 * store_file_read - every row, each with its checksum right.
 *
 * @row: a negative result ends the reading, and is returned with *reterr_why NULL
 *
 * Returns 0; -EUCLEAN: something is wrong; what is right was given to @row all the same; -EIO,
 * -ENOMEM, ...
 */
int store_file_read(struct store_file *file, store_row_fn row, void *userdata, char **reterr_why);

/* store_file_check - the file's structure, and every row. Returns 0; -EUCLEAN; ... */
int store_file_check(struct store_file *file, char **reterr_why);

/*
 * Rows are joined within a transaction, and synced when store_file_commit() returns 0. Any other
 * error than -EEXIST and -EINVAL, of any of them, means that nobody knows what is on the disk:
 * close the file. -ESTALE, -EUCLEAN: somebody else was at it since it was opened.
 */
int store_file_begin(struct store_file *file, char **reterr_why);
int store_file_commit(struct store_file *file, char **reterr_why);

/* A point to go back to within a transaction, one at a time. */
int store_file_mark(struct store_file *file, char **reterr_why);
int store_file_go_back(struct store_file *file, char **reterr_why);

/* Returns 0; -EEXIST: it contradicts what is there; -EINVAL: there is no such row. */
int store_file_join(struct store_file *file, const struct store_row *row, char **reterr_why);
