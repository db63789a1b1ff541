/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-rivals.c - another daemon for the same kernel is seen, in a /proc made for it, and for real.
 */

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "exportsd/rivals.h"
#include "tests/tap.h"

static char directory[] = "/tmp/test-rivals-XXXXXX";

static void make_process(const char *pid, const char *comm, const char *namespace)
{
	char path[256];
	FILE *to;

	snprintf(path, sizeof(path), "%s/%s", directory, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/ns", directory, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/ns/net", directory, pid);
	if (namespace && link(namespace, path) < 0)
		perror("# link");
	snprintf(path, sizeof(path), "%s/%s/comm", directory, pid);
	to = fopen(path, "w");
	fprintf(to, "%s\n", comm);
	fclose(to);
}

static void is_found(pid_t wanted, const char *wanted_name, const char *what)
{
	const char *name = NULL;

	is_int(rivals_find(directory, &name), wanted, what);
	is_str(name, wanted_name, "  by its name");
}

static char *make_namespace(char path[256], const char *name)
{
	FILE *to;

	snprintf(path, 256, "%s/%s", directory, name);
	to = fopen(path, "w");
	fclose(to);
	return path;
}

static void test_made(void)
{
	char here[256], there[256];

	make_namespace(here, "here");
	make_namespace(there, "there");
	is_found(0, NULL, "no process at all");
	make_process("self", "exportsd", here);
	make_process("10", "rpc.mountdx", here);
	make_process("11", "mountd", here);
	make_process("12", "rpc.mountd", there);
	is_found(0, NULL, "others, and one in another network namespace");
	make_process("13", "nfsv4.exportd", here);
	is_found(13, "nfsv4.exportd", "nfsv4.exportd");
	make_process("13", "gone", NULL);
	make_process("14", "rpc.mountd", NULL);
	is_found(14, "rpc.mountd", "rpc.mountd, wherever it is");
	ok(!rivals_find("/nonexistent", NULL), "no /proc");
}

static void test_real(void)
{
	const char *name = NULL;
	pid_t before = rivals_find("/proc", &name), child;
	int pipe_fds[2];
	char byte;

	if (before) {
		ok(true, "a real process # SKIP %s runs here", name);
		return;
	}
	if (pipe(pipe_fds) < 0)
		return;
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "rpc.mountd");
		if (write(pipe_fds[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	if (read(pipe_fds[0], &byte, 1) != 1)
		perror("# read");
	is_int(rivals_find("/proc", &name), child, "a real process");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(directory))
		return 1;
	test_made();
	test_real();
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command) == 0 ? tap_done() : 1;
}
