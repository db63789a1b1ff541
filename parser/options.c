/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * options.c - the table of export options, and lists of them read and printed.
 *
 * An option is a pair of words that set and clear a flag, or a name with a value. The last one wins,
 * and options after a sec= also change the flags of the flavours it names (nfs-utils
 * support/nfs/exports.c parseopts(), setflags(), clearflags(), parse_flavors()). A flavour may
 * differ from the entry only in the flags of EXPORT_PER_FLAVOR; the kernel refuses others
 * (fs/nfsd/export.c secinfo_parse()).
 */

#include "parser/options.h"

#include "parser/etab.h"
#include "parser/option_values.h"
#include "parser/typo.h"

#include <ctype.h>
#include <errno.h>

static void print_sec(struct option_printing *printing, const struct option *option);

#define FLAG(set, clear, bit, ...)                                                                 \
	{                                                                                          \
		.name = set, .opposite = clear, .flag = bit, __VA_ARGS__                           \
	}
#define VALUE(word, kind, what, ...)                                                               \
	{                                                                                          \
		.name = word, .value = kind, .read = option_read_##what,                           \
		.print = option_print_##what, __VA_ARGS__                                          \
	}
#define FIELD(member) .field = offsetof(struct export_options, member)
#define FOREIGN(word, instead)                                                                     \
	{                                                                                          \
		.name = word, .advice = instead                                                    \
	}

/*
 * All there is to say of an option, a row each, in etab's order (putexportent()); their places in
 * the listing are dump()'s (utils/exportfs/exportfs.c). Flags have the numbers that the kernel
 * knows them by (linux include/uapi/linux/nfsd/export.h NFSEXP_*), and are handed to it as they
 * are; exports.h names those that other code asks for.
 */
static const struct option options_table[] = {
	FLAG("ro", "rw", EXPORT_READONLY, .by_default = true),
	FLAG("async", "sync", 0x0010, .listed = 1, .listed_clear = true),
	FLAG("wdelay", "no_wdelay", 0x0020, .by_default = true, .listed = 2, .listed_clear = true),
	FLAG("nohide", "hide", EXPORT_NOHIDE, .listed = 3, .listed_clear = true),
	FLAG("crossmnt", "nocrossmnt", EXPORT_CROSSMOUNT, .listed = 4),
	FLAG("insecure", "secure", EXPORT_INSECURE_PORT),
	FLAG("root_squash", "no_root_squash", EXPORT_ROOTSQUASH, .by_default = true),
	FLAG("all_squash", "no_all_squash", EXPORT_ALLSQUASH),
	FLAG("no_subtree_check", "subtree_check", EXPORT_NOSUBTREECHECK, .by_default = true,
	     .listed = 5),
	FLAG("insecure_locks", "secure_locks", 0x0800, .listed = 6),
	FLAG("no_auth_nlm", "auth_nlm", 0x0800, .alias = true),
	FLAG("no_acl", "acl", 0x8000, .listed = 9),
	FLAG("nordirplus", NULL, 0x0040, .listed = 7),
	FLAG("security_label", NULL, 0x0080, .listed = 8),
	FLAG("pnfs", "no_pnfs", 0x20000, .listed = 10),

	VALUE("fsid", VALUE_NEEDED, fsid, .listed = 1),
	VALUE("reexport", VALUE_NEEDED, reexport, .listed = 2),
	VALUE("mountpoint", VALUE_OPTIONAL, mountpoint, .listed = 3),
	VALUE("mp", VALUE_OPTIONAL, mountpoint, .alias = true),
	VALUE("refer", VALUE_NEEDED, fsloc, .listed = 6),
	VALUE("replicas", VALUE_NEEDED, fsloc, .listed = 7),
	VALUE("squash_uids", VALUE_NEEDED, squash, FIELD(squash_uids)),
	VALUE("squash_gids", VALUE_NEEDED, squash, FIELD(squash_gids)),
	VALUE("anonuid", VALUE_NEEDED, id, FIELD(anon_uid), .listed = 4),
	VALUE("anongid", VALUE_NEEDED, id, FIELD(anon_gid), .listed = 5),
	{ .name = "sec",
	  .value = VALUE_NEEDED,
	  .read = option_read_sec,
	  .print = print_sec,
	  .listed = 8 },
	VALUE("xprtsec", VALUE_NEEDED, xprtsec, .listed = 9),

	/* Words of other systems' exports files, of mount(8), and of nfs-utils' past. */
	FOREIGN("alldirs", "every directory below an export can be mounted anyway; leave it out"),
	FOREIGN("anon", "write anonuid= and anongid="),
	FOREIGN("defaults", "leave it out: host() has the defaults"),
	FOREIGN("hard", "it belongs to the client's mount options"),
	FOREIGN("intr", "it belongs to the client's mount options"),
	FOREIGN("link_absolute", "it is long gone; leave it out"),
	FOREIGN("link_relative", "it is long gone; leave it out"),
	FOREIGN("map_daemon", "it is long gone; use NFSv4 with idmapd, or the same ids everywhere"),
	FOREIGN("map_identity", "it is long gone and the default; leave it out"),
	FOREIGN("map_nis", "it is long gone; use NFSv4 with idmapd, or the same ids everywhere"),
	FOREIGN("mapall", "write all_squash,anonuid=UID,anongid=GID"),
	FOREIGN("maproot", "write anonuid=UID,anongid=GID, or no_root_squash for maproot=root"),
	FOREIGN("nfsvers", "versions are chosen in nfs.conf, section [nfsd]"),
	FOREIGN("noaccess", "export what may be seen instead"),
	FOREIGN("noatime", "it belongs to the mount of the file system that is exported"),
	FOREIGN("nodev",
		"it belongs to the mount of the file system that is exported, or to the client's"),
	FOREIGN("noexec",
		"it belongs to the mount of the file system that is exported, or to the client's"),
	FOREIGN("nosuid",
		"it belongs to the mount of the file system that is exported, or to the client's"),
	FOREIGN("port", "it belongs to the client's mount options"),
	FOREIGN("rdirplus", "it is the default; leave it out"),
	FOREIGN("root", "write the hosts as clients: host(no_root_squash)"),
	FOREIGN("rsize", "it belongs to the client's mount options"),
	FOREIGN("sign_fh", "this kernel interface is newer than this program"),
	FOREIGN("soft", "it belongs to the client's mount options"),
	FOREIGN("tcp", "transports are chosen in nfs.conf, section [nfsd]"),
	FOREIGN("tls", "write xprtsec=tls"),
	FOREIGN("mtls", "write xprtsec=mtls"),
	FOREIGN("udp", "transports are chosen in nfs.conf, section [nfsd]"),
	FOREIGN("vers", "versions are chosen in nfs.conf, section [nfsd]"),
	FOREIGN("wsize", "it belongs to the client's mount options"),
	FOREIGN("zfs_snapdir", "only TrueNAS's kernel knows it"),
	FOREIGN("nozfs_snapdir", "only TrueNAS's kernel knows it"),
};

const char *options_name(size_t index)
{
	for (size_t i = 0; i < N_ELEMENTS(options_table); i++) {
		if (options_table[i].advice)
			continue;
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
static int wrong_value(struct option_reading *reading, const struct option *option,
		       const char *text, const char *value)
{
	if (!value)
		return option_fault(reading, 0, "option '%s' needs a value: %s=...", option->name,
				    option->name);
	if (option->flag == EXPORT_READONLY)
		return option_fault(reading, 0,
				    "option '%" OPTION_SHOWN
				    "': ro and rw take no value; hosts are written as clients, "
				    "host(ro) other(rw)",
				    text);
	return option_fault(reading, 0, "option '%.*s' takes no value", (int)(value - text - 1),
			    text);
}

/* What to write instead of what is no option by its form, and where in it that shows; or NULL. */
static const char *advice_on(const char *text, size_t *ret_offset)
{
	*ret_offset = 0;
	if (text[0] == '(')
		return "default options have no parentheses, as in -rw,sync";
	if (option_is_flavor_name(text))
		return "flavours are joined by colons, as in sec=sys:krb5";
	if (text[strspn(text, "0123456789-")] == '\0')
		return "lists of ids are written as squash_uids=1,squash_uids=5-9";
	*ret_offset = strcspn(text, ";:|");
	if (text[*ret_offset] && !strchr(text, '='))
		return "options are separated by commas";
	*ret_offset = strcspn(text, " \t");
	if (text[*ret_offset])
		return "no blank may stand before a comma or ')'";
	*ret_offset = 0;
	return NULL;
}

/* The option that was most likely meant, or NULL. One byte in three may be wrong. */
static const char *nearest_name(const char *word, size_t length)
{
	size_t best = length / 3 ? length / 3 + 1 : 2, distance;
	const char *nearest = NULL, *name;

	for (size_t i = 0; (name = options_name(i)); i++) {
		distance = typo_distance(word, length, name);
		if (distance < best) {
			best = distance;
			nearest = name;
		}
	}
	return nearest;
}

/* @foreign: its row, where it has one */
static int unknown_option(struct option_reading *reading, const struct option *foreign,
			  const char *text)
{
	const char *nearest, *advice;
	size_t offset = 0;

	if (text[0] == '\0')
		return option_fault(reading, 0, "empty option: a comma too many");
	advice = foreign ? foreign->advice : advice_on(text, &offset);
	if (advice)
		return option_fault(reading, offset, "unknown option '%" OPTION_SHOWN "': %s", text,
				    advice);
	nearest = nearest_name(text, strcspn(text, "="));
	return option_fault(reading, 0, "unknown option '%" OPTION_SHOWN "'%s%s%s", text,
			    nearest ? "; did you mean '" : "", nearest ?: "", nearest ? "'?" : "");
}

/* ---- lists ---- */

static int apply_option(struct option_reading *reading, const char *text)
{
	size_t length = strcspn(text, "=");
	const char *value = text[length] ? text + length + 1 : NULL;
	bool opposite;
	const struct option *option = find_option(text, length, &opposite);

	if (!option || option->advice)
		return unknown_option(reading, option, text);
	if ((value && option->value == VALUE_NONE) || (!value && option->value == VALUE_NEEDED))
		return wrong_value(reading, option, text, value);
	if (option->read)
		return option->read(reading, option, value);
	option_set_flags(reading, opposite ? 0 : option->flag, opposite ? option->flag : 0);
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
static int settle_flavors(struct option_reading *reading)
{
	struct export_options *options = reading->options;
	uint32_t shared = options->flags & ~EXPORT_PER_FLAVOR;

	if (!options->n_flavors)
		return 0;
	for (unsigned int i = 0; i < options->n_flavors; i++) {
		struct export_flavor *flavor = &reading->flavors[i];

		flavor->etab_flags |= shared;
		flavor->flags = (flavor->etab_flags & EXPORT_PER_FLAVOR) | shared;
	}
	/* Their padding is zero: equal ones are kept once, and the options stay equal bytes. */
	options->flavors = arena_intern_bytes(reading->arena, reading->flavors,
					      options->n_flavors * sizeof(reading->flavors[0]));
	return options->flavors ? 0 : -ENOMEM;
}

int options_apply(const struct option_list *list, struct exports_arena *arena, struct diags *diags,
		  struct export_options *options, uint32_t *fsid)
{
	struct option_reading reading = {
		.list = list, .arena = arena, .diags = diags, .options = options, .fsid = fsid
	};
	int result = 0, r;
	size_t end;

	memset(reading.flavors, 0, sizeof(reading.flavors));
	if (options->n_flavors)
		memcpy(reading.flavors, options->flavors,
		       options->n_flavors * sizeof(reading.flavors[0]));
	for (reading.at = list->begin; next_option(list, &reading.at, &end); reading.at = end + 1) {
		char behind = list->word->text[end];

		list->word->text[end] = '\0';
		r = apply_option(&reading, list->word->text + reading.at);
		list->word->text[end] = behind;
		if (r < 0)
			return r;
		if (r > 0)
			result = OPTIONS_FAULTY;
	}
	r = settle_flavors(&reading);
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
	for (size_t i = 0; i < N_ELEMENTS(options_table); i++)
		if (options_table[i].by_default)
			options->flags |= options_table[i].flag;
	options->anon_uid = OPTION_ANONYMOUS_ID;
	options->anon_gid = OPTION_ANONYMOUS_ID;
}

/* ---- printing ---- */

static void print_flag(struct option_printing *printing, const struct option *option,
		       uint32_t flags, bool shows_clear)
{
	if (flags & option->flag)
		option_begin(printing, option->name);
	else if (option->opposite && shows_clear)
		option_begin(printing, option->opposite);
}

static void print_option(struct option_printing *printing, const struct option *option)
{
	if (option->print)
		option->print(printing, option);
	else
		print_flag(printing, option, printing->options->flags,
			   !printing->is_listing || option->listed_clear);
}

/* With a kernel that lets fewer flags differ, the others are the entry's. */
static uint32_t flavor_flags(const struct option_printing *printing,
			     const struct export_flavor *flavor)
{
	return flavor->etab_flags | (printing->options->flags & ~printing->per_flavor);
}

/*
 * Flavours with the same flags, as long as they follow each other, are one sec= (secinfo_show()).
 */
static void print_sec(struct option_printing *printing, const struct option *option)
{
	const struct export_options *options = printing->options;
	const struct export_flavor sys = { .number = 1, .etab_flags = options->flags };
	const struct export_flavor *flavor = options->n_flavors ? options->flavors : &sys;
	const struct export_flavor *end = flavor + (options->n_flavors ?: 1);

	while (flavor < end) {
		uint32_t flags = flavor_flags(printing, flavor);

		option_begin(printing, option->name);
		for (char before = '='; flavor < end && flavor_flags(printing, flavor) == flags;
		     before = ':')
			fprintf(printing->to, "%c%s", before, option_flavor_name(flavor++));
		for (size_t i = 0; i < N_ELEMENTS(options_table); i++)
			if (options_table[i].flag & printing->per_flavor & EXPORT_PER_FLAVOR)
				print_flag(printing, &options_table[i], flags, true);
	}
}

void export_print_options(FILE *to, const struct export_options *options, uint32_t fsid,
			  uint32_t per_flavor)
{
	struct option_printing printing = {
		.options = options, .fsid = fsid, .per_flavor = per_flavor, .to = to
	};

	for (size_t i = 0; i < N_ELEMENTS(options_table); i++)
		if (!options_table[i].alias)
			print_option(&printing, &options_table[i]);
}

/* Print what is listed in this place among the flags, or among the other options. */
static bool list_option(struct option_printing *printing, bool has_value, unsigned int place)
{
	for (size_t i = 0; i < N_ELEMENTS(options_table); i++) {
		const struct option *option = &options_table[i];

		if (option->listed == place && (option->value != VALUE_NONE) == has_value) {
			print_option(printing, option);
			return true;
		}
	}
	return false;
}

void export_list_options(FILE *to, const struct export_options *options, uint32_t fsid,
			 uint32_t per_flavor)
{
	struct option_printing printing = {
		.options = options,
		.fsid = fsid,
		.per_flavor = per_flavor,
		.to = to,
		.is_listing = true,
	};

	for (unsigned int place = 1; list_option(&printing, false, place);)
		place++;
	for (unsigned int place = 1; list_option(&printing, true, place);)
		place++;
}

int export_print_etab(FILE *to, const char *path, const char *client,
		      const struct export_options *options, uint32_t fsid, uint32_t per_flavor)
{
	etab_put_pair(to, path, options->handler ? path : NULL, client);
	putc('(', to);
	export_print_options(to, options, fsid, per_flavor);
	fputs(")\n", to);
	return ferror(to) ? -EIO : 0;
}
