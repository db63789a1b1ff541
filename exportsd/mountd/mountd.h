/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * mountd.h - the MOUNT service (RFC 1094 appendix A, RFC 1813 appendix I) over the daemon's
 * snapshot, media and kernel.
 */

#include "exportsd/base/parts.h"

int mountd_new(struct mountd **ret_mountd, struct daemon *daemon);
struct mountd *mountd_free(struct mountd *mountd); /* unregisters from rpcbind */

/*
 * mountd_again - other exports are in force: calls that wait are looked at anew. While the old
 * snapshot still exists.
 */
void mountd_again(struct mountd *mountd);

/* mountd_each_mount - what DUMP lists: a client's address and path, newest first. */
int mountd_each_mount(const struct mountd *mountd,
		      int (*each)(void *userdata, const char *client, const char *path),
		      void *userdata);
/* The port in use, 0 if none. */
uint16_t mountd_port(const struct mountd *mountd);
