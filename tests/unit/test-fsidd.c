/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-fsidd.c - what nfs-utils' client sends to fsidd, and what it gets.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "exportsd/base/log.h"
#include "exportsd/control/fsidd.h"
#include "tests/fake/numbers.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

static sd_event *event;
static struct numbers *numbers;
static struct fsidd *fsidd;
static char directory[] = "/tmp/test-fsidd-XXXXXX";
static char socket_path[sizeof(directory) + 16];
static char abstract_name[64];

static unsigned int n_warnings;

void log_message(int level, const struct log_about *about, const char *format, ...)
{
	n_warnings += level <= LOG_WARNING;
}

/* As its client: the abstract name has no NUL behind it. */
static int connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	if (connect(fd, (struct sockaddr *)&address, length) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static const char *receive(int fd)
{
	static char text[FSIDD_REQUEST_MAX + 1];
	ssize_t n = -1;

	for (int i = 0; i < 100 && n < 0; i++) {
		(void)sd_event_run(event, 10000);
		n = recv(fd, text, FSIDD_REQUEST_MAX, MSG_DONTWAIT);
	}
	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? "nothing" : n == 0 ? "end" : text;
}

static const char *ask_bytes(int fd, const char *bytes, size_t n_bytes)
{
	if (send(fd, bytes, n_bytes, MSG_NOSIGNAL) < 0)
		return "unsent";
	return receive(fd);
}

static const char *ask(int fd, const char *text)
{
	return ask_bytes(fd, text, strlen(text));
}

static void test_transcript(void)
{
	int fd = connect_to(abstract_name);

	is_str(ask(fd, "version"), "+ 1", "version");
	is_str(ask(fd, "get_fsidnum /srv/a"), "+ ", "a path without a number");
	is_str(ask(fd, "get_or_create_fsidnum /srv/a"), "+ 65536", "which gets one");
	is_str(ask(fd, "get_or_create_fsidnum /srv/a"), "+ 65536", "once");
	is_str(ask(fd, "get_fsidnum /srv/a"), "+ 65536", "and has it");
	is_str(ask(fd, "get_path 65536"), "+ /srv/a", "and back");
	is_str(ask(fd, "get_path 65537"), "+ ", "nobody's number");
	is_str(ask(fd, "get_or_create_fsidnum /srv/with space\n and more"), "+ 65537",
	       "a path is bytes");
	is_str(ask(fd, "get_path 65537"), "+ /srv/with space\n and more", "given back as it was");
	numbers_give(numbers, "/old", 2000000000);
	is_str(ask(fd, "get_path 2000000000"), "+ /old", "a large number");
	is_str(ask(fd, "get_path -5"), "+ ", "one of 2^31 and more, sent with a sign");
	close(fd);
}

static void test_faults(void)
{
	static char text[FSIDD_REQUEST_MAX + 100];
	int fd = connect_to(abstract_name);

	is_str(ask(fd, "get_path"), "- bad command", "no argument");
	is_str(ask(fd, "get_path x"), "- this is no number", "no number");
	is_str(ask(fd, "get_path "), "- this is no number", "an empty one");
	is_str(ask(fd, "get_path 99999999999999999999"), "- this is no number", "a huge one");
	is_str(ask(fd, "get_fsidnum relative"), "- path is not absolute", "a relative path");
	is_str(ask(fd, "GET"), "- bad command", "another command");
	is_str(ask_bytes(fd, "version\0", 8), "- a NUL byte", "a NUL byte");
	memset(text, 'x', sizeof(text));
	is_str(ask_bytes(fd, text, sizeof(text)), "- too long", "a packet beyond the limit");
	memcpy(text, "get_fsidnum /", 13);
	is_str(ask_bytes(fd, text, 8000), "- path is too long", "a path beyond the limit");
	text[2000] = '\0';
	numbers_give(numbers, text + 12, 70000);
	is_str(ask(fd, "get_path 70000"), "- path is too long for this protocol",
	       "a path that the client would drop");
	numbers->fails = -EIO;
	is_str(ask(fd, "get_or_create_fsidnum /srv/fails"), "- Input/output error",
	       "a store that fails is no unknown path");
	numbers->fails = 0;
	is_str(ask(fd, "get_or_create_fsidnum /srv/fails"), "+ 65538", "and may work again");
	(void)send(fd, "get_or_create_fsidnum /srv/gone", 31, 0);
	close(fd);
	loop_for(event, 50);
	fd = connect_to(abstract_name);
	is_str(ask(fd, "version"), "+ 1", "a client that goes while it is asked for harms nobody");
	close(fd);
}

static void test_many(void)
{
	int fds[FSIDD_CLIENTS_MAX + 1];

	loop_for(event, 20);
	n_warnings = 0;
	for (size_t i = 0; i < N_ELEMENTS(fds); i++)
		fds[i] = connect_to(abstract_name);
	is_str(ask(fds[FSIDD_CLIENTS_MAX - 1], "version"), "+ 1", "as many as it takes");
	is_str(receive(fds[FSIDD_CLIENTS_MAX]), "end", "not one more");
	for (int i = 0; i < 100; i++) {
		int fd = connect_to(abstract_name);

		(void)receive(fd);
		close(fd);
	}
	is_int(n_warnings, 1, "which is said once");
	for (size_t i = 0; i < N_ELEMENTS(fds); i++)
		close(fds[i]);
	loop_for(event, 20);
	fds[0] = connect_to(abstract_name);
	is_str(ask(fds[0], "version"), "+ 1", "until they go");
	close(fds[0]);
}

/* A user other than root may connect to an abstract name as often as he likes. */
static int stranger(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = setresuid(65534, 65534, 65534) < 0 ? -1 : connect_to(abstract_name);

		usleep(20000);
		_exit(fd < 0);
	}
	return pid;
}

static void test_strangers(void)
{
	int status = 1;
	pid_t pid;

	n_warnings = 0;
	for (int i = 0; i < 5; i++) {
		pid = stranger();
		loop_for(event, 50);
		waitpid(pid, &status, 0);
	}
	if (geteuid() != 0 || status != 0)
		ok(true, "strangers # SKIP this user cannot be another one");
	else
		is_int(n_warnings, 1, "that strangers are not heard is said once");
}

static void test_no_descriptors(void)
{
	struct rlimit before, none;
	unsigned int n_turns = 0;
	uint64_t end = loop_now_msec() + 300;
	int fd = connect_to(abstract_name);

	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	for (; loop_now_msec() < end; n_turns++)
		(void)sd_event_run(event, 20000);
	setrlimit(RLIMIT_NOFILE, &before);
	ok(n_turns < 100, "without descriptors the loop does not turn for nothing (%u turns)",
	   n_turns);
	loop_for(event, 1500);
	is_str(ask(fd, "version"), "+ 1", "and when there are some it is heard");
	close(fd);
}

static void test_path_socket(void)
{
	struct fsidd *other;
	struct stat st;
	int fd;

	is_int(fsidd_new(&other, event, abstract_name, numbers), -EADDRINUSE,
	       "two cannot serve one name");
	is_int(fsidd_new(&other, event, socket_path, numbers), 0, "a path");
	ok(stat(socket_path, &st) == 0 && (st.st_mode & 0777) == 0600, "is for root only");
	fd = connect_to(socket_path);
	is_str(ask(fd, "get_path 65536"), "+ /srv/a", "serves the same");
	close(fd);
	fsidd_free(other);
	ok(stat(socket_path, &st) < 0, "and is gone at the end");
	ok(!fsidd_free(NULL), "fsidd_free(NULL)");
}

int main(void)
{
	if (sd_event_new(&event) < 0 || !mkdtemp(directory))
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/fsid.sock", directory);
	snprintf(abstract_name, sizeof(abstract_name), "@exportsd-test-fsidd-%d", getpid());
	numbers_open(&numbers, event, NULL);
	is_int(fsidd_new(&fsidd, event, abstract_name, numbers), 0, "an abstract name");
	test_transcript();
	test_faults();
	test_many();
	test_strangers();
	test_no_descriptors();
	test_path_socket();
	fsidd_free(fsidd);
	numbers_close(numbers);
	sd_event_unref(event);
	(void)rmdir(directory);
	return tap_done();
}
