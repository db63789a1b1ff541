/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fsid.c - the number store, as exportsctl(8)'s fsid asks for it.
 *
 * A list is resumed by number: one that is given meanwhile may be in it or not.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "exportsd/control/requests.h"

/* ---- listing ---- */

static void put_number(struct connection *connection, const struct numbers_fact *fact)
{
	const struct numbers *numbers = connection->daemon->numbers;
	struct proto_writer *out = &connection->out;

	proto_begin(out, "number");
	proto_put_u64(out, "fsid", fact->number);
	proto_put(out, "path", fact->path);
	proto_put(out, "identity", fact->identity);
	proto_put_u64(out, "primary", numbers_get(numbers, fact->path) == fact->number);
	proto_put_u64(out, "retired", fact->retired);
	proto_put_u64(out, "sequence", fact->sequence);
	proto_put_u64(out, "created", (uint64_t)fact->created);
	connection_end(connection);
}

static bool produce_numbers(struct connection *connection)
{
	struct numbers *numbers = connection->daemon->numbers;

	while (connection_pending(connection) < CONTROL_CHUNK && !connection->closing) {
		uint32_t number = connection->path
					  ? numbers_next_of_path(numbers, connection->path,
								 (uint32_t)connection->n_done)
					  : numbers_next(numbers, (uint32_t)connection->n_done);
		struct numbers_fact fact;

		if (!number)
			return true;
		connection->n_done = number;
		if (numbers_fact(numbers, number, &fact))
			put_number(connection, &fact);
	}
	return connection->closing;
}

void fsid_start_list(struct connection *connection, const struct proto_message *message)
{
	const char *path = proto_get(message, "path");

	if (path && !(connection->path = strdup(path))) {
		connection_answer(connection, PROTO_ERROR, strerror(ENOMEM));
		return;
	}
	connection->producer = produce_numbers;
	connection_arm(connection);
}

/* ---- changes ---- */

/* What is wrong with the first copy that fails; NULL: none does. */
static const char *why_not_recorded(const struct connection *connection)
{
	struct numbers_copy_status copy;

	for (size_t i = 0; numbers_copy(connection->daemon->numbers, i, &copy); i++)
		if (copy.why)
			return copy.why;
	return NULL;
}

static void on_done(void *userdata, int error)
{
	struct connection *connection = userdata;
	const char *why = NULL;

	connection->numbers_question = NULL;
	if (error == -ENOENT)
		why = "nothing has this number";
	else if (error == -EEXIST)
		why = "this contradicts what is known of the number";
	else if (error < 0)
		why = why_not_recorded(connection) ?: strerror(-error);
	connection_answer(connection,
			  error == 0	     ? PROTO_OK
			  : error == -ENOENT ? PROTO_NOENT
					     : PROTO_ERROR,
			  why);
}

static void wait_for_numbers(struct connection *connection, int r)
{
	if (r < 0) {
		connection->numbers_question = NULL;
		connection_answer(connection, PROTO_ERROR, strerror(-r));
		return;
	}
	connection->waiting = true;
	connection_arm(connection);
}

/* The path of the plain export that has this number by hand, or NULL. */
static const char *path_by_hand(const struct connection *connection, uint32_t number)
{
	const struct snapshot *snapshot = connection->daemon->snapshot;

	for (size_t i = 0; snapshot && i < snapshot_n_exports(snapshot); i++) {
		const struct export *export = snapshot_export(snapshot, i);

		if (!export->pattern && export->options->flags & EXPORT_FSID &&
		    export->fsid == number)
			return export->path;
	}
	return NULL;
}

static void answer_format(struct connection *connection, const char *format, ...)
	FORMAT_PRINTF(2, 3);
static void answer_format(struct connection *connection, const char *format, ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	connection_answer(connection, PROTO_ERROR, text);
}

/* Says so, and returns true, if something is against the fact. */
static bool refuse_fact(struct connection *connection, const struct numbers_fact *fact)
{
	struct numbers *numbers = connection->daemon->numbers;
	const char *other = path_by_hand(connection, fact->number);

	if (other && !str_equal(other, fact->path)) {
		answer_format(connection,
			      "number %" PRIu32
			      " is wanted for '%s', but the exports files give it to '%s'",
			      fact->number, fact->path, other);
		return true;
	}
	if (!numbers_contradicts(numbers, fact))
		return false;
	other = numbers_path(numbers, fact->number);
	if (!other)
		answer_format(connection, "number %" PRIu32 " is just being given to another path",
			      fact->number);
	else if (str_equal(other, fact->path))
		answer_format(connection,
			      "number %" PRIu32 " of '%s' stands for medium '%s', not for '%s'",
			      fact->number, other, numbers_identity(numbers, fact->number) ?: "",
			      fact->identity ?: "");
	else
		answer_format(connection,
			      "number %" PRIu32 " is wanted for '%s', but belongs to '%s' for ever",
			      fact->number, fact->path, other);
	return true;
}

void fsid_start_set(struct connection *connection, const struct proto_message *message)
{
	const char *path = proto_get(message, "path") ?: "";
	const char *identity = proto_get(message, "identity");
	uint64_t number;

	if (*path != '/' || proto_get_u64(message, "fsid", NUMBERS_LAST, &number) < 0 || !number) {
		answer_format(connection, "numbers are 1 .. %d, paths begin with '/'",
			      NUMBERS_LAST);
		return;
	}
	if (refuse_fact(connection, &(struct numbers_fact){ .number = (uint32_t)number,
							    .path = path,
							    .identity = identity }))
		return;
	wait_for_numbers(connection,
			 numbers_set(connection->daemon->numbers, path, identity, (uint32_t)number,
				     on_done, connection, &connection->numbers_question));
}

void fsid_start_retire(struct connection *connection, const struct proto_message *message)
{
	uint64_t number;

	if (proto_get_u64(message, "fsid", NUMBERS_LAST, &number) < 0) {
		connection_answer(connection, PROTO_ERROR, "this is no number of a file system");
		return;
	}
	wait_for_numbers(connection,
			 numbers_retire(connection->daemon->numbers, (uint32_t)number, on_done,
					connection, &connection->numbers_question));
}

/*
 * ---- facts from elsewhere: fact=NUMBER SEQUENCE RETIRED CREATED, path=P, maybe identity=I, again
 * and again ----
 */

static bool parse_facts(const struct proto_message *message, struct numbers_fact *facts, size_t *n)
{
	struct numbers_fact *fact = NULL;

	*n = 0;
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct proto_field *field = &message->fields[i];

		if (str_equal(field->key, "fact")) {
			unsigned int retired;

			fact = &facts[(*n)++];
			if (sscanf(field->value, "%" SCNu32 " %" SCNu64 " %u %" SCNd64,
				   &fact->number, &fact->sequence, &retired, &fact->created) != 4)
				return false;
			fact->retired = retired;
		} else if (fact && str_equal(field->key, "path")) {
			fact->path = field->value;
		} else if (fact && str_equal(field->key, "identity")) {
			fact->identity = field->value;
		}
	}
	for (size_t i = 0; i < *n; i++)
		if (!facts[i].path)
			return false;
	return true;
}

/* dry=1: only say whether they could be taken. */
void fsid_start_take(struct connection *connection, const struct proto_message *message)
{
	CLEANUP(freep) struct numbers_fact *facts = calloc(message->n_fields + 1, sizeof(*facts));
	size_t n;

	if (!facts || !parse_facts(message, facts, &n)) {
		connection_answer(connection, PROTO_ERROR,
				  facts ? "these are no numbers" : strerror(ENOMEM));
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (refuse_fact(connection, &facts[i]))
			return;
	if (proto_get(message, "dry")) {
		connection_answer(connection, PROTO_OK, NULL);
		return;
	}
	wait_for_numbers(connection, numbers_take(connection->daemon->numbers, facts, n, on_done,
						  connection, &connection->numbers_question));
}

/* ---- the copies ---- */

void fsid_put_copies(struct connection *connection)
{
	struct proto_writer *out = &connection->out;
	struct numbers_copy_status copy;

	for (size_t i = 0; numbers_copy(connection->daemon->numbers, i, &copy); i++) {
		proto_begin(out, "copy");
		proto_put(out, "file", copy.file);
		proto_put(out, "state", copy.state);
		proto_put_u64(out, "rows", copy.n_rows);
		proto_put(out, "message", copy.why);
		connection_end(connection);
	}
}

static void on_verified(void *userdata)
{
	struct connection *connection = userdata;
	struct numbers_copy_status copy;
	size_t n_bad = 0;

	connection->verifying = false;
	fsid_put_copies(connection);
	for (size_t i = 0; numbers_copy(connection->daemon->numbers, i, &copy); i++)
		n_bad += copy.why != NULL;
	if (n_bad)
		answer_format(connection, "%zu copies are not good", n_bad);
	else
		connection_answer(connection, PROTO_OK, NULL);
}

void fsid_start_verify(struct connection *connection, const struct proto_message *message)
{
	int r = numbers_verify(connection->daemon->numbers, on_verified, connection);

	connection->verifying = r == 0;
	wait_for_numbers(connection, r);
}
