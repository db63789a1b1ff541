/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * identities_table.c - places that were looked at, each under every id that nfsd could have made of
 * it.
 */

#include "exportsd/fs/identities_private.h"

#include <errno.h>

/* ---- ids of one place ---- */

/*
 * Those of a place: with its own uuid and with that of an option, as one or the other export may
 * have it. A pseudo-root also has that of its path: whether rpc.mountd takes this one depends on
 * when it read the exports, so either may be in a client's handle.
 */
static size_t place_ids(const struct identities_place *place, const struct paths_facts *facts,
			struct identity_id ret_ids[PLACE_IDS_MAX])
{
	struct paths_facts seen = *facts;
	uint8_t uuid[16];
	size_t n;

	/*
	 * A bind mount of a directory is a mount's root, and not a file system's
	 * (is_root_export()).
	 */
	seen.is_mount_root = facts->is_mount_root && !place->is_part;
	n = identity_ids(&seen, NULL, ret_ids);
	if (place->has_uuid)
		n += identity_ids(&seen, place->uuid, ret_ids + n);
	if (place->is_pseudo_root) {
		identity_of_pseudo_root(place->path, uuid);
		n += identity_ids(&seen, uuid, ret_ids + n);
	}
	return n;
}

bool place_has_id(const struct identities_place *place, const struct paths_facts *facts,
		  const struct identity_id *id)
{
	struct identity_id ids[PLACE_IDS_MAX];
	size_t n = place_ids(place, facts, ids);

	for (size_t i = 0; i < n; i++)
		if (memcmp(&ids[i], id, sizeof(*id)) == 0)
			return true;
	return false;
}

/* ---- places ---- */

void table_clear(struct identities_table *table)
{
	struct identities_entry *entry, *next_entry;
	struct identities_place *place, *next_place;
	struct identities_file_system *file_system, *next_file_system;

	HASH_ITER (hh, table->file_systems, file_system, next_file_system) {
		HASH_DEL(table->file_systems, file_system);
		free(file_system);
	}
	HASH_ITER (hh, table->entries, entry, next_entry) {
		HASH_DEL(table->entries, entry);
		free(entry);
	}
	HASH_ITER (hh, table->places, place, next_place) {
		HASH_DEL(table->places, place);
		free(place->path);
		free(place);
	}
}

struct identities_place *table_find(const struct identities_table *table, const char *path)
{
	struct identities_place *place;

	HASH_FIND_STR(table->places, path, place);
	return place;
}

struct identities_place *table_have(struct identities_table *table, const char *path, size_t length)
{
	struct identities_place *place;

	HASH_FIND(hh, table->places, path, length, place);
	if (place)
		return place;
	place = calloc(1, sizeof(*place));
	if (place)
		place->path = strndup(path, length);
	if (!place || !place->path) {
		free(place);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, table->places, place->path, length, place);
	if (!place->hh.tbl) {
		free(place->path);
		free(place);
		return NULL;
	}
	return place;
}

void place_set_exported(struct identities_place *place, const struct snapshot_place *exported)
{
	place->is_pseudo_root |= exported->is_pseudo_root;
	if (exported->uuid && !place->has_uuid) {
		place->has_uuid = true;
		paths_fold_uuid(exported->uuid, sizeof(place->uuid), place->uuid);
	}
}

struct identities_place *table_have_exported(struct identities_table *table,
					     const struct snapshot_place *exported)
{
	struct identities_place *place = table_have(table, exported->path, strlen(exported->path));

	if (place)
		place_set_exported(place, exported);
	return place;
}

/* ---- file systems ---- */

struct identities_file_system *table_find_file_system(const struct identities_table *table,
						      dev_t device)
{
	struct identities_file_system *file_system;

	HASH_FIND(hh, table->file_systems, &device, sizeof(device), file_system);
	return file_system;
}

bool table_add_file_system(struct identities_table *table, dev_t device)
{
	struct identities_file_system *file_system = table_find_file_system(table, device);

	if (file_system)
		return false;
	file_system = calloc(1, sizeof(*file_system));
	if (!file_system)
		return true;
	file_system->device = device;
	HASH_ADD(hh, table->file_systems, device, sizeof(device), file_system);
	if (!file_system->hh.tbl)
		free(file_system);
	return true;
}

/* ---- ids ---- */

/* Returns 0 or -ENOMEM. */
static int enter_id(struct identities_table *table, const struct identities_place *place,
		    const struct identity_id *id)
{
	struct identities_entry *entry;

	HASH_FIND(hh, table->entries, id, sizeof(*id), entry);
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		entry->id = *id;
		HASH_ADD(hh, table->entries, id, sizeof(entry->id), entry);
		if (!entry->hh.tbl) {
			free(entry);
			return -ENOMEM;
		}
	}
	for (size_t i = 0; i < entry->n_places; i++)
		if (entry->places[i] == place)
			return 0;
	if (entry->n_places < IDENTITIES_PATHS_MAX)
		entry->places[entry->n_places++] = place;
	return 0;
}

int table_enter(struct identities_table *table, struct identities_place *place,
		const struct paths_facts *facts)
{
	struct identity_id ids[PLACE_IDS_MAX];
	size_t n = place_ids(place, facts, ids);
	int r = 0;

	place->seen = (struct snapshot_seen){ .device = facts->device, .inode = facts->inode };
	for (size_t i = 0; i < n; i++)
		if (enter_id(table, place, &ids[i]) < 0)
			r = -ENOMEM;
	return r;
}

void table_note_file_system(struct identities_table *table, const struct paths_facts *facts)
{
	struct identities_file_system *file_system = table_find_file_system(table, facts->device);

	if (!file_system)
		return;
	file_system->facts = *facts;
	file_system->facts.locations = NULL;
	file_system->facts.is_mount_root = false;
	file_system->is_known = true;
}
