/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Block devices, in a directory that looks as /sys does.
 */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "exportsd/fs/device.h"
#include "tests/tap.h"

static char top[] = "/tmp/test-device.XXXXXX";
static int sysfs;

/* ---- a fake /sys ---- */

/* Directories on the way are made. */
static char *at(const char *path)
{
	static char whole[512];

	snprintf(whole, sizeof(whole), "%s/%s", top, path);
	for (char *slash = strchr(whole + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(whole, 0755);
		*slash = '/';
	}
	return whole;
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(at(path), "we");

	fprintf(file, "%s\n", text);
	fclose(file);
}

static void put_link(const char *path, const char *target)
{
	if (symlink(target, at(path)) < 0)
		perror(path);
}

static void take(const char *path)
{
	if (remove(at(path)) < 0)
		perror(path);
}

static struct device_facts look(unsigned int major_number, unsigned int minor_number)
{
	return device_look(sysfs, makedev(major_number, minor_number));
}

static void make_devices(void)
{
	/* A SCSI disk with a partition, as linux shows it. */
	put("devices/a/block/sda/stat", "67 0 530 823 25 29 2422 377 0 1090 1358 0 0 0 0 5 157");
	put("devices/a/block/sda/size", "16384");
	put("devices/a/state", "running");
	put("devices/a/ioerr_cnt", "0x2");
	put_link("devices/a/block/sda/device", "../../../a");
	put("devices/a/block/sda/sda1/partition", "1");
	put("devices/a/block/sda/sda1/stat", "1 0 8 0 0 0 0 0");
	put_link("dev/block/8:0", "../../devices/a/block/sda");
	put_link("dev/block/8:1", "../../devices/a/block/sda/sda1");
	/* Another one. */
	put("devices/b/block/sdb/stat", "1 0 8 0 0 0 0 0");
	put("devices/b/state", "running");
	put("devices/b/ioerr_cnt", "0x10");
	put_link("devices/b/block/sdb/device", "../../../b");
	put_link("dev/block/8:16", "../../devices/b/block/sdb");
	/* A loop device. */
	put("devices/virtual/block/loop0/stat", "  100  0 8 0   20 0 0 0");
	put_link("dev/block/7:0", "../../devices/virtual/block/loop0");
	/* A device-mapper device on the two disks, one of them a partition; and one that lies on nothing. */
	put("devices/virtual/block/dm-0/dm/name", "both");
	put("devices/virtual/block/dm-0/stat", "1 0 8 0 0 0 0 0");
	put_link("devices/virtual/block/dm-0/slaves/sda1", "../../../../a/block/sda/sda1");
	put_link("devices/virtual/block/dm-0/slaves/sdb", "../../../../b/block/sdb");
	put_link("dev/block/254:0", "../../devices/virtual/block/dm-0");
	put("devices/virtual/block/dm-1/dm/name", "error");
	put("devices/virtual/block/dm-1/stat", "1 0 8 0 0 0 0 0");
	put("devices/virtual/block/dm-1/slaves/.keep", "");
	put_link("dev/block/254:1", "../../devices/virtual/block/dm-1");
}

/* ---- tests ---- */

static void test_there(void)
{
	struct device_facts facts = look(8, 0);

	is_int(facts.state, DEVICE_THERE, "a disk is there");
	is_str(facts.name, "sda", "it has a name");
	ok(facts.has_signs, "it counts");
	is_int((long)facts.signs, 2, "its errors");
	facts = look(8, 1);
	is_int(facts.state, DEVICE_THERE, "a partition is there");
	is_str(facts.name, "sda1", "it has a name");
	is_int((long)facts.signs, 2, "and its disk's errors");
	facts = look(7, 0);
	is_int(facts.state, DEVICE_THERE, "a loop device is there");
	is_int((long)facts.signs, 120, "it counts what was read and written");
	is_int(look(0, 42).state, DEVICE_NONE, "a file system without a device");
	is_int(device_look(-1, makedev(8, 0)).state, DEVICE_NONE, "no /sys, no knowledge");
}

static void set_state(const char *state, enum device_state wanted)
{
	char what[64];

	put("devices/a/state", state);
	snprintf(what, sizeof(what), "a disk that is \"%s\"", state);
	is_int(look(8, 0).state, wanted, what);
}

static void test_state(void)
{
	set_state("offline", DEVICE_OFFLINE);
	is_int(look(8, 1).state, DEVICE_OFFLINE, "so is its partition");
	set_state("transport-offline", DEVICE_OFFLINE);
	set_state("cancel", DEVICE_GONE);
	is_int(look(8, 1).state, DEVICE_GONE, "so is its partition");
	set_state("deleted", DEVICE_GONE);
	set_state("dead", DEVICE_GONE);
	set_state("blocked", DEVICE_THERE);
	set_state("quiesce", DEVICE_THERE);
	set_state("live", DEVICE_THERE);
	set_state("", DEVICE_THERE);
	set_state("running", DEVICE_THERE);
}

static void test_stacked(void)
{
	struct device_facts facts = look(254, 0);

	is_int(facts.state, DEVICE_THERE, "a device on two others");
	is_int((long)facts.signs, 18, "counts the errors of both");
	ok(facts.has_signs, "all of them");
	put("devices/a/state", "deleted");
	is_int(look(254, 0).state, DEVICE_THERE, "one of them is being deleted: it is still there");
	put("devices/a/state", "offline");
	is_int(look(254, 0).state, DEVICE_THERE, "one of them is offline: it is still there");
	take("devices/b/block/sdb/stat");
	take("devices/b/block/sdb/device");
	take("devices/b/block/sdb");
	is_int(look(254, 0).state, DEVICE_OFFLINE, "and the other one gone: it is of no use");
	put("devices/a/state", "deleted");
	is_int(look(254, 0).state, DEVICE_OFFLINE, "the other one being deleted, too");
	put("devices/a/state", "running");
	is_int(look(254, 0).state, DEVICE_THERE, "one is back");
	facts = look(254, 1);
	is_int(facts.state, DEVICE_THERE, "a device on nothing");
	ok(!facts.has_signs, "does not count what it refuses");
}

/* A tree that leads round and round is no tree of devices. */
static void test_round(void)
{
	put("devices/virtual/block/md0/stat", "1 0 8 0 0 0 0 0");
	put_link("devices/virtual/block/md0/slaves/md0", "..");
	put_link("dev/block/9:0", "../../devices/virtual/block/md0");
	is_int(look(9, 0).state, DEVICE_THERE, "a device that lies on itself is there");
	ok(!look(9, 0).has_signs, "and anything may happen to it");
}

static void test_gone(void)
{
	struct device_facts facts;
	char hidden[64];

	take("dev/block/8:1");
	facts = look(8, 1);
	is_int(facts.state, DEVICE_GONE, "a partition is gone");
	is_str(facts.name, "", "nobody knows its name");
	is_int(look(8, 0).state, DEVICE_THERE, "its disk is not");
	is_int(look(8, 16).state, DEVICE_GONE, "a link that leads nowhere: gone");
	snprintf(hidden, sizeof(hidden), "%s/hidden", top);
	rename(at("dev/block"), hidden);
	is_int(look(8, 0).state, DEVICE_NONE, "no list of devices: nobody knows");
}

static void test_read(void)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/image", top);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ok(ftruncate(fd, 100000) == 0, "an image");
	is_int(device_read(fd, 100000), 0, "it can be read");
	is_int(device_read(fd, 1), 0, "however short it is");
	is_int(device_read(fd, 0), -ENOMEDIUM, "no size: no medium");
	close(fd);
	/* Of a process's memory nothing can be read where nothing is. */
	fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	is_int(device_read(fd, 100000), -EIO, "every place fails: it cannot be read");
	/* The last of four places is there: the stack, and as much before it as makes three others fail. */
	is_int(device_read(fd, ((uint64_t)(uintptr_t)&path & ~UINT64_C(4095)) + 4096), 0,
	       "one place is enough");
	close(fd);
	fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(device_read(fd, 100000) < 0, "a directory is not read");
	close(fd);
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ok(device_read(fd, 100000) < 0, "nor what is not open for it");
	close(fd);
}

/* What a process says of a device. */
static int serve(uint64_t device, int *ret_answer)
{
	struct proto_message question, answer;
	struct proto_writer asked = { 0 }, answered = { 0 };
	const char *why;
	size_t n_used;
	int r;

	proto_begin(&asked, "read");
	proto_put_u64(&asked, "device", device);
	proto_end(&asked);
	if (proto_parse(asked.bytes, asked.n_bytes, &question, &n_used, &why) != 0)
		abort();
	device_serve(&question, &answered);
	proto_end(&answered);
	if (proto_parse(answered.bytes, answered.n_bytes, &answer, &n_used, &why) != 0)
		abort();
	r = str_equal(answer.word, "ok") ? 0 : -1;
	*ret_answer = device_answer(r ? -EAGAIN : 0, r ? NULL : &answer);
	proto_message_done(&question);
	proto_message_done(&answer);
	proto_writer_done(&asked);
	proto_writer_done(&answered);
	return r;
}

static void test_serve(void)
{
	int answer;

	is_int(serve(makedev(0, 42), &answer), -1,
	       "a file system without a device cannot be tried");
	is_int(answer, -EAGAIN, "nobody knows");
	is_int(device_answer(-ETIMEDOUT, NULL), -EAGAIN, "nor of one that does not answer");
	if (access("/sys/dev/block", F_OK) < 0)
		return; /* what is there could not be told from what is not */
	is_int(serve(makedev(4095, 1048575), &answer), 0, "a device that does not exist");
	is_int(answer, -ENODEV, "cannot be read");
}

static void clean(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	char inner[1024];

	while (directory && (entry = readdir(directory))) {
		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR)
			clean(inner);
		else
			unlink(inner);
	}
	closedir(directory);
	rmdir(path);
}

int main(void)
{
	if (!mkdtemp(top))
		return 1;
	make_devices();
	sysfs = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	test_there();
	test_state();
	test_stacked();
	test_round();
	test_gone();
	test_read();
	test_serve();
	close(sysfs);
	clean(top);
	return tap_done();
}
