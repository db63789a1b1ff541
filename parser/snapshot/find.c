/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * find.c - which export answers for a path, and which rule owns it.
 *
 * A path is walked once from "/" down, one probe a component. What exports and rules have to say
 * hangs on the places met on the way; a place is asked for a client by one probe, so
 * an answer costs depth plus the clients of the asker, whatever else is exported.
 *
 * lookup_export() keeps the first match in the order of client type and file and lets later
 * ones replace it: a real export a V4ROOT, the longer path the shorter (two matching paths differ
 * only if the shorter has crossmnt). Said without an order: the longest real one, of
 * equally long ones the first; else the first V4ROOT, and that has the very path. This is what
 * is looked for here; media come between the longest path and the rest, as snapshot.h says.
 *
 * Sources: nfs-utils support/export/cache.c lookup_export(), nfsd_handle_fh(); utils/mountd/auth.c
 * auth_authenticate().
 */

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stddef.h>

#include "parser/snapshot/private.h"

/* ---- probes ---- */

bool prefix_next(struct snapshot_prefix *prefix)
{
	const char *path = prefix->path;
	size_t at = prefix->length;

	if (at == 0) {
		if (path[0] != '/')
			return false;
		prefix->state = hash_byte(hash_start(), '/');
		prefix->length = 1;
		return true;
	}
	if (path[at] == '\0')
		return false;
	/* The root's slash is in the state already. */
	if (at > 1)
		prefix->state = hash_byte(prefix->state, path[at++]);
	for (; path[at] != '\0' && path[at] != '/'; at++)
		prefix->state = hash_byte(prefix->state, path[at]);
	if (at == 1) /* "//": not a normalised path; the second slash counts as a name's byte */
		prefix->state = hash_byte(prefix->state, path[at++]);
	prefix->length = at;
	return true;
}

static uint32_t find_hashed(const struct snapshot *snapshot, const char *path, size_t length,
			    uint32_t hash)
{
	uint32_t position = 0, number;

	while ((number = index_next(&snapshot->places_by_path, hash, &position)) != NOTHING) {
		const struct snapshot_own_place *place = &snapshot->places.items[number];

		if (place->length == length && memcmp(place->path, path, length) == 0)
			return number;
	}
	return NOTHING;
}

uint32_t place_find(const struct snapshot *snapshot, const char *path, size_t length)
{
	return find_hashed(snapshot, path, length, hash_text(path, length));
}

const struct snapshot_own_place *place_at(const struct snapshot *snapshot,
					  const struct snapshot_prefix *prefix)
{
	uint32_t number =
		find_hashed(snapshot, prefix->path, prefix->length, hash_done(prefix->state));

	return number == NOTHING ? NULL : &snapshot->places.items[number];
}

uint32_t record_find(const struct snapshot *snapshot, uint32_t place, uint32_t client)
{
	uint32_t hash = hash_pair(place, client), position = 0, number;

	while ((number = index_next(&snapshot->records_by_pair, hash, &position)) != NOTHING) {
		const struct snapshot_record *record = &snapshot->records.items[number];

		if (record->place == place && record->export.client->id == client)
			return number;
	}
	return NOTHING;
}

/*
 * Has its client pseudo-roots at a place because of this record? A rule has one at its own
 * directory, too.
 */
static bool leads_from(const struct snapshot_own_place *place, const struct snapshot_export *export)
{
	const char *end = export->path + place->length;

	if (strncmp(export->path, place->path, place->length) != 0)
		return false;
	return *end == '/' || (place->length == 1 && *end) || (*end == '\0' && export->pattern);
}

uint32_t export_below(const struct snapshot *snapshot, uint32_t place, uint32_t client)
{
	uint32_t hash = hash_pair(place, client), position = 0;
	uint32_t number = snapshot->first_of_client[client];

	while (number != NOTHING) {
		const struct snapshot_export *export = &snapshot->records.items[number].export;

		if (export->client->id == client &&
		    leads_from(&snapshot->places.items[place], export))
			break;
		number = index_next(&snapshot->records_below, hash, &position);
	}
	return number;
}

static uint32_t place_of(const struct snapshot *snapshot, const char *path, const char *pattern)
{
	if (!pattern)
		return place_find(snapshot, path, strlen(path));
	for (uint32_t rule = 0; rule < snapshot->rules.n; rule++)
		if (str_equal(snapshot->rules.items[rule].public.pattern, pattern))
			return place_of_media(rule);
	return NOTHING;
}

ssize_t snapshot_listed(const struct snapshot *snapshot, const char *path, const char *pattern,
			const char *client)
{
	uint32_t place = place_of(snapshot, path, pattern);
	uint32_t number = client_find(snapshot, *client ? client : "*");

	if (place == NOTHING || number == NOTHING)
		return -ENOENT;
	number = record_find(snapshot, place, number);
	return number < snapshot->n_listed ? (ssize_t)number : -ENOENT;
}

/* @client NOTHING: any record with the number. */
uint32_t number_find(const struct snapshot *snapshot, uint32_t fsid, uint32_t client)
{
	uint32_t hash = hash_pair(fsid, client), position = 0, number;

	while ((number = index_next(&snapshot->records_by_number, hash, &position)) != NOTHING) {
		const struct snapshot_record *record = &snapshot->records.items[number];

		if (record->export.fsid == fsid &&
		    (client == NOTHING || record->export.client->id == client))
			return number;
	}
	return NOTHING;
}

bool path_is_below(const char *path, const char *parent)
{
	size_t length = strlen(parent);

	if (strncmp(path, parent, length) != 0)
		return false;
	if (length == 1 && parent[0] == '/')
		return path[1] != '\0';
	return path[length] == '/';
}

size_t snapshot_n_places(const struct snapshot *snapshot)
{
	return snapshot->places.n;
}

struct snapshot_place snapshot_place(const struct snapshot *snapshot, size_t index)
{
	const struct snapshot_own_place *place = &snapshot->places.items[index];

	return (struct snapshot_place){
		.path = place->path,
		.is_exported = place->flags & PLACE_PLAIN,
		.is_pseudo_root = place->pseudo_root != NOTHING,
		.uuid = place->uuid_record == NOTHING
				? NULL
				: snapshot->records.items[place->uuid_record].export.options->uuid,
		.seen = place->seen,
	};
}

ssize_t snapshot_place_of(const struct snapshot *snapshot, const char *path)
{
	uint32_t place = place_find(snapshot, path, strlen(path));

	return place == NOTHING ? -ENOENT : (ssize_t)place;
}

ssize_t snapshot_next_seen(const struct snapshot *snapshot, uint32_t inode, uint32_t *position)
{
	uint32_t number = index_next(&snapshot->places_by_inode, hash_inode(inode), position);

	return number == NOTHING ? -ENOENT : (ssize_t)number;
}

bool snapshot_is_crossed(const struct snapshot *snapshot, const char *path)
{
	struct snapshot_prefix prefix = { .path = path };

	while (prefix_next(&prefix)) {
		const struct snapshot_own_place *place = place_at(snapshot, &prefix);

		if (place && place->flags & PLACE_CROSSED)
			return true;
	}
	return false;
}

/* Does a come before b, in the order of client type, then of the files? NULL comes last. */
static bool is_before(const struct snapshot_record *a, const struct snapshot_record *b)
{
	if (!a || !b)
		return a != NULL;
	if (a->export.client->type != b->export.client->type)
		return a->export.client->type < b->export.client->type;
	return a->export.order < b->export.order;
}

/*
 * The best of these clients' entries at a place, or NULL. @flags: only those that have all of
 * these.
 */
static const struct snapshot_record *best_at(const struct snapshot *snapshot,
					     const struct snapshot_client_set *clients,
					     uint32_t place, uint32_t flags)
{
	const struct snapshot_record *best = NULL;

	for (size_t i = 0; i < clients->n_clients; i++) {
		uint32_t number = record_find(snapshot, place, clients->clients[i]);
		const struct snapshot_record *record;

		if (number == NOTHING)
			continue;
		record = &snapshot->records.items[number];
		if ((record->export.options->flags & flags) == flags && is_before(record, best))
			best = record;
	}
	return best;
}

/* What these clients have a pseudo-root at a place for, or NULL. */
static const struct snapshot_record *best_below(const struct snapshot *snapshot,
						const struct snapshot_client_set *clients,
						uint32_t place)
{
	const struct snapshot_record *best = NULL;

	if (place == NOTHING || snapshot->places.items[place].pseudo_root == NOTHING)
		return NULL;
	for (size_t i = 0; i < clients->n_clients; i++) {
		uint32_t client = clients->clients[i];
		uint32_t number = export_below(snapshot, place, client);

		if (number != NOTHING && is_before(&snapshot->records.items[number], best) &&
		    record_find(snapshot, place, client) == NOTHING)
			best = &snapshot->records.items[number];
	}
	return best;
}

/* Of a record that is a rule's. */
static const struct snapshot_own_rule *rule_of(const struct snapshot *snapshot,
					       const struct snapshot_record *record)
{
	return &snapshot->rules.items[record->place & ~PLACE_OF_RULES];
}

static uint32_t rule_number(const struct snapshot *snapshot, const struct snapshot_own_rule *rule)
{
	return rule - snapshot->rules.items;
}

/* ---- patterns ---- */

static bool name_matches(const char *pattern, size_t pattern_length, const char *name,
			 size_t length)
{
	char pattern_text[PATH_MAX], name_text[NAME_MAX + 1];

	/* Also "." and "..": a leading dot must be written, but "..*" would do that. */
	if (length == 0 || length > NAME_MAX || pattern_length >= sizeof(pattern_text) ||
	    (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'))))
		return false;
	if (pattern_length == 1 && pattern[0] == '*')
		return name[0] != '.';
	memcpy(pattern_text, pattern, pattern_length);
	pattern_text[pattern_length] = '\0';
	memcpy(name_text, name, length);
	name_text[length] = '\0';
	return fnmatch(pattern_text, name_text, FNM_PERIOD | FNM_PATHNAME) == 0;
}

/*
 * Match names against a pattern, component by component, until one of them ends.
 *
 * Returns how many matched, SIZE_MAX if one did not. *ret_length: bytes of @names they are.
 */
static size_t match_names(const char *pattern, const char *names, size_t *ret_length)
{
	size_t at = 0, n = 0;

	for (;;) {
		size_t pattern_length = strcspn(pattern, "/"), length = strcspn(names + at, "/");

		if (!name_matches(pattern, pattern_length, names + at, length))
			return SIZE_MAX;
		n++;
		at += length;
		pattern += pattern_length;
		if (*pattern == '\0' || names[at] == '\0')
			break;
		pattern++;
		at++;
	}
	*ret_length = at;
	return n;
}

bool rule_matches_key(const struct snapshot_rule *rule, const char *key)
{
	const char *tail = rule->pattern + strlen(rule->pattern);
	size_t length;

	for (unsigned int left = rule->depth; left && tail > rule->pattern;)
		if (*--tail == '/')
			left--;
	return match_names(tail + 1, key, &length) == rule->depth && key[length] == '\0';
}

/* What a rule says of a path that lies below its directory. */
struct rule_match {
	bool is_medium; /* the path is one, or lies below: */
	size_t medium_length;
	bool is_within; /* a directory between the rule's and the media */
};

static struct rule_match match_rule(const struct snapshot_own_rule *rule, const char *path,
				    size_t directory_length)
{
	size_t start = directory_length == 1 ? 1 : directory_length + 1, length, n;
	struct rule_match match = { 0 };

	n = match_names(rule->tail, path + start, &length);
	if (n == rule->public.depth) {
		match.is_medium = true;
		match.medium_length = start + length;
	} else if (n != SIZE_MAX) {
		match.is_within = true;
	}
	return match;
}

/*
 * Is there a rule's directory at or below this one? Only other rules' can be: with one rule there
 * are none.
 */
static bool is_above_rule(const struct snapshot *snapshot, const char *path, size_t length)
{
	uint32_t place = snapshot->rules.n < 2 ? NOTHING : place_find(snapshot, path, length);

	return place != NOTHING && snapshot->places.items[place].flags & PLACE_RULES;
}

const struct snapshot_own_rule *rule_over_directory(const struct snapshot *snapshot,
						    const struct snapshot_own_rule *rule)
{
	struct snapshot_prefix prefix = { .path = rule->public.directory };
	size_t length = strlen(prefix.path);

	while (prefix_next(&prefix) && prefix.length < length) {
		const struct snapshot_own_place *place = place_at(snapshot, &prefix);
		uint32_t number = place ? place->first_rule : NOTHING;

		for (; number != NOTHING; number = snapshot->rules.items[number].next_at_directory)
			if (match_rule(&snapshot->rules.items[number], prefix.path, prefix.length)
				    .is_medium)
				return &snapshot->rules.items[number];
	}
	return NULL;
}

/* ---- the walk ---- */

/* Everything that may answer for a path, found on one way down. */
struct walk {
	const struct snapshot *snapshot;
	const struct snapshot_client_set *clients; /* NULL: only the owner is looked for */
	const char *path;
	bool for_mount; /* any real export above counts, not only those with crossmnt */

	uint32_t place; /* the path's, or NOTHING */
	const struct snapshot_record *exact; /* there */
	const struct snapshot_record
		*above; /* the longest real one above that reaches down to the path */
	size_t above_length;
	/* The best rule that has the path between its directory and its media. */
	const struct snapshot_record *within;
	const struct snapshot_own_rule *owner;
	size_t medium_length;
	unsigned int n_claims; /* rules that make it the same medium */
};

static void claim(struct walk *walk, const struct snapshot_own_rule *rule, size_t medium_length)
{
	if (walk->owner && medium_length == walk->medium_length)
		walk->n_claims++;
	if (walk->owner && (medium_length > walk->medium_length ||
			    (medium_length == walk->medium_length && rule > walk->owner)))
		return;
	if (is_above_rule(walk->snapshot, walk->path, medium_length))
		return;
	if (!walk->owner || medium_length < walk->medium_length)
		walk->n_claims = 1;
	walk->owner = rule;
	walk->medium_length = medium_length;
}

static void visit_rules(struct walk *walk, const struct snapshot_own_place *place)
{
	const struct snapshot *snapshot = walk->snapshot;
	uint32_t number = place->first_rule;

	if (walk->path[place->length] == '\0')
		return; /* a rule never claims its own directory */
	for (; number != NOTHING; number = snapshot->rules.items[number].next_at_directory) {
		const struct snapshot_own_rule *rule = &snapshot->rules.items[number];
		struct rule_match match = match_rule(rule, walk->path, place->length);

		if (match.is_medium) {
			claim(walk, rule, match.medium_length);
		} else if (match.is_within && walk->clients && rule->pseudo_root != NOTHING) {
			const struct snapshot_record *within =
				best_at(snapshot, walk->clients, place_of_media(number), 0);

			if (is_before(within, walk->within))
				walk->within = within;
		}
	}
}

static void visit_exports(struct walk *walk, const struct snapshot_own_place *place)
{
	uint32_t number = place_number(walk->snapshot, place);
	const struct snapshot_record *found;

	if (walk->path[place->length] == '\0') {
		walk->place = number;
		walk->exact = best_at(walk->snapshot, walk->clients, number, 0);
		return;
	}
	if (!(place->flags & (walk->for_mount ? PLACE_PLAIN : PLACE_CROSSMOUNT)))
		return;
	found = best_at(walk->snapshot, walk->clients, number,
			walk->for_mount ? 0 : EXPORT_CROSSMOUNT);
	if (!found)
		return;
	walk->above = found;
	walk->above_length = place->length;
}

static void walk_down(struct walk *walk)
{
	struct snapshot_prefix prefix = { .path = walk->path };

	while (prefix_next(&prefix)) {
		const struct snapshot_own_place *place = place_at(walk->snapshot, &prefix);

		if (!place)
			continue;
		if (place->first_rule != NOTHING)
			visit_rules(walk, place);
		if (walk->clients)
			visit_exports(walk, place);
	}
	/* A medium is not reached into from above. */
	if (walk->owner && walk->above_length < walk->medium_length)
		walk->above = NULL;
}

/*
 * What these clients may do with the medium: the best entry of those rules that match it and
 * have its owner's handler.
 */
static const struct snapshot_record *entry_of_medium(const struct walk *walk)
{
	const struct snapshot *snapshot = walk->snapshot;
	const struct snapshot_record *best = best_at(
		snapshot, walk->clients, place_of_media(rule_number(snapshot, walk->owner)), 0);
	struct snapshot_prefix prefix = { .path = walk->path };

	if (walk->n_claims == 1)
		return best;
	while (prefix_next(&prefix) && prefix.length < walk->medium_length) {
		const struct snapshot_own_place *place = place_at(snapshot, &prefix);
		uint32_t number = place ? place->first_rule : NOTHING;

		for (; number != NOTHING;
		     number = snapshot->rules.items[number].next_at_directory) {
			const struct snapshot_own_rule *rule = &snapshot->rules.items[number];
			const struct snapshot_record *entry;

			if (!str_equal(rule->public.handler, walk->owner->public.handler) ||
			    match_rule(rule, walk->path, prefix.length).medium_length !=
				    walk->medium_length)
				continue;
			entry = best_at(snapshot, walk->clients, place_of_media(number), 0);
			if (is_before(entry, best))
				best = entry;
		}
	}
	return best;
}

/* Is the directory a medium lies in covered by a real export of these clients? */
static bool has_real_parent(const struct walk *walk)
{
	struct snapshot_prefix prefix = { .path = walk->path };

	while (prefix_next(&prefix) && prefix.length < walk->medium_length) {
		const struct snapshot_own_place *place = place_at(walk->snapshot, &prefix);

		if (place && place->flags & PLACE_PLAIN &&
		    best_at(walk->snapshot, walk->clients, place_number(walk->snapshot, place), 0))
			return true;
	}
	return false;
}

static enum snapshot_found matched(enum snapshot_found found, const struct snapshot_record *record,
				   struct snapshot_match *ret_match)
{
	*ret_match = (struct snapshot_match){ .export = &record->export, .real = &record->export };
	return found;
}

static enum snapshot_found matched_pseudo(const struct snapshot *snapshot, uint32_t pseudo_root,
					  const struct snapshot_record *real,
					  struct snapshot_match *ret_match)
{
	*ret_match = (struct snapshot_match){
		.export = &snapshot->records.items[pseudo_root].export,
		.real = &real->export,
	};
	return SNAPSHOT_FOUND_PSEUDO;
}

static enum snapshot_found matched_medium(const struct walk *walk, enum snapshot_found found,
					  const struct snapshot_record *entry,
					  struct snapshot_match *ret_match)
{
	*ret_match = (struct snapshot_match){
		.export = &entry->export,
		.real = &entry->export,
		.rule = &walk->owner->public,
		.medium_length = walk->medium_length,
		.parent_exported = found == SNAPSHOT_FOUND_MEDIUM && has_real_parent(walk),
	};
	return found;
}

static enum snapshot_found matched_nothing(struct snapshot_match *ret_match)
{
	*ret_match = (struct snapshot_match){ 0 };
	return SNAPSHOT_FOUND_NOTHING;
}

enum snapshot_found snapshot_find(const struct snapshot *snapshot,
				  const struct snapshot_client_set *clients, const char *path,
				  struct snapshot_match *ret_match)
{
	struct walk walk = {
		.snapshot = snapshot, .clients = clients, .path = path, .place = NOTHING
	};
	const struct snapshot_record *entry = NULL, *below;
	bool is_medium;

	walk_down(&walk);
	if (walk.exact)
		return matched(SNAPSHOT_FOUND_EXPORT, walk.exact, ret_match);
	if (walk.above)
		return matched(SNAPSHOT_FOUND_BELOW, walk.above, ret_match);
	if (walk.owner)
		entry = entry_of_medium(&walk);
	is_medium = walk.owner && path[walk.medium_length] == '\0';
	if (entry && is_medium)
		return matched_medium(&walk, SNAPSHOT_FOUND_MEDIUM, entry, ret_match);
	if (entry && entry->export.options->flags & EXPORT_CROSSMOUNT)
		return matched_medium(&walk, SNAPSHOT_FOUND_BELOW, entry, ret_match);
	below = best_below(snapshot, clients, walk.place);
	if (below)
		return matched_pseudo(snapshot, snapshot->places.items[walk.place].pseudo_root,
				      below, ret_match);
	if (walk.within && !walk.owner)
		return matched_pseudo(snapshot, rule_of(snapshot, walk.within)->pseudo_root,
				      walk.within, ret_match);
	return matched_nothing(ret_match);
}

enum snapshot_found snapshot_find_mount(const struct snapshot *snapshot,
					const struct snapshot_client_set *clients, const char *path,
					struct snapshot_match *ret_match)
{
	struct walk walk = {
		.snapshot = snapshot, .clients = clients, .path = path, .for_mount = true
	};
	const struct snapshot_record *entry;

	walk_down(&walk);
	if (walk.exact)
		return matched(SNAPSHOT_FOUND_EXPORT, walk.exact, ret_match);
	if (walk.above)
		return matched(SNAPSHOT_FOUND_EXPORT, walk.above, ret_match);
	entry = walk.owner ? entry_of_medium(&walk) : NULL;
	if (entry)
		return matched_medium(&walk, SNAPSHOT_FOUND_MEDIUM, entry, ret_match);
	return matched_nothing(ret_match);
}

const struct snapshot_rule *snapshot_rule_for_path(const struct snapshot *snapshot,
						   const char *path, size_t *ret_medium_length)
{
	struct walk walk = { .snapshot = snapshot, .path = path };

	walk_down(&walk);
	if (!walk.owner)
		return NULL;
	if (ret_medium_length)
		*ret_medium_length = walk.medium_length;
	return &walk.owner->public;
}

/* ---- by number ---- */

/* The first record of these clients with a number that comes after another; NULL: none. */
static const struct snapshot_record *next_with_number(const struct snapshot *snapshot,
						      const struct snapshot_client_set *clients,
						      uint32_t fsid,
						      const struct snapshot_record *after)
{
	const struct snapshot_record *first = NULL;

	for (size_t i = 0; i < clients->n_clients; i++) {
		uint32_t number = number_find(snapshot, fsid, clients->clients[i]);
		const struct snapshot_record *record;

		if (number == NOTHING)
			continue;
		record = &snapshot->records.items[number];
		if ((!after || is_before(after, record)) && is_before(record, first))
			first = record;
	}
	return first;
}

/* The pseudo-root "/", which has the number 0, if these clients have it. */
static const struct snapshot_export *numbered_pseudo_root(const struct snapshot *snapshot,
							  const struct snapshot_client_set *clients,
							  uint32_t fsid)
{
	uint32_t root = fsid == 0 ? place_find(snapshot, "/", 1) : NOTHING;

	if (!best_below(snapshot, clients, root))
		return NULL;
	return &snapshot->records.items[snapshot->places.items[root].pseudo_root].export;
}

const struct snapshot_export *snapshot_find_fsid(const struct snapshot *snapshot,
						 const struct snapshot_client_set *clients,
						 uint32_t fsid)
{
	const struct snapshot_record *found = next_with_number(snapshot, clients, fsid, NULL),
				     *next = found;

	if (!found)
		return numbered_pseudo_root(snapshot, clients, fsid);
	while ((next = next_with_number(snapshot, clients, fsid, next)))
		if (found->export.options->flags & EXPORT_CROSSMOUNT &&
		    path_is_below(next->export.path, found->export.path))
			found = next;
	return &found->export;
}

bool snapshot_has_fsid(const struct snapshot *snapshot, uint32_t fsid)
{
	return number_find(snapshot, fsid, NOTHING) != NOTHING;
}

/* ---- rules ---- */

size_t snapshot_n_rules(const struct snapshot *snapshot)
{
	return snapshot->rules.n;
}

const struct snapshot_rule *snapshot_rule(const struct snapshot *snapshot, size_t index)
{
	return &snapshot->rules.items[index].public;
}

bool snapshot_is_in_rule(const struct snapshot *snapshot, const char *path)
{
	struct snapshot_prefix prefix = { .path = path };

	while (snapshot->rules.n && prefix_next(&prefix)) {
		const struct snapshot_own_place *place = place_at(snapshot, &prefix);

		if (place && place->first_rule != NOTHING)
			return true;
	}
	return false;
}

const struct snapshot_rule *snapshot_rule_of(const struct snapshot *snapshot,
					     const struct snapshot_export *export)
{
	const struct snapshot_record *record = (const struct snapshot_record *)export;

	if (!(record->place & PLACE_OF_RULES))
		return NULL;
	return &rule_of(snapshot, record)->public;
}
