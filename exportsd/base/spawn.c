/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exportsd/base/later.h"

enum { KILLED_MSEC = 100 };

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

static bool has_ended(int pidfd, uint64_t msec)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	return poll(&end, 1, (int)msec) > 0;
}

bool spawn_finish(pid_t pid, uint64_t until_usec)
{
	CLEANUP(closep) int pidfd = pidfd_open(pid, 0);
	uint64_t now = later_now_usec();
	bool in_time = has_ended(pidfd, now < until_usec ? (until_usec - now) / 1000 : 0);
	int status = -1;

	if (!in_time) {
		(void)kill(pid, SIGKILL);
		(void)has_ended(pidfd, KILLED_MSEC);
	}
	(void)waitpid(pid, &status, WNOHANG);
	return in_time && status == 0;
}
