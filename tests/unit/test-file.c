/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-file.c - reading whole files. */

#include "parser/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "parser/base.h"
#include "tests/tap.h"

static int read_back(const char *bytes, size_t n_bytes, size_t max, char **ret_text,
		     size_t *ret_length)
{
	CLEANUP(closep) int fd = memfd_create("test", MFD_CLOEXEC);

	if (write(fd, bytes, n_bytes) != (ssize_t)n_bytes || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return file_read(fd, max, ret_text, ret_length);
}

static void test_read(void)
{
	CLEANUP(freep) char *text = NULL, *empty = NULL;
	size_t length = 1;

	is_int(read_back("0123456789", 10, 10, &text, &length), 0, "as much as may be");
	is_int((long long)length, 10, "all of it");
	is_str(text, "0123456789", "and a NUL");
	is_int(read_back("0123456789", 10, 9, &text, &length), -EFBIG, "a byte more is too much");
	is_int(read_back("", 0, 9, &empty, &length), 0, "nothing");
	ok(length == 0 && empty[0] == '\0', "is an empty text");
}

/* A pipe says no size: what is read grows. */
static void test_growth(void)
{
	enum { N_BYTES = 20000 };
	static char bytes[N_BYTES];
	CLEANUP(freep) char *text = NULL;
	size_t length = 0;
	int fds[2];

	for (size_t i = 0; i < N_BYTES; i++)
		bytes[i] = (char)('a' + i % 26);
	ok(pipe2(fds, O_CLOEXEC) == 0 && write(fds[1], bytes, N_BYTES) == N_BYTES, "a pipe");
	close(fds[1]);
	is_int(file_read(fds[0], N_BYTES, &text, &length), 0, "is read to its end");
	ok(length == N_BYTES && memcmp(text, bytes, N_BYTES) == 0 && text[length] == '\0',
	   "all of it, and a NUL");
	is_int(file_read(fds[1], N_BYTES, &text, &length), -EBADF, "an error is passed on");
	close(fds[0]);
}

int main(void)
{
	test_read();
	test_growth();
	return tap_done();
}
