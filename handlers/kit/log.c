/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c - messages on standard error.
 */

#include <errno.h>
#include <stdarg.h>

#include "handlers/kit/kit.h"
#include "parser/text.h"

void kit_log(int level, const char *format, ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = text_vformat(format, ap);
	va_end(ap);
	for (char *c = text; c && *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '?'; /* one message, one line */
	if (isatty(STDERR_FILENO))
		dprintf(STDERR_FILENO, "%s: %s\n", program_invocation_short_name,
			text ? text : format);
	else
		dprintf(STDERR_FILENO, "<%d>%s\n", level, text ? text : format);
}
