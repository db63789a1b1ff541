/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * control.c - the socket, its connections, and the table of all verbs.
 *
 *	control.c ── table.c (written by the Makefile)
 *	    │           │
 *	    │       status.c, exports.c, eject.c, ... (a verb or a group of them each)
 *	    │           │              │
 *	connection.c ───┘          common.c (what several of them say)
 */

#include "exportsd/control/control.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/base/listener.h"
#include "exportsd/base/log.h"
#include "exportsd/config/config.h"
#include "exportsd/control/connection.h"

struct control {
	struct listener *listener;
	struct control_connections connections;
};

static const char socket_name[] = "exportsctl's socket";

static void on_accepted(void *userdata, int fd)
{
	int r = control_connections_add(userdata, fd);

	if (r < 0)
		log_warning(NULL, "%s: cannot serve a connection: %s", socket_name, strerror(-r));
}

static int listen_in(struct control *control, const char *directory)
{
	struct control_connections *connections = &control->connections;
	CLEANUP(freep) char *path = NULL;

	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (asprintf(&path, "%s/control", directory) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return listener_new(&control->listener, connections->daemon->event, path, SOCK_STREAM,
			    socket_name, on_accepted, connections);
}

int control_new(struct control **ret_control, struct daemon *daemon)
{
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return -ENOMEM;
	control->connections = (struct control_connections){
		.daemon = daemon,
		.verbs = control_verbs,
	};
	r = listen_in(control, daemon->config->runtime_directory);
	if (r < 0) {
		control_free(control);
		return r;
	}
	*ret_control = control;
	return 0;
}

struct control *control_free(struct control *control)
{
	if (!control)
		return NULL;
	control_connections_close(&control->connections);
	listener_free(control->listener);
	free(control);
	return NULL;
}
