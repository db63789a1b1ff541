/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * filehandle.h - what is in a file handle of Linux' NFS server. Pure: text or bytes in, facts out.
 *
 * Layout: linux include/linux/nfsd/nfsfh.h, fs/nfsd/nfsfh.h mk_fsid(): version (1), auth type, type
 * of the file system id, type of the file id, then the file system id (kernel_fsid_length()), then what
 * the file system made itself (include/linux/exportfs.h enum fid_type). Numbers are in the server's
 * byte order, taken as little-endian.
 */

#include <stdio.h>

#include "exportsd/kernel/fsid.h"
#include "parser/base.h"

enum { FILEHANDLE_MAX = 128 }; /* NFS4_FHSIZE */

struct filehandle {
	uint8_t bytes[FILEHANDLE_MAX];
	size_t n_bytes; /* how many are here */
	size_t n_whole; /* how many it has: more than are here if what printed it cut it off */
};

/*
 * filehandle_parse - take a handle out of what a program printed.
 *
 * Hex digits with or without 0x or \x, in one piece or divided by spaces, colons, commas or hyphens
 * (tcpdump, tshark, /proc/fs/nfsd/filehandle, rpcdebug -m nfs); \x01\x00; words like FileHandle: or
 * Unknown/ in front; nfsd's own logs, "8: 01 00 01 00 ..." or, before Linux 5.16, "8: 00010001 ..."
 * with each word's bytes turned round.
 *
 * Returns 0; FILEHANDLE_HASH (eight digits alone: *ret_hash, what others print in a handle's
 * place); -EINVAL (*ret_why); -E2BIG (longer than any handle).
 */
enum { FILEHANDLE_HASH = 1 };
int filehandle_parse(const char *text, struct filehandle *ret_handle, uint32_t *ret_hash,
		     const char **ret_why);

/* What is wrong with a handle, the worst first. */
enum filehandle_fault {
	FILEHANDLE_GOOD,
	FILEHANDLE_SHORT, /* it ends before its file system id does */
	FILEHANDLE_OLD, /* the form of Linux 2.2, which newer servers refuse */
	FILEHANDLE_FOREIGN, /* another version than 1: not from Linux, or mangled */
	FILEHANDLE_BAD_AUTH, /* an auth type that is not 0 */
	FILEHANDLE_BAD_FSID, /* a type of file system id that is not known */
};

/* How the file id names the file, as far as its type tells. */
enum fileid_shape {
	FILEID_NONE, /* the export's root */
	FILEID_INODE, /* inode and generation; also of the parent in some */
	FILEID_OPAQUE, /* known, or unknown, and not to be read from outside */
};

struct filehandle_facts {
	enum filehandle_fault fault;
	/* From here on only of a GOOD one. */
	enum kernel_fsid_type fsid_type;
	const uint8_t *fsid; /* in the handle, kernel_fsid_length(fsid_type) bytes */
	uint32_t number; /* FSID_NUM */
	uint32_t major, minor; /* FSID_DEV, MAJOR_MINOR, ENCODE_DEV */
	uint64_t root_inode; /* of the export's directory, in types that have it */
	bool has_device, has_root_inode, has_uuid;
	uint8_t uuid[16];
	size_t uuid_length; /* 4 and 8: folded, FSID_UUID4_INUM and FSID_UUID8 */
	uint8_t fileid_type;
	const uint8_t *fileid; /* in the handle */
	size_t fileid_length; /* what is here */
	enum fileid_shape shape;
	bool has_inode, has_parent;
	uint64_t inode, parent_inode;
	uint32_t generation;
};

void filehandle_decode(const struct filehandle *handle, struct filehandle_facts *ret_facts);

/* Static texts. fileid: the kernel's name, "FILEID_INO32_GEN"; NULL: none is known for it. */
const char *filehandle_fault_text(enum filehandle_fault fault);
const char *filehandle_fsid_name(enum kernel_fsid_type type);
const char *filehandle_fileid_name(uint8_t type);

/*
 * filehandle_hash - the CRC-32 that wireshark, nfsd's tracepoints (fh_hash) and the client's logs
 * print.
 */
uint32_t filehandle_hash(const uint8_t *bytes, size_t n_bytes);
