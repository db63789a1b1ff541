/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rollcall.c - a window of questions that moves over a list of addresses.
 */

#include <errno.h>

#include "exportsd/names/rollcall.h"

/* A place in the window. */
struct caller {
	struct rollcall *rollcall;
	struct pending *question; /* NULL: free */
	size_t index;
};

struct rollcall {
	struct names *names;
	struct address *addresses;
	size_t n_addresses, n_asked, n_answered;
	char **netgroups;
	size_t n_netgroups;
	struct caller callers[ROLLCALL_AT_ONCE];
	sd_event *event;
	struct later end;
	struct later deadline;
	rollcall_said_fn said;
	rollcall_done_fn done;
	void *userdata;
};

static void ask_next(struct rollcall *rollcall);
static void on_end(void *userdata);

static void stop(struct rollcall *rollcall)
{
	for (size_t i = 0; i < ROLLCALL_AT_ONCE; i++)
		pending_cancel(&rollcall->callers[i].question);
	rollcall->n_asked = rollcall->n_answered = rollcall->n_addresses;
}

static void on_known(void *userdata, int error, const struct snapshot_address_names *known)
{
	struct caller *caller = userdata;
	struct rollcall *rollcall = caller->rollcall;

	caller->question = NULL;
	rollcall->n_answered++;
	rollcall->said(rollcall->userdata, caller->index, known);
	ask_next(rollcall);
}

static void ask_one(struct rollcall *rollcall, struct caller *caller)
{
	caller->rollcall = rollcall;
	caller->index = rollcall->n_asked++;
	if (names_of_address(rollcall->names, &rollcall->addresses[caller->index],
			     (const char *const *)rollcall->netgroups, rollcall->n_netgroups,
			     on_known, caller, &caller->question) < 0) {
		caller->question = NULL;
		rollcall->n_answered++; /* without memory it has no name */
	}
}

static void ask_next(struct rollcall *rollcall)
{
	for (size_t i = 0; i < ROLLCALL_AT_ONCE; i++)
		while (rollcall->n_asked < rollcall->n_addresses && !rollcall->callers[i].question)
			ask_one(rollcall, &rollcall->callers[i]);
	if (rollcall->n_answered == rollcall->n_addresses)
		later_call(&rollcall->end, rollcall->event, on_end, rollcall);
}

static void on_end(void *userdata)
{
	struct rollcall *rollcall = userdata;

	rollcall->done(rollcall->userdata);
}

static void on_deadline(void *userdata)
{
	struct rollcall *rollcall = userdata;

	stop(rollcall);
	later_call(&rollcall->end, rollcall->event, on_end, rollcall);
}

static int copy_lists(struct rollcall *rollcall, const struct address *addresses,
		      size_t n_addresses, const char *const *netgroups, size_t n_netgroups)
{
	rollcall->addresses = calloc(n_addresses + 1, sizeof(*addresses));
	rollcall->netgroups = calloc(n_netgroups + 1, sizeof(*netgroups));
	if (!rollcall->addresses || !rollcall->netgroups)
		return -ENOMEM;
	if (n_addresses)
		memcpy(rollcall->addresses, addresses, n_addresses * sizeof(*addresses));
	rollcall->n_addresses = n_addresses;
	for (; rollcall->n_netgroups < n_netgroups; rollcall->n_netgroups++) {
		size_t i = rollcall->n_netgroups;

		rollcall->netgroups[i] = strdup(netgroups[i]);
		if (!rollcall->netgroups[i])
			return -ENOMEM;
	}
	return 0;
}

int rollcall_new(struct rollcall **ret_rollcall, sd_event *event, struct names *names,
		 const struct address *addresses, size_t n_addresses, const char *const *netgroups,
		 size_t n_netgroups, uint64_t usec, rollcall_said_fn said, rollcall_done_fn done,
		 void *userdata)
{
	struct rollcall *rollcall = calloc(1, sizeof(*rollcall));
	int r;

	if (!rollcall)
		return -ENOMEM;
	rollcall->event = event;
	rollcall->names = names;
	rollcall->said = said;
	rollcall->done = done;
	rollcall->userdata = userdata;
	r = copy_lists(rollcall, addresses, n_addresses, netgroups, n_netgroups);
	if (r >= 0)
		r = later_call_in(&rollcall->deadline, event, usec, on_deadline, rollcall);
	if (r < 0) {
		rollcall_free(rollcall);
		return r;
	}
	*ret_rollcall = rollcall;
	ask_next(rollcall);
	return 0;
}

struct rollcall *rollcall_free(struct rollcall *rollcall)
{
	if (!rollcall)
		return NULL;
	stop(rollcall);
	later_cancel(&rollcall->end);
	later_cancel(&rollcall->deadline);
	for (size_t i = 0; i < rollcall->n_netgroups; i++)
		free(rollcall->netgroups[i]);
	free(rollcall->netgroups);
	free(rollcall->addresses);
	free(rollcall);
	return NULL;
}
