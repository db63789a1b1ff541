/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * call.c - what every procedure does with its call: who sent it, which path it names, the answer.
 */

#include "exportsd/mountd/private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <utlist.h>

void mountd_caller_of(const struct rpc_call *call, struct mountd_caller *ret_caller)
{
	const struct sockaddr *peer = rpc_call_peer(call);
	struct mountd_caller caller = { 0 };

	(void)address_of_socket(peer, &caller.address);
	/* Both families have it at the same place. */
	caller.port = ntohs(((const struct sockaddr_in *)peer)->sin_port);
	address_format(&caller.address, caller.text, sizeof(caller.text));
	*ret_caller = caller;
}

char *mountd_path_normalise(const char *path)
{
	char *normal, *end;

	if (*path != '/' && *path != '\0') {
		errno = EINVAL;
		return NULL;
	}
	normal = malloc(strlen(path) + 2);
	if (!normal)
		return NULL;
	end = normal;
	while (*path) {
		size_t slashes = strspn(path, "/"), length = strcspn(path + slashes, "/");
		const char *name = path + slashes;

		path = name + length;
		if (length == 0 || (length == 1 && *name == '.'))
			continue;
		*end++ = '/';
		end = mempcpy(end, name, length);
	}
	if (end == normal)
		*end++ = '/';
	*end = '\0';
	return normal;
}

void mountd_send(struct rpc_call *call, int r, const struct mountproto_reply *reply)
{
	if (r < 0)
		rpc_drop(call, false);
	else
		rpc_reply(call, reply->bytes, reply->n_bytes);
}

/* ---- calls that wait ---- */

static void waiter_free(struct mountd_waiter *waiter)
{
	DL_DELETE(*waiter->list, waiter);
	free(waiter);
}

static void on_gone(void *userdata)
{
	waiter_free(userdata);
}

bool mountd_wait(struct mountd_waiter **list, struct rpc_call *call,
		 const struct mountproto_call *request)
{
	struct mountd_waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter)
		return false;
	*waiter = (struct mountd_waiter){ .list = list, .call = call, .request = *request };
	DL_APPEND(*list, waiter);
	rpc_call_on_gone(call, on_gone, waiter);
	return true;
}

void mountd_serve_waiters(struct mountd *mountd, struct mountd_waiter **list, mountd_serve_fn serve)
{
	while (*list) {
		struct mountd_waiter waiter = **list;

		waiter_free(*list);
		rpc_call_on_gone(waiter.call, NULL, NULL);
		serve(mountd, waiter.call, &waiter.request);
	}
}

void mountd_drop_waiters(struct mountd_waiter **list)
{
	while (*list) {
		rpc_drop((*list)->call, false);
		waiter_free(*list);
	}
}
