/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * place.c - files are known by device, inode and size.
 *
 * A number store is known by its header, or by the text of its tables on the same page; noise in
 * one of the two leaves the other. A page of zeros is what a crash may leave of a file.
 */

#include "exportsd/numbers/place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "exportsd/numbers/row.h"

/* What SQLite reads along with a database (sqlite.org/tempfiles.html), and the database. */
static const char *const suffixes[] = { "-wal", "-journal", "" };

/* One that is cut short is too long for the kernel, as what it was made of. */
struct name {
	char text[PATH_MAX + 64];
};

static struct name beside(const char *name, const char *suffix)
{
	struct name beside;

	(void)snprintf(beside.text, sizeof(beside.text), "%s%s", name, suffix);
	return beside;
}

/* ---- looking ---- */

static int leave_alone(const char *name, const char *what, char **reterr_why)
{
	return store_fail(-EINVAL, reterr_why,
			  "'%s' is %sno number store: it is left alone; have number-copies name "
			  "another file, or move this away",
			  name, what);
}

static int check_kind(const char *name, const struct stat *st, char **reterr_why)
{
	if (!S_ISREG(st->st_mode))
		return leave_alone(name,
				   S_ISDIR(st->st_mode)	   ? "a directory and "
				   : S_ISFIFO(st->st_mode) ? "a pipe and "
				   : S_ISLNK(st->st_mode)  ? "a symbolic link and "
				   : S_ISSOCK(st->st_mode) ? "a socket and "
							   : "a device and ",
				   reterr_why);
	if ((st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & 022))
		return 0;
	return store_fail(
		-EPERM, reterr_why,
		"'%s' could have been written by others and is not believed: look at it "
		"(exportsctl fsid recover --from takes numbers from it), then chown root and chmod "
		"go-w, or move it away",
		name);
}

/* Was it ever a number store? */
static int check_contents(const char *name, char **reterr_why)
{
	/* sqlite.org/fileformat2.html: the header's first bytes, and where the application's are. */
	enum { MAGIC_BYTES = 16, APPLICATION_AT = 68, APPLICATION_END = 72 };
	static const char magic[MAGIC_BYTES] = "SQLite format 3";
	static const char application[] = { STORE_APPLICATION_ID >> 24,
					    STORE_APPLICATION_ID >> 16 & 0xff,
					    STORE_APPLICATION_ID >> 8 & 0xff,
					    STORE_APPLICATION_ID & 0xff };
	static const char *const texts[] = { "CREATE TRIGGER number_stays", "CREATE TABLE total (",
					     "CREATE TRIGGER directory_stays" };
	CLEANUP(closep) int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char page[4096];
	ssize_t n = fd < 0 ? -1 : pread(fd, page, sizeof(page), 0);
	size_t n_bytes = (size_t)n;

	if (n < 0)
		return store_fail(-errno, reterr_why, "number store '%s': %s", name,
				  strerror(errno));
	if (n == 0)
		return store_fail(-EUCLEAN, reterr_why, "number store '%s' is empty", name);
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (memmem(page, n_bytes, texts[i], strlen(texts[i])))
			return 0;
	if (memcmp(page, magic, n_bytes < MAGIC_BYTES ? n_bytes : MAGIC_BYTES) == 0)
		return n_bytes < APPLICATION_END || memcmp(page + APPLICATION_AT, application,
							   sizeof(application)) == 0
			       ? 0
			       : leave_alone(name, "a database, but ", reterr_why);
	if (!page[0] && memcmp(page, page + 1, n_bytes - 1) == 0)
		return 0;
	return leave_alone(name, "", reterr_why);
}

int store_place_look(const char *name, struct store_place *ret_place, char **reterr_why)
{
	struct stat st = {};
	int r = 0;

	for (size_t i = N_ELEMENTS(suffixes); r == 0 && i-- > 0;) {
		struct name one = beside(name, suffixes[i]);

		if (lstat(one.text, &st) == 0)
			r = check_kind(one.text, &st, reterr_why);
		else if (errno != ENOENT || !*suffixes[i])
			r = store_fail(-errno, reterr_why, "number store '%s': %s", one.text,
				       strerror(errno));
	}
	store_place_note(name, ret_place);
	/* SQLite would play it into a new database: wal.c believes its checksums alone. */
	if (r == -ENOENT && ret_place->log.size)
		return store_fail(-EUCLEAN, reterr_why,
				  "number store '%s' is gone but its log '%s-wal' is there", name,
				  name);
	return r < 0 ? r : check_contents(name, reterr_why);
}

/* ---- is it still that? ---- */

static struct store_place_file look_at(const char *name, const char *suffix)
{
	struct stat st;

	if (lstat(beside(name, suffix).text, &st) < 0)
		return (struct store_place_file){};
	return (struct store_place_file){ st.st_dev, st.st_ino, st.st_size };
}

void store_place_note(const char *name, struct store_place *place)
{
	struct statvfs vfs;

	place->file = look_at(name, "");
	place->log = look_at(name, "-wal");
	place->read_only = statvfs(name, &vfs) == 0 && vfs.f_flag & ST_RDONLY;
}

static bool same_file(const struct store_place_file *a, const struct store_place_file *b)
{
	return a->device == b->device && a->inode == b->inode;
}

int store_place_check(const char *name, bool ours, struct store_place *place, char **reterr_why)
{
	const struct store_place before = *place;

	place->file = look_at(name, "");
	place->log = look_at(name, "-wal");
	if (!same_file(&place->file, &before.file) || !same_file(&place->log, &before.log))
		return store_fail(
			-ESTALE, reterr_why,
			"number store '%s', or its log, was removed or replaced while exportsd had it open",
			name);
	if (!ours && (place->file.size != before.file.size || place->log.size != before.log.size))
		return store_fail(
			-EUCLEAN, reterr_why,
			"number store '%s', or its log, was cut short or written to while exportsd had it open",
			name);
	return 0;
}

/* ---- damaged ones ---- */

int store_place_sync(const char *name)
{
	struct name copy = beside(name, "");
	CLEANUP(closep) int fd = open(dirname(copy.text), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int store_place_set_aside(const char *name, char **ret_new_name)
{
	time_t now = time(NULL);
	char suffix[48] = "";
	struct name new;
	struct tm tm;
	size_t n = 0;
	int r;

	if (gmtime_r(&now, &tm))
		n = strftime(suffix, sizeof(suffix), ".damaged-%Y%m%dT%H%M%SZ", &tm);
	for (int i = 2; new = beside(name, suffix), access(new.text, F_OK) == 0; i++)
		(void)snprintf(suffix + n, sizeof(suffix) - n, ".%d", i);
	/* The log first: without its database it counts as damaged, too. */
	for (size_t i = 0; i < N_ELEMENTS(suffixes); i++)
		if (rename(beside(name, suffixes[i]).text, beside(new.text, suffixes[i]).text) <
			    0 &&
		    errno != ENOENT)
			return -errno;
	r = store_place_sync(name);
	if (r == 0 && !(*ret_new_name = strdup(new.text)))
		r = -ENOMEM;
	return r;
}
/* ---- which files ---- */

char **store_place_names(const char *state_directory, char *const *number_copies)
{
	static const char own_name[] = "/numbers.sqlite";
	size_t n = 0, n_bytes = strlen(state_directory) + sizeof(own_name);
	char **files, *end;

	for (; number_copies && number_copies[n]; n++)
		n_bytes += strlen(number_copies[n]) + 1;
	files = malloc((n + 2) * sizeof(*files) + n_bytes);
	if (!files)
		return NULL;
	end = (char *)(files + n + 2);
	files[0] = end;
	end = stpcpy(stpcpy(end, state_directory), own_name) + 1;
	for (size_t i = 0; i < n; i++) {
		files[i + 1] = end;
		end = stpcpy(end, number_copies[i]) + 1;
	}
	files[n + 1] = NULL;
	return files;
}
