/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Saying once what a file handle named that was answered "no".
 *
 * A client with an old handle asks for as long as it has it, every few seconds, and a thousand
 * clients may have one: each handle is named once in a while for each client specification, and all
 * of them together a bounded number of times a minute.
 */

#include "exportsd/questions/private.h"

#include <stdarg.h>

#include "exportsd/base/log.h"
#include "parser/text.h"

enum { STALE_A_MINUTE_MAX = 20 };

static const uint64_t minute_usec = 60 * UINT64_C(1000000);
static const uint64_t again_usec = 600 * UINT64_C(1000000);

/* FNV-1a: two that share a hash share a line, no more. */
static uint64_t hash_of(const struct kernel_question *about)
{
	uint64_t hash = 0xcbf29ce484222325 ^ about->fsid.type;

	for (const char *c = about->domain; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
	for (size_t i = 0; i < kernel_fsid_length(about->fsid.type); i++)
		hash = (hash ^ about->fsid.bytes[i]) * 0x100000001b3;
	return hash ? hash : 1;
}

static bool was_said(struct stale_log *log, uint64_t hash, uint64_t now)
{
	for (size_t i = 0; i < STALE_REMEMBERED; i++)
		if (log->said[i].hash == hash && now - log->said[i].usec < again_usec)
			return true;
	return false;
}

static bool may_say(struct stale_log *log, uint64_t hash, uint64_t now)
{
	if (now - log->minute_began >= minute_usec) {
		if (log->n_left_out)
			log_info(NULL, "%u further stale file handles were not named",
				 log->n_left_out);
		log->minute_began = now;
		log->n_said = log->n_left_out = 0;
	}
	if (was_said(log, hash, now))
		return false;
	if (log->n_said >= STALE_A_MINUTE_MAX) {
		log->n_left_out++;
		return false;
	}
	log->n_said++;
	log->said[log->next].hash = hash;
	log->said[log->next].usec = now;
	log->next = (log->next + 1) % STALE_REMEMBERED;
	return true;
}

void question_was_stale(const struct question *question, const char *path, const char *format, ...)
{
	struct questions *questions = question->daemon->questions;
	const struct kernel_question *about = &question->about;
	CLEANUP(freep) char *why = NULL;
	uint64_t now = later_now_usec();
	va_list ap;

	if (!question->daemon->config->log_stale_handles)
		return;
	if (!may_say(&questions->stale, hash_of(about), now))
		return;
	va_start(ap, format);
	why = text_vformat(format, ap);
	va_end(ap);
	log_info(ABOUT(.path = path, .client = about->domain,
		       .fsid = about->fsid.type == FSID_NUM ? kernel_fsid_number(&about->fsid) : 0),
		 "A file handle%s%s that a client has is stale: %s", path ? " of " : "", path ?: "",
		 why ?: "?");
}
