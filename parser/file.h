/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * file.h - files that may be something else by mistake: a pipe, a directory, a socket. Nothing here
 * waits.
 */

#include <stdio.h>
#include <sys/types.h>

enum {
	FILE_BYTES_MAX = 1 << 30
}; /* what is larger is damaged: ten million lines of exports are not */

/*
 * file_open - open a file to read it. Of devices only /dev/null is taken, as an empty file.
 *
 * Returns a descriptor; -errno; -EISDIR; -EFBIG; -ENOTSUP: it is a pipe, a socket, a device.
 */
int file_open(const char *path);

/* file_open_stream - the same. Returns NULL and sets errno on failure. */
FILE *file_open_stream(const char *path);

/*
 * file_read - all there is in a file from where the descriptor stands, and a NUL behind it.
 *
 * @max: bytes; beyond that -EFBIG
 *
 * Returns 0; -errno. The text is to free(3).
 */
int file_read(int fd, size_t max, char **ret_text, size_t *ret_length);

/*
 * file_replace - the one way to put a new file in a file's place: who reads sees the old one or the
 * new one, never half of one. NAME.tmp is used meanwhile: a new file, whatever has that name already
 * (what an earlier attempt left, or a link to another file: /var/lib/nfs may belong to rpc.statd's
 * user).
 *
 * @directory: an open directory that a relative name is beneath; or AT_FDCWD
 * @mode:  its permissions, whatever the umask; 0: what the umask leaves
 * @flags: FILE_SYNC: it is on the disk when this returns, and so is its name
 * @write: writes what is in it, and may read that again; FILE_KEEP: the old one is to stay; a negative result ends the matter
 *
 * Returns 0; what write() returned; -errno. On failure the old file stays.
 */
enum { FILE_SYNC = 1 };
enum { FILE_KEEP = 1 };
int file_replace(int directory, const char *name, mode_t mode, unsigned int flags,
		 int (*write)(void *userdata, FILE *to), void *userdata);
