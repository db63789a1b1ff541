/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/fs/mount_changes.h"

#include <uthash.h>

enum { CHANGES_MAX = 4096 }; /* in one set; more are taken for all places */

struct mount_changes_place {
	UT_hash_handle hh;
	char path[];
};

static void set_clear(struct mount_changes_set *set)
{
	struct mount_changes_place *place, *next;

	HASH_ITER (hh, set->places, place, next) {
		HASH_DEL(set->places, place);
		free(place);
	}
	set->all = false;
}

static void set_add(struct mount_changes_set *set, const char *path)
{
	struct mount_changes_place *place;
	size_t length = strlen(path);

	HASH_FIND(hh, set->places, path, length, place);
	if (place || set->all)
		return;
	place = HASH_COUNT(set->places) < CHANGES_MAX ? calloc(1, sizeof(*place) + length + 1)
						      : NULL;
	if (place) {
		memcpy(place->path, path, length);
		HASH_ADD(hh, set->places, path[0], length, place);
		if (place->hh.tbl)
			return;
	}
	free(place);
	set->all = true;
}

void mount_changes_begin(struct mount_changes *changes)
{
	set_clear(&changes->loading);
	changes->is_loading = true;
}

void mount_changes_put_in_force(struct mount_changes *changes)
{
	set_clear(&changes->in_force);
	changes->in_force = changes->loading;
	changes->in_force.all |= !changes->is_loading;
	changes->loading = (struct mount_changes_set){ 0 };
	changes->is_loading = false;
}

void mount_changes_done(struct mount_changes *changes)
{
	set_clear(&changes->in_force);
	set_clear(&changes->loading);
}

void mount_changes_note(struct mount_changes *changes, const char *place, bool in_force)
{
	if (in_force)
		set_add(&changes->in_force, place);
	if (changes->is_loading)
		set_add(&changes->loading, place);
}

const char *mount_changes_next(const struct mount_changes *changes, const char *place)
{
	const struct mount_changes_place *found = changes->in_force.places;

	if (place) {
		HASH_FIND_STR(changes->in_force.places, place, found);
		found = found ? found->hh.next : NULL;
	}
	return found ? found->path : NULL;
}

bool mount_changes_at(const struct mount_changes *changes, const char *path)
{
	size_t length = strlen(path);

	for (;;) {
		const struct mount_changes_place *found;

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
