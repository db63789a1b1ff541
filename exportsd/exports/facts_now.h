/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * facts_now.h - the file system and the name service asked here and now, as exportfs(8) of
 * nfs-utils does: for tools. Each path and each name is asked about once.
 */

#include "parser/snapshot/snapshot.h"

struct exports_fact;

struct facts_now {
	struct exports_fact *paths, *hosts;
};

/* facts_now_init - facts for snapshot_new() that ask; valid as long as @asked, zero at first. */
struct snapshot_facts facts_now_init(struct facts_now *asked);
void facts_now_done(struct facts_now *asked);
