/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-kernelclients.c - any bytes as a client's states and, behind a NUL, its info in /proc/fs/nfsd/clients.
 *
 * Oracle: one client holds no more than there are lines, is handed out with an address and a name, and what is
 * told of a file system is what its clients hold there.
 */

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "exportsd/kernel/clients.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char proc[] = "/dev/shm/fuzz-kernelclients-XXXXXX";

static void require(bool good)
{
	if (!good)
		abort();
}

static void make_directories(void)
{
	static const char *const names[] = { "fs", "fs/nfsd", "fs/nfsd/clients",
					     "fs/nfsd/clients/1" };
	char path[100];

	require(mkdtemp(proc));
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", proc, names[i]);
		require(mkdir(path, 0700) == 0);
	}
}

static void remove_directories(void)
{
	char command[100];

	(void)snprintf(command, sizeof(command), "rm -r '%s'", proc);
	(void)!system(command);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
	char path[100];
	FILE *to;

	(void)snprintf(path, sizeof(path), "%s/fs/nfsd/clients/1/%s", proc, name);
	to = fopen(path, "w");
	require(to && fwrite(data, 1, size, to) == size && fclose(to) == 0);
}

struct seen {
	size_t n_lines, n_clients;
	enum kernel_hold hold;
};

static size_t total(const struct kernel_state_counts *counts)
{
	return (size_t)counts->n_opens + counts->n_locks + counts->n_delegations +
	       counts->n_layouts;
}

static int see(void *userdata, const struct kernel_client *client)
{
	struct seen *seen = userdata;
	const struct kernel_state_counts *here = &client->here;

	require(client->address && client->name && str_equal(client->number, "1"));
	require(total(here) > 0 && total(here) + total(&client->elsewhere) <= seen->n_lines);
	seen->n_clients++;
	if (!client->is_gone)
		seen->hold = total(here) > here->n_delegations ? KERNEL_HOLD_FILES
							       : KERNEL_HOLD_DELEGATIONS;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned int minors[] = { 0, 7, 0x0a, 0x10 };
	const uint8_t *info = size ? memchr(data, 0, size) : NULL;
	size_t n_states = info ? (size_t)(info - data) : size, n_lines = 1;
	struct kernel_holdings *holdings = NULL;

	if (proc[sizeof(proc) - 2] == 'X') {
		make_directories();
		atexit(remove_directories);
	}
	put("states", data, n_states);
	put("info", info ?: data + size, size - n_states);
	for (size_t i = 0; i < n_states; i++)
		n_lines += data[i] == '\n';
	require(kernel_holdings_read(proc, &holdings) == 0);
	for (size_t i = 0; i < N_ELEMENTS(minors); i++) {
		struct seen seen = { .n_lines = n_lines };
		dev_t device = makedev(7, minors[i]);

		require(kernel_holdings_each(holdings, device, see, &seen) == 0 &&
			seen.n_clients <= 1);
		require(kernel_holdings_on(holdings, device) == seen.hold);
	}
	kernel_holdings_free(holdings);
	return 0;
}
