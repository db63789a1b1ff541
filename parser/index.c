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
	uint32_t distance = 0;

	while (index->slots[index_slot(index, hash, distance)].number != number)
		distance++;
	index->slots[index_slot(index, hash, distance)].number = by;
}

static void index_put(struct index *index, uint32_t hash, uint32_t number)
{
	struct index_slot moving = { hash, number };
	uint32_t at = index_slot(index, hash, 0);

	for (uint32_t distance = 0; index->slots[at].number != NOTHING; distance++) {
		uint32_t its_distance = index_distance(index, at);

		if (its_distance < distance) {
			struct index_slot there = index->slots[at];

			index->slots[at] = moving;
			moving = there;
			distance = its_distance;
		}
		if (++at == index->n_slots)
			at = 0;
	}
	index->slots[at] = moving;
}

static int index_resize(struct index *index, uint32_t n_slots)
{
	struct index other = { .n_slots = n_slots, .n_used = index->n_used };

	other.slots = malloc(other.n_slots * sizeof(*other.slots));
	if (!other.slots)
		return -ENOMEM;
	memset(other.slots, 0xff, other.n_slots * sizeof(*other.slots));
	for (uint32_t i = 0; i < index->n_slots; i++)
		if (index->slots[i].number != NOTHING)
			index_put(&other, index->slots[i].hash, index->slots[i].number);
	free(index->slots);
	*index = other;
	return 0;
}

/* So that one in three, and one at least, stays free. */
static uint32_t n_slots_for(uint32_t n)
{
	return n + n / 2 + 1;
}

int index_reserve(struct index *index, uint32_t n)
{
	return n_slots_for(n) <= index->n_slots ? 0 : index_resize(index, n_slots_for(n));
}

void index_fit(struct index *index)
{
	uint32_t n_slots = n_slots_for(index->n_used);

	if (n_slots + n_slots / 16 < index->n_slots)
		(void)index_resize(index, n_slots);
}

int index_add(struct index *index, uint32_t hash, uint32_t number)
{
	uint32_t n_slots = index->n_slots ? 2 * index->n_slots : INDEX_FIRST;

	if (n_slots_for(index->n_used + 1) > index->n_slots && index_resize(index, n_slots) < 0)
		return -ENOMEM;
	index_put(index, hash, number);
	index->n_used++;
	return 0;
}
