/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * typo.c - the distance of two words (Damerau's, of optimal string alignment).
 */

#include "parser/typo.h"

#include <ctype.h>

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

size_t typo_distance(const char *word, size_t length, const char *other)
{
	size_t other_length = strlen(other), rows[3][TYPO_WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	if (length > TYPO_WORD_MAX || other_length > TYPO_WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= other_length; j++)
		row[j] = before[j] = j;
	for (size_t i = 1; i <= length; i++) {
		spare = before;
		before = above;
		above = row;
		row = spare;
		row[0] = i;
		for (size_t j = 1; j <= other_length; j++) {
			bool same = tolower((unsigned char)word[i - 1]) == other[j - 1];

			row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
			if (i > 1 && j > 1 && word[i - 1] == other[j - 2] &&
			    word[i - 2] == other[j - 1] && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return row[other_length];
}
