/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * mount_changes.h - places where something was mounted or unmounted since a moment, so that only
 * what lies there need be looked at again.
 *
 * Two moments are kept: that of what is in force, and that of what is being loaded, which comes
 * into force next.
 */

#include "parser/base.h"

struct mount_changes_place;

struct mount_changes_set {
	struct mount_changes_place *places; /* hash by path */
	bool all; /* so much changed that nothing is known any more */
};

/* Zero-initialised: nothing changed, and nothing is being loaded. */
struct mount_changes {
	struct mount_changes_set in_force, loading;
	bool is_loading;
};

/* mount_changes_begin - a load begins. */
void mount_changes_begin(struct mount_changes *changes);
/* mount_changes_put_in_force - it is what counts now, with what changed since it began. */
void mount_changes_put_in_force(struct mount_changes *changes);
void mount_changes_done(struct mount_changes *changes);

/* mount_changes_note - something changed at a place. @in_force: also for what is in force */
void mount_changes_note(struct mount_changes *changes, const char *place, bool in_force);

/* mount_changes_next - the places that changed, after @place (NULL: the first); NULL: no more. */
const char *mount_changes_next(const struct mount_changes *changes, const char *place);
/* mount_changes_at - did it change at a path or above it? */
bool mount_changes_at(const struct mount_changes *changes, const char *path);
