/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * check_media.c - exportsctl check --media: are file handles of what is mounted good for as
 * long as clients may keep them?
 *
 * The handles of all are taken first, so that the kernel's memory is emptied once.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/ctl/commands.h"
#include "exportsd/ctl/handlecheck.h"

struct checked {
	struct checked *next;
	char *path;
	struct handlecheck *check;
	int error;
};

static void checked_free(struct checked *checked)
{
	while (checked) {
		struct checked *next = checked->next;

		handlecheck_free(checked->check);
		free(checked->path);
		free(checked);
		checked = next;
	}
}

/* Returns where the next one goes. */
static struct checked **add(struct checked **end, const char *path)
{
	*end = calloc(1, sizeof(**end));
	if (!*end)
		return end;
	(*end)->path = strdup(path);
	(*end)->error = (*end)->path ? handlecheck_new(path, &(*end)->check) : -ENOMEM;
	return &(*end)->next;
}

/*
 * Every medium that is mounted now. Returns false if the daemon could not be asked, which was said.
 */
static bool add_mounted(const struct invocation *invocation, struct checked **end)
{
	const struct proto_message *message;
	struct caller *caller = NULL;
	int exit_code = EXIT_FAILURE;

	if (!ask_daemon(invocation, "status", NULL, NULL, &caller))
		return false;
	while (next_answer(caller, &message)) {
		const char *path = proto_get(message, "path"), *state = proto_get(message, "state");

		if (is_outcome(message, "status", &exit_code))
			break;
		if (str_equal(message->word, "medium") && path && state &&
		    str_equal(state, "mounted"))
			end = add(end, path);
	}
	caller_close(caller);
	return exit_code == EXIT_SUCCESS;
}

static bool needs_eviction(const struct checked *all)
{
	for (; all; all = all->next)
		if (all->check && handlecheck_has_files(all->check))
			return true;
	return false;
}

/* Returns whether all is well. */
static bool report(struct checked *checked)
{
	enum handlecheck_verdict verdict;
	const char *advice;
	size_t n_tried;

	print_shown(stdout, checked->path ?: "?");
	if (checked->error < 0) {
		printf(": error: %s\n", strerror(-checked->error));
		return false;
	}
	verdict = handlecheck_verify(checked->check, &n_tried);
	advice = handlecheck_advice(checked->check, verdict);
	printf(": %s%s", handlecheck_is_bad(verdict) ? "warning: " : "", handlecheck_text(verdict));
	if (advice)
		printf("; %s", advice);
	if (verdict == HANDLES_GOOD)
		printf(" (%zu tried)", n_tried);
	putchar('\n');
	return !handlecheck_is_bad(verdict);
}

int command_check_media(const struct invocation *invocation)
{
	struct checked *all = NULL, **end = &all;
	bool good = true;
	int r;

	for (size_t i = 0; invocation->arguments[i]; i++)
		end = add(end, invocation->arguments[i]);
	if (!*invocation->arguments && !add_mounted(invocation, end)) {
		checked_free(all);
		return EXIT_FAILURE;
	}
	r = needs_eviction(all) ? handlecheck_evict() : 0;
	if (r < 0) {
		complain("check: what is in memory cannot be dropped: %s", strerror(-r));
		checked_free(all);
		return EXIT_FAILURE;
	}
	for (struct checked *checked = all; checked; checked = checked->next)
		good = report(checked) && good;
	if (!all)
		puts("no medium is mounted");
	checked_free(all);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
