/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * attempt.h - one change of the exports, taken up step by step (the table at the head of
 * attempt.c), without holding up the loop; and what lasts from one attempt to the next: the answers
 * of the name service, real paths, which etab is ours.
 */

#include "exportsd/exports/change.h"
#include "exportsd/exports/reload.h"
#include "exportsd/exports/suspects.h"
#include "parser/diag.h"

struct attempt;

/* What came of it. said and suspects are the callee's to take. */
struct attempt_result {
	const struct diags *diags;
	char *said; /* what exportfs -v prints; NULL: nothing */
	struct suspects *suspects; /* NULL: all paths are */
	bool applied; /* the new exports are in force */
	bool changed; /* and differ from the old ones */
};

/*
 * attempt_new - @hooks, @daemon, @runtime: borrowed.
 *
 * @done: an attempt has ended; another one may be started from within
 *
 * Returns 0; -ENOMEM.
 */
typedef void (*attempt_done_fn)(void *userdata, struct attempt_result *result);
int attempt_new(struct attempt **ret_attempt, struct daemon *daemon,
		const struct reload_hooks *hooks, struct runtime *runtime, attempt_done_fn done,
		void *userdata);
struct attempt *attempt_free(struct attempt *attempt);

/* attempt_start - take up a change, from the next turn on. One at a time. @change: borrowed */
void attempt_start(struct attempt *attempt, const struct exports_change *change);

/* attempt_stop - done() will not be called. A thread's work is waited for. */
void attempt_stop(struct attempt *attempt);

/* attempt_has_begun - are the files being read, or were they? */
bool attempt_has_begun(const struct attempt *attempt);

/* attempt_can_stop - at once, and with nothing half told? */
bool attempt_can_stop(const struct attempt *attempt);

/* attempt_is_in_thread - a thread reads or writes the files */
bool attempt_is_in_thread(const struct attempt *attempt);

/*
 * attempt_ages - must what is in force be looked at once more, and when? At host names' age; or soon,
 * because a name, a path or a file could not be had.
 */
bool attempt_ages(const struct attempt *attempt, uint64_t *ret_seconds);

/*
 * attempt_reserves - is this number written by hand in the files that are being taken up, and not
 * yet in force? Known from when exports with reexport= are given theirs.
 */
bool attempt_reserves(const struct attempt *attempt, uint32_t number);

/* attempt_applied_usec - CLOCK_REALTIME of the last time exports came into force; 0: never. */
uint64_t attempt_applied_usec(const struct attempt *attempt);
