/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * verbs.h - the image handler's operations: image files as media on loop devices.
 */

#include "handlers/kit/kit.h"

extern const struct kit_operations image_operations; /* userdata: a struct image_handler */
