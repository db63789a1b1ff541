/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * exportfs.c - the daemon's end of exportfs(8): changes of what is exported, and the rules
 * for its listings.
 *
 * Before a rule is taken back the media that are mounted under it are drained, so that none stays
 * mounted and held with nobody to let go of it. A medium itself, named with -u, is ejected; the
 * rule still exports it, so the next access loads it again.
 */

#include "exportsd/control/exportfs.h"

#include <errno.h>
#include <stdio.h>
#include <utlist.h>

#include "exportsd/base/log.h"
#include "exportsd/exports/reload.h"

enum { SAID_BYTES = 4096 }; /* in one message */

/* A medium being drained. */
struct draining {
	struct exportfs_request *request;
	struct pending *drain;
	char *path;
	bool is_wanted; /* the medium itself was named: that it stays is a fault */
	struct draining *next;
};

struct exportfs_request {
	struct connection *connection;
	struct change *change; /* until it is begun */
	struct draining *draining;
	size_t n_draining; /* not done yet */
	struct diags diags; /* of draining */
	bool verbose;
};

void control_exportfs_forget(struct connection *connection)
{
	struct exportfs_request *request = connection->exportfs;

	if (!request)
		return;
	while (request->draining) {
		struct draining *draining = request->draining;

		LL_DELETE(request->draining, draining);
		pending_cancel(&draining->drain);
		free(draining->path);
		free(draining);
	}
	change_free(request->change);
	diags_done(&request->diags);
	free(request);
	connection->exportfs = NULL;
}

/* ---- answering ---- */

static void put_faults(struct connection *connection, const struct diags *diags)
{
	for (size_t i = 0; i < diags->n_items; i++)
		put_fault(connection, &diags->items[i]);
}

/* Whole lines, some in each message. */
static void put_said(struct connection *connection, const char *said)
{
	while (*said) {
		size_t length = strnlen(said, SAID_BYTES);

		proto_begin(&connection->out, "said");
		proto_put_bytes(&connection->out, "text", said, length);
		connection_end(connection);
		said += length;
	}
}

static void put_suspects(struct connection *connection, const struct suspects *suspects)
{
	struct proto_writer *out = &connection->out;

	for (size_t i = 0; i < suspects->n_paths; i++) {
		proto_begin(out, "suspect");
		proto_put(out, "path", suspects->paths[i]);
		connection_end(connection);
	}
	for (size_t i = 0; i < suspects->n_trials; i++) {
		proto_begin(out, "trial");
		proto_put(out, "path", suspects->trials[i].path);
		proto_put_u64(out, "flags", suspects->trials[i].flags);
		connection_end(connection);
	}
}

static void on_changed(void *userdata, const struct diags *diags, bool applied, bool changed)
{
	struct connection *connection = userdata;
	struct exportfs_request *request = connection->exportfs;
	const struct suspects *suspects = reload_suspects(connection->daemon->reload);
	struct proto_writer *out = &connection->out;
	bool are_known = applied && suspects && !suspects->are_too_many;

	connection->reloading = false;
	put_faults(connection, &request->diags);
	put_faults(connection, diags);
	if (request->verbose && applied)
		put_said(connection, reload_said(connection->daemon->reload));
	if (are_known)
		put_suspects(connection, suspects);
	proto_begin(out, proto_outcome_word(applied ? PROTO_OK : PROTO_ERROR));
	if (are_known)
		proto_put_u64(out, "suspects-known", 1);
	proto_put_u64(out, "errors", diags->n_errors + request->diags.n_errors);
	proto_put_u64(out, "warnings", diags->n_warnings + request->diags.n_warnings);
	proto_put_u64(out, "mistakes", diags->n_mistakes + request->diags.n_mistakes);
	proto_put_u64(out, "changed", changed);
	if (!applied)
		proto_put(out, "message", "the exports in force stay as they were");
	connection_end(connection);
	if (applied && changed)
		log_notice(NULL, "Exports changed by exportfs");
	else if (!applied)
		log_error(NULL,
			  "The exports files have faults (%zu), keeping the previous exports; "
			  "exportsctl check shows them",
			  diags->n_errors);
	requests_forget(connection);
	connection_arm(connection);
}

static void begin(struct exportfs_request *request)
{
	struct connection *connection = request->connection;
	int r = reload_change(connection->daemon->reload, TAKE_PTR(request->change), on_changed,
			      connection);

	if (r < 0)
		connection_answer(connection, PROTO_ERROR, strerror(-r));
	else
		connection->reloading = true;
}

/* ---- draining ---- */

static void on_drained(void *userdata, enum media_drain_outcome outcome, const char *why)
{
	struct draining *draining = userdata;
	struct exportfs_request *request = draining->request;
	const struct position nowhere = { .file = "" };

	draining->drain = NULL;
	if (outcome != MEDIA_DRAINED)
		diag_add(&request->diags, draining->is_wanted ? DIAG_MISTAKE : DIAG_WARNING,
			 &nowhere, "'%s' stays mounted: %s", draining->path, why ?: "it is in use");
	if (--request->n_draining == 0)
		begin(request);
}

static int drain(struct exportfs_request *request, const char *path, bool is_wanted)
{
	struct draining *draining = calloc(1, sizeof(*draining));
	int r = -ENOMEM;

	if (draining)
		draining->path = strdup(path);
	if (draining && draining->path) {
		draining->request = request;
		draining->is_wanted = is_wanted;
		r = media_drain(request->connection->daemon->media, path,
				is_wanted ? MEDIA_DRAIN_EJECT : MEDIA_DRAIN_GONE, on_drained,
				draining, &draining->drain);
	}
	if (r < 0) {
		if (draining)
			free(draining->path);
		free(draining);
		/*
		 * Somebody else drains it, or nothing is there: then there is nothing to wait for.
		 */
		return r == -ENOMEM ? r : 0;
	}
	LL_PREPEND(request->draining, draining);
	request->n_draining++;
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
			  const struct change *change)
{
	for (size_t i = 0; i < snapshot_n_exports(snapshot); i++) {
		const struct export *export = snapshot_export(snapshot, i);
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
	struct exportfs_request *request = userdata;
	const struct snapshot *snapshot = request->connection->daemon->snapshot;
	const struct snapshot_rule *rule = snapshot_rule_for_path(snapshot, status->path, NULL);

	if (status->state != MEDIA_MOUNTED || !rule)
		return 0;
	if (request->change->kind == CHANGE_UNEXPORT_ALL ||
	    is_taken_back(snapshot, rule, request->change))
		return drain(request, status->path, false);
	return 0;
}

/* A rule's text may match the rule itself, as a medium's path would. */
static bool is_exported(const struct snapshot *snapshot, const char *path)
{
	for (size_t i = 0; i < snapshot_n_rules(snapshot); i++)
		if (is_same_rule(snapshot_rule(snapshot, i), path))
			return true;
	for (size_t i = 0; i < snapshot_n_exports(snapshot); i++) {
		const struct export *export = snapshot_export(snapshot, i);

		if (!export->pattern && str_equal(export->path, path))
			return true;
	}
	return false;
}

/* A pair that names a medium is no export: it leaves the change. */
static int drain_named(struct exportfs_request *request)
{
	const struct snapshot *snapshot = request->connection->daemon->snapshot;
	struct change *change = request->change;
	size_t n_left = 0, length;

	for (size_t i = 0; i < change->n_pairs; i++) {
		struct change_pair *pair = &change->pairs[i];
		const struct snapshot_rule *rule =
			snapshot_rule_for_path(snapshot, pair->path, &length);

		if (!rule || pair->path[length] || is_exported(snapshot, pair->path)) {
			change->pairs[n_left++] = *pair;
			continue;
		}
		if (drain(request, pair->path, true) < 0)
			return -ENOMEM;
		free(pair->client);
		free(pair->path);
	}
	change->n_pairs = n_left;
	return 0;
}

static int drain_first(struct exportfs_request *request)
{
	struct daemon *daemon = request->connection->daemon;
	enum change_kind kind = request->change->kind;
	int r = 0;

	if (!daemon->snapshot || (kind != CHANGE_UNEXPORT && kind != CHANGE_UNEXPORT_ALL))
		return 0;
	if (kind == CHANGE_UNEXPORT)
		r = drain_named(request);
	return r < 0 ? r : media_each(daemon->media, NULL, drain_if_gone, request);
}

/* ---- requests ---- */

/* Clients and paths come in turn. */
static int read_pairs(const struct proto_message *message, struct change *change)
{
	const char *client = NULL;

	change->pairs = calloc(message->n_fields + 1, sizeof(*change->pairs));
	if (!change->pairs)
		return -ENOMEM;
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct proto_field *field = &message->fields[i];
		struct change_pair *pair = &change->pairs[change->n_pairs];

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

static int read_request(const struct proto_message *message, struct exportfs_request *request)
{
	const char *options = proto_get(message, "options");
	enum change_kind kind;
	int r;

	if (!change_kind_of(proto_get(message, "action") ?: "", &kind))
		return -EINVAL;
	r = change_new(&request->change, kind);
	if (r == 0)
		r = read_pairs(message, request->change);
	if (r < 0)
		return r;
	request->change->ignore_files = proto_get(message, "ignore-files");
	request->verbose = request->change->is_verbose = proto_get(message, "verbose");
	request->change->options = options ? strdup(options) : NULL;
	return options && !request->change->options ? -ENOMEM : 0;
}

void control_start_exportfs(struct connection *connection, const struct proto_message *message)
{
	struct exportfs_request *request = calloc(1, sizeof(*request));
	int r = -ENOMEM;

	connection->exportfs = request;
	if (request) {
		request->connection = connection;
		r = read_request(message, request);
	}
	if (r == 0)
		r = drain_first(request);
	if (r < 0) {
		connection_answer(connection, PROTO_ERROR, strerror(-r));
		return;
	}
	connection->waiting = true;
	connection_arm(connection);
	if (request->n_draining == 0)
		begin(request);
}

/* ---- rules ---- */

/* A listing's last message is as long as its longest line. */
static void put_rule(struct connection *connection, const struct export *export, const char *path,
		     const struct export_options *options, uint32_t fsid)
{
	uint32_t per_flavor = kernel_per_flavor_flags(connection->daemon->kernel);
	CLEANUP(freep) char *line = NULL;
	size_t length;
	FILE *to = open_memstream(&line, &length);

	if (!to) {
		connection->closing = true;
		return;
	}
	(void)export_print_etab(to, path, export->client->name, options, fsid, per_flavor);
	if (fclose(to) != 0) {
		connection->closing = true;
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	proto_begin(&connection->out, "rule");
	proto_put(&connection->out, "etab", line);
	connection_end(connection);
}

/* What is mounted under a rule, as the plain export that it is now. */
struct media_of_rule {
	struct connection *connection;
	const struct export *export;
};

static int put_medium_of(void *userdata, const struct medium_status *status)
{
	struct media_of_rule *wanted = userdata;
	struct connection *connection = wanted->connection;
	const struct snapshot *snapshot = connection->daemon->snapshot;
	struct export_options options = *wanted->export->options;

	if (status->state != MEDIA_MOUNTED ||
	    snapshot_rule_for_path(snapshot, status->path, NULL) !=
		    snapshot_rule_of(snapshot, wanted->export))
		return 0;
	options.handler = NULL;
	options.flags |= EXPORT_FSID;
	put_rule(connection, wanted->export, status->path, &options, status->number);
	return connection->closing;
}

static bool produce_rules(struct connection *connection)
{
	struct daemon *daemon = connection->daemon;
	size_t n = daemon->snapshot ? snapshot_n_exports(daemon->snapshot) : 0;

	if (exports_changed(connection))
		return false;
	while (connection->n_done < n && connection_pending(connection) < CONTROL_CHUNK &&
	       !connection->closing) {
		const struct export *export =
			snapshot_export(daemon->snapshot, connection->n_done++);
		struct media_of_rule wanted = { connection, export };

		if (!export->pattern)
			continue;
		put_rule(connection, export, export->pattern, export->options, export->fsid);
		if (connection->lists_media)
			(void)media_each(daemon->media, NULL, put_medium_of, &wanted);
	}
	return connection->n_done == n;
}

void control_start_rules(struct connection *connection, const struct proto_message *message)
{
	connection->since = reload_applied_usec(connection->daemon->reload);
	connection->lists_media = proto_get(message, "media");
	connection->producer = produce_rules;
	connection_arm(connection);
}
