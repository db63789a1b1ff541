/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * kept.c - the reader's hash tables.
 */

#define HASH_NONFATAL_OOM 1

#include "parser/kept.h"

#include "parser/reader.h"

#include <uthash.h>

struct kept_options {
	UT_hash_handle hh;
	struct export_options options;
};

struct kept_list {
	UT_hash_handle hh;
	const struct export_options *options;
	char key[];
};

struct kept_client {
	UT_hash_handle hh;
	struct reader_client client;
};

const struct export_options *kept_options(struct kept *kept, struct exports_arena *arena,
					  const struct export_options *options)
{
	struct kept_options *found;

	HASH_FIND(hh, kept->options, options, sizeof(*options), found);
	if (!found) {
		found = arena_alloc(arena, sizeof(*found));
		if (!found)
			return NULL;
		memcpy(&found->options, options, sizeof(*options));
		HASH_ADD(hh, kept->options, options, sizeof(found->options), found);
	}
	return &found->options;
}

const struct export_options *kept_list(const struct kept *kept, const char *key, size_t length)
{
	struct kept_list *found;

	HASH_FIND(hh, kept->lists, key, length, found);
	return found ? found->options : NULL;
}

bool kept_add_list(struct kept *kept, struct exports_arena *arena, const char *key, size_t length,
		   const struct export_options *options)
{
	struct kept_list *list;

	if (kept->n_lists == KEPT_LISTS_MAX)
		return true;
	list = arena_alloc(arena, sizeof(*list) + length);
	if (!list)
		return false;
	list->options = options;
	memcpy(list->key, key, length);
	HASH_ADD_KEYPTR(hh, kept->lists, list->key, length, list);
	kept->n_lists++;
	return true;
}

struct reader_client *kept_client(const struct kept *kept, const char *text, size_t length)
{
	struct kept_client *found;

	HASH_FIND(hh, kept->clients, text, length, found);
	return found ? &found->client : NULL;
}

struct reader_client *kept_add_client(struct kept *kept, struct exports_arena *arena,
				      const char *text, size_t length)
{
	struct kept_client *client = arena_alloc(arena, sizeof(*client));

	if (!client)
		return NULL;
	HASH_ADD_KEYPTR(hh, kept->clients, text, length, client);
	return &client->client;
}

void kept_done(struct kept *kept)
{
	HASH_CLEAR(hh, kept->options);
	HASH_CLEAR(hh, kept->lists);
	HASH_CLEAR(hh, kept->clients);
}
