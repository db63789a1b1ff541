/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The text of questions and answers, held against what rpc.mountd 2.6.2 was seen to write. */

#include <errno.h>

#include "exportsd/kernel/upcall.h"
#include "tests/tap.h"

static void questions(void)
{
	struct upcall upcall;

	is_int(upcall_parse(KERNEL_IP, "nfsd 192.0.2.7", &upcall), 0, "an address");
	is_str(upcall.address, "192.0.2.7", "is kept as the kernel wrote it");
	upcall_done(&upcall);
	is_int(upcall_parse(KERNEL_IP, "nlm 192.0.2.7", &upcall), UPCALL_MALFORMED,
	       "another class");
	is_int(upcall_parse(KERNEL_IP, "nfsd", &upcall), UPCALL_MALFORMED, "no address");

	is_int(upcall_parse(KERNEL_GID, "4242", &upcall), 0, "a user");
	is_int(upcall.uid, 4242, "by number");
	upcall_done(&upcall);
	is_int(upcall_parse(KERNEL_GID, "x", &upcall), UPCALL_MALFORMED,
	       "a user that is no number");
	is_int(upcall_parse(KERNEL_GID, "4294967296", &upcall), UPCALL_MALFORMED,
	       "a user beyond 32 bits");

	is_int(upcall_parse(KERNEL_EXPORT, "*,@host\\040group /srv/with\\040space\\134x", &upcall),
	       0, "a domain and a path, escaped");
	is_str(upcall.domain, "*,@host group", "the domain");
	is_str(upcall.path, "/srv/with space\\x", "the path");
	upcall_done(&upcall);
	is_int(upcall_parse(KERNEL_EXPORT, "dom relative", &upcall), UPCALL_MALFORMED,
	       "a relative path");
	is_int(upcall_parse(KERNEL_EXPORT, "dom", &upcall), UPCALL_MALFORMED, "no path");

	is_int(upcall_parse(KERNEL_FH, "dom 1 \\x67000000", &upcall), 0, "a handle with a number");
	is_int(upcall_fsid_number(&upcall), 103, "in host order");
	upcall_done(&upcall);
	is_int(upcall_parse(KERNEL_FH, "dom 6 \\x00112233445566778899aabbccddeeff", &upcall), 0,
	       "a uuid");
	is_int(upcall.fsid[15], 0xff, "all of it");
	upcall_done(&upcall);
	is_int(upcall_parse(KERNEL_FH, "dom 6 \\x0011", &upcall), UPCALL_MALFORMED,
	       "too short for its type");
	is_int(upcall_parse(KERNEL_FH, "dom 1 \\x6700000000", &upcall), UPCALL_MALFORMED,
	       "too long");
	is_int(upcall_parse(KERNEL_FH, "dom 8 \\x67000000", &upcall), UPCALL_MALFORMED,
	       "an unknown type");
	is_int(upcall_parse(KERNEL_FH, "dom 1 67000000", &upcall), UPCALL_MALFORMED, "no hex");
	is_int(upcall_parse(KERNEL_FH, "", &upcall), UPCALL_MALFORMED, "nothing");
}

static void is_line(char *got, const char *wanted, const char *what)
{
	is_str(got, wanted, what);
	free(got);
}

static void short_answers(void)
{
	const uint32_t groups[] = { 100, 4 };
	struct upcall fh = { .domain = (char *)"dom", .fsid_type = FSID_NUM, .fsid = { 0x67 } };

	is_line(upcall_answer_ip("192.0.2.7", 1790000000, "*,@a b"),
		"nfsd 192.0.2.7 1790000000 *,@a\\040b \n", "a domain");
	is_line(upcall_answer_ip("192.0.2.7", 1790000000, NULL), "nfsd 192.0.2.7 1790000000 \n",
		"nobody");
	is_line(upcall_answer_gid(0, 5, groups, 2), "0 5 2 100 4 \n", "groups");
	is_line(upcall_answer_gid(4242, 5, NULL, 0), "4242 5 0 \n", "an unknown user");
	is_line(upcall_answer_fh(&fh, 9, "/mnt/a b"), "dom 1 \\x67000000 9 /mnt/a\\040b \n",
		"a handle's path");
	is_line(upcall_answer_fh(&fh, 9, NULL), "dom 1 \\x67000000 9 \n", "no such handle");
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
	struct upcall_export export = { .options = &plain, .flags = 1061 };

	is_line(upcall_answer_export("192.0.2.0/24", "/srv/a", 17, NULL),
		"192.0.2.0/24 /srv/a 17 \n", "a refused path");
	export.has_uuid = true;
	export.uuid[0] = 0x1c;
	is_line(upcall_answer_export("192.0.2.0/24", "/srv/a", 17, &export),
		"192.0.2.0/24 /srv/a 17 1061 65534 65534 0 secinfo 1 1 1061 "
		"uuid \\x1c000000000000000000000000000000 \n",
		"an export with a uuid");
	export = (struct upcall_export){ .options = &flavors, .flags = 1067 };
	is_line(upcall_answer_export("*", "/srv/b", 17, &export),
		"* /srv/b 17 1067 -2 65534 0 secinfo 2 390005 1056 1 1067 xprtsec 2 1 4 \n",
		"flavours");
	/* A medium's: what is added to the flags is added to every flavour, or the kernel refuses it. */
	export = (struct upcall_export){ .options = &flavors,
					 .flags = 1067 | EXPORT_FSID,
					 .fsid = 70000 };
	is_line(upcall_answer_export("*", "/srv/b", 17, &export),
		"* /srv/b 17 9259 -2 65534 70000 secinfo 2 390005 9248 1 9259 xprtsec 2 1 4 \n",
		"flavours of a medium");
	export = (struct upcall_export){ .options = &refer, .flags = 1061, .fsid = 0x80000000u };
	is_line(upcall_answer_export("*", "/srv/c", 17, &export),
		"* /srv/c 17 1061 65534 65534 -2147483648 fsloc 2 srv1:srv2 /x [2001:db8::5] /y 1 "
		"secinfo 1 1 1061 \n",
		"a referral, less the entry without a host");
}

int main(void)
{
	questions();
	short_answers();
	exports();
	return tap_done();
}
