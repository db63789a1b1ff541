/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* listener.c - accepting, and who may connect. */

#include "exportsd/base/listener.h"

#include <errno.h>

#include "exportsd/base/later.h"
#include "exportsd/base/log.h"

enum { PAUSE_USEC = 1000 * 1000 };

struct listener {
	sd_event *event;
	const char *what;
	listener_accepted_fn accepted;
	void *userdata;
	struct socket_own own;
	sd_event_source *io;
	struct later pause;
	bool has_refused, has_paused; /* and said so */
};

static bool is_peer_welcome(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void on_pause_over(void *userdata)
{
	struct listener *listener = userdata;

	(void)sd_event_source_set_enabled(listener->io, SD_EVENT_ON);
}

/* A socket on which nothing can be accepted stays readable. */
static void pause_listening(struct listener *listener, int error)
{
	if (!listener->has_paused)
		log_warning(NULL, "%s: cannot accept a connection: %s", listener->what,
			    strerror(error));
	listener->has_paused = true;
	if (later_call_in(&listener->pause, listener->event, PAUSE_USEC, on_pause_over, listener) ==
	    0)
		(void)sd_event_source_set_enabled(listener->io, SD_EVENT_OFF);
}

static int on_connection(sd_event_source *source, int socket, uint32_t revents, void *userdata)
{
	struct listener *listener = userdata;
	CLEANUP(closep) int fd = accept4(socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			pause_listening(listener, errno);
		return 0;
	}
	if (!is_peer_welcome(fd)) {
		if (!listener->has_refused)
			log_warning(NULL, "%s: a user other than root connected, closing",
				    listener->what);
		listener->has_refused = true;
		return 0;
	}
	listener->has_paused = false;
	listener->accepted(listener->userdata, TAKE_FD(fd));
	return 0;
}

int listener_new(struct listener **ret_listener, sd_event *event, const char *name, int type,
		 const char *what, listener_accepted_fn accepted, void *userdata)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	const char *why;
	int r;

	if (!listener)
		return -ENOMEM;
	*listener = (struct listener){
		.event = event,
		.what = what,
		.accepted = accepted,
		.userdata = userdata,
		.own.fd = -1,
	};
	r = socket_listen(name, type, &listener->own, &why);
	if (r >= 0)
		r = sd_event_add_io(event, &listener->io, listener->own.fd, EPOLLIN, on_connection,
				    listener);
	/* Never yet; but the loop has the descriptor that it needs to wait. */
	if (r >= 0)
		r = later_call_at(&listener->pause, event, UINT64_MAX, on_pause_over, listener);
	if (r < 0) {
		listener_free(listener);
		return r;
	}
	*ret_listener = listener;
	return 0;
}

struct listener *listener_free(struct listener *listener)
{
	if (!listener)
		return NULL;
	sd_event_source_disable_unref(listener->io);
	later_cancel(&listener->pause);
	socket_unlisten(&listener->own);
	free(listener);
	return NULL;
}
