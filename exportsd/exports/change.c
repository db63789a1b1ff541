/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * change.c - gathering and choosing items.
 *
 * The source holds, one kind behind the other: the pairs of the command line, what was added at run
 * time before, the files' items, those of etab, and copies of what is in force in the order of
 * etab. An item of a later kind gives way to an earlier one with the same path and client where
 * nfs-utils lets it.
 *
 * Sources: nfs-utils utils/exportfs/exportfs.c, support/export/export.c export_find(),
 * support/export/xtab.c.
 */

#include "exportsd/exports/change.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>

#include "exportsd/base/address.h"
#include "exportsd/exports/etab_file.h"
#include "parser/etab.h"

enum { NO_PAIR = SIZE_MAX };

/* ---- what is asked for ---- */

int change_new(struct exports_change **ret_change, enum change_kind kind)
{
	struct exports_change *change = calloc(1, sizeof(*change));

	if (!change)
		return -ENOMEM;
	change->kind = kind;
	*ret_change = change;
	return 0;
}

struct exports_change *change_free(struct exports_change *change)
{
	if (!change)
		return NULL;
	for (size_t i = 0; i < change->n_pairs; i++) {
		free(change->pairs[i].client);
		free(change->pairs[i].path);
	}
	free(change->pairs);
	free(change->options);
	free(change);
	return NULL;
}

/* @path: as it is written on the command line, but for slashes at its end */
static bool is_same_path(const char *real, const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	return strlen(real) == length && memcmp(real, path, length) == 0;
}

bool change_names_path(const struct exports_change *change, const char *path)
{
	for (size_t i = 0; i < change->n_pairs; i++)
		if (is_same_path(path, change->pairs[i].path))
			return true;
	return change->n_pairs == 0;
}

/* exportfs_ipv6(): brackets with a colon between them; behind them there may be a prefix length. */
static bool split_bracketed(const char *argument, char *client, const char **ret_path)
{
	const char *close = strchr(argument, ']'), *path;
	size_t length;

	if (!close || !memchr(argument, ':', (size_t)(close - argument)))
		return false;
	path = strstr(close, ":/");
	if (!path)
		return false;
	length = (size_t)(close - argument) - 1;
	memcpy(client, argument + 1, length);
	memcpy(client + length, close + 1, (size_t)(path - close) - 1);
	client[length + (size_t)(path - close) - 1] = '\0';
	*ret_path = path + 1;
	return true;
}

static bool is_bracketed(const char *argument)
{
	const char *close = strchr(argument, ']');

	return argument[0] == '[' &&
	       (!close || memchr(argument, ':', (size_t)(close - argument)) != NULL);
}

static bool split_argument(const char *argument, char *client, const char **ret_path)
{
	const char *colon = strchr(argument, ':');

	if (is_bracketed(argument))
		return split_bracketed(argument, client, ret_path);
	if (!colon || colon[1] != '/')
		return false;
	memcpy(client, argument, (size_t)(colon - argument));
	client[colon - argument] = '\0';
	*ret_path = colon + 1;
	return true;
}

int change_add_pair(struct exports_change *change, const char *argument)
{
	CLEANUP(freep) char *client = malloc(strlen(argument) + 1);
	struct exports_change_pair *pairs, pair;
	const char *path;

	if (!client)
		return -ENOMEM;
	if (!split_argument(argument, client, &path))
		return CHANGE_INVALID;
	if (change->n_pairs >= CHANGE_PAIRS_MAX)
		return -E2BIG;
	pairs = reallocarray(change->pairs, change->n_pairs + 1, sizeof(*pairs));
	if (!pairs)
		return -ENOMEM;
	change->pairs = pairs;
	pair = (struct exports_change_pair){ .path = strdup(path) };
	if (!pair.path)
		return -ENOMEM;
	pair.client = TAKE_PTR(client);
	pairs[change->n_pairs++] = pair;
	return 0;
}

/* It is in no file. */
static void at_run_time(struct export_item *item)
{
	item->file = exports_at_run_time;
	item->line = item->column = 0;
}

/* ---- who and where ---- */

struct choosing {
	struct exports_change_work *work;
	const struct snapshot_facts *facts;
	struct exports_source *source;
	const struct export_item *pairs, *added, *files, *etab, *in_force; /* within it */
	struct export_item *chosen;
	size_t n_chosen, n_room;
	bool *is_done; /* of the pairs */
	FILE *said;
};

/* A client as etab names it; a host with its addresses, perhaps none. */
struct who {
	const char *name;
	const struct address *addresses;
	size_t n_addresses;
	struct address only; /* if there is one */
};

static void who_is(const struct choosing *choosing, const struct client_spec *client,
		   struct who *ret_who)
{
	const struct snapshot_facts *facts = choosing->facts;
	const char *canonical;

	*ret_who = (struct who){ .name = client->type == CLIENT_ANONYMOUS ? "*" : client->text };
	if (client->type != CLIENT_HOST || !facts->host(facts->userdata, client->text, &canonical,
							&ret_who->addresses, &ret_who->n_addresses))
		return;
	ret_who->name = canonical;
	/* Of a host that is written as an address it lives only until the next one is asked for. */
	if (ret_who->n_addresses == 1) {
		ret_who->only = ret_who->addresses[0];
		ret_who->addresses = &ret_who->only;
	}
}

static const char *where_is(const struct choosing *choosing, const struct export_item *item)
{
	const struct snapshot_facts *facts = choosing->facts;

	return (item->pattern ? NULL : facts->real_path(facts->userdata, item->path)) ?: item->path;
}

static bool have_common_address(const struct who *a, const struct who *b)
{
	for (size_t i = 0; i < a->n_addresses; i++)
		for (size_t j = 0; j < b->n_addresses; j++)
			if (address_equal(&a->addresses[i], &b->addresses[j]))
				return true;
	return false;
}

/* unexportfs_parsed(), matchhostname() */
static bool is_same_client(const struct choosing *choosing, const struct client_spec *a,
			   const struct client_spec *b)
{
	struct who who_a, who_b;

	if (a->type != b->type)
		return false;
	if (a->type != CLIENT_HOST)
		return a->type == CLIENT_ANONYMOUS || strcasecmp(a->text, b->text) == 0;
	if (strcasecmp(a->text, b->text) == 0)
		return true;
	who_is(choosing, a, &who_a);
	who_is(choosing, b, &who_b);
	return strcasecmp(who_a.name, who_b.name) == 0 || have_common_address(&who_a, &who_b);
}

static ssize_t find_in_force(const struct choosing *choosing, const struct export_item *item)
{
	struct who who;

	if (!choosing->work->in_force)
		return -ENOENT;
	who_is(choosing, item->client, &who);
	return snapshot_listed(choosing->work->in_force, where_is(choosing, item), item->pattern,
			       who.name);
}

/* ---- choosing ---- */

static int choose(struct choosing *choosing, const struct export_item *item, bool gives_way)
{
	if (choosing->n_chosen == choosing->n_room) {
		size_t room = choosing->n_room ? 2 * choosing->n_room : 64;
		struct export_item *larger = reallocarray(choosing->chosen, room, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		choosing->chosen = larger;
		choosing->n_room = room;
	}
	choosing->chosen[choosing->n_chosen] = *item;
	choosing->chosen[choosing->n_chosen++].gives_way = gives_way;
	return 0;
}

static int choose_all(struct choosing *choosing, const struct export_item *items, size_t n,
		      bool gives_way)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = choose(choosing, &items[i], gives_way);
	return r;
}

/* What is in force and in no file is known nowhere else. */
static int choose_unfiled(struct choosing *choosing)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < choosing->work->n_in_force; i++) {
		struct export_item item = choosing->in_force[i];

		at_run_time(&item);
		r = choose(choosing, &item, true);
	}
	return r;
}

static int choose_at_start(struct choosing *choosing)
{
	const struct exports_change_work *work = choosing->work;
	int r = choose_all(choosing, choosing->added, work->n_added, false);

	for (size_t i = 0; r == 0 && i < work->n_files; i++) {
		const struct export_item *item = &choosing->files[i];
		struct who who;

		who_is(choosing, item->client, &who);
		if (!runtime_is_removed(work->runtime, where_is(choosing, item), item->pattern,
					who.name))
			r = choose(choosing, item, work->n_added > 0);
	}
	return r < 0 ? r : choose_all(choosing, choosing->etab, work->n_etab, true);
}

/* ---- exporting ---- */

/*
 * export_find() asks whether the host is one of the client's. A netgroup is not looked into here.
 */
static bool holds_host(const struct choosing *choosing, const struct client_spec *client,
		       const struct client_spec *host)
{
	struct client_subnet subnet;
	struct who who;

	who_is(choosing, host, &who);
	switch (client->type) {
	case CLIENT_HOST: return is_same_client(choosing, client, host);
	case CLIENT_SUBNET:
		subnet = client_subnet(client);
		for (size_t i = 0; i < who.n_addresses; i++)
			if (client_subnet_holds(&subnet, &who.addresses[i]))
				return true;
		return false;
	case CLIENT_WILDCARD: return client_name_matches(client->text, who.name);
	case CLIENT_ANONYMOUS: return true;
	default: return false;
	}
}

/* The files' entry whose options a pair that they have not gets: the first by type of client. */
static const struct export_item *base_of(const struct choosing *choosing,
					 const struct export_item *pair, const char *path)
{
	const struct export_item *best = NULL;

	if (pair->client->type != CLIENT_HOST)
		return NULL;
	for (size_t i = 0; i < choosing->work->n_files; i++) {
		const struct export_item *item = &choosing->files[i];

		if ((!best || item->client->type < best->client->type) &&
		    is_same_path(where_is(choosing, item), path) &&
		    holds_host(choosing, item->client, pair->client))
			best = item;
	}
	return best;
}

static void say(struct choosing *choosing, const char *verb, const struct export_item *item)
{
	struct who who;

	who_is(choosing, item->client, &who);
	fprintf(choosing->said, "%s %s:%s\n", verb, who.name, where_is(choosing, item));
}

/*
 * @filed: the files' entry, or NULL
 */
static int export_pair(struct choosing *choosing, size_t number, const struct export_item *filed)
{
	const struct exports_change *change = choosing->work->change;
	const struct export_item *pair = &choosing->pairs[number];
	const struct exports_change_pair *written =
		&change->pairs[choosing->work->pair_of_item[number]];
	const struct export_item *base = filed ?: base_of(choosing, pair, written->path);
	struct exports_source *one;
	struct export_item item;
	int r;

	choosing->is_done[number] = true;
	if (filed && !change->options) {
		say(choosing, "exporting", filed);
		return choose(choosing, filed, false);
	}
	r = exports_read_argument(written->client, written->path, change->options, base,
				  choosing->work->diags, &one);
	if (r < 0)
		return r;
	if (one->n_items == 0) {
		exports_source_free(one);
		return 0;
	}
	item = one->items[0];
	at_run_time(&item);
	/* Only its memory: its item is among the chosen. */
	one->n_items = 0;
	r = exports_source_append(choosing->source, one);
	if (r < 0)
		return r;
	say(choosing, "exporting", &item);
	return choose(choosing, &item, false);
}

static ssize_t pair_of(const struct choosing *choosing, const struct export_item *item)
{
	const struct exports_change_work *work = choosing->work;
	const char *real = where_is(choosing, item);

	for (size_t i = 0; i < work->n_pairs; i++) {
		const struct exports_change_pair *pair =
			&work->change->pairs[work->pair_of_item[i]];

		if (is_same_path(real, pair->path) &&
		    is_same_client(choosing, choosing->pairs[i].client, item->client))
			return (ssize_t)i;
	}
	return -ENOENT;
}

/*
 * Of the files' entries those that are exported already, and the pairs: with what options the files
 * give now. What is in force beside them stays. Faulty files only give the pairs their options.
 */
static int choose_exports(struct choosing *choosing)
{
	const struct exports_change_work *work = choosing->work;
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->n_files; i++) {
		const struct export_item *item = &choosing->files[i];
		ssize_t pair = pair_of(choosing, item);

		if (pair >= 0 && !choosing->is_done[pair])
			r = export_pair(choosing, (size_t)pair, item);
		else if (!work->has_faulty_files && find_in_force(choosing, item) >= 0)
			r = choose(choosing, item, false);
	}
	for (size_t i = 0; r == 0 && i < work->n_pairs; i++)
		if (!choosing->is_done[i])
			r = export_pair(choosing, i, NULL);
	if (r < 0)
		return r;
	return work->has_faulty_files || work->change->ignore_files
		       ? choose_all(choosing, choosing->in_force, work->n_in_force, true)
		       : choose_unfiled(choosing);
}

/* ---- taking back ---- */

static bool is_unresolved(const struct choosing *choosing, const struct export_item *item)
{
	struct who who;

	if (item->client->type != CLIENT_HOST)
		return false;
	who_is(choosing, item->client, &who);
	return who.n_addresses == 0;
}

static void tell_not_found(struct choosing *choosing)
{
	const struct exports_change_work *work = choosing->work;
	const struct position nowhere = { .file = "" };

	for (size_t i = 0; i < work->n_pairs; i++) {
		struct who who;

		who_is(choosing, choosing->pairs[i].client, &who);
		if (!choosing->is_done[i])
			diag_add(work->diags, DIAG_MISTAKE, &nowhere,
				 "Could not find '%s:%s' to unexport.", who.name,
				 work->change->pairs[work->pair_of_item[i]].path);
	}
}

/*
 * A host that does not resolve is taken back, too; but nfs-utils would never have had it, and not
 * find it.
 */
static int choose_not_taken_back(struct choosing *choosing)
{
	const struct exports_change_work *work = choosing->work;
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->n_in_force; i++) {
		const struct export_item *item = &choosing->in_force[i];
		ssize_t pair = pair_of(choosing, item);

		if (pair < 0) {
			r = choose(choosing, item, false);
		} else if (!is_unresolved(choosing, item)) {
			choosing->is_done[pair] = true;
			say(choosing, "unexporting", item);
		}
	}
	tell_not_found(choosing);
	return r;
}

/* ---- what another program wrote ---- */

static bool print_options(const struct export_item *item, char **ret_text)
{
	size_t size;
	FILE *to = open_memstream(ret_text, &size);

	if (!to)
		return false;
	export_print_options(to, item->options, item->fsid, EXPORT_PER_FLAVOR);
	return fclose(to) == 0;
}

/* Do both stand in etab alike? */
static bool are_same_options(const struct export_item *a, const struct export_item *b)
{
	CLEANUP(freep) char *text_a = NULL;
	CLEANUP(freep) char *text_b = NULL;

	return print_options(a, &text_a) && print_options(b, &text_b) && str_equal(text_a, text_b);
}

/* What was in force before, and is still, keeps the place in the files where it is from. */
static int choose_etab(struct choosing *choosing)
{
	const struct exports_change_work *work = choosing->work;
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->n_etab; i++) {
		const struct export_item *item = &choosing->etab[i];
		ssize_t known = find_in_force(choosing, item);

		if (known >= 0 && are_same_options(&choosing->in_force[known], item))
			item = &choosing->in_force[known];
		r = choose(choosing, item, true);
	}
	/* A rule, or a host that does not resolve: etab never had it. */
	for (size_t i = 0; r == 0 && i < work->n_in_force; i++)
		if (choosing->in_force[i].pattern ||
		    is_unresolved(choosing, &choosing->in_force[i]))
			r = choose(choosing, &choosing->in_force[i], true);
	return r;
}

/* ---- the kinds ---- */

static int choose_nothing(struct choosing *choosing)
{
	return 0;
}

static int choose_in_force(struct choosing *choosing)
{
	return choose_all(choosing, choosing->in_force, choosing->work->n_in_force, true);
}

static int choose_files_too(struct choosing *choosing)
{
	int r = choose_all(choosing, choosing->files, choosing->work->n_files, false);

	return r < 0 ? r : choose_unfiled(choosing);
}

enum {
	READS_ADDED = 1, /* what was added at run time before */
	READS_FILES = 2,
	READS_ETAB = 4,
	READS_IN_FORCE = 8,
	IN_ETAB_ORDER = 16, /* what is in force, else in that of the snapshot */
};

static const struct {
	const char *word; /* change_word() */
	bool refuses_faults;
	unsigned int reads;
	int (*choose)(struct choosing *choosing); /* NULL: all there is */
} kinds[] = {
	[CHANGE_START] = { NULL, false, READS_ADDED | READS_FILES | READS_ETAB, choose_at_start },
	[CHANGE_NAMES] = { NULL, false, READS_IN_FORCE, choose_in_force },
	[CHANGE_FILES] = { "reexport", true, READS_FILES, NULL },
	[CHANGE_FILES_TOO] = { "export-all", true, READS_FILES | READS_IN_FORCE | IN_ETAB_ORDER,
			       choose_files_too },
	[CHANGE_EXPORT] = { "export", false, READS_FILES | READS_IN_FORCE | IN_ETAB_ORDER,
			    choose_exports },
	[CHANGE_UNEXPORT] = { "unexport", false, READS_IN_FORCE | IN_ETAB_ORDER,
			      choose_not_taken_back },
	[CHANGE_UNEXPORT_ALL] = { "unexport-all", false, 0, choose_nothing },
	[CHANGE_ETAB] = { NULL, false, READS_ETAB | READS_IN_FORCE, choose_etab },
};

const char *change_word(enum change_kind kind)
{
	return kinds[kind].word;
}

bool change_kind_of(const char *word, enum change_kind *ret_kind)
{
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if (kinds[i].word && str_equal(kinds[i].word, word)) {
			*ret_kind = (enum change_kind)i;
			return true;
		}
	return false;
}

bool change_takes_faults(const struct exports_change *change)
{
	return !kinds[change->kind].refuses_faults;
}

/* ---- gathering ---- */

static int append(struct exports_source **source, struct exports_source *more, size_t *n)
{
	*n += more->n_items;
	if (*source)
		return exports_source_append(*source, more);
	*source = more;
	return 0;
}

static int read_pairs(struct exports_change_work *work, struct exports_source **source)
{
	const struct exports_change *change = work->change;

	work->pair_of_item = calloc(change->n_pairs + 1, sizeof(*work->pair_of_item));
	if (!work->pair_of_item)
		return -ENOMEM;
	for (size_t i = 0; i < change->n_pairs; i++) {
		const struct exports_change_pair *pair = &change->pairs[i];
		struct exports_source *one;
		int r = exports_read_argument(pair->client, pair->path, NULL, NULL, work->diags,
					      &one);

		if (r == 0) {
			work->pair_of_item[work->n_pairs] = i;
			r = append(source, one, &work->n_pairs);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* The items of a text that no file holds. */
static int read_unfiled(struct exports_change_work *work, const char *name, const char *text,
			struct exports_source **source, size_t *n)
{
	struct exports_source *more;
	int r = exports_read_etab(name, text, strlen(text), work->diags, &more);

	for (size_t i = 0; r == 0 && i < more->n_items; i++)
		at_run_time((struct export_item *)&more->items[i]);
	return r < 0 ? r : append(source, more, n);
}

static size_t count(char *const *strings)
{
	size_t n = 0;

	while (strings[n])
		n++;
	return n;
}

static int read_files(struct exports_change_work *work, struct exports_source **source)
{
	const struct config *config = work->config;
	size_t n_errors = work->diags->n_errors;
	struct exports_source *more;
	int r = exports_read_files((const char *const *)config->exports_files,
				   count(config->exports_files),
				   (const char *const *)config->exports_directories,
				   count(config->exports_directories), work->diags, &more);

	if (r < 0)
		return r;
	work->has_faulty_files = work->diags->n_errors != n_errors;
	return append(source, more, &work->n_files);
}

/* Other programs' file keeps nobody from starting. */
static void tell_unread(struct exports_change_work *work, int error)
{
	const struct position at = { .file = work->config->nfs_state_directory };

	diag_add(work->diags, DIAG_WARNING, &at,
		 "etab there cannot be read: %s; what other programs wrote into it is not exported",
		 strerrordesc_np(-error));
}

static int read_etab(struct exports_change_work *work, struct exports_source **source)
{
	CLEANUP(freep) char *text = NULL;
	struct file_version version;
	int r = etab_file_read(work->config->nfs_state_directory, &text, &version);

	if (r < 0 && r != -ENOMEM && work->change->kind == CHANGE_START) {
		if (r != -ENOENT)
			tell_unread(work, r);
		return 0;
	}
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (work->change->kind == CHANGE_START && runtime_knows_etab(work->runtime, &version))
		return 0;
	work->has_read_etab = true;
	work->etab = version;
	return read_unfiled(work, work->config->nfs_state_directory, text, source, &work->n_etab);
}

/* In the order of etab, or of the snapshot. */
static int copy_in_force(struct exports_change_work *work, bool ordered,
			 struct exports_source **source)
{
	size_t n = work->in_force ? snapshot_n_exports(work->in_force) : 0;
	CLEANUP(freep) size_t *indices = calloc(n ? n : 1, sizeof(*indices));
	struct exports_source *more;
	int r = indices ? 0 : -ENOMEM;

	if (r < 0 || n == 0)
		return r;
	if (ordered)
		r = etab_order(work->in_force, indices, NULL);
	for (size_t i = 0; !ordered && i < n; i++)
		indices[i] = i;
	if (r == 0)
		r = snapshot_copy_items(work->in_force, indices, n, &more);
	return r < 0 ? r : append(source, more, &work->n_in_force);
}

static int gather(struct exports_change_work *work, struct exports_source **source)
{
	const struct exports_change *change = work->change;
	unsigned int reads = kinds[change->kind].reads;
	int r = read_pairs(work, source);

	if (change->ignore_files)
		reads &= ~READS_FILES;
	if (r == 0 && reads & READS_ADDED)
		r = read_unfiled(work, "run-time-exports", runtime_added(work->runtime), source,
				 &work->n_added);
	if (r == 0 && reads & READS_FILES)
		r = read_files(work, source);
	if (r == 0 && reads & READS_ETAB)
		r = read_etab(work, source);
	if (r == 0 && reads & READS_IN_FORCE)
		r = copy_in_force(work, reads & IN_ETAB_ORDER && !work->is_in_etab_order, source);
	return r;
}

int change_read(struct exports_change_work *work, struct exports_source **ret_source)
{
	struct exports_source *source = NULL;
	int r = gather(work, &source);

	if (r == 0 && !source)
		r = exports_read_text("", "", 0, work->diags, &source);
	if (r < 0) {
		exports_source_free(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

int change_choose(struct exports_change_work *work, const struct snapshot_facts *facts,
		  struct exports_source *source)
{
	struct choosing choosing = { .work = work, .facts = facts, .source = source };
	int r = -ENOMEM;

	if (!kinds[work->change->kind].choose)
		return 0;
	choosing.pairs = source->items;
	choosing.added = choosing.pairs + work->n_pairs;
	choosing.files = choosing.added + work->n_added;
	choosing.etab = choosing.files + work->n_files;
	choosing.in_force = choosing.etab + work->n_etab;
	choosing.is_done = calloc(work->n_pairs + 1, sizeof(*choosing.is_done));
	free(TAKE_PTR(work->said));
	choosing.said = open_memstream(&work->said, &work->said_size);
	if (choosing.is_done && choosing.said)
		r = kinds[work->change->kind].choose(&choosing);
	if (choosing.said && fclose(choosing.said) != 0)
		r = -ENOMEM;
	if (r == 0)
		r = exports_source_choose(source, choosing.chosen, choosing.n_chosen);
	free(choosing.chosen);
	free(choosing.is_done);
	return r;
}

static int say_all(const struct snapshot *snapshot, FILE *to)
{
	size_t n = snapshot_n_exports(snapshot);
	CLEANUP(freep) size_t *indices = calloc(n ? n : 1, sizeof(*indices));
	int r = indices ? etab_order(snapshot, indices, NULL) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct snapshot_export *export = snapshot_export(snapshot, indices[i]);
		const struct snapshot_rule *rule = snapshot_rule_of(snapshot, export);

		if (!str_equal(snapshot_as_written(snapshot, export).at.file, exports_at_run_time))
			fprintf(to, "exporting %s:%s\n", export->client->name,
				rule ? rule->text : export->path);
	}
	return r;
}

int change_say(struct exports_change_work *work, const struct snapshot *snapshot)
{
	FILE *to;
	int r;

	if (!work->change->is_verbose || !kinds[work->change->kind].refuses_faults)
		return 0;
	free(TAKE_PTR(work->said));
	to = open_memstream(&work->said, &work->said_size);
	if (!to)
		return -ENOMEM;
	r = say_all(snapshot, to);
	return fclose(to) == 0 ? r : -ENOMEM;
}

void change_work_done(struct exports_change_work *work)
{
	free(work->said);
	free(work->pair_of_item);
	work->said = NULL;
	work->pair_of_item = NULL;
	work->n_pairs = work->n_added = work->n_files = work->n_etab = work->n_in_force = 0;
	work->has_faulty_files = work->has_read_etab = false;
}
