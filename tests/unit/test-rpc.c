/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The sockets are real, on loopback; client and server are this one process. What was
 * sent on loopback has arrived, so the loop is turned until it has nothing to do.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

#include "exportsd/mountd/rpc.h"
#include "tests/tap.h"

enum { CALLS_MAX = 2048 };

/* ---- the server ---- */

static sd_event *event;
static struct rpc *rpc;
static struct rpc_call *calls[CALLS_MAX]; /* as they came; NULL: done with */
static size_t n_calls, n_gone;

static void on_gone(void *userdata)
{
	*(struct rpc_call **)userdata = NULL;
	n_gone++;
}

static void on_call(void *userdata, struct rpc_call *call)
{
	calls[n_calls] = call;
	rpc_call_on_gone(call, on_gone, &calls[n_calls]);
	n_calls++;
}

static void turn(void)
{
	/* Twice nothing: a defer source may have been armed by the last thing done. */
	for (int idle = 0; idle < 2;)
		idle = sd_event_run(event, 0) == 0 ? idle + 1 : 0;
}

static void start_with(const struct rpc_settings *settings)
{
	n_calls = n_gone = 0;
	if (sd_event_new(&event) < 0 || rpc_new(&rpc, event, settings, on_call, NULL) < 0) {
		ok(false, "the server starts");
		exit(1);
	}
}

static void start(void)
{
	start_with(&(struct rpc_settings){ .tcp = true, .udp = true });
}

static void stop(void)
{
	for (size_t i = 0; i < n_calls; i++) {
		if (calls[i])
			rpc_drop(calls[i], false);
	}
	rpc = rpc_free(rpc);
	event = sd_event_unref(event);
}

static uint32_t xid_of(size_t index)
{
	uint32_t xid;
	size_t n;

	memcpy(&xid, rpc_call_bytes(calls[index], &n), sizeof(xid));
	return ntohl(xid);
}

/* Answer with @n_bytes, the first four of which are the xid. */
static void answer_long(size_t index, size_t n_bytes)
{
	uint8_t *bytes = calloc(1, n_bytes);
	size_t n;
	const uint8_t *asked = rpc_call_bytes(calls[index], &n);

	memcpy(bytes, asked, n < sizeof(uint32_t) ? n : sizeof(uint32_t));
	rpc_reply(calls[index], bytes, n_bytes);
	calls[index] = NULL;
}

static void answer(size_t index)
{
	answer_long(index, 8);
}

/* ---- clients ---- */

static int dial(int type, const char *address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(rpc_port(rpc)) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(rpc_port(rpc)) };
	bool is_v6 = inet_pton(AF_INET, address, &v4.sin_addr) != 1;
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);
	int r;

	if (is_v6)
		inet_pton(AF_INET6, address, &v6.sin6_addr);
	r = is_v6 ? connect(fd, (struct sockaddr *)&v6, sizeof(v6))
		  : connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	if (fd < 0 || r < 0) {
		printf("# connect: %s\n", strerror(errno));
		exit(1);
	}
	return fd;
}

static void send_bytes(int fd, const void *bytes, size_t n)
{
	if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		printf("# send: %s\n", strerror(errno));
}

/* One record of one fragment, of @n_bytes, beginning with the xid. */
static void send_record(int fd, uint32_t xid, size_t n_bytes)
{
	uint8_t *bytes = calloc(1, 4 + n_bytes);
	uint32_t mark = htonl(0x80000000u | (uint32_t)n_bytes);

	xid = htonl(xid);
	memcpy(bytes, &mark, sizeof(mark));
	memcpy(bytes + 4, &xid, sizeof(xid));
	send_bytes(fd, bytes, 4 + n_bytes);
	free(bytes);
}

static void send_datagram(int fd, uint32_t xid)
{
	uint32_t words[2] = { htonl(xid), 0 };

	send_bytes(fd, words, sizeof(words));
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

/* The next reply's xid, of 8 bytes; -1: there is none; -2: the server hung up. */
static long long receive(int fd, bool is_stream)
{
	uint32_t words[3] = { 0 };
	ssize_t wanted = is_stream ? 12 : 8, n;

	if (!is_readable(fd))
		return -1;
	n = recv(fd, words, (size_t)wanted, is_stream ? MSG_WAITALL : 0);
	if (n <= 0)
		return -2;
	if (n != wanted || (is_stream && ntohl(words[0]) != (0x80000000u | 8)))
		return -3;
	return ntohl(words[is_stream ? 1 : 0]);
}

/* ---- tests ---- */

static void test_ports(void)
{
	struct rpc *second = NULL;
	struct rpc_settings settings = { .tcp = true, .udp = true };

	start();
	ok(rpc_port(rpc) > 0, "port 0 is any port");
	is_str(rpc_netid(rpc, 0), "udp", "UDP is served");
	is_str(rpc_netid(rpc, 3), "tcp6", "and all others up to TCP over IPv6");
	is_str(rpc_netid(rpc, 4), NULL, "which is the last");
	settings.port = rpc_port(rpc);
	is_int(rpc_new(&second, event, &settings, on_call, NULL), -EADDRINUSE,
	       "a port that is taken is refused");
	settings.tcp = settings.udp = false;
	is_int(rpc_new(&second, event, &settings, on_call, NULL), -EINVAL,
	       "nothing to serve is refused");
	stop();

	start_with(&(struct rpc_settings){ .tcp = true });
	is_str(rpc_netid(rpc, 0), "tcp", "only TCP");
	is_str(rpc_netid(rpc, 2), NULL, "of both families");
	stop();
}

static void test_datagrams(void)
{
	int v4, v6, other;

	start();
	v4 = dial(SOCK_DGRAM, "127.0.0.1");
	v6 = dial(SOCK_DGRAM, "::1");
	/* Connected: only what comes from this very address is received. */
	other = dial(SOCK_DGRAM, "127.0.0.2");
	send_datagram(v4, 1);
	send_datagram(v6, 2);
	send_datagram(other, 3);
	turn();
	is_int(n_calls, 3, "three datagrams are three calls");
	for (size_t i = 0; i < n_calls; i++)
		answer(i);
	is_int(receive(v4, false), 1, "IPv4 is answered");
	is_int(receive(v6, false), 2, "IPv6 is answered");
	is_int(receive(other, false), 3, "from the address that was called");
	send_bytes(v4, "abc", 3);
	turn();
	is_int(n_calls, 3, "a datagram without a whole xid is dropped");
	is_int(rpc_n_calls(rpc), 0, "nothing is pending");
	close(v4);
	close(v6);
	close(other);
	stop();
}

static void test_repeated_datagrams(void)
{
	int fd, other;

	start();
	fd = dial(SOCK_DGRAM, "127.0.0.1");
	other = dial(SOCK_DGRAM, "127.0.0.1");
	send_datagram(fd, 7);
	send_datagram(fd, 7);
	send_datagram(other, 7);
	turn();
	is_int(n_calls, 2,
	       "a repeated call is dropped while it is pending; another caller's is not");
	answer(0);
	send_datagram(fd, 7);
	turn();
	is_int(n_calls, 3, "once answered it is served again");
	rpc_drop(calls[1], true);
	calls[1] = NULL;
	send_datagram(other, 7);
	turn();
	is_int(n_calls, 4, "once dropped, too");
	is_int(receive(other, false), -1, "dropped is not answered");
	answer_long(2, RPC_UDP_REPLY_MAX_BYTES + 1);
	is_int(receive(fd, false), 7, "the first answer came");
	is_int(receive(fd, false), -1, "an answer that is too long did not");
	close(fd);
	close(other);
	stop();
}

static void test_datagram_limit(void)
{
	int fd;

	start();
	fd = dial(SOCK_DGRAM, "127.0.0.1");
	for (uint32_t xid = 0; xid < RPC_DATAGRAMS_MAX + 10; xid++) {
		send_datagram(fd, xid);
		turn();
	}
	is_int(n_calls, RPC_DATAGRAMS_MAX, "datagrams beyond the limit are dropped");
	answer(0);
	send_datagram(fd, 5000);
	turn();
	is_int(n_calls, RPC_DATAGRAMS_MAX + 1, "until there is room again");
	close(fd);
	stop();
}

static void test_pipeline(void)
{
	int fd;

	start();
	fd = dial(SOCK_STREAM, "::1");
	for (uint32_t xid = 1; xid <= 3; xid++)
		send_record(fd, xid, 40);
	turn();
	is_int(n_calls, 3, "three calls in a row");
	is_int(rpc_call_peer(calls[0])->sa_family, AF_INET6, "from an IPv6 address");
	answer(2);
	answer(0);
	answer(1);
	is_int(receive(fd, true), 3, "are answered in any order");
	is_int(receive(fd, true), 1, "each");
	is_int(receive(fd, true), 2, "once");
	close(fd);
	turn();
	is_int(rpc_n_connections(rpc), 0, "a closed connection is gone");
	stop();
}

/* An answer is on its way when it is given, and leaves the loop nothing to do. */
static void test_turns(void)
{
	int fd;

	start();
	fd = dial(SOCK_STREAM, "127.0.0.1");
	send_record(fd, 1, 40);
	turn();
	answer(0);
	is_int(receive(fd, true), 1, "an answer goes out at once");
	is_int(sd_event_run(event, 0), 0, "and costs no turn of the loop");
	send_record(fd, 2, 40);
	is_int(sd_event_run(event, 0), 1, "the next call");
	is_int(n_calls, 2, "comes in one turn");
	rpc_drop(calls[1], false);
	calls[1] = NULL;
	is_int(sd_event_run(event, 0), 0, "and so is dropped");
	close(fd);
	stop();
}

/* A record cut at random into fragments, and the bytes of it cut at random into segments. */
static void test_fragments(void)
{
	uint8_t bytes[16384], record[600];
	size_t n = 0, wrong = 0;
	int fd;

	start();
	fd = dial(SOCK_STREAM, "127.0.0.1");
	for (uint32_t i = 0; i < 20; i++) {
		for (size_t at = 0; at < sizeof(record);) {
			size_t length = tap_random() % 40;
			bool is_last = at + length >= sizeof(record);
			uint32_t mark;

			length = is_last ? sizeof(record) - at : length;
			mark = htonl((is_last ? 0x80000000u : 0) | (uint32_t)length);
			memcpy(bytes + n, &mark, 4);
			for (size_t j = 0; j < length; j++)
				bytes[n + 4 + j] = (uint8_t)(i + at + j);
			n += 4 + length;
			at += length;
			if (is_last)
				break;
		}
		for (size_t at = 0, length; at < n; at += length) {
			length = 1 + tap_random() % 100;
			length = length < n - at ? length : n - at;
			send_bytes(fd, bytes + at, length);
			turn();
		}
		n = 0;
	}
	is_int(n_calls, 20, "20 records in pieces of pieces");
	for (size_t i = 0; i < n_calls; i++) {
		const uint8_t *got = rpc_call_bytes(calls[i], &n);

		for (size_t j = 0; j < sizeof(record); j++)
			wrong += n != sizeof(record) || got[j] != (uint8_t)(i + j);
	}
	is_int(wrong, 0, "are put together right");
	close(fd);
	stop();
}

static void test_odd_records(void)
{
	static const uint8_t nothing[] = { 0x80, 0, 0, 0 };
	static const uint8_t empty_then_4[] = { 0, 0, 0, 0, 0x80, 0, 0, 4, 0, 0, 0, 9 };
	static const uint8_t too_long[] = { 0x80, 1, 0, 1 };
	static const uint8_t longer[] = { 0, 1, 0, 0 };
	static uint8_t half[RPC_CALL_MAX_BYTES];
	size_t n;
	int fd;

	start();
	fd = dial(SOCK_STREAM, "127.0.0.1");
	send_bytes(fd, nothing, sizeof(nothing));
	send_bytes(fd, empty_then_4, sizeof(empty_then_4));
	send_record(fd, 3, RPC_CALL_MAX_BYTES);
	turn();
	is_int(n_calls, 3, "a record of nothing, one with an empty fragment, the longest");
	(void)rpc_call_bytes(calls[0], &n);
	is_int(n, 0, "nothing is nothing");
	is_int(xid_of(1), 9, "the empty fragment adds nothing");
	(void)rpc_call_bytes(calls[2], &n);
	is_int(n, RPC_CALL_MAX_BYTES, "the longest is whole");
	for (size_t i = 0; i < 3; i++)
		answer_long(i, 8);
	for (int i = 0; i < 3; i++)
		(void)receive(fd, true);
	send_bytes(fd, too_long, sizeof(too_long));
	turn();
	is_int(receive(fd, true), -2, "a longer one costs the connection");
	close(fd);

	fd = dial(SOCK_STREAM, "127.0.0.1");
	send_bytes(fd, longer, sizeof(longer));
	send_bytes(fd, half, sizeof(half));
	send_bytes(fd, "\x80\0\0\1x", 5);
	turn();
	is_int(receive(fd, true), -2, "so does one that gets too long by its fragments");
	close(fd);
	is_int(n_calls, 3, "neither is a call");
	stop();
}

static void test_calls_limit(void)
{
	int fd;

	start();
	fd = dial(SOCK_STREAM, "127.0.0.1");
	for (uint32_t xid = 0; xid < RPC_CONNECTION_CALLS_MAX + 3; xid++)
		send_record(fd, xid, 8);
	turn();
	is_int(n_calls, RPC_CONNECTION_CALLS_MAX, "no more calls at once than the limit");
	answer(5);
	turn();
	is_int(n_calls, RPC_CONNECTION_CALLS_MAX + 1, "an answer makes room for one more");
	answer(6);
	answer(7);
	turn();
	is_int(n_calls, RPC_CONNECTION_CALLS_MAX + 3, "and for the others");
	is_int(xid_of(n_calls - 1), RPC_CONNECTION_CALLS_MAX + 2, "in their order");
	close(fd);
	turn();
	is_int(n_gone, RPC_CONNECTION_CALLS_MAX, "when the caller is gone, so are its calls");
	is_int(rpc_n_calls(rpc), 0, "all of them");
	stop();
}

/* Paused because of its calls, it is not read; that the caller went is noticed all the same. */
static void test_gone_while_paused(void)
{
	int fd;

	start();
	fd = dial(SOCK_STREAM, "127.0.0.1");
	for (uint32_t xid = 0; xid < 4 * RPC_CONNECTION_CALLS_MAX; xid++)
		send_record(fd, xid, 100);
	turn();
	is_int(n_calls, RPC_CONNECTION_CALLS_MAX, "a connection that is not read any more");
	close(fd);
	turn();
	is_int(n_gone, RPC_CONNECTION_CALLS_MAX, "ends when its peer does");
	is_int(rpc_n_connections(rpc), 0, "and is closed");
	stop();
}

static size_t drain(int fd, size_t wanted)
{
	static uint8_t bytes[256 * 1024];
	size_t got = 0;

	while (got < wanted) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n > 0)
			got += (size_t)n;
		else
			turn();
	}
	return got;
}

static void test_slow_reader(void)
{
	const size_t reply_bytes = RPC_TCP_REPLY_MAX_BYTES;
	int fd;

	start();
	fd = dial(SOCK_STREAM, "127.0.0.1");
	send_record(fd, 1, 8);
	turn();
	answer_long(0, reply_bytes);
	send_record(fd, 2, 8);
	turn();
	is_int(n_calls, 1, "who does not read its replies is not read");
	is_int(drain(fd, 4 + reply_bytes), 4 + reply_bytes, "a long reply arrives whole");
	turn();
	is_int(n_calls, 2, "and the next call is served");
	answer_long(1, RPC_TCP_REPLY_MAX_BYTES + 1);
	turn();
	is_int(receive(fd, true), -2, "a reply beyond the limit costs the connection");
	close(fd);
	stop();
}

/* Of all connections together. */
static void test_unsent_limit(void)
{
	const size_t reply_bytes = RPC_TCP_REPLY_MAX_BYTES;
	int fds[20];
	size_t open_before, open_after;

	start();
	for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
		fds[i] = dial(SOCK_STREAM, "127.0.0.1");
		send_record(fds[i], 1, 8);
		turn();
	}
	open_before = rpc_n_connections(rpc);
	for (size_t i = 0; i < N_ELEMENTS(fds); i++)
		answer_long(i, reply_bytes);
	turn();
	open_after = rpc_n_connections(rpc);
	is_int(open_before, N_ELEMENTS(fds), "20 callers ask for 8 MiB each");
	/* What the kernel's socket buffers take is not unsent, so the number is not exact. */
	ok(open_after >= 8 && open_after < open_before,
	   "and %zu of them get it: 64 MiB is the limit", open_after);
	is_int(drain(fds[0], 4 + reply_bytes), 4 + reply_bytes, "whole");
	for (size_t i = 0; i < N_ELEMENTS(fds); i++)
		close(fds[i]);
	turn();
	is_int(rpc_n_connections(rpc), 0, "all are gone");
	stop();
}

static void test_hang_up(void)
{
	int fd;

	start();
	fd = dial(SOCK_STREAM, "127.0.0.1");
	send_record(fd, 1, 8);
	send_record(fd, 2, 8);
	turn();
	rpc_drop(calls[0], true);
	calls[0] = NULL;
	is_int(n_gone, 0, "nothing happens inside of rpc_drop()");
	turn();
	is_int(n_gone, 1, "then the other call of the connection is gone");
	is_int(receive(fd, true), -2, "and the peer is rid of");
	close(fd);
	stop();
}

static void test_connections_limit(void)
{
	static int fds[RPC_CONNECTIONS_MAX + 2];
	struct rlimit limit;

	start();
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < 2 * RPC_CONNECTIONS_MAX + 20) {
		ok(true, "# SKIP not enough file descriptors");
		stop();
		return;
	}
	for (size_t i = 0; i < RPC_CONNECTIONS_MAX; i++) {
		fds[i] = dial(SOCK_STREAM, "127.0.0.1");
		turn();
	}
	is_int(rpc_n_connections(rpc), RPC_CONNECTIONS_MAX, "1,024 connections");
	/* The oldest has a call pending, the next was active just now: the third it is. */
	send_record(fds[0], 1, 8);
	turn();
	send_record(fds[1], 2, 8);
	turn();
	answer(1);
	turn();
	fds[RPC_CONNECTIONS_MAX] = dial(SOCK_STREAM, "127.0.0.1");
	turn();
	is_int(rpc_n_connections(rpc), RPC_CONNECTIONS_MAX, "one more, and there are as many");
	is_int(receive(fds[2], true), -2, "the one that was idle longest is closed");
	is_int(receive(fds[0], true), -1, "not the one that waits for an answer");
	is_int(receive(fds[1], true), 2, "nor the one that was active");
	for (size_t i = 0; i < RPC_CONNECTIONS_MAX + 1; i++)
		close(fds[i]);
	turn();
	stop();
}

static void test_idle(void)
{
	const struct timespec tenth = { .tv_nsec = 100000000 };
	int busy, silent, half;

	start_with(&(struct rpc_settings){ .tcp = true, .idle_seconds = 1 });
	busy = dial(SOCK_STREAM, "127.0.0.1");
	silent = dial(SOCK_STREAM, "127.0.0.1");
	half = dial(SOCK_STREAM, "127.0.0.1");
	send_record(busy, 1, 8);
	/* A byte now and then is no sign of life. */
	for (int i = 0; i < 15; i++) {
		(void)send(half, "", 1, MSG_NOSIGNAL);
		turn();
		(void)nanosleep(&tenth, NULL);
	}
	turn();
	is_int(receive(silent, true), -2, "an idle connection is closed");
	is_int(receive(half, true), -2, "so is one that never finishes its call");
	is_int(receive(busy, true), -1, "one that waits for an answer is not");
	is_int(rpc_n_connections(rpc), 1, "it stays");
	close(busy);
	close(silent);
	close(half);
	turn();
	stop();
}

int main(void)
{
	test_ports();
	test_datagrams();
	test_repeated_datagrams();
	test_datagram_limit();
	test_pipeline();
	test_turns();
	test_fragments();
	test_odd_records();
	test_calls_limit();
	test_gone_while_paused();
	test_slow_reader();
	test_unsent_limit();
	test_hang_up();
	test_connections_limit();
	test_idle();
	return tap_done();
}
