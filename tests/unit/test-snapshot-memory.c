/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Memory runs out at the n-th request for it, for every n: the answer is -ENOMEM, nothing leaks
 * (valgrind and ASan look), and what was there before answers on.
 */

#include "tests/fake/scarce.h"

#include "parser/arena.c"
#include "parser/index.c"
#include "parser/snapshot/build.c"
#include "parser/snapshot/clients.c"
#include "parser/snapshot/find.c"
#include "parser/snapshot/snapshot.c"
#undef malloc
#undef calloc
#undef reallocarray
#undef strdup

#include "tests/fake/facts.h"
#include "tests/tap.h"

static const struct facts_host hosts[] = {
	{ "alpha", "alpha.example.test", { "192.0.2.10", "2001:db8::10" } },
	{ NULL, NULL, { NULL } },
};
static const char *const links[][2] = { { "/link", "/srv/real" }, { NULL, NULL } };
static struct facts facts = { .hosts = hosts, .links = links };

/* Enough lines that every array and index grows more than once. */
static struct exports_source *read_source(void)
{
	static char text[64 * 100];
	struct diags diags = { 0 };
	struct exports_source *source;
	size_t n = 0;

	n += (size_t)sprintf(text, "/ *(ro)\n/link alpha(ro) @g(ro) *.x(ro) gss/krb5(ro)\n"
				   "/m/*/x alpha(ro,fsid=/s) @g(ro,fsid=/s)\n");
	for (unsigned int i = 0; i < 40; i++)
		n += (size_t)sprintf(text + n, "/srv/%u/x 10.0.%u.0/24(ro,fsid=%u) 10.1.0.%u(rw)\n",
				     i, i, 100 + i, i);
	if (exports_read_text("exports", text, n, &diags, &source) != 0 || diags.n_errors)
		abort();
	diags_done(&diags);
	return source;
}

static struct snapshot *test_new(void)
{
	struct snapshot_facts asked = facts_for_snapshot(&facts);
	struct snapshot *snapshot = NULL;
	long n = 0;
	int r;

	do {
		struct exports_source *source = read_source();
		struct diags diags = { 0 };

		until_failure = n++;
		r = snapshot_new(source, &asked, false, &diags, &snapshot);
		/* An array that cannot be made smaller stays as it is: done all the same. */
		if (r == 0 && until_failure < 0 && n < 1000) {
			snapshot = snapshot_free(snapshot);
			r = -ENOMEM;
		}
		diags_done(&diags);
	} while (r == -ENOMEM);
	is_int(r, 0, "a snapshot is made once there is memory enough");
	ok(n > 30, "%ld requests for memory failed in turn", n - 1);
	until_failure = -1;
	return snapshot;
}

static void test_answers(struct snapshot *snapshot)
{
	static const char *const netgroups[] = { "g" };
	static const struct snapshot_address_names names = { NULL, 0, netgroups, 1 };
	struct address address = facts_address("192.0.2.10");
	const struct snapshot_client_set *set = NULL;
	char *domain = NULL;
	long n;
	int r = -ENOMEM;

	for (n = 0; r == -ENOMEM; n++) {
		until_failure = n;
		r = snapshot_domain(snapshot, &address, &names, &domain);
	}
	ok(r == 0 && n > 2, "a domain after %ld failures", n - 1);
	is_str(domain, "*,@g,alpha.example.test", "is whole");
	for (n = 0; !set; n++) {
		until_failure = n;
		set = snapshot_client_set(snapshot, domain);
	}
	ok(n > 3, "a client set after %ld failures", n - 1);
	is_int(client_set_size(set), 3, "is whole");
	ok(snapshot_client_set(snapshot, domain) == set, "and remembered");
	until_failure = -1;
	free(domain);
}

/* What is remembered needs no memory. */
static bool is_remembered(struct snapshot *snapshot, const char *domain)
{
	const struct snapshot_client_set *set;

	until_failure = 0;
	set = snapshot_client_set(snapshot, domain);
	until_failure = -1;
	return set;
}

static void test_sets_max(struct snapshot *snapshot)
{
	char domain[32];

	for (unsigned int i = 0; i < SNAPSHOT_CLIENT_SETS_MAX; i++) {
		snprintf(domain, sizeof(domain), "*,%u", i);
		if (!snapshot_client_set(snapshot, domain))
			abort();
	}
	ok(is_remembered(snapshot, "*,0"), "4,096 client sets are remembered");
	ok(!is_remembered(snapshot, "*,@g"), "one more is not yet");
	is_int(client_set_size(snapshot_client_set(snapshot, "*,@g")), 2, "but can be had");
	ok(is_remembered(snapshot, "*,@g"), "and then is");
	ok(!is_remembered(snapshot, "*,0"), "the oldest is forgotten for it");
	ok(is_remembered(snapshot, "*,1"), "and no other");
	is_int(client_set_size(snapshot_client_set(snapshot, "*,0")), 1,
	       "what was forgotten is made again");
}

int main(void)
{
	struct snapshot *snapshot = test_new();

	test_answers(snapshot);
	test_sets_max(snapshot);
	snapshot_free(snapshot);
	return tap_done();
}
