/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * clock.h - the clock of unit tests: nobody waits for it.
 *
 * Every unit test is linked with clock.c, which takes the place of the C library's functions that tell the time or wait for it, also
 * for the shared libraries: so sd-event's timers are timers of this clock. It stands still while anybody does anything, but for a
 * microsecond each time that somebody reads it (who waits in a circle comes to an end). When all are asleep, it is at once the time that
 * the first of them waits for.
 *
 * "All" are the test's threads and all processes below it. A process started from the test's own program (a worker, a forked child)
 * shares the clock, and its sleeps and time-outs cost nothing either. Any other program lives in real time: the clock waits while it
 * computes, and also while it sleeps itself. So nothing is ever late because a process is slow, or the machine busy: a time-out comes
 * only when nothing else would have come.
 *
 * Faked are CLOCK_MONOTONIC, CLOCK_BOOTTIME and CLOCK_REALTIME, time(2), timerfd, the sleeps, poll and epoll_wait. Not: the processes'
 * CPU time, alarm(2), files' times, timed waits for locks.
 */

/* clock_is_real - real time for this process and those that it starts. To be called first in main(). */
void clock_is_real(void);

/* clock_let_run - other processes work so long in real time, below 1 s: to be killed in the middle of it. */
void clock_let_run(unsigned int usec);

/*
 * clock_disks_may_be_dead - from now on, who has waited for a disk (state D) for a tenth of a second of real time waits for ever. Without it, he counts as
 * busy, however long it takes.
 */
void clock_disks_may_be_dead(void);

/*
 * clock_begin_anew - in a forked child whose parent waits for its end: a clock for it and those below it. Who is above it does not hold up
 * time any more.
 */
void clock_begin_anew(void);
