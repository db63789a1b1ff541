/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-nfsconf.c - nfs.conf's syntax line by line, and how files follow each other. That nfs-utils read the same from
 * the same files is tests/bats/nfsconf.bats' matter, which calls
 *
 *	test-nfsconf --random	to have a text of much that is odd; TEST_SEED says which
 *	test-nfsconf --dump FILE	to have what is in force, each as "SECTION SUBSECTION TAG = VALUE"
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "exportsd/config/nfsconf.h"
#include "tests/tap.h"

static char directory[] = "/tmp/test-nfsconf-XXXXXX";

/* Everything in force, "section[/subsection].tag=meaning" and ";" each, in the order it was read. */
static char *text_of(const struct nfsconf *conf)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	for (size_t i = 0; i < nfsconf_n_settings(conf); i++) {
		const struct nfsconf_setting *one = nfsconf_setting(conf, i);

		if (nfsconf_find(conf, one->section, one->subsection, one->tag) != one)
			continue;
		fprintf(to, "%s%s%s.%s=%s;", one->section, one->subsection ? "/" : "",
			one->subsection ?: "", one->tag, nfsconf_value(conf, one) ?: "(nothing)");
	}
	fclose(to);
	return text;
}

static char *warnings_of(const struct diags *diags)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	for (size_t i = 0; i < diags->n_items; i++)
		fprintf(to, "%u:%u %s;", diags->items[i].line, diags->items[i].column,
			diags->items[i].text);
	fclose(to);
	return text;
}

/* ---- lines ---- */

static const struct {
	const char *text, *settings, *warnings;
} texts[] = {
	{ "", "", "" },
	{ "[mountd]\nport=892\n", "mountd.port=892;", "" },
	{ "  [  MountD  ] rest\n\t Port \t=\t 892 \t\n", "mountd.Port=892;", "" },
	{ "[mountd]\nport=1\nPORT=2\n", "mountd.PORT=2;", "" },
	{ "[a]\nx=1\n[b]\nx=2\n[A]\ny=3\n", "a.x=1;b.x=2;a.y=3;", "" },
	{ "[a \"one\"]\nx=1\n[a]\nx=2\n[a\"Two\"]\nx=3\n", "a/one.x=1;a.x=2;a/Two.x=3;", "" },
	{ "# c\n; c\n\n   # c\n[a]\n#x=1\nx=2\n", "a.x=2;", "" },
	{ "[a]\nx = 1 # c\ny = 2;c\nz = \"3 # ;\" c\nw = '4 \"' c\n",
	  "a.x=1;a.y=2;a.z=3 # ;;a.w=4 \";", "" },
	{ "[a]\nx = a'b'\ny = \" b \"\nz = ''\nw =\nw = #1\n", "a.x=a'b';a.y= b ;", "" },
	{ "[a]\nx=1\nx=\n", "a.x=1;", "" },
	{ "[a]\nx = one \\\n two\n# c \\\ny=1\nz=1\n", "a.x=one    two;a.z=1;", "" },
	{ "[a]\nx=1\r\ny=\"2\"\r\n", "a.x=1;a.y=2;", "" },
	{ "[a]\nx=y=z\n", "a.x=y=z;", "" },
	{ "[a]\nx=1\ny=2", "a.x=1;",
	  "3:1 the last line has no newline, so nfs-utils ignore it, and so does exportsd;" },
	{ "x=1\n[a]\nx=2\n", "a.x=2;", "1:1 a setting before any section; ignoring it;" },
	{ "[a\nx=1\n[b]\ny=1\n", "b.y=1;",
	  "1:1 a section without ]; ignoring the lines up to the next one;"
	  "2:1 a setting before any section; ignoring it;" },
	{ "[a \"b]\nx=1\n", "a.x=1;", "1:4 a quote that does not end; taking it for none;" },
	{ "[a]\n word\nx=1\n", "a.x=1;",
	  "2:2 neither a section nor a setting; ignoring the line;" },
	{ "[a]\n = 1\nx = \"1\ny = 2\n", "a.y=2;",
	  "2:2 a setting without a name; ignoring it;3:1 a quote that does not end; ignoring the line;" },
	{ "[environment]\none=1\n[a]\nx=$one\ny=$none\nz=$NFSCONF_TEST\n",
	  "environment.one=1;a.x=1;a.y=(nothing);a.z=from outside;", "" },
	{ "[environment]\nNFSCONF_TEST=2\na=$b\nb=3\nl=$l\n[a]\nx=$NFSCONF_TEST\ny=$a\nz=$l\nw=$\n",
	  "environment.NFSCONF_TEST=2;environment.a=3;environment.b=3;environment.l=(nothing);"
	  "a.x=from outside;a.y=3;a.z=(nothing);a.w=(nothing);",
	  "" },
	{ "[]\nx=1\n", ".x=1;", "" },
};

static void check_text(const char *text, size_t n_bytes, const char *settings, const char *warnings)
{
	struct diags diags = { 0 };
	struct nfsconf *conf = NULL;
	CLEANUP(freep) char *got = NULL, *said = NULL;

	if (is_int(nfsconf_read_text(NULL, text, n_bytes, &diags, &conf), 0, "a text is read")) {
		got = text_of(conf);
		is_str(got, settings, "its settings");
		said = warnings_of(&diags);
		is_str(said, warnings, "its warnings");
	}
	nfsconf_free(conf);
	diags_done(&diags);
}

static void test_texts(void)
{
	setenv("NFSCONF_TEST", "from outside", 1);
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		check_text(texts[i].text, strlen(texts[i].text), texts[i].settings,
			   texts[i].warnings);
	check_text("[a]\nx=1\n\0y=2\nz=3\n", 17, "a.x=1;",
		   "3:1 a NUL byte; ignoring all that follows;");
	check_text("include\0", 8, "", "1:1 a NUL byte; ignoring all that follows;");
}

static void test_finding(void)
{
	static const char text[] = "[Mountd \"x\"]\nport=1\n[mountd]\nport=2\nport=3\n";
	struct diags diags = { 0 };
	struct nfsconf *conf = NULL;
	const struct nfsconf_setting *port;

	nfsconf_read_text(NULL, text, strlen(text), &diags, &conf);
	port = nfsconf_find(conf, "MOUNTD", NULL, "Port");
	is_str(port->value, "3", "the last one is found");
	is_int(port->line, 5, "its line");
	is_int(port->column, 6, "its column");
	is_str(nfsconf_find(conf, "mountd", "X", "port")->value, "1", "and that of a subsection");
	ok(!nfsconf_find(conf, "mountd", "y", "port"), "not that of another");
	ok(!nfsconf_find(conf, "mountd", NULL, "por"), "nor a part of a name");
	nfsconf_free(conf);
	ok(!nfsconf_free(NULL), "nfsconf_free(NULL)");
	diags_done(&diags);
}

static void test_many_settings(void)
{
	struct diags diags = { 0 };
	struct nfsconf *conf = NULL;
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	fputs("[a]\n", to);
	for (int i = 0; i <= NFSCONF_SETTINGS_MAX; i++)
		fprintf(to, "t%d=%d\n", i, i);
	fclose(to);
	is_int(nfsconf_read_text(NULL, text, size, &diags, &conf), 0, "too many settings");
	is_int((long long)nfsconf_n_settings(conf), NFSCONF_SETTINGS_MAX, "as many as may be");
	is_int((long long)diags.n_warnings, 1, "the one more is reported");
	is_str(diags.items[0].text, "too many settings: not taking 't16384'; ignoring it",
	       "by name");
	nfsconf_free(conf);
	diags_done(&diags);
	free(text);
}

/* ---- files ---- */

static char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *to = fopen(path_of(name), "w");

	fputs(text, to);
	fclose(to);
}

static void check_load(const char *settings, size_t n_warnings, const char *what)
{
	struct diags diags = { 0 };
	struct nfsconf *conf = NULL;
	CLEANUP(freep) char *got = NULL;

	is_int(nfsconf_load(path_of("nfs.conf"), &diags, &conf), 0, what);
	got = text_of(conf);
	is_str(got, settings, "the settings are those");
	is_int((long long)diags.n_warnings, (long long)n_warnings, "so many warnings");
	is_int((long long)diags.n_errors, 0, "no errors");
	nfsconf_free(conf);
	diags_done(&diags);
}

static void test_files(void)
{
	check_load("", 0, "no file is no fault");
	mkdir(path_of("nfs.conf.d"), 0755);
	put("nfs.conf.d/only.conf", "[a]\nd=1\n");
	check_load("a.d=1;", 0, "a directory without a file");
	unlink(path_of("nfs.conf.d/only.conf"));
	put("nfs.conf", "[a]\nx=1\ny=1\n");
	put("nfs.conf.d/10.conf", "[a]\nx=10\n");
	put("nfs.conf.d/9.conf", "[a]\nx=9\nz=9\n");
	put("nfs.conf.d/.hidden.conf", "[a]\nx=no\n");
	put("nfs.conf.d/.conf", "[a]\nx=no\n");
	put("nfs.conf.d/11.conf~", "[a]\nx=no\n");
	mkdir(path_of("nfs.conf.d/12.conf"), 0755);
	check_load("a.y=1;a.z=9;a.x=10;", 0, "a directory's files in order of versions");
	put("nfs.conf.d/13.conf", "x=1\n");
	check_load("a.y=1;a.z=9;a.x=10;", 1, "each begins without a section");
	unlink(path_of("nfs.conf.d/13.conf"));
	is_int(symlink("nowhere", path_of("nfs.conf.d/14.conf")), 0, "a link");
	check_load("a.y=1;a.z=9;a.x=10;", 0, "a link to nothing");
	(void)mkfifo(path_of("fifo"), 0600);
	is_int(symlink("../fifo", path_of("nfs.conf.d/15.conf")), 0, "a link");
	check_load("a.y=1;a.z=9;a.x=10;", 1, "a FIFO is not waited for");
	unlink(path_of("nfs.conf.d/10.conf"));
	unlink(path_of("nfs.conf.d/9.conf"));
	unlink(path_of("nfs.conf.d/15.conf"));
}

static void test_includes(void)
{
	put("nfs.conf", "[a]\ninclude = one.inc\ny=2\ninclude=-none\nInclude = \"none\"\n");
	put("one.inc", "x=1\n[b \"s\"]\nx=2\n");
	check_load("a.x=1;b/s.x=2;a.y=2;", 1, "an include, and one that is missing");
	put("nfs.conf", "[a]\ninclude=nfs.conf\nx=1\n");
	check_load("a.x=1;", 1, "a file that includes itself");
	put("nfs.conf", "[a]\ninclude=nfs.conf\ninclude=nfs.conf\ninclude=nfs.conf\nx=1\n");
	{
		struct diags diags = { 0 };
		struct nfsconf *conf = NULL;

		is_int(nfsconf_load(path_of("nfs.conf"), &diags, &conf), 0, "over and over");
		ok(nfsconf_n_settings(conf) <= NFSCONF_FILES_MAX, "ends: %zu settings",
		   nfsconf_n_settings(conf));
		nfsconf_free(conf);
		diags_done(&diags);
	}
	put("nfs.conf", "[a]\ninclude = \ninclude=/\ninclude=-/\nx=1\n");
	check_load("a.x=1;", 2, "directories are no files");
}

static void test_limits(void)
{
	FILE *to = fopen(path_of("nfs.conf"), "w");
	int fd;

	fputs("[a]\nx=1\n", to);
	for (size_t i = 8; i < NFSCONF_FILE_MAX_BYTES; i++)
		fputc('\n', to);
	fclose(to);
	check_load("a.x=1;", 0, "a file as long as may be");
	to = fopen(path_of("nfs.conf"), "a");
	fputc('\n', to);
	fclose(to);
	check_load("", 1, "a longer one");
	put("nfs.conf", "[a]\nx=2\n");
	fd = open(path_of("nfs.conf"), O_RDONLY | O_CLOEXEC);
	(void)flock(fd, LOCK_EX);
	check_load("a.x=2;", 0, "a lock that is never given up");
	close(fd);
}

/* ---- for nfsconf.bats ---- */

static void print_random(void)
{
	static const char *const pieces[] = {
		"[a]", "[ B\t]", "[a \"s\"]", "[c \"s]", "[b", "[d\"T u\" ]x", "x",    "y",
		"Zed", "=",	 " = ",	      "1",	 "$x", "\"",	       "'",    "#",
		";",   "]",	 "[",	      " ",	 "\t", "\\",	       "\\\n", "\r",
		"v",   "word",	 "\xff",      "\n",	 "\n", "\n",
	};
	static const char *const starts[] = { "[a]\n", "[b \"s\"]\n", "x=", "[a]\ny = ", "z = '" };

	for (int i = 0; i < 40; i++) {
		if (tap_random() % 4 == 0)
			fputs(starts[tap_random() % N_ELEMENTS(starts)], stdout);
		fputs(pieces[tap_random() % N_ELEMENTS(pieces)], stdout);
	}
	putchar('\n');
}

static void dump(const char *file)
{
	struct diags diags = { 0 };
	struct nfsconf *conf = NULL;

	nfsconf_load(file, &diags, &conf);
	for (size_t i = 0; i < nfsconf_n_settings(conf); i++) {
		const struct nfsconf_setting *one = nfsconf_setting(conf, i);

		if (nfsconf_find(conf, one->section, one->subsection, one->tag) == one)
			printf("[%s%s%s%s] %s = %s\n", one->section, one->subsection ? " \"" : "",
			       one->subsection ?: "", one->subsection ? "\"" : "", one->tag,
			       one->value);
	}
	nfsconf_free(conf);
	diags_done(&diags);
}

int main(int argc, char **argv)
{
	char command[64];

	if (argc == 2 && str_equal(argv[1], "--random")) {
		print_random();
		return 0;
	}
	if (argc == 3 && str_equal(argv[1], "--dump")) {
		dump(argv[2]);
		return 0;
	}
	if (!mkdtemp(directory))
		return 1;
	test_texts();
	test_finding();
	test_many_settings();
	test_files();
	test_includes();
	test_limits();
	snprintf(command, sizeof(command), "rm -r %s", directory);
	if (system(command) != 0)
		return 1;
	return tap_done();
}
