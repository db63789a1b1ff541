/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * reload.c - exportsctl reload: the daemon's faults, printed as a parser here would.
 */

#include <stdio.h>

#include "exportsd/ctl/commands.h"
#include "parser/diag.h"

static unsigned int number_of(const struct proto_message *message, const char *key)
{
	uint64_t number = 0;

	(void)proto_get_u64(message, key, UINT32_MAX, &number);
	return (unsigned int)number;
}

static void add_fault(struct diags *diags, const struct proto_message *fault)
{
	const char *line_text = proto_get(fault, "line-text");
	const char *level = proto_get(fault, "level") ?: "error";
	const struct position at = {
		.file = proto_get(fault, "file") ?: "?",
		.line = number_of(fault, "line"),
		.column = number_of(fault, "column"),
		.line_text = line_text,
		.line_length = line_text ? strlen(line_text) : 0,
	};

	diag_add(diags, str_equal(level, "warning") ? DIAG_WARNING : DIAG_ERROR, &at, "%s",
		 proto_get(fault, "text") ?: "?");
}

int command_reload(const struct invocation *invocation)
{
	const struct proto_message *message;
	struct diags diags = { 0 };
	struct caller *caller = NULL;
	int exit_code = EXIT_FAILURE;

	if (!ask_daemon(invocation, "reload", NULL, NULL, &caller))
		return EXIT_FAILURE;
	while (next_answer(caller, &message)) {
		if (str_equal(message->word, "fault"))
			add_fault(&diags, message);
		if (proto_outcome(message->word) < 0)
			continue;
		/* More were found than sent: diags_print() says how many. */
		if (number_of(message, "errors") > diags.n_errors)
			diags.n_errors = number_of(message, "errors");
		if (number_of(message, "warnings") > diags.n_warnings)
			diags.n_warnings = number_of(message, "warnings");
		diags_print(&diags, stderr, isatty(STDERR_FILENO));
		if (is_outcome(message, "reload", &exit_code) && exit_code == 0)
			puts(number_of(message, "changed") ? "new exports are in force"
							   : "nothing changed");
		break;
	}
	diags_done(&diags);
	caller_close(caller);
	return exit_code;
}
