/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * store.h - the number store's copies: read once by the daemon at its start, then written each by
 * a process of its own.
 *
 * A copy is an SQLite file (store_file.h) with every row (store_row.h). Any one suffices. Rows are
 * added, and said more of, never deleted; a commit is synced before it is answered.
 */

#include "exportsd/numbers/store_file.h"

enum store_state {
	STORE_GOOD, /* read, or as good as read */
	STORE_PARTIAL, /* made to be filled from others, and that was not finished */
	STORE_MISSING,
	STORE_DAMAGED,
	STORE_FAILED, /* it may be good, but cannot be read */
};

/* What store_load() found of one copy. */
struct store_copy {
	const char *file; /* the caller's */
	enum store_state state;
	bool complete; /* it has every row that any copy has */
	struct store_totals totals; /* that it says it has */
	int error; /* damaged, failed */
	char *why; /* the same in words, to free(3), or NULL */
	char *set_aside; /* where a damaged one is now, to free(3), or NULL */
};

void store_copy_done(struct store_copy *copy);

/*
 * store_load - compare all copies, and read their union. Blocks.
 *
 * @copies: with their files; the rest is filled in
 * @reader: gets every row of the union at least once; says what they come to. A row that it knows
 *          is to be joined with what it knows
 * @reterr_why: on failure what is wrong and what to do about it, to free(3); NULL if memory is out
 *
 * A damaged copy is renamed, and what can be read of it is read, if another one is good. If there
 * is none at all, the first one is made, or the next if that cannot be.
 *
 * Returns 0; -EBUSY (another process has one); -EUCLEAN (no good copy, but a damaged one);
 * -EPROTONOSUPPORT (made by a newer version); -ENOMEM, -EIO, ...; or what the reader returned
 * (*reterr_why is NULL then).
 */
struct store_loader {
	void *userdata;
	/* Rows of this one may follow. */
	void (*begin)(void *userdata, const char *file, const struct store_totals *totals);
	store_row_fn row;
	void (*totals)(void *userdata, struct store_totals *ret_totals);
};
int store_load(struct store_copy *copies, size_t n_copies, const struct store_loader *loader,
	       char **reterr_why);

/*
 * store_file_names - all copies, the one in the state directory first.
 *
 * Returns an array ended by NULL, with its strings in the same memory: to free(3); or NULL.
 */
char **store_file_names(const char *state_directory, char *const *number_copies);

/*
 * store_main - the process of a copy (WORKER_STORE): answer questions until the socket closes.
 *
 * 	open   have the file open, checked as a whole. make=1: made if missing, to be filled. anew=1
 * (the first of
 *	       those that wait): what is there is put aside, too
 * 	rows   row=NUMBER SEQUENCE RETIRED CREATED, path=P, maybe identity=I, again and again: join
 * these. more=1: what
 * 	       belongs to it follows at once, sync all together. complete=1: with these it has all
 * rows
 *	check  read every row, and compare
 *
 * A question is done as a whole or not at all. "ok" means synced; n= and sum= are the totals.
 * -EEXIST: a row contradicts one that is there (message= tells both).
 */
int store_main(int fd, const char *file);
