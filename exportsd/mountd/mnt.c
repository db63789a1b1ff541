/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * MNT: from a path to a file handle. One job a call, a chain of questions, at most one of which is
 *      open at a time:
 *
 *	whose domain is the caller's? -> which export? (realpath, if the text alone does not say)
 *	medium:  have it mounted
 *	plain:   is its mountpoint one? (option mountpoint)
 *	below:   the root's device -> the caller's groups -> walk there as the caller
 *	tell the kernel who and what -> and every file system crossed below it (crossmnt)
 *	the handle
 *
 * The order of the checks and their errors are rpc.mountd's (nfs-utils utils/mountd/mountd.c
 * get_rootfh(), support/export/auth.c auth_authenticate()), with two differences: a
 * subdirectory is always walked with the caller's credentials (CVE-2025-12801), and trouble
 * that may pass is SERVERFAULT, not ACCES.
 *
 * A job copies what it needs of its export: the snapshot may be replaced while a question is
 * open, and then every job begins anew. A job ends after the configured deadline (a medium's: its
 * rule's), whatever it waits for.
 *
 * PATHCONF (version 2) is a job that ends when its export is found.
 */

#include "exportsd/mountd/private.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/base/later.h"
#include "exportsd/base/log.h"
#include "exportsd/mountd/callout.h"
#include "exportsd/names/clients.h"
#include "exportsd/questions/questions.h"

enum {
	PRIVILEGED_PORTS = 1024,
	/* KERNEL fs/nfsd/nfsfh.h: version 1, no authentication, FSID_NUM, then the root's type. */
	HANDLE_VERSION = 1,
	HANDLE_FSID_NUM = 1,
	HANDLE_TYPE_ROOT = 0,
	HANDLE_HEAD_BYTES = 4,
	HANDLE_NUMBER_BYTES = 4,
	/* linux/exportfs.h FILEID_INVALID */
	HANDLE_TYPE_INVALID = 0xff,
};

static const uint64_t usec_a_second = 1000000;

/* What was chosen, copied. */
struct chosen {
	bool is_medium;
	char *root; /* the export's path, or the medium's */
	char *mountpoint; /* option mountpoint, NULL: not given */
	uint32_t flags;
	uint32_t number; /* of the handle; a medium's is known when it is mounted */
	uint32_t anon_uid, anon_gid;
	unsigned int n_flavors;
	uint32_t flavors[MOUNTPROTO_FLAVORS_MAX];
};

struct mount_job {
	struct mountd *mountd;
	struct rpc_call *call;
	struct mountproto_call request;
	struct mount_caller caller;
	uint64_t begun_usec, deadline_usec;
	struct later deadline;
	struct mount_job *prev, *next;

	/* What follows begins anew with other exports. */
	char *path;
	bool is_real; /* path is what realpath(3) said, or it said nothing */
	char *domain;
	char *kernel_domain; /* what the kernel calls it */
	bool is_domain_complete;
	bool is_patient; /* the name service was given its time */
	struct chosen chosen;
	int root_fd; /* holds a medium */
	dev_t root_device;
	uint32_t *groups;
	size_t n_groups;
	bool is_below; /* the path is not the root, but was walked to */
	bool is_crossed; /* and lies on another file system */
	int handle_type;
	size_t handle_length;
	uint8_t handle[128];
	size_t n_told; /* bytes of the path the kernel knows of */

	/* The open question: one of these. */
	struct pending *pending;
};

/* ---- a job's life ---- */

static void cancel_question(struct mount_job *job)
{
	pending_cancel(&job->pending);
}

static void clear_choice(struct chosen *chosen)
{
	free(chosen->root);
	free(chosen->mountpoint);
	*chosen = (struct chosen){ 0 };
}

static void forget_progress(struct mount_job *job)
{
	cancel_question(job);
	free(TAKE_PTR(job->path));
	free(TAKE_PTR(job->domain));
	free(TAKE_PTR(job->kernel_domain));
	free(TAKE_PTR(job->groups));
	clear_choice(&job->chosen);
	closep(&job->root_fd);
	job->root_fd = -1;
	job->n_groups = job->n_told = 0;
	job->is_real = job->is_below = job->is_crossed = false;
}

static void job_free(struct mount_job *job)
{
	struct mountd *mountd = job->mountd;

	forget_progress(job);
	if (job->prev)
		job->prev->next = job->next;
	else
		mountd->jobs = job->next;
	if (job->next)
		job->next->prev = job->prev;
	later_cancel(&job->deadline);
	free(job);
}

static void on_gone(void *userdata)
{
	/* The call is invalid already. Loading goes on for whoever asks next. */
	job_free(userdata);
}

/* ---- ends ---- */

static void finish(struct mount_job *job, enum mount_status status,
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

static void refuse(struct mount_job *job, enum mount_status status, const char *why)
{
	const char *path = *job->request.path ? job->request.path : "/";
	const char *export = job->chosen.root;

	if (job->request.procedure == MOUNT_MNT)
		log_notice(ABOUT(.path = export ? export : path, .client = job->caller.text),
			   "refused mount request from %s:%u for %s%s%s%s: %s", job->caller.text,
			   job->caller.port, path, export ? " (" : "", export ? export : "",
			   export ? ")" : "", why);
	finish(job, status, NULL);
}

static void refuse_no_memory(struct mount_job *job)
{
	refuse(job, MOUNT_ERROR_SERVERFAULT, "out of memory");
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

static void refuse_error(struct mount_job *job, int error, const char *what)
{
	char why[256];

	(void)snprintf(why, sizeof(why), "%s: %s", what, strerror(-error));
	refuse(job, status_of(error), why);
}

/* Version 3's list of flavours: those of sec= without AUTH_NONE; AUTH_SYS if none is left. */
static void copy_flavors(const struct chosen *chosen, struct mountproto_mounted *mounted)
{
	for (unsigned int i = 0; i < chosen->n_flavors; i++) {
		if (chosen->flavors[i] != AUTH_NONE)
			mounted->flavors[mounted->n_flavors++] = chosen->flavors[i];
	}
	if (mounted->n_flavors == 0)
		mounted->flavors[mounted->n_flavors++] = AUTH_SYS;
}

static void succeed(struct mount_job *job, const uint8_t *handle, size_t length)
{
	struct mountproto_mounted mounted = { .handle_length = length };
	CLEANUP(freep) char *asked = mount_path_normalise(job->request.path);

	memcpy(mounted.handle, handle, length);
	copy_flavors(&job->chosen, &mounted);
	/* The first word is rpc.mountd's, which log watchers look for. */
	log_info(ABOUT(.path = job->chosen.root, .client = job->caller.text),
		 "authenticated mount request from %s:%u for %s (%s)", job->caller.text,
		 job->caller.port, job->path, job->chosen.root);
	/* UMNT will come with the path that was asked for, not with the real one. */
	if (!asked || rmtab_file_add(job->mountd->rmtab, job->caller.text, asked) < 0) {
		refuse_no_memory(job);
		return;
	}
	callout_run(job->mountd->callout, "mount", job->caller.text, asked, 1);
	finish(job, MOUNT_OK, &mounted);
}

/* ---- the handle ---- */

static const char *below_root(const struct mount_job *job)
{
	const char *rest = job->path + strlen(job->chosen.root);

	return *rest == '/' ? rest + 1 : rest;
}

/* Can the handle be made from what is known, as nfsd would make it (fh_compose())? */
static bool makes_own_handle(const struct mount_job *job)
{
	const size_t head = HANDLE_HEAD_BYTES + HANDLE_NUMBER_BYTES;

	if (!(job->chosen.flags & EXPORT_FSID))
		return false;
	if (!job->is_below)
		return true;
	return (job->chosen.flags & EXPORT_NOSUBTREECHECK) && !job->is_crossed &&
	       job->handle_type > HANDLE_TYPE_ROOT && job->handle_type < HANDLE_TYPE_INVALID &&
	       head + job->handle_length <= mountproto_handle_max(job->request.version);
}

static size_t make_handle(const struct mount_job *job, uint8_t *handle)
{
	size_t length = HANDLE_HEAD_BYTES + HANDLE_NUMBER_BYTES;

	handle[0] = HANDLE_VERSION;
	handle[1] = 0;
	handle[2] = HANDLE_FSID_NUM;
	handle[3] = job->is_below ? (uint8_t)job->handle_type : HANDLE_TYPE_ROOT;
	/* In the host's order: only this kernel reads it. */
	memcpy(handle + HANDLE_HEAD_BYTES, &job->chosen.number, HANDLE_NUMBER_BYTES);
	if (job->is_below) {
		memcpy(handle + length, job->handle, job->handle_length);
		length += job->handle_length;
	}
	return length;
}

static void give_handle(struct mount_job *job)
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
			refuse_error(job, (int)length, "the kernel makes no file handle for it");
			return;
		}
	}
	succeed(job, handle, (size_t)length);
}

/* ---- telling the kernel ---- */

static void tell_next(struct mount_job *job);

static void on_told(void *userdata, int error)
{
	struct mount_job *job = userdata;

	job->pending = NULL;
	if (error < 0)
		refuse_error(job, error, "the kernel does not export it");
	else
		tell_next(job);
}

static void tell_path(struct mount_job *job)
{
	CLEANUP(freep) char *path = strndup(job->path, job->n_told);
	int r = path ? questions_tell_export(job->mountd->daemon->questions, job->kernel_domain,
					     path, on_told, job, &job->pending)
		     : -ENOMEM;

	if (r < 0)
		refuse_error(job, r, "cannot tell the kernel");
}

static void on_crossing(void *userdata, int error, const struct paths_facts *facts)
{
	struct mount_job *job = userdata;

	job->pending = NULL;
	if (error < 0)
		refuse_error(job, error, "cannot look at what lies on the way");
	else if (facts->is_mount_root)
		tell_path(job);
	else
		tell_next(job);
}

/* After the root, and only if a file system was crossed: each component that is a mount's root. */
static void tell_next(struct mount_job *job)
{
	CLEANUP(freep) char *path = NULL;
	int r;

	if (!job->is_crossed || job->path[job->n_told] == '\0') {
		give_handle(job);
		return;
	}
	job->n_told += strspn(job->path + job->n_told, "/");
	job->n_told += strcspn(job->path + job->n_told, "/");
	path = strndup(job->path, job->n_told);
	r = path ? paths_facts(job->mountd->daemon->paths, path, on_crossing, job, &job->pending)
		 : -ENOMEM;
	if (r < 0)
		refuse_error(job, r, "cannot look at what lies on the way");
}

static void tell_kernel(struct mount_job *job)
{
	struct questions *questions = job->mountd->daemon->questions;
	int r;

	/*
	 * The name service was silent, so the domain is half the truth: the kernel must not keep
	 * it. It will ask by itself, and needs no entry for a handle that we make.
	 */
	if (!job->is_domain_complete && makes_own_handle(job)) {
		give_handle(job);
		return;
	}
	r = questions_tell_client(questions, job->caller.text, job->kernel_domain);
	if (r < 0) {
		refuse_error(job, r, "the kernel does not take its address");
		return;
	}
	job->n_told = strlen(job->chosen.root);
	tell_path(job);
}

/* ---- walking below the root ---- */

static uint32_t squashed(uint32_t id, uint32_t anonymous, bool root_squash)
{
	return id == UINT32_MAX || (root_squash && id == 0) ? anonymous : id;
}

/* As fs/nfsd/auth.c nfsd_setuser(). @groups: n_groups of them, changed in place. */
static void squash(const struct mount_job *job, uint32_t *groups, size_t n_groups,
		   struct paths_credentials *ret_who)
{
	const struct mountproto_call *request = &job->request;
	const struct chosen *chosen = &job->chosen;
	bool root_squash = chosen->flags & EXPORT_ROOTSQUASH;

	if (!request->is_known || (chosen->flags & EXPORT_ALLSQUASH)) {
		*ret_who = (struct paths_credentials){ .uid = chosen->anon_uid,
						       .gid = chosen->anon_gid };
		return;
	}
	for (size_t i = 0; i < n_groups; i++)
		groups[i] = squashed(groups[i], chosen->anon_gid, root_squash);
	*ret_who = (struct paths_credentials){
		.uid = squashed(request->uid, chosen->anon_uid, root_squash),
		.gid = squashed(request->gid, chosen->anon_gid, root_squash),
		.groups = groups,
		.n_groups = n_groups,
	};
}

/* A medium's path was walked, which may lead to another one since. */
static bool is_still_there(const struct mount_job *job)
{
	return !job->chosen.is_medium ||
	       media_is_still(job->mountd->daemon->media, job->chosen.root, job->root_fd);
}

static void begin_anew(struct mount_job *job);

static void on_walked(void *userdata, int error, const struct paths_walked *walked)
{
	struct mount_job *job = userdata;

	job->pending = NULL;
	if (!is_still_there(job)) {
		begin_anew(job);
		return;
	}
	if (error < 0) {
		refuse_error(job, error, "the caller cannot get there");
		return;
	}
	if (!S_ISDIR(walked->mode) && !S_ISREG(walked->mode)) {
		refuse(job, MOUNT_ERROR_NOTDIR, "neither a directory nor a file");
		return;
	}
	job->is_crossed = walked->device != job->root_device;
	if (job->is_crossed && !(job->chosen.flags & EXPORT_CROSSMOUNT)) {
		refuse(job, MOUNT_ERROR_ACCES,
		       "it lies on another file system than its export (option crossmnt)");
		return;
	}
	job->is_below = true;
	job->handle_type = walked->handle_type;
	job->handle_length = walked->handle_length;
	memcpy(job->handle, walked->handle, walked->handle_length);
	tell_kernel(job);
}

static void walk(struct mount_job *job)
{
	struct paths_credentials who;
	uint32_t *groups = job->groups ? job->groups : job->request.groups;
	size_t n_groups = job->groups ? job->n_groups : job->request.n_groups;
	int r;

	if (job->mountd->daemon->config->apply_root_cred)
		who = (struct paths_credentials){ 0 };
	else
		squash(job, groups, n_groups, &who);
	r = paths_walk(job->mountd->daemon->paths, job->chosen.root, below_root(job), &who,
		       on_walked, job, &job->pending);
	if (r < 0)
		refuse_error(job, r, "cannot look at it");
}

static void on_groups(void *userdata, int error, const uint32_t *groups, size_t n_groups)
{
	struct mount_job *job = userdata;

	job->pending = NULL;
	if (error < 0) {
		refuse_error(job, error, "the name service does not say the caller's groups");
		return;
	}
	/* Nobody the name service knows: the call's own groups, as nfsd does (unix_gid_find()). */
	if (n_groups > 0) {
		job->groups = malloc(n_groups * sizeof(*groups));
		if (!job->groups) {
			refuse_no_memory(job);
			return;
		}
		memcpy(job->groups, groups, n_groups * sizeof(*groups));
		job->n_groups = n_groups;
	}
	walk(job);
}

static void on_root_facts(void *userdata, int error, const struct paths_facts *facts)
{
	struct mount_job *job = userdata;
	struct daemon *daemon = job->mountd->daemon;
	int r;

	job->pending = NULL;
	if (error < 0) {
		refuse_error(job, error, "cannot look at its export");
		return;
	}
	job->root_device = facts->device;
	if (!daemon->config->manage_gids || daemon->config->apply_root_cred ||
	    !job->request.is_known || (job->chosen.flags & EXPORT_ALLSQUASH)) {
		walk(job);
		return;
	}
	r = names_groups(daemon->names, job->request.uid, on_groups, job, &job->pending);
	if (r < 0)
		refuse_error(job, r, "cannot ask for the caller's groups");
}

/* The root is there: go below it, or tell the kernel. */
static void go_below(struct mount_job *job)
{
	int r;

	if (*below_root(job) == '\0') {
		tell_kernel(job);
		return;
	}
	r = paths_facts(job->mountd->daemon->paths, job->chosen.root, on_root_facts, job,
			&job->pending);
	if (r < 0)
		refuse_error(job, r, "cannot look at its export");
}

/* ---- the export's root ---- */

static void on_mountpoint_facts(void *userdata, int error, const struct paths_facts *facts)
{
	struct mount_job *job = userdata;

	job->pending = NULL;
	if (error == -ETIMEDOUT)
		refuse_error(job, error, "cannot look at its mountpoint");
	else if (error < 0 || !facts->is_mount_root)
		refuse(job, MOUNT_ERROR_NOENT, "nothing is mounted there (option mountpoint)");
	else
		go_below(job);
}

static void check_mountpoint(struct mount_job *job)
{
	const char *mountpoint = job->chosen.mountpoint;
	int r;

	if (!mountpoint) {
		go_below(job);
		return;
	}
	r = paths_facts(job->mountd->daemon->paths, *mountpoint ? mountpoint : job->chosen.root,
			on_mountpoint_facts, job, &job->pending);
	if (r < 0)
		refuse_error(job, r, "cannot look at its mountpoint");
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
	struct mount_job *job = userdata;
	char text[512];

	job->pending = NULL;
	if (outcome != MEDIA_OK) {
		(void)snprintf(text, sizeof(text), "%s%s%s", reason_of_outcome(outcome),
			       why && *why ? ": " : "", why ? why : "");
		refuse(job, status_of_outcome(outcome), text);
		return;
	}
	job->root_fd = TAKE_FD(mounted->root_fd);
	job->chosen.number = mounted->number;
	job->chosen.flags |= EXPORT_FSID;
	go_below(job);
}

static void on_deadline(void *userdata)
{
	refuse(userdata, MOUNT_ERROR_SERVERFAULT, "it took too long; it may work later");
}

static int set_deadline(struct mount_job *job, uint64_t after_usec)
{
	job->deadline_usec = job->begun_usec + after_usec;
	return later_call_at(&job->deadline, job->mountd->daemon->event, job->deadline_usec,
			     on_deadline, job);
}

static uint64_t time_left(const struct mount_job *job)
{
	uint64_t now_usec = later_now_usec();

	/* 0 would mean for ever. */
	return job->deadline_usec > now_usec ? job->deadline_usec - now_usec : 1;
}

static void have_medium(struct mount_job *job)
{
	struct media *media = job->mountd->daemon->media;
	int r;

	(void)set_deadline(job, media_deadline_usec(media, job->chosen.root));
	r = media_mount(media, job->chosen.root, job->caller.text, job->domain, time_left(job),
			on_medium, job, &job->pending);
	if (r < 0)
		refuse_error(job, r, "cannot ask for the medium");
}

/* ---- which export ---- */

static bool copy_choice(const struct snapshot_match *match, bool is_medium, const char *path,
			struct chosen *chosen)
{
	const struct export_options *options = match->export->options;

	chosen->is_medium = is_medium;
	chosen->root =
		is_medium ? strndup(path, match->medium_length) : strdup(match->export->path);
	chosen->flags = options->flags;
	chosen->number = match->export->fsid;
	chosen->anon_uid = (uint32_t)options->anon_uid;
	chosen->anon_gid = (uint32_t)options->anon_gid;
	chosen->n_flavors = options->n_flavors;
	for (unsigned int i = 0; i < options->n_flavors; i++)
		chosen->flavors[i] = options->flavors[i].number;
	/* A medium that is not its own mount's root is no medium: media/media.h sees to that. */
	if (!is_medium && options->mountpoint)
		chosen->mountpoint = strdup(options->mountpoint);
	return chosen->root && (is_medium || !options->mountpoint || chosen->mountpoint);
}

static void take_choice(struct mount_job *job, const struct snapshot_match *match, bool is_medium)
{
	clear_choice(&job->chosen);
	if (!copy_choice(match, is_medium, job->path, &job->chosen))
		refuse_no_memory(job);
	else if (job->caller.port >= PRIVILEGED_PORTS &&
		 !(job->chosen.flags & EXPORT_INSECURE_PORT))
		refuse(job, MOUNT_ERROR_ACCES, "illegal port (option insecure)");
	else if (job->request.procedure == MOUNT_PATHCONF)
		finish(job, MOUNT_OK, NULL);
	else if (is_medium)
		have_medium(job);
	else
		check_mountpoint(job);
}

static bool has_dots(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/..")); at += 3) {
		if (at[3] == '/' || at[3] == '\0')
			return true;
	}
	return false;
}

static void find_export(struct mount_job *job);
static void ask_who(struct mount_job *job, bool patient);

static void refuse_nameless(struct mount_job *job)
{
	refuse(job, MOUNT_ERROR_SERVERFAULT, "the name service does not say who this is");
}

static void on_real(void *userdata, const char *const *real, size_t n_paths)
{
	struct mount_job *job = userdata;

	job->pending = NULL;
	job->is_real = true;
	if (real[0] && real[0] != paths_unknown && real[0] != job->path) {
		free(job->path);
		job->path = strdup(real[0]);
		if (!job->path) {
			refuse_no_memory(job);
			return;
		}
	}
	find_export(job);
}

static void ask_real(struct mount_job *job)
{
	const char *wanted = job->path;
	int r = paths_real(job->mountd->daemon->paths, &wanted, 1, NULL, on_real, job,
			   &job->pending);

	if (r < 0)
		refuse_error(job, r, "cannot look at it");
}

/*
 * A medium's path, and an export's own, are known by their text. Any other may lead elsewhere by
 * symbolic links or "..", and is asked about first. What has no real path is taken as it is
 * written, as rpc.mountd does, but for "..".
 */
static void find_export(struct mount_job *job)
{
	struct snapshot *snapshot = job->mountd->daemon->snapshot;
	const struct client_set *clients = snapshot_client_set(snapshot, job->domain);
	struct snapshot_match match;
	enum snapshot_found found;

	if (!clients) {
		refuse_no_memory(job);
		return;
	}
	found = snapshot_find_mount(snapshot, clients, job->path, &match);
	if (!job->is_domain_complete && !job->is_patient &&
	    !(found != SNAPSHOT_FOUND_NOTHING && match.real->client->type <= CLIENT_SUBNET)) {
		ask_who(job, true);
		return;
	}
	if (has_dots(job->path)) {
		if (job->is_real)
			refuse(job, MOUNT_ERROR_NOENT, "there is no such directory");
		else
			ask_real(job);
	} else if (found == SNAPSHOT_FOUND_MEDIUM) {
		take_choice(job, &match, true);
	} else if (!job->is_real &&
		   !(found == SNAPSHOT_FOUND_EXPORT && str_equal(match.export->path, job->path))) {
		ask_real(job);
	} else if (found == SNAPSHOT_FOUND_NOTHING && !job->is_domain_complete) {
		refuse_nameless(job);
	} else if (found == SNAPSHOT_FOUND_NOTHING) {
		refuse(job, MOUNT_ERROR_ACCES, "no export entry");
	} else {
		take_choice(job, &match, false);
	}
}

static void on_domain(void *userdata, const char *domain, bool complete)
{
	struct mount_job *job = userdata;
	const struct daemon *daemon = job->mountd->daemon;

	job->pending = NULL;
	if (!domain) {
		if (complete)
			refuse(job, MOUNT_ERROR_ACCES, "unmatched host");
		else
			refuse_nameless(job);
		return;
	}
	job->is_domain_complete = complete;
	job->domain = strdup(domain);
	job->kernel_domain = clients_kernel_domain(daemon->snapshot,
						   !complete || daemon->config->cache_use_ipaddr,
						   &job->caller.address, domain);
	if (job->domain && job->kernel_domain)
		find_export(job);
	else
		refuse_no_memory(job);
}

static void ask_who(struct mount_job *job, bool patient)
{
	const struct daemon *daemon = job->mountd->daemon;
	CLEANUP(freep) char *domain = NULL;
	int r;

	job->is_patient = patient;
	free(TAKE_PTR(job->domain));
	free(TAKE_PTR(job->kernel_domain));
	r = clients_domain(daemon->names, daemon->event, daemon->snapshot, &job->caller.address,
			   patient, on_domain, job, &domain, &job->pending);
	if (r == CLIENTS_NOW)
		on_domain(job, domain, true);
	else if (r < 0)
		refuse_error(job, r, "cannot ask who this is");
}

/* ---- start ---- */

static void begin(struct mount_job *job)
{
	job->path = mount_path_normalise(job->request.path);
	if (!job->path) {
		refuse_error(job, errno == EINVAL ? -EACCES : -ENOMEM, "not an absolute path");
		return;
	}
	ask_who(job, false);
}

static void begin_anew(struct mount_job *job)
{
	forget_progress(job);
	begin(job);
}

void mount_job_start(struct mountd *mountd, struct rpc_call *call,
		     const struct mountproto_call *request)
{
	struct mount_job *job = calloc(1, sizeof(*job));

	if (!job) {
		rpc_drop(call, false);
		return;
	}
	job->mountd = mountd;
	job->call = call;
	job->request = *request;
	job->root_fd = -1;
	mount_caller_of(call, &job->caller);
	job->next = mountd->jobs;
	if (job->next)
		job->next->prev = job;
	mountd->jobs = job;
	rpc_call_on_gone(call, on_gone, job);
	job->begun_usec = later_now_usec();
	if (set_deadline(job, mountd->daemon->config->deadline_seconds * usec_a_second) < 0)
		refuse_no_memory(job);
	else
		begin(job);
}

void mount_jobs_again(struct mountd *mountd)
{
	struct mount_job *job, *next;

	for (job = mountd->jobs; job; job = next) {
		next = job->next;
		begin_anew(job);
	}
}

void mount_jobs_drop(struct mountd *mountd)
{
	while (mountd->jobs) {
		rpc_drop(mountd->jobs->call, false);
		job_free(mountd->jobs);
	}
}
