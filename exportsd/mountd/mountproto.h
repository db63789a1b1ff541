/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * mountproto.h - MOUNT's messages: bytes of an RPC call in, bytes of its reply out. Pure: no
 * socket, no clock, no state.
 *
 * Sources: RFC 5531 (calls, replies, their errors), RFC 1094 appendix A (versions 1 and 2),
 * RFC 1813 appendix I (version 3), XNFS chapter 7 (PATHCONF).
 */

#include "exportsd/mountd/mount_xdr.h"
#include "parser/base.h"

enum { MOUNTPROTO_GROUPS_MAX = 16, MOUNTPROTO_FLAVORS_MAX = 8 };

/* One call. */
struct mountproto_call {
	uint32_t xid;
	uint32_t version;
	uint32_t procedure; /* enum mount_procedure, one this version has */
	bool is_known; /* AUTH_SYS: who calls. Otherwise (AUTH_NONE) uid and all are nothing. */
	uint32_t uid;
	uint32_t gid;
	uint32_t n_groups;
	uint32_t groups[MOUNTPROTO_GROUPS_MAX];
	char path[MOUNT_PATH_MAX + 1]; /* MNT, UMNT, PATHCONF: as sent; else "" */
};

/* What is wrong with a message. */
enum mountproto_fault {
	MOUNTPROTO_NOT_A_CALL = 1, /* cannot even be refused */
	MOUNTPROTO_RPC_MISMATCH,
	MOUNTPROTO_BAD_CREDENTIALS,
	MOUNTPROTO_BAD_VERIFIER,
	MOUNTPROTO_REJECTED_CREDENTIALS, /* a flavour that is not served */
	MOUNTPROTO_NO_PROGRAM,
	MOUNTPROTO_NO_VERSION,
	MOUNTPROTO_NO_PROCEDURE,
	MOUNTPROTO_BAD_ARGUMENTS,
	MOUNTPROTO_SYSTEM_ERROR, /* never found in a call: for mountproto_refuse() */
};

/*
 * mountproto_decode - read a call.
 *
 * @ret_call: the whole call on success; its xid alone on any fault but NOT_A_CALL
 *
 * Returns 0 or an enum mountproto_fault.
 */
int mountproto_decode(const uint8_t *bytes, size_t n_bytes, struct mountproto_call *ret_call);

/* A reply. bytes: to free(3), or to hand to rpc_reply(). */
struct mountproto_reply {
	uint8_t *bytes;
	size_t n_bytes;
};

/* All of these return 0, or -ENOMEM. */

int mountproto_refuse(uint32_t xid, enum mountproto_fault fault,
		      struct mountproto_reply *ret_reply);

/* To a version that is not served: those that are. */
int mountproto_refuse_version(uint32_t xid, uint32_t first, uint32_t last,
			      struct mountproto_reply *ret_reply);

/* The reply of NULL, UMNT and UMNTALL. */
int mountproto_reply_void(uint32_t xid, struct mountproto_reply *ret_reply);

/* What MNT gives. */
struct mountproto_mounted {
	uint8_t handle[MOUNT_HANDLE_V3_MAX];
	size_t handle_length; /* at most mountproto_handle_max() */
	uint32_t n_flavors; /* version 3 */
	uint32_t flavors[MOUNTPROTO_FLAVORS_MAX];
};

/* The longest handle a version can carry. */
size_t mountproto_handle_max(uint32_t version);
/* @mounted: borrowed; only for MOUNT_OK */
int mountproto_reply_mnt(const struct mountproto_call *call, enum mount_status status,
			 const struct mountproto_mounted *mounted,
			 struct mountproto_reply *ret_reply);

/*
 * mountproto_reply_pathconf - the limits that Linux has everywhere (<linux/limits.h>): a file
 * system's own could only be had by asking it. is_exported false: all zero, as rpc.mountd answers.
 */
int mountproto_reply_pathconf(uint32_t xid, bool is_exported, struct mountproto_reply *ret_reply);

/*
 * Lists, for DUMP and EXPORT: begun, added to, ended. What a list's protocol cannot say is left
 * out: a path longer than MOUNT_PATH_MAX, a name longer than MOUNT_NAME_MAX. A list that grows
 * beyond its limit becomes SYSTEM_ERROR, over UDP as over TCP: half a list would pass for a whole.
 */
struct mountproto_list {
	struct mountproto_reply reply; /* owned: mountproto_list_done() */
	size_t size;
	size_t max_bytes;
	uint32_t xid;
	bool is_too_long;
};

int mountproto_list_begin(struct mountproto_list *list, uint32_t xid, size_t max_bytes);
int mountproto_list_mount(struct mountproto_list *list, const char *client, const char *path);
int mountproto_list_export(struct mountproto_list *list, const char *path,
			   const char *const *clients, size_t n_clients);
int mountproto_list_end(struct mountproto_list *list, struct mountproto_reply *ret_reply);
/* Frees what mountproto_list_end() did not hand over. */
void mountproto_list_done(struct mountproto_list *list);

/*
 * mountproto_repeat - a reply that was kept, for another call; SYSTEM_ERR if that one's limit is
 * smaller.
 */
int mountproto_repeat(const struct mountproto_reply *kept, uint32_t xid, size_t max_bytes,
		      struct mountproto_reply *ret_reply);
