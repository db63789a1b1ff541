/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-fsidd.c - clients of fsidd's socket that send any packets, come and go, and may not read.
 *
 * The input is a list of actions, a byte each: which of four clients, and whether it connects anew, goes away, or sends a
 * packet, whose length and bytes follow. Oracle: whoever sent a packet and is still connected gets one reply, "+ " or
 * "- ", within the protocol's length; a number that was given leads back to its path.
 */

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>

#include "exportsd/base/log.h"
#include "exportsd/control/fsidd.h"
#include "tests/fake/numbers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 4, TURNS = 10000 };

static sd_event *event;
static struct numbers *numbers;
static char name[64];

static void require(bool good)
{
	if (!good)
		abort();
}

static int connect_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
	require(fd >= 0);
	require(connect(fd, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) == 0);
	return fd;
}

static void turn(void)
{
	for (int i = 0; i < TURNS && sd_event_run(event, 0) > 0; i++)
		;
}

static void check_reply(const char *request, char *reply, ssize_t n)
{
	static const char create[] = "get_or_create_fsidnum ";
	size_t length = strlen(create);

	require(n >= 2 && n <= FSIDD_REPLY_MAX);
	reply[n] = '\0';
	require((reply[0] == '+' || reply[0] == '-') && reply[1] == ' ');
	if (*reply == '+' && strncmp(request, create, length) == 0) {
		const char *path = numbers_path(numbers, (uint32_t)strtoul(reply + 2, NULL, 10));

		require(path && str_equal(path, request + length));
	}
}

/* Returns how many bytes of the input it took. */
static size_t send_packet(int fd, const uint8_t *data, size_t size)
{
	static char request[256], reply[FSIDD_REQUEST_MAX + 1];
	size_t length = size ? data[0] : 0;
	ssize_t n;

	if (length > size - !!size)
		length = size - !!size;
	memcpy(request, data + !!size, length);
	request[length] = '\0';
	n = send(fd, request, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	turn();
	if (n > 0) {
		n = recv(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT);
		check_reply(request, reply, n);
	}
	require(recv(fd, reply, sizeof(reply), MSG_DONTWAIT) <= 0);
	return length + !!size;
}

static void run(const uint8_t *data, size_t size)
{
	int clients[CLIENTS] = { -1, -1, -1, -1 };

	for (size_t i = 0; i < size;) {
		uint8_t action = data[i++];
		int *client = &clients[action % CLIENTS];

		if (*client < 0)
			*client = connect_client();
		if (action / CLIENTS % 8 == 0) {
			/* With a request that nobody waits for. */
			(void)send(*client, "get_or_create_fsidnum /x", 24, MSG_NOSIGNAL);
			close(*client);
			*client = -1;
		} else {
			i += send_packet(*client, data + i, size - i);
		}
	}
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i] >= 0)
			close(clients[i]);
	turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fsidd *fsidd = NULL;

	if (!event) {
		log_open(LOG_CRIT, true);
		(void)snprintf(name, sizeof(name), "@fuzz-fsidd-%d", getpid());
		require(sd_event_new(&event) >= 0);
	}
	require(numbers_open(&numbers, event, NULL) == 0);
	require(fsidd_new(&fsidd, event, name, numbers) == 0);
	run(data, size);
	fsidd_free(fsidd);
	numbers_close(numbers);
	return 0;
}
