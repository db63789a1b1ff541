/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rpc_private.h - what the rpc*.c files share: rpc.c uses rpc_stream.c and rpc_datagram.c, and all of
 * them rpc_call.c.
 */

#include <uthash.h>

#include "exportsd/base/later.h"
#include "exportsd/mountd/rpc.h"

enum { RPC_LISTENERS_MAX = 4 };

struct rpc_connection;

struct rpc_listener {
	struct rpc *rpc;
	const char *netid;
	int fd;
	sd_event_source *source;
};

struct rpc {
	sd_event *event;
	rpc_called_fn called;
	void *userdata;
	uint64_t idle_usec;
	uint16_t port;
	struct rpc_listener listeners[RPC_LISTENERS_MAX];
	size_t n_listeners;
	size_t n_calls;
	struct later tick;
	/* rpc_stream.c */
	struct rpc_connection *connections; /* least recently active first */
	struct rpc_connection *unsettled; /* for the sweep */
	size_t n_connections;
	size_t unsent_bytes;
	struct later sweep;
	/* rpc_datagram.c */
	struct rpc_call *datagrams; /* pending, by who and which */
	uint8_t datagram[RPC_CALL_MAX_BYTES];
};

/* Whose datagram, and which: without holes, because it is compared as bytes. */
struct rpc_datagram_key {
	uint8_t address[16];
	uint32_t scope;
	uint32_t xid;
	uint16_t port;
	uint16_t family;
};

/* The address a datagram was sent to, as a control message for the answer. */
struct rpc_local_address {
	int level, type;
	size_t size;
	union {
		struct in_pktinfo v4;
		struct in6_pktinfo v6;
	};
};

struct rpc_call {
	struct rpc *rpc;
	struct sockaddr_storage peer;
	uint8_t *bytes;
	size_t n_bytes;
	/* A stream's: */
	struct rpc_connection *connection; /* NULL: a datagram */
	rpc_gone_fn gone;
	void *gone_userdata;
	struct rpc_call *prev, *next; /* of the connection */
	/* A datagram's: */
	int fd; /* borrowed: the listener's */
	socklen_t peer_size;
	struct rpc_local_address local;
	struct rpc_datagram_key key;
	UT_hash_handle hh;
};

/* ---- rpc_call.c ---- */

/* @bytes: taken, also on failure. */
struct rpc_call *rpc_call_new(struct rpc *rpc, uint8_t *bytes, size_t n_bytes);
/* It must be in no list any more. */
void rpc_call_free(struct rpc_call *call);

/* ---- rpc_stream.c ---- */

/* Callback of a listening stream socket; userdata is its listener. */
int rpc_stream_accept(sd_event_source *source, int fd, uint32_t events, void *userdata);
/* @bytes: taken */
void rpc_stream_reply(struct rpc_call *call, uint8_t *bytes, size_t n_bytes);
void rpc_stream_drop(struct rpc_call *call, bool hang_up);
void rpc_stream_close_idle(struct rpc *rpc, uint64_t now_usec);
/* At the end, when there are no calls any more. */
void rpc_stream_close_all(struct rpc *rpc);

/* ---- rpc_datagram.c ---- */

/* Callback of a datagram socket; userdata is its listener. */
int rpc_datagram_receive(sd_event_source *source, int fd, uint32_t events, void *userdata);
/* Sends at most once; the bytes stay the caller's. */
void rpc_datagram_send(const struct rpc_call *call, uint8_t *bytes, size_t n_bytes);
/* It is answered: the same call may come again. */
void rpc_datagram_forget(struct rpc_call *call);
