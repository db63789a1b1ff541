/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-control.c - exportsctl's socket: a real socket and loop, everything behind it faked but the
 * snapshot. connection.c and control.c are included, to have its peers' patience in milliseconds.
 */

#define CONTROL_PEER_USEC (300 * 1000)
#include "exportsd/control/connection.c"
#include "exportsd/control/control.c"

#include <poll.h>
#include <sys/sysmacros.h>

#include "exportsd/exports/reload.h"
#include "exportsd/kernel/states.h"
#include "exportsd/mountd/mountd.h"
#include "exportsd/questions/questions.h"
#include "tests/fake/numbers.h"
#include "tests/tap.h"

/* ---- what the daemon would say ---- */

static struct {
	size_t n_media, n_shown; /* how many there are, and how often one was shown */
	size_t n_clients;
	uint64_t applied_usec;
	reload_done_fn reloaded;
	void *reload_userdata;
	unsigned int n_forgotten;
	media_mount_fn mounted;
	void *mount_userdata;
	media_observe_fn changed;
	void *observe_userdata;
	unsigned int n_cancelled, n_unobserved;
	struct kernel_counts counts;
	media_drain_fn drained;
	void *drain_userdata;
	enum media_drain_kind drain_kind;
	unsigned int n_drains, n_drains_cancelled;
	int drain_error;
	struct pending mounting, draining;
} fake;

static void cancel_mounting(struct pending *pending)
{
	fake.n_cancelled++;
}

static void cancel_draining(struct pending *pending)
{
	fake.n_drains_cancelled++;
}

static char directory_of_proc[64];

uint32_t kernel_per_flavor_flags(const struct kernel *kernel)
{
	return 0xd;
}

const struct kernel_counts *kernel_counts(const struct kernel *kernel)
{
	return &fake.counts;
}

size_t questions_n_waiting(const struct questions *questions)
{
	return 5;
}

uint16_t mountd_port(const struct mountd *mountd)
{
	return 20048;
}

int mountd_each_mount(const struct mountd *mountd,
		      int (*each)(void *userdata, const char *client, const char *path),
		      void *userdata)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < fake.n_clients; i++) {
		char client[32];

		sprintf(client, "192.0.2.%zu", i);
		r = each(userdata, client, i % 2 ? "/mnt/cdrom/disc000001/docs" : "/srv/plain");
	}
	return r;
}

size_t reload_n_errors(const struct reload *reload)
{
	return 3;
}

uint64_t reload_applied_usec(const struct reload *reload)
{
	return fake.applied_usec;
}

int reload_start(struct reload *reload, bool accept_faults, reload_done_fn done, void *userdata)
{
	fake.reloaded = done;
	fake.reload_userdata = userdata;
	return 0;
}

int reload_change(struct reload *reload, struct exports_change *change, reload_done_fn done,
		  void *userdata)
{
	change_free(change);
	return -ENOSYS;
}

const struct suspects *reload_suspects(const struct reload *reload)
{
	return NULL;
}

const char *reload_said(const struct reload *reload)
{
	return "";
}

void reload_forget(struct reload *reload, const void *userdata)
{
	fake.n_forgotten++;
}

const char *media_state_word(enum media_state state)
{
	return state == MEDIA_LOADING ? "loading" : "mounted";
}

static void make_status(size_t index, char *path, struct medium_status *ret_status)
{
	sprintf(path, "/mnt/cdrom/disc%06zu", index);
	*ret_status = (struct medium_status){
		.path = path,
		.state = MEDIA_MOUNTED,
		.number = 65536 + (uint32_t)index,
		.listed = true,
		.label = "A\nLABEL",
		.since_usec = 1000000,
		.handler = "/run/fsidsock",
		.n_waiting = index,
		.device = makedev(7, 2),
	};
}

int media_each(struct media *media, const char *after,
	       int (*each)(void *userdata, const struct medium_status *status), void *userdata)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < fake.n_media; i++) {
		struct medium_status status;
		char path[64];

		make_status(i, path, &status);
		if (after && strcmp(path, after) <= 0)
			continue;
		r = each(userdata, &status);
		fake.n_shown++;
	}
	return r;
}

bool media_status(struct media *media, const char *path, struct medium_status *ret_status)
{
	static char copy[64];

	if (!str_equal(path, "/mnt/cdrom/disc000001"))
		return false;
	make_status(1, copy, ret_status);
	return true;
}

int media_observe(struct media *media, const char *path, media_observe_fn changed, void *userdata,
		  struct media_observer **ret_observer)
{
	fake.changed = changed;
	fake.observe_userdata = userdata;
	*ret_observer = (struct media_observer *)&fake;
	return 0;
}

void media_unobserve(struct media_observer *observer)
{
	fake.n_unobserved += observer == (struct media_observer *)&fake;
}

int media_mount(struct media *media, const char *path, const char *client, const char *domain,
		uint64_t timeout_usec, media_mount_fn done, void *userdata,
		struct pending **ret_request)
{
	fake.mounted = done;
	fake.mount_userdata = userdata;
	fake.mounting.cancel = cancel_mounting;
	*ret_request = &fake.mounting;
	return 0;
}

int media_drain(struct media *media, const char *path, enum media_drain_kind kind,
		media_drain_fn done, void *userdata, struct pending **ret_drain)
{
	fake.n_drains++;
	fake.drain_kind = kind;
	fake.drained = done;
	fake.drain_userdata = userdata;
	fake.draining.cancel = cancel_draining;
	if (fake.drain_error == 0)
		*ret_drain = &fake.draining;
	return fake.drain_error;
}

int media_open_mounted(struct media *media, const char *path, uint32_t *ret_number)
{
	*ret_number = 65537;
	return dup(STDOUT_FILENO);
}

bool media_number_fits(struct media *media, const char *path, uint32_t number)
{
	return number == 65537;
}

/* Whatever is not a number is /srv/uuid, in the next turn; a number is /srv/plain if it is 77. */
static void cancel_naming(struct pending *pending);

struct naming {
	struct pending pending;
	sd_event_source *later;
	questions_named_fn done;
	void *userdata;
	bool is_none;
};

static int on_named_later(sd_event_source *source, void *userdata)
{
	const char *const paths[] = { "/srv/uuid" };
	struct naming naming = *(struct naming *)userdata;

	cancel_naming(userdata);
	naming.done(naming.userdata, paths, naming.is_none ? 0 : 1, true);
	return 0;
}

static sd_event *naming_event;
static unsigned int n_namings;

int questions_name(struct questions *questions, const struct kernel_fsid *fsid,
		   questions_named_fn done, void *userdata, struct pending **ret_naming)
{
	struct naming *naming = calloc(1, sizeof(*naming));

	*naming = (struct naming){ { cancel_naming },
				   .done = done,
				   .userdata = userdata,
				   .is_none = fsid->type == FSID_NUM };
	n_namings++;
	*ret_naming = &naming->pending;
	return sd_event_add_defer(naming_event, &naming->later, on_named_later, naming);
}

static void cancel_naming(struct pending *pending)
{
	struct naming *naming = (struct naming *)pending;

	sd_event_source_disable_unref(naming->later);
	free(naming);
	n_namings--;
}

/* ---- the daemon and its peers ---- */

static struct daemon daemon_;
static struct config config;
static char directory[] = "/tmp/test-control-XXXXXX";
static char socket_path[sizeof(directory) + 16];
static char *exports_text;

static const char *no_path(void *userdata, const char *path)
{
	return NULL;
}

static bool no_host(void *userdata, const char *name, const char **ret_canonical,
		    const struct address **ret_addresses, size_t *ret_n_addresses)
{
	return false;
}

static struct snapshot *make_snapshot(const char *text)
{
	const struct snapshot_facts facts = { .real_path = no_path, .host = no_host };
	struct exports_source *source = NULL;
	struct snapshot *snapshot = NULL;
	struct diags diags = { 0 };

	exports_read_text("exports", text, strlen(text), &diags, &source);
	snapshot_new(source, &facts, false, &diags, &snapshot);
	diags_print(&diags, stdout, false);
	diags_done(&diags);
	return snapshot;
}

struct peer {
	int fd;
	char *bytes;
	size_t n_bytes, size;
	bool ended;
};

static void turn(unsigned int times)
{
	while (times-- && sd_event_run(daemon_.event, 0) > 0)
		;
}

static struct peer peer_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct peer peer = { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0) };

	strcpy(address.sun_path, socket_path);
	if (connect(peer.fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		perror("# connect");
	return peer;
}

static void peer_close(struct peer *peer)
{
	close(peer->fd);
	free(peer->bytes);
	turn(10);
}

static void peer_send(struct peer *peer, const char *text)
{
	if (send(peer->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		perror("# send");
	turn(10);
}

/* Take what is there. */
static void peer_receive(struct peer *peer)
{
	for (;;) {
		ssize_t n;

		if (peer->size < peer->n_bytes + 65536) {
			peer->size = peer->n_bytes * 2 + 65536;
			peer->bytes = realloc(peer->bytes, peer->size);
		}
		n = recv(peer->fd, peer->bytes + peer->n_bytes, peer->size - peer->n_bytes - 1,
			 MSG_DONTWAIT);
		peer->ended |= n == 0 || (n < 0 && errno != EAGAIN);
		if (n <= 0)
			break;
		peer->n_bytes += (size_t)n;
	}
	peer->bytes[peer->n_bytes] = '\0';
}

/* All that comes until the loop has nothing more to do. */
static const char *peer_answer(struct peer *peer)
{
	size_t before;

	peer->n_bytes = 0;
	do {
		before = peer->n_bytes;
		turn(20);
		peer_receive(peer);
	} while (peer->n_bytes > before);
	return peer->bytes;
}

static const char *ask(struct peer *peer, const char *text)
{
	peer_send(peer, text);
	return peer_answer(peer);
}

static bool contains(const char *text, const char *part, const char *what)
{
	if (ok(strstr(text, part), "%s", what))
		return true;
	printf("#   '%s' is not in: %.600s\n", part, text);
	return false;
}

/* How many lines (or runs of lines) of the text begin so. */
static size_t count(const char *text, const char *start)
{
	size_t n = 0;

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		n += strncmp(text, start, strlen(start)) == 0;
		if (!*text)
			break;
	}
	return n;
}

/* ---- tests ---- */

static void test_socket(void)
{
	struct control *second = NULL;
	struct stat status;
	mode_t mask = umask(0);

	numbers_open(&daemon_.numbers, daemon_.event, NULL);
	/* 65538 was the number of the disc before. */
	numbers_give_for(daemon_.numbers, "/mnt/cdrom/disc000001", "disc B", 65538);
	numbers_give_for(daemon_.numbers, "/mnt/cdrom/disc000001", "disc A", 65537);
	numbers_find_number(daemon_.numbers, 65538)->retired = true;
	is_int(control_new(&daemon_.control, &daemon_), 0, "the socket is made");
	umask(mask);
	stat(socket_path, &status);
	is_int(status.st_mode & 0777, 0600, "for its owner only, whatever the umask");
	is_int(control_new(&second, &daemon_), -EADDRINUSE, "a second daemon does not take it");
	ok(stat(socket_path, &status) == 0, "and leaves it alone");
	daemon_.control = control_free(daemon_.control);
	ok(stat(socket_path, &status) < 0, "it goes with the daemon");
}

static void test_stale_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, socket_path);
	bind(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	is_int(control_new(&daemon_.control, &daemon_), 0, "a dead daemon's socket is replaced");
}

static void test_status(void)
{
	struct peer peer = peer_open();
	const char *answer;

	fake.n_media = 3;
	fake.n_clients = 4;
	fake.counts = (struct kernel_counts){ .asked = { 1, 2, 3, 4 }, .flushes = 9 };
	answer = ask(&peer, "exportsd/1 status\n\n");
	contains(answer, "exportsd/1 daemon\nversion=", "status tells of the daemon");
	contains(answer, "\nexports=2\nrules=1\nnumbers=1\n", "what is in force");
	contains(answer, "\nreload-errors=3\nmount-port=20048\n", "and how it is");
	contains(answer, "exportsd/1 kernel\nasked-ip=1\n", "of the kernel");
	contains(
		answer,
		"\nasked-fh=4\nanswered-fh=0\nwaiting=5\nflushes=9\nexport-flushes=0\nhandle-flushes=0\nforgotten=0\n\n",
		"all its counters");
	is_int((long long)count(answer, "exportsd/1 medium\n"), 3, "of each medium");
	contains(answer, "label=A\\012LABEL\n", "whose texts are escaped");
	is_int((long long)count(answer, "exportsd/1 client\n"), 4, "of each client");
	contains(answer, "\n\nexportsd/1 ok\n\n", "and ends");
	answer = ask(&peer, "exportsd/1 status\npath=/mnt/cdrom/disc000001/some/file\n\n");
	is_int((long long)count(answer, "exportsd/1 medium\npath=/mnt/cdrom/disc000001\n"), 1,
	       "of one medium, asked for by a path in it");
	is_int((long long)count(answer, "exportsd/1 client\n"), 2, "with its clients only");
	contains(ask(&peer, "exportsd/1 status\npath=/mnt/cdrom/other\n\n"),
		 "exportsd/1 noent\nmessage=a rule claims",
		 "a medium that its handler does not know");
	contains(ask(&peer, "exportsd/1 status\npath=/srv/plain\n\n"),
		 "exportsd/1 noent\nmessage=no rule", "a path that is no medium's");
	peer_close(&peer);
}

/* A peer that does not read must not make the daemon produce. */
static void test_many_media(void)
{
	struct peer slow = peer_open(), other = peer_open();
	const char *at;
	size_t n = 0, total = 0;
	bool ordered = true;
	const size_t n_media = 30000;

	fake.n_media = n_media;
	fake.n_clients = 0;
	fake.n_shown = 0;
	peer_send(&slow, "exportsd/1 status\n\n");
	turn(100);
	ok(fake.n_shown > 100 && fake.n_shown < 5000,
	   "a peer that does not read: %zu of %zu media written", fake.n_shown, n_media);
	ok(n_unsent(daemon_.control->connections.first) <= 2 * CONTROL_CHUNK,
	   "not more than a chunk waits");
	contains(ask(&other, "exportsd/1 path\nfsid=65537\n\n"), "exportsd/1 ok\n",
		 "others are served");
	at = peer_answer(&slow);
	total = strlen(at);
	/* By lines: strstr(3) measures all of its text each time under AddressSanitizer. */
	for (; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, "path=/mnt/cdrom/disc", 20) == 0)
			ordered &= strtoul(at + 20, NULL, 10) == n++;
	}
	is_int((long long)n, (long long)n_media, "when it reads, it gets every medium");
	ok(ordered, "once, in order: %zu bytes", total);
	contains(slow.bytes + total - 30, "exportsd/1 ok\n\n", "and the end");
	peer_close(&slow);
	peer_close(&other);
	fake.n_media = 3;
}

/* Some thousand exports, so that they are not all written at once. */
static struct snapshot *make_large_snapshot(void)
{
	char *to = exports_text;

	for (int i = 0; i < 4000; i++)
		to += sprintf(to, "/srv/export%04d 192.0.2.0/24(ro,no_subtree_check)\n", i);
	return make_snapshot(exports_text);
}

static void test_exports(void)
{
	struct snapshot *small = daemon_.snapshot, *large;
	struct peer peer = peer_open();
	const char *answer = ask(&peer, "exportsd/1 exports\n\n");

	contains(answer, "exportsd/1 export\npath=/srv/plain\nclient=*\netab=/srv/plain\\011*(ro,",
		 "an export in etab's form");
	contains(answer, "\nfile=exports\nline=1\n", "with its place");
	contains(answer, "path=/mnt/cdrom/*\nclient=@hostgroup\netab=/mnt/cdrom/*\\011@hostgroup(",
		 "a rule");
	contains(answer, "\nhandler=/run/fsidsock\n", "with its handler");
	contains(answer, "\n\nexportsd/1 ok\n\n", "and the end");

	daemon_.snapshot = large = make_large_snapshot();
	fake.applied_usec = 2;
	answer = ask(&peer, "exportsd/1 exports\n\n");
	is_int((long long)count(answer, "exportsd/1 export\n"), 4000, "many exports");
	peer_send(&peer, "exportsd/1 exports\n\n");
	turn(100);
	daemon_.snapshot = small;
	snapshot_free(large);
	fake.applied_usec = 3;
	answer = peer_answer(&peer);
	ok(count(answer, "exportsd/1 export\n") < 4000, "other exports while they are listed");
	contains(answer, "exportsd/1 busy\n", "end the listing");
	contains(ask(&peer, "exportsd/1 exports\n\n"), "exportsd/1 ok\n\n",
		 "which can be had anew");
	peer_close(&peer);
}

static void test_reload(void)
{
	const struct position at = {
		.file = "/etc/exports", .line = 3, .column = 5, .line_text = "a b", .line_length = 3
	};
	struct peer peer = peer_open();
	struct diags diags = { 0 };
	const char *answer = ask(&peer, "exportsd/1 reload\n\n");

	is_str(answer, "", "a reload is waited for");
	diag_add(&diags, DIAG_ERROR, &at, "no '%s'", "x");
	fake.reloaded(fake.reload_userdata, &diags, false, false);
	answer = peer_answer(&peer);
	contains(
		answer,
		"exportsd/1 fault\nlevel=error\nfile=/etc/exports\nline=3\ncolumn=5\ntext=no 'x'\n",
		"a fault with its place");
	contains(answer, "exportsd/1 error\nerrors=1\nwarnings=0\nchanged=0\n",
		 "and that it was refused");
	diags_done(&diags);
	peer_send(&peer, "exportsd/1 reload\n\n");
	fake.reloaded(fake.reload_userdata, &diags, true, true);
	is_str(peer_answer(&peer), "exportsd/1 ok\nerrors=0\nwarnings=0\nchanged=1\n\n",
	       "one that is taken");
	peer_send(&peer, "exportsd/1 reload\n\n");
	fake.n_forgotten = 0;
	peer_close(&peer);
	is_int(fake.n_forgotten, 1, "who leaves is not told");
}

static void test_mount(void)
{
	struct media_mounted mounted = { .number = 65537, .root_fd = -1 };
	struct medium_status status;
	struct peer peer = peer_open();
	char path[64];

	is_str(ask(&peer, "exportsd/1 mount\npath=/mnt/cdrom/disc000001/x\n\n"), "",
	       "a medium is waited for");
	make_status(1, path, &status);
	status.state = MEDIA_LOADING;
	status.percent = 40;
	status.message = "slot 7";
	fake.changed(fake.observe_userdata, &status);
	contains(peer_answer(&peer), "\nstate=loading\n", "progress is told");
	contains(peer.bytes, "\npercent=40\nmessage=slot 7\n", "how far, and what");
	for (int i = 0; i < 10000; i++)
		fake.changed(fake.observe_userdata, &status);
	ok(n_unsent(daemon_.control->connections.first) <= 2 * CONTROL_CHUNK,
	   "more of it than is read is left out");
	peer_answer(&peer);
	fake.n_unobserved = 0;
	fake.mounted(fake.mount_userdata, MEDIA_OK, &mounted, NULL);
	contains(peer_answer(&peer), "exportsd/1 ok\nfsid=65537\npath=/mnt/cdrom/disc000001\n\n",
		 "it is there");
	is_int(fake.n_unobserved, 1, "and no longer watched");
	peer_send(&peer, "exportsd/1 mount\npath=/mnt/cdrom/disc000001\n\n");
	fake.mounted(fake.mount_userdata, MEDIA_ERROR, NULL, "scratched");
	is_str(peer_answer(&peer), "exportsd/1 error\nmessage=scratched\n\n", "a broken one");
	contains(ask(&peer, "exportsd/1 mount\npath=/mnt/cdrom\n\n"), "exportsd/1 noent\n",
		 "no medium's path");
	contains(ask(&peer, "exportsd/1 mount\npath=/mnt/cdrom/.hidden\n\n"), "exportsd/1 noent\n",
		 "no key");
	contains(ask(&peer, "exportsd/1 mount\n\n"), "exportsd/1 noent\n", "no path");
	peer_send(&peer, "exportsd/1 mount\npath=/mnt/cdrom/disc000001\n\n");
	fake.n_cancelled = fake.n_unobserved = 0;
	peer_close(&peer);
	ok(fake.n_cancelled == 1 && fake.n_unobserved == 1, "who leaves waits no longer");
}

/* One client holds the medium's file system, 7:2, and more elsewhere. */
static const struct {
	const char *name, *text; /* text NULL: a directory */
} proc_files[] = {
	{ "/fs", NULL },
	{ "/fs/nfsd", NULL },
	{ "/fs/nfsd/clients", NULL },
	{ "/fs/nfsd/clients/4", NULL },
	{ "/fs/nfsd/clients/4/info",
	  "clientid: 0x1\naddress: \"192.0.2.7:903\"\nstatus: confirmed\nname: \"Linux NFSv4.2 host\"\n" },
	{ "/fs/nfsd/clients/4/states",
	  "- 0x1: { type: open, access: r-, deny: --, superblock: \"07:02:12\", filename: \"a\", owner: \"x\" }\n"
	  "- 0x2: { type: lock, superblock: \"07:02:12\", filename: \"a\", owner: \"x\" }\n"
	  "- 0x3: { type: open, access: r-, deny: --, superblock: \"07:03:12\", filename: \"b\", owner: \"x\" }\n" },
};

static void make_proc(void)
{
	char path[300];

	snprintf(directory_of_proc, sizeof(directory_of_proc), "%s/proc", directory);
	mkdir(directory_of_proc, 0755);
	for (size_t i = 0; i < N_ELEMENTS(proc_files); i++) {
		FILE *to = NULL;

		snprintf(path, sizeof(path), "%s%s", directory_of_proc, proc_files[i].name);
		if (proc_files[i].text)
			to = fopen(path, "w");
		else
			mkdir(path, 0755);
		if (to) {
			fputs(proc_files[i].text, to);
			fclose(to);
		}
	}
}

static void unmake_proc(void)
{
	char path[300];

	for (size_t i = N_ELEMENTS(proc_files); i-- > 0;) {
		snprintf(path, sizeof(path), "%s%s", directory_of_proc, proc_files[i].name);
		remove(path);
	}
	remove(directory_of_proc);
}

static void drained(enum media_drain_outcome outcome, const char *why)
{
	fake.drained(fake.drain_userdata, outcome, why);
}

static void test_eject(void)
{
	static const char request[] = "exportsd/1 eject\npath=/mnt/cdrom/disc000001/x\n";
	struct peer peer = peer_open();
	char text[256];

	snprintf(text, sizeof(text), "%s\n", request);
	fake.drain_error = 0;
	is_str(ask(&peer, text), "", "an eject is waited for");
	is_int(fake.drain_kind, MEDIA_DRAIN_EJECT, "its medium is drained");
	drained(MEDIA_DRAINED, NULL);
	is_str(peer_answer(&peer), "exportsd/1 ok\npath=/mnt/cdrom/disc000001\n\n", "it is out");
	ask(&peer, text);
	drained(MEDIA_DRAIN_IN_USE, NULL);
	contains(peer_answer(&peer), "exportsd/1 busy\n", "in use, and no time to wait");
	ask(&peer, text);
	drained(MEDIA_DRAIN_FAILED, "the robot is stuck");
	is_str(peer_answer(&peer), "exportsd/1 error\nmessage=the robot is stuck\n\n",
	       "its handler cannot");
	snprintf(text, sizeof(text), "%swait-ms=5000\n\n", request);
	ask(&peer, text);
	fake.n_drains = 0;
	drained(MEDIA_DRAIN_IN_USE, NULL);
	is_str(peer_answer(&peer), "exportsd/1 waiting\npath=/mnt/cdrom/disc000001\ndevice=7:2\n\n",
	       "in use, and time to wait: told");
	for (int i = 0; i < 100 && fake.n_drains == 0; i++)
		sd_event_run(daemon_.event, 50000);
	is_int(fake.n_drains, 1, "and tried again");
	fake.n_drains_cancelled = 0;
	peer_close(&peer);
	is_int(fake.n_drains_cancelled, 1, "who leaves waits no longer");
}

static void test_eject_by_force(void)
{
	struct peer peer = peer_open();

	/* Whom it hits is read by a thread. */
	fake.n_drains = 0;
	peer_send(&peer, "exportsd/1 eject\npath=/mnt/cdrom/disc000001\nforce=1\n\n");
	for (int i = 0; i < 100 && fake.n_drains == 0; i++)
		sd_event_run(daemon_.event, 50000);
	is_str(peer_answer(&peer),
	       "exportsd/1 hit\naddress=192.0.2.7:903\nname=Linux NFSv4.2 host\nopens=1\n"
	       "locks=1\ndelegations=0\nelsewhere=1\n\n",
	       "by force: whom it hits is told");
	is_int(fake.drain_kind, MEDIA_DRAIN_FORCE, "and the drain takes it away");
	drained(MEDIA_DRAINED, NULL);
	contains(peer_answer(&peer), "exportsd/1 ok\n", "it is out");
	contains(ask(&peer, "exportsd/1 eject\npath=/elsewhere\n\n"), "exportsd/1 noent\n",
		 "no medium's path");
	contains(ask(&peer, "exportsd/1 eject\n\n"), "exportsd/1 noent\n", "no path");
	fake.drain_error = -ENOMEM;
	contains(ask(&peer, "exportsd/1 eject\npath=/mnt/cdrom/disc000001\n\n"),
		 "exportsd/1 error\n", "no memory");
	fake.drain_error = -EALREADY;
	contains(ask(&peer, "exportsd/1 eject\npath=/mnt/cdrom/disc000001\n\n"),
		 "exportsd/1 busy\n", "somebody else is at it");
	fake.drain_error = 0;
	peer_close(&peer);
}

static void test_numbers(void)
{
	struct peer peer = peer_open();

	is_str(ask(&peer, "exportsd/1 fsid\npath=/mnt/cdrom/disc000001\n\n"),
	       "exportsd/1 ok\nfsid=65537\npath=/mnt/cdrom/disc000001\n\n",
	       "the number of a medium");
	contains(ask(&peer, "exportsd/1 fsid\npath=/mnt/cdrom/disc000001/a/b\n\n"), "fsid=65537\n",
		 "or below one");
	contains(ask(&peer, "exportsd/1 fsid\npath=/srv/plain\n\n"), "fsid=77\n",
		 "of a plain export");
	contains(ask(&peer, "exportsd/1 fsid\npath=/mnt/cdrom/new\n\n"), "exportsd/1 noent\n",
		 "of none yet");
	contains(ask(&peer, "exportsd/1 fsid\npath=/elsewhere\n\n"), "exportsd/1 noent\n",
		 "of nothing");
	contains(ask(&peer, "exportsd/1 path\nfsid=77\n\n"), "path=/srv/plain\n",
		 "a plain export's path");
	contains(ask(&peer, "exportsd/1 path\nfsid=78\n\n"), "exportsd/1 noent\n",
		 "nobody's number");
	contains(ask(&peer, "exportsd/1 path\nfsid=4294967296\n\n"), "exportsd/1 error\n",
		 "no number");
	is_str(ask(&peer, "exportsd/1 fsid-set\nfsid=77\npath=/x\n\n"),
	       "exportsd/1 error\nmessage=number 77 is wanted for '/x', but the exports files give it to "
	       "'/srv/plain'\n\n",
	       "a number of the exports files is not given to another path");
	is_str(ask(&peer, "exportsd/1 fsid-set\nfsid=65537\npath=/x\n\n"),
	       "exportsd/1 error\nmessage=number 65537 is wanted for '/x', but belongs to "
	       "'/mnt/cdrom/disc000001' for ever\n\n",
	       "nor one that another path has");
	contains(ask(&peer, "exportsd/1 fsid-set\nfsid=2147483648\npath=/x\n\n"),
		 "exportsd/1 error\n", "nor one out of range");
	peer_close(&peer);
}

static void test_handle(void)
{
	struct peer peer = peer_open();
	const char *answer;

	naming_event = daemon_.event;
	answer = ask(&peer, "exportsd/1 handle\nfsid-type=1\nfsid=\\x01000100\n\n");
	contains(answer, "kind=medium\npath=/mnt/cdrom/disc000001\nidentity=disc A\n", "a number");
	contains(answer, "fits=1\n", "of what is there");
	ok(!strstr(answer, "retired="), "not retired");
	contains(answer, "exportsd/1 ok\n", "and that is all");
	answer = ask(&peer, "exportsd/1 handle\nfsid-type=1\nfsid=\\x02000100\n\n");
	contains(answer, "identity=disc B\nretired=1\nfsid=65537\nidentity-now=disc A\n",
		 "that of a disc before");
	contains(answer, "fits=0\n", "which is not there");
	answer = ask(&peer, "exportsd/1 handle\nfsid-type=1\nfsid=\\x4d000000\n\n");
	ok(str_equal(answer, "exportsd/1 ok\n\n"), "a number that is nobody's");
	contains(ask(&peer, "exportsd/1 handle\nfsid-type=6\n"
			    "fsid=\\x00112233445566778899aabbccddeeff\n\n"),
		 "kind=export\npath=/srv/uuid\n", "a UUID");
	contains(ask(&peer, "exportsd/1 handle\nfsid-type=6\nfsid=\\x0011\n\n"),
		 "exportsd/1 error\n", "too short for its type");
	contains(ask(&peer, "exportsd/1 handle\nfsid-type=8\nfsid=\\x00112233\n\n"),
		 "exportsd/1 error\n", "an unknown type");
	contains(ask(&peer, "exportsd/1 handle\nfsid-type=1\n\n"), "exportsd/1 error\n", "no id");
	peer_close(&peer);
	is_int(n_namings, 0, "nothing is left");
}

static void test_garbage(void)
{
	struct peer peer = peer_open(), good = peer_open();
	char *big = malloc(CONTROL_REQUEST_MAX + 100);

	contains(ask(&peer, "GET / HTTP/1.1\r\n\r\n"),
		 "exportsd/1 error\nmessage=", "garbage is answered");
	ok(peer.ended, "and ends the connection");
	peer_close(&peer);
	memset(big, 'x', CONTROL_REQUEST_MAX + 99);
	big[CONTROL_REQUEST_MAX + 99] = '\0';
	memcpy(big, "exportsd/1 fsid\npath=", 21);
	peer = peer_open();
	contains(ask(&peer, big), "too long", "a line without end");
	ok(peer.ended, "ends the connection");
	peer_close(&peer);
	for (size_t i = 1000; i < CONTROL_REQUEST_MAX + 99; i += 1000)
		memcpy(big + i, "\npath=", 6);
	peer = peer_open();
	contains(ask(&peer, big), "a request is too long", "a request without end");
	ok(peer.ended, "ends the connection");
	peer_close(&peer);
	peer = peer_open();
	contains(ask(&peer, "exportsd/1 dance\n\n"), "exportsd/1 unsupported\n",
		 "an unknown request");
	contains(ask(&peer, "exportsd/1 fsid\npath=/srv/plain\nshoe=4\n\n"), "exportsd/1 ok\n",
		 "unknown keys are passed over");
	peer_send(&peer, "exportsd/1 fs");
	peer_close(&peer);
	contains(ask(&good, "exportsd/1 fsid\npath=/srv/plain\n\n"), "exportsd/1 ok\n",
		 "others do not notice");
	contains(
		ask(&good,
		    "exportsd/1 fsid\npath=/srv/plain\n\nexportsd/1 path\nfsid=77\n\nexportsd/1 fsid\n"),
		"\n\nexportsd/1 ok\nfsid=77\npath=/srv/plain\n\n", "two requests in one piece");
	contains(ask(&good, "path=/srv/plain\n\n"), "exportsd/1 ok\n", "and the third in two");
	peer_close(&good);
	is_int((long long)daemon_.control->connections.n, 0, "no connection is left");
	free(big);
}

static void test_crowd(void)
{
	struct peer crowd[CONTROL_CONNECTIONS_MAX], extra;
	bool good = true;

	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		crowd[i] = peer_open();
		turn(5);
	}
	extra = peer_open();
	contains(peer_answer(&extra), "exportsd/1 error\nmessage=too many",
		 "one connection too many is told so");
	ok(extra.ended, "and ended");
	peer_close(&extra);
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		good &= strstr(ask(&crowd[i], "exportsd/1 path\nfsid=77\n\n"), "exportsd/1 ok") !=
			NULL;
	ok(good, "the others are served");
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		peer_close(&crowd[i]);
}

static void run_for(unsigned int milliseconds)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += milliseconds / 1000 + 1;
	do {
		sd_event_run(daemon_.event, 50 * 1000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (daemon_.control->connections.n > 1 && now.tv_sec < end.tv_sec);
}

/* Who says nothing, and who does not read, is let go; who waits for a medium is not. */
static void test_patience(void)
{
	struct peer silent = peer_open(), deaf = peer_open(), waiting = peer_open();

	fake.n_media = 30000;
	peer_send(&silent, "exportsd/1 sta");
	peer_send(&deaf, "exportsd/1 status\n\n");
	peer_send(&waiting, "exportsd/1 mount\npath=/mnt/cdrom/disc000001\n\n");
	is_int((long long)daemon_.control->connections.n, 3, "three connections");
	run_for(3000);
	is_int((long long)daemon_.control->connections.n, 1, "of which one is left after a while");
	peer_answer(&waiting);
	ok(!waiting.ended, "that which waits for a medium");
	fake.n_cancelled = 0;
	daemon_.control = control_free(daemon_.control);
	is_int(fake.n_cancelled, 1, "until the daemon ends");
	peer_answer(&deaf);
	peer_answer(&silent);
	ok(silent.ended && deaf.ended, "the others are gone");
	free(silent.bytes);
	free(deaf.bytes);
	free(waiting.bytes);
	close(silent.fd);
	close(deaf.fd);
	close(waiting.fd);
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	log_open(LOG_EMERG, true);
	sprintf(socket_path, "%s/run/control", directory);
	config.runtime_directory = strndup(socket_path, strlen(socket_path) - strlen("/control"));
	exports_text = malloc(4000 * 80);
	daemon_.config = &config;
	daemon_.mountd = (struct mountd *)&fake;
	daemon_.snapshot =
		make_snapshot("/srv/plain *(ro,no_subtree_check,fsid=77)\n"
			      "/mnt/cdrom/* @hostgroup(mountpoint,ro,fsid=/run/fsidsock)\n");
	sd_event_new(&daemon_.event);
	make_proc();
	if (kernel_states_new(&daemon_.states, daemon_.event, directory_of_proc) < 0)
		return 1;
	test_socket();
	test_stale_socket();
	test_status();
	test_many_media();
	test_exports();
	test_reload();
	test_mount();
	test_eject();
	test_eject_by_force();
	test_numbers();
	test_handle();
	test_garbage();
	test_crowd();
	test_patience();
	kernel_states_free(daemon_.states);
	snapshot_free(daemon_.snapshot);
	sd_event_unref(daemon_.event);
	free(exports_text);
	unmake_proc();
	rmdir(config.runtime_directory);
	rmdir(directory);
	free(config.runtime_directory);
	return tap_done();
}
