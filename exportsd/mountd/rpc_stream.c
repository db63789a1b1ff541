/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rpc_stream.c - connections: record marking (RFC 5531 section 11), and calls in any number.
 *
 * A connection is closed only in its own event, the sweep, the tick, or to make room for a
 * new one: never while its user is inside rpc_reply() or rpc_drop(), so that no gone() comes from
 * there. What those find out (the peer is away; a connection may be read again) is left for
 * the sweep, which runs at the loop's next turn.
 *
 * Connections are listed by when they were last active, oldest first. Active means a whole
 * call came or the last unsent byte went: who sends one byte a minute is idle.
 *
 * Each connection's memory is bounded: a read buffer, one record in the making, 32 calls,
 * 64 KiB unsent and at most one reply more. What is unsent to all of them together is bounded too.
 */

#include "exportsd/mountd/rpc_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <utlist.h>

enum {
	READ_BYTES = 8192,
	ACCEPTS_A_TURN = 16,
	MARK_BYTES = 4,
};

#if defined(__GNUC__) && !defined(__clang__)
/* gcc 12's analyzer loses sight of what a connection on the list owns, and calls it leaked. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* The high bit says "last fragment", the rest is its length. */
static const uint32_t last_fragment_bit = 0x80000000u;

/* A reply on its way out: its mark, then its bytes. */
struct chunk {
	uint8_t mark[MARK_BYTES];
	uint8_t *bytes;
	size_t n_bytes;
	size_t n_sent; /* of mark and bytes together */
	struct chunk *prev, *next;
};

struct rpc_connection {
	struct rpc *rpc;
	int fd;
	sd_event_source *source;
	struct sockaddr_storage peer;
	uint64_t active_usec;
	uint32_t events; /* that its source waits for */
	bool broken; /* to be closed, by settle() */
	bool is_unsettled; /* in the sweep's list */
	uint8_t input[READ_BYTES];
	size_t input_start, input_end;
	uint8_t mark[MARK_BYTES];
	size_t n_mark;
	uint32_t fragment_left;
	bool last_fragment;
	uint8_t *record;
	size_t n_record;
	struct rpc_call *calls;
	size_t n_calls;
	struct chunk *output;
	size_t unsent_bytes;
	struct rpc_connection *prev, *next;
	struct rpc_connection *unsettled_prev, *unsettled_next;
};

/* ---- what a connection sends ---- */

static void chunk_free(struct chunk *chunk)
{
	free(chunk->bytes);
	free(chunk);
}

static struct chunk *chunk_new(uint8_t *bytes, size_t n_bytes)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	uint32_t mark = htonl(last_fragment_bit | (uint32_t)n_bytes);

	if (!chunk)
		return NULL;
	memcpy(chunk->mark, &mark, sizeof(mark));
	chunk->bytes = bytes;
	chunk->n_bytes = n_bytes;
	return chunk;
}

static size_t chunk_unsent(const struct chunk *chunk)
{
	return MARK_BYTES + chunk->n_bytes - chunk->n_sent;
}

static ssize_t chunk_send(struct chunk *chunk, int fd)
{
	struct iovec parts[2];
	struct msghdr message = { .msg_iov = parts };
	size_t of_bytes = chunk->n_sent > MARK_BYTES ? chunk->n_sent - MARK_BYTES : 0;

	if (chunk->n_sent < MARK_BYTES)
		parts[message.msg_iovlen++] = (struct iovec){
			.iov_base = chunk->mark + chunk->n_sent,
			.iov_len = MARK_BYTES - chunk->n_sent,
		};
	parts[message.msg_iovlen++] = (struct iovec){
		.iov_base = chunk->bytes + of_bytes,
		.iov_len = chunk->n_bytes - of_bytes,
	};
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void touch(struct rpc_connection *connection)
{
	struct rpc *rpc = connection->rpc;

	(void)sd_event_now(rpc->event, CLOCK_MONOTONIC, &connection->active_usec);
	DL_DELETE(rpc->connections, connection);
	DL_APPEND(rpc->connections, connection);
}

static void send_waiting(struct rpc_connection *connection)
{
	struct chunk *chunk;
	ssize_t n;

	while (!connection->broken && (chunk = connection->output)) {
		n = chunk_send(chunk, connection->fd);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
				connection->broken = true;
			return;
		}
		chunk->n_sent += (size_t)n;
		connection->unsent_bytes -= (size_t)n;
		connection->rpc->unsent_bytes -= (size_t)n;
		if (chunk_unsent(chunk) > 0)
			continue;
		DL_DELETE(connection->output, chunk);
		chunk_free(chunk);
		if (!connection->output)
			touch(connection);
	}
}

/* @bytes: taken */
static void queue_reply(struct rpc_connection *connection, uint8_t *bytes, size_t n_bytes)
{
	struct rpc *rpc = connection->rpc;
	struct chunk *chunk = NULL;

	if (!connection->broken && n_bytes <= RPC_TCP_REPLY_MAX_BYTES &&
	    rpc->unsent_bytes + n_bytes <= RPC_UNSENT_MAX_BYTES)
		chunk = chunk_new(bytes, n_bytes);
	if (!chunk) {
		free(bytes);
		connection->broken = true;
		return;
	}
	DL_APPEND(connection->output, chunk);
	connection->unsent_bytes += chunk_unsent(chunk);
	rpc->unsent_bytes += chunk_unsent(chunk);
	if (connection->output == chunk)
		send_waiting(connection);
}

/* ---- what a connection receives ---- */

static bool is_paused(const struct rpc_connection *connection)
{
	return connection->broken || connection->n_calls >= RPC_CONNECTION_CALLS_MAX ||
	       connection->unsent_bytes > RPC_CONNECTION_UNSENT_BYTES;
}

static bool reserve_record(struct rpc_connection *connection, size_t n_bytes)
{
	uint8_t *grown = realloc(connection->record, n_bytes);

	if (grown)
		connection->record = grown;
	return grown;
}

static void begin_fragment(struct rpc_connection *connection)
{
	uint32_t mark;

	memcpy(&mark, connection->mark, sizeof(mark));
	mark = ntohl(mark);
	connection->fragment_left = mark & ~last_fragment_bit;
	connection->last_fragment = mark & last_fragment_bit;
	/* One byte more: there is a buffer even for a record of nothing. */
	if (connection->fragment_left > RPC_CALL_MAX_BYTES - connection->n_record ||
	    !reserve_record(connection, connection->n_record + connection->fragment_left + 1))
		connection->broken = true;
}

/* The record is whole: hand it over. */
static void deliver(struct rpc_connection *connection)
{
	struct rpc *rpc = connection->rpc;
	struct rpc_call *call =
		rpc_call_new(rpc, TAKE_PTR(connection->record), connection->n_record);

	connection->n_record = 0;
	if (!call) {
		connection->broken = true;
		return;
	}
	call->connection = connection;
	call->peer = connection->peer;
	DL_APPEND(connection->calls, call);
	connection->n_calls++;
	touch(connection);
	rpc->called(rpc->userdata, call);
}

static size_t take_input(struct rpc_connection *connection, uint8_t *to, size_t wanted)
{
	size_t there = connection->input_end - connection->input_start;
	size_t n = wanted < there ? wanted : there;

	memcpy(to, connection->input + connection->input_start, n);
	connection->input_start += n;
	return n;
}

/* Take what was read apart into records, as long as more calls are welcome. */
static void digest(struct rpc_connection *connection)
{
	while (!is_paused(connection) && connection->input_start < connection->input_end) {
		size_t n;

		if (connection->n_mark < MARK_BYTES) {
			connection->n_mark +=
				take_input(connection, connection->mark + connection->n_mark,
					   MARK_BYTES - connection->n_mark);
			if (connection->n_mark < MARK_BYTES)
				return;
			begin_fragment(connection);
			if (connection->broken)
				return;
		}
		n = take_input(connection, connection->record + connection->n_record,
			       connection->fragment_left);
		connection->n_record += n;
		connection->fragment_left -= (uint32_t)n;
		if (connection->fragment_left > 0)
			return;
		connection->n_mark = 0;
		if (connection->last_fragment)
			deliver(connection);
	}
}

static void receive(struct rpc_connection *connection)
{
	ssize_t n;

	n = recv(connection->fd, connection->input, READ_BYTES, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection->broken = true;
		return;
	}
	connection->input_start = 0;
	connection->input_end = (size_t)n;
	digest(connection);
}

/* ---- a connection's life ---- */

static void connection_free(struct rpc_connection *connection)
{
	struct rpc *rpc = connection->rpc;
	struct chunk *chunk, *next;

	DL_DELETE(rpc->connections, connection);
	if (connection->is_unsettled)
		DL_DELETE2(rpc->unsettled, connection, unsettled_prev, unsettled_next);
	rpc->n_connections--;
	rpc->unsent_bytes -= connection->unsent_bytes;
	sd_event_source_unref(connection->source);
	closep(&connection->fd);
	DL_FOREACH_SAFE (connection->output, chunk, next)
		chunk_free(chunk);
	free(connection->record);
	free(connection);
}

static void forget_call(struct rpc_call *call)
{
	struct rpc_connection *connection = call->connection;

	DL_DELETE(connection->calls, call);
	connection->n_calls--;
	rpc_call_free(call);
}

/* Tell the users of its pending calls, and free it. */
static void hang_up(struct rpc_connection *connection)
{
	connection->broken = true;
	while (connection->calls) {
		struct rpc_call *call = connection->calls;
		rpc_gone_fn gone = call->gone;
		void *userdata = call->gone_userdata;

		forget_call(call);
		if (gone)
			gone(userdata);
	}
	connection_free(connection);
}

/* What can come next. */
static uint32_t wanted_events(const struct rpc_connection *connection)
{
	return EPOLLRDHUP | (is_paused(connection) ? 0 : EPOLLIN) |
	       (connection->output ? EPOLLOUT : 0);
}

/* After anything that happened to it: close it, or listen for what can come next. */
static void settle(struct rpc_connection *connection)
{
	uint32_t events = wanted_events(connection);

	if (connection->broken || sd_event_source_set_io_events(connection->source, events) < 0)
		hang_up(connection);
	else
		connection->events = events;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct rpc_connection *connection = userdata;

	send_waiting(connection);
	digest(connection);
	if (!is_paused(connection) && connection->input_start == connection->input_end)
		receive(connection);
	else if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		connection->broken = true;
	settle(connection);
	return 0;
}

static void sweep(void *userdata)
{
	struct rpc *rpc = userdata;
	struct rpc_connection *connection;

	while ((connection = rpc->unsettled)) {
		/* Still listed, so that an answer given here at once does not list it again. */
		digest(connection);
		DL_DELETE2(rpc->unsettled, connection, unsettled_prev, unsettled_next);
		connection->is_unsettled = false;
		settle(connection);
	}
}

/* Most answers change nothing: the connection is listened to as before. */
static void sweep_if_needed(struct rpc_connection *connection)
{
	struct rpc *rpc = connection->rpc;

	if (!connection->broken && wanted_events(connection) == connection->events)
		return;
	if (!connection->is_unsettled) {
		DL_APPEND2(rpc->unsettled, connection, unsettled_prev, unsettled_next);
		connection->is_unsettled = true;
	}
	later_call(&rpc->sweep, rpc->event, sweep, rpc);
}

/* The one that was idle longest and has no call pending. */
static struct rpc_connection *idle_longest(struct rpc *rpc)
{
	struct rpc_connection *connection;

	DL_FOREACH (rpc->connections, connection) {
		if (connection->n_calls == 0)
			return connection;
	}
	return NULL;
}

static bool make_room(struct rpc *rpc)
{
	struct rpc_connection *connection = idle_longest(rpc);

	if (!connection)
		return false;
	hang_up(connection);
	return true;
}

static void adopt_connection(struct rpc *rpc, int taken_fd, const struct sockaddr_storage *peer)
{
	CLEANUP(closep) int fd = taken_fd;
	struct rpc_connection *connection;
	const int yes = 1;

	if (rpc->n_connections >= RPC_CONNECTIONS_MAX && !make_room(rpc))
		return;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return;
	connection->rpc = rpc;
	connection->peer = *peer;
	connection->events = wanted_events(connection);
	if (sd_event_add_io(rpc->event, &connection->source, fd, connection->events, on_connection,
			    connection) < 0) {
		free(connection);
		return;
	}
	/* Replies are written whole; waiting for more to send would only delay them. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
	connection->fd = TAKE_FD(fd);
	rpc->n_connections++;
	DL_APPEND(rpc->connections, connection);
	touch(connection);
}

int rpc_stream_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct rpc_listener *listener = userdata;

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage peer = { 0 };
		socklen_t size = sizeof(peer);
		int new_fd =
			accept4(fd, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (new_fd >= 0) {
			adopt_connection(listener->rpc, new_fd, &peer);
			continue;
		}
		/* Out of descriptors or memory: without room, look again at the next tick. */
		if ((errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) &&
		    !make_room(listener->rpc))
			(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		break;
	}
	return 0;
}

void rpc_stream_close_idle(struct rpc *rpc, uint64_t now_usec)
{
	struct rpc_connection *connection, *next;

	DL_FOREACH_SAFE (rpc->connections, connection, next) {
		if (connection->active_usec + rpc->idle_usec > now_usec)
			return;
		if (connection->n_calls == 0)
			hang_up(connection);
	}
}

void rpc_stream_close_all(struct rpc *rpc)
{
	while (rpc->connections)
		connection_free(rpc->connections);
}

/* ---- answers ---- */

void rpc_stream_reply(struct rpc_call *call, uint8_t *bytes, size_t n_bytes)
{
	struct rpc_connection *connection = call->connection;

	queue_reply(connection, bytes, n_bytes);
	forget_call(call);
	sweep_if_needed(connection);
}

void rpc_stream_drop(struct rpc_call *call, bool hang_up_peer)
{
	struct rpc_connection *connection = call->connection;

	connection->broken |= hang_up_peer;
	forget_call(call);
	sweep_if_needed(connection);
}
