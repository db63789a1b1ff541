/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * starts.h - the pause before a start that follows many others which came to nothing.
 *
 * systemd starts the daemon again for ever (StartLimitIntervalSec=0), and knows no growing pause
 * before version 254 (systemd.service(5) RestartSteps=). $RUNTIME_DIRECTORY/starts (systemd.exec(5))
 * has a byte for each start in a row; it is kept over restarts, and goes with the directory when the
 * unit is stopped.
 */

#include <stdint.h>

enum { STARTS_AT_ONCE = 5 }; /* so many are free */

/*
 * starts_count - note that the daemon starts. A file that cannot be written is as if there were
 * none.
 *
 * Returns how long to wait before the start, microseconds: 0, or 0.2 s and twice as long each time, 10 s at
 * most.
 */
uint64_t starts_count(const char *runtime_directory);

/*
 * starts_forget - the daemon has been well for a while: the next start is the first one. NULL is
 * fine.
 */
void starts_forget(const char *runtime_directory);
