/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * nfsd.fh: which path does this file system id of a handle mean (expkey_request())?
 *
 * Its key holds no path, so a medium may be mounted before the answer: here, and only here, the
 * kernel's questions load something. The answer for a medium's number is never the directory it
 * covers (P4): it is given through a descriptor on the medium's root, so that it means this mount
 * even if somebody takes it away, or mounts over it, at this moment.
 */

#include "exportsd/questions/private.h"

#include <errno.h>

#include "exportsd/base/log.h"
#include "parser/text.h"

static void answer_no(struct question *question)
{
	if (access_asks_on(&question->access))
		return;
	if (!question->access.is_complete)
		question_again(question, AGAIN_SECONDS);
	else if (question_answer(question, (struct kernel_answer){
						   .expiry = question_expiry(NO_SECONDS) }) < 0)
		question_end(question, -EINVAL);
}

/* NULL when memory is out. A "no" that is asked on begins anew. */
static void set_answer_path(struct question *question, const char *path)
{
	free(question->answer_path);
	question->answer_path = strdup(path);
}

static int answer_path(struct question *question, const char *path, uint32_t seconds)
{
	return question_answer(question, (struct kernel_answer){ .expiry = question_expiry(seconds),
								 .path = path });
}

/* ---- media ---- */

/* An old handle, and another medium is in its place. */
static void tell_exchanged(const struct question *question, uint32_t number, uint32_t now)
{
	const struct numbers *numbers = question->daemon->numbers;
	const char *wanted = numbers_identity(numbers, number),
		   *is = numbers_identity(numbers, now);

	question_was_stale(question, question->answer_path,
			   "number %u is of '%s', and '%s', number %u, is there now", number,
			   wanted ? wanted : "?", is ? is : "?", now);
}

static void on_mounted(void *userdata, enum media_outcome outcome, struct media_mounted *mounted,
		       const char *why)
{
	struct question *question = userdata;
	uint32_t number = kernel_fsid_number(&question->about.fsid);
	char root[KERNEL_PATH_OF_MAX];
	int r;

	question->access.pending = NULL;
	if (outcome != MEDIA_OK) {
		question_was_stale(question, question->answer_path, "%s",
				   why ? why : "the medium cannot be had");
		answer_no(question);
		return;
	}
	/*
	 * What nfsd will ask next, so that it need not: also if this handle is of another medium,
	 * new ones are not.
	 */
	r = question_tell_medium(question, question->answer_path, mounted->number,
				 mounted->root_fd);
	if (!media_number_fits(question->daemon->media, question->answer_path, number)) {
		tell_exchanged(question, number, mounted->number);
		answer_no(question);
		return;
	}
	if (r == 0)
		r = answer_path(question, kernel_path_of(mounted->root_fd, root),
				media_ttl_seconds(question->daemon->media, question->answer_path));
	if (r == 0)
		return;
	if (r == -ENOMEM) {
		question_again(question, 1);
		return;
	}
	errno = -r;
	log_error(
		ABOUT(.path = question->answer_path, .client = question->about.domain,
		      .fsid = number),
		"The kernel refuses the medium at %s: %m. Its file system may not support NFS (squashfs "
		"made with -no-exports, exfat, overlayfs without nfs_export=on)",
		question->answer_path);
	answer_no(question);
}

static void begin_medium(struct question *question, const char *path)
{
	struct daemon *daemon = question->daemon;

	set_answer_path(question, path);
	if (!question->answer_path ||
	    media_mount(daemon->media, path, NULL, question->about.domain, 0, on_mounted, question,
			&question->access.pending) < 0)
		question_again(question, 1);
}

/* ---- plain exports ---- */

static void answer_plain(struct question *question)
{
	const char *path = question->answer_path;
	int r = answer_path(question, path, question_ttl(question));

	if (r == 0)
		return;
	errno = -r;
	log_warning(ABOUT(.path = path, .client = question->about.domain),
		    "The kernel cannot use %s for a file handle: %m", path);
	answer_no(question);
}

static void on_seen(void *userdata, enum access_seen seen, int error,
		    const struct paths_facts *facts)
{
	struct question *question = userdata;

	switch (seen) {
	case ACCESS_SEEN: answer_plain(question); break;
	case ACCESS_GONE: answer_no(question); break;
	case ACCESS_NOT_MOUNTED: /* it may be mounted yet, */
	case ACCESS_UNSEEN: /* and a dead disk or server may come back: others do not wait for it */
		question_again(question, AGAIN_SECONDS);
		break;
	}
}

/* @looked_at: the path was just now */
static void begin_plain(struct question *question, const struct snapshot_export *export,
			const char *path, bool looked_at)
{
	question->access.match.export = export;
	set_answer_path(question, path);
	if (question->answer_path)
		access_look(&question->access, looked_at ? NULL : question->answer_path);
	else
		question_again(question, 1);
}

/* ---- ids that are no numbers ---- */

struct candidate {
	const char *path;
	const struct snapshot_export *export, *real; /* of struct snapshot_match */
	enum snapshot_found found;
};

/*
 * In the order in which rpc.mountd looks at exports; what is exported before what lies below it.
 * Pseudo-roots, which count only among themselves, as it made them: from the top down for each
 * export.
 */
static bool is_before(const struct candidate *a, const struct candidate *b)
{
	if (a->real->client->type != b->real->client->type)
		return a->real->client->type < b->real->client->type;
	if (a->real->order != b->real->order)
		return a->real->order < b->real->order;
	if (a->found != b->found)
		return a->found < b->found;
	return a->found == SNAPSHOT_FOUND_PSEUDO && strlen(a->path) < strlen(b->path);
}

/*
 * Rather a real export than a pseudo-root, rather the deeper one below a crossmnt one
 * (nfsd_handle_fh()).
 */
static bool is_better(const struct candidate *next, const struct candidate *best)
{
	if ((next->found == SNAPSHOT_FOUND_PSEUDO) != (best->found == SNAPSHOT_FOUND_PSEUDO))
		return best->found == SNAPSHOT_FOUND_PSEUDO;
	return (best->export->options->flags & EXPORT_CROSSMOUNT) &&
	       strlen(next->export->path) > strlen(best->export->path);
}

/* Returns how many of the paths are exported to the asker, in rpc.mountd's order. */
static size_t list_candidates(const struct question *question, const char *const *paths,
			      size_t n_paths, struct candidate candidates[IDENTITIES_PATHS_MAX])
{
	struct snapshot *snapshot = question->daemon->snapshot;
	const struct snapshot_client_set *clients = access_clients(&question->access);
	size_t n = 0;

	for (size_t i = 0; clients && i < n_paths; i++) {
		struct candidate candidate = { .path = paths[i] };
		struct snapshot_match match;
		size_t at = n;

		candidate.found = snapshot_find(snapshot, clients, paths[i], &match);
		candidate.export = match.export;
		candidate.real = match.real;
		if (candidate.found == SNAPSHOT_FOUND_NOTHING ||
		    candidate.found == SNAPSHOT_FOUND_MEDIUM)
			continue;
		for (; at > 0 && is_before(&candidate, &candidates[at - 1]); at--)
			candidates[at] = candidates[at - 1];
		candidates[at] = candidate;
		n++;
	}
	return n;
}

static void on_identities(void *userdata, const char *const *paths, size_t n_paths, bool complete)
{
	struct question *question = userdata;
	struct candidate candidates[IDENTITIES_PATHS_MAX];
	size_t n = list_candidates(question, paths, n_paths, candidates);
	const struct candidate *best = candidates;

	question->access.pending = NULL;
	for (size_t i = 1; i < n; i++)
		if (is_better(&candidates[i], best))
			best = &candidates[i];
	if (n > 0)
		begin_plain(question, best->export, best->path, true);
	else if (!complete || !access_clients(&question->access))
		question_again(question, AGAIN_SECONDS);
	else {
		question_was_stale(question, NULL,
				   "no file system that is exported to it has this "
				   "UUID or device");
		answer_no(question);
	}
}

/*
 * A file system of another NFS server, below an export with reexport=. Who looks goes into it,
 * because the client that mounts it here may have let go of it for want of use (nfs-utils does so
 * by statfs(2)).
 */
static void begin_reexported(struct question *question, const char *path)
{
	CLEANUP(freep) char *inside = text_format("%s/.", path);

	set_answer_path(question, path);
	if (question->answer_path && inside)
		access_look(&question->access, inside);
	else
		question_again(question, 1);
}

/* A number of the store. */
static void begin_numbered(struct question *question, const struct snapshot_client_set *clients,
			   const char *path)
{
	struct access *access = &question->access;

	access->found = snapshot_find(question->daemon->snapshot, clients, path, &access->match);
	if (access->found == SNAPSHOT_FOUND_MEDIUM)
		begin_medium(question, path);
	else if (access->found == SNAPSHOT_FOUND_BELOW && !access->match.rule &&
		 access->match.export->options->reexport > EXPORT_REEXPORT_NONE)
		begin_reexported(question, path);
	else {
		question_was_stale(question, path,
				   "no rule or export claims it for this client any more");
		answer_no(question);
	}
}

static void begin_number(struct question *question, const struct snapshot_client_set *clients)
{
	const struct daemon *daemon = question->daemon;
	uint32_t number = kernel_fsid_number(&question->about.fsid);
	const struct snapshot_export *export =
		snapshot_find_fsid(daemon->snapshot, clients, number);
	const char *path = export ? NULL : numbers_path(daemon->numbers, number);

	if (export)
		begin_plain(question, export, export->path, false);
	else if (path)
		begin_numbered(question, clients, path);
	else {
		question_was_stale(question, NULL, "nothing here was ever given number %u", number);
		answer_no(question);
	}
}

static void on_who(void *userdata, int error)
{
	struct question *question = userdata;
	const struct daemon *daemon = question->daemon;
	const struct kernel_fsid *fsid = &question->about.fsid;
	struct access *access = &question->access;
	const struct snapshot_client_set *clients = error < 0 ? NULL : access_clients(access);

	if (!clients)
		question_again(question, 1);
	else if (!access->domain && !access->is_complete)
		question_again(question, AGAIN_SECONDS);
	else if (fsid->type == FSID_NUM)
		begin_number(question, clients);
	else if (identities_find(daemon->questions->identities, fsid->type, fsid->bytes,
				 on_identities, question, &access->pending) < 0)
		question_again(question, 1);
}

const struct question_kind question_fh = { question_begin_domain, { on_who, on_seen } };
