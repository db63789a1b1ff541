/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * advice.c - what to write instead of an option that there is not.
 */

#include "parser/advice.h"

#include "parser/options.h"

#include <ctype.h>

/* Words of other systems' exports files, of mount(8), and of nfs-utils' past. */
static const struct {
	const char *name, *advice;
} foreign_options[] = {
	{ "alldirs", "every directory below an export can be mounted anyway; leave it out" },
	{ "anon", "write anonuid= and anongid=" },
	{ "defaults", "leave it out: host() has the defaults" },
	{ "hard", "it belongs to the client's mount options" },
	{ "intr", "it belongs to the client's mount options" },
	{ "link_absolute", "it is long gone; leave it out" },
	{ "link_relative", "it is long gone; leave it out" },
	{ "map_daemon", "it is long gone; use NFSv4 with idmapd, or the same ids everywhere" },
	{ "map_identity", "it is long gone and the default; leave it out" },
	{ "map_nis", "it is long gone; use NFSv4 with idmapd, or the same ids everywhere" },
	{ "mapall", "write all_squash,anonuid=UID,anongid=GID" },
	{ "maproot", "write anonuid=UID,anongid=GID, or no_root_squash for maproot=root" },
	{ "nfsvers", "versions are chosen in nfs.conf, section [nfsd]" },
	{ "noaccess", "export what may be seen instead" },
	{ "noatime", "it belongs to the mount of the file system that is exported" },
	{ "nodev",
	  "it belongs to the mount of the file system that is exported, or to the client's" },
	{ "noexec",
	  "it belongs to the mount of the file system that is exported, or to the client's" },
	{ "nosuid",
	  "it belongs to the mount of the file system that is exported, or to the client's" },
	{ "port", "it belongs to the client's mount options" },
	{ "rdirplus", "it is the default; leave it out" },
	{ "root", "write the hosts as clients: host(no_root_squash)" },
	{ "rsize", "it belongs to the client's mount options" },
	{ "sign_fh", "this kernel interface is newer than this program" },
	{ "soft", "it belongs to the client's mount options" },
	{ "tcp", "transports are chosen in nfs.conf, section [nfsd]" },
	{ "tls", "write xprtsec=tls" },
	{ "mtls", "write xprtsec=mtls" },
	{ "udp", "transports are chosen in nfs.conf, section [nfsd]" },
	{ "vers", "versions are chosen in nfs.conf, section [nfsd]" },
	{ "wsize", "it belongs to the client's mount options" },
	{ "zfs_snapdir", "only TrueNAS's kernel knows it" },
	{ "nozfs_snapdir", "only TrueNAS's kernel knows it" },
};

const char *advice_foreign(const char *option, size_t name_length)
{
	for (size_t i = 0; i < N_ELEMENTS(foreign_options); i++) {
		const char *name = foreign_options[i].name;

		if (strlen(name) == name_length && strncmp(option, name, name_length) == 0)
			return foreign_options[i].advice;
	}
	return NULL;
}

enum { WORD_MAX = 32 };

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* How many bytes to insert, delete, replace or swap with a neighbour; case is nothing. */
static size_t typo_distance(const char *word, size_t length, const char *other)
{
	size_t other_length = strlen(other), rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	if (length > WORD_MAX || other_length > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= other_length; j++)
		row[j] = before[j] = j;
	for (size_t i = 1; i <= length; i++) {
		spare = before;
		before = above;
		above = row;
		row = spare;
		row[0] = i;
		for (size_t j = 1; j <= other_length; j++) {
			bool same = tolower((unsigned char)word[i - 1]) == other[j - 1];

			row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
			if (i > 1 && j > 1 && word[i - 1] == other[j - 2] &&
			    word[i - 2] == other[j - 1] && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return row[other_length];
}

/* One byte in three may be wrong. */
const char *advice_nearest(const char *word, size_t length)
{
	size_t best = length / 3 ? length / 3 + 1 : 2, distance;
	const char *nearest = NULL, *name;

	for (size_t i = 0; (name = options_name(i)); i++) {
		distance = typo_distance(word, length, name);
		if (distance < best) {
			best = distance;
			nearest = name;
		}
	}
	return nearest;
}
