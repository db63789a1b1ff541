/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rpccall.h - what the tools that speak RPC to a server share: a TCP connection from a
 * reserved port, libtirpc's client on it, and MOUNT's MNT procedure (RFC 1813 appendix I).
 */

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rpc/rpc.h>

enum {
	NFS_PROGRAM = 100003,
	MOUNT_PROGRAM = 100005,
	MOUNT_MNT = 1,
	HANDLE_MAX = 64,
	PATH_LENGTH_MAX = 4096,
};

/* A file handle as bytes. */
struct handle {
	char *bytes; /* points to room for HANDLE_MAX */
	unsigned int length;
};

/* An answer of MNT: flavors are skipped. */
struct mnt_answer {
	unsigned int version;
	unsigned int status;
	struct handle handle;
};

__attribute__((format(printf, 1, 2), noreturn, unused)) static void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* Also from a port that is not reserved: a server with "insecure" takes that as well. */
static int connect_tcp(const char *host, const char *port, bool reserved)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *address;
	int fd;

	if (getaddrinfo(host, port, &hints, &address) != 0)
		return -EHOSTUNREACH;
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && reserved) {
		struct sockaddr_storage local = { .ss_family = (sa_family_t)address->ai_family };

		bindresvport_sa(fd, (struct sockaddr *)&local);
	}
	if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		fd = -error;
	}
	freeaddrinfo(address);
	return fd;
}

/* NULL on trouble, with errno. The program and version are taken on trust: no rpcbind is asked. */
__attribute__((unused)) static CLIENT *rpc_client(const char *host, const char *port,
						  unsigned long program, unsigned long version,
						  bool reserved)
{
	struct sockaddr_storage peer;
	struct netbuf netbuf = { .buf = &peer, .maxlen = sizeof(peer) };
	socklen_t length = sizeof(peer);
	CLIENT *client;
	int fd = connect_tcp(host, port, reserved);

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	getpeername(fd, (struct sockaddr *)&peer, &length);
	netbuf.len = length;
	client = clnt_vc_create(fd, &netbuf, (rpcprog_t)program, (rpcvers_t)version, 0, 0);
	if (!client) {
		close(fd);
		errno = EPROTO;
		return NULL;
	}
	clnt_control(client, CLSET_FD_CLOSE, NULL);
	return client;
}

__attribute__((unused)) static bool_t xdr_path(XDR *xdr, char **path)
{
	return xdr_string(xdr, path, PATH_LENGTH_MAX);
}

__attribute__((unused)) static bool_t xdr_mnt_answer(XDR *xdr, struct mnt_answer *answer)
{
	if (!xdr_u_int(xdr, &answer->status))
		return FALSE;
	if (answer->status != 0)
		return TRUE;
	if (answer->version < 3) {
		answer->handle.length = 32;
		return xdr_opaque(xdr, answer->handle.bytes, 32);
	}
	return xdr_bytes(xdr, &answer->handle.bytes, &answer->handle.length, HANDLE_MAX);
}

__attribute__((unused)) static void print_handle(FILE *to, const struct handle *handle)
{
	for (unsigned int i = 0; i < handle->length; i++)
		fprintf(to, "%02x", (unsigned char)handle->bytes[i]);
}
