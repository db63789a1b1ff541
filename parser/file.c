/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parser/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "parser/base.h"

/* /dev/null, wherever it is: linux Documentation/admin-guide/devices.txt */
static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

int file_open(const char *path)
{
	/* Opening a pipe waits for its other end, unless O_NONBLOCK is set. */
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return errno == ENXIO ? -ENOTSUP : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) && !is_null(&st))
		return -ENOTSUP;
	return st.st_size > FILE_BYTES_MAX ? -EFBIG : TAKE_FD(fd);
}

FILE *file_open_stream(const char *path)
{
	int fd = file_open(path);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd < 0)
		errno = -fd;
	else if (!stream)
		close(fd);
	return stream;
}

int file_read(int fd, size_t max, char **ret_text, size_t *ret_length)
{
	CLEANUP(freep) char *text = NULL;
	size_t length = 0, size = 0;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > 0 && (size_t)st.st_size > max)
		return -EFBIG;
	do {
		if (length + 1 >= size) { /* a byte is the NUL's */
			char *larger;

			size = size ? 2 * size : st.st_size > 0 ? (size_t)st.st_size + 2 : 4096;
			larger = realloc(text, size);
			if (!larger)
				return -ENOMEM;
			text = larger;
		}
		n = read(fd, text + length, size - length - 1);
		length += n > 0 ? (size_t)n : 0;
		if (length > max)
			return -EFBIG;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	text[length] = '\0';
	*ret_text = TAKE_PTR(text);
	*ret_length = length;
	return 0;
}

static FILE *open_new(int directory, const char *name, mode_t mode)
{
	int fd;
	FILE *to;

	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
		return NULL;
	fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    mode ? mode : 0666);
	if (fd < 0)
		return NULL;
	if (mode)
		(void)fchmod(fd, mode);
	to = fdopen(fd, "w+");
	if (!to)
		close(fd);
	return to;
}

/* Whether a file that was renamed is there after a power cut is its directory's matter. */
static int sync_directory(int directory, const char *name)
{
	const char *end = strrchr(name, '/');
	CLEANUP(freep) char *parent = end ? strndup(name, (size_t)(end - name) + 1) : strdup(".");
	CLEANUP(closep) int fd = -1;

	if (!parent)
		return -ENOMEM;
	fd = openat(directory, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int file_replace(int directory, const char *name, mode_t mode, unsigned int flags,
		 int (*write)(void *userdata, FILE *to), void *userdata)
{
	CLEANUP(freep) char *temporary = NULL;
	FILE *to;
	int r;

	if (asprintf(&temporary, "%s.tmp", name) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	to = open_new(directory, temporary, mode);
	if (!to)
		return -errno;
	r = write(userdata, to);
	if (r == 0 && fflush(to) != 0)
		r = -errno;
	if (r == 0 && ferror(to)) /* of an earlier write */
		r = -EIO;
	if (r == 0 && flags & FILE_SYNC && fsync(fileno(to)) < 0)
		r = -errno;
	if (fclose(to) != 0 && r == 0)
		r = -errno;
	if (r == 0 && renameat(directory, temporary, directory, name) < 0)
		r = -errno;
	if (r != 0)
		(void)unlinkat(directory, temporary, 0);
	return r == 0 && flags & FILE_SYNC ? sync_directory(directory, name) : r;
}
