/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * loading.h - one load of the exports: what takes time with many lines, apart from the loop.
 *
 * Two steps that only compute and therefore run in a thread (base/background.h): loading_read() reads
 * the files and whatever else the change is made of, and lists what must be asked; loading_build()
 * makes the snapshot of that and the answers, and compares it with the one in force. Between them
 * the loop asks: real paths, host names, who owns numbers. While a step runs a struct loading is
 * the thread's, else the loop's.
 */

#include <uthash.h>

#include "exportsd/exports/change.h"
#include "exportsd/exports/suspects.h"
#include "parser/diag.h"
#include "parser/index.h"
#include "parser/snapshot/snapshot.h"

/* A path and its realpath(3), if that is another; a host name and what it resolved to. */
struct exports_fact {
	char *text; /* the path, or the host's name, as written */
	char *answer; /* realpath, or canonical name; NULL: none */
	struct address *addresses;
	size_t n_addresses;
	bool is_old; /* the name service did not answer: what it said before, if anything */
	UT_hash_handle hh;
};

void facts_clear(struct exports_fact **facts);
/* facts_add - @text's, made if there is none; NULL when memory is out. */
struct exports_fact *facts_add(struct exports_fact **facts, const char *text);
struct exports_fact *facts_find(struct exports_fact *facts, const char *text);
/* fact_set - without memory there is no answer until it is asked for again. */
void fact_set(struct exports_fact *fact, const struct address *addresses, size_t n_addresses,
	      const char *answer);

/* A number that is some path's for ever. */
struct exports_number_owner {
	uint32_t number;
	const char *path; /* the number store's */
	UT_hash_handle hh;
};

struct loading {
	/* Set by whoever begins. */
	const struct config *config;
	const struct exports_change *change;
	struct runtime *runtime; /* NULL: none */
	const struct snapshot *in_force; /* NULL: none */

	/* loading_read(). */
	int error; /* 0, -errno */
	struct diags diags;
	struct exports_change_work work;
	struct exports_source *source;
	const char **paths; /* plain ones, whose realpath(3) is needed */
	size_t n_paths;
	struct snapshot_seen *seen; /* the directories there, once the loop knows; 0: none */
	struct exports_fact *hosts; /* names that are no addresses */
	uint32_t *numbers; /* written by hand */
	size_t n_numbers;

	/* The loop's answers: in the hosts, and here. */
	struct exports_fact *real_paths; /* only those that are not what was written */
	bool paths_unknown; /* nobody could look at some path */
	struct exports_number_owner *owners;

	/* loading_build(). */
	struct address address; /* of a host that is written as one */
	struct suspects *suspects; /* NULL: all paths */
	struct index places_of_texts; /* of paths, by the address of their text */
	struct snapshot *snapshot;
	bool changed, changed_etab;
	bool wants_tls; /* some export is for TLS only */
};

void loading_read(struct loading *loading);
void loading_build(struct loading *loading);

/* loading_add_owner - 0 or -ENOMEM. Who is known already is not added again. */
int loading_add_owner(struct loading *loading, uint32_t number, const char *path);
struct exports_number_owner *loading_owner(struct loading *loading, uint32_t number);

/* loading_clear - all of it but what was set by whoever began. */
void loading_clear(struct loading *loading);
