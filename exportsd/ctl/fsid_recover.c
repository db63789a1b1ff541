/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fsid_recover.c - exportsctl fsid recover and import: numbers from files that are not the store's.
 *
 * A file to recover from is evidence: it is read from a private copy, and never written. Whoever
 * could write to it could have numbers lead elsewhere, so it must be root's, or carry this server's
 * MAC, or be trusted by name.
 */

#include "exportsd/ctl/fsid_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "exportsd/numbers/file.h"
#include "exportsd/numbers/text.h"
#include "parser/file.h"

struct source {
	const char *name;
	struct numbers_entries *entries;
	size_t n;
};

static int take_row(void *userdata, const struct store_row *row)
{
	struct source *source = userdata;

	if (!store_row_is_plausible(row)) {
		complain("'%s': sequence %" PRIu64 " of number %" PRIu32
			 " is none that exportsd gave; correct it",
			 source->name, row->sequence, row->number);
		return -EINVAL;
	}
	source->n++;
	return fsid_join(source->entries, row, source->name);
}

/* ---- opening what others may have put there ---- */

static int open_safely(const char *name, struct stat *ret_st)
{
	/* A pipe that nobody writes to must not stop us. */
	CLEANUP(closep) int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || fstat(fd, ret_st) < 0) {
		complain("cannot open '%s': %s", name,
			 errno == ELOOP ? "it is a symbolic link" : strerror(errno));
		return -1;
	}
	if (!S_ISREG(ret_st->st_mode) || ret_st->st_size > STORE_TEXT_MAX) {
		complain("'%s' is %s", name, S_ISREG(ret_st->st_mode) ? "too large" : "not a file");
		return -1;
	}
	return TAKE_FD(fd);
}

static bool is_private(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & 022) &&
	       st->st_nlink == 1;
}

/* ---- a list in text ---- */

static bool refuse_untrusted(const char *name, const struct stat *st, bool has_mac, bool has_key)
{
	if (has_mac || is_private(st))
		return false;
	complain("'%s' could have been written by others, and %s; look at it, then give "
		 "--untrusted to believe it",
		 name, has_key ? "its MAC is not this server's" : "this server's key is lost");
	return true;
}

static bool read_text(const struct ctl_invocation *invocation, const struct fsid_store *store,
		      struct source *source, int fd, const struct stat *st)
{
	CLEANUP(freep) char *bytes = NULL, *why = NULL;
	unsigned char key[STORE_KEY_BYTES];
	bool has_key = store_key_read(store->config->state_directory, false, key) == 0;
	size_t n_bytes;
	int r = file_read(fd, STORE_TEXT_MAX, &bytes, &n_bytes);

	if (r < 0) {
		complain("cannot read '%s': %s", source->name, strerror(-r));
		return false;
	}
	/* Rows are taken into memory, no further, before it is known whose they are. */
	r = store_text_read(bytes, n_bytes, has_key ? key : NULL, take_row, source, &why);
	if (r < 0) {
		if (r != -EEXIST)
			complain("'%s': %s", source->name, why ?: strerror(-r));
		return false;
	}
	return ctl_option(invocation, "untrusted") ||
	       !refuse_untrusted(source->name, st, has_key && r == 0, has_key);
}

/* ---- a copy of the store ---- */

static bool copy_to(int from, const char *name)
{
	CLEANUP(closep) int to = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	static char buffer[1 << 16];
	ssize_t n = to < 0 ? -1 : 1;

	for (off_t offset = 0; n > 0; offset += n) {
		n = pread(from, buffer, sizeof(buffer), offset);
		if (n > 0 && write(to, buffer, (size_t)n) != n)
			n = -1;
	}
	return n == 0;
}

/* With its log, if it has one. */
static bool make_private_copy(const char *name, int fd, const char *copy)
{
	CLEANUP(freep) char *log = NULL, *log_copy = NULL;
	CLEANUP(closep) int log_fd = -1;

	if (asprintf(&log, "%s-wal", name) < 0 || asprintf(&log_copy, "%s-wal", copy) < 0)
		return false;
	log_fd = open(log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return copy_to(fd, copy) && (log_fd < 0 || copy_to(log_fd, log_copy));
}

static bool read_private_copy(struct source *source, const char *copy)
{
	CLEANUP(freep) char *why = NULL;
	struct store_file *file = NULL;
	int r = store_file_open(copy, 0, &file, &why);

	if (r >= 0)
		r = store_file_read(file, take_row, source, &why);
	store_file_close(file);
	if (r == -EEXIST || r == -ENOMEM)
		return false;
	if (r < 0)
		complain("'%s' is not good (%s); %zu rows of it are right", source->name,
			 why ?: strerror(-r), source->n);
	return r >= 0 || source->n > 0;
}

static bool read_copy_of_store(const struct ctl_invocation *invocation, struct source *source,
			       int fd, const struct stat *st)
{
	char directory[] = "/tmp/exportsctl-XXXXXX", copy[sizeof(directory) + 16];
	char log[sizeof(copy) + 4];
	bool done;

	if (!(ctl_option(invocation, "untrusted")) &&
	    refuse_untrusted(source->name, st, false, true))
		return false;
	if (!mkdtemp(directory)) {
		complain("cannot make a directory in /tmp: %s", strerror(errno));
		return false;
	}
	snprintf(copy, sizeof(copy), "%s/numbers", directory);
	snprintf(log, sizeof(log), "%s-wal", copy);
	done = make_private_copy(source->name, fd, copy);
	if (!done)
		complain("cannot copy '%s' to %s", source->name, directory);
	done = done && read_private_copy(source, copy);
	(void)unlink(log);
	(void)unlink(copy);
	(void)rmdir(directory);
	return done;
}

static bool read_file(const struct ctl_invocation *invocation, const struct fsid_store *store,
		      const char *name, struct numbers_entries *entries)
{
	struct source source = { .name = name, .entries = entries };
	static const char sqlite_magic[] = "SQLite format 3";
	char magic[sizeof(sqlite_magic)] = "";
	struct stat st;
	CLEANUP(closep) int fd = open_safely(name, &st);

	if (fd < 0)
		return false;
	if (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	    memcmp(magic, sqlite_magic, sizeof(magic)) == 0)
		return read_copy_of_store(invocation, &source, fd, &st);
	return read_text(invocation, store, &source, fd, &st);
}

/* ---- fsidd's database ---- */

/* Returns 1: taken; 0: left out, and that was said; -1: it failed. */
static int take_fsidd_row(sqlite3_stmt *statement, struct source *source)
{
	int64_t number = sqlite3_column_int64(statement, 0);
	const char *path = (const char *)sqlite3_column_text(statement, 1);
	struct store_row row = {
		.number = (uint32_t)number,
		.path = path ?: "",
		.n_path = (size_t)sqlite3_column_bytes(statement, 1),
	};

	/* The kernel reads a signed int: fsidd cannot find these again either. */
	if (number < 1 || number > NUMBERS_LAST || !store_row_good(&row)) {
		complain("left out: number %" PRId64 " of '%s' cannot be used", number, row.path);
		return 0;
	}
	return take_row(source, &row) < 0 ? -1 : 1;
}

static bool read_fsidd(const char *name, struct numbers_entries *entries)
{
	struct source source = { .name = name, .entries = entries };
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;
	int taken = 0, rc;

	rc = sqlite3_open_v2(name, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "SELECT num, path FROM fsidnums ORDER BY num", -1,
					&statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	for (; rc == SQLITE_ROW && taken >= 0; rc = sqlite3_step(statement))
		taken = take_fsidd_row(statement, &source);
	if (taken >= 0 && rc != SQLITE_DONE)
		complain("cannot read '%s' as fsidd's database: %s", name,
			 db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return taken >= 0 && rc == SQLITE_DONE;
}

/* ---- the commands ---- */

/*
 * With a daemon it compares them with what it knows; without, they are joined to what the copies
 * say.
 */
static int take(struct fsid_store *store, struct numbers_entries *entries)
{
	size_t n_before = entries->n;
	bool done;

	if (!store->has_daemon && fsid_read_all(store, entries) < 0)
		return EXIT_FAILURE;
	done = fsid_write_all(store, entries);
	if (done)
		printf("%zu numbers taken\n", n_before);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int begin_new(struct fsid_store *store)
{
	struct numbers_entries entries = {};
	int n_good = store->has_daemon ? 1 : fsid_read_all(store, &entries);
	bool done = false;

	if (n_good > 0)
		complain("the number store is good: it is not begun anew");
	else if (n_good == 0) {
		numbers_entries_done(&entries);
		entries = (struct numbers_entries){};
		done = fsid_write_all(store, &entries);
	}
	if (done)
		puts("the number store is empty now; new media get, nearly always, the numbers they had");
	numbers_entries_done(&entries);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_recover(const struct ctl_invocation *invocation)
{
	const char *from = ctl_option(invocation, "from");
	CLEANUP(fsid_store_close) struct fsid_store store = {};
	struct numbers_entries entries = {};
	int exit_code = EXIT_FAILURE;

	if (!from == !ctl_option(invocation, "new"))
		return CTL_EXIT_USAGE;
	if (!fsid_store_open(invocation, &store))
		return EXIT_FAILURE;
	if (!from)
		return begin_new(&store);
	if (read_file(invocation, &store, from, &entries))
		exit_code = take(&store, &entries);
	numbers_entries_done(&entries);
	return exit_code;
}

const struct ctl_command ctl_fsid_recover = {
	.name = "fsid recover",
	.usage = "{--from FILE [--untrusted] | --new}",
	.summary = "take the numbers in a file, or begin with none",
	.options = { { "from", .argument = "FILE", .summary = "take numbers from FILE" },
		     { "untrusted", .summary = "believe a file that others could have written" },
		     { "new", .summary = "begin with no numbers" } },
	.run = run_recover,
};

static int run_import(const struct ctl_invocation *invocation)
{
	CLEANUP(fsid_store_close) struct fsid_store store = {};
	struct numbers_entries entries = {};
	int exit_code = EXIT_FAILURE;

	if (fsid_store_open(invocation, &store) && read_fsidd(invocation->arguments[0], &entries))
		exit_code = take(&store, &entries);
	numbers_entries_done(&entries);
	return exit_code;
}

const struct ctl_command ctl_fsid_import = {
	.name = "fsid import",
	.usage = "DATABASE",
	.summary = "take the numbers of fsidd's database",
	.min = 1,
	.max = 1,
	.run = run_import,
};
