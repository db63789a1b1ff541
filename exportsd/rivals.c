/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rivals.c - a look at every process's name, and where it is.
 */

#include "exportsd/rivals.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *const names[] = { "rpc.mountd", "nfsv4.exportd" };

/* Which of the names a process has, or NULL. */
static const char *name_of(const char *proc, const char *process)
{
	char path[4096], comm[32] = "";
	FILE *from;

	if (snprintf(path, sizeof(path), "%s/%s/comm", proc, process) >= (int)sizeof(path))
		return NULL;
	from = fopen(path, "re");
	if (!from)
		return NULL;
	if (fgets(comm, sizeof(comm), from))
		comm[strcspn(comm, "\n")] = '\0';
	fclose(from);
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (str_equal(comm, names[i]))
			return names[i];
	return NULL;
}

/* A server in a container has a mountd of its own. Without a namespace to look at, it is here. */
static bool is_here(const char *proc, const char *process)
{
	char path[4096];
	struct stat ours, theirs;

	if (snprintf(path, sizeof(path), "%s/self/ns/net", proc) >= (int)sizeof(path) ||
	    stat(path, &ours) < 0 ||
	    snprintf(path, sizeof(path), "%s/%s/ns/net", proc, process) >= (int)sizeof(path) ||
	    stat(path, &theirs) < 0)
		return true;
	return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

pid_t rivals_find(const char *proc, const char **ret_name)
{
	DIR *directory = opendir(proc);
	struct dirent *entry;
	pid_t found = 0;

	if (!directory)
		return 0;
	while (!found && (entry = readdir(directory))) {
		const char *name;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		name = name_of(proc, entry->d_name);
		if (!name || !is_here(proc, entry->d_name))
			continue;
		*ret_name = name;
		found = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	closedir(directory);
	return found;
}
