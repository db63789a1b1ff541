/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * paths.c - questions to exported file systems.
 *
 * A long list for paths_real() goes out in chunks. A path that hangs takes its chunk with it, so a
 * chunk gets half of the time, and what it held is then asked path by path in the other half: only
 * those that hang by themselves stay without an answer.
 *
 * The second half of the file is the process's side: it blocks, and knows nothing of the first half.
 */

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <utlist.h>

#include "exportsd/paths.h"
#include "exportsd/worker.h"

enum {
	N_PROCESSES = 4,
	CHUNK_PATHS_MAX = 200,
	CHUNK_BYTES_MAX = 24 * 1024,
	UUIDS_REMEMBERED = 64, /* block devices, in one process */
	UUID_AGE_SECONDS = 60, /* and only while no mount changes */
	HANDLE_BYTES = 128, /* MAX_HANDLE_SZ */
};

struct paths {
	struct worker *worker;
	uint64_t timeout_usec;
	sd_event_source *ready_source;
	struct paths_question *questions;
};

enum kind { KIND_REAL, KIND_FACTS, KIND_WALK };

/* A run of one list's paths that was asked in one message. */
struct chunk {
	struct paths_question *question;
	struct chunk *prev, *next;
	struct worker_question *asked;
	size_t first, n;
};

struct paths_question {
	struct paths *paths;
	struct paths_question *prev, *next;
	enum kind kind;
	struct worker_question *asked; /* facts, walk */
	/* KIND_REAL */
	char **wanted;
	char **real;
	size_t n_paths;
	size_t n_started; /* paths that some chunk has, or had */
	struct chunk *chunks;
	bool ready; /* nothing was to be asked */
	paths_real_fn real_done;
	paths_facts_fn facts_done;
	paths_walk_fn walk_done;
	void *userdata;
};

/* ---- calls ---- */

static struct paths_question *question_new(struct paths *paths, enum kind kind, void *userdata)
{
	struct paths_question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	question->paths = paths;
	question->kind = kind;
	question->userdata = userdata;
	DL_APPEND(paths->questions, question);
	return question;
}

static void chunk_free(struct chunk *chunk)
{
	DL_DELETE(chunk->question->chunks, chunk);
	worker_cancel(chunk->asked);
	free(chunk);
}

static void question_free(struct paths_question *question)
{
	DL_DELETE(question->paths->questions, question);
	worker_cancel(question->asked);
	while (question->chunks)
		chunk_free(question->chunks);
	for (size_t i = 0; i < question->n_paths; i++) {
		if (question->wanted)
			free(question->wanted[i]);
		if (question->real)
			free(question->real[i]);
	}
	free(question->wanted);
	free(question->real);
	free(question);
}

void paths_cancel(struct paths_question *question)
{
	if (question)
		question_free(question);
}

/* ---- realpath of many ---- */

static void on_chunk(void *userdata, int error, const struct proto_message *answer);

static int ask_chunk(struct paths_question *question, size_t first, size_t n, uint64_t timeout_usec)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	struct proto_writer message = {};
	int r;

	if (!chunk)
		return -ENOMEM;
	chunk->question = question;
	chunk->first = first;
	chunk->n = n;
	proto_begin(&message, "real");
	for (size_t i = 0; i < n; i++)
		proto_put(&message, "path", question->wanted[first + i]);
	r = worker_ask(question->paths->worker, &message, timeout_usec, on_chunk, chunk,
		       &chunk->asked);
	proto_writer_done(&message);
	if (r < 0)
		free(chunk);
	else
		DL_APPEND(question->chunks, chunk);
	return r;
}

/* How many of the paths from @first on go into one message. */
static size_t chunk_size(const struct paths_question *question, size_t first)
{
	size_t n = 0, n_bytes = 0;

	while (first + n < question->n_paths && n < CHUNK_PATHS_MAX) {
		/* An escaped byte takes four. */
		n_bytes += 4 * strlen(question->wanted[first + n]);
		if (n && n_bytes > CHUNK_BYTES_MAX)
			break;
		n++;
	}
	return n;
}

static void finish_if_done(struct paths_question *question)
{
	if (question->chunks)
		return;
	question->real_done(question->userdata, (const char *const *)question->real,
			    question->n_paths);
	question_free(question);
}

static int take_real(struct chunk *chunk, const struct proto_message *answer)
{
	size_t n = 0;

	for (size_t i = 0; i < answer->n_fields && n < chunk->n; i++) {
		const struct proto_field *field = &answer->fields[i];

		if (!str_equal(field->key, "path"))
			continue;
		if (*field->value) {
			char *copy = strdup(field->value);

			if (!copy)
				return -ENOMEM;
			chunk->question->real[chunk->first + n] = copy;
		}
		n++;
	}
	return 0;
}

static void on_chunk(void *userdata, int error, const struct proto_message *answer)
{
	struct chunk *chunk = userdata;
	struct paths_question *question = chunk->question;

	chunk->asked = NULL;
	if (error == 0)
		(void)take_real(chunk, answer);
	else if (chunk->n > 1)
		/* One that cannot be asked for want of memory or room stays NULL, like one that fails. */
		for (size_t i = 0; i < chunk->n; i++)
			(void)ask_chunk(question, chunk->first + i, 1,
					question->paths->timeout_usec / 2);
	chunk_free(chunk);
	finish_if_done(question);
}

static int on_ready(sd_event_source *source, void *userdata)
{
	struct paths *paths = userdata;
	struct paths_question *question, *next;

	DL_FOREACH_SAFE(paths->questions, question, next)
	if (question->ready)
		break;
	if (!question)
		return 0;
	/* One a turn: a done() may cancel any other. */
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	finish_if_done(question);
	return 0;
}

int paths_real(struct paths *paths, const char *const *wanted, size_t n_paths, paths_real_fn done,
	       void *userdata, struct paths_question **ret_question)
{
	struct paths_question *question = question_new(paths, KIND_REAL, userdata);
	uint64_t timeout_usec = paths->timeout_usec / 2;
	int r = -ENOMEM;

	if (!question)
		return -ENOMEM;
	question->real_done = done;
	question->n_paths = n_paths;
	question->wanted = calloc(n_paths + 1, sizeof(char *));
	question->real = calloc(n_paths + 1, sizeof(char *));
	if (question->wanted && question->real)
		r = 0;
	for (size_t i = 0; r >= 0 && i < n_paths; i++) {
		question->wanted[i] = strdup(wanted[i]);
		if (!question->wanted[i])
			r = -ENOMEM;
	}
	for (size_t first = 0, n; r >= 0 && first < n_paths; first += n) {
		n = chunk_size(question, first);
		r = ask_chunk(question, first, n, timeout_usec);
	}
	if (r >= 0 && n_paths == 0) {
		question->ready = true;
		r = sd_event_source_set_enabled(paths->ready_source, SD_EVENT_ONESHOT);
	}
	if (r < 0)
		question_free(question);
	else if (ret_question)
		*ret_question = question;
	return r;
}

/* ---- facts and walks: one question each ---- */

static void put_hex(struct proto_writer *writer, const char *key, const uint8_t *bytes,
		    size_t n_bytes)
{
	char text[2 * HANDLE_BYTES + 1] = "";

	for (size_t i = 0; i < n_bytes && i < HANDLE_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	proto_put(writer, key, text);
}

/* Returns how many bytes there were, 0 if the key is absent. */
static size_t get_hex(const struct proto_message *message, const char *key, uint8_t *bytes,
		      size_t size)
{
	const char *text = proto_get(message, key);
	size_t n = 0;

	for (; text && text[0] && text[1] && n < size; text += 2) {
		char pair[3] = { text[0], text[1], '\0' };

		bytes[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

/* What struct stat and struct statx say alike. */
static int get_identity(const struct proto_message *answer, dev_t *ret_device, ino_t *ret_inode,
			mode_t *ret_mode)
{
	uint64_t device, inode, mode;

	if (proto_get_u64(answer, "device", UINT64_MAX, &device) < 0 ||
	    proto_get_u64(answer, "inode", UINT64_MAX, &inode) < 0 ||
	    proto_get_u64(answer, "mode", UINT32_MAX, &mode) < 0)
		return -EIO;
	*ret_device = device;
	*ret_inode = inode;
	*ret_mode = (mode_t)mode;
	return 0;
}

static int take_facts(const struct proto_message *answer, struct paths_facts *ret_facts)
{
	struct paths_facts facts = {};
	uint64_t root, type;
	int r;

	r = get_identity(answer, &facts.device, &facts.inode, &facts.mode);
	if (r < 0)
		return r;
	if (proto_get_u64(answer, "mount-root", 1, &root) < 0 ||
	    proto_get_u64(answer, "file-system", UINT32_MAX, &type) < 0)
		return -EIO;
	facts.is_mount_root = root;
	facts.file_system = (uint32_t)type;
	facts.has_block_uuid = get_hex(answer, "block-uuid", facts.block_uuid, 16);
	facts.has_statfs_uuid = get_hex(answer, "statfs-uuid", facts.statfs_uuid, 16);
	*ret_facts = facts;
	return 0;
}

static int take_walked(const struct proto_message *answer, struct paths_walked *ret_walked)
{
	struct paths_walked walked = { .handle_type = -1 };
	uint64_t type;
	int r;

	r = get_identity(answer, &walked.device, &walked.inode, &walked.mode);
	if (r < 0)
		return r;
	if (proto_get_u64(answer, "handle-type", INT32_MAX, &type) == 0) {
		walked.handle_type = (int)type;
		walked.handle_length =
			get_hex(answer, "handle", walked.handle, sizeof(walked.handle));
	}
	*ret_walked = walked;
	return 0;
}

static void on_single(void *userdata, int error, const struct proto_message *answer)
{
	struct paths_question *question = userdata;
	struct paths_facts facts;
	struct paths_walked walked;

	question->asked = NULL;
	if (question->kind == KIND_FACTS) {
		if (error == 0)
			error = take_facts(answer, &facts);
		question->facts_done(question->userdata, error, error ? NULL : &facts);
	} else {
		if (error == 0)
			error = take_walked(answer, &walked);
		question->walk_done(question->userdata, error, error ? NULL : &walked);
	}
	question_free(question);
}

static int ask_single(struct paths_question *question, struct proto_writer *message,
		      struct paths_question **ret_question)
{
	int r;

	r = worker_ask(question->paths->worker, message, question->paths->timeout_usec, on_single,
		       question, &question->asked);
	proto_writer_done(message);
	if (r < 0)
		question_free(question);
	else if (ret_question)
		*ret_question = question;
	return r;
}

int paths_facts(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		struct paths_question **ret_question)
{
	struct paths_question *question = question_new(paths, KIND_FACTS, userdata);
	struct proto_writer message = {};

	if (!question)
		return -ENOMEM;
	question->facts_done = done;
	proto_begin(&message, "facts");
	proto_put(&message, "path", path);
	return ask_single(question, &message, ret_question);
}

int paths_walk(struct paths *paths, const char *root, const char *relative,
	       const struct paths_credentials *who, paths_walk_fn done, void *userdata,
	       struct paths_question **ret_question)
{
	struct paths_question *question = question_new(paths, KIND_WALK, userdata);
	struct proto_writer message = {};

	if (!question)
		return -ENOMEM;
	question->walk_done = done;
	proto_begin(&message, "walk");
	proto_put(&message, "root", root);
	proto_put(&message, "relative", relative);
	proto_put_u64(&message, "uid", who->uid);
	proto_put_u64(&message, "gid", who->gid);
	worker_put_numbers(&message, "groups", who->groups, who->n_groups);
	return ask_single(question, &message, ret_question);
}

/* ---- the whole ---- */

int paths_new(struct paths **ret_paths, sd_event *event, uint64_t timeout_usec)
{
	struct paths *paths = calloc(1, sizeof(*paths));
	int r;

	if (!paths)
		return -ENOMEM;
	paths->timeout_usec = timeout_usec;
	r = sd_event_add_defer(event, &paths->ready_source, on_ready, paths);
	if (r >= 0)
		r = sd_event_source_set_enabled(paths->ready_source, SD_EVENT_OFF);
	if (r >= 0)
		r = worker_new(&paths->worker, event, WORKER_PATHS, N_PROCESSES, NULL);
	if (r < 0) {
		paths_free(paths);
		return r;
	}
	*ret_paths = paths;
	return 0;
}

struct paths *paths_free(struct paths *paths)
{
	if (!paths)
		return NULL;
	while (paths->questions)
		question_free(paths->questions);
	worker_free(paths->worker);
	sd_event_source_disable_unref(paths->ready_source);
	free(paths);
	return NULL;
}

void paths_fold_uuid(const char *text, size_t size, uint8_t *ret_bytes)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	memset(ret_bytes, 0, size);
	for (; *text; text++) {
		char lower = *text >= 'A' && *text <= 'F' ? (char)(*text - 'A' + 'a') : *text;
		const char *digit = strchr(digits, lower);

		if (!digit)
			continue;
		ret_bytes[n / 2 % size] ^= (uint8_t)((digit - digits) << (n % 2 ? 0 : 4));
		n++;
	}
}

/* ---- the process's side: facts ---- */

/* File systems whose device libblkid is not asked about: nfs-utils support/export/cache.c. */
static bool has_no_block_device(uint32_t type)
{
	static const uint32_t types[] = {
		0x2fc12fc1, /* zfs */
		0x9123683e, /* btrfs */
		0xff534d42, /* cifs */
		0x00001373, /* devfs */
		0x73757245, /* coda */
		0x0000564c, /* ncp */
		0x00006969, /* nfs */
		0x00009fa0, /* proc */
		0x62656572, /* sysfs */
		0x0000517b, /* smb */
		0x01021994, /* tmpfs */
	};

	for (size_t i = 0; i < N_ELEMENTS(types); i++)
		if (types[i] == type)
			return true;
	return false;
}

/* The UUID that libblkid reads from a device, unless it holds a btrfs; "" if none. */
static void probe_uuid(dev_t device, char *buffer, size_t size)
{
	CLEANUP(freep) char *name = blkid_devno_to_devname(device);
	blkid_probe probe = name ? blkid_new_probe_from_filename(name) : NULL;
	const char *value;

	buffer[0] = '\0';
	if (!probe)
		return;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID | BLKID_SUBLKS_TYPE);
	if (blkid_do_safeprobe(probe) == 0 &&
	    !(blkid_probe_lookup_value(probe, "TYPE", &value, NULL) == 0 &&
	      str_equal(value, "btrfs")) &&
	    blkid_probe_lookup_value(probe, "UUID", &value, NULL) == 0)
		snprintf(buffer, size, "%s", value);
	blkid_free_probe(probe);
}

/* Has anything been mounted or unmounted since the last call? proc(5): mountinfo polls as changed. */
static bool mounts_changed(void)
{
	static int fd = -1;
	struct pollfd poll_fd;

	if (fd < 0)
		fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	poll_fd = (struct pollfd){ .fd = fd, .events = POLLPRI };
	return poll(&poll_fd, 1, 0) != 0;
}

/* Reading a disk may take long, and one export asks often. */
static const char *device_uuid(dev_t device)
{
	static struct {
		dev_t device;
		time_t expires; /* CLOCK_MONOTONIC; 0: unused */
		char uuid[64];
	} known[UUIDS_REMEMBERED];
	static size_t next;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (mounts_changed())
		memset(known, 0, sizeof(known));
	for (size_t i = 0; i < UUIDS_REMEMBERED; i++)
		if (known[i].device == device && known[i].expires > now.tv_sec)
			return known[i].uuid;
	next = (next + 1) % UUIDS_REMEMBERED;
	known[next].device = device;
	known[next].expires = now.tv_sec + UUID_AGE_SECONDS;
	probe_uuid(device, known[next].uuid, sizeof(known[next].uuid));
	return known[next].uuid;
}

static void put_uuid(struct proto_writer *answer, const char *key, const char *text)
{
	uint8_t bytes[16];

	paths_fold_uuid(text, sizeof(bytes), bytes);
	put_hex(answer, key, bytes, sizeof(bytes));
}

static void put_uuids(struct proto_writer *answer, dev_t device, const struct statfs *fs)
{
	/* A device number of major 0 is nobody's device. */
	if (!has_no_block_device((uint32_t)fs->f_type) && major(device) != 0) {
		const char *uuid = device_uuid(device);

		if (*uuid)
			put_uuid(answer, "block-uuid", uuid);
	}
	if (fs->f_fsid.__val[0] || fs->f_fsid.__val[1]) {
		char text[17];

		snprintf(text, sizeof(text), "%08x%08x", (unsigned int)fs->f_fsid.__val[0],
			 (unsigned int)fs->f_fsid.__val[1]);
		put_uuid(answer, "statfs-uuid", text);
	}
}

/* statx(2) of an open object, without asking a server again what is cached. */
static int look_at(int fd, struct statx *ret_stx)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_BASIC_STATS,
		  ret_stx) < 0)
		return -errno;
	return 0;
}

static void put_identity(struct proto_writer *answer, const struct statx *stx)
{
	proto_put_u64(answer, "device", makedev(stx->stx_dev_major, stx->stx_dev_minor));
	proto_put_u64(answer, "inode", stx->stx_ino);
	proto_put_u64(answer, "mode", stx->stx_mode);
}

static void serve_facts(const char *path, struct proto_writer *answer)
{
	CLEANUP(closep)
	int fd = open(path, O_PATH | O_CLOEXEC); /* triggers no automount: open(2) */
	struct statfs fs;
	struct statx stx;
	int r;

	r = fd < 0 ? -errno : look_at(fd, &stx);
	if (r >= 0 && fstatfs(fd, &fs) < 0)
		r = -errno;
	if (r < 0) {
		worker_fail(answer, r, NULL);
		return;
	}
	proto_begin(answer, "ok");
	put_identity(answer, &stx);
	proto_put_u64(answer, "mount-root", !!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT));
	proto_put_u64(answer, "file-system", (uint32_t)fs.f_type);
	put_uuids(answer, makedev(stx.stx_dev_major, stx.stx_dev_minor), &fs);
}

/* ---- the process's side: walking as somebody ---- */

struct walker {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t n_groups;
};

/*
 * Take the file system's view of somebody. A file system uid other than 0 takes away the capabilities
 * that override permissions as well: capabilities(7), "Effect of user ID changes".
 */
static int become(const struct walker *walker)
{
	if (setgroups(walker->n_groups, walker->groups) < 0)
		return -errno;
	(void)setfsgid(walker->gid);
	(void)setfsuid(walker->uid);
	/* They report nothing; asked with an impossible id, they tell what is in force. */
	if ((gid_t)setfsgid((gid_t)-1) != walker->gid || (uid_t)setfsuid((uid_t)-1) != walker->uid)
		return -EPERM;
	return 0;
}

/* Root again. A process that cannot be is of no more use. */
static void become_root(void)
{
	(void)setfsuid(geteuid());
	(void)setfsgid(getegid());
	if ((uid_t)setfsuid((uid_t)-1) != geteuid() || setgroups(0, NULL) < 0)
		abort();
}

static int walk_as(int root_fd, const char *relative, const struct walker *walker)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd, r;

	r = become(walker);
	if (r >= 0) {
		fd = (int)syscall(SYS_openat2, root_fd, relative, &how, sizeof(how));
		r = fd < 0 ? -errno : fd;
	}
	become_root();
	return r;
}

static void put_handle(struct proto_writer *answer, int fd)
{
	union {
		struct file_handle handle;
		uint8_t bytes[sizeof(struct file_handle) + HANDLE_BYTES];
	} room = { .handle.handle_bytes = HANDLE_BYTES };
	int mount_id;

	if (name_to_handle_at(fd, "", &room.handle, &mount_id, AT_EMPTY_PATH) < 0 ||
	    room.handle.handle_type < 0)
		return;
	proto_put_u64(answer, "handle-type", (uint64_t)room.handle.handle_type);
	put_hex(answer, "handle", room.handle.f_handle, room.handle.handle_bytes);
}

static void walk(const char *root, const char *relative, const struct walker *walker,
		 struct proto_writer *answer)
{
	CLEANUP(closep) int root_fd = open(root, O_PATH | O_CLOEXEC);
	CLEANUP(closep) int walked_fd = -1;
	struct statx stx;
	int r;

	r = root_fd < 0 ? -errno : root_fd;
	if (r >= 0 && *relative)
		r = walked_fd = walk_as(root_fd, relative, walker);
	if (r >= 0)
		r = look_at(*relative ? walked_fd : root_fd, &stx);
	if (r < 0) {
		worker_fail(answer, r, NULL);
		return;
	}
	proto_begin(answer, "ok");
	put_identity(answer, &stx);
	put_handle(answer, *relative ? walked_fd : root_fd);
}

static void serve_walk(const struct proto_message *question, struct proto_writer *answer)
{
	const char *root = proto_get(question, "root"), *relative = proto_get(question, "relative");
	CLEANUP(freep) uint32_t *groups = NULL;
	struct walker walker = {};
	uint64_t uid = 0, gid = 0;
	int r;

	r = worker_get_numbers(question, "groups", &groups, &walker.n_groups);
	if (r >= 0)
		r = proto_get_u64(question, "uid", UINT32_MAX, &uid);
	if (r >= 0)
		r = proto_get_u64(question, "gid", UINT32_MAX, &gid);
	if (r >= 0 && (!root || !relative))
		r = -EINVAL;
	if (r < 0) {
		worker_fail(answer, r, NULL);
		return;
	}
	walker.uid = (uid_t)uid;
	walker.gid = (gid_t)gid;
	walker.groups = groups;
	walk(root, relative, &walker, answer);
}

/* ---- the process's side: realpath ---- */

static void serve_real(const struct proto_message *question, struct proto_writer *answer)
{
	proto_begin(answer, "ok");
	for (size_t i = 0; i < question->n_fields; i++)
		if (str_equal(question->fields[i].key, "path")) {
			char real[PATH_MAX];

			proto_put(answer, "path",
				  realpath(question->fields[i].value, real) ? real : "");
		}
}

void paths_serve(const struct proto_message *question, struct proto_writer *answer)
{
	const char *path = proto_get(question, "path");

	if (str_equal(question->word, "real"))
		serve_real(question, answer);
	else if (path && str_equal(question->word, "facts"))
		serve_facts(path, answer);
	else if (str_equal(question->word, "walk"))
		serve_walk(question, answer);
	else
		worker_fail(answer, -ENOSYS, NULL);
}
