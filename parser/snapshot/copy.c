/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * copy.c - items of a snapshot, copied to make another of.
 *
 * Every string is copied; sets of options that items share are shared by the copies.
 */

#include "parser/snapshot/private.h"

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

/* A text of the arena's own in its place, where there is one. Returns false when memory is out. */
static bool copy_text(struct exports_arena *arena, const char **text)
{
	bool is_there = *text;

	if (is_there)
		*text = arena_intern(arena, *text, strlen(*text));
	return *text || !is_there;
}

static struct export_options *copy_options(struct copying *copying,
					   const struct export_options *from)
{
	struct export_options *to = arena_alloc(copying->arena, sizeof(*to));

	if (!to)
		return NULL;
	memcpy(to, from, sizeof(*to));
	if (!copy_text(copying->arena, &to->uuid) || !copy_text(copying->arena, &to->handler) ||
	    !copy_text(copying->arena, &to->mountpoint) ||
	    !copy_text(copying->arena, &to->fsloc_text) ||
	    !copy_text(copying->arena, &to->squash_uids) ||
	    !copy_text(copying->arena, &to->squash_gids))
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
	    !copy_text(arena, &to->pattern))
		return -ENOMEM;
	return 0;
}

static int copy_items(const struct snapshot *snapshot, const size_t *indices, size_t n_indices,
		      struct copying *copying, struct export_item *items)
{
	for (size_t i = 0; i < n_indices; i++) {
		const struct snapshot_export *export = snapshot_export(snapshot, indices[i]);
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
