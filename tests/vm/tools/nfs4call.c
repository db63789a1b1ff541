/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * nfs4call - what a server shows to an NFSv4.0 client (RFC 7530), name by name: handles as raw bytes,
 * file system ids, referrals, security flavours. Nothing is cached between two calls. One LOOKUP
 * a compound, as the Linux client does. NFS4ERR_DELAY is asked again.
 *
 * What the server says is printed, errors too; exit status 2 usage, 3 no answer.
 */

#include <time.h>

#include "tests/vm/tools/rpccall.h"

enum {
	COMPOUND = 1,
	OP_GETATTR = 9,
	OP_GETFH = 10,
	OP_LOOKUP = 15,
	OP_PUTFH = 22,
	OP_PUTROOTFH = 24,
	OP_READDIR = 26,
	OP_SECINFO = 33,
	NFS4ERR_MOVED = 10019,
	NFS4ERR_DELAY = 10008,
	HANDLE4_MAX = 128,
	OPS_MAX = 6,
	NAME_BYTES_MAX = 1024,
	LIST_BYTES = 32 * 1024,
	/* RPCSEC_GSS, and its services none, integrity, privacy: RFC 2203 */
	FLAVOR_GSS = 6,
};

/* Attributes, by number: RFC 7530 section 5 */
enum {
	ATTR_TYPE = 1,
	ATTR_FSID = 8,
	ATTR_RDATTR_ERROR = 11,
	ATTR_FILEHANDLE = 19,
	ATTR_FS_LOCATIONS = 24,
	ATTR_MODE = 33,
	ATTR_MOUNTED_ON_FILEID = 55,
};

struct wanted {
	uint32_t words[2];
};

struct operation {
	unsigned int number;
	const char *name; /* LOOKUP, SECINFO */
	struct wanted wanted; /* GETATTR, READDIR */
	uint64_t cookie; /* READDIR */
	char *verifier; /* READDIR: 8 bytes */
};

struct handle4 {
	char bytes[HANDLE4_MAX];
	unsigned int length;
};

struct compound {
	const struct handle4 *from; /* NULL: the root */
	struct operation operations[OPS_MAX];
	unsigned int n_operations;
	/* answers */
	unsigned int status;
	struct handle4 handle;
	char attributes[8192]; /* as text */
	uint64_t cookie;
	char verifier[8];
	bool_t eof;
};

static struct timeval timeout = { .tv_sec = 30 };
static uid_t uid;
static gid_t gid;

static struct wanted want(const int *attributes, size_t n)
{
	struct wanted wanted = { { 0 } };

	for (size_t i = 0; i < n; i++)
		wanted.words[attributes[i] / 32] |= UINT32_C(1) << (attributes[i] % 32);
	return wanted;
}

#define WANT(...)                                                                                  \
	want((const int[]){ __VA_ARGS__ }, sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

static bool has(const uint32_t words[2], int attribute)
{
	return words[attribute / 32] & UINT32_C(1) << (attribute % 32);
}

/* ---- questions ---- */

static bool_t put_wanted(XDR *xdr, struct wanted *wanted)
{
	unsigned int n = 2;

	return xdr_u_int(xdr, &n) && xdr_uint32_t(xdr, &wanted->words[0]) &&
	       xdr_uint32_t(xdr, &wanted->words[1]);
}

static bool_t put_name(XDR *xdr, const char *name)
{
	char *text = (char *)name;

	return xdr_string(xdr, &text, NAME_BYTES_MAX);
}

static bool_t put_readdir(XDR *xdr, struct operation *operation)
{
	unsigned int bytes = LIST_BYTES;

	return xdr_uint64_t(xdr, &operation->cookie) && xdr_opaque(xdr, operation->verifier, 8) &&
	       xdr_u_int(xdr, &bytes) && xdr_u_int(xdr, &bytes) &&
	       put_wanted(xdr, &operation->wanted);
}

static bool_t put_operation(XDR *xdr, struct operation *operation)
{
	if (!xdr_u_int(xdr, &operation->number))
		return FALSE;
	switch (operation->number) {
	case OP_LOOKUP:
	case OP_SECINFO: return put_name(xdr, operation->name);
	case OP_GETATTR: return put_wanted(xdr, &operation->wanted);
	case OP_READDIR: return put_readdir(xdr, operation);
	default: return TRUE;
	}
}

static bool_t put_compound(XDR *xdr, struct compound *compound)
{
	unsigned int zero = 0, n = compound->n_operations + 1;
	unsigned int first = compound->from ? OP_PUTFH : OP_PUTROOTFH;

	if (!xdr_u_int(xdr, &zero) || !xdr_u_int(xdr, &zero) || !xdr_u_int(xdr, &n) ||
	    !xdr_u_int(xdr, &first))
		return FALSE;
	if (compound->from) {
		struct handle4 from = *compound->from;
		char *bytes = from.bytes;

		if (!xdr_bytes(xdr, &bytes, &from.length, HANDLE4_MAX))
			return FALSE;
	}
	for (unsigned int i = 0; i < compound->n_operations; i++)
		if (!put_operation(xdr, &compound->operations[i]))
			return FALSE;
	return TRUE;
}

/* ---- answers ---- */

struct text {
	char *at, *end;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *text, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text->at, (size_t)(text->end - text->at), format, ap);
	va_end(ap);
	if (n < text->end - text->at)
		text->at += n;
}

static bool_t get_handle(XDR *xdr, struct handle4 *handle)
{
	char *bytes = handle->bytes;

	return xdr_bytes(xdr, &bytes, &handle->length, HANDLE4_MAX);
}

static void say_handle(struct text *text, const struct handle4 *handle)
{
	for (unsigned int i = 0; i < handle->length; i++)
		say(text, "%02x", (unsigned char)handle->bytes[i]);
}

/* Several strings, joined by a separator, each after it if it is '/'. */
static bool_t get_strings(XDR *xdr, struct text *text, char separator)
{
	unsigned int n;

	if (!xdr_u_int(xdr, &n))
		return FALSE;
	for (unsigned int i = 0; i < n; i++) {
		char buffer[NAME_BYTES_MAX + 1], *name = buffer;

		if (!xdr_string(xdr, &name, NAME_BYTES_MAX))
			return FALSE;
		if (i > 0 || separator == '/')
			say(text, "%c", separator);
		say(text, "%s", name);
	}
	return TRUE;
}

static bool_t get_locations(XDR *xdr, struct text *text)
{
	unsigned int n;

	say(text, " root=");
	if (!get_strings(xdr, text, '/') || !xdr_u_int(xdr, &n))
		return FALSE;
	for (unsigned int i = 0; i < n; i++) {
		say(text, " location=");
		if (!get_strings(xdr, text, '+'))
			return FALSE;
		say(text, ":");
		if (!get_strings(xdr, text, '/'))
			return FALSE;
	}
	return TRUE;
}

static bool_t get_number(XDR *xdr, struct text *text, const char *format)
{
	uint32_t number;

	if (!xdr_uint32_t(xdr, &number))
		return FALSE;
	/* NOLINTNEXTLINE: one of our own formats */
	say(text, " %s%u", format, number);
	return TRUE;
}

static bool_t get_fsid(XDR *xdr, struct text *text)
{
	uint64_t major, minor;

	if (!xdr_uint64_t(xdr, &major) || !xdr_uint64_t(xdr, &minor))
		return FALSE;
	say(text, " fsid=%llx:%llx", (unsigned long long)major, (unsigned long long)minor);
	return TRUE;
}

static bool_t get_filehandle(XDR *xdr, struct text *text)
{
	struct handle4 handle = { .length = 0 };

	if (!get_handle(xdr, &handle))
		return FALSE;
	say(text, " handle=");
	say_handle(text, &handle);
	return TRUE;
}

static bool_t get_attributes(XDR *xdr, struct text *text)
{
	uint32_t n, words[3] = { 0 }, length;
	uint64_t fileid;

	if (!xdr_uint32_t(xdr, &n) || n > 3)
		return FALSE;
	for (uint32_t i = 0; i < n; i++)
		if (!xdr_uint32_t(xdr, &words[i]))
			return FALSE;
	if (!xdr_uint32_t(xdr, &length))
		return FALSE;
	if (has(words, ATTR_TYPE) && !get_number(xdr, text, "type="))
		return FALSE;
	if (has(words, ATTR_FSID) && !get_fsid(xdr, text))
		return FALSE;
	if (has(words, ATTR_RDATTR_ERROR) && !get_number(xdr, text, "error="))
		return FALSE;
	if (has(words, ATTR_FILEHANDLE) && !get_filehandle(xdr, text))
		return FALSE;
	if (has(words, ATTR_FS_LOCATIONS) && !get_locations(xdr, text))
		return FALSE;
	if (has(words, ATTR_MODE) && !get_number(xdr, text, "mode="))
		return FALSE;
	if (!has(words, ATTR_MOUNTED_ON_FILEID))
		return TRUE;
	if (!xdr_uint64_t(xdr, &fileid))
		return FALSE;
	say(text, " on=%llu", (unsigned long long)fileid);
	return TRUE;
}

static bool_t get_list(XDR *xdr, struct compound *compound)
{
	bool_t more;

	if (!xdr_opaque(xdr, compound->verifier, 8))
		return FALSE;
	while (xdr_bool(xdr, &more)) {
		char attributes[2048], buffer[NAME_BYTES_MAX + 1], *name = buffer;
		struct text text = { attributes, attributes + sizeof(attributes) };

		if (!more)
			return xdr_bool(xdr, &compound->eof);
		attributes[0] = '\0';
		if (!xdr_uint64_t(xdr, &compound->cookie) ||
		    !xdr_string(xdr, &name, NAME_BYTES_MAX) || !get_attributes(xdr, &text))
			return FALSE;
		printf("  %s%s\n", name, attributes);
	}
	return FALSE;
}

static bool_t get_gss(XDR *xdr, struct text *text)
{
	char bytes[64], *oid = bytes;
	unsigned int length, quality, service;

	if (!xdr_bytes(xdr, &oid, &length, sizeof(bytes)) || !xdr_u_int(xdr, &quality) ||
	    !xdr_u_int(xdr, &service))
		return FALSE;
	say(text, " gss-%u", service);
	return TRUE;
}

static bool_t get_secinfo(XDR *xdr, struct text *text)
{
	unsigned int n, flavor;

	if (!xdr_u_int(xdr, &n))
		return FALSE;
	for (; n > 0; n--) {
		if (!xdr_u_int(xdr, &flavor))
			return FALSE;
		if (flavor == FLAVOR_GSS) {
			if (!get_gss(xdr, text))
				return FALSE;
		} else {
			say(text, " flavor-%u", flavor);
		}
	}
	return TRUE;
}

static bool_t get_operation(XDR *xdr, struct compound *compound, struct text *text)
{
	unsigned int number, status;

	if (!xdr_u_int(xdr, &number) || !xdr_u_int(xdr, &status))
		return FALSE;
	if (status != 0)
		return TRUE; /* the last one */
	switch (number) {
	case OP_GETFH: return get_handle(xdr, &compound->handle);
	case OP_GETATTR: return get_attributes(xdr, text);
	case OP_READDIR: return get_list(xdr, compound);
	case OP_SECINFO: return get_secinfo(xdr, text);
	default: return TRUE;
	}
}

static bool_t get_compound(XDR *xdr, struct compound *compound)
{
	struct text text = { compound->attributes,
			     compound->attributes + sizeof(compound->attributes) };
	unsigned int n, tag;

	compound->attributes[0] = '\0';
	if (!xdr_u_int(xdr, &compound->status) || !xdr_u_int(xdr, &tag) || tag != 0 ||
	    !xdr_u_int(xdr, &n))
		return FALSE;
	for (; n > 0; n--)
		if (!get_operation(xdr, compound, &text))
			return FALSE;
	return TRUE;
}

/* ---- the verbs ---- */

static const char *status_name(unsigned int status)
{
	static const struct {
		unsigned int status;
		const char *name;
	} names[] = {
		{ 1, "PERM" },	       { 2, "NOENT" },
		{ 5, "IO" },	       { 13, "ACCESS" },
		{ 20, "NOTDIR" },      { 22, "INVAL" },
		{ 70, "STALE" },       { NFS4ERR_DELAY, "DELAY" },
		{ 10016, "WRONGSEC" }, { NFS4ERR_MOVED, "MOVED" },
		{ 10029, "SYMLINK" },
	};
	static char number[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].status == status)
			return names[i].name;
	snprintf(number, sizeof(number), "%u", status);
	return number;
}

static void call(CLIENT *client, struct compound *compound)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	time_t end = time(NULL) + timeout.tv_sec;

	do {
		enum clnt_stat status =
			clnt_call(client, COMPOUND, (xdrproc_t)put_compound, (caddr_t)compound,
				  (xdrproc_t)get_compound, (caddr_t)compound, timeout);

		if (status != RPC_SUCCESS) {
			clnt_perror(client, "nfs4call");
			exit(3);
		}
		if (compound->status != NFS4ERR_DELAY)
			return;
		nanosleep(&pause, NULL);
	} while (time(NULL) < end);
}

static struct operation lookup(const char *name)
{
	return (struct operation){ .number = OP_LOOKUP, .name = name };
}

static const struct operation getfh = { .number = OP_GETFH };

/* A server that refers elsewhere tells only where to, RFC 7530 section 8.3.1 */
static void show_referral(CLIENT *client, const struct handle4 *from, const char *name)
{
	struct compound compound = { .from = from };

	if (name)
		compound.operations[compound.n_operations++] = lookup(name);
	compound.operations[compound.n_operations++] = (struct operation){
		.number = OP_GETATTR,
		.wanted = WANT(ATTR_FSID, ATTR_FS_LOCATIONS, ATTR_MOUNTED_ON_FILEID),
	};
	call(client, &compound);
	printf("MOVED%s%s\n", compound.status ? " " : compound.attributes,
	       compound.status ? status_name(compound.status) : "");
}

/* Returns whether it is there. */
static bool step(CLIENT *client, struct handle4 *handle, bool from_root, const char *name,
		 bool is_last)
{
	struct compound compound = { .from = from_root ? NULL : handle };

	if (name)
		compound.operations[compound.n_operations++] = lookup(name);
	compound.operations[compound.n_operations++] = getfh;
	compound.operations[compound.n_operations++] = (struct operation){
		.number = OP_GETATTR,
		.wanted = WANT(ATTR_TYPE, ATTR_FSID, ATTR_FS_LOCATIONS, ATTR_MODE,
			       ATTR_MOUNTED_ON_FILEID),
	};
	call(client, &compound);
	if (compound.status == NFS4ERR_MOVED) {
		show_referral(client, compound.from, name);
		return false;
	}
	if (compound.status != 0) {
		printf("%s\n", status_name(compound.status));
		return false;
	}
	*handle = compound.handle;
	if (is_last) {
		for (unsigned int i = 0; i < handle->length; i++)
			printf("%02x", (unsigned char)handle->bytes[i]);
		printf("%s\n", compound.attributes);
	}
	return true;
}

/* Walk down, and print what is met at the end, or what stops it. Returns whether it is there. */
static bool walk(CLIENT *client, const char *path, struct handle4 *ret_handle)
{
	char copy[PATH_LENGTH_MAX], *rest = NULL, *name;
	bool from_root = true;

	snprintf(copy, sizeof(copy), "%s", path);
	printf("%s ", path);
	name = strtok_r(copy, "/", &rest);
	if (!name)
		return step(client, ret_handle, true, NULL, true);
	while (name) {
		char *next = strtok_r(NULL, "/", &rest);

		if (!step(client, ret_handle, from_root, name, !next))
			return false;
		from_root = false;
		name = next;
	}
	return true;
}

static void list(CLIENT *client, const char *path)
{
	struct handle4 handle;
	struct compound compound = { .from = &handle };
	char verifier[8] = { 0 };
	uint64_t cookie = 0;

	if (!walk(client, path, &handle))
		return;
	do {
		compound.operations[0] = (struct operation){
			.number = OP_READDIR,
			.wanted = WANT(ATTR_TYPE, ATTR_FSID, ATTR_RDATTR_ERROR, ATTR_FILEHANDLE,
				       ATTR_MODE, ATTR_MOUNTED_ON_FILEID),
			.cookie = cookie,
			.verifier = verifier,
		};
		compound.n_operations = 1;
		call(client, &compound);
		if (compound.status != 0) {
			printf("  %s\n", status_name(compound.status));
			return;
		}
		cookie = compound.cookie;
		memcpy(verifier, compound.verifier, sizeof(verifier));
	} while (!compound.eof);
}

/* The flavours of the last name, asked in the directory before it. */
static void secinfo(CLIENT *client, const char *path)
{
	char directory[PATH_LENGTH_MAX];
	const char *name = strrchr(path, '/');
	struct handle4 handle;
	struct compound compound = { .from = &handle };

	if (!name)
		fail("no path: %s", path);
	snprintf(directory, sizeof(directory), "%.*s", (int)(name - path), path);
	if (!walk(client, directory[0] ? directory : "/", &handle))
		return;
	compound.operations[0] = (struct operation){ .number = OP_SECINFO, .name = name + 1 };
	compound.n_operations = 1;
	call(client, &compound);
	printf("%s secinfo%s%s\n", path, compound.status ? " " : compound.attributes,
	       compound.status ? status_name(compound.status) : "");
}

int main(int argc, char **argv)
{
	static char machine[] = "nfs4call";
	CLIENT *client;
	int option;

	while ((option = getopt(argc, argv, "g:t:u:")) != -1) {
		switch (option) {
		case 'g': gid = (gid_t)atoi(optarg); break;
		case 't': timeout.tv_sec = atoi(optarg); break;
		case 'u': uid = (uid_t)atoi(optarg); break;
		default: argc = 0;
		}
	}
	argv += optind;
	argc -= optind;
	if (argc < 3 || !strchr("wls", argv[0][0])) {
		fputs("usage: nfs4call [-u UID] [-g GID] [-t SECONDS] walk|list|secinfo HOST PATH...\n",
		      stderr);
		return 2;
	}
	client = rpc_client(argv[1], "2049", NFS_PROGRAM, 4, true);
	if (!client) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 3;
	}
	auth_destroy(client->cl_auth);
	client->cl_auth = authunix_create(machine, uid, gid, 0, NULL);
	for (char **path = argv + 2; *path; path++) {
		struct handle4 handle = { .length = 0 };

		switch (argv[0][0]) {
		case 'w': walk(client, *path, &handle); break;
		case 'l': list(client, *path); break;
		default: secinfo(client, *path);
		}
	}
	clnt_destroy(client);
	return fflush(stdout) == 0 ? 0 : 1;
}
