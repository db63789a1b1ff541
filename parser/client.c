/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * client.c - client specs: which kind one is, its subnet, and host name wildcards.
 *
 * Nothing is looked up here. Sources: nfs-utils support/export/client.c client_gettype(),
 * init_subnetwork(), support/nfs/wildmat.c.
 */

#include "parser/exports.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>

/* The first unescaped byte that decides it does: a wildcard, or the slash of a subnet. */
static enum client_type type_of_name(const char *text)
{
	for (const char *at = text; *at; at++) {
		if (*at == '*' || *at == '?' || *at == '[')
			return CLIENT_WILDCARD;
		if (*at == '/')
			return CLIENT_SUBNET;
		if (*at == '\\' && at[1])
			at++;
	}
	return CLIENT_HOST;
}

static enum client_type type_of(const char *text)
{
	if (text[0] == '\0' || str_equal(text, "*"))
		return CLIENT_ANONYMOUS;
	if (strncmp(text, "gss/", 4) == 0)
		return CLIENT_GSS;
	if (text[0] == '@')
		return CLIENT_NETGROUP;
	return type_of_name(text);
}

/*
 * An address of this family. A pointer to the whole union would not do: glibc's inet_pton() checks
 * what it points to against the family's size, where both are known (_FORTIFY_SOURCE).
 */
static bool read_address(const char *text, sa_family_t family, struct address *ret_address)
{
	struct address address = { .family = family };
	int r = family == AF_INET ? inet_pton(AF_INET, text, &address.v4)
				  : inet_pton(AF_INET6, text, &address.v6);

	if (r == 1)
		*ret_address = address;
	return r == 1;
}

static void set_prefix(unsigned int prefix, uint8_t *bytes, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++) {
		unsigned int bits = prefix > 8 ? 8 : prefix;

		bytes[i] = (uint8_t)(0xff00 >> bits);
		prefix -= bits;
	}
}

/* A decimal number of at most @max, as strtoul(3) reads it from the whole text. */
static bool read_prefix(const char *text, unsigned long max, unsigned int *ret_prefix)
{
	unsigned long prefix;
	char *end;

	errno = 0;
	prefix = strtoul(text, &end, 10);
	if (errno || end == text || *end || prefix > max)
		return false;
	*ret_prefix = (unsigned int)prefix;
	return true;
}

static const char *read_mask(const char *text, sa_family_t family, struct address *mask)
{
	bool v4 = family == AF_INET;
	unsigned int prefix;

	*mask = (struct address){ .family = family };
	if (strchr(text, v4 ? '.' : ':'))
		return read_address(text, family, mask) ? NULL : "the netmask is no address";
	/* To nfs-utils nothing behind the slash is 0, which it then takes for a full mask. */
	if (text[0] == '\0')
		return "there is no prefix length behind the '/'";
	if (!read_prefix(text, v4 ? 32 : 128, &prefix))
		return v4 ? "the prefix length must be 0 to 32"
			  : "the prefix length must be 0 to 128";
	if (v4)
		set_prefix(prefix, (uint8_t *)&mask->v4, sizeof(mask->v4));
	else
		set_prefix(prefix, (uint8_t *)&mask->v6, sizeof(mask->v6));
	return NULL;
}

/*
 * A scope is a number, or an interface's name where the address is of one link (RFC 4007 section
 * 11.2, glibc's getaddrinfo(3)). Whether there is that interface is not asked: it may come.
 */
static bool is_scope(const char *text, size_t length, const struct in6_addr *address)
{
	if (length && strspn(text, "0123456789") >= length)
		return length <= 9;
	return length && !isdigit((unsigned char)text[0]) &&
	       (IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_MC_LINKLOCAL(address));
}

/* The scope of an address says nothing about which subnet it is. */
static const char *read_subnet(const char *text, struct client_subnet *subnet)
{
	char address[INET6_ADDRSTRLEN + 1];
	size_t length = strcspn(text, "%/");
	const char *slash = strchr(text, '/');

	if (length >= sizeof(address))
		return "there is no address before the '/'";
	memcpy(address, text, length);
	address[length] = '\0';
	if (!read_address(address, AF_INET, &subnet->address) &&
	    !read_address(address, AF_INET6, &subnet->address))
		return "there is no address before the '/'";
	if (text[length] == '%' && subnet->address.family == AF_INET)
		return "only an IPv6 address has a scope";
	if (text[length] == '%' &&
	    !is_scope(text + length + 1, (size_t)(slash - text) - length - 1, &subnet->address.v6))
		return "the scope behind '%' must be a number, or, of a link-local address, an interface";
	return read_mask(slash + 1, subnet->address.family, &subnet->mask);
}

int client_spec_parse(const char *text, struct client_spec *ret_spec, const char **ret_why)
{
	struct client_spec spec = { .type = type_of(text), .text = text };
	struct client_subnet subnet;
	const char *why;

	if (spec.type == CLIENT_SUBNET) {
		why = read_subnet(text, &subnet);
		if (why) {
			*ret_why = why;
			return EXPORTS_INVALID;
		}
	}
	*ret_spec = spec;
	return 0;
}

struct client_subnet client_subnet(const struct client_spec *spec)
{
	struct client_subnet subnet;
	const char *why = read_subnet(spec->text, &subnet);

	assert(spec->type == CLIENT_SUBNET && !why); /* client_spec_parse() saw to that */
	(void)why;
	return subnet;
}

bool client_subnet_holds(const struct client_subnet *subnet, const struct address *address)
{
	bool v4 = address->family == AF_INET;
	const uint8_t *net = v4 ? (const uint8_t *)&subnet->address.v4 : subnet->address.v6.s6_addr;
	const uint8_t *mask = v4 ? (const uint8_t *)&subnet->mask.v4 : subnet->mask.v6.s6_addr;
	const uint8_t *bytes = v4 ? (const uint8_t *)&address->v4 : address->v6.s6_addr;

	if (subnet->address.family != address->family)
		return false;
	for (size_t i = 0; i < (v4 ? sizeof(address->v4) : sizeof(address->v6)); i++)
		if ((net[i] ^ bytes[i]) & mask[i])
			return false;
	return true;
}

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/*
 * One set, the pattern standing behind its '['. A ']' or '-' that comes first is a member.
 *
 * Returns the pattern behind the ']', or NULL if there is none.
 */
static const char *match_set(const char *pattern, char byte, bool *ret_matches)
{
	bool negated = *pattern == '^', matches = false;
	const char *first = pattern += negated;
	unsigned char c = lower(byte);

	for (; *pattern && (*pattern != ']' || pattern == first); pattern++) {
		unsigned char from = lower(*pattern);

		if (pattern[1] == '-' && pattern[2] && pattern[2] != ']') {
			matches |= from <= c && c <= lower(pattern[2]);
			pattern += 2;
		} else {
			matches |= from == c;
		}
	}
	*ret_matches = matches != negated;
	return *pattern ? pattern + 1 : NULL;
}

/* One element other than a star against one byte. Returns the pattern behind it, or NULL. */
static const char *match_one(const char *pattern, char byte)
{
	bool matches;

	if (*pattern == '?')
		return pattern + 1;
	if (*pattern == '[') {
		pattern = match_set(pattern + 1, byte, &matches);
		return pattern && matches ? pattern : NULL;
	}
	if (*pattern == '\\' && pattern[1])
		pattern++;
	return *pattern && lower(*pattern) == lower(byte) ? pattern + 1 : NULL;
}

/*
 * On a mismatch only the last star can take one byte more: what an earlier one could
 * have left to it, it can take itself. So the work is at most pattern times name.
 */
bool client_name_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *star_name = NULL, *next;

	while (*name) {
		if (*pattern == '*') {
			star = ++pattern;
			star_name = name;
			continue;
		}
		next = match_one(pattern, *name);
		if (next) {
			pattern = next;
			name++;
		} else if (star) {
			pattern = star;
			name = ++star_name;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
