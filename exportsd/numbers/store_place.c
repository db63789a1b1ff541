/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * store_place.c - files are known by device, inode and size.
 *
 * A number store is known by its header, or by the text of its tables on the same page; noise in
 * one of the two leaves the other. A page of zeros is what a crash may leave of a file.
 */

#include "exportsd/numbers/store_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/numbers/store_file.h"
#include "exportsd/numbers/store_schema.h"

/* Files that SQLite reads along with a database (sqlite.org/tempfiles.html). */
static const char *const companions[] = { "-wal", "-journal" };

/* ---- looking ---- */

static int refuse_kind(const char *name, mode_t mode, char **reterr_why)
{
	const char *what = S_ISDIR(mode)    ? "directory"
			   : S_ISFIFO(mode) ? "pipe"
			   : S_ISLNK(mode)  ? "symbolic link"
			   : S_ISSOCK(mode) ? "socket"
					    : "device";

	return store_fail(
		-EINVAL, reterr_why,
		"'%s' is a %s and no number store: it is left alone; have number-copies name "
		"a file, or move this away",
		name, what);
}

static int check_owner(const char *name, const struct stat *st, char **reterr_why)
{
	if ((st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & 022))
		return 0;
	return store_fail(
		-EPERM, reterr_why,
		"'%s' could have been written by others and is not believed: look at it "
		"(exportsctl fsid recover --from takes numbers from it), then chown root and chmod "
		"go-w, or move it away",
		name);
}

static int check_companions(const char *name, char **reterr_why)
{
	for (size_t i = 0; i < N_ELEMENTS(companions); i++) {
		CLEANUP(freep) char *companion = NULL;
		struct stat st;
		int r = 0;

		if (asprintf(&companion, "%s%s", name, companions[i]) < 0) {
			companion = NULL;
			return -ENOMEM;
		}
		if (lstat(companion, &st) == 0)
			r = S_ISREG(st.st_mode) ? check_owner(companion, &st, reterr_why)
						: refuse_kind(companion, st.st_mode, reterr_why);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_zero(const char *bytes, size_t n_bytes)
{
	return n_bytes == 0 || (!*bytes && memcmp(bytes, bytes + 1, n_bytes - 1) == 0);
}

/* Was it ever a number store? */
static int check_contents(const char *name, char **reterr_why)
{
	CLEANUP(closep) int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char page[4096];
	ssize_t n = fd < 0 ? -1 : pread(fd, page, sizeof(page), 0);

	if (n < 0)
		return store_fail(-errno, reterr_why, "number store '%s': %s", name,
				  strerror(errno));
	if (n == 0)
		return store_fail(-EUCLEAN, reterr_why, "number store '%s' is empty", name);
	switch (store_schema_recognize(page, (size_t)n)) {
	case STORE_SCHEMA_OURS: return 0;
	case STORE_SCHEMA_FOREIGN:
		return store_fail(-EINVAL, reterr_why,
				  "'%s' is a database, but no number store: it is left alone; have "
				  "number-copies name another file, or move this away",
				  name);
	case STORE_SCHEMA_UNKNOWN: break;
	}
	if (is_zero(page, (size_t)n))
		return 0;
	return store_fail(
		-EINVAL, reterr_why,
		"'%s' is no number store: it is left alone; have number-copies name another "
		"file, or move this away",
		name);
}

int store_place_look(const char *name, char **reterr_why)
{
	struct stat st;
	int r = 0;

	if (lstat(name, &st) < 0)
		return errno == ENOENT ? -ENOENT
				       : store_fail(-errno, reterr_why, "number store '%s': %s",
						    name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse_kind(name, st.st_mode, reterr_why);
	r = check_owner(name, &st, reterr_why);
	if (r == 0)
		r = check_companions(name, reterr_why);
	return r < 0 ? r : check_contents(name, reterr_why);
}

/* ---- is it still that? ---- */

static struct store_place_file look_at(const char *name)
{
	struct stat st;

	if (!name || stat(name, &st) < 0)
		return (struct store_place_file){};
	return (struct store_place_file){ st.st_dev, st.st_ino, st.st_size };
}

void store_place_note(const char *name, struct store_place *ret_place)
{
	CLEANUP(freep) char *log = NULL;

	if (asprintf(&log, "%s-wal", name) < 0)
		log = NULL;
	*ret_place = (struct store_place){ .file = look_at(name), .log = look_at(log) };
}

static bool same_file(const struct store_place_file *a, const struct store_place_file *b)
{
	return a->device == b->device && a->inode == b->inode;
}

static bool same_files(const struct store_place *a, const struct store_place *b)
{
	return same_file(&a->file, &b->file) && same_file(&a->log, &b->log);
}

static int refuse_other(const char *name, char **reterr_why)
{
	return store_fail(
		-ESTALE, reterr_why,
		"number store '%s', or its log, was removed or replaced while exportsd had it open",
		name);
}

int store_place_check(const char *name, const struct store_place *place, char **reterr_why)
{
	struct store_place now;

	store_place_note(name, &now);
	if (!same_files(&now, place))
		return refuse_other(name, reterr_why);
	if (now.file.size != place->file.size || now.log.size != place->log.size)
		return store_fail(
			-EUCLEAN, reterr_why,
			"number store '%s', or its log, was cut short or written to while exportsd had it open",
			name);
	return 0;
}

int store_place_renew(const char *name, struct store_place *place, char **reterr_why)
{
	struct store_place now;

	store_place_note(name, &now);
	if (!same_files(&now, place))
		return refuse_other(name, reterr_why);
	*place = now;
	return 0;
}
