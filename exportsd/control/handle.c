/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * handle.c - what a file handle's file system id means: exportsctl handle.
 *
 *	handle  fsid-type=N  fsid=\xHEX
 *
 * is answered by a "place" for each path: of the number store first (the medium it stands for,
 * whether that is there now, whether it is retired), then exports that have this id.
 */

#include "exportsd/control/requests.h"
#include "exportsd/questions/questions.h"
#include "parser/escape.h"

/* Is this number's medium mounted, as far as that is known? */
static bool is_of_what_is_there(struct media *media, const char *path, uint32_t number)
{
	uint32_t mounted;
	CLEANUP(closep) int root = media_open_mounted(media, path, &mounted);

	return root >= 0 && media_number_fits(media, path, number);
}

static void put_given_number(struct connection *connection, uint32_t number, const char *path)
{
	const struct daemon *daemon = connection->daemon;
	uint32_t primary = numbers_get(daemon->numbers, path);
	struct proto_writer *out = &connection->out;
	struct medium_status status;
	bool is_medium = media_status(daemon->media, path, &status);

	proto_begin(out, "place");
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
	connection_end(connection);
}

static void on_named(void *userdata, const char *const *paths, size_t n_paths, bool complete)
{
	struct connection *connection = userdata;

	connection->naming = NULL;
	for (size_t i = 0; i < n_paths; i++) {
		proto_begin(&connection->out, "place");
		proto_put(&connection->out, "kind", "export");
		proto_put(&connection->out, "path", paths[i]);
		connection_end(connection);
	}
	connection_answer(connection, PROTO_OK,
			  complete ? NULL : "some file systems did not answer in time");
}

void control_start_handle(struct connection *connection, const struct proto_message *message)
{
	const struct daemon *daemon = connection->daemon;
	const char *hex = proto_get(message, "fsid"), *path;
	struct kernel_fsid fsid = { 0 };
	uint64_t type;

	if (proto_get_u64(message, "fsid-type", FSID_N_TYPES - 1, &type) < 0 || !hex ||
	    unescape_hex(hex, fsid.bytes, sizeof(fsid.bytes)) !=
		    (ssize_t)kernel_fsid_length((enum kernel_fsid_type)type)) {
		connection_answer(connection, PROTO_ERROR,
				  "this is no file system id of a file handle");
		return;
	}
	fsid.type = (enum kernel_fsid_type)type;
	if (type == FSID_NUM) {
		path = numbers_path(daemon->numbers, kernel_fsid_number(&fsid));
		if (path)
			put_given_number(connection, kernel_fsid_number(&fsid), path);
	}
	if (questions_name(daemon->questions, &fsid, on_named, connection, &connection->naming) <
	    0) {
		connection_answer(connection, PROTO_ERROR, "out of memory");
		return;
	}
	connection->waiting = true;
	connection_arm(connection);
}
