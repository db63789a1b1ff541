/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mountproto.c - MOUNT over libtirpc's XDR, on memory.
 *
 * Decoding allocates nothing: every variable part has its buffer, and XDR is told its size. The
 * head of a call is looked at word by word before xdr_callmsg() reads it, because that says
 * only "no" to all that RFC 5531 has different answers for.
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
	LIST_FIRST_BYTES = 4096,
	/* A list's TRUE or FALSE. */
	LIST_MARK_BYTES = 4,
};

/* ---- calls ---- */

/* The words before the credentials: xid, direction, RPC version, program, version, procedure. */
enum { WORD_XID, WORD_DIRECTION, WORD_RPC_VERSION, WORD_CREDENTIALS = 6 };

static bool word_at(const uint8_t *bytes, size_t n_bytes, size_t offset, uint32_t *ret_word)
{
	uint32_t word;

	if (offset > n_bytes || n_bytes - offset < sizeof(word))
		return false;
	memcpy(&word, bytes + offset, sizeof(word));
	*ret_word = ntohl(word);
	return true;
}

static size_t padded(size_t length)
{
	return (length + BYTES_PER_XDR_UNIT - 1) / BYTES_PER_XDR_UNIT * BYTES_PER_XDR_UNIT;
}

/* What xdr_callmsg() would refuse without saying why. */
static int check_head(const uint8_t *bytes, size_t n_bytes)
{
	const size_t word_bytes = sizeof(uint32_t);
	size_t offset = WORD_CREDENTIALS * word_bytes;
	uint32_t word, length;

	if (!word_at(bytes, n_bytes, WORD_DIRECTION * word_bytes, &word) || word != CALL ||
	    !word_at(bytes, n_bytes, WORD_RPC_VERSION * word_bytes, &word))
		return MOUNTPROTO_NOT_A_CALL;
	if (word != RPC_MSG_VERSION)
		return MOUNTPROTO_RPC_MISMATCH;
	if (!word_at(bytes, n_bytes, offset + word_bytes, &length))
		return MOUNTPROTO_NOT_A_CALL;
	if (length > MAX_AUTH_BYTES)
		return MOUNTPROTO_BAD_CREDENTIALS;
	offset += 2 * word_bytes + padded(length);
	if (!word_at(bytes, n_bytes, offset + word_bytes, &length))
		return MOUNTPROTO_NOT_A_CALL;
	if (length > MAX_AUTH_BYTES)
		return MOUNTPROTO_BAD_VERIFIER;
	if (offset + 2 * word_bytes + padded(length) > n_bytes)
		return MOUNTPROTO_NOT_A_CALL;
	return 0;
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
static bool decode_path(XDR *xdr, const uint8_t *bytes, size_t n_bytes, char *path)
{
	uint32_t length;

	return word_at(bytes, n_bytes, xdr_getpos(xdr), &length) && xdr_mount_path(xdr, &path) &&
	       strlen(path) == length;
}

static int decode_body(XDR *xdr, const struct call_body *body, const uint8_t *bytes, size_t n_bytes,
		       struct mountproto_call *call)
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
	if (has_path(call->procedure) && !decode_path(xdr, bytes, n_bytes, call->path))
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

	if (n_bytes > UINT32_MAX || !word_at(bytes, n_bytes, WORD_XID, &call.xid))
		return MOUNTPROTO_NOT_A_CALL;
	r = check_head(bytes, n_bytes);
	if (r == 0) {
		message.rm_call.cb_cred.oa_base = credentials;
		message.rm_call.cb_verf.oa_base = verifier;
		xdrmem_create(&xdr, (char *)bytes, (u_int)n_bytes, XDR_DECODE);
		if (!xdr_callmsg(&xdr, &message))
			return MOUNTPROTO_NOT_A_CALL;
		r = decode_body(&xdr, &message.rm_call, bytes, n_bytes, &call);
	}
	if (r == MOUNTPROTO_NOT_A_CALL)
		return r;
	*ret_call = call;
	return r;
}

/* ---- short replies ---- */

static int encode(struct rpc_msg *message, struct mountproto_reply *ret_reply)
{
	CLEANUP(freep) uint8_t *bytes = malloc(REPLY_SHORT_BYTES);
	XDR xdr;

	if (!bytes)
		return -ENOMEM;
	xdrmem_create(&xdr, (char *)bytes, REPLY_SHORT_BYTES, XDR_ENCODE);
	/* There is room for all that is put here. */
	if (!xdr_replymsg(&xdr, message))
		return -EOVERFLOW;
	ret_reply->n_bytes = xdr_getpos(&xdr);
	ret_reply->bytes = TAKE_PTR(bytes);
	return 0;
}

static bool_t encode_nothing(XDR *xdr, ...)
{
	return TRUE;
}

static int reply_accepted(uint32_t xid, xdrproc_t encode_result, void *result,
			  struct mountproto_reply *ret_reply)
{
	struct rpc_msg message = { .rm_xid = xid, .rm_direction = REPLY };

	message.rm_reply.rp_stat = MSG_ACCEPTED;
	message.acpted_rply.ar_verf = _null_auth;
	message.acpted_rply.ar_stat = SUCCESS;
	message.acpted_rply.ar_results.proc = encode_result;
	message.acpted_rply.ar_results.where = result;
	return encode(&message, ret_reply);
}

static int reply_failed(uint32_t xid, enum accept_stat status, struct mountproto_reply *ret_reply)
{
	struct rpc_msg message = { .rm_xid = xid, .rm_direction = REPLY };

	message.rm_reply.rp_stat = MSG_ACCEPTED;
	message.acpted_rply.ar_verf = _null_auth;
	message.acpted_rply.ar_stat = status;
	return encode(&message, ret_reply);
}

int mountproto_refuse_version(uint32_t xid, uint32_t first, uint32_t last,
			      struct mountproto_reply *ret_reply)
{
	struct rpc_msg message = { .rm_xid = xid, .rm_direction = REPLY };

	message.rm_reply.rp_stat = MSG_ACCEPTED;
	message.acpted_rply.ar_verf = _null_auth;
	message.acpted_rply.ar_stat = PROG_MISMATCH;
	message.acpted_rply.ar_vers.low = first;
	message.acpted_rply.ar_vers.high = last;
	return encode(&message, ret_reply);
}

static int reply_denied(uint32_t xid, enum reject_stat status, enum auth_stat why,
			struct mountproto_reply *ret_reply)
{
	struct rpc_msg message = { .rm_xid = xid, .rm_direction = REPLY };

	message.rm_reply.rp_stat = MSG_DENIED;
	message.rjcted_rply.rj_stat = status;
	if (status == AUTH_ERROR) {
		message.rjcted_rply.rj_why = why;
	} else {
		message.rjcted_rply.rj_vers.low = RPC_MSG_VERSION;
		message.rjcted_rply.rj_vers.high = RPC_MSG_VERSION;
	}
	return encode(&message, ret_reply);
}

int mountproto_refuse(uint32_t xid, enum mountproto_fault fault, struct mountproto_reply *ret_reply)
{
	switch (fault) {
	case MOUNTPROTO_RPC_MISMATCH: return reply_denied(xid, RPC_MISMATCH, AUTH_OK, ret_reply);
	case MOUNTPROTO_BAD_CREDENTIALS:
		return reply_denied(xid, AUTH_ERROR, AUTH_BADCRED, ret_reply);
	case MOUNTPROTO_BAD_VERIFIER: return reply_denied(xid, AUTH_ERROR, AUTH_BADVERF, ret_reply);
	case MOUNTPROTO_REJECTED_CREDENTIALS:
		return reply_denied(xid, AUTH_ERROR, AUTH_REJECTEDCRED, ret_reply);
	case MOUNTPROTO_NO_PROGRAM: return reply_failed(xid, PROG_UNAVAIL, ret_reply);
	case MOUNTPROTO_NO_VERSION:
		return mountproto_refuse_version(xid, MOUNT_VERSION_FIRST, MOUNT_VERSION_LAST,
						 ret_reply);
	case MOUNTPROTO_NO_PROCEDURE: return reply_failed(xid, PROC_UNAVAIL, ret_reply);
	case MOUNTPROTO_BAD_ARGUMENTS: return reply_failed(xid, GARBAGE_ARGS, ret_reply);
	case MOUNTPROTO_NOT_A_CALL:
	case MOUNTPROTO_SYSTEM_ERROR: return reply_failed(xid, SYSTEM_ERR, ret_reply);
	}
	return reply_failed(xid, SYSTEM_ERR, ret_reply);
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

uint32_t mountproto_status(uint32_t version, enum mount_status status)
{
	if (version < 3 && (status == MOUNT_ERROR_NOTSUPP || status == MOUNT_ERROR_SERVERFAULT))
		return MOUNT_ERROR_IO;
	return status;
}

static int reply_mnt_v1(const struct mountproto_call *call, enum mount_status status,
			const struct mountproto_mounted *mounted,
			struct mountproto_reply *ret_reply)
{
	struct mount_result_v1 result = { .status = mountproto_status(call->version, status) };

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

static int make_room(struct mountproto_list *list, size_t n_bytes)
{
	size_t size = list->size;
	uint8_t *grown;

	while (size - list->reply.n_bytes < n_bytes)
		size *= 2;
	if (size == list->size)
		return 0;
	grown = realloc(list->reply.bytes, size);
	if (!grown)
		return -ENOMEM;
	list->reply.bytes = grown;
	list->size = size;
	return 0;
}

int mountproto_list_begin(struct mountproto_list *list, uint32_t xid, size_t max_bytes)
{
	int r;

	*list = (struct mountproto_list){
		.xid = xid,
		.max_bytes = max_bytes,
		.size = REPLY_SHORT_BYTES,
	};
	r = mountproto_reply_void(xid, &list->reply);
	if (r < 0)
		return r;
	return make_room(list, LIST_FIRST_BYTES);
}

/* Room must be there. */
static void put_mark(struct mountproto_list *list, bool more)
{
	uint32_t word = htonl(more ? TRUE : FALSE);

	memcpy(list->reply.bytes + list->reply.n_bytes, &word, sizeof(word));
	list->reply.n_bytes += sizeof(word);
}

static size_t encoded_size(const char *text)
{
	return LIST_MARK_BYTES + padded(strlen(text));
}

/* Is there room below the limit, and now in memory? One mark more stays free for the end. */
static int admit(struct mountproto_list *list, size_t n_bytes)
{
	if (list->is_too_long ||
	    list->reply.n_bytes + n_bytes + LIST_MARK_BYTES > list->max_bytes) {
		list->is_too_long = true;
		return 0;
	}
	return make_room(list, n_bytes + LIST_MARK_BYTES);
}

static int put_element(struct mountproto_list *list, xdrproc_t encode_element, void *element)
{
	XDR xdr;

	put_mark(list, true);
	xdrmem_create(&xdr, (char *)list->reply.bytes + list->reply.n_bytes,
		      (u_int)(list->size - list->reply.n_bytes), XDR_ENCODE);
	if (!encode_element(&xdr, element))
		return -EOVERFLOW;
	list->reply.n_bytes += xdr_getpos(&xdr);
	return 0;
}

int mountproto_list_mount(struct mountproto_list *list, const char *client, const char *path)
{
	struct mount_entry entry = { .host = (char *)client, .directory = (char *)path };
	int r;

	if (strlen(client) > MOUNT_NAME_MAX || strlen(path) > MOUNT_PATH_MAX)
		return 0;
	r = admit(list, LIST_MARK_BYTES + encoded_size(client) + encoded_size(path));
	if (r < 0 || list->is_too_long)
		return r;
	return put_element(list, (xdrproc_t)xdr_mount_entry, &entry);
}

/* The clients' size; 0 if none of them can be said. */
static size_t groups_size(const char *const *clients, size_t n_clients)
{
	size_t size = 0;

	for (size_t i = 0; i < n_clients; i++) {
		if (strlen(clients[i]) <= MOUNT_NAME_MAX)
			size += LIST_MARK_BYTES + encoded_size(clients[i]);
	}
	return size;
}

int mountproto_list_export(struct mountproto_list *list, const char *path,
			   const char *const *clients, size_t n_clients)
{
	size_t size = groups_size(clients, n_clients);
	int r;

	/* No clients at all means everybody: not what an export of unspeakable names means. */
	if (strlen(path) > MOUNT_PATH_MAX || (n_clients > 0 && size == 0))
		return 0;
	r = admit(list, 2 * LIST_MARK_BYTES + encoded_size(path) + size);
	if (r < 0 || list->is_too_long)
		return r;
	r = put_element(list, (xdrproc_t)xdr_mount_path, &path);
	for (size_t i = 0; i < n_clients && r == 0; i++) {
		if (strlen(clients[i]) <= MOUNT_NAME_MAX)
			r = put_element(list, (xdrproc_t)xdr_mount_name, (void *)&clients[i]);
	}
	put_mark(list, false);
	return r;
}

int mountproto_list_end(struct mountproto_list *list, struct mountproto_reply *ret_reply)
{
	if (list->is_too_long)
		return mountproto_refuse(list->xid, MOUNTPROTO_SYSTEM_ERROR, ret_reply);
	put_mark(list, false);
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
