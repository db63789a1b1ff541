/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* check_media.h - exportsctl check --media. Returns the exit code. */

#include "exportsd/ctl/ctl.h"

int check_media(const struct ctl_invocation *invocation);
