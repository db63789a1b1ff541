/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * status.c - exportsctl status: the daemon in some lines, the media as a table, one
 * medium in full, or all as JSON.
 *
 * The answer is read whole before anything is printed: columns must line up, and clients, which
 * come last, belong to the media.
 */

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <uthash.h>

#include "exportsd/ctl/ctl.h"
#include "exportsd/ctl/json.h"

struct medium {
	const char *path; /* among its fields */
	struct proto_message fields; /* copied */
	char **clients;
	size_t n_clients;
	struct medium *next;
	UT_hash_handle hh;
};

struct status {
	struct proto_message daemon, kernel; /* copied; no fields: they did not come */
	struct medium *by_path;
	struct medium *first, **last;
	size_t n_media;
};

/* ---- taking in ---- */

static void medium_free(struct medium *medium)
{
	for (size_t i = 0; i < medium->n_clients; i++)
		free(medium->clients[i]);
	free(medium->clients);
	copy_done(&medium->fields);
	free(medium);
}

static bool add_medium(struct status *status, const struct proto_message *message)
{
	struct medium *medium = calloc(1, sizeof(*medium));

	if (!medium || !copy_message(message, &medium->fields)) {
		free(medium);
		return false;
	}
	medium->path = proto_get(&medium->fields, "path") ?: "";
	HASH_ADD_KEYPTR(hh, status->by_path, medium->path, strlen(medium->path), medium);
	if (!medium->hh.tbl) {
		medium_free(medium);
		return false;
	}
	*status->last = medium;
	status->last = &medium->next;
	status->n_media++;
	return true;
}

/* The medium that a path is, or lies in. */
static struct medium *find_medium(const struct status *status, const char *path)
{
	struct medium *medium = NULL;

	for (size_t length = strlen(path); !medium && length > 0; length--)
		if (path[length] == '\0' || path[length] == '/')
			HASH_FIND(hh, status->by_path, path, length, medium);
	return medium;
}

static bool add_client(struct status *status, const struct proto_message *message)
{
	struct medium *medium = find_medium(status, proto_get(message, "path") ?: "");
	const char *client = proto_get(message, "client");
	char **clients;

	if (!medium || !client)
		return true;
	for (size_t i = 0; i < medium->n_clients; i++)
		if (str_equal(medium->clients[i], client))
			return true;
	clients = reallocarray(medium->clients, medium->n_clients + 1, sizeof(*clients));
	if (!clients)
		return false;
	medium->clients = clients;
	clients[medium->n_clients] = strdup(client);
	return clients[medium->n_clients++] != NULL;
}

static bool add(struct status *status, const struct proto_message *message)
{
	if (is_entry(message, "medium"))
		return add_medium(status, message);
	if (is_entry(message, "client"))
		return add_client(status, message);
	if (is_entry(message, "daemon") && !status->daemon.fields)
		return copy_message(message, &status->daemon);
	if (is_entry(message, "kernel") && !status->kernel.fields)
		return copy_message(message, &status->kernel);
	return true;
}

static bool on_message(void *userdata, const struct proto_message *message)
{
	if (add(userdata, message))
		return true;
	complain("out of memory");
	return false;
}

static void status_done(struct status *status)
{
	struct medium *medium = status->first;

	HASH_CLEAR(hh, status->by_path);
	while (medium) {
		struct medium *next = medium->next;

		medium_free(medium);
		medium = next;
	}
	copy_done(&status->daemon);
	copy_done(&status->kernel);
}

/* ---- for people ---- */

/* Local time of a field in microseconds; "-" without. */
static const char *time_of(const struct proto_message *message, const char *key, char *buffer,
			   size_t size)
{
	time_t seconds = (time_t)(get_number(message, key) / 1000000);
	struct tm local;

	if (!seconds || !localtime_r(&seconds, &local) ||
	    !strftime(buffer, size, "%Y-%m-%d %H:%M:%S", &local))
		return "-";
	return buffer;
}

static const char *state_of(const struct medium *medium)
{
	return proto_get(&medium->fields, "state") ?: "-";
}

/* The kernel's caches: what they are called in messages, and by the kernel. */
static const struct {
	const char *asked, *answered, *name;
} caches[] = {
	{ "asked-ip", "answered-ip", "auth.unix.ip" },
	{ "asked-gid", "answered-gid", "auth.unix.gid" },
	{ "asked-export", "answered-export", "nfsd.export" },
	{ "asked-fh", "answered-fh", "nfsd.fh" },
};

static void print_counts(const struct proto_message *counts)
{
	fputs("  kernel, asked/answered:", stdout);
	for (size_t i = 0; i < N_ELEMENTS(caches); i++)
		printf(" %s %s/%s,", caches[i].name, proto_get(counts, caches[i].asked) ?: "0",
		       proto_get(counts, caches[i].answered) ?: "0");
	printf(" %s waiting\n", proto_get(counts, "waiting") ?: "0");
	printf("  kernel, made to forget: everything %s times, all exports %s times, "
	       "all handles %s times, %s entries\n",
	       proto_get(counts, "flushes") ?: "0", proto_get(counts, "export-flushes") ?: "0",
	       proto_get(counts, "handle-flushes") ?: "0", proto_get(counts, "forgotten") ?: "0");
}

static void print_states(const struct status *status)
{
	static const char *const states[] = { "mounted", "loading", "draining", "absent",
					      "failed" };

	printf("  %zu media:", status->n_media);
	for (size_t i = 0; i < N_ELEMENTS(states); i++) {
		size_t n = 0;

		for (const struct medium *medium = status->first; medium; medium = medium->next)
			n += str_equal(state_of(medium), states[i]);
		printf(" %zu %s,", n, states[i]);
	}
	printf(" %s numbers given\n", proto_get(&status->daemon, "numbers") ?: "0");
}

static void print_daemon(const struct status *status)
{
	const struct proto_message *daemon = &status->daemon;
	char when[32];

	printf("exportsd %s, process %s: %s exports, %s rules, in force since %s\n",
	       proto_get(daemon, "version") ?: "?", proto_get(daemon, "pid") ?: "?",
	       proto_get(daemon, "exports") ?: "?", proto_get(daemon, "rules") ?: "?",
	       time_of(daemon, "applied-usec", when, sizeof(when)));
	print_states(status);
	print_counts(&status->kernel);
	if (get_number(daemon, "mount-port"))
		printf("  MOUNT service on port %s\n", proto_get(daemon, "mount-port"));
	if (get_number(daemon, "reload-errors"))
		printf("  the exports files had faults (%s) when they were last read; see exportsctl check\n",
		       proto_get(daemon, "reload-errors"));
}

/* What the table says behind a medium's time: how far it is, or what it is. */
static const char *remark_of(const struct medium *medium, char *buffer, size_t size)
{
	const char *message = proto_get(&medium->fields, "message");

	if (str_equal(state_of(medium), "loading")) {
		snprintf(buffer, size, "%s%% %s", proto_get(&medium->fields, "percent") ?: "0",
			 message ?: "");
		return buffer;
	}
	if (str_equal(state_of(medium), "failed") && message)
		return message;
	return proto_get(&medium->fields, "label") ?: "";
}

static void print_table(const struct status *status)
{
	enum { PATH_WIDTH_MAX = 60 };
	unsigned int widest = strlen("MEDIUM");

	for (const struct medium *medium = status->first; medium; medium = medium->next) {
		unsigned int width = shown_width(medium->path);

		if (width > widest && width <= PATH_WIDTH_MAX)
			widest = width;
	}
	printf("\n%-*s  %-8s %10s %7s %7s  %-19s  %s\n", (int)widest, "MEDIUM", "STATE", "FSID",
	       "CLIENTS", "WAITING", "SINCE", "LABEL");
	for (const struct medium *medium = status->first; medium; medium = medium->next) {
		unsigned int width = print_shown(stdout, medium->path);
		char when[32], remark[512];

		printf("%*s  %-8s %10s %7zu %7s  %-19s  ",
		       width < widest ? (int)(widest - width) : 0, "", state_of(medium),
		       proto_get(&medium->fields, "fsid") ?: "-", medium->n_clients,
		       proto_get(&medium->fields, "waiting") ?: "0",
		       time_of(&medium->fields, "since-usec", when, sizeof(when)));
		print_shown(stdout, remark_of(medium, remark, sizeof(remark)));
		putchar('\n');
	}
}

static void print_line(const char *name, const char *text)
{
	if (!text)
		return;
	printf("  %-9s ", name);
	print_shown(stdout, text);
	putchar('\n');
}

static void print_medium(const struct medium *medium)
{
	const struct proto_message *fields = &medium->fields;
	char when[32];

	print_shown(stdout, medium->path);
	putchar('\n');
	printf("  %-9s %s", "state", state_of(medium));
	if (str_equal(state_of(medium), "loading"))
		printf(", %s%%", proto_get(fields, "percent") ?: "0");
	if (get_number(fields, "since-usec"))
		printf(", since %s", time_of(fields, "since-usec", when, sizeof(when)));
	puts(get_number(fields, "listed") ? "" : ", not in its handler's list");
	print_line("message", proto_get(fields, "message"));
	print_line("fsid", proto_get(fields, "fsid"));
	print_line("label", proto_get(fields, "label"));
	print_line("identity", proto_get(fields, "identity"));
	print_line("bytes", proto_get(fields, "size-bytes"));
	print_line("source", proto_get(fields, "source"));
	print_line("handler", proto_get(fields, "handler"));
	print_line("waiting", proto_get(fields, "waiting"));
	for (size_t i = 0; i < medium->n_clients; i++)
		print_line("client", medium->clients[i]);
	(void)print_holders(fields);
}

/* ---- as JSON ---- */

static struct json_object *json_of_clients(const struct medium *medium)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < medium->n_clients; i++)
		json_object_array_add(array, json_object_new_string(medium->clients[i]));
	return array;
}

static struct json_object *json_of_kernel(const struct proto_message *counts)
{
	static const char *const others[] = { "waiting", "flushes", "export-flushes",
					      "handle-flushes", "forgotten" };
	struct json_object *kernel = json_object_new_object();
	struct json_object *asked = json_object_new_object();
	struct json_object *answered = json_object_new_object();

	for (size_t i = 0; i < N_ELEMENTS(caches); i++) {
		json_add_number(asked, caches[i].name, get_number(counts, caches[i].asked));
		json_add_number(answered, caches[i].name, get_number(counts, caches[i].answered));
	}
	json_object_object_add(kernel, "asked", asked);
	json_object_object_add(kernel, "answered", answered);
	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		json_add_number(kernel, others[i], get_number(counts, others[i]));
	return kernel;
}

static void print_json(const struct status *status)
{
	struct json_object *all = json_object_new_object();
	struct json_object *media = json_object_new_array();

	if (status->daemon.fields) {
		json_object_object_add(all, "daemon", json_of_message(&status->daemon));
		json_object_object_add(all, "kernel", json_of_kernel(&status->kernel));
	}
	for (const struct medium *medium = status->first; medium; medium = medium->next) {
		struct json_object *object = json_of_message(&medium->fields);

		json_object_object_add(object, "clients", json_of_clients(medium));
		json_object_array_add(media, object);
	}
	json_object_object_add(all, "media", media);
	json_print(all);
	json_object_put(all);
}

static int run(const struct ctl_invocation *invocation)
{
	const char *argument = invocation->arguments[0];
	CLEANUP(freep) char *path = argument ? absolute_path(argument) : NULL;
	struct status status = { .last = NULL };
	int exit_code;

	status.last = &status.first;
	exit_code = ctl_ask(invocation, argument ? path : "status", on_message, &status, "status",
			    "path", path, NULL);
	if (exit_code == 0 && ctl_option(invocation, "json"))
		print_json(&status);
	else if (exit_code == 0 && path && status.first)
		print_medium(status.first);
	else if (exit_code == 0) {
		print_daemon(&status);
		if (status.first)
			print_table(&status);
	}
	status_done(&status);
	return exit_code;
}

const struct ctl_command ctl_status = {
	.name = "status",
	.usage = "[PATH] [--json]",
	.summary = "the daemon, and every medium: state, number, clients, since when",
	.max = 1,
	.options = { CTL_JSON },
	.run = run,
};
