/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which export answers: tables, and random exports, clients and paths against a model that is
 * as slow and as plain as the description it is written from: nfs-utils' lookup_export()
 * walks everything in the order of client type and file.
 */

#include <fnmatch.h>

#include "tests/fake/facts.h"
#include "tests/tap.h"

static struct facts facts;

static struct snapshot *made(const char *text)
{
	struct diags diags = { 0 };
	struct snapshot *snapshot = facts_snapshot(&facts, text, false, &diags);

	if (!snapshot)
		abort();
	diags_done(&diags);
	return snapshot;
}

/* ---- tables ---- */

static const char *const found_words[] = { "nothing", "export", "below", "pseudo", "medium" };

/* "word path client [medium]" */
static const char *answer(struct snapshot *snapshot, bool for_mount, const char *domain,
			  const char *path)
{
	static char text[512];
	struct snapshot_match match;
	const struct snapshot_client_set *set = snapshot_client_set(snapshot, domain);
	enum snapshot_found found = for_mount ? snapshot_find_mount(snapshot, set, path, &match)
					      : snapshot_find(snapshot, set, path, &match);

	if (found == SNAPSHOT_FOUND_NOTHING)
		return "nothing";
	snprintf(text, sizeof(text), "%s %s %s", found_words[found], match.export->path,
		 match.real->client->name);
	if (match.medium_length) {
		size_t directory = strlen(match.rule->directory);

		snprintf(text + strlen(text), sizeof(text) - strlen(text), " [%.*s] %s%s",
			 (int)match.medium_length, path, path + directory + (directory > 1),
			 match.parent_exported ? " parent" : "");
	}
	return text;
}

struct row {
	const char *domain, *path, *found, *mount;
};

static void check_rows(const char *exports, const struct row *rows, size_t n)
{
	struct snapshot *snapshot = made(exports);

	for (size_t i = 0; i < n; i++) {
		char what[512];

		snprintf(what, sizeof(what), "%s for %s", rows[i].path, rows[i].domain);
		is_str(answer(snapshot, false, rows[i].domain, rows[i].path), rows[i].found, what);
		snprintf(what, sizeof(what), "mount %s for %s", rows[i].path, rows[i].domain);
		is_str(answer(snapshot, true, rows[i].domain, rows[i].path), rows[i].mount, what);
	}
	snapshot_free(snapshot);
}

static void test_plain(void)
{
	static const char exports[] = "/a *(rw) @n(rw) 10.0.0.0/8(rw) 10.0.0.1(rw)\n"
				      "/c *(rw,crossmnt)\n/c/d @n(rw)\n/c/d/e 10.0.0.1(rw)\n"
				      "/x/y 10.0.0.1(rw)\n/x *(ro)\n/a 10.0.0.2(rw)\n";
	static const struct row rows[] = {
		{ "*", "/a", "export /a *", "export /a *" },
		{ "*,@n", "/a", "export /a @n", "export /a @n" },
		{ "*,10.0.0.0/8,@n", "/a", "export /a 10.0.0.0/8", "export /a 10.0.0.0/8" },
		{ "*,10.0.0.0/8,10.0.0.1,@n", "/a", "export /a 10.0.0.1", "export /a 10.0.0.1" },
		{ "10.0.0.2,10.0.0.1", "/a", "export /a 10.0.0.1", "export /a 10.0.0.1" },
		{ "*", "/a/sub", "nothing", "export /a *" },
		{ "*", "/ab", "nothing", "nothing" },
		{ "*", "/c/z/z", "below /c *", "export /c *" },
		{ "*", "/c", "export /c *", "export /c *" },
		{ "*,@n", "/c/d", "export /c/d @n", "export /c/d @n" },
		{ "*,@n", "/c/d/f", "below /c *", "export /c/d @n" },
		{ "*,10.0.0.1", "/c/d", "below /c *", "export /c *" },
		{ "10.0.0.1", "/c/d", "pseudo /c/d 10.0.0.1", "nothing" },
		{ "*,10.0.0.1", "/x", "export /x *", "export /x *" },
		{ "10.0.0.1", "/x", "pseudo /x 10.0.0.1", "nothing" },
		{ "*,10.0.0.1,@n", "/", "pseudo / 10.0.0.1", "nothing" },
		{ "", "/a", "nothing", "nothing" },
		{ "unknown", "/a", "nothing", "nothing" },
		{ "*", "relative", "nothing", "nothing" },
		{ "*", "", "nothing", "nothing" },
		{ "*", "//a", "nothing", "nothing" },
	};

	check_rows(exports, rows, N_ELEMENTS(rows));
}

static void test_root(void)
{
	static const char exports[] = "/ *(ro,crossmnt)\n/a/b @n(rw)\n";
	static const struct row rows[] = {
		{ "*", "/", "export / *", "export / *" },
		{ "*", "/q", "below / *", "export / *" },
		{ "@n", "/", "pseudo / @n", "nothing" },
		{ "*,@n", "/", "export / *", "export / *" },
		{ "*,@n", "/a", "below / *", "export / *" },
		{ "*,@n", "/a/b", "export /a/b @n", "export /a/b @n" },
	};

	check_rows(exports, rows, N_ELEMENTS(rows));
}

static void test_rules(void)
{
	static const char exports[] = "/mnt/cdrom/* @n(ro,fsid=/s) 10.0.0.1(rw,crossmnt,fsid=/s)\n"
				      "/srv/*/disc-? @n(ro,fsid=/t)\n"
				      "/mnt/cdrom/own @n(rw)\n"
				      "/mnt/cdrom/deep/in/it @n(rw)\n"
				      "/up 10.0.0.9(rw,crossmnt)\n/up/* @n(ro,fsid=/u)\n"
				      "/real @n(ro)\n/real/* @n(ro,fsid=/v)\n";
	static const struct row rows[] = {
		{ "@n", "/", "pseudo / @n", "nothing" },
		{ "@n", "/mnt", "pseudo /mnt @n", "nothing" },
		{ "@n", "/mnt/cdrom", "pseudo /mnt/cdrom @n", "nothing" },
		{ "@n", "/mnt/cdrom/x", "medium /mnt/cdrom @n [/mnt/cdrom/x] x",
		  "medium /mnt/cdrom @n [/mnt/cdrom/x] x" },
		{ "@n", "/mnt/cdrom/x/y", "nothing", "medium /mnt/cdrom @n [/mnt/cdrom/x] x/y" },
		{ "10.0.0.1", "/mnt/cdrom/x/y", "below /mnt/cdrom 10.0.0.1 [/mnt/cdrom/x] x/y",
		  "medium /mnt/cdrom 10.0.0.1 [/mnt/cdrom/x] x/y" },
		{ "10.0.0.1,@n", "/mnt/cdrom/x", "medium /mnt/cdrom 10.0.0.1 [/mnt/cdrom/x] x",
		  "medium /mnt/cdrom 10.0.0.1 [/mnt/cdrom/x] x" },
		{ "*", "/mnt/cdrom/x", "nothing", "nothing" },
		{ "@n", "/mnt/cdrom/.x", "nothing", "nothing" },
		/* an explicit export wins for its client, and only for it */
		{ "@n", "/mnt/cdrom/own", "export /mnt/cdrom/own @n", "export /mnt/cdrom/own @n" },
		{ "10.0.0.1", "/mnt/cdrom/own", "medium /mnt/cdrom 10.0.0.1 [/mnt/cdrom/own] own",
		  "medium /mnt/cdrom 10.0.0.1 [/mnt/cdrom/own] own" },
		{ "10.0.0.1", "/mnt/cdrom/own/sub",
		  "below /mnt/cdrom 10.0.0.1 [/mnt/cdrom/own] own/sub",
		  "medium /mnt/cdrom 10.0.0.1 [/mnt/cdrom/own] own/sub" },
		/* an explicit export within a medium */
		{ "@n", "/mnt/cdrom/deep", "medium /mnt/cdrom @n [/mnt/cdrom/deep] deep",
		  "medium /mnt/cdrom @n [/mnt/cdrom/deep] deep" },
		{ "@n", "/mnt/cdrom/deep/in", "pseudo /mnt/cdrom/deep/in @n",
		  "medium /mnt/cdrom @n [/mnt/cdrom/deep] deep/in" },
		{ "10.0.0.1,@n", "/mnt/cdrom/deep/in",
		  "below /mnt/cdrom 10.0.0.1 [/mnt/cdrom/deep] deep/in",
		  "medium /mnt/cdrom 10.0.0.1 [/mnt/cdrom/deep] deep/in" },
		{ "@n", "/mnt/cdrom/deep/in/it", "export /mnt/cdrom/deep/in/it @n",
		  "export /mnt/cdrom/deep/in/it @n" },
		/* several components */
		{ "@n", "/srv", "pseudo /srv @n", "nothing" },
		{ "@n", "/srv/any", "pseudo /srv @n", "nothing" },
		{ "@n", "/srv/.any", "nothing", "nothing" },
		{ "10.0.0.1", "/srv/any", "nothing", "nothing" },
		{ "@n", "/srv/any/disc-1", "medium /srv @n [/srv/any/disc-1] any/disc-1",
		  "medium /srv @n [/srv/any/disc-1] any/disc-1" },
		{ "@n", "/srv/any/disc-10", "nothing", "nothing" },
		/* crossmnt from above ends at a medium, whoever's it is */
		{ "10.0.0.9", "/up", "export /up 10.0.0.9", "export /up 10.0.0.9" },
		{ "10.0.0.9", "/up/.x", "below /up 10.0.0.9", "export /up 10.0.0.9" },
		{ "10.0.0.9", "/up/x", "nothing", "nothing" },
		{ "10.0.0.9", "/up/x/y", "nothing", "nothing" },
		{ "10.0.0.9,@n", "/up/x", "medium /up @n [/up/x] x parent",
		  "medium /up @n [/up/x] x parent" },
		{ "@n", "/up/x", "medium /up @n [/up/x] x", "medium /up @n [/up/x] x" },
		{ "@n", "/real/x", "medium /real @n [/real/x] x parent",
		  "medium /real @n [/real/x] x parent" },
		{ "@n", "/real", "export /real @n", "export /real @n" },
	};

	check_rows(exports, rows, N_ELEMENTS(rows));
}

static void test_overlaps(void)
{
	static const char exports[] =
		"/m/cd* 10.0.0.1(ro,fsid=/s)\n/m/* 10.0.0.2(ro,fsid=/s) @n(ro,fsid=/s)\n"
		"/m/c*/in 10.0.0.3(ro,fsid=/t)\n/m/lib/* 10.0.0.2(ro,fsid=/t)\n"
		"/o/a* 10.0.0.1(ro,fsid=/one)\n/o/* 10.0.0.2(ro,fsid=/two)\n"
		"/* 10.0.0.2(ro,fsid=/u)\n";
	static const struct row rows[] = {
		/* the same handler: whoever has a rule that matches gets the medium, as the owner's */
		{ "10.0.0.1", "/m/cd1", "medium /m 10.0.0.1 [/m/cd1] cd1",
		  "medium /m 10.0.0.1 [/m/cd1] cd1" },
		{ "10.0.0.2", "/m/cd1", "medium /m 10.0.0.2 [/m/cd1] cd1",
		  "medium /m 10.0.0.2 [/m/cd1] cd1" },
		{ "10.0.0.1,@n", "/m/cd1", "medium /m 10.0.0.1 [/m/cd1] cd1",
		  "medium /m 10.0.0.1 [/m/cd1] cd1" },
		{ "10.0.0.1", "/m/dvd", "nothing", "nothing" },
		/* what lies in a medium is the medium's */
		{ "10.0.0.3", "/m/cd1/in", "nothing", "nothing" },
		{ "10.0.0.3", "/m/cd1", "nothing", "nothing" },
		{ "10.0.0.3", "/m/x", "nothing", "nothing" },
		/* another handler: the first in the file has it */
		{ "10.0.0.1", "/o/ab", "medium /o 10.0.0.1 [/o/ab] ab",
		  "medium /o 10.0.0.1 [/o/ab] ab" },
		{ "10.0.0.2", "/o/ab", "nothing", "nothing" },
		{ "10.0.0.2", "/o/b", "medium /o 10.0.0.2 [/o/b] b",
		  "medium /o 10.0.0.2 [/o/b] b" },
		/* directories of rules are nobody's media */
		{ "10.0.0.2", "/m/lib", "pseudo /m/lib 10.0.0.2", "nothing" },
		{ "10.0.0.2", "/m/lib/x", "medium /m/lib 10.0.0.2 [/m/lib/x] x",
		  "medium /m/lib 10.0.0.2 [/m/lib/x] x" },
		{ "10.0.0.2", "/m", "pseudo /m 10.0.0.2", "nothing" },
		{ "10.0.0.2", "/top", "medium / 10.0.0.2 [/top] top",
		  "medium / 10.0.0.2 [/top] top" },
		{ "10.0.0.2", "/", "pseudo / 10.0.0.2", "nothing" },
	};
	struct snapshot *snapshot = made(exports);
	size_t length = 0;

	check_rows(exports, rows, N_ELEMENTS(rows));
	ok(snapshot_rule_for_path(snapshot, "/m/cd1/x", &length) == snapshot_rule(snapshot, 0),
	   "a path has one owner");
	is_int(length, strlen("/m/cd1"), "and one medium");
	ok(!snapshot_rule_for_path(snapshot, "/m/lib", NULL), "or none");
	snapshot_free(snapshot);
}

static void test_without_pseudo(void)
{
	static const char exports[] =
		"/exp *(ro,fsid=0,crossmnt)\n/exp/a/b @n(rw)\n/exp/*/d @n(ro,fsid=/s)\n"
		"/far/*/d @n(ro,fsid=/s)\n";
	static const struct row rows[] = {
		{ "@n", "/", "nothing", "nothing" },
		{ "@n", "/exp/a", "nothing", "nothing" },
		{ "@n", "/far", "nothing", "nothing" },
		{ "@n", "/far/x", "nothing", "nothing" },
		{ "@n", "/far/x/d", "medium /far @n [/far/x/d] x/d",
		  "medium /far @n [/far/x/d] x/d" },
		{ "*,@n", "/exp/x", "below /exp *", "export /exp *" },
		{ "*,@n", "/exp/x/d", "medium /exp @n [/exp/x/d] x/d parent",
		  "medium /exp @n [/exp/x/d] x/d parent" },
	};

	check_rows(exports, rows, N_ELEMENTS(rows));
}

/* ---- pseudo-roots ---- */

/* "path@line": a pseudo-root's, and of what it is there for. */
static const char *pseudo_root(struct snapshot *snapshot, const char *domain, const char *path)
{
	static char text[64];
	struct snapshot_match match;
	const struct snapshot_client_set *set = snapshot_client_set(snapshot, domain);

	if (snapshot_find(snapshot, set, path, &match) != SNAPSHOT_FOUND_PSEUDO)
		return "none";
	snprintf(text, sizeof(text), "%s@%u", match.export->path,
		 snapshot_as_written(snapshot, match.real).at.line);
	return text;
}

static void test_pseudo_roots(void)
{
	struct snapshot *snapshot =
		made("/a/b/c 10.0.0.1(rw)\n/a/b/d 10.0.0.1(rw)\n/a/x/y 10.0.0.1(rw)\n"
		     "/a/x/y 10.0.0.2(rw)\n/a *(rw)\n/a/x/z @n(rw)\n/ab/c @n(rw)\n");
	const struct snapshot_client_set *one = snapshot_client_set(snapshot, "10.0.0.1");
	const struct snapshot_client_set *other = snapshot_client_set(snapshot, "10.0.0.2");
	const struct snapshot_client_set *everybody = snapshot_client_set(snapshot, "*");
	const struct snapshot_export *root = snapshot_find_fsid(snapshot, one, 0);

	is_str(pseudo_root(snapshot, "10.0.0.1", "/"), "/@1", "above a client's first export");
	is_str(pseudo_root(snapshot, "10.0.0.1", "/a/b"), "/a/b@1", "in each directory");
	is_str(pseudo_root(snapshot, "10.0.0.1", "/a/x"), "/a/x@3", "and above a later one");
	is_str(pseudo_root(snapshot, "10.0.0.2", "/a/x"), "/a/x@4", "of each client for itself");
	is_str(pseudo_root(snapshot, "10.0.0.2", "/a/b"), "none", "not above another's");
	is_str(pseudo_root(snapshot, "@n,10.0.0.2", "/a/x"), "/a/x@4", "for the best of several");
	is_str(pseudo_root(snapshot, "*", "/"), "/@5", "above what is above others'");
	is_str(pseudo_root(snapshot, "*", "/a/b"), "none", "and not below it");
	is_str(pseudo_root(snapshot, "@n", "/a"), "/a@6", "where another has a real one");
	is_str(pseudo_root(snapshot, "@n,*", "/a"), "none", "not where one of them has");
	is_str(pseudo_root(snapshot, "@n", "/ab"), "/ab@7", "a name that begins like another's");
	ok(root && !root->client && str_equal(root->path, "/"), "the one with the number 0");
	ok(snapshot_find_fsid(snapshot, other, 0) == root, "is all clients'");
	ok(snapshot_find_fsid(snapshot, everybody, 0) == root, "who have something below");
	ok(!snapshot_find_fsid(snapshot, snapshot_client_set(snapshot, ""), 0), "and only theirs");
	snapshot_free(snapshot);
}

/* ---- the model ---- */

enum { LINES_MAX = 24, ENTRIES_MAX = LINES_MAX * 8 };

/* In the order of their types' priority, as the model walks them. */
static const struct {
	const char *name;
	enum client_type type;
} clients[] = {
	{ "10.0.0.1", CLIENT_HOST },	 { "10.0.0.2", CLIENT_HOST },
	{ "10.0.0.0/8", CLIENT_SUBNET }, { "10.0.0.0/16", CLIENT_SUBNET },
	{ "*.x", CLIENT_WILDCARD },	 { "?.y", CLIENT_WILDCARD },
	{ "@n", CLIENT_NETGROUP },	 { "@m", CLIENT_NETGROUP },
	{ "*", CLIENT_ANONYMOUS },	 { "gss/krb5", CLIENT_GSS },
};

struct entry {
	char path[40]; /* or the pattern */
	size_t client;
	unsigned int order;
	unsigned int real; /* a pseudo-root's: order of what it is there for, else its own */
	uint32_t flags;
	uint32_t fsid;
	const char *handler; /* NULL: plain or pseudo */
};

struct model {
	struct entry entries[ENTRIES_MAX];
	size_t n;
	bool has_pseudo;
	char text[LINES_MAX * 100];
};

static const char *random_name(void)
{
	static const char *const names[] = { "a", "b", "ab", "c1" };

	return names[tap_random() % N_ELEMENTS(names)];
}

static void random_path(char *path, unsigned int depth_max)
{
	unsigned int depth = tap_random() % (depth_max + 1);

	strcpy(path, depth ? "" : "/");
	while (depth--)
		strcat(strcat(path, "/"), random_name());
}

static void random_pattern(char *path)
{
	static const char *const names[] = { "*", "?", "a*", "[ac]*", "*b" };
	unsigned int depth = 1 + tap_random() % 3;
	bool is_wild = false;

	path[0] = '\0';
	while (depth--) {
		bool wild = tap_random() % 2 || (depth == 0 && !is_wild);

		is_wild |= wild;
		strcat(strcat(path, "/"),
		       wild ? names[tap_random() % N_ELEMENTS(names)] : random_name());
	}
}

/* Is there an entry with this path or pattern, for this client (SIZE_MAX: any)? */
static const struct entry *entry_of(const struct model *model, const char *path, size_t client,
				    bool rule)
{
	for (size_t i = 0; i < model->n; i++)
		if (str_equal(model->entries[i].path, path) &&
		    (client == SIZE_MAX || model->entries[i].client == client) &&
		    !model->entries[i].handler == !rule)
			return &model->entries[i];
	return NULL;
}

/* A duplicate, and a pattern's second handler, are not in force. */
static void add_entry(struct model *model, const struct entry *entry)
{
	const struct entry *same = entry_of(model, entry->path, SIZE_MAX, entry->handler);

	if (entry_of(model, entry->path, entry->client, entry->handler) ||
	    (entry->handler && same && same->handler != entry->handler))
		return;
	model->entries[model->n++] = *entry;
}

static void random_line(struct model *model, unsigned int order, bool root_number)
{
	static const char *const handlers[] = { "/s1", "/s2" };
	struct entry entry = { .client = tap_random() % N_ELEMENTS(clients),
			       .order = order,
			       .real = order };
	char options[40] = "ro";

	if (tap_random() % 3 == 0) {
		random_pattern(entry.path);
		entry.handler = handlers[tap_random() % 2];
		sprintf(options, "ro,fsid=%s", entry.handler);
	} else {
		random_path(entry.path, 3);
	}
	if (tap_random() % 3 == 0) {
		entry.flags |= EXPORT_CROSSMOUNT;
		strcat(options, ",crossmnt");
	}
	if (!entry.handler && tap_random() % 4 == 0) {
		entry.flags |= EXPORT_FSID;
		entry.fsid = tap_random() % 3 + !root_number;
		sprintf(options + strlen(options), ",fsid=%u", entry.fsid);
	}
	sprintf(model->text + strlen(model->text), "%s %s(%s)\n", entry.path,
		clients[entry.client].name, options);
	add_entry(model, &entry);
}

static size_t literal_length(const char *pattern)
{
	const char *wild = strpbrk(pattern, "*?["), *end = pattern;

	for (const char *at = pattern; at < wild; at++)
		if (*at == '/')
			end = at;
	return end - pattern;
}

/* v4root.c: for each export every directory above; for a rule its literal directory too. */
static void add_model_pseudo(struct model *model)
{
	size_t n = model->n;
	unsigned int order = LINES_MAX;

	for (size_t i = 0; i < n; i++) {
		struct entry pseudo = { .client = model->entries[i].client,
					.real = model->entries[i].order,
					.flags = EXPORT_V4ROOT };
		const char *path = model->entries[i].path;
		size_t length = model->entries[i].handler ? literal_length(path) + 1 : strlen(path);

		if (!model->entries[i].handler && str_equal(path, "/")) {
			if (!(model->entries[i].flags & EXPORT_FSID)) {
				model->entries[i].flags |= EXPORT_FSID;
				model->entries[i].fsid = 0;
			}
			continue;
		}
		for (size_t end = 0; end < length; end++) {
			if (path[end] != '/')
				continue;
			snprintf(pseudo.path, sizeof(pseudo.path), "%.*s", end ? (int)end : 1,
				 path);
			pseudo.order = order++;
			pseudo.flags = EXPORT_V4ROOT | (end ? 0 : EXPORT_FSID);
			add_entry(model, &pseudo);
		}
	}
}

static void random_model(struct model *model)
{
	unsigned int n_lines = tap_random() % LINES_MAX;
	bool root_number = tap_random() % 4 == 0, has_root = false;

	*model = (struct model){ 0 };
	for (unsigned int i = 0; i < n_lines; i++)
		random_line(model, i, root_number);
	for (size_t i = 0; i < model->n; i++)
		has_root |= model->entries[i].flags & EXPORT_FSID && model->entries[i].fsid == 0;
	model->has_pseudo = !has_root;
	if (model->has_pseudo)
		add_model_pseudo(model);
}

/* Does a domain (bits of clients) hold an entry's client? Entries in the order of type, then of the file. */
static const struct entry *next_entry(const struct model *model, unsigned int domain,
				      const struct entry *last)
{
	const struct entry *next = NULL;

#define RANK(e) ((unsigned int)clients[(e)->client].type * 1000 + (e)->order)
	for (size_t i = 0; i < model->n; i++) {
		const struct entry *entry = &model->entries[i];

		if (domain >> entry->client & 1 && (!last || RANK(entry) > RANK(last)) &&
		    (!next || RANK(entry) < RANK(next)))
			next = entry;
	}
	return next;
}

static bool below(const char *path, const char *parent)
{
	if (str_equal(parent, "/"))
		return strlen(path) > 1;
	return strncmp(path, parent, strlen(parent)) == 0 && path[strlen(parent)] == '/';
}

/* lookup_export(), without what a crossmnt above the medium would give. */
static const struct entry *model_lookup(const struct model *model, unsigned int domain,
					const char *path, size_t medium_length)
{
	const struct entry *found = NULL, *entry = NULL;

	while ((entry = next_entry(model, domain, entry))) {
		bool crosses = entry->flags & EXPORT_CROSSMOUNT && below(path, entry->path) &&
			       strlen(entry->path) >= medium_length;

		if (entry->handler || (!str_equal(entry->path, path) && !crosses))
			continue;
		if (!found) {
			found = entry;
		} else if (entry->flags & EXPORT_V4ROOT) {
			continue;
		} else if (found->flags & EXPORT_V4ROOT) {
			found = entry;
		} else if ((found->flags | entry->flags) & EXPORT_CROSSMOUNT &&
			   strlen(entry->path) > strlen(found->path)) {
			found = entry;
		}
	}
	return found;
}

static unsigned int n_slashes(const char *path)
{
	unsigned int n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static bool model_matches(const char *pattern, const char *path)
{
	return fnmatch(pattern, path, FNM_PERIOD | FNM_PATHNAME) == 0;
}

/* Is a directory some rule's, or above one? */
static bool is_kept_free(const struct model *model, const char *directory)
{
	for (size_t i = 0; i < model->n; i++) {
		char literal[40];
		size_t length =
			model->entries[i].handler ? literal_length(model->entries[i].path) : 0;

		snprintf(literal, sizeof(literal), "%.*s", (int)length, model->entries[i].path);
		if (model->entries[i].handler &&
		    (str_equal(literal, directory) || below(literal, directory)))
			return true;
	}
	return false;
}

/* The outermost medium, and of the rules that make it one the first in the file. */
static const struct entry *model_owner(const struct model *model, const char *path,
				       char *ret_medium)
{
	for (size_t length = 2; length <= strlen(path); length++) {
		char prefix[40];

		if (path[length] != '/' && path[length] != '\0')
			continue;
		snprintf(prefix, sizeof(prefix), "%.*s", (int)length, path);
		if (is_kept_free(model, prefix))
			continue;
		for (size_t i = 0; i < model->n; i++) {
			const struct entry *entry = &model->entries[i];

			if (entry->handler && n_slashes(entry->path) == n_slashes(prefix) &&
			    model_matches(entry->path, prefix)) {
				strcpy(ret_medium, prefix);
				return entry;
			}
		}
	}
	return NULL;
}

static const struct entry *model_entry_of_medium(const struct model *model, unsigned int domain,
						 const char *medium, const char *handler)
{
	const struct entry *entry = NULL;

	while ((entry = next_entry(model, domain, entry)))
		if (entry->handler && str_equal(entry->handler, handler) &&
		    n_slashes(entry->path) == n_slashes(medium) &&
		    model_matches(entry->path, medium))
			return entry;
	return NULL;
}

/* A rule with this path between its directory and its media. */
static const struct entry *model_within(const struct model *model, unsigned int domain,
					const char *path)
{
	const struct entry *entry = NULL;

	while ((entry = next_entry(model, domain, entry))) {
		char start[40];
		unsigned int depth = n_slashes(path);
		const char *end = entry->path;

		if (!entry->handler || n_slashes(entry->path) <= depth ||
		    strlen(path) <= literal_length(entry->path))
			continue;
		for (unsigned int i = 0; i <= depth; i++)
			end = strchr(end + (i > 0), '/');
		snprintf(start, sizeof(start), "%.*s", (int)(end - entry->path), entry->path);
		if (strpbrk(start, "*?[") && model_matches(start, path))
			return entry;
	}
	return NULL;
}

static enum snapshot_found model_find(const struct model *model, unsigned int domain,
				      const char *path, const struct entry **ret_entry)
{
	char medium[40] = "";
	const struct entry *owner = model_owner(model, path, medium);
	const struct entry *found = model_lookup(model, domain, path, owner ? strlen(medium) : 0);
	const struct entry *rule = NULL;

	*ret_entry = found;
	if (found && !(found->flags & EXPORT_V4ROOT))
		return str_equal(found->path, path) ? SNAPSHOT_FOUND_EXPORT : SNAPSHOT_FOUND_BELOW;
	if (owner)
		rule = model_entry_of_medium(model, domain, medium, owner->handler);
	if (rule && (str_equal(path, medium) || rule->flags & EXPORT_CROSSMOUNT)) {
		*ret_entry = rule;
		return str_equal(path, medium) ? SNAPSHOT_FOUND_MEDIUM : SNAPSHOT_FOUND_BELOW;
	}
	if (found)
		return SNAPSHOT_FOUND_PSEUDO;
	*ret_entry = owner || !model->has_pseudo ? NULL : model_within(model, domain, path);
	return *ret_entry ? SNAPSHOT_FOUND_PSEUDO : SNAPSHOT_FOUND_NOTHING;
}

/* auth_authenticate(): the path, then each directory above, and there the first. */
static enum snapshot_found model_mount(const struct model *model, unsigned int domain,
				       const char *path, const struct entry **ret_entry)
{
	char prefix[40], medium[40] = "";
	const struct entry *owner = model_owner(model, path, medium);

	strcpy(prefix, path);
	for (;;) {
		const struct entry *entry = NULL;

		while ((entry = next_entry(model, domain, entry)))
			if (!entry->handler && !(entry->flags & EXPORT_V4ROOT) &&
			    str_equal(entry->path, prefix)) {
				*ret_entry = entry;
				return SNAPSHOT_FOUND_EXPORT;
			}
		if (owner && str_equal(prefix, medium)) {
			*ret_entry = model_entry_of_medium(model, domain, medium, owner->handler);
			return *ret_entry ? SNAPSHOT_FOUND_MEDIUM : SNAPSHOT_FOUND_NOTHING;
		}
		*ret_entry = NULL;
		if (str_equal(prefix, "/"))
			return SNAPSHOT_FOUND_NOTHING;
		*strrchr(prefix, '/') = '\0';
		if (!prefix[0])
			strcpy(prefix, "/");
	}
}

/* nfsd_handle_fh(), the number alone; each client's own are settled first, as snapshot.h says. */
static const struct entry *model_number(const struct model *model, unsigned int domain,
					uint32_t fsid)
{
	const struct entry *found = NULL, *entry = NULL;

	while ((entry = next_entry(model, domain, entry))) {
		if (entry->handler || !(entry->flags & EXPORT_FSID) || entry->fsid != fsid)
			continue;
		if (!found || (found->flags & EXPORT_V4ROOT && !(entry->flags & EXPORT_V4ROOT)) ||
		    (found->flags & EXPORT_CROSSMOUNT && below(entry->path, found->path)))
			found = entry;
	}
	return found;
}

static bool same_entry(const struct model *model, struct snapshot *snapshot,
		       const struct entry *entry, const struct snapshot_export *export)
{
	if (!entry || !export)
		return !entry && !export;
	if (export->client && !str_equal(clients[entry->client].name, export->client->name))
		return false;
	if (entry->handler) {
		const struct snapshot_rule *rule = snapshot_rule_of(snapshot, export);

		return rule && str_equal(rule->pattern, entry->path);
	}
	return str_equal(entry->path, export->path) &&
	       !(entry->flags & EXPORT_V4ROOT) == !(export->options->flags & EXPORT_V4ROOT) &&
	       !(entry->flags & EXPORT_V4ROOT) == (export->client != NULL);
}

static bool same_match(const struct model *model, struct snapshot *snapshot,
		       const struct entry *entry, const struct snapshot_match *match)
{
	if (!entry || !match->export)
		return !entry && !match->export && !match->real;
	return same_entry(model, snapshot, entry, match->export) &&
	       str_equal(clients[entry->client].name, match->real->client->name) &&
	       entry->real == match->real->order;
}

static void domain_text(unsigned int domain, char *text)
{
	text[0] = '\0';
	for (size_t i = 0; i < N_ELEMENTS(clients); i++)
		if (domain >> i & 1)
			strcat(strcat(text, text[0] ? "," : ""), clients[i].name);
}

static bool check_one(const struct model *model, struct snapshot *snapshot, unsigned int domain,
		      const char *path)
{
	const struct entry *entry;
	struct snapshot_match match;
	char text[128], medium[40];
	const struct snapshot_client_set *set;
	enum snapshot_found found, wanted;
	const struct entry *owner = model_owner(model, path, medium);
	size_t length = 0;
	bool good;

	domain_text(domain, text);
	set = snapshot_client_set(snapshot, text);
	wanted = model_find(model, domain, path, &entry);
	found = snapshot_find(snapshot, set, path, &match);
	good = found == wanted && same_match(model, snapshot, entry, &match);
	if (!good)
		printf("#   %s for %s: got %s %s, wanted %s %s\n", path, text, found_words[found],
		       match.export ? match.export->path : "", found_words[wanted],
		       entry ? entry->path : "");
	if (good && match.rule)
		good = owner && str_equal(match.rule->pattern, owner->path) &&
		       match.medium_length == strlen(medium);
	if (good && (snapshot_rule_for_path(snapshot, path, &length) == NULL) != (owner == NULL))
		good = false;
	if (good && owner)
		good = length == strlen(medium);

	wanted = model_mount(model, domain, path, &entry);
	found = snapshot_find_mount(snapshot, set, path, &match);
	if (found != wanted || !same_match(model, snapshot, entry, &match)) {
		printf("#   mount %s for %s: got %s %s, wanted %s %s\n", path, text,
		       found_words[found], match.export ? match.export->path : "",
		       found_words[wanted], entry ? entry->path : "");
		good = false;
	}
	return good;
}

/* Several paths with one number for one client are left to the table. */
static bool check_number(const struct model *model, struct snapshot *snapshot, unsigned int domain,
			 uint32_t fsid)
{
	char text[128];
	const struct snapshot_export *export;
	const struct entry *wanted = model_number(model, domain, fsid);

	for (size_t client = 0; client < N_ELEMENTS(clients); client++) {
		unsigned int n = 0;

		for (size_t i = 0; i < model->n; i++)
			n += model->entries[i].client == client &&
			     model->entries[i].flags & EXPORT_FSID &&
			     model->entries[i].fsid == fsid;
		if (n > 1)
			return true;
	}
	domain_text(domain, text);
	export = snapshot_find_fsid(snapshot, snapshot_client_set(snapshot, text), fsid);
	if (same_entry(model, snapshot, wanted, export))
		return true;
	printf("#   fsid %u for %s: got %s, wanted %s\n", fsid, text,
	       export ? export->path : "none", wanted ? wanted->path : "none");
	return false;
}

static void test_model(void)
{
	static struct model model;
	unsigned int wrong = 0, n_found[N_ELEMENTS(found_words)] = { 0 };

	for (unsigned int i = 0; i < 400 && !wrong; i++) {
		struct snapshot *snapshot;

		random_model(&model);
		snapshot = made(model.text);
		for (unsigned int k = 0; k < 100; k++) {
			unsigned int domain = tap_random() & tap_random() & 0x3ff;
			const struct entry *entry;
			char path[40];

			random_path(path, 5);
			wrong += !check_one(&model, snapshot, domain, path);
			wrong += !check_number(&model, snapshot, domain, k % 4);
			n_found[model_find(&model, domain, path, &entry)]++;
		}
		if (wrong)
			printf("# with:\n%s", model.text);
		snapshot_free(snapshot);
	}
	is_int(wrong, 0, "random exports, clients and paths: the same choice as the model's");
	for (size_t i = 0; i < N_ELEMENTS(n_found); i++)
		ok(n_found[i] > 100, "which was '%s' %u times", found_words[i], n_found[i]);
}

int main(void)
{
	test_plain();
	test_root();
	test_rules();
	test_overlaps();
	test_without_pseudo();
	test_pseudo_roots();
	test_model();
	return tap_done();
}
