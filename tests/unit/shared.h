/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * shared.h - memory that a test shares with the processes it starts: they are told its file in the environment.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of the file that the environment names, zeroed when that is new; NULL: it names none. */
__attribute__((unused)) static void *shared_memory(const char *variable, size_t size)
{
	const char *name = getenv(variable);
	void *memory;
	int fd;

	if (!name)
		return NULL;
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		abort();
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return memory;
}
