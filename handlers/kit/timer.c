/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timer.c - something to be done later.
 */

#include "handlers/kit/private.h"

int kit_call_in(struct kit *kit, sd_event_source **timer, uint64_t usec,
		sd_event_time_handler_t call, void *userdata)
{
	int r;

	if (*timer) {
		r = sd_event_source_set_time_relative(*timer, usec);
		return r < 0 ? r : sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
	}
	return sd_event_add_time_relative(kit->event, timer, CLOCK_MONOTONIC, usec, 0, call,
					  userdata);
}
