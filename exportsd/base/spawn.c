/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/base/spawn.h"

#include <signal.h>
#include <unistd.h>

int spawn_program(const char *program, char *const argv[], const posix_spawn_file_actions_t *files,
		  pid_t *ret_pid)
{
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_init(&attributes);
	if (r)
		return -r;
	if (!(r = posix_spawnattr_setsigmask(&attributes, &none)) &&
	    !(r = posix_spawnattr_setsigdefault(&attributes, &all)) &&
	    !(r = posix_spawnattr_setflags(&attributes,
					   POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)))
		r = posix_spawn(ret_pid, program, files, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	return -r;
}
