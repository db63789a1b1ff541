/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lookup.c - is there such a medium, and what is its number?
 *
 * A handler that cannot look up is asked for its list instead; one that can do neither says by
 * mount alone what there is. The answer counts when the number is recorded.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/base/log.h"
#include "exportsd/media/private.h"

static struct media *media_of(const struct medium *medium)
{
	return medium->rule->media;
}

static void lookup_event(struct medium *medium, enum medium_event event);

static int on_lookup_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	lookup_event(userdata, MEDIUM_TIMER);
	return 0;
}

static void on_assigned(void *userdata, int error)
{
	struct medium *medium = userdata;

	medium->lookup_question = NULL;
	if (error < 0)
		medium_message_errno(medium, "its number cannot be recorded", error);
	lookup_event(medium, error < 0 ? MEDIUM_BROKEN : MEDIUM_FOUND);
}

static void assign(struct medium *medium)
{
	struct media *media = media_of(medium);
	const char *paths[] = { medium->path };
	int r;

	if (numbers_get(media->numbers, medium->path)) {
		lookup_event(medium, MEDIUM_FOUND);
		return;
	}
	r = numbers_assign(media->numbers, paths, 1, on_assigned, medium, &medium->lookup_question);
	if (r < 0) {
		medium_message_errno(medium, "its number cannot be recorded", r);
		lookup_event(medium, MEDIUM_BROKEN);
	}
}

static void look_in_list(struct medium *medium)
{
	medium->lookup_waits_for_list = true;
	catalogue_refresh(medium->rule);
}

void medium_list_ended(struct medium *medium, enum handler_outcome outcome)
{
	if (!medium->lookup_waits_for_list)
		return;
	medium->lookup_waits_for_list = false;
	/* A handler that can neither look up nor list says by mount alone what there is. */
	if (medium->is_listed || outcome == HANDLER_UNSUPPORTED) {
		assign(medium);
		return;
	}
	medium_explain(medium, outcome == HANDLER_OK ? HANDLER_NOENT : outcome, NULL,
		       "its handler's list cannot be had");
	lookup_event(medium, outcome == HANDLER_OK ? MEDIUM_ABSENT : MEDIUM_DELAYED);
}

static void on_looked_up(void *userdata, enum handler_outcome outcome,
			 const struct proto_message *message, int mount_fd, const char *why)
{
	struct medium *medium = userdata;

	medium->lookup_request = NULL;
	closep(&mount_fd);
	medium_explain(medium, outcome, message, why);
	if (outcome == HANDLER_UNSUPPORTED) {
		medium->rule->catalogue.lookup_unsupported = true;
		look_in_list(medium);
	} else if (outcome == HANDLER_OK) {
		rule_take_kind(medium->rule, message, false);
		medium_take_facts(medium, message);
		assign(medium);
	} else {
		lookup_event(medium, medium_event_of(outcome));
	}
}

static void lookup_on(struct medium *medium)
{
	static const struct handler_events events = { .done = on_looked_up };
	struct proto_writer writer = { 0 };
	int r;

	if (medium->is_listed || numbers_get(media_of(medium)->numbers, medium->path)) {
		assign(medium);
		return;
	}
	if (medium->rule->catalogue.lookup_unsupported) {
		look_in_list(medium);
		return;
	}
	medium_begin_request(&writer, "lookup", medium);
	r = medium_ask(medium, &writer, &events, &medium->lookup_request);
	if (r < 0) {
		medium_message_errno(medium, "its handler cannot be asked", r);
		lookup_event(medium, MEDIUM_DELAYED);
	}
}

static void lookup_event(struct medium *medium, enum medium_event event)
{
	struct media *media = media_of(medium);
	bool is_first = medium->lookup.pause_usec == 0, was_wanted = event == MEDIUM_WANTED;
	enum medium_action action =
		medium_step(&medium->lookup, event, medium_is_awaited(medium, false),
			    &medium->rule->limits, media_now(media));

	switch (action) {
	case MEDIUM_STAY: break;
	case MEDIUM_ASK: lookup_on(medium); break;
	case MEDIUM_SLEEP:
		medium_log_trouble(medium, &medium->lookup, is_first, "look up");
		medium_changed(medium);
		media_arm(media, &medium->lookup_timer, medium->lookup.wake_usec, on_lookup_timer,
			  medium);
		break;
	case MEDIUM_TELL:
		if (medium->lookup.stage == MEDIUM_FAILED && !was_wanted) {
			medium_log_trouble(medium, &medium->lookup, is_first, "look up");
			media_arm(media, &medium->lookup_timer, medium->lookup.wake_usec,
				  on_lookup_timer, medium);
		}
		medium_decide(medium, false, medium_outcome_of(&medium->lookup), false);
		medium_number_decided(medium);
		break;
	case MEDIUM_FORGET: medium_release(medium); break;
	}
}

void medium_want_number(struct medium *medium)
{
	lookup_event(medium, MEDIUM_WANTED);
}

void medium_look_up_now(struct medium *medium)
{
	struct media *media = media_of(medium);

	media_arm(media, &medium->lookup_timer, media_now(media), on_lookup_timer, medium);
}
