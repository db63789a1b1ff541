/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * daemon.h - the daemon's parts, started and stopped in order.
 */

#include "exportsd/base/parts.h"

/*
 * daemon_start - put the parts together and begin the first load of the exports; the kernel is
 * heard and systemd told READY=1 when they are in force.
 *
 * @daemon: with event and config, else zero; main.c's
 * @proc:   for kernel_open()
 *
 * Returns 0; -errno (logged): call daemon_stop() all the same.
 */
int daemon_start(struct daemon *daemon, const char *proc);
void daemon_stop(struct daemon *daemon);
