/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-handler.c - a handler that answers anything, in any pieces, with and without descriptors.
 *
 * Each message that the handler hears takes the next line of the input, up to a byte 0xff, as its answer: a byte of
 * flags (a descriptor with it, all of it in two pieces, the connection closed afterwards), and bytes in which '@' stands
 * for the message's id and '#' for that of the one before. The first byte of the input says which of the requests are
 * cancelled. Oracle: a request that was not cancelled ends at most once, others never; a descriptor comes only with ok;
 * what is no outcome has a reason; no descriptor is left.
 */

#include <dirent.h>
#include <fcntl.h>
#include <syslog.h>

#include "exportsd/base/log.h"
#include "exportsd/media/handler.h"
#include "tests/fake/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS = 4, TURNS = 1000, WITH_DESCRIPTOR = 1, IN_PIECES = 2, AND_CLOSE = 4 };

struct result {
	unsigned int n_done;
	bool is_cancelled;
};

static const uint8_t *input, *input_end;

static void require(bool good)
{
	if (!good)
		abort();
}

static unsigned int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int n = 0;

	require(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* ---- the handler ---- */

static size_t expand(const uint8_t *from, size_t n, const char *id, const char *id_before, char *to)
{
	char *end = to;

	for (size_t i = 0; i < n; i++)
		if (from[i] == '@')
			end = stpcpy(end, id);
		else if (from[i] == '#')
			end = stpcpy(end, id_before);
		else
			*end++ = (char)from[i];
	return (size_t)(end - to);
}

static void on_heard(struct talk *talk, const struct proto_message *message)
{
	static char id_before[24] = "1", bytes[1 << 17];
	const uint8_t *end;
	uint8_t flags;
	size_t n, half;
	int fd = -1;

	if (input >= input_end)
		return;
	flags = *input++;
	end = memchr(input, 0xff, (size_t)(input_end - input)) ?: input_end;
	n = expand(input, (size_t)(end - input), proto_get(message, "id") ?: "", id_before, bytes);
	input = end < input_end ? end + 1 : end;
	half = flags & IN_PIECES ? n / 2 : n;
	if (flags & WITH_DESCRIPTOR)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (half)
		talk_send(talk, bytes, half, fd);
	if (half < n)
		talk_send(talk, bytes + half, n - half, -1);
	if (fd >= 0)
		close(fd);
	(void)snprintf(id_before, sizeof(id_before), "%s", proto_get(message, "id") ?: "");
	if (flags & AND_CLOSE)
		(void)shutdown(talk->fd, SHUT_RDWR);
}

/* ---- who asks ---- */

static void on_message(void *userdata, const struct proto_message *message)
{
	const struct result *result = userdata;

	require(!result->is_cancelled && !result->n_done && proto_outcome(message->word) < 0);
}

static void on_done(void *userdata, enum handler_outcome outcome,
		    const struct proto_message *message, int mount_fd, const char *why)
{
	struct result *result = userdata;

	require(!result->is_cancelled && result->n_done == 0);
	require(mount_fd < 0 || (outcome == HANDLER_OK && fcntl(mount_fd, F_GETFD) == FD_CLOEXEC));
	require(message || outcome >= HANDLER_LOST);
	require(why || outcome < HANDLER_LOST);
	closep(&mount_fd);
	result->n_done++;
}

static struct pending *ask(struct handler *handler, unsigned int i, struct result *result)
{
	static const struct handler_events events = { .message = on_message, .done = on_done };
	struct pending *request = NULL;
	struct proto_writer writer = { 0 };

	proto_begin(&writer, i % 2 ? "list" : "mount");
	require(handler_ask(handler, &writer, 0, i % 2, &events, result, &request) == 0);
	return request;
}

static void run(sd_event *event, struct handler *handler, uint8_t cancelled)
{
	struct result results[REQUESTS] = { 0 };

	for (unsigned int i = 0; i < REQUESTS; i++) {
		struct pending *request = ask(handler, i, &results[i]);

		for (unsigned int turn = 0; turn < (cancelled >> 4); turn++)
			(void)sd_event_run(event, 0);
		if (cancelled & 1 << i && !results[i].n_done) {
			pending_cancel(&request);
			results[i].is_cancelled = true;
		}
	}
	for (unsigned int turn = 0; turn < TURNS && sd_event_run(event, 0) > 0; turn++)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handler *handler = NULL;
	unsigned int n_before = count_descriptors();
	static struct peer peer;
	sd_event *event = NULL;
	char path[64];

	log_open(LOG_CRIT, true);
	(void)snprintf(path, sizeof(path), "/tmp/fuzz-handler-%d", getpid());
	require(sd_event_new(&event) >= 0);
	input = data + !!size;
	input_end = data + size;
	require(peer_open(&peer, event, path, on_heard) == 0);
	require(handler_new(&handler, event, path, getuid()) == 0);
	run(event, handler, size ? data[0] : 0);
	handler_free(handler);
	peer_close(&peer);
	(void)unlink(path);
	sd_event_unref(event);
	require(count_descriptors() == n_before);
	return 0;
}
