/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * reader.h - what is kept while exports files are read.
 *
 * Nearly all items have options and clients that other items have too. So both are
 * kept by their text: what was read once without a message is not read again.
 */

#include "parser/arena.h"
#include "parser/exports.h"
#include "parser/kept.h"
#include "parser/options.h"

struct reader {
	struct diags *diags;
	struct exports_arena *arena; /* for the result */
	struct exports_arena *scratch; /* for what is not needed when all is read */
	struct export_item *items;
	size_t n_items, n_room;
	struct kept kept;
	char *key;
	size_t key_size;
	struct kept_options defaults; /* what an entry starts with */
	bool is_etab; /* a wildcard is one only in a line that names a handler */
};

/* A client spec by its text. */
struct reader_client {
	const char *text;
	const struct client_spec *spec;
	const char *fault; /* it is no client; NULL: it is one */
	const char *doubt; /* it is hardly what was meant; NULL: fine */
};

/* Returns 0 or -ENOMEM; reader_done() is due in either case. */
int reader_init(struct reader *reader, struct diags *diags);
void reader_done(struct reader *reader);

/*
 * reader_options - the defaults changed by a list, as one of the kept sets.
 *
 * Returns 0; OPTIONS_FAULTY, faults having been told, and what could be read; -ENOMEM.
 */
int reader_options(struct reader *reader, const struct option_list *list,
		   const struct kept_options *defaults, struct kept_options *ret_options);

/* Returns 0 or -ENOMEM. */
int reader_client(struct reader *reader, const char *text, const struct reader_client **ret_client);

/* Room for one more item, or NULL. */
struct export_item *reader_new_item(struct reader *reader);

/* entry.c: all entries of one file's text. Returns 0 or -ENOMEM. */
int reader_text(struct reader *reader, const char *name, const char *text, size_t length);
