/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * names.h - the name service, asked by other processes, remembered for an age.
 *
 * A reverse look-up counts only if a forward look-up of the name gives the address back
 * (unless trust_reverse): who answers for 203.0.113.66 in DNS must not decide what that
 * address may mount.
 */

#include <systemd/sd-event.h>

#include "exportsd/base/later.h"
#include "handlers/proto.h"
#include "parser/snapshot/snapshot.h"

enum {
	NAMES_CACHE_MAX =
		65536, /* addresses, hosts and users remembered; the longest unused go first */
	NAMES_PER_ADDRESS_MAX = 64, /* official name and aliases */
	NAMES_ADDRESSES_MAX = 16, /* of one host */
};

struct names;

/*
 * age_usec: how long an answer is believed (failures: a tenth of it, at least 1 s; silence: at most
 * 5 s).
 */
int names_new(struct names **ret_names, sd_event *event, uint64_t age_usec, uint64_t timeout_usec,
	      bool trust_reverse);
struct names *names_free(struct names *names);

/*
 * names_of_address - host names and netgroups of an address.
 *
 * @netgroups: names to test, without '@'; copied
 * @done:   exactly once, never from within this call; @known is valid during the call. error: 0, or
 *          -ETIMEDOUT and the like: the name service did not answer (not the same as "has no
 *          name"); @known then holds what is certain all the same (netgroups that list the address
 *          itself), perhaps nothing
 *
 * A remembered answer that covers these netgroups is used while it is young enough.
 * Netgroup tests as nfs-utils check_netgroup(): each name, the textual address, and the name cut at
 * its first dot.
 */
typedef void (*names_address_fn)(void *userdata, int error,
				 const struct snapshot_address_names *known);
int names_of_address(struct names *names, const struct address *address,
		     const char *const *netgroups, size_t n_netgroups, names_address_fn done,
		     void *userdata, struct pending **ret_question);

/* One host name's forward look-up. */
struct names_host {
	const char *name; /* as asked */
	const char *canonical;
	const struct address *addresses; /* no duplicates, at most 16 */
	size_t n_addresses;
	int error; /* the name service did not answer; 0 without addresses: it does not resolve */
};

/*
 * names_of_hosts - forward look-ups of many names at once, each asked once.
 *
 * They are asked beside addresses and users, many at a time. However many they are, they are waited
 * for as long as answers come: when none came for timeout_usec, what is left counts as not
 * answered.
 *
 * @done: when all are answered or timed out; @hosts in the order asked, valid during the call
 */
typedef void (*names_hosts_fn)(void *userdata, const struct names_host *hosts, size_t n_hosts);
int names_of_hosts(struct names *names, const char *const *host_names, size_t n_hosts,
		   names_hosts_fn done, void *userdata, struct pending **ret_question);

/*
 * names_groups - all groups of a user (getpwuid, getgrouplist), primary first.
 *
 * @done: n_groups 0: unknown user. error: the name service did not answer.
 */
typedef void (*names_groups_fn)(void *userdata, int error, const uint32_t *groups, size_t n_groups);
int names_groups(struct names *names, uint32_t uid, names_groups_fn done, void *userdata,
		 struct pending **ret_question);

/* names_forget - after a reload: netgroups and hosts are asked anew. */
void names_forget(struct names *names);

/* How many addresses, hosts and users are remembered. */
size_t names_n_remembered(const struct names *names);

/* The workers' side: answer one question (WORKER_NAMES). */
void names_serve(const struct proto_message *question, struct proto_writer *answer);
