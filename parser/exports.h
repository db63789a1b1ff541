/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * exports.h - exports files, read into entries.
 *
 * First of two steps. exports_read*() knows the grammar of exports(5), the option
 * table and the wildcard rules; its result says what the files say, in their order.
 * The second step (snapshot/snapshot.h) takes that, with what the file system and the name
 * service answered, and makes what is in force.
 *
 * Grammar, option table and their odd corners are nfs-utils' (support/nfs/exports.c,
 * support/nfs/xio.c, support/export/client.c), but for: every fault is reported and only
 * the faulty item is dropped; a wildcard path with a socket fsid is a rule.
 */

#include <netinet/in.h>
#include <stdint.h>

#include "parser/base.h"
#include "parser/diag.h"

/*
 * Export flags that something here asks for or sets: linux include/uapi/linux/nfsd/export.h,
 * NFSEXP_*. The others stand in the table of options only.
 */
enum export_flag {
	EXPORT_READONLY = 0x0001,
	EXPORT_INSECURE_PORT = 0x0002,
	EXPORT_ROOTSQUASH = 0x0004,
	EXPORT_ALLSQUASH = 0x0008,
	EXPORT_NOHIDE = 0x0200,
	EXPORT_NOSUBTREECHECK = 0x0400,
	EXPORT_FSID = 0x2000,
	EXPORT_CROSSMOUNT = 0x4000,
	EXPORT_V4ROOT = 0x10000,
	/* Which flags may differ between the flavours of one export: NFSEXP_SECINFO_FLAGS. */
	EXPORT_PER_FLAVOR =
		EXPORT_READONLY | EXPORT_INSECURE_PORT | EXPORT_ROOTSQUASH | EXPORT_ALLSQUASH,
};

enum { EXPORT_FLAVORS_MAX = 8, EXPORT_XPRTSEC_MAX = 3 };

/* RPC pseudo-flavour numbers: RFC 2623, linux/sunrpc/gss_api.h. */
struct export_flavor {
	uint32_t number; /* 0 null, 1 sys, 390003 krb5, 390004 krb5i, 390005 krb5p */
	uint32_t flags; /* the entry's flags; only those of EXPORT_PER_FLAVOR may differ */
	/*
	 * As nfs-utils has them when it writes etab: others that were cleared later are still set.
	 */
	uint32_t etab_flags;
	bool old_name; /* written by its older name: unix, null; etab repeats it */
};

enum export_fsloc { EXPORT_FSLOC_NONE, EXPORT_FSLOC_REFER, EXPORT_FSLOC_REPLICAS };
enum export_reexport {
	EXPORT_REEXPORT_UNSET,
	EXPORT_REEXPORT_NONE,
	EXPORT_REEXPORT_AUTO,
	EXPORT_REEXPORT_PREDEFINED
};

/*
 * The options of one item, complete: defaults, the entry's defaults and its own. But for the number
 * of fsid=: that is the item's, so that lines with a number each have their other options in
 * common.
 */
struct export_options {
	uint32_t flags; /* enum export_flag */
	int32_t anon_uid; /* -2 and 65534 are both usual; the kernel's view is unsigned */
	int32_t anon_gid;
	const char *uuid; /* fsid=UUID as written, or NULL */
	const char *handler; /* fsid=/socket or fsid=@abstract as written, or NULL: not a rule */
	const char *
		mountpoint; /* option mountpoint: NULL not given, "" the export path itself, else another path */
	enum export_fsloc fsloc;
	enum export_reexport reexport;
	const char *fsloc_text; /* refer= or replicas=, as written, unescaped; NULL if none */
	const char *squash_uids; /* leftovers of old times, only printed; NULL if none */
	const char *squash_gids;
	const struct export_flavor *flavors; /* at most EXPORT_FLAVORS_MAX */
	uint8_t n_flavors; /* 0: no sec= given */
	uint8_t n_xprtsec; /* 0: not given */
	uint8_t xprtsec[EXPORT_XPRTSEC_MAX]; /* 1 none, 2 tls, 4 mtls, in order */
};

/* Match priority and order of listing: nfs-utils support/include/exportfs.h MCL_*. */
enum client_type {
	CLIENT_HOST, /* a host name or one address */
	CLIENT_SUBNET, /* address/prefix or address/mask */
	CLIENT_WILDCARD, /* a host name with * ? [ */
	CLIENT_NETGROUP, /* @name */
	CLIENT_ANONYMOUS, /* "*" or nothing */
	CLIENT_GSS, /* gss/...: never an address */
	N_CLIENT_TYPES,
};

/* An address of either family. IPv4-mapped IPv6 stays IPv6 and never equals IPv4 (stock). */
struct address {
	sa_family_t family; /* AF_INET or AF_INET6 */
	uint32_t scope; /* IPv6 scope id, else 0 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

/* A client spec as read. */
struct client_spec {
	enum client_type type;
	const char *text; /* as written after decoding; "" stays "" */
};

/* A subnet as written: host bits and all; the mask is of the same family and may have holes. */
struct client_subnet {
	struct address address, mask;
};

/* One path, one client, one option list. Lives as long as the struct exports_source. */
struct export_item {
	/*
	 * Decoded, starts with '/', at most 1024 bytes; as written, trailing slashes and all.
	 * A rule's: its text, with slashes single and none at the end.
	 */
	const char *path;
	/*
	 * NULL, or the rule's path for fnmatch(3): some component has a '*', a '?', or a '[' that a
	 * ']' of the same component closes, none of them quoted or escaped. Bytes that mean
	 * themselves though they could mean more are behind a backslash (also a '[' that nothing
	 * closes). No "." and "..".
	 */
	const char *pattern;
	const struct client_spec *client; /* shared between equal ones */
	const struct export_options *options; /* shared between equal ones */
	const char *file; /* exports_at_run_time: of no file */
	unsigned int line, column; /* of the client, or of the path where there is none */
	unsigned int path_line, path_column;
	uint32_t fsid; /* in force if EXPORT_FSID; else what a uuid's digits left (stock) */
	bool gives_way; /* to an earlier item of the same path and client, without a word */
};

/* Stands for the file of what was exported by a command: nfs-utils' exportfs client:/path. */
extern const char exports_at_run_time[];

struct exports_source {
	const struct export_item *items; /* in the order of the files */
	size_t n_items;
	struct exports_arena *arena; /* owns everything above */
};

/*
 * exports_read_files - read exports files, and directories of them.
 *
 * @files:       paths, read in this order. A file that cannot be opened is an error, and the
 *               others are read.
 * @directories: paths of directories (may be NULL if n is 0), read after the files: regular
 *               files and symlinks *.exports, no leading dot, in versionsort(3) order, as
 *               nfs-utils does in export_d_read(); a missing directory is no fault.
 * @diags:       gets every fault of all files
 * @ret_source:  the items without faults, even where there were faults; free with
 *               exports_source_free()
 *
 * Returns 0 whatever is wrong with the text (see diags->n_errors); -ENOMEM.
 */
int exports_read_files(const char *const *files, size_t n_files, const char *const *directories,
		       size_t n_directories, struct diags *diags,
		       struct exports_source **ret_source);

/*
 * exports_read_text - the same from memory: one file's text, @name standing for it in messages.
 *
 * A socket handler, wildcards and all else as in exports_read_files().
 */
int exports_read_text(const char *name, const char *text, size_t n_bytes, struct diags *diags,
		      struct exports_source **ret_source);

/*
 * exports_read_etab - the same from what etab says, whoever wrote it, or a line in its form.
 *
 * To nfs-utils no character of a path is a wildcard, and it writes them as they are. So they make a
 * rule only if the line's options name a handler.
 */
int exports_read_etab(const char *name, const char *text, size_t n_bytes, struct diags *diags,
		      struct exports_source **ret_source);

/*
 * exports_read_argument - one item from the parts of a command line: nfs-utils' exportfs -o OPTIONS
 * CLIENT:PATH.
 *
 * @options: a list without parentheses, applied to @base; NULL: none
 * @base:    with whose options they start; NULL: an entry's defaults. Its strings must live as long
 *           as ret_source
 *
 * A path's wildcards make it a rule only if the options name a handler. Returns 0, and no item if
 * there is a fault in it; -ENOMEM.
 */
int exports_read_argument(const char *client, const char *path, const char *options,
			  const struct export_item *base, struct diags *diags,
			  struct exports_source **ret_source);

/*
 * exports_source_append - @more's items behind @source's.
 *
 * @more: taken; without items only its memory is, and @source's items stay where they are
 *
 * Returns 0; -ENOMEM: @source is as it was.
 */
int exports_source_append(struct exports_source *source, struct exports_source *more);

/*
 * exports_set_number - an item's fsid is this number, as if it had been written. Returns 0;
 * -ENOMEM.
 */
int exports_set_number(struct exports_source *source, size_t index, uint32_t number);

/*
 * exports_source_choose - other items: some of the source's own, in any order, changed or not.
 * @items: copied.
 */
int exports_source_choose(struct exports_source *source, const struct export_item *items,
			  size_t n_items);

struct exports_source *exports_source_free(struct exports_source *source);

/*
 * client_spec_parse - read one client spec by its text alone (client_gettype()).
 *
 * @text:    NUL-terminated, decoded; borrowed as long as ret_spec is used
 * @ret_why: on EXPORTS_INVALID a static text of what is wrong
 *
 * Returns 0; EXPORTS_INVALID for a bad subnet, prefix or netmask.
 */
enum { EXPORTS_INVALID = 1 };
int client_spec_parse(const char *text, struct client_spec *ret_spec, const char **ret_why);

/* client_subnet - the subnet of a CLIENT_SUBNET. */
struct client_subnet client_subnet(const struct client_spec *spec);

/* client_subnet_holds - is an address in a subnet? Its host bits do not matter. */
bool client_subnet_holds(const struct client_subnet *subnet, const struct address *address);

/*
 * client_name_matches - nfs-utils' wildmat: ? * [set] [^set] \x, case-insensitive, * crosses dots.
 */
bool client_name_matches(const char *pattern, const char *name);

/*
 * export_print_options - what stands in the parentheses of a line of etab: the options, those of
 * the defaults and the usual ones, too. Errors stay in @to.
 *
 * export_list_options - the same as exportfs(8) -v lists it (utils/exportfs/exportfs.c dump()): for
 * people, with nothing escaped and less of what is usual.
 */
void export_print_options(FILE *to, const struct export_options *options, uint32_t fsid,
			  uint32_t per_flavor);
void export_list_options(FILE *to, const struct export_options *options, uint32_t fsid,
			 uint32_t per_flavor);

/*
 * export_print_etab - one line of etab, byte for byte as nfs-utils' putexportent() writes it,
 * but for what could not be read back: control bytes, blanks and '"' are escaped everywhere, a
 * wildcard that is a plain path's own character is, and squash_uids= and squash_gids= are written
 * out.
 *
 * @path:   the export's path (canonical where it has one); a rule's: its pattern
 * @client: the client's name in etab
 * @fsid:   its number, if the options say that there is one
 * @per_flavor: the flags the kernel lets differ per flavour; 0xd where it says nothing
 *
 * exports_read_text() and exports_read_etab() read the line back as the same export; a rule prints
 * fsid=<handler>. Returns 0; -EIO if writing failed.
 */
int export_print_etab(FILE *to, const char *path, const char *client,
		      const struct export_options *options, uint32_t fsid, uint32_t per_flavor);
