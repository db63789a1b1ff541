/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * daemon.h - what the daemon's parts share: owned by main.c, borrowed by those that see the
 * whole (questions.c, mountd.c, control.c, reload.c). What lies lower (kernel, names, paths,
 * numbers, media, handler, rpc) never sees it.
 */

#include <systemd/sd-event.h>

#include "exportsd/config.h"
#include "exportsd/kernel.h"
#include "exportsd/media.h"
#include "exportsd/names.h"
#include "exportsd/numbers.h"
#include "exportsd/paths.h"
#include "parser/snapshot.h"

struct questions;
struct mountd;
struct control;
struct reload;

struct daemon {
	sd_event *event;
	struct config *config;
	struct kernel *kernel;
	struct names *names;
	struct paths *paths;
	struct numbers *numbers;
	struct media *media;
	struct snapshot *snapshot; /* in force; only reload.c replaces it: never keep a pointer into it over a callback */
	struct questions *questions;
	struct mountd *mountd;     /* NULL: mount-service off */
	struct control *control;
	struct reload *reload;
};
