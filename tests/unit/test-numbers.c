/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-numbers.c - numbers given, kept and found again, with a real store process and file.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "exportsd/numbers/numbers.h"
#include "exportsd/worker/worker.h"
#include "exportsd/workers.h"
#include "tests/tap.h"
#include "tests/unit/directory.h"
#include "tests/unit/loop.h"

enum { PATIENCE_MSEC = 20000 };

static const char *directory;
static char file[PATH_MAX];
static sd_event *event;
static unsigned int n_done;
static int last_error;

static void on_done(void *userdata, int error)
{
	n_done++;
	last_error = error;
	if (userdata)
		*(int *)userdata = error;
}

static bool reserved_even(void *userdata, uint32_t number)
{
	return number % 2 == 0;
}

static bool reserved_all(void *userdata, uint32_t number)
{
	return true;
}

static bool reserved_one(void *userdata, uint32_t number)
{
	return number == *(uint32_t *)userdata;
}

static void remove_store(void)
{
	char name[PATH_MAX + 8];

	snprintf(name, sizeof(name), "%s-wal", file);
	(void)unlink(name);
	(void)unlink(file);
}

static struct numbers *open_numbers(void)
{
	struct numbers *numbers = NULL;
	int r = numbers_open(&numbers, event, (const char *const[]){ file, NULL });

	if (!ok(r == 0, "the store opens"))
		printf("#   %s\n", strerror(-r));
	return numbers;
}

/* Returns the error that done() got. */
static int assign(struct numbers *numbers, const char *path)
{
	int error = 1, r;

	n_done = 0;
	r = numbers_assign(numbers, &path, 1, on_done, &error, NULL);
	if (r < 0)
		return r;
	if (n_done)
		return 2; /* called from within */
	return loop_until(event, &n_done, 1, PATIENCE_MSEC) ? error : 3;
}

static int adopt(struct numbers *numbers, const char *path, uint32_t number,
		 numbers_reserved_fn reserved, void *userdata)
{
	int error = 1, r;

	n_done = 0;
	numbers_set_reserved(numbers, reserved, userdata);
	r = numbers_adopt(numbers, path, NULL, number, on_done, &error, NULL);
	numbers_set_reserved(numbers, NULL, NULL);
	if (r < 0)
		return r;
	if (n_done)
		return 2;
	return loop_until(event, &n_done, 1, PATIENCE_MSEC) ? error : 3;
}

static void test_one(void)
{
	static const char odd[] = "/mnt/cd rom/\n\001\377=\\134'x";
	struct numbers *numbers = open_numbers();
	uint32_t number, odd_number;

	is_int(numbers_count(numbers), 0, "a new store is empty");
	is_int(numbers_get(numbers, "/a"), 0, "a path nobody asked for has no number");
	is_int(assign(numbers, "/a"), 0, "a path gets a number");
	number = numbers_get(numbers, "/a");
	is_int(number, numbers_first_choice("/a"), "its first choice");
	is_str(numbers_path(numbers, number), "/a", "and the number has the path");
	is_int(assign(numbers, "/a"), 0, "asked again");
	is_int(numbers_get(numbers, "/a"), number, "it keeps it");
	is_int(numbers_count(numbers), 1, "one path has a number");
	is_int(assign(numbers, odd), 0, "a path of odd bytes gets one");
	odd_number = numbers_get(numbers, odd);
	is_int(assign(numbers, "relative"), -EINVAL, "a relative path gets none");
	is_int(assign(numbers, ""), -EINVAL, "nor does an empty one");
	numbers_close(numbers);

	numbers = open_numbers();
	is_int(numbers_get(numbers, "/a"), number, "after a restart it is still the same");
	is_int(numbers_get(numbers, odd), odd_number, "byte for byte");
	is_str(numbers_path(numbers, odd_number), odd, "and back");
	numbers_close(numbers);
	remove_store();
}

static void test_choice(void)
{
	uint32_t lowest = UINT32_MAX, highest = 0;

	/* Fixed for ever: handles that clients hold depend on it when a store is lost. */
	is_int(numbers_first_choice("/mnt/cdrom/debian-12"), 722152062,
	       "the hash of a path is the same on every machine");
	for (unsigned int i = 0; i < 200000; i++) {
		char path[32];
		uint32_t number;

		snprintf(path, sizeof(path), "/mnt/%u", i);
		number = numbers_first_choice(path);
		lowest = number < lowest ? number : lowest;
		highest = number > highest ? number : highest;
	}
	ok(lowest >= NUMBERS_FIRST && lowest < NUMBERS_FIRST + 200000 && highest <= NUMBERS_LAST &&
		   highest > NUMBERS_LAST - 200000,
	   "200,000 of them fill the range, %u .. %u", lowest, highest);
}

static void test_reserved(void)
{
	const char *paths[] = { "/r/0", "/r/1", "/r/2", "/r/3", "/r/4", "/r/5", "/r/6", "/r/7" };
	struct numbers *numbers = open_numbers();
	uint32_t other;
	bool all_odd = true;

	n_done = 0;
	numbers_set_reserved(numbers, reserved_even, NULL);
	numbers_assign(numbers, paths, N_ELEMENTS(paths), on_done, NULL, NULL);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC) && last_error == 0,
	   "numbers beside reserved ones");
	for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
		uint32_t number = numbers_get(numbers, paths[i]),
			 first = numbers_first_choice(paths[i]);

		all_odd &= number == first + (first % 2 == 0);
	}
	ok(all_odd, "are the next free ones");
	n_done = 0;
	numbers_set_reserved(numbers, reserved_all, NULL);
	numbers_assign(numbers, (const char *const[]){ "/full" }, 1, on_done, NULL, NULL);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC) && last_error == -ENOSPC,
	   "no free number within %d is -ENOSPC", NUMBERS_PROBES_MAX);
	numbers_set_reserved(numbers, NULL, NULL);

	other = numbers_first_choice("/late");
	is_int(adopt(numbers, "/thief", other, NULL, NULL), 0, "a number is adopted");
	is_int(assign(numbers, "/late"), 0, "the path whose first choice it was");
	is_int(numbers_get(numbers, "/late"), other + 1, "gets the next one");
	numbers_close(numbers);
	remove_store();
}

static void test_adopt(void)
{
	struct numbers *numbers = open_numbers();
	uint32_t reserved = 70007;

	is_int(adopt(numbers, "/x", 70000, NULL, NULL), 0, "a handler's number is taken");
	is_int(numbers_get(numbers, "/x"), 70000, "and known");
	is_int(adopt(numbers, "/x", 70000, NULL, NULL), 0, "the same again is fine");
	is_int(adopt(numbers, "/x", 70001, NULL, NULL), -EEXIST,
	       "another one for the same path is not");
	is_int(adopt(numbers, "/y", 70000, NULL, NULL), -EEXIST,
	       "nor is the same one for another path");
	is_int(adopt(numbers, "/y", reserved, reserved_one, &reserved), -EEXIST,
	       "nor a reserved one");
	is_int(adopt(numbers, "/y", 65535, NULL, NULL), -ERANGE, "65535 is out of range");
	is_int(adopt(numbers, "/y", 0x80000000, NULL, NULL), -ERANGE, "2^31 is out of range");
	is_int(adopt(numbers, "/y", NUMBERS_FIRST, NULL, NULL), 0, "the first one is in it");
	is_int(adopt(numbers, "/z", NUMBERS_LAST, NULL, NULL), 0, "the last one is in it");
	is_int(numbers_next(numbers, 0), NUMBERS_FIRST, "listed first");
	is_int(numbers_next(numbers, NUMBERS_FIRST), 70000, "then the next");
	is_int(numbers_next(numbers, 70000), NUMBERS_LAST, "then the last");
	is_int(numbers_next(numbers, NUMBERS_LAST), 0, "then nothing");
	numbers_close(numbers);
	remove_store();
}

/* Calls that meet: while one number is under way, others want it, or its path. */
static void test_meeting(void)
{
	struct numbers *numbers = open_numbers();
	const char *path = "/m", *other = "/n";
	uint32_t number = numbers_first_choice(path);
	int errors[5] = { 1, 1, 1, 1, 1 };
	struct pending *cancelled;

	n_done = 0;
	numbers_assign(numbers, &path, 1, on_done, &errors[0], NULL);
	numbers_assign(numbers, &path, 1, on_done, &errors[1], NULL);
	numbers_adopt(numbers, path, NULL, number, on_done, &errors[2], NULL);
	numbers_adopt(numbers, path, NULL, number + 1, on_done, &errors[3], NULL);
	numbers_adopt(numbers, other, NULL, number, on_done, &errors[4], NULL);
	numbers_assign(numbers, &other, 1, on_done, NULL, &cancelled);
	pending_cancel(&cancelled);
	is_int(numbers_get(numbers, path), 0, "a number under way is not known yet");
	ok(numbers_path(numbers, number) == NULL, "nor is its path");
	ok(loop_until(event, &n_done, 5, PATIENCE_MSEC), "all calls that meet are answered");
	is_int(errors[0], 0, "the first");
	is_int(errors[1], 0, "the same again");
	is_int(errors[2], 0, "adoption of the number under way");
	is_int(errors[3], -EEXIST, "but of no other");
	is_int(errors[4], -EEXIST, "and not for another path");
	is_int(assign(numbers, other), 0, "a later call");
	is_int(n_done, 1, "a cancelled call's done() is never called");
	ok(numbers_get(numbers, other) != 0, "what it began is known all the same");
	numbers_close(numbers);
	remove_store();
}

static int wait_one(int r)
{
	if (r < 0)
		return r;
	if (n_done)
		return 2;
	return loop_until(event, &n_done, 1, PATIENCE_MSEC) ? last_error : 3;
}

static int assign_for(struct numbers *numbers, const char *path, const char *identity)
{
	n_done = 0;
	return wait_one(numbers_assign_for(numbers, path, identity, on_done, NULL, NULL));
}

static int bind(struct numbers *numbers, uint32_t number, const char *identity)
{
	n_done = 0;
	return wait_one(numbers_bind(numbers, number, identity, on_done, NULL, NULL));
}

static int set(struct numbers *numbers, const char *path, uint32_t number)
{
	n_done = 0;
	return wait_one(numbers_set(numbers, path, NULL, number, on_done, NULL, NULL));
}

static int retire(struct numbers *numbers, uint32_t number)
{
	n_done = 0;
	return wait_one(numbers_retire(numbers, number, on_done, NULL, NULL));
}

/* A tray with two discs. */
static void check_discs(struct numbers *numbers, uint32_t first, uint32_t second)
{
	is_int(numbers_get(numbers, "/tray"), first, "the disc that was put in last is primary");
	is_int(numbers_get_for(numbers, "/tray", "B"), second, "the other one has its number");
	is_str(numbers_identity(numbers, second), "B", "which stands for it");
	is_str(numbers_path(numbers, second), "/tray", "and belongs to the path");
	is_int(numbers_get_for(numbers, "/tray", NULL), 0, "none stands for whatever is there");
	is_int((long long)numbers_count(numbers), 1, "it is one path");
}

static void test_identities(void)
{
	static char long_identity[NUMBERS_IDENTITY_MAX + 2];
	struct numbers *numbers = open_numbers();
	uint32_t first, second;

	assign(numbers, "/tray");
	first = numbers_get(numbers, "/tray");
	is_int(bind(numbers, first, "A"), 0, "a number is bound to a disc");
	is_int(bind(numbers, first, "A"), 0, "said again");
	is_int(bind(numbers, first, "B"), -EEXIST, "and to no other one");
	is_int(bind(numbers, 99999, "A"), -ENOENT, "nobody's number is not");
	is_int(bind(numbers, first, ""), -EINVAL, "to nothing neither");
	memset(long_identity, 'x', sizeof(long_identity) - 1);
	is_int(assign_for(numbers, "/tray", long_identity), -E2BIG, "an identity has a limit");
	is_int(assign_for(numbers, "/tray", "B"), 0, "another disc");
	second = numbers_get(numbers, "/tray");
	ok(second && second != first, "gets another number");
	is_int(assign_for(numbers, "/tray", "A"), 0, "the first disc is back");
	check_discs(numbers, first, second);
	numbers_close(numbers);
	numbers = open_numbers();
	check_discs(numbers, first, second);
	is_int(adopt(numbers, "/tray", second, NULL, NULL), -EEXIST,
	       "a number that stands for a disc is not that of any");
	is_int(retire(numbers, first), 0, "a number retires");
	is_int(numbers_get(numbers, "/tray"), second, "another one is primary then");
	is_str(numbers_path(numbers, first), "/tray", "it is still known");
	is_int(numbers_next_of_path(numbers, "/tray", 0), first < second ? first : second,
	       "also in the path's list");
	is_int(set(numbers, "/tray", 70000), 0, "an administrator's number");
	is_int(numbers_get(numbers, "/tray"), 70000, "is primary");
	is_int(set(numbers, "/other", 70000), -EEXIST, "and nobody else's");
	is_int(set(numbers, "/other", 0), -ERANGE, "0 is the root's");
	numbers_close(numbers);
	remove_store();
}

enum { MANY = 20000 };

static int take(struct numbers *numbers, const struct numbers_fact *facts, size_t n_facts)
{
	n_done = 0;
	return wait_one(numbers_take(numbers, facts, n_facts, on_done, NULL, NULL));
}

static void test_facts(void)
{
	static const struct numbers_fact alike[] = { { .number = 7, .path = "/a" },
						     { .number = 7, .path = "/a", .identity = "A" },
						     { .number = 8, .path = "/b", .sequence = 3 } };
	static const struct numbers_fact two_paths[] = { { .number = 9, .path = "/a" },
							 { .number = 10, .path = "/b" },
							 { .number = 9, .path = "/b" } };
	static const struct numbers_fact two_media[] = {
		{ .number = 9, .path = "/a", .identity = "A" },
		{ .number = 9, .path = "/a" },
		{ .number = 9, .path = "/a", .identity = "B" }
	};
	static const struct numbers_fact last = { .number = 9,
						  .path = "/a",
						  .sequence = INT64_MAX };
	struct numbers *numbers = open_numbers();

	is_int(take(numbers, &last, 1), -EINVAL,
	       "a sequence number that leaves none for others is none");
	is_int(take(numbers, alike, N_ELEMENTS(alike)), 0, "facts from elsewhere");
	is_str(numbers_identity(numbers, 7), "A", "are joined");
	is_int(numbers_get(numbers, "/b"), 8, "all of them");
	is_int(take(numbers, two_paths, N_ELEMENTS(two_paths)), -EEXIST,
	       "one number for two paths is no fact");
	is_int(take(numbers, two_media, N_ELEMENTS(two_media)), -EEXIST, "nor for two media");
	ok(!numbers_path(numbers, 9) && !numbers_path(numbers, 10), "and none of them is taken");
	numbers_close(numbers);
	remove_store();
}

static void test_many(void)
{
	struct numbers *numbers = open_numbers();
	char(*texts)[40] = calloc(MANY, sizeof(*texts));
	const char **paths = calloc(MANY, sizeof(char *));
	uint32_t before = 0;
	size_t n = 0, n_wrong = 0;

	for (size_t i = 0; i < MANY; i++) {
		snprintf(texts[i], sizeof(texts[i]), "/srv/media/%s%zu", i % 7 ? "" : "\t\t\t\t",
			 i);
		paths[i] = texts[i];
	}
	n_done = 0;
	is_int(numbers_assign(numbers, paths, MANY, on_done, NULL, NULL), 0, "20,000 at once");
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC) && last_error == 0, "are synced");
	is_int(numbers_count(numbers), MANY, "all of them");
	for (uint32_t number = 0; (number = numbers_next(numbers, number)); n++) {
		n_wrong += number <= before ||
			   numbers_get(numbers, numbers_path(numbers, number)) != number;
		before = number;
	}
	is_int(n, MANY, "the listing has each once");
	is_int(n_wrong, 0, "in order, numbers and paths agreeing");
	numbers_close(numbers);
	numbers = open_numbers();
	is_int(numbers_count(numbers), MANY, "a restart knows them all");
	n_done = 0;
	numbers_assign(numbers, paths, MANY, on_done, NULL, NULL);
	ok(n_done == 0 && loop_until(event, &n_done, 1, PATIENCE_MSEC) && last_error == 0,
	   "asking for known ones is answered, later");
	n_done = 0;
	numbers_assign(numbers, NULL, 0, on_done, NULL, NULL);
	ok(n_done == 0 && loop_until(event, &n_done, 1, PATIENCE_MSEC) && last_error == 0,
	   "asking for none, too");
	numbers_close(numbers);
	free(paths);
	free(texts);
	remove_store();
}

static void record(struct numbers *numbers, const char *path, bool made)
{
	n_done = 0;
	numbers_record_directories(numbers, &path, 1, made, on_done, NULL, NULL);
	ok(n_done == 0 && loop_until(event, &n_done, 1, PATIENCE_MSEC) && last_error == 0,
	   "%s '%s'", made ? "record" : "forget", path);
}

static void test_directories(void)
{
	struct numbers *numbers = open_numbers();

	ok(!numbers_made_directory(numbers, "/d"), "a directory nobody made");
	record(numbers, "/d", true);
	record(numbers, "/e", true);
	record(numbers, "/d", true);
	ok(numbers_made_directory(numbers, "/d"), "is known once made");
	record(numbers, "/e", false);
	record(numbers, "/never", false);
	ok(!numbers_made_directory(numbers, "/e"), "and not once removed");
	numbers_close(numbers);
	numbers = open_numbers();
	ok(numbers_made_directory(numbers, "/d"), "after a restart: made");
	ok(!numbers_made_directory(numbers, "/e"), "after a restart: removed");
	n_done = 0;
	numbers_record_directories(numbers, NULL, 0, true, on_done, NULL, NULL);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC) && last_error == 0,
	   "none to record is fine");
	numbers_close(numbers);
	remove_store();
}

/* Closing with calls under way: nobody is told, nothing leaks (the sanitizers look). */
static void test_close(void)
{
	struct numbers *numbers = open_numbers();
	const char *path = "/closing";

	n_done = 0;
	numbers_assign(numbers, &path, 1, on_done, NULL, NULL);
	numbers_record_directories(numbers, &path, 1, true, on_done, NULL, NULL);
	numbers_assign(numbers, NULL, 0, on_done, NULL, NULL);
	numbers_close(numbers);
	loop_for(event, 50);
	is_int(n_done, 0, "closing tells nobody");
	ok(numbers_close(NULL) == NULL, "closing nothing is fine");
	remove_store();
}

int main(int argc, char **argv)
{
	if (argc > 3 && str_equal(argv[1], "--worker"))
		return worker_main(argv[2], atoi(argv[3]), argc > 4 ? argv[4] : NULL);
	directory = directory_make("test-numbers");
	if (sd_event_default(&event) < 0)
		return 1;
	snprintf(file, sizeof(file), "%s/numbers.sqlite", directory);
	test_one();
	test_choice();
	test_reserved();
	test_adopt();
	test_meeting();
	test_identities();
	test_facts();
	test_many();
	test_directories();
	test_close();
	sd_event_unref(event);
	ok(rmdir(directory) == 0, "nothing is left beside the store");
	return tap_done();
}
