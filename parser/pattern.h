/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * pattern.h - what makes a path a wildcard rule's.
 *
 * A component with a '*', a '?', or a '[' that a ']' of the same component closes, none of them
 * quoted or escaped. A '[' that nothing closes is the character itself, as in fnmatch(3).
 */

#include "parser/arena.h"
#include "parser/lex.h"

enum { PATTERN_INVALID = 1 };

/*
 * pattern_find - where the first wildcard of a path is.
 *
 * @origins: as in struct lex_word; NULL: no byte is quoted or escaped
 *
 * Returns @length if there is none.
 */
size_t pattern_find(const char *path, size_t length, const uint32_t *origins);

/*
 * pattern_read - a rule's path, normalised, and its pattern for fnmatch(3).
 *
 * In both, slashes are single and none is at the end. In the pattern a backslash
 * stands before every byte that means itself though it could mean more.
 *
 * @ret_path, @ret_pattern: in @arena; @ret_path is the path as text
 * @ret_fault: PATTERN_INVALID: where in the word a component "." or ".." starts
 *
 * Returns 0; PATTERN_INVALID; -ENOMEM.
 */
int pattern_read(struct exports_arena *arena, const struct lex_word *word, const char **ret_path,
		 const char **ret_pattern, size_t *ret_fault);
