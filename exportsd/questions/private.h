/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - one question, as the files questions*.c share it.
 *
 * A question waits for at most one thing at a time. Whatever cannot be asked now (no memory, a full
 * queue) or was not answered in time is asked again a little later; a question ends only by an
 * answer. Pointers into the snapshot may be kept in it: questions_again() begins it anew when there
 * is another.
 */

#include <uthash.h>

#include "exportsd/base/parts.h"
#include "exportsd/config/config.h"
#include "exportsd/fs/identities.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/media/media.h"
#include "exportsd/names/clients.h"
#include "exportsd/names/names.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/questions/questions.h"
#include "parser/snapshot/snapshot.h"

enum {
	/* P5: no "no" that may turn into a "yes" by itself lives longer in the kernel. */
	NO_SECONDS = 5,
	/* A question whose answer could not be found out is looked at again after this. */
	AGAIN_SECONDS = 5,
};

struct question {
	struct daemon *daemon;
	struct kernel_question about; /* its texts lie in key */
	questions_told_fn told;
	void *told_userdata;
	bool is_beginning; /* within questions_tell_export(), which tells nobody */
	int told_error; /* what to tell in the next turn */

	/* What it waits for: one of these, or none while it is being looked at. */
	struct pending *clients;
	struct pending *names;
	struct pending *paths;
	struct pending *identities;
	struct pending *media;
	struct pending *number;
	sd_event_source *timer; /* or the loop's next turn */

	/* What is known so far. */
	char *composed; /* of a domain "$ADDRESS": the domain that it stands for; NULL: the domain stands for itself */
	bool is_partial; /* the name service was silent about it, so more clients may match it */
	bool is_patient; /* it has been waited for */
	enum snapshot_found found;
	struct snapshot_match match;
	bool mount_root_checked;
	char *answer_path; /* fh: the path to answer with */

	struct question *next, *previous;
	UT_hash_handle hh; /* by its key, if the kernel asks: it asks the same once */
	size_t key_length;
	char key[]; /* all of what is asked */
};

enum { STALE_REMEMBERED = 64 };

/* What was said of stale handles: stale.c. */
struct stale_log {
	struct {
		uint64_t hash; /* of client specification and file system id */
		uint64_t usec;
	} said[STALE_REMEMBERED];
	size_t next;
	uint64_t minute_began;
	unsigned int n_said, n_left_out; /* in this minute */
};

struct questions {
	struct daemon *daemon;
	struct identities *identities;
	struct question *all; /* list */
	struct question *by_key; /* hash */
	size_t n_waiting;
	struct naming *namings; /* questions_name() */
	struct stale_log stale;

	/* Media that are not mounted were shown: see question_showed_unmounted(). */
	sd_event_source *look_timer; /* armed while there is something to forget */
	uint64_t first_look_usec, last_look_usec;

	/* withdraw.c: what NFSv4 clients hold; media fall idle many at a time. */
	struct kernel_holds *holds;
	uint64_t holds_usec;
};

/* questions_again(): those of questions_name() begin anew, too. */
void namings_again(struct questions *questions);
/* Nobody is told any more. */
void namings_end(struct questions *questions);

void question_begin_export(struct question *question);
void question_begin_fh(struct question *question);

/* question_clients - who asks; NULL when memory is out. */
const struct client_set *question_clients(const struct question *question);

/*
 * question_ttl - how long the kernel may believe what only a reload, or other names of who asks,
 * can change.
 */
uint32_t question_ttl(const struct question *question);
/*
 * question_waits_for_names - have it begun again with all names known, if they are not and were not
 * waited for.
 */
bool question_waits_for_names(struct question *question);

/* question_again - begin anew after so many seconds (0: in the next turn of the loop). */
void question_again(struct question *question, unsigned int seconds);

/*
 * question_answer - answer, and end the question. No memory: again later.
 *
 * @answer: what it is about is filled in
 *
 * Returns 0; the kernel's errno, negative: it did not take the answer, and the question has not
 * ended.
 */
int question_answer(struct question *question, struct kernel_answer answer);

/*
 * question_was_stale - name in the journal what a file handle was of that gets a "no", now and
 * then.
 *
 * @path: NULL: not known
 */
void question_was_stale(const struct question *question, const char *path, const char *format, ...)
	FORMAT_PRINTF(3, 4);

/* question_end - it was answered, or nothing can answer it. @error: for whoever had it told. */
void question_end(struct question *question, int error);

/* Seconds since the epoch when an answer given now ends. */
uint64_t question_expiry(uint32_t seconds);

/*
 * Entries of an export's path, told before the file handle's so that the kernel need not ask: 0, or
 * the kernel's errno.
 *
 * @root_fd: O_PATH on the medium's root, and the entry is of this mount and no other; -1: it is not
 *           mounted
 */
int question_tell_medium(struct question *question, const char *path,
			 const struct snapshot_match *match, uint32_t number, int root_fd);

/* What the kernel is told of a medium's export. */
struct kernel_export question_medium_export(const struct snapshot_match *match, uint32_t number);

/*
 * question_showed_unmounted - a medium that is not mounted was shown to somebody who may only be
 * looking.
 *
 * Its directory's attributes expire at the client (acdirmin, 30 s). If the client then lists the
 * pseudo-root anew, they come with the listing; if not, it asks for each by its handle, which would
 * load every medium in it (P3). It lists anew if the pseudo-root has changed, and that is when the
 * exports were flushed last (kernel_flush_exports()). So the kernel is made to forget what it was
 * told, soon after nobody looks any more.
 */
void question_showed_unmounted(struct question *question);
