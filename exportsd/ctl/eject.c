/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * eject.c - exportsctl eject and busy: who uses a medium, and an end to that.
 *
 * Who holds it is found out here, not in the daemon: walking all processes takes time. While it is
 * waited for, the holders are shown.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "exportsd/ctl/ctl.h"
#include "exportsd/ctl/holders.h"

/* ---- holders ---- */

static const char *const kinds[] = {
	[HOLDER_CLIENT] = "client",
	[HOLDER_LOCK] = "lock",
	[HOLDER_PROCESS] = "process",
};

static bool device_of(const struct proto_message *message, dev_t *ret_device)
{
	const char *text = proto_get(message, "device");
	unsigned int major_number, minor_number;

	if (!text || sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
		return false;
	*ret_device = makedev(major_number, minor_number);
	return true;
}

static void print_holder(void *userdata, const struct holder *holder)
{
	printf("  %-9s %s ", kinds[holder->kind], holder->who);
	print_shown(stdout, holder->what);
	putchar('\n');
}

int print_holders(const struct proto_message *medium)
{
	dev_t device;
	int n;

	if (!device_of(medium, &device))
		return 0;
	n = holders_each("/proc", device, print_holder, NULL);
	if (n < 0)
		complain("cannot find out who holds it: %s", strerror(-n));
	return n;
}

/* ---- busy ---- */

struct busy {
	const char *path;
	int n_holders;
};

static bool on_status(void *userdata, const struct proto_message *message)
{
	struct busy *busy = userdata;

	if (is_entry(message, "medium")) {
		print_shown(stdout, proto_get(message, "path") ?: busy->path);
		printf(": %s\n", proto_get(message, "state") ?: "?");
		busy->n_holders = print_holders(message);
	} else if (is_entry(message, "client")) {
		fputs("  it was handed to ", stdout);
		print_shown(stdout, proto_get(message, "client") ?: "?");
		putchar('\n');
	}
	return true;
}

static int run_busy(const struct ctl_invocation *invocation)
{
	CLEANUP(freep) char *path = absolute_path(invocation->arguments[0]);
	struct busy busy = { .path = path };
	int exit_code = ctl_ask(invocation, path, on_status, &busy, "status", "path", path, NULL);

	if (exit_code == 0 && busy.n_holders == 0)
		puts("  nobody holds it");
	return busy.n_holders < 0 ? EXIT_FAILURE : exit_code;
}

const struct ctl_command ctl_busy = {
	.name = "busy",
	.usage = "PATH",
	.summary = "who holds a medium: clients, processes",
	.min = 1,
	.max = 1,
	.run = run_busy,
};

/* ---- eject ---- */

struct ejecting {
	const char *path;
	struct ctl_line line;
};

static void note_holder(void *userdata, const struct holder *holder)
{
	FILE *to = userdata;
	bool is_first = ftell(to) == (long)strlen("waiting for ");

	fprintf(to, "%s%s %s (%s)", is_first ? "" : "; ", kinds[holder->kind], holder->who,
		holder->what);
}

/* Returns a string to free(3), or NULL. */
static char *describe_holders(const struct proto_message *message)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	dev_t device;

	if (!to)
		return NULL;
	fputs("waiting for ", to);
	if (device_of(message, &device) && holders_each("/proc", device, note_holder, to) == 0)
		fputs("whoever used it just now", to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static void show_hit(const struct proto_message *message)
{
	const char *elsewhere = proto_get(message, "elsewhere") ?: "0";

	fputs("client ", stdout);
	print_shown(stdout, proto_get(message, "address") ?: "?");
	fputs(" (", stdout);
	print_shown(stdout, proto_get(message, "name") ?: "?");
	printf(") loses %s open files, %s locks, %s delegations",
	       proto_get(message, "opens") ?: "?", proto_get(message, "locks") ?: "?",
	       proto_get(message, "delegations") ?: "?");
	if (!str_equal(elsewhere, "0"))
		printf("; it holds %s files and locks elsewhere", elsewhere);
	putchar('\n');
	(void)fflush(stdout);
}

static bool on_message(void *userdata, const struct proto_message *message)
{
	struct ejecting *ejecting = userdata;

	if (proto_outcome(message->word) >= 0)
		ctl_line_end(&ejecting->line);
	if (is_done(message)) {
		print_shown(stdout, proto_get(message, "path") ?: ejecting->path);
		puts(": ejected");
	} else if (is_entry(message, "waiting")) {
		ctl_line_show(&ejecting->line, describe_holders(message));
	} else if (is_entry(message, "hit")) {
		show_hit(message);
	}
	return true;
}

/* Returns false, and that was said, if it is none. */
static bool parse_seconds(const char *text, char *ret_msec, size_t size)
{
	enum { SECONDS_MAX = 7 * 24 * 3600 };
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value > SECONDS_MAX) {
		complain("--wait takes seconds, up to %d", SECONDS_MAX);
		return false;
	}
	(void)snprintf(ret_msec, size, "%lu000", value);
	return true;
}

static int run_eject(const struct ctl_invocation *invocation)
{
	CLEANUP(freep) char *path = absolute_path(invocation->arguments[0]);
	const char *force = ctl_option(invocation, "force") ? "1" : NULL;
	struct ejecting ejecting = { .path = path };
	char wait_msec[32];
	int exit_code;

	if (!parse_seconds(ctl_option(invocation, "wait") ?: "0", wait_msec, sizeof(wait_msec)))
		return CTL_EXIT_USAGE;
	exit_code = ctl_ask(invocation, path, on_message, &ejecting, "eject", "path", path,
			    "wait-ms", wait_msec, "force", force, NULL);
	ctl_line_end(&ejecting.line);
	if (exit_code == CTL_EXIT_LOST) /* and that was said */
		complain("%s: not known to be ejected; exportsd does not go on with it after a "
			 "restart: eject it again",
			 path);
	return exit_code;
}

const struct ctl_command ctl_eject = {
	.name = "eject",
	.usage = "PATH [--wait SECONDS] [--force]",
	.summary = "unmount a medium, and have its handler give it up",
	.min = 1,
	.max = 1,
	.options = { { "wait", .argument = "SECONDS",
		       .summary = "wait so long for who uses a medium" },
		     { "force", .summary = "take away what NFSv4 clients hold" } },
	.run = run_eject,
};
