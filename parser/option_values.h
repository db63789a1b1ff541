/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * option_values.h - what the table in options.c consists of, and how the values of its options are
 * read and printed.
 */

#include "parser/options.h"

/* A list on its way in. */
struct option_reading {
	const struct option_list *list;
	struct exports_arena *arena;
	struct diags *diags;
	struct export_options *options;
	uint32_t *fsid;
	size_t at; /* where in the word this option starts */
	/* Those of the options, while they change. */
	struct export_flavor flavors[EXPORT_FLAVORS_MAX];
	unsigned int active; /* flavours of the last sec= of this list, a bit each */
	bool has_plain_fsid, has_handler, has_reexport;
};

/* A list on its way out. */
struct option_printing {
	const struct export_options *options;
	uint32_t fsid, per_flavor;
	FILE *to;
	/*
	 * As exportfs -v lists it: nothing is escaped, and an anonymous id is only shown if it is
	 * not the usual one.
	 */
	bool is_listing;
	bool has_begun; /* a comma is due */
};

enum { OPTION_ANONYMOUS_ID = 65534 }; /* unless anonuid=, anongid= say otherwise */

enum option_value { VALUE_NONE, VALUE_OPTIONAL, VALUE_NEEDED };

/* A row of the table: a flag, an option with a value, or a word that is none. */
struct option {
	const char *name; /* a flag's: sets it */
	const char *opposite; /* clears it; NULL: nothing does */
	uint32_t flag; /* the kernel's bit */
	bool by_default;
	bool alias; /* only read: another row prints it */
	/*
	 * The place in exportfs -v's listing, counted from 1; 0: none, or within sec=. There a flag
	 * that is not set is only shown if listed_clear.
	 */
	uint8_t listed;
	bool listed_clear;
	enum option_value value;
	uint16_t field; /* offset of what read() and print() are about, where that is one field */
	/*
	 * Returns 0; OPTIONS_FAULTY, which was told; -ENOMEM. @value: NULL if there is none
	 */
	int (*read)(struct option_reading *reading, const struct option *option, const char *value);
	void (*print)(struct option_printing *printing, const struct option *option);
	const char *advice; /* it is no option: what to write instead */
};

/* ---- reading ---- */

/* What a message repeats of a file's text. */
#define OPTION_SHOWN ".80s"

/* A fault @offset bytes into the option. Returns OPTIONS_FAULTY. */
FORMAT_PRINTF(3, 4)
int option_fault(struct option_reading *reading, size_t offset, const char *format, ...);

/* Change flags of the entry, and of the flavours of the last sec=. */
void option_set_flags(struct option_reading *reading, uint32_t set, uint32_t clear);

int option_read_fsid(struct option_reading *reading, const struct option *option,
		     const char *value);
int option_read_reexport(struct option_reading *reading, const struct option *option,
			 const char *value);
int option_read_mountpoint(struct option_reading *reading, const struct option *option,
			   const char *value);
int option_read_fsloc(struct option_reading *reading, const struct option *option,
		      const char *value);
int option_read_squash(struct option_reading *reading, const struct option *option,
		       const char *value);
int option_read_id(struct option_reading *reading, const struct option *option, const char *value);
int option_read_sec(struct option_reading *reading, const struct option *option, const char *value);
int option_read_xprtsec(struct option_reading *reading, const struct option *option,
			const char *value);

/* ---- printing ---- */

/* The option's name, behind a comma if it is not the first. */
void option_begin(struct option_printing *printing, const char *name);

void option_print_fsid(struct option_printing *printing, const struct option *option);
void option_print_reexport(struct option_printing *printing, const struct option *option);
void option_print_mountpoint(struct option_printing *printing, const struct option *option);
void option_print_fsloc(struct option_printing *printing, const struct option *option);
void option_print_squash(struct option_printing *printing, const struct option *option);
void option_print_id(struct option_printing *printing, const struct option *option);
void option_print_xprtsec(struct option_printing *printing, const struct option *option);

/* ---- flavours ---- */

const char *option_flavor_name(const struct export_flavor *flavor);
bool option_is_flavor_name(const char *text);
