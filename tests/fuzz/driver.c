/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver.c - a fuzzer without libFuzzer: seeds, and what becomes of them when bytes change. For make check and make soak.
 *
 *	try-NAME [INPUT]...
 *
 * Reads tests/fuzz/seeds/NAME, or if there is none the exports files of tests/differential/corpus, runs each, then inputs made of them: bytes flipped, set, inserted, doubled, cut out, joined with
 * another seed. The same ones each time; with SOAK=1 many more, from a seed that is printed (TEST_SEED repeats it). With
 * arguments only these files. An input that ends the program is left in the build directory, and its name printed.
 */

#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "parser/base.h"
#include "tests/tap.h"

enum {
	INPUT_MAX = 4096,
	SEEDS_MAX = 256,
	SHORT_ROUND = 3000,
	SHORT_SECONDS = 3,
	SOAK_SECONDS = 60
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	size_t size;
	uint8_t bytes[INPUT_MAX];
};

static struct input *seeds[SEEDS_MAX];
static size_t n_seeds;
static struct input current;
static char crash_name[256];
static uint64_t state;

/* xorshift64*, Vigna 2014 */
static uint32_t below(uint32_t limit)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dULL) >> 32) % limit;
}

/* ---- running ---- */

static void on_crash(int number)
{
	int fd = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd >= 0 && write(fd, current.bytes, current.size) == (ssize_t)current.size) {
		static const char text[] = "not ok - an input ends it, kept as ";

		(void)!write(STDOUT_FILENO, text, strlen(text));
		(void)!write(STDOUT_FILENO, crash_name, strlen(crash_name));
		(void)!write(STDOUT_FILENO, "\n", 1);
	}
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

/* In memory of its own size, so that a read beyond it shows. */
static void run(void)
{
	uint8_t *copy = malloc(current.size ? current.size : 1);

	if (!copy)
		abort();
	memcpy(copy, current.bytes, current.size);
	(void)LLVMFuzzerTestOneInput(copy, current.size);
	free(copy);
}

static bool read_input(const char *name, struct input *ret_input)
{
	CLEANUP(closep) int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_input->bytes, INPUT_MAX);

	if (n < 0)
		return false;
	ret_input->size = (size_t)n;
	return true;
}

/* In the order of their names: the same each time. */
static void read_seeds(const char *directory)
{
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		CLEANUP(freep) char *name = NULL;
		struct input *input = calloc(1, sizeof(*input));

		if (entries[i]->d_name[0] != '.' && input && n_seeds < SEEDS_MAX &&
		    asprintf(&name, "%s/%s", directory, entries[i]->d_name) > 0 &&
		    read_input(name, input))
			seeds[n_seeds++] = input;
		else
			free(input);
		free(entries[i]);
	}
	free(entries);
}

/* ---- new inputs ---- */

static void insert(size_t at, const uint8_t *bytes, size_t n)
{
	if (n > INPUT_MAX - current.size)
		n = INPUT_MAX - current.size;
	memmove(current.bytes + at + n, current.bytes + at, current.size - at);
	memmove(current.bytes + at, bytes, n);
	current.size += n;
}

static void change(void)
{
	static const char bytes[] = "\0\n\r\t \"\\=:,{}[]()/@#*?-+0179azAZ\x7f\x80\xff";
	size_t at = below((uint32_t)current.size + 1), n = current.size - at;
	uint8_t byte = (uint8_t)bytes[below(sizeof(bytes) - 1)], copy[INPUT_MAX];

	n = n ? 1 + below((uint32_t)n) : 0;
	if (n > 64 && below(4))
		n = 1 + below(64);
	switch (n ? below(6) : 3) {
	case 0: current.bytes[at] ^= (uint8_t)(1 << below(8)); break;
	case 1: current.bytes[at] = byte; break;
	case 2: /* cut out */
		memmove(current.bytes + at, current.bytes + at + n, current.size - at - n);
		current.size -= n;
		break;
	case 3: insert(at, &byte, 1); break;
	case 4: /* double */
		memcpy(copy, current.bytes + at, n);
		insert(at, copy, n);
		break;
	case 5: current.size = at + n; break;
	}
}

static void make_input(void)
{
	const struct input *other;

	current.size = 0;
	if (n_seeds && below(50)) {
		current = *seeds[below((uint32_t)n_seeds)];
		other = seeds[below((uint32_t)n_seeds)];
		if (below(4) == 0)
			insert(below((uint32_t)current.size + 1), other->bytes, other->size);
	}
	for (uint32_t i = 1 + below(8); i > 0; i--)
		change();
}

static unsigned int run_changed(bool soak)
{
	time_t end = time(NULL) + (soak ? SOAK_SECONDS : SHORT_SECONDS);
	unsigned int n = 0;

	for (; (soak || n < SHORT_ROUND) && time(NULL) < end; n++) {
		make_input();
		run();
	}
	return n;
}

static int run_files(char **names)
{
	for (; *names; names++) {
		if (!read_input(*names, &current))
			return EXIT_FAILURE;
		run();
	}
	return EXIT_SUCCESS;
}

int main(int n_arguments, char **arguments)
{
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	const char *name = strstr(basename(arguments[0]), "try-"), *seed = getenv("TEST_SEED");
	bool soak = getenv("SOAK");
	CLEANUP(freep) char *directory = NULL;

	if (!name || asprintf(&directory, "tests/fuzz/seeds/%s", name + strlen("try-")) < 0)
		return EXIT_FAILURE;
	(void)snprintf(crash_name, sizeof(crash_name), "%s.crash", arguments[0]);
	for (size_t i = 0; i < N_ELEMENTS(signals); i++)
		(void)signal(signals[i], on_crash);
	if (n_arguments > 1)
		return run_files(arguments + 1);
	state = seed ? strtoull(seed, NULL, 10) : soak ? (uint64_t)time(NULL) : 1;
	printf("# TEST_SEED=%llu\n", (unsigned long long)state);
	state = state * 0x9e3779b97f4a7c15ULL | 1;
	fflush(stdout);
	read_seeds(directory);
	if (!n_seeds)
		read_seeds("tests/differential/corpus");
	for (size_t i = 0; i < n_seeds; i++) {
		current = *seeds[i];
		run();
	}
	ok(true, "%zu seeds", n_seeds);
	ok(run_changed(soak) > 0, "and what is made of them");
	for (size_t i = 0; i < n_seeds; i++)
		free(seeds[i]);
	return tap_done();
}
