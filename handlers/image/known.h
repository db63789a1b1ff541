/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * known.h - the image handler: what it serves, and what it has learned of its images.
 *
 * What a superblock said is remembered by key, size and time of change. A request's process learns,
 * tells it in a list's entry, and is gone: the handler's own process remembers what it reads there
 * (image_listed()), for those that follow.
 */

#include "handlers/image/identity.h"
#include "handlers/image/images.h"
#include "handlers/kit/kit.h"

struct image_handler {
	struct images images;
	char **types; /* allowed file systems; NULL-terminated */
	const char *options; /* further mount options, or NULL */
	struct image_known *known; /* zero-initialise */
};

/* Forget what was learned from lists. */
void image_handler_done(struct image_handler *handler);

/* For struct kit_operations; userdata: a struct image_handler. */
void image_listed(void *userdata, const struct proto_message *medium);

/* Look into an image. Returns as identity_probe(). */
int image_probe(const struct image_handler *handler, const struct image *image,
		struct image_identity *ret_identity);

/*
 * image_describe - put a medium's keys into a list's or watch's entry.
 *
 * @may_probe: look into the image if its identity is not known yet
 */
void image_describe(const struct image_handler *handler, const char *key, const struct image *image,
		    bool may_probe, struct proto_writer *entry);
