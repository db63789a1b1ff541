/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * connection.c - one request at a time on each connection; what its peer sends meanwhile stays in
 * the kernel.
 *
 * Long answers are produced as the socket drains: entries are written until CONTROL_CHUNK bytes
 * wait, and more when these are sent, so a listing never holds more memory than a chunk, nor the
 * loop longer than it takes to write one. A peer that neither speaks nor reads loses its
 * connection.
 *
 * Connections are freed by the loop's callbacks only, so that verbs may write at any time.
 */

#include "exportsd/control/connection.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utlist.h>

#include "exportsd/base/log.h"
#include "parser/text.h"

/* How long a peer may let us wait for bytes, or for room. Its test has less time. */
#ifndef CONTROL_PEER_USEC
#define CONTROL_PEER_USEC (30 * 1000 * 1000)
#endif

struct control_connection {
	struct control_connections *all;
	struct control_connection *prev, *next;
	int fd;
	sd_event_source *io;
	uint32_t events; /* that it waits for */
	struct later patience; /* with the peer, while it is the peer that is waited for */
	struct control_request *request; /* under way, or NULL */
	bool is_in_verb; /* start() or produce() is running, and */
	struct control_request *answered; /* has answered this one: it is freed behind it */
	struct proto_writer out;
	size_t n_sent; /* of out.bytes */
	bool closing; /* when all is sent */
	size_t n_input;
	char input[CONTROL_REQUEST_MAX];
};

static size_t n_unsent(const struct control_connection *connection)
{
	return connection->out.n_bytes - connection->n_sent;
}

static bool is_full(const struct control_connection *connection)
{
	return connection->closing || n_unsent(connection) >= CONTROL_CHUNK;
}

static bool produces(const struct control_connection *connection)
{
	return connection->request && connection->request->verb->produce;
}

static void connection_free(void *userdata);

/* Wait for room to write, for a request, or only for the peer's end: until a callback answers. */
static void arm(struct control_connection *connection, bool is_alive)
{
	bool sends = n_unsent(connection) || connection->closing || produces(connection);
	uint32_t events = sends ? EPOLLOUT : connection->request ? 0 : EPOLLIN;

	if (events == connection->events && !is_alive)
		return;
	connection->events = events;
	(void)sd_event_source_set_io_events(connection->io, events);
	if (events)
		(void)later_call_in(&connection->patience, connection->all->daemon->event,
				    CONTROL_PEER_USEC, connection_free, connection);
	else
		later_cancel(&connection->patience);
}

/* ---- what verbs call ---- */

static void request_free(struct control_request *request)
{
	if (!request)
		return;
	pending_cancel(&request->pending);
	if (request->verb->end)
		request->verb->end(request);
	free(request);
}

static void end_request(struct control_connection *connection)
{
	struct control_request *request = TAKE_PTR(connection->request);

	if (connection->is_in_verb && request)
		connection->answered = request;
	else
		request_free(request);
}

static void leave_verb(struct control_connection *connection)
{
	connection->is_in_verb = false;
	request_free(TAKE_PTR(connection->answered));
}

static void end_message(struct control_connection *connection)
{
	connection->closing |= proto_end(&connection->out) < 0;
	arm(connection, false);
}

static void answer(struct control_connection *connection, enum proto_outcome outcome,
		   const char *text)
{
	proto_begin(&connection->out, proto_outcome_word(outcome));
	proto_put(&connection->out, "message", text);
	end_request(connection);
	end_message(connection);
}

struct proto_writer *control_begin(struct control_request *request, const char *word)
{
	proto_begin(&request->connection->out, word);
	return &request->connection->out;
}

void control_end(struct control_request *request)
{
	end_message(request->connection);
}

void control_break(struct control_request *request)
{
	request->connection->closing = true;
	arm(request->connection, false);
}

bool control_is_full(const struct control_request *request)
{
	return is_full(request->connection);
}

void control_ok(struct control_request *request)
{
	answer(request->connection, PROTO_OK, NULL);
}

void control_fail(struct control_request *request, enum proto_outcome outcome, const char *format,
		  ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = text_vformat(format, ap);
	va_end(ap);
	answer(request->connection, outcome, text);
}

void control_fail_errno(struct control_request *request, int error)
{
	answer(request->connection, PROTO_ERROR, strerror(-error));
}

struct proto_writer *control_begin_outcome(struct control_request *request,
					   enum proto_outcome outcome)
{
	return control_begin(request, proto_outcome_word(outcome));
}

void control_finish(struct control_request *request)
{
	struct control_connection *connection = request->connection;

	end_request(connection);
	end_message(connection);
}

/* ---- requests ---- */

/* Tell the peer why, and close when that is sent. */
static void refuse(struct control_connection *connection, const char *why)
{
	log_warning(NULL, "exportsctl's socket: %s, closing the connection", why);
	connection->closing = true;
	answer(connection, PROTO_ERROR, why);
}

static const struct control_verb *find_verb(const struct control_verb *const *verbs,
					    const char *word)
{
	while (*verbs && !str_equal((*verbs)->word, word))
		verbs++;
	return *verbs;
}

static void start_request(struct control_connection *connection,
			  const struct proto_message *message)
{
	const struct control_verb *verb = find_verb(connection->all->verbs, message->word);
	struct control_request *request;
	int r;

	if (!verb) {
		answer(connection, PROTO_UNSUPPORTED, "exportsd does not know this request");
		return;
	}
	request = calloc(1, verb->size ?: sizeof(*request));
	if (!request) {
		answer(connection, PROTO_ERROR, strerror(ENOMEM));
		return;
	}
	request->verb = verb;
	request->daemon = connection->all->daemon;
	request->connection = connection;
	connection->request = request;
	connection->is_in_verb = true;
	r = verb->start(request, message);
	if (r < 0)
		control_fail_errno(request, r);
	leave_verb(connection);
}

/* Start the next request, if it is there and nothing is under way. */
static void take_request(struct control_connection *connection)
{
	struct proto_message message;
	const char *why = NULL;
	size_t used;
	int r;

	if (connection->closing || connection->request)
		return;
	r = proto_parse(connection->input, connection->n_input, &message, &used, &why);
	if (r == PROTO_MORE && connection->n_input < CONTROL_REQUEST_MAX)
		return;
	if (r != 0) {
		refuse(connection, r == PROTO_MORE ? "a request is too long" : why ?: strerror(-r));
		return;
	}
	start_request(connection, &message);
	proto_message_done(&message);
	connection->n_input -= used;
	memmove(connection->input, connection->input + used, connection->n_input);
}

/* ---- bytes ---- */

/* Returns false if the peer is gone. */
static bool receive(struct control_connection *connection)
{
	ssize_t n = recv(connection->fd, connection->input + connection->n_input,
			 CONTROL_REQUEST_MAX - connection->n_input, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	connection->n_input += (size_t)n;
	take_request(connection);
	return true;
}

static void produce(struct control_connection *connection)
{
	while (produces(connection) && !is_full(connection)) {
		struct control_request *request = connection->request;

		connection->is_in_verb = true;
		if (request->verb->produce(request) && connection->request)
			control_ok(request);
		leave_verb(connection);
	}
}

/* Returns false if the peer is gone, or all is said. */
static bool transmit(struct control_connection *connection)
{
	ssize_t n = 0;

	produce(connection);
	if (n_unsent(connection))
		n = send(connection->fd, connection->out.bytes + connection->n_sent,
			 n_unsent(connection), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	connection->n_sent += (size_t)n;
	if (n_unsent(connection))
		return true;
	proto_writer_done(&connection->out);
	connection->n_sent = 0;
	if (connection->closing)
		return false;
	take_request(connection);
	return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct control_connection *connection = userdata;
	bool is_alive = true;

	if (revents & EPOLLIN)
		is_alive = receive(connection);
	else if (revents & EPOLLOUT)
		is_alive = transmit(connection);
	else if (revents & (EPOLLHUP | EPOLLERR))
		is_alive = false;
	if (is_alive)
		arm(connection, true);
	else
		connection_free(connection);
	return 0;
}

/* ---- coming and going ---- */

static void connection_free(void *userdata)
{
	struct control_connection *connection = userdata;

	end_request(connection);
	DL_DELETE(connection->all->first, connection);
	connection->all->n--;
	sd_event_source_disable_unref(connection->io);
	later_cancel(&connection->patience);
	proto_writer_done(&connection->out);
	close(connection->fd);
	free(connection);
}

int control_connections_add(struct control_connections *all, int fd)
{
	struct control_connection *connection = calloc(1, sizeof(*connection));
	int r;

	if (!connection) {
		close(fd);
		return -ENOMEM;
	}
	connection->all = all;
	connection->fd = fd;
	DL_APPEND(all->first, connection);
	all->n++;
	r = sd_event_add_io(all->daemon->event, &connection->io, fd, 0, on_io, connection);
	if (r < 0) {
		connection_free(connection);
		return r;
	}
	arm(connection, true);
	if (all->n > CONTROL_CONNECTIONS_MAX)
		refuse(connection, "too many connections at once");
	return 0;
}

void control_connections_close(struct control_connections *all)
{
	while (all->first)
		connection_free(all->first);
}
