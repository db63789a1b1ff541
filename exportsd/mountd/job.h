/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * job.h - a call of MNT or PATHCONF that is being answered: mnt.c finds its export's root, handle.c
 * goes on from there, job.c begins and ends it.
 */

#include "exportsd/base/later.h"
#include "exportsd/mountd/private.h"
#include "exportsd/questions/access.h"

struct mountd_job {
	struct mountd *mountd;
	struct rpc_call *call;
	struct mountproto_call request;
	struct mountd_caller caller;
	uint64_t begun_usec, deadline_usec;
	struct later deadline;
	void (*begin)(struct mountd_job *job); /* mnt.c */
	struct mountd_job *prev, *next;

	/* What follows begins anew with other exports. */
	char *path;
	bool is_real; /* path is what realpath(3) said, or it said nothing */
	struct access access; /* and access.pending is the one thing that is waited for */
	char *kernel_domain; /* what the kernel calls the client's domain */
	char *root; /* of the export: its path, or the medium's; NULL: not found yet */
	uint32_t flags, number; /* of the export; a medium's are known when it is mounted */
	int root_fd; /* holds a medium */
	dev_t root_device;
	bool is_below; /* the path is not the root, but was walked to */
	bool is_crossed; /* and lies on another file system */
	int handle_type;
	size_t handle_length;
	uint8_t handle[128];
	size_t n_told; /* bytes of the path the kernel knows of */
};

/*
 * mountd_job_new - first in the list of jobs.
 *
 * @begin: finds the export; called first, and again with other exports
 *
 * Returns NULL if there is no memory.
 */
struct mountd_job *mountd_job_new(struct mountd *mountd, struct rpc_call *call,
				  const struct mountproto_call *request,
				  void (*begin)(struct mountd_job *job));
void mountd_job_begin_anew(struct mountd_job *job);
/* It is refused so long after it began. Returns 0; -ENOMEM. */
int mountd_job_set_deadline(struct mountd_job *job, uint64_t after_usec);

static inline bool mountd_job_is_medium(const struct mountd_job *job)
{
	return job->access.found == SNAPSHOT_FOUND_MEDIUM;
}

/* Those of the export that was found. */
static inline const struct export_options *mountd_job_options(const struct mountd_job *job)
{
	return job->access.match.export->options;
}

/* All of these answer the call, and free the job. @mounted: only for MNT's MOUNT_OK */
void mountd_finish(struct mountd_job *job, enum mount_status status,
		   const struct mountproto_mounted *mounted);
void mountd_refuse(struct mountd_job *job, enum mount_status status, const char *why);
void mountd_refuse_error(struct mountd_job *job, int error, const char *what);
void mountd_refuse_no_memory(struct mountd_job *job);
/* The same, but only of what is below 0: what asking somebody returned. */
void mountd_expect(struct mountd_job *job, int r, const char *what);

/* handle.c: the export's root is there; give its handle, or that of what is below it. */
void mountd_go_below(struct mountd_job *job);
