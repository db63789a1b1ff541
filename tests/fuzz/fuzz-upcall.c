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

static char *answer_to(const struct upcall *upcall)
{
	switch (upcall->cache) {
	case KERNEL_IP: return upcall_answer_ip(upcall->address, 17, NULL);
	case KERNEL_GID: return upcall_answer_gid(upcall->uid, 17, NULL, 0);
	case KERNEL_EXPORT: return upcall_answer_export(upcall->domain, upcall->path, 17, NULL);
	case KERNEL_FH: return upcall_answer_fh(upcall, 17, NULL);
	case KERNEL_N_CACHES: break;
	}
	return NULL;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && str_equal(a, b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct upcall upcall, again;
	enum kernel_cache cache;
	char *line, *answer;
	int r;

	if (size == 0)
		return 0;
	cache = data[0] % KERNEL_N_CACHES;
	line = strndup((const char *)data + 1, size - 1);
	require(line != NULL);
	r = upcall_parse(cache, line, &upcall);
	free(line);
	if (r != 0)
		return 0;
	require(upcall.cache == cache);
	answer = answer_to(&upcall);
	require(answer && answer[strlen(answer) - 1] == '\n' &&
		!memchr(answer, '\n', strlen(answer) - 1));
	answer[strlen(answer) - 1] = '\0';
	require(upcall_parse(cache, answer, &again) == 0);
	require(same(upcall.domain, again.domain) && same(upcall.path, again.path) &&
		same(upcall.address, again.address) && upcall.uid == again.uid);
	require(cache != KERNEL_FH || (upcall.fsid_type == again.fsid_type &&
				       !memcmp(upcall.fsid, again.fsid, sizeof(again.fsid))));
	free(answer);
	upcall_done(&upcall);
	upcall_done(&again);
	return 0;
}
