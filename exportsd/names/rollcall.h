/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rollcall.h - what the name service says of many addresses: a few at a time, so that clients who
 * come meanwhile are not kept waiting, and only for so long in all.
 */

#include "exportsd/names/names.h"

enum { ROLLCALL_AT_ONCE = 2 }; /* of the few that are asked at once for everybody */

struct rollcall;

/*
 * rollcall_new - ask.
 *
 * @addresses, @netgroups: copied
 * @said: for each address that something is known of, also if not all; names_of_address() says what
 * @done: once, never from within this call, when all were asked or the time is over; frees nothing
 *
 * Returns 0; -ENOMEM and the like.
 */
typedef void (*rollcall_said_fn)(void *userdata, size_t index,
				 const struct snapshot_address_names *known);
typedef void (*rollcall_done_fn)(void *userdata);
int rollcall_new(struct rollcall **ret_rollcall, sd_event *event, struct names *names,
		 const struct address *addresses, size_t n_addresses, const char *const *netgroups,
		 size_t n_netgroups, uint64_t usec, rollcall_said_fn said, rollcall_done_fn done,
		 void *userdata);
/* rollcall_free - nothing is called any more. May be called by done(). NULL is fine. */
struct rollcall *rollcall_free(struct rollcall *rollcall);
