/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * workers.c - the kinds of worker processes, each with what it does.
 */

#include "exportsd/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "exportsd/fs/device.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/states.h"
#include "exportsd/mountd/rmtab_file.h"
#include "exportsd/mountd/rpcbind.h"
#include "exportsd/names/names.h"
#include "exportsd/numbers/process.h"
#include "exportsd/worker/worker.h"

static int serve_names(int fd, const char *argument)
{
	return worker_serve(fd, names_serve);
}

static int serve_paths(int fd, const char *rootdir)
{
	int r = rootdir ? paths_serve_beneath(rootdir) : 0;

	return r < 0 ? r : worker_serve(fd, paths_serve);
}

static int serve_devices(int fd, const char *argument)
{
	return worker_serve(fd, device_serve);
}

static int serve_clients(int fd, const char *argument)
{
	return worker_serve(fd, kernel_states_serve);
}

static int serve_store(int fd, const char *file)
{
	return file ? store_main(fd, file) : -EINVAL;
}

static const struct {
	int (*serve)(int fd, const char *argument);
	bool outlives_daemon; /* it ends its transaction, then reads the socket's end */
} kinds[] = {
	[WORKER_NAMES] = { .serve = serve_names },
	[WORKER_PATHS] = { .serve = serve_paths },
	[WORKER_STORE] = { .serve = serve_store, .outlives_daemon = true },
	[WORKER_DEVICES] = { .serve = serve_devices },
	[WORKER_RMTAB] = { .serve = rmtab_file_serve },
	[WORKER_CLIENTS] = { .serve = serve_clients },
	[WORKER_RPCBIND] = { .serve = rpcbind_serve },
};

/*
 * The daemon decides when its workers end: a signal to the whole group or terminal must not. A
 * file size limit is an error of write(2), like a full disk.
 */
static void settle(const char *kind)
{
	char name[16];

	snprintf(name, sizeof(name), "exportsd-%s", kind);
	(void)prctl(PR_SET_NAME, name);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
}

static int serve(const char *kind, int fd, const char *argument)
{
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		if (!str_equal(kind, worker_kind_word((enum worker_kind)i)))
			continue;
		if (!kinds[i].outlives_daemon)
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		return kinds[i].serve(fd, argument);
	}
	return -EINVAL;
}

int worker_main(const char *kind, int fd, const char *argument)
{
	int r;

	settle(kind);
	r = serve(kind, fd, argument);
	if (r < 0)
		fprintf(stderr, "exportsd --worker %s: %s\n", kind, strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
