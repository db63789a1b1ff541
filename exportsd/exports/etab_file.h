/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * etab_file.h - nfs-utils' etab: what is exported, for tools. Read and written under nfs-utils'
 * lock, in its order, and replaced only if its bytes change (support/export/xtab.c). These
 * functions block: for tools and threads.
 *
 * etab holds plain exports. Rules are not in it: a stock tool would stop reading at the first one.
 * Nor are host names that do not resolve, which nfs-utils leaves out, too.
 */

#include "exportsd/exports/runtime.h"
#include "parser/snapshot/snapshot.h"

#define ETAB_NAME "etab"

/*
 * How long another holder of the lock is waited for: nfs-utils' support/nfs/xlog... alarm of
 * xflock().
 */
enum { ETAB_LOCK_SECONDS = 10 };

/*
 * etab_order - the snapshot's exports as nfs-utils orders them; what is not in etab comes behind,
 * in the files' order.
 *
 * @ret_indices: room for all of them; @ret_n_in_etab: may be NULL
 */
int etab_order(const struct snapshot *snapshot, size_t *ret_indices, size_t *ret_n_in_etab);

/* Returns 0; -ENOENT: there is none; -ETIMEDOUT: the lock was not to be had; -errno. */
int etab_file_read(const char *directory, char **ret_text, struct file_version *ret_version);

/* etab_file_version - without the lock. Returns 0; -errno. */
int etab_file_version(const char *directory, struct file_version *ret_version);

/* Returns 0; -ETIMEDOUT; -errno. */
int etab_file_write(const char *directory, const struct snapshot *snapshot, uint32_t per_flavor,
		    struct file_version *ret_version);
