/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * verbs.h - the image handler's operations: image files as media on loop devices.
 */

#include "handlers/image/images.h"
#include "handlers/kit/kit.h"

struct image_handler {
	struct images images;
	char **types; /* allowed file systems; NULL-terminated */
	const char *options; /* further mount options, or NULL */
	struct known_image *known; /* identities seen in lists; the operations' own */
};

extern const struct kit_operations image_operations; /* userdata: a struct image_handler */

/* Forget what was learned from lists. */
void image_handler_done(struct image_handler *handler);

/*
 * image_describe - put a medium's keys into a list's or watch's entry.
 *
 * @may_probe: look into the image if its identity is not known yet
 */
void image_describe(const struct image_handler *handler, const char *key, const struct image *image,
		    bool may_probe, struct proto_writer *entry);

/* The operation of the verb watch. */
int image_watch(struct kit_request *request, void *userdata);
