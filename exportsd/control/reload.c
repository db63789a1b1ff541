/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * reload.c - the exports files read anew.
 *
 *	reload		fault...; ok | error errors=N warnings=N changed=0|1
 */

#include "exportsd/exports/reload.h"

#include "exportsd/base/log.h"
#include "exportsd/control/common.h"

static void done(void *userdata, const struct diags *diags, bool applied, bool changed)
{
	struct control_request *request = userdata;

	control_put_faults(request, diags);
	(void)control_begin_result(request, diags->n_errors, diags->n_warnings, applied, changed);
	control_finish(request);
	if (applied)
		log_notice(NULL, "Exports reloaded by exportsctl: %s",
			   changed ? "in force" : "nothing changed");
}

static int start(struct control_request *request, const struct proto_message *message)
{
	return reload_start(request->daemon->reload, false, done, request);
}

static void end(struct control_request *request)
{
	reload_forget(request->daemon->reload, request);
}

const struct control_verb control_reload = { .word = "reload", .start = start, .end = end };
