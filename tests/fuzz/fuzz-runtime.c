/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Any bytes as what is read back from the state directories: run-time-exports and its lines of etab's form, etab, and
 * rmtab. What was read of etab is printed and read again as the same.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include "exportsd/exports/runtime.h"
#include "exportsd/mountd/rmtab.h"
#include "parser/diag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static char *print(const struct exports_source *source)
{
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	require(to != NULL);
	for (size_t i = 0; i < source->n_items; i++) {
		const struct export_item *item = &source->items[i];

		require(export_print_etab(to, item->pattern ?: item->path, item->client->text,
					  item->options, item->fsid, EXPORT_PER_FLAVOR) == 0);
	}
	require(fclose(to) == 0);
	return text;
}

static struct exports_source *read_etab(const char *text, size_t length, bool must_be_right)
{
	struct exports_source *source;
	struct diags diags = { 0 };

	require(exports_read_etab("etab", text, length, &diags, &source) == 0);
	require(!must_be_right || diags.n_errors == 0);
	diags_done(&diags);
	return source;
}

/* Without a client it is everybody, as with a "*". */
static bool is_same_client(const struct client_spec *a, const struct client_spec *b)
{
	return a->type == b->type && (a->type == CLIENT_ANONYMOUS || str_equal(a->text, b->text));
}

static void check_etab(const char *text, size_t length)
{
	struct exports_source *source = read_etab(text, length, false), *again;
	char *printed = print(source);

	again = read_etab(printed, strlen(printed), true);
	require(again->n_items == source->n_items);
	for (size_t i = 0; i < source->n_items; i++) {
		require(str_equal(again->items[i].path, source->items[i].path));
		require(is_same_client(again->items[i].client, source->items[i].client));
	}
	free(printed);
	exports_source_free(source);
	exports_source_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct runtime *runtime;
	struct rmtab *rmtab;
	char file[32];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char *text = malloc(size ? size : 1);

	require(fd >= 0 && text && write(fd, data, size) == (ssize_t)size);
	memcpy(text, data, size);
	check_etab(text, size);
	free(text);
	(void)snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	require(runtime_new(&runtime) == 0 && runtime_read(runtime, file) == 0);
	check_etab(runtime_added(runtime), strlen(runtime_added(runtime)));
	runtime_free(runtime);
	require(rmtab_new(&rmtab) == 0 && rmtab_read(rmtab, file) == 0);
	rmtab_free(rmtab);
	close(fd);
	return 0;
}
