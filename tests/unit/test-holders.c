/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-holders.c - who holds a file system, from files such as the kernel writes, and what of it counts.
 */

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "exportsd/ctl/holders.h"
#include "exportsd/kernel/clients.h"
#include "tests/tap.h"

static char proc[] = "/tmp/test-holders-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[300];
	FILE *to;

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	if (!text) {
		mkdir(path, 0755);
		return;
	}
	to = fopen(path, "w");
	fputs(text, to);
	fclose(to);
}

static void put_client(const char *number, const char *status, const char *states)
{
	char name[64], text[200];

	snprintf(name, sizeof(name), "fs/nfsd/clients/%s", number);
	put(name, NULL);
	snprintf(name, sizeof(name), "fs/nfsd/clients/%s/states", number);
	put(name, states);
	snprintf(text, sizeof(text),
		 "clientid: 0x1\naddress: \"192.0.2.%s:700\"\nstatus: %s\nname: \"host \\\"%s\"\n",
		 number, status, number);
	snprintf(name, sizeof(name), "fs/nfsd/clients/%s/info", number);
	put(name, text);
}

#define STATE(type, device, rest)                                                                  \
	"- 0x01: { type: " type ", access: r-, superblock: \"" device                              \
	":12\", filename: \"f\"" rest " }\n"

static char found[2000];

static void note(void *userdata, const struct holder *holder)
{
	snprintf(found + strlen(found), sizeof(found) - strlen(found), "%d %s: %s\n",
		 (int)holder->kind, holder->who, holder->what);
}

static const char *holders(unsigned int minor_number)
{
	found[0] = '\0';
	if (holders_each(proc, makedev(7, minor_number), note, NULL) < 0)
		return "failed";
	return found;
}

static int note_client(void *userdata, const struct kernel_client *client)
{
	*(struct kernel_client *)userdata = *client;
	return 0;
}

static void test_clients(void)
{
	struct kernel_client client = { 0 };
	struct kernel_holdings *holdings = NULL;

	put_client("1", "confirmed",
		   STATE("open", "07:0a", "") STATE("lock", "07:0a", "") STATE("open", "07:0b", "")
			   STATE("deleg", "07:0b", ""));
	put_client("2", "courtesy", STATE("open", "07:0c", ""));
	put_client("3", "confirmed", STATE("deleg", "07:0d", "") STATE("deleg", "07:0d", ""));
	put_client("4", "confirmed", STATE("open", "07:0e", ", admin-revoked"));
	put_client("5", "confirmed",
		   "- 0x01: { type: open, superblock: \"07:0f:1\", filename: \"{ type: lock, "
		   "superblock: \\\"07:0a:1\\\"\" }\n");
	is_str(holders(10), "0 192.0.2.1:700: host \\\"1, 1 open file, 1 lock\n",
	       "a client with a file and a lock");
	is_str(holders(11), "0 192.0.2.1:700: host \\\"1, 1 open file, 1 delegation\n",
	       "the same elsewhere");
	is_str(holders(13), "0 192.0.2.3:700: host \\\"3, 2 delegations\n", "delegations");
	is_str(holders(12), "0 192.0.2.2:700: host \\\"2, 1 open file, not heard of any more\n",
	       "one that is gone");
	is_str(holders(14), "", "what is revoked holds nothing");
	is_str(holders(15), "0 192.0.2.5:700: host \\\"5, 1 open file\n",
	       "a file's name is no state");
	is_str(holders(99), "", "nobody");
	put_client(
		"6", "confirmed",
		"- 0x01: { type: open, superblock: \"07:10:1\", filename: \"x/admin-revoked\", owner: \"o\" }\n");
	is_str(holders(16), "0 192.0.2.6:700: host \\\"6, 1 open file\n",
	       "nor a word of the kernel's");
	put_client(
		"7", "confirmed",
		"- 0x01: { type: open, superblock: \"07:11:1\", filename: \"x/a: {\n}\n\n- \"\n"
		"- 0x02: { type: lock, superblock: \"07:11:1\", filename: \"x\r\t'\", owner: \"\\n\" }\n"
		"- 0x03: { type: deleg, superblock: \"07:11:99999999999999999999999999\" }\n"
		"- 0x04: { type: open, superblock: \"\" }\n- 0x05: { type: \n- 0x06: { type: layout, superblock: \"07:");
	is_str(holders(17), "0 192.0.2.7:700: host \\\"7, 1 open file, 1 lock, 1 delegation\n",
	       "names of several lines, and lines that are cut short");
	put("fs/nfsd/clients/8", NULL);
	put("fs/nfsd/clients/9", NULL);
	put("fs/nfsd/clients/9/states", STATE("open", "07:12", ""));
	put("fs/nfsd/clients/10", "no directory");
	is_str(holders(18), "0 ?: ?, 1 open file\n", "clients that go while they are looked at");
	is_int(kernel_holdings_read(proc, &holdings), 0, "one reading of all");
	kernel_holdings_each(holdings, makedev(7, 10), note_client, &client);
	is_int(client.elsewhere.n_opens * 10 + client.elsewhere.n_delegations, 11,
	       "what it holds elsewhere is counted apart");
	is_int(kernel_holdings_on(holdings, makedev(7, 10)), KERNEL_HOLD_FILES, "files count");
	is_int(kernel_holdings_on(holdings, makedev(7, 11)), KERNEL_HOLD_FILES,
	       "whatever else is held");
	is_int(kernel_holdings_on(holdings, makedev(7, 12)), KERNEL_HOLD_NOTHING,
	       "not those of clients that are gone");
	is_int(kernel_holdings_on(holdings, makedev(7, 13)), KERNEL_HOLD_DELEGATIONS,
	       "delegations are told from files");
	is_int(kernel_holdings_on(holdings, makedev(7, 14)), KERNEL_HOLD_NOTHING,
	       "nothing is nothing");
	is_int(kernel_holdings_on(holdings, makedev(7, 99)), KERNEL_HOLD_NOTHING, "nor elsewhere");
	ok(kernel_holdings_count(holdings, makedev(7, 10), UINT64_MAX), "files always count");
	ok(kernel_holdings_count(holdings, makedev(7, 13), 719 * UINT64_C(1000000)) &&
		   !kernel_holdings_count(holdings, makedev(7, 13), 720 * UINT64_C(1000000)),
	   "delegations for 8 leases of 90 s");
	ok(!kernel_holdings_count(holdings, makedev(7, 12), 0), "nothing never");
	kernel_holdings_free(holdings);
	put("fs/nfsd/nfsv4leasetime", "10\n");
	kernel_holdings_read(proc, &holdings);
	ok(!kernel_holdings_count(holdings, makedev(7, 13), 80 * UINT64_C(1000000)),
	   "or what the kernel says");
	kernel_holdings_free(holdings);
	is_int(kernel_holdings_read("/nonexistent", &holdings), 0, "without nfsd");
	is_int(kernel_holdings_on(holdings, makedev(7, 10)), KERNEL_HOLD_NOTHING,
	       "nobody holds anything");
	kernel_holdings_free(holdings);
}

static void test_processes(void)
{
	struct stat facts;
	char path[300], line[600];

	put("locks", "1: POSIX  ADVISORY  READ 77 07:20:1856 0 EOF\n"
		     "2: POSIX  ADVISORY  READ 78 07:20:1857 0 EOF\n");
	put("77", NULL);
	put("77/comm", "lockd\n");
	put("78", NULL);
	put("78/comm", "reader\n");
	is_str(holders(32), "1 lockd: lock of an NFSv3 client, inode 1856\n",
	       "a lock of lockd's is an NFSv3 client's, a process's is its own");
	put("78/maps", "7f0000-7f1000 r-xp 00000000 07:21 12 /mnt/x\n");
	is_str(holders(33), "2 78: reader, mapped into its memory\n", "a mapped file");
	stat(proc, &facts);
	snprintf(path, sizeof(path), "%s/78/cwd", proc);
	if (symlink(proc, path) < 0)
		perror(path);
	put("78/fd", NULL);
	snprintf(path, sizeof(path), "%s/78/fd/3", proc);
	if (symlink(proc, path) < 0)
		perror(path);
	found[0] = '\0';
	is_int(holders_each(proc, facts.st_dev, note, NULL), 1, "one process");
	snprintf(line, sizeof(line), "2 78: reader, open %s, in %s\n", proc, proc);
	is_str(found, line, "with a file open, and in a directory");
}

static const char *unlocked(void)
{
	static char text[100];
	char path[300];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/fs/nfsd/unlock_filesystem", proc);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void test_unlocking(void)
{
	struct stat facts;

	stat(proc, &facts);
	put("fs/nfsd/unlock_filesystem", "");
	is_int(kernel_clients_revoke(proc, proc, makedev(7, 99), false), 0, "state is taken away");
	is_str(unlocked(), "", "but not of what a path leads to once the medium is unmounted");
	kernel_clients_revoke(proc, proc, facts.st_dev, false);
	ok(strncmp(unlocked(), "/proc/self/fd/", 14) == 0, "only of that very file system");
}

int main(void)
{
	char command[100];

	if (!mkdtemp(proc))
		return 1;
	put("fs", NULL);
	put("fs/nfsd", NULL);
	put("fs/nfsd/clients", NULL);
	test_clients();
	test_processes();
	test_unlocking();
	snprintf(command, sizeof(command), "rm -r %s", proc);
	if (system(command) != 0)
		return 1;
	return tap_done();
}
