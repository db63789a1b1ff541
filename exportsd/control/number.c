/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * number.c - from a path to its number, and back: two verbs over the same two sources, the exports
 * files and the number store.
 *
 *	fsid path=P	ok fsid=N path=P | noent
 *	path fsid=N	ok fsid=N path=P | noent | error
 */

#include "exportsd/control/common.h"
#include "exportsd/numbers/numbers.h"

static int start_fsid(struct control_request *request, const struct proto_message *message)
{
	const struct numbers *numbers = request->daemon->numbers;
	const char *path = proto_get(message, "path") ?: "";
	const struct snapshot_export *export = control_export_by_hand(request->daemon, path, 0);
	CLEANUP(freep) char *medium = control_find_medium(request->daemon, path);

	if (export)
		control_answer_number(request, export->fsid, path);
	else if (numbers_get(numbers, path))
		control_answer_number(request, numbers_get(numbers, path), path);
	else if (!medium)
		control_fail(request, PROTO_NOENT, "no rule claims this path");
	else if (numbers_get(numbers, medium))
		control_answer_number(request, numbers_get(numbers, medium), medium);
	else
		control_fail(request, PROTO_NOENT, "this medium has no number yet");
	return 0;
}

const struct control_verb control_fsid = { .word = "fsid", .start = start_fsid };

static int start_path(struct control_request *request, const struct proto_message *message)
{
	const struct daemon *daemon = request->daemon;
	const struct snapshot_export *export;
	const char *path;
	uint32_t number;

	if (!control_get_number(request, message, UINT32_MAX, &number))
		return 0;
	path = numbers_path(daemon->numbers, number);
	export = path ? NULL : control_export_by_hand(daemon, NULL, number);
	if (export)
		path = export->path;
	if (path)
		control_answer_number(request, number, path);
	else
		control_fail(request, PROTO_NOENT, "nothing has this number");
	return 0;
}

const struct control_verb control_path = { .word = "path", .start = start_path };
