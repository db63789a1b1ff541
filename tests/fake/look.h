/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * look.h - the answer of media_kernel's look(), told in the next turn of the loop. How many ask does
 * not matter.
 */

#include "exportsd/media/media.h"
#include "parser/base.h"

struct fake_look {
	struct pending pending;
	struct later later;
	media_looked_fn done;
	void *whose;
	bool is_held;
};

static void fake_look_cancel(struct pending *pending)
{
	struct fake_look *look = (struct fake_look *)pending;

	later_cancel(&look->later);
	free(look);
}

static void fake_look_tell(void *userdata)
{
	struct fake_look look = *(struct fake_look *)userdata;

	free(userdata);
	look.done(look.whose, look.is_held);
}

static int fake_look(sd_event *event, bool is_held, media_looked_fn done, void *whose,
		     struct pending **ret_pending)
{
	struct fake_look *look = calloc(1, sizeof(*look));

	look->pending.cancel = fake_look_cancel;
	look->done = done;
	look->whose = whose;
	look->is_held = is_held;
	later_call(&look->later, event, fake_look_tell, look);
	*ret_pending = &look->pending;
	return 0;
}
