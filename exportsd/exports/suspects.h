/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * suspects.h - what exportfs(8) must still look at when the daemon has looked at all exported
 * paths: those where there is no directory, and one path of each file system, which nfsd is to try.
 *
 * Whether nfsd takes an export, and whether it needs a number, is a matter of the file system
 * (linux fs/nfsd/export.c check_export()).
 */

#include <sys/types.h>

#include "exportsd/exports/change.h"

enum { SUSPECTS_MAX = 64, SUSPECTS_TRIALS_MAX = 64 };

struct suspects_trial {
	dev_t device; /* to the daemon */
	uint32_t flags; /* EXPORT_FSID among them if it has a number, or a uuid */
	char *path;
};

struct suspects {
	char *paths[SUSPECTS_MAX];
	size_t n_paths;
	struct suspects_trial trials[SUSPECTS_TRIALS_MAX];
	size_t n_trials;
	bool are_too_many; /* all paths are suspects */
};

struct suspects *suspects_new(void);
struct suspects *suspects_free(struct suspects *suspects);

/* Both return 0; -ENOMEM. */
int suspects_add_path(struct suspects *suspects, const char *path);
int suspects_add_trial(struct suspects *suspects, dev_t device, const char *path, uint32_t flags);

/*
 * suspects_add - an exported path, unless it is like another one.
 *
 * @device: of the directory there; 0: it is none, or nobody could look
 * @path: as it is in etab. What @change does not name is not added.
 *
 * Returns 0; -ENOMEM.
 */
int suspects_add(struct suspects *suspects, dev_t device, const char *path,
		 const struct exports_change *change, const struct export_options *options);

/* suspects_knows - would suspects_add() add nothing, whatever the path? */
bool suspects_knows(const struct suspects *suspects, dev_t device,
		    const struct export_options *options);
