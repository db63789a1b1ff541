/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * who.c - the two short kinds: who is this address (auth.unix.ip), and which groups has this user
 * (auth.unix.gid)?
 */

#include "exportsd/questions/private.h"

#include <errno.h>

#include "exportsd/base/address.h"
#include "exportsd/base/log.h"

/* A refused address is asked about again after this. */
enum { NOBODY_SECONDS = 60 };

/* ---- auth.unix.ip ---- */

/* Who it is in full is found out with each question about what is named by its address. */
static void answer_ip(struct question *question, uint32_t seconds)
{
	const struct daemon *daemon = question->daemon;
	const struct access *access = &question->access;
	CLEANUP(freep) char *name = NULL;

	if (access->domain) {
		name = clients_kernel_domain(
			daemon->snapshot, !access->is_complete || daemon->config->cache_use_ipaddr,
			&access->address, access->domain);
		if (!name) {
			question_again(question, 1);
			return;
		}
	}
	if (question_answer(question, (struct kernel_answer){ .expiry = question_expiry(seconds),
							      .domain = name }) < 0)
		question_end(question, -EINVAL);
}

static void on_who(void *userdata, int error)
{
	struct question *question = userdata;
	const struct config *config = question->daemon->config;
	const struct access *access = &question->access;
	const char *address = question->about.address;
	uint32_t seconds = config->ttl_seconds;

	if (error < 0) {
		question_again(question, 1);
		return;
	}
	if (!access->domain && !access->is_complete) {
		log_notice(
			ABOUT(.client = address),
			"The name service does not answer about %s, which no export names by address; "
			"asking again",
			address);
		question_again(question, AGAIN_SECONDS);
		return;
	}
	if (!access->is_complete)
		seconds = NO_SECONDS;
	else if (!access->domain)
		seconds = NOBODY_SECONDS;
	else if (snapshot_needs_names(question->daemon->snapshot) &&
		 seconds > config->name_age_seconds)
		seconds = config->name_age_seconds;
	if (!access->domain)
		log_info(ABOUT(.client = address), "Refused %s: no export is for it", address);
	answer_ip(question, seconds);
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
	access_ask_address(&question->access, &address, false);
}

const struct question_kind question_ip = { .begin = begin_ip, .steps.who = on_who };

/* ---- auth.unix.gid ---- */

static void on_groups(void *userdata, int error, const uint32_t *groups, size_t n_groups)
{
	struct question *question = userdata;
	const struct config *config = question->daemon->config;

	question->access.pending = NULL;
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
			 &question->access.pending) < 0)
		question_again(question, 1);
}

const struct question_kind question_gid = { .begin = begin_gid };
