/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as a junction's XML. What it leads to is not longer than it may be, and can stand in refer=. */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "exportsd/fs/junction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *locations = NULL, *xml = malloc(size ? size : 1);
	int r;

	require(xml != NULL);
	memcpy(xml, data, size);
	r = junction_parse(xml, size, &locations);
	free(xml);
	require(r == 0 || (r == -EBADMSG && !locations));
	if (r == 0) {
		require(locations[0] == '/' && strchr(locations, '@'));
		require(strlen(locations) <= JUNCTION_LOCATIONS_MAX);
	}
	free(locations);
	return 0;
}
