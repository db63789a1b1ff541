/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * reload.c - exportsctl reload: the daemon's faults, printed as a parser here would.
 */

#include <stdio.h>

#include "exportsd/ctl/ctl.h"
#include "parser/diag.h"

static void add_fault(struct diags *diags, const struct proto_message *fault)
{
	const char *line_text = proto_get(fault, "line-text");
	const char *level = proto_get(fault, "level") ?: "error";
	const struct position at = {
		.file = proto_get(fault, "file") ?: "?",
		.line = (unsigned int)get_number(fault, "line"),
		.column = (unsigned int)get_number(fault, "column"),
		.line_text = line_text,
		.line_length = line_text ? strlen(line_text) : 0,
	};

	diag_add(diags, str_equal(level, "warning") ? DIAG_WARNING : DIAG_ERROR, &at, "%s",
		 proto_get(fault, "text") ?: "?");
}

static bool on_message(void *userdata, const struct proto_message *message)
{
	struct diags *diags = userdata;

	if (is_entry(message, "fault"))
		add_fault(diags, message);
	if (proto_outcome(message->word) < 0)
		return true;
	/* More were found than sent: diags_print() says how many. */
	if (get_number(message, "errors") > diags->n_errors)
		diags->n_errors = get_number(message, "errors");
	if (get_number(message, "warnings") > diags->n_warnings)
		diags->n_warnings = get_number(message, "warnings");
	diags_print(diags, stderr, isatty(STDERR_FILENO));
	if (is_done(message))
		puts(get_number(message, "changed") ? "new exports are in force"
						    : "nothing changed");
	return true;
}

static int run(const struct ctl_invocation *invocation)
{
	struct diags diags = { 0 };
	int exit_code = ctl_ask(invocation, "reload", on_message, &diags, "reload", NULL);

	diags_done(&diags);
	return exit_code;
}

const struct ctl_command ctl_reload = {
	.name = "reload",
	.summary = "read the exports files anew; with faults nothing changes",
	.run = run,
};
