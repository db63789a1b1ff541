/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * mount_table.h - what is mounted on this host, and what comes and goes.
 *
 * One descriptor on /proc/self/mountinfo tells that something was mounted or unmounted, not what
 * (proc(5)). A thread reads and compares then, as reading takes longer the more mounts there are;
 * the loop is handed the differences, some in a turn, and tells each subscriber each of them once.
 * Many events within a short time are one read: never more than a fifth of the time is spent so.
 *
 * The table is a little behind the kernel, and what is mounted, unmounted and mounted again between
 * two reads, with the same id, device and place, is not seen in it. So it says where to look, and
 * never what lies there: that only the path itself says (fs/mounts.h). mount_table_n_changes() is
 * never behind.
 */

#include <sys/types.h>
#include <systemd/sd-event.h>
#include <uthash.h>

#include "exportsd/base/later.h"
#include "parser/base.h"

struct mount_table;

struct mount_table_entry {
	int id; /* mountinfo's: given to another mount as soon as this one is gone */
	dev_t device;
	bool is_part; /* a directory of a file system was bound, not its root */
	bool may_hang; /* a server or a process answers for the file system, which may never do so */
	const char *target; /* where it is mounted, as mountinfo says: also outside rootdir */
	/* mount_table.c's */
	const char *root;
	UT_hash_handle hh;
	uint64_t serial, seen;
	struct mount_table_entry *next;
	char text[];
};

/* Reads the table once, before it returns. Returns 0; -errno (no /proc). */
int mount_table_new(struct mount_table **ret_table, sd_event *event);
struct mount_table *mount_table_free(struct mount_table *table);

enum mount_table_change {
	MOUNT_TABLE_THERE, /* since before mount_table_subscribe() */
	MOUNT_TABLE_ADDED,
	MOUNT_TABLE_REMOVED, /* told only of what was told to be there, or added; then it is freed */
};
typedef void (*mount_table_fn)(void *userdata, enum mount_table_change change,
			       const struct mount_table_entry *entry);

/* Within whatever it belongs to, zero-initialised. */
struct mount_table_subscriber {
	struct mount_table_subscriber *prev, *next;
	const struct mount_table_entry *untold; /* the first that it was not told of yet */
	uint64_t since;
	mount_table_fn told;
	void *userdata;
};

/*
 * mount_table_subscribe - from the next turn on, all that is there is told, one after another in
 * the order of mountinfo: of several on one place the last is on top; and then what changes. Who
 * has subscribed already is told everything anew, and what he was not told of yet as new.
 *
 * @told: must not subscribe or unsubscribe anybody
 */
void mount_table_subscribe(struct mount_table *table, struct mount_table_subscriber *subscriber,
			   mount_table_fn told, void *userdata);
/* Who has not subscribed is fine. */
void mount_table_unsubscribe(struct mount_table *table, struct mount_table_subscriber *subscriber);

/*
 * mount_table_n_changes - a number that is another one whenever anything was mounted or unmounted
 * since: one system call.
 */
uint64_t mount_table_n_changes(struct mount_table *table);

/*
 * mount_table_wait - until all that was mounted or unmounted by now has been told to those who
 * have subscribed by now.
 *
 * @done: once, never from within this call
 * Returns 0; -ENOMEM.
 */
int mount_table_wait(struct mount_table *table, later_fn done, void *userdata,
		     struct pending **ret_pending);

/* mount_table_find - a mount by mountinfo's id; NULL. Valid in this turn of the loop. */
const struct mount_table_entry *mount_table_find(const struct mount_table *table, int id);
