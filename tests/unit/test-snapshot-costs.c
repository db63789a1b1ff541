/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What an answer costs, counted instead of timed: slots of hash tables looked at. The same questions
 * must not take more of them because 100,000 other exports, clients or rules are there.
 */

static unsigned long n_probes;
#define SNAPSHOT_PROBE() (n_probes++)

#include "parser/index.c"
#include "parser/snapshot/build.c"
#include "parser/snapshot/clients.c"
#include "parser/snapshot/find.c"
#include "parser/snapshot/snapshot.c"

#include "tests/fake/facts.h"
#include "tests/tap.h"

enum { N_QUESTIONS = 1000 };

static struct facts facts;
static const size_t sizes[] = { 10, 1000, 100000 };

/* An exports file of @n lines; @line makes the i-th. */
static struct snapshot *made(size_t n, void (*line)(FILE *to, size_t i))
{
	struct diags diags = { 0 };
	struct snapshot *snapshot;
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		abort();
	for (size_t i = 0; i < n; i++)
		line(to, i);
	fclose(to);
	snapshot = facts_snapshot(&facts, text, false, &diags);
	if (!snapshot)
		abort();
	free(text);
	diags_done(&diags);
	return snapshot;
}

static void many_paths(FILE *to, size_t i)
{
	fprintf(to, "/srv/e/d%06zu *(ro,fsid=%zu)\n", i, 1000 + i);
}

static void many_hosts(FILE *to, size_t i)
{
	fprintf(to, "/srv/shared 10.%zu.%zu.%zu(ro)\n", i >> 16, i >> 8 & 255, i & 255);
}

static void many_paths_and_hosts(FILE *to, size_t i)
{
	fprintf(to, "/srv/e/d%06zu/x 10.%zu.%zu.%zu(ro,fsid=%zu)\n", i, i >> 16, i >> 8 & 255,
		i & 255, 1000 + i);
}

static void many_paths_of_two(FILE *to, size_t i)
{
	fprintf(to, "/srv/e/d%06zu/x 10.0.0.%zu(ro)\n", i, 1 + i % 2);
}

static void many_subnets(FILE *to, size_t i)
{
	fprintf(to, "/srv/shared 10.%zu.%zu.0/%u(ro)\n", i >> 8 & 255, i & 255,
		i < 65536 ? 24 : 25);
}

static void many_rules(FILE *to, size_t i)
{
	fprintf(to, "/mnt/r%06zu/* *(ro,fsid=/s)\n", i);
}

static void many_entries_of_a_rule(FILE *to, size_t i)
{
	fprintf(to, "/mnt/cdrom/* 10.%zu.%zu.%zu(ro,fsid=/s)\n", i >> 16, i >> 8 & 255, i & 255);
}

/* One question; the i-th of many, about what is there (also with the fewest lines) and what is not. */
typedef void (*ask_fn)(struct snapshot *snapshot, size_t i);

static void ask_find(struct snapshot *snapshot, size_t i)
{
	const struct snapshot_client_set *set = snapshot_client_set(snapshot, "*");
	struct snapshot_match match;
	char path[64];

	snprintf(path, sizeof(path), i % 3 ? "/srv/e/d%06zu" : "/srv/e/none%zu/x/y", i % 10);
	snapshot_find(snapshot, set, path, &match);
	snapshot_find_mount(snapshot, set, path, &match);
}

/* Directories that lie above one export of the asker's, or all of them, or others' alone. */
static void ask_pseudo_roots(struct snapshot *snapshot, size_t i)
{
	const struct snapshot_client_set *set =
		snapshot_client_set(snapshot, i % 2 ? "10.0.0.1" : "10.0.0.2,10.9.0.0/24");
	struct snapshot_match match;

	snapshot_find(snapshot, set, "/srv", &match);
	snapshot_find(snapshot, set, "/srv/e", &match);
	snapshot_find_fsid(snapshot, set, 0);
}

static void ask_number(struct snapshot *snapshot, size_t i)
{
	const struct snapshot_client_set *set = snapshot_client_set(snapshot, "*");

	snapshot_find_fsid(snapshot, set, i % 3 ? 1000 + i % 10 : 7000000 + i);
	snapshot_has_fsid(snapshot, i);
}

static void ask_shared(struct snapshot *snapshot, size_t i)
{
	const struct snapshot_client_set *set =
		snapshot_client_set(snapshot, i % 2 ? "10.0.0.1,10.0.0.0/24" : "10.0.0.2,10.0.0.3");
	struct snapshot_match match;

	snapshot_find(snapshot, set, "/srv/shared", &match);
	snapshot_find(snapshot, set, "/srv/shared/below", &match);
	snapshot_find(snapshot, set, "/srv", &match);
	snapshot_find_fsid(snapshot, set, 0);
}

static void ask_domain(struct snapshot *snapshot, size_t i)
{
	struct address address = { .family = AF_INET };
	char *domain = NULL;

	address.v4.s_addr = htonl(0x0a000000 + i % 20);
	if (snapshot_domain(snapshot, &address, NULL, &domain) == 0)
		free(domain);
}

static void ask_medium(struct snapshot *snapshot, size_t i)
{
	const struct snapshot_client_set *set = snapshot_client_set(snapshot, "*");
	struct snapshot_match match;
	char path[64];

	snprintf(path, sizeof(path), "/mnt/r%06zu/disc%zu%s", i % 12, i, i % 2 ? "/a/b" : "");
	snapshot_find(snapshot, set, path, &match);
	snapshot_rule_for_path(snapshot, path, NULL);
}

static void ask_shared_medium(struct snapshot *snapshot, size_t i)
{
	const struct snapshot_client_set *set = snapshot_client_set(snapshot, "10.0.0.1,10.0.0.2");
	struct snapshot_match match;

	snapshot_find(snapshot, set, i % 2 ? "/mnt/cdrom/disc" : "/mnt/cdrom/disc/x", &match);
	snapshot_find_mount(snapshot, set, "/mnt/cdrom/disc/x", &match);
}

static void check(const char *what, void (*line)(FILE *to, size_t i), ask_fn ask, unsigned long max)
{
	for (size_t size = 0; size < N_ELEMENTS(sizes); size++) {
		struct snapshot *snapshot = made(sizes[size], line);
		unsigned long worst = 0, total;

		n_probes = 0;
		for (size_t i = 0; i < N_QUESTIONS; i++) {
			unsigned long before = n_probes;

			ask(snapshot, i);
			if (n_probes - before > worst)
				worst = n_probes - before;
		}
		total = n_probes;
		ok(total && total / N_QUESTIONS <= max && worst <= 6 * max,
		   "%s with %zu lines: %lu probes, at worst %lu, a round of questions", what,
		   sizes[size], total / N_QUESTIONS, worst);
		snapshot_free(snapshot);
	}
}

int main(void)
{
	/* A limit is about twice what a hash table half full needs: one probe and a half a component and client. */
	check("find, many paths", many_paths, ask_find, 30);
	check("by number, many paths", many_paths, ask_number, 10);
	check("pseudo-roots, each path to its host", many_paths_and_hosts, ask_pseudo_roots, 40);
	check("pseudo-roots, many paths of two hosts", many_paths_of_two, ask_pseudo_roots, 40);
	check("find, many hosts on a path", many_hosts, ask_shared, 60);
	check("find, many subnets on a path", many_subnets, ask_shared, 60);
	check("domain, many hosts", many_hosts, ask_domain, 6);
	check("domain, many subnets", many_subnets, ask_domain, 12);
	check("find, many rules", many_rules, ask_medium, 40);
	check("find, many clients of a rule", many_entries_of_a_rule, ask_shared_medium, 40);
	return tap_done();
}
