/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * store_file.c - one SQLite file: opened, read, written.
 *
 * Why a write-ahead log: a commit costs one sync of one file; a rollback journal costs three or
 * four of two files and a directory. synchronous=FULL syncs the log at every commit.
 *
 * locking_mode=EXCLUSIVE keeps the file to one process, and the log's index in that process's
 * memory.
 *
 * After a failed write or sync nobody can say what is on the disk (the kernel may count pages as
 * clean that never got there). Whoever meets one closes the file; opening one that has a log moves
 * what the log holds into the database, by new writes and a sync, before it is believed.
 */

#include "exportsd/numbers/store_file.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "exportsd/numbers/store_place.h"
#include "exportsd/numbers/store_schema.h"

enum {
	BUSY_MSEC = 5000, /* a process that is just ending may still have the file */
};

enum statement {
	BEGIN,
	COMMIT,
	MARK,
	GO_BACK,
	ADD_NUMBER,
	FIND_NUMBER,
	CHANGE_NUMBER,
	ADD_DIRECTORY,
	FIND_DIRECTORY,
	CHANGE_DIRECTORY,
	SET_TOTALS,
	N_STATEMENTS,
};

/* Columns in the order of put_row() and get_row(). */
static const char *const statement_texts[N_STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[MARK] = "SAVEPOINT mark",
	[GO_BACK] = "ROLLBACK TO mark",
	[ADD_NUMBER] =
		("INSERT INTO number (number, path, identity, sequence, retired, created, checksum)"
		 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"),
	[FIND_NUMBER] = ("SELECT number, path, identity, sequence, retired, created, checksum"
			 " FROM number WHERE number = ?1"),
	[CHANGE_NUMBER] = ("UPDATE number SET identity = ?3, sequence = ?4, retired = ?5,"
			   " created = ?6, checksum = ?7 WHERE number = ?1"),
	[ADD_DIRECTORY] = ("INSERT INTO directory (path, sequence, retired, created, checksum)"
			   " VALUES (?2, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"),
	[FIND_DIRECTORY] = ("SELECT 0, path, NULL, sequence, retired, created, checksum"
			    " FROM directory WHERE path = ?2"),
	[CHANGE_DIRECTORY] = ("UPDATE directory SET sequence = ?4, retired = ?5, created = ?6,"
			      " checksum = ?7 WHERE path = ?2"),
	[SET_TOTALS] = "UPDATE total SET n = ?1, sum = ?2, complete = ?3",
};

struct store_file {
	char *name;
	sqlite3 *db;
	sqlite3_stmt *statements[N_STATEMENTS];
	struct store_totals totals;
	bool complete;
	bool totals_written; /* the file has both */
	struct store_totals marked;
	struct store_place place; /* as it was written last */
};

/* ---- errors ---- */

int store_fail(int error, char **reterr_why, const char *format, ...)
{
	va_list ap;

	free(*reterr_why);
	va_start(ap, format);
	if (vasprintf(reterr_why, format, ap) < 0)
		*reterr_why = NULL;
	va_end(ap);
	return error;
}

/* SQLite's extended result as an errno, where it has one. */
static int sqlite_errno(sqlite3 *db, int rc)
{
	int number = db ? sqlite3_system_errno(db) : 0;

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return 0;
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
	case SQLITE_CANTOPEN: return number > 0 ? -number : -EIO;
	default: return -EIO;
	}
}

/*
 * A read-only file system allows neither locks nor a log; nothing changes there, so none is needed.
 */
static bool is_read_only(const char *name)
{
	struct statvfs st;

	return statvfs(name, &st) == 0 && st.f_flag & ST_RDONLY;
}

static int fail_sqlite(sqlite3 *db, int rc, const char *name, char **reterr_why)
{
	int error = sqlite_errno(db, rc);

	/* A header that says so is not one of ours. */
	if (error == -EROFS && !is_read_only(name) && access(name, W_OK) == 0)
		error = -EUCLEAN;
	switch (error) {
	case -EBUSY:
		return store_fail(
			error, reterr_why,
			"number store '%s' is in use by another process: is another exportsd running?",
			name);
	case -EUCLEAN:
		return store_fail(error, reterr_why, "number store '%s' is damaged (%s)", name,
				  sqlite3_errmsg(db));
	case -EROFS:
		return store_fail(error, reterr_why, "number store '%s' cannot be written", name);
	default:
		return store_fail(error, reterr_why, "number store '%s': %s%s%s", name,
				  db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), error ? ": " : "",
				  error ? strerror(-error) : "");
	}
}

static int fail_file(struct store_file *file, int rc, char **reterr_why)
{
	return fail_sqlite(file->db, rc, file->name, reterr_why);
}

/* ---- looking at what is there ---- */

/* How large the log beside a file is; -1: there is none. */
static int64_t log_size(const char *name)
{
	CLEANUP(freep) char *log = NULL;
	struct stat st;

	if (asprintf(&log, "%s-wal", name) < 0) {
		log = NULL;
		return -1;
	}
	return stat(log, &st) == 0 ? st.st_size : -1;
}

static int look(const char *name, unsigned int flags, char **reterr_why)
{
	int r = store_place_look(name, reterr_why);

	if (r == -ENOENT) {
		/*
		 * A log without its database would be played into a new one: wal.c believes its
		 * checksums alone.
		 */
		if (log_size(name) > 0)
			return store_fail(-EUCLEAN, reterr_why,
					  "number store '%s' is gone but its log '%s-wal' is there",
					  name, name);
		if (flags & STORE_FILE_MAKE)
			return store_schema_make(name, reterr_why);
		return store_fail(-ENOENT, reterr_why, "number store '%s' does not exist", name);
	}
	if (r < 0 || !is_read_only(name))
		return r;
	/* Without its log it may lack rows that somebody was told of. */
	if (log_size(name) > 0)
		return store_fail(
			-EROFS, reterr_why,
			"number store '%s' has a log that was not taken in, and its file system is read-only: "
			"make that writable once",
			name);
	if (flags & STORE_FILE_WRITE)
		return store_fail(
			-EROFS, reterr_why,
			"number store '%s' cannot be written, its file system is read-only", name);
	return 0;
}

static int check_structure(sqlite3 *db, const char *name, char **reterr_why)
{
	sqlite3_stmt *statement = NULL;
	int rc, r = 0;

	rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc != SQLITE_ROW) {
		r = fail_sqlite(db, rc, name, reterr_why);
	} else {
		const char *text = (const char *)sqlite3_column_text(statement, 0);
		const char *last_line = text ? strrchr(text, '\n') : NULL;

		if (!text || !str_equal(text, "ok"))
			r = store_fail(-EUCLEAN, reterr_why, "number store '%s' is damaged (%s)",
				       name,
				       last_line ? last_line + 1
				       : text	 ? text
						 : "out of memory");
	}
	sqlite3_finalize(statement);
	return r;
}

/* ---- opening ---- */

static int connect_immutable(const char *name, sqlite3 **ret_db)
{
	CLEANUP(freep) char *uri = calloc(3, strlen(name) + 20);
	char *end = uri;

	if (!uri)
		return SQLITE_NOMEM;
	end += sprintf(end, "file:");
	for (; *name; name++)
		end += sprintf(end, strchr("%?#", *name) ? "%%%02x" : "%c", *name);
	(void)sprintf(end, "?immutable=1");
	return sqlite3_open_v2(uri, ret_db,
			       SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
				       SQLITE_OPEN_EXRESCODE,
			       NULL);
}

static int connect_file(const char *name, bool immutable, sqlite3 **ret_db)
{
	int rc;

	if (immutable)
		return connect_immutable(name, ret_db);
	rc = sqlite3_open_v2(name, ret_db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			     NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(*ret_db, BUSY_MSEC);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(*ret_db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(*ret_db,
				  "PRAGMA locking_mode = EXCLUSIVE;"
				  "PRAGMA trusted_schema = OFF;"
				  "PRAGMA cell_size_check = ON;"
				  /* KiB, as needed: a long list touches pages all over the file. */
				  "PRAGMA cache_size = -131072;",
				  NULL, NULL, NULL);
	return rc;
}

/* From here on the file is written. */
static int prepare_to_write(sqlite3 *db)
{
	int rc;

	rc = sqlite3_exec(db,
			  "PRAGMA journal_mode = WAL;"
			  "PRAGMA synchronous = FULL;"
			  "PRAGMA recursive_triggers = ON;" /* INSERT OR REPLACE deletes, too */
			  "BEGIN IMMEDIATE; COMMIT;",
			  NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	/* A full disk is no reason not to read. */
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_FULL)
		return rc;
	return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}

static int read_totals(struct store_file *file, char **reterr_why)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(file->db, "SELECT n, sum, complete FROM total", -1, &statement,
				    NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		file->totals = (struct store_totals){
			.n = (uint64_t)sqlite3_column_int64(statement, 0),
			.sum = (uint64_t)sqlite3_column_int64(statement, 1),
		};
		file->complete = sqlite3_column_int(statement, 2);
	}
	sqlite3_finalize(statement);
	file->totals_written = true;
	if (rc == SQLITE_ROW)
		return 0;
	if (rc == SQLITE_DONE || (rc & 0xff) == SQLITE_ERROR)
		return store_fail(-EUCLEAN, reterr_why, "number store '%s' is damaged (no totals)",
				  file->name);
	return fail_file(file, rc, reterr_why);
}

static int bring_in_order(struct store_file *file, unsigned int flags, int version,
			  char **reterr_why)
{
	int rc, r = 0;

	if (flags & STORE_FILE_WHOLE)
		r = check_structure(file->db, file->name, reterr_why);
	if (r >= 0 && flags & STORE_FILE_WRITE) {
		rc = prepare_to_write(file->db);
		if (rc != SQLITE_OK)
			r = fail_file(file, rc, reterr_why);
	}
	if (r >= 0 && version < STORE_SCHEMA_VERSION) {
		rc = store_schema_migrate(file->db, version);
		if (rc != SQLITE_OK)
			r = fail_file(file, rc, reterr_why);
	}
	if (r >= 0)
		r = store_schema_check(file->db, file->name, reterr_why);
	if (r == -EIO && !*reterr_why)
		r = fail_file(file, sqlite3_errcode(file->db), reterr_why);
	return r >= 0 ? read_totals(file, reterr_why) : r;
}

int store_file_open(const char *name, unsigned int flags, struct store_file **ret_file,
		    char **reterr_why)
{
	struct store_file *file;
	bool immutable = false;
	int rc, r, version = 0;

	*reterr_why = NULL;
	r = look(name, flags, reterr_why);
	if (r < 0)
		return r;
	file = calloc(1, sizeof(*file));
	if (!file || !(file->name = strdup(name))) {
		free(file);
		return -ENOMEM;
	}
	if (log_size(name) > 0)
		flags |= STORE_FILE_WHOLE | STORE_FILE_WRITE;
	else
		immutable = !(flags & STORE_FILE_WRITE) && is_read_only(name);
	rc = connect_file(name, immutable, &file->db);
	r = rc == SQLITE_OK ? store_schema_version(file->db, name, &version, reterr_why)
			    : fail_file(file, rc, reterr_why);
	if (rc == SQLITE_OK && r == -EIO)
		r = fail_file(file, sqlite3_errcode(file->db), reterr_why);
	if (r >= 0 && version < STORE_SCHEMA_VERSION)
		flags |= STORE_FILE_WHOLE | STORE_FILE_WRITE;
	if (r >= 0)
		r = bring_in_order(file, flags, version, reterr_why);
	for (int i = 0; r >= 0 && i < N_STATEMENTS && flags & STORE_FILE_WRITE; i++) {
		rc = sqlite3_prepare_v3(file->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					&file->statements[i], NULL);
		if (rc != SQLITE_OK)
			r = fail_file(file, rc, reterr_why);
	}
	if (r < 0) {
		store_file_close(file);
		return r;
	}
	store_place_note(name, &file->place);
	*ret_file = file;
	return 0;
}

struct store_file *store_file_close(struct store_file *file)
{
	if (!file)
		return NULL;
	for (int i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(file->statements[i]);
	sqlite3_close(file->db);
	free(file->name);
	free(file);
	return NULL;
}

const struct store_totals *store_file_totals(const struct store_file *file)
{
	return &file->totals;
}

bool store_file_is_complete(const struct store_file *file)
{
	return file->complete;
}

void store_file_set_complete(struct store_file *file)
{
	file->totals_written &= file->complete;
	file->complete = true;
}

/* ---- rows ---- */

/* Returns the row's checksum as it is written. Bytes are valid until the statement's next step. */
static uint64_t get_row(sqlite3_stmt *statement, struct store_row *ret_row)
{
	const char *path = sqlite3_column_blob(statement, 1);
	const char *identity = sqlite3_column_blob(statement, 2);

	*ret_row = (struct store_row){
		.number = (uint32_t)sqlite3_column_int64(statement, 0),
		.path = path ?: "",
		.n_path = (size_t)sqlite3_column_bytes(statement, 1),
		.identity = identity,
		.n_identity = (size_t)sqlite3_column_bytes(statement, 2),
		.sequence = (uint64_t)sqlite3_column_int64(statement, 3),
		.retired = sqlite3_column_int(statement, 4),
		.created = sqlite3_column_int64(statement, 5),
	};
	return (uint64_t)sqlite3_column_int64(statement, 6);
}

/* What reading comes upon. */
struct reading {
	struct store_totals totals;
	uint64_t n_bad;
	uint32_t first_bad;
	store_row_fn row;
	void *userdata;
};

static int read_table(struct store_file *file, const char *text, struct reading *reading,
		      int *ret_rc)
{
	sqlite3_stmt *statement = NULL;
	int r = 0, rc = sqlite3_prepare_v2(file->db, text, -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	for (; r >= 0 && rc == SQLITE_ROW; rc = sqlite3_step(statement)) {
		struct store_row row;
		uint64_t checksum = get_row(statement, &row);

		if (!store_row_good(&row) || store_row_checksum(&row) != checksum) {
			if (reading->n_bad++ == 0)
				reading->first_bad = row.number;
			continue;
		}
		store_totals_add(&reading->totals, checksum);
		r = reading->row ? reading->row(reading->userdata, &row) : 0;
	}
	sqlite3_finalize(statement);
	*ret_rc = r < 0 ? SQLITE_DONE : rc;
	return r;
}

int store_file_read(struct store_file *file, store_row_fn row, void *userdata, char **reterr_why)
{
	struct reading reading = { .row = row, .userdata = userdata };
	int rc, r;

	r = read_table(file,
		       "SELECT number, path, identity, sequence, retired, created, checksum"
		       " FROM number ORDER BY number",
		       &reading, &rc);
	if (r < 0)
		return r;
	if (rc == SQLITE_DONE)
		r = read_table(file,
			       "SELECT 0, path, NULL, sequence, retired, created, checksum"
			       " FROM directory",
			       &reading, &rc);
	if (r < 0)
		return r;
	if (rc != SQLITE_DONE)
		return fail_file(file, rc, reterr_why);
	if (reading.n_bad)
		return store_fail(-EUCLEAN, reterr_why,
				  "number store '%s' is damaged (%" PRIu64
				  " rows with a wrong checksum, the first that of number %" PRIu32
				  ")",
				  file->name, reading.n_bad, reading.first_bad);
	if (!store_totals_equal(&reading.totals, &file->totals))
		return store_fail(-EUCLEAN, reterr_why,
				  "number store '%s' is damaged (it has %" PRIu64
				  " rows of %" PRIu64 ", or others)",
				  file->name, reading.totals.n, file->totals.n);
	return 0;
}

int store_file_check(struct store_file *file, char **reterr_why)
{
	int r = check_structure(file->db, file->name, reterr_why);

	return r < 0 ? r : store_file_read(file, NULL, NULL, reterr_why);
}

/* ---- writing ---- */

/* Step a statement that gives no rows. */
static int run(struct store_file *file, enum statement which)
{
	int rc = sqlite3_step(file->statements[which]);

	(void)sqlite3_reset(file->statements[which]);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_or_fail(struct store_file *file, enum statement which, char **reterr_why)
{
	int rc = run(file, which);

	return rc == SQLITE_OK ? 0 : fail_file(file, rc, reterr_why);
}

/* What another program may have put in its place is not ours to take a log away from. */
static int leave_file(struct store_file *file, int error)
{
	(void)sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return error;
}

int store_file_begin(struct store_file *file, char **reterr_why)
{
	int r = store_place_check(file->name, &file->place, reterr_why);

	return r < 0 ? leave_file(file, r) : run_or_fail(file, BEGIN, reterr_why);
}

int store_file_mark(struct store_file *file, char **reterr_why)
{
	file->marked = file->totals;
	return run_or_fail(file, MARK, reterr_why);
}

int store_file_go_back(struct store_file *file, char **reterr_why)
{
	file->totals = file->marked;
	return run_or_fail(file, GO_BACK, reterr_why);
}

int store_file_commit(struct store_file *file, char **reterr_why)
{
	int r;

	if (!file->totals_written) {
		sqlite3_stmt *statement = file->statements[SET_TOTALS];
		int rc = sqlite3_bind_int64(statement, 1, (sqlite3_int64)file->totals.n);

		if (rc == SQLITE_OK)
			rc = sqlite3_bind_int64(statement, 2, (sqlite3_int64)file->totals.sum);
		if (rc == SQLITE_OK)
			rc = sqlite3_bind_int(statement, 3, file->complete);
		if (rc == SQLITE_OK)
			rc = run(file, SET_TOTALS);
		if (rc != SQLITE_OK)
			return fail_file(file, rc, reterr_why);
		file->totals_written = true;
	}
	r = run_or_fail(file, COMMIT, reterr_why);
	if (r < 0)
		return r;
	r = store_place_renew(file->name, &file->place, reterr_why);
	return r < 0 ? leave_file(file, r) : 0;
}

/* Only those that a statement has. */
static int put_row(sqlite3_stmt *statement, const struct store_row *row, uint64_t checksum)
{
	int n = sqlite3_bind_parameter_count(statement), rc = SQLITE_OK;

	if (row->number)
		rc = sqlite3_bind_int64(statement, 1, row->number);
	if (rc == SQLITE_OK && n >= 2)
		rc = sqlite3_bind_blob(statement, 2, row->path, (int)row->n_path, SQLITE_STATIC);
	if (rc == SQLITE_OK && n >= 3 && row->identity)
		rc = sqlite3_bind_blob(statement, 3, row->identity, (int)row->n_identity,
				       SQLITE_STATIC);
	if (rc == SQLITE_OK && n >= 4)
		rc = sqlite3_bind_int64(statement, 4, (sqlite3_int64)row->sequence);
	if (rc == SQLITE_OK && n >= 5)
		rc = sqlite3_bind_int(statement, 5, row->retired);
	if (rc == SQLITE_OK && n >= 6)
		rc = sqlite3_bind_int64(statement, 6, row->created);
	if (rc == SQLITE_OK && n >= 7)
		rc = sqlite3_bind_int64(statement, 7, (sqlite3_int64)checksum);
	return rc;
}

static int run_with_row(struct store_file *file, enum statement which, const struct store_row *row,
			uint64_t checksum)
{
	int rc = put_row(file->statements[which], row, checksum);

	if (rc == SQLITE_OK)
		rc = run(file, which);
	(void)sqlite3_clear_bindings(file->statements[which]);
	return rc;
}

static int contradiction(struct store_file *file, const struct store_row *there,
			 const struct store_row *row, char **reterr_why)
{
	return store_fail(
		-EEXIST, reterr_why,
		"number %" PRIu32 " is wanted for '%.*s'%s%.*s but belongs to '%.*s'%s%.*s in '%s'",
		row->number, (int)row->n_path, row->path, row->identity ? " and medium " : "",
		(int)row->n_identity, row->identity ?: "", (int)there->n_path, there->path,
		there->identity ? " and medium " : "", (int)there->n_identity,
		there->identity ?: "", file->name);
}

/* There is a row already: what do both say? */
static int join_existing(struct store_file *file, const struct store_row *row, char **reterr_why)
{
	sqlite3_stmt *find = file->statements[row->number ? FIND_NUMBER : FIND_DIRECTORY];
	struct store_row joined;
	uint64_t before, after;
	int r = 0, rc = put_row(find, row, 0);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(find);
	if (rc == SQLITE_ROW) {
		const struct store_row there = (get_row(find, &joined), joined);

		before = store_row_checksum(&joined);
		if (!store_row_join(&joined, row)) {
			r = contradiction(file, &there, row, reterr_why);
		} else if ((after = store_row_checksum(&joined)) != before) {
			rc = run_with_row(file, row->number ? CHANGE_NUMBER : CHANGE_DIRECTORY,
					  &joined, after);
			file->totals.sum += after - before;
			file->totals_written = false;
			if (rc == SQLITE_OK)
				rc = SQLITE_ROW;
		}
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CORRUPT;
	}
	if (r == 0 && rc != SQLITE_ROW)
		r = fail_file(file, rc, reterr_why);
	(void)sqlite3_reset(find);
	(void)sqlite3_clear_bindings(find);
	return r;
}

int store_file_join(struct store_file *file, const struct store_row *row, char **reterr_why)
{
	uint64_t checksum;
	int rc;

	if (!store_row_good(row))
		return store_fail(-EINVAL, reterr_why, "there is no such number or path");
	checksum = store_row_checksum(row);
	rc = run_with_row(file, row->number ? ADD_NUMBER : ADD_DIRECTORY, row, checksum);
	if (rc != SQLITE_OK)
		return fail_file(file, rc, reterr_why);
	if (!sqlite3_changes(file->db))
		return join_existing(file, row, reterr_why);
	store_totals_add(&file->totals, checksum);
	file->totals_written = false;
	return 0;
}
