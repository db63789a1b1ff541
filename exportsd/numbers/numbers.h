/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * numbers.h - which path has which number, for ever (promises P1 and P2 of CONTRIBUTING.md).
 *
 * A number has one path for ever. A path may have several numbers: one for each identity of the
 * medium that was found there, and one without (NULL: whatever is at the path). A number without an
 * identity may be bound to one, once. One of a path's numbers is its primary, for new handles;
 * which one may change. A retired number is never primary and never reused, but still known: every
 * number is decoded for ever.
 *
 * Everything known is in memory; a new fact is told to the store's processes and becomes known here
 * only when it is synced in every copy of the store that works, in one at least.
 */

#include "exportsd/base/later.h"
#include "exportsd/numbers/row.h"

enum {
	NUMBERS_FIRST = 65536, /* below: administrators' own */
	NUMBERS_COPIES_MAX = 16, /* of the store */
	NUMBERS_PROBES_MAX = 1 << 20, /* numbers tried for one path before -ENOSPC */
};

struct numbers;

/*
 * numbers_open - read the store and keep it.
 *
 * @files: its copies, ended by NULL: SQLite files, on different disks if possible (place.h). Their
 *         directories must exist. Those that are missing are made
 *
 * Blocks until all is read: for the start of the daemon, before anybody waits for it.
 *
 * Returns 0; -E2BIG: more than NUMBERS_COPIES_MAX; -EUCLEAN: no copy is good, or they contradict
 * each other; -EBUSY: another process has one; -EPROTONOSUPPORT: another version made one;
 * -ENOMEM, -EIO, ... What is wrong, and what to do about it, is logged.
 */
int numbers_open(struct numbers **ret_numbers, sd_event *event, const char *const *files);
/* numbers_close - nobody is answered any more; what was sent to the copies is still written. */
struct numbers *numbers_close(struct numbers *numbers);

/*
 * numbers_set_reserved - which numbers are somebody else's (written by hand in an exports file):
 * they are neither given out nor adopted, unless they are known already. None are before this is
 * called.
 */
typedef bool (*numbers_reserved_fn)(void *userdata, uint32_t number);
void numbers_set_reserved(struct numbers *numbers, numbers_reserved_fn reserved, void *userdata);

/* ---- what is known ---- */

/* The primary number of a path: 0 if it has none (that is synced). */
uint32_t numbers_get(const struct numbers *numbers, const char *path);
/*
 * numbers_get_for - the number that a path has for an identity; NULL: the one that is bound to
 * none.
 *
 * Returns it, primary or not, but no retired one; the one chosen last if there are several
 * (numbers_set()); 0: it has none (that is synced).
 */
uint32_t numbers_get_for(const struct numbers *numbers, const char *path, const char *identity);
/*
 * The path of a number (any of a path's numbers, retired ones too), or NULL. Valid until
 * numbers_close().
 */
const char *numbers_path(const struct numbers *numbers, uint32_t number);
/*
 * What medium a number stands for: NULL if any, or if the number is not known. Valid until
 * numbers_close().
 */
const char *numbers_identity(const struct numbers *numbers, uint32_t number);
bool numbers_is_retired(const struct numbers *numbers, uint32_t number);
/* All numbers of a path, in order: the next one after @after (0 to start); 0 at the end. */
uint32_t numbers_next_of_path(const struct numbers *numbers, const char *path, uint32_t after);
/* How many paths have a number. */
size_t numbers_count(const struct numbers *numbers);
/* All numbers, in order, for listings: the next one after @after (0 to start); 0 at the end. */
uint32_t numbers_next(const struct numbers *numbers, uint32_t after);

/*
 * numbers_first_choice - the number a path would get on an empty store: a hash of the path
 * into NUMBERS_FIRST .. NUMBERS_LAST, the same on every machine. If it is taken, the next free one
 * is.
 */
uint32_t numbers_first_choice(const char *path);

/* numbers_made_directory - did the daemon make it, so that it may remove it? */
bool numbers_made_directory(const struct numbers *numbers, const char *path);

/* All that is known of a number. Strings are valid until numbers_close(). */
struct numbers_fact {
	uint32_t number;
	const char *path;
	const char *identity; /* or NULL */
	uint64_t sequence; /* when it was last made primary or retired; 0: never */
	int64_t created; /* seconds since 1970; 0: not known */
	bool retired;
};
bool numbers_fact(const struct numbers *numbers, uint32_t number, struct numbers_fact *ret_fact);

/* ---- what becomes known ---- */

/*
 * Each of these returns 0; -ENOMEM. Then done() is called, exactly once and never from within the
 * call: error 0: it is synced, and known; or what follows; or the store's: -ENOSPC, -EIO, ...
 * Cancelled, done() will not be called, but what was begun may still become known.
 *
 * Strings are copied. Calls that arrive while a sync is running share the next one.
 */
typedef void (*numbers_done_fn)(void *userdata, int error);

/*
 * numbers_assign - give paths their numbers.
 *
 * @paths: absolute, normalised. Those that have a number keep it
 *
 * done() also gets -EINVAL, -ENAMETOOLONG: no good path; -ENOSPC: NUMBERS_PROBES_MAX are taken.
 * Some of these paths may have no number then. Asked for again, they will get the number that was
 * tried, so that what a failing disk kept all the same stays true.
 */
int numbers_assign(struct numbers *numbers, const char *const *paths, size_t n_paths,
		   numbers_done_fn done, void *userdata, struct pending **ret_pending);

/*
 * numbers_assign_for - the number of one path and one identity: it is the path's primary from then
 * on.
 *
 * @identity: of the medium that is at the path now, at most NUMBERS_IDENTITY_MAX bytes; NULL:
 *            whatever is there
 *
 * The number that the path has for this identity already, or a new one. A number that is bound to
 * no identity is left so: numbers_bind() is for that.
 *
 * done() also gets what that of numbers_assign() gets; -EINVAL, -E2BIG: no good identity.
 */
int numbers_assign_for(struct numbers *numbers, const char *path, const char *identity,
		       numbers_done_fn done, void *userdata, struct pending **ret_pending);

/*
 * numbers_bind - from now on a number stands for this medium only.
 *
 * done() also gets -ENOENT: no such number; -EEXIST: it stands for another one, or another number
 * of its path stands for this one; -EINVAL, -E2BIG: no good identity.
 */
int numbers_bind(struct numbers *numbers, uint32_t number, const char *identity,
		 numbers_done_fn done, void *userdata, struct pending **ret_pending);

/*
 * numbers_adopt - a handler wants this number for the path and the identity (or NULL): it is
 * the path's primary from then on. Numbers that the path has already stay known.
 *
 * A number that stands for no identity yet, of this path, is bound to @identity.
 *
 * done() also gets -EEXIST: the number is another path's, stands for another identity, is reserved,
 * or the path has another number for this identity; -ERANGE outside of NUMBERS_FIRST ..
 * NUMBERS_LAST; -EINVAL, -ENAMETOOLONG, -E2BIG.
 */
int numbers_adopt(struct numbers *numbers, const char *path, const char *identity, uint32_t number,
		  numbers_done_fn done, void *userdata, struct pending **ret_pending);

/*
 * numbers_set - as numbers_adopt(), for an administrator: the number may be reserved, or below
 * NUMBERS_FIRST, and the path may have another one for this identity.
 */
int numbers_set(struct numbers *numbers, const char *path, const char *identity, uint32_t number,
		numbers_done_fn done, void *userdata, struct pending **ret_pending);

/*
 * numbers_retire - no new handle uses this number any more; if it was primary, the path has another
 * of its numbers or none. numbers_set() makes it primary again. done() also gets -ENOENT.
 */
int numbers_retire(struct numbers *numbers, uint32_t number, numbers_done_fn done, void *userdata,
		   struct pending **ret_pending);

/*
 * numbers_record_directories - directories that the daemon is about to make (@made), or has
 * removed: a crash leaves at worst a record without a directory.
 *
 * done() also gets -EINVAL, -ENAMETOOLONG.
 */
int numbers_record_directories(struct numbers *numbers, const char *const *paths, size_t n_paths,
			       bool made, numbers_done_fn done, void *userdata,
			       struct pending **ret_pending);

/* numbers_contradicts - does what is known, or under way, stand against this? */
bool numbers_contradicts(const struct numbers *numbers, const struct numbers_fact *fact);

/*
 * numbers_take - facts from another store: joined to what is known, as the store's copies are.
 *
 * @facts: some hundreds: each is compared with each
 *
 * done() also gets -EEXIST: one of them contradicts what is known, or another one; -EINVAL: one
 * cannot be. None was taken then.
 */
int numbers_take(struct numbers *numbers, const struct numbers_fact *facts, size_t n_facts,
		 numbers_done_fn done, void *userdata, struct pending **ret_pending);

/* ---- the store's copies ---- */

struct numbers_copy_status {
	const char *file;
	const char *state; /* "good"; "filling": it is given what it missed; "failed" */
	const char *why; /* failed: in words; else NULL */
	uint64_t n_rows; /* that it has, as it said last */
};

/*
 * numbers_copy - the copy with this index, from 0. False: there are no more. Strings are valid
 * until the loop goes on.
 */
bool numbers_copy(const struct numbers *numbers, size_t index,
		  struct numbers_copy_status *ret_status);

/*
 * numbers_verify - have every copy read all of itself, and compare; one that was left out is tried
 * again first.
 *
 * @done: numbers_copy() tells now
 *
 * Returns 0; -EBUSY: somebody else has them verified; -ENOMEM.
 */
int numbers_verify(struct numbers *numbers, later_fn done, void *userdata,
		   struct pending **ret_pending);
