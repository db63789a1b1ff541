/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * numbers.h - the number store for tests, in memory: synced whenever the test's loop turns.
 *
 * Include it once: it defines the functions of exportsd/numbers/numbers.h, so the real ones are not linked.
 */

#include <errno.h>
#include <stdio.h>
#include <uthash.h>
#include <utlist.h>

#include "exportsd/numbers/numbers.h"

struct known_number {
	UT_hash_handle hh;
	struct known_number *next_of_path;
	struct known_path *path;
	char *identity;
	uint32_t number;
	unsigned int sequence; /* when it was made primary: the highest is it; 0: never */
	bool retired;
};

struct known_path {
	UT_hash_handle hh;
	struct known_number *numbers;
	char *path;
	bool made;
};

struct numbers_question {
	struct pending pending;
	struct numbers_question *prev, *next;
	struct numbers *numbers;
	struct later answer;
	int error;
	char **assign; /* paths that get a number when it is answered */
	size_t n_assign;
	char *identity;
	uint32_t adopt; /* also: which one is bound or retired */
	enum { FAKE_GIVE, FAKE_BIND, FAKE_RETIRE, FAKE_MADE, FAKE_REMOVED } what;
	numbers_done_fn done;
	void *userdata;
};

struct numbers {
	sd_event *event;
	struct known_path *paths;
	struct known_number *by_number;
	struct numbers_question *questions;
	uint32_t last;
	numbers_reserved_fn reserved;
	void *reserved_userdata;
	unsigned int sequence;
	/* What tests look at and set. */
	int fails; /* the next questions' error */
	unsigned int n_assign_calls;
	size_t largest_assign;
};

static struct known_path *numbers_find(const struct numbers *numbers, const char *path)
{
	struct known_path *known;

	HASH_FIND_STR(numbers->paths, path, known);
	return known;
}

static struct known_path *numbers_know(struct numbers *numbers, const char *path)
{
	struct known_path *known = numbers_find(numbers, path);

	if (!known) {
		known = calloc(1, sizeof(*known));
		known->path = strdup(path);
		HASH_ADD_KEYPTR(hh, numbers->paths, known->path, strlen(known->path), known);
	}
	return known;
}

static struct known_number *numbers_find_number(const struct numbers *numbers, uint32_t number)
{
	struct known_number *known;

	HASH_FIND(hh, numbers->by_number, &number, sizeof(number), known);
	return known;
}

static bool numbers_same(const char *a, const char *b)
{
	return a == b || (a && b && str_equal(a, b));
}

/* The primary number; with @identity not "", the one for it. */
static struct known_number *numbers_choose(const struct numbers *numbers, const char *path,
					   const char *identity)
{
	struct known_path *known = numbers_find(numbers, path);
	struct known_number *best = NULL;

	for (struct known_number *one = known ? known->numbers : NULL; one; one = one->next_of_path)
		if (!one->retired &&
		    ((identity && !*identity) || numbers_same(one->identity, identity)) &&
		    (!best || one->sequence > best->sequence))
			best = one;
	return best;
}

static void numbers_give_for(struct numbers *numbers, const char *path, const char *identity,
			     uint32_t number)
{
	struct known_path *known = numbers_know(numbers, path);
	struct known_number *one = number ? numbers_find_number(numbers, number)
					  : numbers_choose(numbers, path, identity);

	if (!one) {
		one = calloc(1, sizeof(*one));
		one->path = known;
		one->number = number ? number : NUMBERS_FIRST + numbers->last++;
		one->next_of_path = known->numbers;
		known->numbers = one;
		HASH_ADD(hh, numbers->by_number, number, sizeof(one->number), one);
	}
	if (identity && !one->identity)
		one->identity = strdup(identity);
	one->retired = false;
	one->sequence = ++numbers->sequence;
}

/* Unless it has one. */
static void numbers_give(struct numbers *numbers, const char *path, uint32_t number)
{
	if (!numbers_get(numbers, path))
		numbers_give_for(numbers, path, NULL, number);
}

uint32_t numbers_get(const struct numbers *numbers, const char *path)
{
	return numbers_get_for(numbers, path, "");
}

uint32_t numbers_get_for(const struct numbers *numbers, const char *path, const char *identity)
{
	struct known_number *known = numbers_choose(numbers, path, identity);

	return known ? known->number : 0;
}

const char *numbers_path(const struct numbers *numbers, uint32_t number)
{
	struct known_number *known = numbers_find_number(numbers, number);

	return known ? known->path->path : NULL;
}

const char *numbers_identity(const struct numbers *numbers, uint32_t number)
{
	struct known_number *known = numbers_find_number(numbers, number);

	return known ? known->identity : NULL;
}

bool numbers_is_retired(const struct numbers *numbers, uint32_t number)
{
	struct known_number *known = numbers_find_number(numbers, number);

	return known && known->retired;
}

size_t numbers_count(const struct numbers *numbers)
{
	struct known_path *known, *next;
	size_t n = 0;

	HASH_ITER (hh, numbers->paths, known, next)
		n += numbers_get(numbers, known->path) != 0;
	return n;
}

uint32_t numbers_next(const struct numbers *numbers, uint32_t after)
{
	for (uint32_t number = after < NUMBERS_FIRST ? NUMBERS_FIRST : after + 1;
	     number < NUMBERS_FIRST + numbers->last; number++)
		if (numbers_path(numbers, number))
			return number;
	return 0;
}

uint32_t numbers_next_of_path(const struct numbers *numbers, const char *path, uint32_t after)
{
	struct known_path *known = numbers_find(numbers, path);
	uint32_t next = 0;

	for (struct known_number *one = known ? known->numbers : NULL; one; one = one->next_of_path)
		if (one->number > after && (!next || one->number < next))
			next = one->number;
	return next;
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
	later_cancel(&question->answer);
	for (size_t i = 0; i < question->n_assign; i++)
		free(question->assign[i]);
	free(question->assign);
	free(question->identity);
	free(question);
}

static void numbers_do(struct numbers_question *question, const char *path)
{
	struct numbers *numbers = question->numbers;
	struct known_number *known = numbers_find_number(numbers, question->adopt);

	switch (question->what) {
	case FAKE_MADE:
	case FAKE_REMOVED: numbers_know(numbers, path)->made = question->what == FAKE_MADE; return;
	case FAKE_GIVE:
		if (question->identity || question->adopt)
			numbers_give_for(numbers, path, question->identity, question->adopt);
		else
			numbers_give(numbers, path, 0);
		return;
	case FAKE_BIND:
		if (!known->identity)
			known->identity = strdup(question->identity);
		return;
	case FAKE_RETIRE: known->retired = true;
	}
}

static void numbers_answer(void *userdata)
{
	struct numbers_question *question = userdata;
	numbers_done_fn done = question->done;
	void *asker = question->userdata;
	int error = question->error;

	for (size_t i = 0; i < question->n_assign && !error; i++)
		numbers_do(question, question->assign[i]);
	question_free(question);
	done(asker, error);
}

static void cancel_numbers(struct pending *pending)
{
	struct numbers_question *question = (struct numbers_question *)pending;

	question_free(question);
}

static int numbers_ask(struct numbers *numbers, const char *const *paths, size_t n_paths, int what,
		       const char *identity, uint32_t adopt, int error, numbers_done_fn done,
		       void *userdata, struct pending **ret_question)
{
	struct numbers_question *question = calloc(1, sizeof(*question));

	question->pending.cancel = cancel_numbers;
	question->numbers = numbers;
	question->error = error;
	question->what = what;
	question->identity = identity ? strdup(identity) : NULL;
	question->adopt = adopt;
	question->done = done;
	question->userdata = userdata;
	question->assign = calloc(n_paths, sizeof(*question->assign));
	question->n_assign = n_paths;
	for (size_t i = 0; i < n_paths; i++)
		question->assign[i] = strdup(paths[i] ?: "");
	DL_APPEND(numbers->questions, question);
	later_call(&question->answer, numbers->event, numbers_answer, question);
	if (ret_question)
		*ret_question = &question->pending;
	return 0;
}

void numbers_set_reserved(struct numbers *numbers, numbers_reserved_fn reserved, void *userdata)
{
	numbers->reserved = reserved;
	numbers->reserved_userdata = userdata;
}

static bool numbers_is_reserved(const struct numbers *numbers, uint32_t number)
{
	return numbers->reserved && numbers->reserved(numbers->reserved_userdata, number);
}

static void numbers_skip_reserved(struct numbers *numbers)
{
	while (numbers_is_reserved(numbers, NUMBERS_FIRST + numbers->last))
		numbers->last++;
}

int numbers_assign(struct numbers *numbers, const char *const *paths, size_t n_paths,
		   numbers_done_fn done, void *userdata, struct pending **ret_question)
{
	numbers->n_assign_calls++;
	if (n_paths > numbers->largest_assign)
		numbers->largest_assign = n_paths;
	numbers_skip_reserved(numbers);
	return numbers_ask(numbers, paths, n_paths, FAKE_GIVE, NULL, 0, numbers->fails, done,
			   userdata, ret_question);
}

int numbers_assign_for(struct numbers *numbers, const char *path, const char *identity,
		       numbers_done_fn done, void *userdata, struct pending **ret_question)
{
	uint32_t number = numbers_get_for(numbers, path, identity);

	numbers_skip_reserved(numbers);
	if (!number && !identity)
		number = NUMBERS_FIRST + numbers->last++;
	return numbers_ask(numbers, &path, 1, FAKE_GIVE, identity, number, numbers->fails, done,
			   userdata, ret_question);
}

int numbers_set(struct numbers *numbers, const char *path, const char *identity, uint32_t number,
		numbers_done_fn done, void *userdata, struct pending **ret_question)
{
	const struct known_number *known = numbers_find_number(numbers, number);
	int error = numbers->fails;

	if (known && (!str_equal(known->path->path, path) ||
		      (known->identity && !numbers_same(known->identity, identity))))
		error = -EEXIST;
	else if (number < NUMBERS_FIRST || number > NUMBERS_LAST)
		error = -ERANGE;
	return numbers_ask(numbers, &path, 1, FAKE_GIVE, identity, number, error, done, userdata,
			   ret_question);
}

int numbers_adopt(struct numbers *numbers, const char *path, const char *identity, uint32_t number,
		  numbers_done_fn done, void *userdata, struct pending **ret_question)
{
	uint32_t other = numbers_get_for(numbers, path, identity);

	if ((other && other != number) ||
	    (!numbers_find_number(numbers, number) && numbers_is_reserved(numbers, number)))
		return numbers_ask(numbers, &path, 1, FAKE_GIVE, identity, number, -EEXIST, done,
				   userdata, ret_question);
	return numbers_set(numbers, path, identity, number, done, userdata, ret_question);
}

int numbers_bind(struct numbers *numbers, uint32_t number, const char *identity,
		 numbers_done_fn done, void *userdata, struct pending **ret_question)
{
	const char *path = numbers_path(numbers, number),
		   *bound = numbers_identity(numbers, number);
	uint32_t other = path ? numbers_get_for(numbers, path, identity) : 0;
	int error = numbers->fails;

	if (!path)
		error = -ENOENT;
	else if ((bound && !str_equal(bound, identity)) || (other && other != number))
		error = -EEXIST;
	return numbers_ask(numbers, &path, 1, FAKE_BIND, identity, number, error, done, userdata,
			   ret_question);
}

int numbers_retire(struct numbers *numbers, uint32_t number, numbers_done_fn done, void *userdata,
		   struct pending **ret_question)
{
	const char *path = numbers_path(numbers, number);

	return numbers_ask(numbers, &path, 1, FAKE_RETIRE, NULL, number,
			   path ? numbers->fails : -ENOENT, done, userdata, ret_question);
}

int numbers_record_directories(struct numbers *numbers, const char *const *paths, size_t n_paths,
			       bool made, numbers_done_fn done, void *userdata,
			       struct pending **ret_question)
{
	return numbers_ask(numbers, paths, n_paths, made ? FAKE_MADE : FAKE_REMOVED, NULL, 0,
			   numbers->fails, done, userdata, ret_question);
}

int numbers_open(struct numbers **ret_numbers, sd_event *event, const char *const *files)
{
	struct numbers *numbers = calloc(1, sizeof(*numbers));

	numbers->event = event;
	*ret_numbers = numbers;
	return 0;
}

bool numbers_fact(const struct numbers *numbers, uint32_t number, struct numbers_fact *ret_fact)
{
	const struct known_number *known = numbers_find_number(numbers, number);

	if (known)
		*ret_fact = (struct numbers_fact){ .number = number,
						   .path = known->path->path,
						   .identity = known->identity,
						   .sequence = known->sequence,
						   .retired = known->retired };
	return known;
}

bool numbers_contradicts(const struct numbers *numbers, const struct numbers_fact *fact)
{
	const char *path = numbers_path(numbers, fact->number);

	return path && !str_equal(path, fact->path);
}

int numbers_take(struct numbers *numbers, const struct numbers_fact *facts, size_t n_facts,
		 numbers_done_fn done, void *userdata, struct pending **ret_question)
{
	int error = numbers->fails;

	for (size_t i = 0; i < n_facts; i++)
		if (numbers_contradicts(numbers, &facts[i]))
			error = -EEXIST;
		else
			numbers_give_for(numbers, facts[i].path, facts[i].identity,
					 facts[i].number);
	return numbers_ask(numbers, NULL, 0, FAKE_GIVE, NULL, 0, error, done, userdata,
			   ret_question);
}

int numbers_verify(struct numbers *numbers, later_fn done, void *userdata,
		   struct pending **ret_pending)
{
	return -EBUSY;
}

bool numbers_copy(const struct numbers *numbers, size_t index,
		  struct numbers_copy_status *ret_status)
{
	return false;
}

struct numbers *numbers_close(struct numbers *numbers)
{
	struct known_number *number, *next_number;
	struct known_path *known, *next;

	if (!numbers)
		return NULL;
	while (numbers->questions)
		question_free(numbers->questions);
	HASH_ITER (hh, numbers->by_number, number, next_number) {
		HASH_DEL(numbers->by_number, number);
		free(number->identity);
		free(number);
	}
	HASH_ITER (hh, numbers->paths, known, next) {
		HASH_DEL(numbers->paths, known);
		free(known->path);
		free(known);
	}
	free(numbers);
	return NULL;
}
