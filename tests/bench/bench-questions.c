/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-questions - the daemon's own work for questions of the kernel, with the kernel replaced: for
 * counting instructions (valgrind does not run the processes that the whole daemon starts).
 *
 *	bench-questions N_EXPORTS N_QUESTIONS
 *
 * Asks nfsd.export and nfsd.fh in turn about exports /srv/e/dNNNNNN with numbers. The processes that look at paths are
 * replaced, too.
 */

#include <stdio.h>

#include "exportsd/questions.h"

static unsigned long n_answers;

int kernel_answer(struct kernel *kernel, enum kernel_cache cache, const char *line, size_t n_bytes)
{
	n_answers++;
	return 0;
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
} asked;

int paths_facts(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		struct paths_question **ret_question)
{
	asked.done = done;
	asked.userdata = userdata;
	return 0;
}

int paths_junction(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		   struct paths_question **ret_question)
{
	return paths_facts(paths, path, done, userdata, ret_question);
}

void paths_cancel(struct paths_question *question)
{
}

/* No export has a uuid here. */
void paths_fold_uuid(const char *text, size_t size, uint8_t *ret_bytes)
{
	abort();
}

static void answer_paths(void)
{
	static const struct paths_facts directory = { .mode = 040755 };
	paths_facts_fn done = asked.done;

	asked.done = NULL;
	if (done)
		done(asked.userdata, 0, &directory);
}

static const char *same_path(void *userdata, const char *path)
{
	return path;
}

static bool no_host(void *userdata, const char *name, const char **ret_canonical,
		    const struct address **ret_addresses, size_t *ret_n_addresses)
{
	return false;
}

static int load(long n_exports, struct snapshot **ret_snapshot)
{
	const struct snapshot_facts facts = { .real_path = same_path, .host = no_host };
	struct exports_source *source;
	struct diags diags = { 0 };
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);
	int r;

	for (long i = 0; i < n_exports; i++)
		fprintf(memory, "/srv/e/d%06ld *(ro,no_subtree_check,fsid=%ld)\n", i, 1000 + i);
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
	struct daemon daemon = { 0 };
	struct diags diags = { 0 };
	long n_exports, n_questions;

	if (argc != 3) {
		fprintf(stderr, "Usage: bench-questions N_EXPORTS N_QUESTIONS\n");
		return 2;
	}
	n_exports = strtol(argv[1], NULL, 10);
	n_questions = strtol(argv[2], NULL, 10);
	if (sd_event_default(&daemon.event) < 0 ||
	    config_load(NULL, true, &diags, &daemon.config) != 0 ||
	    load(n_exports, &daemon.snapshot) != 0 || questions_new(&daemon.questions, &daemon) < 0)
		return EXIT_FAILURE;
	srandom(1);
	for (long i = 0; i < n_questions; i++) {
		long number = random() % n_exports;
		unsigned int fsid = (unsigned int)(1000 + number);
		char line[128];

		(void)snprintf(line, sizeof(line), "* /srv/e/d%06ld", number);
		questions_ask(&daemon, KERNEL_EXPORT, line);
		answer_paths();
		(void)snprintf(line, sizeof(line), "* 1 \\x%02x%02x%02x%02x", fsid & 0xff,
			       fsid >> 8 & 0xff, fsid >> 16 & 0xff, fsid >> 24);
		questions_ask(&daemon, KERNEL_FH, line);
		answer_paths();
	}
	questions_free(daemon.questions);
	snapshot_free(daemon.snapshot);
	config_free(daemon.config);
	sd_event_unref(daemon.event);
	printf("%lu answers\n", n_answers);
	return n_answers == 2 * (unsigned long)n_questions ? EXIT_SUCCESS : EXIT_FAILURE;
}
