/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_serve.c - read from a block device, in a process that may have to wait for it.
 */

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "exportsd/fs/device.h"

/* A block of any disk, and what O_DIRECT wants to be a multiple of. */
enum { BLOCK = 4096, PLACES = 4 };

/* An image may lie on a disk that is a loop device, too. */
enum { LOOPS_MAX = 4 };

/*
 * What errno says of the device: an -errno of its own; or -EAGAIN, that it could not be asked.
 * ENODEV says that it is offline (linux block/blk-core.c blk_errors), and that may pass: that it is
 * gone only sysfs tells.
 */
static int error_of_device(void)
{
	switch (errno) {
	case EINTR:
	case EINVAL:
	case ENOMEM:
	case EOPNOTSUPP: return -EAGAIN;
	case ENODEV: return -ENXIO;
	default: return -errno;
	}
}

int device_read(int fd, uint64_t size)
{
	static char buffer[BLOCK] __attribute__((aligned(BLOCK)));
	uint64_t last = size > BLOCK ? (size - BLOCK) / BLOCK : 0;
	int r = -EAGAIN;

	if (size == 0)
		return -ENOMEDIUM;
	for (uint64_t i = 0; i < PLACES; i++) {
		ssize_t n = pread(fd, buffer, BLOCK, (off_t)(last * i / (PLACES - 1) * BLOCK));

		if (n >= 0)
			return 0;
		r = error_of_device();
		if (r == -EAGAIN)
			break;
	}
	return r;
}

/*
 * Its node, as the kernel names it (devtmpfs). Returns a descriptor; -EAGAIN: no such node; -errno
 * of the device.
 */
static int open_node(int sysfs, dev_t device)
{
	char path[64], text[512], node[sizeof(text) + sizeof("/dev/")];
	CLEANUP(closep) int uevent = -1, fd = -1;
	const char *name;
	struct stat facts;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "dev/block/%u:%u/uevent", major(device), minor(device));
	uevent = openat(sysfs, path, O_RDONLY | O_CLOEXEC);
	n = uevent < 0 ? -1 : read(uevent, text, sizeof(text) - 1);
	if (n < 0)
		return -EAGAIN;
	text[n] = '\0';
	name = strstr(text, "DEVNAME=");
	if (!name)
		return -EAGAIN;
	name += strlen("DEVNAME=");
	(void)snprintf(node, sizeof(node), "/dev/%.*s", (int)strcspn(name, "\n"), name);
	/* O_NONBLOCK: a drive's tray stays as it is (linux drivers/cdrom/cdrom.c cdrom_open()). */
	fd = open(node, O_RDONLY | O_DIRECT | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENXIO || errno == ENODEV || errno == ENOMEDIUM || errno == EIO
			       ? error_of_device()
			       : -EAGAIN;
	if (fstat(fd, &facts) < 0 || !S_ISBLK(facts.st_mode) || facts.st_rdev != device)
		return -EAGAIN;
	return TAKE_FD(fd);
}

static int try(int sysfs, dev_t device, unsigned int depth);

/* What lies in a file is cached with the file: the disk that the file is on is what may be gone. */
static int try_beneath(int sysfs, int fd, dev_t device, unsigned int depth)
{
	struct loop_info64 info;
	dev_t beneath;
	int r;

	if (major(device) != LOOP_MAJOR || depth >= LOOPS_MAX ||
	    ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return 0;
	/*
	 * As the kernel writes device numbers (huge_encode_dev()), and glibc the low 32 bits of
	 * them.
	 */
	beneath = (dev_t)info.lo_device;
	if (beneath == device || major(beneath) == 0)
		return 0;
	r = try(sysfs, beneath, depth + 1);
	return r == -EAGAIN ? 0 : r;
}

static int try(int sysfs, dev_t device, unsigned int depth)
{
	struct device_facts facts = device_look(sysfs, device);
	CLEANUP(closep) int fd = -1;
	uint64_t size;
	int r;

	switch (facts.state) {
	case DEVICE_NONE: return -EAGAIN;
	case DEVICE_GONE: return -ENODEV;
	case DEVICE_OFFLINE: return -ENXIO;
	case DEVICE_THERE: break;
	}
	fd = open_node(sysfs, device);
	if (fd < 0)
		return fd;
	r = try_beneath(sysfs, fd, device, depth);
	if (r < 0)
		return r;
	if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		return -EAGAIN;
	return device_read(fd, size);
}

void device_serve(const struct proto_message *question, struct proto_writer *answer)
{
	CLEANUP(closep) int sysfs = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t device;
	int r = proto_get_u64(question, "device", UINT64_MAX, &device);

	if (r < 0) {
		worker_fail(answer, -EINVAL, NULL);
		return;
	}
	r = try(sysfs, (dev_t)device, 0);
	if (r == -EAGAIN) {
		worker_fail(answer, r, NULL);
		return;
	}
	proto_begin(answer, "ok");
	proto_put_u64(answer, "failed", (uint64_t)-r);
}
