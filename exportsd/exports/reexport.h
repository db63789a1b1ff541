/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * reexport.h - numbers for exports with reexport=auto-fsidnum or predefined-fsidnum: file systems
 * that have no id of their own that lasts, such as mounts from another NFS server. The numbers are
 * those of the number store, where nfs-utils asks fsidd(8) (support/reexport/reexport.c
 * reexpdb_apply_reexport_settings()).
 */

#include "exportsd/exports/loading.h"
#include "exportsd/numbers/numbers.h"

enum { REEXPORT_NOTHING = 1 };
/*
 * reexport_start - give the loading's exports their numbers, by their real paths.
 *
 * @loading: its real paths are known; borrowed until done(). Its diags get what is wrong, its
 *           exports have their numbers (fsid) afterwards
 * @done:    once, never from within this call; error 0 or -ENOMEM
 *
 * Returns 0; REEXPORT_NOTHING: there are none, done() is not called; -errno.
 */
typedef void (*reexport_done_fn)(void *userdata, int error);
int reexport_start(struct pending **ret_pending, struct numbers *numbers, struct loading *loading,
		   reexport_done_fn done, void *userdata);
