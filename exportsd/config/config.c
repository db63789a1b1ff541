/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * config.c - reading exportsd.conf(5) after the tables of keys.c.
 *
 * libconfuse knows the grammar and keeps every value as text; what the text means is checked
 * here, because its own readers stop at the first bad value, and its integer reader trusts an old
 * errno. A file is read as often as it has distinct unknown keys, plus once: libconfuse stops at
 * a key that it does not know, so that key is reported, added to its table as one
 * whose value does not matter, and the text is read anew. Thus one run reports every fault but
 * those after a syntax error.
 *
 * Comments are blanked out first: libconfuse 3.3 counts three lines for each, would take all that
 * follows an unclosed comment for one, and in "//x" sees a word. So only # begins a comment here.
 *
 * libconfuse hands its callbacks no pointer of ours, and its scanner is one for the whole
 * process, so "reading" is one, too.
 */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>

#include <confuse.h>

#include "exportsd/config/private.h"
#include "parser/file.h"
#include "parser/typo.h"
#include "parser/text.h"

enum {
	FILE_MAX_BYTES = 1024 * 1024,
	UNKNOWN_MAX = 20,
	SUGGEST_DISTANCE = 3,
	NAME_MAX_BYTES = 64,
	OPTIONS_MAX = 80,
};

static struct {
	const char *file;
	const char *text; /* the whole file, as it is */
	const char *bare; /* the same without comments */
	size_t n_bytes; /* of either */
	struct diags *faults; /* of this pass; NULL: keep silent */
	struct diags *unknown; /* what is not found anew in each pass: unknown keys, comments */
	struct {
		char name[NAME_MAX_BYTES];
		bool is_in_rule;
	} names[UNKNOWN_MAX]; /* the unknown keys */
	size_t n_names;
	bool again; /* this pass stopped at one */
	const struct config_layer *settings; /* that go before the text's */
	bool defaults_only; /* no nfs.conf */
} reading;

/* ---- faults ---- */

/*
 * Line @number of the text, and the column of @token in it: its first byte that is no blank
 * without.
 */
static struct position position_of(int number, const char *token)
{
	struct position at = { .file = reading.file, .line = (unsigned int)number, .column = 1 };
	const char *line = reading.text, *found;

	for (int i = 1; line && i < number; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return at;
	at.line_text = line;
	at.line_length = strcspn(line, "\n");
	found = token && *token ? memmem(line, at.line_length, token, strlen(token)) : NULL;
	at.column += (unsigned int)(found ? (size_t)(found - line) : strspn(line, " \t"));
	return at;
}

static bool is_rule(const cfg_t *cfg)
{
	return str_equal(cfg->name, "rule");
}

static const struct config_keys *keys_of(const cfg_t *cfg)
{
	return is_rule(cfg) ? &config_rule_keys : &config_keys;
}

/* The known key that @name was probably meant to be, or NULL. */
static const char *nearest_key(const struct config_keys *keys, const char *name)
{
	size_t best = SUGGEST_DISTANCE + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < keys->n_items; i++) {
		const char *known = keys->items[i].name;
		size_t steps = typo_distance(name, strlen(name), known);

		if (strncmp(known, name, strlen(name)) == 0 && strlen(name) > 2 && best > 1)
			steps = 1; /* cut short: "ttl", "mount-serv" */
		if (steps < best) {
			best = steps;
			nearest = known;
		}
	}
	return nearest;
}

static void report_unknown(cfg_t *cfg, const char *name)
{
	struct position at = position_of(cfg->line, name);
	const char *nearest = nearest_key(keys_of(cfg), name);

	if (reading.n_names < UNKNOWN_MAX && strlen(name) < NAME_MAX_BYTES) {
		strcpy(reading.names[reading.n_names].name, name);
		reading.names[reading.n_names++].is_in_rule = is_rule(cfg);
		reading.again = true;
	}
	diag_add(reading.unknown, DIAG_ERROR, &at, "unknown key '%s'%s%s%s%s", name,
		 is_rule(cfg) ? " of a rule" : "", nearest ? "; did you mean '" : "", nearest ?: "",
		 nearest ? "'?" : "");
}

/* libconfuse's own complaints. Its text for an unknown key is the only way to hear of one. */
static void hear_error(cfg_t *cfg, const char *format, va_list ap) FORMAT_PRINTF(2, 0);
static void hear_error(cfg_t *cfg, const char *format, va_list ap)
{
	CLEANUP(freep) char *text = NULL;
	struct position at;

	if (!reading.faults)
		return;
	if (strstr(format, "no such option")) {
		report_unknown(cfg, va_arg(ap, const char *));
		return;
	}
	text = text_vformat(format, ap);
	at = position_of(cfg->line, NULL);
	diag_add(reading.faults, DIAG_ERROR, &at, "%s", text ?: format);
}

/* ---- values ---- */

/* Called for each value of a file: report what is wrong, and let libconfuse go on. */
static int take_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *ret_text)
{
	const struct config_key *key = config_find_key(keys_of(cfg), opt->name, strlen(opt->name));
	char why[CONFIG_WHY_BYTES];

	if (reading.faults && !config_read_value(key, text, NULL, why)) {
		struct position at = position_of(cfg->line, text);

		diag_add(reading.faults, DIAG_ERROR, &at, "%s: '%s' %s", key->name, text, why);
	}
	*(const char **)ret_text = text;
	return 0;
}

/* ---- from libconfuse's values to ours ---- */

static int copy_string(cfg_opt_t *opt, char **ret_text)
{
	char *text = strdup(cfg_opt_getnstr(opt, 0));

	if (!text)
		return -ENOMEM;
	free(*ret_text);
	*ret_text = text;
	return 0;
}

static char **strings_free(char **strings)
{
	for (char **string = strings; string && *string; string++)
		free(*string);
	free(strings);
	return NULL;
}

static int copy_strings(cfg_opt_t *opt, char ***ret_strings)
{
	unsigned int n = cfg_opt_size(opt);
	char **strings = calloc(n + 1, sizeof(*strings));

	if (!strings)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		strings[i] = strdup(cfg_opt_getnstr(opt, i));
		if (!strings[i]) {
			strings_free(strings);
			return -ENOMEM;
		}
	}
	strings_free(*ret_strings);
	*ret_strings = strings;
	return 0;
}

/* Values are checked by now. @values: what the key's offset counts from */
static int copy_value(const struct config_key *key, cfg_opt_t *opt, void *values)
{
	void *field = (char *)values + key->offset;
	char why[CONFIG_WHY_BYTES];

	if (key->kind == KIND_PATHS)
		return copy_strings(opt, field);
	if (kind_is_string(key->kind))
		return *cfg_opt_getnstr(opt, 0) ? copy_string(opt, field) : 0;
	return config_read_value(key, cfg_opt_getnstr(opt, 0), field, why) ? 0 : -EINVAL;
}

static int copy_section(cfg_t *cfg, const struct config *config, struct config_section *section)
{
	int r = 0;

	section->values = config_rule(config, NULL);
	section->pattern = strdup(cfg_title(cfg));
	if (!section->pattern)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < config_rule_keys.n_items; i++) {
		cfg_opt_t *opt = cfg_getopt(cfg, config_rule_keys.items[i].name);

		if (cfg_opt_size(opt) > 0)
			r = copy_value(&config_rule_keys.items[i], opt, &section->values);
	}
	return r;
}

static int copy_sections(cfg_t *cfg, struct config *config)
{
	unsigned int n = cfg_size(cfg, "rule");
	int r = 0;

	config->sections = calloc(n ? n : 1, sizeof(*config->sections));
	if (!config->sections)
		return -ENOMEM;
	for (unsigned int i = 0; r == 0 && i < n; i++)
		r = copy_section(cfg_getnsec(cfg, "rule", i), config,
				 &config->sections[config->n_sections++]);
	return r;
}

/* ---- what is said elsewhere ---- */

/* Set a value as if the file had. */
static int set_value(cfg_t *cfg, const struct config_key *key, const char *text)
{
	CLEANUP(freep) char *copy = strdup(text);
	CLEANUP(freep) char **values = NULL;
	unsigned int n = 0;

	if (key->kind != KIND_PATHS)
		return cfg_setstr(cfg, key->name, text) == CFG_SUCCESS ? 0 : -ENOMEM;
	values = calloc(strlen(text) + 1, sizeof(*values));
	if (!copy || !values)
		return -ENOMEM;
	for (char *rest = copy, *value; (value = strsep(&rest, ","));)
		values[n++] = value;
	if (!*text)
		return cfg_free_value(cfg_getopt(cfg, key->name)) == CFG_SUCCESS ? 0 : -ENOMEM;
	return cfg_setmulti(cfg, key->name, n, values) == CFG_SUCCESS ? 0 : -ENOMEM;
}

static int set_origin(struct config *config, size_t index, const char *origin)
{
	config->origins[index] = origin ? strdup(origin) : NULL;
	return origin && !config->origins[index] ? -ENOMEM : 0;
}

/* The file's value stays, but for what the command line says; what it lacks is as in nfs.conf. */
static int set_by_layers(cfg_t *cfg, const struct config_layer *nfs_conf, struct config *config)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < config_keys.n_items; i++) {
		const struct config_key *key = &config_keys.items[i];
		bool is_in_file = !(cfg_getopt(cfg, key->name)->flags & CFGF_RESET);
		const struct config_layer *layer = reading.settings;
		const char *origin = is_in_file ? reading.file : NULL;

		if (!layer->texts[i])
			layer = is_in_file ? NULL : nfs_conf;
		if (layer && layer->texts[i]) {
			r = set_value(cfg, key, layer->texts[i]);
			origin = layer->origins[i];
		}
		if (r == 0)
			r = set_origin(config, i, origin);
	}
	return r;
}

static const char *nfs_conf_file(cfg_t *cfg)
{
	const char *name = "nfs-conf";
	const struct config_key *key = config_find_key(&config_keys, name, strlen(name));

	return reading.settings->texts[key - config_keys.items] ?: cfg_getstr(cfg, name);
}

static int take_layers(cfg_t *cfg, struct config *config)
{
	CLEANUP(config_layer_done) struct config_layer nfs_conf = { 0 };
	int r = config_layer_nfs_conf(reading.defaults_only ? "" : nfs_conf_file(cfg),
				      reading.faults, &nfs_conf);

	config->origins = calloc(config_keys.n_items + 1, sizeof(char *));
	if (r == 0 && !config->origins)
		r = -ENOMEM;
	return r == 0 ? set_by_layers(cfg, &nfs_conf, config) : r;
}

static int copy_values(cfg_t *cfg, struct config **ret_config)
{
	struct config *config = calloc(1, sizeof(*config));
	int r = config ? take_layers(cfg, config) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < config_keys.n_items; i++)
		r = copy_value(&config_keys.items[i], cfg_getopt(cfg, config_keys.items[i].name),
			       config);
	if (r == 0)
		r = copy_sections(cfg, config);
	if (r < 0)
		config_free(config);
	else
		*ret_config = config;
	return r;
}

/* ---- reading ---- */

/* libconfuse's options for a table and its unknown keys met so far. */
static void make_options(const struct config_keys *keys, bool is_in_rule,
			 cfg_opt_t options[OPTIONS_MAX])
{
	size_t n = 0;

	assert(keys->n_items + UNKNOWN_MAX + 2 <= OPTIONS_MAX);
	for (size_t i = 0; i < keys->n_items; i++) {
		const struct config_key *key = &keys->items[i];
		cfg_flag_t flags = key->fallback ? CFGF_NONE : CFGF_NODEFAULT;

		if (key->kind == KIND_PATHS)
			options[n++] = (cfg_opt_t)CFG_STR_LIST_CB(key->name, (char *)key->fallback,
								  flags, take_value);
		else
			options[n++] = (cfg_opt_t)CFG_STR_CB(key->name, (char *)key->fallback,
							     flags, take_value);
	}
	for (size_t i = 0; i < reading.n_names; i++)
		if (reading.names[i].is_in_rule == is_in_rule)
			options[n++] =
				(cfg_opt_t)CFG_STR_LIST(reading.names[i].name, NULL, CFGF_NONE);
	options[n] = (cfg_opt_t)CFG_END();
}

/* libconfuse's context for the file; the key "rule" is behind the others. */
static cfg_t *make_context(void)
{
	cfg_opt_t options[OPTIONS_MAX], of_rule[OPTIONS_MAX];
	size_t n = 0;
	cfg_t *cfg;

	make_options(&config_keys, false, options);
	make_options(&config_rule_keys, true, of_rule);
	while (options[n].name)
		n++;
	options[n] =
		(cfg_opt_t)CFG_SEC("rule", of_rule, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	options[n + 1] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(options, CFGF_NONE);
	if (cfg)
		cfg_set_error_function(cfg, hear_error);
	return cfg;
}

/* What single values do not show. */
static void check_together(struct config *config)
{
	const struct position whole = { .file = reading.file };

	if (!config->mount_v2 && !config->mount_v3)
		config->mount_service = false;
	if (config->mount_service && !config->mount_tcp && !config->mount_udp)
		diag_add(reading.faults, DIAG_ERROR, &whole,
			 "mount-tcp and mount-udp are both false; to have no MOUNT service, set "
			 "mount-service = false");
}

/* One pass over the text. Returns 0, even if there were faults; -ENOMEM. */
static int parse_once(struct diags *faults, struct config **ret_config)
{
	FILE *from = fmemopen((char *)reading.bare, reading.n_bytes, "r");
	cfg_t *cfg;
	int r = 0;

	if (!from)
		return -ENOMEM;
	reading.again = false;
	reading.faults = NULL; /* nothing about the defaults */
	cfg = make_context();
	reading.faults = faults;
	if (!cfg)
		r = -ENOMEM;
	else if (cfg_parse_fp(cfg, from) == CFG_SUCCESS && !faults->n_errors)
		r = copy_values(cfg, ret_config);
	if (r == 0 && *ret_config)
		check_together(*ret_config);
	reading.faults = NULL;
	if (cfg)
		cfg_free(cfg);
	fclose(from);
	return r;
}

static void add_again(const struct diag *diag, struct diags *to)
{
	const struct position at = {
		.file = diag->file,
		.line = diag->line,
		.column = diag->column,
		.line_text = diag->line_text,
		.line_length = diag->line_text ? strlen(diag->line_text) : 0,
	};

	diag_add(to, diag->level, &at, "%s", diag->text);
}

/* Both lists are in the order of the lines already. */
static void merge_faults(const struct diags *a, const struct diags *b, struct diags *to)
{
	size_t i = 0, j = 0;

	while (i < a->n_items || j < b->n_items)
		if (j == b->n_items || (i < a->n_items && a->items[i].line <= b->items[j].line))
			add_again(&a->items[i++], to);
		else
			add_again(&b->items[j++], to);
	to->out_of_memory |= a->out_of_memory || b->out_of_memory;
}

/* The byte behind the string that begins at @quote, or NULL if it does not end. */
static const char *skip_string(const char *quote)
{
	const char *at = quote + 1;

	for (; *at && *at != *quote; at++)
		if (*at == '\\' && at[1])
			at++;
	return *at ? at + 1 : NULL;
}

static void report_at(const char *where, const char *text)
{
	struct position at = { .file = reading.file, .line = 1 };
	const char *line = reading.text;

	for (const char *byte = line; byte < where; byte++)
		if (*byte == '\n') {
			at.line++;
			line = byte + 1;
		}
	at.column = (unsigned int)(where - line) + 1;
	at.line_text = line;
	at.line_length = strcspn(line, "\n");
	diag_add(reading.unknown, DIAG_ERROR, &at, "%s", text);
}

/*
 * Blank out comments in @bare, a copy of the text. Comments of C, which libconfuse would take, too,
 * are faults. Returns false if a string does not end: then nothing behind it can be understood.
 */
static bool blank_comments(char *bare)
{
	for (const char *from = reading.text, *word = from; *from;) {
		char *to = bare + (from - reading.text);
		bool c_comment =
			from == word && from[0] == '/' && (from[1] == '/' || from[1] == '*');

		if (*from == '#' || c_comment) {
			size_t length = strcspn(from, "\n");

			if (c_comment)
				report_at(
					from,
					"a comment begins with #; a value that begins so needs quotes");
			memset(to, ' ', length);
			from += length;
		} else if (*from == '"' || *from == '\'') {
			const char *end = skip_string(from);

			if (!end) {
				report_at(from, "this string has no closing quote");
				return false;
			}
			from = end;
		} else {
			from++;
		}
		if (strchr(" \t\r\n={}(),+\"'", from[-1]))
			word = from;
	}
	return true;
}

/* Passes until one does not stop at an unknown key: see the head of this file. */
static int parse_passes(struct diags *faults, struct config **ret_config)
{
	int r;

	reading.n_names = 0;
	do {
		diags_done(faults);
		*ret_config = config_free(*ret_config);
		r = parse_once(faults, ret_config);
	} while (r == 0 && reading.again);
	return r;
}

static int parse_text(const char *file, const char *text, size_t n_bytes, struct diags *diags,
		      struct config **ret_config)
{
	struct diags unknown = { 0 }, faults = { 0 };
	struct config *config = NULL;
	CLEANUP(freep) char *bare = strdup(text);
	int r = 0;

	assert(text);
	if (!bare)
		return -ENOMEM;
	reading.file = file;
	reading.text = text;
	reading.bare = bare;
	reading.n_bytes = n_bytes;
	reading.unknown = &unknown;
	if (blank_comments(bare))
		r = parse_passes(&faults, &config);
	if (r == 0)
		merge_faults(&unknown, &faults, diags);
	if (r == 0 && (unknown.out_of_memory || faults.out_of_memory))
		r = -ENOMEM;
	else if (r == 0 && (unknown.n_errors || faults.n_errors))
		r = CONFIG_INVALID;
	if (r == 0)
		*ret_config = TAKE_PTR(config);
	config_free(config);
	diags_done(&unknown);
	diags_done(&faults);
	return r;
}

/* The whole file. Returns 0; -errno; -EFBIG; -EINVAL if it holds a NUL. */
static int read_file(const char *file, char **ret_text, size_t *ret_n_bytes)
{
	CLEANUP(closep) int fd = file_open(file);
	int r = fd < 0 ? fd : file_read(fd, FILE_MAX_BYTES, ret_text, ret_n_bytes);

	return r == 0 && strlen(*ret_text) != *ret_n_bytes ? -EINVAL : r;
}

static int load(const char *file, bool optional, struct diags *diags, struct config **ret_config)
{
	const struct position whole = { .file = file };
	CLEANUP(freep) char *text = NULL;
	size_t n_bytes = 0;
	int r = file ? read_file(file, &text, &n_bytes) : -ENOENT;

	reading.defaults_only = !file;
	if (!file || (r == -ENOENT && optional))
		return parse_text("(defaults)", "", 0, diags, ret_config);
	if (r == -ENOMEM)
		return r;
	if (r == -EINVAL)
		diag_add(diags, DIAG_ERROR, &whole, "is no text: it has a NUL byte");
	else if (r < 0)
		diag_add(diags, DIAG_ERROR, &whole, "cannot read it: %s", strerror(-r));
	if (r < 0)
		return CONFIG_INVALID;
	return parse_text(file, text, n_bytes, diags, ret_config);
}

int config_load_with(const char *file, bool optional, const char *const *settings,
		     struct diags *diags, struct config **ret_config)
{
	CLEANUP(config_layer_done) struct config_layer layer = { 0 };
	size_t n_before = diags->n_errors;
	struct config *config = NULL;
	int r = config_layer_settings(settings, diags, &layer);

	if (r < 0)
		return r;
	reading.settings = &layer;
	r = load(file, optional, diags, &config);
	reading.settings = NULL;
	if (r == 0 && diags->n_errors > n_before)
		r = CONFIG_INVALID;
	if (r == 0)
		*ret_config = TAKE_PTR(config);
	config_free(config);
	return r;
}

int config_load(const char *file, bool optional, struct diags *diags, struct config **ret_config)
{
	return config_load_with(file, optional, NULL, diags, ret_config);
}

struct config_rule config_rule(const struct config *config, const char *text)
{
	for (size_t i = 0; i < config->n_sections; i++)
		if (text && str_equal(config->sections[i].pattern, text))
			return config->sections[i].values;
	return (struct config_rule){
		.idle_seconds = config->idle_seconds,
		.min_hold_seconds = config->min_hold_seconds,
		.deadline_seconds = config->deadline_seconds,
		.retry_seconds = config->retry_seconds,
		.after_deadline = config->after_deadline,
		.identity = config->identity,
	};
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; config->origins && i < config_keys.n_items; i++)
		free(config->origins[i]);
	free(config->origins);
	for (size_t i = 0; i < config_keys.n_items; i++) {
		void *field = (char *)config + config_keys.items[i].offset;

		if (config_keys.items[i].kind == KIND_PATHS)
			strings_free(*(char ***)field);
		else if (kind_is_string(config_keys.items[i].kind))
			free(*(char **)field);
	}
	for (size_t i = 0; i < config->n_sections; i++)
		free(config->sections[i].pattern);
	free(config->sections);
	free(config);
	return NULL;
}
