/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - what is asked of the numbers, and the changes that come of it (changes.c).
 *
 * What is to become of an entry is a change; it is applied when the copies have it. An entry whose
 * first change is not applied is not known to others, but keeps its number for itself: the disk may
 * remember it.
 */

#include "exportsd/numbers/entries.h"
#include "exportsd/numbers/numbers.h"

enum { NUMBERS_GROUP_MAX = 20000 }; /* rows under way at a time */

enum numbers_change_state { QUEUED, SENT, DOUBT, N_CHANGE_STATES };

/* What an entry is to become, all of it. */
struct numbers_change {
	struct numbers_change *prev, *next; /* in the list of its state */
	enum numbers_change_state state;
	struct numbers_entry *entry;
	const char *identity;
	char *new_identity; /* the same, if the entry has none yet */
	uint64_t sequence;
	int64_t created;
	bool retired;
	struct numbers_waiter *waiters; /* calls to tell when it is settled */
};

/* One call waits for one change. */
struct numbers_waiter {
	struct numbers_question *question;
	struct numbers_waiter *next;
};

struct numbers_question {
	struct pending pending;
	struct numbers *numbers;
	struct numbers_question *prev, *next;
	struct numbers_waiter *waiters; /* as many as it has paths */
	size_t n_waiters; /* in use */
	size_t n_pending; /* what it waits for; 0: it is to be answered */
	struct later answer;
	int error;
	numbers_done_fn done; /* NULL: cancelled */
	void *userdata;
};

struct numbers {
	sd_event *event;
	struct numbers_entries *entries;
	struct numbers_copies *copies;
	numbers_reserved_fn reserved; /* NULL: none is */
	void *reserved_userdata;
	struct numbers_change *lists[N_CHANGE_STATES];
	struct later send;
	struct store_row *rows; /* of changes that are sent */
	size_t n_rows; /* sent last */
	uint64_t sent_usec; /* when */
	struct numbers_question *questions;
};

/* The entries of a path, or NULL. */
static inline struct numbers_entry *numbers_chain(const struct numbers *numbers, const char *path)
{
	return numbers_entries_find_path(numbers->entries, path, strlen(path));
}

/* What copies_write() began is settled. */
void numbers_written(void *userdata, int error);
void numbers_free_changes(struct numbers *numbers);
