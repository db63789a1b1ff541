/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-diag.c - the list of messages. */

#include "parser/diag.h"
#include "tests/tap.h"

static char *printed(const struct diags *diags, bool caret)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	diags_print(diags, to, caret);
	fclose(to);
	return text;
}

static void is_printed(const struct diags *diags, bool caret, const char *wanted, const char *what)
{
	CLEANUP(freep) char *text = printed(diags, caret);

	is_str(text, wanted, what);
}

static struct position in_line(const char *line, unsigned int column)
{
	return (struct position){
		.file = "file",
		.line = 3,
		.column = column,
		.line_text = line,
		.line_length = strlen(line),
	};
}

static void test_messages(void)
{
	struct diags diags = { 0 };
	struct position at = in_line("/srv/a alpha(rwx)", 14), whole = { .file = "file" };

	is_printed(&diags, true, "", "nothing to say");
	diag_add(&diags, DIAG_ERROR, &at, "unknown option '%s'", "rwx");
	diag_add(&diags, DIAG_WARNING, &whole, "is empty");
	is_int((long long)diags.n_errors, 1, "one error");
	is_int((long long)diags.n_warnings, 1, "one warning");
	is_printed(&diags, false,
		   "file:3:14: error: unknown option 'rwx'\nfile: warning: is empty\n",
		   "without the line");
	is_printed(&diags, true,
		   "file:3:14: error: unknown option 'rwx'\n /srv/a alpha(rwx)\n              ^\n"
		   "file: warning: is empty\n",
		   "with the line");
	diags_done(&diags);
	is_int((long long)diags.n_items, 0, "done: nothing left");
	diag_add(&diags, DIAG_ERROR, &whole, "again");
	is_int((long long)diags.n_items, 1, "and usable again");
	diags_done(&diags);
}

static void is_caret(const char *line, unsigned int column, const char *wanted, const char *what)
{
	struct diags diags = { 0 };
	struct position at = in_line(line, column);
	CLEANUP(freep) char *text = NULL;

	diag_add(&diags, DIAG_ERROR, &at, "x");
	text = printed(&diags, true);
	is_str(strchr(text, '\n') + 1, wanted, what);
	diags_done(&diags);
}

static void test_carets(void)
{
	char line[6000];

	is_caret("abc", 1, " abc\n ^\n", "under the first byte");
	is_caret("abc", 4, " abc\n    ^\n", "behind the last byte");
	is_caret("\ta\tb", 4, " \ta\tb\n \t \t^\n", "tabs stay tabs");
	is_caret("\xc3\xa4"
		 "b",
		 3,
		 " \xc3\xa4"
		 "b\n  ^\n",
		 "a character of two bytes is one column");
	is_caret("a\x1b"
		 "b\r",
		 3, " a?b?\n   ^\n", "control bytes are not for terminals");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	line[299] = 'Y';
	{
		struct diags diags = { 0 };
		struct position at = in_line(line, 300);
		CLEANUP(freep) char *text = NULL;
		const char *shown, *caret;

		diag_add(&diags, DIAG_ERROR, &at, "far");
		text = printed(&diags, true);
		shown = strchr(text, '\n') + 1;
		caret = strchr(shown, '\n') + 1;
		ok(strncmp(shown, " ...x", 5) == 0,
		   "of a long line the part around the column is shown");
		is_int(strchr(shown, 'Y') - shown, strchr(caret, '^') - caret,
		       "with the caret below");
		diags_done(&diags);
	}
	is_caret(line, 5000, "", "too far to the right: without the line");
}

static void test_control_bytes(void)
{
	struct diags diags = { 0 };
	struct position at = { .file = "fi\nle" };

	diag_add(&diags, DIAG_ERROR, &at, "a\nb\x1b[31m\\040");
	is_printed(&diags, false, "fi\\012le: error: a\\012b\\033[31m\\040\n",
		   "control bytes in names and texts are shown as \\ooo");
	diags_done(&diags);
}

static void test_limit(void)
{
	struct diags diags = { 0 };
	struct position at = { .file = "f" };
	CLEANUP(freep) char *text = NULL;

	for (int i = 0; i < DIAGS_MAX + 10; i++)
		diag_add(&diags, DIAG_WARNING, &at, "warning %d", i);
	is_int((long long)diags.n_items, DIAGS_MAX, "only so many are kept");
	is_int((long long)diags.n_warnings, DIAGS_MAX + 10, "all are counted");
	diag_add(&diags, DIAG_ERROR, &at, "the error");
	text = printed(&diags, false);
	ok(strstr(text, "error: the error\n11 more messages are not shown\n"),
	   "an error takes the place of a warning, and the rest is counted");
	ok(!strstr(text, "warning 49") && strstr(text, "warning 48"), "the last warning's");
	diags_done(&diags);

	for (int i = 0; i < DIAGS_MAX + 1; i++)
		diag_add(&diags, DIAG_ERROR, &at, "error %d", i);
	is_int((long long)diags.n_items, DIAGS_MAX, "errors do not displace each other");
	is_str(diags.items[DIAGS_MAX - 1].text, "error 49", "the first ones stay");
	diags_done(&diags);
}

int main(void)
{
	test_messages();
	test_carets();
	test_control_bytes();
	test_limit();
	return tap_done();
}
