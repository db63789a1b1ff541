/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * mountd_private.h - what mountd.c, mountd_mnt.c and mountd_export.c share.
 */

#include "exportsd/mountd.h"
#include "exportsd/mountproto.h"
#include "exportsd/rmtab.h"
#include "exportsd/rpc.h"
#include "exportsd/rpcbind.h"

struct mount_job;

struct mountd {
	struct daemon *daemon;
	struct rpc *rpc;
	struct rpcbind *rpcbind; /* NULL: registration is off */
	struct rmtab *rmtab;
	char *rmtab_file;
	sd_event_source *rmtab_timer; /* on: the file is older than the list */
	struct mountproto_reply
		exports; /* EXPORT's reply under this snapshot; no bytes: not made yet */
	struct mount_job *jobs;
};

/* Who calls, as text and otherwise. */
enum { CALLER_TEXT_BYTES = 64 };
struct mount_caller {
	struct address address;
	uint16_t port;
	char text[CALLER_TEXT_BYTES];
};
void mount_caller_of(const struct rpc_call *call, struct mount_caller *ret_caller);

/*
 * mount_path_normalise - "" is "/"; no "//", no "/./", no "/" at the end. ".." stays.
 *
 * Returns a string to free(3), or NULL with errno EINVAL (relative) or ENOMEM.
 */
char *mount_path_normalise(const char *path);

/* Send a reply that mountproto.c made (r 0), or nothing (r < 0: no memory; the caller asks again). */
void mountd_send(struct rpc_call *call, int r, const struct mountproto_reply *reply);

/* A change of the list: to be written in a while. */
void mountd_rmtab_changed(struct mountd *mountd);

/*
 * mount_job_start - MNT or PATHCONF: answered when all that must be asked has answered. Takes the call, whatever happens.
 */
void mount_job_start(struct mountd *mountd, struct rpc_call *call,
		     const struct mountproto_call *request);
/* Other exports are in force: all begin anew. */
void mount_jobs_again(struct mountd *mountd);
/* Drop them all, without an answer. */
void mount_jobs_drop(struct mountd *mountd);

/*
 * mountd_export_list - EXPORT's reply, with xid 0.
 *
 * One node a path, in order of paths. A rule is one node, its pattern: what media there are is not told, nor
 * are pseudo-roots. Hosts that a subnet or wildcard of the same path covers are left out; "*" beside others makes
 * the node's list empty, which means everybody (nfs-utils support/export, get_exportlist()).
 */
int mountd_export_list(const struct snapshot *snapshot, struct mountproto_reply *ret_reply);
