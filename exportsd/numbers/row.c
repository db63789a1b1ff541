/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * row.c - facts of the number store.
 *
 * The checksum takes the fields in a fixed order as 64-bit words: numbers as they are, texts as
 * their length and their bytes, eight to a word, the first one lowest. Every step of it is
 * reversible, so one wrong word always shows. It guards against disks, not against people.
 */

#include "exportsd/numbers/row.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>

static uint64_t hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint64_t hash_text(uint64_t hash, const char *bytes, size_t n_bytes)
{
	uint64_t word;

	hash = hash_word(hash, n_bytes);
	for (; n_bytes >= sizeof(word); bytes += sizeof(word), n_bytes -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash = hash_word(hash, le64toh(word));
	}
	word = 0;
	memcpy(&word, bytes, n_bytes);
	return hash_word(hash, le64toh(word));
}

uint64_t store_row_checksum(const struct store_row *row)
{
	uint64_t hash = hash_word(0, row->number);

	hash = hash_text(hash, row->path, row->n_path);
	hash = hash_text(hash, row->identity ?: "", row->identity ? row->n_identity : 0);
	hash = hash_word(hash, row->sequence << 1 | row->retired);
	return hash_word(hash, (uint64_t)row->created);
}

bool store_row_good(const struct store_row *row)
{
	if (row->number > NUMBERS_LAST || row->n_path == 0 || row->n_path > STORE_PATH_MAX ||
	    row->path[0] != '/' || memchr(row->path, '\0', row->n_path) ||
	    row->sequence > INT64_MAX)
		return false;
	return !row->identity ||
	       (row->number && row->n_identity > 0 && row->n_identity <= NUMBERS_IDENTITY_MAX &&
		!memchr(row->identity, '\0', row->n_identity));
}

static bool same_bytes(const char *a, size_t n_a, const char *b, size_t n_b)
{
	return n_a == n_b && memcmp(a, b, n_a) == 0;
}

bool store_row_join(struct store_row *row, const struct store_row *other)
{
	if (row->number != other->number ||
	    !same_bytes(row->path, row->n_path, other->path, other->n_path))
		return false;
	if (row->identity && other->identity &&
	    !same_bytes(row->identity, row->n_identity, other->identity, other->n_identity))
		return false;
	if (!row->identity) {
		row->identity = other->identity;
		row->n_identity = other->n_identity;
	}
	/* Said at the same time, by copies that did not know of each other: retired wins. */
	if (other->sequence == row->sequence)
		row->retired |= other->retired;
	else if (other->sequence > row->sequence)
		row->retired = other->retired;
	if (other->sequence > row->sequence)
		row->sequence = other->sequence;
	if (!row->created || (other->created && other->created < row->created))
		row->created = other->created;
	return true;
}

int store_fail(int error, char **reterr_why, const char *format, ...)
{
	va_list ap;

	free(*reterr_why);
	va_start(ap, format);
	if (vasprintf(reterr_why, format, ap) < 0)
		*reterr_why = NULL;
	va_end(ap);
	return error;
}
