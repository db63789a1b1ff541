/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-rootdir.c - paths, beneath a directory and not */

#include "exportsd/kernel/rootdir.h"
#include "parser/base.h"
#include "tests/tap.h"

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
	return tap_done();
}
