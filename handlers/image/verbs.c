/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verbs.c - list, lookup, mount and unmount of image files.
 *
 * Listing loads nothing and is quick: sizes come from stat(2); superblocks are read for at most
 * PROBING_MSEC a list, and remembered (known.h), so that the next list gets further.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "handlers/image/known.h"
#include "handlers/image/loop.h"
#include "handlers/image/verbs.h"
#include "handlers/image/watch.h"

enum { PROBING_MSEC = 1000 };

static uint64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- lists ---- */

static int why_no_directory(struct kit_request *request, const struct image_handler *handler, int r)
{
	return kit_why(request, r, "directory %s: %s", handler->images.directory, strerror(-r));
}

static int image_list(struct kit_request *request, void *userdata)
{
	const struct image_handler *handler = userdata;
	CLEANUP(image_keys_done) struct image_keys keys = { 0 };
	uint64_t end = now_msec() + PROBING_MSEC;
	int r;

	r = images_keys(&handler->images, IMAGES_MAX, &keys);
	if (r < 0)
		return why_no_directory(request, handler, r);
	if (keys.incomplete)
		kit_log(LOG_WARNING, "%s holds more than %d images: the others are not listed",
			handler->images.directory, IMAGES_MAX);
	if (keys.n_clashes > 0)
		kit_log(LOG_WARNING,
			"%s: %zu images have the same name as another one but for the ending, and cannot be had: rename them",
			handler->images.directory, keys.n_clashes);
	for (size_t i = 0; i < keys.n_keys; i++) {
		CLEANUP(image_done) struct image image = { .fd = -1 };

		if (images_open(&handler->images, keys.keys[i], &image) < 0)
			continue;
		image_describe(handler, keys.keys[i], &image, now_msec() < end,
			       kit_entry(request, "medium"));
		kit_entry_end(request);
	}
	return PROTO_OK;
}

/* ---- one medium ---- */

static int find_image(struct kit_request *request, const struct image_handler *handler,
		      struct image *ret_image)
{
	const char *key = kit_get(request, "key");
	int r = images_open(&handler->images, key, ret_image);

	if (r == -ENOENT && access(handler->images.directory, F_OK) < 0)
		return why_no_directory(request, handler, -errno); /* it may come: no "no" */
	if (r == -ENOENT)
		return kit_why(request, PROTO_NOENT, "no image of that name in %s",
			       handler->images.directory);
	return r < 0 ? kit_why(request, r, "%s: %s", key, strerror(-r)) : 0;
}

/* Probe an image that is to be used; anything but an allowed file system is an error. */
static int identify(struct kit_request *request, const struct image_handler *handler,
		    const char *name, int fd, struct image_identity *ret_identity)
{
	int r = identity_probe(fd, handler->types, ret_identity);

	switch (r) {
	case IDENTITY_FOUND: return 0;
	case IDENTITY_NOTHING:
		return kit_why(request, -EMEDIUMTYPE, "%s holds no file system that is known",
			       name);
	case IDENTITY_UNCLEAR:
		return kit_why(request, -EMEDIUMTYPE, "%s looks like several file systems", name);
	case IDENTITY_FORBIDDEN:
		return kit_why(request, -EMEDIUMTYPE,
			       "%s holds %s, which is not among the allowed types (--types)", name,
			       ret_identity->type);
	default: return kit_why(request, r, "%s: %s", name, strerror(-r));
	}
}

static void put_medium(struct kit_request *request, uint64_t size,
		       const struct image_identity *identity)
{
	kit_put(request, "identity", identity->text);
	kit_put(request, "label", identity->label);
	kit_put(request, "fstype", identity->type);
	kit_put_u64(request, "size-bytes", size);
}

static int image_lookup(struct kit_request *request, void *userdata)
{
	const struct image_handler *handler = userdata;
	CLEANUP(image_done) struct image image = { .fd = -1 };
	CLEANUP(image_identity_done) struct image_identity identity = { 0 };
	int r;

	r = find_image(request, handler, &image);
	if (r != 0)
		return r;
	/* That it is there is the answer; what it holds matters when it is mounted. */
	if (image_probe(handler, &image, &identity) != IDENTITY_FOUND)
		kit_put_u64(request, "size-bytes", (uint64_t)image.st.st_size);
	else
		put_medium(request, (uint64_t)image.st.st_size, &identity);
	return PROTO_OK;
}

/* ---- mounting ---- */

/* Is a path absolute, without empty, "." and ".." components, and its end the key? */
static bool path_is_plain(const char *path, const char *key)
{
	size_t n_path = strlen(path), n_key = key ? strlen(key) : 0;
	const char *component = path;

	if (path[0] != '/' || n_path < 2)
		return false;
	while (component) {
		size_t length = strcspn(++component, "/");

		if (length == 0 || (length == 1 && component[0] == '.') ||
		    (length == 2 && component[0] == '.' && component[1] == '.'))
			return false;
		component = strchr(component, '/');
	}
	return !key || (n_path > n_key && path[n_path - n_key - 1] == '/' &&
			str_equal(path + n_path - n_key, key));
}

static int check_path(struct kit_request *request)
{
	if (path_is_plain(kit_get(request, "path"), kit_get(request, "key")))
		return 0;
	return kit_why(request, -EINVAL, "the path does not end in the key, or is no plain path");
}

enum mount_plan { MOUNT_IT = PROTO_N_OUTCOMES, MOUNTED_ALREADY };

/*
 * Something is mounted at the path. Its image may have been replaced or removed since: what is
 * there counts, and its identity tells which one it is.
 */
static int describe_mounted(struct kit_request *request, const struct image_handler *handler,
			    const char *device)
{
	CLEANUP(closep) int fd = open(device, O_RDONLY | O_CLOEXEC);
	CLEANUP(image_identity_done) struct image_identity identity = { 0 };
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	int r;

	if (size < 0)
		return kit_why(request, -errno, "%s: %m", device);
	r = identify(request, handler, device, fd, &identity);
	if (r != 0)
		return r;
	kit_put(request, "source", device);
	put_medium(request, (uint64_t)size, &identity);
	return MOUNTED_ALREADY;
}

/* What is at the path already? Returns an enum mount_plan, or what an operation returns. */
static int check_target(struct kit_request *request, const struct image_handler *handler,
			const char *path)
{
	CLEANUP(freep) char *device = NULL;
	int r = loop_look(path, &device);

	switch (r) {
	case LOOP_FREE: return MOUNT_IT;
	case LOOP_TAKEN: return describe_mounted(request, handler, device);
	case LOOP_OTHER: return kit_why(request, -EBUSY, "something else is mounted there");
	default: return kit_why(request, r, "%s: %s", path, strerror(-r));
	}
}

/* @target: of check_target(); that there is no such image is said first */
static int mount_image(struct kit_request *request, const struct image_handler *handler,
		       const char *path, int target)
{
	CLEANUP(image_done) struct image image = { .fd = -1 };
	CLEANUP(image_identity_done) struct image_identity identity = { 0 };
	CLEANUP(freep) char *device = NULL, *why = NULL;
	CLEANUP(closep) int fd = -1;
	int r = find_image(request, handler, &image);

	if (r != 0 || target != MOUNT_IT)
		return r != 0 ? r : target;
	fd = image_read_fd(&image);
	if (fd < 0)
		return kit_why(request, fd, "%s: %s", image.name, strerror(-fd));
	if (image_is_being_written(fd))
		return kit_why(request, PROTO_BUSY, "%s is still being written", image.name);
	r = identify(request, handler, image.name, fd, &identity);
	if (r != 0)
		return r;
	kit_progress(request, -1, "mounting %s (%s)", image.name, identity.type);
	r = loop_mount(fd, image.name, identity.type, handler->options, path, &device, &why);
	if (r < 0)
		return kit_why(request, r, "%s: %s", image.name, why ? why : strerror(-r));
	kit_put(request, "source", device);
	put_medium(request, (uint64_t)image.st.st_size, &identity);
	return PROTO_OK;
}

static int image_mount(struct kit_request *request, void *userdata)
{
	const struct image_handler *handler = userdata;
	const char *path = kit_get(request, "path");
	int r = check_path(request);

	if (r != 0)
		return r;
	r = check_target(request, handler, path);
	return r == MOUNTED_ALREADY ? PROTO_OK : mount_image(request, handler, path, r);
}

static int image_unmount(struct kit_request *request, void *userdata)
{
	CLEANUP(freep) char *device = NULL;
	const char *path = kit_get(request, "path");
	int r;

	r = check_path(request);
	if (r != 0)
		return r;
	r = loop_look(path, &device);
	if (r == LOOP_FREE || r == -ENOENT)
		return PROTO_OK; /* done before */
	if (r == LOOP_OTHER)
		return kit_why(request, -EINVAL, "what is mounted there is no image");
	if (r < 0)
		return kit_why(request, r, "%s: %s", path, strerror(-r));
	r = loop_unmount(path);
	if (r == -EBUSY)
		return kit_why(request, PROTO_BUSY, "the file system is in use");
	return r < 0 ? kit_why(request, r, "umount: %s", strerror(-r)) : PROTO_OK;
}

const struct kit_operations image_operations = {
	.name = "image",
	.removable = true,
	.list = image_list,
	.lookup = image_lookup,
	.mount = image_mount,
	.unmount = image_unmount,
	.watch = image_watch,
	.listed = image_listed,
};
