/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a line costs in memory while its exports are in force: what was read, the snapshot and all its indices, as malloc
 * counts. Each line has a path, a number and a client of its own, of whatever kind: no line may cost
 * more because the clients are many, lie deep, or are called one thing in the file and another in DNS.
 */

#include <arpa/inet.h>
#include <malloc.h>

#include "parser/snapshot/snapshot.h"
#include "tests/tap.h"

enum { N_LINES = 30000, BYTES_MAX = 400 };

static size_t bytes_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Not with the malloc of a sanitizer or of valgrind. */
static bool malloc_counts(void)
{
	size_t before = bytes_in_use();
	char *volatile block = malloc(1000);
	bool counts = bytes_in_use() - before >= 1000;

	free(block);
	return counts;
}

/* ---- the file system and the name service ---- */

static const char *real_path(void *userdata, const char *path)
{
	return path;
}

static struct snapshot_seen seen(void *userdata, const char *path)
{
	ino_t *last = userdata;

	return (struct snapshot_seen){ .device = 0x801, .inode = ++*last };
}

/* host17.example.test is called so; short17 is called short17.example.test. */
static bool host(void *userdata, const char *name, const char **ret_canonical,
		 const struct address **ret_addresses, size_t *ret_n_addresses)
{
	static struct address address;
	static char canonical[64];
	unsigned int i;

	snprintf(canonical, sizeof(canonical), "%s", name);
	if (sscanf(name, "host%u.", &i) == 1 || sscanf(name, "short%u", &i) == 1) {
		address = (struct address){ .family = AF_INET, .v4.s_addr = htonl(0x0a000000 + i) };
		if (!strchr(name, '.'))
			snprintf(canonical, sizeof(canonical), "%s.example.test", name);
	} else if (strchr(name, ':')) {
		address = (struct address){ .family = AF_INET6 };
		inet_pton(AF_INET6, name, &address.v6);
	} else {
		address = (struct address){ .family = AF_INET };
		inet_pton(AF_INET, name, &address.v4);
	}
	*ret_canonical = canonical;
	*ret_addresses = &address;
	*ret_n_addresses = 1;
	return true;
}

/* ---- the files ---- */

static void address_of(size_t i, char *text)
{
	sprintf(text, "10.%zu.%zu.%zu", i >> 16, i >> 8 & 255, i & 255);
}

static void address6_of(size_t i, char *text)
{
	sprintf(text, "2001:db8:17:4::%zx:%zx", 1 + (i >> 8), i & 255);
}

static void subnet_of(size_t i, char *text)
{
	address_of(i, text);
	strcat(text, "/32");
}

static void subnet6_of(size_t i, char *text)
{
	address6_of(i, text);
	strcat(text, "/128");
}

static void name_of(size_t i, char *text)
{
	sprintf(text, "host%zu.example.test", i);
}

static void alias_of(size_t i, char *text)
{
	sprintf(text, "short%zu", i);
}

static void netgroup_of(size_t i, char *text)
{
	sprintf(text, "@group%zu", i);
}

static void shared(size_t i, char *text)
{
	strcpy(text, "192.0.2.0/24");
}

static const struct {
	const char *what;
	void (*client)(size_t i, char *text);
	const char *directory;
} kinds[] = {
	{ "a client for all", shared, "/srv/export" },
	{ "an address a line", address_of, "/srv/export" },
	{ "an IPv6 address a line", address6_of, "/srv/export" },
	{ "a /32 a line", subnet_of, "/srv/export" },
	{ "a /128 a line", subnet6_of, "/srv/export" },
	{ "a host name a line", name_of, "/srv/export" },
	{ "a host name a line, with another in DNS", alias_of, "/srv/export" },
	{ "a netgroup a line", netgroup_of, "/srv/export" },
	{ "an address a line, deep below", address_of, "/srv/a/b/c/d/e/f/g" },
};

static char *text_of(void (*client)(size_t i, char *text), const char *directory)
{
	char *text = NULL, name[64];
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		abort();
	for (size_t i = 0; i < N_LINES; i++) {
		client(i, name);
		fprintf(to, "%s/d%06zu %s(rw,fsid=%zu)\n", directory, i, name, 1000 + i);
	}
	fclose(to);
	return text;
}

static struct snapshot *made(const char *text)
{
	ino_t last_inode = 1000;
	struct snapshot_facts facts = {
		.userdata = &last_inode, .real_path = real_path, .seen = seen, .host = host
	};
	struct diags diags = { 0 };
	struct exports_source *source;
	struct snapshot *snapshot;

	if (exports_read_text("exports", text, strlen(text), &diags, &source) != 0 ||
	    snapshot_new(source, &facts, false, &diags, &snapshot) != 0 || diags.n_items)
		abort();
	return snapshot;
}

int main(void)
{
	bool counts = malloc_counts();

	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		char *text = text_of(kinds[i].client, kinds[i].directory);
		size_t before = bytes_in_use(), bytes;
		struct snapshot *snapshot = made(text);

		bytes = (bytes_in_use() - before) / N_LINES;
		ok(snapshot_n_exports(snapshot) == N_LINES, "%s: all are exported", kinds[i].what);
		if (counts)
			ok(bytes > 100 && bytes < BYTES_MAX, "%s: %zu bytes, less than %d",
			   kinds[i].what, bytes, BYTES_MAX);
		else
			ok(true, "%s # SKIP this malloc does not count", kinds[i].what);
		snapshot_free(snapshot);
		free(text);
	}
	return tap_done();
}
