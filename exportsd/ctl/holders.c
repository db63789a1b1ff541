/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * holders.c - who holds a file system.
 *
 * A process is asked what it has open, its directories and what it has mapped (proc(5)). Looking at
 * a file there asks no server and triggers no automount. Locks of NFSv3 clients are lockd's, a
 * process of the kernel.
 */

#include "exportsd/ctl/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "exportsd/kernel/clients.h"

struct search {
	const char *proc;
	dev_t device;
	holder_fn each;
	void *userdata;
	int n;
};

static void found(struct search *search, enum holder_kind kind, const char *who, const char *what)
{
	const struct holder holder = { .kind = kind, .who = who, .what = what };

	search->n++;
	search->each(search->userdata, &holder);
}

/* ---- NFS ---- */

static void count(FILE *to, unsigned int n, const char *one, const char *many)
{
	if (n)
		fprintf(to, ", %u %s", n, n == 1 ? one : many);
}

static int see_client(void *userdata, const struct kernel_client *client)
{
	struct search *search = userdata;
	CLEANUP(freep) char *what = NULL;
	size_t size;
	FILE *to = open_memstream(&what, &size);

	if (!to)
		return -ENOMEM;
	fprintf(to, "%s", client->name);
	count(to, client->here.n_opens, "open file", "open files");
	count(to, client->here.n_locks, "lock", "locks");
	count(to, client->here.n_delegations, "delegation", "delegations");
	count(to, client->here.n_layouts, "layout", "layouts");
	if (client->is_gone)
		fputs(", not heard of any more", to);
	if (fclose(to) != 0)
		return -ENOMEM;
	found(search, HOLDER_CLIENT, client->address, what);
	return 0;
}

/* What a process is called: "" if it is gone. */
static void read_name(const struct search *search, const char *pid, char *ret_name, size_t size)
{
	CLEANUP(closep) int fd = -1;
	char path[PATH_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s/comm", search->proc, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, ret_name, size - 1);
	ret_name[n > 0 ? n : 0] = '\0';
	ret_name[strcspn(ret_name, "\n")] = '\0';
}

/* "1: POSIX  ADVISORY  READ 123 07:00:1856 0 EOF" */
static void see_lock(struct search *search, const char *line)
{
	unsigned int major_number, minor_number;
	unsigned long inode;
	char pid[16], what[64], name[32];

	if (sscanf(line, "%*s %*s %*s %*s %15s %x:%x:%lu", pid, &major_number, &minor_number,
		   &inode) != 4)
		return;
	if (makedev(major_number, minor_number) != search->device)
		return;
	read_name(search, pid, name, sizeof(name));
	if (!str_equal(name, "lockd"))
		return;
	(void)snprintf(what, sizeof(what), "lock of an NFSv3 client, inode %lu", inode);
	found(search, HOLDER_LOCK, "lockd", what);
}

static void see_locks(struct search *search)
{
	CLEANUP(freep) char *line = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	FILE *from;

	(void)snprintf(path, sizeof(path), "%s/locks", search->proc);
	from = fopen(path, "re");
	while (from && getline(&line, &size, from) > 0)
		see_lock(search, line);
	if (from)
		fclose(from);
}

/* ---- processes ---- */

static bool is_there(const struct search *search, int directory_fd, const char *name)
{
	struct statx facts;

	return statx(directory_fd, name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE,
		     &facts) == 0 &&
	       makedev(facts.stx_dev_major, facts.stx_dev_minor) == search->device;
}

/* Put what a link of /proc leads to behind what is said so far. */
static void say_link(int directory_fd, const char *name, const char *what, FILE *to)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(directory_fd, name, target, sizeof(target) - 1);

	target[length > 0 ? length : 0] = '\0';
	fprintf(to, ", %s %s", what, target);
}

static bool see_files(const struct search *search, int process_fd, FILE *to)
{
	int fd = openat(process_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool has = false;

	while (directory && !has && (entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    is_there(search, fd, entry->d_name)) {
			say_link(fd, entry->d_name, "open", to);
			has = true;
		}
	if (directory)
		closedir(directory);
	else if (fd >= 0)
		close(fd);
	return has;
}

static bool see_maps(const struct search *search, int process_fd, FILE *to)
{
	int fd = openat(process_fd, "maps", O_RDONLY | O_CLOEXEC);
	FILE *from = fd < 0 ? NULL : fdopen(fd, "r");
	CLEANUP(freep) char *line = NULL;
	unsigned int major_number, minor_number;
	size_t size = 0;
	bool has = false;

	while (from && !has && getline(&line, &size, from) > 0)
		has = sscanf(line, "%*s %*s %*s %x:%x", &major_number, &minor_number) == 2 &&
		      makedev(major_number, minor_number) == search->device;
	if (has)
		fputs(", mapped into its memory", to);
	if (from)
		fclose(from);
	else if (fd >= 0)
		close(fd);
	return has;
}

static bool see_directory(const struct search *search, int process_fd, const char *name,
			  const char *what, FILE *to)
{
	if (!is_there(search, process_fd, name))
		return false;
	say_link(process_fd, name, what, to);
	return true;
}

static void see_process(struct search *search, const char *pid)
{
	CLEANUP(freep) char *what = NULL;
	CLEANUP(closep) int process = -1;
	char path[PATH_MAX], name[32];
	size_t size;
	bool holds;
	FILE *to;

	(void)snprintf(path, sizeof(path), "%s/%s", search->proc, pid);
	process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	to = process < 0 ? NULL : open_memstream(&what, &size);
	if (!to)
		return;
	read_name(search, pid, name, sizeof(name));
	fputs(name, to);
	holds = see_files(search, process, to);
	holds |= see_directory(search, process, "cwd", "in", to);
	holds |= see_directory(search, process, "root", "its root is", to);
	holds |= see_maps(search, process, to);
	if (fclose(to) == 0 && holds)
		found(search, HOLDER_PROCESS, pid, what);
}

int holders_each(const char *proc, dev_t device, holder_fn each, void *userdata)
{
	struct search search = {
		.proc = proc, .device = device, .each = each, .userdata = userdata
	};
	struct kernel_holdings *holdings = NULL;
	const struct dirent *entry;
	DIR *directory;
	int r = kernel_holdings_read(proc, &holdings);

	if (r == 0)
		r = kernel_holdings_each(holdings, device, see_client, &search);
	kernel_holdings_free(holdings);
	if (r < 0)
		return r;
	see_locks(&search);
	directory = opendir(proc);
	if (!directory)
		return -errno;
	while ((entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]))
			see_process(&search, entry->d_name);
	closedir(directory);
	return search.n;
}
