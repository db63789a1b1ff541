/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * fsid.h - the part of a file handle that names the file system: linux fs/nfsd/nfsfh.h enum
 * nfsd_fsid, key_len().
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { KERNEL_FSID_MAX = 24 };

enum kernel_fsid_type {
	FSID_DEV = 0,
	FSID_NUM = 1,
	FSID_MAJOR_MINOR = 2,
	FSID_ENCODE_DEV = 3,
	FSID_UUID4_INUM = 4,
	FSID_UUID8 = 5,
	FSID_UUID16 = 6,
	FSID_UUID16_INUM = 7,
	FSID_N_TYPES,
};

struct kernel_fsid {
	enum kernel_fsid_type type;
	uint8_t bytes[KERNEL_FSID_MAX]; /* as they are in the handle; zero beyond their length */
};

/* Bytes of a file system id of that type. */
static inline size_t kernel_fsid_length(enum kernel_fsid_type type)
{
	static const uint8_t lengths[FSID_N_TYPES] = { 8, 4, 12, 8, 8, 8, 16, 24 };

	return lengths[type];
}

/* The number in an FSID_NUM, which is in the host's order (mk_fsid()). */
static inline uint32_t kernel_fsid_number(const struct kernel_fsid *fsid)
{
	uint32_t number;

	memcpy(&number, fsid->bytes, sizeof(number));
	return number;
}

static inline struct kernel_fsid kernel_fsid_of_number(uint32_t number)
{
	struct kernel_fsid fsid = { .type = FSID_NUM };

	memcpy(fsid.bytes, &number, sizeof(number));
	return fsid;
}
