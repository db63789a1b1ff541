/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * status.c - the daemon, and its media.
 *
 *	status [path=P]		daemon, kernel, copy..., medium..., client...; ok
 *				with a path: medium, client...; ok | noent
 *
 * Media are resumed by path and may change between chunks: each entry is true when it is written.
 */

#include "exportsd/control/common.h"
#include "exportsd/exports/reload.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/mountd/mountd.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/questions/questions.h"

struct status {
	struct control_request request;
	char *path; /* of the medium that it is about; NULL: all */
	bool has_media; /* all are written */
	char *after; /* media up to this path are written */
	size_t n_clients; /* written, or passed over */
};

static void put_kernel(struct control_request *request)
{
	static const char *const asked[] = { "asked-ip", "asked-gid", "asked-export", "asked-fh" };
	static const char *const answered[] = { "answered-ip", "answered-gid", "answered-export",
						"answered-fh" };
	const struct kernel_counts *counts = kernel_counts(request->daemon->kernel);
	struct proto_writer *out = control_begin(request, "kernel");

	for (int cache = 0; cache < KERNEL_N_CACHES; cache++) {
		proto_put_u64(out, asked[cache], counts->asked[cache]);
		proto_put_u64(out, answered[cache], counts->answered[cache]);
	}
	proto_put_u64(out, "waiting", questions_n_waiting(request->daemon->questions));
	proto_put_u64(out, "flushes", counts->flushes);
	proto_put_u64(out, "export-flushes", counts->export_flushes);
	proto_put_u64(out, "handle-flushes", counts->handle_flushes);
	proto_put_u64(out, "forgotten", counts->forgotten);
	control_end(request);
}

static void put_daemon(struct control_request *request)
{
	const struct daemon *daemon = request->daemon;
	struct proto_writer *out = control_begin(request, "daemon");

	proto_put(out, "version", EXPORTSD_VERSION);
	proto_put_u64(out, "pid", (uint64_t)getpid());
	proto_put_u64(out, "exports", daemon->snapshot ? snapshot_n_exports(daemon->snapshot) : 0);
	proto_put_u64(out, "rules", daemon->snapshot ? snapshot_n_rules(daemon->snapshot) : 0);
	proto_put_u64(out, "numbers", numbers_count(daemon->numbers));
	proto_put_u64(out, "applied-usec", reload_applied_usec(daemon->reload));
	proto_put_u64(out, "reload-errors", reload_n_errors(daemon->reload));
	if (daemon->mountd)
		proto_put_u64(out, "mount-port", mountd_port(daemon->mountd));
	control_end(request);
}

/* ---- the MOUNT service's callers ---- */

struct walk {
	struct status *status;
	size_t n_seen;
};

static bool is_at_or_below(const char *path, const char *top)
{
	size_t length = strlen(top);

	return strncmp(path, top, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static int put_client(void *userdata, const char *client, const char *path)
{
	struct walk *walk = userdata;
	struct status *status = walk->status;
	struct proto_writer *out;

	if (walk->n_seen++ < status->n_clients)
		return 0;
	if (control_is_full(&status->request))
		return 1;
	status->n_clients = walk->n_seen;
	if (status->path && !is_at_or_below(path, status->path))
		return 0;
	out = control_begin(&status->request, "client");
	proto_put(out, "client", client);
	proto_put(out, "path", path);
	control_end(&status->request);
	return 0;
}

/*
 * Resumed by position, newest first: who mounts meanwhile shifts the others, so one may be written
 * twice; exportsctl counts each address and path once.
 */
static bool produce_clients(struct status *status)
{
	struct walk walk = { .status = status };
	struct mountd *mountd = status->request.daemon->mountd;

	return !mountd || mountd_each_mount(mountd, put_client, &walk) == 0;
}

/* ---- media ---- */

static int put_next_medium(void *userdata, const struct medium_status *medium)
{
	struct status *status = userdata;

	control_put_medium(&status->request, medium);
	if (!control_is_full(&status->request))
		return 0;
	free(status->after);
	status->after = strdup(medium->path);
	if (!status->after)
		control_break(&status->request);
	return 1;
}

static bool produce(struct control_request *request)
{
	struct status *status = (struct status *)request;

	if (status->has_media)
		return produce_clients(status);
	status->has_media =
		media_each(request->daemon->media, status->after, put_next_medium, status) == 0;
	return false;
}

static void start_medium(struct status *status, const struct proto_message *message)
{
	struct control_request *request = &status->request;
	struct medium_status medium;

	status->path = control_get_medium(request, message);
	if (!status->path)
		return;
	status->has_media = true;
	if (media_status(request->daemon->media, status->path, &medium))
		control_put_medium(request, &medium);
	else
		control_fail(request, PROTO_NOENT,
			     "a rule claims this path, but its handler knows no such medium");
}

static int start(struct control_request *request, const struct proto_message *message)
{
	if (proto_get(message, "path")) {
		start_medium((struct status *)request, message);
		return 0;
	}
	put_daemon(request);
	put_kernel(request);
	control_put_copies(request);
	return 0;
}

static void end(struct control_request *request)
{
	struct status *status = (struct status *)request;

	free(status->path);
	free(status->after);
}

const struct control_verb control_status = {
	.word = "status",
	.size = sizeof(struct status),
	.start = start,
	.produce = produce,
	.end = end,
};
