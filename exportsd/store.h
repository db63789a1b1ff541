/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * store.h - the number store's SQLite file: read once by the daemon at its start, then written by
 * a process of its own.
 *
 * One row a number: number, path (BLOB: bytes), identity of the medium it was given for (NULL: whatever is at the
 * path), primary, created, retired. Rows are added and retired, never deleted or changed otherwise: triggers
 * see to it. A commit is synced before it is answered. Schema version in user_version.
 */

#include "handlers/proto.h"

/* Told every row. Bytes are borrowed during the call and not NUL-terminated; a negative result ends the reading. */
struct store_reader {
	void *userdata;
	int (*number)(void *userdata, uint32_t number, const char *path, size_t n_bytes,
		      bool is_primary);
	int (*directory)(void *userdata, const char *path, size_t n_bytes);
};

/*
 * store_load - make the file if it is missing, check it, and read it. Blocks.
 *
 * @reterr_why: on failure what is wrong and what to do about it, to free(3); NULL if memory is out
 *
 * Returns 0; -EBUSY (another process has it); -EUCLEAN (damaged); -EPROTONOSUPPORT (made by a newer
 * version); -ENOMEM, -EIO, ...; or what the reader returned (*reterr_why is NULL then). The file is only ever
 * written if all is well with it.
 */
int store_load(const char *file, const struct store_reader *reader, char **reterr_why);

/*
 * store_main - the process's side (WORKER_STORE): answer questions until the socket closes; those that
 * wait share one transaction.
 *
 *	numbers      number=N path=P, again and again: N is P's primary number from now on. Said again, it
 *	             is true already; -EEXIST if N is another path's or P has another one (message= tells)
 *	directories  made=1 or made=0, path=P again and again
 *
 * A question is done as a whole or not at all. "ok" means synced.
 */
int store_main(int fd, const char *file);
