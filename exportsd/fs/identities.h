/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * identities.h - which exported directory a file system id means that is not a number: a
 * uuid, or a device, with or without an inode number (linux fs/nfsd/nfsfh.h, fsid types 0 and
 * 2..7).
 *
 * rpc.mountd looks at every export for every question. Here exports are known by their inodes from
 * when they were loaded; what is not known so (pseudo-roots, mounts, exports where mounts changed
 * since) is looked at once, and each is entered under every id that nfsd could have made of it. A
 * hit is looked at again before it is believed; a miss makes the latter be looked at again if
 * mounts have changed since.
 */

#include "exportsd/base/later.h"
#include "exportsd/fs/mount_table.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/fsid.h"
#include "exportsd/numbers/numbers.h"
#include "parser/snapshot/snapshot.h"

struct identities;

/*
 * paths, numbers, table: borrowed. numbers know the media, and so the directories between a rule's
 * and its media; may be NULL
 * @rootdir: what exported paths lie beneath (kernel/rootdir.h), or NULL; borrowed
 */
int identities_new(struct identities **ret_identities, sd_event *event, struct paths *paths,
		   const struct numbers *numbers, struct mount_table *table, const char *rootdir);
struct identities *identities_free(struct identities *identities);

/*
 * identities_begin_load - exports are about to be looked at for a snapshot.
 * identities_set_snapshot - it is in force, until the next one is; borrowed. Questions under way
 * must have been cancelled.
 */
void identities_begin_load(struct identities *identities);
void identities_set_snapshot(struct identities *identities, const struct snapshot *snapshot);

/*
 * identities_learn - what lies at an exported path or pseudo-root that was looked at for another
 * reason: a directory made anew in place of another is known by its handle from then on.
 */
void identities_learn(struct identities *identities, const char *path,
		      const struct paths_facts *facts);

/*
 * identities_find - the paths that a file system id means, now.
 *
 * @type, @fsid: not FSID_NUM; kernel_fsid_length(type) bytes
 * @done: exactly once, never from within this call; @paths, at most IDENTITIES_PATHS_MAX in no
 *        particular order, valid during the call. @complete: false if some path did
 *        not answer, so that "none" may be wrong
 */
enum { IDENTITIES_PATHS_MAX = 8 }; /* bind mounts of one directory; more are passed over */
typedef void (*identities_fn)(void *userdata, const char *const *paths, size_t n_paths,
			      bool complete);
int identities_find(struct identities *identities, enum kernel_fsid_type type, const uint8_t *fsid,
		    identities_fn done, void *userdata, struct pending **ret_question);

/*
 * identity_ids - every id of one place, as nfsd would write it into a handle (mk_fsid()).
 *
 * @uuid: 16 bytes of an fsid= uuid that stands in place of the file system's, or NULL
 * Returns how many; at most IDENTITY_IDS_MAX.
 */
enum { IDENTITY_IDS_MAX = 12 };
struct identity_id {
	uint32_t type;
	uint8_t bytes[KERNEL_FSID_MAX]; /* zero beyond its length */
};
size_t identity_ids(const struct paths_facts *facts, const uint8_t *uuid,
		    struct identity_id ret_ids[IDENTITY_IDS_MAX]);

/* identity_inode - the (lower half of the) inode number in an id. Returns whether it has one. */
bool identity_inode(const struct identity_id *id, uint32_t *ret_inode);

/*
 * identity_of_pseudo_root - the uuid that rpc.mountd gives a pseudo-root which nfsd refused when it
 * tried: it depends on nothing but the path (nfs-utils support/export/v4root.c, v4root_create()).
 */
void identity_of_pseudo_root(const char *path, uint8_t ret_uuid[16]);
