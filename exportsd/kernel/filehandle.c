/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * filehandle.c - reading file handles, and the many ways in which they are printed.
 */

#include "exportsd/kernel/filehandle.h"

#include <ctype.h>
#include <errno.h>

/* ---- bytes ---- */

static uint32_t little32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

static uint32_t big32(const uint8_t *bytes)
{
	return (uint32_t)bytes[3] | (uint32_t)bytes[2] << 8 | (uint32_t)bytes[1] << 16 |
	       (uint32_t)bytes[0] << 24;
}

static uint64_t little64(const uint8_t *bytes)
{
	return (uint64_t)little32(bytes + 4) << 32 | little32(bytes);
}

/* IEEE 802.3, reflected: crc32_le(~0, ...) inverted (linux fs/nfsd/nfsfh.h knfsd_fh_hash()). */
uint32_t filehandle_hash(const uint8_t *bytes, size_t n_bytes)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n_bytes; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* ---- texts ---- */

/* A text is words; a word is runs of hex digits. */
struct reading {
	struct filehandle handle;
	size_t n_runs;
	bool all_runs_are_words; /* of eight digits */
	size_t announced; /* "36:" of nfsd's logs; 0: nothing */
};

static int digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static int take_run(struct reading *reading, const char *run, size_t length)
{
	struct filehandle *handle = &reading->handle;

	if (length % 2)
		return -EINVAL;
	if (handle->n_bytes + length / 2 > FILEHANDLE_MAX)
		return -E2BIG;
	for (size_t i = 0; i < length; i += 2)
		handle->bytes[handle->n_bytes++] =
			(uint8_t)(digit(run[i]) << 4 | digit(run[i + 1]));
	reading->n_runs++;
	reading->all_runs_are_words = reading->all_runs_are_words && length == 8;
	return 0;
}

static bool is_divider(char c)
{
	return c && strchr(":,-", c);
}

/* Past "0x" or "\x", which may stand before each run. */
static const char *past_prefix(const char *at, const char *end)
{
	return end - at >= 2 && (*at == '0' || *at == '\\') && (at[1] == 'x' || at[1] == 'X')
		       ? at + 2
		       : at;
}

static int take_word(struct reading *reading, const char *word, size_t n)
{
	const char *at = word, *end = word + n;

	while (at < end) {
		const char *start = at = past_prefix(at, end);
		int r;

		while (at < end && isxdigit((unsigned char)*at))
			at++;
		r = at == start ? -EINVAL : take_run(reading, start, (size_t)(at - start));
		if (r < 0)
			return r;
		if (at < end && is_divider(*at))
			at++;
		else if (at < end && *at != '\\')
			return -EINVAL;
	}
	return 0;
}

/* "FileHandle:", "fh": what is written before a handle. */
static bool is_label(const char *word, size_t n)
{
	static const char *const labels[] = { "filehandle", "fh", "handle", "hex", "fhandle" };

	while (n && strchr(":=", word[n - 1]))
		n--;
	for (size_t i = 0; i < N_ELEMENTS(labels); i++)
		if (strlen(labels[i]) == n && strncasecmp(labels[i], word, n) == 0)
			return true;
	return false;
}

/*
 * "36:" of SVCFH_fmt() (linux fs/nfsd/nfsfh.c). Two digits could be a byte with its colon: then
 * nothing stands behind.
 */
static bool is_length(const char *word, size_t n, const char *behind)
{
	if (n < 2 || n > 4 || word[n - 1] != ':' || !behind[strspn(behind, " \t\n")])
		return false;
	return strspn(word, "0123456789") == n - 1;
}

static int take_text(struct reading *reading, const char *text)
{
	while (*(text += strspn(text, " \t\r\n[]\"'()"))) {
		size_t n = strcspn(text, " \t\r\n[]\"'()");
		const char *slash = memrchr(text, '/', n), *word = slash ? slash + 1 : text;
		int r = 0;

		if (reading->n_runs == 0 && !reading->announced && is_length(text, n, text + n))
			reading->announced = strtoul(text, NULL, 10);
		else if (reading->n_runs != 0 || !is_label(text, n))
			r = take_word(reading, word, n - (size_t)(word - text));
		if (r < 0)
			return r;
		text += n;
	}
	return 0;
}

/* Before Linux 5.16 nfsd printed the first six words as numbers. */
static void turn_words(struct filehandle *handle)
{
	for (size_t i = 0; i + 4 <= handle->n_bytes; i += 4) {
		uint32_t word = little32(handle->bytes + i);

		for (int j = 0; j < 4; j++)
			handle->bytes[i + j] = (uint8_t)(word >> (8 * (3 - j)));
	}
}

int filehandle_parse(const char *text, struct filehandle *ret_handle, uint32_t *ret_hash,
		     const char **ret_why)
{
	struct reading reading = { .all_runs_are_words = true };
	struct filehandle *handle = &reading.handle;
	int r = take_text(&reading, text);

	*ret_why = r == -E2BIG ? "it is longer than any file handle (128 bytes)"
			       : "it is not written in pairs of hexadecimal digits";
	if (r < 0)
		return r;
	if (handle->n_bytes == 0) {
		*ret_why = "there is nothing in it";
		return -EINVAL;
	}
	if (reading.n_runs == 1 && handle->n_bytes == 4 && !reading.announced) {
		*ret_hash = big32(handle->bytes);
		return FILEHANDLE_HASH;
	}
	if (reading.announced && reading.all_runs_are_words)
		turn_words(handle);
	if (reading.announced && reading.announced < handle->n_bytes)
		handle->n_bytes = reading.announced; /* the rest is what lay behind it */
	handle->n_whole = reading.announced > handle->n_bytes ? reading.announced : handle->n_bytes;
	*ret_handle = *handle;
	return 0;
}

/* ---- the file system's id ---- */

static void decode_device(struct filehandle_facts *facts)
{
	const uint8_t *fsid = facts->fsid;
	uint32_t device = little32(fsid);

	facts->has_device = true;
	if (facts->fsid_type == FSID_DEV) {
		facts->major = big32(fsid) >> 16;
		facts->minor = big32(fsid) & 0xffff;
	} else if (facts->fsid_type == FSID_MAJOR_MINOR) {
		facts->major = big32(fsid);
		facts->minor = big32(fsid + 4);
	} else { /* new_decode_dev() */
		facts->major = (device & 0xfff00) >> 8;
		facts->minor = (device & 0xff) | ((device >> 12) & 0xfff00);
	}
	facts->has_root_inode = true;
	facts->root_inode = little32(fsid + (facts->fsid_type == FSID_MAJOR_MINOR ? 8 : 4));
}

static void take_uuid(struct filehandle_facts *facts, size_t offset, size_t length)
{
	facts->has_uuid = true;
	facts->uuid_length = length;
	memcpy(facts->uuid, facts->fsid + offset, length);
}

static void decode_fsid(struct filehandle_facts *facts)
{
	switch (facts->fsid_type) {
	case FSID_NUM: facts->number = little32(facts->fsid); break;
	case FSID_DEV:
	case FSID_MAJOR_MINOR:
	case FSID_ENCODE_DEV: decode_device(facts); break;
	case FSID_UUID4_INUM:
		facts->has_root_inode = true;
		facts->root_inode = little32(facts->fsid);
		take_uuid(facts, 4, 4);
		break;
	case FSID_UUID8: take_uuid(facts, 0, 8); break;
	case FSID_UUID16: take_uuid(facts, 0, 16); break;
	case FSID_UUID16_INUM:
		facts->has_root_inode = true;
		facts->root_inode = little64(facts->fsid);
		take_uuid(facts, 8, 16);
		break;
	case FSID_N_TYPES: break;
	}
}

/* ---- the file's id ---- */

/* Where the inode numbers lie; lengths in bytes, 0: it is not there. */
struct fileid_layout {
	uint8_t type;
	const char *name;
	uint8_t length,
		or_length; /* bytes: others use the type in another way (isofs, tmpfs: 12 of type 1) */
	uint8_t inode, inode_size; /* offset, and 4 or 8 */
	uint8_t generation; /* offset */
	uint8_t parent; /* offset, size as the inode's */
};

/*
 * linux include/linux/exportfs.h; fs/libfs.c generic_encode_ino32_fh(), fs/xfs/xfs_export.c,
 * fs/btrfs/export.h.
 */
static const struct fileid_layout layouts[] = {
	{ 0x00, "FILEID_ROOT", 0, 0, 0, 0, 0, 0 },
	{ 0x01, "FILEID_INO32_GEN", 8, 0, 0, 4, 4, 0 },
	{ 0x02, "FILEID_INO32_GEN_PARENT", 12, 16, 0, 4, 4, 8 },
	{ 0x4d, "FILEID_BTRFS_WITHOUT_PARENT", 20, 0, 0, 8, 16, 0 },
	{ 0x4e, "FILEID_BTRFS_WITH_PARENT", 32, 0, 0, 8, 16, 20 },
	{ 0x4f, "FILEID_BTRFS_WITH_PARENT_ROOT", 40, 0, 0, 8, 16, 20 },
	{ 0x51, "FILEID_UDF_WITHOUT_PARENT", 12, 0, 0, 0, 0, 0 },
	{ 0x52, "FILEID_UDF_WITH_PARENT", 20, 0, 0, 0, 0, 0 },
	{ 0x61, "FILEID_NILFS_WITHOUT_PARENT", 20, 0, 8, 8, 16, 0 },
	{ 0x62, "FILEID_NILFS_WITH_PARENT", 32, 0, 8, 8, 16, 24 },
	{ 0x71, "FILEID_FAT_WITHOUT_PARENT", 12, 0, 0, 0, 0, 0 },
	{ 0x72, "FILEID_FAT_WITH_PARENT", 20, 0, 0, 0, 0, 0 },
	{ 0x81, "FILEID_INO64_GEN", 12, 0, 0, 8, 8, 0 },
	{ 0x82, "FILEID_INO64_GEN_PARENT", 24, 0, 0, 8, 8, 12 },
	{ 0x97, "FILEID_LUSTRE", 0, 0, 0, 0, 0, 0 },
	{ 0xb1, "FILEID_BCACHEFS_WITHOUT_PARENT", 0, 0, 0, 0, 0, 0 },
	{ 0xb2, "FILEID_BCACHEFS_WITH_PARENT", 0, 0, 0, 0, 0, 0 },
	{ 0xf8, "OVL_FILEID_V1", 0, 0, 0, 0, 0, 0 },
	{ 0xfb, "OVL_FILEID_V0", 0, 0, 0, 0, 0, 0 },
	{ 0xfe, "FILEID_KERNFS", 8, 0, 0, 0, 0, 0 },
	{ 0xff, "FILEID_INVALID", 0, 0, 0, 0, 0, 0 },
};

static const struct fileid_layout *find_layout(uint8_t type)
{
	for (size_t i = 0; i < N_ELEMENTS(layouts); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

static uint64_t inode_at(const struct filehandle_facts *facts, size_t offset, size_t size)
{
	return size == 8 ? little64(facts->fileid + offset) : little32(facts->fileid + offset);
}

static void decode_fileid(struct filehandle_facts *facts)
{
	const struct fileid_layout *layout = find_layout(facts->fileid_type);

	facts->shape = facts->fileid_type == 0 ? FILEID_NONE : FILEID_OPAQUE;
	if (!layout || !layout->inode_size)
		return;
	if (facts->fileid_length != layout->length && facts->fileid_length != layout->or_length)
		return;
	facts->shape = FILEID_INODE;
	facts->has_inode = true;
	facts->inode = inode_at(facts, layout->inode, layout->inode_size);
	facts->generation = little32(facts->fileid + layout->generation);
	facts->has_parent = layout->parent != 0;
	if (facts->has_parent)
		facts->parent_inode = inode_at(facts, layout->parent, layout->inode_size);
}

/* ---- all of it ---- */

/* nfs_fhbase_old began with this word, fb_dcookie. */
static const uint32_t old_cookie = 0xfeebbaca;

static enum filehandle_fault find_fault(const struct filehandle *handle)
{
	const uint8_t *bytes = handle->bytes;

	if (handle->n_bytes >= 4 && little32(bytes) == old_cookie)
		return FILEHANDLE_OLD;
	if (handle->n_bytes >= 1 && bytes[0] != 1)
		return FILEHANDLE_FOREIGN;
	if (handle->n_bytes < 4)
		return FILEHANDLE_SHORT;
	if (bytes[1] != 0)
		return FILEHANDLE_BAD_AUTH;
	if (bytes[2] >= FSID_N_TYPES)
		return FILEHANDLE_BAD_FSID;
	if (handle->n_bytes < 4 + kernel_fsid_length(bytes[2]))
		return FILEHANDLE_SHORT;
	return FILEHANDLE_GOOD;
}

void filehandle_decode(const struct filehandle *handle, struct filehandle_facts *ret_facts)
{
	struct filehandle_facts facts = { .fault = find_fault(handle) };

	if (facts.fault == FILEHANDLE_GOOD) {
		size_t length = 4 + kernel_fsid_length(handle->bytes[2]);

		facts.fsid_type = handle->bytes[2];
		facts.fsid = handle->bytes + 4;
		facts.fileid_type = handle->bytes[3];
		facts.fileid = handle->bytes + length;
		facts.fileid_length = handle->n_bytes - length;
		decode_fsid(&facts);
		decode_fileid(&facts);
	}
	*ret_facts = facts;
}

const char *filehandle_fault_text(enum filehandle_fault fault)
{
	switch (fault) {
	case FILEHANDLE_GOOD: return "a handle of Linux' NFS server";
	case FILEHANDLE_SHORT: return "it ends too early: part of it is missing";
	case FILEHANDLE_OLD:
		return "a handle in the form of Linux 2.2, which names a device and inodes; newer servers "
		       "refuse it";
	case FILEHANDLE_FOREIGN:
		return "it does not begin with version 1: it is not from Linux' NFS server, or not a "
		       "whole handle";
	case FILEHANDLE_BAD_AUTH: return "its auth type is not 0, which Linux' NFS server refuses";
	case FILEHANDLE_BAD_FSID:
		return "its type of file system id is not one of 0 to 7, which Linux' NFS server refuses";
	}
	return "?";
}

const char *filehandle_fsid_name(enum kernel_fsid_type type)
{
	static const char *const names[FSID_N_TYPES] = {
		"FSID_DEV",	   "FSID_NUM",	 "FSID_MAJOR_MINOR", "FSID_ENCODE_DEV",
		"FSID_UUID4_INUM", "FSID_UUID8", "FSID_UUID16",	     "FSID_UUID16_INUM",
	};

	return type < FSID_N_TYPES ? names[type] : "?";
}

const char *filehandle_fileid_name(uint8_t type)
{
	const struct fileid_layout *layout = find_layout(type);

	return layout ? layout->name : NULL;
}
