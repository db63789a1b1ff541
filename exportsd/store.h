/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * store.h - the number store's SQLite file, as its process sees it.
 *
 * One row a number: number, path (BLOB: bytes), identity of the medium it was given for (NULL: whatever is at the
 * path), primary, created, retired. Rows are added and retired, never deleted or changed otherwise. A commit is
 * synced (synchronous=FULL) before it is answered. Schema version in user_version.
 */

#include "handlers/proto.h"

/* The worker's side: open @file (WORKER_STORE's argument) once, then answer questions; a run of
 * waiting questions shares one transaction. */
int store_main(int fd, const char *file);
