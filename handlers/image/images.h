/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * images.h - a directory of image files, as media: which file a key means, and which keys there
 * are.
 *
 * The key is the file's name without its ending: debian-12.iso is "debian-12". An ending counts as
 * given or in capitals; of several that fit a name, the longest. If two files have one key,
 * the one whose ending was given first is meant (then, lower case before capitals).
 *
 * Names that start with a dot are no images (rsync's half-copied files), nor is what is no regular
 * file. A symbolic link counts if it stays within the directory, or if follow_links is set.
 */

#include <sys/stat.h>

#include "parser/base.h"

enum { IMAGES_MAX = 100000 }; /* file names looked at in a directory; those beyond are not listed */

struct images {
	const char *directory;
	char **endings; /* with their dots; NULL-terminated */
	bool follow_links;
};

struct image {
	char *name; /* the file's, in the directory */
	int fd; /* O_PATH: the very file that st describes */
	struct stat st;
};

/* images_key_of_name - the key of a file name, to free(3); NULL: no image's name (or no memory). */
char *images_key_of_name(const struct images *images, const char *name);

/*
 * images_open - find the image of a key.
 *
 * @key: anything; one with '/' is no image's
 *
 * Returns 0; -ENOENT: there is none, or the directory is not there; -errno.
 */
int images_open(const struct images *images, const char *key, struct image *ret_image);
void image_done(struct image *image);

/* image_read_fd - open it for reading. Returns a descriptor; -errno. */
int image_read_fd(const struct image *image);

/*
 * image_is_being_written - has some process this file open for writing?
 *
 * @fd: from image_read_fd()
 *
 * Asked by a read lease (fcntl(2) F_SETLEASE), which is given back at once. Where there are no
 * leases, the answer is no.
 */
bool image_is_being_written(int fd);

/* Keys, sorted bytewise, each once. */
struct image_keys {
	const char **keys;
	size_t n_keys;
	size_t n_clashes; /* files passed over because of another one with the same key */
	bool incomplete; /* IMAGES_MAX was reached */
	char *text; /* what keys points into */
};

/*
 * images_keys - the keys of all names in the directory; whether each can be opened is not looked
 * at.
 *
 * @max: IMAGES_MAX
 *
 * Returns 0; -errno.
 */
int images_keys(const struct images *images, size_t max, struct image_keys *ret_keys);
void image_keys_done(struct image_keys *keys);
