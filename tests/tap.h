/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * tap.h - unit tests that speak TAP (https://testanything.org): one "ok" or "not ok" line a check.
 *
 *	int main(void)
 *	{
 *		is_int(numbers_get(numbers, "/a"), 0, "a path nobody asked for has no number");
 *		return tap_done();
 *	}
 *
 * TEST_SEED=N in the environment replays tap_random()'s numbers; the seed is printed at first use.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned int tap_run, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static bool ok(bool good, const char *format, ...)
{
	va_list ap;

	tap_run++;
	if (!good)
		tap_failed++;
	printf("%sok %u - ", good ? "" : "not ", tap_run);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	return good;
}

__attribute__((unused)) static bool is_int(long long got, long long wanted, const char *what)
{
	if (ok(got == wanted, "%s", what))
		return true;
	printf("#   got %lld, wanted %lld\n", got, wanted);
	return false;
}

__attribute__((unused)) static bool is_str(const char *got, const char *wanted, const char *what)
{
	if (ok(got == wanted || (got && wanted && strcmp(got, wanted) == 0), "%s", what))
		return true;
	printf("#   got    '%s'\n#   wanted '%s'\n", got ? got : "(null)",
	       wanted ? wanted : "(null)");
	return false;
}

/* xorshift64*: the same on every machine. */
__attribute__((unused)) static uint64_t tap_random(void)
{
	static uint64_t state;

	if (!state) {
		const char *seed = getenv("TEST_SEED");

		state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2654435761u;
		printf("# TEST_SEED=%llu\n", (unsigned long long)state);
		if (!state)
			state = 1;
	}
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 2685821657736338717ull;
}

__attribute__((unused)) static int tap_done(void)
{
	printf("1..%u\n", tap_run);
	return tap_failed || !tap_run ? 1 : 0;
}
