/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * identities_private.h - what identities.c looks things up in (identities_table.c).
 */

#include <uthash.h>

#include "exportsd/fs/identities.h"

enum {
	/* Three times: the file system's, an option's and a pseudo-root's uuid. */
	PLACE_IDS_MAX = 3 * IDENTITY_IDS_MAX,
};

struct identities_place {
	char *path;
	bool is_part; /* what is mounted there is a directory of a file system, not its root */
	bool is_pseudo_root; /* above an export, whatever else it is */
	bool is_learned;
	struct snapshot_seen seen; /* when it was looked at last */
	bool has_uuid; /* of an option fsid=UUID */
	uint8_t uuid[16];
	UT_hash_handle hh;
};

struct identities_entry {
	struct identity_id id;
	const struct identities_place *places[IDENTITIES_PATHS_MAX];
	size_t n_places;
	UT_hash_handle hh;
};

/* What is common to the places of one device number. */
struct identities_file_system {
	dev_t device;
	struct paths_facts facts; /* its uuids, when it is known */
	bool is_known;
	UT_hash_handle hh;
};

struct identities_table {
	struct identities_place *places; /* hash by path */
	struct identities_entry *entries; /* hash by id */
	struct identities_file_system *file_systems; /* hash by device */
};

/* Is it one of the place's ids, if these are its facts? */
bool place_has_id(const struct identities_place *place, const struct paths_facts *facts,
		  const struct identity_id *id);
void place_set_exported(struct identities_place *place, const struct snapshot_place *exported);

void table_clear(struct identities_table *table);
struct identities_place *table_find(const struct identities_table *table, const char *path);
/*
 * The place, made if there is none; NULL when memory is out. The latter with what the snapshot's
 * exports say.
 */
struct identities_place *table_have(struct identities_table *table, const char *path,
				    size_t length);
struct identities_place *table_have_exported(struct identities_table *table,
					     const struct snapshot_place *exported);

/* table_enter - under every id of the place. Returns 0 or -ENOMEM. */
int table_enter(struct identities_table *table, struct identities_place *place,
		const struct paths_facts *facts);

struct identities_file_system *table_find_file_system(const struct identities_table *table,
						      dev_t device);
/* table_add_file_system - returns whether it is a new one; without memory it is none. */
bool table_add_file_system(struct identities_table *table, dev_t device);
/* table_note_file_system - what was seen of one that was added. */
void table_note_file_system(struct identities_table *table, const struct paths_facts *facts);
