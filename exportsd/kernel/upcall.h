/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * upcall.h - the text of the kernel's questions, of our answers, and of what content files show:
 * private to the /proc transport and to tests. Pure.
 *
 * Formats: linux net/sunrpc/svcauth_unix.c ip_map_parse(), unix_gid_parse(), fs/nfsd/export.c
 * svc_export_parse(), expkey_parse(); for content files net/sunrpc/cache.c c_show(), ip_map_show(),
 * svc_export_show(), expkey_show(). Field order in answers as rpc.mountd writes it
 * (support/export/cache.c dump_to_cache()), so that both leave the same in the kernel.
 */

#include "exportsd/kernel/kernel.h"

/* An answer must be shorter (cache_downcall()). */
enum { UPCALL_ANSWER_MAX = 32768 };

/*
 * upcall_parse - read a question.
 *
 * @line: without its newline
 * @room: for its texts: as many bytes as the line has, and one
 *
 * Returns 0; UPCALL_MALFORMED (no answer would reach its question).
 */
enum { UPCALL_MALFORMED = 1 };
int upcall_parse(enum kernel_cache cache, const char *line, char *room,
		 struct kernel_question *ret_question);

/*
 * upcall_format - an answer: a line with its newline, and a NUL. Of too many groups those are told
 * that fit.
 *
 * Returns its length; -E2BIG: it takes more than @size bytes; -ENOMEM.
 */
ssize_t upcall_format(const struct kernel_answer *answer, char *buffer, size_t size);

/*
 * upcall_parse_entry - read a line of a content file.
 *
 * @line: without its newline; changed, and the result's texts point into it
 *
 * Returns 0; UPCALL_MALFORMED: a heading, or nothing of ours.
 */
int upcall_parse_entry(enum kernel_cache cache, char *line, struct kernel_entry *ret_entry);
