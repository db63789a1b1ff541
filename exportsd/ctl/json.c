/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json.c - what is text, what is a number, and bytes that JSON cannot hold.
 */

#include <stdio.h>

#include "exportsd/ctl/json.h"
#include "parser/escape.h"

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

void json_add_text(struct json_object *object, const char *name, const char *text)
{
	CLEANUP(freep) char *long_name = NULL;
	CLEANUP(freep) char *escaped = NULL;

	if (!text)
		return;
	if (escape_is_utf8(text)) {
		json_object_object_add(object, name, json_object_new_string(text));
		return;
	}
	escaped = escape_bytes(text, strlen(text), ESCAPE_ASCII);
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
