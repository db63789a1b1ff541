/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * questions.h - the kernel's questions: each is kept until it is answered (P10), and
 * answered from the snapshot in force, with what names, paths and media say.
 */

#include "exportsd/daemon.h"

/* A question hook for kernel_open(): userdata is the struct daemon. */
void questions_ask(void *daemon, enum kernel_cache cache, const char *line);

int questions_new(struct questions **ret_questions, struct daemon *daemon);
struct questions *questions_free(struct questions *questions);

/* questions_again - other exports are in force, or mounts changed: what waits is looked at anew. */
void questions_again(struct questions *questions);

/* How many questions wait for an answer. */
size_t questions_n_waiting(const struct questions *questions);

/*
 * questions_tell_export - tell the kernel unasked about a path and its domain (MNT needs the
 * entry before the handle), and then call done() with 0 or the kernel's negative errno; -EACCES if the answer is negative.
 */
struct question;
typedef void (*questions_told_fn)(void *userdata, int error);
int questions_tell_export(struct questions *questions, const char *domain, const char *path,
			  questions_told_fn done, void *userdata, struct question **ret_question);
void questions_cancel(struct question *question);
