/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Both a path and its form in the kernel's escapes are a rootdir's exactly if they begin with it
 * and a slash or the end follows: escapes are made byte by byte.
 */

#include "exportsd/kernel/rootdir.h"

#include <errno.h>
#include <stdio.h>

const char *rootdir_strip(const char *rootdir, const char *path)
{
	size_t length = rootdir ? strlen(rootdir) : 0;

	if (length && strncmp(path, rootdir, length) != 0)
		return NULL;
	if (path[length] == '\0')
		return "/";
	return path[length] == '/' ? path + length : NULL;
}

char *rootdir_join(const char *rootdir, const char *path)
{
	char *joined = NULL;

	if (!rootdir)
		return strdup(path);
	if (asprintf(&joined, "%s%s", rootdir, str_equal(path, "/") ? "" : path) < 0)
		return NULL;
	return joined;
}

/* Where the path is in lines of a cache, counted in words from 0; -1: there is none. */
static int path_position(enum kernel_cache cache, bool is_answer)
{
	if (cache == KERNEL_EXPORT)
		return 1; /* domain path ... */
	return cache == KERNEL_FH && is_answer ? 4 : -1; /* domain type fsid expiry path */
}

/* Returns NULL if there are not so many. */
static const char *find_word(const char *line, int position)
{
	for (; position > 0; position--) {
		line += strcspn(line, " \n");
		line += strspn(line, " ");
	}
	return *line && *line != '\n' ? line : NULL;
}

/* The line with another word, @length bytes of it, in the place of one. */
static int put_word(const char *line, const char *old, const char *prefix, const char *word,
		    size_t length, char **ret_line)
{
	if (asprintf(ret_line, "%.*s%s%.*s%s", (int)(old - line), line, prefix, (int)length, word,
		     old + strcspn(old, " \n")) < 0)
		return -ENOMEM;
	return 0;
}

static int copy(const char *line, char **ret_line)
{
	*ret_line = strdup(line);
	return *ret_line ? 0 : -ENOMEM;
}

int rootdir_answer(const char *root_word, enum kernel_cache cache, const char *line,
		   char **ret_line)
{
	static const char descriptors[] = "/proc/self/fd/";
	int position = path_position(cache, true);
	const char *word = position < 0 ? NULL : find_word(line, position);
	size_t length;

	if (!word || strncmp(word, descriptors, strlen(descriptors)) == 0)
		return copy(line, ret_line);
	length = strcspn(word, " \n");
	return put_word(line, word, root_word, word, length == 1 ? 0 : length, ret_line);
}

int rootdir_question(const char *root_word, enum kernel_cache cache, const char *line,
		     char **ret_line)
{
	int position = path_position(cache, false);
	const char *word = position < 0 ? NULL : find_word(line, position);
	size_t length, n_root = strlen(root_word);

	if (!word)
		return copy(line, ret_line);
	length = strcspn(word, " \n");
	if (length < n_root || strncmp(word, root_word, n_root) != 0 ||
	    (length > n_root && word[n_root] != '/'))
		return ROOTDIR_OUTSIDE;
	if (length == n_root)
		return put_word(line, word, "", "/", 1, ret_line);
	return put_word(line, word, "", word + n_root, length - n_root, ret_line);
}
