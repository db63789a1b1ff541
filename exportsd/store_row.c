/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * store_row.c - facts of the number store.
 *
 * The checksum is FNV-1a with 64 bits (draft-eastlake-fnv) over the fields in a fixed order, numbers as 8 bytes, lowest first,
 * each text after its length. Every step is reversible, so one wrong byte always shows. It guards against
 * disks, not against people.
 */

#include "exportsd/store_row.h"

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
	for (int i = 0; i < 8; i++, number >>= 8)
		hash = (hash ^ (number & 0xff)) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t store_row_checksum(const struct store_row *row)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	hash = hash_number(hash, row->number);
	hash = hash_number(hash, row->n_path);
	hash = hash_bytes(hash, row->path, row->n_path);
	hash = hash_number(hash, row->identity ? row->n_identity : UINT64_MAX);
	hash = hash_bytes(hash, row->identity ?: "", row->identity ? row->n_identity : 0);
	hash = hash_number(hash, row->sequence << 1 | row->retired);
	return hash_number(hash, (uint64_t)row->created);
}

bool store_row_good(const struct store_row *row)
{
	if (row->number > STORE_NUMBER_LAST || row->n_path == 0 || row->n_path > STORE_PATH_MAX ||
	    row->path[0] != '/' || memchr(row->path, '\0', row->n_path) ||
	    row->sequence > INT64_MAX)
		return false;
	return !row->identity ||
	       (row->number && row->n_identity > 0 && row->n_identity <= STORE_IDENTITY_MAX &&
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
