/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * places.c - numbers and placeholders for what is listed, a slice a turn of the loop.
 *
 * Making: a rule's unplaced media get their numbers, many in one go; then slice by slice the
 * directories that are missing are recorded as the daemon's own (and synced), and made. So a crash
 * leaves at worst a record without a directory.
 *
 * Removing: only what is recorded, only empty directories, and nothing while a medium is mounted
 * there or the kernel holds the directory bound on itself: that is tried again every minute.
 */

#include <errno.h>

#include "exportsd/media/private.h"

static const uint64_t again_usec = 60 * 1000000ull;
static const uint64_t names_usec = 1 * 1000000ull;
static const uint64_t directory_again_usec = 5 * 1000000ull;

static void on_run(void *userdata);

/* ---- paths ---- */

int rule_open_directory(struct rule *rule)
{
	const char *directory = rule->facts.directory;
	int fd = mounts_open(directory);

	if (fd >= 0) {
		rule->directory_complained = false;
		return fd;
	}
	if (rule->directory_complained)
		return fd;
	rule->directory_complained = true;
	if (fd == -ENOENT)
		log_warning(
			ABOUT(.path = rule->facts.text),
			"Rule '%s' (%s:%u): directory '%s' does not exist; its media wait until somebody makes it",
			rule->facts.text, rule->facts.file, rule->facts.line, directory);
	else if (fd == -ELOOP)
		log_warning(
			ABOUT(.path = rule->facts.text),
			"Rule '%s' (%s:%u): '%s' leads over a symbolic link; write the rule with the real path",
			rule->facts.text, rule->facts.file, rule->facts.line, directory);
	else
		log_warning(ABOUT(.path = rule->facts.text),
			    "Rule '%s' (%s:%u): cannot open '%s': %s", rule->facts.text,
			    rule->facts.file, rule->facts.line, directory, strerror(-fd));
	return fd;
}

/* The path of a medium without its last @n components. */
static char *cut_path(const struct medium *medium, int n)
{
	size_t length = strlen(medium->path);

	for (; n > 0; n--)
		while (medium->path[--length] != '/')
			;
	return strndup(medium->path, length);
}

int places_missing(int directory_fd, const struct medium *medium, char ***paths, size_t *n_paths)
{
	int n = placeholder_n_missing(directory_fd, medium->key);
	char **more;

	if (n <= 0)
		return n;
	more = reallocarray(*paths, *n_paths + (size_t)n, sizeof(*more));
	if (!more)
		return -ENOMEM;
	*paths = more;
	for (int i = n - 1; i >= 0; i--) {
		char *path = cut_path(medium, i);

		if (!path)
			return -ENOMEM;
		more[(*n_paths)++] = path;
	}
	return n;
}

void places_free_paths(char **paths, size_t n_paths)
{
	for (size_t i = 0; i < n_paths; i++)
		free(paths[i]);
	free(paths);
}

/* ---- making ---- */

static void move_medium(struct medium *medium, enum medium_placing placing)
{
	struct rule *rule = medium->rule;

	if (medium->place.placing == PLACE_UNPLACED)
		DL_DELETE2(rule->unplaced, medium, place.prev, place.next);
	else if (medium->place.placing == PLACE_PLACING)
		DL_DELETE2(rule->placing, medium, place.prev, place.next);
	medium->place.placing = placing;
	if (placing == PLACE_UNPLACED)
		DL_APPEND2(rule->unplaced, medium, place.prev, place.next);
	else if (placing == PLACE_PLACING)
		DL_APPEND2(rule->placing, medium, place.prev, place.next);
}

void places_forget(struct medium *medium)
{
	move_medium(medium, PLACE_NONE);
}

static void run(struct rule *rule)
{
	later_call(&rule->places_run, rule->media->event, on_run, rule);
}

void places_add(struct medium *medium)
{
	if (medium->place.placing == PLACE_NONE)
		move_medium(medium, PLACE_UNPLACED);
	if (!numbers_get(media_of(medium)->numbers, medium->path))
		medium->rule->has_unnumbered = true;
	run(medium->rule);
}

static void run_later(struct rule *rule, uint64_t usec)
{
	while (rule->placing)
		move_medium(rule->placing, PLACE_UNPLACED);
	media_call_at(rule->media, &rule->places_run, media_now(rule->media) + usec, on_run, rule);
}

static void store_failed(struct rule *rule, int error)
{
	log_error(ABOUT(.path = rule->facts.text),
		  "The media of rule '%s' cannot be recorded, trying again: %s", rule->facts.text,
		  strerror(-error));
	run_later(rule, directory_again_usec);
}

static void on_numbered(void *userdata, int error)
{
	struct rule *rule = userdata;

	rule->places_question = NULL;
	if (error < 0)
		store_failed(rule, error);
	else
		run(rule);
}

/* Returns how many media of the rule wait for a number now; -errno. */
static int number_some(struct rule *rule)
{
	struct media *media = rule->media;
	CLEANUP(freep) const char **paths = NULL;
	struct medium *medium;
	size_t n = 0;
	int r;

	if (!rule->has_unnumbered)
		return 0;
	paths = calloc(MEDIA_NUMBERED, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	DL_FOREACH2 (rule->unplaced, medium, place.next) {
		if (n == MEDIA_NUMBERED)
			break;
		if (!numbers_get(media->numbers, medium->path))
			paths[n++] = medium->path;
	}
	if (n == 0) {
		rule->has_unnumbered = false;
		return 0;
	}
	r = numbers_assign(media->numbers, paths, n, on_numbered, rule, &rule->places_question);
	return r < 0 ? r : (int)n;
}

static void obstruct(struct medium *medium, int error)
{
	if (!medium->place.is_obstructed)
		log_warning(ABOUT(.path = medium->path, .handler = medium->rule->facts.handler),
			    "No placeholder for '%s': %s", medium->path,
			    error == -ENOTDIR ? "what is there is no directory; move it away"
			    : error == -ELOOP ? "what is there is a symbolic link; move it away"
					      : strerror(-error));
	medium->place.is_obstructed = true;
	move_medium(medium, PLACE_NONE);
}

static void on_names_time(void *userdata)
{
	struct media *media = userdata;

	if (media->names_changed)
		media->names_changed(media->names_userdata);
}

/* Slices follow one another quickly, and each time is told costs the kernel what it knew. */
void media_names_changed(struct media *media)
{
	if (!later_is_pending(&media->names_timer))
		media_call_at(media, &media->names_timer, media_now(media) + names_usec,
			      on_names_time, media);
}

static void place(struct medium *medium, int directory_fd)
{
	struct rule *rule = medium->rule;
	int r = placeholder_make(directory_fd, medium->key);

	if (r == 0 && rule->facts.parent_exported)
		r = placeholder_bind(directory_fd, medium->key);
	else if (r == 0)
		(void)placeholder_unbind(directory_fd, medium->key);
	if (r < 0) {
		obstruct(medium, r);
		return;
	}
	medium->place.is_obstructed = false;
	move_medium(medium, PLACE_NONE);
	medium_report(medium, MEDIUM_MOUNT, MEDIUM_SIGHTED);
}

static void place_slice(struct rule *rule)
{
	CLEANUP(closep) int directory = rule_open_directory(rule);

	if (directory < 0) {
		run_later(rule, directory_again_usec);
		return;
	}
	while (rule->placing)
		place(rule->placing, directory);
	if (rule->unplaced)
		run(rule);
}

static void on_recorded(void *userdata, int error)
{
	struct rule *rule = userdata;

	rule->places_question = NULL;
	if (error < 0) {
		store_failed(rule, error);
		return;
	}
	place_slice(rule);
	media_names_changed(rule->media);
}

/* Take the next slice; its missing directories are listed. */
static void take_slice(struct rule *rule, int directory_fd, char ***paths, size_t *n_paths)
{
	for (int i = 0; i < MEDIA_SLICE && rule->unplaced; i++) {
		struct medium *medium = rule->unplaced;
		int r = places_missing(directory_fd, medium, paths, n_paths);

		if (r < 0)
			obstruct(medium, r);
		else
			move_medium(medium, PLACE_PLACING);
	}
}

static void begin_slice(struct rule *rule)
{
	struct media *media = rule->media;
	CLEANUP(closep) int directory = rule_open_directory(rule);
	char **paths = NULL;
	size_t n_paths = 0;
	int r = 0;

	if (directory < 0) {
		run_later(rule, directory_again_usec);
		return;
	}
	take_slice(rule, directory, &paths, &n_paths);
	if (n_paths == 0)
		place_slice(rule);
	else
		r = numbers_record_directories(media->numbers, (const char *const *)paths, n_paths,
					       true, on_recorded, rule, &rule->places_question);
	places_free_paths(paths, n_paths);
	if (r < 0)
		store_failed(rule, r);
}

static void on_run(void *userdata)
{
	struct rule *rule = userdata;
	int r;

	if (rule->places_question || !rule->unplaced)
		return;
	r = number_some(rule);
	if (r < 0)
		store_failed(rule, r);
	else if (r == 0)
		begin_slice(rule);
}

void places_stop(struct rule *rule)
{
	pending_cancel(&rule->places_question);
	later_cancel(&rule->places_run);
}

/* ---- removing ---- */

static void on_remove(void *userdata);

static void removal_free(struct removal **list, struct removal *removal)
{
	DL_DELETE(*list, removal);
	free(removal->directory);
	free(removal->path);
	free(removal);
}

void places_remove(struct media *media, const char *directory, const char *path)
{
	struct removal *removal = calloc(1, sizeof(*removal));

	if (!removal)
		return;
	DL_APPEND(media->removals, removal);
	removal->directory = strdup(directory);
	removal->path = strdup(path);
	if (!removal->directory || !removal->path) {
		removal_free(&media->removals, removal);
		return;
	}
	later_call(&media->remove, media->event, on_remove, media);
}

static void on_remove_later(void *userdata)
{
	struct media *media = userdata;

	DL_CONCAT(media->removals, media->removals_later);
	media->removals_later = NULL;
	later_call(&media->remove, media->event, on_remove, media);
}

static void remove_later(struct media *media, struct removal *removal)
{
	DL_DELETE(media->removals, removal);
	DL_APPEND(media->removals_later, removal);
	media_call_at(media, &media->remove_later, media_now(media) + again_usec, on_remove_later,
		      media);
}

/* Paths that were removed and are to be struck off the record. */
struct struck {
	char *paths[MEDIA_SLICE];
	size_t n;
};

static void strike(struct struck *struck, const char *path)
{
	char *copy = struck->n < N_ELEMENTS(struck->paths) ? strdup(path) : NULL;

	if (copy)
		struck->paths[struck->n++] = copy;
}

/* Directories above, of a rule of several components: gone with the last medium in them. */
static void remove_above(struct media *media, int directory_fd, char *path, char *key,
			 struct struck *struck)
{
	for (char *slash = strrchr(key, '/'); slash; slash = strrchr(key, '/')) {
		*slash = '\0';
		if (!numbers_made_directory(media->numbers, path) ||
		    placeholder_remove(directory_fd, key) < 0)
			return;
		strike(struck, path);
	}
}

/* Returns 0: it is done with; -EBUSY: try again later. */
static int remove_one(struct media *media, struct removal *removal, struct struck *struck)
{
	const struct medium *medium = media_find(media, removal->path);
	size_t length = strlen(removal->directory);
	char *key = removal->path + (length == 1 ? 1 : length + 1);
	CLEANUP(closep) int directory = -1;
	int r;

	if (medium && medium->listed.is_listed)
		return 0;
	if (medium && medium_is_under_way(medium))
		return -EBUSY;
	directory = mounts_open(removal->directory);
	if (directory < 0)
		return 0;
	if (!numbers_made_directory(media->numbers, removal->path))
		return placeholder_unbind(directory, key) == -EBUSY ? -EBUSY : 0;
	r = placeholder_remove(directory, key);
	if (r == -EBUSY)
		return r;
	if (r < 0) {
		log_warning(ABOUT(.path = removal->path),
			    "Cannot remove the placeholder '%s', leaving it: %s", removal->path,
			    strerror(-r));
		return 0;
	}
	strike(struck, removal->path);
	remove_above(media, directory, removal->path, key, struck);
	return 0;
}

static void on_struck(void *userdata, int error)
{
	struct media *media = userdata;

	media->removals_question = NULL;
	if (error < 0)
		log_warning(NULL,
			    "Placeholders that were removed cannot be struck off the record: %s",
			    strerror(-error));
	if (media->removals)
		later_call(&media->remove, media->event, on_remove, media);
}

static void strike_all(struct media *media, struct struck *struck)
{
	int r = 0;

	if (struck->n > 0)
		r = numbers_record_directories(media->numbers, (const char *const *)struck->paths,
					       struck->n, false, on_struck, media,
					       &media->removals_question);
	if (struck->n > 0)
		media_names_changed(media);
	for (size_t i = 0; i < struck->n; i++)
		free(struck->paths[i]);
	if (struck->n == 0 || r < 0)
		on_struck(media, r);
}

static void on_remove(void *userdata)
{
	struct media *media = userdata;
	struct struck struck = { .n = 0 };

	if (media->removals_question)
		return;
	/* Room for the directories above them is kept. */
	for (size_t i = 0; i < MEDIA_SLICE && struck.n < MEDIA_SLICE / 2 && media->removals; i++) {
		struct removal *removal = media->removals;

		if (remove_one(media, removal, &struck) == -EBUSY)
			remove_later(media, removal);
		else
			removal_free(&media->removals, removal);
	}
	strike_all(media, &struck);
}

void media_on_names(struct media *media, void (*changed)(void *userdata), void *userdata)
{
	media->names_changed = changed;
	media->names_userdata = userdata;
}

void places_end(struct media *media)
{
	later_cancel(&media->names_timer);
	pending_cancel(&media->removals_question);
	while (media->removals)
		removal_free(&media->removals, media->removals);
	while (media->removals_later)
		removal_free(&media->removals_later, media->removals_later);
	later_cancel(&media->remove);
	later_cancel(&media->remove_later);
}
