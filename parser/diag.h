/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * diag.h - what is wrong with a file, and where: collected first, printed later.
 *
 * A parser adds every fault it finds and goes on. Whoever asked for the parse
 * prints the lot (or logs it) and decides by the number of errors.
 */

#include <stdbool.h>
#include <stdio.h>

#include "parser/base.h"

enum diag_level {
	DIAG_WARNING, /* in force all the same */
	DIAG_ERROR, /* the entry is not in force */
	DIAG_MISTAKE, /* shown as a warning; exportfs(8) ends with 1 because of it, as nfs-utils' does */
};

/*
 * A place in a file. Lines and columns count from 1, columns in bytes. line 0: the file as a whole.
 */
struct position {
	const char *file; /* borrowed by diag_add(), which copies it */
	unsigned int line;
	unsigned int column;
	const char *line_text; /* that line's first byte, for the caret; NULL if not at hand */
	size_t line_length; /* bytes, without the newline */
};

struct diag {
	enum diag_level level;
	char *file;
	unsigned int line;
	unsigned int column;
	char *text; /* one line, no newline, control bytes escaped */
	char *line_text; /* NULL if there is none to show */
};

enum { DIAGS_MAX = 50 };

/*
 * Zero-initialise. Beyond DIAGS_MAX messages only the counters go on; an error then takes the
 * place of the last warning, so that what makes a file refused is always shown.
 */
struct diags {
	struct diag *items;
	size_t n_items;
	size_t n_errors;
	size_t n_warnings;
	size_t n_mistakes; /* among the warnings */
	bool out_of_memory; /* a message was lost: treat as an error */
};

/*
 * diag_add - add one message.
 *
 * @at:     copied
 * @format: printf(3) format of the text, without position and without newline;
 *          file names and user text go in as arguments. Control bytes in the result
 *          are shown as \ooo.
 */
void diag_add(struct diags *diags, enum diag_level level, const struct position *at,
	      const char *format, ...) FORMAT_PRINTF(4, 5);

/*
 * diags_print - write all messages, one per line, as GCC does:
 *
 *	/etc/exports:3:17: error: unknown option 'rwx'
 *
 * @caret: also show the line and a caret under the column (for a terminal)
 *
 * If messages were dropped, a last line says how many.
 */
void diags_print(const struct diags *diags, FILE *to, bool caret);

/* diags_done - free what diags holds; it is empty and usable afterwards. */
void diags_done(struct diags *diags);
