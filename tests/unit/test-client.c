/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-client.c - client specs by their text, and wildcards of host names. */

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>

/* As newer glibc with _FORTIFY_SOURCE has it: an address of the family must fit there. */
static inline __attribute__((always_inline)) int checked_inet_pton(int family, const char *text,
								   void *ret_address)
{
	if (__builtin_object_size(ret_address, 1) < (family == AF_INET ? 4 : 16))
		abort();
	return inet_pton(family, text, ret_address);
}

#define inet_pton checked_inet_pton
#include "parser/client.c"
#undef inet_pton

#include "tests/tap.h"

static const struct {
	const char *text;
	enum client_type type;
} types[] = {
	{ "", CLIENT_ANONYMOUS },
	{ "*", CLIENT_ANONYMOUS },
	{ "**", CLIENT_WILDCARD },
	{ "gss/krb5", CLIENT_GSS },
	{ "GSS/krb5", CLIENT_SUBNET + 100 }, /* no address */
	{ "@", CLIENT_NETGROUP },
	{ "@group/*", CLIENT_NETGROUP },
	{ "host", CLIENT_HOST },
	{ "192.0.2.1", CLIENT_HOST },
	{ "2001:db8::1", CLIENT_HOST },
	{ "fe80::1%lo", CLIENT_HOST },
	{ "*.example.test", CLIENT_WILDCARD },
	{ "192.0.2.*/24", CLIENT_WILDCARD },
	{ "[2001:db8::]/64", CLIENT_WILDCARD },
	{ "h?st", CLIENT_WILDCARD },
	{ "al\\*pha", CLIENT_HOST },
	{ "al\\*p?ha", CLIENT_WILDCARD },
	{ "192.0.2.0/24", CLIENT_SUBNET },
	{ "host/24", CLIENT_SUBNET + 100 },
	{ "host/*", CLIENT_SUBNET + 100 },
	{ "end\\", CLIENT_HOST },
};

static void test_types(void)
{
	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		struct client_spec spec = { .type = N_CLIENT_TYPES };
		const char *why = NULL;
		int r = client_spec_parse(types[i].text, &spec, &why);

		if (types[i].type >= N_CLIENT_TYPES) {
			ok(r == EXPORTS_INVALID && why, "'%s' is no client: %s", types[i].text,
			   why);
			continue;
		}
		ok(r == 0 && spec.type == types[i].type && spec.text == types[i].text,
		   "'%s' is of type %d", types[i].text, types[i].type);
	}
}

static const struct {
	const char *text, *address, *mask; /* address NULL: invalid */
} subnets[] = {
	{ "192.0.2.0/24", "192.0.2.0", "255.255.255.0" },
	{ "192.0.2.77/24", "192.0.2.77", "255.255.255.0" },
	{ "192.0.2.77/024", "192.0.2.77", "255.255.255.0" },
	{ "10.0.0.0/255.0.255.0", "10.0.0.0", "255.0.255.0" },
	{ "0.0.0.0/0", "0.0.0.0", "0.0.0.0" },
	{ "0.0.0.0/1", "0.0.0.0", "128.0.0.0" },
	{ "192.0.2.1/32", "192.0.2.1", "255.255.255.255" },
	{ "2001:db8::/32", "2001:db8::", "ffff:ffff::" },
	{ "2001:db8::1/128", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "2001:db8::/33", "2001:db8::", "ffff:ffff:8000::" },
	{ "::/0", "::", "::" },
	{ "2001:db8:1::/ffff:ffff:ffff::", "2001:db8:1::", "ffff:ffff:ffff::" },
	{ "fe80::%eth0/64", "fe80::", "ffff:ffff:ffff:ffff::" },
	{ "192.0.2.0/33", NULL, NULL },
	{ "192.0.2.0/-1", NULL, NULL },
	{ "192.0.2.0/99999999999999999999", NULL, NULL },
	{ "192.0.2.0/2x", NULL, NULL },
	{ "192.0.2.0/24/8", NULL, NULL },
	{ "192.0.2.0/", NULL, NULL },
	{ "192.0.2.0/255.255.255", NULL, NULL },
	{ "192.0.2.0/ffff::", NULL, NULL },
	{ "192.0.2/24", NULL, NULL },
	{ "192.0.02.0/24", NULL, NULL },
	{ "192.0.2.0%eth0/24", NULL, NULL },
	{ "/24", NULL, NULL },
	{ "2001:db8::/129", NULL, NULL },
	{ "2001:db8::/255.0.0.0", NULL, NULL },
	{ "0123456789012345678901234567890123456789012345678901234567890123456789/24", NULL, NULL },
};

static const char *shown(const struct address *address, char *buffer)
{
	return inet_ntop(address->family,
			 address->family == AF_INET ? (void *)&address->v4 : &address->v6, buffer,
			 INET6_ADDRSTRLEN);
}

static void test_subnets(void)
{
	for (size_t i = 0; i < N_ELEMENTS(subnets); i++) {
		char address[INET6_ADDRSTRLEN], mask[INET6_ADDRSTRLEN];
		struct client_spec spec = { .type = N_CLIENT_TYPES };
		struct client_subnet subnet;
		const char *why = NULL;
		int r = client_spec_parse(subnets[i].text, &spec, &why);

		if (!subnets[i].address) {
			ok(r == EXPORTS_INVALID && why, "'%s': %s", subnets[i].text, why);
			continue;
		}
		is_int(r, 0, subnets[i].text);
		subnet = client_subnet(&spec);
		is_str(shown(&subnet.address, address), subnets[i].address, "its address");
		is_str(shown(&subnet.mask, mask), subnets[i].mask, "its mask");
	}
}

static const struct {
	const char *pattern, *name;
	bool matches;
} names[] = {
	{ "*.example.test", "alpha.example.test", true },
	{ "*.example.test", "a.b.example.test", true },
	{ "*.EXAMPLE.test", "alpha.example.TEST", true },
	{ "*.example.test", "example.test", false },
	{ "alph?", "alpha", true },
	{ "alph?", "alph", false },
	{ "alph?", "alphaa", false },
	{ "[ab]*", "beta", true },
	{ "[AB]*", "beta", true },
	{ "[^ab]*", "beta", false },
	{ "[^ab]*", "gamma", true },
	{ "[!ab]*", "gamma", false },
	{ "[a-c]1", "b1", true },
	{ "[a-c]1", "-1", false },
	{ "[-a]x", "-x", true },
	{ "[]a]x", "]x", true },
	{ "[^]a]x", "bx", true },
	{ "[a-]x", "-x", true },
	{ "[abc", "a", false },
	{ "\\*x", "*x", true },
	{ "\\*x", "ax", false },
	{ "end\\", "end\\", true },
	{ "*", "", true },
	{ "", "", true },
	{ "", "a", false },
	{ "?", "", false },
	{ "***a", "a", true },
	{ "*a*b*c", "xxaxxbxxc", true },
	{ "*a*b*c", "xxaxxcxxb", false },
	{ "*ab", "aab", true },
	{ "a*", "a", true },
};

static void test_names(void)
{
	char name[2001], pattern[2001];

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		ok(client_name_matches(names[i].pattern, names[i].name) == names[i].matches,
		   "'%s' %s '%s'", names[i].pattern,
		   names[i].matches ? "matches" : "does not match", names[i].name);
	memset(name, 'a', 2000);
	name[2000] = '\0';
	for (size_t i = 0; i < 2000; i += 2)
		memcpy(pattern + i, "*a", 2);
	strcpy(pattern + 1998, "b");
	ok(!client_name_matches(pattern, name), "a thousand stars take no thousand years");
}

int main(void)
{
	test_types();
	test_subnets();
	test_names();
	return tap_done();
}
