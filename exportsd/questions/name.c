/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Naming what a file handle's file system id means, for people: nobody's rights matter, and
 * nothing is told to the kernel.
 */

#include <errno.h>
#include <utlist.h>

#include "exportsd/questions/private.h"

struct naming {
	struct pending pending;
	struct naming *prev, *next;
	struct questions *questions;
	struct kernel_fsid fsid;
	struct pending *identities;
	sd_event_source *later;
	questions_named_fn done;
	void *userdata;
};

static void cancel_naming(struct pending *pending)
{
	struct naming *naming = (struct naming *)pending;

	DL_DELETE(naming->questions->namings, naming);
	pending_cancel(&naming->identities);
	sd_event_source_disable_unref(naming->later);
	free(naming);
}

static void finish(struct naming *naming, const char *const *paths, size_t n_paths, bool complete)
{
	questions_named_fn done = naming->done;
	void *userdata = naming->userdata;

	naming->identities = NULL;
	cancel_naming(&naming->pending);
	done(userdata, paths, n_paths, complete);
}

static void on_identities(void *userdata, const char *const *paths, size_t n_paths, bool complete)
{
	finish(userdata, paths, n_paths, complete);
}

/* A number: exports that have it by hand. Those it was given to are numbers/numbers.h's to tell. */
static void name_number(struct naming *naming)
{
	const struct snapshot *snapshot = naming->questions->daemon->snapshot;
	uint32_t number = kernel_fsid_number(&naming->fsid);
	size_t n = snapshot ? snapshot_n_exports(snapshot) : 0, n_paths = 0;
	CLEANUP(freep) const char **paths = calloc(n + 1, sizeof(*paths));

	for (size_t i = 0; paths && i < n; i++) {
		const struct export *export = snapshot_export(snapshot, i);

		if (export->pattern || !(export->options->flags & EXPORT_FSID) ||
		    export->fsid != number)
			continue;
		if (n_paths == 0 || !str_equal(paths[n_paths - 1], export->path))
			paths[n_paths++] = export->path;
	}
	finish(naming, paths, n_paths, paths != NULL);
}

static int on_later(sd_event_source *source, void *userdata)
{
	struct naming *naming = userdata;
	struct questions *questions = naming->questions;

	naming->later = sd_event_source_disable_unref(naming->later);
	if (naming->fsid.type == FSID_NUM)
		name_number(naming);
	else if (identities_find(questions->identities, questions->daemon->snapshot,
				 naming->fsid.type, naming->fsid.bytes, on_identities, naming,
				 &naming->identities) < 0)
		finish(naming, NULL, 0, false);
	return 0;
}

static int begin(struct naming *naming)
{
	pending_cancel(&naming->identities);
	if (naming->later)
		return 0;
	return sd_event_add_defer(naming->questions->daemon->event, &naming->later, on_later,
				  naming);
}

int questions_name(struct questions *questions, const struct kernel_fsid *fsid,
		   questions_named_fn done, void *userdata, struct pending **ret_naming)
{
	struct naming *naming = calloc(1, sizeof(*naming));
	int r;

	if (!naming)
		return -ENOMEM;
	naming->pending.cancel = cancel_naming;
	naming->questions = questions;
	naming->fsid = *fsid;
	naming->done = done;
	naming->userdata = userdata;
	DL_APPEND(questions->namings, naming);
	r = begin(naming);
	if (r < 0) {
		cancel_naming(&naming->pending);
		return r;
	}
	*ret_naming = &naming->pending;
	return 0;
}

void namings_again(struct questions *questions)
{
	struct naming *naming, *next;

	DL_FOREACH_SAFE (questions->namings, naming, next)
		if (begin(naming) < 0)
			finish(naming, NULL, 0, false);
}

void namings_end(struct questions *questions)
{
	while (questions->namings)
		cancel_naming(&questions->namings->pending);
}
