/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fuzz-exports.c - any bytes as an exports file.
 *
 * What is read and printed as etab lines must be readable without an error, and mean the same:
 * printed again it is the same text, but for the entry's own per-flavour flags, which after
 * reading are those of the last flavour because etab names them last, and for flavours that
 * nfs-utils tells apart only until then.
 */

#include <stdio.h>
#include <stdlib.h>

#include "parser/exports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good, const char *what, const char *text)
{
	if (good)
		return;
	fprintf(stderr, "%s:\n%s\n", what, text);
	abort();
}

static void check_item(const struct export_item *item)
{
	const struct export_options *options = item->options;

	require(item->path[0] == '/' && strlen(item->path) <= 1024, "path", item->path);
	require(!item->pattern == !options->handler, "a rule has a handler, others none",
		item->path);
	require(options->n_flavors <= 5 && options->n_xprtsec <= EXPORT_XPRTSEC_MAX, "lists",
		item->path);
	require(item->line >= 1 && item->column >= 1, "position", item->path);
	for (unsigned int i = 0; i < options->n_flavors; i++)
		require(((options->flavors[i].flags ^ options->flags) & ~EXPORT_PER_FLAVOR) == 0,
			"flavours differ only in what the kernel lets them", item->path);
}

static struct export_options as_read_back(const struct export_options *options,
					  struct export_flavor *flavors)
{
	struct export_options result = *options;

	for (unsigned int i = 0; i < result.n_flavors; i++) {
		result.flags = (options->flags & ~EXPORT_PER_FLAVOR) |
			       (options->flavors[i].flags & EXPORT_PER_FLAVOR);
		flavors[i] = options->flavors[i];
		flavors[i].etab_flags = flavors[i].flags;
	}
	result.flavors = flavors;
	return result;
}

/* What the source says, as a string to free. */
static char *print(const struct exports_source *source, bool read_back)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	for (size_t i = 0; i < source->n_items; i++) {
		const struct export_item *item = &source->items[i];
		struct export_flavor flavors[EXPORT_FLAVORS_MAX];
		struct export_options options = *item->options;

		check_item(item);
		if (read_back)
			options = as_read_back(&options, flavors);
		export_print_etab(to, item->pattern ? item->pattern : item->path,
				  item->client->type == CLIENT_ANONYMOUS ? "*" : item->client->text,
				  &options, item->fsid, EXPORT_PER_FLAVOR);
	}
	fclose(to);
	return text;
}

static void check_diags(const struct diags *diags)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	require(diags->n_items <= DIAGS_MAX, "too many messages", "");
	diags_print(diags, to, true);
	fclose(to);
	for (size_t i = 0; i < size; i++)
		require((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t',
			"a control byte in a message", text);
	free(text);
}

static struct exports_source *read_back(const char *text)
{
	struct exports_source *source;
	struct diags diags = { 0 };

	if (exports_read_text("printed", text, strlen(text), &diags, &source) < 0)
		abort();
	require(diags.n_errors == 0, "what was printed has errors", text);
	diags_done(&diags);
	return source;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exports_source *source, *again;
	char *printed, *expected, *printed_again;
	struct diags diags = { 0 };
	/* Not a string: a byte read behind the end is found. */
	char *text = malloc(size ? size : 1);

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	if (exports_read_text("fuzz", text, size, &diags, &source) < 0)
		abort();
	free(text);
	check_diags(&diags);
	diags_done(&diags);
	printed = print(source, false);
	expected = print(source, true);
	again = read_back(printed);
	printed_again = print(again, false);
	require(str_equal(printed_again, expected), "printed, read and printed again is other",
		printed);
	free(printed);
	free(expected);
	free(printed_again);
	exports_source_free(source);
	exports_source_free(again);
	return 0;
}
