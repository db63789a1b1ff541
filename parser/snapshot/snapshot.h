/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * snapshot.h - the exports in force: immutable, indexed, and the place where it is
 * decided which export answers for a path and a client.
 *
 * Made from what the files say (exports.h) and from what the file system and the name
 * service said (struct snapshot_facts); afterwards it asks nobody anything. No answer
 * costs more because other exports exist: paths, rules' parents, numbers and addresses are
 * hashed, and a client set is a handful of clients. Only wildcard clients are tried one by
 * one, and rules that start under the same directory.
 *
 * Media and overlapping rules: a path has one owner among the rules, the same for every
 * client. The outermost medium owns everything below it; of several rules that make
 * the same path a medium the first in the files owns it. A directory that some rule
 * starts under, or that lies above one, is nobody's medium. What a client may do with a medium is
 * its best entry (client type, then order) among the rules that match the medium and
 * have the owner's handler. For other clients a medium is not there: a crossmnt export
 * above it does not reach into it; only what they have exported at or in it answers.
 *
 * Pseudo-roots stand above every export for its client, and at and above every rule's
 * literal directory. As in stock, an export with fsid=0, of any client, turns all of
 * them off; then a rule's parents must be exported for real (a warning says so).
 *
 * Selection rules: nfs-utils support/export/cache.c lookup_export(), nfsd_handle_fh(),
 * support/export/client.c client_compose(), support/export/v4root.c.
 */

#include <sys/types.h>

#include "parser/exports.h"

struct snapshot;

/* One client of a snapshot. id: 0 .. n_clients-1. */
struct snapshot_client {
	unsigned int id;
	enum client_type type;
	/* In domains and etab: a host's canonical name, else the text; "*" for CLIENT_ANONYMOUS. */
	const char *name;
	/* CLIENT_HOST: every address known, perhaps none. CLIENT_SUBNET: one, its host bits 0. */
	const struct address *addresses;
	const struct address *mask; /* CLIENT_SUBNET */
	unsigned int n_addresses;
};

/* One export in force: a plain one or a rule for one client, or a pseudo-root. */
/* clang-format off */
struct snapshot_export {
	const char *path;    /* canonical; a rule's: the literal directory its pattern starts under */
	const char *pattern; /* NULL, or a rule's path for fnmatch(3), see struct export_item */
	/* NULL for a pseudo-root, which is every client's with an export below. */
	const struct snapshot_client *client;
	const struct export_options *options; /* a pseudo-root has EXPORT_V4ROOT in its flags */
	uint32_t fsid;       /* see struct export_item; 0 for pseudo-roots */
	unsigned int order;  /* grows with the place in the files; pseudo-roots come last */
};
/* clang-format on */

/* What lay at a path when the snapshot was made: inode 0 is not known. */
struct snapshot_seen {
	dev_t device;
	ino_t inode;
};

/* What must be asked before a snapshot can be made. Answers stay the asker's. */
struct snapshot_facts {
	void *userdata;
	/* realpath(3) of an exported path; NULL: it failed, the text is taken as it is. */
	const char *(*real_path)(void *userdata, const char *path);
	/*
	 * NULL, or: what lies at the real path of an exported path, as it is written; inode 0: not
	 * known.
	 */
	struct snapshot_seen (*seen)(void *userdata, const char *path);
	/*
	 * Addresses and canonical name of a host-name client.
	 * Returns false: the name does not resolve (now): kept as written, matching nobody.
	 */
	bool (*host)(void *userdata, const char *name, const char **ret_canonical,
		     const struct address **ret_addresses, size_t *ret_n_addresses);
	/* NULL, or: the path that has this number for ever, or NULL. */
	const char *(*number_owner)(void *userdata, uint32_t number);
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
 * @diags:     warnings: a duplicate (same client and path: the first stays, as in stock), one
 *             number for two paths of a client, a rule that matches another rule's directory, a
 *             rule whose directory nobody can walk to because fsid=0 is exported; errors (the item
 *             is not in force): one pattern with two handlers, a number that is another path's for
 *             ever
 *
 * Two host names with a common address are one client (the first one's name and addresses), as in
 * stock; so are two with the same canonical name (all their addresses). Client texts are
 * compared without case. "*" and no client at all are one client.
 * Returns 0; -ENOMEM (source is freed then).
 */
int snapshot_new(struct exports_source *source, const struct snapshot_facts *facts,
		 bool drop_unresolved, struct diags *diags, struct snapshot **ret_snapshot);
struct snapshot *snapshot_free(struct snapshot *snapshot);

/*
 * snapshot_equal - do both say the same, in the same order? Then a reload need not tell the kernel.
 */
bool snapshot_equal(const struct snapshot *a, const struct snapshot *b);

/* snapshot_same_etab - and are they the same lines of etab? Said of two that are equal. */
bool snapshot_same_etab(const struct snapshot *a, const struct snapshot *b);

enum snapshot_change {
	SNAPSHOT_CHANGED = 1, /* something is different */
	SNAPSHOT_CHANGED_CLIENTS = 2, /* some address may belong to another domain */
	SNAPSHOT_CHANGED_NAMES = 4, /* and that by its host name or netgroups */
	SNAPSHOT_CHANGED_PATHS = 8, /* exports came or went: pseudo-roots have other entries */
};

/* snapshot_changes - what is different, in bits of enum snapshot_change; 0 if nothing is. */
unsigned int snapshot_changes(const struct snapshot *a, const struct snapshot *b);

/* Plain exports and rules, in the order of the files; pseudo-roots are not among them. */
size_t snapshot_n_exports(const struct snapshot *snapshot);
const struct snapshot_export *snapshot_export(const struct snapshot *snapshot, size_t index);

/*
 * snapshot_listed - which of them is this path's, for this client.
 *
 * @path: canonical; @pattern: NULL, or a rule's, in its place; @client: its name, compared without
 *        case
 *
 * Returns its index, or -ENOENT.
 */
ssize_t snapshot_listed(const struct snapshot *snapshot, const char *path, const char *pattern,
			const char *client);

/*
 * snapshot_copy_items - exports of the snapshot as items that another snapshot can be made of: with
 * what was written, so that paths and host names are asked about again. Each gives way to other
 * items.
 *
 * @indices: of those to copy, in this order
 */
int snapshot_copy_items(const struct snapshot *snapshot, const size_t *indices, size_t n_indices,
			struct exports_source **ret_source);

/* How many clients there are: the first id that none has. */
size_t snapshot_n_clients(const struct snapshot *snapshot);

/*
 * snapshot_print_etab - every plain export and rule as etab lines, in the order of the files;
 * where no client was written the client's name is empty, as exportfs has it.
 * Returns as export_print_etab().
 */
int snapshot_print_etab(const struct snapshot *snapshot, FILE *to, uint32_t per_flavor);
/* snapshot_print_export - one of its lines: of an export that snapshot_export() gave. */
int snapshot_print_export(const struct snapshot *snapshot, const struct snapshot_export *export,
			  FILE *to, uint32_t per_flavor);

/*
 * snapshot_as_written - where an export that snapshot_export() gave was written, and what stands in
 * etab for it.
 */
struct snapshot_as_written {
	const char *client; /* its name; "" or "*", as written, for everybody */
	const struct export_options *options;
	uint32_t fsid;
	struct position at; /* of the client */
};
struct snapshot_as_written snapshot_as_written(const struct snapshot *snapshot,
					       const struct snapshot_export *export);

/* ---- who is asking ---- */

/* What name service said of one address. */
struct snapshot_address_names {
	const char *const *names; /* host names: official one and aliases, verified forward */
	size_t n_names;
	/* Names of those of the snapshot's netgroups the address belongs to. */
	const char *const *netgroups;
	size_t n_netgroups;
};

/* Does telling who an address is need names (a wildcard or netgroup client exists)? */
bool snapshot_needs_names(const struct snapshot *snapshot);
/* The netgroups to ask about: names without '@'. */
size_t snapshot_n_netgroups(const struct snapshot *snapshot);
const char *snapshot_netgroup(const struct snapshot *snapshot, size_t index);

/*
 * snapshot_names_by_address - are there so many netgroups that domains are better named "$ADDRESS"?
 * When their names take more than 512 bytes (nfs-utils support/export/auth.c check_useipaddr()).
 */
bool snapshot_names_by_address(const struct snapshot *snapshot);

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
		    const struct snapshot_address_names *names, char **ret_domain);

/* The clients a domain stands for. */
struct snapshot_client_set;

enum { SNAPSHOT_CLIENT_SETS_MAX = 4096 };

/*
 * snapshot_client_set - the clients of a domain string, as the kernel repeats it.
 *
 * Names that are no clients (of an older snapshot, perhaps) are passed over. Remembered, so
 * that the next call with the same string is one look-up; when there are SNAPSHOT_CLIENT_SETS_MAX
 * strings the oldest is forgotten. So use the set at once: it is valid until as many other strings
 * were asked for, or until snapshot_free().
 *
 * Returns NULL when memory is out.
 */
const struct snapshot_client_set *snapshot_client_set(struct snapshot *snapshot,
						      const char *domain);
/* Is any of them named by its address or a subnet? */
bool client_set_is_by_address(const struct snapshot_client_set *set,
			      const struct snapshot *snapshot);

/*
 * client_set_new - the same, not remembered: for a thread beside the snapshot's owner. NULL when
 * memory is out.
 */
struct snapshot_client_set *client_set_new(const struct snapshot *snapshot, const char *domain);
struct snapshot_client_set *client_set_free(struct snapshot_client_set *set);

/* ---- which export answers ---- */

enum snapshot_found {
	SNAPSHOT_FOUND_NOTHING,
	/* The path itself is exported. */
	SNAPSHOT_FOUND_EXPORT,
	/* Below an export with crossmnt (also: below a medium whose rule has it). */
	SNAPSHOT_FOUND_BELOW,
	/* An NFSv4 pseudo-root: above an export, or above or within a rule's pattern (within: the
	   answering export's path is the rule's directory, not the path). */
	SNAPSHOT_FOUND_PSEUDO,
	/* A rule, and the path is a medium's. */
	SNAPSHOT_FOUND_MEDIUM,
};

struct snapshot_match {
	const struct snapshot_export *export; /* the one that answers; NULL for NOTHING */
	/*
	 * The same; of a pseudo-root what it is there for: the first export of these clients below.
	 */
	const struct snapshot_export *real;
	/* MEDIUM, and BELOW a medium: the path's owner, else NULL. */
	const struct snapshot_rule *rule;
	size_t medium_length; /* then: bytes of the path that are the medium's */
	/* MEDIUM: a plain export of these clients covers the directory it lies in. */
	bool parent_exported;
};

/*
 * snapshot_find - which export answers nfsd.export for a path (lookup_export()).
 *
 * @path: absolute, normalised, bytes
 *
 * A path that a rule matches is the rule's, before pseudo-roots and crossmnt parents, after a
 * plain export of the same path, or a crossmnt one between the medium and the path. Below a medium
 * its rule answers if it has crossmnt.
 */
enum snapshot_found snapshot_find(const struct snapshot *snapshot,
				  const struct snapshot_client_set *clients, const char *path,
				  struct snapshot_match *ret_match);

/*
 * snapshot_find_mount - which export answers a MOUNT request for a path: the longest exported
 * prefix for these clients, plain or medium, never a pseudo-root (auth_authenticate()).
 *
 * Returns EXPORT (the path or a directory below it; match->export->path tells), MEDIUM
 * (medium_length <= strlen(path)) or NOTHING. At or below a medium that is not for these clients
 * only exports at or in it answer.
 */
enum snapshot_found snapshot_find_mount(const struct snapshot *snapshot,
					const struct snapshot_client_set *clients, const char *path,
					struct snapshot_match *ret_match);

/*
 * snapshot_find_fsid - the plain export or pseudo-root of these clients with a number
 * (EXPORT_FSID), or NULL.
 *
 * Of several: a real one before a pseudo-root, one below another that has crossmnt, else the
 * first (client type, then order), as nfsd_handle_fh() chooses.
 */
const struct snapshot_export *snapshot_find_fsid(const struct snapshot *snapshot,
						 const struct snapshot_client_set *clients,
						 uint32_t fsid);

/*
 * Does any export, of any client, have this number written by hand? Such numbers are never given to
 * media.
 */
bool snapshot_has_fsid(const struct snapshot *snapshot, uint32_t fsid);

/* ---- where they lie ---- */

/* A path that somebody has exported, or that is a pseudo-root of somebody's. */
struct snapshot_place {
	const char *path;
	bool is_exported; /* for real, and by no rule */
	bool is_pseudo_root; /* of some client, whatever it is for others */
	const char *uuid; /* of an option fsid=UUID; NULL: none has it */
	struct snapshot_seen seen; /* of exported ones */
};

/* In no particular order; rules' directories that are neither are among them. */
size_t snapshot_n_places(const struct snapshot *snapshot);
struct snapshot_place snapshot_place(const struct snapshot *snapshot, size_t index);
/* snapshot_place_of - a path's, or -ENOENT. */
ssize_t snapshot_place_of(const struct snapshot *snapshot, const char *path);

/*
 * snapshot_next_seen - the next place whose inode number, when the snapshot was made, had these
 * lower 32 bits, of whatever file system.
 *
 * @position: 0 for the first
 * Returns its index, or -ENOENT.
 */
ssize_t snapshot_next_seen(const struct snapshot *snapshot, uint32_t inode, uint32_t *position);

/*
 * snapshot_is_crossed - is there an export or a rule with crossmnt, of any client, at a path or
 * above it?
 */
bool snapshot_is_crossed(const struct snapshot *snapshot, const char *path);

/*
 * snapshot_same_answer - is nfsd.export answered alike for a path by two snapshots? @a_clients are
 * @a's. snapshot_same_number - is nfsd.fh for a number (of plain exports)?
 */
bool snapshot_same_answer(const struct snapshot *a, const struct snapshot_client_set *a_clients,
			  const struct snapshot *b, const struct snapshot_client_set *b_clients,
			  const char *path);
bool snapshot_same_number(const struct snapshot *a, const struct snapshot_client_set *a_clients,
			  const struct snapshot *b, const struct snapshot_client_set *b_clients,
			  uint32_t number);

/* ---- rules ---- */

/*
 * Rules, one per distinct pattern, in the order of the files: what placeholders and handlers are
 * kept for.
 */
struct snapshot_rule {
	const char *pattern; /* for fnmatch(3), component by component; see struct export_item */
	const char *text; /* as in messages: /mnt/cdrom/<star> */
	/* Its literal directory, without trailing slash; "/" if it starts with a wildcard. */
	const char *directory;
	unsigned int depth; /* components from directory to the medium: 1 for "/mnt/cdrom/<star>" */
	const char *handler; /* socket path, or @abstract */
	const char *file;
	unsigned int line;
	/* Some plain export covers the directory: placeholders are bind-mounted on themselves. */
	bool parent_exported;
	bool is_writable; /* some client may write */
};
size_t snapshot_n_rules(const struct snapshot *snapshot);
const struct snapshot_rule *snapshot_rule(const struct snapshot *snapshot, size_t index);
/*
 * The rule an entry was written for, NULL for a plain export or a pseudo-root above exports. Not
 * always the owner of a path it answers for (match->rule, snapshot_rule_for_path()).
 */
const struct snapshot_rule *snapshot_rule_of(const struct snapshot *snapshot,
					     const struct snapshot_export *export);

/*
 * snapshot_rule_for_path - the rule that owns a path, whoever asks: the path is a medium's or lies
 * below one (ret_medium_length bytes of it are the medium's; may be NULL). NULL: no medium.
 */
const struct snapshot_rule *snapshot_rule_for_path(const struct snapshot *snapshot,
						   const char *path, size_t *ret_medium_length);

/* snapshot_is_in_rule - is a path some rule's directory, or below one? */
bool snapshot_is_in_rule(const struct snapshot *snapshot, const char *path);

/*
 * rule_matches_key - is @key (relative to rule->directory, components joined by '/') one of the
 * rule's?
 *
 * Component by component: * ? [set] match within one name; a leading dot only if written; "." and
 * ".." and empty components never match.
 */
bool rule_matches_key(const struct snapshot_rule *rule, const char *key);
