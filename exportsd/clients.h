/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * clients.h - which domain an address belongs to, whoever asks (the kernel, a MOUNT caller).
 */

#include "exportsd/names.h"
#include "parser/snapshot.h"

struct clients_question;

/*
 * clients_domain - the domain of an address.
 *
 * @snapshot: in force; who puts another one in its place cancels first, and asks again
 * @done: exactly once, never from within this call: @domain is NULL if no client matches.
 *        @complete: false if the name service did not answer, so that only clients named by address count:
 *        believe it for seconds only
 *
 * Returns 0; -ENOMEM; -EAGAIN (too many ask).
 */
typedef void (*clients_domain_fn)(void *userdata, const char *domain, bool complete);
int clients_domain(struct names *names, sd_event *event, const struct snapshot *snapshot,
		   const struct address *address, clients_domain_fn done, void *userdata,
		   struct clients_question **ret_question);
/* clients_cancel - done() will not be called. NULL is fine. */
void clients_cancel(struct clients_question *question);
