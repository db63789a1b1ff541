/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mount_changes.c - each event has the table of mounts read and compared with the one before. A
 * mount is known by its id, device, root and place: where one came or went, the place changed.
 */

#include "exportsd/fs/mount_changes.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>
#include <uthash.h>

#include "exportsd/kernel/rootdir.h"

enum { CHANGES_MAX = 4096 }; /* in one set; more are taken for all places */

struct mount {
	char *key;
	char *place; /* NULL: outside rootdir */
	UT_hash_handle hh;
};

struct changed_place {
	char *place;
	UT_hash_handle hh;
};

struct changed_set {
	struct changed_place *places; /* hash by place */
	bool all;
};

struct mount_changes {
	const char *rootdir;
	int mountinfo;
	sd_event_source *source;
	struct mount *mounts; /* hash by key */
	struct changed_set in_force, loading;
	void (*changed)(void *userdata);
	void *userdata;
};

/* ---- sets of places ---- */

static void set_clear(struct changed_set *set)
{
	struct changed_place *place, *next;

	HASH_ITER (hh, set->places, place, next) {
		HASH_DEL(set->places, place);
		free(place->place);
		free(place);
	}
	set->all = false;
}

static void set_add(struct changed_set *set, const char *text)
{
	struct changed_place *place;

	HASH_FIND_STR(set->places, text, place);
	if (place || set->all)
		return;
	place = calloc(1, sizeof(*place));
	if (place)
		place->place = strdup(text);
	if (place && place->place && HASH_COUNT(set->places) < CHANGES_MAX) {
		HASH_ADD_KEYPTR(hh, set->places, place->place, strlen(place->place), place);
		if (place->hh.tbl)
			return;
	}
	set->all = true;
	if (place)
		free(place->place);
	free(place);
}

static void note(struct mount_changes *changes, const struct mount *mount)
{
	if (!mount->place)
		return;
	set_add(&changes->in_force, mount->place);
	set_add(&changes->loading, mount->place);
}

/* ---- the table of mounts ---- */

static void mount_free(struct mount *mount)
{
	free(mount->key);
	free(mount->place);
	free(mount);
}

static void mounts_clear(struct mount **mounts)
{
	struct mount *mount, *next;

	HASH_ITER (hh, *mounts, mount, next) {
		HASH_DEL(*mounts, mount);
		mount_free(mount);
	}
}

static struct mount *mount_new(const struct mount_changes *changes, struct libmnt_fs *fs)
{
	struct mount *mount = calloc(1, sizeof(*mount));
	const char *target = mnt_fs_get_target(fs), *place;
	dev_t device = mnt_fs_get_devno(fs);

	if (!mount)
		return NULL;
	target = target ? target : "";
	if (asprintf(&mount->key, "%d %u:%u %s %s", mnt_fs_get_id(fs), major(device), minor(device),
		     mnt_fs_get_root(fs) ?: "", target) < 0)
		mount->key = NULL;
	place = rootdir_strip(changes->rootdir, target);
	if (place)
		mount->place = strdup(place);
	if (mount->key && (!place || mount->place))
		return mount;
	mount_free(mount);
	return NULL;
}

/*
 * Returns whether it is known now. What was mounted before moves from the old table to the new one.
 */
static bool take_mount(struct mount_changes *changes, struct libmnt_fs *fs, struct mount **mounts)
{
	struct mount *mount = mount_new(changes, fs), *before, *twice;

	if (!mount)
		return false;
	HASH_FIND_STR(changes->mounts, mount->key, before);
	HASH_FIND_STR(*mounts, mount->key, twice);
	if (before) {
		HASH_DEL(changes->mounts, before);
		mount_free(before);
	} else if (!twice) {
		note(changes, mount);
	}
	if (twice) {
		mount_free(mount);
		return true;
	}
	HASH_ADD_KEYPTR(hh, *mounts, mount->key, strlen(mount->key), mount);
	if (mount->hh.tbl)
		return true;
	mount_free(mount);
	return false;
}

static void read_mounts(struct mount_changes *changes)
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iterator = mnt_new_iter(MNT_ITER_FORWARD);
	struct mount *mounts = NULL;
	struct libmnt_fs *fs;
	bool complete = table && iterator;

	while (table && iterator && mnt_table_next_fs(table, iterator, &fs) == 0)
		complete &= take_mount(changes, fs, &mounts);
	mnt_free_iter(iterator);
	mnt_unref_table(table);
	for (struct mount *gone = changes->mounts; gone; gone = gone->hh.next)
		note(changes, gone);
	mounts_clear(&changes->mounts);
	changes->mounts = mounts;
	changes->in_force.all |= !complete;
	changes->loading.all |= !complete;
}

/* The kernel reports a changed mount table as a priority event on mountinfo (proc(5)). */
static int on_mounts_changed(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct mount_changes *changes = userdata;

	read_mounts(changes);
	changes->changed(changes->userdata);
	return 0;
}

/* The loop tells of it before questions, in its next turn; this is about now. */
void mount_changes_look(struct mount_changes *changes)
{
	struct pollfd mounts = { .fd = changes->mountinfo, .events = POLLPRI };

	if (poll(&mounts, 1, 0) <= 0)
		return;
	read_mounts(changes);
	changes->changed(changes->userdata);
}

/* ---- what changed ---- */

void mount_changes_begin(struct mount_changes *changes)
{
	set_clear(&changes->loading);
}

void mount_changes_put_in_force(struct mount_changes *changes)
{
	set_clear(&changes->in_force);
	changes->in_force = changes->loading;
	changes->loading = (struct changed_set){ .all = true }; /* until one begins */
}

const char *mount_changes_next(const struct mount_changes *changes, const char *place)
{
	const struct changed_place *found = changes->in_force.places;

	if (place) {
		HASH_FIND_STR(changes->in_force.places, place, found);
		found = found ? found->hh.next : NULL;
	}
	return found ? found->place : NULL;
}

bool mount_changes_all(const struct mount_changes *changes)
{
	return changes->in_force.all;
}

bool mount_changes_at(const struct mount_changes *changes, const char *path)
{
	size_t length = strlen(path);

	for (;;) {
		const struct changed_place *found;

		HASH_FIND(hh, changes->in_force.places, path, length, found);
		if (found || changes->in_force.all)
			return true;
		if (length <= 1)
			return false;
		while (length > 1 && path[length - 1] != '/')
			length--;
		if (length > 1)
			length--;
	}
}

/* ---- the whole ---- */

int mount_changes_new(struct mount_changes **ret_changes, sd_event *event, const char *rootdir,
		      void (*changed)(void *userdata), void *userdata)
{
	struct mount_changes *changes = calloc(1, sizeof(*changes));
	int r;

	if (!changes)
		return -ENOMEM;
	changes->rootdir = rootdir;
	changes->changed = changed;
	changes->userdata = userdata;
	changes->loading.all = true;
	changes->mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	r = changes->mountinfo < 0 ? -errno
				   : sd_event_add_io(event, &changes->source, changes->mountinfo,
						     EPOLLPRI, on_mounts_changed, changes);
	/*
	 * What epoll has seen, poll(2) no longer shows (linux fs/proc_namespace.c mounts_poll()).
	 */
	if (r >= 0)
		r = sd_event_source_set_priority(changes->source, SD_EVENT_PRIORITY_IMPORTANT);
	if (r < 0) {
		mount_changes_free(changes);
		return r;
	}
	read_mounts(changes);
	set_clear(&changes->in_force); /* nothing is in force yet */
	*ret_changes = changes;
	return 0;
}

struct mount_changes *mount_changes_free(struct mount_changes *changes)
{
	if (!changes)
		return NULL;
	sd_event_source_disable_unref(changes->source);
	closep(&changes->mountinfo);
	mounts_clear(&changes->mounts);
	set_clear(&changes->in_force);
	set_clear(&changes->loading);
	free(changes);
	return NULL;
}
