/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The MOUNT service from a call's bytes to its reply's. The snapshot is real; sockets, names, paths, media, the
 * kernel and its questions are replaced, and answer at the loop's next turn what a test put there.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "exportsd/base/log.h"
#include "exportsd/base/parts.h"
#include "exportsd/config/config.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/media/media.h"
#include "exportsd/mountd/mountd.h"
#include "exportsd/mountd/mountproto.h"
#include "exportsd/mountd/rmtab_file.h"
#include "exportsd/mountd/rpc.h"
#include "exportsd/names/names.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/questions/questions.h"
#include "parser/snapshot/snapshot.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"
#include "tests/unit/rpc-words.h"

static struct config config;
static struct daemon server = { .config = &config };

/* Everything the service asked, in order: "facts /srv/a; tell * /srv/a; ". */
static char asked[4096];

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	size_t n = strlen(asked);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(asked + n, sizeof(asked) - n, format, ap);
	va_end(ap);
}

/* ---- answers that come later ---- */

struct delayed {
	struct pending pending;
	void (*fire)(struct delayed *delayed);
	void *done;
	void *userdata;
	char path[1200];
	int error;
	struct paths_walked walked;
	sd_event_source *source;
};

/* What is never answered: by the first word of the question. */
static const char *silent;

static int on_later(sd_event_source *source, void *userdata)
{
	struct delayed *delayed = userdata;

	delayed->fire(delayed);
	sd_event_source_disable_unref(delayed->source);
	free(delayed);
	return 0;
}

static unsigned int n_cancelled;

static void delayed_cancel(struct pending *pending)
{
	struct delayed *delayed = (struct delayed *)pending;

	n_cancelled++;
	sd_event_source_disable_unref(delayed->source);
	free(delayed);
}

static struct delayed *delayed_new(const char *word, const char *path,
				   void (*fire)(struct delayed *delayed), void *done,
				   void *userdata)
{
	struct delayed *delayed = calloc(1, sizeof(*delayed));

	delayed->pending.cancel = delayed_cancel;
	delayed->fire = fire;
	delayed->done = done;
	delayed->userdata = userdata;
	(void)snprintf(delayed->path, sizeof(delayed->path), "%s", path);
	note("%s %s; ", word, path);
	if (!silent || !str_equal(silent, word))
		sd_event_add_defer(server.event, &delayed->source, on_later, delayed);
	return delayed;
}

/* ---- the log ---- */

static char logged[1024];
static int logged_level;
static unsigned int n_logged;

void log_message(int level, const struct log_about *about, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(logged, sizeof(logged), format, ap);
	va_end(ap);
	logged_level = level;
	n_logged++;
}

/* ---- sockets ---- */

struct rpc_call {
	struct bytes bytes;
	struct sockaddr_storage peer;
	size_t reply_max;
	rpc_gone_fn gone;
	void *gone_userdata;
	bool is_answered, is_dropped, is_hung_up;
	uint8_t *reply;
	size_t n_reply;
};

static rpc_called_fn called;
static void *called_userdata;

int rpc_new(struct rpc **ret_rpc, sd_event *event, const struct rpc_settings *settings,
	    rpc_called_fn new_called, void *userdata)
{
	static int thing;

	called = new_called;
	called_userdata = userdata;
	*ret_rpc = (struct rpc *)&thing;
	return 0;
}

struct rpc *rpc_free(struct rpc *rpc)
{
	return NULL;
}

uint16_t rpc_port(const struct rpc *rpc)
{
	return 20048;
}

const char *rpc_netid(const struct rpc *rpc, size_t index)
{
	return NULL;
}

const uint8_t *rpc_call_bytes(const struct rpc_call *call, size_t *ret_n_bytes)
{
	*ret_n_bytes = call->bytes.n;
	return call->bytes.at;
}

const struct sockaddr *rpc_call_peer(const struct rpc_call *call)
{
	return (const struct sockaddr *)&call->peer;
}

size_t rpc_call_reply_max(const struct rpc_call *call)
{
	return call->reply_max;
}

void rpc_call_on_gone(struct rpc_call *call, rpc_gone_fn gone, void *userdata)
{
	call->gone = gone;
	call->gone_userdata = userdata;
}

void rpc_reply(struct rpc_call *call, uint8_t *bytes, size_t n_bytes)
{
	if (call->is_answered || call->is_dropped)
		ok(false, "a call is answered once");
	call->is_answered = true;
	call->reply = bytes;
	call->n_reply = n_bytes;
}

void rpc_drop(struct rpc_call *call, bool hang_up)
{
	call->is_dropped = true;
	call->is_hung_up = hang_up;
}

/* ---- names ---- */

static int names_error;
static const char *netgroup; /* the one every address is in, or NULL */
static const char *host_name; /* every address's, or NULL */
static uint32_t group_list[2];
static size_t n_group_list;

static void fire_address(struct delayed *delayed)
{
	struct snapshot_address_names known = {
		.names = &host_name,
		.n_names = host_name ? 1 : 0,
		.netgroups = &netgroup,
		.n_netgroups = netgroup ? 1 : 0,
	};

	((names_address_fn)delayed->done)(delayed->userdata, names_error, &known);
}

int names_of_address(struct names *names, const struct address *address,
		     const char *const *netgroups, size_t n_netgroups, names_address_fn done,
		     void *userdata, struct pending **ret_question)
{
	*ret_question = (void *)delayed_new("names", "", fire_address, done, userdata);
	return 0;
}

static void fire_groups(struct delayed *delayed)
{
	((names_groups_fn)delayed->done)(delayed->userdata, names_error, group_list, n_group_list);
}

int names_groups(struct names *names, uint32_t uid, names_groups_fn done, void *userdata,
		 struct pending **ret_question)
{
	*ret_question = (void *)delayed_new("groups", "", fire_groups, done, userdata);
	return 0;
}

/* ---- paths ---- */

struct file {
	const char *path;
	mode_t mode;
	dev_t device;
	bool is_mount_root;
	int error;
	const char *real;
};

static const struct file files[] = {
	{ .path = "/srv/a", .mode = S_IFDIR, .device = 1 },
	{ .path = "/srv/a/sub", .mode = S_IFDIR, .device = 1 },
	{ .path = "/srv/a/file", .mode = S_IFREG, .device = 1 },
	{ .path = "/srv/a/pipe", .mode = S_IFIFO, .device = 1 },
	{ .path = "/srv/a/secret", .mode = S_IFDIR, .device = 1, .error = -EACCES },
	{ .path = "/srv/a/broken", .mode = S_IFDIR, .device = 1, .error = -EIO },
	{ .path = "/srv/a/dead", .mode = S_IFDIR, .device = 1, .error = -ETIMEDOUT },
	{ .path = "/srv/a/file/x", .error = -ENOTDIR },
	{ .path = "/srv/a/other", .mode = S_IFDIR, .device = 2, .is_mount_root = true },
	{ .path = "/srv/x", .mode = S_IFDIR, .device = 1 },
	{ .path = "/srv/x/one", .mode = S_IFDIR, .device = 2, .is_mount_root = true },
	{ .path = "/srv/x/one/two", .mode = S_IFDIR, .device = 2 },
	{ .path = "/srv/x/one/two/three", .mode = S_IFDIR, .device = 3, .is_mount_root = true },
	{ .path = "/srv/x/one/two/three/four", .mode = S_IFDIR, .device = 3 },
	{ .path = "/srv/m", .mode = S_IFDIR, .device = 1 },
	{ .path = "/srv/tree", .mode = S_IFDIR, .device = 1 },
	{ .path = "/srv/tree/sub", .mode = S_IFDIR, .device = 1 },
	{ .path = "/srv/uuid", .mode = S_IFDIR, .device = 1 },
	{ .path = "/srv/uuid/sub", .mode = S_IFDIR, .device = 1 },
	{ .path = "/link", .real = "/srv/a/sub" },
	{ .path = "/away", .real = "/etc" },
	{ .path = "/srv/a/../a", .real = "/srv/a" },
	{ .path = "/srv/a/../../etc", .real = "/etc" },
	{ .path = "/mnt/cd/rom1", .mode = S_IFDIR, .device = 9, .is_mount_root = true },
	{ .path = "/mnt/cd/rom1/dir", .mode = S_IFDIR, .device = 9 },
};

static bool is_mounted; /* /srv/m */

static const struct file *find_file(const char *path)
{
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		if (str_equal(files[i].path, path))
			return &files[i];
	}
	return NULL;
}

static void fire_real(struct delayed *delayed)
{
	const struct file *file = find_file(delayed->path);
	const char *real = !file ? NULL : file->real ? file->real : file->mode ? file->path : NULL;

	((paths_real_fn)delayed->done)(delayed->userdata, &real, 1);
}

const char paths_unknown[] = "";

int paths_real(struct paths *paths, const char *const *wanted, size_t n_paths,
	       struct snapshot_seen *ret_seen, paths_real_fn done, void *userdata,
	       struct pending **ret_question)
{
	*ret_question = (void *)delayed_new("real", wanted[0], fire_real, done, userdata);
	return 0;
}

static void fire_facts(struct delayed *delayed)
{
	const struct file *file = find_file(delayed->path);
	struct paths_facts facts = { 0 };

	if (file)
		facts = (struct paths_facts){
			.device = file->device,
			.mode = file->mode,
			.is_mount_root = file->is_mount_root ||
					 (is_mounted && str_equal(file->path, "/srv/m")),
		};
	((paths_facts_fn)delayed->done)(delayed->userdata, file ? 0 : -ENOENT, &facts);
}

int paths_facts(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		struct pending **ret_question)
{
	*ret_question = (void *)delayed_new("facts", path, fire_facts, done, userdata);
	return 0;
}

/* Who walked last, as "uid:gid:groups". */
static char walker[256];
static int walked_handle_type;
static size_t walked_handle_length;

static void fire_walk(struct delayed *delayed)
{
	const struct file *file = find_file(delayed->path);
	struct paths_walked walked = {
		.handle_type = walked_handle_type,
		.handle_length = walked_handle_length,
	};

	if (file) {
		walked.device = file->device;
		walked.mode = file->mode;
	}
	memset(walked.handle, 0xab, walked.handle_length);
	((paths_walk_fn)delayed->done)(delayed->userdata, file ? file->error : -ENOENT, &walked);
}

int paths_walk(struct paths *paths, const char *root, const char *relative,
	       const struct paths_credentials *who, paths_walk_fn done, void *userdata,
	       struct pending **ret_question)
{
	char path[1200];
	int n = snprintf(walker, sizeof(walker), "%u:%u:", who->uid, who->gid);

	for (size_t i = 0; i < who->n_groups; i++)
		n += snprintf(walker + n, sizeof(walker) - (size_t)n, "%s%u", i ? "," : "",
			      who->groups[i]);
	(void)snprintf(path, sizeof(path), "%s/%s", root, relative);
	*ret_question = (void *)delayed_new("walk", path, fire_walk, done, userdata);
	return 0;
}

/* ---- media ---- */

static enum media_outcome media_outcome;
static int media_fd = -1;

static void fire_medium(struct delayed *delayed)
{
	struct media_mounted mounted = { .number = 70001, .root_fd = -1 };

	if (media_outcome == MEDIA_OK)
		media_fd = mounted.root_fd = open("/", O_PATH | O_CLOEXEC);
	((media_mount_fn)delayed->done)(delayed->userdata, media_outcome, &mounted, "why");
	closep(&mounted.root_fd);
}

static unsigned int n_exchanged; /* so many times there is another one when it has been walked */

bool media_is_still(struct media *media, const char *path, int root_fd)
{
	note("still? ");
	if (root_fd != media_fd || fcntl(root_fd, F_GETFD) < 0)
		ok(false, "it holds the medium");
	if (!n_exchanged)
		return true;
	n_exchanged--;
	return false;
}

static uint64_t rule_deadline_usec = 120000000;

uint64_t media_deadline_usec(struct media *media, const char *path)
{
	return rule_deadline_usec;
}

int media_mount(struct media *media, const char *path, const char *client, const char *domain,
		uint64_t timeout_usec, media_mount_fn done, void *userdata,
		struct pending **ret_request)
{
	if (timeout_usec == 0 || timeout_usec > rule_deadline_usec)
		ok(false, "media are waited for as long as their rule's deadline");
	note("(%s, %s) ", client, domain);
	*ret_request = (void *)delayed_new("medium", path, fire_medium, done, userdata);
	return 0;
}

/* ---- the kernel ---- */

static int tell_error, client_error, handle_error;

ssize_t kernel_file_handle(struct kernel *kernel, const char *domain, const char *path, size_t size,
			   uint8_t *ret_handle)
{
	note("handle %s %s %zu; ", domain, path, size);
	if (handle_error < 0)
		return handle_error;
	memset(ret_handle, 0xee, 28);
	return 28;
}

int questions_tell_client(struct questions *questions, const char *address, const char *domain)
{
	note("client %s %s; ", address, domain);
	return client_error;
}

static void fire_told(struct delayed *delayed)
{
	((questions_told_fn)delayed->done)(delayed->userdata, tell_error);
}

int questions_tell_export(struct questions *questions, const char *domain, const char *path,
			  questions_told_fn done, void *userdata, struct pending **ret_pending)
{
	*ret_pending = (void *)delayed_new("tell", path, fire_told, done, userdata);
	return 0;
}

/* ---- the exports ---- */

static const char *same_path(void *userdata, const char *path)
{
	return path;
}

static bool one_host(void *userdata, const char *name, const char **ret_canonical,
		     const struct address **ret_addresses, size_t *ret_n_addresses)
{
	static struct address address = { .family = AF_INET };

	/* Two hosts of one address would be one client. */
	inet_pton(AF_INET, str_equal(name, "host.example.test") ? "192.0.2.10" : "192.0.2.11",
		  &address.v4);
	*ret_canonical = name;
	*ret_addresses = &address;
	*ret_n_addresses = 1;
	return true;
}

static void put_in_force(const char *text)
{
	struct snapshot_facts facts = { .real_path = same_path, .host = one_host };
	struct exports_source *source;
	struct diags diags = { 0 };
	struct snapshot *old = server.snapshot;

	if (exports_read_text("exports", text, strlen(text), &diags, &source) != 0 ||
	    diags.n_errors)
		diags_print(&diags, stdout, false);
	if (snapshot_new(source, &facts, false, &diags, &server.snapshot) != 0)
		exit(EXIT_FAILURE);
	diags_done(&diags);
	mountd_again(server.mountd);
	snapshot_free(old);
}

/* ---- calling ---- */

static const char *caller = "192.0.2.7";
static uint16_t caller_port = 700;

static void turn(void)
{
	while (sd_event_run(server.event, 0) > 0)
		;
}

static struct rpc_call *call_begin(const struct bytes *bytes)
{
	struct rpc_call *call = calloc(1, sizeof(*call));
	struct sockaddr_in *v4 = (struct sockaddr_in *)&call->peer;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&call->peer;

	call->bytes = *bytes;
	call->reply_max = RPC_TCP_REPLY_MAX_BYTES;
	v4->sin_family = AF_INET;
	v4->sin_port = htons(caller_port);
	if (inet_pton(AF_INET, caller, &v4->sin_addr) != 1) {
		v6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, caller, &v6->sin6_addr);
	}
	asked[0] = '\0';
	logged[0] = '\0';
	n_logged = n_cancelled = 0;
	called(called_userdata, call);
	return call;
}

/* For 5 s at most. */
static void until_answered(const struct rpc_call *call)
{
	for (int i = 0; i < 500 && !call->is_answered; i++)
		loop_for(server.event, 10);
}

static void call_end(struct rpc_call *call)
{
	free(call->reply);
	free(call);
}

static struct bytes mnt_bytes(uint32_t version, uint32_t procedure, const char *path)
{
	struct bytes bytes = call_to(MOUNT_PROGRAM, version, procedure);

	put_unix(&bytes, 1000, 0, 2);
	if (path)
		put_string(&bytes, path);
	return bytes;
}

static uint32_t word_of(const struct rpc_call *call, size_t index)
{
	uint32_t word;

	if (call->n_reply < 4 * (index + 1))
		return UINT32_MAX;
	memcpy(&word, call->reply + 4 * index, sizeof(word));
	return ntohl(word);
}

/* MNT's status, and the handle in hex; -1: no reply yet. */
static char handle[300];

static long long status_of(const struct rpc_call *call, uint32_t version)
{
	size_t length = version == 3 ? word_of(call, 7) : 32, at = version == 3 ? 32 : 28;

	handle[0] = '\0';
	if (!call->is_answered)
		return -1;
	if (word_of(call, 0) != TEST_XID || word_of(call, 5) != 0)
		return -2;
	if (word_of(call, 6) == 0) {
		if (at + length > call->n_reply)
			return -3;
		for (size_t i = 0; i < length; i++)
			(void)snprintf(handle + 2 * i, 3, "%02x", call->reply[at + i]);
	}
	return word_of(call, 6);
}

static long long mnt_version(uint32_t version, const char *path)
{
	struct bytes bytes = mnt_bytes(version, MOUNT_MNT, path);
	struct rpc_call *call = call_begin(&bytes);
	long long status;

	turn();
	status = status_of(call, version);
	if (status == -1)
		call->gone(call->gone_userdata);
	call_end(call);
	return status;
}

static long long mnt(const char *path)
{
	return mnt_version(3, path);
}

static void call_void(uint32_t version, uint32_t procedure, const char *path, const char *what)
{
	struct bytes bytes = mnt_bytes(version, procedure, path), wanted = accepted(0);
	struct rpc_call *call = call_begin(&bytes);

	turn();
	ok(call->is_answered && call->n_reply == wanted.n &&
		   !memcmp(call->reply, wanted.at, wanted.n),
	   "%s", what);
	call_end(call);
}

/* DUMP's or EXPORT's reply as text: "a,b;c;" or "path client client;path;". */
static char list[4096];

static void text_at(const struct rpc_call *call, size_t *index, const char *before)
{
	uint32_t length = word_of(call, *index);

	(void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%.*s", before,
		       (int)length, (const char *)call->reply + 4 * (*index + 1));
	*index += 1 + (length + 3) / 4;
}

static const char *list_of(uint32_t version, uint32_t procedure)
{
	struct bytes bytes = mnt_bytes(version, procedure, NULL);
	struct rpc_call *call = call_begin(&bytes);
	size_t index = 6;

	turn();
	list[0] = '\0';
	while (word_of(call, index) == 1) {
		index++;
		text_at(call, &index, "");
		if (procedure == MOUNT_DUMP) {
			text_at(call, &index, ",");
		} else {
			while (word_of(call, index++) == 1)
				text_at(call, &index, " ");
		}
		strcat(list, ";");
	}
	if (word_of(call, index) != 0 || 4 * (index + 1) != call->n_reply)
		strcat(list, "?");
	call_end(call);
	return list;
}

/* ---- tests: plain exports ---- */

static void reset(void)
{
	silent = NULL;
	names_error = tell_error = client_error = handle_error = 0;
	netgroup = host_name = NULL;
	n_group_list = 0;
	media_outcome = MEDIA_OK;
	is_mounted = false;
	walked_handle_type = 0x81;
	walked_handle_length = 8;
	caller = "192.0.2.7";
	caller_port = 700;
	config.manage_gids = false;
	config.deadline_seconds = 120;
	config.name_timeout_seconds = 1;
	config.mount_v2 = config.mount_v3 = true;
	config.apply_root_cred = config.reverse_lookup = false;
	put_in_force("/srv/a 192.0.2.0/24(ro,fsid=103) 2001:db8::/32(ro,insecure,fsid=103)\n"
		     "/srv/x *(ro,crossmnt,fsid=7)\n"
		     "/srv/m *(ro,mountpoint,fsid=8)\n"
		     "/srv/m/deep *(ro,mountpoint=/srv/m,fsid=9)\n"
		     "/srv/tree *(ro,subtree_check,fsid=10)\n"
		     "/srv/uuid *(ro)\n"
		     "/srv/krb *(ro,fsid=11,sec=krb5:sys)\n"
		     "/srv/group @group(ro,fsid=12)\n"
		     "/srv/gone *(ro)\n"
		     "/mnt/cd/* 192.0.2.0/24(ro,mountpoint,fsid=/run/cd.sock)\n");
}

static void test_root(void)
{
	reset();
	is_int(mnt("/srv/a"), 0, "a root with a number is mounted");
	is_str(handle, "0100010067000000", "its handle is the eight bytes nfsd would make");
	is_str(asked, "names ; client 192.0.2.7 *,192.0.2.0/24; tell /srv/a; ",
	       "the kernel was told who and what, and no file system was touched");
	is_str(logged, "authenticated mount request from 192.0.2.7:700 for /srv/a (/srv/a)",
	       "it is logged");
	is_int(logged_level, LOG_INFO, "as information");
	is_int(n_logged, 1, "once");
	is_int(mnt_version(1, "/srv/a"), 0, "version 1 mounts it too");
	is_str(handle, "0100010067000000000000000000000000000000000000000000000000000000",
	       "with 32 bytes");
	is_int(mnt("//srv/./a/"), 0, "slashes and dots are nothing");
	caller = "2001:db8::7";
	caller_port = 40000;
	is_int(mnt("/srv/a"), 0, "IPv6, insecure port");
	is_str(asked, "names ; client 2001:db8::7 *,2001:db8::/32; tell /srv/a; ",
	       "and another domain");
}

static void test_refused(void)
{
	reset();
	is_int(mnt("srv/a"), 13, "a relative path");
	is_str(logged,
	       "refused mount request from 192.0.2.7:700 for srv/a: not an absolute path: "
	       "Permission denied",
	       "is logged");
	is_int(logged_level, LOG_NOTICE, "as a notice");
	is_int(mnt("/elsewhere"), 13, "what is not exported");
	is_str(logged, "refused mount request from 192.0.2.7:700 for /elsewhere: no export entry",
	       "is logged");
	is_int(mnt(""), 13, "nor is the root");
	is_str(asked, "names ; real /; ", "which an empty path is");
	is_int(mnt("/srv/group"), 13, "an export for others");
	caller_port = 1024;
	is_int(mnt("/srv/a"), 13, "an unprivileged port");
	is_str(logged,
	       "refused mount request from 192.0.2.7:1024 for /srv/a (/srv/a): "
	       "illegal port (option insecure)",
	       "is logged");
	is_int(n_logged, 1, "once");
	caller_port = 1023;
	is_int(mnt("/srv/a"), 0, "1023 is a privileged one");
	put_in_force("/srv/a 192.0.2.10(ro)\n");
	is_int(mnt("/srv/a"), 13, "nobody's address");
	is_str(logged, "refused mount request from 192.0.2.7:1023 for /srv/a: unmatched host",
	       "is logged");
}

static void test_kernel_errors(void)
{
	reset();
	tell_error = -ENOENT;
	is_int(mnt("/srv/a"), 2, "the kernel finds no such path");
	tell_error = -EINVAL;
	is_int(mnt("/srv/a"), 13, "the kernel refuses to export it");
	tell_error = -EACCES;
	is_int(mnt("/srv/a"), 13, "the answer would be no");
	tell_error = 0;
	client_error = -EINVAL;
	is_int(mnt("/srv/a"), 13, "the kernel does not take the address");
	client_error = 0;
	handle_error = -EPERM;
	is_int(mnt("/srv/uuid"), 13, "the kernel makes no handle");
	handle_error = 0;
	is_int(mnt("/srv/uuid"), 0, "the kernel makes a handle");
	is_str(handle, "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
	       "which is given");
	is_str(asked,
	       "names ; client 192.0.2.7 *,192.0.2.0/24; tell /srv/uuid; "
	       "handle *,192.0.2.0/24 /srv/uuid 64; ",
	       "after it was told");
	is_int(mnt_version(2, "/srv/uuid"), 0, "for version 2");
	ok(strstr(asked, "/srv/uuid 32; "), "it has 32 bytes");
}

static void test_mountpoint(void)
{
	reset();
	is_int(mnt("/srv/m"), 2, "option mountpoint, and nothing mounted");
	is_int(mnt("/srv/m/deep"), 2, "nor where another path must be mounted");
	is_mounted = true;
	is_int(mnt("/srv/m"), 0, "mounted");
	is_int(mnt("/srv/m/deep"), 0, "mounted there");
	silent = "facts";
	is_int(mnt("/srv/m"), -1, "a file system that does not answer delays");
	silent = NULL;
	reset();
}

/* ---- tests: below a root ---- */

static void test_below(void)
{
	reset();
	is_int(mnt("/srv/a/sub"), 0, "a subdirectory");
	is_str(handle, "0100018167000000abababababababab", "its handle is made as nfsd would");
	is_str(asked,
	       "names ; real /srv/a/sub; facts /srv/a; walk /srv/a/sub; "
	       "client 192.0.2.7 *,192.0.2.0/24; tell /srv/a; ",
	       "the kernel is told only of the root: a path below would be pinned");
	walked_handle_length = 60;
	is_int(mnt("/srv/a/sub"), 0, "a handle too long to be appended to a number");
	ok(strstr(asked, "handle *,192.0.2.0/24 /srv/a/sub 64; "), "is the kernel's business");
	walked_handle_length = 56;
	is_int(mnt("/srv/a/sub"), 0, "one that fits just so");
	is_int(strlen(handle), 128, "has 64 bytes");
	walked_handle_length = 28;
	is_int(mnt_version(2, "/srv/a/sub"), 0, "in version 2 less fits");
	ok(strstr(asked, "handle *,192.0.2.0/24 /srv/a/sub 32; "), "and the kernel is asked");
	walked_handle_length = 8;
	walked_handle_type = -1;
	is_int(mnt("/srv/a/sub"), 0, "a file system without handles of its own");
	ok(strstr(asked, "handle "), "is the kernel's business");
	walked_handle_type = 1;
	is_int(mnt("/srv/tree/sub"), 0, "subtree_check");
	ok(strstr(asked, "handle "), "is the kernel's business, too");
	is_int(mnt("/srv/uuid/sub"), 0, "so is an export without a number");
	ok(strstr(asked, "tell /srv/uuid; handle *,192.0.2.0/24 /srv/uuid/sub 64; "),
	   "of whose root it was told");
}

static void test_walk_errors(void)
{
	reset();
	is_int(mnt("/srv/a/file"), 0, "a file is mounted");
	is_int(mnt("/srv/a/pipe"), 20, "a pipe is not");
	is_int(mnt("/srv/a/none"), 2, "nor what is not there");
	is_int(mnt("/srv/a/secret"), 13, "nor what the caller may not enter");
	is_int(mnt("/srv/a/broken"), 5, "nor what cannot be read");
	is_int(mnt("/srv/a/dead"), 10006, "what does not answer may answer later");
	is_int(mnt_version(1, "/srv/a/dead"), 5, "which version 1 calls EIO");
	is_int(mnt("/srv/a/file/x"), 20, "nothing is below a file");
	is_int(mnt("/srv/a/other"), 13, "another file system needs crossmnt");
	is_int(mnt("/srv/gone/sub"), 2, "an export that is not there");
	is_int(mnt("/srv/gone"), 0, "whose root is the kernel's to miss");
}

static void test_links(void)
{
	reset();
	is_int(mnt("/link"), 0, "a symbolic link into an export");
	is_str(handle, "0100018167000000abababababababab", "leads there");
	is_str(logged, "authenticated mount request from 192.0.2.7:700 for /srv/a/sub (/srv/a)",
	       "and is logged by its real name");
	is_int(mnt("/away"), 13, "one out of them does not");
	is_int(mnt("/srv/a/../a"), 0, "dots are followed");
	is_int(mnt("/srv/a/../../etc"), 13, "wherever they lead");
	is_int(mnt("/srv/a/none/.."), 2, "if they lead somewhere");
	is_int(mnt("/mnt/cd/rom1/.."), 2, "and never up from a medium");
	ok(!strstr(asked, "medium"), "nor is that loaded");
}

static void test_crossing(void)
{
	reset();
	is_int(mnt("/srv/x/one/two/three/four"), 0, "crossmnt, through two file systems");
	is_str(asked,
	       "names ; real /srv/x/one/two/three/four; facts /srv/x; walk /srv/x/one/two/three/four; "
	       "client 192.0.2.7 *,192.0.2.0/24; tell /srv/x; facts /srv/x/one; tell /srv/x/one; "
	       "facts /srv/x/one/two; facts /srv/x/one/two/three; tell /srv/x/one/two/three; "
	       "facts /srv/x/one/two/three/four; handle *,192.0.2.0/24 /srv/x/one/two/three/four 64; ",
	       "the kernel is told of both");
}

static void test_credentials(void)
{
	reset();
	(void)mnt("/srv/a/sub");
	is_str(walker, "1000:65534:100,101", "root_squash squashes the caller's gid 0");
	put_in_force("/srv/a *(ro,no_root_squash)\n");
	(void)mnt("/srv/a/sub");
	is_str(walker, "1000:0:100,101", "no_root_squash does not");
	put_in_force("/srv/a *(ro,all_squash,anonuid=5,anongid=6)\n");
	(void)mnt("/srv/a/sub");
	is_str(walker, "5:6:", "all_squash makes the caller anonymous, without groups");
	put_in_force("/srv/a *(ro,fsid=3)\n");
	config.manage_gids = true;
	n_group_list = 2;
	group_list[0] = 0;
	group_list[1] = 27;
	(void)mnt("/srv/a/sub");
	is_str(walker, "1000:65534:65534,27", "manage-gids: this host's groups, squashed");
	n_group_list = 0;
	(void)mnt("/srv/a/sub");
	is_str(walker, "1000:65534:100,101", "whom this host does not know keeps the call's");
	names_error = -ETIMEDOUT;
	is_int(mnt("/srv/a/sub"), 10006, "a silent name service may answer later");
	config.apply_root_cred = true;
	is_int(mnt("/srv/a/sub"), 0, "apply-root-cred: nobody's groups matter");
	is_str(walker, "0:0:", "root looks");
}

static void test_nobody(void)
{
	struct bytes bytes = call_to(MOUNT_PROGRAM, 3, MOUNT_MNT);
	struct rpc_call *call;

	reset();
	config.manage_gids = true;
	put_nobody(&bytes);
	put_string(&bytes, "/srv/a/sub");
	call = call_begin(&bytes);
	turn();
	is_int(status_of(call, 3), 0, "AUTH_NONE");
	is_str(walker, "65534:65534:", "is anonymous");
	ok(!strstr(asked, "groups"), "and nobody's groups are not asked for");
	call_end(call);
}

static void test_flavors(void)
{
	struct bytes bytes = mnt_bytes(3, MOUNT_MNT, "/srv/krb");
	struct rpc_call *call;

	reset();
	call = call_begin(&bytes);
	turn();
	is_int(word_of(call, 10), 2, "two flavours");
	is_int(word_of(call, 11), 390003, "in their order: krb5");
	is_int(word_of(call, 12), 1, "and sys");
	call_end(call);
	bytes = mnt_bytes(3, MOUNT_MNT, "/srv/a");
	put_in_force("/srv/a *(ro,fsid=1,sec=none)\n");
	call = call_begin(&bytes);
	turn();
	is_int(word_of(call, 10), 1, "none is not named");
	is_int(word_of(call, 11), 1, "sys is, then");
	call_end(call);
}

/* ---- tests: media ---- */

static void test_media(void)
{
	reset();
	is_int(mnt("/mnt/cd/rom1"), 0, "a medium is mounted");
	is_str(handle, "0100010071110100", "its handle is its number");
	is_str(asked,
	       "names ; (192.0.2.7, *,192.0.2.0/24) medium /mnt/cd/rom1; "
	       "client 192.0.2.7 *,192.0.2.0/24; tell /mnt/cd/rom1; ",
	       "it was loaded, then the kernel told");
	is_int(fcntl(media_fd, F_GETFD), -1, "it is let go of afterwards");
	is_int(mnt("/mnt/cd/rom1/dir"), 0, "a directory of a medium");
	is_str(handle, "0100018171110100abababababababab", "has a handle of the same number");
	n_exchanged = 1;
	is_int(mnt("/mnt/cd/rom1/dir"), 0, "exchanged while its path was walked");
	is_int(n_exchanged, 0, "which is noticed,");
	ok(strstr(asked, "still? names ; "), "all is asked anew");
	is_str(handle, "0100018171110100abababababababab", "and has a handle");
	is_int(mnt("/mnt/cd"), 13, "what lies above is a pseudo-root, and not for NFSv3");
	media_outcome = MEDIA_NOENT;
	is_int(mnt("/mnt/cd/rom2"), 2, "there is no such medium");
	is_str(logged,
	       "refused mount request from 192.0.2.7:700 for /mnt/cd/rom2 (/mnt/cd/rom2): "
	       "there is no such medium: why",
	       "which is logged");
	media_outcome = MEDIA_DENIED;
	is_int(mnt("/mnt/cd/rom1"), 13, "its handler denies it");
	media_outcome = MEDIA_ERROR;
	is_int(mnt("/mnt/cd/rom1"), 5, "it is broken");
	media_outcome = MEDIA_TIMED_OUT;
	is_int(mnt("/mnt/cd/rom1"), 10006, "it takes too long");
	is_int(mnt_version(1, "/mnt/cd/rom1"), 5, "which version 1 calls EIO");
	caller_port = 5000;
	is_int(mnt("/mnt/cd/rom1"), 13, "the port is looked at first");
	ok(!strstr(asked, "medium"), "so that nothing is loaded for nothing");
}

static void test_waiting(void)
{
	struct bytes bytes = mnt_bytes(3, MOUNT_MNT, "/mnt/cd/rom1");
	struct rpc_call *call;

	reset();
	silent = "medium";
	call = call_begin(&bytes);
	turn();
	is_int(status_of(call, 3), -1, "a medium that is loading is waited for");
	is_int(mnt("/srv/a"), 0, "others go on meanwhile");
	n_cancelled = 0;
	call->gone(call->gone_userdata);
	is_int(n_cancelled, 1, "when its caller is gone, the request is taken back");
	call_end(call);

	config.deadline_seconds = 1;
	silent = "tell";
	bytes = mnt_bytes(3, MOUNT_MNT, "/srv/a");
	call = call_begin(&bytes);
	until_answered(call);
	is_int(status_of(call, 3), 10006, "nothing is waited for longer than the deadline");
	call_end(call);
	config.deadline_seconds = 120;

	silent = "medium";
	rule_deadline_usec = 500000;
	bytes = mnt_bytes(3, MOUNT_MNT, "/mnt/cd/disc1");
	call = call_begin(&bytes);
	until_answered(call);
	is_int(status_of(call, 3), 10006,
	       "a medium is waited for until its rule's deadline is over");
	call_end(call);
	rule_deadline_usec = 120000000;
}

static void test_reload(void)
{
	struct bytes bytes = mnt_bytes(3, MOUNT_MNT, "/srv/a/sub");
	struct rpc_call *call;

	reset();
	silent = "walk";
	call = call_begin(&bytes);
	turn();
	is_int(status_of(call, 3), -1, "a walk takes its time");
	silent = NULL;
	put_in_force("/srv/a *(ro,no_root_squash,fsid=200)\n");
	turn();
	is_int(status_of(call, 3), 0, "a reload begins it anew");
	is_str(handle, "01000181c8000000abababababababab", "with the new number");
	is_str(walker, "1000:0:100,101", "and the new squashing");
	call_end(call);

	silent = "walk";
	call = call_begin(&bytes);
	turn();
	silent = NULL;
	put_in_force("/srv/b *(ro)\n");
	turn();
	is_int(status_of(call, 3), 13, "or ends it");
	call_end(call);
}

static void test_silent_names(void)
{
	reset();
	names_error = -ETIMEDOUT;
	is_int(mnt("/srv/a"), 0, "the name service is silent, the address alone is enough");
	is_str(asked, "names ; ", "but the kernel is not told half of the truth");
	is_int(mnt("/srv/uuid"), 0, "unless a handle is needed of it");
	put_in_force("/srv/group @group(ro,fsid=12)\n");
	is_int(mnt("/srv/group"), 10006, "the address is not enough: it may work later");
	names_error = 0;
	is_int(mnt("/srv/group"), 13, "it is not in the group");
	netgroup = "group";
	is_int(mnt("/srv/group"), 0, "it is");
}

/* ---- tests: lists ---- */

static void test_dump(void)
{
	reset();
	call_void(3, MOUNT_UMNTALL, NULL, "UMNTALL says nothing");
	caller = "2001:db8::7";
	caller_port = 40000;
	call_void(3, MOUNT_UMNTALL, NULL, "to anybody");
	is_str(list_of(3, MOUNT_DUMP), "", "nobody has mounted anything");
	(void)mnt("/srv/a");
	caller = "192.0.2.7";
	caller_port = 700;
	(void)mnt("/srv/a/sub");
	(void)mnt("//link/");
	(void)mnt("/srv/a/none");
	is_str(list_of(1, MOUNT_DUMP), "192.0.2.7,/link;192.0.2.7,/srv/a/sub;2001:db8::7,/srv/a;",
	       "what was mounted, newest first, as it was asked for");
	call_void(3, MOUNT_UMNT, "/link", "UMNT says nothing");
	call_void(1, MOUNT_UMNT, "/srv/a", "not even when it was somebody else's");
	is_str(list_of(3, MOUNT_DUMP), "192.0.2.7,/srv/a/sub;2001:db8::7,/srv/a;",
	       "only the caller's own is forgotten");
	(void)mnt("/srv/a");
	call_void(3, MOUNT_UMNTALL, NULL, "UMNTALL");
	is_str(list_of(2, MOUNT_DUMP), "2001:db8::7,/srv/a;", "forgets all of the caller's");
}

/* reverse-lookup */
/* The file is read beside the loop: what asks for the list waits until it is. */
static void start_again(void)
{
	struct bytes dump = mnt_bytes(3, MOUNT_DUMP, NULL), null = mnt_bytes(3, MOUNT_NULL, NULL);
	struct rpc_call *early[3], *other;

	is_int(mountd_new(&server.mountd, &server), 0, "the service starts again");
	for (size_t i = 0; i < N_ELEMENTS(early); i++)
		early[i] = call_begin(&dump);
	other = call_begin(&null);
	ok(other->is_answered, "who does not ask for the list is answered");
	ok(!early[0]->is_answered, "who does waits until the file is read");
	early[1]->gone(early[1]->gone_userdata);
	until_answered(early[0]);
	ok(early[0]->is_answered && early[2]->is_answered, "and is answered then");
	ok(!early[1]->is_answered, "who has gone is not");
	for (size_t i = 0; i < N_ELEMENTS(early); i++)
		call_end(early[i]);
	call_end(other);
}

static void test_dump_by_name(void)
{
	struct bytes bytes = mnt_bytes(3, MOUNT_DUMP, NULL);
	struct rpc_call *call, *other;

	reset();
	config.reverse_lookup = true;
	host_name = "seven.example.test";
	caller = "192.0.2.9";
	(void)mnt("/srv/a");
	is_str(list_of(3, MOUNT_DUMP), "seven.example.test,/srv/a;seven.example.test,/srv/a;",
	       "clients by name");
	host_name = NULL;
	is_str(list_of(3, MOUNT_DUMP), "192.0.2.9,/srv/a;2001:db8::7,/srv/a;",
	       "who has none stays an address");
	silent = "names";
	call = call_begin(&bytes);
	is_str(asked, "names ; names ; ", "a silent name service is asked");
	other = call_begin(&bytes);
	turn();
	is_str(asked, "", "and not again for another caller");
	ok(!call->is_answered && !other->is_answered, "who wait");
	call->gone(call->gone_userdata);
	other->gone(other->gone_userdata);
	call_end(call);
	call_end(other);
	call = call_begin(&bytes);
	until_answered(call);
	ok(call->is_answered, "but not for ever");
	call_end(call);
	call = call_begin(&bytes);
	server.mountd = mountd_free(server.mountd);
	ok(call->is_dropped, "nor beyond the end");
	call_end(call);
	start_again();
	silent = NULL;
	caller = "192.0.2.9";
	call_void(3, MOUNT_UMNTALL, NULL, "UMNTALL");
}

static bool is_empty(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && st.st_size == 0;
}

/* A directory is in the way of its next version. */
static void test_rmtab_unwritable(const char *file)
{
	struct stat before = { 0 }, st;
	char temporary[310];

	(void)snprintf(temporary, sizeof(temporary), "%s.tmp", file);
	(void)stat(file, &before);
	ok(mkdir(temporary, 0700) == 0, "rmtab cannot be written");
	caller = "2001:db8::7";
	call_void(3, MOUNT_UMNTALL, NULL, "UMNTALL");
	loop_for(server.event, 6000);
	ok(stat(file, &st) == 0 && st.st_size == before.st_size && st.st_size > 0,
	   "the old one stays");
	(void)rmdir(temporary);
	for (int i = 0; i < 300 && !is_empty(file); i++)
		loop_for(server.event, 100);
	ok(is_empty(file), "and is written when it can be, though nothing else has changed");
}

static void test_rmtab_file(void)
{
	char file[300];

	reset();
	server.mountd = mountd_free(server.mountd);
	(void)snprintf(file, sizeof(file), "%s/rmtab", config.state_directory);
	is_int(access(file, R_OK), 0, "the list is kept in a file");
	start_again();
	is_str(list_of(3, MOUNT_DUMP), "2001:db8::7,/srv/a;", "and knows who mounted what");
	is_int(mountd_port(server.mountd), 20048, "at the same port");
	test_rmtab_unwritable(file);
}

static void test_exports(void)
{
	reset();
	put_in_force("/srv/b *(ro)\n"
		     "/srv/a @group(ro) 192.0.2.0/24(rw) host.example.test(rw)\n"
		     "/srv/c *.example.test(ro) other.example.org(ro) host.example.test(ro)\n"
		     "/srv/d 192.0.2.9(ro) *(ro)\n"
		     "/mnt/cd/* @hosts(ro,mountpoint,fsid=/run/cd.sock)\n");
	is_str(list_of(3, MOUNT_EXPORT),
	       "/mnt/cd/* @hosts;/srv/a 192.0.2.0/24 @group;/srv/b *;"
	       "/srv/c other.example.org *.example.test;/srv/d;",
	       "paths in order; covered hosts left out; everybody beside others is an empty list");
	is_str(list_of(1, MOUNT_EXPORTALL), list, "EXPORTALL is the same");
	put_in_force("/srv/z *(ro)\n");
	is_str(list_of(3, MOUNT_EXPORT), "/srv/z *;", "a reload is noticed");
}

static void test_exports_and_netgroups(void)
{
	struct bytes bytes = mnt_bytes(3, MOUNT_EXPORT, NULL);
	struct rpc_call *call;
	static const char exports[] = "/srv/a @group(ro) host.example.test(rw)\n"
				      "/srv/b @other(ro) host.example.test(rw)\n"
				      "/srv/c host.example.test(rw)\n";

	reset();
	netgroup = "group";
	put_in_force(exports);
	is_str(list_of(3, MOUNT_EXPORT),
	       "/srv/a @group;/srv/b host.example.test @other;/srv/c host.example.test;",
	       "a host that its path's netgroup holds is left out");
	is_str(asked, "names ; ", "the name service was asked about it, once");
	(void)list_of(3, MOUNT_EXPORT);
	is_str(asked, "", "and not for the next caller");
	silent = "names";
	put_in_force(exports);
	call = call_begin(&bytes);
	turn();
	ok(!call->is_answered, "a silent name service is waited for");
	put_in_force("/srv/z *(ro)\n");
	turn();
	ok(call->is_answered, "unless a reload has other exports");
	call_end(call);
	put_in_force(exports);
	call = call_begin(&bytes);
	until_answered(call);
	ok(call->is_answered, "or the time is over");
	call_end(call);
}

static void test_many_exports(void)
{
	struct bytes bytes = mnt_bytes(3, MOUNT_EXPORT, NULL);
	struct rpc_call *call;
	size_t size;
	char *text;
	FILE *memory = open_memstream(&text, &size);

	for (int i = 0; i < 100000; i++)
		fprintf(memory, "/srv/e/%05d 192.0.2.0/24(ro,fsid=%d)\n", i, i + 1);
	fclose(memory);
	put_in_force(text);
	free(text);
	call = call_begin(&bytes);
	is_int(word_of(call, 5), 0, "100,000 exports fit");
	is_int(call->n_reply, 24 + 100000 * (4 + 4 + 12 + 4 + 4 + 12 + 4) + 4, "into one reply");
	call_end(call);
	call = calloc(1, sizeof(*call));
	call->bytes = bytes;
	call->peer.ss_family = AF_INET;
	call->reply_max = RPC_UDP_REPLY_MAX_BYTES;
	called(called_userdata, call);
	is_int(word_of(call, 5), 5, "but not into a datagram: SYSTEM_ERR");
	call_end(call);
}

/* ---- tests: the rest ---- */

static void test_pathconf(void)
{
	struct bytes bytes = mnt_bytes(2, MOUNT_PATHCONF, "/srv/a");
	struct rpc_call *call;

	reset();
	call = call_begin(&bytes);
	turn();
	is_int(word_of(call, 9), 255, "PATHCONF says how long names are");
	is_str(asked, "names ; ", "touching nothing");
	call_end(call);
	bytes = mnt_bytes(2, MOUNT_PATHCONF, "/elsewhere");
	call = call_begin(&bytes);
	turn();
	is_int(word_of(call, 9), 0, "and nothing about what is not exported");
	is_int(n_logged, 0, "which is not worth a line");
	call_end(call);
}

static void test_other_calls(void)
{
	struct bytes bytes = { .n = 8 };
	struct rpc_call *call;

	reset();
	call_void(1, MOUNT_NULL, NULL, "NULL");
	call_void(3, MOUNT_NULL, NULL, "NULL of version 3");
	call = call_begin(&bytes);
	ok(call->is_dropped && call->is_hung_up, "what is no call costs its connection");
	call_end(call);
	bytes = mnt_bytes(4, MOUNT_MNT, "/srv/a");
	call = call_begin(&bytes);
	is_int(word_of(call, 5), 2, "version 4: PROG_MISMATCH");
	is_int(word_of(call, 6), 1, "from 1");
	is_int(word_of(call, 7), 3, "to 3");
	call_end(call);
	config.mount_v2 = false;
	bytes = mnt_bytes(1, MOUNT_MNT, "/srv/a");
	call = call_begin(&bytes);
	is_int(word_of(call, 5), 2, "mount-v2 off, version 1: PROG_MISMATCH");
	is_int(word_of(call, 6), 3, "from 3");
	is_int(word_of(call, 7), 3, "to 3");
	call_end(call);
	is_int(mnt("/srv/a"), 0, "version 3 is served");
	config.mount_v2 = true;
	config.mount_v3 = false;
	bytes = mnt_bytes(3, MOUNT_MNT, "/srv/a");
	call = call_begin(&bytes);
	is_int(word_of(call, 6), 1, "mount-v3 off, version 3: from 1");
	is_int(word_of(call, 7), 2, "to 2");
	call_end(call);
	is_int(mnt_version(2, "/srv/a"), 0, "version 2 is served");
}

static void test_end(void)
{
	struct bytes bytes = mnt_bytes(3, MOUNT_MNT, "/mnt/cd/rom1");
	struct rpc_call *call;

	reset();
	silent = "medium";
	call = call_begin(&bytes);
	turn();
	server.mountd = mountd_free(server.mountd);
	ok(call->is_dropped && !call->is_hung_up, "at the end what waits is left unanswered");
	is_int(n_cancelled, 1, "and taken back");
	call_end(call);
}

int main(int argc, char **argv)
{
	char directory[] = "/tmp/test-mountd-XXXXXX", file[300];
	sigset_t signals;

	if (argc > 4 && str_equal(argv[1], "--worker"))
		return rmtab_file_serve(atoi(argv[3]), argv[4]) < 0;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	config.state_directory = config.nfs_state_directory = mkdtemp(directory);
	sd_event_new(&server.event);
	is_int(mountd_new(&server.mountd, &server), 0, "the service starts");
	test_root();
	test_refused();
	test_kernel_errors();
	test_mountpoint();
	test_below();
	test_walk_errors();
	test_links();
	test_crossing();
	test_credentials();
	test_nobody();
	test_flavors();
	test_media();
	test_waiting();
	test_reload();
	test_silent_names();
	test_dump();
	test_dump_by_name();
	test_rmtab_file();
	test_exports();
	test_exports_and_netgroups();
	test_many_exports();
	test_pathconf();
	test_other_calls();
	test_end();
	snapshot_free(server.snapshot);
	sd_event_unref(server.event);
	(void)snprintf(file, sizeof(file), "%s/rmtab", directory);
	(void)unlink(file);
	(void)rmdir(directory);
	return tap_done();
}
