/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * values.c - what the text of a value means, whoever says it.
 */

#include <ctype.h>
#include <errno.h>
#include <limits.h>

#include <confuse.h>

#include "exportsd/config/private.h"

static bool read_boolean(const char *text, bool *ret_value, char *reterr_why)
{
	int value = cfg_parse_boolean(text);

	if (value < 0)
		snprintf(reterr_why, CONFIG_WHY_BYTES, "is neither true nor false");
	else
		*ret_value = value;
	return value >= 0;
}

static bool read_number(const struct config_key *key, const char *text, uint32_t *ret_value,
			char *reterr_why)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end) {
		snprintf(reterr_why, CONFIG_WHY_BYTES, "is not a whole number");
		return false;
	}
	if (errno || value < key->min || value > key->max) {
		snprintf(reterr_why, CONFIG_WHY_BYTES, "is not within %u .. %u", key->min,
			 key->max);
		return false;
	}
	*ret_value = (uint32_t)value;
	return true;
}

static bool read_port(const struct config_key *key, const char *text, uint16_t *ret_value,
		      char *reterr_why)
{
	uint32_t number;

	if (!read_number(key, text, &number, reterr_why))
		return false;
	*ret_value = (uint16_t)number;
	return true;
}

static bool check_path(const struct config_key *key, const char *text, char *reterr_why)
{
	size_t max = key->max ? key->max : PATH_MAX - 1;

	if ((key->kind == KIND_OPTIONAL_PATH || key->kind == KIND_SOCKET) && !*text)
		return true;
	if (key->kind == KIND_SOCKET && *text == '@')
		text++;
	if (*text != '/')
		snprintf(reterr_why, CONFIG_WHY_BYTES, "is not an absolute path");
	else if (strlen(text) > max)
		snprintf(reterr_why, CONFIG_WHY_BYTES, "is longer than %zu bytes", max);
	else
		return true;
	return false;
}

static bool read_choice(const struct config_key *key, const char *text, unsigned int *ret_value,
			char *reterr_why)
{
	const char *const *words = config_words(key->kind);
	int n = 0;

	for (unsigned int i = 0; words[i]; i++)
		if (str_equal(words[i], text)) {
			*ret_value = i;
			return true;
		}
	for (unsigned int i = 0; words[i]; i++)
		n += snprintf(reterr_why + n, CONFIG_WHY_BYTES - (size_t)n, "%s%s",
			      i == 0	     ? "is none of "
			      : words[i + 1] ? ", "
					     : " and ",
			      words[i]);
	return false;
}

bool config_read_value(const struct config_key *key, const char *text, void *ret_field,
		       char *reterr_why)
{
	union {
		bool boolean;
		uint32_t number;
		uint16_t port;
		unsigned int choice;
	} ignored;
	void *field = ret_field ?: &ignored;

	switch (key->kind) {
	case KIND_BOOLEAN: return read_boolean(text, field, reterr_why);
	case KIND_NUMBER: return read_number(key, text, field, reterr_why);
	case KIND_PORT: return read_port(key, text, field, reterr_why);
	case KIND_PATH:
	case KIND_OPTIONAL_PATH:
	case KIND_SOCKET:
	case KIND_PATHS: return check_path(key, text, reterr_why);
	case KIND_USER: return true;
	case KIND_AFTER_DEADLINE:
	case KIND_IDENTITY: return read_choice(key, text, field, reterr_why);
	}
	return false;
}

const struct config_key *config_find_key(const struct config_keys *keys, const char *name,
					 size_t length)
{
	for (size_t i = 0; i < keys->n_items; i++)
		if (strncmp(keys->items[i].name, name, length) == 0 && !keys->items[i].name[length])
			return &keys->items[i];
	return NULL;
}
