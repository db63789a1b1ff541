/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* medium.c - the state machine of one medium. */

#include "exportsd/medium.h"

static enum medium_action ask(struct medium_machine *machine)
{
	machine->stage = MEDIUM_ASKING;
	return MEDIUM_ASK;
}

static enum medium_action begin(struct medium_machine *machine, uint64_t now_usec)
{
	machine->begun_usec = now_usec;
	machine->pause_usec = 0;
	return ask(machine);
}

static enum medium_action forget(struct medium_machine *machine)
{
	machine->stage = MEDIUM_IDLE;
	return MEDIUM_FORGET;
}

static enum medium_action fail(struct medium_machine *machine, enum medium_event reason,
			       uint64_t now_usec)
{
	machine->stage = MEDIUM_FAILED;
	machine->reason = reason;
	machine->wake_usec = now_usec + MEDIUM_NO_USEC;
	return MEDIUM_TELL;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Each pause is twice the last one. */
static enum medium_action sleep_on(struct medium_machine *machine, uint64_t latest_usec,
				   const struct medium_limits *limits, uint64_t now_usec)
{
	uint64_t pause_usec =
		machine->pause_usec ? 2 * machine->pause_usec : MEDIUM_FIRST_PAUSE_USEC;

	pause_usec = min(pause_usec, limits->longest_pause_usec);
	if (pause_usec < MEDIUM_LEAST_PAUSE_USEC)
		pause_usec = MEDIUM_LEAST_PAUSE_USEC;
	machine->pause_usec = pause_usec;
	machine->wake_usec = min(now_usec + pause_usec, latest_usec);
	machine->stage = MEDIUM_PAUSING;
	return MEDIUM_SLEEP;
}

static bool is_over(const struct medium_machine *machine, const struct medium_limits *limits,
		    uint64_t now_usec)
{
	return now_usec - machine->begun_usec >= limits->deadline_usec;
}

/* The last attempt at a broken medium is made when the deadline ends. */
static enum medium_action retry_broken(struct medium_machine *machine,
				       const struct medium_limits *limits, uint64_t now_usec)
{
	if (is_over(machine, limits, now_usec))
		return fail(machine, MEDIUM_BROKEN, now_usec);
	return sleep_on(machine, machine->begun_usec + limits->deadline_usec, limits, now_usec);
}

static enum medium_action take_timer(struct medium_machine *machine, bool is_awaited,
				     const struct medium_limits *limits, uint64_t now_usec)
{
	switch (machine->stage) {
	case MEDIUM_PAUSING:
		if (!is_awaited && is_over(machine, limits, now_usec))
			return forget(machine);
		return ask(machine);
	case MEDIUM_FAILED: return forget(machine);
	case MEDIUM_IDLE:
	case MEDIUM_ASKING:
	case MEDIUM_DONE: break;
	}
	return MEDIUM_STAY;
}

static enum medium_action take_wish(struct medium_machine *machine, uint64_t now_usec)
{
	switch (machine->stage) {
	case MEDIUM_IDLE:
	case MEDIUM_DONE: return begin(machine, now_usec);
	case MEDIUM_ASKING:
	case MEDIUM_PAUSING: break;
	case MEDIUM_FAILED:
		return now_usec < machine->wake_usec ? MEDIUM_TELL : begin(machine, now_usec);
	}
	return MEDIUM_STAY;
}

enum medium_action medium_step(struct medium_machine *machine, enum medium_event event,
			       bool is_awaited, const struct medium_limits *limits,
			       uint64_t now_usec)
{
	switch (event) {
	case MEDIUM_WANTED: return take_wish(machine, now_usec);
	case MEDIUM_FOUND: machine->stage = MEDIUM_DONE; return MEDIUM_TELL;
	case MEDIUM_ABSENT:
	case MEDIUM_REFUSED: return fail(machine, event, now_usec);
	case MEDIUM_BROKEN: return retry_broken(machine, limits, now_usec);
	case MEDIUM_DELAYED: return sleep_on(machine, UINT64_MAX, limits, now_usec);
	case MEDIUM_TIMER: return take_timer(machine, is_awaited, limits, now_usec);
	}
	return MEDIUM_STAY;
}
