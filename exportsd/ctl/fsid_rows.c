/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fsid_rows.c - rows from the daemon or from files, and back.
 *
 * A daemon has its files for itself, so whoever can open them is alone with them.
 */

#include "exportsd/ctl/fsid_rows.h"

#include <errno.h>
#include <inttypes.h>

#include "exportsd/base/caller.h"
#include "exportsd/numbers/file.h"
#include "exportsd/numbers/place.h"

enum {
	REQUEST_BYTES = 24 * 1024, /* of rows, escaped: within CONTROL_REQUEST_MAX */
	REQUEST_ROWS = 300, /* three fields each: within PROTO_FIELDS_MAX */
	PROGRESS_EVERY = 5000,
};

/* On a terminal only; @n == @of ends it. */
static void show_progress(const char *what, size_t n, size_t of)
{
	if (!isatty(STDERR_FILENO) || of < PROGRESS_EVERY || (n % PROGRESS_EVERY && n != of))
		return;
	fprintf(stderr, "\r%s %zu of %zu (%zu %%)%s", what, n, of, n * 100 / of,
		n == of ? "\r\033[K" : "\033[K");
}

bool fsid_store_open(const struct ctl_invocation *invocation, struct fsid_store *ret_store)
{
	struct diags diags = { 0 };
	struct caller *caller = NULL;
	int r;

	*ret_store = (struct fsid_store){ .invocation = invocation };
	r = config_load(invocation->config_file ?: "/etc/exportsd.conf", !invocation->config_file,
			&diags, &ret_store->config);
	diags_print(&diags, stderr, isatty(STDERR_FILENO));
	diags_done(&diags);
	if (r == 0)
		ret_store->files = store_place_names(ret_store->config->state_directory,
						     ret_store->config->number_copies);
	if (r != 0 || !ret_store->files) {
		complain("cannot read the configuration");
		return false;
	}
	r = caller_open(&caller, invocation->socket);
	caller_close(caller);
	ret_store->has_daemon = r == 0;
	if (r == 0 || r == -ENOENT || r == -ECONNREFUSED)
		return true;
	complain("cannot ask exportsd at %s: %s", invocation->socket, strerror(-r));
	return false;
}

void fsid_store_close(struct fsid_store *store)
{
	config_free(store->config);
	free(store->files);
}

int fsid_join(struct numbers_entries *entries, const struct store_row *row, const char *name)
{
	struct numbers_entry *entry = NULL;
	int r = numbers_entries_join(entries, row, &entry);

	if (r == -EEXIST)
		complain("contradiction: number %" PRIu32 " belongs to '%.*s'%s%.*s in %s, but to "
			 "'%s'%s%s elsewhere",
			 row->number, (int)row->n_path, row->path,
			 row->identity ? " and medium " : "", (int)row->n_identity,
			 row->identity ?: "", name, entry->path,
			 entry->identity ? " and medium " : "", entry->identity ?: "");
	else if (r < 0)
		complain("%s", strerror(-r));
	return r;
}

/* ---- reading ---- */

static bool row_of_message(const struct proto_message *message, struct store_row *ret_row)
{
	uint64_t number, retired, created;

	*ret_row = (struct store_row){ .path = proto_get(message, "path"),
				       .identity = proto_get(message, "identity") };
	if (!ret_row->path || proto_get_u64(message, "fsid", NUMBERS_LAST, &number) < 0 ||
	    proto_get_u64(message, "sequence", INT64_MAX, &ret_row->sequence) < 0 ||
	    proto_get_u64(message, "retired", 1, &retired) < 0 ||
	    proto_get_u64(message, "created", INT64_MAX, &created) < 0)
		return false;
	ret_row->number = (uint32_t)number;
	ret_row->retired = retired;
	ret_row->created = (int64_t)created;
	ret_row->n_path = strlen(ret_row->path);
	ret_row->n_identity = ret_row->identity ? strlen(ret_row->identity) : 0;
	return true;
}

static bool join_message(void *userdata, const struct proto_message *message)
{
	struct store_row row;

	return !row_of_message(message, &row) || fsid_join(userdata, &row, "the daemon") == 0;
}

struct reading {
	struct numbers_entries *entries;
	const char *name;
};

static int join_row(void *userdata, const struct store_row *row)
{
	const struct reading *reading = userdata;

	return fsid_join(reading->entries, row, reading->name);
}

/* Returns 1: good; 0: missing, or not good and that was said; -1: nothing can go on. */
static int read_copy(const char *name, struct numbers_entries *entries)
{
	struct reading reading = { entries, name };
	CLEANUP(freep) char *why = NULL;
	struct store_file *file = NULL;
	bool complete = false;
	int r = store_file_open(name, 0, &file, &why);

	if (r >= 0) {
		complete = store_file_is_complete(file);
		r = store_file_read(file, join_row, &reading, &why);
	}
	store_file_close(file);
	if (r == -EEXIST || r == -ENOMEM)
		return -1;
	if (r < 0 && r != -ENOENT)
		complain("%s", why ?: strerror(-r));
	return r == -EBUSY ? -1 : r >= 0 && complete;
}

int fsid_read_all(struct fsid_store *store, struct numbers_entries *entries)
{
	int n_good = 0;

	if (store->has_daemon)
		return ctl_ask(store->invocation, "the numbers", join_message, entries, "fsid-list",
			       NULL) == EXIT_SUCCESS
			       ? 1
			       : -1;
	for (char **file = store->files; *file; file++) {
		int r = read_copy(*file, entries);

		if (r < 0)
			return -1;
		n_good += r;
	}
	return n_good;
}

bool fsid_read_store(struct fsid_store *store, struct numbers_entries *entries)
{
	int n_good = fsid_read_all(store, entries);

	if (n_good == 0)
		complain(
			"no copy of the number store is good; exportsctl fsid recover takes what is left");
	return n_good > 0;
}

/* ---- writing ---- */

/* Returns how many rows the request holds. */
static size_t put_facts(struct proto_writer *request, const struct numbers_entries *entries,
			size_t first, bool dry)
{
	size_t i, n = 0, cost = 0;

	proto_begin(request, "fsid-take");
	if (dry)
		proto_put_u64(request, "dry", 1);
	for (i = first; i < entries->n && n < REQUEST_ROWS; i++) {
		const struct numbers_entry *entry = entries->all[i];
		size_t n_identity = entry->identity ? strlen(entry->identity) : 0;

		if (!entry->number)
			continue;
		cost += 4 * (entry->n_path + n_identity) + 100;
		if (n && cost > REQUEST_BYTES)
			break;
		proto_printf(request, "fact", "%" PRIu32 " %" PRIu64 " %u %" PRId64, entry->number,
			     entry->sequence, entry->retired, entry->created);
		proto_put(request, "path", entry->path);
		proto_put(request, "identity", entry->identity);
		n++;
	}
	return i - first;
}

static bool write_daemon(struct fsid_store *store, const struct numbers_entries *entries, bool dry)
{
	for (size_t i = 0; i < entries->n;) {
		struct proto_writer request = {};

		i += put_facts(&request, entries, i, dry);
		if (ctl_send(store->invocation, "refused", NULL, NULL, &request) != EXIT_SUCCESS)
			return false;
		if (!dry)
			show_progress("recording", i, entries->n);
	}
	return true;
}

static int write_rows(struct store_file *file, const struct numbers_entries *entries,
		      char **reterr_why)
{
	int r = store_file_begin(file, reterr_why);

	for (size_t i = 0; r >= 0 && i < entries->n; i++) {
		const struct store_row row = numbers_entry_row(entries->all[i]);

		r = store_file_join(file, &row, reterr_why);
		show_progress("writing", i + 1, entries->n);
	}
	if (r >= 0) {
		store_file_set_complete(file);
		r = store_file_commit(file, reterr_why);
	}
	return r;
}

int fsid_write_file(const char *name, const struct numbers_entries *entries)
{
	CLEANUP(freep) char *why = NULL;
	struct store_file *file = NULL;
	int r;

	r = store_file_open(name, STORE_FILE_MAKE | STORE_FILE_WRITE, &file, &why);
	if (r >= 0)
		r = store_file_check(file, &why);
	if (r >= 0)
		r = write_rows(file, entries, &why);
	store_file_close(file);
	if (r < 0 && r != -EUCLEAN)
		complain("%s", why ?: strerror(-r));
	return r;
}

static int write_copy(const char *name, const struct numbers_entries *entries)
{
	CLEANUP(freep) char *new_name = NULL;
	int r = fsid_write_file(name, entries);

	if (r != -EUCLEAN)
		return r;
	r = store_place_set_aside(name, &new_name);
	if (r < 0) {
		complain("cannot set '%s' aside: %s", name, strerror(-r));
		return r;
	}
	complain("'%s' was damaged, it is kept as '%s'", name, new_name);
	return fsid_write_file(name, entries);
}

bool fsid_write_all(struct fsid_store *store, const struct numbers_entries *entries)
{
	size_t n_written = 0;

	if (store->has_daemon)
		return write_daemon(store, entries, true) && write_daemon(store, entries, false);
	for (char **file = store->files; *file; file++)
		n_written += write_copy(*file, entries) == 0;
	if (!n_written)
		complain("no copy could be written");
	return n_written > 0;
}
