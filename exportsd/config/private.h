/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - the tables that reading, checking, defaults and printing follow.
 */

#include "exportsd/config/config.h"

enum config_kind {
	KIND_BOOLEAN,
	KIND_NUMBER,
	KIND_PORT,
	KIND_PATH,
	KIND_OPTIONAL_PATH, /* empty: none */
	KIND_PATHS,
	KIND_SOCKET, /* a path, or '@' and an abstract name; empty: none */
	KIND_USER,
	KIND_AFTER_DEADLINE, /* enums, by their words */
	KIND_IDENTITY,
};

struct config_key {
	const char *name;
	enum config_kind kind;
	size_t offset; /* in struct config, or in struct config_rule */
	const char *fallback; /* in libconfuse's notation */
	uint32_t min, max; /* of a number; max of a path: its length, 0: as long as paths may be */
	const char *help; /* lines of a comment */
	/* Of keys of the file only: */
	const char *nfs_conf
		[2]; /* "SECTION TAG" of nfs.conf(5) that say the same; the first one that is set counts */
	const char *manual; /* lines of mdoc(7), behind what the kind says */
	const char *example; /* a line of the file */
};

struct config_keys {
	const struct config_key *items;
	size_t n_items;
};

/* The keys of the file, and those of its rule sections. */
extern const struct config_keys config_keys, config_rule_keys;

/* The words of an enum, in the order of its values; NULL-terminated. */
const char *const *config_words(enum config_kind kind);

/* Do these values own a string? */
static inline bool kind_is_string(enum config_kind kind)
{
	return kind == KIND_PATH || kind == KIND_OPTIONAL_PATH || kind == KIND_SOCKET ||
	       kind == KIND_USER;
}

/* Room for the sentence that says what is wrong with a value. */
enum { CONFIG_WHY_BYTES = 64 };

/*
 * config_read_value - is this a value for the key (for a list: one of its values)?
 *
 * @ret_field: what it means; strings are only checked. NULL: so is everything
 */
bool config_read_value(const struct config_key *key, const char *text, void *ret_field,
		       char *reterr_why);

/* config_find_key - the key of this name, its @length bytes, or NULL. */
const struct config_key *config_find_key(const struct config_keys *keys, const char *name,
					 size_t length);

/*
 * What is said of the keys elsewhere than in exportsd.conf: for each item of config_keys a text in
 * that file's notation, checked, and who says it; both NULL if nobody does. Of a list: values with
 * commas between them.
 */
struct config_layer {
	char **texts, **origins;
};

/*
 * config_layer_nfs_conf - what nfs.conf(5) says.
 *
 * @diags: warnings, but for what leaves nothing to serve
 *
 * config_layer_settings - what settings "KEY=VALUE" say.
 *
 * @settings: NULL-terminated, or NULL
 * @diags:    an error for each that is none
 *
 * Both return 0; -ENOMEM. The layer is to config_layer_done().
 */
int config_layer_nfs_conf(const char *file, struct diags *diags, struct config_layer *ret_layer);
int config_layer_settings(const char *const *settings, struct diags *diags,
			  struct config_layer *ret_layer);
void config_layer_done(struct config_layer *layer);

struct config_section {
	char *pattern;
	struct config_rule values;
};
