/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * private.h - what the files of MOUNT share; those of RPC share rpc_private.h.
 *
 * From below: rpc*, mountproto, rmtab*, rpcbind, callout and call serve whoever is above them; job
 * and handle are MNT's and PATHCONF's once mnt has found the export; export and lists answer EXPORT
 * and DUMP; mountd is on top.
 */

#include "exportsd/base/address.h"
#include "exportsd/mountd/mountd.h"
#include "exportsd/mountd/mountproto.h"
#include "exportsd/mountd/rpc.h"

struct callout;
struct snapshot_client;
struct mountd_job;
struct mountd_lists;
struct rmtab_file;
struct rpcbind;

struct mountd {
	struct daemon *daemon;
	struct rpc *rpc;
	struct rpcbind *rpcbind; /* NULL: registration is off */
	struct rmtab_file *rmtab;
	struct mountd_waiter *early; /* calls that need rmtab, which is not read yet */
	struct mountd_job *jobs;
	struct mountd_lists *lists;
	struct callout *callout; /* NULL: no program */
};

/* Who calls, as text and otherwise. */
struct mountd_caller {
	struct address address;
	uint16_t port;
	char text[ADDRESS_TEXT_MAX];
};
void mountd_caller_of(const struct rpc_call *call, struct mountd_caller *ret_caller);

/*
 * mountd_path_normalise - "" is "/"; no "//", no "/./", no "/" at the end. ".." stays.
 *
 * Returns a string to free(3), or NULL with errno EINVAL (relative) or ENOMEM.
 */
char *mountd_path_normalise(const char *path);

/*
 * Send a reply that mountproto.c made (r 0), or nothing (r < 0: no memory; the caller asks again).
 */
void mountd_send(struct rpc_call *call, int r, const struct mountproto_reply *reply);

/* Calls that wait for the same, in the order in which they came. */
struct mountd_waiter {
	struct mountd_waiter *prev, *next;
	struct mountd_waiter **list;
	struct rpc_call *call;
	struct mountproto_call request;
};
typedef void (*mountd_serve_fn)(struct mountd *mountd, struct rpc_call *call,
				const struct mountproto_call *request);

/* Returns whether it waits now: false is out of memory, and the call is still the caller's. */
bool mountd_wait(struct mountd_waiter **list, struct rpc_call *call,
		 const struct mountproto_call *request);
/* Have all of them served: none is in the list any more. */
void mountd_serve_waiters(struct mountd *mountd, struct mountd_waiter **list,
			  mountd_serve_fn serve);
/* Leave all of them unanswered. */
void mountd_drop_waiters(struct mountd_waiter **list);

/*
 * mountd_job_start - MNT or PATHCONF: answered when all that must be asked has answered. Takes the
 * call, whatever happens.
 */
void mountd_job_start(struct mountd *mountd, struct rpc_call *call,
		      const struct mountproto_call *request);
/* Other exports are in force: all begin anew. */
void mountd_jobs_again(struct mountd *mountd);
/* Drop them all, without an answer. */
void mountd_jobs_drop(struct mountd *mountd);

/* DUMP and EXPORT: answered at once, or when names are known. Both take the call. */
void mountd_answer_dump(struct mountd *mountd, struct rpc_call *call,
			const struct mountproto_call *request);
void mountd_answer_exports(struct mountd *mountd, struct rpc_call *call,
			   const struct mountproto_call *request);
int mountd_lists_new(struct mountd *mountd);
/* Other exports are in force. */
void mountd_lists_again(struct mountd *mountd);
/* Drop who waits, without an answer. */
void mountd_lists_free(struct mountd *mountd);

/*
 * mountd_export_list - EXPORT's reply, with xid 0.
 *
 * @is_member: is a host in a netgroup (named without '@')?
 *
 * One node a path, in order of paths. A rule is one node, its pattern: what media there are is not
 * told, nor are pseudo-roots. Hosts that a subnet, wildcard or netgroup of the same path covers are
 * left out; "*" beside others makes the node's list empty, which means everybody (nfs-utils
 * utils/mountd/mountd.c, get_exportlist()).
 */
typedef bool (*mountd_is_member_fn)(void *userdata, const struct snapshot_client *host,
				    const char *netgroup);
int mountd_export_list(const struct snapshot *snapshot, mountd_is_member_fn is_member,
		       void *userdata, struct mountproto_reply *ret_reply);

/*
 * mountd_export_hosts - the hosts that stand beside a netgroup in some path's list, and have an
 * address.
 *
 * @ret_hosts: an array to free(3)
 */
int mountd_export_hosts(const struct snapshot *snapshot, const struct snapshot_client ***ret_hosts,
			size_t *ret_n_hosts);
