/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity.c - libblkid, asked about superblocks only: partition tables in an image are not looked
 * at.
 */

#include <blkid/blkid.h>
#include <errno.h>
#include <stdio.h>

#include "handlers/image/identity.h"
#include "parser/text.h"

static void free_probe(blkid_probe *probe)
{
	blkid_free_probe(*probe);
}

/*
 * What blkid_do_safeprobe() says, as 0, an enum identity_found or -errno.
 *
 * @types: NULL: all
 */
static int probe_superblocks(blkid_probe probe, int fd, char *const *types)
{
	int r;

	errno = 0;
	if (blkid_probe_set_device(probe, fd, 0, 0) < 0)
		return errno > 0 ? -errno : -EIO;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
							 BLKID_SUBLKS_UUID);
	if (types &&
	    blkid_probe_filter_superblocks_type(probe, BLKID_FLTR_ONLYIN, (char **)types) < 0)
		return -ENOMEM;
	r = blkid_do_safeprobe(probe);
	if (r == 0)
		return IDENTITY_FOUND;
	if (r == 1)
		return IDENTITY_NOTHING;
	if (r == -2) /* "ambivalent result", libblkid's manual */
		return IDENTITY_UNCLEAR;
	return errno > 0 ? -errno : -EIO;
}

static int copy_value(blkid_probe probe, const char *name, char **ret_value)
{
	const char *value;

	if (blkid_probe_lookup_value(probe, name, &value, NULL) < 0 || !*value) {
		*ret_value = NULL;
		return 0;
	}
	*ret_value = strdup(value);
	return *ret_value ? 0 : -ENOMEM;
}

/* File systems that are made once and never written: a copy with other bytes is another medium. */
static bool is_immutable(const char *type)
{
	static const char *const types[] = { "iso9660", "udf",	  "squashfs",
					     "erofs",	"cramfs", "romfs" };

	for (size_t i = 0; i < N_ELEMENTS(types); i++)
		if (str_equal(types[i], type))
			return true;
	return false;
}

/* FNV-1a. */
static int add_to_sum(int fd, uint64_t offset, size_t length, uint64_t *sum)
{
	CLEANUP(freep) unsigned char *bytes = malloc(length);
	ssize_t n = bytes ? pread(fd, bytes, length, (off_t)offset) : 0;

	if (!bytes || n < 0)
		return bytes ? -errno : -ENOMEM;
	for (ssize_t i = 0; i < n; i++)
		*sum = (*sum ^ bytes[i]) * 0x100000001b3;
	return 0;
}

/*
 * The head holds every superblock, and of small images everything; samples come from all over the
 * rest. A loop device has no half sector at its end, so neither has the size.
 */
static int checksum(int fd, uint64_t size, char **ret_text)
{
	enum { HEAD = 1 << 20, SAMPLE = 4096, N_SAMPLES = 16, SECTOR = 512 };
	uint64_t sum = 0xcbf29ce484222325;
	int r;

	size -= size % SECTOR;
	r = add_to_sum(fd, 0, size < HEAD ? (size_t)size : HEAD, &sum);
	for (int i = 0; r == 0 && size > HEAD && i < N_SAMPLES; i++)
		r = add_to_sum(fd, HEAD + (size - HEAD) / N_SAMPLES * (uint64_t)i, SAMPLE, &sum);
	if (r < 0)
		return r;
	*ret_text =
		text_format("sum-%016llx-%llu", (unsigned long long)sum, (unsigned long long)size);
	return *ret_text ? 0 : -ENOMEM;
}

static char *join(const struct image_identity *identity, const char *uuid, const char *sum)
{
	return text_format("%s %s%s%s%s%s", identity->type, identity->label ?: "-", uuid ? " " : "",
			   uuid ?: "", sum ? " " : "", sum ?: "");
}

static int read_values(blkid_probe probe, int fd, struct image_identity *identity)
{
	CLEANUP(freep) char *uuid = NULL;
	CLEANUP(freep) char *sum = NULL;
	int r;

	r = copy_value(probe, "TYPE", &identity->type);
	if (r == 0)
		r = copy_value(probe, "LABEL", &identity->label);
	if (r == 0)
		r = copy_value(probe, "UUID", &uuid);
	if (r == 0 && !identity->type)
		r = -EIO;
	if (r == 0 && (!uuid || is_immutable(identity->type)))
		r = checksum(fd, (uint64_t)blkid_probe_get_size(probe), &sum);
	if (r < 0)
		return r;
	identity->text = join(identity, uuid, sum);
	return identity->text ? 0 : -ENOMEM;
}

/* Nothing allowed was found; perhaps something else is there, for the message. */
static int find_forbidden(blkid_probe probe, int fd, struct image_identity *identity)
{
	blkid_reset_probe(probe);
	blkid_probe_reset_superblocks_filter(probe);
	if (probe_superblocks(probe, fd, NULL) != IDENTITY_FOUND)
		return IDENTITY_NOTHING;
	if (copy_value(probe, "TYPE", &identity->type) < 0)
		return -ENOMEM;
	return identity->type ? IDENTITY_FORBIDDEN : IDENTITY_NOTHING;
}

int identity_probe(int fd, char *const *types, struct image_identity *ret_identity)
{
	CLEANUP(free_probe) blkid_probe probe = blkid_new_probe();
	CLEANUP(image_identity_done) struct image_identity identity = { 0 };
	int r;

	if (!probe)
		return -ENOMEM;
	r = probe_superblocks(probe, fd, types);
	if (r == IDENTITY_FOUND)
		r = read_values(probe, fd, &identity);
	else if (r == IDENTITY_NOTHING)
		r = find_forbidden(probe, fd, &identity);
	if (r == IDENTITY_FOUND || r == IDENTITY_FORBIDDEN) {
		*ret_identity = identity;
		identity = (struct image_identity){ 0 };
	}
	return r;
}

void image_identity_done(struct image_identity *identity)
{
	free(identity->type);
	free(identity->label);
	free(identity->text);
	*identity = (struct image_identity){ 0 };
}

bool identity_type_is_known(const char *type)
{
	return blkid_known_fstype(type);
}
