/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * config_private.h - the tables that reading, checking, defaults and printing follow.
 */

#include "exportsd/config.h"

enum kind {
	KIND_BOOLEAN,
	KIND_NUMBER,
	KIND_PORT,
	KIND_PATH,
	KIND_OPTIONAL_PATH, /* empty: none */
	KIND_PATHS,
	KIND_USER,
	KIND_AFTER_DEADLINE, /* enums, by their words */
	KIND_IDENTITY,
};

struct key {
	const char *name;
	enum kind kind;
	size_t offset; /* in struct config, or in struct config_rule */
	const char *fallback; /* in libconfuse's notation */
	uint32_t min, max; /* of a number; max of a path: its length, 0: as long as paths may be */
	const char *help; /* lines of a comment */
};

struct keys {
	const struct key *items;
	size_t n_items;
};

/* The keys of the file, and those of its rule sections. */
extern const struct keys config_keys, config_rule_keys;

/* The words of an enum, in the order of its values; NULL-terminated. */
const char *const *config_words(enum kind kind);

/* Do these values own a string? */
static inline bool kind_is_string(enum kind kind)
{
	return kind == KIND_PATH || kind == KIND_OPTIONAL_PATH || kind == KIND_USER;
}

struct config_section {
	char *pattern;
	struct config_rule values;
};
