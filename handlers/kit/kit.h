/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * kit.h - what every handler in C is built on: the protocol's server side (exportsd-handler(7)).
 *
 * The author of a handler writes one plain, blocking function a verb; the kit does the rest:
 * sockets, peers, many requests at once, progress, idle exit, signals.
 *
 * Each request runs in a child process of its own, because mount(2) of a sick disc can hang: it
 * then holds up itself only. The child has the handler's memory as it was when the request
 * started, and all mounts are seen by everybody, as the mount namespace is shared. What a child
 * learned and the next one should know comes back through listed().
 *
 * mount and unmount of one path never run at the same time. A request whose connection died is
 * carried through if it was started, and its result dropped.
 */

#include <stdio.h>
#include <syslog.h>

#include "handlers/proto.h"

enum {
	KIT_AT_ONCE = 16, /* requests with a child process, unless settings say otherwise */
	KIT_QUEUE_MAX = 256, /* requests that wait for one; beyond: busy */
	KIT_REQUESTS_MAX = 64, /* under way on one connection (hello's requests=); beyond: busy */
	KIT_CONNECTIONS_MAX = 64, /* beyond: closed at once */
	KIT_WATCHES_MAX =
		16, /* watch requests, which have children beside the others; beyond: busy */
	KIT_OUTPUT_MAX = 256 * 1024, /* bytes a peer has not read yet; beyond: its requests pause */
	KIT_STALL_SEC = 60, /* half a message, or a peer that does not read, after this: closed */
	KIT_STOP_SEC = 20, /* after SIGTERM, how long running requests may finish */
};

/* ---- for the operations: called in a request's own process ---- */

struct kit_request;

/* The first value of a key of the request, or NULL. */
const char *kit_get(const struct kit_request *request, const char *key);

/* kit_put - a key of the outcome, sent if it will be ok. */
void kit_put(struct kit_request *request, const char *key, const char *value);
void kit_put_u64(struct kit_request *request, const char *key, uint64_t value);

/* kit_progress - sent at once. @percent: 0..100, or -1 if not known. */
void kit_progress(struct kit_request *request, int percent, const char *format, ...)
	FORMAT_PRINTF(3, 4);

/*
 * kit_why - say in words why this will not be ok; the last call counts.
 *
 * Returns @outcome, so that an operation can end with return kit_why(...).
 */
int kit_why(struct kit_request *request, int outcome, const char *format, ...) FORMAT_PRINTF(3, 4);

/*
 * kit_entry - start an entry of a list or watch (words "medium", "appeared", ...).
 * Returns the writer to put its keys into; kit_entry_end() closes it.
 *
 * Entries are sent when some have come together, at the end, and by kit_flush().
 */
struct proto_writer *kit_entry(struct kit_request *request, const char *word);
void kit_entry_end(struct kit_request *request);
void kit_flush(struct kit_request *request);

/* ---- for the handler's main() ---- */

/*
 * An operation returns an enum proto_outcome, or -errno, which is sent as "error". It may
 * block and allocate as it likes; its process ends with it.
 */
typedef int (*kit_operation)(struct kit_request *request, void *userdata);

/* What a handler can do. NULL: unsupported. */
struct kit_operations {
	const char *name; /* "image": told in hello, and in messages */
	bool removable; /* another medium may turn up under a key: told with every ok */
	kit_operation list;
	kit_operation lookup; /* has: key */
	kit_operation mount; /* has: key, path */
	kit_operation unmount; /* has: path */
	kit_operation watch; /* returns only when it cannot go on; killed when nobody listens */
	/* In the handler's own process, not to block: an entry that a list sent. May be NULL. */
	void (*listed)(void *userdata, const struct proto_message *medium);
};

struct kit_settings {
	const char *socket; /* "/path" or "@abstract", if none is inherited; may be NULL */
	unsigned int
		idle_sec; /* with an inherited listening socket: exit after so long without connections; 0: never */
	unsigned int n_at_once; /* 0: KIT_AT_ONCE */
	unsigned int stall_sec; /* 0: KIT_STALL_SEC */
	unsigned int stop_sec; /* 0: KIT_STOP_SEC */
};

/*
 * kit_run - serve until SIGTERM or SIGINT, the idle exit, or the end of the one
 * connection that was inherited.
 *
 * The socket is, in this order: what systemd passed (Accept=no or yes), settings->socket, a
 * connection on standard input. Peers must be root or this process's own user.
 *
 * Returns 0; -errno after saying why in the log.
 */
int kit_run(const struct kit_operations *operations, void *userdata,
	    const struct kit_settings *settings);

/*
 * kit_log - one line to standard error, which systemd takes to the journal: with a level in
 * angle brackets in front unless a person is watching. %m is errno's text.
 */
void kit_log(int level, const char *format, ...) FORMAT_PRINTF(2, 3);
