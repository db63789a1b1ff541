/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rpc_call.c - what calls of both kinds have in common.
 */

#include "exportsd/mountd/rpc_private.h"

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

struct rpc_call *rpc_call_new(struct rpc *rpc, uint8_t *bytes, size_t n_bytes)
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

void rpc_call_free(struct rpc_call *call)
{
	call->rpc->n_calls--;
	free(call->bytes);
	free(call);
}
