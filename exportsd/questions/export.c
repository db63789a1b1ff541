/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * nfsd.export: what may this domain do with this path (svc_export_request())?
 *
 * A medium's path is answered at once and positive, mounted or not, with the number that belongs to
 * it: "ls" and "cd" look the same from here, so nothing is loaded (P3). Anything else is answered
 * as rpc.mountd's nfsd_export() would, so that both daemons' handles are the same.
 */

#include "exportsd/questions/private.h"

#include <errno.h>
#include <linux/magic.h>

#include "exportsd/base/log.h"

/* @error: for whoever has it told */
static void answer_no_because(struct question *question, uint32_t seconds, int error)
{
	if (!question->access.is_complete && !question->told) {
		question_again(question, AGAIN_SECONDS);
		return;
	}
	/* If it is told, nobody waits in the kernel, and MOUNT's caller learns it from us. */
	if (question->told ||
	    question_answer(question,
			    (struct kernel_answer){ .expiry = question_expiry(seconds) }) < 0)
		question_end(question, error); /* the path is gone, and the question with it */
}

static void answer_no(struct question *question, uint32_t seconds)
{
	answer_no_because(question, seconds, -EACCES);
}

/* How long a "no" stands that only a reload can change, and one that a new medium can. */
static uint32_t no_seconds(const struct question *question)
{
	return snapshot_is_in_rule(question->daemon->snapshot, question->about.path)
		       ? (uint32_t)NO_SECONDS
		       : question->daemon->config->ttl_seconds;
}

/* The kernel does not want this export: why is between it and the file system (check_export()). */
static void refused(struct question *question, int error)
{
	const struct kernel_question *about = &question->about;

	if (error == -EPROTONOSUPPORT) { /* as was told when the exports were read */
		answer_no(question, no_seconds(question));
		return;
	}
	errno = -error;
	log_warning(
		ABOUT(.path = about->path, .client = about->domain),
		"The kernel refuses to export %s to %s: %m. Its file system may not support NFS, or may "
		"need an fsid= (exports(5))",
		about->path, about->domain);
	answer_no(question, NO_SECONDS);
}

static void answer_yes(struct question *question, uint32_t seconds,
		       const struct kernel_export *export)
{
	int r = question_answer(
		question,
		(struct kernel_answer){ .expiry = question_expiry(seconds), .export = export });

	if (r < 0)
		refused(question, r);
}

/* ---- media ---- */

static void begin_medium(struct question *question);

static void answer_medium(struct question *question, uint32_t number, int root_fd)
{
	const char *path = question->about.path;
	int r = question_tell_medium(question, path, number, root_fd);

	/*
	 * If somebody mounted something meanwhile, that was told with the number of another medium.
	 */
	if (r == 0 && root_fd < 0 && media_is_mounted(question->daemon->media, path))
		begin_medium(question);
	else if (r == 0)
		question_end(question, 0);
	else if (r == -ENOMEM)
		question_again(question, 1);
	else
		refused(question, r);
}

static void on_number(void *userdata, enum media_outcome outcome, uint32_t number)
{
	struct question *question = userdata;

	question->access.pending = NULL;
	if (outcome == MEDIA_OK)
		begin_medium(question); /* it may have been mounted meanwhile */
	else
		answer_no(question, NO_SECONDS);
}

static void on_identified(void *userdata, enum media_outcome outcome, struct media_mounted *mounted,
			  const char *why)
{
	struct question *question = userdata;

	question->access.pending = NULL;
	if (outcome == MEDIA_OK)
		answer_medium(question, mounted->number, mounted->root_fd);
	else
		answer_no(question, NO_SECONDS);
}

static void begin_medium(struct question *question)
{
	struct media *media = question->daemon->media;
	const char *path = question->about.path;
	uint32_t number;
	CLEANUP(closep) int root = media_open_mounted(media, path, &number);
	int r = root;

	if (root >= 0) {
		answer_medium(question, number, root);
		return;
	}
	/*
	 * Mounted by somebody else: whoever looks at it must not be told another medium's number.
	 */
	if (root == -EAGAIN)
		r = media_mount(media, path, NULL, question->about.domain, 0, on_identified,
				question, &question->access.pending);
	else if (paths_is_gone(root))
		r = media_number(media, path, on_number, question, &number,
				 &question->access.pending);
	if (r == MEDIA_NOW)
		answer_medium(question, number, -1);
	else if (r < 0)
		question_again(question, 1);
}

/* ---- plain exports and pseudo-roots ---- */

static uint32_t effective_flags(const struct question *question)
{
	uint32_t flags = question->access.match.export->options->flags;

	/* A number is the export's own, not that of what lies below it. */
	return question->access.found == SNAPSHOT_FOUND_BELOW ? flags & ~(uint32_t)EXPORT_FSID
							      : flags;
}

static void set_uuid(struct kernel_export *export, const uint8_t uuid[16])
{
	export->has_uuid = true;
	memcpy(export->uuid, uuid, sizeof(export->uuid));
}

/*
 * rpc.mountd: the block device's uuid, else the file system's id. A pseudo-root has its path's:
 * rpc.mountd tries the file system's first, but for a client that the kernel does not know unless
 * exportfs runs at this moment.
 */
static void choose_uuid(const struct question *question, const struct paths_facts *facts,
			struct kernel_export *export)
{
	uint8_t uuid[16];

	if (question->access.found == SNAPSHOT_FOUND_PSEUDO) {
		identity_of_pseudo_root(question->about.path, uuid);
		set_uuid(export, uuid);
	} else if (facts->has_block_uuid) {
		set_uuid(export, facts->block_uuid);
	} else if (facts->has_statfs_uuid) {
		set_uuid(export, facts->statfs_uuid);
	}
}

static void answer_plain(struct question *question, const struct paths_facts *facts)
{
	const struct export_options *options = question->access.match.export->options;
	struct kernel_export export = {
		.options = options,
		.flags = effective_flags(question),
		.fsid = question->access.match.export->fsid,
	};
	uint8_t uuid[16];

	if (question->access.found == SNAPSHOT_FOUND_EXPORT && options->uuid) {
		paths_fold_uuid(options->uuid, sizeof(uuid), uuid);
		set_uuid(&export, uuid);
	} else if (!(export.flags & EXPORT_FSID)) {
		choose_uuid(question, facts, &export);
	}
	answer_yes(question, question_ttl(question), &export);
}

/* ---- file systems of another NFS server, below an export with reexport= ---- */

/*
 * nfs-utils: a mount of another server that is crossed into has a number of its own, by its path
 * (support/export/cache.c dump_to_cache()).
 */
static bool is_reexported(const struct question *question, const struct paths_facts *facts)
{
	return question->access.found == SNAPSHOT_FOUND_BELOW && !question->access.match.rule &&
	       question->access.match.export->options->reexport > EXPORT_REEXPORT_NONE &&
	       facts->file_system == NFS_SUPER_MAGIC;
}

static void answer_number(struct question *question, uint32_t number)
{
	struct kernel_export export = {
		.options = question->access.match.export->options,
		.flags = question->access.match.export->options->flags | EXPORT_FSID,
		.fsid = number,
	};

	answer_yes(question, question_ttl(question), &export);
}

static void on_number_assigned(void *userdata, int error)
{
	struct question *question = userdata;
	uint32_t number = numbers_get(question->daemon->numbers, question->about.path);

	question->access.pending = NULL;
	if (number)
		answer_number(question, number);
	else
		question_again(question, AGAIN_SECONDS); /* the store will be well again */
}

static void answer_reexported(struct question *question)
{
	struct numbers *numbers = question->daemon->numbers;
	const char *path = question->about.path;
	uint32_t number = numbers_get(numbers, path);

	if (number) {
		answer_number(question, number);
	} else if (question->access.match.export->options->reexport == EXPORT_REEXPORT_PREDEFINED) {
		log_notice(
			ABOUT(.path = path, .client = question->about.domain),
			"%s has no number yet, as reexport=predefined-fsidnum wants: give it one "
			"(exportsctl fsid), or write auto-fsidnum",
			path);
		answer_no(question, NO_SECONDS);
	} else if (numbers_assign(numbers, &path, 1, on_number_assigned, question,
				  &question->access.pending) < 0) {
		question_again(question, 1);
	}
}

static void on_seen(void *userdata, enum access_seen seen, int error,
		    const struct paths_facts *facts)
{
	struct question *question = userdata;
	const char *path = question->about.path;

	switch (seen) {
	case ACCESS_SEEN:
		identities_learn(question->daemon->questions->identities, path, facts);
		if (is_reexported(question, facts))
			answer_reexported(question);
		else
			answer_plain(question, facts);
		break;
	case ACCESS_GONE: answer_no_because(question, NO_SECONDS, error); break;
	case ACCESS_NOT_MOUNTED:
		log_info(ABOUT(.path = path, .client = question->about.domain),
			 "Not exporting %s: nothing is mounted there (option mountpoint)",
			 question->access.match.export->path);
		answer_no(question, NO_SECONDS);
		break;
	case ACCESS_UNSEEN: question_again(question, AGAIN_SECONDS); break; /* it may come back */
	}
}

/* ---- junctions ---- */

enum { JUNCTION_SECONDS = 300 }; /* nfs-utils utils/mountd/cache.c: what it leads to may change */

/*
 * rpc.mountd: the options of the export it lies in, but for the uuid (create_junction_exportent()).
 */
static void answer_junction(struct question *question, const struct paths_facts *facts)
{
	struct export_options options = *question->access.match.export->options;
	struct kernel_export export = { .options = &options,
					.flags = options.flags,
					.fsid = question->access.match.export->fsid };

	options.fsloc = EXPORT_FSLOC_REFER;
	options.fsloc_text = facts->locations;
	if (!(export.flags & EXPORT_FSID))
		choose_uuid(question, facts, &export);
	answer_yes(question, JUNCTION_SECONDS, &export);
}

static void on_junction(void *userdata, int error, const struct paths_facts *facts)
{
	struct question *question = userdata;

	question->access.pending = NULL;
	if (error == 0) {
		answer_junction(question, facts);
	} else if (error == -ENODATA || error == -EBADMSG || paths_is_gone(error)) {
		if (error == -EBADMSG)
			log_warning(ABOUT(.path = question->about.path),
				    "%s is a junction that leads nowhere: its "
				    "trusted.junction.nfs cannot be read",
				    question->about.path);
		answer_no(question, error == -EBADMSG ? NO_SECONDS : no_seconds(question));
	} else {
		question_again(question, AGAIN_SECONDS);
	}
}

/*
 * Not exported, but below an export: nfsd asks about mounts and about junctions. Whether it is one
 * is looked up only there, not for whatever lies in a pseudo-root.
 */
static void begin_nothing(struct question *question)
{
	const struct daemon *daemon = question->daemon;
	const char *path = question->about.path;
	struct access *access = &question->access;
	int r = access_find(access, path, snapshot_find_mount);

	if (r == 0 && access->found != SNAPSHOT_FOUND_EXPORT)
		answer_no(question, no_seconds(question));
	else if (r == 0)
		r = paths_junction(daemon->paths, path, on_junction, question, &access->pending);
	if (r < 0)
		question_again(question, 1);
}

static void on_who(void *userdata, int error)
{
	struct question *question = userdata;
	struct access *access = &question->access;

	if (error == 0 && !access->domain && !access->is_complete) {
		question_again(question, AGAIN_SECONDS);
		return;
	}
	if (error == 0)
		error = access_find(access, question->about.path, snapshot_find);
	if (error < 0)
		question_again(question, 1);
	if (error != 0)
		return;
	if (access->found == SNAPSHOT_FOUND_EXPORT && access_is_by_address(access))
		access->is_complete = true; /* names come behind */
	switch (access->found) {
	case SNAPSHOT_FOUND_NOTHING: begin_nothing(question); break;
	case SNAPSHOT_FOUND_MEDIUM: begin_medium(question); break;
	case SNAPSHOT_FOUND_EXPORT:
	case SNAPSHOT_FOUND_BELOW:
	case SNAPSHOT_FOUND_PSEUDO: access_look(access, question->about.path); break;
	}
}

const struct question_kind question_export = { question_begin_domain, { on_who, on_seen } };
