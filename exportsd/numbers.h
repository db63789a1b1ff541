/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * numbers.h - which path has which number, for ever (DESIGN promises P1 and P2).
 *
 * Everything known is in memory; a new number is told to the store process and becomes known here only
 * when the store has synced it. A number is never given to a second path and never deleted.
 */

#include <systemd/sd-event.h>

#include "parser/base.h"

enum {
	NUMBERS_FIRST = 65536, /* below: administrators' own */
	NUMBERS_LAST = 0x7fffffff, /* the kernel reads a signed int */
};

struct numbers;
struct numbers_question;

/*
 * numbers_open - read the store and keep it.
 *
 * @file:   SQLite database, made if missing; its directory must exist
 *
 * Blocks until all is read: for the start of the daemon, before anybody waits for it.
 * Returns 0; -errno; -EUCLEAN if the file is damaged or contradicts itself (logged, with both facts).
 */
int numbers_open(struct numbers **ret_numbers, sd_event *event, const char *file);
struct numbers *numbers_close(struct numbers *numbers);

/* The primary number of a path: 0 if it has none (that is synced). */
uint32_t numbers_get(const struct numbers *numbers, const char *path);
/* The path of a number (any of a path's numbers), or NULL. Valid until numbers_close(). */
const char *numbers_path(const struct numbers *numbers, uint32_t number);
/* How many paths have a number. */
size_t numbers_count(const struct numbers *numbers);
/* In order of number, for listings: the next one after @after (0 to start); 0 at the end. */
uint32_t numbers_next(const struct numbers *numbers, uint32_t after);

/*
 * numbers_first_choice - the number a path would get on an empty store: a hash of the path
 * into NUMBERS_FIRST .. NUMBERS_LAST (DESIGN 8), the same on every machine. If it is taken, the next free one is.
 */
uint32_t numbers_first_choice(const char *path);

enum { NUMBERS_PROBES_MAX = 1 << 20 }; /* numbers tried for one path before -ENOSPC */

/*
 * numbers_assign - give paths their numbers, durably.
 *
 * @paths:  absolute, normalised; copied. Those that have a number keep it.
 * @reserved: says whether a number is somebody else's (written by hand in an exports file); may be NULL
 * @done:   exactly once, never from within this call, when all are synced: numbers_get() knows them. error: 0, or
 *          -ENOSPC, -EIO, ... of the store: some of these paths may have no number now. Asked for again, they
 *          will get the number that was tried, so that what a failing disk kept all the same stays true
 *
 * Calls that arrive while a sync is running share the next one.
 */
typedef void (*numbers_done_fn)(void *userdata, int error);
typedef bool (*numbers_reserved_fn)(void *userdata, uint32_t number);
int numbers_assign(struct numbers *numbers, const char *const *paths, size_t n_paths,
		   numbers_reserved_fn reserved, void *reserved_userdata, numbers_done_fn done,
		   void *userdata, struct numbers_question **ret_question);

/*
 * numbers_adopt - a handler wants this number for the path.
 *
 * done() gets 0; -EEXIST if the number is another path's or reserved, or the path has another one already;
 * -ERANGE outside of NUMBERS_FIRST .. NUMBERS_LAST; or the store's error.
 */
int numbers_adopt(struct numbers *numbers, const char *path, uint32_t number,
		  numbers_reserved_fn reserved, void *reserved_userdata, numbers_done_fn done,
		  void *userdata, struct numbers_question **ret_question);

/* numbers_cancel - done() will not be called; what was begun may still become known. NULL is fine. */
void numbers_cancel(struct numbers_question *question);

/*
 * Directories that the daemon made itself, and may therefore remove: kept in the same store.
 * Recording is durable before done() (so a crash leaves at worst a record without a directory).
 */
bool numbers_made_directory(const struct numbers *numbers, const char *path);
int numbers_record_directories(struct numbers *numbers, const char *const *paths, size_t n_paths,
			       bool made, numbers_done_fn done, void *userdata,
			       struct numbers_question **ret_question);
