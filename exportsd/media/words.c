/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * words.c - what is said to handlers and by them: requests put together, answers put into words
 * and events.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/media/private.h"

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

void rule_take_kind(struct rule *rule, const struct proto_message *message, bool is_last_word)
{
	const char *removable = proto_get(message, "removable");

	if (removable)
		rule->removable = str_equal(removable, "1") ? REMOVABLE_YES : REMOVABLE_NO;
	else if (is_last_word && rule->removable == REMOVABLE_UNKNOWN)
		rule->removable = REMOVABLE_NO;
}

void medium_take_facts(struct medium *medium, const struct proto_message *message)
{
	const char *identity = proto_get(message, "identity"), *label = proto_get(message, "label");
	const char *source = proto_get(message, "source");
	uint64_t size;

	if (identity)
		media_set_string(&medium->said.identity, identity);
	if (label)
		media_set_string(&medium->said.label, label);
	if (source)
		media_set_string(&medium->said.source, source);
	if (proto_get_u64(message, "size-bytes", UINT64_MAX, &size) == 0)
		medium->said.size_bytes = size;
}

void medium_say(struct medium *medium, const char *message)
{
	media_set_string(&medium->said.message, message);
}

void medium_unsay(struct medium *medium)
{
	free(medium->said.identity);
	free(medium->said.label);
	free(medium->said.source);
	free(medium->said.message);
}

void medium_say_errno(struct medium *medium, const char *what, int error)
{
	CLEANUP(freep) char *text = NULL;

	if (asprintf(&text, "%s: %s", what, strerror(-error)) < 0)
		text = NULL;
	media_set_string(&medium->said.message, text);
}

enum medium_event medium_event_of(enum handler_outcome outcome)
{
	switch (outcome) {
	case HANDLER_OK: return MEDIUM_FOUND;
	case HANDLER_NOENT: return MEDIUM_ABSENT;
	case HANDLER_DENIED: return MEDIUM_REFUSED;
	case HANDLER_ERROR:
	case HANDLER_UNSUPPORTED: return MEDIUM_BROKEN;
	case HANDLER_LOST: return MEDIUM_LOST;
	case HANDLER_BUSY:
	case HANDLER_TIMED_OUT: return MEDIUM_DELAYED;
	}
	return MEDIUM_BROKEN;
}

void medium_explain(struct medium *medium, enum handler_outcome outcome,
		    const struct proto_message *message, const char *why)
{
	const char *text = message ? proto_get(message, "message") : NULL;

	switch (outcome) {
	case HANDLER_OK: medium_say(medium, NULL); return;
	case HANDLER_NOENT: medium_say(medium, text ? text : "no such medium"); return;
	case HANDLER_DENIED: medium_say(medium, text ? text : "denied"); return;
	case HANDLER_BUSY: medium_say(medium, text ? text : "busy"); return;
	case HANDLER_UNSUPPORTED: medium_say(medium, "its handler cannot do this"); return;
	case HANDLER_ERROR:
	case HANDLER_LOST:
	case HANDLER_TIMED_OUT: medium_say(medium, why); return;
	}
}

enum media_outcome medium_outcome_of(const struct medium_course *course)
{
	if (course->stage == MEDIUM_DONE)
		return MEDIA_OK;
	return course->reason == MEDIUM_ABSENT	  ? MEDIA_NOENT
	       : course->reason == MEDIUM_REFUSED ? MEDIA_DENIED
						  : MEDIA_ERROR;
}

/* Once when trouble begins, once if it was final. */
void medium_log_trouble(const struct medium *medium, const struct medium_course *course,
			bool is_first, const char *what)
{
	const char *why = medium->said.message ? medium->said.message : "out of memory";

	if (course->stage == MEDIUM_FAILED && course->reason == MEDIUM_BROKEN)
		log_error(ABOUT_MEDIUM(medium), "Cannot %s '%s', giving up for now: %s", what,
			  medium->path, why);
	else if (course->stage == MEDIUM_FAILED)
		log_info(ABOUT_MEDIUM(medium), "Cannot %s '%s': %s", what, medium->path, why);
	else
		log_message(is_first ? LOG_WARNING : LOG_DEBUG, ABOUT_MEDIUM(medium),
			    "Cannot %s '%s' yet, handler '%s' is asked again: %s", what,
			    medium->path, medium->rule->facts.handler, why);
}
