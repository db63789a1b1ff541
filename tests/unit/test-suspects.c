/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>

#include "exportsd/exports/suspects.h"
#include "tests/tap.h"

static const struct export_options plain = { .flags = EXPORT_READONLY };
static const struct export_options numbered = { .flags = EXPORT_READONLY | EXPORT_FSID };
static const struct export_options with_uuid = { .uuid = "1234" };
static char anybody[] = "*", named[] = "/a/named//";
static struct exports_change_pair pairs[] = { { .client = anybody, .path = named } };
static const struct exports_change all = { .kind = CHANGE_FILES };
static const struct exports_change one = { .kind = CHANGE_EXPORT, .pairs = pairs, .n_pairs = 1 };

static void test_trials(void)
{
	struct suspects *suspects = suspects_new();

	suspects_add(suspects, 1, "/a", &all, &plain);
	suspects_add(suspects, 1, "/b", &all, &plain);
	suspects_add(suspects, 1, "/c", &all, &numbered);
	suspects_add(suspects, 1, "/d", &all, &with_uuid);
	suspects_add(suspects, 2, "/e", &all, &with_uuid);
	is_int(suspects->n_trials, 3, "one path of a file system, with a number and without");
	is_str(suspects->trials[0].path, "/a", "the first one");
	is_str(suspects->trials[1].path, "/c", "the first with a number");
	ok(suspects->trials[2].flags & EXPORT_FSID, "a uuid is a number");
	is_int(suspects->n_paths, 0, "none is suspect");
	for (unsigned int i = 0; i < SUSPECTS_TRIALS_MAX - 3; i++)
		suspects_add(suspects, 10 + i, "/f", &all, &plain);
	ok(suspects->n_trials == SUSPECTS_TRIALS_MAX && !suspects->are_too_many, "up to the limit");
	suspects_add(suspects, 1, "/g", &all, &plain);
	ok(!suspects->are_too_many, "one that is known is none too many");
	suspects_add(suspects, 9, "/g", &all, &plain);
	ok(suspects->are_too_many, "another is: all are suspects");
	ok(suspects_knows(suspects, 8, &plain), "no more need be added");
	suspects_free(suspects);
}

static void test_paths(void)
{
	struct suspects *suspects = suspects_new();
	char path[32];

	suspects_add(suspects, 0, "/a", &all, &plain);
	suspects_add(suspects, 0, "/a", &all, &numbered);
	is_int(suspects->n_paths, 1, "a path is a suspect once");
	suspects_add(suspects, 0, "/a/name", &one, &plain);
	suspects_add(suspects, 3, "/a/other", &one, &plain);
	ok(suspects->n_paths == 1 && suspects->n_trials == 0, "not one that was not named");
	suspects_add(suspects, 0, "/a/named", &one, &plain);
	is_int(suspects->n_paths, 2, "but one that was");
	for (unsigned int i = 2; i < SUSPECTS_MAX; i++) {
		(void)snprintf(path, sizeof(path), "/%u", i);
		suspects_add(suspects, 0, path, &all, &plain);
	}
	ok(suspects->n_paths == SUSPECTS_MAX && !suspects->are_too_many, "up to the limit");
	suspects_add(suspects, 0, "/more", &all, &plain);
	ok(suspects->are_too_many, "beyond it all are suspects");
	suspects_free(suspects);
	suspects_free(NULL);
}

int main(void)
{
	test_trials();
	test_paths();
	return tap_done();
}
