/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Questions are words separated by single spaces, in qword_add()'s escapes; binary words are \x
 * and hex pairs. Answers are written in the same way, each word followed by a space, as
 * nfs-utils does, and matched by the kernel through their key words: these are repeated exactly.
 */

#include "exportsd/kernel/upcall.h"

#include <errno.h>
#include <stdio.h>

#include "parser/escape.h"

enum {
	/* net/sunrpc/svcauth_unix.c unix_gid_parse() takes no more. */
	GROUPS_MAX = 8192,
	/* fs/nfsd/export.h MAX_FS_LOCATIONS is 128, nfs-utils stops at 40. */
	FS_LOCATIONS_MAX = 40,
};

size_t fsid_length(enum upcall_fsid_type type)
{
	static const uint8_t lengths[FSID_N_TYPES] = { 8, 4, 12, 8, 8, 8, 16, 24 };

	return lengths[type];
}

/*
 * Take the next word off a line, decoded, as a new string; NULL: there is none that can be used, or
 * no memory.
 */
static char *next_word(const char **line)
{
	size_t length;
	char *word;

	*line += strspn(*line, " ");
	length = strcspn(*line, " ");
	if (length == 0)
		return NULL;
	word = strndup(*line, length);
	if (!word)
		return NULL;
	length = unescape_bytes(word, length);
	if (memchr(word, '\0', length)) { /* no name or path has one */
		free(word);
		return NULL;
	}
	word[length] = '\0';
	*line += strcspn(*line, " ");
	return word;
}

static int parse_number(const char **line, unsigned long max, unsigned long *ret_number)
{
	CLEANUP(freep) char *word = next_word(line);
	char *end;

	if (!word)
		return UPCALL_MALFORMED;
	errno = 0;
	*ret_number = strtoul(word, &end, 0);
	return errno || end == word || *end || *ret_number > max ? UPCALL_MALFORMED : 0;
}

static int parse_ip(const char *line, struct upcall *upcall)
{
	CLEANUP(freep) char *class = next_word(&line);

	if (!class || !str_equal(class, "nfsd"))
		return UPCALL_MALFORMED;
	upcall->address = next_word(&line);
	return upcall->address ? 0 : UPCALL_MALFORMED;
}

static int parse_gid(const char *line, struct upcall *upcall)
{
	unsigned long uid;
	int r = parse_number(&line, UINT32_MAX, &uid);

	if (r == 0)
		upcall->uid = (uint32_t)uid;
	return r;
}

static int parse_export(const char *line, struct upcall *upcall)
{
	upcall->domain = next_word(&line);
	upcall->path = next_word(&line);
	return upcall->domain && upcall->path && upcall->path[0] == '/' ? 0 : UPCALL_MALFORMED;
}

static int parse_fh(const char *line, struct upcall *upcall)
{
	CLEANUP(freep) char *hex = NULL;
	unsigned long type;
	int r;

	upcall->domain = next_word(&line);
	if (!upcall->domain)
		return UPCALL_MALFORMED;
	r = parse_number(&line, FSID_N_TYPES - 1, &type);
	if (r != 0)
		return r;
	upcall->fsid_type = (enum upcall_fsid_type)type;
	line += strspn(line, " ");
	hex = strndup(line, strcspn(line, " "));
	if (!hex)
		return -ENOMEM;
	return unescape_hex(hex, upcall->fsid, sizeof(upcall->fsid)) ==
			       (ssize_t)fsid_length(upcall->fsid_type)
		       ? 0
		       : UPCALL_MALFORMED;
}

int upcall_parse(enum kernel_cache cache, const char *line, struct upcall *ret_upcall)
{
	static int (*const parsers[KERNEL_N_CACHES])(const char *, struct upcall *) = {
		[KERNEL_IP] = parse_ip,
		[KERNEL_GID] = parse_gid,
		[KERNEL_EXPORT] = parse_export,
		[KERNEL_FH] = parse_fh,
	};
	struct upcall upcall = { .cache = cache };
	int r = parsers[cache](line, &upcall);

	if (r != 0) {
		upcall_done(&upcall);
		return r;
	}
	*ret_upcall = upcall;
	return 0;
}

void upcall_done(struct upcall *upcall)
{
	free(upcall->domain);
	free(upcall->path);
	free(upcall->address);
	*upcall = (struct upcall){ 0 };
}

uint32_t upcall_fsid_number(const struct upcall *upcall)
{
	uint32_t number;

	memcpy(&number, upcall->fsid, sizeof(number)); /* host order: mk_fsid() FSID_NUM */
	return number;
}

/* ---- answers ---- */

/* A line in the making. Whatever fails shows when it ends. */
struct answer {
	FILE *stream;
	char *text;
	size_t size;
	bool failed;
};

static bool answer_begin(struct answer *answer)
{
	*answer = (struct answer){ 0 };
	answer->stream = open_memstream(&answer->text, &answer->size);
	return answer->stream != NULL;
}

static char *answer_end(struct answer *answer)
{
	fputc('\n', answer->stream);
	if (ferror(answer->stream))
		answer->failed = true;
	if (fclose(answer->stream) != 0)
		answer->failed = true;
	if (answer->failed) {
		free(answer->text);
		return NULL;
	}
	return answer->text;
}

/* Takes the word. */
static void put_word(struct answer *answer, char *word)
{
	if (word)
		fprintf(answer->stream, "%s ", word);
	else
		answer->failed = true;
	free(word);
}

static void put_text(struct answer *answer, const char *text)
{
	put_word(answer, escape_bytes(text, strlen(text), ESCAPE_KERNEL));
}

static void put_hex(struct answer *answer, const void *bytes, size_t n_bytes)
{
	put_word(answer, escape_hex(bytes, n_bytes));
}

char *upcall_answer_ip(const char *address, uint64_t expiry, const char *domain)
{
	struct answer answer;

	if (!answer_begin(&answer))
		return NULL;
	put_text(&answer, "nfsd");
	put_text(&answer, address);
	fprintf(answer.stream, "%llu ", (unsigned long long)expiry);
	if (domain)
		put_text(&answer, domain);
	return answer_end(&answer);
}

char *upcall_answer_gid(uint32_t uid, uint64_t expiry, const uint32_t *groups, size_t n_groups)
{
	struct answer answer;

	if (!answer_begin(&answer))
		return NULL;
	if (n_groups > GROUPS_MAX)
		n_groups = GROUPS_MAX;
	fprintf(answer.stream, "%u %llu %zu ", uid, (unsigned long long)expiry, n_groups);
	for (size_t i = 0; i < n_groups; i++)
		fprintf(answer.stream, "%u ", groups[i]);
	return answer_end(&answer);
}

/* One "path@host+host" of refer= or replicas=. A colon within [..] belongs to an IPv6 address. */
struct fs_location {
	const char *path;
	size_t path_length;
	const char *hosts;
	size_t hosts_length;
};

static size_t location_length(const char *text)
{
	bool bracket = false;
	size_t i;

	for (i = 0; text[i] && (bracket || text[i] != ':'); i++) {
		if (text[i] == '[')
			bracket = true;
		else if (text[i] == ']')
			bracket = false;
	}
	return i;
}

/*
 * Those that can be sent: absolute, with hosts (nfs-utils support/nfs/exports.c, replicas_lookup of
 * method_list()).
 */
static size_t fs_locations(const char *text, struct fs_location locations[FS_LOCATIONS_MAX])
{
	size_t n = 0;

	while (*text && n < FS_LOCATIONS_MAX) {
		size_t length = location_length(text);
		const char *at = memchr(text, '@', length);

		if (text[0] == '/' && at && at + 1 < text + length)
			locations[n++] = (struct fs_location){
				.path = text,
				.path_length = (size_t)(at - text),
				.hosts = at + 1,
				.hosts_length = (size_t)(text + length - at - 1),
			};
		text += length;
		text += *text == ':';
	}
	return n;
}

static void put_fs_locations(struct answer *answer, const struct export_options *options)
{
	struct fs_location locations[FS_LOCATIONS_MAX];
	size_t n;

	if (options->fsloc == EXPORT_FSLOC_NONE)
		return;
	n = fs_locations(options->fsloc_text, locations);
	fprintf(answer->stream, "fsloc %zu ", n);
	for (size_t i = 0; i < n; i++) {
		CLEANUP(freep) char *hosts = strndup(locations[i].hosts, locations[i].hosts_length);
		CLEANUP(freep) char *path = strndup(locations[i].path, locations[i].path_length);

		for (char *c = hosts; c && *c; c++)
			if (*c == '+')
				*c = ':';
		if (!hosts || !path) {
			answer->failed = true;
			return;
		}
		put_text(answer, hosts);
		put_text(answer, path);
	}
	fprintf(answer->stream, "%d ", options->fsloc == EXPORT_FSLOC_REFER);
}

static void put_flavors(struct answer *answer, const struct upcall_export *export)
{
	/* What every flavour shares; the kernel refuses other differences (secinfo_parse()). */
	const uint32_t shared = export->flags & ~(uint32_t)EXPORT_PER_FLAVOR;
	const struct export_options *options = export->options;

	if (options->n_flavors == 0) { /* as etab's sec=sys, which exportfs always adds */
		fprintf(answer->stream, "secinfo 1 1 %u ", export->flags);
		return;
	}
	fprintf(answer->stream, "secinfo %u ", options->n_flavors);
	for (unsigned int i = 0; i < options->n_flavors; i++)
		fprintf(answer->stream, "%u %u ", options->flavors[i].number,
			(options->flavors[i].flags & EXPORT_PER_FLAVOR) | shared);
}

/*
 * In etab the flags of each flavour come behind those of the entry, and change them, too (nfs-utils
 * parseopts(), setflags()): where flavours may differ, the entry has what the last one has.
 */
static uint32_t entry_flags(const struct upcall_export *export)
{
	const struct export_options *options = export->options;
	uint32_t last;

	if (!options->n_flavors)
		return export->flags;
	last = options->flavors[options->n_flavors - 1].flags;
	return (export->flags & ~(uint32_t)EXPORT_PER_FLAVOR) | (last & EXPORT_PER_FLAVOR);
}

char *upcall_answer_export(const char *domain, const char *path, uint64_t expiry,
			   const struct upcall_export *export)
{
	struct answer answer;

	if (!answer_begin(&answer))
		return NULL;
	put_text(&answer, domain);
	put_text(&answer, path);
	fprintf(answer.stream, "%llu ", (unsigned long long)expiry);
	if (export) {
		const struct export_options *options = export->options;

		fprintf(answer.stream, "%u %d %d %d ", entry_flags(export), options->anon_uid,
			options->anon_gid, (int)export->fsid);
		put_fs_locations(&answer, options);
		put_flavors(&answer, export);
		if (export->has_uuid) {
			fputs("uuid ", answer.stream);
			put_hex(&answer, export->uuid, sizeof(export->uuid));
		}
		if (options->n_xprtsec) {
			fprintf(answer.stream, "xprtsec %u ", options->n_xprtsec);
			for (unsigned int i = 0; i < options->n_xprtsec; i++)
				fprintf(answer.stream, "%u ", options->xprtsec[i]);
		}
	}
	return answer_end(&answer);
}

char *upcall_answer_fh(const struct upcall *upcall, uint64_t expiry, const char *path)
{
	struct answer answer;

	if (!answer_begin(&answer))
		return NULL;
	put_text(&answer, upcall->domain);
	fprintf(answer.stream, "%d ", upcall->fsid_type);
	put_hex(&answer, upcall->fsid, fsid_length(upcall->fsid_type));
	fprintf(answer.stream, "%llu ", (unsigned long long)expiry);
	if (path)
		put_text(&answer, path);
	return answer_end(&answer);
}
