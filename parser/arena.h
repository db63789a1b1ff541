/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * arena.h - memory that is all given back at once.
 *
 * What is read from exports files lives and dies together, so it is cut from large chunks.
 * Equal strings can be had as one.
 */

#include "parser/base.h"

struct exports_arena;

/* Returns NULL when memory is out. */
struct exports_arena *arena_new(void);
struct exports_arena *arena_free(struct exports_arena *arena);

/* arena_join - what @from holds is @arena's from now on. @from: freed */
void arena_join(struct exports_arena *arena, struct exports_arena *from);

/* @size bytes set to zero, aligned for pointers and 64-bit numbers, or NULL when memory is out. */
void *arena_alloc(struct exports_arena *arena, size_t size);

/* A copy of @length bytes with a final NUL, or NULL. */
char *arena_copy(struct exports_arena *arena, const char *text, size_t length);

/* As arena_copy(), but equal texts give the same pointer. */
const char *arena_intern(struct exports_arena *arena, const char *text, size_t length);

/*
 * arena_forget_interned - nothing more will be asked for that may be there already: give back the
 * table.
 */
void arena_forget_interned(struct exports_arena *arena);

/* The same for any bytes, aligned for pointers and 64-bit numbers. */
const void *arena_intern_bytes(struct exports_arena *arena, const void *bytes, size_t length);
