/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known.c - what is told of an image, and what was learned by looking into it.
 */

#include "handlers/image/known.h"

#include <stdio.h>
#include <uthash.h>

enum { KNOWN_MAX = IMAGES_MAX }; /* when there are more, all are forgotten */

struct image_known {
	UT_hash_handle hh;
	char *key;
	char *version; /* size and time: while they are the same, so is the image */
	char *identity;
	char *label; /* NULL: it has none */
};

static void known_free(struct image_known *known)
{
	free(known->key);
	free(known->version);
	free(known->identity);
	free(known->label);
	free(known);
}

static struct image_known *known_new(const struct proto_message *medium)
{
	struct image_known *known = calloc(1, sizeof(*known));
	const char *label = proto_get(medium, "label");

	if (!known)
		return NULL;
	known->key = strdup(proto_get(medium, "key"));
	known->version = strdup(proto_get(medium, "version"));
	known->identity = strdup(proto_get(medium, "identity"));
	known->label = label ? strdup(label) : NULL;
	if (known->key && known->version && known->identity && (known->label || !label))
		return known;
	known_free(known);
	return NULL;
}

static void forget(struct image_handler *handler, struct image_known *known)
{
	HASH_DEL(handler->known, known);
	known_free(known);
}

void image_handler_done(struct image_handler *handler)
{
	while (handler->known)
		forget(handler, handler->known);
}

void image_listed(void *userdata, const struct proto_message *medium)
{
	struct image_handler *handler = userdata;
	const char *key = proto_get(medium, "key"), *version = proto_get(medium, "version");
	struct image_known *known;

	if (!key || !version || !proto_get(medium, "identity"))
		return;
	HASH_FIND_STR(handler->known, key, known);
	if (known && str_equal(known->version, version))
		return;
	if (known)
		forget(handler, known);
	if (HASH_COUNT(handler->known) >= KNOWN_MAX)
		image_handler_done(handler);
	known = known_new(medium);
	if (!known)
		return;
	HASH_ADD_KEYPTR(hh, handler->known, known->key, strlen(known->key), known);
	if (!known->hh.tbl)
		known_free(known);
}

static const struct image_known *find(const struct image_handler *handler, const char *key,
				      const char *version)
{
	struct image_known *known;

	HASH_FIND_STR(handler->known, key, known);
	return known && str_equal(known->version, version) ? known : NULL;
}

int image_probe(const struct image_handler *handler, const struct image *image,
		struct image_identity *ret_identity)
{
	CLEANUP(closep) int fd = image_read_fd(image);

	return fd < 0 ? fd : identity_probe(fd, handler->types, ret_identity);
}

void image_describe(const struct image_handler *handler, const char *key, const struct image *image,
		    bool may_probe, struct proto_writer *entry)
{
	CLEANUP(image_identity_done) struct image_identity identity = { 0 };
	const struct image_known *known;
	char version[80];

	snprintf(version, sizeof(version), "%llu.%llu.%09ld", (unsigned long long)image->st.st_size,
		 (unsigned long long)image->st.st_mtim.tv_sec, image->st.st_mtim.tv_nsec);
	proto_put(entry, "key", key);
	proto_put_u64(entry, "size-bytes", (uint64_t)image->st.st_size);
	proto_put(entry, "version", version);
	known = find(handler, key, version);
	if (known) {
		proto_put(entry, "identity", known->identity);
		proto_put(entry, "label", known->label);
	} else if (may_probe && image_probe(handler, image, &identity) == IDENTITY_FOUND) {
		proto_put(entry, "identity", identity.text);
		proto_put(entry, "label", identity.label);
	}
}
