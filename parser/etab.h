/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * etab.h - text as it stands in etab.
 */

#include <stdio.h>

#include "parser/base.h"

/* Write text so that a reader of exports files gets it back, as a part of a word. */

/* Only what a reader would take for something else is escaped: clients, values of options. */
void etab_put_text(FILE *to, const char *text);

/* As nfs-utils writes paths: backslash and '#' are always escaped. */
void etab_put_path(FILE *to, const char *text);

/*
 * What an etab line starts with, a path, a tab and a client: its key, there is one line for each.
 *
 * @pattern: NULL, or a rule's, in the path's place
 */
void etab_put_pair(FILE *to, const char *path, const char *pattern, const char *client);
