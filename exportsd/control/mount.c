/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mount.c - have a medium mounted.
 *
 *	mount path=P	medium... (each change, each progress);
 *			ok fsid=N path=P | noent | denied | busy | error
 */

#include "exportsd/control/common.h"

struct mounting {
	struct control_request request;
	char *path; /* the medium's */
	struct media_observer *observer;
};

/* A client that does not read misses progress, not the outcome. */
static void on_change(void *userdata, const struct medium_status *status)
{
	if (!control_is_full(userdata))
		control_put_medium(userdata, status);
}

static void done(void *userdata, enum media_outcome outcome, struct media_mounted *mounted,
		 const char *why)
{
	static const struct {
		enum proto_outcome outcome;
		const char *text;
	} answers[] = {
		[MEDIA_NOENT] = { PROTO_NOENT, "its handler knows no such medium" },
		[MEDIA_DENIED] = { PROTO_DENIED, "its handler refused" },
		[MEDIA_ERROR] = { PROTO_ERROR, "it cannot be mounted" },
		[MEDIA_TIMED_OUT] = { PROTO_BUSY, "it did not come in time" },
	};
	struct mounting *mounting = userdata;

	mounting->request.pending = NULL;
	if (outcome == MEDIA_OK)
		control_answer_number(&mounting->request, mounted->number, mounting->path);
	else
		control_fail(&mounting->request, answers[outcome].outcome, "%s",
			     why ?: answers[outcome].text);
}

static int start(struct control_request *request, const struct proto_message *message)
{
	struct mounting *mounting = (struct mounting *)request;
	struct media *media = request->daemon->media;
	int r;

	mounting->path = control_get_medium(request, message);
	if (!mounting->path)
		return 0;
	r = media_observe(media, mounting->path, on_change, request, &mounting->observer);
	return r < 0 ? r
		     : media_mount(media, mounting->path, NULL, NULL, 0, done, request,
				   &request->pending);
}

static void end(struct control_request *request)
{
	struct mounting *mounting = (struct mounting *)request;

	if (mounting->observer)
		media_unobserve(mounting->observer);
	free(mounting->path);
}

const struct control_verb control_mount = {
	.word = "mount",
	.size = sizeof(struct mounting),
	.start = start,
	.end = end,
};
