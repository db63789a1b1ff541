/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c - messages on standard error.
 */

#include <errno.h>
#include <stdarg.h>

#include "handlers/kit/kit.h"

void kit_log(int level, const char *format, ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;
	int length;

	va_start(ap, format);
	length = vasprintf(&text, format, ap);
	va_end(ap);
	if (length < 0)
		text = NULL; /* undefined after a failure */
	for (char *c = text; c && *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '?'; /* one message, one line */
	if (isatty(STDERR_FILENO))
		dprintf(STDERR_FILENO, "%s: %s\n", program_invocation_short_name,
			text ? text : format);
	else
		dprintf(STDERR_FILENO, "<%d>%s\n", level, text ? text : format);
}
