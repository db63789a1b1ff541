/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c - the devices beneath mounted media: a disk that is pulled out, a drive that
 * answers no more.
 *
 * The kernel keeps a file system mounted when its device is gone, and nfsd serves what of it is in
 * memory, and errors for the rest. Here it is found out, so that such a medium is drained, and
 * clients wait for its return.
 *
 * While anything is mounted that has a device, all such devices are looked at in rounds, in sysfs,
 * which waits for nothing (fs/device.h), some in each turn of the loop; a node that disappears in /dev
 * begins a round at once. Where reads or writes may have failed since the last time, a process
 * tries to read a little. A device that is not used is never read from: it may be at rest. One that
 * takes too long is busy, not broken.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/sysmacros.h>

#include "exportsd/fs/device.h"
#include "exportsd/media/private.h"

enum {
	LOOKS_AT_ONCE = 16,
	ROUND_SECONDS = 5, /* from the end of one to the next */
	TRY_SECONDS = 20, /* between two tries to read from one device */
	HUNG_SECONDS = 300, /* after one that nothing came of */
	DEADLINE_SECONDS = 60, /* a disc that has to spin up, and then is scratched */
	READERS = 2,
};

struct medium_watch {
	struct medium_watch *prev, *next;
	struct medium *medium;
	enum medium_trouble trouble;
	dev_t device;
	uint64_t mount_id;
	char name[32];
	bool has_signs; /* that of the last time it could be read */
	uint64_t signs;
	uint64_t next_try_usec;
	struct pending *question;
};

static void schedule(struct media *media, uint64_t usec);
static void on_watch_time(void *userdata);

/* ---- one device ---- */

static bool is_seen(const struct medium_watch *watch)
{
	const struct mounts_place *seen = &watch->medium->seen.place;

	return seen->device == watch->device && seen->mount_id == watch->mount_id;
}

/* Something else may have been mounted there since. */
static bool is_still_there(const struct medium_watch *watch)
{
	CLEANUP(closep) int root = medium_open_root(watch->medium);

	return root >= 0 && is_seen(watch);
}

static void tell(const struct medium_watch *watch, enum medium_trouble trouble, const char *why)
{
	const struct medium *medium = watch->medium;

	if (trouble == MEDIUM_WELL)
		log_info(ABOUT_MEDIUM(medium), "Device %s (%u:%u) of '%s' can be read again",
			 watch->name, major(watch->device), minor(watch->device), medium->path);
	else
		log_warning(
			ABOUT_MEDIUM(medium),
			"Device %s (%u:%u) of '%s' %s; the medium is unmounted%s, and its handles wait "
			"until it is back",
			watch->name, major(watch->device), minor(watch->device), medium->path, why,
			trouble == MEDIUM_DEVICE_GONE ? "" : " as soon as nobody holds it");
}

static void set_trouble(struct medium_watch *watch, enum medium_trouble trouble, const char *why)
{
	/* Once it is gone, what has its number is another device. */
	if (trouble == watch->trouble || watch->trouble == MEDIUM_DEVICE_GONE ||
	    !is_still_there(watch))
		return;
	tell(watch, trouble, why);
	medium_say(watch->medium, why);
	watch->trouble = trouble;
	medium_report(watch->medium, MEDIUM_ALL, MEDIUM_TROUBLED);
}

static void note_signs(struct medium_watch *watch, const struct device_facts *facts)
{
	watch->has_signs = facts->has_signs;
	watch->signs = facts->signs;
}

/* Whether sysfs alone says that it is of no use. */
static bool judge(struct medium_watch *watch, const struct device_facts *facts)
{
	switch (facts->state) {
	case DEVICE_NONE:
	case DEVICE_THERE: break;
	case DEVICE_GONE: set_trouble(watch, MEDIUM_DEVICE_GONE, "is gone"); return true;
	case DEVICE_OFFLINE: set_trouble(watch, MEDIUM_DEVICE_OFFLINE, "is offline"); return true;
	}
	return false;
}

static void on_tried(void *userdata, int error, const struct proto_message *answer)
{
	struct medium_watch *watch = userdata;
	struct media *media = media_of(watch->medium);
	struct device_facts facts;
	char why[128];
	int r = device_answer(error, answer);

	watch->question = NULL;
	watch->next_try_usec =
		media_now(media) + (r == -EAGAIN ? HUNG_SECONDS : TRY_SECONDS) * second_usec;
	if (r == -EAGAIN) {
		log_debug(ABOUT_MEDIUM(watch->medium),
			  "Cannot find out whether device %s can be read", watch->name);
		return;
	}
	/* One that was pulled out fails before it is seen to be gone. */
	facts = device_look(media->sysfs_fd, watch->device);
	if (judge(watch, &facts))
		return;
	if (r < 0) {
		(void)snprintf(why, sizeof(why), "cannot be read: %s", strerror(-r));
		set_trouble(watch, r == -ENODEV ? MEDIUM_DEVICE_GONE : MEDIUM_UNREADABLE, why);
		return;
	}
	/* What the try itself did is no sign. */
	note_signs(watch, &facts);
	if (facts.state == DEVICE_THERE)
		set_trouble(watch, MEDIUM_WELL, NULL);
}

static void try(struct medium_watch *watch)
{
	struct media *media = media_of(watch->medium);
	int r = 0;

	/* While it is unmounted, nobody else is to have the device open: a tray would not open. */
	if (watch->question || media_now(media) < watch->next_try_usec ||
	    medium_is_draining(watch->medium))
		return;
	if (!media->devices)
		r = worker_new(&media->devices, media->event, WORKER_DEVICES, READERS, NULL);
	if (r >= 0)
		r = device_ask(media->devices, watch->device, DEADLINE_SECONDS * second_usec,
			       on_tried, watch, &watch->question);
	if (r < 0)
		log_debug(ABOUT_MEDIUM(watch->medium), "Cannot ask for device %s: %s", watch->name,
			  strerror(-r));
}

static void look(struct medium_watch *watch)
{
	struct medium *medium = watch->medium;
	struct media *media = media_of(medium);
	struct device_facts facts;

	if (medium_stage(medium, MEDIUM_MOUNT) != MEDIUM_DONE) {
		watch_end(medium);
		return;
	}
	if (!is_seen(watch)) {
		(void)watch_follow(medium);
		return;
	}
	if (watch->trouble == MEDIUM_DEVICE_GONE)
		return;
	facts = device_look(media->sysfs_fd, watch->device);
	if (!judge(watch, &facts) && facts.state == DEVICE_THERE &&
	    (watch->trouble != MEDIUM_WELL || !facts.has_signs || !watch->has_signs ||
	     facts.signs != watch->signs))
		try(watch);
}

void watch_begin(struct medium *medium)
{
	struct media *media = media_of(medium);
	struct device_facts facts = device_look(media->sysfs_fd, medium->seen.place.device);
	struct medium_watch *watch;

	watch_end(medium);
	if (facts.state == DEVICE_NONE)
		return;
	watch = calloc(1, sizeof(*watch));
	if (!watch) {
		log_error(ABOUT_MEDIUM(medium),
			  "No memory to watch the device of '%s': it will not be noticed if it is "
			  "gone",
			  medium->path);
		return;
	}
	watch->medium = medium;
	watch->device = medium->seen.place.device;
	watch->mount_id = medium->seen.place.mount_id;
	(void)snprintf(watch->name, sizeof(watch->name), "%s", *facts.name ? facts.name : "?");
	note_signs(watch, &facts);
	medium->watch = watch;
	if (!media->watches)
		schedule(media, ROUND_SECONDS * second_usec);
	DL_APPEND(media->watches, watch);
}

void watch_end(struct medium *medium)
{
	struct medium_watch *watch = TAKE_PTR(medium->watch);
	struct media *media = media_of(medium);

	if (!watch)
		return;
	pending_cancel(&watch->question);
	if (media->next_watch == watch)
		media->next_watch = watch->next;
	DL_DELETE(media->watches, watch);
	free(watch);
}

enum medium_trouble watch_trouble(const struct medium *medium)
{
	return medium->watch ? medium->watch->trouble : MEDIUM_WELL;
}

bool watch_follow(struct medium *medium)
{
	bool was_in_trouble = watch_trouble(medium) != MEDIUM_WELL;

	if (!medium->watch || is_seen(medium->watch))
		return false;
	watch_begin(medium);
	return was_in_trouble;
}

/* ---- rounds ---- */

static void schedule(struct media *media, uint64_t usec)
{
	media_call_at(media, &media->watch_timer, media_now(media) + usec, on_watch_time, media);
}

static void on_watch_time(void *userdata)
{
	struct media *media = userdata;

	if (!media->next_watch) {
		media->next_watch = media->watches;
		media->is_hurried = media->is_round_due;
		media->is_round_due = false;
	}
	for (int i = 0; i < LOOKS_AT_ONCE && media->next_watch; i++) {
		struct medium_watch *watch = media->next_watch;

		media->next_watch = watch->next;
		look(watch);
	}
	if (media->next_watch)
		schedule(media, second_usec / (media->is_hurried || media->is_round_due ? 100 : 5));
	else if (media->watches)
		schedule(media,
			 media->is_round_due ? second_usec / 10 : ROUND_SECONDS * second_usec);
}

/*
 * The node goes a little before the device (linux drivers/base/core.c device_del()), and others may
 * follow.
 */
static int on_nodes(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct media *media = userdata;

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	if (!media->watches || media->is_round_due)
		return 0;
	media->is_round_due = true;
	if (!media->next_watch)
		schedule(media, second_usec / 10);
	return 0;
}

/* Without it, a device that has gone is noticed at the next round. */
static int watch_nodes(struct media *media)
{
	media->nodes_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (media->nodes_fd < 0 ||
	    inotify_add_watch(media->nodes_fd, "/dev", IN_DELETE | IN_ONLYDIR) < 0)
		return 0;
	return sd_event_add_io(media->event, &media->nodes_io, media->nodes_fd, EPOLLIN, on_nodes,
			       media);
}

int watches_start(struct media *media)
{
	int r;

	media->sysfs_fd = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = watch_nodes(media);
	return r < 0 ? r : 0;
}

void watches_end(struct media *media)
{
	worker_free(media->devices);
	later_cancel(&media->watch_timer);
	sd_event_source_disable_unref(media->nodes_io);
	closep(&media->nodes_fd);
	closep(&media->sysfs_fd);
}
