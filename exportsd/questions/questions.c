/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Keeping questions, and the two short kinds: who is this address (auth.unix.ip), and which
 * groups has this user (auth.unix.gid). The long ones are in export.c and fh.c.
 */

#include "exportsd/questions/private.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "exportsd/base/address.h"
#include "exportsd/base/log.h"
#include "exportsd/kernel/clients.h"

enum {
	/* More than these are left in the kernel, which keeps them for us (kernel_pause()). */
	WAITING_MAX = 65536,
	/* A refused address is asked about again after this. */
	NOBODY_SECONDS = 60,
	/*
	 * Looks are over when there was none for so long, and taken for over after the longer time,
	 * which is less than clients believe a directory's attributes by default (nfs(5) acdirmin).
	 */
	LOOK_QUIET_USEC = 2 * 1000000,
	LOOK_LATEST_USEC = 20 * 1000000,
};

uint64_t question_expiry(uint32_t seconds)
{
	return (uint64_t)time(NULL) + seconds;
}

static void stop_waiting(struct question *question)
{
	pending_cancel(&question->clients);
	question->clients = NULL;
	pending_cancel(&question->names);
	question->names = NULL;
	pending_cancel(&question->paths);
	question->paths = NULL;
	pending_cancel(&question->identities);
	question->identities = NULL;
	pending_cancel(&question->media);
	question->media = NULL;
	pending_cancel(&question->number);
	question->number = NULL;
	question->timer = sd_event_source_disable_unref(question->timer);
}

static void question_free(struct question *question)
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
	free(question->composed);
	free(question->answer_path);
	free(question);
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

static void begin(struct question *question);

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	begin(userdata);
	return 0;
}

static int on_next_turn(sd_event_source *source, void *userdata)
{
	begin(userdata);
	return 0;
}

/* @r: of setting its timer */
static void keep_waiting(struct question *question, int r)
{
	if (r >= 0)
		return;
	/*
	 * Not even a timer: the kernel repeats what is unanswered to whoever opens its channel
	 * next.
	 */
	log_error(NULL, "No memory to keep a question of the kernel, restarting");
	sd_event_exit(question->daemon->event, EXIT_FAILURE);
}

void question_again(struct question *question, unsigned int seconds)
{
	sd_event *event = question->daemon->event;

	stop_waiting(question);
	keep_waiting(question,
		     seconds ? sd_event_add_time_relative(event, &question->timer, CLOCK_MONOTONIC,
							  seconds * UINT64_C(1000000), 1, on_again,
							  question)
			     : sd_event_add_defer(event, &question->timer, on_next_turn, question));
}

static int on_told(sd_event_source *source, void *userdata)
{
	struct question *question = userdata;

	question_end(question, question->told_error);
	return 0;
}

void question_end(struct question *question, int error)
{
	questions_told_fn told = question->told;
	void *userdata = question->told_userdata;

	if (question->is_beginning) {
		question->told_error = error;
		stop_waiting(question);
		keep_waiting(question, sd_event_add_defer(question->daemon->event, &question->timer,
							  on_told, question));
		return;
	}
	question_free(question);
	if (told)
		told(userdata, error);
}

/* Whose domain is it? @done: now or later. */
static void ask_domain(struct question *question, const struct address *address,
		       clients_domain_fn done)
{
	const struct daemon *daemon = question->daemon;
	CLEANUP(freep) char *domain = NULL;
	int r = clients_domain(daemon->names, daemon->event, daemon->snapshot, address,
			       question->is_patient, done, question, &domain, &question->clients);

	if (r == CLIENTS_NOW)
		done(question, domain, true);
	else if (r < 0)
		question_again(question, 1);
}

/* ---- auth.unix.ip ---- */

/*
 * @domain: NULL: nobody. Who it is in full is found out with each question about what is named by
 * its address.
 */
static void answer_ip(struct question *question, const char *domain, bool complete,
		      uint32_t seconds)
{
	const struct daemon *daemon = question->daemon;
	CLEANUP(freep) char *name = NULL;
	struct address address;

	if (domain && address_parse(question->about.address, &address)) {
		name = clients_kernel_domain(daemon->snapshot,
					     !complete || daemon->config->cache_use_ipaddr,
					     &address, domain);
		if (!name) {
			question_again(question, 1);
			return;
		}
	}
	if (question_answer(question, (struct kernel_answer){ .expiry = question_expiry(seconds),
							      .domain = name }) < 0)
		question_end(question, -EINVAL);
}

static void on_domain(void *userdata, const char *domain, bool complete)
{
	struct question *question = userdata;
	const struct config *config = question->daemon->config;
	const char *address = question->about.address;
	uint32_t seconds = config->ttl_seconds;

	question->clients = NULL;
	if (!domain && !complete) {
		log_notice(
			ABOUT(.client = address),
			"The name service does not answer about %s, which no export names by address; "
			"asking again",
			address);
		question_again(question, AGAIN_SECONDS);
		return;
	}
	if (!complete)
		seconds = NO_SECONDS;
	else if (!domain)
		seconds = NOBODY_SECONDS;
	else if (snapshot_needs_names(question->daemon->snapshot) &&
		 seconds > config->name_age_seconds)
		seconds = config->name_age_seconds;
	if (!domain)
		log_info(ABOUT(.client = address), "Refused %s: no export is for it", address);
	answer_ip(question, domain, complete, seconds);
}

static void begin_ip(struct question *question)
{
	struct address address;

	if (!address_parse(question->about.address, &address)) {
		log_warning(NULL, "The kernel asks about '%s', which is no address; ignoring",
			    question->about.address);
		question_end(question, -EINVAL);
		return;
	}
	ask_domain(question, &address, on_domain);
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

/* ---- auth.unix.gid ---- */

static void on_groups(void *userdata, int error, const uint32_t *groups, size_t n_groups)
{
	struct question *question = userdata;
	const struct config *config = question->daemon->config;

	question->names = NULL;
	if (error < 0) {
		question_again(question, AGAIN_SECONDS);
		return;
	}
	if (question_answer(question, (struct kernel_answer){
					      .expiry = question_expiry(config->name_age_seconds),
					      .groups = groups,
					      .n_groups = n_groups }) < 0)
		question_end(question, -EINVAL);
}

static void begin_gid(struct question *question)
{
	if (names_groups(question->daemon->names, question->about.uid, on_groups, question,
			 &question->names) < 0)
		question_again(question, 1);
}

/* ---- who a domain is ---- */

const struct client_set *question_clients(const struct question *question)
{
	return snapshot_client_set(question->daemon->snapshot, question->composed
								       ? question->composed
								       : question->about.domain);
}

uint32_t question_ttl(const struct question *question)
{
	const struct config *config = question->daemon->config;
	bool by_name = question->composed && snapshot_needs_names(question->daemon->snapshot);

	if (question->is_partial)
		return NO_SECONDS;
	return by_name && config->name_age_seconds < config->ttl_seconds ? config->name_age_seconds
									 : config->ttl_seconds;
}

static void begin_export_or_fh(struct question *question)
{
	if (question->about.cache == KERNEL_EXPORT)
		question_begin_export(question);
	else
		question_begin_fh(question);
}

static void on_composed(void *userdata, const char *domain, bool complete)
{
	struct question *question = userdata;

	question->clients = NULL;
	question->is_partial = !complete;
	question->composed = strdup(domain ? domain : "");
	if (question->composed && (domain || complete))
		begin_export_or_fh(question);
	else
		question_again(question, question->composed ? AGAIN_SECONDS : 1);
}

/* A domain is asked about at once, but for one that was named by an address: who is that now? */
static void begin_domain(struct question *question)
{
	struct address address;

	if (!clients_is_by_address(question->about.domain, &address)) {
		begin_export_or_fh(question);
		return;
	}
	if (!address.family) {
		log_warning(NULL,
			    "The kernel asks about the domain '%s', which is nobody's; ignoring",
			    question->about.domain);
		question_end(question, -EINVAL);
		return;
	}
	ask_domain(question, &address, on_composed);
}

bool question_waits_for_names(struct question *question)
{
	if (!question->is_partial || question->is_patient)
		return false;
	question->is_patient = true;
	question->is_partial = false;
	free(TAKE_PTR(question->composed));
	begin_domain(question);
	return true;
}

/* ---- all kinds ---- */

static void begin(struct question *question)
{
	stop_waiting(question);
	question->mount_root_checked = question->is_partial = question->is_patient = false;
	free(TAKE_PTR(question->answer_path));
	free(TAKE_PTR(question->composed));
	switch (question->about.cache) {
	case KERNEL_IP: begin_ip(question); break;
	case KERNEL_GID: begin_gid(question); break;
	case KERNEL_EXPORT:
	case KERNEL_FH: begin_domain(question); break;
	case KERNEL_N_CACHES: break;
	}
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

/* The key is what is asked: of which cache, numbers, texts. */
static struct question *question_new(struct questions *questions,
				     const struct kernel_question *about)
{
	size_t length = sizeof(about->cache) + sizeof(about->uid) + sizeof(about->fsid) +
			length_of(about->address) + length_of(about->domain) +
			length_of(about->path);
	struct question *question = calloc(1, sizeof(*question) + length);
	char *at;

	if (!question)
		return NULL;
	question->daemon = questions->daemon;
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

/* Returns 0; -EEXIST: the same is kept already; -ENOMEM. */
static int enter_key(struct questions *questions, struct question *question)
{
	struct question *same;

	HASH_FIND(hh, questions->by_key, question->key, question->key_length, same);
	if (same)
		return -EEXIST;
	HASH_ADD_KEYPTR(hh, questions->by_key, question->key, question->key_length, question);
	return question->hh.tbl ? 0 : -ENOMEM;
}

static void out_of_memory(const struct daemon *daemon)
{
	/* The kernel repeats what is unanswered to whoever opens its channel next. */
	log_error(NULL, "No memory to keep a question of the kernel, restarting");
	sd_event_exit(daemon->event, EXIT_FAILURE);
}

void questions_ask(void *userdata, const struct kernel_question *about)
{
	struct daemon *daemon = userdata;
	struct question *question = question_new(daemon->questions, about);
	int r = question ? enter_key(daemon->questions, question) : -ENOMEM;

	if (r == 0) {
		begin(question);
		return;
	}
	if (question)
		question_free(question);
	if (r == -ENOMEM)
		out_of_memory(daemon);
}

int questions_tell_export(struct questions *questions, const char *domain, const char *path,
			  questions_told_fn done, void *userdata, struct question **ret_question)
{
	const struct kernel_question about = { .cache = KERNEL_EXPORT,
					       .domain = domain,
					       .path = path };
	struct question *question = question_new(questions, &about);

	if (!question)
		return -ENOMEM;
	question->told = done;
	question->told_userdata = userdata;
	/* What ends at once is told in the next turn. */
	question->is_beginning = true;
	begin(question);
	question->is_beginning = false;
	*ret_question = question;
	return 0;
}

void questions_cancel(struct question *question)
{
	if (question)
		question_free(question);
}

void questions_again(struct questions *questions)
{
	for (struct question *q = questions->all; q; q = q->next)
		question_again(q, 0);
	namings_again(questions);
	identities_forget(questions->identities);
}

void questions_begin_load(struct questions *questions)
{
	identities_begin_load(questions->identities);
}

/* ---- looking ---- */

static int on_look_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct questions *questions = userdata;
	uint64_t quiet = questions->last_look_usec + LOOK_QUIET_USEC;
	uint64_t latest = questions->first_look_usec + LOOK_LATEST_USEC;
	uint64_t due = quiet < latest ? quiet : latest;
	int r;

	if (usec < due) {
		(void)sd_event_source_set_time(source, due);
		(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
		return 0;
	}
	questions->first_look_usec = 0;
	r = kernel_flush_exports(questions->daemon->kernel);
	if (r < 0) {
		errno = -r;
		log_warning(NULL, "Cannot flush the kernel's exports, so that a client that lists "
				  "media again may load them: %m");
	}
	return 0;
}

void question_showed_unmounted(struct question *question)
{
	struct questions *questions = question->daemon->questions;
	sd_event *event = questions->daemon->event;

	(void)sd_event_now(event, CLOCK_MONOTONIC, &questions->last_look_usec);
	if (questions->first_look_usec)
		return;
	questions->first_look_usec = questions->last_look_usec;
	if (questions->look_timer) {
		(void)sd_event_source_set_time(questions->look_timer,
					       questions->last_look_usec + LOOK_QUIET_USEC);
		(void)sd_event_source_set_enabled(questions->look_timer, SD_EVENT_ONESHOT);
	} else if (sd_event_add_time(event, &questions->look_timer, CLOCK_MONOTONIC,
				     questions->last_look_usec + LOOK_QUIET_USEC, 0, on_look_time,
				     questions) < 0) {
		questions->first_look_usec = 0; /* no memory: the next look tries again */
	}
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
			   daemon->config->rootdir);
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
	while (questions->namings)
		namings_end(questions);
	sd_event_source_disable_unref(questions->look_timer);
	identities_free(questions->identities);
	kernel_holds_free(questions->holds);
	free(questions);
	return NULL;
}
