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
#include <utlist.h>

#include "exportsd/base/listener.h"
#include "exportsd/base/log.h"

static const char what[] = "fsidd's socket";

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
	struct listener *listener;
	struct client *clients;
	size_t n_clients;
	bool has_refused_many; /* and said so: programs may go on for ever */
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

static void on_accepted(void *userdata, int accepted)
{
	struct fsidd *fsidd = userdata;
	CLEANUP(closep) int fd = accepted;

	if (fsidd->n_clients >= FSIDD_CLIENTS_MAX) {
		if (!fsidd->has_refused_many)
			log_warning(NULL, "%s: %d programs are connected, no more are taken", what,
				    FSIDD_CLIENTS_MAX);
		fsidd->has_refused_many = true;
		return;
	}
	fsidd->has_refused_many = false;
	if (add_client(fsidd, fd) == 0)
		(void)TAKE_FD(fd);
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
	};
	r = listener_new(&fsidd->listener, event, name, SOCK_SEQPACKET, what, on_accepted, fsidd);
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
	listener_free(fsidd->listener);
	free(fsidd);
	return NULL;
}
