/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * paths_serve.c - exported file systems, asked by a process that may block.
 */

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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

#include "exportsd/fs/junction.h"
#include "exportsd/fs/paths.h"
#include "exportsd/worker/worker.h"
#include "parser/escape.h"

enum {
	UUIDS_REMEMBERED = 64, /* block devices, in one process */
	UUID_AGE_SECONDS = 60, /* and only while no mount changes */
	HANDLE_BYTES = 128, /* MAX_HANDLE_SZ */
	INODE_BYTES = 1 + 16 + 1, /* " ffffffffffffffff" */
	SAME_BYTES = 4096,
	RENAMED_MAX = 32, /* times that a walk beneath rootdir begins anew */
};

/* ---- where paths lie ---- */

static const char *rootdir; /* NULL: / */
static int rootdir_fd = -1;

int paths_serve_beneath(const char *path)
{
	rootdir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootdir_fd < 0)
		return -errno;
	rootdir = path;
	return 0;
}

/* Triggers no automount: open(2). Returns a descriptor or -errno. */
static int open_path(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	int fd;

	if (!rootdir) {
		fd = open(path, O_PATH | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	/*
	 * EAGAIN: somebody renames or mounts beneath it at this moment, and ".." may have led out
	 * (openat2(2)).
	 */
	for (unsigned int tries = 0; tries < RENAMED_MAX; tries++) {
		fd = (int)syscall(SYS_openat2, rootdir_fd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : fd;
}

/* ---- facts ---- */

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

/*
 * Has anything been mounted or unmounted since the last call? proc(5): mountinfo polls as changed.
 */
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

static void put_hex(struct proto_writer *writer, const char *key, const void *bytes, size_t n_bytes)
{
	CLEANUP(freep) char *text = escape_hex(bytes, n_bytes);

	if (text)
		proto_put(writer, key, text);
	else
		writer->error = -ENOMEM;
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

/* @of_junction: only of one, and where it leads to */
static void serve_facts(const char *path, bool of_junction, struct proto_writer *answer)
{
	CLEANUP(freep) char *locations = NULL;
	CLEANUP(closep)
	int fd = open_path(path);
	struct statfs fs;
	struct statx stx;
	int r;

	r = fd < 0 ? fd : look_at(fd, &stx);
	if (r >= 0 && fstatfs(fd, &fs) < 0)
		r = -errno;
	if (r >= 0 && of_junction)
		r = junction_read(fd, &locations);
	if (r == JUNCTION_NONE && of_junction)
		r = -ENODATA;
	if (r < 0) {
		worker_fail(answer, r, NULL);
		return;
	}
	proto_begin(answer, "ok");
	put_identity(answer, &stx);
	if (locations)
		proto_put(answer, "locations", locations);
	proto_put_u64(answer, "mount-root", !!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT));
	proto_put_u64(answer, "file-system", (uint32_t)fs.f_type);
	put_uuids(answer, makedev(stx.stx_dev_major, stx.stx_dev_minor), &fs);
}

/* ---- walking as somebody ---- */

struct walker {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t n_groups;
};

/*
 * Take the file system's view of somebody. A file system uid other than 0 takes away the
 * capabilities that override permissions as well: capabilities(7), "Effect of user ID changes".
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
	CLEANUP(closep) int root_fd = open_path(root);
	CLEANUP(closep) int walked_fd = -1;
	struct statx stx;
	int r;

	r = root_fd;
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

/* ---- realpath ---- */

/* The directory that lies there; all 0: it is none, or nobody can tell. */
static struct snapshot_seen directory_at(int fd, const char *path, int flags)
{
	struct statx stx;

	if (statx(fd, path, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO,
		  &stx) < 0 ||
	    !S_ISDIR(stx.stx_mode))
		return (struct snapshot_seen){ 0 };
	return (struct snapshot_seen){ .device = makedev(stx.stx_dev_major, stx.stx_dev_minor),
				       .inode = stx.stx_ino };
}

/* Beneath rootdir: where it is on the host, without rootdir. */
static int real_path_beneath(const char *path, char buffer[PATH_MAX],
			     struct snapshot_seen *ret_seen)
{
	CLEANUP(closep) int fd = open_path(path);
	char link[32], real[PATH_MAX];
	size_t n_root = strlen(rootdir);
	ssize_t n;

	if (fd < 0)
		return fd;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real) - 1);
	if (n < 0)
		return -errno;
	real[n] = '\0';
	if (strncmp(real, rootdir, n_root) != 0 || (real[n_root] != '/' && real[n_root] != '\0'))
		return -ENOENT; /* rootdir was moved */
	(void)strcpy(buffer, real[n_root] ? real + n_root : "/");
	*ret_seen = directory_at(fd, "", AT_EMPTY_PATH);
	return 0;
}

static int real_path(const char *path, char buffer[PATH_MAX], struct snapshot_seen *ret_seen)
{
	if (rootdir)
		return real_path_beneath(path, buffer, ret_seen);
	if (!realpath(path, buffer))
		return -errno;
	*ret_seen = directory_at(AT_FDCWD, buffer, 0);
	return 0;
}

/* The directory of the last path whose directory is what it is written as. */
struct real_directory {
	char text[PATH_MAX]; /* with its slash at the end; "": none */
	size_t length;
	int fd; /* once there is a second path in it */
};

/* Is the last name one that a directory lists, and none of realpath(3)'s own: "", "." or ".."? */
static bool is_plain_name(const char *name)
{
	return name[0] && !str_equal(name, ".") && !str_equal(name, "..");
}

static void remember_directory(struct real_directory *directory, const char *path, size_t length)
{
	if (length == directory->length && memcmp(path, directory->text, length) == 0)
		return;
	closep(&directory->fd);
	directory->fd = -1;
	memcpy(directory->text, path, length);
	directory->text[length] = '\0';
	directory->length = length;
}

/* Is @path in the directory, and that still what it is written as? Then it is open. */
static bool is_in_directory(struct real_directory *directory, const char *path, size_t length)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS };

	if (rootdir || !length || length != directory->length ||
	    memcmp(path, directory->text, length) != 0)
		return false;
	if (directory->fd < 0)
		directory->fd =
			(int)syscall(SYS_openat2, AT_FDCWD, directory->text, &how, sizeof(how));
	return directory->fd >= 0;
}

/*
 * Many exports lie in one directory. Of the next one in it only the last name is looked at: if that
 * is a directory it is no symbolic link, and so the path is what it is written as.
 */
static int real_of(const char *path, struct real_directory *directory, char buffer[PATH_MAX],
		   struct snapshot_seen *ret_seen)
{
	const char *name = strrchr(path, '/');
	size_t length = name ? (size_t)(++name - path) : 0;
	int r;

	if (is_in_directory(directory, path, length) && is_plain_name(name)) {
		*ret_seen = directory_at(directory->fd, name, AT_SYMLINK_NOFOLLOW);
		if (ret_seen->device) {
			(void)strcpy(buffer, path);
			return 0;
		}
	}
	r = real_path(path, buffer, ret_seen);
	if (r == 0 && length && length < sizeof(directory->text) && str_equal(buffer, path))
		remember_directory(directory, path, length);
	return r;
}

/* What is told of a path holds for those that follow, if it is the same. */
struct told {
	struct proto_writer *answer;
	dev_t device;
	char same[SAME_BYTES]; /* inodes of paths that are real */
	size_t n_same;
};

static void end_run(struct told *told)
{
	if (told->n_same)
		proto_put(told->answer, "same", told->same);
	told->n_same = 0;
}

static void tell_same(struct told *told, ino_t inode)
{
	if (told->n_same > sizeof(told->same) - INODE_BYTES)
		end_run(told);
	told->n_same += (size_t)snprintf(told->same + told->n_same, INODE_BYTES, "%s%llx",
					 told->n_same ? " " : "", (unsigned long long)inode);
}

/* @real: NULL: what was asked about */
static void tell_real(struct told *told, const char *real, const struct snapshot_seen *seen)
{
	if (seen->device != told->device) {
		end_run(told);
		proto_put_u64(told->answer, "device", seen->device);
		told->device = seen->device;
	}
	if (!real) {
		tell_same(told, seen->inode);
		return;
	}
	end_run(told);
	if (seen->inode)
		proto_put_u64(told->answer, "inode", seen->inode);
	proto_put(told->answer, "path", real);
}

static void tell_path(struct told *told, const char *path, struct real_directory *directory)
{
	struct snapshot_seen seen = { 0 };
	char buffer[PATH_MAX];
	int r = real_of(path, directory, buffer, &seen);

	if (r < 0)
		tell_real(told, paths_is_gone(r) ? "" : PATHS_UNKNOWN, &seen);
	else
		tell_real(told, str_equal(buffer, path) ? NULL : buffer, &seen);
}

static void serve_real(const struct proto_message *question, struct proto_writer *answer)
{
	struct real_directory directory = { .fd = -1 };
	struct told told = { .answer = answer };

	proto_begin(answer, "ok");
	for (size_t i = 0; i < question->n_fields; i++)
		if (str_equal(question->fields[i].key, "path"))
			tell_path(&told, question->fields[i].value, &directory);
	end_run(&told);
	closep(&directory.fd);
}

void paths_serve(const struct proto_message *question, struct proto_writer *answer)
{
	const char *path = proto_get(question, "path");

	if (str_equal(question->word, "real"))
		serve_real(question, answer);
	else if (path && str_equal(question->word, "facts"))
		serve_facts(path, false, answer);
	else if (path && str_equal(question->word, "junction"))
		serve_facts(path, true, answer);
	else if (str_equal(question->word, "walk"))
		serve_walk(question, answer);
	else
		worker_fail(answer, -ENOSYS, NULL);
}
