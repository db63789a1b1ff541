/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * export.c - what the kernel is told of an export's options, whatever the transport.
 */

#include <stdio.h>

#include "exportsd/kernel/transport.h"

const char *kernel_path_of(int root_fd, char text[KERNEL_PATH_OF_MAX])
{
	(void)snprintf(text, KERNEL_PATH_OF_MAX, "/proc/self/fd/%d/.", root_fd);
	return text;
}

/*
 * In etab the flags of each flavour come behind those of the entry, and change them, too (nfs-utils
 * parseopts(), setflags()): where flavours may differ, the entry has what the last one has.
 */
uint32_t kernel_export_flags(const struct kernel_export *export)
{
	const struct export_options *options = export->options;
	uint32_t last;

	if (!options->n_flavors)
		return export->flags;
	last = options->flavors[options->n_flavors - 1].flags;
	return (export->flags & ~(uint32_t)EXPORT_PER_FLAVOR) | (last & EXPORT_PER_FLAVOR);
}

unsigned int kernel_export_n_flavors(const struct kernel_export *export)
{
	return export->options->n_flavors ?: 1;
}

void kernel_export_flavor(const struct kernel_export *export, unsigned int index,
			  uint32_t *ret_number, uint32_t *ret_flags)
{
	enum { SYS = 1 }; /* as etab's sec=sys, which exportfs always adds */
	const struct export_flavor *flavor = &export->options->flavors[index];

	*ret_number = SYS;
	*ret_flags = export->flags;
	if (!export->options->n_flavors)
		return;
	*ret_number = flavor->number;
	/* The kernel refuses differences in what every flavour shares (secinfo_parse()). */
	*ret_flags = (flavor->flags & EXPORT_PER_FLAVOR) |
		     (export->flags & ~(uint32_t)EXPORT_PER_FLAVOR);
}

/* Up to the next ':'. One within [..] belongs to an IPv6 address. */
static size_t location_length(const char *text)
{
	bool bracket = false;
	size_t i;

	for (i = 0; text[i] && (bracket || text[i] != ':'); i++) {
		if (text[i] == '[')
			bracket = true;
		else if (text[i] == ']')
			bracket = false;
	}
	return i;
}

/*
 * Each "path@host+host" that can be sent: absolute, with hosts (nfs-utils support/nfs/exports.c,
 * replicas_lookup of method_list()).
 */
size_t kernel_export_locations(const struct kernel_export *export,
			       struct kernel_location ret_locations[KERNEL_LOCATIONS_MAX])
{
	const char *text = export->options->fsloc_text;
	size_t n = 0;

	while (*text && n < KERNEL_LOCATIONS_MAX) {
		size_t length = location_length(text);
		const char *at = memchr(text, '@', length);

		if (text[0] == '/' && at && at + 1 < text + length)
			ret_locations[n++] = (struct kernel_location){
				.path = text,
				.path_length = (size_t)(at - text),
				.hosts = at + 1,
				.hosts_length = (size_t)(text + length - at - 1),
			};
		text += length;
		text += *text == ':';
	}
	return n;
}
