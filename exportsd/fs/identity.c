/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * identity.c - what nfsd writes into handles for one place, and what rpc.mountd has it write.
 */

#include <arpa/inet.h>
#include <sys/sysmacros.h>
#include <uuid/uuid.h>

#include "exportsd/fs/identities.h"

static void add_id(struct identity_id *ids, size_t *n, enum kernel_fsid_type type,
		   const void *first, size_t n_first, const void *second, size_t n_second)
{
	struct identity_id *id = &ids[(*n)++];

	*id = (struct identity_id){ .type = type };
	memcpy(id->bytes, first, n_first);
	if (n_second)
		memcpy(id->bytes + n_first, second, n_second);
}

static void fold(const uint8_t uuid[16], uint8_t *folded, size_t size)
{
	memset(folded, 0, size);
	for (size_t i = 0; i < 16; i++)
		folded[i % size] ^= uuid[i];
}

static void add_uuid_ids(struct identity_id *ids, size_t *n, const struct paths_facts *facts,
			 const uint8_t uuid[16])
{
	const uint64_t inode64 = facts->inode;
	const uint32_t inode32 = (uint32_t)facts->inode;
	uint8_t uuid4[4], uuid8[8];

	fold(uuid, uuid4, sizeof(uuid4));
	fold(uuid, uuid8, sizeof(uuid8));
	add_id(ids, n, FSID_UUID4_INUM, &inode32, sizeof(inode32), uuid4, sizeof(uuid4));
	add_id(ids, n, FSID_UUID16_INUM, &inode64, sizeof(inode64), uuid, 16);
	if (facts->is_mount_root) {
		add_id(ids, n, FSID_UUID8, uuid8, sizeof(uuid8), NULL, 0);
		add_id(ids, n, FSID_UUID16, uuid, 16, NULL, 0);
	}
}

size_t identity_ids(const struct paths_facts *facts, const uint8_t *uuid,
		    struct identity_id ret_ids[IDENTITY_IDS_MAX])
{
	const uint32_t inode = (uint32_t)facts->inode;
	const uint32_t major_number = major(facts->device), minor_number = minor(facts->device);
	const uint32_t major_be = htonl(major_number), minor_be = htonl(minor_number);
	/* old_encode_dev() in network order, new_encode_dev() in host order */
	const uint32_t both_be = htonl(major_number << 16 | minor_number);
	const uint32_t encoded =
		(minor_number & 0xff) | (major_number << 8) | ((minor_number & ~0xffu) << 12);
	const uint32_t device[2] = { major_be, minor_be };
	size_t n = 0;

	add_id(ret_ids, &n, FSID_DEV, &both_be, sizeof(both_be), &inode, sizeof(inode));
	add_id(ret_ids, &n, FSID_MAJOR_MINOR, device, sizeof(device), &inode, sizeof(inode));
	add_id(ret_ids, &n, FSID_ENCODE_DEV, &encoded, sizeof(encoded), &inode, sizeof(inode));
	if (uuid) {
		add_uuid_ids(ret_ids, &n, facts, uuid);
	} else {
		if (facts->has_block_uuid)
			add_uuid_ids(ret_ids, &n, facts, facts->block_uuid);
		if (facts->has_statfs_uuid)
			add_uuid_ids(ret_ids, &n, facts, facts->statfs_uuid);
	}
	return n;
}

bool identity_inode(const struct identity_id *id, uint32_t *ret_inode)
{
	uint64_t inode;

	switch (id->type) {
	case FSID_DEV:
	case FSID_ENCODE_DEV: memcpy(ret_inode, id->bytes + 4, sizeof(*ret_inode)); return true;
	case FSID_MAJOR_MINOR: memcpy(ret_inode, id->bytes + 8, sizeof(*ret_inode)); return true;
	case FSID_UUID4_INUM: memcpy(ret_inode, id->bytes, sizeof(*ret_inode)); return true;
	case FSID_UUID16_INUM:
		memcpy(&inode, id->bytes, sizeof(inode));
		*ret_inode = (uint32_t)inode;
		return true;
	default: return false;
	}
}

void identity_of_pseudo_root(const char *path, uint8_t ret_uuid[16])
{
	static const uuid_t namespace = { 0x39, 0xc6, 0xb5, 0xc1, 0x3f, 0x24, 0x4f, 0x4e,
					  0x97, 0x7c, 0x7f, 0xe6, 0x54, 0x6b, 0x8a, 0x25 };

	uuid_generate_sha1(ret_uuid, namespace, path, strlen(path));
	/*
	 * It takes the hyphens out of the text in place and ends it where it ended before, so the
	 * last four digits stand there twice, and get_uuid() folds them onto the first ones.
	 */
	ret_uuid[0] ^= ret_uuid[14];
	ret_uuid[1] ^= ret_uuid[15];
}
