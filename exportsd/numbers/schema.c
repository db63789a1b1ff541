/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * schema.c - the tables of the number store.
 *
 * A new file is made complete beside its place, synced, and renamed into it, so a file of ours is
 * never empty or half made, and one that is, is damaged.
 */

#include "exportsd/numbers/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "exportsd/numbers/row.h"

enum { N_TABLES_AND_TRIGGERS = 8 };
static const char tables[] =
	"CREATE TABLE number ("
	" number INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 2147483647),"
	" path BLOB NOT NULL CHECK (substr(path, 1, 1) = x'2f' AND instr(path, x'00') = 0),"
	" identity BLOB CHECK (identity IS NULL OR length(identity) > 0),"
	" sequence INTEGER NOT NULL CHECK (sequence >= 0),"
	" retired INTEGER NOT NULL CHECK (retired IN (0, 1)),"
	" created INTEGER NOT NULL,"
	" checksum INTEGER NOT NULL"
	") STRICT;"
	"CREATE TRIGGER number_stays BEFORE DELETE ON number BEGIN"
	" SELECT raise(ABORT, 'a number is never deleted, only retired'); END;"
	"CREATE TRIGGER number_keeps_its_meaning BEFORE UPDATE OF number, path ON number BEGIN"
	" SELECT raise(ABORT, 'a number never changes its meaning'); END;"
	"CREATE TRIGGER number_keeps_its_identity BEFORE UPDATE OF identity ON number"
	" WHEN OLD.identity IS NOT NULL AND NEW.identity IS NOT OLD.identity BEGIN"
	" SELECT raise(ABORT, 'a number never stands for another medium'); END;"
	"CREATE TRIGGER number_goes_on BEFORE UPDATE OF sequence ON number"
	" WHEN NEW.sequence < OLD.sequence BEGIN"
	" SELECT raise(ABORT, 'what was said last stays'); END;"
	"CREATE TABLE directory ("
	" path BLOB PRIMARY KEY NOT NULL CHECK (substr(path, 1, 1) = x'2f' AND instr(path, x'00') = 0),"
	" sequence INTEGER NOT NULL CHECK (sequence >= 0),"
	" retired INTEGER NOT NULL CHECK (retired IN (0, 1)),"
	" created INTEGER NOT NULL,"
	" checksum INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE TRIGGER directory_stays BEFORE DELETE ON directory BEGIN"
	" SELECT raise(ABORT, 'a directory is never deleted, only struck'); END;"
	"CREATE TABLE total (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL,"
	" sum INTEGER NOT NULL, complete INTEGER NOT NULL) STRICT;";

/* ---- errors ---- */

/* SQLite's extended result as an errno, where it has one. */
static int sqlite_errno(int rc, int system_errno)
{
	switch (rc & 0xff) {
	case SQLITE_OK: return 0;
	case SQLITE_NOMEM: return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return -EBUSY;
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_READONLY: return -EROFS;
	case SQLITE_PERM: return -EACCES;
	case SQLITE_CONSTRAINT: return -EEXIST;
	case SQLITE_ERROR: /* a schema that is not ours, a format that it does not know */
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return -EUCLEAN;
	case SQLITE_CANTOPEN: return system_errno > 0 ? -system_errno : -EIO;
	default: return -EIO;
	}
}

int store_schema_fail(sqlite3 *db, int rc, const char *name, char **reterr_why)
{
	const char *what = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
	int error = sqlite_errno(rc, db ? sqlite3_system_errno(db) : 0);
	struct store_place place;

	store_place_note(name, &place);
	/* A header that says so is not one of ours. */
	if (error == -EROFS && !place.read_only && access(name, W_OK) == 0)
		error = -EUCLEAN;
	if (error == -EBUSY)
		return store_fail(
			error, reterr_why,
			"number store '%s' is in use by another process: is another exportsd running?",
			name);
	if (error == -EUCLEAN)
		return store_fail(error, reterr_why, "number store '%s' is damaged (%s)", name,
				  what);
	return store_fail(error, reterr_why, "number store '%s': %s: %s", name, what,
			  strerror(-error));
}

/* ---- a new file ---- */

static int fill_new_file(const char *name)
{
	const char *const texts[] = {
		"PRAGMA page_size = 4096; PRAGMA synchronous = EXTRA; BEGIN;",
		tables,
		"INSERT INTO total VALUES (1, 0, 0, 0);"
		"PRAGMA application_id = 0x78707364;" /* STORE_APPLICATION_ID */
		"PRAGMA user_version = 2;" /* STORE_SCHEMA_VERSION */
		"COMMIT;",
	};
	sqlite3 *db = NULL;
	int r, rc = sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	for (size_t i = 0; rc == SQLITE_OK && i < N_ELEMENTS(texts); i++)
		rc = sqlite3_exec(db, texts[i], NULL, NULL, NULL);
	r = sqlite_errno(rc, db ? sqlite3_system_errno(db) : 0);
	sqlite3_close(db);
	return r;
}

/* A crash may leave FILE.new-XXXXXX. */
int store_schema_make(const char *name, char **reterr_why)
{
	CLEANUP(freep) char *new_name = NULL;
	int fd, r = 0;

	if (asprintf(&new_name, "%s.new-XXXXXX", name) < 0) {
		new_name = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(new_name, O_CLOEXEC);
	if (fd < 0)
		r = -errno;
	else
		close(fd); /* later it would drop SQLite's locks: fcntl(2) */
	if (r == 0)
		r = fill_new_file(new_name);
	if (r == 0 && renameat2(AT_FDCWD, new_name, AT_FDCWD, name, RENAME_NOREPLACE) < 0 &&
	    (errno != EINVAL || rename(new_name, name) < 0))
		r = -errno;
	if (r < 0 && fd >= 0)
		(void)unlink(new_name);
	if (r == -EEXIST)
		return 0;
	if (r == 0)
		r = store_place_sync(name);
	return r == 0 ? 0
		      : store_fail(r, reterr_why, "cannot make number store '%s': %s", name,
				   strerror(-r));
}

/* ---- known again ---- */

int store_schema_check(sqlite3 *db, const char *name, char **reterr_why)
{
	sqlite3_stmt *statement = NULL;
	bool is_marked, is_same;
	int rc, version, r = 0;

	rc = sqlite3_prepare_v2(
		db,
		"SELECT application_id, user_version,"
		" (SELECT sum(instr(?1, sql || ';') > 0) - sum(instr(?1, sql || ';') = 0)"
		"  FROM sqlite_schema WHERE sql IS NOT NULL)"
		" FROM pragma_application_id, pragma_user_version",
		-1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(statement, 1, tables, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		is_marked = sqlite3_column_int(statement, 0) == STORE_APPLICATION_ID;
		version = sqlite3_column_int(statement, 1);
		is_same = sqlite3_column_int(statement, 2) == N_TABLES_AND_TRIGGERS;
		/* If the tables are ours, it is the number that is wrong. */
		if (is_marked && version > 0 && version != STORE_SCHEMA_VERSION && !is_same)
			r = store_fail(-EPROTONOSUPPORT, reterr_why,
				       "number store '%s' has version %d, and this exportsd reads "
				       "version %d: %s",
				       name, version, STORE_SCHEMA_VERSION,
				       version > STORE_SCHEMA_VERSION
					       ? "install the newer one that made it"
					       : "move it away");
		else if (!is_same)
			r = store_fail(-EUCLEAN, reterr_why,
				       "number store '%s' is damaged (its tables are not those of "
				       "version %d)",
				       name, STORE_SCHEMA_VERSION);
		else if (!is_marked || version != STORE_SCHEMA_VERSION)
			r = store_fail(-EUCLEAN, reterr_why,
				       "number store '%s' is damaged (its version is %d)", name,
				       version);
	} else {
		r = store_schema_fail(db, rc, name, reterr_why);
	}
	sqlite3_finalize(statement);
	return r;
}
