/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask.c - those who ask for media: requests, observers, and listings for status.
 *
 * A request waits in its medium's list until it is decided; then in the list of the decided, which
 * a deferred source empties, so that nobody is called back from within his own call. A request for
 * a mount is looked at once more when it is delivered: if the medium was unmounted meanwhile, it
 * waits again.
 */

#include <errno.h>

#include "exportsd/base/log.h"
#include "exportsd/media/private.h"

struct media_request {
	struct pending pending;
	struct media_request *prev, *next;
	struct media *media;
	struct medium *medium; /* NULL: no rule claims the path */
	bool for_mount;
	bool is_decided;
	enum media_outcome outcome;
	char *why;
	media_number_fn number_done;
	media_mount_fn mount_done;
	void *userdata;
	sd_event_source *timer;
	char *client, *domain;
};

struct media_observer {
	struct media_observer *prev, *next;
	struct medium *medium;
	media_observe_fn changed;
	void *userdata;
	bool is_due;
};

/* ---- requests ---- */

static void unlink_request(struct media_request *request)
{
	if (!request->is_decided) {
		DL_DELETE(request->medium->requests, request);
		return;
	}
	DL_DELETE(request->media->decided, request);
	if (request->medium)
		request->medium->n_decided--;
}

static struct media_request *request_free(struct media_request *request)
{
	sd_event_source_disable_unref(request->timer);
	free(request->why);
	free(request->client);
	free(request->domain);
	free(request);
	return NULL;
}

static void schedule(struct media *media)
{
	int r = sd_event_source_set_enabled(media->deliver, SD_EVENT_ONESHOT);

	if (r < 0)
		log_error(NULL, "Cannot go on with media: %s", strerror(-r));
}

static void decide(struct media_request *request, enum media_outcome outcome)
{
	struct media *media = request->media;

	if (request->medium) {
		unlink_request(request);
		request->medium->n_decided++;
		if (outcome != MEDIA_OK)
			set_string(&request->why, request->medium->message);
	}
	request->is_decided = true;
	request->outcome = outcome;
	DL_APPEND(media->decided, request);
	schedule(media);
}

static bool same_string(const char *a, const char *b)
{
	return a == b || (a && b && str_equal(a, b));
}

bool medium_was_asked_for(const struct medium *medium, const char *client, const char *domain)
{
	return same_string(client, medium->asked_client) &&
	       same_string(domain, medium->asked_domain);
}

void medium_decide(struct medium *medium, bool for_mount, enum media_outcome outcome,
		   bool refused_only)
{
	struct media_request *request, *next;

	DL_FOREACH_SAFE (medium->requests, request, next) {
		if (request->for_mount != for_mount)
			continue;
		if (refused_only && !medium_was_asked_for(medium, request->client, request->domain))
			continue;
		decide(request, outcome);
	}
}

void medium_forget_askers(struct medium *medium)
{
	struct media_request *request, *next;

	set_string(&medium->message, "no rule claims the path any more");
	DL_FOREACH_SAFE (medium->requests, request, next)
		decide(request, MEDIA_NOENT);
	DL_FOREACH (medium->rule->media->decided, request)
		if (request->medium == medium) {
			request->medium = NULL;
			request->outcome = MEDIA_NOENT;
			medium->n_decided--;
		}
}

bool medium_is_awaited(const struct medium *medium, bool for_mount)
{
	const struct media_request *request;

	DL_FOREACH (medium->requests, request)
		if (request->for_mount == for_mount)
			return true;
	return !for_mount && medium->load_waits_for_number;
}

bool medium_first_asker(const struct medium *medium, const char **ret_client,
			const char **ret_domain)
{
	const struct media_request *request;

	DL_FOREACH (medium->requests, request) {
		if (!request->for_mount)
			continue;
		*ret_client = request->client;
		*ret_domain = request->domain;
		return true;
	}
	return false;
}

void medium_drop_askers(struct medium *medium)
{
	struct media_request *request, *next;
	struct media_observer *observer;

	DL_FOREACH_SAFE (medium->requests, request, next) {
		DL_DELETE(medium->requests, request);
		request_free(request);
	}
	DL_FOREACH (medium->observers, observer)
		observer->medium = NULL;
	medium->observers = NULL;
}

void media_drop_decided(struct media *media)
{
	while (media->decided) {
		struct media_request *request = media->decided;

		DL_DELETE(media->decided, request);
		request_free(request);
	}
}

/* The medium came and went before this one could be told: it is wanted again. */
static void wait_again(struct media_request *request)
{
	struct medium *medium = request->medium;

	request->is_decided = false;
	medium->n_decided--;
	DL_APPEND(medium->requests, request);
	medium_want_mount(medium, request->client, request->domain);
}

/* It has been told: the callback may have taken away whatever else kept the medium. */
static void end_delivered(struct media_request *request)
{
	struct medium *medium = request->medium;

	request_free(request);
	if (!medium)
		return;
	medium->n_decided--;
	medium_release(medium);
}

static void note_user(struct medium *medium, const char *user)
{
	if (!user || medium->n_users == MEDIUM_USERS_MAX)
		return;
	for (size_t i = 0; i < medium->n_users; i++)
		if (str_equal(medium->users[i], user))
			return;
	medium->users[medium->n_users] = strdup(user);
	if (medium->users[medium->n_users])
		medium->n_users++;
}

void medium_forget_users(struct medium *medium)
{
	while (medium->n_users)
		free(medium->users[--medium->n_users]);
}

static void deliver_mount(struct media_request *request)
{
	struct media_mounted mounted = { .root_fd = -1 };
	bool is_ok = request->outcome == MEDIA_OK;
	struct medium *medium = request->medium;

	DL_DELETE(request->media->decided, request);
	if (is_ok) {
		mounted.root_fd = medium_open_mounted(medium);
		mounted.number = identity_number(medium);
		if (mounted.root_fd < 0 || !mounted.number) {
			closep(&mounted.root_fd);
			wait_again(request);
			return;
		}
		medium_used(medium);
		note_user(medium, request->client ? request->client : request->domain);
	}
	request->mount_done(request->userdata, request->outcome, is_ok ? &mounted : NULL,
			    is_ok ? NULL : request->why);
	closep(&mounted.root_fd);
	end_delivered(request);
}

static void deliver_number(struct media_request *request)
{
	uint32_t number = request->outcome == MEDIA_OK
				  ? numbers_get(request->media->numbers, request->medium->path)
				  : 0;

	DL_DELETE(request->media->decided, request);
	request->number_done(request->userdata, request->outcome, number);
	end_delivered(request);
}

/* ---- observers ---- */

void medium_changed(struct medium *medium)
{
	struct media *media = medium->rule->media;

	if (medium->is_changed || !medium->observers)
		return;
	medium->is_changed = true;
	DL_APPEND2(media->changed, medium, changed_prev, changed_next);
	schedule(media);
}

static void fill_status(const struct medium *medium, struct medium_status *status);

static struct media_observer *next_due(const struct medium *medium)
{
	struct media_observer *observer;

	DL_FOREACH (medium->observers, observer)
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

	DL_FOREACH (medium->observers, observer)
		observer->is_due = true;
	while ((medium = media_find(media, path)) && (observer = next_due(medium))) {
		observer->is_due = false;
		fill_status(medium, &status);
		observer->changed(observer->userdata, &status);
	}
}

int media_deliver(sd_event_source *source, void *userdata)
{
	struct media *media = userdata;

	while (media->changed) {
		struct medium *medium = media->changed;
		CLEANUP(freep) char *path = strdup(medium->path);

		medium->is_changed = false;
		DL_DELETE2(media->changed, medium, changed_prev, changed_next);
		if (path)
			tell_observers(media, path);
	}
	while (media->decided) {
		struct media_request *request = media->decided;

		if (request->for_mount)
			deliver_mount(request);
		else
			deliver_number(request);
	}
	return 0;
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
		medium_release(medium);
		return -ENOMEM;
	}
	observer->medium = medium;
	observer->changed = changed;
	observer->userdata = userdata;
	DL_APPEND(medium->observers, observer);
	*ret_observer = observer;
	return 0;
}

void media_unobserve(struct media_observer *observer)
{
	if (!observer)
		return;
	if (observer->medium) {
		DL_DELETE(observer->medium->observers, observer);
		medium_release(observer->medium);
	}
	free(observer);
}

/* ---- asking ---- */

static void cancel_request(struct pending *pending);

static int request_new(struct media *media, bool for_mount, void *userdata,
		       struct media_request **ret_request)
{
	struct media_request *request = calloc(1, sizeof(*request));

	if (!request)
		return -ENOMEM;
	request->pending.cancel = cancel_request;
	request->media = media;
	request->for_mount = for_mount;
	request->userdata = userdata;
	*ret_request = request;
	return 0;
}

/* Returns with request->medium set, or, if there is no rule, with the request decided. */
static int enter_request(struct media_request *request, const char *path)
{
	const char *key;
	struct rule *rule = media_rule_of(request->media, path, &key);
	int r;

	if (!rule) {
		set_string(&request->why, "no rule claims the path");
		decide(request, MEDIA_NOENT);
		return 0;
	}
	if (strlen(key) > MEDIA_KEY_MAX)
		return -ENAMETOOLONG;
	r = medium_get(rule, path, &request->medium);
	if (r < 0)
		return r;
	DL_APPEND(request->medium->requests, request);
	catalogue_prod(rule);
	return 0;
}

int media_number(struct media *media, const char *path, media_number_fn done, void *userdata,
		 uint32_t *ret_number, struct pending **ret_request)
{
	struct media_request *request;
	const char *key;
	uint32_t number = media_rule_of(media, path, &key) ? numbers_get(media->numbers, path) : 0;
	int r;

	if (number) {
		*ret_number = number;
		return MEDIA_NOW;
	}
	r = request_new(media, false, userdata, &request);
	if (r < 0)
		return r;
	request->number_done = done;
	r = enter_request(request, path);
	if (r < 0) {
		request_free(request);
		return r;
	}
	if (ret_request)
		*ret_request = &request->pending;
	if (request->medium)
		medium_want_number(request->medium);
	return 0;
}

static int on_time_out(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct media_request *request = userdata;
	struct medium *medium = request->medium;

	if (request->is_decided)
		return 0;
	unlink_request(request);
	request->mount_done(request->userdata, MEDIA_TIMED_OUT, NULL, medium->message);
	request_free(request);
	medium_release(medium);
	return 0;
}

static int prepare_mount(struct media_request *request, const char *client, const char *domain,
			 uint64_t timeout_usec)
{
	enum { ACCURACY_USEC = 10000 };
	int r;

	set_string(&request->client, client);
	set_string(&request->domain, domain);
	if ((client && !request->client) || (domain && !request->domain))
		return -ENOMEM;
	if (!timeout_usec)
		return 0;
	r = sd_event_add_time_relative(request->media->event, &request->timer, CLOCK_MONOTONIC,
				       timeout_usec, ACCURACY_USEC, on_time_out, request);
	return r < 0 ? r : 0;
}

int media_mount(struct media *media, const char *path, const char *client, const char *domain,
		uint64_t timeout_usec, media_mount_fn done, void *userdata,
		struct pending **ret_request)
{
	struct media_request *request;
	int r = request_new(media, true, userdata, &request);

	if (r < 0)
		return r;
	request->mount_done = done;
	r = prepare_mount(request, client, domain, timeout_usec);
	if (r == 0)
		r = enter_request(request, path);
	if (r < 0) {
		request_free(request);
		return r;
	}
	if (ret_request)
		*ret_request = &request->pending;
	if (request->medium)
		medium_want_mount(request->medium, client, domain);
	return 0;
}

uint64_t media_deadline_usec(struct media *media, const char *path)
{
	const char *key;
	const struct rule *rule = media_rule_of(media, path, &key);

	return rule ? rule->limits.deadline_usec
		    : media->config->deadline_seconds * media->second_usec;
}

static void cancel_request(struct pending *pending)
{
	struct media_request *request = (struct media_request *)pending;
	struct medium *medium;

	medium = request->medium;
	unlink_request(request);
	request_free(request);
	if (medium)
		medium_release(medium);
}

/* ---- looking ---- */

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

	return medium ? medium->placeholder_fd : -1;
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
	switch (medium->load.stage) {
	case MEDIUM_IDLE: break;
	case MEDIUM_ASKING:
	case MEDIUM_PAUSING: return MEDIA_LOADING;
	case MEDIUM_DONE:
		if (medium->drain.stage != DRAIN_NONE)
			return MEDIA_DRAINING;
		return media_is_mounted(medium->rule->media, medium->path) ? MEDIA_MOUNTED
									   : MEDIA_ABSENT;
	case MEDIUM_FAILED: return MEDIA_FAILED;
	}
	return MEDIA_ABSENT;
}

static void fill_status(const struct medium *medium, struct medium_status *status)
{
	const struct media_request *request;
	size_t n_waiting;

	DL_COUNT(medium->requests, request, n_waiting);
	*status = (struct medium_status){
		.path = medium->path,
		.state = state_of(medium),
		.number = identity_number(medium),
		.listed = medium->is_listed,
		.identity = medium->identity,
		.label = medium->label,
		.size_bytes = medium->size_bytes,
		.source = medium->source,
		.since_usec = medium->since_usec,
		.percent = medium->percent,
		.message = medium->message,
		.n_waiting = n_waiting,
		.users = (const char *const *)medium->users,
		.n_users = medium->n_users,
		.handler = medium->rule->facts.handler,
		.used_usec = medium->used_usec,
		.device = medium->seen.device,
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
		n_mounted += medium->load.stage == MEDIUM_DONE;
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
