/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * place.h - what lies where a copy of the number store should be, and whether it is still that.
 * Nothing here reads more of a file than its first page.
 *
 * A damaged copy is renamed and made anew, so before anything is called damaged it must be a file,
 * and one that was a number store as far as can be seen. Whoever could write to it could have
 * numbers lead elsewhere. And a file that is open can be removed, replaced or cut short by others:
 * what is written to it then is lost, though every write and sync of it succeeds.
 */

#include <sys/types.h>

#include "parser/base.h"

enum { STORE_APPLICATION_ID = 0x78707364 }; /* in a file's header: "xpsd" */

struct store_place {
	struct store_place_file {
		dev_t device;
		ino_t inode; /* 0: it was not there */
		off_t size;
	} file, log;
	bool read_only; /* its file system is */
};

/*
 * store_place_look - may this be opened as a number store, or called a damaged one?
 *
 * @reterr_why: on failure what is there and what to do about it, to free(3)
 *
 * Returns 0; -ENOENT: nothing is there; -EUCLEAN: it is empty, or gone and its log is not; -EINVAL:
 * it is something else, to be left alone; -EPERM: others could have written it, or a log beside it;
 * -errno.
 */
int store_place_look(const char *name, struct store_place *ret_place, char **reterr_why);

/*
 * store_place_check - are file and log still those that were noted?
 *
 * @ours: they were written to by us since: their sizes are noted anew
 *
 * Returns 0; -ESTALE: another file is there, or none; -EUCLEAN: it was cut short or written to.
 */
int store_place_check(const char *name, bool ours, struct store_place *place, char **reterr_why);
void store_place_note(const char *name, struct store_place *place);

/*
 * store_place_set_aside - rename a copy, and its log, to NAME.damaged-TIME.
 *
 * Returns 0 and the new name, to free(3); -errno.
 */
int store_place_set_aside(const char *name, char **ret_new_name);

/* store_place_sync - make durable which files are there. Returns 0; -errno. */
int store_place_sync(const char *name);

/*
 * store_place_names - all copies, the one in the state directory first.
 *
 * @number_copies: others, ended by NULL; or NULL
 *
 * Returns an array ended by NULL, with its strings in the same memory: to free(3); or NULL.
 */
char **store_place_names(const char *state_directory, char *const *number_copies);
