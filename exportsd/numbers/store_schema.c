/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * store_schema.c - the tables of the number store, and their history.
 *
 * A new file is made complete beside its place, synced, and renamed into it, so a file of ours is
 * never empty or half made, and one that is, is damaged.
 *
 * Version 1 (exportsd 0.1): number (number, path, identity, is_primary, created, retired),
 * directory (path); no checksums. Version 2: as below.
 */

#include "exportsd/numbers/store_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <time.h>

#include "exportsd/numbers/store_file.h"

#define APPLICATION_ID 0x78707364 /* "xpsd" */
#define TEXT(value) TEXT_OF(value)
#define TEXT_OF(value) #value

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
	" sum INTEGER NOT NULL, complete INTEGER NOT NULL) STRICT;"
	"INSERT INTO total VALUES (1, 0, 0, 0);"
	"PRAGMA application_id = " TEXT(APPLICATION_ID) ";"
							"PRAGMA user_version = 2;";

/* ---- a new file ---- */

static int sync_directory(const char *name)
{
	CLEANUP(freep) char *copy = strdup(name);
	CLEANUP(closep) int fd = -1;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int fill_new_file(const char *name)
{
	sqlite3 *db = NULL;
	int rc, number;

	rc = sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA page_size = 4096; PRAGMA synchronous = EXTRA; BEGIN;",
				  NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, tables, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	number = db ? sqlite3_system_errno(db) : 0;
	sqlite3_close(db);
	if (rc == SQLITE_OK)
		return 0;
	return rc == SQLITE_NOMEM ? -ENOMEM : rc == SQLITE_FULL ? -ENOSPC : number ? -number : -EIO;
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
		return store_fail(-errno, reterr_why, "cannot make number store '%s': %s", name,
				  strerror(errno));
	close(fd); /* closing a second descriptor would drop SQLite's locks: fcntl(2) */
	r = fill_new_file(new_name);
	if (r >= 0 && renameat2(AT_FDCWD, new_name, AT_FDCWD, name, RENAME_NOREPLACE) < 0)
		r = errno == EINVAL && rename(new_name, name) == 0 ? 0 : -errno;
	if (r < 0)
		(void)unlink(new_name);
	if (r == -EEXIST)
		return 0;
	if (r >= 0)
		r = sync_directory(name);
	return r < 0 ? store_fail(r, reterr_why, "cannot make number store '%s': %s", name,
				  strerror(-r))
		     : 0;
}

/* ---- known again ---- */

/* sqlite.org/fileformat2.html: the header's first bytes, and where the application's are. */
enum schema_header { MAGIC_BYTES = 16, APPLICATION_AT = 68, APPLICATION_END = 72 };

enum store_schema_kind store_schema_recognize(const char *bytes, size_t n_bytes)
{
	static const char magic[MAGIC_BYTES] = "SQLite format 3";
	static const unsigned char application[] = { APPLICATION_ID >> 24,
						     APPLICATION_ID >> 16 & 0xff,
						     APPLICATION_ID >> 8 & 0xff,
						     APPLICATION_ID & 0xff };
	static const char *const texts[] = { "CREATE TRIGGER number_stays", "CREATE TABLE total (",
					     "CREATE TRIGGER directory_stays" };
	bool is_database = n_bytes >= MAGIC_BYTES && memcmp(bytes, magic, MAGIC_BYTES) == 0;

	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (memmem(bytes, n_bytes, texts[i], strlen(texts[i])))
			return STORE_SCHEMA_OURS;
	if (!is_database)
		return n_bytes < MAGIC_BYTES && memcmp(bytes, magic, n_bytes) == 0
			       ? STORE_SCHEMA_OURS
			       : STORE_SCHEMA_UNKNOWN;
	return n_bytes < APPLICATION_END ||
			       memcmp(bytes + APPLICATION_AT, application, sizeof(application)) == 0
		       ? STORE_SCHEMA_OURS
		       : STORE_SCHEMA_FOREIGN;
}

/* The first column of the first row of a statement. */
static int read_number(sqlite3 *db, const char *text, int64_t *ret_number)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(db, text, -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc;
}

/* A newer version has other tables: if they are ours, it is the number that is wrong. */
static bool has_our_tables(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	const char *text = NULL;
	bool ours;

	if (sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_schema WHERE name = 'number'", -1,
			       &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(statement, 0);
	ours = text && strstr(tables, text);
	sqlite3_finalize(statement);
	return ours;
}

int store_schema_version(sqlite3 *db, const char *name, int *ret_version, char **reterr_why)
{
	int64_t application = 0, version = 0;

	if (read_number(db, "PRAGMA application_id", &application) != SQLITE_ROW ||
	    read_number(db, "PRAGMA user_version", &version) != SQLITE_ROW)
		return -EIO;
	if (application != APPLICATION_ID || version < 1)
		return store_fail(-EUCLEAN, reterr_why, "'%s' is a database, but no number store",
				  name);
	if (version > STORE_SCHEMA_VERSION && has_our_tables(db))
		return store_fail(-EUCLEAN, reterr_why,
				  "number store '%s' is damaged (its version is %" PRId64 ")", name,
				  version);
	if (version > STORE_SCHEMA_VERSION)
		return store_fail(
			-EPROTONOSUPPORT, reterr_why,
			"number store '%s' has version %" PRId64
			", made by a newer exportsd; this one knows %d: install the newer one",
			name, version, STORE_SCHEMA_VERSION);
	*ret_version = (int)version;
	return 0;
}

/* Whether a statement that made something is one of those above. */
static bool is_ours(const char *text)
{
	const char *place = text ? strstr(tables, text) : NULL;

	return place && place[strlen(text)] == ';';
}

int store_schema_check(sqlite3 *db, const char *name, char **reterr_why)
{
	enum { TABLES_AND_TRIGGERS = 8 };
	sqlite3_stmt *statement = NULL;
	int rc, n = 0;

	rc = sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", -1,
				&statement, NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		n = is_ours((const char *)sqlite3_column_text(statement, 0)) ? n + 1 : -1;
		rc = n < 0 ? SQLITE_DONE : SQLITE_OK;
	}
	sqlite3_finalize(statement);
	if (rc != SQLITE_DONE)
		return -EIO;
	return n == TABLES_AND_TRIGGERS
		       ? 0
		       : store_fail(
				 -EUCLEAN, reterr_why,
				 "number store '%s' is damaged (its tables are not those of version %d)",
				 name, STORE_SCHEMA_VERSION);
}

/* ---- older versions ---- */

/* row_checksum(number, path, identity, sequence, retired, created), for SQL. */
static void sql_checksum(sqlite3_context *context, int n_values, sqlite3_value **values)
{
	const struct store_row row = {
		.number = (uint32_t)sqlite3_value_int64(values[0]),
		.path = sqlite3_value_blob(values[1]) ?: "",
		.n_path = (size_t)sqlite3_value_bytes(values[1]),
		.identity = sqlite3_value_blob(values[2]),
		.n_identity = (size_t)sqlite3_value_bytes(values[2]),
		.sequence = (uint64_t)sqlite3_value_int64(values[3]),
		.retired = sqlite3_value_int(values[4]),
		.created = sqlite3_value_int64(values[5]),
	};

	sqlite3_result_int64(context, (sqlite3_int64)store_row_checksum(&row));
}

/* sum() with the carry dropped, where SQLite's own fails. */
static void sql_add(sqlite3_context *context, int n_values, sqlite3_value **values)
{
	uint64_t *sum = sqlite3_aggregate_context(context, sizeof(*sum));

	if (sum)
		*sum += (uint64_t)sqlite3_value_int64(values[0]);
}

static void sql_sum(sqlite3_context *context)
{
	const uint64_t *sum = sqlite3_aggregate_context(context, 0);

	sqlite3_result_int64(context, sum ? (sqlite3_int64)*sum : 0);
}

static const char drop_version_1[] = "DROP INDEX primary_of_path;"
				     "DROP TRIGGER number_stays;"
				     "DROP TRIGGER number_keeps_its_meaning;"
				     "ALTER TABLE number RENAME TO number_1;"
				     "ALTER TABLE directory RENAME TO directory_1;";

static const char fill_version_2[] =
	"INSERT INTO number SELECT number, path, identity, sequence, is_retired, created,"
	" row_checksum(number, path, identity, sequence, is_retired, created) FROM"
	" (SELECT number, path, CAST(identity AS BLOB) AS identity, created,"
	"  is_primary OR retired IS NOT NULL AS sequence, retired IS NOT NULL AS is_retired"
	"  FROM number_1);"
	"INSERT INTO directory SELECT path, 1, 0, 0, row_checksum(0, path, NULL, 1, 0, 0)"
	" FROM directory_1;"
	"UPDATE total SET complete = 1, n = (SELECT count(*) FROM number) + (SELECT count(*) FROM directory),"
	" sum = (SELECT wrapping_sum(checksum) FROM"
	"  (SELECT checksum FROM number UNION ALL SELECT checksum FROM directory));"
	"DROP TABLE number_1;"
	"DROP TABLE directory_1;";

int store_schema_migrate(sqlite3 *db, int version)
{
	const char *const texts[] = { "BEGIN IMMEDIATE", drop_version_1, tables, fill_version_2,
				      "COMMIT" };
	int rc;

	rc = sqlite3_create_function(db, "row_checksum", 6, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
				     NULL, sql_checksum, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function(db, "wrapping_sum", 1,
					     SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, NULL,
					     sql_add, sql_sum);
	for (size_t i = 0; rc == SQLITE_OK && i < N_ELEMENTS(texts); i++)
		rc = sqlite3_exec(db, texts[i], NULL, NULL, NULL);
	return rc;
}

/* ---- damaged ones ---- */

static int rename_with(const char *name, const char *new_name, const char *suffix)
{
	CLEANUP(freep) char *from = NULL, *to = NULL;

	if (asprintf(&from, "%s%s", name, suffix) < 0) {
		from = NULL;
		return -ENOMEM;
	}
	if (asprintf(&to, "%s%s", new_name, suffix) < 0) {
		to = NULL;
		return -ENOMEM;
	}
	return rename(from, to) < 0 && errno != ENOENT ? -errno : 0;
}

int store_set_aside(const char *name, char **ret_new_name)
{
	CLEANUP(freep) char *new_name = NULL;
	time_t now = time(NULL);
	char text[32] = "";
	struct tm tm;
	int r;

	if (gmtime_r(&now, &tm))
		(void)strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
	for (int i = 1; i <= 100; i++) {
		free(new_name);
		if (asprintf(&new_name, i > 1 ? "%s.damaged-%s.%d" : "%s.damaged-%s", name, text,
			     i) < 0) {
			new_name = NULL;
			return -ENOMEM;
		}
		if (access(new_name, F_OK) < 0 && errno == ENOENT)
			break;
	}
	/* The log first: without its database it counts as damaged, too. */
	r = rename_with(name, new_name, "-wal");
	if (r == 0)
		r = rename_with(name, new_name, "-journal");
	if (r == 0)
		r = rename_with(name, new_name, "");
	if (r == 0)
		r = sync_directory(name);
	if (r == 0)
		*ret_new_name = TAKE_PTR(new_name);
	return r;
}
