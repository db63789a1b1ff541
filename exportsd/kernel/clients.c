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
#include <uthash.h>

#include "parser/index.h"
#include "parser/text.h"

/* What one client holds on one file system. */
struct held {
	UT_hash_handle hh;
	dev_t device;
	struct kernel_state_counts counts;
};

struct holder {
	char *number, *address, *name;
	bool is_gone;
	struct held *by_device;
	struct kernel_state_counts total;
};

struct kernel_holdings {
	const char *proc; /* while it is read */
	VECTOR(struct holder) holders;
	unsigned int lease_seconds; /* a client may be silent for so long before it is gone */
};

/* ---- reading ---- */

/* @client: its directory; NULL: nfsd's own */
static FILE *open_file(const char *proc, const char *client, const char *name)
{
	CLEANUP(freep)
	char *path = text_format("%s/fs/nfsd/%s%s/%s", proc, client ? "clients/" : "",
				 client ?: ".", name);

	return path ? fopen(path, "re") : NULL;
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

static void count_state(enum state_kind kind, struct kernel_state_counts *counts)
{
	switch (kind) {
	case STATE_OPEN: counts->n_opens++; break;
	case STATE_LOCK: counts->n_locks++; break;
	case STATE_DELEGATION: counts->n_delegations++; break;
	case STATE_LAYOUT: counts->n_layouts++; break;
	}
}

static struct held *held_on(struct holder *holder, dev_t device)
{
	struct held *held;

	HASH_FIND(hh, holder->by_device, &device, sizeof(device), held);
	if (held)
		return held;
	held = calloc(1, sizeof(*held));
	if (!held)
		return NULL;
	held->device = device;
	HASH_ADD(hh, holder->by_device, device, sizeof(held->device), held);
	if (held->hh.tbl)
		return held;
	free(held);
	return NULL;
}

static int take_state(struct holder *holder, const char *line)
{
	enum state_kind kind;
	struct held *held;
	dev_t device;

	if (!parse_state(line, &kind, &device))
		return 0;
	count_state(kind, &holder->total);
	if (!device)
		return 0;
	held = held_on(holder, device);
	if (!held)
		return -ENOMEM;
	count_state(kind, &held->counts);
	return 0;
}

static int read_states(const char *proc, struct holder *holder)
{
	FILE *from = open_file(proc, holder->number, "states");
	CLEANUP(freep) char *line = NULL;
	size_t size = 0;
	int r = 0;

	while (from && r == 0 && getline(&line, &size, from) > 0)
		r = take_state(holder, line);
	if (from)
		fclose(from);
	return r;
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

static void read_info(const char *proc, struct holder *holder)
{
	FILE *from = open_file(proc, holder->number, "info");
	CLEANUP(freep) char *line = NULL;
	size_t size = 0;

	while (from && getline(&line, &size, from) > 0) {
		const char *value;

		if ((value = value_of(line, "address: ")) && !holder->address)
			holder->address = strdup(value);
		else if ((value = value_of(line, "name: ")) && !holder->name)
			holder->name = strdup(value);
		else if ((value = value_of(line, "status: ")))
			holder->is_gone =
				str_equal(value, "courtesy") || str_equal(value, "expirable");
	}
	if (from)
		fclose(from);
}

static void holder_done(struct holder *holder)
{
	struct held *held, *next;

	HASH_ITER (hh, holder->by_device, held, next) {
		HASH_DEL(holder->by_device, held);
		free(held);
	}
	free(holder->number);
	free(holder->address);
	free(holder->name);
}

static int read_holder(struct kernel_holdings *holdings, const char *number)
{
	struct holder *holder;
	int r = vector_add(&holdings->holders, (struct holder){ .number = strdup(number) });

	if (r < 0)
		return r;
	holder = &holdings->holders.items[holdings->holders.n - 1];
	r = holder->number ? read_states(holdings->proc, holder) : -ENOMEM;
	if (r == 0 && holder->by_device)
		read_info(holdings->proc, holder);
	return r;
}

static int read_holders(struct kernel_holdings *holdings)
{
	CLEANUP(freep) char *path = text_format("%s/fs/nfsd/clients", holdings->proc);
	const struct dirent *entry;
	DIR *directory;
	int r = 0;

	if (!path)
		return -ENOMEM;
	directory = opendir(path);
	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			r = read_holder(holdings, entry->d_name);
	closedir(directory);
	return r;
}

static unsigned int read_lease_seconds(const char *proc)
{
	enum { DEFAULT_SECONDS = 90 };
	unsigned int seconds = DEFAULT_SECONDS;
	FILE *from = open_file(proc, NULL, "nfsv4leasetime");

	if (from && fscanf(from, "%u", &seconds) != 1)
		seconds = DEFAULT_SECONDS;
	if (from)
		fclose(from);
	return seconds;
}

int kernel_holdings_read(const char *proc, struct kernel_holdings **ret_holdings)
{
	struct kernel_holdings *holdings = calloc(1, sizeof(*holdings));
	int r;

	if (!holdings)
		return -ENOMEM;
	holdings->proc = proc;
	holdings->lease_seconds = read_lease_seconds(proc);
	r = read_holders(holdings);
	if (r < 0) {
		kernel_holdings_free(holdings);
		return r;
	}
	*ret_holdings = holdings;
	return 0;
}

struct kernel_holdings *kernel_holdings_free(struct kernel_holdings *holdings)
{
	if (!holdings)
		return NULL;
	for (size_t i = 0; i < holdings->holders.n; i++)
		holder_done(&holdings->holders.items[i]);
	free(holdings->holders.items);
	free(holdings);
	return NULL;
}

/* ---- judging ---- */

static const struct kernel_state_counts *counts_on(const struct holder *holder, dev_t device)
{
	const struct held *held;

	HASH_FIND(hh, holder->by_device, &device, sizeof(device), held);
	return held ? &held->counts : NULL;
}

int kernel_holdings_each(const struct kernel_holdings *holdings, dev_t device,
			 kernel_client_fn each, void *userdata)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < holdings->holders.n; i++) {
		const struct holder *holder = &holdings->holders.items[i];
		const struct kernel_state_counts *here = counts_on(holder, device),
						 *all = &holder->total;
		struct kernel_client client;

		if (!here)
			continue;
		client = (struct kernel_client){
			.number = holder->number,
			.address = holder->address ?: "?",
			.name = holder->name ?: "?",
			.is_gone = holder->is_gone,
			.here = *here,
			.elsewhere = { all->n_opens - here->n_opens, all->n_locks - here->n_locks,
				       all->n_delegations - here->n_delegations,
				       all->n_layouts - here->n_layouts },
		};
		r = each(userdata, &client);
	}
	return r;
}

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

enum kernel_hold kernel_holdings_on(const struct kernel_holdings *holdings, dev_t device)
{
	enum kernel_hold hold = KERNEL_HOLD_NOTHING;

	(void)kernel_holdings_each(holdings, device, judge, &hold);
	return hold;
}

bool kernel_holdings_count(const struct kernel_holdings *holdings, dev_t device,
			   uint64_t quiet_usec)
{
	enum { DELEGATION_LEASES = 8 };
	uint64_t lease_usec = UINT64_C(1000000) * holdings->lease_seconds;

	switch (kernel_holdings_on(holdings, device)) {
	case KERNEL_HOLD_NOTHING: break;
	case KERNEL_HOLD_DELEGATIONS: return quiet_usec < DELEGATION_LEASES * lease_usec;
	case KERNEL_HOLD_FILES: return true;
	}
	return false;
}

/* ---- letting go ---- */

struct letting_go {
	const char *proc;
	bool all; /* whoever holds something; else only those who lose nothing */
	bool is_rest; /* somebody else holds something there */
};

/* What it would have freed may still be held: that is looked at. */
static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		(void)errno;
	close(fd);
}

static int expire(void *userdata, const struct kernel_client *client)
{
	struct letting_go *letting_go = userdata;
	CLEANUP(freep) char *control = NULL;
	bool is_harmless = client->is_gone || (!needs(&client->here) && !needs(&client->elsewhere));

	if (!is_harmless && !letting_go->all) {
		letting_go->is_rest = true;
		return 0;
	}
	control = text_format("%s/fs/nfsd/clients/%s/ctl", letting_go->proc, client->number);
	if (control)
		write_text(control, "expire\n");
	return control ? 0 : -ENOMEM;
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
	CLEANUP(freep) char *path = text_format("%s/locks", proc);
	CLEANUP(freep) char *line = NULL;
	char wanted[32];
	size_t size = 0;
	bool has = false;
	FILE *from;

	(void)snprintf(wanted, sizeof(wanted), " %02x:%02x:", major(device), minor(device));
	from = path ? fopen(path, "re") : NULL;
	while (from && !has && getline(&line, &size, from) > 0)
		has = strstr(line, wanted) && !strstr(line, "LEASE") && !strstr(line, "DELEG");
	if (from)
		fclose(from);
	return has || !from;
}

/*
 * Once it is unmounted, the path leads to the file system that it covered, whose clients have done
 * nothing. So the kernel is told of what was opened and looked at; it takes a path only.
 */
static void unlock(const char *proc, const char *mounted, dev_t device)
{
	CLEANUP(closep) int fd = open(mounted, O_PATH | O_CLOEXEC);
	CLEANUP(freep) char *path = text_format("%s/fs/nfsd/unlock_filesystem", proc);
	char text[40];
	struct stat st;

	if (!path || fd < 0 || fstat(fd, &st) < 0 || st.st_dev != device)
		return;
	(void)snprintf(text, sizeof(text), "/proc/self/fd/%d/.\n", fd);
	write_text(path, text);
}

static int shed(const char *proc, const char *path, dev_t device,
		const struct kernel_holdings *holdings)
{
	struct letting_go letting_go = { .proc = proc };
	int r = kernel_holdings_each(holdings, device, expire, &letting_go);

	if (letting_go.is_rest && kernel_revokes() &&
	    kernel_holdings_on(holdings, device) != KERNEL_HOLD_FILES && !has_locks(proc, device))
		unlock(proc, path, device);
	return r;
}

int kernel_clients_shed(const char *proc, const char *path, dev_t device)
{
	struct kernel_holdings *holdings = NULL;
	int r = kernel_holdings_read(proc, &holdings);

	if (r == 0)
		r = shed(proc, path, device, holdings);
	kernel_holdings_free(holdings);
	return r;
}

int kernel_clients_revoke(const char *proc, const char *path, dev_t device, bool spares_others)
{
	struct letting_go letting_go = { .proc = proc, .all = true };
	struct kernel_holdings *holdings = NULL;
	bool revokes = kernel_revokes();
	int r = 0;

	if (spares_others && !revokes)
		return kernel_clients_shed(proc, path, device);
	if (!revokes)
		r = kernel_holdings_read(proc, &holdings);
	if (r == 0 && holdings)
		r = kernel_holdings_each(holdings, device, expire, &letting_go);
	/*
	 * This takes away NFSv3 clients' locks everywhere, and all state where the kernel can.
	 */
	if (r == 0)
		unlock(proc, path, device);
	kernel_holdings_free(holdings);
	return r;
}
