/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ask.c - exportfs(8) and the daemon: a request, faults and lines to print, an outcome
 * (control/exportfs.c).
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/base/caller.h"
#include "exportsd/exportfs/private.h"
#include "parser/text.h"

/* Returns 0; -errno of reaching the daemon. */
static int open_caller(const struct exportfs *exportfs, struct caller **ret_caller)
{
	CLEANUP(freep)
	char *socket = text_format("%s/control", exportfs->config->runtime_directory);

	return socket ? caller_open(ret_caller, socket) : -ENOMEM;
}

static int send_change(struct caller *caller, const struct exportfs *exportfs)
{
	const struct exports_change *change = exportfs->change;
	struct proto_writer request = { 0 };
	int r;

	proto_begin(&request, "exportfs");
	proto_put(&request, "action", change_word(change->kind));
	proto_put(&request, "options", change->options);
	if (change->ignore_files)
		proto_put_u64(&request, "ignore-files", 1);
	if (exportfs->verbose)
		proto_put_u64(&request, "verbose", 1);
	for (size_t i = 0; i < change->n_pairs; i++) {
		proto_put(&request, "client", change->pairs[i].client);
		proto_put(&request, "path", change->pairs[i].path);
	}
	r = proto_end(&request);
	if (r == 0)
		r = caller_ask(caller, &request);
	proto_writer_done(&request);
	return r;
}

static unsigned int number_of(const struct proto_message *message, const char *key)
{
	uint64_t number = 0;

	(void)proto_get_u64(message, key, UINT32_MAX, &number);
	return (unsigned int)number;
}

static void add_fault(struct diags *diags, const struct proto_message *fault)
{
	const struct position at = {
		.file = proto_get(fault, "file") ?: "",
		.line = number_of(fault, "line"),
		.column = number_of(fault, "column"),
	};
	bool is_warning = str_equal(proto_get(fault, "level") ?: "", "warning");

	diag_add(diags, is_warning ? DIAG_WARNING : DIAG_ERROR, &at, "%s",
		 proto_get(fault, "text") ?: "?");
}

/* Without memory all paths are suspects. */
static void take_suspect(struct exportfs *exportfs, const struct proto_message *message)
{
	const char *path = proto_get(message, "path") ?: "";
	int r = exportfs->suspects ? 0 : -ENOMEM;

	if (r == 0 && str_equal(message->word, "trial"))
		r = suspects_add_trial(exportfs->suspects, 0, path, number_of(message, "flags"));
	else if (r == 0)
		r = suspects_add_path(exportfs->suspects, path);
	if (r < 0)
		exportfs->suspects = suspects_free(exportfs->suspects);
}

/* Returns true at the outcome. */
static bool take_answer(struct exportfs *exportfs, const struct proto_message *message,
			struct diags *diags)
{
	int outcome = proto_outcome(message->word);

	if (str_equal(message->word, "fault"))
		add_fault(diags, message);
	else if (str_equal(message->word, "said"))
		fputs(proto_get(message, "text") ?: "", stdout);
	else if (str_equal(message->word, "suspect") || str_equal(message->word, "trial"))
		take_suspect(exportfs, message);
	if (outcome < 0)
		return false;
	if (!proto_get(message, "suspects-known"))
		exportfs->suspects = suspects_free(exportfs->suspects);
	diags->n_errors = number_of(message, "errors");
	diags->n_warnings = number_of(message, "warnings");
	diags->n_mistakes = number_of(message, "mistakes");
	exportfs_tell(exportfs, diags);
	if (outcome != PROTO_OK)
		exportfs_error(exportfs, "%s",
			       proto_get(message, "message") ?: "exportsd could not do it");
	return true;
}

bool exportfs_ask(struct exportfs *exportfs)
{
	const struct proto_message *message;
	struct caller *caller = NULL;
	struct diags diags = { 0 };
	int r = open_caller(exportfs, &caller);

	if (r < 0)
		return false;
	exportfs->suspects = suspects_new();
	r = send_change(caller, exportfs);
	while (r == 0) {
		r = caller_next(caller, &message);
		if (r == 0 && take_answer(exportfs, message, &diags))
			break;
	}
	if (r < 0) {
		exportfs_error(exportfs, "no answer from exportsd: %s", strerror(-r));
		exportfs->suspects = suspects_free(exportfs->suspects);
	}
	diags_done(&diags);
	caller_close(caller);
	return true;
}

static int read_rules(struct caller *caller, FILE *to)
{
	const struct proto_message *message;
	int r;

	while ((r = caller_next(caller, &message)) == 0 && proto_outcome(message->word) < 0)
		fprintf(to, "%s\n", proto_get(message, "etab") ?: "");
	return r;
}

char *exportfs_ask_rules(struct exportfs *exportfs)
{
	struct proto_writer request = { 0 };
	struct caller *caller = NULL;
	char *text = NULL;
	size_t size;
	FILE *to;

	if (open_caller(exportfs, &caller) < 0)
		return NULL;
	to = open_memstream(&text, &size);
	proto_begin(&request, "rules");
	if (exportfs->verbose && !exportfs->as_exports_file)
		proto_put_u64(&request, "media", 1);
	if (to && proto_end(&request) == 0 && caller_ask(caller, &request) == 0)
		(void)read_rules(caller, to);
	proto_writer_done(&request);
	caller_close(caller);
	if (to && fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
