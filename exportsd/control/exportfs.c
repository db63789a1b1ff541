/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * exportfs.c - exportfs(8)'s changes of what is exported.
 *
 *	exportfs action=A [options=O] [ignore-files=1] [verbose=1] [client=C path=P]...
 *		fault... said... suspect path=P... trial path=P flags=N...;
 *		ok errors=N warnings=N changed=0|1 mistakes=N [suspects-known=1] | error (refused)
 *
 * suspect: there is no directory; trial: nfsd is to try it, in its file system's place. Unless they
 * are known, all paths are to be looked at.
 *
 * Before a rule is taken back the media that are mounted under it are drained, so that none stays
 * mounted and held with nobody to let go of it. A medium itself, named with -u, is ejected; the
 * rule still exports it, so the next access loads it again.
 */

#include <errno.h>
#include <stdio.h>
#include <utlist.h>

#include "exportsd/base/log.h"
#include "exportsd/control/common.h"
#include "exportsd/exports/reload.h"

enum { SAID_BYTES = 4096 }; /* in one message */

/* A medium being drained. */
struct draining {
	struct exportfs_request *exportfs;
	struct pending *drain;
	bool is_wanted; /* the medium itself was named: that it stays is a fault */
	struct draining *next;
	char path[];
};

struct exportfs_request {
	struct control_request request;
	struct exports_change *change; /* until it is begun */
	struct draining *draining;
	size_t n_draining; /* not done yet */
	struct diags diags; /* of draining */
	bool verbose;
};

static void end(struct control_request *request)
{
	struct exportfs_request *exportfs = (struct exportfs_request *)request;

	while (exportfs->draining) {
		struct draining *draining = exportfs->draining;

		LL_DELETE(exportfs->draining, draining);
		pending_cancel(&draining->drain);
		free(draining);
	}
	reload_forget(request->daemon->reload, request);
	change_free(exportfs->change);
	diags_done(&exportfs->diags);
}

/* ---- answering ---- */

/* Whole lines, some in each message. */
static void put_said(struct control_request *request, const char *said)
{
	while (*said) {
		size_t length = strnlen(said, SAID_BYTES);

		proto_put_bytes(control_begin(request, "said"), "text", said, length);
		control_end(request);
		said += length;
	}
}

static void put_suspects(struct control_request *request, const struct suspects *suspects)
{
	for (size_t i = 0; i < suspects->n_paths; i++) {
		proto_put(control_begin(request, "suspect"), "path", suspects->paths[i]);
		control_end(request);
	}
	for (size_t i = 0; i < suspects->n_trials; i++) {
		struct proto_writer *out = control_begin(request, "trial");

		proto_put(out, "path", suspects->trials[i].path);
		proto_put_u64(out, "flags", suspects->trials[i].flags);
		control_end(request);
	}
}

static void on_changed(void *userdata, const struct diags *diags, bool applied, bool changed)
{
	struct control_request *request = userdata;
	struct exportfs_request *exportfs = userdata;
	const struct diags *before = &exportfs->diags;
	const struct suspects *suspects = reload_suspects(request->daemon->reload);
	bool are_known = applied && suspects && !suspects->are_too_many;
	struct proto_writer *out;

	control_put_faults(request, before);
	control_put_faults(request, diags);
	if (exportfs->verbose && applied)
		put_said(request, reload_said(request->daemon->reload));
	if (are_known)
		put_suspects(request, suspects);
	out = control_begin_result(request, diags->n_errors + before->n_errors,
				   diags->n_warnings + before->n_warnings, applied, changed);
	proto_put_u64(out, "mistakes", diags->n_mistakes + before->n_mistakes);
	if (are_known)
		proto_put_u64(out, "suspects-known", 1);
	control_finish(request);
	if (applied && changed)
		log_notice(NULL, "Exports changed by exportfs");
}

static void begin(struct exportfs_request *exportfs)
{
	struct control_request *request = &exportfs->request;
	int r = reload_change(request->daemon->reload, TAKE_PTR(exportfs->change), on_changed,
			      request);

	if (r < 0)
		control_fail_errno(request, r);
}

/* ---- draining ---- */

static void on_drained(void *userdata, enum media_drain_outcome outcome, const char *why)
{
	struct draining *draining = userdata;
	struct exportfs_request *exportfs = draining->exportfs;
	const struct position nowhere = { .file = "" };

	draining->drain = NULL;
	if (outcome != MEDIA_DRAINED)
		diag_add(&exportfs->diags, draining->is_wanted ? DIAG_MISTAKE : DIAG_WARNING,
			 &nowhere, "'%s' stays mounted: %s", draining->path, why ?: "it is in use");
	if (--exportfs->n_draining == 0)
		begin(exportfs);
}

/* Somebody else may drain it, or nothing be there: then there is nothing to wait for. */
static int drain(struct exportfs_request *exportfs, const char *path, bool is_wanted)
{
	enum media_drain_kind kind = is_wanted ? MEDIA_DRAIN_EJECT : MEDIA_DRAIN_GONE;
	struct draining *draining = calloc(1, sizeof(*draining) + strlen(path) + 1);
	int r;

	if (!draining)
		return -ENOMEM;
	strcpy(draining->path, path);
	draining->exportfs = exportfs;
	draining->is_wanted = is_wanted;
	r = media_drain(exportfs->request.daemon->media, path, kind, on_drained, draining,
			&draining->drain);
	if (r < 0) {
		free(draining);
		return r == -ENOMEM ? r : 0;
	}
	LL_PREPEND(exportfs->draining, draining);
	exportfs->n_draining++;
	return 0;
}

static bool is_same_rule(const struct snapshot_rule *rule, const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	return strlen(rule->text) == length && memcmp(rule->text, path, length) == 0;
}

/*
 * Do the pairs take the rule from each of its clients? Who is who by name is known only later: by
 * text, then.
 */
static bool is_taken_back(const struct snapshot *snapshot, const struct snapshot_rule *rule,
			  const struct exports_change *change)
{
	for (size_t i = 0; i < snapshot_n_exports(snapshot); i++) {
		const struct snapshot_export *export = snapshot_export(snapshot, i);
		bool found = false;

		if (snapshot_rule_of(snapshot, export) != rule)
			continue;
		for (size_t pair = 0; pair < change->n_pairs && !found; pair++)
			found = is_same_rule(rule, change->pairs[pair].path) &&
				strcasecmp(change->pairs[pair].client, export->client->name) == 0;
		if (!found)
			return false;
	}
	return true;
}

static int drain_if_gone(void *userdata, const struct medium_status *status)
{
	struct exportfs_request *exportfs = userdata;
	const struct snapshot *snapshot = exportfs->request.daemon->snapshot;
	const struct snapshot_rule *rule = snapshot_rule_for_path(snapshot, status->path, NULL);

	if (status->state != MEDIA_MOUNTED || !rule)
		return 0;
	if (exportfs->change->kind == CHANGE_UNEXPORT_ALL ||
	    is_taken_back(snapshot, rule, exportfs->change))
		return drain(exportfs, status->path, false);
	return 0;
}

/* A rule's text may match the rule itself, as a medium's path would. */
static bool is_exported(const struct snapshot *snapshot, const char *path)
{
	for (size_t i = 0; i < snapshot_n_rules(snapshot); i++)
		if (is_same_rule(snapshot_rule(snapshot, i), path))
			return true;
	for (size_t i = 0; i < snapshot_n_exports(snapshot); i++) {
		const struct snapshot_export *export = snapshot_export(snapshot, i);

		if (!export->pattern && str_equal(export->path, path))
			return true;
	}
	return false;
}

/* A pair that names a medium is no export: it leaves the change. */
static int drain_named(struct exportfs_request *exportfs)
{
	const struct snapshot *snapshot = exportfs->request.daemon->snapshot;
	struct exports_change *change = exportfs->change;
	size_t n_left = 0, length;

	for (size_t i = 0; i < change->n_pairs; i++) {
		struct exports_change_pair *pair = &change->pairs[i];
		const struct snapshot_rule *rule =
			snapshot_rule_for_path(snapshot, pair->path, &length);

		if (!rule || pair->path[length] || is_exported(snapshot, pair->path)) {
			if (n_left++ != i)
				change->pairs[n_left - 1] =
					(struct exports_change_pair){ TAKE_PTR(pair->client),
								      TAKE_PTR(pair->path) };
			continue;
		}
		if (drain(exportfs, pair->path, true) < 0)
			return -ENOMEM;
		free(TAKE_PTR(pair->client));
		free(TAKE_PTR(pair->path));
	}
	change->n_pairs = n_left;
	return 0;
}

static int drain_first(struct exportfs_request *exportfs)
{
	struct daemon *daemon = exportfs->request.daemon;
	enum change_kind kind = exportfs->change->kind;
	int r = 0;

	if (!daemon->snapshot || (kind != CHANGE_UNEXPORT && kind != CHANGE_UNEXPORT_ALL))
		return 0;
	if (kind == CHANGE_UNEXPORT)
		r = drain_named(exportfs);
	return r < 0 ? r : media_each(daemon->media, NULL, drain_if_gone, exportfs);
}

/* ---- requests ---- */

/* Clients and paths come in turn. */
static int read_pairs(const struct proto_message *message, struct exports_change *change)
{
	const char *client = NULL;

	change->pairs = calloc(message->n_fields + 1, sizeof(*change->pairs));
	if (!change->pairs)
		return -ENOMEM;
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct proto_field *field = &message->fields[i];
		struct exports_change_pair *pair = &change->pairs[change->n_pairs];

		if (str_equal(field->key, "client"))
			client = field->value;
		if (!str_equal(field->key, "path") || !client)
			continue;
		change->n_pairs++;
		pair->client = strdup(client);
		pair->path = strdup(field->value);
		if (!pair->client || !pair->path)
			return -ENOMEM;
		client = NULL;
	}
	return 0;
}

static int read_request(const struct proto_message *message, struct exportfs_request *exportfs)
{
	const char *options = proto_get(message, "options");
	enum change_kind kind;
	int r;

	if (!change_kind_of(proto_get(message, "action") ?: "", &kind))
		return -EINVAL;
	r = change_new(&exportfs->change, kind);
	if (r == 0)
		r = read_pairs(message, exportfs->change);
	if (r < 0)
		return r;
	exportfs->change->ignore_files = proto_get(message, "ignore-files");
	exportfs->verbose = exportfs->change->is_verbose = proto_get(message, "verbose");
	exportfs->change->options = options ? strdup(options) : NULL;
	return options && !exportfs->change->options ? -ENOMEM : 0;
}

static int start(struct control_request *request, const struct proto_message *message)
{
	struct exportfs_request *exportfs = (struct exportfs_request *)request;
	int r = read_request(message, exportfs);

	if (r == 0)
		r = drain_first(exportfs);
	if (r == 0 && exportfs->n_draining == 0)
		begin(exportfs);
	return r;
}

const struct control_verb control_exportfs = {
	.word = "exportfs",
	.size = sizeof(struct exportfs_request),
	.start = start,
	.end = end,
};
