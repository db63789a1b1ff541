/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - the parts of exportfs(8): what the command line says, and the ways to do it.
 *
 * Options, listings, exit codes and messages are nfs-utils' (utils/exportfs/exportfs.c).
 */

#include "exportsd/exports/suspects.h"

struct exportfs {
	const char *program; /* in messages */
	struct config *config;
	struct exports_change *change; /* NULL: only a listing */
	struct suspects *suspects; /* as the daemon told; NULL: all paths */
	bool verbose, as_exports_file;
	bool failed; /* an error was said: exit code 1 */
};

/* exportfs_error - said as nfs-utils says errors, on standard error; the exit code will be 1. */
void exportfs_error(struct exportfs *exportfs, const char *format, ...) FORMAT_PRINTF(2, 3);
/* exportfs_tell - the faults of a change. */
void exportfs_tell(struct exportfs *exportfs, const struct diags *diags);

/* exportfs_list - etab, and the rules of a daemon that runs, with -v their mounted media, too. */
void exportfs_list(struct exportfs *exportfs);

/*
 * exportfs_ask - have the daemon make the change.
 *
 * Returns true; false: no daemon runs, nothing was done.
 */
bool exportfs_ask(struct exportfs *exportfs);

/*
 * exportfs_ask_rules - etab lines of the rules, and of mounted media; "" without a daemon. To
 * free(3).
 */
char *exportfs_ask_rules(struct exportfs *exportfs);

/* exportfs_alone - make the change without a daemon. */
void exportfs_alone(struct exportfs *exportfs);

/* exportfs_flush - have the kernel forget all that it was told of exports. */
void exportfs_flush(struct exportfs *exportfs);

/*
 * exportfs_check_paths - say what of that which was exported cannot be: no directory, or nfsd does
 * not take it.
 */
void exportfs_check_paths(struct exportfs *exportfs);
