/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * runtime.c - a set of keys taken back, oldest first, and what was read of added lines.
 *
 * A key is what an etab line starts with: escaped path, tab, client.
 */

#include "exportsd/exports/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <uthash.h>

#include "parser/etab.h"
#include "parser/file.h"

struct removed {
	UT_hash_handle hh;
	char key[];
};

struct runtime {
	struct removed *removed;
	bool all;
	bool is_changed; /* since it was read or written */
	char *added; /* as read */
	char *written; /* lines of what was added, as written last */
	struct file_version etab;
};

/* ---- the etab that is ours ---- */

void runtime_set_etab(struct runtime *runtime, const struct file_version *version)
{
	runtime->is_changed |= !file_version_equal(&runtime->etab, version);
	runtime->etab = *version;
}

bool runtime_knows_etab(const struct runtime *runtime, const struct file_version *version)
{
	return file_version_equal(&runtime->etab, version);
}

/* ---- keys ---- */

/* Returns a string to free(3), or NULL. */
static char *make_key(const char *path, const char *pattern, const char *client)
{
	char *key = NULL;
	size_t size;
	FILE *to = open_memstream(&key, &size);

	if (!to)
		return NULL;
	etab_put_pair(to, path, pattern, client);
	if (fclose(to) == 0)
		return key;
	free(key);
	return NULL;
}

static struct removed *find(const struct runtime *runtime, const char *key)
{
	struct removed *found;

	HASH_FIND_STR(runtime->removed, key, found);
	return found;
}

static void forget(struct runtime *runtime, struct removed *removed)
{
	HASH_DEL(runtime->removed, removed);
	free(removed);
	runtime->is_changed = true;
}

static int add_removed(struct runtime *runtime, const char *key)
{
	struct removed *removed;
	size_t size = strlen(key) + 1;

	if (find(runtime, key))
		return 0;
	/* In the hash's order the first is the oldest. */
	if (HASH_COUNT(runtime->removed) >= RUNTIME_REMOVED_MAX)
		forget(runtime, runtime->removed);
	removed = calloc(1, sizeof(*removed) + size);
	if (!removed)
		return -ENOMEM;
	memcpy(removed->key, key, size);
	HASH_ADD_STR(runtime->removed, key, removed);
	if (!removed->hh.tbl) {
		free(removed);
		return -ENOMEM;
	}
	runtime->is_changed = true;
	return 0;
}

bool runtime_is_removed(const struct runtime *runtime, const char *path, const char *pattern,
			const char *client)
{
	CLEANUP(freep) char *key = NULL;

	if (runtime->all || !runtime->removed)
		return runtime->all;
	key = make_key(path, pattern, client);
	return key && find(runtime, key);
}

void runtime_forget(struct runtime *runtime)
{
	runtime->is_changed |= runtime->all;
	runtime->all = false;
	while (runtime->removed)
		forget(runtime, runtime->removed);
}

static char *key_of_export(const struct snapshot_export *export)
{
	return make_key(export->path, export->pattern, export->client->name);
}

/* Each export of @which that @other has not. Returns 0; -ENOMEM; what @each returned, negative. */
static int each_missing(struct runtime *runtime, const struct snapshot *which,
			const struct snapshot *other,
			int (*each)(struct runtime *runtime, const char *key))
{
	for (size_t i = 0; which && i < snapshot_n_exports(which); i++) {
		const struct snapshot_export *export = snapshot_export(which, i);
		CLEANUP(freep) char *key = NULL;
		int r;

		if (other && snapshot_listed(other, export->path, export->pattern,
					     export->client->name) >= 0)
			continue;
		key = key_of_export(export);
		r = key ? each(runtime, key) : -ENOMEM;
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_back(struct runtime *runtime, const char *key)
{
	return runtime->all ? 0 : add_removed(runtime, key);
}

static int give_again(struct runtime *runtime, const char *key)
{
	struct removed *removed = find(runtime, key);

	if (removed)
		forget(runtime, removed);
	return 0;
}

int runtime_note(struct runtime *runtime, const struct snapshot *before, const struct snapshot *now,
		 bool all)
{
	int r;

	if (all) {
		runtime_forget(runtime);
		runtime->all = runtime->is_changed = true;
		return 0;
	}
	r = each_missing(runtime, before, now, take_back);
	if (r < 0)
		return r;
	return runtime->removed ? each_missing(runtime, now, before, give_again) : 0;
}

/* ---- the file ---- */

const char *runtime_added(const struct runtime *runtime)
{
	return runtime->added ?: "";
}

/* Text behind a word and a blank, or NULL. */
static const char *behind(const char *line, const char *word)
{
	size_t length = strlen(word);

	return strncmp(line, word, length) == 0 && line[length] == ' ' ? line + length + 1 : NULL;
}

static int read_line(struct runtime *runtime, const char *line, FILE *added)
{
	unsigned long long inode, mtime, size;
	const char *text = behind(line, "added");

	if (text) {
		fprintf(added, "%s\n", text);
		return 0;
	}
	text = behind(line, "removed");
	if (text)
		return add_removed(runtime, text);
	if (str_equal(line, "all"))
		runtime->all = true;
	else if (sscanf(line, "etab %llu %llu %llu", &inode, &mtime, &size) == 3)
		runtime->etab =
			(struct file_version){ .inode = inode, .mtime_nsec = mtime, .size = size };
	return 0;
}

static int read_lines(struct runtime *runtime, FILE *from)
{
	CLEANUP(freep) char *line = NULL;
	size_t size = 0, added_size;
	ssize_t length;
	FILE *added = open_memstream(&runtime->added, &added_size);
	int r = 0;

	if (!added)
		return -ENOMEM;
	while (r == 0 && (length = getline(&line, &size, from)) > 0) {
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		r = read_line(runtime, line, added);
	}
	if (r == 0 && ferror(from))
		r = -EIO;
	if (fclose(added) != 0)
		r = -ENOMEM;
	return r;
}

int runtime_read(struct runtime *runtime, const char *file)
{
	FILE *from = file_open_stream(file);
	int r;

	if (!from)
		return -errno;
	free(TAKE_PTR(runtime->added));
	r = read_lines(runtime, from);
	(void)fclose(from);
	runtime->is_changed = false;
	return r;
}

static int write_added(const struct snapshot *snapshot, FILE *to)
{
	for (size_t i = 0; snapshot && i < snapshot_n_exports(snapshot); i++) {
		const struct snapshot_export *export = snapshot_export(snapshot, i);

		if (!str_equal(snapshot_as_written(snapshot, export).at.file, exports_at_run_time))
			continue;
		fputs("added ", to);
		if (snapshot_print_export(snapshot, export, to, EXPORT_PER_FLAVOR) < 0)
			return -EIO;
	}
	return 0;
}

struct contents {
	const struct runtime *runtime;
	const char *added;
};

static int write_all(void *userdata, FILE *to)
{
	const struct contents *contents = userdata;
	const struct file_version *etab = &contents->runtime->etab;
	const struct removed *removed = contents->runtime->removed;

	fputs("# What exportfs(8) changed since the exports files were read. Written by exportsd(8).\n",
	      to);
	fprintf(to, "etab %llu %llu %llu\n", (unsigned long long)etab->inode,
		(unsigned long long)etab->mtime_nsec, (unsigned long long)etab->size);
	if (contents->runtime->all)
		fputs("all\n", to);
	for (; removed; removed = removed->hh.next)
		fprintf(to, "removed %s\n", removed->key);
	fputs(contents->added, to);
	return 0;
}

int runtime_write(struct runtime *runtime, const char *file, const struct snapshot *snapshot)
{
	CLEANUP(freep) char *added = NULL;
	size_t size;
	FILE *to = open_memstream(&added, &size);
	int r;

	if (!to)
		return -ENOMEM;
	r = write_added(snapshot, to);
	if (fclose(to) != 0 || r < 0)
		return -ENOMEM;
	if (!runtime->is_changed && str_equal(added, runtime->written ?: ""))
		return 0;
	r = file_replace(AT_FDCWD, file, 0, 0, write_all, &(struct contents){ runtime, added });
	if (r < 0)
		return r;
	runtime->is_changed = false;
	free(runtime->written);
	runtime->written = TAKE_PTR(added);
	return 0;
}

/* ---- the whole ---- */

int runtime_new(struct runtime **ret_runtime)
{
	struct runtime *runtime = calloc(1, sizeof(*runtime));

	if (!runtime)
		return -ENOMEM;
	*ret_runtime = runtime;
	return 0;
}

struct runtime *runtime_free(struct runtime *runtime)
{
	if (!runtime)
		return NULL;
	runtime_forget(runtime);
	free(runtime->added);
	free(runtime->written);
	free(runtime);
	return NULL;
}
