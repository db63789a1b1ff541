/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * kernel.c - what is the same for every transport: which paths lie beneath rootdir, what is not told
 * to a kernel that knows no TLS, trials, counts; and nfsd's own files:
 *
 *	<proc>/fs/nfsd/filehandle	a handle for a path (fs/nfsd/nfsctl.c write_filehandle())
 *	<proc>/fs/nfsd/export_features	flags that this kernel knows
 */

#include "exportsd/kernel/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "exportsd/base/log.h"
#include "exportsd/kernel/rootdir.h"
#include "exportsd/kernel/tls.h"
#include "exportsd/kernel/transport.h"
#include "parser/escape.h"
#include "parser/text.h"

enum {
	OUTSIDE_SECONDS = 1800,
	SWEEP_SECONDS = 60,
	/* Expired long ago; some kernels take 0 for "for ever" (get_expiry()). */
	LONG_OVER = 1,
	/*
	 * "Unasked for" and in the past: check_export() is run, nothing is stored
	 * (svc_export_parse()).
	 */
	TRIAL_EXPIRY = 3,
};

static const char trial_domain[] = "-test-client-";

struct kernel {
	char *proc;
	char *rootdir; /* NULL: none */
	struct kernel_transport *transport;
	bool is_open;
	kernel_ask_fn ask;
	void *userdata;
	uint32_t per_flavor_flags;
	bool is_tls_tried, knows_tls;
	struct kernel_counts counts;
};

/* ---- questions ---- */

/* What is not beneath rootdir is not exported. */
static void answer_outside(struct kernel *kernel, const struct kernel_question *question)
{
	const struct kernel_answer no = { .about = *question,
					  .expiry = (uint64_t)time(NULL) + OUTSIDE_SECONDS };

	if (kernel->transport->answer(kernel->transport, &no) < 0)
		log_warning(NULL, "The kernel asks about what lies outside of rootdir: '%s %s'",
			    question->domain, question->path);
}

static void take(void *userdata, const struct kernel_question *question)
{
	struct kernel *kernel = userdata;
	struct kernel_question beneath = *question;

	kernel->counts.asked[question->cache]++;
	if (question->path)
		beneath.path = rootdir_strip(kernel->rootdir, question->path);
	if (question->path && !beneath.path)
		answer_outside(kernel, question);
	else
		kernel->ask(kernel->userdata, &beneath);
}

/* ---- answers ---- */

/* A path as the kernel has it: @ret_path is to be freed, NULL if there was none. */
static int join(const struct kernel *kernel, const char **path, char **ret_path)
{
	static const char descriptors[] = "/proc/self/fd/";

	*ret_path = NULL;
	if (!*path || strncmp(*path, descriptors, strlen(descriptors)) == 0)
		return 0;
	*path = *ret_path = rootdir_join(kernel->rootdir, *path);
	return *path ? 0 : -ENOMEM;
}

static int write_answer(struct kernel *kernel, const struct kernel_answer *answer)
{
	struct kernel_transport *transport = kernel->transport;
	struct kernel_answer joined = *answer;
	CLEANUP(freep) char *about = NULL;
	CLEANUP(freep) char *path = NULL;

	if (!kernel->rootdir)
		return transport->answer(transport, answer);
	if (join(kernel, &joined.about.path, &about) < 0 || join(kernel, &joined.path, &path) < 0)
		return -ENOMEM;
	return transport->answer(transport, &joined);
}

int kernel_answer(struct kernel *kernel, const struct kernel_answer *answer)
{
	const struct kernel_export *export = answer->export;
	int r;

	if (export && tls_is_asked(export->options) && !kernel_knows_tls(kernel))
		return -EPROTONOSUPPORT;
	r = write_answer(kernel, answer);
	if (r == 0)
		kernel->counts.answered[answer->about.cache]++;
	return r;
}

int kernel_forget(struct kernel *kernel, const struct kernel_question *about)
{
	const struct kernel_answer no = { .about = *about, .expiry = LONG_OVER };
	int r = write_answer(kernel, &no);

	if (r == 0)
		kernel->counts.forgotten++;
	return r;
}

int kernel_sweep(struct kernel *kernel)
{
	const struct kernel_answer answer = {
		.about = { .cache = KERNEL_IP, .address = "0.0.0.0" },
		.expiry = (uint64_t)time(NULL) + SWEEP_SECONDS,
		.domain = trial_domain,
	};

	return kernel_answer(kernel, &answer);
}

/* ---- entries ---- */

struct listing {
	const char *rootdir;
	kernel_entry_fn each;
	void *userdata;
};

/* Returns false if there is a path and it is not beneath. */
static bool strip(const struct listing *listing, const char **path)
{
	if (!*path)
		return true;
	*path = rootdir_strip(listing->rootdir, *path);
	return *path;
}

static int see(void *userdata, const struct kernel_entry *entry)
{
	const struct listing *listing = userdata;
	struct kernel_entry beneath = *entry;

	if (!strip(listing, &beneath.about.path) || !strip(listing, &beneath.path))
		return 0;
	return listing->each(listing->userdata, &beneath);
}

int kernel_entries(const struct kernel *kernel, enum kernel_cache cache, kernel_entry_fn each,
		   void *userdata)
{
	struct listing listing = { .rootdir = kernel->rootdir, .each = each, .userdata = userdata };

	return kernel->transport->entries(kernel->transport, cache, see, &listing);
}

/* ---- forgetting ---- */

int kernel_flush(struct kernel *kernel)
{
	/* nfs-utils support/nfs/cacheio.c cache_flush(): who, then what they may see. */
	static const enum kernel_cache order[] = { KERNEL_IP, KERNEL_GID, KERNEL_FH,
						   KERNEL_EXPORT };
	int result = 0;

	for (size_t i = 0; i < N_ELEMENTS(order); i++) {
		int r = kernel->transport->flush(kernel->transport, order[i]);

		if (r < 0)
			result = r;
	}
	kernel->counts.flushes++;
	return result;
}

int kernel_flush_exports(struct kernel *kernel)
{
	kernel->counts.export_flushes++;
	return kernel->transport->flush(kernel->transport, KERNEL_EXPORT);
}

int kernel_flush_handles(struct kernel *kernel)
{
	kernel->counts.handle_flushes++;
	return kernel->transport->flush(kernel->transport, KERNEL_FH);
}

/* ---- trials ---- */

static int try_export(struct kernel *kernel, const char *path, const struct export_options *options)
{
	const struct kernel_export export = { .options = options, .flags = options->flags };
	const struct kernel_answer answer = {
		.about = { .cache = KERNEL_EXPORT, .domain = trial_domain, .path = path },
		.expiry = TRIAL_EXPIRY,
		.export = &export,
	};
	int r = kernel_sweep(kernel);

	/* Not beneath rootdir: both are the host's own paths. */
	return r < 0 ? r : kernel->transport->answer(kernel->transport, &answer);
}

bool kernel_takes_export(struct kernel *kernel, const char *path, uint32_t flags)
{
	const struct export_options options = { .flags = flags,
						.anon_uid = 65534,
						.anon_gid = 65534 };

	return try_export(kernel, path, &options) == 0;
}

bool kernel_knows_tls(struct kernel *kernel)
{
	/*
	 * No kernel takes this: whoever knows the word stumbles over its number first (EINVAL), the
	 * others over a path that is neither a directory nor a file (ENOTDIR, check_export()).
	 */
	static const struct export_options options = { .flags = 1061,
						       .anon_uid = 65534,
						       .anon_gid = 65534,
						       .n_xprtsec = 1,
						       .xprtsec = { 99 } };

	if (!kernel->is_tls_tried) {
		kernel->is_tls_tried = true;
		kernel->knows_tls = try_export(kernel, "/dev/null", &options) == -EINVAL;
	}
	return kernel->knows_tls;
}

bool kernel_lacks_tls(const char *proc)
{
	struct kernel *kernel = NULL;
	bool lacks = kernel_open_for_trials(&kernel, proc) == 0 && kernel_is_open(kernel) &&
		     !kernel_knows_tls(kernel);

	kernel_close(kernel);
	return lacks;
}

/* ---- nfsd's own files ---- */

static int open_nfsd_file(const char *proc, const char *name, int flags)
{
	CLEANUP(freep) char *path = text_format("%s/fs/nfsd/%s", proc, name);
	int fd = path ? open(path, flags | O_CLOEXEC) : -1;

	return fd < 0 ? -errno : fd;
}

uint32_t kernel_read_per_flavor_flags(const char *proc)
{
	/*
	 * nfs-utils support/nfs/exports.c, get_export_features(): the mask of kernels that do not
	 * say.
	 */
	const uint32_t unsaid = 0xd;
	unsigned int flags, per_flavor;
	char text[64] = "";
	CLEANUP(closep) int fd = open_nfsd_file(proc, "export_features", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return unsaid;
	return sscanf(text, "%x %x", &flags, &per_flavor) == 2 ? per_flavor : unsaid;
}

ssize_t kernel_file_handle(struct kernel *kernel, const char *domain, const char *path, size_t size,
			   uint8_t *ret_handle)
{
	CLEANUP(freep) char *whole = rootdir_join(kernel->rootdir, path);
	CLEANUP(freep) char *domain_word = escape_bytes(domain, strlen(domain), ESCAPE_KERNEL);
	CLEANUP(freep)
	char *path_word = whole ? escape_bytes(whole, strlen(whole), ESCAPE_KERNEL) : NULL;
	CLEANUP(freep) char *line = NULL;
	CLEANUP(closep) int fd = -1;
	char answer[256];
	ssize_t n;

	if (domain_word && path_word)
		line = text_format("%s %s %zu\n", domain_word, path_word, size);
	if (!line)
		return -ENOMEM;
	fd = open_nfsd_file(kernel->proc, "filehandle", O_RDWR);
	if (fd < 0)
		return fd;
	if (write(fd, line, strlen(line)) != (ssize_t)strlen(line))
		return -errno;
	n = read(fd, answer, sizeof(answer) - 1);
	if (n < 0)
		return -errno;
	answer[n] = '\0';
	answer[strcspn(answer, " \n")] = '\0';
	return unescape_hex(answer, ret_handle, size);
}

/* ---- start and end ---- */

static struct kernel *kernel_new(const char *proc)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	if (!kernel)
		return NULL;
	kernel->proc = strdup(proc);
	return kernel->proc ? kernel : kernel_close(kernel);
}

int kernel_open(struct kernel **ret_kernel, sd_event *event, const char *proc, bool with_gids,
		kernel_ask_fn ask, void *userdata)
{
	struct kernel *kernel = kernel_new(proc);
	int r;

	if (!kernel)
		return -ENOMEM;
	kernel->ask = ask;
	kernel->userdata = userdata;
	r = kernel_proc_open(&kernel->transport, event, proc, with_gids, take, kernel);
	if (r < 0) {
		kernel_close(kernel);
		return r;
	}
	kernel->is_open = true;
	kernel->per_flavor_flags = kernel_read_per_flavor_flags(proc);
	*ret_kernel = kernel;
	return 0;
}

int kernel_open_for_trials(struct kernel **ret_kernel, const char *proc)
{
	struct kernel *kernel = kernel_new(proc);

	if (!kernel)
		return -ENOMEM;
	if (kernel_proc_open_for_trials(&kernel->transport, proc, &kernel->is_open) < 0) {
		kernel_close(kernel);
		return -ENOMEM;
	}
	*ret_kernel = kernel;
	return 0;
}

struct kernel *kernel_close(struct kernel *kernel)
{
	if (!kernel)
		return NULL;
	if (kernel->transport)
		kernel->transport->close(kernel->transport);
	free(kernel->proc);
	free(kernel->rootdir);
	free(kernel);
	return NULL;
}

int kernel_set_rootdir(struct kernel *kernel, const char *rootdir)
{
	kernel->rootdir = strdup(rootdir);
	return kernel->rootdir ? 0 : -ENOMEM;
}

void kernel_pause(struct kernel *kernel, bool pause)
{
	kernel->transport->pause(kernel->transport, pause);
}

bool kernel_is_open(const struct kernel *kernel)
{
	return kernel->is_open;
}

uint32_t kernel_per_flavor_flags(const struct kernel *kernel)
{
	return kernel->per_flavor_flags;
}

const struct kernel_counts *kernel_counts(const struct kernel *kernel)
{
	return &kernel->counts;
}
