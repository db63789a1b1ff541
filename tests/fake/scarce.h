/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * scarce.h - memory that runs out. Included before the .c file of a module, its requests for memory and those of its
 * hash tables fail when until_failure says so.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#undef uthash_malloc

static long until_failure = -1; /* requests that still succeed; negative: all do */

static int fails_now(void)
{
	return until_failure >= 0 && until_failure-- == 0;
}

__attribute__((unused)) static void *scarce_malloc(size_t size)
{
	return fails_now() ? NULL : malloc(size);
}

__attribute__((unused)) static void *scarce_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : calloc(n, size);
}

__attribute__((unused)) static void *scarce_reallocarray(void *old, size_t n, size_t size)
{
	return fails_now() ? NULL : reallocarray(old, n, size);
}

__attribute__((unused)) static char *scarce_strdup(const char *text)
{
	return fails_now() ? NULL : strdup(text);
}

#undef strdup
#define malloc scarce_malloc
#define calloc scarce_calloc
#define reallocarray scarce_reallocarray
#define strdup scarce_strdup
#define uthash_malloc scarce_malloc
