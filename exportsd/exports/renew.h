/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * renew.h - what the kernel must be told after a reload: what changed, and nothing else (P8).
 *
 * Of each entry in the kernel's caches it is found out, in a thread, whether the new exports answer
 * it as the old ones did. If not, the kernel is made to ask again, entry by entry. All of it is
 * flushed only if an address that the kernel knows belongs to another domain now. If exports came
 * or went, nfsd.export alone is flushed: that is the only way to change a pseudo-root's change
 * attribute (kernel_flush_exports()), without which NFSv4 clients do not see the new ones. It is
 * flushed, too, if a path of such an entry cannot be looked at: the kernel would walk there while
 * it is written to, and wait for a dead disk or server (P6). nfsd.fh alone is flushed if it holds a
 * "no" that may be "yes" now.
 */

#include "exportsd/fs/paths.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/media/media.h"
#include "parser/snapshot/snapshot.h"

/*
 * renew_start - begin. Other exports are in force already, so that what the kernel asks from now on
 * is answered by them.
 *
 * @old:  no longer in use; taken, freed in the thread
 * @new:  in force, until done()
 * @done: once, never from within this call: the kernel has been told
 *
 * Returns 0; -errno, and @old is still the caller's.
 */
typedef void (*renew_done_fn)(void *userdata);
int renew_start(struct pending **ret_pending, sd_event *event, struct kernel *kernel,
		struct paths *paths, struct media *media, struct snapshot *old,
		const struct snapshot *new, renew_done_fn done, void *userdata);
