/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * serve.c - what a worker process does: read a question, have it answered, send the answer,
 * until the daemon is gone.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "exportsd/worker/worker.h"

enum { NUMBERS_PER_FIELD = 1000 }; /* eleven bytes each: well within PROTO_LINE_MAX */

int worker_receive(int fd, bool wait, char *buffer, struct proto_message *ret_message,
		   uint64_t *ret_id)
{
	struct proto_message message;
	const char *why;
	size_t n_used;
	uint64_t id;
	ssize_t n;
	int r;

	do
		n = recv(fd, buffer, PROTO_MESSAGE_MAX, wait ? 0 : MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return WORKER_NOTHING;
	if (n < 0)
		return errno == ECONNRESET ? WORKER_END : -errno;
	if (n == 0)
		return WORKER_END;
	r = proto_parse(buffer, (size_t)n, &message, &n_used, &why);
	if (r != 0)
		return r < 0 ? r : -EBADMSG;
	r = proto_get_u64(&message, "id", UINT64_MAX, &id);
	if (r < 0) {
		proto_message_done(&message);
		return -EBADMSG;
	}
	*ret_message = message;
	*ret_id = id;
	return 0;
}

int worker_reply(int fd, uint64_t id, struct proto_writer *answer)
{
	ssize_t n;
	int r;

	proto_put_u64(answer, "id", id);
	r = proto_end(answer);
	if (r < 0) {
		worker_fail(answer, r, NULL);
		proto_put_u64(answer, "id", id);
		r = proto_end(answer);
	}
	if (r < 0)
		return r;
	do
		n = send(fd, answer->bytes, answer->n_bytes, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EPIPE || errno == ECONNRESET ? WORKER_END : -errno;
	return 0;
}

void worker_fail(struct proto_writer *answer, int error, const char *message)
{
	proto_writer_done(answer);
	*answer = (struct proto_writer){};
	proto_begin(answer, "error");
	proto_put_u64(answer, "number", (uint64_t)-error);
	if (message)
		proto_put(answer, "message", message);
}

int worker_serve(int fd, worker_serve_fn serve)
{
	CLEANUP(freep) char *buffer = malloc(PROTO_MESSAGE_MAX);
	int r;

	if (!buffer)
		return -ENOMEM;
	do {
		struct proto_writer answer = {};
		struct proto_message question;
		uint64_t id;

		r = worker_receive(fd, true, buffer, &question, &id);
		if (r != 0)
			break;
		serve(&question, &answer);
		r = worker_reply(fd, id, &answer);
		proto_writer_done(&answer);
		proto_message_done(&question);
	} while (r == 0);
	return r < 0 ? r : 0;
}

/* ---- lists of numbers ---- */

void worker_put_numbers(struct proto_writer *writer, const char *key, const uint32_t *numbers,
			size_t n_numbers)
{
	char text[NUMBERS_PER_FIELD * 11 + 1];

	while (n_numbers) {
		size_t length = 0,
		       n = n_numbers < NUMBERS_PER_FIELD ? n_numbers : NUMBERS_PER_FIELD;

		for (size_t i = 0; i < n; i++)
			length += (size_t)snprintf(text + length, sizeof(text) - length,
						   "%s%" PRIu32, i ? "," : "", numbers[i]);
		proto_put(writer, key, text);
		numbers += n;
		n_numbers -= n;
	}
}

/* Read one field's numbers to the end of an array with room for them. */
static int read_numbers(const char *text, uint32_t *numbers, size_t *n_numbers)
{
	char *end;

	for (;; text = end + 1) {
		unsigned long number;

		if (*text < '0' || *text > '9')
			return -EINVAL;
		errno = 0;
		number = strtoul(text, &end, 10);
		if (errno || number > UINT32_MAX || (*end && *end != ','))
			return -EINVAL;
		numbers[(*n_numbers)++] = (uint32_t)number;
		if (!*end)
			return 0;
	}
}

int worker_get_numbers(const struct proto_message *message, const char *key, uint32_t **ret_numbers,
		       size_t *ret_n_numbers)
{
	CLEANUP(freep) uint32_t *numbers = NULL;
	size_t n_room = 0, n_numbers = 0;

	for (size_t i = 0; i < message->n_fields; i++)
		if (str_equal(message->fields[i].key, key))
			n_room += strlen(message->fields[i].value) / 2 + 1;
	if (n_room) {
		numbers = calloc(n_room, sizeof(*numbers));
		if (!numbers)
			return -ENOMEM;
	}
	for (size_t i = 0; i < message->n_fields; i++)
		if (str_equal(message->fields[i].key, key)) {
			int r = read_numbers(message->fields[i].value, numbers, &n_numbers);

			if (r < 0)
				return r;
		}
	*ret_numbers = TAKE_PTR(numbers);
	*ret_n_numbers = n_numbers;
	return 0;
}
