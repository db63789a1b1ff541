/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * loop.h - image files on loop devices, mounted read-only.
 *
 * The image is handed over as a descriptor, so that what was checked is what is mounted. The
 * device is read-only and clears itself when the last mount of it goes (LO_FLAGS_AUTOCLEAR).
 */

#include <sys/stat.h>

#include "parser/base.h"

enum loop_place {
	LOOP_FREE, /* a directory; or a mount of its own parent's file system: a placeholder */
	LOOP_TAKEN, /* a loop device is mounted there */
	LOOP_OTHER, /* something else is mounted there */
};

/*
 * loop_look - what is mounted at a path now.
 *
 * @path: absolute; its last component must be a directory and no symbolic link
 * @ret_device: "/dev/loop3", to free(3); set if LOOP_TAKEN
 *
 * Returns an enum loop_place; -errno (-ENOTDIR, -ELOOP, -ENOENT: the path is none).
 */
int loop_look(const char *path, char **ret_device);

/*
 * loop_mount - attach an image and mount it with ro,nosuid,nodev.
 *
 * @image_fd: open for reading
 * @name:     for losetup(8) to show
 * @type:     file system, not guessed
 * @options:  further options of mount(8), or NULL
 * @ret_device: "/dev/loop3"
 * @reterr_why: in words; may stay NULL
 *
 * Returns 0; -errno.
 */
int loop_mount(int image_fd, const char *name, const char *type, const char *options,
	       const char *path, char **ret_device, char **reterr_why);

/* loop_unmount - undo it. Returns 0; -EBUSY: in use; -errno. */
int loop_unmount(const char *path);
