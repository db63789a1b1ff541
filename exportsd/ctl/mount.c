/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mount.c - exportsctl mount, fsid and path: one medium, one number.
 *
 * While a medium loads, a terminal shows a bar that is drawn over itself; anything else gets a line
 * whenever what the handler says has changed. Ending exportsctl ends only the watching.
 */

#include <stdio.h>
#include <time.h>

#include "exportsd/ctl/commands.h"

enum { BAR_WIDTH = 30 };

/* ---- mount ---- */

/* What was shown last. */
struct progress {
	bool terminal;
	bool drawn; /* the terminal's line holds a bar */
	char *last;
};

static void clear_bar(struct progress *progress)
{
	if (progress->drawn)
		fputs("\r\033[K", stderr);
	progress->drawn = false;
}

static void draw_bar(struct progress *progress, unsigned int percent, const char *message)
{
	unsigned int filled = percent * BAR_WIDTH / 100;

	fputs("\r[", stderr);
	for (unsigned int i = 0; i < BAR_WIDTH; i++)
		fputc(i < filled ? '#' : '.', stderr);
	fprintf(stderr, "] %3u%% ", percent);
	print_shown(stderr, message);
	fputs("\033[K", stderr);
	progress->drawn = true;
}

static void show_progress(struct progress *progress, const struct proto_message *medium)
{
	const char *message = proto_get(medium, "message") ?: "";
	const char *state = proto_get(medium, "state") ?: "";
	uint64_t percent = 0;
	char *line;

	(void)proto_get_u64(medium, "percent", 100, &percent);
	if (!str_equal(state, "loading"))
		return;
	if (progress->terminal) {
		draw_bar(progress, (unsigned int)percent, message);
		return;
	}
	if (asprintf(&line, "%s %u%%%s%s", state, (unsigned int)percent, *message ? " " : "",
		     message) < 0)
		return;
	if (!progress->last || !str_equal(progress->last, line)) {
		print_shown(stderr, line);
		fputc('\n', stderr);
	}
	free(progress->last);
	progress->last = line;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

int command_mount(const struct invocation *invocation)
{
	CLEANUP(freep) char *path = absolute_path(invocation->arguments[0]);
	struct progress progress = { .terminal = isatty(STDERR_FILENO) };
	const struct proto_message *message;
	struct caller *caller = NULL;
	struct timespec start;
	int exit_code = EXIT_FAILURE;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (!path || !ask_daemon(invocation, "mount", "path", path, &caller))
		return EXIT_FAILURE;
	while (next_answer(caller, &message)) {
		if (proto_outcome(message->word) >= 0)
			clear_bar(&progress);
		if (is_outcome(message, path, &exit_code)) {
			if (exit_code == 0) {
				print_shown(stdout, proto_get(message, "path") ?: path);
				printf(": mounted, fsid %s, %.2f s\n",
				       proto_get(message, "fsid") ?: "?", seconds_since(&start));
			}
			break;
		}
		show_progress(&progress, message);
	}
	clear_bar(&progress);
	free(progress.last);
	caller_close(caller);
	return exit_code;
}

/* ---- fsid and path ---- */

/* Ask, and print one field of the outcome: for scripts as it is, on a terminal shown safely. */
static int print_field(const struct invocation *invocation, const char *word, const char *key,
		       const char *value, const char *wanted)
{
	const struct proto_message *message;
	struct caller *caller = NULL;
	int exit_code = EXIT_FAILURE;

	if (!ask_daemon(invocation, word, key, value, &caller))
		return EXIT_FAILURE;
	while (next_answer(caller, &message))
		if (is_outcome(message, value, &exit_code)) {
			if (exit_code == 0 && isatty(STDOUT_FILENO))
				print_shown(stdout, proto_get(message, wanted) ?: "");
			else if (exit_code == 0)
				fputs(proto_get(message, wanted) ?: "", stdout);
			if (exit_code == 0)
				putchar('\n');
			break;
		}
	caller_close(caller);
	return exit_code;
}

int command_number(const struct invocation *invocation)
{
	CLEANUP(freep) char *path = absolute_path(invocation->arguments[0]);

	return path ? print_field(invocation, "fsid", "path", path, "fsid") : EXIT_FAILURE;
}

int command_path(const struct invocation *invocation)
{
	return print_field(invocation, "path", "fsid", invocation->arguments[0], "path");
}
