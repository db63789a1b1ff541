/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * clients.c - who an address is: the clients of a snapshot, domains, client sets.
 *
 * Each client has one name, and no two clients have the same but for case: so a domain string,
 * the sorted names, stands for exactly its clients. Each host address belongs to one client.
 *
 * Telling the clients of an address costs one probe for the hosts and one for each distinct
 * netmask; wildcard clients are tried one by one, netgroups are looked up by name.
 *
 * Sources: nfs-utils support/export/client.c client_lookup(), client_check(), client_compose(),
 * client_member(); support/include/sockaddr.h compare_sockaddr6() for scopes.
 */

#include <stdio.h>
#include <strings.h>

#include "parser/snapshot/private.h"

/* ---- addresses ---- */

/*
 * Only what is compared, the rest zero: scopes tell apart link-local and site-local addresses
 * alone.
 */
static struct address address_key(const struct address *address)
{
	struct address key = { .family = address->family };

	if (address->family == AF_INET) {
		key.v4 = address->v4;
		return key;
	}
	key.v6 = address->v6;
	if (IN6_IS_ADDR_LINKLOCAL(&key.v6) || IN6_IS_ADDR_SITELOCAL(&key.v6))
		key.scope = address->scope;
	return key;
}

static struct address address_masked(const struct address *address, const struct address *mask)
{
	struct address net = { .family = address->family };

	if (address->family == AF_INET) {
		net.v4.s_addr = address->v4.s_addr & mask->v4.s_addr;
		return net;
	}
	for (size_t i = 0; i < sizeof(net.v6.s6_addr); i++)
		net.v6.s6_addr[i] = address->v6.s6_addr[i] & mask->v6.s6_addr[i];
	return net;
}

/* Both as address_key() or address_masked() made them. */
bool address_same(const struct address *a, const struct address *b)
{
	if (a->family != b->family || a->scope != b->scope)
		return false;
	if (a->family == AF_INET)
		return a->v4.s_addr == b->v4.s_addr;
	return memcmp(&a->v6, &b->v6, sizeof(a->v6)) == 0;
}

static uint32_t address_hash(const struct address *address, uint32_t salt)
{
	uint64_t state = hash_start() ^ salt;

	if (address->family == AF_INET)
		return hash_done(hash_bytes(state, &address->v4, sizeof(address->v4)));
	return hash_done(hash_bytes(state, &address->v6, sizeof(address->v6)));
}

/* ---- names ---- */

static unsigned char folded(unsigned char byte)
{
	return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static uint64_t hash_name(uint64_t state, const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
		state = hash_byte(state, folded(name[i]));
	return state;
}

static bool same_name(const char *a, size_t a_length, const char *b)
{
	return strncasecmp(a, b, a_length) == 0 && b[a_length] == '\0';
}

uint32_t client_named(const struct snapshot *snapshot, const char *before, const char *name,
		      size_t length)
{
	size_t skip = strlen(before);
	uint32_t hash = hash_done(hash_name(hash_name(hash_start(), before, skip), name, length));
	uint32_t position = 0, client;

	while ((client = index_next(&snapshot->clients_by_name, hash, &position)) != NOTHING) {
		const char *candidate = snapshot->clients.items[client]->name;

		if (strncasecmp(candidate, before, skip) == 0 &&
		    same_name(name, length, candidate + skip))
			return client;
	}
	return NOTHING;
}

uint32_t client_find(const struct snapshot *snapshot, const char *name)
{
	return client_named(snapshot, "", name, strlen(name));
}

static unsigned int n_commas(const char *name)
{
	unsigned int n = 0;

	while ((name = strchr(name, ','))) {
		name++;
		n++;
	}
	return n;
}

/* ---- making clients ---- */

static int remember_kind(struct snapshot *snapshot, const struct snapshot_client *client)
{
	switch (client->type) {
	case CLIENT_WILDCARD: return vector_add(&snapshot->wildcards, client->id);
	case CLIENT_NETGROUP: return vector_add(&snapshot->netgroups, client->id);
	case CLIENT_ANONYMOUS: snapshot->anonymous = client->id; return 0;
	case CLIENT_HOST:
	case CLIENT_SUBNET:
	case CLIENT_GSS:
	case N_CLIENT_TYPES: break;
	}
	return 0;
}

/* @name: borrowed for as long as the snapshot lives. */
static int make_client(struct snapshot *snapshot, const struct client_spec *spec, const char *name,
		       uint32_t *ret_client)
{
	uint32_t hash = hash_done(hash_name(hash_start(), name, strlen(name)));
	struct snapshot_client *client = arena_alloc(snapshot->source->arena, sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	client->id = snapshot->clients.n;
	client->type = spec->type;
	client->name = name;
	r = remember_kind(snapshot, client);
	if (r < 0)
		return r;
	r = vector_add_indexed(&snapshot->clients, &snapshot->clients_by_name, hash, client);
	if (r < 0)
		return r;
	if (n_commas(name) > snapshot->name_commas_max)
		snapshot->name_commas_max = n_commas(name);
	*ret_client = client->id;
	return 0;
}

/* Masks are few, whoever writes the file: each has a number. */
static int mask_number(struct snapshot_clients_builder *builder, const struct address *mask,
		       uint32_t *ret_mask)
{
	struct snapshot *snapshot = builder->snapshot;
	struct address key = address_masked(mask, mask);
	uint32_t hash = address_hash(&key, 0), position = 0, number;

	while ((number = index_next(&builder->by_mask, hash, &position)) != NOTHING)
		if (address_same(&snapshot->masks.items[number], &key)) {
			*ret_mask = number;
			return 0;
		}
	*ret_mask = snapshot->masks.n;
	return vector_add_indexed(&snapshot->masks, &builder->by_mask, hash, key);
}

static uint32_t subnet_find(const struct snapshot *snapshot, const struct address *net,
			    uint32_t mask)
{
	uint32_t hash = address_hash(net, mask + 1), position = 0, subnet;

	while ((subnet = index_next(&snapshot->subnets_by_net, hash, &position)) != NOTHING)
		if (snapshot->subnets.items[subnet].mask == mask &&
		    address_same(&snapshot->subnets.items[subnet].net, net))
			return subnet;
	return NOTHING;
}

static int add_subnet(struct snapshot_clients_builder *builder, const struct client_spec *spec,
		      uint32_t client)
{
	struct snapshot *snapshot = builder->snapshot;
	const struct client_subnet written = client_subnet(spec);
	struct snapshot_subnet subnet = {
		.net = address_masked(&written.address, &written.mask),
		.client = client,
		.next = NOTHING,
	};
	uint32_t same;
	int r;

	r = mask_number(builder, &written.mask, &subnet.mask);
	if (r < 0)
		return r;
	same = subnet_find(snapshot, &subnet.net, subnet.mask);
	if (same == NOTHING)
		return vector_add_indexed(&snapshot->subnets, &snapshot->subnets_by_net,
					  address_hash(&subnet.net, subnet.mask + 1), subnet);
	subnet.next = snapshot->subnets.items[same].next;
	r = vector_add(&snapshot->subnets, subnet);
	if (r == 0)
		snapshot->subnets.items[same].next = snapshot->subnets.n - 1;
	return r;
}

/* The host that has one of these addresses, the first made if there are several. */
static uint32_t host_with_address(const struct snapshot_clients_builder *builder,
				  const struct address *addresses, size_t n)
{
	uint32_t found = NOTHING;

	for (size_t i = 0; i < n; i++) {
		struct address key = address_key(&addresses[i]);
		uint32_t hash = address_hash(&key, 0), position = 0, number;

		while ((number = index_next(&builder->by_address, hash, &position)) != NOTHING) {
			const struct snapshot_host_address *known =
				&builder->addresses.items[number];

			if (address_same(&known->address, &key) && known->client < found)
				found = known->client;
		}
	}
	return found;
}

/* None of them is known yet. */
static int add_addresses(struct snapshot_clients_builder *builder, uint32_t client,
			 const struct address *addresses, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct address key = address_key(&addresses[i]);
		int r;

		if (host_with_address(builder, &key, 1) != NOTHING)
			continue; /* twice in the answer */
		r = vector_add_indexed(
			&builder->addresses, &builder->by_address, address_hash(&key, 0),
			(struct snapshot_host_address){ .address = key, .client = client });
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * May a name that the name service made up stand in a domain? Not one with a comma, and none that
 * reads as another kind of client: who answers for a name in DNS must not become "*" or "@trusted".
 */
static bool is_harmless(const char *canonical)
{
	struct client_spec spec;
	const char *why;

	return canonical && canonical[0] && !strpbrk(canonical, ", \t\n") &&
	       client_spec_parse(canonical, &spec, &why) == 0 && spec.type == CLIENT_HOST;
}

static int add_host(struct snapshot_clients_builder *builder, const struct client_spec *spec,
		    uint32_t *ret_client)
{
	struct snapshot *snapshot = builder->snapshot;
	const char *name = NULL;
	const struct address *addresses = NULL;
	size_t n_addresses = 0;
	bool resolved;
	int r;

	resolved = builder->facts->host(builder->facts->userdata, spec->text, &name, &addresses,
					&n_addresses);
	if (!resolved) {
		n_addresses = 0;
		if (builder->drop_unresolved) {
			*ret_client = NOTHING;
			return 0;
		}
	}
	*ret_client = host_with_address(builder, addresses, n_addresses);
	if (*ret_client != NOTHING)
		return 0;
	if (!resolved || !is_harmless(name) || str_equal(name, spec->text))
		name = spec->text;
	*ret_client = client_named(snapshot, "", name, strlen(name));
	if (*ret_client == NOTHING) {
		if (name != spec->text)
			name = arena_copy(snapshot->source->arena, name, strlen(name));
		if (!name)
			return -ENOMEM;
		r = make_client(snapshot, spec, name, ret_client);
		if (r < 0)
			return r;
	}
	r = add_addresses(builder, *ret_client, addresses, n_addresses);
	if (r < 0)
		return r;
	return resolved ? 0 : CLIENT_NEW_UNRESOLVED;
}

static int add_new(struct snapshot_clients_builder *builder, const struct client_spec *spec,
		   uint32_t *ret_client)
{
	struct snapshot *snapshot = builder->snapshot;
	int r;

	if (spec->type == CLIENT_HOST)
		return add_host(builder, spec, ret_client);
	r = make_client(snapshot, spec, spec->type == CLIENT_ANONYMOUS ? "*" : spec->text,
			ret_client);
	if (r < 0 || spec->type != CLIENT_SUBNET)
		return r;
	return add_subnet(builder, spec, *ret_client);
}

int clients_add(struct snapshot_clients_builder *builder, const struct client_spec *spec,
		uint32_t *ret_client)
{
	const char *text = spec->type == CLIENT_ANONYMOUS ? "*" : spec->text;
	uint32_t hash = hash_done(hash_name(hash_start(), text, strlen(text)));
	uint32_t position = 0, number, client;
	int r, added;

	while ((number = index_next(&builder->by_spelling, hash, &position)) != NOTHING) {
		const struct snapshot_spelling *known = &builder->spellings.items[number];

		if (strcasecmp(known->text, text) != 0)
			continue;
		*ret_client = known->client;
		return known->client == NOTHING ? CLIENT_UNRESOLVED : 0;
	}
	r = add_new(builder, spec, &client);
	if (r < 0)
		return r;
	added = vector_add_indexed(&builder->spellings, &builder->by_spelling, hash,
				   (struct snapshot_spelling){ .text = text, .client = client });
	if (added < 0)
		return added;
	*ret_client = client;
	return client == NOTHING ? CLIENT_UNRESOLVED : r;
}

static int compare_host_addresses(const void *a_pointer, const void *b_pointer)
{
	const struct snapshot_host_address *a = a_pointer, *b = b_pointer;

	if (a->client != b->client)
		return a->client < b->client ? -1 : 1;
	if (a->address.family != b->address.family)
		return a->address.family < b->address.family ? -1 : 1;
	if (a->address.family == AF_INET)
		return memcmp(&a->address.v4, &b->address.v4, sizeof(a->address.v4));
	if (a->address.scope != b->address.scope)
		return a->address.scope < b->address.scope ? -1 : 1;
	return memcmp(&a->address.v6, &b->address.v6, sizeof(a->address.v6));
}

/*
 * A client's addresses go beside each other, sorted: name servers rotate them, and a snapshot
 * is not another one for that.
 */
static int place_addresses(struct snapshot_clients_builder *builder)
{
	struct snapshot *snapshot = builder->snapshot;
	size_t n = builder->addresses.n;

	if (n == 0)
		return 0;
	qsort(builder->addresses.items, n, sizeof(struct snapshot_host_address),
	      compare_host_addresses);
	snapshot->addresses.items = calloc(n, sizeof(struct address));
	snapshot->address_clients = calloc(n, sizeof(uint32_t));
	if (!snapshot->addresses.items || !snapshot->address_clients ||
	    index_reserve(&snapshot->addresses_by_value, n) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct snapshot_host_address *host = &builder->addresses.items[i];
		struct snapshot_client *client = snapshot->clients.items[host->client];

		snapshot->addresses.items[i] = host->address;
		snapshot->address_clients[i] = host->client;
		if (!client->addresses)
			client->addresses = &snapshot->addresses.items[i];
		client->n_addresses++;
		if (index_add(&snapshot->addresses_by_value, address_hash(&host->address, 0), i) <
		    0)
			return -ENOMEM;
	}
	snapshot->addresses.n = n;
	return 0;
}

int clients_finish(struct snapshot_clients_builder *builder)
{
	struct snapshot *snapshot = builder->snapshot;

	vector_fit(&snapshot->clients);
	vector_fit(&snapshot->subnets);
	for (uint32_t i = 0; i < snapshot->subnets.n; i++) {
		const struct snapshot_subnet *subnet = &snapshot->subnets.items[i];
		struct snapshot_client *client = snapshot->clients.items[subnet->client];

		client->addresses = &subnet->net;
		client->n_addresses = 1;
		client->mask = &snapshot->masks.items[subnet->mask];
	}
	return place_addresses(builder);
}

void clients_builder_done(struct snapshot_clients_builder *builder)
{
	free(builder->spellings.items);
	free(builder->by_spelling.slots);
	free(builder->addresses.items);
	free(builder->by_address.slots);
	free(builder->by_mask.slots);
}

struct snapshot_client_set *client_set_free(struct snapshot_client_set *set)
{
	if (set) {
		free(set->clients);
		free(set->domain);
		free(set);
	}
	return NULL;
}

static void forget_set(struct snapshot *snapshot, struct snapshot_client_set *set)
{
	HASH_DEL(snapshot->sets, set);
	snapshot->n_sets--;
	client_set_free(set);
}

void clients_done(struct snapshot *snapshot)
{
	while (snapshot->sets)
		forget_set(snapshot, snapshot->sets);
	free(snapshot->clients.items);
	free(snapshot->clients_by_name.slots);
	free(snapshot->wildcards.items);
	free(snapshot->netgroups.items);
	free(snapshot->addresses.items);
	free(snapshot->address_clients);
	free(snapshot->addresses_by_value.slots);
	free(snapshot->subnets.items);
	free(snapshot->masks.items);
	free(snapshot->subnets_by_net.slots);
}

size_t snapshot_n_clients(const struct snapshot *snapshot)
{
	return snapshot->clients.n;
}

/* ---- who is asking ---- */

bool snapshot_needs_names(const struct snapshot *snapshot)
{
	return snapshot->wildcards.n || snapshot->netgroups.n;
}

size_t snapshot_n_netgroups(const struct snapshot *snapshot)
{
	return snapshot->netgroups.n;
}

const char *snapshot_netgroup(const struct snapshot *snapshot, size_t index)
{
	return snapshot->clients.items[snapshot->netgroups.items[index]]->name + 1;
}

bool snapshot_names_by_address(const struct snapshot *snapshot)
{
	enum { BYTES_MAX = 1024 / 2 }; /* half of NFSCLNT_IDMAX; a comma stands behind each name */
	size_t n_bytes = 0;

	for (uint32_t i = 0; i < snapshot->netgroups.n && n_bytes <= BYTES_MAX; i++)
		n_bytes += strlen(snapshot_netgroup(snapshot, i)) + sizeof("@,") - 1;
	return n_bytes > BYTES_MAX;
}

struct domain_names {
	const struct snapshot *snapshot;
	VECTOR(const char *) names;
};

static int domain_add(struct domain_names *domain, uint32_t client)
{
	return vector_add(&domain->names, domain->snapshot->clients.items[client]->name);
}

static int add_host_of(struct domain_names *domain, const struct address *address)
{
	const struct snapshot *snapshot = domain->snapshot;
	struct address key = address_key(address);
	uint32_t hash = address_hash(&key, 0), position = 0, number;

	while ((number = index_next(&snapshot->addresses_by_value, hash, &position)) != NOTHING)
		if (address_same(&snapshot->addresses.items[number], &key))
			return domain_add(domain, snapshot->address_clients[number]);
	return 0;
}

static int add_subnets_of(struct domain_names *domain, const struct address *address)
{
	const struct snapshot *snapshot = domain->snapshot;

	for (uint32_t mask = 0; mask < snapshot->masks.n; mask++) {
		struct address net;

		if (snapshot->masks.items[mask].family != address->family)
			continue;
		net = address_masked(address, &snapshot->masks.items[mask]);
		for (uint32_t i = subnet_find(snapshot, &net, mask); i != NOTHING;
		     i = snapshot->subnets.items[i].next)
			if (domain_add(domain, snapshot->subnets.items[i].client) < 0)
				return -ENOMEM;
	}
	return 0;
}

static bool wildcard_matches(const char *pattern, const struct snapshot_address_names *names)
{
	for (size_t i = 0; i < names->n_names; i++)
		if (client_name_matches(pattern, names->names[i]))
			return true;
	return false;
}

static int compare_numbers(const void *a_pointer, const void *b_pointer)
{
	const uint32_t *a = a_pointer, *b = b_pointer;

	return (*a > *b) - (*a < *b);
}

static uint32_t *without_repeats(uint32_t *numbers, size_t *n)
{
	size_t kept = 0;

	qsort(numbers, *n, sizeof(*numbers), compare_numbers);
	for (size_t i = 0; i < *n; i++)
		if (kept == 0 || numbers[kept - 1] != numbers[i])
			numbers[kept++] = numbers[i];
	*n = kept;
	return numbers;
}

static int add_netgroups_of(struct domain_names *domain, const struct snapshot_address_names *names)
{
	CLEANUP(freep) uint32_t *clients = calloc(names->n_netgroups + 1, sizeof(uint32_t));
	size_t n = 0;
	int r = 0;

	if (!clients)
		return -ENOMEM;
	for (size_t i = 0; i < names->n_netgroups; i++) {
		const char *netgroup = names->netgroups[i];
		uint32_t client = client_named(domain->snapshot, "@", netgroup, strlen(netgroup));

		if (client != NOTHING)
			clients[n++] = client;
	}
	without_repeats(clients, &n);
	for (size_t i = 0; i < n && r == 0; i++)
		r = domain_add(domain, clients[i]);
	return r;
}

static int add_by_names(struct domain_names *domain, const struct snapshot_address_names *names)
{
	const struct snapshot *snapshot = domain->snapshot;

	for (uint32_t i = 0; i < snapshot->wildcards.n; i++) {
		uint32_t client = snapshot->wildcards.items[i];

		if (wildcard_matches(snapshot->clients.items[client]->name, names) &&
		    domain_add(domain, client) < 0)
			return -ENOMEM;
	}
	return add_netgroups_of(domain, names);
}

static int collect_clients(struct domain_names *domain, const struct address *address,
			   const struct snapshot_address_names *names)
{
	int r = add_host_of(domain, address);

	if (r == 0)
		r = add_subnets_of(domain, address);
	if (r == 0 && names)
		r = add_by_names(domain, names);
	if (r == 0 && domain->snapshot->anonymous != NOTHING)
		r = domain_add(domain, domain->snapshot->anonymous);
	return r;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *joined(const char **names, size_t n)
{
	size_t size = 1;
	char *text, *end;

	qsort(names, n, sizeof(*names), compare_strings);
	for (size_t i = 0; i < n; i++)
		size += strlen(names[i]) + 1;
	text = malloc(size);
	if (!text)
		return NULL;
	end = text;
	for (size_t i = 0; i < n; i++) {
		if (i)
			*end++ = ',';
		end = stpcpy(end, names[i]);
	}
	*end = '\0';
	return text;
}

int snapshot_domain(const struct snapshot *snapshot, const struct address *address,
		    const struct snapshot_address_names *names, char **ret_domain)
{
	struct domain_names domain = { .snapshot = snapshot };
	char *text = NULL;
	int r;

	r = collect_clients(&domain, address, names);
	if (r == 0 && domain.names.n == 0)
		r = SNAPSHOT_NOBODY;
	if (r == 0) {
		text = joined(domain.names.items, domain.names.n);
		if (text)
			*ret_domain = text;
		else
			r = -ENOMEM;
	}
	free(domain.names.items);
	return r;
}

/* ---- client sets ---- */

static void sort_by_type(const struct snapshot *snapshot, uint32_t *clients, size_t n)
{
	/* Few, and in order of number: an insertion sort keeps that within a type. */
	for (size_t i = 1; i < n; i++) {
		uint32_t client = clients[i];
		size_t to = i;

		for (; to && snapshot->clients.items[clients[to - 1]]->type >
				     snapshot->clients.items[client]->type;
		     to--)
			clients[to] = clients[to - 1];
		clients[to] = client;
	}
}

/*
 * The clients whose names begin at @text and end at one of the next commas (a netgroup's may hold
 * some).
 */
static size_t clients_at(const struct snapshot *snapshot, const char *text, uint32_t *clients)
{
	const char *end = text;
	size_t n = 0;

	for (unsigned int i = 0; i <= snapshot->name_commas_max; i++) {
		uint32_t client;

		end = strchrnul(i ? end + 1 : end, ',');
		client = client_named(snapshot, "", text, end - text);
		/* A host's name never holds one: two hosts' names are not a third's. */
		if (client != NOTHING &&
		    (i == 0 || snapshot->clients.items[client]->type != CLIENT_HOST))
			clients[n++] = client;
		if (*end == '\0')
			break;
	}
	return n;
}

struct snapshot_client_set *client_set_new(const struct snapshot *snapshot, const char *domain)
{
	size_t max = ((size_t)n_commas(domain) + 1) * (snapshot->name_commas_max + 1), n = 0;
	CLEANUP(freep) uint32_t *clients = calloc(max, sizeof(*clients));
	struct snapshot_client_set *set;

	if (!clients)
		return NULL;
	for (const char *name = domain; name;
	     name = strchr(name, ','), name = name ? name + 1 : NULL)
		n += clients_at(snapshot, name, clients + n);
	without_repeats(clients, &n);
	sort_by_type(snapshot, clients, n);

	set = calloc(1, sizeof(*set));
	if (!set)
		return NULL;
	set->domain = strdup(domain);
	if (!set->domain)
		return client_set_free(set);
	set->n_clients = n;
	set->clients = TAKE_PTR(clients);
	return set;
}

const struct snapshot_client_set *snapshot_client_set(struct snapshot *snapshot, const char *domain)
{
	struct snapshot_client_set *set;
	size_t length = strlen(domain);

	HASH_FIND(hh, snapshot->sets, domain, length, set);
	if (set)
		return set;
	set = client_set_new(snapshot, domain);
	if (!set)
		return NULL;
	HASH_ADD_KEYPTR(hh, snapshot->sets, set->domain, length, set);
	if (!set->hh.tbl)
		return client_set_free(set);
	if (++snapshot->n_sets > SNAPSHOT_CLIENT_SETS_MAX)
		forget_set(snapshot, snapshot->sets);
	return set;
}

bool client_set_is_by_address(const struct snapshot_client_set *set,
			      const struct snapshot *snapshot)
{
	/* They are in the order of types. */
	return set->n_clients && snapshot->clients.items[set->clients[0]]->type <= CLIENT_SUBNET;
}
