/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rivals.h - other daemons that answer the kernel server's questions. Each would take some of them,
 * and answer by its own lights: rpc.mountd's "no such handle" lives until 2038.
 */

#include <sys/types.h>

#include "parser/base.h"

/*
 * rivals_find - is rpc.mountd or nfsv4.exportd running in this network namespace?
 *
 * @proc: "/proc"
 * @ret_name: its name, a static string
 *
 * Returns its process; 0: there is none.
 */
pid_t rivals_find(const char *proc, const char **ret_name);
