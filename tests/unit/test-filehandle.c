/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * File handles: those that kernels were seen to make, in every form in which they were seen printed.
 */

#include <errno.h>

#include "exportsd/kernel/filehandle.h"
#include "tests/tap.h"

static const char iso_file[] = "010001026700000020000000c0010000000000002000000000000000";

static char *hex_of(const struct filehandle *handle)
{
	static char text[2 * FILEHANDLE_MAX + 1];

	text[0] = '\0';
	for (size_t i = 0; i < handle->n_bytes; i++)
		sprintf(text + 2 * i, "%02x", handle->bytes[i]);
	return text;
}

static void reads(const char *text, const char *wanted, const char *what)
{
	struct filehandle handle;
	const char *why = NULL;
	uint32_t hash;
	int r = filehandle_parse(text, &handle, &hash, &why);

	is_str(r == 0 ? hex_of(&handle) : why, wanted, what);
}

static void refuses(const char *text, int error, const char *what)
{
	struct filehandle handle;
	const char *why = NULL;
	uint32_t hash;

	is_int(filehandle_parse(text, &handle, &hash, &why), error, what);
	ok(why != NULL, "and why is said");
}

static void test_forms(void)
{
	static const char root[] = "0100010067000000";
	struct filehandle handle;
	const char *why;
	uint32_t hash = 0;

	reads("0100010067000000", root, "digits");
	reads("0x0100010067000000", root, "with 0x (tshark -V)");
	reads("\\x0100010067000000", root, "with \\x (/proc/fs/nfsd/filehandle)");
	reads("\\x01\\x00\\x01\\x00\\x67\\x00\\x00\\x00", root, "each byte with \\x");
	reads("01:00:01:00:67:00:00:00", root, "bytes with colons (tshark -T fields)");
	reads("01:00:01:00:67:00:00:00:", root, "one colon too many");
	reads("01-00-01-00-67-00-00-00", root, "with hyphens");
	reads("0x01, 0x00, 0x01, 0x00, 0x67, 0x00, 0x00, 0x00", root, "as in C");
	reads("01 00 01 00 67 00 00 00", root, "bytes with spaces");
	reads(" 01000100 67000000\n", root, "words, as rpcdebug -m nfs prints them");
	reads("FileHandle: 0x0100010067000000", root, "wireshark's line");
	reads("FileHandle: 0100010067000000", root, "the same of later ones");
	reads("fh Unknown/0100010067000000", root, "tcpdump's");
	reads("fh=[0100010067000000]", root, "a label that is stuck to it");
	reads("8: 01 00 01 00 67 00 00 00", root, "nfsd's log");
	reads("8: 00010001 00000067 00000000 00000000 00000000 00000000", root,
	      "nfsd's log before Linux 5.16");
	reads("0100010067000000ABCDEF", "0100010067000000abcdef", "capital letters");
	refuses("", -EINVAL, "nothing");
	refuses("  ", -EINVAL, "spaces");
	refuses("FileHandle:", -EINVAL, "a label alone");
	refuses("010", -EINVAL, "half a byte");
	refuses("0x", -EINVAL, "a prefix alone");
	refuses("xyz", -EINVAL, "no digits");
	refuses("01::02", -EINVAL, "a divider too many");
	refuses("/mnt/cdrom/disc", -EINVAL, "a path");
	is_int(filehandle_parse("0x1234abcd", &handle, &hash, &why), FILEHANDLE_HASH, "a hash");
	is_int(hash, 0x1234abcd, "its value");
	is_int(filehandle_parse("28: 00010001 00000067 00000001 00000002 00000003 00000004",
				&handle, &hash, &why),
	       0, "a handle that was cut off");
	is_int((long long)handle.n_bytes, 24, "what is there");
	is_int((long long)handle.n_whole, 28, "of what");
}

static void test_limit(void)
{
	char text[2 * FILEHANDLE_MAX + 3];
	struct filehandle handle;
	const char *why;
	uint32_t hash;

	memset(text, '1', sizeof(text) - 1);
	text[2 * FILEHANDLE_MAX] = '\0';
	is_int(filehandle_parse(text, &handle, &hash, &why), 0, "the longest handle");
	is_int((long long)handle.n_bytes, FILEHANDLE_MAX, "all of it");
	text[2 * FILEHANDLE_MAX] = '1';
	text[2 * FILEHANDLE_MAX + 2] = '\0';
	is_int(filehandle_parse(text, &handle, &hash, &why), -E2BIG, "a byte more is too long");
}

static struct filehandle_facts facts_of(const char *text)
{
	static struct filehandle handle; /* the facts point into it */
	struct filehandle_facts facts;
	const char *why;
	uint32_t hash;

	if (filehandle_parse(text, &handle, &hash, &why) != 0)
		printf("# '%s': %s\n", text, why);
	filehandle_decode(&handle, &facts);
	return facts;
}

static void test_fsids(void)
{
	struct filehandle_facts facts = facts_of("01000000 08000011 02000000");

	is_int(facts.fsid_type, FSID_DEV, "a device");
	ok(facts.major == 0x0800 && facts.minor == 0x11, "in network order: 2048:17");
	is_int((long long)facts.root_inode, 2, "and the root's inode");
	is_int((long long)facts_of("0100010067000000").number, 103, "a number");
	facts = facts_of("01000200 00000008 00000011 02000000");
	ok(facts.major == 8 && facts.minor == 17 && facts.root_inode == 2, "major, minor, inode");
	facts = facts_of("01000300 11081000 02000000");
	ok(facts.major == 8 && facts.minor == 0x111, "an encoded device: 8:273");
	facts = facts_of("01000400 05000000 aabbccdd");
	ok(facts.has_uuid && facts.uuid_length == 4 && facts.uuid[0] == 0xaa,
	   "a UUID folded to four bytes");
	is_int((long long)facts.root_inode, 5, "with an inode");
	facts = facts_of("01000500 0011223344556677");
	is_int((long long)facts.uuid_length, 8, "a UUID folded to eight");
	facts = facts_of("01000600 00112233445566778899aabbccddeeff");
	ok(facts.uuid_length == 16 && facts.uuid[15] == 0xff && !facts.has_root_inode,
	   "a whole UUID");
	facts = facts_of("01000700 0500000001000000 00112233445566778899aabbccddeeff");
	ok(facts.uuid_length == 16 && facts.uuid[15] == 0xff, "a whole UUID with an inode");
	is_int((long long)facts.root_inode, 0x100000005, "of 64 bits");
}

static void test_fileids(void)
{
	struct filehandle_facts facts = facts_of("0100010067000000");

	is_int(facts.shape, FILEID_NONE, "the root has no file id");
	is_str(filehandle_fileid_name(facts.fileid_type), "FILEID_ROOT", "its name");
	facts = facts_of("01000101 67000000 0c000000 78563412");
	ok(facts.has_inode && !facts.has_parent, "inode and generation");
	ok(facts.inode == 12 && facts.generation == 0x12345678, "read");
	facts = facts_of("01000102 67000000 0c000000 78563412 02000000");
	ok(facts.has_parent && facts.parent_inode == 2, "with the parent's inode");
	facts = facts_of("01000102 67000000 0c000000 78563412 02000000 00000000");
	ok(facts.has_parent && facts.parent_inode == 2, "and its generation");
	facts = facts_of(iso_file);
	is_int(facts.shape, FILEID_OPAQUE, "of the same type, but of ISO 9660's own form");
	facts = facts_of("01000181 67000000 8300000001000000 78563412");
	ok(facts.inode == 0x100000083 && facts.generation == 0x12345678, "64 bits (XFS)");
	facts = facts_of("01000182 67000000 8300000000000000 78563412 8000000000000000 01000000");
	ok(facts.inode == 0x83 && facts.parent_inode == 0x80, "with the parent");
	facts = facts_of("0100014d 67000000 0101000000000000 0500000000000000 07000000");
	ok(facts.inode == 257 && facts.generation == 7, "btrfs");
	facts = facts_of("01000161 67000000 0000000000000000 0c00000000000000 07000000");
	ok(facts.inode == 12 && facts.generation == 7, "NILFS2");
	facts = facts_of("01000151 67000000 01000000 00000000 00000000");
	is_int(facts.shape, FILEID_OPAQUE, "UDF");
	is_str(filehandle_fileid_name(0x51), "FILEID_UDF_WITHOUT_PARENT", "has a name");
	is_str(filehandle_fileid_name(0x71), "FILEID_FAT_WITHOUT_PARENT", "so has FAT");
	is_str(filehandle_fileid_name(0xfe), "FILEID_KERNFS", "and kernfs");
	is_str(filehandle_fileid_name(0xff), "FILEID_INVALID", "and none at all");
	is_str(filehandle_fileid_name(0x33), NULL, "others have none");
	facts = facts_of("01000133 67000000 0c000000");
	is_int(facts.shape, FILEID_OPAQUE, "and cannot be read");
	facts = facts_of("01000101 67000000 0c000000");
	is_int(facts.shape, FILEID_OPAQUE, "nor can what is too short for its type");
}

static void is_fault(const char *text, enum filehandle_fault fault, const char *what)
{
	is_int(facts_of(text).fault, fault, what);
	ok(*filehandle_fault_text(fault), "said in words");
}

static void test_faults(void)
{
	is_fault("0100010067000000", FILEHANDLE_GOOD, "a good one");
	is_fault("01000100670000", FILEHANDLE_SHORT, "a byte of its number is missing");
	is_fault("010001", FILEHANDLE_SHORT, "half a head");
	is_fault("cabaebfe 02000000 02000000 0803 0000 0000", FILEHANDLE_OLD, "Linux 2.2's");
	is_fault("0200010067000000", FILEHANDLE_FOREIGN, "another version");
	is_fault("0101010067000000", FILEHANDLE_BAD_AUTH, "an auth type");
	is_fault("0100080067000000", FILEHANDLE_BAD_FSID, "a type of id beyond the last");
}

static void test_hash(void)
{
	is_int(filehandle_hash((const uint8_t *)"123456789", 9), 0xcbf43926,
	       "the hash is CRC-32, by its usual test");
}

int main(void)
{
	test_forms();
	test_limit();
	test_fsids();
	test_fileids();
	test_faults();
	test_hash();
	return tap_done();
}
