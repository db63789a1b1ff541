/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * fsid_recover.h - numbers from files that are not the store's. What goes wrong is said on standard
 * error.
 */

#include "exportsd/ctl/fsid_rows.h"

/*
 * fsid_read_file - a copy of the store, whatever is right in it, or a list that exportsctl fsid
 * export or the daemon wrote.
 */
bool fsid_read_file(const struct invocation *invocation, const struct fsid_store *store,
		    const char *name, struct entries *entries);

/*
 * fsid_publish - a copy, with a MAC, on each writable exported file system. Returns the exit code.
 */
int fsid_publish(const struct invocation *invocation, struct fsid_store *store);

/* fsid_read_fsidd - the database of nfs-utils' fsidd. */
bool fsid_read_fsidd(const char *name, struct entries *entries);
