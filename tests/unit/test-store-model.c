/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-store-model.c - the numbers and their two copies against a model, on file systems that fail.
 *
 * A run is a list of steps: calls, faults of one copy's or both copies' file system, kill -9 of their processes, restarts, files
 * that are damaged or gone. What done() said is true must be true from then on, whatever happens. A call that failed is made
 * again when the faults are over, perhaps after a restart, and must succeed then. TEST_SEED gives the first list; one that
 * fails is made shorter as long as it still fails, and printed. SOAK=1: more lists, and longer; about three minutes on an idle
 * core.
 *
 * The copies' processes are this program again, so the functions below are those that SQLite calls there.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "exportsd/numbers/numbers.h"
#include "exportsd/worker/worker.h"
#include "exportsd/workers.h"
#include "tests/tap.h"
#include "tests/unit/directory.h"
#include "tests/unit/loop.h"
#include "tests/unit/shared.h"

enum { PATIENCE_MSEC = 30000, N_PATHS = 8, N_IDENTITIES = 3, STEPS_MAX = 120, N_COPIES = 2 };

/* ---- file systems that fail ---- */

enum fault { NO_FAULT, SYNC_FAILS, DISK_FULL, SHORT_WRITE, RENAME_LOST, N_FAULTS };

struct shared {
	int faults[N_COPIES];
};

static struct shared *shared(void)
{
	static struct shared *memory;

	if (!memory)
		memory = shared_memory("TEST_STORE_FAULTS", sizeof(*memory));
	return memory;
}

/* Copies live in directories 0 and 1. */
static enum fault fault_of_path(const char *path)
{
	const char *last = strrchr(path, '/');

	if (!shared() || !last || last - path < 2 || last[-2] != '/')
		return NO_FAULT;
	return last[-1] == '0' || last[-1] == '1'
		       ? (enum fault)__atomic_load_n(&shared()->faults[last[-1] - '0'],
						     __ATOMIC_SEQ_CST)
		       : NO_FAULT;
}

static enum fault fault_of(int fd)
{
	char name[64], path[PATH_MAX];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	return fault_of_path(path);
}

static int do_sync(int fd, long number)
{
	if (fault_of(fd) == SYNC_FAILS) {
		errno = EIO;
		return -1;
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

ssize_t pwrite64(int fd, const void *bytes, size_t n_bytes, off64_t offset);
ssize_t pwrite64(int fd, const void *bytes, size_t n_bytes, off64_t offset)
{
	enum fault fault = fault_of(fd);

	if (fault == DISK_FULL || (fault == SHORT_WRITE && n_bytes < 2)) {
		errno = ENOSPC;
		return -1;
	}
	/* SQLite goes on with the rest, until nothing fits any more. */
	return syscall(SYS_pwrite64, fd, bytes, fault == SHORT_WRITE ? n_bytes / 2 : n_bytes,
		       offset);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	if (fault_of_path(to) == RENAME_LOST)
		return (int)syscall(SYS_unlinkat, from_fd, from, 0);
	return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

/* ---- steps ---- */

enum kind {
	ASSIGN,
	ASSIGN_FOR,
	BIND,
	RETIRE,
	SET,
	MADE,
	REMOVED,
	FAULT,
	KILL,
	RESTART,
	DAMAGE, /* and restart */
	LOSE, /* and restart */
	ALONE, /* restart with one copy, compare, and go on with both */
	VERIFY,
	N_KINDS,
};

static const char *const kind_words[N_KINDS] = { "assign", "assign-for", "bind",    "retire",
						 "set",	   "made",	 "removed", "fault",
						 "kill",   "restart",	 "damage",  "lose",
						 "alone",  "verify" };

struct step {
	enum kind kind;
	unsigned int path, identity, number, copy, extra;
};

static void make_steps(struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		steps[i] = (struct step){
			.kind = (enum kind)(tap_random() % N_KINDS),
			.path = (unsigned int)(tap_random() % N_PATHS),
			.identity = (unsigned int)(tap_random() % N_IDENTITIES),
			.number = (unsigned int)(tap_random() % 20),
			.copy = (unsigned int)(tap_random() % (N_COPIES + 1)), /* the last: both */
			.extra = (unsigned int)tap_random(),
		};
}

/* ---- the model: what was said to be true ---- */

struct fact {
	uint32_t number;
	unsigned int path;
	int identity; /* -1: any */
	bool retired;
	unsigned int chosen; /* when */
};

struct run {
	sd_event *event;
	struct numbers *numbers;
	char files[N_COPIES][PATH_MAX];
	const char *names[N_COPIES + 1];
	struct fact facts[STEPS_MAX];
	size_t n_facts;
	bool made[N_PATHS];
	unsigned int now;
	unsigned int n_done;
	int error;
	size_t step;
};

static const char *directory;

static const char *path_name(unsigned int path)
{
	static const char *const names[N_PATHS] = { "/m/0", "/m/one", "/m/\303\251", "/m/3 3",
						    "/m/4", "/m/5",   "/m/6",	     "/m/7" };

	return names[path];
}

static const char *identity_name(int identity)
{
	static const char *const names[N_IDENTITIES] = { "disc A", "disc B", "disc \377" };

	return identity < 0 ? NULL : names[identity];
}

static void die(const struct run *run, const char *format, ...) FORMAT_PRINTF(2, 3);
static void die(const struct run *run, const char *format, ...)
{
	va_list ap;

	printf("#   step %zu: ", run->step);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	_exit(1);
}

static struct fact *find_fact(struct run *run, uint32_t number)
{
	for (size_t i = 0; i < run->n_facts; i++)
		if (run->facts[i].number == number)
			return &run->facts[i];
	return NULL;
}

static const struct fact *primary(const struct run *run, unsigned int path)
{
	const struct fact *best = NULL;

	for (size_t i = 0; i < run->n_facts; i++)
		if (run->facts[i].path == path && !run->facts[i].retired &&
		    (!best || run->facts[i].chosen > best->chosen))
			best = &run->facts[i];
	return best;
}

static void compare(struct run *run)
{
	for (size_t i = 0; i < run->n_facts; i++) {
		const struct fact *fact = &run->facts[i];
		const char *path = numbers_path(run->numbers, fact->number);
		const char *identity = numbers_identity(run->numbers, fact->number);
		const char *wanted = identity_name(fact->identity);

		if (!path || !str_equal(path, path_name(fact->path)))
			die(run, "number %u of %s is that of %s", fact->number,
			    path_name(fact->path), path ?: "nobody");
		if (!wanted != !identity || (wanted && !str_equal(wanted, identity)))
			die(run, "number %u stands for %s, not %s", fact->number, identity ?: "any",
			    wanted ?: "any");
		if (numbers_is_retired(run->numbers, fact->number) != fact->retired)
			die(run, "number %u is retired, or is not", fact->number);
	}
	for (unsigned int path = 0; path < N_PATHS; path++) {
		const struct fact *fact = primary(run, path);
		uint32_t number = numbers_get(run->numbers, path_name(path));

		if (number != (fact ? fact->number : 0))
			die(run, "%s has %u, not %u", path_name(path), number,
			    fact ? fact->number : 0);
		if (numbers_made_directory(run->numbers, path_name(path)) != run->made[path])
			die(run, "the record of %s is wrong", path_name(path));
	}
}

/* ---- calls ---- */

static void on_done(void *userdata, int error)
{
	struct run *run = userdata;

	run->n_done++;
	run->error = error;
}

static void on_verified(void *userdata)
{
	((struct run *)userdata)->n_done++;
}

static void wait_done(struct run *run)
{
	if (!loop_until(run->event, &run->n_done, 1, PATIENCE_MSEC))
		die(run, "no answer");
}

static void open_numbers(struct run *run)
{
	int r = numbers_open(&run->numbers, run->event, run->names);

	if (r < 0)
		die(run, "the store does not open: %s", strerror(-r));
}

static void clear_faults(void)
{
	for (int i = 0; i < N_COPIES; i++)
		__atomic_store_n(&shared()->faults[i], NO_FAULT, __ATOMIC_SEQ_CST);
}

static bool all_are_good(const struct run *run)
{
	struct numbers_copy_status copy;

	for (size_t i = 0; numbers_copy(run->numbers, i, &copy); i++)
		if (!str_equal(copy.state, "good"))
			return false;
	return true;
}

/* Faults over, every copy read as a whole and good. */
static void heal(struct run *run)
{
	clear_faults();
	for (int i = 0; i < 300 && !(i && all_are_good(run)); i++) {
		int r;

		run->n_done = 0;
		r = numbers_verify(run->numbers, on_verified, run, NULL);
		if (r < 0)
			die(run, "the copies cannot be checked: %s", strerror(-r));
		wait_done(run);
		loop_for(run->event, 10);
	}
	if (!all_are_good(run))
		die(run, "a copy does not come back");
}

static void restart(struct run *run)
{
	numbers_close(run->numbers);
	open_numbers(run);
}

static int call(struct run *run, const struct step *step, uint32_t number)
{
	const char *path = path_name(step->path), *identity = identity_name((int)step->identity);

	run->n_done = 0;
	run->error = 0;
	switch (step->kind) {
	case ASSIGN: return numbers_assign(run->numbers, &path, 1, on_done, run, NULL);
	case ASSIGN_FOR:
		return numbers_assign_for(run->numbers, path, identity, on_done, run, NULL);
	case BIND: return numbers_bind(run->numbers, number, identity, on_done, run, NULL);
	case RETIRE: return numbers_retire(run->numbers, number, on_done, run, NULL);
	case SET: return numbers_set(run->numbers, path, NULL, number, on_done, run, NULL);
	default:
		return numbers_record_directories(run->numbers, &path, 1, step->kind == MADE,
						  on_done, run, NULL);
	}
}

/* What a call may answer, by the model, when no disk fails. */
static int expected(struct run *run, const struct step *step, const struct fact *fact,
		    uint32_t number)
{
	if (step->kind == SET && fact && (fact->path != step->path || fact->identity >= 0))
		return -EEXIST;
	if (step->kind != BIND)
		return 0;
	if (fact->identity >= 0)
		return fact->identity == (int)step->identity ? 0 : -EEXIST;
	for (size_t i = 0; i < run->n_facts; i++)
		if (run->facts[i].path == fact->path && !run->facts[i].retired &&
		    run->facts[i].number != number && run->facts[i].identity == (int)step->identity)
			return -EEXIST;
	return 0;
}

static void learn(struct run *run, uint32_t number, const struct step *step, int identity)
{
	struct fact *fact = find_fact(run, number);

	if (!fact) {
		fact = &run->facts[run->n_facts++];
		*fact = (struct fact){ .number = number, .path = step->path, .identity = identity };
	}
	fact->retired = false;
	fact->chosen = ++run->now;
}

/* It is true now, for ever. */
static void record(struct run *run, const struct step *step, uint32_t number)
{
	struct fact *fact = find_fact(run, number);
	uint32_t given = numbers_get(run->numbers, path_name(step->path));

	switch (step->kind) {
	case ASSIGN:
		if (!primary(run, step->path))
			learn(run, given, step, -1);
		break;
	case ASSIGN_FOR:
		if (!primary(run, step->path) || primary(run, step->path)->number != given)
			learn(run, given, step, (int)step->identity);
		break;
	case BIND: fact->identity = (int)step->identity; break;
	case RETIRE: fact->retired = true; break;
	case SET:
		if (!primary(run, step->path) || primary(run, step->path)->number != number)
			learn(run, number, step, -1);
		break;
	default: run->made[step->path] = step->kind == MADE;
	}
}

static void do_call(struct run *run, const struct step *step)
{
	uint32_t number = 0;
	const struct fact *fact = NULL;
	int wanted;

	if (step->kind == BIND || step->kind == RETIRE) {
		if (!run->n_facts)
			return;
		fact = &run->facts[step->number % run->n_facts];
		number = fact->number;
	} else if (step->kind == SET) {
		number = 70000 + step->number;
		fact = find_fact(run, number);
	}
	wanted = expected(run, step, fact, number);
	for (int i = 0; i < 2; i++) {
		if (call(run, step, number) < 0)
			die(run, "the call is refused");
		wait_done(run);
		if (run->error == 0 || run->error == wanted)
			break;
		if (i)
			die(run, "%s fails without a reason: %s", kind_words[step->kind],
			    strerror(-run->error));
		clear_faults();
		if (step->extra % 2)
			restart(run);
	}
	if (run->error != wanted)
		die(run, "%s: %s, not %s", kind_words[step->kind], strerror(-run->error),
		    strerror(-wanted));
	if (run->error == 0)
		record(run, step, number);
}

/* ---- what happens to files ---- */

static void kill_processes(const struct step *step)
{
	char name[64], text[256] = "", *next;
	int fd, n = 0;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", getpid(), getpid());
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		abort();
	close(fd);
	for (char *word = strtok_r(text, " ", &next); word; word = strtok_r(NULL, " ", &next))
		if (step->copy == N_COPIES || step->copy == (unsigned int)n++ % N_COPIES)
			kill(atoi(word), SIGKILL);
}

static void damage(const struct run *run, const struct step *step)
{
	const char *name = run->files[step->copy % N_COPIES];
	int fd = open(name, O_RDWR | O_CLOEXEC);
	unsigned char bytes[512];
	struct stat st;
	off_t at;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(run, "'%s' is not there", name);
	at = (off_t)(step->extra / 4 % (unsigned int)st.st_size);
	if (step->extra % 4 == 0 && ftruncate(fd, at) < 0)
		abort();
	if (step->extra % 4 == 1 && pread(fd, bytes, 1, at) == 1) {
		bytes[0] ^= (unsigned char)(1 << step->identity);
		(void)!pwrite(fd, bytes, 1, at);
	} else if (step->extra % 4 > 1) {
		memset(bytes, step->extra % 4 == 2 ? 0 : 0xa5, sizeof(bytes));
		(void)!pwrite(fd, bytes, sizeof(bytes), at);
	}
	close(fd);
}

static void do_files(struct run *run, const struct step *step)
{
	const char *name = run->files[step->copy % N_COPIES];
	char log[PATH_MAX + 8];

	heal(run);
	numbers_close(run->numbers);
	if (step->kind == DAMAGE)
		damage(run, step);
	if (step->kind == LOSE) {
		snprintf(log, sizeof(log), "%s-wal", name);
		(void)unlink(name);
		(void)unlink(log);
	}
	if (step->kind == ALONE) {
		const char *names[] = { name, NULL };

		if (numbers_open(&run->numbers, run->event, names) < 0)
			die(run, "a copy alone does not open");
		compare(run);
		numbers_close(run->numbers);
	}
	open_numbers(run);
}

static void do_step(struct run *run, const struct step *step)
{
	switch (step->kind) {
	case FAULT:
		for (unsigned int i = 0; i < N_COPIES; i++)
			if (step->copy == i || step->copy == N_COPIES)
				__atomic_store_n(&shared()->faults[i], step->extra % N_FAULTS,
						 __ATOMIC_SEQ_CST);
		break;
	case KILL: kill_processes(step); break;
	case RESTART:
		/* A disk that cannot be read is no test of what is on it. */
		clear_faults();
		restart(run);
		break;
	case DAMAGE:
	case LOSE:
	case ALONE: do_files(run, step); break;
	case VERIFY: heal(run); break;
	default: do_call(run, step);
	}
	compare(run);
}

/* ---- runs ---- */

static void clean_up(void)
{
	char command[PATH_MAX + 32];

	snprintf(command, sizeof(command), "rm -rf '%s'/[01]", directory);
	if (system(command) != 0)
		abort();
}

/* In a process of its own. */
static int run_steps(const struct step *steps, size_t n)
{
	static struct run run;

	run = (struct run){ 0 };
	clear_faults();
	if (sd_event_new(&run.event) < 0)
		return 2;
	for (int i = 0; i < N_COPIES; i++) {
		snprintf(run.files[i], sizeof(run.files[i]), "%s/%d", directory, i);
		(void)mkdir(run.files[i], 0700);
		snprintf(run.files[i], sizeof(run.files[i]), "%s/%d/numbers", directory, i);
		run.names[i] = run.files[i];
	}
	open_numbers(&run);
	for (run.step = 0; run.step < n; run.step++)
		do_step(&run, &steps[run.step]);
	heal(&run);
	compare(&run);
	numbers_close(run.numbers);
	sd_event_unref(run.event);
	return 0;
}

static bool passes(const struct step *steps, size_t n)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* What the daemon would log is not what is tested. */
		(void)!freopen(getenv("V") ? "/dev/stderr" : "/dev/null", "w", stderr);
		_exit(run_steps(steps, n));
	}
	waitpid(pid, &status, 0);
	clean_up();
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Leave out what it fails without, in ever smaller parts. */
static size_t shrink(struct step *steps, size_t n)
{
	struct step fewer[STEPS_MAX];

	for (size_t part = n / 2; part > 0; part /= 2)
		for (size_t at = 0; at + part <= n;) {
			memcpy(fewer, steps, at * sizeof(*steps));
			memcpy(fewer + at, steps + at + part, (n - at - part) * sizeof(*steps));
			if (passes(fewer, n - part)) {
				at += part;
				continue;
			}
			memcpy(steps, fewer, sizeof(fewer));
			n -= part;
		}
	return n;
}

int main(int argc, char **argv)
{
	bool soak = getenv("SOAK") != NULL;
	unsigned int n_lists = soak ? 100 : 25, n_steps = soak ? STEPS_MAX : 30, list;
	struct step steps[STEPS_MAX];
	char name[PATH_MAX];
	size_t n;

	if (argc > 3 && str_equal(argv[1], "--worker"))
		return worker_main(argv[2], atoi(argv[3]), argc > 4 ? argv[4] : NULL);
	directory = directory_make("test-store-model");
	snprintf(name, sizeof(name), "%s/faults", directory);
	setenv("TEST_STORE_FAULTS", name, 1);
	for (list = 0; list < n_lists; list++) {
		make_steps(steps, n_steps);
		if (!passes(steps, n_steps))
			break;
	}
	if (!ok(list == n_lists, "%u lists of %u steps", n_lists, n_steps)) {
		n = shrink(steps, n_steps);
		printf("#   list %u fails, also with these steps alone:\n", list);
		for (size_t i = 0; i < n; i++)
			printf("#   %2zu %s path %u identity %u number %u copy %u extra %u\n", i,
			       kind_words[steps[i].kind], steps[i].path, steps[i].identity,
			       steps[i].number, steps[i].copy, steps[i].extra);
		(void)passes(steps, n);
	}
	(void)unlink(name);
	ok(rmdir(directory) == 0, "nothing is left");
	return tap_done();
}
