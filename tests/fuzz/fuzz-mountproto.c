/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-mountproto.c - any bytes as a call of MOUNT.
 *
 * Oracle: what was read, written again by libtirpc's client side, is read as the same; whatever
 * is refused has a reply that libtirpc's client side reads, with the caller's xid, and that has the status
 * which RFC 5531 gives the fault; an MNT reply carries back the handle that was put into it.
 */

#include "exportsd/mountd/mountproto.h"

static void require(bool good)
{
	if (!good)
		abort();
}

/* ---- the client's side ---- */

static size_t write_call(const struct mountproto_call *call, char *bytes, size_t size)
{
	char credentials[MAX_AUTH_BYTES], name[] = "";
	gid_t groups[MOUNTPROTO_GROUPS_MAX];
	struct authunix_parms who = {
		.aup_machname = name,
		.aup_uid = call->uid,
		.aup_gid = call->gid,
		.aup_len = call->n_groups,
		.aup_gids = groups,
	};
	struct rpc_msg message = { .rm_xid = call->xid, .rm_direction = CALL };
	char *path = (char *)call->path;
	XDR xdr;

	message.rm_call.cb_rpcvers = RPC_MSG_VERSION;
	message.rm_call.cb_prog = MOUNT_PROGRAM;
	message.rm_call.cb_vers = call->version;
	message.rm_call.cb_proc = call->procedure;
	message.rm_call.cb_cred = message.rm_call.cb_verf = _null_auth;
	if (call->is_known) {
		for (uint32_t i = 0; i < call->n_groups; i++)
			groups[i] = call->groups[i];
		xdrmem_create(&xdr, credentials, sizeof(credentials), XDR_ENCODE);
		require(xdr_authunix_parms(&xdr, &who));
		message.rm_call.cb_cred.oa_flavor = AUTH_SYS;
		message.rm_call.cb_cred.oa_base = credentials;
		message.rm_call.cb_cred.oa_length = xdr_getpos(&xdr);
	}
	xdrmem_create(&xdr, bytes, (u_int)size, XDR_ENCODE);
	require(xdr_callmsg(&xdr, &message));
	if (call->procedure == MOUNT_MNT || call->procedure == MOUNT_UMNT ||
	    call->procedure == MOUNT_PATHCONF)
		require(xdr_mount_path(&xdr, &path));
	return xdr_getpos(&xdr);
}

static void read_reply(const struct mountproto_reply *reply, uint32_t xid, xdrproc_t decode,
		       void *result, struct rpc_msg *ret_message)
{
	struct rpc_msg message = { 0 };
	XDR xdr;

	message.acpted_rply.ar_results.proc = decode;
	message.acpted_rply.ar_results.where = result;
	xdrmem_create(&xdr, (char *)reply->bytes, (u_int)reply->n_bytes, XDR_DECODE);
	require(xdr_replymsg(&xdr, &message));
	require(xdr_getpos(&xdr) == reply->n_bytes && message.rm_xid == xid);
	*ret_message = message;
}

/* ---- checks ---- */

static void check_same(const struct mountproto_call *call)
{
	struct mountproto_call again;
	char bytes[4096];
	size_t n = write_call(call, bytes, sizeof(bytes));

	require(mountproto_decode((uint8_t *)bytes, n, &again) == 0);
	require(again.xid == call->xid && again.version == call->version &&
		again.procedure == call->procedure && again.is_known == call->is_known &&
		again.uid == call->uid && again.gid == call->gid &&
		again.n_groups == call->n_groups && str_equal(again.path, call->path));
	require(memcmp(again.groups, call->groups, call->n_groups * sizeof(call->groups[0])) == 0);
	require(strlen(call->path) <= MOUNT_PATH_MAX);
}

static void check_mounted(const struct mountproto_call *call, const uint8_t *bytes, size_t n_bytes)
{
	struct mountproto_mounted mounted = { .n_flavors = call->xid % MOUNTPROTO_FLAVORS_MAX };
	struct mount_result_v3 result = { 0 };
	struct mountproto_reply reply;
	struct rpc_msg message;

	mounted.handle_length = n_bytes < MOUNT_HANDLE_V3_MAX ? n_bytes : MOUNT_HANDLE_V3_MAX;
	memcpy(mounted.handle, bytes, mounted.handle_length);
	require(mountproto_reply_mnt(call, MOUNT_OK, &mounted, &reply) == 0);
	read_reply(&reply, call->xid, (xdrproc_t)xdr_mount_result_v3, &result, &message);
	require(result.status == MOUNT_OK &&
		result.mount_result_v3_u.ok.handle.mount_handle_v3_len == mounted.handle_length &&
		memcmp(result.mount_result_v3_u.ok.handle.mount_handle_v3_val, mounted.handle,
		       mounted.handle_length) == 0 &&
		result.mount_result_v3_u.ok.flavors.flavors_len == mounted.n_flavors);
	xdr_free((xdrproc_t)xdr_mount_result_v3, (char *)&result);
	free(reply.bytes);
}

static void check_refused(uint32_t xid, int fault)
{
	static const int statuses[] = {
		[MOUNTPROTO_NO_PROGRAM] = PROG_UNAVAIL,
		[MOUNTPROTO_NO_VERSION] = PROG_MISMATCH,
		[MOUNTPROTO_NO_PROCEDURE] = PROC_UNAVAIL,
		[MOUNTPROTO_BAD_ARGUMENTS] = GARBAGE_ARGS,
	};
	struct mountproto_reply reply;
	struct rpc_msg message;

	require(fault > MOUNTPROTO_NOT_A_CALL && fault <= MOUNTPROTO_BAD_ARGUMENTS);
	require(mountproto_refuse(xid, fault, &reply) == 0);
	read_reply(&reply, xid, (xdrproc_t)(void (*)(void))xdr_void, NULL, &message);
	if (fault >= MOUNTPROTO_NO_PROGRAM)
		require(message.rm_reply.rp_stat == MSG_ACCEPTED &&
			message.acpted_rply.ar_stat == (enum accept_stat)statuses[fault]);
	else
		require(message.rm_reply.rp_stat == MSG_DENIED &&
			(message.rjcted_rply.rj_stat == RPC_MISMATCH) ==
				(fault == MOUNTPROTO_RPC_MISMATCH));
	free(reply.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct mountproto_call call;
	int fault = mountproto_decode(bytes, n_bytes, &call);

	if (fault == 0) {
		check_same(&call);
		if (call.version == 3)
			check_mounted(&call, bytes, n_bytes);
	} else if (fault != MOUNTPROTO_NOT_A_CALL) {
		check_refused(call.xid, fault);
	}
	return 0;
}
