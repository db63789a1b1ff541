/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-mountd - MNT calls of version 3 that a MOUNT service answers in a second, over TCP.
 *
 *	bench-mountd ADDRESS PORT SECONDS N_CONNECTIONS LABEL PATH_FORMAT N_PATHS
 *
 * Each connection has one call under way, for a path chosen at random: PATH_FORMAT is a printf(3) format
 * with one %ld, from 0 to N_PATHS-1. Works with any service, so rpc.mountd's number stands beside ours. Prints
 * a line: label, connections, calls a second that succeeded, median and 99th percentile of a call's time in
 * microseconds, how many calls were answered, how many of them refused. From a privileged port if it may have one.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <rpc/rpc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exportsd/mountd/mountproto.h"

enum { CONNECTIONS_MAX = 512, SAMPLES_MAX = 4 * 1000 * 1000, WAIT_MS = 30000 };

static const uint32_t last_fragment = 0x80000000u;

struct connection {
	uint32_t xid;
	double began_us;
};

static struct connection connections[CONNECTIONS_MAX];
static struct pollfd fds[CONNECTIONS_MAX];
static float samples[SAMPLES_MAX];
static size_t n_samples, n_refused;

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static double now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int dial(const char *address, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	/* No connection is left waiting, which would keep the port from the next service. */
	struct linger at_once = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		fail(address);
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	(void)bindresvport(fd, NULL);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		fail("connect");
	return fd;
}

static void send_call(size_t index, const char *path)
{
	struct rpc_msg message = { .rm_xid = ++connections[index].xid, .rm_direction = CALL };
	char bytes[4 + 2048], *text = (char *)path;
	uint32_t mark;
	XDR xdr;

	message.rm_call.cb_rpcvers = RPC_MSG_VERSION;
	message.rm_call.cb_prog = MOUNT_PROGRAM;
	message.rm_call.cb_vers = 3;
	message.rm_call.cb_proc = MOUNT_MNT;
	message.rm_call.cb_cred = message.rm_call.cb_verf = _null_auth;
	xdrmem_create(&xdr, bytes + 4, sizeof(bytes) - 4, XDR_ENCODE);
	if (!xdr_callmsg(&xdr, &message) || !xdr_mount_path(&xdr, &text))
		fail("call");
	mark = htonl(last_fragment | xdr_getpos(&xdr));
	memcpy(bytes, &mark, sizeof(mark));
	connections[index].began_us = now_us();
	if (write(fds[index].fd, bytes, 4 + xdr_getpos(&xdr)) < 0)
		fail("write");
}

/* One reply, whole: they are short, and there is one under way. */
static void receive_reply(size_t index)
{
	uint32_t words[64];
	ssize_t n = read(fds[index].fd, words, sizeof(words));

	if (n < 32 || ntohl(words[0]) != (last_fragment | (uint32_t)(n - 4)) ||
	    ntohl(words[1]) != connections[index].xid || ntohl(words[6]) != SUCCESS)
		fail("reply");
	if (ntohl(words[7]) != MOUNT_OK)
		n_refused++;
	if (n_samples < SAMPLES_MAX)
		samples[n_samples++] = (float)(now_us() - connections[index].began_us);
}

static void choose_path(const char *format, long n_paths, char *path, size_t size)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(path, size, format, random() % n_paths);
#pragma GCC diagnostic pop
}

static double run(size_t n_connections, double seconds, const char *format, long n_paths)
{
	double start = now_us(), end = start + seconds * 1e6;
	char path[MOUNT_PATH_MAX];

	for (size_t i = 0; i < n_connections; i++) {
		choose_path(format, n_paths, path, sizeof(path));
		send_call(i, path);
	}
	while (now_us() < end) {
		if (poll(fds, n_connections, WAIT_MS) <= 0)
			fail("no reply");
		for (size_t i = 0; i < n_connections; i++) {
			if (!fds[i].revents)
				continue;
			receive_reply(i);
			choose_path(format, n_paths, path, sizeof(path));
			send_call(i, path);
		}
	}
	return (now_us() - start) / 1e6;
}

static int compare(const void *a, const void *b)
{
	float difference = *(const float *)a - *(const float *)b;

	return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv)
{
	size_t n_connections;
	double seconds;
	long n_paths;

	if (argc != 8) {
		fprintf(stderr, "usage: bench-mountd ADDRESS PORT SECONDS N_CONNECTIONS LABEL "
				"PATH_FORMAT N_PATHS\n");
		return 2;
	}
	n_connections = strtoul(argv[4], NULL, 10);
	n_paths = strtol(argv[7], NULL, 10);
	if (n_connections < 1 || n_connections > CONNECTIONS_MAX || n_paths < 1)
		return 2;
	for (size_t i = 0; i < n_connections; i++)
		fds[i] = (struct pollfd){
			.fd = dial(argv[1], (uint16_t)strtoul(argv[2], NULL, 10)),
			.events = POLLIN,
		};
	seconds = run(n_connections, strtod(argv[3], NULL), argv[6], n_paths);
	qsort(samples, n_samples, sizeof(*samples), compare);
	printf("%-16s %3zu connections %8.0f calls/s  median %7.0f us  p99 %7.0f us  answered %zu  "
	       "refused %zu\n",
	       argv[5], n_connections, (double)(n_samples - n_refused) / seconds,
	       samples[n_samples / 2], samples[n_samples * 99 / 100], n_samples, n_refused);
	return 0;
}
