/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json.c - what is text, what is a number, and bytes that JSON cannot hold.
 */

#include <stdio.h>

#include "exportsd/ctl/json.h"

/*
 * Fields that hold text, though they may look like numbers. All others that are digits only are
 * numbers.
 */
static const char *const texts[] = {
	"path",	   "client", "label", "identity", "source",  "handler",
	"message", "file",   "etab",  "state",	  "version", "options",
};

static bool is_text(const char *key)
{
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (str_equal(texts[i], key))
			return true;
	return false;
}

/* Bytes of the UTF-8 character at @text (RFC 3629 section 4), 0 if it is none. */
static size_t utf8_length(const unsigned char *text)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t length;
	} forms[] = {
		{ 0x01, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
		if (text[0] < forms[i].first_min || text[0] > forms[i].first_max)
			continue;
		if (text[1] < forms[i].second_min || text[1] > forms[i].second_max)
			return 0;
		for (size_t j = 2; j < forms[i].length; j++)
			if ((text[j] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

static bool is_utf8(const char *text)
{
	for (size_t length; *text; text += length) {
		length = utf8_length((const unsigned char *)text);
		if (!length)
			return false;
	}
	return true;
}

static char *escape_all(const char *text)
{
	char *escaped = malloc(strlen(text) * 4 + 1), *to = escaped;

	if (!escaped)
		return NULL;
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '\\')
			to += sprintf(to, "\\%03o", (unsigned char)*text);
		else
			*to++ = *text;
	*to = '\0';
	return escaped;
}

void json_add_text(struct json_object *object, const char *name, const char *text)
{
	CLEANUP(freep) char *long_name = NULL;
	CLEANUP(freep) char *escaped = NULL;

	if (!text)
		return;
	if (is_utf8(text)) {
		json_object_object_add(object, name, json_object_new_string(text));
		return;
	}
	escaped = escape_all(text);
	if (asprintf(&long_name, "%s_escaped", name) < 0)
		long_name = NULL;
	if (escaped && long_name)
		json_object_object_add(object, long_name, json_object_new_string(escaped));
}

void json_add_number(struct json_object *object, const char *name, uint64_t number)
{
	json_object_object_add(object, name, json_object_new_uint64(number));
}

struct json_object *json_of_message(const struct proto_message *message)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < message->n_fields; i++) {
		const struct proto_field *field = &message->fields[i];
		CLEANUP(freep) char *name = strdup(field->key);
		uint64_t number;

		for (char *at = name; at && *at; at++)
			if (*at == '-')
				*at = '_';
		if (!name)
			continue;
		if (str_equal(field->key, "listed"))
			json_object_object_add(
				object, name,
				json_object_new_boolean(str_equal(field->value, "1")));
		else if (!is_text(field->key) &&
			 proto_get_u64(message, field->key, UINT64_MAX, &number) == 0)
			json_add_number(object, name, number);
		else
			json_add_text(object, name, field->value);
	}
	return object;
}

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
}
