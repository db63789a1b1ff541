/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * workers.h - what the worker processes of exportsd/worker/worker.h do, kind by kind.
 */

/*
 * worker_main - what a worker process does until its socket closes: main() calls it for
 * "exportsd --worker KIND FD [ARGUMENT]".
 *
 * Returns an exit code.
 */
int worker_main(const char *kind, int fd, const char *argument);
