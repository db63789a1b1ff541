/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * directory.h - a directory for a test's files, in memory where there is such a place: nobody waits for a disk.
 */

#include <stdio.h>
#include <stdlib.h>

/* Returns its name, valid until the program ends; does not return if there is none. */
static const char *directory_make(const char *test)
{
	static const char *const places[] = { "/dev/shm", "/tmp" };
	static char name[64];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s-XXXXXX", places[i], test);
		if (mkdtemp(name))
			return name;
	}
	perror(name);
	exit(1);
}
