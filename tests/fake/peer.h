/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * peer.h - a handler for tests, in the test's own event loop: a real UNIX socket, and a
 * script (a function) that is called for each message and says what it likes, well-formed or not.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>

#include "handlers/proto.h"

enum { PEER_TALKS_MAX = 64, PEER_HEARD_MAX = 256 };

struct peer;

/* One connection. */
struct talk {
	struct peer *peer;
	int fd;
	sd_event_source *io;
	char *in, *out;
	size_t n_in, n_out; /* out: what did not fit into the socket yet */
};

struct peer {
	sd_event *event;
	int fd;
	sd_event_source *io;
	void (*heard)(struct talk *talk, const struct proto_message *message);
	void *userdata;
	struct talk talks[PEER_TALKS_MAX];
	unsigned int n_talks; /* ever accepted */
	unsigned int n_open;
	unsigned int n_heard; /* messages */
	char words[PEER_HEARD_MAX][24]; /* their words */
	char ids[PEER_HEARD_MAX][24];
	struct talk *from[PEER_HEARD_MAX];
};

static void talk_close(struct talk *talk)
{
	if (talk->fd < 0)
		return;
	talk->io = sd_event_source_disable_unref(talk->io);
	close(talk->fd);
	talk->fd = -1;
	free(TAKE_PTR(talk->in));
	free(TAKE_PTR(talk->out));
	talk->n_in = talk->n_out = 0;
	talk->peer->n_open--;
}

static void talk_send(struct talk *talk, const void *bytes, size_t n_bytes, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec data = { .iov_base = (void *)bytes, .iov_len = n_bytes };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	n = talk->n_out ? 0 : sendmsg(talk->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		n = 0;
	if ((size_t)n == n_bytes)
		return;
	talk->out = realloc(talk->out, talk->n_out + n_bytes - (size_t)n);
	memcpy(talk->out + talk->n_out, (const char *)bytes + n, n_bytes - (size_t)n);
	talk->n_out += n_bytes - (size_t)n;
	sd_event_source_set_io_events(talk->io, EPOLLIN | EPOLLOUT);
}

/* Returns false when the other side is gone. */
static bool talk_flush(struct talk *talk)
{
	ssize_t n = send(talk->fd, talk->out, talk->n_out, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return false;
	talk->n_out -= (size_t)n;
	memmove(talk->out, talk->out + n, talk->n_out);
	if (talk->n_out == 0)
		sd_event_source_set_io_events(talk->io, EPOLLIN);
	return true;
}

__attribute__((format(printf, 2, 3), unused)) static void talk_say(struct talk *talk,
								   const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) >= 0 && talk->fd >= 0)
		talk_send(talk, text, strlen(text), -1);
	va_end(ap);
	free(text);
}

/* An answer: "ok", and further lines each ended by a newline. */
__attribute__((unused)) static void talk_answer(struct talk *talk, const struct proto_message *to,
						const char *word, const char *lines)
{
	const char *id = proto_get(to, "id");

	talk_say(talk, "exportsd/1 %s\nid=%s\n%s\n", word, id ? id : "?", lines);
}

static void talk_take(struct talk *talk)
{
	struct peer *peer = talk->peer;
	struct proto_message message;
	const char *why, *id;
	size_t used;

	while (talk->fd >= 0 && proto_parse(talk->in, talk->n_in, &message, &used, &why) == 0) {
		id = proto_get(&message, "id");
		if (peer->n_heard < PEER_HEARD_MAX) {
			snprintf(peer->words[peer->n_heard], sizeof(peer->words[0]), "%s",
				 message.word);
			snprintf(peer->ids[peer->n_heard], sizeof(peer->ids[0]), "%s",
				 id ? id : "");
			peer->from[peer->n_heard] = talk;
		}
		peer->n_heard++;
		peer->heard(talk, &message);
		proto_message_done(&message);
		if (talk->fd < 0)
			return;
		talk->n_in -= used;
		memmove(talk->in, talk->in + used, talk->n_in);
	}
}

static int talk_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct talk *talk = userdata;
	char bytes[8192];
	ssize_t n;

	if (((revents & EPOLLOUT) && !talk_flush(talk)) || (revents & EPOLLHUP)) {
		talk_close(talk);
		return 0;
	}
	if (!(revents & EPOLLIN))
		return 0;
	n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n <= 0) {
		talk_close(talk);
		return 0;
	}
	talk->in = realloc(talk->in, talk->n_in + (size_t)n);
	memcpy(talk->in + talk->n_in, bytes, (size_t)n);
	talk->n_in += (size_t)n;
	talk_take(talk);
	return 0;
}

static int peer_on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct peer *peer = userdata;
	struct talk *talk = NULL;

	for (size_t i = 0; i < PEER_TALKS_MAX && !talk; i++)
		if (peer->talks[i].fd < 0)
			talk = &peer->talks[i];
	if (!talk)
		return 0;
	talk->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	talk->peer = peer;
	peer->n_talks++;
	peer->n_open++;
	sd_event_add_io(peer->event, &talk->io, talk->fd, EPOLLIN, talk_on_io, talk);
	return 0;
}

/* Listen at a path. */
__attribute__((unused)) static int peer_open(struct peer *peer, sd_event *event, const char *path,
					     void (*heard)(struct talk *,
							   const struct proto_message *))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(peer, 0, sizeof(*peer));
	for (size_t i = 0; i < PEER_TALKS_MAX; i++)
		peer->talks[i].fd = -1;
	peer->event = event;
	peer->heard = heard;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(peer->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(peer->fd, 64) < 0)
		return -errno;
	return sd_event_add_io(event, &peer->io, peer->fd, EPOLLIN, peer_on_accept, peer);
}

__attribute__((unused)) static void peer_close(struct peer *peer)
{
	if (!peer->event)
		return;
	for (size_t i = 0; i < PEER_TALKS_MAX; i++)
		talk_close(&peer->talks[i]);
	sd_event_source_disable_unref(peer->io);
	close(peer->fd);
	peer->event = NULL;
}

/* How many messages with this word were heard. */
__attribute__((unused)) static unsigned int peer_count(const struct peer *peer, const char *word)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < peer->n_heard && i < PEER_HEARD_MAX; i++)
		n += str_equal(peer->words[i], word);
	return n;
}
