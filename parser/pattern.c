/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * pattern.c - wildcards in paths, with quoted and escaped bytes told from others.
 */

#include "parser/pattern.h"

#include <errno.h>

static bool is_wild(const char *path, size_t at, const uint32_t *origins, char c)
{
	return path[at] == c && !(origins && (origins[at] & 1));
}

/* The ']' that closes a '[' at @at, or @length. One that comes first is a member of the set. */
static size_t set_end(const char *path, size_t length, const uint32_t *origins, size_t at)
{
	at++;
	if (at < length && (is_wild(path, at, origins, '!') || is_wild(path, at, origins, '^')))
		at++;
	for (size_t first = at; at < length && path[at] != '/'; at++) {
		if (at > first && is_wild(path, at, origins, ']'))
			return at;
	}
	return length;
}

size_t pattern_find(const char *path, size_t length, const uint32_t *origins)
{
	for (size_t at = 0; at < length; at++) {
		if (is_wild(path, at, origins, '*') || is_wild(path, at, origins, '?'))
			return at;
		if (is_wild(path, at, origins, '[') && set_end(path, length, origins, at) < length)
			return at;
	}
	return length;
}

/* One byte into the pattern. @set_ends: behind the set that @at is in, or 0. */
static char *put_byte(char *to, const struct lex_word *word, size_t at, size_t set_ends)
{
	char byte = word->text[at];
	bool literal = lex_is_literal(word, at);

	/* Unescaped: a backslash; an opening bracket within a set, or of none. */
	if (byte == '\\' || (literal && strchr("*?[]!^-", byte)) ||
	    (byte == '[' && at < set_ends) ||
	    (byte == '[' && !literal &&
	     set_end(word->text, word->length, word->origins, at) == word->length))
		*to++ = '\\';
	*to++ = byte;
	return to;
}

/* Is the component at @at "." or ".."? */
static bool is_dots(const struct lex_word *word, size_t at)
{
	size_t length = strcspn(word->text + at, "/");

	return (length == 1 && word->text[at] == '.') ||
	       (length == 2 && word->text[at] == '.' && word->text[at + 1] == '.');
}

int pattern_read(struct exports_arena *arena, const struct lex_word *word, const char **ret_path,
		 const char **ret_pattern, size_t *ret_fault)
{
	CLEANUP(freep) char *path = malloc(word->length + 1);
	CLEANUP(freep) char *pattern = malloc(2 * word->length + 1);
	size_t path_length = 0, set_ends = 0;
	char *to = pattern;

	if (!path || !pattern)
		return -ENOMEM;
	for (size_t at = 0; at < word->length; at++) {
		char byte = word->text[at];

		if (byte == '/' && (word->text[at + 1] == '/' || word->text[at + 1] == '\0'))
			continue;
		if (byte == '/' && is_dots(word, at + 1)) {
			*ret_fault = at + 1;
			return PATTERN_INVALID;
		}
		to = put_byte(to, word, at, set_ends);
		if (at >= set_ends && is_wild(word->text, at, word->origins, '[')) {
			size_t end = set_end(word->text, word->length, word->origins, at);

			set_ends = end < word->length ? end : 0;
		}
		path[path_length++] = byte;
	}
	*ret_path = arena_copy(arena, path, path_length);
	*ret_pattern = arena_copy(arena, pattern, (size_t)(to - pattern));
	return *ret_path && *ret_pattern ? 0 : -ENOMEM;
}
