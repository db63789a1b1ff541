/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * content.h - what the kernel's caches hold, as they show it in their content files. Pure.
 *
 * Formats: linux net/sunrpc/cache.c c_show(), svcauth_unix.c ip_map_show(), fs/nfsd/export.c
 * svc_export_show(), expkey_show().
 */

#include "exportsd/kernel/upcall.h"

struct content {
	/*
	 * The answer was "no", or there is none yet, or it is over: the kernel shows no difference.
	 */
	bool is_not_valid;
	const char *address; /* IP */
	const char *domain; /* NULL: none (IP) */
	const char *path; /* EXPORT; FH: NULL if none */
	struct upcall upcall; /* FH: cache, fsid_type and fsid; nothing of it is to be freed */
};

/*
 * content_parse - read a line.
 *
 * @line: without its newline; changed, and the result's texts point into it
 *
 * Returns 0; CONTENT_OTHER: a heading, or nothing of ours.
 */
enum { CONTENT_OTHER = 1 };
int content_parse(enum kernel_cache cache, char *line, struct content *ret_content);
