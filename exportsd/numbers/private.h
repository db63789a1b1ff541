/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - the parts of the numbers: what is known (entries.c), answers and the
 * start (numbers.c), calls and changes (changes.c), and how these reach every copy
 * (copies.c).
 *
 * An entry is a row of the store, in memory. Entries live until numbers_close(), and are found by
 * their number, and by their path: those of a path are a chain. What is to become of an entry is a
 * change; it is applied when the copies have it. An entry whose first change is not applied is not
 * known to others, but keeps its number for itself: the disk may remember it.
 */

#include <systemd/sd-event.h>

#include "exportsd/numbers/index.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/numbers/store.h"

struct number {
	uint32_t number; /* 0: the record of a directory */
	bool synced; /* others may see it */
	bool retired;
	bool is_alone; /* its path has no other entry */
	uint32_t n_path;
	struct number *next_of_path;
	char *identity; /* NULL: stands for any */
	uint64_t sequence;
	int64_t created;
	struct change *change; /* the last one that is not applied, or NULL */
	char path[];
};

struct entries {
	struct number **all; /* in the order they came */
	size_t n, size;
	struct numbers_index by_number; /* of all but directories */
	struct numbers_index by_path; /* the first of each chain */
	struct store_totals totals; /* of the synced ones */
	uint64_t last_sequence;
	uint32_t highest; /* number */
	size_t n_paths; /* with a primary number */
	/* Those with numbers, in order, made when somebody looks. */
	struct number **sorted;
	size_t n_sorted; /* 0: not made */
};

void entries_done(struct entries *entries);
int entries_reserve(struct entries *entries, size_t n);

struct number *entries_find_number(const struct entries *entries, uint32_t number);
/* The first of a path's entries, or NULL. */
struct number *entries_find_path(const struct entries *entries, const char *path, size_t n_path);
/* The record of a directory, or NULL. */
struct number *entries_find_directory(const struct entries *entries, const char *path);

/* entries_add - one that is not synced. Returns 0; -ENOMEM. */
int entries_add(struct entries *entries, const struct store_row *row, struct number **ret_entry);

/*
 * entries_set - from now on others see this row in the entry. @identity: becomes the entry's; or
 * NULL: it keeps its own
 */
void entries_set(struct entries *entries, struct number *entry, char *identity, uint64_t sequence,
		 bool retired, int64_t created);

/* entries_join - a row of a copy. Returns 0; -ENOMEM; -EEXIST: it contradicts *ret_entry. */
int entries_join(struct entries *entries, const struct store_row *row, struct number **ret_entry);

/* Both may be NULL: any. */
bool entries_same_identity(const char *a, const char *b);

/* The row that others see. Borrows the entry's bytes. */
struct store_row entries_row(const struct number *entry);

/* The primary number of a chain: synced, not retired, said last. */
struct number *entries_primary(struct number *chain);

/* The next number, or NULL. */
struct number *entries_next(struct entries *entries, uint32_t after);

/* ---- calls and changes ---- */

enum { NUMBERS_GROUP_MAX = 20000 }; /* rows under way at a time */

enum change_state { QUEUED, SENT, DOUBT };

/* What an entry is to become, all of it. */
struct change {
	struct change *prev, *next; /* in the list of its state */
	enum change_state state;
	struct number *entry;
	const char *identity;
	char *new_identity; /* the same, if the entry has none yet */
	uint64_t sequence;
	int64_t created;
	bool retired;
	struct waiter *waiters; /* calls to tell when it is settled */
};

/* One call waits for one change. */
struct waiter {
	struct numbers_question *question;
	struct waiter *next;
};

struct numbers_question {
	struct pending pending;
	struct numbers *numbers;
	struct numbers_question *prev, *next; /* in waiting or ready */
	size_t n_pending;
	struct waiter *waiters; /* as many as it has paths */
	int error;
	numbers_done_fn done; /* NULL: cancelled */
	void *userdata;
};

struct numbers {
	struct entries *entries;
	struct copies *copies;
	numbers_reserved_fn reserved; /* NULL: none is */
	void *reserved_userdata;
	const char *file; /* being read at the start */
	sd_event_source *ready_source, *send_source;
	size_t n_rows; /* sent last */
	uint64_t sent_usec; /* when */
	struct change *lists[3]; /* by state */
	struct store_row *rows; /* of those that are sent */
	struct numbers_question *waiting;
	struct numbers_question *ready;
};

/* What copies_new() wants to know. */
void numbers_written(void *userdata, int error);
int numbers_on_send(sd_event_source *source, uint64_t usec, void *userdata);
int numbers_on_ready(sd_event_source *source, void *userdata);
void numbers_free_changes(struct numbers *numbers);
