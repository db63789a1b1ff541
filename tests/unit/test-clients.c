/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which domain an address belongs to, with a name service that knows, does not know, is silent, or cannot be asked.
 */

#include <errno.h>

#include "exportsd/base/parts.h"
#include "exportsd/config/config.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/media/media.h"
#include "exportsd/names/clients.h"
#include "exportsd/names/names.h"
#include "exportsd/numbers/numbers.h"
#include "parser/snapshot/snapshot.h"
#include "tests/fake/facts.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

static struct daemon server;

/* ---- names ---- */

static struct {
	int error, refuses;
	bool never; /* answers */
	const char *names[2], *netgroups[2];
	size_t n_names, n_netgroups;
	unsigned int asked;
	char asked_netgroups[64];
} name_service;

struct names_question {
	struct pending pending;
	names_address_fn done;
	void *userdata;
	sd_event_source *source;
};

static void cancel_names(struct pending *pending)
{
	struct names_question *question = (struct names_question *)pending;

	sd_event_source_disable_unref(question->source);
	free(question);
}

static int answer(sd_event_source *source, void *userdata)
{
	struct names_question copy = *(struct names_question *)userdata;
	struct snapshot_address_names known = {
		.names = name_service.names,
		.n_names = name_service.n_names,
		.netgroups = name_service.netgroups,
		.n_netgroups = name_service.n_netgroups,
	};

	cancel_names(userdata);
	copy.done(copy.userdata, name_service.error, &known);
	return 0;
}

int names_of_address(struct names *names, const struct address *address,
		     const char *const *netgroups, size_t n_netgroups, names_address_fn done,
		     void *userdata, struct pending **ret_question)
{
	struct names_question *question;

	if (name_service.refuses)
		return name_service.refuses;
	name_service.asked++;
	name_service.asked_netgroups[0] = '\0';
	for (size_t i = 0; i < n_netgroups; i++)
		snprintf(name_service.asked_netgroups + strlen(name_service.asked_netgroups),
			 sizeof(name_service.asked_netgroups) -
				 strlen(name_service.asked_netgroups),
			 "%s ", netgroups[i]);
	question = calloc(1, sizeof(*question));
	*question = (struct names_question){ { cancel_names }, .done = done, .userdata = userdata };
	if (!name_service.never)
		sd_event_add_defer(server.event, &question->source, answer, question);
	*ret_question = &question->pending;
	return 0;
}

/* ---- asking ---- */

static struct facts facts;

static void put_in_force(const char *text)
{
	struct diags diags = { 0 };

	snapshot_free(server.snapshot);
	server.snapshot = facts_snapshot(&facts, text, false, &diags);
	diags_done(&diags);
	memset(&name_service, 0, sizeof(name_service));
}

static unsigned int n_told;
static char told[128];
static bool told_complete;

static void on_domain(void *userdata, const char *domain, bool complete)
{
	n_told++;
	snprintf(told, sizeof(told), "%s", domain ? domain : "(nobody)");
	told_complete = complete;
}

static int ask_domain(const struct address *address, bool patient, char **ret_now,
		      struct pending **ret_question)
{
	return clients_domain(server.names, server.event, server.snapshot, address, patient,
			      on_domain, NULL, ret_now, ret_question);
}

static void domain_is(const char *text, const char *wanted, bool complete, const char *what)
{
	CLEANUP(freep) char *now = NULL;
	struct pending *question = NULL;
	struct address address = facts_address(text);
	int r;

	n_told = 0;
	r = ask_domain(&address, true, &now, &question);
	if (r < 0 || n_told)
		printf("# %s\n", n_told ? "told from within" : strerror(-r));
	is_int(r == CLIENTS_NOW, !snapshot_needs_names(server.snapshot),
	       "is known at once where nobody must be asked");
	if (r == CLIENTS_NOW)
		on_domain(NULL, now, true);
	loop_until(server.event, &n_told, 1, 1000);
	is_str(n_told == 1 ? told : "(not told)", wanted, what);
	is_int(told_complete, complete, complete ? "  that is certain" : "  for now");
}

/* ---- tests ---- */

static void test_addresses(void)
{
	put_in_force("/a 192.0.2.0/24(ro) 192.0.2.7(rw)\n/b *(ro)\n");
	domain_is("192.0.2.7", "*,192.0.2.0/24,192.0.2.7", true, "every client that it is");
	is_int(name_service.asked, 0, "names are not asked where no export needs them");
	put_in_force("/a 192.0.2.0/24(ro)\n");
	domain_is("198.51.100.1", "(nobody)", true, "nobody's address");
}

static void test_names(void)
{
	put_in_force("/a 192.0.2.0/24(ro) *.example.org(ro) @one(ro)\n/b @two(ro)\n");
	name_service.names[0] = "host.example.org";
	name_service.n_names = 1;
	name_service.netgroups[0] = "two";
	name_service.n_netgroups = 1;
	domain_is("192.0.2.7", "*.example.org,192.0.2.0/24,@two", true,
		  "by address, name and netgroup");
	is_str(name_service.asked_netgroups, "one two ", "all netgroups are asked about");
	name_service.n_names = name_service.n_netgroups = 0;
	domain_is("192.0.2.7", "192.0.2.0/24", true, "without a name");
	name_service.error = -ETIMEDOUT;
	domain_is("192.0.2.7", "192.0.2.0/24", false, "a silent name service: what is certain");
	domain_is("198.51.100.1", "(nobody)", false, "nobody, as far as is known");
	name_service.n_netgroups = 1;
	domain_is("198.51.100.1", "@two", false, "a netgroup that lists the address itself");
}

static void test_trouble(void)
{
	struct pending *question = NULL;
	struct address address = facts_address("192.0.2.7");
	char *now = NULL;

	put_in_force("/a @one(ro)\n");
	name_service.refuses = -EAGAIN;
	is_int(ask_domain(&address, true, &now, &question), -EAGAIN, "too many ask");
	ok(!question, "then there is no question");
	name_service.refuses = 0;
	n_told = 0;
	ask_domain(&address, true, &now, &question);
	pending_cancel(&question);
	loop_for(server.event, 20);
	is_int(n_told, 0, "who is cancelled is not told");
}

/* A name service that takes its time is not waited for by who has an address that is named. */
static void test_hurry(void)
{
	struct pending *question = NULL;
	struct address listed = facts_address("192.0.2.7"), other = facts_address("198.51.100.1");
	char *now = NULL;

	put_in_force("/a 192.0.2.0/24(ro) *.example.org(ro)\n/b *(ro)\n");
	name_service.never = true;
	n_told = 0;
	ask_domain(&listed, false, &now, &question);
	loop_until(server.event, &n_told, 1, 2000);
	is_str(n_told == 1 ? told : "(not told)", "*,192.0.2.0/24", "in a hurry: what is listed");
	ok(!told_complete, "  so far");
	n_told = 0;
	ask_domain(&other, false, &now, &question);
	loop_for(server.event, 400);
	is_int(n_told, 0, "who is only one of all waits");
	pending_cancel(&question);
	ask_domain(&listed, true, &now, &question);
	loop_for(server.event, 400);
	is_int(n_told, 0, "and so does who is patient");
	pending_cancel(&question);
	name_service.never = false;
	name_service.names[0] = "host.example.org";
	name_service.n_names = 1;
	ask_domain(&listed, false, &now, &question);
	loop_until(server.event, &n_told, 1, 2000);
	is_str(told, "*,*.example.org,192.0.2.0/24", "names that come at once count");
	ok(told_complete, "  and are all");
}

static void kernel_domain_is(bool by_address, const char *address_text, const char *domain,
			     const char *wanted, const char *what)
{
	struct address address = facts_address(address_text);
	CLEANUP(freep)
	char *name = clients_kernel_domain(server.snapshot, by_address, &address, domain);

	is_str(name, wanted, what);
}

static void test_kernel_domains(void)
{
	struct address address;
	char exports[2048] = "", domain[CLIENTS_DOMAIN_MAX + 2];

	put_in_force("/a @one(ro)\n");
	kernel_domain_is(false, "192.0.2.7", "@one", "@one", "a domain");
	kernel_domain_is(true, "192.0.2.7", "@one", "$192.0.2.7", "named by the address");
	kernel_domain_is(true, "2001:db8::7", "@one", "$2001:db8::7", "an IPv6 one");
	memset(domain, 'a', sizeof(domain));
	domain[CLIENTS_DOMAIN_MAX] = '\0';
	kernel_domain_is(false, "192.0.2.7", domain, domain, "a domain as long as may be");
	domain[CLIENTS_DOMAIN_MAX] = 'a';
	domain[CLIENTS_DOMAIN_MAX + 1] = '\0';
	kernel_domain_is(false, "192.0.2.7", domain, "$192.0.2.7", "a longer one");

	/* 32 netgroups of 15 bytes, "@" and comma: 512 bytes. */
	for (int i = 0; i < 32; i++)
		sprintf(exports + strlen(exports), "/a @%014d(ro)\n", i);
	put_in_force(exports);
	ok(!snapshot_names_by_address(server.snapshot), "netgroups of 512 bytes");
	kernel_domain_is(false, "192.0.2.7", "@1", "@1", "leave domains as they are");
	strcat(exports, "/a @x(ro)\n");
	put_in_force(exports);
	ok(snapshot_names_by_address(server.snapshot), "one more");
	kernel_domain_is(false, "192.0.2.7", "@1", "$192.0.2.7", "has them named by address");

	ok(clients_is_by_address("$192.0.2.7", &address) && address.family == AF_INET,
	   "by address");
	ok(clients_is_by_address("$", &address) && !address.family, "by none");
	ok(!clients_is_by_address("*,192.0.2.7", &address), "by name");
}

int main(void)
{
	if (sd_event_new(&server.event) < 0)
		return EXIT_FAILURE;
	test_addresses();
	test_names();
	test_trouble();
	test_hurry();
	test_kernel_domains();
	snapshot_free(server.snapshot);
	sd_event_unref(server.event);
	return tap_done();
}
