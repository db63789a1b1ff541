/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-paths.c - questions to file systems, real ones: in a mount namespace of its own, with a
 * tree on a tmpfs, and a FUSE mount that nobody serves in the place of a dead disk.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "exportsd/fs/paths.h"
#include "exportsd/worker/worker.h"
#include "exportsd/workers.h"
#include "tests/fake/clock.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

enum { PATIENCE_MSEC = 30000, NOBODY = 65534, SOMEBODY = 4711, CLUB = 5000 };

static sd_event *event;
static char top[] = "/tmp/test-paths-XXXXXX";
static bool have_fuse;

/* ---- a tree ---- */

static const char *at(const char *relative)
{
	static char names[8][PATH_MAX];
	static unsigned int next;
	char *name = names[next++ % 8];

	snprintf(name, PATH_MAX, "%s/%s", top, relative);
	return name;
}

static void make_directory(const char *relative, mode_t mode, gid_t gid)
{
	if (mkdir(at(relative), 0700) < 0 || chown(at(relative), (uid_t)-1, gid) < 0 ||
	    chmod(at(relative), mode) < 0)
		perror(relative);
}

static void make_file(const char *relative, mode_t mode)
{
	int fd = open(at(relative), O_WRONLY | O_CREAT | O_CLOEXEC, mode);

	if (fd < 0 || fchmod(fd, mode) < 0)
		perror(relative);
	close(fd);
}

static void make_link(const char *target, const char *relative)
{
	if (symlink(target, at(relative)) < 0)
		perror(relative);
}

/* A mount whose server never says anything: whoever looks at it waits. The descriptor keeps it alive. */
static bool mount_dead_disk(void)
{
	char options[100];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	return mount("dead", at("dead"), "fuse", 0, options) == 0;
}

static void make_tree(void)
{
	make_directory("open", 0755, 0);
	make_directory("open/sub", 0755, 0);
	make_directory("closed", 0700, 0);
	make_directory("closed/inner", 0755, 0);
	make_directory("club", 0750, CLUB);
	make_directory("club/room", 0755, 0);
	make_directory("dead", 0755, 0);
	make_directory("bound", 0755, 0);
	make_directory("odd \n\t\\134 name", 0755, 0);
	make_file("open/file", 0644);
	make_file("open/secret", 0000);
	make_link("open", "link");
	make_link("/open/sub", "absolute");
	make_link("/etc", "escape");
	make_link("../../../../../../etc", "open/climb");
	make_link("loop", "loop");
	if (mount(at("bound"), at("bound"), NULL, MS_BIND, NULL) < 0)
		perror("# bind");
	have_fuse = mount_dead_disk();
}

/* ---- realpath ---- */

static unsigned int n_done;
static char *last_real[2000];
static size_t n_last_real;

static void on_real(void *userdata, const char *const *real, size_t n_paths)
{
	n_done++;
	for (size_t i = 0; i < n_last_real; i++)
		free(last_real[i]);
	n_last_real = n_paths < N_ELEMENTS(last_real) ? n_paths : N_ELEMENTS(last_real);
	for (size_t i = 0; i < n_last_real; i++)
		last_real[i] = real[i] == paths_unknown ? strdup("unknown")
			       : real[i]		? strdup(real[i])
							: NULL;
}

static const char *rootdir;

static struct paths *new_paths(uint64_t timeout_msec)
{
	struct paths *paths = NULL;

	is_int(paths_new(&paths, event, timeout_msec * 1000, rootdir), 0, "paths");
	return paths;
}

static void test_real(void)
{
	struct paths *paths = new_paths(10000);
	const char *wanted[] = { at("open"), at("link/sub/../file"),	 at("nowhere"),
				 at("loop"), at("odd \n\t\\134 name/."), "",
				 "/" };
	struct pending *question;

	n_done = 0;
	is_int(paths_real(paths, wanted, N_ELEMENTS(wanted), NULL, on_real, NULL, NULL), 0,
	       "real paths");
	ok(n_done == 0 && loop_until(event, &n_done, 1, PATIENCE_MSEC), "are told, later");
	is_str(last_real[0], at("open"), "of a directory");
	is_str(last_real[1], at("open/file"), "through a link and ..");
	is_str(last_real[2], NULL, "none of what does not exist");
	is_str(last_real[3], NULL, "none of a loop");
	is_str(last_real[4], at("odd \n\t\\134 name"), "odd bytes and all");
	is_str(last_real[5], NULL, "none of nothing");
	is_str(last_real[6], "/", "of the root");
	n_done = 0;
	paths_real(paths, NULL, 0, NULL, on_real, NULL, NULL);
	paths_real(paths, NULL, 0, NULL, on_real, NULL, &question);
	paths_real(paths, NULL, 0, NULL, on_real, NULL, NULL);
	pending_cancel(&question);
	ok(n_done == 0 && loop_until(event, &n_done, 2, PATIENCE_MSEC),
	   "an empty list is answered, too");
	paths_real(paths, wanted, 3, NULL, on_real, NULL, &question);
	pending_cancel(&question);
	loop_for(event, 100);
	is_int(n_done, 2, "a cancelled one is not");
	paths_real(paths, wanted, 3, NULL, on_real, NULL, NULL);
	paths_free(paths);
	is_int(n_done, 2, "nor one whose paths are freed");
}

static void test_devices(void)
{
	struct paths *paths = new_paths(10000);
	const char *wanted[] = { at("open"),	 at("open/sub"), at("open/file"), at("nowhere"),
				 at("link/sub"), at("bound"),	 at("open"),	  "/proc" };
	struct snapshot_seen seen[N_ELEMENTS(wanted)];
	struct stat here, proc;

	stat(at("open"), &here);
	stat("/proc", &proc);
	memset(seen, 0xff, sizeof(seen));
	n_done = 0;
	paths_real(paths, wanted, N_ELEMENTS(wanted), seen, on_real, NULL, NULL);
	loop_until(event, &n_done, 1, PATIENCE_MSEC);
	ok(seen[0].device == here.st_dev && seen[1].device == here.st_dev,
	   "devices of directories");
	ok(!seen[2].device && !seen[3].device, "none of a file, none of nothing");
	is_str(last_real[2], at("open/file"), "the file has a real path");
	ok(seen[4].device == here.st_dev, "of a directory behind a link");
	is_str(last_real[4], at("open/sub"), "whose path is another one");
	ok(seen[0].inode == here.st_ino && seen[4].inode == seen[1].inode, "and inodes");
	ok(seen[5].device == here.st_dev && seen[6].device == here.st_dev, "of one beside it");
	ok(seen[7].device == proc.st_dev && proc.st_dev != here.st_dev, "of another file system");
	paths_free(paths);
}

enum { N_MANY = 100000 };

static size_t n_many_wrong;
static char (*many_names)[80];

static void on_many(void *userdata, const char *const *real, size_t n_paths)
{
	n_done++;
	n_many_wrong = n_paths != N_MANY;
	for (size_t i = 0; i < n_paths; i++)
		n_many_wrong += i % 3 == 0 ? !real[i] || !str_equal(real[i], at("open/sub"))
					   : real[i] != NULL;
}

static void test_many(void)
{
	struct paths *paths = new_paths(60000);
	const char **wanted = calloc(N_MANY, sizeof(char *));
	uint64_t start = loop_now_msec();

	many_names = calloc(N_MANY, sizeof(*many_names));
	for (int i = 0; i < N_MANY; i++) {
		snprintf(many_names[i], sizeof(many_names[i]), i % 3 ? "%s/none/%d" : "%s/link/sub",
			 top, i);
		wanted[i] = many_names[i];
	}
	n_done = 0;
	paths_real(paths, wanted, N_MANY, NULL, on_many, NULL, NULL);
	ok(loop_until(event, &n_done, 1, 60000), "100,000 real paths (%u ms)",
	   (unsigned int)(loop_now_msec() - start));
	is_int((long long)n_many_wrong, 0, "in the order asked");
	paths_free(paths);
	free(wanted);
	free(many_names);
}

/* Paths in one directory, of which only the last names are looked at. */
static void test_siblings(void)
{
	struct snapshot_seen seen[8];
	struct paths *paths = new_paths(10000);
	char texts[8][PATH_MAX];
	const char *wanted[N_ELEMENTS(texts)];
	static const char *const names[] = { "open",   "open/file", "open/sub",	 "open/nothing",
					     "open/.", "open/..",   "link/file", "link/sub" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		snprintf(texts[i], sizeof(texts[i]), "%s", at(names[i]));
		wanted[i] = texts[i];
	}
	n_done = 0;
	paths_real(paths, wanted, N_ELEMENTS(wanted), seen, on_real, NULL, NULL);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC), "paths in one directory");
	is_str(last_real[1], at("open/file"), "the first");
	is_str(last_real[2], at("open/sub"), "the next");
	is_str(last_real[3], NULL, "none of what does not exist");
	is_str(last_real[4], at("open"), "of a dot");
	is_str(last_real[5], top, "of two");
	is_str(last_real[6], at("open/file"), "through a link");
	is_str(last_real[7], at("open/sub"), "and again");
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct stat there;
		bool is_directory = stat(wanted[i], &there) == 0 && S_ISDIR(there.st_mode);

		ok(is_directory ? seen[i].inode == there.st_ino && seen[i].device == there.st_dev
				: !seen[i].inode && !seen[i].device,
		   "what directory %s is, is told with it", names[i]);
	}
	paths_free(paths);
}

/* ---- facts ---- */

static int last_error;
static struct paths_facts last_facts;

static void on_facts(void *userdata, int error, const struct paths_facts *facts)
{
	n_done++;
	last_error = error;
	if (facts)
		last_facts = *facts;
}

static void facts_of(struct paths *paths, const char *path)
{
	n_done = 0;
	memset(&last_facts, 0xa5, sizeof(last_facts));
	if (paths_facts(paths, path, on_facts, NULL, NULL) < 0 || n_done ||
	    !loop_until(event, &n_done, 1, PATIENCE_MSEC))
		ok(false, "facts of %s", path);
}

static void same_as_stat(struct paths *paths, const char *path, const char *what)
{
	struct stat st;

	facts_of(paths, path);
	is_int(last_error, 0, what);
	ok(stat(path, &st) == 0 && st.st_dev == last_facts.device &&
		   st.st_ino == last_facts.inode && st.st_mode == last_facts.mode,
	   "  as stat(2) says");
}

static void test_facts(void)
{
	struct paths *paths = new_paths(10000);
	struct statfs fs;
	char text[17];
	uint8_t uuid[16];

	same_as_stat(paths, at("open"), "facts of a directory");
	ok(!last_facts.is_mount_root, "  no mount point");
	is_int(last_facts.file_system, 0x01021994, "  on a tmpfs");
	ok(!last_facts.has_block_uuid, "  which has no device");
	statfs(top, &fs);
	snprintf(text, sizeof(text), "%08x%08x", (unsigned int)fs.f_fsid.__val[0],
		 (unsigned int)fs.f_fsid.__val[1]);
	paths_fold_uuid(text, 16, uuid);
	is_int(last_facts.has_statfs_uuid, fs.f_fsid.__val[0] || fs.f_fsid.__val[1],
	       "  a statfs uuid if f_fsid is set");
	ok(!last_facts.has_statfs_uuid || memcmp(uuid, last_facts.statfs_uuid, 16) == 0,
	   "  the right one");
	same_as_stat(paths, at("link"), "facts of a link's target");
	same_as_stat(paths, at("open/secret"), "facts of a file nobody may read");
	same_as_stat(paths, at("bound"), "facts of a bind mount");
	ok(last_facts.is_mount_root, "  a mount point");
	same_as_stat(paths, top, "facts of a mounted file system");
	ok(last_facts.is_mount_root, "  a mount point");
	facts_of(paths, at("nowhere"));
	is_int(last_error, -ENOENT, "nothing there");
	facts_of(paths, at("open/file/below"));
	is_int(last_error, -ENOTDIR, "below a file");
	paths_free(paths);
}

/* An ext2 image, mounted. */
static bool mount_image(const char *uuid, const char *where)
{
	char command[3 * PATH_MAX];

	snprintf(
		command, sizeof(command),
		"{ truncate -s 1M %s/image && mke2fs -q -F -U %s %s/image && mount -o loop,ro %s/image %s; } 2>/dev/null",
		top, uuid, top, top, where);
	return system(command) == 0;
}

static void test_block_uuid(void)
{
	static const char uuid[] = "12345678-9abc-def0-1122-334455667788";
	struct paths *paths = new_paths(10000);
	uint8_t bytes[16];

	make_directory("disk", 0755, 0);
	paths_fold_uuid(uuid, 16, bytes);
	if (mount_image(uuid, at("disk"))) {
		same_as_stat(paths, at("disk"), "facts of a disk");
		ok(last_facts.is_mount_root, "  a mount point");
		is_int(last_facts.file_system, 0xef53, "  of ext2");
		ok(last_facts.has_block_uuid && memcmp(bytes, last_facts.block_uuid, 16) == 0,
		   "  with its uuid");
		ok(last_facts.has_statfs_uuid, "  and one of statfs(2)");
		facts_of(paths, at("disk"));
		ok(last_facts.has_block_uuid && memcmp(bytes, last_facts.block_uuid, 16) == 0,
		   "  the same when it is remembered");
		(void)umount(at("disk"));
		facts_of(paths, at("disk"));
		ok(!last_facts.has_block_uuid, "  and none once it is unmounted");
	} else {
		ok(true, "facts of a disk # SKIP no loop devices, or no mke2fs, here");
	}
	paths_free(paths);
}

static void fold(const char *text, size_t size, const char *wanted)
{
	uint8_t bytes[16];
	char hex[33] = "";

	paths_fold_uuid(text, size, bytes);
	for (size_t i = 0; i < size; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
	is_str(hex, wanted, text);
}

static void test_fold(void)
{
	fold("", 16, "00000000000000000000000000000000");
	fold("a", 4, "a0000000");
	fold("1ca80eb7eedbbac9", 16, "1ca80eb7eedbbac90000000000000000");
	fold("3F2C1a00-0000-0000-0000-00000000000f", 16, "3f2c1a0000000000000000000000000f");
	fold("01020304-0506-0708-090a-0b0c0d0e0f10", 8,
	     "08080808080808"
	     "18");
	fold("ffffffff0f0f0f0f", 4, "f0f0f0f0");
	fold("zz12:34", 4, "12340000");
}

/* ---- walking ---- */

static struct paths_walked last_walked;

static void on_walked(void *userdata, int error, const struct paths_walked *walked)
{
	n_done++;
	last_error = error;
	if (walked)
		last_walked = *walked;
}

static const gid_t club[] = { 1, CLUB, 2 };

static int walk(struct paths *paths, const char *root, const char *relative, uid_t uid, gid_t gid,
		size_t n_groups)
{
	struct paths_credentials who = {
		.uid = uid, .gid = gid, .groups = club, .n_groups = n_groups
	};

	n_done = 0;
	if (paths_walk(paths, root, relative, &who, on_walked, NULL, NULL) < 0 || n_done ||
	    !loop_until(event, &n_done, 1, PATIENCE_MSEC))
		return 1;
	return last_error;
}

static bool walked_to(const char *relative)
{
	union {
		struct file_handle handle;
		uint8_t bytes[sizeof(struct file_handle) + 128];
	} room = { .handle.handle_bytes = 128 };
	struct stat st;
	int mount_id;

	if (stat(at(relative), &st) < 0 || st.st_ino != last_walked.inode ||
	    st.st_dev != last_walked.device || st.st_mode != last_walked.mode)
		return false;
	if (name_to_handle_at(AT_FDCWD, at(relative), &room.handle, &mount_id, 0) < 0)
		return last_walked.handle_type == -1;
	return room.handle.handle_type == last_walked.handle_type &&
	       room.handle.handle_bytes == last_walked.handle_length &&
	       memcmp(room.handle.f_handle, last_walked.handle, last_walked.handle_length) == 0;
}

static void test_walk(void)
{
	struct paths *paths = new_paths(10000);

	is_int(walk(paths, top, "", NOBODY, NOBODY, 0), 0, "the root itself");
	ok(walked_to("."), "  is reached");
	is_int(walk(paths, top, "open/sub", NOBODY, NOBODY, 0), 0, "an open way");
	ok(walked_to("open/sub"), "  is walked");
	is_int(walk(paths, top, "open/secret", NOBODY, NOBODY, 0), 0,
	       "what cannot be read is only to be reached");
	is_int(walk(paths, top, "closed", NOBODY, NOBODY, 0), 0, "a closed directory is reached");
	is_int(walk(paths, top, "closed/inner", NOBODY, NOBODY, 0), -EACCES,
	       "but not gone through");
	is_int(walk(paths, top, "closed/inner", 0, 0, 0), 0, "save by root");
	is_int(walk(paths, top, "closed/inner", SOMEBODY, 0, 0), -EACCES, "not by root's group");
	is_int(walk(paths, top, "club/room", SOMEBODY, SOMEBODY, 0), -EACCES,
	       "a group's directory is closed to others");
	is_int(walk(paths, top, "club/room", SOMEBODY, CLUB, 0), 0, "open to those of that group");
	is_int(walk(paths, top, "club/room", SOMEBODY, SOMEBODY, 3), 0, "also as one of several");
	is_int(walk(paths, top, "club/room", SOMEBODY, SOMEBODY, 1), -EACCES, "but not of another");
	is_int(walk(paths, top, "club/room", 0, 0, 0), 0, "root again, in the same process");
	is_int(walk(paths, top, "open/none", NOBODY, NOBODY, 0), -ENOENT, "nothing there");
	is_int(walk(paths, top, "closed/none", NOBODY, NOBODY, 0), -EACCES,
	       "nor told whether there is");
	is_int(walk(paths, top, "open/file/x", NOBODY, NOBODY, 0), -ENOTDIR, "below a file");
	is_int(walk(paths, top, "link/sub", NOBODY, NOBODY, 0), 0, "through a link inside");
	ok(walked_to("open/sub"), "  to its target");
	is_int(walk(paths, top, "absolute", NOBODY, NOBODY, 0), 0, "an absolute link");
	ok(walked_to("open/sub"), "  counts from the root of the walk");
	is_int(walk(paths, top, "escape/passwd", 0, 0, 0), -ENOENT, "a link out leads nowhere");
	is_int(walk(paths, top, "open/climb/passwd", 0, 0, 0), -ENOENT, "nor does one that climbs");
	is_int(walk(paths, top, "../../etc/passwd", 0, 0, 0), -ENOENT, "nor dots");
	is_int(walk(paths, top, "loop/x", 0, 0, 0), -ELOOP, "a loop ends");
	is_int(walk(paths, top, "open", (uid_t)-1, 0, 0), -EPERM, "an impossible user is refused");
	is_int(walk(paths, top, "open/sub", NOBODY, NOBODY, 0), 0, "and the process goes on");
	paths_free(paths);
}

/* All paths beneath a directory, symbolic links too: as in a chroot. */
static void test_rootdir(void)
{
	const char *wanted[] = { "/open/../open/sub", "/link/file", "/absolute", "/open/climb", "/",
				 "/nowhere",	      "/escape" };
	struct paths *paths;

	rootdir = top;
	paths = new_paths(10000);
	rootdir = NULL;
	n_done = 0;
	is_int(paths_real(paths, wanted, N_ELEMENTS(wanted), NULL, on_real, NULL, NULL), 0,
	       "real paths beneath a root");
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC), "are told");
	is_str(last_real[0], "/open/sub", "without it");
	is_str(last_real[1], "/open/file", "through a link");
	is_str(last_real[2], "/open/sub", "an absolute link begins there, too");
	is_str(last_real[3], NULL, "and nothing climbs out");
	is_str(last_real[4], "/", "the root itself");
	is_str(last_real[5], NULL, "none of what is not beneath it");
	is_str(last_real[6], NULL, "though it is outside");
	facts_of(paths, "/open/sub");
	is_int(last_error, 0, "facts beneath it");
	facts_of(paths, top);
	is_int(last_error, -ENOENT, "none of what is outside");
	is_int(walk(paths, "/open", "sub", 0, 0, 0), 0, "walks begin beneath it");
	ok(walked_to("open/sub"), "and end there");
	paths_free(paths);
}

/* ---- a dead disk ---- */

static void test_dead_disk(void)
{
	enum { N = 450, DEAD = 123 };
	struct paths *paths = new_paths(3000);
	struct paths_credentials root = {};
	const char *wanted[N];
	char dead[PATH_MAX], open_path[PATH_MAX];
	uint64_t start = loop_now_msec();
	size_t n_wrong = 0;

	snprintf(dead, sizeof(dead), "%s", at("dead/x"));
	snprintf(open_path, sizeof(open_path), "%s", at("open"));
	for (int i = 0; i < N; i++)
		wanted[i] = i == DEAD ? dead : open_path;
	n_done = 0;
	clock_disks_may_be_dead();
	paths_real(paths, wanted, N, NULL, on_real, NULL, NULL);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC), "a list with a path that hangs");
	ok(loop_now_msec() - start < 3500, "is answered in time: %u ms",
	   (unsigned int)(loop_now_msec() - start));
	for (int i = 0; i < N; i++)
		n_wrong += !last_real[i] || str_equal(last_real[i], "unknown") != (i == DEAD);
	is_int((long long)n_wrong, 0, "and only of that one is nothing known");

	start = loop_now_msec();
	n_done = 0;
	for (int i = 0; i < 6; i++)
		paths_facts(paths, dead, on_facts, NULL, NULL);
	last_error = 0;
	ok(loop_until(event, &n_done, 6, PATIENCE_MSEC) && last_error == -ETIMEDOUT,
	   "what hangs is -ETIMEDOUT");
	ok(loop_now_msec() - start >= 2900 && loop_now_msec() - start < 4000, "in time");
	paths_facts(paths, dead, on_facts, NULL, NULL);
	start = loop_now_msec();
	facts_of(paths, open_path);
	ok(last_error == 0 && loop_now_msec() - start < 1500, "meanwhile others are answered");
	n_done = 0;
	paths_walk(paths, top, "dead/x", &root, on_walked, NULL, NULL);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC), "a walk that hangs ends, too");
	paths_free(paths);
	(void)umount2(at("dead"), MNT_DETACH);
}

int main(int argc, char **argv)
{
	if (argc > 3 && str_equal(argv[1], "--worker"))
		return worker_main(argv[2], atoi(argv[3]), argc > 4 ? argv[4] : NULL);
	/* Walking as somebody else takes a root that has users besides itself. */
	if (getuid() != 0 || unshare(CLONE_NEWNS) < 0) {
		ok(true, "paths # SKIP not root");
		return tap_done();
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(top) ||
	    mount("test", top, "tmpfs", 0, "mode=755") < 0 || sd_event_default(&event) < 0)
		return 1;
	umask(022);
	make_tree();
	test_real();
	test_devices();
	test_siblings();
	test_many();
	test_facts();
	test_block_uuid();
	test_fold();
	test_walk();
	test_rootdir();
	if (have_fuse)
		test_dead_disk();
	else
		ok(true, "a dead disk # SKIP no FUSE here");
	ok(paths_free(NULL) == NULL, "freeing nothing is fine");
	on_real(NULL, NULL, 0);
	sd_event_unref(event);
	(void)umount2(top, MNT_DETACH);
	(void)rmdir(top);
	return tap_done();
}
