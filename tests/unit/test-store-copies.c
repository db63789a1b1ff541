/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-store-copies.c - two copies of the number store, one of them on a disk that hangs, that cannot be written, or that
 * was damaged.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "exportsd/numbers/copies.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/worker/worker.h"
#include "exportsd/workers.h"
#include "tests/tap.h"
#include "tests/unit/directory.h"
#include "tests/unit/loop.h"

enum { PATIENCE_MSEC = 40000, AT_ONCE_MSEC = 5000 };

static const char *directory;
static char files[2][PATH_MAX], second_disk[PATH_MAX];
static sd_event *event;

/* ---- helpers ---- */

static unsigned int n_done;
static int last_error;

static void on_done(void *userdata, int error)
{
	n_done++;
	last_error = error;
}

static void on_verified(void *userdata)
{
	n_done++;
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

static int verify(struct numbers *numbers, uint64_t msec)
{
	int r;

	n_done = 0;
	r = numbers_verify(numbers, on_verified, NULL, NULL);
	if (r < 0)
		return r;
	return loop_until(event, &n_done, 1, msec) ? 0 : 1;
}

static int try_open(struct numbers **ret_numbers)
{
	return numbers_open(ret_numbers, event, (const char *const[]){ files[0], files[1], NULL });
}

static struct numbers *open_numbers(void)
{
	struct numbers *numbers = NULL;
	int r = try_open(&numbers);

	if (r < 0) {
		ok(false, "the store opens: %s", strerror(-r));
		exit(tap_done());
	}
	return numbers;
}

static struct numbers_copy_status status(const struct numbers *numbers, size_t i)
{
	struct numbers_copy_status copy = { 0 };

	(void)numbers_copy(numbers, i, &copy);
	return copy;
}

static bool is_good(const struct numbers *numbers, size_t i)
{
	return str_equal(status(numbers, i).state, "good");
}

/* Until the second copy is good, for a while. */
static bool comes_back(struct numbers *numbers)
{
	uint64_t end = loop_now_msec() + PATIENCE_MSEC;

	while (loop_now_msec() < end) {
		(void)verify(numbers, PATIENCE_MSEC);
		if (is_good(numbers, 1))
			return true;
		loop_for(event, 50);
	}
	return false;
}

/* The process of the second copy. */
static pid_t second_process(void)
{
	char name[64], text[256];
	pid_t pid, found = 0;
	FILE *list;

	snprintf(name, sizeof(name), "/proc/self/task/%d/children", getpid());
	list = fopen(name, "re");
	while (list && fscanf(list, "%d", &pid) == 1) {
		int fd;
		ssize_t n;

		snprintf(name, sizeof(name), "/proc/%d/cmdline", pid);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, text, sizeof(text));
		if (fd >= 0)
			close(fd);
		if (n > 0 && memmem(text, (size_t)n, files[1], strlen(files[1])))
			found = pid;
	}
	if (list)
		fclose(list);
	return found;
}

static void remove_stores(void)
{
	char command[2 * PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'/*/numbers*", directory);
	if (system(command) != 0)
		abort();
}

/* ---- checking ---- */

static void overwrite_middle(const char *name)
{
	int fd = open(name, O_RDWR | O_CLOEXEC);
	char noise[4096];
	struct stat st;

	memset(noise, 0xa5, sizeof(noise));
	if (fd < 0 || fstat(fd, &st) < 0 ||
	    pwrite(fd, noise, sizeof(noise), st.st_size / 8192 * 4096) != (ssize_t)sizeof(noise))
		abort();
	close(fd);
}

/* A copy whose totals are right is not read at the start, but by its own process soon after. */
static void test_verify_at_once(void)
{
	struct numbers *numbers = open_numbers();
	char path[32];

	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/media/%d", i);
		(void)assign(numbers, path);
	}
	ok(comes_back(numbers), "both copies have a hundred numbers");
	numbers_close(numbers);
	numbers = open_numbers();
	is_int(verify(numbers, PATIENCE_MSEC), 0, "copies that are being checked can be verified");
	ok(is_good(numbers, 0) && is_good(numbers, 1), "both are good");
	numbers_close(numbers);

	overwrite_middle(files[1]);
	numbers = open_numbers();
	is_int(verify(numbers, PATIENCE_MSEC), 0, "the same with a damaged one");
	ok(comes_back(numbers), "which is good again");
	numbers_close(numbers);
	(void)unlink(files[0]);
	numbers = open_numbers();
	is_int((long long)numbers_count(numbers), 100, "and has all numbers, alone");
	numbers_close(numbers);
	remove_stores();
}

/* ---- a disk that hangs ---- */

static void test_hanging_disk(void)
{
	struct numbers *numbers = open_numbers();
	uint64_t start, took;
	pid_t process;

	is_int(assign(numbers, "/before"), 0, "a number on both disks");
	ok(comes_back(numbers), "both copies are good");
	process = second_process();
	ok(process > 0 && kill(process, SIGSTOP) == 0, "the second disk hangs");
	start = loop_now_msec();
	is_int(assign(numbers, "/while"), 0, "a number all the same");
	took = loop_now_msec() - start;
	ok(took >= (COPIES_PATIENCE_SECONDS - 1) * 1000 &&
		   took < COPIES_PATIENCE_SECONDS * 1000 + AT_ONCE_MSEC,
	   "after as long as a disk is waited for (%u ms)", (unsigned int)took);
	is_str(status(numbers, 1).state, "failed", "then it is left out");
	is_str(status(numbers, 1).why, strerror(ETIMEDOUT), "for being late");
	start = loop_now_msec();
	is_int(assign(numbers, "/next"), 0, "the next number");
	ok(loop_now_msec() - start < AT_ONCE_MSEC, "does not wait");
	is_int(verify(numbers, AT_ONCE_MSEC), 0, "nor does who verifies");
	ok(is_good(numbers, 0) && !is_good(numbers, 1), "and is told which copy is good");
	(void)kill(process, SIGCONT);
	ok(comes_back(numbers), "it goes on, and takes part again");
	numbers_close(numbers);
	(void)unlink(files[0]);
	numbers = open_numbers();
	is_int((long long)numbers_count(numbers), 3, "with what it had missed");
	numbers_close(numbers);
	remove_stores();
}

/* ---- a disk that cannot be written ---- */

static void write_text(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

static bool private_disk(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", getuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", uids);
	write_text("/proc/self/gid_map", gids);
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", second_disk, "tmpfs", 0, NULL) == 0;
}

static bool make_read_only(bool read_only)
{
	return mount(NULL, second_disk, NULL, MS_REMOUNT | (read_only ? MS_RDONLY : 0), NULL) == 0;
}

static int count_damaged(void)
{
	char command[2 * PATH_MAX];

	snprintf(command, sizeof(command), "ls '%s' | grep -q damaged", second_disk);
	return system(command) == 0;
}

static int read_only_disk(void)
{
	struct numbers *numbers;
	pid_t process;

	if (!private_disk())
		return 77;
	numbers = open_numbers();
	is_int(assign(numbers, "/first"), 0, "a number on both disks");
	ok(comes_back(numbers), "both copies are good");
	numbers_close(numbers);
	ok(make_read_only(true), "the second disk becomes read-only");
	numbers = open_numbers();
	is_int(assign(numbers, "/second"), 0, "the first one does");
	is_str(status(numbers, 1).state, "failed", "the second is left out");
	ok(status(numbers, 1).why && strstr(status(numbers, 1).why, "read-only"), "for that: %s",
	   status(numbers, 1).why ?: "nothing");
	numbers_close(numbers);
	ok(make_read_only(false), "it becomes writable");
	numbers = open_numbers();
	ok(comes_back(numbers), "and takes part again");
	is_int(assign(numbers, "/third"), 0, "another number");

	/* Its process ends without taking the log in. */
	process = second_process();
	ok(process > 0 && kill(process, SIGKILL) == 0, "a copy is left with its log");
	numbers_close(numbers);
	ok(make_read_only(true), "and becomes read-only");
	numbers = open_numbers();
	ok(status(numbers, 1).why && strstr(status(numbers, 1).why, "read-only"),
	   "it is left out: %s", status(numbers, 1).why ?: "it is not");
	is_int((long long)numbers_count(numbers), 3, "nothing is missing");
	numbers_close(numbers);
	(void)unlink(files[0]);
	is_int(try_open(&numbers), -EROFS, "alone, it is no store without its log");
	ok(make_read_only(false), "writable again");
	numbers = open_numbers();
	is_int((long long)numbers_count(numbers), 3, "it has all numbers");
	is_int(count_damaged(), 0, "and was never taken for a damaged one");
	numbers_close(numbers);
	return 0;
}

/* In a process of its own, whose checks it prints; they count here. */
static void test_read_only_disk(void)
{
	loop_in_child(&event, read_only_disk, 17, "a read-only disk");
	remove_stores();
}

int main(int argc, char **argv)
{
	char first_disk[PATH_MAX];

	if (argc > 3 && str_equal(argv[1], "--worker"))
		return worker_main(argv[2], atoi(argv[3]), argc > 4 ? argv[4] : NULL);
	directory = directory_make("test-store-copies");
	if (sd_event_default(&event) < 0)
		return 1;
	snprintf(first_disk, sizeof(first_disk), "%s/1", directory);
	snprintf(second_disk, sizeof(second_disk), "%s/2", directory);
	if (mkdir(first_disk, 0700) < 0 || mkdir(second_disk, 0700) < 0)
		return 1;
	snprintf(files[0], sizeof(files[0]), "%s/1/numbers", directory);
	snprintf(files[1], sizeof(files[1]), "%s/2/numbers", directory);
	test_verify_at_once();
	test_hanging_disk();
	test_read_only_disk();
	sd_event_unref(event);
	ok(rmdir(first_disk) == 0 && rmdir(second_disk) == 0 && rmdir(directory) == 0,
	   "nothing is left");
	return tap_done();
}
