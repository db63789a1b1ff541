/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * readers - read files again and again, past every cache, a process for each.
 *
 *	readers STOP FILE...
 *
 * Ends when the file STOP exists. Prints a line per FILE: how often it was read, how often that failed, the
 * longest time in milliseconds, the name.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, PAUSE_NSEC = 20 * 1000 * 1000 };

static long now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns 0 or the errno. */
static int read_once(const char *path, void *buffer)
{
	int fd = open(path, O_RDONLY | O_DIRECT), error = 0;

	if (fd < 0)
		return errno;
	if (read(fd, buffer, BLOCK) <= 0)
		error = errno ? errno : EIO;
	close(fd);
	return error;
}

static void read_on(const char *stop, const char *path)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_NSEC };
	unsigned long n = 0, n_failed = 0;
	long longest = 0;
	void *buffer;

	if (posix_memalign(&buffer, BLOCK, BLOCK) != 0)
		_exit(EXIT_FAILURE);
	while (access(stop, F_OK) != 0) {
		long start = now_msec();
		int error = read_once(path, buffer);

		if (error) {
			fprintf(stderr, "%s: %s\n", path, strerror(error));
			n_failed++;
		}
		if (now_msec() - start > longest)
			longest = now_msec() - start;
		n++;
		(void)nanosleep(&pause, NULL);
	}
	printf("%lu %lu %ld %s\n", n, n_failed, longest, path);
	fflush(stdout);
	_exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "Usage: readers STOP FILE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		pid_t child = fork();

		if (child < 0) {
			perror("fork");
			return EXIT_FAILURE;
		}
		if (child == 0)
			read_on(argv[1], argv[i]);
	}
	while (wait(NULL) > 0)
		;
	return EXIT_SUCCESS;
}
