/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan.c - media that somebody else mounted: an administrator, or a handler that was asked by a
 * daemon that has ended. What is mounted where a medium with a number belongs is taken for it.
 */

#include "exportsd/media/private.h"

static void on_mount(void *userdata, enum mount_table_change change,
		     const struct mount_table_entry *entry)
{
	struct media *media = userdata;
	const char *key;
	struct rule *rule = media_rule_of(media, entry->target, &key);
	struct medium *medium;

	if (change == MOUNT_TABLE_REMOVED || !rule || !numbers_get(media->numbers, entry->target) ||
	    medium_get(rule, entry->target, &medium) < 0)
		return;
	medium_report(medium, MEDIUM_MOUNT, MEDIUM_SIGHTED);
	medium_report(medium, MEDIUM_ALL, MEDIUM_UNUSED);
}

void scan_start(struct media *media)
{
	mount_table_subscribe(media->mounts, &media->mounts_told, on_mount, media);
}

void scan_end(struct media *media)
{
	mount_table_unsubscribe(media->mounts, &media->mounts_told);
}
