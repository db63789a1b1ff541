/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * upcall.h - the text of the kernel's questions and of our answers. Pure.
 *
 * Formats: linux net/sunrpc/svcauth_unix.c ip_map_parse(), unix_gid_parse(), fs/nfsd/export.c
 * svc_export_parse(), expkey_parse(). Field order in answers as rpc.mountd writes it
 * (support/export/cache.c dump_to_cache()), so that both leave the same in the kernel.
 */

#include "exportsd/kernel/kernel.h"
#include "parser/exports.h"

enum { UPCALL_FSID_MAX = 24 };

/* The parts of a file handle's file system id: linux fs/nfsd/nfsfh.h enum nfsd_fsid. */
enum upcall_fsid_type {
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

/* key_len(): bytes of a file system id of that type. */
size_t fsid_length(enum upcall_fsid_type type);

struct upcall {
	enum kernel_cache cache;
	char *domain; /* EXPORT, FH */
	char *path; /* EXPORT */
	char *address; /* IP: as the kernel wrote it */
	uint32_t uid; /* GID */
	enum upcall_fsid_type fsid_type; /* FH */
	uint8_t fsid[UPCALL_FSID_MAX]; /* FH: fsid_length(fsid_type) bytes */
};

/*
 * upcall_parse - read a question.
 *
 * @line: without its newline
 * @ret_upcall: free its contents with upcall_done()
 *
 * Returns 0; UPCALL_MALFORMED (no answer would reach its question); -ENOMEM.
 */
enum { UPCALL_MALFORMED = 1 };
int upcall_parse(enum kernel_cache cache, const char *line, struct upcall *ret_upcall);
void upcall_done(struct upcall *upcall);

/* The number in an FSID_NUM. */
uint32_t upcall_fsid_number(const struct upcall *upcall);

/* What nfsd.export is told of an export, beyond its options. */
struct upcall_export {
	const struct export_options *options;
	uint32_t flags; /* instead of options->flags */
	uint32_t fsid;
	bool has_uuid;
	uint8_t uuid[16];
};

/*
 * The answers: a line with its newline, to free(3); NULL when memory is out.
 *
 * @expiry: seconds of CLOCK_REALTIME
 * @domain NULL (ip), @export NULL (export), @path NULL (fh): the negative answer
 */
char *upcall_answer_ip(const char *address, uint64_t expiry, const char *domain);
char *upcall_answer_gid(uint32_t uid, uint64_t expiry, const uint32_t *groups, size_t n_groups);
char *upcall_answer_export(const char *domain, const char *path, uint64_t expiry,
			   const struct upcall_export *export);
char *upcall_answer_fh(const struct upcall *upcall, uint64_t expiry, const char *path);
