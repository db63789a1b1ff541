/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * kernel.h - nfsd's side of the wall: what its export caches ask, what they are answered, and what
 * they hold. How that gets there and back is a transport's (transport.h): today /proc/net/rpc. Only
 * this folder opens anything in /proc/net/rpc and /proc/fs/nfsd. A seam: tests put another kernel in
 * its place.
 *
 * Rules: net/sunrpc/cache.c, fs/nfsd/export.c, net/sunrpc/svcauth_unix.c.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "exportsd/kernel/fsid.h"
#include "parser/base.h"
#include "parser/exports.h"

enum kernel_cache { KERNEL_IP, KERNEL_GID, KERNEL_EXPORT, KERNEL_FH, KERNEL_N_CACHES };

struct kernel;

/* ---- questions, answers, entries ---- */

/* What is asked; it is also the key of an answer and of an entry. Texts are bytes, and borrowed. */
struct kernel_question {
	enum kernel_cache cache;
	const char *address; /* IP: as the kernel wrote it; the class is always "nfsd" */
	uint32_t uid; /* GID */
	const char *domain; /* EXPORT, FH */
	const char *path; /* EXPORT */
	struct kernel_fsid fsid; /* FH */
};

/* What nfsd.export is told of an export, beyond its options. */
struct kernel_export {
	const struct export_options *options;
	uint32_t flags; /* instead of options->flags */
	uint32_t fsid;
	bool has_uuid;
	uint8_t uuid[16];
};

/* An answer. Where its cache's member is NULL (or 0) it is "no". Texts are borrowed. */
struct kernel_answer {
	struct kernel_question about;
	uint64_t expiry; /* seconds of CLOCK_REALTIME */
	const char *domain; /* IP: whose it is */
	const uint32_t *groups; /* GID; the kernel takes 8192 */
	size_t n_groups;
	const struct kernel_export *export; /* EXPORT */
	const char *path; /* FH */
};

/* What a cache holds. */
struct kernel_entry {
	struct kernel_question about;
	/*
	 * The answer was "no", or there is none yet, or it is over: the kernel shows no difference.
	 */
	bool is_not_valid;
	const char *domain; /* IP: NULL: none */
	const char *path; /* FH: NULL: none */
};

/*
 * kernel_path_of - a path for answers that leads to the very mount of an O_PATH descriptor: neither
 * "." nor a link of /proc leads into another mount (linux fs/namei.c handle_dots(),
 * nd_jump_link()). Whoever answers has the descriptor open. What follows the "." must begin with a
 * slash.
 */
enum { KERNEL_PATH_OF_MAX = 40 };
const char *kernel_path_of(int root_fd, char text[KERNEL_PATH_OF_MAX]);

/* ---- the daemon's ---- */

/*
 * kernel_open - open the channels and hear their questions.
 *
 * @proc: "/proc", or a directory that stands for it in tests
 * @with_gids: also auth.unix.gid
 * @ask:  called for each question; it is valid during the call
 *
 * Returns 0; -errno (-ENOENT: no nfsd here; modprobe nfsd, mount -t nfsd).
 */
typedef void (*kernel_ask_fn)(void *userdata, const struct kernel_question *question);
int kernel_open(struct kernel **ret_kernel, sd_event *event, const char *proc, bool with_gids,
		kernel_ask_fn ask, void *userdata);
/*
 * kernel_set_rootdir - exported paths lie beneath a directory (rootdir.h): from now on each path in
 * a question, an answer or an entry is one beneath it. @rootdir: as of rootdir_strip(). Returns 0;
 * -ENOMEM.
 */
int kernel_set_rootdir(struct kernel *kernel, const char *rootdir);

struct kernel *kernel_close(struct kernel *kernel);

/* kernel_pause - leave further questions where they are, in the kernel, until told otherwise. */
void kernel_pause(struct kernel *kernel, bool pause);

/*
 * kernel_answer - answer a question, or tell unasked.
 *
 * Returns 0; the kernel's errno, negative: -ENOENT (unknown domain, or no such path), -EINVAL (it
 * refuses this export), ...; -EPROTONOSUPPORT: the export is for TLS only, and the kernel, which
 * knows no TLS, was not told; -E2BIG: it is longer than the kernel takes.
 */
int kernel_answer(struct kernel *kernel, const struct kernel_answer *answer);

/*
 * kernel_forget - a "no" that is long over takes the place of what the kernel was told (of
 * nfsd.export or nfsd.fh), so that it asks again. Returns as kernel_answer().
 */
int kernel_forget(struct kernel *kernel, const struct kernel_question *about);

/*
 * kernel_entries - what a cache holds: called for each entry. A non-zero return ends it and is
 * returned.
 *
 * May be called by another thread than the loop's.
 * Returns 0; what @each returned; -errno.
 */
typedef int (*kernel_entry_fn)(void *userdata, const struct kernel_entry *entry);
int kernel_entries(const struct kernel *kernel, enum kernel_cache cache, kernel_entry_fn each,
		   void *userdata);

/*
 * kernel_sweep - free what is no longer in force, and with it the mounts it holds: each answer has
 * that done (cache_flush()), and this one changes nothing.
 */
int kernel_sweep(struct kernel *kernel);

/* kernel_flush - have the kernel forget all it was told (write_flush()). */
int kernel_flush(struct kernel *kernel);

/*
 * kernel_flush_exports - have the kernel forget the exports only, and give pseudo-roots another
 * change attribute.
 *
 * nfsd says of a pseudo-root, in place of when it changed, when the exports were flushed last
 * (nfs4xdr.c encode_change()): without this, NFSv4 clients do not look again for a name they did
 * not find there.
 */
int kernel_flush_exports(struct kernel *kernel);

/*
 * kernel_flush_handles - have the kernel forget what it was told of handles only: yes and no;
 * whoever waits goes on waiting.
 */
int kernel_flush_handles(struct kernel *kernel);

/*
 * kernel_file_handle - the handle nfsd gives a path for a domain (/proc/fs/nfsd/filehandle,
 * exp_rootfh()).
 *
 * The export's entry must have been written first.
 * @size: 32 or 64, the most the handle may have
 * Returns its length, or -errno.
 */
ssize_t kernel_file_handle(struct kernel *kernel, const char *domain, const char *path, size_t size,
			   uint8_t *ret_handle);

/* How many questions came, answers and flushes went, since kernel_open(). */
struct kernel_counts {
	uint64_t asked[KERNEL_N_CACHES];
	uint64_t answered[KERNEL_N_CACHES];
	uint64_t flushes; /* of everything */
	uint64_t export_flushes; /* of nfsd.export alone */
	uint64_t handle_flushes; /* of nfsd.fh alone */
	uint64_t forgotten; /* single entries */
};
const struct kernel_counts *kernel_counts(const struct kernel *kernel);

/* ---- what it can do ---- */

/*
 * kernel_open_for_trials - without a loop, and hearing nothing: for kernel_flush() and, if
 * kernel_is_open(), for kernel_takes_export(). That nfsd is not there is no error. Returns 0;
 * -ENOMEM.
 */
int kernel_open_for_trials(struct kernel **ret_kernel, const char *proc);
bool kernel_is_open(const struct kernel *kernel);
/*
 * kernel_takes_export - would nfsd export this path with these flags (nfs-utils' trial with domain
 * -test-client-)?
 */
bool kernel_takes_export(struct kernel *kernel, const char *path, uint32_t flags);

/*
 * kernel_knows_tls - does nfsd honour xprtsec=? What does not (before Linux 6.4) passes the word
 * over without an error. If it cannot be told, it does not. The first call tries it.
 */
bool kernel_knows_tls(struct kernel *kernel);
/* kernel_lacks_tls - for tools: nfsd is here, may be written to, and does not know it. */
bool kernel_lacks_tls(const char *proc);

/*
 * The flags that may differ per flavour: second number of export_features, 0xd if it is not there.
 */
uint32_t kernel_per_flavor_flags(const struct kernel *kernel);
/* The same without channels, for tools. @proc: as for kernel_open() */
uint32_t kernel_read_per_flavor_flags(const char *proc);
