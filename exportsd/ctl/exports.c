/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * exports.c - exportsctl exports: what is in force.
 *
 * In etab's form, with -v also where each was written, or as JSON. The daemon breaks off when a
 * reload comes into force meanwhile; so all is kept until it is complete, and asked for again if
 * not.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/ctl/commands.h"
#include "exportsd/ctl/json.h"

enum { ATTEMPTS = 5 };

/* What came so far: text, or JSON. */
struct listing {
	unsigned int options;
	char *text;
	size_t length;
	FILE *to;
	struct json_object *array;
};

static bool listing_begin(struct listing *listing)
{
	listing->array = json_object_new_array();
	listing->to = open_memstream(&listing->text, &listing->length);
	return listing->array && listing->to;
}

static void listing_done(struct listing *listing)
{
	if (listing->to)
		fclose(listing->to);
	free(listing->text);
	json_object_put(listing->array);
}

static void add_export(struct listing *listing, const struct proto_message *message)
{
	const char *etab = proto_get(message, "etab") ?: "";

	if (listing->options & COMMAND_JSON) {
		json_object_array_add(listing->array, json_of_message(message));
		return;
	}
	fputs(etab, listing->to);
	if (listing->options & COMMAND_VERBOSE) {
		fputs("\t# ", listing->to);
		print_shown(listing->to, proto_get(message, "file") ?: "?");
		fprintf(listing->to, ":%s", proto_get(message, "line") ?: "?");
	}
	fputc('\n', listing->to);
}

static int print_listing(struct listing *listing)
{
	int r = fclose(listing->to);

	listing->to = NULL;
	if (r != 0) {
		complain("out of memory");
		return EXIT_FAILURE;
	}
	if (listing->options & COMMAND_JSON)
		json_print(listing->array);
	else
		fwrite(listing->text, 1, listing->length, stdout);
	return EXIT_SUCCESS;
}

/* One attempt. @ret_again: the exports changed while they were listed */
static int list(const struct invocation *invocation, bool last, bool *ret_again)
{
	struct listing listing = { .options = invocation->options };
	const struct proto_message *message;
	struct caller *caller = NULL;
	int exit_code = EXIT_FAILURE;

	*ret_again = false;
	if (!ask_daemon(invocation, "exports", NULL, NULL, &caller))
		return EXIT_FAILURE;
	if (listing_begin(&listing)) {
		while (next_answer(caller, &message)) {
			*ret_again = !last && proto_outcome(message->word) == PROTO_BUSY;
			if (*ret_again)
				break;
			if (is_outcome(message, "exports", &exit_code)) {
				if (exit_code == 0)
					exit_code = print_listing(&listing);
				break;
			}
			add_export(&listing, message);
		}
	}
	listing_done(&listing);
	caller_close(caller);
	return exit_code;
}

int command_exports(const struct invocation *invocation)
{
	bool again = true;
	int exit_code = EXIT_FAILURE;

	for (int attempt = 1; again; attempt++)
		exit_code = list(invocation, attempt == ATTEMPTS, &again);
	return exit_code;
}
