/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * background.h - work that only computes, beside the loop, in a thread.
 *
 * What the work reads and writes is its own until done() is called: the loop leaves it alone, but
 * for what never changes, such as a snapshot. It asks no other part of the daemon, logs nothing,
 * and gives its results back in memory. What may wait for a file system or a server is for worker
 * processes (worker/worker.h), which can be killed.
 */

#include "exportsd/base/later.h"

/*
 * background_start - begin some work.
 *
 * @work: in a thread of its own, all signals blocked
 * @done: in the loop, once, never from within this call
 * @ret_pending: cancelled, it is waited until the work is over
 *
 * Returns 0; -errno (no memory, too many threads).
 */
typedef void (*background_fn)(void *userdata);
int background_start(struct pending **ret_pending, sd_event *event, background_fn work,
		     background_fn done, void *userdata);
