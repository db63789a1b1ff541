/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * own_mounts.h - a mount namespace of the test's own, so that it can mount what it likes.
 */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static int own_mounts_write(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -1;
	r = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return r;
}

/* Returns 0; -1: not allowed here, skip the test. */
static int own_mounts(void)
{
	char users[32], groups[32];

	snprintf(users, sizeof(users), "0 %u 1\n", getuid());
	snprintf(groups, sizeof(groups), "0 %u 1\n", getgid());
	if (getuid() != 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			return -1;
		(void)own_mounts_write("/proc/self/setgroups", "deny");
		if (own_mounts_write("/proc/self/uid_map", users) < 0 ||
		    own_mounts_write("/proc/self/gid_map", groups) < 0)
			return -1;
	} else if (unshare(CLONE_NEWNS) < 0) {
		return -1;
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}
