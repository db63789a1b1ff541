/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.c - what is at a medium's path, now.
 *
 * A medium is what is mounted there and is not its placeholder, bound on itself (promise P4). It
 * is looked each time somebody asks; only what a mount root turned out to be is remembered.
 */

#include <errno.h>

#include "exportsd/media/private.h"

/* What a mount root is does not change; finding out copies a mount (fs/mounts.c). */
int medium_look(struct medium *medium, int directory_fd, int fd, enum placeholder_state *ret_state)
{
	struct mounts_place place;
	int r = mounts_look(fd, &place);

	if (r < 0)
		return r;
	if (place.is_mount_root && medium->seen.place.is_mount_root &&
	    mounts_same_mount(&place, &medium->seen.place)) {
		*ret_state = medium->seen.state;
		return 0;
	}
	r = placeholder_state(directory_fd, medium->key, fd, ret_state);
	if (r < 0)
		return r;
	medium->seen.place = place;
	medium->seen.state = *ret_state;
	return 0;
}

/* Open what is at the path now. Returns a descriptor; -errno. */
int medium_open_path(struct medium *medium, enum placeholder_state *ret_state)
{
	CLEANUP(closep) int directory = mounts_open(medium->rule->facts.directory);
	CLEANUP(closep)
	int fd = directory < 0 ? directory : mounts_open_beneath(directory, medium->key);
	int r = fd < 0 ? fd : medium_look(medium, directory, fd, ret_state);

	return r < 0 ? r : TAKE_FD(fd);
}

int medium_open_root(struct medium *medium)
{
	enum placeholder_state state;
	CLEANUP(closep) int fd = medium_open_path(medium, &state);

	if (fd < 0)
		return fd;
	return state == PLACEHOLDER_MEDIUM ? TAKE_FD(fd) : -ENOENT;
}
