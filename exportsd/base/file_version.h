/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * file_version.h - what tells one version of a file from another.
 */

#include <sys/stat.h>

#include "parser/base.h"

struct file_version {
	uint64_t inode, mtime_nsec, size;
};
struct file_version file_version_of(const struct stat *st);
bool file_version_equal(const struct file_version *a, const struct file_version *b);
