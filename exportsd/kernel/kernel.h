/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * kernel.h - nfsd's side of the wall: the only file that opens /proc/net/rpc and
 * /proc/fs/nfsd. A seam: tests put another one in its place; a later kernel's netlink upcalls fit
 * behind it.
 *
 * Rules: net/sunrpc/cache.c, fs/nfsd/export.c, net/sunrpc/svcauth_unix.c.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "parser/base.h"

enum kernel_cache { KERNEL_IP, KERNEL_GID, KERNEL_EXPORT, KERNEL_FH, KERNEL_N_CACHES };

struct kernel;

/*
 * kernel_open - open the channels and hear their questions.
 *
 * @proc: "/proc", or a directory that stands for it in tests
 * @with_gids: also auth.unix.gid
 * @ask:  called for each question: one line without its newline, in the kernel's escapes; borrowed
 *
 * Returns 0; -errno (-ENOENT: no nfsd here; modprobe nfsd, mount -t nfsd).
 */
typedef void (*kernel_ask_fn)(void *userdata, enum kernel_cache cache, const char *line);
int kernel_open(struct kernel **ret_kernel, sd_event *event, const char *proc, bool with_gids,
		kernel_ask_fn ask, void *userdata);
/*
 * kernel_set_rootdir - exported paths lie beneath a directory (rootdir.h): from now on each path in
 * a question or an answer is one beneath it. @rootdir: as of rootdir_strip(). Returns 0; -ENOMEM.
 */
int kernel_set_rootdir(struct kernel *kernel, const char *rootdir);
/* NULL: none. What the kernel's content shows is not changed: rootdir_strip(). */
const char *kernel_rootdir(const struct kernel *kernel);

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

struct kernel *kernel_close(struct kernel *kernel);

/*
 * kernel_answer - write one answer: a line with its newline, in one write(2).
 *
 * Returns 0; the kernel's errno, negative: -ENOENT (unknown domain, or no such path), -EINVAL (it
 * refuses this export), ...; -EPROTONOSUPPORT: the export is for TLS only, and the kernel, which
 * knows no TLS, was not told.
 */
int kernel_answer(struct kernel *kernel, enum kernel_cache cache, const char *line, size_t n_bytes);

/*
 * kernel_content - what a cache holds, as /proc/net/rpc/<cache>/content says: called for each
 * entry's line without its newline, and without the "# " before one that is not in force. A
 * non-zero return ends it and is returned.
 *
 * Returns 0; what @each returned; -errno.
 */
typedef int (*kernel_content_fn)(void *userdata, char *line);
int kernel_content(struct kernel *kernel, enum kernel_cache cache, kernel_content_fn each,
		   void *userdata);

/*
 * kernel_sweep - free what is no longer in force, and with it the mounts it holds: each answer has
 * that done (cache_flush()), and this one changes nothing.
 */
int kernel_sweep(struct kernel *kernel);

/* The directory that stands for /proc. */
const char *kernel_proc(const struct kernel *kernel);

/*
 * kernel_forget - the same with an answer that is over already, which takes the place of what the
 * kernel was told, so that it asks again.
 */
int kernel_forget(struct kernel *kernel, enum kernel_cache cache, const char *line, size_t n_bytes);

/*
 * kernel_read_content - all of it, as the kernel shows it (c_show()): a text to free(3).
 *
 * May be called by another thread than the loop's.
 * Returns 0; -errno.
 */
int kernel_read_content(const struct kernel *kernel, enum kernel_cache cache, char **ret_text);

/* kernel_pause - leave further questions where they are, in the kernel, until told otherwise. */
void kernel_pause(struct kernel *kernel, bool pause);

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

/*
 * The flags that may differ per flavour: second number of export_features, 0xd if it is not there.
 */
uint32_t kernel_per_flavor_flags(const struct kernel *kernel);
/* The same without channels, for tools. @proc: as for kernel_open() */
uint32_t kernel_read_per_flavor_flags(const char *proc);

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
