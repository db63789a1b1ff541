/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * loop.h - for unit tests with an event loop: run it until something has happened, but not for ever.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "parser/base.h"

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
		if (sd_event_run(event, 20 * 1000) < 0)
			return false;
	return *counter >= wanted;
}

/* For so long, whatever happens. */
__attribute__((unused)) static void loop_for(sd_event *event, uint64_t msec)
{
	static const unsigned int never;

	(void)loop_until(event, &never, 1, msec);
}
