/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * socket.h - UNIX sockets by their names: "/path", or "@name" for an abstract one (unix(7)).
 */

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "parser/base.h"

/*
 * socket_address - a name as connect(2) and bind(2) take it.
 *
 * Returns 0; -EINVAL: it is neither; -ENAMETOOLONG.
 */
int socket_address(const char *name, struct sockaddr_un *ret_address, socklen_t *ret_length);

/* A listening socket that was made here. */
struct socket_own {
	int fd; /* non-blocking; -1: none */
	char *path; /* NULL: it is abstract */
	dev_t device; /* what was made at the path */
	ino_t inode;
};

/*
 * socket_listen - make a socket and listen on it.
 *
 * @type: SOCK_STREAM, SOCK_SEQPACKET
 *
 * A path has mode 0600 from the start and appears whole: the socket is bound and listens under a
 * name of the moment, which is renamed. It takes the place of a dead socket, never that of a live
 * one or of any other file.
 *
 * Returns 0; -EADDRINUSE: another process listens there; -EEXIST: a file is there that is no
 * socket; -EINVAL, -ENAMETOOLONG; -errno. *ret_why is a static text then.
 */
int socket_listen(const char *name, int type, struct socket_own *ret_own, const char **ret_why);

/* socket_unlisten - close it, and remove its path if that is still what was made. */
void socket_unlisten(struct socket_own *own);
