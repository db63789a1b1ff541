/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ctl.c - what exportsctl's commands share: asking the daemon, complaining, printing what others
 * wrote.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "exportsd/base/caller.h"
#include "exportsd/ctl/ctl.h"
#include "parser/escape.h"

void complain(const char *format, ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = escape_message(format, ap);
	va_end(ap);
	fprintf(stderr, "exportsctl: %s\n", text ?: strerror(ENOMEM));
}

/* ---- the daemon ---- */

static void complain_about_daemon(const char *socket, int error)
{
	if (error == -ENOENT || error == -ECONNREFUSED)
		complain("exportsd is not running (%s %s); systemctl start exportsd",
			 error == -ENOENT ? "no" : "nobody listens on", socket);
	else if (error == -EACCES)
		complain("not allowed to speak with exportsd (%s); only root is", socket);
	else
		complain("cannot speak with exportsd (%s): %s", socket, strerror(-error));
}

/* Returns false, and that was said, if there is none. */
static bool next_message(struct caller *caller, const struct proto_message **ret_message)
{
	int r = caller_next(caller, ret_message);

	if (r == -ECONNRESET)
		complain("exportsd ended the connection before its answer was complete; "
			 "journalctl -u exportsd tells why");
	else if (r == -EBADMSG)
		complain("what answers is not exportsd, or another version of it");
	else if (r < 0)
		complain("cannot read exportsd's answer: %s", strerror(-r));
	return r == 0;
}

static int exit_code_of(enum proto_outcome outcome, const char *subject, const char *why)
{
	static const char *const words[] = {
		[PROTO_NOENT] = "does not exist",
		[PROTO_DENIED] = "denied",
		[PROTO_BUSY] = "busy",
		[PROTO_ERROR] = "failed",
		[PROTO_UNSUPPORTED] = "not known to this exportsd",
	};

	if (outcome == PROTO_OK)
		return EXIT_SUCCESS;
	complain("%s: %s", subject, why ?: words[outcome]);
	return EXIT_FAILURE;
}

static int read_answer(struct caller *caller, const char *subject, ctl_each_fn each, void *userdata)
{
	const struct proto_message *message;

	while (next_message(caller, &message)) {
		int outcome = proto_outcome(message->word);

		if (each && !each(userdata, message))
			return EXIT_FAILURE;
		if (outcome >= 0)
			return exit_code_of((enum proto_outcome)outcome, subject,
					    proto_get(message, "message"));
	}
	return CTL_EXIT_LOST;
}

int ctl_send(const struct ctl_invocation *invocation, const char *subject, ctl_each_fn each,
	     void *userdata, struct proto_writer *request)
{
	struct caller *caller = NULL;
	int exit_code = EXIT_FAILURE;
	int r = caller_open(&caller, invocation->socket);

	if (r == 0)
		r = proto_end(request);
	if (r == 0)
		r = caller_ask(caller, request);
	proto_writer_done(request);
	if (r < 0)
		complain_about_daemon(invocation->socket, r);
	else
		exit_code = read_answer(caller, subject, each, userdata);
	caller_close(caller);
	return exit_code;
}

int ctl_ask(const struct ctl_invocation *invocation, const char *subject, ctl_each_fn each,
	    void *userdata, const char *word, ...)
{
	struct proto_writer request = { 0 };
	const char *key;
	va_list ap;

	if (!subject) {
		complain("out of memory");
		return EXIT_FAILURE;
	}
	proto_begin(&request, word);
	va_start(ap, word);
	while ((key = va_arg(ap, const char *)))
		proto_put(&request, key, va_arg(ap, const char *));
	va_end(ap);
	return ctl_send(invocation, subject, each, userdata, &request);
}

const char *ctl_option(const struct ctl_invocation *invocation, const char *name)
{
	const struct ctl_option *options = invocation->command->options;

	for (size_t i = 0; options[i].name; i++)
		if (str_equal(options[i].name, name))
			return invocation->values[i];
	return NULL;
}

/* ---- messages ---- */

bool is_entry(const struct proto_message *message, const char *word)
{
	return str_equal(message->word, word);
}

bool is_done(const struct proto_message *message)
{
	return proto_outcome(message->word) == PROTO_OK;
}

uint64_t get_number(const struct proto_message *message, const char *key)
{
	uint64_t number = 0;

	(void)proto_get_u64(message, key, UINT64_MAX, &number);
	return number;
}

bool copy_message(const struct proto_message *message, struct proto_message *ret_copy)
{
	struct proto_message copy = { .word = "" };

	copy.fields = calloc(message->n_fields + 1, sizeof(*copy.fields));
	for (size_t i = 0; copy.fields && i < message->n_fields; i++) {
		struct proto_field *field = &copy.fields[copy.n_fields++];

		field->key = strdup(message->fields[i].key);
		field->value = strdup(message->fields[i].value);
		if (!field->key || !field->value) {
			copy_done(&copy);
			return false;
		}
	}
	*ret_copy = copy;
	return copy.fields != NULL;
}

void copy_done(struct proto_message *copy)
{
	for (size_t i = 0; i < copy->n_fields; i++) {
		free((char *)copy->fields[i].key);
		free((char *)copy->fields[i].value);
	}
	proto_message_done(copy);
}

/* ---- texts ---- */

/* One column a character: bytes that go on with a UTF-8 character take none. */
static unsigned int width(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

unsigned int print_shown(FILE *to, const char *text)
{
	CLEANUP(freep) char *shown = escape_bytes(text, strlen(text), ESCAPE_SHOWN);

	fputs(shown ?: "?", to);
	return width(shown ?: "?");
}

unsigned int shown_width(const char *text)
{
	CLEANUP(freep) char *shown = escape_bytes(text, strlen(text), ESCAPE_SHOWN);

	return width(shown ?: "?");
}

void ctl_line_show(struct ctl_line *line, char *text)
{
	if (!text || (line->last && str_equal(line->last, text))) {
		free(text);
		return;
	}
	line->is_drawn = isatty(STDERR_FILENO);
	fputs(line->is_drawn ? "\r" : "", stderr);
	print_shown(stderr, text);
	fputs(line->is_drawn ? "\033[K" : "\n", stderr);
	free(line->last);
	line->last = text;
}

void ctl_line_end(struct ctl_line *line)
{
	if (line->is_drawn)
		fputs("\r\033[K", stderr);
	line->is_drawn = false;
	free(TAKE_PTR(line->last));
}

/* Append the components of @path to @to, which is "" or "/a/b", ".." taking one away. */
static void append_components(char *to, const char *path)
{
	while (*path) {
		size_t length = strcspn(path, "/");
		char *end = to + strlen(to);

		if (length == 2 && strncmp(path, "..", 2) == 0) {
			char *last = strrchr(to, '/');

			*(last ?: to) = '\0';
		} else if (length && !(length == 1 && *path == '.')) {
			*end = '/';
			memcpy(end + 1, path, length);
			end[1 + length] = '\0';
		}
		path += length;
		path += *path == '/';
	}
}

char *absolute_path(const char *path)
{
	CLEANUP(freep) char *here = *path == '/' ? strdup("") : getcwd(NULL, 0);
	char *absolute;

	if (!here)
		return NULL;
	absolute = calloc(1, strlen(here) + strlen(path) + 3);
	if (!absolute)
		return NULL;
	append_components(absolute, here);
	append_components(absolute, path);
	if (!*absolute)
		strcpy(absolute, "/");
	return absolute;
}
