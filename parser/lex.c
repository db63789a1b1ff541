/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * lex.c - the character level of exports(5).
 *
 * A word without quotes and backslashes, nearly every one, is found with a table and copied.
 * Others are decoded byte by byte into the buffer, with their origins beside.
 *
 * Octal escapes are undone where the buffer ends in backslash and three digits, looking at the
 * buffer and not at the file: a decoded backslash takes part ("\134040" is a space), a decoded
 * last digit does not. That is xgettok()'s way, and etab files depend on it.
 */

#include "parser/lex.h"

#include <errno.h>

enum byte_class { BYTE_WORD, BYTE_BLANK, BYTE_NEWLINE, BYTE_SPECIAL };

static const uint8_t classes[256] = {
	['\0'] = BYTE_BLANK,   ['\t'] = BYTE_BLANK,  ['\v'] = BYTE_BLANK,
	['\f'] = BYTE_BLANK,   ['\r'] = BYTE_BLANK,  [' '] = BYTE_BLANK,
	['\n'] = BYTE_NEWLINE, ['"'] = BYTE_SPECIAL, ['\\'] = BYTE_SPECIAL,
};

static enum byte_class class_at(const struct lexer *lexer, size_t at)
{
	return classes[(unsigned char)lexer->text[at]];
}

static bool is_continuation(const struct lexer *lexer, size_t at)
{
	return lexer->length - at >= 2 && lexer->text[at] == '\\' && lexer->text[at + 1] == '\n';
}

static void next_line(struct lexer *lexer, size_t line_start)
{
	lexer->lines_before++;
	lexer->line_start = line_start;
}

/* Where the line that @at lies in ends: its newline, or the end of the file. */
static size_t line_end(const struct lexer *lexer, size_t at)
{
	const char *newline = memchr(lexer->text + at, '\n', lexer->length - at);

	return newline ? (size_t)(newline - lexer->text) : lexer->length;
}

static void skip_blanks(struct lexer *lexer, bool over_lines)
{
	while (lexer->at < lexer->length) {
		enum byte_class class = class_at(lexer, lexer->at);

		if (class == BYTE_BLANK) {
			lexer->at++;
		} else if (class == BYTE_NEWLINE && over_lines) {
			lexer->at++;
			next_line(lexer, lexer->at);
		} else if (is_continuation(lexer, lexer->at)) {
			lexer->at += 2;
			next_line(lexer, lexer->at);
		} else if (lexer->text[lexer->at] == '#') {
			lexer->at = line_end(lexer, lexer->at);
		} else {
			return;
		}
	}
}

static int make_room(struct lexer *lexer, size_t size)
{
	size_t new_size = lexer->buffer_size ? lexer->buffer_size : 1024;
	uint32_t *origins;
	char *buffer;

	if (size <= lexer->buffer_size)
		return 0;
	while (new_size < size)
		new_size *= 2;
	buffer = realloc(lexer->buffer, new_size);
	if (!buffer)
		return -ENOMEM;
	lexer->buffer = buffer;
	origins = reallocarray(lexer->origins, new_size, sizeof(*origins));
	if (!origins)
		return -ENOMEM;
	lexer->origins = origins;
	lexer->buffer_size = new_size;
	return 0;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* If the first @length bytes of the buffer end in an escape: make one byte of it. */
static size_t decode_end(struct lexer *lexer, size_t length)
{
	const char *escape = lexer->buffer + length - 4;

	if (length < 4 || escape[0] != '\\' || escape[1] < '0' || escape[1] > '3' ||
	    !is_octal(escape[2]) || !is_octal(escape[3]))
		return length;
	lexer->buffer[length - 4] =
		(char)((escape[1] - '0') << 6 | (escape[2] - '0') << 3 | (escape[3] - '0'));
	lexer->origins[length - 4] |= 1;
	return length - 3;
}

/* What is known while a word is decoded. */
struct decoding {
	size_t length;
	bool quoted, too_long, has_newline;
	size_t quote; /* the last opening quote, and where it is */
	size_t quote_line_start;
	unsigned int quote_lines_before;
};

static int append(struct lexer *lexer, struct decoding *decoding, char byte, size_t origin)
{
	int r;

	if (decoding->length > LEX_WORD_MAX) {
		decoding->too_long = true;
		return 0;
	}
	r = make_room(lexer, decoding->length + 2);
	if (r < 0)
		return r;
	lexer->buffer[decoding->length] = byte;
	lexer->origins[decoding->length] = (uint32_t)origin << 1 | decoding->quoted;
	decoding->length = decode_end(lexer, decoding->length + 1);
	return 0;
}

static void toggle_quote(struct lexer *lexer, struct decoding *decoding)
{
	decoding->quoted = !decoding->quoted;
	if (decoding->quoted) {
		decoding->quote = lexer->at;
		decoding->quote_line_start = lexer->line_start;
		decoding->quote_lines_before = lexer->lines_before;
	}
	lexer->at++;
}

/* One step: a byte, a quote or a continuation. Returns LEX_NONE at the end of the word. */
static int decode_step(struct lexer *lexer, struct decoding *decoding)
{
	size_t origin = lexer->at;
	char byte = lexer->text[origin];

	if (byte == '"') {
		toggle_quote(lexer, decoding);
		return 0;
	}
	if (is_continuation(lexer, origin)) {
		if (!decoding->quoted)
			return LEX_NONE;
		lexer->at += 2;
		next_line(lexer, lexer->at);
		while (lexer->at < lexer->length &&
		       (lexer->text[lexer->at] == ' ' || lexer->text[lexer->at] == '\t'))
			lexer->at++;
		return append(lexer, decoding, ' ', origin);
	}
	if (!decoding->quoted && class_at(lexer, origin) != BYTE_WORD && byte != '\\')
		return LEX_NONE;
	lexer->at++;
	if (byte == '\n') {
		decoding->has_newline = true;
		next_line(lexer, lexer->at);
	}
	return append(lexer, decoding, byte, origin);
}

/* Pass over what is left of this line and of the lines that continue it. */
static void skip_line(struct lexer *lexer)
{
	lexer->at = line_end(lexer, lexer->at);
	while (lexer->at < lexer->length && lexer->text[lexer->at - 1] == '\\') {
		next_line(lexer, lexer->at + 1);
		lexer->at = line_end(lexer, lexer->at + 1);
	}
}

/*
 * Go on behind the line with the quote that nothing closes, and what continues it: only that is
 * lost.
 */
static int unclosed_quote(struct lexer *lexer, struct lex_word *word,
			  const struct decoding *decoding)
{
	struct position at;

	word->start = decoding->quote;
	word->line_start = decoding->quote_line_start;
	word->line = decoding->quote_lines_before + 1;
	word->origins = NULL;
	at = lex_position(lexer, word, 0);
	diag_add(lexer->diags, DIAG_ERROR, &at,
		 "nothing closes this quote; the rest of the line is ignored");
	lexer->at = decoding->quote;
	lexer->line_start = decoding->quote_line_start;
	lexer->lines_before = decoding->quote_lines_before;
	skip_line(lexer);
	return LEX_BROKEN;
}

static int too_long(struct lexer *lexer, struct lex_word *word)
{
	struct position at;

	word->origins = NULL;
	at = lex_position(lexer, word, 0);
	diag_add(lexer->diags, DIAG_ERROR, &at, "this word is longer than %d bytes", LEX_WORD_MAX);
	return LEX_BROKEN;
}

/* The word ends at its first NUL, as a C string would. */
static void cut_at_nul(struct lexer *lexer, struct lex_word *word)
{
	size_t length = strlen(word->text);
	struct position at;

	if (length == word->length)
		return;
	at = lex_position(lexer, word, length);
	diag_add(lexer->diags, DIAG_WARNING, &at,
		 "a NUL byte ends the word '%s' here; what follows it is ignored", word->text);
	word->length = length;
}

static int decode_word(struct lexer *lexer, struct lex_word *word)
{
	struct decoding decoding = { 0 };
	struct position at;
	int r = make_room(lexer, 1);

	while (r == 0 && lexer->at < lexer->length)
		r = decode_step(lexer, &decoding);
	if (r < 0)
		return r;
	if (decoding.quoted)
		return unclosed_quote(lexer, word, &decoding);
	if (decoding.too_long || decoding.length > LEX_WORD_MAX)
		return too_long(lexer, word);
	lexer->buffer[decoding.length] = '\0';
	word->text = lexer->buffer;
	word->length = decoding.length;
	word->origins = lexer->origins;
	if (decoding.has_newline) {
		at = lex_position(lexer, word, 0);
		diag_add(
			lexer->diags, DIAG_WARNING, &at,
			"the quoted text goes on in the next line, and the line break is part of it; "
			"write \\012 if that is meant, else close the quote");
	}
	cut_at_nul(lexer, word);
	return word->length > 0 ? 0 : LEX_EMPTY;
}

static int read_word(struct lexer *lexer, struct lex_word *word)
{
	size_t end = lexer->at;
	int r;

	*word = (struct lex_word){
		.start = lexer->at,
		.line_start = lexer->line_start,
		.line = lexer->lines_before + 1,
	};
	if (lexer->at == lexer->length || class_at(lexer, lexer->at) == BYTE_NEWLINE)
		return LEX_NONE;
	while (end < lexer->length && class_at(lexer, end) == BYTE_WORD)
		end++;
	if (end < lexer->length && class_at(lexer, end) == BYTE_SPECIAL &&
	    !is_continuation(lexer, end))
		return decode_word(lexer, word);
	lexer->at = end;
	word->length = end - word->start;
	if (word->length > LEX_WORD_MAX)
		return too_long(lexer, word);
	r = make_room(lexer, word->length + 1);
	if (r < 0)
		return r;
	word->text = lexer->buffer;
	memcpy(word->text, lexer->text + word->start, word->length);
	word->text[word->length] = '\0';
	return 0;
}

int lex_path(struct lexer *lexer, struct lex_word *ret_word)
{
	skip_blanks(lexer, true);
	return read_word(lexer, ret_word);
}

int lex_item(struct lexer *lexer, struct lex_word *ret_word)
{
	skip_blanks(lexer, false);
	return read_word(lexer, ret_word);
}

bool lex_next_is(const struct lexer *lexer, char byte)
{
	struct lexer ahead = *lexer;

	skip_blanks(&ahead, false);
	return ahead.at < ahead.length && ahead.text[ahead.at] == byte;
}

struct position lex_position(const struct lexer *lexer, const struct lex_word *word, size_t index)
{
	enum { SHOWN_BYTES = 8 * 1024 };
	size_t at, line_start = word->line_start, length;
	struct position position = { .file = lexer->file, .line = word->line };
	const char *newline;

	/* The word starts at its opening quote, if it has one. */
	if (index == 0 || !word->origins)
		at = word->start + index;
	else if (index < word->length)
		at = word->origins[index] >> 1;
	else
		at = word->length ? (word->origins[word->length - 1] >> 1) + 1 : word->start;
	for (size_t from = word->start; from < at; from = line_start) {
		newline = memchr(lexer->text + from, '\n', at - from);
		if (!newline)
			break;
		line_start = (size_t)(newline - lexer->text) + 1;
		position.line++;
	}
	position.column = (unsigned int)(at - line_start) + 1;
	/* A caret is no use in a line that no terminal shows, and its end may be far away. */
	if (at - line_start > SHOWN_BYTES / 2)
		return position;
	length = lexer->length - line_start;
	if (length > SHOWN_BYTES)
		length = SHOWN_BYTES;
	newline = memchr(lexer->text + line_start, '\n', length);
	position.line_text = lexer->text + line_start;
	position.line_length = newline ? (size_t)(newline - position.line_text) : length;
	return position;
}

void lex_done(struct lexer *lexer)
{
	free(lexer->buffer);
	free(lexer->origins);
	lexer->buffer = NULL;
	lexer->origins = NULL;
	lexer->buffer_size = 0;
}
