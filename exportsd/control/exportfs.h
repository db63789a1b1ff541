/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * exportfs.h - exportfs(8)'s requests.
 *
 *	exportfs action=A [options=O] [ignore-files=1] [verbose=1] [client=C path=P]...
 *				fault... said... suspect path=P... trial path=P flags=N...;
 * 				ok errors=N warnings=N mistakes=N [suspects-known=1] | error
 * (refused)
 * 				suspect: there is no directory; trial: nfsd is to try it, in its
 * file system's place.
 *				Unless they are known, all paths are to be looked at
 *	rules    [media=1]	rule etab=LINE...; ok
 */

#include "exportsd/control/requests.h"

void control_start_exportfs(struct connection *connection, const struct proto_message *message);
void control_start_rules(struct connection *connection, const struct proto_message *message);
/* control_exportfs_forget - the connection's request is over. */
void control_exportfs_forget(struct connection *connection);
