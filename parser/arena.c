/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * arena.c - chunks in a list, the newest first; what is larger than a chunk gets its own.
 */

#define HASH_NONFATAL_OOM 1

#include "parser/arena.h"

#include <stdalign.h>
#include <uthash.h>

enum { CHUNK_BYTES = 64 * 1024 };

struct chunk {
	struct chunk *next;
	alignas(max_align_t) char bytes[];
};

struct interned {
	UT_hash_handle hh;
	char text[];
};

struct exports_arena {
	struct chunk *chunks;
	char *free;
	size_t n_free;
	struct interned *strings;
};

struct exports_arena *arena_new(void)
{
	return calloc(1, sizeof(struct exports_arena));
}

struct exports_arena *arena_free(struct exports_arena *arena)
{
	struct chunk *chunk, *next;

	if (!arena)
		return NULL;
	HASH_CLEAR(hh, arena->strings);
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
	void *result = cut(arena, size, alignof(max_align_t));

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

const char *arena_intern(struct exports_arena *arena, const char *text, size_t length)
{
	struct interned *string;

	HASH_FIND(hh, arena->strings, text, length, string);
	if (string)
		return string->text;
	string = arena_alloc(arena, sizeof(*string) + length + 1);
	if (!string)
		return NULL;
	memcpy(string->text, text, length);
	HASH_ADD_KEYPTR(hh, arena->strings, string->text, length, string);
	/* If uthash had no memory, the string is there, and only not found again. */
	return string->text;
}
