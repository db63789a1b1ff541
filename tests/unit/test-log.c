/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-log.c - what reaches standard error and what reaches the journal. sd_journal_sendv()
 * is replaced by one that keeps what it is given; standard error is a file.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SD_JOURNAL_SUPPRESS_LOCATION 1
#include <systemd/sd-journal.h>

#include "exportsd/base/log.h"
#include "tests/tap.h"

static char sent[4096]; /* the journal's fields, with '|' between them */
static unsigned int n_sent;

int sd_journal_sendv(const struct iovec *vector, int n)
{
	sent[0] = '\0';
	for (int i = 0; i < n; i++)
		sprintf(sent + strlen(sent), "%s%.*s", i ? "|" : "", (int)vector[i].iov_len,
			(const char *)vector[i].iov_base);
	n_sent++;
	return 0;
}

static int file = -1;

/* What was written to standard error since the last call. */
static const char *written(void)
{
	static char text[4096];
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	if (ftruncate(file, 0) < 0 || lseek(file, 0, SEEK_SET) < 0)
		return NULL;
	return text;
}

static void test_stderr(void)
{
	log_open(LOG_INFO, true);
	log_error(NULL, "cannot read it");
	is_str(written(), "error: cannot read it\n", "a plain message");
	log_debug(NULL, "nobody asked");
	is_str(written(), "", "above the level: nothing");
	log_open(LOG_DEBUG, true);
	log_debug(NULL, "now");
	is_str(written(), "debug: now\n", "within the level");
	errno = ENOSPC;
	log_warning(ABOUT(.path = "/mnt/a", .client = "@g", .handler = "/run/h", .fsid = 7),
		    "no: %m");
	is_str(written(),
	       "warning: no: No space left on device (path /mnt/a, client @g, handler /run/h, fsid 7)\n",
	       "what it is about is told, too");
	is_int(errno, ENOSPC, "errno is kept");
	log_notice(ABOUT(.path = "/mnt/a", .client = "@g"), "%s: gone", "/mnt/a");
	is_str(written(), "notice: /mnt/a: gone (client @g)\n", "but not twice");
	is_int(n_sent, 0, "the journal got nothing");
}

static void test_forgery(void)
{
	log_info(ABOUT(.client = "x\nerror: y"), "no medium '%s'",
		 "/mnt/a\nerror: \x1b[31mforged\x7f");
	is_str(written(),
	       "info: no medium '/mnt/a\\012error: \\033[31mforged\\177' (client x\\012error: y)\n",
	       "control bytes cannot make lines");
	log_info(ABOUT(.path = "/a\tb"), "'%s' is told once", "/a\tb");
	is_str(written(), "info: '/a\\011b' is told once\n", "and do not hide a repetition");
	log_info(NULL, "caf\xc3\xa9 \\012");
	is_str(written(), "info: caf\xc3\xa9 \\012\n", "other bytes stay");
}

static void test_journal(void)
{
	char stream[64];
	struct stat status;

	fstat(STDERR_FILENO, &status);
	sprintf(stream, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	setenv("JOURNAL_STREAM", stream, true);
	log_open(LOG_INFO, true);
	log_info(NULL, "here");
	is_str(written(), "info: here\n", "asked for standard error, it is that");
	log_open(LOG_INFO, false);
	log_info(NULL, "there");
	is_str(written(), "", "with the journal behind standard error, nothing is written");
	is_str(sent, "MESSAGE=there|PRIORITY=6|SYSLOG_IDENTIFIER=exportsd", "but sent");
	log_error(
		ABOUT(.path = "/a\nb", .client = "192.0.2.1", .handler = "@h", .fsid = UINT32_MAX),
		"'%s' is broken", "/a\nb");
	is_str(sent,
	       "MESSAGE='/a\\012b' is broken|PRIORITY=3|SYSLOG_IDENTIFIER=exportsd|EXPORT_PATH=/a\nb|"
	       "CLIENT=192.0.2.1|HANDLER=@h|FSID=4294967295",
	       "with fields, whose bytes are as they were");
	log_debug(NULL, "no");
	is_int(n_sent, 2, "the level counts here, too");
	setenv("JOURNAL_STREAM", "1:2", true);
	log_open(LOG_INFO, false);
	log_info(NULL, "back");
	is_str(written(), "info: back\n", "another stream than standard error's does not count");
}

int main(void)
{
	char name[] = "/tmp/test-log-XXXXXX";
	int kept = dup(STDERR_FILENO);

	file = mkstemp(name);
	unlink(name);
	dup2(file, STDERR_FILENO);
	test_stderr();
	test_forgery();
	test_journal();
	dup2(kept, STDERR_FILENO);
	return tap_done();
}
