/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * lists.c - DUMP and EXPORT: lists that may need names first.
 *
 * DUMP shows clients by name if the configuration says so. EXPORT leaves out hosts that a netgroup
 * of the same path holds, and whether it does only the name service knows. Either is asked in one
 * roll call, for all who want the list meanwhile; what it does not say in time is shown as it is.
 * EXPORT's reply is made once for each snapshot: it may be megabytes, and anybody may ask for it.
 */

#include "exportsd/mountd/private.h"

#include <errno.h>
#include <stdio.h>
#include <uthash.h>

#include "exportsd/config/config.h"
#include "exportsd/mountd/rmtab.h"
#include "exportsd/mountd/rmtab_file.h"
#include "exportsd/names/rollcall.h"
#include "parser/snapshot/snapshot.h"

enum {
	/* Hosts beside netgroups beyond which nobody is asked, and hosts are listed all. */
	HOSTS_MAX = 4096,
};

/*
 * A client's name, by its text in rmtab; or, with no name, a netgroup's member, by "NUMBER
 * NETGROUP".
 */
struct known {
	UT_hash_handle hh;
	char *name;
	char key[];
};

struct mount_list {
	struct mountd *mountd;
	struct mountd_waiter *calls;
	struct rollcall *rollcall;
	struct known *known;
	struct known **asked; /* DUMP: by index of the roll call */
	const struct snapshot_client **hosts; /* EXPORT: the same */
	size_t n_asked;
};

struct mountd_lists {
	struct mount_list dump, exports;
	/* EXPORT's under this snapshot; no bytes: not made yet */
	struct mountproto_reply exports_reply;
};

/* ---- what was found out ---- */

static struct known *find(const struct mount_list *list, const char *key)
{
	struct known *known;

	HASH_FIND_STR(list->known, key, known);
	return known;
}

/* NULL: out of memory. */
static struct known *add(struct mount_list *list, const char *key)
{
	struct known *known = find(list, key);

	if (known)
		return known;
	known = calloc(1, sizeof(*known) + strlen(key) + 1);
	if (!known)
		return NULL;
	strcpy(known->key, key);
	HASH_ADD_STR(list->known, key, known);
	if (!known->hh.tbl) {
		free(known);
		return NULL;
	}
	return known;
}

static void forget(struct mount_list *list)
{
	struct known *known, *next;

	list->rollcall = rollcall_free(list->rollcall);
	HASH_ITER (hh, list->known, known, next) {
		HASH_DEL(list->known, known);
		free(known->name);
		free(known);
	}
	free(TAKE_PTR(list->asked));
	free(TAKE_PTR(list->hosts));
	list->n_asked = 0;
}

/* ---- asking ---- */

static int ask(struct mount_list *list, const struct address *addresses, size_t n_addresses,
	       rollcall_said_fn said, rollcall_done_fn done)
{
	const struct daemon *daemon = list->mountd->daemon;
	const struct snapshot *snapshot = daemon->snapshot;
	bool with_netgroups = list->hosts;
	size_t n = with_netgroups ? snapshot_n_netgroups(snapshot) : 0;
	CLEANUP(freep) const char **netgroups = calloc(n + 1, sizeof(*netgroups));

	if (!netgroups)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		netgroups[i] = snapshot_netgroup(snapshot, i);
	return rollcall_new(&list->rollcall, daemon->event, daemon->names, addresses, n_addresses,
			    netgroups, n, daemon->config->name_timeout_seconds * UINT64_C(1000000),
			    said, done, list);
}

/* ---- DUMP ---- */

struct dump {
	const struct mount_list *names;
	struct mountproto_list *list;
};

static int list_mount(void *userdata, const char *client, const char *path)
{
	const struct dump *dump = userdata;
	const struct known *known = find(dump->names, client);

	return mountproto_list_mount(dump->list, known && known->name ? known->name : client, path);
}

static void answer_dump(struct mountd *mountd, struct rpc_call *call,
			const struct mountproto_call *request)
{
	CLEANUP(mountproto_list_done) struct mountproto_list list = { 0 };
	struct dump dump = { .names = &mountd->lists->dump, .list = &list };
	struct mountproto_reply reply;
	int r = mountproto_list_begin(&list, request->xid, rpc_call_reply_max(call));

	if (r == 0)
		r = rmtab_each(rmtab_file_list(mountd->rmtab), list_mount, &dump);
	if (r == 0)
		r = mountproto_list_end(&list, &reply);
	mountd_send(call, r, &reply);
}

static void on_client_named(void *userdata, size_t index,
			    const struct snapshot_address_names *known)
{
	struct mount_list *list = userdata;

	if (known->n_names && !list->asked[index]->name)
		list->asked[index]->name = strdup(known->names[0]);
}

static void on_all_named(void *userdata)
{
	struct mount_list *list = userdata;

	mountd_serve_waiters(list->mountd, &list->calls, answer_dump);
	forget(list);
}

static int note_client(void *userdata, const char *client, const char *path)
{
	return add(userdata, client) ? 0 : -ENOMEM;
}

static int ask_clients(struct mount_list *list)
{
	CLEANUP(freep) struct address *addresses = NULL;
	int r = rmtab_each(rmtab_file_list(list->mountd->rmtab), note_client, list);
	size_t n = HASH_COUNT(list->known);

	addresses = calloc(n + 1, sizeof(*addresses));
	list->asked = calloc(n + 1, sizeof(struct known *));
	if (r < 0 || !addresses || !list->asked)
		return -ENOMEM;
	for (struct known *known = list->known; known; known = known->hh.next)
		if (address_parse(known->key, &addresses[list->n_asked]))
			list->asked[list->n_asked++] = known;
	return ask(list, addresses, list->n_asked, on_client_named, on_all_named);
}

void mountd_answer_dump(struct mountd *mountd, struct rpc_call *call,
			const struct mountproto_call *request)
{
	struct mount_list *list = &mountd->lists->dump;

	if (!mountd->daemon->config->reverse_lookup || !mountd_wait(&list->calls, call, request)) {
		answer_dump(mountd, call, request);
		return;
	}
	if (!list->rollcall && ask_clients(list) < 0)
		on_all_named(list);
}

/* ---- EXPORT ---- */

/* Room for a client's number, a blank, and a netgroup's name. */
enum { MEMBER_BYTES = 1100 };

static bool is_member(void *userdata, const struct snapshot_client *host, const char *netgroup)
{
	const struct mount_list *list = userdata;
	char key[MEMBER_BYTES];

	return snprintf(key, sizeof(key), "%u %s", host->id, netgroup) < (int)sizeof(key) &&
	       find(list, key);
}

static void answer_exports(struct mountd *mountd, struct rpc_call *call,
			   const struct mountproto_call *request)
{
	struct mountd_lists *lists = mountd->lists;
	struct mountproto_reply reply;
	int r = 0;

	if (!lists->exports_reply.bytes)
		r = mountd_export_list(mountd->daemon->snapshot, is_member, &lists->exports,
				       &lists->exports_reply);
	if (r == 0)
		r = mountproto_repeat(&lists->exports_reply, request->xid, rpc_call_reply_max(call),
				      &reply);
	mountd_send(call, r, &reply);
}

static void on_host_known(void *userdata, size_t index, const struct snapshot_address_names *known)
{
	struct mount_list *list = userdata;
	char key[MEMBER_BYTES];

	for (size_t i = 0; i < known->n_netgroups; i++)
		if (snprintf(key, sizeof(key), "%u %s", list->hosts[index]->id,
			     known->netgroups[i]) < (int)sizeof(key))
			(void)add(list, key);
}

static void on_hosts_known(void *userdata)
{
	struct mount_list *list = userdata;

	mountd_serve_waiters(list->mountd, &list->calls, answer_exports);
	forget(list);
}

/* Returns 0; 1 if nobody need be asked; -errno. */
static int ask_hosts(struct mount_list *list)
{
	CLEANUP(freep) struct address *addresses = NULL;
	int r = mountd_export_hosts(list->mountd->daemon->snapshot, &list->hosts, &list->n_asked);

	if (r < 0)
		return r;
	if (list->n_asked == 0 || list->n_asked > HOSTS_MAX)
		return 1;
	addresses = calloc(list->n_asked, sizeof(*addresses));
	if (!addresses)
		return -ENOMEM;
	for (size_t i = 0; i < list->n_asked; i++)
		addresses[i] = list->hosts[i]->addresses[0];
	return ask(list, addresses, list->n_asked, on_host_known, on_hosts_known);
}

void mountd_answer_exports(struct mountd *mountd, struct rpc_call *call,
			   const struct mountproto_call *request)
{
	struct mount_list *list = &mountd->lists->exports;

	if (mountd->lists->exports_reply.bytes || !mountd_wait(&list->calls, call, request)) {
		answer_exports(mountd, call, request);
		return;
	}
	if (!list->rollcall && ask_hosts(list) != 0)
		on_hosts_known(list);
}

/* ---- life ---- */

int mountd_lists_new(struct mountd *mountd)
{
	mountd->lists = calloc(1, sizeof(*mountd->lists));
	if (!mountd->lists)
		return -ENOMEM;
	mountd->lists->dump.mountd = mountd->lists->exports.mountd = mountd;
	return 0;
}

void mountd_lists_again(struct mountd *mountd)
{
	struct mount_list *list = &mountd->lists->exports;

	free(TAKE_PTR(mountd->lists->exports_reply.bytes));
	forget(list);
	if (list->calls && ask_hosts(list) != 0)
		on_hosts_known(list);
}

static void drop_all(struct mount_list *list)
{
	mountd_drop_waiters(&list->calls);
	forget(list);
}

void mountd_lists_free(struct mountd *mountd)
{
	if (!mountd->lists)
		return;
	drop_all(&mountd->lists->dump);
	drop_all(&mountd->lists->exports);
	free(mountd->lists->exports_reply.bytes);
	free(TAKE_PTR(mountd->lists));
}
