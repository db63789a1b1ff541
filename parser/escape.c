/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * escape.c - the \ooo and \x codecs.
 *
 * NUL is escaped in every set, because the results are strings. Bytes from 0x80 up are
 * never escaped: no character set is assumed, and nfs-utils (support/nfs/xio.c
 * xio escape(), C locale) and the kernel (string_escape_mem(), ESCAPE_OCTAL) leave them.
 */

#include "parser/escape.h"
#include "parser/text.h"

#include <errno.h>
#include <stdio.h>

static bool is_control(unsigned char byte)
{
	return byte < 0x20 || byte == 0x7f;
}

static bool must_escape(unsigned char byte, enum escape_set set)
{
	if (byte == '\0' || (byte == '\\' && set != ESCAPE_SHOWN))
		return true;
	switch (set) {
	case ESCAPE_KERNEL: return byte == ' ' || byte == '\t' || byte == '\n';
	case ESCAPE_ETAB: return is_control(byte) || byte == ' ' || byte == '"' || byte == '#';
	case ESCAPE_WIRE:
	case ESCAPE_SHOWN: return is_control(byte);
	case ESCAPE_ASCII: return byte < ' ' || byte > '~';
	}
	return true;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

char *escape_bytes(const void *bytes, size_t n_bytes, enum escape_set set)
{
	const unsigned char *from = bytes;
	size_t n_escaped = 0;
	char *text, *to;

	for (size_t i = 0; i < n_bytes; i++)
		n_escaped += must_escape(from[i], set);
	if (n_bytes >= SIZE_MAX / 4)
		return NULL;
	text = malloc(n_bytes + 3 * n_escaped + 1);
	if (!text)
		return NULL;
	to = text;
	for (size_t i = 0; i < n_bytes; i++) {
		if (!must_escape(from[i], set)) {
			*to++ = (char)from[i];
			continue;
		}
		*to++ = '\\';
		*to++ = (char)('0' + (from[i] >> 6));
		*to++ = (char)('0' + ((from[i] >> 3) & 7));
		*to++ = (char)('0' + (from[i] & 7));
	}
	*to = '\0';
	return text;
}

char *escape_message(const char *format, va_list ap)
{
	CLEANUP(freep) char *raw = text_vformat(format, ap);

	return raw ? escape_bytes(raw, strlen(raw), ESCAPE_SHOWN) : NULL;
}

size_t unescape_bytes(char *text, size_t n_bytes)
{
	size_t from = 0, to = 0;

	while (from < n_bytes) {
		const char *at = text + from;

		if (n_bytes - from >= 4 && at[0] == '\\' && at[1] >= '0' && at[1] <= '3' &&
		    is_octal(at[2]) && is_octal(at[3])) {
			int value = (at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0');

			text[to++] = (char)value;
			from += 4;
		} else {
			text[to++] = text[from++];
		}
	}
	if (to < n_bytes)
		text[to] = '\0';
	return to;
}

char *escape_hex(const void *bytes, size_t n_bytes)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = bytes;
	char *text, *to;

	if (n_bytes >= SIZE_MAX / 4)
		return NULL;
	text = malloc(2 * n_bytes + 3);
	if (!text)
		return NULL;
	to = text;
	*to++ = '\\';
	*to++ = 'x';
	for (size_t i = 0; i < n_bytes; i++) {
		*to++ = digits[from[i] >> 4];
		*to++ = digits[from[i] & 15];
	}
	*to = '\0';
	return text;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

ssize_t unescape_hex(const char *text, void *bytes, size_t size)
{
	unsigned char *to = bytes;
	size_t n_digits, n_bytes;

	if (text[0] != '\\' || text[1] != 'x')
		return -EINVAL;
	text += 2;
	n_digits = strspn(text, "0123456789abcdefABCDEF");
	if (text[n_digits] != '\0' || n_digits % 2 != 0)
		return -EINVAL;
	n_bytes = n_digits / 2;
	if (n_bytes > size)
		return -E2BIG;
	for (size_t i = 0; i < n_bytes; i++)
		to[i] = (unsigned char)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	return (ssize_t)n_bytes;
}

bool escape_is_utf8(const char *text)
{
	const uint8_t *at = (const uint8_t *)text;

	while (*at) {
		unsigned int n = *at < 0x80		     ? 0
				 : *at >= 0xc2 && *at < 0xe0 ? 1
				 : *at >= 0xe0 && *at < 0xf0 ? 2
				 : *at >= 0xf0 && *at < 0xf5 ? 3
							     : 4;

		if (n == 4 || (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
		    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
			return false;
		for (at++; n; n--, at++)
			if ((*at & 0xc0) != 0x80)
				return false;
	}
	return true;
}
