/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * eject.c - exportsctl eject and busy: who uses a medium, and an end to that.
 *
 * Who holds it is found out here, not in the daemon: walking all processes takes time. While it is
 * waited for, a terminal shows the holders in one line that is drawn over itself; anything else
 * gets a line whenever they have changed.
 */

#include <stdio.h>
#include <sys/sysmacros.h>

#include "exportsd/ctl/commands.h"
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

int command_busy(const struct invocation *invocation)
{
	CLEANUP(freep) char *path = absolute_path(invocation->arguments[0]);
	const struct proto_message *message;
	struct caller *caller = NULL;
	int exit_code = EXIT_FAILURE, n = 0;

	if (!path || !ask_daemon(invocation, "status", "path", path, &caller))
		return EXIT_FAILURE;
	while (next_answer(caller, &message)) {
		if (is_outcome(message, path, &exit_code))
			break;
		if (str_equal(message->word, "medium")) {
			print_shown(stdout, proto_get(message, "path") ?: path);
			printf(": %s\n", proto_get(message, "state") ?: "?");
			n = print_holders(message);
		} else if (str_equal(message->word, "client")) {
			fputs("  it was handed to ", stdout);
			print_shown(stdout, proto_get(message, "client") ?: "?");
			putchar('\n');
		}
	}
	if (exit_code == 0 && n == 0)
		puts("  nobody holds it");
	caller_close(caller);
	return n < 0 ? EXIT_FAILURE : exit_code;
}

/* ---- eject ---- */

struct waiting {
	bool terminal, drawn;
	char *last;
};

static void note_holder(void *userdata, const struct holder *holder)
{
	FILE *to = userdata;

	fprintf(to, "%s%s %s (%s)", ftell(to) ? "; " : "", kinds[holder->kind], holder->who,
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
	if (device_of(message, &device) && holders_each("/proc", device, note_holder, to) == 0)
		fputs("whoever used it just now", to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static void clear_line(struct waiting *waiting)
{
	if (waiting->drawn)
		fputs("\r\033[K", stderr);
	waiting->drawn = false;
}

static void show_waiting(struct waiting *waiting, const struct proto_message *message)
{
	char *text = describe_holders(message);

	if (!text || (waiting->last && str_equal(waiting->last, text))) {
		free(text);
		return;
	}
	clear_line(waiting);
	fputs("waiting for ", stderr);
	print_shown(stderr, text);
	if (!waiting->terminal)
		fputc('\n', stderr);
	waiting->drawn = waiting->terminal;
	free(waiting->last);
	waiting->last = text;
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

static bool ask_eject(const struct invocation *invocation, const char *path,
		      struct caller **ret_caller)
{
	struct proto_writer request = { 0 };

	proto_begin(&request, "eject");
	proto_put(&request, "path", path);
	proto_put_u64(&request, "wait-ms", invocation->wait_seconds * UINT64_C(1000));
	if (invocation->options & COMMAND_FORCE)
		proto_put(&request, "force", "1");
	return send_request(invocation, &request, ret_caller);
}

int command_eject(const struct invocation *invocation)
{
	CLEANUP(freep) char *path = absolute_path(invocation->arguments[0]);
	struct waiting waiting = { .terminal = isatty(STDERR_FILENO) };
	const struct proto_message *message;
	struct caller *caller = NULL;
	int exit_code = EXIT_FAILURE;
	bool is_over = false;

	if (!path || !ask_eject(invocation, path, &caller))
		return EXIT_FAILURE;
	while (!is_over && next_answer(caller, &message)) {
		if (proto_outcome(message->word) >= 0)
			clear_line(&waiting);
		is_over = is_outcome(message, path, &exit_code);
		if (is_over && exit_code == 0) {
			print_shown(stdout, proto_get(message, "path") ?: path);
			puts(": ejected");
		}
		if (str_equal(message->word, "waiting"))
			show_waiting(&waiting, message);
		else if (str_equal(message->word, "hit"))
			show_hit(message);
	}
	clear_line(&waiting);
	if (!is_over) /* next_answer() has said what happened */
		complain(
			"%s: not known to be ejected; exportsd does not go on with it after a restart: "
			"eject it again",
			path);
	free(waiting.last);
	caller_close(caller);
	return exit_code;
}
