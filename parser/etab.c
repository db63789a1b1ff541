/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * etab.c - words of nfs-utils' etab: as putexportent() writes them (support/nfs/exports.c), made so
 * that they can be read back, by nfs-utils too.
 */

#include "parser/etab.h"

#include "parser/pattern.h"

/* A text on its way, with the bytes before this one. */
struct writing {
	FILE *to;
	char before[3];
};

/* The bytes that nfs-utils escapes in paths: xio.c, putexportent(). */
static bool is_plain(char byte)
{
	unsigned char c = (unsigned char)byte;

	return c > ' ' && c != 0x7f && c != '\\' && c != '"' && c != '#';
}

static bool is_octal(char byte)
{
	return byte >= '0' && byte <= '7';
}

/*
 * Is @byte the third digit behind a backslash? A reader takes a backslash, however it is written,
 * and three digits for an escape, unless the last of them was escaped itself.
 */
static bool ends_escape(const struct writing *writing, char byte)
{
	const char *before = writing->before;

	return before[0] == '\\' && before[1] >= '0' && before[1] <= '3' && is_octal(before[2]) &&
	       is_octal(byte);
}

static void put_byte(struct writing *writing, char byte, bool escaped)
{
	if (escaped || ends_escape(writing, byte))
		fprintf(writing->to, "\\%03o", (unsigned char)byte);
	else
		putc_unlocked(byte, writing->to);
	writing->before[0] = writing->before[1];
	writing->before[1] = writing->before[2];
	writing->before[2] = byte;
}

void etab_put_text(FILE *to, const char *text)
{
	struct writing writing = { .to = to };
	const char *first = text;

	for (; *text; text++)
		put_byte(&writing, *text,
			 !is_plain(*text) && *text != '\\' && (*text != '#' || text == first));
}

void etab_put_path(FILE *to, const char *text)
{
	struct writing writing = { .to = to };

	for (; *text; text++)
		put_byte(&writing, *text, !is_plain(*text));
}

/* Its own wildcard characters are escaped, but only where they would make it a rule. */
static void put_path(FILE *to, const char *path)
{
	struct writing writing = { .to = to };
	size_t length = strlen(path);
	bool wild = pattern_find(path, length, NULL) < length;

	for (; *path; path++)
		put_byte(&writing, *path, !is_plain(*path) || (wild && strchr("*?[", *path)));
}

/* What stands behind a backslash in the pattern means itself: so do octal escapes. */
static void put_pattern(FILE *to, const char *pattern)
{
	struct writing writing = { .to = to };

	for (; *pattern; pattern++) {
		bool literal = *pattern == '\\' && pattern[1];

		pattern += literal;
		put_byte(&writing, *pattern, literal || !is_plain(*pattern));
	}
}

void etab_put_pair(FILE *to, const char *path, const char *pattern, const char *client)
{
	if (pattern)
		put_pattern(to, pattern);
	else
		put_path(to, path);
	putc_unlocked('\t', to);
	etab_put_text(to, client);
}
