/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * clients.c - /proc/fs/nfsd/clients/<number>/{info,states,ctl}.
 *
 * A line of states is
 *
 * 	- 0x...: { type: open, access: r-, deny: --, superblock: "07:00:1856", filename:
 * "readme.txt", owner: ... }
 *
 * with type first and superblock (hexadecimal device, inode) before any text that a client chose.
 * States that are revoked already (", admin-revoked }" ends the line, Linux 6.9) hold nothing.
 *
 * The kernel writes a file's name as it is (nfs4_show_fname()), line feeds too, so whoever names
 * files can have any line there. What is read is therefore only believed to keep a medium: one that
 * is said to be free is unmounted without force, which the kernel refuses if it is not.
 */

#include "exportsd/kernel/clients.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <uthash.h>

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

enum state_kind { STATE_OPEN, STATE_LOCK, STATE_DELEGATION, STATE_LAYOUT };

static bool is_revoked(const char *line)
{
	static const char end[] = ", admin-revoked }\n";
	size_t length = strlen(line);

	return length >= strlen(end) && str_equal(line + length - strlen(end), end);
}

/* Returns false if it holds nothing. @ret_device: 0: it is not said where */
static bool parse_state(const char *line, enum state_kind *ret_kind, dev_t *ret_device)
{
	static const char *const words[] = { [STATE_OPEN] = "open",
					     [STATE_LOCK] = "lock",
					     [STATE_DELEGATION] = "deleg",
					     [STATE_LAYOUT] = "layout" };
	const char *type = strstr(line, "{ type: "), *block = strstr(line, "superblock: \"");
	unsigned int major_number, minor_number;

	if (!type || is_revoked(line))
		return false;
	type += strlen("{ type: ");
	*ret_device = 0;
	if (block && sscanf(block, "superblock: \"%x:%x:", &major_number, &minor_number) == 2)
		*ret_device = makedev(major_number, minor_number);
	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (strncmp(type, words[i], strlen(words[i])) == 0) {
			*ret_kind = (enum state_kind)i;
			return true;
		}
	return false;
}

static void count_state(const char *line, dev_t device, struct kernel_client *client)
{
	struct kernel_state_counts *counts;
	enum state_kind kind;
	dev_t where;

	if (!parse_state(line, &kind, &where))
		return;
	counts = where == device && where ? &client->here : &client->elsewhere;
	switch (kind) {
	case STATE_OPEN: counts->n_opens++; break;
	case STATE_LOCK: counts->n_locks++; break;
	case STATE_DELEGATION: counts->n_delegations++; break;
	case STATE_LAYOUT: counts->n_layouts++; break;
	}
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

/*
 * Call back with the number of each client. Returns 0; what @each returned, if not 0, which ends
 * it; -errno.
 */
static int each_number(const char *proc, int (*each)(void *userdata, const char *number),
		       void *userdata)
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
			r = each(userdata, entry->d_name);
	closedir(directory);
	return r;
}

struct looking {
	const char *proc;
	dev_t device;
	kernel_client_fn each;
	void *userdata;
};

static int look_for(void *userdata, const char *number)
{
	const struct looking *looking = userdata;

	return look_at(looking->proc, number, looking->device, looking->each, looking->userdata);
}

int kernel_clients_each(const char *proc, dev_t device, kernel_client_fn each, void *userdata)
{
	struct looking looking = {
		.proc = proc, .device = device, .each = each, .userdata = userdata
	};

	return each_number(proc, look_for, &looking);
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

/* ---- all file systems in one look ---- */

struct held {
	UT_hash_handle hh;
	dev_t device;
	enum kernel_hold hold;
};

struct kernel_holds {
	const char *proc; /* while it is looked */
	struct held *by_device;
};

static int note_state(struct kernel_holds *holds, enum state_kind kind, dev_t device)
{
	enum kernel_hold hold =
		kind == STATE_DELEGATION ? KERNEL_HOLD_DELEGATIONS : KERNEL_HOLD_FILES;
	struct held *held;

	HASH_FIND(hh, holds->by_device, &device, sizeof(device), held);
	if (!held) {
		held = calloc(1, sizeof(*held));
		if (!held)
			return -ENOMEM;
		held->device = device;
		HASH_ADD(hh, holds->by_device, device, sizeof(held->device), held);
		if (!held->hh.tbl) {
			free(held);
			return -ENOMEM;
		}
	}
	if (held->hold != KERNEL_HOLD_FILES)
		held->hold = hold;
	return 0;
}

static int note_states(void *userdata, const char *number)
{
	struct kernel_holds *holds = userdata;
	CLEANUP(freep) char *line = NULL;
	struct info info = { 0 };
	size_t size = 0;
	FILE *from;
	int r = 0;

	read_info(holds->proc, number, &info);
	free(info.address);
	free(info.name);
	from = info.is_gone ? NULL : open_file(holds->proc, number, "states");
	while (from && r == 0 && getline(&line, &size, from) > 0) {
		enum state_kind kind;
		dev_t device;

		if (parse_state(line, &kind, &device) && device)
			r = note_state(holds, kind, device);
	}
	if (from)
		fclose(from);
	return r;
}

int kernel_holds_look(const char *proc, struct kernel_holds **ret_holds)
{
	struct kernel_holds *holds = calloc(1, sizeof(*holds));
	int r;

	if (!holds)
		return -ENOMEM;
	holds->proc = proc;
	r = each_number(proc, note_states, holds);
	if (r < 0) {
		kernel_holds_free(holds);
		return r;
	}
	*ret_holds = holds;
	return 0;
}

struct kernel_holds *kernel_holds_free(struct kernel_holds *holds)
{
	struct held *held, *next;

	if (!holds)
		return NULL;
	HASH_ITER (hh, holds->by_device, held, next) {
		HASH_DEL(holds->by_device, held);
		free(held);
	}
	free(holds);
	return NULL;
}

enum kernel_hold kernel_holds_on(const struct kernel_holds *holds, dev_t device)
{
	const struct held *held;

	HASH_FIND(hh, holds->by_device, &device, sizeof(device), held);
	return held ? held->hold : KERNEL_HOLD_NOTHING;
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

/*
 * Does anybody hold a lock there? NFSv3 clients' are among them (/proc/locks: MAJOR:MINOR:INODE).
 */
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
 * Once it is unmounted, the path leads to the file system that it covered, whose clients have done
 * nothing. So the kernel is told of what was opened and looked at; it takes a path only.
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

int kernel_clients_revoke(const char *proc, const char *path, dev_t device, bool spares_others)
{
	struct victims victims = { .all = true };
	int r;

	if (spares_others && !kernel_revokes()) {
		kernel_clients_shed(proc, path, device);
		return 0;
	}
	r = kernel_clients_each(proc, device, choose, &victims);
	/*
	 * unlock_filesystem takes away NFSv3 clients' locks everywhere, and all state where the
	 * kernel can.
	 */
	if (r == 0 && kernel_revokes())
		while (victims.n)
			free(victims.numbers[--victims.n]);
	if (r == 0)
		r = let_go_aside(proc, &victims, path, device);
	victims_done(&victims);
	return r;
}
