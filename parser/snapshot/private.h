/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - what the snapshot's files share: its arrays and the indices over them.
 *
 * Everything lives in arrays that are written once, and refers to each other by number (index.h).
 * What comes and goes, the remembered client sets, is in uthash.
 *
 * An export is found by (place, client): a place is a path or a rule's media, and has a number of
 * its own, whatever the number of its clients.
 */

/* Out of memory: the item is not added and its hh.tbl is NULL; uthash's default is to exit. */
#include <errno.h>
#include <uthash.h>

#include "parser/arena.h"
#include "parser/index.h"
#include "parser/snapshot/snapshot.h"

/* ---- what is indexed ---- */

enum snapshot_place_flag {
	PLACE_PLAIN = 1, /* some client has a plain export here */
	PLACE_CROSSMOUNT = 2, /* and some have crossmnt */
	PLACE_RULES = 4, /* a rule's literal directory, or above one: nobody's medium */
	PLACE_CROSSED = 8, /* crossmnt, of an export here or of a rule that starts here */
};

/* A path that is exported, a pseudo-root's or a rule's literal directory. */
struct snapshot_own_place {
	const char *path;
	uint32_t length : 24; /* below PATH_MAX */
	uint32_t flags : 8; /* enum snapshot_place_flag */
	uint32_t first_rule; /* of those that start under it, in order; NOTHING */
	uint32_t pseudo_root; /* the record, if some client has one here; NOTHING */
	uint32_t uuid_record; /* the first that has fsid=UUID; NOTHING */
	struct snapshot_seen seen;
};

/* Rules' media, which are no paths. */
enum { PLACE_OF_RULES = 0x80000000u };
static inline uint32_t place_of_media(uint32_t rule)
{
	return PLACE_OF_RULES | rule;
}

struct snapshot_record {
	struct snapshot_export export;
	uint32_t place;
};

struct snapshot_own_rule {
	struct snapshot_rule public;
	const char *tail; /* of the pattern, below the directory */
	uint32_t next_at_directory;
	uint32_t
		pseudo_root; /* of the directories between its own and the media, if there are any; NOTHING */
};

struct snapshot_subnet {
	struct address net; /* masked */
	uint32_t mask; /* number of its mask */
	uint32_t client;
	uint32_t next; /* another client with the same net and mask, or NOTHING */
};

/* What pseudo-roots offer, with Kerberos. */
enum { PSEUDO_FLAVORS = 4 };

struct snapshot {
	struct exports_source *source; /* its arena holds our strings and small structs too */

	/*
	 * n_listed of them are plain exports and rules in the order of the files. The others are
	 * pseudo-roots, one for all clients that have one there: those that have an export below
	 * (find.c export_below()).
	 */
	VECTOR(struct snapshot_record) records;
	uint32_t n_listed;
	VECTOR(struct snapshot_own_place) places;
	VECTOR(struct snapshot_own_rule) rules;
	struct index places_by_path;
	struct index places_by_inode; /* of those whose inode is known */
	struct index records_by_pair; /* (place, client); not of pseudo-roots */
	/*
	 * (place, client): the first of the client's below the place, but for what first_of_client
	 * is below.
	 */
	struct index records_below;
	struct index
		records_by_number; /* (number, client), and (number, NOTHING): somebody has it */
	struct export_options root_options, pseudo_options; /* of "/" and of other pseudo-roots */
	struct export_flavor root_flavors[PSEUDO_FLAVORS], pseudo_flavors[PSEUDO_FLAVORS];

	VECTOR(struct snapshot_client *) clients;
	struct index clients_by_name; /* case folded */
	/* The client's first record that lies below something; NOTHING: it has no pseudo-roots. */
	uint32_t *first_of_client;
	VECTOR(uint32_t) wildcards;
	VECTOR(uint32_t) netgroups;
	uint32_t anonymous; /* client, or NOTHING */
	unsigned int name_commas_max;

	/* Addresses of hosts, a client's beside each other, and whose each is. */
	VECTOR(struct address) addresses;
	uint32_t *address_clients;
	struct index addresses_by_value;
	VECTOR(struct snapshot_subnet) subnets;
	VECTOR(struct address) masks;
	struct index subnets_by_net; /* (net, mask): the first of the chain */

	struct snapshot_client_set *sets; /* uthash, oldest first */
	unsigned int n_sets;
};

struct snapshot_client_set {
	UT_hash_handle hh;
	size_t n_clients;
	uint32_t *clients; /* numbers, by type, then number */
	char *domain;
};

/* ---- clients (clients.c) ---- */

/* While a snapshot is made: who was seen, by every spelling. */
struct snapshot_spelling {
	const char *text;
	uint32_t client; /* NOTHING: a host that does not resolve and is to be left out */
};

struct snapshot_host_address {
	struct address address; /* as address_key() */
	uint32_t client;
};

struct snapshot_clients_builder {
	struct snapshot *snapshot;
	const struct snapshot_facts *facts;
	bool drop_unresolved;
	VECTOR(struct snapshot_spelling) spellings;
	struct index by_spelling;
	VECTOR(struct snapshot_host_address) addresses;
	struct index by_address;
	struct index by_mask;
};

enum { CLIENT_UNRESOLVED = 1, CLIENT_NEW_UNRESOLVED = 2 };
/*
 * The client of a spec, made on first sight. Returns 0; CLIENT_UNRESOLVED: leave it out;
 * CLIENT_NEW_UNRESOLVED: *ret_client is kept and, said once a name, does not resolve; -ENOMEM.
 */
int clients_add(struct snapshot_clients_builder *builder, const struct client_spec *spec,
		uint32_t *ret_client);
/* Puts the addresses where they stay. */
int clients_finish(struct snapshot_clients_builder *builder);
/* The client with this name in etab, or NOTHING. */
uint32_t client_find(const struct snapshot *snapshot, const char *name);
void clients_builder_done(struct snapshot_clients_builder *builder);
void clients_done(struct snapshot *snapshot);
/* The client called @before and then @name, or NOTHING. */
uint32_t client_named(const struct snapshot *snapshot, const char *before, const char *name,
		      size_t length);
bool address_same(const struct address *a, const struct address *b);

/* ---- paths and rules (find.c) ---- */

static inline uint32_t place_number(const struct snapshot *snapshot,
				    const struct snapshot_own_place *place)
{
	return (uint32_t)(place - snapshot->places.items);
}

/* Walks a path's prefixes: "/", "/a", "/a/b", with their hashes. Start with length 0. */
struct snapshot_prefix {
	const char *path;
	size_t length;
	uint64_t state;
};

bool prefix_next(struct snapshot_prefix *prefix);
/* The place there, or NULL. */
const struct snapshot_own_place *place_at(const struct snapshot *snapshot,
					  const struct snapshot_prefix *prefix);
/* The number of the place of a path, @length bytes of it, or NOTHING. */
uint32_t place_find(const struct snapshot *snapshot, const char *path, size_t length);
uint32_t record_find(const struct snapshot *snapshot, uint32_t place, uint32_t client);
/*
 * The first export of a client for which it has a pseudo-root at a place, if nothing is exported to
 * it there; NOTHING.
 */
uint32_t export_below(const struct snapshot *snapshot, uint32_t place, uint32_t client);
uint32_t number_find(const struct snapshot *snapshot, uint32_t fsid, uint32_t client);
/* Is a path below another, "/" included? */
bool path_is_below(const char *path, const char *parent);

/* Another rule that would make a rule's directory, or one above it, a medium; or NULL. */
const struct snapshot_own_rule *rule_over_directory(const struct snapshot *snapshot,
						    const struct snapshot_own_rule *rule);

/* Not for pseudo-roots. */
static inline const struct export_item *export_item_of(const struct snapshot *snapshot,
						       const struct snapshot_export *export)
{
	return &snapshot->source->items[export->order];
}
