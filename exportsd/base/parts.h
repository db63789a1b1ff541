/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * parts.h - the daemon's parts, put together: borrowed by those who see the whole (exports,
 * questions, mountd, control). Names only: whoever uses a part includes its header.
 */

#include "exportsd/base/later.h"

struct config;
struct kernel;
struct kernel_states;
struct names;
struct paths;
struct numbers;
struct mount_table;
struct media;
struct snapshot;
struct questions;
struct mountd;
struct control;
struct reload;
struct fsidd;

struct daemon {
	sd_event *event;
	struct config *config;
	struct kernel *kernel;
	struct kernel_states *states;
	struct names *names;
	struct paths *paths;
	struct numbers *numbers;
	struct mount_table *mounts;
	struct media *media;
	/* In force. Only exports/reload.c replaces it: never keep a pointer into it over a callback. */
	struct snapshot *snapshot;
	struct questions *questions;
	struct mountd *mountd; /* NULL: mount-service off */
	struct control *control;
	struct reload *reload;
	struct fsidd *fsidd; /* NULL: not wanted */
	struct later status; /* systemd is told how things are */
	bool is_well; /* it has run for a while (starts.h) */
};
