/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-proto.c - any bytes through the wire codec.
 *
 * Oracle: what was parsed, written again, parses to the same; its written form is a fixed point; a
 * message wanted "more" of stays untouched; one that is complete is also found when bytes follow.
 */

#include <errno.h>

#include "handlers/proto.h"

static void require(bool good)
{
	if (!good)
		abort();
}

static void write_message(struct proto_writer *writer, const struct proto_message *message)
{
	proto_begin(writer, message->word);
	for (size_t i = 0; i < message->n_fields; i++)
		proto_put(writer, message->fields[i].key, message->fields[i].value);
}

static void check_equal(const struct proto_message *a, const struct proto_message *b)
{
	require(str_equal(a->word, b->word) && a->n_fields == b->n_fields);
	for (size_t i = 0; i < a->n_fields; i++)
		require(str_equal(a->fields[i].key, b->fields[i].key) &&
			str_equal(a->fields[i].value, b->fields[i].value));
}

static void check_round_trip(const struct proto_message *message)
{
	struct proto_writer writer = { 0 }, again = { 0 };
	struct proto_message second;
	char *copy;
	const char *why;
	size_t used;
	int r;

	write_message(&writer, message);
	r = proto_end(&writer);
	if (r == -E2BIG) { /* raw control bytes grow when they are escaped */
		proto_writer_done(&writer);
		return;
	}
	require(r == 0 && writer.n_bytes <= PROTO_MESSAGE_MAX);
	copy = malloc(writer.n_bytes);
	if (!copy)
		abort();
	memcpy(copy, writer.bytes, writer.n_bytes);
	require(proto_parse(copy, writer.n_bytes, &second, &used, &why) == 0);
	require(used == writer.n_bytes);
	check_equal(message, &second);
	write_message(&again, &second);
	require(proto_end(&again) == 0 && again.n_bytes == writer.n_bytes &&
		memcmp(again.bytes, writer.bytes, writer.n_bytes) == 0);
	proto_message_done(&second);
	proto_writer_done(&writer);
	proto_writer_done(&again);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *buffer = malloc(size ? size : 1);
	size_t at = 0, used;

	if (!buffer)
		abort();
	memcpy(buffer, data, size);
	while (at <= size) {
		struct proto_message message;
		const char *why = NULL;
		int r = proto_parse(buffer + at, size - at, &message, &used, &why);

		if (r != 0) {
			require(r == PROTO_MORE || (r == -EBADMSG && why));
			require(r != PROTO_MORE || memcmp(buffer + at, data + at, size - at) == 0);
			break;
		}
		require(used > 0 && used <= size - at && used <= PROTO_MESSAGE_MAX);
		require(message.n_fields <= PROTO_FIELDS_MAX);
		check_round_trip(&message);
		proto_message_done(&message);
		at += used;
	}
	free(buffer);
	return 0;
}
