/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.c - what sysfs tells of a block device.
 *
 * /sys/dev/block/MAJOR:MINOR is a link to the device's directory; it goes with the device (linux
 * drivers/base/core.c device_del()), however long something stays mounted. What counts for a
 * partition counts for its disk, the directory above. A device that lies on others (device-mapper,
 * md) names them in "slaves"; a link there to one that is gone leads nowhere.
 */

#include "exportsd/fs/device.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

/* Stacked so deep a device is not looked through: it is there. */
enum { DEPTH_MAX = 8, SLAVES_MAX = 64 };

static int open_directory(int directory, const char *path)
{
	int fd = openat(directory, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static bool is_there(int directory, const char *path)
{
	return faccessat(directory, path, F_OK, 0) == 0;
}

/* Attributes are short. Returns 0; -errno. */
static int read_text(int directory, const char *path, char *text, size_t size)
{
	CLEANUP(closep) int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

/* ---- one device ---- */

/*
 * linux drivers/scsi/scsi_sysfs.c sdev_states, drivers/nvme/host/sysfs.c nvme_sysfs_show_state().
 * All of these fail all that is read. No way leads back from being deleted
 * (scsi_device_set_state(), nvme_change_ctrl_state()).
 */
static enum device_state driver_state(int disk)
{
	static const struct {
		const char *name;
		enum device_state state;
	} states[] = {
		{ "offline", DEVICE_OFFLINE }, { "transport-offline", DEVICE_OFFLINE },
		{ "cancel", DEVICE_GONE },     { "deleted", DEVICE_GONE },
		{ "dead", DEVICE_GONE },
	};
	char name[32];

	if (read_text(disk, "device/state", name, sizeof(name)) < 0)
		return DEVICE_THERE;
	for (size_t i = 0; i < N_ELEMENTS(states); i++)
		if (str_equal(name, states[i].name))
			return states[i].state;
	return DEVICE_THERE;
}

/*
 * linux Documentation/block/stat.rst: the first field counts reads, the fifth writes, those that
 * failed, too.
 */
static void read_signs(int disk, struct device_facts *facts)
{
	unsigned long long reads, writes;
	char text[256];

	if (read_text(disk, "device/ioerr_cnt", text, sizeof(text)) == 0) {
		facts->signs += strtoull(text, NULL, 0);
		return;
	}
	/* Device-mapper does not count what it refuses (drivers/md/dm.c __map_bio()). */
	if (is_there(disk, "dm") || read_text(disk, "stat", text, sizeof(text)) < 0 ||
	    sscanf(text, "%llu %*u %*u %*u %llu", &reads, &writes) != 2)
		facts->has_signs = false;
	else
		facts->signs += reads + writes;
}

static void look_at(int directory, unsigned int depth, struct device_facts *facts);

/* Returns how many devices it lies on; *ret_n_dead of them are gone or given up. */
static unsigned int look_beneath(int disk, unsigned int depth, struct device_facts *facts,
				 unsigned int *ret_n_dead)
{
	int fd = openat(disk, "slaves", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *slaves = fd < 0 ? NULL : fdopendir(fd);
	unsigned int n = 0, n_dead = 0;
	struct dirent *entry;

	if (!slaves) {
		closep(&fd);
		return 0;
	}
	while (n < SLAVES_MAX && (entry = readdir(slaves))) {
		struct device_facts beneath = { .state = DEVICE_THERE, .has_signs = true };
		CLEANUP(closep) int slave = -1;

		if (entry->d_name[0] == '.')
			continue;
		n++;
		slave = open_directory(dirfd(slaves), entry->d_name);
		if (slave >= 0)
			look_at(slave, depth + 1, &beneath);
		n_dead += slave == -ENOENT || beneath.state != DEVICE_THERE;
		facts->signs += beneath.signs;
		facts->has_signs &= beneath.has_signs;
	}
	(void)closedir(slaves);
	*ret_n_dead = n_dead;
	return n;
}

static void look_at(int directory, unsigned int depth, struct device_facts *facts)
{
	bool is_partition = is_there(directory, "partition");
	CLEANUP(closep) int disk = open_directory(directory, is_partition ? ".." : ".");
	unsigned int n, n_dead = 0;

	if (disk < 0 || depth > DEPTH_MAX) {
		facts->has_signs = false;
		return;
	}
	n = look_beneath(disk, depth, facts, &n_dead);
	if (n == 0)
		read_signs(disk, facts);
	/* A mirror lives as long as one of its halves. */
	facts->state = n > 0 && n_dead == n ? DEVICE_OFFLINE : driver_state(disk);
}

/* ---- by number ---- */

static void read_name(int sysfs, const char *link, char *name, size_t size)
{
	char target[512];
	ssize_t n = readlinkat(sysfs, link, target, sizeof(target) - 1);
	const char *slash;

	if (n <= 0)
		return;
	target[n] = '\0';
	slash = strrchr(target, '/');
	(void)snprintf(name, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
}

struct device_facts device_look(int sysfs, dev_t device)
{
	struct device_facts facts = { .state = DEVICE_NONE };
	CLEANUP(closep) int directory = -1;
	char link[64];

	if (sysfs < 0 || major(device) == 0)
		return facts;
	(void)snprintf(link, sizeof(link), "dev/block/%u:%u", major(device), minor(device));
	directory = open_directory(sysfs, link);
	if (directory == -ENOENT && is_there(sysfs, "dev/block"))
		facts.state = DEVICE_GONE;
	if (directory < 0)
		return facts;
	facts.state = DEVICE_THERE;
	facts.has_signs = true;
	read_name(sysfs, link, facts.name, sizeof(facts.name));
	look_at(directory, 0, &facts);
	return facts;
}

/* ---- asking ---- */

int device_ask(struct worker *worker, dev_t device, uint64_t timeout_usec, worker_done_fn done,
	       void *userdata, struct pending **ret_question)
{
	struct proto_writer message = { 0 };
	int r;

	proto_begin(&message, "read");
	proto_put_u64(&message, "device", device);
	r = worker_ask(worker, &message, timeout_usec, done, userdata, ret_question);
	proto_writer_done(&message);
	return r;
}

int device_answer(int error, const struct proto_message *answer)
{
	uint64_t number;

	if (error < 0 || proto_get_u64(answer, "failed", 4095, &number) < 0)
		return -EAGAIN;
	return -(int)number;
}
