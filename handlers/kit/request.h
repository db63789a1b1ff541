/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * request.h - the kit's child process: runs one operation and writes what it says, as
 * messages without id, to a socket that the kit reads.
 */

#include "handlers/kit/kit.h"

/*
 * kit_request_run - run an operation to its outcome.
 *
 * @asked: borrowed
 * @fd:    borrowed; blocking
 */
void kit_request_run(kit_operation operation, void *userdata, const struct proto_message *asked,
		     int fd);
