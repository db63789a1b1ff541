/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * text.c - rows as lines, and back; the MAC.
 *
 * A text is read twice: first to see that it is whole, then to give the rows away.
 */

#include "exportsd/numbers/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "parser/escape.h"
#include "parser/file.h"

static const char first_line[] = "# exportsd numbers 2\n";
static const char mac_word[] = "mac=";

enum { MAC_BYTES = 32 };

/* ---- writing ---- */

static void put_value(FILE *to, const char *key, const char *value, size_t n_bytes)
{
	CLEANUP(freep) char *escaped = escape_bytes(value, n_bytes, ESCAPE_KERNEL);

	/* A line without its path is found by whoever reads it. */
	fprintf(to, " %s=%s", key, escaped ?: "");
}

static void put_row(FILE *to, const struct store_row *row)
{
	fprintf(to, "number=%" PRIu32 " sequence=%" PRIu64 " retired=%u created=%" PRId64,
		row->number, row->sequence, row->retired, row->created);
	put_value(to, "path", row->path, row->n_path);
	if (row->identity)
		put_value(to, "identity", row->identity, row->n_identity);
	fputc('\n', to);
}

static int compute_mac(const unsigned char *key, const char *bytes, size_t n_bytes,
		       char ret_text[2 * MAC_BYTES + 1])
{
	unsigned char mac[MAC_BYTES];
	unsigned int n = 0;

	if (!HMAC(EVP_sha256(), key, STORE_KEY_BYTES, (const unsigned char *)bytes, n_bytes, mac,
		  &n) ||
	    n != MAC_BYTES)
		return -ENOMEM;
	for (int i = 0; i < MAC_BYTES; i++)
		(void)sprintf(ret_text + 2 * (size_t)i, "%02x", mac[i]);
	return 0;
}

static void put_all(FILE *to, struct numbers_entries *entries)
{
	struct store_totals totals = { 0 };

	fputs(first_line, to);
	for (const struct numbers_entry *entry = NULL;
	     (entry = numbers_entries_next(entries, entry ? entry->number : 0));) {
		const struct store_row row = numbers_entry_row(entry);

		put_row(to, &row);
		store_totals_add(&totals, store_row_checksum(&row));
	}
	fprintf(to, "end n=%" PRIu64 " sum=%016" PRIx64 "\n", totals.n, totals.sum);
}

int store_text_write(struct numbers_entries *entries, const unsigned char *key, char **ret_bytes,
		     size_t *ret_n_bytes)
{
	CLEANUP(freep) char *bytes = NULL;
	char mac[2 * MAC_BYTES + 1];
	size_t n_bytes;
	FILE *to = open_memstream(&bytes, &n_bytes);
	int r = 0;

	if (!to)
		return -ENOMEM;
	put_all(to, entries);
	if (key && fflush(to) == 0 && (r = compute_mac(key, bytes, n_bytes, mac)) == 0)
		fprintf(to, "%s%s\n", mac_word, mac);
	if (ferror(to))
		r = -ENOMEM;
	if (fclose(to) != 0 || r < 0)
		return -ENOMEM;
	*ret_bytes = TAKE_PTR(bytes);
	*ret_n_bytes = n_bytes;
	return 0;
}

/* ---- reading ---- */

/* The value of KEY=VALUE, if the next word is that; moves behind it. */
static char *take_word(char **line, const char *key, size_t *ret_n_bytes)
{
	size_t n_key = strlen(key), n_bytes;
	char *value;

	if (strncmp(*line, key, n_key) != 0 || (*line)[n_key] != '=')
		return NULL;
	value = *line + n_key + 1;
	n_bytes = strcspn(value, " ");
	*line = value + n_bytes + (value[n_bytes] == ' ');
	value[n_bytes] = '\0';
	*ret_n_bytes = unescape_bytes(value, n_bytes);
	return value;
}

static bool take_number(char **line, const char *key, uint64_t max, uint64_t *ret_number)
{
	size_t n_bytes;
	char *value = take_word(line, key, &n_bytes), *end;

	if (!value || *value < '0' || *value > '9')
		return false;
	errno = 0;
	*ret_number = strtoull(value, &end, 10);
	return !errno && !*end && *ret_number <= max;
}

/* Decodes the line in place: once. */
static bool parse_row(char *line, struct store_row *ret_row)
{
	uint64_t number, sequence, retired, created;

	*ret_row = (struct store_row){ 0 };
	if (!take_number(&line, "number", NUMBERS_LAST, &number) || !number ||
	    !take_number(&line, "sequence", INT64_MAX, &sequence) ||
	    !take_number(&line, "retired", 1, &retired) ||
	    !take_number(&line, "created", INT64_MAX, &created))
		return false;
	ret_row->number = (uint32_t)number;
	ret_row->sequence = sequence;
	ret_row->retired = retired;
	ret_row->created = (int64_t)created;
	ret_row->path = take_word(&line, "path", &ret_row->n_path);
	if (*line)
		ret_row->identity = take_word(&line, "identity", &ret_row->n_identity);
	return ret_row->path && !*line && store_row_good(ret_row);
}

/* No row that is good has a shorter line. */
enum { LINE_BYTES_MIN = sizeof("number=1 sequence=0 retired=0 created=0 path=/") };

struct rows {
	struct store_row *all;
	struct store_totals totals;
};

static bool is_end(const char *line, const struct store_totals *totals)
{
	char wanted[80];

	snprintf(wanted, sizeof(wanted), "end n=%" PRIu64 " sum=%016" PRIx64, totals->n,
		 totals->sum);
	return str_equal(line, wanted);
}

/* Returns 0; STORE_TEXT_NO_MAC. Before the lines are cut up. */
static int check_mac(const char *bytes, const char *end, const unsigned char *key)
{
	char wanted[2 * MAC_BYTES + 1];
	size_t n_word = strlen(mac_word);
	const char *line = end - n_word - 2 * MAC_BYTES - 1;

	if (!key)
		return 0;
	if (line < bytes || strncmp(line, mac_word, n_word) != 0 ||
	    (line > bytes && line[-1] != '\n') ||
	    compute_mac(key, bytes, (size_t)(line - bytes), wanted) < 0 ||
	    CRYPTO_memcmp(line + n_word, wanted, 2 * (size_t)MAC_BYTES) != 0)
		return STORE_TEXT_NO_MAC;
	return 0;
}

/* All lines but the first. Returns 0; -EUCLEAN with the number of the line. */
static int parse_lines(char *line, const char *end, struct rows *rows, size_t *ret_n_lines)
{
	bool ended = false;

	for (*ret_n_lines = 2; line < end; (*ret_n_lines)++) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		struct store_row *row = &rows->all[rows->totals.n];

		if (!newline || memchr(line, '\0', (size_t)(newline - line)))
			return -EUCLEAN;
		*newline = '\0';
		if (!ended && is_end(line, &rows->totals))
			ended = true;
		else if (ended && strncmp(line, mac_word, strlen(mac_word)) == 0)
			return newline + 1 == end ? 0 : -EUCLEAN;
		else if (ended || !parse_row(line, row))
			return -EUCLEAN;
		else
			store_totals_add(&rows->totals, store_row_checksum(row));
		line = newline + 1;
	}
	return ended ? 0 : -EUCLEAN;
}

int store_text_read(char *bytes, size_t n_bytes, const unsigned char *key, store_row_fn row,
		    void *userdata, char **reterr_why)
{
	size_t n_first = strlen(first_line), n_lines = 1;
	struct rows rows = {};
	int r = -EUCLEAN, mac;

	*reterr_why = NULL;
	if (n_bytes < n_first || memcmp(bytes, first_line, n_first) != 0)
		return store_fail(r, reterr_why, "this is no list of numbers that exportsd wrote");
	rows.all = calloc(n_bytes / LINE_BYTES_MIN + 1, sizeof(*rows.all));
	if (!rows.all)
		return -ENOMEM;
	mac = check_mac(bytes, bytes + n_bytes, key);
	r = parse_lines(bytes + n_first, bytes + n_bytes, &rows, &n_lines);
	if (r == -EUCLEAN)
		(void)store_fail(r, reterr_why, "it is damaged or cut short, at line %zu", n_lines);
	for (size_t i = 0; r >= 0 && i < rows.totals.n; i++)
		r = row(userdata, &rows.all[i]);
	free(rows.all);
	return r < 0 ? r : mac;
}

/* ---- the key ---- */

static int write_key(void *userdata, FILE *to)
{
	return fwrite(userdata, 1, STORE_KEY_BYTES, to) == STORE_KEY_BYTES ? 0 : -EIO;
}

static int make_key(const char *name, unsigned char key[STORE_KEY_BYTES])
{
	if (getrandom(key, STORE_KEY_BYTES, 0) != STORE_KEY_BYTES)
		return -EIO;
	return file_replace(AT_FDCWD, name, 0600, FILE_SYNC, write_key, key);
}

int store_key_read(const char *state_directory, bool make, unsigned char ret_key[STORE_KEY_BYTES])
{
	CLEANUP(freep) char *name = NULL;
	CLEANUP(closep) int fd = -1;
	struct stat st;

	if (asprintf(&name, "%s/numbers.key", state_directory) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT && make ? make_key(name, ret_key) : -errno;
	/* A key that others may know is none. */
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_mode & 077 || st.st_uid != geteuid())
		return -EPERM;
	return read(fd, ret_key, STORE_KEY_BYTES) == STORE_KEY_BYTES ? 0 : -EUCLEAN;
}
