/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * media.c - rules with their handlers, the media known, and what a change of the exports does to
 * them.
 *
 * Looking at a path, making and removing placeholders happens here in the loop: all of that is on
 * the server's own disk, on descriptors that open nothing (fs/mounts.h), and a bounded number at a
 * time. What is mounted is never asked anything but what it is.
 */

#include "exportsd/media/media.h"

#include <errno.h>
#include <pwd.h>

#include "exportsd/media/private.h"

/* ---- the snapshot in force ---- */

static void stop_rule(struct rule *rule)
{
	catalogue_stop(rule);
	places_stop(rule);
	rule_free(rule);
}

static bool is_rule(const struct rule *rule, const struct snapshot_rule *facts)
{
	return str_equal(rule->facts.pattern, facts->pattern) &&
	       str_equal(rule->facts.handler, facts->handler);
}

static struct rule *find_rule(struct rule *rules, const struct snapshot_rule *facts)
{
	struct rule *rule;

	DL_FOREACH (rules, rule)
		if (is_rule(rule, facts))
			return rule;
	return NULL;
}

/* New rules are made first, so that without memory nothing has changed. */
static int make_rules(struct media *media, const struct snapshot *snapshot, struct rule **ret_new)
{
	struct rule *made = NULL, *next = media->rules;

	for (size_t i = 0; snapshot && i < snapshot_n_rules(snapshot); i++) {
		const struct snapshot_rule *facts = snapshot_rule(snapshot, i);
		struct rule *rule;
		int r;

		/* Mostly the rules are the same, in the same order. */
		rule = next && is_rule(next, facts) ? next : find_rule(media->rules, facts);
		if (rule) {
			next = rule->next;
			continue;
		}
		r = rule_new(media, facts, &rule);
		if (r < 0) {
			while (made) {
				rule = made;
				DL_DELETE(made, rule);
				stop_rule(rule);
			}
			return r;
		}
		DL_APPEND(made, rule);
	}
	*ret_new = made;
	return 0;
}

static void change_parent(struct rule *rule, bool parent_exported)
{
	struct medium *medium;

	if (rule->facts.parent_exported == parent_exported)
		return;
	rule->facts.parent_exported = parent_exported;
	DL_FOREACH (rule->media_list, medium)
		if (medium->listed.is_listed)
			places_add(medium);
}

/* Put the rules of the snapshot in order; those that are gone stay in *old. */
static void take_rules(struct media *media, const struct snapshot *snapshot, struct rule **old,
		       struct rule **made)
{
	HASH_CLEAR(hh, media->by_facts);
	for (size_t i = 0; snapshot && i < snapshot_n_rules(snapshot); i++) {
		const struct snapshot_rule *facts = snapshot_rule(snapshot, i);
		struct rule *rule = find_rule(*old, facts);

		if (rule) {
			DL_DELETE(*old, rule);
		} else {
			rule = find_rule(*made, facts);
			if (!rule)
				continue; /* not distinct: the first stands for both */
			DL_DELETE(*made, rule);
		}
		rule->is_writable = facts->is_writable;
		DL_APPEND(media->rules, rule);
		rule->in_force = facts;
		HASH_ADD_PTR(media->by_facts, in_force, rule);
		change_parent(rule, facts->parent_exported);
	}
}

/* Its rule is gone. */
static void leave_rule(struct medium *medium)
{
	struct rule *old = medium->rule;
	struct media *media = old->media;
	const char *key;
	struct rule *rule = media_rule_of(media, medium->path, &key);
	bool was_mounted = medium_stage(medium, MEDIUM_MOUNT) == MEDIUM_DONE;

	medium_report(medium, MEDIUM_ALL, MEDIUM_STOPPED);
	places_forget(medium);
	catalogue_forget(medium);
	if (rule) {
		medium_set_rule(medium, rule, key);
		medium_report(medium, MEDIUM_ALL, MEDIUM_MOVED);
		return;
	}
	if (was_mounted)
		log_info(ABOUT(.path = medium->path, .handler = old->facts.handler),
			 "No rule claims '%s' any more; it stays mounted", medium->path);
	places_remove(media, old->facts.directory, medium->path);
	medium_forget_askers(medium);
	if (medium->observed.observers)
		medium_report(medium, MEDIUM_ALL, MEDIUM_LEFT);
	else
		life_free(medium);
}

/*
 * Media that are still observed outlive their rule, so that rule lives on as well, unused.
 */
static void drop_rules(struct media *media, struct rule *old)
{
	struct rule *rule, *next;
	struct medium *medium, *next_medium;

	DL_FOREACH_SAFE (media->gone_rules, rule, next) {
		if (rule->media_list)
			continue;
		DL_DELETE(media->gone_rules, rule);
		stop_rule(rule);
	}
	DL_FOREACH_SAFE (old, rule, next) {
		catalogue_stop(rule);
		rule->is_gone = true;
		DL_FOREACH_SAFE (rule->media_list, medium, next_medium)
			leave_rule(medium);
		DL_DELETE(old, rule);
		if (rule->media_list)
			DL_APPEND(media->gone_rules, rule);
		else
			stop_rule(rule);
	}
}

/* Directories that an earlier run made for rules that are gone by now. */
static void sweep(struct media *media)
{
	media->was_swept = true;
	for (uint32_t number = numbers_next(media->numbers, 0); number;
	     number = numbers_next(media->numbers, number)) {
		const char *path = numbers_path(media->numbers, number), *key;
		CLEANUP(freep) char *parent = NULL;

		if (!path || !numbers_made_directory(media->numbers, path) ||
		    media_rule_of(media, path, &key))
			continue;
		parent = strndup(path, (size_t)(strrchr(path, '/') - path));
		if (parent)
			places_remove(media, *parent ? parent : "/", path);
	}
}

/* A path has one owner, and that may be another rule now. */
static void change_owners(struct media *media)
{
	struct rule *rule;

	DL_FOREACH (media->rules, rule) {
		struct medium *medium, *next;

		DL_FOREACH_SAFE (rule->media_list, medium, next) {
			const char *key;

			if (media_rule_of(media, medium->path, &key) != rule)
				leave_rule(medium);
		}
	}
}

int media_set_snapshot(struct media *media, const struct snapshot *snapshot)
{
	struct rule *old, *made = NULL, *rule;
	int r = make_rules(media, snapshot, &made);

	if (r < 0)
		return r;
	media->snapshot = snapshot;
	old = media->rules;
	media->rules = NULL;
	take_rules(media, snapshot, &old, &made);
	while (made) {
		rule = made;
		DL_DELETE(made, rule);
		stop_rule(rule);
	}
	drop_rules(media, old);
	change_owners(media);
	DL_FOREACH (media->rules, rule)
		if (!rule->catalogue.was_started) {
			catalogue_start(rule);
			scan_start(media);
		}
	if (!media->was_swept)
		sweep(media);
	return 0;
}

/* ---- life ---- */

/* Asks the user database, as only the start of the daemon may. */
static uid_t find_uid(const char *name)
{
	const struct passwd *user = name ? getpwnam(name) : NULL;

	if (name && !user)
		log_error(NULL, "handler-user '%s' does not exist; only root's handlers may answer",
			  name);
	return user ? user->pw_uid : (uid_t)-1;
}

int media_new(struct media **ret_media, sd_event *event, const struct config *config,
	      struct numbers *numbers, struct mount_table *mounts)
{
	struct media *media = calloc(1, sizeof(*media));
	int r;

	if (!media)
		return -ENOMEM;
	media->event = sd_event_ref(event);
	media->config = config;
	media->numbers = numbers;
	media->mounts = mounts;
	media->life = life_happens;
	media->handler_uid = find_uid(config->handler_user);
	media->unmounts_fd = media->sysfs_fd = media->nodes_fd = -1;
	r = watches_start(media);
	if (r < 0) {
		media_free(media);
		return r;
	}
	*ret_media = media;
	return 0;
}

static void free_rules(struct rule **rules)
{
	struct rule *rule, *next;

	DL_FOREACH_SAFE (*rules, rule, next) {
		struct medium *medium, *next_medium;

		DL_FOREACH_SAFE (rule->media_list, medium, next_medium) {
			medium_drop_askers(medium);
			life_free(medium);
		}
		DL_DELETE(*rules, rule);
		stop_rule(rule);
	}
}

struct media *media_free(struct media *media)
{
	if (!media)
		return NULL;
	media_drop_decided(media);
	HASH_CLEAR(hh, media->by_facts);
	free_rules(&media->rules);
	free_rules(&media->gone_rules);
	places_end(media);
	scan_end(media);
	queue_done(media);
	watches_end(media);
	closep(&media->unmounts_fd);
	later_cancel(&media->tell);
	sd_event_unref(media->event);
	free(media);
	return NULL;
}
