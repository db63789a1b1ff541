/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * later.h - the one way to be called once, later.
 *
 * A struct later lies within whatever it belongs to, zero-initialised. What is due is called from
 * the loop: exactly once, never from within the call that asked for it, and in the order in which
 * it was asked for. It is no longer pending by then, so the function may ask again, or free what
 * the struct later lies in. Whoever frees that earlier cancels it first.
 */

#include <systemd/sd-event.h>

#include "parser/base.h"

struct ready;
typedef void (*later_fn)(void *userdata);

struct later {
	struct later *prev, *next;
	struct ready *ready; /* in this one's list; or */
	sd_event_source *timer; /* waits for a time; or neither: not pending */
	later_fn call;
	void *userdata;
};

/*
 * later_call - in the next turn of the loop. One that is pending already keeps its place, or is
 * called sooner than it would have been.
 *
 * Cannot fail, but for the first call of a loop: if that finds no memory, the loop ends with
 * -ENOMEM.
 */
void later_call(struct later *later, sd_event *event, later_fn call, void *userdata);

/*
 * later_call_at - at a time of CLOCK_MONOTONIC, microseconds (UINT64_MAX: never); later_call_in -
 * so long from now. One that is pending already is called then, and not before.
 *
 * Returns 0; -ENOMEM (it is not pending).
 */
int later_call_at(struct later *later, sd_event *event, uint64_t usec, later_fn call,
		  void *userdata);
int later_call_in(struct later *later, sd_event *event, uint64_t usec, later_fn call,
		  void *userdata);

bool later_is_pending(const struct later *later);

/* later_cancel - it will not be called. One that is not pending is fine. */
void later_cancel(struct later *later);

/* CLOCK_MONOTONIC, microseconds: the clock itself, not the loop's last turn. */
uint64_t later_now_usec(void);

/* ---- what somebody waits for ---- */

/*
 * struct pending - something that was asked of another part and is answered later, as its asker
 * sees it: whatever it is, it can be cancelled. It is the first member of the asked one's own
 * struct.
 *
 * An asker of many steps, one after another, needs one pointer. Each answer clears it first.
 */
struct pending {
	void (*cancel)(struct pending *pending);
};

/* pending_cancel - the answer will not be told; the pointer becomes NULL. NULL is fine. */
static inline void pending_cancel(struct pending **pending)
{
	struct pending *taken = TAKE_PTR(*pending);

	if (taken)
		taken->cancel(taken);
}
