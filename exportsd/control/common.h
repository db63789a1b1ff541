/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * common.h - what several verbs look up and say.
 */

#include "exportsd/control/verb.h"
#include "exportsd/media/media.h"
#include "parser/diag.h"
#include "parser/snapshot/snapshot.h"

/* ---- looking up ---- */

/*
 * control_find_medium - the medium that a path is, or lies in, whatever client asks: a string to
 * free(3); NULL: no rule claims it.
 */
char *control_find_medium(const struct daemon *daemon, const char *path);

/* The medium of a request's path; NULL: there is none, and the request was answered so. */
char *control_get_medium(struct control_request *request, const struct proto_message *message);

/* The number of a request, up to @max. False: it is none, and the request was answered so. */
bool control_get_number(struct control_request *request, const struct proto_message *message,
			uint32_t max, uint32_t *ret_number);

/*
 * control_export_by_hand - the plain export that has a number by hand: the one with this path, or,
 * if @path is NULL, with this number. NULL: none.
 */
const struct snapshot_export *control_export_by_hand(const struct daemon *daemon, const char *path,
						     uint32_t number);

/* ---- entries ---- */

/* "medium", and if it is mounted a "client" for each that it was handed to */
void control_put_medium(struct control_request *request, const struct medium_status *status);
/* "copy", for each copy of the number store. Returns how many are not good. */
size_t control_put_copies(struct control_request *request);
/* "fault", for each */
void control_put_faults(struct control_request *request, const struct diags *diags);

/* ---- outcomes ---- */

/* ok fsid=N path=P */
void control_answer_number(struct control_request *request, uint32_t number, const char *path);

/*
 * control_begin_result - of a change of the exports: errors, warnings, whether something changed.
 * Further fields may follow, then control_finish(). One that was refused is logged.
 */
struct proto_writer *control_begin_result(struct control_request *request, size_t n_errors,
					  size_t n_warnings, bool applied, bool changed);
