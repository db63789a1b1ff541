/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * reload.h - from files to the snapshot in force, all or nothing (P8): read, ask paths and names without holding up
 * the loop, make a snapshot, swap, tell the kernel if something changed.
 */

#include "exportsd/daemon.h"
#include "parser/diag.h"

int reload_new(struct reload **ret_reload, struct daemon *daemon);
struct reload *reload_free(struct reload *reload);

/*
 * reload_start - begin a reload; one that is under way is begun anew.
 *
 * @accept_faults: at the start: items without faults come into force even if others are faulty
 * @done: may be NULL; exactly once, never from within this call. @diags: valid during the call. applied: the new exports are
 *        in force. changed: they differ from the old ones.
 */
typedef void (*reload_done_fn)(void *userdata, const struct diags *diags, bool applied, bool changed);
int reload_start(struct reload *reload, bool accept_faults, reload_done_fn done, void *userdata);
/* The callback of the caller with this userdata will not be called. */
void reload_forget(struct reload *reload, void *userdata);

/* Of the last reload: its faults' count and when it came into force (CLOCK_REALTIME usec, 0 never). */
size_t reload_n_errors(const struct reload *reload);
uint64_t reload_applied_usec(const struct reload *reload);
