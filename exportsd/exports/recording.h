/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * recording.h - what is in force, told to files: etab, for other tools, and what the daemon must
 * remember of commands beside the exports files. Blocks, so it is done by a thread (base/background.h),
 * or by exportfs(8) itself.
 */

#include "exportsd/exports/change.h"

struct recording {
	const struct config *config;
	enum change_kind kind;
	uint32_t per_flavor;
	struct runtime *runtime;
	const struct snapshot *now;
	bool has_etab; /* that was read: it is what another program wrote, and stays */
	struct file_version etab;
	bool is_etab_written; /* the same was written last; somebody may have changed it since */
	/* Results: 0 or -errno of each file. */
	int etab_error, runtime_error;
};

void recording_run(struct recording *recording);

/* recording_runtime_file - its path, to free(3); NULL when memory is out. */
char *recording_runtime_file(const struct config *config);
