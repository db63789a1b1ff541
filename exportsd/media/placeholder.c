/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * placeholder.c - placeholder directories.
 *
 * A directory bound on itself is the root of a mount just as a medium is. The two are told apart by
 * what lies under all mounts: the bound one is that same directory (device and inode), a medium is
 * another.
 */

#include "exportsd/media/placeholder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

enum { PLACEHOLDER_MODE = 0555 };

/* The last component of a key, with the directory it is in opened. */
static int open_parent(int directory_fd, const char *key, const char **ret_name)
{
	const char *slash = strrchr(key, '/');
	CLEANUP(freep) char *parent = NULL;

	*ret_name = slash ? slash + 1 : key;
	parent = strndup(key, slash ? (size_t)(slash - key) : 0);
	return parent ? mounts_open_beneath(directory_fd, parent) : -ENOMEM;
}

int placeholder_state(int directory_fd, const char *key, int fd, enum placeholder_state *ret_state)
{
	CLEANUP(closep) int parent = -1;
	struct mounts_place place, under;
	const char *name;
	int r = mounts_look(fd, &place);

	if (r < 0)
		return r;
	if (!place.is_mount_root) {
		*ret_state = PLACEHOLDER_BARE;
		return 0;
	}
	parent = open_parent(directory_fd, key, &name);
	if (parent < 0)
		return parent;
	r = mounts_look_under(parent, name, &under);
	if (r < 0)
		return r;
	*ret_state = mounts_same(&place, &under) ? PLACEHOLDER_BOUND : PLACEHOLDER_MEDIUM;
	return 0;
}

/* Call back for the key's components from the first on, each as a key of its own. */
static int each_prefix(const char *key, int (*each)(void *userdata, const char *prefix),
		       void *userdata)
{
	CLEANUP(freep) char *prefix = strdup(key);
	int r = 0;

	if (!prefix)
		return -ENOMEM;
	for (char *slash = strchr(prefix, '/'); slash && r >= 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		r = each(userdata, prefix);
		*slash = '/';
	}
	return r < 0 ? r : each(userdata, prefix);
}

struct missing {
	int directory_fd;
	int n;
};

static int count_missing(void *userdata, const char *prefix)
{
	struct missing *missing = userdata;
	CLEANUP(closep)
	int fd = missing->n ? -ENOENT : mounts_open_beneath(missing->directory_fd, prefix);

	if (fd == -ENOENT)
		missing->n++;
	return fd < 0 && fd != -ENOENT ? fd : 0;
}

int placeholder_n_missing(int directory_fd, const char *key)
{
	struct missing missing = { .directory_fd = directory_fd };
	int r = each_prefix(key, count_missing, &missing);

	return r < 0 ? r : missing.n;
}

static int make_one(void *userdata, const char *prefix)
{
	const char *name;
	CLEANUP(closep) int parent = open_parent(*(int *)userdata, prefix, &name);
	CLEANUP(closep) int made = -1;

	if (parent < 0)
		return parent;
	if (mkdirat(parent, name, PLACEHOLDER_MODE) < 0 && errno != EEXIST)
		return -errno;
	made = mounts_open_beneath(parent, name);
	return made < 0 ? made : 0;
}

/* Every client may see that a medium is there, whatever the daemon's umask. */
int placeholder_make(int directory_fd, const char *key)
{
	mode_t mask = umask(0);
	int r = each_prefix(key, make_one, &directory_fd);

	umask(mask);
	return r;
}

static int look(int directory_fd, const char *key, int *ret_fd, enum placeholder_state *ret_state)
{
	CLEANUP(closep) int fd = mounts_open_beneath(directory_fd, key);
	int r = fd < 0 ? fd : placeholder_state(directory_fd, key, fd, ret_state);

	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int placeholder_bind(int directory_fd, const char *key)
{
	CLEANUP(closep) int fd = -1;
	enum placeholder_state state;
	int r = look(directory_fd, key, &fd, &state);

	return r < 0 || state != PLACEHOLDER_BARE ? r : mounts_bind_self(fd);
}

/* Bound more than once it may be, by somebody else. */
int placeholder_unbind(int directory_fd, const char *key)
{
	enum { BINDS_MAX = 8 };
	const char *name;
	CLEANUP(closep) int parent = open_parent(directory_fd, key, &name);

	if (parent < 0)
		return parent;
	for (int i = 0; i < BINDS_MAX; i++) {
		enum placeholder_state state;
		int fd = -1;
		int r = look(directory_fd, key, &fd, &state);

		if (r < 0)
			return r;
		close(fd);
		if (state == PLACEHOLDER_BARE)
			return 0;
		r = state == PLACEHOLDER_MEDIUM ? -EBUSY : mounts_unmount(parent, name);
		if (r < 0)
			return r;
	}
	return -EBUSY;
}

int placeholder_remove(int directory_fd, const char *key)
{
	const char *name;
	CLEANUP(closep) int parent = open_parent(directory_fd, key, &name);
	int r = parent < 0 ? parent : placeholder_unbind(directory_fd, key);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}
