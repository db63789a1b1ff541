/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * snapshot.c - a snapshot as a whole: its memory and indices, listing, printing, comparing.
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

int snapshot_print_export(const struct snapshot *snapshot, const struct export *export, FILE *to,
			  uint32_t per_flavor)
{
	/* The item knows what was written: "" or "*", and the options of a "/" that became fsid=0. */
	const struct export_item *item = export_item_of(snapshot, export);
	const char *client =
		item->client.type == CLIENT_ANONYMOUS ? item->client.text : export->client->name;

	return export_print_etab(to, item->pattern ? item->pattern : export->path, client,
				 item->options, per_flavor);
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

/* ---- comparing ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && str_equal(a, b));
}

static bool same_flavors(const struct export_options *a, const struct export_options *b)
{
	if (a->n_flavors != b->n_flavors || a->n_xprtsec != b->n_xprtsec)
		return false;
	for (unsigned int i = 0; i < a->n_flavors; i++)
		if (a->flavors[i].number != b->flavors[i].number ||
		    a->flavors[i].flags != b->flavors[i].flags)
			return false;
	return memcmp(a->xprtsec, b->xprtsec, a->n_xprtsec * sizeof(a->xprtsec[0])) == 0;
}

static bool same_options(const struct export_options *a, const struct export_options *b)
{
	return a->flags == b->flags && a->anon_uid == b->anon_uid && a->anon_gid == b->anon_gid &&
	       a->fsid == b->fsid && same_text(a->uuid, b->uuid) &&
	       same_text(a->handler, b->handler) && same_text(a->mountpoint, b->mountpoint) &&
	       a->fsloc == b->fsloc && same_text(a->fsloc_text, b->fsloc_text) &&
	       a->reexport == b->reexport && same_text(a->squash_uids, b->squash_uids) &&
	       same_text(a->squash_gids, b->squash_gids) && same_flavors(a, b);
}

static bool same_client(const struct client *a, const struct client *b)
{
	if (a->type != b->type || !str_equal(a->name, b->name) || a->n_addresses != b->n_addresses)
		return false;
	/* A subnet's name says all of it. */
	for (size_t i = 0; i < a->n_addresses; i++)
		if (!address_same(&a->addresses[i], &b->addresses[i]))
			return false;
	return true;
}

static bool same_export(const struct export *a, const struct export *b)
{
	return a->client->id == b->client->id && str_equal(a->path, b->path) &&
	       same_text(a->pattern, b->pattern) && same_options(a->options, b->options);
}

bool snapshot_equal(const struct snapshot *a, const struct snapshot *b)
{
	if (a->n_listed != b->n_listed || a->clients.n != b->clients.n ||
	    a->records.n != b->records.n || !same_flavors(&a->root_options, &b->root_options))
		return false;
	for (uint32_t i = 0; i < a->clients.n; i++)
		if (!same_client(a->clients.items[i], b->clients.items[i]))
			return false;
	/* Pseudo-roots follow from these. */
	for (uint32_t i = 0; i < a->n_listed; i++)
		if (!same_export(&a->records.items[i].export, &b->records.items[i].export))
			return false;
	return true;
}
