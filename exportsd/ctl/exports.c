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

#include "exportsd/ctl/ctl.h"
#include "exportsd/ctl/json.h"

enum { ATTEMPTS = 5 };

/* What came so far: text, or JSON. */
struct listing {
	bool as_json, with_places, is_last_attempt;
	bool has_changed; /* the exports, while they were listed */
	char *text;
	size_t length;
	FILE *to;
	struct json_object *array;
};

static bool add_export(void *userdata, const struct proto_message *message)
{
	struct listing *listing = userdata;

	if (proto_outcome(message->word) >= 0) {
		listing->has_changed =
			!listing->is_last_attempt && proto_outcome(message->word) == PROTO_BUSY;
		return !listing->has_changed;
	}
	if (listing->as_json) {
		json_object_array_add(listing->array, json_of_message(message));
		return true;
	}
	fputs(proto_get(message, "etab") ?: "", listing->to);
	if (listing->with_places) {
		fputs("\t# ", listing->to);
		print_shown(listing->to, proto_get(message, "file") ?: "?");
		fprintf(listing->to, ":%s", proto_get(message, "line") ?: "?");
	}
	fputc('\n', listing->to);
	return true;
}

static int print_listing(struct listing *listing)
{
	if (fclose(TAKE_PTR(listing->to)) != 0) {
		complain("out of memory");
		return EXIT_FAILURE;
	}
	if (listing->as_json)
		json_print(listing->array);
	else
		fwrite(listing->text, 1, listing->length, stdout);
	return EXIT_SUCCESS;
}

/* One attempt. @ret_again: the exports changed while they were listed */
static int list(const struct ctl_invocation *invocation, bool is_last, bool *ret_again)
{
	struct listing listing = {
		.as_json = ctl_option(invocation, "json"),
		.with_places = ctl_option(invocation, "verbose"),
		.is_last_attempt = is_last,
		.array = json_object_new_array(),
	};
	int exit_code = EXIT_FAILURE;

	listing.to = open_memstream(&listing.text, &listing.length);
	if (listing.to)
		exit_code = ctl_ask(invocation, "exports", add_export, &listing, "exports", NULL);
	if (exit_code == 0)
		exit_code = print_listing(&listing);
	if (listing.to)
		fclose(listing.to);
	free(listing.text);
	json_object_put(listing.array);
	*ret_again = listing.has_changed;
	return exit_code;
}

static int run(const struct ctl_invocation *invocation)
{
	bool again = true;
	int exit_code = EXIT_FAILURE;

	for (int attempt = 1; again; attempt++)
		exit_code = list(invocation, attempt == ATTEMPTS, &again);
	return exit_code;
}

const struct ctl_command ctl_exports = {
	.name = "exports",
	.usage = "[-v | --json]",
	.summary = "the exports in force, in etab's form; -v: with the lines they come from",
	.options = { CTL_JSON, { "verbose", 'v', NULL, "print more" } },
	.run = run,
};
