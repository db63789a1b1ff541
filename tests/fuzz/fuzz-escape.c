/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fuzz-escape.c - any bytes through the codecs and back.
 */

#include <stdlib.h>

#include "parser/escape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good)
{
	if (!good)
		abort();
}

static void check_set(const uint8_t *data, size_t size, enum escape_set set, const char *never)
{
	char *text = escape_bytes(data, size, set);
	size_t length;

	require(text != NULL);
	length = strlen(text);
	require(length >= size && length <= 4 * size && !strpbrk(text, never));
	require(unescape_bytes(text, length) == size);
	require(size == 0 || memcmp(text, data, size) == 0);
	free(text);
}

static void check_hex(const uint8_t *data, size_t size)
{
	char *text = escape_hex(data, size);
	uint8_t *bytes = malloc(size + 1);

	require(text && bytes && strlen(text) == 2 * size + 2);
	require(unescape_hex(text, bytes, size) == (ssize_t)size);
	require(size == 0 || memcmp(bytes, data, size) == 0);
	require(size == 0 || unescape_hex(text, bytes, size - 1) < 0);
	free(text);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1), *word = malloc(size + 1);
	uint8_t bytes[16];
	size_t length;

	check_set(data, size, ESCAPE_KERNEL, " \t\n");
	check_set(data, size, ESCAPE_ETAB, " \t\n\v\f\r\"#\x7f\x01");
	check_set(data, size, ESCAPE_WIRE, "\t\n\v\f\r\x7f\x01");
	check_hex(data, size);
	if (size)
		memcpy(text, data, size);
	length = unescape_bytes(text, size);
	require(length <= size);
	/* What was unescaped can be escaped and is then the same again. */
	check_set((const uint8_t *)text, length, ESCAPE_WIRE, "\n");
	if (size)
		memcpy(word, data, size);
	word[size] = '\0';
	require(unescape_hex(word, bytes, sizeof(bytes)) <= (ssize_t)sizeof(bytes));
	free(text);
	free(word);
	return 0;
}
