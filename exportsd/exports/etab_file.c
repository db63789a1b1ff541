/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * etab_file.c - many lines, few sets of options: a set is printed once, and most of a line is
 * copied.
 *
 * The new file is written beside the old one, and thrown away if they are alike.
 */

#include "exportsd/exports/etab_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <uthash.h>

#include "exportsd/exports/stock_order.h"
#include "parser/etab.h"
#include "parser/file.h"
#include "parser/text.h"

enum {
	BUFFER_BYTES = 256 * 1024,
	COMPARED_AT_ONCE = 64 * 1024,
	LOCK_PAUSE_NSEC = 10 * 1000 * 1000,
	LINES_AT_ONCE = 32,
};

/* ---- the lock ---- */

/* @type: F_RDLCK, F_WRLCK. Returns the lock's descriptor, or -errno. */
static int lock(const char *directory, short type)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NSEC };
	struct flock wanted = { .l_type = type, .l_whence = SEEK_SET };
	CLEANUP(freep) char *path = text_format("%s/.etab.lock", directory);
	CLEANUP(closep) int fd = -1;

	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/*
	 * Of this descriptor, not of the process: but nfs-utils' locks and these keep each other
	 * out.
	 */
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

static char *etab_path(const char *directory)
{
	return text_format("%s/" ETAB_NAME, directory);
}

int etab_file_read(const char *directory, char **ret_text, struct file_version *ret_version)
{
	CLEANUP(closep) int locked = lock(directory, F_RDLCK);
	CLEANUP(freep) char *path = etab_path(directory);
	CLEANUP(closep) int fd = -1;
	size_t length;
	struct stat st;
	int r;

	if (locked < 0 || !path)
		return locked < 0 ? locked : -ENOMEM;
	fd = file_open(path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = file_read(fd, FILE_BYTES_MAX, ret_text, &length);
	if (r == 0)
		*ret_version = file_version_of(&st);
	return r;
}

int etab_file_version(const char *directory, struct file_version *ret_version)
{
	CLEANUP(freep) char *path = etab_path(directory);
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (stat(path, &st) < 0)
		return -errno;
	*ret_version = file_version_of(&st);
	return 0;
}

/* ---- order ---- */

static bool is_in_etab(const struct snapshot_export *export)
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
		const struct snapshot_export *export = snapshot_export(snapshot, i);

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

/*
 * A set of options as printed, from its '(' to the newline. Many sets differ in their number only:
 * it is left out, and put in its place in each line.
 */
struct printed {
	struct export_options options;
	UT_hash_handle hh;
	size_t n_before, n_after; /* bytes around the number; n_after 0: there is none */
	char text[];
};

struct writing {
	const struct snapshot *snapshot;
	uint32_t per_flavor;
	struct printed *printed, *last; /* last: most likely the next line's */
	FILE *to;
	int old; /* -1: there is none */
};

/* What cannot be written shows at the end: ferror(3). */
static void put(struct writing *writing, const char *text, size_t length)
{
	(void)fwrite_unlocked(text, 1, length, writing->to);
}

static int printed_new(const char *line, const struct export_options *options,
		       struct printed **ret_printed)
{
	static const char number[] = ",fsid=";
	const char *open = strchr(line, '('), *found;
	size_t length = strlen(open);
	struct printed *printed = calloc(1, sizeof(*printed) + length + 1);

	if (!printed)
		return -ENOMEM;
	memcpy(&printed->options, options,
	       sizeof(*options)); /* padding, too: equal ones are equal bytes */
	memcpy(printed->text, open, length);
	printed->n_before = length;
	/* Only words without a value stand before it. */
	found = options->flags & EXPORT_FSID ? strstr(printed->text, number) : NULL;
	if (found) {
		printed->n_before = (size_t)(found - printed->text) + strlen(number);
		printed->n_after = length - printed->n_before - strlen("0");
	}
	*ret_printed = printed;
	return 0;
}

static struct printed *print_options(struct writing *writing, const struct export_options *options)
{
	CLEANUP(freep) char *line = NULL;
	struct printed *printed;
	size_t size;
	FILE *to = open_memstream(&line, &size);

	if (!to)
		return NULL;
	(void)export_print_etab(to, "/", "*", options, 0, writing->per_flavor);
	if (fclose(to) != 0 || printed_new(line, options, &printed) < 0)
		return NULL;
	HASH_ADD(hh, writing->printed, options, sizeof(printed->options), printed);
	if (printed->hh.tbl)
		return printed;
	free(printed);
	return NULL;
}

static struct printed *find_printed(struct writing *writing, const struct export_options *options)
{
	struct printed *printed = writing->last;

	if (printed && memcmp(&printed->options, options, sizeof(*options)) == 0)
		return printed;
	HASH_FIND(hh, writing->printed, options, sizeof(*options), printed);
	if (!printed)
		printed = print_options(writing, options);
	writing->last = printed;
	return printed;
}

static int put_options(struct writing *writing, const struct export_options *options, uint32_t fsid)
{
	const struct printed *printed = find_printed(writing, options);

	if (!printed)
		return -ENOMEM;
	put(writing, printed->text, printed->n_before);
	if (printed->n_after) {
		/* As nfs-utils: %d. */
		fprintf(writing->to, "%d", (int)fsid);
		put(writing, printed->text + printed->n_before + strlen("0"), printed->n_after);
	}
	return 0;
}

static bool is_plain(char byte)
{
	unsigned char c = (unsigned char)byte;

	return c > ' ' && c != 0x7f && c != '\\' && c != '"' && c != '#';
}

/*
 * The length of a text that is written as it is (etab_put_pair()); 0: it is not. Wildcards make a
 * rule of a path.
 */
static size_t plain_length(const char *text, bool is_path)
{
	size_t length = 0;

	for (; is_plain(text[length]); length++)
		if (is_path && (text[length] == '*' || text[length] == '?' || text[length] == '['))
			return 0;
	return text[length] ? 0 : length;
}

static void put_pair(struct writing *writing, const char *path, const char *client)
{
	size_t path_length = plain_length(path, true), client_length = plain_length(client, false);

	if (path_length && client_length) {
		put(writing, path, path_length);
		put(writing, "\t", 1);
		put(writing, client, client_length);
	} else {
		etab_put_pair(writing->to, path, NULL, client);
	}
}

/*
 * etab's order leads all over the memory: what some lines are made of is fetched before the first
 * one is written.
 */
static int put_lines(struct writing *writing, const size_t *indices, size_t n)
{
	const struct snapshot_export *exports[LINES_AT_ONCE];
	struct snapshot_as_written written[LINES_AT_ONCE];
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		exports[i] = snapshot_export(writing->snapshot, indices[i]);
		__builtin_prefetch(exports[i]);
	}
	for (size_t i = 0; i < n; i++) {
		written[i] = snapshot_as_written(writing->snapshot, exports[i]);
		__builtin_prefetch(exports[i]->path);
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		put_pair(writing, exports[i]->path, written[i].client);
		r = put_options(writing, written[i].options, written[i].fsid);
	}
	return r;
}

static int put_all(struct writing *writing)
{
	const struct snapshot *snapshot = writing->snapshot;
	size_t n = snapshot_n_exports(snapshot), n_in_etab = 0;
	CLEANUP(freep) size_t *indices = calloc(n ? n : 1, sizeof(*indices));
	int r = indices ? etab_order(snapshot, indices, &n_in_etab) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n_in_etab; i += LINES_AT_ONCE) {
		size_t left = n_in_etab - i;

		r = put_lines(writing, indices + i, left < LINES_AT_ONCE ? left : LINES_AT_ONCE);
	}
	return r;
}

static void writing_done(struct writing *writing)
{
	struct printed *printed, *next;

	HASH_ITER (hh, writing->printed, printed, next) {
		HASH_DEL(writing->printed, printed);
		free(printed);
	}
	closep(&writing->old);
}

static bool have_same_bytes(int a, int b)
{
	char of_a[COMPARED_AT_ONCE], of_b[COMPARED_AT_ONCE];
	struct stat st_a, st_b;
	ssize_t n = 1;

	if (fstat(a, &st_a) < 0 || fstat(b, &st_b) < 0 || st_a.st_size != st_b.st_size)
		return false;
	for (off_t at = 0; at < st_a.st_size; at += n) {
		n = pread(a, of_a, sizeof(of_a), at);
		if (n <= 0 || pread(b, of_b, (size_t)n, at) != n ||
		    memcmp(of_a, of_b, (size_t)n) != 0)
			return false;
	}
	return true;
}

static int write_unless_same(void *userdata, FILE *to)
{
	struct writing *writing = userdata;
	int r;

	writing->to = to;
	(void)setvbuf(to, NULL, _IOFBF, BUFFER_BYTES);
	r = put_all(writing);
	if (r == 0 && fflush(to) != 0)
		r = -errno;
	return r == 0 && writing->old >= 0 && have_same_bytes(fileno(to), writing->old) ? FILE_KEEP
											: r;
}

int etab_file_write(const char *directory, const struct snapshot *snapshot, uint32_t per_flavor,
		    struct file_version *ret_version)
{
	struct writing writing = { .snapshot = snapshot, .per_flavor = per_flavor };
	CLEANUP(closep) int locked = lock(directory, F_WRLCK);
	CLEANUP(freep) char *path = etab_path(directory);
	int r;

	if (locked < 0 || !path)
		return locked < 0 ? locked : -ENOMEM;
	writing.old = file_open(path);
	r = file_replace(AT_FDCWD, path, 0644, 0, write_unless_same, &writing);
	writing_done(&writing);
	return r < 0 ? r : etab_file_version(directory, ret_version);
}
