/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * text.h - texts made by printf(3)'s rules, as new strings to free(3).
 *
 * asprintf(3) leaves the pointer undefined when memory is out; these return NULL then.
 */

#include <stdarg.h>

#include "parser/base.h"

char *text_format(const char *format, ...) FORMAT_PRINTF(1, 2);
char *text_vformat(const char *format, va_list ap) FORMAT_PRINTF(1, 0);
