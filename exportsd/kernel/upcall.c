/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Questions are words separated by single spaces, in qword_add()'s escapes; binary words are \x
 * and hex pairs. Answers are written in the same way, each word followed by a space, as
 * nfs-utils does, and matched by the kernel through their key words: these are repeated exactly.
 */

#include "exportsd/kernel/upcall.h"

#include <errno.h>

#include "exportsd/kernel/transport.h"
#include "parser/escape.h"

/* ---- questions ---- */

/* A line being read, and where its words go. */
struct reading {
	const char *line;
	char *room;
};

/* Take the next word, decoded; NULL: there is none that can be used. */
static const char *next_word(struct reading *reading)
{
	char *word = reading->room;
	size_t length;

	while (*reading->line == ' ')
		reading->line++;
	length = strcspn(reading->line, " ");
	if (length == 0)
		return NULL;
	memcpy(word, reading->line, length);
	reading->line += length;
	length = unescape_bytes(word, length);
	if (memchr(word, '\0', length)) /* no name or path has one */
		return NULL;
	word[length] = '\0';
	reading->room += length + 1;
	return word;
}

static bool next_number(struct reading *reading, unsigned long max, unsigned long *ret_number)
{
	const char *word = next_word(reading);
	char *end;

	if (!word)
		return false;
	errno = 0;
	*ret_number = strtoul(word, &end, 0);
	return !errno && end != word && !*end && *ret_number <= max;
}

static bool parse_ip(struct reading *reading, struct kernel_question *question)
{
	const char *class = next_word(reading);

	if (!class || !str_equal(class, "nfsd"))
		return false;
	question->address = next_word(reading);
	return question->address;
}

static bool parse_gid(struct reading *reading, struct kernel_question *question)
{
	unsigned long uid;

	if (!next_number(reading, UINT32_MAX, &uid))
		return false;
	question->uid = (uint32_t)uid;
	return true;
}

static bool parse_export(struct reading *reading, struct kernel_question *question)
{
	question->domain = next_word(reading);
	question->path = question->domain ? next_word(reading) : NULL;
	return question->path && question->path[0] == '/';
}

static bool parse_fh(struct reading *reading, struct kernel_question *question)
{
	struct kernel_fsid *fsid = &question->fsid;
	unsigned long type;
	size_t length;

	question->domain = next_word(reading);
	if (!question->domain || !next_number(reading, FSID_N_TYPES - 1, &type))
		return false;
	fsid->type = (enum kernel_fsid_type)type;
	reading->line += strspn(reading->line, " ");
	length = strcspn(reading->line, " ");
	memcpy(reading->room, reading->line, length);
	reading->room[length] = '\0';
	return unescape_hex(reading->room, fsid->bytes, sizeof(fsid->bytes)) ==
	       (ssize_t)kernel_fsid_length(fsid->type);
}

int upcall_parse(enum kernel_cache cache, const char *line, char *room,
		 struct kernel_question *ret_question)
{
	static bool (*const parsers[KERNEL_N_CACHES])(struct reading *,
						      struct kernel_question *) = {
		[KERNEL_IP] = parse_ip,
		[KERNEL_GID] = parse_gid,
		[KERNEL_EXPORT] = parse_export,
		[KERNEL_FH] = parse_fh,
	};
	struct kernel_question question = { .cache = cache };
	struct reading reading = { .line = line, .room = room };

	if (!parsers[cache](&reading, &question))
		return UPCALL_MALFORMED;
	*ret_question = question;
	return 0;
}

/* ---- answers ---- */

/* A line in the making, with room for a newline and a NUL behind. Whatever fails shows when it ends. */
struct writing {
	char *at, *end;
	int error;
};

static void put_bytes(struct writing *to, const char *bytes, size_t n_bytes)
{
	if (n_bytes >= (size_t)(to->end - to->at)) {
		to->error = to->error ?: -E2BIG;
		return;
	}
	memcpy(to->at, bytes, n_bytes);
	to->at += n_bytes;
	*to->at++ = ' ';
}

static void put_text(struct writing *to, const char *text, size_t length)
{
	CLEANUP(freep) char *word = NULL;

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == '\\') {
			word = escape_bytes(text, length, ESCAPE_KERNEL);
			if (word)
				put_bytes(to, word, strlen(word));
			else
				to->error = -ENOMEM;
			return;
		}
	put_bytes(to, text, length);
}

static void put_word(struct writing *to, const char *word)
{
	put_text(to, word, strlen(word));
}

static void put_number(struct writing *to, uint64_t number)
{
	char digits[20], *first = digits + sizeof(digits);

	do
		*--first = (char)('0' + number % 10);
	while (number /= 10);
	put_bytes(to, first, (size_t)(digits + sizeof(digits) - first));
}

/* The kernel reads these as signed (get_int()). */
static void put_signed(struct writing *to, int32_t number)
{
	if (number < 0 && to->at < to->end)
		*to->at++ = '-';
	put_number(to, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

static void put_hex(struct writing *to, const uint8_t *bytes, size_t n_bytes)
{
	static const char digits[] = "0123456789abcdef";
	char word[2 + 2 * KERNEL_FSID_MAX] = "\\x";

	for (size_t i = 0; i < n_bytes; i++) {
		word[2 + 2 * i] = digits[bytes[i] >> 4];
		word[3 + 2 * i] = digits[bytes[i] & 15];
	}
	put_bytes(to, word, 2 + 2 * n_bytes);
}

static void put_ip(struct writing *to, const struct kernel_answer *answer)
{
	put_word(to, "nfsd");
	put_word(to, answer->about.address);
	put_number(to, answer->expiry);
	if (answer->domain)
		put_word(to, answer->domain);
}

static void put_gid(struct writing *to, const struct kernel_answer *answer)
{
	enum { GROUPS_MAX = 8192, DIGITS = 11 }; /* unix_gid_parse() */
	size_t n = answer->n_groups < GROUPS_MAX ? answer->n_groups : GROUPS_MAX, room;

	put_number(to, answer->about.uid);
	put_number(to, answer->expiry);
	room = (size_t)(to->end - to->at) / DIGITS - 1;
	if (n > room)
		n = room;
	put_number(to, n);
	for (size_t i = 0; i < n; i++)
		put_number(to, answer->groups[i]);
}

static void put_locations(struct writing *to, const struct kernel_export *export)
{
	struct kernel_location locations[KERNEL_LOCATIONS_MAX];
	size_t n = kernel_export_locations(export, locations);

	put_word(to, "fsloc");
	put_number(to, n);
	for (size_t i = 0; i < n; i++) {
		char *hosts = to->at;

		put_text(to, locations[i].hosts, locations[i].hosts_length);
		for (; hosts < to->at; hosts++)
			if (*hosts == '+')
				*hosts = ':';
		put_text(to, locations[i].path, locations[i].path_length);
	}
	put_number(to, export->options->fsloc == EXPORT_FSLOC_REFER);
}

static void put_flavors(struct writing *to, const struct kernel_export *export)
{
	unsigned int n = kernel_export_n_flavors(export);
	uint32_t number, flags;

	put_word(to, "secinfo");
	put_number(to, n);
	for (unsigned int i = 0; i < n; i++) {
		kernel_export_flavor(export, i, &number, &flags);
		put_number(to, number);
		put_number(to, flags);
	}
}

static void put_options(struct writing *to, const struct kernel_export *export)
{
	const struct export_options *options = export->options;

	put_number(to, kernel_export_flags(export));
	put_signed(to, options->anon_uid);
	put_signed(to, options->anon_gid);
	put_signed(to, (int32_t) export->fsid);
	if (options->fsloc != EXPORT_FSLOC_NONE)
		put_locations(to, export);
	put_flavors(to, export);
	if (export->has_uuid) {
		put_word(to, "uuid");
		put_hex(to, export->uuid, sizeof(export->uuid));
	}
	if (options->n_xprtsec) {
		put_word(to, "xprtsec");
		put_number(to, options->n_xprtsec);
		for (unsigned int i = 0; i < options->n_xprtsec; i++)
			put_number(to, options->xprtsec[i]);
	}
}

static void put_export(struct writing *to, const struct kernel_answer *answer)
{
	put_word(to, answer->about.domain);
	put_word(to, answer->about.path);
	put_number(to, answer->expiry);
	if (answer->export)
		put_options(to, answer->export);
}

static void put_fh(struct writing *to, const struct kernel_answer *answer)
{
	const struct kernel_fsid *fsid = &answer->about.fsid;

	put_word(to, answer->about.domain);
	put_number(to, fsid->type);
	put_hex(to, fsid->bytes, kernel_fsid_length(fsid->type));
	put_number(to, answer->expiry);
	if (answer->path)
		put_word(to, answer->path);
}

ssize_t upcall_format(const struct kernel_answer *answer, char *buffer, size_t size)
{
	static void (*const kinds[KERNEL_N_CACHES])(struct writing *,
						    const struct kernel_answer *) = {
		[KERNEL_IP] = put_ip,
		[KERNEL_GID] = put_gid,
		[KERNEL_EXPORT] = put_export,
		[KERNEL_FH] = put_fh,
	};
	struct writing to = { .at = buffer, .end = buffer + size - strlen("\n") - 1 };

	kinds[answer->about.cache](&to, answer);
	if (to.error)
		return to.error;
	*to.at++ = '\n';
	*to.at = '\0';
	return to.at - buffer;
}

/* ---- content files ---- */

/* The text up to one of these bytes, which becomes a NUL; NULL if there is none. */
static char *cut(char **text, const char *ends)
{
	char *word = *text, *end = strpbrk(word, ends);

	if (!end)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return word;
}

static const char *decoded(char *word)
{
	word[unescape_bytes(word, strlen(word))] = '\0';
	return word;
}

static bool show_ip(char *line, struct kernel_entry *entry)
{
	const char *class = cut(&line, " ");

	if (!class || !str_equal(class, "nfsd"))
		return false;
	entry->about.address = cut(&line, " ");
	entry->domain = entry->is_not_valid ? NULL : line;
	return entry->about.address;
}

static bool show_export(char *line, struct kernel_entry *entry)
{
	char *path = cut(&line, "\t "), *domain = path ? cut(&line, "(") : NULL;

	if (!domain || path[0] != '/')
		return false;
	entry->about.path = decoded(path);
	entry->about.domain = decoded(domain);
	return true;
}

/* Words of 32 bits, as numbers (expkey_show()). */
static bool show_fsid(const char *text, struct kernel_fsid *fsid)
{
	size_t n_words = kernel_fsid_length(fsid->type) / sizeof(uint32_t);

	if (strncmp(text, "0x", 2) != 0 || strlen(text) != 2 + 8 * n_words)
		return false;
	for (size_t i = 0; i < n_words; i++) {
		char digits[9] = "", *end;
		uint32_t word;

		memcpy(digits, text + 2 + 8 * i, 8);
		word = (uint32_t)strtoul(digits, &end, 16);
		if (*end)
			return false;
		memcpy(fsid->bytes + i * sizeof(word), &word, sizeof(word));
	}
	return true;
}

static bool show_fh(char *line, struct kernel_entry *entry)
{
	char *domain = cut(&line, " "), *type = domain ? cut(&line, " ") : NULL, *path;
	unsigned long number = type ? strtoul(type, NULL, 10) : FSID_N_TYPES;

	if (number >= FSID_N_TYPES)
		return false;
	path = strchr(line, ' ');
	if (path)
		*path++ = '\0';
	entry->about.fsid.type = (enum kernel_fsid_type)number;
	if (!show_fsid(line, &entry->about.fsid))
		return false;
	entry->about.domain = decoded(domain);
	entry->path = path ? decoded(path) : NULL;
	return true;
}

int upcall_parse_entry(enum kernel_cache cache, char *line, struct kernel_entry *ret_entry)
{
	static bool (*const kinds[KERNEL_N_CACHES])(char *, struct kernel_entry *) = {
		[KERNEL_IP] = show_ip,
		[KERNEL_EXPORT] = show_export,
		[KERNEL_FH] = show_fh,
	};
	struct kernel_entry entry = { .about.cache = cache };

	/* "# " is an entry that c_show() found not valid; else it is a heading. */
	entry.is_not_valid = strncmp(line, "# ", 2) == 0;
	if (!kinds[cache] || (line[0] == '#' && !entry.is_not_valid) ||
	    !kinds[cache](line + (entry.is_not_valid ? 2 : 0), &entry))
		return UPCALL_MALFORMED;
	*ret_entry = entry;
	return 0;
}
