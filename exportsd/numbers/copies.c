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
	TRIES_MAX = 3, /* when the store's process dies over the same rows */
	SECOND = 1000000,
};

/* No row is there any more; and it was told so. */
#define POSITION_END (SIZE_MAX - 1)
#define POSITION_TOLD SIZE_MAX

enum copy_state {
	LIVE,
	DROPPED,
	OPENING, /* dropped, and being tried again */
};

struct copy {
	struct copies *copies;
	char *file;
	struct worker *worker;
	enum copy_state state;
	bool whole; /* nothing is missing, as far as is known */
	bool damaged; /* dropped for that: it is to be put aside and made anew */
	bool contradicts; /* dropped for that, until somebody has looked */
	bool said; /* that it was dropped */
	struct store_totals totals; /* as it said last */
	int error;
	char *why;

	/* What is being written. */
	size_t n_pending; /* messages without an answer */
	int write_error; /* the first of these */
	unsigned int n_tries;
	bool in_write;

	/* Filling. */
	size_t position;
	bool fill_pending;
	unsigned int n_rounds;

	bool check_pending;
	unsigned int n_checks;
};

struct copies {
	sd_event *event;
	struct copies_owner owner;
	struct copy *all;
	size_t n;
	const struct store_row *rows; /* being written; NULL: nothing is */
	size_t n_rows;
	int write_error; /* of the last copy that failed */
	size_t n_written; /* copies that have them */
	sd_event_source *settle_source, *patience_source, *retry_source;
	void (*checked)(void *userdata);
	void *check_userdata;
};

static void fill_next(struct copy *copy);
static void look_at_write(struct copies *copies);
static void look_at_check(struct copies *copies);
static void try_again(struct copy *copy);

/* ---- which copies there are ---- */

static size_t count_live(const struct copies *copies)
{
	size_t n = 0;

	for (size_t i = 0; i < copies->n; i++)
		n += copies->all[i].state == LIVE;
	return n;
}

static const struct copy *other_whole(const struct copy *copy)
{
	const struct copies *copies = copy->copies;

	for (size_t i = 0; i < copies->n; i++)
		if (&copies->all[i] != copy && copies->all[i].state == LIVE && copies->all[i].whole)
			return &copies->all[i];
	return NULL;
}

static void want_retry(struct copies *copies)
{
	int enabled;

	if (sd_event_source_get_enabled(copies->retry_source, &enabled) >= 0 &&
	    enabled == SD_EVENT_OFF) {
		(void)sd_event_source_set_time_relative(copies->retry_source,
							COPIES_RETRY_SECONDS * (uint64_t)SECOND);
		(void)sd_event_source_set_enabled(copies->retry_source, SD_EVENT_ONESHOT);
	}
}

/* Said once, however often it fails again. */
static void drop(struct copy *copy, int error, const char *why)
{
	const char *text = why ?: strerror(-error);

	copy->state = DROPPED;
	copy->error = error;
	copy->whole = false;
	copy->damaged = error == -EUCLEAN;
	copy->contradicts = error == -EEXIST;
	copy->fill_pending = false;
	if (text != copy->why) {
		free(copy->why);
		copy->why = strdup(text);
	}
	if (!copy->said) {
		const struct copy *other = other_whole(copy);

		copy->said = true;
		if (copy->contradicts)
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

static void take_totals(struct copy *copy, const struct proto_message *answer)
{
	struct store_totals totals;

	if (answer && proto_get_u64(answer, "n", UINT64_MAX, &totals.n) == 0 &&
	    proto_get_u64(answer, "sum", UINT64_MAX, &totals.sum) == 0)
		copy->totals = totals;
}

static const char *words(const struct proto_message *answer)
{
	return answer ? proto_get(answer, "message") : NULL;
}

/* ---- writing ---- */

static void on_written(void *userdata, int error, const struct proto_message *answer)
{
	struct copy *copy = userdata;

	copy->n_pending--;
	if (error < 0 && copy->write_error == 0) {
		copy->write_error = error;
		free(copy->why);
		copy->why = words(answer) ? strdup(words(answer)) : NULL;
	}
	if (error == 0)
		take_totals(copy, answer);
	if (copy->n_pending == 0)
		look_at_write(copy->copies);
}

static int send_rows(struct copy *copy)
{
	const struct copies *copies = copy->copies;
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
		r = worker_ask(copy->worker, &message, 0, on_written, copy, NULL);
		copy->n_pending += r == 0;
		proto_writer_done(&message);
	}
	return r;
}

static void write_to(struct copy *copy)
{
	copy->in_write = true;
	copy->write_error = send_rows(copy);
}

/*
 * One of them has died over it: the rows may be there or not; said twice, they are as true as said
 * once.
 */
static bool write_again(struct copy *copy)
{
	if (copy->write_error != -EPIPE || ++copy->n_tries >= TRIES_MAX)
		return false;
	write_to(copy);
	return true;
}

static void finish_copy(struct copy *copy)
{
	struct copies *copies = copy->copies;
	int error = copy->write_error;

	copy->in_write = false;
	if (error == 0) {
		copies->n_written++;
		if (copy->state != LIVE) {
			/* None worked, so all were tried. */
			copy->state = LIVE;
			copy->position = 0;
			fill_next(copy);
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

static size_t count_writing(const struct copies *copies)
{
	size_t n = 0;

	for (size_t i = 0; i < copies->n; i++)
		n += copies->all[i].in_write;
	return n;
}

/* Is there anything that a write still waits for? */
static void look_at_write(struct copies *copies)
{
	for (size_t i = 0; i < copies->n; i++) {
		struct copy *copy = &copies->all[i];

		if (!copy->in_write || copy->n_pending)
			continue;
		if (!write_again(copy))
			finish_copy(copy);
	}
	if (count_writing(copies) == 0) {
		(void)sd_event_source_set_enabled(copies->settle_source, SD_EVENT_ONESHOT);
	} else if (copies->n_written) {
		(void)sd_event_source_set_time_relative(copies->patience_source,
							COPIES_PATIENCE_SECONDS * (uint64_t)SECOND);
		(void)sd_event_source_set_enabled(copies->patience_source, SD_EVENT_ONESHOT);
	}
}

static int on_settle(sd_event_source *source, void *userdata)
{
	struct copies *copies = userdata;
	int error = copies->n_written ? 0 : copies->write_error ?: -EIO;

	if (!copies->rows || count_writing(copies))
		return 0;
	(void)sd_event_source_set_enabled(copies->patience_source, SD_EVENT_OFF);
	copies->rows = NULL;
	copies->n_rows = 0;
	copies->owner.written(copies->owner.userdata, error);
	return 0;
}

/* Some have answered long ago: go on without the others. */
static int on_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct copies *copies = userdata;

	for (size_t i = 0; i < copies->n; i++) {
		struct copy *copy = &copies->all[i];

		if (!copy->in_write)
			continue;
		copy->in_write = false;
		drop(copy, -ETIMEDOUT, NULL);
	}
	(void)sd_event_source_set_enabled(copies->settle_source, SD_EVENT_ONESHOT);
	look_at_check(copies);
	return 0;
}

void copies_write(struct copies *copies, const struct store_row *rows, size_t n_rows)
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
		if (copy->contradicts || (copy->damaged && copies->n > 1))
			continue;
		copy->n_tries = 0;
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
	struct store_totals totals;

	copy->copies->owner.totals(copy->copies->owner.userdata, &totals);
	copy->whole = true;
	if (!store_totals_equal(&totals, &copy->totals) && !copy->copies->rows &&
	    copy->totals.n < totals.n && ++copy->n_rounds < TRIES_MAX) {
		copy->whole = false;
		copy->position = 0;
		fill_next(copy);
		return;
	}
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
	bool last = copy->position == POSITION_TOLD;

	copy->fill_pending = false;
	if (copy->state != LIVE)
		return;
	if (error == -EPIPE && ++copy->n_rounds < TRIES_MAX) {
		copy->position = 0;
		fill_next(copy);
		return;
	}
	if (error < 0) {
		fill_failed(copy, error, words(answer));
		return;
	}
	take_totals(copy, answer);
	if (last)
		fill_end(copy);
	else
		fill_next(copy);
}

static void fill_next(struct copy *copy)
{
	const struct copies_owner *owner = &copy->copies->owner;
	struct proto_writer message = {};
	struct store_row row;
	size_t n = 0, cost = 0;
	bool more = true;
	int r;

	if (copy->fill_pending)
		return;
	proto_begin(&message, "rows");
	while (n < ROWS_MAX && cost < BYTES_MAX - 4 * (STORE_PATH_MAX + STORE_IDENTITY_MAX) &&
	       (more = owner->next_row(owner->userdata, &copy->position, &row))) {
		cost += row_cost(&row);
		put_row(&message, &row);
		n++;
	}
	if (!more) {
		copy->position = POSITION_TOLD;
		proto_put_u64(&message, "complete", 1);
	}
	r = worker_ask(copy->worker, &message, 0, on_filled, copy, NULL);
	proto_writer_done(&message);
	copy->fill_pending = r == 0;
	if (r < 0)
		fill_failed(copy, r, NULL);
}

/* ---- trying again ---- */

static void on_opened(void *userdata, int error, const struct proto_message *answer)
{
	struct copy *copy = userdata;
	struct copies *copies = copy->copies;
	struct store_totals totals;

	if (copy->state != OPENING)
		return;
	if (error < 0) {
		copy->state = DROPPED;
		drop(copy, error, words(answer));
		/*
		 * It was found damaged just now: made anew at once, if another one has everything.
		 */
		if (copy->damaged && other_whole(copy))
			try_again(copy);
		return;
	}
	take_totals(copy, answer);
	copy->state = LIVE;
	copy->damaged = copy->contradicts = false;
	copy->position = 0;
	copy->n_rounds = 0;
	copies->owner.totals(copies->owner.userdata, &totals);
	/* Nothing is missing, but the file may not know that it is complete. */
	if (!copies->rows && store_totals_equal(&totals, &copy->totals))
		copy->position = POSITION_END;
	/* What is under way was sent to the others before, and is not among all rows yet. */
	if (copies->rows) {
		copy->n_tries = 0;
		write_to(copy);
		look_at_write(copies);
	}
	if (copy->state == LIVE)
		fill_next(copy);
}

static void try_again(struct copy *copy)
{
	struct proto_writer message = {};
	int r;

	if (copy->state != DROPPED || copy->n_pending || copy->contradicts)
		return;
	if (copy->damaged && !other_whole(copy)) {
		want_retry(copy->copies);
		return;
	}
	proto_begin(&message, "open");
	proto_put_u64(&message, "make", 1);
	if (copy->damaged)
		proto_put_u64(&message, "anew", 1);
	copy->damaged = false;
	copy->state = OPENING;
	r = worker_ask(copy->worker, &message, 0, on_opened, copy, NULL);
	proto_writer_done(&message);
	if (r < 0) {
		copy->state = DROPPED;
		drop(copy, r, NULL);
	}
}

void copies_retry(struct copies *copies)
{
	for (size_t i = 0; i < copies->n; i++)
		try_again(&copies->all[i]);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct copies *copies = userdata;

	copies_retry(copies);
	for (size_t i = 0; i < copies->n; i++)
		if (copies->all[i].state == DROPPED && !copies->all[i].contradicts)
			want_retry(copies);
	return 0;
}

/* ---- checking ---- */

/* Was it dropped for being late, and is it late still? Nobody can say when it will answer. */
static bool hangs(const struct copy *copy)
{
	return copy->state == DROPPED && copy->error == -ETIMEDOUT && copy->n_pending;
}

static void look_at_check(struct copies *copies)
{
	void (*done)(void *userdata) = copies->checked;

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

	copy->check_pending = false;
	if (error == -EPIPE && ++copy->n_checks < TRIES_MAX && check(copy) == 0)
		return;
	copy->n_checks = 0;
	if (error < 0 && copy->state == LIVE && !copy->in_write) {
		drop(copy, error, words(answer));
		try_again(copy);
	} else if (error == 0) {
		take_totals(copy, answer);
	}
	look_at_check(copy->copies);
}

static int check(struct copy *copy)
{
	struct proto_writer message = {};
	int r;

	proto_begin(&message, "check");
	r = worker_ask(copy->worker, &message, 0, on_checked, copy, NULL);
	proto_writer_done(&message);
	copy->check_pending = r == 0;
	return r;
}

int copies_check(struct copies *copies, void (*done)(void *userdata), void *userdata)
{
	size_t n = 0;

	if (copies->checked)
		return -EBUSY;
	copies_retry(copies);
	/* One that is being checked since the start need not be told again. */
	for (size_t i = 0; i < copies->n; i++)
		n += !hangs(&copies->all[i]) &&
		     (copies->all[i].check_pending || check(&copies->all[i]) == 0);
	if (!n)
		return -ENOMEM;
	copies->checked = done;
	copies->check_userdata = userdata;
	return 0;
}

void copies_cancel_check(struct copies *copies, void *userdata)
{
	if (copies->check_userdata == userdata)
		copies->checked = NULL;
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

static void warn_of_same_disk(const struct copies *copies)
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

int copies_new(struct copies **ret_copies, sd_event *event, const struct store_copy *found,
	       size_t n_found, const struct copies_owner *owner)
{
	struct copies *copies = calloc(1, sizeof(*copies));
	int r = -ENOMEM;

	if (copies)
		copies->all = calloc(n_found, sizeof(*copies->all));
	if (copies && copies->all) {
		copies->event = event;
		copies->owner = *owner;
		copies->n = n_found;
		r = sd_event_add_defer(event, &copies->settle_source, on_settle, copies);
	}
	if (r >= 0)
		r = sd_event_source_set_enabled(copies->settle_source, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &copies->patience_source, CLOCK_MONOTONIC, UINT64_MAX,
				      SECOND / 10, on_patience, copies);
	if (r >= 0)
		r = sd_event_source_set_enabled(copies->patience_source, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &copies->retry_source, CLOCK_MONOTONIC, UINT64_MAX,
				      SECOND, on_retry, copies);
	if (r >= 0)
		r = sd_event_source_set_enabled(copies->retry_source, SD_EVENT_OFF);
	for (size_t i = 0; r >= 0 && i < n_found; i++) {
		copies->all[i] = (struct copy){ .copies = copies, .file = strdup(found[i].file) };
		if (!copies->all[i].file)
			r = -ENOMEM;
		else
			r = worker_new(&copies->all[i].worker, event, WORKER_STORE, 1,
				       found[i].file);
	}
	for (size_t i = 0; r >= 0 && i < n_found; i++)
		r = begin_copy(&copies->all[i], &found[i]);
	if (r < 0) {
		copies_free(copies);
		return r;
	}
	warn_of_same_disk(copies);
	*ret_copies = copies;
	return 0;
}

struct copies *copies_free(struct copies *copies)
{
	if (!copies)
		return NULL;
	for (size_t i = 0; copies->all && i < copies->n; i++) {
		worker_free(copies->all[i].worker);
		free(copies->all[i].why);
		free(copies->all[i].file);
	}
	sd_event_source_disable_unref(copies->settle_source);
	sd_event_source_disable_unref(copies->patience_source);
	sd_event_source_disable_unref(copies->retry_source);
	free(copies->all);
	free(copies);
	return NULL;
}

size_t copies_count(const struct copies *copies)
{
	return copies->n;
}

void copies_status(const struct copies *copies, size_t i, struct numbers_copy_status *ret_status)
{
	const struct copy *copy = &copies->all[i];

	*ret_status = (struct numbers_copy_status){
		.file = copy->file,
		.state = copy->state != LIVE ? "failed"
			 : copy->whole	     ? "good"
					     : "filling",
		.why = copy->state != LIVE ? copy->why ?: "it is being tried" : NULL,
		.n_rows = copy->totals.n,
	};
}
