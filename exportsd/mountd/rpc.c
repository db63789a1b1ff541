/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rpc.c - listening sockets, and answers to calls of both kinds.
 */

#include "exportsd/mountd/rpc_private.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>

enum { BACKLOG = 128, PORT_TRIES = 16, TICK_SECONDS_MAX = 10 };

static const uint64_t usec_a_second = 1000000;

/* ---- calls ---- */

void rpc_reply(struct rpc_call *call, uint8_t *bytes, size_t n_bytes)
{
	if (call->connection) {
		rpc_stream_reply(call, bytes, n_bytes);
		return;
	}
	rpc_datagram_send(call, bytes, n_bytes);
	free(bytes);
	rpc_drop(call, false);
}

void rpc_drop(struct rpc_call *call, bool hang_up)
{
	if (call->connection) {
		rpc_stream_drop(call, hang_up);
		return;
	}
	rpc_datagram_forget(call);
	rpc_call_free(call);
}

/* ---- the tick ---- */

static uint64_t tick_usec(const struct rpc *rpc)
{
	const uint64_t eighth = rpc->idle_usec / 8, max = TICK_SECONDS_MAX * usec_a_second;

	return eighth < max ? eighth : max;
}

static void on_tick(void *userdata)
{
	struct rpc *rpc = userdata;

	rpc_stream_close_idle(rpc, later_now_usec());
	for (size_t i = 0; i < rpc->n_listeners; i++)
		(void)sd_event_source_set_enabled(rpc->listeners[i].source, SD_EVENT_ON);
	(void)later_call_in(&rpc->tick, rpc->event, tick_usec(rpc), on_tick, rpc);
}

/* ---- listening ---- */

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

/* @port: 0: any, and then the one that was given. Both families have it at the same place. */
static int open_socket(int family, bool is_tcp, uint16_t *port, int *ret_fd)
{
	/* Nothing but zeros is any address, of IPv4 as well. */
	struct sockaddr_in6 address = { .sin6_family = family, .sin6_port = htons(*port) };
	socklen_t size = family == AF_INET6 ? sizeof(address) : sizeof(struct sockaddr_in);
	CLEANUP(closep) int fd = -1;
	int r;

	fd = socket(family, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = set_options(fd, family, is_tcp);
	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    (is_tcp && listen(fd, BACKLOG) < 0) ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	*port = ntohs(address.sin6_port);
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
} transports[RPC_LISTENERS_MAX] = {
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
		struct rpc_listener *listener = &rpc->listeners[rpc->n_listeners];
		bool is_tcp = transports[i].is_tcp;

		if (is_tcp ? !settings->tcp : !settings->udp)
			continue;
		*listener = (struct rpc_listener){
			.rpc = rpc,
			.netid = transports[i].netid,
			.fd = -1,
		};
		r = open_socket(transports[i].family, is_tcp, &port, &listener->fd);
		if (is_no_ipv6(transports[i].family, r))
			continue;
		if (r < 0)
			return r;
		rpc->n_listeners++;
		r = sd_event_add_io(rpc->event, &listener->source, listener->fd, EPOLLIN,
				    is_tcp ? rpc_stream_accept : rpc_datagram_receive, listener);
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
	r = later_call_in(&rpc->tick, event, tick_usec(rpc), on_tick, rpc);
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
	if (!rpc)
		return NULL;
	assert(rpc->n_calls == 0);
	rpc_stream_close_all(rpc);
	close_listeners(rpc);
	later_cancel(&rpc->sweep);
	later_cancel(&rpc->tick);
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
