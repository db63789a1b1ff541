/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * alone.c - exportfs(8) where no daemon runs, as nfs-utils' does it: files and etab are
 * read, etab is written, the kernel's caches are flushed. Rules come into force when the daemon is
 * started.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/exportfs/private.h"
#include "exportsd/exports/etab_file.h"
#include "exportsd/exports/facts_now.h"
#include "exportsd/exports/recording.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/kernel/tls.h"

struct alone {
	struct exportfs *exportfs;
	struct facts_now asked;
	struct snapshot_facts facts;
	struct runtime *runtime;
	struct snapshot *before, *now;
	struct diags diags;
	struct exports_change_work work;
};

/* Which lines of etab are from no file is remembered beside it. */
static int mark_run_time(const struct alone *alone, struct exports_source *source)
{
	const char *added = runtime_added(alone->runtime);
	struct exports_source *known;
	struct diags quiet = { 0 };
	int r = exports_read_etab("", added, strlen(added), &quiet, &known);

	diags_done(&quiet);
	if (r < 0)
		return r;
	for (size_t i = 0; i < source->n_items; i++) {
		struct export_item *item = (struct export_item *)&source->items[i];

		for (size_t j = 0; j < known->n_items; j++)
			if (str_equal(known->items[j].path, item->path) &&
			    str_equal(known->items[j].client->text, item->client->text))
				item->file = exports_at_run_time;
	}
	exports_source_free(known);
	return 0;
}

/* What etab says is in force. Its faults are nobody's here. */
static int read_in_force(struct alone *alone)
{
	CLEANUP(freep) char *text = NULL;
	struct exports_source *source;
	struct file_version version;
	struct diags quiet = { 0 };
	int r = etab_file_read(alone->exportfs->config->nfs_state_directory, &text, &version);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = exports_read_etab("etab", text, strlen(text), &quiet, &source);
	if (r == 0) {
		r = mark_run_time(alone, source);
		if (r < 0)
			exports_source_free(source);
	}
	if (r == 0)
		r = snapshot_new(source, &alone->facts, true, &quiet, &alone->before);
	diags_done(&quiet);
	return r;
}

static int make_snapshot(struct alone *alone)
{
	struct exports_source *source;
	int r = change_read(&alone->work, &source);

	if (r < 0)
		return r;
	r = change_choose(&alone->work, &alone->facts, source);
	if (r < 0)
		exports_source_free(source);
	else
		r = snapshot_new(source, &alone->facts, true, &alone->diags, &alone->now);
	return r < 0 ? r : change_say(&alone->work, alone->now);
}

static int note(struct alone *alone, enum change_kind kind)
{
	if (kind == CHANGE_FILES || kind == CHANGE_FILES_TOO)
		return 0;
	return runtime_note(alone->runtime, alone->before, alone->now, kind == CHANGE_UNEXPORT_ALL);
}

static void record(struct alone *alone)
{
	struct exportfs *exportfs = alone->exportfs;
	struct recording recording = {
		.config = exportfs->config,
		.kind = exportfs->change->kind,
		.per_flavor = kernel_read_per_flavor_flags("/proc"),
		.runtime = alone->runtime,
		.now = alone->now,
	};

	(void)mkdir(exportfs->config->state_directory, 0700);
	recording_run(&recording);
	if (recording.etab_error < 0)
		exportfs_error(exportfs, "cannot write etab: %s", strerror(-recording.etab_error));
	if (recording.runtime_error < 0)
		exportfs_error(exportfs, "cannot write run-time-exports: %s",
			       strerror(-recording.runtime_error));
}

void exportfs_flush(struct exportfs *exportfs)
{
	struct kernel *kernel = NULL;
	int r = kernel_open_for_trials(&kernel, "/proc");

	if (r == 0)
		r = kernel_flush(kernel);
	if (r < 0)
		exportfs_error(exportfs, "cannot flush the kernel's caches: %s", strerror(-r));
	kernel_close(kernel);
}

static int prepare(struct alone *alone)
{
	CLEANUP(freep) char *file = recording_runtime_file(alone->exportfs->config);
	int r = file ? runtime_new(&alone->runtime) : -ENOMEM;

	if (r == 0)
		r = runtime_read(alone->runtime, file);
	if (r == -ENOENT)
		r = 0;
	/*
	 * Who takes everything back need not know what there is: names are not looked up for that.
	 */
	if (r == 0 && alone->exportfs->change->kind != CHANGE_UNEXPORT_ALL)
		r = read_in_force(alone);
	return r;
}

static int make_change(struct alone *alone)
{
	const struct exports_change *change = alone->exportfs->change;
	int r = prepare(alone);

	if (r < 0)
		return r;
	alone->work = (struct exports_change_work){
		.change = change,
		.config = alone->exportfs->config,
		.in_force = alone->before,
		.is_in_etab_order = true,
		.runtime = alone->runtime,
		.diags = &alone->diags,
	};
	r = make_snapshot(alone);
	if (r < 0)
		return r;
	if (tls_is_wanted(alone->now) && kernel_lacks_tls("/proc"))
		tls_advise(alone->now, &alone->diags);
	if (alone->exportfs->verbose)
		fputs(alone->work.said ?: "", stdout);
	exportfs_tell(alone->exportfs, &alone->diags);
	if (alone->diags.n_errors && !change_takes_faults(change)) {
		exportfs_error(alone->exportfs, "the exports in force stay as they were");
		return 0;
	}
	r = note(alone, change->kind);
	if (r == 0)
		record(alone);
	exportfs_flush(alone->exportfs);
	return r;
}

void exportfs_alone(struct exportfs *exportfs)
{
	struct alone alone = { .exportfs = exportfs };
	int r;

	alone.facts = facts_now_init(&alone.asked);
	r = make_change(&alone);
	if (r < 0)
		exportfs_error(exportfs, "%s", strerror(-r));
	change_work_done(&alone.work);
	diags_done(&alone.diags);
	snapshot_free(alone.before);
	snapshot_free(alone.now);
	runtime_free(alone.runtime);
	facts_now_done(&alone.asked);
}
