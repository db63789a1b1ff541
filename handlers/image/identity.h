/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * identity.h - what file system an image or device holds, and which one it is.
 */

#include "parser/base.h"

struct image_identity {
	char *type; /* libblkid's name, which is mount(8)'s */
	char *label; /* NULL: it has none */
	/*
	 * "iso9660 DEBIAN_12 2023-06-10-10-21-00-00 sum-0123456789abcdef-658505728": type, label
	 * ('-': none), UUID, and of what is never written, or has no UUID, a checksum of samples
	 * and the size.
	 */
	char *text;
};

enum identity_found {
	IDENTITY_FOUND,
	IDENTITY_NOTHING, /* no file system that libblkid knows */
	IDENTITY_FORBIDDEN, /* one that is not allowed: only type is set */
	IDENTITY_UNCLEAR, /* several at once: which one a driver would see is anybody's guess */
};

/*
 * identity_probe - look at the superblocks, and only at those of allowed types.
 *
 * @fd:    readable; its offset may move
 * @types: NULL-terminated names; a disc that is ISO 9660 and UDF at once (both allowed) is what
 *         libblkid says: UDF
 *
 * Two discs may have one label and one UUID: that of iso9660 is a time, and what is made to be
 * reproducible has none of its own. So the text of a file system that is never written also tells
 * its size and a checksum of its beginning and of samples from all of it, of all of it if it is
 * small. That of others, whose superblock changes when they are mounted elsewhere, relies on the
 * UUID.
 *
 * Returns an enum identity_found; -errno.
 */
int identity_probe(int fd, char *const *types, struct image_identity *ret_identity);
void image_identity_done(struct image_identity *identity);

/* Does libblkid know this type? */
bool identity_type_is_known(const char *type);
