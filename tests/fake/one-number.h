/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * one-number.h - a number store in which one path may be given a number: later, or not at all. The test has the rest of it, and
 * "server.event".
 */

#include <errno.h>
#include <stdlib.h>

#include "exportsd/numbers/numbers.h"

static struct {
	const char *path;
	bool is_known, is_full;
	unsigned int asked;
} store;

struct numbers_question {
	struct pending pending;
	numbers_done_fn done;
	void *userdata;
	struct later answer;
};

static void cancel_numbers(struct pending *pending)
{
	struct numbers_question *question = (struct numbers_question *)pending;

	later_cancel(&question->answer);
	free(question);
}

static void on_assigned(void *userdata)
{
	struct numbers_question question = *(struct numbers_question *)userdata;

	free(userdata);
	store.is_known |= store.asked && !store.is_full;
	question.done(question.userdata, store.is_full ? -ENOSPC : 0);
}

int numbers_assign(struct numbers *numbers, const char *const *paths, size_t n_paths,
		   numbers_done_fn done, void *userdata, struct pending **ret_question)
{
	struct numbers_question *question = malloc(sizeof(*question));

	*question =
		(struct numbers_question){ { cancel_numbers }, .done = done, .userdata = userdata };
	store.asked += (unsigned int)n_paths;
	later_call(&question->answer, server.event, on_assigned, question);
	*ret_question = &question->pending;
	return 0;
}
