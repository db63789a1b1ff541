/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c - media as others see them: is one mounted, listings, and observers, who are told in the
 * next turn of the loop.
 */

#include <errno.h>

#include "exportsd/media/private.h"

bool media_is_mounted(struct media *media, const char *path)
{
	struct medium *medium = media_find(media, path);
	const char *key;
	struct rule *rule = media_rule_of(media, path, &key);
	CLEANUP(closep) int directory = -1, fd = -1;
	enum placeholder_state state;

	if (!rule)
		return false;
	if (medium) {
		fd = medium_open_root(medium);
		return fd >= 0;
	}
	directory = mounts_open(rule->facts.directory);
	fd = directory < 0 ? directory : mounts_open_beneath(directory, key);
	return fd >= 0 && placeholder_state(directory, key, fd, &state) == 0 &&
	       state == PLACEHOLDER_MEDIUM;
}

int media_open_mounted(struct media *media, const char *path, uint32_t *ret_number)
{
	CLEANUP(closep) int fd = -1;
	struct medium *medium;
	const char *key;
	struct rule *rule = media_rule_of(media, path, &key);
	int r;

	if (!rule || (!media_find(media, path) && !media_is_mounted(media, path)))
		return -ENOENT;
	r = medium_get(rule, path, &medium);
	if (r < 0)
		return r;
	fd = medium_open_mounted(medium);
	*ret_number = identity_number(medium);
	if (fd >= 0 && !*ret_number)
		return -EAGAIN;
	return TAKE_FD(fd);
}

bool media_is_still(struct media *media, const char *path, int root_fd)
{
	uint32_t number;
	struct mounts_place given, now;
	CLEANUP(closep) int fd = media_open_mounted(media, path, &number);

	return fd >= 0 && mounts_look(root_fd, &given) == 0 && mounts_look(fd, &now) == 0 &&
	       mounts_same_mount(&given, &now);
}

int media_placeholder_fd(struct media *media, const char *path)
{
	const struct medium *medium = media_find(media, path);

	return medium ? medium->load.placeholder_fd : -1;
}

const char *media_state_word(enum media_state state)
{
	switch (state) {
	case MEDIA_ABSENT: return "absent";
	case MEDIA_LOADING: return "loading";
	case MEDIA_MOUNTED: return "mounted";
	case MEDIA_DRAINING: return "draining";
	case MEDIA_FAILED: return "failed";
	}
	return "?";
}

static enum media_state state_of(const struct medium *medium)
{
	if (medium_is_under_way(medium))
		return MEDIA_LOADING;
	if (medium_stage(medium, MEDIUM_MOUNT) == MEDIUM_FAILED)
		return MEDIA_FAILED;
	if (medium_stage(medium, MEDIUM_MOUNT) != MEDIUM_DONE)
		return MEDIA_ABSENT;
	if (medium_is_draining(medium))
		return MEDIA_DRAINING;
	return media_is_mounted(media_of(medium), medium->path) ? MEDIA_MOUNTED : MEDIA_ABSENT;
}

static void fill_status(const struct medium *medium, struct medium_status *status)
{
	*status = (struct medium_status){
		.path = medium->path,
		.state = state_of(medium),
		.number = identity_number(medium),
		.listed = medium->listed.is_listed,
		.identity = medium->said.identity,
		.label = medium->said.label,
		.size_bytes = medium->said.size_bytes,
		.source = medium->said.source,
		.since_usec = medium->since_usec,
		.percent = medium->load.percent,
		.message = medium->said.message,
		.n_waiting = medium_n_waiting(medium),
		.users = (const char *const *)medium->waiters.users,
		.n_users = medium->waiters.n_users,
		.handler = medium->rule->facts.handler,
		.used_usec = medium->queue.used_usec,
		.device = medium->seen.place.device,
	};
}

static int compare_paths(const struct medium *one, const struct medium *other)
{
	return strcmp(one->path, other->path);
}

/* The first one behind @after; that may be forgotten by now. */
static struct medium *first_behind(struct media *media, const char *after)
{
	struct medium *medium = after ? media_find(media, after) : NULL;

	if (medium)
		return medium->hh.next;
	medium = media->by_path;
	while (medium && after && strcmp(medium->path, after) <= 0)
		medium = medium->hh.next;
	return medium;
}

int media_each(struct media *media, const char *after,
	       int (*each)(void *userdata, const struct medium_status *status), void *userdata)
{
	struct medium *medium, *next;
	int r = 0;

	/* A listing asks part by part: what is sorted stays so until there is a new one. */
	if (!media->is_sorted)
		HASH_SORT(media->by_path, compare_paths);
	media->is_sorted = true;
	for (medium = first_behind(media, after); medium && r == 0; medium = next) {
		struct medium_status status;

		next = medium->hh.next;
		fill_status(medium, &status);
		r = each(userdata, &status);
	}
	return r;
}

size_t media_count(const struct media *media, size_t *ret_n_mounted)
{
	size_t n_mounted = 0;

	for (const struct medium *medium = media->by_path; medium; medium = medium->hh.next)
		n_mounted += medium_stage(medium, MEDIUM_MOUNT) == MEDIUM_DONE;
	*ret_n_mounted = n_mounted;
	return HASH_COUNT(media->by_path);
}

bool media_status(struct media *media, const char *path, struct medium_status *ret_status)
{
	const struct medium *medium = media_find(media, path);

	if (medium)
		fill_status(medium, ret_status);
	return medium;
}

/* ---- observers ---- */

struct media_observer {
	struct media_observer *prev, *next;
	struct medium *medium;
	media_observe_fn changed;
	void *userdata;
	bool is_due;
};

static void tell_all(void *userdata);

void medium_changed(struct medium *medium)
{
	struct media *media = media_of(medium);

	if (medium->observed.is_changed || !medium->observed.observers)
		return;
	medium->observed.is_changed = true;
	DL_APPEND2(media->changed, medium, observed.prev, observed.next);
	later_call(&media->tell, media->event, tell_all, media);
}

static struct media_observer *next_due(const struct medium *medium)
{
	struct media_observer *observer;

	DL_FOREACH (medium->observed.observers, observer)
		if (observer->is_due)
			return observer;
	return NULL;
}

/* Callbacks may take away observers, and with the last one the medium. */
static void tell_observers(struct media *media, const char *path)
{
	struct medium *medium = media_find(media, path);
	struct media_observer *observer;
	struct medium_status status;

	DL_FOREACH (medium->observed.observers, observer)
		observer->is_due = true;
	while ((medium = media_find(media, path)) && (observer = next_due(medium))) {
		observer->is_due = false;
		fill_status(medium, &status);
		observer->changed(observer->userdata, &status);
	}
}

static void tell_all(void *userdata)
{
	struct media *media = userdata;

	while (media->changed) {
		struct medium *medium = media->changed;
		CLEANUP(freep) char *path = strdup(medium->path);

		medium->observed.is_changed = false;
		DL_DELETE2(media->changed, medium, observed.prev, observed.next);
		if (path)
			tell_observers(media, path);
	}
}

int media_observe(struct media *media, const char *path, media_observe_fn changed, void *userdata,
		  struct media_observer **ret_observer)
{
	struct media_observer *observer;
	struct medium *medium;
	const char *key;
	struct rule *rule = media_rule_of(media, path, &key);
	int r = rule ? medium_get(rule, path, &medium) : -ENOENT;

	if (r < 0)
		return r;
	observer = calloc(1, sizeof(*observer));
	if (!observer) {
		medium_report(medium, MEDIUM_ALL, MEDIUM_UNUSED);
		return -ENOMEM;
	}
	observer->medium = medium;
	observer->changed = changed;
	observer->userdata = userdata;
	DL_APPEND(medium->observed.observers, observer);
	*ret_observer = observer;
	return 0;
}

void media_unobserve(struct media_observer *observer)
{
	if (!observer)
		return;
	if (observer->medium) {
		DL_DELETE(observer->medium->observed.observers, observer);
		medium_report(observer->medium, MEDIUM_ALL, MEDIUM_UNUSED);
	}
	free(observer);
}

void medium_drop_observers(struct medium *medium)
{
	struct media_observer *observer;

	if (medium->observed.is_changed)
		DL_DELETE2(media_of(medium)->changed, medium, observed.prev, observed.next);
	DL_FOREACH (medium->observed.observers, observer)
		observer->medium = NULL;
	medium->observed.observers = NULL;
}
