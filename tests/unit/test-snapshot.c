/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is made of exports files: duplicates, clients, pseudo-roots, rules, numbers; printing, comparing. */

#include <errno.h>

#include "tests/fake/facts.h"
#include "tests/tap.h"

static const struct facts_host hosts[] = {
	{ "alpha", "alpha.example.test", { "192.0.2.10" } },
	{ "alpha.example.test", "alpha.example.test", { "192.0.2.10" } },
	{ "beta", "beta.example.test", { "192.0.2.11" } },
	{ "gamma", "gamma.example.test", { "192.0.2.12" } },
	{ "gamma-alias", "gamma-alias.example.test", { "192.0.2.12" } },
	{ "evil", "a,@trusted", { "192.0.2.66" } },
	{ "star", "*", { "192.0.2.67" } },
	{ NULL, NULL, { NULL } },
};

static const char *const links[][2] = {
	{ "/srv/link-a", "/srv/a" }, { "/srv/a/", "/srv/a" }, { "/srv/nosuch/", NULL },
	{ "/srv/nosuch", NULL },     { NULL, NULL },
};

static struct facts facts = { .hosts = hosts, .links = links };
static struct diags diags;

static struct snapshot *made(const char *text)
{
	struct snapshot *snapshot;

	diags_done(&diags);
	snapshot = facts_snapshot(&facts, text, false, &diags);
	if (!snapshot)
		abort();
	return snapshot;
}

/* "path client order" of each export, for comparing with a text. */
static const char *listed(const struct snapshot *snapshot)
{
	static char text[4096];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < snapshot_n_exports(snapshot); i++) {
		const struct snapshot_export *export = snapshot_export(snapshot, i);

		n += snprintf(text + n, sizeof(text) - n, "%s %s%s", export->path,
			      export->client->name,
			      i + 1 < snapshot_n_exports(snapshot) ? "; " : "");
	}
	return text;
}

static bool was_said(enum diag_level level, unsigned int line, const char *part)
{
	for (size_t i = 0; i < diags.n_items; i++)
		if (diags.items[i].level == level && diags.items[i].line == line &&
		    strstr(diags.items[i].text, part))
			return true;
	diags_print(&diags, stdout, false);
	return false;
}

static void test_empty(void)
{
	struct snapshot *snapshot = made("");
	struct address address = facts_address("192.0.2.10");
	const struct snapshot_client_set *set = snapshot_client_set(snapshot, "*");
	struct snapshot_match match;
	char *domain;

	is_int(snapshot_n_exports(snapshot), 0, "an empty file exports nothing");
	is_int(snapshot_domain(snapshot, &address, NULL, &domain), SNAPSHOT_NOBODY, "to nobody");
	is_int(client_set_size(set), 0, "a domain has no clients then");
	is_int(snapshot_find(snapshot, set, "/", &match), SNAPSHOT_FOUND_NOTHING,
	       "nothing is found");
	ok(!match.export && !snapshot_find_fsid(snapshot, set, 0), "and there is no root");
	snapshot_free(snapshot);
	ok(snapshot_free(NULL) == NULL, "freeing nothing is fine");
}

static void test_duplicates(void)
{
	struct snapshot *snapshot;

	snapshot = made(
		"/srv/a alpha(rw) alpha(rw)\n/srv/a alpha(ro)\n/srv/link-a alpha(rw)\n/srv/a/ alpha(rw)\n"
		"/srv/a ALPHA.Example.TEST(rw) 192.0.2.10(rw)\n/srv/b alpha(rw)\n");
	is_str(listed(snapshot), "/srv/a alpha.example.test; /srv/b alpha.example.test",
	       "one export a client and real path");
	is_int(diags.n_warnings, 6, "each duplicate is told");
	is_int(diags.n_errors, 0, "none is an error");
	ok(was_said(DIAG_WARNING, 1,
		    "duplicate: '/srv/a' is exported to 'alpha.example.test' at exports:1"),
	   "where both are");
	ok(was_said(DIAG_WARNING, 2, "incompatible duplicate"), "other flags are incompatible");
	is_int(snapshot_export(snapshot, 0)->options->flags & EXPORT_READONLY, 0,
	       "the first stays");
	snapshot_free(snapshot);

	snapshot = made("/srv/nosuch alpha(rw)\n/srv/nosuch/ alpha(rw)\n");
	is_str(listed(snapshot), "/srv/nosuch alpha.example.test; /srv/nosuch/ alpha.example.test",
	       "a path that does not resolve stays as written");
	snapshot_free(snapshot);

	snapshot = made("/srv/a *(rw)\n/srv/a\n");
	is_str(listed(snapshot), "/srv/a *", "no client and * are one");
	snapshot_free(snapshot);

	snapshot =
		made("/srv/a *.EXAMPLE.test(rw) *.example.test(ro) @HostGroup(rw) @hostgroup(rw)\n"
		     "/srv/a 192.0.2.0/24(rw) 192.0.2.0/255.255.255.0(rw)\n");
	is_str(listed(snapshot),
	       "/srv/a *.EXAMPLE.test; /srv/a @HostGroup; /srv/a 192.0.2.0/24; /srv/a 192.0.2.0/255.255.255.0",
	       "texts are compared without case, spellings of a subnet are two clients");
	snapshot_free(snapshot);
}

static void test_hosts(void)
{
	struct snapshot *snapshot;

	facts.n_hosts_asked = facts.n_paths_asked = 0;
	snapshot = made(
		"/srv/a gamma(rw) beta(rw)\n/srv/b gamma(rw) GAMMA(rw) beta(rw)\n/srv/c gamma-alias(rw) "
		"192.0.2.12(rw)\n/srv/c gamma(rw)\n/srv/a alpha(rw)\n");
	is_int(facts.n_hosts_asked, 5, "each name is asked for once");
	is_int(facts.n_paths_asked, 3, "each path is asked for once");
	is_int(snapshot_n_clients(snapshot), 3, "a common address makes one client");
	is_str(snapshot_export(snapshot, 4)->client->name, "gamma.example.test",
	       "the first one's name is it");
	is_int(diags.n_warnings, 3, "its other names are duplicates");
	snapshot_free(snapshot);

	snapshot = made("/srv/a evil(rw) star(rw)\n");
	is_str(listed(snapshot), "/srv/a evil; /srv/a star",
	       "a canonical name that reads as other clients is not used");
	snapshot_free(snapshot);

	diags_done(&diags);
	snapshot = facts_snapshot(&facts, "/srv/a nobody(rw) alpha(rw)\n/srv/b nobody(rw)\n", true,
				  &diags);
	is_str(listed(snapshot), "/srv/a alpha.example.test", "who does not resolve is left out");
	is_int(diags.n_warnings, 2, "and told, each time");
	is_int(snapshot_n_clients(snapshot), 1, "and is no client");
	snapshot_free(snapshot);

	snapshot = made("/srv/a nobody(rw) alpha(rw)\n/srv/b nobody(rw)\n");
	is_int(snapshot_n_exports(snapshot), 3, "or is kept");
	is_int(diags.n_warnings, 1, "and told once");
	is_int(snapshot_export(snapshot, 0)->client->n_addresses, 0, "and has no address");
	snapshot_free(snapshot);
}

static void test_pseudo_roots(void)
{
	struct snapshot *snapshot = made("/srv/nfs/a alpha(rw)\n/srv beta(rw,crossmnt)\n");
	const struct snapshot_client_set *alpha =
		snapshot_client_set(snapshot, "alpha.example.test");
	const struct snapshot_client_set *beta = snapshot_client_set(snapshot, "beta.example.test");
	const struct snapshot_export *root, *export;
	struct snapshot_match match;

	root = snapshot_find_fsid(snapshot, alpha, 0);
	ok(root && root->options->flags == 0x12403, "the root is number 0, with stock's flags");
	ok(root && str_equal(root->path, "/") && !root->client, "it is /, and nobody's alone");
	is_int(root->options->n_flavors, 1, "without Kerberos it has one flavour");
	is_int(root->options->flavors[0].number, 1, "sys");
	is_int(root->options->flavors[0].flags, 0x12403, "with the same flags");
	is_int(root->options->anon_uid, 65534, "and the usual anonymous user");
	ok(!snapshot_has_fsid(snapshot, 0), "nobody wrote that number");
	is_int(snapshot_find(snapshot, alpha, "/srv/nfs", &match), SNAPSHOT_FOUND_PSEUDO,
	       "each directory above is one");
	export = match.export;
	is_int(export->options->flags, 0x10403, "with stock's flags");
	is_str(export->path, "/srv/nfs", "and its path");
	is_int(snapshot_find(snapshot, alpha, "/srv/nfs/b", &match), SNAPSHOT_FOUND_NOTHING,
	       "what lies beside the export is not");
	is_int(snapshot_find(snapshot, beta, "/srv/nfs", &match), SNAPSHOT_FOUND_BELOW,
	       "another client's pseudo-root is not its own");
	is_int(snapshot_find(snapshot, beta, "/srv", &match), SNAPSHOT_FOUND_EXPORT,
	       "what is exported stays");
	snapshot_free(snapshot);

	facts.kerberos = true;
	snapshot = made("/srv alpha(rw)\n");
	root = snapshot_find_fsid(snapshot, snapshot_client_set(snapshot, "alpha.example.test"), 0);
	is_int(root->options->n_flavors, 4, "with Kerberos it has four flavours");
	is_int(root->options->flavors[0].number, 390003, "krb5");
	is_int(root->options->flavors[2].number, 390005, "to krb5p");
	is_int(root->options->flavors[3].number, 1, "sys last");
	facts.kerberos = false;
	snapshot_free(snapshot);

	snapshot = made("/srv/a alpha(rw)\n/srv/b *(rw,fsid=0)\n");
	alpha = snapshot_client_set(snapshot, "alpha.example.test");
	is_int(snapshot_find(snapshot, alpha, "/srv", &match), SNAPSHOT_FOUND_NOTHING,
	       "an fsid=0, whoever's, turns pseudo-roots off");
	ok(!snapshot_find_fsid(snapshot, alpha, 0), "and only its clients have it");
	ok(snapshot_has_fsid(snapshot, 0), "and the number is written");
	snapshot_free(snapshot);

	snapshot = made(
		"/ alpha(rw,sec=sys)\n/srv alpha(rw) beta(rw)\n/srv/a beta(rw)\n/srv/a beta(rw,fsid=0)\n");
	alpha = snapshot_client_set(snapshot, "alpha.example.test");
	root = snapshot_find_fsid(snapshot, alpha, 0);
	ok(root && root->options->flags == (EXPORT_ROOTSQUASH | EXPORT_NOSUBTREECHECK |
					    EXPORT_FSID | 0x20 /* wdelay */),
	   "a real / gets the number 0");
	is_int(root->options->flavors[0].flags & EXPORT_FSID, EXPORT_FSID, "with its flavours");
	is_str(root->client->name, "alpha.example.test", "for its client");
	ok(snapshot_find_fsid(snapshot, snapshot_client_set(snapshot, "beta.example.test"), 0) !=
		   root,
	   "others have their pseudo-root (a duplicate's fsid=0 does not count)");
	snapshot_free(snapshot);
}

static void test_numbers(void)
{
	struct snapshot *snapshot =
		made("/a alpha(rw,fsid=7)\n/b alpha(rw,fsid=7) beta(rw,fsid=7)\n"
		     "/c alpha(rw,crossmnt,fsid=8)\n/c/d alpha(rw,fsid=8)\n/e alpha(rw)\n");
	const struct snapshot_client_set *alpha =
		snapshot_client_set(snapshot, "alpha.example.test");
	const struct snapshot_client_set *both =
		snapshot_client_set(snapshot, "alpha.example.test,beta.example.test");
	const struct snapshot_client_set *beta = snapshot_client_set(snapshot, "beta.example.test");

	is_str(snapshot_find_fsid(snapshot, alpha, 7)->path, "/a",
	       "of two paths with a number the first has it");
	ok(was_said(DIAG_WARNING, 2, "fsid=7 of '/b' is also that of '/a' at exports:1"),
	   "and this is told");
	is_str(snapshot_find_fsid(snapshot, beta, 7)->path, "/b",
	       "a number is looked for among the asker's");
	is_str(snapshot_find_fsid(snapshot, both, 7)->path, "/a", "the first in the file");
	is_str(snapshot_find_fsid(snapshot, alpha, 8)->path, "/c/d",
	       "but below crossmnt the deeper one");
	ok(!snapshot_find_fsid(snapshot, beta, 8) && !snapshot_find_fsid(snapshot, alpha, 9),
	   "others are none");
	ok(snapshot_has_fsid(snapshot, 7) && snapshot_has_fsid(snapshot, 8) &&
		   !snapshot_has_fsid(snapshot, 9),
	   "what is written is known, whoever's");
	snapshot_free(snapshot);

	snapshot = made("/a @g(rw,fsid=7)\n/b alpha(rw,fsid=7)\n");
	is_str(snapshot_find_fsid(snapshot, snapshot_client_set(snapshot, "@g,alpha.example.test"),
				  7)
		       ->path,
	       "/b", "a host's comes before a netgroup's");
	snapshot_free(snapshot);
}

static void test_rules(void)
{
	struct snapshot *snapshot =
		made("/mnt/cdrom//*/ @g(ro,fsid=/run/a)\n/mnt/cdrom/* alpha(rw,fsid=/run/a)\n"
		     "/srv/*/disc-? @g(ro,fsid=@b)\n/mnt/cdrom/* beta(ro,fsid=/run/other)\n"
		     "/* beta(ro,fsid=/run/c)\n/* beta(ro,fsid=/run/c)\n"
		     "/mnt/cdrom/* @g(ro,fsid=/run/a)\n/srv @g(ro)\n");
	const struct snapshot_rule *rule;

	is_int(snapshot_n_rules(snapshot), 3, "entries with the same pattern are one rule");
	rule = snapshot_rule(snapshot, 0);
	is_str(rule->pattern, "/mnt/cdrom/*", "its pattern is normalised");
	is_str(rule->directory, "/mnt/cdrom", "its directory is literal");
	is_int(rule->depth, 1, "its media lie in it");
	is_str(rule->handler, "/run/a", "its handler");
	is_int(rule->line, 1, "its line");
	ok(!rule->parent_exported, "nobody exports its directory");
	rule = snapshot_rule(snapshot, 1);
	is_str(rule->directory, "/srv", "the second's directory");
	is_int(rule->depth, 2, "its media lie two levels deeper");
	ok(rule->parent_exported, "and somebody exports it");
	rule = snapshot_rule(snapshot, 2);
	is_str(rule->directory, "/", "a wildcard first starts at the root");
	is_int(rule->depth, 1, "one level");
	ok(was_said(DIAG_ERROR, 4, "handler '/run/a' at exports:1"), "one pattern has one handler");
	ok(was_said(DIAG_WARNING, 7, "duplicate"), "duplicates are told for rules too");
	ok(was_said(DIAG_WARNING, 1, "'/*' at exports:5 matches '/mnt/cdrom' too"),
	   "a rule over another's directory is told");
	is_int(snapshot_n_exports(snapshot), 5, "five entries are in force");
	is_str(snapshot_export(snapshot, 1)->path, "/mnt/cdrom",
	       "an entry's path is the directory");
	ok(snapshot_rule_of(snapshot, snapshot_export(snapshot, 1)) == snapshot_rule(snapshot, 0),
	   "and leads to its rule");
	ok(!snapshot_rule_of(snapshot, snapshot_export(snapshot, 4)), "a plain one to none");
	snapshot_free(snapshot);

	snapshot = made(
		"/mnt/a/* @g(ro,fsid=/run/a)\n/mnt/b/* @g(ro,fsid=/run/a)\n/mnt/c/* @g(ro,fsid=/run/a)\n"
		"/ *(ro,fsid=0)\n/mnt/b alpha(ro)\n");
	is_int(diags.n_warnings, 0,
	       "with fsid=0 exported to everybody everything can be walked to");
	snapshot_free(snapshot);
	snapshot = made(
		"/mnt/a/* @g(ro,fsid=/run/a)\n/mnt/b/* @g(ro,fsid=/run/a)\n/exp *(ro,fsid=0)\n/mnt/b @g(ro)\n");
	is_int(diags.n_warnings, 1, "but a directory may lie outside");
	ok(was_said(DIAG_WARNING, 1, "fsid=0"), "which is told");
	snapshot_free(snapshot);
	snapshot =
		made("/srv/* @g(ro,fsid=/run/a)\n/srv/a *(ro)\n/srv/b/c *(ro)\n/other/d *(ro)\n");
	is_int(diags.n_warnings, 1, "an export below a medium is told, one in its place is not");
	ok(was_said(DIAG_WARNING, 3, "'/srv/b/c' lies below '/srv/b'"), "and which");
	snapshot_free(snapshot);
}

static void test_matches_key(void)
{
	static const struct {
		const char *pattern, *key;
		bool matches;
	} table[] = {
		{ "/m/*", "a", true },	     { "/m/*", ".a", false },
		{ "/m/.*", ".a", true },     { "/m/*", "", false },
		{ "/m/*", ".", false },	     { "/m/.*", "..", false },
		{ "/m/.*", ".", false },     { "/m/*", "a/b", false },
		{ "/m/*/c", "a/c", true },   { "/m/*/c", "a", false },
		{ "/m/*/c", "a/d", false },  { "/m/*/*", "a/", false },
		{ "/m/*/*", "/a", false },   { "/m/*/*", "a//b", false },
		{ "/m/*/*", "a/.b", false }, { "/m/*/*", "a/..", false },
		{ "/m/d?", "d1", true },     { "/m/d?", "d", false },
		{ "/m/d[0-9]", "d7", true }, { "/m/d[0-9]", "dx", false },
		{ "/m/[!a]*", "b", true },   { "/m/[!a]*", ".b", false },
		{ "/*", "x", true },	     { "/m/*.iso", "x.iso", true },
	};

	for (size_t i = 0; i < N_ELEMENTS(table); i++) {
		char text[64];
		struct snapshot *snapshot;

		snprintf(text, sizeof(text), "%s *(ro,fsid=/s)\n", table[i].pattern);
		snapshot = made(text);
		ok(rule_matches_key(snapshot_rule(snapshot, 0), table[i].key) == table[i].matches,
		   "%s %s '%s'", table[i].pattern, table[i].matches ? "matches" : "does not match",
		   table[i].key);
		snapshot_free(snapshot);
	}
}

static char *etab(const struct snapshot *snapshot)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to || snapshot_print_etab(snapshot, to, 0xd) != 0)
		abort();
	fclose(to);
	return text;
}

static void test_print(void)
{
	struct snapshot *snapshot = made("/\n/srv/link-a alpha(rw)\n/srv/b *(rw)\n");
	char *text = etab(snapshot), *line = text;
	static const char *const starts[] = { "/\t(ro", "/srv/a\talpha.example.test(rw",
					      "/srv/b\t*(rw" };

	for (size_t i = 0; i < N_ELEMENTS(starts); i++) {
		ok(strncmp(line, starts[i], strlen(starts[i])) == 0,
		   "etab line %zu starts as stock's", i + 1);
		line = strchr(line, '\n');
		line = line ? line + 1 : text;
	}
	ok(!strstr(text, "fsid=0"), "the number that / got is not printed");
	is_int(*line, '\0', "pseudo-roots are not printed");
	free(text);
	snapshot_free(snapshot);
}

static void test_equal(void)
{
	static const char base[] = "/a alpha(rw) *(ro)\n/m/* @g(ro,fsid=/s)\n";
	static const struct {
		const char *text;
		bool equal;
	} table[] = {
		{ base, true },
		{ "# moved\n\n/a alpha.example.test(rw)\n/a *(ro)\n/m/* @g(ro,fsid=/s)\n", true },
		{ "/a alpha(rw) *(ro)\n/m/* @g(ro,fsid=/t)\n", false },
		{ "/a alpha(rw) *(ro)\n/m/*x @g(ro,fsid=/s)\n", false },
		{ "/a alpha(rw) *(rw)\n/m/* @g(ro,fsid=/s)\n", false },
		{ "/a alpha(rw,anonuid=7) *(ro)\n/m/* @g(ro,fsid=/s)\n", false },
		{ "/a alpha(rw,fsid=7) *(ro)\n/m/* @g(ro,fsid=/s)\n", false },
		{ "/a alpha(rw,sec=sys) *(ro)\n/m/* @g(ro,fsid=/s)\n", false },
		{ "/a beta(rw) *(ro)\n/m/* @g(ro,fsid=/s)\n", false },
		{ "/a *(ro) alpha(rw)\n/m/* @g(ro,fsid=/s)\n", false },
		{ "/b alpha(rw) *(ro)\n/m/* @g(ro,fsid=/s)\n", false },
		{ "/a alpha(rw) *(ro)\n", false },
		{ "/a alpha(rw) *(ro)\n/m/* @g(ro,fsid=/s)\n/b *(ro)\n", false },
	};
	static const struct facts_host moved[] = {
		{ "alpha", "alpha.example.test", { "192.0.2.110" } }, { NULL, NULL, { NULL } }
	};
	static const struct facts_host one_way[] = { { "r", "r", { "192.0.2.1", "192.0.2.2" } },
						     { NULL, NULL, { NULL } } };
	static const struct facts_host other_way[] = { { "r", "r", { "192.0.2.2", "192.0.2.1" } },
						       { NULL, NULL, { NULL } } };
	struct snapshot *a = made(base), *b;

	for (size_t i = 0; i < N_ELEMENTS(table); i++) {
		b = made(table[i].text);
		ok(snapshot_equal(a, b) == table[i].equal, "comparing: case %zu %s", i,
		   table[i].equal ? "is the same" : "is another");
		snapshot_free(b);
	}
	b = made("/a alpha(rw,fsid=7)\n");
	snapshot_free(a);
	a = made("/a alpha(rw,fsid=8)\n");
	ok(!snapshot_equal(a, b), "another number is another snapshot");
	snapshot_free(a);
	snapshot_free(b);
	a = made(base);
	facts.hosts = moved;
	b = made(base);
	ok(!snapshot_equal(a, b), "another address is another snapshot");
	snapshot_free(b);
	facts.hosts = hosts;
	facts.kerberos = true;
	b = made(base);
	ok(!snapshot_equal(a, b), "other flavours of pseudo-roots are another snapshot");
	facts.kerberos = false;
	snapshot_free(b);
	snapshot_free(a);

	facts.hosts = one_way;
	a = made("/a r(rw)\n");
	facts.hosts = other_way;
	b = made("/a r(rw)\n");
	ok(snapshot_equal(a, b), "a name server that rotates addresses makes no other snapshot");
	facts.hosts = hosts;
	snapshot_free(a);
	snapshot_free(b);
}

static void test_in_rule(void)
{
	struct snapshot *snapshot = made("/srv/a *(rw)\n/mnt/cd/*/x *(ro,fsid=/run/h)\n"
					 "/mnt/dvd/* *(ro,fsid=/run/h) alpha(rw,fsid=/run/h)\n");

	ok(snapshot_is_in_rule(snapshot, "/mnt/cd"), "a rule's directory");
	ok(snapshot_is_in_rule(snapshot, "/mnt/cd/a/x/deep"), "and what lies below");
	ok(!snapshot_is_in_rule(snapshot, "/mnt") && !snapshot_is_in_rule(snapshot, "/mnt/cdx") &&
		   !snapshot_is_in_rule(snapshot, "/srv/a"),
	   "nothing else");
	ok(!snapshot_rule(snapshot, 0)->is_writable && snapshot_rule(snapshot, 1)->is_writable,
	   "one client's rw makes a rule writable");
	snapshot_free(snapshot);
	snapshot = made("/* *(ro,fsid=/run/h)\n");
	ok(snapshot_is_in_rule(snapshot, "/") && snapshot_is_in_rule(snapshot, "/x"),
	   "of a rule in the root, everything");
	snapshot_free(snapshot);
}

/* /srv/a and /srv/d: one number on two file systems; /srv/far: the same lower half; others: not known. */
static struct snapshot_seen seen(void *userdata, const char *path)
{
	struct snapshot_seen there = { .device = 1, .inode = 7 };

	if (str_equal(path, "/srv/d"))
		there.device = 2;
	else if (str_equal(path, "/srv/far"))
		there.inode = 7 + (UINT64_C(1) << 32);
	else if (!str_equal(path, "/srv/link-a"))
		there.inode = 0;
	return there;
}

static struct snapshot_place place_of(const struct snapshot *snapshot, const char *path)
{
	ssize_t index = snapshot_place_of(snapshot, path);

	return index < 0 ? (struct snapshot_place){ 0 } : snapshot_place(snapshot, (size_t)index);
}

static void test_places(void)
{
	struct snapshot *snapshot;
	uint32_t position = 0, n = 0;
	ssize_t index;

	facts.seen = seen;
	snapshot = made(
		"/srv/link-a *(rw)\n/srv/b *(ro,crossmnt) alpha(ro,fsid=f0112233445566778899aabbccddeeff)\n"
		"/srv/d *(ro)\n/srv/far *(ro)\n/srv/b/deep *(ro)\n"
		"/mnt/cd/* *(ro,crossmnt,fsid=/run/h)\n/mnt/dvd/* *(ro,fsid=/run/h)\n");
	facts.seen = NULL;
	ok(snapshot_place_of(snapshot, "/nowhere") == -ENOENT,
	   "a path that nobody has is no place");
	ok(place_of(snapshot, "/srv/a").is_exported && !place_of(snapshot, "/srv/a").is_pseudo_root,
	   "an export");
	ok(place_of(snapshot, "/srv").is_pseudo_root && !place_of(snapshot, "/srv").is_exported,
	   "a pseudo-root");
	ok(place_of(snapshot, "/mnt/cd").is_pseudo_root &&
		   !place_of(snapshot, "/mnt/cd").is_exported,
	   "a rule's directory is one, too");
	is_str(place_of(snapshot, "/srv/b").uuid, "f0112233445566778899aabbccddeeff",
	       "any client's uuid");
	is_str(place_of(snapshot, "/srv/d").uuid, NULL, "none");
	ok(place_of(snapshot, "/srv/d").seen.device == 2 &&
		   !place_of(snapshot, "/srv/b").seen.inode,
	   "what was seen there, if anything");
	for (; (index = snapshot_next_seen(snapshot, 7, &position)) >= 0; n++)
		ok((uint32_t)snapshot_place(snapshot, (size_t)index).seen.inode == 7,
		   "%s has the inode", snapshot_place(snapshot, (size_t)index).path);
	is_int(n, 3, "the lower half of an inode finds all three");
	position = 0;
	is_int(snapshot_next_seen(snapshot, 8, &position), -ENOENT, "and another number none");
	ok(snapshot_is_crossed(snapshot, "/srv/b") && snapshot_is_crossed(snapshot, "/srv/b/x/y"),
	   "crossmnt, and below it");
	ok(snapshot_is_crossed(snapshot, "/mnt/cd/disc/x"), "a rule's");
	ok(!snapshot_is_crossed(snapshot, "/srv/a/x") &&
		   !snapshot_is_crossed(snapshot, "/mnt/dvd/x"),
	   "nothing else");
	snapshot_free(snapshot);
}

int main(void)
{
	test_empty();
	test_duplicates();
	test_hosts();
	test_pseudo_roots();
	test_numbers();
	test_rules();
	test_matches_key();
	test_print();
	test_equal();
	test_in_rule();
	test_places();
	diags_done(&diags);
	return tap_done();
}
