/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * layers.c - what is said of exportsd.conf's keys elsewhere: in nfs.conf(5), and on the
 * command line.
 *
 * nfs.conf is the stock tools', who take a value that they do not understand for none: so it is a
 * warning here, and the default counts. What rpc.mountd knows and exportsd has no use for is named,
 * so that nobody waits for an effect.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "exportsd/config/nfsconf.h"
#include "exportsd/config/private.h"
#include "parser/text.h"

/*
 * Sections of nfs.conf that are for whom exportsd stands in; other sections have readers of their
 * own.
 */
static const char *const own_sections[] = { "mountd", "exportd", "exports" };

/* nfs-utils utils/mountd/main.c read_mountd_conf(), utils/exportd/exportd.c read_exportd_conf(). */
static const struct {
	const char *section, *tag, *why;
} idle_settings[] = {
	{ "mountd", "threads",
	  "exportsd has one, and nobody waits for another's DNS or disk in it" },
	{ "exportd", "threads",
	  "exportsd has one, and nobody waits for another's DNS or disk in it" },
	{ "mountd", "descriptors", "exportsd takes as many as the system lets it have" },
	{ "mountd", "no-netlink", "exportsd uses the files of /proc/net/rpc" },
	{ "exportd", "no-netlink", "exportsd uses the files of /proc/net/rpc" },
};

static const char *const debug_kinds[] = { "general", "call", "auth", "parse", "all" };

static int layer_new(struct config_layer *ret_layer)
{
	ret_layer->texts = calloc(config_keys.n_items + 1, sizeof(char *));
	ret_layer->origins = calloc(config_keys.n_items + 1, sizeof(char *));
	return ret_layer->texts && ret_layer->origins ? 0 : -ENOMEM;
}

void config_layer_done(struct config_layer *layer)
{
	for (size_t i = 0; i < config_keys.n_items; i++) {
		if (layer->texts)
			free(layer->texts[i]);
		if (layer->origins)
			free(layer->origins[i]);
	}
	free(layer->texts);
	free(layer->origins);
	*layer = (struct config_layer){ 0 };
}

/* The last one who speaks counts. */
static int layer_set(struct config_layer *layer, size_t index, const char *text, const char *origin)
{
	free(layer->texts[index]);
	free(layer->origins[index]);
	layer->texts[index] = strdup(text);
	layer->origins[index] = strdup(origin);
	return layer->texts[index] && layer->origins[index] ? 0 : -ENOMEM;
}

/* ---- nfs.conf ---- */

static void warn(const struct nfsconf_setting *setting, struct diags *diags, const char *what,
		 const char *why)
{
	const struct position at = {
		.file = setting->file,
		.line = setting->line,
		.column = setting->column,
	};

	diag_add(diags, DIAG_WARNING, &at, "[%s] %s: '%s' %s%s", setting->section, setting->tag,
		 setting->value, what, why);
}

static bool is_in(const char *word, const char *const *words, size_t n_words)
{
	for (size_t i = 0; i < n_words; i++)
		if (strcasecmp(word, words[i]) == 0)
			return true;
	return false;
}

/* nfs-utils conf_get_bool(). Returns NULL for anything else. */
static const char *boolean_of(const char *value)
{
	static const char *const yes[] = { "1", "t", "true", "y", "yes", "on" };
	static const char *const no[] = { "0", "f", "false", "n", "no", "off" };

	if (is_in(value, yes, N_ELEMENTS(yes)))
		return "true";
	return is_in(value, no, N_ELEMENTS(no)) ? "false" : NULL;
}

/* A list of kinds of messages: exportsd has but one. */
static const char *debug_of(const char *value)
{
	CLEANUP(freep) char *copy = strdup(value);

	for (char *rest = copy, *word; copy && (word = strsep(&rest, ", \t"));)
		if (is_in(word, debug_kinds, N_ELEMENTS(debug_kinds)))
			return "true";
	return boolean_of(value);
}

/* What a value of nfs.conf is in exportsd.conf's notation, or NULL with a sentence. */
static const char *translate(const struct config_key *key, const char *value, char *reterr_why)
{
	const char *text = value;

	if (key->offset == offsetof(struct config, debug))
		text = debug_of(value);
	else if (key->kind == KIND_BOOLEAN)
		text = boolean_of(value);
	if (!text)
		snprintf(reterr_why, CONFIG_WHY_BYTES, "is neither yes nor no");
	return text && config_read_value(key, text, NULL, reterr_why) ? text : NULL;
}

/* Take what one setting says of a key. Returns 0; 1 if it says nothing; -ENOMEM. */
static int take_setting(struct config_layer *layer, size_t index, const struct nfsconf *conf,
			const struct nfsconf_setting *setting, struct diags *diags)
{
	const struct config_key *key = &config_keys.items[index];
	const char *value = nfsconf_value(conf, setting), *text;
	CLEANUP(freep) char *origin = NULL;
	char why[CONFIG_WHY_BYTES];

	if (!value)
		return 1;
	text = translate(key, value, why);
	if (!text) {
		warn(setting, diags, why, "; ignoring it");
		return 1;
	}
	origin = text_format("%s:%u: [%s] %s", setting->file, setting->line, setting->section,
			     setting->tag);
	return origin ? layer_set(layer, index, text, origin) : -ENOMEM;
}

/* Split "SECTION TAG" and look for it. */
static const struct nfsconf_setting *find_setting(const struct nfsconf *conf, const char *name)
{
	char section[32];
	size_t length = strcspn(name, " ");

	snprintf(section, sizeof(section), "%.*s", (int)length, name);
	return nfsconf_find(conf, section, NULL, name + length + 1);
}

static int take_settings(struct config_layer *layer, const struct nfsconf *conf,
			 struct diags *diags)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < config_keys.n_items; i++) {
		const struct config_key *key = &config_keys.items[i];

		r = 1;
		for (size_t j = 0; r > 0 && j < N_ELEMENTS(key->nfs_conf) && key->nfs_conf[j];
		     j++) {
			const struct nfsconf_setting *setting =
				find_setting(conf, key->nfs_conf[j]);

			if (setting)
				r = take_setting(layer, i, conf, setting, diags);
		}
	}
	return r < 0 ? r : 0;
}

static bool is_known(const struct nfsconf_setting *setting)
{
	char name[128];

	snprintf(name, sizeof(name), "%s %s", setting->section, setting->tag);
	for (size_t i = 0; i < config_keys.n_items; i++)
		for (size_t j = 0; j < N_ELEMENTS(config_keys.items[i].nfs_conf); j++)
			if (config_keys.items[i].nfs_conf[j] &&
			    strcasecmp(config_keys.items[i].nfs_conf[j], name) == 0)
				return true;
	return false;
}

/* Why a setting that rpc.mountd knows changes nothing here, or NULL. */
static const char *idle_reason(const struct nfsconf_setting *setting)
{
	for (size_t i = 0; i < N_ELEMENTS(idle_settings); i++)
		if (strcasecmp(setting->section, idle_settings[i].section) == 0 &&
		    strcasecmp(setting->tag, idle_settings[i].tag) == 0)
			return idle_settings[i].why;
	return NULL;
}

static void tell_of_others(const struct nfsconf *conf, struct diags *diags)
{
	for (size_t i = 0; i < nfsconf_n_settings(conf); i++) {
		const struct nfsconf_setting *setting = nfsconf_setting(conf, i);
		const char *why = idle_reason(setting);

		if (setting->subsection ||
		    !is_in(setting->section, own_sections, N_ELEMENTS(own_sections)))
			continue;
		if (why)
			warn(setting, diags, "has no effect: ", why);
		else if (!is_known(setting))
			warn(setting, diags,
			     "has no effect: ", "exportsd does not know the setting");
	}
}

static bool is_off(const struct nfsconf *conf, const char *name)
{
	const struct nfsconf_setting *setting = find_setting(conf, name);
	const char *value = setting ? nfsconf_value(conf, setting) : NULL;
	const char *text = value ? boolean_of(value) : NULL;

	return text && str_equal(text, "false");
}

/* rpc.mountd does not start either (utils/mountd/main.c, after its options). */
static void check_versions(const char *file, const struct nfsconf *conf, struct diags *diags)
{
	const struct position whole = { .file = file };

	if (is_off(conf, "nfsd vers2") && is_off(conf, "nfsd vers3") && is_off(conf, "nfsd vers4"))
		diag_add(diags, DIAG_ERROR, &whole,
			 "vers2, vers3 and vers4 of [nfsd] are all off: nothing is left to serve");
}

int config_layer_nfs_conf(const char *file, struct diags *diags, struct config_layer *ret_layer)
{
	struct nfsconf *conf = NULL;
	int r = layer_new(ret_layer);

	if (r < 0 || !*file)
		return r;
	r = nfsconf_load(file, diags, &conf);
	if (r == 0)
		r = take_settings(ret_layer, conf, diags);
	if (r == 0) {
		tell_of_others(conf, diags);
		check_versions(file, conf, diags);
	}
	nfsconf_free(conf);
	return r;
}

/* ---- the command line ---- */

static bool check_list(const struct config_key *key, const char *text, char *reterr_why)
{
	CLEANUP(freep) char *copy = strdup(text);
	bool is_good = copy;

	for (char *rest = copy, *value; is_good && *text && (value = strsep(&rest, ","));)
		is_good = config_read_value(key, value, NULL, reterr_why);
	return is_good;
}

static int take_one(struct config_layer *layer, const char *setting, struct diags *diags)
{
	const struct position whole = { .file = "command line" };
	size_t length = strcspn(setting, "=");
	const struct config_key *key = config_find_key(&config_keys, setting, length);
	const char *text = setting + length + (setting[length] == '=');
	char why[CONFIG_WHY_BYTES] = "cannot be checked: out of memory";

	if (!key) {
		diag_add(diags, DIAG_ERROR, &whole, "unknown key '%.*s'", (int)length, setting);
		return 0;
	}
	if (key->kind == KIND_PATHS ? check_list(key, text, why)
				    : config_read_value(key, text, NULL, why))
		return layer_set(layer, (size_t)(key - config_keys.items), text, "command line");
	diag_add(diags, DIAG_ERROR, &whole, "%s: '%s' %s", key->name, text, why);
	return 0;
}

int config_layer_settings(const char *const *settings, struct diags *diags,
			  struct config_layer *ret_layer)
{
	int r = layer_new(ret_layer);

	while (r == 0 && settings && *settings)
		r = take_one(ret_layer, *settings++, diags);
	return r;
}
