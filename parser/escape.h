/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * escape.h - the one \ooo codec: exports(5), etab, mountinfo, the kernel's
 * cache lines (net/sunrpc/cache.c qword_add, qword_get) and our own wire use it.
 *
 * Bytes are bytes: no character set is assumed anywhere.
 */

#include <stdarg.h>
#include <sys/types.h>

#include "parser/base.h"

/* Which bytes become \ooo. NUL always does, and backslash, except for ESCAPE_SHOWN. */
enum escape_set {
	ESCAPE_KERNEL, /* space, tab, newline: qword_add() */
	ESCAPE_ETAB, /* control and space bytes, '"', '#': what nfs-utils writes in etab paths */
	ESCAPE_WIRE, /* control bytes only (newline among them): values of key=value lines */
	ESCAPE_SHOWN, /* control bytes only: for people to read, cannot be undone */
	ESCAPE_ASCII, /* all but printable ASCII */
};

/*
 * escape_bytes - the escaped form of @n_bytes bytes, as a new string.
 *
 * Returns a string to free(3), or NULL when memory is out.
 */
char *escape_bytes(const void *bytes, size_t n_bytes, enum escape_set set);

/*
 * escape_message - what vprintf(3) would write, ESCAPE_SHOWN.
 *
 * Returns a string to free(3), or NULL when memory is out.
 */
char *escape_message(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));

/*
 * unescape_bytes - undo escape_bytes() in place, once (a decoded backslash starts nothing).
 *
 * \ooo with a first digit of 0..3 becomes a byte; any other backslash stays.
 *
 * @text: @n_bytes bytes, overwritten with the result, which gets a final NUL only
 *        if it became shorter; NUL bytes in the result are possible (\000)
 *
 * Returns the length of the result.
 */
size_t unescape_bytes(char *text, size_t n_bytes);

/*
 * escape_hex - "\x" and lower-case hex pairs, qword_addhex()'s form, as a new string.
 *
 * Returns a string to free(3), or NULL when memory is out.
 */
char *escape_hex(const void *bytes, size_t n_bytes);

/*
 * unescape_hex - read the form of escape_hex().
 *
 * @text:    NUL-terminated, the whole word
 * @bytes:   room for @size bytes
 *
 * Returns the number of bytes, or -EINVAL if it is not that form, -E2BIG if they do not fit.
 */
ssize_t unescape_hex(const char *text, void *bytes, size_t size);

/* escape_is_utf8 - is it text as RFC 3629 section 4 has it? */
bool escape_is_utf8(const char *text);
