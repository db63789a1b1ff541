/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* medium.c - the state machines of one medium. */

#include "exportsd/media/medium.h"

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

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static enum medium_action fail(struct medium_machine *machine, enum medium_event reason,
			       uint64_t now_usec)
{
	machine->stage = MEDIUM_FAILED;
	machine->reason = reason;
	machine->broken_usec = 0;
	machine->wake_usec = now_usec + MEDIUM_NO_USEC;
	return MEDIUM_TELL;
}

static enum medium_action fail_broken(struct medium_machine *machine,
				      const struct medium_limits *limits, uint64_t now_usec)
{
	(void)fail(machine, MEDIUM_BROKEN, now_usec);
	machine->broken_usec = now_usec;
	machine->wake_usec = now_usec + max(MEDIUM_NO_USEC, limits->longest_pause_usec);
	return MEDIUM_TELL;
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

/* It was broken not long ago: one attempt shows whether it still is. */
static bool was_broken(const struct medium_machine *machine, const struct medium_limits *limits,
		       uint64_t now_usec)
{
	return machine->broken_usec &&
	       now_usec - machine->broken_usec < limits->deadline_usec + limits->longest_pause_usec;
}

/* The last attempt at a broken medium is made when the deadline ends. */
static enum medium_action retry_broken(struct medium_machine *machine,
				       const struct medium_limits *limits, uint64_t now_usec)
{
	if (limits->never_fails)
		return sleep_on(machine, UINT64_MAX, limits, now_usec);
	if (is_over(machine, limits, now_usec) || was_broken(machine, limits, now_usec))
		return fail_broken(machine, limits, now_usec);
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
	case MEDIUM_FOUND:
		machine->stage = MEDIUM_DONE;
		machine->broken_usec = 0;
		return MEDIUM_TELL;
	case MEDIUM_ABSENT:
	case MEDIUM_REFUSED: return fail(machine, event, now_usec);
	case MEDIUM_BROKEN: return retry_broken(machine, limits, now_usec);
	case MEDIUM_DELAYED: return sleep_on(machine, UINT64_MAX, limits, now_usec);
	case MEDIUM_TIMER: return take_timer(machine, is_awaited, limits, now_usec);
	}
	return MEDIUM_STAY;
}

/* ---- draining ---- */

static enum drain_action leave(struct drain_machine *machine, enum drain_action action)
{
	machine->stage = DRAIN_NONE;
	return action;
}

static enum drain_action begin_drain(struct drain_machine *machine, bool turns,
				     uint64_t patience_usec, uint64_t now_usec)
{
	*machine = (struct drain_machine){
		.stage = DRAIN_TRYING,
		.turns = turns,
		.patience_usec = patience_usec,
		.begun_usec = now_usec,
	};
	return DRAIN_TRY;
}

/* The last look is when the patience ends. */
static enum drain_action wait_for_holders(struct drain_machine *machine, uint64_t now_usec)
{
	uint64_t end_usec = machine->begun_usec + machine->patience_usec;
	uint64_t pause_usec =
		machine->pause_usec ? 2 * machine->pause_usec : DRAIN_FIRST_PAUSE_USEC;

	if (now_usec >= end_usec)
		return leave(machine, DRAIN_GIVE_UP);
	machine->stage = DRAIN_TRYING;
	machine->pause_usec = min(pause_usec, DRAIN_LONGEST_PAUSE_USEC);
	machine->wake_usec = min(now_usec + machine->pause_usec, end_usec);
	return DRAIN_SLEEP;
}

static enum drain_action step_trying(struct drain_machine *machine, enum drain_event event,
				     uint64_t now_usec)
{
	switch (event) {
	case DRAIN_BUSY: return wait_for_holders(machine, now_usec);
	case DRAIN_FREE: machine->stage = DRAIN_UNMOUNTING; return DRAIN_UNMOUNT;
	case DRAIN_UNMOUNTED: return leave(machine, DRAIN_END); /* by somebody else */
	case DRAIN_TIMER: return DRAIN_TRY;
	case DRAIN_ASKED: return machine->turns ? leave(machine, DRAIN_TURN) : DRAIN_STAY;
	case DRAIN_WISHED:
	case DRAIN_BROKEN: break;
	}
	return DRAIN_STAY;
}

static enum drain_action step_unmounting(struct drain_machine *machine, enum drain_event event,
					 uint64_t now_usec)
{
	switch (event) {
	case DRAIN_BUSY: return wait_for_holders(machine, now_usec);
	case DRAIN_UNMOUNTED: return leave(machine, DRAIN_END);
	case DRAIN_BROKEN: return leave(machine, DRAIN_FAIL);
	case DRAIN_WISHED:
	case DRAIN_FREE:
	case DRAIN_ASKED:
	case DRAIN_TIMER: break;
	}
	return DRAIN_STAY;
}

enum drain_action drain_step(struct drain_machine *machine, enum drain_event event, bool turns,
			     uint64_t patience_usec, uint64_t now_usec)
{
	switch (machine->stage) {
	case DRAIN_NONE:
		if (event == DRAIN_WISHED)
			return begin_drain(machine, turns, patience_usec, now_usec);
		break;
	case DRAIN_TRYING: return step_trying(machine, event, now_usec);
	case DRAIN_UNMOUNTING: return step_unmounting(machine, event, now_usec);
	}
	return DRAIN_STAY;
}
