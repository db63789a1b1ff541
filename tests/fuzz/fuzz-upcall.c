/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Any line of the kernel's channels. What is understood must be repeated in the answer so that it is
 * understood as the same: the kernel finds the question by that.
 */

#include <stddef.h>
#include <stdint.h>

#include "exportsd/kernel/upcall.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && str_equal(a, b));
}

/* Is the answer about the question? */
static void check_same(const struct kernel_question *question, const char *answer)
{
	struct kernel_question again;
	char *room = malloc(strlen(answer) + 1);

	require(room && upcall_parse(question->cache, answer, room, &again) == 0);
	require(same(question->domain, again.domain) && same(question->path, again.path) &&
		same(question->address, again.address) && question->uid == again.uid);
	require(question->fsid.type == again.fsid.type &&
		!memcmp(question->fsid.bytes, again.fsid.bytes, sizeof(again.fsid.bytes)));
	free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kernel_answer no = { .expiry = 17 };
	struct kernel_question question;
	enum kernel_cache cache;
	char *line, *room, *answer;
	ssize_t length;

	if (size == 0)
		return 0;
	cache = data[0] % KERNEL_N_CACHES;
	line = strndup((const char *)data + 1, size - 1);
	require(line != NULL);
	room = malloc(strlen(line) + 1);
	answer = malloc(4 * size + 64);
	require(room && answer);
	if (upcall_parse(cache, line, room, &question) == 0) {
		require(question.cache == cache);
		no.about = question;
		length = upcall_format(&no, answer, 4 * size + 64);
		require(length > 0 && answer[length - 1] == '\n' &&
			!memchr(answer, '\n', (size_t)length - 1));
		answer[length - 1] = '\0';
		check_same(&question, answer);
	}
	free(answer);
	free(room);
	free(line);
	return 0;
}
