/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lookup.c - is there such a medium, and what is its number? And what handlers say of media,
 * put into words and events for both this question and the mount.
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

/* ---- what handlers say ---- */

void medium_take_facts(struct medium *medium, const struct proto_message *message)
{
	const char *identity = proto_get(message, "identity"), *label = proto_get(message, "label");
	const char *source = proto_get(message, "source");
	uint64_t size;

	if (identity)
		set_string(&medium->identity, identity);
	if (label)
		set_string(&medium->label, label);
	if (source)
		set_string(&medium->source, source);
	if (proto_get_u64(message, "size-bytes", UINT64_MAX, &size) == 0)
		medium->size_bytes = size;
}

enum medium_event medium_event_of(enum handler_outcome outcome)
{
	switch (outcome) {
	case HANDLER_OK: return MEDIUM_FOUND;
	case HANDLER_NOENT: return MEDIUM_ABSENT;
	case HANDLER_DENIED: return MEDIUM_REFUSED;
	case HANDLER_ERROR:
	case HANDLER_UNSUPPORTED: return MEDIUM_BROKEN;
	case HANDLER_BUSY:
	case HANDLER_LOST:
	case HANDLER_TIMED_OUT: return MEDIUM_DELAYED;
	}
	return MEDIUM_BROKEN;
}

void medium_explain(struct medium *medium, enum handler_outcome outcome,
		    const struct proto_message *message, const char *why)
{
	const char *text = message ? proto_get(message, "message") : NULL;

	medium->is_handler_lost = outcome == HANDLER_LOST;
	switch (outcome) {
	case HANDLER_OK: set_string(&medium->message, NULL); return;
	case HANDLER_NOENT: set_string(&medium->message, text ? text : "no such medium"); return;
	case HANDLER_DENIED: set_string(&medium->message, text ? text : "denied"); return;
	case HANDLER_BUSY: set_string(&medium->message, text ? text : "busy"); return;
	case HANDLER_UNSUPPORTED:
		set_string(&medium->message, "its handler cannot do this");
		return;
	case HANDLER_ERROR:
	case HANDLER_LOST:
	case HANDLER_TIMED_OUT: set_string(&medium->message, why); return;
	}
}

enum media_outcome medium_outcome_of(const struct medium_machine *machine)
{
	if (machine->stage == MEDIUM_DONE)
		return MEDIA_OK;
	return machine->reason == MEDIUM_ABSENT	   ? MEDIA_NOENT
	       : machine->reason == MEDIUM_REFUSED ? MEDIA_DENIED
						   : MEDIA_ERROR;
}

/* Once when trouble begins, once if it was final. */
void medium_log_trouble(const struct medium *medium, const struct medium_machine *machine,
			bool is_first, const char *what)
{
	const char *why = medium->message ? medium->message : "out of memory";

	if (machine->stage == MEDIUM_FAILED && machine->reason == MEDIUM_BROKEN)
		log_error(ABOUT_MEDIUM(medium), "Cannot %s '%s', giving up for now: %s", what,
			  medium->path, why);
	else if (machine->stage == MEDIUM_FAILED)
		log_info(ABOUT_MEDIUM(medium), "Cannot %s '%s': %s", what, medium->path, why);
	else
		log_message(is_first ? LOG_WARNING : LOG_DEBUG, ABOUT_MEDIUM(medium),
			    "Cannot %s '%s' yet, handler '%s' is asked again: %s", what,
			    medium->path, medium->rule->facts.handler, why);
}

/* A request is one line; the options are those of the rule. */
void medium_begin_request(struct proto_writer *writer, const char *verb,
			  const struct medium *medium)
{
	proto_begin(writer, verb);
	proto_put(writer, "path", medium->path);
	proto_put(writer, "key", medium->key);
	proto_put(writer, "rule", medium->rule->facts.text);
}

/*
 * A handler whose socket has no usable name, or that has too many requests, is like one that is not
 * there. Returns 0; -errno.
 */
int medium_ask(struct medium *medium, struct proto_writer *writer,
	       const struct handler_events *events, struct pending **ret_request)
{
	struct handler *handler = medium->rule->use->handler;

	if (!handler) {
		proto_writer_done(writer);
		return -ENOTCONN;
	}
	return handler_ask(handler, writer, medium->rule->limits.deadline_usec, false, events,
			   medium, ret_request);
}

void medium_message_errno(struct medium *medium, const char *what, int error)
{
	CLEANUP(freep) char *text = NULL;

	if (asprintf(&text, "%s: %s", what, strerror(-error)) < 0)
		text = NULL;
	set_string(&medium->message, text);
}

/* ---- is there such a medium, and what is its number? ---- */

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
