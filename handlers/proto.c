/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proto.c - messages of key=value lines.
 *
 * Reading goes over the buffer twice. The first pass only looks: it checks each line as soon as
 * it is there, so that garbage and a line without end are noticed before the message is complete,
 * and finds the empty line. Only then does the second pass cut the buffer up and decode it.
 *
 * Writing keeps whole messages in one growing buffer. What a message lacks to be sendable (a bad
 * key, memory, room) is remembered in the writer, so that callers check once, at its end.
 */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "handlers/proto.h"
#include "parser/escape.h"
#include "parser/text.h"

static const char first_line_start[] = "exportsd/1 ";

enum { FIRST_LINE_START = sizeof(first_line_start) - 1 };

static_assert(PROTO_VERSION == 1, "first_line_start names the version");

static bool is_name(const char *text, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++) {
		char c = text[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return n_bytes > 0;
}

/* ---- reading ---- */

static const char *fault_of_first_line(const char *line, size_t length, bool complete)
{
	size_t n = length < FIRST_LINE_START && !complete ? length : FIRST_LINE_START;

	if (length < n || memcmp(line, first_line_start, n) != 0)
		return "the first line does not start with \"exportsd/1 \"";
	if (complete && !is_name(line + n, length - n))
		return "the first line's word is not of a-z, 0-9 and '-'";
	return NULL;
}

static const char *fault_of_field(const char *line, size_t length)
{
	const char *equals = memchr(line, '=', length);

	if (!equals)
		return "a line without '='";
	if (!is_name(line, (size_t)(equals - line)))
		return "a key that is not of a-z, 0-9 and '-'";
	return NULL;
}

/*
 * What is wrong with a line, or NULL.
 *
 * @index:    0 for a message's first line
 * @complete: its newline is there
 */
static const char *fault_of_line(const char *line, size_t length, size_t index, bool complete)
{
	if (length > PROTO_LINE_MAX)
		return "a line is too long";
	if (memchr(line, '\0', length))
		return "a NUL byte";
	if (index == 0)
		return fault_of_first_line(line, length, complete);
	if (length == 0 || !complete)
		return NULL;
	if (index > PROTO_FIELDS_MAX)
		return "too many fields";
	return fault_of_field(line, length);
}

/* Check what is there, and find the end of the message. Changes nothing. */
static int measure_message(const char *buffer, size_t n_bytes, size_t *ret_used,
			   size_t *ret_n_fields, const char **ret_why)
{
	size_t seen = n_bytes < PROTO_MESSAGE_MAX ? n_bytes : PROTO_MESSAGE_MAX;
	size_t start = 0, n_lines = 0;

	while (start < seen) {
		const char *line = buffer + start;
		const char *newline = memchr(line, '\n', seen - start);
		size_t length = newline ? (size_t)(newline - line) : seen - start;

		const char *fault = fault_of_line(line, length, n_lines, newline);

		if (fault) {
			*ret_why = fault;
			return -EBADMSG;
		}
		if (!newline)
			break;
		start += length + 1;
		if (length == 0) {
			*ret_used = start;
			*ret_n_fields = n_lines - 1;
			return 0;
		}
		n_lines++;
	}
	if (seen == PROTO_MESSAGE_MAX) {
		*ret_why = "a message is too long";
		return -EBADMSG;
	}
	return PROTO_MORE;
}

/* Cut a checked line into key and value, and decode the value in place. */
static int split_line(char *line, char *newline, struct proto_field *ret_field)
{
	char *equals = memchr(line, '=', (size_t)(newline - line));
	char *value = equals + 1;
	size_t length = unescape_bytes(value, (size_t)(newline - value));

	if (memchr(value, '\0', length))
		return -EBADMSG;
	*equals = '\0';
	value[length] = '\0';
	*ret_field = (struct proto_field){ .key = line, .value = value };
	return 0;
}

int proto_parse(char *buffer, size_t n_bytes, struct proto_message *ret_message, size_t *ret_used,
		const char **ret_why)
{
	CLEANUP(freep) struct proto_field *fields = NULL;
	size_t used, n_fields;
	char *line, *newline;
	int r;

	r = measure_message(buffer, n_bytes, &used, &n_fields, ret_why);
	if (r != 0)
		return r;
	fields = calloc(n_fields ? n_fields : 1, sizeof(*fields));
	if (!fields)
		return -ENOMEM;

	newline = memchr(buffer, '\n', used);
	*newline = '\0';
	for (size_t i = 0; i < n_fields; i++) {
		line = newline + 1;
		newline = memchr(line, '\n', used - (size_t)(line - buffer));
		r = split_line(line, newline, &fields[i]);
		if (r < 0) {
			*ret_why = "a NUL byte in a value";
			return r;
		}
	}
	*ret_message = (struct proto_message){
		.word = buffer + FIRST_LINE_START,
		.fields = TAKE_PTR(fields),
		.n_fields = n_fields,
	};
	*ret_used = used;
	return 0;
}

void proto_message_done(struct proto_message *message)
{
	free(message->fields);
	*message = (struct proto_message){ 0 };
}

const char *proto_get(const struct proto_message *message, const char *key)
{
	for (size_t i = 0; i < message->n_fields; i++)
		if (str_equal(message->fields[i].key, key))
			return message->fields[i].value;
	return NULL;
}

int proto_get_u64(const struct proto_message *message, const char *key, uint64_t max,
		  uint64_t *ret_value)
{
	const char *text = proto_get(message, key);
	uint64_t value = 0;

	if (!text)
		return -ENOENT;
	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		unsigned int digit = (unsigned char)*text - '0';

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return -EINVAL;
	}
	if (value > max)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

/* ---- writing ---- */

/* Append bytes, always leaving room for the message's empty line. */
static void append(struct proto_writer *writer, const char *bytes, size_t n_bytes)
{
	size_t end = writer->n_bytes + n_bytes + 1;

	if (writer->error)
		return;
	if (end - writer->start > PROTO_MESSAGE_MAX) {
		writer->error = -E2BIG;
		return;
	}
	if (end > writer->size) {
		size_t size = writer->size * 2 > end ? writer->size * 2 : end + 255;
		char *grown = realloc(writer->bytes, size);

		if (!grown) {
			writer->error = -ENOMEM;
			return;
		}
		writer->bytes = grown;
		writer->size = size;
	}
	memcpy(writer->bytes + writer->n_bytes, bytes, n_bytes);
	writer->n_bytes += n_bytes;
}

void proto_begin(struct proto_writer *writer, const char *word)
{
	writer->start = writer->n_bytes;
	writer->n_fields = 0;
	if (!is_name(word, strlen(word)) || FIRST_LINE_START + strlen(word) > PROTO_LINE_MAX)
		writer->error = -EINVAL;
	append(writer, first_line_start, FIRST_LINE_START);
	append(writer, word, strlen(word));
	append(writer, "\n", 1);
}

void proto_put_bytes(struct proto_writer *writer, const char *key, const void *value,
		     size_t n_bytes)
{
	CLEANUP(freep) char *escaped = NULL;

	if (writer->error)
		return;
	if (!is_name(key, strlen(key)) || (n_bytes && memchr(value, '\0', n_bytes))) {
		writer->error = -EINVAL;
		return;
	}
	if (n_bytes > PROTO_LINE_MAX || ++writer->n_fields > PROTO_FIELDS_MAX) {
		writer->error = -E2BIG;
		return;
	}
	escaped = escape_bytes(value, n_bytes, ESCAPE_WIRE);
	if (!escaped) {
		writer->error = -ENOMEM;
		return;
	}
	if (strlen(key) + 1 + strlen(escaped) > PROTO_LINE_MAX) {
		writer->error = -E2BIG;
		return;
	}
	append(writer, key, strlen(key));
	append(writer, "=", 1);
	append(writer, escaped, strlen(escaped));
	append(writer, "\n", 1);
}

void proto_put(struct proto_writer *writer, const char *key, const char *value)
{
	if (value)
		proto_put_bytes(writer, key, value, strlen(value));
}

void proto_put_u64(struct proto_writer *writer, const char *key, uint64_t value)
{
	proto_printf(writer, key, "%llu", (unsigned long long)value);
}

void proto_printf(struct proto_writer *writer, const char *key, const char *format, ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = text_vformat(format, ap);
	va_end(ap);
	if (text)
		proto_put(writer, key, text);
	else if (!writer->error)
		writer->error = -ENOMEM;
}

int proto_end(struct proto_writer *writer)
{
	int r = writer->error;

	assert(r < 0 || writer->n_bytes > writer->start);
	if (r < 0)
		writer->n_bytes = writer->start;
	else
		writer->bytes[writer->n_bytes++] = '\n'; /* append() left room */
	writer->error = 0;
	writer->start = writer->n_bytes;
	writer->n_fields = 0;
	return r;
}

void proto_writer_done(struct proto_writer *writer)
{
	free(writer->bytes);
	*writer = (struct proto_writer){ 0 };
}

/* ---- words that both sides know ---- */

static const char *const outcome_words[PROTO_N_OUTCOMES] = {
	[PROTO_OK] = "ok",     [PROTO_NOENT] = "noent", [PROTO_DENIED] = "denied",
	[PROTO_BUSY] = "busy", [PROTO_ERROR] = "error", [PROTO_UNSUPPORTED] = "unsupported",
};

int proto_outcome(const char *word)
{
	for (int i = 0; i < PROTO_N_OUTCOMES; i++)
		if (str_equal(outcome_words[i], word))
			return i;
	return -1;
}

const char *proto_outcome_word(enum proto_outcome outcome)
{
	return outcome_words[outcome];
}

const char *proto_errno_name(int number)
{
	const char *name = number > 0 ? strerrorname_np(number) : NULL;

	return name ? name : "EIO";
}
