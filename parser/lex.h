/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * lex.h - the bytes of an exports file as words with positions.
 *
 * Knows blanks, comments, continuation lines, quotes and octal escapes as
 * nfs-utils does (support/nfs/xio.c xskip(), xgettok(), xgetc()), and what an administrator
 * would expect where those stop reading: \r, \v and \f are blanks everywhere.
 */

#include "parser/base.h"
#include "parser/diag.h"

enum {
	LEX_FILE_MAX = 1 << 30, /* bytes of a file */
	LEX_WORD_MAX = 64 * 1024, /* bytes of a word after decoding */
};

/* Zero-initialise but for the first four; lex_done() frees what it allocated. */
struct lexer {
	const char *file; /* name for messages */
	const char *text;
	size_t length; /* at most LEX_FILE_MAX */
	struct diags *diags;

	size_t at; /* the next byte */
	size_t line_start; /* offset of the line it is in */
	unsigned int lines_before;
	char *buffer; /* the word that was read last */
	uint32_t *origins;
	size_t buffer_size;
};

/* A word after decoding. Valid until the next word is read. */
struct lex_word {
	char *text; /* NUL-terminated, and the only NUL; may be changed in place */
	size_t length;
	/*
	 * Where each byte comes from: its offset in the file times two, plus one if the byte
	 * was quoted or escaped and so means itself. NULL: the word stands in the file as it is.
	 */
	const uint32_t *origins;
	size_t start; /* offset of its first byte in the file */
	size_t line_start;
	unsigned int line;
};

enum lex_found {
	LEX_NONE = 1, /* end of file before a path, end of line before an item */
	LEX_EMPTY, /* the word is there and empty: "" */
	LEX_BROKEN, /* a fault, which was reported; reading goes on behind it */
};

/* lex_path - the first word of the next line that has one. Returns 0 or enum lex_found; -ENOMEM. */
int lex_path(struct lexer *lexer, struct lex_word *ret_word);

/* lex_item - the next word of this line. Returns as lex_path(). */
int lex_item(struct lexer *lexer, struct lex_word *ret_word);

/* lex_next_is - is @byte the first one of the next item of this line? */
bool lex_next_is(const struct lexer *lexer, char byte);

/* Was byte @index of the word quoted or escaped? */
static inline bool lex_is_literal(const struct lex_word *word, size_t index)
{
	return word->origins && (word->origins[index] & 1);
}

/* The place of byte @index of the word; @index may be its length. */
struct position lex_position(const struct lexer *lexer, const struct lex_word *word, size_t index);

void lex_done(struct lexer *lexer);
