/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * log.c - one line a message, to the journal or to standard error.
 *
 * The journal is used when standard error is connected to it (systemd.exec(5) "JOURNAL_STREAM"),
 * so a daemon started by hand talks to whoever started it. Fields keep their bytes as they are:
 * the journal's own protocol counts them. The text shows control bytes as \ooo, so that a path
 * with a newline in it cannot look like a second message. Backslashes are left alone: texts
 * often quote what is escaped already.
 *
 * The settings are the only state, as in syslog(3); workers inherit them.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SD_JOURNAL_SUPPRESS_LOCATION 1
#include <systemd/sd-journal.h>

#include "exportsd/base/log.h"
#include "parser/escape.h"
#include "parser/text.h"

enum { FIELDS_MAX = 8 };

static int level_max = LOG_INFO;
static bool use_journal;

/* What a message says besides its text. */
struct fact {
	const char *field; /* in the journal */
	const char *word; /* on standard error */
	const char *value;
};

/* Is standard error the stream the service manager made to the journal? */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

void log_open(int level, bool to_stderr)
{
	level_max = level;
	use_journal = !to_stderr && stderr_is_journal();
}

static const char *level_word(int level)
{
	switch (level) {
	case LOG_WARNING: return "warning";
	case LOG_NOTICE: return "notice";
	case LOG_INFO: return "info";
	case LOG_DEBUG: return "debug";
	}
	return "error";
}

static char *show_controls(const char *text)
{
	return escape_bytes(text, strlen(text), ESCAPE_SHOWN);
}

static void send_to_journal(int level, const char *text, const struct fact *facts, size_t n_facts)
{
	struct iovec vector[FIELDS_MAX];
	char *fields[FIELDS_MAX] = { NULL };
	size_t n = 0;

	if (asprintf(&fields[n], "MESSAGE=%s", text) >= 0)
		n++;
	if (asprintf(&fields[n], "PRIORITY=%d", level) >= 0)
		n++;
	if (asprintf(&fields[n], "SYSLOG_IDENTIFIER=exportsd") >= 0)
		n++;
	for (size_t i = 0; i < n_facts; i++)
		if (asprintf(&fields[n], "%s=%s", facts[i].field, facts[i].value) >= 0)
			n++;
	for (size_t i = 0; i < n; i++)
		vector[i] = (struct iovec){ .iov_base = fields[i], .iov_len = strlen(fields[i]) };
	(void)sd_journal_sendv(vector, (int)n);
	for (size_t i = 0; i < n; i++)
		free(fields[i]);
}

/* One write(2) a line, so that lines of several processes do not mix. */
static void write_to_stderr(int level, const char *text, const struct fact *facts, size_t n_facts)
{
	CLEANUP(freep) char *line = NULL;
	size_t length;
	FILE *to = open_memstream(&line, &length);
	const char *separator = " (";

	if (!to)
		return;
	fprintf(to, "%s: %s", level_word(level), text);
	for (size_t i = 0; i < n_facts; i++) {
		CLEANUP(freep) char *value = show_controls(facts[i].value);

		if (!value || strstr(text, value))
			continue;
		fprintf(to, "%s%s %s", separator, facts[i].word, value);
		separator = ", ";
	}
	fputs(*separator == ',' ? ")\n" : "\n", to);
	if (fclose(to) == 0 && write(STDERR_FILENO, line, length) < 0)
		return; /* nobody left to tell */
}

void log_message(int level, const struct log_about *about, const char *format, ...)
{
	CLEANUP(freep) char *raw = NULL, *text = NULL;
	struct fact facts[4];
	char number[16];
	size_t n = 0;
	int saved = errno;
	va_list ap;

	if (level > level_max)
		return;
	va_start(ap, format);
	raw = text_vformat(format, ap);
	va_end(ap);
	text = raw ? show_controls(raw) : NULL;
	if (about && about->path)
		facts[n++] = (struct fact){ "EXPORT_PATH", "path", about->path };
	if (about && about->client)
		facts[n++] = (struct fact){ "CLIENT", "client", about->client };
	if (about && about->handler)
		facts[n++] = (struct fact){ "HANDLER", "handler", about->handler };
	if (about && about->fsid) {
		snprintf(number, sizeof(number), "%u", about->fsid);
		facts[n++] = (struct fact){ "FSID", "fsid", number };
	}
	/* When memory is out, the format alone still tells the kind of trouble. */
	(use_journal ? send_to_journal : write_to_stderr)(level, text ?: format, facts, n);
	errno = saved;
}
