/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * number.c - exportsctl fsid and path: a path's number, and back. Two commands that print a field
 * of an outcome.
 */

#include <stdio.h>

#include "exportsd/ctl/ctl.h"

/* For scripts as it is, on a terminal shown safely. */
static bool print_field(void *userdata, const struct proto_message *message)
{
	const char *value = proto_get(message, userdata) ?: "";

	if (!is_done(message))
		return true;
	if (isatty(STDOUT_FILENO))
		print_shown(stdout, value);
	else
		fputs(value, stdout);
	putchar('\n');
	return true;
}

static int run_fsid(const struct ctl_invocation *invocation)
{
	CLEANUP(freep) char *path = absolute_path(invocation->arguments[0]);

	return ctl_ask(invocation, path, print_field, (char *)"fsid", "fsid", "path", path, NULL);
}

const struct ctl_command ctl_fsid = {
	.name = "fsid",
	.usage = "PATH",
	.summary = "the number of a path",
	.min = 1,
	.max = 1,
	.run = run_fsid,
};

static int run_path(const struct ctl_invocation *invocation)
{
	const char *number = invocation->arguments[0];

	return ctl_ask(invocation, number, print_field, (char *)"path", "path", "fsid", number,
		       NULL);
}

const struct ctl_command ctl_path = {
	.name = "path",
	.usage = "FSID",
	.summary = "the path of a number",
	.min = 1,
	.max = 1,
	.run = run_path,
};
