/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * states.h - NFSv4 state of clients, beside the loop.
 *
 * Reading it waits for nothing but the processor, however much it is, so a thread reads. Taking it
 * away waits for clients' requests, so a worker process does, which reads anew what it goes by.
 */

#include <systemd/sd-event.h>

#include "exportsd/base/later.h"
#include "exportsd/kernel/clients.h"
#include "handlers/proto.h"

struct kernel_states;

/* @proc: as for kernel_open() */
int kernel_states_new(struct kernel_states **ret_states, sd_event *event, const char *proc);
struct kernel_states *kernel_states_free(struct kernel_states *states);

/*
 * kernel_states_look - what clients hold.
 *
 * However many ask, one thread reads at a time.
 * @max_age_usec: the reading may have begun so long before this call; 0: it begins after it
 * @done: exactly once, never from within this call. @holdings: valid during the call; NULL: @error
 *        (-errno) says why not
 *
 * What is told is over when it is told: a client may open a file meanwhile. So who acts on "nobody
 * holds it" must not force anything: umount(2) asks the kernel, which knows.
 * Returns 0; -ENOMEM.
 */
typedef void (*kernel_looked_fn)(void *userdata, int error, const struct kernel_holdings *holdings);
int kernel_states_look(struct kernel_states *states, uint64_t max_age_usec, kernel_looked_fn done,
		       void *userdata, struct pending **ret_pending);

/*
 * kernel_states_ask - the same, and kernel_holdings_count() of it is told; true, too, if nobody
 * knows.
 */
typedef void (*kernel_held_fn)(void *userdata, bool is_held);
int kernel_states_ask(struct kernel_states *states, dev_t device, uint64_t quiet_usec,
		      uint64_t max_age_usec, kernel_held_fn done, void *userdata,
		      struct pending **ret_pending);

/* kernel_states_shed, kernel_states_revoke - begin kernel_clients_shed(), kernel_clients_revoke(). */
void kernel_states_shed(struct kernel_states *states, const char *path, dev_t device);
void kernel_states_revoke(struct kernel_states *states, const char *path, dev_t device,
			  bool spares_others);

/* The worker's side (WORKER_CLIENTS). */
void kernel_states_serve(const struct proto_message *question, struct proto_writer *answer);
