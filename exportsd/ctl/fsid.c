/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fsid.c - exportsctl fsid: the number store.
 */

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "exportsd/ctl/fsid_recover.h"
#include "exportsd/ctl/json.h"
#include "exportsd/numbers/file.h"
#include "exportsd/numbers/text.h"

/* ---- list ---- */

static const char *state_of(struct entries *entries, const struct number *entry)
{
	if (entry->retired)
		return "retired";
	return entries_primary(entries_find_path(entries, entry->path, entry->n_path)) == entry
		       ? "primary"
		       : "further";
}

static void print_number(struct entries *entries, const struct number *entry)
{
	printf("%-10" PRIu32 " %-7s ", entry->number, state_of(entries, entry));
	print_shown(stdout, entry->path);
	if (entry->identity) {
		fputs("  ", stdout);
		print_shown(stdout, entry->identity);
	}
	putchar('\n');
}

static struct json_object *json_of_number(struct entries *entries, const struct number *entry)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "fsid", json_object_new_uint64(entry->number));
	json_add_text(object, "path", entry->path);
	if (entry->identity)
		json_add_text(object, "identity", entry->identity);
	json_object_object_add(object, "state", json_object_new_string(state_of(entries, entry)));
	if (entry->created)
		json_object_object_add(object, "created", json_object_new_int64(entry->created));
	return object;
}

static int list(const struct invocation *invocation, struct fsid_store *store)
{
	const char *argument = invocation->arguments[1];
	CLEANUP(freep) char *path = argument ? absolute_path(argument) : NULL;
	struct json_object *all = json_object_new_array();
	struct entries entries = {};
	int n_good = fsid_read_all(store, &entries);

	for (const struct number *entry = NULL;
	     n_good >= 0 && (entry = entries_next(&entries, entry ? entry->number : 0));) {
		if (path && !str_equal(path, entry->path))
			continue;
		if (invocation->options & COMMAND_JSON)
			json_object_array_add(all, json_of_number(&entries, entry));
		else
			print_number(&entries, entry);
	}
	if (n_good >= 0 && invocation->options & COMMAND_JSON)
		json_print(all);
	json_object_put(all);
	entries_done(&entries);
	return n_good < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- set, retire: with a daemon ---- */

static int ask_one(const struct invocation *invocation, struct fsid_store *store,
		   struct proto_writer *request, const char *subject)
{
	const struct proto_message *message;
	struct caller *caller = NULL;
	int exit_code = EXIT_FAILURE;

	if (!store->caller) {
		proto_writer_done(request);
		complain("exportsd does not run; numbers are set and retired while it does");
		return EXIT_FAILURE;
	}
	if (!send_request(invocation, request, &caller))
		return EXIT_FAILURE;
	while (next_answer(caller, &message) && !is_outcome(message, subject, &exit_code))
		;
	caller_close(caller);
	return exit_code;
}

static int set(const struct invocation *invocation, struct fsid_store *store)
{
	CLEANUP(freep) char *path = absolute_path(invocation->arguments[1]);
	struct proto_writer request = {};

	if (!path)
		return EXIT_FAILURE;
	proto_begin(&request, "fsid-set");
	proto_put(&request, "path", path);
	proto_put(&request, "fsid", invocation->arguments[2]);
	proto_put(&request, "identity", invocation->arguments[3]);
	return ask_one(invocation, store, &request, path);
}

static int retire(const struct invocation *invocation, struct fsid_store *store)
{
	struct proto_writer request = {};

	proto_begin(&request, "fsid-retire");
	proto_put(&request, "fsid", invocation->arguments[1]);
	return ask_one(invocation, store, &request, invocation->arguments[1]);
}

/* ---- verify ---- */

/* What is known of one copy. */
struct verdict {
	const char *file;
	const char *state;
	const char *message; /* or NULL */
	uint64_t rows;
};

static void say_verdict(const struct invocation *invocation, struct json_object *all,
			const struct verdict *verdict)
{
	struct json_object *object;

	if (!(invocation->options & COMMAND_JSON)) {
		print_shown(stdout, verdict->file);
		printf(": %s, %" PRIu64 " rows", verdict->state, verdict->rows);
		if (verdict->message) {
			fputs(": ", stdout);
			print_shown(stdout, verdict->message);
		}
		putchar('\n');
		return;
	}
	object = json_object_new_object();
	json_add_text(object, "file", verdict->file);
	json_object_object_add(object, "state", json_object_new_string(verdict->state));
	json_object_object_add(object, "rows", json_object_new_uint64(verdict->rows));
	if (verdict->message)
		json_add_text(object, "message", verdict->message);
	json_object_array_add(all, object);
}

static int verify_daemon(const struct invocation *invocation, struct json_object *all)
{
	const struct proto_message *message;
	struct caller *caller = NULL;
	int exit_code = EXIT_FAILURE;

	if (!ask_daemon(invocation, "fsid-verify", NULL, NULL, &caller))
		return EXIT_FAILURE;
	while (next_answer(caller, &message) && !is_outcome(message, "verify", &exit_code)) {
		struct verdict verdict = { .file = proto_get(message, "file") ?: "?",
					   .state = proto_get(message, "state") ?: "?",
					   .message = proto_get(message, "message") };

		(void)proto_get_u64(message, "rows", UINT64_MAX, &verdict.rows);
		say_verdict(invocation, all, &verdict);
	}
	caller_close(caller);
	return exit_code;
}

struct verifying {
	struct entries *entries;
	const char *file;
};

static int verify_row(void *userdata, const struct store_row *row)
{
	const struct verifying *verifying = userdata;

	return fsid_join(verifying->entries, row, verifying->file);
}

/* Returns whether it is good. */
static bool verify_file(const struct invocation *invocation, struct json_object *all,
			const char *name, struct entries *entries)
{
	struct verifying verifying = { entries, name };
	CLEANUP(freep) char *why = NULL;
	struct verdict verdict = { .file = name, .state = "good" };
	struct store_file *file = NULL;
	int r = store_file_open(name, STORE_FILE_WHOLE, &file, &why);

	if (r >= 0) {
		verdict.rows = store_file_totals(file)->n;
		r = store_file_read(file, verify_row, &verifying, &why);
	}
	if (r >= 0 && !store_file_is_complete(file))
		verdict.state = "partial";
	store_file_close(file);
	if (r < 0) {
		verdict.state = r == -ENOENT	? "missing"
				: r == -EUCLEAN ? "damaged"
				: r == -EEXIST	? "contradicting"
						: "failed";
		verdict.message = why ?: strerror(-r);
	}
	say_verdict(invocation, all, &verdict);
	return str_equal(verdict.state, "good");
}

static int verify(const struct invocation *invocation, struct fsid_store *store)
{
	struct json_object *all = json_object_new_array();
	struct entries entries = {};
	int exit_code = EXIT_SUCCESS;

	if (store->caller)
		exit_code = verify_daemon(invocation, all);
	else
		for (char **file = store->files; *file; file++)
			if (!verify_file(invocation, all, *file, &entries))
				exit_code = EXIT_FAILURE;
	if (invocation->options & COMMAND_JSON)
		json_print(all);
	json_object_put(all);
	entries_done(&entries);
	return exit_code;
}

/* ---- copy, export ---- */

/* Every number, or a complaint. */
static bool read_store(struct fsid_store *store, struct entries *entries)
{
	int n_good = fsid_read_all(store, entries);

	if (n_good == 0)
		complain("no copy of the number store is good: exportsctl fsid recover");
	return n_good > 0;
}

static int copy(const struct invocation *invocation, struct fsid_store *store)
{
	struct entries entries = {};
	int r = -EIO;

	if (read_store(store, &entries)) {
		r = fsid_write_file(invocation->arguments[1], &entries);
		if (r == -EUCLEAN)
			complain("'%s' is there and no good copy: it was left as it is",
				 invocation->arguments[1]);
		if (r == 0)
			printf("%zu numbers in '%s'\n", entries.n, invocation->arguments[1]);
	}
	entries_done(&entries);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int export(const struct invocation *invocation, struct fsid_store *store)
{
	CLEANUP(freep) char *bytes = NULL;
	struct entries entries = {};
	size_t n_bytes;
	int r = -EIO;

	if (read_store(store, &entries)) {
		r = store_text_write(&entries, NULL, &bytes, &n_bytes);
		if (r == 0 && (fwrite(bytes, 1, n_bytes, stdout) != n_bytes || fflush(stdout)))
			r = -errno;
		if (r < 0)
			complain("cannot write: %s", strerror(-r));
	}
	entries_done(&entries);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- recover, import ---- */

/*
 * With a daemon it compares them with what it knows; without, they are joined to what the copies
 * say.
 */
static int take(struct fsid_store *store, struct entries *entries)
{
	size_t n_before = entries->n;
	bool done;

	if (!store->caller && fsid_read_all(store, entries) < 0)
		return EXIT_FAILURE;
	done = fsid_write_all(store, entries);
	if (done)
		printf("%zu numbers taken\n", n_before);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int begin_new(struct fsid_store *store)
{
	struct entries entries = {};
	int n_good = store->caller ? 1 : fsid_read_all(store, &entries);
	bool done = false;

	if (n_good > 0)
		complain("the number store is good: it is not begun anew");
	else if (n_good == 0) {
		entries_done(&entries);
		entries = (struct entries){};
		done = fsid_write_all(store, &entries);
	}
	if (done)
		puts("the number store is empty now; new media get, nearly always, the numbers they had");
	entries_done(&entries);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int recover(const struct invocation *invocation, struct fsid_store *store)
{
	struct entries entries = {};
	int exit_code = EXIT_FAILURE;

	if (invocation->options & COMMAND_NEW)
		return begin_new(store);
	if (fsid_read_file(invocation, store, invocation->from, &entries))
		exit_code = take(store, &entries);
	entries_done(&entries);
	return exit_code;
}

static int import(const struct invocation *invocation, struct fsid_store *store)
{
	struct entries entries = {};
	int exit_code = EXIT_FAILURE;

	if (fsid_read_fsidd(invocation->arguments[1], &entries))
		exit_code = take(store, &entries);
	entries_done(&entries);
	return exit_code;
}

/* ---- which one ---- */

static const struct {
	const char *name;
	unsigned int min, max; /* arguments */
	unsigned int options;
	int (*run)(const struct invocation *invocation, struct fsid_store *store);
} verbs[] = {
	{ "list", 0, 1, COMMAND_JSON, list },
	{ "set", 2, 3, 0, set },
	{ "retire", 1, 1, 0, retire },
	{ "verify", 0, 0, COMMAND_JSON, verify },
	{ "copy", 1, 1, 0, copy },
	{ "export", 0, 0, 0, export },
	{ "publish", 0, 0, 0, fsid_publish },
	{ "recover", 0, 0, COMMAND_FROM | COMMAND_NEW | COMMAND_UNTRUSTED, recover },
	{ "import", 1, 1, 0, import },
};

static int usage(void)
{
	fputs("Usage: exportsctl fsid PATH\n"
	      "       exportsctl fsid list [PATH] [--json]\n"
	      "       exportsctl fsid set PATH FSID [IDENTITY]\n"
	      "       exportsctl fsid retire FSID\n"
	      "       exportsctl fsid verify [--json]\n"
	      "       exportsctl fsid copy FILE\n"
	      "       exportsctl fsid export\n"
	      "       exportsctl fsid publish\n"
	      "       exportsctl fsid recover {--from FILE [--untrusted] | --new}\n"
	      "       exportsctl fsid import FSIDD-DATABASE\n",
	      stderr);
	return EXIT_USAGE;
}

int command_fsid(const struct invocation *invocation)
{
	const char *word = invocation->arguments[0];
	unsigned int n = 0;

	while (invocation->arguments[n + 1])
		n++;
	for (size_t i = 0; i < N_ELEMENTS(verbs); i++) {
		struct fsid_store store;
		int exit_code;

		if (!str_equal(verbs[i].name, word))
			continue;
		if (n < verbs[i].min || n > verbs[i].max || invocation->options & ~verbs[i].options)
			return usage();
		if (verbs[i].run == recover &&
		    !(invocation->options & COMMAND_NEW) == !invocation->from)
			return usage();
		if (!fsid_store_open(invocation, &store))
			return EXIT_FAILURE;
		exit_code = verbs[i].run(invocation, &store);
		fsid_store_close(&store);
		return exit_code;
	}
	return n || invocation->options ? usage() : command_number(invocation);
}
