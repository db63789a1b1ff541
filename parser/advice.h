/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * advice.h - what to write instead of an option that there is not.
 */

#include "parser/base.h"

/* Advice on an option of another system, of mount(8) or of nfs-utils' past, or NULL. */
const char *advice_foreign(const char *option, size_t name_length);

/* The known option that was most likely meant, or NULL. */
const char *advice_nearest(const char *word, size_t length);
