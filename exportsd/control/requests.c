/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * requests.c - what exportsctl may ask, and how it is answered.
 *
 * A request is answered at once, or by a producer, or by a callback of exports/reload.c or media/media.c. A
 * producer notes in the connection where it stopped. Media are resumed by path and may change
 * between chunks: each entry is true when it is written.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "exportsd/base/log.h"
#include "exportsd/control/exportfs.h"
#include "exportsd/control/life.h"
#include "exportsd/control/requests.h"
#include "exportsd/exports/reload.h"
#include "exportsd/mountd/mountd.h"
#include "exportsd/questions/questions.h"

void requests_forget(struct connection *connection)
{
	if (connection->reloading)
		reload_forget(connection->daemon->reload, connection);
	control_exportfs_forget(connection);
	pending_cancel(&connection->numbers_question);
	if (connection->verifying)
		numbers_verify_cancel(connection->daemon->numbers, connection);
	pending_cancel(&connection->mounting);
	pending_cancel(&connection->naming);
	if (connection->observer)
		media_unobserve(connection->observer);
	eject_forget(TAKE_PTR(connection->eject));
	free(connection->path);
	free(connection->after);
	connection->path = connection->after = NULL;
	connection->mounting = NULL;
	connection->naming = NULL;
	connection->observer = NULL;
	connection->producer = NULL;
	connection->numbers_question = NULL;
	connection->waiting = connection->reloading = connection->verifying = false;
	connection->n_done = 0;
}

static void answer_number(struct connection *connection, uint32_t number, const char *path)
{
	proto_begin(&connection->out, proto_outcome_word(PROTO_OK));
	proto_put_u64(&connection->out, "fsid", number);
	proto_put(&connection->out, "path", path);
	connection_end(connection);
	requests_forget(connection);
	connection_arm(connection);
}

/* ---- status ---- */

static void put_kernel(struct connection *connection)
{
	static const char *const asked[] = { "asked-ip", "asked-gid", "asked-export", "asked-fh" };
	static const char *const answered[] = { "answered-ip", "answered-gid", "answered-export",
						"answered-fh" };
	const struct daemon *daemon = connection->daemon;
	const struct kernel_counts *counts = kernel_counts(daemon->kernel);
	struct proto_writer *out = &connection->out;

	proto_begin(out, "kernel");
	for (int cache = 0; cache < KERNEL_N_CACHES; cache++) {
		proto_put_u64(out, asked[cache], counts->asked[cache]);
		proto_put_u64(out, answered[cache], counts->answered[cache]);
	}
	proto_put_u64(out, "waiting", questions_n_waiting(daemon->questions));
	proto_put_u64(out, "flushes", counts->flushes);
	proto_put_u64(out, "export-flushes", counts->export_flushes);
	proto_put_u64(out, "handle-flushes", counts->handle_flushes);
	proto_put_u64(out, "forgotten", counts->forgotten);
	connection_end(connection);
}

static void put_daemon(struct connection *connection)
{
	const struct daemon *daemon = connection->daemon;
	struct proto_writer *out = &connection->out;

	proto_begin(out, "daemon");
	proto_put(out, "version", EXPORTSD_VERSION);
	proto_put_u64(out, "pid", (uint64_t)getpid());
	proto_put_u64(out, "exports", daemon->snapshot ? snapshot_n_exports(daemon->snapshot) : 0);
	proto_put_u64(out, "rules", daemon->snapshot ? snapshot_n_rules(daemon->snapshot) : 0);
	proto_put_u64(out, "numbers", numbers_count(daemon->numbers));
	proto_put_u64(out, "applied-usec", reload_applied_usec(daemon->reload));
	proto_put_u64(out, "reload-errors", reload_n_errors(daemon->reload));
	if (daemon->mountd)
		proto_put_u64(out, "mount-port", mountd_port(daemon->mountd));
	connection_end(connection);
}

static void put_medium(struct connection *connection, const struct medium_status *status)
{
	struct proto_writer *out = &connection->out;
	char device[32];

	proto_begin(out, "medium");
	proto_put(out, "path", status->path);
	proto_put(out, "state", media_state_word(status->state));
	if (status->number)
		proto_put_u64(out, "fsid", status->number);
	proto_put_u64(out, "listed", status->listed);
	proto_put(out, "identity", status->identity);
	proto_put(out, "label", status->label);
	if (status->size_bytes)
		proto_put_u64(out, "size-bytes", status->size_bytes);
	proto_put(out, "source", status->source);
	if (status->state == MEDIA_MOUNTED || status->state == MEDIA_DRAINING) {
		(void)snprintf(device, sizeof(device), "%u:%u", major(status->device),
			       minor(status->device));
		proto_put(out, "device", device);
	}
	if (status->since_usec)
		proto_put_u64(out, "since-usec", status->since_usec);
	if (status->state == MEDIA_LOADING)
		proto_put_u64(out, "percent", status->percent);
	proto_put(out, "message", status->message);
	proto_put_u64(out, "waiting", status->n_waiting);
	proto_put(out, "handler", status->handler);
	connection_end(connection);
	for (size_t i = 0; status->state == MEDIA_MOUNTED && i < status->n_users; i++) {
		proto_begin(out, "client");
		proto_put(out, "client", status->users[i]);
		proto_put(out, "path", status->path);
		connection_end(connection);
	}
}

/* One of mountd's callers: skipped if it is written already, or about another path. */
struct clients_walk {
	struct connection *connection;
	size_t seen;
};

static bool is_at_or_below(const char *path, const char *top)
{
	size_t length = strlen(top);

	return strncmp(path, top, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static int put_client(void *userdata, const char *client, const char *path)
{
	struct clients_walk *walk = userdata;
	struct connection *connection = walk->connection;

	if (walk->seen++ < connection->n_done)
		return 0;
	if (connection_pending(connection) >= CONTROL_CHUNK || connection->closing)
		return 1;
	connection->n_done = walk->seen;
	if (connection->path && !is_at_or_below(path, connection->path))
		return 0;
	proto_begin(&connection->out, "client");
	proto_put(&connection->out, "client", client);
	proto_put(&connection->out, "path", path);
	connection_end(connection);
	return 0;
}

/*
 * Resumed by position, newest first: who mounts meanwhile shifts the others, so one may be written
 * twice; exportsctl counts each address and path once.
 */
static bool produce_clients(struct connection *connection)
{
	struct clients_walk walk = { .connection = connection };
	struct mountd *mountd = connection->daemon->mountd;

	return !mountd || mountd_each_mount(mountd, put_client, &walk) == 0;
}

static int put_next_medium(void *userdata, const struct medium_status *status)
{
	struct connection *connection = userdata;
	char *after;

	put_medium(connection, status);
	if (connection->closing)
		return 1;
	if (connection_pending(connection) < CONTROL_CHUNK)
		return 0;
	after = strdup(status->path);
	if (!after) {
		connection->closing = true;
		return 1;
	}
	free(connection->after);
	connection->after = after;
	return 1;
}

static bool produce_media(struct connection *connection)
{
	if (media_each(connection->daemon->media, connection->after, put_next_medium, connection) ==
	    0)
		connection->producer = produce_clients;
	return false;
}

/*
 * The medium that a path is, or lies in, whatever client asks; NULL if no rule claims it.
 * Returns a string to free(3).
 */
static char *find_medium(const struct snapshot *snapshot, const char *path)
{
	size_t length;

	if (!snapshot || !snapshot_rule_for_path(snapshot, path, &length))
		return NULL;
	return strndup(path, length);
}

static void start_status(struct connection *connection, const struct proto_message *message)
{
	struct daemon *daemon = connection->daemon;
	const char *path = proto_get(message, "path");
	struct medium_status status;

	if (path) {
		connection->path = find_medium(daemon->snapshot, path);
		if (!connection->path) {
			connection_answer(connection, PROTO_NOENT, "no rule claims this path");
			return;
		}
		if (!media_status(daemon->media, connection->path, &status)) {
			connection_answer(
				connection, PROTO_NOENT,
				"a rule claims this path, but its handler knows no such medium");
			return;
		}
		put_medium(connection, &status);
		connection->producer = produce_clients;
	} else {
		put_daemon(connection);
		put_kernel(connection);
		fsid_put_copies(connection);
		connection->producer = produce_media;
	}
	connection_arm(connection);
}

/* ---- exports ---- */

/* How an export is called in listings: a rule by its text. */
static const char *export_name(const struct snapshot *snapshot, const struct export *export)
{
	return export->pattern ? snapshot_rule_of(snapshot, export)->text : export->path;
}

static void put_export(struct connection *connection, const struct export *export)
{
	const struct daemon *daemon = connection->daemon;
	uint32_t per_flavor = kernel_per_flavor_flags(daemon->kernel);
	const struct position at = snapshot_as_written(daemon->snapshot, export).at;
	CLEANUP(freep) char *line = NULL;
	size_t length;
	FILE *to = open_memstream(&line, &length);
	int r = -ENOMEM;

	if (to) {
		r = snapshot_print_export(daemon->snapshot, export, to, per_flavor);
		if (fclose(to) != 0)
			r = -ENOMEM;
	}
	if (r < 0) {
		connection->closing = true;
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	proto_begin(&connection->out, "export");
	proto_put(&connection->out, "path", export_name(daemon->snapshot, export));
	proto_put(&connection->out, "client", export->client->name);
	proto_put(&connection->out, "etab", line);
	proto_put(&connection->out, "handler", export->options->handler);
	proto_put(&connection->out, "file", at.file);
	proto_put_u64(&connection->out, "line", at.line);
	connection_end(connection);
}

bool exports_changed(struct connection *connection)
{
	if (connection->since == reload_applied_usec(connection->daemon->reload))
		return false;
	connection_answer(connection, PROTO_BUSY,
			  "other exports came into force while they were listed");
	return true;
}

static bool produce_exports(struct connection *connection)
{
	const struct daemon *daemon = connection->daemon;
	size_t n = daemon->snapshot ? snapshot_n_exports(daemon->snapshot) : 0;

	if (connection->since != reload_applied_usec(daemon->reload)) {
		connection_answer(connection, PROTO_BUSY,
				  "other exports came into force while they were listed");
		return false;
	}
	while (connection->n_done < n && connection_pending(connection) < CONTROL_CHUNK &&
	       !connection->closing)
		put_export(connection, snapshot_export(daemon->snapshot, connection->n_done++));
	return connection->n_done == n;
}

static void start_exports(struct connection *connection, const struct proto_message *message)
{
	connection->since = reload_applied_usec(connection->daemon->reload);
	connection->producer = produce_exports;
	connection_arm(connection);
}

/* ---- reload ---- */

void put_fault(struct connection *connection, const struct diag *diag)
{
	struct proto_writer *out = &connection->out;

	proto_begin(out, "fault");
	proto_put(out, "level", diag->level == DIAG_ERROR ? "error" : "warning");
	proto_put(out, "file", diag->file);
	proto_put_u64(out, "line", diag->line);
	proto_put_u64(out, "column", diag->column);
	proto_put(out, "text", diag->text);
	proto_put(out, "line-text", diag->line_text);
	connection_end(connection);
}

static void reload_done(void *userdata, const struct diags *diags, bool applied, bool changed)
{
	struct connection *connection = userdata;
	struct proto_writer *out = &connection->out;

	connection->reloading = false;
	for (size_t i = 0; i < diags->n_items; i++)
		put_fault(connection, &diags->items[i]);
	proto_begin(out, proto_outcome_word(applied ? PROTO_OK : PROTO_ERROR));
	proto_put_u64(out, "errors", diags->n_errors);
	proto_put_u64(out, "warnings", diags->n_warnings);
	proto_put_u64(out, "changed", changed);
	if (!applied)
		proto_put(out, "message", "the exports in force stay as they were");
	connection_end(connection);
	requests_forget(connection);
	connection_arm(connection);
	if (applied)
		log_notice(NULL, "Exports reloaded by exportsctl: %s",
			   changed ? "in force" : "nothing changed");
	else
		log_error(NULL,
			  "The exports files have faults (%zu), keeping the previous exports; "
			  "exportsctl check shows them",
			  diags->n_errors);
}

static void start_reload(struct connection *connection, const struct proto_message *message)
{
	int r = reload_start(connection->daemon->reload, false, reload_done, connection);

	if (r < 0) {
		connection_answer(connection, PROTO_ERROR, strerror(-r));
		return;
	}
	connection->reloading = connection->waiting = true;
	connection_arm(connection);
}

/* ---- mount ---- */

/* A client that does not read misses progress, not the outcome. */
static void medium_changed(void *userdata, const struct medium_status *status)
{
	struct connection *connection = userdata;

	if (connection_pending(connection) >= CONTROL_CHUNK)
		return;
	put_medium(connection, status);
	connection_arm(connection);
}

static void mount_done(void *userdata, enum media_outcome outcome, struct media_mounted *mounted,
		       const char *why)
{
	struct connection *connection = userdata;

	connection->mounting = NULL;
	switch (outcome) {
	case MEDIA_OK: answer_number(connection, mounted->number, connection->path); break;
	case MEDIA_NOENT:
		connection_answer(connection, PROTO_NOENT,
				  why ?: "its handler knows no such medium");
		break;
	case MEDIA_DENIED:
		connection_answer(connection, PROTO_DENIED, why ?: "its handler refused");
		break;
	case MEDIA_ERROR:
		connection_answer(connection, PROTO_ERROR, why ?: "it cannot be mounted");
		break;
	case MEDIA_TIMED_OUT:
		connection_answer(connection, PROTO_BUSY, why ?: "it did not come in time");
		break;
	}
}

static void start_mount(struct connection *connection, const struct proto_message *message)
{
	struct daemon *daemon = connection->daemon;
	const char *path = proto_get(message, "path");
	int r;

	connection->path = path ? find_medium(daemon->snapshot, path) : NULL;
	if (!connection->path) {
		connection_answer(connection, PROTO_NOENT, "no rule claims this path");
		return;
	}
	r = media_observe(daemon->media, connection->path, medium_changed, connection,
			  &connection->observer);
	if (r >= 0)
		r = media_mount(daemon->media, connection->path, NULL, NULL, 0, mount_done,
				connection, &connection->mounting);
	if (r < 0) {
		connection_answer(connection, PROTO_ERROR, strerror(-r));
		return;
	}
	connection->waiting = true;
	connection_arm(connection);
}

static void start_eject(struct connection *connection, const struct proto_message *message)
{
	const char *path = proto_get(message, "path");

	connection->path = path ? find_medium(connection->daemon->snapshot, path) : NULL;
	if (connection->path)
		eject_start(connection, message);
	else
		connection_answer(connection, PROTO_NOENT, "no rule claims this path");
}

/* ---- fsid and path ---- */

/* The plain export with this path, or with this number if @path is NULL. */
static const struct export *find_numbered(const struct snapshot *snapshot, const char *path,
					  uint32_t number)
{
	for (size_t i = 0; snapshot && i < snapshot_n_exports(snapshot); i++) {
		const struct export *export = snapshot_export(snapshot, i);

		if (export->pattern || !(export->options->flags & EXPORT_FSID))
			continue;
		if (path ? str_equal(export->path, path) : export->fsid == number)
			return export;
	}
	return NULL;
}

static void start_fsid(struct connection *connection, const struct proto_message *message)
{
	struct daemon *daemon = connection->daemon;
	const char *path = proto_get(message, "path") ?: "";
	const struct export *export = find_numbered(daemon->snapshot, path, 0);
	uint32_t number = numbers_get(daemon->numbers, path);
	CLEANUP(freep) char *medium = NULL;

	if (export) {
		answer_number(connection, export->fsid, path);
		return;
	}
	if (number) {
		answer_number(connection, number, path);
		return;
	}
	medium = find_medium(daemon->snapshot, path);
	number = medium ? numbers_get(daemon->numbers, medium) : 0;
	if (number)
		answer_number(connection, number, medium);
	else
		connection_answer(connection, PROTO_NOENT,
				  medium ? "this medium has no number yet"
					 : "no rule claims this path");
}

static void start_path(struct connection *connection, const struct proto_message *message)
{
	struct daemon *daemon = connection->daemon;
	const struct export *export;
	uint64_t number;
	const char *path;

	if (proto_get_u64(message, "fsid", UINT32_MAX, &number) < 0) {
		connection_answer(connection, PROTO_ERROR, "this is no number of a file system");
		return;
	}
	path = numbers_path(daemon->numbers, (uint32_t)number);
	export = path ? NULL : find_numbered(daemon->snapshot, NULL, (uint32_t)number);
	if (export)
		path = export->path;
	if (path)
		answer_number(connection, (uint32_t)number, path);
	else
		connection_answer(connection, PROTO_NOENT, "nothing has this number");
}

static const struct {
	const char *word;
	void (*start)(struct connection *connection, const struct proto_message *message);
} verbs[] = {
	{ "status", start_status },
	{ "exports", start_exports },
	{ "reload", start_reload },
	{ "mount", start_mount },
	{ "eject", start_eject },
	{ "fsid", start_fsid },
	{ "path", start_path },
	{ "handle", control_start_handle },
	{ "exportfs", control_start_exportfs },
	{ "rules", control_start_rules },
	{ "fsid-list", fsid_start_list },
	{ "fsid-set", fsid_start_set },
	{ "fsid-retire", fsid_start_retire },
	{ "fsid-take", fsid_start_take },
	{ "fsid-verify", fsid_start_verify },
};

void requests_start(struct connection *connection, const struct proto_message *message)
{
	for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
		if (str_equal(verbs[i].word, message->word)) {
			verbs[i].start(connection, message);
			return;
		}
	connection_answer(connection, PROTO_UNSUPPORTED, "exportsd does not know this request");
}
