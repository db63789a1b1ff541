/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * control.h - exportsctl's socket: <runtime directory>/control, mode 0600, root only; wire codec
 * messages.
 */

#include "exportsd/base/parts.h"

int control_new(struct control **ret_control, struct daemon *daemon);
struct control *control_free(struct control *control);
