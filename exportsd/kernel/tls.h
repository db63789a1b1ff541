/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * tls.h - exports for TLS connections only (xprtsec= without none), on a kernel that does not know
 * TLS.
 *
 * Such a kernel passes the word over and would serve them in the clear. So they are served to
 * nobody there (kernel.h), and whoever writes them is told.
 */

#include "parser/diag.h"
#include "parser/snapshot/snapshot.h"

/* tls_is_asked - by an export: for TLS and nothing else. */
bool tls_is_asked(const struct export_options *options);

bool tls_is_wanted(const struct snapshot *snapshot);

/*
 * tls_advise - a warning for each such export: the kernel does not know TLS (kernel_knows_tls(),
 * kernel_lacks_tls()).
 */
void tls_advise(const struct snapshot *snapshot, struct diags *diags);
