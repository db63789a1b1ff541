/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * store_place.h - what lies where a copy of the number store should be, and whether it is still
 * that.
 *
 * A damaged copy is renamed and made anew, so before anything is called damaged it must be a file,
 * and one that was a number store as far as can be seen. Whoever could write to it could have
 * numbers lead elsewhere. And a file that is open can be removed, replaced or cut short by others:
 * what is written to it then is lost, though every write and sync of it succeeds.
 */

#include <sys/types.h>

#include "parser/base.h"

/*
 * store_place_look - may this be opened as a number store, or called a damaged one?
 *
 * @reterr_why: on failure what is there and what to do about it, to free(3)
 *
 * Returns 0; -ENOENT: nothing is there; -EUCLEAN: it is empty; -EINVAL: it is something else, to be
 * left alone; -EPERM: others could have written it, or a log beside it; -errno.
 */
int store_place_look(const char *name, char **reterr_why);

struct store_place {
	struct store_place_file {
		dev_t device;
		ino_t inode; /* 0: it was not there */
		off_t size;
	} file, log;
};

void store_place_note(const char *name, struct store_place *ret_place);

/* Returns 0; -ESTALE: another file is there, or none; -EUCLEAN: it was cut short or written to. */
int store_place_check(const char *name, const struct store_place *place, char **reterr_why);

/* After it was written to: is it still that file? Notes its size. Returns 0; -ESTALE. */
int store_place_renew(const char *name, struct store_place *place, char **reterr_why);
