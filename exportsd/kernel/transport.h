/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * transport.h - how questions come from the kernel and answers get there. Below this, and nowhere
 * else, they have the form that the kernel gives them: proc.c has lines of text.
 *
 * The attributes of Linux 7.2's netlink families nfsd and sunrpc are these structures' members one
 * by one (nfsd_netlink.h NFSD_CMD_SVC_EXPORT_SET_REQS and others).
 */

#include "exportsd/kernel/kernel.h"

struct kernel_transport {
	/* As kernel_answer() of kernel.h, paths as the kernel has them. */
	int (*answer)(struct kernel_transport *transport, const struct kernel_answer *answer);
	/* As kernel_entries(): by any thread. */
	int (*entries)(const struct kernel_transport *transport, enum kernel_cache cache,
		       kernel_entry_fn each, void *userdata);
	/* 0, too, if there is no such cache. */
	int (*flush)(struct kernel_transport *transport, enum kernel_cache cache);
	void (*pause)(struct kernel_transport *transport, bool pause);
	void (*close)(struct kernel_transport *transport); /* and free it */
};

/*
 * kernel_proc_open - the channels of /proc/net/rpc. @take: called for each question, from the loop.
 * Returns 0; -errno.
 */
int kernel_proc_open(struct kernel_transport **ret_transport, sd_event *event, const char *proc,
		     bool with_gids, kernel_ask_fn take, void *userdata);
/*
 * kernel_proc_open_for_trials - to be written to only. @ret_is_open: can it? (Caches can be flushed
 * anyway.) Returns 0; -ENOMEM.
 */
int kernel_proc_open_for_trials(struct kernel_transport **ret_transport, const char *proc,
				bool *ret_is_open);

/* ---- what any transport tells of an export ---- */

/* The flags of the whole. */
uint32_t kernel_export_flags(const struct kernel_export *export);

/* Each flavour of sec=, and the flags for it: at least one. */
unsigned int kernel_export_n_flavors(const struct kernel_export *export);
void kernel_export_flavor(const struct kernel_export *export, unsigned int index,
			  uint32_t *ret_number, uint32_t *ret_flags);

/* Where else it is (refer=, replicas=): texts within the options', not ended by a NUL. */
struct kernel_location {
	const char *path, *hosts; /* hosts: joined by '+' */
	size_t path_length, hosts_length;
};
/* fs/nfsd/export.h MAX_FS_LOCATIONS is 128, nfs-utils stops at 40. */
enum { KERNEL_LOCATIONS_MAX = 40 };
size_t kernel_export_locations(const struct kernel_export *export,
			       struct kernel_location ret_locations[KERNEL_LOCATIONS_MAX]);
