/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * clients.h - NFSv4 clients and what they hold open, as /proc/fs/nfsd/clients tells (Linux
 * 5.3 and later; fs/nfsd/nfs4state.c client_info_show(), states_show()). Reading it waits for no
 * file system.
 */

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
 * kernel_clients_each - call back for each client that holds something on a file system.
 *
 * @proc: "/proc", or a directory that stands for it
 * Returns 0; what @each returned, if not 0, which ends it; -errno.
 */
typedef int (*kernel_client_fn)(void *userdata, const struct kernel_client *client);
int kernel_clients_each(const char *proc, dev_t device, kernel_client_fn each, void *userdata);

/*
 * kernel_clients_hold - what clients hold on a file system; those that are gone do not count.
 *
 * A delegation may stand for a file that a program has open: the client need not say so then. Linux
 * clients return those that they did not use for two leases and that nobody has open.
 */
enum kernel_hold { KERNEL_HOLD_NOTHING, KERNEL_HOLD_DELEGATIONS, KERNEL_HOLD_FILES };
enum kernel_hold kernel_clients_hold(const char *proc, dev_t device);

/*
 * kernel_holds_look - the same for every file system, in one look at all clients: each may have
 * very many states, and whoever wants to know of many file systems would read all of them again for
 * each.
 *
 * Returns 0; -ENOMEM; -errno.
 */
struct kernel_holds;
int kernel_holds_look(const char *proc, struct kernel_holds **ret_holds);
struct kernel_holds *kernel_holds_free(struct kernel_holds *holds);
enum kernel_hold kernel_holds_on(const struct kernel_holds *holds, dev_t device);

/* How long a client may be silent before it is gone, seconds. */
unsigned int kernel_lease_seconds(const char *proc);

/*
 * kernel_clients_shed - begin to let go of delegations on a file system, and of clients that are
 * gone.
 *
 * A read-only file system cannot have its delegations asked back: whatever breaks a lease (linux
 * fs/locks.c __break_lease()) asks for the right to write first, and gets EROFS. So: who holds
 * nothing but delegations, anywhere, or is gone, is forgotten ("expire"); his next request tells
 * him, and he begins anew: what a program had open is opened again. Where the kernel can revoke the
 * state of one file system (unlock_filesystem, Linux 6.9), it does, if only delegations are left on
 * it. A client that holds files elsewhere keeps all it has on older kernels.
 *
 * The kernel may take as long as a request of that client's takes, so a child process waits for it.
 */
void kernel_clients_shed(const char *proc, const char *path, dev_t device);

/*
 * kernel_clients_revoke - take away all that clients hold on a file system: opens and locks are
 * lost.
 *
 * Clients lose what they hold elsewhere as well where the kernel knows no better (before Linux
 * 6.9).
 *
 * @spares_others: there, let go of no more than kernel_clients_shed() does
 */
int kernel_clients_revoke(const char *proc, const char *path, dev_t device, bool spares_others);
