/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-ordering.c - which mounts the server is ordered after and before, and how that is written in a unit.
 */

#include <errno.h>
#include <sys/stat.h>

#include "exportsd/generator/ordering.h"
#include "tests/fake/facts.h"
#include "tests/tap.h"

static char directory[] = "/tmp/test-ordering-XXXXXX";
static char fstab[sizeof(directory) + 16];

static void write_fstab(const char *text)
{
	FILE *to = fopen(fstab, "w");

	fputs(text, to);
	fclose(to);
}

static char *ordering_of(const char *exports, const char *rootdir, bool look)
{
	struct facts facts = { 0 };
	struct diags diags = { 0 };
	struct snapshot *snapshot = facts_snapshot(&facts, exports, false, &diags);
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	ordering_write(snapshot, rootdir, fstab, look, to);
	fclose(to);
	snapshot_free(snapshot);
	diags_done(&diags);
	return text;
}

static void check(const char *exports, const char *wanted, const char *what)
{
	CLEANUP(freep) char *text = ordering_of(exports, NULL, false);

	is_str(text, wanted, what);
}

static void test_exports(void)
{
	CLEANUP(freep) char *beneath = NULL;

	check("", "[Unit]\n", "no export, no fstab");
	check("/srv/a nobody.example.test(ro)\n/srv/b *(ro) @x(rw)\n/srv/a *(ro)\n",
	      "[Unit]\nRequiresMountsFor=\"/srv/a\"\nRequiresMountsFor=\"/srv/b\"\n",
	      "each path once, also for hosts that nobody knows");
	check("/srv/m *(ro,mountpoint)\n/srv/n *(ro,mp=/srv)\n/srv/o *(ro)\n",
	      "[Unit]\nRequiresMountsFor=\"/srv/o\"\n", "not what may be mounted later");
	check("/mnt/cdrom/* *(ro,mountpoint,fsid=/run/s)\n/mnt/cdrom/one *(ro)\n"
	      "/mnt/cdrom/one/below *(ro)\n/mnt/cd*/x *(ro,fsid=/run/s)\n/srv *(ro)\n",
	      "[Unit]\nRequiresMountsFor=\"/mnt/cdrom\"\nRequiresMountsFor=\"/mnt\"\n"
	      "RequiresMountsFor=\"/srv\"\n",
	      "a rule's directory, and none of its media");
	check("\"/srv/a b\" *(ro)\n/srv/50% *(ro)\n/srv/back\\134slash *(ro)\n\"/srv/it's\" *(ro)\n"
	      "/srv/\\042q\\042 *(ro)\n/srv/\\042'both *(ro)\n/srv/new\\012line *(ro)\n/srv/\\377 *(ro)\n",
	      "[Unit]\nRequiresMountsFor=\"/srv/a b\"\nRequiresMountsFor=\"/srv/50%%\"\n"
	      "RequiresMountsFor=\"/srv/back\\slash\"\nRequiresMountsFor=\"/srv/it's\"\n"
	      "RequiresMountsFor='/srv/\"q\"'\n",
	      "quoting, and what cannot be written is left out");
	beneath = ordering_of("/data *(ro)\n/ *(ro)\n", "/srv/root", false);
	is_str(beneath,
	       "[Unit]\nRequiresMountsFor=\"/srv/root/data\"\nRequiresMountsFor=\"/srv/root/\"\n",
	       "rootdir");
}

static void test_fstab(void)
{
	write_fstab("# a comment\n"
		    "/dev/sda1 / ext4 defaults 0 1\n"
		    "/dev/sdb1 /srv/late ext4 noauto 0 2\n"
		    "/dev/sdb2 /srv/late/really ext4 defaults 0 2\n"
		    "localhost:/a /home/my\\040files nfs defaults 0 0\n"
		    "other:/b /srv/again nfs4 defaults 0 0\n"
		    "other:/c /net/.hidden-x/ nfs4 noauto 0 0\n"
		    "sshfs#other: /fuse fuse defaults 0 0\n"
		    "a line that is none\n");
	check("/srv/late *(ro)\n/srv/late/x *(ro)\n/srv/late/really/x *(ro)\n/srv/later *(ro)\n"
	      "/srv/again/sub *(ro)\n",
	      "[Unit]\nRequiresMountsFor=\"/srv/late/really/x\"\nRequiresMountsFor=\"/srv/later\"\n"
	      "RequiresMountsFor=\"/srv/again/sub\"\n"
	      "Before=home-my\\x20files.mount\nBefore=net-.hidden\\x2dx.mount\n",
	      "noauto is not waited for; NFS mounts wait for the server, but for one that is exported again");
	write_fstab("");
}

static void test_unit_names(void)
{
	static const struct {
		const char *path, *name;
	} cases[] = {
		{ "/", "-.mount" },
		{ "/srv", "srv.mount" },
		{ "//srv//a/", "srv-a.mount" },
		{ "/.a/.b", "\\x2ea-.b.mount" },
		{ "/a b-c%\xff", "a\\x20b\\x2dc\\x25\\xff.mount" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(freep) char *name = ordering_unit_name(cases[i].path);

		is_str(name, cases[i].name, cases[i].path);
	}
}

static void is_real(const char *path, const char *wanted, const char *what)
{
	char from[256], to[256];
	CLEANUP(freep) char *real = NULL;

	snprintf(from, sizeof(from), "%s%s", directory, path);
	snprintf(to, sizeof(to), "%s%s", *wanted == '=' ? "" : directory,
		 wanted + (*wanted == '='));
	real = ordering_real_path(from);
	is_str(real, to, what);
}

static void make_link(const char *name, const char *target)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (symlink(target, path) < 0)
		perror("# symlink");
}

static void test_links(void)
{
	char path[256];
	CLEANUP(freep) char *text = NULL, *wanted = NULL, *exports = NULL;

	snprintf(path, sizeof(path), "%s/real", directory);
	mkdir(path, 0755);
	make_link("link", "real");
	make_link("far", "/nowhere/at/all");
	make_link("up", "../../proc");
	make_link("loop", "loop");
	is_real("/real/x", "/real/x", "no link");
	is_real("/link/x/../y", "/real/y", "a link");
	is_real("/./link//", "/real", "dots and slashes");
	is_real("/far/x", "=/nowhere/at/all/x", "one to what is not there");
	is_real("/up/self/cwd", "=/proc/self/cwd", "what lies behind a mount is not looked at");
	is_real("/loop/x", "/loop/x", "a loop");
	if (asprintf(&exports, "%s/link *(ro)\n", directory) > 0 &&
	    asprintf(&wanted,
		     "[Unit]\nRequiresMountsFor=\"%s/link\"\nRequiresMountsFor=\"%s/real\"\n",
		     directory, directory) > 0) {
		text = ordering_of(exports, NULL, true);
		is_str(text, wanted, "both names count");
	}
}

int main(void)
{
	char command[64];

	if (!mkdtemp(directory))
		return 1;
	snprintf(fstab, sizeof(fstab), "%s/fstab", directory);
	test_exports();
	test_fstab();
	test_unit_names();
	test_links();
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command) == 0 ? tap_done() : 1;
}
