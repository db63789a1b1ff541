/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * etab_file.c - many lines, few sets of options: a set is printed once, and most of a line is copied.
 *
 * The new file is written beside the old one, which is read along: once they differ that ends, and at the end the new
 * one is put in its place, or thrown away if they are alike.
 */

#define HASH_NONFATAL_OOM 1

#include "exportsd/etab_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <uthash.h>

#include "exportsd/stock_order.h"
#include "parser/etab.h"

enum { BUFFER_BYTES = 256 * 1024, LOCK_PAUSE_NSEC = 10 * 1000 * 1000 };

/* ---- the lock ---- */

/* @type: F_RDLCK, F_WRLCK. Returns the lock's descriptor, or -errno. */
static int lock(const char *directory, short type)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NSEC };
	struct flock wanted = { .l_type = type, .l_whence = SEEK_SET };
	CLEANUP(freep) char *path = NULL;
	CLEANUP(closep) int fd = -1;

	if (asprintf(&path, "%s/.etab.lock", directory) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/* Of this descriptor, not of the process: but nfs-utils' locks and these keep each other out. */
	for (long waited = 0; fcntl(fd, F_OFD_SETLK, &wanted) < 0; waited += LOCK_PAUSE_NSEC) {
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		if (waited >= ETAB_LOCK_SECONDS * 1000000000L)
			return -ETIMEDOUT;
		(void)nanosleep(&pause, NULL);
	}
	return TAKE_FD(fd);
}

/* ---- reading ---- */

static int file_in(const char *directory, const char *name, char **ret_path)
{
	if (asprintf(ret_path, "%s/%s", directory, name) >= 0)
		return 0;
	*ret_path = NULL;
	return -ENOMEM;
}

static int read_text(int fd, size_t size, char **ret_text)
{
	CLEANUP(freep) char *text = malloc(size + 1);
	size_t length = 0;
	ssize_t n = 1;

	if (!text)
		return -ENOMEM;
	while (n > 0 && length < size) {
		n = read(fd, text + length, size - length);
		if (n < 0 && errno != EINTR)
			return -errno;
		length += n > 0 ? (size_t)n : 0;
	}
	text[length] = '\0';
	*ret_text = TAKE_PTR(text);
	return 0;
}

int etab_file_read(const char *directory, char **ret_text, struct file_version *ret_version)
{
	CLEANUP(closep) int locked = lock(directory, F_RDLCK);
	CLEANUP(freep) char *path = NULL;
	CLEANUP(closep) int fd = -1;
	struct stat st;
	int r = locked < 0 ? locked : file_in(directory, ETAB_NAME, &path);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r = read_text(fd, (size_t)st.st_size, ret_text);
	if (r == 0)
		*ret_version = file_version_of(&st);
	return r;
}

int etab_file_version(const char *directory, struct file_version *ret_version)
{
	CLEANUP(freep) char *path = NULL;
	struct stat st;
	int r = file_in(directory, ETAB_NAME, &path);

	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return -errno;
	*ret_version = file_version_of(&st);
	return 0;
}

/* ---- order ---- */

static bool is_in_etab(const struct export *export)
{
	return !export->pattern &&
	       (export->client->type != CLIENT_HOST || export->client->n_addresses);
}

int etab_order(const struct snapshot *snapshot, size_t *ret_indices, size_t *ret_n_in_etab)
{
	size_t n = snapshot_n_exports(snapshot), n_in_etab = 0, n_others = 0;
	CLEANUP(freep) const char **paths = calloc(n ? n : 1, sizeof(*paths));
	CLEANUP(freep) enum client_type *types = calloc(n ? n : 1, sizeof(*types));
	CLEANUP(freep) size_t *plain = calloc(n ? n : 1, sizeof(*plain));
	int r;

	if (!paths || !types || !plain)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct export *export = snapshot_export(snapshot, i);

		if (!is_in_etab(export))
			continue;
		paths[n_in_etab] = export->path;
		types[n_in_etab] = export->client->type;
		plain[n_in_etab++] = i;
	}
	r = stock_order(paths, types, n_in_etab, ret_indices);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_in_etab; i++)
		ret_indices[i] = plain[ret_indices[i]];
	for (size_t i = 0; i < n; i++)
		if (!is_in_etab(snapshot_export(snapshot, i)))
			ret_indices[n_in_etab + n_others++] = i;
	if (ret_n_in_etab)
		*ret_n_in_etab = n_in_etab;
	return 0;
}

/* ---- writing ---- */

/* A set of options as printed: from its '(' to the newline. */
struct printed {
	const struct export_options *options;
	UT_hash_handle hh;
	size_t length;
	char text[];
};

struct writing {
	const struct snapshot *snapshot;
	uint32_t per_flavor;
	struct printed *printed;
	int fd, old_fd; /* old_fd -1: there is none, or it is another */
	bool differs;
	size_t n_bytes;
	char buffer[BUFFER_BYTES], old[BUFFER_BYTES];
};

static int compare(struct writing *writing)
{
	size_t n_read = 0;

	while (!writing->differs && n_read < writing->n_bytes) {
		ssize_t n = read(writing->old_fd, writing->old + n_read, writing->n_bytes - n_read);

		if (n < 0 && errno == EINTR)
			continue;
		writing->differs = n <= 0;
		n_read += n > 0 ? (size_t)n : 0;
	}
	writing->differs =
		writing->differs || memcmp(writing->old, writing->buffer, writing->n_bytes) != 0;
	return 0;
}

static int flush(struct writing *writing)
{
	size_t n_written = 0;

	if (!writing->differs)
		compare(writing);
	while (n_written < writing->n_bytes) {
		ssize_t n = write(writing->fd, writing->buffer + n_written,
				  writing->n_bytes - n_written);

		if (n < 0 && errno != EINTR)
			return -errno;
		n_written += n > 0 ? (size_t)n : 0;
	}
	writing->n_bytes = 0;
	return 0;
}

static int put(struct writing *writing, const char *text, size_t length)
{
	int r = 0;

	while (r == 0 && length) {
		size_t room = BUFFER_BYTES - writing->n_bytes, n = length < room ? length : room;

		memcpy(writing->buffer + writing->n_bytes, text, n);
		writing->n_bytes += n;
		text += n;
		length -= n;
		if (writing->n_bytes == BUFFER_BYTES)
			r = flush(writing);
	}
	return r;
}

static struct printed *print_options(struct writing *writing, const struct export_options *options)
{
	CLEANUP(freep) char *line = NULL;
	struct printed *printed = NULL;
	const char *open;
	size_t size, length;
	FILE *to = open_memstream(&line, &size);

	if (!to)
		return NULL;
	(void)export_print_etab(to, "/", "*", options, writing->per_flavor);
	if (fclose(to) != 0)
		return NULL;
	open = strchr(line, '(');
	length = strlen(open);
	printed = calloc(1, sizeof(*printed) + length + 1);
	if (!printed)
		return NULL;
	printed->options = options;
	printed->length = length;
	memcpy(printed->text, open, length);
	HASH_ADD_PTR(writing->printed, options, printed);
	if (printed->hh.tbl)
		return printed;
	free(printed);
	return NULL;
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || strchr("\\\"#*?[\x7f", *text))
			return false;
	return true;
}

static int put_pair(struct writing *writing, const char *path, const char *client)
{
	CLEANUP(freep) char *text = NULL;
	size_t size;
	FILE *to;
	int r;

	if (is_plain(path) && is_plain(client)) {
		r = put(writing, path, strlen(path));
		if (r == 0)
			r = put(writing, "\t", 1);
		return r < 0 ? r : put(writing, client, strlen(client));
	}
	to = open_memstream(&text, &size);
	if (!to)
		return -ENOMEM;
	etab_put_pair(to, path, NULL, client);
	return fclose(to) == 0 ? put(writing, text, size) : -ENOMEM;
}

static int put_line(struct writing *writing, const struct export *export)
{
	struct export_as_written written = snapshot_as_written(writing->snapshot, export);
	struct printed *printed;
	int r = put_pair(writing, export->path, written.client);

	if (r < 0)
		return r;
	HASH_FIND_PTR(writing->printed, &written.options, printed);
	if (!printed)
		printed = print_options(writing, written.options);
	return printed ? put(writing, printed->text, printed->length) : -ENOMEM;
}

static int put_all(struct writing *writing)
{
	const struct snapshot *snapshot = writing->snapshot;
	size_t n = snapshot_n_exports(snapshot), n_in_etab = 0;
	CLEANUP(freep) size_t *indices = calloc(n ? n : 1, sizeof(*indices));
	int r = indices ? etab_order(snapshot, indices, &n_in_etab) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n_in_etab; i++)
		r = put_line(writing, snapshot_export(snapshot, indices[i]));
	return r < 0 ? r : flush(writing);
}

static void writing_done(struct writing *writing)
{
	struct printed *printed, *next;

	HASH_ITER (hh, writing->printed, printed, next) {
		HASH_DEL(writing->printed, printed);
		free(printed);
	}
	closep(&writing->fd);
	closep(&writing->old_fd);
	free(writing);
}

/* Is the old file at its end, too? */
static bool is_longer(int fd)
{
	char byte;

	return read(fd, &byte, 1) != 0;
}

static int replace(struct writing *writing, const char *new, const char *old)
{
	int r;

	writing->fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (writing->fd < 0)
		return -errno;
	writing->old_fd = open(old, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	writing->differs = writing->old_fd < 0;
	r = put_all(writing);
	if (r == 0 && !writing->differs)
		writing->differs = is_longer(writing->old_fd);
	if (r == 0 && writing->differs)
		return rename(new, old) < 0 ? -errno : 0;
	(void)unlink(new);
	return r;
}

int etab_file_write(const char *directory, const struct snapshot *snapshot, uint32_t per_flavor,
		    struct file_version *ret_version)
{
	CLEANUP(closep) int locked = lock(directory, F_WRLCK);
	CLEANUP(freep) char *new = NULL;
	CLEANUP(freep) char *old = NULL;
	struct writing *writing;
	int r = locked < 0 ? locked : file_in(directory, ETAB_NAME ".tmp", &new);

	if (r == 0)
		r = file_in(directory, ETAB_NAME, &old);
	if (r < 0)
		return r;
	writing = calloc(1, sizeof(*writing));
	if (!writing)
		return -ENOMEM;
	writing->snapshot = snapshot;
	writing->per_flavor = per_flavor;
	writing->fd = writing->old_fd = -1;
	r = replace(writing, new, old);
	writing_done(writing);
	return r < 0 ? r : etab_file_version(directory, ret_version);
}
