/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * source.c - items put together from several places: other files, a snapshot, a command line.
 *
 * A source's items point into its arena. So what is joined brings its arena along, and what is
 * copied is copied with every string; sets of options that items share are shared by the copies.
 */

#include <errno.h>
#include <stdio.h>
#include <uthash.h>

#include "parser/etab.h"
#include "parser/reader.h"
#include "parser/snapshot/private.h"

const char exports_at_run_time[] = "(run time)";

/* ---- joining ---- */

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

/* ---- a command line's parts ---- */

static bool names_handler(const char *options, const struct export_item *base)
{
	return (options && (strstr(options, "fsid=/") || strstr(options, "fsid=@"))) ||
	       (base && base->options->handler);
}

static int print_argument(const char *client, const char *path, const char *options, bool is_rule,
			  char **ret_text, size_t *ret_length)
{
	FILE *to = open_memstream(ret_text, ret_length);

	if (!to)
		return -ENOMEM;
	if (is_rule) {
		etab_put_path(to, path);
		putc('\t', to);
		etab_put_text(to, client);
	} else {
		etab_put_pair(to, path, NULL, client);
	}
	putc('(', to);
	etab_put_text(to, options ?: "");
	fputs(")\n", to);
	return fclose(to) == 0 ? 0 : -ENOMEM;
}

int exports_read_argument(const char *client, const char *path, const char *options,
			  const struct export_item *base, struct diags *diags,
			  struct exports_source **ret_source)
{
	CLEANUP(freep) char *text = NULL;
	size_t length = 0;
	int r = print_argument(client, path, options, names_handler(options, base), &text, &length);

	return r < 0 ? r : exports_read_based(text, length, base, diags, ret_source);
}

/* ---- copying ---- */

/* A set of options that was copied. */
struct copied {
	const struct export_options *from;
	struct export_options *to;
	UT_hash_handle hh;
};

struct copying {
	struct exports_arena *arena;
	struct copied *options;
};

static bool copy_text(struct exports_arena *arena, const char **text)
{
	if (*text)
		*text = arena_intern(arena, *text, strlen(*text));
	return *text;
}

static struct export_options *copy_options(struct copying *copying,
					   const struct export_options *from)
{
	struct export_options *to = arena_alloc(copying->arena, sizeof(*to));

	if (!to)
		return NULL;
	memcpy(to, from, sizeof(*to));
	if ((from->uuid && !copy_text(copying->arena, &to->uuid)) ||
	    (from->handler && !copy_text(copying->arena, &to->handler)) ||
	    (from->mountpoint && !copy_text(copying->arena, &to->mountpoint)) ||
	    (from->fsloc_text && !copy_text(copying->arena, &to->fsloc_text)) ||
	    (from->squash_uids && !copy_text(copying->arena, &to->squash_uids)) ||
	    (from->squash_gids && !copy_text(copying->arena, &to->squash_gids)))
		return NULL;
	if (from->n_flavors) {
		to->flavors = arena_intern_bytes(copying->arena, from->flavors,
						 from->n_flavors * sizeof(*from->flavors));
		if (!to->flavors)
			return NULL;
	}
	return to;
}

static const struct client_spec *copy_client(struct exports_arena *arena,
					     const struct client_spec *from)
{
	struct client_spec to;

	memcpy(&to, from, sizeof(to)); /* padding, too: equal ones are equal bytes */
	return copy_text(arena, &to.text) ? arena_intern_bytes(arena, &to, sizeof(to)) : NULL;
}

static struct export_options *copied_options(struct copying *copying,
					     const struct export_options *from)
{
	struct copied *copied;

	HASH_FIND_PTR(copying->options, &from, copied);
	if (copied)
		return copied->to;
	copied = calloc(1, sizeof(*copied));
	if (!copied)
		return NULL;
	copied->from = from;
	copied->to = copy_options(copying, from);
	HASH_ADD_PTR(copying->options, from, copied);
	if (copied->hh.tbl)
		return copied->to;
	free(copied);
	return NULL;
}

static int copy_item(struct copying *copying, const struct export_item *from,
		     struct export_item *to)
{
	struct exports_arena *arena = copying->arena;

	*to = *from;
	to->gives_way = true;
	to->options = copied_options(copying, from->options);
	to->path = arena_copy(arena, from->path, strlen(from->path));
	to->client = copy_client(arena, from->client);
	if (!to->options || !to->path || !to->client || !copy_text(arena, &to->file) ||
	    (from->pattern && !copy_text(arena, &to->pattern)))
		return -ENOMEM;
	return 0;
}

static int copy_items(const struct snapshot *snapshot, const size_t *indices, size_t n_indices,
		      struct copying *copying, struct export_item *items)
{
	for (size_t i = 0; i < n_indices; i++) {
		const struct export *export = snapshot_export(snapshot, indices[i]);
		int r = copy_item(copying, export_item_of(snapshot, export), &items[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int snapshot_copy_items(const struct snapshot *snapshot, const size_t *indices, size_t n_indices,
			struct exports_source **ret_source)
{
	struct exports_source *source = calloc(1, sizeof(*source));
	struct copying copying = { 0 };
	struct copied *copied, *next;
	int r = -ENOMEM;

	if (!source)
		return -ENOMEM;
	source->items = calloc(n_indices ? n_indices : 1, sizeof(*source->items));
	source->n_items = n_indices;
	source->arena = copying.arena = arena_new();
	if (source->items && source->arena)
		r = copy_items(snapshot, indices, n_indices, &copying,
			       (struct export_item *)source->items);
	HASH_ITER (hh, copying.options, copied, next) {
		HASH_DEL(copying.options, copied);
		free(copied);
	}
	if (r < 0)
		exports_source_free(source);
	else
		*ret_source = source;
	return r;
}
