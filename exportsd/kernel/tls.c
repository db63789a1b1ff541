/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/kernel/tls.h"

enum { XPRTSEC_NONE = 1 }; /* include/uapi/linux/nfsd/export.h, NFSEXP_XPRTSEC_NONE */

bool tls_is_asked(const struct export_options *options)
{
	for (unsigned int i = 0; i < options->n_xprtsec; i++)
		if (options->xprtsec[i] == XPRTSEC_NONE)
			return false;
	return options->n_xprtsec > 0;
}

bool tls_is_wanted(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot_n_exports(snapshot); i++)
		if (tls_is_asked(snapshot_export(snapshot, i)->options))
			return true;
	return false;
}

void tls_advise(const struct snapshot *snapshot, struct diags *diags)
{
	for (size_t i = 0; i < snapshot_n_exports(snapshot); i++) {
		const struct snapshot_export *export = snapshot_export(snapshot, i);
		struct position at;

		if (!tls_is_asked(export->options))
			continue;
		at = snapshot_as_written(snapshot, export).at;
		diag_add(
			diags, DIAG_WARNING, &at,
			"client '%.80s': xprtsec= asks for TLS, which this kernel's NFS server does not know "
			"(Linux 6.4 does), so it is not served at all; add none to serve it in the clear",
			export->client->name);
	}
}
