/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * call.c - what every procedure does with its call: who sent it, which path it names, the answer.
 */

#include "exportsd/mountd/private.h"

#include <arpa/inet.h>
#include <errno.h>

#include "exportsd/base/address.h"

void mount_caller_of(const struct rpc_call *call, struct mount_caller *ret_caller)
{
	const struct sockaddr *peer = rpc_call_peer(call);
	struct mount_caller caller = { .address.family = peer->sa_family };

	if (peer->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;

		caller.address.v6 = v6->sin6_addr;
		caller.address.scope = v6->sin6_scope_id;
		caller.port = ntohs(v6->sin6_port);
	} else {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;

		caller.address.v4 = v4->sin_addr;
		caller.port = ntohs(v4->sin_port);
	}
	address_format(&caller.address, caller.text, sizeof(caller.text));
	*ret_caller = caller;
}

char *mount_path_normalise(const char *path)
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
