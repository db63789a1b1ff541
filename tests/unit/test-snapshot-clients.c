/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who is asking: domains of addresses and the clients a domain stands for. */

#include "tests/fake/facts.h"
#include "tests/tap.h"

enum { RANDOM_CLIENTS = 60 }; /* of the random test; a domain of them all has room */

static const struct facts_host hosts[] = {
	{ "alpha", "alpha.example.test", { "192.0.2.10", "2001:db8::10" } },
	{ "multi", "multi.example.test", { "192.0.2.13", "192.0.2.14" } },
	{ "other", "other.example.test", { "192.0.2.14", "192.0.2.15" } },
	{ "web-a", "web.example.test", { "192.0.2.21" } },
	{ "web-b", "WEB.example.test", { "192.0.2.22", "192.0.2.22" } },
	{ "both", "both.example.test", { "192.0.2.13", "192.0.2.10" } },
	{ NULL, NULL, { NULL } },
};
static struct facts facts = { .hosts = hosts };

static struct snapshot *made(const char *text)
{
	struct diags diags = { 0 };
	struct snapshot *snapshot = facts_snapshot(&facts, text, false, &diags);

	if (!snapshot)
		abort();
	diags_done(&diags);
	return snapshot;
}

/* Valid until the next call; "nobody" for nobody. */
static const char *domain_of(const struct snapshot *snapshot, const char *address,
			     const struct snapshot_address_names *names)
{
	static char text[RANDOM_CLIENTS * 64];
	struct address parsed = facts_address(address);
	char *domain;
	int r = snapshot_domain(snapshot, &parsed, names, &domain);

	if (r != 0)
		return r == SNAPSHOT_NOBODY ? "nobody" : "error";
	snprintf(text, sizeof(text), "%s", domain);
	free(domain);
	return text;
}

static void test_addresses(void)
{
	static const struct {
		const char *exports, *address, *domain;
	} table[] = {
		{ "/a alpha(ro)", "192.0.2.10", "alpha.example.test" },
		{ "/a alpha(ro)", "2001:db8::10", "alpha.example.test" },
		{ "/a alpha(ro)", "192.0.2.11", "nobody" },
		{ "/a alpha(ro)", "::ffff:192.0.2.10", "nobody" },
		{ "/a 192.0.2.0/24(ro)", "192.0.2.255", "192.0.2.0/24" },
		{ "/a 192.0.2.0/24(ro)", "192.0.3.0", "nobody" },
		{ "/a 192.0.2.77/24(ro)", "192.0.2.1", "192.0.2.77/24" },
		{ "/a 192.0.2.0/24(ro)", "::ffff:192.0.2.1", "nobody" },
		{ "/a 192.0.2.0/24(ro) 192.0.2.1/255.255.255.0(ro)", "192.0.2.9",
		  "192.0.2.0/24,192.0.2.1/255.255.255.0" },
		{ "/a 192.0.2.0/255.255.0.255(ro)", "192.0.77.0", "192.0.2.0/255.255.0.255" },
		{ "/a 192.0.2.0/255.255.0.255(ro)", "192.0.77.1", "nobody" },
		{ "/a 0.0.0.0/0(ro)", "203.0.113.5", "0.0.0.0/0" },
		{ "/a ::/0(ro)", "2001:db8::7", "::/0" },
		{ "/a ::/0(ro) 0.0.0.0/0(ro)", "192.0.2.1", "0.0.0.0/0" },
		{ "/a 192.0.2.1/32(ro)", "192.0.2.1", "192.0.2.1/32" },
		{ "/a 192.0.2.1/32(ro)", "192.0.2.2", "nobody" },
		{ "/a 2001:db8::/33(ro)", "2001:db8:7fff::1", "2001:db8::/33" },
		{ "/a 2001:db8::/33(ro)", "2001:db8:8000::1", "nobody" },
		{ "/a *(ro)", "192.0.2.1", "*" },
		{ "/a", "2001:db8::1", "*" },
		{ "/a gss/krb5(ro)", "192.0.2.1", "nobody" },
		{ "/a @g(ro) *.x(ro)", "192.0.2.1", "nobody" },
		{ "/a nobody-knows(ro)", "192.0.2.1", "nobody" },
		{ "/a alpha(ro) *(ro) 192.0.2.0/24(ro)", "192.0.2.10",
		  "*,192.0.2.0/24,alpha.example.test" },
		/* an address belongs to one host, the first */
		{ "/a multi(ro) other(ro)", "192.0.2.14", "multi.example.test" },
		{ "/a multi(ro) other(ro)", "192.0.2.15", "nobody" },
		{ "/a other(ro) multi(ro)", "192.0.2.14", "other.example.test" },
		{ "/a alpha(ro) multi(ro) both(ro)", "192.0.2.13", "multi.example.test" },
		/* a canonical name belongs to one host, with all addresses */
		{ "/a web-a(ro) web-b(ro)", "192.0.2.21", "web.example.test" },
		{ "/a web-a(ro) web-b(ro)", "192.0.2.22", "web.example.test" },
	};

	for (size_t i = 0; i < N_ELEMENTS(table); i++) {
		struct snapshot *snapshot = made(table[i].exports);
		char what[128];

		snprintf(what, sizeof(what), "%s with %s", table[i].address, table[i].exports);
		is_str(domain_of(snapshot, table[i].address, NULL), table[i].domain, what);
		snapshot_free(snapshot);
	}
}

static void test_scopes(void)
{
	static const struct facts_host scoped[] = { { "ll", "ll", { "fe80::1" } },
						    { NULL, NULL, { NULL } } };
	struct snapshot *snapshot;
	struct address address = facts_address("fe80::1");
	char *domain = NULL;

	facts.hosts = scoped;
	snapshot = made("/a ll(ro) 2001:db8::1(ro)\n");
	facts.hosts = hosts;
	is_int(snapshot_domain(snapshot, &address, NULL, &domain), 0, "a link-local address");
	free(domain);
	address.scope = 2;
	is_int(snapshot_domain(snapshot, &address, NULL, &domain), SNAPSHOT_NOBODY,
	       "is another on another link");
	address = facts_address("2001:db8::1");
	address.scope = 2;
	is_int(snapshot_domain(snapshot, &address, NULL, &domain), 0, "a global one is not");
	free(domain);
	snapshot_free(snapshot);
}

static void test_names(void)
{
	static const char *const host_names[] = { "one.example.test", "Alias.x" };
	static const char *const netgroups[] = { "hosts", "unknown", "hosts" };
	static const struct snapshot_address_names both = { host_names, 2, netgroups, 3 },
						   none = { NULL, 0, NULL, 0 },
						   only_groups = { NULL, 0, netgroups, 3 };
	struct snapshot *snapshot =
		made("/a *.example.test(ro) *.x(ro) *.y(ro) @hosts(ro) @others(ro) *(ro)\n"
		     "/b @Hosts(ro)\n");

	ok(snapshot_needs_names(snapshot), "wildcards and netgroups need names");
	is_int(snapshot_n_netgroups(snapshot), 2, "two netgroups to ask about");
	is_str(snapshot_netgroup(snapshot, 0), "hosts", "named without the @");
	is_str(snapshot_netgroup(snapshot, 1), "others", "in the order of the file");
	is_str(domain_of(snapshot, "192.0.2.1", &both), "*,*.example.test,*.x,@hosts",
	       "all that match");
	is_str(domain_of(snapshot, "192.0.2.1", &only_groups), "*,@hosts", "netgroups alone");
	is_str(domain_of(snapshot, "192.0.2.1", &none), "*", "no names");
	is_str(domain_of(snapshot, "192.0.2.1", NULL), "*", "not asked");
	snapshot_free(snapshot);
	snapshot = made("/a 10.0.0.0/8(ro) alpha(ro) gss/krb5(ro) *(ro)\n");
	ok(!snapshot_needs_names(snapshot), "others need none");
	snapshot_free(snapshot);
}

static void test_sets(void)
{
	struct snapshot *snapshot = made("/a *(ro) @g(ro) 10.0.0.0/8(ro) alpha(ro) gss/krb5(ro)\n");
	const struct snapshot_client_set *set =
		snapshot_client_set(snapshot, "*,10.0.0.0/8,@g,alpha.example.test");

	is_int(client_set_size(set), 4, "a domain's clients");
	ok(snapshot_client_set(snapshot, "*,10.0.0.0/8,@g,alpha.example.test") == set,
	   "are remembered");
	is_int(client_set_size(snapshot_client_set(snapshot, "*,gone,@G,*")), 2,
	       "unknown and repeated names are passed over, case does not matter");
	is_int(client_set_size(snapshot_client_set(snapshot, "gss/krb5")), 1,
	       "a gss domain is its client's");
	is_int(client_set_size(snapshot_client_set(snapshot, "")), 0, "no name is nobody's");
	is_int(client_set_size(snapshot_client_set(snapshot, ",,")), 0, "nor is emptiness");
	is_int(client_set_size(snapshot_client_set(snapshot, "10.0.0.0")), 0, "nor part of a name");
	snapshot_free(snapshot);

	snapshot = made("/a \"@a,b\"(ro) @c(ro) @a(ro)\n");
	is_int(client_set_size(snapshot_client_set(snapshot, "@a,b,@c")), 3,
	       "a netgroup's name may hold a comma (and then reads as another too, as in stock)");
	is_int(client_set_size(snapshot_client_set(snapshot, "@a,c")), 1,
	       "others stay what they are");
	snapshot_free(snapshot);
	snapshot = made("/a x(ro) y(ro) \"x,y\"(ro)\n");
	is_int(client_set_size(snapshot_client_set(snapshot, "x,y")), 2,
	       "a host's name holds none");
	snapshot_free(snapshot);
	snapshot = made("/a alpha(ro) multi(ro) both(ro)\n");
	is_int(snapshot_n_clients(snapshot), 2, "a host with addresses of two is no third");
	snapshot_free(snapshot);
	snapshot = made("/a alpha(ro) multi(ro)\n/b both(ro)\n");
	is_str(snapshot_export(snapshot, 2)->client->name, "alpha.example.test",
	       "but the first of them");
	snapshot_free(snapshot);
}

/* ---- random clients and addresses against a list of all ---- */

static uint32_t random_v4(void)
{
	/* Close together, so that much matches. */
	return 0x0a000000 | (tap_random() & 0x00030307);
}

static const char *v4_text(uint32_t address)
{
	static char text[4][INET_ADDRSTRLEN];
	static unsigned int turn;
	struct in_addr in = { htonl(address) };

	turn = (turn + 1) % 4;
	inet_ntop(AF_INET, &in, text[turn], sizeof(text[turn]));
	return text[turn];
}

struct random_client {
	char text[64];
	uint32_t address, mask;
};

static void random_client(struct random_client *client)
{
	unsigned int prefix = tap_random() % 33;

	client->address = random_v4();
	switch (tap_random() % 3) {
	case 0:
		client->mask = 0xffffffff;
		snprintf(client->text, sizeof(client->text), "%s", v4_text(client->address));
		break;
	case 1:
		client->mask = prefix ? 0xffffffffu << (32 - prefix) : 0;
		snprintf(client->text, sizeof(client->text), "%s/%u", v4_text(client->address),
			 prefix);
		break;
	default:
		client->mask = 0xff000000 | (tap_random() & 0x00ffffff);
		snprintf(client->text, sizeof(client->text), "%s/%s", v4_text(client->address),
			 v4_text(client->mask));
	}
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void model_domain(const struct random_client *clients, uint32_t address, char *domain)
{
	char names[RANDOM_CLIENTS][64];
	size_t n = 0;

	for (size_t i = 0; i < RANDOM_CLIENTS; i++)
		if (((clients[i].address ^ address) & clients[i].mask) == 0)
			strcpy(names[n++], clients[i].text);
	qsort(names, n, sizeof(names[0]), compare_texts);
	domain[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !str_equal(names[i], names[i - 1]))
			strcat(strcat(domain, i ? "," : ""), names[i]);
	if (n == 0)
		strcpy(domain, "nobody");
}

static void test_model(void)
{
	unsigned int wrong = 0, n_somebody = 0;

	for (unsigned int i = 0; i < 200; i++) {
		struct random_client clients[RANDOM_CLIENTS];
		char text[RANDOM_CLIENTS * 80] = "/a";
		struct snapshot *snapshot;

		for (size_t k = 0; k < RANDOM_CLIENTS; k++) {
			random_client(&clients[k]);
			sprintf(text + strlen(text), " %s(ro)", clients[k].text);
		}
		snapshot = made(text);
		for (unsigned int k = 0; k < 50; k++) {
			char wanted[RANDOM_CLIENTS * 64];
			uint32_t address = random_v4();

			model_domain(clients, address, wanted);
			n_somebody += !str_equal(wanted, "nobody");
			if (!str_equal(domain_of(snapshot, v4_text(address), NULL), wanted) &&
			    !wrong++)
				printf("#   %s: got %s, wanted %s\n", v4_text(address),
				       domain_of(snapshot, v4_text(address), NULL), wanted);
		}
		snapshot_free(snapshot);
	}
	is_int(wrong, 0,
	       "random hosts, subnets and addresses: the same domain as from a list of all");
	ok(n_somebody > 1000, "%u of them not empty", n_somebody);
}

int main(void)
{
	test_addresses();
	test_scopes();
	test_names();
	test_sets();
	test_model();
	return tap_done();
}
