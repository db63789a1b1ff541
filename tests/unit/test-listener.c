/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-listener.c - what may lie in a socket's place, and what is there afterwards. What happens
 * without descriptors, and to strangers: test-fsidd.c.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/base/listener.h"
#include "exportsd/base/log.h"
#include "tests/tap.h"

static sd_event *event;
static char directory[] = "/tmp/test-listener-XXXXXX";
static char path[sizeof(directory) + 16];
static int accepted;

static void on_accepted(void *userdata, int fd)
{
	accepted++;
	close(fd);
}

static int make(struct listener **ret_listener, const char *name, int type)
{
	return listener_new(ret_listener, event, name, type, "a socket", on_accepted, NULL);
}

static bool is_heard(const char *name, int type)
{
	CLEANUP(closep) int fd = socket(AF_UNIX, type, 0);
	struct sockaddr_un address;
	socklen_t length;

	accepted = 0;
	if (socket_address(name, &address, &length) < 0 ||
	    connect(fd, (struct sockaddr *)&address, length) < 0)
		return false;
	for (int i = 0; i < 100 && !accepted; i++)
		(void)sd_event_run(event, 10000);
	return accepted == 1;
}

static bool is_alone(void)
{
	return rmdir(directory) == 0 && mkdir(directory, 0700) == 0;
}

static void test_place(void)
{
	struct listener *listener = NULL, *second = NULL;
	struct stat before, st;
	mode_t mask = umask(0);

	is_int(make(&listener, path, SOCK_STREAM), 0, "nothing is there");
	umask(mask);
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600,
	   "it is its owner's, whatever the umask");
	ok(is_heard(path, SOCK_STREAM), "and heard");
	is_int(make(&second, path, SOCK_STREAM), -EADDRINUSE, "a live one is there");
	is_int(make(&second, path, SOCK_SEQPACKET), -EADDRINUSE, "of another type");
	ok(is_heard(path, SOCK_STREAM), "it is left alone");
	ok(!listener_free(listener) && is_alone(), "nothing is left of it");

	(void)mknod(path, S_IFSOCK | 0600, 0);
	is_int(make(&listener, path, SOCK_SEQPACKET), 0, "a dead one is there");
	ok(is_heard(path, SOCK_SEQPACKET), "it is replaced");
	(void)unlink(path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	(void)stat(path, &before);
	listener_free(listener);
	is_int(make(&listener, path, SOCK_STREAM), -EEXIST, "a file is there that is no socket");
	ok(stat(path, &st) == 0 && st.st_ino == before.st_ino, "it is left alone, in the end, too");
	(void)unlink(path);
	ok(is_alone(), "nothing is left beside it");
}

static void test_names(void)
{
	struct listener *listener = NULL;
	char longest[108], name[64];
	size_t length = (size_t)snprintf(longest, sizeof(longest), "%s/", directory);

	memset(longest + length, 'x', sizeof(longest) - 1 - length);
	longest[sizeof(longest) - 1] = '\0';
	is_int(make(&listener, longest, SOCK_STREAM), 0, "the longest path");
	ok(is_heard(longest, SOCK_STREAM), "is heard");
	listener_free(listener);
	is_int(make(&listener, "/x/y", SOCK_STREAM), -ENOENT, "no such directory");
	is_int(make(&listener, "relative", SOCK_STREAM), -EINVAL, "neither a path nor abstract");
	is_int(make(&listener, "@", SOCK_STREAM), -EINVAL, "no name");
	(void)snprintf(name, sizeof(name), "@test-listener-%d", getpid());
	is_int(make(&listener, name, SOCK_SEQPACKET), 0, "an abstract name");
	ok(is_heard(name, SOCK_SEQPACKET), "is heard");
	listener_free(listener);
	ok(!is_heard(name, SOCK_SEQPACKET), "and gone");
	ok(!listener_free(NULL), "listener_free(NULL)");
}

int main(void)
{
	if (sd_event_new(&event) < 0 || !mkdtemp(directory))
		return 1;
	log_open(LOG_EMERG, true);
	(void)snprintf(path, sizeof(path), "%s/socket", directory);
	test_place();
	test_names();
	sd_event_unref(event);
	(void)rmdir(directory);
	return tap_done();
}
