/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-lex.c - words and their positions. */

#include "parser/lex.h"
#include "tests/tap.h"

/*
 * All words of a text, as one: paths as <..>, items as (..), literal bytes behind a ', empty
 * words as "", broken ones as !.
 */
static char *words_of(const char *text, size_t length, struct diags *diags)
{
	struct lexer lexer = { .file = "f", .text = text, .length = length, .diags = diags };
	char *result = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&result, &size);
	struct lex_word word;
	int r;

	if (!to)
		abort();
	for (bool path = true;; path = r == LEX_NONE) {
		r = path ? lex_path(&lexer, &word) : lex_item(&lexer, &word);
		if (r == LEX_NONE && path)
			break;
		if (r == LEX_EMPTY)
			fputs(path ? "<>" : "()", to);
		if (r == LEX_BROKEN)
			fputc('!', to);
		if (r != 0)
			continue;
		fputc(path ? '<' : '(', to);
		for (size_t i = 0; i < word.length; i++)
			fprintf(to, "%s%c", lex_is_literal(&word, i) ? "'" : "", word.text[i]);
		fputc(path ? '>' : ')', to);
	}
	fclose(to);
	lex_done(&lexer);
	return result;
}

static const struct {
	const char *text, *words;
	unsigned int n_errors, n_warnings;
} texts[] = {
	{ "", "", 0, 0 },
	{ " \t\n\n \r\n\v\f\n", "", 0, 0 },
	{ "/a b c\n/d e", "</a>(b)(c)</d>(e)", 0, 0 },
	{ "# c\n /a # b \\\n/c", "</a></c>", 0, 0 },
	{ "/a#b c#d", "</a#b>(c#d)", 0, 0 },
	{ "/a\rb\vc\fd\te", "</a>(b)(c)(d)(e)", 0, 0 },
	{ "/a \\\n b\\\n c \\\n\\\n d\n/e", "</a>(b)(c)(d)</e>", 0, 0 },
	{ "/a\\\nb", "</a>(b)", 0, 0 },
	{ "/a \\\n# c\n/b", "</a></b>", 0, 0 },
	{ "/a \\", "</a>(\\)", 0, 0 },
	{ "/a \\\r\n/b", "</a>(\\)</b>", 0, 0 },
	{ "\"/a b\" \"c\"d", "</'a' 'b>('cd)", 0, 0 },
	{ "/a \"\" \"\"b", "</a>()(b)", 0, 0 },
	{ "\"\" a", "<>(a)", 0, 0 },
	{ "/a\"#\\\n\t b\"", "</a'#' 'b>", 0, 0 },
	{ "/a'b c'", "</a'b>(c')", 0, 0 },
	{ "\"/a\nb\" c", "</'a'\n'b>(c)", 0, 1 },
	{ "/\\141\\052*", "</'a'**>", 0, 0 },
	{ "/\\134040 b", "</' >(b)", 0, 0 },
	{ "/\\13404\\060 b", "</'\\04'0>(b)", 0, 0 },
	{ "/\\0\"4\"0", "</' >", 0, 0 },
	{ "/\\400\\08\\1\\", "</\\400\\08\\1\\>", 0, 0 },
	{ "/\\042a b\\042", "</'\"a>(b'\")", 0, 0 },
	{ "/a\\000b c", "</a>(c)", 0, 1 },
	{ "\\000b c", "<>(c)", 0, 1 },
	{ "/a \"b c\n/d e", "</a>!</d>(e)", 1, 0 },
	{ "\"/a b", "!", 1, 0 },
	{ "/a \\\n b \"c\\\n d\n/e", "</a>(b)!</e>", 1, 0 },
};

static void test_words(void)
{
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct diags diags = { 0 };
		CLEANUP(freep) char *words = words_of(texts[i].text, strlen(texts[i].text), &diags);

		/* The opening slash of a quoted path is literal, too, and not shown in the table. */
		if (strncmp(words, "<'/", 3) == 0)
			memmove(words + 1, words + 2, strlen(words + 1));
		is_str(words, texts[i].words, "the words");
		ok(diags.n_errors == texts[i].n_errors && diags.n_warnings == texts[i].n_warnings,
		   "%u errors and %u warnings", texts[i].n_errors, texts[i].n_warnings);
		diags_done(&diags);
	}
}

static void test_nul(void)
{
	struct diags diags = { 0 };
	CLEANUP(freep) char *words = words_of("\0/a\0b\0\0c\n", 9, &diags);

	is_str(words, "</a>(b)(c)", "NUL bytes are blanks");
	diags_done(&diags);
}

static void test_positions(void)
{
	static const char text[] = "# one\n\t/a \"x\\040yz\\\n  w\" v\n";
	struct diags diags = { 0 };
	struct lexer lexer = { .file = "f", .text = text, .length = strlen(text), .diags = &diags };
	struct lex_word word;
	struct position at;

	lex_path(&lexer, &word);
	at = lex_position(&lexer, &word, 0);
	ok(at.line == 2 && at.column == 2, "the path is at 2:2");
	ok(at.line_length == 13 && strncmp(at.line_text, "\t/a \"x\\040yz\\", 13) == 0,
	   "with its line");
	at = lex_position(&lexer, &word, 2);
	ok(at.line == 2 && at.column == 4, "behind its last byte");
	ok(lex_next_is(&lexer, '"') && !lex_next_is(&lexer, 'x'), "what comes next");

	lex_item(&lexer, &word);
	is_str(word.text, "x yz w", "a word of two lines");
	at = lex_position(&lexer, &word, 0);
	ok(at.line == 2 && at.column == 5, "it starts at its quote");
	at = lex_position(&lexer, &word, 1);
	ok(at.line == 2 && at.column == 7, "an escape is where its backslash is");
	at = lex_position(&lexer, &word, 2);
	ok(at.line == 2 && at.column == 11, "the byte behind it");
	at = lex_position(&lexer, &word, 5);
	ok(at.line == 3 && at.column == 3, "on the next line");
	ok(strncmp(at.line_text, "  w\" v", at.line_length) == 0, "with that line");
	at = lex_position(&lexer, &word, 6);
	ok(at.line == 3 && at.column == 4, "behind the last byte there");

	lex_item(&lexer, &word);
	at = lex_position(&lexer, &word, 0);
	ok(at.line == 3 && at.column == 6, "the next word");
	is_int(lex_item(&lexer, &word), LEX_NONE, "the line is at its end");
	lex_done(&lexer);
	diags_done(&diags);
}

static void test_limit(void)
{
	size_t size = 3 * LEX_WORD_MAX;
	CLEANUP(freep) char *text = malloc(size);

	if (!text)
		abort();
	for (int quoted = 0; quoted < 2; quoted++) {
		for (int more = 0; more < 2; more++) {
			size_t n = LEX_WORD_MAX + (size_t)more;
			struct diags diags = { 0 };
			CLEANUP(freep) char *words = NULL;

			memset(text, ' ', size);
			memset(text, 'a', n);
			if (quoted) {
				text[0] = text[n + 1] = '"';
				text[n] = 'a';
			}
			text[n + 3] = 'b';
			words = words_of(text, n + 4, &diags);
			ok(strcmp(words + strlen(words) - 3, "(b)") == 0 &&
				   (words[0] == '!') == more &&
				   diags.n_errors == (unsigned int)more,
			   "%s word of %zu bytes is %s, the next one is read",
			   quoted ? "a quoted" : "a", n, more ? "refused" : "fine");
			diags_done(&diags);
		}
	}
}

int main(void)
{
	test_words();
	test_nul();
	test_positions();
	test_limit();
	return tap_done();
}
