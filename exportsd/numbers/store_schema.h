/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * store_schema.h - how the number store's file is made, known again, and brought from an older
 * version to this one; and how a damaged one is put aside. For store_file.c.
 */

#include <sqlite3.h>
#include <stddef.h>

enum { STORE_SCHEMA_VERSION = 2 };

/*
 * store_schema_make - a new file, complete and synced, or none. One that is there already stays.
 * Returns 0; -errno.
 */
int store_schema_make(const char *name, char **reterr_why);

/*
 * store_schema_recognize - what is a file, by its first page?
 *
 * OURS: a number store, or what damage may have left of one. FOREIGN: another program's database.
 */
enum store_schema_kind { STORE_SCHEMA_OURS, STORE_SCHEMA_FOREIGN, STORE_SCHEMA_UNKNOWN };
enum store_schema_kind store_schema_recognize(const char *bytes, size_t n_bytes);

/*
 * store_schema_version - is it ours, and of a version that we know?
 *
 * Returns 0; -EIO (SQLite has the error); -EUCLEAN (another kind of database); -EPROTONOSUPPORT (a
 * newer one).
 */
int store_schema_version(sqlite3 *db, const char *name, int *ret_version, char **reterr_why);

/*
 * store_schema_check - are the tables and triggers, letter by letter, those of
 * STORE_SCHEMA_VERSION? A bit that flips in them would have SQLite refuse, or allow, what it should
 * not.
 *
 * Returns 0; -EIO (SQLite has the error); -EUCLEAN.
 */
int store_schema_check(sqlite3 *db, const char *name, char **reterr_why);

/*
 * store_schema_migrate - to STORE_SCHEMA_VERSION, as a whole or not at all. Returns SQLite's
 * result.
 */
int store_schema_migrate(sqlite3 *db, int version);
