/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c - inotify on the directory of images, told as media that appear, vanish and change.
 *
 * A file counts when it is whole: closed after writing, renamed into place, or linked. Which keys
 * are known is kept here, because one key may have several files: a medium vanishes with the last.
 */

#include <errno.h>
#include <sys/inotify.h>
#include <uthash.h>

#include "handlers/image/known.h"
#include "handlers/image/watch.h"

struct watched {
	UT_hash_handle hh;
	char key[];
};

struct watch {
	struct kit_request *request;
	const struct image_handler *handler;
	struct watched *keys;
};

static struct watched *find_watched(const struct watch *watch, const char *key)
{
	struct watched *watched;

	HASH_FIND_STR(watch->keys, key, watched);
	return watched;
}

static int remember(struct watch *watch, const char *key)
{
	size_t size = strlen(key) + 1;
	struct watched *watched = calloc(1, sizeof(*watched) + size);

	if (!watched)
		return -ENOMEM;
	memcpy(watched->key, key, size);
	HASH_ADD_STR(watch->keys, key, watched);
	if (!watched->hh.tbl) {
		free(watched);
		return -ENOMEM;
	}
	return 0;
}

static void forget(struct watch *watch, struct watched *watched)
{
	HASH_DEL(watch->keys, watched);
	free(watched);
}

static bool is_whole(const struct image *image)
{
	CLEANUP(closep) int fd = image_read_fd(image);

	return fd < 0 || !image_is_being_written(fd);
}

/*
 * Something happened to a key's files: find out what is there now, and tell.
 *
 * @changed: tell also if it was there before
 */
static int look_at(struct watch *watch, const char *key, bool changed)
{
	CLEANUP(image_done) struct image image = { .fd = -1 };
	struct watched *watched = find_watched(watch, key);
	struct proto_writer *entry;
	int r;

	r = images_open(&watch->handler->images, key, &image);
	if (r < 0 && watched) {
		entry = kit_entry(watch->request, "vanished");
		proto_put(entry, "key", key);
		kit_entry_end(watch->request);
		forget(watch, watched);
		return 0;
	}
	if (r < 0 || (watched && !changed) || !is_whole(&image))
		return 0;
	entry = kit_entry(watch->request, watched ? "changed" : "appeared");
	image_describe(watch->handler, key, &image, true, entry);
	kit_entry_end(watch->request);
	return watched ? 0 : remember(watch, key);
}

/* Events were lost: compare all there is with all that was known. */
static int look_at_all(struct watch *watch)
{
	CLEANUP(image_keys_done) struct image_keys keys = { 0 };
	struct watched *watched, *next;
	int r;

	r = images_keys(&watch->handler->images, IMAGES_MAX, &keys);
	HASH_ITER (hh, watch->keys, watched, next)
		if (r == 0)
			r = look_at(watch, watched->key, true);
	for (size_t i = 0; r == 0 && i < keys.n_keys; i++)
		r = look_at(watch, keys.keys[i], false);
	return r;
}

static int remember_all(struct watch *watch)
{
	CLEANUP(image_keys_done) struct image_keys keys = { 0 };
	int r;

	r = images_keys(&watch->handler->images, IMAGES_MAX, &keys);
	for (size_t i = 0; r == 0 && i < keys.n_keys; i++) {
		CLEANUP(image_done) struct image image = { .fd = -1 };

		if (images_open(&watch->handler->images, keys.keys[i], &image) == 0)
			r = remember(watch, keys.keys[i]);
	}
	return r;
}

static int handle_event(struct watch *watch, const struct inotify_event *event)
{
	CLEANUP(freep) char *key = NULL;

	if (event->mask & IN_Q_OVERFLOW)
		return look_at_all(watch);
	if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT))
		return kit_why(watch->request, -ENOENT, "directory %s went away",
			       watch->handler->images.directory);
	if (event->len == 0)
		return 0;
	key = images_key_of_name(&watch->handler->images, event->name);
	/* IN_CREATE is the only event of a new link; for a new file, IN_CLOSE_WRITE follows. */
	return key ? look_at(watch, key, !(event->mask & IN_CREATE)) : 0;
}

static int follow_events(struct watch *watch, int fd)
{
	char buffer[16 * 1024] __attribute__((aligned(__alignof__(struct inotify_event))));
	int r = 0;

	while (r == 0) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n < 0 && errno != EINTR)
			return -errno;
		for (char *at = buffer; n > 0 && r == 0 && at < buffer + n;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			r = handle_event(watch, event);
			at += sizeof(*event) + event->len;
		}
		kit_flush(watch->request);
	}
	return r;
}

int image_watch(struct kit_request *request, void *userdata)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
			      IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
	struct watch watch = { .request = request, .handler = userdata };
	const char *directory = watch.handler->images.directory;
	CLEANUP(closep) int fd = inotify_init1(IN_CLOEXEC);
	struct watched *watched, *next;
	int r;

	if (fd < 0 || inotify_add_watch(fd, directory, mask) < 0)
		return kit_why(request, -errno, "cannot watch %s: %m", directory);
	r = remember_all(&watch);
	if (r == 0) {
		kit_progress(request, -1, "watching %s", directory);
		r = follow_events(&watch, fd);
	}
	HASH_ITER (hh, watch.keys, watched, next)
		forget(&watch, watched);
	return r;
}
