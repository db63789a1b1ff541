/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * snapshot.h - the exports in force: immutable, indexed, and the place where it is
 * decided which export answers for a path and a client.
 *
 * Made from what the files say (exports.h) and from what the file system and the name
 * service said (struct snapshot_facts); afterwards it asks nobody anything. No answer
 * costs more because other exports exist: paths, rules' parents, numbers, uuids and
 * addresses are hashed, and a client set is a handful of clients.
 *
 * Selection rules: nfs-utils support/export/cache.c lookup_export(), nfsd_handle_fh(),
 * support/export/client.c client_compose(), support/export/v4root.c.
 */

#include "parser/exports.h"

struct snapshot;

/* One client of a snapshot. id: 0 .. n_clients-1. */
struct client {
	unsigned int id;
	enum client_type type;
	const char *name; /* in domains and etab: a host's canonical name, else the text; "*" for CLIENT_ANONYMOUS */
	struct address subnet, mask;    /* CLIENT_SUBNET */
	const struct address *addresses; /* CLIENT_HOST: every address known, perhaps none */
	size_t n_addresses;
};

/* One export in force: a plain one, a pseudo-root or a rule, for one client. */
struct export {
	const char *path;        /* canonical; a rule's: the literal directory its pattern starts under */
	const char *pattern;     /* NULL, or a rule's path for fnmatch(3), see struct export_item */
	const struct client *client;
	const struct export_options *options; /* a pseudo-root has EXPORT_V4ROOT in its flags */
	const char *file;        /* where it was written; NULL for a pseudo-root */
	unsigned int line;
	unsigned int order;      /* position among all, in the order of the files */
};

/* What must be asked before a snapshot can be made. Answers stay the asker's. */
struct snapshot_facts {
	void *userdata;
	/* realpath(3) of an exported path; NULL: it failed, the text is taken as it is. */
	const char *(*real_path)(void *userdata, const char *path);
	/*
	 * Addresses and canonical name of a host-name client.
	 * Returns false: the name does not resolve (now): kept as written, matching nobody.
	 */
	bool (*host)(void *userdata, const char *name, const char **ret_canonical,
		     const struct address **ret_addresses, size_t *ret_n_addresses);
	bool kerberos; /* pseudo-roots offer krb5 flavours (nfs-utils: /etc/krb5.keytab exists) */
};

/*
 * snapshot_new - make the exports in force.
 *
 * @source:    taken; lives as long as the snapshot
 * @facts:     only used during the call; host() is asked once per distinct name,
 *             real_path() once per distinct plain path (never for rules)
 * @drop_unresolved: leave out items whose host name does not resolve, with a warning, as
 *             exportfs does; false: keep them, matching nobody until a later snapshot
 * @diags:     gets duplicates (warnings: the first stays, as in stock), and a rule and a plain export
 *             with contradictory claims
 *
 * Two host names with a common address are one client (the first one's), as in stock.
 * Returns 0; -ENOMEM (source is freed then).
 */
int snapshot_new(struct exports_source *source, const struct snapshot_facts *facts, bool drop_unresolved,
		 struct diags *diags, struct snapshot **ret_snapshot);
struct snapshot *snapshot_free(struct snapshot *snapshot);

/* snapshot_equal - would both answer every question alike? Then a reload need not tell the kernel. */
bool snapshot_equal(const struct snapshot *a, const struct snapshot *b);

/* Plain exports and rules, in the order of the files; pseudo-roots are not among them. */
size_t snapshot_n_exports(const struct snapshot *snapshot);
const struct export *snapshot_export(const struct snapshot *snapshot, size_t index);

/* The clients, in order of id. */
size_t snapshot_n_clients(const struct snapshot *snapshot);
const struct client *snapshot_client(const struct snapshot *snapshot, size_t id);

/*
 * snapshot_print_etab - every plain export and rule as etab lines, in the order of the files.
 * Returns as export_print_etab().
 */
int snapshot_print_etab(const struct snapshot *snapshot, FILE *to, uint32_t per_flavor);

/* ---- who is asking ---- */

/* What name service said of one address. */
struct address_names {
	const char *const *names; /* host names: official one and aliases, verified forward */
	size_t n_names;
	const char *const *netgroups; /* names of those of the snapshot's netgroups the address belongs to */
	size_t n_netgroups;
};

/* Does telling who an address is need names (a wildcard or netgroup client exists)? */
bool snapshot_needs_names(const struct snapshot *snapshot);
/* The netgroups to ask about: names without '@'. */
size_t snapshot_n_netgroups(const struct snapshot *snapshot);
const char *snapshot_netgroup(const struct snapshot *snapshot, size_t index);

enum { SNAPSHOT_NOBODY = 1 };

/*
 * snapshot_domain - the domain of an address: every client that matches it, names sorted
 * bytewise and joined by commas (client_compose()).
 *
 * @names: NULL is "not asked": wildcard and netgroup clients then do not match
 *
 * Returns 0 and a string to free(3); SNAPSHOT_NOBODY; -ENOMEM.
 */
int snapshot_domain(const struct snapshot *snapshot, const struct address *address,
		    const struct address_names *names, char **ret_domain);

/* The clients a domain stands for. Valid until snapshot_free(). */
struct client_set;

/*
 * snapshot_client_set - the clients of a domain string, as the kernel repeats it.
 *
 * Names that are no clients (of an older snapshot, perhaps) are passed over. Remembered, so
 * that the next call with the same string is one look-up; not more than 4,096 strings.
 *
 * Returns NULL when memory is out.
 */
const struct client_set *snapshot_client_set(struct snapshot *snapshot, const char *domain);
size_t client_set_size(const struct client_set *set);

/* ---- which export answers ---- */

enum snapshot_found {
	SNAPSHOT_FOUND_NOTHING,
	SNAPSHOT_FOUND_EXPORT, /* the path itself is exported */
	SNAPSHOT_FOUND_BELOW,  /* below an export with crossmnt (also: below a medium whose rule has it) */
	SNAPSHOT_FOUND_PSEUDO, /* an NFSv4 pseudo-root: above an export, or above or within a rule's pattern */
	SNAPSHOT_FOUND_MEDIUM, /* a rule, and the path is a medium's */
};

struct snapshot_match {
	const struct export *export;  /* the one that answers; not for NOTHING */
	size_t medium_length; /* MEDIUM, and BELOW a medium: bytes of the path that are the medium's */
	size_t key_offset;    /* where in the path the key starts: after the rule's literal directory */
	bool parent_exported; /* MEDIUM: a plain export of this client covers the directory it lies in */
};

/*
 * snapshot_find - which export answers nfsd.export for a path (lookup_export()).
 *
 * @path: absolute, normalised, bytes
 *
 * A path that a rule matches is the rule's, before pseudo-roots and crossmnt parents, after a
 * plain export of the same path.
 */
enum snapshot_found snapshot_find(const struct snapshot *snapshot, const struct client_set *clients,
				  const char *path, struct snapshot_match *ret_match);

/*
 * snapshot_find_mount - which export answers a MOUNT request for a path: the longest exported
 * prefix for these clients, plain or medium, never a pseudo-root (auth_authenticate()).
 *
 * Returns EXPORT (the path or a directory below it; match->export->path tells), MEDIUM
 * (medium_length <= strlen(path)) or NOTHING.
 */
enum snapshot_found snapshot_find_mount(const struct snapshot *snapshot, const struct client_set *clients,
					const char *path, struct snapshot_match *ret_match);

/*
 * snapshot_find_fsid - the plain export or pseudo-root of these clients with a number
 * (EXPORT_FSID), or NULL.
 */
const struct export *snapshot_find_fsid(const struct snapshot *snapshot,
					const struct client_set *clients, uint32_t fsid);

/* Does any export, of any client, have this number written by hand? Such numbers are never given to media. */
bool snapshot_has_fsid(const struct snapshot *snapshot, uint32_t fsid);

/*
 * snapshot_each_of_clients - call back for each plain export and pseudo-root of these clients,
 * in the order of match priority (type, then order); a callback's non-zero return ends it and is returned.
 *
 * For handles with a uuid: what of them lies on the right file system is not known here.
 */
int snapshot_each_of_clients(const struct snapshot *snapshot, const struct client_set *clients,
			     int (*each)(void *userdata, const struct export *export), void *userdata);

/*
 * snapshot_exports_at - every plain export and pseudo-root of these clients with exactly this path,
 * best first. Returns how many; up to @max are stored.
 */
size_t snapshot_exports_at(const struct snapshot *snapshot, const struct client_set *clients, const char *path,
			   const struct export **ret_exports, size_t max);

/* ---- rules ---- */

/* Rules, one per distinct (pattern, handler): what placeholders and handlers are kept for. */
struct snapshot_rule {
	const char *pattern;   /* for fnmatch(3), component by component */
	const char *text;      /* as in messages: /mnt/cdrom/<star> */
	const char *directory; /* its literal directory, without trailing slash; "/" if it starts with a wildcard */
	unsigned int depth;    /* components from directory to the medium: 1 for "/mnt/cdrom/<star>" */
	const char *handler;   /* socket path, or @abstract */
	const char *file;
	unsigned int line;
	bool parent_exported;  /* some plain export covers @directory: placeholders are bind-mounted on themselves */
};
size_t snapshot_n_rules(const struct snapshot *snapshot);
const struct snapshot_rule *snapshot_rule(const struct snapshot *snapshot, size_t index);
/* The rule a MEDIUM match belongs to. */
const struct snapshot_rule *snapshot_rule_of(const struct snapshot *snapshot, const struct export *export);

/*
 * rule_matches_key - is @key (relative to rule->directory, components joined by '/') one of the rule's?
 *
 * Component by component: * ? [set] match within one name; a leading dot only if written; "." and
 * ".." and empty components never match.
 */
bool rule_matches_key(const struct snapshot_rule *rule, const char *key);
