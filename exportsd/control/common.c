/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* common.c - what several verbs look up and say. */

#include "exportsd/control/common.h"

#include <stdio.h>
#include <sys/sysmacros.h>

#include "exportsd/base/log.h"
#include "exportsd/numbers/numbers.h"

/* ---- looking up ---- */

char *control_find_medium(const struct daemon *daemon, const char *path)
{
	size_t length;

	if (!daemon->snapshot || !snapshot_rule_for_path(daemon->snapshot, path, &length))
		return NULL;
	return strndup(path, length);
}

char *control_get_medium(struct control_request *request, const struct proto_message *message)
{
	const char *path = proto_get(message, "path");
	char *medium = path ? control_find_medium(request->daemon, path) : NULL;

	if (!medium)
		control_fail(request, PROTO_NOENT, "no rule claims this path");
	return medium;
}

bool control_get_number(struct control_request *request, const struct proto_message *message,
			uint32_t max, uint32_t *ret_number)
{
	uint64_t number;

	if (proto_get_u64(message, "fsid", max, &number) < 0) {
		control_fail(request, PROTO_ERROR, "this is no number of a file system");
		return false;
	}
	*ret_number = (uint32_t)number;
	return true;
}

const struct snapshot_export *control_export_by_hand(const struct daemon *daemon, const char *path,
						     uint32_t number)
{
	const struct snapshot *snapshot = daemon->snapshot;

	for (size_t i = 0; snapshot && i < snapshot_n_exports(snapshot); i++) {
		const struct snapshot_export *export = snapshot_export(snapshot, i);

		if (export->pattern || !(export->options->flags & EXPORT_FSID))
			continue;
		if (path ? str_equal(export->path, path) : export->fsid == number)
			return export;
	}
	return NULL;
}

/* ---- entries ---- */

void control_put_medium(struct control_request *request, const struct medium_status *status)
{
	struct proto_writer *out = control_begin(request, "medium");

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
	if (status->state == MEDIA_MOUNTED || status->state == MEDIA_DRAINING)
		proto_printf(out, "device", "%u:%u", major(status->device), minor(status->device));
	if (status->since_usec)
		proto_put_u64(out, "since-usec", status->since_usec);
	if (status->state == MEDIA_LOADING)
		proto_put_u64(out, "percent", status->percent);
	proto_put(out, "message", status->message);
	proto_put_u64(out, "waiting", status->n_waiting);
	proto_put(out, "handler", status->handler);
	control_end(request);
	for (size_t i = 0; status->state == MEDIA_MOUNTED && i < status->n_users; i++) {
		out = control_begin(request, "client");
		proto_put(out, "client", status->users[i]);
		proto_put(out, "path", status->path);
		control_end(request);
	}
}

size_t control_put_copies(struct control_request *request)
{
	struct numbers_copy_status copy;
	size_t n_bad = 0;

	for (size_t i = 0; numbers_copy(request->daemon->numbers, i, &copy); i++) {
		struct proto_writer *out = control_begin(request, "copy");

		proto_put(out, "file", copy.file);
		proto_put(out, "state", copy.state);
		proto_put_u64(out, "rows", copy.n_rows);
		proto_put(out, "message", copy.why);
		control_end(request);
		n_bad += copy.why != NULL;
	}
	return n_bad;
}

void control_put_faults(struct control_request *request, const struct diags *diags)
{
	for (size_t i = 0; i < diags->n_items; i++) {
		const struct diag *diag = &diags->items[i];
		struct proto_writer *out = control_begin(request, "fault");

		proto_put(out, "level", diag->level == DIAG_ERROR ? "error" : "warning");
		proto_put(out, "file", diag->file);
		proto_put_u64(out, "line", diag->line);
		proto_put_u64(out, "column", diag->column);
		proto_put(out, "text", diag->text);
		proto_put(out, "line-text", diag->line_text);
		control_end(request);
	}
}

/* ---- outcomes ---- */

void control_answer_number(struct control_request *request, uint32_t number, const char *path)
{
	struct proto_writer *out = control_begin_outcome(request, PROTO_OK);

	proto_put_u64(out, "fsid", number);
	proto_put(out, "path", path);
	control_finish(request);
}

struct proto_writer *control_begin_result(struct control_request *request, size_t n_errors,
					  size_t n_warnings, bool applied, bool changed)
{
	struct proto_writer *out = control_begin_outcome(request, applied ? PROTO_OK : PROTO_ERROR);

	proto_put_u64(out, "errors", n_errors);
	proto_put_u64(out, "warnings", n_warnings);
	proto_put_u64(out, "changed", changed);
	if (applied)
		return out;
	proto_put(out, "message", "the exports in force stay as they were");
	log_error(NULL,
		  "The exports files have faults (%zu), keeping the previous exports; "
		  "exportsctl check shows them",
		  n_errors);
	return out;
}
