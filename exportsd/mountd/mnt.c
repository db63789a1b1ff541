/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * MNT: from a path to a file handle. One job a call, a chain of questions, at most one of which is
 *      open at a time:
 *
 *	mnt.c     whose domain is the caller's? -> which export? (realpath, if the text alone
 *	          does not say)
 *	          medium:  have it mounted
 *	          plain:   is its mountpoint one? (option mountpoint)
 *	handle.c  below:   the root's device -> the caller's groups -> walk there as the caller
 *	          tell the kernel who and what -> and every file system crossed below it (crossmnt)
 *	          the handle
 *
 * The order of the checks and their errors are rpc.mountd's (nfs-utils utils/mountd/mountd.c
 * get_rootfh(), support/export/auth.c auth_authenticate()), with two differences: a
 * subdirectory is always walked with the caller's credentials (CVE-2025-12801), and trouble
 * that may pass is SERVERFAULT, not ACCES.
 *
 * Whose, which and its mountpoint are the way of the kernel's questions as well
 * (questions/access.h). When other exports come into force every job begins anew. A job ends after
 * the configured deadline (a medium's: its rule's), whatever it waits for (job.c).
 *
 * PATHCONF (version 2) is a job that ends when its export is found.
 */

#include "exportsd/mountd/job.h"

#include <errno.h>
#include <stdio.h>

#include "exportsd/config/config.h"
#include "exportsd/media/media.h"

enum { PRIVILEGED_PORTS = 1024 };

/* ---- the export's root ---- */

static void on_seen(void *userdata, enum access_seen seen, int error,
		    const struct paths_facts *facts)
{
	if (seen == ACCESS_SEEN)
		mountd_go_below(userdata);
	else if (seen == ACCESS_NOT_MOUNTED)
		mountd_refuse(userdata, MOUNT_ERROR_NOENT,
			      "nothing is mounted there (option mountpoint)");
	else
		mountd_refuse_error(userdata, error, "cannot look at its mountpoint");
}

/* NFS clients wait where this says SERVERFAULT: a MOUNT caller cannot be told to. */
static enum mount_status status_of_outcome(enum media_outcome outcome)
{
	switch (outcome) {
	case MEDIA_OK: return MOUNT_OK;
	case MEDIA_NOENT: return MOUNT_ERROR_NOENT;
	case MEDIA_DENIED: return MOUNT_ERROR_ACCES;
	case MEDIA_ERROR: return MOUNT_ERROR_IO;
	case MEDIA_TIMED_OUT: return MOUNT_ERROR_SERVERFAULT;
	}
	return MOUNT_ERROR_SERVERFAULT;
}

static const char *reason_of_outcome(enum media_outcome outcome)
{
	switch (outcome) {
	case MEDIA_OK: break;
	case MEDIA_NOENT: return "there is no such medium";
	case MEDIA_DENIED: return "its handler denies it";
	case MEDIA_ERROR: return "the medium cannot be mounted";
	case MEDIA_TIMED_OUT: return "the medium is not there yet; it may be later";
	}
	return "";
}

static void on_medium(void *userdata, enum media_outcome outcome, struct media_mounted *mounted,
		      const char *why)
{
	struct mountd_job *job = userdata;
	char text[512];

	job->access.pending = NULL;
	if (outcome != MEDIA_OK) {
		(void)snprintf(text, sizeof(text), "%s%s%s", reason_of_outcome(outcome),
			       why && *why ? ": " : "", why ? why : "");
		mountd_refuse(job, status_of_outcome(outcome), text);
		return;
	}
	job->root_fd = TAKE_FD(mounted->root_fd);
	job->number = mounted->number;
	job->flags |= EXPORT_FSID;
	mountd_go_below(job);
}

static uint64_t time_left(const struct mountd_job *job)
{
	uint64_t now_usec = later_now_usec();

	/* 0 would mean for ever. */
	return job->deadline_usec > now_usec ? job->deadline_usec - now_usec : 1;
}

static void have_medium(struct mountd_job *job)
{
	struct media *media = job->mountd->daemon->media;

	(void)mountd_job_set_deadline(job, media_deadline_usec(media, job->root));
	mountd_expect(job,
		      media_mount(media, job->root, job->caller.text, job->access.domain,
				  time_left(job), on_medium, job, &job->access.pending),
		      "cannot ask for the medium");
}

/* ---- which export ---- */

static void take_found(struct mountd_job *job)
{
	const struct snapshot_match *match = &job->access.match;
	bool is_medium = mountd_job_is_medium(job);

	job->root =
		is_medium ? strndup(job->path, match->medium_length) : strdup(match->export->path);
	job->flags = mountd_job_options(job)->flags;
	job->number = match->export->fsid;
	if (!job->root)
		mountd_refuse_no_memory(job);
	else if (job->caller.port >= PRIVILEGED_PORTS && !(job->flags & EXPORT_INSECURE_PORT))
		mountd_refuse(job, MOUNT_ERROR_ACCES, "illegal port (option insecure)");
	else if (job->request.procedure == MOUNT_PATHCONF)
		mountd_finish(job, MOUNT_OK, NULL);
	else if (is_medium)
		/* One that is not its own mount's root is no medium: media/media.h sees to that. */
		have_medium(job);
	else
		access_look(&job->access, NULL);
}

static bool has_dots(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/..")); at += 3) {
		if (at[3] == '/' || at[3] == '\0')
			return true;
	}
	return false;
}

static void find_export(struct mountd_job *job);

static void refuse_nameless(struct mountd_job *job)
{
	mountd_refuse(job, MOUNT_ERROR_SERVERFAULT, "the name service does not say who this is");
}

static void on_real(void *userdata, const char *const *real, size_t n_paths)
{
	struct mountd_job *job = userdata;

	job->access.pending = NULL;
	job->is_real = true;
	if (real[0] && real[0] != paths_unknown && real[0] != job->path) {
		free(job->path);
		job->path = strdup(real[0]);
		if (!job->path) {
			mountd_refuse_no_memory(job);
			return;
		}
	}
	find_export(job);
}

static void ask_real(struct mountd_job *job)
{
	const char *wanted = job->path;

	mountd_expect(job,
		      paths_real(job->mountd->daemon->paths, &wanted, 1, NULL, on_real, job,
				 &job->access.pending),
		      "cannot look at it");
}

/*
 * A medium's path, and an export's own, are known by their text. Any other may lead elsewhere by
 * symbolic links or "..", and is asked about first. What has no real path is taken as it is
 * written, as rpc.mountd does, but for "..".
 */
static void find_export(struct mountd_job *job)
{
	struct access *access = &job->access;
	int r = access_find(access, job->path, snapshot_find_mount);

	if (r == ACCESS_ASKS_ON)
		return;
	if (r < 0)
		mountd_refuse_no_memory(job);
	else if (has_dots(job->path) && job->is_real)
		mountd_refuse(job, MOUNT_ERROR_NOENT, "there is no such directory");
	else if (has_dots(job->path))
		ask_real(job);
	else if (access->found == SNAPSHOT_FOUND_MEDIUM)
		take_found(job);
	else if (!job->is_real && !(access->found == SNAPSHOT_FOUND_EXPORT &&
				    str_equal(access->match.export->path, job->path)))
		ask_real(job);
	else if (access->found != SNAPSHOT_FOUND_NOTHING)
		take_found(job);
	else if (access->is_complete)
		mountd_refuse(job, MOUNT_ERROR_ACCES, "no export entry");
	else
		refuse_nameless(job);
}

static void on_who(void *userdata, int error)
{
	struct mountd_job *job = userdata;
	const struct access *access = &job->access;
	const struct daemon *daemon = access->daemon;

	free(TAKE_PTR(job->kernel_domain));
	if (error < 0) {
		mountd_refuse_error(job, error, "cannot ask who this is");
		return;
	}
	if (!access->domain && access->is_complete) {
		mountd_refuse(job, MOUNT_ERROR_ACCES, "unmatched host");
		return;
	}
	if (!access->domain) {
		refuse_nameless(job);
		return;
	}
	job->kernel_domain = clients_kernel_domain(
		daemon->snapshot, !access->is_complete || daemon->config->cache_use_ipaddr,
		&access->address, access->domain);
	if (job->kernel_domain)
		find_export(job);
	else
		mountd_refuse_no_memory(job);
}

/* ---- start ---- */

static void begin(struct mountd_job *job)
{
	job->path = mountd_path_normalise(job->request.path);
	if (!job->path) {
		mountd_refuse_error(job, errno == EINVAL ? -EACCES : -ENOMEM,
				    "not an absolute path");
		return;
	}
	access_ask_address(&job->access, &job->caller.address, false);
}

void mountd_job_start(struct mountd *mountd, struct rpc_call *call,
		      const struct mountproto_call *request)
{
	static const struct access_steps steps = { on_who, on_seen };
	const uint64_t deadline_usec = mountd->daemon->config->deadline_seconds * UINT64_C(1000000);
	struct mountd_job *job = mountd_job_new(mountd, call, request, begin);

	if (!job) {
		rpc_drop(call, false);
		return;
	}
	access_init(&job->access, mountd->daemon, &steps, job);
	if (mountd_job_set_deadline(job, deadline_usec) < 0)
		mountd_refuse_no_memory(job);
	else
		begin(job);
}
