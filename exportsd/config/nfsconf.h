/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * nfsconf.h - nfs.conf(5), read as nfs-utils reads it (support/nfs/conffile.c; nfsconf(8) shows
 * what that makes of a file): sections, subsections, includes, quotes, comments, continued lines,
 * "$NAME".
 *
 * The file belongs to several programs, and nfs-utils never refuses it: what is no setting is
 * a warning, and the rest counts.
 */

#include "parser/diag.h"

enum {
	NFSCONF_FILE_MAX_BYTES = 1024 * 1024, /* a longer file is not read */
	NFSCONF_FILES_MAX = 256, /* included ones too */
	NFSCONF_DEPTH_MAX = 8, /* of includes */
	NFSCONF_SETTINGS_MAX = 16384,
	NFSCONF_NAMES_MAX = 16, /* one "$NAME" naming another */
};

struct nfsconf;

/* Strings live as long as the nfsconf. */
struct nfsconf_setting {
	const char *section; /* in small letters */
	const char *subsection; /* of [section "subsection"]; NULL without */
	const char *tag;
	const char *value; /* as written, never empty */
	const char *file;
	unsigned int line, column; /* of the value */
};

/*
 * nfsconf_load - read a file and then the *.conf files of the directory FILE.d, in order of
 * versions.
 *
 * Of a file in /etc the same in /usr is read before; a file in /etc that can be read replaces all
 * of that. What is missing is no fault.
 *
 * @file:  absolute
 * @diags: gets warnings, never errors
 *
 * Returns 0; -ENOMEM.
 */
int nfsconf_load(const char *file, struct diags *diags, struct nfsconf **ret_conf);

/*
 * nfsconf_read_text - the same for a text that is said to be that file's.
 *
 * Includes are read relative to @file's directory; NULL: there are none.
 */
int nfsconf_read_text(const char *file, const char *text, size_t n_bytes, struct diags *diags,
		      struct nfsconf **ret_conf);
struct nfsconf *nfsconf_free(struct nfsconf *conf);

/* nfsconf_find - the setting in force, or NULL. Names are compared without regard to case. */
const struct nfsconf_setting *nfsconf_find(const struct nfsconf *conf, const char *section,
					   const char *subsection, const char *tag);

/*
 * nfsconf_value - what a setting's value means: after "$" comes a name in the environment, else in
 * the section [environment]. NULL: it has none.
 */
const char *nfsconf_value(const struct nfsconf *conf, const struct nfsconf_setting *setting);

/*
 * All settings in the order they were read; of two with the same names the later one is in force.
 */
size_t nfsconf_n_settings(const struct nfsconf *conf);
const struct nfsconf_setting *nfsconf_setting(const struct nfsconf *conf, size_t index);
