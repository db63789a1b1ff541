/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rootdir.h - exported paths beneath a directory (nfs.conf [exports] rootdir): what exports files,
 * clients and etab call /srv is ROOTDIR/srv to the kernel. Pure text.
 *
 * The daemon knows the short paths only. Who asks file systems (fs/paths_serve.c) looks beneath the
 * directory, and what goes to the kernel or comes from it is changed on its way (kernel.c).
 * rpc.mountd does both in a thread that is chrooted (nfs-utils support/misc/nfsd_path.c).
 */

/*
 * rootdir_strip - a host's path as one beneath rootdir. Points into @path or is "/"; NULL: it is
 * not beneath.
 * @rootdir: absolute, real, no slash at the end; NULL: /
 */
const char *rootdir_strip(const char *rootdir, const char *path);

/* rootdir_join - the other way round; NULL when memory is out. free(3) it. */
char *rootdir_join(const char *rootdir, const char *path);
