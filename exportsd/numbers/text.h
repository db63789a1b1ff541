/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * text.h - the numbers as text: to keep, to carry elsewhere, to recover from.
 *
 *	# exportsd numbers 2
 *	number=70000 sequence=3 retired=0 created=1700000000 path=/mnt/cdrom/a identity=iso9660\040A
 *	end n=1 sum=0123456789abcdef
 *	mac=...
 *
 * Values are escaped as in /proc/net/rpc. n and sum are those of struct store_totals. The last line
 * is only in copies that others could write to: HMAC-SHA256 of all before it, with this server's
 * key.
 */

#include "exportsd/numbers/entries.h"

enum {
	STORE_TEXT_MAX = 1 << 30, /* bytes of a file that is read */
	STORE_KEY_BYTES = 32,
};

/*
 * store_text_write - every number in order, in memory; directories are this machine's.
 *
 * @key: for the MAC, STORE_KEY_BYTES; NULL: without
 *
 * Returns 0, and bytes to free(3); -ENOMEM.
 */
int store_text_write(struct numbers_entries *entries, const unsigned char *key, char **ret_bytes,
		     size_t *ret_n_bytes);

/*
 * store_text_read - what store_text_write() gave.
 *
 * @bytes: overwritten
 * @key:   NULL: a MAC is not looked at
 *
 * Returns 0; STORE_TEXT_NO_MAC: it is whole, but has no MAC, or another key's; -EUCLEAN: it is not
 * whole, or not of this form; nothing was given to @row then; or what @row returned.
 */
enum { STORE_TEXT_NO_MAC = 1 };
int store_text_read(char *bytes, size_t n_bytes, const unsigned char *key, store_row_fn row,
		    void *userdata, char **reterr_why);

/*
 * store_key_read - this server's key, from the state directory.
 *
 * @make: if it is missing
 *
 * Returns 0; -ENOENT; -errno.
 */
int store_key_read(const char *state_directory, bool make, unsigned char ret_key[STORE_KEY_BYTES]);
