/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-answer - how long a daemon takes for one question of the kernel, and how much of the processor.
 *
 *	bench-answer DIRECTORY N_EXPORTS N_QUESTIONS LABEL COMMAND [ARGUMENT...]
 *
 * DIRECTORY becomes a stand-in for /proc: each channel is a pseudo-terminal, whose other end is held
 * here in the kernel's place. COMMAND is started (exportsd --proc DIRECTORY, or rpc.mountd where
 * DIRECTORY is mounted over /proc) and asked in turn about exports /srv/e/dNNNNNN with fsid
 * 1000+N, chosen at random. Prints a line per kind of question: label, kind, exports, median and
 * 99th percentile of the time to the answer, processor time of the daemon per question, all in microseconds.
 *
 * With UUID in the environment the exports have no fsid, and nfsd.fh is asked about uuids.
 *
 * With RELOAD, a shell command, in the environment, and RELOADS, how often it is to be run, nothing of that: another
 * question is asked every millisecond while the command runs, and one when it has ended. Before each round FILE.0
 * and FILE.1 take turns in FILE's place, FILE being EXPORTS of the environment. Prints one line: label,
 * "reload", exports, median of the command's time, longest time to an answer, processor time of all
 * processes together, all in milliseconds; QUIET in the environment: the one question only.
 *
 * With WHILE, a shell command, in the environment, nothing of that: the command runs, and what the daemon tells meanwhile is
 * read. Then prints: label, "while", exports, processor time of the daemon meanwhile, in milliseconds.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192, AGAIN_MS = 5000, TRIES = 24 };
enum kind { IP, GID, EXPORT, FH, N_KINDS };

static const char *const names[N_KINDS] = { "auth.unix.ip", "auth.unix.gid", "nfsd.export",
					    "nfsd.fh" };

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void make_directory(const char *base, const char *name)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", base, name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		fail(path);
}

static void make_file(const char *base, const char *name, const char *text)
{
	char path[4096];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", base, name);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		fail(path);
}

static int make_channel(const char *base, const char *name)
{
	char path[4096];
	struct termios settings;
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 || tcgetattr(fd, &settings) < 0)
		fail("pseudo-terminal");
	cfmakeraw(&settings);
	if (tcsetattr(fd, TCSANOW, &settings) < 0)
		fail("tcsetattr");
	(void)snprintf(path, sizeof(path), "%s/net/rpc/%s/channel", base, name);
	(void)unlink(path);
	if (symlink(ptsname(fd), path) < 0)
		fail(path);
	/* Held open, so that it never hangs up. */
	if (open(path, O_RDWR | O_NOCTTY | O_CLOEXEC) < 0)
		fail(path);
	return fd;
}

static void make_proc(const char *base, int channels[N_KINDS])
{
	static const char *const directories[] = { "", "net", "net/rpc", "fs", "fs/nfsd" };

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		make_directory(base, directories[i]);
	make_file(base, "fs/nfsd/export_features", "0x3feff 0xf\n");
	for (int i = 0; i < N_KINDS; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "net/rpc/%s", names[i]);
		make_directory(base, name);
		channels[i] = make_channel(base, names[i]);
		(void)snprintf(name, sizeof(name), "net/rpc/%s/flush", names[i]);
		make_file(base, name, "");
	}
}

static double now_us(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		return 0;
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Is it a trial of an export that was told last? */
static bool ends_with_trial(const char *told)
{
	const char *last = NULL, *line;

	for (line = told; *line; line += strcspn(line, "\n") + 1) {
		last = line;
		if (!strchr(line, '\n'))
			break;
	}
	return !last || strncmp(last, "-test-client-", 13) == 0;
}

/* One question, and its answer; trials of exports, which come before it, are passed over. */
static void ask(int channel, const char *question)
{
	char answer[LINE_MAX_BYTES];
	struct pollfd wait = { .fd = channel, .events = POLLIN };
	int tries = 1;

	if (write(channel, question, strlen(question)) < 0)
		fail("question");
	do {
		ssize_t n;

		/* What a terminal was told before its daemon opened it may be lost. */
		while (poll(&wait, 1, AGAIN_MS) != 1) {
			if (tries++ == TRIES) {
				fprintf(stderr, "no answer to %s", question);
				exit(EXIT_FAILURE);
			}
			if (write(channel, question, strlen(question)) < 0)
				fail("question");
		}
		n = read(channel, answer, sizeof(answer) - 1);
		if (n < 0)
			fail("answer");
		answer[n] = '\0';
	} while (ends_with_trial(answer));
}

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

/* As nfsd writes the id of a directory that is no file system's root: inode and uuid (FSID_UUID16_INUM). */
static void uuid_question(const char *domain, long number, char *text, size_t size)
{
	char path[64], digits[17];
	struct statfs fs;
	struct stat st;
	uint8_t id[24] = { 0 };
	int length;

	(void)snprintf(path, sizeof(path), "/srv/e/d%06ld", number);
	if (stat(path, &st) < 0 || statfs(path, &fs) < 0)
		fail(path);
	memcpy(id, &st.st_ino, 8);
	/* rpc.mountd's uuid where libblkid knows none: f_fsid's digits, folded. */
	(void)snprintf(digits, sizeof(digits), "%08x%08x", (unsigned int)fs.f_fsid.__val[0],
		       (unsigned int)fs.f_fsid.__val[1]);
	for (size_t i = 0; i < 16; i++)
		id[8 + i / 2] |=
			(uint8_t)((digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10)
				  << (i % 2 ? 0 : 4));
	length = snprintf(text, size, "%s 7 \\x", domain);
	for (size_t i = 0; i < sizeof(id); i++)
		length += snprintf(text + length, size - (size_t)length, "%02x", id[i]);
	(void)snprintf(text + length, size - (size_t)length, "\n");
}

static void question_text(enum kind kind, long number, char *text, size_t size)
{
	unsigned int fsid = (unsigned int)(1000 + number);
	const char *domain = getenv("DOMAIN") ?: "*";

	if (kind == EXPORT)
		(void)snprintf(text, size, "%s /srv/e/d%06ld\n", domain, number);
	else if (kind == FH && getenv("UUID"))
		uuid_question(domain, number, text, size);
	else if (kind == FH)
		(void)snprintf(text, size, "%s 1 \\x%02x%02x%02x%02x\n", domain, fsid & 0xff,
			       fsid >> 8 & 0xff, fsid >> 16 & 0xff, fsid >> 24);
	else
		(void)snprintf(text, size, "nfsd 192.0.2.%ld\n", number % 250 + 1);
}

static void measure(const char *label, enum kind kind, const int *channels, long n_exports,
		    long n_questions, clockid_t daemon_clock)
{
	double *times = calloc((size_t)n_questions, sizeof(*times));
	double spent = now_us(daemon_clock);

	if (!times)
		fail("calloc");
	for (long i = 0; i < n_questions; i++) {
		char question[256];

		question_text(kind, random() % n_exports, question, sizeof(question));
		times[i] = -now_us(CLOCK_MONOTONIC);
		ask(channels[kind], question);
		times[i] += now_us(CLOCK_MONOTONIC);
	}
	spent = now_us(daemon_clock) - spent;
	qsort(times, (size_t)n_questions, sizeof(*times), compare);
	printf("%s\t%s\t%ld\t%.1f\t%.1f\t%.1f\n", label, names[kind], n_exports,
	       times[n_questions / 2], times[n_questions * 99 / 100], spent / (double)n_questions);
	free(times);
}

/* ---- reloads ---- */

/* Of this process' descendants that have ended. */
static double spent_ms(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_CHILDREN, &usage) < 0)
		fail("getrusage");
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static void swap_exports(long round)
{
	const char *file = getenv("EXPORTS");
	char target[4096], link[4096];

	(void)snprintf(target, sizeof(target), "%s.%ld", file, round % 2);
	(void)snprintf(link, sizeof(link), "%s.link", file);
	if (symlink(target, link) < 0 || rename(link, file) < 0)
		fail(file);
}

static void ask_timed(const int *channels, long n_exports, double *longest)
{
	char question[256];
	double start = now_us(CLOCK_MONOTONIC), took;

	question_text(EXPORT, random() % n_exports, question, sizeof(question));
	ask(channels[EXPORT], question);
	took = now_us(CLOCK_MONOTONIC) - start;
	if (took > *longest)
		*longest = took;
}

/* Returns how long the command took. */
static double reload(const int *channels, long n_exports, bool quiet, double *longest)
{
	static const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	double start = now_us(CLOCK_MONOTONIC), took;
	pid_t command = fork();
	int status;

	if (command == 0) {
		execl("/bin/sh", "sh", "-c", getenv("RELOAD"), NULL);
		fail("/bin/sh");
	}
	while (waitpid(command, &status, quiet ? 0 : WNOHANG) == 0) {
		ask_timed(channels, n_exports, longest);
		(void)nanosleep(&pause, NULL);
	}
	took = now_us(CLOCK_MONOTONIC) - start;
	if (status != 0)
		fprintf(stderr, "the command ended with status %d\n", status);
	ask_timed(channels, n_exports, longest);
	return took;
}

static void measure_reloads(const int *channels, long n_exports, double *ret_median,
			    double *ret_longest)
{
	long n = strtol(getenv("RELOADS"), NULL, 10);
	double *times = calloc((size_t)n + 1, sizeof(*times));

	if (!times)
		fail("calloc");
	*ret_longest = 0;
	for (long i = 0; i < n; i++) {
		swap_exports(i + 1);
		times[i] = reload(channels, n_exports, getenv("QUIET"), ret_longest);
	}
	qsort(times, (size_t)n, sizeof(*times), compare);
	*ret_median = times[n / 2];
	free(times);
}

/* ---- what others do meanwhile ---- */

static void swallow(const int *channels)
{
	struct pollfd wait[N_KINDS];
	char told[LINE_MAX_BYTES];

	for (int i = 0; i < N_KINDS; i++)
		wait[i] = (struct pollfd){ .fd = channels[i], .events = POLLIN };
	if (poll(wait, N_KINDS, 20) < 0)
		fail("poll");
	for (int i = 0; i < N_KINDS; i++)
		while (read(channels[i], told, sizeof(told)) > 0)
			;
}

static void run_meanwhile(const int *channels, const char *label, long n_exports,
			  clockid_t daemon_clock)
{
	double spent = now_us(daemon_clock);
	pid_t command = fork();
	int status;

	if (command == 0) {
		execl("/bin/sh", "sh", "-c", getenv("WHILE"), NULL);
		fail("/bin/sh");
	}
	/* A terminal holds little, and the kernel takes all at once: be quick where that is allowed. */
	(void)setpriority(PRIO_PROCESS, 0, -10);
	for (int i = 0; i < N_KINDS; i++)
		if (fcntl(channels[i], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
			fail("fcntl");
	while (waitpid(command, &status, WNOHANG) == 0)
		swallow(channels);
	spent = now_us(daemon_clock) - spent;
	if (status != 0)
		fprintf(stderr, "the command ended with status %d\n", status);
	printf("%s\twhile\t%ld\t%.1f\n", label, n_exports, spent / 1e3);
}

int main(int argc, char **argv)
{
	static const enum kind kinds[] = { EXPORT, FH, IP };
	int channels[N_KINDS];
	clockid_t daemon_clock;
	long n_exports, n_questions;
	char question[256];
	double median = 0, longest = 0;
	pid_t daemon;

	if (argc < 6) {
		fprintf(stderr,
			"Usage: bench-answer DIRECTORY N_EXPORTS N_QUESTIONS LABEL COMMAND...\n");
		return 2;
	}
	n_exports = strtol(argv[2], NULL, 10);
	n_questions = strtol(argv[3], NULL, 10);
	make_proc(argv[1], channels);
	daemon = fork();
	if (daemon == 0) {
		execvp(argv[5], argv + 5);
		fail(argv[5]);
	}
	/* The first answers come when everything is loaded. */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		question_text(kinds[i], 0, question, sizeof(question));
		ask(channels[kinds[i]], question);
	}
	if (clock_getcpuclockid(daemon, &daemon_clock) != 0)
		fail("clock_getcpuclockid");
	srandom(1);
	if (getenv("WHILE"))
		run_meanwhile(channels, argv[4], n_exports, daemon_clock);
	else if (getenv("RELOAD"))
		measure_reloads(channels, n_exports, &median, &longest);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && n_questions > 0 &&
			   !getenv("RELOAD") && !getenv("WHILE");
	     i++)
		measure(argv[4], kinds[i], channels, n_exports, n_questions, daemon_clock);
	(void)kill(daemon, SIGTERM);
	(void)waitpid(daemon, NULL, 0);
	if (getenv("RELOAD"))
		printf("%s\treload\t%ld\t%.1f\t%.1f\t%.1f\n", argv[4], n_exports, median / 1e3,
		       longest / 1e3, spent_ms());
	return 0;
}
