/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * build.c - making a snapshot: items become records, pseudo-roots are added,
 * everything is indexed.
 *
 * Each item becomes one record, or a message. A plain item's path is a place; a rule's items hang
 * on their rule instead, and the rule on the place of its literal directory. Records are in the
 * order of the items, pseudo-roots come after them; nothing is moved, so a record's number may be
 * kept anywhere.
 *
 * Sources: nfs-utils support/export/export.c export_create(), export_lookup();
 * support/nfs/exports.c (fsid=0 turns pseudo-roots off); support/export/v4root.c v4root_set(),
 * v4root_add_parents().
 */

#include <assert.h>

#include "parser/snapshot/private.h"

enum {
	ANONYMOUS_ID = 65534,
	FLAVOR_SYS = 1,
	FLAVOR_KRB5 = 390003,
	FLAVOR_KRB5I = 390004,
	FLAVOR_KRB5P = 390005,
	PSEUDO_FLAGS =
		EXPORT_READONLY | EXPORT_INSECURE_PORT | EXPORT_NOSUBTREECHECK | EXPORT_V4ROOT,
};

/* A path as it is written, and what it stands for: each is asked for once. */
struct written {
	const char *path;
	uint32_t place;
};

struct build {
	struct snapshot *snapshot;
	const struct snapshot_facts *facts;
	struct diags *diags;
	struct snapshot_clients_builder clients;
	VECTOR(struct written) written;
	struct index by_written;
	struct index rules_by_pattern;
	bool has_root_number; /* an fsid=0 is in force: no pseudo-roots */
};

static struct position position_of(const struct export_item *item)
{
	return (struct position){ .file = item->file, .line = item->line, .column = item->column };
}

#define WARN(build, item, ...) COMPLAIN(build, DIAG_WARNING, item, __VA_ARGS__)
#define COMPLAIN(build, level, item, ...)                                                          \
	do {                                                                                       \
		struct position at_ = position_of(item);                                           \
		diag_add((build)->diags, level, &at_, __VA_ARGS__);                                \
	} while (0)

/* ---- places ---- */

/* @path: @length bytes of it; copied if @copy, else NUL-terminated and borrowed */
static int place_add(struct snapshot *snapshot, const char *path, size_t length, bool copy,
		     uint32_t *ret_place)
{
	uint32_t number = place_find(snapshot, path, length);

	*ret_place = number != NOTHING ? number : snapshot->places.n;
	if (number != NOTHING)
		return 0;
	if (copy)
		path = arena_copy(snapshot->source->arena, path, length);
	if (!path)
		return -ENOMEM;
	return vector_add_indexed(&snapshot->places, &snapshot->places_by_path,
				  hash_text(path, length),
				  (struct snapshot_own_place){
					  .path = path,
					  .length = length,
					  .first_rule = NOTHING,
					  .pseudo_root = NOTHING,
					  .uuid_record = NOTHING,
				  });
}

/* What lies at a place, as found under one of the ways to write it. */
static int note_seen(struct build *build, const char *written, uint32_t number)
{
	const struct snapshot_facts *facts = build->facts;
	struct snapshot_own_place *place = &build->snapshot->places.items[number];

	if (!facts->seen || place->seen.inode)
		return 0;
	place->seen = facts->seen(facts->userdata, written);
	if (!place->seen.inode)
		return 0;
	return index_add(&build->snapshot->places_by_inode, hash_inode((uint32_t)place->seen.inode),
			 number);
}

static int place_of_item(struct build *build, const struct export_item *item, uint32_t *ret_place)
{
	uint32_t hash = hash_text(item->path, strlen(item->path)), position = 0, number;
	const char *real;
	int r;

	while ((number = index_next(&build->by_written, hash, &position)) != NOTHING)
		if (str_equal(build->written.items[number].path, item->path)) {
			*ret_place = build->written.items[number].place;
			return 0;
		}
	real = build->facts->real_path(build->facts->userdata, item->path);
	if (!real || str_equal(real, item->path))
		r = place_add(build->snapshot, item->path, strlen(item->path), false, ret_place);
	else
		r = place_add(build->snapshot, real, strlen(real), true, ret_place);
	if (r == 0)
		r = vector_add_indexed(&build->written, &build->by_written, hash,
				       (struct written){ .path = item->path, .place = *ret_place });
	return r < 0 ? r : note_seen(build, item->path, *ret_place);
}

/* ---- records ---- */

static int record_add(struct snapshot *snapshot, uint32_t place,
		      const struct snapshot_export *export)
{
	return vector_add_indexed(&snapshot->records, &snapshot->records_by_pair,
				  hash_pair(place, export->client->id),
				  (struct snapshot_record){ .export = *export, .place = place });
}

/* Is there one for this client and place already? Then it stays, as in stock. */
static bool is_duplicate(struct build *build, const struct export_item *item, uint32_t place,
			 uint32_t client)
{
	uint32_t number = record_find(build->snapshot, place, client);
	const struct export_item *first;
	const char *client_name;

	if (number == NOTHING)
		return false;
	if (item->gives_way)
		return true;
	first = export_item_of(build->snapshot, &build->snapshot->records.items[number].export);
	client_name = build->snapshot->clients.items[client]->name;
	if (first->options->flags != item->options->flags)
		COMPLAIN(
			build, DIAG_MISTAKE, item,
			"incompatible duplicate: '%s' is exported to '%s' with other options at %s:%u; "
			"this entry is ignored",
			item->path, client_name, first->file, first->line);
	else
		COMPLAIN(
			build, DIAG_MISTAKE, item,
			"duplicate: '%s' is exported to '%s' at %s:%u already; this entry is ignored",
			item->path, client_name, first->file, first->line);
	return true;
}

enum { ITEM_LEFT_OUT = 1 };

static int client_of_item(struct build *build, const struct export_item *item,
			  const struct snapshot_client **ret_client)
{
	uint32_t client;
	int r = clients_add(&build->clients, item->client, &client);

	if (r < 0)
		return r;
	if (r == CLIENT_UNRESOLVED) {
		WARN(build, item, "host name '%s' does not resolve; this entry is left out",
		     item->client->text);
		return ITEM_LEFT_OUT;
	}
	if (r == CLIENT_NEW_UNRESOLVED)
		WARN(build, item,
		     "host name '%s' does not resolve; it matches nobody until it does",
		     item->client->text);
	*ret_client = build->snapshot->clients.items[client];
	return 0;
}

/* A handle with this number means another path, and always will. */
static bool is_number_taken(struct build *build, const struct export_item *item, const char *path)
{
	const struct snapshot_facts *facts = build->facts;
	const char *owner = item->options->flags & EXPORT_FSID && facts->number_owner
				    ? facts->number_owner(facts->userdata, item->fsid)
				    : NULL;

	if (!owner || str_equal(owner, path))
		return false;
	COMPLAIN(build, DIAG_ERROR, item,
		 "fsid=%u is the number of '%s' for ever; choose one below 65536 for '%s'",
		 item->fsid, owner, path);
	return true;
}

static int add_plain(struct build *build, const struct export_item *item, unsigned int order)
{
	struct snapshot *snapshot = build->snapshot;
	struct snapshot_export export = { .options = item->options,
					  .fsid = item->fsid,
					  .order = order };
	uint32_t place;
	int r;

	r = client_of_item(build, item, &export.client);
	if (r != 0)
		return r < 0 ? r : 0;
	r = place_of_item(build, item, &place);
	if (r < 0)
		return r;
	if (is_duplicate(build, item, place, export.client->id))
		return 0;
	export.path = snapshot->places.items[place].path;
	if (is_number_taken(build, item, export.path))
		return 0;
	snapshot->places.items[place].flags |= PLACE_PLAIN;
	if (item->options->flags & EXPORT_CROSSMOUNT)
		snapshot->places.items[place].flags |= PLACE_CROSSMOUNT | PLACE_CROSSED;
	if (item->options->uuid && snapshot->places.items[place].uuid_record == NOTHING)
		snapshot->places.items[place].uuid_record = snapshot->records.n;
	if (item->options->flags & EXPORT_FSID && item->fsid == 0)
		build->has_root_number = true;
	return record_add(snapshot, place, &export);
}

/* ---- rules ---- */

/*
 * A component as it is meant, if it holds no wildcard; returns whether it holds none.
 *
 * @to: room for @length bytes
 */
static bool unescape_component(const char *from, size_t length, char *to, size_t *ret_length)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		if (strchr("*?[", from[i]))
			return false;
		if (from[i] == '\\' && i + 1 < length)
			i++;
		to[n++] = from[i];
	}
	*ret_length = n;
	return true;
}

/*
 * The literal directory a pattern starts under, without a slash at its end; the rest of it is
 * *ret_tail. The reader of the files made sure that there is a wildcard, and slashes are single.
 *
 * @directory: room for strlen(pattern) + 1 bytes
 */
static void split_pattern(const char *pattern, char *directory, const char **ret_tail)
{
	const char *component = pattern + 1;
	char *end = directory;
	size_t length = strcspn(component, "/"), literal_length;

	while (unescape_component(component, length, end + 1, &literal_length)) {
		assert(component[length] == '/');
		*end = '/';
		end += 1 + literal_length;
		component += length + 1;
		length = strcspn(component, "/");
	}
	if (end == directory)
		*end++ = '/';
	*end = '\0';
	*ret_tail = component;
}

static unsigned int n_components(const char *path)
{
	unsigned int n = 1;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static uint32_t rule_find(const struct build *build, const char *pattern)
{
	uint32_t hash = hash_text(pattern, strlen(pattern)), position = 0, number;

	while ((number = index_next(&build->rules_by_pattern, hash, &position)) != NOTHING)
		if (str_equal(build->snapshot->rules.items[number].public.pattern, pattern))
			return number;
	return NOTHING;
}

/*
 * The rule's directory becomes a place, and so does each one above; last in order among the rules
 * there.
 */
static int hang_up(struct snapshot *snapshot, uint32_t number)
{
	struct snapshot_prefix prefix = { .path = snapshot->rules.items[number].public.directory };
	uint32_t place = NOTHING, *link;

	while (prefix_next(&prefix)) {
		int r = place_add(snapshot, prefix.path, prefix.length, true, &place);

		if (r < 0)
			return r;
		snapshot->places.items[place].flags |= PLACE_RULES;
	}
	link = &snapshot->places.items[place].first_rule;
	while (*link != NOTHING)
		link = &snapshot->rules.items[*link].next_at_directory;
	*link = number;
	return 0;
}

static int make_rule(struct build *build, const struct export_item *item, uint32_t *ret_number)
{
	struct snapshot *snapshot = build->snapshot;
	char *directory = arena_alloc(snapshot->source->arena, strlen(item->pattern) + 1);
	const char *tail;
	struct snapshot_own_rule rule;
	int r;

	if (!directory)
		return -ENOMEM;
	split_pattern(item->pattern, directory, &tail);
	rule = (struct snapshot_own_rule){
		.public =
			{
				.pattern = item->pattern,
				.text = item->path,
				.directory = directory,
				.depth = n_components(tail),
				.handler = item->options->handler,
				.file = item->file,
				.line = item->line,
			},
		.tail = tail,
		.next_at_directory = NOTHING,
		.pseudo_root = NOTHING,
	};
	*ret_number = snapshot->rules.n;
	r = vector_add_indexed(&snapshot->rules, &build->rules_by_pattern,
			       hash_text(item->pattern, strlen(item->pattern)), rule);
	return r < 0 ? r : hang_up(snapshot, *ret_number);
}

static bool has_other_handler(struct build *build, const struct export_item *item, uint32_t number)
{
	const struct snapshot_rule *rule = &build->snapshot->rules.items[number].public;

	if (str_equal(rule->handler, item->options->handler))
		return false;
	COMPLAIN(build, DIAG_ERROR, item,
		 "'%s' has the handler '%s' at %s:%u; a wildcard path has one handler", item->path,
		 rule->handler, rule->file, rule->line);
	return true;
}

static void cross(struct snapshot *snapshot, const char *directory)
{
	ssize_t place = snapshot_place_of(snapshot, directory);

	snapshot->places.items[place].flags |= PLACE_CROSSED; /* hang_up() made it */
}

static int add_rule(struct build *build, const struct export_item *item, unsigned int order)
{
	struct snapshot_export export = { .options = item->options,
					  .fsid = item->fsid,
					  .order = order };
	uint32_t number = rule_find(build, item->pattern);
	const struct snapshot_rule *rule;
	int r;

	if (number != NOTHING && has_other_handler(build, item, number))
		return 0;
	r = client_of_item(build, item, &export.client);
	if (r != 0)
		return r < 0 ? r : 0;
	if (number == NOTHING) {
		r = make_rule(build, item, &number);
		if (r < 0)
			return r;
	}
	if (is_duplicate(build, item, place_of_media(number), export.client->id))
		return 0;
	if (!(item->options->flags & EXPORT_READONLY))
		build->snapshot->rules.items[number].public.is_writable = true;
	rule = &build->snapshot->rules.items[number].public;
	if (item->options->flags & EXPORT_CROSSMOUNT)
		cross(build->snapshot, rule->directory);
	export.path = rule->directory;
	export.pattern = rule->pattern;
	return record_add(build->snapshot, place_of_media(number), &export);
}

static int add_items(struct build *build)
{
	struct snapshot *snapshot = build->snapshot;

	for (size_t i = 0; i < snapshot->source->n_items; i++) {
		const struct export_item *item = &snapshot->source->items[i];
		int r = item->pattern ? add_rule(build, item, i) : add_plain(build, item, i);

		if (r < 0)
			return r;
	}
	snapshot->n_listed = snapshot->records.n;
	return 0;
}

/* ---- pseudo-roots ---- */

static void set_pseudo_options(struct export_options *options, struct export_flavor *flavors,
			       uint32_t flags, bool kerberos)
{
	static const uint32_t numbers[PSEUDO_FLAVORS] = { FLAVOR_KRB5, FLAVOR_KRB5I, FLAVOR_KRB5P,
							  FLAVOR_SYS };

	*options = (struct export_options){ .flags = flags,
					    .anon_uid = ANONYMOUS_ID,
					    .anon_gid = ANONYMOUS_ID,
					    .flavors = flavors };
	for (size_t i = kerberos ? 0 : PSEUDO_FLAVORS - 1; i < PSEUDO_FLAVORS; i++)
		flavors[options->n_flavors++] =
			(struct export_flavor){ .number = numbers[i], .flags = flags };
}

/* @link: where its number is to stand, if it is not made yet */
static int add_pseudo(struct snapshot *snapshot, uint32_t place, const char *path, uint32_t *link)
{
	const struct snapshot_export export = {
		.path = path,
		.options = str_equal(path, "/") && !(place & PLACE_OF_RULES)
				   ? &snapshot->root_options
				   : &snapshot->pseudo_options,
		.order = snapshot->source->n_items + snapshot->records.n - snapshot->n_listed,
	};

	if (*link != NOTHING)
		return 0;
	*link = snapshot->records.n;
	return vector_add(&snapshot->records,
			  (struct snapshot_record){ .export = export, .place = place });
}

/* One for the client of a record that lies below, unless it has something there. */
static int add_parent(struct snapshot *snapshot, uint32_t number, uint32_t record)
{
	uint32_t client = snapshot->records.items[record].export.client->id;
	struct snapshot_own_place *place = &snapshot->places.items[number];

	if (export_below(snapshot, number, client) == NOTHING) {
		int r = index_add(&snapshot->records_below, hash_pair(number, client), record);

		if (r < 0)
			return r;
	}
	if (record_find(snapshot, number, client) != NOTHING)
		return 0;
	return add_pseudo(snapshot, number, place->path, &place->pseudo_root);
}

/*
 * Has the client of a record others below the directory it lies in? Then also below each one above.
 */
static bool has_parents(const struct snapshot *snapshot, const struct snapshot_export *export)
{
	const char *slash = strrchr(export->path, '/');
	size_t length = export->pattern ? strlen(export->path) : (size_t)(slash - export->path);
	uint32_t place;

	length += length == 0;
	place = place_find(snapshot, export->path, length);
	return place != NOTHING && export_below(snapshot, place, export->client->id) != NOTHING;
}

/* One for each directory above a record's path, and for itself if it is a rule's. */
static int add_parents(struct snapshot *snapshot, uint32_t record)
{
	struct snapshot_export export = snapshot->records.items[record].export;
	struct snapshot_prefix prefix = { .path = export.path };
	size_t length = strlen(export.path) + (export.pattern != NULL);
	uint32_t *first = &snapshot->first_of_client[export.client->id];

	if (has_parents(snapshot, &export))
		return 0;
	if (*first == NOTHING)
		*first = record;
	while (prefix_next(&prefix) && prefix.length < length) {
		uint32_t place;
		int r = place_add(snapshot, export.path, prefix.length, true, &place);

		if (r == 0)
			r = add_parent(snapshot, place, record);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A real export of "/" gets the number 0, where the pseudo-root would have been. */
static int number_root(struct snapshot *snapshot, struct snapshot_record *record)
{
	struct export_options *options;
	struct export_flavor *flavors;

	if (record->export.options->flags & EXPORT_FSID)
		return 0;
	options = arena_alloc(snapshot->source->arena, sizeof(*options));
	flavors = arena_alloc(snapshot->source->arena, EXPORT_FLAVORS_MAX * sizeof(*flavors));
	if (!options || !flavors)
		return -ENOMEM;
	*options = *record->export.options;
	options->flags |= EXPORT_FSID;
	record->export.fsid = 0;
	for (unsigned int i = 0; i < options->n_flavors; i++) {
		flavors[i] = options->flavors[i];
		flavors[i].flags |= EXPORT_FSID;
	}
	options->flavors = flavors;
	record->export.options = options;
	return 0;
}

static int add_pseudo_roots_of(struct snapshot *snapshot, uint32_t number)
{
	struct snapshot_record *record = &snapshot->records.items[number];
	struct snapshot_own_rule *rule;
	int r;

	if (!record->export.pattern)
		return str_equal(record->export.path, "/") ? number_root(snapshot, record)
							   : add_parents(snapshot, number);
	rule = &snapshot->rules.items[record->place & ~PLACE_OF_RULES];
	r = add_parents(snapshot, number);
	if (r < 0 || rule->public.depth == 1)
		return r;
	return add_pseudo(snapshot, place_of_media(rule - snapshot->rules.items),
			  rule->public.directory, &rule->pseudo_root);
}

static int add_pseudo_roots(struct build *build)
{
	struct snapshot *snapshot = build->snapshot;
	size_t size = snapshot->clients.n * sizeof(uint32_t);

	snapshot->first_of_client = malloc(size ? size : 1);
	if (!snapshot->first_of_client)
		return -ENOMEM;
	memset(snapshot->first_of_client, 0xff, size);
	set_pseudo_options(&snapshot->root_options, snapshot->root_flavors,
			   PSEUDO_FLAGS | EXPORT_FSID, build->facts->kerberos);
	set_pseudo_options(&snapshot->pseudo_options, snapshot->pseudo_flavors, PSEUDO_FLAGS,
			   build->facts->kerberos);
	for (uint32_t i = 0; i < snapshot->n_listed && !build->has_root_number; i++) {
		int r = add_pseudo_roots_of(snapshot, i);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what needs all records ---- */

/*
 * Two records of a client with one number: which stands for it, as nfsd_handle_fh() would choose.
 */
static void settle_number(struct build *build, uint32_t hash, uint32_t first, uint32_t second)
{
	struct snapshot *snapshot = build->snapshot;
	const struct snapshot_export *a = &snapshot->records.items[first].export;
	const struct snapshot_export *b = &snapshot->records.items[second].export;
	const struct export_item *item = export_item_of(snapshot, a);
	bool below = a->options->flags & EXPORT_CROSSMOUNT && path_is_below(b->path, a->path);

	WARN(build, export_item_of(snapshot, b),
	     "fsid=%u of '%s' is also that of '%s' at %s:%u for '%s'; handles will mean '%s'",
	     b->fsid, b->path, a->path, item->file, item->line, a->client->name,
	     below ? b->path : a->path);
	if (below)
		index_replace(&snapshot->records_by_number, hash, first, second);
}

static int index_number(struct build *build, uint32_t number)
{
	struct snapshot *snapshot = build->snapshot;
	const struct snapshot_export *export = &snapshot->records.items[number].export;
	uint32_t fsid = export->fsid, first;
	uint32_t hash = hash_pair(fsid, export->client->id);
	int r;

	if (!(export->options->flags & EXPORT_FSID) || export->pattern)
		return 0;
	first = number_find(snapshot, fsid, export->client->id);
	if (first != NOTHING) {
		settle_number(build, hash, first, number);
		return 0;
	}
	r = index_add(&snapshot->records_by_number, hash, number);
	if (r < 0)
		return r;
	if (!(export_item_of(snapshot, export)->options->flags & EXPORT_FSID) ||
	    number_find(snapshot, fsid, NOTHING) != NOTHING)
		return 0;
	return index_add(&snapshot->records_by_number, hash_pair(fsid, NOTHING), number);
}

static int index_numbers(struct build *build)
{
	struct snapshot *snapshot = build->snapshot;
	uint32_t n = 0;
	int r;

	for (uint32_t i = 0; i < snapshot->n_listed; i++)
		n += (snapshot->records.items[i].export.options->flags & EXPORT_FSID) != 0;
	r = index_reserve(&snapshot->records_by_number, 2 * n);
	for (uint32_t i = 0; r == 0 && i < snapshot->n_listed; i++)
		r = index_number(build, i);
	return r;
}

/*
 * Is a directory covered by a real export? @client NOTHING: anybody's; else this client's or
 * everybody's
 */
static bool is_covered(const struct snapshot *snapshot, const char *directory, uint32_t client)
{
	struct snapshot_prefix prefix = { .path = directory };

	while (prefix_next(&prefix)) {
		const struct snapshot_own_place *place = place_at(snapshot, &prefix);
		uint32_t number;

		if (!place || !(place->flags & PLACE_PLAIN))
			continue;
		number = place_number(snapshot, place);
		if (client == NOTHING || record_find(snapshot, number, client) != NOTHING ||
		    record_find(snapshot, number, snapshot->anonymous) != NOTHING)
			return true;
	}
	return false;
}

/* A rule that is wider than was meant: the way to a plain export would lead through a medium. */
static void look_below_media(struct build *build, const struct snapshot_export *export)
{
	const struct snapshot_rule *rule;
	size_t length;

	if (export->pattern)
		return;
	rule = snapshot_rule_for_path(build->snapshot, export->path, &length);
	if (rule && export->path[length] != '\0')
		WARN(build, export_item_of(build->snapshot, export),
		     "'%s' lies below '%.*s', which is a medium of rule '%s' at %s:%u: NFSv4 clients "
		     "cannot walk there; narrow the rule",
		     export->path, (int)length, export->path, rule->text, rule->file, rule->line);
}

static void look_at_rules(struct build *build)
{
	struct snapshot *snapshot = build->snapshot;

	for (uint32_t i = 0; i < snapshot->rules.n; i++) {
		struct snapshot_own_rule *rule = &snapshot->rules.items[i];
		const struct snapshot_own_rule *over = rule_over_directory(snapshot, rule);
		struct position at = { .file = rule->public.file, .line = rule->public.line };

		rule->public.parent_exported =
			is_covered(snapshot, rule->public.directory, NOTHING);
		if (over)
			diag_add(build->diags, DIAG_WARNING, &at,
				 "'%s' at %s:%u matches '%s' too; what lies on the way there is no "
				 "medium of it",
				 over->public.text, over->public.file, over->public.line,
				 rule->public.directory);
	}
	for (uint32_t i = 0; i < snapshot->n_listed && snapshot->rules.n; i++)
		look_below_media(build, &snapshot->records.items[i].export);
	for (uint32_t i = 0; i < snapshot->n_listed && build->has_root_number; i++) {
		const struct snapshot_export *export = &snapshot->records.items[i].export;

		if (export->pattern && !is_covered(snapshot, export->path, export->client->id))
			WARN(build, export_item_of(snapshot, export),
			     "with fsid=0 exported there is no pseudo-root, and '%s' does not export "
			     "'%s': NFSv4 clients cannot walk there",
			     export->client->name, export->path);
	}
}

/* A place and a record for each line, and some directories above them. */
static int reserve(struct build *build)
{
	struct snapshot *snapshot = build->snapshot;
	uint32_t n = snapshot->source->n_items;
	int r = index_reserve(&snapshot->records_by_pair, n);

	if (r == 0)
		r = index_reserve(&snapshot->places_by_path, n + n / 32);
	if (r == 0 && build->facts->seen)
		r = index_reserve(&snapshot->places_by_inode, n);
	if (r == 0)
		r = index_reserve(&build->by_written, n);
	return r;
}

static void fit(struct snapshot *snapshot)
{
	struct index *const indices[] = {
		&snapshot->places_by_path,     &snapshot->places_by_inode,
		&snapshot->records_by_pair,    &snapshot->records_below,
		&snapshot->records_by_number,  &snapshot->clients_by_name,
		&snapshot->addresses_by_value, &snapshot->subnets_by_net,
	};

	vector_fit(&snapshot->records);
	vector_fit(&snapshot->places);
	for (size_t i = 0; i < N_ELEMENTS(indices); i++)
		index_fit(indices[i]);
}

static int build_all(struct build *build)
{
	int r = reserve(build);

	if (r == 0)
		r = add_items(build);
	if (r == 0)
		r = clients_finish(&build->clients);
	if (r == 0)
		r = add_pseudo_roots(build);
	if (r == 0)
		r = index_numbers(build);
	if (r < 0)
		return r;
	fit(build->snapshot);
	look_at_rules(build);
	return 0;
}

int snapshot_new(struct exports_source *source, const struct snapshot_facts *facts,
		 bool drop_unresolved, struct diags *diags, struct snapshot **ret_snapshot)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct build build = {
		.snapshot = snapshot,
		.facts = facts,
		.diags = diags,
		.clients = { .snapshot = snapshot,
			     .facts = facts,
			     .drop_unresolved = drop_unresolved },
	};
	int r;

	if (!snapshot) {
		exports_source_free(source);
		return -ENOMEM;
	}
	snapshot->source = source;
	snapshot->anonymous = NOTHING;
	r = build_all(&build);
	clients_builder_done(&build.clients);
	free(build.written.items);
	free(build.by_written.slots);
	free(build.rules_by_pattern.slots);
	if (r < 0) {
		snapshot_free(snapshot);
		return r;
	}
	*ret_snapshot = snapshot;
	return 0;
}
