/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any line as one of the kernel's content files, of each cache. What it says lies within the line. */

#include <stddef.h>
#include <stdint.h>

#include "exportsd/kernel/upcall.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_within(const char *text, const char *line, size_t size)
{
	require(!text || (text >= line && text + strlen(text) <= line + size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (enum kernel_cache cache = 0; cache < KERNEL_N_CACHES; cache++) {
		struct kernel_entry entry = { 0 };
		char *line = strndup((const char *)data, size);
		size_t length = strlen(line);

		if (upcall_parse_entry(cache, line, &entry) == 0) {
			check_within(entry.about.address, line, length);
			check_within(entry.about.domain, line, length);
			check_within(entry.about.path, line, length);
			check_within(entry.domain, line, length);
			check_within(entry.path, line, length);
			require(cache != KERNEL_EXPORT || entry.about.path);
		}
		free(line);
	}
	return 0;
}
