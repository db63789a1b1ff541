/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loop.c - loop devices by ioctl (loop(4)), mounting by libmount.
 *
 * libmount can attach loop devices too, but only by the image's name, which may by then be another
 * file.
 */

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "handlers/image/loop.h"
#include "parser/text.h"

enum {
	ATTACH_TRIES = 64, /* another process may take the free device before us */
	DEVICE_NAME_MAX = 32,
};

static const char enforced_options[] = "ro,nosuid,nodev";

/* A read-only mount must not need to write first: journals stay as they are. */
static const struct {
	const char *type;
	const char *options;
} options_of_types[] = {
	{ "vfat", "nfs=nostale_ro" }, /* else a file's handle is good only while it is in memory */
	{ "msdos", "nfs=nostale_ro" }, { "ext3", "noload" },
	{ "ext4", "noload" },	       { "xfs", "norecovery,nouuid" },
};

/* ---- looking ---- */

static int stat_mount(int fd, const char *path, struct statx *ret_statx)
{
	if (statx(fd, path, AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, ret_statx) < 0)
		return -errno;
	return 0;
}

/* "/dev/loop3" of a device number: the minor is not the name's number if partitions are in use. */
static int name_of_device(uint32_t major, uint32_t minor, char *name, size_t size)
{
	char link[64], target[256];
	const char *last;
	ssize_t n;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major, minor);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	last = strrchr(target, '/');
	n = snprintf(name, size, "/dev/%s", last ? last + 1 : target);
	return (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static int describe_loop(const struct statx *stx, char **ret_device)
{
	CLEANUP(closep) int fd = -1;
	struct loop_info64 info;
	char name[DEVICE_NAME_MAX];
	char *device;
	int r;

	r = name_of_device(stx->stx_dev_major, stx->stx_dev_minor, name, sizeof(name));
	if (r < 0)
		return r;
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return -errno;
	device = strdup(name);
	if (!device)
		return -ENOMEM;
	*ret_device = device;
	return LOOP_TAKEN;
}

int loop_look(const char *path, char **ret_device)
{
	CLEANUP(closep) int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx here, above;
	int r;

	if (fd < 0)
		return -errno;
	r = stat_mount(fd, "", &here);
	if (r == 0)
		r = stat_mount(fd, "..", &above);
	if (r < 0)
		return r;
	if (!(here.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return LOOP_FREE;
	if (here.stx_dev_major == LOOP_MAJOR &&
	    (above.stx_dev_major != LOOP_MAJOR || above.stx_dev_minor != here.stx_dev_minor))
		return describe_loop(&here, ret_device);
	if (here.stx_dev_major == above.stx_dev_major && here.stx_dev_minor == above.stx_dev_minor)
		return LOOP_FREE;
	return LOOP_OTHER;
}

/* ---- mounting ---- */

/* Returns the open device, which must stay open until it is mounted; -errno. */
static int attach(int image_fd, const char *name, char *device, size_t size)
{
	CLEANUP(closep) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config config = {
		.fd = (uint32_t)image_fd,
		.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
	};

	if (control < 0)
		return -errno;
	snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s", name);
	for (int i = 0; i < ATTACH_TRIES; i++) {
		CLEANUP(closep) int fd = -1;
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		if (number < 0)
			return -errno;
		snprintf(device, size, "/dev/loop%d", number);
		fd = open(device, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
			return TAKE_FD(fd);
		if (errno != EBUSY)
			return -errno;
	}
	return -EBUSY;
}

static const char *options_for(const char *type)
{
	for (size_t i = 0; i < N_ELEMENTS(options_of_types); i++)
		if (str_equal(options_of_types[i].type, type))
			return options_of_types[i].options;
	return NULL;
}

static void free_context(struct libmnt_context **context)
{
	mnt_free_context(*context);
}

/* libmount's words for what went wrong. */
static int explain(struct libmnt_context *context, int rc, char **reterr_why)
{
	char text[512];
	int error =
		mnt_context_syscall_called(context) ? mnt_context_get_syscall_errno(context) : -rc;

	if (mnt_context_get_excode(context, rc, text, sizeof(text)) != 0 && *text)
		*reterr_why = strdup(text);
	return error > 0 ? -error : -EIO;
}

static int mount_device(const char *device, const char *type, const char *options, const char *path,
			char **reterr_why)
{
	CLEANUP(free_context) struct libmnt_context *context = mnt_new_context();
	const char *of_type = options_for(type);
	int r;

	if (!context)
		return -ENOMEM;
	mnt_context_disable_helpers(context, 1);
	mnt_context_disable_mtab(context, 1);
	mnt_context_disable_canonicalize(context, 1);
	r = mnt_context_set_fstype(context, type);
	if (r == 0)
		r = mnt_context_set_source(context, device);
	if (r == 0)
		r = mnt_context_set_target(context, path);
	if (r == 0 && options)
		r = mnt_context_append_options(context, options);
	if (r == 0 && of_type)
		r = mnt_context_append_options(context, of_type);
	if (r == 0) /* last, so that nothing before can undo them */
		r = mnt_context_append_options(context, enforced_options);
	if (r < 0)
		return r;
	r = mnt_context_mount(context);
	return r == 0 ? 0 : explain(context, r, reterr_why);
}

int loop_mount(int image_fd, const char *name, const char *type, const char *options,
	       const char *path, char **ret_device, char **reterr_why)
{
	CLEANUP(closep) int fd = -1;
	char device[DEVICE_NAME_MAX];
	char *result;
	int r;

	fd = attach(image_fd, name, device, sizeof(device));
	if (fd < 0) {
		*reterr_why = text_format("no loop device: %s", strerror(-fd));
		return fd;
	}
	result = strdup(device);
	if (!result)
		return -ENOMEM;
	r = mount_device(device, type, options, path, reterr_why);
	if (r < 0) {
		free(result);
		return r;
	}
	*ret_device = result;
	return 0;
}

int loop_unmount(const char *path)
{
	return umount2(path, UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}
