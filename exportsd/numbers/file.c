/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * file.c - one SQLite file: opened, read, written.
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

#include "exportsd/numbers/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "exportsd/numbers/schema.h"

enum {
	BUSY_MSEC = 5000, /* a process that is just ending may still have the file */
};

/* Every row, in the order of put_row() and get_row(). */
#define NUMBERS "SELECT number, path, identity, sequence, retired, created, checksum FROM number"
#define DIRECTORIES "SELECT 0, path, NULL, sequence, retired, created, checksum FROM directory"

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

static const char *const statement_texts[N_STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[MARK] = "SAVEPOINT mark",
	[GO_BACK] = "ROLLBACK TO mark",
	[ADD_NUMBER] = ("INSERT INTO number VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
			" ON CONFLICT DO NOTHING"),
	[FIND_NUMBER] = NUMBERS " WHERE number = ?1",
	[CHANGE_NUMBER] = ("UPDATE number SET identity = ?3, sequence = ?4, retired = ?5,"
			   " created = ?6, checksum = ?7 WHERE number = ?1"),
	[ADD_DIRECTORY] = ("INSERT INTO directory VALUES (?2, ?4, ?5, ?6, ?7)"
			   " ON CONFLICT DO NOTHING"),
	[FIND_DIRECTORY] = DIRECTORIES " WHERE path = ?1",
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

static int fail(const struct store_file *file, int rc, char **reterr_why)
{
	return store_schema_fail(file->db, rc, file->name, reterr_why);
}

static int fail_damaged(const struct store_file *file, const char *what, char **reterr_why)
{
	return store_fail(-EUCLEAN, reterr_why, "number store '%s' is damaged (%s)", file->name,
			  what);
}

/* ---- opening ---- */

/*
 * Nothing is written to a file before it was looked at. Its log is taken in also to read it:
 * without it, it may lack rows that somebody was told of.
 */
static int look(struct store_file *file, unsigned int *flags, char **reterr_why)
{
	int r = store_place_look(file->name, &file->place, reterr_why);

	if (r == -ENOENT && *flags & STORE_FILE_MAKE) {
		r = store_schema_make(file->name, reterr_why);
		if (r == 0)
			r = store_place_look(file->name, &file->place, reterr_why);
	}
	if (file->place.log.size)
		*flags |= STORE_FILE_WHOLE | STORE_FILE_WRITE;
	if (r == 0 && file->place.read_only && *flags & STORE_FILE_WRITE)
		return store_fail(
			-EROFS, reterr_why,
			"number store '%s' cannot be written, its file system is read-only%s",
			file->name,
			file->place.log.size
				? ", and it has a log that was not taken in: make that writable once"
				: "");
	return r;
}

static int connect_file(struct store_file *file, char **reterr_why)
{
	CLEANUP(closep) int fd = -1;
	char uri[64];
	int rc;

	if (file->place.read_only) {
		/* That allows neither locks nor a log; nothing changes there, so none is needed. */
		fd = open(file->name, O_RDONLY | O_CLOEXEC);
		snprintf(uri, sizeof(uri), "file:/proc/self/fd/%d?immutable=1", fd);
		rc = sqlite3_open_v2(uri, &file->db,
				     SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
					     SQLITE_OPEN_EXRESCODE,
				     NULL);
	} else {
		rc = sqlite3_open_v2(
			file->name, &file->db,
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(file->db, BUSY_MSEC) ?:
		     sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) ?:
		     sqlite3_exec(file->db,
				  "PRAGMA locking_mode = EXCLUSIVE;"
				  "PRAGMA trusted_schema = OFF;"
				  "PRAGMA cell_size_check = ON;"
				  /* KiB, as needed: a long list touches pages all over the file. */
				  "PRAGMA cache_size = -131072;",
				  NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : fail(file, rc, reterr_why);
}

static int check_structure(const struct store_file *file, char **reterr_why)
{
	sqlite3_stmt *statement = NULL;
	int rc, r = 0;

	rc = sqlite3_prepare_v2(file->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc != SQLITE_ROW) {
		r = fail(file, rc, reterr_why);
	} else {
		const char *text = (const char *)sqlite3_column_text(statement, 0);
		const char *last_line = text ? strrchr(text, '\n') : NULL;

		if (!text || !str_equal(text, "ok"))
			r = fail_damaged(file, last_line ? last_line + 1 : text ?: "out of memory",
					 reterr_why);
	}
	sqlite3_finalize(statement);
	return r;
}

/* From here on the file is written. */
static int prepare_to_write(struct store_file *file, char **reterr_why)
{
	int rc;

	rc = sqlite3_exec(file->db,
			  "PRAGMA journal_mode = WAL;"
			  "PRAGMA synchronous = FULL;"
			  "PRAGMA recursive_triggers = ON;" /* INSERT OR REPLACE deletes, too */
			  "BEGIN IMMEDIATE; COMMIT;",
			  NULL, NULL, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_wal_checkpoint_v2(file->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
					       NULL);
		/* A full disk is no reason not to read. */
		if ((rc & 0xff) == SQLITE_FULL)
			rc = SQLITE_OK;
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	for (int i = 0; rc == SQLITE_OK && i < N_STATEMENTS; i++)
		rc = sqlite3_prepare_v3(file->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					&file->statements[i], NULL);
	return rc == SQLITE_OK ? 0 : fail(file, rc, reterr_why);
}
static int read_totals(struct store_file *file, char **reterr_why)
{
	sqlite3_stmt *statement = NULL;
	int r = 0, rc = sqlite3_prepare_v2(file->db, "SELECT n, sum, complete FROM total", -1,
					   &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		file->totals = (struct store_totals){
			.n = (uint64_t)sqlite3_column_int64(statement, 0),
			.sum = (uint64_t)sqlite3_column_int64(statement, 1),
		};
		file->complete = sqlite3_column_int(statement, 2);
		file->totals_written = true;
	} else {
		r = rc == SQLITE_DONE ? fail_damaged(file, "no totals", reterr_why)
				      : fail(file, rc, reterr_why);
	}
	sqlite3_finalize(statement);
	return r;
}

int store_file_open(const char *name, unsigned int flags, struct store_file **ret_file,
		    char **reterr_why)
{
	struct store_file *file = calloc(1, sizeof(*file));
	int r;

	*reterr_why = NULL;
	if (!file || !(file->name = strdup(name))) {
		free(file);
		return -ENOMEM;
	}
	r = look(file, &flags, reterr_why);
	if (r == 0)
		r = connect_file(file, reterr_why)
			    ?: store_schema_check(file->db, name, reterr_why);
	if (r == 0 && flags & STORE_FILE_WHOLE)
		r = check_structure(file, reterr_why);
	if (r == 0 && flags & STORE_FILE_WRITE)
		r = prepare_to_write(file, reterr_why);
	if (r == 0)
		r = read_totals(file, reterr_why);
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
	*ret_row = (struct store_row){
		.number = (uint32_t)sqlite3_column_int64(statement, 0),
		.path = sqlite3_column_blob(statement, 1) ?: "",
		.n_path = (size_t)sqlite3_column_bytes(statement, 1),
		.identity = sqlite3_column_blob(statement, 2),
		.n_identity = (size_t)sqlite3_column_bytes(statement, 2),
		.sequence = (uint64_t)sqlite3_column_int64(statement, 3),
		.retired = sqlite3_column_int(statement, 4),
		.created = sqlite3_column_int64(statement, 5),
	};
	return (uint64_t)sqlite3_column_int64(statement, 6);
}

int store_file_read(struct store_file *file, store_row_fn row, void *userdata, char **reterr_why)
{
	struct store_totals totals = { 0 };
	sqlite3_stmt *statement = NULL;
	uint32_t n_bad = 0, first_bad = 0;
	int r = 0, rc;

	rc = sqlite3_prepare_v2(file->db, NUMBERS " UNION ALL " DIRECTORIES, -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	for (; r >= 0 && rc == SQLITE_ROW; rc = sqlite3_step(statement)) {
		struct store_row one;
		uint64_t checksum = get_row(statement, &one);

		if (!store_row_good(&one) || store_row_checksum(&one) != checksum) {
			if (n_bad++ == 0)
				first_bad = one.number;
			continue;
		}
		store_totals_add(&totals, checksum);
		r = row ? row(userdata, &one) : 0;
	}
	sqlite3_finalize(statement);
	if (r < 0)
		return r;
	if (rc != SQLITE_DONE)
		return fail(file, rc, reterr_why);
	if (n_bad)
		return store_fail(-EUCLEAN, reterr_why,
				  "number store '%s' is damaged (%" PRIu32
				  " rows with a wrong checksum, the first that of number %" PRIu32
				  ")",
				  file->name, n_bad, first_bad);
	if (!store_totals_equal(&totals, &file->totals))
		return store_fail(-EUCLEAN, reterr_why,
				  "number store '%s' is damaged (it has %" PRIu64
				  " rows of %" PRIu64 ", or others)",
				  file->name, totals.n, file->totals.n);
	return 0;
}

int store_file_check(struct store_file *file, char **reterr_why)
{
	int r = check_structure(file, reterr_why);

	return r < 0 ? r : store_file_read(file, NULL, NULL, reterr_why);
}

/* ---- writing ---- */

/* Step a statement that gives no rows. */
static int run(struct store_file *file, enum statement which, char **reterr_why)
{
	int rc = sqlite3_step(file->statements[which]);
	int r = rc == SQLITE_DONE ? 0 : fail(file, rc, reterr_why);

	(void)sqlite3_reset(file->statements[which]);
	return r;
}

/* What another program may have put in its place is not ours to take a log away from. */
static int check_place(struct store_file *file, bool ours, char **reterr_why)
{
	int r = store_place_check(file->name, ours, &file->place, reterr_why);

	if (r < 0)
		(void)sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return r;
}

int store_file_begin(struct store_file *file, char **reterr_why)
{
	return check_place(file, false, reterr_why) ?: run(file, BEGIN, reterr_why);
}

int store_file_mark(struct store_file *file, char **reterr_why)
{
	file->marked = file->totals;
	return run(file, MARK, reterr_why);
}

int store_file_go_back(struct store_file *file, char **reterr_why)
{
	file->totals = file->marked;
	return run(file, GO_BACK, reterr_why);
}

int store_file_commit(struct store_file *file, char **reterr_why)
{
	sqlite3_stmt *set_totals = file->statements[SET_TOTALS];
	int r = 0;

	if (!file->totals_written) {
		(void)sqlite3_bind_int64(set_totals, 1, (sqlite3_int64)file->totals.n);
		(void)sqlite3_bind_int64(set_totals, 2, (sqlite3_int64)file->totals.sum);
		(void)sqlite3_bind_int(set_totals, 3, file->complete);
		r = run(file, SET_TOTALS, reterr_why);
		file->totals_written = r == 0;
	}
	return r ?: run(file, COMMIT, reterr_why) ?: check_place(file, true, reterr_why);
}

static int run_with_row(struct store_file *file, enum statement which, const struct store_row *row,
			uint64_t checksum, char **reterr_why)
{
	sqlite3_stmt *statement = file->statements[which];

	/* What cannot be bound is NULL, which a table refuses. */
	(void)sqlite3_bind_int64(statement, 1, row->number);
	(void)sqlite3_bind_blob(statement, 2, row->path, (int)row->n_path, SQLITE_STATIC);
	(void)sqlite3_bind_blob(statement, 3, row->identity, (int)row->n_identity, SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, 4, (sqlite3_int64)row->sequence);
	(void)sqlite3_bind_int(statement, 5, row->retired);
	(void)sqlite3_bind_int64(statement, 6, row->created);
	(void)sqlite3_bind_int64(statement, 7, (sqlite3_int64)checksum);
	return run(file, which, reterr_why);
}

/* There is a row already, found by a statement whose bytes are good until it is reset. */
static int join_found(struct store_file *file, sqlite3_stmt *find, const struct store_row *row,
		      char **reterr_why)
{
	struct store_row there, joined;
	uint64_t before, after;
	int rc = sqlite3_step(find);

	if (rc != SQLITE_ROW)
		return fail(file, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, reterr_why);
	before = get_row(find, &there);
	joined = there;
	if (!store_row_join(&joined, row))
		return store_fail(-EEXIST, reterr_why,
				  "number %" PRIu32 " is wanted for " STORE_ROW_FORMAT
				  " but belongs to " STORE_ROW_FORMAT " in '%s'",
				  row->number, STORE_ROW_WORDS(row), STORE_ROW_WORDS(&there),
				  file->name);
	after = store_row_checksum(&joined);
	if (after == before)
		return 0;
	file->totals.sum += after - before;
	file->totals_written = false;
	return run_with_row(file, row->number ? CHANGE_NUMBER : CHANGE_DIRECTORY, &joined, after,
			    reterr_why);
}

int store_file_join(struct store_file *file, const struct store_row *row, char **reterr_why)
{
	sqlite3_stmt *find = file->statements[row->number ? FIND_NUMBER : FIND_DIRECTORY];
	uint64_t checksum;
	int r;

	if (!store_row_good(row))
		return store_fail(-EINVAL, reterr_why, "there is no such number or path");
	checksum = store_row_checksum(row);
	r = run_with_row(file, row->number ? ADD_NUMBER : ADD_DIRECTORY, row, checksum, reterr_why);
	if (r < 0)
		return r;
	if (sqlite3_changes(file->db)) {
		store_totals_add(&file->totals, checksum);
		file->totals_written = false;
		return 0;
	}
	if (row->number)
		(void)sqlite3_bind_int64(find, 1, row->number);
	else
		(void)sqlite3_bind_blob(find, 1, row->path, (int)row->n_path, SQLITE_STATIC);
	r = join_found(file, find, row, reterr_why);
	(void)sqlite3_reset(find);
	return r;
}
