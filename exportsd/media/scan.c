/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan.c - media that somebody else mounted.
 *
 * The kernel says that mounts have changed, not which. Some seconds later all are read, by a
 * thread, and those that lie where a medium with a number belongs are taken for it, some in a turn
 * of the loop: placeholders may be mounts, too, by the ten thousand.
 */

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <sys/epoll.h>

#include "exportsd/base/background.h"
#include "exportsd/media/private.h"

enum { SCAN_PAUSE_SECONDS = 5 };

static void adopt(struct media *media, const char *path)
{
	const char *key;
	struct rule *rule = path ? media_rule_of(media, path, &key) : NULL;
	struct medium *medium;

	if (!rule || !numbers_get(media->numbers, path) || medium_get(rule, path, &medium) < 0)
		return;
	medium_adopt(medium);
	medium_release(medium);
}

/*
 * A handler that was asked by a daemon that has ended mounts all the same; so may an administrator.
 */
static void read_mounts(void *userdata)
{
	struct media *media = userdata;

	media->scan_table = mnt_new_table_from_file("/proc/self/mountinfo");
}

static void end_scan(struct media *media)
{
	mnt_free_iter(media->scan_iterator);
	mnt_unref_table(media->scan_table);
	media->scan_iterator = NULL;
	media->scan_table = NULL;
}

/* Returns false when it is through. */
static bool adopt_slice(struct media *media, size_t n)
{
	struct libmnt_fs *fs;

	for (; n > 0; n--) {
		if (mnt_table_next_fs(media->scan_table, media->scan_iterator, &fs) != 0)
			return false;
		adopt(media, mnt_fs_get_target(fs));
	}
	return true;
}

static bool begin_to_adopt(struct media *media)
{
	media->scan_iterator = mnt_new_iter(MNT_ITER_FORWARD);
	if (media->scan_table && media->scan_iterator)
		return true;
	end_scan(media);
	return false;
}

static int on_scan_run(sd_event_source *source, void *userdata)
{
	struct media *media = userdata;

	if (adopt_slice(media, MEDIA_SLICE))
		(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	else
		end_scan(media);
	return 0;
}

static void on_mounts_read(void *userdata)
{
	struct media *media = userdata;

	media->scan = NULL;
	if (begin_to_adopt(media))
		(void)sd_event_source_set_enabled(media->scan_run, SD_EVENT_ONESHOT);
}

static int on_scan_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct media *media = userdata;

	if (media->scan || media->scan_table ||
	    background_start(&media->scan, media->event, read_mounts, on_mounts_read, media) < 0)
		media_arm(media, &media->scan_timer,
			  media_now(media) + SCAN_PAUSE_SECONDS * media->second_usec, on_scan_time,
			  media);
	return 0;
}

static int on_mounts(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct media *media = userdata;
	int is_armed = 0;

	if (media->scan_timer)
		(void)sd_event_source_get_enabled(media->scan_timer, &is_armed);
	if (!is_armed)
		media_arm(media, &media->scan_timer,
			  media_now(media) + SCAN_PAUSE_SECONDS * media->second_usec, on_scan_time,
			  media);
	return 0;
}

void scan_adopt(struct media *media)
{
	if (media->scan || media->scan_table)
		return;
	read_mounts(media);
	if (!begin_to_adopt(media))
		return;
	(void)adopt_slice(media, SIZE_MAX);
	end_scan(media);
}

int scan_start(struct media *media)
{
	int r;

	media->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (media->mounts_fd < 0)
		return -errno;
	r = sd_event_add_io(media->event, &media->mounts_io, media->mounts_fd, EPOLLPRI, on_mounts,
			    media);
	if (r >= 0)
		r = sd_event_add_defer(media->event, &media->scan_run, on_scan_run, media);
	return r < 0 ? r : sd_event_source_set_enabled(media->scan_run, SD_EVENT_OFF);
}

void scan_end(struct media *media)
{
	pending_cancel(&media->scan);
	end_scan(media);
	sd_event_source_disable_unref(media->scan_timer);
	sd_event_source_disable_unref(media->scan_run);
	sd_event_source_disable_unref(media->mounts_io);
	closep(&media->mounts_fd);
}
