/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * file.h - files that may be something else by mistake: a pipe, a directory, a socket. Nothing here waits.
 */

#include <stdio.h>

/*
 * file_open - open a file to read it. Devices are taken, too: /dev/null is an empty file.
 *
 * Returns a descriptor; -errno; -EISDIR; -ENOTSUP: it is a pipe or a socket.
 */
int file_open(const char *path);

/* file_open_stream - the same. Returns NULL and sets errno on failure. */
FILE *file_open_stream(const char *path);

/*
 * file_open_new - make an empty file to write, in the place of whatever has its name: what an earlier attempt left.
 *
 * Returns NULL and sets errno on failure.
 */
FILE *file_open_new(const char *path);
