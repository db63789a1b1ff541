/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fuzz-client.c - any text as a client spec, and any two as a pattern and a name.
 *
 * The matcher must agree with one that is written straight from the rules and tries
 * everything.
 */

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "parser/exports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TRIED_MAX = 14 }; /* trying everything takes its time */

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c;
}

static bool naive_matches(const char *pattern, const char *name);

static bool naive_set(const char *pattern, const char *name)
{
	bool negated = pattern[1] == '^', matches = false;
	const char *at = pattern + 1 + negated, *first = at;

	for (; *at && (*at != ']' || at == first); at++) {
		if (at[1] == '-' && at[2] && at[2] != ']') {
			matches |= lower(at[0]) <= lower(*name) && lower(*name) <= lower(at[2]);
			at += 2;
		} else {
			matches |= lower(*at) == lower(*name);
		}
	}
	return *at && matches != negated && naive_matches(at + 1, name + 1);
}

static bool naive_matches(const char *pattern, const char *name)
{
	if (*pattern == '*')
		return naive_matches(pattern + 1, name) ||
		       (*name && naive_matches(pattern, name + 1));
	if (!*pattern || !*name)
		return !*pattern && !*name;
	if (*pattern == '?')
		return naive_matches(pattern + 1, name + 1);
	if (*pattern == '[')
		return naive_set(pattern, name);
	if (*pattern == '\\' && pattern[1])
		pattern++;
	return lower(*pattern) == lower(*name) && naive_matches(pattern + 1, name + 1);
}

static void require(bool good)
{
	if (!good)
		abort();
}

static void check_spec(const char *text)
{
	struct client_spec spec;
	const char *why = NULL;
	int r = client_spec_parse(text, &spec, &why);

	require(r == 0 || (r == EXPORTS_INVALID && why));
	if (r != 0)
		return;
	require(spec.text == text && spec.type < N_CLIENT_TYPES);
	require((spec.type == CLIENT_ANONYMOUS) == (text[0] == '\0' || strcmp(text, "*") == 0));
	require((spec.type == CLIENT_NETGROUP) == (text[0] == '@'));
	if (spec.type == CLIENT_SUBNET) {
		const struct client_subnet subnet = client_subnet(&spec);

		require(strchr(text, '/') && subnet.address.family == subnet.mask.family);
		require(client_subnet_holds(&subnet, &subnet.address));
	}
	if (spec.type == CLIENT_HOST)
		require(client_name_matches(text, text) || strchr(text, '\\'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *name;

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check_spec(text);
	/* Behind the first newline is the name. */
	name = strchr(text, '\n');
	if (name) {
		*name++ = '\0';
		if (strlen(text) <= TRIED_MAX && strlen(name) <= TRIED_MAX)
			require(client_name_matches(text, name) == naive_matches(text, name));
		else
			client_name_matches(text, name);
	}
	free(text);
	return 0;
}
