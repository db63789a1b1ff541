/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * copies.c - one set of rows, several disks.
 *
 * A copy is live (it is written to, and awaited) or dropped. A live one that may lack rows is being
 * filled: it gets all rows in order, one message at a time, beside what is written anyway; rows are
 * joined, so what it has already does no harm. When its totals are the owner's, it is whole. One
 * process reads one socket in order, so nothing overtakes anything within a copy.
 */

#include "exportsd/numbers/copies.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/base/log.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/worker/worker.h"

enum {
	ROWS_MAX = 300, /* in a message; three fields each: within PROTO_FIELDS_MAX */
	BYTES_MAX = 96 * 1024, /* escaped: within PROTO_MESSAGE_MAX */
	ROW_BYTES = 100, /* what a row takes besides its path and identity */
	DEATHS_MAX = 5, /* questions that a copy's process dies over, one after another */
	ROUNDS_MAX = 3, /* when a copy that was given every row does not have them all */
	SECOND = 1000000,
};

enum copy_state {
	LIVE,
	DROPPED,
	OPENING, /* dropped, and being tried again */
};

struct copy {
	struct numbers_copies *copies;
	char *file;
	struct worker *worker;
	unsigned int n_deaths;
	enum copy_state state;
	bool whole; /* nothing is missing, as far as is known */
	bool said; /* that it was dropped */
	struct store_totals totals; /* as it said last */
	int error; /* that it was dropped for */
	char *why;

	/* What is being written. */
	size_t n_pending; /* messages without an answer */
	int write_error; /* the first of these */
	bool in_write;

	/* Filling. */
	size_t position;
	bool fill_pending, told_complete;
	unsigned int n_rounds;

	bool check_pending;
};

struct numbers_copies {
	struct pending checking;
	later_fn checked; /* NULL: nobody waits */
	void *check_userdata;
	sd_event *event;
	const struct numbers_entries *entries;
	copies_written_fn written;
	void *userdata;
	struct copy *all;
	size_t n;
	const struct store_row *rows; /* being written; NULL: nothing is */
	size_t n_rows;
	int write_error; /* of the last copy that failed */
	size_t n_written; /* copies that have them */
	struct later settle, patience, retry;
};

static void fill(struct copy *copy);
static void fill_next(struct copy *copy);
static void look_at_write(struct numbers_copies *copies);
static void look_at_check(struct numbers_copies *copies);
static void try_again(struct copy *copy);

/* ---- which copies there are ---- */

static size_t count_live(const struct numbers_copies *copies)
{
	size_t n = 0;

	for (size_t i = 0; i < copies->n; i++)
		n += copies->all[i].state == LIVE;
	return n;
}

static const struct copy *other_whole(const struct copy *copy)
{
	const struct numbers_copies *copies = copy->copies;

	for (size_t i = 0; i < copies->n; i++)
		if (&copies->all[i] != copy && copies->all[i].state == LIVE && copies->all[i].whole)
			return &copies->all[i];
	return NULL;
}

static void on_retry(void *userdata);

static void want_retry(struct numbers_copies *copies)
{
	if (!later_is_pending(&copies->retry))
		(void)later_call_in(&copies->retry, copies->event,
				    COPIES_RETRY_SECONDS * (uint64_t)SECOND, on_retry, copies);
}

/* It is to be put aside and made anew. */
static bool is_damaged(const struct copy *copy)
{
	return copy->state == DROPPED && copy->error == -EUCLEAN;
}

/* Until somebody has looked. */
static bool contradicts(const struct copy *copy)
{
	return copy->state == DROPPED && copy->error == -EEXIST;
}

/* Said once, however often it fails again. */
static void drop(struct copy *copy, int error, const char *why)
{
	const char *text = why ?: strerror(-error);

	copy->state = DROPPED;
	copy->error = error;
	copy->whole = false;
	copy->fill_pending = false;
	if (text != copy->why) {
		free(copy->why);
		copy->why = strdup(text);
	}
	if (!copy->said) {
		const struct copy *other = other_whole(copy);

		copy->said = true;
		if (contradicts(copy))
			log_error(
				NULL,
				"A copy of the number store is left out, it contradicts what is known: %s. "
				"Stop exportsd, and see exportsctl fsid verify",
				text);
		else if (other)
			log_error(
				NULL,
				"A copy of the number store fails, going on with '%s', trying again: %s",
				other->file, text);
		else
			log_error(
				NULL,
				"No copy of the number store works, new media get no number, trying again: %s",
				text);
	}
	want_retry(copy->copies);
}

/* ---- messages ---- */

static size_t row_cost(const struct store_row *row)
{
	return 4 * (row->n_path + (row->identity ? row->n_identity : 0)) + ROW_BYTES;
}

static void put_row(struct proto_writer *message, const struct store_row *row)
{
	proto_printf(message, "row", "%" PRIu32 " %" PRIu64 " %u %" PRId64, row->number,
		     row->sequence, row->retired, row->created);
	proto_put_bytes(message, "path", row->path, row->n_path);
	if (row->identity)
		proto_put_bytes(message, "identity", row->identity, row->n_identity);
}

/* ---- questions ---- */

static int ask(struct copy *copy, struct proto_writer *message, worker_done_fn answered)
{
	int r = worker_ask(copy->worker, message, 0, answered, copy, NULL);

	proto_writer_done(message);
	return r;
}

/* Returns its words, if there are any. */
static const char *take_answer(struct copy *copy, int error, const struct proto_message *answer)
{
	struct store_totals totals;

	if (error != -EPIPE)
		copy->n_deaths = 0;
	if (error == 0 && proto_get_u64(answer, "n", UINT64_MAX, &totals.n) == 0 &&
	    proto_get_u64(answer, "sum", UINT64_MAX, &totals.sum) == 0)
		copy->totals = totals;
	return answer ? proto_get(answer, "message") : NULL;
}

/*
 * Its process has died over it: the rows may be there or not; said twice, they are as true as said
 * once.
 */
static bool once_more(struct copy *copy, int error)
{
	return error == -EPIPE && ++copy->n_deaths < DEATHS_MAX;
}

/* ---- writing ---- */

static void on_written(void *userdata, int error, const struct proto_message *answer)
{
	struct copy *copy = userdata;
	const char *words = take_answer(copy, error, answer);

	copy->n_pending--;
	if (error < 0 && copy->write_error == 0) {
		copy->write_error = error;
		free(copy->why);
		copy->why = words ? strdup(words) : NULL;
	}
	if (copy->n_pending == 0)
		look_at_write(copy->copies);
}

static int send_rows(struct copy *copy)
{
	const struct numbers_copies *copies = copy->copies;
	int r = 0;

	for (size_t i = 0; r == 0 && i < copies->n_rows;) {
		struct proto_writer message = {};
		size_t cost = 0, n = 0;

		proto_begin(&message, "rows");
		for (; i < copies->n_rows && n < ROWS_MAX; i++, n++) {
			cost += row_cost(&copies->rows[i]);
			if (n && cost > BYTES_MAX)
				break;
			put_row(&message, &copies->rows[i]);
		}
		if (i < copies->n_rows)
			proto_put_u64(&message, "more", 1);
		r = ask(copy, &message, on_written);
		copy->n_pending += r == 0;
	}
	return r;
}

static void write_to(struct copy *copy)
{
	copy->in_write = true;
	copy->write_error = send_rows(copy);
}

static void finish_copy(struct copy *copy)
{
	struct numbers_copies *copies = copy->copies;
	int error = copy->write_error;

	copy->in_write = false;
	if (error == 0) {
		copies->n_written++;
		if (copy->state != LIVE) {
			/* None worked, so all were tried. */
			copy->state = LIVE;
			fill(copy);
		}
		return;
	}
	copies->write_error = error;
	/* Of the only copy, this is the asker's matter. */
	if (error == -EEXIST && copies->n == 1) {
		errno = -error;
		log_error(NULL, "Cannot record numbers: %s", copy->why ?: strerror(-error));
		return;
	}
	drop(copy, error, copy->why);
}

static size_t count_writing(const struct numbers_copies *copies)
{
	size_t n = 0;

	for (size_t i = 0; i < copies->n; i++)
		n += copies->all[i].in_write;
	return n;
}

static void on_settle(void *userdata)
{
	struct numbers_copies *copies = userdata;
	int error = copies->n_written ? 0 : copies->write_error ?: -EIO;

	if (!copies->rows || count_writing(copies))
		return;
	later_cancel(&copies->patience);
	copies->rows = NULL;
	copies->n_rows = 0;
	copies->written(copies->userdata, error);
}

/* Some have answered long ago: go on without the others. */
static void on_patience(void *userdata)
{
	struct numbers_copies *copies = userdata;

	for (size_t i = 0; i < copies->n; i++) {
		struct copy *copy = &copies->all[i];

		if (!copy->in_write)
			continue;
		copy->in_write = false;
		drop(copy, -ETIMEDOUT, NULL);
	}
	later_call(&copies->settle, copies->event, on_settle, copies);
	look_at_check(copies);
}

/* Is there anything that a write still waits for? */
static void look_at_write(struct numbers_copies *copies)
{
	for (size_t i = 0; i < copies->n; i++) {
		struct copy *copy = &copies->all[i];

		if (!copy->in_write || copy->n_pending)
			continue;
		if (once_more(copy, copy->write_error))
			write_to(copy);
		else
			finish_copy(copy);
	}
	if (count_writing(copies) == 0)
		later_call(&copies->settle, copies->event, on_settle, copies);
	else if (copies->n_written)
		(void)later_call_in(&copies->patience, copies->event,
				    COPIES_PATIENCE_SECONDS * (uint64_t)SECOND, on_patience,
				    copies);
}

void copies_write(struct numbers_copies *copies, const struct store_row *rows, size_t n_rows)
{
	bool all = count_live(copies) == 0;

	copies->rows = rows;
	copies->n_rows = n_rows;
	copies->n_written = 0;
	copies->write_error = 0;
	for (size_t i = 0; i < copies->n; i++) {
		struct copy *copy = &copies->all[i];

		/* One that is late answers what was asked before first. */
		if ((copy->state != LIVE && !all) || copy->n_pending)
			continue;
		if (contradicts(copy) || (is_damaged(copy) && copies->n > 1))
			continue;
		write_to(copy);
	}
	look_at_write(copies);
}

/* ---- filling ---- */

static void fill_failed(struct copy *copy, int error, const char *why)
{
	if (copy->state == LIVE && !copy->in_write)
		drop(copy, error, why);
}

/* All rows were sent: is it the same now? */
static void fill_end(struct copy *copy)
{
	const struct store_totals *totals = &copy->copies->entries->totals;

	if (!store_totals_equal(totals, &copy->totals) && !copy->copies->rows &&
	    copy->totals.n < totals->n && ++copy->n_rounds < ROUNDS_MAX) {
		fill(copy);
		return;
	}
	copy->whole = true;
	if (copy->said)
		log_notice(NULL, "Copy '%s' of the number store takes part again", copy->file);
	copy->said = false;
	free(copy->why);
	copy->why = NULL;
	copy->error = 0;
}

static void on_filled(void *userdata, int error, const struct proto_message *answer)
{
	struct copy *copy = userdata;
	const char *words = take_answer(copy, error, answer);

	copy->fill_pending = false;
	if (copy->state != LIVE)
		return;
	if (once_more(copy, error))
		fill(copy);
	else if (error < 0)
		fill_failed(copy, error, words);
	else if (copy->told_complete)
		fill_end(copy);
	else
		fill_next(copy);
}

static const struct numbers_entry *next_entry(struct copy *copy)
{
	const struct numbers_entries *entries = copy->copies->entries;

	while (copy->position < entries->n) {
		const struct numbers_entry *entry = entries->all[copy->position++];

		if (entry->synced)
			return entry;
	}
	return NULL;
}

static void fill_next(struct copy *copy)
{
	const struct numbers_entry *entry = NULL;
	struct proto_writer message = {};
	size_t n = 0, cost = 0;
	int r;

	if (copy->fill_pending)
		return;
	proto_begin(&message, "rows");
	for (; n < ROWS_MAX && cost < BYTES_MAX - 4 * (STORE_PATH_MAX + NUMBERS_IDENTITY_MAX) &&
	       (entry = next_entry(copy));
	     n++) {
		const struct store_row row = numbers_entry_row(entry);

		cost += row_cost(&row);
		put_row(&message, &row);
	}
	copy->told_complete = !entry;
	if (!entry)
		proto_put_u64(&message, "complete", 1);
	r = ask(copy, &message, on_filled);
	copy->fill_pending = r == 0;
	if (r < 0)
		fill_failed(copy, r, NULL);
}

static void fill(struct copy *copy)
{
	copy->position = 0;
	fill_next(copy);
}

/* ---- trying again ---- */

static void on_opened(void *userdata, int error, const struct proto_message *answer)
{
	struct copy *copy = userdata;
	const struct numbers_copies *copies = copy->copies;
	const char *words = take_answer(copy, error, answer);

	if (copy->state != OPENING)
		return;
	if (error < 0) {
		drop(copy, error, words);
		/*
		 * It was found damaged just now: made anew at once, if another one has everything.
		 */
		if (is_damaged(copy) && other_whole(copy))
			try_again(copy);
		return;
	}
	copy->state = LIVE;
	copy->position = 0;
	copy->n_rounds = 0;
	/* Nothing is missing, but the file may not know that it is complete. */
	if (!copies->rows && store_totals_equal(&copies->entries->totals, &copy->totals))
		copy->position = copies->entries->n;
	/* What is under way was sent to the others before, and is not among all rows yet. */
	if (copies->rows) {
		write_to(copy);
		look_at_write(copy->copies);
	}
	if (copy->state == LIVE)
		fill_next(copy);
}

static void try_again(struct copy *copy)
{
	struct proto_writer message = {};
	bool anew = is_damaged(copy);
	int r;

	if (copy->state != DROPPED || copy->n_pending || contradicts(copy))
		return;
	if (anew && !other_whole(copy)) {
		want_retry(copy->copies);
		return;
	}
	proto_begin(&message, "open");
	proto_put_u64(&message, "make", 1);
	if (anew)
		proto_put_u64(&message, "anew", 1);
	copy->state = OPENING;
	r = ask(copy, &message, on_opened);
	if (r < 0)
		drop(copy, r, NULL);
}

static void try_all(struct numbers_copies *copies)
{
	for (size_t i = 0; i < copies->n; i++)
		try_again(&copies->all[i]);
}

static void on_retry(void *userdata)
{
	struct numbers_copies *copies = userdata;

	try_all(copies);
	for (size_t i = 0; i < copies->n; i++)
		if (copies->all[i].state == DROPPED && !contradicts(&copies->all[i]))
			want_retry(copies);
}

/* ---- checking ---- */

/* Was it dropped for being late, and is it late still? Nobody can say when it will answer. */
static bool hangs(const struct copy *copy)
{
	return copy->state == DROPPED && copy->error == -ETIMEDOUT && copy->n_pending;
}

static void look_at_check(struct numbers_copies *copies)
{
	later_fn done = copies->checked;

	for (size_t i = 0; i < copies->n; i++)
		if (copies->all[i].check_pending && !hangs(&copies->all[i]))
			return;
	copies->checked = NULL;
	if (done)
		done(copies->check_userdata);
}

static int check(struct copy *copy);

static void on_checked(void *userdata, int error, const struct proto_message *answer)
{
	struct copy *copy = userdata;
	const char *words = take_answer(copy, error, answer);

	copy->check_pending = false;
	if (once_more(copy, error) && check(copy) == 0)
		return;
	if (error < 0 && copy->state == LIVE && !copy->in_write) {
		drop(copy, error, words);
		try_again(copy);
	}
	look_at_check(copy->copies);
}

static int check(struct copy *copy)
{
	struct proto_writer message = {};
	int r;

	proto_begin(&message, "check");
	r = ask(copy, &message, on_checked);
	copy->check_pending = r == 0;
	return r;
}

static void cancel_check(struct pending *checking)
{
	((struct numbers_copies *)checking)->checked = NULL;
}

int copies_check(struct numbers_copies *copies, later_fn done, void *userdata,
		 struct pending **ret_pending)
{
	size_t n = 0;

	if (copies->checked)
		return -EBUSY;
	try_all(copies);
	/* One that is being checked since the start need not be told again. */
	for (size_t i = 0; i < copies->n; i++)
		n += !hangs(&copies->all[i]) &&
		     (copies->all[i].check_pending || check(&copies->all[i]) == 0);
	if (!n)
		return -ENOMEM;
	copies->checked = done;
	copies->check_userdata = userdata;
	if (ret_pending)
		*ret_pending = &copies->checking;
	return 0;
}

/* ---- start, end, and what is told ---- */

/* What store_load() found is told once, and decides how a copy begins. */
static int begin_copy(struct copy *copy, const struct store_copy *found)
{
	const struct store_totals none = {};

	copy->totals = found->totals;
	copy->state = DROPPED;
	if (found->set_aside) {
		log_error(
			NULL,
			"A copy of the number store was damaged, it is kept as '%s' and made anew: %s",
			found->set_aside, found->why ?: "");
		copy->said = true;
	} else if (found->state == STORE_FAILED) {
		drop(copy, found->error, found->why);
		return 0;
	} else if (found->state == STORE_MISSING) {
		log_notice(NULL, "Making copy '%s' of the number store", found->file);
	}
	copy->whole = found->complete;
	if (found->state == STORE_GOOD && found->complete) {
		copy->state = LIVE;
		/* A new store is not looked at before it is written to. */
		return store_totals_equal(&copy->totals, &none) ? 0 : check(copy);
	}
	try_again(copy);
	return 0;
}

static void warn_of_same_disk(const struct numbers_copies *copies)
{
	struct stat st, first;

	for (size_t i = 1; i < copies->n; i++)
		if (stat(copies->all[0].file, &first) == 0 && stat(copies->all[i].file, &st) == 0 &&
		    first.st_dev == st.st_dev)
			log_info(
				NULL,
				"Copies '%s' and '%s' of the number store are on the same file system; "
				"number-copies in exportsd.conf(5) may name another disk",
				copies->all[0].file, copies->all[i].file);
}

int copies_new(struct numbers_copies **ret_copies, sd_event *event, const struct store_copy *found,
	       size_t n_found, const struct numbers_entries *entries, copies_written_fn written,
	       void *userdata)
{
	struct numbers_copies *copies = calloc(1, sizeof(*copies));
	int r = 0;

	if (!copies || !(copies->all = calloc(n_found, sizeof(*copies->all)))) {
		free(copies);
		return -ENOMEM;
	}
	copies->checking.cancel = cancel_check;
	copies->event = event;
	copies->entries = entries;
	copies->written = written;
	copies->userdata = userdata;
	copies->n = n_found;
	for (size_t i = 0; r == 0 && i < n_found; i++) {
		copies->all[i] = (struct copy){ .copies = copies, .file = strdup(found[i].file) };
		if (!copies->all[i].file)
			r = -ENOMEM;
		else
			r = worker_new(&copies->all[i].worker, event, WORKER_STORE, 1,
				       found[i].file);
	}
	for (size_t i = 0; r == 0 && i < n_found; i++)
		r = begin_copy(&copies->all[i], &found[i]);
	if (r < 0) {
		copies_free(copies);
		return r;
	}
	warn_of_same_disk(copies);
	*ret_copies = copies;
	return 0;
}

struct numbers_copies *copies_free(struct numbers_copies *copies)
{
	if (!copies)
		return NULL;
	for (size_t i = 0; i < copies->n; i++) {
		worker_free(copies->all[i].worker);
		free(copies->all[i].why);
		free(copies->all[i].file);
	}
	later_cancel(&copies->settle);
	later_cancel(&copies->patience);
	later_cancel(&copies->retry);
	free(copies->all);
	free(copies);
	return NULL;
}

bool copies_status(const struct numbers_copies *copies, size_t i,
		   struct numbers_copy_status *ret_status)
{
	const struct copy *copy = &copies->all[i];

	if (i >= copies->n)
		return false;
	*ret_status = (struct numbers_copy_status){
		.file = copy->file,
		.state = copy->state != LIVE ? "failed"
			 : copy->whole	     ? "good"
					     : "filling",
		.why = copy->state != LIVE ? copy->why ?: "it is being tried" : NULL,
		.n_rows = copy->totals.n,
	};
	return true;
}
