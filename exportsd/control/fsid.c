/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fsid.c - the number store: five verbs that share what speaks against a fact, and the waiting for
 * the store.
 *
 *	fsid-list [path=P]		number...; ok
 *	fsid-set path=P fsid=N [identity=I]	ok | error
 *	fsid-retire fsid=N		ok | noent | error
 *	fsid-take [dry=1] (fact="NUMBER SEQUENCE RETIRED CREATED" path=P [identity=I])...
 *					ok | error. dry: only say whether they could be taken
 *	fsid-verify			copy...; ok | error
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "exportsd/control/common.h"
#include "exportsd/numbers/numbers.h"

/* ---- listing ---- */

/* Resumed by number: one that is given meanwhile may be in it or not. */
struct listing {
	struct control_request request;
	char *path; /* NULL: all */
	uint32_t last; /* written */
};

static void put_number(struct control_request *request, const struct numbers_fact *fact)
{
	struct proto_writer *out = control_begin(request, "number");

	proto_put_u64(out, "fsid", fact->number);
	proto_put(out, "path", fact->path);
	proto_put(out, "identity", fact->identity);
	proto_put_u64(out, "primary",
		      numbers_get(request->daemon->numbers, fact->path) == fact->number);
	proto_put_u64(out, "retired", fact->retired);
	proto_put_u64(out, "sequence", fact->sequence);
	proto_put_u64(out, "created", (uint64_t)fact->created);
	control_end(request);
}

static bool produce_list(struct control_request *request)
{
	struct listing *listing = (struct listing *)request;
	const struct numbers *numbers = request->daemon->numbers;
	struct numbers_fact fact;

	while (!control_is_full(request)) {
		listing->last =
			listing->path ? numbers_next_of_path(numbers, listing->path, listing->last)
				      : numbers_next(numbers, listing->last);
		if (!listing->last)
			return true;
		if (numbers_fact(numbers, listing->last, &fact))
			put_number(request, &fact);
	}
	return false;
}

static int start_list(struct control_request *request, const struct proto_message *message)
{
	struct listing *listing = (struct listing *)request;
	const char *path = proto_get(message, "path");

	listing->path = path ? strdup(path) : NULL;
	return path && !listing->path ? -ENOMEM : 0;
}

static void end_list(struct control_request *request)
{
	free(((struct listing *)request)->path);
}

const struct control_verb control_fsid_list = {
	.word = "fsid-list",
	.size = sizeof(struct listing),
	.start = start_list,
	.produce = produce_list,
	.end = end_list,
};

/* ---- changes ---- */

/* What is wrong with the first copy that fails; NULL: none does. */
static const char *why_not_recorded(const struct daemon *daemon)
{
	struct numbers_copy_status copy;

	for (size_t i = 0; numbers_copy(daemon->numbers, i, &copy); i++)
		if (copy.why)
			return copy.why;
	return NULL;
}

static void on_done(void *userdata, int error)
{
	struct control_request *request = userdata;

	request->pending = NULL;
	if (error == 0)
		control_ok(request);
	else if (error == -ENOENT)
		control_fail(request, PROTO_NOENT, "nothing has this number");
	else if (error == -EEXIST)
		control_fail(request, PROTO_ERROR, "this contradicts what is known of the number");
	else
		control_fail(request, PROTO_ERROR, "%s",
			     why_not_recorded(request->daemon) ?: strerror(-error));
}

/* Returns true, and the request is answered so, if something is against the fact. */
static bool refuse_fact(struct control_request *request, const struct numbers_fact *fact)
{
	const struct snapshot_export *export =
		control_export_by_hand(request->daemon, NULL, fact->number);
	const struct numbers *numbers = request->daemon->numbers;
	const char *other;

	if (export && !str_equal(export->path, fact->path)) {
		control_fail(request, PROTO_ERROR,
			     "number %" PRIu32
			     " is wanted for '%s', but the exports files give it to '%s'",
			     fact->number, fact->path, export->path);
		return true;
	}
	if (!numbers_contradicts(numbers, fact))
		return false;
	other = numbers_path(numbers, fact->number);
	if (!other)
		control_fail(request, PROTO_ERROR,
			     "number %" PRIu32 " is just being given to another path",
			     fact->number);
	else if (str_equal(other, fact->path))
		control_fail(request, PROTO_ERROR,
			     "number %" PRIu32 " of '%s' stands for medium '%s', not for '%s'",
			     fact->number, other, numbers_identity(numbers, fact->number) ?: "",
			     fact->identity ?: "");
	else
		control_fail(request, PROTO_ERROR,
			     "number %" PRIu32 " is wanted for '%s', but belongs to '%s' for ever",
			     fact->number, fact->path, other);
	return true;
}

static int start_set(struct control_request *request, const struct proto_message *message)
{
	struct numbers_fact fact = { .path = proto_get(message, "path") ?: "",
				     .identity = proto_get(message, "identity") };
	uint64_t number;

	if (*fact.path != '/' || proto_get_u64(message, "fsid", NUMBERS_LAST, &number) < 0 ||
	    !number) {
		control_fail(request, PROTO_ERROR, "numbers are 1 .. %d, paths begin with '/'",
			     NUMBERS_LAST);
		return 0;
	}
	fact.number = (uint32_t)number;
	if (refuse_fact(request, &fact))
		return 0;
	return numbers_set(request->daemon->numbers, fact.path, fact.identity, fact.number, on_done,
			   request, &request->pending);
}

const struct control_verb control_fsid_set = { .word = "fsid-set", .start = start_set };

static int start_retire(struct control_request *request, const struct proto_message *message)
{
	uint32_t number;

	if (!control_get_number(request, message, NUMBERS_LAST, &number))
		return 0;
	return numbers_retire(request->daemon->numbers, number, on_done, request,
			      &request->pending);
}

const struct control_verb control_fsid_retire = { .word = "fsid-retire", .start = start_retire };

/* ---- facts from elsewhere ---- */

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

static int start_take(struct control_request *request, const struct proto_message *message)
{
	CLEANUP(freep) struct numbers_fact *facts = calloc(message->n_fields + 1, sizeof(*facts));
	size_t n;

	if (!facts)
		return -ENOMEM;
	if (!parse_facts(message, facts, &n)) {
		control_fail(request, PROTO_ERROR, "these are no numbers");
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		if (refuse_fact(request, &facts[i]))
			return 0;
	if (!proto_get(message, "dry"))
		return numbers_take(request->daemon->numbers, facts, n, on_done, request,
				    &request->pending);
	control_ok(request);
	return 0;
}

const struct control_verb control_fsid_take = { .word = "fsid-take", .start = start_take };

/* ---- the copies ---- */

static void on_verified(void *userdata)
{
	struct control_request *request = userdata;
	size_t n_bad = control_put_copies(request);

	request->pending = NULL;
	if (n_bad)
		control_fail(request, PROTO_ERROR, "%zu copies are not good", n_bad);
	else
		control_ok(request);
}

static int start_verify(struct control_request *request, const struct proto_message *message)
{
	return numbers_verify(request->daemon->numbers, on_verified, request, &request->pending);
}

const struct control_verb control_fsid_verify = { .word = "fsid-verify", .start = start_verify };
