/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rmtab_file.c - at most one process at a time, which reads the file if it is another one than the
 * list knows, and then writes list and file together, if it is to.
 *
 * In memory: a struct exchange, then lines in the file's form. There: the list. Back: what was found
 * in the file.
 */

#include "exportsd/mountd/rmtab_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "exportsd/base/file_version.h"
#include "exportsd/base/later.h"
#include "exportsd/base/log.h"
#include "exportsd/base/spawn.h"
#include "exportsd/mountd/rmtab.h"
#include "exportsd/worker/worker.h"

static const uint64_t usec_a_second = 1000000;

struct exchange {
	struct file_version version; /* there: that is in the list; back: of the file */
	bool is_to_write;
	int error; /* back: -errno */
};

struct rmtab_file {
	sd_event *event;
	char *path;
	struct rmtab *rmtab;
	struct file_version version; /* that is in the list */
	struct later write; /* pending: the file is older than the list */
	struct later patience; /* with the first read */
	bool is_read;
	bool is_failing; /* it could not be written the last time */
	rmtab_file_read_fn read;
	void *userdata;

	/* A process at work: */
	sd_event_source *process; /* NULL: none */
	pid_t pid;
	int memory;
};

/* ---- the memory ---- */

/* With an offset of its own: the daemon and the process share the descriptor's. */
static FILE *open_memory(int fd, const char *mode)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return fopen(name, mode);
}

static int put(int fd, const struct exchange *exchange, const struct rmtab *rmtab)
{
	FILE *to = open_memory(fd, "we");
	bool is_good;

	if (!to)
		return -errno;
	(void)fwrite(exchange, sizeof(*exchange), 1, to);
	rmtab_write_stream(rmtab, to);
	is_good = !ferror(to);
	return fclose(to) == 0 && is_good ? 0 : -ENOMEM;
}

static int get(int fd, struct exchange *ret_exchange, struct rmtab *rmtab)
{
	FILE *from = open_memory(fd, "re");
	int r = -EPIPE;

	if (!from)
		return -errno;
	if (fread(ret_exchange, sizeof(*ret_exchange), 1, from) == 1)
		r = rmtab_read_stream(rmtab, from);
	(void)fclose(from);
	return r;
}

/* ---- the process ---- */

static bool version_of(const char *path, struct file_version *ret_version)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	*ret_version = file_version_of(&st);
	return true;
}

/* Returns 0; -errno: it could not be read, or, if it is to be, written. */
static int work(const char *path, struct exchange *exchange, struct rmtab *list,
		struct rmtab *found)
{
	struct file_version version = { 0 };
	int r = 0;

	if (version_of(path, &version) && !file_version_equal(&version, &exchange->version))
		r = rmtab_read(found, path);
	exchange->version = version;
	if (!exchange->is_to_write)
		return r;
	rmtab_merge(list, found);
	r = rmtab_write(list, path);
	if (r == 0)
		(void)version_of(path, &exchange->version);
	return r;
}

int rmtab_file_serve(int fd, const char *path)
{
	struct rmtab *list = NULL, *found = NULL;
	struct exchange exchange;
	int r;

	(void)alarm(RMTAB_PROCESS_SECONDS);
	r = rmtab_new(&list);
	if (r == 0)
		r = rmtab_new(&found);
	if (r == 0)
		r = get(fd, &exchange, list);
	if (r == 0) {
		exchange.error = work(path, &exchange, list, found);
		r = put(fd, &exchange, found);
	}
	rmtab_free(list);
	rmtab_free(found);
	return r;
}

/* ---- the daemon ---- */

static void on_write_time(void *userdata);

static void write_in_a_while(struct rmtab_file *file)
{
	if (!later_is_pending(&file->write))
		(void)later_call_in(&file->write, file->event, RMTAB_DELAY_SECONDS * usec_a_second,
				    on_write_time, file);
}

static void write_failed(struct rmtab_file *file, int error)
{
	write_in_a_while(file);
	errno = -error;
	if (!file->is_failing)
		log_warning(
			NULL,
			"cannot write %s, trying again: %m; showmount -a may forget who mounted what",
			file->path);
	file->is_failing = true;
}

static void read_over(struct rmtab_file *file, int error)
{
	errno = -error;
	if (error < 0)
		log_warning(NULL, "cannot read %s: %m; showmount -a starts with nothing",
			    file->path);
	file->is_read = true;
	file->read(file->userdata);
}

/*
 * A process that waits for a dead disk does not end, whatever signal it gets. What is removed from
 * now on may come back with what it reads in the end.
 */
static void on_impatience(void *userdata)
{
	struct rmtab_file *file = userdata;

	if (!file->is_read)
		read_over(file, -ETIMEDOUT);
}

static void put_away(struct rmtab_file *file)
{
	file->process = sd_event_source_disable_unref(file->process);
	closep(&file->memory);
	file->memory = -1;
}

/* Returns 0; -errno, also the process's own. */
static int take_back(struct rmtab_file *file)
{
	struct exchange exchange;
	struct rmtab *found;
	int r = rmtab_new(&found);

	if (r < 0)
		return r;
	r = get(file->memory, &exchange, found);
	if (r == 0) {
		rmtab_merge(file->rmtab, found);
		r = exchange.error;
	}
	if (r == 0)
		file->version = exchange.version;
	rmtab_free(found);
	return r;
}

static void over(struct rmtab_file *file, int error)
{
	int r = error < 0 ? error : take_back(file);

	put_away(file);
	if (!file->is_read)
		read_over(file, r);
	else if (r < 0)
		write_failed(file, r);
	else
		file->is_failing = false;
}

static int on_end(sd_event_source *source, const siginfo_t *end, void *userdata)
{
	int r = 0;

	if (end->si_code != CLD_EXITED && end->si_status == SIGALRM)
		r = -ETIMEDOUT;
	else if (end->si_code != CLD_EXITED || end->si_status != EXIT_SUCCESS)
		r = -EPIPE;
	over(userdata, r);
	return 0;
}

static int spawn(struct rmtab_file *file, bool is_to_write)
{
	const struct exchange exchange = { .version = file->version, .is_to_write = is_to_write };
	int r;

	file->memory = memfd_create("rmtab", MFD_CLOEXEC);
	if (file->memory < 0)
		return -errno;
	r = put(file->memory, &exchange, file->rmtab);
	return r < 0 ? r : worker_spawn(WORKER_RMTAB, file->memory, file->path, &file->pid);
}

/* One process; none is at work. */
static int start(struct rmtab_file *file, bool is_to_write)
{
	int r = spawn(file, is_to_write);

	if (r >= 0) {
		r = sd_event_add_child(file->event, &file->process, file->pid, WEXITED, on_end,
				       file);
		if (r < 0)
			(void)spawn_finish(file->pid, 0);
	}
	if (r < 0)
		put_away(file);
	return r;
}

static void on_write_time(void *userdata)
{
	struct rmtab_file *file = userdata;
	int r;

	if (file->process) {
		write_in_a_while(file);
		return;
	}
	r = start(file, true);
	if (r < 0)
		write_failed(file, r);
}

/* ---- the list ---- */

bool rmtab_file_is_read(const struct rmtab_file *file)
{
	return file->is_read;
}

const struct rmtab *rmtab_file_list(const struct rmtab_file *file)
{
	return file->rmtab;
}

int rmtab_file_add(struct rmtab_file *file, const char *client, const char *path)
{
	int r = rmtab_add(file->rmtab, client, path);

	if (r == 0)
		write_in_a_while(file);
	return r;
}

bool rmtab_file_remove(struct rmtab_file *file, const char *client, const char *path)
{
	if (!rmtab_remove(file->rmtab, client, path))
		return false;
	write_in_a_while(file);
	return true;
}

void rmtab_file_remove_client(struct rmtab_file *file, const char *client)
{
	if (rmtab_remove_client(file->rmtab, client))
		write_in_a_while(file);
}

/* ---- life ---- */

int rmtab_file_new(struct rmtab_file **ret_file, sd_event *event, const char *directory,
		   rmtab_file_read_fn read, void *userdata)
{
	struct rmtab_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return -ENOMEM;
	file->event = sd_event_ref(event);
	file->memory = -1;
	file->read = read;
	file->userdata = userdata;
	r = rmtab_new(&file->rmtab);
	if (r == 0 && asprintf(&file->path, "%s/rmtab", directory) < 0) {
		file->path = NULL;
		r = -ENOMEM;
	}
	if (r < 0) {
		rmtab_file_free(file);
		return r;
	}
	r = start(file, false);
	if (r < 0)
		write_failed(file, r); /* it will be read then */
	(void)later_call_in(&file->patience, event,
			    (RMTAB_PROCESS_SECONDS + RMTAB_DELAY_SECONDS) * usec_a_second,
			    on_impatience, file);
	*ret_file = file;
	return 0;
}

static void finish(struct rmtab_file *file, uint64_t until_usec)
{
	file->process = sd_event_source_disable_unref(file->process);
	if ((!spawn_finish(file->pid, until_usec) || take_back(file) < 0) && file->is_read)
		write_in_a_while(file);
	put_away(file);
}

struct rmtab_file *rmtab_file_free(struct rmtab_file *file)
{
	uint64_t until_usec = later_now_usec() + RMTAB_FAREWELL_SECONDS * usec_a_second;

	if (!file)
		return NULL;
	if (file->process)
		finish(file, until_usec);
	if (later_is_pending(&file->write) && start(file, true) == 0)
		finish(file, until_usec);
	later_cancel(&file->write);
	later_cancel(&file->patience);
	rmtab_free(file->rmtab);
	sd_event_unref(file->event);
	free(file->path);
	free(file);
	return NULL;
}
