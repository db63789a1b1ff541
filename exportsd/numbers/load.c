/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * load.c - all copies become one.
 *
 * A row with a right checksum is a fact, wherever it was found, and facts only grow: so every copy
 * is joined to what the others said, and that is the truth. A copy whose totals are those of what
 * is known by then is not read: it cannot add anything (and its own process reads all of it soon).
 */

#include "exportsd/numbers/load.h"

#include <errno.h>
#include <inttypes.h>

#include "exportsd/numbers/file.h"
#include "exportsd/numbers/place.h"

void store_copy_done(struct store_copy *copy)
{
	free(copy->why);
	free(copy->set_aside);
	copy->why = copy->set_aside = NULL;
}

/*
 * What is wrong with one copy is no reason not to use the others; what is wrong with all of this
 * is.
 */
static bool is_fatal(int error)
{
	return error == -EBUSY || error == -EPROTONOSUPPORT || error == -ENOMEM;
}

static int judge(struct store_copy *copy, int error)
{
	copy->error = error;
	copy->state = error == -ENOENT	  ? STORE_MISSING
		      : error == -EUCLEAN ? STORE_DAMAGED
					  : STORE_FAILED;
	return is_fatal(error) ? error : 0;
}

struct reading {
	struct numbers_entries *entries;
	const char *file;
	int error;
	char **reterr_why;
};

static int join_row(void *userdata, const struct store_row *row)
{
	struct reading *reading = userdata;
	struct numbers_entry *entry = NULL;
	struct store_row there;

	reading->error = numbers_entries_join(reading->entries, row, &entry);
	if (reading->error == -EEXIST) {
		there = numbers_entry_row(entry);
		reading->error = store_fail(
			-EUCLEAN, reading->reterr_why,
			"its copies contradict each other: number %" PRIu32
			" belongs to " STORE_ROW_FORMAT " in '%s', but to " STORE_ROW_FORMAT
			" in another one. Move the file that is wrong to another place and start "
			"again; exportsctl fsid recover --from takes what else was in it",
			row->number, STORE_ROW_WORDS(row), reading->file, STORE_ROW_WORDS(&there));
	}
	return reading->error;
}

/*
 * Returns 0, also if there is something wrong with the copy; what makes all others useless; or a
 * contradiction.
 */
static int load_copy(struct store_copy *copy, struct numbers_entries *entries, char **reterr_why)
{
	struct reading reading = { entries, copy->file, .reterr_why = reterr_why };
	struct store_file *file = NULL;
	int r = store_file_open(copy->file, 0, &file, &copy->why);

	if (r < 0)
		return judge(copy, r);
	copy->totals = *store_file_totals(file);
	/* Growing step by step costs time; that there is memory for all shows later. */
	if (copy->totals.n < UINT32_MAX / 4)
		(void)numbers_entries_reserve(entries, copy->totals.n);
	if (!entries->n || !store_totals_equal(&entries->totals, &copy->totals))
		r = store_file_read(file, join_row, &reading, &copy->why);
	if (r >= 0 && !store_file_is_complete(file)) {
		copy->state = STORE_PARTIAL;
		(void)store_fail(
			0, &copy->why,
			"number store '%s' was being filled from another one, and has only a part",
			copy->file);
	}
	store_file_close(file);
	if (reading.error < 0)
		return reading.error;
	return r < 0 ? judge(copy, r) : 0;
}

/* No copy is good: may a new store be begun? Only where none was ever, as far as can be seen. */
static int begin_new(struct store_copy *copies, size_t n_copies, char **reterr_why)
{
	const struct store_copy *first_error = NULL;
	int r = -ENOENT;

	for (size_t i = 0; i < n_copies; i++)
		/* An empty one is what a crash leaves of the next lines. */
		if (copies[i].state != STORE_MISSING && !first_error &&
		    !(copies[i].state == STORE_PARTIAL && !copies[i].totals.n))
			first_error = &copies[i];
	if (first_error)
		return store_fail(
			first_error->error ?: -EUCLEAN, reterr_why,
			"no copy of the number store is good: %s. Nothing was changed. Put a good copy in its place, "
			"or take what is left of it: exportsctl fsid recover --from '%s'; "
			"or begin with no numbers: exportsctl fsid recover --new",
			first_error->why ?: strerror(-first_error->error), first_error->file);
	for (size_t i = 0; i < n_copies && r < 0; i++) {
		struct store_file *file;

		r = store_file_open(copies[i].file, STORE_FILE_MAKE | STORE_FILE_WRITE, &file,
				    reterr_why);
		if (r < 0)
			continue;
		store_file_set_complete(file);
		r = store_file_begin(file, reterr_why);
		if (r >= 0)
			r = store_file_commit(file, reterr_why);
		store_file_close(file);
		copies[i].state = r < 0 ? STORE_MISSING : STORE_GOOD;
	}
	return r;
}

static void set_damaged_aside(struct store_copy *copies, size_t n_copies)
{
	for (size_t i = 0; i < n_copies; i++) {
		if (copies[i].state != STORE_DAMAGED)
			continue;
		copies[i].error = store_place_set_aside(copies[i].file, &copies[i].set_aside);
		if (copies[i].error < 0)
			copies[i].state = STORE_FAILED;
	}
}

int store_load(struct store_copy *copies, size_t n_copies, struct numbers_entries *entries,
	       char **reterr_why)
{
	size_t n_good = 0;
	int r = 0;

	*reterr_why = NULL;
	for (size_t i = 0; i < n_copies; i++)
		copies[i] = (struct store_copy){ .file = copies[i].file };
	for (size_t i = 0; i < n_copies; i++) {
		r = load_copy(&copies[i], entries, reterr_why);
		if (r < 0) {
			if (copies[i].error == r)
				*reterr_why = TAKE_PTR(copies[i].why);
			return r;
		}
		n_good += copies[i].state == STORE_GOOD;
	}
	if (!n_good)
		r = begin_new(copies, n_copies, reterr_why);
	else
		set_damaged_aside(copies, n_copies);
	for (size_t i = 0; i < n_copies; i++)
		copies[i].complete = copies[i].state == STORE_GOOD &&
				     store_totals_equal(&entries->totals, &copies[i].totals);
	return r;
}
