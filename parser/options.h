/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * options.h - the option lists of exports files.
 *
 * The one table of every option, how its value is read and how etab shows it, is in
 * options.c.
 */

#include "parser/arena.h"
#include "parser/exports.h"
#include "parser/lex.h"

/* A list within a word of the file: what stands between ( and ), or behind the '-' of defaults. */
struct option_list {
	const struct lexer *lexer;
	const struct lex_word *word;
	size_t begin, end; /* of the list, in the word's bytes */
};

enum { OPTIONS_FAULTY = 1 };

/*
 * options_init - what an entry starts with, its number being 0. Padding is zero, so that equal sets
 * are equal bytes.
 */
void options_init(struct export_options *options);

/*
 * options_apply - change options as a list says.
 *
 * @diags: gets every fault of the list
 * @fsid:  the number, see struct export_item
 *
 * Strings in the result are interned in @arena. Padding stays as it was.
 * Returns 0; OPTIONS_FAULTY (what could be read was applied); -ENOMEM.
 */
int options_apply(const struct option_list *list, struct exports_arena *arena, struct diags *diags,
		  struct export_options *options, uint32_t *fsid);

/*
 * options_find - where in the word the last option with this name and a value, or none, starts.
 *
 * Returns false if the list has none.
 */
bool options_find(const struct option_list *list, const char *name, size_t *ret_index);

/* Every name an option can be written with, index by index; NULL behind the last. */
const char *options_name(size_t index);
