/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verbs.c - what a peer may ask: hello, and an operation a verb.
 */

#include <errno.h>

#include "handlers/kit/private.h"

static const struct kit_verb verbs[] = {
	{ "list", offsetof(struct kit_operations, list), { 0 }, false, false },
	{ "lookup", offsetof(struct kit_operations, lookup), { "key" }, false, false },
	{ "mount", offsetof(struct kit_operations, mount), { "key", "path" }, false, true },
	{ "unmount", offsetof(struct kit_operations, unmount), { "path" }, false, true },
	{ "watch", offsetof(struct kit_operations, watch), { 0 }, true, false },
};

static const struct kit_verb *find_verb(const struct kit *kit, const char *word)
{
	for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
		if (str_equal(verbs[i].name, word) && operation_of(kit, &verbs[i]))
			return &verbs[i];
	return NULL;
}

static void answer_hello(struct kit_connection *connection, uint64_t id)
{
	const struct kit *kit = connection->kit;
	struct proto_writer *output = &connection->output;

	proto_begin(output, proto_outcome_word(PROTO_OK));
	proto_put_u64(output, "id", id);
	proto_put(output, "handler", kit->operations->name);
	proto_put(output, "version", EXPORTSD_VERSION);
	proto_put_u64(output, "requests", KIT_REQUESTS_MAX);
	if (kit->operations->removable)
		proto_put_u64(output, "removable", 1);
	for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
		if (operation_of(kit, &verbs[i]))
			proto_put(output, "verb", verbs[i].name);
	if (proto_end(output) < 0)
		connection->broken = true;
}

/* Why there is no room for one more request, or NULL. */
static const char *lack_of_room(const struct kit_connection *connection,
				const struct kit_verb *verb)
{
	const struct kit *kit = connection->kit;

	if (kit->stopping)
		return "the handler is stopping";
	if (connection->n_jobs >= KIT_REQUESTS_MAX)
		return "too many requests under way on this connection";
	if (verb->watches && kit->n_watches >= KIT_WATCHES_MAX)
		return "too many watches";
	if (!verb->watches && kit->n_waiting >= KIT_QUEUE_MAX)
		return "too many requests wait";
	return NULL;
}

static bool id_is_taken(const struct kit_connection *connection, uint64_t id)
{
	const struct kit_job *job;

	DL_FOREACH (connection->kit->jobs, job)
		if (job->connection == connection && job->id == id)
			return true;
	return false;
}

static bool has_needs(const struct kit_verb *verb, const struct proto_message *message)
{
	for (size_t i = 0; i < N_ELEMENTS(verb->needs) && verb->needs[i]; i++)
		if (!proto_get(message, verb->needs[i]))
			return false;
	return true;
}

static void begin(struct kit_connection *connection, uint64_t id, const struct kit_verb *verb,
		  const struct proto_message *message, size_t n_bytes)
{
	const char *why = lack_of_room(connection, verb);

	if (!has_needs(verb, message))
		kit_connection_answer(connection, id, PROTO_ERROR, EINVAL,
				      "key= or path= is missing");
	else if (why)
		kit_connection_answer(connection, id, PROTO_BUSY, 0, why);
	else if (kit_job_new(connection, id, verb, message, connection->input, n_bytes) < 0)
		kit_connection_answer(connection, id, PROTO_BUSY, 0, "out of memory");
}

static void take_request(struct kit_connection *connection, const struct proto_message *message,
			 size_t n_bytes)
{
	const struct kit_verb *verb = find_verb(connection->kit, message->word);
	uint64_t id;

	if (proto_get_u64(message, "id", UINT64_MAX, &id) < 0)
		kit_connection_break(connection, "a request without a decimal id=");
	else if (id_is_taken(connection, id))
		kit_connection_break(connection, "a request with the id of another one under way");
	else if (str_equal(message->word, "hello"))
		answer_hello(connection, id);
	else if (verb)
		begin(connection, id, verb, message, n_bytes);
	else
		kit_connection_answer(connection, id, PROTO_UNSUPPORTED, 0, NULL);
}

void kit_take_requests(struct kit_connection *connection)
{
	struct proto_message message;
	const char *why;
	size_t used;
	int r;

	connection->has_news = false;
	while (!connection->broken && !kit_connection_is_full(connection)) {
		r = proto_parse(connection->input, connection->n_input, &message, &used, &why);
		if (r == PROTO_MORE)
			return;
		if (r < 0) {
			kit_connection_break(connection, r == -EBADMSG ? why : strerror(-r));
			return;
		}
		connection->stall = sd_event_source_disable_unref(connection->stall);
		take_request(connection, &message, used);
		proto_message_done(&message);
		connection->n_input -= used;
		memmove(connection->input, connection->input + used, connection->n_input);
		kit_connection_flush(connection);
	}
}
