/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-exports.c - items of exports files: positions, what they share, limits, files and
 * directories. What files say is in tests/golden.
 */

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "parser/exports.h"
#include "parser/lex.h"
#include "tests/tap.h"

static struct exports_source *read_bytes(const char *text, size_t length, struct diags *diags)
{
	struct exports_source *source = NULL;

	if (exports_read_text("file", text, length, diags, &source) != 0)
		abort();
	return source;
}

static struct exports_source *read_text(const char *text, struct diags *diags)
{
	return read_bytes(text, strlen(text), diags);
}

static void test_item(void)
{
	struct diags diags = { 0 };
	struct exports_source *source =
		read_text("# c\n\n  /srv/a/ -rw\\\n  alpha\n\t@g(ro)\n/srv/b -rw", &diags);
	const struct export_item *item = source->items;

	is_int((long long)source->n_items, 2, "two items");
	is_str(item[0].path, "/srv/a/", "the path as written");
	ok(!item[0].pattern, "which is no rule's");
	is_int(item[0].client->type, CLIENT_HOST, "the client");
	is_str(item[0].client->text, "alpha", "and its text");
	is_str(item[0].file, "file", "the file");
	ok(item[0].line == 4 && item[0].column == 3, "where the client is");
	ok(item[0].path_line == 3 && item[0].path_column == 3, "where the path is");
	ok(!(item[0].options->flags & EXPORT_READONLY), "the defaults' options");
	is_int((long long)diags.n_errors, 1, "a line without a path is told");
	ok(diags.items[0].line == 5 && diags.items[0].column == 2, "where it is");
	is_int(item[1].client->type, CLIENT_ANONYMOUS, "no client is the world");
	is_str(item[1].client->text, "", "without a text");
	ok(item[1].line == 6 && item[1].column == 1, "where the path is");
	diags_done(&diags);
	exports_source_free(source);
	ok(exports_source_free(NULL) == NULL, "nothing to free");
}

static void test_sharing(void)
{
	struct diags diags = { 0 };
	struct exports_source *source = read_text("/a x(rw,sync) y(sync,rw) z(ro)\n"
						  "/b x(rw,sync) -rw y() z(rw,fsid=5,fsid=6)\n"
						  "/c x(rw,fsid=6) y(anonuid=1)\n",
						  &diags);
	const struct export_item *item = source->items;

	is_int((long long)source->n_items, 8, "eight items");
	ok(item[0].options == item[1].options && item[0].options == item[3].options &&
		   item[0].options == item[4].options,
	   "equal options are one, however they are written");
	ok(item[5].options == item[6].options, "also with values");
	ok(item[0].options != item[2].options && item[6].options != item[7].options,
	   "others are not");
	ok(item[0].path == item[1].path && item[0].client->text == item[3].client->text,
	   "paths and clients are shared, too");
	is_int((long long)diags.n_errors, 0, "no faults");
	diags_done(&diags);
	exports_source_free(source);
}

/* A list with a warning is told about at every place. */
static void test_repeated_warning(void)
{
	struct diags diags = { 0 };
	struct exports_source *source =
		read_text("/a x(fsid=4294967296)\n/b x(fsid=4294967296)\n", &diags);

	is_int((long long)diags.n_warnings, 2, "the same warning at two places");
	diags_done(&diags);
	exports_source_free(source);
}

static const struct {
	const char *text, *path, *pattern;
} patterns[] = {
	{ "/mnt/cdrom/*", "/mnt/cdrom/*", "/mnt/cdrom/*" },
	{ "//mnt///*//", "/mnt/*", "/mnt/*" },
	{ "/a\\052/*", "/a*/*", "/a\\*/*" },
	{ "/\"a*\"/?", "/a*/?", "/a\\*/?" },
	{ "/a[/*", "/a[/*", "/a\\[/*" },
	{ "/a]/*", "/a]/*", "/a]/*" },
	{ "/[a/]*", "/[a/]*", "/\\[a/]*" },
	{ "/[]]/[!]]", "/[]]/[!]]", "/[]]/[!]]" },
	{ "/[a\\135b]/*", "/[a]b]/*", "/[a\\]b]/*" },
	{ "/[[a]*", "/[[a]*", "/[\\[a]*" },
	{ "/[a\"-\"z]", "/[a-z]", "/[a\\-z]" },
	{ "/a\\b/*", "/a\\b/*", "/a\\\\b/*" },
	{ "/.a*", "/.a*", "/.a*" },
	{ "/...*", "/...*", "/...*" },
};

static void test_patterns(void)
{
	for (size_t i = 0; i < N_ELEMENTS(patterns); i++) {
		CLEANUP(freep) char *text = NULL;
		struct diags diags = { 0 };
		struct exports_source *source;

		if (asprintf(&text, "%s x(fsid=/run/h)\n", patterns[i].text) < 0)
			abort();
		source = read_text(text, &diags);
		is_int((long long)source->n_items, 1, patterns[i].text);
		is_str(source->items[0].path, patterns[i].path, "its path");
		is_str(source->items[0].pattern, patterns[i].pattern, "its pattern");
		diags_done(&diags);
		exports_source_free(source);
	}
}

/* The pattern as fnmatch(3) understands it: what was quoted matches only itself. */
static void test_pattern_meaning(void)
{
	struct diags diags = { 0 };
	struct exports_source *source = read_text("/a\\052[b\"-\"d]/* x(fsid=/run/h)\n", &diags);
	const char *pattern = source->items[0].pattern;

	ok(fnmatch(pattern, "/a*b/disc", FNM_PATHNAME) == 0, "it matches");
	ok(fnmatch(pattern, "/a*-/disc", FNM_PATHNAME) == 0, "a quoted '-' is a member");
	ok(fnmatch(pattern, "/a*c/disc", FNM_PATHNAME) != 0, "and makes no range");
	ok(fnmatch(pattern, "/axb/disc", FNM_PATHNAME) != 0, "an escaped '*' is the character");
	diags_done(&diags);
	exports_source_free(source);
}

static char *repeated(const char *head, char byte, size_t n, const char *tail)
{
	char *text = malloc(strlen(head) + n + strlen(tail) + 1);
	char *to = stpcpy(text, head);

	memset(to, byte, n);
	strcpy(to + n, tail);
	return text;
}

static void is_limit(const char *head, size_t max, const char *tail, const char *what)
{
	for (size_t more = 0; more < 2; more++) {
		CLEANUP(freep) char *text = repeated(head, 'x', max + more, tail);
		struct diags diags = { 0 };
		struct exports_source *source = read_text(text, &diags);

		ok(source->n_items == 2 - more && diags.n_errors == more, "%s of %zu bytes is %s",
		   what, max + more, more ? "refused, the rest is read" : "fine");
		diags_done(&diags);
		exports_source_free(source);
	}
}

static const struct {
	const char *text, *path, *pattern;
} etab_lines[] = {
	{ "/*\tlocalhost(ro)\n", "/*", NULL },
	{ "/a\\040?\tx(ro,sec=sys)\n", "/a ?", NULL },
	{ "/[ab]\tx(ro)", "/[ab]", NULL },
	{ "/a/\\052\tx(ro)\n", "/a/*", NULL },
	{ "/*\t(ro)\n", "/*", NULL },
	{ "/*\tx(ro,mountpoint=/fsid=/x)\n", "/*", NULL },
	{ "/*\tx(ro,fsid=7)\n/b\tx(fsid=/run/h)\n", "/*", NULL },
	{ "/mnt/*\tx(ro,mountpoint,fsid=/run/h)\n", "/mnt/*", "/mnt/*" },
	{ "/mnt/*\tx(fsid=@h)", "/mnt/*", "/mnt/*" },
};

static void test_etab(void)
{
	for (size_t i = 0; i < N_ELEMENTS(etab_lines); i++) {
		struct diags diags = { 0 };
		struct exports_source *source = NULL;

		printf("# %.*s\n", (int)strcspn(etab_lines[i].text, "\n"), etab_lines[i].text);
		is_int(exports_read_etab("etab", etab_lines[i].text, strlen(etab_lines[i].text),
					 &diags, &source),
		       0, "a line of etab is read");
		is_int((long long)source->n_items, 1, "as one export");
		is_str(source->n_items ? source->items[0].path : "", etab_lines[i].path,
		       "its path");
		is_str(source->n_items ? source->items[0].pattern : "", etab_lines[i].pattern,
		       "and its pattern");
		diags_done(&diags);
		exports_source_free(source);
	}
}

static void test_limits(void)
{
	struct diags diags = { 0 };
	struct exports_source *source;

	is_limit("/", 1023, " a(ro)\n/b c(ro)\n", "after '/', a path");
	is_limit("/*/", 1021, " a(fsid=/h)\n/b c(ro)\n", "after '/*/', a rule's path");
	is_limit("/a ", 1024, "(ro) b(ro)\n", "a client");
	is_limit("/a a(refer=", 8192, ") b(ro)\n", "refer=");
	is_limit("/a/* a(fsid=/", 106, ") b(fsid=/h)\n", "after '/', a socket's path");
	is_limit("/a/* a(fsid=@", 107, ") b(fsid=/h)\n", "after '@', a socket's name");
	source = read_bytes("/a b(ro)\n", (size_t)LEX_FILE_MAX + 1, &diags);
	ok(source->n_items == 0 && diags.n_errors == 1, "a file of more than %d bytes is refused",
	   LEX_FILE_MAX);
	diags_done(&diags);
	exports_source_free(source);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* More distinct lists than are kept, and no quadratic behaviour. */
static void test_many(void)
{
	enum { N = 100000 };
	CLEANUP(freep) char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	struct diags diags = { 0 };
	struct exports_source *source;
	double start, took;
	bool good = true;

	for (int i = 0; i < N; i++)
		fprintf(to, "/srv/data/%d host%d(rw,fsid=%d) @group(ro)\n", i, i, i + 1);
	fclose(to);
	start = seconds();
	source = read_bytes(text, size, &diags);
	took = seconds() - start;
	is_int((long long)source->n_items, 2 * N, "100,000 lines");
	for (size_t i = 0; i < source->n_items; i += 2)
		good &= source->items[i].fsid == i / 2 + 1 && source->items[i].line == i / 2 + 1 &&
			source->items[i + 1].options == source->items[1].options;
	ok(good, "each with its own options, or the same");
	ok(took < (getenv("RUN_UNDER") ? 50 : 5), "in %.2f s", took); /* valgrind is slow */
	diags_done(&diags);
	exports_source_free(source);
}

/* All on one line, and every item faulty. */
static void test_many_faults(void)
{
	enum { N = 100000 };
	CLEANUP(freep) char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	struct diags diags = { 0 };
	struct exports_source *source;
	double start, took;

	fprintf(to, "/srv/a");
	for (int i = 0; i < N; i++)
		fprintf(to, " host%d(bogus%s", i, i % 2 ? ")" : "");
	fclose(to);
	start = seconds();
	source = read_bytes(text, size, &diags);
	took = seconds() - start;
	ok(diags.n_errors == N && source->n_items == 0, "100,000 faults in one line");
	ok(took < (getenv("RUN_UNDER") ? 50 : 5), "in %.2f s", took); /* valgrind is slow */
	diags_done(&diags);
	exports_source_free(source);
}

static void put_file(const char *directory, const char *name, const char *text)
{
	CLEANUP(freep) char *path = NULL;
	FILE *to;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		abort();
	to = fopen(path, "w");
	if (!to || fputs(text, to) < 0 || fclose(to) != 0)
		abort();
}

static void test_files(void)
{
	char directory[] = "/tmp/exports-XXXXXX";
	CLEANUP(freep) char *main_file = NULL, *missing = NULL, *command = NULL;
	struct exports_source *source = NULL;
	struct diags diags = { 0 };

	if (!mkdtemp(directory) || asprintf(&main_file, "%s/main", directory) < 0 ||
	    asprintf(&missing, "%s/missing", directory) < 0 ||
	    asprintf(&command, "rm -r %s", directory) < 0)
		abort();
	put_file(directory, "main", "/main a(ro)\n");
	put_file(directory, "10.exports", "/ten a(ro)\n");
	put_file(directory, "9.exports", "/nine a(ro)\n");
	put_file(directory, ".exports", "/hidden a(ro)\n");
	put_file(directory, "x.conf", "/other a(ro)\n");
	is_int(exports_read_files((const char *[]){ main_file, missing }, 2,
				  (const char *[]){ directory, missing }, 2, &diags, &source),
	       0, "files and directories are read");
	is_int((long long)source->n_items, 3, "those that count");
	is_str(source->items[0].path, "/main", "files first");
	is_str(source->items[1].path, "/nine", "then the directory's");
	is_str(source->items[2].path, "/ten", "in the order of versions");
	ok(diags.n_errors == 1 && diags.items[0].line == 0 &&
		   str_equal(diags.items[0].file, missing),
	   "a missing file is an error, a missing directory is none");
	diags_done(&diags);
	exports_source_free(source);
	is_int(exports_read_files(NULL, 0, NULL, 0, &diags, &source), 0, "no files at all");
	ok(source->n_items == 0 && diags.n_errors == 0, "say nothing");
	exports_source_free(source);
	is_int(exports_read_files((const char *[]){ directory }, 1, NULL, 0, &diags, &source), 0,
	       "a directory for a file");
	is_int((long long)diags.n_errors, 1, "is an error");
	diags_done(&diags);
	exports_source_free(source);
	if (system(command) != 0)
		abort();
}

/* A directory whose name has what looks like an escape, as realpath(3) may find it. */
static void test_unwritable_path(void)
{
	struct diags diags = { 0 };
	struct exports_source *source = read_text("/x a(ro)\n", &diags), *again;
	CLEANUP(freep) char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	export_print_etab(to, "/srv/back\\040x\\1234", "a", source->items[0].options,
			  source->items[0].fsid, EXPORT_PER_FLAVOR);
	fclose(to);
	ok(strncmp(text, "/srv/back\\13404\\060x\\13412\\0634\t", 31) == 0,
	   "the last digit is escaped");
	again = read_text(text, &diags);
	is_str(again->items[0].path, "/srv/back\\040x\\1234", "so that it is read back");
	exports_source_free(source);
	exports_source_free(again);
	diags_done(&diags);
}

static void test_full_disk(void)
{
	struct diags diags = { 0 };
	struct exports_source *source = read_text("/x a(ro)\n", &diags);
	FILE *to = fopen("/dev/full", "w");

	setvbuf(to, NULL, _IONBF, 0);
	ok(export_print_etab(to, "/x", "a", source->items[0].options, source->items[0].fsid, 0xd) <
		   0,
	   "a full disk is told");
	fclose(to);
	exports_source_free(source);
	diags_done(&diags);
}

int main(void)
{
	test_item();
	test_sharing();
	test_repeated_warning();
	test_patterns();
	test_pattern_meaning();
	test_etab();
	test_limits();
	test_many();
	test_many_faults();
	test_files();
	test_unwritable_path();
	test_full_disk();
	return tap_done();
}
