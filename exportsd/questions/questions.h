/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * questions.h - the kernel's questions: each is kept until it is answered (P10), and
 * answered from the snapshot in force, with what names, paths and media say.
 */

#include "exportsd/base/later.h"
#include "exportsd/base/parts.h"
#include "exportsd/kernel/kernel.h"

/*
 * daemon: borrowed; its names, paths and media must be there, its kernel and snapshot before the
 * first question.
 */
int questions_new(struct questions **ret_questions, struct daemon *daemon);
struct questions *questions_free(struct questions *questions);

/* questions_ask - a hook for kernel_open(); userdata is the struct daemon. */
void questions_ask(void *daemon, const struct kernel_question *question);

/*
 * questions_again - other exports are in force: what waits begins anew. To be called in
 * the same turn of the loop in which daemon->snapshot was replaced, while the old one still exists.
 */
void questions_again(struct questions *questions);
/*
 * questions_begin_load - other exports are about to be looked at; if they come into force
 * questions_again() is next.
 */
void questions_begin_load(struct questions *questions);

/* questions_serve_media - be the kernel's side of daemon->media's drains (media_set_kernel()). */
void questions_serve_media(struct daemon *daemon);

/*
 * questions_name - which exported directories a file handle's file system id means, for people.
 *
 * @fsid: of an FSID_NUM only exports that have the number by hand are told
 * @done: exactly once, never from within this call; valid during the call. @complete: false:
 *        something did not answer
 */
typedef void (*questions_named_fn)(void *userdata, const char *const *paths, size_t n_paths,
				   bool complete);
int questions_name(struct questions *questions, const struct kernel_fsid *fsid,
		   questions_named_fn done, void *userdata, struct pending **ret_naming);

/* How many questions wait for an answer. */
size_t questions_n_waiting(const struct questions *questions);

/*
 * questions_tell_client - tell the kernel unasked which domain an address belongs to.
 *
 * Returns 0; the kernel's errno, negative; -ENOMEM.
 */
int questions_tell_client(struct questions *questions, const char *address, const char *domain);

/*
 * questions_tell_export - tell the kernel unasked what it would be answered about a path (MNT: nfsd
 * makes no handle for what it does not know).
 *
 * @done: exactly once, never from within this call. error: 0; the kernel's errno, negative;
 *        -EACCES: the answer is "no"; -ENOENT, -ENOTDIR, -ELOOP: and nothing is there
 */
typedef void (*questions_told_fn)(void *userdata, int error);
int questions_tell_export(struct questions *questions, const char *domain, const char *path,
			  questions_told_fn done, void *userdata, struct pending **ret_pending);
