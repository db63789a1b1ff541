/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rpc.c - sockets, record marking, and calls that are answered when their user likes.
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

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <uthash.h>
#include <utlist.h>

#include "exportsd/rpc.h"

enum {
	LISTENERS_MAX = 4,
	BACKLOG = 128,
	PORT_TRIES = 16,
	READ_BYTES = 8192,
	DATAGRAMS_A_TURN = 16,
	ACCEPTS_A_TURN = 16,
	MARK_BYTES = 4,
	TICK_SECONDS_MAX = 10,
};

/* RFC 5531 section 11: the high bit says "last fragment", the rest is its length. */
static const uint32_t last_fragment_bit = 0x80000000u;
static const uint64_t usec_a_second = 1000000;

struct listener {
	struct rpc *rpc;
	const char *netid;
	bool is_tcp;
	int fd;
	sd_event_source *source;
};

struct rpc {
	sd_event *event;
	rpc_called_fn called;
	void *userdata;
	uint64_t idle_usec;
	uint16_t port;
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
	struct connection *connections; /* least recently active first */
	struct connection *unsettled; /* for the sweep */
	size_t n_connections;
	size_t unsent_bytes;
	size_t n_calls;
	struct rpc_call *datagrams; /* pending, by who and which */
	sd_event_source *sweep;
	sd_event_source *tick;
	uint8_t datagram[RPC_CALL_MAX_BYTES];
};

/* A reply on its way out: its mark, then its bytes. */
struct chunk {
	uint8_t mark[MARK_BYTES];
	uint8_t *bytes;
	size_t n_bytes;
	size_t n_sent; /* of mark and bytes together */
	struct chunk *prev, *next;
};

struct connection {
	struct rpc *rpc;
	int fd;
	sd_event_source *source;
	struct sockaddr_storage peer;
	uint64_t active_usec;
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
	struct connection *prev, *next;
	struct connection *unsettled_prev, *unsettled_next;
};

/* Without holes: compared as bytes. */
struct datagram_key {
	uint8_t address[16];
	uint32_t scope;
	uint32_t xid;
	uint16_t port;
	uint16_t family;
};

/* The address a datagram was sent to, as a control message for the answer. */
struct local_address {
	int level, type;
	size_t size;
	union {
		struct in_pktinfo v4;
		struct in6_pktinfo v6;
	};
};

struct rpc_call {
	struct rpc *rpc;
	struct connection *connection; /* NULL: a datagram */
	struct sockaddr_storage peer;
	socklen_t peer_size;
	uint8_t *bytes;
	size_t n_bytes;
	rpc_gone_fn gone;
	void *gone_userdata;
	struct rpc_call *prev, *next; /* of the connection */
	/* datagrams only */
	int fd;
	struct local_address local;
	struct datagram_key key;
	UT_hash_handle hh;
};

union control_buffer {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* ---- calls ---- */

const uint8_t *rpc_call_bytes(const struct rpc_call *call, size_t *ret_n_bytes)
{
	*ret_n_bytes = call->n_bytes;
	return call->bytes;
}

const struct sockaddr *rpc_call_peer(const struct rpc_call *call)
{
	return (const struct sockaddr *)&call->peer;
}

size_t rpc_call_reply_max(const struct rpc_call *call)
{
	return call->connection ? RPC_TCP_REPLY_MAX_BYTES : RPC_UDP_REPLY_MAX_BYTES;
}

void rpc_call_on_gone(struct rpc_call *call, rpc_gone_fn gone, void *userdata)
{
	call->gone = gone;
	call->gone_userdata = userdata;
}

/* @bytes: taken, also on failure. */
static struct rpc_call *call_new(struct rpc *rpc, uint8_t *bytes, size_t n_bytes)
{
	struct rpc_call *call = calloc(1, sizeof(*call));

	if (!call) {
		free(bytes);
		return NULL;
	}
	call->rpc = rpc;
	call->bytes = bytes;
	call->n_bytes = n_bytes;
	call->fd = -1;
	rpc->n_calls++;
	return call;
}

static void call_free(struct rpc_call *call)
{
	struct connection *connection = call->connection;

	if (connection) {
		DL_DELETE(connection->calls, call);
		connection->n_calls--;
	} else {
		HASH_DEL(call->rpc->datagrams, call);
	}
	call->rpc->n_calls--;
	free(call->bytes);
	free(call);
}

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

static void touch(struct connection *connection)
{
	struct rpc *rpc = connection->rpc;

	(void)sd_event_now(rpc->event, CLOCK_MONOTONIC, &connection->active_usec);
	DL_DELETE(rpc->connections, connection);
	DL_APPEND(rpc->connections, connection);
}

static void send_waiting(struct connection *connection)
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
static void queue_reply(struct connection *connection, uint8_t *bytes, size_t n_bytes)
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

static bool is_paused(const struct connection *connection)
{
	return connection->broken || connection->n_calls >= RPC_CONNECTION_CALLS_MAX ||
	       connection->unsent_bytes > RPC_CONNECTION_UNSENT_BYTES;
}

static void begin_fragment(struct connection *connection)
{
	uint32_t mark, length;
	uint8_t *grown;

	memcpy(&mark, connection->mark, sizeof(mark));
	mark = ntohl(mark);
	length = mark & ~last_fragment_bit;
	if (length > RPC_CALL_MAX_BYTES - connection->n_record) {
		connection->broken = true;
		return;
	}
	/* One byte more: there is a buffer even for a record of nothing. */
	grown = realloc(connection->record, connection->n_record + length + 1);
	if (!grown) {
		connection->broken = true;
		return;
	}
	connection->record = grown;
	connection->fragment_left = length;
	connection->last_fragment = mark & last_fragment_bit;
}

/* The record is whole: hand it over. */
static void deliver(struct connection *connection)
{
	struct rpc *rpc = connection->rpc;
	struct rpc_call *call = call_new(rpc, TAKE_PTR(connection->record), connection->n_record);

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

static size_t take_input(struct connection *connection, uint8_t *to, size_t wanted)
{
	size_t there = connection->input_end - connection->input_start;
	size_t n = wanted < there ? wanted : there;

	memcpy(to, connection->input + connection->input_start, n);
	connection->input_start += n;
	return n;
}

/* Take what was read apart into records, as long as more calls are welcome. */
static void digest(struct connection *connection)
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

static void receive(struct connection *connection)
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

static void connection_free(struct connection *connection)
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
	DL_FOREACH_SAFE(connection->output, chunk, next) chunk_free(chunk);
	free(connection->record);
	free(connection);
}

/* Tell the users of its pending calls, and free it. */
static void hang_up(struct connection *connection)
{
	connection->broken = true;
	while (connection->calls) {
		struct rpc_call *call = connection->calls;
		rpc_gone_fn gone = call->gone;
		void *userdata = call->gone_userdata;

		call_free(call);
		if (gone)
			gone(userdata);
	}
	connection_free(connection);
}

/* After anything that happened to it: close it, or listen for what can come next. */
static void settle(struct connection *connection)
{
	uint32_t events = EPOLLRDHUP;

	if (connection->broken) {
		hang_up(connection);
		return;
	}
	if (!is_paused(connection))
		events |= EPOLLIN;
	if (connection->output)
		events |= EPOLLOUT;
	if (sd_event_source_set_io_events(connection->source, events) < 0)
		hang_up(connection);
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct connection *connection = userdata;

	send_waiting(connection);
	digest(connection);
	if (!is_paused(connection) && connection->input_start == connection->input_end)
		receive(connection);
	else if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		connection->broken = true;
	settle(connection);
	return 0;
}

static int on_sweep(sd_event_source *source, void *userdata)
{
	struct rpc *rpc = userdata;
	struct connection *connection;

	while ((connection = rpc->unsettled)) {
		/* Still listed, so that an answer given here at once does not list it again. */
		digest(connection);
		DL_DELETE2(rpc->unsettled, connection, unsettled_prev, unsettled_next);
		connection->is_unsettled = false;
		settle(connection);
	}
	return 0;
}

static void need_sweep(struct connection *connection)
{
	struct rpc *rpc = connection->rpc;

	if (!connection->is_unsettled) {
		DL_APPEND2(rpc->unsettled, connection, unsettled_prev, unsettled_next);
		connection->is_unsettled = true;
	}
	/* Cannot fail: the source is there, and so is the loop. */
	(void)sd_event_source_set_enabled(rpc->sweep, SD_EVENT_ONESHOT);
}

/* The one that was idle longest and has no call pending. */
static struct connection *idle_longest(struct rpc *rpc)
{
	struct connection *connection;

	DL_FOREACH(rpc->connections, connection)
	{
		if (connection->n_calls == 0)
			return connection;
	}
	return NULL;
}

static bool make_room(struct rpc *rpc)
{
	struct connection *connection = idle_longest(rpc);

	if (!connection)
		return false;
	hang_up(connection);
	return true;
}

static void adopt_connection(struct rpc *rpc, int taken_fd, const struct sockaddr_storage *peer)
{
	CLEANUP(closep) int fd = taken_fd;
	struct connection *connection;
	const int yes = 1;

	if (rpc->n_connections >= RPC_CONNECTIONS_MAX && !make_room(rpc))
		return;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return;
	connection->rpc = rpc;
	connection->peer = *peer;
	if (sd_event_add_io(rpc->event, &connection->source, fd, EPOLLIN | EPOLLRDHUP,
			    on_connection, connection) < 0) {
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

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct listener *listener = userdata;

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

static void close_idle(struct rpc *rpc, uint64_t now_usec)
{
	struct connection *connection, *next;

	DL_FOREACH_SAFE(rpc->connections, connection, next)
	{
		if (connection->active_usec + rpc->idle_usec > now_usec)
			return;
		if (connection->n_calls == 0)
			hang_up(connection);
	}
}

static uint64_t tick_usec(const struct rpc *rpc)
{
	uint64_t eighth = rpc->idle_usec / 8;

	return eighth < TICK_SECONDS_MAX * usec_a_second ? eighth
							 : TICK_SECONDS_MAX * usec_a_second;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct rpc *rpc = userdata;
	uint64_t now_usec = usec;

	(void)sd_event_now(rpc->event, CLOCK_MONOTONIC, &now_usec);
	close_idle(rpc, now_usec);
	for (size_t i = 0; i < rpc->n_listeners; i++)
		(void)sd_event_source_set_enabled(rpc->listeners[i].source, SD_EVENT_ON);
	(void)sd_event_source_set_time(source, now_usec + tick_usec(rpc));
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- datagrams ---- */

static void read_local_address(struct msghdr *message, struct local_address *ret_local)
{
	struct local_address local = { 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			local.size = sizeof(local.v4);
			memcpy(&local.v4, CMSG_DATA(c), sizeof(local.v4));
			/* The route decides where it leaves. */
			local.v4.ipi_ifindex = 0;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			local.size = sizeof(local.v6);
			memcpy(&local.v6, CMSG_DATA(c), sizeof(local.v6));
			if (!IN6_IS_ADDR_LINKLOCAL(&local.v6.ipi6_addr))
				local.v6.ipi6_ifindex = 0;
		} else {
			continue;
		}
		local.level = c->cmsg_level;
		local.type = c->cmsg_type;
	}
	*ret_local = local;
}

static void datagram_key(const struct sockaddr_storage *peer, const uint8_t *bytes,
			 struct datagram_key *ret_key)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
	struct datagram_key key = { .family = peer->ss_family };

	if (peer->ss_family == AF_INET6) {
		memcpy(key.address, &v6->sin6_addr, sizeof(v6->sin6_addr));
		key.scope = v6->sin6_scope_id;
		key.port = v6->sin6_port;
	} else {
		memcpy(key.address, &v4->sin_addr, sizeof(v4->sin_addr));
		key.port = v4->sin_port;
	}
	memcpy(&key.xid, bytes, sizeof(key.xid));
	*ret_key = key;
}

static void deliver_datagram(struct listener *listener, const struct msghdr *message,
			     const struct local_address *local, size_t n_bytes)
{
	struct rpc *rpc = listener->rpc;
	const struct sockaddr_storage *peer = message->msg_name;
	struct rpc_call *call;
	struct datagram_key key;
	uint8_t *bytes;

	if (n_bytes < sizeof(key.xid) || HASH_COUNT(rpc->datagrams) >= RPC_DATAGRAMS_MAX)
		return;
	datagram_key(peer, rpc->datagram, &key);
	HASH_FIND(hh, rpc->datagrams, &key, sizeof(key), call);
	if (call)
		return;
	bytes = malloc(n_bytes);
	if (!bytes)
		return;
	memcpy(bytes, rpc->datagram, n_bytes);
	call = call_new(rpc, bytes, n_bytes);
	if (!call)
		return;
	call->peer = *peer;
	call->peer_size = message->msg_namelen;
	call->fd = listener->fd;
	call->local = *local;
	call->key = key;
	HASH_ADD(hh, rpc->datagrams, key, sizeof(key), call);
	rpc->called(rpc->userdata, call);
}

static int on_datagram(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct listener *listener = userdata;
	struct rpc *rpc = listener->rpc;

	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		struct sockaddr_storage peer = { 0 };
		struct iovec part = { .iov_base = rpc->datagram, .iov_len = RPC_CALL_MAX_BYTES };
		union control_buffer control;
		struct msghdr message = {
			.msg_name = &peer,
			.msg_namelen = sizeof(peer),
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		struct local_address local;
		ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);

		if (n < 0)
			break;
		read_local_address(&message, &local);
		if (!(message.msg_flags & MSG_TRUNC))
			deliver_datagram(listener, &message, &local, (size_t)n);
	}
	return 0;
}

static void send_datagram(struct rpc_call *call, uint8_t *bytes, size_t n_bytes)
{
	struct iovec part = { .iov_base = bytes, .iov_len = n_bytes };
	union control_buffer control = { 0 };
	struct msghdr message = {
		.msg_name = &call->peer,
		.msg_namelen = call->peer_size,
		.msg_iov = &part,
		.msg_iovlen = 1,
	};

	if (call->local.size > 0) {
		control.header.cmsg_level = call->local.level;
		control.header.cmsg_type = call->local.type;
		control.header.cmsg_len = CMSG_LEN(call->local.size);
		memcpy(CMSG_DATA(&control.header), &call->local.v4, call->local.size);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(call->local.size);
	}
	/* A lost answer is asked for again. */
	if (n_bytes <= RPC_UDP_REPLY_MAX_BYTES)
		(void)sendmsg(call->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- answers ---- */

void rpc_reply(struct rpc_call *call, uint8_t *bytes, size_t n_bytes)
{
	struct connection *connection = call->connection;

	if (connection) {
		queue_reply(connection, bytes, n_bytes);
		need_sweep(connection);
	} else {
		send_datagram(call, bytes, n_bytes);
		free(bytes);
	}
	call_free(call);
}

void rpc_drop(struct rpc_call *call, bool hang_up_peer)
{
	if (call->connection) {
		if (hang_up_peer)
			call->connection->broken = true;
		need_sweep(call->connection);
	}
	call_free(call);
}

/* ---- listening ---- */

static void any_address(int family, uint16_t port, struct sockaddr_storage *ret_address,
			socklen_t *ret_size)
{
	*ret_address = (struct sockaddr_storage){ 0 };
	if (family == AF_INET6) {
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

		memcpy(ret_address, &v6, sizeof(v6));
		*ret_size = sizeof(v6);
	} else {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };

		memcpy(ret_address, &v4, sizeof(v4));
		*ret_size = sizeof(v4);
	}
}

static int set_options(int fd, int family, bool is_tcp)
{
	const int yes = 1;

	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) < 0)
		return -errno;
	/* A restart must not wait for old connections' ends. */
	if (is_tcp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
		return -errno;
	if (is_tcp)
		return 0;
	if (family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes)) < 0)
		return -errno;
	if (family == AF_INET && setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof(yes)) < 0)
		return -errno;
	return 0;
}

static int bound_port(int fd, uint16_t *ret_port)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	/* Both families have it at the same place. */
	*ret_port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	return 0;
}

static int open_socket(int family, bool is_tcp, uint16_t *port, int *ret_fd)
{
	CLEANUP(closep) int fd = -1;
	struct sockaddr_storage address;
	socklen_t size;
	int r;

	fd = socket(family, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = set_options(fd, family, is_tcp);
	if (r < 0)
		return r;
	any_address(family, *port, &address, &size);
	if (bind(fd, (struct sockaddr *)&address, size) < 0)
		return -errno;
	if (is_tcp && listen(fd, BACKLOG) < 0)
		return -errno;
	r = bound_port(fd, port);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static void close_listeners(struct rpc *rpc)
{
	for (size_t i = 0; i < rpc->n_listeners; i++) {
		sd_event_source_unref(rpc->listeners[i].source);
		closep(&rpc->listeners[i].fd);
	}
	rpc->n_listeners = 0;
}

static const struct {
	const char *netid;
	int family;
	bool is_tcp;
} transports[LISTENERS_MAX] = {
	{ "udp", AF_INET, false },
	{ "tcp", AF_INET, true },
	{ "udp6", AF_INET6, false },
	{ "tcp6", AF_INET6, true },
};

/* Does this host have no IPv6 at all? Then it is served without. */
static bool is_no_ipv6(int family, int error)
{
	return family == AF_INET6 && (error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL);
}

static int listen_once(struct rpc *rpc, const struct rpc_settings *settings)
{
	uint16_t port = settings->port;
	int r;

	for (size_t i = 0; i < N_ELEMENTS(transports); i++) {
		struct listener *listener = &rpc->listeners[rpc->n_listeners];
		bool is_tcp = transports[i].is_tcp;

		if (is_tcp ? !settings->tcp : !settings->udp)
			continue;
		*listener = (struct listener){
			.rpc = rpc,
			.netid = transports[i].netid,
			.is_tcp = is_tcp,
			.fd = -1,
		};
		r = open_socket(transports[i].family, is_tcp, &port, &listener->fd);
		if (is_no_ipv6(transports[i].family, r))
			continue;
		if (r < 0)
			return r;
		rpc->n_listeners++;
		r = sd_event_add_io(rpc->event, &listener->source, listener->fd, EPOLLIN,
				    is_tcp ? on_accept : on_datagram, listener);
		if (r < 0)
			return r;
	}
	rpc->port = port;
	return rpc->n_listeners > 0 ? 0 : -EINVAL;
}

static int listen_all(struct rpc *rpc, const struct rpc_settings *settings)
{
	int r = -EADDRINUSE;

	/* A port that was free for the first may be taken for another: then try a different one. */
	for (int i = 0; i < PORT_TRIES && r == -EADDRINUSE; i++) {
		close_listeners(rpc);
		r = listen_once(rpc, settings);
		if (settings->port != 0)
			break;
	}
	return r;
}

static int add_timers(struct rpc *rpc)
{
	int r;

	r = sd_event_add_defer(rpc->event, &rpc->sweep, on_sweep, rpc);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(rpc->sweep, SD_EVENT_OFF);
	if (r < 0)
		return r;
	return sd_event_add_time_relative(rpc->event, &rpc->tick, CLOCK_MONOTONIC, tick_usec(rpc),
					  0, on_tick, rpc);
}

int rpc_new(struct rpc **ret_rpc, sd_event *event, const struct rpc_settings *settings,
	    rpc_called_fn called, void *userdata)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));
	uint32_t idle_seconds = settings->idle_seconds ? settings->idle_seconds : RPC_IDLE_SECONDS;
	int r;

	if (!rpc)
		return -ENOMEM;
	rpc->event = sd_event_ref(event);
	rpc->called = called;
	rpc->userdata = userdata;
	rpc->idle_usec = idle_seconds * usec_a_second;
	r = add_timers(rpc);
	if (r >= 0)
		r = listen_all(rpc, settings);
	if (r < 0) {
		rpc_free(rpc);
		return r;
	}
	*ret_rpc = rpc;
	return 0;
}

struct rpc *rpc_free(struct rpc *rpc)
{
	struct connection *connection, *next;

	if (!rpc)
		return NULL;
	assert(rpc->n_calls == 0);
	DL_FOREACH_SAFE(rpc->connections, connection, next) connection_free(connection);
	close_listeners(rpc);
	sd_event_source_unref(rpc->sweep);
	sd_event_source_unref(rpc->tick);
	sd_event_unref(rpc->event);
	free(rpc);
	return NULL;
}

uint16_t rpc_port(const struct rpc *rpc)
{
	return rpc->port;
}

const char *rpc_netid(const struct rpc *rpc, size_t index)
{
	return index < rpc->n_listeners ? rpc->listeners[index].netid : NULL;
}

size_t rpc_n_connections(const struct rpc *rpc)
{
	return rpc->n_connections;
}

size_t rpc_n_calls(const struct rpc *rpc)
{
	return rpc->n_calls;
}
