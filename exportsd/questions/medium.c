/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * medium.c - what the kernel is told of a medium's export, and having pseudo-roots listed anew.
 *
 * The attributes of a directory that was shown, with nothing mounted, expire at the client
 * (acdirmin, 30 s). If the client then lists the pseudo-root anew, they come with the listing; if
 * not, it asks for each by its handle, which would load every medium in it (P3). It lists anew if
 * the pseudo-root has changed, and that is when the exports were flushed last
 * (kernel_flush_exports()). So the kernel is made to forget what it was told, soon after nobody
 * looks any more.
 */

#include "exportsd/questions/private.h"

#include <errno.h>

#include "exportsd/base/log.h"

/*
 * Looks are over when there was none for so long, and taken for over after the longer time, which is
 * less than clients believe a directory's attributes by default (nfs(5) acdirmin).
 */
enum {
	LOOK_QUIET_USEC = 2 * 1000000,
	LOOK_LATEST_USEC = 20 * 1000000,
};

static void on_looked(void *userdata);

static void arm_look(struct questions *questions, uint64_t usec)
{
	if (later_call_at(&questions->look, questions->daemon->event, usec, on_looked, questions) <
	    0)
		questions->first_look_usec = 0; /* no memory: the next look tries again */
}

static void on_looked(void *userdata)
{
	struct questions *questions = userdata;
	uint64_t quiet = questions->last_look_usec + LOOK_QUIET_USEC;
	uint64_t latest = questions->first_look_usec + LOOK_LATEST_USEC;
	uint64_t due = quiet < latest ? quiet : latest;
	int r;

	if (later_now_usec() < due) {
		arm_look(questions, due);
		return;
	}
	questions->first_look_usec = 0;
	r = kernel_flush_exports(questions->daemon->kernel);
	if (r < 0) {
		errno = -r;
		log_warning(NULL, "Cannot flush the kernel's exports, so that a client that lists "
				  "media again may load them: %m");
	}
}

/* A medium that is not mounted was shown to somebody who may only be looking. */
static void showed_unmounted(struct questions *questions)
{
	questions->last_look_usec = later_now_usec();
	if (questions->first_look_usec)
		return;
	questions->first_look_usec = questions->last_look_usec;
	arm_look(questions, questions->last_look_usec + LOOK_QUIET_USEC);
}

static int tell_kernel(struct question *question, const char *path, uint32_t seconds,
		       const struct kernel_export *export)
{
	const struct kernel_answer answer = {
		.about = { .cache = KERNEL_EXPORT, .domain = question->about.domain, .path = path },
		.expiry = question_expiry(seconds),
		.export = export,
	};

	return kernel_answer(question->daemon->kernel, &answer);
}

struct kernel_export question_medium_export(const struct snapshot_match *match, uint32_t number)
{
	return (struct kernel_export){
		.options = match->export->options,
		/*
		 * NOHIDE: an NFSv3 client crosses from a really exported parent (nfsd_cross_mnt()).
		 */
		.flags = match->export->options->flags | EXPORT_FSID |
			 (match->parent_exported ? EXPORT_NOHIDE : 0),
		.fsid = number,
	};
}

int question_tell_medium(struct question *question, const char *path, uint32_t number, int root_fd)
{
	const struct config *config = question->daemon->config;
	struct media *media = question->daemon->media;
	struct kernel_export export = question_medium_export(&question->access.match, number);
	bool mounted = root_fd >= 0;
	int covered = media_placeholder_fd(media, path);
	char root[KERNEL_PATH_OF_MAX];
	int r = tell_kernel(question, mounted ? kernel_path_of(root_fd, root) : path,
			    mounted ? media_ttl_seconds(media, path) : config->ttl_seconds,
			    &export);

	if (r == 0 && mounted)
		media_note_domain(media, path, question->about.domain);
	if (r == 0 && !mounted)
		showed_unmounted(question->daemon->questions);
	/*
	 * A question about the directory that the medium covers by now does not get the answer
	 * above, whose path leads to the medium. A path that ends in "." is not followed into the
	 * mount (KERNEL: handle_dots()).
	 */
	if (r == 0 && mounted && covered >= 0) {
		char hidden[KERNEL_PATH_OF_MAX];

		(void)tell_kernel(question, kernel_path_of(covered, hidden), config->ttl_seconds,
				  &export);
	}
	return r;
}
