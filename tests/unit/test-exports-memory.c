/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-exports-memory.c - reading exports when memory runs out at any one place.
 *
 * malloc(3) and its kin are replaced by ones that fail once, at the n-th call; n goes up until
 * nothing fails. Leaks are left to AddressSanitizer and valgrind to find.
 */

#include <dlfcn.h>
#include <errno.h>

#include "parser/exports.h"
#include "tests/tap.h"

/* The analyser knows only one malloc(3). */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static volatile long fails_at; /* calls until one fails; 0: none does */

static bool must_fail(void)
{
	if (fails_at > 0)
		return --fails_at == 0;
	return false;
}

#define REAL(function)                                                                             \
	({                                                                                         \
		static __typeof__(function) *real_;                                                \
		if (!real_)                                                                        \
			*(void **)&real_ = dlsym(RTLD_NEXT, #function);                            \
		real_;                                                                             \
	})

void *malloc(size_t size)
{
	if (must_fail()) {
		errno = ENOMEM;
		return NULL;
	}
	return REAL(malloc)(size);
}

void *calloc(size_t n, size_t size)
{
	if (must_fail()) {
		errno = ENOMEM;
		return NULL;
	}
	return REAL(calloc)(n, size);
}

void *realloc(void *old, size_t size)
{
	if (must_fail()) {
		errno = ENOMEM;
		return NULL;
	}
	return REAL(realloc)(old, size);
}

void *reallocarray(void *old, size_t n, size_t size)
{
	size_t product;

	if (__builtin_mul_overflow(n, size, &product)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, product);
}

static const char text[] =
	"/srv/a -rw,fsid=3 alpha(refer=/x@y,squash_uids=1) @g(sec=sys:krb5) (ro)\n"
	"\"/srv/b c\\040\" 192.0.2.0/24(mountpoint=/y,bogus) alpha (rw\n"
	"/mnt/*/[a]  *(fsid=/run/h) b\n"
	"/srv/\"unclosed\n";

/* How many items and messages there are when nothing fails. */
static size_t n_items, n_messages;

/* Returns false when there was no n-th call. */
static bool try(long n)
{
	struct exports_source *source = NULL;
	struct diags diags = { 0 };
	bool failed, good;
	int r;

	fails_at = n;
	r = exports_read_text("file", text, sizeof(text) - 1, &diags, &source);
	failed = fails_at == 0;
	fails_at = 0;
	if (r == 0)
		good = source->n_items == n_items &&
		       (diags.out_of_memory || diags.n_items == n_messages);
	else
		good = r == -ENOMEM && !source;
	if (!good)
		ok(false, "call %ld: %d", n, r);
	diags_done(&diags);
	exports_source_free(source);
	return failed;
}

int main(void)
{
	struct exports_source *source;
	struct diags diags = { 0 };
	void *probe;
	long n = 1;

	/* A test with a memory checker that brings its own malloc may not see ours. */
	fails_at = 1;
	probe = malloc(1);
	fails_at = 0;
	if (probe) {
		free(probe);
		ok(true, "memory that runs out # SKIP malloc cannot be replaced here");
		return tap_done();
	}
	exports_read_text("file", text, sizeof(text) - 1, &diags, &source);
	n_items = source->n_items;
	n_messages = diags.n_items;
	ok(n_items > 3 && n_messages > 3, "%zu items, %zu messages", n_items, n_messages);
	diags_done(&diags);
	exports_source_free(source);
	while (n < 10000 && try(n))
		n++;
	ok(n > 20 && n < 10000, "each of %ld allocations failed once", n - 1);
	return tap_done();
}
