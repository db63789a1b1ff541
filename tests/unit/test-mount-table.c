/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-mount-table - what is mounted and unmounted, told: real mounts, in a mount namespace of the test's own.
 */

#include <errno.h>
#include <libmount/libmount.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "exportsd/fs/mount_table.h"
#include "tests/fake/own_mounts.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

enum { BURST = 1000 };

static sd_event *event;
static struct mount_table *table;
static char top[] = "/tmp/test-mount-table.XXXXXX";

/* ---- reading ---- */

static struct {
	atomic_uint n_begun;
	atomic_uint n_failing; /* of the next ones */
	atomic_bool waits; /* after reading, until this is false again */
} reads;

struct libmnt_table *mnt_new_table_from_file(const char *file)
{
	struct libmnt_table *mounts = mnt_new_table();

	reads.n_begun++;
	if (reads.n_failing > 0) {
		reads.n_failing--;
		mnt_unref_table(mounts);
		return NULL;
	}
	if (mnt_table_parse_file(mounts, file) != 0)
		abort();
	while (reads.waits)
		usleep(1000);
	return mounts;
}

/* ---- who is told ---- */

struct listener {
	struct mount_table_subscriber subscriber;
	unsigned int n_there, n_added, n_removed; /* beneath top */
	char last[64]; /* added or removed, without top */
	bool is_part; /* that one */
	int id;
};

static void on_mount(void *userdata, enum mount_table_change change,
		     const struct mount_table_entry *entry)
{
	struct listener *listener = userdata;

	if (strncmp(entry->target, top, strlen(top)) != 0)
		return;
	listener->n_there += change == MOUNT_TABLE_THERE;
	listener->n_added += change == MOUNT_TABLE_ADDED;
	listener->n_removed += change == MOUNT_TABLE_REMOVED;
	snprintf(listener->last, sizeof(listener->last), "%s", entry->target + strlen(top));
	listener->is_part = entry->is_part;
	listener->id = entry->id;
}

static void listen_again(struct listener *listener)
{
	listener->n_there = listener->n_added = listener->n_removed = 0;
	mount_table_subscribe(table, &listener->subscriber, on_mount, listener);
}

static void listen_to(struct listener *listener)
{
	memset(listener, 0, sizeof(*listener));
	listen_again(listener);
}

static void is_told(const struct listener *listener, unsigned int there, unsigned int added,
		    unsigned int removed, const char *what)
{
	ok(listener->n_there == there && listener->n_added == added &&
		   listener->n_removed == removed,
	   "%s: %u there, %u added, %u removed", what, listener->n_there, listener->n_added,
	   listener->n_removed);
}

static void on_done(void *userdata)
{
	(*(unsigned int *)userdata)++;
}

/* Until all is told. */
static void settle(void)
{
	struct pending *pending = NULL;
	unsigned int n = 0;

	if (mount_table_wait(table, on_done, &n, &pending) < 0 || n != 0)
		abort();
	ok(loop_until(event, &n, 1, 10000), "  all is told");
}

/* ---- mounts ---- */

static char *at(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s%s", top, name);
	return path;
}

static void mount_at(const char *name)
{
	mkdir(at(name), 0755);
	if (mount("tmpfs", at(name), "tmpfs", 0, NULL) < 0)
		perror(name);
}

static void unmount_at(const char *name)
{
	if (umount2(at(name), 0) < 0)
		perror(name);
}

static void start(void)
{
	if (mount("tmpfs", top, "tmpfs", 0, "mode=755") < 0 || mount_table_new(&table, event) < 0)
		exit(EXIT_FAILURE);
	reads.n_begun = 0;
}

static void stop(void)
{
	table = mount_table_free(table);
	umount2(top, MNT_DETACH);
}

/* ---- tests ---- */

static void test_told_once(void)
{
	struct listener first, late;

	start();
	listen_to(&first);
	is_told(&first, 0, 0, 0, "nothing is told from within the call");
	settle();
	is_told(&first, 1, 0, 0, "what was there is told");
	mount_at("/a");
	settle();
	is_told(&first, 1, 1, 0, "what is mounted is");
	is_str(first.last, "/a", "  where");
	ok(!first.is_part, "  and that it is a whole file system");
	ok(mount_table_find(table, first.id), "it is found by its id");
	listen_to(&late);
	settle();
	is_told(&late, 2, 0, 0, "who comes late is told of both");
	is_told(&first, 1, 1, 0, "and nobody else is");
	unmount_at("/a");
	settle();
	is_told(&first, 1, 1, 1, "what is unmounted is told");
	is_told(&late, 2, 0, 1, "to all");
	mount_table_unsubscribe(table, &late.subscriber);
	mount_at("/a");
	settle();
	is_told(&late, 2, 0, 1, "who unsubscribes is told nothing more");
	mkdir(at("/a/inner"), 0755);
	mkdir(at("/bound"), 0755);
	{
		char inner[128];

		snprintf(inner, sizeof(inner), "%s", at("/a/inner"));
		if (mount(inner, at("/bound"), NULL, MS_BIND, NULL) < 0)
			perror("bind");
	}
	settle();
	is_str(first.last, "/bound", "a directory that is bound");
	ok(first.is_part, "  is a part");
	listen_again(&first);
	settle();
	is_told(&first, 3, 0, 0, "who subscribes again is told all again");
	stop();
}

static void test_changes(void)
{
	struct listener listener;
	char from[128];
	uint64_t n;

	start();
	mount_at("/a");
	listen_to(&listener);
	settle();
	is_told(&listener, 1, 1, 0, "what came since the table was made is told as new");
	n = mount_table_n_changes(table);
	ok(n == mount_table_n_changes(table), "as long as nothing changes the number stays");
	mount_at("/b");
	ok(n != mount_table_n_changes(table), "it is another one at once");
	settle();
	unmount_at("/b");
	mount_at("/c");
	settle();
	is_told(&listener, 1, 3, 1, "one goes, another one comes, perhaps with its id");
	is_str(listener.last, "/c", "  which is told last");
	if (mount(NULL, top, NULL, MS_PRIVATE, NULL) < 0)
		perror("private");
	mkdir(at("/d"), 0755);
	snprintf(from, sizeof(from), "%s", at("/c"));
	if (mount(from, at("/d"), NULL, MS_MOVE, NULL) < 0)
		perror("move");
	settle();
	is_told(&listener, 1, 4, 2, "one that is moved goes and comes");
	mount_at("/d");
	settle();
	listen_again(&listener);
	settle();
	is_told(&listener, 4, 0, 0, "two on one place are two");
	unmount_at("/d");
	settle();
	is_told(&listener, 4, 0, 1, "of which one goes");
	stop();
}

/* In one directory, which goes with all of them. */
static void mount_many(void)
{
	char name[32];

	mount_at("/many");
	for (unsigned int i = 1; i < BURST; i++) {
		snprintf(name, sizeof(name), "/many/%u", i);
		mount_at(name);
	}
}

static void unmount_many(void)
{
	if (umount2(at("/many"), MNT_DETACH) < 0)
		perror("many");
}

static void test_burst(void)
{
	struct listener listener, late;

	start();
	listen_to(&listener);
	settle();
	reads.n_begun = 0;
	mount_many();
	settle();
	is_told(&listener, 1, BURST, 0, "of many mounts at once each is told");
	ok(reads.n_begun <= 2, "after %u reads", reads.n_begun);
	listen_to(&late);
	(void)sd_event_run(event, 1000);
	ok(late.n_there > 0 && late.n_there < BURST, "some in a turn: %u", late.n_there);
	unmount_many();
	settle();
	is_told(&listener, 1, BURST, BURST, "and that they go");
	ok(late.n_there == late.n_removed + 1,
	   "who was told of %u of them is told that these go: %u", late.n_there, late.n_removed);
	reads.n_begun = 0;
	loop_for(event, 300);
	is_int(reads.n_begun, 0, "nothing happens: nothing is read");
	stop();
}

/* Who subscribes again before he was told all that is new is told so. */
static void test_again_meanwhile(void)
{
	struct listener listener;
	unsigned int n_before = 0;

	start();
	listen_to(&listener);
	settle();
	mount_many();
	while (listener.n_added == 0)
		(void)sd_event_run(event, 1000);
	n_before = listener.n_added;
	ok(n_before < BURST, "of many new mounts some are told: %u", n_before);
	listen_again(&listener);
	settle();
	is_told(&listener, 1 + n_before, BURST - n_before, 0,
		"to who subscribes again the others are new still");
	unmount_many();
	stop();
}

static void test_rate(void)
{
	struct listener listener;
	uint64_t begun;
	unsigned int n;

	start();
	listen_to(&listener);
	settle();
	begun = loop_now_msec();
	for (n = 0; loop_now_msec() < begun + 500; n++) {
		mount_at("/x");
		loop_for(event, 1);
		unmount_at("/x");
		loop_for(event, 1);
	}
	ok(reads.n_begun >= 2 && reads.n_begun <= 8,
	   "of %u events within half a second some are read: %u times", 2 * n, reads.n_begun);
	settle();
	is_int(listener.n_added, listener.n_removed, "and all that came went");
	stop();
}

/* Something happens while the thread reads. */
static void test_meanwhile(void)
{
	struct pending *early = NULL, *cancelled = NULL;
	unsigned int n_early = 0, n_cancelled = 0;
	struct listener listener;

	start();
	listen_to(&listener);
	settle();
	reads.waits = true;
	mount_at("/a");
	if (mount_table_wait(table, on_done, &n_early, &early) < 0 ||
	    mount_table_wait(table, on_done, &n_cancelled, &cancelled) < 0)
		abort();
	while (reads.n_begun == 0)
		loop_for(event, 1);
	loop_for(event, 20); /* it has been read */
	mount_at("/b");
	is_int(n_early, 0, "while it is read nobody is told");
	pending_cancel(&cancelled);
	reads.waits = false;
	ok(loop_until(event, &n_early, 1, 5000), "who waited before is told after that read");
	is_told(&listener, 1, 1, 0, "  with what was mounted by then");
	loop_for(event, 300);
	is_told(&listener, 1, 2, 0, "what was mounted meanwhile is told without a further event");
	is_int(reads.n_begun, 2, "  by one more read");
	is_int(n_cancelled, 0, "who was cancelled is told nothing");

	reads.n_failing = 2;
	unmount_at("/a");
	settle();
	is_told(&listener, 1, 2, 1, "what could not be read is read again");
	is_int(reads.n_begun, 5, "  until it can be");

	reads.waits = true;
	mount_at("/a");
	if (mount_table_wait(table, on_done, &n_early, &early) < 0)
		abort();
	while (reads.n_begun == 5)
		loop_for(event, 1);
	reads.waits = false;
	stop();
	loop_for(event, 20);
	is_int(n_early, 1, "when all ends, nobody is told");
}

int main(void)
{
	if (own_mounts() < 0) {
		printf("1..0 # SKIP no mount namespace here\n");
		return 0;
	}
	if (!mkdtemp(top) || sd_event_new(&event) < 0)
		return EXIT_FAILURE;
	test_told_once();
	test_changes();
	test_burst();
	test_again_meanwhile();
	test_rate();
	test_meanwhile();
	sd_event_unref(event);
	rmdir(top);
	return tap_done();
}
