/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/kernel/content.h"

#include "parser/escape.h"

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
	size_t length = unescape_bytes(word, strlen(word));

	word[length] = '\0';
	return word;
}

static int parse_ip(char *line, struct content *content)
{
	const char *class = cut(&line, " ");

	if (!class || !str_equal(class, "nfsd"))
		return CONTENT_OTHER;
	content->address = cut(&line, " ");
	if (!content->address)
		return CONTENT_OTHER;
	content->domain = content->is_not_valid ? NULL : line;
	return 0;
}

static int parse_export(char *line, struct content *content)
{
	char *path = cut(&line, "\t "), *domain = path ? cut(&line, "(") : NULL;

	if (!domain || path[0] != '/')
		return CONTENT_OTHER;
	content->path = decoded(path);
	content->domain = decoded(domain);
	return 0;
}

/* Words of 32 bits, as numbers (expkey_show()). */
static bool parse_fsid(const char *text, struct upcall *upcall)
{
	size_t n_words = fsid_length(upcall->fsid_type) / sizeof(uint32_t);

	if (strncmp(text, "0x", 2) != 0 || strlen(text) != 2 + 8 * n_words)
		return false;
	for (size_t i = 0; i < n_words; i++) {
		char digits[9] = "", *end;
		uint32_t word;

		memcpy(digits, text + 2 + 8 * i, 8);
		word = (uint32_t)strtoul(digits, &end, 16);
		if (*end)
			return false;
		memcpy(upcall->fsid + i * sizeof(word), &word, sizeof(word));
	}
	return true;
}

static int parse_fh(char *line, struct content *content)
{
	const char *type;
	char *fsid, *path;
	unsigned long number;

	content->domain = cut(&line, " ");
	type = content->domain ? cut(&line, " ") : NULL;
	if (!type)
		return CONTENT_OTHER;
	fsid = line;
	path = strchr(fsid, ' ');
	if (path)
		*path++ = '\0';
	number = strtoul(type, NULL, 10);
	if (number >= FSID_N_TYPES)
		return CONTENT_OTHER;
	content->upcall.cache = KERNEL_FH;
	content->upcall.fsid_type = (enum upcall_fsid_type)number;
	content->upcall.domain = (char *)content->domain;
	if (!parse_fsid(fsid, &content->upcall))
		return CONTENT_OTHER;
	content->path = path ? decoded(path) : NULL;
	return 0;
}

int content_parse(enum kernel_cache cache, char *line, struct content *ret_content)
{
	struct content content = { 0 };
	int r = CONTENT_OTHER;

	if (line[0] == '#') {
		/* "# " is an entry that c_show() found not valid; else it is a heading. */
		if (line[1] != ' ')
			return CONTENT_OTHER;
		content.is_not_valid = true;
		line += 2;
	}
	switch (cache) {
	case KERNEL_IP: r = parse_ip(line, &content); break;
	case KERNEL_EXPORT: r = parse_export(line, &content); break;
	case KERNEL_FH: r = parse_fh(line, &content); break;
	case KERNEL_GID:
	case KERNEL_N_CACHES: break;
	}
	if (r == 0)
		*ret_content = content;
	return r;
}
