/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * nfs3call - one raw call of NFSv3 (RFC 1813) or MOUNT (its appendix I; RFC 1094 appendix A)
 * to a server, and what it answered. Caches nothing and retries nothing, so a story
 * sees what the server says, and a handle can be kept for another day.
 *
 * Exit status: 0; 1 the server answered with an error (named on standard error); 2 usage; 3 no answer.
 */

#include "tests/vm/tools/rpccall.h"

enum nfs3_procedure {
	NFS3_GETATTR = 1,
	NFS3_LOOKUP = 3,
	NFS3_READ = 6,
	NFS3_READDIR = 16,
	NFS3_READDIRPLUS = 17
};
enum mount_procedure {
	MOUNT_DUMP = 2,
	MOUNT_UMNT = 3,
	MOUNT_UMNTALL = 4,
	MOUNT_EXPORT = 5,
	MOUNT_PATHCONF = 7
};

enum { NAME_MAX_BYTES = 255, READ_BYTES = 32 * 1024, DIRECTORY_BYTES = 32 * 1024 };

static const char *nfs_port = "2049", *mount_port = "20048";
static unsigned long mount_version = 3;
static struct timeval timeout = { .tv_sec = 60 };
static uid_t uid;
static gid_t gid;

struct attributes {
	unsigned int type, mode;
	uint64_t size, fsid, fileid;
};

static const char *status_name(unsigned int status)
{
	static const struct {
		unsigned int status;
		const char *name;
	} names[] = {
		{ 1, "PERM" },	       { 2, "NOENT" },		 { 5, "IO" },
		{ 13, "ACCES" },       { 20, "NOTDIR" },	 { 22, "INVAL" },
		{ 63, "NAMETOOLONG" }, { 70, "STALE" },		 { 10001, "BADHANDLE" },
		{ 10004, "NOTSUPP" },  { 10006, "SERVERFAULT" }, { 10008, "JUKEBOX" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].status == status)
			return names[i].name;
	return "?";
}

static void need_ok(unsigned int status)
{
	if (status != 0)
		fail("error %u %s", status, status_name(status));
}

static CLIENT *open_client(const char *host, const char *port, unsigned long program,
			   unsigned long version)
{
	static char machine[] = "nfs3call";
	CLIENT *client = rpc_client(host, port, program, version, true);

	if (!client) {
		fprintf(stderr, "%s port %s: %s\n", host, port, strerror(errno));
		exit(3);
	}
	auth_destroy(client->cl_auth);
	client->cl_auth = authunix_create(machine, uid, gid, 0, NULL);
	return client;
}

static void call(CLIENT *client, unsigned int procedure, void *encode, void *arguments,
		 void *decode, void *answer)
{
	enum clnt_stat status = clnt_call(client, procedure, (xdrproc_t)encode, arguments,
					  (xdrproc_t)decode, answer, timeout);

	if (status == RPC_SUCCESS)
		return;
	clnt_perror(client, "nfs3call");
	exit(3);
}

/* ---- XDR of NFSv3 ---- */

static bool_t xdr_handle(XDR *xdr, struct handle *handle)
{
	return xdr_bytes(xdr, &handle->bytes, &handle->length, HANDLE_MAX);
}

/* fattr3, of which we keep a little */
static bool_t xdr_attributes(XDR *xdr, struct attributes *a)
{
	unsigned int skipped;
	uint64_t used;

	if (!xdr_u_int(xdr, &a->type) || !xdr_u_int(xdr, &a->mode))
		return FALSE;
	for (int i = 0; i < 3; i++) /* nlink, uid, gid */
		if (!xdr_u_int(xdr, &skipped))
			return FALSE;
	if (!xdr_uint64_t(xdr, &a->size) || !xdr_uint64_t(xdr, &used))
		return FALSE;
	for (int i = 0; i < 2; i++) /* rdev */
		if (!xdr_u_int(xdr, &skipped))
			return FALSE;
	if (!xdr_uint64_t(xdr, &a->fsid) || !xdr_uint64_t(xdr, &a->fileid))
		return FALSE;
	for (int i = 0; i < 6; i++) /* times */
		if (!xdr_u_int(xdr, &skipped))
			return FALSE;
	return TRUE;
}

static bool_t xdr_post_op_attributes(XDR *xdr)
{
	struct attributes skipped;
	bool_t follows;

	return xdr_bool(xdr, &follows) && (!follows || xdr_attributes(xdr, &skipped));
}

struct getattr_answer {
	unsigned int status;
	struct attributes attributes;
};

static bool_t xdr_getattr_answer(XDR *xdr, struct getattr_answer *answer)
{
	return xdr_u_int(xdr, &answer->status) &&
	       (answer->status != 0 || xdr_attributes(xdr, &answer->attributes));
}

struct lookup_call {
	struct handle *directory;
	char *name;
};

static bool_t xdr_lookup_call(XDR *xdr, struct lookup_call *c)
{
	return xdr_handle(xdr, c->directory) && xdr_string(xdr, &c->name, NAME_MAX_BYTES);
}

struct lookup_answer {
	unsigned int status;
	struct handle handle;
};

static bool_t xdr_lookup_answer(XDR *xdr, struct lookup_answer *answer)
{
	return xdr_u_int(xdr, &answer->status) &&
	       (answer->status != 0 || xdr_handle(xdr, &answer->handle));
}

struct read_call {
	struct handle *file;
	uint64_t offset;
	unsigned int count;
};

static bool_t xdr_read_call(XDR *xdr, struct read_call *c)
{
	return xdr_handle(xdr, c->file) && xdr_uint64_t(xdr, &c->offset) &&
	       xdr_u_int(xdr, &c->count);
}

struct read_answer {
	unsigned int status;
	bool_t eof;
	char *bytes;
	unsigned int n_bytes;
};

static bool_t xdr_read_answer(XDR *xdr, struct read_answer *answer)
{
	unsigned int count;

	if (!xdr_u_int(xdr, &answer->status) || !xdr_post_op_attributes(xdr))
		return FALSE;
	return answer->status != 0 ||
	       (xdr_u_int(xdr, &count) && xdr_bool(xdr, &answer->eof) &&
		xdr_bytes(xdr, &answer->bytes, &answer->n_bytes, READ_BYTES));
}

struct readdir_call {
	struct handle *directory;
	uint64_t cookie;
	char verifier[8];
	bool plus;
};

static bool_t xdr_readdir_call(XDR *xdr, struct readdir_call *c)
{
	unsigned int bytes = DIRECTORY_BYTES;

	return xdr_handle(xdr, c->directory) && xdr_uint64_t(xdr, &c->cookie) &&
	       xdr_opaque(xdr, c->verifier, sizeof(c->verifier)) && xdr_u_int(xdr, &bytes) &&
	       (!c->plus || xdr_u_int(xdr, &bytes));
}

/* Entries are printed as they are decoded. */
struct readdir_answer {
	bool plus;
	unsigned int status;
	char verifier[8];
	uint64_t cookie;
	bool_t eof;
};

static bool_t xdr_entry_handle(XDR *xdr)
{
	char bytes[HANDLE_MAX];
	struct handle handle = { .bytes = bytes };
	bool_t follows;

	if (!xdr_post_op_attributes(xdr) || !xdr_bool(xdr, &follows))
		return FALSE;
	if (follows && !xdr_handle(xdr, &handle))
		return FALSE;
	if (follows)
		print_handle(stdout, &handle);
	else
		putchar('-');
	putchar(' ');
	return TRUE;
}

static bool_t xdr_entry(XDR *xdr, struct readdir_answer *answer)
{
	char text[NAME_MAX_BYTES + 1], *name = text;
	uint64_t fileid;

	if (!xdr_uint64_t(xdr, &fileid) || !xdr_string(xdr, &name, NAME_MAX_BYTES) ||
	    !xdr_uint64_t(xdr, &answer->cookie))
		return FALSE;
	if (answer->plus && !xdr_entry_handle(xdr))
		return FALSE;
	puts(name);
	return TRUE;
}

static bool_t xdr_readdir_answer(XDR *xdr, struct readdir_answer *answer)
{
	bool_t more;

	if (!xdr_u_int(xdr, &answer->status) || !xdr_post_op_attributes(xdr))
		return FALSE;
	if (answer->status != 0)
		return TRUE;
	if (!xdr_opaque(xdr, answer->verifier, sizeof(answer->verifier)))
		return FALSE;
	while (xdr_bool(xdr, &more))
		if (!more)
			return xdr_bool(xdr, &answer->eof);
		else if (!xdr_entry(xdr, answer))
			return FALSE;
	return FALSE;
}

/* ---- XDR of MOUNT's lists, printed as they are decoded ---- */

static bool_t xdr_dump(XDR *xdr, void *unused)
{
	bool_t more;

	while (xdr_bool(xdr, &more)) {
		char *host = NULL, *path = NULL;

		if (!more)
			return TRUE;
		if (!xdr_string(xdr, &host, NAME_MAX_BYTES) || !xdr_path(xdr, &path))
			return FALSE;
		printf("%s %s\n", host, path);
		free(host);
		free(path);
	}
	return FALSE;
}

static bool_t xdr_groups(XDR *xdr)
{
	bool_t more;

	while (xdr_bool(xdr, &more)) {
		char *group = NULL;

		if (!more)
			return TRUE;
		if (!xdr_string(xdr, &group, NAME_MAX_BYTES))
			return FALSE;
		printf(" %s", group);
		free(group);
	}
	return FALSE;
}

static bool_t xdr_export_list(XDR *xdr, void *unused)
{
	bool_t more;

	while (xdr_bool(xdr, &more)) {
		char *path = NULL;

		if (!more)
			return TRUE;
		if (!xdr_path(xdr, &path))
			return FALSE;
		printf("%s", path);
		free(path);
		if (!xdr_groups(xdr))
			return FALSE;
		putchar('\n');
	}
	return FALSE;
}

/* ppathcnf of MOUNT version 2 */
static bool_t xdr_pathconf(XDR *xdr, void *unused)
{
	static const char *const names[] = { "link-max", "max-canon", "max-input", "name-max",
					     "path-max", "pipe-buf",  "vdisable",  NULL };
	unsigned int value, mask;

	for (int i = 0; names[i]; i++) {
		if (!xdr_u_int(xdr, &value))
			return FALSE;
		printf("%s=%u ", names[i], value);
	}
	if (!xdr_u_int(xdr, &mask) || !xdr_u_int(xdr, &value))
		return FALSE;
	printf("mask=%x,%x\n", mask, value);
	return TRUE;
}

/* ---- the verbs ---- */

static void parse_handle(const char *text, struct handle *handle)
{
	handle->length = 0;
	for (; text[0] && text[1] && handle->length < HANDLE_MAX; text += 2) {
		unsigned int byte;

		if (sscanf(text, "%2x", &byte) != 1)
			fail("bad handle");
		handle->bytes[handle->length++] = (char)byte;
	}
	if (text[0] || !handle->length)
		fail("bad handle");
}

static void do_mount(const char *verb, const char *host, char *path)
{
	char bytes[HANDLE_MAX];
	struct mnt_answer answer = { .version = (unsigned int)mount_version,
				     .handle.bytes = bytes };
	CLIENT *client = open_client(host, mount_port, MOUNT_PROGRAM, mount_version);

	if (strcmp(verb, "null") == 0) {
		call(client, 0, xdr_void, NULL, xdr_void, NULL);
	} else if (strcmp(verb, "dump") == 0) {
		call(client, MOUNT_DUMP, xdr_void, NULL, xdr_dump, NULL);
	} else if (strcmp(verb, "umntall") == 0) {
		call(client, MOUNT_UMNTALL, xdr_void, NULL, xdr_void, NULL);
	} else if (strcmp(verb, "exports") == 0) {
		call(client, MOUNT_EXPORT, xdr_void, NULL, xdr_export_list, NULL);
	} else if (strcmp(verb, "umnt") == 0) {
		call(client, MOUNT_UMNT, xdr_path, &path, xdr_void, NULL);
	} else if (strcmp(verb, "pathconf") == 0) {
		call(client, MOUNT_PATHCONF, xdr_path, &path, xdr_pathconf, NULL);
	} else {
		call(client, MOUNT_MNT, xdr_path, &path, xdr_mnt_answer, &answer);
		need_ok(answer.status);
		print_handle(stdout, &answer.handle);
		putchar('\n');
	}
	clnt_destroy(client);
}

static void do_getattr(CLIENT *client, struct handle *handle)
{
	static const char *const types[] = { "?",	  "file",    "directory", "block",
					     "character", "symlink", "socket",	  "fifo" };
	struct getattr_answer answer = { 0 };

	call(client, NFS3_GETATTR, xdr_handle, handle, xdr_getattr_answer, &answer);
	need_ok(answer.status);
	printf("%s mode=%04o size=%llu fsid=%llu fileid=%llu\n", types[answer.attributes.type & 7],
	       answer.attributes.mode, (unsigned long long)answer.attributes.size,
	       (unsigned long long)answer.attributes.fsid,
	       (unsigned long long)answer.attributes.fileid);
}

/* Walk down one name at a time, as NFSv3 clients do. */
static void lookup(CLIENT *client, struct handle *handle, char **names)
{
	for (; *names; names++) {
		char bytes[HANDLE_MAX];
		struct lookup_call arguments = { .directory = handle, .name = *names };
		struct lookup_answer answer = { .handle.bytes = bytes };

		call(client, NFS3_LOOKUP, xdr_lookup_call, &arguments, xdr_lookup_answer, &answer);
		need_ok(answer.status);
		memcpy(handle->bytes, bytes, answer.handle.length);
		handle->length = answer.handle.length;
	}
}

static void do_read(CLIENT *client, struct handle *handle)
{
	static char bytes[READ_BYTES];
	struct read_call arguments = { .file = handle, .count = READ_BYTES };
	struct read_answer answer;

	do {
		answer = (struct read_answer){ .bytes = bytes };
		call(client, NFS3_READ, xdr_read_call, &arguments, xdr_read_answer, &answer);
		need_ok(answer.status);
		fwrite(bytes, 1, answer.n_bytes, stdout);
		arguments.offset += answer.n_bytes;
	} while (!answer.eof && answer.n_bytes > 0);
}

static void do_readdir(CLIENT *client, struct handle *handle, bool plus)
{
	struct readdir_call arguments = { .directory = handle, .plus = plus };
	struct readdir_answer answer;
	unsigned int procedure = plus ? NFS3_READDIRPLUS : NFS3_READDIR;

	do {
		answer = (struct readdir_answer){ .plus = plus, .cookie = arguments.cookie };
		call(client, procedure, xdr_readdir_call, &arguments, xdr_readdir_answer, &answer);
		need_ok(answer.status);
		arguments.cookie = answer.cookie;
		memcpy(arguments.verifier, answer.verifier, sizeof(arguments.verifier));
	} while (!answer.eof);
}

static void do_nfs(const char *verb, const char *host, const char *handle_text, char **names)
{
	char bytes[HANDLE_MAX];
	struct handle handle = { .bytes = bytes };
	CLIENT *client;

	parse_handle(handle_text, &handle);
	client = open_client(host, nfs_port, NFS_PROGRAM, 3);
	lookup(client, &handle, names);
	if (strcmp(verb, "getattr") == 0) {
		do_getattr(client, &handle);
	} else if (strcmp(verb, "read") == 0) {
		do_read(client, &handle);
	} else if (strcmp(verb, "lookup") == 0) {
		print_handle(stdout, &handle);
		putchar('\n');
	} else {
		do_readdir(client, &handle, strcmp(verb, "readdirplus") == 0);
	}
	clnt_destroy(client);
}

/* All that a client sees of an export and of names in it, in one go: faults are told and gone over. */
static bool show_attributes(CLIENT *client, struct handle *handle)
{
	struct getattr_answer answer = { 0 };

	call(client, NFS3_GETATTR, xdr_handle, handle, xdr_getattr_answer, &answer);
	if (answer.status != 0) {
		printf(" error %u %s\n", answer.status, status_name(answer.status));
		return false;
	}
	printf(" type=%u mode=%04o fsid=%llu fileid=%llu\n", answer.attributes.type,
	       answer.attributes.mode, (unsigned long long)answer.attributes.fsid,
	       (unsigned long long)answer.attributes.fileid);
	return true;
}

static void show_name(CLIENT *client, struct handle *directory, char *name)
{
	char bytes[HANDLE_MAX];
	struct lookup_call arguments = { .directory = directory, .name = name };
	struct lookup_answer answer = { .handle.bytes = bytes };

	printf("  %s ", name);
	call(client, NFS3_LOOKUP, xdr_lookup_call, &arguments, xdr_lookup_answer, &answer);
	if (answer.status != 0) {
		printf("error %u %s\n", answer.status, status_name(answer.status));
		return;
	}
	print_handle(stdout, &answer.handle);
	show_attributes(client, &answer.handle);
}

static void do_show(const char *host, char *path, char **names)
{
	char bytes[HANDLE_MAX];
	struct mnt_answer answer = { .version = 3, .handle.bytes = bytes };
	CLIENT *client = open_client(host, mount_port, MOUNT_PROGRAM, 3);

	call(client, MOUNT_MNT, xdr_path, &path, xdr_mnt_answer, &answer);
	clnt_destroy(client);
	if (answer.status != 0) {
		printf("%s error %u %s\n", path, answer.status, status_name(answer.status));
		return;
	}
	printf("%s ", path);
	print_handle(stdout, &answer.handle);
	fflush(stdout);
	client = open_client(host, nfs_port, NFS_PROGRAM, 3);
	if (show_attributes(client, &answer.handle))
		for (; *names; names++)
			show_name(client, &answer.handle, *names);
	clnt_destroy(client);
}

static int usage(void)
{
	fputs("usage: nfs3call [options] mnt|umnt|pathconf HOST PATH\n"
	      "       nfs3call [options] show HOST PATH [NAME...]\n"
	      "       nfs3call [options] null|dump|umntall|exports HOST\n"
	      "       nfs3call [options] getattr|lookup|read|readdir|readdirplus HOST HANDLE [NAME...]\n"
	      "  -p PORT     of the NFS server (2049)\n"
	      "  -m PORT     of the MOUNT service (20048)\n"
	      "  -V VERSION  of MOUNT (3)\n"
	      "  -t SECONDS  to wait for an answer (60)\n"
	      "  -u UID -g GID  who asks (0)\n"
	      "NAMEs are looked up from HANDLE first, one after the other.\n",
	      stderr);
	return 2;
}

static bool is_one_of(const char *word, const char *words)
{
	size_t length = strlen(word);

	for (const char *at = strstr(words, word); at; at = strstr(at + 1, word))
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "g:m:p:t:u:V:")) != -1) {
		switch (option) {
		case 'g': gid = (gid_t)atoi(optarg); break;
		case 'm': mount_port = optarg; break;
		case 'p': nfs_port = optarg; break;
		case 't': timeout.tv_sec = atoi(optarg); break;
		case 'u': uid = (uid_t)atoi(optarg); break;
		case 'V': mount_version = strtoul(optarg, NULL, 10); break;
		default: return usage();
		}
	}
	argv += optind;
	argc -= optind;
	if (argc == 3 && is_one_of(argv[0], "mnt umnt pathconf"))
		do_mount(argv[0], argv[1], argv[2]);
	else if (argc == 2 && is_one_of(argv[0], "null dump umntall exports"))
		do_mount(argv[0], argv[1], NULL);
	else if (argc >= 3 && strcmp(argv[0], "show") == 0)
		do_show(argv[1], argv[2], argv + 3);
	else if (argc >= 3 && is_one_of(argv[0], "getattr lookup read readdir readdirplus"))
		do_nfs(argv[0], argv[1], argv[2], argv + 3);
	else
		return usage();
	return fflush(stdout) == 0 ? 0 : 1;
}
