/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/base/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

bool address_parse(const char *text, struct address *ret_address)
{
	struct address address = { 0 };
	char plain[INET6_ADDRSTRLEN + 1];
	const char *percent = strchr(text, '%');
	size_t length = percent ? (size_t)(percent - text) : strlen(text);

	if (length >= sizeof(plain))
		return false;
	memcpy(plain, text, length);
	plain[length] = '\0';
	if (!percent && inet_pton(AF_INET, plain, &address.v4) == 1) {
		address.family = AF_INET;
	} else if (inet_pton(AF_INET6, plain, &address.v6) == 1) {
		address.family = AF_INET6;
		if (percent) {
			address.scope = if_nametoindex(percent + 1);
			if (address.scope == 0)
				address.scope = (uint32_t)strtoul(percent + 1, NULL, 10);
		}
	} else {
		return false;
	}
	*ret_address = address;
	return true;
}

void address_format(const struct address *address, char *buffer, size_t size)
{
	char plain[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(address->family, &address->v4, plain, sizeof(plain));
	if (address->family == AF_INET6 && address->scope)
		(void)snprintf(buffer, size, "%s%%%u", plain, address->scope);
	else
		(void)snprintf(buffer, size, "%s", plain);
}

bool address_of_socket(const struct sockaddr *from, struct address *ret_address)
{
	struct address address = { .family = from->sa_family };

	if (from->sa_family == AF_INET) {
		address.v4 = ((const struct sockaddr_in *)from)->sin_addr;
	} else if (from->sa_family == AF_INET6) {
		address.v6 = ((const struct sockaddr_in6 *)from)->sin6_addr;
		address.scope = ((const struct sockaddr_in6 *)from)->sin6_scope_id;
	} else {
		return false;
	}
	*ret_address = address;
	return true;
}

bool address_equal(const struct address *a, const struct address *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == AF_INET)
		return a->v4.s_addr == b->v4.s_addr;
	return memcmp(&a->v6, &b->v6, sizeof(a->v6)) == 0 && a->scope == b->scope;
}
