/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-store.c - the number store when things go wrong: kill -9 at any moment, failing syncs, full
 * disks, damaged and foreign files.
 *
 * The store's process is this program again, so the fsync(2) below is the one that SQLite calls there.
 */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "exportsd/numbers/file.h"
#include "exportsd/numbers/load.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/worker/worker.h"
#include "exportsd/workers.h"
#include "tests/fake/clock.h"
#include "tests/tap.h"
#include "tests/unit/directory.h"
#include "tests/unit/loop.h"
#include "tests/unit/shared.h"

enum { PATIENCE_MSEC = 20000, ROUNDS = 60 };

static const char *directory;
static char file[PATH_MAX];
static sd_event *event;

/* ---- syncs, counted and made to fail in every process of this test ---- */

struct syncs {
	unsigned int n; /* so far */
	unsigned int fail; /* while not 0 */
};

static struct syncs *syncs(void)
{
	static struct syncs *memory;

	if (!memory)
		memory = shared_memory("TEST_STORE_SYNCS", sizeof(*memory));
	return memory;
}

static int do_sync(int fd, long number)
{
	struct syncs *shared = syncs();

	if (shared) {
		__atomic_fetch_add(&shared->n, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&shared->fail, __ATOMIC_SEQ_CST)) {
			errno = EIO;
			return -1;
		}
	}
	return (int)syscall(number, fd);
}

int fsync(int fd)
{
	return do_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return do_sync(fd, SYS_fdatasync);
}

/* ---- helpers ---- */

static unsigned int n_done;
static int last_error;

static void on_done(void *userdata, int error)
{
	n_done++;
	last_error = error;
}

static int assign(struct numbers *numbers, const char *path)
{
	int r;

	n_done = 0;
	r = numbers_assign(numbers, &path, 1, on_done, NULL, NULL);
	if (r < 0)
		return r;
	return loop_until(event, &n_done, 1, PATIENCE_MSEC) ? last_error : 1;
}

static const char *log_name(void)
{
	static char name[PATH_MAX + 8];

	snprintf(name, sizeof(name), "%s-wal", file);
	return name;
}

/* Also what a crash leaves while a store is being made. */
static void remove_store(void)
{
	char pattern[PATH_MAX + 8];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s.new-*", file);
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			(void)unlink(found.gl_pathv[i]);
	globfree(&found);
	(void)unlink(log_name());
	(void)unlink(file);
}

static void write_file(const char *name, const void *bytes, size_t n_bytes)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, n_bytes) != (ssize_t)n_bytes)
		abort();
	close(fd);
}

static size_t read_file(char *bytes, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, bytes, size);

	if (fd >= 0)
		close(fd);
	return n > 0 ? (size_t)n : 0;
}

static int sql(const char *text)
{
	sqlite3 *db;
	int rc = sqlite3_open(file, &db);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA recursive_triggers = ON", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	sqlite3_close(db);
	return rc;
}

static struct numbers *open_numbers(void)
{
	struct numbers *numbers = NULL;
	int r = numbers_open(&numbers, event, (const char *const[]){ file, NULL });

	if (r < 0) {
		ok(false, "the store opens: %s", strerror(-r));
		exit(tap_done());
	}
	return numbers;
}

/* The first child of a process, 0 if it has none. */
static pid_t child_of(pid_t pid)
{
	char name[64], text[64] = "";
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", pid, pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return atoi(text);
}

/* ---- kill -9 ---- */

/* What dies: a daemon that gives numbers as fast as it can, and says which are known, one line each. */
static int victim(const char *name, unsigned int round)
{
	struct numbers *numbers;
	unsigned int i = 0;

	if (sd_event_default(&event) < 0 ||
	    numbers_open(&numbers, event, (const char *const[]){ name, NULL }) < 0)
		return 1;
	for (;;) {
		char texts[8][64], line[100];
		const char *paths[8];

		for (int k = 0; k < 8; k++) {
			snprintf(texts[k], sizeof(texts[k]), "/round%u/%u", round, i++);
			paths[k] = texts[k];
		}
		n_done = 0;
		/* Alone, together, and in calls that share. */
		if (numbers_assign(numbers, paths, 4, on_done, NULL, NULL) < 0 ||
		    numbers_assign(numbers, paths + 3, 5, on_done, NULL, NULL) < 0 ||
		    !loop_until(event, &n_done, 2, PATIENCE_MSEC))
			return 1;
		for (int k = 0; k < 8; k++) {
			int n = snprintf(line, sizeof(line), "%s %u\n", paths[k],
					 numbers_get(numbers, paths[k]));

			if (write(1, line, (size_t)n) != n)
				return 1;
		}
	}
}

/* Numbers that some victim said are known. */
static struct known {
	char path[64];
	uint32_t number;
} * known;
static size_t n_known, size_known;

static void remember(const char *line)
{
	struct known one;

	if (sscanf(line, "%63s %u", one.path, &one.number) != 2)
		return;
	if (n_known == size_known) {
		size_known = size_known ? 2 * size_known : 1024;
		known = reallocarray(known, size_known, sizeof(*known));
		if (!known)
			abort();
	}
	known[n_known++] = one;
}

/* Let it run for a while, kill it, its store's process, or both; take in what it said. */
static void run_victim(unsigned int round)
{
	char text[16], line[128];
	pid_t pid, store;
	int pipe_fds[2];
	struct pollfd first;
	FILE *from;

	snprintf(text, sizeof(text), "%u", round);
	if (pipe(pipe_fds) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		dup2(pipe_fds[1], 1);
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		execl("/proc/self/exe", "victim", "--victim", file, text, NULL);
		_exit(127);
	}
	close(pipe_fds[1]);
	first = (struct pollfd){ .fd = pipe_fds[0], .events = POLLIN };
	/* Every fourth dies while it starts. */
	if (round % 4)
		(void)poll(&first, 1, PATIENCE_MSEC);
	clock_let_run(tap_random() % 30000);
	store = child_of(pid);
	if (store > 0 && round % 3 != 0)
		kill(store, SIGKILL);
	if (round % 3 == 1)
		clock_let_run(tap_random() % 30000); /* it goes on with another process */
	kill(pid, SIGKILL);
	from = fdopen(pipe_fds[0], "r");
	while (from && fgets(line, sizeof(line), from))
		if (strchr(line, '\n'))
			remember(line);
	fclose(from);
	waitpid(pid, NULL, 0);
}

static void test_kill(void)
{
	size_t n_lost = 0, n_changed = 0, n_shared = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct numbers *numbers;

		run_victim(round);
		numbers = open_numbers();
		for (size_t i = 0; i < n_known; i++) {
			uint32_t number = numbers_get(numbers, known[i].path);
			const char *path = numbers_path(numbers, known[i].number);

			n_lost += number == 0;
			n_changed += number && number != known[i].number;
			n_shared += !path || !str_equal(path, known[i].path);
		}
		numbers_close(numbers);
	}
	ok(n_known > ROUNDS * 8, "%d times killed, %zu numbers were known", ROUNDS, n_known);
	is_int((long long)n_lost, 0, "none was lost");
	is_int((long long)n_changed, 0, "none changed");
	is_int((long long)n_shared, 0, "none belongs to another path");
	free(known);
	remove_store();
}

/* The store's process dies again and again under a daemon that lives: its calls do not notice. */
static void test_kill_worker(void)
{
	struct numbers *numbers = open_numbers();
	unsigned int n_failed = 0;
	pid_t store;

	for (int i = 0; i < 20; i++) {
		char text[32];
		const char *path = text;

		snprintf(text, sizeof(text), "/worker/%d", i);
		n_done = 0;
		numbers_assign(numbers, &path, 1, on_done, NULL, NULL);
		(void)sd_event_run(event, 0);
		store = child_of(getpid());
		if (store > 0)
			kill(store, SIGKILL);
		if (!loop_until(event, &n_done, 1, PATIENCE_MSEC) || last_error ||
		    !numbers_get(numbers, path))
			n_failed++;
	}
	is_int(n_failed, 0, "a store process that is killed under a call costs only time");
	numbers_close(numbers);
	remove_store();
}

/* ---- syncs ---- */

static void test_sync(void)
{
	struct numbers *numbers = open_numbers();
	unsigned int n_unsynced = 0, before;
	uint32_t number;

	assign(numbers, "/first");
	for (int i = 0; i < 20; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/sync/%d", i);
		before = syncs()->n;
		n_unsynced += assign(numbers, path) != 0 || syncs()->n == before;
	}
	is_int(n_unsynced, 0, "no number is known without a sync");

	syncs()->fail = 1;
	is_int(assign(numbers, "/failing"), -EIO, "a sync that fails is the call's error");
	is_int(numbers_get(numbers, "/failing"), 0, "the number is not known");
	number = numbers_first_choice("/failing");
	n_done = 0;
	numbers_adopt(numbers, "/thief", NULL, number, on_done, NULL, NULL);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC) && last_error == -EEXIST,
	   "but nobody else gets it: the disk may have it");
	is_int(assign(numbers, "/failing"), -EIO, "it fails as long as the disk does");
	syncs()->fail = 0;
	is_int(assign(numbers, "/failing"), 0, "and then succeeds");
	is_int(numbers_get(numbers, "/failing"), number, "with the same number");
	numbers_close(numbers);
	numbers = open_numbers();
	is_int(numbers_get(numbers, "/failing"), number, "also after a restart");
	is_int(numbers_count(numbers), 22, "nothing else was lost or made");
	numbers_close(numbers);
	remove_store();
}

/* ---- no room ---- */

/* Until it fails; what worked must stay. Returns how many worked. */
static int fill(struct numbers *numbers, const char *name, int *ret_error)
{
	int n = 0, error = 0;

	for (; error == 0 && n < 20000; n++) {
		char path[300];

		snprintf(path, sizeof(path), "/%s/%0200d", name, n);
		error = assign(numbers, path);
	}
	*ret_error = error;
	return n - 1;
}

static int count_known(const struct numbers *numbers, const char *name, int n)
{
	int n_known_now = 0;

	for (int i = 0; i < n; i++) {
		char path[300];

		snprintf(path, sizeof(path), "/%s/%0200d", name, i);
		n_known_now += numbers_get(numbers, path) == numbers_first_choice(path);
	}
	return n_known_now;
}

static void test_file_limit(void)
{
	struct rlimit all, small = { .rlim_cur = 64 * 1024 };
	struct numbers *numbers;
	int n, error;

	getrlimit(RLIMIT_FSIZE, &all);
	small.rlim_max = all.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	numbers = open_numbers();
	n = fill(numbers, "limit", &error);
	ok(n > 0 && error == -EIO, "%d numbers fit below a file size limit, then -EIO", n);
	setrlimit(RLIMIT_FSIZE, &all);
	prlimit(child_of(getpid()), RLIMIT_FSIZE, &all, NULL);
	is_int(assign(numbers, "/limit/after"), 0, "without the limit it goes on");
	numbers_close(numbers);
	numbers = open_numbers();
	is_int(count_known(numbers, "limit", n), n, "all that were known are still");
	numbers_close(numbers);
	remove_store();
}

static bool map_to_root(const char *name, unsigned int id)
{
	char text[32];
	int fd = open(name, O_WRONLY | O_CLOEXEC), n;

	if (fd < 0)
		return false;
	n = snprintf(text, sizeof(text), "0 %u 1", id);
	n = write(fd, text, (size_t)n) == n;
	close(fd);
	return n;
}

static bool private_tmpfs(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	write_file("/proc/self/setgroups", "deny", 4);
	return map_to_root("/proc/self/uid_map", uid) && map_to_root("/proc/self/gid_map", gid) &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", directory, "tmpfs", 0, "size=512k") == 0;
}

/* In a process of its own, in a small file system of its own. */
static int full_disk(void)
{
	char filler[PATH_MAX + 16], bytes[64 * 1024] = "";
	struct numbers *numbers;
	int n, error;

	if (!private_tmpfs())
		return 77;
	snprintf(filler, sizeof(filler), "%s/filler", directory);
	write_file(filler, bytes, sizeof(bytes));
	numbers = open_numbers();
	n = fill(numbers, "disk", &error);
	ok(n > 0 && error == -ENOSPC, "%d numbers fit on a small disk, then -ENOSPC", n);
	is_int(assign(numbers, "/disk/again"), -ENOSPC, "again");
	is_int(count_known(numbers, "disk", n), n, "all that were known are still");
	numbers_close(numbers);
	numbers = open_numbers();
	is_int(count_known(numbers, "disk", n), n, "a restart on the full disk knows them, too");
	(void)unlink(filler);
	is_int(assign(numbers, "/disk/again"), 0, "with room it goes on");
	numbers_close(numbers);
	numbers = open_numbers();
	is_int(numbers_count(numbers), n + 1, "nothing was lost");
	numbers_close(numbers);
	return 0;
}

static void test_full_disk(void)
{
	loop_in_child(&event, full_disk, 6, "a full disk");
}

/* ---- files that are not right ---- */

/* Try to load the file: it must fail so, name the file, and leave it as it is. */
static void refused(int error, const char *word, const char *what)
{
	static char before[1024 * 1024], after[sizeof(before)];
	struct store_copy copy = { .file = file };
	struct numbers_entries entries = {};
	size_t n_before = read_file(before, sizeof(before)), n_after;
	char *why = NULL;
	int r;

	r = store_load(&copy, 1, &entries, &why);
	store_copy_done(&copy);
	numbers_entries_done(&entries);
	n_after = read_file(after, sizeof(after));
	is_int(r, error, what);
	ok(why && strstr(why, file) && strstr(why, word), "its message names the file and '%s'",
	   word);
	if (why)
		printf("#   %s\n", why);
	ok(n_before == n_after && memcmp(before, after, n_before) == 0,
	   "the file is left as it is");
	free(why);
	remove_store();
}

/* A good store with a thousand numbers. */
static void make_store(void)
{
	struct numbers *numbers = open_numbers();
	static char texts[1000][64];
	const char *paths[1000];

	for (int i = 0; i < 1000; i++) {
		snprintf(texts[i], sizeof(texts[i]), "/media/%050d", i);
		paths[i] = texts[i];
	}
	n_done = 0;
	numbers_assign(numbers, paths, 1000, on_done, NULL, NULL);
	(void)loop_until(event, &n_done, 1, PATIENCE_MSEC);
	numbers_close(numbers);
}

static void overwrite(off_t offset, size_t n_bytes)
{
	char noise[8192];
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	memset(noise, 0xa5, sizeof(noise));
	if (fd < 0 || pwrite(fd, noise, n_bytes, offset) != (ssize_t)n_bytes)
		abort();
	close(fd);
}

static void test_bad_files(void)
{
	static const char noughts[4096];
	struct numbers *numbers;
	struct stat st;

	write_file(file, "", 0);
	refused(-EUCLEAN, "empty", "an empty file is refused");
	write_file(file, "this is no database, and never was one", 38);
	refused(-EINVAL, "is no number store", "a text file is refused");
	write_file(file, "SQLite for", 10);
	refused(-EUCLEAN, "damaged", "the first bytes of a database are what is left of one");
	write_file(file, noughts, sizeof(noughts));
	refused(-EUCLEAN, "damaged", "a page of zeros is");
	sql("CREATE TABLE something (x)");
	refused(-EINVAL, "no number store", "somebody else's database is refused");
	make_store();
	(void)chmod(file, 0620);
	refused(-EPERM, "written by others", "a file that others could have written is refused");
	make_store();
	write_file(log_name(), "", 0);
	(void)chmod(log_name(), 0602);
	refused(-EPERM, "written by others", "a log that others could have written, too");
	make_store();
	sql("ALTER TABLE number ADD COLUMN newer INTEGER; PRAGMA user_version = 3");
	refused(-EPROTONOSUPPORT, "newer", "a newer version is refused");
	make_store();
	sql("PRAGMA user_version = 3");
	refused(-EUCLEAN, "its version is 3", "a damaged version is no newer one");
	make_store();
	sql("PRAGMA writable_schema = ON;"
	    "UPDATE sqlite_schema SET sql = replace(sql, '>= 0', '!= 0') WHERE name = 'number'");
	refused(-EUCLEAN, "its tables are not", "a bit that flipped in a table's rules is found");
	make_store();
	sql("DROP TRIGGER number_stays");
	refused(-EUCLEAN, "its tables are not", "a rule that is missing, too");
	make_store();
	overwrite(2 * 4096, 4096);
	refused(-EUCLEAN, "damaged", "a page of noise is found");
	make_store();
	overwrite(30, 60);
	refused(-EUCLEAN, "damaged", "a damaged header is found");
	make_store();
	if (stat(file, &st) < 0 || truncate(file, st.st_size / 8192 * 4096) < 0)
		abort();
	refused(-EUCLEAN, "damaged", "half a file is found");
	write_file(log_name(), "x", 1);
	refused(-EUCLEAN, "gone", "a log without its database is refused");
	make_store();
	sql("UPDATE number SET created = created + 1 WHERE number = (SELECT max(number) FROM number)");
	refused(-EUCLEAN, "checksum", "a row that was altered is found");
	make_store();
	sql("DROP TRIGGER number_stays; DELETE FROM number WHERE number = (SELECT max(number) FROM number);"
	    "CREATE TRIGGER number_stays BEFORE DELETE ON number BEGIN"
	    " SELECT raise(ABORT, 'a number is never deleted, only retired'); END;");
	refused(-EUCLEAN, "999 rows of 1000", "a row that is gone is found");
	mkdir(file, 0700);
	is_int(numbers_open(&numbers, event, (const char *const[]){ file, NULL }), -EINVAL,
	       "a directory is refused");
	rmdir(file);
}

static void test_lock(void)
{
	struct numbers *numbers = open_numbers(), *second;
	uint64_t start = loop_now_msec();

	assign(numbers, "/mine");
	is_int(numbers_open(&second, event, (const char *const[]){ file, NULL }), -EBUSY,
	       "a second daemon does not get the file");
	ok(loop_now_msec() - start >= 4000, "though it waits for one that is ending");
	is_int(assign(numbers, "/mine/too"), 0, "the first goes on");
	numbers_close(numbers);
	remove_store();
}

/* ---- the schema itself ---- */

static void test_schema(void)
{
	make_store();
	is_int(sql("DELETE FROM number"), SQLITE_CONSTRAINT, "no number can be deleted");
	is_int(sql("UPDATE number SET path = x'2f'"), SQLITE_CONSTRAINT, "none gets another path");
	is_int(sql("UPDATE number SET number = 70000 WHERE number = (SELECT max(number) FROM number)"),
	       SQLITE_CONSTRAINT, "no path another number");
	is_int(sql("INSERT OR REPLACE INTO number SELECT number, x'2f78', NULL, 1, 0, 0, 0 FROM number"),
	       SQLITE_CONSTRAINT, "none is replaced");
	is_int(sql("INSERT INTO number VALUES (0, x'2f78', NULL, 1, 0, 0, 0)"), SQLITE_CONSTRAINT,
	       "no number is 0");
	is_int(sql("INSERT INTO number VALUES (2147483648, x'2f78', NULL, 1, 0, 0, 0)"),
	       SQLITE_CONSTRAINT, "or out of range");
	is_int(sql("INSERT INTO number VALUES (70000, x'78', NULL, 1, 0, 0, 0)"), SQLITE_CONSTRAINT,
	       "no path is relative");
	is_int(sql("INSERT INTO number VALUES (70000, '/x', NULL, 1, 0, 0, 0)"), SQLITE_CONSTRAINT,
	       "a path is bytes, not text");
	is_int(sql("UPDATE number SET identity = x'41' WHERE number = (SELECT max(number) FROM number)"),
	       SQLITE_OK, "a number may stand for a medium");
	is_int(sql("UPDATE number SET identity = x'42' WHERE number = (SELECT max(number) FROM number)"),
	       SQLITE_CONSTRAINT, "but for no other one later");
	is_int(sql("UPDATE number SET sequence = 0"), SQLITE_CONSTRAINT,
	       "what was said is not taken back");
	is_int(sql("INSERT INTO directory VALUES (x'2f78', 1, 0, 0, 0); DELETE FROM directory"),
	       SQLITE_CONSTRAINT, "no directory is deleted");
	remove_store();
}

/* A store of a version that no release made. */
static const char version_1[] =
	"PRAGMA page_size = 4096;"
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
	"INSERT INTO number VALUES (70000, x'2f61ff', NULL, 1, 1700000000, NULL),"
	" (70001, x'2f62', NULL, 1, 1700000001, NULL), (70002, x'2f62', 'disc 2', 0, 1700000002, NULL),"
	" (70003, x'2f63', NULL, 0, 1700000003, 1700000004);"
	"INSERT INTO directory VALUES (x'2f61ff');";

static void test_version_1(void)
{
	is_int(sql(version_1), SQLITE_OK, "a store of version 1");
	refused(-EPROTONOSUPPORT, "has version 1, and this exportsd reads version 2",
		"is refused by name, and no damaged one");
	is_int(sql(version_1), SQLITE_OK, "a store of version 1, damaged");
	sql("DROP TRIGGER number_keeps_its_meaning; PRAGMA writable_schema = 1;"
	    "UPDATE sqlite_schema SET rootpage = 99 WHERE name = 'directory'");
	refused(-EUCLEAN, "damaged", "it is refused");
}

/* Somebody wrote to the file behind the daemon's back: refused, both facts named. */
static int row_from_elsewhere(uint32_t number, const char *path)
{
	const struct store_row row = { .number = number, .path = path, .n_path = strlen(path) };
	struct store_file *other = NULL;
	char *why = NULL;
	int r = store_file_open(file, STORE_FILE_WRITE, &other, &why);

	if (r == 0)
		r = store_file_begin(other, &why);
	if (r == 0)
		r = store_file_join(other, &row, &why);
	if (r == 0)
		r = store_file_commit(other, &why);
	store_file_close(other);
	free(why);
	return r;
}

static void test_contradiction(void)
{
	struct numbers *numbers = open_numbers();
	pid_t store = child_of(getpid());

	if (store > 0)
		kill(store, SIGKILL);
	loop_for(event, 200);
	is_int(row_from_elsewhere(numbers_first_choice("/mine"), "/other"), 0,
	       "a row from elsewhere");
	is_int(assign(numbers, "/mine"), -EEXIST, "that takes a path's number is an error");
	is_int(numbers_get(numbers, "/mine"), 0, "the path gets none");
	is_int(assign(numbers, "/yours"), 0, "others do");
	numbers_close(numbers);
	remove_store();
}

int main(int argc, char **argv)
{
	char name[PATH_MAX];

	if (argc > 3 && str_equal(argv[1], "--worker"))
		return worker_main(argv[2], atoi(argv[3]), argc > 4 ? argv[4] : NULL);
	if (argc == 4 && str_equal(argv[1], "--victim"))
		return victim(argv[2], (unsigned int)atoi(argv[3]));
	directory = directory_make("test-store");
	if (sd_event_default(&event) < 0)
		return 1;
	snprintf(file, sizeof(file), "%s/numbers.sqlite", directory);
	snprintf(name, sizeof(name), "%s/syncs", directory);
	setenv("TEST_STORE_SYNCS", name, 1);
	test_sync();
	test_kill();
	test_kill_worker();
	test_file_limit();
	test_full_disk();
	test_bad_files();
	test_lock();
	test_schema();
	test_version_1();
	test_contradiction();
	sd_event_unref(event);
	(void)unlink(name);
	ok(rmdir(directory) == 0, "nothing is left beside the store");
	return tap_done();
}
