/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * exports.c - what is exported, for exportsctl, and the rules among it, for exportfs(8).
 *
 *	exports			export...; ok | busy
 *	rules [media=1]		rule etab=LINE...; ok | busy
 *
 * busy: other exports came into force while they were listed; ask again. With media=1 a rule is
 * followed by what is mounted under it, as the plain exports that these are now.
 */

#include <stdio.h>

#include "exportsd/control/common.h"
#include "exportsd/exports/reload.h"
#include "exportsd/kernel/kernel.h"

struct listing {
	struct control_request request;
	uint64_t since; /* when the exports that are being listed came into force */
	size_t n_done;
	bool with_media;
};

static int start(struct control_request *request, const struct proto_message *message)
{
	struct listing *listing = (struct listing *)request;

	listing->since = reload_applied_usec(request->daemon->reload);
	listing->with_media = proto_get(message, "media");
	return 0;
}

static bool produce(struct control_request *request,
		    void (*put)(struct listing *listing, const struct snapshot_export *export))
{
	struct listing *listing = (struct listing *)request;
	const struct snapshot *snapshot = request->daemon->snapshot;
	size_t n = snapshot ? snapshot_n_exports(snapshot) : 0;

	if (listing->since != reload_applied_usec(request->daemon->reload)) {
		control_fail(request, PROTO_BUSY,
			     "other exports came into force while they were listed");
		return false;
	}
	while (listing->n_done < n && !control_is_full(request))
		put(listing, snapshot_export(snapshot, listing->n_done++));
	return listing->n_done == n;
}

/* A line of etab, as a field of the entry that is being written. */
static void put_etab(struct control_request *request, struct proto_writer *out, const char *path,
		     const char *client, const struct export_options *options, uint32_t fsid)
{
	uint32_t per_flavor = kernel_per_flavor_flags(request->daemon->kernel);
	CLEANUP(freep) char *line = NULL;
	size_t length;
	FILE *to = open_memstream(&line, &length);

	if (to)
		(void)export_print_etab(to, path, client, options, fsid, per_flavor);
	if (!to || fclose(to) != 0) {
		control_break(request);
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	proto_put(out, "etab", line);
}

/* ---- exports ---- */

static void put_export(struct listing *listing, const struct snapshot_export *export)
{
	struct control_request *request = &listing->request;
	const struct snapshot *snapshot = request->daemon->snapshot;
	const struct snapshot_as_written written = snapshot_as_written(snapshot, export);
	struct proto_writer *out = control_begin(request, "export");

	proto_put(out, "path",
		  export->pattern ? snapshot_rule_of(snapshot, export)->text : export->path);
	proto_put(out, "client", export->client->name);
	put_etab(request, out, export->pattern ?: export->path, written.client, written.options,
		 written.fsid);
	proto_put(out, "handler", export->options->handler);
	proto_put(out, "file", written.at.file);
	proto_put_u64(out, "line", written.at.line);
	control_end(request);
}

static bool produce_exports(struct control_request *request)
{
	return produce(request, put_export);
}

const struct control_verb control_exports = {
	.word = "exports",
	.size = sizeof(struct listing),
	.start = start,
	.produce = produce_exports,
};

/* ---- rules ---- */

static void put_shown(struct listing *listing, const struct snapshot_export *export,
		      const char *path, const struct export_options *options, uint32_t fsid)
{
	struct proto_writer *out = control_begin(&listing->request, "rule");

	put_etab(&listing->request, out, path, export->client->name, options, fsid);
	control_end(&listing->request);
}

struct media_of_rule {
	struct listing *listing;
	const struct snapshot_export *export;
};

static int put_medium_of(void *userdata, const struct medium_status *status)
{
	struct media_of_rule *wanted = userdata;
	const struct snapshot *snapshot = wanted->listing->request.daemon->snapshot;
	struct export_options options = *wanted->export->options;

	if (status->state != MEDIA_MOUNTED ||
	    snapshot_rule_for_path(snapshot, status->path, NULL) !=
		    snapshot_rule_of(snapshot, wanted->export))
		return 0;
	options.handler = NULL;
	options.flags |= EXPORT_FSID;
	put_shown(wanted->listing, wanted->export, status->path, &options, status->number);
	return 0;
}

static void put_rule(struct listing *listing, const struct snapshot_export *export)
{
	struct media_of_rule wanted = { listing, export };

	if (!export->pattern)
		return;
	put_shown(listing, export, export->pattern, export->options, export->fsid);
	if (listing->with_media)
		(void)media_each(listing->request.daemon->media, NULL, put_medium_of, &wanted);
}

static bool produce_rules(struct control_request *request)
{
	return produce(request, put_rule);
}

const struct control_verb control_rules = {
	.word = "rules",
	.size = sizeof(struct listing),
	.start = start,
	.produce = produce_rules,
};
