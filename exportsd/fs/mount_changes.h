/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * mount_changes.h - where something was mounted or unmounted since a moment, so that only what lies
 * there need be looked at again.
 *
 * Two moments are kept: that of what is in force, and that of what is being loaded, which comes
 * into force next. What is unmounted and mounted again on the same place, of the same device,
 * between two turns of the loop is not seen.
 */

#include <systemd/sd-event.h>

#include "parser/base.h"

struct mount_changes;

/*
 * @rootdir: what paths lie beneath (kernel/rootdir.h), or NULL; borrowed
 * @changed: called when the table of mounts is another one
 */
int mount_changes_new(struct mount_changes **ret_changes, sd_event *event, const char *rootdir,
		      void (*changed)(void *userdata), void *userdata);
struct mount_changes *mount_changes_free(struct mount_changes *changes);

/*
 * mount_changes_begin - a load begins; mount_changes_put_in_force - it is what counts now, with
 * what changed since.
 */
void mount_changes_begin(struct mount_changes *changes);
void mount_changes_put_in_force(struct mount_changes *changes);

/* mount_changes_look - take in now what the loop would tell in its next turn. */
void mount_changes_look(struct mount_changes *changes);

/* mount_changes_next - the places that changed, after @place (NULL: the first); NULL: no more. */
const char *mount_changes_next(const struct mount_changes *changes, const char *place);
/* mount_changes_all - so much changed that nothing is known any more. */
bool mount_changes_all(const struct mount_changes *changes);
/* mount_changes_at - did it change at a path or above it? */
bool mount_changes_at(const struct mount_changes *changes, const char *path);
