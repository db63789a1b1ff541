/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * loading.c - reading, listing what must be asked, building.
 */

#include "exportsd/exports/loading.h"

#include <errno.h>

#include "exportsd/base/address.h"
#include "exportsd/kernel/tls.h"

/* nfs-utils: pseudo-roots offer Kerberos where the server has a key. */
static const char keytab[] = "/etc/krb5.keytab";

/* ---- facts ---- */

void facts_clear(struct exports_fact **facts)
{
	struct exports_fact *fact, *next;

	HASH_ITER (hh, *facts, fact, next) {
		HASH_DEL(*facts, fact);
		free(fact->text);
		free(fact->answer);
		free(fact->addresses);
		free(fact);
	}
}

struct exports_fact *facts_find(struct exports_fact *facts, const char *text)
{
	struct exports_fact *fact;

	HASH_FIND_STR(facts, text, fact);
	return fact;
}

struct exports_fact *facts_add(struct exports_fact **facts, const char *text)
{
	struct exports_fact *fact = facts_find(*facts, text);

	if (fact)
		return fact;
	fact = calloc(1, sizeof(*fact));
	if (!fact)
		return NULL;
	fact->text = strdup(text);
	if (fact->text)
		HASH_ADD_KEYPTR(hh, *facts, fact->text, strlen(fact->text), fact);
	if (!fact->text || !fact->hh.tbl) {
		free(fact->text);
		free(fact);
		return NULL;
	}
	return fact;
}

void fact_set(struct exports_fact *fact, const struct address *addresses, size_t n_addresses,
	      const char *answer)
{
	size_t size = n_addresses * sizeof(*addresses);

	if (size) {
		fact->addresses = malloc(size);
		if (!fact->addresses)
			return;
		memcpy(fact->addresses, addresses, size);
		fact->n_addresses = n_addresses;
	}
	fact->answer = answer ? strdup(answer) : NULL;
}

/* ---- reading ---- */

/* What media mount, and where, handlers are told as the host calls it. */
static void refuse_rule(struct loading *loading, const struct export_item *item)
{
	const struct position at = { .file = item->file,
				     .line = item->path_line,
				     .column = item->path_column };

	diag_add(&loading->diags, DIAG_ERROR, &at,
		 "a rule ('%s') and rootdir do not go together: leave rootdir out, or the rule",
		 item->path);
}

/* A line's clients have the path in common: one question for them. */
static int list_questions(struct loading *loading)
{
	const struct exports_source *source = loading->source;
	const char *path = NULL;

	loading->paths = calloc(source->n_items + 1, sizeof(*loading->paths));
	loading->seen = calloc(source->n_items + 1, sizeof(*loading->seen));
	loading->numbers = calloc(source->n_items + 1, sizeof(*loading->numbers));
	if (!loading->paths || !loading->seen || !loading->numbers)
		return -ENOMEM;
	for (size_t i = 0; i < source->n_items; i++) {
		const struct export_item *item = &source->items[i];
		struct address address;

		if (item->pattern && loading->config->rootdir)
			refuse_rule(loading, item);
		if (!item->pattern && (!path || !str_equal(item->path, path)))
			loading->paths[loading->n_paths++] = path = item->path;
		if (item->options->flags & EXPORT_FSID)
			loading->numbers[loading->n_numbers++] = item->fsid;
		if (item->client->type == CLIENT_HOST &&
		    !address_parse(item->client->text, &address) &&
		    !facts_add(&loading->hosts, item->client->text))
			return -ENOMEM;
	}
	return 0;
}

void loading_read(struct loading *loading)
{
	int r;

	loading->work = (struct exports_change_work){
		.change = loading->change,
		.config = loading->config,
		.in_force = loading->in_force,
		.runtime = loading->runtime,
		.diags = &loading->diags,
	};
	r = change_read(&loading->work, &loading->source);
	loading->error = r < 0 ? r : list_questions(loading);
}

/* ---- building ---- */

static const char *real_path(void *userdata, const char *path)
{
	struct loading *loading = userdata;
	struct exports_fact *fact = facts_find(loading->real_paths, path);

	return fact ? fact->answer : NULL;
}

static uint32_t hash_address(const char *text)
{
	return hash_done((uintptr_t)text);
}

/* The items' texts are the very ones that were asked about. */
static void index_texts(struct loading *loading)
{
	(void)index_reserve(&loading->places_of_texts, (uint32_t)loading->n_paths);
	for (size_t i = 0; i < loading->n_paths; i++)
		(void)index_add(&loading->places_of_texts, hash_address(loading->paths[i]),
				(uint32_t)i);
}

static struct snapshot_seen seen(void *userdata, const char *path)
{
	struct loading *loading = userdata;
	uint32_t hash = hash_address(path), position = 0, number;

	while ((number = index_next(&loading->places_of_texts, hash, &position)) != NOTHING)
		if (loading->paths[number] == path)
			return loading->seen[number];
	return (struct snapshot_seen){ 0 };
}

/* Along the items as list_questions() went. Without memory all paths are suspects: NULL. */
static struct suspects *find_suspects(const struct loading *loading)
{
	const struct exports_source *source = loading->source;
	struct suspects *suspects = suspects_new();
	const char *path = NULL;
	size_t n = 0;
	int r = suspects ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < source->n_items; i++) {
		const struct export_item *item = &source->items[i];
		const struct exports_fact *fact;

		if (item->pattern)
			continue;
		if (!path || !str_equal(item->path, path)) {
			path = item->path;
			n++;
		}
		if (suspects_knows(suspects, loading->seen[n - 1].device, item->options))
			continue;
		fact = facts_find(loading->real_paths, path);
		r = suspects_add(suspects, loading->seen[n - 1].device, fact ? fact->answer : path,
				 loading->change, item->options);
	}
	return r == 0 ? suspects : suspects_free(suspects);
}

static bool host(void *userdata, const char *name, const char **ret_canonical,
		 const struct address **ret_addresses, size_t *ret_n_addresses)
{
	struct loading *loading = userdata;
	struct exports_fact *fact;

	if (address_parse(name, &loading->address)) {
		*ret_canonical = name;
		*ret_addresses = &loading->address;
		*ret_n_addresses = 1;
		return true;
	}
	fact = facts_find(loading->hosts, name);
	if (!fact || !fact->n_addresses)
		return false;
	*ret_canonical = fact->answer ? fact->answer : fact->text;
	*ret_addresses = fact->addresses;
	*ret_n_addresses = fact->n_addresses;
	return true;
}

struct exports_number_owner *loading_owner(struct loading *loading, uint32_t number)
{
	struct exports_number_owner *owner;

	HASH_FIND(hh, loading->owners, &number, sizeof(number), owner);
	return owner;
}

int loading_add_owner(struct loading *loading, uint32_t number, const char *path)
{
	struct exports_number_owner *owner;

	if (loading_owner(loading, number))
		return 0;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return -ENOMEM;
	owner->number = number;
	owner->path = path;
	HASH_ADD(hh, loading->owners, number, sizeof(owner->number), owner);
	if (owner->hh.tbl)
		return 0;
	free(owner);
	return -ENOMEM;
}

static const char *owner_path(void *userdata, uint32_t number)
{
	struct exports_number_owner *owner = loading_owner(userdata, number);

	return owner ? owner->path : NULL;
}

/*
 * What commands and other programs change is never refused, so it can be noted before it is in
 * force.
 */
static int note_run_time(struct loading *loading)
{
	enum change_kind kind = loading->change->kind;

	if (kind != CHANGE_EXPORT && kind != CHANGE_UNEXPORT && kind != CHANGE_UNEXPORT_ALL &&
	    kind != CHANGE_ETAB)
		return 0;
	return runtime_note(loading->runtime, loading->in_force, loading->snapshot,
			    kind == CHANGE_UNEXPORT_ALL);
}

void loading_build(struct loading *loading)
{
	struct snapshot_facts facts = {
		.userdata = loading,
		.real_path = real_path,
		.seen = seen,
		.host = host,
		.number_owner = owner_path,
		.kerberos = access(keytab, F_OK) == 0,
	};

	int r;

	index_texts(loading);
	loading->suspects = find_suspects(loading);
	r = change_choose(&loading->work, &facts, loading->source);
	if (r == 0)
		r = snapshot_new(TAKE_PTR(loading->source), &facts, false, &loading->diags,
				 &loading->snapshot);
	if (r == 0)
		r = change_say(&loading->work, loading->snapshot);
	if (r == 0)
		r = note_run_time(loading);
	loading->changed = r == 0 && (!loading->in_force ||
				      !snapshot_equal(loading->in_force, loading->snapshot));
	loading->changed_etab =
		loading->changed ||
		(r == 0 && !snapshot_same_etab(loading->in_force, loading->snapshot));
	loading->wants_tls = r == 0 && tls_is_wanted(loading->snapshot);
	loading->error = r;
}

void loading_clear(struct loading *loading)
{
	struct exports_number_owner *owner, *next;

	HASH_ITER (hh, loading->owners, owner, next) {
		HASH_DEL(loading->owners, owner);
		free(owner);
	}
	facts_clear(&loading->real_paths);
	facts_clear(&loading->hosts);
	diags_done(&loading->diags);
	change_work_done(&loading->work);
	free(loading->paths);
	free(loading->seen);
	free(loading->places_of_texts.slots);
	free(loading->numbers);
	suspects_free(loading->suspects);
	exports_source_free(loading->source);
	snapshot_free(loading->snapshot);
	*loading = (struct loading){
		.config = loading->config,
		.change = loading->change,
		.runtime = loading->runtime,
	};
}
