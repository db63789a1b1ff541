/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-proto.c - the wire codec: good and bad messages, limits from both sides, round trips.
 */

#include <errno.h>

#include "handlers/proto.h"
#include "tests/tap.h"

/* A buffer of its own, of exactly that size, so that a checker sees a read beyond it. */
static int parse(const char *bytes, size_t n_bytes, char **ret_buffer,
		 struct proto_message *ret_message, size_t *ret_used, const char **ret_why)
{
	char *buffer = malloc(n_bytes ? n_bytes : 1);

	if (!buffer)
		exit(1);
	memcpy(buffer, bytes, n_bytes);
	*ret_buffer = buffer;
	*ret_why = NULL;
	return proto_parse(buffer, n_bytes, ret_message, ret_used, ret_why);
}

static void test_good(void)
{
	static const char bytes[] =
		"exportsd/1 mount\nid=17\npath=/a=b\\134\\012c\nempty=\npath=second\n\n"
		"exportsd/1 ok\n\nrest";
	struct proto_message message;
	const char *why;
	size_t used, used_by_second;
	char *buffer;

	is_int(parse(bytes, sizeof(bytes) - 1, &buffer, &message, &used, &why), 0,
	       "a message is taken");
	is_str(message.word, "mount", "its word");
	is_int((long long)message.n_fields, 4, "its fields");
	is_str(proto_get(&message, "path"), "/a=b\\\nc", "a value is decoded, and may hold '='");
	is_str(proto_get(&message, "empty"), "", "an empty value");
	is_str(message.fields[3].value, "second", "a key may come twice");
	is_str(proto_get(&message, "pat"), NULL, "a key that is not there");
	proto_message_done(&message);
	is_int(proto_parse(buffer + used, sizeof(bytes) - 1 - used, &message, &used_by_second,
			   &why),
	       0, "the message behind it is taken");
	is_str(message.word, "ok", "its word");
	is_int((long long)message.n_fields, 0, "it has no fields");
	is_int((long long)(used + used_by_second), (long long)strlen(bytes) - 4,
	       "the rest is left");
	proto_message_done(&message);
	free(buffer);
}

static void test_more(void)
{
	static const char bytes[] = "exportsd/1 mount\nid=17\nx=\\012\n\n";
	struct proto_message message;
	const char *why;
	size_t used, n_right = 0;

	for (size_t n = 0; n < sizeof(bytes) - 1; n++) {
		char *buffer;

		n_right += parse(bytes, n, &buffer, &message, &used, &why) == PROTO_MORE &&
			   memcmp(buffer, bytes, n) == 0;
		free(buffer);
	}
	is_int((long long)n_right, sizeof(bytes) - 1,
	       "every beginning of a message wants more, and is left untouched");
}

static void test_bad(void)
{
	static const struct {
		const char *bytes;
		size_t n_bytes;
		const char *why;
	} cases[] = {
#define BAD(text, why) { text, sizeof(text) - 1, why }
		BAD("\n", "the first line does not start with \"exportsd/1 \""),
		BAD("GET / HTTP/1.1", "the first line does not start with \"exportsd/1 \""),
		BAD("exportsd/2 mount\n", "the first line does not start with \"exportsd/1 \""),
		BAD("exportsd/1", NULL),
		BAD("exportsd/1\n", "the first line does not start with \"exportsd/1 \""),
		BAD("exportsd/1 \n", "the first line's word is not of a-z, 0-9 and '-'"),
		BAD("exportsd/1 mount \n", "the first line's word is not of a-z, 0-9 and '-'"),
		BAD("exportsd/1 Mount\n", "the first line's word is not of a-z, 0-9 and '-'"),
		BAD("exportsd/1 mount\r\n", "the first line's word is not of a-z, 0-9 and '-'"),
		BAD("exportsd/1 mount\nid\n", "a line without '='"),
		BAD("exportsd/1 mount\nid\n\n", "a line without '='"),
		BAD("exportsd/1 mount\n=1\n", "a key that is not of a-z, 0-9 and '-'"),
		BAD("exportsd/1 mount\ni d=1\n", "a key that is not of a-z, 0-9 and '-'"),
		BAD("exportsd/1 mount\nID=1\n", "a key that is not of a-z, 0-9 and '-'"),
		BAD("exportsd/1 mount\nid=\0\n", "a NUL byte"),
		BAD("exportsd/1 mount\nid=\0", "a NUL byte"),
		BAD("exportsd/1 mount\nid=\\000\n\n", "a NUL byte in a value"),
#undef BAD
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct proto_message message;
		const char *why;
		size_t used;
		char *buffer;
		int r = parse(cases[i].bytes, cases[i].n_bytes, &buffer, &message, &used, &why);

		is_int(r, cases[i].why ? -EBADMSG : PROTO_MORE, "a bad message is noticed in time");
		is_str(why, cases[i].why, "and it is said why");
		free(buffer);
	}
}

/* A message whose one line, or whose number of fields, or whose size is just so. */
static int parse_sized(size_t line, size_t n_fields, const char **ret_why)
{
	static const char first[] = "exportsd/1 x\n";
	size_t size = sizeof(first) - 1 + n_fields * (line + 1) + 1;
	char *bytes = malloc(size), *at = bytes + sizeof(first) - 1, *buffer;
	struct proto_message message = { 0 };
	size_t used;
	int r;

	memcpy(bytes, first, sizeof(first) - 1);
	for (size_t i = 0; i < n_fields; i++, at += line + 1) {
		memset(at, 'v', line);
		at[1] = '=';
		at[line] = '\n';
	}
	*at = '\n';
	r = parse(bytes, size, &buffer, &message, &used, ret_why);
	if (r == 0)
		proto_message_done(&message);
	free(buffer);
	free(bytes);
	return r;
}

static void test_limits(void)
{
	const size_t rest =
		PROTO_MESSAGE_MAX - sizeof("exportsd/1 x\n"); /* without the empty line */
	const char *why;
	char *line;

	is_int(parse_sized(PROTO_LINE_MAX, 1, &why), 0, "a line of the greatest length");
	is_int(parse_sized(PROTO_LINE_MAX + 1, 1, &why), -EBADMSG, "a line beyond it");
	is_str(why, "a line is too long", "and it is said why");
	is_int(parse_sized(3, PROTO_FIELDS_MAX, &why), 0, "the greatest number of fields");
	is_int(parse_sized(3, PROTO_FIELDS_MAX + 1, &why), -EBADMSG, "a field too many");
	is_str(why, "too many fields", "and it is said why");
	is_int((long long)(rest % 9), 0, "(the next sizes fit)");
	is_int(parse_sized(rest / 9 - 1, 9, &why), 0, "a message of the greatest size");
	is_int(parse_sized(rest / 9, 9, &why), -EBADMSG, "a message beyond it");
	is_str(why, "a message is too long", "and it is said why");

	line = malloc(PROTO_LINE_MAX + 32);
	memcpy(line, "exportsd/1 x\nk=", 15);
	memset(line + 15, 'v', PROTO_LINE_MAX + 17);
	for (int extra = 0; extra <= 1; extra++) {
		struct proto_message message;
		size_t used;

		is_int(proto_parse(line, 13 + (size_t)PROTO_LINE_MAX + (size_t)extra, &message,
				   &used, &why),
		       extra ? -EBADMSG : PROTO_MORE, "a line without end is noticed at its limit");
	}
	free(line);
}

static void test_numbers(void)
{
	static const struct {
		const char *value;
		uint64_t max;
		int r;
		uint64_t number;
	} cases[] = {
		{ "0", 0, 0, 0 },
		{ "007", 7, 0, 7 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, -EINVAL, 0 },
		{ "99999999999999999999999", UINT64_MAX, -EINVAL, 0 },
		{ "8", 7, -EINVAL, 0 },
		{ "", 7, -EINVAL, 0 },
		{ "-1", UINT64_MAX, -EINVAL, 0 },
		{ "+1", 7, -EINVAL, 0 },
		{ " 1", 7, -EINVAL, 0 },
		{ "1x", 7, -EINVAL, 0 },
	};
	struct proto_message none = { 0 };
	uint64_t number = 42;

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct proto_field field = { "n", cases[i].value };
		struct proto_message message = { "ok", &field, 1 };
		uint64_t got = 0;

		is_int(proto_get_u64(&message, "n", cases[i].max, &got), cases[i].r,
		       cases[i].value);
		ok(got == cases[i].number, "its number");
	}
	is_int(proto_get_u64(&none, "n", 1, &number), -ENOENT, "no number at all");
	ok(number == 42, "a failure writes nothing");
}

static void test_writing(void)
{
	struct proto_writer writer = { 0 };
	char *text;

	proto_begin(&writer, "ok");
	proto_put_u64(&writer, "id", UINT64_MAX);
	proto_put(&writer, "none", NULL);
	proto_put(&writer, "path", "/a b\n\\\xff");
	proto_printf(&writer, "message", "%d%%", 40);
	is_int(proto_end(&writer), 0, "a message is written");
	proto_begin(&writer, "noent");
	is_int(proto_end(&writer), 0, "and one behind it");
	text = strndup(writer.bytes, writer.n_bytes);
	is_str(text,
	       "exportsd/1 ok\nid=18446744073709551615\npath=/a b\\012\\134\xff\nmessage=40%\n\n"
	       "exportsd/1 noent\n\n",
	       "control bytes and the backslash are escaped, nothing else");
	free(text);
	proto_writer_done(&writer);
}

static void write_bad(struct proto_writer *writer, int i, const char *filler)
{
	switch (i) {
	case 0: proto_put(writer, "Key", "v"); break;
	case 1: proto_put(writer, "", "v"); break;
	case 2: proto_put_bytes(writer, "key", "a\0b", 3); break;
	case 3: proto_put(writer, "key", filler); break;
	case 4:
		for (int n = 0; n <= PROTO_FIELDS_MAX; n++)
			proto_put(writer, "k", "");
		break;
	case 5:
		for (int n = 0; n < 7; n++)
			proto_put(writer, "k",
				  filler + 4); /* "k=" and the rest: exactly a line's limit */
		break;
	}
}

static void test_bad_writing(void)
{
	static const int wanted[] = { -EINVAL, -EINVAL, -EINVAL, -E2BIG, -E2BIG, -E2BIG };
	char *filler = malloc(PROTO_LINE_MAX + 3);

	if (!filler)
		exit(1);
	memset(filler, 'f', PROTO_LINE_MAX + 2);
	filler[PROTO_LINE_MAX + 2] = '\0';
	for (int i = 0; i < (int)N_ELEMENTS(wanted); i++) {
		struct proto_writer writer = { 0 };
		struct proto_message message;
		const char *why;
		size_t used;

		proto_begin(&writer, "first");
		proto_end(&writer);
		proto_begin(&writer, "second");
		write_bad(&writer, i, filler);
		proto_put(&writer, "after", "an error");
		is_int(proto_end(&writer), wanted[i], "a message that cannot be sent");
		proto_begin(&writer, "third");
		proto_put(&writer, "k", filler + 4);
		is_int(proto_end(&writer), 0, "the next one can");
		is_int(proto_parse(writer.bytes, writer.n_bytes, &message, &used, &why), 0,
		       "the first is there");
		proto_message_done(&message);
		is_int(proto_parse(writer.bytes + used, writer.n_bytes - used, &message, &used,
				   &why),
		       0, "the third follows it");
		is_str(message.word, "third", "and nothing of the bad one is left");
		proto_message_done(&message);
		proto_writer_done(&writer);
	}
	free(filler);
}

static void test_round_trips(void)
{
	unsigned int n_good = 0;

	for (int round = 0; round < 500; round++) {
		struct proto_writer writer = { 0 };
		struct proto_message message = { 0 };
		char value[300];
		const char *why;
		size_t used, length = tap_random() % (sizeof(value) - 1);

		for (size_t i = 0; i < length; i++)
			value[i] = (char)(1 + tap_random() % 255);
		value[length] = '\0';
		proto_begin(&writer, "round-trip");
		proto_put(&writer, "v", value);
		proto_put(&writer, "w", value);
		n_good += proto_end(&writer) == 0 &&
			  proto_parse(writer.bytes, writer.n_bytes, &message, &used, &why) == 0 &&
			  used == writer.n_bytes && message.n_fields == 2 &&
			  strcmp(message.fields[0].value, value) == 0 &&
			  strcmp(message.fields[1].value, value) == 0;
		proto_message_done(&message);
		proto_writer_done(&writer);
	}
	is_int(n_good, 500, "what is written is read, whatever the bytes");
}

static void test_words(void)
{
	unsigned int n_same = 0, n_known = 0;

	for (int i = 0; i < PROTO_N_OUTCOMES; i++)
		n_same += proto_outcome(proto_outcome_word(i)) == i;
	is_int(n_same, PROTO_N_OUTCOMES, "outcomes have one word each");
	is_int(proto_outcome("progress"), -1, "progress is no outcome");
	is_str(proto_errno_name(EIO), "EIO", "EIO");
	is_str(proto_errno_name(EMEDIUMTYPE), "EMEDIUMTYPE", "EMEDIUMTYPE");
	is_str(proto_errno_name(0), "EIO", "no error is EIO");
	is_str(proto_errno_name(-5), "EIO", "a negative number is EIO");
	is_str(proto_errno_name(100000), "EIO", "an unknown number is EIO");
	is_str(proto_errno_name(EWOULDBLOCK), "EAGAIN", "of two names of a number one is used");
	for (int number = 1; number < 134; number++)
		n_known += strcmp(proto_errno_name(number), "EIO") != 0;
	is_int(n_known, 130, "every number has a name");
}

int main(void)
{
	test_good();
	test_more();
	test_bad();
	test_limits();
	test_numbers();
	test_writing();
	test_bad_writing();
	test_round_trips();
	test_words();
	return tap_done();
}
