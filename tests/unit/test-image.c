/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-image.c - the image handler: which file a key means, what an image holds, and each verb up
 * to the loop device, which is replaced here (loop.h's functions are below).
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "handlers/image/known.h"
#include "handlers/image/loop.h"
#include "handlers/image/verbs.h"
#include "handlers/kit/request.h"
#include "tests/tap.h"

static char directory[] = "/tmp/test-image.XXXXXX";
static char *endings[] = { (char[]){ ".iso" }, (char[]){ ".img" }, (char[]){ ".disk.img" },
			   (char[]){ ".squashfs" }, NULL };
static char *types[] = { (char[]){ "iso9660" }, (char[]){ "squashfs" }, NULL };
static struct image_handler handler = { .types = types,
					.options = "nosymfollow",
					.images.endings = endings };

static const char *path_of(const char *name)
{
	static char paths[8][512];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

/* ---- the loop device that is none ---- */

static struct {
	int place; /* what loop_look() returns */
	int mount; /* what loop_mount() returns */
	int unmount;
	char device_file[512]; /* LOOP_TAKEN */
	unsigned int n_mounts, n_unmounts;
	char type[32], options[64], path[512];
} loop;

int loop_look(const char *path, char **ret_device)
{
	if (loop.place == LOOP_TAKEN)
		*ret_device = strdup(loop.device_file);
	return loop.place;
}

int loop_mount(int image_fd, const char *name, const char *type, const char *options,
	       const char *path, char **ret_device, char **reterr_why)
{
	loop.n_mounts++;
	if (loop.mount < 0) {
		*reterr_why = strdup("wrong fs type");
		return loop.mount;
	}
	snprintf(loop.type, sizeof(loop.type), "%s", type);
	snprintf(loop.options, sizeof(loop.options), "%s", options);
	snprintf(loop.path, sizeof(loop.path), "%s", path);
	*ret_device = strdup("/dev/loop9");
	return 0;
}

int loop_unmount(const char *path)
{
	loop.n_unmounts++;
	return loop.unmount;
}

/* ---- images ---- */

static void write_at(const char *name, off_t at, const void *bytes, size_t n_bytes)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (pwrite(fd, bytes, n_bytes, at) < 0)
		perror(name);
	close(fd);
}

static void make_empty(const char *name)
{
	write_at(name, 0, "", 0);
}

/* The little of ISO 9660 (ECMA-119 section 8) that libblkid looks at. */
static void make_iso(const char *name, const char *label)
{
	unsigned char descriptor[2048] = "\1CD001\1", end[2048] = "\377CD001\1";

	memset(descriptor + 8, ' ', 64);
	memcpy(descriptor + 40, label, strlen(label));
	memcpy(descriptor + 813, "2023061010210000", 17); /* created */
	memcpy(descriptor + 830, "2023061010210000", 17); /* modified */
	write_at(name, (off_t)16 * 2048, descriptor, sizeof(descriptor));
	write_at(name, (off_t)17 * 2048, end, sizeof(end));
}

/* A squashfs superblock's magic and version (linux fs/squashfs/squashfs_fs.h). */
static void make_squashfs(const char *name, unsigned char inodes)
{
	unsigned char block[4096] = "hsqs";

	block[4] = inodes;
	block[28] = 4;
	write_at(name, 0, block, sizeof(block));
}

static void make_ext2(const char *name)
{
	unsigned char block[8192] = { 0 };

	block[1024 + 56] = 0x53; /* s_magic, linux fs/ext2/ext2.h */
	block[1024 + 57] = 0xef;
	block[1024 + 76] = 1; /* s_rev_level */
	block[1024 + 88] = 128;
	write_at(name, 0, block, sizeof(block));
}

static void forget_images(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s && mkdir %s", directory, directory);
	if (system(command) != 0)
		exit(1);
}

/* ---- names and keys ---- */

static const char *name_of_key(const char *key)
{
	static char name[300];
	struct image image;
	int r = images_open(&handler.images, key, &image);

	if (r < 0)
		return r == -ENOENT ? "none" : strerror(-r);
	snprintf(name, sizeof(name), "%s", image.name);
	image_done(&image);
	return name;
}

static void test_keys(void)
{
	static const struct {
		const char *name, *key;
	} cases[] = {
		{ "a.iso", "a" },	    { "a.ISO", "a" },
		{ "a.Iso", NULL },	    { "a.b.img", "a.b" },
		{ "x.disk.img", "x" },	    { "x.DISK.IMG", "x" },
		{ "x.disk.IMG", "x.disk" }, { ".iso", NULL },
		{ ".a.iso", NULL },	    { "iso", NULL },
		{ "a.iso.part", NULL },	    { "a", NULL },
		{ "a.iso.iso", "a.iso" },   { "*.iso", "*" },
		{ "-n.iso", "-n" },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char *key = images_key_of_name(&handler.images, cases[i].name);

		is_str(key, cases[i].key, cases[i].name);
		free(key);
	}
}

static void test_opening(void)
{
	forget_images();
	is_str(name_of_key("a"), "none", "an empty directory");
	make_empty("a.img");
	make_empty("a.IMG");
	is_str(name_of_key("a"), "a.img", "lower case comes first");
	make_empty("a.ISO");
	is_str(name_of_key("a"), "a.ISO", "the first ending comes first");
	make_empty("a.iso");
	is_str(name_of_key("a"), "a.iso", "the best of all");
	make_empty("x.disk.img");
	is_str(name_of_key("x"), "x.disk.img", "the longest ending");
	is_str(name_of_key("x.disk"), "none", "and not a shorter one");
	mkdir(path_of("dir.iso"), 0755);
	is_str(name_of_key("dir"), "none", "a directory is no image");
	mkfifo(path_of("fifo.iso"), 0644);
	is_str(name_of_key("fifo"), "none", "nor is a FIFO");
	make_empty("dir.img");
	is_str(name_of_key("dir"), "dir.img", "what is no image does not stand before one");
	is_str(name_of_key(""), "none", "no key");
	is_str(name_of_key("."), "none", "a dot");
	is_str(name_of_key(".."), "none", "two dots");
	is_str(name_of_key("../a"), "none", "a way out");
	is_str(name_of_key("dir.iso/../a"), "none", "a way round");
	make_empty(".hidden.iso");
	is_str(name_of_key(".hidden"), "none", "a hidden file");
	{
		char key[400];

		memset(key, 'k', sizeof(key));
		key[251] = '\0';
		make_empty("k.iso");
		is_str(name_of_key(key), "none", "a long key");
		key[251] = 'k';
		key[399] = '\0';
		is_str(name_of_key(key), "none", "a key too long for any name");
	}
}

static void test_links(void)
{
	char outside[64];

	forget_images();
	snprintf(outside, sizeof(outside), "%s-outside", directory);
	close(open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	make_empty("real.iso");
	(void)!symlink("real.iso", path_of("within.iso"));
	(void)!symlink(outside, path_of("absolute.iso"));
	(void)!symlink("../test-image.none", path_of("dangling.iso"));
	{
		char up[80];

		snprintf(up, sizeof(up), "..%s", strrchr(outside, '/'));
		(void)!symlink(up, path_of("up.iso"));
	}
	(void)!symlink("loop.iso", path_of("loop.iso"));
	is_str(name_of_key("within"), "within.iso", "a link within the directory is followed");
	is_str(name_of_key("absolute"), "none", "an absolute one is not");
	is_str(name_of_key("up"), "none", "one that leads out is not");
	is_str(name_of_key("dangling"), "none", "one to nothing is none");
	is_str(name_of_key("loop"), "none", "one to itself is none");
	handler.images.follow_links = true;
	is_str(name_of_key("absolute"), "absolute.iso", "unless all are to be followed");
	is_str(name_of_key("up"), "up.iso", "(this one too)");
	is_str(name_of_key("loop"), "none", "(not this one)");
	handler.images.follow_links = false;
	unlink(outside);
}

static void test_all_keys(void)
{
	struct image_keys keys;

	forget_images();
	make_empty("b.iso");
	make_empty("a.img");
	make_empty("a.iso");
	make_empty("readme.txt");
	is_int(images_keys(&handler.images, IMAGES_MAX, &keys), 0, "all keys");
	is_int((long long)keys.n_keys, 2, "each once");
	is_str(keys.keys[0], "a", "sorted");
	is_str(keys.keys[1], "b", "to the end");
	is_int((long long)keys.n_clashes, 1, "a clash is counted");
	ok(!keys.incomplete, "and that was all");
	image_keys_done(&keys);
	is_int(images_keys(&handler.images, 2, &keys), 0, "at the limit");
	ok(keys.incomplete, "the rest is left, and it is said");
	image_keys_done(&keys);
}

/* ---- identity ---- */

static int probe_types(const char *name, char *const *allowed, struct image_identity *ret_identity)
{
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC), r;

	*ret_identity = (struct image_identity){ 0 };
	r = identity_probe(fd, allowed, ret_identity);
	close(fd);
	return r;
}

static int probe(const char *name, struct image_identity *ret_identity)
{
	return probe_types(name, types, ret_identity);
}

static void test_identity(void)
{
	char *const both[] = { (char[]){ "squashfs" }, (char[]){ "ext2" }, NULL };
	struct image_identity identity, other;

	forget_images();
	make_iso("a.iso", "DEBIAN 12");
	is_int(probe("a.iso", &identity), IDENTITY_FOUND, "ISO 9660 is known");
	is_str(identity.type, "iso9660", "its type");
	is_str(identity.label, "DEBIAN 12", "its label");
	ok(strncmp(identity.text, "iso9660 DEBIAN 12 2023-06-10-10-21-00-00 sum-", 45) == 0,
	   "its identity: type, label, UUID, checksum");
	ok(strlen(identity.text) > 18 && str_equal(strrchr(identity.text, '-'), "-36864"),
	   "and its size");
	image_identity_done(&identity);
	make_squashfs("a.squashfs", 1);
	make_squashfs("b.squashfs", 2);
	is_int(probe("a.squashfs", &identity), IDENTITY_FOUND, "squashfs is known");
	is_int(probe("b.squashfs", &other), IDENTITY_FOUND, "another one is, too");
	ok(strncmp(identity.text, "squashfs - sum-", 15) == 0, "its identity is a checksum");
	ok(strcmp(identity.text, other.text) != 0, "of their own");
	image_identity_done(&identity);
	image_identity_done(&other);
	make_ext2("a.img");
	is_int(probe("a.img", &identity), IDENTITY_FORBIDDEN, "ext2 is not allowed here");
	is_str(identity.type, "ext2", "but is called by its name");
	image_identity_done(&identity);
	make_empty("empty.img");
	is_int(probe("empty.img", &identity), IDENTITY_NOTHING, "an empty file holds nothing");
	write_at("garbage.img", 0, "garbage", 7);
	is_int(probe("garbage.img", &identity), IDENTITY_NOTHING, "nor does garbage");
	make_ext2("both.img");
	write_at("both.img", 0, "hsqs\1", 5);
	write_at("both.img", 28, "\4", 1);
	write_at("both.img", 2 << 20, "", 1); /* libblkid is less careful with floppies */
	is_int(probe_types("both.img", both, &identity), IDENTITY_UNCLEAR,
	       "two file systems at once are refused");
	is_int(probe("both.img", &identity), IDENTITY_FOUND, "unless only one is allowed");
	is_str(identity.type, "squashfs", "which is what it is mounted as");
	image_identity_done(&identity);
}

/* Do two images, made alike, have one identity? @change: a byte there differs; -1: none */
static bool are_one(off_t change, off_t size_a, off_t size_b)
{
	struct image_identity a, b;
	bool same;

	forget_images();
	make_iso("a.iso", "SAME");
	make_iso("b.iso", "SAME");
	if (change >= 0)
		write_at("b.iso", change, "x", 1);
	(void)!truncate(path_of("a.iso"), size_a);
	(void)!truncate(path_of("b.iso"), size_b);
	if (probe("a.iso", &a) != IDENTITY_FOUND || probe("b.iso", &b) != IDENTITY_FOUND)
		return false;
	same = str_equal(a.text, b.text);
	image_identity_done(&a);
	image_identity_done(&b);
	return same;
}

static void test_likeness(void)
{
	enum { SMALL = 36864, LARGE = 64 << 20 };

	ok(are_one(-1, SMALL, SMALL), "a copy has the same identity");
	ok(!are_one(SMALL - 1, SMALL, SMALL), "one byte of a small image makes another one");
	ok(!are_one(-1, SMALL, SMALL + 2048), "so does its size");
	ok(are_one(-1, SMALL, SMALL + 100), "but for half a sector, which no loop device has");
	ok(!are_one(1 << 20, LARGE, LARGE), "in a large one, what a sample meets does");
	ok(are_one(-1, LARGE, LARGE), "a copy of a large one has the same, too");
}

/* ---- verbs ---- */

struct answer {
	int fd;
	char input[PROTO_MESSAGE_MAX];
	size_t n_input, n_used;
	struct proto_message message;
};

static struct answer answer;

static void answer_reset(int fd)
{
	proto_message_done(&answer.message);
	closep(&answer.fd);
	answer.fd = fd;
	answer.n_input = answer.n_used = 0;
}

/* The next message's word, "END", or "" after a while. */
static const char *hear(int msec)
{
	struct pollfd wait = { .fd = answer.fd, .events = POLLIN };
	const char *why;
	ssize_t n;

	proto_message_done(&answer.message);
	answer.n_input -= answer.n_used;
	memmove(answer.input, answer.input + answer.n_used, answer.n_input);
	answer.n_used = 0;
	while (proto_parse(answer.input, answer.n_input, &answer.message, &answer.n_used, &why) !=
	       0) {
		if (poll(&wait, 1, msec) <= 0)
			return "";
		n = recv(answer.fd, answer.input + answer.n_input,
			 sizeof(answer.input) - answer.n_input, 0);
		if (n <= 0)
			return "END";
		answer.n_input += (size_t)n;
	}
	return answer.message.word;
}

static const char *said(const char *key)
{
	return proto_get(&answer.message, key);
}

/* Run an operation here; the outcome's word is returned, entries and progress passed over. */
static const char *outcome(kit_operation operation, const char *key, const char *path)
{
	struct proto_field fields[] = { { "key", key }, { "path", path } };
	struct proto_message asked = { .word = "x", .fields = fields, .n_fields = path ? 2 : 1 };
	const char *word;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		exit(1);
	kit_request_run(operation, &handler, &asked, pair[1]);
	close(pair[1]);
	answer_reset(pair[0]);
	do
		word = hear(1000);
	while (str_equal(word, "progress"));
	return word;
}

static const char iso_identity[] = "iso9660 LABEL 2023-06-10-10-21-00-00 sum-";

static void test_mount(void)
{
	static const char *const bad_paths[] = { "mnt/a",    "/mnt/b",	"/mnt/a/", "/mnt/../a",
						 "/mnt/./a", "/mnt//a", "/a/..",   "",
						 "/",	     "/mnt/aa", "a" };

	forget_images();
	make_iso("a.iso", "LABEL");
	loop.place = LOOP_FREE;
	is_str(outcome(image_operations.mount, "a", "/mnt/a"), "ok", "mount");
	is_str(said("source"), "/dev/loop9", "its source");
	ok(strncmp(said("identity"), iso_identity, strlen(iso_identity)) == 0, "its identity");
	is_str(said("label"), "LABEL", "its label");
	is_str(said("size-bytes"), "36864", "its size");
	is_str(loop.type, "iso9660", "the type found is the type mounted");
	is_str(loop.options, "nosymfollow", "with the options given");
	is_str(loop.path, "/mnt/a", "at the path");
	loop.place = LOOP_TAKEN;
	strcpy(loop.device_file, path_of("a.iso"));
	is_str(outcome(image_operations.mount, "a", "/mnt/a"), "ok", "mount once more");
	is_str(said("source"), loop.device_file, "is answered alike");
	is_int(loop.n_mounts, 1, "and mounts nothing");
	make_iso("old.iso", "OLD");
	strcpy(loop.device_file, path_of("old.iso"));
	is_str(outcome(image_operations.mount, "a", "/mnt/a"), "ok", "another image is there");
	ok(strncmp(said("identity"), "iso9660 OLD ", 12) == 0,
	   "it is that one, as its identity says");
	is_str(outcome(image_operations.mount, "gone", "/mnt/gone"), "ok", "its file may be gone");
	loop.place = LOOP_OTHER;
	is_str(outcome(image_operations.mount, "a", "/mnt/a"), "error", "something else is there");
	loop.place = -ELOOP;
	is_str(outcome(image_operations.mount, "a", "/mnt/a"), "error", "the path is a link");
	is_str(said("errno"), "ELOOP", "that is ELOOP");
	loop.place = LOOP_FREE;
	for (size_t i = 0; i < N_ELEMENTS(bad_paths); i++) {
		is_str(outcome(image_operations.mount, "a", bad_paths[i]), "error", bad_paths[i]);
		is_str(said("errno"), "EINVAL", "that path is EINVAL");
	}
	is_int(loop.n_mounts, 1, "none of these came near a mount");
	is_str(outcome(image_operations.mount, "none", "/mnt/none"), "noent", "no such image");
	is_str(outcome(image_operations.mount, "../a", "/mnt/../a"), "error", "a way out");
	loop.mount = -EUCLEAN;
	is_str(outcome(image_operations.mount, "a", "/mnt/a"), "error", "a broken image");
	is_str(said("errno"), "EUCLEAN", "its errno");
	is_str(said("message"), "a.iso: wrong fs type", "libmount's words");
	loop.mount = 0;
}

static void test_mount_refused(void)
{
	unsigned int n_mounts = loop.n_mounts;
	int writer;

	make_ext2("ext.img");
	is_str(outcome(image_operations.mount, "ext", "/mnt/ext"), "error", "a type not allowed");
	is_str(said("errno"), "EMEDIUMTYPE", "its errno");
	is_str(said("message"),
	       "ext.img holds ext2, which is not among the allowed types (--types)",
	       "and what to change");
	make_empty("empty.img");
	is_str(outcome(image_operations.mount, "empty", "/mnt/empty"), "error", "an empty image");
	is_str(said("errno"), "EMEDIUMTYPE", "its errno");
	writer = open(path_of("a.iso"), O_WRONLY | O_CLOEXEC);
	is_str(outcome(image_operations.mount, "a", "/mnt/a"), "busy",
	       "an image that is being written");
	is_str(said("message"), "a.iso is still being written", "and why");
	close(writer);
	is_int(loop.n_mounts, n_mounts, "nothing was mounted");
	is_str(outcome(image_operations.mount, "a", "/mnt/a"), "ok",
	       "once it is written, it is mounted");
	handler.images.directory = path_of("nowhere");
	is_str(outcome(image_operations.mount, "a", "/mnt/a"), "error",
	       "a directory that is not there is no reason for a no");
	is_str(said("errno"), "ENOENT", "but an error");
	is_str(outcome(image_operations.list, "", NULL), "error", "as it is for list");
	handler.images.directory = directory;
}

static void test_unmount(void)
{
	loop.place = LOOP_TAKEN;
	is_str(outcome(image_operations.unmount, "a", "/mnt/a"), "ok", "unmount");
	is_int(loop.n_unmounts, 1, "is done");
	loop.unmount = -EBUSY;
	is_str(outcome(image_operations.unmount, "a", "/mnt/a"), "busy", "what is in use is busy");
	loop.place = LOOP_FREE;
	is_str(outcome(image_operations.unmount, "a", "/mnt/a"), "ok",
	       "what is not mounted is fine");
	loop.place = -ENOENT;
	is_str(outcome(image_operations.unmount, "a", "/mnt/a"), "ok", "so is what is not there");
	loop.place = LOOP_OTHER;
	is_str(outcome(image_operations.unmount, "a", "/mnt/a"), "error", "what is not ours stays");
	is_int(loop.n_unmounts, 2, "none of these was touched");
	loop.place = LOOP_TAKEN;
	is_str(outcome(image_operations.unmount, "a", "/mnt/b"), "error", "a path for another key");
}

static void test_lookup(void)
{
	is_str(outcome(image_operations.lookup, "a", NULL), "ok", "lookup");
	ok(strncmp(said("identity"), iso_identity, strlen(iso_identity)) == 0,
	   "tells the identity");
	is_str(outcome(image_operations.lookup, "ext", NULL), "ok",
	       "what cannot be mounted exists all the same");
	is_str(said("identity"), NULL, "without identity");
	is_str(said("size-bytes"), "8192", "but with its size");
	is_str(outcome(image_operations.lookup, "none", NULL), "noent",
	       "what is not there does not exist");
}

/* list, and what the handler's process learns from it: the second list needs no probing. */
static void test_list(void)
{
	struct stat st;

	forget_images();
	make_iso("a.iso", "FIRST");
	make_empty("b.iso");
	is_str(outcome(image_operations.list, "", NULL), "medium", "list: an entry");
	is_str(said("key"), "a", "its key");
	is_str(said("label"), "FIRST", "its label");
	is_str(said("size-bytes"), "36864", "its size");
	image_operations.listed(&handler, &answer.message);
	is_str(hear(1000), "medium", "list: another entry");
	is_str(said("key"), "b", "its key");
	is_str(said("identity"), NULL, "which has no identity");
	image_operations.listed(&handler, &answer.message);
	is_str(hear(1000), "ok", "the list ends");

	stat(path_of("a.iso"), &st);
	make_iso("a.iso", "OTHER");
	utimensat(AT_FDCWD, path_of("a.iso"), (struct timespec[]){ st.st_mtim, st.st_mtim }, 0);
	outcome(image_operations.list, "", NULL);
	is_str(said("label"), "FIRST", "with size and time as before, it is what is remembered");
	make_iso("a.iso", "OTHER");
	outcome(image_operations.list, "", NULL);
	is_str(said("label"), "OTHER", "with another time, it is looked at again");
	image_operations.listed(&handler, &answer.message);
	outcome(image_operations.list, "", NULL);
	is_str(said("label"), "OTHER", "and remembered");
	image_handler_done(&handler);
}

static void expect(const char *word, const char *key, const char *what)
{
	is_str(hear(5000), word, what);
	is_str(said("key"), key, "its key");
}

static void test_watch(void)
{
	struct proto_message asked = { .word = "watch" };
	char moved[64];
	int pair[2], fd;
	pid_t pid;

	snprintf(moved, sizeof(moved), "%s-moved", directory);
	forget_images();
	make_iso("old.iso", "OLD");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		kit_request_run(image_operations.watch, &handler, &asked, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	answer_reset(pair[0]);
	is_str(hear(5000), "progress", "watch: in force");

	fd = open(path_of("new.iso"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	(void)!ftruncate(fd, 5);
	is_str(hear(100), "", "a file that is being written is not there yet");
	close(fd);
	expect("appeared", "new", "it appears when it is closed");
	is_str(said("size-bytes"), "5", "with its size then");
	make_iso("half.part", "HALF");
	is_str(hear(100), "", "what is no image's name is nothing");
	(void)!rename(path_of("half.part"), path_of("half.iso"));
	expect("appeared", "half", "it appears when it is renamed");
	is_str(said("label"), "HALF", "with its label");
	make_iso("half.iso.part", "WHOLE");
	(void)!rename(path_of("half.iso.part"), path_of("half.iso"));
	expect("changed", "half", "another file in its place is a change");
	is_str(said("label"), "WHOLE", "with the new label");
	(void)!link(path_of("half.iso"), path_of("link.iso"));
	expect("appeared", "link", "a hard link appears");
	(void)!symlink("half.iso", path_of("symlink.iso"));
	expect("appeared", "symlink", "a symbolic link appears");
	make_iso("half.img.part", "SECOND");
	(void)!rename(path_of("half.img.part"), path_of("half.img"));
	expect("changed", "half", "a second file of its key");
	unlink(path_of("half.iso"));
	expect("changed", "half", "the first goes, the second counts");
	is_str(said("label"), "SECOND", "that one");
	unlink(path_of("half.img"));
	expect("vanished", "half", "the last goes");
	(void)!rename(path_of("old.iso"), path_of("old.txt"));
	expect("vanished", "old", "one that was there before goes");
	unlink(path_of("new.iso"));
	expect("vanished", "new", "another one");
	(void)!rename(directory, moved);
	is_str(hear(5000), "error", "the directory goes: the watch ends");
	is_str(said("errno"), "ENOENT", "and says why");
	(void)!rename(moved, directory);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	char command[64];

	alarm(60);
	answer.fd = -1;
	if (!mkdtemp(directory))
		return 1;
	handler.images.directory = directory;
	test_keys();
	test_opening();
	test_links();
	test_all_keys();
	test_identity();
	test_likeness();
	test_mount();
	test_mount_refused();
	test_unmount();
	test_lookup();
	test_list();
	test_watch();
	answer_reset(-1);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) | tap_done();
}
