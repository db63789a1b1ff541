/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * placeholder.h - the plain directories that stand for media: made, bound on themselves, told
 * from what is mounted on them, removed.
 *
 * A placeholder is named by its rule's literal directory, open, and its key: "debian-12",
 * "1999/linz". All of it is on the server's own disk, and is done by the daemon itself, a bounded
 * number at a time.
 */

#include "exportsd/fs/mounts.h"

/* What is at a medium's path. */
enum placeholder_state {
	PLACEHOLDER_BARE, /* the plain directory */
	PLACEHOLDER_BOUND, /* the plain directory, bound on itself */
	PLACEHOLDER_MEDIUM, /* a mount of something else */
};

/*
 * placeholder_state - which of the three a descriptor is on (promise P4 hangs on it).
 *
 * @directory_fd: the rule's literal directory
 * @fd:           of mounts_open_beneath(directory_fd, key)
 *
 * Returns 0; -errno: it cannot be told, so it must not be served.
 */
int placeholder_state(int directory_fd, const char *key, int fd, enum placeholder_state *ret_state);

/*
 * placeholder_n_missing - how many of a key's directories are not there: 0, or its last n
 * components.
 *
 * Returns 0..; -ENOTDIR or -ELOOP if something else is in the way; -errno.
 */
int placeholder_n_missing(int directory_fd, const char *key);

/*
 * placeholder_make - make the directories of a key that are missing: mode 0555, the daemon's own.
 *
 * Returns 0; -ENOTDIR, -ELOOP (something else is in the way); -errno.
 */
int placeholder_make(int directory_fd, const char *key);

/*
 * placeholder_bind - bind a placeholder on itself if nothing is mounted there. Returns 0; -errno.
 */
int placeholder_bind(int directory_fd, const char *key);

/*
 * placeholder_unbind - undo that, if nothing is mounted on it. Returns 0; -EBUSY (a medium, or in
 * use); -errno.
 */
int placeholder_unbind(int directory_fd, const char *key);

/*
 * placeholder_remove - remove the last directory of a key, if it is empty and no medium is on it.
 *
 * Returns 0 (also if it is not there); -EBUSY (a medium, or in use); -ENOTEMPTY; -errno.
 */
int placeholder_remove(int directory_fd, const char *key);
