/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * source.c - items that were read, put together from several places.
 *
 * A source's items point into its arena. So what is joined brings its arena along.
 */

#include "parser/exports.h"

#include "parser/arena.h"

#include <errno.h>

const char exports_at_run_time[] = "(run time)";

int exports_source_append(struct exports_source *source, struct exports_source *more)
{
	size_t n = source->n_items + more->n_items;

	if (more->n_items) {
		struct export_item *items =
			reallocarray((void *)source->items, n, sizeof(*source->items));

		if (!items) {
			exports_source_free(more);
			return -ENOMEM;
		}
		memcpy(items + source->n_items, more->items, more->n_items * sizeof(*items));
		source->items = items;
		source->n_items = n;
	}
	arena_join(source->arena, TAKE_PTR(more->arena));
	exports_source_free(more);
	return 0;
}

int exports_set_number(struct exports_source *source, size_t index, uint32_t number)
{
	struct export_item *item = (struct export_item *)&source->items[index];
	struct export_options *options;

	item->fsid = number;
	if (item->options->flags & EXPORT_FSID)
		return 0;
	options = arena_alloc(source->arena, sizeof(*options));
	if (!options)
		return -ENOMEM;
	*options = *item->options;
	options->flags |= EXPORT_FSID;
	item->options = options;
	return 0;
}

int exports_source_choose(struct exports_source *source, const struct export_item *items,
			  size_t n_items)
{
	struct export_item *chosen = calloc(n_items ? n_items : 1, sizeof(*chosen));

	if (!chosen)
		return -ENOMEM;
	if (n_items)
		memcpy(chosen, items, n_items * sizeof(*chosen));
	free((void *)source->items);
	source->items = chosen;
	source->n_items = n_items;
	return 0;
}

struct exports_source *exports_source_free(struct exports_source *source)
{
	if (source) {
		free((void *)source->items);
		arena_free(source->arena);
		free(source);
	}
	return NULL;
}
