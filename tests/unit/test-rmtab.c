/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/mountd/rmtab.h"
#include "tests/tap.h"

static char text[4096];

static int print(void *userdata, const char *client, const char *path)
{
	size_t n = strlen(text);

	(void)snprintf(text + n, sizeof(text) - n, "%s %s;", client, path);
	return 0;
}

static const char *all(const struct rmtab *rmtab)
{
	text[0] = '\0';
	(void)rmtab_each(rmtab, print, NULL);
	return text;
}

static int stop_at_second(void *userdata, const char *client, const char *path)
{
	return ++*(int *)userdata == 2 ? 17 : 0;
}

static void test_list(void)
{
	struct rmtab *rmtab;
	int n = 0;

	is_int(rmtab_new(&rmtab), 0, "a list");
	is_str(all(rmtab), "", "is empty");
	rmtab_add(rmtab, "192.0.2.1", "/a");
	rmtab_add(rmtab, "192.0.2.2", "/a");
	rmtab_add(rmtab, "192.0.2.1", "/b");
	is_str(all(rmtab), "192.0.2.1 /b;192.0.2.2 /a;192.0.2.1 /a;", "newest first");
	rmtab_add(rmtab, "192.0.2.1", "/a");
	is_str(all(rmtab), "192.0.2.1 /a;192.0.2.1 /b;192.0.2.2 /a;", "once each");
	is_int(rmtab_each(rmtab, stop_at_second, &n), 17, "a callback ends the listing");
	ok(!rmtab_remove(rmtab, "192.0.2.2", "/b"), "what is not there is not removed");
	ok(rmtab_remove(rmtab, "192.0.2.1", "/a"), "what is there is");
	rmtab_add(rmtab, "192.0.2.1", "/c");
	ok(rmtab_remove_client(rmtab, "192.0.2.1"), "all of one client");
	is_str(all(rmtab), "192.0.2.2 /a;", "are removed, and no others");
	ok(!rmtab_remove_client(rmtab, "192.0.2.1"), "once");
	is_str(rmtab_free(rmtab) ? "" : NULL, NULL, "free");
	is_str(rmtab_free(NULL) ? "" : NULL, NULL, "free of nothing");
}

static void test_limit(void)
{
	struct rmtab *rmtab;
	char path[32];

	rmtab_new(&rmtab);
	for (int i = 0; i < RMTAB_MAX; i++) {
		(void)snprintf(path, sizeof(path), "/%d", i);
		rmtab_add(rmtab, "192.0.2.1", path);
	}
	rmtab_add(rmtab, "192.0.2.1", "/0");
	is_int((long long)rmtab_count(rmtab), RMTAB_MAX, "the list is full");
	rmtab_add(rmtab, "192.0.2.1", "/one-more");
	is_int((long long)rmtab_count(rmtab), RMTAB_MAX, "one more does not make it longer");
	ok(!rmtab_remove(rmtab, "192.0.2.1", "/1"), "the oldest is forgotten");
	ok(rmtab_remove(rmtab, "192.0.2.1", "/0"), "what was renewed is not");
	ok(rmtab_remove(rmtab, "192.0.2.1", "/one-more"), "nor the newest");
	rmtab_free(rmtab);
}

static void test_merge(void)
{
	struct rmtab *list, *other;
	char path[32];

	rmtab_new(&list);
	rmtab_new(&other);
	rmtab_add(list, "192.0.2.1", "/a");
	rmtab_add(list, "192.0.2.1", "/b");
	rmtab_add(other, "192.0.2.2", "/old");
	rmtab_add(other, "192.0.2.1", "/a");
	rmtab_add(other, "192.0.2.2", "/new");
	rmtab_merge(list, other);
	is_str(all(list), "192.0.2.1 /b;192.0.2.1 /a;192.0.2.2 /new;192.0.2.2 /old;",
	       "another list's entries become the oldest");
	for (int i = 0; i < RMTAB_MAX; i++) {
		(void)snprintf(path, sizeof(path), "/%d", i);
		rmtab_add(other, "192.0.2.4", path);
	}
	rmtab_merge(list, other);
	is_int((long long)rmtab_count(list), RMTAB_MAX, "there are no more than there may be");
	ok(rmtab_remove(list, "192.0.2.2", "/old"), "and what was there is not forgotten for them");
	rmtab_free(list);
	rmtab_free(other);
}

static void put_file(const char *file, const char *content)
{
	FILE *to = fopen(file, "w");

	fputs(content, to);
	fclose(to);
}

static void is_file(const char *file, const char *wanted, const char *what)
{
	char content[4096] = "";
	FILE *from = fopen(file, "r");

	if (from) {
		content[fread(content, 1, sizeof(content) - 1, from)] = '\0';
		fclose(from);
	}
	is_str(content, wanted, what);
}

static void test_file(const char *directory)
{
	char file[200], missing[200], victim[200], temporary[210];
	struct rmtab *rmtab;

	(void)snprintf(file, sizeof(file), "%s/rmtab", directory);
	(void)snprintf(missing, sizeof(missing), "%s/none/rmtab", directory);
	(void)snprintf(victim, sizeof(victim), "%s/victim", directory);
	(void)snprintf(temporary, sizeof(temporary), "%s.tmp", file);
	rmtab_new(&rmtab);
	is_int(rmtab_read(rmtab, file), -ENOENT, "no file");
	/* As rpc.mountd writes it; and lines that it does not write. */
	put_file(file, "192.0.2.1:/srv/a:0x00000001\n2001;db8;;7:/srv/b:c:0x00000002\n"
		       "\nnonsense\n:/a:0x00000001\nhost:relative:0x00000001\nhost:/a\n"
		       "192.0.2.3:/last:0x00000001");
	is_int(rmtab_read(rmtab, file), 0, "a file");
	is_str(all(rmtab), "192.0.2.3 /last;2001:db8::7 /srv/b:c;192.0.2.1 /srv/a;",
	       "its entries, the last one newest; colons in a path are the path's");
	rmtab_add(rmtab, "192.0.2.4", "/new\nline:x:0x1");
	rmtab_remove(rmtab, "192.0.2.3", "/last");
	is_int(rmtab_write(rmtab, file), 0, "is written");
	is_file(file, "192.0.2.1:/srv/a:0x00000001\n2001;db8;;7:/srv/b:c:0x00000001\n",
		"in the same form, without what cannot be said in a line");
	put_file(victim, "root's\n");
	if (symlink(victim, temporary) < 0)
		perror("# symlink");
	is_int(rmtab_write(rmtab, file), 0, "a link that somebody put there is no matter");
	is_file(victim, "root's\n", "and what it leads to is left alone");
	(void)unlink(victim);
	is_int(rmtab_write(rmtab, missing), -ENOENT, "where there is no directory it is not");
	rmtab_remove_client(rmtab, "192.0.2.1");
	rmtab_remove_client(rmtab, "192.0.2.4");
	rmtab_remove_client(rmtab, "2001:db8::7");
	is_int(rmtab_write(rmtab, file), 0, "an empty list");
	is_file(file, "", "is an empty file");
	rmtab_free(rmtab);
	(void)unlink(file);
}

static void test_odd_files(const char *directory)
{
	char file[200], bytes[PATH_MAX + 100];
	struct rmtab *rmtab;

	(void)snprintf(file, sizeof(file), "%s/rmtab", directory);
	rmtab_new(&rmtab);
	(void)mkfifo(file, 0600);
	is_int(rmtab_read(rmtab, file), -ENOTSUP, "a pipe is not waited for");
	is_int(rmtab_write(rmtab, file), 0, "and is replaced");
	(void)unlink(file);
	(void)mkdir(file, 0700);
	is_int(rmtab_read(rmtab, file), -EISDIR, "a directory is not read");
	is_int(rmtab_write(rmtab, file), -EISDIR, "and not replaced");
	(void)rmdir(file);
	if (symlink("/dev/zero", file) < 0)
		perror("# symlink");
	is_int(rmtab_read(rmtab, file), -ENOTSUP, "a device that never ends is not read");
	(void)unlink(file);
	if (symlink("/dev/null", file) < 0)
		perror("# symlink");
	is_int(rmtab_read(rmtab, file), 0, "/dev/null is an empty list");
	(void)unlink(file);
	put_file(file, "");
	if (truncate(file, 1LL << 40) < 0)
		perror("# truncate");
	is_int(rmtab_read(rmtab, file), -EFBIG, "a file that is larger than memory is not read");
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i % 255 + 1);
	memcpy(bytes, "192.0.2.1:/", 11);
	memcpy(bytes + sizeof(bytes) - 3, ":1", 3);
	for (size_t i = 11; i < sizeof(bytes) - 3; i++)
		if (bytes[i] == '\n')
			bytes[i] = ':';
	put_file(file, bytes);
	is_int(rmtab_read(rmtab, file), 0, "binary rubbish is read");
	is_int((long long)rmtab_count(rmtab), 0, "and what is longer than any path left out");
	rmtab_free(rmtab);
	(void)unlink(file);
}

int main(void)
{
	char directory[] = "/tmp/test-rmtab-XXXXXX";

	test_list();
	test_limit();
	test_merge();
	test_file(mkdtemp(directory));
	test_odd_files(directory);
	ok(rmdir(directory) == 0, "nothing is left behind");
	return tap_done();
}
