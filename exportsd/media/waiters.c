/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waiters.c - those who wait for a medium or its number, on whose behalf, and how they are told.
 *
 * A request waits in its medium's list until it is decided; then in the list of the decided, which
 * is emptied in the next turn of the loop, so that nobody is called back from within his own call.
 * A request for a mount is looked at once more when it is delivered: if the medium was unmounted
 * meanwhile, it waits again.
 */

#include <errno.h>

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
	struct later timer;
	char *client, *domain;
};

/* ---- requests ---- */

static void unlink_request(struct media_request *request)
{
	if (!request->is_decided) {
		DL_DELETE(request->medium->waiters.requests, request);
		return;
	}
	DL_DELETE(request->media->decided, request);
	if (request->medium)
		request->medium->waiters.n_decided--;
}

static struct media_request *request_free(struct media_request *request)
{
	later_cancel(&request->timer);
	free(request->why);
	free(request->client);
	free(request->domain);
	free(request);
	return NULL;
}

static void deliver(void *userdata);

static void decide(struct media_request *request, enum media_outcome outcome)
{
	struct media *media = request->media;

	if (request->medium) {
		unlink_request(request);
		request->medium->waiters.n_decided++;
		if (outcome != MEDIA_OK)
			media_set_string(&request->why, request->medium->said.message);
	}
	request->is_decided = true;
	request->outcome = outcome;
	DL_APPEND(media->decided, request);
	later_call(&media->deliver, media->event, deliver, media);
}

static bool same_string(const char *a, const char *b)
{
	return a == b || (a && b && str_equal(a, b));
}

static bool was_asked_for(const struct medium *medium, const char *client, const char *domain)
{
	return same_string(client, medium->load.client) && same_string(domain, medium->load.domain);
}

bool medium_has_others(const struct medium *medium)
{
	const struct media_request *request;

	DL_FOREACH (medium->waiters.requests, request)
		if (request->for_mount && !was_asked_for(medium, request->client, request->domain))
			return true;
	return false;
}

void medium_decide(struct medium *medium, enum medium_part part, enum media_outcome outcome,
		   bool refused_only)
{
	struct media_request *request, *next;

	DL_FOREACH_SAFE (medium->waiters.requests, request, next) {
		if (request->for_mount != (part == MEDIUM_MOUNT))
			continue;
		if (refused_only && !was_asked_for(medium, request->client, request->domain))
			continue;
		decide(request, outcome);
	}
}

void medium_forget_askers(struct medium *medium)
{
	struct media_request *request, *next;

	medium_say(medium, "no rule claims the path any more");
	DL_FOREACH_SAFE (medium->waiters.requests, request, next)
		decide(request, MEDIA_NOENT);
	DL_FOREACH (media_of(medium)->decided, request)
		if (request->medium == medium) {
			request->medium = NULL;
			request->outcome = MEDIA_NOENT;
			medium->waiters.n_decided--;
		}
}

size_t medium_n_waiting(const struct medium *medium)
{
	const struct media_request *request;
	size_t n;

	DL_COUNT(medium->waiters.requests, request, n);
	return n;
}

bool medium_is_awaited(const struct medium *medium, enum medium_part part)
{
	const struct media_request *request;

	if (part == MEDIUM_DRAIN)
		return false;
	DL_FOREACH (medium->waiters.requests, request)
		if (request->for_mount == (part == MEDIUM_MOUNT))
			return true;
	return part == MEDIUM_NUMBER && medium_stage(medium, MEDIUM_MOUNT) == MEDIUM_WAITING;
}

bool medium_first_asker(const struct medium *medium, const char **ret_client,
			const char **ret_domain)
{
	const struct media_request *request;

	DL_FOREACH (medium->waiters.requests, request) {
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

	DL_FOREACH_SAFE (medium->waiters.requests, request, next) {
		DL_DELETE(medium->waiters.requests, request);
		request_free(request);
	}
}

void media_drop_decided(struct media *media)
{
	later_cancel(&media->deliver);
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
	medium->waiters.n_decided--;
	DL_APPEND(medium->waiters.requests, request);
	medium_report(medium, MEDIUM_MOUNT, MEDIUM_WANTED);
}

/* It has been told: the callback may have taken away whatever else kept the medium. */
static void end_delivered(struct media_request *request)
{
	struct medium *medium = request->medium;

	request_free(request);
	if (!medium)
		return;
	medium->waiters.n_decided--;
	medium_report(medium, MEDIUM_ALL, MEDIUM_UNUSED);
}

static void note_user(struct medium *medium, const char *user)
{
	if (!user || medium->waiters.n_users == MEDIUM_USERS_MAX)
		return;
	for (size_t i = 0; i < medium->waiters.n_users; i++)
		if (str_equal(medium->waiters.users[i], user))
			return;
	medium->waiters.users[medium->waiters.n_users] = strdup(user);
	if (medium->waiters.users[medium->waiters.n_users])
		medium->waiters.n_users++;
}

void medium_forget_users(struct medium *medium)
{
	while (medium->waiters.n_users)
		free(medium->waiters.users[--medium->waiters.n_users]);
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
		queue_used(medium);
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

static void deliver(void *userdata)
{
	struct media *media = userdata;

	while (media->decided) {
		struct media_request *request = media->decided;

		if (request->for_mount)
			deliver_mount(request);
		else
			deliver_number(request);
	}
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
		media_set_string(&request->why, "no rule claims the path");
		decide(request, MEDIA_NOENT);
		return 0;
	}
	if (strlen(key) > MEDIA_KEY_MAX)
		return -ENAMETOOLONG;
	r = medium_get(rule, path, &request->medium);
	if (r < 0)
		return r;
	DL_APPEND(request->medium->waiters.requests, request);
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
		medium_report(request->medium, MEDIUM_NUMBER, MEDIUM_WANTED);
	return 0;
}

static void on_time_out(void *userdata)
{
	struct media_request *request = userdata;
	struct medium *medium = request->medium;

	if (request->is_decided)
		return;
	unlink_request(request);
	request->mount_done(request->userdata, MEDIA_TIMED_OUT, NULL, medium->said.message);
	request_free(request);
	medium_report(medium, MEDIUM_ALL, MEDIUM_UNUSED);
}

static int prepare_mount(struct media_request *request, const char *client, const char *domain,
			 uint64_t timeout_usec)
{
	media_set_string(&request->client, client);
	media_set_string(&request->domain, domain);
	if ((client && !request->client) || (domain && !request->domain))
		return -ENOMEM;
	if (!timeout_usec)
		return 0;
	return later_call_in(&request->timer, request->media->event, timeout_usec, on_time_out,
			     request);
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
		medium_report(request->medium, MEDIUM_MOUNT, MEDIUM_WANTED);
	return 0;
}

uint64_t media_deadline_usec(struct media *media, const char *path)
{
	const char *key;
	const struct rule *rule = media_rule_of(media, path, &key);

	return rule ? rule->limits.deadline_usec : media->config->deadline_seconds * second_usec;
}

static void cancel_request(struct pending *pending)
{
	struct media_request *request = (struct media_request *)pending;
	struct medium *medium;

	medium = request->medium;
	unlink_request(request);
	request_free(request);
	if (medium)
		medium_report(medium, MEDIUM_ALL, MEDIUM_UNUSED);
}
