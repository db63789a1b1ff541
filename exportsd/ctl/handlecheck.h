/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * handlecheck.h - can a file system find its files again by their file handles, as nfsd must be
 * able to?
 *
 * Some cannot make handles; others only find a file as long as it is in the kernel's memory (FAT;
 * with nfs=nostale_ro still its directories; FUSE servers without FUSE_EXPORT_SUPPORT), so that
 * clients see stale handles when memory gets short. It is tried: handles are taken, what is in
 * memory is dropped, the handles are opened.
 *
 * Blocks, and asks the file system: for tools.
 */

#include "parser/base.h"

enum handlecheck_verdict {
	HANDLES_GOOD,
	HANDLES_NONE, /* the file system makes none: nfsd cannot export it */
	HANDLES_FORGOTTEN, /* they do not outlive what is in memory */
	HANDLES_FORGOTTEN_DIRECTORIES, /* those of directories do not */
	HANDLES_UNTRIED, /* nothing but the root is in it, or not allowed */
};

struct handlecheck;

/* handlecheck_new - take handles of some of the files below a root. Returns 0; -errno. */
int handlecheck_new(const char *root, struct handlecheck **ret_check);
struct handlecheck *handlecheck_free(struct handlecheck *check);

/* handlecheck_has_files - is there anything to try? */
bool handlecheck_has_files(const struct handlecheck *check);

/*
 * handlecheck_evict - have the kernel drop all that can be read again (drop_caches): for any number
 * of checks.
 */
int handlecheck_evict(void);

/* handlecheck_verify - after that. @ret_tried: how many files */
enum handlecheck_verdict handlecheck_verify(struct handlecheck *check, size_t *ret_tried);

/* handlecheck_advice - what can be done about it, or NULL. Static. */
const char *handlecheck_advice(const struct handlecheck *check, enum handlecheck_verdict verdict);
/* Clients will see stale handles, or none. */
bool handlecheck_is_bad(enum handlecheck_verdict verdict);
const char *handlecheck_text(enum handlecheck_verdict verdict);
