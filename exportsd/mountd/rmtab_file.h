/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rmtab_file.h - the list of rmtab.h with its file, which nothing waits for.
 *
 * The file may lie on storage that servers share, and that hangs. So whatever touches the file is a
 * process that does one thing and ends (worker/worker.h, worker_spawn()). It is no thread: one in a
 * system call that does not return would keep the whole daemon's descriptors open beyond its end
 * (port, store, the kernel's channels), and the next daemon could not take over. The list goes
 * there and back in memory (memfd_create(2)).
 *
 * A change is written within RMTAB_DELAY_SECONDS, together with all others of that time, and again
 * until it succeeds. What others added to the file since it was ours counts, too: the Pacemaker
 * agent does, when a server takes over. (What was removed since we wrote it, and is still there
 * then, comes back, as with rpc.mountd's file: the list is advice.)
 */

#include <systemd/sd-event.h>

#include "parser/base.h"

enum {
	RMTAB_DELAY_SECONDS = 5,
	RMTAB_PROCESS_SECONDS = 30, /* a process that takes longer is ended, and has failed */
	RMTAB_FAREWELL_SECONDS = 5, /* all that is waited for at the end of the daemon */
};

struct rmtab;
struct rmtab_file;

/*
 * rmtab_file_new - begin to read DIRECTORY/rmtab.
 *
 * @read: once, never from within this call: the list holds what the file has, or it could not be
 *        read (which is in the log)
 *
 * Returns 0; -errno.
 */
typedef void (*rmtab_file_read_fn)(void *userdata);
int rmtab_file_new(struct rmtab_file **ret_file, sd_event *event, const char *directory,
		   rmtab_file_read_fn read, void *userdata);

/*
 * rmtab_file_free - write what is not written yet; may block for RMTAB_FAREWELL_SECONDS. NULL is
 * fine.
 */
struct rmtab_file *rmtab_file_free(struct rmtab_file *file);

/*
 * Was read() called? Until then the list holds only what was added since the start, and what is
 * removed may be in the file: removing waits for it.
 */
bool rmtab_file_is_read(const struct rmtab_file *file);
const struct rmtab *rmtab_file_list(const struct rmtab_file *file);

/* As rmtab_add(), rmtab_remove() and rmtab_remove_client(); to be written in a while. */
int rmtab_file_add(struct rmtab_file *file, const char *client, const char *path);
bool rmtab_file_remove(struct rmtab_file *file, const char *client, const char *path);
void rmtab_file_remove_client(struct rmtab_file *file, const char *client);

/* What a process of WORKER_RMTAB does. @fd: the memory; @path: the file. Returns 0; -errno. */
int rmtab_file_serve(int fd, const char *path);
