/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * catalogue.c - which media a rule's handler has.
 *
 * The handler is asked to tell of changes (watch) and, once it says that it does, for its list on
 * another connection: so nothing is missed between the two. A handler without watch is asked for
 * its list again and again. One that is not there is asked with a growing pause, and at once when
 * somebody asks for one of its media; when it is back, both are begun anew.
 *
 * A medium is listed from the moment its entry comes; it is no longer listed when a whole list came
 * without it. What a broken-off list did not say, nobody knows.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/media/private.h"

static const uint64_t poll_usec = 60 * 1000000ull;
static const uint64_t prod_usec = 1000000;
/* To see whether a handler is back costs a connect(2). */
static const uint64_t longest_pause_usec = 5 * 1000000ull;
/* A watch that has not said by then that it is on is not waited for. */
static const uint64_t watch_begins_usec = 1000000;
/* A watch that lasted so long was a good one: the next pause is short again. */
static const uint64_t good_watch_usec = 10 * 1000000ull;

#define ABOUT_RULE(rule) ABOUT(.path = (rule)->facts.text, .handler = (rule)->facts.handler)

static void schedule(struct rule *rule, uint64_t usec);

/* The next pause after a failure: each is twice the last. */
static void retry(struct rule *rule)
{
	struct catalogue *catalogue = &rule->catalogue;
	uint64_t longest = rule->limits.longest_pause_usec;
	uint64_t usec = catalogue->pause_usec ? 2 * catalogue->pause_usec : MEDIUM_FIRST_PAUSE_USEC;

	if (longest > longest_pause_usec)
		longest = longest_pause_usec;
	if (longest < MEDIUM_LEAST_PAUSE_USEC)
		longest = MEDIUM_LEAST_PAUSE_USEC;
	if (usec > longest)
		usec = longest;
	catalogue->pause_usec = usec;
	schedule(rule, usec);
}

/* The handler answers. It may serve several rules. */
static void is_back(const struct rule *of)
{
	struct rule *rule;
	struct medium *medium;

	DL_FOREACH (of->media->rules, rule) {
		if (rule->use != of->use)
			continue;
		DL_FOREACH (rule->media_list, medium)
			medium_report(medium, MEDIUM_ALL, MEDIUM_RETURNED);
	}
}

static void complain(struct rule *rule, const char *what, const char *why)
{
	log_message(rule->catalogue.has_complained ? LOG_DEBUG : LOG_WARNING, ABOUT_RULE(rule),
		    "Handler '%s' of rule '%s' %s, it is asked again: %s", rule->facts.handler,
		    rule->facts.text, what, why ? why : "it did not say why");
	rule->catalogue.has_complained = true;
}

/* ---- entries ---- */

static void count_bad(struct catalogue *catalogue, const char *key)
{
	if (catalogue->n_bad_keys++ == 0)
		media_set_string(&catalogue->bad_key, key);
}

/* The path of a key that is the rule's; NULL: it is not. */
static char *path_of(const struct rule *rule, const char *key)
{
	const char *directory = rule->facts.directory, *claimed;
	char *path;

	if (strlen(key) > MEDIA_KEY_MAX || !rule_matches_key(&rule->facts, key))
		return NULL;
	if (asprintf(&path, "%s/%s", str_equal(directory, "/") ? "" : directory, key) < 0)
		return NULL;
	if (media_rule_of(rule->media, path, &claimed) != rule) {
		free(path);
		return NULL;
	}
	return path;
}

static void add_key(struct rule *rule, const char *key, const struct proto_message *message)
{
	struct catalogue *catalogue = &rule->catalogue;
	CLEANUP(freep) char *path = path_of(rule, key);
	struct medium *medium;

	if (!path) {
		count_bad(catalogue, key);
		return;
	}
	medium = media_find(rule->media, path);
	if (!medium || !medium->listed.is_listed ||
	    medium->listed.generation != catalogue->generation) {
		if (catalogue->n_keys >= MEDIA_LISTED_MAX || medium_get(rule, path, &medium) < 0) {
			catalogue->n_beyond++;
			return;
		}
		catalogue->n_keys++;
	}
	if (!medium->listed.is_listed)
		medium_report(medium, MEDIUM_ALL, MEDIUM_APPEARED);
	medium->listed.is_listed = true;
	medium->listed.generation = catalogue->generation;
	medium_take_facts(medium, message);
	media_set_string(&medium->listed.identity, proto_get(message, "identity"));
	medium_report(medium, MEDIUM_ALL, MEDIUM_LISTED);
}

static void vanish(struct medium *medium)
{
	struct rule *rule = medium->rule;

	if (!medium->listed.is_listed)
		return;
	medium->listed.is_listed = false;
	if (rule->catalogue.n_keys > 0)
		rule->catalogue.n_keys--;
	medium_report(medium, MEDIUM_ALL, MEDIUM_VANISHED);
}

/* ---- list ---- */

static void log_list(struct rule *rule)
{
	struct catalogue *catalogue = &rule->catalogue;

	if (catalogue->n_bad_keys > 0)
		log_warning(
			ABOUT_RULE(rule),
			"Handler '%s' lists %zu media that rule '%s' does not claim, ignoring: '%s'%s",
			rule->facts.handler, catalogue->n_bad_keys, rule->facts.text,
			catalogue->bad_key, catalogue->n_bad_keys > 1 ? ", ..." : "");
	if (catalogue->n_beyond > 0)
		log_warning(
			ABOUT_RULE(rule),
			"Handler '%s' lists more than %d media for rule '%s', ignoring the other %zu",
			rule->facts.handler, MEDIA_LISTED_MAX, rule->facts.text,
			catalogue->n_beyond);
	if (!catalogue->was_listed || catalogue->has_complained)
		log_info(ABOUT_RULE(rule), "Handler '%s' lists %zu media for rule '%s'",
			 rule->facts.handler, catalogue->n_keys, rule->facts.text);
}

/* Directories made for media that were gone before this run began. */
static void remove_leftovers(struct rule *rule)
{
	struct media *media = rule->media;
	const char *path, *key;

	for (uint32_t number = numbers_next(media->numbers, 0); number;
	     number = numbers_next(media->numbers, number)) {
		const struct medium *medium;

		path = numbers_path(media->numbers, number);
		if (!path || !numbers_made_directory(media->numbers, path) ||
		    media_rule_of(media, path, &key) != rule)
			continue;
		medium = media_find(media, path);
		if (!medium || !medium->listed.is_listed)
			places_remove(media, rule->facts.directory, path);
	}
}

static void finish_list(struct rule *rule)
{
	struct catalogue *catalogue = &rule->catalogue;
	struct medium *medium, *next;

	log_list(rule);
	DL_FOREACH_SAFE (rule->media_list, medium, next) {
		if (!medium->listed.is_listed)
			continue;
		if (medium->listed.generation != catalogue->generation)
			vanish(medium);
		else
			places_add(medium);
	}
	if (!catalogue->was_listed)
		remove_leftovers(rule);
	catalogue->was_listed = true;
	if (catalogue->watch || catalogue->watch_unsupported)
		catalogue->has_complained = false;
}

static void tell_lookups(struct rule *rule, enum handler_outcome outcome)
{
	struct medium *medium, *next;

	rule->catalogue.outcome = outcome;
	DL_FOREACH_SAFE (rule->media_list, medium, next)
		medium_report(medium, MEDIUM_NUMBER, MEDIUM_SERVED);
}

static void on_entry(void *userdata, const struct proto_message *message)
{
	struct rule *rule = userdata;
	const char *key = proto_get(message, "key");

	if (str_equal(message->word, "medium") && key)
		add_key(rule, key, message);
}

static void list(struct rule *rule);

static void on_listed(void *userdata, enum handler_outcome outcome,
		      const struct proto_message *message, int mount_fd, const char *why)
{
	struct rule *rule = userdata;
	struct catalogue *catalogue = &rule->catalogue;

	catalogue->list = NULL;
	closep(&mount_fd);
	if (outcome == HANDLER_OK) {
		rule_take_kind(rule, message, false);
		is_back(rule);
		finish_list(rule);
		if (catalogue->watch_unsupported) {
			catalogue->pause_usec = 0;
			schedule(rule, poll_usec);
		} else if (!catalogue->watch) {
			retry(rule);
		}
	} else if (outcome == HANDLER_UNSUPPORTED) {
		log_info(ABOUT_RULE(rule), "Handler '%s' of rule '%s' does not list its media",
			 rule->facts.handler, rule->facts.text);
		schedule(rule, poll_usec);
	} else {
		complain(rule, "does not list its media",
			 why	   ? why
			 : message ? proto_get(message, "message")
				   : NULL);
		retry(rule);
	}
	tell_lookups(rule, outcome);
	if (!catalogue->list_again)
		return;
	catalogue->list_again = false;
	list(rule);
}

/* Returns 0; -errno: it cannot even be asked. */
static int ask(struct rule *rule, const char *verb, uint64_t timeout_usec,
	       const struct handler_events *events, struct pending **ret_request)
{
	struct proto_writer writer = { 0 };
	struct handler *handler = rule->use->handler;

	if (!handler)
		return -ENOTCONN;
	proto_begin(&writer, verb);
	proto_put(&writer, "rule", rule->facts.text);
	return handler_ask(handler, &writer, timeout_usec, true, events, rule, ret_request);
}

static void list(struct rule *rule)
{
	static const struct handler_events events = { .message = on_entry, .done = on_listed };
	struct catalogue *catalogue = &rule->catalogue;
	int r;

	if (catalogue->list) {
		catalogue->list_again = true;
		return;
	}
	later_cancel(&catalogue->timer);
	catalogue->generation++;
	catalogue->n_keys = catalogue->n_bad_keys = catalogue->n_beyond = 0;
	catalogue->asked_usec = media_now(rule->media);
	r = ask(rule, "list", rule->limits.deadline_usec, &events, &catalogue->list);
	if (r < 0) {
		complain(rule, "cannot be asked", strerror(-r));
		retry(rule);
	}
}

/* ---- watch ---- */

static void on_change(void *userdata, const struct proto_message *message)
{
	struct rule *rule = userdata;
	const char *key = proto_get(message, "key");
	CLEANUP(freep) char *path = key ? path_of(rule, key) : NULL;
	struct medium *medium;

	rule->catalogue.has_complained = false;
	if (!rule->catalogue.is_watching) {
		rule->catalogue.is_watching = true;
		is_back(rule);
		list(rule);
	}
	if (!path)
		return;
	if (str_equal(message->word, "vanished")) {
		medium = media_find(rule->media, path);
		if (medium)
			vanish(medium);
	} else if (str_equal(message->word, "appeared") || str_equal(message->word, "changed")) {
		add_key(rule, key, message);
		medium = media_find(rule->media, path);
		if (medium && medium->listed.is_listed)
			places_add(medium);
	}
}

static void on_watch_ended(void *userdata, enum handler_outcome outcome,
			   const struct proto_message *message, int mount_fd, const char *why)
{
	struct rule *rule = userdata;
	struct catalogue *catalogue = &rule->catalogue;

	catalogue->watch = NULL;
	closep(&mount_fd);
	if (outcome == HANDLER_UNSUPPORTED) {
		catalogue->watch_unsupported = true;
		list(rule);
		return;
	}
	if (media_now(rule->media) - catalogue->watched_usec >= good_watch_usec)
		catalogue->pause_usec = 0;
	complain(rule, "cannot be watched for changes",
		 why	   ? why
		 : message ? proto_get(message, "message")
			   : NULL);
	/* One that cannot watch now may be able to list; when it has, both are tried again. */
	if (!catalogue->is_watching)
		list(rule);
	else if (!catalogue->list)
		retry(rule);
}

/* Returns whether it was asked for just now. */
static bool watch(struct rule *rule)
{
	static const struct handler_events events = { .message = on_change,
						      .done = on_watch_ended };
	struct catalogue *catalogue = &rule->catalogue;

	if (catalogue->watch || catalogue->watch_unsupported)
		return false;
	catalogue->watched_usec = catalogue->asked_usec = media_now(rule->media);
	catalogue->is_watching = false;
	return ask(rule, "watch", 0, &events, &catalogue->watch) == 0;
}

/* ---- when ---- */

static void on_time(void *userdata)
{
	catalogue_start(userdata);
}

static void schedule(struct rule *rule, uint64_t usec)
{
	media_call_at(rule->media, &rule->catalogue.timer, media_now(rule->media) + usec, on_time,
		      rule);
}

void catalogue_start(struct rule *rule)
{
	rule->catalogue.was_started = true;
	if (watch(rule))
		schedule(rule, watch_begins_usec);
	else
		list(rule);
}

void catalogue_refresh(struct rule *rule)
{
	list(rule);
}

void catalogue_prod(struct rule *rule)
{
	struct catalogue *catalogue = &rule->catalogue;

	if (catalogue->pause_usec && !catalogue->list && !catalogue->watch &&
	    media_now(rule->media) - catalogue->asked_usec >= prod_usec)
		schedule(rule, 0);
}

void catalogue_stop(struct rule *rule)
{
	struct catalogue *catalogue = &rule->catalogue;

	pending_cancel(&catalogue->list);
	pending_cancel(&catalogue->watch);
	later_cancel(&catalogue->timer);
	free(TAKE_PTR(catalogue->bad_key));
}

void catalogue_forget(struct medium *medium)
{
	medium->listed.is_listed = false;
	free(TAKE_PTR(medium->listed.identity));
}
