/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * eject.c - an end to a medium's being mounted.
 *
 *	eject path=P [wait-ms=N] [force=1]	hit..., waiting...; ok path=P | noent | busy | error
 *
 * A medium that is held is not drained, so that who holds it can go on and come to an end: it is
 * tried again each second until the wait is over. Each "waiting" carries the device, so that
 * exportsctl can look itself who that is, which may take long. With force the drain takes NFSv4
 * state away; each "hit" is a client that loses some.
 */

#include <errno.h>
#include <sys/sysmacros.h>

#include "exportsd/base/log.h"
#include "exportsd/control/common.h"
#include "exportsd/kernel/states.h"

enum {
	WAIT_MAX_MSEC = 7 * 24 * 3600 * 1000,
	PAUSE_USEC = 1000 * 1000,
};

struct eject {
	struct control_request request;
	char *path; /* the medium's */
	struct later again;
	uint64_t end_usec;
	uint64_t force;
};

static void try(void *userdata);

/* A client that does not read misses that it waits, not the outcome. */
static void tell_waiting(struct eject *eject)
{
	struct control_request *request = &eject->request;
	struct medium_status status;
	struct proto_writer *out;

	if (control_is_full(request) || !media_status(request->daemon->media, eject->path, &status))
		return;
	out = control_begin(request, "waiting");
	proto_put(out, "path", eject->path);
	proto_printf(out, "device", "%u:%u", major(status.device), minor(status.device));
	control_end(request);
}

static void wait_on(struct eject *eject)
{
	int r;

	if (later_now_usec() >= eject->end_usec) {
		control_fail(&eject->request, PROTO_BUSY,
			     "it is in use; exportsctl busy tells who uses it");
		return;
	}
	tell_waiting(eject);
	r = later_call_in(&eject->again, eject->request.daemon->event, PAUSE_USEC, try, eject);
	if (r < 0)
		control_fail_errno(&eject->request, r);
}

static void on_drained(void *userdata, enum media_drain_outcome outcome, const char *why)
{
	struct eject *eject = userdata;

	eject->request.pending = NULL;
	switch (outcome) {
	case MEDIA_DRAINED:
		proto_put(control_begin_outcome(&eject->request, PROTO_OK), "path", eject->path);
		control_finish(&eject->request);
		break;
	case MEDIA_DRAIN_IN_USE:
	case MEDIA_DRAIN_WANTED: wait_on(eject); break;
	case MEDIA_DRAIN_FAILED:
		control_fail(&eject->request, PROTO_ERROR, "%s",
			     why ?: "its handler cannot unmount it");
		break;
	}
}

static void try(void *userdata)
{
	struct eject *eject = userdata;
	int r = media_drain(eject->request.daemon->media, eject->path,
			    eject->force ? MEDIA_DRAIN_FORCE : MEDIA_DRAIN_EJECT, on_drained, eject,
			    &eject->request.pending);

	if (r == -EALREADY || r == -EBUSY)
		wait_on(eject);
	else if (r == -ENOENT)
		control_fail(&eject->request, PROTO_NOENT, "no rule claims this path");
	else if (r < 0)
		control_fail_errno(&eject->request, r);
}

static int tell_hit(void *userdata, const struct kernel_client *client)
{
	struct eject *eject = userdata;
	struct proto_writer *out = control_begin(&eject->request, "hit");

	proto_put(out, "address", client->address);
	proto_put(out, "name", client->name);
	proto_put_u64(out, "opens", client->here.n_opens);
	proto_put_u64(out, "locks", client->here.n_locks);
	proto_put_u64(out, "delegations", client->here.n_delegations);
	proto_put_u64(out, "elsewhere",
		      client->elsewhere.n_opens + client->elsewhere.n_locks +
			      client->elsewhere.n_layouts);
	control_end(&eject->request);
	log_notice(ABOUT(.path = eject->path, .client = client->address),
		   "'%s' is ejected by force: client %s loses %u open files and %u locks on it",
		   eject->path, client->address, client->here.n_opens, client->here.n_locks);
	return 0;
}

static void on_looked(void *userdata, int error, const struct kernel_holdings *holdings)
{
	struct eject *eject = userdata;
	struct medium_status status;

	eject->request.pending = NULL;
	/* Without knowing whom it hits it goes on all the same. */
	if (holdings && media_status(eject->request.daemon->media, eject->path, &status) &&
	    (status.state == MEDIA_MOUNTED || status.state == MEDIA_DRAINING))
		(void)kernel_holdings_each(holdings, status.device, tell_hit, eject);
	try(eject);
}

static int start(struct control_request *request, const struct proto_message *message)
{
	struct eject *eject = (struct eject *)request;
	uint64_t wait_msec = 0;

	eject->path = control_get_medium(request, message);
	if (!eject->path)
		return 0;
	(void)proto_get_u64(message, "wait-ms", WAIT_MAX_MSEC, &wait_msec);
	(void)proto_get_u64(message, "force", 1, &eject->force);
	eject->end_usec = later_now_usec() + wait_msec * 1000;
	if (!eject->force ||
	    kernel_states_look(request->daemon->states, 0, on_looked, eject, &request->pending) < 0)
		try(eject);
	return 0;
}

static void end(struct control_request *request)
{
	struct eject *eject = (struct eject *)request;

	later_cancel(&eject->again);
	free(eject->path);
}

const struct control_verb control_eject = {
	.word = "eject",
	.size = sizeof(struct eject),
	.start = start,
	.end = end,
};
