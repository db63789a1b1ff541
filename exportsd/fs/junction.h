/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * junction.h - directories that stand for something on another server: NFS junctions, as nfsref(8)
 * makes them.
 *
 * nfsd takes a directory for one that has the sticky bit, no execute bits, and an extended
 * attribute (fs/nfsd/vfs.c nfsd4_is_junction()); the attribute holds XML (nfs-utils
 * support/junction/nfs.c).
 */

#include <sys/types.h>

#include "parser/base.h"

enum { JUNCTION_XML_MAX = 65536, JUNCTION_LOCATIONS_MAX = 8192 };

/*
 * junction_read - where a junction leads to.
 *
 * @fd: any descriptor of it, O_PATH too
 * @ret_locations: as in refer= (exports(5)): /path@host+host:/path@host; to free(3)
 *
 * Returns 0; JUNCTION_NONE: it is none; -EBADMSG: its XML says nothing of use; -ENOMEM; -errno.
 */
enum { JUNCTION_NONE = 1 };
int junction_read(int fd, char **ret_locations);

/* junction_parse - the same of its XML. Returns 0; -EBADMSG; -ENOMEM. */
int junction_parse(const char *xml, size_t length, char **ret_locations);
