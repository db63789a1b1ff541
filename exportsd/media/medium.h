/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * medium.h - the life of a medium: which stages there are, and every way from one to the next.
 *
 * A medium has three things to see to, each in a stage of its own. Is there such a medium, and what
 * is its number (MEDIUM_NUMBER)? Have it mounted (MEDIUM_MOUNT):
 *
 *	          WAITING
 *	             ▲
 *	             ▼
 *	IDLE ──► ASKING ◄──► PAUSING
 *	  ▲          ├──► DONE
 *	  └──────────┴──► FAILED (a "no" for MEDIUM_NO_USEC; a broken medium for its longest pause)
 *
 * And have it unmounted again (MEDIUM_DRAIN):
 *
 *	IDLE ──► QUEUED ──► LOOKING ──► TRYING ◄──► UNMOUNTING
 *	  ▲         │           │          │             │
 *	  └─────────┴───────────┴──────────┴─────────────┘
 *
 * The table in medium.c has them all. It is pure: it touches no descriptor, reads no clock, and
 * allocates nothing. What is to be done is the action that it returns, and life.c does it.
 */

#include <stdint.h>

#include "parser/base.h"

enum medium_part {
	MEDIUM_NUMBER,
	MEDIUM_MOUNT,
	MEDIUM_DRAIN,
	MEDIUM_N_PARTS,
	MEDIUM_ALL = MEDIUM_N_PARTS
};

enum medium_stage {
	MEDIUM_IDLE,
	/* MEDIUM_NUMBER and MEDIUM_MOUNT. */
	MEDIUM_ASKING, /* the handler; or recording what it said */
	MEDIUM_WAITING, /* for the handler's list; for the number */
	MEDIUM_PAUSING,
	MEDIUM_DONE, /* it has its number; it was mounted when it was last looked at */
	MEDIUM_FAILED,
	/* MEDIUM_DRAIN. */
	MEDIUM_QUEUED,
	MEDIUM_LOOKING, /* is it to be drained? does a client need what it holds there? */
	MEDIUM_TRYING, /* the kernel forgets it; does anything still hold the mount? */
	MEDIUM_UNMOUNTING, /* nothing does, and its handler is at it */
};

/* What happens to it. */
enum medium_event {
	MEDIUM_WANTED, /* somebody asks */
	MEDIUM_WAITS, /* something else is needed first */
	MEDIUM_SERVED, /* that has come */
	MEDIUM_FOUND, /* it is there, whoever did it */
	MEDIUM_ABSENT, /* the handler: no such medium */
	MEDIUM_REFUSED, /* the handler: not for this client */
	MEDIUM_BROKEN, /* the handler, or what it did, is at fault; it cannot unmount it */
	MEDIUM_DELAYED, /* busy, silent: it may pass */
	MEDIUM_LOST, /* the handler is not there: likewise */
	MEDIUM_TIMER, /* the part's wake_usec is now */
	MEDIUM_SIGHTED, /* somebody else may have mounted it */
	MEDIUM_WISHED, /* it is to be drained */
	MEDIUM_CALLED, /* it is its turn */
	MEDIUM_NEEDED, /* it turns out that it is not to be drained */
	MEDIUM_HELD, /* a client needs what it holds there */
	MEDIUM_BUSY, /* something holds the mount; or its handler says so */
	MEDIUM_FREE, /* nothing does */
	MEDIUM_UNMOUNTED, /* its handler is done with it; or somebody was faster */
	/* To all of it. */
	MEDIUM_APPEARED, /* its handler lists it, and did not before */
	MEDIUM_LISTED, /* its handler lists it */
	MEDIUM_VANISHED, /* its handler does not list it any more */
	MEDIUM_EXCHANGED, /* another medium is there, with another number */
	MEDIUM_GONE, /* it was taken out by hand, and is still mounted */
	MEDIUM_TROUBLED, /* the device beneath it is in trouble, in another one, or no longer */
	MEDIUM_RETURNED, /* its handler is back */
	MEDIUM_DRAINED, /* it is unmounted */
	MEDIUM_STOPPED, /* its rule is gone: what is under way ends, who waits goes on waiting */
	MEDIUM_MOVED, /* and another rule claims it */
	MEDIUM_LEFT, /* and no other one does */
	MEDIUM_UNUSED, /* somebody let go of it: if nobody needs it any more, it is freed */
};

enum medium_action {
	MEDIUM_STAY, /* nothing to do */
	MEDIUM_ASK, /* ask the handler */
	MEDIUM_GO_ON, /* where it waited */
	MEDIUM_FETCH, /* get what it waits for */
	MEDIUM_LOOK, /* is it mounted? then send FOUND */
	MEDIUM_SLEEP, /* send TIMER at wake_usec */
	MEDIUM_WAKE, /* send TIMER in the next turn of the loop */
	MEDIUM_TELL, /* DONE or FAILED: tell who waits; if FAILED, send TIMER at wake_usec */
	MEDIUM_TELL_AGAIN, /* FAILED some time ago: tell who waits */
	MEDIUM_FORGET, /* IDLE again, and nobody waits */
	/* MEDIUM_DRAIN. */
	MEDIUM_QUEUE, /* send CALLED when it is its turn */
	MEDIUM_UNQUEUE, /* it is wanted: not now */
	MEDIUM_BEGIN, /* is it to be drained? send SERVED, FREE; or NEEDED, HELD, UNMOUNTED */
	MEDIUM_TRY, /* the kernel is to forget it; what holds it? send BUSY, FREE, UNMOUNTED */
	MEDIUM_TRY_ALL, /* the same, with whatever may help */
	MEDIUM_UNMOUNT, /* have it unmounted: send UNMOUNTED, BUSY or BROKEN */
	/* All of these: IDLE again. */
	MEDIUM_END, /* it is not mounted */
	MEDIUM_GIVE_UP, /* something holds it */
	MEDIUM_TURN, /* it is wanted, and still mounted */
	MEDIUM_FAIL, /* it cannot be unmounted */
	MEDIUM_STOP, /* its rule is gone */
};

/* No "no" is remembered longer (promise P5). */
static const uint64_t MEDIUM_NO_USEC = 5000000;
static const uint64_t MEDIUM_FIRST_PAUSE_USEC = 1000000;
static const uint64_t MEDIUM_LEAST_PAUSE_USEC = 20000;
/* Of a drain. */
static const uint64_t MEDIUM_FIRST_TRY_USEC = 50000;
static const uint64_t MEDIUM_LONGEST_TRY_USEC = 250000;
/* When all that the kernel was told must be over. */
static const uint64_t MEDIUM_TRY_ALL_USEC = 3000000;

struct medium_limits {
	uint64_t deadline_usec; /* a broken medium is asked for again so long */
	uint64_t longest_pause_usec;
	bool never_fails; /* a broken medium is asked for on and on (after-deadline = delay) */
};

/* How things stand when something happens. */
struct medium_now {
	uint64_t usec; /* any clock that only goes on */
	bool is_awaited; /* somebody waits for this part */
	bool is_for_others; /* than those who were refused */
	bool turns; /* who asks for the medium ends its drain */
	uint64_t patience_usec; /* how long a drain may be busy */
};

/* Zero-initialise. */
struct medium_life {
	struct medium_course {
		enum medium_stage stage;
		enum medium_event
			reason; /* FAILED, PAUSING: ABSENT, REFUSED, BROKEN, DELAYED, LOST */
		uint64_t begun_usec; /* when it was first wanted; when the drain began */
		uint64_t pause_usec; /* the last pause; 0: none yet */
		uint64_t wake_usec;
		uint64_t broken_usec; /* failed as broken, and nothing better came since; or 0 */
		bool has_tried_all; /* this drain */
	} part[MEDIUM_N_PARTS];
};

/*
 * medium_step - something happens to a part of a medium.
 *
 * A broken medium fails when the deadline since it was first wanted is over, and stays so for its
 * longest pause; who wants it after that, but within another deadline, has it asked for once. A
 * delayed one never fails; when nobody waits for it, a pause beyond the deadline is the end.
 */
enum medium_action medium_step(struct medium_life *life, enum medium_part part,
			       enum medium_event event, const struct medium_limits *limits,
			       const struct medium_now *now);
