/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-options.c - the option table: every option read, printed, and what lists of them come to. */

#include "parser/options.h"
#include "parser/typo.h"
#include "tests/tap.h"

/* The kernel's numbers of all flags: linux include/uapi/linux/nfsd/export.h, NFSEXP_*. */
enum {
	EXPORT_ASYNC = 0x10,
	EXPORT_GATHERED_WRITES = 0x20,
	EXPORT_NOREADDIRPLUS = 0x40,
	EXPORT_SECURITY_LABEL = 0x80,
	EXPORT_NOAUTHNLM = 0x800,
	EXPORT_NOACL = 0x8000,
	EXPORT_PNFS = 0x20000,
	EXPORT_DEFAULTS = EXPORT_READONLY | EXPORT_ROOTSQUASH | EXPORT_GATHERED_WRITES |
			  EXPORT_NOSUBTREECHECK,
};

struct applied {
	struct export_options options;
	uint32_t fsid;
	struct exports_arena *arena;
	struct diags diags;
	int result;
};

/* A list on top of what was there; its text is the word, from byte 0 on. */
static void apply_more(struct applied *applied, const char *text)
{
	CLEANUP(freep) char *copy = strdup(text);
	struct lexer lexer = { .file = "f", .text = text, .length = strlen(text) };
	struct lex_word word = { .text = copy, .length = strlen(text), .line = 1 };
	struct option_list list = { .lexer = &lexer, .word = &word, .end = word.length };

	applied->result = options_apply(&list, applied->arena, &applied->diags, &applied->options,
					&applied->fsid);
}

static struct applied apply(const char *text)
{
	struct applied applied = { .arena = arena_new() };

	options_init(&applied.options);
	apply_more(&applied, text);
	return applied;
}

static void done(struct applied *applied)
{
	diags_done(&applied->diags);
	applied->arena = arena_free(applied->arena);
}

static char *printed(const struct applied *applied, uint32_t per_flavor)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	export_print_options(to, &applied->options, applied->fsid, per_flavor);
	fclose(to);
	return text;
}

static const struct {
	const char *list;
	uint32_t flags;
} flag_lists[] = {
	{ "", EXPORT_DEFAULTS },
	{ "ro,rw", EXPORT_DEFAULTS & ~EXPORT_READONLY },
	{ "rw,ro", EXPORT_DEFAULTS },
	{ "async", EXPORT_DEFAULTS | EXPORT_ASYNC },
	{ "async,sync", EXPORT_DEFAULTS },
	{ "no_wdelay", EXPORT_DEFAULTS & ~EXPORT_GATHERED_WRITES },
	{ "no_wdelay,wdelay", EXPORT_DEFAULTS },
	{ "nohide", EXPORT_DEFAULTS | EXPORT_NOHIDE },
	{ "nohide,hide", EXPORT_DEFAULTS },
	{ "crossmnt", EXPORT_DEFAULTS | EXPORT_CROSSMOUNT },
	{ "crossmnt,nocrossmnt", EXPORT_DEFAULTS },
	{ "insecure", EXPORT_DEFAULTS | EXPORT_INSECURE_PORT },
	{ "insecure,secure", EXPORT_DEFAULTS },
	{ "no_root_squash", EXPORT_DEFAULTS & ~EXPORT_ROOTSQUASH },
	{ "no_root_squash,root_squash", EXPORT_DEFAULTS },
	{ "all_squash", EXPORT_DEFAULTS | EXPORT_ALLSQUASH },
	{ "all_squash,no_all_squash", EXPORT_DEFAULTS },
	{ "subtree_check", EXPORT_DEFAULTS & ~EXPORT_NOSUBTREECHECK },
	{ "subtree_check,no_subtree_check", EXPORT_DEFAULTS },
	{ "insecure_locks", EXPORT_DEFAULTS | EXPORT_NOAUTHNLM },
	{ "no_auth_nlm", EXPORT_DEFAULTS | EXPORT_NOAUTHNLM },
	{ "no_auth_nlm,secure_locks", EXPORT_DEFAULTS },
	{ "insecure_locks,auth_nlm", EXPORT_DEFAULTS },
	{ "no_acl", EXPORT_DEFAULTS | EXPORT_NOACL },
	{ "no_acl,acl", EXPORT_DEFAULTS },
	{ "nordirplus", EXPORT_DEFAULTS | EXPORT_NOREADDIRPLUS },
	{ "security_label", EXPORT_DEFAULTS | EXPORT_SECURITY_LABEL },
	{ "pnfs", EXPORT_DEFAULTS | EXPORT_PNFS },
	{ "pnfs,no_pnfs", EXPORT_DEFAULTS },
	{ "fsid=5", EXPORT_DEFAULTS | EXPORT_FSID },
	{ "fsid=3f2c1b4a-0d9e-4c55-8a77-9b1c2d3e4f50", EXPORT_DEFAULTS },
	{ "fsid=@h", EXPORT_DEFAULTS },
	{ " rw, \tasync,", (EXPORT_DEFAULTS | EXPORT_ASYNC) & ~EXPORT_READONLY },
};

static void test_flags(void)
{
	for (size_t i = 0; i < N_ELEMENTS(flag_lists); i++) {
		struct applied applied = apply(flag_lists[i].list);

		ok(applied.result == 0 && applied.options.flags == flag_lists[i].flags,
		   "'%s' gives flags 0x%x", flag_lists[i].list, applied.options.flags);
		done(&applied);
	}
}

/* Every name of the table is known, alone or with some value, and reads back from print. */
static void test_every_name(void)
{
	static const struct {
		const char *name, *value;
	} values[] = {
		{ "fsid", "7" },	  { "reexport", "auto-fsidnum" },
		{ "refer", "/a@b" },	  { "replicas", "/a@b" },
		{ "squash_uids", "1-2" }, { "squash_gids", "3" },
		{ "anonuid", "8" },	  { "anongid", "9" },
		{ "sec", "krb5:sys" },	  { "xprtsec", "mtls:tls" },
	};
	const char *name;
	size_t n = 0;

	for (; (name = options_name(n)); n++) {
		const char *value = NULL;
		char list[64];
		struct applied applied, again;
		CLEANUP(freep) char *first = NULL, *second = NULL;

		for (size_t i = 0; i < N_ELEMENTS(values); i++) {
			if (str_equal(values[i].name, name))
				value = values[i].value;
		}
		snprintf(list, sizeof(list), value ? "%s=%s" : "%s", name, value);
		applied = apply(list);
		first = printed(&applied, EXPORT_PER_FLAVOR);
		again = apply(first);
		second = printed(&again, EXPORT_PER_FLAVOR);
		ok(applied.result == 0 && again.result == 0,
		   "'%s' is read, and so is what it prints", list);
		is_str(second, first, "which is the same again");
		done(&applied);
		done(&again);
		for (size_t i = 0; i < n; i++)
			ok(!str_equal(options_name(i), name), "'%s' is there once", name);
	}
	ok(n >= 40, "%zu names", n);
}

static void test_values(void)
{
	struct applied a =
		apply("fsid=0x10,anonuid=-2,anongid=4294967294,mp=/x,refer=/a@b,replicas=/c@d,"
		      "reexport=none");

	is_int(a.fsid, 16, "fsid in hex");
	is_int(a.options.anon_uid, -2, "anonuid");
	is_int(a.options.anon_gid, -2, "anongid wraps");
	is_str(a.options.mountpoint, "/x", "mountpoint");
	is_int(a.options.fsloc, EXPORT_FSLOC_REPLICAS, "the last of refer and replicas");
	is_str(a.options.fsloc_text, "/c@d", "with its text");
	is_int(a.options.reexport, EXPORT_REEXPORT_NONE, "reexport");
	apply_more(&a, "mountpoint,fsid=/run/h,squash_uids=5");
	is_str(a.options.mountpoint, "", "mountpoint without a value");
	is_str(a.options.handler, "/run/h", "a handler");
	ok(!(a.options.flags & EXPORT_FSID), "takes the place of the defaults' number");
	apply_more(&a, "fsid=9,squash_uids=7-9");
	ok(!a.options.handler && a.fsid == 9, "and a number that of a handler");
	is_str(a.options.squash_uids, "5,7-9", "ids are collected");
	is_int((long long)a.diags.n_warnings, 0, "without a warning");
	done(&a);

	a = apply("fsid=3f2c1b4a-0d9e-4c55-8a77-9b1c2d3e4f50");
	is_str(a.options.uuid, "3f2c1b4a-0d9e-4c55-8a77-9b1c2d3e4f50", "a UUID");
	is_int(a.fsid, 3, "leaves its leading digits");
	apply_more(&a, "fsid=7");
	is_int(a.fsid, 3, "which count even against a number");
	is_int((long long)a.diags.n_warnings, 1, "with a warning");
	done(&a);
}

static void test_flavors(void)
{
	struct applied a = apply("all_squash,sec=krb5p,rw,sec=sys:krb5p:unix,ro,insecure,nohide");
	const struct export_flavor *flavors = a.options.flavors;
	CLEANUP(freep) char *old = NULL, *new = NULL;

	is_int(a.options.n_flavors, 2, "each flavour once");
	ok(flavors[0].number == 390005 && flavors[1].number == 1, "in the order they came");
	ok((flavors[0].flags & EXPORT_PER_FLAVOR) ==
		   (EXPORT_READONLY | EXPORT_ROOTSQUASH | EXPORT_ALLSQUASH | EXPORT_INSECURE_PORT),
	   "options change the flavours of the last sec=");
	ok(flavors[0].flags & EXPORT_NOHIDE, "and what may not differ is the entry's");
	apply_more(&a, "rw,hide,secure");
	ok(flavors[0].flags & EXPORT_READONLY && flavors[0].flags & EXPORT_INSECURE_PORT,
	   "a further list does not reach them");
	ok(!(a.options.flavors[0].flags & EXPORT_NOHIDE), "but in what may not differ");
	done(&a);

	a = apply("rw,sec=krb5,sec=sys,insecure");
	old = printed(&a, 0xd);
	new = printed(&a, 0xf);
	ok(strstr(old, ",sec=krb5:sys,rw,root_squash,no_all_squash"),
	   "flavours alike in what the kernel tells apart are printed together");
	ok(strstr(new, ",sec=krb5,rw,secure,root_squash,no_all_squash,sec=sys,rw,insecure,"),
	   "others on their own");
	done(&a);
}

/* What exportfs -v shows of a list, between the parentheses (utils/exportfs/exportfs.c dump()). */
static const struct {
	const char *list, *listed;
} listings[] = {
	{ "", "sync,wdelay,hide,no_subtree_check,sec=sys,ro,secure,root_squash,no_all_squash" },
	{ "rw,async,no_wdelay,nohide,crossmnt,insecure,no_root_squash,all_squash,subtree_check,"
	  "no_auth_nlm,no_acl,nordirplus,security_label,pnfs",
	  "async,no_wdelay,nohide,crossmnt,insecure_locks,nordirplus,security_label,no_acl,pnfs,"
	  "sec=sys,rw,insecure,no_root_squash,all_squash" },
	{ "refer=/a b@c,replicas=/d e@f,anongid=7,anonuid=6,squash_uids=1-2,mp=/g h,reexport=auto-fsidnum",
	  "sync,wdelay,hide,no_subtree_check,reexport=auto-fsidnum,mountpoint=/g h,anonuid=6,"
	  "anongid=7,replicas=/d e@f,sec=sys,ro,secure,root_squash,no_all_squash" },
	{ "fsid=4294967295,mountpoint,anonuid=65534,sec=krb5p:null,rw,xprtsec=mtls:none",
	  "sync,wdelay,hide,no_subtree_check,fsid=-1,mountpoint,"
	  "sec=krb5p:null,rw,secure,root_squash,no_all_squash,xprtsec=mtls:none" },
};

static void test_listing(void)
{
	for (size_t i = 0; i < N_ELEMENTS(listings); i++) {
		struct applied applied = apply(listings[i].list);
		CLEANUP(freep) char *text = NULL;
		size_t size = 0;
		FILE *to = open_memstream(&text, &size);

		export_list_options(to, &applied.options, applied.fsid, EXPORT_PER_FLAVOR);
		fclose(to);
		is_str(text, listings[i].listed, listings[i].list);
		done(&applied);
	}
}

static void test_typos(void)
{
	char longer[TYPO_WORD_MAX + 2];

	is_int((long long)typo_distance("rw", 2, "rw"), 0, "the same word");
	is_int((long long)typo_distance("RW,ro", 2, "rw"), 0, "but for case, and as long as said");
	is_int((long long)typo_distance("no_acll", 7, "no_acl"), 1, "a byte too many");
	is_int((long long)typo_distance("no_cl", 5, "no_acl"), 1, "a byte too few");
	is_int((long long)typo_distance("xnyc", 4, "sync"), 2, "a wrong byte and two swapped");
	is_int((long long)typo_distance("", 0, "sync"), 4, "nothing");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ok(typo_distance(longer, TYPO_WORD_MAX, "sync") == TYPO_WORD_MAX, "the longest word");
	ok(typo_distance(longer, TYPO_WORD_MAX + 1, "sync") == SIZE_MAX &&
		   typo_distance("sync", 4, longer) == SIZE_MAX,
	   "a longer one is no word");
}

/* Lists with one fault each, and the column it must be told at. */
static const struct {
	const char *list;
	unsigned int column;
	const char *text; /* part of the message */
} faults[] = {
	{ "rw,rwx", 4, "did you mean 'rw'" },
	{ "no_root_sqaush", 1, "did you mean 'no_root_squash'" },
	{ "NO_ROOT_SQUASH", 1, "did you mean 'no_root_squash'" },
	{ "completely_else", 1, "unknown option 'completely_else'" },
	{ "rw,,ro", 4, "empty option" },
	{ "maproot=0", 1, "anonuid=" },
	{ "ro=host", 1, "clients" },
	{ "sync=1", 1, "no value" },
	{ "anonuid", 1, "needs a value" },
	{ "rw,anonuid=x", 12, "no number" },
	{ "rw,sec=sys:krb6", 12, "krb6" },
	{ "sec=sys,krb5", 9, "colons" },
	{ "xprtsec=tls:", 13, "empty name" },
	{ "fsid=cdrom", 6, "no UUID" },
	{ "fsid=run/x", 6, "whole path" },
	{ "rw;ro", 3, "commas" },
	{ "rw ,ro", 3, "blank" },
	{ "reexport=x", 10, "auto-fsidnum" },
	{ "reexport=none,fsid=1", 15, "before reexport=" },
	{ "reexport=none,reexport=none", 15, "once" },
	{ "fsid=1,fsid=/h", 8, "handler gives the numbers" },
	{ "fsid=/h,fsid=1", 9, "handler" },
	{ "squash_uids=1-0x9", 1, "one id" },
	{ "mp=/a)", 1, "')'" },
};

static void test_faults(void)
{
	for (size_t i = 0; i < N_ELEMENTS(faults); i++) {
		struct applied a = apply(faults[i].list);
		const struct diag *diag = a.diags.items;

		is_int((long long)a.diags.n_errors, 1, faults[i].list);
		is_int(a.result, OPTIONS_FAULTY, "is faulty");
		ok(diag->column == faults[i].column && strstr(diag->text, faults[i].text), "%u: %s",
		   diag->column, diag->text);
		done(&a);
	}
}

static void test_all_faults(void)
{
	struct applied a = apply("bogus,rw,fsid=x,async,sec=,insecure");

	is_int((long long)a.diags.n_errors, 3, "every fault of a list is told");
	ok(a.options.flags & EXPORT_ASYNC && a.options.flags & EXPORT_INSECURE_PORT &&
		   !(a.options.flags & EXPORT_READONLY),
	   "and what is right is applied");
	done(&a);
}

static void test_limit(const char *name, size_t max)
{
	for (size_t more = 0; more < 2; more++) {
		size_t length = strlen(name);
		CLEANUP(freep) char *list = malloc(length + max + 2);
		struct applied a;

		memset(list, '1', length + max + 1);
		memcpy(list, name, length);
		list[length] = '/';
		list[length + max + more] = '\0';
		a = apply(list);
		is_int(a.result, more ? OPTIONS_FAULTY : 0, name);
		done(&a);
	}
}

static void test_squash_limit(void)
{
	struct applied a = apply("squash_uids=1000000000-1000000001");
	int n = 1;

	while (a.result == 0 && n++ < 1000)
		apply_more(&a, "squash_uids=1000000000-1000000001");
	ok(n < 30 && strlen(a.options.squash_uids) <= 512, "squash_uids= takes %d ranges", n);
	done(&a);
}

static void test_find(void)
{
	static const char text[] = "fsid=1,fsidx=2, fsid=3,mp";
	CLEANUP(freep) char *copy = strdup(text);
	struct lex_word word = { .text = copy, .length = strlen(text) };
	struct option_list list = { .word = &word, .end = word.length };
	size_t index = 0;

	ok(options_find(&list, "fsid", &index) && index == 16, "the last one is found");
	ok(options_find(&list, "mp", &index) && index == 23, "one without a value, too");
	ok(!options_find(&list, "fsi", &index), "and no other");
}

int main(void)
{
	test_flags();
	test_every_name();
	test_values();
	test_flavors();
	test_faults();
	test_all_faults();
	test_limit("mp=", 1024);
	test_limit("refer=", 8192);
	test_squash_limit();
	test_listing();
	test_typos();
	test_find();
	return tap_done();
}
