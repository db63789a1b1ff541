/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Any text as a file handle, and any bytes. What was read is read again from its own digits as the same, and
 * whatever decoding says lies within the handle.
 */

#include <stddef.h>
#include <stdint.h>

#include "exportsd/kernel/filehandle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_facts(const struct filehandle *handle)
{
	const uint8_t *end = handle->bytes + handle->n_bytes;
	struct filehandle_facts facts;

	filehandle_decode(handle, &facts);
	require(*filehandle_fault_text(facts.fault));
	if (facts.fault != FILEHANDLE_GOOD)
		return;
	require(facts.fsid == handle->bytes + 4);
	require(facts.fsid + kernel_fsid_length(facts.fsid_type) == facts.fileid);
	require(facts.fileid + facts.fileid_length == end);
	require(facts.shape != FILEID_INODE || facts.has_inode);
}

static void check_again(const struct filehandle *handle)
{
	char text[2 * FILEHANDLE_MAX + 16] = "hex: ";
	struct filehandle again;
	const char *why;
	uint32_t hash;
	int r;

	for (size_t i = 0; i < handle->n_bytes; i++)
		(void)snprintf(text + 5 + 2 * i, 3, "%02X", handle->bytes[i]);
	r = filehandle_parse(text, &again, &hash, &why);
	require(handle->n_bytes == 4 ? r == FILEHANDLE_HASH : r == 0);
	require(r != 0 || (again.n_bytes == handle->n_bytes &&
			   memcmp(again.bytes, handle->bytes, again.n_bytes) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct filehandle handle = { 0 };
	char *text = strndup((const char *)data, size);
	const char *why;
	uint32_t hash;
	int r;

	require(text != NULL);
	r = filehandle_parse(text, &handle, &hash, &why);
	free(text);
	if (r == 0) {
		require(handle.n_bytes > 0 && handle.n_bytes <= FILEHANDLE_MAX);
		require(handle.n_whole >= handle.n_bytes);
		check_facts(&handle);
		check_again(&handle);
	} else if (r < 0) {
		require(why != NULL);
	}
	handle.n_bytes = size < FILEHANDLE_MAX ? size : FILEHANDLE_MAX;
	memcpy(handle.bytes, data, handle.n_bytes);
	check_facts(&handle);
	return 0;
}
