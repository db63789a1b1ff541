/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * medium.h - the two state machines of a medium. The first is behind what is asked of a handler
 * until it says yes or no: that a medium be mounted, and whether there is one.
 *
 *	IDLE ──► ASKING ◄──► PAUSING
 *	  ▲        ├──► DONE
 *	  └────────┴──► FAILED (a "no" for MEDIUM_NO_USEC; a broken medium for its longest pause)
 *
 * The second one gets a mounted medium unmounted (drain_step()).
 *
 * Both are pure: they touch no descriptor, read no clock, and allocate nothing. What they want done
 * is the action they return.
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

/* No "no" is remembered longer (promise P5). */
static const uint64_t MEDIUM_NO_USEC = 5000000;
static const uint64_t MEDIUM_FIRST_PAUSE_USEC = 1000000;
static const uint64_t MEDIUM_LEAST_PAUSE_USEC = 20000;

struct medium_limits {
	uint64_t deadline_usec; /* a broken medium is asked for again so long */
	uint64_t longest_pause_usec;
	bool never_fails; /* a broken medium is asked for on and on (after-deadline = delay) */
};

/* Zero-initialise. */
struct medium_machine {
	enum medium_stage stage;
	enum medium_event reason; /* FAILED: ABSENT, REFUSED or BROKEN */
	uint64_t begun_usec; /* when it was first wanted */
	uint64_t pause_usec; /* the last pause; 0: none yet */
	uint64_t wake_usec;
	uint64_t
		broken_usec; /* when it failed as broken last, and nothing better came since; or 0 */
};

/*
 * medium_step - one step.
 *
 * @is_awaited: somebody waits for it. When nobody does, a pause beyond the deadline is the end.
 * @now_usec:   any clock that only goes on
 *
 * A broken medium fails when the deadline since it was first wanted is over, and stays so for its
 * longest pause; who wants it after that, but within another deadline, has it asked for once. A
 * delayed one never fails.
 */
enum medium_action medium_step(struct medium_machine *machine, enum medium_event event,
			       bool is_awaited, const struct medium_limits *limits,
			       uint64_t now_usec);

/* ---- draining ---- */

/*
 *	NONE ──► TRYING ◄──► UNMOUNTING
 *	  ▲        │              │
 *	  └────────┴──────────────┘
 *
 * TRYING: the kernel has forgotten the medium, and it is looked whether anything still holds its
 *         mount.
 * UNMOUNTING: nothing does, and its handler is at it.
 */
enum drain_stage { DRAIN_NONE, DRAIN_TRYING, DRAIN_UNMOUNTING };

enum drain_event {
	DRAIN_WISHED, /* it is to be drained */
	DRAIN_BUSY, /* something holds it; or its handler says so */
	DRAIN_FREE, /* nothing does */
	DRAIN_UNMOUNTED, /* its handler is done with it */
	DRAIN_BROKEN, /* its handler cannot unmount it */
	DRAIN_ASKED, /* somebody asks for the medium */
	DRAIN_TIMER, /* machine->wake_usec is now */
};

enum drain_action {
	DRAIN_STAY, /* nothing to do */
	DRAIN_TRY, /* have the kernel forget it, and look what holds it: send BUSY or FREE */
	DRAIN_SLEEP, /* send TIMER at machine->wake_usec */
	DRAIN_UNMOUNT, /* have it unmounted: send UNMOUNTED, BUSY or BROKEN */
	DRAIN_END, /* NONE again, and it is not mounted */
	DRAIN_GIVE_UP, /* NONE again: something holds it */
	DRAIN_TURN, /* NONE again: it is wanted, and still mounted */
	DRAIN_FAIL, /* NONE again: BROKEN */
};

static const uint64_t DRAIN_FIRST_PAUSE_USEC = 50000;
static const uint64_t DRAIN_LONGEST_PAUSE_USEC = 250000;

/* Zero-initialise. */
struct drain_machine {
	enum drain_stage stage;
	bool turns; /* who asks for the medium ends the drain */
	uint64_t patience_usec; /* how long it may be busy */
	uint64_t begun_usec, pause_usec, wake_usec;
};

/* drain_step - one step. With WISHED, @turns and @patience_usec count; else they are ignored. */
enum drain_action drain_step(struct drain_machine *machine, enum drain_event event, bool turns,
			     uint64_t patience_usec, uint64_t now_usec);
