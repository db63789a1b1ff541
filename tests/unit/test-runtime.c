/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What was taken back and exported at run time: the set, its limit, its file; the order of etab; a command line's
 * arguments; etab written and read under its lock.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/exports/change.h"
#include "exportsd/exports/etab_file.h"
#include "exportsd/exports/runtime.h"
#include "exportsd/exports/stock_order.h"
#include "tests/fake/facts.h"
#include "tests/tap.h"

static char directory[] = "/tmp/test-runtime-XXXXXX";

static const char *in(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static struct snapshot *snapshot_of(const char *text)
{
	static struct facts facts;
	struct diags diags = { 0 };
	struct snapshot *snapshot = facts_snapshot(&facts, text, false, &diags);

	diags_done(&diags);
	return snapshot;
}

static void test_set(void)
{
	struct snapshot *before = snapshot_of("/a *(ro)\n/b *(ro)\n/m/* *(ro,fsid=/h)\n");
	struct snapshot *now = snapshot_of("/b *(ro)\n");
	struct runtime *runtime;

	runtime_new(&runtime);
	ok(!runtime_is_removed(runtime, "/a", NULL, "*"), "nothing is taken back");
	is_int(runtime_note(runtime, before, now, false), 0, "some is");
	ok(runtime_is_removed(runtime, "/a", NULL, "*"), "what is no longer in force");
	ok(runtime_is_removed(runtime, "/m/*", "/m/*", "*"), "a rule, too");
	ok(!runtime_is_removed(runtime, "/b", NULL, "*"), "not what is");
	ok(!runtime_is_removed(runtime, "/a", NULL, "other"), "not for others");
	runtime_note(runtime, now, before, false);
	ok(!runtime_is_removed(runtime, "/a", NULL, "*"), "exported again, it is no more");
	runtime_note(runtime, before, now, true);
	ok(runtime_is_removed(runtime, "/never", NULL, "seen"), "all is taken back");
	runtime_forget(runtime);
	ok(!runtime_is_removed(runtime, "/a", NULL, "*"), "and forgotten");
	runtime_free(runtime);
	snapshot_free(before);
	snapshot_free(now);
}

static void test_file(void)
{
	const struct file_version version = { .inode = 1, .mtime_nsec = 2, .size = 3 };
	struct snapshot *before = snapshot_of("/a b *(ro)\n\"/with space\" host(ro)\n");
	struct snapshot *now = snapshot_of("");
	struct runtime *runtime, *again;

	runtime_new(&runtime);
	is_int(runtime_read(runtime, in("none")), -ENOENT, "no file");
	is_str(runtime_added(runtime), "", "nothing was added");
	runtime_note(runtime, before, now, false);
	runtime_set_etab(runtime, &version);
	is_int(runtime_write(runtime, in("memory"), now), 0, "written");
	unlink(in("memory"));
	is_int(runtime_write(runtime, in("memory"), now), 0, "again");
	ok(access(in("memory"), F_OK) < 0, "only if something changed");
	runtime_set_etab(runtime, &(struct file_version){ 0 });
	runtime_set_etab(runtime, &version);
	runtime_write(runtime, in("memory"), now);
	runtime_new(&again);
	is_int(runtime_read(again, in("memory")), 0, "read");
	ok(runtime_is_removed(again, "/with space", NULL, "host"), "what was taken back is known");
	ok(runtime_knows_etab(again, &version), "and whose etab it is");
	runtime_free(runtime);
	runtime_free(again);
	snapshot_free(before);
	snapshot_free(now);
}

static void test_damaged_file(void)
{
	FILE *to = fopen(in("damaged"), "w");
	struct runtime *runtime;

	fputs("etab what\n\nremoved\nadded /x\t*(rw)\nnonsense\nall of it\nadded", to);
	fclose(to);
	runtime_new(&runtime);
	is_int(runtime_read(runtime, in("damaged")), 0, "a damaged file is read");
	is_str(runtime_added(runtime), "/x\t*(rw)\n", "as far as it is one");
	ok(!runtime_is_removed(runtime, "/y", NULL, "*"), "the rest is passed over");
	runtime_free(runtime);
}

static void test_limit(void)
{
	enum { N = RUNTIME_REMOVED_MAX + 10 };
	FILE *to = fopen(in("many"), "w");
	struct runtime *runtime;
	char path[32];

	for (int i = 0; i < N; i++)
		fprintf(to, "removed /p%d\t*\n", i);
	fclose(to);
	runtime_new(&runtime);
	is_int(runtime_read(runtime, in("many")), 0, "more than are remembered");
	ok(!runtime_is_removed(runtime, "/p9", NULL, "*"), "the oldest are forgotten");
	ok(runtime_is_removed(runtime, "/p10", NULL, "*"), "and no others");
	(void)snprintf(path, sizeof(path), "/p%d", N - 1);
	ok(runtime_is_removed(runtime, path, NULL, "*"), "the last one is there");
	runtime_free(runtime);
}

static void test_order(void)
{
	/* One bucket: the sums of bytes times places are alike. */
	const char *paths[] = { "/a", "/b", "/a", "/c", "/b" };
	const enum client_type types[] = { CLIENT_SUBNET, CLIENT_SUBNET, CLIENT_SUBNET, CLIENT_HOST,
					   CLIENT_SUBNET };
	size_t order[N_ELEMENTS(paths)];
	char text[32] = "";

	is_int(stock_order(paths, types, N_ELEMENTS(paths), order), 0, "the order of etab");
	for (size_t i = 0; i < N_ELEMENTS(paths); i++)
		sprintf(text + strlen(text), "%zu ", order[i]);
	is_str(text, "3 1 4 0 2 ", "by type, the last path first, clients of one in their order");
	is_int(stock_order(paths, types, 0, order), 0, "of nothing");
}

static void test_pairs(void)
{
	static const struct {
		const char *argument, *client, *path;
	} cases[] = {
		{ "host:/a", "host", "/a" },
		{ ":/a", "", "/a" },
		{ "*:/a:b", "*", "/a:b" },
		{ "[2001:db8::1]:/a", "2001:db8::1", "/a" },
		{ "[2001:db8::]/32:/a", "2001:db8::/32", "/a" },
		{ "[ab]*.example:/a", "[ab]*.example", "/a" },
		{ "host", NULL, NULL },
		{ "host:a", NULL, NULL },
		{ "[2001:db8::1:/a", NULL, NULL },
		{ "[2001:db8::1]", NULL, NULL },
		{ "[", NULL, NULL },
		{ "", NULL, NULL },
	};
	struct exports_change *change;

	change_new(&change, CHANGE_EXPORT);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int r = change_add_pair(change, cases[i].argument);
		const struct exports_change_pair *pair = &change->pairs[change->n_pairs - 1];

		is_int(r, cases[i].client ? 0 : CHANGE_INVALID, cases[i].argument);
		if (r != 0)
			continue;
		is_str(pair->client, cases[i].client, "its client");
		is_str(pair->path, cases[i].path, "its path");
	}
	while (change->n_pairs < CHANGE_PAIRS_MAX)
		change_add_pair(change, "host:/a");
	is_int(change_add_pair(change, "host:/a"), -E2BIG, "one pair too many");
	change_free(change);
}

static void test_etab(void)
{
	struct snapshot *snapshot =
		snapshot_of("/a *(ro)\n\"/b c\" *(rw)\n/m/* *(ro,fsid=/h)\n/n nobody(ro)\n");
	struct file_version first, second;
	CLEANUP(freep) char *text = NULL;

	is_int(etab_file_read(directory, &text, &first), -ENOENT, "no etab");
	is_int(etab_file_write(directory, snapshot, EXPORT_PER_FLAVOR, &first), 0, "written");
	is_int(etab_file_write(directory, snapshot, EXPORT_PER_FLAVOR, &second), 0, "again");
	ok(file_version_equal(&first, &second), "the same bytes: the same file");
	is_int(etab_file_read(directory, &text, &second), 0, "read");
	ok(strncmp(text, "/b\\040c\t*(rw,", 13) == 0, "the last one first, escaped");
	ok(strstr(text, "\n/a\t*(ro,"), "then the first");
	ok(!strstr(text, "/m/") && !strstr(text, "nobody"), "no rule, no host without address");
	snapshot_free(snapshot);
	snapshot = snapshot_of("/a *(ro)\n");
	is_int(etab_file_write(directory, snapshot, EXPORT_PER_FLAVOR, &second), 0, "others");
	ok(!file_version_equal(&first, &second), "are another file");
	ok(access(in("etab.tmp"), F_OK) < 0, "nothing is left beside it");
	is_int(etab_file_write("/nonexistent", snapshot, 0, &second), -ENOENT, "no directory");
	snapshot_free(snapshot);
}

int main(void)
{
	static const char *const files[] = { "memory", "damaged", "many", "etab", ".etab.lock" };

	if (!mkdtemp(directory))
		return 1;
	test_set();
	test_file();
	test_damaged_file();
	test_limit();
	test_order();
	test_pairs();
	test_etab();
	for (size_t i = 0; i < N_ELEMENTS(files); i++)
		unlink(in(files[i]));
	rmdir(directory);
	return tap_done();
}
