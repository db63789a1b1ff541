/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-kernel-tls.c - what becomes of xprtsec= on kernels that know it, and on those that do not.
 *
 * proc.c is part of this file, so that each write(2) to nfsd.export's channel is the test's.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a kernel says to a line that has a bad number behind xprtsec and a path that cannot be exported. */
static int trial_error;
static unsigned int n_trials, n_lines;

static ssize_t fake_write(int fd, const void *bytes, size_t n)
{
	if (memmem(bytes, n, "xprtsec 1 99", 12)) {
		n_trials++;
		errno = trial_error;
		return trial_error ? -1 : (ssize_t)n;
	}
	n_lines += memmem(bytes, n, "/srv", 4) != NULL;
	return (ssize_t)n;
}

#define write(fd, bytes, n) fake_write(fd, bytes, n)
#include "exportsd/kernel/proc.c" /* NOLINT(bugprone-suspicious-include) */
#undef write

#include "exportsd/kernel/tls.h"
#include "tests/fake/facts.h"
#include "tests/tap.h"

static char directory[] = "/tmp/test-kernel-tls-XXXXXX";

static const char *const names[] = { "/net", "/net/rpc", "/net/rpc/auth.unix.ip",
				     "/net/rpc/nfsd.export" };

static void make_proc(void)
{
	char path[128];

	if (!mkdtemp(directory))
		abort();
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		snprintf(path, sizeof(path), "%s%s", directory, names[i]);
		if (mkdir(path, 0700) < 0)
			abort();
		snprintf(path, sizeof(path), "%s%s/channel", directory, names[i]);
		if (i >= 2)
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
}

static void remove_proc(void)
{
	char path[128];

	for (size_t i = N_ELEMENTS(names); i-- > 0;) {
		snprintf(path, sizeof(path), "%s%s/channel", directory, names[i]);
		(void)unlink(path);
		snprintf(path, sizeof(path), "%s%s", directory, names[i]);
		(void)rmdir(path);
	}
	(void)rmdir(directory);
}

static struct kernel *open_kernel(int error)
{
	struct kernel *kernel;

	trial_error = error;
	n_trials = n_lines = 0;
	if (kernel_open_for_trials(&kernel, directory) < 0 || !kernel_is_open(kernel))
		abort();
	return kernel;
}

static const struct export_options plain = { .flags = 1061 },
				   refers = { .flags = 1061,
					      .fsloc = EXPORT_FSLOC_REFER,
					      .fsloc_text = "/srv@xprtsec" },
				   tls = { .n_xprtsec = 1, .xprtsec = { 2 } },
				   either = { .n_xprtsec = 2, .xprtsec = { 2, 4 } },
				   any = { .n_xprtsec = 2, .xprtsec = { 2, 1 } };

/* @options: NULL: a "no" */
static int answer(struct kernel *kernel, const char *path, const struct export_options *options)
{
	const struct kernel_export export = { .options = options };

	return kernel_answer(
		kernel, &(struct kernel_answer){
				.about = { .cache = KERNEL_EXPORT, .domain = "*", .path = path },
				.expiry = 17,
				.export = options ? &export : NULL });
}

static void test_known(void)
{
	struct kernel *kernel = open_kernel(EINVAL);

	is_int(answer(kernel, "/srv/a", &either), 0, "a kernel that knows TLS is told");
	is_int(answer(kernel, "/srv/a", &tls), 0, "also a second time");
	is_int(n_lines, 2, "both lines were written");
	is_int(n_trials, 1, "one trial is enough");
	kernel_close(kernel);
}

/* @error: what the trial ends with; 0: the kernel takes it */
static void test_unknown(int error)
{
	struct kernel *kernel = open_kernel(error);

	is_int(answer(kernel, "/srv/a", &plain), 0, "what does not speak of TLS is told");
	is_int(answer(kernel, "/srv/xprtsec", NULL), 0, "also a path of that name");
	is_int(answer(kernel, "/srv/a", &refers), 0, "or a host");
	is_int(n_trials, 0, "nothing was tried for that");
	is_int(answer(kernel, "/srv/a", &tls), -EPROTONOSUPPORT, "TLS only: not told");
	is_int(answer(kernel, "/srv/a", &either), -EPROTONOSUPPORT, "nor either kind of it");
	is_int(answer(kernel, "/srv/a", &any), 0, "with none beside it: told");
	is_int(answer(kernel, "/srv/a", NULL), 0, "a no is told");
	is_int(n_lines, 5, "nothing else was written");
	kernel_close(kernel);
}

static const char exports[] = "/srv/a x(xprtsec=tls:mtls)\n"
			      "/srv/b x(xprtsec=none:tls) y(ro) z(xprtsec=mtls)\n";

static void test_advice(void)
{
	struct diags diags = { 0 };
	struct facts facts = { 0 };
	struct snapshot *snapshot = facts_snapshot(&facts, exports, false, &diags);
	struct snapshot *other =
		facts_snapshot(&facts, "/srv/b x(xprtsec=none:tls)", false, &diags);

	diags_done(&diags);
	ok(tls_is_wanted(snapshot), "an export wants TLS");
	ok(!tls_is_wanted(other), "one that may do without does not");
	tls_advise(snapshot, &diags);
	is_int((long long)diags.n_warnings, 2, "each is told that it cannot be had");
	is_int((long long)diags.n_errors, 0, "which is no fault of the file");
	ok(diags.items[0].line == 1 && diags.items[1].line == 2, "where they are");
	is_int(diags.items[1].column, 34, "in the line, too");
	ok(strstr(diags.items[1].text, "client 'z': xprtsec= asks for TLS"), "who and why");
	diags_done(&diags);
	snapshot_free(snapshot);
	snapshot_free(other);
}

static void test_here(void)
{
	trial_error = ENOTDIR;
	ok(kernel_lacks_tls(directory), "here it is known to lack");
	trial_error = EINVAL;
	ok(!kernel_lacks_tls(directory), "or not to");
	ok(!kernel_lacks_tls("/nonexistent"), "without nfsd nothing is known");
}

int main(void)
{
	make_proc();
	test_known();
	test_unknown(ENOTDIR);
	test_unknown(ENOENT);
	test_unknown(0);
	test_advice();
	test_here();
	remove_proc();
	return tap_done();
}
