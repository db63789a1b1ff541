/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * compare.c - what is different between two snapshots, and what of it the kernel must be
 * told.
 *
 * A client and a path are the same in both if they are called the same: numbers of clients and
 * places are each snapshot's own. Neither snapshot is changed, so both may be in use meanwhile.
 */

#include "parser/snapshot/private.h"

/* ---- options ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && str_equal(a, b));
}

static bool same_flavors(const struct export_options *a, const struct export_options *b)
{
	if (a->n_flavors != b->n_flavors || a->n_xprtsec != b->n_xprtsec)
		return false;
	for (unsigned int i = 0; i < a->n_flavors; i++)
		if (a->flavors[i].number != b->flavors[i].number ||
		    a->flavors[i].flags != b->flavors[i].flags)
			return false;
	return memcmp(a->xprtsec, b->xprtsec, a->n_xprtsec * sizeof(a->xprtsec[0])) == 0;
}

static bool same_options(const struct export_options *a, const struct export_options *b)
{
	return a->flags == b->flags && a->anon_uid == b->anon_uid && a->anon_gid == b->anon_gid &&
	       same_text(a->uuid, b->uuid) && same_text(a->handler, b->handler) &&
	       same_text(a->mountpoint, b->mountpoint) && a->fsloc == b->fsloc &&
	       same_text(a->fsloc_text, b->fsloc_text) && a->reexport == b->reexport &&
	       same_text(a->squash_uids, b->squash_uids) &&
	       same_text(a->squash_gids, b->squash_gids) && same_flavors(a, b);
}

static bool same_terms(const struct snapshot_export *a, const struct snapshot_export *b)
{
	return a->fsid == b->fsid && same_options(a->options, b->options);
}

/* ---- clients ---- */

static bool same_client(const struct snapshot_client *a, const struct snapshot_client *b)
{
	if (a->type != b->type || !str_equal(a->name, b->name) || a->n_addresses != b->n_addresses)
		return false;
	/* A subnet's name says all of it. */
	for (size_t i = 0; i < a->n_addresses; i++)
		if (!address_same(&a->addresses[i], &b->addresses[i]))
			return false;
	return true;
}

static bool is_matched_by_name(const struct snapshot_client *client)
{
	return client->type == CLIENT_WILDCARD || client->type == CLIENT_NETGROUP;
}

/* What of @changes it means that these clients are not @others' clients, or not the same. */
static unsigned int changes_of_clients(const struct snapshot *snapshot,
				       const struct snapshot *others)
{
	unsigned int changes = 0;

	for (uint32_t i = 0; i < snapshot->clients.n; i++) {
		const struct snapshot_client *client = snapshot->clients.items[i];
		uint32_t other = client_named(others, "", client->name, strlen(client->name));

		if (other != NOTHING && same_client(client, others->clients.items[other]))
			continue;
		changes |= SNAPSHOT_CHANGED_CLIENTS;
		if (is_matched_by_name(client) ||
		    (other != NOTHING && is_matched_by_name(others->clients.items[other])))
			changes |= SNAPSHOT_CHANGED_NAMES;
	}
	return changes;
}

/* ---- the whole ---- */

static bool same_export(const struct snapshot_export *a, const struct snapshot_export *b)
{
	return a->client->id == b->client->id && str_equal(a->path, b->path) &&
	       same_text(a->pattern, b->pattern) && same_terms(a, b);
}

bool snapshot_equal(const struct snapshot *a, const struct snapshot *b)
{
	if (a->n_listed != b->n_listed || a->clients.n != b->clients.n ||
	    a->records.n != b->records.n || !same_flavors(&a->root_options, &b->root_options))
		return false;
	for (uint32_t i = 0; i < a->clients.n; i++)
		if (!same_client(a->clients.items[i], b->clients.items[i]))
			return false;
	/* Pseudo-roots follow from these. */
	for (uint32_t i = 0; i < a->n_listed; i++)
		if (!same_export(&a->records.items[i].export, &b->records.items[i].export))
			return false;
	return true;
}

static bool same_etab_flags(const struct export_options *a, const struct export_options *b)
{
	for (unsigned int i = 0; i < a->n_flavors; i++)
		if (a->flavors[i].etab_flags != b->flavors[i].etab_flags)
			return false;
	return true;
}

bool snapshot_same_etab(const struct snapshot *a, const struct snapshot *b)
{
	for (uint32_t i = 0; i < a->n_listed; i++) {
		const struct export_item *of_a = export_item_of(a, &a->records.items[i].export);
		const struct export_item *of_b = export_item_of(b, &b->records.items[i].export);

		/* A "/" became fsid=0 in both, or is written so in one. */
		if (of_a->client->type == CLIENT_ANONYMOUS &&
		    !str_equal(of_a->client->text, of_b->client->text))
			return false;
		if (of_a->options->flags != of_b->options->flags ||
		    of_a->options->n_flavors != of_b->options->n_flavors ||
		    !same_etab_flags(of_a->options, of_b->options))
			return false;
	}
	return true;
}

static bool is_like(const struct snapshot_export *a, const struct snapshot_export *b)
{
	return str_equal(a->path, b->path) && same_text(a->pattern, b->pattern) &&
	       str_equal(a->client->name, b->client->name);
}

/* Has the other snapshot a plain export with this path and client? @at: where it most likely is */
static bool has_like(const struct snapshot *others, uint32_t at,
		     const struct snapshot_export *export)
{
	const char *name = export->client->name;
	uint32_t client, place;

	if (at < others->n_listed && is_like(&others->records.items[at].export, export))
		return true;
	client = client_named(others, "", name, strlen(name));
	place = place_find(others, export->path, strlen(export->path));
	return client != NOTHING && place != NOTHING &&
	       record_find(others, place, client) != NOTHING;
}

static bool has_plain_ones_of(const struct snapshot *snapshot, const struct snapshot *others)
{
	for (uint32_t i = 0; i < others->n_listed; i++)
		if (!others->records.items[i].export.pattern &&
		    !has_like(snapshot, i, &others->records.items[i].export))
			return false;
	return true;
}

/* The next of the list that is a rule's, from @at on; NULL at its end. */
static const struct snapshot_export *next_of_rule(const struct snapshot *snapshot, uint32_t *at)
{
	while (*at < snapshot->n_listed) {
		const struct snapshot_export *export = &snapshot->records.items[(*at)++].export;

		if (export->pattern)
			return export;
	}
	return NULL;
}

/* The same rules for the same clients, in the same order: which one owns a path depends on it. */
static bool same_rules(const struct snapshot *a, const struct snapshot *b)
{
	uint32_t at_a = 0, at_b = 0;
	const struct snapshot_export *of_a, *of_b;

	do {
		of_a = next_of_rule(a, &at_a);
		of_b = next_of_rule(b, &at_b);
	} while (of_a && of_b && is_like(of_a, of_b));
	return !of_a && !of_b;
}

unsigned int snapshot_changes(const struct snapshot *a, const struct snapshot *b)
{
	unsigned int changes;

	if (snapshot_equal(a, b))
		return 0;
	changes = SNAPSHOT_CHANGED | changes_of_clients(a, b) | changes_of_clients(b, a);
	/* fsid=0 makes pseudo-roots come and go as well. */
	if (a->n_listed != b->n_listed || a->records.n != b->records.n ||
	    !has_plain_ones_of(a, b) || !has_plain_ones_of(b, a) || !same_rules(a, b))
		changes |= SNAPSHOT_CHANGED_PATHS;
	return changes;
}

/* ---- one answer ---- */

static bool same_rule(const struct snapshot_rule *a, const struct snapshot_rule *b)
{
	if (!a || !b)
		return a == b;
	return str_equal(a->pattern, b->pattern) && str_equal(a->handler, b->handler);
}

bool snapshot_same_answer(const struct snapshot *a, const struct snapshot_client_set *a_clients,
			  const struct snapshot *b, const struct snapshot_client_set *b_clients,
			  const char *path)
{
	struct snapshot_match of_a, of_b;
	enum snapshot_found found = snapshot_find(a, a_clients, path, &of_a);

	if (snapshot_find(b, b_clients, path, &of_b) != found)
		return false;
	if (found == SNAPSHOT_FOUND_NOTHING)
		return true;
	return str_equal(of_a.export->path, of_b.export->path) &&
	       same_terms(of_a.export, of_b.export) && same_rule(of_a.rule, of_b.rule) &&
	       of_a.medium_length == of_b.medium_length &&
	       of_a.parent_exported == of_b.parent_exported;
}

bool snapshot_same_number(const struct snapshot *a, const struct snapshot_client_set *a_clients,
			  const struct snapshot *b, const struct snapshot_client_set *b_clients,
			  uint32_t number)
{
	const struct snapshot_export *of_a = snapshot_find_fsid(a, a_clients, number);
	const struct snapshot_export *of_b = snapshot_find_fsid(b, b_clients, number);

	if (!of_a || !of_b)
		return of_a == of_b;
	return str_equal(of_a->path, of_b->path) && same_terms(of_a, of_b);
}
