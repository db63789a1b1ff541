/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * check_media.c - exportsctl check --media: are file handles of what is mounted good for as
 * long as clients may keep them?
 *
 * The handles of all are taken first, so that the kernel's memory is emptied once.
 */

#include "exportsd/ctl/check_media.h"

#include <errno.h>
#include <stdio.h>

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

/* @userdata: where the next one goes */
static bool add_mounted(void *userdata, const struct proto_message *message)
{
	struct checked ***end = userdata;
	const char *path = proto_get(message, "path");

	if (path && is_entry(message, "medium") &&
	    str_equal(proto_get(message, "state") ?: "", "mounted"))
		*end = add(*end, path);
	return true;
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

int check_media(const struct ctl_invocation *invocation)
{
	struct checked *all = NULL, **end = &all;
	bool good = true;
	int r = 0;

	for (size_t i = 0; invocation->arguments[i]; i++)
		end = add(end, invocation->arguments[i]);
	if (!*invocation->arguments)
		r = ctl_ask(invocation, "status", add_mounted, &end, "status", NULL);
	if (r != 0) {
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
