/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/kernel/rootdir.h"

#include "parser/text.h"

const char *rootdir_strip(const char *rootdir, const char *path)
{
	size_t length = rootdir ? strlen(rootdir) : 0;

	if (!length)
		return path;
	if (strncmp(path, rootdir, length) != 0)
		return NULL;
	if (path[length] == '\0')
		return "/";
	return path[length] == '/' ? path + length : NULL;
}

char *rootdir_join(const char *rootdir, const char *path)
{
	return text_format("%s%s", rootdir ?: "", rootdir && str_equal(path, "/") ? "" : path);
}
