/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * base.h - ownership that the compiler keeps for us.
 *
 *	CLEANUP(freep) char *text = NULL;	freed when the scope ends
 *	CLEANUP(closep) int fd = -1;		closed when the scope ends
 *	return TAKE_PTR(text);			handed over: the local becomes NULL
 *	*ret_fd = TAKE_FD(fd);			handed over: the local becomes -1
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define FORMAT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#define TAKE_PTR(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int taken_fd_ = (fd);                                                              \
		(fd) = -1;                                                                         \
		taken_fd_;                                                                         \
	})

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline bool str_equal(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}
