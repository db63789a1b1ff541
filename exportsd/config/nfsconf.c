/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * nfsconf.c - a list of settings, to which each line of each file may add one.
 *
 * No library reads this syntax: in it a value's quotes end it, "#" begins a comment in any unquoted
 * value, and a file goes on where another one included it. Line by line it follows
 * conf_parse_line() of nfs-utils' support/nfs/conffile.c; how files follow each other,
 * conf_init_file(). Otherwise than there, includes have limits, a "$NAME" that names itself is
 * nothing, and a lock that somebody keeps is waited for only so long.
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "exportsd/config/nfsconf.h"
#include "parser/arena.h"
#include "parser/file.h"
#include "parser/text.h"

enum { LOCK_TRIES = 20, LOCK_PAUSE_MSEC = 50 };

static const char extension[] = ".conf";

struct nfsconf {
	struct exports_arena *arena;
	struct nfsconf_setting *settings;
	size_t n_settings, n_room;
	size_t n_files;
};

/* A file being read. Strings are the arena's. */
struct reading {
	struct nfsconf *conf;
	struct diags *diags;
	const char *file; /* NULL: a text without a place */
	const char *section; /* NULL: none yet, or none that can be understood */
	const char *subsection;
	unsigned int depth;
	unsigned int number; /* of the line; of a continued one the last */
	const char *line; /* its first byte */
};

static int parse_text(struct reading *reading, char *text, size_t n_bytes);

static void warn(const struct reading *reading, const char *where, const char *what,
		 const char *value)
{
	struct position at = { .file = reading->file ?: "nfs.conf", .line = reading->number };

	if (where)
		at.column = (unsigned int)(where - reading->line) + 1;
	diag_add(reading->diags, DIAG_WARNING, &at, value ? "%s '%s'; ignoring it" : "%s%s", what,
		 value ?: "");
}

static char *skip_blanks(char *text)
{
	while (isblank((unsigned char)*text))
		text++;
	return text;
}

/* Cut blanks from the end of [@text, @end). */
static void cut_blanks(const char *text, char *end)
{
	while (end > text && isblank((unsigned char)end[-1]))
		end--;
	*end = '\0';
}

/* ---- sections ---- */

static int take_section(struct reading *reading, char *text)
{
	char *name = skip_blanks(text + 1), *end = strchr(name, ']'), *quote, *close;

	reading->section = reading->subsection = NULL;
	if (!end) {
		warn(reading, text, "a section without ]; ignoring the lines up to the next one",
		     NULL);
		return 0;
	}
	cut_blanks(name, end);
	quote = strchr(name, '"');
	if (quote)
		cut_blanks(name, quote);
	for (char *byte = name; *byte; byte++)
		*byte = (char)tolower((unsigned char)*byte);
	reading->section = arena_intern(reading->conf->arena, name, strlen(name));
	if (!reading->section)
		return -ENOMEM;
	if (!quote)
		return 0;
	close = strchr(quote + 1, '"');
	if (!close) {
		warn(reading, quote, "a quote that does not end; taking it for none", NULL);
		return 0;
	}
	*close = '\0';
	reading->subsection =
		arena_intern(reading->conf->arena, quote + 1, (size_t)(close - quote) - 1);
	return reading->subsection ? 0 : -ENOMEM;
}

/* ---- files ---- */

/* Whoever rewrites a file holds its lock. Somebody who never lets go of it is not waited for. */
static void lock(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MSEC * 1000000L };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

/* Returns 0; -errno, among them -EINVAL (no regular file), -EFBIG. */
static int read_file(const char *file, char **ret_text, size_t *ret_n_bytes)
{
	CLEANUP(closep) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	lock(fd);
	return file_read(fd, NFSCONF_FILE_MAX_BYTES, ret_text, ret_n_bytes);
}

/*
 * Read a file within @reading, whose sections it begins with. Returns 0; -errno if it cannot be
 * read.
 */
static int take_file(const struct reading *reading, const char *file)
{
	struct reading inner = *reading;
	CLEANUP(freep) char *text = NULL;
	size_t n_bytes = 0;
	int r;

	if (reading->conf->n_files == NFSCONF_FILES_MAX)
		return -EMFILE;
	r = read_file(file, &text, &n_bytes);
	if (r < 0)
		return r;
	reading->conf->n_files++;
	inner.file = arena_intern(reading->conf->arena, file, strlen(file));
	return inner.file ? parse_text(&inner, text, n_bytes) : -ENOMEM;
}

static char *relative_path(const char *to, const char *path)
{
	const char *slash = strrchr(to, '/');

	if (*path == '/' || !slash)
		return strdup(path);
	return text_format("%.*s%s", (int)(slash - to) + 1, to, path);
}

/* "include = FILE"; a "-" before it: it may be missing. */
static int include(struct reading *reading, const char *value)
{
	bool optional = *value == '-';
	CLEANUP(freep) char *file = NULL;
	int r;

	if (!reading->file)
		return 0;
	file = relative_path(reading->file, value + optional);
	if (!file)
		return -ENOMEM;
	if (reading->depth == NFSCONF_DEPTH_MAX) {
		warn(reading, value, "too many files, one in another: not including", file);
		return 0;
	}
	reading->depth++;
	r = take_file(reading, file);
	reading->depth--;
	if (r == -ENOMEM)
		return r;
	if (r < 0 && !optional) {
		errno = -r;
		warn(reading, value, r == -ENOENT ? "no such file:" : "cannot read", file);
	}
	return 0;
}

/* ---- settings ---- */

static int add_setting(struct reading *reading, const char *tag, const char *value)
{
	struct nfsconf *conf = reading->conf;
	struct nfsconf_setting setting = {
		.section = reading->section,
		.subsection = reading->subsection,
		.file = reading->file ?: "nfs.conf",
		.line = reading->number,
		.column = (unsigned int)(value - reading->line) + 1,
		.tag = arena_intern(conf->arena, tag, strlen(tag)),
		.value = arena_copy(conf->arena, value, strlen(value)),
	};

	if (!setting.tag || !setting.value)
		return -ENOMEM;
	if (conf->n_settings == NFSCONF_SETTINGS_MAX) {
		warn(reading, tag, "too many settings: not taking", tag);
		return 0;
	}
	if (conf->n_settings == conf->n_room) {
		size_t n_room = conf->n_room ? 2 * conf->n_room : 64;
		struct nfsconf_setting *grown =
			reallocarray(conf->settings, n_room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		conf->settings = grown;
		conf->n_room = n_room;
	}
	conf->settings[conf->n_settings++] = setting;
	return 0;
}

/* The value at @text, which gets its end. NULL: its quote does not end. */
static char *cut_value(char *text)
{
	char *end;

	if (*text == '"' || *text == '\'') {
		end = strchr(text + 1, *text);
		if (!end)
			return NULL;
		*end = '\0';
		return text + 1;
	}
	text[strcspn(text, "#;")] = '\0';
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	/* One byte stays, be it a space: that is how it is done there. */
	if (end == text && *text)
		end++;
	*end = '\0';
	return text;
}

static int take_assignment(struct reading *reading, char *tag, char *equals)
{
	char *value;

	if (!reading->section) {
		warn(reading, tag, "a setting before any section; ignoring it", NULL);
		return 0;
	}
	cut_blanks(tag, equals);
	value = cut_value(skip_blanks(equals + 1));
	if (!value) {
		warn(reading, tag, "a quote that does not end; ignoring the line", NULL);
		return 0;
	}
	if (!*tag) {
		warn(reading, tag, "a setting without a name; ignoring it", NULL);
		return 0;
	}
	if (strcasecmp(tag, "include") == 0)
		return include(reading, value);
	return *value ? add_setting(reading, tag, value) : 0;
}

static int parse_line(struct reading *reading, char *line)
{
	char *equals;

	reading->line = line;
	while (isspace((unsigned char)*line))
		line++;
	if (!*line || *line == '#' || *line == ';')
		return 0;
	if (*line == '[')
		return take_section(reading, line);
	equals = strchr(line, '=');
	if (equals)
		return take_assignment(reading, line, equals);
	warn(reading, line, "neither a section nor a setting; ignoring the line", NULL);
	return 0;
}

/*
 * A backslash at a line's end makes one line of two. What follows the last newline does not count.
 */
static int parse_text(struct reading *reading, char *text, size_t n_bytes)
{
	char *line = text, *newline;
	int r = 0;

	reading->number = 0;
	for (char *from = text; r == 0 && (newline = strchr(from, '\n')); from = newline + 1) {
		reading->number++;
		if (newline > text && newline[-1] == '\\') {
			newline[-1] = *newline = ' ';
			continue;
		}
		*newline = '\0';
		r = parse_line(reading, line);
		line = newline + 1;
	}
	if (r == 0 && line < text + n_bytes) {
		reading->number++;
		reading->line = line;
		warn(reading, line,
		     strlen(line) < (size_t)(text + n_bytes - line)
			     ? "a NUL byte; ignoring all that follows"
			     : "the last line has no newline, so nfs-utils ignore it, and so does exportsd",
		     NULL);
	}
	return r;
}

/* ---- which files ---- */

static int is_conf_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name), rest = sizeof(extension) - 1;

	if (entry->d_type != DT_REG && entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
		return 0;
	return *entry->d_name != '.' && length > rest &&
	       str_equal(entry->d_name + length - rest, extension);
}

/* Returns 0; -errno that the reader must hear of: -ENOMEM. */
static int take_top_file(struct reading *reading, const char *file)
{
	int r = take_file(reading, file);
	struct position whole = { .file = file };

	if (r == 0 || r == -ENOENT || r == -ENOMEM)
		return r == -ENOENT ? 0 : r;
	diag_add(reading->diags, DIAG_WARNING, &whole, "cannot read it: %s", strerror(-r));
	return 0;
}

static int take_entry(struct reading *reading, const char *directory, const char *name)
{
	CLEANUP(freep) char *file = text_format("%s/%s", directory, name);

	return file ? take_top_file(reading, file) : -ENOMEM;
}

static int take_directory(struct reading *reading, const char *file)
{
	CLEANUP(freep) char *directory = text_format("%s.d", file);
	struct dirent **entries;
	int n, r = 0;

	if (!directory)
		return -ENOMEM;
	n = scandir(directory, &entries, is_conf_file, versionsort);
	if (n < 0)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = take_entry(reading, directory, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static struct nfsconf *nfsconf_new(void)
{
	struct nfsconf *conf = calloc(1, sizeof(*conf));

	if (conf)
		conf->arena = arena_new();
	return conf && conf->arena ? conf : nfsconf_free(conf);
}

int nfsconf_load(const char *file, struct diags *diags, struct nfsconf **ret_conf)
{
	struct nfsconf *conf = nfsconf_new();
	struct reading reading = { .conf = conf, .diags = diags };
	CLEANUP(freep) char *vendor = NULL;
	int r = conf ? 0 : -ENOMEM;

	if (r == 0 && strncmp(file, "/etc/", 5) == 0 && access(file, R_OK) < 0) {
		vendor = text_format("/usr%s", file);
		r = vendor ? take_top_file(&reading, vendor) : -ENOMEM;
		if (r == 0)
			r = take_directory(&reading, vendor);
	}
	if (r == 0)
		r = take_top_file(&reading, file);
	if (r == 0)
		r = take_directory(&reading, file);
	if (r < 0)
		nfsconf_free(conf);
	else
		*ret_conf = conf;
	return r;
}

int nfsconf_read_text(const char *file, const char *text, size_t n_bytes, struct diags *diags,
		      struct nfsconf **ret_conf)
{
	struct nfsconf *conf = nfsconf_new();
	struct reading reading = { .conf = conf, .diags = diags };
	CLEANUP(freep) char *copy = malloc(n_bytes + 1);
	int r = conf && copy ? 0 : -ENOMEM;

	if (r == 0 && file) {
		reading.file = arena_intern(conf->arena, file, strlen(file));
		r = reading.file ? 0 : -ENOMEM;
	}
	if (r == 0) {
		if (n_bytes)
			memcpy(copy, text, n_bytes);
		copy[n_bytes] = '\0';
		r = parse_text(&reading, copy, n_bytes);
	}
	if (r < 0)
		nfsconf_free(conf);
	else
		*ret_conf = conf;
	return r;
}

struct nfsconf *nfsconf_free(struct nfsconf *conf)
{
	if (!conf)
		return NULL;
	arena_free(conf->arena);
	free(conf->settings);
	free(conf);
	return NULL;
}

/* ---- asking ---- */

const struct nfsconf_setting *nfsconf_find(const struct nfsconf *conf, const char *section,
					   const char *subsection, const char *tag)
{
	for (size_t i = conf->n_settings; i > 0; i--) {
		const struct nfsconf_setting *setting = &conf->settings[i - 1];

		if (strcasecmp(setting->section, section) == 0 &&
		    !setting->subsection == !subsection &&
		    (!subsection || strcasecmp(setting->subsection, subsection) == 0) &&
		    strcasecmp(setting->tag, tag) == 0)
			return setting;
	}
	return NULL;
}

const char *nfsconf_value(const struct nfsconf *conf, const struct nfsconf_setting *setting)
{
	const char *subsection = setting->subsection;

	for (int i = 0; setting && i < NFSCONF_NAMES_MAX; i++) {
		const char *value = setting->value, *environment;

		if (*value != '$')
			return value;
		environment = getenv(value + 1);
		if (environment && *environment)
			return environment;
		setting = nfsconf_find(conf, "environment", subsection, value + 1);
	}
	return NULL;
}

size_t nfsconf_n_settings(const struct nfsconf *conf)
{
	return conf->n_settings;
}

const struct nfsconf_setting *nfsconf_setting(const struct nfsconf *conf, size_t index)
{
	return &conf->settings[index];
}
