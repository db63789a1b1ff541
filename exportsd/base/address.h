/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * address.h - an address of either family, with an IPv6 scope: its text, and what sockets have of
 * it.
 */

#include <sys/socket.h>

#include "parser/exports.h"

enum { ADDRESS_TEXT_MAX = 64 };

/*
 * address_parse - inet_pton(3), and an interface's name or number behind a '%'. Returns false if it
 * is no address.
 */
bool address_parse(const char *text, struct address *ret_address);

/* address_format - its text, cut at @size bytes; ADDRESS_TEXT_MAX suffice. */
void address_format(const struct address *address, char *buffer, size_t size);

/*
 * address_of_socket - the address in a socket's address. Returns false if it is of neither family.
 */
bool address_of_socket(const struct sockaddr *from, struct address *ret_address);

/* address_equal - the same one, also by its interface if that is part of it? */
bool address_equal(const struct address *a, const struct address *b);
