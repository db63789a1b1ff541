/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * holders.h - who holds a file system, as one line each: NFSv4 clients, locks of NFSv3 clients,
 * processes of this host. Walks all of /proc: for exportsctl, not for the daemon.
 */

#include <sys/types.h>

#include "parser/base.h"

enum holder_kind { HOLDER_CLIENT, HOLDER_LOCK, HOLDER_PROCESS };

struct holder {
	enum holder_kind kind;
	const char *who; /* address, process id */
	const char *what; /* in words */
};

/*
 * holders_each - call back for each holder.
 *
 * @proc: "/proc", or a directory that stands for it
 * Returns how many there were; -errno.
 */
typedef void (*holder_fn)(void *userdata, const struct holder *holder);
int holders_each(const char *proc, dev_t device, holder_fn each, void *userdata);
