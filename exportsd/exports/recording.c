/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * recording.c - etab first: which version of it is ours is remembered beside it.
 */

#include "exportsd/exports/recording.h"

#include <errno.h>

#include "exportsd/exports/etab_file.h"
#include "parser/text.h"

char *recording_runtime_file(const struct config *config)
{
	return text_format("%s/run-time-exports", config->state_directory);
}

static bool is_etab_ours(const struct recording *recording)
{
	struct file_version version;

	return etab_file_version(recording->config->nfs_state_directory, &version) == 0 &&
	       runtime_knows_etab(recording->runtime, &version);
}

/* After exportfs -a or at a start etab is written anew, whoever wrote what was read. */
static int write_etab(struct recording *recording)
{
	const char *directory = recording->config->nfs_state_directory;
	struct file_version version = recording->etab;
	int r = 0;

	if (recording->is_etab_written && is_etab_ours(recording))
		return 0;
	if (recording->kind != CHANGE_ETAB || !recording->has_etab)
		r = etab_file_write(directory, recording->now, recording->per_flavor, &version);
	if (r == 0)
		runtime_set_etab(recording->runtime, &version);
	return r;
}

void recording_run(struct recording *recording)
{
	CLEANUP(freep) char *file = recording_runtime_file(recording->config);

	if (recording->kind == CHANGE_FILES || recording->kind == CHANGE_FILES_TOO)
		runtime_forget(recording->runtime);
	recording->etab_error = write_etab(recording);
	recording->runtime_error =
		file ? runtime_write(recording->runtime, file, recording->now) : -ENOMEM;
}
