/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What "showmount -e" shows. Exports are sorted by path and, within one, as clients are
 * matched: hosts, subnets, wildcards, netgroups, everybody. A path's exports then lie side by side.
 */

#include "exportsd/mountd/private.h"

#include <errno.h>

#include "parser/snapshot/snapshot.h"

enum {
	/* Hosts times networks of one path beyond which hosts are not compared, but listed all. */
	COMPARISONS_MAX = 1000000,
};

/* Who is in which netgroup. */
struct members {
	mountd_is_member_fn is_member;
	void *userdata;
};

struct row {
	const char *path;
	const struct snapshot_client *client;
	unsigned int order;
};

static int compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int r = strcmp(a->path, b->path);

	if (r != 0)
		return r;
	if (a->client->type != b->client->type)
		return a->client->type < b->client->type ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static const char *shown_path(const struct snapshot *snapshot, const struct snapshot_export *export)
{
	return export->pattern ? snapshot_rule_of(snapshot, export)->text : export->path;
}

static struct row *sorted_rows(const struct snapshot *snapshot)
{
	size_t n = snapshot_n_exports(snapshot);
	struct row *rows = calloc(n + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const struct snapshot_export *export = snapshot_export(snapshot, i);

		rows[i] = (struct row){
			.path = shown_path(snapshot, export),
			.client = export->client,
			.order = export->order,
		};
	}
	qsort(rows, n, sizeof(*rows), compare_rows);
	return rows;
}

/* ---- one path's clients ---- */

static bool is_in_subnet(const struct snapshot_client *wide, const struct address *address)
{
	const struct client_subnet subnet = { wide->addresses[0], *wide->mask };

	return client_subnet_holds(&subnet, address);
}

static bool covers(const struct snapshot_client *wide, const struct snapshot_client *host,
		   const struct members *members)
{
	if (wide->type == CLIENT_WILDCARD)
		return client_name_matches(wide->name, host->name);
	if (wide->type == CLIENT_NETGROUP)
		return members->is_member(members->userdata, host, wide->name + 1);
	if (wide->type != CLIENT_SUBNET)
		return false;
	for (size_t i = 0; i < host->n_addresses; i++) {
		if (is_in_subnet(wide, &host->addresses[i]))
			return true;
	}
	return false;
}

static size_t count_type(const struct row *rows, size_t n_rows, enum client_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < n_rows; i++)
		n += rows[i].client->type == type;
	return n;
}

static bool is_covered(const struct row *rows, size_t n_rows, size_t n_hosts,
		       const struct snapshot_client *host, const struct members *members)
{
	for (size_t i = n_hosts; i < n_rows; i++) {
		if (covers(rows[i].client, host, members))
			return true;
	}
	return false;
}

/* @names: room for n_rows. Returns how many: 0 is everybody. */
static size_t shown_clients(const struct row *rows, size_t n_rows, const struct members *members,
			    const char **names)
{
	size_t n_hosts = count_type(rows, n_rows, CLIENT_HOST), n = 0;
	bool compare = n_hosts * (n_rows - n_hosts) <= COMPARISONS_MAX;

	if (n_rows > 1 && count_type(rows, n_rows, CLIENT_ANONYMOUS) > 0)
		return 0;
	for (size_t i = 0; i < n_rows; i++) {
		const struct snapshot_client *client = rows[i].client;

		if (compare && client->type == CLIENT_HOST &&
		    is_covered(rows, n_rows, n_hosts, client, members))
			continue;
		names[n++] = client->name;
	}
	return n;
}

/* ---- all paths ---- */

static size_t run_length(const struct row *rows, size_t n_rows)
{
	size_t n = 1;

	while (n < n_rows && str_equal(rows[n].path, rows[0].path))
		n++;
	return n;
}

static int add_rows(struct mountproto_list *list, const struct row *rows, size_t n_rows,
		    const struct members *members)
{
	CLEANUP(freep) const char **names = calloc(n_rows + 1, sizeof(*names));
	int r = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0, n; i < n_rows && r == 0; i += n) {
		n = run_length(rows + i, n_rows - i);
		r = mountproto_list_export(list, rows[i].path, names,
					   shown_clients(rows + i, n, members, names));
	}
	return r;
}

int mountd_export_list(const struct snapshot *snapshot, mountd_is_member_fn is_member,
		       void *userdata, struct mountproto_reply *ret_reply)
{
	const struct members members = { .is_member = is_member, .userdata = userdata };
	CLEANUP(freep) struct row *rows = sorted_rows(snapshot);
	CLEANUP(mountproto_list_done) struct mountproto_list list = { 0 };
	int r;

	if (!rows)
		return -ENOMEM;
	r = mountproto_list_begin(&list, 0, RPC_TCP_REPLY_MAX_BYTES);
	if (r == 0)
		r = add_rows(&list, rows, snapshot_n_exports(snapshot), &members);
	if (r == 0)
		r = mountproto_list_end(&list, ret_reply);
	return r;
}

int mountd_export_hosts(const struct snapshot *snapshot, const struct snapshot_client ***ret_hosts,
			size_t *ret_n_hosts)
{
	size_t n_clients = snapshot_n_clients(snapshot), n_rows = snapshot_n_exports(snapshot),
	       n = 0;
	CLEANUP(freep) struct row *rows = NULL;
	CLEANUP(freep) bool *is_taken = calloc(n_clients + 1, sizeof(*is_taken));
	CLEANUP(freep) const struct snapshot_client **hosts = calloc(n_clients + 1, sizeof(*hosts));

	if (snapshot_n_netgroups(snapshot) > 0)
		rows = sorted_rows(snapshot);
	if (!is_taken || !hosts || (!rows && snapshot_n_netgroups(snapshot) > 0))
		return -ENOMEM;
	for (size_t i = 0, length; rows && i < n_rows; i += length) {
		length = run_length(rows + i, n_rows - i);
		if (count_type(rows + i, length, CLIENT_NETGROUP) == 0)
			continue;
		for (size_t j = i; j < i + length && rows[j].client->type == CLIENT_HOST; j++) {
			const struct snapshot_client *host = rows[j].client;

			if (!is_taken[host->id] && host->n_addresses)
				hosts[n++] = host;
			is_taken[host->id] = true;
		}
	}
	*ret_hosts = TAKE_PTR(hosts);
	*ret_n_hosts = n;
	return 0;
}
