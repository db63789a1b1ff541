/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
* process.c - the process of one copy of the number store: questions in, rows out to the disk.
 *
 * What waits when a transaction begins shares it, and its sync. A file that failed is closed, and
 * opened anew for the next question.
 */

#include "exportsd/numbers/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "exportsd/numbers/file.h"
#include "exportsd/numbers/place.h"
#include "exportsd/worker/worker.h"

enum {
	BATCH_MAX = 1024, /* questions in one transaction */
};

struct store {
	const char *name;
	struct store_file *file; /* NULL: not open */
	bool was_checked; /* as a whole, by this process */
	bool just_checked; /* for the questions that are being done */
};

static int open_store(struct store *store, const struct proto_message *question, char **reterr_why)
{
	unsigned int flags = STORE_FILE_WRITE;
	CLEANUP(freep) char *new_name = NULL;
	int r = 0;

	if (proto_get(question, "anew")) {
		store->file = store_file_close(store->file);
		r = store_place_set_aside(store->name, &new_name);
	}
	if (r < 0 || store->file)
		return r;
	if (proto_get(question, "make"))
		flags |= STORE_FILE_MAKE;
	r = store_file_open(store->name, flags, &store->file, reterr_why);
	if (r >= 0 && !store->was_checked) {
		r = store_file_check(store->file, reterr_why);
		store->was_checked = store->just_checked = r >= 0;
	}
	return r;
}

/* ---- what is asked ---- */

/* "NUMBER SEQUENCE RETIRED CREATED", as copies.c writes it. */
static int parse_row(const char *text, struct store_row *ret_row)
{
	unsigned int retired;

	*ret_row = (struct store_row){ 0 };
	if (sscanf(text, "%" SCNu32 " %" SCNu64 " %u %" SCNd64, &ret_row->number,
		   &ret_row->sequence, &retired, &ret_row->created) != 4)
		return -EINVAL;
	ret_row->retired = retired;
	return 0;
}

static int join_rows(struct store *store, const struct proto_message *question, char **reterr_why)
{
	struct store_row row = { 0 };
	bool has_row = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < question->n_fields; i++) {
		const char *key = question->fields[i].key, *value = question->fields[i].value;

		if (str_equal(key, "row")) {
			if (has_row)
				r = store_file_join(store->file, &row, reterr_why);
			if (r == 0)
				r = parse_row(value, &row);
			has_row = true;
		} else if (str_equal(key, "path")) {
			row.path = value;
			row.n_path = strlen(value);
		} else if (str_equal(key, "identity")) {
			row.identity = value;
			row.n_identity = strlen(value);
		}
	}
	if (r == 0 && has_row)
		r = store_file_join(store->file, &row, reterr_why);
	return r;
}

/*
 * As a whole or not at all. @ret_lost: the transaction is lost, and with it the others' questions.
 */
static int do_question(struct store *store, const struct proto_message *question, bool *ret_lost,
		       char **reterr_why)
{
	int r;

	if (str_equal(question->word, "open"))
		return 0;
	if (str_equal(question->word, "check")) {
		r = store->just_checked ? 0 : store_file_check(store->file, reterr_why);
		*ret_lost = r < 0;
		return r;
	}
	if (!str_equal(question->word, "rows"))
		return -ENOSYS;
	r = store_file_mark(store->file, reterr_why);
	if (r == 0)
		r = join_rows(store, question, reterr_why);
	if (r == 0 && proto_get(question, "complete"))
		store_file_set_complete(store->file);
	*ret_lost = r < 0 && r != -EEXIST && r != -EINVAL;
	if (r < 0 && !*ret_lost) {
		CLEANUP(freep) char *why = NULL;

		*ret_lost = store_file_go_back(store->file, &why) < 0;
	}
	return r;
}

/* ---- many questions, one transaction ---- */

struct outcome {
	uint64_t id;
	int error;
	char *why;
};

struct batch {
	struct outcome outcomes[BATCH_MAX];
	size_t n;
	int error; /* of the transaction: nobody's question is done */
	char *why;
	char buffer[PROTO_MESSAGE_MAX];
};

static void begin_batch(struct batch *batch, struct store *store,
			const struct proto_message *question)
{
	batch->error = open_store(store, question, &batch->why);
	if (batch->error == 0)
		batch->error = store_file_begin(store->file, &batch->why);
}

/*
 * Read questions and do them until none waits and none is to follow. Returns 0; WORKER_END; -errno.
 */
static int fill_batch(struct batch *batch, struct store *store, int fd)
{
	bool more = false;

	while (batch->n < BATCH_MAX) {
		struct outcome *outcome = &batch->outcomes[batch->n];
		struct proto_message question;
		bool lost = false;
		int r;

		*outcome = (struct outcome){};
		r = worker_receive(fd, batch->n == 0 || more, batch->buffer, &question,
				   &outcome->id);
		if (r == WORKER_NOTHING)
			return 0;
		if (r != 0)
			return r;
		if (batch->n++ == 0)
			begin_batch(batch, store, &question);
		if (batch->error == 0) {
			outcome->error = do_question(store, &question, &lost, &outcome->why);
			if (lost)
				batch->error = outcome->error < 0 ? outcome->error : -EIO;
		}
		more = proto_get(&question, "more");
		proto_message_done(&question);
	}
	return 0;
}

static void end_batch(struct batch *batch, struct store *store)
{
	if (batch->error == 0)
		batch->error = store_file_commit(store->file, &batch->why);
	if (batch->error < 0)
		store->file = store_file_close(store->file);
	store->just_checked = false;
	/* Whoever comes back to a damaged file looks at all of it again. */
	if (batch->error == -EUCLEAN)
		store->was_checked = false;
}

static int answer_batch(struct batch *batch, const struct store *store, int fd)
{
	int r = 0;

	for (size_t i = 0; i < batch->n; i++) {
		const struct outcome *outcome = &batch->outcomes[i];
		struct proto_writer answer = {};

		if (batch->error < 0) {
			worker_fail(&answer, batch->error, batch->why ? batch->why : outcome->why);
		} else if (outcome->error < 0) {
			worker_fail(&answer, outcome->error, outcome->why);
		} else {
			proto_begin(&answer, "ok");
			proto_put_u64(&answer, "n", store_file_totals(store->file)->n);
			proto_put_u64(&answer, "sum", store_file_totals(store->file)->sum);
		}
		if (r == 0)
			r = worker_reply(fd, outcome->id, &answer);
		proto_writer_done(&answer);
	}
	return r;
}

static void batch_done(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		free(batch->outcomes[i].why);
	free(batch->why);
	batch->why = NULL;
	batch->n = 0;
	batch->error = 0;
}

int store_main(int fd, const char *file)
{
	struct store store = { .name = file };
	struct batch *batch = calloc(1, sizeof(*batch));
	int r = batch ? 0 : -ENOMEM;

	while (r == 0) {
		r = fill_batch(batch, &store, fd);
		if (batch->n) {
			end_batch(batch, &store);
			r = answer_batch(batch, &store, fd) ?: r;
		}
		batch_done(batch);
	}
	store_file_close(store.file);
	free(batch);
	return r < 0 ? r : 0;
}
