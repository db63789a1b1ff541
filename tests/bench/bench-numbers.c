/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-numbers.c - how fast numbers become durable, and how fast a store is read at the start.
 *
 *	build/tests/bench/bench-numbers [DIRECTORY [NUMBERS]]
 *
 * DIRECTORY is on the disk to measure (default: the current one); NUMBERS is how many go into the longest
 * list. Each line: what, how many, seconds, a second, syncs. The peer is the least a durable record costs: a
 * file, appended to and synced. The fsync(2) and fdatasync(2) below count
 * for the store's process, too, which is this program again.
 */

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "exportsd/numbers/file.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/worker/worker.h"
#include "exportsd/workers.h"
#include "tests/unit/loop.h"
#include "tests/unit/shared.h"

enum { SECONDS = 2, MANY = 100000 };

static char file[PATH_MAX], second_file[PATH_MAX];
static const char *files[3];
static sd_event *event;
static unsigned int n_done, n_failed;

static unsigned int *n_syncs(void)
{
	static unsigned int *memory;

	if (!memory)
		memory = shared_memory("BENCH_SYNCS", sizeof(*memory));
	return memory;
}

int fsync(int fd)
{
	__atomic_fetch_add(n_syncs(), 1, __ATOMIC_SEQ_CST);
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	__atomic_fetch_add(n_syncs(), 1, __ATOMIC_SEQ_CST);
	return (int)syscall(SYS_fdatasync, fd);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void say(const char *what, unsigned int n, double start, unsigned int syncs)
{
	double took = now() - start;

	printf("%-40s %8u numbers %8.3f s %10.0f /s %6u syncs %8.0f /s\n", what, n, took, n / took,
	       *n_syncs() - syncs, (*n_syncs() - syncs) / took);
	fflush(stdout);
}

static struct numbers *open_numbers(void)
{
	struct numbers *numbers;

	if (numbers_open(&numbers, event, files) < 0)
		exit(1);
	return numbers;
}

static void on_done(void *userdata, int error)
{
	n_done++;
	n_failed += error < 0;
}

/* So many calls of one path each are always under way, for a while. */
static void bench_calls(struct numbers *numbers, unsigned int n_at_once)
{
	static unsigned int n_asked;
	unsigned int first = n_asked, syncs = *n_syncs();
	double start = now();
	char what[64];

	n_done = 0;
	while (now() - start < SECONDS) {
		while (n_asked - first < n_done + n_at_once) {
			char text[64];
			const char *path = text;

			snprintf(text, sizeof(text), "/srv/media/%u/%u", n_at_once, n_asked++);
			numbers_assign(numbers, &path, 1, on_done, NULL, NULL);
		}
		sd_event_run(event, 100 * 1000);
	}
	snprintf(what, sizeof(what), "one path a call, %u calls at once", n_at_once);
	say(what, n_done, start, syncs);
	loop_until(event, &n_done, n_asked - first, 60000);
}

static void bench_list(struct numbers *numbers, unsigned int n_paths)
{
	char(*texts)[48] = calloc(n_paths, sizeof(*texts));
	const char **paths = calloc(n_paths, sizeof(char *));
	unsigned int syncs = *n_syncs();
	double start;

	for (unsigned int i = 0; i < n_paths; i++) {
		snprintf(texts[i], sizeof(texts[i]), "/srv/library/%u/disc-%u", n_paths, i);
		paths[i] = texts[i];
	}
	n_done = 0;
	start = now();
	numbers_assign(numbers, paths, n_paths, on_done, NULL, NULL);
	loop_until(event, &n_done, 1, 600000);
	say("one call", n_paths, start, syncs);
	free(paths);
	free(texts);
}

static void bench_peer(void)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	unsigned int n = 0, syncs = *n_syncs();
	static const char page[4096] = "a page";
	double start = now();

	for (; now() - start < SECONDS; n++)
		if (write(fd, page, sizeof(page)) < 0 || fdatasync(fd) < 0)
			n_failed++;
	close(fd);
	(void)unlink(file);
	say("peer: a file, appended to and synced", n, start, syncs);
}

/* Beside the daemon's way: only the reading is measured. */
static void fill_file(const char *name, unsigned int n)
{
	struct store_file *store = NULL;
	char *why = NULL;
	int r = store_file_open(name, STORE_FILE_MAKE | STORE_FILE_WRITE, &store, &why);

	if (r == 0)
		r = store_file_begin(store, &why);
	for (unsigned int i = 0; r == 0 && i < n; i++) {
		char path[64];
		const struct store_row row = {
			.number = 100000 + i * 2000,
			.path = path,
			.n_path = (size_t)snprintf(path, sizeof(path), "/srv/media/library/disc-%u",
						   i),
			.sequence = i + 1,
			.created = 1700000000,
		};

		r = store_file_join(store, &row, &why);
	}
	if (r == 0) {
		store_file_set_complete(store);
		r = store_file_commit(store, &why);
	}
	if (r < 0) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	store_file_close(store);
}

static void bench_open(unsigned int n)
{
	struct numbers *numbers;
	unsigned int syncs;
	double start;

	fill_file(file, n);
	fill_file(second_file, n);
	for (int i = 0; i < 3; i++) {
		syncs = *n_syncs();
		start = now();
		numbers = open_numbers();
		say("opening the store", (unsigned int)numbers_count(numbers), start, syncs);
		numbers_close(numbers);
	}
}

int main(int argc, char **argv)
{
	const char *where = argc > 1 ? argv[1] : ".";
	char directory[PATH_MAX - 32], name[PATH_MAX];
	struct numbers *numbers;

	if (argc > 3 && str_equal(argv[1], "--worker"))
		return worker_main(argv[2], atoi(argv[3]), argc > 4 ? argv[4] : NULL);
	snprintf(directory, sizeof(directory), "%s/bench-numbers-XXXXXX", where);
	if (!mkdtemp(directory) || sd_event_default(&event) < 0)
		return 1;
	snprintf(name, sizeof(name), "%s/syncs", directory);
	snprintf(file, sizeof(file), "%s/numbers.sqlite", directory);
	snprintf(second_file, sizeof(second_file), "%s/copy", directory);
	files[0] = file;
	files[1] = second_file;
	setenv("BENCH_SYNCS", name, 1);
	printf("# %s\n", directory);
	bench_peer();
	numbers = open_numbers();
	bench_calls(numbers, 1);
	bench_calls(numbers, 16);
	bench_calls(numbers, 256);
	bench_calls(numbers, 4096);
	bench_list(numbers, argc > 2 ? (unsigned int)atoi(argv[2]) : MANY);
	numbers_close(numbers);
	(void)unlink(file);
	(void)unlink(second_file);
	bench_open(1000000);
	(void)unlink(file);
	(void)unlink(second_file);
	(void)unlink(name);
	(void)rmdir(directory);
	return n_failed ? 1 : 0;
}
