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
	struct later later;
	questions_named_fn done;
	void *userdata;
};

static void cancel_naming(struct pending *pending)
{
	struct naming *naming = (struct naming *)pending;

	DL_DELETE(naming->questions->namings, naming);
	pending_cancel(&naming->identities);
	later_cancel(&naming->later);
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
		const struct snapshot_export *export = snapshot_export(snapshot, i);

		if (export->pattern || !(export->options->flags & EXPORT_FSID) ||
		    export->fsid != number)
			continue;
		if (n_paths == 0 || !str_equal(paths[n_paths - 1], export->path))
			paths[n_paths++] = export->path;
	}
	finish(naming, paths, n_paths, paths != NULL);
}

static void on_later(void *userdata)
{
	struct naming *naming = userdata;
	struct questions *questions = naming->questions;

	if (naming->fsid.type == FSID_NUM)
		name_number(naming);
	else if (identities_find(questions->identities, naming->fsid.type, naming->fsid.bytes,
				 on_identities, naming, &naming->identities) < 0)
		finish(naming, NULL, 0, false);
}

static void begin(struct naming *naming)
{
	pending_cancel(&naming->identities);
	later_call(&naming->later, naming->questions->daemon->event, on_later, naming);
}

int questions_name(struct questions *questions, const struct kernel_fsid *fsid,
		   questions_named_fn done, void *userdata, struct pending **ret_naming)
{
	struct naming *naming = calloc(1, sizeof(*naming));

	if (!naming)
		return -ENOMEM;
	naming->pending.cancel = cancel_naming;
	naming->questions = questions;
	naming->fsid = *fsid;
	naming->done = done;
	naming->userdata = userdata;
	DL_APPEND(questions->namings, naming);
	begin(naming);
	*ret_naming = &naming->pending;
	return 0;
}

void namings_again(struct questions *questions)
{
	struct naming *naming;

	DL_FOREACH (questions->namings, naming)
		begin(naming);
}

void namings_end(struct questions *questions)
{
	while (questions->namings)
		cancel_naming(&questions->namings->pending);
}
