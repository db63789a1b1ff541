/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * index.h - numbers found again by a hash, and the arrays that they are numbers of.
 *
 * An index is an open-addressing table of (hash, number) pairs, eight bytes a slot, at most two
 * thirds full, and about that once index_fit() was called: then 12 to 13 bytes an entry however
 * many there are, where a uthash handle in every record would take 56 and a pointer chase. Who
 * stands farther from its home keeps a slot, so all stand about two slots off, and who is not there
 * is soon known not to be (Celis, Robin Hood Hashing, 1986). Nothing is ever deleted from one.
 */

#include <errno.h>

#include "parser/base.h"

/* A test that counts work instead of time defines this before it includes the sources. */
#ifndef SNAPSHOT_PROBE
#define SNAPSHOT_PROBE() ((void)0)
#endif

enum { NOTHING = UINT32_MAX };

/* ---- arrays ---- */

#define VECTOR(type)                                                                               \
	struct {                                                                                   \
		type *items;                                                                       \
		uint32_t n, room;                                                                  \
	}

/* Room for one more item: 0 or -ENOMEM, which leaves the vector as it is. */
#define vector_reserve(vector)                                                                     \
	({                                                                                         \
		void *bigger_ = array_grown((vector)->items, (vector)->n, &(vector)->room,         \
					    sizeof(*(vector)->items));                             \
		if (bigger_)                                                                       \
			(vector)->items = bigger_;                                                 \
		bigger_ ? 0 : -ENOMEM;                                                             \
	})
/* One more item, the last argument: 0 or -ENOMEM, which leaves the vector as it is. */
#define vector_add(vector, ...)                                                                    \
	({                                                                                         \
		int added_ = vector_reserve(vector);                                               \
		if (added_ == 0)                                                                   \
			(vector)->items[(vector)->n++] = (__VA_ARGS__);                            \
		added_;                                                                            \
	})
/* The same, and its number under a hash. */
#define vector_add_indexed(vector, index, hash, ...)                                               \
	({                                                                                         \
		int indexed_ = vector_reserve(vector);                                             \
		if (indexed_ == 0)                                                                 \
			indexed_ = index_add(index, hash, (vector)->n);                            \
		if (indexed_ == 0)                                                                 \
			(vector)->items[(vector)->n++] = (__VA_ARGS__);                            \
		indexed_;                                                                          \
	})
#define vector_fit(vector)                                                                         \
	((vector)->items = array_fitted((vector)->items, (vector)->n, sizeof(*(vector)->items)))

void *array_grown(void *array, uint32_t n, uint32_t *room, size_t item_size);
/* Gives back what is too much, if that can be done. */
void *array_fitted(void *array, uint32_t n, size_t item_size);

/* ---- indices ---- */

struct index_slot {
	uint32_t hash;
	uint32_t number; /* NOTHING: free */
};

struct index {
	struct index_slot *slots;
	uint32_t n_slots; /* 0, or more than n_used */
	uint32_t n_used;
};

/* 0 or -ENOMEM. */
int index_add(struct index *index, uint32_t hash, uint32_t number);
/* Put another number in a number's place. */
void index_replace(struct index *index, uint32_t hash, uint32_t number, uint32_t by);
/*
 * Room for so many in all, so that adding them does not make it grow again and again: 0 or -ENOMEM.
 */
int index_reserve(struct index *index, uint32_t n);
/* Gives back what is too much, if that can be done and is worth it. */
void index_fit(struct index *index);

/* The slot so far behind a hash's home, round about. */
static inline uint32_t index_slot(const struct index *index, uint32_t hash, uint32_t distance)
{
	uint32_t home = (uint32_t)((uint64_t)hash * index->n_slots >> 32);
	uint32_t left = index->n_slots - home;

	return distance < left ? home + distance : distance - left;
}

/* How far behind its hash's home a slot's entry stands. */
static inline uint32_t index_distance(const struct index *index, uint32_t slot)
{
	uint32_t home = index_slot(index, index->slots[slot].hash, 0);

	return slot >= home ? slot - home : slot + index->n_slots - home;
}

/*
 * The next number under a hash, or NOTHING; position starts as 0. The caller compares
 * keys: two keys may have one hash.
 */
static inline uint32_t index_next(const struct index *index, uint32_t hash, uint32_t *position)
{
	uint32_t slot;

	if (!index->n_slots)
		return NOTHING;
	for (slot = index_slot(index, hash, *position);; (*position)++) {
		SNAPSHOT_PROBE();
		if (index->slots[slot].hash == hash)
			break;
		if (index->slots[slot].number == NOTHING || index_distance(index, slot) < *position)
			return NOTHING;
		if (++slot == index->n_slots)
			slot = 0;
	}
	(*position)++;
	return index->slots[slot].number;
}

/* ---- hashes ---- */

/* FNV-1a, 64 bits, so that a path's prefixes are hashed on the way: Fowler, Noll, Vo. */
enum { HASH_START_HIGH = 0xcbf29ce4, HASH_START_LOW = 0x84222325 };
static inline uint64_t hash_start(void)
{
	return (uint64_t)HASH_START_HIGH << 32 | HASH_START_LOW;
}

static inline uint64_t hash_byte(uint64_t state, unsigned char byte)
{
	return (state ^ byte) * 0x100000001b3u;
}

static inline uint64_t hash_bytes(uint64_t state, const void *bytes, size_t n)
{
	for (const unsigned char *byte = bytes; n; n--)
		state = hash_byte(state, *byte++);
	return state;
}

/* Spread the state's bits over the result (splitmix64's last steps). */
static inline uint32_t hash_done(uint64_t state)
{
	state = (state ^ state >> 30) * 0xbf58476d1ce4e5b9u;
	state = (state ^ state >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(state ^ state >> 31);
}

static inline uint32_t hash_text(const char *text, size_t length)
{
	return hash_done(hash_bytes(hash_start(), text, length));
}

/* One-to-one, so that what is under a hash has this very number. */
static inline uint32_t hash_inode(uint32_t inode)
{
	inode = (inode ^ inode >> 16) * 0x45d9f3bu;
	inode = (inode ^ inode >> 16) * 0x45d9f3bu;
	return inode ^ inode >> 16;
}

static inline uint32_t hash_pair(uint32_t a, uint32_t b)
{
	return hash_done((uint64_t)a << 32 | b);
}
