/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * watch.h - the image handler's operation of the verb watch.
 */

#include "handlers/kit/kit.h"

/* userdata: a struct image_handler */
int image_watch(struct kit_request *request, void *userdata);
