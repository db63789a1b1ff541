/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* handlecheck.c - name_to_handle_at(2), drop_caches (proc(5)), open_by_handle_at(2). */

#include "exportsd/ctl/handlecheck.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

enum {
	SAMPLES_MAX = 16,
	SEEN_MAX = 1000,
	HANDLE_MAX = 128, /* MAX_HANDLE_SZ */
};

struct sample {
	struct {
		struct file_handle handle;
		unsigned char bytes[HANDLE_MAX];
	} room;
	ino_t inode;
	mode_t mode;
};

struct handlecheck {
	char *root;
	long file_system; /* statfs f_type */
	struct sample samples[SAMPLES_MAX];
	size_t n_samples, n_seen;
	int error; /* of the first that has no handle */
};

/* nftw() passes nothing on. */
static struct handlecheck *walking;

static int take_sample(const char *path, const struct stat *facts, int type, struct FTW *where)
{
	struct handlecheck *check = walking;
	struct sample *sample = &check->samples[check->n_samples];
	int mount_id;

	if (++check->n_seen > SEEN_MAX)
		return 1;
	if (where->level == 0)
		return 0;
	sample->room.handle.handle_bytes = HANDLE_MAX;
	if (name_to_handle_at(AT_FDCWD, path, &sample->room.handle, &mount_id, 0) < 0) {
		check->error = -errno;
		return 1;
	}
	sample->inode = facts->st_ino;
	sample->mode = facts->st_mode;
	return ++check->n_samples < SAMPLES_MAX ? 0 : 1;
}

int handlecheck_new(const char *root, struct handlecheck **ret_check)
{
	enum { DIRECTORIES_OPEN = 8 };
	struct handlecheck *check = calloc(1, sizeof(*check));
	struct statfs facts;

	if (!check)
		return -ENOMEM;
	check->root = strdup(root);
	if (!check->root || statfs(root, &facts) < 0) {
		int r = check->root ? -errno : -ENOMEM;

		handlecheck_free(check);
		return r;
	}
	check->file_system = (long)facts.f_type;
	walking = check;
	if (nftw(root, take_sample, DIRECTORIES_OPEN, FTW_MOUNT | FTW_PHYS) < 0 && !check->error)
		check->error = -errno;
	*ret_check = check;
	return 0;
}

struct handlecheck *handlecheck_free(struct handlecheck *check)
{
	if (check)
		free(check->root);
	free(check);
	return NULL;
}

bool handlecheck_has_files(const struct handlecheck *check)
{
	return check->n_samples > 0;
}

int handlecheck_evict(void)
{
	/* Once for what was used last, once for what that set free. */
	for (int i = 0; i < 2; i++) {
		CLEANUP(closep) int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, "3\n", 2) < 0)
			return -errno;
	}
	return 0;
}

/* Returns 0; -errno. */
static int find(int mount_fd, struct sample *sample)
{
	CLEANUP(closep)
	int fd = open_by_handle_at(mount_fd, &sample->room.handle, O_PATH | O_CLOEXEC);
	struct stat facts;

	if (fd < 0 || fstat(fd, &facts) < 0)
		return -errno;
	/* Another number is another file to an NFS client. */
	return facts.st_ino == sample->inode && facts.st_mode == sample->mode ? 0 : -ESTALE;
}

enum handlecheck_verdict handlecheck_verify(struct handlecheck *check, size_t *ret_tried)
{
	CLEANUP(closep) int mount = open(check->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t n_lost_files = 0, n_lost_directories = 0;

	*ret_tried = 0;
	if (check->error == -EOPNOTSUPP || check->error == -EOVERFLOW)
		return HANDLES_NONE;
	for (size_t i = 0; mount >= 0 && i < check->n_samples; i++) {
		int r = find(mount, &check->samples[i]);

		if (r == -EPERM)
			return HANDLES_UNTRIED;
		++*ret_tried;
		if (r < 0 && S_ISDIR(check->samples[i].mode))
			n_lost_directories++;
		else if (r < 0)
			n_lost_files++;
	}
	if (n_lost_files)
		return HANDLES_FORGOTTEN;
	if (n_lost_directories)
		return HANDLES_FORGOTTEN_DIRECTORIES;
	return *ret_tried ? HANDLES_GOOD : HANDLES_UNTRIED;
}

bool handlecheck_is_bad(enum handlecheck_verdict verdict)
{
	return verdict != HANDLES_GOOD && verdict != HANDLES_UNTRIED;
}

const char *handlecheck_text(enum handlecheck_verdict verdict)
{
	switch (verdict) {
	case HANDLES_GOOD: return "file handles are found again";
	case HANDLES_NONE: return "its file system makes no file handles: nfsd cannot export it";
	case HANDLES_FORGOTTEN:
		return "its file system finds files by their handles only while they are in memory: "
		       "clients will see stale handles";
	case HANDLES_FORGOTTEN_DIRECTORIES:
		return "its file system finds directories by their handles only while they are in "
		       "memory: clients may see stale handles";
	case HANDLES_UNTRIED: return "no file in it that could be tried";
	}
	return "?";
}

const char *handlecheck_advice(const struct handlecheck *check, enum handlecheck_verdict verdict)
{
	if (!handlecheck_is_bad(verdict))
		return NULL;
	switch (check->file_system) {
	case MSDOS_SUPER_MAGIC:
		/* fs/fat/nfs.c fat_get_parent(): ".." of what lies in the root names no cluster. */
		return verdict == HANDLES_FORGOTTEN
			       ? "mount it read-only with nfs=nostale_ro"
			       : "with FAT it cannot be helped; make an image of another kind of it";
	case SQUASHFS_MAGIC: return "make the image without -no-exports";
	case FUSE_SUPER_MAGIC:
		return "its FUSE server must be able to look up nodes after they were forgotten "
		       "(FUSE_EXPORT_SUPPORT)";
	case OVERLAYFS_SUPER_MAGIC: return "mount it with nfs_export=on";
	default: return NULL;
	}
}
