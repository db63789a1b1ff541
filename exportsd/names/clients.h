/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * clients.h - which domain an address belongs to, whoever asks (the kernel, a MOUNT caller).
 *
 * A domain lists all clients of the exports that the address matches. The kernel may be given
 * "$ADDRESS" in its place, and asks with that: then who the address is is found out again for each
 * question.
 */

#include "exportsd/base/later.h"
#include "exportsd/names/names.h"
#include "parser/snapshot/snapshot.h"

/*
 * clients_domain - the domain of an address.
 *
 * @snapshot: in force; who puts another one in its place cancels first, and asks again
 * @patient: false: the name service gets only a moment to answer about a client that is named by
 *        its address or subnet, and is asked on without us. True: it gets its time
 * @done: exactly once, never from within this call: @domain is NULL if no client matches.
 *        @complete: false if the name service did not answer, or not yet, so that only clients
 *                   named by address count:
 *        believe it for seconds only, and have the kernel call it by its address
 * @ret_domain: what done() would be told, if no export needs names; free(3)
 *
 * Returns 0; CLIENTS_NOW: it is complete, and done() will not be called; -ENOMEM; -EAGAIN (too many
 * ask).
 */
enum { CLIENTS_NOW = 1 };
typedef void (*clients_domain_fn)(void *userdata, const char *domain, bool complete);
int clients_domain(struct names *names, sd_event *event, const struct snapshot *snapshot,
		   const struct address *address, bool patient, clients_domain_fn done,
		   void *userdata, char **ret_domain, struct pending **ret_question);

/* The kernel puts a domain and a path into a page: a longer domain is named by the address. */
enum { CLIENTS_DOMAIN_MAX = 1024 };

/*
 * clients_kernel_domain - what the kernel is to call an address's domain.
 *
 * @by_address: always by the address, else only if that is better (snapshot_names_by_address(), or
 *              it is too long)
 *
 * Returns a string to free(3), or NULL when memory is out.
 */
char *clients_kernel_domain(const struct snapshot *snapshot, bool by_address,
			    const struct address *address, const char *domain);

/*
 * clients_is_by_address - does the kernel ask for "$..."?
 *
 * @ret_address: family 0 if no address follows
 */
bool clients_is_by_address(const char *kernel_domain, struct address *ret_address);
