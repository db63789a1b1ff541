/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * register.c - what is found and held: the rules with their handlers, and the media known.
 *
 * What follows from anything that happens to a medium is not known here.
 */

#include <errno.h>

#include "exportsd/media/private.h"

uint64_t media_now(const struct media *media)
{
	uint64_t usec = 0;

	(void)sd_event_now(media->event, CLOCK_MONOTONIC, &usec);
	return usec;
}

void media_call_at(struct media *media, struct later *later, uint64_t usec, later_fn call,
		   void *userdata)
{
	int r = later_call_at(later, media->event, usec, call, userdata);

	if (r < 0)
		log_error(NULL,
			  "Cannot set a timer, what waited for it waits for the next request: %s",
			  strerror(-r));
}

void media_set_string(char **string, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return; /* the old one is better than none */
	free(*string);
	*string = copy;
}

/* ---- media ---- */

struct medium *media_find(struct media *media, const char *path)
{
	struct medium *medium;

	HASH_FIND_STR(media->by_path, path, medium);
	return medium;
}

void medium_set_rule(struct medium *medium, struct rule *rule, const char *key)
{
	if (medium->rule)
		DL_DELETE(medium->rule->media_list, medium);
	medium->rule = rule;
	medium->key = key;
	if (rule)
		DL_APPEND(rule->media_list, medium);
}

static const char *key_of(const struct rule *rule, const char *path)
{
	size_t length = strlen(rule->facts.directory);

	return path + (length == 1 ? 1 : length + 1);
}

static int medium_new(struct media *media, const char *path, struct medium **ret_medium)
{
	struct medium *medium;

	if (HASH_COUNT(media->by_path) >= MEDIA_MAX)
		return -EAGAIN;
	medium = calloc(1, sizeof(*medium));
	if (!medium)
		return -ENOMEM;
	medium->load.placeholder_fd = medium->load.mount_fd = -1;
	medium->settled.fd = medium->settled.unmount_watch = -1;
	medium->path = strdup(path);
	if (medium->path)
		HASH_ADD_KEYPTR(hh, media->by_path, medium->path, strlen(medium->path), medium);
	media->is_sorted = false;
	if (!medium->hh.tbl) {
		free(medium->path);
		free(medium);
		return -ENOMEM;
	}
	*ret_medium = medium;
	return 0;
}

int medium_get(struct rule *rule, const char *path, struct medium **ret_medium)
{
	struct medium *medium = media_find(rule->media, path);
	int r = medium ? 0 : medium_new(rule->media, path, &medium);

	if (r < 0)
		return r;
	if (!medium->rule || medium->rule->is_gone)
		medium_set_rule(medium, rule, key_of(rule, medium->path));
	*ret_medium = medium;
	return 0;
}

void medium_free(struct medium *medium)
{
	HASH_DEL(media_of(medium)->by_path, medium);
	medium_set_rule(medium, NULL, NULL);
	free(medium->path);
	free(medium);
}

/* ---- rules ---- */

struct rule *media_rule_of(struct media *media, const char *path, const char **ret_key)
{
	const struct snapshot_rule *facts;
	struct rule *rule = NULL;
	size_t length;

	if (!media->snapshot)
		return NULL;
	facts = snapshot_rule_for_path(media->snapshot, path, &length);
	if (!facts || path[length] != '\0')
		return NULL;
	HASH_FIND_PTR(media->by_facts, &facts, rule);
	if (rule)
		*ret_key = key_of(rule, path);
	return rule;
}

static struct handler_use *use_free(struct media *media, struct handler_use *use)
{
	if (use && --use->n_rules == 0) {
		HASH_DEL(media->handlers, use);
		handler_free(use->handler);
		free(use->socket);
		free(use);
	}
	return NULL;
}

static struct handler_use *use_new(struct media *media, const char *socket)
{
	struct handler_use *use = calloc(1, sizeof(*use));
	int r;

	if (!use)
		return NULL;
	use->socket = strdup(socket);
	if (use->socket)
		HASH_ADD_KEYPTR(hh, media->handlers, use->socket, strlen(use->socket), use);
	if (!use->hh.tbl) {
		free(use->socket);
		free(use);
		return NULL;
	}
	r = handler_new(&use->handler, media->event, socket, media->handler_uid);
	if (r < 0)
		log_error(ABOUT(.handler = socket), "Handler '%s' cannot be used: %s", socket,
			  r == -ENAMETOOLONG ? "the name is too long for a socket (107 bytes)"
					     : strerror(-r));
	return use;
}

/* A socket whose name cannot be used costs its rules only. */
static int use_get(struct media *media, const char *socket, struct handler_use **ret_use)
{
	struct handler_use *use;

	HASH_FIND_STR(media->handlers, socket, use);
	if (!use)
		use = use_new(media, socket);
	if (!use)
		return -ENOMEM;
	use->n_rules++;
	*ret_use = use;
	return 0;
}

struct rule *rule_free(struct rule *rule)
{
	if (!rule)
		return NULL;
	use_free(rule->media, rule->use);
	free((char *)rule->facts.pattern);
	free((char *)rule->facts.text);
	free((char *)rule->facts.directory);
	free((char *)rule->facts.handler);
	free((char *)rule->facts.file);
	free(rule);
	return NULL;
}

static char *copy(const char *string)
{
	return strdup(string ? string : "");
}

static void configure(struct rule *rule)
{
	const struct media *media = rule->media;
	struct config_rule settings = config_rule(media->config, rule->facts.text);

	rule->limits = (struct medium_limits){
		.deadline_usec = settings.deadline_seconds * second_usec,
		.longest_pause_usec = settings.retry_seconds * second_usec,
		.never_fails = settings.after_deadline == CONFIG_DELAY,
	};
	rule->idle_usec = settings.idle_seconds * second_usec;
	rule->min_hold_usec = settings.min_hold_seconds * second_usec;
	rule->identity = settings.identity;
}

int rule_new(struct media *media, const struct snapshot_rule *facts, struct rule **ret_rule)
{
	struct rule *rule = calloc(1, sizeof(*rule));
	int r = -ENOMEM;

	if (!rule)
		return r;
	rule->media = media;
	rule->facts = *facts;
	rule->facts.pattern = copy(facts->pattern);
	rule->facts.text = copy(facts->text);
	rule->facts.directory = copy(facts->directory);
	rule->facts.handler = copy(facts->handler);
	rule->facts.file = copy(facts->file);
	configure(rule);
	if (rule->facts.pattern && rule->facts.text && rule->facts.directory &&
	    rule->facts.handler && rule->facts.file)
		r = use_get(media, facts->handler, &rule->use);
	if (r < 0) {
		rule_free(rule);
		return r;
	}
	*ret_rule = rule;
	return 0;
}
