/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * questions.c - all questions together: those that the kernel asks, and what it is told unasked.
 */

#include "exportsd/questions/private.h"

#include <errno.h>

#include "exportsd/base/log.h"

void questions_ask(void *userdata, const struct kernel_question *about)
{
	static const struct question_kind *const kinds[KERNEL_N_CACHES] = {
		[KERNEL_IP] = &question_ip,
		[KERNEL_GID] = &question_gid,
		[KERNEL_EXPORT] = &question_export,
		[KERNEL_FH] = &question_fh,
	};
	struct daemon *daemon = userdata;
	struct question *question = question_new(daemon->questions, kinds[about->cache], about);
	int r = question ? question_enter(question) : -ENOMEM;

	if (r == 0) {
		question_begin(question);
		return;
	}
	if (question)
		question_free(question);
	if (r == -ENOMEM) {
		/* The kernel repeats what is unanswered to whoever opens its channel next. */
		log_error(NULL, "No memory to keep a question of the kernel, restarting");
		sd_event_exit(daemon->event, EXIT_FAILURE);
	}
}

int questions_tell_client(struct questions *questions, const char *address, const char *domain)
{
	const struct kernel_answer answer = {
		.about = { .cache = KERNEL_IP, .address = address },
		.expiry = question_expiry(questions->daemon->config->ttl_seconds),
		.domain = domain,
	};

	return kernel_answer(questions->daemon->kernel, &answer);
}

int questions_tell_export(struct questions *questions, const char *domain, const char *path,
			  questions_told_fn done, void *userdata, struct pending **ret_pending)
{
	const struct kernel_question about = { .cache = KERNEL_EXPORT,
					       .domain = domain,
					       .path = path };
	struct question *question = question_new(questions, &question_export, &about);

	if (!question)
		return -ENOMEM;
	question->told = done;
	question->told_userdata = userdata;
	question->is_beginning = true;
	question_begin(question);
	question->is_beginning = false;
	*ret_pending = &question->pending;
	return 0;
}

void questions_again(struct questions *questions)
{
	for (struct question *q = questions->all; q; q = q->next)
		question_again(q, 0);
	namings_again(questions);
	identities_set_snapshot(questions->identities, questions->daemon->snapshot);
}

void questions_begin_load(struct questions *questions)
{
	identities_begin_load(questions->identities);
}

size_t questions_n_waiting(const struct questions *questions)
{
	return questions->n_waiting;
}

int questions_new(struct questions **ret_questions, struct daemon *daemon)
{
	struct questions *questions = calloc(1, sizeof(*questions));
	int r;

	if (!questions)
		return -ENOMEM;
	questions->daemon = daemon;
	r = identities_new(&questions->identities, daemon->event, daemon->paths, daemon->numbers,
			   daemon->mounts, daemon->config->rootdir);
	if (r < 0) {
		free(questions);
		return r;
	}
	*ret_questions = questions;
	return 0;
}

struct questions *questions_free(struct questions *questions)
{
	if (!questions)
		return NULL;
	while (questions->all)
		question_free(questions->all);
	namings_end(questions);
	later_cancel(&questions->look);
	identities_free(questions->identities);
	free(questions);
	return NULL;
}
