/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * address.h - the text of an address of either family, with an IPv6 scope.
 */

#include "parser/exports.h"

enum { ADDRESS_TEXT_MAX = 64 };

/* address_parse - inet_pton(3), and an interface's name or number behind a '%'. Returns false if it is no address. */
bool address_parse(const char *text, struct address *ret_address);

/* address_format - its text, cut at @size bytes; ADDRESS_TEXT_MAX suffice. */
void address_format(const struct address *address, char *buffer, size_t size);
