/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * print.c - read exports files and print what they say, without asking the system anything:
 * etab lines on standard output, messages with carets on standard error.
 *
 *	print FILE|DIRECTORY...		exit status 1: there were errors
 *	print --options			the name of every option
 */

#include <stdio.h>
#include <sys/stat.h>

#include "parser/exports.h"
#include "parser/options.h"

/* A kernel since 5.12 lets all four differ (fs/nfsd/nfsctl.c export_features_show()). */
static const uint32_t per_flavor = EXPORT_PER_FLAVOR;

static void print_item(const struct export_item *item)
{
	const char *path = item->pattern ? item->pattern : item->path;

	if (export_print_etab(stdout, path, item->client->text, item->options, item->fsid,
			      per_flavor) < 0)
		exit(2);
}

static int print_options(void)
{
	const char *name;

	for (size_t i = 0; (name = options_name(i)); i++)
		puts(name);
	return 0;
}

int main(int argc, char **argv)
{
	const char **files, **directories;
	struct exports_source *source;
	struct diags diags = { 0 };
	size_t n_files = 0, n_directories = 0;
	struct stat st;
	int status;

	if (argc == 2 && str_equal(argv[1], "--options"))
		return print_options();
	files = calloc((size_t)argc, sizeof(*files));
	directories = calloc((size_t)argc, sizeof(*directories));
	if (!files || !directories)
		return 2;
	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			directories[n_directories++] = argv[i];
		else
			files[n_files++] = argv[i];
	}
	if (exports_read_files(files, n_files, directories, n_directories, &diags, &source) < 0)
		return 2;
	for (size_t i = 0; i < source->n_items; i++)
		print_item(&source->items[i]);
	diags_print(&diags, stderr, true);
	status = diags.n_errors ? 1 : 0;
	diags_done(&diags);
	exports_source_free(source);
	free(files);
	free(directories);
	return status;
}
