/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/exports/suspects.h"

#include <errno.h>

struct suspects *suspects_new(void)
{
	return calloc(1, sizeof(struct suspects));
}

struct suspects *suspects_free(struct suspects *suspects)
{
	if (!suspects)
		return NULL;
	for (size_t i = 0; i < suspects->n_paths; i++)
		free(suspects->paths[i]);
	for (size_t i = 0; i < suspects->n_trials; i++)
		free(suspects->trials[i].path);
	free(suspects);
	return NULL;
}

static uint32_t flags_of(const struct export_options *options)
{
	return options->flags | (options->uuid ? EXPORT_FSID : 0);
}

bool suspects_knows(const struct suspects *suspects, dev_t device,
		    const struct export_options *options)
{
	uint32_t flags = flags_of(options);

	/* The one added last is most likely the one that is asked for. */
	for (size_t i = suspects->n_trials; device && i-- > 0;)
		if (suspects->trials[i].device == device &&
		    !((suspects->trials[i].flags ^ flags) & EXPORT_FSID))
			return true;
	return suspects->are_too_many;
}

int suspects_add_path(struct suspects *suspects, const char *path)
{
	char **next = &suspects->paths[suspects->n_paths];

	if (suspects->n_paths && str_equal(next[-1], path))
		return 0;
	if (suspects->n_paths == SUSPECTS_MAX) {
		suspects->are_too_many = true;
		return 0;
	}
	*next = strdup(path);
	if (!*next)
		return -ENOMEM;
	suspects->n_paths++;
	return 0;
}

int suspects_add_trial(struct suspects *suspects, dev_t device, const char *path, uint32_t flags)
{
	struct suspects_trial *next = &suspects->trials[suspects->n_trials];

	if (suspects->n_trials == SUSPECTS_TRIALS_MAX) {
		suspects->are_too_many = true;
		return 0;
	}
	*next = (struct suspects_trial){
		.device = device,
		.flags = flags,
		.path = strdup(path),
	};
	if (!next->path)
		return -ENOMEM;
	suspects->n_trials++;
	return 0;
}

int suspects_add(struct suspects *suspects, dev_t device, const char *path,
		 const struct exports_change *change, const struct export_options *options)
{
	if (suspects_knows(suspects, device, options) || !change_names_path(change, path))
		return 0;
	return device ? suspects_add_trial(suspects, device, path, flags_of(options))
		      : suspects_add_path(suspects, path);
}
