/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-snapshot - what a snapshot costs: to make, to keep, to ask.
 *
 *	bench-snapshot [N_LINES [N_ROUNDS [KIND]]]
 *
 * Without arguments 10, 1,000 and 100,000 lines, each kind of file. Prints a line per kind and size:
 * kind, lines, ms to read, ms to make, bytes per line (the read text's and the snapshot's), and
 * nanoseconds and, where the kernel lets us count them, instructions per answer of
 * snapshot_client_set, snapshot_find, snapshot_find_fsid and snapshot_domain.
 * Where it does not, tests/bench/snapshot counts with callgrind.
 *
 * Kinds: "plain", a path of its own a line, all to one subnet; "paths", and a number of its own; "hosts", a path and a host of
 * its own a line; "clients", one path to a host of its own a line; "rules", a wildcard path a line.
 */

#include <arpa/inet.h>
#include <linux/perf_event.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "parser/snapshot/snapshot.h"

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* ---- the files ---- */

static void plain_line(FILE *to, size_t i)
{
	fprintf(to, "/srv/e/d%06zu 10.0.0.0/8(ro)\n", i);
}

static void paths_line(FILE *to, size_t i)
{
	fprintf(to, "/srv/e/d%06zu 10.0.0.0/8(ro,fsid=%zu)\n", i, 1000 + i);
}

static void hosts_line(FILE *to, size_t i)
{
	fprintf(to, "/srv/e/d%06zu 10.%zu.%zu.%zu(ro,fsid=%zu)\n", i, i >> 16, i >> 8 & 255,
		i & 255, 1000 + i);
}

static void clients_line(FILE *to, size_t i)
{
	fprintf(to, "/srv/e/d000000 10.%zu.%zu.%zu(ro,fsid=1000)\n", i >> 16, i >> 8 & 255,
		i & 255);
}

static void rules_line(FILE *to, size_t i)
{
	fprintf(to, "/srv/e/d%06zu/* 10.0.0.0/8(ro,fsid=/run/handler)\n", i);
}

static const struct kind {
	const char *name;
	void (*line)(FILE *to, size_t i);
} kinds[] = {
	{ "plain", plain_line },     { "paths", paths_line }, { "hosts", hosts_line },
	{ "clients", clients_line }, { "rules", rules_line },
};

static const char *real_path(void *userdata, const char *path)
{
	return path;
}

/* Each path is another directory of one file system. */
static struct snapshot_seen seen(void *userdata, const char *path)
{
	ino_t *last = userdata;

	return (struct snapshot_seen){ .device = 0x801, .inode = ++*last };
}

static bool host(void *userdata, const char *name, const char **ret_canonical,
		 const struct address **ret_addresses, size_t *ret_n_addresses)
{
	static struct address address;

	address = (struct address){ .family = AF_INET };
	if (inet_pton(AF_INET, name, &address.v4) != 1)
		return false;
	*ret_canonical = name;
	*ret_addresses = &address;
	*ret_n_addresses = 1;
	return true;
}

static char *text_of(const struct kind *kind, size_t n_lines, size_t *ret_size)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, ret_size);

	if (!to)
		fail("open_memstream");
	for (size_t i = 0; i < n_lines; i++)
		kind->line(to, i);
	fclose(to);
	return text;
}

/* ---- the questions: about line i ---- */

static struct snapshot *snapshot;
static size_t n_lines_asked;
static const struct kind *kind_asked;

static size_t line_of(size_t i)
{
	return i * 7919 % n_lines_asked;
}

static const struct snapshot_client_set *set_of(size_t i)
{
	char domain[32];
	size_t line = line_of(i);

	if (kind_asked->line != hosts_line && kind_asked->line != clients_line)
		return snapshot_client_set(snapshot, "10.0.0.0/8");
	snprintf(domain, sizeof(domain), "10.%zu.%zu.%zu", line >> 16, line >> 8 & 255, line & 255);
	return snapshot_client_set(snapshot, domain);
}

/* Those that ask are never inlined, so that callgrind can tell them apart. */
__attribute__((noinline)) static bool ask_set(size_t i)
{
	return set_of(i) != NULL;
}

__attribute__((noinline)) static bool find(const struct snapshot_client_set *set, const char *path)
{
	struct snapshot_match match;

	return snapshot_find(snapshot, set, path, &match) != SNAPSHOT_FOUND_NOTHING;
}

static bool ask_find(size_t i)
{
	char path[64];

	snprintf(path, sizeof(path), "/srv/e/d%06zu%s",
		 kind_asked->line == clients_line ? 0 : line_of(i),
		 kind_asked->line == rules_line ? "/disc" : "");
	return find(set_of(i), path);
}

__attribute__((noinline)) static bool find_fsid(const struct snapshot_client_set *set,
						uint32_t fsid)
{
	return snapshot_find_fsid(snapshot, set, fsid);
}

static bool ask_fsid(size_t i)
{
	if (kind_asked->line == rules_line || kind_asked->line == plain_line)
		return find_fsid(set_of(i), 0);
	return find_fsid(set_of(i), kind_asked->line == clients_line ? 1000 : 1000 + line_of(i));
}

__attribute__((noinline)) static bool domain_of(const struct address *address)
{
	char *domain;

	if (snapshot_domain(snapshot, address, NULL, &domain) != 0)
		return false;
	free(domain);
	return true;
}

static bool ask_domain(size_t i)
{
	struct address address = { .family = AF_INET };

	address.v4.s_addr = htonl(0x0a000000 + (uint32_t)line_of(i));
	return domain_of(&address);
}

static const struct question {
	const char *name;
	bool (*ask)(size_t i);
} questions[] = {
	{ "set", ask_set },
	{ "find", ask_find },
	{ "fsid", ask_fsid },
	{ "domain", ask_domain },
};

/* ---- measuring ---- */

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* A counter of this process' instructions, or -1 if the kernel will not count for us. */
static int open_counter(void)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attributes),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_kernel = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static uint64_t read_counter(int counter)
{
	uint64_t value = 0;

	if (counter < 0 || read(counter, &value, sizeof(value)) != sizeof(value))
		return 0;
	return value;
}

static size_t bytes_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

__attribute__((noinline)) static void ask_all(int counter, size_t n_rounds)
{
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		uint64_t instructions = read_counter(counter);
		double start = now_ns();

		for (size_t k = 0; k < n_rounds; k++)
			if (!questions[i].ask(k))
				fail(questions[i].name);
		printf("  %s %.0f ns", questions[i].name, (now_ns() - start) / (double)n_rounds);
		if (counter >= 0)
			printf(" %llu instr",
			       (unsigned long long)(read_counter(counter) - instructions) /
				       n_rounds);
	}
}

static void measure(const struct kind *kind, size_t n_lines, size_t n_rounds, int counter)
{
	ino_t last_inode = 1000;
	struct snapshot_facts facts = {
		.userdata = &last_inode, .real_path = real_path, .seen = seen, .host = host
	};
	struct diags diags = { 0 };
	struct exports_source *source;
	size_t size, before, after_read, after_made;
	char *text = text_of(kind, n_lines, &size);
	double start, read_done, made_done;

	before = bytes_in_use();
	start = now_ns();
	if (exports_read_text("exports", text, size, &diags, &source) != 0 || diags.n_errors)
		fail("exports_read_text");
	read_done = now_ns();
	after_read = bytes_in_use();
	if (snapshot_new(source, &facts, false, &diags, &snapshot) != 0)
		fail("snapshot_new");
	made_done = now_ns();
	after_made = bytes_in_use();
	printf("%-8s %7zu lines  read %.1f ms  make %.1f ms  %zu + %zu bytes a line", kind->name,
	       n_lines, (read_done - start) / 1e6, (made_done - read_done) / 1e6,
	       (after_read - before) / n_lines, (after_made - after_read) / n_lines);
	n_lines_asked = n_lines;
	kind_asked = kind;
	ask_all(counter, n_rounds);
	printf("\n");
	fflush(stdout);
	diags_done(&diags);
	free(text);
	snapshot = snapshot_free(snapshot);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 10, 1000, 100000 };
	size_t wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	size_t n_rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
	int counter = open_counter();

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (argc > 3 && !str_equal(argv[3], kinds[k].name))
			continue;
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			if (!wanted || i == 0)
				measure(&kinds[k], wanted ? wanted : sizes[i], n_rounds, counter);
	}
	return EXIT_SUCCESS;
}
