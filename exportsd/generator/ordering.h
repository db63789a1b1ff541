/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ordering.h - after which mounts the NFS server is to start, and before which: a drop-in for its
 * unit, for systemd.unit(5), from the exports and fstab(5). Nothing here asks a name service or
 * looks into a file system that is mounted, for it runs before there is a network, and again when
 * disks may have died.
 */

#include <stdio.h>

#include "parser/snapshot/snapshot.h"

/*
 * ordering_write - write the drop-in.
 *
 * @rootdir: beneath which exported paths lie, or NULL
 * @fstab: its path; a missing one is an empty one
 * @look:  follow symbolic links of the root file system
 *
 * Each directory that is exported must be mounted first, but for those with the option mountpoint,
 * which may be mounted later; those under an fstab entry with noauto; and media, which come when
 * somebody wants them: of a rule only the directory that holds them counts. NFS mounts that no
 * export lies on are made after the server has started, and unmounted before it stops: it may be
 * this one's own.
 *
 * Returns how many lines were written; -ENOMEM.
 */
int ordering_write(const struct snapshot *snapshot, const char *rootdir, const char *fstab,
		   bool look, FILE *to);

/*
 * ordering_unit_name - a mount's unit, "/a b" is "a\x20b.mount": a string to free(3), NULL when
 * memory is out.
 */
char *ordering_unit_name(const char *path);

/*
 * ordering_real_path - a path without the symbolic links that lie on the root file system.
 *
 * What lies behind a mount is not looked at, so the answer is the same before and after the mounts.
 * Returns a string to free(3), the path itself if it does not exist; NULL when memory is out.
 */
char *ordering_real_path(const char *path);
