/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rootdir.h - exported paths beneath a directory (nfs.conf [exports] rootdir): what exports files,
 * clients and etab call /srv is ROOTDIR/srv to the kernel. Pure text.
 *
 * The daemon knows the short paths only. Who asks file systems (fs/paths_serve.c) looks beneath the
 * directory, and what goes to the kernel or comes from it is changed on its way, in the channels'
 * lines (kernel.c). rpc.mountd does both in a thread that is chrooted (nfs-utils
 * support/misc/nfsd_path.c).
 */

#include "exportsd/kernel/kernel.h"

/*
 * rootdir_strip - a host's path as one beneath rootdir. Points into @path or is "/"; NULL: it is
 * not beneath.
 * @rootdir: absolute, real, no slash at the end; NULL: /
 */
const char *rootdir_strip(const char *rootdir, const char *path);

/* rootdir_join - the other way round; NULL when memory is out. free(3) it. */
char *rootdir_join(const char *rootdir, const char *path);

/*
 * The kernel's lines. @root_word: rootdir in the kernel's escapes. To free(3).
 *
 * answer: each path in it begins with rootdir from then on; but for /proc/self/fd/, which means a
 * descriptor question: the other way round; ROOTDIR_OUTSIDE: its path is not beneath rootdir
 * Return 0; -ENOMEM.
 */
enum { ROOTDIR_OUTSIDE = 1 };
int rootdir_answer(const char *root_word, enum kernel_cache cache, const char *line,
		   char **ret_line);
int rootdir_question(const char *root_word, enum kernel_cache cache, const char *line,
		     char **ret_line);
