/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * exportfs(8): the command line of nfs-utils' exportfs, for exportsd.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "exportsd/exportfs/private.h"

/* One run that changes exports at a time, nfs-utils' among them (EXP_LOCKFILE). */
static const char lock_file[] = "/var/lib/nfs/export-lock";

struct arguments {
	bool all, flush, ignore_files, reexport, unexport;
	char *options;
};

static int usage(const char *program, int exit_code)
{
	fprintf(stderr, "usage: %s [-adfhioruvs] [host:/path]\n", program);
	return exit_code;
}

/* Returns 0, or the exit code plus one. */
static int parse_options(struct exportfs *exportfs, int argc, char **argv,
			 struct arguments *arguments)
{
	int option;

	while ((option = getopt(argc, argv, "ad:fhio:ruvs")) != -1) {
		switch (option) {
		case 'a': arguments->all = true; break;
		case 'd': break; /* nothing more is to be said */
		case 'f': arguments->flush = true; break;
		case 'h': return usage(exportfs->program, EXIT_SUCCESS) + 1;
		case 'i': arguments->ignore_files = true; break;
		case 'o': arguments->options = optarg; break;
		case 'r': arguments->reexport = arguments->all = true; break;
		case 'u': arguments->unexport = true; break;
		case 'v': exportfs->verbose = true; break;
		case 's': exportfs->as_exports_file = true; break;
		default: return usage(exportfs->program, EXIT_FAILURE) + 1;
		}
	}
	if (optind != argc && arguments->all)
		exportfs_error(exportfs, "extra arguments are not permitted with -a or -r");
	else if (arguments->ignore_files && (arguments->all || arguments->unexport))
		exportfs_error(exportfs, "-i not meaningful with -a, -r or -u");
	else if (arguments->reexport && arguments->unexport)
		exportfs_error(exportfs, "-r and -u are incompatible");
	return exportfs->failed ? EXIT_FAILURE + 1 : 0;
}

static enum change_kind kind_of(const struct arguments *arguments)
{
	if (arguments->unexport)
		return arguments->all ? CHANGE_UNEXPORT_ALL : CHANGE_UNEXPORT;
	if (arguments->reexport)
		return CHANGE_FILES;
	return arguments->all ? CHANGE_FILES_TOO : CHANGE_EXPORT;
}

static int new_change(struct exportfs *exportfs, const struct arguments *arguments)
{
	int r = change_new(&exportfs->change, kind_of(arguments));

	if (r < 0)
		return r;
	exportfs->change->ignore_files = arguments->ignore_files;
	exportfs->change->is_verbose = exportfs->verbose;
	if (!arguments->options)
		return 0;
	exportfs->change->options = strdup(arguments->options);
	return exportfs->change->options ? 0 : -ENOMEM;
}

static void make_change(struct exportfs *exportfs)
{
	if (!exportfs_ask(exportfs))
		exportfs_alone(exportfs);
	if (exportfs->change->kind != CHANGE_UNEXPORT &&
	    exportfs->change->kind != CHANGE_UNEXPORT_ALL)
		exportfs_check_paths(exportfs);
	exportfs->suspects = suspects_free(exportfs->suspects);
}

/* nfs-utils has cut the argument in two by then, but for an address in brackets. */
static void tell_invalid(struct exportfs *exportfs, const char *pair)
{
	size_t length = pair[0] == '[' ? strlen(pair) : strcspn(pair, ":");

	exportfs_error(exportfs, "Invalid export syntax: %.*s", (int)length, pair);
}

/* Escaped, each byte may take four; the daemon takes CONTROL_REQUEST_MAX. */
enum { PAIRS_BYTES_MAX = 7000 };

static bool has_room(const struct exports_change *change, size_t n_bytes)
{
	return change->n_pairs < CHANGE_PAIRS_MAX && n_bytes < PAIRS_BYTES_MAX;
}

/* More pairs than a request takes are several changes. */
static int change(struct exportfs *exportfs, const struct arguments *arguments, char **pairs)
{
	int r = 0;

	do {
		size_t n_bytes = 0;

		r = new_change(exportfs, arguments);
		while (r == 0 && *pairs && has_room(exportfs->change, n_bytes)) {
			n_bytes += strlen(*pairs);
			r = change_add_pair(exportfs->change, *pairs);
			if (r == CHANGE_INVALID) {
				tell_invalid(exportfs, *pairs);
				r = 0;
			}
			pairs++;
		}
		if (r == 0)
			make_change(exportfs);
		exportfs->change = change_free(exportfs->change);
	} while (r == 0 && *pairs);
	return r;
}

/* Where the directory is not there nothing is locked, as with nfs-utils. */
static int lock(void)
{
	int fd = open(lock_file, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0666);

	if (fd >= 0 && lockf(fd, F_LOCK, 0) < 0)
		fprintf(stderr, "exportfs: cannot lock %s: %s\n", lock_file, strerror(errno));
	return fd;
}

static void run(struct exportfs *exportfs, const struct arguments *arguments, char **pairs)
{
	CLEANUP(closep) int locked = -1;
	int r;

	if (!*pairs && !arguments->all) {
		if (arguments->flush)
			exportfs_flush(exportfs);
		else
			exportfs_list(exportfs);
		return;
	}
	locked = lock();
	r = change(exportfs, arguments, pairs);
	if (r < 0)
		exportfs_error(exportfs, "%s", strerror(-r));
}

/*
 * A faulty configuration is the daemon's matter, and told by exportsctl check: here the defaults
 * do.
 */
static int load_config(struct config **ret_config)
{
	const char *file = getenv("EXPORTSD_CONFIG");
	struct diags diags = { 0 };
	int r = config_load(file ?: "/etc/exportsd.conf", !file, &diags, ret_config);

	diags_done(&diags);
	return r == CONFIG_INVALID ? config_load(NULL, true, &diags, ret_config) : r;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	struct exportfs exportfs = { .program = slash ? slash + 1 : argv[0] };
	struct arguments arguments = { 0 };
	int r = parse_options(&exportfs, argc, argv, &arguments);

	if (r != 0)
		return r - 1;
	r = load_config(&exportfs.config);
	if (r < 0) {
		exportfs_error(&exportfs, "cannot read the configuration: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	run(&exportfs, &arguments, argv + optind);
	config_free(exportfs.config);
	if (fflush(stdout) != 0)
		exportfs_error(&exportfs, "cannot write: %s", strerror(errno));
	return exportfs.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
