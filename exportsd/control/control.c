/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * control.c - the daemon's end of exportsctl(8): its socket and its connections.
 *
 * Messages of the wire codec. A client sends a request, and gets entries and then one outcome:
 *
 *	status  [path=P]   daemon, kernel, medium..., client...; ok | noent
 *	exports            export...; ok | busy (they changed meanwhile: ask again)
 *	reload             fault...; ok | error (refused)
 *	mount   path=P     medium... (each change, each progress); ok | noent | denied | error
 *	eject   path=P [wait-ms=N] [force=1]   hit..., waiting...; ok | noent | busy | error
 *	fsid    path=P     ok fsid=N path=P | noent
 *	path    fsid=N     ok fsid=N path=P | noent
 *	exportfs, rules    exportfs(8)'s: exportfs.h
 *
 * A connection has one request under way; what it sends meanwhile stays in the kernel. Long answers
 * are produced as the socket drains: a producer writes entries until CONTROL_CHUNK bytes wait, and
 * is called again when they are sent, so a listing never holds more memory than a chunk, nor the
 * loop longer than it takes to write one. A peer that neither speaks nor reads loses its
 * connection.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <utlist.h>

#include "exportsd/base/listener.h"
#include "exportsd/base/log.h"
#include "exportsd/control/requests.h"

enum {
	CONNECTIONS_MAX = 64,
};

/* How long a peer may let us wait for bytes, or for room. Its test has less time. */
#ifndef CONTROL_PEER_USEC
#define CONTROL_PEER_USEC (30 * 1000 * 1000)
#endif

struct control {
	struct daemon *daemon;
	struct listener *listener;
	struct connection *connections;
	size_t n_connections;
};

/* ---- writing ---- */

size_t connection_pending(const struct connection *connection)
{
	return connection->out.n_bytes - connection->n_sent;
}

/* What the connection wants of the loop now: room to write, a request, or nothing but its end. */
void connection_arm(struct connection *connection)
{
	bool sends = connection->producer || connection_pending(connection) || connection->closing;
	uint32_t events = sends ? EPOLLOUT : connection->waiting ? 0 : EPOLLIN;

	(void)sd_event_source_set_io_events(connection->io, events);
	if (events)
		(void)sd_event_source_set_time_relative(connection->timer, CONTROL_PEER_USEC);
	(void)sd_event_source_set_enabled(connection->timer,
					  events ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

void connection_end(struct connection *connection)
{
	if (proto_end(&connection->out) < 0) {
		connection->producer = NULL;
		connection->closing = true;
	}
}

void connection_answer(struct connection *connection, enum proto_outcome outcome,
		       const char *message)
{
	proto_begin(&connection->out, proto_outcome_word(outcome));
	proto_put(&connection->out, "message", message);
	connection_end(connection);
	requests_forget(connection);
	connection_arm(connection);
}

/* ---- connections ---- */

static struct connection *connection_free(struct connection *connection)
{
	struct control *control = connection->control;

	requests_forget(connection);
	DL_DELETE(control->connections, connection);
	control->n_connections--;
	sd_event_source_disable_unref(connection->io);
	sd_event_source_disable_unref(connection->timer);
	proto_writer_done(&connection->out);
	close(connection->fd);
	free(connection);
	return NULL;
}

/* Tell the peer why, and close when that is sent. */
static void refuse(struct connection *connection, const char *why)
{
	log_warning(NULL, "exportsctl's socket: %s, closing the connection", why);
	connection->closing = true;
	connection_answer(connection, PROTO_ERROR, why);
}

/* Start the next request, if it is there and nothing is under way. */
static void take_request(struct connection *connection)
{
	struct proto_message message;
	const char *why = NULL;
	size_t used;
	int r;

	if (connection->closing || connection->waiting || connection->producer)
		return;
	r = proto_parse(connection->input, connection->n_input, &message, &used, &why);
	if (r == PROTO_MORE && connection->n_input < CONTROL_REQUEST_MAX)
		return;
	if (r != 0) {
		refuse(connection, r == PROTO_MORE ? "a request is too long" : why ?: strerror(-r));
		return;
	}
	requests_start(connection, &message);
	proto_message_done(&message);
	connection->n_input -= used;
	memmove(connection->input, connection->input + used, connection->n_input);
}

/* Returns false if the peer is gone. */
static bool receive(struct connection *connection)
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

static void produce(struct connection *connection)
{
	while (connection->producer && connection_pending(connection) < CONTROL_CHUNK &&
	       !connection->closing)
		if (connection->producer(connection) && connection->producer)
			connection_answer(connection, PROTO_OK, NULL);
}

/* Returns false if the peer is gone, or all is said. */
static bool transmit(struct connection *connection)
{
	ssize_t n = 0;

	produce(connection);
	if (connection_pending(connection))
		n = send(connection->fd, connection->out.bytes + connection->n_sent,
			 connection_pending(connection), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	connection->n_sent += (size_t)n;
	if (connection_pending(connection))
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
	struct connection *connection = userdata;
	bool alive = true;

	if (revents & EPOLLIN)
		alive = receive(connection);
	else if (revents & EPOLLOUT)
		alive = transmit(connection);
	else if (revents & (EPOLLHUP | EPOLLERR))
		alive = false;
	if (alive)
		connection_arm(connection);
	else
		connection_free(connection);
	return 0;
}

static int on_peer_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	connection_free(userdata);
	return 0;
}

/* ---- the listening socket ---- */

static int add_connection(struct control *control, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	sd_event *event = control->daemon->event;
	int r;

	if (!connection)
		return -ENOMEM;
	connection->control = control;
	connection->daemon = control->daemon;
	connection->fd = fd;
	DL_APPEND(control->connections, connection);
	control->n_connections++;
	r = sd_event_add_io(event, &connection->io, fd, EPOLLIN, on_io, connection);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &connection->timer, CLOCK_MONOTONIC,
					       CONTROL_PEER_USEC, 0, on_peer_timeout, connection);
	if (r < 0) {
		connection->fd = -1;
		connection_free(connection);
		return r;
	}
	if (control->n_connections > CONNECTIONS_MAX)
		refuse(connection, "too many connections at once");
	return 0;
}

static void on_accepted(void *userdata, int fd)
{
	int r = add_connection(userdata, fd);

	if (r < 0) {
		close(fd);
		log_warning(NULL, "exportsctl's socket: cannot serve a connection: %s",
			    strerror(-r));
	}
}

static int listen_in(struct control *control, const char *directory)
{
	CLEANUP(freep) char *path = NULL;

	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (asprintf(&path, "%s/control", directory) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return listener_new(&control->listener, control->daemon->event, path, SOCK_STREAM,
			    "exportsctl's socket", on_accepted, control);
}

int control_new(struct control **ret_control, struct daemon *daemon)
{
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return -ENOMEM;
	control->daemon = daemon;
	r = listen_in(control, daemon->config->runtime_directory);
	if (r < 0) {
		control_free(control);
		return r;
	}
	*ret_control = control;
	return 0;
}

struct control *control_free(struct control *control)
{
	if (!control)
		return NULL;
	while (control->connections)
		connection_free(control->connections);
	listener_free(control->listener);
	free(control);
	return NULL;
}
