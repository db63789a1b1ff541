/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * options.c - the table of export options, and lists of them read and printed.
 *
 * The table is in etab's order (nfs-utils support/nfs/exports.c putexportent()). An option
 * is a pair of words that set and clear flags, or a name with a value. The last one wins,
 * and options after a sec= also change the flags of the flavours it names (parseopts(), setflags(),
 * clearflags(), parse_flavors()). A flavour may differ from the entry only in the
 * flags of EXPORT_PER_FLAVOR; the kernel refuses others (fs/nfsd/export.c secinfo_parse()).
 */

#include "parser/advice.h"
#include "parser/etab.h"
#include "parser/options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/un.h>

/* A list on its way. */
struct applying {
	const struct option_list *list;
	struct exports_arena *arena;
	struct diags *diags;
	struct export_options *options;
	uint32_t *fsid;
	size_t at; /* where in the word this option starts */
	struct export_flavor
		flavors[EXPORT_FLAVORS_MAX]; /* those of the options, while they change */
	unsigned int active; /* flavours of the last sec= of this list, a bit each */
	bool has_plain_fsid, has_handler, has_reexport;
};

/* Nothing longer than this of a file's text is repeated in a message. */
#define SHOWN ".80s"

FORMAT_PRINTF(4, 0)
static void tell(struct applying *a, enum diag_level level, size_t offset, const char *format,
		 va_list ap)
{
	struct position at = lex_position(a->list->lexer, a->list->word, a->at + offset);
	char text[512];

	vsnprintf(text, sizeof(text), format, ap);
	diag_add(a->diags, level, &at, "%s", text);
}

/* A fault @offset bytes into the option. */
FORMAT_PRINTF(3, 4)
static int fault(struct applying *a, size_t offset, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tell(a, DIAG_ERROR, offset, format, ap);
	va_end(ap);
	return OPTIONS_FAULTY;
}

FORMAT_PRINTF(3, 4)
static void warn(struct applying *a, size_t offset, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tell(a, DIAG_WARNING, offset, format, ap);
	va_end(ap);
}

/*
 * What an option's text may have of bytes. All of them together, escaped, fit into a word, so
 * that what is printed can be read.
 */
enum {
	TEXT_BYTES_MAX = 1024,
	FSLOC_BYTES_MAX = 8192,
	SQUASH_BYTES_MAX = 512,
};

static int keep(struct applying *a, const char *text, size_t max, const char **ret_kept)
{
	size_t length = strlen(text);
	const char *kept;

	if (length > max)
		return fault(a, 0, "the option's value has %zu bytes, %zu is the limit", length,
			     max);
	/* Only default options could hold one. In etab's parentheses it would end the list. */
	if (strchr(text, ')'))
		return fault(a, 0, "no ')' may stand in an option");
	kept = arena_intern(a->arena, text, length);
	if (!kept)
		return -ENOMEM;
	*ret_kept = kept;
	return 0;
}

static void change_flags(struct applying *a, uint32_t set, uint32_t clear)
{
	a->options->flags = (a->options->flags | set) & ~clear;
	for (unsigned int i = 0; i < a->options->n_flavors; i++) {
		struct export_flavor *flavor = &a->flavors[i];

		if (a->active & 1u << i)
			flavor->etab_flags = (flavor->etab_flags | set) & ~clear;
	}
}

/* ---- values ---- */

/* strtol(3) into an int, whatever becomes of it, is what nfs-utils does. */
static int read_id(struct applying *a, const char *name, const char *value, int32_t *ret_id)
{
	size_t offset = strlen(name) + 1;
	long long id;
	char *end;

	errno = 0;
	id = strtoll(value, &end, 10);
	if (end == value || *end)
		return fault(a, offset,
			     "'%" SHOWN "' is no number; %s= takes a decimal id, as in %s=65534",
			     value, name, name);
	if (errno || id < INT32_MIN || id > UINT32_MAX)
		warn(a, offset, "'%" SHOWN "' does not fit in 32 bits and becomes %d", value,
		     (int32_t)id);
	*ret_id = (int32_t)id;
	return 0;
}

static int read_anon_uid(struct applying *a, const char *value)
{
	return read_id(a, "anonuid", value, &a->options->anon_uid);
}

static int read_anon_gid(struct applying *a, const char *value)
{
	return read_id(a, "anongid", value, &a->options->anon_gid);
}

static int count_hex_digits(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += isxdigit((unsigned char)*text) != 0;
	return n;
}

enum {
	FSID_VALUE = sizeof("fsid=") - 1,
	SOCKET_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1
};

static int bad_fsid(struct applying *a, const char *value)
{
	if (value[0] == '\0')
		return fault(a, FSID_VALUE,
			     "fsid= needs a value: a number, 'root', a UUID, or the "
			     "socket of a handler (/path or @name)");
	if (strchr(value, '/'))
		return fault(a, FSID_VALUE,
			     "'%" SHOWN
			     "' is no number and no UUID; if it is the socket of a handler, "
			     "write its whole path from '/' on",
			     value);
	return fault(a, FSID_VALUE,
		     "'%" SHOWN
		     "' is no number, not 'root', no UUID (which has 32 hex digits, this has "
		     "%d), and no socket of a handler (/path or @name)",
		     value, count_hex_digits(value));
}

static int read_handler(struct applying *a, const char *value)
{
	size_t length = strlen(value);
	size_t longest = value[0] == '@' ? SOCKET_PATH_MAX + 1 : SOCKET_PATH_MAX;

	if (length > longest)
		return fault(
			a, FSID_VALUE,
			"the socket's name has %zu bytes, the system allows %d (unix(7)); use a "
			"shorter path, such as one in /run",
			length - (value[0] == '@'), SOCKET_PATH_MAX);
	if (length == 1 || (value[0] == '/' && value[length - 1] == '/'))
		return fault(a, FSID_VALUE, "'%" SHOWN "' names no socket", value);
	if (a->has_plain_fsid)
		return fault(
			a, 0,
			"fsid= is already given in this list; a rule's handler gives the numbers, "
			"leave the other one out");
	a->has_handler = true;
	change_flags(a, 0, EXPORT_FSID);
	*a->fsid = 0;
	a->options->uuid = NULL;
	return keep(a, value, TEXT_BYTES_MAX, &a->options->handler);
}

/*
 * A number and a UUID: what counts is the number that the UUID starts with, because nfs-utils'
 * daemon reads both from etab, the UUID last.
 */
static void number_and_uuid(struct applying *a)
{
	*a->fsid = (uint32_t)strtoull(a->options->uuid, NULL, 0);
	warn(a, 0,
	     "fsid= has both a number and a UUID here; as with nfs-utils that makes the number %u; "
	     "write only one",
	     *a->fsid);
}

static int read_uuid(struct applying *a, const char *value)
{
	int r;

	if (count_hex_digits(value) != 32)
		return bad_fsid(a, value);
	r = keep(a, value, TEXT_BYTES_MAX, &a->options->uuid);
	if (r != 0)
		return r;
	a->options->handler = NULL;
	*a->fsid = (uint32_t)strtoull(value, NULL, 0);
	if (a->options->flags & EXPORT_FSID)
		number_and_uuid(a);
	return 0;
}

/* Text that is wholly a number is one, in C notation; else exactly 32 hex digits make a UUID. */
static int read_plain_fsid(struct applying *a, const char *value)
{
	unsigned long long number;
	char *end;

	if (a->has_handler)
		return fault(a, 0,
			     "fsid= already names a handler in this list, which gives the numbers; "
			     "leave this one out");
	a->has_plain_fsid = true;
	errno = 0;
	number = strtoull(value, &end, 0);
	if (str_equal(value, "root"))
		number = 0;
	else if (end == value || *end)
		return read_uuid(a, value);
	if (errno || (number > UINT32_MAX && !strchr(value, '-')))
		warn(a, FSID_VALUE, "'%" SHOWN "' does not fit in 32 bits and becomes %u", value,
		     (uint32_t)number);
	*a->fsid = (uint32_t)number;
	a->options->handler = NULL;
	change_flags(a, EXPORT_FSID, 0);
	if (a->options->uuid)
		number_and_uuid(a);
	return 0;
}

static int read_fsid(struct applying *a, const char *value)
{
	if (a->has_reexport)
		return fault(a, 0, "fsid= must stand before reexport=");
	if (value[0] == '/' || value[0] == '@')
		return read_handler(a, value);
	return read_plain_fsid(a, value);
}

static const char *const reexport_names[] = {
	[EXPORT_REEXPORT_NONE] = "none",
	[EXPORT_REEXPORT_AUTO] = "auto-fsidnum",
	[EXPORT_REEXPORT_PREDEFINED] = "predefined-fsidnum",
};

static int read_reexport(struct applying *a, const char *value)
{
	if (a->has_reexport)
		return fault(a, 0, "reexport= may be given once in a list");
	a->has_reexport = true;
	for (size_t i = EXPORT_REEXPORT_NONE; i < N_ELEMENTS(reexport_names); i++) {
		if (str_equal(value, reexport_names[i])) {
			a->options->reexport = (enum export_reexport)i;
			return 0;
		}
	}
	return fault(a, strlen("reexport="),
		     "'%" SHOWN "' is not one of none, auto-fsidnum, predefined-fsidnum", value);
}

static int read_mountpoint(struct applying *a, const char *value)
{
	if (value && value[0] != '\0' && value[0] != '/')
		warn(a, 0, "the path '%" SHOWN "' does not start with '/'", value);
	return keep(a, value ? value : "", TEXT_BYTES_MAX, &a->options->mountpoint);
}

static int read_refer(struct applying *a, const char *value)
{
	a->options->fsloc = EXPORT_FSLOC_REFER;
	return keep(a, value, FSLOC_BYTES_MAX, &a->options->fsloc_text);
}

static int read_replicas(struct applying *a, const char *value)
{
	a->options->fsloc = EXPORT_FSLOC_REPLICAS;
	return keep(a, value, FSLOC_BYTES_MAX, &a->options->fsloc_text);
}

/* A decimal number, which may be missing, as parsenum() reads it. Returns where it ends. */
static const char *read_squash_id(const char *text, int *ret_id)
{
	size_t sign = *text == '-';

	*ret_id = (int)strtol(text, NULL, 10);
	return text + sign + strspn(text + sign, "0123456789");
}

/* One id or a range, added to those there are, as text. -1 is not permitted (parsesquash()). */
static int read_squash(struct applying *a, const char *name, const char *value, const char **ids)
{
	CLEANUP(freep) char *text = NULL;
	int first, last;
	const char *end = read_squash_id(value, &first);

	last = first;
	if (*end == '-')
		end = read_squash_id(end + 1, &last);
	if (*end || first == -1 || last == -1)
		return fault(a, 0, "%s= takes one id or one range, as in %s=0-99", name, name);
	if (asprintf(&text, first == last ? "%s%s%d" : "%s%s%d-%d", *ids ? *ids : "",
		     *ids ? "," : "", first, last) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return keep(a, text, SQUASH_BYTES_MAX, ids);
}

static int read_squash_uids(struct applying *a, const char *value)
{
	return read_squash(a, "squash_uids", value, &a->options->squash_uids);
}

static int read_squash_gids(struct applying *a, const char *value)
{
	return read_squash(a, "squash_gids", value, &a->options->squash_gids);
}

/* Names of flavours and of transport security, with their numbers. */
struct named_number {
	const char *name;
	uint32_t number;
	bool old_name;
};

static const struct named_number flavor_names[] = {
	{ .name = "krb5", .number = 390003 },
	{ .name = "krb5i", .number = 390004 },
	{ .name = "krb5p", .number = 390005 },
	{ .name = "sys", .number = 1 },
	{ .name = "none", .number = 0 },
	{ .name = "unix", .number = 1, .old_name = true },
	{ .name = "null", .number = 0, .old_name = true },
	{ .name = NULL },
};

static const struct named_number xprtsec_names[] = {
	{ .name = "none", .number = 1 },
	{ .name = "tls", .number = 2 },
	{ .name = "mtls", .number = 4 },
	{ .name = NULL },
};

static const struct named_number *find_name(const struct named_number *names, const char *name,
					    size_t length)
{
	for (; names->name; names++) {
		if (strncmp(names->name, name, length) == 0 && names->name[length] == '\0')
			return names;
	}
	return NULL;
}

static void activate_flavor(struct applying *a, const struct named_number *name)
{
	struct export_options *options = a->options;
	unsigned int i = 0;

	while (i < options->n_flavors && a->flavors[i].number != name->number)
		i++;
	if (i == options->n_flavors) {
		a->flavors[i].number = name->number;
		a->flavors[i].etab_flags = options->flags;
		a->flavors[i].old_name = name->old_name;
		options->n_flavors++;
	}
	a->active |= 1u << i;
}

static void add_xprtsec(struct applying *a, const struct named_number *name)
{
	struct export_options *options = a->options;

	for (unsigned int i = 0; i < options->n_xprtsec; i++) {
		if (options->xprtsec[i] == name->number)
			return;
	}
	options->xprtsec[options->n_xprtsec++] = (uint8_t)name->number;
}

/* Names joined by colons. */
static int read_names(struct applying *a, const char *option, const char *value,
		      const struct named_number *names, const char *known,
		      void (*add)(struct applying *a, const struct named_number *name))
{
	const char *from = value;

	for (;;) {
		size_t length = strcspn(from, ":");
		const struct named_number *name = find_name(names, from, length);

		if (!name)
			return fault(a, strlen(option) + (size_t)(from - value),
				     length ? "unknown name '%.*s' in %s; those known are %s, "
					      "joined by colons"
					    : "empty name%.*s in %s; those known are %s, joined by "
					      "colons",
				     length > 80 ? 80 : (int)length, from, option, known);
		add(a, name);
		if (from[length] == '\0')
			return 0;
		from += length + 1;
	}
}

static int read_sec(struct applying *a, const char *value)
{
	a->active = 0;
	return read_names(a, "sec=", value, flavor_names, "sys, krb5, krb5i, krb5p, none",
			  activate_flavor);
}

static int read_xprtsec(struct applying *a, const char *value)
{
	return read_names(a, "xprtsec=", value, xprtsec_names, "none, tls, mtls", add_xprtsec);
}

/* ---- printed values ---- */

struct printing {
	const struct export_options *options;
	uint32_t fsid, per_flavor;
	FILE *to;
};

static void put_text(struct printing *p, const char *name, const char *text)
{
	fprintf(p->to, ",%s=", name);
	etab_put_text(p->to, text);
}

static void print_fsid(struct printing *p)
{
	if (p->options->flags & EXPORT_FSID)
		fprintf(p->to, ",fsid=%d", (int32_t)p->fsid);
	if (p->options->uuid)
		put_text(p, "fsid", p->options->uuid);
	if (p->options->handler)
		put_text(p, "fsid", p->options->handler);
}

static void print_reexport(struct printing *p)
{
	if (p->options->reexport > EXPORT_REEXPORT_NONE)
		fprintf(p->to, ",reexport=%s", reexport_names[p->options->reexport]);
}

static void print_mountpoint(struct printing *p)
{
	if (!p->options->mountpoint)
		return;
	if (p->options->mountpoint[0])
		put_text(p, "mountpoint", p->options->mountpoint);
	else
		fputs(",mountpoint", p->to);
}

/* Referrals are what nfs-utils escapes as it does paths. */
static void put_fsloc(struct printing *p, enum export_fsloc fsloc, const char *name)
{
	if (p->options->fsloc != fsloc)
		return;
	fprintf(p->to, ",%s=", name);
	etab_put_path(p->to, p->options->fsloc_text);
}

static void print_refer(struct printing *p)
{
	put_fsloc(p, EXPORT_FSLOC_REFER, "refer");
}

static void print_replicas(struct printing *p)
{
	put_fsloc(p, EXPORT_FSLOC_REPLICAS, "replicas");
}

/* An option for each id or range: a comma would start the next option. */
static void print_squash(struct printing *p, const char *name, const char *ids)
{
	while (ids) {
		int length = (int)strcspn(ids, ",");

		fprintf(p->to, ",%s=%.*s", name, length, ids);
		ids = ids[length] ? ids + length + 1 : NULL;
	}
}

static void print_squash_uids(struct printing *p)
{
	print_squash(p, "squash_uids", p->options->squash_uids);
}

static void print_squash_gids(struct printing *p)
{
	print_squash(p, "squash_gids", p->options->squash_gids);
}

static void print_anon_uid(struct printing *p)
{
	fprintf(p->to, ",anonuid=%d", p->options->anon_uid);
}

static void print_anon_gid(struct printing *p)
{
	fprintf(p->to, ",anongid=%d", p->options->anon_gid);
}

static void print_flags(struct printing *p, uint32_t flags, uint32_t shown);

static const char *flavor_name(const struct export_flavor *flavor)
{
	const struct named_number *name = flavor_names;

	while (name->name && (name->number != flavor->number || name->old_name != flavor->old_name))
		name++;
	return name->name;
}

/* With a kernel that lets fewer flags differ, the others are the entry's. */
static uint32_t flavor_flags(const struct printing *p, const struct export_flavor *flavor)
{
	return flavor->etab_flags | (p->options->flags & ~p->per_flavor);
}

/*
 * Flavours with the same flags, as long as they follow each other, are one sec= (secinfo_show()).
 */
static void print_sec(struct printing *p)
{
	static const struct export_flavor sys = { .number = 1 };
	unsigned int n = p->options->n_flavors, i = 0;
	uint32_t flags;

	if (n == 0) {
		fprintf(p->to, ",sec=%s", flavor_name(&sys));
		print_flags(p, p->options->flags, p->per_flavor & EXPORT_PER_FLAVOR);
	}
	while (i < n) {
		flags = flavor_flags(p, &p->options->flavors[i]);
		fprintf(p->to, ",sec=%s", flavor_name(&p->options->flavors[i++]));
		while (i < n && flavor_flags(p, &p->options->flavors[i]) == flags)
			fprintf(p->to, ":%s", flavor_name(&p->options->flavors[i++]));
		print_flags(p, flags, p->per_flavor & EXPORT_PER_FLAVOR);
	}
}

static void print_xprtsec(struct printing *p)
{
	for (unsigned int i = 0; i < p->options->n_xprtsec; i++) {
		const struct named_number *name = xprtsec_names;

		while (name->number != p->options->xprtsec[i])
			name++;
		fprintf(p->to, "%s%s", i ? ":" : ",xprtsec=", name->name);
	}
}

/* ---- the table ---- */

enum value { VALUE_NONE, VALUE_OPTIONAL, VALUE_NEEDED };

struct option {
	const char *name; /* without a value: sets the flags */
	const char *opposite; /* clears them; NULL: cannot be cleared */
	uint32_t flags;
	bool alias; /* read only, etab has another word for it */
	enum value value;
	int (*read)(struct applying *a, const char *value); /* value: NULL if there is none */
	void (*print)(struct printing *p);
};

#define FLAG(set, clear, bits)                                                                     \
	{                                                                                          \
		.name = set, .opposite = clear, .flags = bits                                      \
	}
#define VALUE(word, kind, reader, printer)                                                         \
	{                                                                                          \
		.name = word, .value = kind, .read = reader, .print = printer                      \
	}

static const struct option options_table[] = {
	FLAG("ro", "rw", EXPORT_READONLY),
	FLAG("async", "sync", EXPORT_ASYNC),
	FLAG("wdelay", "no_wdelay", EXPORT_GATHERED_WRITES),
	FLAG("nohide", "hide", EXPORT_NOHIDE),
	FLAG("crossmnt", "nocrossmnt", EXPORT_CROSSMOUNT),
	FLAG("insecure", "secure", EXPORT_INSECURE_PORT),
	FLAG("root_squash", "no_root_squash", EXPORT_ROOTSQUASH),
	FLAG("all_squash", "no_all_squash", EXPORT_ALLSQUASH),
	FLAG("no_subtree_check", "subtree_check", EXPORT_NOSUBTREECHECK),
	FLAG("insecure_locks", "secure_locks", EXPORT_NOAUTHNLM),
	{ .name = "no_auth_nlm", .opposite = "auth_nlm", .flags = EXPORT_NOAUTHNLM, .alias = true },
	FLAG("no_acl", "acl", EXPORT_NOACL),
	FLAG("nordirplus", NULL, EXPORT_NOREADDIRPLUS),
	FLAG("security_label", NULL, EXPORT_SECURITY_LABEL),
	FLAG("pnfs", "no_pnfs", EXPORT_PNFS),
	VALUE("fsid", VALUE_NEEDED, read_fsid, print_fsid),
	VALUE("reexport", VALUE_NEEDED, read_reexport, print_reexport),
	VALUE("mountpoint", VALUE_OPTIONAL, read_mountpoint, print_mountpoint),
	VALUE("mp", VALUE_OPTIONAL, read_mountpoint, NULL),
	VALUE("refer", VALUE_NEEDED, read_refer, print_refer),
	VALUE("replicas", VALUE_NEEDED, read_replicas, print_replicas),
	VALUE("squash_uids", VALUE_NEEDED, read_squash_uids, print_squash_uids),
	VALUE("squash_gids", VALUE_NEEDED, read_squash_gids, print_squash_gids),
	VALUE("anonuid", VALUE_NEEDED, read_anon_uid, print_anon_uid),
	VALUE("anongid", VALUE_NEEDED, read_anon_gid, print_anon_gid),
	VALUE("sec", VALUE_NEEDED, read_sec, print_sec),
	VALUE("xprtsec", VALUE_NEEDED, read_xprtsec, print_xprtsec),
};

const char *options_name(size_t index)
{
	for (size_t i = 0; i < N_ELEMENTS(options_table); i++) {
		if (index-- == 0)
			return options_table[i].name;
		if (options_table[i].opposite && index-- == 0)
			return options_table[i].opposite;
	}
	return NULL;
}

/* ---- what is written wrongly ---- */

static const struct option *find_option(const char *name, size_t length, bool *ret_opposite)
{
	for (size_t i = 0; i < N_ELEMENTS(options_table); i++) {
		const struct option *option = &options_table[i];

		*ret_opposite = option->opposite && strlen(option->opposite) == length &&
				memcmp(name, option->opposite, length) == 0;
		if (*ret_opposite ||
		    (strlen(option->name) == length && memcmp(name, option->name, length) == 0))
			return option;
	}
	return NULL;
}

/* The option is known, but has a value that it must not have, or lacks one. */
static int wrong_value(struct applying *a, const struct option *option, const char *text,
		       const char *value)
{
	if (!value)
		return fault(a, 0, "option '%s' needs a value: %s=...", option->name, option->name);
	if (option->flags == EXPORT_READONLY)
		return fault(a, 0,
			     "option '%" SHOWN
			     "': ro and rw take no value; hosts are written as clients, "
			     "host(ro) other(rw)",
			     text);
	return fault(a, 0, "option '%.*s' takes no value", (int)(value - text - 1), text);
}

static int unknown_option(struct applying *a, const char *text)
{
	size_t length = strcspn(text, "=");
	const char *advice = advice_foreign(text, length), *nearest;

	if (text[0] == '\0')
		return fault(a, 0, "empty option: a comma too many");
	if (advice)
		return fault(a, 0, "unknown option '%" SHOWN "': %s", text, advice);
	if (text[0] == '(')
		return fault(a, 0,
			     "unknown option '%" SHOWN "': default options have no parentheses, "
			     "as in -rw,sync",
			     text);
	if (strpbrk(text, ";:|") && !strchr(text, '='))
		return fault(a, strcspn(text, ";:|"),
			     "unknown option '%" SHOWN "': options are separated by commas", text);
	if (strpbrk(text, " \t"))
		return fault(a, strcspn(text, " \t"),
			     "unknown option '%" SHOWN
			     "': no blank may stand before a comma or ')'",
			     text);
	if (find_name(flavor_names, text, strlen(text)))
		return fault(
			a, 0,
			"unknown option '%s': flavours are joined by colons, as in sec=sys:krb5",
			text);
	if (text[strspn(text, "0123456789-")] == '\0')
		return fault(a, 0,
			     "unknown option '%" SHOWN
			     "': lists of ids are written as squash_uids=1,"
			     "squash_uids=5-9",
			     text);
	nearest = advice_nearest(text, length);
	if (nearest)
		return fault(a, 0, "unknown option '%" SHOWN "'; did you mean '%s'?", text,
			     nearest);
	return fault(a, 0, "unknown option '%" SHOWN "'", text);
}

/* ---- lists ---- */

static int apply_option(struct applying *a, const char *text)
{
	size_t length = strcspn(text, "=");
	const char *value = text[length] ? text + length + 1 : NULL;
	bool opposite;
	const struct option *option = find_option(text, length, &opposite);

	if (!option)
		return unknown_option(a, text);
	if ((value && option->value == VALUE_NONE) || (!value && option->value == VALUE_NEEDED))
		return wrong_value(a, option, text, value);
	if (option->read)
		return option->read(a, value);
	change_flags(a, opposite ? 0 : option->flags, opposite ? option->flags : 0);
	return 0;
}

/* The option at @at of the list, blanks before it passed over; false at the end. */
static bool next_option(const struct option_list *list, size_t *at, size_t *ret_end)
{
	const char *text = list->word->text;
	size_t end;

	while (*at < list->end && isblank((unsigned char)text[*at]))
		(*at)++;
	if (*at >= list->end)
		return false;
	for (end = *at; end < list->end && text[end] != ',';)
		end++;
	*ret_end = end;
	return true;
}

/* What a flavour must share with the entry, it gets: fix_pseudoflavor_flags(), secinfo_parse(). */
static int settle_flavors(struct applying *a)
{
	struct export_options *options = a->options;
	uint32_t shared = options->flags & ~EXPORT_PER_FLAVOR;

	if (!options->n_flavors)
		return 0;
	for (unsigned int i = 0; i < options->n_flavors; i++) {
		struct export_flavor *flavor = &a->flavors[i];

		flavor->etab_flags |= shared;
		flavor->flags = (flavor->etab_flags & EXPORT_PER_FLAVOR) | shared;
	}
	/* Their padding is zero: equal ones are kept once, and the options stay equal bytes. */
	options->flavors = arena_intern_bytes(a->arena, a->flavors,
					      options->n_flavors * sizeof(a->flavors[0]));
	return options->flavors ? 0 : -ENOMEM;
}

int options_apply(const struct option_list *list, struct exports_arena *arena, struct diags *diags,
		  struct export_options *options, uint32_t *fsid)
{
	struct applying a = {
		.list = list, .arena = arena, .diags = diags, .options = options, .fsid = fsid
	};
	int result = 0, r;
	size_t end;

	memset(a.flavors, 0, sizeof(a.flavors));
	if (options->n_flavors)
		memcpy(a.flavors, options->flavors, options->n_flavors * sizeof(a.flavors[0]));
	for (a.at = list->begin; next_option(list, &a.at, &end); a.at = end + 1) {
		char behind = list->word->text[end];

		list->word->text[end] = '\0';
		r = apply_option(&a, list->word->text + a.at);
		list->word->text[end] = behind;
		if (r < 0)
			return r;
		if (r > 0)
			result = OPTIONS_FAULTY;
	}
	r = settle_flavors(&a);
	return r < 0 ? r : result;
}

bool options_find(const struct option_list *list, const char *name, size_t *ret_index)
{
	size_t length = strlen(name), end;
	bool found = false;

	for (size_t at = list->begin; next_option(list, &at, &end); at = end + 1) {
		const char *text = list->word->text + at;

		if (end - at >= length && memcmp(text, name, length) == 0 &&
		    (end - at == length || text[length] == '=')) {
			*ret_index = at;
			found = true;
		}
	}
	return found;
}

void options_init(struct export_options *options)
{
	memset(options, 0, sizeof(*options));
	options->flags = EXPORT_DEFAULTS;
	options->anon_uid = 65534;
	options->anon_gid = 65534;
}

/* The words for @flags, as far as they are @shown. */
static void print_flags(struct printing *p, uint32_t flags, uint32_t shown)
{
	for (size_t i = 0; i < N_ELEMENTS(options_table); i++) {
		const struct option *option = &options_table[i];
		const char *word = flags & option->flags ? option->name : option->opposite;

		if (option->flags & shown && !option->alias && word) {
			fputc_unlocked(',', p->to);
			fputs_unlocked(word, p->to);
		}
	}
}

void options_print(const struct export_options *options, uint32_t fsid, uint32_t per_flavor,
		   FILE *to)
{
	struct printing p = {
		.options = options, .fsid = fsid, .per_flavor = per_flavor, .to = to
	};

	fputs(options->flags & EXPORT_READONLY ? "ro" : "rw", to);
	print_flags(&p, options->flags, ~(uint32_t)EXPORT_READONLY);
	for (size_t i = 0; i < N_ELEMENTS(options_table); i++) {
		if (options_table[i].print)
			options_table[i].print(&p);
	}
}
