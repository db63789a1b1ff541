/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * facts.h - a file system and a name service for tests of the snapshot: tables.
 *
 *	struct snapshot *snapshot = facts_snapshot(&facts, "/a alpha(rw)\n", false, &diags);
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "parser/snapshot/private.h"

static inline size_t client_set_size(const struct snapshot_client_set *set)
{
	return set->n_clients;
}

enum { FACTS_ADDRESSES_MAX = 4 };

struct facts_host {
	const char *name, *canonical;
	const char *addresses[FACTS_ADDRESSES_MAX]; /* up to the first NULL */
};

struct facts {
	const struct facts_host *hosts; /* up to a NULL name */
	const char *const (
		*links)[2]; /* path, real path or NULL; up to a NULL path. Others are their own */
	struct snapshot_seen (*seen)(void *userdata, const char *path); /* NULL: not told */
	bool kerberos;
	unsigned int n_hosts_asked, n_paths_asked;
	struct address answer[FACTS_ADDRESSES_MAX];
};

static inline struct address facts_address(const char *text)
{
	struct address address = { .family = AF_INET };

	if (inet_pton(AF_INET, text, &address.v4) == 1)
		return address;
	address = (struct address){ .family = AF_INET6 };
	if (inet_pton(AF_INET6, text, &address.v6) == 1)
		return address;
	fprintf(stderr, "'%s' is no address\n", text);
	abort();
}

static inline const char *facts_real_path(void *userdata, const char *path)
{
	struct facts *facts = userdata;

	facts->n_paths_asked++;
	for (size_t i = 0; facts->links && facts->links[i][0]; i++)
		if (str_equal(facts->links[i][0], path))
			return facts->links[i][1];
	return path;
}

/* Who is not in the table and is no address does not resolve. */
static inline bool facts_host(void *userdata, const char *name, const char **ret_canonical,
			      const struct address **ret_addresses, size_t *ret_n_addresses)
{
	struct facts *facts = userdata;
	struct address address = { .family = AF_INET };
	size_t n = 0;

	facts->n_hosts_asked++;
	for (size_t i = 0; facts->hosts && facts->hosts[i].name; i++) {
		if (strcasecmp(facts->hosts[i].name, name) != 0)
			continue;
		for (; n < FACTS_ADDRESSES_MAX && facts->hosts[i].addresses[n]; n++)
			facts->answer[n] = facts_address(facts->hosts[i].addresses[n]);
		*ret_canonical = facts->hosts[i].canonical;
		*ret_addresses = facts->answer;
		*ret_n_addresses = n;
		return true;
	}
	if (inet_pton(AF_INET, name, &address.v4) != 1) {
		address = (struct address){ .family = AF_INET6 };
		if (inet_pton(AF_INET6, name, &address.v6) != 1)
			return false;
	}
	facts->answer[0] = address;
	*ret_canonical = name;
	*ret_addresses = facts->answer;
	*ret_n_addresses = 1;
	return true;
}

static inline struct snapshot_facts facts_for_snapshot(struct facts *facts)
{
	return (struct snapshot_facts){
		.userdata = facts,
		.real_path = facts_real_path,
		.seen = facts->seen,
		.host = facts_host,
		.kerberos = facts->kerberos,
	};
}

/* Faults of the parser's are a mistake of the test; those of the snapshot's are in @diags. */
static inline struct snapshot *facts_snapshot(struct facts *facts, const char *text,
					      bool drop_unresolved, struct diags *diags)
{
	struct snapshot_facts asked = facts_for_snapshot(facts);
	struct exports_source *source;
	struct snapshot *snapshot;
	struct diags faults = { 0 };
	int r;

	r = exports_read_text("exports", text, strlen(text), &faults, &source);
	if (r == 0 && faults.n_errors) {
		diags_print(&faults, stderr, false);
		abort();
	}
	diags_done(&faults);
	if (r == 0)
		r = snapshot_new(source, &asked, drop_unresolved, diags, &snapshot);
	return r == 0 ? snapshot : NULL;
}
