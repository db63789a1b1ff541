/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * stock_order.c - nfs-utils' lists, linked as it links them: one for each client type, with a table
 * of buckets that says where in the list a bucket ends.
 */

#include "exportsd/exports/stock_order.h"

#include <errno.h>

enum { N_BUCKETS = 1021, END = UINT32_MAX };

struct list {
	uint32_t head;
	uint32_t last[N_BUCKETS]; /* of the bucket; END: it is empty */
};

static unsigned int bucket_of(const char *path)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; path[i]; i++)
		sum += (unsigned int)(signed char)path[i] * i;
	return sum % N_BUCKETS;
}

static void add(struct list *list, uint32_t *next, uint32_t number, const char *path)
{
	uint32_t *last = &list->last[bucket_of(path)];

	if (*last == END) {
		next[number] = list->head;
		list->head = number;
	} else {
		next[number] = next[*last];
		next[*last] = number;
	}
	*last = number;
}

int stock_order(const char *const *paths, const enum client_type *types, size_t n,
		size_t *ret_indices)
{
	CLEANUP(freep) struct list *lists = malloc(N_CLIENT_TYPES * sizeof(*lists));
	CLEANUP(freep) uint32_t *next = malloc((n ? n : 1) * sizeof(*next));
	size_t n_ordered = 0;

	if (!lists || !next || n >= END)
		return -ENOMEM;
	memset(lists, 0xff, N_CLIENT_TYPES * sizeof(*lists));
	for (size_t i = 0; i < n; i++)
		add(&lists[types[i]], next, (uint32_t)i, paths[i]);
	for (size_t type = 0; type < N_CLIENT_TYPES; type++)
		for (uint32_t i = lists[type].head; i != END; i = next[i])
			ret_indices[n_ordered++] = i;
	return 0;
}
