/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fsidd.c - fsidd's protocol, from what its client sends (nfs-utils support/reexport/reexport.c)
 * and its server answers (fsidd.c).
 *
 * A client has one request under way; its next one is read when that is answered.
 */

#include "exportsd/control/fsidd.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utlist.h>

#include "exportsd/base/log.h"

enum { PAUSE_USEC = 1000 * 1000 }; /* when descriptors are out */

struct client {
	struct fsidd *fsidd;
	struct client *prev, *next;
	int fd;
	sd_event_source *io;
	struct pending *question;
	char *path; /* that the question is about */
};

struct fsidd {
	sd_event *event;
	struct numbers *numbers;
	int fd;
	sd_event_source *io, *pause;
	char *path; /* to unlink, or NULL */
	struct client *clients;
	size_t n_clients;
	/* Once each: anybody can connect to an abstract name, and go on for ever. */
	bool has_refused_user, has_refused_many, has_paused;
};

static void client_free(struct client *client)
{
	DL_DELETE(client->fsidd->clients, client);
	client->fsidd->n_clients--;
	pending_cancel(&client->question);
	sd_event_source_disable_unref(client->io);
	close(client->fd);
	free(client->path);
	free(client);
}

/* ---- replies ---- */

/* A packet goes as a whole or not at all; a client that does not read is not waited for. */
static void reply(struct client *client, const char *format, ...) FORMAT_PRINTF(2, 3);
static void reply(struct client *client, const char *format, ...)
{
	char text[FSIDD_REQUEST_MAX];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n > FSIDD_REPLY_MAX)
		n = snprintf(text, sizeof(text), "- path is too long for this protocol");
	if (send(client->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		client_free(client);
}

static void on_assigned(void *userdata, int error)
{
	struct client *client = userdata;
	uint32_t number = numbers_get(client->fsidd->numbers, client->path);

	client->question = NULL;
	(void)sd_event_source_set_enabled(client->io, SD_EVENT_ON);
	if (error == 0)
		reply(client, "+ %" PRIu32, number);
	else
		reply(client, "- %s", strerror(-error));
}

/* ---- requests ---- */

static void get_number(struct client *client, const char *path, bool create)
{
	struct fsidd *fsidd = client->fsidd;
	uint32_t number = numbers_get(fsidd->numbers, path);
	int r;

	if (*path != '/' || strlen(path) >= PATH_MAX) {
		reply(client, "- %s", *path == '/' ? "path is too long" : "path is not absolute");
		return;
	}
	if (number || !create) {
		reply(client, number ? "+ %" PRIu32 : "+ ", number);
		return;
	}
	free(client->path);
	client->path = strdup(path);
	r = client->path ? numbers_assign(fsidd->numbers, (const char *const *)&client->path, 1,
					  on_assigned, client, &client->question)
			 : -ENOMEM;
	if (r < 0)
		reply(client, "- %s", strerror(-r));
	else
		(void)sd_event_source_set_enabled(client->io, SD_EVENT_OFF);
}

/* As fsidd, but also where its client sends a number of 2^31 and more with a sign. */
static void get_path(struct client *client, const char *text)
{
	const char *path;
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number < INT32_MIN || number > UINT32_MAX) {
		reply(client, "- this is no number");
		return;
	}
	path = numbers_path(client->fsidd->numbers, (uint32_t)number);
	reply(client, "+ %s", path ?: "");
}

static void take_request(struct client *client, const char *text)
{
	static const char get[] = "get_fsidnum ", create[] = "get_or_create_fsidnum ",
			  path[] = "get_path ";

	if (strncmp(text, get, strlen(get)) == 0)
		get_number(client, text + strlen(get), false);
	else if (strncmp(text, create, strlen(create)) == 0)
		get_number(client, text + strlen(create), true);
	else if (strncmp(text, path, strlen(path)) == 0)
		get_path(client, text + strlen(path));
	else if (str_equal(text, "version"))
		reply(client, "+ 1");
	else
		reply(client, "- bad command");
}

static int on_request(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct client *client = userdata;
	char text[FSIDD_REQUEST_MAX + 1];
	ssize_t n = recv(fd, text, FSIDD_REQUEST_MAX, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		client_free(client);
		return 0;
	}
	if (n > FSIDD_REQUEST_MAX) {
		reply(client, "- too long");
		return 0;
	}
	text[n] = '\0';
	if (strlen(text) != (size_t)n)
		reply(client, "- a NUL byte");
	else
		take_request(client, text);
	return 0;
}

/* ---- listening ---- */

static bool is_root(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static int add_client(struct fsidd *fsidd, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	client->fsidd = fsidd;
	client->fd = fd;
	r = sd_event_add_io(fsidd->event, &client->io, fd, EPOLLIN, on_request, client);
	if (r < 0) {
		free(client);
		return r;
	}
	DL_APPEND(fsidd->clients, client);
	fsidd->n_clients++;
	return 0;
}

/* A listener that cannot accept stays readable: look away for a while. */
static void pause_listening(struct fsidd *fsidd, int error)
{
	if (!fsidd->has_paused)
		log_warning(NULL, "fsidd's socket: cannot accept a connection: %s",
			    strerror(error));
	fsidd->has_paused = true;
	(void)sd_event_source_set_enabled(fsidd->io, SD_EVENT_OFF);
	(void)sd_event_source_set_time_relative(fsidd->pause, PAUSE_USEC);
	(void)sd_event_source_set_enabled(fsidd->pause, SD_EVENT_ONESHOT);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct fsidd *fsidd = userdata;

	(void)sd_event_source_set_enabled(fsidd->io, SD_EVENT_ON);
	return 0;
}

static bool is_welcome(struct fsidd *fsidd, int fd)
{
	if (!is_root(fd)) {
		if (!fsidd->has_refused_user)
			log_warning(NULL,
				    "fsidd's socket: a user other than root connected, closing");
		fsidd->has_refused_user = true;
		return false;
	}
	if (fsidd->n_clients >= FSIDD_CLIENTS_MAX) {
		if (!fsidd->has_refused_many)
			log_warning(NULL,
				    "fsidd's socket: %d programs are connected, no more are taken",
				    FSIDD_CLIENTS_MAX);
		fsidd->has_refused_many = true;
		return false;
	}
	return true;
}

static int on_connection(sd_event_source *source, int listener, uint32_t revents, void *userdata)
{
	struct fsidd *fsidd = userdata;
	CLEANUP(closep) int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			pause_listening(fsidd, errno);
		return 0;
	}
	if (!is_welcome(fsidd, fd))
		return 0;
	fsidd->has_refused_many = fsidd->has_paused = false;
	if (add_client(fsidd, fd) == 0)
		(void)TAKE_FD(fd);
	return 0;
}

/* An abstract name's length counts: it has no NUL at its end. */
static int make_address(const char *name, struct sockaddr_un *ret_address, socklen_t *ret_length)
{
	size_t length = strlen(name);

	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (length < 2 || length >= sizeof(ret_address->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret_address->sun_path, name, length);
	*ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (name[0] == '@')
		ret_address->sun_path[0] = '\0';
	else
		(*ret_length)++;
	return 0;
}

/* What a daemon left that is gone. */
static void remove_stale(const char *path, const struct sockaddr_un *address, socklen_t length)
{
	CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd >= 0 && connect(fd, (const struct sockaddr *)address, length) < 0 &&
	    errno == ECONNREFUSED && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
}

static int listen_at(struct fsidd *fsidd, const char *name)
{
	struct sockaddr_un address;
	socklen_t length;
	mode_t mask;
	int r = make_address(name, &address, &length);

	if (r < 0)
		return r;
	if (name[0] != '@') {
		remove_stale(name, &address, length);
		fsidd->path = strdup(name);
	}
	fsidd->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fsidd->fd < 0)
		return -errno;
	mask = umask(0177);
	r = bind(fsidd->fd, (struct sockaddr *)&address, length) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0) {
		free(fsidd->path); /* it is somebody else's */
		fsidd->path = NULL;
		return r;
	}
	return listen(fsidd->fd, SOMAXCONN) < 0 ? -errno : 0;
}

int fsidd_new(struct fsidd **ret_fsidd, sd_event *event, const char *name, struct numbers *numbers)
{
	struct fsidd *fsidd = calloc(1, sizeof(*fsidd));
	int r;

	if (!fsidd)
		return -ENOMEM;
	*fsidd = (struct fsidd){
		.event = event,
		.numbers = numbers,
		.fd = -1,
	};
	r = listen_at(fsidd, name);
	if (r >= 0)
		r = sd_event_add_io(event, &fsidd->io, fsidd->fd, EPOLLIN, on_connection, fsidd);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &fsidd->pause, CLOCK_MONOTONIC, PAUSE_USEC, 0,
					       on_pause_over, fsidd);
	if (r >= 0)
		r = sd_event_source_set_enabled(fsidd->pause, SD_EVENT_OFF);
	if (r < 0) {
		fsidd_free(fsidd);
		return r;
	}
	*ret_fsidd = fsidd;
	return 0;
}

struct fsidd *fsidd_free(struct fsidd *fsidd)
{
	if (!fsidd)
		return NULL;
	while (fsidd->clients)
		client_free(fsidd->clients);
	sd_event_source_disable_unref(fsidd->io);
	sd_event_source_disable_unref(fsidd->pause);
	if (fsidd->fd >= 0)
		close(fsidd->fd);
	if (fsidd->path)
		(void)unlink(fsidd->path);
	free(fsidd->path);
	free(fsidd);
	return NULL;
}
