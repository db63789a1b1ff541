/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * kept.h - the reader's tables: sets of options by what they are, option lists and clients
 * by their text.
 *
 * If there is no memory for a table, what was to be kept in it is only not found again.
 */

#include "parser/arena.h"
#include "parser/exports.h"
#include "parser/index.h"

struct reader_client;

/* A set of options, which is kept, and a number, which is not. */
struct kept_options {
	const struct export_options *set;
	uint32_t fsid;
};

/* What an option list came to. Lists that differ only in the number of fsid= are one. */
struct kept_list {
	struct kept_options options;
	const char *key;
	size_t key_length;
};

struct kept {
	VECTOR(const struct export_options *) sets;
	struct index sets_by_value;
	VECTOR(struct kept_list) lists;
	struct index lists_by_key;
	VECTOR(struct reader_client *) clients;
	struct index clients_by_text;
};

enum { KEPT_LISTS_MAX = 4096 }; /* a file may have a list of its own for every line */

/* The set with these bytes, made in @arena if there is none; NULL when memory is out. */
const struct export_options *kept_set(struct kept *kept, struct exports_arena *arena,
				      const struct export_options *set);

/* What a list came to, or NULL; valid until another is added. */
const struct kept_list *kept_list(const struct kept *kept, const char *key, size_t length);

/* Beyond KEPT_LISTS_MAX nothing is kept. Returns false when memory is out. */
bool kept_add_list(struct kept *kept, struct exports_arena *arena, const char *key, size_t length,
		   const struct kept_options *options);

/* The client with this text, or NULL. */
struct reader_client *kept_client(const struct kept *kept, const char *text, size_t length);

/*
 * A new client, zero, its text being @text, which must live as long as @kept. NULL when memory is
 * out.
 */
struct reader_client *kept_add_client(struct kept *kept, struct exports_arena *arena,
				      const char *text, size_t length);

void kept_done(struct kept *kept);
