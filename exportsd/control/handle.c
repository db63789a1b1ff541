/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * handle.c - what a file handle's file system id means: exportsctl handle.
 *
 *	handle  fsid-type=N  fsid=\xHEX
 *
 * is answered by a "place" for each path: of the number store first (the medium it stands for,
 * whether that is there now, whether it is retired), then exports that have this id.
 */

#include "exportsd/control/verb.h"
#include "exportsd/media/media.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/questions/questions.h"
#include "parser/escape.h"

/* Is this number's medium mounted, as far as that is known? */
static bool is_of_what_is_there(struct media *media, const char *path, uint32_t number)
{
	uint32_t mounted;
	CLEANUP(closep) int root = media_open_mounted(media, path, &mounted);

	return root >= 0 && media_number_fits(media, path, number);
}

static void put_given_number(struct control_request *request, uint32_t number, const char *path)
{
	const struct daemon *daemon = request->daemon;
	uint32_t primary = numbers_get(daemon->numbers, path);
	struct proto_writer *out = control_begin(request, "place");
	struct medium_status status;
	bool is_medium = media_status(daemon->media, path, &status);

	/* Of a file system that is exported again (reexport=), or of a rule that is gone. */
	proto_put(out, "kind", is_medium ? "medium" : "number");
	proto_put(out, "path", path);
	proto_put(out, "identity", numbers_identity(daemon->numbers, number));
	if (numbers_is_retired(daemon->numbers, number))
		proto_put_u64(out, "retired", 1);
	if (primary && primary != number) {
		proto_put_u64(out, "fsid", primary);
		proto_put(out, "identity-now", numbers_identity(daemon->numbers, primary));
	}
	if (is_medium) {
		proto_put(out, "state", media_state_word(status.state));
		proto_put_u64(out, "fits", is_of_what_is_there(daemon->media, path, number));
	}
	control_end(request);
}

static void on_named(void *userdata, const char *const *paths, size_t n_paths, bool complete)
{
	struct control_request *request = userdata;
	struct proto_writer *out;

	request->pending = NULL;
	for (size_t i = 0; i < n_paths; i++) {
		out = control_begin(request, "place");
		proto_put(out, "kind", "export");
		proto_put(out, "path", paths[i]);
		control_end(request);
	}
	out = control_begin_outcome(request, PROTO_OK);
	if (!complete)
		proto_put(out, "message", "some file systems did not answer in time");
	control_finish(request);
}

static int start(struct control_request *request, const struct proto_message *message)
{
	const struct daemon *daemon = request->daemon;
	const char *hex = proto_get(message, "fsid"), *path;
	struct kernel_fsid fsid = { 0 };
	uint64_t type;

	if (proto_get_u64(message, "fsid-type", FSID_N_TYPES - 1, &type) < 0 || !hex ||
	    unescape_hex(hex, fsid.bytes, sizeof(fsid.bytes)) !=
		    (ssize_t)kernel_fsid_length((enum kernel_fsid_type)type)) {
		control_fail(request, PROTO_ERROR, "this is no file system id of a file handle");
		return 0;
	}
	fsid.type = (enum kernel_fsid_type)type;
	if (type == FSID_NUM) {
		path = numbers_path(daemon->numbers, kernel_fsid_number(&fsid));
		if (path)
			put_given_number(request, kernel_fsid_number(&fsid), path);
	}
	return questions_name(daemon->questions, &fsid, on_named, request, &request->pending);
}

const struct control_verb control_handle = { .word = "handle", .start = start };
