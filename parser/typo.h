/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * typo.h - how likely it is that one word was meant to be another.
 */

#include "parser/base.h"

/*
 * typo_distance - how many bytes of @word, its @length bytes, must be inserted, deleted, replaced or
 * swapped with a neighbour to make it @other; case is nothing.
 *
 * @other: in small letters
 *
 * SIZE_MAX if either is longer than TYPO_WORD_MAX bytes.
 */
enum { TYPO_WORD_MAX = 64 };
size_t typo_distance(const char *word, size_t length, const char *other);
