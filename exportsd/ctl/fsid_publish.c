/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fsid_publish.c - exportsctl fsid publish: a copy of the numbers on each writable exported file
 * system.
 *
 * Clients can reach these copies, so each carries a MAC and is never read but by fsid recover. And
 * clients can be in the way of writing: nothing there is followed, opened or written to that was
 * there before. A new file is made, which must not exist, and renamed over the old name, whatever
 * that is by then. It is the administrator's process that a dead disk holds up, not the daemon.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "exportsd/ctl/fsid_rows.h"
#include "exportsd/numbers/text.h"
#include "parser/file.h"

static const char name[] = ".exportsd-numbers";

struct publishing {
	const char *bytes;
	size_t n_bytes;
	dev_t *done; /* file systems */
	size_t n_done, n_failed;
};

static int open_directory(const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* A file system that makes it somebody else's would let that user write it anew. */
static int write_copy(void *userdata, FILE *to)
{
	const struct publishing *publishing = userdata;
	struct stat st;

	if (fstat(fileno(to), &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return -EPERM;
	return fwrite(publishing->bytes, 1, publishing->n_bytes, to) == publishing->n_bytes
		       ? 0
		       : -errno;
}

static bool was_done(struct publishing *publishing, dev_t device)
{
	dev_t *grown;

	for (size_t i = 0; i < publishing->n_done; i++)
		if (publishing->done[i] == device)
			return true;
	grown = reallocarray(publishing->done, publishing->n_done + 1, sizeof(device));
	if (!grown)
		return true;
	publishing->done = grown;
	publishing->done[publishing->n_done++] = device;
	return false;
}

static void publish_at(struct publishing *publishing, const char *path)
{
	CLEANUP(closep) int directory = open_directory(path);
	struct statvfs vfs;
	struct stat st;
	int r = directory < 0 ? -errno : 0;

	/* An exported file has no place for one. */
	if (r == -ENOTDIR)
		return;
	if (r == 0 && (fstat(directory, &st) < 0 || fstatvfs(directory, &vfs) < 0))
		r = -errno;
	if (r == 0 && (vfs.f_flag & ST_RDONLY || was_done(publishing, st.st_dev)))
		return;
	if (r == 0)
		r = file_replace(directory, name, 0600, FILE_SYNC, write_copy, publishing);
	if (r == 0) {
		print_shown(stdout, path);
		printf("/%s\n", name);
		return;
	}
	publishing->n_failed++;
	complain("no copy in '%s': %s", path,
		 r == -ELOOP ? "a symbolic link is in its path" : strerror(-r));
}

/* Plain exports that some client may write to. */
static bool publish_export(void *userdata, const struct proto_message *message)
{
	const char *path = proto_get(message, "path"), *etab = proto_get(message, "etab");

	if (path && *path == '/' && etab && strstr(etab, "(rw,") && !proto_get(message, "handler"))
		publish_at(userdata, path);
	return true;
}

static int publish(struct fsid_store *store)
{
	unsigned char key[STORE_KEY_BYTES];
	struct publishing publishing = {};
	CLEANUP(freep) char *bytes = NULL;
	struct numbers_entries entries = {};
	int exit_code = EXIT_FAILURE;
	int r = store_key_read(store->config->state_directory, true, key);

	if (r < 0)
		complain("cannot use the key in %s: %s", store->config->state_directory,
			 strerror(-r));
	else if (fsid_read_all(store, &entries) > 0 &&
		 store_text_write(&entries, key, &bytes, &publishing.n_bytes) == 0) {
		publishing.bytes = bytes;
		exit_code = ctl_ask(store->invocation, "exports", publish_export, &publishing,
				    "exports", NULL);
	}
	numbers_entries_done(&entries);
	free(publishing.done);
	return publishing.n_failed ? EXIT_FAILURE : exit_code;
}

static int run(const struct ctl_invocation *invocation)
{
	CLEANUP(fsid_store_close) struct fsid_store store = {};

	if (!fsid_store_open(invocation, &store))
		return EXIT_FAILURE;
	if (store.has_daemon)
		return publish(&store);
	complain("exportsd is not running, and only it knows what is exported");
	return EXIT_FAILURE;
}

const struct ctl_command ctl_fsid_publish = {
	.name = "fsid publish",
	.summary = "write a copy to each writable exported file system",
	.run = run,
};
