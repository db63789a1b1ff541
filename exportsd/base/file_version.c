/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/base/file_version.h"

struct file_version file_version_of(const struct stat *st)
{
	return (struct file_version){
		.inode = st->st_ino,
		.mtime_nsec =
			(uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec,
		.size = (uint64_t)st->st_size,
	};
}

bool file_version_equal(const struct file_version *a, const struct file_version *b)
{
	return a->inode == b->inode && a->mtime_nsec == b->mtime_nsec && a->size == b->size;
}
