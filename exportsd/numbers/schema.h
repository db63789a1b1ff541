/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * schema.h - how the number store's file is made, and known again; and SQLite's errors in words.
 */

#include <sqlite3.h>

#include "exportsd/numbers/place.h"

enum { STORE_SCHEMA_VERSION = 2 };

/*
 * store_schema_make - a new file, complete and synced, or none. One that is there already stays.
 * Returns 0; -errno.
 */
int store_schema_make(const char *name, char **reterr_why);

/*
 * store_schema_check - is it ours, of this version, and are its tables and triggers, letter by
 * letter, those below? A bit that flips in them would have SQLite refuse, or allow, what it should
 * not.
 *
 * Returns 0; -EUCLEAN; -EPROTONOSUPPORT (of another version: ours, but with other tables); what
 * store_schema_fail() says.
 */
int store_schema_check(sqlite3 *db, const char *name, char **reterr_why);

/*
 * store_schema_fail - SQLite's result as an errno, and in words.
 *
 * Returns -EUCLEAN: the file is damaged; -EBUSY: another process has it; -ENOSPC, -EROFS, -EIO, ...
 */
int store_schema_fail(sqlite3 *db, int rc, const char *name, char **reterr_why);
