/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * callout.h - a program that is told of mounts and unmounts: rpc.mountd's ha-callout.
 *
 * Run as "PROGRAM mount|unmount CLIENT PATH COUNT" (nfs-utils support/include/ha-callout.h). Runs
 * follow each other in the order in which they were asked for; nobody waits for them. SIGCHLD must
 * be blocked.
 */

#include <systemd/sd-event.h>

#include "parser/base.h"

enum {
	CALLOUT_WAITING_MAX = 4096, /* one more is not run, and is logged */
	CALLOUT_SECONDS = 60, /* a run that takes longer is killed */
};

struct callout;

int callout_new(struct callout **ret_callout, sd_event *event, const char *program);
/* callout_free - what waits is not run; what runs is left to itself. NULL is fine. */
struct callout *callout_free(struct callout *callout);

/* callout_run - NULL: no program, nothing is run. */
void callout_run(struct callout *callout, const char *event, const char *client, const char *path,
		 unsigned int count);
