/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * mounts.h - what is mounted at a directory, and the few mounts the daemon makes itself.
 *
 * Everything works on descriptors, beneath a directory, over no symbolic link, and triggers no
 * automount.
 */

#include <sys/types.h>

#include "parser/base.h"

/* What lies at a place right now. */
struct mounts_place {
	uint64_t mount_id;
	bool id_is_unique; /* never used again (Linux 6.8), and not /proc/self/mountinfo's */
	dev_t device;
	ino_t inode;
	bool is_mount_root; /* a bind mount's root too */
};

/* mounts_same - one directory, whichever mount it is seen through. */
static inline bool mounts_same(const struct mounts_place *a, const struct mounts_place *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/*
 * mounts_same_mount - the same directory, seen through the same mount; ids are used again
 * (@id_is_unique).
 */
static inline bool mounts_same_mount(const struct mounts_place *a, const struct mounts_place *b)
{
	return mounts_same(a, b) && a->mount_id == b->mount_id;
}

/*
 * mounts_open - open a directory by its absolute path: O_PATH, no symbolic link anywhere on the
 * way.
 *
 * Returns a descriptor; -ENOENT, -ELOOP (a symbolic link), -ENOTDIR, ...
 */
int mounts_open(const char *path);

/*
 * mounts_open_beneath - the same, beneath an open directory (openat2(2) RESOLVE_BENEATH).
 *
 * @relative: "" is the directory itself, opened again
 */
int mounts_open_beneath(int directory_fd, const char *relative);

/* mounts_look - what a descriptor of mounts_open*() is on. Returns 0; -errno. */
int mounts_look(int fd, struct mounts_place *ret_place);

/*
 * mounts_look_under - what lies at a name of a directory under all that is mounted there.
 *
 * Returns 0; -ENOENT; -EPERM without the right to mount; -errno.
 */
int mounts_look_under(int directory_fd, const char *name, struct mounts_place *ret_place);

/*
 * mounts_is_detached - is this the root of a mount that is attached nowhere (fsmount(2),
 * open_tree(2))?
 *
 * What is attached must be neither moved nor unmounted because somebody could open it.
 * Returns 1; 0; -errno.
 */
int mounts_is_detached(int fd);

/*
 * mounts_hold - a descriptor that keeps a file system from ending, its device number from being
 * given to another one; its mounts can be unmounted all the same.
 *
 * @root_fd: the root of a mount of it
 * Returns a descriptor; -EPERM without the right to mount; -errno.
 */
int mounts_hold(int root_fd);

/* mounts_attach - put a detached mount (fsmount(2)) on a directory. Returns 0; -errno. */
int mounts_attach(int mount_fd, int directory_fd);

/* mounts_detach - take away again what was attached, wherever it is now. Returns 0; -errno. */
int mounts_detach(int mount_fd);

/*
 * mounts_bind_self - bind a directory on itself, so that nfsd takes it for a mount point.
 *
 * The new mount shares nothing with the one it lies on: else what is mounted on it would turn up a
 * second time underneath (shared subtrees, mount_namespaces(7)).
 */
int mounts_bind_self(int directory_fd);

/*
 * mounts_probe - does anything hold the mount beneath a directory, so that it cannot be unmounted?
 *
 * Nothing waits, and nothing is unmounted: the mount must have been looked at since the last probe
 * (umount(2) MNT_EXPIRE unmounts what was not).
 * Returns 0; -EBUSY; -errno.
 */
int mounts_probe(int directory_fd, const char *relative);

/*
 * mounts_abandon - take away the topmost mount, whoever holds it: they keep what they have until
 * they let go, and nobody finds it any more. Only for what cannot be read any more: nobody can tell
 * when it ends. Returns 0; -errno.
 */
int mounts_abandon(int directory_fd, const char *relative);

/*
 * mounts_unmount - take the topmost mount off a path beneath a directory. Returns 0; -EBUSY;
 * -errno.
 */
int mounts_unmount(int directory_fd, const char *relative);
