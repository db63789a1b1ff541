/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - what the files of this folder share.
 *
 *	register.c   the rules and their handlers, the media objects
 *	look.c       what is at a medium's path
 *	words.c      what is said to handlers and by them
 *	places.c     placeholder directories, in slices
 *	watch.c      the devices beneath what is mounted: gone, or broken
 *	identity.c   which of its numbers goes with what is mounted
 *	queue.c      which medium is drained, and when
 *	waiters.c    who asks for media, and is told
 *	status.c     media as others see them
 *	catalogue.c  what the handlers list
 *	lookup.c     from "is there such a medium" to a number
 *	load.c       from "somebody wants it" to a mount
 *	drain.c      from mounted to unmounted
 *	scan.c       what somebody else mounted
 *	life.c       what follows from all that
 *	media.c      the snapshot in force
 *
 * Those above life.c do something, and report what came of it (medium_report()); only life.c knows
 * what follows, and only its table (medium.h) says in which stage a medium is.
 *
 * A medium is known by its path. It belongs to one rule; when that rule goes, to another rule that
 * claims its path, or it is forgotten. Objects without a number that nobody lists or asks for are
 * freed.
 */

#include <uthash.h>
#include <utlist.h>

#include "exportsd/base/log.h"
#include "exportsd/fs/mount_table.h"
#include "exportsd/media/handler.h"
#include "exportsd/media/media.h"
#include "exportsd/media/medium.h"
#include "exportsd/media/placeholder.h"

static const uint64_t second_usec = 1000000;

enum {
	MEDIA_MAX = 200000, /* media objects; beyond: -EAGAIN to who asks for another */
	MEDIA_LISTED_MAX = 100000, /* keys of one rule's list; the rest is left out */
	MEDIA_SLICE = 200, /* placeholders made or removed in one turn of the loop */
	MEDIA_NUMBERED = 2000, /* that get a number in one turn: each is some microseconds */
	MEDIA_KEY_MAX = 3800, /* bytes of a key; the path must fit the kernel's PATH_MAX */
};

/* What a log message is about (base/log.h). */
#define ABOUT_MEDIUM(medium)                                                                       \
	ABOUT(.path = (medium)->path, .handler = (medium)->rule->facts.handler,                    \
	      .fsid = numbers_get((medium)->rule->media->numbers, (medium)->path))

struct medium;
struct media_drain;
struct media_request;
struct medium_watch;
struct rule;

/* A handler, shared by the rules that name its socket. */
struct handler_use {
	UT_hash_handle hh;
	char *socket;
	struct handler *handler; /* NULL: the socket's name cannot be used */
	size_t n_rules;
};

struct catalogue {
	struct pending *list, *watch;
	struct later timer; /* asks again */
	bool was_started;
	uint64_t pause_usec;
	uint64_t asked_usec; /* CLOCK_MONOTONIC */
	uint64_t watched_usec;
	unsigned int generation; /* of the list under way or last done */
	enum handler_outcome outcome; /* of the last one that ended */
	size_t n_keys, n_bad_keys, n_beyond;
	char *bad_key; /* the first of them */
	bool list_again; /* once the one under way is done */
	bool was_listed; /* wholly, at least once */
	bool is_watching; /* the watch said that it is on */
	bool watch_unsupported, lookup_unsupported;
	bool has_complained;
};

/* Does a rule's handler call its media removable (identity=strict by default)? */
enum rule_removable { REMOVABLE_UNKNOWN, REMOVABLE_NO, REMOVABLE_YES };

struct rule {
	struct rule *prev, *next;
	struct media *media;
	struct snapshot_rule facts; /* strings are the rule's own */
	const struct snapshot_rule *in_force; /* its key in media->by_facts */
	bool is_writable; /* some client may write */
	enum config_identity identity; /* as configured */
	enum rule_removable removable;
	bool is_gone; /* in media->gone_rules */
	struct medium_limits limits;
	uint64_t idle_usec; /* 0: never */
	uint64_t min_hold_usec;
	struct handler_use *use;
	UT_hash_handle hh; /* media->by_facts */
	struct medium *media_list;
	struct catalogue catalogue;
	/* Placeholders. */
	struct medium *unplaced, *placing;
	bool has_unnumbered; /* some of unplaced may have no number */
	struct pending *places_question;
	struct later places_run;
	bool directory_complained;
};

/* What is wrong with the device beneath a mounted medium. */
enum medium_trouble {
	MEDIUM_WELL,
	MEDIUM_DEVICE_GONE, /* for good: what is mounted can never be read again */
	MEDIUM_DEVICE_OFFLINE,
	MEDIUM_UNREADABLE,
};

/* ---- a medium: what each file knows of it, and nobody else writes ---- */

/* look.c: the last mount root at the path, and what it was. */
struct medium_seen {
	struct mounts_place place;
	enum placeholder_state state;
};

/* words.c: what was said of it last. */
struct medium_said {
	char *identity, *label, *source; /* by its handler */
	uint64_t size_bytes;
	char *message; /* what goes on, or why it does not */
};

/* places.c */
enum medium_placing { PLACE_NONE, PLACE_UNPLACED, PLACE_PLACING };
struct medium_place {
	enum medium_placing placing;
	struct medium *prev, *next; /* rule->unplaced, rule->placing */
	bool is_obstructed; /* said: something else is in the placeholder's place */
};

/* It is recorded which medium is mounted. error: 0, -errno */
typedef void (*identity_done_fn)(struct medium *medium, int error);

/* identity.c: the mount that its handler was asked about last. */
struct medium_settled {
	struct mounts_place place;
	bool is_told; /* its handler has identified it */
	char *identity; /* as it did; NULL: it gave none */
	int fd; /* holds its file system until it is known whether it can be watched; or < 0 */
	struct pending *wait;
	int unmount_watch; /* of its file system; -1: none */
	uint64_t n_changes; /* of mounts, by then: counts without a watch */
	/* An identity is being recorded: */
	struct pending *recording;
	identity_done_fn done; /* NULL: it is not mounted, the list said so */
	char *new_identity;
	unsigned int n_steps;
	uint32_t number_before;
};

/* queue.c */
struct medium_queue {
	enum media_drain_kind kind;
	struct media_drain *asker;
	struct medium *prev, *next; /* media->drain_queue */
	struct later idle_timer;
	uint64_t used_usec, mounted_usec; /* CLOCK_MONOTONIC */
	uint64_t not_before_usec, pause_usec; /* of the next drain */
};

/* More are not remembered: they are shown, no more. */
enum { MEDIUM_USERS_MAX = 16 };

/* waiters.c */
struct medium_waiters {
	struct media_request *requests;
	size_t n_decided; /* requests that are decided and not told yet */
	char *users[MEDIUM_USERS_MAX]; /* whom it was handed to since it was mounted */
	size_t n_users;
};

/* status.c */
struct medium_observed {
	struct media_observer *observers;
	bool is_changed;
	struct medium *prev, *next; /* media->changed */
};

/* catalogue.c */
struct medium_listed {
	bool is_listed;
	unsigned int generation;
	char *identity;
};

/* load.c: what came of its handler's last answer. */
struct medium_load {
	struct pending *pending; /* what it waits for */
	int mount_fd; /* a mount the handler sent detached, until it is verified; or -1 */
	bool has_sent_mount;
	bool was_mounted; /* already, when its handler was asked last */
	bool was_absent; /* when its handler was asked first */
	char *identity; /* the handler's last word for a mount; NULL: none */
	uint32_t number; /* the handler's, being adopted */
	char *client, *domain; /* on whose behalf the handler was asked last */
	unsigned int percent;
	int placeholder_fd; /* media_placeholder_fd() */
	struct later placeholder_timer;
};

/* drain.c */
struct medium_drain {
	struct pending *pending; /* the kernel says who holds it; its handler unmounts it */
	struct mounts_place place; /* the mount that was there when it began */
	unsigned int n_tries;
	uint64_t begun_usec; /* the unmounting */
	uint64_t swept_usec, forgotten_usec;
	char **domains; /* for which the kernel was told of it since it was mounted */
	size_t n_domains;
	bool has_other_domains; /* not all of them are known */
};

struct medium {
	/* register.c */
	UT_hash_handle hh; /* media->by_path */
	struct medium *prev, *next; /* rule->media_list */
	struct rule *rule;
	char *path;
	const char *key; /* in path */

	/* life.c */
	struct medium_life life; /* written by medium_step() alone */
	struct later timers[MEDIUM_N_PARTS];
	bool is_gone; /* taken out by hand, and still mounted */
	uint64_t since_usec; /* it is mounted, or not: CLOCK_REALTIME */

	struct medium_seen seen;
	struct medium_said said;
	struct medium_place place;
	struct medium_watch *watch; /* watch.c; NULL: not mounted, or on no device */
	struct medium_settled settled;
	struct medium_queue queue;
	struct medium_waiters waiters;
	struct medium_observed observed;
	struct medium_listed listed;
	struct pending *lookup; /* lookup.c */
	struct medium_load load;
	struct medium_drain drain;
};

struct removal {
	struct removal *prev, *next;
	char *directory; /* a rule's literal directory */
	char *path;
};

struct media {
	/* life.c's: who reports something does not know it. */
	void (*life)(struct medium *medium, enum medium_part part, enum medium_event event);
	sd_event *event;
	const struct config *config;
	struct numbers *numbers;
	struct mount_table *mounts;
	struct mount_table_subscriber mounts_told; /* scan.c */
	const struct snapshot *snapshot;
	uid_t handler_uid;
	struct rule *rules; /* in the order of the files */
	struct rule *gone_rules; /* of media that are observed though no rule claims them */
	struct rule *by_facts; /* those in force, by the snapshot's own */
	struct handler_use *handlers;
	struct medium *by_path;
	bool is_sorted; /* by_path's order is that of the paths */
	struct media_request *decided; /* to be told */
	struct medium *changed; /* observers to be told */
	struct later deliver, tell; /* them */
	struct media_kernel kernel;
	struct medium *drain_queue;
	size_t n_draining;
	uint64_t drain_begun_usec; /* the last one */
	uint64_t unmounting_usec; /* how long a handler takes to unmount one, lately */
	struct later drain_timer, deliver_drained, watch_timer;
	struct media_drain *drained; /* to be told */
	struct medium_watch *watches; /* watch.c */
	struct medium_watch *next_watch; /* of the round under way; NULL: none is */
	struct worker *devices; /* reads from them; NULL until needed */
	sd_event_source *nodes_io;
	int sysfs_fd, nodes_fd; /* /sys; inotify(7) on /dev; or -1 */
	bool is_hurried; /* this round is a quick one */
	bool is_round_due; /* a device has gone: a quick one follows */
	struct removal *removals, *removals_later;
	struct pending *removals_question;
	struct later remove, remove_later;
	void (*names_changed)(void *userdata); /* media_on_names() */
	void *names_userdata;
	struct later names_timer;
	int unmounts_fd; /* inotify(7), -1 until needed: identity.c */
	bool was_swept; /* directories of rules that are gone since the last run were looked for */
};

static inline struct media *media_of(const struct medium *medium)
{
	return medium->rule->media;
}

/*
 * medium_report - this came of what was begun, or was found out. What follows may free the medium:
 * nothing of it is to be touched afterwards, unless the caller knows who holds it.
 */
static inline void medium_report(struct medium *medium, enum medium_part part,
				 enum medium_event event)
{
	media_of(medium)->life(medium, part, event);
}

static inline enum medium_stage medium_stage(const struct medium *medium, enum medium_part part)
{
	return medium->life.part[part].stage;
}

/* Is it being mounted just now; or will it be, after a pause? */
static inline bool medium_is_loading(const struct medium *medium)
{
	enum medium_stage stage = medium_stage(medium, MEDIUM_MOUNT);

	return stage == MEDIUM_ASKING || stage == MEDIUM_WAITING;
}

static inline bool medium_is_under_way(const struct medium *medium)
{
	return medium_is_loading(medium) || medium_stage(medium, MEDIUM_MOUNT) == MEDIUM_PAUSING;
}

/* It has left the queue, and is being unmounted. */
static inline bool medium_is_draining(const struct medium *medium)
{
	enum medium_stage stage = medium_stage(medium, MEDIUM_DRAIN);

	return stage == MEDIUM_LOOKING || stage == MEDIUM_TRYING || stage == MEDIUM_UNMOUNTING;
}

/* ---- register.c ---- */

/* The rule that claims a path, or NULL. */
struct rule *media_rule_of(struct media *media, const char *path, const char **ret_key);
struct medium *media_find(struct media *media, const char *path);
/* Returns 0; -EAGAIN (too many); -ENOMEM. */
int medium_get(struct rule *rule, const char *path, struct medium **ret_medium);
uint64_t media_now(const struct media *media);
/* later_call_at(); says so if there is no memory for it. */
void media_call_at(struct media *media, struct later *later, uint64_t usec, later_fn call,
		   void *userdata);
void media_set_string(char **string, const char *value);
void medium_free(struct medium *medium); /* life_free() is for everybody else */
/* It belongs to another rule now, or (NULL) to none. */
void medium_set_rule(struct medium *medium, struct rule *rule, const char *key);
int rule_new(struct media *media, const struct snapshot_rule *facts, struct rule **ret_rule);
/* Nothing of it may be under way. */
struct rule *rule_free(struct rule *rule);

/* ---- look.c ---- */

/* What is open at its path, once its rule's directory is @directory_fd. Returns 0; -errno. */
int medium_look(struct medium *medium, int directory_fd, int fd, enum placeholder_state *ret_state);
/* Open what is at its path now. Returns a descriptor; -errno. */
int medium_open_path(struct medium *medium, enum placeholder_state *ret_state);
/* Open its root. Returns a descriptor; -ENOENT if the medium is not mounted; -errno. */
int medium_open_root(struct medium *medium);

/* ---- words.c ---- */

/*
 * An "ok" of the rule's handler: does it call its media removable? @is_last_word: of a mount, by
 * which it must have been said. Before that, silence means nothing.
 */
void rule_take_kind(struct rule *rule, const struct proto_message *message, bool is_last_word);
/* What a handler's answer means; medium->message is set to why. */
enum medium_event medium_event_of(enum handler_outcome outcome);
void medium_explain(struct medium *medium, enum handler_outcome outcome,
		    const struct proto_message *message, const char *why);
void medium_say(struct medium *medium, const char *message);
void medium_unsay(struct medium *medium);
void medium_say_errno(struct medium *medium, const char *what, int error);
/* The answer to who waits, of a machine that is DONE or FAILED. */
enum media_outcome medium_outcome_of(const struct medium_course *course);
void medium_log_trouble(const struct medium *medium, const struct medium_course *course,
			bool is_first, const char *what);
/* A request about a medium begins; and is put to its handler: 0; -errno (it cannot be asked). */
void medium_begin_request(struct proto_writer *writer, const char *verb,
			  const struct medium *medium);
int medium_ask(struct medium *medium, struct proto_writer *writer,
	       const struct handler_events *events, struct pending **ret_request);
/* What the handler says of a medium: identity, label, size, source. */
void medium_take_facts(struct medium *medium, const struct proto_message *message);

/* ---- status.c ---- */

/* The state or progress changed: observers are told in the next turn. */
void medium_changed(struct medium *medium);
/* It is about to be freed. */
void medium_drop_observers(struct medium *medium);

/* ---- waiters.c ---- */

/* It is not mounted any more: nobody uses it. */
void medium_forget_users(struct medium *medium);
size_t medium_n_waiting(const struct medium *medium);
/* Is somebody waiting for its mount, or for its number? */
bool medium_is_awaited(const struct medium *medium, enum medium_part part);
/* Does anybody wait for its mount but those on whose behalf the handler was asked? */
bool medium_has_others(const struct medium *medium);
/* Tell those who wait. @refused_only: only those on whose behalf the handler was asked. */
void medium_decide(struct medium *medium, enum medium_part part, enum media_outcome outcome,
		   bool refused_only);
/* The first one waiting for the mount, or NULL: on whose behalf. */
bool medium_first_asker(const struct medium *medium, const char **ret_client,
			const char **ret_domain);
void medium_forget_askers(struct medium *medium); /* they are told NOENT */
/* media_free(): nobody is told any more. */
void medium_drop_askers(struct medium *medium);
void media_drop_decided(struct media *media);

/* ---- lookup.c ---- */

/* Reports FOUND, ABSENT, REFUSED, BROKEN, DELAYED, LOST; or WAITS: for a list. */
void lookup_begin(struct medium *medium);
/* The list has ended. */
void lookup_in_list(struct medium *medium);
void lookup_stop(struct medium *medium);

/* ---- load.c ---- */

/* Reports FOUND, ABSENT, REFUSED, BROKEN, DELAYED, LOST; or WAITS: for its number. */
void load_begin(struct medium *medium);
/* Its number is there. */
void load_go_on(struct medium *medium);
void load_stop(struct medium *medium);
void load_close_placeholder(struct medium *medium);
void load_log_mounted(const struct medium *medium);
/* It is about to be freed. */
void load_done(struct medium *medium);

/* ---- identity.c ---- */

/* Do the medium's numbers stand for one identity each? */
bool identity_is_strict(const struct medium *medium);
/* Is it known which medium is mounted here? Always, if that does not matter. */
bool identity_is_settled(struct medium *medium, int root_fd);
/* Its handler is asked about this mount; -1: to make one. */
void identity_asked(struct medium *medium, int root_fd);
/* Is what its handler says of this mount, if it matters? */
bool identity_is_told(struct medium *medium, int root_fd);
/*
 * identity_settle - the handler says that this is what is mounted now; NULL: it does not say.
 *
 * Returns 0: the path's primary number is the medium's, go on with identity_settled();
 * -EINPROGRESS: done() will be called, then go on; -ENODATA: it does not say, and it
 * did before; -errno.
 */
int identity_settle(struct medium *medium, int root_fd, const char *identity,
		    identity_done_fn done);
void identity_settled(struct medium *medium, const char *identity);
/*
 * medium_open_mounted - medium_open_root() for what is known to be the medium that its number
 * stands for. Returns a descriptor; -ENOENT; -EAGAIN: what is mounted is not identified; -errno.
 */
int medium_open_mounted(struct medium *medium);
bool medium_is_known_mounted(struct medium *medium);
/* The number of what is mounted and settled; else the primary one. */
uint32_t identity_number(const struct medium *medium);
/*
 * Its handler lists another medium there, or what was mounted there is not any more: the primary
 * number follows.
 */
void identity_follow_list(struct medium *medium);
void identity_stop(struct medium *medium);
/* Hold nothing of what is mounted: its handler is to unmount it. */
void identity_let_go(struct medium *medium);
void identity_free(struct medium *medium);

/* ---- catalogue.c ---- */

void catalogue_start(struct rule *rule);
void catalogue_stop(struct rule *rule);
/* List again now; SERVED is reported of each medium when it ends. */
void catalogue_refresh(struct rule *rule);
/* Somebody asks for something of this rule: do not sit out a long pause. */
void catalogue_prod(struct rule *rule);
/* It is not listed, as far as is known. */
void catalogue_forget(struct medium *medium);

/* ---- queue.c ---- */

/* It has come to be mounted. */
void queue_mounted(struct medium *medium);
void queue_used(struct medium *medium);
/* It is drained when it is idle; if it must go, or is not mounted, otherwise. */
void queue_watch(struct medium *medium);
void queue_watch_anew(struct medium *medium);
void queue_turned(struct medium *medium);
void queue_try_later(struct medium *medium);
/* It must go. */
void queue_at_once(struct medium *medium);
/* CALLED is reported when it is its turn. */
void queue_enter(struct medium *medium);
void queue_leave(struct medium *medium);
/* One that was called is not being drained any more. */
void queue_end(struct media *media);
void queue_forget(struct medium *medium);
/* So long a handler took to unmount one. */
void queue_note(struct media *media, uint64_t took_usec);
/* Tell who asked for its drain. */
void queue_tell(struct medium *medium, enum media_drain_outcome outcome);
void queue_done(struct media *media);

/* ---- drain.c ---- */

/* Reports NEEDED, HELD, UNMOUNTED, FREE; or SERVED: it is to be drained. */
void drain_begin(struct medium *medium);
/* Reports BUSY, FREE, UNMOUNTED. @tries_all: whatever may help */
void drain_try(struct medium *medium, bool tries_all);
/* Reports UNMOUNTED, BUSY, BROKEN. */
void drain_ask_unmount(struct medium *medium);
void drain_stop(struct medium *medium);
void drain_log_end(const struct medium *medium, enum media_drain_outcome outcome);
/* Does who asks for the medium end the drain; and how long may it be busy? */
bool drain_turns(const struct medium *medium);
uint64_t drain_patience_usec(const struct medium *medium);
void drain_forget_domains(struct medium *medium);
/* It has come to be mounted. @has_other_domains: the kernel may know more of it than we told it */
void drain_forget_all(struct medium *medium, bool has_other_domains);

/* ---- scan.c ---- */

/* Rules are new: what is mounted under them, and what will be, is taken for what it is. */
void scan_start(struct media *media);
void scan_end(struct media *media);

/* ---- watch.c ---- */

/* It has come to be mounted: from now on its device is looked at. */
void watch_begin(struct medium *medium);
void watch_end(struct medium *medium);
/*
 * What was looked at last (medium->seen) may be another mount than the one that is watched: then
 * that one is, and the old one's trouble is over. Returns whether there was any.
 */
bool watch_follow(struct medium *medium);
enum medium_trouble watch_trouble(const struct medium *medium);

/* Is it to be unmounted, used or not? */
static inline bool medium_must_go(const struct medium *medium)
{
	return medium->is_gone || watch_trouble(medium) != MEDIUM_WELL;
}

/* Returns 0; -errno. */
int watches_start(struct media *media);
void watches_end(struct media *media);

/* ---- places.c ---- */

/* Give a listed medium its number and its placeholder. */
void places_add(struct medium *medium);
void places_forget(struct medium *medium);
/* Remove a placeholder if the daemon made it and nothing is on it. */
void places_remove(struct media *media, const char *directory, const char *path);
void places_stop(struct rule *rule);
/* Clients that list the rules' directories are to list them again. */
void media_names_changed(struct media *media);
void places_end(struct media *media);
/*
 * The directories of a medium that are missing, as paths: for numbers_record_directories().
 * Returns how many, -errno of placeholder_n_missing().
 */
int places_missing(int directory_fd, const struct medium *medium, char ***paths, size_t *n_paths);
void places_free_paths(char **paths, size_t n_paths);
/* Open a rule's literal directory; says once what is wrong with it. */
int rule_open_directory(struct rule *rule);

/* ---- life.c ---- */

/* Whatever happens to a medium, or (MEDIUM_ALL) to all of it. */
void life_happens(struct medium *medium, enum medium_part part, enum medium_event event);
void life_free(struct medium *medium);
