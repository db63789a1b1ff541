/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * load.h - the number store's copies, compared and read once, at the start.
 */

#include "exportsd/numbers/entries.h"

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
 * @copies:  with their files; the rest is filled in
 * @entries: empty; gets the union
 * @reterr_why: on failure what is wrong and what to do about it, to free(3); NULL if memory is out
 *
 * A damaged copy is renamed, and what can be read of it is read, if another one is good. If there
 * is none at all, the first one is made, or the next if that cannot be.
 *
 * Returns 0; -EBUSY (another process has one); -EUCLEAN (no good copy, but a damaged one; or copies
 * that contradict each other); -EPROTONOSUPPORT (of another version); -ENOMEM, -EIO, ...
 */
int store_load(struct store_copy *copies, size_t n_copies, struct numbers_entries *entries,
	       char **reterr_why);
