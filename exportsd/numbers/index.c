/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * index.c - linear probing. A tag is all that is kept of a hash: its lower bits say the
 * place, and growing needs nothing else.
 */

#include "exportsd/numbers/index.h"

#include <errno.h>

/* Multiplied once more: not all bits of what callers have are good. */
static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static struct numbers_index_place *next_place(const struct numbers_index *index,
					      struct numbers_index_place *place)
{
	return ++place == index->places + index->n_places ? index->places : place;
}

static void add_tag(struct numbers_index *index, uint32_t tag, uint32_t position)
{
	struct numbers_index_place *place = &index->places[tag & (index->n_places - 1)];

	while (place->position)
		place = next_place(index, place);
	*place = (struct numbers_index_place){ .tag = tag, .position = position };
	index->n++;
}

int numbers_index_reserve(struct numbers_index *index, size_t n)
{
	struct numbers_index grown = { .n_places = 1024 };

	if (2 * n <= index->n_places)
		return 0;
	while (grown.n_places < 2 * n)
		grown.n_places *= 2;
	grown.places = calloc(grown.n_places, sizeof(*grown.places));
	if (!grown.places)
		return -ENOMEM;
	for (size_t i = 0; i < index->n_places; i++)
		if (index->places[i].position)
			add_tag(&grown, index->places[i].tag, index->places[i].position);
	free(index->places);
	*index = grown;
	return 0;
}

void numbers_index_done(struct numbers_index *index)
{
	free(index->places);
	*index = (struct numbers_index){ 0 };
}

void numbers_index_add(struct numbers_index *index, uint64_t hash, uint32_t position)
{
	add_tag(index, tag_of(hash), position + 1);
}

bool numbers_index_next(const struct numbers_index *index, uint64_t hash, size_t *cursor,
			size_t *ret_position)
{
	uint32_t tag = tag_of(hash);

	while (index->n) {
		const struct numbers_index_place *place =
			&index->places[(tag + (*cursor)++) & (index->n_places - 1)];

		if (!place->position)
			break;
		if (place->tag != tag)
			continue;
		*ret_position = place->position - 1;
		return true;
	}
	return false;
}
