/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * config.c - one table of keys; reading, checking, defaults and printing all follow it.
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
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/un.h>

#include <confuse.h>

#include "exportsd/config.h"

enum {
	FILE_MAX_BYTES = 1024 * 1024,
	UNKNOWN_MAX = 20,
	SUGGEST_DISTANCE = 3,
	NAME_MAX_BYTES = 64,
};

enum kind {
	KIND_BOOLEAN,
	KIND_NUMBER,
	KIND_PORT,
	KIND_PATH,
	KIND_OPTIONAL_PATH, /* empty: none */
	KIND_PATHS,
	KIND_USER,
};

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *fallback; /* in libconfuse's notation */
	uint32_t min, max; /* of a number; max of a path: its length, 0: as long as paths may be */
	const char *help; /* lines of a comment */
};

#define FIELD(field) offsetof(struct config, field)
/* "/control" and its NUL must fit behind the directory in a socket's address. */
#define RUNTIME_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof("/control"))

static const struct key keys[] = {
	{ "exports-files", KIND_PATHS, FIELD(exports_files), "{\"/etc/exports\"}", 0, 0,
	  "Exports files, read in this order." },
	{ "exports-directories", KIND_PATHS, FIELD(exports_directories),
	  "{\"/etc/exports.d\", \"/etc/exportsd.d\"}", 0, 0,
	  "Directories whose *.exports files are read after them. Stock tools never open\n"
	  "/etc/exportsd.d: wildcard rules are best kept there." },
	{ "state-directory", KIND_PATH, FIELD(state_directory), "/var/lib/exportsd", 0, 0,
	  "Where the numbers of the media are kept. Back it up: old file handles need it." },
	{ "runtime-directory", KIND_PATH, FIELD(runtime_directory), "/run/exportsd", 0, RUNTIME_MAX,
	  "Where exportsctl's socket is." },
	{ "nfs-conf", KIND_OPTIONAL_PATH, FIELD(nfs_conf), "/etc/nfs.conf", 0, 0,
	  "nfs.conf(5), which says what this file does not. Empty: it is not read." },
	{ "nfs-state-directory", KIND_PATH, FIELD(nfs_state_directory), "/var/lib/nfs", 0, 0,
	  "Where etab and rmtab are, as other programs expect them." },
	{ "rootdir", KIND_OPTIONAL_PATH, FIELD(rootdir), "", 0, 0,
	  "Exported paths lie beneath this directory; clients do not see it. Empty: /." },
	{ "manage-gids", KIND_BOOLEAN, FIELD(manage_gids), "true", 0, 0,
	  "A user's groups are those this host knows, not the up to 16 that the client sends." },
	{ "ttl-seconds", KIND_NUMBER, FIELD(ttl_seconds), "1800", 10, 86400,
	  "How long the kernel may believe an answer that only a reload changes." },
	{ "medium-ttl-seconds", KIND_NUMBER, FIELD(medium_ttl_seconds), "60", 5, 86400,
	  "The same for answers about media." },
	{ "name-age-seconds", KIND_NUMBER, FIELD(name_age_seconds), "600", 1, 86400,
	  "How long an answer of the name service (DNS, netgroups) is believed." },
	{ "name-timeout-seconds", KIND_NUMBER, FIELD(name_timeout_seconds), "10", 1, 600,
	  "How long an answer of the name service is waited for." },
	{ "deadline-seconds", KIND_NUMBER, FIELD(deadline_seconds), "120", 1, 86400,
	  "How long a medium may take to load before callers of the MOUNT service get an error." },
	{ "retry-seconds", KIND_NUMBER, FIELD(retry_seconds), "15", 1, 3600,
	  "The longest pause before a busy or failed handler is asked again; the first is 1 s." },
	{ "handler-user", KIND_USER, FIELD(handler_user), "", 0, 0,
	  "Whose processes may be handlers, besides root's. Empty: nobody's." },
	{ "mount-service", KIND_BOOLEAN, FIELD(mount_service), "true", 0, 0,
	  "Serve the MOUNT protocol. NFSv3 clients need it, NFSv4 clients do not." },
	{ "mount-port", KIND_PORT, FIELD(mount_port), "20048", 0, UINT16_MAX,
	  "Its port. 0: any free one." },
	{ "mount-tcp", KIND_BOOLEAN, FIELD(mount_tcp), "true", 0, 0, "Serve it over TCP." },
	{ "mount-udp", KIND_BOOLEAN, FIELD(mount_udp), "true", 0, 0, "Serve it over UDP." },
	{ "mount-v2", KIND_BOOLEAN, FIELD(mount_v2), "true", 0, 0,
	  "Serve its versions 1 and 2, those of NFSv2 clients." },
	{ "mount-v3", KIND_BOOLEAN, FIELD(mount_v3), "true", 0, 0,
	  "Serve its version 3, that of NFSv3 clients." },
	{ "rpcbind", KIND_BOOLEAN, FIELD(rpcbind), "true", 0, 0, "Register it with rpcbind(8)." },
	{ "trust-reverse-names", KIND_BOOLEAN, FIELD(trust_reverse_names), "false", 0, 0,
	  "Match wildcard and netgroup clients by reverse look-up alone, as rpc.mountd does: then\n"
	  "whoever answers for a client's address in DNS decides what it may mount." },
	{ "cache-use-ipaddr", KIND_BOOLEAN, FIELD(cache_use_ipaddr), "false", 0, 0,
	  "Name clients to the kernel by their addresses, not by all that matches them." },
	{ "reverse-lookup", KIND_BOOLEAN, FIELD(reverse_lookup), "false", 0, 0,
	  "showmount -a lists clients by name, which takes a look-up for each." },
	{ "apply-root-cred", KIND_BOOLEAN, FIELD(apply_root_cred), "false", 0, 0,
	  "Look at the paths of MOUNT calls as root, as rpc.mountd did before 2.8.6, not as the\n"
	  "caller: then callers learn of directories that they may not enter." },
	{ "ha-callout", KIND_OPTIONAL_PATH, FIELD(ha_callout), "", 0, 0,
	  "Program run when a client mounts or unmounts. Empty: none." },
	{ "debug", KIND_BOOLEAN, FIELD(debug), "false", 0, 0, "Log more." },
};

static struct {
	const char *file;
	const char *text; /* the whole file, as it is */
	const char *bare; /* the same without comments */
	size_t n_bytes; /* of either */
	struct diags *faults; /* of this pass; NULL: keep silent */
	struct diags *unknown; /* what is not found anew in each pass: unknown keys, comments */
	char names[UNKNOWN_MAX][NAME_MAX_BYTES]; /* the unknown keys */
	size_t n_names;
	bool again; /* this pass stopped at one */
} reading;

/* ---- faults ---- */

/* Line @number of the text, and the column of @token in it: its first byte that is no blank without. */
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

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance of two names, cut to NAME_MAX_BYTES. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_BYTES + 1], n = strnlen(b, NAME_MAX_BYTES);

	for (size_t i = 0; i <= n; i++)
		row[i] = i;
	for (size_t i = 0; i < NAME_MAX_BYTES && a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t above = row[j + 1];

			row[j + 1] = min3(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[n];
}

/* The known key that @name was probably meant to be, or NULL. */
static const char *nearest_key(const char *name)
{
	size_t best = SUGGEST_DISTANCE + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		size_t steps = distance(name, keys[i].name);

		if (strncmp(keys[i].name, name, strlen(name)) == 0 && strlen(name) > 2 && best > 1)
			steps = 1; /* cut short: "ttl", "mount-serv" */
		if (steps < best) {
			best = steps;
			nearest = keys[i].name;
		}
	}
	return nearest;
}

static void report_unknown(cfg_t *cfg, const char *name)
{
	struct position at = position_of(cfg->line, name);
	const char *nearest = nearest_key(name);

	if (reading.n_names < UNKNOWN_MAX && strlen(name) < NAME_MAX_BYTES) {
		strcpy(reading.names[reading.n_names++], name);
		reading.again = true;
	}
	diag_add(reading.unknown, DIAG_ERROR, &at, "unknown key '%s'%s%s%s", name,
		 nearest ? "; did you mean '" : "", nearest ?: "", nearest ? "'?" : "");
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
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	at = position_of(cfg->line, NULL);
	diag_add(reading.faults, DIAG_ERROR, &at, "%s", text ?: format);
}

/* ---- values ---- */

/* Room for the sentence that says what is wrong with a value. */
enum { WHY_BYTES = 64 };

static bool read_boolean(const char *text, bool *ret_value, char *reterr_why)
{
	int value = cfg_parse_boolean(text);

	if (value < 0)
		snprintf(reterr_why, WHY_BYTES, "is neither true nor false");
	else
		*ret_value = value;
	return value >= 0;
}

static bool read_number(const struct key *key, const char *text, uint32_t *ret_value,
			char *reterr_why)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end) {
		snprintf(reterr_why, WHY_BYTES, "is not a whole number");
		return false;
	}
	if (errno || value < key->min || value > key->max) {
		snprintf(reterr_why, WHY_BYTES, "is not within %u .. %u", key->min, key->max);
		return false;
	}
	*ret_value = (uint32_t)value;
	return true;
}

static bool check_path(const struct key *key, const char *text, char *reterr_why)
{
	size_t max = key->max ? key->max : PATH_MAX - 1;

	if (key->kind == KIND_OPTIONAL_PATH && !*text)
		return true;
	if (*text != '/')
		snprintf(reterr_why, WHY_BYTES, "is not an absolute path");
	else if (strlen(text) > max)
		snprintf(reterr_why, WHY_BYTES, "is longer than %zu bytes", max);
	else
		return true;
	return false;
}

/* Is this a value for the key (for a list: one of its values)? */
static bool check_value(const struct key *key, const char *text, char *reterr_why)
{
	uint32_t number;
	bool boolean;

	switch (key->kind) {
	case KIND_BOOLEAN: return read_boolean(text, &boolean, reterr_why);
	case KIND_NUMBER:
	case KIND_PORT: return read_number(key, text, &number, reterr_why);
	case KIND_PATH:
	case KIND_OPTIONAL_PATH:
	case KIND_PATHS: return check_path(key, text, reterr_why);
	case KIND_USER: return true;
	}
	return false;
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(keys); i++)
		if (str_equal(keys[i].name, name))
			return &keys[i];
	return NULL;
}

/* Called for each value of a file: report what is wrong, and let libconfuse go on. */
static int take_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *ret_text)
{
	const struct key *key = find_key(opt->name);
	char why[WHY_BYTES];

	if (reading.faults && !check_value(key, text, why)) {
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

/* Values are checked by now. */
static int copy_value(const struct key *key, cfg_opt_t *opt, struct config *config)
{
	void *field = (char *)config + key->offset;
	char why[WHY_BYTES];
	uint32_t number = 0;

	switch (key->kind) {
	case KIND_BOOLEAN: (void)read_boolean(cfg_opt_getnstr(opt, 0), field, why); return 0;
	case KIND_NUMBER: (void)read_number(key, cfg_opt_getnstr(opt, 0), field, why); return 0;
	case KIND_PORT:
		(void)read_number(key, cfg_opt_getnstr(opt, 0), &number, why);
		*(uint16_t *)field = (uint16_t)number;
		return 0;
	case KIND_OPTIONAL_PATH:
	case KIND_USER: return *cfg_opt_getnstr(opt, 0) ? copy_string(opt, field) : 0;
	case KIND_PATH: return copy_string(opt, field);
	case KIND_PATHS: return copy_strings(opt, field);
	}
	return -EINVAL;
}

static int copy_values(cfg_t *cfg, struct config **ret_config)
{
	struct config *config = calloc(1, sizeof(*config));
	int r = config ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < N_ELEMENTS(keys); i++)
		r = copy_value(&keys[i], cfg_getopt(cfg, keys[i].name), config);
	if (r < 0)
		config_free(config);
	else
		*ret_config = config;
	return r;
}

/* ---- reading ---- */

/* libconfuse's context for the table and the unknown keys met so far. */
static cfg_t *make_context(void)
{
	cfg_opt_t options[N_ELEMENTS(keys) + UNKNOWN_MAX + 1] = { CFG_END() };
	size_t n = 0;
	cfg_t *cfg;

	for (size_t i = 0; i < N_ELEMENTS(keys); i++)
		if (keys[i].kind == KIND_PATHS)
			options[n++] = (cfg_opt_t)CFG_STR_LIST_CB(
				keys[i].name, (char *)keys[i].fallback, CFGF_NONE, take_value);
		else
			options[n++] = (cfg_opt_t)CFG_STR_CB(keys[i].name, (char *)keys[i].fallback,
							     CFGF_NONE, take_value);
	for (size_t i = 0; i < reading.n_names; i++)
		options[n++] = (cfg_opt_t)CFG_STR_LIST(reading.names[i], NULL, CFGF_NONE);
	options[n] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(options, CFGF_NONE);
	if (cfg)
		cfg_set_error_function(cfg, hear_error);
	return cfg;
}

/* What single values do not show. */
static void check_together(const struct config *config)
{
	const struct position whole = { .file = reading.file };

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
 * Blank out comments in @bare, a copy of the text. Comments of C, which libconfuse would take, too, are
 * faults. Returns false if a string does not end: then nothing behind it can be understood.
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

/* The whole file, with a NUL behind it. Returns 0; -errno; -EFBIG; -EINVAL if it holds a NUL itself. */
static int read_file(const char *file, char **ret_text, size_t *ret_n_bytes)
{
	CLEANUP(closep) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	CLEANUP(freep) char *text = malloc(FILE_MAX_BYTES + 1);
	size_t n = 0;

	if (fd < 0)
		return -errno;
	if (!text)
		return -ENOMEM;
	for (;;) {
		ssize_t got = read(fd, text + n, FILE_MAX_BYTES + 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		n += (size_t)got;
		if (n > FILE_MAX_BYTES)
			return -EFBIG;
		if (got == 0)
			break;
	}
	text[n] = '\0';
	if (strlen(text) != n)
		return -EINVAL;
	*ret_text = TAKE_PTR(text);
	*ret_n_bytes = n;
	return 0;
}

int config_load(const char *file, bool optional, struct diags *diags, struct config **ret_config)
{
	const struct position whole = { .file = file };
	CLEANUP(freep) char *text = NULL;
	size_t n_bytes = 0;
	int r = file ? read_file(file, &text, &n_bytes) : -ENOENT;

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

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		void *field = (char *)config + keys[i].offset;

		if (keys[i].kind == KIND_PATHS)
			strings_free(*(char ***)field);
		else if (keys[i].kind == KIND_PATH || keys[i].kind == KIND_OPTIONAL_PATH ||
			 keys[i].kind == KIND_USER)
			free(*(char **)field);
	}
	free(config);
	return NULL;
}

/* ---- printing ---- */

/*
 * A string as libconfuse's scanner reads it back. Within single quotes only the quote and the
 * backslash need one before them; within double ones ${NAME} would be looked up.
 */
static void print_string(const char *text, FILE *to)
{
	char quote = strpbrk(text, "\"\\$") ? '\'' : '"';

	fputc(quote, to);
	for (; *text; text++) {
		if (*text == '\\' || *text == quote)
			fputc('\\', to);
		fputc(*text, to);
	}
	fputc(quote, to);
}

static void print_strings(char *const *strings, FILE *to)
{
	fputc('{', to);
	for (size_t i = 0; strings[i]; i++) {
		fputs(i ? ", " : "", to);
		print_string(strings[i], to);
	}
	fputc('}', to);
}

static void print_value(const struct key *key, const struct config *config, FILE *to)
{
	const void *field = (const char *)config + key->offset;

	switch (key->kind) {
	case KIND_BOOLEAN: fputs(*(const bool *)field ? "true" : "false", to); break;
	case KIND_NUMBER: fprintf(to, "%u", *(const uint32_t *)field); break;
	case KIND_PORT: fprintf(to, "%u", *(const uint16_t *)field); break;
	case KIND_PATH:
	case KIND_OPTIONAL_PATH:
	case KIND_USER: print_string(*(char *const *)field ?: "", to); break;
	case KIND_PATHS: print_strings(*(char **const *)field, to); break;
	}
}

static void print_comment(const char *lines, FILE *to)
{
	while (*lines) {
		int length = (int)strcspn(lines, "\n");

		fprintf(to, "# %.*s\n", length, lines);
		lines += length + (lines[length] == '\n');
	}
}

void config_print(const struct config *config, FILE *to)
{
	fputs("# exportsd.conf(5)\n", to);
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		fputc('\n', to);
		print_comment(keys[i].help, to);
		fprintf(to, "%s = ", keys[i].name);
		print_value(&keys[i], config, to);
		fputc('\n', to);
	}
}
