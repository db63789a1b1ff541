/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rpc-words.h - for unit tests: RPC messages written by hand from the RFCs' tables, word by word, and
 * not by any XDR library: what is wrong there would be wrong on both sides here.
 */

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	uint8_t at[4096];
	size_t n;
};

enum { TEST_XID = 0x12345678 };

__attribute__((unused)) static void put(struct bytes *bytes, uint32_t word)
{
	word = htonl(word);
	memcpy(bytes->at + bytes->n, &word, sizeof(word));
	bytes->n += sizeof(word);
}

__attribute__((unused)) static void put_opaque(struct bytes *bytes, const void *from, size_t n)
{
	memset(bytes->at + bytes->n, 0, n + 3);
	memcpy(bytes->at + bytes->n, from, n);
	bytes->n += (n + 3) / 4 * 4;
}

__attribute__((unused)) static void put_string(struct bytes *bytes, const char *text)
{
	put(bytes, (uint32_t)strlen(text));
	put_opaque(bytes, text, strlen(text));
}

/* Up to the credentials. */
__attribute__((unused)) static struct bytes call_to(uint32_t program, uint32_t version,
						    uint32_t procedure)
{
	struct bytes bytes = { .n = 0 };

	put(&bytes, TEST_XID);
	put(&bytes, 0); /* CALL */
	put(&bytes, 2); /* RPC version */
	put(&bytes, program);
	put(&bytes, version);
	put(&bytes, procedure);
	return bytes;
}

/* AUTH_NONE twice: credentials, verifier. */
__attribute__((unused)) static void put_nobody(struct bytes *bytes)
{
	for (int i = 0; i < 4; i++)
		put(bytes, 0);
}

/* AUTH_SYS with groups 100, 101, ..., and an empty verifier. */
__attribute__((unused)) static void put_unix(struct bytes *bytes, uint32_t uid, uint32_t gid,
					     uint32_t n_groups)
{
	put(bytes, 1);
	put(bytes, 4 + 4 + 8 + 8 + 4 + 4 * n_groups); /* stamp, name with length, ids, groups */
	put(bytes, 77);
	put_string(bytes, "client");
	put(bytes, uid);
	put(bytes, gid);
	put(bytes, n_groups);
	for (uint32_t i = 0; i < n_groups; i++)
		put(bytes, 100 + i);
	put(bytes, 0);
	put(bytes, 0);
}

/* The words every accepted reply begins with. */
__attribute__((unused)) static struct bytes accepted(uint32_t status)
{
	struct bytes bytes = { .n = 0 };

	put(&bytes, TEST_XID);
	put(&bytes, 1); /* REPLY */
	put(&bytes, 0); /* MSG_ACCEPTED */
	put(&bytes, 0); /* verifier: AUTH_NONE */
	put(&bytes, 0);
	put(&bytes, status);
	return bytes;
}
