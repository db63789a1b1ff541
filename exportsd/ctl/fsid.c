/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fsid.c - exportsctl fsid list, set, retire, verify, copy, export: what the number store says, and
 * what is told it.
 */

#include <errno.h>
#include <inttypes.h>

#include "exportsd/ctl/fsid_rows.h"
#include "exportsd/ctl/json.h"
#include "exportsd/numbers/file.h"
#include "exportsd/numbers/text.h"

/* ---- list ---- */

static const char *state_of(struct numbers_entries *entries, const struct numbers_entry *entry)
{
	if (entry->retired)
		return "retired";
	return numbers_entry_primary(
		       numbers_entries_find_path(entries, entry->path, entry->n_path)) == entry
		       ? "primary"
		       : "further";
}

static void print_number(struct numbers_entries *entries, const struct numbers_entry *entry)
{
	printf("%-10" PRIu32 " %-7s ", entry->number, state_of(entries, entry));
	print_shown(stdout, entry->path);
	if (entry->identity) {
		fputs("  ", stdout);
		print_shown(stdout, entry->identity);
	}
	putchar('\n');
}

static struct json_object *json_of_number(struct numbers_entries *entries,
					  const struct numbers_entry *entry)
{
	struct json_object *object = json_object_new_object();

	json_add_number(object, "fsid", entry->number);
	json_add_text(object, "path", entry->path);
	json_add_text(object, "identity", entry->identity);
	json_add_text(object, "state", state_of(entries, entry));
	if (entry->created)
		json_add_number(object, "created", (uint64_t)entry->created);
	return object;
}

static int run_list(const struct ctl_invocation *invocation)
{
	const char *argument = invocation->arguments[0];
	CLEANUP(freep) char *path = argument ? absolute_path(argument) : NULL;
	CLEANUP(fsid_store_close) struct fsid_store store = {};
	struct json_object *all = json_object_new_array();
	bool as_json = ctl_option(invocation, "json");
	struct numbers_entries entries = {};
	int n_good = fsid_store_open(invocation, &store) ? fsid_read_all(&store, &entries) : -1;

	for (const struct numbers_entry *entry = NULL;
	     n_good >= 0 && (entry = numbers_entries_next(&entries, entry ? entry->number : 0));) {
		if (path && !str_equal(path, entry->path))
			continue;
		if (as_json)
			json_object_array_add(all, json_of_number(&entries, entry));
		else
			print_number(&entries, entry);
	}
	if (n_good >= 0 && as_json)
		json_print(all);
	json_object_put(all);
	numbers_entries_done(&entries);
	return n_good < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct ctl_command ctl_fsid_list = {
	.name = "fsid list",
	.usage = "[PATH] [--json]",
	.summary = "all numbers, or those of a path",
	.max = 1,
	.options = { CTL_JSON },
	.run = run_list,
};

/* ---- set, retire: with a daemon ---- */

static int run_set(const struct ctl_invocation *invocation)
{
	char **arguments = invocation->arguments;
	CLEANUP(freep) char *path = absolute_path(arguments[0]);

	return ctl_ask(invocation, path, NULL, NULL, "fsid-set", "path", path, "fsid", arguments[1],
		       "identity", arguments[2], NULL);
}

const struct ctl_command ctl_fsid_set = {
	.name = "fsid set",
	.usage = "PATH FSID [IDENTITY]",
	.summary = "give a path this number",
	.min = 2,
	.max = 3,
	.run = run_set,
};

static int run_retire(const struct ctl_invocation *invocation)
{
	const char *number = invocation->arguments[0];

	return ctl_ask(invocation, number, NULL, NULL, "fsid-retire", "fsid", number, NULL);
}

const struct ctl_command ctl_fsid_retire = {
	.name = "fsid retire",
	.usage = "FSID",
	.summary = "use a number for no new handle",
	.min = 1,
	.max = 1,
	.run = run_retire,
};

/* ---- verify ---- */

/* @all: gets the copy; NULL: it is printed */
static bool say_copy(void *all, const struct proto_message *copy)
{
	const char *message = proto_get(copy, "message");

	if (proto_outcome(copy->word) >= 0)
		return true;
	if (all) {
		json_object_array_add(all, json_of_message(copy));
		return true;
	}
	print_shown(stdout, proto_get(copy, "file") ?: "?");
	printf(": %s, %" PRIu64 " rows", proto_get(copy, "state") ?: "?", get_number(copy, "rows"));
	if (message) {
		fputs(": ", stdout);
		print_shown(stdout, message);
	}
	putchar('\n');
	return true;
}

struct verifying {
	struct numbers_entries *entries;
	const char *file;
};

static int verify_row(void *userdata, const struct store_row *row)
{
	const struct verifying *verifying = userdata;

	return fsid_join(verifying->entries, row, verifying->file);
}

static const char *state_of_copy(int r)
{
	switch (r) {
	case -ENOENT: return "missing";
	case -EUCLEAN: return "damaged";
	case -EEXIST: return "contradicting";
	default: return "failed";
	}
}

/* Says what the daemon would say of it. Returns whether it is good. */
static bool verify_file(struct json_object *all, const char *name, struct numbers_entries *entries)
{
	struct verifying verifying = { entries, name };
	CLEANUP(freep) char *why = NULL;
	const char *state = "good";
	struct store_file *file = NULL;
	char rows[32] = "0";
	int r = store_file_open(name, STORE_FILE_WHOLE, &file, &why);

	if (r >= 0) {
		(void)snprintf(rows, sizeof(rows), "%" PRIu64, store_file_totals(file)->n);
		r = store_file_read(file, verify_row, &verifying, &why);
	}
	if (r >= 0 && !store_file_is_complete(file))
		state = "partial";
	else if (r < 0)
		state = state_of_copy(r);
	store_file_close(file);
	say_copy(all,
		 &(struct proto_message){
			 .word = "copy",
			 .fields = (struct proto_field[]){ { "file", name },
							   { "state", state },
							   { "rows", rows },
							   { "message", why ?: strerror(-r) } },
			 .n_fields = r < 0 ? 4 : 3,
		 });
	return str_equal(state, "good");
}

static int run_verify(const struct ctl_invocation *invocation)
{
	bool as_json = ctl_option(invocation, "json");
	CLEANUP(fsid_store_close) struct fsid_store store = {};
	struct json_object *all = as_json ? json_object_new_array() : NULL;
	struct numbers_entries entries = {};
	int exit_code = EXIT_SUCCESS;

	if (!fsid_store_open(invocation, &store))
		exit_code = EXIT_FAILURE;
	else if (store.has_daemon)
		exit_code = ctl_ask(invocation, "verify", say_copy, all, "fsid-verify", NULL);
	else
		for (char **file = store.files; *file; file++)
			if (!verify_file(all, *file, &entries))
				exit_code = EXIT_FAILURE;
	if (all)
		json_print(all);
	json_object_put(all);
	numbers_entries_done(&entries);
	return exit_code;
}

const struct ctl_command ctl_fsid_verify = {
	.name = "fsid verify",
	.usage = "[--json]",
	.summary = "read each copy as a whole, and compare them",
	.options = { CTL_JSON },
	.run = run_verify,
};

/* ---- copy, export ---- */

static int run_copy(const struct ctl_invocation *invocation)
{
	const char *file = invocation->arguments[0];
	CLEANUP(fsid_store_close) struct fsid_store store = {};
	struct numbers_entries entries = {};
	int r = -EIO;

	if (fsid_store_open(invocation, &store) && fsid_read_store(&store, &entries)) {
		r = fsid_write_file(file, &entries);
		if (r == -EUCLEAN)
			complain("'%s' exists and is not a good copy: it was left as it is", file);
		if (r == 0)
			printf("%zu numbers in '%s'\n", entries.n, file);
	}
	numbers_entries_done(&entries);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct ctl_command ctl_fsid_copy = {
	.name = "fsid copy",
	.usage = "FILE",
	.summary = "write all numbers to a file that can take a copy's place",
	.min = 1,
	.max = 1,
	.run = run_copy,
};

static int run_export(const struct ctl_invocation *invocation)
{
	CLEANUP(fsid_store_close) struct fsid_store store = {};
	CLEANUP(freep) char *bytes = NULL;
	struct numbers_entries entries = {};
	size_t n_bytes;
	int r = -EIO;

	if (fsid_store_open(invocation, &store) && fsid_read_store(&store, &entries)) {
		r = store_text_write(&entries, NULL, &bytes, &n_bytes);
		if (r == 0 && (fwrite(bytes, 1, n_bytes, stdout) != n_bytes || fflush(stdout)))
			r = -errno;
		if (r < 0)
			complain("cannot write: %s", strerror(-r));
	}
	numbers_entries_done(&entries);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct ctl_command ctl_fsid_export = {
	.name = "fsid export",
	.summary = "print all numbers as text",
	.run = run_export,
};
