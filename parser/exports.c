/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * exports.c - what is read: files, texts, a command line.
 */

#include "parser/exports.h"

#include "parser/etab.h"
#include "parser/file.h"
#include "parser/reader.h"
#include "parser/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

FORMAT_PRINTF(3, 4)
static void file_fault(struct reader *reader, const char *file, const char *format, ...)
{
	struct position at = { .file = file };
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	diag_add(reader->diags, DIAG_ERROR, &at, "%s", text);
}

static int read_file(struct reader *reader, const char *file)
{
	CLEANUP(closep) int fd = file_open(file);
	CLEANUP(freep) char *text = NULL;
	size_t length = 0;
	int r;

	if (fd == -ENOMEM)
		return -ENOMEM;
	if (fd < 0) {
		file_fault(reader, file, "cannot be opened: %s",
			   fd == -ENOTSUP ? "it is a pipe, a socket or a device, not a file"
					  : strerrordesc_np(-fd));
		return 0;
	}
	r = file_read(fd, LEX_FILE_MAX, &text, &length);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		file_fault(reader, file, "cannot be read: %s", strerrordesc_np(-r));
		return 0;
	}
	return reader_text(reader, file, text, length);
}

/* The names nfs-utils' export_d_read() takes. */
static int is_exports_file(const struct dirent *entry)
{
	static const char ending[] = ".exports";
	size_t length = strlen(entry->d_name);

	if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_REG && entry->d_type != DT_LNK)
		return 0;
	return entry->d_name[0] != '.' && length >= sizeof(ending) &&
	       str_equal(entry->d_name + length - strlen(ending), ending);
}

static int read_directory(struct reader *reader, const char *directory)
{
	struct dirent **names;
	int n = scandir(directory, &names, is_exports_file, versionsort), r = 0;

	if (n < 0) {
		if (errno == ENOMEM)
			return -ENOMEM;
		if (errno != ENOENT)
			file_fault(reader, directory, "cannot be read: %s", strerrordesc_np(errno));
		return 0;
	}
	for (int i = 0; i < n; i++) {
		CLEANUP(freep)
		char *file = r == 0 ? text_format("%s/%s", directory, names[i]->d_name) : NULL;

		if (r == 0)
			r = file ? read_file(reader, file) : -ENOMEM;
		free(names[i]);
	}
	free(names);
	return r;
}

/* What was read, taken out of the reader. */
static int make_source(struct reader *reader, struct exports_source **ret_source)
{
	struct exports_source *source = malloc(sizeof(*source));
	struct export_item *items;

	if (!source)
		return -ENOMEM;
	items = reader->n_items ? reallocarray(reader->items, reader->n_items, sizeof(*items))
				: NULL;
	if (items)
		reader->items = items;
	source->items = TAKE_PTR(reader->items);
	source->n_items = reader->n_items;
	arena_forget_interned(reader->arena);
	source->arena = TAKE_PTR(reader->arena);
	*ret_source = source;
	return 0;
}

int exports_read_files(const char *const *files, size_t n_files, const char *const *directories,
		       size_t n_directories, struct diags *diags,
		       struct exports_source **ret_source)
{
	struct reader reader;
	int r = reader_init(&reader, diags);

	for (size_t i = 0; r == 0 && i < n_files; i++)
		r = read_file(&reader, files[i]);
	for (size_t i = 0; r == 0 && i < n_directories; i++)
		r = read_directory(&reader, directories[i]);
	if (r == 0)
		r = make_source(&reader, ret_source);
	reader_done(&reader);
	return r;
}

static int read_named_text(const char *name, const char *text, size_t n_bytes, bool is_etab,
			   struct diags *diags, struct exports_source **ret_source)
{
	struct reader reader;
	int r = reader_init(&reader, diags);

	reader.is_etab = is_etab;
	if (r == 0 && n_bytes > LEX_FILE_MAX)
		file_fault(&reader, name, "is larger than %d bytes", LEX_FILE_MAX);
	else if (r == 0)
		r = reader_text(&reader, name, text, n_bytes);
	if (r == 0)
		r = make_source(&reader, ret_source);
	reader_done(&reader);
	return r;
}

int exports_read_text(const char *name, const char *text, size_t n_bytes, struct diags *diags,
		      struct exports_source **ret_source)
{
	return read_named_text(name, text, n_bytes, false, diags, ret_source);
}

int exports_read_etab(const char *name, const char *text, size_t n_bytes, struct diags *diags,
		      struct exports_source **ret_source)
{
	return read_named_text(name, text, n_bytes, true, diags, ret_source);
}

/* ---- a command line's parts ---- */

static bool names_handler(const char *options, const struct export_item *base)
{
	return (options && (strstr(options, "fsid=/") || strstr(options, "fsid=@"))) ||
	       (base && base->options->handler);
}

static int print_argument(const char *client, const char *path, const char *options, bool is_rule,
			  char **ret_text, size_t *ret_length)
{
	FILE *to = open_memstream(ret_text, ret_length);

	if (!to)
		return -ENOMEM;
	if (is_rule) {
		etab_put_path(to, path);
		putc('\t', to);
		etab_put_text(to, client);
	} else {
		etab_put_pair(to, path, NULL, client);
	}
	putc('(', to);
	etab_put_text(to, options ?: "");
	fputs(")\n", to);
	return fclose(to) == 0 ? 0 : -ENOMEM;
}

/* A command line's text, its entries starting with @base's options; NULL: as usual. */
static int read_based(const char *text, size_t n_bytes, const struct export_item *base,
		      struct diags *diags, struct exports_source **ret_source)
{
	struct reader reader;
	int r = reader_init(&reader, diags);

	if (base)
		reader.defaults = (struct kept_options){ base->options, base->fsid };
	if (r == 0)
		r = reader_text(&reader, "command line", text, n_bytes);
	if (r == 0)
		r = make_source(&reader, ret_source);
	reader_done(&reader);
	return r;
}

int exports_read_argument(const char *client, const char *path, const char *options,
			  const struct export_item *base, struct diags *diags,
			  struct exports_source **ret_source)
{
	CLEANUP(freep) char *text = NULL;
	size_t length = 0;
	int r = print_argument(client, path, options, names_handler(options, base), &text, &length);

	return r < 0 ? r : read_based(text, length, base, diags, ret_source);
}
