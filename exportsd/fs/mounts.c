/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mounts.c - system calls about mounts, none of which waits for a file system that hangs.
 *
 * Looking asks statx(2) not to go and ask a server (AT_STATX_DONT_SYNC), and an O_PATH descriptor
 * opens nothing.
 *
 * What lies under a mount is seen through a copy of the mount that its directory is in:
 * open_tree(2) without AT_RECURSIVE copies the one mount and none that are attached to it (linux
 * fs/namespace.c __do_loopback()). The copy is attached nowhere and is gone when its descriptor is
 * closed.
 */

#include "exportsd/fs/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000
#endif

enum { FD_NAME_BYTES = sizeof("/proc/self/fd/") + 3 * sizeof(int) };

/* The C library has no openat2(). */
static int open_how(int directory_fd, const char *path, uint64_t resolve)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = resolve };
	long fd = syscall(SYS_openat2, directory_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int mounts_open(const char *path)
{
	return open_how(AT_FDCWD, path, RESOLVE_NO_SYMLINKS);
}

int mounts_open_beneath(int directory_fd, const char *relative)
{
	return open_how(directory_fd, *relative ? relative : ".",
			RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
}

static int look(int fd, const char *name, struct mounts_place *ret_place)
{
	struct statx facts;

	if (statx(fd, name,
		  AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_INO | STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &facts) < 0)
		return -errno;
	if (!(facts.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return -ENOSYS; /* before Linux 5.8 */
	*ret_place = (struct mounts_place){
		.mount_id = facts.stx_mnt_id,
		.id_is_unique = facts.stx_mask & STATX_MNT_ID_UNIQUE,
		.device = makedev(facts.stx_dev_major, facts.stx_dev_minor),
		.inode = facts.stx_ino,
		.is_mount_root = facts.stx_attributes & STATX_ATTR_MOUNT_ROOT,
	};
	return 0;
}

int mounts_look(int fd, struct mounts_place *ret_place)
{
	return look(fd, "", ret_place);
}

int mounts_look_under(int directory_fd, const char *name, struct mounts_place *ret_place)
{
	CLEANUP(closep)
	int copy = open_tree(directory_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	return copy < 0 ? -errno : look(copy, name, ret_place);
}

/* Its path ends at its own root (linux fs/d_path.c prepend_path()); else only that of / does. */
int mounts_is_detached(int fd)
{
	char name[FD_NAME_BYTES], path[2];
	struct mounts_place place, root;
	ssize_t n;
	int r = mounts_look(fd, &place);

	if (r == 0)
		r = look(AT_FDCWD, "/", &root);
	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path));
	if (n < 0)
		return -errno;
	return n == 1 && path[0] == '/' && place.is_mount_root && place.mount_id != root.mount_id;
}

/* linux fs/fs_context.c alloc_fs_context() takes the superblock, and not the mount. */
int mounts_hold(int root_fd)
{
	int fd = fspick(root_fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH | FSPICK_NO_AUTOMOUNT);

	return fd < 0 ? -errno : fd;
}

int mounts_attach(int mount_fd, int directory_fd)
{
	if (move_mount(mount_fd, "", directory_fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

int mounts_detach(int mount_fd)
{
	char path[FD_NAME_BYTES];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", mount_fd);
	return umount2(path, MNT_DETACH) < 0 ? -errno : 0;
}

int mounts_bind_self(int directory_fd)
{
	CLEANUP(closep)
	int copy = open_tree(directory_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	struct mount_attr private = { .propagation = MS_PRIVATE };

	if (copy < 0)
		return -errno;
	if (mount_setattr(copy, "", AT_EMPTY_PATH, &private, sizeof(private)) < 0)
		return -errno;
	return mounts_attach(copy, directory_fd);
}

/*
 * umount(2) takes no descriptor, and follows links on the way: the directory that holds the last
 * name is ours.
 */
static int unmount(int directory_fd, const char *relative, int flags)
{
	const char *slash = strrchr(relative, '/');
	size_t n_above = slash ? (size_t)(slash - relative) : 0;
	CLEANUP(freep) char *above = strndup(relative, n_above);
	CLEANUP(freep) char *path = NULL;
	CLEANUP(closep) int parent = -1;

	if (!above)
		return -ENOMEM;
	parent = mounts_open_beneath(directory_fd, above);
	if (parent < 0)
		return parent;
	if (asprintf(&path, "/proc/self/fd/%d/%s", parent, slash ? slash + 1 : relative) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return umount2(path, UMOUNT_NOFOLLOW | flags) < 0 ? -errno : 0;
}

int mounts_unmount(int directory_fd, const char *relative)
{
	return unmount(directory_fd, relative, 0);
}

int mounts_abandon(int directory_fd, const char *relative)
{
	return unmount(directory_fd, relative, MNT_DETACH);
}

int mounts_probe(int directory_fd, const char *relative)
{
	int r = unmount(directory_fd, relative, MNT_EXPIRE);

	return r == -EAGAIN ? 0 : r;
}
