/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parser/index.h"

enum { ARRAY_FIRST = 8, INDEX_FIRST = 16 };

void *array_grown(void *array, uint32_t n, uint32_t *room, size_t item_size)
{
	uint32_t wanted = *room ? *room * 2 : ARRAY_FIRST;

	if (n < *room)
		return array;
	array = reallocarray(array, wanted, item_size);
	if (array)
		*room = wanted;
	return array;
}

void *array_fitted(void *array, uint32_t n, size_t item_size)
{
	void *fitted = n ? reallocarray(array, n, item_size) : NULL;

	return fitted ? fitted : array;
}

void index_replace(struct index *index, uint32_t hash, uint32_t number, uint32_t by)
{
	uint32_t at = hash;

	while (index->slots[at & (index->n_slots - 1)].number != number)
		at++;
	index->slots[at & (index->n_slots - 1)].number = by;
}

static void index_put(struct index *index, uint32_t hash, uint32_t number)
{
	uint32_t at = hash;

	while (index->slots[at & (index->n_slots - 1)].number != NOTHING)
		at++;
	index->slots[at & (index->n_slots - 1)] = (struct index_slot){ hash, number };
}

static int index_grow(struct index *index, uint32_t n_slots)
{
	struct index bigger = { .n_slots = n_slots };

	bigger.slots = malloc(bigger.n_slots * sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	memset(bigger.slots, 0xff, bigger.n_slots * sizeof(*bigger.slots));
	for (uint32_t i = 0; i < index->n_slots; i++)
		if (index->slots[i].number != NOTHING)
			index_put(&bigger, index->slots[i].hash, index->slots[i].number);
	bigger.n_used = index->n_used;
	free(index->slots);
	*index = bigger;
	return 0;
}

static bool is_room_for(uint32_t n_slots, uint32_t n)
{
	return (uint64_t)n * 3 <= (uint64_t)n_slots * 2;
}

int index_reserve(struct index *index, uint32_t n)
{
	uint32_t n_slots = index->n_slots ? index->n_slots : INDEX_FIRST;

	if (index->n_slots && is_room_for(n_slots, n))
		return 0;
	while (!is_room_for(n_slots, n))
		n_slots *= 2;
	return index_grow(index, n_slots);
}

int index_add(struct index *index, uint32_t hash, uint32_t number)
{
	int r = index_reserve(index, index->n_used + 1);

	if (r < 0)
		return r;
	index_put(index, hash, number);
	index->n_used++;
	return 0;
}
