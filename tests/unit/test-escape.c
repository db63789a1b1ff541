/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-escape.c - the \ooo and \x codecs. */

#include <errno.h>

#include "parser/escape.h"
#include "tests/tap.h"

static const struct {
	const char *bytes;
	size_t n_bytes;
	const char *kernel, *etab, *wire;
} escapes[] = {
	{ "", 0, "", "", "" },
	{ "/srv/plain", 10, "/srv/plain", "/srv/plain", "/srv/plain" },
	{ "a b\tc\nd", 7, "a\\040b\\011c\\012d", "a\\040b\\011c\\012d", "a b\\011c\\012d" },
	{ "\\", 1, "\\134", "\\134", "\\134" },
	{ "\"#'", 3, "\"#'", "\\042\\043'", "\"#'" },
	{ "\r\v\f\x7f\x01", 5, "\r\v\f\x7f\x01", "\\015\\013\\014\\177\\001",
	  "\\015\\013\\014\\177\\001" },
	{ "\xc3\xa4\xff\x80", 4, "\xc3\xa4\xff\x80", "\xc3\xa4\xff\x80", "\xc3\xa4\xff\x80" },
	{ "a\0b", 3, "a\\000b", "a\\000b", "a\\000b" },
};

static void test_escape(void)
{
	for (size_t i = 0; i < N_ELEMENTS(escapes); i++) {
		const char *bytes = escapes[i].bytes;
		size_t n = escapes[i].n_bytes;
		CLEANUP(freep) char *kernel = escape_bytes(bytes, n, ESCAPE_KERNEL);
		CLEANUP(freep) char *etab = escape_bytes(bytes, n, ESCAPE_ETAB);
		CLEANUP(freep) char *wire = escape_bytes(bytes, n, ESCAPE_WIRE);

		is_str(kernel, escapes[i].kernel, "escaped for the kernel");
		is_str(etab, escapes[i].etab, "escaped for etab");
		is_str(wire, escapes[i].wire, "escaped for the wire");
	}
}

static const struct {
	const char *text, *bytes;
	size_t n_bytes;
} unescapes[] = {
	{ "", "", 0 },
	{ "a\\040b", "a b", 3 },
	{ "\\134040", "\\040", 4 },
	{ "\\400\\08\\1\\", "\\400\\08\\1\\", 10 },
	{ "\\377\\000x", "\xff\0x", 3 },
	{ "\\\\040", "\\ ", 2 },
	{ "\\0\\0400", "\\0 0", 4 },
};

static void test_unescape(void)
{
	for (size_t i = 0; i < N_ELEMENTS(unescapes); i++) {
		CLEANUP(freep) char *text = strdup(unescapes[i].text);
		size_t n;

		if (!text)
			abort();
		n = unescape_bytes(text, strlen(text));
		is_int((long long)n, (long long)unescapes[i].n_bytes, unescapes[i].text);
		ok(n == unescapes[i].n_bytes && memcmp(text, unescapes[i].bytes, n) == 0,
		   "the bytes of %s", unescapes[i].text);
	}
}

static void test_round_trip(void)
{
	unsigned char bytes[64];
	bool good = true;

	for (int i = 0; i < 3000; i++) {
		size_t n = tap_random() % sizeof(bytes);
		CLEANUP(freep) char *text = NULL;

		for (size_t j = 0; j < n; j++)
			bytes[j] = (unsigned char)(tap_random() % 3 ? tap_random() : '\\');
		text = escape_bytes(bytes, n, (enum escape_set)(i % 3));
		good &= unescape_bytes(text, strlen(text)) == n && memcmp(text, bytes, n) == 0;
	}
	ok(good, "any bytes come back from any set");
}

static void test_hex(void)
{
	CLEANUP(freep) char *text = escape_hex("\x00\xab\x7f", 3);
	CLEANUP(freep) char *none = escape_hex("", 0);
	unsigned char bytes[3] = { 1, 1, 1 };

	is_str(text, "\\x00ab7f", "bytes in hex");
	is_str(none, "\\x", "no bytes in hex");
	is_int(unescape_hex(text, bytes, 3), 3, "hex is read");
	ok(memcmp(bytes, "\x00\xab\x7f", 3) == 0, "and gives the bytes");
	is_int(unescape_hex("\\xABcd", bytes, 3), 2, "either case");
	ok(bytes[0] == 0xab && bytes[1] == 0xcd, "and gives the bytes");
	is_int(unescape_hex("\\x", bytes, 3), 0, "none at all");
	is_int(unescape_hex(text, bytes, 2), -E2BIG, "too many bytes");
	is_int(unescape_hex("\\x123", bytes, 3), -EINVAL, "half a byte");
	is_int(unescape_hex("\\x12zz", bytes, 3), -EINVAL, "no hex digits");
	is_int(unescape_hex("12", bytes, 3), -EINVAL, "no \\x");
	is_int(unescape_hex("", bytes, 3), -EINVAL, "nothing");
}

static char *shown(const char *format, ...) FORMAT_PRINTF(1, 2);
static char *shown(const char *format, ...)
{
	char *text;
	va_list ap;

	va_start(ap, format);
	text = escape_message(format, ap);
	va_end(ap);
	return text;
}

static void test_message(void)
{
	CLEANUP(freep) char *text = shown("line %d of '%s'", 7, "a\nb\033[1m");

	is_str(text, "line 7 of 'a\\012b\\033[1m'", "a message is one line for every terminal");
}

static void test_utf8(void)
{
	static const char *const good[] = { "",
					    "a",
					    "\xc2\x80",
					    "\xe0\xa0\x80",
					    "\xed\x9f\xbf",
					    "\xf0\x90\x80\x80",
					    "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80",
					   "\xc1\xbf",
					   "\xc3(",
					   "\xe0\x9f\xbf",
					   "\xed\xa0\x80",
					   "\xf0\x8f\xbf\xbf",
					   "\xf4\x90\x80\x80",
					   "\xf5",
					   "a\xe2\x82" };
	CLEANUP(freep) char *text = escape_bytes("a\\\xc3\xbc\n", 5, ESCAPE_ASCII);

	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		ok(escape_is_utf8(good[i]), "UTF-8 %zu", i);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		ok(!escape_is_utf8(bad[i]), "no UTF-8 %zu", i);
	is_str(text, "a\\134\\303\\274\\012", "in ASCII alone");
}

int main(void)
{
	test_escape();
	test_unescape();
	test_round_trip();
	test_hex();
	test_message();
	test_utf8();
	return tap_done();
}
