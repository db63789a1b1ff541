/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * commands.c - what exportsctl's commands share: asking the daemon, complaining, printing what
 * others wrote.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "exportsd/ctl/commands.h"
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

bool ask_daemon(const struct invocation *invocation, const char *word, const char *key,
		const char *value, struct caller **ret_caller)
{
	struct proto_writer request = { 0 };

	proto_begin(&request, word);
	if (key)
		proto_put(&request, key, value);
	return send_request(invocation, &request, ret_caller);
}

bool send_request(const struct invocation *invocation, struct proto_writer *request,
		  struct caller **ret_caller)
{
	struct caller *caller = NULL;
	int r = caller_open(&caller, invocation->socket);

	if (r == 0)
		r = proto_end(request);
	if (r == 0)
		r = caller_ask(caller, request);
	proto_writer_done(request);
	if (r < 0) {
		complain_about_daemon(invocation->socket, r);
		caller_close(caller);
		return false;
	}
	*ret_caller = caller;
	return true;
}

bool next_answer(struct caller *caller, const struct proto_message **ret_message)
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

bool is_outcome(const struct proto_message *message, const char *subject, int *ret_exit_code)
{
	static const char *const words[] = {
		[PROTO_NOENT] = "does not exist",
		[PROTO_DENIED] = "denied",
		[PROTO_BUSY] = "busy",
		[PROTO_ERROR] = "failed",
		[PROTO_UNSUPPORTED] = "not known to this exportsd",
	};
	int outcome = proto_outcome(message->word);
	const char *why = proto_get(message, "message");

	if (outcome < 0)
		return false;
	*ret_exit_code = outcome == PROTO_OK ? EXIT_SUCCESS : EXIT_FAILURE;
	if (outcome != PROTO_OK)
		complain("%s: %s", subject, why ?: words[outcome]);
	return true;
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
