/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * clients.h - NFSv4 clients and what they hold open, as /proc/fs/nfsd/clients tells (Linux
 * 5.3 and later; fs/nfsd/nfs4state.c client_info_show(), states_show()). Reading it waits for no
 * file system, but 100,000 states take 20 ms: tools, threads and worker processes read; the daemon's
 * loop asks by states.h.
 */

#include <stdint.h>
#include <sys/types.h>

#include "parser/base.h"

struct kernel_state_counts {
	unsigned int n_opens, n_locks, n_delegations, n_layouts;
};

struct kernel_client {
	const char *number; /* its directory */
	const char *address, *name; /* as the kernel has them; "?" unknown */
	bool is_gone; /* its lease is over, and it is kept only until somebody minds (courtesy) */
	struct kernel_state_counts here, elsewhere; /* on the device asked about; on all others */
};

/*
 * kernel_holdings_read - all that all clients hold, on whatever file system.
 *
 * @proc: "/proc", or a directory that stands for it
 * Returns 0 (also if nfsd, or its list of clients, is not there: nobody holds anything); -errno.
 */
struct kernel_holdings;
int kernel_holdings_read(const char *proc, struct kernel_holdings **ret_holdings);
struct kernel_holdings *kernel_holdings_free(struct kernel_holdings *holdings);

/*
 * kernel_holdings_each - call back for each client that holds something on a file system. Returns
 * 0; what @each returned, if not 0, which ends it.
 */
typedef int (*kernel_client_fn)(void *userdata, const struct kernel_client *client);
int kernel_holdings_each(const struct kernel_holdings *holdings, dev_t device,
			 kernel_client_fn each, void *userdata);

/*
 * kernel_holdings_on - what clients hold on a file system; those that are gone do not count.
 *
 * A delegation may stand for a file that a program has open: the client need not say so then. Linux
 * clients return those that they did not use for two leases and that nobody has open.
 */
enum kernel_hold { KERNEL_HOLD_NOTHING, KERNEL_HOLD_DELEGATIONS, KERNEL_HOLD_FILES };
enum kernel_hold kernel_holdings_on(const struct kernel_holdings *holdings, dev_t device);

/*
 * kernel_holdings_count - do they hold what a client may need? @quiet_usec: how long nobody used the
 * file system. Delegations count for some leases: a client that has its file open under one is
 * thrown out by then, and opens it again.
 */
bool kernel_holdings_count(const struct kernel_holdings *holdings, dev_t device,
			   uint64_t quiet_usec);

/*
 * kernel_clients_shed - begin to let go of delegations on a file system, and of clients that are
 * gone. Blocks until it is done, which takes as long as a request of such a client's.
 *
 * A read-only file system cannot have its delegations asked back: whatever breaks a lease (linux
 * fs/locks.c __break_lease()) asks for the right to write first, and gets EROFS. So: who holds
 * nothing but delegations, anywhere, or is gone, is forgotten ("expire"); his next request tells
 * him, and he begins anew: what a program had open is opened again. Where the kernel can revoke the
 * state of one file system (unlock_filesystem, Linux 6.9), it does, if only delegations are left on
 * it. A client that holds files elsewhere keeps all it has on older kernels.
 *
 * Returns 0; -errno: what is held could not be read, and nobody lost anything.
 */
int kernel_clients_shed(const char *proc, const char *path, dev_t device);

/*
 * kernel_clients_revoke - take away all that clients hold on a file system: opens and locks are
 * lost. Blocks as kernel_clients_shed() does.
 *
 * Clients lose what they hold elsewhere as well where the kernel knows no better (before Linux
 * 6.9).
 *
 * @spares_others: there, let go of no more than kernel_clients_shed() does
 */
int kernel_clients_revoke(const char *proc, const char *path, dev_t device, bool spares_others);
