/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - one question, as the files of this folder share it: the kinds of questions (who.c,
 * export.c, fh.c) above, below them what is told of media (medium.c) and the life of a question
 * (question.c).
 *
 * A question waits for at most one thing at a time. Whatever cannot be asked now (no memory, a full
 * queue) or was not answered in time is asked again a little later; a question ends only by an
 * answer. Pointers into the snapshot may be kept in it: questions_again() begins it anew when there
 * is another.
 */

#include <uthash.h>

#include "exportsd/base/later.h"
#include "exportsd/base/parts.h"
#include "exportsd/config/config.h"
#include "exportsd/fs/identities.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/media/media.h"
#include "exportsd/names/names.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/questions/access.h"
#include "exportsd/questions/questions.h"

enum {
	/* P5: no "no" that may turn into a "yes" by itself lives longer in the kernel. */
	NO_SECONDS = 5,
	/* A question whose answer could not be found out is looked at again after this. */
	AGAIN_SECONDS = 5,
};

struct question;

/* What is done for the questions of a cache. */
struct question_kind {
	void (*begin)(struct question *question);
	/* What begin() asks by: all of its steps that lead on. */
	struct access_steps steps;
};

extern const struct question_kind question_ip, question_gid, question_export, question_fh;

struct question {
	struct pending pending; /* whoever had it told */
	struct daemon *daemon;
	const struct question_kind *kind;
	struct kernel_question about; /* its texts lie in key */
	questions_told_fn told; /* NULL: the kernel asked */
	void *told_userdata;
	bool is_beginning; /* within questions_tell_export(), which tells nobody */
	int error; /* then, if it is over already: to be told in the next turn */

	/* What it waits for: access.pending, or to begin anew. */
	struct access access;
	struct later again;
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
	struct later look; /* pending while there is something to forget */
	uint64_t first_look_usec, last_look_usec;
};

/* questions_again(): those of questions_name() begin anew, too. */
void namings_again(struct questions *questions);
void namings_end(struct questions *questions);

/* ---- question.c: a question's life ---- */

/* question_new - kept, and not begun. NULL when memory is out. */
struct question *question_new(struct questions *questions, const struct question_kind *kind,
			      const struct kernel_question *about);
void question_free(struct question *question);
/* question_enter - the kernel asked it. Returns 0; -EEXIST: the same is kept already; -ENOMEM. */
int question_enter(struct question *question);

void question_begin(struct question *question);
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

/* question_end - it was answered, or nothing can answer it. @error: for whoever had it told. */
void question_end(struct question *question, int error);

/* Seconds since the epoch when an answer given now ends. */
uint64_t question_expiry(uint32_t seconds);
/*
 * question_ttl - how long the kernel may believe what only a reload, or other names of who asks,
 * can change.
 */
uint32_t question_ttl(const struct question *question);

/* question_begin_domain - a kind's begin(): by the domain that the kernel names. */
void question_begin_domain(struct question *question);

/* ---- stale.c ---- */

/*
 * question_was_stale - name in the journal what a file handle was of that gets a "no", now and
 * then.
 *
 * @path: NULL: not known
 */
void question_was_stale(const struct question *question, const char *path, const char *format, ...)
	FORMAT_PRINTF(3, 4);

/* ---- medium.c ---- */

/*
 * Entries of an export's path, told before the file handle's so that the kernel need not ask: 0, or
 * the kernel's errno.
 *
 * @root_fd: O_PATH on the medium's root, and the entry is of this mount and no other; -1: it is not
 *           mounted
 */
int question_tell_medium(struct question *question, const char *path, uint32_t number, int root_fd);

/* What the kernel is told of a medium's export. */
struct kernel_export question_medium_export(const struct snapshot_match *match, uint32_t number);
