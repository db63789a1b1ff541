/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * etab.h - text as it stands in etab.
 */

#include <stdio.h>

#include "parser/base.h"

/* Write bytes so that a reader of exports files gets them back, as a part of a word. */
void etab_put_text(FILE *to, const char *text);
