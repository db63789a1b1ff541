/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * runtime.h - what was exported and taken back at run time, remembered for the next start of the
 * daemon.
 *
 * The files say what is exported; exportfs(8) and other programs that write etab change that until
 * "exportfs -r". etab alone does not tell which of its lines came from files. So beside etab there
 * is STATE-DIRECTORY/run-time-exports, lines:
 *
 *	etab INODE MTIME-NSEC SIZE	the etab that the daemon wrote, or took in, last
 *	all				everything the files say was taken back (exportfs -ua)
 *	removed PATH<tab>CLIENT		this of what they say was
 *	added PATH<tab>CLIENT(OPTIONS)	exported beside them, or with other options than theirs
 *
 * What is exported is added anew from the snapshot each time it is written; what was taken back is
 * kept here.
 */

#include "exportsd/base/file_version.h"
#include "parser/snapshot/snapshot.h"

/* More are not remembered: the oldest are forgotten, and exported again by the next start. */
enum { RUNTIME_REMOVED_MAX = 65536 };

struct runtime;

int runtime_new(struct runtime **ret_runtime);
struct runtime *runtime_free(struct runtime *runtime);

/*
 * runtime_read - what was remembered. A line that is none is passed over.
 *
 * Returns 0; -ENOENT; -errno.
 */
int runtime_read(struct runtime *runtime, const char *file);

/*
 * runtime_write - put the file in place of the old one; not synced. Nothing is written if nothing
 * changed.
 *
 * @snapshot: its exports that no file has are written, too
 */
int runtime_write(struct runtime *runtime, const char *file, const struct snapshot *snapshot);

/* The version of etab that is ours. */
void runtime_set_etab(struct runtime *runtime, const struct file_version *version);
bool runtime_knows_etab(const struct runtime *runtime, const struct file_version *version);

/* The added lines that were read, in etab's form, NUL-terminated. */
const char *runtime_added(const struct runtime *runtime);

/* Was this taken back? As for snapshot_listed(). */
bool runtime_is_removed(const struct runtime *runtime, const char *path, const char *pattern,
			const char *client);

/* runtime_forget - the files count again. */
void runtime_forget(struct runtime *runtime);

/*
 * runtime_note - other exports are in force, by a command or by etab: what is no longer is taken
 * back, what is now no more so. @all: everything is taken back, now and when the files change.
 */
int runtime_note(struct runtime *runtime, const struct snapshot *before, const struct snapshot *now,
		 bool all);
