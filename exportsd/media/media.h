/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * media.h - the media under the rules: which there are, their numbers and placeholders, and the
 * life of each, however many ask for it.
 *
 *	absent ── loading ── mounted ── draining ── absent
 *	   └── failed (a "no" that is remembered for seconds)
 *
 * A medium counts as mounted only while its path is the root of a mount that is not its own
 * placeholder's (P4), which is looked at each time it is asked for. Trouble that may pass keeps who
 * asks waiting (P5). A handler that is not there is asked again with a growing pause. Under
 * identity=strict nobody is told of a mount before its handler has said which medium it is
 * (exportsd.conf(5)).
 *
 * A path given to these functions is a medium's: snapshot_find() said MEDIUM, cut at medium_length.
 *
 * Owns the handlers (handler.h) and the placeholder directories; borrows the number store.
 */

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "exportsd/base/later.h"
#include "exportsd/config/config.h"
#include "exportsd/numbers/numbers.h"
#include "parser/snapshot/snapshot.h"

struct media;
struct mount_table;

/* config, numbers, mounts: borrowed */
int media_new(struct media **ret_media, sd_event *event, const struct config *config,
	      struct numbers *numbers, struct mount_table *mounts);
struct media *media_free(struct media *media);

/*
 * media_set_snapshot - other exports are in force.
 *
 * Rules that are gone: their handler is let go, placeholders that the daemon made and that nothing
 * is mounted on are removed; what is mounted stays. New rules: the handler is asked for its list,
 * is watched, and placeholders are made. Rules that stayed (same pattern, same handler) are left
 * alone, requests under way go on.
 *
 * @snapshot: borrowed until the next call
 */
int media_set_snapshot(struct media *media, const struct snapshot *snapshot);

/* Answers to whoever asks for a medium. */
enum media_outcome {
	MEDIA_OK,
	MEDIA_NOENT, /* its handler says there is no such medium; or no rule claims the path now */
	MEDIA_DENIED,
	MEDIA_ERROR, /* broken, and the rule's deadline is over */
	MEDIA_TIMED_OUT, /* only for requests with a time limit: it may still come */
};

/*
 * media_number - the number of a medium's path, without loading anything.
 *
 * Known numbers are answered at once from memory, listed or not, whatever the handler does.
 * Otherwise the handler's list, or a lookup, decides whether there is such a medium.
 *
 * Returns 0 and calls done() exactly once, later; MEDIA_NOW with *ret_number at once, done() not
 * called; -errno. outcome of done(): OK, NOENT, DENIED, ERROR; it waits for a handler that is not
 * there.
 */
enum { MEDIA_NOW = 1 };
typedef void (*media_number_fn)(void *userdata, enum media_outcome outcome, uint32_t number);
int media_number(struct media *media, const char *path, media_number_fn done, void *userdata,
		 uint32_t *ret_number, struct pending **ret_request);

/*
 * media_is_mounted - is the medium itself mounted at its path right now (a statx(2))?
 */
bool media_is_mounted(struct media *media, const char *path);

/*
 * media_open_mounted - the medium itself, if it is mounted at its path right now.
 *
 * Returns an O_PATH descriptor on its root, the caller's to close, and its number; -ENOENT: it is
 * not mounted; -EAGAIN: something is, and which medium it is has to be asked first: media_mount()
 * does; -errno.
 */
int media_open_mounted(struct media *media, const char *path, uint32_t *ret_number);

/* media_is_still - is this mount, which media_mount() gave, what is at the path now? */
bool media_is_still(struct media *media, const char *path, int root_fd);

/*
 * media_number_fits - does a number of a path stand for the medium that media_mount() has found
 * there? Not, under identity=strict, if it was given for another one, or if its handler does not
 * say which one is there.
 */
bool media_number_fits(struct media *media, const char *path, uint32_t number);

/* A medium, mounted, held so: while the descriptor is open umount(2) says EBUSY. */
struct media_mounted {
	uint32_t number;
	int root_fd; /* O_PATH on its root, closed after the call: TAKE_FD() it to keep it */
};

/*
 * media_mount - have a medium mounted.
 *
 * @client, @domain: on whose behalf, told to the handler; may be NULL
 * @timeout_usec: after this done() gets MEDIA_TIMED_OUT while loading goes on; 0: wait for ever
 * @done:   exactly once, never from within this call
 *
 * However many ask, the handler is asked once; when one request is cancelled, loading goes on for
 * the others. Asked of a mounted medium, done() is called without the handler.
 */
typedef void (*media_mount_fn)(void *userdata, enum media_outcome outcome,
			       struct media_mounted *mounted, const char *why);
int media_mount(struct media *media, const char *path, const char *client, const char *domain,
		uint64_t timeout_usec, media_mount_fn done, void *userdata,
		struct pending **ret_request);

/* How long who asks MOUNT for a medium waits for it at most: its rule's deadline. */
uint64_t media_deadline_usec(struct media *media, const char *path);

/*
 * media_drain - have the kernel let go of a medium, and unmount it.
 *
 * Questions about the medium are kept meanwhile and answered afterwards: who asks for it then has
 * it mounted again. What the kernel knows of other exports is left alone.
 *
 * MEDIA_DRAIN_IDLE:  a question turns it round: the medium stays
 * MEDIA_DRAIN_EJECT: questions wait; the handler is told to give the medium up (open the tray)
 * MEDIA_DRAIN_FORCE: as EJECT, and NFSv4 clients lose what they hold on it
 * MEDIA_DRAIN_GONE:  it was taken out by hand, or its device fails: as EJECT, and nothing is to be
 *                    given up. What is on a device that is gone for good is unmounted, whoever
 *                    holds it
 *
 * @done: exactly once, never from within this call
 * @ret_drain: cancelled, what is begun goes on
 * Returns 0; -ENOENT (no rule claims the path); -EALREADY (it is being drained); -errno.
 */
enum media_drain_kind { MEDIA_DRAIN_IDLE, MEDIA_DRAIN_EJECT, MEDIA_DRAIN_FORCE, MEDIA_DRAIN_GONE };
enum media_drain_outcome {
	MEDIA_DRAINED, /* it is not mounted any more, or was not before */
	MEDIA_DRAIN_IN_USE, /* something holds it (ctl/holders.h): it stays mounted and served */
	MEDIA_DRAIN_WANTED, /* somebody asked for it: IDLE, or before the drain began */
	MEDIA_DRAIN_FAILED, /* its handler cannot unmount it: @why */
};
typedef void (*media_drain_fn)(void *userdata, enum media_drain_outcome outcome, const char *why);
int media_drain(struct media *media, const char *path, enum media_drain_kind kind,
		media_drain_fn done, void *userdata, struct pending **ret_drain);

/*
 * The kernel's side of a drain, given by who knows the kernel (media.h lies below it).
 *
 * look:     does NFSv4 state hold this file system that a client may need? @quiet_usec: how long
 *           nobody used the medium; delegations count only for a while, clients that are gone do
 *           not. @done: exactly once, never from within the call; of a moment after the call if
 *           quiet_usec is 0, else perhaps of up to a second before. That nothing holds it is over
 *           when it is told: the kernel has the last word (EBUSY). Returns 0; -ENOMEM.
 * shed:     begin to let go of the NFSv4 state that does not count; it may take a second
 * revoke:   begin to take away all of it; @spares_others: if that can be had without what clients
 *           hold elsewhere, else shed
 * withdraw: the kernel forgets the medium within MEDIA_FORGET_USEC: for each domain its export
 *           entries, also of paths within it, and its numbers' keys; then sweep. @domains: those
 *           that media_note_domain() named; @all: and whatever else the kernel lists. Returns 0;
 *           -errno.
 * sweep:    have it free what it forgot (a write that changes nothing)
 */
static const uint64_t MEDIA_FORGET_USEC = 2000000;
struct media_withdrawal {
	const char *path;
	int root_fd; /* O_PATH on the medium's root */
	uint32_t number; /* primary; the path's others are found by numbers/numbers.h */
	const char *const *domains;
	size_t n_domains;
	bool all;
};
typedef void (*media_looked_fn)(void *whose, bool is_held);
struct media_kernel {
	int (*look)(void *userdata, dev_t device, uint64_t quiet_usec, media_looked_fn done,
		    void *whose, struct pending **ret_pending);
	void (*shed)(void *userdata, const char *path, dev_t device);
	void (*revoke)(void *userdata, const char *path, dev_t device, bool spares_others);
	int (*withdraw)(void *userdata, const struct media_withdrawal *withdrawal);
	void (*sweep)(void *userdata);
	void *userdata;
};
void media_set_kernel(struct media *media, const struct media_kernel *kernel);

/*
 * media_note_domain - the kernel was told of this mounted medium for this domain: it holds the
 * mount now.
 */
void media_note_domain(struct media *media, const char *path, const char *domain);
/*
 * How long the kernel may keep what it is told of a mounted medium, seconds: less than it takes to
 * be idle.
 */
uint32_t media_ttl_seconds(struct media *media, const char *path);

/*
 * media_placeholder_fd - for a short while after a medium was mounted: an O_PATH descriptor on its
 * placeholder, opened before (the kernel may still wait for an answer about the
 * covered directory), or -1. Borrowed, valid until the loop goes on.
 */
int media_placeholder_fd(struct media *media, const char *path);

enum media_state {
	MEDIA_ABSENT,
	MEDIA_LOADING,
	MEDIA_MOUNTED,
	MEDIA_DRAINING,
	MEDIA_FAILED,
};
const char *media_state_word(enum media_state state);

/* One medium as status shows it. Valid until the loop goes on. */
struct medium_status {
	const char *path;
	enum media_state state;
	uint32_t number; /* 0: none yet */
	bool listed; /* its handler lists it now */
	const char *identity; /* of the last mount, or of the list; NULL unknown */
	const char *label;
	uint64_t size_bytes; /* 0: unknown */
	const char *source; /* device or whatever the handler said; NULL unknown */
	uint64_t since_usec; /* CLOCK_REALTIME of the last change of state; 0: since the start */
	unsigned int percent; /* of loading, 0..100 */
	const char *message; /* last progress or failure; NULL none */
	size_t n_waiting; /* requests that wait for it */
	/* Addresses (MOUNT) and domains (handles) it was handed to since it was mounted. */
	const char *const *users;
	size_t n_users;
	const char *handler;
	uint64_t used_usec; /* MOUNTED: CLOCK_MONOTONIC of the last sign of use */
	dev_t device; /* MOUNTED: its file system's */
};

/*
 * Call back for each known medium in order of path (strcmp), from behind @after on (NULL: all); a
 * non-zero return ends it and is returned.
 */
int media_each(struct media *media, const char *after,
	       int (*each)(void *userdata, const struct medium_status *status), void *userdata);
/*
 * How many media are known, and how many were mounted when last looked at: cheap, nothing is looked
 * at.
 */
size_t media_count(const struct media *media, size_t *ret_n_mounted);
/* The status of one path; false: nothing is known of it. */
bool media_status(struct media *media, const char *path, struct medium_status *ret_status);

/*
 * media_observe - be told of every change of state and every progress message of one medium
 * until media_unobserve(): what exportsctl mount shows.
 */
struct media_observer;
typedef void (*media_observe_fn)(void *userdata, const struct medium_status *status);
int media_observe(struct media *media, const char *path, media_observe_fn changed, void *userdata,
		  struct media_observer **ret_observer);
void media_unobserve(struct media_observer *observer);

/*
 * media_on_names - be told when names have come or gone in the rules' directories: @changed is
 * called from the loop, at most once a second.
 */
void media_on_names(struct media *media, void (*changed)(void *userdata), void *userdata);
