/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-questions - the daemon's own work for questions of the kernel, with the kernel replaced: for
 * counting instructions (valgrind does not run the processes that the whole daemon starts).
 *
 *	bench-questions N_EXPORTS N_QUESTIONS KIND
 *
 * KIND: "number": asks nfsd.export and nfsd.fh in turn about exports /srv/e/dNNNNNN with numbers; "uuid": nfsd.fh
 * about uuids and inodes of exports without; "ip": auth.unix.ip about hosts that have an export each. The
 * processes that look at paths are replaced, too.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/base/address.h"
#include "exportsd/base/parts.h"
#include "exportsd/config/config.h"
#include "exportsd/fs/mount_table.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/upcall.h"
#include "exportsd/questions/questions.h"
#include "parser/snapshot/snapshot.h"

static unsigned long n_answers;

/* As the transport does it, but for the write(2). */
int kernel_answer(struct kernel *kernel, const struct kernel_answer *answer)
{
	static char line[UPCALL_ANSWER_MAX];

	n_answers++;
	return upcall_format(answer, line, sizeof(line)) < 0 ? -EIO : 0;
}

static void ask_line(struct daemon *daemon, enum kernel_cache cache, const char *line)
{
	struct kernel_question question;
	char room[128];

	if (upcall_parse(cache, line, room, &question) != 0)
		abort();
	questions_ask(daemon, &question);
}

void kernel_pause(struct kernel *kernel, bool pause)
{
}

int kernel_flush_exports(struct kernel *kernel)
{
	return 0;
}

/* What lies at an export's path: a plain directory, told as soon as the question was taken. */
static struct {
	paths_facts_fn done;
	void *userdata;
	struct paths_facts facts;
} asked;

/* Each export is another directory of one file system. */
static struct paths_facts facts_of(const char *path)
{
	struct paths_facts facts = { .device = 0x801, .inode = 2, .mode = 040755 };
	long number;

	facts.has_statfs_uuid = true;
	facts.statfs_uuid[0] = 0xcd;
	if (sscanf(path, "/srv/e/d%ld", &number) == 1)
		facts.inode = 1000 + (ino_t)number;
	return facts;
}

int paths_facts(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		struct pending **ret_question)
{
	asked.done = done;
	asked.userdata = userdata;
	asked.facts = facts_of(path);
	return 0;
}

int paths_junction(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		   struct pending **ret_question)
{
	return paths_facts(paths, path, done, userdata, ret_question);
}

/* No export has a uuid here. */
void paths_fold_uuid(const char *text, size_t size, uint8_t *ret_bytes)
{
	abort();
}

static void answer_paths(void)
{
	paths_facts_fn done = asked.done;

	asked.done = NULL;
	if (done)
		done(asked.userdata, 0, &asked.facts);
}

static const char *same_path(void *userdata, const char *path)
{
	return path;
}

static struct snapshot_seen seen(void *userdata, const char *path)
{
	struct paths_facts facts = facts_of(path);

	return (struct snapshot_seen){ .device = facts.device, .inode = facts.inode };
}

/* Every host is an address. */
static bool host(void *userdata, const char *name, const char **ret_canonical,
		 const struct address **ret_addresses, size_t *ret_n_addresses)
{
	static struct address address;

	if (!address_parse(name, &address))
		return false;
	*ret_canonical = name;
	*ret_addresses = &address;
	*ret_n_addresses = 1;
	return true;
}

static void host_text(long number, char *text, size_t size)
{
	(void)snprintf(text, size, "10.%ld.%ld.%ld", number >> 16, number >> 8 & 255, number & 255);
}

/* ---- kinds ---- */

static void number_line(FILE *to, long number)
{
	fprintf(to, "/srv/e/d%06ld *(ro,no_subtree_check,fsid=%ld)\n", number, 1000 + number);
}

static void uuid_line(FILE *to, long number)
{
	fprintf(to, "/srv/e/d%06ld *(ro,no_subtree_check)\n", number);
}

static void ip_line(FILE *to, long number)
{
	char text[32];

	host_text(number, text, sizeof(text));
	fprintf(to, "/srv/e/d%06ld %s(ro,no_subtree_check,fsid=%ld)\n", number, text,
		1000 + number);
}

static void ask_number(struct daemon *daemon, long number)
{
	unsigned int fsid = (unsigned int)(1000 + number);
	char line[128];

	(void)snprintf(line, sizeof(line), "* /srv/e/d%06ld", number);
	ask_line(daemon, KERNEL_EXPORT, line);
	answer_paths();
	(void)snprintf(line, sizeof(line), "* 1 \\x%02x%02x%02x%02x", fsid & 0xff, fsid >> 8 & 0xff,
		       fsid >> 16 & 0xff, fsid >> 24);
	ask_line(daemon, KERNEL_FH, line);
	answer_paths();
}

static void ask_uuid(struct daemon *daemon, long number)
{
	unsigned long before = n_answers, inode = 1000 + (unsigned long)number;
	char line[128];

	(void)snprintf(line, sizeof(line), "* 7 \\x%02lx%02lx%02lx%02lx00000000cd%030d",
		       inode & 0xff, inode >> 8 & 0xff, inode >> 16 & 0xff, inode >> 24, 0);
	ask_line(daemon, KERNEL_FH, line);
	while (n_answers == before) {
		if (!asked.done)
			(void)sd_event_run(daemon->event, 0);
		answer_paths();
	}
}

static void ask_ip(struct daemon *daemon, long number)
{
	unsigned long before = n_answers;
	char line[128] = "nfsd ";

	host_text(number, line + 5, sizeof(line) - 5);
	ask_line(daemon, KERNEL_IP, line);
	while (n_answers == before)
		(void)sd_event_run(daemon->event, 0);
}

static const struct kind {
	const char *name;
	void (*line)(FILE *to, long number);
	void (*ask)(struct daemon *daemon, long number);
	unsigned int n_answers;
} kinds[] = {
	{ "number", number_line, ask_number, 2 },
	{ "uuid", uuid_line, ask_uuid, 1 },
	{ "ip", ip_line, ask_ip, 1 },
};

static int load(const struct kind *kind, long n_exports, struct snapshot **ret_snapshot)
{
	const struct snapshot_facts facts = { .real_path = same_path, .seen = seen, .host = host };
	struct exports_source *source;
	struct diags diags = { 0 };
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);
	int r;

	for (long i = 0; i < n_exports; i++)
		kind->line(memory, i);
	fclose(memory);
	r = exports_read_text("exports", text, size, &diags, &source);
	free(text);
	if (r == 0)
		r = snapshot_new(source, &facts, false, &diags, ret_snapshot);
	diags_done(&diags);
	return r;
}

int main(int argc, char **argv)
{
	const struct kind *kind = NULL;
	struct daemon daemon = { 0 };
	struct diags diags = { 0 };
	long n_exports, n_questions;

	for (size_t i = 0; i < N_ELEMENTS(kinds) && argc == 4; i++)
		if (str_equal(argv[3], kinds[i].name))
			kind = &kinds[i];
	if (!kind) {
		fprintf(stderr, "Usage: bench-questions N_EXPORTS N_QUESTIONS number|uuid|ip\n");
		return 2;
	}
	n_exports = strtol(argv[1], NULL, 10);
	n_questions = strtol(argv[2], NULL, 10);
	if (sd_event_default(&daemon.event) < 0 ||
	    mount_table_new(&daemon.mounts, daemon.event) < 0 ||
	    config_load(NULL, true, &diags, &daemon.config) != 0 ||
	    questions_new(&daemon.questions, &daemon) < 0)
		return EXIT_FAILURE;
	questions_begin_load(daemon.questions);
	if (load(kind, n_exports, &daemon.snapshot) != 0)
		return EXIT_FAILURE;
	questions_again(daemon.questions);
	srandom(1);
	for (long i = 0; i < n_questions; i++)
		kind->ask(&daemon, random() % n_exports);
	questions_free(daemon.questions);
	mount_table_free(daemon.mounts);
	snapshot_free(daemon.snapshot);
	config_free(daemon.config);
	sd_event_unref(daemon.event);
	printf("%lu answers\n", n_answers);
	return n_answers == kind->n_answers * (unsigned long)n_questions ? EXIT_SUCCESS
									 : EXIT_FAILURE;
}
