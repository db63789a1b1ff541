/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * paths.h - questions to exported file systems, asked by other processes, because a dead
 * disk or server must not hold up the daemon.
 */

#include <errno.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "exportsd/base/later.h"
#include "handlers/proto.h"
#include "parser/base.h"
#include "parser/snapshot/snapshot.h"

struct paths;

/*
 * @rootdir: what all paths lie beneath, absolute symbolic links too (nfs.conf [exports] rootdir);
 * NULL: /
 */
int paths_new(struct paths **ret_paths, sd_event *event, uint64_t timeout_usec,
	      const char *rootdir);
struct paths *paths_free(struct paths *paths);

/*
 * paths_real - realpath(3) of many paths.
 *
 * @wanted: the texts must live until done(), the array need not
 * @ret_seen: NULL; or room for as many, until done(): of each path what directory is there; all 0:
 *          it is none, or nobody could look
 * @done: @real in the order asked, NULL where there is none, paths_unknown (that pointer) where
 *        nobody could look: no answer in time, a bad disk; valid during the call. Where the real
 *        path is what was asked it is the same pointer
 */
extern const char paths_unknown[];
typedef void (*paths_real_fn)(void *userdata, const char *const *real, size_t n_paths);
int paths_real(struct paths *paths, const char *const *wanted, size_t n_paths,
	       struct snapshot_seen *ret_seen, paths_real_fn done, void *userdata,
	       struct pending **ret_question);

/*
 * What nfs-utils looks at: support/export/cache.c uuid_by_path(), get_uuid_blkdev(),
 * is_mountpoint().
 */
struct paths_facts {
	dev_t device;
	ino_t inode;
	mode_t mode;
	bool is_mount_root; /* statx STATX_ATTR_MOUNT_ROOT: bind mounts too */
	bool has_block_uuid; /* libblkid's UUID of the device, folded to 16 bytes */
	uint8_t block_uuid[16];
	bool has_statfs_uuid; /* f_fsid as two %08x, folded to 16 bytes */
	uint8_t statfs_uuid[16];
	uint32_t file_system; /* statfs f_type */
	const char
		*locations; /* of paths_junction() (junction.h), valid during the call; else NULL */
};

/*
 * paths_facts - what lies at a path (trailing symlinks followed, automounts not triggered).
 *
 * @done: error 0, or the errno (negative) of stat(2), or -ETIMEDOUT
 */
typedef void (*paths_facts_fn)(void *userdata, int error, const struct paths_facts *facts);
int paths_facts(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		struct pending **ret_question);

/* paths_junction - the same of a junction, with where it leads to. error -ENODATA: it is none. */
int paths_junction(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		   struct pending **ret_question);

/* Who walks: a caller's credentials, squashed already. */
struct paths_credentials {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
};

struct paths_walked {
	dev_t device;
	ino_t inode;
	mode_t mode;
	int handle_type; /* name_to_handle_at(2); -1 if the file system has none */
	size_t handle_length;
	uint8_t handle[128];
};

/*
 * paths_walk - walk from an export's root to a path beneath it, as somebody (MNT of a
 * subdirectory, CVE-2025-12801): every directory on the way must let them through. Symbolic links
 * are not followed out of the root.
 *
 * @root: absolute; opened as root
 * @relative: "" is the root itself
 *
 * @done: error 0, or -ENOENT, -EACCES, -ENOTDIR, ... of the walk, or -ETIMEDOUT
 */
typedef void (*paths_walk_fn)(void *userdata, int error, const struct paths_walked *walked);
int paths_walk(struct paths *paths, const char *root, const char *relative,
	       const struct paths_credentials *who, paths_walk_fn done, void *userdata,
	       struct pending **ret_question);

/*
 * paths_is_gone - does this error (negative) say that nothing is there? Any other only says that
 * nobody could look.
 */
static inline bool paths_is_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -ENAMETOOLONG;
}

/*
 * Between daemon and workers: an answer about real paths goes along the question's. same=I I...:
 * the next ones are real, and these the inodes there, hexadecimal; path=P: the next one's real
 * path, "" if there is none, after inode=I; device=D: that these and the following directories are
 * on, at first 0. 0 is no directory.
 */
#define PATHS_UNKNOWN "?"

/*
 * The workers' side: where all paths lie beneath, once; then answer one question (WORKER_PATHS).
 * Returns 0 or -errno.
 */
int paths_serve_beneath(const char *rootdir);
void paths_serve(const struct proto_message *question, struct proto_writer *answer);

/* paths_fold_uuid - nfs-utils get_uuid(): hex digits of @text folded by XOR into @size bytes. */
void paths_fold_uuid(const char *text, size_t size, uint8_t *ret_bytes);
