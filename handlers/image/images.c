/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * images.c - file names and keys. The directory is opened anew for each look, so that it may be
 * mounted, moved and replaced meanwhile.
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "handlers/image/images.h"

static bool ends_with(const char *name, size_t length, const char *ending, bool capitals)
{
	size_t n = strlen(ending);

	if (n >= length) /* at least one byte must be left for the key */
		return false;
	for (size_t i = 0; i < n; i++) {
		char wanted = capitals ? (char)toupper((unsigned char)ending[i]) : ending[i];

		if (name[length - n + i] != wanted)
			return false;
	}
	return true;
}

/* The ending that counts for a name, or NULL. */
static const char *ending_of_name(const struct images *images, const char *name)
{
	size_t length = strlen(name);
	const char *longest = NULL;

	if (name[0] == '.')
		return NULL;
	for (char **ending = images->endings; *ending; ending++)
		if ((ends_with(name, length, *ending, false) ||
		     ends_with(name, length, *ending, true)) &&
		    (!longest || strlen(*ending) > strlen(longest)))
			longest = *ending;
	return longest;
}

char *images_key_of_name(const struct images *images, const char *name)
{
	const char *ending = ending_of_name(images, name);

	return ending ? strndup(name, strlen(name) - strlen(ending)) : NULL;
}

/* ---- one image ---- */

static int open_directory(const struct images *images)
{
	int fd = open(images->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Returns 0; -ENOENT: not there, or no regular file, or a link that leads out; -errno. */
static int open_name(const struct images *images, int directory, const char *name,
		     struct image *ret_image)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = images->follow_links ? 0 : RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	CLEANUP(closep) int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
	struct stat st;
	char *copy;

	if (fd < 0) /* EXDEV: it leads out, openat2(2) */
		return errno == EXDEV || errno == ELOOP || errno == ENOTDIR ? -ENOENT : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	*ret_image = (struct image){ .name = copy, .fd = TAKE_FD(fd), .st = st };
	return 0;
}

/* Try a key with one ending; the name must mean this ending, not a longer one. */
static int open_with_ending(const struct images *images, int directory, const char *key,
			    const char *ending, bool capitals, struct image *ret_image)
{
	char name[NAME_MAX + 1];
	size_t length = strlen(key);

	if (length + strlen(ending) > NAME_MAX)
		return -ENOENT;
	memcpy(name, key, length);
	for (const char *c = ending;; c++) {
		name[length++] = capitals ? (char)toupper((unsigned char)*c) : *c;
		if (!*c)
			break;
	}
	if (ending_of_name(images, name) != ending)
		return -ENOENT;
	return open_name(images, directory, name, ret_image);
}

int images_open(const struct images *images, const char *key, struct image *ret_image)
{
	CLEANUP(closep) int directory = -1;
	int r = -ENOENT;

	if (!*key || strchr(key, '/'))
		return -ENOENT;
	directory = open_directory(images);
	if (directory < 0)
		return directory;
	for (char **ending = images->endings; *ending && r == -ENOENT; ending++) {
		r = open_with_ending(images, directory, key, *ending, false, ret_image);
		if (r == -ENOENT)
			r = open_with_ending(images, directory, key, *ending, true, ret_image);
	}
	return r;
}

void image_done(struct image *image)
{
	free(image->name);
	closep(&image->fd);
	*image = (struct image){ .fd = -1 };
}

int image_read_fd(const struct image *image)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", image->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool image_is_being_written(int fd)
{
	signal(SIGIO, SIG_IGN); /* should a writer come just now and break the lease */
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

/* ---- all of them ---- */

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All keys into one text, each with its NUL. */
static int read_keys(const struct images *images, DIR *directory, size_t max,
		     struct image_keys *keys)
{
	size_t size = 0;
	FILE *text = open_memstream(&keys->text, &size);
	struct dirent *entry;
	int r = text ? 0 : -ENOMEM;

	while (r == 0 && !keys->incomplete && (errno = 0, entry = readdir(directory))) {
		const char *ending = ending_of_name(images, entry->d_name);

		if (ending && keys->n_keys == max) {
			keys->incomplete = true;
		} else if (ending) {
			fwrite(entry->d_name, 1, strlen(entry->d_name) - strlen(ending), text);
			r = putc('\0', text) < 0 ? -ENOMEM : 0;
			keys->n_keys++;
		}
	}
	if (r == 0 && !keys->incomplete)
		r = -errno;
	if (text && fclose(text) != 0 && r == 0)
		r = -ENOMEM;
	return r;
}

static int sort_keys(struct image_keys *keys)
{
	const char *key = keys->text;
	size_t n = 0;

	keys->keys = calloc(keys->n_keys + 1, sizeof(*keys->keys));
	if (!keys->keys)
		return -ENOMEM;
	for (size_t i = 0; i < keys->n_keys; i++, key += strlen(key) + 1)
		keys->keys[i] = key;
	qsort(keys->keys, keys->n_keys, sizeof(*keys->keys), compare_keys);
	for (size_t i = 0; i < keys->n_keys; i++)
		if (n > 0 && str_equal(keys->keys[n - 1], keys->keys[i]))
			keys->n_clashes++;
		else
			keys->keys[n++] = keys->keys[i];
	keys->n_keys = n;
	return 0;
}

int images_keys(const struct images *images, size_t max, struct image_keys *ret_keys)
{
	struct image_keys keys = { 0 };
	DIR *directory;
	int fd, r;

	fd = open_directory(images);
	if (fd < 0)
		return fd;
	directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return -ENOMEM;
	}
	r = read_keys(images, directory, max, &keys);
	closedir(directory);
	if (r == 0)
		r = sort_keys(&keys);
	if (r < 0) {
		image_keys_done(&keys);
		return r;
	}
	*ret_keys = keys;
	return 0;
}

void image_keys_done(struct image_keys *keys)
{
	free(keys->keys);
	free(keys->text);
	*keys = (struct image_keys){ 0 };
}
