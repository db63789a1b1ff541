/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* socket.c - addresses, and what may lie in a socket's place. */

#include "handlers/socket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "parser/text.h"

int socket_address(const char *name, struct sockaddr_un *ret_address, socklen_t *ret_length)
{
	size_t length = strlen(name);

	if (length < 2 || (name[0] != '/' && name[0] != '@'))
		return -EINVAL;
	if (length >= sizeof(ret_address->sun_path))
		return -ENAMETOOLONG;
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret_address->sun_path, name, length);
	*ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (name[0] == '@')
		ret_address->sun_path[0] = '\0'; /* it ends where the length says */
	else
		(*ret_length)++;
	return 0;
}

static int check_place(const char *path, int type, const char **ret_why)
{
	CLEANUP(closep) int fd = -1;
	struct sockaddr_un address;
	socklen_t length;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		*ret_why = "there is a file of that name which is no socket";
		return -EEXIST;
	}
	r = socket_address(path, &address, &length);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, length) < 0 && errno == ECONNREFUSED)
		return 0;
	*ret_why = "another process listens there already";
	return -EADDRINUSE;
}

static int bind_and_listen(int fd, const char *name, const char **ret_why)
{
	struct sockaddr_un address;
	socklen_t length;
	mode_t mask;
	int r;

	r = socket_address(name, &address, &length);
	if (r < 0) {
		*ret_why = "a socket is /PATH or @NAME, of at most about a hundred bytes";
		return r;
	}
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&address, length) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	return r;
}

/* Another name in the same directory, hardly longer than the shortest. @path: absolute */
static char *make_moment(const char *path)
{
	CLEANUP(freep) char *directory = strdup(path);

	if (!directory)
		return NULL;
	strrchr(directory, '/')[1] = '\0';
	return text_format("%s~%x", directory, (unsigned int)getpid());
}

static int listen_at_path(struct socket_own *own, const char *path, int type, const char **ret_why)
{
	CLEANUP(freep) char *moment = make_moment(path);
	struct stat st;
	int r;

	own->path = strdup(path);
	if (!own->path || !moment)
		return -ENOMEM;
	r = check_place(path, type, ret_why);
	if (r < 0)
		return r;
	r = bind_and_listen(own->fd, moment, ret_why);
	if (r < 0)
		return r;
	if (lstat(moment, &st) < 0 || rename(moment, path) < 0) {
		r = -errno;
		(void)unlink(moment);
		return r;
	}
	own->device = st.st_dev;
	own->inode = st.st_ino;
	return 0;
}

int socket_listen(const char *name, int type, struct socket_own *ret_own, const char **ret_why)
{
	struct socket_own own = { .fd = -1 };
	int r;

	*ret_why = "the socket cannot be made";
	own.fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (own.fd < 0)
		return -errno;
	if (name[0] == '/')
		r = listen_at_path(&own, name, type, ret_why);
	else
		r = bind_and_listen(own.fd, name, ret_why);
	if (r < 0) {
		socket_unlisten(&own);
		return r;
	}
	*ret_own = own;
	return 0;
}

void socket_unlisten(struct socket_own *own)
{
	struct stat st;

	if (own->path && lstat(own->path, &st) == 0 && st.st_dev == own->device &&
	    st.st_ino == own->inode)
		(void)unlink(own->path);
	free(own->path);
	closep(&own->fd);
	*own = (struct socket_own){ .fd = -1 };
}
