/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * log.h - the journal, with fields, so that an administrator can ask for all that
 * concerns one medium, client or handler:
 *
 *	journalctl EXPORT_PATH=/mnt/cdrom/debian-12
 *
 * Where there is no journal (a terminal, a test), the same text goes to standard error,
 * prefixed by its level. Only main.c and event callbacks log, once, where a matter ends.
 */

#include <stdint.h>
#include <syslog.h>

#include "parser/base.h"

/* What a message is about. Leave out what does not apply. */
struct log_about {
	const char *path; /* EXPORT_PATH= */
	const char *client; /* CLIENT=: an address or a domain */
	const char *handler; /* HANDLER=: a socket */
	uint32_t fsid; /* FSID=, if not 0 */
};

/*
 * log_open - choose where messages go, and up to which level.
 *
 * @level: LOG_ERR .. LOG_DEBUG
 * @to_stderr: never the journal
 */
void log_open(int level, bool to_stderr);

/* log_message - one line. %m in the format is errno's text. errno is kept. Use the macros. */
void log_message(int level, const struct log_about *about, const char *format, ...)
	FORMAT_PRINTF(3, 4);

/* log_error(&(struct log_about){ .path = path }, "...") or log_error(NULL, "...") */
#define log_error(about, ...) log_message(LOG_ERR, (about), __VA_ARGS__)
#define log_warning(about, ...) log_message(LOG_WARNING, (about), __VA_ARGS__)
#define log_notice(about, ...) log_message(LOG_NOTICE, (about), __VA_ARGS__)
#define log_info(about, ...) log_message(LOG_INFO, (about), __VA_ARGS__)
#define log_debug(about, ...) log_message(LOG_DEBUG, (about), __VA_ARGS__)
#define ABOUT(...) (&(const struct log_about){ __VA_ARGS__ })
