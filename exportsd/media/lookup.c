/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lookup.c - is there such a medium, and what is its number?
 *
 * A handler that cannot look up is asked for its list instead; one that can do neither says by
 * mount alone what there is. The answer counts when the number is recorded.
 */

#include <errno.h>

#include "exportsd/media/private.h"

static void on_assigned(void *userdata, int error)
{
	struct medium *medium = userdata;

	medium->lookup = NULL;
	if (error < 0)
		medium_say_errno(medium, "its number cannot be recorded", error);
	medium_report(medium, MEDIUM_NUMBER, error < 0 ? MEDIUM_BROKEN : MEDIUM_FOUND);
}

static void assign(struct medium *medium)
{
	struct media *media = media_of(medium);
	const char *paths[] = { medium->path };
	int r;

	if (numbers_get(media->numbers, medium->path)) {
		medium_report(medium, MEDIUM_NUMBER, MEDIUM_FOUND);
		return;
	}
	r = numbers_assign(media->numbers, paths, 1, on_assigned, medium, &medium->lookup);
	if (r < 0) {
		medium_say_errno(medium, "its number cannot be recorded", r);
		medium_report(medium, MEDIUM_NUMBER, MEDIUM_BROKEN);
	}
}

static void on_looked_up(void *userdata, enum handler_outcome outcome,
			 const struct proto_message *message, int mount_fd, const char *why)
{
	struct medium *medium = userdata;

	medium->lookup = NULL;
	closep(&mount_fd);
	medium_explain(medium, outcome, message, why);
	if (outcome == HANDLER_UNSUPPORTED) {
		medium->rule->catalogue.lookup_unsupported = true;
		medium_report(medium, MEDIUM_NUMBER, MEDIUM_WAITS);
	} else if (outcome == HANDLER_OK) {
		rule_take_kind(medium->rule, message, false);
		medium_take_facts(medium, message);
		assign(medium);
	} else {
		medium_report(medium, MEDIUM_NUMBER, medium_event_of(outcome));
	}
}

void lookup_begin(struct medium *medium)
{
	static const struct handler_events events = { .done = on_looked_up };
	struct proto_writer writer = { 0 };
	int r;

	if (medium->listed.is_listed || numbers_get(media_of(medium)->numbers, medium->path)) {
		assign(medium);
		return;
	}
	if (medium->rule->catalogue.lookup_unsupported) {
		medium_report(medium, MEDIUM_NUMBER, MEDIUM_WAITS);
		return;
	}
	medium_begin_request(&writer, "lookup", medium);
	r = medium_ask(medium, &writer, &events, &medium->lookup);
	if (r < 0) {
		medium_say_errno(medium, "its handler cannot be asked", r);
		medium_report(medium, MEDIUM_NUMBER, MEDIUM_DELAYED);
	}
}

void lookup_in_list(struct medium *medium)
{
	enum handler_outcome outcome = medium->rule->catalogue.outcome;

	/* A handler that can neither look up nor list says by mount alone what there is. */
	if (medium->listed.is_listed || outcome == HANDLER_UNSUPPORTED) {
		assign(medium);
		return;
	}
	medium_explain(medium, outcome == HANDLER_OK ? HANDLER_NOENT : outcome, NULL,
		       "its handler's list cannot be had");
	medium_report(medium, MEDIUM_NUMBER,
		      outcome == HANDLER_OK	? MEDIUM_ABSENT
		      : outcome == HANDLER_LOST ? MEDIUM_LOST
						: MEDIUM_DELAYED);
}

void lookup_stop(struct medium *medium)
{
	pending_cancel(&medium->lookup);
}
