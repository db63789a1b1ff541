/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-names.c - the name service, asked for real: in a mount and network namespace of its own, with a
 * private /etc and a small DNS server that tells what it is told to tell, lies among it.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "exportsd/base/address.h"
#include "exportsd/names/clients.h"
#include "exportsd/names/names.h"
#include "exportsd/worker/worker.h"
#include "exportsd/workers.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

enum { PATIENCE_MSEC = 20000, MANY_GROUPS = 3000, LATE_MSEC = 100, N_LATE = 200 };

static sd_event *event;

/* ---- a DNS server (RFC 1035), for one question a packet ---- */

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_PTR = 12, TYPE_AAAA = 28, SILENT = 1000, SERVFAIL = 1001 };

static const struct record {
	const char *name;
	unsigned int type;
	const char *value;
} records[] = {
	{ "10.2.0.192.in-addr.arpa", TYPE_PTR, "alpha.example.test" },
	{ "alpha.example.test", TYPE_A, "192.0.2.10" },
	{ "66.113.0.203.in-addr.arpa", TYPE_PTR, "evil.example.test" }, /* nobody confirms it */
	{ "evil.example.test", TYPE_A, "192.0.2.99" },
	{ "11.2.0.192.in-addr.arpa", TYPE_PTR, "www.example.test" },
	{ "www.example.test", TYPE_CNAME, "beta.example.test" },
	{ "beta.example.test", TYPE_A, "192.0.2.11" },
	{ "12.2.0.192.in-addr.arpa", TYPE_PTR, "192.0.2.10" }, /* looks like an address */
	{ "13.2.0.192.in-addr.arpa", SILENT, "" },
	{ "14.2.0.192.in-addr.arpa", SERVFAIL, "" },
	{ "15.2.0.192.in-addr.arpa", TYPE_PTR, "half.example.test" },
	{ "half.example.test", SERVFAIL, "" },
	{ "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", TYPE_PTR,
	  "six.example.test" },
	{ "six.example.test", TYPE_AAAA, "2001:db8::7" },
	{ "slow.example.test", SILENT, "" },
};

static unsigned int *n_queries; /* shared with the server */

static size_t put_name(uint8_t *to, const char *name)
{
	size_t n = 0;

	for (;;) {
		size_t label = strcspn(name, ".");

		to[n++] = (uint8_t)label;
		memcpy(to + n, name, label);
		n += label;
		if (!name[label] || !label)
			break;
		name += label + 1;
	}
	to[n++] = 0;
	return n;
}

static size_t put_record(uint8_t *to, const char *owner, unsigned int type, const char *value)
{
	size_t n = put_name(to, owner), length;
	uint8_t *head = to + n;

	memcpy(head, (uint8_t[]){ 0, (uint8_t)type, 0, 1, 0, 0, 0, 60 }, 8);
	if (type == TYPE_A) {
		inet_pton(AF_INET, value, head + 10);
		length = 4;
	} else if (type == TYPE_AAAA) {
		inet_pton(AF_INET6, value, head + 10);
		length = 16;
	} else {
		length = put_name(head + 10, value);
	}
	head[8] = 0;
	head[9] = (uint8_t)length;
	return n + 10 + length;
}

/* Records of a name, through its CNAME. Returns their bytes; -1: say nothing; -2: SERVFAIL; -3: no such name. */
static int answer_for(const char *name, unsigned int type, uint8_t *to, unsigned int *n_answers)
{
	bool exists = false;
	int n = 0;

	if (strncmp(name, "silent-", 7) == 0)
		return -1;
	for (size_t i = 0; i < N_ELEMENTS(records); i++) {
		const struct record *record = &records[i];

		if (strcasecmp(record->name, name) != 0)
			continue;
		exists = true;
		if (record->type == SILENT || record->type == SERVFAIL)
			return record->type == SILENT ? -1 : -2;
		if (record->type != type && record->type != TYPE_CNAME)
			continue;
		n += (int)put_record(to + n, name, record->type, record->value);
		++*n_answers;
		if (record->type == TYPE_CNAME)
			n += answer_for(record->value, type, to + n, n_answers);
	}
	return exists ? n : -3;
}

/* Names "late-N.example.test" have an address, which is told after 100 ms. */
static bool is_late(const char *name)
{
	return strncmp(name, "late-", 5) == 0;
}

static void send_later(int fd, const uint8_t *packet, size_t n_bytes, const struct sockaddr_in *to)
{
	if (fork() == 0) {
		usleep(LATE_MSEC * 1000);
		sendto(fd, packet, n_bytes, 0, (const struct sockaddr *)to, sizeof(*to));
		_exit(0);
	}
}

static void serve_dns(int fd)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		uint8_t packet[1500];
		struct sockaddr_in from;
		socklen_t length = sizeof(from);
		char name[512] = "";
		unsigned int n_answers = 0;
		size_t at = 12;
		ssize_t n;
		int size;

		n = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &length);
		if (n < 17)
			continue;
		__atomic_fetch_add(n_queries, 1, __ATOMIC_SEQ_CST);
		for (; packet[at]; at += packet[at] + 1u) {
			strncat(name, (char *)packet + at + 1, packet[at]);
			if (packet[at + packet[at] + 1u])
				strcat(name, ".");
		}
		at += 5;
		if (is_late(name) && packet[at - 3] == TYPE_A)
			size = (int)put_record(packet + at, name, TYPE_A, "192.0.2.200");
		else if (is_late(name))
			size = 0;
		else
			size = answer_for(name, packet[at - 3], packet + at, &n_answers);
		if (is_late(name))
			n_answers = size > 0;
		if (size == -1)
			continue;
		packet[2] = 0x85; /* an authoritative answer */
		packet[3] = size == -2 ? 0x82 : size == -3 ? 0x83 : 0x80;
		memset(packet + 6, 0, 6);
		packet[7] = (uint8_t)n_answers;
		if (is_late(name)) {
			send_later(fd, packet, at + (size_t)size, &from);
			continue;
		}
		sendto(fd, packet, at + (size > 0 ? (size_t)size : 0), 0, (struct sockaddr *)&from,
		       length);
	}
}

static void start_dns(void)
{
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_port = htons(53),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	n_queries = mmap(NULL, sizeof(*n_queries), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0) {
		perror("# bind");
		exit(1);
	}
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve_dns(fd);
	}
	close(fd);
}

/* ---- a world of its own ---- */

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		perror(name);
		exit(1);
	}
	close(fd);
}

/* The C library's resolver waits in real time, for seconds. It reads its file anew when that was written. */
static void resolver_waits(unsigned int seconds)
{
	char text[100];

	snprintf(text, sizeof(text), "nameserver 127.0.0.1\noptions timeout:%u attempts:1\n",
		 seconds);
	(void)unlink("/etc/resolv.conf");
	write_file("/etc/resolv.conf", text);
}

static void map_to_root(const char *name, unsigned int id)
{
	char text[32];

	snprintf(text, sizeof(text), "0 %u 1", id);
	write_file(name, text);
}

static void bring_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		perror("# lo");
	close(fd);
}

static void write_groups(void)
{
	FILE *to = fopen("/etc/group", "we");

	fputs("root:x:0:\nalice:x:1001:\nusers:x:100:alice,bob\n", to);
	for (int i = 0; i < MANY_GROUPS; i++)
		fprintf(to, "many%d:x:%d:bob\n", i, 10000 + i);
	fclose(to);
}

static bool enter_world(void)
{
	unsigned int uid = getuid(), gid = getgid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) < 0)
		return false;
	write_file("/proc/self/setgroups", "deny");
	map_to_root("/proc/self/uid_map", uid);
	map_to_root("/proc/self/gid_map", gid);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("etc", "/etc", "tmpfs", 0, NULL) < 0)
		return false;
	bring_loopback_up();
	write_file("/etc/nsswitch.conf",
		   "hosts: files dns\nnetgroup: files\npasswd: files\ngroup: files\n");
	resolver_waits(1);
	write_file("/etc/hosts",
		   "192.0.2.20 gamma.example.test gamma g\n"
		   "192.0.2.21 many\n192.0.2.22 many\n192.0.2.23 many\n192.0.2.24 many\n"
		   "192.0.2.25 many\n192.0.2.26 many\n192.0.2.27 many\n192.0.2.28 many\n"
		   "192.0.2.29 many\n192.0.2.30 many\n192.0.2.31 many\n192.0.2.32 many\n"
		   "192.0.2.33 many\n192.0.2.34 many\n192.0.2.35 many\n192.0.2.36 many\n"
		   "192.0.2.37 many\n192.0.2.38 many\n192.0.2.21 many\n");
	write_file("/etc/host.conf", "multi on\n");
	write_file("/etc/netgroup",
		   "byname (alpha.example.test,,)\n"
		   "byalias (beta.example.test,,) (g,,)\n"
		   "byaddress (192.0.2.12,,) (192.0.2.13,,) (192.0.2.14,,) (203.0.113.66,,)\n"
		   "byshort (alpha,,) (six,,)\n"
		   "evil (evil.example.test,,) (evil,,)\n"
		   "nested byname byaddress\n"
		   "upper (ALPHA.Example.TEST,,)\n");
	write_file(
		"/etc/passwd",
		"root:x:0:0::/:/bin/sh\nalice:x:1001:1001::/:/bin/sh\nbob:x:1002:100::/:/bin/sh\n");
	write_groups();
	return true;
}

/* ---- asking ---- */

static unsigned int n_done;
static int last_error;
static char last_names[1024], last_netgroups[1024];

static void on_address(void *userdata, int error, const struct snapshot_address_names *known)
{
	n_done++;
	last_error = error;
	last_names[0] = last_netgroups[0] = '\0';
	for (size_t i = 0; i < known->n_names; i++)
		sprintf(last_names + strlen(last_names), "%s%s", i ? " " : "", known->names[i]);
	for (size_t i = 0; i < known->n_netgroups; i++)
		sprintf(last_netgroups + strlen(last_netgroups), "%s%s", i ? " " : "",
			known->netgroups[i]);
}

static const char *const all_groups[] = { "byname", "byalias", "byaddress", "byshort",
					  "evil",   "nested",  "upper",	    "nosuch" };

static void ask_address(struct names *names, const char *text, const char *const *netgroups,
			size_t n)
{
	struct address address;

	address_parse(text, &address);
	if (names_of_address(names, &address, netgroups, n, on_address, NULL, NULL) < 0)
		ok(false, "asking for %s", text);
}

/* Ask for an address and all netgroups, and wait. */
static void about(struct names *names, const char *text)
{
	n_done = 0;
	ask_address(names, text, all_groups, N_ELEMENTS(all_groups));
	if (n_done || !loop_until(event, &n_done, 1, PATIENCE_MSEC))
		ok(false, "an answer about %s, later", text);
}

static void check_address(struct names *names, const char *text, const char *host_names,
			  const char *netgroups, const char *what)
{
	about(names, text);
	is_int(last_error, 0, what);
	is_str(last_names, host_names, "  its names");
	is_str(last_netgroups, netgroups, "  its netgroups");
}

static struct names *new_names(uint64_t age_msec, uint64_t timeout_msec, bool trust)
{
	struct names *names = NULL;

	is_int(names_new(&names, event, age_msec * 1000, timeout_msec * 1000, trust), 0, "names");
	return names;
}

/* ---- tests ---- */

static void test_addresses(void)
{
	struct names *names = new_names(600000, 10000, false);

	check_address(names, "192.0.2.10", "alpha.example.test", "byname byshort nested upper",
		      "a host with a confirmed name");
	check_address(names, "203.0.113.66", "", "byaddress nested",
		      "a name that is not confirmed is none");
	check_address(names, "192.0.2.11", "www.example.test beta.example.test", "byalias",
		      "an alias and the canonical name");
	check_address(names, "192.0.2.12", "", "byaddress nested",
		      "a name that looks like an address is none");
	check_address(names, "192.0.2.20", "gamma.example.test gamma g", "byalias",
		      "names from /etc/hosts");
	check_address(names, "2001:db8::7", "six.example.test", "byshort", "an IPv6 host");
	check_address(names, "198.51.100.1", "", "", "a host without a name");
	names_free(names);

	names = new_names(600000, 10000, true);
	check_address(names, "203.0.113.66", "evil.example.test", "byaddress evil nested",
		      "an unconfirmed name, if one is to be trusted");
	names_free(names);
}

static void test_no_answer(void)
{
	struct names *names = new_names(600000, 10000, false);
	uint64_t start;

	about(names, "192.0.2.14");
	ok(last_error < 0, "a name server that fails is an error");
	is_str(last_netgroups, "byaddress nested",
	       "what lists the address itself is certain all the same");
	about(names, "192.0.2.15");
	ok(last_error < 0, "a name that cannot be confirmed now is an error");
	is_str(last_names, "", "and no name");
	about(names, "192.0.2.13");
	ok(last_error < 0, "a silent name server is an error");
	is_str(last_netgroups, "byaddress nested", "here, too");
	start = *n_queries;
	about(names, "192.0.2.13");
	is_int(*n_queries, (long long)start, "an error is remembered");
	names_free(names);

	names = new_names(1000, 300, false);
	start = loop_now_msec();
	about(names, "192.0.2.13");
	is_int(last_error, -ETIMEDOUT, "one that takes longer than we wait is -ETIMEDOUT");
	ok(loop_now_msec() - start < 900, "in time");
	is_str(last_netgroups, "byaddress nested", "with what is certain");
	start = loop_now_msec();
	about(names, "192.0.2.10");
	ok(last_error == 0 && loop_now_msec() - start < 300, "meanwhile others are answered");
	names_free(names);
}

static void test_cache(void)
{
	static const char *const one[] = { "byname" }, *const two[] = { "byname", "nested" };
	struct names *names = new_names(1500, 10000, false);
	struct pending *question;
	struct address address;
	unsigned int before;

	n_done = 0;
	before = *n_queries;
	for (int i = 0; i < 10; i++)
		ask_address(names, "192.0.2.10", one, 1);
	ok(loop_until(event, &n_done, 10, PATIENCE_MSEC), "ten equal questions");
	ok(*n_queries - before <= 3, "are asked once (%u packets)", *n_queries - before);
	before = *n_queries;
	n_done = 0;
	ask_address(names, "192.0.2.10", one, 1);
	is_int(n_done, 0, "what is remembered is not told from within");
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC) && *n_queries == before,
	   "but without asking");
	n_done = 0;
	ask_address(names, "192.0.2.10", two, 2);
	ask_address(names, "192.0.2.10", one, 1);
	ok(loop_until(event, &n_done, 2, PATIENCE_MSEC) && *n_queries > before,
	   "another netgroup is asked for");
	before = *n_queries;
	n_done = 0;
	ask_address(names, "192.0.2.10", two, 2);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC) && *n_queries == before,
	   "and then remembered");
	is_str(last_netgroups, "byname nested", "both");
	names_forget(names);
	is_int((long long)names_n_remembered(names), 0, "after a reload nothing is");
	ask_address(names, "192.0.2.10", two, 2);
	names_forget(names); /* while it is under way */
	n_done = 0;
	ask_address(names, "192.0.2.10", two, 2);
	ok(loop_until(event, &n_done, 2, PATIENCE_MSEC) && *n_queries >= before + 6,
	   "it is asked anew, twice (%u packets, %u answers)", *n_queries - before, n_done);
	before = *n_queries;
	loop_for(event, 1600);
	about(names, "192.0.2.10");
	ok(*n_queries > before, "and when it is too old");
	n_done = 0;
	address_parse("192.0.2.10", &address);
	names_of_address(names, &address, one, 1, on_address, NULL, &question);
	pending_cancel(&question);
	loop_for(event, 100);
	is_int(n_done, 0, "a cancelled question is not answered");
	ask_address(names, "192.0.2.13", one, 1);
	names_free(names);
	is_int(n_done, 0, "nor one whose names are freed");
}

/* More netgroups than a message takes. */
static void test_many_netgroups(void)
{
	struct names *names = new_names(600000, 10000, false);
	static char texts[3000][64];
	const char *netgroups[3000];

	for (int i = 0; i < 3000; i++) {
		snprintf(texts[i], sizeof(texts[i]), "netgroup-%050d", i);
		netgroups[i] = texts[i];
	}
	netgroups[2999] = "byname";
	n_done = 0;
	ask_address(names, "192.0.2.10", netgroups, 3000);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC) && last_error == 0,
	   "3,000 netgroups are asked for");
	is_str(last_netgroups, "byname", "up to the last");
	names_free(names);
}

static char last_hosts[2048];

static void on_hosts(void *userdata, const struct names_host *hosts, size_t n_hosts)
{
	n_done++;
	last_hosts[0] = '\0';
	for (size_t i = 0; i < n_hosts; i++) {
		sprintf(last_hosts + strlen(last_hosts), "%s%s=%s:%zu", i ? " " : "", hosts[i].name,
			hosts[i].canonical, hosts[i].n_addresses);
		if (hosts[i].n_addresses) {
			strcat(last_hosts, ":");
			address_format(&hosts[i].addresses[0], last_hosts + strlen(last_hosts), 64);
		}
	}
}

static void test_hosts(void)
{
	static const char *const wanted[] = { "alpha.example.test",
					      "nosuch.example.test",
					      "www.example.test",
					      "192.0.2.77",
					      "six.example.test",
					      "many",
					      "g",
					      "alpha.example.test",
					      "fe80::1%lo",
					      "" };
	static const char *const slow[] = { "slow.example.test", "gamma" };
	struct names *names = new_names(600000, 10000, false);

	n_done = 0;
	is_int(names_of_hosts(names, wanted, N_ELEMENTS(wanted), on_hosts, NULL, NULL), 0,
	       "ten hosts");
	ok(n_done == 0 && loop_until(event, &n_done, 1, PATIENCE_MSEC), "are looked up, later");
	is_str(last_hosts,
	       "alpha.example.test=alpha.example.test:1:192.0.2.10 "
	       "nosuch.example.test=nosuch.example.test:0 "
	       "www.example.test=beta.example.test:1:192.0.2.11 "
	       "192.0.2.77=192.0.2.77:1:192.0.2.77 "
	       "six.example.test=six.example.test:1:2001:db8::7 "
	       "many=many:16:192.0.2.21 "
	       "g=gamma.example.test:1:192.0.2.20 "
	       "alpha.example.test=alpha.example.test:1:192.0.2.10 "
	       "fe80::1%lo=fe80::1%lo:1:fe80::1%1 "
	       "=:0",
	       "in the order asked");
	n_done = 0;
	is_int(names_of_hosts(names, NULL, 0, on_hosts, NULL, NULL), 0, "no host");
	ok(n_done == 0 && loop_until(event, &n_done, 1, PATIENCE_MSEC), "is answered, too");
	names_free(names);

	names = new_names(600000, 300, false);
	n_done = 0;
	names_of_hosts(names, slow, 2, on_hosts, NULL, NULL);
	ok(loop_until(event, &n_done, 1, 900), "a host that does not answer in time");
	is_str(last_hosts,
	       "slow.example.test=slow.example.test:0 gamma=gamma.example.test:1:192.0.2.20",
	       "has no address, others have");
	names_free(names);
}

static unsigned int n_hosts_done;
static size_t n_resolved, n_errors;

static void on_many_hosts(void *userdata, const struct names_host *hosts, size_t n_hosts)
{
	n_hosts_done++;
	n_resolved = n_errors = 0;
	for (size_t i = 0; i < n_hosts; i++) {
		n_resolved += hosts[i].n_addresses > 0;
		n_errors += hosts[i].error != 0;
	}
}

/* Host names of a form, for names_of_hosts(). */
static const char **make_hosts(const char *format, size_t n)
{
	const char **hosts = calloc(n, sizeof(char *));
	char text[64];

	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s-%zu.example.test", format, i);
		hosts[i] = strdup(text);
	}
	return hosts;
}

static void free_hosts(const char **hosts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free((char *)hosts[i]);
	free(hosts);
}

static void test_many_hosts(void)
{
	/* Each is waited for longer than there is time: the limit is for all together. */
	struct names *names = new_names(600000, 600, false);
	const char **hosts = make_hosts("late", N_LATE);
	uint64_t start = loop_now_msec(), took;
	unsigned int before = *n_queries;
	struct pending *question;

	resolver_waits(30);
	n_hosts_done = n_done = 0;
	is_int(names_of_hosts(names, hosts, N_LATE, on_many_hosts, NULL, NULL), 0, "many hosts");
	ask_address(names, "192.0.2.10", NULL, 0);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC) && last_error == 0 && !n_hosts_done,
	   "a client that comes meanwhile is answered before them");
	ok(loop_until(event, &n_hosts_done, 1, PATIENCE_MSEC), "then they are");
	took = loop_now_msec() - start;
	ok(n_resolved == N_LATE && n_errors == 0, "all have an address (%zu, %zu not)", n_resolved,
	   n_errors);
	ok(took < N_LATE * LATE_MSEC / 4, "in %d ms, many at a time", (int)took);
	/* An A and an AAAA question each; three for the client. */
	is_int((long long)*n_queries - before, 2 * N_LATE + 3, "each was asked for once");
	before = *n_queries;
	n_hosts_done = 0;
	names_of_hosts(names, hosts, N_LATE, on_many_hosts, NULL, NULL);
	ok(loop_until(event, &n_hosts_done, 1, 100) && n_resolved == N_LATE && *n_queries == before,
	   "the next time they are remembered");

	names_forget(names);
	names_of_hosts(names, hosts, N_LATE, on_many_hosts, NULL, &question);
	loop_for(event, LATE_MSEC / 2);
	names_forget(names);
	pending_cancel(&question); /* as when a reload begins anew */
	before = *n_queries;
	loop_for(event, 3 * LATE_MSEC);
	ok(*n_queries - before <= N_LATE / 2, "what nobody wants is not asked for (%u packets)",
	   *n_queries - before);
	names_free(names);
	free_hosts(hosts, N_LATE);
	resolver_waits(1);
}

static void test_stall(void)
{
	struct names *names = new_names(600000, 400, false);
	const char *hosts[60];
	char silent[50][64];
	uint64_t start = loop_now_msec();

	for (size_t i = 0; i < 50; i++) {
		snprintf(silent[i], sizeof(silent[i]), "silent-%zu.example.test", i);
		hosts[i] = silent[i];
	}
	for (size_t i = 50; i < 60; i++)
		hosts[i] = "gamma";
	hosts[0] = "alpha.example.test";
	hosts[1] = "six.example.test";
	n_hosts_done = 0;
	names_of_hosts(names, hosts, 60, on_many_hosts, NULL, NULL);
	ok(loop_until(event, &n_hosts_done, 1, 1500),
	   "hosts of which most are not answered (%d ms)", (int)(loop_now_msec() - start));
	is_int((long long)n_resolved, 2, "those at the head of the line are there");
	is_int((long long)n_errors, 58,
	       "and the others are errors, which is not the same as unknown");
	names_free(names);
}

/* More hosts at once than are remembered: all are held, and none can go. */
static void test_hosts_beyond_limit(void)
{
	enum { N = NAMES_CACHE_MAX + 20000 };
	struct names *names = new_names(600000, 300, false);
	const char **hosts = make_hosts("silent", N);
	uint64_t start = loop_now_msec(), took;

	n_hosts_done = 0;
	names_of_hosts(names, hosts, N, on_many_hosts, NULL, NULL);
	took = loop_now_msec() - start;
	ok(took < 3000, "%d hosts are taken up in %d ms", N, (int)took);
	ok(loop_until(event, &n_hosts_done, 1, PATIENCE_MSEC) && n_errors == N, "and answered");
	is_int((long long)names_n_remembered(names), N, "while they are held they are remembered");
	n_done = 0;
	ask_address(names, "192.0.2.10", NULL, 0);
	ok(loop_until(event, &n_done, 1, PATIENCE_MSEC), "another one");
	is_int((long long)names_n_remembered(names), NAMES_CACHE_MAX, "has the rest forgotten");
	names_free(names);
	free_hosts(hosts, N);
}

static uint32_t last_groups[MANY_GROUPS + 10];
static size_t n_last_groups;

static void on_groups(void *userdata, int error, const uint32_t *groups, size_t n_groups)
{
	n_done++;
	last_error = error;
	n_last_groups = n_groups;
	for (size_t i = 0; i < n_groups && i < N_ELEMENTS(last_groups); i++)
		last_groups[i] = groups[i];
}

static void groups_of(struct names *names, uint32_t uid)
{
	n_done = 0;
	if (names_groups(names, uid, on_groups, NULL, NULL) < 0 || n_done ||
	    !loop_until(event, &n_done, 1, PATIENCE_MSEC))
		ok(false, "groups of %u", uid);
}

static void test_groups(void)
{
	struct names *names = new_names(600000, 10000, false);

	groups_of(names, 1001);
	ok(last_error == 0 && n_last_groups == 2 && last_groups[0] == 1001 && last_groups[1] == 100,
	   "a user's groups, the primary one first");
	groups_of(names, 0);
	ok(last_error == 0 && n_last_groups == 1 && last_groups[0] == 0, "root's");
	groups_of(names, 4242);
	ok(last_error == 0 && n_last_groups == 0, "an unknown user has none");
	groups_of(names, 1002);
	ok(last_error == 0 && n_last_groups == MANY_GROUPS + 1 &&
		   last_groups[MANY_GROUPS] == 10000 + MANY_GROUPS - 1,
	   "a user with 3,001 groups has them all");
	names_free(names);
}

static void test_cache_limit(void)
{
	struct names *names = new_names(600000, 60000, false);
	unsigned int n = 0;

	n_done = 0;
	while (n < NAMES_CACHE_MAX + 1000) {
		for (int i = 0; i < 5000 && n < NAMES_CACHE_MAX + 1000; i++)
			names_groups(names, 100000 + n++, on_groups, NULL, NULL);
		if (!loop_until(event, &n_done, n, 60000))
			break;
	}
	is_int(n_done, NAMES_CACHE_MAX + 1000, "more users than are remembered");
	is_int((long long)names_n_remembered(names), NAMES_CACHE_MAX, "the oldest are forgotten");
	names_free(names);
}

int main(int argc, char **argv)
{
	if (argc > 3 && str_equal(argv[1], "--worker"))
		return worker_main(argv[2], atoi(argv[3]), argc > 4 ? argv[4] : NULL);
	if (!enter_world()) {
		ok(true, "names # SKIP no namespaces here");
		return tap_done();
	}
	start_dns();
	if (sd_event_default(&event) < 0)
		return 1;
	test_addresses();
	test_no_answer();
	test_cache();
	test_many_netgroups();
	test_hosts();
	test_many_hosts();
	test_stall();
	test_hosts_beyond_limit();
	test_groups();
	test_cache_limit();
	ok(names_free(NULL) == NULL, "freeing nothing is fine");
	sd_event_unref(event);
	return tap_done();
}
