/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handler.c - connections to one handler, and the requests on them.
 *
 * A request is in one of three lists: the handler's waiting ones (no connection has room), a
 * connection's under way, or the handler's ended ones (their done() is due in the next turn of the
 * loop). Shared connections say hello first; what it answers is the connection's capacity. A
 * handler that does not know hello takes one request at a time on each of up to CONNECTIONS_MAX
 * connections, and is not asked for hello again until it has been away. A request with a connection
 * of its own is sent at once, without hello, and its outcome ends that connection.
 *
 * A script may close its connection after each answer, just when the next request is sent. So where
 * a connection takes one request at a time, has answered something before, and is closed
 * between two messages, the request under way is sent once more on another one.
 *
 * Callbacks may ask, cancel, or free the handler: whoever calls one holds the memory (in_callback)
 * and looks at is_freed afterwards.
 *
 * Descriptors: unix_stream_read_generic() (linux net/unix/af_unix.c) stops reading after the bytes
 * that came with descriptors. So when all that was read is parsed, a descriptor no message asked
 * for belongs to none.
 */

#include "exportsd/media/handler.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <utlist.h>

#include "exportsd/base/log.h"
#include "handlers/socket.h"

enum {
	CONNECTIONS_MAX = 8, /* shared ones, to a handler that takes one request a connection */
	UNDER_WAY_MAX = 256, /* requests on one connection, whatever its hello allows */
	REQUESTS_MAX = 65536, /* of one handler, waiting and under way */
	DESCRIPTORS_MAX = 8, /* received and not yet asked for, of one connection */
	READ_SIZE = 16 * 1024,
};
static const uint64_t idle_usec =
	10 * 1000000ull; /* a shared connection without a request lives so long */

enum request_place { REQUEST_WAITING, REQUEST_UNDER_WAY, REQUEST_ENDED };

struct handler_request {
	struct pending pending;
	struct handler_request *prev, *next;
	struct handler *handler;
	struct connection *connection; /* REQUEST_UNDER_WAY */
	enum request_place place;
	uint64_t id;
	char *bytes;
	size_t n_bytes;
	bool own_connection;
	bool sent_twice;
	uint64_t timeout_usec;
	struct later timer;
	struct handler_events events;
	void *userdata;
	enum handler_outcome outcome; /* REQUEST_ENDED: and why */
	char *why;
};

struct connection {
	struct connection *prev, *next;
	struct handler *handler;
	int fd;
	sd_event_source *io;
	struct later idle;
	bool is_shared;
	uint64_t hello_id; /* 0: greeted, or need not be */
	unsigned int capacity; /* 0: not yet greeted */
	struct handler_request *under_way;
	unsigned int n_under_way;
	bool has_answered; /* some outcome came */
	bool has_blundered; /* an unknown id was logged */
	char *in;
	size_t n_in, in_size;
	char *out;
	size_t n_out;
	int descriptors[DESCRIPTORS_MAX];
	size_t n_descriptors;
	bool in_callback; /* freed by take_messages() */
	bool is_freed;
};

struct handler {
	sd_event *event;
	char *socket;
	struct sockaddr_un address;
	socklen_t address_length;
	uid_t peer_uid;
	uint64_t last_id;
	bool is_simple; /* does not know hello */
	struct connection *connections;
	unsigned int n_shared;
	struct handler_request *waiting, *ended;
	size_t n_requests;
	struct later deliver;
	bool in_callback; /* freed by deliver_ended() */
	bool is_freed;
};

static void dispatch(struct handler *handler);

/* ---- requests ---- */

static struct handler_request *request_free(struct handler_request *request)
{
	if (!request)
		return NULL;
	request->handler->n_requests--;
	later_cancel(&request->timer);
	free(request->bytes);
	free(request->why);
	free(request);
	return NULL;
}

static void unlink_request(struct handler_request *request)
{
	switch (request->place) {
	case REQUEST_WAITING: DL_DELETE(request->handler->waiting, request); break;
	case REQUEST_ENDED: DL_DELETE(request->handler->ended, request); break;
	case REQUEST_UNDER_WAY:
		DL_DELETE(request->connection->under_way, request);
		request->connection->n_under_way--;
		request->connection = NULL;
		break;
	}
}

static void deliver_ended(void *userdata);

/* Have done() called in the next turn of the loop. */
static void end_request(struct handler_request *request, enum handler_outcome outcome,
			const char *why)
{
	struct handler *handler = request->handler;

	unlink_request(request);
	later_cancel(&request->timer);
	request->outcome = outcome;
	request->why = strdup(why);
	request->place = REQUEST_ENDED;
	DL_APPEND(handler->ended, request);
	later_call(&handler->deliver, handler->event, deliver_ended, handler);
}

static void deliver_ended(void *userdata)
{
	struct handler *handler = userdata;

	handler->in_callback = true;
	while (handler->ended) {
		struct handler_request *request = handler->ended;
		struct handler_events events = request->events;
		void *asker = request->userdata;
		enum handler_outcome outcome = request->outcome;
		CLEANUP(freep) char *why = TAKE_PTR(request->why);

		unlink_request(request);
		request_free(request);
		events.done(asker, outcome, NULL, -1, why ? why : "out of memory");
	}
	handler->in_callback = false;
	if (handler->is_freed)
		free(handler);
}

/* ---- connections ---- */

static void close_descriptors(struct connection *connection)
{
	while (connection->n_descriptors > 0)
		close(connection->descriptors[--connection->n_descriptors]);
}

static void free_memory(struct connection *connection)
{
	free(connection->in);
	free(connection->out);
	free(connection);
}

/* Its requests must have been taken care of. */
static void connection_free(struct connection *connection)
{
	struct handler *handler = connection->handler;

	DL_DELETE(handler->connections, connection);
	if (connection->is_shared)
		handler->n_shared--;
	sd_event_source_disable_unref(connection->io);
	later_cancel(&connection->idle);
	close_descriptors(connection);
	closep(&connection->fd);
	connection->is_freed = true;
	if (!connection->in_callback)
		free_memory(connection);
}

/* No shared connection can be had: all that waits for one has to know. */
static void end_waiting(struct handler *handler, const char *why)
{
	while (handler->waiting)
		end_request(handler->waiting, HANDLER_LOST, why);
}

static void send_again(struct handler_request *request)
{
	unlink_request(request);
	request->sent_twice = true;
	request->place = REQUEST_WAITING;
	DL_PREPEND(request->handler->waiting, request);
}

/* The connection is of no use any more. @is_closed: by the peer, between two messages. */
static void lose_connection(struct connection *connection, bool is_closed, const char *why)
{
	struct handler *handler = connection->handler;
	bool may_repeat = is_closed && connection->is_shared && connection->capacity == 1 &&
			  connection->has_answered;
	bool was_greeting = connection->is_shared && connection->capacity == 0;

	if (!is_closed && connection->n_under_way == 0 && !was_greeting)
		log_warning(ABOUT(.handler = handler->socket),
			    "Handler '%s': %s; connection closed", handler->socket, why);
	while (connection->under_way) {
		struct handler_request *request = connection->under_way;

		if (may_repeat && !request->sent_twice)
			send_again(request);
		else
			end_request(request, HANDLER_LOST, why);
	}
	connection_free(connection);
	if (was_greeting && handler->n_shared == 0)
		end_waiting(handler, why);
	dispatch(handler);
}

/* ---- sending ---- */

static void watch_writable(struct connection *connection)
{
	sd_event_source_set_io_events(connection->io,
				      EPOLLIN | (connection->n_out > 0 ? (uint32_t)EPOLLOUT : 0));
}

/* Errors show when the connection is read: EPOLLHUP and EPOLLERR are always reported. */
static void flush_out(struct connection *connection)
{
	ssize_t n = send(connection->fd, connection->out, connection->n_out,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0) {
		connection->n_out -= (size_t)n;
		memmove(connection->out, connection->out + n, connection->n_out);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		connection->n_out = 0;
	}
	watch_writable(connection);
}

static int queue_bytes(struct connection *connection, const char *bytes, size_t n_bytes)
{
	char *out = realloc(connection->out, connection->n_out + n_bytes);

	if (!out)
		return -ENOMEM;
	connection->out = out;
	memcpy(out + connection->n_out, bytes, n_bytes);
	connection->n_out += n_bytes;
	flush_out(connection);
	return 0;
}

/* Under way is under way even if memory is out: the connection is then lost by whoever called. */
static int send_request(struct connection *connection, struct handler_request *request)
{
	unlink_request(request);
	request->place = REQUEST_UNDER_WAY;
	request->connection = connection;
	DL_APPEND(connection->under_way, request);
	connection->n_under_way++;
	later_cancel(&connection->idle);
	return queue_bytes(connection, request->bytes, request->n_bytes);
}

static int send_hello(struct connection *connection)
{
	struct proto_writer writer = { 0 };
	int r;

	connection->hello_id = ++connection->handler->last_id;
	proto_begin(&writer, "hello");
	proto_put_u64(&writer, "id", connection->hello_id);
	r = proto_end(&writer);
	if (r == 0)
		r = queue_bytes(connection, writer.bytes, writer.n_bytes);
	proto_writer_done(&writer);
	return r;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static int connect_socket(const struct handler *handler, int *ret_fd, const char **ret_what)
{
	CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	*ret_what = "cannot connect";
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&handler->address, handler->address_length) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	*ret_what = "is run by a user who may not answer (see handler-user in exportsd.conf(5))";
	if (peer.uid != 0 && peer.uid != handler->peer_uid)
		return -EACCES;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int connection_new(struct handler *handler, bool is_shared,
			  struct connection **ret_connection, const char **ret_what)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int r;

	*ret_what = "cannot connect";
	if (!connection)
		return -ENOMEM;
	connection->handler = handler;
	connection->fd = -1;
	connection->is_shared = is_shared;
	DL_APPEND(handler->connections, connection);
	if (is_shared)
		handler->n_shared++;
	r = connect_socket(handler, &connection->fd, ret_what);
	if (r == 0)
		r = sd_event_add_io(handler->event, &connection->io, connection->fd, EPOLLIN, on_io,
				    connection);
	if (r < 0) {
		connection_free(connection);
		return r;
	}
	*ret_connection = connection;
	return 0;
}

static char *explain(const char *what, int error)
{
	char *why;

	return asprintf(&why, "%s: %s", what, strerror(-error)) < 0 ? NULL : why;
}

/* Returns NULL, with everything that waits ended, if there is no connecting. */
static struct connection *open_shared(struct handler *handler)
{
	struct connection *connection = NULL;
	const char *what;
	int r = connection_new(handler, true, &connection, &what);

	if (r == 0 && handler->is_simple)
		connection->capacity = 1;
	else if (r == 0)
		r = send_hello(connection);
	if (r == 0)
		return connection;
	if (connection)
		connection_free(connection);
	if (r == -ECONNREFUSED || r == -ENOENT)
		handler->is_simple = false;
	if (handler->n_shared == 0) {
		CLEANUP(freep) char *why = explain(what, r);

		end_waiting(handler, why ? why : what);
	}
	return NULL;
}

static void send_alone(struct handler_request *request)
{
	struct handler *handler = request->handler;
	struct connection *connection;
	const char *what;
	int r = connection_new(handler, false, &connection, &what);

	if (r < 0) {
		CLEANUP(freep) char *why = explain(what, r);

		end_request(request, HANDLER_LOST, why ? why : what);
		return;
	}
	connection->capacity = 1;
	if (send_request(connection, request) < 0)
		lose_connection(connection, false, "out of memory");
}

/* A shared connection with room now. */
static struct connection *find_room(struct handler *handler)
{
	struct connection *connection;

	DL_FOREACH (handler->connections, connection)
		if (connection->is_shared && connection->n_under_way < connection->capacity)
			return connection;
	return NULL;
}

static bool may_open_shared(const struct handler *handler)
{
	const struct connection *connection;

	DL_FOREACH (handler->connections, connection)
		if (connection->is_shared && connection->capacity == 0)
			return false;
	return handler->n_shared < (handler->is_simple ? (unsigned int)CONNECTIONS_MAX : 1);
}

static void dispatch(struct handler *handler)
{
	while (handler->waiting) {
		struct connection *connection = find_room(handler);

		if (!connection && may_open_shared(handler)) {
			connection = open_shared(handler);
			if (connection && connection->capacity == 0)
				return;
		}
		if (!connection)
			return;
		if (send_request(connection, handler->waiting) < 0) {
			lose_connection(connection, false, "out of memory");
			return;
		}
	}
}

/* ---- receiving ---- */

static void on_timeout(void *userdata)
{
	struct handler_request *request = userdata;
	struct handler *handler = request->handler;
	struct connection *connection = request->connection, *next;
	char why[80];

	snprintf(why, sizeof(why), "no answer within %.3g s", (double)request->timeout_usec / 1e6);
	end_request(request, HANDLER_TIMED_OUT, why);
	if (connection && connection->capacity == 1) {
		lose_connection(connection, true, why);
		return;
	}
	if (connection)
		return;
	/* Who does not even answer hello is not waited for longer. */
	DL_FOREACH_SAFE (handler->connections, connection, next)
		if (connection->is_shared && connection->capacity == 0)
			connection_free(connection);
	dispatch(handler);
}

static int restart_timer(struct handler_request *request)
{
	if (!request->timeout_usec)
		return 0;
	return later_call_in(&request->timer, request->handler->event, request->timeout_usec,
			     on_timeout, request);
}

static struct handler_request *find_under_way(struct connection *connection, uint64_t id)
{
	struct handler_request *request;

	DL_FOREACH (connection->under_way, request)
		if (request->id == id)
			return request;
	return NULL;
}

static void take_greeting(struct connection *connection, int outcome,
			  const struct proto_message *message)
{
	uint64_t n = 0;
	bool says_how_many = outcome == PROTO_OK &&
			     proto_get_u64(message, "requests", UINT64_MAX, &n) == 0 && n > 0;

	connection->hello_id = 0;
	connection->handler->is_simple = !says_how_many;
	connection->capacity = !says_how_many	   ? 1
			       : n < UNDER_WAY_MAX ? (unsigned int)n
						   : UNDER_WAY_MAX;
}

/* Answers to requests that were cancelled or timed out come here too, and are no blunder. */
static void drop_unknown(struct connection *connection, uint64_t id, const char *word)
{
	struct handler *handler = connection->handler;

	if (id > 0 && id <= handler->last_id) {
		log_debug(ABOUT(.handler = handler->socket),
			  "Handler '%s': '%s' came too late for request %llu, ignoring",
			  handler->socket, word, (unsigned long long)id);
		return;
	}
	if (!connection->has_blundered)
		log_warning(
			ABOUT(.handler = handler->socket),
			"Handler '%s': '%s' with an id that was never asked, ignoring this and further ones",
			handler->socket, word);
	connection->has_blundered = true;
}

static int take_descriptor(struct connection *connection)
{
	int fd;

	if (connection->n_descriptors == 0)
		return -1;
	fd = connection->descriptors[0];
	connection->n_descriptors--;
	memmove(connection->descriptors, connection->descriptors + 1,
		connection->n_descriptors * sizeof(connection->descriptors[0]));
	return fd;
}

static bool has_descriptor(const struct proto_message *message)
{
	const char *with_mount = proto_get(message, "mount-fd");

	return with_mount && str_equal(with_mount, "1");
}

/* @fd: that came with the message, or -1; taken */
static void finish_request(struct handler_request *request, enum handler_outcome outcome,
			   const struct proto_message *message, int fd)
{
	struct handler_events events = request->events;
	void *asker = request->userdata;
	CLEANUP(freep) char *why = NULL;

	if (outcome != HANDLER_OK) {
		closep(&fd);
		fd = -1;
	}
	if (outcome == HANDLER_OK && has_descriptor(message) && fd < 0) {
		outcome = HANDLER_ERROR;
		why = strdup("'mount-fd=1' came without a descriptor");
	} else if (outcome == HANDLER_ERROR) {
		const char *name = proto_get(message, "errno"),
			   *text = proto_get(message, "message");

		if (asprintf(&why, "%s%s%s", name ? name : "EIO", text ? ": " : "",
			     text ? text : "") < 0)
			why = NULL;
	}
	unlink_request(request);
	request_free(request);
	events.done(asker, outcome, message, fd, why);
}

static void take_message(struct connection *connection, const struct proto_message *message)
{
	struct handler_request *request;
	int outcome = proto_outcome(message->word);
	/* Also that of an answer that nobody waits for any more: it is not the next one's. */
	CLEANUP(closep) int descriptor = has_descriptor(message) ? take_descriptor(connection) : -1;
	uint64_t id = 0;

	(void)proto_get_u64(message, "id", UINT64_MAX, &id);
	if (connection->hello_id && id == connection->hello_id) {
		if (outcome >= 0)
			take_greeting(connection, outcome, message);
		connection->has_answered = outcome >= 0;
		return;
	}
	request = find_under_way(connection, id);
	if (!request) {
		drop_unknown(connection, id, message->word);
	} else if (outcome >= 0) {
		connection->has_answered = true;
		finish_request(request, (enum handler_outcome)outcome, message,
			       TAKE_FD(descriptor));
	} else {
		(void)restart_timer(request);
		if (request->events.message)
			request->events.message(request->userdata, message);
	}
}

/*
 * Parse what was read. Returns 0; -ECANCELED if a callback ended the connection; proto_parse()'s
 * errors.
 */
static int take_messages(struct connection *connection, const char **ret_why)
{
	size_t used = 0, n;
	int r;

	connection->in_callback = true;
	for (;;) {
		struct proto_message message;

		r = proto_parse(connection->in + used, connection->n_in - used, &message, &n,
				ret_why);
		if (r != 0)
			break;
		take_message(connection, &message);
		proto_message_done(&message);
		if (connection->is_freed) {
			free_memory(connection);
			return -ECANCELED;
		}
		used += n;
	}
	connection->in_callback = false;
	connection->n_in -= used;
	memmove(connection->in, connection->in + used, connection->n_in);
	return r < 0 ? r : 0;
}

static void keep_descriptors(struct connection *connection, struct msghdr *header)
{
	for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
		size_t n = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(item) + i * sizeof(fd), sizeof(fd));
			if (connection->n_descriptors < DESCRIPTORS_MAX)
				connection->descriptors[connection->n_descriptors++] = fd;
			else
				close(fd);
		}
	}
}

/* Returns how many bytes came, 0 at the end, -errno. */
static ssize_t receive(struct connection *connection)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
	} control;
	struct iovec space = { .iov_len = READ_SIZE };
	struct msghdr header = { .msg_iov = &space,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	ssize_t n;

	if (connection->in_size < connection->n_in + READ_SIZE) {
		char *in = realloc(connection->in, connection->n_in + READ_SIZE);

		if (!in)
			return -ENOMEM;
		connection->in = in;
		connection->in_size = connection->n_in + READ_SIZE;
	}
	space.iov_base = connection->in + connection->n_in;
	n = recvmsg(connection->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	keep_descriptors(connection, &header);
	connection->n_in += (size_t)n;
	return n;
}

static void on_idle(void *userdata)
{
	connection_free(userdata);
}

/* After messages came: is there more to send, or is the connection no longer needed? */
static void look_around(struct connection *connection)
{
	struct handler *handler = connection->handler;

	if (connection->n_in == 0)
		close_descriptors(connection);
	if (!connection->is_shared) {
		if (connection->n_under_way == 0)
			connection_free(connection);
		return;
	}
	if (connection->n_under_way == 0 && !handler->waiting &&
	    !later_is_pending(&connection->idle))
		(void)later_call_in(&connection->idle, handler->event, idle_usec, on_idle,
				    connection);
	dispatch(handler);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct connection *connection = userdata;
	const char *why = "broken message";
	ssize_t n;
	int r;

	if (revents & EPOLLOUT)
		flush_out(connection);
	if (!(revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return 0;
	n = receive(connection);
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n < 0 && n != -ECONNRESET) {
		CLEANUP(freep) char *broken = explain("connection broke", (int)n);

		lose_connection(connection, false, broken ? broken : why);
		return 0;
	}
	if (n <= 0) {
		bool in_message = connection->n_in > 0;

		lose_connection(connection, !in_message,
				in_message ? "it closed the connection in the middle of a message"
					   : "it closed the connection");
		return 0;
	}
	r = take_messages(connection, &why);
	if (r == 0 && connection->n_in > PROTO_MESSAGE_MAX)
		r = -EBADMSG;
	if (r == -ECANCELED)
		return 0;
	if (r < 0)
		lose_connection(connection, false, r == -EBADMSG ? why : "out of memory");
	else
		look_around(connection);
	return 0;
}

/* ---- interface ---- */

int handler_new(struct handler **ret_handler, sd_event *event, const char *socket, uid_t peer_uid)
{
	struct handler *handler = calloc(1, sizeof(*handler));
	int r = -ENOMEM;

	if (!handler)
		return r;
	handler->event = sd_event_ref(event);
	handler->peer_uid = peer_uid;
	handler->socket = strdup(socket);
	if (handler->socket)
		r = socket_address(socket, &handler->address, &handler->address_length);
	if (r < 0) {
		handler_free(handler);
		return r;
	}
	*ret_handler = handler;
	return 0;
}

struct handler *handler_free(struct handler *handler)
{
	if (!handler)
		return NULL;
	while (handler->connections) {
		while (handler->connections->under_way)
			end_request(handler->connections->under_way, HANDLER_LOST, "");
		connection_free(handler->connections);
	}
	end_waiting(handler, "");
	while (handler->ended) {
		struct handler_request *request = handler->ended;

		unlink_request(request);
		request_free(request);
	}
	later_cancel(&handler->deliver);
	sd_event_unref(handler->event);
	free(handler->socket);
	handler->is_freed = true;
	if (!handler->in_callback)
		free(handler);
	return NULL;
}

const char *handler_socket(const struct handler *handler)
{
	return handler->socket;
}

static int take_bytes(struct handler_request *request, struct proto_writer *message)
{
	int r;

	proto_put_u64(message, "id", request->id);
	r = proto_end(message);
	if (r == 0) {
		request->n_bytes = message->n_bytes;
		request->bytes = TAKE_PTR(message->bytes);
	}
	proto_writer_done(message);
	return r;
}

static void cancel_request(struct pending *pending);

static int request_new(struct handler *handler, struct proto_writer *message, uint64_t timeout_usec,
		       struct handler_request **ret_request)
{
	struct handler_request *request = calloc(1, sizeof(*request));
	int r;

	if (!request) {
		proto_writer_done(message);
		return -ENOMEM;
	}
	request->pending.cancel = cancel_request;
	request->handler = handler;
	handler->n_requests++;
	request->id = ++handler->last_id;
	request->timeout_usec = timeout_usec;
	r = take_bytes(request, message);
	if (r == 0)
		r = restart_timer(request);
	if (r < 0) {
		request_free(request);
		return r;
	}
	*ret_request = request;
	return 0;
}

int handler_ask(struct handler *handler, struct proto_writer *message, uint64_t timeout_usec,
		bool own_connection, const struct handler_events *events, void *userdata,
		struct pending **ret_request)
{
	struct handler_request *request;
	int r;

	if (handler->n_requests >= REQUESTS_MAX) {
		proto_writer_done(message);
		return -EAGAIN;
	}
	r = request_new(handler, message, timeout_usec, &request);
	if (r < 0)
		return r;
	request->events = *events;
	request->userdata = userdata;
	request->own_connection = own_connection;
	request->place = REQUEST_WAITING;
	DL_APPEND(handler->waiting, request);
	if (ret_request)
		*ret_request = &request->pending;
	if (own_connection)
		send_alone(request);
	else
		dispatch(handler);
	return 0;
}

static void cancel_request(struct pending *pending)
{
	struct handler_request *request = (struct handler_request *)pending;
	struct connection *connection;

	connection = request->connection;
	unlink_request(request);
	request_free(request);
	/* The peer is at it, and nothing else could be asked on this connection meanwhile. */
	if (connection && connection->capacity == 1) {
		struct handler *handler = connection->handler;

		connection_free(connection);
		dispatch(handler);
	}
}
