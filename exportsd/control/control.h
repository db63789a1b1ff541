/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * control.h - exportsctl's and exportfs' socket: <runtime directory>/control, mode 0600, root only.
 */

#include "exportsd/base/parts.h"

/* Returns 0; -EADDRINUSE: another daemon listens there; -errno. */
int control_new(struct control **ret_control, struct daemon *daemon);
struct control *control_free(struct control *control);
