/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The pause before a start that follows many others.
 */

#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/starts.h"
#include "parser/base.h"
#include "tests/tap.h"

int main(void)
{
	char directory[] = "/tmp/test-starts-XXXXXX", path[64];
	uint64_t last = 0;
	bool grows = true;

	if (!mkdtemp(directory))
		return 2;
	snprintf(path, sizeof(path), "%s/starts", directory);
	for (int i = 0; i < STARTS_AT_ONCE; i++)
		grows &= starts_count(directory) == 0;
	ok(grows, "the first starts are made at once");
	is_int((long long)starts_count(directory), 200000, "the next one waits");
	is_int((long long)starts_count(directory), 400000, "and the one after it twice as long");
	for (int i = 0; i < 100; i++) {
		uint64_t usec = starts_count(directory);

		grows &= usec >= last;
		last = usec;
	}
	ok(grows, "each waits as long as the one before, or longer");
	is_int((long long)last, 10000000, "but not for ever");
	starts_forget(directory);
	is_int((long long)starts_count(directory), 0, "once it was well, a start is the first one");
	unlink(path);
	starts_forget(directory);
	ok(access(path, F_OK) < 0, "what there is none of is not made to be forgotten");
	mkdir(path, 0700);
	is_int((long long)starts_count(directory), 0, "a directory in its place holds nobody up");
	rmdir(path);
	rmdir(directory);
	is_int((long long)starts_count(directory), 0, "nor does a directory that is not there");
	return tap_done();
}
