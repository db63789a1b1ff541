/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity.c - which of a path's numbers goes with the medium that is mounted there.
 *
 * Two discs may have the same inode numbers in the same places, so a handle of one, decoded on the
 * other, is another file. Under identity=strict a number therefore stands for one medium: the
 * identity that its handler gave when it was first mounted. At every mount, and of every mount that
 * was made by somebody else or by an earlier run, the handler is asked which medium it is before
 * anybody is told anything of it; the number of that medium is the path's primary number, durably,
 * before the first answer. Numbers of other media of the path are "no" as long as this one is
 * there.
 *
 * What was said is true of one mount: the one that was there when its handler was asked, and still
 * is when the answer comes. So of what a handler has just mounted it is asked once more, but of
 * what it sent detached. And that mount must be known again. Its unique id tells (Linux 6.8).
 * Before that, ids are used again at once, as are loop devices and the device numbers of file
 * systems without a device: then its file system is watched for its end, which inotify(7) tells in
 * order with everything else (IN_UNMOUNT), and a file system that has not ended shares its device
 * number with no other. Whether it can be watched without waiting for a server, the table of mounts
 * tells a little later: until then the file system is held, and so does not end. What cannot be
 * watched is known as long as nothing at all was mounted or unmounted.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/sysmacros.h>

#include "exportsd/media/private.h"

/* Bound, then made primary; more steps mean that somebody else changes them, too. */
enum { STEPS_MAX = 4 };

static const struct numbers *numbers_of(const struct medium *medium)
{
	return media_of(medium)->numbers;
}

static bool same_text(const char *a, const char *b)
{
	return a && b && str_equal(a, b);
}

/* ---- strict or not ---- */

bool identity_is_strict(const struct medium *medium)
{
	const struct numbers *numbers = numbers_of(medium);

	if (medium->rule->identity != CONFIG_AUTO)
		return medium->rule->identity == CONFIG_STRICT;
	/* Until its handler has said so: as it was when the number was first used. */
	if (medium->rule->removable == REMOVABLE_UNKNOWN)
		return numbers_identity(numbers, numbers_get(numbers, medium->path)) != NULL;
	return medium->rule->removable == REMOVABLE_YES;
}

/* ---- knowing a mount again ---- */

/* Also one that is just being settled, so it is the place that is forgotten. */
static void forget_file_system(struct media *media, int watch, bool all)
{
	struct medium *medium, *next;

	HASH_ITER (hh, media->by_path, medium, next)
		if (medium->settled.unmount_watch >= 0 &&
		    (all || medium->settled.unmount_watch == watch)) {
			medium->settled.unmount_watch = -1;
			medium->settled.place = (struct mounts_place){ 0 };
		}
}

/* File systems that have ended since this was called last. */
static void hear_unmounts(struct media *media)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while (media->unmounts_fd >= 0 &&
	       (n = read(media->unmounts_fd, events, sizeof(events))) > 0)
		for (char *at = events; at < events + n;) {
			const struct inotify_event *event = (const void *)at;

			if (event->mask & (IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW))
				forget_file_system(media, event->wd, event->mask & IN_Q_OVERFLOW);
			at += sizeof(*event) + event->len;
		}
}

static void watch_for_unmount(struct medium *medium, int root_fd)
{
	struct media *media = media_of(medium);
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

	if (media->unmounts_fd < 0)
		media->unmounts_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", root_fd);
	if (media->unmounts_fd >= 0)
		medium->settled.unmount_watch =
			inotify_add_watch(media->unmounts_fd, path, IN_DELETE_SELF);
}

void identity_let_go(struct medium *medium)
{
	pending_cancel(&medium->settled.wait);
	closep(&medium->settled.fd);
	medium->settled.fd = -1;
}

/* As long as it is held, no other file system has its device number. */
static void on_mounts_told(void *userdata)
{
	struct medium *medium = userdata;
	struct mount_table *mounts = media_of(medium)->mounts;
	const struct mount_table_entry *entry =
		mount_table_find(mounts, (int)medium->settled.place.mount_id);
	CLEANUP(closep) int root = medium_open_root(medium);
	struct mounts_place place;

	medium->settled.wait = NULL;
	if (root >= 0 && mounts_look(root, &place) == 0 &&
	    mounts_same_mount(&place, &medium->settled.place)) {
		medium->settled.n_changes = mount_table_n_changes(mounts);
		if (entry && entry->device == place.device && !entry->may_hang)
			watch_for_unmount(medium, root);
	}
	identity_let_go(medium);
}

/* To be known again: a mount that @root_fd holds. */
static int take_note(struct medium *medium, int root_fd)
{
	struct mount_table *mounts = media_of(medium)->mounts;
	int r = mounts_look(root_fd, &medium->settled.place);

	identity_let_go(medium);
	medium->settled.unmount_watch = -1;
	medium->settled.n_changes = mount_table_n_changes(mounts);
	if (r < 0 || medium->settled.place.id_is_unique)
		return r;
	if (major(medium->settled.place.device) != 0) {
		watch_for_unmount(medium, root_fd);
		return 0;
	}
	medium->settled.fd = mounts_hold(root_fd);
	if (medium->settled.fd >= 0 &&
	    mount_table_wait(mounts, on_mounts_told, medium, &medium->settled.wait) < 0)
		identity_let_go(medium);
	return 0;
}

/* Is this the mount that was looked at last? */
static bool is_known_again(struct medium *medium, int root_fd)
{
	struct media *media = media_of(medium);
	struct mounts_place place;

	hear_unmounts(media);
	return mounts_look(root_fd, &place) == 0 &&
	       mounts_same_mount(&place, &medium->settled.place) &&
	       (place.id_is_unique || medium->settled.fd >= 0 ||
		medium->settled.unmount_watch >= 0 ||
		medium->settled.n_changes == mount_table_n_changes(media->mounts));
}

void identity_asked(struct medium *medium, int root_fd)
{
	medium->settled.is_told = false;
	if (root_fd < 0 || take_note(medium, root_fd) < 0)
		medium->settled.place = (struct mounts_place){ 0 };
}

bool identity_is_told(struct medium *medium, int root_fd)
{
	return !identity_is_strict(medium) || !medium->load.identity ||
	       is_known_again(medium, root_fd);
}

bool identity_is_settled(struct medium *medium, int root_fd)
{
	return !identity_is_strict(medium) ||
	       (medium->settled.is_told && is_known_again(medium, root_fd));
}

int medium_open_mounted(struct medium *medium)
{
	CLEANUP(closep) int fd = medium_open_root(medium);

	if (fd < 0)
		return fd;
	return identity_is_settled(medium, fd) ? TAKE_FD(fd) : -EAGAIN;
}

bool medium_is_known_mounted(struct medium *medium)
{
	CLEANUP(closep) int fd = medium_open_mounted(medium);

	return fd >= 0;
}

/* ---- its number ---- */

uint32_t identity_number(const struct medium *medium)
{
	const struct numbers *numbers = numbers_of(medium);
	uint32_t number = 0;

	if (identity_is_strict(medium) && medium->settled.identity)
		number = numbers_get_for(numbers, medium->path, medium->settled.identity);
	return number ? number : numbers_get(numbers, medium->path);
}

/* Was any other medium ever at the path? */
static bool has_others(const struct medium *medium)
{
	const struct numbers *numbers = numbers_of(medium);
	uint32_t number = 0;

	while ((number = numbers_next_of_path(numbers, medium->path, number))) {
		const char *identity = numbers_identity(numbers, number);

		if (identity && !same_text(identity, medium->settled.identity))
			return true;
	}
	return false;
}

bool media_number_fits(struct media *media, const char *path, uint32_t number)
{
	const struct medium *medium = media_find(media, path);
	const char *identity = numbers_identity(media->numbers, number);

	if (!medium || !identity_is_strict(medium) || !medium->settled.is_told)
		return true;
	/*
	 * Given before the first medium was known, and not that one's: its handles may be of any
	 * that was there since.
	 */
	if (!identity)
		return number == identity_number(medium) || !has_others(medium);
	/* Whatever its handler does not name may be another one. */
	return same_text(identity, medium->settled.identity);
}

/* Another medium than the last one: whoever looks at the path is to be told its number. */
static void tell_of_change(struct medium *medium)
{
	const struct numbers *numbers = numbers_of(medium);
	uint32_t number = numbers_get(numbers, medium->path);
	const char *before = numbers_identity(numbers, medium->settled.number_before);
	const char *now = numbers_identity(numbers, number);

	if (number == medium->settled.number_before)
		return;
	log_info(
		ABOUT_MEDIUM(medium),
		"Another medium is at '%s' now: '%s', number %u. Handles of '%s', number %u, are stale "
		"until it is back",
		medium->path, now ? now : "?", number, before ? before : "?",
		medium->settled.number_before);
	medium_report(medium, MEDIUM_ALL, MEDIUM_EXCHANGED);
}

static void on_recorded(void *userdata, int error);

/*
 * One step towards: the number of this identity is the path's primary one.
 * Returns 0: it is; -EINPROGRESS; -errno.
 */
static int step(struct medium *medium)
{
	struct media *media = media_of(medium);
	struct numbers *numbers = media->numbers;
	uint32_t primary = numbers_get(numbers, medium->path);
	uint32_t own = numbers_get_for(numbers, medium->path, medium->settled.new_identity);
	int r;

	if (own && own == primary)
		return 0;
	if (medium->settled.n_steps++ == STEPS_MAX)
		return -ELOOP;
	if (!own && primary && !numbers_identity(numbers, primary))
		r = numbers_bind(numbers, primary, medium->settled.new_identity, on_recorded,
				 medium, &medium->settled.recording);
	else
		r = numbers_assign_for(numbers, medium->path, medium->settled.new_identity,
				       on_recorded, medium, &medium->settled.recording);
	return r < 0 ? r : -EINPROGRESS;
}

static void finish(struct medium *medium, int error)
{
	identity_done_fn done = TAKE_PTR(medium->settled.done);

	if (error == 0)
		tell_of_change(medium);
	else if (!done) {
		errno = -error;
		log_warning(
			ABOUT_MEDIUM(medium),
			"The number of the medium that is at '%s' now cannot be recorded; it is "
			"tried again when it is mounted: %m",
			medium->path);
	}
	if (done)
		done(medium, error);
}

static void on_recorded(void *userdata, int error)
{
	struct medium *medium = userdata;
	bool is_listed_only = !medium->settled.done;

	medium->settled.recording = NULL;
	if (error == 0 || error == -EEXIST)
		error = step(medium);
	if (error == -EINPROGRESS)
		return;
	finish(medium, error);
	if (is_listed_only)
		medium_report(medium, MEDIUM_ALL, MEDIUM_UNUSED);
}

static int begin(struct medium *medium, const char *identity)
{
	identity_stop(medium);
	medium->settled.n_steps = 0;
	medium->settled.number_before = numbers_get(numbers_of(medium), medium->path);
	media_set_string(&medium->settled.new_identity, identity);
	return same_text(medium->settled.new_identity, identity) ? step(medium) : -ENOMEM;
}

/* ---- a mount ---- */

int identity_settle(struct medium *medium, int root_fd, const char *identity, identity_done_fn done)
{
	int r;

	medium->settled.is_told = false;
	free(TAKE_PTR(medium->settled.identity));
	r = take_note(medium, root_fd);
	if (r < 0)
		return r;
	if (!identity_is_strict(medium))
		return 0;
	if (!identity || !*identity)
		return numbers_identity(numbers_of(medium),
					numbers_get(numbers_of(medium), medium->path))
			       ? -ENODATA
			       : 0;
	r = begin(medium, identity);
	if (r == 0)
		tell_of_change(medium);
	if (r == -EINPROGRESS)
		medium->settled.done = done;
	return r;
}

void identity_settled(struct medium *medium, const char *identity)
{
	/* Otherwise it is asked about when it comes to matter. */
	medium->settled.is_told = identity_is_strict(medium);
	if (!medium->settled.is_told || !identity || !*identity)
		return;
	media_set_string(&medium->settled.identity, identity);
	/* Without memory for it nobody could tell which numbers are its own. */
	medium->settled.is_told = same_text(medium->settled.identity, identity);
}

/* ---- a list ---- */

void identity_follow_list(struct medium *medium)
{
	const struct numbers *numbers = numbers_of(medium);
	uint32_t primary = numbers_get(numbers, medium->path);
	const char *bound = numbers_identity(numbers, primary);
	CLEANUP(closep) int root = -1;
	int r;

	if (!medium->listed.is_listed || !medium->listed.identity || !identity_is_strict(medium))
		return;
	/* It was changed under its mount: what is read from now on may be another medium's. */
	if (medium_stage(medium, MEDIUM_MOUNT) == MEDIUM_DONE && medium->settled.is_told &&
	    medium->settled.identity &&
	    !str_equal(medium->listed.identity, medium->settled.identity)) {
		medium_report(medium, MEDIUM_ALL, MEDIUM_GONE);
		return;
	}
	/* The first medium takes the number that is there when it is mounted. */
	if (!bound || str_equal(medium->listed.identity, bound))
		return;
	if (medium_is_loading(medium) || medium->settled.recording)
		return; /* the mount will tell */
	root = medium_open_root(medium);
	if (root != -ENOENT)
		return; /* what is mounted is what counts */
	r = begin(medium, medium->listed.identity);
	if (r != -EINPROGRESS)
		finish(medium, r);
}

void identity_stop(struct medium *medium)
{
	pending_cancel(&medium->settled.recording);
	medium->settled.done = NULL;
}

void identity_free(struct medium *medium)
{
	identity_let_go(medium);
	free(medium->settled.new_identity);
	free(medium->settled.identity);
}
