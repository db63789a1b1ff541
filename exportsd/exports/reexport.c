/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * All paths that need a number get it in one transaction of the store; then each export is given
 * its own, or a fault is told. A number that somebody wrote by hand is never given to another path,
 * so the two kinds may be mixed: nfs-utils calls that an error, and exports it all the same.
 */

#include "exportsd/exports/reexport.h"

#include <errno.h>

struct reexport {
	struct pending pending;
	struct numbers *numbers;
	struct loading *loading;
	reexport_done_fn done;
	void *userdata;
	struct pending *question;
};

/* Not with fsid=0, which is the root's, nor with a uuid. */
static bool is_numbered(const struct export_item *item)
{
	const struct export_options *options = item->options;

	return !item->pattern && options->reexport > EXPORT_REEXPORT_NONE && !options->uuid &&
	       !(options->flags & EXPORT_FSID && item->fsid == 0);
}

static const char *path_of(const struct reexport *reexport, const struct export_item *item)
{
	const struct exports_fact *fact = facts_find(reexport->loading->real_paths, item->path);

	return fact && fact->answer ? fact->answer : item->path;
}

static void cancel(struct pending *pending)
{
	struct reexport *reexport = (struct reexport *)pending;

	pending_cancel(&reexport->question);
	free(reexport);
}

static void tell_fault(struct reexport *reexport, const struct export_item *item, uint32_t number)
{
	const struct position at = { .file = item->file,
				     .line = item->line,
				     .column = item->column };

	if (number)
		diag_add(
			&reexport->loading->diags, DIAG_ERROR, &at,
			"fsid=%u of '%s' is not its number for reexport=, which is %u for ever; leave fsid= out",
			item->fsid, item->path, number);
	else if (item->options->reexport == EXPORT_REEXPORT_PREDEFINED)
		diag_add(
			&reexport->loading->diags, DIAG_ERROR, &at,
			"'%s' has no number yet, as reexport=predefined-fsidnum wants: give it one "
			"(exportsctl fsid), or write auto-fsidnum",
			item->path);
	else
		diag_add(&reexport->loading->diags, DIAG_ERROR, &at,
			 "the number store gives '%s' no number now", item->path);
}

static int give_number(struct reexport *reexport, size_t index)
{
	struct loading *loading = reexport->loading;
	const struct export_item *item = &loading->source->items[index];
	uint32_t number = numbers_get(reexport->numbers, path_of(reexport, item));

	if (!number || (item->options->flags & EXPORT_FSID && item->fsid != number)) {
		tell_fault(reexport, item, number);
		return 0;
	}
	return exports_set_number(loading->source, index, number);
}

static void on_numbers(void *userdata, int error)
{
	struct reexport *reexport = userdata;
	const struct exports_source *source = reexport->loading->source;
	reexport_done_fn done = reexport->done;
	void *whose = reexport->userdata;
	int r = 0;

	/* What failed shows: some path has no number. */
	reexport->question = NULL;
	for (size_t i = 0; r == 0 && i < source->n_items; i++)
		if (is_numbered(&source->items[i]))
			r = give_number(reexport, i);
	cancel(&reexport->pending);
	done(whose, r);
}

static int ask(struct reexport *reexport)
{
	const struct exports_source *source = reexport->loading->source;
	CLEANUP(freep) const char **paths = calloc(source->n_items, sizeof(*paths));
	size_t n = 0;

	if (!paths)
		return -ENOMEM;
	for (size_t i = 0; i < source->n_items; i++) {
		const struct export_item *item = &source->items[i];

		if (is_numbered(item) && item->options->reexport == EXPORT_REEXPORT_AUTO)
			paths[n++] = path_of(reexport, item);
	}
	return numbers_assign(reexport->numbers, paths, n, on_numbers, reexport,
			      &reexport->question);
}

int reexport_start(struct pending **ret_pending, struct numbers *numbers, struct loading *loading,
		   reexport_done_fn done, void *userdata)
{
	struct reexport *reexport;
	size_t i = 0;
	int r;

	while (i < loading->source->n_items && !is_numbered(&loading->source->items[i]))
		i++;
	if (i == loading->source->n_items)
		return REEXPORT_NOTHING;
	reexport = calloc(1, sizeof(*reexport));
	if (!reexport)
		return -ENOMEM;
	*reexport = (struct reexport){
		.pending = { cancel },
		.numbers = numbers,
		.loading = loading,
		.done = done,
		.userdata = userdata,
	};
	r = ask(reexport);
	if (r < 0)
		cancel(&reexport->pending);
	else
		*ret_pending = &reexport->pending;
	return r;
}
