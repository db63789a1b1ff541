/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-rootdir.c - paths and the kernel's lines, beneath a directory and not */

#include "exportsd/kernel/rootdir.h"
#include "tests/tap.h"

static void answers(enum kernel_cache cache, const char *line, const char *wanted, const char *what)
{
	CLEANUP(freep) char *got = NULL;

	is_int(rootdir_answer("/nfs\\040root", cache, line, &got), 0, what);
	is_str(got, wanted, "  is what the kernel reads");
}

static void asks(enum kernel_cache cache, const char *line, const char *wanted, const char *what)
{
	CLEANUP(freep) char *got = NULL;

	is_int(rootdir_question("/nfs\\040root", cache, line, &got), wanted ? 0 : ROOTDIR_OUTSIDE,
	       what);
	is_str(got, wanted, "  is what is asked");
}

static void joins(const char *rootdir, const char *path, const char *wanted)
{
	CLEANUP(freep) char *got = rootdir_join(rootdir, path);

	is_str(got, wanted, path);
}

int main(void)
{
	is_str(rootdir_strip(NULL, "/srv"), "/srv", "no rootdir");
	is_str(rootdir_strip("/nfs", "/nfs/srv"), "/srv", "beneath");
	is_str(rootdir_strip("/nfs", "/nfs"), "/", "itself");
	is_str(rootdir_strip("/nfs", "/nfsroot"), NULL, "another directory");
	is_str(rootdir_strip("/nfs", "/"), NULL, "above");
	joins(NULL, "/srv", "/srv");
	joins("/nfs", "/srv/a", "/nfs/srv/a");
	joins("/nfs", "/", "/nfs");

	answers(KERNEL_EXPORT, "* /srv/a 12 1 2 3 4 \n", "* /nfs\\040root/srv/a 12 1 2 3 4 \n",
		"an export");
	answers(KERNEL_EXPORT, "* / 12 \n", "* /nfs\\040root 12 \n", "the root");
	answers(KERNEL_EXPORT, "* /proc/self/fd/7/. 12 \n", "* /proc/self/fd/7/. 12 \n",
		"a descriptor");
	answers(KERNEL_FH, "* 1 \\x07 12 /srv/a \n", "* 1 \\x07 12 /nfs\\040root/srv/a \n",
		"a handle");
	answers(KERNEL_FH, "* 1 \\x07 12 \n", "* 1 \\x07 12 \n", "no handle");
	answers(KERNEL_IP, "nfsd 192.0.2.1 12 /odd \n", "nfsd 192.0.2.1 12 /odd \n", "an address");
	asks(KERNEL_EXPORT, "* /nfs\\040root/srv/a", "* /srv/a", "a path beneath");
	asks(KERNEL_EXPORT, "* /nfs\\040root", "* /", "the directory itself");
	asks(KERNEL_EXPORT, "* /nfs\\040rooted/a", NULL, "a path that only begins alike");
	asks(KERNEL_EXPORT, "* /", NULL, "a path above");
	asks(KERNEL_FH, "* 1 \\x07", "* 1 \\x07", "a handle's question has no path");
	asks(KERNEL_IP, "nfsd 192.0.2.1", "nfsd 192.0.2.1", "nor has an address'");
	return tap_done();
}
