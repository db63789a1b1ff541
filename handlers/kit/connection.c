/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection.c - one peer: its bytes, in and out.
 */

#include <errno.h>
#include <sys/socket.h>

#include "handlers/kit/private.h"

void kit_connection_break(struct kit_connection *connection, const char *why)
{
	kit_log(LOG_WARNING, "closing a connection: %s", why);
	connection->broken = true;
}

bool kit_connection_is_full(const struct kit_connection *connection)
{
	return connection->output.n_bytes >= KIT_OUTPUT_MAX;
}

/* The peer did what it owed: what it owes next, it has all the time for. */
static void has_moved(struct kit_connection *connection)
{
	connection->stall = sd_event_source_disable_unref(connection->stall);
}

/* ---- output ---- */

void kit_connection_flush(struct kit_connection *connection)
{
	struct proto_writer *output = &connection->output;
	size_t n_sent = 0;

	while (!connection->broken && n_sent < output->n_bytes) {
		ssize_t n = send(connection->fd, output->bytes + n_sent, output->n_bytes - n_sent,
				 MSG_NOSIGNAL);

		if (n >= 0)
			n_sent += (size_t)n;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			connection->broken = true;
	}
	if (n_sent == 0)
		return;
	output->n_bytes -= n_sent;
	memmove(output->bytes, output->bytes + n_sent, output->n_bytes);
	output->start = output->n_bytes;
	has_moved(connection);
}

void kit_connection_answer(struct kit_connection *connection, uint64_t id,
			   enum proto_outcome outcome, int error, const char *why)
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

/* ---- input ---- */

static void read_input(struct kit_connection *connection)
{
	size_t room = PROTO_MESSAGE_MAX - connection->n_input;
	ssize_t n = recv(connection->fd, connection->input + connection->n_input, room, 0);

	if (n > 0) {
		connection->n_input += (size_t)n;
		connection->has_news = true;
	} else if (n == 0) {
		connection->input_ended = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		connection->broken = true;
	}
	if (connection->input_ended && connection->n_input > 0)
		kit_connection_break(connection, "it ended within a message");
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct kit_connection *connection = userdata;

	if ((events & EPOLLIN) && !connection->is_paused)
		read_input(connection);
	else if (events & (EPOLLHUP | EPOLLERR))
		connection->broken = true;
	return 0;
}

static int on_stall(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct kit_connection *connection = userdata;

	kit_connection_break(connection, connection->output.n_bytes > 0
						 ? "its peer does not read"
						 : "half a message, and no more");
	return 0;
}

/* ---- its life ---- */

bool kit_connection_is_over(const struct kit_connection *connection)
{
	bool no_more = connection->input_ended || connection->kit->stopping;

	return connection->broken ||
	       (no_more && connection->n_jobs == 0 && connection->output.n_bytes == 0);
}

void kit_connection_arm(struct kit_connection *connection)
{
	struct kit *kit = connection->kit;
	bool is_paused = connection->is_paused, has_output = connection->output.n_bytes > 0;
	uint64_t usec = (uint64_t)kit->settings.stall_sec * USEC_PER_SEC;

	/* What was left of the input while it was paused is taken when there is room again. */
	(void)sd_event_source_set_io_events(connection->io,
					    (is_paused || connection->input_ended ? 0 : EPOLLIN) |
						    (is_paused || has_output ? EPOLLOUT : 0));
	if (!has_output && connection->n_input == 0)
		has_moved(connection);
	else if (!connection->stall &&
		 kit_call_in(kit, &connection->stall, usec, on_stall, connection) < 0)
		connection->broken = true;
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
	struct kit_connection *connection;
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
	DL_APPEND(kit->connections, connection);
	kit->n_connections++;
	connection->input = malloc(PROTO_MESSAGE_MAX);
	r = connection->input ? sd_event_add_io(kit->event, &connection->io, connection->fd,
						EPOLLIN, on_connection, connection)
			      : -ENOMEM;
	if (r < 0) {
		kit_log(LOG_WARNING, "refusing a connection: %s", strerror(-r));
		kit_connection_free(connection);
	}
}

void kit_connection_free(struct kit_connection *connection)
{
	struct kit *kit = connection->kit;

	DL_DELETE(kit->connections, connection);
	kit->n_connections--;
	sd_event_source_disable_unref(connection->io);
	sd_event_source_disable_unref(connection->stall);
	closep(&connection->fd);
	proto_writer_done(&connection->output);
	free(connection->input);
	free(connection);
}
