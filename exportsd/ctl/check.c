/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * check.c - exportsctl check: read exports files as the daemon would, without one.
 *
 * Plain checking asks nobody: paths and host names count as written. With
 * --etab the file system and the name service are asked here and now, as exportfs(8) does,
 * and what does not resolve is left out with a warning.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "exportsd/config/config.h"
#include "exportsd/ctl/check_media.h"
#include "exportsd/exports/facts_now.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/kernel/tls.h"
#include "parser/snapshot/snapshot.h"

/* ---- what the file system and the name service say ---- */

static const char *no_real_path(void *userdata, const char *path)
{
	return NULL;
}

/* Taken as resolved, so that nobody is told about what was not asked. */
static bool any_host(void *userdata, const char *name, const char **ret_canonical,
		     const struct address **ret_addresses, size_t *ret_n_addresses)
{
	*ret_canonical = name;
	*ret_addresses = NULL;
	*ret_n_addresses = 0;
	return true;
}

/* ---- what is to be read ---- */

/* In the order given. */
struct reading {
	const char *const *files, *const *directories;
	size_t n_files, n_directories;
	const char **sorted; /* arguments: the files among them, then the directories; or */
	struct config *config; /* whose lists they are */
};

static size_t count(const char *const *strings)
{
	size_t n = 0;

	while (strings[n])
		n++;
	return n;
}

static bool is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* A directory among the arguments stands for its *.exports files. */
static int use_arguments(struct reading *reading, char *const *arguments)
{
	size_t n = 0;

	reading->sorted =
		calloc(count((const char *const *)arguments) + 1, sizeof(*reading->sorted));
	if (!reading->sorted)
		return -ENOMEM;
	for (size_t i = 0; arguments[i]; i++)
		if (!is_directory(arguments[i]))
			reading->sorted[n++] = arguments[i];
	reading->n_files = n;
	for (size_t i = 0; arguments[i]; i++)
		if (is_directory(arguments[i]))
			reading->sorted[n++] = arguments[i];
	reading->files = reading->sorted;
	reading->directories = reading->sorted + reading->n_files;
	reading->n_directories = n - reading->n_files;
	return 0;
}

/* What the daemon reads. A fault in its configuration is a fault. */
static int use_config(struct reading *reading, const char *file, struct diags *diags)
{
	int r = config_load(file ?: "/etc/exportsd.conf", !file, diags, &reading->config);

	if (r != 0)
		return r < 0 ? r : 0;
	reading->files = (const char *const *)reading->config->exports_files;
	reading->n_files = count(reading->files);
	reading->directories = (const char *const *)reading->config->exports_directories;
	reading->n_directories = count(reading->directories);
	return 0;
}

static void reading_done(struct reading *reading)
{
	free(reading->sorted);
	config_free(reading->config);
}

/* ---- checking ---- */

static int make_snapshot(const struct reading *reading, bool ask, struct diags *diags,
			 struct snapshot **ret_snapshot)
{
	struct facts_now asked;
	struct snapshot_facts facts = facts_now_init(&asked);
	struct exports_source *source = NULL;
	int r = exports_read_files(reading->files, reading->n_files, reading->directories,
				   reading->n_directories, diags, &source);

	if (!ask) {
		facts.real_path = no_real_path;
		facts.host = any_host;
	}
	if (r == 0)
		r = snapshot_new(source, &facts, ask, diags, ret_snapshot);
	if (r == 0 && tls_is_wanted(*ret_snapshot) && kernel_lacks_tls("/proc"))
		tls_advise(*ret_snapshot, diags);
	facts_now_done(&asked);
	return r;
}

static void print_count(size_t n, const char *one, const char *many, const char *behind)
{
	printf("%zu %s%s", n, n == 1 ? one : many, behind);
}

static void print_summary(const struct diags *diags, const struct snapshot *snapshot)
{
	size_t n_rules = snapshot ? snapshot_n_rules(snapshot) : 0;
	size_t n_exports = snapshot ? snapshot_n_exports(snapshot) : 0;

	print_count(n_exports, "export", "exports", ", ");
	print_count(n_rules, "wildcard rule", "wildcard rules", ": ");
	print_count(diags->n_errors, "error", "errors", ", ");
	print_count(diags->n_warnings, "warning", "warnings", "\n");
}

static int check(const struct ctl_invocation *invocation, struct reading *reading,
		 struct diags *diags)
{
	bool etab = ctl_option(invocation, "etab");
	struct snapshot *snapshot = NULL;
	int r = *invocation->arguments ? use_arguments(reading, invocation->arguments)
				       : use_config(reading, invocation->config_file, diags);

	if (r == 0)
		r = make_snapshot(reading, etab, diags, &snapshot);
	if (r < 0 || diags->out_of_memory) {
		snapshot_free(snapshot);
		return r < 0 ? r : -ENOMEM;
	}
	diags_print(diags, stderr, isatty(STDERR_FILENO));
	if (etab)
		r = snapshot_print_etab(snapshot, stdout, kernel_read_per_flavor_flags("/proc"));
	else
		print_summary(diags, snapshot);
	snapshot_free(snapshot);
	return r;
}

static int check_files(const struct ctl_invocation *invocation)
{
	struct reading reading = { 0 };
	struct diags diags = { 0 };
	int r = check(invocation, &reading, &diags);

	if (r == 0 && fflush(stdout) != 0)
		r = -errno;
	if (r < 0)
		complain("check: %s", strerror(-r));
	if (r == 0 && diags.n_errors)
		r = 1;
	reading_done(&reading);
	diags_done(&diags);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct ctl_invocation *invocation)
{
	return ctl_option(invocation, "media") ? check_media(invocation) : check_files(invocation);
}

const struct ctl_command ctl_check = {
	.name = "check",
	.usage = "[--etab | --media] [FILE...]",
	.summary = "read exports files, and report every fault",
	.max = CTL_ANY_NUMBER,
	.options = { { "etab", .summary = "print the exports in etab's form" },
		     { "media", .summary = "try file handles instead of reading files" } },
	.run = run,
};
