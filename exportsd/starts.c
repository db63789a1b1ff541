/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/starts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "parser/base.h"
#include "parser/text.h"

static const uint64_t first_usec = 200 * 1000, longest_usec = 10 * 1000 * 1000;

static int open_file(const char *runtime_directory, int flags)
{
	CLEANUP(freep) char *path = text_format("%s/starts", runtime_directory);

	return path ? open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600) : -1;
}

uint64_t starts_count(const char *runtime_directory)
{
	CLEANUP(closep) int fd = open_file(runtime_directory, O_CREAT | O_APPEND);
	uint64_t usec = first_usec;
	struct stat st;

	if (fd < 0 || write(fd, ".", 1) != 1 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size <= STARTS_AT_ONCE)
		return 0;
	for (off_t n = st.st_size - STARTS_AT_ONCE; n > 1 && usec < longest_usec; n--)
		usec *= 2;
	return usec < longest_usec ? usec : longest_usec;
}

void starts_forget(const char *runtime_directory)
{
	int fd = runtime_directory ? open_file(runtime_directory, O_TRUNC) : -1;

	closep(&fd);
}
