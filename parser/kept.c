/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * kept.c - the reader's tables.
 */

#include "parser/kept.h"

#include "parser/reader.h"

const struct export_options *kept_set(struct kept *kept, struct exports_arena *arena,
				      const struct export_options *set)
{
	uint32_t hash = hash_text((const char *)set, sizeof(*set)), position = 0, number;
	struct export_options *copy;

	while ((number = index_next(&kept->sets_by_value, hash, &position)) != NOTHING)
		if (memcmp(kept->sets.items[number], set, sizeof(*set)) == 0)
			return kept->sets.items[number];
	copy = arena_alloc(arena, sizeof(*copy));
	if (!copy)
		return NULL;
	memcpy(copy, set, sizeof(*set));
	(void)vector_add_indexed(&kept->sets, &kept->sets_by_value, hash, copy);
	return copy;
}

const struct kept_list *kept_list(const struct kept *kept, const char *key, size_t length)
{
	uint32_t hash = hash_text(key, length), position = 0, number;

	while ((number = index_next(&kept->lists_by_key, hash, &position)) != NOTHING) {
		const struct kept_list *list = &kept->lists.items[number];

		if (list->key_length == length && memcmp(list->key, key, length) == 0)
			return list;
	}
	return NULL;
}

bool kept_add_list(struct kept *kept, struct exports_arena *arena, const char *key, size_t length,
		   const struct kept_options *options)
{
	char *copy;

	if (kept->lists.n == KEPT_LISTS_MAX)
		return true;
	copy = arena_copy(arena, key, length);
	if (!copy)
		return false;
	(void)vector_add_indexed(
		&kept->lists, &kept->lists_by_key, hash_text(key, length),
		(struct kept_list){ .options = *options, .key = copy, .key_length = length });
	return true;
}

struct reader_client *kept_client(const struct kept *kept, const char *text, size_t length)
{
	uint32_t hash = hash_text(text, length), position = 0, number;

	while ((number = index_next(&kept->clients_by_text, hash, &position)) != NOTHING) {
		struct reader_client *client = kept->clients.items[number];

		if (strncmp(client->text, text, length) == 0 && client->text[length] == '\0')
			return client;
	}
	return NULL;
}

struct reader_client *kept_add_client(struct kept *kept, struct exports_arena *arena,
				      const char *text, size_t length)
{
	struct reader_client *client = arena_alloc(arena, sizeof(*client));

	if (!client)
		return NULL;
	client->text = text;
	(void)vector_add_indexed(&kept->clients, &kept->clients_by_text, hash_text(text, length),
				 client);
	return client;
}

void kept_done(struct kept *kept)
{
	free(kept->sets.items);
	free(kept->sets_by_value.slots);
	free(kept->lists.items);
	free(kept->lists_by_key.slots);
	free(kept->clients.items);
	free(kept->clients_by_text.slots);
}
