/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * store.c - the number store's SQLite file.
 *
 * Why a write-ahead log: a commit costs one sync of one file; a rollback journal costs three or four
 * of two files and a directory. synchronous=FULL syncs the log at every commit. SQLite syncs the directory
 * when it makes the log; the database itself is made complete beside its place, synced, and
 * renamed into it, so a file of ours is never empty or half made, and one that is, is refused.
 *
 * locking_mode=EXCLUSIVE keeps the file to one process, and the log's index in that process's memory.
 *
 * After a failed write or sync nobody can say what is on the disk (the kernel may count
 * pages as clean that never got there), so the file is closed then, and opened anew for the next
 * question; opening moves whatever the log holds into the database, by new writes and a sync, before it is believed.
 *
 * Nothing is written to a file before it has been looked at and found good.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "exportsd/numbers.h"
#include "exportsd/store.h"
#include "exportsd/worker.h"

enum {
	APPLICATION_ID = 0x78707364, /* "xpsd" */
	SCHEMA_VERSION = 1,
	BUSY_MSEC = 5000, /* a process that is just ending may still have the file */
	BATCH_MAX = 1024, /* questions in one transaction */
};

static const char schema[] =
	"PRAGMA page_size = 4096;"
	"PRAGMA synchronous = EXTRA;"
	"BEGIN;"
	"CREATE TABLE number ("
	" number INTEGER PRIMARY KEY CHECK (number BETWEEN 65536 AND 2147483647),"
	" path BLOB NOT NULL CHECK (substr(path, 1, 1) = x'2f' AND instr(path, x'00') = 0),"
	" identity TEXT,"
	" is_primary INTEGER NOT NULL CHECK (is_primary IN (0, 1)),"
	" created INTEGER NOT NULL,"
	" retired INTEGER"
	") STRICT;"
	"CREATE UNIQUE INDEX primary_of_path ON number (path) WHERE is_primary = 1;"
	"CREATE TRIGGER number_stays BEFORE DELETE ON number BEGIN"
	" SELECT raise(ABORT, 'a number is never deleted, only retired'); END;"
	"CREATE TRIGGER number_keeps_its_meaning"
	" BEFORE UPDATE OF number, path, identity, created ON number BEGIN"
	" SELECT raise(ABORT, 'a number never changes its meaning'); END;"
	"CREATE TABLE directory (path BLOB PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;"
	"PRAGMA application_id = 0x78707364;"
	"PRAGMA user_version = 1;"
	"COMMIT;";

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	SAVEPOINT,
	ROLLBACK_TO,
	RELEASE,
	ADD_NUMBER,
	FIND_NUMBER,
	FIND_PATH,
	ADD_DIRECTORY,
	REMOVE_DIRECTORY,
	N_STATEMENTS,
};

static const char *const statement_texts[N_STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[SAVEPOINT] = "SAVEPOINT question",
	[ROLLBACK_TO] = "ROLLBACK TO question",
	[RELEASE] = "RELEASE question",
	[ADD_NUMBER] = ("INSERT INTO number (number, path, is_primary, created)"
			" VALUES (?1, ?2, 1, unixepoch()) ON CONFLICT DO NOTHING"),
	[FIND_NUMBER] = "SELECT path, is_primary FROM number WHERE number = ?1",
	[FIND_PATH] = "SELECT number FROM number WHERE path = ?1 AND is_primary = 1",
	[ADD_DIRECTORY] = "INSERT INTO directory (path) VALUES (?1) ON CONFLICT DO NOTHING",
	[REMOVE_DIRECTORY] = "DELETE FROM directory WHERE path = ?1",
};

struct store {
	const char *file;
	sqlite3 *db; /* NULL: not open */
	sqlite3_stmt *statements[N_STATEMENTS];
};

/* ---- errors ---- */

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
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return -EUCLEAN;
	case SQLITE_CANTOPEN: return number > 0 ? -number : -EIO;
	default: return -EIO;
	}
}

/* Say why, and pass the error on. */
static int FORMAT_PRINTF(3, 4) fail(int error, char **reterr_why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (vasprintf(reterr_why, format, ap) < 0)
		*reterr_why = NULL;
	va_end(ap);
	return error;
}

static int fail_sqlite(sqlite3 *db, int rc, const char *file, char **reterr_why)
{
	int error = sqlite_errno(db, rc);

	switch (error) {
	case -EBUSY:
		return fail(
			error, reterr_why,
			"number store '%s' is in use by another process: is another exportsd running?",
			file);
	case -EUCLEAN:
		return fail(
			error, reterr_why,
			"number store '%s' is damaged (%s): put a copy in its place; it was left as it is",
			file, sqlite3_errmsg(db));
	case -EROFS: return fail(error, reterr_why, "number store '%s' cannot be written", file);
	default:
		return fail(error, reterr_why, "number store '%s': %s%s%s", file,
			    db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), error ? ": " : "",
			    error ? strerror(-error) : "");
	}
}

/* ---- making the file ---- */

static int sync_directory(const char *file)
{
	CLEANUP(freep) char *copy = strdup(file);
	CLEANUP(closep) int fd = -1;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int fill_new_file(const char *name)
{
	sqlite3 *db = NULL;
	int rc, r;

	rc = sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, schema, NULL, NULL, NULL);
	r = sqlite_errno(db, rc);
	sqlite3_close(db);
	return r;
}

/* Beside its place, then renamed into it unless another process was faster. A crash may leave FILE.new-XXXXXX. */
static int make_file(const char *file, char **reterr_why)
{
	CLEANUP(freep) char *name = NULL;
	int fd, r = 0;

	if (asprintf(&name, "%s.new-XXXXXX", file) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, reterr_why, "cannot make number store '%s': %s", file,
			    strerror(errno));
	close(fd); /* closing a second descriptor would drop SQLite's locks: fcntl(2) */
	r = fill_new_file(name);
	if (r >= 0 && renameat2(AT_FDCWD, name, AT_FDCWD, file, RENAME_NOREPLACE) < 0)
		r = errno == EINVAL && rename(name, file) == 0 ? 0 : -errno;
	if (r < 0)
		(void)unlink(name);
	if (r == -EEXIST)
		return 0;
	if (r >= 0)
		r = sync_directory(file);
	return r < 0 ? fail(r, reterr_why, "cannot make number store '%s': %s", file, strerror(-r))
		     : 0;
}

/* A log without its database would be played into a new one: wal.c believes its checksums alone. */
static int look_for_log(const char *file, char **reterr_why)
{
	CLEANUP(freep) char *name = NULL;

	if (asprintf(&name, "%s-wal", file) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	if (access(name, F_OK) == 0)
		return fail(
			-EUCLEAN, reterr_why,
			"number store '%s' is gone but its log '%s' is there: put a copy of both in their place",
			file, name);
	return 0;
}

static int make_if_missing(const char *file, char **reterr_why)
{
	struct stat st;
	int r;

	if (stat(file, &st) < 0) {
		if (errno != ENOENT)
			return fail(-errno, reterr_why, "number store '%s': %s", file,
				    strerror(errno));
		r = look_for_log(file, reterr_why);
		return r < 0 ? r : make_file(file, reterr_why);
	}
	if (!S_ISREG(st.st_mode))
		return fail(-EUCLEAN, reterr_why, "number store '%s' is not a file", file);
	if (st.st_size == 0)
		return fail(
			-EUCLEAN, reterr_why,
			"number store '%s' is empty: put a copy in its place, or remove it if there never was one",
			file);
	return 0;
}

/* ---- opening it ---- */

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
	return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

/* Is it ours, and of a version that we know? */
static int check_kind(sqlite3 *db, const char *file, char **reterr_why)
{
	int64_t application = 0, version = 0;
	int rc;

	rc = read_number(db, "PRAGMA application_id", &application);
	if (rc == SQLITE_OK)
		rc = read_number(db, "PRAGMA user_version", &version);
	if (rc != SQLITE_OK)
		return fail_sqlite(db, rc, file, reterr_why);
	if (application != APPLICATION_ID || version < 1)
		return fail(
			-EUCLEAN, reterr_why,
			"'%s' is a database, but no number store: put the right file in its place",
			file);
	if (version > SCHEMA_VERSION)
		return fail(-EPROTONOSUPPORT, reterr_why,
			    "number store '%s' has version %" PRId64
			    ", made by a newer exportsd; this one knows %d: install the newer one",
			    file, version, SCHEMA_VERSION);
	return 0;
}

static int check_whole(sqlite3 *db, const char *file, char **reterr_why)
{
	sqlite3_stmt *statement = NULL;
	int rc, r = 0;

	rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc != SQLITE_ROW) {
		r = fail_sqlite(db, rc, file, reterr_why);
	} else {
		const char *text = (const char *)sqlite3_column_text(statement, 0);
		const char *last_line = text ? strrchr(text, '\n') : NULL;

		if (!text || !str_equal(text, "ok"))
			r = fail(
				-EUCLEAN, reterr_why,
				"number store '%s' is damaged (%s): put a copy in its place; it was left as it is",
				file,
				last_line ? last_line + 1
				: text	  ? text
					  : "out of memory");
	}
	sqlite3_finalize(statement);
	return r;
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

static int open_file(const char *file, bool whole, sqlite3 **ret_db, char **reterr_why)
{
	sqlite3 *db = NULL;
	int rc, r;

	rc = sqlite3_open_v2(file, &db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			     NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(db, BUSY_MSEC);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db,
				  "PRAGMA locking_mode = EXCLUSIVE;"
				  "PRAGMA trusted_schema = OFF;"
				  "PRAGMA cell_size_check = ON;"
				  /* KiB, as needed: a long list touches pages all over the file. */
				  "PRAGMA cache_size = -131072;",
				  NULL, NULL, NULL);
	r = rc == SQLITE_OK ? check_kind(db, file, reterr_why)
			    : fail_sqlite(db, rc, file, reterr_why);
	if (r >= 0 && whole)
		r = check_whole(db, file, reterr_why);
	if (r >= 0) {
		rc = prepare_to_write(db);
		if (rc != SQLITE_OK)
			r = fail_sqlite(db, rc, file, reterr_why);
	}
	if (r < 0) {
		sqlite3_close(db);
		return r;
	}
	*ret_db = db;
	return 0;
}

/* ---- reading it at the start ---- */

static int read_rows(sqlite3 *db, const char *text, const struct store_reader *reader,
		     bool directories, int *ret_rc)
{
	sqlite3_stmt *statement = NULL;
	int rc, r = 0;

	rc = sqlite3_prepare_v2(db, text, -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	for (; r >= 0 && rc == SQLITE_ROW; rc = sqlite3_step(statement)) {
		const void *path = sqlite3_column_blob(statement, 0);
		size_t n_bytes = (size_t)sqlite3_column_bytes(statement, 0);

		if (!path && n_bytes)
			r = -ENOMEM;
		else if (directories)
			r = reader->directory(reader->userdata, path, n_bytes);
		else
			r = reader->number(reader->userdata,
					   (uint32_t)sqlite3_column_int64(statement, 1), path,
					   n_bytes, sqlite3_column_int(statement, 2));
	}
	sqlite3_finalize(statement);
	*ret_rc = r < 0 || rc == SQLITE_DONE ? SQLITE_OK : rc;
	return r;
}

int store_load(const char *file, const struct store_reader *reader, char **reterr_why)
{
	sqlite3 *db;
	int rc, r;

	*reterr_why = NULL;
	r = make_if_missing(file, reterr_why);
	if (r >= 0)
		r = open_file(file, true, &db, reterr_why);
	if (r < 0)
		return r;
	r = read_rows(db, "SELECT path, number, is_primary FROM number ORDER BY number", reader,
		      false, &rc);
	if (r >= 0 && rc == SQLITE_OK)
		r = read_rows(db, "SELECT path FROM directory", reader, true, &rc);
	if (r >= 0 && rc != SQLITE_OK)
		r = fail_sqlite(db, rc, file, reterr_why);
	sqlite3_close(db);
	return r;
}

/* ---- the process: one open file ---- */

static void store_close(struct store *store)
{
	for (int i = 0; i < N_STATEMENTS; i++) {
		sqlite3_finalize(store->statements[i]);
		store->statements[i] = NULL;
	}
	sqlite3_close(store->db);
	store->db = NULL;
}

static int store_open(struct store *store, char **reterr_why)
{
	int rc = SQLITE_OK, r;

	if (store->db)
		return 0;
	r = open_file(store->file, false, &store->db, reterr_why);
	if (r < 0)
		return r;
	for (int i = 0; rc == SQLITE_OK && i < N_STATEMENTS; i++)
		rc = sqlite3_prepare_v3(store->db, statement_texts[i], -1,
					SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL);
	if (rc != SQLITE_OK) {
		r = fail_sqlite(store->db, rc, store->file, reterr_why);
		store_close(store);
		return r;
	}
	return 0;
}

/* Step a statement that gives no rows. */
static int run(struct store *store, enum statement which)
{
	int rc = sqlite3_step(store->statements[which]);

	(void)sqlite3_reset(store->statements[which]);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_with_path(struct store *store, enum statement which, const char *path)
{
	int rc = sqlite3_bind_blob(store->statements[which], 1, path, (int)strlen(path),
				   SQLITE_STATIC);

	if (rc == SQLITE_OK)
		rc = run(store, which);
	(void)sqlite3_clear_bindings(store->statements[which]);
	return rc;
}

/* ---- the process: what is asked ---- */

/* The row was not added: is it there already? Otherwise name the fact that stands against it. */
static int compare(struct store *store, uint32_t number, const char *path, char **reterr_why)
{
	sqlite3_stmt *by_number = store->statements[FIND_NUMBER],
		     *by_path = store->statements[FIND_PATH];
	int r = -EEXIST, rc;

	rc = sqlite3_bind_int64(by_number, 1, number);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(by_number);
	if (rc == SQLITE_ROW) {
		const char *owner = sqlite3_column_blob(by_number, 0);
		int n_bytes = sqlite3_column_bytes(by_number, 0);

		if (owner && n_bytes == (int)strlen(path) &&
		    memcmp(owner, path, strlen(path)) == 0 && sqlite3_column_int(by_number, 1))
			r = 0;
		else
			fail(r, reterr_why,
			     "number %" PRIu32 " is wanted for '%s' but belongs to '%.*s'", number,
			     path, n_bytes, owner ? owner : "");
	}
	(void)sqlite3_reset(by_number);
	if (r == 0 || rc == SQLITE_ROW)
		return r;
	rc = sqlite3_bind_blob(by_path, 1, path, (int)strlen(path), SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(by_path);
	if (rc == SQLITE_ROW)
		fail(r, reterr_why, "'%s' is to have number %" PRIu32 " but has %lld", path, number,
		     (long long)sqlite3_column_int64(by_path, 0));
	(void)sqlite3_reset(by_path);
	(void)sqlite3_clear_bindings(by_path);
	return rc == SQLITE_ROW ? r : rc == SQLITE_DONE ? -EEXIST : sqlite_errno(store->db, rc);
}

static int add_number(struct store *store, uint32_t number, const char *path, char **reterr_why)
{
	sqlite3_stmt *statement = store->statements[ADD_NUMBER];
	int rc;

	rc = sqlite3_bind_int64(statement, 1, number);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(statement, 2, path, (int)strlen(path), SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = run(store, ADD_NUMBER);
	(void)sqlite3_clear_bindings(statement);
	if (rc != SQLITE_OK)
		return fail_sqlite(store->db, rc, store->file, reterr_why);
	return sqlite3_changes(store->db) ? 0 : compare(store, number, path, reterr_why);
}

static int add_numbers(struct store *store, const struct proto_message *question, char **reterr_why)
{
	uint32_t number = 0;

	for (size_t i = 0; i < question->n_fields; i++) {
		const struct proto_field *field = &question->fields[i];
		int r = 0;

		if (str_equal(field->key, "number"))
			number = (uint32_t)strtoul(field->value, NULL, 10);
		else if (str_equal(field->key, "path"))
			r = add_number(store, number, field->value, reterr_why);
		if (r < 0)
			return r;
	}
	return 0;
}

static int record_directories(struct store *store, const struct proto_message *question,
			      char **reterr_why)
{
	uint64_t made;
	int r;

	r = proto_get_u64(question, "made", 1, &made);
	if (r < 0)
		return r;
	for (size_t i = 0; i < question->n_fields; i++)
		if (str_equal(question->fields[i].key, "path")) {
			int rc = run_with_path(store, made ? ADD_DIRECTORY : REMOVE_DIRECTORY,
					       question->fields[i].value);

			if (rc != SQLITE_OK)
				return fail_sqlite(store->db, rc, store->file, reterr_why);
		}
	return 0;
}

/* As a whole or not at all. Afterwards, no transaction is open if SQLite gave up all of it. */
static int do_question(struct store *store, const struct proto_message *question, char **reterr_why)
{
	int rc, r;

	rc = run(store, SAVEPOINT);
	if (rc != SQLITE_OK)
		return fail_sqlite(store->db, rc, store->file, reterr_why);
	if (str_equal(question->word, "numbers"))
		r = add_numbers(store, question, reterr_why);
	else if (str_equal(question->word, "directories"))
		r = record_directories(store, question, reterr_why);
	else
		r = -ENOSYS;
	if (sqlite3_get_autocommit(store->db))
		return r;
	if (r < 0)
		(void)run(store, ROLLBACK_TO);
	(void)run(store, RELEASE);
	return r;
}

/* ---- the process: many questions, one transaction ---- */

struct outcome {
	uint64_t id;
	int error;
	char *why;
};

struct batch {
	struct outcome outcomes[BATCH_MAX];
	size_t n;
	int error; /* of the transaction: nobody's question is done */
	char *why;
	char *buffer;
};

/* Read questions and do them until none waits. Returns 0; WORKER_END; -errno. */
static int fill_batch(struct batch *batch, struct store *store, int fd)
{
	struct proto_message question;
	int r;

	while (batch->n < BATCH_MAX) {
		struct outcome *outcome = &batch->outcomes[batch->n];

		*outcome = (struct outcome){};
		r = worker_receive(fd, batch->n == 0, batch->buffer, &question, &outcome->id);
		if (r == WORKER_NOTHING)
			return 0;
		if (r != 0)
			return r;
		if (batch->n++ == 0) {
			batch->error = store_open(store, &batch->why);
			if (batch->error == 0) {
				int rc = run(store, BEGIN);

				if (rc != SQLITE_OK)
					batch->error = fail_sqlite(store->db, rc, store->file,
								   &batch->why);
			}
		}
		if (batch->error == 0) {
			outcome->error = do_question(store, &question, &outcome->why);
			if (sqlite3_get_autocommit(store->db))
				batch->error = outcome->error < 0 ? outcome->error : -EIO;
		}
		proto_message_done(&question);
	}
	return 0;
}

static void end_batch(struct batch *batch, struct store *store)
{
	int rc;

	if (batch->error == 0) {
		rc = run(store, COMMIT);
		if (rc != SQLITE_OK)
			batch->error = fail_sqlite(store->db, rc, store->file, &batch->why);
	}
	if (batch->error < 0)
		store_close(store);
}

static int answer_batch(struct batch *batch, int fd)
{
	int r = 0;

	for (size_t i = 0; i < batch->n; i++) {
		const struct outcome *outcome = &batch->outcomes[i];
		struct proto_writer answer = {};

		if (batch->error < 0)
			worker_fail(&answer, batch->error, batch->why ? batch->why : outcome->why);
		else if (outcome->error < 0)
			worker_fail(&answer, outcome->error, outcome->why);
		else
			proto_begin(&answer, "ok");
		if (r == 0)
			r = worker_reply(fd, outcome->id, &answer);
		proto_writer_done(&answer);
	}
	return r;
}

static void batch_done(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		free(batch->outcomes[i].why);
	free(batch->why);
	batch->why = NULL;
	batch->n = 0;
	batch->error = 0;
}

int store_main(int fd, const char *file)
{
	struct store store = { .file = file };
	struct batch *batch = calloc(1, sizeof(*batch));
	int r = -ENOMEM;

	if (batch)
		batch->buffer = malloc(PROTO_MESSAGE_MAX);
	if (batch && batch->buffer)
		do {
			r = fill_batch(batch, &store, fd);
			if (batch->n) {
				int r_answer;

				end_batch(batch, &store);
				r_answer = answer_batch(batch, fd);
				r = r == 0 ? r_answer : r;
			}
			batch_done(batch);
		} while (r == 0);
	store_close(&store);
	if (batch)
		free(batch->buffer);
	free(batch);
	return r < 0 ? r : 0;
}
