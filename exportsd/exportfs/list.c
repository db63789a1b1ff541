/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * list.c - exportfs(8)'s listings, byte for byte as nfs-utils' (dump()): etab, read and
 * listed as it would be.
 *
 * Rules stand behind it, in the same form.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/exportfs/exportfs.h"
#include "exportsd/exports/etab_file.h"
#include "exportsd/exports/stock_order.h"
#include "exportsd/kernel/kernel.h"

enum {
	PATH_COLUMNS = 14, /* a longer path gets a line of its own */
	ANONYMOUS_ID = 65534,
};

/* ---- options ---- */

/* Words for flags, in the listing's order. The first three are always said. */
static const struct {
	uint32_t flag;
	const char *set, *clear;
} shown_flags[] = {
	{ EXPORT_ASYNC, "async", "sync" },
	{ EXPORT_GATHERED_WRITES, "wdelay", "no_wdelay" },
	{ EXPORT_NOHIDE, "nohide", "hide" },
	{ EXPORT_CROSSMOUNT, "crossmnt", NULL },
	{ EXPORT_NOSUBTREECHECK, "no_subtree_check", NULL },
	{ EXPORT_NOAUTHNLM, "insecure_locks", NULL },
	{ EXPORT_NOREADDIRPLUS, "nordirplus", NULL },
	{ EXPORT_SECURITY_LABEL, "security_label", NULL },
	{ EXPORT_NOACL, "no_acl", NULL },
	{ EXPORT_PNFS, "pnfs", NULL },
};

static void print_flags(uint32_t flags)
{
	for (size_t i = 0; i < N_ELEMENTS(shown_flags); i++) {
		const char *word =
			flags & shown_flags[i].flag ? shown_flags[i].set : shown_flags[i].clear;

		if (word)
			printf("%c%s", i ? ',' : '(', word);
	}
}

static void print_reexport(enum export_reexport reexport)
{
	if (reexport == EXPORT_REEXPORT_AUTO)
		fputs(",reexport=auto-fsidnum", stdout);
	else if (reexport == EXPORT_REEXPORT_PREDEFINED)
		fputs(",reexport=predefined-fsidnum", stdout);
}

static void print_values(const struct export_options *options, uint32_t fsid)
{
	if (options->flags & EXPORT_FSID)
		printf(",fsid=%d", (int32_t)fsid);
	if (options->uuid)
		printf(",fsid=%s", options->uuid);
	if (options->handler)
		printf(",fsid=%s", options->handler);
	print_reexport(options->reexport);
	if (options->mountpoint)
		printf(",mountpoint%s%s", options->mountpoint[0] ? "=" : "", options->mountpoint);
	if (options->anon_uid != ANONYMOUS_ID)
		printf(",anonuid=%d", options->anon_uid);
	if (options->anon_gid != ANONYMOUS_ID)
		printf(",anongid=%d", options->anon_gid);
	if (options->fsloc == EXPORT_FSLOC_REFER)
		printf(",refer=%s", options->fsloc_text);
	else if (options->fsloc == EXPORT_FSLOC_REPLICAS)
		printf(",replicas=%s", options->fsloc_text);
}

/* Flavours stand in etab as in the listing, behind the ids. */
static void print_flavors(const struct export_options *options, uint32_t per_flavor)
{
	CLEANUP(freep) char *line = NULL;
	size_t size;
	FILE *to = open_memstream(&line, &size);
	char *from;

	if (!to)
		return;
	(void)export_print_etab(to, "/", "*", options, 0, per_flavor);
	if (fclose(to) != 0)
		return;
	from = strstr(line, ",anongid=");
	from = from ? strstr(from, ",sec=") : NULL;
	if (from) {
		*strrchr(from, ')') = '\0';
		fputs(from, stdout);
	}
}

static void print_options(const struct export_item *item, uint32_t per_flavor)
{
	const struct export_options *options = item->options;

	print_flags(options->flags);
	print_values(options, item->fsid);
	print_flavors(options, per_flavor);
	fputs(")\n", stdout);
}

/* ---- exports ---- */

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
	if (exportfs->verbose || exportfs->as_exports_file)
		print_options(item, per_flavor);
	else
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
