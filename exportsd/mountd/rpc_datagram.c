/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rpc_datagram.c - one datagram a call, one a reply.
 *
 * The reply leaves from the address the call came to: a host with several addresses
 * would else answer from one that the caller does not know. Clients repeat what is not answered;
 * a repetition is dropped while the call is pending, and served like a new one afterwards.
 */

#include "exportsd/mountd/rpc_private.h"

enum { DATAGRAMS_A_TURN = 16 };

union control_buffer {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static void read_local_address(struct msghdr *message, struct rpc_local_address *ret_local)
{
	struct rpc_local_address local = { 0 };

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
			 struct rpc_datagram_key *ret_key)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
	struct rpc_datagram_key key = { .family = peer->ss_family };

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

static void deliver_datagram(struct rpc_listener *listener, const struct msghdr *message,
			     const struct rpc_local_address *local, size_t n_bytes)
{
	struct rpc *rpc = listener->rpc;
	const struct sockaddr_storage *peer = message->msg_name;
	struct rpc_call *call;
	struct rpc_datagram_key key;
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
	call = rpc_call_new(rpc, bytes, n_bytes);
	if (!call)
		return;
	call->peer = *peer;
	call->peer_size = message->msg_namelen;
	call->fd = listener->fd;
	call->local = *local;
	call->key = key;
	HASH_ADD(hh, rpc->datagrams, key, sizeof(key), call);
	if (!call->hh.tbl) {
		rpc_call_free(call);
		return;
	}
	rpc->called(rpc->userdata, call);
}

int rpc_datagram_receive(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct rpc_listener *listener = userdata;
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
		struct rpc_local_address local;
		ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);

		if (n < 0)
			break;
		read_local_address(&message, &local);
		if (!(message.msg_flags & MSG_TRUNC))
			deliver_datagram(listener, &message, &local, (size_t)n);
	}
	return 0;
}

void rpc_datagram_send(const struct rpc_call *call, uint8_t *bytes, size_t n_bytes)
{
	struct iovec part = { .iov_base = bytes, .iov_len = n_bytes };
	union control_buffer control = { 0 };
	struct msghdr message = {
		.msg_name = (void *)&call->peer,
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

void rpc_datagram_forget(struct rpc_call *call)
{
	HASH_DEL(call->rpc->datagrams, call);
}
