/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mount.c - exportsctl mount: have a medium mounted, and watch that.
 *
 * While it loads, a terminal shows a bar; anything else gets a line whenever what the handler says
 * has changed. Ending exportsctl ends only the watching.
 */

#include <stdio.h>
#include <time.h>

#include "exportsd/ctl/ctl.h"

enum { BAR_WIDTH = 30 };

struct watching {
	const char *path;
	struct timespec start;
	struct ctl_line line;
};

/* Returns a string to free(3), or NULL. */
static char *describe(unsigned int percent, const char *message)
{
	static const char full[] = "##############################",
			  empty[] = "..............................";
	int n_full = (int)(percent * BAR_WIDTH / 100), r;
	char *text;

	if (isatty(STDERR_FILENO))
		r = asprintf(&text, "[%.*s%.*s] %3u%% %s", n_full, full, BAR_WIDTH - n_full, empty,
			     percent, message);
	else
		r = asprintf(&text, "loading %u%%%s%s", percent, *message ? " " : "", message);
	return r < 0 ? NULL : text;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static bool on_message(void *userdata, const struct proto_message *message)
{
	struct watching *watching = userdata;
	uint64_t percent = 0;

	if (proto_outcome(message->word) >= 0)
		ctl_line_end(&watching->line);
	if (is_done(message)) {
		print_shown(stdout, proto_get(message, "path") ?: watching->path);
		printf(": mounted, fsid %s, %.2f s\n", proto_get(message, "fsid") ?: "?",
		       seconds_since(&watching->start));
	}
	if (str_equal(proto_get(message, "state") ?: "", "loading")) {
		(void)proto_get_u64(message, "percent", 100, &percent);
		ctl_line_show(&watching->line,
			      describe((unsigned int)percent, proto_get(message, "message") ?: ""));
	}
	return true;
}

static int run(const struct ctl_invocation *invocation)
{
	CLEANUP(freep) char *path = absolute_path(invocation->arguments[0]);
	struct watching watching = { .path = path };
	int exit_code;

	clock_gettime(CLOCK_MONOTONIC, &watching.start);
	exit_code = ctl_ask(invocation, path, on_message, &watching, "mount", "path", path, NULL);
	ctl_line_end(&watching.line);
	return exit_code;
}

const struct ctl_command ctl_mount = {
	.name = "mount",
	.usage = "PATH",
	.summary = "have a medium mounted, and wait for it",
	.min = 1,
	.max = 1,
	.run = run,
};
