/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * question.c - a question's life: kept until it is answered, begun anew if that cannot be yet.
 */

#include "exportsd/questions/private.h"

#include <errno.h>
#include <time.h>

#include "exportsd/base/log.h"

enum {
	/* More than these are left in the kernel, which keeps them for us (kernel_pause()). */
	WAITING_MAX = 65536,
};

uint64_t question_expiry(uint32_t seconds)
{
	return (uint64_t)time(NULL) + seconds;
}

uint32_t question_ttl(const struct question *question)
{
	const struct config *config = question->daemon->config;
	const struct access *access = &question->access;
	bool by_name = access->composed && snapshot_needs_names(question->daemon->snapshot);

	if (!access->is_complete)
		return NO_SECONDS;
	return by_name && config->name_age_seconds < config->ttl_seconds ? config->name_age_seconds
									 : config->ttl_seconds;
}

static void stop_waiting(struct question *question)
{
	access_stop(&question->access);
	later_cancel(&question->again);
	free(TAKE_PTR(question->answer_path));
}

static size_t length_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* Returns behind the text's NUL, if there is one. */
static char *keep(char *at, const char *text, const char **ret_text)
{
	size_t length = length_of(text);

	if (length)
		*ret_text = memcpy(at, text, length);
	return at + length;
}

static void cancel(struct pending *pending)
{
	question_free((struct question *)pending);
}

/* The key is what is asked: of which cache, numbers, texts. */
struct question *question_new(struct questions *questions, const struct question_kind *kind,
			      const struct kernel_question *about)
{
	size_t length = sizeof(about->cache) + sizeof(about->uid) + sizeof(about->fsid) +
			length_of(about->address) + length_of(about->domain) +
			length_of(about->path);
	struct question *question = calloc(1, sizeof(*question) + length);
	char *at;

	if (!question)
		return NULL;
	question->pending.cancel = cancel;
	question->daemon = questions->daemon;
	question->kind = kind;
	access_init(&question->access, question->daemon, &kind->steps, question);
	question->about = *about;
	question->key_length = length;
	at = mempcpy(question->key, &about->cache, sizeof(about->cache));
	at = mempcpy(at, &about->uid, sizeof(about->uid));
	at = mempcpy(at, &about->fsid, sizeof(about->fsid));
	at = keep(at, about->address, &question->about.address);
	at = keep(at, about->domain, &question->about.domain);
	(void)keep(at, about->path, &question->about.path);
	question->next = questions->all;
	if (question->next)
		question->next->previous = question;
	questions->all = question;
	questions->n_waiting++;
	if (questions->n_waiting == WAITING_MAX)
		kernel_pause(questions->daemon->kernel, true);
	return question;
}

void question_free(struct question *question)
{
	struct questions *questions = question->daemon->questions;

	stop_waiting(question);
	if (question->hh.tbl)
		HASH_DEL(questions->by_key, question);
	if (question->previous)
		question->previous->next = question->next;
	else
		questions->all = question->next;
	if (question->next)
		question->next->previous = question->previous;
	questions->n_waiting--;
	if (questions->n_waiting == WAITING_MAX - 1 && questions->daemon->kernel)
		kernel_pause(questions->daemon->kernel, false);
	free(question);
}

int question_enter(struct question *question)
{
	struct questions *questions = question->daemon->questions;
	struct question *same;

	HASH_FIND(hh, questions->by_key, question->key, question->key_length, same);
	if (same)
		return -EEXIST;
	HASH_ADD_KEYPTR(hh, questions->by_key, question->key, question->key_length, question);
	return question->hh.tbl ? 0 : -ENOMEM;
}

void question_begin(struct question *question)
{
	stop_waiting(question);
	question->kind->begin(question);
}

static void on_again(void *userdata)
{
	question_begin(userdata);
}

void question_again(struct question *question, unsigned int seconds)
{
	sd_event *event = question->daemon->event;

	stop_waiting(question);
	if (seconds == 0) {
		later_call(&question->again, event, on_again, question);
	} else if (later_call_in(&question->again, event, seconds * UINT64_C(1000000), on_again,
				 question) < 0) {
		/* The kernel repeats what is unanswered to whoever opens its channel next. */
		log_error(NULL, "No memory to keep a question of the kernel, restarting");
		sd_event_exit(event, EXIT_FAILURE);
	}
}

static void on_over(void *userdata)
{
	struct question *question = userdata;

	question_end(question, question->error);
}

void question_end(struct question *question, int error)
{
	questions_told_fn told = question->told;
	void *userdata = question->told_userdata;

	if (question->is_beginning) {
		question->error = error;
		later_call(&question->again, question->daemon->event, on_over, question);
		return;
	}
	question_free(question);
	if (told)
		told(userdata, error);
}

int question_answer(struct question *question, struct kernel_answer answer)
{
	int r;

	answer.about = question->about;
	r = kernel_answer(question->daemon->kernel, &answer);
	if (r == 0)
		question_end(question, 0);
	if (r != -ENOMEM)
		return r;
	question_again(question, 1);
	return 0;
}

void question_begin_domain(struct question *question)
{
	const char *domain = question->about.domain;

	if (access_ask_domain(&question->access, domain) == 0)
		return;
	log_warning(NULL, "The kernel asks about the domain '%s', which is nobody's; ignoring",
		    domain);
	question_end(question, -EINVAL);
}
