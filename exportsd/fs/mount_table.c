/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mount_table.c - the table is a hash by id, in the order in which its entries are told.
 *
 *	event ──► due ──pause──► the thread reads, and makes two lists: what is new, what is gone
 *	           ▲                  │
 *	           │                  ▼
 *	           └── told ◄── turns of the loop: the gone are told and freed, the new ones join the
 *	                        table, each subscriber is told of what it has not heard of
 *
 * While the thread reads, the loop leaves the table as it is. A subscriber that comes late, and one
 * that has heard all but what is new, are the same: each has a place in the table up to which it was
 * told.
 */

#include "exportsd/fs/mount_table.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <poll.h>
#include <sys/epoll.h>
#include <utlist.h>

#include "exportsd/base/background.h"

enum {
	TELL_AT_ONCE = 200, /* in one turn of the loop */
	PAUSE_USEC = 100 * 1000, /* from the end of one read to the next; and at least */
	PAUSE_FACTOR = 4, /* times as long as the read took */
};

struct mount_table_wait {
	struct pending pending;
	struct mount_table_wait *prev, *next;
	struct mount_table *table;
	struct later later; /* it is over */
	uint64_t read; /* waits for this one, or a later one, to be told */
	later_fn done;
	void *userdata;
};

struct mount_table {
	sd_event *event;
	int mountinfo;
	sd_event_source *source;
	uint64_t n_changes;
	bool is_due; /* to be read: something has changed since it was begun to be read last */
	struct pending *reading;
	uint64_t begun_usec, next_read_usec;
	uint64_t n_begun, n_read, n_told; /* reads */
	struct later read_later, turn;
	struct mount_table_entry *entries; /* hash by id */
	struct mount_table_entry *added, *removed; /* not in the table yet; still in it */
	bool has_failed; /* to read */
	uint64_t serial; /* of the last that joined the table */
	struct mount_table_subscriber *subscribers;
	struct mount_table_wait *waits;
};

static void read_when_due(struct mount_table *table);
static void on_turn(void *userdata);

/* ---- the thread ---- */

static struct mount_table_entry *entry_new(struct libmnt_fs *fs)
{
	const char *target = mnt_fs_get_target(fs) ?: "", *root = mnt_fs_get_root(fs) ?: "/";
	const char *type = mnt_fs_get_fstype(fs) ?: "";
	size_t target_size = strlen(target) + 1, root_size = strlen(root) + 1;
	struct mount_table_entry *entry = malloc(sizeof(*entry) + target_size + root_size);

	if (!entry)
		return NULL;
	*entry = (struct mount_table_entry){
		.id = mnt_fs_get_id(fs),
		.device = mnt_fs_get_devno(fs),
		.is_part = !str_equal(root, "/"),
		.may_hang = mnt_fs_is_netfs(fs) || strncmp(type, "fuse", strlen("fuse")) == 0,
		.target = memcpy(entry->text, target, target_size),
		.root = memcpy(entry->text + target_size, root, root_size),
	};
	return entry;
}

static bool is_same(const struct mount_table_entry *entry, struct libmnt_fs *fs)
{
	return entry->device == mnt_fs_get_devno(fs) &&
	       str_equal(entry->target, mnt_fs_get_target(fs) ?: "") &&
	       str_equal(entry->root, mnt_fs_get_root(fs) ?: "/");
}

/* Returns 0 or -ENOMEM. */
static int compare(struct mount_table *table, struct libmnt_fs *fs,
		   struct mount_table_entry ***last)
{
	int id = mnt_fs_get_id(fs);
	struct mount_table_entry *entry;

	HASH_FIND_INT(table->entries, &id, entry);
	if (entry && is_same(entry, fs)) {
		entry->seen = table->n_begun;
		return 0;
	}
	entry = entry_new(fs);
	if (!entry)
		return -ENOMEM;
	**last = entry;
	*last = &entry->next;
	return 0;
}

static void free_list(struct mount_table_entry **list)
{
	while (*list) {
		struct mount_table_entry *entry = *list;

		LL_DELETE(*list, entry);
		free(entry);
	}
}

static int read_mountinfo(struct mount_table *table)
{
	struct libmnt_table *mounts = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iterator = mnt_new_iter(MNT_ITER_FORWARD);
	struct mount_table_entry **last = &table->added;
	struct libmnt_fs *fs;
	int r = mounts && iterator ? 0 : -ENOMEM;

	while (r == 0 && mnt_table_next_fs(mounts, iterator, &fs) == 0)
		r = compare(table, fs, &last);
	mnt_free_iter(iterator);
	mnt_unref_table(mounts);
	return r;
}

static void read_table(void *userdata)
{
	struct mount_table *table = userdata;

	table->has_failed = read_mountinfo(table) < 0;
	if (table->has_failed) {
		free_list(&table->added);
		return;
	}
	for (struct mount_table_entry *entry = table->entries; entry; entry = entry->hh.next)
		if (entry->seen != table->n_begun)
			LL_PREPEND(table->removed, entry);
}

/* ---- telling, in slices ---- */

static bool was_told(const struct mount_table_subscriber *subscriber,
		     const struct mount_table_entry *entry)
{
	return !subscriber->untold || entry->serial < subscriber->untold->serial;
}

static void remove_first(struct mount_table *table)
{
	struct mount_table_entry *entry = table->removed;
	struct mount_table_subscriber *subscriber;

	LL_DELETE(table->removed, entry);
	DL_FOREACH (table->subscribers, subscriber) {
		if (was_told(subscriber, entry))
			subscriber->told(subscriber->userdata, MOUNT_TABLE_REMOVED, entry);
		else if (subscriber->untold == entry)
			subscriber->untold = entry->hh.next;
	}
	HASH_DEL(table->entries, entry);
	free(entry);
}

/* An id that is there twice was read while it was given to another mount: more is to be read. */
static void add_first(struct mount_table *table)
{
	struct mount_table_entry *entry = table->added, *twice;
	struct mount_table_subscriber *subscriber;

	LL_DELETE(table->added, entry);
	HASH_FIND_INT(table->entries, &entry->id, twice);
	if (!twice) {
		HASH_ADD_INT(table->entries, id, entry);
		if (!entry->hh.tbl)
			table->is_due = true;
	}
	if (twice || !entry->hh.tbl) {
		free(entry);
		return;
	}
	entry->seen = table->n_begun;
	entry->serial = ++table->serial;
	DL_FOREACH (table->subscribers, subscriber)
		if (!subscriber->untold)
			subscriber->untold = entry;
}

static void tell_next(struct mount_table_subscriber *subscriber)
{
	const struct mount_table_entry *entry = subscriber->untold;

	subscriber->untold = entry->hh.next;
	subscriber->told(subscriber->userdata,
			 entry->serial <= subscriber->since ? MOUNT_TABLE_THERE : MOUNT_TABLE_ADDED,
			 entry);
}

/* Returns whether there was any. */
static bool do_one(struct mount_table *table)
{
	struct mount_table_subscriber *subscriber;

	if (!table->reading && table->removed) {
		remove_first(table);
		return true;
	}
	if (!table->reading && table->added) {
		add_first(table);
		return true;
	}
	DL_FOREACH (table->subscribers, subscriber)
		if (subscriber->untold) {
			tell_next(subscriber);
			return true;
		}
	return false;
}

static void on_over(void *userdata)
{
	struct mount_table_wait *wait = userdata;
	later_fn done = wait->done;
	void *whose = wait->userdata;

	wait->pending.cancel(&wait->pending);
	done(whose);
}

static void on_turn(void *userdata)
{
	struct mount_table *table = userdata;
	struct mount_table_wait *wait;

	for (unsigned int i = 0; i < TELL_AT_ONCE; i++)
		if (!do_one(table)) {
			table->n_told = table->n_read;
			DL_FOREACH (table->waits, wait)
				if (wait->read <= table->n_told)
					later_call(&wait->later, table->event, on_over, wait);
			read_when_due(table);
			return;
		}
	later_call(&table->turn, table->event, on_turn, table);
}

/* ---- reading ---- */

static void on_read(void *userdata)
{
	struct mount_table *table = userdata;
	uint64_t now = later_now_usec(), pause = PAUSE_FACTOR * (now - table->begun_usec);

	table->reading = NULL;
	table->next_read_usec = now + (pause > PAUSE_USEC ? pause : PAUSE_USEC);
	table->is_due |= table->has_failed;
	if (!table->has_failed)
		table->n_read = table->n_begun;
	on_turn(table);
}

static void begin_to_read(void *userdata)
{
	struct mount_table *table = userdata;

	if (table->reading || table->added || table->removed)
		return; /* when that is told */
	table->is_due = false;
	table->n_begun++;
	table->begun_usec = later_now_usec();
	if (background_start(&table->reading, table->event, read_table, on_read, table) < 0) {
		table->has_failed = true;
		on_read(table);
	}
}

static void read_when_due(struct mount_table *table)
{
	if (!table->is_due)
		return;
	if (later_now_usec() >= table->next_read_usec)
		later_call(&table->read_later, table->event, begin_to_read, table);
	else
		(void)later_call_at(&table->read_later, table->event, table->next_read_usec,
				    begin_to_read, table);
}

static void note_change(struct mount_table *table)
{
	table->n_changes++;
	table->is_due = true;
	if (!table->reading)
		read_when_due(table);
}

/* The kernel reports a changed mount table as a priority event on mountinfo (proc(5)). */
static int on_event(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	note_change(userdata);
	return 0;
}

/* ---- for others ---- */

uint64_t mount_table_n_changes(struct mount_table *table)
{
	struct pollfd changes = { .fd = table->mountinfo, .events = POLLPRI };

	if (poll(&changes, 1, 0) > 0)
		note_change(table);
	return table->n_changes;
}

const struct mount_table_entry *mount_table_find(const struct mount_table *table, int id)
{
	struct mount_table_entry *entry;

	HASH_FIND_INT(table->entries, &id, entry);
	return entry;
}

static void cancel_wait(struct pending *pending)
{
	struct mount_table_wait *wait = (struct mount_table_wait *)pending;

	DL_DELETE(wait->table->waits, wait);
	later_cancel(&wait->later);
	free(wait);
}

int mount_table_wait(struct mount_table *table, later_fn done, void *userdata,
		     struct pending **ret_pending)
{
	struct mount_table_wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return -ENOMEM;
	(void)mount_table_n_changes(table);
	*wait = (struct mount_table_wait){ .pending.cancel = cancel_wait,
					   .table = table,
					   .read = table->n_begun + table->is_due,
					   .done = done,
					   .userdata = userdata };
	DL_APPEND(table->waits, wait);
	/* Also where nothing is to be told: who waits is. */
	later_call(&table->turn, table->event, on_turn, table);
	*ret_pending = &wait->pending;
	return 0;
}

/* The last one that was there before: what it was not told of yet that is new stays new. */
static uint64_t since_when(const struct mount_table *table,
			   const struct mount_table_subscriber *subscriber)
{
	uint64_t told = subscriber->untold ? subscriber->untold->serial - 1 : table->serial;

	return !subscriber->told	  ? table->serial
	       : told > subscriber->since ? told
					  : subscriber->since;
}

void mount_table_subscribe(struct mount_table *table, struct mount_table_subscriber *subscriber,
			   mount_table_fn told, void *userdata)
{
	uint64_t since = since_when(table, subscriber);

	mount_table_unsubscribe(table, subscriber);
	*subscriber = (struct mount_table_subscriber){
		.untold = table->entries, .since = since, .told = told, .userdata = userdata
	};
	DL_APPEND(table->subscribers, subscriber);
	later_call(&table->turn, table->event, on_turn, table);
}

void mount_table_unsubscribe(struct mount_table *table, struct mount_table_subscriber *subscriber)
{
	if (subscriber->told)
		DL_DELETE(table->subscribers, subscriber);
	subscriber->told = NULL;
}

/* ---- the whole ---- */

static int watch(struct mount_table *table)
{
	int r;

	table->mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (table->mountinfo < 0)
		return -errno;
	r = sd_event_add_io(table->event, &table->source, table->mountinfo, EPOLLPRI, on_event,
			    table);
	/*
	 * What epoll has seen, poll(2) no longer shows (linux fs/proc_namespace.c mounts_poll()):
	 * the loop has to tell of it before anybody asks.
	 */
	return r < 0 ? r : sd_event_source_set_priority(table->source, SD_EVENT_PRIORITY_IMPORTANT);
}

int mount_table_new(struct mount_table **ret_table, sd_event *event)
{
	struct mount_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	table->event = event;
	r = watch(table);
	if (r < 0) {
		mount_table_free(table);
		return r;
	}
	table->n_begun = table->n_read = table->n_told = 1;
	read_table(table);
	table->is_due = table->has_failed;
	while (do_one(table))
		;
	read_when_due(table);
	*ret_table = table;
	return 0;
}

struct mount_table *mount_table_free(struct mount_table *table)
{
	struct mount_table_entry *entry, *next;

	if (!table)
		return NULL;
	pending_cancel(&table->reading);
	while (table->waits)
		cancel_wait(&table->waits->pending);
	later_cancel(&table->read_later);
	later_cancel(&table->turn);
	sd_event_source_disable_unref(table->source);
	closep(&table->mountinfo);
	HASH_ITER (hh, table->entries, entry, next) {
		HASH_DEL(table->entries, entry);
		free(entry);
	}
	free_list(&table->added);
	free(table);
	return NULL;
}
