/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * medium.h - the state machine behind what is asked of a handler until it says yes or no:
 * that a medium be mounted, and whether there is one.
 *
 *	IDLE ──► ASKING ◄──► PAUSING
 *	  ▲        ├──► DONE
 *	  └────────┴──► FAILED (for MEDIUM_NO_USEC)
 *
 * Pure: it touches no descriptor, reads no clock, and allocates nothing. What it wants done is the
 * action it returns.
 */

#include <stdint.h>

#include "parser/base.h"

enum medium_stage { MEDIUM_IDLE, MEDIUM_ASKING, MEDIUM_PAUSING, MEDIUM_DONE, MEDIUM_FAILED };

/* What happens to it. */
enum medium_event {
	MEDIUM_WANTED, /* somebody asks, and it is not there */
	MEDIUM_FOUND, /* it is there, whoever did it */
	MEDIUM_ABSENT, /* the handler: no such medium */
	MEDIUM_REFUSED, /* the handler: not for this client */
	MEDIUM_BROKEN, /* the handler, or what it did, is at fault */
	MEDIUM_DELAYED, /* busy, not there, silent: it may pass */
	MEDIUM_TIMER, /* machine->wake_usec is now */
};

enum medium_action {
	MEDIUM_STAY, /* nothing to do */
	MEDIUM_ASK, /* ask the handler */
	MEDIUM_SLEEP, /* send MEDIUM_TIMER at machine->wake_usec */
	MEDIUM_TELL, /* DONE or FAILED: tell who waits; if FAILED, send MEDIUM_TIMER at machine->wake_usec */
	MEDIUM_FORGET, /* IDLE again */
};

/* No "no" is remembered longer (DESIGN promise P5). */
static const uint64_t MEDIUM_NO_USEC = 5000000;
static const uint64_t MEDIUM_FIRST_PAUSE_USEC = 1000000;
static const uint64_t MEDIUM_LEAST_PAUSE_USEC = 20000;

struct medium_limits {
	uint64_t deadline_usec; /* a broken medium is asked for again so long */
	uint64_t longest_pause_usec;
};

/* Zero-initialise. */
struct medium_machine {
	enum medium_stage stage;
	enum medium_event reason; /* FAILED: ABSENT, REFUSED or BROKEN */
	uint64_t begun_usec; /* when it was first wanted */
	uint64_t pause_usec; /* the last pause; 0: none yet */
	uint64_t wake_usec;
};

/*
 * medium_step - one step.
 *
 * @is_awaited: somebody waits for it. When nobody does, a pause beyond the deadline is the end.
 * @now_usec:   any clock that only goes on
 *
 * A broken medium fails for good when the deadline since it was first wanted is over; a delayed one never.
 */
enum medium_action medium_step(struct medium_machine *machine, enum medium_event event,
			       bool is_awaited, const struct medium_limits *limits,
			       uint64_t now_usec);
