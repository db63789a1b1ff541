/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * tell.c - exportfs(8)'s messages, and what is wrong with a path that was exported.
 *
 * nfs-utils looks at each export's directory and has nfsd try it (validate_export()). Here each
 * path is looked at once, and nfsd tries one path of each file system: whether it can be exported,
 * and whether it needs a number, is a matter of the file system (fs/nfsd/export.c check_export()).
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <uthash.h>

#include "exportsd/exportfs/private.h"
#include "exportsd/exports/etab_file.h"
#include "exportsd/kernel/kernel.h"
#include "parser/escape.h"

/* ---- messages ---- */

void exportfs_error(struct exportfs *exportfs, const char *format, ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = escape_message(format, ap);
	va_end(ap);
	(void)fflush(stdout);
	fprintf(stderr, "%s: %s\n", exportfs->program, text ?: strerror(ENOMEM));
	exportfs->failed = true;
}

void exportfs_tell(struct exportfs *exportfs, const struct diags *diags)
{
	(void)fflush(stdout);
	for (size_t i = 0; i < diags->n_items; i++) {
		const struct diag *diag = &diags->items[i];

		fprintf(stderr, "%s: ", exportfs->program);
		if (diag->file[0])
			fputs(diag->file, stderr);
		if (diag->file[0] && diag->line)
			fprintf(stderr, ":%u:%u", diag->line, diag->column);
		if (diag->file[0])
			fprintf(stderr, ": %s: ", diag->level == DIAG_ERROR ? "error" : "warning");
		fprintf(stderr, "%s\n", diag->text);
	}
	if (diags->n_errors + diags->n_warnings > diags->n_items)
		fprintf(stderr, "%s: and %zu more\n", exportfs->program,
			diags->n_errors + diags->n_warnings - diags->n_items);
	exportfs->failed |= diags->n_errors || diags->n_mistakes || diags->out_of_memory;
}

/* ---- paths ---- */

/* What nfsd said of a file system: with a number of its own, and without. */
struct tried {
	struct {
		dev_t device;
		uint32_t has_number;
	} key;
	bool takes, takes_numbered;
	UT_hash_handle hh;
};

struct checking {
	struct exportfs *exportfs;
	struct kernel *kernel; /* NULL: there is no nfsd to try */
	struct tried *tried;
	bool all; /* not only the suspects */
};

static struct tried *try(struct checking *checking, const char *path, dev_t device,
			 const struct export_options *options)
{
	struct tried *tried = calloc(1, sizeof(*tried)), *known;
	struct statfs st;

	if (!tried)
		return NULL;
	tried->key.device = device;
	tried->key.has_number =
		options->flags & EXPORT_FSID || options->uuid ||
		(statfs(path, &st) == 0 && (st.f_fsid.__val[0] || st.f_fsid.__val[1]));
	HASH_FIND(hh, checking->tried, &tried->key, sizeof(tried->key), known);
	if (known) {
		free(tried);
		return known;
	}
	tried->takes_numbered =
		kernel_takes_export(checking->kernel, path, options->flags | EXPORT_FSID);
	tried->takes = tried->key.has_number
			       ? tried->takes_numbered
			       : kernel_takes_export(checking->kernel, path, options->flags);
	HASH_ADD(hh, checking->tried, key, sizeof(tried->key), tried);
	if (!tried->hh.tbl) {
		free(tried);
		return NULL;
	}
	return tried;
}

static void check_path(struct checking *checking, const struct export_item *item)
{
	struct exportfs *exportfs = checking->exportfs;
	const struct tried *tried;
	struct stat st;

	if (stat(item->path, &st) < 0) {
		exportfs_error(exportfs, "Failed to stat %s: %s", item->path, strerror(errno));
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		exportfs_error(exportfs, "%s is not a directory. Remote access will fail",
			       item->path);
		return;
	}
	if (!checking->kernel)
		return;
	tried = try(checking, item->path, st.st_dev, item->options);
	if (tried && !tried->takes)
		exportfs_error(exportfs,
			       tried->takes_numbered ? "%s requires fsid= for NFS export"
						     : "%s does not support NFS export",
			       item->path);
}

static bool is_suspect(const struct checking *checking, const char *path)
{
	const struct exportfs *exportfs = checking->exportfs;

	for (size_t i = 0; !checking->all && i < exportfs->suspects->n_paths; i++)
		if (str_equal(exportfs->suspects->paths[i], path))
			return true;
	return checking->all && change_names_path(exportfs->change, path);
}

static void check_items(struct checking *checking, const struct exports_source *source)
{
	const char *path = "";

	for (size_t i = 0; i < source->n_items; i++) {
		const struct export_item *item = &source->items[i];

		if (str_equal(item->path, path) || !is_suspect(checking, item->path))
			continue;
		path = item->path;
		check_path(checking, item);
	}
}

/* In etab's order, as nfs-utils. */
static void check_etab(struct checking *checking)
{
	CLEANUP(freep) char *text = NULL;
	struct exports_source *source = NULL;
	struct diags diags = { 0 };
	struct file_version version;

	if (etab_file_read(checking->exportfs->config->nfs_state_directory, &text, &version) == 0 &&
	    exports_read_etab("etab", text, strlen(text), &diags, &source) == 0)
		check_items(checking, source);
	exports_source_free(source);
	diags_done(&diags);
}

/* Does nfsd take this one of each file system? Then it takes all that lies there. */
static bool takes_trials(struct checking *checking, const struct suspects *suspects)
{
	for (size_t i = 0; checking->kernel && i < suspects->n_trials; i++) {
		const struct suspects_trial *trial = &suspects->trials[i];
		const struct export_options options = { .flags = trial->flags };
		const struct tried *tried;
		struct stat st;

		if (stat(trial->path, &st) < 0)
			return false;
		tried = try(checking, trial->path, st.st_dev, &options);
		if (!tried || !tried->takes)
			return false;
	}
	return true;
}

static struct kernel *open_kernel(void)
{
	struct kernel *kernel = NULL;

	if (kernel_open_for_trials(&kernel, "/proc") < 0 || kernel_is_open(kernel))
		return kernel;
	kernel_close(kernel);
	return NULL;
}

void exportfs_check_paths(struct exportfs *exportfs)
{
	const struct suspects *suspects = exportfs->suspects;
	struct checking checking = { .exportfs = exportfs, .kernel = open_kernel() };
	struct tried *tried, *next;

	checking.all = !suspects || !takes_trials(&checking, suspects);
	if (checking.all || suspects->n_paths)
		check_etab(&checking);
	HASH_ITER (hh, checking.tried, tried, next) {
		HASH_DEL(checking.tried, tried);
		free(tried);
	}
	kernel_close(checking.kernel);
}
