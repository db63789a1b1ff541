/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * list.c - exportfs(8)'s listings, byte for byte as nfs-utils' (dump()): etab, read and
 * listed as it would be.
 *
 * Rules stand behind it, in the same form.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/exportfs/private.h"
#include "exportsd/exports/etab_file.h"
#include "exportsd/exports/stock_order.h"
#include "exportsd/kernel/kernel.h"

enum { PATH_COLUMNS = 14 }; /* a longer path gets a line of its own */

/* A word as the kernel's caches are given it (qword_add()), with its blank. */
static void print_word(const char *text)
{
	for (; *text; text++)
		if (strchr(" \t\n\\", *text))
			printf("\\%03o", (unsigned char)*text);
		else
			putchar(*text);
	putchar(' ');
}

static void print_item(const struct exportfs *exportfs, const struct export_item *item,
		       uint32_t per_flavor)
{
	const char *client = item->client->text;

	if (item->client->type == CLIENT_ANONYMOUS)
		client = exportfs->as_exports_file ? "*" : "<world>";
	if (exportfs->as_exports_file) {
		print_word(item->path);
		printf(" %s", client);
	} else if (strlen(item->path) > PATH_COLUMNS) {
		printf("%s\n\t\t%s", item->path, client);
	} else {
		printf("%-*s\t%s", PATH_COLUMNS, item->path, client);
	}
	if (exportfs->verbose || exportfs->as_exports_file) {
		putchar('(');
		export_list_options(stdout, item->options, item->fsid, per_flavor);
		putchar(')');
	}
	putchar('\n');
}

static int print_ordered(const struct exportfs *exportfs, const struct exports_source *source,
			 uint32_t per_flavor)
{
	size_t n = source->n_items;
	CLEANUP(freep) const char **paths = calloc(n + 1, sizeof(*paths));
	CLEANUP(freep) enum client_type *types = calloc(n + 1, sizeof(*types));
	CLEANUP(freep) size_t *indices = calloc(n + 1, sizeof(*indices));
	int r;

	if (!paths || !types || !indices)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		paths[i] = source->items[i].path;
		types[i] = source->items[i].client->type;
	}
	r = stock_order(paths, types, n, indices);
	for (size_t i = 0; r == 0 && i < n; i++)
		print_item(exportfs, &source->items[indices[i]], per_flavor);
	return r;
}

static int list_text(struct exportfs *exportfs, const char *text, bool ordered)
{
	const uint32_t per_flavor = kernel_read_per_flavor_flags("/proc");
	struct exports_source *source = NULL;
	struct diags diags = { 0 };
	int r = exports_read_etab("etab", text, strlen(text), &diags, &source);

	if (r == 0 && ordered)
		r = print_ordered(exportfs, source, per_flavor);
	for (size_t i = 0; r == 0 && !ordered && i < source->n_items; i++)
		print_item(exportfs, &source->items[i], per_flavor);
	diags_done(&diags);
	exports_source_free(source);
	return r;
}

/* nfs-utils' listings always end with 0, whatever is wrong with etab. */
void exportfs_list(struct exportfs *exportfs)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(freep) char *rules = exportfs_ask_rules(exportfs);
	struct file_version version;
	int r = etab_file_read(exportfs->config->nfs_state_directory, &text, &version);

	if (r == 0)
		r = list_text(exportfs, text, true);
	if ((r == 0 || r == -ENOENT) && rules)
		r = list_text(exportfs, rules, false);
	if (r < 0 && r != -ENOENT)
		fprintf(stderr, "%s: cannot read etab: %s\n", exportfs->program, strerror(-r));
}
