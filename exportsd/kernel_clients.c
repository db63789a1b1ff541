/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * kernel_clients.c - /proc/fs/nfsd/clients/<number>/{info,states,ctl}.
 *
 * A line of states is
 *
 *	- 0x...: { type: open, access: r-, deny: --, superblock: "07:00:1856", filename: "readme.txt", owner: ... }
 *
 * with type first and superblock (hexadecimal device, inode) before any text that a client chose. States that
 * are revoked already ("admin-revoked", Linux 6.9) hold nothing.
 */

#include "exportsd/kernel_clients.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>

enum { VICTIMS_MAX = 256 };

/* ---- reading ---- */

static FILE *open_file(const char *proc, const char *client, const char *name)
{
	CLEANUP(freep) char *path = NULL;

	if (asprintf(&path, "%s/fs/nfsd/clients/%s/%s", proc, client, name) < 0) {
		path = NULL;
		return NULL;
	}
	return fopen(path, "re");
}

static void count_state(const char *line, dev_t device, struct kernel_client *client)
{
	const char *type = strstr(line, "{ type: "), *block = strstr(line, "superblock: \"");
	unsigned int major_number, minor_number;
	struct kernel_state_counts *counts = &client->elsewhere;

	if (!type || strstr(line, "admin-revoked"))
		return;
	type += strlen("{ type: ");
	if (block && sscanf(block, "superblock: \"%x:%x:", &major_number, &minor_number) == 2 &&
	    makedev(major_number, minor_number) == device)
		counts = &client->here;
	if (strncmp(type, "open", 4) == 0)
		counts->n_opens++;
	else if (strncmp(type, "lock", 4) == 0)
		counts->n_locks++;
	else if (strncmp(type, "deleg", 5) == 0)
		counts->n_delegations++;
	else if (strncmp(type, "layout", 6) == 0)
		counts->n_layouts++;
}

static void read_states(const char *proc, dev_t device, struct kernel_client *client)
{
	FILE *from = open_file(proc, client->number, "states");
	CLEANUP(freep) char *line = NULL;
	size_t size = 0;

	if (!from)
		return;
	while (getline(&line, &size, from) > 0)
		count_state(line, device, client);
	fclose(from);
}

/* The value of a "key: value" line, without quotes, in place; NULL: another key. */
static char *value_of(char *line, const char *key)
{
	size_t length = strlen(key);
	char *value = line + length;

	if (strncmp(line, key, length) != 0)
		return NULL;
	value[strcspn(value, "\n")] = '\0';
	if (*value == '"' && strlen(value) > 1 && value[strlen(value) - 1] == '"') {
		value[strlen(value) - 1] = '\0';
		value++;
	}
	return value;
}

struct info {
	char *address, *name;
	bool is_gone;
};

static void read_info(const char *proc, const char *number, struct info *info)
{
	FILE *from = open_file(proc, number, "info");
	CLEANUP(freep) char *line = NULL;
	size_t size = 0;

	while (from && getline(&line, &size, from) > 0) {
		const char *value;

		if ((value = value_of(line, "address: ")) && !info->address)
			info->address = strdup(value);
		else if ((value = value_of(line, "name: ")) && !info->name)
			info->name = strdup(value);
		else if ((value = value_of(line, "status: ")))
			info->is_gone =
				str_equal(value, "courtesy") || str_equal(value, "expirable");
	}
	if (from)
		fclose(from);
}

static unsigned int total(const struct kernel_state_counts *counts)
{
	return counts->n_opens + counts->n_locks + counts->n_delegations + counts->n_layouts;
}

static int look_at(const char *proc, const char *number, dev_t device, kernel_client_fn each,
		   void *userdata)
{
	struct kernel_client client = { .number = number };
	struct info info = { 0 };
	int r;

	read_states(proc, device, &client);
	if (total(&client.here) == 0)
		return 0;
	read_info(proc, number, &info);
	client.address = info.address ?: "?";
	client.name = info.name ?: "?";
	client.is_gone = info.is_gone;
	r = each(userdata, &client);
	free(info.address);
	free(info.name);
	return r;
}

int kernel_clients_each(const char *proc, dev_t device, kernel_client_fn each, void *userdata)
{
	CLEANUP(freep) char *path = NULL;
	const struct dirent *entry;
	DIR *directory;
	int r = 0;

	if (asprintf(&path, "%s/fs/nfsd/clients", proc) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	directory = opendir(path);
	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			r = look_at(proc, entry->d_name, device, each, userdata);
	closedir(directory);
	return r;
}

/* ---- judging ---- */

static bool needs(const struct kernel_state_counts *counts)
{
	return counts->n_opens || counts->n_locks || counts->n_layouts;
}

static int judge(void *userdata, const struct kernel_client *client)
{
	enum kernel_hold *hold = userdata;

	if (client->is_gone)
		return 0;
	*hold = needs(&client->here) ? KERNEL_HOLD_FILES : KERNEL_HOLD_DELEGATIONS;
	return *hold == KERNEL_HOLD_FILES;
}

enum kernel_hold kernel_clients_hold(const char *proc, dev_t device)
{
	enum kernel_hold hold = KERNEL_HOLD_NOTHING;

	(void)kernel_clients_each(proc, device, judge, &hold);
	return hold;
}

unsigned int kernel_lease_seconds(const char *proc)
{
	enum { DEFAULT_SECONDS = 90 };
	unsigned int seconds = DEFAULT_SECONDS;
	CLEANUP(freep) char *path = NULL;
	FILE *from;

	if (asprintf(&path, "%s/fs/nfsd/nfsv4leasetime", proc) < 0) {
		path = NULL;
		return seconds;
	}
	from = fopen(path, "re");
	if (from && fscanf(from, "%u", &seconds) != 1)
		seconds = DEFAULT_SECONDS;
	if (from)
		fclose(from);
	return seconds;
}

/* ---- letting go ---- */

struct victims {
	char *numbers[VICTIMS_MAX];
	size_t n;
	bool all; /* whoever holds something; else only those who lose nothing */
	bool is_rest; /* somebody else holds something there */
};

static int choose(void *userdata, const struct kernel_client *client)
{
	struct victims *victims = userdata;
	bool is_harmless = client->is_gone || (!needs(&client->here) && !needs(&client->elsewhere));

	if ((!victims->all && !is_harmless) || victims->n == VICTIMS_MAX) {
		victims->is_rest = true;
		return 0;
	}
	victims->numbers[victims->n] = strdup(client->number);
	if (victims->numbers[victims->n])
		victims->n++;
	return 0;
}

static void victims_done(struct victims *victims)
{
	while (victims->n)
		free(victims->numbers[--victims->n]);
}

static bool kernel_revokes(void)
{
	struct utsname name;
	unsigned int major_number = 0, minor_number = 0;

	return uname(&name) == 0 &&
	       sscanf(name.release, "%u.%u", &major_number, &minor_number) == 2 &&
	       (major_number > 6 || (major_number == 6 && minor_number >= 9));
}

/* Does anybody hold a lock there? NFSv3 clients' are among them (/proc/locks: MAJOR:MINOR:INODE). */
static bool has_locks(const char *proc, dev_t device)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *line = NULL;
	char wanted[32];
	size_t size = 0;
	bool has = false;
	FILE *from;

	(void)snprintf(wanted, sizeof(wanted), " %02x:%02x:", major(device), minor(device));
	if (asprintf(&path, "%s/locks", proc) < 0) {
		path = NULL;
		return true;
	}
	from = fopen(path, "re");
	while (from && !has && getline(&line, &size, from) > 0)
		has = strstr(line, wanted) && !strstr(line, "LEASE") && !strstr(line, "DELEG");
	if (from)
		fclose(from);
	return has || !from;
}

/* In a process of its own. */
static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		(void)errno; /* what it would have freed is still held, and that is looked at */
	close(fd);
}

/*
 * Once it is unmounted, the path leads to the file system that it covered, whose clients have done nothing. So the
 * kernel is told of what was opened and looked at; it takes a path only.
 */
static void unlock(const char *proc, const char *mounted, dev_t device)
{
	CLEANUP(closep) int fd = open(mounted, O_PATH | O_CLOEXEC);
	CLEANUP(freep) char *path = NULL;
	char text[40];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != device)
		return;
	(void)snprintf(text, sizeof(text), "/proc/self/fd/%d/.\n", fd);
	if (asprintf(&path, "%s/fs/nfsd/unlock_filesystem", proc) < 0)
		path = NULL;
	else
		write_text(path, text);
}

/* @unlocked: the file system's root; NULL: its state is left alone */
static void let_go(const char *proc, const struct victims *victims, const char *unlocked,
		   dev_t device)
{
	for (size_t i = 0; i < victims->n; i++) {
		CLEANUP(freep) char *control = NULL;

		if (asprintf(&control, "%s/fs/nfsd/clients/%s/ctl", proc, victims->numbers[i]) < 0)
			return;
		write_text(control, "expire\n");
	}
	if (unlocked)
		unlock(proc, unlocked, device);
}

/* The process that waits is init's child, so that nobody here need wait for it. */
static int let_go_aside(const char *proc, const struct victims *victims, const char *unlocked,
			dev_t device)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close_range(3, ~0U, 0); /* none of the daemon's descriptors may hold a mount */
		if (fork() == 0)
			let_go(proc, victims, unlocked, device);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

void kernel_clients_shed(const char *proc, const char *path, dev_t device)
{
	struct victims victims = { .n = 0 };
	bool unlocks;

	(void)kernel_clients_each(proc, device, choose, &victims);
	unlocks = victims.is_rest && kernel_revokes() &&
		  kernel_clients_hold(proc, device) != KERNEL_HOLD_FILES &&
		  !has_locks(proc, device);
	if (victims.n > 0 || unlocks)
		(void)let_go_aside(proc, &victims, unlocks ? path : NULL, device);
	victims_done(&victims);
}

int kernel_clients_revoke(const char *proc, const char *path, dev_t device)
{
	struct victims victims = { .all = true };
	int r = kernel_clients_each(proc, device, choose, &victims);

	/* unlock_filesystem takes away NFSv3 clients' locks everywhere, and all state where the kernel can. */
	if (r == 0 && kernel_revokes())
		while (victims.n)
			free(victims.numbers[--victims.n]);
	if (r == 0)
		r = let_go_aside(proc, &victims, path, device);
	victims_done(&victims);
	return r;
}
