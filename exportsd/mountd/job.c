/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * job.c - jobs of MNT and PATHCONF: their beginning, their deadline, and how they can end.
 */

#include "exportsd/mountd/job.h"

#include <stdio.h>
#include <utlist.h>

#include "exportsd/base/log.h"

/* ---- a job's life ---- */

static void forget_progress(struct mountd_job *job)
{
	access_stop(&job->access);
	free(TAKE_PTR(job->path));
	free(TAKE_PTR(job->kernel_domain));
	free(TAKE_PTR(job->root));
	closep(&job->root_fd);
	job->root_fd = -1;
	job->n_told = 0;
	job->is_real = job->is_below = job->is_crossed = false;
}

static void job_free(struct mountd_job *job)
{
	forget_progress(job);
	DL_DELETE(job->mountd->jobs, job);
	later_cancel(&job->deadline);
	free(job);
}

void mountd_job_begin_anew(struct mountd_job *job)
{
	forget_progress(job);
	job->begin(job);
}

static void on_gone(void *userdata)
{
	/* The call is invalid already. Loading goes on for whoever asks next. */
	job_free(userdata);
}

/* ---- ends ---- */

void mountd_finish(struct mountd_job *job, enum mount_status status,
		   const struct mountproto_mounted *mounted)
{
	struct mountproto_reply reply;
	int r;

	if (job->request.procedure == MOUNT_PATHCONF)
		r = mountproto_reply_pathconf(job->request.xid, status == MOUNT_OK, &reply);
	else
		r = mountproto_reply_mnt(&job->request, status, mounted, &reply);
	mountd_send(job->call, r, &reply);
	job_free(job);
}

void mountd_refuse(struct mountd_job *job, enum mount_status status, const char *why)
{
	const char *path = *job->request.path ? job->request.path : "/";
	const char *root = job->root;

	if (job->request.procedure == MOUNT_MNT)
		log_notice(ABOUT(.path = root ? root : path, .client = job->caller.text),
			   "refused mount request from %s:%u for %s%s%s%s: %s", job->caller.text,
			   job->caller.port, path, root ? " (" : "", root ? root : "",
			   root ? ")" : "", why);
	mountd_finish(job, status, NULL);
}

void mountd_refuse_no_memory(struct mountd_job *job)
{
	mountd_refuse(job, MOUNT_ERROR_SERVERFAULT, "out of memory");
}

/*
 * rpc.mountd says ACCES to nearly everything; what another errno says better keeps its own number.
 */
static enum mount_status status_of(int error)
{
	switch (-error) {
	case ENOENT: return MOUNT_ERROR_NOENT;
	case ENOTDIR: return MOUNT_ERROR_NOTDIR;
	case EIO: return MOUNT_ERROR_IO;
	case ENAMETOOLONG: return MOUNT_ERROR_NAMETOOLONG;
	case ETIMEDOUT:
	case EAGAIN:
	case ENOMEM:
	case EPIPE: return MOUNT_ERROR_SERVERFAULT;
	default: return MOUNT_ERROR_ACCES;
	}
}

void mountd_refuse_error(struct mountd_job *job, int error, const char *what)
{
	char why[256];

	(void)snprintf(why, sizeof(why), "%s: %s", what, strerror(-error));
	mountd_refuse(job, status_of(error), why);
}

void mountd_expect(struct mountd_job *job, int r, const char *what)
{
	if (r < 0)
		mountd_refuse_error(job, r, what);
}

/* ---- a job's beginning ---- */

static void on_deadline(void *userdata)
{
	mountd_refuse(userdata, MOUNT_ERROR_SERVERFAULT, "it took too long; it may work later");
}

int mountd_job_set_deadline(struct mountd_job *job, uint64_t after_usec)
{
	job->deadline_usec = job->begun_usec + after_usec;
	return later_call_at(&job->deadline, job->mountd->daemon->event, job->deadline_usec,
			     on_deadline, job);
}

struct mountd_job *mountd_job_new(struct mountd *mountd, struct rpc_call *call,
				  const struct mountproto_call *request,
				  void (*begin)(struct mountd_job *job))
{
	struct mountd_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->mountd = mountd;
	job->call = call;
	job->request = *request;
	job->begin = begin;
	job->root_fd = -1;
	job->begun_usec = later_now_usec();
	mountd_caller_of(call, &job->caller);
	DL_APPEND(mountd->jobs, job);
	rpc_call_on_gone(call, on_gone, job);
	return job;
}

/* ---- all of them ---- */

void mountd_jobs_again(struct mountd *mountd)
{
	struct mountd_job *job, *next;

	DL_FOREACH_SAFE (mountd->jobs, job, next)
		mountd_job_begin_anew(job);
}

void mountd_jobs_drop(struct mountd *mountd)
{
	while (mountd->jobs) {
		rpc_drop(mountd->jobs->call, false);
		job_free(mountd->jobs);
	}
}
