/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-callout.c - ha-callout: a real program, told of mounts in order, one at a time.
 */

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/base/log.h"
#include "exportsd/mountd/callout.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

static char directory[] = "/tmp/test-callout-XXXXXX";
static unsigned int n_logged;
static char logged[512];

void log_message(int level, const struct log_about *about, const char *format, ...)
{
	va_list ap;

	if (level == LOG_DEBUG)
		return;
	va_start(ap, format);
	(void)vsnprintf(logged, sizeof(logged), format, ap);
	va_end(ap);
	n_logged++;
}

static char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* A script that writes its arguments to "log", slowly: then, in whatever order they came, they overlap if they can. */
static void write_program(void)
{
	FILE *to = fopen(path_of("program"), "w");

	fprintf(to,
		"#!/bin/sh\n"
		"echo \"$#: $* begins\" >>%s/log\n"
		"case $3 in /slow) sleep .05 ;; /fails) exit 3 ;; esac\n"
		"echo ends >>%s/log\n",
		directory, directory);
	fclose(to);
	chmod(path_of("program"), 0755);
}

static char *read_log(void)
{
	static char text[65536];
	FILE *from = fopen(path_of("log"), "r");
	size_t n = from ? fread(text, 1, sizeof(text) - 1, from) : 0;

	text[n] = '\0';
	if (from)
		fclose(from);
	return text;
}

static unsigned int n_lines(void)
{
	unsigned int n = 0;

	for (const char *at = read_log(); (at = strchr(at, '\n')); at++)
		n++;
	return n;
}

static void wait_for_lines(sd_event *event, unsigned int wanted)
{
	uint64_t end = loop_now_msec() + 10000;

	while (n_lines() < wanted && loop_now_msec() < end)
		loop_for(event, 10);
	loop_for(event, 50);
}

static void test_runs(sd_event *event)
{
	struct callout *callout = NULL;

	is_int(callout_new(&callout, event, path_of("program")), 0, "a program");
	callout_run(callout, "mount", "192.0.2.7", "/slow", 1);
	callout_run(callout, "unmount", "2001:db8::7", "/a b", 0);
	ok(!strstr(read_log(), "ends"), "is not waited for");
	wait_for_lines(event, 4);
	is_str(read_log(),
	       "4: mount 192.0.2.7 /slow 1 begins\nends\n"
	       "4: unmount 2001:db8::7 /a b 0 begins\nends\n",
	       "it is run once for each, in order, one at a time");
	is_int(n_logged, 0, "which is not worth a message");
	callout_run(callout, "mount", "192.0.2.7", "/fails", 1);
	wait_for_lines(event, 5);
	ok(n_logged == 1 && strstr(logged, "mount 192.0.2.7 /fails: it exited with 3"),
	   "that it failed is: %s", logged);
	callout_run(callout, "mount", "192.0.2.7", "/after", 1);
	wait_for_lines(event, 7);
	is_int(n_lines(), 7, "and the next one is run");
	callout_free(callout);
}

static void test_limits(sd_event *event)
{
	struct callout *callout = NULL;

	n_logged = 0;
	callout_new(&callout, event, path_of("program"));
	for (int i = 0; i < CALLOUT_WAITING_MAX; i++)
		callout_run(callout, "mount", "192.0.2.7", "/a", 1);
	is_int(n_logged, 0, "as many as may wait");
	callout_run(callout, "mount", "192.0.2.7", "/b", 1);
	callout_run(callout, "mount", "192.0.2.7", "/c", 1);
	ok(n_logged == 1 && strstr(logged, "too many wait"), "more are not run, said once: %s",
	   logged);
	ok(!callout_free(callout), "what waits can be given up");
	n_logged = 0;
	callout_new(&callout, event, path_of("nothing"));
	callout_run(callout, "mount", "192.0.2.7", "/a", 1);
	ok(n_logged == 1 && strstr(logged, "Cannot run"), "a program that is not there: %s",
	   logged);
	callout_free(callout);
	callout_run(NULL, "mount", "192.0.2.7", "/a", 1);
	ok(!callout_free(NULL), "no program is fine");
}

int main(void)
{
	char command[64];
	sd_event *event = NULL;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	if (!mkdtemp(directory) || sd_event_new(&event) < 0)
		return 1;
	write_program();
	test_runs(event);
	test_limits(event);
	loop_for(event, 100);
	sd_event_unref(event);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command) == 0 ? tap_done() : 1;
}
