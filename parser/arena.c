/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * arena.c - chunks in a list, the newest first; what is larger than a chunk gets its own.
 */

#include "parser/arena.h"

#include <stdalign.h>

#include "parser/index.h"

enum { CHUNK_BYTES = 64 * 1024 };

struct chunk {
	struct chunk *next;
	alignas(max_align_t) char bytes[];
};

struct interned {
	const void *bytes;
	size_t length;
};

struct exports_arena {
	struct chunk *chunks;
	char *free;
	size_t n_free;
	VECTOR(struct interned) interned;
	struct index by_bytes;
};

struct exports_arena *arena_new(void)
{
	return calloc(1, sizeof(struct exports_arena));
}

static bool add_chunk(struct exports_arena *arena, size_t size)
{
	struct chunk *chunk;

	if (size > SIZE_MAX - sizeof(*chunk))
		return false;
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return false;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->free = chunk->bytes;
	arena->n_free = size;
	return true;
}

/* @size bytes at the next multiple of @alignment, not set to anything. */
static char *cut(struct exports_arena *arena, size_t size, size_t alignment)
{
	size_t padding = -(uintptr_t)arena->free & (alignment - 1);
	char *result;

	if (arena->n_free < padding || arena->n_free - padding < size) {
		if (!add_chunk(arena, size > CHUNK_BYTES ? size : CHUNK_BYTES))
			return NULL;
		padding = 0;
	}
	result = arena->free + padding;
	arena->free += padding + size;
	arena->n_free -= padding + size;
	return result;
}

void *arena_alloc(struct exports_arena *arena, size_t size)
{
	void *result = cut(arena, size, alignof(uint64_t));

	return result ? memset(result, 0, size) : NULL;
}

char *arena_copy(struct exports_arena *arena, const char *text, size_t length)
{
	char *copy = cut(arena, length + 1, 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

static const void *find_interned(const struct exports_arena *arena, const void *bytes,
				 size_t length, uint32_t hash)
{
	uint32_t position = 0, number;

	while ((number = index_next(&arena->by_bytes, hash, &position)) != NOTHING) {
		const struct interned *known = &arena->interned.items[number];

		if (known->length == length && memcmp(known->bytes, bytes, length) == 0)
			return known->bytes;
	}
	return NULL;
}

const void *arena_intern_bytes(struct exports_arena *arena, const void *bytes, size_t length)
{
	uint32_t hash = hash_done(hash_bytes(hash_start(), bytes, length));
	const void *known = find_interned(arena, bytes, length, hash);
	char *copy;

	if (known)
		return known;
	copy = cut(arena, length + 1, alignof(uint64_t));
	if (!copy)
		return NULL;
	memcpy(copy, bytes, length);
	copy[length] = '\0';
	/* Without memory for the table it is there all the same, and only not found again. */
	if (vector_reserve(&arena->interned) == 0 &&
	    index_add(&arena->by_bytes, hash, arena->interned.n) == 0)
		arena->interned.items[arena->interned.n++] =
			(struct interned){ .bytes = copy, .length = length };
	return copy;
}

void arena_forget_interned(struct exports_arena *arena)
{
	free(arena->interned.items);
	free(arena->by_bytes.slots);
	memset(&arena->interned, 0, sizeof(arena->interned));
	memset(&arena->by_bytes, 0, sizeof(arena->by_bytes));
}

const char *arena_intern(struct exports_arena *arena, const char *text, size_t length)
{
	return arena_intern_bytes(arena, text, length);
}

struct exports_arena *arena_free(struct exports_arena *arena)
{
	struct chunk *chunk, *next;

	if (!arena)
		return NULL;
	arena_forget_interned(arena);
	for (chunk = arena->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(arena);
	return NULL;
}

void arena_join(struct exports_arena *arena, struct exports_arena *from)
{
	struct chunk **end = &from->chunks;

	/* Behind the newest: that one is being filled. */
	while (*end)
		end = &(*end)->next;
	if (arena->chunks) {
		*end = arena->chunks->next;
		arena->chunks->next = TAKE_PTR(from->chunks);
	} else {
		arena->chunks = TAKE_PTR(from->chunks);
	}
	arena_free(from);
}
