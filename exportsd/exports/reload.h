/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * reload.h - from files to the snapshot in force, all or nothing (P8): read them, ask paths and
 * names without holding up the loop, make a snapshot, put it in force, tell the kernel if something
 * changed.
 *
 * Host names are asked again when their age is over, and a new snapshot made of what is exported;
 * files that were edited meanwhile wait for the administrator's reload. A host name that the name
 * service says nothing about keeps the addresses it had.
 *
 * What is in force is written into nfs-utils' etab; when another program writes that, it comes into
 * force.
 */

#include "exportsd/base/parts.h"
#include "exportsd/config/config.h"
#include "exportsd/exports/change.h"
#include "exportsd/exports/suspects.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/media/media.h"
#include "exportsd/names/names.h"
#include "exportsd/numbers/numbers.h"
#include "parser/diag.h"
#include "parser/snapshot/snapshot.h"

/*
 * Who goes by the exports in force and lies above: told in the loop.
 *
 * begin:    other exports are about to be looked at
 * in_force: the other exports are in force now; the old ones exist until this returns
 */
struct reload_hooks {
	void (*begin)(void *userdata);
	void (*in_force)(void *userdata);
	void *userdata;
};

/* @hooks: copied; each function is called from the loop */
int reload_new(struct reload **ret_reload, struct daemon *daemon, const struct reload_hooks *hooks);
struct reload *reload_free(struct reload *reload);

/*
 * reload_start - read the files and put them in force.
 *
 * One that has read the files already goes on to its end, and the next one begins then: however
 * often this is called, each one ends, and nobody is told of files as they were before he asked.
 * Who asks again with the same done and userdata before a reload of his has begun is told once.
 *
 * @accept_faults: items without faults come into force even if others are faulty: for the start of
 *        the daemon, when there is nothing older to keep
 * @done: never from within this call. @diags: valid during the call. applied: the new exports are
 *        in force. changed: they differ from the old ones.
 *
 * Returns 0; -ENOMEM.
 */
typedef void (*reload_done_fn)(void *userdata, const struct diags *diags, bool applied,
			       bool changed);
int reload_start(struct reload *reload, bool accept_faults, reload_done_fn done, void *userdata);
/*
 * reload_change - the same for another change of what is exported; they are made one after another,
 * none is left out.
 *
 * @change: taken
 *
 * When done() is called etab is written, and the change remembered; what went wrong with these
 * files is among the diags, and logged. Returns 0; -ENOMEM.
 */
int reload_change(struct reload *reload, struct exports_change *change, reload_done_fn done,
		  void *userdata);

/* reload_said - from within done(): the lines that exportfs -v prints; "" if there are none. */
const char *reload_said(const struct reload *reload);

/* reload_suspects - from within done(): which paths exportfs(8) must look at. NULL: all. */
const struct suspects *reload_suspects(const struct reload *reload);

/* reload_forget - done() of the callers with this userdata will not be called. */
void reload_forget(struct reload *reload, const void *userdata);

/*
 * Of the last reload: how many faults it found, and when exports last came into force
 * (CLOCK_REALTIME; 0 never).
 */
size_t reload_n_errors(const struct reload *reload);
uint64_t reload_applied_usec(const struct reload *reload);

/*
 * reload_reserves - is this number written by hand in exports that are being loaded
 * (attempt_reserves())?
 */
bool reload_reserves(const struct reload *reload, uint32_t number);
