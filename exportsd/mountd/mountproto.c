/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mountproto.c - MOUNT over libtirpc's XDR, on memory.
 *
 * Decoding allocates nothing: every variable part has its buffer, and XDR is told its size. The
 * head of a call is read item by item and not by xdr_callmsg(), which says only "no" to all that
 * RFC 5531 has different answers for.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/limits.h>

#include "exportsd/mountd/mountproto.h"

enum {
	/* xid, REPLY, MSG_ACCEPTED, a verifier of nothing, SUCCESS */
	REPLY_HEAD_BYTES = 24,
	/* The longest reply that is no list: version 3's MNT with every flavour. */
	REPLY_SHORT_BYTES =
		REPLY_HEAD_BYTES + 4 + 4 + MOUNT_HANDLE_V3_MAX + 4 + 4 * MOUNTPROTO_FLAVORS_MAX,
};

/* ---- calls ---- */

/* @auth: oa_base has MAX_AUTH_BYTES */
static int decode_auth(XDR *xdr, struct opaque_auth *auth, enum mountproto_fault too_long)
{
	if (!xdr_enum(xdr, &auth->oa_flavor) || !xdr_u_int(xdr, &auth->oa_length))
		return MOUNTPROTO_NOT_A_CALL;
	if (auth->oa_length > MAX_AUTH_BYTES)
		return too_long;
	return xdr_opaque(xdr, auth->oa_base, auth->oa_length) ? 0 : MOUNTPROTO_NOT_A_CALL;
}

static int decode_head(XDR *xdr, struct rpc_msg *message)
{
	struct call_body *body = &message->rm_call;
	int r;

	if (!xdr_enum(xdr, (enum_t *)&message->rm_direction) || message->rm_direction != CALL ||
	    !xdr_uint32_t(xdr, &body->cb_rpcvers))
		return MOUNTPROTO_NOT_A_CALL;
	if (body->cb_rpcvers != RPC_MSG_VERSION)
		return MOUNTPROTO_RPC_MISMATCH;
	if (!xdr_uint32_t(xdr, &body->cb_prog) || !xdr_uint32_t(xdr, &body->cb_vers) ||
	    !xdr_uint32_t(xdr, &body->cb_proc))
		return MOUNTPROTO_NOT_A_CALL;
	r = decode_auth(xdr, &body->cb_cred, MOUNTPROTO_BAD_CREDENTIALS);
	return r ? r : decode_auth(xdr, &body->cb_verf, MOUNTPROTO_BAD_VERIFIER);
}

/* RFC 5531 appendix A: AUTH_SYS. */
static int decode_unix(const struct opaque_auth *credentials, struct mountproto_call *call)
{
	char machine[MAX_MACHINE_NAME + 1];
	gid_t groups[MOUNTPROTO_GROUPS_MAX] = { 0 };
	struct authunix_parms unix_parms = { .aup_machname = machine, .aup_gids = groups };
	XDR xdr;

	xdrmem_create(&xdr, credentials->oa_base, credentials->oa_length, XDR_DECODE);
	if (!xdr_authunix_parms(&xdr, &unix_parms))
		return MOUNTPROTO_BAD_CREDENTIALS;
	call->is_known = true;
	call->uid = unix_parms.aup_uid;
	call->gid = unix_parms.aup_gid;
	call->n_groups = unix_parms.aup_len;
	for (uint32_t i = 0; i < call->n_groups; i++)
		call->groups[i] = groups[i];
	return 0;
}

static int decode_credentials(const struct opaque_auth *credentials, struct mountproto_call *call)
{
	switch (credentials->oa_flavor) {
	case AUTH_NONE: return 0;
	case AUTH_SYS: return decode_unix(credentials, call);
	default: return MOUNTPROTO_REJECTED_CREDENTIALS;
	}
}

static bool has_procedure(uint32_t version, uint32_t procedure)
{
	static const uint32_t last[] = {
		[1] = MOUNT_EXPORTALL,
		[2] = MOUNT_PATHCONF,
		[3] = MOUNT_EXPORT,
	};

	return procedure <= last[version];
}

static bool has_path(uint32_t procedure)
{
	return procedure == MOUNT_MNT || procedure == MOUNT_UMNT || procedure == MOUNT_PATHCONF;
}

/* A path is bytes, but none of them is NUL: it would name another path than what was sent. */
static bool decode_path(XDR *xdr, char *path)
{
	uint32_t length;

	return xdr_uint32_t(xdr, &length) && length <= MOUNT_PATH_MAX &&
	       xdr_opaque(xdr, path, length) && !memchr(path, '\0', length);
}

static int decode_body(XDR *xdr, const struct call_body *body, struct mountproto_call *call)
{
	int r;

	/* RFC 5531 section 9: authentication is looked at first. */
	r = decode_credentials(&body->cb_cred, call);
	if (r != 0)
		return r;
	if (body->cb_prog != MOUNT_PROGRAM)
		return MOUNTPROTO_NO_PROGRAM;
	if (body->cb_vers < MOUNT_VERSION_FIRST || body->cb_vers > MOUNT_VERSION_LAST)
		return MOUNTPROTO_NO_VERSION;
	if (!has_procedure(body->cb_vers, body->cb_proc))
		return MOUNTPROTO_NO_PROCEDURE;
	call->version = body->cb_vers;
	call->procedure = body->cb_proc;
	if (has_path(call->procedure) && !decode_path(xdr, call->path))
		return MOUNTPROTO_BAD_ARGUMENTS;
	return 0;
}

int mountproto_decode(const uint8_t *bytes, size_t n_bytes, struct mountproto_call *ret_call)
{
	char credentials[MAX_AUTH_BYTES], verifier[MAX_AUTH_BYTES];
	struct mountproto_call call = { 0 };
	struct rpc_msg message = { 0 };
	XDR xdr;
	int r;

	if (n_bytes > UINT32_MAX)
		return MOUNTPROTO_NOT_A_CALL;
	message.rm_call.cb_cred.oa_base = credentials;
	message.rm_call.cb_verf.oa_base = verifier;
	xdrmem_create(&xdr, (char *)bytes, (u_int)n_bytes, XDR_DECODE);
	if (!xdr_uint32_t(&xdr, &call.xid))
		return MOUNTPROTO_NOT_A_CALL;
	r = decode_head(&xdr, &message);
	if (r == 0)
		r = decode_body(&xdr, &message.rm_call, &call);
	if (r != MOUNTPROTO_NOT_A_CALL)
		*ret_call = call;
	return r;
}

/* ---- short replies ---- */

static int encode(uint32_t xid, struct reply_body body, struct mountproto_reply *ret_reply)
{
	struct rpc_msg message = { .rm_xid = xid, .rm_direction = REPLY };
	CLEANUP(freep) uint8_t *bytes = malloc(REPLY_SHORT_BYTES);
	XDR xdr;

	if (!bytes)
		return -ENOMEM;
	message.rm_reply = body;
	xdrmem_create(&xdr, (char *)bytes, REPLY_SHORT_BYTES, XDR_ENCODE);
	/* There is room for all that is put here. */
	if (!xdr_replymsg(&xdr, &message))
		return -EOVERFLOW;
	ret_reply->n_bytes = xdr_getpos(&xdr);
	ret_reply->bytes = TAKE_PTR(bytes);
	return 0;
}

static bool_t encode_nothing(XDR *xdr, ...)
{
	return TRUE;
}

static struct reply_body accepted(enum accept_stat status)
{
	struct reply_body body = { .rp_stat = MSG_ACCEPTED };

	body.rp_acpt.ar_verf = _null_auth;
	body.rp_acpt.ar_stat = status;
	return body;
}

static int reply_accepted(uint32_t xid, xdrproc_t encode_result, void *result,
			  struct mountproto_reply *ret_reply)
{
	struct reply_body body = accepted(SUCCESS);

	body.rp_acpt.ar_results.proc = encode_result;
	body.rp_acpt.ar_results.where = result;
	return encode(xid, body, ret_reply);
}

int mountproto_refuse_version(uint32_t xid, uint32_t first, uint32_t last,
			      struct mountproto_reply *ret_reply)
{
	struct reply_body body = accepted(PROG_MISMATCH);

	body.rp_acpt.ar_vers.low = first;
	body.rp_acpt.ar_vers.high = last;
	return encode(xid, body, ret_reply);
}

static struct reply_body denied(enum auth_stat why)
{
	struct reply_body body = { .rp_stat = MSG_DENIED };

	body.rp_rjct.rj_stat = AUTH_ERROR;
	body.rp_rjct.rj_why = why;
	return body;
}

static struct reply_body mismatched(void)
{
	struct reply_body body = { .rp_stat = MSG_DENIED };

	body.rp_rjct.rj_stat = RPC_MISMATCH;
	body.rp_rjct.rj_vers.low = body.rp_rjct.rj_vers.high = RPC_MSG_VERSION;
	return body;
}

static struct reply_body refusal(enum mountproto_fault fault)
{
	switch (fault) {
	case MOUNTPROTO_RPC_MISMATCH: return mismatched();
	case MOUNTPROTO_BAD_CREDENTIALS: return denied(AUTH_BADCRED);
	case MOUNTPROTO_BAD_VERIFIER: return denied(AUTH_BADVERF);
	case MOUNTPROTO_REJECTED_CREDENTIALS: return denied(AUTH_REJECTEDCRED);
	case MOUNTPROTO_NO_PROGRAM: return accepted(PROG_UNAVAIL);
	case MOUNTPROTO_NO_PROCEDURE: return accepted(PROC_UNAVAIL);
	case MOUNTPROTO_BAD_ARGUMENTS: return accepted(GARBAGE_ARGS);
	default: return accepted(SYSTEM_ERR);
	}
}

int mountproto_refuse(uint32_t xid, enum mountproto_fault fault, struct mountproto_reply *ret_reply)
{
	if (fault == MOUNTPROTO_NO_VERSION)
		return mountproto_refuse_version(xid, MOUNT_VERSION_FIRST, MOUNT_VERSION_LAST,
						 ret_reply);
	return encode(xid, refusal(fault), ret_reply);
}

int mountproto_reply_void(uint32_t xid, struct mountproto_reply *ret_reply)
{
	return reply_accepted(xid, (xdrproc_t)encode_nothing, NULL, ret_reply);
}

/* ---- MNT and PATHCONF ---- */

size_t mountproto_handle_max(uint32_t version)
{
	return version == 3 ? MOUNT_HANDLE_V3_MAX : MOUNT_HANDLE_V1_SIZE;
}

/*
 * The number a version has for a status. Versions 1 and 2 speak of UNIX errors, and know none of
 * version 3's own.
 */
static uint32_t status_for(uint32_t version, enum mount_status status)
{
	if (version < 3 && (status == MOUNT_ERROR_NOTSUPP || status == MOUNT_ERROR_SERVERFAULT))
		return MOUNT_ERROR_IO;
	return status;
}

static int reply_mnt_v1(const struct mountproto_call *call, enum mount_status status,
			const struct mountproto_mounted *mounted,
			struct mountproto_reply *ret_reply)
{
	struct mount_result_v1 result = { .status = status_for(call->version, status) };

	if (status == MOUNT_OK)
		memcpy(result.mount_result_v1_u.handle, mounted->handle, mounted->handle_length);
	return reply_accepted(call->xid, (xdrproc_t)xdr_mount_result_v1, &result, ret_reply);
}

static int reply_mnt_v3(const struct mountproto_call *call, enum mount_status status,
			const struct mountproto_mounted *mounted,
			struct mountproto_reply *ret_reply)
{
	struct mount_result_v3 result = { .status = status };
	struct mount_ok_v3 *good = &result.mount_result_v3_u.ok;
	char handle[MOUNT_HANDLE_V3_MAX];
	int flavors[MOUNTPROTO_FLAVORS_MAX];

	if (status == MOUNT_OK) {
		memcpy(handle, mounted->handle, mounted->handle_length);
		for (uint32_t i = 0; i < mounted->n_flavors; i++)
			flavors[i] = (int)mounted->flavors[i];
		good->handle.mount_handle_v3_len = (u_int)mounted->handle_length;
		good->handle.mount_handle_v3_val = handle;
		good->flavors.flavors_len = mounted->n_flavors;
		good->flavors.flavors_val = flavors;
	}
	return reply_accepted(call->xid, (xdrproc_t)xdr_mount_result_v3, &result, ret_reply);
}

int mountproto_reply_mnt(const struct mountproto_call *call, enum mount_status status,
			 const struct mountproto_mounted *mounted,
			 struct mountproto_reply *ret_reply)
{
	return call->version == 3 ? reply_mnt_v3(call, status, mounted, ret_reply)
				  : reply_mnt_v1(call, status, mounted, ret_reply);
}

int mountproto_reply_pathconf(uint32_t xid, bool is_exported, struct mountproto_reply *ret_reply)
{
	struct mount_pathconf values = { 0 };

	if (is_exported)
		values = (struct mount_pathconf){
			.link_max = 127, /* LINK_MAX, which glibc hides */
			.max_canon = MAX_CANON,
			.max_input = MAX_INPUT,
			.name_max = NAME_MAX,
			.path_max = PATH_MAX,
			.pipe_buf = PIPE_BUF,
		};
	return reply_accepted(xid, (xdrproc_t)xdr_mount_pathconf, &values, ret_reply);
}

/* ---- lists ---- */

int mountproto_list_begin(struct mountproto_list *list, uint32_t xid, size_t max_bytes)
{
	*list = (struct mountproto_list){
		.xid = xid,
		.max_bytes = max_bytes,
		.size = REPLY_SHORT_BYTES,
	};
	return mountproto_reply_void(xid, &list->reply);
}

/* Returns 0, also if there may be no more; -ENOMEM. */
static int make_room(struct mountproto_list *list)
{
	size_t size = list->size * 2 < list->max_bytes ? list->size * 2 : list->max_bytes;
	uint8_t *grown;

	list->is_too_long = list->size >= list->max_bytes;
	if (list->is_too_long)
		return 0;
	grown = realloc(list->reply.bytes, size);
	if (!grown)
		return -ENOMEM;
	list->reply.bytes = grown;
	list->size = size;
	return 0;
}

/* What it cannot encode has no room: the lengths of strings were looked at. */
static int put(struct mountproto_list *list, xdrproc_t encode_item, const void *item)
{
	int r = 0;

	while (r == 0 && !list->is_too_long) {
		XDR xdr;

		xdrmem_create(&xdr, (char *)list->reply.bytes + list->reply.n_bytes,
			      (u_int)(list->size - list->reply.n_bytes), XDR_ENCODE);
		if (encode_item(&xdr, (void *)item)) {
			list->reply.n_bytes += xdr_getpos(&xdr);
			return 0;
		}
		r = make_room(list);
	}
	return r;
}

/* Is there another element? */
static int put_mark(struct mountproto_list *list, bool more)
{
	const bool_t mark = more;

	return put(list, (xdrproc_t)xdr_bool, &mark);
}

static int put_element(struct mountproto_list *list, xdrproc_t encode_element, const void *element)
{
	int r = put_mark(list, true);

	return r < 0 ? r : put(list, encode_element, element);
}

int mountproto_list_mount(struct mountproto_list *list, const char *client, const char *path)
{
	const struct mount_entry entry = { .host = (char *)client, .directory = (char *)path };

	if (strlen(client) > MOUNT_NAME_MAX || strlen(path) > MOUNT_PATH_MAX)
		return 0;
	return put_element(list, (xdrproc_t)xdr_mount_entry, &entry);
}

static size_t count_sayable(const char *const *clients, size_t n_clients)
{
	size_t n = 0;

	for (size_t i = 0; i < n_clients; i++)
		n += strlen(clients[i]) <= MOUNT_NAME_MAX;
	return n;
}

int mountproto_list_export(struct mountproto_list *list, const char *path,
			   const char *const *clients, size_t n_clients)
{
	int r;

	/* No clients at all means everybody: not what an export of unspeakable names means. */
	if (strlen(path) > MOUNT_PATH_MAX ||
	    (n_clients > 0 && count_sayable(clients, n_clients) == 0))
		return 0;
	r = put_element(list, (xdrproc_t)xdr_mount_path, &path);
	for (size_t i = 0; i < n_clients && r == 0; i++) {
		if (strlen(clients[i]) <= MOUNT_NAME_MAX)
			r = put_element(list, (xdrproc_t)xdr_mount_name, &clients[i]);
	}
	return r < 0 ? r : put_mark(list, false);
}

int mountproto_list_end(struct mountproto_list *list, struct mountproto_reply *ret_reply)
{
	int r = put_mark(list, false);

	if (r < 0)
		return r;
	if (list->is_too_long)
		return mountproto_refuse(list->xid, MOUNTPROTO_SYSTEM_ERROR, ret_reply);
	*ret_reply = list->reply;
	list->reply = (struct mountproto_reply){ 0 };
	return 0;
}

void mountproto_list_done(struct mountproto_list *list)
{
	free(list->reply.bytes);
	list->reply = (struct mountproto_reply){ 0 };
}

int mountproto_repeat(const struct mountproto_reply *kept, uint32_t xid, size_t max_bytes,
		      struct mountproto_reply *ret_reply)
{
	uint32_t word = htonl(xid);
	uint8_t *bytes;

	if (kept->n_bytes > max_bytes)
		return mountproto_refuse(xid, MOUNTPROTO_SYSTEM_ERROR, ret_reply);
	bytes = malloc(kept->n_bytes);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, kept->bytes, kept->n_bytes);
	memcpy(bytes, &word, sizeof(word));
	*ret_reply = (struct mountproto_reply){ .bytes = bytes, .n_bytes = kept->n_bytes };
	return 0;
}
