/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rmtab.h - who has mounted what, as far as MOUNT callers say: what DUMP lists.
 *
 * Advice, never truth: clients crash, and NFSv4 does not speak MOUNT. Nothing is decided
 * by it. One entry for each (client, path), newest first.
 *
 * Kept in a file in rpc.mountd's form: a line "client:path:0x00000001", ':' in the client
 * written as ';' (nfs-utils support/nfs/rmtab.c).
 */

#include <stdio.h>

#include "parser/base.h"

/* One more, and the oldest is forgotten. */
enum { RMTAB_MAX = 16384 };

struct rmtab;

int rmtab_new(struct rmtab **ret_rmtab);
struct rmtab *rmtab_free(struct rmtab *rmtab);

/* rmtab_add - this is now the newest entry. Returns 0; -ENOMEM. */
int rmtab_add(struct rmtab *rmtab, const char *client, const char *path);
/* Returns whether anything was removed. */
bool rmtab_remove(struct rmtab *rmtab, const char *client, const char *path);
bool rmtab_remove_client(struct rmtab *rmtab, const char *client);

size_t rmtab_count(const struct rmtab *rmtab);
/* Newest first; a non-zero return ends it and is returned. */
int rmtab_each(const struct rmtab *rmtab,
	       int (*each)(void *userdata, const char *client, const char *path), void *userdata);

/* rmtab_merge - add another list's entries that are new here, as the oldest, while there is room. */
void rmtab_merge(struct rmtab *rmtab, const struct rmtab *other);

/*
 * rmtab_read - add a file's entries, each newer than the one before it. Lines that are none are
 * passed over. rmtab_read_stream - the same of a file that is open.
 *
 * Returns 0; -ENOENT; -errno.
 */
int rmtab_read(struct rmtab *rmtab, const char *file);
int rmtab_read_stream(struct rmtab *rmtab, FILE *from);

/*
 * rmtab_write - put the file in place of the old one.
 *
 * Readers see the old or the new one, never half of one. It is not synced: after a power failure
 * it may be empty, and nobody depends on it. An entry whose path holds a newline is left out.
 */
int rmtab_write(const struct rmtab *rmtab, const char *file);
void rmtab_write_stream(const struct rmtab *rmtab, FILE *to);
