/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * life.c - what exportsctl may ask about a medium's end.
 *
 *	eject  path=P [wait-ms=N] [force=1]	hit..., waiting...; ok | noent | busy | error
 *
 * A medium that is held is not drained, so that who holds it can go on and come to an end: it is
 * tried again each second until the wait is over. Each "waiting" carries the device, so that
 * exportsctl can look itself who that is, which may take long. With force the drain takes NFSv4
 * state away; each "hit" is a client that loses some.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "exportsd/base/log.h"
#include "exportsd/control/life.h"
#include "exportsd/kernel/clients.h"

enum {
	WAIT_MAX_MSEC = 7 * 24 * 3600 * 1000,
	PAUSE_USEC = 1000 * 1000,
};

struct eject {
	struct connection *connection;
	struct pending *drain;
	sd_event_source *timer;
	uint64_t end_usec;
	bool force;
};

void eject_forget(struct eject *eject)
{
	if (!eject)
		return;
	pending_cancel(&eject->drain);
	sd_event_source_disable_unref(eject->timer);
	free(eject);
}

static uint64_t now(const struct connection *connection)
{
	uint64_t usec = 0;

	(void)sd_event_now(connection->daemon->event, CLOCK_MONOTONIC, &usec);
	return usec;
}

static void try(struct connection *connection);

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	try(userdata);
	return 0;
}

/* A client that does not read misses that it waits, not the outcome. */
static void tell_waiting(struct connection *connection)
{
	struct medium_status status;
	char device[32];

	if (connection_pending(connection) >= CONTROL_CHUNK ||
	    !media_status(connection->daemon->media, connection->path, &status))
		return;
	(void)snprintf(device, sizeof(device), "%u:%u", major(status.device), minor(status.device));
	proto_begin(&connection->out, "waiting");
	proto_put(&connection->out, "path", connection->path);
	proto_put(&connection->out, "device", device);
	connection_end(connection);
	connection_arm(connection);
}

static void wait_on(struct connection *connection)
{
	struct eject *eject = connection->eject;
	int r;

	if (now(connection) >= eject->end_usec) {
		connection_answer(connection, PROTO_BUSY,
				  "it is in use; exportsctl busy tells who uses it");
		return;
	}
	tell_waiting(connection);
	if (connection->closing)
		return;
	eject->timer = sd_event_source_disable_unref(eject->timer);
	r = sd_event_add_time_relative(connection->daemon->event, &eject->timer, CLOCK_MONOTONIC,
				       PAUSE_USEC, 1000, on_pause_over, connection);
	if (r < 0)
		connection_answer(connection, PROTO_ERROR, strerror(-r));
}

static void on_drained(void *userdata, enum media_drain_outcome outcome, const char *why)
{
	struct connection *connection = userdata;

	connection->eject->drain = NULL;
	switch (outcome) {
	case MEDIA_DRAINED:
		proto_begin(&connection->out, proto_outcome_word(PROTO_OK));
		proto_put(&connection->out, "path", connection->path);
		connection_end(connection);
		requests_forget(connection);
		connection_arm(connection);
		break;
	case MEDIA_DRAIN_IN_USE:
	case MEDIA_DRAIN_WANTED: wait_on(connection); break;
	case MEDIA_DRAIN_FAILED:
		connection_answer(connection, PROTO_ERROR, why ?: "its handler cannot unmount it");
		break;
	}
}

static void try(struct connection *connection)
{
	struct eject *eject = connection->eject;
	int r = media_drain(connection->daemon->media, connection->path,
			    eject->force ? MEDIA_DRAIN_FORCE : MEDIA_DRAIN_EJECT, on_drained,
			    connection, &eject->drain);

	if (r == -EALREADY || r == -EBUSY)
		wait_on(connection);
	else if (r == -ENOENT)
		connection_answer(connection, PROTO_NOENT, "no rule claims this path");
	else if (r < 0)
		connection_answer(connection, PROTO_ERROR, strerror(-r));
}

static int tell_hit(void *userdata, const struct kernel_client *client)
{
	struct connection *connection = userdata;
	struct proto_writer *out = &connection->out;

	proto_begin(out, "hit");
	proto_put(out, "address", client->address);
	proto_put(out, "name", client->name);
	proto_put_u64(out, "opens", client->here.n_opens);
	proto_put_u64(out, "locks", client->here.n_locks);
	proto_put_u64(out, "delegations", client->here.n_delegations);
	proto_put_u64(out, "elsewhere",
		      client->elsewhere.n_opens + client->elsewhere.n_locks +
			      client->elsewhere.n_layouts);
	connection_end(connection);
	log_notice(ABOUT(.path = connection->path, .client = client->address),
		   "'%s' is ejected by force: client %s loses %u open files and %u locks on it",
		   connection->path, client->address, client->here.n_opens, client->here.n_locks);
	return connection->closing;
}

static void tell_hits(struct connection *connection)
{
	const struct daemon *daemon = connection->daemon;
	struct medium_status status;

	if (media_status(daemon->media, connection->path, &status) &&
	    (status.state == MEDIA_MOUNTED || status.state == MEDIA_DRAINING))
		(void)kernel_clients_each(kernel_proc(daemon->kernel), status.device, tell_hit,
					  connection);
}

void eject_start(struct connection *connection, const struct proto_message *message)
{
	struct eject *eject = calloc(1, sizeof(*eject));
	uint64_t wait_msec = 0, force = 0;

	connection->eject = eject;
	if (!eject) {
		connection_answer(connection, PROTO_ERROR, strerror(ENOMEM));
		return;
	}
	(void)proto_get_u64(message, "wait-ms", WAIT_MAX_MSEC, &wait_msec);
	(void)proto_get_u64(message, "force", 1, &force);
	eject->connection = connection;
	eject->force = force;
	eject->end_usec = now(connection) + wait_msec * 1000;
	connection->waiting = true;
	if (force)
		tell_hits(connection);
	try(connection);
	if (connection->waiting)
		connection_arm(connection);
}
