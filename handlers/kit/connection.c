/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection.c - one peer: its bytes, and the requests they hold.
 */

#include <errno.h>
#include <sys/socket.h>

#include "handlers/kit/private.h"

static const struct verb verbs[] = {
	{ "list", offsetof(struct kit_operations, list), { 0 }, false, false },
	{ "lookup", offsetof(struct kit_operations, lookup), { "key" }, false, false },
	{ "mount", offsetof(struct kit_operations, mount), { "key", "path" }, false, true },
	{ "unmount", offsetof(struct kit_operations, unmount), { "path" }, false, true },
	{ "watch", offsetof(struct kit_operations, watch), { 0 }, true, false },
};

/* ---- output ---- */

static size_t unsent(const struct connection *connection)
{
	return connection->output.n_bytes - connection->n_sent;
}

static void connection_flush(struct connection *connection)
{
	struct proto_writer *output = &connection->output;
	ssize_t n;

	while (!connection->broken && unsent(connection) > 0) {
		n = send(connection->fd, output->bytes + connection->n_sent, unsent(connection),
			 MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				connection->broken = true;
			break;
		}
		connection->n_sent += (size_t)n;
		sd_event_source_set_enabled(connection->stall, SD_EVENT_OFF);
	}
	if (connection->n_sent == 0)
		return;
	output->n_bytes -= connection->n_sent;
	memmove(output->bytes, output->bytes + connection->n_sent, output->n_bytes);
	output->start = output->n_bytes;
	connection->n_sent = 0;
}

void kit_connection_answer(struct connection *connection, uint64_t id, enum proto_outcome outcome,
			   int error, const char *why)
{
	struct proto_writer *output = &connection->output;

	proto_begin(output, proto_outcome_word(outcome));
	proto_put_u64(output, "id", id);
	if (outcome == PROTO_ERROR)
		proto_put(output, "errno", proto_errno_name(error));
	proto_put(output, "message", why);
	if (proto_end(output) < 0)
		connection->broken = true;
}

static void answer_hello(struct connection *connection, uint64_t id)
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

/* ---- requests ---- */

static const struct verb *find_verb(const struct kit *kit, const char *word)
{
	for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
		if (str_equal(verbs[i].name, word) && operation_of(kit, &verbs[i]))
			return &verbs[i];
	return NULL;
}

/* Why there is no room for one more request, or NULL. */
static const char *lack_of_room(const struct connection *connection, const struct verb *verb)
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

static bool id_is_taken(const struct connection *connection, uint64_t id)
{
	const struct job *job;

	TAILQ_FOREACH(job, &connection->kit->jobs, link)
	if (job->connection == connection && job->id == id)
		return true;
	return false;
}

static void break_connection(struct connection *connection, const char *why)
{
	kit_log(LOG_WARNING, "closing a connection: %s", why);
	connection->broken = true;
}

static void handle_request(struct connection *connection, const struct proto_message *message,
			   size_t n_bytes)
{
	const struct verb *verb;
	const char *why;
	uint64_t id;

	if (proto_get_u64(message, "id", UINT64_MAX, &id) < 0) {
		break_connection(connection, "a request without a decimal id=");
		return;
	}
	if (id_is_taken(connection, id)) {
		break_connection(connection, "a request with the id of another one under way");
		return;
	}
	if (str_equal(message->word, "hello")) {
		answer_hello(connection, id);
		return;
	}
	verb = find_verb(connection->kit, message->word);
	if (!verb) {
		kit_connection_answer(connection, id, PROTO_UNSUPPORTED, 0, NULL);
		return;
	}
	for (size_t i = 0; i < N_ELEMENTS(verb->needs) && verb->needs[i]; i++)
		if (!proto_get(message, verb->needs[i])) {
			kit_connection_answer(connection, id, PROTO_ERROR, EINVAL,
					      "key= or path= is missing");
			return;
		}
	why = lack_of_room(connection, verb);
	if (why)
		kit_connection_answer(connection, id, PROTO_BUSY, 0, why);
	else if (job_new(connection, id, verb, message, connection->input, n_bytes) < 0)
		kit_connection_answer(connection, id, PROTO_BUSY, 0, "out of memory");
	else
		jobs_start(connection->kit);
}

/* ---- the connection ---- */

void kit_connection_free(struct connection *connection)
{
	struct kit *kit = connection->kit;

	jobs_leave(connection);
	TAILQ_REMOVE(&kit->connections, connection, link);
	kit->n_connections--;
	sd_event_source_disable_unref(connection->io);
	sd_event_source_disable_unref(connection->stall);
	closep(&connection->fd);
	proto_writer_done(&connection->output);
	free(connection->input);
	free(connection);
	kit_consider_idleness(kit);
}

/* Take every complete message from the input, as long as the peer reads the answers. */
static void connection_parse(struct connection *connection)
{
	struct proto_message message;
	const char *why;
	size_t used;
	int r;

	while (!connection->broken && unsent(connection) < KIT_OUTPUT_MAX) {
		r = proto_parse(connection->input, connection->n_input, &message, &used, &why);
		if (r == PROTO_MORE)
			return;
		if (r < 0) {
			break_connection(connection, r == -EBADMSG ? why : strerror(-r));
			return;
		}
		sd_event_source_set_enabled(connection->stall, SD_EVENT_OFF);
		handle_request(connection, &message, used);
		proto_message_done(&message);
		connection->n_input -= used;
		memmove(connection->input, connection->input + used, connection->n_input);
		connection_flush(connection);
	}
}

static void set_stall_timer(struct connection *connection)
{
	int enabled = SD_EVENT_OFF;

	sd_event_source_get_enabled(connection->stall, &enabled);
	if (unsent(connection) == 0 && connection->n_input == 0) {
		sd_event_source_set_enabled(connection->stall, SD_EVENT_OFF);
	} else if (enabled == SD_EVENT_OFF) {
		sd_event_source_set_time_relative(connection->stall,
						  (uint64_t)connection->kit->settings.stall_sec *
							  USEC_PER_SEC);
		sd_event_source_set_enabled(connection->stall, SD_EVENT_ONESHOT);
	}
}

void kit_connection_settle(struct connection *connection)
{
	struct kit *kit = connection->kit;
	bool full, ended;
	struct job *job;

	connection_flush(connection);
	connection_parse(connection);
	full = unsent(connection) >= KIT_OUTPUT_MAX;
	ended = (connection->input_ended || kit->stopping) && connection->n_jobs == 0 &&
		unsent(connection) == 0;
	if (connection->broken || ended) {
		kit_connection_free(connection);
		return;
	}
	TAILQ_FOREACH(job, &kit->jobs, link)
	if (job->connection == connection && job->io)
		sd_event_source_set_enabled(job->io, full ? SD_EVENT_OFF : SD_EVENT_ON);
	sd_event_source_set_io_events(connection->io,
				      (full || connection->input_ended ? 0 : EPOLLIN) |
					      (unsent(connection) > 0 ? EPOLLOUT : 0));
	set_stall_timer(connection);
}

static void connection_read(struct connection *connection)
{
	size_t room = PROTO_MESSAGE_MAX - connection->n_input;
	ssize_t n = recv(connection->fd, connection->input + connection->n_input, room, 0);

	if (n > 0)
		connection->n_input += (size_t)n;
	else if (n == 0)
		connection->input_ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		connection->broken = true;
	if (connection->input_ended && connection->n_input > 0)
		break_connection(connection, "it ended within a message");
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct connection *connection = userdata;

	if ((events & EPOLLIN) && unsent(connection) < KIT_OUTPUT_MAX)
		connection_read(connection);
	else if (events & (EPOLLHUP | EPOLLERR))
		connection->broken = true;
	kit_connection_settle(connection);
	return 0;
}

static int on_stall(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct connection *connection = userdata;

	break_connection(connection, unsent(connection) > 0 ? "its peer does not read"
							    : "half a message, and no more");
	kit_connection_free(connection);
	return 0;
}

/* Root and our own user may ask for mounts, nobody else. */
static bool peer_is_trusted(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
		kit_log(LOG_WARNING, "refusing a connection: SO_PEERCRED: %m");
		return false;
	}
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	kit_log(LOG_WARNING, "refusing a connection of process %d, user %u: only root may ask",
		peer.pid, peer.uid);
	return false;
}

void kit_connection_new(struct kit *kit, int taken_fd)
{
	CLEANUP(closep) int fd = taken_fd;
	struct connection *connection;
	int r;

	if (!peer_is_trusted(fd))
		return;
	if (kit->n_connections >= KIT_CONNECTIONS_MAX) {
		kit_log(LOG_WARNING, "refusing a connection: there are %d already",
			KIT_CONNECTIONS_MAX);
		return;
	}
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return;
	connection->kit = kit;
	connection->fd = TAKE_FD(fd);
	TAILQ_INSERT_TAIL(&kit->connections, connection, link);
	kit->n_connections++;
	sd_event_source_set_enabled(kit->idle, SD_EVENT_OFF);
	connection->input = malloc(PROTO_MESSAGE_MAX);
	r = connection->input ? 0 : -ENOMEM;
	if (r >= 0)
		r = sd_event_add_io(kit->event, &connection->io, connection->fd, EPOLLIN,
				    on_connection, connection);
	if (r >= 0)
		r = sd_event_add_time_relative(kit->event, &connection->stall, CLOCK_MONOTONIC, 0,
					       0, on_stall, connection);
	if (r >= 0)
		r = sd_event_source_set_enabled(connection->stall, SD_EVENT_OFF);
	if (r < 0) {
		kit_log(LOG_WARNING, "refusing a connection: %s", strerror(-r));
		kit_connection_free(connection);
	}
}
