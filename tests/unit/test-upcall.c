/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The text of questions and answers, held against what rpc.mountd 2.6.2 was seen to write. */

#include <errno.h>

#include "exportsd/kernel/upcall.h"
#include "tests/tap.h"

static void questions(void)
{
	struct kernel_question question;
	char room[64];

	is_int(upcall_parse(KERNEL_IP, "nfsd 192.0.2.7", room, &question), 0, "an address");
	is_str(question.address, "192.0.2.7", "is kept as the kernel wrote it");
	is_int(upcall_parse(KERNEL_IP, "nlm 192.0.2.7", room, &question), UPCALL_MALFORMED,
	       "another class");
	is_int(upcall_parse(KERNEL_IP, "nfsd", room, &question), UPCALL_MALFORMED, "no address");

	is_int(upcall_parse(KERNEL_GID, "4242", room, &question), 0, "a user");
	is_int(question.uid, 4242, "by number");
	is_int(upcall_parse(KERNEL_GID, "x", room, &question), UPCALL_MALFORMED,
	       "a user that is no number");
	is_int(upcall_parse(KERNEL_GID, "4294967296", room, &question), UPCALL_MALFORMED,
	       "a user beyond 32 bits");

	is_int(upcall_parse(KERNEL_EXPORT, "*,@host\\040group /srv/with\\040space\\134x", room,
			    &question),
	       0, "a domain and a path, escaped");
	is_str(question.domain, "*,@host group", "the domain");
	is_str(question.path, "/srv/with space\\x", "the path");
	is_int(upcall_parse(KERNEL_EXPORT, "dom relative", room, &question), UPCALL_MALFORMED,
	       "a relative path");
	is_int(upcall_parse(KERNEL_EXPORT, "dom", room, &question), UPCALL_MALFORMED, "no path");

	is_int(upcall_parse(KERNEL_FH, "dom 1 \\x67000000", room, &question), 0,
	       "a handle with a number");
	is_int(kernel_fsid_number(&question.fsid), 103, "in host order");
	is_int(upcall_parse(KERNEL_FH, "dom 6 \\x00112233445566778899aabbccddeeff", room,
			    &question),
	       0, "a uuid");
	is_int(question.fsid.bytes[15], 0xff, "all of it");
	is_int(upcall_parse(KERNEL_FH, "dom 6 \\x0011", room, &question), UPCALL_MALFORMED,
	       "too short for its type");
	is_int(upcall_parse(KERNEL_FH, "dom 1 \\x6700000000", room, &question), UPCALL_MALFORMED,
	       "too long");
	is_int(upcall_parse(KERNEL_FH, "dom 8 \\x67000000", room, &question), UPCALL_MALFORMED,
	       "an unknown type");
	is_int(upcall_parse(KERNEL_FH, "dom 1 67000000", room, &question), UPCALL_MALFORMED,
	       "no hex");
	is_int(upcall_parse(KERNEL_FH, "", room, &question), UPCALL_MALFORMED, "nothing");
}

static void is_line(struct kernel_answer answer, const char *wanted, const char *what)
{
	char line[512];
	ssize_t length = upcall_format(&answer, line, sizeof(line));

	ok(length == (ssize_t)strlen(line), "%s: its length", what);
	is_str(line, wanted, what);
}

static void short_answers(void)
{
	const uint32_t groups[] = { 100, 4 };
	struct kernel_answer ip = { .about = { .cache = KERNEL_IP, .address = "192.0.2.7" },
				    .expiry = 1790000000 };
	struct kernel_answer gid = { .about = { .cache = KERNEL_GID, .uid = 4242 }, .expiry = 5 };
	struct kernel_answer fh = { .about = { .cache = KERNEL_FH,
					       .domain = "dom",
					       .fsid = kernel_fsid_of_number(0x67) },
				    .expiry = 9 };

	is_line(ip, "nfsd 192.0.2.7 1790000000 \n", "nobody");
	ip.domain = "*,@a b";
	is_line(ip, "nfsd 192.0.2.7 1790000000 *,@a\\040b \n", "a domain");
	is_line(gid, "4242 5 0 \n", "an unknown user");
	gid.about.uid = 0;
	gid.groups = groups;
	gid.n_groups = 2;
	is_line(gid, "0 5 2 100 4 \n", "groups");
	is_line(fh, "dom 1 \\x67000000 9 \n", "no such handle");
	fh.path = "/mnt/a b";
	is_line(fh, "dom 1 \\x67000000 9 /mnt/a\\040b \n", "a handle's path");
}

static void long_answers(void)
{
	static uint32_t groups[9000];
	static char line[UPCALL_ANSWER_MAX], text[UPCALL_ANSWER_MAX];
	struct kernel_answer answer = { .about = { .cache = KERNEL_GID },
					.groups = groups,
					.n_groups = N_ELEMENTS(groups) };
	ssize_t length = upcall_format(&answer, line, sizeof(line));

	for (size_t i = 0; i < N_ELEMENTS(groups); i++)
		groups[i] = UINT32_MAX;
	length = upcall_format(&answer, line, sizeof(line));
	ok(length > 0 && length < UPCALL_ANSWER_MAX && line[length - 1] == '\n',
	   "of too many groups those are told that fit");
	is_int(strtol(line + strlen("0 0 "), NULL, 10), (length - 9) / 11, "and so it is said");
	memset(text, 'a', sizeof(text) - 1);
	answer.about = (struct kernel_question){ .cache = KERNEL_IP, .address = text };
	is_int(upcall_format(&answer, line, sizeof(line)), -E2BIG, "a text that does not fit");
	memset(text, ' ', 10000);
	text[10000] = '\0';
	is_int(upcall_format(&answer, line, sizeof(line)), -E2BIG, "nor with its escapes");
}

static void exports(void)
{
	const struct export_options plain = { .flags = 1061, .anon_uid = 65534, .anon_gid = 65534 };
	static const struct export_flavor two[] = { { .number = 390005, .flags = 1056 },
						    { .number = 1, .flags = 1067 } };
	const struct export_options flavors = {
		.flags = 1067,
		.anon_uid = -2,
		.anon_gid = 65534,
		.n_flavors = 2,
		.flavors = two,
		.n_xprtsec = 2,
		.xprtsec = { 1, 4 },
	};
	const struct export_options refer = {
		.flags = 1061,
		.anon_uid = 65534,
		.anon_gid = 65534,
		.fsloc = EXPORT_FSLOC_REFER,
		.fsloc_text = "/x@srv1+srv2:/y@[2001:db8::5]:no:/z",
	};
	struct kernel_export export = { .options = &plain, .flags = 1061 };
	struct kernel_answer answer = {
		.about = { .cache = KERNEL_EXPORT, .domain = "192.0.2.0/24", .path = "/srv/a" },
		.expiry = 17,
	};

	is_line(answer, "192.0.2.0/24 /srv/a 17 \n", "a refused path");
	export.has_uuid = true;
	export.uuid[0] = 0x1c;
	answer.export = &export;
	is_line(answer,
		"192.0.2.0/24 /srv/a 17 1061 65534 65534 0 secinfo 1 1 1061 "
		"uuid \\x1c000000000000000000000000000000 \n",
		"an export with a uuid");
	export = (struct kernel_export){ .options = &flavors, .flags = 1067 };
	answer.about.domain = "*";
	answer.about.path = "/srv/b";
	is_line(answer, "* /srv/b 17 1067 -2 65534 0 secinfo 2 390005 1056 1 1067 xprtsec 2 1 4 \n",
		"flavours");
	/* A medium's: what is added to the flags is added to every flavour, or the kernel refuses it. */
	export = (struct kernel_export){ .options = &flavors,
					 .flags = 1067 | EXPORT_FSID,
					 .fsid = 70000 };
	answer.about.domain = "*";
	answer.about.path = "/srv/b";
	is_line(answer,
		"* /srv/b 17 9259 -2 65534 70000 secinfo 2 390005 9248 1 9259 xprtsec 2 1 4 \n",
		"flavours of a medium");
	export = (struct kernel_export){ .options = &refer, .flags = 1061, .fsid = 0x80000000u };
	answer.about.domain = "*";
	answer.about.path = "/srv/c";
	is_line(answer,
		"* /srv/c 17 1061 65534 65534 -2147483648 fsloc 2 srv1:srv2 /x [2001:db8::5] /y 1 "
		"secinfo 1 1 1061 \n",
		"a referral, less the entry without a host");
}

/* ---- what content files show ---- */

static void entries(void)
{
	static const struct {
		enum kernel_cache cache;
		const char *line;
	} others[] = {
		{ KERNEL_IP, "#class IP domain" },
		{ KERNEL_IP, "nlm 10.0.0.1 x" },
		{ KERNEL_IP, "nfsd 10.0.0.1" },
		{ KERNEL_IP, "" },
		{ KERNEL_EXPORT, "#path domain(flags)" },
		{ KERNEL_EXPORT, "/srv\tx" },
		{ KERNEL_EXPORT, "srv\tx(ro)" },
		{ KERNEL_EXPORT, "(" },
		{ KERNEL_FH, "#domain fsidtype fsid [path]" },
		{ KERNEL_FH, "x 1 0x0000000 /srv" },
		{ KERNEL_FH, "x 1 0x0000000g /srv" },
		{ KERNEL_FH, "x 9 0x00000001 /srv" },
		{ KERNEL_FH, "x 1" },
		{ KERNEL_GID, "#uid cnt: gids..." },
	};
	char line[128];
	struct kernel_entry entry;

	for (size_t i = 0; i < N_ELEMENTS(others); i++) {
		snprintf(line, sizeof(line), "%s", others[i].line);
		ok(upcall_parse_entry(others[i].cache, line, &entry) == UPCALL_MALFORMED,
		   "'%s' is no entry", others[i].line);
	}
	snprintf(line, sizeof(line), "/a\\134b\\040(deleted)\t@g\\040h(ro)");
	ok(upcall_parse_entry(KERNEL_EXPORT, line, &entry) == 0 &&
		   str_equal(entry.about.path, "/a\\b (deleted)") &&
		   str_equal(entry.about.domain, "@g h"),
	   "escapes are undone");
}

int main(void)
{
	questions();
	short_answers();
	long_answers();
	exports();
	entries();
	return tap_done();
}
