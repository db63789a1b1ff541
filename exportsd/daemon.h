/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * daemon.h - the daemon's parts, put together: borrowed by those that see the whole
 * (questions*.c, mountd/mountd.c, control/control.c, exports/reload.c). What lies lower (kernel, names, paths,
 * numbers, media, handler, rpc) never sees it.
 */

#include <systemd/sd-event.h>

#include "exportsd/config/config.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/media/media.h"
#include "exportsd/names/names.h"
#include "exportsd/numbers/numbers.h"
#include "parser/snapshot/snapshot.h"

struct questions;
struct mountd;
struct control;
struct reload;
struct fsidd;

struct daemon {
	sd_event *event;
	struct config *config;
	struct kernel *kernel;
	struct names *names;
	struct paths *paths;
	struct numbers *numbers;
	struct media *media;
	struct snapshot *
		snapshot; /* in force; only exports/reload.c replaces it: never keep a pointer into it over a callback */
	struct questions *questions;
	struct mountd *mountd; /* NULL: mount-service off */
	struct control *control;
	struct reload *reload;
	struct fsidd *fsidd; /* NULL: not wanted */
};

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
