/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * stock_order.h - the order in which nfs-utils writes exports into etab, and lists them.
 */

#include "parser/exports.h"

/*
 * stock_order - by client type; within one the paths' hash buckets, the one seen last first, and in
 * each the order given (support/export/export.c export_add(), export_hash()).
 *
 * @ret_indices: @n of them
 *
 * Returns 0; -ENOMEM.
 */
int stock_order(const char *const *paths, const enum client_type *types, size_t n,
		size_t *ret_indices);
