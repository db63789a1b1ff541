/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * json.h - the daemon's messages as JSON objects, through json-c.
 */

#include <json-c/json.h>

#include "handlers/proto.h"

/*
 * json_add_text - a member that holds text. JSON is UTF-8, paths are bytes: where they are not
 * UTF-8, the member's name gets "_escaped" behind it, and bytes that are not ASCII, control bytes
 * and backslashes are \ooo in it. @text: NULL: no member
 */
void json_add_text(struct json_object *object, const char *name, const char *text);
void json_add_number(struct json_object *object, const char *name, uint64_t number);

/*
 * json_of_message - its fields as members: '-' in keys becomes '_', numbers are numbers, yes and no
 * are booleans.
 */
struct json_object *json_of_message(const struct proto_message *message);

/* json_print - on standard output, indented, with a newline. */
void json_print(struct json_object *object);
