/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * snapshot.c - a snapshot as a whole: its memory and indices, listing, printing.
 */

#include <stdio.h>

#include "parser/snapshot_private.h"

/* ---- memory and indices ---- */

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

/* Gives back what is too much, if that can be done. */
void *array_fitted(void *array, uint32_t n, size_t item_size)
{
	void *fitted = n ? reallocarray(array, n, item_size) : NULL;

	return fitted ? fitted : array;
}

/* Put another number in a number's place. */
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

static int index_grow(struct index *index)
{
	struct index bigger = { .n_slots = index->n_slots ? index->n_slots * 2 : INDEX_FIRST };

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

int index_add(struct index *index, uint32_t hash, uint32_t number)
{
	if ((uint64_t)(index->n_used + 1) * 3 > (uint64_t)index->n_slots * 2) {
		int r = index_grow(index);

		if (r < 0)
			return r;
	}
	index_put(index, hash, number);
	index->n_used++;
	return 0;
}

/* ---- the whole ---- */

struct snapshot *snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return NULL;
	clients_done(snapshot);
	free(snapshot->records.items);
	free(snapshot->places.items);
	free(snapshot->rules.items);
	free(snapshot->places_by_path.slots);
	free(snapshot->records_by_pair.slots);
	free(snapshot->records_by_number.slots);
	free(snapshot->first_of_client);
	exports_source_free(snapshot->source);
	free(snapshot);
	return NULL;
}

size_t snapshot_n_exports(const struct snapshot *snapshot)
{
	return snapshot->n_listed;
}

const struct export *snapshot_export(const struct snapshot *snapshot, size_t index)
{
	return &snapshot->records.items[index].export;
}

struct export_as_written snapshot_as_written(const struct snapshot *snapshot,
					     const struct export *export)
{
	/* The item knows what was written: "" or "*", and the options of a "/" that became fsid=0. */
	const struct export_item *item = export_item_of(snapshot, export);

	return (struct export_as_written){
		.client = item->client.type == CLIENT_ANONYMOUS ? item->client.text
								: export->client->name,
		.options = item->options,
	};
}

int snapshot_print_export(const struct snapshot *snapshot, const struct export *export, FILE *to,
			  uint32_t per_flavor)
{
	struct export_as_written written = snapshot_as_written(snapshot, export);

	return export_print_etab(to, export->pattern ?: export->path, written.client,
				 written.options, per_flavor);
}

int snapshot_print_etab(const struct snapshot *snapshot, FILE *to, uint32_t per_flavor)
{
	for (uint32_t i = 0; i < snapshot->n_listed; i++) {
		int r = snapshot_print_export(snapshot, &snapshot->records.items[i].export, to,
					      per_flavor);

		if (r < 0)
			return r;
	}
	return 0;
}
