/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rmtab.c - a list in order of age, and a hash of the same entries.
 *
 * An entry's key is the client, a NUL and the path.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <uthash.h>
#include <utlist.h>

#include "exportsd/mountd/rmtab.h"
#include "parser/file.h"

struct entry {
	UT_hash_handle hh;
	struct entry *prev, *next;
	const char *path; /* into key */
	size_t key_length;
	char key[];
};

struct rmtab {
	struct entry *by_key;
	struct entry *newest;
};

int rmtab_new(struct rmtab **ret_rmtab)
{
	struct rmtab *rmtab = calloc(1, sizeof(*rmtab));

	if (!rmtab)
		return -ENOMEM;
	*ret_rmtab = rmtab;
	return 0;
}

static void forget(struct rmtab *rmtab, struct entry *entry)
{
	HASH_DEL(rmtab->by_key, entry);
	DL_DELETE(rmtab->newest, entry);
	free(entry);
}

struct rmtab *rmtab_free(struct rmtab *rmtab)
{
	if (!rmtab)
		return NULL;
	while (rmtab->newest)
		forget(rmtab, rmtab->newest);
	free(rmtab);
	return NULL;
}

static struct entry *entry_new(const char *client, const char *path)
{
	size_t client_size = strlen(client) + 1, path_size = strlen(path) + 1;
	struct entry *entry = calloc(1, sizeof(*entry) + client_size + path_size);

	if (!entry)
		return NULL;
	memcpy(entry->key, client, client_size);
	memcpy(entry->key + client_size, path, path_size);
	entry->path = entry->key + client_size;
	entry->key_length = client_size + path_size;
	return entry;
}

static struct entry *find(const struct rmtab *rmtab, const struct entry *like)
{
	struct entry *entry;

	HASH_FIND(hh, rmtab->by_key, like->key, like->key_length, entry);
	return entry;
}

/* One that is not in the list; it is the caller's to put into the order. NULL: no memory. */
static struct entry *enter(struct rmtab *rmtab, struct entry *entry)
{
	HASH_ADD_KEYPTR(hh, rmtab->by_key, entry->key, entry->key_length, entry);
	if (entry->hh.tbl)
		return entry;
	free(entry);
	return NULL;
}

int rmtab_add(struct rmtab *rmtab, const char *client, const char *path)
{
	struct entry *entry = entry_new(client, path), *known;

	if (!entry)
		return -ENOMEM;
	known = find(rmtab, entry);
	if (known)
		forget(rmtab, known);
	else if (rmtab_count(rmtab) >= RMTAB_MAX)
		/* utlist: the head's prev is the tail. */
		forget(rmtab, rmtab->newest->prev);
	entry = enter(rmtab, entry);
	if (!entry)
		return -ENOMEM;
	DL_PREPEND(rmtab->newest, entry);
	return 0;
}

bool rmtab_remove(struct rmtab *rmtab, const char *client, const char *path)
{
	CLEANUP(freep) struct entry *like = entry_new(client, path);
	struct entry *known = like ? find(rmtab, like) : NULL;

	if (!known)
		return false;
	forget(rmtab, known);
	return true;
}

bool rmtab_remove_client(struct rmtab *rmtab, const char *client)
{
	struct entry *entry, *next;
	bool found = false;

	DL_FOREACH_SAFE (rmtab->newest, entry, next) {
		if (!str_equal(entry->key, client))
			continue;
		forget(rmtab, entry);
		found = true;
	}
	return found;
}

size_t rmtab_count(const struct rmtab *rmtab)
{
	return HASH_COUNT(rmtab->by_key);
}

int rmtab_each(const struct rmtab *rmtab,
	       int (*each)(void *userdata, const char *client, const char *path), void *userdata)
{
	const struct entry *entry;
	int r;

	DL_FOREACH (rmtab->newest, entry) {
		r = each(userdata, entry->key, entry->path);
		if (r != 0)
			return r;
	}
	return 0;
}

void rmtab_merge(struct rmtab *rmtab, const struct rmtab *other)
{
	const struct entry *entry;
	struct entry *copy;

	DL_FOREACH (other->newest, entry) {
		if (rmtab_count(rmtab) >= RMTAB_MAX)
			return;
		copy = find(rmtab, entry) ? NULL : entry_new(entry->key, entry->path);
		copy = copy ? enter(rmtab, copy) : NULL;
		if (copy)
			DL_APPEND(rmtab->newest, copy);
	}
}

/* ---- the file ---- */

/* The path may hold colons: what is before the first and after the last is not the path. */
static int add_line(struct rmtab *rmtab, char *line)
{
	char *path = strchr(line, ':');
	char *count = path ? strrchr(path + 1, ':') : NULL;

	if (!count || path == line || path[1] != '/' || count - path > PATH_MAX)
		return 0;
	*path++ = '\0';
	*count = '\0';
	for (char *client = line; (client = strchr(client, ';'));)
		*client = ':';
	return rmtab_add(rmtab, line, path);
}

int rmtab_read_stream(struct rmtab *rmtab, FILE *from)
{
	CLEANUP(freep) char *line = NULL;
	size_t size = 0;
	int r = 0;

	while (r == 0 && getline(&line, &size, from) > 0)
		r = add_line(rmtab, line);
	return r == 0 && ferror(from) ? -EIO : r;
}

int rmtab_read(struct rmtab *rmtab, const char *file)
{
	FILE *from = file_open_stream(file);
	int r;

	if (!from)
		return -errno;
	r = rmtab_read_stream(rmtab, from);
	(void)fclose(from);
	return r;
}

static void write_entry(const struct entry *entry, FILE *to)
{
	if (strchr(entry->path, '\n'))
		return;
	for (const char *client = entry->key; *client; client++)
		(void)putc_unlocked(*client == ':' ? ';' : *client, to);
	(void)putc_unlocked(':', to);
	(void)fputs_unlocked(entry->path, to);
	(void)fputs_unlocked(":0x00000001\n", to);
}

/* Oldest first: reading adds in this order. */
void rmtab_write_stream(const struct rmtab *rmtab, FILE *to)
{
	const struct entry *oldest = rmtab->newest ? rmtab->newest->prev : NULL;

	for (const struct entry *entry = oldest; entry; entry = entry->prev) {
		write_entry(entry, to);
		if (entry == rmtab->newest)
			break;
	}
}

static int write_all(void *userdata, FILE *to)
{
	rmtab_write_stream(userdata, to);
	return 0;
}

/* As rpc.mountd's: root's to write, everybody's to read. */
int rmtab_write(const struct rmtab *rmtab, const char *file)
{
	return file_replace(AT_FDCWD, file, 0644, 0, write_all, (void *)rmtab);
}
