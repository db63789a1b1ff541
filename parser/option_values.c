/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * option_values.c - the values of export options, read and printed.
 *
 * What is read as what, and what becomes of an odd value, is as in nfs-utils (support/nfs/exports.c
 * parseopts(), setflags(), clearflags(), parse_flavors(), parsesquash()).
 */

#include "parser/option_values.h"

#include "parser/etab.h"
#include "parser/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/un.h>

FORMAT_PRINTF(4, 0)
static void tell(struct option_reading *reading, enum diag_level level, size_t offset,
		 const char *format, va_list ap)
{
	struct position at =
		lex_position(reading->list->lexer, reading->list->word, reading->at + offset);
	char text[512];

	vsnprintf(text, sizeof(text), format, ap);
	diag_add(reading->diags, level, &at, "%s", text);
}

int option_fault(struct option_reading *reading, size_t offset, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tell(reading, DIAG_ERROR, offset, format, ap);
	va_end(ap);
	return OPTIONS_FAULTY;
}

FORMAT_PRINTF(3, 4)
static void warn(struct option_reading *reading, size_t offset, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tell(reading, DIAG_WARNING, offset, format, ap);
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

static int keep(struct option_reading *reading, const char *text, size_t max, const char **ret_kept)
{
	size_t length = strlen(text);
	const char *kept;

	if (length > max)
		return option_fault(reading, 0,
				    "the option's value has %zu bytes, %zu is the limit", length,
				    max);
	/* Only default options could hold one. In etab's parentheses it would end the list. */
	if (strchr(text, ')'))
		return option_fault(reading, 0, "no ')' may stand in an option");
	kept = arena_intern(reading->arena, text, length);
	if (!kept)
		return -ENOMEM;
	*ret_kept = kept;
	return 0;
}

void option_set_flags(struct option_reading *reading, uint32_t set, uint32_t clear)
{
	reading->options->flags = (reading->options->flags | set) & ~clear;
	for (unsigned int i = 0; i < reading->options->n_flavors; i++) {
		struct export_flavor *flavor = &reading->flavors[i];

		if (reading->active & 1u << i)
			flavor->etab_flags = (flavor->etab_flags | set) & ~clear;
	}
}

void option_begin(struct option_printing *printing, const char *name)
{
	if (printing->has_begun)
		putc_unlocked(',', printing->to);
	printing->has_begun = true;
	fputs_unlocked(name, printing->to);
}

static void print_text(struct option_printing *printing, const char *name, const char *text)
{
	option_begin(printing, name);
	putc_unlocked('=', printing->to);
	if (printing->is_listing)
		fputs(text, printing->to);
	else
		etab_put_text(printing->to, text);
}

/* ---- anonuid, anongid ---- */

/* strtol(3) into an int, whatever becomes of it, is what nfs-utils does. */
int option_read_id(struct option_reading *reading, const struct option *option, const char *value)
{
	size_t offset = strlen(option->name) + 1;
	long long id;
	char *end;

	errno = 0;
	id = strtoll(value, &end, 10);
	if (end == value || *end)
		return option_fault(reading, offset,
				    "'%" OPTION_SHOWN
				    "' is no number; %s= takes a decimal id, as in %s=65534",
				    value, option->name, option->name);
	if (errno || id < INT32_MIN || id > UINT32_MAX)
		warn(reading, offset, "'%" OPTION_SHOWN "' does not fit in 32 bits and becomes %d",
		     value, (int32_t)id);
	*(int32_t *)((char *)reading->options + option->field) = (int32_t)id;
	return 0;
}

void option_print_id(struct option_printing *printing, const struct option *option)
{
	int32_t id = *(const int32_t *)((const char *)printing->options + option->field);

	if (printing->is_listing && id == OPTION_ANONYMOUS_ID)
		return;
	option_begin(printing, option->name);
	fprintf(printing->to, "=%d", id);
}

/* ---- fsid ---- */

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

static int bad_fsid(struct option_reading *reading, const char *value)
{
	if (value[0] == '\0')
		return option_fault(reading, FSID_VALUE,
				    "fsid= needs a value: a number, 'root', a UUID, or the "
				    "socket of a handler (/path or @name)");
	if (strchr(value, '/'))
		return option_fault(reading, FSID_VALUE,
				    "'%" OPTION_SHOWN
				    "' is no number and no UUID; if it is the socket of a handler, "
				    "write its whole path from '/' on",
				    value);
	return option_fault(
		reading, FSID_VALUE,
		"'%" OPTION_SHOWN
		"' is no number, not 'root', no UUID (which has 32 hex digits, this has "
		"%d), and no socket of a handler (/path or @name)",
		value, count_hex_digits(value));
}

static int read_handler(struct option_reading *reading, const char *value)
{
	size_t length = strlen(value);
	size_t longest = value[0] == '@' ? SOCKET_PATH_MAX + 1 : SOCKET_PATH_MAX;

	if (length > longest)
		return option_fault(
			reading, FSID_VALUE,
			"the socket's name has %zu bytes, the system allows %d (unix(7)); use a "
			"shorter path, such as one in /run",
			length - (value[0] == '@'), SOCKET_PATH_MAX);
	if (length == 1 || (value[0] == '/' && value[length - 1] == '/'))
		return option_fault(reading, FSID_VALUE, "'%" OPTION_SHOWN "' names no socket",
				    value);
	if (reading->has_plain_fsid)
		return option_fault(
			reading, 0,
			"fsid= is already given in this list; a rule's handler gives the numbers, "
			"leave the other one out");
	reading->has_handler = true;
	option_set_flags(reading, 0, EXPORT_FSID);
	*reading->fsid = 0;
	reading->options->uuid = NULL;
	return keep(reading, value, TEXT_BYTES_MAX, &reading->options->handler);
}

/*
 * A number and a UUID: what counts is the number that the UUID starts with, because nfs-utils'
 * daemon reads both from etab, the UUID last.
 */
static void number_and_uuid(struct option_reading *reading)
{
	*reading->fsid = (uint32_t)strtoull(reading->options->uuid, NULL, 0);
	warn(reading, 0,
	     "fsid= has both a number and a UUID here; as with nfs-utils that makes the number %u; "
	     "write only one",
	     *reading->fsid);
}

static int read_uuid(struct option_reading *reading, const char *value)
{
	int r;

	if (count_hex_digits(value) != 32)
		return bad_fsid(reading, value);
	r = keep(reading, value, TEXT_BYTES_MAX, &reading->options->uuid);
	if (r != 0)
		return r;
	reading->options->handler = NULL;
	*reading->fsid = (uint32_t)strtoull(value, NULL, 0);
	if (reading->options->flags & EXPORT_FSID)
		number_and_uuid(reading);
	return 0;
}

/* Text that is wholly a number is one, in C notation; else exactly 32 hex digits make a UUID. */
static int read_plain_fsid(struct option_reading *reading, const char *value)
{
	unsigned long long number;
	char *end;

	if (reading->has_handler)
		return option_fault(
			reading, 0,
			"fsid= already names a handler in this list, which gives the numbers; "
			"leave this one out");
	reading->has_plain_fsid = true;
	errno = 0;
	number = strtoull(value, &end, 0);
	if (str_equal(value, "root"))
		number = 0;
	else if (end == value || *end)
		return read_uuid(reading, value);
	if (errno || (number > UINT32_MAX && !strchr(value, '-')))
		warn(reading, FSID_VALUE,
		     "'%" OPTION_SHOWN "' does not fit in 32 bits and becomes %u", value,
		     (uint32_t)number);
	*reading->fsid = (uint32_t)number;
	reading->options->handler = NULL;
	option_set_flags(reading, EXPORT_FSID, 0);
	if (reading->options->uuid)
		number_and_uuid(reading);
	return 0;
}

int option_read_fsid(struct option_reading *reading, const struct option *option, const char *value)
{
	if (reading->has_reexport)
		return option_fault(reading, 0, "fsid= must stand before reexport=");
	if (value[0] == '/' || value[0] == '@')
		return read_handler(reading, value);
	return read_plain_fsid(reading, value);
}

void option_print_fsid(struct option_printing *printing, const struct option *option)
{
	const struct export_options *options = printing->options;

	if (options->flags & EXPORT_FSID) {
		option_begin(printing, option->name);
		fprintf(printing->to, "=%d", (int32_t)printing->fsid);
	}
	if (options->uuid)
		print_text(printing, option->name, options->uuid);
	if (options->handler)
		print_text(printing, option->name, options->handler);
}

/* ---- reexport, mountpoint, refer, replicas ---- */

static const char *const reexport_names[] = {
	[EXPORT_REEXPORT_NONE] = "none",
	[EXPORT_REEXPORT_AUTO] = "auto-fsidnum",
	[EXPORT_REEXPORT_PREDEFINED] = "predefined-fsidnum",
};

int option_read_reexport(struct option_reading *reading, const struct option *option,
			 const char *value)
{
	if (reading->has_reexport)
		return option_fault(reading, 0, "reexport= may be given once in a list");
	reading->has_reexport = true;
	for (size_t i = EXPORT_REEXPORT_NONE; i < N_ELEMENTS(reexport_names); i++) {
		if (str_equal(value, reexport_names[i])) {
			reading->options->reexport = (enum export_reexport)i;
			return 0;
		}
	}
	return option_fault(
		reading, strlen("reexport="),
		"'%" OPTION_SHOWN "' is not one of none, auto-fsidnum, predefined-fsidnum", value);
}

void option_print_reexport(struct option_printing *printing, const struct option *option)
{
	if (printing->options->reexport > EXPORT_REEXPORT_NONE)
		print_text(printing, option->name, reexport_names[printing->options->reexport]);
}

int option_read_mountpoint(struct option_reading *reading, const struct option *option,
			   const char *value)
{
	if (value && value[0] != '\0' && value[0] != '/')
		warn(reading, 0, "the path '%" OPTION_SHOWN "' does not start with '/'", value);
	return keep(reading, value ? value : "", TEXT_BYTES_MAX, &reading->options->mountpoint);
}

void option_print_mountpoint(struct option_printing *printing, const struct option *option)
{
	const char *mountpoint = printing->options->mountpoint;

	if (mountpoint && mountpoint[0])
		print_text(printing, option->name, mountpoint);
	else if (mountpoint)
		option_begin(printing, option->name);
}

static const char *const fsloc_names[] = {
	[EXPORT_FSLOC_NONE] = "",
	[EXPORT_FSLOC_REFER] = "refer",
	[EXPORT_FSLOC_REPLICAS] = "replicas",
};

int option_read_fsloc(struct option_reading *reading, const struct option *option,
		      const char *value)
{
	bool refer = str_equal(option->name, fsloc_names[EXPORT_FSLOC_REFER]);

	reading->options->fsloc = refer ? EXPORT_FSLOC_REFER : EXPORT_FSLOC_REPLICAS;
	return keep(reading, value, FSLOC_BYTES_MAX, &reading->options->fsloc_text);
}

/* This is what nfs-utils escapes as it does paths. */
void option_print_fsloc(struct option_printing *printing, const struct option *option)
{
	const struct export_options *options = printing->options;

	if (!str_equal(option->name, fsloc_names[options->fsloc]))
		return;
	option_begin(printing, option->name);
	putc_unlocked('=', printing->to);
	if (printing->is_listing)
		fputs(options->fsloc_text, printing->to);
	else
		etab_put_path(printing->to, options->fsloc_text);
}

/* ---- squash_uids, squash_gids ---- */

/* A decimal number, which may be missing, as parsenum() reads it. Returns where it ends. */
static const char *read_squash_id(const char *text, int *ret_id)
{
	size_t sign = *text == '-';

	*ret_id = (int)strtol(text, NULL, 10);
	return text + sign + strspn(text + sign, "0123456789");
}

/* One id or a range, added to those there are, as text. -1 is not permitted. */
int option_read_squash(struct option_reading *reading, const struct option *option,
		       const char *value)
{
	const char **ids = (const char **)((char *)reading->options + option->field);
	CLEANUP(freep) char *text = NULL;
	int first, last;
	const char *end = read_squash_id(value, &first);

	last = first;
	if (*end == '-')
		end = read_squash_id(end + 1, &last);
	if (*end || first == -1 || last == -1)
		return option_fault(reading, 0, "%s= takes one id or one range, as in %s=0-99",
				    option->name, option->name);
	text = text_format(first == last ? "%s%s%d" : "%s%s%d-%d", *ids ?: "", *ids ? "," : "",
			   first, last);
	if (!text)
		return -ENOMEM;
	return keep(reading, text, SQUASH_BYTES_MAX, ids);
}

/* An option for each id or range: a comma would start the next option. */
void option_print_squash(struct option_printing *printing, const struct option *option)
{
	const char *ids = *(const char *const *)((const char *)printing->options + option->field);

	while (ids) {
		int length = (int)strcspn(ids, ",");

		option_begin(printing, option->name);
		fprintf(printing->to, "=%.*s", length, ids);
		ids = ids[length] ? ids + length + 1 : NULL;
	}
}

/* ---- sec, xprtsec ---- */

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

/* The name that a number was written as, which is there. */
static const char *name_of(const struct named_number *names, uint32_t number, bool old_name)
{
	while (names->number != number || names->old_name != old_name)
		names++;
	return names->name;
}

bool option_is_flavor_name(const char *text)
{
	return find_name(flavor_names, text, strlen(text));
}

const char *option_flavor_name(const struct export_flavor *flavor)
{
	return name_of(flavor_names, flavor->number, flavor->old_name);
}

static void activate_flavor(struct option_reading *reading, const struct named_number *name)
{
	struct export_options *options = reading->options;
	unsigned int i = 0;

	while (i < options->n_flavors && reading->flavors[i].number != name->number)
		i++;
	if (i == options->n_flavors) {
		reading->flavors[i].number = name->number;
		reading->flavors[i].etab_flags = options->flags;
		reading->flavors[i].old_name = name->old_name;
		options->n_flavors++;
	}
	reading->active |= 1u << i;
}

static void add_xprtsec(struct option_reading *reading, const struct named_number *name)
{
	struct export_options *options = reading->options;

	for (unsigned int i = 0; i < options->n_xprtsec; i++) {
		if (options->xprtsec[i] == name->number)
			return;
	}
	options->xprtsec[options->n_xprtsec++] = (uint8_t)name->number;
}

/* Names joined by colons. */
static int read_names(struct option_reading *reading, const struct option *option,
		      const char *value, const struct named_number *names, const char *known,
		      void (*add)(struct option_reading *reading, const struct named_number *name))
{
	const char *from = value;

	for (;;) {
		size_t length = strcspn(from, ":");
		const struct named_number *name = find_name(names, from, length);

		if (!name)
			return option_fault(
				reading, strlen(option->name) + 1 + (size_t)(from - value),
				length ? "unknown name '%.*s' in %s=; those known are %s, "
					 "joined by colons"
				       : "empty name%.*s in %s=; those known are %s, joined by "
					 "colons",
				length > 80 ? 80 : (int)length, from, option->name, known);
		add(reading, name);
		if (from[length] == '\0')
			return 0;
		from += length + 1;
	}
}

int option_read_sec(struct option_reading *reading, const struct option *option, const char *value)
{
	reading->active = 0;
	return read_names(reading, option, value, flavor_names, "sys, krb5, krb5i, krb5p, none",
			  activate_flavor);
}

int option_read_xprtsec(struct option_reading *reading, const struct option *option,
			const char *value)
{
	return read_names(reading, option, value, xprtsec_names, "none, tls, mtls", add_xprtsec);
}

void option_print_xprtsec(struct option_printing *printing, const struct option *option)
{
	const struct export_options *options = printing->options;

	for (unsigned int i = 0; i < options->n_xprtsec; i++) {
		if (i == 0)
			option_begin(printing, option->name);
		fprintf(printing->to, "%c%s", i ? ':' : '=',
			name_of(xprtsec_names, options->xprtsec[i], false));
	}
}
