/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * fsidd.h - the protocol of nfs-utils' fsidd, so that stock tools with reexport= find the same
 * numbers.
 *
 * A SOCK_SEQPACKET socket; a packet is a request, a packet the reply:
 *
 *	get_fsidnum PATH             "+ NUMBER", or "+ " if it has none
 *	get_or_create_fsidnum PATH   "+ NUMBER"
 *	get_path NUMBER              "+ PATH", or "+ " if it is nobody's
 *	version                      "+ 1"
 *
 * Anything else, and what goes wrong: "- REASON". Where fsidd errs: an abstract name has no
 * permissions, so only root is heard; numbers are unsigned; a store that fails is an error, not an
 * unknown path; a path that is too long for the client's buffer is an error, not a reply that it
 * drops.
 */

#include "exportsd/numbers/numbers.h"

enum {
	FSIDD_REQUEST_MAX = 8192, /* bytes of a packet; fsidd's buffer */
	FSIDD_REPLY_MAX =
		1022, /* nfs-utils 2.6.3 to 2.8: what its client takes (support/reexport) */
	FSIDD_CLIENTS_MAX = 64,
};

struct fsidd;

/*
 * fsidd_new - listen.
 *
 * @name: a path, or '@' and an abstract name
 *
 * Returns 0; -EADDRINUSE (fsidd runs?); -errno.
 */
int fsidd_new(struct fsidd **ret_fsidd, sd_event *event, const char *name, struct numbers *numbers);
struct fsidd *fsidd_free(struct fsidd *fsidd);
