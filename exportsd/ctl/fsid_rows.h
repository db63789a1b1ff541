/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * fsid_rows.h - exportsctl fsid's hands on the number store: through the daemon if one runs, else
 * on the files.
 *
 * What goes wrong is said on standard error.
 */

#include "exportsd/config/config.h"
#include "exportsd/ctl/ctl.h"
#include "exportsd/numbers/entries.h"

/* The daemon, or the configured copies. */
struct fsid_store {
	const struct ctl_invocation *invocation;
	struct config *config;
	char **files; /* ended by NULL */
	bool has_daemon; /* one runs */
};

/* fsid_store_open - for a command. Close it in any case. */
bool fsid_store_open(const struct ctl_invocation *invocation, struct fsid_store *ret_store);
void fsid_store_close(struct fsid_store *store);

/*
 * fsid_read_all - every number, joined into @entries.
 *
 * Without a daemon, a copy that is not good is said, and what is right in it is taken.
 * Returns how many copies are good (1 for the daemon); -1: it failed.
 */
int fsid_read_all(struct fsid_store *store, struct numbers_entries *entries);

/* fsid_read_store - the same, and a complaint if no copy is good. */
bool fsid_read_store(struct fsid_store *store, struct numbers_entries *entries);

/* fsid_join - another row; a contradiction is said, as from @name. Returns 0; -EEXIST; -ENOMEM. */
int fsid_join(struct numbers_entries *entries, const struct store_row *row, const char *name);

/*
 * fsid_write_all - have the store take these rows: all or none, as far as what it knows goes.
 *
 * Without a daemon they go to every copy; one that is damaged is set aside, one that is missing
 * made.
 */
bool fsid_write_all(struct fsid_store *store, const struct numbers_entries *entries);

/* fsid_write_file - to one file that is a copy afterwards. Returns 0; -errno (said). */
int fsid_write_file(const char *name, const struct numbers_entries *entries);
