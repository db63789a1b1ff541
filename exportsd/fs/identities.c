/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two ways from an id to places.
 *
 * An id with an inode number: the snapshot knows which exports had that inode when they were
 * loaded, and of each file system that they lie on the uuids are known. Nobody else's export is
 * touched for it.
 *
 * The rest is few, and looked at: pseudo-roots, what is mounted at or below exports, one export of
 * each file system (for its uuids), exports that could not be looked at when they were loaded,
 * those at or below a place where something was mounted or unmounted since, and those found to be
 * another directory since when the kernel asked about their path. They are a table, made in one
 * look round: a list of paths, of which a few at a time are asked about. The table before answers
 * until the new one is whole; what it does not know waits for its place to be looked at, or for the
 * end. So a dead file system, which delays the end by its time-out, holds up only what may be on
 * it, and what nobody knows.
 *
 * Media are not here: their handles hold numbers.
 */

#include "exportsd/fs/identities_private.h"

#include <errno.h>
#include <utlist.h>

#include "exportsd/fs/mount_changes.h"
#include "exportsd/fs/mount_table.h"
#include "exportsd/kernel/rootdir.h"

enum {
	LOOKS_AT_ONCE = 32,
	LEARNED_MAX = 4096, /* places that were told by the way, under one snapshot */
	SLOW_USEC = 200 * 1000, /* a look round that takes longer waits for a dead disk */
};

/* A path that is being asked about, on behalf of the look round. */
struct identities_look {
	struct identities *identities;
	struct identities_place *place;
	struct pending *question;
};

struct identities_question {
	struct pending pending;
	struct identities_question *prev, *next;
	struct identities *identities;
	struct identity_id id;
	identities_fn done;
	void *userdata;
	/* The hits, each looked at again. */
	const struct identities_place *places[IDENTITIES_PATHS_MAX];
	size_t n_places, next_place;
	struct identities_place *seen
		[IDENTITIES_PATHS_MAX]; /* those of them that are in no table; their paths are the snapshot's */
	size_t n_seen;
	const char *found[IDENTITIES_PATHS_MAX];
	size_t n_found;
	bool complete;
	bool looked_round; /* since it was asked: do not begin again */
	bool waits_for_look, is_due; /* its end; to be woken after it */
	struct pending *verifying;
	struct later start;
};

/* What is mounted at a place that may be asked about. */
struct identities_mount {
	const struct mount_table_entry *entry;
	UT_hash_handle hh; /* in the order of mounting */
};

struct identities {
	sd_event *event;
	struct paths *paths;
	const struct numbers *numbers;
	struct mount_table *table;
	const char *rootdir;
	const struct snapshot *snapshot; /* in force; NULL: none was yet */
	struct mount_table_subscriber subscriber;
	struct identities_mount *mounts; /* hash by entry */
	struct mount_changes changes;
	struct identities_table known;
	bool is_whole; /* it is a look round's */
	size_t n_learned;
	bool stale; /* mounts changed, some place did not answer, or nothing was looked at yet */
	/* When it was asked last whether mounts changed; and whether it was told of any since. */
	uint64_t n_changes;
	bool was_told;
	bool looking;
	struct pending *waiting; /* for mounts, before the look round */
	struct later slow; /* of the look round */
	bool is_slow; /* it takes longer than that */
	struct identities_table next; /* while looking */
	bool all_answered; /* as far as the last look round has come */
	struct identities_place *next_to_look;
	struct identities_look looks[LOOKS_AT_ONCE];
	size_t n_looking;
	struct identities_question *questions;
};

static void cancel_identities(struct pending *pending);

static void question_step(struct identities_question *question);

/* ---- the look round ---- */

static void stop_looking(struct identities *identities)
{
	for (size_t i = 0; i < LOOKS_AT_ONCE; i++) {
		pending_cancel(&identities->looks[i].question);
		identities->looks[i] = (struct identities_look){ 0 };
	}
	identities->n_looking = 0;
	identities->looking = false;
	pending_cancel(&identities->waiting);
	later_cancel(&identities->slow);
	identities->next_to_look = NULL;
	table_clear(&identities->next);
}

/* No memory: it is passed over, and the look round is not complete. */
static struct identities_place *add_place(struct identities *identities, const char *path,
					  size_t length)
{
	struct identities_place *place = table_have(&identities->next, path, length);

	identities->all_answered &= place != NULL;
	return place;
}

/* The directories above a medium are pseudo-roots. */
static void add_parents(struct identities *identities, const char *path)
{
	size_t length = strlen(path);
	bool is_new = true;

	while (is_new && length > 1) {
		struct identities_place *place;

		while (length > 1 && path[length - 1] != '/')
			length--;
		if (length > 1)
			length--;
		place = add_place(identities, path, length);
		is_new = place && !place->is_pseudo_root;
		if (place)
			place->is_pseudo_root = true;
	}
}

/* Some change that is no medium's: those come and go, and no export but their rules' is there. */
static bool has_changes(const struct identities *identities)
{
	const char *place = NULL;

	if (identities->changes.in_force.all)
		return true;
	while ((place = mount_changes_next(&identities->changes, place)))
		if (!snapshot_rule_for_path(identities->snapshot, place, NULL))
			return true;
	return false;
}

/* Exports that the snapshot says nothing of, or what is no longer true, and pseudo-roots. */
static void add_exports(struct identities *identities)
{
	const struct snapshot *snapshot = identities->snapshot;
	bool changed = has_changes(identities);
	dev_t last_device = 0;

	for (size_t i = 0; i < snapshot_n_places(snapshot); i++) {
		struct snapshot_place exported = snapshot_place(snapshot, i);
		bool is_needed =
			exported.is_pseudo_root ||
			(exported.is_exported &&
			 (!exported.seen.inode ||
			  (changed && mount_changes_at(&identities->changes, exported.path))));

		if (exported.seen.inode && (i == 0 || exported.seen.device != last_device)) {
			last_device = exported.seen.device;
			is_needed |= table_add_file_system(&identities->next, last_device);
		}
		if (is_needed && !table_have_exported(&identities->next, &exported))
			identities->all_answered = false;
	}
}

static void add_learned(struct identities *identities)
{
	for (const struct identities_place *place = identities->known.places; place;
	     place = place->hh.next) {
		struct identities_place *again =
			place->is_learned ? add_place(identities, place->path, strlen(place->path))
					  : NULL;

		if (!again)
			continue;
		again->is_learned = true;
		again->is_pseudo_root |= place->is_pseudo_root;
		again->has_uuid = place->has_uuid;
		memcpy(again->uuid, place->uuid, sizeof(again->uuid));
	}
}

/*
 * Directories between a rule's and its media are pseudo-roots, too. A client that has the handle of
 * one got it when it looked for a medium, which has a number since.
 */
static void add_parents_of_media(struct identities *identities)
{
	const struct snapshot *snapshot = identities->snapshot;
	bool is_needed = false;

	for (size_t i = 0; i < snapshot_n_rules(snapshot); i++)
		is_needed |= snapshot_rule(snapshot, i)->depth > 1;
	if (!is_needed || !identities->numbers)
		return;
	for (uint32_t number = 0; (number = numbers_next(identities->numbers, number));) {
		const char *path = numbers_path(identities->numbers, number);

		if (snapshot_rule_for_path(snapshot, path, NULL))
			add_parents(identities, path);
	}
}

/* ---- mounts ---- */

/*
 * What is mounted: at an export, which is a file system's root then, or a part of one; and below
 * crossmnt, unless it is a medium. A pseudo-root is above everything, and the host's own NFS
 * mounts, which may wait for this very server, are looked at only if exported.
 */
static void add_mounts(struct identities *identities)
{
	const struct snapshot *snapshot = identities->snapshot;

	for (struct identities_mount *mount = identities->mounts; mount; mount = mount->hh.next) {
		const char *target = rootdir_strip(identities->rootdir, mount->entry->target);
		ssize_t index = snapshot_place_of(snapshot, target);
		struct snapshot_place exported = { 0 };
		struct identities_place *place;

		if (index >= 0)
			exported = snapshot_place(snapshot, (size_t)index);
		if (exported.is_exported)
			identities->all_answered &=
				table_have_exported(&identities->next, &exported) != NULL;
		else if (snapshot_is_crossed(snapshot, target))
			add_place(identities, target, strlen(target));
		place = table_find(&identities->next, target);
		if (place) /* of several mounts the last is on top */
			place->is_part = mount->entry->is_part;
	}
}

/* Returns whether there is memory for it. */
static bool keep_mount(struct identities *identities, const struct mount_table_entry *entry)
{
	struct identities_mount *mount = calloc(1, sizeof(*mount));

	if (!mount)
		return false;
	mount->entry = entry;
	HASH_ADD_PTR(identities->mounts, entry, mount);
	if (mount->hh.tbl)
		return true;
	free(mount);
	return false;
}

static void drop_mount(struct identities *identities, struct identities_mount *mount)
{
	if (!mount)
		return;
	HASH_DEL(identities->mounts, mount);
	free(mount);
}

static void on_mount(void *userdata, enum mount_table_change change,
		     const struct mount_table_entry *entry)
{
	struct identities *identities = userdata;
	const struct snapshot *snapshot = identities->snapshot;
	const char *target = rootdir_strip(identities->rootdir, entry->target);
	bool is_place, is_medium;
	struct identities_mount *mount;

	if (!target)
		return;
	is_place = snapshot && snapshot_place_of(snapshot, target) >= 0;
	is_medium = snapshot && !is_place && snapshot_rule_for_path(snapshot, target, NULL);
	if (change == MOUNT_TABLE_REMOVED) {
		HASH_FIND_PTR(identities->mounts, &entry, mount);
		drop_mount(identities, mount);
	} else if (is_place || (snapshot && !is_medium &&
				(snapshot_is_crossed(snapshot, target) ||
				 snapshot_is_in_rule(snapshot, target)))) {
		identities->stale |= !keep_mount(identities, entry);
	}
	if (change == MOUNT_TABLE_THERE)
		return;
	mount_changes_note(&identities->changes, target, !is_medium);
	identities->stale |= !is_medium;
	identities->was_told = true;
}

/* ---- the look round itself ---- */

static void on_look(void *userdata, int error, const struct paths_facts *facts);

static void drop_hits(struct identities_question *question)
{
	pending_cancel(&question->verifying);
	question->verifying = NULL;
	while (question->n_seen)
		free(question->seen[--question->n_seen]);
	question->n_places = question->next_place = question->n_found = 0;
}

/* What a question had found goes with the table it was found in. */
static void wait_for_look(struct identities_question *question)
{
	drop_hits(question);
	question->waits_for_look = true;
}

static struct identities_question *next_due(const struct identities *identities)
{
	struct identities_question *question = identities->questions;

	while (question && !question->is_due)
		question = question->next;
	return question;
}

/* Each that waited for the end of a look round, even where one of them begins the next one. */
static void wake_questions(struct identities *identities)
{
	struct identities_question *question;

	for (question = identities->questions; question; question = question->next) {
		question->is_due |= question->waits_for_look;
		question->waits_for_look = false;
	}
	while ((question = next_due(identities))) {
		question->is_due = false;
		question_step(question);
	}
}

static void end_look(struct identities *identities)
{
	identities->looking = false;
	later_cancel(&identities->slow);
	wake_questions(identities);
}

static void look_on(struct identities *identities)
{
	struct identities_question *question;

	for (size_t i = 0; i < LOOKS_AT_ONCE && identities->next_to_look; i++) {
		struct identities_look *look = &identities->looks[i];

		if (look->question)
			continue;
		look->identities = identities;
		look->place = identities->next_to_look;
		if (paths_facts(identities->paths, look->place->path, on_look, look,
				&look->question) < 0) {
			identities->all_answered = false;
			break; /* what is under way goes on from its answers */
		}
		identities->next_to_look = identities->next_to_look->hh.next;
		identities->n_looking++;
	}
	if (identities->n_looking > 0)
		return;
	/* Over, or nothing can be asked at all. */
	DL_FOREACH (identities->questions, question)
		if (!later_is_pending(&question->start))
			wait_for_look(question);
	table_clear(&identities->known);
	identities->known = identities->next;
	identities->next = (struct identities_table){ 0 };
	identities->is_whole = true;
	identities->stale |= !identities->all_answered;
	end_look(identities);
}

static void finish(struct identities_question *question);

/*
 * Who waits for an id of this place need not wait for the end of a slow look round. There may be a
 * place that suits better, but then it has to be asked for again: this is not all.
 */
static void tell_early(struct identities *identities, const struct identities_place *place,
		       const struct paths_facts *facts)
{
	struct identities_question *question = identities->questions;

	while (question) {
		if (!question->waits_for_look || !place_has_id(place, facts, &question->id)) {
			question = question->next;
			continue;
		}
		question->found[question->n_found++] = place->path;
		question->complete = false;
		finish(question);
		question = identities->questions; /* the list may be another one now */
	}
}

static void on_look(void *userdata, int error, const struct paths_facts *facts)
{
	struct identities_look *look = userdata;
	struct identities *identities = look->identities;

	look->question = NULL;
	identities->n_looking--;
	if (error == 0) {
		if (table_enter(&identities->next, look->place, facts) < 0)
			identities->all_answered = false;
		table_note_file_system(&identities->next, facts);
		if (identities->is_slow)
			tell_early(identities, look->place, facts);
	} else if (!paths_is_gone(error)) {
		identities->all_answered = false;
	}
	look_on(identities);
}

/* From now on each answer is used at once, beginning with those there are. */
static void on_slow(void *userdata)
{
	struct identities *identities = userdata;

	identities->is_slow = true;
	wake_questions(identities);
}

static void on_mounts_told(void *userdata)
{
	struct identities *identities = userdata;

	identities->waiting = NULL;
	/* A change that nobody told may be anywhere. */
	if (identities->is_whole && !identities->stale && identities->was_told) {
		identities->was_told = false;
		end_look(identities);
		return;
	}
	identities->stale = identities->was_told = false;
	identities->all_answered = true;
	add_exports(identities);
	add_learned(identities);
	add_parents_of_media(identities);
	add_mounts(identities);
	identities->next_to_look = identities->next.places;
	look_on(identities);
}

/* What was mounted by now is waited for; then there may be nothing new. */
static void look_round(struct identities *identities)
{
	struct identities_question *question;

	DL_FOREACH (identities->questions, question)
		question->looked_round = true;
	identities->n_changes = mount_table_n_changes(identities->table);
	identities->is_slow = later_call_in(&identities->slow, identities->event, SLOW_USEC,
					    on_slow, identities) < 0;
	identities->looking = mount_table_wait(identities->table, on_mounts_told, identities,
					       &identities->waiting) == 0;
}

/* ---- questions ---- */

static void finish(struct identities_question *question)
{
	question->done(question->userdata, question->found, question->n_found, question->complete);
	cancel_identities(&question->pending);
}

static void on_verified(void *userdata, int error, const struct paths_facts *facts)
{
	struct identities_question *question = userdata;
	const struct identities_place *place = question->places[question->next_place++];

	question->verifying = NULL;
	if (error < 0 && !paths_is_gone(error))
		question->complete = false;
	else if (error == 0 && place_has_id(place, facts, &question->id))
		question->found[question->n_found++] = place->path;
	question_step(question);
}

/* Returns whether it waits for a look round. */
static bool wait_for_more(struct identities_question *question)
{
	struct identities *identities = question->identities;

	if (identities->looking) {
		wait_for_look(question);
		return true;
	}
	if (question->looked_round ||
	    (!identities->stale &&
	     identities->n_changes == mount_table_n_changes(identities->table)))
		return false;
	look_round(identities);
	if (identities->looking)
		wait_for_look(question);
	else
		question->complete = false;
	return identities->looking;
}

static void add_hit(struct identities_question *question, const struct identities_place *place)
{
	for (size_t i = 0; i < question->n_places; i++)
		if (str_equal(question->places[i]->path, place->path))
			return;
	if (question->n_places < IDENTITIES_PATHS_MAX)
		question->places[question->n_places++] = place;
}

/* From the table, or from what there is of the next one. */
static void take_hits(struct identities_question *question)
{
	const struct identities *identities = question->identities;
	const struct identities_entry *entry;

	HASH_FIND(hh, identities->known.entries, &question->id, sizeof(question->id), entry);
	if (!entry) {
		HASH_FIND(hh, identities->next.entries, &question->id, sizeof(question->id), entry);
		question->complete &= !entry;
	}
	for (size_t i = 0; entry && i < entry->n_places; i++)
		add_hit(question, entry->places[i]);
}

/* Does an export that was seen there have the id? Without its file system's uuids it may. */
static bool may_have_id(const struct identities_question *question,
			const struct identities_place *place, const struct snapshot_seen *seen)
{
	const struct identities_file_system *file_system =
		table_find_file_system(&question->identities->known, seen->device);
	struct paths_facts facts = { .device = seen->device, .inode = seen->inode };

	if (file_system && file_system->is_known)
		facts = file_system->facts;
	else if (question->id.type >= FSID_UUID4_INUM)
		return true;
	facts.inode = seen->inode;
	return place_has_id(place, &facts, &question->id);
}

static void add_seen(struct identities_question *question, const struct snapshot_place *exported)
{
	struct identities_place *place = calloc(1, sizeof(*place));
	size_t n = question->n_places;

	if (place) {
		place->path = (char *)exported->path;
		place_set_exported(place, exported);
		if (may_have_id(question, place, &exported->seen))
			add_hit(question, place);
	}
	question->complete &= place != NULL;
	if (question->n_places > n)
		question->seen[question->n_seen++] = place;
	else
		free(place);
}

/* From what the snapshot says of exports. */
static void take_seen(struct identities_question *question)
{
	uint32_t inode, position = 0;
	ssize_t index;

	if (!identity_inode(&question->id, &inode))
		return;
	while (question->n_places < IDENTITIES_PATHS_MAX &&
	       (index = snapshot_next_seen(question->identities->snapshot, inode, &position)) >=
		       0) {
		struct snapshot_place exported =
			snapshot_place(question->identities->snapshot, (size_t)index);

		add_seen(question, &exported);
	}
}

/*
 * One thing at a time: take the hits, look at each again; without any wait for a look round; end.
 */
static void question_step(struct identities_question *question)
{
	struct identities *identities = question->identities;

	if (!identities->is_whole && !identities->looking)
		look_round(identities);
	if (question->n_places == 0) {
		take_hits(question);
		take_seen(question);
	}
	if (question->next_place < question->n_places) {
		if (paths_facts(identities->paths, question->places[question->next_place]->path,
				on_verified, question, &question->verifying) == 0)
			return;
		question->complete = false;
	}
	if (question->n_found == 0 && wait_for_more(question))
		return;
	if (!identities->all_answered || !identities->is_whole)
		question->complete = false;
	finish(question);
}

static void on_start(void *userdata)
{
	question_step(userdata);
}

int identities_find(struct identities *identities, enum kernel_fsid_type type, const uint8_t *fsid,
		    identities_fn done, void *userdata, struct pending **ret_question)
{
	struct identities_question *question = calloc(1, sizeof(*question));

	if (!question)
		return -ENOMEM;
	question->pending.cancel = cancel_identities;
	question->identities = identities;
	question->id.type = type;
	memcpy(question->id.bytes, fsid, kernel_fsid_length(type));
	question->done = done;
	question->userdata = userdata;
	question->complete = true;
	later_call(&question->start, identities->event, on_start, question);
	DL_PREPEND(identities->questions, question);
	*ret_question = &question->pending;
	return 0;
}

static void cancel_identities(struct pending *pending)
{
	struct identities_question *question = (struct identities_question *)pending;

	DL_DELETE(question->identities->questions, question);
	drop_hits(question);
	later_cancel(&question->start);
	free(question);
}

/* ---- what is in force ---- */

static void drop_mounts(struct identities *identities)
{
	struct identities_mount *mount, *next;

	HASH_ITER (hh, identities->mounts, mount, next)
		drop_mount(identities, mount);
}

void identities_begin_load(struct identities *identities)
{
	mount_changes_begin(&identities->changes);
}

void identities_set_snapshot(struct identities *identities, const struct snapshot *snapshot)
{
	identities->snapshot = snapshot;
	mount_changes_put_in_force(&identities->changes);
	stop_looking(identities);
	table_clear(&identities->known);
	identities->is_whole = false;
	identities->n_learned = 0;
	identities->stale = true;
	drop_mounts(identities);
	mount_table_subscribe(identities->table, &identities->subscriber, on_mount, identities);
}

/* ---- by the way ---- */

static void learn(struct identities_table *table, const struct snapshot_place *exported,
		  const struct paths_facts *facts)
{
	struct identities_place *place = table_have_exported(table, exported);

	if (!place)
		return;
	place->is_learned = true;
	(void)table_enter(table, place, facts);
}

static bool is_same(const struct snapshot_seen *seen, const struct paths_facts *facts)
{
	return seen->inode == facts->inode && seen->device == facts->device;
}

void identities_learn(struct identities *identities, const char *path,
		      const struct paths_facts *facts)
{
	const struct snapshot *snapshot = identities->snapshot;
	ssize_t index = snapshot_place_of(snapshot, path);
	const struct identities_place *place;
	struct snapshot_place exported;

	if (index < 0 || facts->is_mount_root) /* mounts are looked at when they change */
		return;
	exported = snapshot_place(snapshot, (size_t)index);
	place = table_find(&identities->known, path);
	if (is_same(&exported.seen, facts) || (place && is_same(&place->seen, facts)) ||
	    identities->n_learned == LEARNED_MAX)
		return;
	identities->n_learned++;
	learn(&identities->known, &exported, facts);
	if (identities->looking)
		learn(&identities->next, &exported, facts);
}

/* ---- the whole ---- */

int identities_new(struct identities **ret_identities, sd_event *event, struct paths *paths,
		   const struct numbers *numbers, struct mount_table *table, const char *rootdir)
{
	struct identities *identities = calloc(1, sizeof(*identities));

	if (!identities)
		return -ENOMEM;
	identities->event = event;
	identities->paths = paths;
	identities->numbers = numbers;
	identities->table = table;
	identities->rootdir = rootdir;
	identities->stale = true;
	mount_table_subscribe(table, &identities->subscriber, on_mount, identities);
	*ret_identities = identities;
	return 0;
}

struct identities *identities_free(struct identities *identities)
{
	if (!identities)
		return NULL;
	while (identities->questions)
		cancel_identities(&identities->questions->pending);
	stop_looking(identities);
	table_clear(&identities->known);
	drop_mounts(identities);
	mount_table_unsubscribe(identities->table, &identities->subscriber);
	mount_changes_done(&identities->changes);
	free(identities);
	return NULL;
}
