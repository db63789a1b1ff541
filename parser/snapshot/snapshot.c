/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * snapshot.c - a snapshot as a whole: its end, listing, printing.
 */

#include <stdio.h>

#include "parser/snapshot/private.h"

/* ---- the whole ---- */

struct snapshot *snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return NULL;
	clients_done(snapshot);
	free(snapshot->records.items);
	free(snapshot->places.items);
	free(snapshot->rules.items);
	free(snapshot->places_by_path.slots);
	free(snapshot->places_by_inode.slots);
	free(snapshot->records_by_pair.slots);
	free(snapshot->records_below.slots);
	free(snapshot->records_by_number.slots);
	free(snapshot->first_of_client);
	exports_source_free(snapshot->source);
	free(snapshot);
	return NULL;
}

size_t snapshot_n_exports(const struct snapshot *snapshot)
{
	return snapshot->n_listed;
}

const struct snapshot_export *snapshot_export(const struct snapshot *snapshot, size_t index)
{
	return &snapshot->records.items[index].export;
}

struct snapshot_as_written snapshot_as_written(const struct snapshot *snapshot,
					       const struct snapshot_export *export)
{
	/*
	 * The item knows what was written: "" or "*", and the options of a "/" that became fsid=0.
	 */
	const struct export_item *item = export_item_of(snapshot, export);

	return (struct snapshot_as_written){
		.client = item->client->type == CLIENT_ANONYMOUS ? item->client->text
								 : export->client->name,
		.options = item->options,
		.fsid = item->fsid,
		.at = { .file = item->file, .line = item->line, .column = item->column },
	};
}

int snapshot_print_export(const struct snapshot *snapshot, const struct snapshot_export *export,
			  FILE *to, uint32_t per_flavor)
{
	struct snapshot_as_written written = snapshot_as_written(snapshot, export);

	return export_print_etab(to, export->pattern ?: export->path, written.client,
				 written.options, written.fsid, per_flavor);
}

int snapshot_print_etab(const struct snapshot *snapshot, FILE *to, uint32_t per_flavor)
{
	for (uint32_t i = 0; i < snapshot->n_listed; i++) {
		int r = snapshot_print_export(snapshot, &snapshot->records.items[i].export, to,
					      per_flavor);

		if (r < 0)
			return r;
	}
	return 0;
}
