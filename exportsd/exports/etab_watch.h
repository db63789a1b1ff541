/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * etab_watch.h - be told when somebody writes nfs-utils' etab, or puts another one in its place.
 */

#include <systemd/sd-event.h>

struct etab_watch;

/*
 * etab_watch_new - @touched is called from the loop, at least once for each such event, whoever
 * caused it.
 *
 * Returns 0; -errno (-ENOENT: there is no such directory).
 */
int etab_watch_new(struct etab_watch **ret_watch, sd_event *event, const char *directory,
		   void (*touched)(void *userdata), void *userdata);
struct etab_watch *etab_watch_free(struct etab_watch *watch);
