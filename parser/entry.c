/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * entry.c - the entries of a file and their items.
 *
 * An entry is a path and its items on one line. An item is a client with options, or
 * '-' and options for the clients behind it (nfs-utils support/nfs/exports.c
 * getexportent()). A fault costs its item; in the path or in default options, the
 * entry. Its items are looked at all the same, so that one run tells every fault.
 */

#include "parser/pattern.h"
#include "parser/reader.h"

#include <errno.h>
#include <stdarg.h>

enum {
	CLIENT_BYTES_MAX = 1024,
	/* MOUNT's MNTPATHLEN (RFC 1813 appendix I), NFS_MAXPATHLEN of nfs-utils. */
	PATH_BYTES_MAX = 1024,
};

struct entry {
	struct reader *reader;
	struct lexer *lexer;
	const char *path, *pattern;
	struct position position; /* of the path */
	struct position wildcard; /* the first one of a rule's path */
	unsigned char wildcard_byte;
	bool broken; /* a fault costs the whole entry */
	struct kept_options defaults;
	bool has_defaults;
	bool after_defaults; /* the word before was a list of defaults */
	bool expects_client; /* the line must not end here without exporting to the world */
	bool told_about_rule; /* what is wrong with fsid= of the defaults is told once */
};

static const char *access_of(const struct export_options *options)
{
	return options->flags & EXPORT_READONLY ? "read-only" : "read-write";
}

/* ---- items ---- */

/* An item as it stands on the line. */
struct item_text {
	const char *client;
	struct position position;
	const struct option_list *list; /* NULL: none */
	struct kept_options options;
};

FORMAT_PRINTF(3, 4)
static void entry_fault(struct entry *entry, const struct position *at, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	diag_add(entry->reader->diags, DIAG_ERROR, at, "%s", text);
}

/* Where an option of the item is; where it comes from the defaults, the item. */
static struct position option_position(const struct entry *entry, const struct item_text *text,
				       const char *name, bool *ret_own)
{
	size_t index;

	*ret_own = text->list && options_find(text->list, name, &index);
	return *ret_own ? lex_position(entry->lexer, text->list->word, index) : text->position;
}

static void fault_of_option(struct entry *entry, const struct item_text *text, const char *name,
			    const char *fault)
{
	bool own;
	struct position at = option_position(entry, text, name, &own);

	/* Once for an entry, if every client has it from the defaults. */
	if (own || !entry->told_about_rule)
		entry_fault(entry, &at, "%s", fault);
	entry->told_about_rule |= !own;
}

/* Options and path must both be a rule's or both not. Returns true if all is well. */
static bool fits_path(struct entry *entry, const struct item_text *text)
{
	const struct export_options *options = text->options.set;

	if (!entry->pattern && options->handler) {
		fault_of_option(
			entry, text, "fsid",
			"a handler's socket is for rules, whose path has an unquoted wildcard, "
			"as in /mnt/cdrom/*; give this path a number, or leave fsid= out");
	} else if (entry->pattern && !options->handler) {
		entry_fault(
			entry, &entry->wildcard,
			"this wildcard makes the path a rule, but client '%.80s' has no handler's "
			"socket; add fsid=/SOCKET, or, if the character itself is meant, quote the "
			"path or write \\%03o",
			text->client, entry->wildcard_byte);
	} else if (entry->pattern && options->fsloc != EXPORT_FSLOC_NONE) {
		fault_of_option(
			entry, text, options->fsloc == EXPORT_FSLOC_REFER ? "refer" : "replicas",
			"a rule's media are here; refer= and replicas= are for plain paths");
	} else if (entry->pattern && options->mountpoint && options->mountpoint[0]) {
		fault_of_option(
			entry, text, "mountpoint",
			"in a rule the mountpoint is the medium's path; write mountpoint without a "
			"value");
	} else if (entry->pattern && options->reexport > EXPORT_REEXPORT_NONE) {
		fault_of_option(
			entry, text, "reexport",
			"the numbers of a rule's media come from its handler; leave reexport= out");
	} else {
		return true;
	}
	return false;
}

/* @doubt: what the client's text alone gives rise to, or NULL */
static void advise_on_client(struct entry *entry, const struct item_text *text, const char *doubt)
{
	struct diags *diags = entry->reader->diags;

	if (doubt)
		diag_add(diags, DIAG_WARNING, &text->position, "client '%.80s': %s", text->client,
			 doubt);
	else if (!text->list && text->client[0] && !entry->has_defaults &&
		 !lex_next_is(entry->lexer, '('))
		diag_add(diags, DIAG_WARNING, &text->position,
			 "client '%.80s' has no options, so it gets the defaults (read-only, "
			 "root_squash); write %.80s(ro) if that is meant",
			 text->client, text->client);
}

static int add_item(struct entry *entry, const struct item_text *text)
{
	struct reader *reader = entry->reader;
	const struct reader_client *client;
	struct export_item *item;
	int r;

	if (strlen(text->client) > CLIENT_BYTES_MAX) {
		entry_fault(entry, &text->position, "the client has %zu bytes, %d is the limit",
			    strlen(text->client), CLIENT_BYTES_MAX);
		return 0;
	}
	r = reader_client(reader, text->client, &client);
	if (r < 0)
		return r;
	if (client->fault) {
		entry_fault(entry, &text->position, "client '%.80s': %s", text->client,
			    client->fault);
		return 0;
	}
	advise_on_client(entry, text, client->doubt);
	if (entry->broken || !fits_path(entry, text))
		return 0;
	item = reader_new_item(reader);
	if (!item)
		return -ENOMEM;
	*item = (struct export_item){
		.path = entry->path,
		.pattern = entry->pattern,
		.client = client->spec,
		.options = text->options.set,
		.fsid = text->options.fsid,
		.file = entry->position.file,
		.line = text->position.line,
		.column = text->position.column,
		.path_line = entry->position.line,
		.path_column = entry->position.column,
	};
	return 0;
}

/* The line names no client, or an empty one: that is the whole world. */
static int add_world(struct entry *entry)
{
	struct item_text text = {
		.client = "",
		.position = entry->position,
		.options = entry->defaults,
	};

	if (!entry->broken)
		diag_add(
			entry->reader->diags, DIAG_WARNING, &entry->position,
			"no client is named, so '%.80s' is exported to the world, %s; write * if that "
			"is meant",
			entry->path, access_of(entry->defaults.set));
	return add_item(entry, &text);
}

/*
 * Does the option list that the last word opened end in a later word of the line? Then
 * the words are passed over, else nothing is.
 */
static bool skip_to_list_end(struct lexer *lexer)
{
	struct diags quiet = { 0 }, *diags = lexer->diags;
	struct lexer before = *lexer;
	struct lex_word word;
	bool found = false;

	lexer->diags = &quiet;
	while (!found && lex_item(lexer, &word) == 0 && !strchr(word.text, '('))
		found = word.text[word.length - 1] == ')';
	lexer->diags = diags;
	diags_done(&quiet);
	if (!found) {
		lexer->at = before.at;
		lexer->line_start = before.line_start;
		lexer->lines_before = before.lines_before;
	}
	return found;
}

/* The list's end, which must be the word's last byte. Returns false after telling why not. */
static bool find_list_end(struct entry *entry, const struct lex_word *word,
			  struct option_list *list)
{
	const char *close = strchr(word->text + list->begin, ')');
	struct position open, at;

	if (close && close[1] == '\0') {
		list->end = (size_t)(close - word->text);
		return true;
	}
	if (close) {
		at = lex_position(entry->lexer, word, (size_t)(close - word->text) + 1);
		entry_fault(entry, &at, "%s",
			    strchr(close, '(') ? "a blank is missing between two clients"
					       : "nothing may follow the ')' but a blank");
		return false;
	}
	open = lex_position(entry->lexer, word, list->begin - 1);
	at = lex_position(entry->lexer, word, word->length);
	if (skip_to_list_end(entry->lexer))
		entry_fault(
			entry, &at,
			"no blank may stand in an option list; leave it out, or quote the whole item");
	else
		entry_fault(entry, &open, "nothing closes this '('");
	return false;
}

static void advise_on_world(struct entry *entry, const struct item_text *text, bool after_blank)
{
	struct diags *diags = entry->reader->diags;

	if (after_blank)
		diag_add(
			diags, DIAG_WARNING, &text->position,
			"a blank stands before '(': this exports to the world, %s, and the client before "
			"it gets only the defaults; leave the blank out",
			access_of(text->options.set));
	else if (text->list && text->list->begin == 1)
		diag_add(
			diags, DIAG_WARNING, &text->position,
			"no client stands before '(': this exports to the world, %s; write *(...) if "
			"that is meant",
			access_of(text->options.set));
}

/* @after_client: a client without options is the word before */
static int read_client(struct entry *entry, struct lex_word *word, bool after_client)
{
	struct option_list list = { .lexer = entry->lexer, .word = word };
	struct item_text text = {
		.client = word->text,
		.position = lex_position(entry->lexer, word, 0),
		.options = entry->defaults,
	};
	char *open = strchr(word->text, '(');
	int r;

	if (open) {
		list.begin = (size_t)(open - word->text) + 1;
		if (!find_list_end(entry, word, &list))
			return 0;
		r = reader_options(entry->reader, &list, &entry->defaults, &text.options);
		if (r < 0)
			return r;
		text.list = &list;
		*open = '\0';
		if (open == word->text)
			text.client = "*";
		if (r > 0)
			return 0;
	}
	advise_on_world(entry, &text, open == word->text && after_client);
	return add_item(entry, &text);
}

static int read_defaults(struct entry *entry, struct lex_word *word)
{
	struct option_list list = {
		.lexer = entry->lexer,
		.word = word,
		.begin = 1,
		.end = word->length,
	};
	int r = reader_options(entry->reader, &list, &entry->defaults, &entry->defaults);

	if (r < 0)
		return r;
	entry->broken |= r > 0;
	entry->has_defaults = true;
	return 0;
}

static int read_item(struct entry *entry, struct lex_word *word, bool after_client)
{
	struct position at;

	if (word->text[0] != '-') {
		entry->after_defaults = entry->expects_client = false;
		return read_client(entry, word, after_client);
	}
	if (entry->after_defaults) {
		/* To nfs-utils this is a host, which it then does not find. */
		at = lex_position(entry->lexer, word, 0);
		diag_add(
			entry->reader->diags, DIAG_WARNING, &at,
			"'%.80s' is ignored: of two lists of default options in a row only the first is "
			"one; join them with a comma",
			word->text);
		entry->after_defaults = entry->expects_client = false;
		return 0;
	}
	entry->after_defaults = entry->expects_client = true;
	return read_defaults(entry, word);
}

static int read_empty_item(struct entry *entry, const struct lex_word *word)
{
	struct position at = lex_position(entry->lexer, word, 0);
	int r;

	if (!entry->expects_client) {
		entry_fault(entry, &at, "an empty client; write * for everybody");
		return 0;
	}
	r = add_world(entry);
	entry->after_defaults = entry->expects_client = false;
	return r;
}

static int read_items(struct entry *entry)
{
	bool after_client = false;
	struct lex_word word;
	int r;

	for (;;) {
		bool is_client = false;

		r = lex_item(entry->lexer, &word);
		if (r < 0)
			return r;
		if (r == LEX_NONE)
			return entry->expects_client ? add_world(entry) : 0;
		if (r == LEX_BROKEN) {
			entry->after_defaults = entry->expects_client = false;
		} else if (r == LEX_EMPTY) {
			r = read_empty_item(entry, &word);
		} else {
			is_client = word.text[0] != '-' && !strchr(word.text, '(');
			r = read_item(entry, &word, after_client);
		}
		if (r < 0)
			return r;
		after_client = is_client;
	}
}

/* ---- entries ---- */

static void fault_of_relative_path(struct entry *entry, const struct lex_word *word)
{
	const char *advice = "";

	if (word->text[0] == '\'')
		advice = "; a single quote is an ordinary character, use \"";
	else if (strchr(word->text, '(') || word->text[0] == '-')
		advice =
			"; if it belongs to the line before, that line must end in a backslash, and "
			"nothing may follow it";
	entry_fault(entry, &entry->position,
		    "'%.80s' does not start with '/', so it is no path to export%s", word->text,
		    advice);
	entry->broken = true;
}

static int read_rule_path(struct entry *entry, const struct lex_word *word, size_t wildcard)
{
	struct position at;
	size_t fault;
	int r = pattern_read(entry->reader->arena, word, &entry->path, &entry->pattern, &fault);

	entry->wildcard = lex_position(entry->lexer, word, wildcard);
	entry->wildcard_byte = (unsigned char)word->text[wildcard];
	if (r == PATTERN_INVALID) {
		at = lex_position(entry->lexer, word, fault);
		entry_fault(entry, &at, "a rule's path must not have '.' or '..' in it");
		entry->broken = true;
		return 0;
	}
	return r;
}

/* Does an option of the line that the lexer is in name a handler's socket? */
static bool line_names_handler(const struct lexer *lexer)
{
	static const char option[] = "fsid=";
	const size_t length = sizeof(option) - 1;
	const char *at = lexer->text + lexer->at;
	const char *end = memchr(at, '\n', lexer->length - lexer->at);

	if (!end)
		end = lexer->text + lexer->length;
	for (; at < end; at++) {
		at = memmem(at, (size_t)(end - at), option, length);
		if (!at || at + length >= end)
			return false;
		if ((at[-1] == '(' || at[-1] == ',') && (at[length] == '/' || at[length] == '@'))
			return true;
	}
	return false;
}

static int read_path(struct entry *entry, const struct lex_word *word)
{
	size_t wildcard;

	entry->position = lex_position(entry->lexer, word, 0);
	if (word->text[0] != '/') {
		fault_of_relative_path(entry, word);
		return 0;
	}
	if (word->length > PATH_BYTES_MAX) {
		entry_fault(entry, &entry->position,
			    "the path has %zu bytes, clients can ask for %d at most", word->length,
			    PATH_BYTES_MAX);
		entry->broken = true;
		return 0;
	}
	wildcard = pattern_find(word->text, word->length, word->origins);
	if (wildcard < word->length &&
	    (!entry->reader->is_etab || line_names_handler(entry->lexer)))
		return read_rule_path(entry, word, wildcard);
	entry->path = arena_copy(entry->reader->arena, word->text, word->length);
	return entry->path ? 0 : -ENOMEM;
}

/* Returns 0; LEX_NONE at the end of the file; -ENOMEM. */
static int read_entry(struct reader *reader, struct lexer *lexer)
{
	struct entry entry = {
		.reader = reader,
		.lexer = lexer,
		.defaults = reader->defaults,
		.expects_client = true,
	};
	struct lex_word word;
	int r = lex_path(lexer, &word);

	if (r < 0 || r == LEX_NONE)
		return r;
	if (r == 0) {
		r = read_path(&entry, &word);
		if (r < 0)
			return r;
	} else {
		entry.position = lex_position(lexer, &word, 0);
		entry.broken = true;
		if (r == LEX_EMPTY)
			entry_fault(&entry, &entry.position, "the path is empty");
	}
	return read_items(&entry);
}

int reader_text(struct reader *reader, const char *name, const char *text, size_t length)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct lexer lexer = {
		.file = arena_copy(reader->arena, name, strlen(name)),
		.text = text,
		.length = length,
		.diags = reader->diags,
	};
	struct position at = { .file = name, .line = 1, .column = 1 };
	int r = 0;

	if (!lexer.file)
		return -ENOMEM;
	if (length >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
		diag_add(reader->diags, DIAG_WARNING, &at,
			 "the file starts with a byte order mark, which is ignored");
		lexer.at = lexer.line_start = 3;
	}
	/* What a crash leaves of a file that was being written. To nfs-utils it is a blank. */
	if (lexer.at < length && text[lexer.at] == '\0')
		diag_add(reader->diags, DIAG_ERROR, &at,
			 "the file starts with a NUL byte: it is damaged");
	while (r == 0)
		r = read_entry(reader, &lexer);
	lex_done(&lexer);
	return r < 0 ? r : 0;
}
