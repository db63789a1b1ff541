/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * copies.h - the number store's copies while the daemon runs: each with a process of its
 * own.
 *
 * Rows are written to every copy that works, in parallel, and count as written when all of these
 * have synced them. A copy that fails, or keeps the others waiting, is dropped; it is tried again
 * now and then, given every row, and takes part again. If none works, all are tried.
 */

#include "exportsd/base/later.h"
#include "exportsd/numbers/load.h"

enum {
	COPIES_PATIENCE_SECONDS = 10, /* a copy may take longer than the others */
	COPIES_RETRY_SECONDS = 30, /* a dropped copy is tried again */
};

struct numbers_copies;

/*
 * @found:   what store_load() found; a copy that failed then is dropped from the start
 * @entries: what every copy is to have; borrowed
 * @written: what copies_write() began is settled. Not called from within it
 *
 * Logs what is not as it should be.
 */
typedef void (*copies_written_fn)(void *userdata, int error);
int copies_new(struct numbers_copies **ret_copies, sd_event *event, const struct store_copy *found,
	       size_t n_found, const struct numbers_entries *entries, copies_written_fn written,
	       void *userdata);
struct numbers_copies *copies_free(struct numbers_copies *copies);

/*
 * copies_write - write rows to every copy; one call at a time.
 *
 * @rows: stay the caller's, and valid until written()
 *
 * written() gets 0: synced, in one copy at least; -EEXIST: a copy contradicts them; or the error of
 * the last copy that worked: nobody knows what is on the disks.
 */
void copies_write(struct numbers_copies *copies, const struct store_row *rows, size_t n_rows);

/*
 * copies_check - have every copy, also one that was dropped, read all of itself, and compare. One
 * at a time.
 *
 * @done: then copies_status() tells
 *
 * Returns 0; -EBUSY; -ENOMEM.
 */
int copies_check(struct numbers_copies *copies, later_fn done, void *userdata,
		 struct pending **ret_pending);

/* False: there are no more. Words are valid until the loop goes on. */
struct numbers_copy_status;
bool copies_status(const struct numbers_copies *copies, size_t i,
		   struct numbers_copy_status *ret_status);
