/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * MOUNT's messages against golden bytes.
 */

#include "exportsd/mountd/mountproto.h"
#include "tests/tap.h"
#include "tests/unit/rpc-words.h"

static struct bytes call_of(uint32_t version, uint32_t procedure, const char *path)
{
	struct bytes bytes = call_to(100005, version, procedure);

	put_nobody(&bytes);
	if (path)
		put_string(&bytes, path);
	return bytes;
}

static void is_bytes(const struct mountproto_reply *reply, const struct bytes *wanted,
		     const char *what)
{
	bool same = reply->n_bytes == wanted->n && !memcmp(reply->bytes, wanted->at, wanted->n);

	if (ok(same, "%s", what))
		return;
	printf("#   got   ");
	for (size_t i = 0; i < reply->n_bytes; i++)
		printf("%s%02x", i % 4 ? "" : " ", reply->bytes[i]);
	printf("\n#   wanted");
	for (size_t i = 0; i < wanted->n; i++)
		printf("%s%02x", i % 4 ? "" : " ", wanted->at[i]);
	printf("\n");
}

/* ---- calls ---- */

/* A copy of exactly its size, so that a sanitizer sees one byte too many. */
static int decode(const struct bytes *bytes, size_t n, struct mountproto_call *ret_call)
{
	uint8_t *copy = malloc(n ? n : 1);
	int r;

	memcpy(copy, bytes->at, n);
	r = mountproto_decode(copy, n, ret_call);
	free(copy);
	return r;
}

static void test_calls(void)
{
	struct mountproto_call call;
	struct bytes bytes = call_of(3, MOUNT_MNT, "/srv/a b");

	is_int(decode(&bytes, bytes.n, &call), 0, "MNT of version 3 is read");
	is_int(call.xid, TEST_XID, "its xid");
	is_int(call.version, 3, "its version");
	is_int(call.procedure, MOUNT_MNT, "its procedure");
	is_str(call.path, "/srv/a b", "its path");
	ok(!call.is_known, "AUTH_NONE is nobody");

	bytes = call_to(100005, 2, MOUNT_PATHCONF);
	put_unix(&bytes, 1000, 1001, 16);
	put_string(&bytes, "");
	is_int(decode(&bytes, bytes.n, &call), 0, "PATHCONF with AUTH_SYS is read");
	ok(call.is_known && call.uid == 1000 && call.gid == 1001, "its uid and gid");
	ok(call.n_groups == 16 && call.groups[0] == 100 && call.groups[15] == 115, "its groups");
	is_str(call.path, "", "an empty path");

	bytes = call_of(1, MOUNT_DUMP, NULL);
	put(&bytes, 0xdeadbeef);
	is_int(decode(&bytes, bytes.n, &call), 0, "bytes after the arguments are passed over");
}

static void test_long_paths(void)
{
	struct mountproto_call call;
	char path[MOUNT_PATH_MAX + 2];
	struct bytes bytes;

	memset(path, 'a', sizeof(path));
	path[MOUNT_PATH_MAX + 1] = '\0';
	bytes = call_of(3, MOUNT_MNT, path);
	is_int(decode(&bytes, bytes.n, &call), MOUNTPROTO_BAD_ARGUMENTS, "a path of 1,025 bytes");
	is_int(call.xid, TEST_XID, "whose xid is known");
	path[MOUNT_PATH_MAX] = '\0';
	bytes = call_of(3, MOUNT_MNT, path);
	is_int(decode(&bytes, bytes.n, &call), 0, "a path of 1,024 bytes is read");
	is_str(call.path, path, "in full");

	bytes = call_of(3, MOUNT_MNT, NULL);
	put(&bytes, 6);
	put_opaque(&bytes, "/a\0/b\0", 6);
	is_int(decode(&bytes, bytes.n, &call), MOUNTPROTO_BAD_ARGUMENTS, "a NUL in a path");
	bytes = call_of(3, MOUNT_MNT, NULL);
	put(&bytes, UINT32_MAX);
	put_opaque(&bytes, "/a", 2);
	is_int(decode(&bytes, bytes.n, &call), MOUNTPROTO_BAD_ARGUMENTS, "a length of 2^32-1");
}

static void test_truncated(void)
{
	struct mountproto_call call;
	struct bytes bytes = call_to(100005, 3, MOUNT_MNT);
	size_t head, wrong = 0;

	put_unix(&bytes, 0, 0, 3);
	head = bytes.n;
	put_string(&bytes, "/srv/abc");
	for (size_t n = 0; n < bytes.n; n++) {
		int wanted = n < head ? MOUNTPROTO_NOT_A_CALL : MOUNTPROTO_BAD_ARGUMENTS;

		if (decode(&bytes, n, &call) != wanted)
			wrong++;
	}
	is_int(wrong, 0, "a call cut at each length is refused for what is missing");
	is_int(decode(&bytes, bytes.n, &call), 0, "and the whole one is read");
}

static int decode_head(uint32_t direction, uint32_t rpc_version, uint32_t program, uint32_t version,
		       uint32_t procedure)
{
	struct mountproto_call call;
	struct bytes bytes = { .n = 0 };
	int r;

	put(&bytes, 5);
	put(&bytes, direction);
	put(&bytes, rpc_version);
	put(&bytes, program);
	put(&bytes, version);
	put(&bytes, procedure);
	put_nobody(&bytes);
	put_string(&bytes, "/a");
	r = decode(&bytes, bytes.n, &call);
	if (r != MOUNTPROTO_NOT_A_CALL && call.xid != 5)
		return -1;
	return r;
}

static void test_heads(void)
{
	is_int(decode_head(1, 2, 100005, 3, 1), MOUNTPROTO_NOT_A_CALL, "a reply is no call");
	is_int(decode_head(0, 3, 100005, 3, 1), MOUNTPROTO_RPC_MISMATCH, "RPC version 3");
	is_int(decode_head(0, 2, 100003, 3, 1), MOUNTPROTO_NO_PROGRAM, "another program");
	is_int(decode_head(0, 2, 100005, 0, 1), MOUNTPROTO_NO_VERSION, "version 0");
	is_int(decode_head(0, 2, 100005, 4, 1), MOUNTPROTO_NO_VERSION, "version 4");
	is_int(decode_head(0, 2, 100005, 1, 6), 0, "EXPORTALL in version 1");
	is_int(decode_head(0, 2, 100005, 1, 7), MOUNTPROTO_NO_PROCEDURE,
	       "no PATHCONF in version 1");
	is_int(decode_head(0, 2, 100005, 2, 7), 0, "PATHCONF in version 2");
	is_int(decode_head(0, 2, 100005, 2, 8), MOUNTPROTO_NO_PROCEDURE, "no procedure 8");
	is_int(decode_head(0, 2, 100005, 3, 5), 0, "EXPORT in version 3");
	is_int(decode_head(0, 2, 100005, 3, 6), MOUNTPROTO_NO_PROCEDURE,
	       "no EXPORTALL in version 3");
	is_int(decode_head(0, 2, 100005, 3, UINT32_MAX), MOUNTPROTO_NO_PROCEDURE, "nor 2^32-1");
}

static int decode_auth(uint32_t flavor, uint32_t length, uint32_t verifier_length)
{
	struct mountproto_call call;
	struct bytes bytes = call_to(100005, 3, MOUNT_NULL);
	static const uint8_t zeros[1024];

	put(&bytes, flavor);
	put(&bytes, length);
	put_opaque(&bytes, zeros, length);
	put(&bytes, 0);
	put(&bytes, verifier_length);
	put_opaque(&bytes, zeros, verifier_length);
	return decode(&bytes, bytes.n, &call);
}

static void test_credentials(void)
{
	struct mountproto_call call;
	struct bytes bytes;

	is_int(decode_auth(0, 400, 400), 0, "400 bytes of credentials, and of verifier");
	is_int(decode_auth(0, 404, 0), MOUNTPROTO_BAD_CREDENTIALS, "404 bytes are too many");
	is_int(decode_auth(0, 0, 404), MOUNTPROTO_BAD_VERIFIER, "of a verifier, too");
	is_int(decode_auth(6, 20, 0), MOUNTPROTO_REJECTED_CREDENTIALS, "RPCSEC_GSS is not served");
	is_int(decode_auth(1, 8, 0), MOUNTPROTO_BAD_CREDENTIALS, "AUTH_SYS of 8 bytes");
	is_int(decode_auth(1, 20, 0), 0, "AUTH_SYS of nothing but zeros");

	bytes = call_to(100005, 3, MOUNT_NULL);
	put_unix(&bytes, 1, 1, 17);
	is_int(decode(&bytes, bytes.n, &call), MOUNTPROTO_BAD_CREDENTIALS, "17 groups");
}

/* Random changes of a good call: nothing but an answer comes of it. */
static void test_garbage(void)
{
	struct bytes good = call_to(100005, 3, MOUNT_MNT);
	size_t strange = 0;

	put_unix(&good, 0, 0, 3);
	put_string(&good, "/srv/abc");
	for (int i = 0; i < 20000; i++) {
		struct mountproto_call call;
		struct bytes bytes = good;
		int r;

		for (uint64_t n = tap_random() % 4; n-- > 0;)
			bytes.at[tap_random() % bytes.n] = (uint8_t)tap_random();
		r = decode(&bytes, tap_random() % 8 ? bytes.n : tap_random() % bytes.n, &call);
		if (r < 0 || r > MOUNTPROTO_BAD_ARGUMENTS)
			strange++;
		if (r == 0 && (call.version < 1 || call.version > 3 || call.procedure > 7 ||
			       call.n_groups > 16 || strlen(call.path) > MOUNT_PATH_MAX))
			strange++;
	}
	is_int(strange, 0, "20,000 damaged calls are read or refused");
}

/* ---- replies ---- */

static void is_refusal(enum mountproto_fault fault, const uint32_t *words, size_t n_words,
		       const char *what)
{
	struct mountproto_reply reply;
	struct bytes wanted = { .n = 0 };

	put(&wanted, 9);
	put(&wanted, 1);
	for (size_t i = 0; i < n_words; i++)
		put(&wanted, words[i]);
	is_int(mountproto_refuse(9, fault, &reply), 0, what);
	is_bytes(&reply, &wanted, what);
	free(reply.bytes);
}

#define REFUSAL(fault, ...)                                                                        \
	is_refusal(fault, (const uint32_t[]){ __VA_ARGS__ },                                       \
		   sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t), #fault)

static void test_refusals(void)
{
	REFUSAL(MOUNTPROTO_RPC_MISMATCH, 1, 0, 2, 2);
	REFUSAL(MOUNTPROTO_BAD_CREDENTIALS, 1, 1, 1);
	REFUSAL(MOUNTPROTO_REJECTED_CREDENTIALS, 1, 1, 2);
	REFUSAL(MOUNTPROTO_BAD_VERIFIER, 1, 1, 3);
	REFUSAL(MOUNTPROTO_NO_PROGRAM, 0, 0, 0, 1);
	REFUSAL(MOUNTPROTO_NO_VERSION, 0, 0, 0, 2, 1, 3);
	REFUSAL(MOUNTPROTO_NO_PROCEDURE, 0, 0, 0, 3);
	REFUSAL(MOUNTPROTO_BAD_ARGUMENTS, 0, 0, 0, 4);
	REFUSAL(MOUNTPROTO_SYSTEM_ERROR, 0, 0, 0, 5);
}

static const struct mountproto_mounted mounted = {
	.handle = { 1, 0, 1, 0, 0x67, 0, 0, 0 },
	.handle_length = 8,
	.n_flavors = 2,
	.flavors = { 390003, 1 },
};

static void is_mnt_reply(uint32_t version, enum mount_status status, const struct bytes *wanted,
			 const char *what)
{
	struct mountproto_call call = { .xid = TEST_XID, .version = version };
	struct mountproto_reply reply;

	is_int(mountproto_reply_mnt(&call, status, &mounted, &reply), 0, what);
	is_bytes(&reply, wanted, what);
	free(reply.bytes);
}

static void test_mnt_replies(void)
{
	struct bytes wanted = accepted(0);
	uint8_t padded_handle[32] = { 1, 0, 1, 0, 0x67 };
	struct mountproto_reply reply;

	put(&wanted, 0);
	put(&wanted, 8);
	put_opaque(&wanted, mounted.handle, 8);
	put(&wanted, 2);
	put(&wanted, 390003);
	put(&wanted, 1);
	is_mnt_reply(3, MOUNT_OK, &wanted, "version 3 gives handle and flavours");

	wanted = accepted(0);
	put(&wanted, 0);
	put_opaque(&wanted, padded_handle, 32);
	is_mnt_reply(1, MOUNT_OK, &wanted, "version 1 gives 32 bytes, padded");
	is_mnt_reply(2, MOUNT_OK, &wanted, "version 2 does, too");

	wanted = accepted(0);
	put(&wanted, 10006);
	is_mnt_reply(3, MOUNT_ERROR_SERVERFAULT, &wanted, "version 3 has a server's fault");
	wanted = accepted(0);
	put(&wanted, 5);
	is_mnt_reply(2, MOUNT_ERROR_SERVERFAULT, &wanted, "in version 2 that is EIO");
	wanted = accepted(0);
	put(&wanted, 13);
	is_mnt_reply(1, MOUNT_ERROR_ACCES, &wanted, "and no access is EACCES");

	wanted = accepted(0);
	is_int(mountproto_reply_void(TEST_XID, &reply), 0, "a reply of nothing");
	is_bytes(&reply, &wanted, "is its head alone");
	free(reply.bytes);
}

static void test_longest_reply(void)
{
	struct mountproto_call call = { .xid = 1, .version = 3 };
	struct mountproto_mounted most = { .handle_length = 64, .n_flavors = 8 };
	struct mountproto_reply reply;

	is_int(mountproto_reply_mnt(&call, MOUNT_OK, &most, &reply), 0, "the longest MNT reply");
	is_int(reply.n_bytes, 24 + 4 + 4 + 64 + 4 + 8 * 4, "has room");
	free(reply.bytes);
	is_int(mountproto_handle_max(3), 64, "version 3's handles");
	is_int(mountproto_handle_max(2), 32, "version 2's handles");
}

static void test_pathconf(void)
{
	static const uint32_t values[] = { 127, 255, 255, 255, 4096, 4096, 0, 0, 0, 0 };
	struct bytes wanted = accepted(0), nothing = accepted(0);
	struct mountproto_reply reply;

	for (size_t i = 0; i < N_ELEMENTS(values); i++) {
		put(&wanted, values[i]);
		put(&nothing, 0);
	}
	is_int(mountproto_reply_pathconf(TEST_XID, true, &reply), 0, "PATHCONF");
	is_bytes(&reply, &wanted, "says Linux's limits");
	free(reply.bytes);
	is_int(mountproto_reply_pathconf(TEST_XID, false, &reply), 0, "PATHCONF of nothing");
	is_bytes(&reply, &nothing, "says nothing");
	free(reply.bytes);
}

/* ---- lists ---- */

static void test_export_list(void)
{
	static const char *const clients[] = { "192.0.2.0/24", "*.example.test" };
	struct mountproto_reply reply, again;
	struct mountproto_list list;
	struct bytes wanted = accepted(0);

	put(&wanted, 1);
	put_string(&wanted, "/srv/a");
	put(&wanted, 1);
	put_string(&wanted, "192.0.2.0/24");
	put(&wanted, 1);
	put_string(&wanted, "*.example.test");
	put(&wanted, 0);
	put(&wanted, 1);
	put_string(&wanted, "/srv/everybody");
	put(&wanted, 0);
	put(&wanted, 0);
	is_int(mountproto_list_begin(&list, 0, 8800), 0, "a list begins");
	is_int(mountproto_list_export(&list, "/srv/a", clients, 2), 0, "an export with clients");
	is_int(mountproto_list_export(&list, "/srv/everybody", NULL, 0), 0, "one without");
	is_int(mountproto_list_end(&list, &reply), 0, "it ends");
	mountproto_list_done(&list);
	is_int(mountproto_repeat(&reply, TEST_XID, 8800, &again), 0, "and is repeated");
	is_bytes(&again, &wanted, "with the caller's xid");
	free(again.bytes);

	wanted = accepted(5);
	is_int(mountproto_repeat(&reply, TEST_XID, reply.n_bytes - 1, &again), 0, "too long");
	is_bytes(&again, &wanted, "for this caller: SYSTEM_ERR");
	free(again.bytes);
	free(reply.bytes);
}

static void test_dump_list(void)
{
	struct mountproto_reply reply;
	struct mountproto_list list;
	struct bytes wanted = accepted(0);

	put(&wanted, 1);
	put_string(&wanted, "192.0.2.7");
	put_string(&wanted, "/srv/a");
	put(&wanted, 0);
	is_int(mountproto_list_begin(&list, TEST_XID, 8800), 0, "DUMP's list begins");
	is_int(mountproto_list_mount(&list, "192.0.2.7", "/srv/a"), 0, "a mount");
	is_int(mountproto_list_end(&list, &reply), 0, "it ends");
	is_bytes(&reply, &wanted, "as it should");
	free(reply.bytes);
}

static void test_unspeakable(void)
{
	char text[2000];
	const char *client = text;
	struct mountproto_reply reply;
	struct mountproto_list list;
	struct bytes wanted = accepted(0);

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	put(&wanted, 0);
	is_int(mountproto_list_begin(&list, TEST_XID, 8800), 0, "a list");
	is_int(mountproto_list_export(&list, text, NULL, 0), 0, "with a path too long");
	is_int(mountproto_list_export(&list, "/a", &client, 1), 0, "with a client too long");
	is_int(mountproto_list_mount(&list, text, "/a"), 0, "with a caller too long");
	is_int(mountproto_list_end(&list, &reply), 0, "it ends");
	is_bytes(&reply, &wanted, "empty, and does not say that everybody may mount /a");
	free(reply.bytes);
}

/* A list of just the limit passes, one byte more does not. */
static void test_list_limit(void)
{
	const size_t element = 4 + 4 + 4 + 4 + 8, limit = 24 + 100000 * element + 4;
	struct bytes wanted = accepted(5);
	struct mountproto_reply reply;

	for (int less = 0; less < 2; less++) {
		struct mountproto_list list;
		int failed = mountproto_list_begin(&list, TEST_XID, limit - (size_t)less);

		for (int i = 0; i < 100000; i++)
			failed |= mountproto_list_mount(&list, "h", "/a/b/cd");
		failed |= mountproto_list_end(&list, &reply);
		mountproto_list_done(&list);
		is_int(failed, 0, "100,000 entries are added");
		if (less)
			is_bytes(&reply, &wanted, "a byte less room: SYSTEM_ERR, not half a list");
		else
			is_int(reply.n_bytes, limit, "they fill the list to its limit");
		free(reply.bytes);
	}
}

int main(void)
{
	test_calls();
	test_long_paths();
	test_truncated();
	test_heads();
	test_credentials();
	test_garbage();
	test_refusals();
	test_mnt_replies();
	test_longest_reply();
	test_pathconf();
	test_export_list();
	test_dump_list();
	test_unspeakable();
	test_list_limit();
	return tap_done();
}
