/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * commands.h - exportsctl(8)'s commands, and what they share.
 *
 * A command prints its result on standard output, what went wrong on standard error, and returns
 * the exit code.
 */

#include <stdio.h>

#include "exportsd/base/caller.h"

enum { EXIT_USAGE = 2 };

enum command_option {
	COMMAND_JSON = 1 << 0,
	COMMAND_ETAB = 1 << 1,
	COMMAND_VERBOSE = 1 << 2,
	COMMAND_FORCE = 1 << 3,
	COMMAND_WAIT = 1 << 4,
	COMMAND_FROM = 1 << 5,
	COMMAND_NEW = 1 << 6,
	COMMAND_UNTRUSTED = 1 << 7,
	COMMAND_MEDIA = 1 << 8,
};

/* What was asked for on the command line. */
struct invocation {
	const char *socket; /* the daemon's */
	const char *config_file; /* NULL: /etc/exportsd.conf, if it is there */
	unsigned int options; /* enum command_option */
	uint32_t wait_seconds; /* COMMAND_WAIT's */
	const char *from; /* --from */
	char **arguments; /* NULL-terminated, behind the command's name */
};

int command_status(const struct invocation *invocation);
int command_exports(const struct invocation *invocation);
int command_check(const struct invocation *invocation);
int command_check_media(const struct invocation *invocation);
int command_reload(const struct invocation *invocation);
int command_mount(const struct invocation *invocation);
int command_eject(const struct invocation *invocation);
int command_busy(const struct invocation *invocation);
int command_fsid(const struct invocation *invocation);
int command_number(const struct invocation *invocation);
int command_path(const struct invocation *invocation);
int command_handle(const struct invocation *invocation);

/* ---- shared ---- */

/* complain - "exportsctl: ..." on standard error. */
void complain(const char *format, ...) FORMAT_PRINTF(1, 2);

/*
 * ask_daemon - connect and ask; @key and @value may be NULL.
 *
 * Returns true; false: it could not be asked, and that was said.
 */
bool ask_daemon(const struct invocation *invocation, const char *word, const char *key,
		const char *value, struct caller **ret_caller);

/*
 * send_request - connect and send a message that was begun; it is ended and freed.
 *
 * Returns true; false: it could not be asked, and that was said.
 */
bool send_request(const struct invocation *invocation, struct proto_writer *request,
		  struct caller **ret_caller);

/*
 * print_holders - who holds a medium, a line each; @medium: an entry of status. Returns how many;
 * -errno (said).
 */
int print_holders(const struct proto_message *medium);

/* next_answer - caller_next(), failures said. Returns false for them. */
bool next_answer(struct caller *caller, const struct proto_message **ret_message);

/*
 * is_outcome - is this the last message of the answer?
 *
 * @ret_exit_code: 0 for ok, else EXIT_FAILURE, and @subject and the daemon's words were said on
 *                 standard error
 */
bool is_outcome(const struct proto_message *message, const char *subject, int *ret_exit_code);

/*
 * print_shown - text from elsewhere, for people: control bytes as \ooo. Returns the columns it
 * takes.
 */
unsigned int print_shown(FILE *to, const char *text);
unsigned int shown_width(const char *text);

/*
 * absolute_path - a path as the daemon wants it: from the root, without empty, "." and ".."
 * components. By its text alone: what is not mounted cannot be asked.
 *
 * Returns a string to free(3), or NULL when memory is out.
 */
char *absolute_path(const char *path);
