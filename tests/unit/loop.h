/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * loop.h - for unit tests with an event loop: run it until something has happened, but not for ever. The time is that of
 * tests/fake/clock.h, which costs none.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "parser/base.h"
#include "tests/fake/clock.h"
#include "tests/tap.h"

__attribute__((unused)) static uint64_t loop_now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Until *counter reaches wanted. Returns whether it did within the time. */
__attribute__((unused)) static bool loop_until(sd_event *event,
					       const volatile unsigned int *counter,
					       unsigned int wanted, uint64_t msec)
{
	uint64_t end = loop_now_msec() + msec;

	while (*counter < wanted && loop_now_msec() < end)
		if (sd_event_run(event, 20 * UINT64_C(1000)) < 0)
			return false;
	return *counter >= wanted;
}

/* For so long, whatever happens. */
__attribute__((unused)) static void loop_for(sd_event *event, uint64_t msec)
{
	static const unsigned int never;

	(void)loop_until(event, &never, 1, msec);
}

/*
 * A test in a process and with a loop of its own: what it makes of its namespaces ends with it. It prints its checks, @n_checks of
 * them; they count here. It returns 0, or 77 where it may not have what it needs.
 */
__attribute__((unused)) static void loop_in_child(sd_event **event, int (*test)(void),
						  unsigned int n_checks, const char *what)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		clock_begin_anew();
		sd_event_unref(*event);
		if (sd_event_new(event) < 0)
			_exit(2);
		tap_failed = 0;
		status = test();
		fflush(stdout);
		_exit(tap_failed ? 1 : status);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		ok(true, "%s # SKIP no namespaces here", what);
		return;
	}
	tap_run += n_checks;
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s does no harm (status %#x)", what,
	   (unsigned int)status);
}
