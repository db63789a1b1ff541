/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * change.h - what becomes of the exports in force when exportfs(8), a reload, or another program
 * that writes etab asks for it. Pure: files are read, nothing is written, and whoever calls asks
 * paths and host names.
 *
 * Two steps. change_read() gathers every item that may be needed; then real paths and host names of
 * these are asked; change_choose() leaves those that are to be in force, in the order nfs-utils
 * would have them (utils/exportfs/exportfs.c), ready for snapshot_new().
 */

#include "exportsd/config/config.h"
#include "exportsd/exports/runtime.h"
#include "parser/snapshot/snapshot.h"

enum change_kind {
	CHANGE_START, /* the files; over them what was exported and taken back at run time before */
	CHANGE_NAMES, /* the same exports, host names looked up again */
	CHANGE_FILES, /* exportfs -r: what the files say, nothing else */
	CHANGE_FILES_TOO, /* exportfs -a: also what is in force and not in the files */
	CHANGE_EXPORT, /* exportfs client:/path */
	CHANGE_UNEXPORT, /* exportfs -u client:/path */
	CHANGE_UNEXPORT_ALL, /* exportfs -ua */
	CHANGE_ETAB, /* another program has written etab: that, and the rules in force */
};

enum { CHANGE_PAIRS_MAX = 256 };

/* A client and a path of a command line. */
struct exports_change_pair {
	char *client, *path;
};

struct exports_change {
	enum change_kind kind;
	bool ignore_files; /* exportfs -i: the files' options do not count */
	bool is_verbose; /* somebody wants to know what is said of it (struct exports_change_work) */
	char *options; /* exportfs -o; NULL: none */
	struct exports_change_pair *pairs;
	size_t n_pairs;
};

/* Returns 0; -ENOMEM. */
int change_new(struct exports_change **ret_change, enum change_kind kind);
struct exports_change *change_free(struct exports_change *change);

/*
 * change_add_pair - an argument as nfs-utils takes it: CLIENT:/PATH, an IPv6 address in brackets.
 *
 * Returns 0; CHANGE_INVALID; -E2BIG beyond CHANGE_PAIRS_MAX; -ENOMEM.
 */
enum { CHANGE_INVALID = 1 };
int change_add_pair(struct exports_change *change, const char *argument);

/* How exportfs(8) calls a kind when it asks the daemon; NULL: it does not ask for that. */
const char *change_word(enum change_kind kind);
bool change_kind_of(const char *word, enum change_kind *ret_kind);

/* change_takes_faults - come items without faults into force even if there are others? */
bool change_takes_faults(const struct exports_change *change);

/* change_names_path - does it name this path, as it is in etab? Without pairs it means all. */
bool change_names_path(const struct exports_change *change, const char *path);

/* A change being worked out. Set the first part; change_work_done() frees the second. */
struct exports_change_work {
	const struct exports_change *change;
	const struct config *config;
	const struct snapshot *in_force; /* NULL: nothing is */
	bool is_in_etab_order; /* it was read from there */
	const struct runtime *runtime;
	struct diags *diags;

	char *said; /* what exportfs -v prints: lines */
	size_t said_size;
	/* How many items of each kind the source holds, one kind behind the other. */
	size_t n_pairs, n_added, n_files, n_etab, n_in_force;
	size_t *pair_of_item; /* of the first n_pairs items */
	bool has_faulty_files;
	bool has_read_etab;
	struct file_version etab; /* that was read */
};

int change_read(struct exports_change_work *work, struct exports_source **ret_source);
/* @facts: real_path and host are called for items of @source. @source: its items are replaced */
int change_choose(struct exports_change_work *work, const struct snapshot_facts *facts,
		  struct exports_source *source);
/*
 * change_say - what exportfs -v prints of a change to what the files say: for -a and -r, else
 * nothing is added.
 */
int change_say(struct exports_change_work *work, const struct snapshot *snapshot);
void change_work_done(struct exports_change_work *work);
