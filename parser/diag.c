/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * diag.c - the list of messages and its printed form.
 *
 * What is kept can be printed to a terminal or a log as it is: control bytes in file names
 * and texts are escaped when a message is added; in the shown line they are replaced when it
 * is printed, because the caret must stay under its column. Memory is bounded by
 * DIAGS_MAX messages and by how much of a line is kept.
 */

#include "parser/diag.h"
#include "parser/text.h"

#include <stdarg.h>

enum {
	LINE_COLUMN_MAX = 4096, /* further to the right a fault is told without its line */
	LINE_BEHIND_MAX = 120, /* bytes kept of the line behind the column */
	LINE_BEFORE_MAX = 100, /* bytes shown of the line before the column */
};

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* The text with control bytes as \ooo; backslashes stay, this is for reading only. */
static char *readable(const char *text, size_t length)
{
	size_t n_control = 0;
	char *copy, *to;

	for (size_t i = 0; i < length; i++)
		n_control += is_control(text[i]);
	copy = malloc(length + 3 * n_control + 1);
	if (!copy)
		return NULL;
	to = copy;
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (is_control(text[i])) {
			*to++ = '\\';
			*to++ = (char)('0' + (byte >> 6));
			*to++ = (char)('0' + ((byte >> 3) & 7));
			*to++ = (char)('0' + (byte & 7));
		} else {
			*to++ = text[i];
		}
	}
	*to = '\0';
	return copy;
}

static void diag_done(struct diag *diag)
{
	free(diag->file);
	free(diag->text);
	free(diag->line_text);
}

/* The last warning goes. Returns false if there is none. */
static bool drop_warning(struct diags *diags)
{
	size_t last = diags->n_items;

	while (last > 0 && diags->items[last - 1].level != DIAG_WARNING)
		last--;
	if (last == 0)
		return false;
	diag_done(&diags->items[last - 1]);
	memmove(&diags->items[last - 1], &diags->items[last],
		(diags->n_items - last) * sizeof(*diags->items));
	diags->n_items--;
	return true;
}

/* Is there room for one more? A warning gives way to an error, which is why a file is refused. */
static bool has_room(struct diags *diags, enum diag_level level)
{
	if (!diags->items) {
		diags->items = calloc(DIAGS_MAX, sizeof(*diags->items));
		diags->out_of_memory |= !diags->items;
	}
	if (!diags->items)
		return false;
	return diags->n_items < DIAGS_MAX || (level == DIAG_ERROR && drop_warning(diags));
}

static bool copy_line(struct diag *diag, const struct position *at)
{
	size_t length = at->line_length;

	if (!at->line_text || at->line == 0 || at->column == 0 || at->column > LINE_COLUMN_MAX)
		return true;
	if (length > at->column + LINE_BEHIND_MAX)
		length = at->column + LINE_BEHIND_MAX;
	diag->line_text = malloc(length + 1);
	if (!diag->line_text)
		return false;
	memcpy(diag->line_text, at->line_text, length);
	diag->line_text[length] = '\0';
	/* The line is a string from here on: a NUL byte must not end it. */
	for (size_t i = 0; i < length; i++) {
		if (diag->line_text[i] == '\0')
			diag->line_text[i] = '?';
	}
	return true;
}

FORMAT_PRINTF(3, 0)
static bool fill_item(struct diag *diag, const struct position *at, const char *format, va_list ap)
{
	CLEANUP(freep) char *text = text_vformat(format, ap);

	if (!text)
		return false;
	diag->line = at->line;
	diag->column = at->column;
	diag->file = readable(at->file ? at->file : "", at->file ? strlen(at->file) : 0);
	diag->text = readable(text, strlen(text));
	return diag->file && diag->text && copy_line(diag, at);
}

void diag_add(struct diags *diags, enum diag_level level, const struct position *at,
	      const char *format, ...)
{
	struct diag diag = { .level = level == DIAG_MISTAKE ? DIAG_WARNING : level };
	va_list ap;
	bool filled;

	if (level == DIAG_ERROR)
		diags->n_errors++;
	else
		diags->n_warnings++;
	diags->n_mistakes += level == DIAG_MISTAKE;
	if (!has_room(diags, level))
		return;
	va_start(ap, format);
	filled = fill_item(&diag, at, format, ap);
	va_end(ap);
	if (filled) {
		diags->items[diags->n_items++] = diag;
	} else {
		diag_done(&diag);
		diags->out_of_memory = true;
	}
}

/* One byte of UTF-8 that does not start a character takes no column of its own on a terminal. */
static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static void print_line(const struct diag *diag, FILE *to)
{
	const char *line = diag->line_text;
	size_t length = strlen(line), column = diag->column - 1, start = 0;

	if (column > LINE_BEFORE_MAX) {
		start = column - LINE_BEFORE_MAX;
		while (start < column && is_continuation(line[start]))
			start++;
	}
	fputs(start ? " ..." : " ", to);
	for (size_t i = start; i < length; i++)
		putc(is_control(line[i]) && line[i] != '\t' ? '?' : line[i], to);
	fputs(start ? "\n    " : "\n ", to);
	for (size_t i = start; i < column; i++) {
		if (i >= length || !is_continuation(line[i]))
			putc(i < length && line[i] == '\t' ? '\t' : ' ', to);
	}
	fputs("^\n", to);
}

void diags_print(const struct diags *diags, FILE *to, bool caret)
{
	size_t n_messages = diags->n_errors + diags->n_warnings;

	for (size_t i = 0; i < diags->n_items; i++) {
		const struct diag *diag = &diags->items[i];
		const char *level = diag->level == DIAG_ERROR ? "error" : "warning";

		fputs(diag->file, to);
		if (diag->line > 0)
			fprintf(to, ":%u:%u", diag->line, diag->column);
		fprintf(to, ": %s: %s\n", level, diag->text);
		if (caret && diag->line_text)
			print_line(diag, to);
	}
	if (n_messages > diags->n_items)
		fprintf(to, "%zu more messages are not shown\n", n_messages - diags->n_items);
}

void diags_done(struct diags *diags)
{
	for (size_t i = 0; i < diags->n_items; i++)
		diag_done(&diags->items[i]);
	free(diags->items);
	*diags = (struct diags){ 0 };
}
