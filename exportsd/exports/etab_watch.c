/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * etab_watch.c - inotify(7) on the directory: etab itself is replaced by another file each time.
 */

#include "exportsd/exports/etab_watch.h"

#include <errno.h>
#include <sys/inotify.h>

#include "exportsd/exports/etab_file.h"

struct etab_watch {
	sd_event_source *source;
	void (*touched)(void *userdata);
	void *userdata;
};

static int on_event(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct etab_watch *watch = userdata;

	if (event->mask & IN_Q_OVERFLOW || (event->len && str_equal(event->name, ETAB_NAME)))
		watch->touched(watch->userdata);
	return 0;
}

int etab_watch_new(struct etab_watch **ret_watch, sd_event *event, const char *directory,
		   void (*touched)(void *userdata), void *userdata)
{
	struct etab_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->touched = touched;
	watch->userdata = userdata;
	r = sd_event_add_inotify(event, &watch->source, directory,
				 IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR, on_event, watch);
	if (r < 0) {
		free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

struct etab_watch *etab_watch_free(struct etab_watch *watch)
{
	if (!watch)
		return NULL;
	sd_event_source_disable_unref(watch->source);
	free(watch);
	return NULL;
}
