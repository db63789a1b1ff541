/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One table, from id to places. It is made in one look round: a list of paths, of which a few at a
 * time are asked about. The table before answers until the new one is whole; what it does not know waits
 * for its place to be looked at, or for the end. So a dead file system, which delays the end by its
 * time-out, holds up only what may be on it, and what nobody knows.
 *
 * Media are not here: their handles hold numbers.
 */

#include "exportsd/identities.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmount/libmount.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>
#include <fcntl.h>
#include <uthash.h>
#include <uuid/uuid.h>

#include "exportsd/rootdir.h"

enum {
	LOOKS_AT_ONCE = 32,
	/* Places that may share one id (bind mounts); more are passed over. */
	PLACES_MAX = 8,
	/* Three times: the file system's, an option's and a pseudo-root's uuid. */
	PLACE_IDS_MAX = 3 * IDENTITY_IDS_MAX,
};

struct place {
	char *path;
	bool is_crossed; /* an export with crossmnt: file systems below it are exported, too */
	bool is_part; /* what is mounted there is a directory of a file system, not its root */
	bool is_pseudo_root; /* above an export, whatever else it is */
	bool has_uuid; /* of an option fsid=UUID */
	uint8_t uuid[16];
	UT_hash_handle hh;
};

struct entry {
	struct identity_id id;
	const struct place *places[PLACES_MAX];
	size_t n_places;
	UT_hash_handle hh;
};

struct table {
	struct place *places; /* hash by path */
	struct entry *entries; /* hash by id */
};

/* A path that is being asked about, on behalf of the look round. */
struct look {
	struct identities *identities;
	const struct place *place;
	struct paths_question *question;
};

struct identities_question {
	struct identities *identities;
	const struct snapshot *snapshot;
	struct identity_id id;
	identities_fn done;
	void *userdata;
	/* The hits, each looked at again. */
	const struct place *places[PLACES_MAX];
	size_t n_places, next_place;
	const char *found[PLACES_MAX];
	size_t n_found;
	bool complete;
	bool looked_round; /* since it was asked: do not begin again */
	bool waits_for_look, is_due; /* its end; to be woken after it */
	struct paths_question *verifying;
	sd_event_source *deferred;
	struct identities_question *next, *previous;
};

struct identities {
	sd_event *event;
	struct paths *paths;
	const struct numbers *numbers;
	const char *rootdir;
	int mountinfo;
	sd_event_source *mounts_changed;
	struct table known;
	bool stale; /* mounts changed, some place did not answer, or nothing was looked at yet */
	bool looking;
	struct table next; /* while looking */
	bool all_answered; /* as far as the last look round has come */
	struct place *next_to_look;
	struct look looks[LOOKS_AT_ONCE];
	size_t n_looking;
	struct identities_question *questions;
};

static void question_step(struct identities_question *question);

/* ---- ids of one place ---- */

static void add_id(struct identity_id *ids, size_t *n, enum upcall_fsid_type type,
		   const void *first, size_t n_first, const void *second, size_t n_second)
{
	struct identity_id *id = &ids[(*n)++];

	*id = (struct identity_id){ .type = type };
	memcpy(id->bytes, first, n_first);
	if (n_second)
		memcpy(id->bytes + n_first, second, n_second);
}

static void fold(const uint8_t uuid[16], uint8_t *folded, size_t size)
{
	memset(folded, 0, size);
	for (size_t i = 0; i < 16; i++)
		folded[i % size] ^= uuid[i];
}

static void add_uuid_ids(struct identity_id *ids, size_t *n, const struct paths_facts *facts,
			 const uint8_t uuid[16])
{
	const uint64_t inode64 = facts->inode;
	const uint32_t inode32 = (uint32_t)facts->inode;
	uint8_t uuid4[4], uuid8[8];

	fold(uuid, uuid4, sizeof(uuid4));
	fold(uuid, uuid8, sizeof(uuid8));
	add_id(ids, n, FSID_UUID4_INUM, &inode32, sizeof(inode32), uuid4, sizeof(uuid4));
	add_id(ids, n, FSID_UUID16_INUM, &inode64, sizeof(inode64), uuid, 16);
	if (facts->is_mount_root) {
		add_id(ids, n, FSID_UUID8, uuid8, sizeof(uuid8), NULL, 0);
		add_id(ids, n, FSID_UUID16, uuid, 16, NULL, 0);
	}
}

size_t identity_ids(const struct paths_facts *facts, const uint8_t *uuid,
		    struct identity_id ret_ids[IDENTITY_IDS_MAX])
{
	const uint32_t inode = (uint32_t)facts->inode;
	const uint32_t major_number = major(facts->device), minor_number = minor(facts->device);
	const uint32_t major_be = htonl(major_number), minor_be = htonl(minor_number);
	/* old_encode_dev() in network order, new_encode_dev() in host order */
	const uint32_t both_be = htonl(major_number << 16 | minor_number);
	const uint32_t encoded =
		(minor_number & 0xff) | (major_number << 8) | ((minor_number & ~0xffu) << 12);
	const uint32_t device[2] = { major_be, minor_be };
	size_t n = 0;

	add_id(ret_ids, &n, FSID_DEV, &both_be, sizeof(both_be), &inode, sizeof(inode));
	add_id(ret_ids, &n, FSID_MAJOR_MINOR, device, sizeof(device), &inode, sizeof(inode));
	add_id(ret_ids, &n, FSID_ENCODE_DEV, &encoded, sizeof(encoded), &inode, sizeof(inode));
	if (uuid) {
		add_uuid_ids(ret_ids, &n, facts, uuid);
	} else {
		if (facts->has_block_uuid)
			add_uuid_ids(ret_ids, &n, facts, facts->block_uuid);
		if (facts->has_statfs_uuid)
			add_uuid_ids(ret_ids, &n, facts, facts->statfs_uuid);
	}
	return n;
}

void identity_of_pseudo_root(const char *path, uint8_t ret_uuid[16])
{
	static const uuid_t namespace = { 0x39, 0xc6, 0xb5, 0xc1, 0x3f, 0x24, 0x4f, 0x4e,
					  0x97, 0x7c, 0x7f, 0xe6, 0x54, 0x6b, 0x8a, 0x25 };

	uuid_generate_sha1(ret_uuid, namespace, path, strlen(path));
	/*
	 * It takes the hyphens out of the text in place and ends it where it ended before, so the last
	 * four digits stand there twice, and get_uuid() folds them onto the first ones.
	 */
	ret_uuid[0] ^= ret_uuid[14];
	ret_uuid[1] ^= ret_uuid[15];
}

/*
 * Those of a place: with its own uuid and with that of an option, as one or the other export may have it.
 * A pseudo-root also has that of its path: whether rpc.mountd takes this one depends on when it read
 * the exports, so either may be in a client's handle.
 */
static size_t place_ids(const struct place *place, const struct paths_facts *facts,
			struct identity_id ret_ids[PLACE_IDS_MAX])
{
	struct paths_facts seen = *facts;
	uint8_t uuid[16];
	size_t n;

	/* A bind mount of a directory is a mount's root, and not a file system's (is_root_export()). */
	seen.is_mount_root = facts->is_mount_root && !place->is_part;
	n = identity_ids(&seen, NULL, ret_ids);
	if (place->has_uuid)
		n += identity_ids(&seen, place->uuid, ret_ids + n);
	if (place->is_pseudo_root) {
		identity_of_pseudo_root(place->path, uuid);
		n += identity_ids(&seen, uuid, ret_ids + n);
	}
	return n;
}

static bool has_id(const struct place *place, const struct paths_facts *facts,
		   const struct identity_id *id)
{
	struct identity_id ids[PLACE_IDS_MAX];
	size_t n = place_ids(place, facts, ids);

	for (size_t i = 0; i < n; i++)
		if (memcmp(&ids[i], id, sizeof(*id)) == 0)
			return true;
	return false;
}

/* ---- the look round ---- */

static void table_clear(struct table *table)
{
	struct entry *entry, *next_entry;
	struct place *place, *next_place;

	HASH_ITER (hh, table->entries, entry, next_entry) {
		HASH_DEL(table->entries, entry);
		free(entry);
	}
	HASH_ITER (hh, table->places, place, next_place) {
		HASH_DEL(table->places, place);
		free(place->path);
		free(place);
	}
}

static void stop_looking(struct identities *identities)
{
	for (size_t i = 0; i < LOOKS_AT_ONCE; i++) {
		paths_cancel(identities->looks[i].question);
		identities->looks[i] = (struct look){ 0 };
	}
	identities->n_looking = 0;
	identities->looking = false;
	identities->next_to_look = NULL;
	table_clear(&identities->next);
}

static struct place *find_place(struct identities *identities, const char *path)
{
	struct place *place;

	HASH_FIND_STR(identities->next.places, path, place);
	return place;
}

/* Returns whether it is new. No memory: it is passed over, and the look round is not complete. */
static bool add_place(struct identities *identities, const char *path, size_t length)
{
	struct place *place;

	HASH_FIND(hh, identities->next.places, path, length, place);
	if (place)
		return false;
	place = calloc(1, sizeof(*place));
	if (place)
		place->path = strndup(path, length);
	if (!place || !place->path) {
		free(place);
		identities->all_answered = false;
		return false;
	}
	HASH_ADD_KEYPTR(hh, identities->next.places, place->path, length, place);
	return true;
}

/* The directories above an export or a medium are pseudo-roots. */
static void add_parents(struct identities *identities, const char *path)
{
	size_t length = strlen(path);
	bool is_new = true;

	while (is_new && length > 1) {
		struct place *place;

		while (length > 1 && path[length - 1] != '/')
			length--;
		if (length > 1)
			length--;
		is_new = add_place(identities, path, length);
		HASH_FIND(hh, identities->next.places, path, length, place);
		if (place)
			place->is_pseudo_root = true;
	}
}

static void add_with_parents(struct identities *identities, const char *path)
{
	if (add_place(identities, path, strlen(path)))
		add_parents(identities, path);
}

/*
 * Directories between a rule's and its media are pseudo-roots, too. A client that has the handle of one got it when
 * it looked for a medium, which has a number since.
 */
static void add_parents_of_media(struct identities *identities, const struct snapshot *snapshot)
{
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

/*
 * Only what is below crossmnt is anybody's business: a pseudo-root is above everything, and the
 * host's own NFS mounts, which may wait for this very server, are looked at only if exported.
 */
static bool below_a_crossed_place(struct identities *identities, const char *path)
{
	struct place *place;
	size_t length = strlen(path);

	for (;;) {
		HASH_FIND(hh, identities->next.places, path, length, place);
		if (place && place->is_crossed)
			return true;
		if (length <= 1)
			return false;
		while (length > 1 && path[length - 1] != '/')
			length--;
		if (length > 1)
			length--;
	}
}

/* What is mounted: at a place, and below crossmnt, where it is a new one unless it is a medium. */
static void add_mount(struct identities *identities, const struct snapshot *snapshot,
		      struct libmnt_fs *fs)
{
	const char *target = mnt_fs_get_target(fs), *root = mnt_fs_get_root(fs);
	struct place *place;

	target = target ? rootdir_strip(identities->rootdir, target) : NULL;
	if (!target)
		return;
	if (below_a_crossed_place(identities, target) &&
	    !snapshot_rule_for_path(snapshot, target, NULL))
		add_place(identities, target, strlen(target));
	place = find_place(identities, target);
	if (place) /* of several mounts the last is on top */
		place->is_part = root && !str_equal(root, "/");
}

static void add_mounts(struct identities *identities, const struct snapshot *snapshot)
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iterator = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	if (!table || !iterator)
		identities->all_answered = false;
	while (table && iterator && mnt_table_next_fs(table, iterator, &fs) == 0)
		add_mount(identities, snapshot, fs);
	mnt_free_iter(iterator);
	mnt_unref_table(table);
}

static void enter(struct identities *identities, const struct place *place,
		  const struct paths_facts *facts)
{
	struct identity_id ids[PLACE_IDS_MAX];
	size_t n = place_ids(place, facts, ids);

	for (size_t i = 0; i < n; i++) {
		struct entry *entry;

		HASH_FIND(hh, identities->next.entries, &ids[i], sizeof(ids[i]), entry);
		if (!entry) {
			entry = calloc(1, sizeof(*entry));
			if (!entry) {
				identities->all_answered = false;
				continue;
			}
			entry->id = ids[i];
			HASH_ADD(hh, identities->next.entries, id, sizeof(entry->id), entry);
		}
		if (entry->n_places < PLACES_MAX &&
		    (entry->n_places == 0 || entry->places[entry->n_places - 1] != place))
			entry->places[entry->n_places++] = place;
	}
}

static void on_look(void *userdata, int error, const struct paths_facts *facts);

/* What a question had found goes with the table it was found in. */
static void wait_for_look(struct identities_question *question)
{
	paths_cancel(question->verifying);
	question->verifying = NULL;
	question->n_places = question->next_place = question->n_found = 0;
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

static void look_on(struct identities *identities)
{
	for (size_t i = 0; i < LOOKS_AT_ONCE && identities->next_to_look; i++) {
		struct look *look = &identities->looks[i];

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
	for (struct identities_question *q = identities->questions; q; q = q->next)
		if (!q->deferred)
			wait_for_look(q);
	table_clear(&identities->known);
	identities->known = identities->next;
	identities->next = (struct table){ 0 };
	identities->looking = false;
	identities->stale |= !identities->all_answered;
	wake_questions(identities);
}

static void finish(struct identities_question *question);

/*
 * Who waits for an id of this place need not wait for the end. There may be a place that suits
 * better, but then it has to be asked for again: this is not all.
 */
static void tell_early(struct identities *identities, const struct place *place,
		       const struct paths_facts *facts)
{
	struct identities_question *question = identities->questions;

	while (question) {
		if (!question->waits_for_look || !has_id(place, facts, &question->id)) {
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
	struct look *look = userdata;
	struct identities *identities = look->identities;

	look->question = NULL;
	identities->n_looking--;
	if (error == 0) {
		enter(identities, look->place, facts);
		tell_early(identities, look->place, facts);
	} else if (!paths_is_gone(error)) {
		identities->all_answered = false;
	}
	look_on(identities);
}

static void look_round(struct identities *identities, const struct snapshot *snapshot)
{
	for (struct identities_question *q = identities->questions; q; q = q->next)
		q->looked_round = true;
	identities->looking = true;
	identities->stale = false;
	identities->all_answered = true;
	for (size_t i = 0; i < snapshot_n_exports(snapshot); i++) {
		const struct export *export = snapshot_export(snapshot, i);
		struct place *place;

		add_with_parents(identities, export->path);
		place = find_place(identities, export->path);
		if (place && export->pattern) /* a rule's: the directory it starts under */
			place->is_pseudo_root = true;
		if (place && export->options->flags & EXPORT_CROSSMOUNT)
			place->is_crossed = true;
		if (place && export->options->uuid && !place->has_uuid) {
			place->has_uuid = true;
			paths_fold_uuid(export->options->uuid, sizeof(place->uuid), place->uuid);
		}
	}
	add_parents_of_media(identities, snapshot);
	add_mounts(identities, snapshot);
	identities->next_to_look = identities->next.places;
}

/* ---- questions ---- */

static void unlink_question(struct identities_question *question)
{
	if (question->previous)
		question->previous->next = question->next;
	else
		question->identities->questions = question->next;
	if (question->next)
		question->next->previous = question->previous;
}

static void finish(struct identities_question *question)
{
	identities_fn done = question->done;
	void *userdata = question->userdata;
	const char *found[PLACES_MAX];
	size_t n = question->n_found;
	bool complete = question->complete;

	memcpy(found, question->found, n * sizeof(found[0]));
	identities_cancel(question);
	done(userdata, found, n, complete);
}

static void on_verified(void *userdata, int error, const struct paths_facts *facts)
{
	struct identities_question *question = userdata;
	const struct place *place = question->places[question->next_place++];

	question->verifying = NULL;
	if (error < 0 && !paths_is_gone(error))
		question->complete = false;
	else if (error == 0 && has_id(place, facts, &question->id))
		question->found[question->n_found++] = place->path;
	question_step(question);
}

/* Have mounts changed? The loop tells of it before questions, in its next turn; this is about now. */
static void look_at_mounts(struct identities *identities)
{
	struct pollfd mounts = { .fd = identities->mountinfo, .events = POLLPRI };

	if (poll(&mounts, 1, 0) > 0)
		identities->stale = true;
}

/* Returns whether it waits for a look round, or was ended by one that had nothing to ask. */
static bool wait_for_more(struct identities_question *question)
{
	struct identities *identities = question->identities;

	if (identities->looking) {
		wait_for_look(question);
		return true;
	}
	look_at_mounts(identities);
	if (question->looked_round || !identities->stale)
		return false;
	look_round(identities, question->snapshot);
	wait_for_look(question);
	look_on(identities);
	return true;
}

/* From the table, or from what there is of the next one. */
static void take_hits(struct identities_question *question)
{
	const struct identities *identities = question->identities;
	const struct entry *entry;

	HASH_FIND(hh, identities->known.entries, &question->id, sizeof(question->id), entry);
	if (!entry) {
		HASH_FIND(hh, identities->next.entries, &question->id, sizeof(question->id), entry);
		question->complete &= !entry;
	}
	if (!entry)
		return;
	memcpy(question->places, entry->places, sizeof(question->places));
	question->n_places = entry->n_places;
}

/* One thing at a time: take the hits, look at each again; without any wait for a look round; end. */
static void question_step(struct identities_question *question)
{
	struct identities *identities = question->identities;

	if (question->n_places == 0)
		take_hits(question);
	if (question->next_place < question->n_places) {
		if (paths_facts(identities->paths, question->places[question->next_place]->path,
				on_verified, question, &question->verifying) == 0)
			return;
		question->complete = false;
	}
	if (question->n_found == 0 && wait_for_more(question))
		return;
	if (!identities->all_answered)
		question->complete = false;
	finish(question);
}

static int on_deferred(sd_event_source *source, void *userdata)
{
	struct identities_question *question = userdata;

	question->deferred = sd_event_source_disable_unref(question->deferred);
	question_step(question);
	return 0;
}

int identities_find(struct identities *identities, const struct snapshot *snapshot,
		    enum upcall_fsid_type type, const uint8_t *fsid, identities_fn done,
		    void *userdata, struct identities_question **ret_question)
{
	struct identities_question *question = calloc(1, sizeof(*question));
	int r;

	if (!question)
		return -ENOMEM;
	question->identities = identities;
	question->snapshot = snapshot;
	question->id.type = type;
	memcpy(question->id.bytes, fsid, fsid_length(type));
	question->done = done;
	question->userdata = userdata;
	question->complete = true;
	r = sd_event_add_defer(identities->event, &question->deferred, on_deferred, question);
	if (r < 0) {
		free(question);
		return r;
	}
	question->next = identities->questions;
	if (question->next)
		question->next->previous = question;
	identities->questions = question;
	*ret_question = question;
	return 0;
}

void identities_cancel(struct identities_question *question)
{
	if (!question)
		return;
	unlink_question(question);
	paths_cancel(question->verifying);
	sd_event_source_disable_unref(question->deferred);
	free(question);
}

void identities_forget(struct identities *identities)
{
	stop_looking(identities);
	table_clear(&identities->known);
	identities->stale = true;
}

/* The kernel reports a changed mount table as a priority event on mountinfo (proc(5)). */
static int on_mounts_changed(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct identities *identities = userdata;

	identities->stale = true;
	return 0;
}

int identities_new(struct identities **ret_identities, sd_event *event, struct paths *paths,
		   const struct numbers *numbers, const char *rootdir)
{
	struct identities *identities = calloc(1, sizeof(*identities));
	int r;

	if (!identities)
		return -ENOMEM;
	identities->event = event;
	identities->paths = paths;
	identities->numbers = numbers;
	identities->rootdir = rootdir;
	identities->stale = true;
	identities->mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	r = identities->mountinfo < 0
		    ? -errno
		    : sd_event_add_io(event, &identities->mounts_changed, identities->mountinfo,
				      EPOLLPRI, on_mounts_changed, identities);
	/* What epoll has seen, poll(2) no longer shows (linux fs/proc_namespace.c mounts_poll()). */
	if (r >= 0)
		r = sd_event_source_set_priority(identities->mounts_changed,
						 SD_EVENT_PRIORITY_IMPORTANT);
	if (r < 0) {
		identities_free(identities);
		return r;
	}
	*ret_identities = identities;
	return 0;
}

struct identities *identities_free(struct identities *identities)
{
	if (!identities)
		return NULL;
	while (identities->questions)
		identities_cancel(identities->questions);
	stop_looking(identities);
	table_clear(&identities->known);
	sd_event_source_disable_unref(identities->mounts_changed);
	closep(&identities->mountinfo);
	free(identities);
	return NULL;
}
