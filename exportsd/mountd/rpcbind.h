/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rpcbind.h - MOUNT's registration with rpcbind (RFC 1833).
 *
 * libtirpc's calls block, so each round is a process of its own with a time limit. The
 * registration is renewed every minute: rpcbind may have been restarted and have forgotten. Without
 * rpcbind the service works for clients that are told its port.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "parser/base.h"

enum {
	RPCBIND_RENEW_SECONDS = 60,
	RPCBIND_ROUND_SECONDS = 10, /* a round that takes longer is ended, and has failed */
	RPCBIND_FAREWELL_SECONDS = 2, /* and one at the end of the daemon */
	RPCBIND_NETIDS_MAX = 4,
};

struct rpcbind;

struct rpcbind_service {
	uint32_t first_version, last_version;
	uint16_t port;
	const char *netids[RPCBIND_NETIDS_MAX]; /* static strings, at most 7 bytes; the rest NULL */
};

/*
 * rpcbind_new - register, now and again. A failure is a warning in the log, once until it works
 * again.
 */
int rpcbind_new(struct rpcbind **ret_rpcbind, sd_event *event,
		const struct rpcbind_service *service);
/*
 * rpcbind_free - take the registration back if there is one; may block for
 * RPCBIND_FAREWELL_SECONDS.
 */
struct rpcbind *rpcbind_free(struct rpcbind *rpcbind);

/* What a process of WORKER_RPCBIND does; it does not return. */
int rpcbind_serve(int fd, const char *argument);
