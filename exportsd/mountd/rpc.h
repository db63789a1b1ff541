/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rpc.h - ONC RPC messages in and out over UDP and TCP (RFC 5531 section 11 for record
 * marking). What a message says is its user's business; here only its first word is
 * looked at, the xid, so that a datagram sent again while its call is pending is dropped.
 *
 * A call is an object that may be answered at once or much later, in any order. It is its
 * user's from called() until rpc_reply(), rpc_drop() or its gone() callback.
 */

#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "parser/base.h"

enum {
	/* Longest call. MOUNT's longest are 1.5 KiB. */
	RPC_CALL_MAX_BYTES = 64 * 1024,
	/* Longest replies. UDP: <rpc/clnt.h> UDPMSGSIZE, what clients have room for. */
	RPC_TCP_REPLY_MAX_BYTES = 8 * 1024 * 1024,
	RPC_UDP_REPLY_MAX_BYTES = 8800,
	/* Connections at once. One more, and the one that was idle longest is closed. */
	RPC_CONNECTIONS_MAX = 1024,
	/* Calls of one connection that wait for an answer; then it is not read any more. */
	RPC_CONNECTION_CALLS_MAX = 32,
	/* Datagrams that wait for an answer; more are dropped, and clients send them again. */
	RPC_DATAGRAMS_MAX = 1024,
	/* Unsent bytes of one connection at which it is not read any more. */
	RPC_CONNECTION_UNSENT_BYTES = 64 * 1024,
	/* Unsent bytes of all connections; a reply that would exceed it costs its connection. */
	RPC_UNSENT_MAX_BYTES = 64 * 1024 * 1024,
	/* A connection without a whole call or a sent reply for so long is closed. */
	RPC_IDLE_SECONDS = 360,
};

struct rpc;
struct rpc_call;

struct rpc_settings {
	uint16_t port; /* 0: any, but the same for all */
	bool tcp, udp;
	uint32_t idle_seconds; /* 0: RPC_IDLE_SECONDS */
};

/*
 * rpc_new - listen on every address, IPv4 and (if the host has it) IPv6, with one port.
 *
 * @called: a whole call came in; never from within another function of this header
 *
 * Returns 0; -EADDRINUSE and the like; -EINVAL if neither tcp nor udp is wanted.
 */
typedef void (*rpc_called_fn)(void *userdata, struct rpc_call *call);
int rpc_new(struct rpc **ret_rpc, sd_event *event, const struct rpc_settings *settings,
	    rpc_called_fn called, void *userdata);
/* rpc_free - close everything. Calls must have been answered or dropped before. */
struct rpc *rpc_free(struct rpc *rpc);

/* The port of all sockets. */
uint16_t rpc_port(const struct rpc *rpc);
/* Which netids are served: "udp", "tcp", "udp6", "tcp6"; NULL after the last. */
const char *rpc_netid(const struct rpc *rpc, size_t index);

/* The message. Valid as long as the call. */
const uint8_t *rpc_call_bytes(const struct rpc_call *call, size_t *ret_n_bytes);
/* Who sent it: AF_INET or AF_INET6. */
const struct sockaddr *rpc_call_peer(const struct rpc_call *call);
/* The longest reply this call may have. */
size_t rpc_call_reply_max(const struct rpc_call *call);

/*
 * rpc_call_on_gone - be told when the caller's connection ends before the answer.
 *
 * @gone: once, never from within another function of this header; the call is invalid then
 */
typedef void (*rpc_gone_fn)(void *userdata);
void rpc_call_on_gone(struct rpc_call *call, rpc_gone_fn gone, void *userdata);

/*
 * rpc_reply - answer; the call is invalid afterwards.
 *
 * @bytes: allocated; taken, whatever becomes of it. From UDP it goes out at once, from the address
 *         that was called, or is lost, as datagrams are.
 */
void rpc_reply(struct rpc_call *call, uint8_t *bytes, size_t n_bytes);

/* rpc_drop - leave it unanswered. hang_up: a stream's peer does not speak RPC, and is rid of. */
void rpc_drop(struct rpc_call *call, bool hang_up);

/* How many connections are open, and calls wait for an answer. */
size_t rpc_n_connections(const struct rpc *rpc);
size_t rpc_n_calls(const struct rpc *rpc);
