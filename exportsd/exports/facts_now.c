/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * facts_now.c - realpath(3) and getaddrinfo(3), their answers kept.
 */

#include "exportsd/exports/facts_now.h"

#include <netdb.h>
#include <sys/socket.h>

#include "exportsd/base/address.h"
#include "exportsd/exports/loading.h"

enum { HOST_ADDRESSES_MAX = 16 }; /* nfs-utils support/include/exportfs.h NFSCLNT_ADDRMAX */

static const char keytab[] = "/etc/krb5.keytab";

static const char *ask_real_path(void *userdata, const char *path)
{
	struct facts_now *asked = userdata;
	struct exports_fact *fact = facts_find(asked->paths, path);

	if (fact)
		return fact->answer;
	fact = facts_add(&asked->paths, path);
	if (!fact)
		return NULL;
	fact->answer = realpath(path, NULL);
	return fact->answer;
}

/* nfs-utils support/export/hostname.c host_addrinfo(): one protocol, so each address comes once. */
static void look_up(struct exports_fact *fact)
{
	const struct addrinfo hints = { .ai_protocol = IPPROTO_UDP, .ai_flags = AI_CANONNAME };
	struct address addresses[HOST_ADDRESSES_MAX];
	struct addrinfo *found = NULL;
	size_t n = 0;

	if (getaddrinfo(fact->text, NULL, &hints, &found) != 0)
		return;
	for (struct addrinfo *at = found; at; at = at->ai_next)
		if (n < HOST_ADDRESSES_MAX && address_of_socket(at->ai_addr, &addresses[n]))
			n++;
	fact_set(fact, addresses, n, found->ai_canonname ?: fact->text);
	freeaddrinfo(found);
}

static bool ask_host(void *userdata, const char *name, const char **ret_canonical,
		     const struct address **ret_addresses, size_t *ret_n_addresses)
{
	struct facts_now *asked = userdata;
	struct exports_fact *fact = facts_find(asked->hosts, name);

	if (!fact) {
		fact = facts_add(&asked->hosts, name);
		if (fact)
			look_up(fact);
	}
	if (!fact || !fact->n_addresses)
		return false;
	*ret_canonical = fact->answer ?: fact->text;
	*ret_addresses = fact->addresses;
	*ret_n_addresses = fact->n_addresses;
	return true;
}

struct snapshot_facts facts_now_init(struct facts_now *asked)
{
	*asked = (struct facts_now){ 0 };
	return (struct snapshot_facts){
		.userdata = asked,
		.real_path = ask_real_path,
		.host = ask_host,
		.kerberos = access(keytab, F_OK) == 0,
	};
}

void facts_now_done(struct facts_now *asked)
{
	facts_clear(&asked->paths);
	facts_clear(&asked->hosts);
}
