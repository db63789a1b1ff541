/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * spawn.h - how the daemon starts other programs: with no signal blocked, none ignored, and the
 * daemon's environment.
 */

#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * spawn_program - start a program.
 *
 * @program: its path; not looked for in PATH
 * @argv:    ends with NULL
 * @files:   what becomes of descriptors; everything else of the daemon's is CLOEXEC already
 *
 * Returns 0; -errno of posix_spawn(3): what the program itself cannot do at its start is among
 * them.
 */
int spawn_program(const char *program, char *const argv[], const posix_spawn_file_actions_t *files,
		  pid_t *ret_pid);

/*
 * spawn_finish - at the end of the daemon, which alone may wait: until a program has ended, but no
 * longer than until a time of CLOCK_MONOTONIC. Then the program is killed; what is beyond SIGKILL
 * (a dead disk) is left to init.
 *
 * Returns whether it ended in time, and successfully.
 */
bool spawn_finish(pid_t pid, uint64_t until_usec);
