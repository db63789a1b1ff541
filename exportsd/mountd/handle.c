/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * handle.c - from an export's root to a file handle: what MNT's job (mnt.c) does when the root is
 * there.
 */

#include "exportsd/mountd/job.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/base/log.h"
#include "exportsd/config/config.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/media/media.h"
#include "exportsd/mountd/callout.h"
#include "exportsd/mountd/rmtab_file.h"
#include "exportsd/questions/questions.h"

enum {
	/* KERNEL fs/nfsd/nfsfh.h: version 1, no authentication, FSID_NUM, then the root's type. */
	HANDLE_VERSION = 1,
	HANDLE_FSID_NUM = 1,
	HANDLE_TYPE_ROOT = 0,
	HANDLE_HEAD_BYTES = 4,
	HANDLE_NUMBER_BYTES = 4,
	/* linux/exportfs.h FILEID_INVALID */
	HANDLE_TYPE_INVALID = 0xff,
};

/* ---- the end ---- */

/* Version 3's list of flavours: those of sec= without AUTH_NONE; AUTH_SYS if none is left. */
static void copy_flavors(const struct export_options *options, struct mountproto_mounted *mounted)
{
	for (unsigned int i = 0; i < options->n_flavors; i++) {
		if (options->flavors[i].number != AUTH_NONE)
			mounted->flavors[mounted->n_flavors++] = options->flavors[i].number;
	}
	if (mounted->n_flavors == 0)
		mounted->flavors[mounted->n_flavors++] = AUTH_SYS;
}

static void succeed(struct mountd_job *job, const uint8_t *handle, size_t length)
{
	struct mountproto_mounted mounted = { .handle_length = length };
	CLEANUP(freep) char *asked = mountd_path_normalise(job->request.path);

	memcpy(mounted.handle, handle, length);
	copy_flavors(mountd_job_options(job), &mounted);
	/* The first word is rpc.mountd's, which log watchers look for. */
	log_info(ABOUT(.path = job->root, .client = job->caller.text),
		 "authenticated mount request from %s:%u for %s (%s)", job->caller.text,
		 job->caller.port, job->path, job->root);
	/* UMNT will come with the path that was asked for, not with the real one. */
	if (!asked || rmtab_file_add(job->mountd->rmtab, job->caller.text, asked) < 0) {
		mountd_refuse_no_memory(job);
		return;
	}
	callout_run(job->mountd->callout, "mount", job->caller.text, asked, 1);
	mountd_finish(job, MOUNT_OK, &mounted);
}

/* ---- the handle ---- */

static const char *below_root(const struct mountd_job *job)
{
	const char *rest = job->path + strlen(job->root);

	return *rest == '/' ? rest + 1 : rest;
}

/* Can the handle be made from what is known, as nfsd would make it (fh_compose())? */
static bool makes_own_handle(const struct mountd_job *job)
{
	const size_t head = HANDLE_HEAD_BYTES + HANDLE_NUMBER_BYTES;

	if (!(job->flags & EXPORT_FSID))
		return false;
	if (!job->is_below)
		return true;
	return (job->flags & EXPORT_NOSUBTREECHECK) && !job->is_crossed &&
	       job->handle_type > HANDLE_TYPE_ROOT && job->handle_type < HANDLE_TYPE_INVALID &&
	       head + job->handle_length <= mountproto_handle_max(job->request.version);
}

static size_t make_handle(const struct mountd_job *job, uint8_t *handle)
{
	size_t length = HANDLE_HEAD_BYTES + HANDLE_NUMBER_BYTES;

	handle[0] = HANDLE_VERSION;
	handle[1] = 0;
	handle[2] = HANDLE_FSID_NUM;
	handle[3] = job->is_below ? (uint8_t)job->handle_type : HANDLE_TYPE_ROOT;
	/* In the host's order: only this kernel reads it. */
	memcpy(handle + HANDLE_HEAD_BYTES, &job->number, HANDLE_NUMBER_BYTES);
	if (job->is_below) {
		memcpy(handle + length, job->handle, job->handle_length);
		length += job->handle_length;
	}
	return length;
}

static void give_handle(struct mountd_job *job)
{
	uint8_t handle[MOUNT_HANDLE_V3_MAX];
	ssize_t length;

	if (makes_own_handle(job)) {
		length = (ssize_t)make_handle(job, handle);
	} else {
		length = kernel_file_handle(job->mountd->daemon->kernel, job->kernel_domain,
					    job->path, mountproto_handle_max(job->request.version),
					    handle);
		if (length < 0) {
			mountd_refuse_error(job, (int)length,
					    "the kernel makes no file handle for it");
			return;
		}
	}
	succeed(job, handle, (size_t)length);
}

/* ---- telling the kernel ---- */

static void tell_next(struct mountd_job *job);

static void on_told(void *userdata, int error)
{
	struct mountd_job *job = userdata;

	job->access.pending = NULL;
	if (error < 0)
		mountd_refuse_error(job, error, "the kernel does not export it");
	else
		tell_next(job);
}

static void tell_path(struct mountd_job *job)
{
	CLEANUP(freep) char *path = strndup(job->path, job->n_told);

	mountd_expect(job,
		      path ? questions_tell_export(job->mountd->daemon->questions,
						   job->kernel_domain, path, on_told, job,
						   &job->access.pending)
			   : -ENOMEM,
		      "cannot tell the kernel");
}

static void on_crossing(void *userdata, int error, const struct paths_facts *facts)
{
	struct mountd_job *job = userdata;

	job->access.pending = NULL;
	if (error < 0)
		mountd_refuse_error(job, error, "cannot look at what lies on the way");
	else if (facts->is_mount_root)
		tell_path(job);
	else
		tell_next(job);
}

/* After the root, and only if a file system was crossed: each component that is a mount's root. */
static void tell_next(struct mountd_job *job)
{
	CLEANUP(freep) char *path = NULL;

	if (!job->is_crossed || job->path[job->n_told] == '\0') {
		give_handle(job);
		return;
	}
	job->n_told += strspn(job->path + job->n_told, "/");
	job->n_told += strcspn(job->path + job->n_told, "/");
	path = strndup(job->path, job->n_told);
	mountd_expect(job,
		      path ? paths_facts(job->mountd->daemon->paths, path, on_crossing, job,
					 &job->access.pending)
			   : -ENOMEM,
		      "cannot look at what lies on the way");
}

static void tell_kernel(struct mountd_job *job)
{
	struct questions *questions = job->mountd->daemon->questions;
	int r;

	/*
	 * The name service was silent, so the domain is half the truth: the kernel must not keep
	 * it. It will ask by itself, and needs no entry for a handle that we make.
	 */
	if (!job->access.is_complete && makes_own_handle(job)) {
		give_handle(job);
		return;
	}
	r = questions_tell_client(questions, job->caller.text, job->kernel_domain);
	if (r < 0) {
		mountd_refuse_error(job, r, "the kernel does not take its address");
		return;
	}
	job->n_told = strlen(job->root);
	tell_path(job);
}

/* ---- walking below the root ---- */

static uint32_t squashed(uint32_t id, uint32_t anonymous, bool root_squash)
{
	return id == UINT32_MAX || (root_squash && id == 0) ? anonymous : id;
}

/* As fs/nfsd/auth.c nfsd_setuser(). @groups: n_groups of them, changed in place. */
static void squash(const struct mountd_job *job, uint32_t *groups, size_t n_groups,
		   struct paths_credentials *ret_who)
{
	const struct mountproto_call *request = &job->request;
	const uint32_t anon_uid = (uint32_t)mountd_job_options(job)->anon_uid;
	const uint32_t anon_gid = (uint32_t)mountd_job_options(job)->anon_gid;
	bool root_squash = job->flags & EXPORT_ROOTSQUASH;

	if (!request->is_known || (job->flags & EXPORT_ALLSQUASH)) {
		*ret_who = (struct paths_credentials){ .uid = anon_uid, .gid = anon_gid };
		return;
	}
	for (size_t i = 0; i < n_groups; i++)
		groups[i] = squashed(groups[i], anon_gid, root_squash);
	*ret_who = (struct paths_credentials){
		.uid = squashed(request->uid, anon_uid, root_squash),
		.gid = squashed(request->gid, anon_gid, root_squash),
		.groups = groups,
		.n_groups = n_groups,
	};
}

/* A medium's path was walked, which may lead to another one since. */
static bool is_still_there(const struct mountd_job *job)
{
	return !mountd_job_is_medium(job) ||
	       media_is_still(job->mountd->daemon->media, job->root, job->root_fd);
}

static void on_walked(void *userdata, int error, const struct paths_walked *walked)
{
	struct mountd_job *job = userdata;

	job->access.pending = NULL;
	if (!is_still_there(job)) {
		mountd_job_begin_anew(job);
		return;
	}
	if (error < 0) {
		mountd_refuse_error(job, error, "the caller cannot get there");
		return;
	}
	if (!S_ISDIR(walked->mode) && !S_ISREG(walked->mode)) {
		mountd_refuse(job, MOUNT_ERROR_NOTDIR, "neither a directory nor a file");
		return;
	}
	job->is_crossed = walked->device != job->root_device;
	if (job->is_crossed && !(job->flags & EXPORT_CROSSMOUNT)) {
		mountd_refuse(job, MOUNT_ERROR_ACCES,
			      "it lies on another file system than its export (option crossmnt)");
		return;
	}
	job->is_below = true;
	job->handle_type = walked->handle_type;
	job->handle_length = walked->handle_length;
	memcpy(job->handle, walked->handle, walked->handle_length);
	tell_kernel(job);
}

/* @groups: the caller's, if the caller is known */
static void walk(struct mountd_job *job, const uint32_t *groups, size_t n_groups)
{
	CLEANUP(freep) uint32_t *squashed_groups = malloc((n_groups + 1) * sizeof(*groups));
	struct paths_credentials who = { 0 };

	if (!squashed_groups) {
		mountd_refuse_no_memory(job);
		return;
	}
	memcpy(squashed_groups, groups, n_groups * sizeof(*groups));
	if (!job->mountd->daemon->config->apply_root_cred)
		squash(job, squashed_groups, n_groups, &who);
	mountd_expect(job,
		      paths_walk(job->mountd->daemon->paths, job->root, below_root(job), &who,
				 on_walked, job, &job->access.pending),
		      "cannot look at it");
}

static void on_groups(void *userdata, int error, const uint32_t *groups, size_t n_groups)
{
	struct mountd_job *job = userdata;

	job->access.pending = NULL;
	if (error < 0)
		mountd_refuse_error(job, error,
				    "the name service does not say the caller's groups");
	else if (n_groups > 0)
		walk(job, groups, n_groups);
	else
		/* Nobody it knows: the call's own groups, as nfsd does (unix_gid_find()). */
		walk(job, job->request.groups, job->request.n_groups);
}

static void on_root_facts(void *userdata, int error, const struct paths_facts *facts)
{
	struct mountd_job *job = userdata;
	const struct daemon *daemon = job->mountd->daemon;

	job->access.pending = NULL;
	if (error < 0) {
		mountd_refuse_error(job, error, "cannot look at its export");
		return;
	}
	job->root_device = facts->device;
	if (!daemon->config->manage_gids || daemon->config->apply_root_cred ||
	    !job->request.is_known || (job->flags & EXPORT_ALLSQUASH))
		walk(job, job->request.groups, job->request.n_groups);
	else
		mountd_expect(job,
			      names_groups(daemon->names, job->request.uid, on_groups, job,
					   &job->access.pending),
			      "cannot ask for the caller's groups");
}

/* The root is there: go below it, or tell the kernel. */
void mountd_go_below(struct mountd_job *job)
{
	if (*below_root(job) == '\0')
		tell_kernel(job);
	else
		mountd_expect(job,
			      paths_facts(job->mountd->daemon->paths, job->root, on_root_facts, job,
					  &job->access.pending),
			      "cannot look at its export");
}
