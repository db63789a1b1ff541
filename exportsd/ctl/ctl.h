/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * ctl.h - what a command of exportsctl(8) is, and what commands share.
 *
 * A command is a file that defines a struct ctl_command, at the start of a line: that puts it into
 * the table (Makefile), into the help and into the usage lines. It prints its result on standard
 * output, what went wrong on standard error, and returns the exit code.
 */

#include <stdio.h>

#include "handlers/proto.h"

enum {
	CTL_EXIT_USAGE = 2, /* of a command: its usage is printed, too */
	CTL_EXIT_LOST = 3, /* exportsd went away before the outcome; EXIT_FAILURE in the end */
	CTL_OPTIONS_MAX = 4, /* of one command */
	CTL_ANY_NUMBER = 1024 * 1024, /* of arguments */
};

/* Commands may have the same option; then they say the same of it. */
struct ctl_option {
	const char *name;
	char letter; /* 0: none */
	const char *argument; /* what it takes, in words; NULL: nothing */
	const char *summary;
};

#define CTL_JSON                                                                                   \
	{                                                                                          \
		.name = "json", .summary = "print JSON"                                            \
	}

struct ctl_invocation;

struct ctl_command {
	const char *name; /* a word, or that of its group and its own: "fsid list" */
	const char *usage; /* what is behind the name; NULL: nothing */
	const char *summary;
	unsigned int min, max; /* arguments */
	struct ctl_option options[CTL_OPTIONS_MAX + 1]; /* ended by one without a name */
	int (*run)(const struct ctl_invocation *invocation);
};

/* The table of all commands, ended by NULL. */
extern const struct ctl_command *const ctl_commands[];

/* What was asked for on the command line. */
struct ctl_invocation {
	const char *socket; /* the daemon's */
	const char *config_file; /* NULL: /etc/exportsd.conf, if it is there */
	const struct ctl_command *command;
	const char *values[CTL_OPTIONS_MAX]; /* of its options, in their order */
	char **arguments; /* ended by NULL */
};

/* ctl_option - the value of an option; "" if it takes none; NULL: it was not given. */
const char *ctl_option(const struct ctl_invocation *invocation, const char *name);

/* ---- the daemon ---- */

/*
 * What to do with a message of an answer: an entry, or the outcome, which is the last one. False:
 * read no further, and say nothing; the exit code is EXIT_FAILURE.
 */
typedef bool (*ctl_each_fn)(void *userdata, const struct proto_message *message);

/*
 * ctl_ask - ask the daemon, and hand over each message of its answer.
 *
 * @subject: what a failing outcome is said of; NULL: memory was out when it was made
 * @word:    the verb, then its fields: key and value in turn, ended by NULL; a value NULL leaves its
 *           key out
 *
 * Returns the exit code; what failed was said.
 */
int ctl_ask(const struct ctl_invocation *invocation, const char *subject, ctl_each_fn each,
	    void *userdata, const char *word, ...) __attribute__((sentinel));

/* ctl_send - the same with a message that was begun: it is ended, sent, and freed. */
int ctl_send(const struct ctl_invocation *invocation, const char *subject, ctl_each_fn each,
	     void *userdata, struct proto_writer *request);

/* ---- messages ---- */

bool is_entry(const struct proto_message *message, const char *word);
bool is_done(const struct proto_message *message); /* it is the outcome, and that is ok */

/* A field that is a number; 0 without. */
uint64_t get_number(const struct proto_message *message, const char *key);

/* copy_message - its fields; not its word. Returns false when memory is out. */
bool copy_message(const struct proto_message *message, struct proto_message *ret_copy);
void copy_done(struct proto_message *copy);

/* ---- people ---- */

/* complain - "exportsctl: ..." on standard error. */
void complain(const char *format, ...) FORMAT_PRINTF(1, 2);

/*
 * print_shown - text from elsewhere, for people: control bytes as \ooo. Returns the columns it
 * takes.
 */
unsigned int print_shown(FILE *to, const char *text);
unsigned int shown_width(const char *text);

/*
 * A line on standard error that says how something stands: on a terminal it is drawn over itself,
 * else printed whenever it changes. Zero-initialise.
 */
struct ctl_line {
	bool is_drawn;
	char *last;
};
/* @text: taken; NULL: nothing */
void ctl_line_show(struct ctl_line *line, char *text);
/* ctl_line_end - nothing of it is left on the terminal. */
void ctl_line_end(struct ctl_line *line);

/*
 * absolute_path - a path as the daemon wants it: from the root, without empty, "." and ".."
 * components. By its text alone: what is not mounted cannot be asked.
 *
 * Returns a string to free(3), or NULL when memory is out.
 */
char *absolute_path(const char *path);

/*
 * print_holders - who holds a medium, a line each; @medium: an entry of status. Returns how many;
 * -errno (said).
 */
int print_holders(const struct proto_message *medium);
