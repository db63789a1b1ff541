/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Memory runs out at the n-th request for it, for every n: who is not entered is told so, and all others stay.
 */

#include "tests/fake/scarce.h"

#include "exportsd/mountd/rmtab.c"
#undef malloc
#undef calloc
#undef reallocarray
#undef strdup

#include "tests/tap.h"

enum { CLIENTS = 400 }; /* its hash table grows more than once */

int main(void)
{
	unsigned int n_refused = 0, n_wrong = 0;

	for (long n = 0; n < 2 * CLIENTS; n++) {
		struct rmtab *rmtab = NULL;
		size_t n_entered = 0;

		until_failure = n;
		if (rmtab_new(&rmtab) < 0) {
			n_refused++;
			continue;
		}
		for (unsigned int i = 0; i < CLIENTS; i++) {
			char client[16];
			int r;

			snprintf(client, sizeof(client), "client%u", i);
			r = rmtab_add(rmtab, client, "/srv");
			n_entered += r == 0;
			n_refused += r == -ENOMEM;
		}
		n_wrong += rmtab_count(rmtab) != n_entered;
		rmtab_free(rmtab);
	}
	until_failure = -1;
	ok(n_refused > CLIENTS, "those for whom there is no memory are refused");
	is_int(n_wrong, 0, "and nobody else");
	return tap_done();
}
