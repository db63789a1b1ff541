/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * numbers.h - the number store for tests, in memory: synced whenever the test's loop turns.
 *
 * Include it once: it defines the functions of exportsd/numbers.h, so the real ones are not linked.
 */

#include <errno.h>
#include <stdio.h>
#include <uthash.h>
#include <utlist.h>

#include "exportsd/numbers.h"

struct known_path {
	UT_hash_handle hh, by_number;
	char *path;
	uint32_t number; /* 0: none */
	bool made;
};

struct numbers_question {
	struct numbers_question *prev, *next;
	struct numbers *numbers;
	sd_event_source *source;
	int error;
	char **assign; /* paths that get a number when it is answered */
	size_t n_assign;
	uint32_t adopt;
	int made; /* -1: not about directories */
	numbers_done_fn done;
	void *userdata;
};

struct numbers {
	sd_event *event;
	struct known_path *paths, *by_number;
	struct numbers_question *questions;
	uint32_t last;
	/* What tests look at and set. */
	int fails; /* the next questions' error */
	unsigned int n_assign_calls;
	size_t largest_assign;
};

static struct known_path *numbers_know(struct numbers *numbers, const char *path)
{
	struct known_path *known;

	HASH_FIND_STR(numbers->paths, path, known);
	if (!known) {
		known = calloc(1, sizeof(*known));
		known->path = strdup(path);
		HASH_ADD_KEYPTR(hh, numbers->paths, known->path, strlen(known->path), known);
	}
	return known;
}

static void numbers_give(struct numbers *numbers, const char *path, uint32_t number)
{
	struct known_path *known = numbers_know(numbers, path);

	if (known->number)
		return;
	known->number = number ? number : NUMBERS_FIRST + numbers->last++;
	HASH_ADD(by_number, numbers->by_number, number, sizeof(known->number), known);
}

uint32_t numbers_get(const struct numbers *numbers, const char *path)
{
	struct known_path *known;

	HASH_FIND_STR(numbers->paths, path, known);
	return known ? known->number : 0;
}

const char *numbers_path(const struct numbers *numbers, uint32_t number)
{
	struct known_path *known;

	HASH_FIND(by_number, numbers->by_number, &number, sizeof(number), known);
	return known ? known->path : NULL;
}

size_t numbers_count(const struct numbers *numbers)
{
	return HASH_CNT(by_number, numbers->by_number);
}

uint32_t numbers_next(const struct numbers *numbers, uint32_t after)
{
	for (uint32_t number = after < NUMBERS_FIRST ? NUMBERS_FIRST : after + 1;
	     number < NUMBERS_FIRST + numbers->last; number++)
		if (numbers_path(numbers, number))
			return number;
	return 0;
}

uint32_t numbers_first_choice(const char *path)
{
	return NUMBERS_FIRST;
}

bool numbers_made_directory(const struct numbers *numbers, const char *path)
{
	struct known_path *known;

	HASH_FIND_STR(numbers->paths, path, known);
	return known && known->made;
}

static void question_free(struct numbers_question *question)
{
	DL_DELETE(question->numbers->questions, question);
	sd_event_source_disable_unref(question->source);
	for (size_t i = 0; i < question->n_assign; i++)
		free(question->assign[i]);
	free(question->assign);
	free(question);
}

static int numbers_answer(sd_event_source *source, void *userdata)
{
	struct numbers_question *question = userdata;
	numbers_done_fn done = question->done;
	void *asker = question->userdata;
	int error = question->error;

	for (size_t i = 0; i < question->n_assign && !error; i++) {
		if (question->made >= 0)
			numbers_know(question->numbers, question->assign[i])->made = question->made;
		else
			numbers_give(question->numbers, question->assign[i], question->adopt);
	}
	question_free(question);
	done(asker, error);
	return 0;
}

static int numbers_ask(struct numbers *numbers, const char *const *paths, size_t n_paths, int made,
		       uint32_t adopt, int error, numbers_done_fn done, void *userdata,
		       struct numbers_question **ret_question)
{
	struct numbers_question *question = calloc(1, sizeof(*question));

	question->numbers = numbers;
	question->error = error;
	question->made = made;
	question->adopt = adopt;
	question->done = done;
	question->userdata = userdata;
	question->assign = calloc(n_paths, sizeof(*question->assign));
	question->n_assign = n_paths;
	for (size_t i = 0; i < n_paths; i++)
		question->assign[i] = strdup(paths[i]);
	DL_APPEND(numbers->questions, question);
	sd_event_add_defer(numbers->event, &question->source, numbers_answer, question);
	if (ret_question)
		*ret_question = question;
	return 0;
}

int numbers_assign(struct numbers *numbers, const char *const *paths, size_t n_paths,
		   numbers_reserved_fn reserved, void *reserved_userdata, numbers_done_fn done,
		   void *userdata, struct numbers_question **ret_question)
{
	numbers->n_assign_calls++;
	if (n_paths > numbers->largest_assign)
		numbers->largest_assign = n_paths;
	while (reserved && reserved(reserved_userdata, NUMBERS_FIRST + numbers->last))
		numbers->last++;
	return numbers_ask(numbers, paths, n_paths, -1, 0, numbers->fails, done, userdata,
			   ret_question);
}

int numbers_adopt(struct numbers *numbers, const char *path, uint32_t number,
		  numbers_reserved_fn reserved, void *reserved_userdata, numbers_done_fn done,
		  void *userdata, struct numbers_question **ret_question)
{
	const char *owner = numbers_path(numbers, number);
	int error = numbers->fails;

	if ((owner && !str_equal(owner, path)) || numbers_get(numbers, path) ||
	    (reserved && reserved(reserved_userdata, number)))
		error = -EEXIST;
	else if (number < NUMBERS_FIRST || number > NUMBERS_LAST)
		error = -ERANGE;
	return numbers_ask(numbers, &path, 1, -1, number, error, done, userdata, ret_question);
}

int numbers_record_directories(struct numbers *numbers, const char *const *paths, size_t n_paths,
			       bool made, numbers_done_fn done, void *userdata,
			       struct numbers_question **ret_question)
{
	return numbers_ask(numbers, paths, n_paths, made, 0, numbers->fails, done, userdata,
			   ret_question);
}

void numbers_cancel(struct numbers_question *question)
{
	if (question)
		question_free(question);
}

int numbers_open(struct numbers **ret_numbers, sd_event *event, const char *file)
{
	struct numbers *numbers = calloc(1, sizeof(*numbers));

	numbers->event = event;
	*ret_numbers = numbers;
	return 0;
}

struct numbers *numbers_close(struct numbers *numbers)
{
	struct known_path *known, *next;

	if (!numbers)
		return NULL;
	while (numbers->questions)
		question_free(numbers->questions);
	HASH_CLEAR(by_number, numbers->by_number);
	HASH_ITER (hh, numbers->paths, known, next) {
		HASH_DEL(numbers->paths, known);
		free(known->path);
		free(known);
	}
	free(numbers);
	return NULL;
}
