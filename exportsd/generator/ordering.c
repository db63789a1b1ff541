/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ordering.c - from exports to RequiresMountsFor= and Before=.
 *
 * Sources: nfs-utils systemd/nfs-server-generator.c; systemd.unit(5) RequiresMountsFor=, "String
 * Escaping for Inclusion in Unit Names", "Specifiers"; systemd src/core/load-fragment.c
 * config_parse_unit_requires_mounts_for(), which takes quotes off but leaves backslashes as they
 * are.
 */

#include "exportsd/generator/ordering.h"
#include "parser/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <limits.h>
#include <sys/stat.h>
#include <uthash.h>

#include "parser/escape.h"

enum { LINKS_MAX = 40 };

/* Paths that are named already. */
struct named {
	UT_hash_handle hh;
	char path[];
};

struct writing {
	const struct snapshot *snapshot;
	const char *rootdir; /* "": / */
	struct libmnt_table *fstab;
	bool look;
	FILE *to;
	struct named *named;
	int n_lines;
};

/* ---- texts ---- */

/*
 * A path as a value of RequiresMountsFor=. Returns a string to free(3); NULL with errno EINVAL (the
 * path cannot be written there: it has a control byte, both kinds of quotes, or is no UTF-8) or
 * ENOMEM.
 */
static char *quote_path(const char *path)
{
	char quote = strchr(path, '"') ? '\'' : '"';
	char *text, *end;

	if ((quote == '\'' && strchr(path, '\'')) || !escape_is_utf8(path)) {
		errno = EINVAL;
		return NULL;
	}
	for (const char *byte = path; *byte; byte++)
		if (iscntrl((unsigned char)*byte)) {
			errno = EINVAL;
			return NULL;
		}
	text = malloc(2 * strlen(path) + 3);
	if (!text)
		return NULL;
	end = text;
	*end++ = quote;
	for (; *path; path++) {
		if (*path == '%')
			*end++ = '%';
		*end++ = *path;
	}
	*end++ = quote;
	*end = '\0';
	return text;
}

char *ordering_unit_name(const char *path)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.";
	char *name = malloc(4 * strlen(path) + sizeof("-.mount")), *end = name;

	if (!name)
		return NULL;
	while (*path) {
		size_t slashes = strspn(path, "/");

		path += slashes;
		if (slashes && *path && end != name)
			*end++ = '-';
		if (!*path)
			break;
		if (strchr(plain, *path) && !(end == name && *path == '.'))
			*end++ = *path;
		else
			end += sprintf(end, "\\x%02x", (unsigned char)*path);
		path++;
	}
	if (end == name)
		*end++ = '-';
	strcpy(end, ".mount");
	return name;
}

/* ---- symbolic links ---- */

/* Is this where something is mounted, or (also if nobody can say) nothing to look into? */
static bool is_crossing(const char *path)
{
	struct statx status;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, 0,
		     &status) < 0 ||
	       (status.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/*
 * Put @target in place of the link that ends @path; @rest follows it. Returns false if that is too
 * long.
 */
static bool follow(char path[PATH_MAX], const char *target, char rest[PATH_MAX])
{
	char behind[PATH_MAX];

	strcpy(behind, rest);
	if (*target == '/')
		path[0] = '\0';
	else
		*strrchr(path, '/') = '\0';
	return snprintf(rest, PATH_MAX, "%s/%s", target, behind) < PATH_MAX;
}

/*
 * Move the first component of @rest to the end of @path. Returns its length, 0 at the end; negative
 * if there is no room for it.
 */
static int move_component(char path[PATH_MAX], char rest[PATH_MAX])
{
	size_t skip = strspn(rest, "/"), length = strcspn(rest + skip, "/"), end = strlen(path);
	const char *name = rest + skip;

	if (length == 2 && strncmp(name, "..", 2) == 0) {
		char *slash = strrchr(path, '/');

		if (slash)
			*slash = '\0';
	} else if (length && !(length == 1 && *name == '.')) {
		if (end + 1 + length >= PATH_MAX)
			return -ENAMETOOLONG;
		path[end] = '/';
		memcpy(path + end + 1, name, length);
		path[end + 1 + length] = '\0';
	}
	memmove(rest, name + length, strlen(name + length) + 1);
	return (int)length;
}

char *ordering_real_path(const char *path)
{
	char real[PATH_MAX] = "", rest[PATH_MAX], target[PATH_MAX];
	bool looks = true;

	if (snprintf(rest, sizeof(rest), "%s", path) >= (int)sizeof(rest))
		return strdup(path);
	for (int n_links = 0;;) {
		int moved = move_component(real, rest);
		ssize_t n;

		if (moved < 0 || n_links > LINKS_MAX)
			return strdup(path);
		if (moved == 0)
			return strdup(*real ? real : "/");
		n = looks && *real ? readlink(real, target, sizeof(target) - 1) : -1;
		if (n >= 0) {
			target[n] = '\0';
			n_links++;
			if (!follow(real, target, rest))
				return strdup(path);
		} else if (looks && *real) {
			looks = !is_crossing(real);
		}
	}
}

/* ---- fstab ---- */

static bool is_beneath(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	while (length && directory[length - 1] == '/')
		length--;
	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

/* The fstab entry whose mount holds a path, the innermost one. */
static struct libmnt_fs *mount_of(const struct writing *writing, const char *path)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs, *found = NULL;

	while (iter && mnt_table_next_fs(writing->fstab, iter, &fs) == 0) {
		const char *target = mnt_fs_get_target(fs);

		if (target && *target == '/' && is_beneath(path, target) &&
		    (!found || strlen(target) >= strlen(mnt_fs_get_target(found))))
			found = fs;
	}
	mnt_free_iter(iter);
	return found;
}

static bool has_option(struct libmnt_fs *fs, const char *name)
{
	return mnt_fs_get_option(fs, name, NULL, NULL) == 0;
}

/* ---- lines ---- */

/* Returns 1 if it is new; -ENOMEM. */
static int note_named(struct writing *writing, const char *path)
{
	struct named *named;

	HASH_FIND_STR(writing->named, path, named);
	if (named)
		return 0;
	named = malloc(sizeof(*named) + strlen(path) + 1);
	if (!named)
		return -ENOMEM;
	strcpy(named->path, path);
	HASH_ADD_STR(writing->named, path, named);
	if (!named->hh.tbl) {
		free(named);
		return -ENOMEM;
	}
	return 1;
}

static int require(struct writing *writing, const char *path)
{
	CLEANUP(freep) char *value = NULL;
	struct libmnt_fs *fs = mount_of(writing, path);
	int r;

	if (fs && has_option(fs, "noauto"))
		return 0;
	r = note_named(writing, path);
	if (r <= 0)
		return r;
	value = quote_path(path);
	if (!value)
		return errno == ENOMEM ? -ENOMEM : 0;
	fprintf(writing->to, "RequiresMountsFor=%s\n", value);
	writing->n_lines++;
	return 0;
}

static int require_export(struct writing *writing, const struct snapshot_export *export)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *real = NULL;
	int r;

	/* A medium's path, exported for itself, comes as late as the medium. */
	if (!export->pattern && (export->options->mountpoint ||
				 snapshot_rule_for_path(writing->snapshot, export->path, NULL)))
		return 0;
	path = text_format("%s%s", writing->rootdir, export->path);
	r = path ? require(writing, path) : -ENOMEM;
	if (r < 0 || !writing->look)
		return r;
	real = ordering_real_path(path);
	return real ? require(writing, real) : -ENOMEM;
}

/* Does an export lie on it? Then the server needs it, and it cannot wait for the server. */
static bool is_needed(const struct writing *writing, struct libmnt_fs *fs)
{
	for (const struct named *named = writing->named; named; named = named->hh.next)
		if (mount_of(writing, named->path) == fs)
			return true;
	return false;
}

static int precede(struct writing *writing, struct libmnt_fs *fs)
{
	const char *type = mnt_fs_get_fstype(fs), *target = mnt_fs_get_target(fs);
	CLEANUP(freep) char *unit = NULL;

	if (!type || !target || *target != '/' ||
	    !(str_equal(type, "nfs") || str_equal(type, "nfs4")) || is_needed(writing, fs))
		return 0;
	unit = ordering_unit_name(target);
	if (!unit)
		return -ENOMEM;
	fprintf(writing->to, "Before=%s\n", unit);
	writing->n_lines++;
	return 0;
}

static int write_lines(struct writing *writing)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	int r = iter ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < snapshot_n_exports(writing->snapshot); i++)
		r = require_export(writing, snapshot_export(writing->snapshot, i));
	while (r == 0 && mnt_table_next_fs(writing->fstab, iter, &fs) == 0)
		r = precede(writing, fs);
	mnt_free_iter(iter);
	return r < 0 ? r : writing->n_lines;
}

int ordering_write(const struct snapshot *snapshot, const char *rootdir, const char *fstab,
		   bool look, FILE *to)
{
	struct writing writing = {
		.snapshot = snapshot,
		.rootdir = rootdir ? rootdir : "",
		.look = look,
		.to = to,
	};
	struct named *named, *next;
	int r;

	writing.fstab = mnt_new_table();
	if (!writing.fstab)
		return -ENOMEM;
	/* What of it can be understood. */
	(void)mnt_table_parse_fstab(writing.fstab, fstab);
	fputs("[Unit]\n", to);
	r = write_lines(&writing);
	HASH_ITER (hh, writing.named, named, next) {
		HASH_DEL(writing.named, named);
		free(named);
	}
	mnt_unref_table(writing.fstab);
	return r;
}
