/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Media, with a scripted handler on a real socket in the same loop, real mounts (tmpfs) in a mount
 * namespace of the test's own, rules read by the real parser, and a number store in memory.
 */

#include <sys/stat.h>
#include <sys/vfs.h>

#include "exportsd/base/log.h"
#include "exportsd/fs/mounts.h"
#include "exportsd/media/private.h"
#include "parser/escape.h"
#include "tests/fake/numbers.h"
#include "tests/fake/own_mounts.h"
#include "tests/fake/peer.h"
#include "tests/fake/look.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

enum { SECOND = 1000000, DEADLINE_MS = 1000 };

static sd_event *event;
static char top[] = "/tmp/test-media.XXXXXX";
static char socket_path[64], rule_directory[64];
static struct config config;
static struct numbers *numbers;
static struct mount_table *mounts;
static struct media *media;
static struct snapshot *snapshot;
static struct peer peer;

/* ---- the handler ---- */

enum behaviour {
	FINE, /* mounts */
	SENDS, /* sends a detached mount */
	MIRRORS, /* sends a detached copy of the placeholder itself */
	FLICKERS, /* is not there; then it appears and vanishes */
	SLOW, /* says nothing until told to */
	BUSY_TWICE,
	ERROR,
	LIES, /* ok, and nothing is mounted */
	SYMLINKS, /* puts a symbolic link to a mount in the placeholder's place */
	STEALS, /* mounts, and wants the number of another medium */
	RENUMBERS, /* mounts, and wants a number that is nobody's */
	DENIES, /* but not client 192.0.2.1 */
	SHUTS, /* denies that it is there */
	DIES, /* closes the connection, once */
	ABSENT,
};

struct disc {
	const char *key;
	enum behaviour behaviour;
	bool is_listed;
	unsigned int n_mounts; /* times it was asked to mount */
	unsigned int n_unmounts;
	struct talk *talk; /* SLOW: of the last one */
	char id[24];
};

#define DISC(disc_key, does, listed)                                                               \
	{                                                                                          \
		.key = disc_key, .behaviour = does, .is_listed = listed                            \
	}

static struct disc discs[16];
static bool can_list, can_watch, can_lookup, watches_silently, watch_breaks;
static struct talk *watch_talk;
static char watch_id[24];
static char last_mount[1024]; /* its lines, joined by spaces */

static void set_discs(const struct disc *list, size_t n)
{
	memset(discs, 0, sizeof(discs));
	memcpy(discs, list, n * sizeof(*list));
	can_list = can_watch = can_lookup = true;
	watches_silently = watch_breaks = false;
	watch_talk = NULL;
}

static struct disc *disc(const char *key)
{
	for (size_t i = 0; i < N_ELEMENTS(discs) && discs[i].key; i++)
		if (str_equal(discs[i].key, key))
			return &discs[i];
	return NULL;
}

/* The medium's file system has an inode 1, which no placeholder has. */
static void mount_tmpfs(const char *path)
{
	char file[512];
	int fd;

	if (mount("tmpfs", path, "tmpfs", 0, NULL) < 0)
		perror(path);
	snprintf(file, sizeof(file), "%s/inside", path);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
	close(fd);
}

static void say_list(struct talk *talk, const struct proto_message *message)
{
	for (size_t i = 0; i < N_ELEMENTS(discs) && discs[i].key; i++) {
		CLEANUP(freep)
		char *key = escape_bytes(discs[i].key, strlen(discs[i].key), ESCAPE_WIRE);

		if (discs[i].is_listed)
			talk_say(
				talk,
				"exportsd/1 medium\nid=%s\nkey=%s\nlabel=L-%s\nidentity=I-%s\nsize-bytes=1234\n\n",
				proto_get(message, "id"), key, key, key);
	}
	talk_answer(talk, message, "ok", "");
}

static void send_mount(struct talk *talk, const struct proto_message *message)
{
	char text[128];
	int context = fsopen("tmpfs", FSOPEN_CLOEXEC), fd, length;

	fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
	length = snprintf(text, sizeof(text), "exportsd/1 ok\nid=%s\nmount-fd=1\n\n",
			  proto_get(message, "id"));
	talk_send(talk, text, (size_t)length, fd);
	close(fd);
	close(context);
}

static void send_copy(struct talk *talk, const struct proto_message *message, const char *path)
{
	int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	char text[128];
	int length = snprintf(text, sizeof(text), "exportsd/1 ok\nid=%s\nmount-fd=1\n\n",
			      proto_get(message, "id"));

	talk_send(talk, text, (size_t)length, fd);
	close(fd);
}

static void put_symlink(const char *path)
{
	char target[128];

	snprintf(target, sizeof(target), "%s/elsewhere", top);
	mkdir(target, 0755);
	mount_tmpfs(target);
	rmdir(path);
	if (symlink(target, path) < 0)
		perror(path);
}

static void do_mount(struct talk *talk, const struct proto_message *message, struct disc *it)
{
	const char *path = proto_get(message, "path"), *client = proto_get(message, "client");
	char text[64] = "";

	switch (it->behaviour) {
	case SENDS: send_mount(talk, message); return;
	case MIRRORS: send_copy(talk, message, path); return;
	case FLICKERS:
	case SLOW:
		it->talk = talk;
		snprintf(it->id, sizeof(it->id), "%s", proto_get(message, "id"));
		return;
	case ERROR: talk_answer(talk, message, "error", "errno=EIO\nmessage=scratched\n"); return;
	case ABSENT: talk_answer(talk, message, "noent", ""); return;
	case SHUTS: talk_answer(talk, message, "denied", ""); return;
	case LIES: break;
	case SYMLINKS:
		if (it->n_mounts == 1)
			put_symlink(path);
		break;
	case STEALS:
		mount_tmpfs(path);
		snprintf(text, sizeof(text), "fsid=%u\n", (unsigned int)NUMBERS_FIRST);
		break;
	case RENUMBERS:
		mount_tmpfs(path);
		snprintf(text, sizeof(text), "fsid=99999\n");
		break;
	case DIES:
		if (it->n_mounts == 1) {
			talk_close(talk);
			return;
		}
		mount_tmpfs(path);
		break;
	case BUSY_TWICE:
		if (it->n_mounts <= 2) {
			talk_answer(talk, message, "busy", "message=every drive is in use\n");
			return;
		}
		mount_tmpfs(path);
		break;
	case DENIES:
		if (!client || !str_equal(client, "192.0.2.1")) {
			talk_answer(talk, message, "denied", "");
			return;
		}
		mount_tmpfs(path);
		break;
	case FINE:
		talk_answer(talk, message, "progress", "percent=50\nmessage=half way\n");
		mount_tmpfs(path);
		snprintf(text, sizeof(text), "source=/dev/sr0\nidentity=the one\n");
		break;
	}
	talk_answer(talk, message, "ok", text);
}

static void on_mount(struct talk *talk, const struct proto_message *message)
{
	struct disc *it = disc(proto_get(message, "key"));

	last_mount[0] = '\0';
	for (size_t i = 0; i < message->n_fields; i++)
		snprintf(last_mount + strlen(last_mount), sizeof(last_mount) - strlen(last_mount),
			 "%s=%s ", message->fields[i].key, message->fields[i].value);
	if (!it) {
		talk_answer(talk, message, "noent", "");
		return;
	}
	it->n_mounts++;
	do_mount(talk, message, it);
}

static void say_watched(const char *word, const char *key)
{
	talk_say(watch_talk, "exportsd/1 %s\nid=%s\nkey=%s\n\n", word, watch_id, key);
}

static void on_lookup(struct talk *talk, const struct proto_message *message, const struct disc *it)
{
	bool is_there = it && it->behaviour != ABSENT && it->behaviour != FLICKERS;

	if (it && it->behaviour == SHUTS)
		talk_answer(talk, message, "denied", "");
	else
		talk_answer(talk, message, is_there ? "ok" : "noent", "");
	if (it && it->behaviour == FLICKERS) {
		say_watched("appeared", it->key);
		say_watched("vanished", it->key);
	}
}

static void script(struct talk *talk, const struct proto_message *message)
{
	const char *verb = message->word, *key = proto_get(message, "key");

	if (str_equal(verb, "hello")) {
		talk_answer(talk, message, "ok", "requests=32\n");
	} else if (str_equal(verb, "list") && can_list) {
		say_list(talk, message);
	} else if (str_equal(verb, "watch") && can_watch) {
		watch_talk = talk;
		snprintf(watch_id, sizeof(watch_id), "%s", proto_get(message, "id"));
		if (watch_breaks)
			talk_answer(talk, message, "error", "message=no inotify\n");
		else if (!watches_silently)
			talk_answer(talk, message, "progress", "");
	} else if (str_equal(verb, "lookup") && can_lookup) {
		on_lookup(talk, message, disc(key));
	} else if (str_equal(verb, "mount")) {
		on_mount(talk, message);
	} else if (str_equal(verb, "unmount")) {
		if (disc(key))
			disc(key)->n_unmounts++;
		umount2(proto_get(message, "path"), UMOUNT_NOFOLLOW);
		talk_answer(talk, message, "ok", "");
	} else {
		talk_answer(talk, message, "unsupported", "");
	}
}

/* ---- exports ---- */

static const char *no_real_path(void *userdata, const char *path)
{
	return NULL;
}

static bool no_host(void *userdata, const char *name, const char **ret_canonical,
		    const struct address **ret_addresses, size_t *ret_n_addresses)
{
	return false;
}

/* Put exports in force; @format gets the test's directory and the socket. */
static void set_exports(const char *format)
{
	static const struct snapshot_facts facts = { .real_path = no_real_path, .host = no_host };
	struct exports_source *source = NULL;
	struct snapshot *old = snapshot;
	struct diags diags = { 0 };
	char text[1024], part[512];
	const char *line = format;

	text[0] = '\0';
	while (*line) {
		size_t length = strcspn(line, "\n") + 1;

		snprintf(part, sizeof(part), "%.*s", (int)length, line);
		for (char *p = part; *p; p++) {
			char c[2] = { *p, 0 };

			strcat(text, *p == 'D' ? top : *p == 'S' ? socket_path : c);
		}
		line += length;
	}
	if (exports_read_text("exports", text, strlen(text), &diags, &source) < 0 ||
	    diags.n_errors || snapshot_new(source, &facts, false, &diags, &snapshot) < 0) {
		diags_print(&diags, stdout, false);
		abort();
	}
	diags_done(&diags);
	if (media_set_snapshot(media, snapshot) < 0)
		printf("# media_set_snapshot failed\n");
	snapshot_free(old);
}

static const char one_rule[] = "D/m/* *(mountpoint,ro,fsid=S)\n";

/* ---- setting up ---- */

static char *at(const char *key)
{
	static char path[8][512];
	static unsigned int n;

	n = (n + 1) % 8;
	snprintf(path[n], sizeof(path[n]), "%s/%s", rule_directory, key);
	return path[n];
}

static void start_media(void)
{
	if (media_new(&media, event, &config, numbers, mounts) < 0)
		abort();
}

static void start(const struct disc *list, size_t n, bool with_handler)
{
	set_discs(list, n);
	config = (struct config){ .deadline_seconds = 1, .retry_seconds = 0 };
	mkdir(rule_directory, 0755);
	if (with_handler && peer_open(&peer, event, socket_path, script) < 0)
		abort();
	numbers_open(&numbers, event, NULL);
	start_media();
}

static void on_mounts_told(void *userdata)
{
	*(bool *)userdata = true;
}

/* The next test mounts in the same places, with the same ids. */
static void wait_for_mounts(void)
{
	struct pending *pending;
	bool is_told = false;

	if (mount_table_wait(mounts, on_mounts_told, &is_told, &pending) < 0)
		abort();
	while (!is_told)
		sd_event_run(event, UINT64_MAX);
}

static void stop(void)
{
	media = media_free(media);
	snapshot = snapshot_free(snapshot);
	numbers = numbers_close(numbers);
	peer_close(&peer);
	unlink(socket_path);
	loop_for(event, 1);
	/* What is mounted under the rule goes with it. */
	umount2(rule_directory, MNT_DETACH);
	if (mount("tmpfs", rule_directory, "tmpfs", 0, NULL) < 0)
		abort();
	wait_for_mounts();
}

static bool is_there(const char *key)
{
	return access(at(key), F_OK) == 0;
}

static void settle(void)
{
	loop_for(event, 60);
}

/* ---- asking ---- */

struct asked {
	unsigned int n_done;
	int outcome;
	uint32_t number;
	bool is_root; /* of the medium: root_fd is the tmpfs */
	int kept_fd;
	char why[200];
};

static unsigned int n_done;

static void on_mounted(void *userdata, enum media_outcome outcome, struct media_mounted *mounted,
		       const char *why)
{
	struct asked *asked = userdata;
	struct stat facts;

	asked->n_done++;
	asked->outcome = (int)outcome;
	snprintf(asked->why, sizeof(asked->why), "%s", why ? why : "");
	if (mounted) {
		asked->number = mounted->number;
		asked->is_root = fstat(mounted->root_fd, &facts) == 0 && facts.st_ino == 1;
		if (asked->kept_fd == -2)
			asked->kept_fd = TAKE_FD(mounted->root_fd);
	}
	n_done++;
}

static struct pending *ask_for(struct asked *asked, const char *key, const char *client,
			       uint64_t timeout_usec)
{
	struct pending *request = NULL;
	int r;

	memset(asked, 0, sizeof(*asked));
	asked->outcome = asked->kept_fd = -1;
	r = media_mount(media, at(key), client, "the domain", timeout_usec, on_mounted, asked,
			&request);
	if (r < 0)
		printf("# media_mount: %s\n", strerror(-r));
	if (asked->n_done)
		printf("# not ok: done() from within\n");
	return request;
}

static void wait_for(unsigned int n)
{
	if (!loop_until(event, &n_done, n, 5000))
		printf("# only %u of %u done\n", n_done, n);
	n_done = 0;
}

static void on_number(void *userdata, enum media_outcome outcome, uint32_t number)
{
	struct asked *asked = userdata;

	asked->n_done++;
	asked->outcome = (int)outcome;
	asked->number = number;
	n_done++;
}

static int ask_number(struct asked *asked, const char *key, uint32_t *ret_number)
{
	memset(asked, 0, sizeof(*asked));
	asked->outcome = -1;
	return media_number(media, at(key), on_number, asked, ret_number, NULL);
}

/* ---- tests ---- */

static int count_listed(void *userdata, const struct medium_status *status)
{
	*(unsigned int *)userdata +=
		status->listed && status->number && status->state == MEDIA_ABSENT;
	return 0;
}

struct parts {
	char text[64];
	char *last;
};

static int write_two(void *userdata, const struct medium_status *status)
{
	struct parts *parts = userdata;

	strcat(strcat(parts->text, strrchr(status->path, '/') + 1), " ");
	free(parts->last);
	parts->last = strdup(status->path);
	return strlen(parts->text) == strlen("rom2 rom4 ");
}

/* As exportsctl's listing: two at a time, while media come and go. */
static void test_listing_in_parts(void)
{
	static const struct disc list[] = { DISC("rom5", FINE, true), DISC("rom2", FINE, true),
					    DISC("rom4", FINE, true), DISC("rom3", FINE, false),
					    DISC("rom6", FINE, false) };
	struct asked asked[2];
	uint32_t number;
	struct parts parts = { .text = "" };

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	is_int(media_each(media, NULL, write_two, &parts), 1, "a listing is stopped after two");
	is_str(parts.text, "rom2 rom4 ", "the first ones");
	ask_number(&asked[0], "rom6", &number);
	ask_number(&asked[1], "rom3", &number);
	wait_for(2);
	is_int(media_each(media, parts.last, write_two, &parts), 0, "it goes on");
	is_str(parts.text, "rom2 rom4 rom5 rom6 ",
	       "where it stopped, with what is new behind that");
	stop();
	free(parts.last);
}

static void test_catalogue(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true),  DISC("rom2", FINE, true),
					    DISC("rom3", FINE, true),  DISC(".hidden", FINE, true),
					    DISC("../up", FINE, true), DISC("a/b", FINE, true) };
	struct medium_status status;
	struct asked asked;
	struct stat facts;
	uint32_t number;
	unsigned int n = 0;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	ok(is_there("rom1") && is_there("rom2") && is_there("rom3"),
	   "what is listed has a placeholder");
	ok(stat(at("rom1"), &facts) == 0 && (facts.st_mode & 07777) == 0555, "with mode 0555");
	ok(!is_there(".hidden") && !is_there("../up") && !is_there("a"),
	   "what the rule does not claim has none");
	ok(numbers_made_directory(numbers, at("rom1")), "each is recorded as the daemon's own");
	is_int(numbers->n_assign_calls, 1, "all numbers in one go");
	is_int((long long)numbers->largest_assign, 3, "of three media");
	is_int(peer_count(&peer, "mount"), 0, "nothing was mounted");
	media_each(media, NULL, count_listed, &n);
	is_int(n, 3, "status: three listed, with numbers, absent");
	ok(media_status(media, at("rom2"), &status) && str_equal(status.label, "L-rom2") &&
		   str_equal(status.identity, "I-rom2") && status.size_bytes == 1234,
	   "with label, identity and size");
	is_int(ask_number(&asked, "rom2", &number), MEDIA_NOW, "their numbers are known at once");
	ok(!media_is_mounted(media, at("rom1")), "and they are not mounted");
	stop();
}

static void test_mount(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true), DISC("rom2", SENDS, true) };
	struct medium_status status;
	struct stat covered, before;
	struct asked asked;
	int fd;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	stat(at("rom1"), &before);
	ask_for(&asked, "rom1", "192.0.2.7", 0);
	wait_for(1);
	is_int(asked.outcome, MEDIA_OK, "asked for: mounted");
	ok(asked.is_root, "the descriptor is on the medium's root");
	is_int(asked.number, numbers_get(numbers, at("rom1")), "with its number");
	ok(strstr(last_mount, "key=rom1 ") && strstr(last_mount, "fsid=6553") &&
		   strstr(last_mount, "options=ro ") && strstr(last_mount, "client=192.0.2.7 ") &&
		   strstr(last_mount, "domain=the domain ") &&
		   strstr(last_mount, "deadline-ms=1000 ") && strstr(last_mount, "rule=") &&
		   strstr(last_mount, "path="),
	   "the handler was told all: %s", last_mount);
	fd = media_placeholder_fd(media, at("rom1"));
	ok(fd >= 0 && fstat(fd, &covered) == 0 && covered.st_ino == before.st_ino &&
		   covered.st_dev == before.st_dev,
	   "the covered directory can still be named");
	ok(media_is_mounted(media, at("rom1")), "it is mounted");
	ok(media_status(media, at("rom1"), &status) && status.state == MEDIA_MOUNTED &&
		   status.since_usec && str_equal(status.source, "/dev/sr0") &&
		   str_equal(status.identity, "the one"),
	   "status: mounted, since when, from where, which one");
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	is_int(asked.outcome, MEDIA_OK, "asked for again: mounted");
	is_int(disc("rom1")->n_mounts, 1, "without asking the handler");
	ask_for(&asked, "rom2", NULL, 0);
	wait_for(1);
	ok(asked.outcome == MEDIA_OK && asked.is_root,
	   "a detached mount that the handler sends is attached");
	umount2(at("rom1"), 0);
	ok(!media_is_mounted(media, at("rom1")), "unmounted behind our back: seen at once");
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	ok(asked.outcome == MEDIA_OK && disc("rom1")->n_mounts == 2,
	   "and mounted again when asked for");
	ask_for(&asked, "rom1", NULL, 0);
	asked.kept_fd = -2;
	wait_for(1);
	ok(umount2(at("rom1"), 0) < 0 && errno == EBUSY,
	   "who keeps the descriptor keeps it mounted");
	close(asked.kept_fd);
	is_int(umount2(at("rom1"), 0), 0, "until he closes it");
	stop();
}

static void test_many_askers(void)
{
	static const struct disc list[] = { DISC("rom1", SLOW, true) };
	static struct asked asked[200];
	struct pending *cancelled;
	struct medium_status status;
	size_t n_mounted;
	bool all = true;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	for (size_t i = 0; i < N_ELEMENTS(asked) - 1; i++)
		ask_for(&asked[i], "rom1", "192.0.2.7", 0);
	cancelled = ask_for(&asked[199], "rom1", NULL, 0);
	settle();
	is_int(disc("rom1")->n_mounts, 1, "200 ask, the handler is asked once");
	ok(media_status(media, at("rom1"), &status) && status.state == MEDIA_LOADING &&
		   status.n_waiting == 200,
	   "status: loading, 200 wait");
	pending_cancel(&cancelled);
	mount_tmpfs(at("rom1"));
	talk_say(disc("rom1")->talk, "exportsd/1 ok\nid=%s\n\n", disc("rom1")->id);
	wait_for(199);
	for (size_t i = 0; i < N_ELEMENTS(asked) - 1; i++)
		all &= asked[i].n_done == 1 && asked[i].outcome == MEDIA_OK &&
		       asked[i].number == asked[0].number;
	ok(all, "and all are told the same");
	is_int((long long)media_count(media, &n_mounted), 1, "one medium is known");
	is_int((long long)n_mounted, 1, "one is mounted");
	is_int(asked[199].n_done, 0, "but for the one who cancelled");
	stop();
}

static void test_adoption(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true) };
	struct medium_status status;
	struct asked asked;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	media = media_free(media);
	peer_close(&peer);
	start_media();
	set_exports(one_rule);
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	ok(asked.outcome == MEDIA_OK && asked.is_root,
	   "after a restart what is mounted is taken as it is");
	is_int(disc("rom1")->n_mounts, 1, "even if the handler is not there");
	stop();

	start(list, N_ELEMENTS(list), true);
	mkdir(at("rom1"), 0755);
	mount_tmpfs(at("rom1"));
	set_exports(one_rule);
	settle();
	ok(media_status(media, at("rom1"), &status) && status.state == MEDIA_MOUNTED,
	   "what is mounted at the start is seen as mounted");
	is_int(disc("rom1")->n_mounts, 0, "without asking");
	stop();
}

static void test_delays(void)
{
	struct later *timer;
	static const struct disc list[] = { DISC("busy", BUSY_TWICE, true),
					    DISC("dies", DIES, true), DISC("slow", SLOW, true) };
	struct asked busy, dies, slow, absent;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	ask_for(&busy, "busy", NULL, 0);
	wait_for(1);
	ok(busy.outcome == MEDIA_OK && disc("busy")->n_mounts == 3,
	   "busy: asked again until it is not");
	ask_for(&slow, "slow", NULL, SECOND / 10);
	wait_for(1);
	is_int(slow.outcome, MEDIA_TIMED_OUT, "who waits for 0.1 s only is told then");
	ask_for(&slow, "slow", NULL, 0);
	settle();
	is_int(disc("slow")->n_mounts, 1, "loading goes on meanwhile");
	mount_tmpfs(at("slow"));
	talk_say(disc("slow")->talk, "exportsd/1 ok\nid=%s\n\n", disc("slow")->id);
	wait_for(1);
	is_int(slow.outcome, MEDIA_OK, "and who asks later gets it");
	ask_for(&dies, "dies", NULL, 0);
	wait_for(1);
	ok(dies.outcome == MEDIA_OK && disc("dies")->n_mounts == 2,
	   "a dying connection: asked again on another");
	stop();

	start(list, N_ELEMENTS(list), false);
	set_exports(one_rule);
	ask_for(&absent, "busy", NULL, 0);
	loop_for(event, 200);
	is_int(absent.n_done, 0, "no handler: who asks waits");
	/* As if it had been away for long. */
	timer = &media_find(media, at("busy"))->timers[MEDIUM_NUMBER];
	later_call_in(timer, event, 100 * SECOND, timer->call, timer->userdata);
	if (peer_open(&peer, event, socket_path, script) < 0)
		abort();
	wait_for(1);
	is_int(absent.outcome, MEDIA_OK, "until there is one, which is noticed soon");
	settle();
	ok(is_there("dies"), "and its list is read");
	stop();
}

static void test_no(void)
{
	static const struct disc list[] = { DISC("gone", ABSENT, true), DISC("mine", DENIES, true),
					    DISC("shut", SHUTS, false) };
	struct asked one, other, number;
	uint32_t ignored;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	ask_for(&one, "gone", NULL, 0);
	wait_for(1);
	is_int(one.outcome, MEDIA_NOENT, "its handler says there is none: no such medium");
	ask_for(&one, "gone", NULL, 0);
	wait_for(1);
	ok(one.outcome == MEDIA_NOENT && disc("gone")->n_mounts == 1,
	   "which is remembered for a while");
	ask_for(&one, "nothing", NULL, 0);
	wait_for(1);
	is_int(one.outcome, MEDIA_NOENT, "never heard of: no such medium");
	is_int(peer_count(&peer, "lookup"), 1, "by lookup");
	ok(!is_there("nothing") && !numbers_get(numbers, at("nothing")),
	   "it gets no number and no placeholder");
	is_int(ask_number(&number, "nothing", &ignored), 0, "its number is not known at once");
	wait_for(1);
	is_int(number.outcome, MEDIA_NOENT, "but that there is none is");
	ask_for(&one, "mine", "192.0.2.2", 0);
	ask_for(&other, "mine", "192.0.2.1", 0);
	wait_for(2);
	is_int(one.outcome, MEDIA_DENIED, "denied to one client");
	is_int(other.outcome, MEDIA_OK, "is not denied to another who asked meanwhile");
	ask_for(&one, "shut", "192.0.2.1", 0);
	ask_for(&other, "shut", "192.0.2.2", 0);
	wait_for(2);
	ok(one.outcome == MEDIA_DENIED && other.outcome == MEDIA_DENIED,
	   "denied before anybody in particular was named: to all who asked");
	ask_for(&other, "shut", "192.0.2.3", 0);
	wait_for(1);
	is_int(other.outcome, MEDIA_DENIED, "and to who asks later");
	media_mount(media, "/elsewhere/x", NULL, NULL, 0, on_mounted, &one, NULL);
	wait_for(1);
	is_int(one.outcome, MEDIA_NOENT, "no rule claims the path: no such medium");
	stop();
}

/* Promise P4, and what handlers do wrong: each until the deadline, all at the same time. */
static void test_broken(void)
{
	static const struct disc list[] = {
		DISC("first", FINE, true),    DISC("error", ERROR, true),
		DISC("lies", LIES, true),     DISC("link", SYMLINKS, true),
		DISC("steals", STEALS, true), DISC("renumbers", RENUMBERS, true)
	};
	static struct asked asked[N_ELEMENTS(list)];
	uint64_t begun;
	struct medium_status status;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	begun = loop_now_msec();
	for (size_t i = 0; i < N_ELEMENTS(list); i++)
		ask_for(&asked[i], list[i].key, NULL, 0);
	wait_for(1);
	is_int(asked[0].outcome, MEDIA_OK, "a good medium is not held up by bad ones");
	ok(loop_now_msec() - begun < 250, "at all");
	is_int(numbers_get(numbers, at("first")), NUMBERS_FIRST, "it has the first number");
	wait_for(N_ELEMENTS(list) - 1);
	ok(loop_now_msec() - begun >= DEADLINE_MS - 10,
	   "bad ones are tried until the deadline is over");
	for (size_t i = 1; i < N_ELEMENTS(list); i++)
		ok(asked[i].outcome == MEDIA_ERROR &&
			   disc(list[i].key)->n_mounts >= (str_equal(list[i].key, "link") ? 1 : 2),
		   "%s: error: %s", list[i].key, asked[i].why);
	ok(strstr(asked[1].why, "scratched"), "an error says what the handler said");
	ok(strstr(asked[2].why, "nothing is mounted"), "a lie is found out");
	ok(strstr(asked[3].why, "symbolic link"), "a symbolic link is not followed");
	ok(strstr(asked[4].why, "65536") && strstr(asked[4].why, "/first"),
	   "a number that is taken is refused, both named");
	ok(strstr(asked[5].why, "99999") && strstr(asked[5].why, "for ever"),
	   "a path's number does not change");
	is_str(numbers_path(numbers, NUMBERS_FIRST), at("first"), "and what had it keeps it");
	ok(disc("steals")->n_unmounts >= 1, "what was mounted in vain is unmounted by its handler");
	ok(media_status(media, at("error"), &status) && status.state == MEDIA_FAILED,
	   "status: failed");
	is_int(media_placeholder_fd(media, at("error")), -1,
	       "and no descriptor is kept for each medium that fails");
	ask_for(&asked[1], "error", NULL, 0);
	begun = loop_now_msec();
	wait_for(1);
	ok(asked[1].outcome == MEDIA_ERROR && loop_now_msec() - begun < 200,
	   "which is remembered for a while");
	unlink(at("link"));
	stop();
}

/* Whatever bytes a key has but '/' and NUL. */
static void test_odd_keys(void)
{
	static char longest[256], too_long[257];
	struct disc list[] = {
		DISC("two words\tand a tab", FINE, true),
		DISC("new\nline", FINE, true),
		DISC("back\\slash \\040", FINE, true),
		DISC("\\x41", FINE, true),
		DISC("\xc3\xa4\xff", FINE, true),
		DISC(longest, FINE, true),
		DISC(too_long, FINE, true),
		DISC("plain", FINE, true),
	};
	struct asked asked;

	memset(longest, 'l', sizeof(longest) - 1);
	memset(too_long, 't', sizeof(too_long) - 1);
	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	for (size_t i = 0; i < N_ELEMENTS(list); i++) {
		bool fits = list[i].key != too_long;

		is_int(is_there(list[i].key), fits,
		       fits ? "an odd key has a placeholder"
			    : "one too long for a file name has none");
		ask_for(&asked, list[i].key, NULL, 0);
		wait_for(1);
		is_int(asked.outcome, fits ? MEDIA_OK : MEDIA_NOENT,
		       fits ? "and is mounted there" : "and is no medium, which others survive");
	}
	stop();
}

/* How many mounts are at a path. */
static unsigned int n_mounts_at(const char *path)
{
	FILE *from = fopen("/proc/self/mountinfo", "r");
	char line[4096], target[256];
	unsigned int n = 0;

	while (fgets(line, sizeof(line), from))
		n += sscanf(line, "%*s %*s %*s %*s %255s", target) == 1 && str_equal(target, path);
	fclose(from);
	return n;
}

static void test_mount_of_nothing(void)
{
	static const struct disc list[] = { DISC("mirror", MIRRORS, true) };
	struct asked asked;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	ask_for(&asked, "mirror", NULL, 0);
	wait_for(1);
	ok(asked.outcome == MEDIA_ERROR && disc("mirror")->n_mounts >= 2,
	   "a mount that is the placeholder again is an error: %s", asked.why);
	is_int(n_mounts_at(at("mirror")), 0, "and is not left there, not once");
	stop();
}

/* The handler says no, yes and no again before anybody could be told of the first. */
static void test_flicker(void)
{
	static const struct disc list[] = { DISC("flicker", FLICKERS, false) };
	struct asked asked;
	uint32_t number;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	is_int(ask_number(&asked, "flicker", &number), 0, "a medium nobody knows is asked about");
	while (!later_is_pending(&media->deliver))
		sd_event_run(event, UINT64_MAX);
	later_call_in(&media->deliver, event, SECOND / 20, media->deliver.call, media);
	wait_for(1);
	is_int(asked.outcome, MEDIA_NOENT, "there is none");
	loop_for(event, 20);
	ok(!media_find(media, at("flicker")), "and nothing is left of it");
	stop();
}

/* Promise P4: a placeholder that is bound on itself is the root of a mount, and not the medium's. */
static void test_bound(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true), DISC("lies", LIES, true) };
	struct mounts_place place = { 0 };
	struct asked asked, lies;
	int fd;

	start(list, N_ELEMENTS(list), true);
	set_exports("D/m/* *(mountpoint,ro,fsid=S)\nD/m *(ro,crossmnt,fsid=7)\n");
	settle();
	fd = mounts_open(at("rom1"));
	ok(fd >= 0 && mounts_look(fd, &place) == 0 && place.is_mount_root,
	   "parent exported: placeholders are mount roots");
	close(fd);
	ok(!media_is_mounted(media, at("rom1")), "but not media");
	ask_for(&lies, "lies", NULL, 0);
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	ok(asked.outcome == MEDIA_OK && asked.is_root, "a medium is mounted on one");
	wait_for(1);
	ok(lies.outcome == MEDIA_ERROR && strstr(lies.why, "nothing is mounted"),
	   "an ok without a mount is found out there too");
	media = media_free(media);
	start_media();
	set_exports("D/m/* *(mountpoint,ro,fsid=S)\nD/m *(ro,crossmnt,fsid=7)\n");
	settle();
	ok(media_is_mounted(media, at("rom1")) && !media_is_mounted(media, at("lies")),
	   "after a restart both are told apart");
	umount2(at("rom1"), 0);
	ok(!media_is_mounted(media, at("rom1")),
	   "what is left when the medium goes is the placeholder");
	set_exports(one_rule);
	settle();
	fd = mounts_open(at("lies"));
	ok(fd >= 0 && mounts_look(fd, &place) == 0 && !place.is_mount_root,
	   "parent no longer exported: no longer bound");
	close(fd);
	stop();
}

static void test_watch(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true), DISC("full", FINE, true),
					    DISC("theirs", FINE, true),
					    DISC("later", FINE, false) };
	struct medium_status status;
	struct asked asked;
	uint32_t number, again = 0;
	char file[300];

	start(list, N_ELEMENTS(list), true);
	mkdir(at("theirs"), 0755);
	set_exports(one_rule);
	settle();
	ok(!is_there("later"), "not listed: no placeholder");
	say_watched("appeared", "later");
	settle();
	ok(is_there("later"), "appeared: a placeholder");
	is_int(ask_number(&asked, "later", &number), MEDIA_NOW, "and a number");
	say_watched("vanished", "later");
	snprintf(file, sizeof(file), "%s/precious", at("full"));
	close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	say_watched("vanished", "full");
	say_watched("vanished", "theirs");
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	say_watched("vanished", "rom1");
	settle();
	ok(!is_there("later"), "vanished: its placeholder is removed");
	ok(!numbers_made_directory(numbers, at("later")), "and struck off the record");
	is_int(ask_number(&asked, "later", &again), MEDIA_NOW, "its number is known for ever");
	is_int(again, number, "and the same");
	ok(is_there("full"), "a directory that is not empty stays");
	ok(is_there("theirs"), "a directory that the daemon did not make stays");
	ok(!media_is_mounted(media, at("rom1")), "what was mounted is unmounted");
	is_int(disc("rom1")->n_unmounts, 1, "by its handler");
	ok(!is_there("rom1"), "and its placeholder goes, too");
	ok(media_status(media, at("rom1"), &status) && !status.listed && status.number,
	   "its number stays");
	talk_close(watch_talk);
	disc("later")->is_listed = true;
	settle();
	ok(is_there("later"), "a watch that ends is begun anew, and the list too");
	stop();
}

/* ---- draining ---- */

struct drained {
	unsigned int n_done;
	int outcome;
	char why[100];
};

static void on_drained(void *userdata, enum media_drain_outcome outcome, const char *why)
{
	struct drained *drained = userdata;

	drained->n_done++;
	drained->outcome = (int)outcome;
	snprintf(drained->why, sizeof(drained->why), "%s", why ? why : "");
}

static unsigned int n_withdrawn, n_domains_withdrawn;
static bool withdrawn_all, is_held_now;

static int note_withdrawal(void *userdata, const struct media_withdrawal *withdrawal)
{
	n_withdrawn++;
	n_domains_withdrawn = (unsigned int)withdrawal->n_domains;
	withdrawn_all = withdrawal->all;
	return 0;
}

/* One that is not told before tell_held(). */
static struct slow_look {
	struct pending pending;
	media_looked_fn done;
	void *whose;
	unsigned int n_begun, n_cancelled;
	bool is_wanted;
} slow_look;

static void cancel_slow_look(struct pending *pending)
{
	slow_look.n_cancelled++;
}

static int say_held(void *userdata, dev_t device, uint64_t quiet_usec, media_looked_fn done,
		    void *whose, struct pending **ret_pending)
{
	if (!slow_look.is_wanted)
		return fake_look(event, is_held_now, done, whose, ret_pending);
	slow_look.pending.cancel = cancel_slow_look;
	slow_look.done = done;
	slow_look.whose = whose;
	slow_look.n_begun++;
	*ret_pending = &slow_look.pending;
	return 0;
}

static void start_drains(const struct disc *list, size_t n, unsigned int idle_seconds)
{
	static const struct media_kernel kernel = { .withdraw = note_withdrawal, .look = say_held };

	start(list, n, true);
	config.idle_seconds = idle_seconds;
	config.medium_ttl_seconds = 60;
	media_set_kernel(media, &kernel);
	set_exports(one_rule);
	settle();
	is_held_now = false;
	n_withdrawn = 0;
}

static struct pending *drain(struct drained *drained, const char *key, enum media_drain_kind kind)
{
	struct pending *request = NULL;

	memset(drained, 0, sizeof(*drained));
	if (media_drain(media, at(key), kind, on_drained, drained, &request) < 0)
		printf("# media_drain failed\n");
	if (drained->n_done)
		printf("# not ok: done() from within\n");
	return request;
}

static void test_eject(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true), DISC("slow", SLOW, true) };
	struct pending *request;
	struct drained drained;
	struct asked asked;
	int held;

	start_drains(list, N_ELEMENTS(list), 0);
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	media_note_domain(media, at("rom1"), "a");
	media_note_domain(media, at("rom1"), "b");
	media_note_domain(media, at("rom1"), "a");
	drain(&drained, "rom1", MEDIA_DRAIN_EJECT);
	settle();
	is_int(drained.n_done, 1, "an eject ends");
	is_int(drained.outcome, MEDIA_DRAINED, "and it is unmounted");
	ok(!media_is_mounted(media, at("rom1")), "indeed");
	is_int(disc("rom1")->n_unmounts, 1, "by its handler");
	is_int(n_domains_withdrawn, 2, "the kernel forgot it for each domain once");
	ok(!withdrawn_all, "without looking through all that it knows");
	drain(&drained, "rom1", MEDIA_DRAIN_EJECT);
	settle();
	is_int(drained.outcome, MEDIA_DRAINED, "one that is not mounted is given up");
	is_int(disc("rom1")->n_unmounts, 2, "by its handler, too");
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	is_int(asked.outcome, MEDIA_OK, "the next use mounts it again");
	is_held_now = true;
	drain(&drained, "rom1", MEDIA_DRAIN_EJECT);
	settle();
	is_int(drained.outcome, MEDIA_DRAIN_IN_USE, "what NFSv4 clients hold is in use");
	is_int(n_withdrawn, 1, "and the kernel is not made to forget it");
	is_held_now = false;
	held = open(at("rom1"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	request = drain(&drained, "rom1", MEDIA_DRAIN_EJECT);
	settle();
	is_int(drained.n_done, 0, "what a process holds is waited for");
	ask_for(&asked, "rom1", NULL, 0);
	settle();
	is_int(asked.n_done, 0, "who asks for it waits as well");
	pending_cancel(&request);
	close(held);
	loop_for(event, 400);
	is_int(drained.n_done, 0, "who has cancelled is not told");
	is_int(asked.outcome, MEDIA_OK, "but who asked has it, mounted once more");
	is_int(disc("rom1")->n_mounts, 3, "in fact");
	ask_for(&asked, "slow", NULL, 0);
	settle();
	is_int(media_drain(media, at("slow"), MEDIA_DRAIN_EJECT, on_drained, &drained, &request),
	       -EBUSY, "what is being loaded cannot be ejected");
	is_int(media_drain(media, "/elsewhere", MEDIA_DRAIN_EJECT, on_drained, &drained, &request),
	       -ENOENT, "nor what no rule claims");
	stop();
}

/* It takes a while to find out who holds it. */
static void test_slow_look(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true) };
	struct drained drained;
	struct asked asked;

	start_drains(list, N_ELEMENTS(list), 1);
	memset(&slow_look, 0, sizeof(slow_look));
	slow_look.is_wanted = true;
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	for (int i = 0; i < 100 && !slow_look.n_begun; i++)
		loop_for(event, 100);
	is_int(slow_look.n_begun, 1, "an idle medium: who holds it is asked");
	ask_for(&asked, "rom1", NULL, 0);
	settle();
	is_int(asked.outcome, MEDIA_OK, "who wants it meanwhile has it at once");
	is_int(slow_look.n_cancelled, 1, "and nobody waits for the answer any more");
	is_int(disc("rom1")->n_unmounts, 0, "it stays mounted");
	is_int(n_withdrawn, 0, "and nothing was forgotten");

	drain(&drained, "rom1", MEDIA_DRAIN_EJECT);
	loop_for(event, 200);
	is_int(slow_look.n_begun, 2, "an eject asks, too");
	ask_for(&asked, "rom1", NULL, 0);
	settle();
	ok(asked.n_done == 0 && drained.n_done == 0, "and then who wants it waits");
	slow_look.is_wanted = false;
	slow_look.done(slow_look.whose, false);
	loop_for(event, 400);
	is_int(drained.outcome, MEDIA_DRAINED, "nobody holds it: it is unmounted");
	is_int(asked.outcome, MEDIA_OK, "and mounted again for who waits");

	slow_look.is_wanted = true;
	drain(&drained, "rom1", MEDIA_DRAIN_EJECT);
	loop_for(event, 200);
	umount2(at("rom1"), MNT_DETACH);
	slow_look.done(slow_look.whose, true);
	settle();
	is_int(drained.outcome, MEDIA_DRAINED,
	       "one that somebody unmounted meanwhile is not in use");
	slow_look.is_wanted = false;
	stop();
}

/* Its drain has not begun when somebody asks for it. */
static void test_eject_and_load(void)
{
	static const struct disc list[] = { DISC("slow", SLOW, true) };
	struct drained drained;
	struct asked asked;

	start_drains(list, N_ELEMENTS(list), 0);
	drain(&drained, "slow", MEDIA_DRAIN_EJECT);
	ask_for(&asked, "slow", NULL, 0);
	settle();
	is_int(drained.outcome, MEDIA_DRAIN_WANTED, "an eject gives way to who asks meanwhile");
	is_int(disc("slow")->n_unmounts, 0, "it is not unmounted while it is being mounted");
	is_int(disc("slow")->n_mounts, 1, "nor mounted twice at a time");
	mount_tmpfs(at("slow"));
	talk_say(disc("slow")->talk, "exportsd/1 ok\nid=%s\n\n", disc("slow")->id);
	settle();
	is_int(asked.outcome, MEDIA_OK, "who asked has it");
	stop();
}

static void test_idle_under_another_rule(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true) };
	struct asked asked;

	start_drains(list, N_ELEMENTS(list), 1);
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	set_exports("D/m/*1 *(mountpoint,ro,fsid=S)\n");
	settle();
	ok(media_is_mounted(media, at("rom1")), "a medium comes to another rule as it is");
	loop_for(event, 3 * DEADLINE_MS);
	ok(!media_is_mounted(media, at("rom1")), "and falls idle there");
	stop();
}

/* One that waits for its turn to be drained is idle no more, and watched for idleness again. */
static void test_wanted_in_the_queue(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true) };
	struct asked asked;

	start_drains(list, N_ELEMENTS(list), 1);
	n_done = 0;
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	while (medium_stage(media_find(media, at("rom1")), MEDIUM_DRAIN) != MEDIUM_QUEUED)
		sd_event_run(event, UINT64_MAX);
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	ok(asked.outcome == MEDIA_OK && disc("rom1")->n_mounts == 1, "wanted in the queue: served");
	loop_for(event, DEADLINE_MS / 2);
	is_int(disc("rom1")->n_unmounts, 0, "and not unmounted");
	loop_for(event, 4 * DEADLINE_MS);
	is_int(disc("rom1")->n_unmounts, 1, "until it is idle again");
	stop();
}

static void test_idle(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true), DISC("rom2", FINE, true) };
	struct asked asked, again;
	int held;

	start_drains(list, N_ELEMENTS(list), 1);
	ok(media_ttl_seconds(media, at("rom1")) == 2, "entries of media live as long as idleness");
	ask_for(&asked, "rom1", NULL, 0);
	ask_for(&again, "rom2", NULL, 0);
	wait_for(2);
	loop_for(event, DEADLINE_MS);
	ok(media_is_mounted(media, at("rom1")), "it is not idle at once");
	ask_for(&again, "rom2", NULL, 0);
	loop_for(event, DEADLINE_MS + 150);
	ok(!media_is_mounted(media, at("rom1")), "nobody asks for it: it is unmounted");
	ok(media_is_mounted(media, at("rom2")), "another one is in use");
	held = open(at("rom2"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	loop_for(event, DEADLINE_MS + 150);
	is_int(disc("rom2")->n_unmounts, 0, "it falls idle while a process holds it");
	ask_for(&again, "rom2", NULL, 0);
	settle();
	is_int(again.outcome, MEDIA_OK, "who asks turns the drain round");
	is_int(disc("rom2")->n_mounts, 1, "it was mounted all the time");
	close(held);
	loop_for(event, 3 * DEADLINE_MS);
	ok(!media_is_mounted(media, at("rom2")), "and goes when it is idle again");
	stop();
}

static void test_many_idle(void)
{
	enum { N = 12 };
	static struct disc list[N];
	static char keys[N][8];
	struct asked asked[N];
	unsigned int n_mounted = 0;

	for (int i = 0; i < N; i++) {
		sprintf(keys[i], "rom%d", i);
		list[i] = (struct disc)DISC(keys[i], FINE, true);
	}
	start_drains(list, N, 1);
	for (int i = 0; i < N; i++)
		ask_for(&asked[i], keys[i], NULL, 0);
	wait_for(N);
	loop_for(event, 4 * DEADLINE_MS);
	for (int i = 0; i < N; i++)
		n_mounted += media_is_mounted(media, at(keys[i]));
	is_int(n_mounted, 0, "media that fall idle together are unmounted one after another");
	is_int((long long)media->n_draining, 0, "and no drain is left");
	stop();
}

/* Until mounts have been read, and those of media were taken for what they are. */
static void wait_for_adoption(const char *key)
{
	uint64_t end = loop_now_msec() + 5000;
	struct medium_status status;

	while (loop_now_msec() < end &&
	       (!media_status(media, at(key), &status) || status.state != MEDIA_MOUNTED))
		loop_for(event, 5);
}

/* A daemon that was killed left it mounted. */
static void test_adoption_at_start(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true) };
	struct medium_status status;

	start(list, N_ELEMENTS(list), false);
	config.idle_seconds = 1;
	numbers_give(numbers, at("rom1"), 0);
	mkdir(at("rom1"), 0555);
	mount_tmpfs(at("rom1"));
	set_exports(one_rule);
	wait_for_adoption("rom1");
	ok(media_status(media, at("rom1"), &status) && status.state == MEDIA_MOUNTED,
	   "what is mounted at the start is known, though its handler is away");
	ok(media_find(media, at("rom1"))->drain.has_other_domains,
	   "and that the kernel may know of it what we do not");
	stop();
}

/* By an administrator, or by the handler of a daemon that has ended. */
static void test_adoption_later(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true), DISC("rom2", FINE, true) };
	struct medium_status status;

	start_drains(list, N_ELEMENTS(list), 0);
	mount_tmpfs(at("rom1"));
	loop_for(event, 5 * DEADLINE_MS + 300);
	ok(medium_stage(media_find(media, at("rom1")), MEDIUM_MOUNT) == MEDIUM_DONE,
	   "what somebody mounts is noticed, so that it falls idle like others");
	mount_tmpfs(at("rom2"));
	loop_for(event, 5 * DEADLINE_MS + 300);
	ok(media_status(media, at("rom2"), &status) && status.state == MEDIA_MOUNTED,
	   "and the next one");
	is_int(disc("rom1")->n_mounts, 0, "nobody is asked for it");
	stop();
}

static void test_leftovers(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true) };

	start(list, N_ELEMENTS(list), true);
	numbers_give(numbers, at("old"), 0);
	numbers_know(numbers, at("old"))->made = true;
	mkdir(at("old"), 0555);
	numbers_give(numbers, at("theirs"), 0);
	mkdir(at("theirs"), 0555);
	set_exports(one_rule);
	settle();
	ok(!is_there("old"), "a placeholder of an earlier run that is no longer listed is removed");
	ok(is_there("theirs"), "somebody else's directory is not");
	stop();
}

static void test_rules(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true), DISC("rom2", FINE, true),
					    DISC("slow", SLOW, true) };
	struct asked asked, slow;
	uint32_t number;
	unsigned int n_lists;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	ask_for(&slow, "slow", NULL, 0);
	settle();
	n_lists = peer_count(&peer, "list");
	set_exports("D/m/* *(mountpoint,ro,fsid=S)\nD/other *(ro)\n");
	settle();
	is_int(peer_count(&peer, "list"), n_lists, "a rule that stays is left alone");
	is_int(disc("slow")->n_mounts, 1, "and what is under way goes on");
	set_exports("D/m/*w *(mountpoint,rw,fsid=S)\n");
	settle();
	is_int(disc("slow")->n_mounts, 2,
	       "another rule claims the path: it is asked for under that one");
	ok(strstr(last_mount, "options=rw"), "with its options");
	ok(!is_there("rom2"), "placeholders of the rule that is gone are removed");
	ok(access(at("rom1/inside"), F_OK) == 0, "what is mounted stays");
	is_int(ask_number(&asked, "rom1", &number), 0, "no rule claims it: no number at once");
	wait_for(1);
	is_int(asked.outcome, MEDIA_NOENT, "but a no");
	set_exports("D/other *(ro)\n");
	wait_for(1);
	is_int(slow.outcome, MEDIA_NOENT, "no rule is left: who waits is told");
	settle();
	ok(!is_there("slow"), "and the placeholder removed");
	set_exports(one_rule);
	settle();
	ok(is_there("slow") && is_there("rom2"), "the rule is back: so are the placeholders");
	is_int(ask_number(&asked, "rom1", &number), MEDIA_NOW, "and the numbers");
	stop();
}

static void test_components(void)
{
	static const struct disc list[] = { DISC("1999/linz", FINE, true),
					    DISC("1999/graz", FINE, true),
					    DISC("2000/wien", FINE, true),
					    DISC("flat", FINE, true) };
	struct asked asked;
	int directory;

	start(list, N_ELEMENTS(list), true);
	set_exports("D/m/*/* *(mountpoint,ro,fsid=S)\n");
	settle();
	ok(is_there("1999/linz") && is_there("1999/graz") && is_there("2000/wien"),
	   "two components: directories above are made too");
	ok(numbers_made_directory(numbers, at("1999")) &&
		   numbers_made_directory(numbers, at("2000")),
	   "and recorded");
	ok(!is_there("flat"), "one component is not the rule's");
	ask_for(&asked, "1999/linz", NULL, 0);
	wait_for(1);
	ok(asked.outcome == MEDIA_OK && asked.is_root, "and mounted");
	if (symlink(at("1999"), at("years")) < 0)
		perror("# symlink");
	directory = mounts_open(rule_directory);
	is_int(mounts_unmount(directory, "years/linz"), -ELOOP,
	       "what a symbolic link on the way leads to is not unmounted");
	is_int(mounts_probe(directory, "1999/linz"), 0, "it could be, by its own path");
	close(directory);
	unlink(at("years"));
	say_watched("vanished", "1999/graz");
	say_watched("vanished", "2000/wien");
	settle();
	ok(!is_there("1999/graz") && is_there("1999") && !is_there("2000"),
	   "they go with the last medium in them");
	stop();
}

static void test_handlers_that_do_little(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, false), DISC("rom2", FINE, false) };
	struct asked asked;

	start(list, N_ELEMENTS(list), true);
	can_list = can_watch = can_lookup = false;
	set_exports(one_rule);
	settle();
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	ok(asked.outcome == MEDIA_OK && asked.is_root, "a handler that can only mount is enough");
	ask_for(&asked, "none", NULL, 0);
	wait_for(1);
	is_int(asked.outcome, MEDIA_NOENT, "and may say no");
	can_list = true;
	disc("rom2")->is_listed = true;
	ask_for(&asked, "rom2", NULL, 0);
	wait_for(1);
	is_int(asked.outcome, MEDIA_OK, "one that lists is asked for its list instead of lookup");
	ask_for(&asked, "nowhere", NULL, 0);
	wait_for(1);
	is_int(asked.outcome, MEDIA_NOENT, "and what is not in it is not there");
	stop();
}

static void test_odd_watches(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true) };

	start(list, N_ELEMENTS(list), true);
	watches_silently = true;
	set_exports(one_rule);
	settle();
	ok(!is_there("rom1"), "a watch that does not say that it is on is waited for");
	loop_for(event, 1000);
	ok(is_there("rom1"), "but not long");
	is_int(peer_count(&peer, "list"), 1, "the list is asked for once");
	stop();

	start(list, N_ELEMENTS(list), true);
	watch_breaks = true;
	set_exports(one_rule);
	settle();
	ok(is_there("rom1"), "a watch that fails does not hold up the list");
	ok(peer_count(&peer, "watch") >= 2, "and is tried again");
	stop();
}

static void test_obstacles(void)
{
	static const struct disc list[] = { DISC("file", FINE, true), DISC("link", FINE, true),
					    DISC("rom1", FINE, true) };
	struct asked asked;

	start(list, N_ELEMENTS(list), true);
	close(open(at("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	if (symlink("/tmp", at("link")) < 0)
		abort();
	set_exports(one_rule);
	settle();
	ok(is_there("rom1"), "what is in the way of one placeholder is not in the others'");
	ask_for(&asked, "link", NULL, 0);
	wait_for(1);
	ok(asked.outcome == MEDIA_ERROR && disc("link")->n_mounts == 0,
	   "nothing is mounted over a symbolic link");
	numbers->fails = -ENOSPC;
	ask_for(&asked, "new", NULL, 0);
	wait_for(1);
	is_int(asked.outcome, MEDIA_NOENT, "a store that is full does not hold up a no");
	stop();

	start(list, N_ELEMENTS(list), true);
	umount2(rule_directory, MNT_DETACH);
	rmdir(rule_directory);
	set_exports(one_rule);
	settle();
	ask_for(&asked, "rom1", NULL, 0);
	settle();
	is_int(asked.n_done, 0, "the rule's directory is missing: who asks waits");
	mkdir(rule_directory, 0755);
	wait_for(1);
	is_int(asked.outcome, MEDIA_OK, "until it is there");
	umount2(at("rom1"), MNT_DETACH);
	rmdir(at("rom1"));
	stop();
}

static void test_store_fails(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true), DISC("late", FINE, false) };
	struct asked asked;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	numbers->fails = -ENOSPC;
	ask_for(&asked, "late", NULL, 0);
	wait_for(1);
	is_int(asked.outcome, MEDIA_ERROR,
	       "a store that is full: an error when the deadline is over");
	ok(strstr(asked.why, "No space left"), "that says why: %s", asked.why);
	ask_for(&asked, "rom1", NULL, 0);
	wait_for(1);
	is_int(asked.outcome, MEDIA_OK, "numbers that are known still work");
	stop();
}

static unsigned int n_observed;
static enum media_state observed[32];
static struct media_observer *observer;

static void on_observed(void *userdata, const struct medium_status *status)
{
	if (n_observed < N_ELEMENTS(observed))
		observed[n_observed++] = status->state;
	if (status->state == MEDIA_MOUNTED) {
		media_unobserve(observer);
		observer = NULL;
	}
}

static void test_observers(void)
{
	static const struct disc list[] = { DISC("slow", SLOW, true) };
	struct medium_status status;
	struct asked asked;

	start(list, N_ELEMENTS(list), true);
	set_exports(one_rule);
	settle();
	is_int(media_observe(media, at("slow"), on_observed, NULL, &observer), 0,
	       "a medium can be observed");
	ask_for(&asked, "slow", NULL, 0);
	settle();
	ok(n_observed == 1 && observed[0] == MEDIA_LOADING, "loading is told");
	talk_say(disc("slow")->talk,
		 "exportsd/1 progress\nid=%s\npercent=40\nmessage=robot: slot 7\n\n",
		 disc("slow")->id);
	settle();
	ok(n_observed == 2 && media_status(media, at("slow"), &status) && status.percent == 40 &&
		   str_equal(status.message, "robot: slot 7"),
	   "progress is told");
	mount_tmpfs(at("slow"));
	talk_say(disc("slow")->talk, "exportsd/1 ok\nid=%s\n\n", disc("slow")->id);
	wait_for(1);
	settle();
	ok(n_observed == 3 && observed[2] == MEDIA_MOUNTED, "mounted is told");
	ok(!observer, "and who is told may go away");
	is_int(media_observe(media, "/elsewhere", on_observed, NULL, &observer), -ENOENT,
	       "no rule, nothing to observe");
	stop();
}

/* ---- limits ---- */

static unsigned int n_entries;

static void script_long_list(struct talk *talk, const struct proto_message *message)
{
	FILE *memory;
	char *text;
	size_t length;

	if (!str_equal(message->word, "list")) {
		script(talk, message);
		return;
	}
	memory = open_memstream(&text, &length);
	for (unsigned int i = 0; i < n_entries; i++)
		fprintf(memory, "exportsd/1 medium\nid=%s\nkey=m%u\n\n", proto_get(message, "id"),
			i);
	fclose(memory);
	talk_send(talk, text, length, -1);
	free(text);
	talk_answer(talk, message, "ok", "");
}

static void test_long_lists(void)
{
	static const struct disc list[] = { DISC("rom1", FINE, true) };
	uint64_t begun, longest = 0;
	struct medium_status status;

	start(list, 1, false);
	if (peer_open(&peer, event, socket_path, script_long_list) < 0)
		abort();
	n_entries = 2000;
	set_exports(one_rule);
	begun = loop_now_msec();
	while (!is_there("m1999") && loop_now_msec() - begun < 2500) {
		uint64_t turn = loop_now_msec();

		sd_event_run(event, 10000);
		if (loop_now_msec() - turn > longest)
			longest = loop_now_msec() - turn;
	}
	settle();
	ok(is_there("m0") && is_there("m1999"), "2,000 placeholders are made");
	ok(longest < 250, "in slices: no turn of the loop took longer than %llu ms",
	   (unsigned long long)longest);
	is_int((long long)numbers->largest_assign, 2000, "their numbers were given in one go");
	stop();

	start(list, 1, false);
	umount2(rule_directory, MNT_DETACH);
	rmdir(rule_directory);
	if (peer_open(&peer, event, socket_path, script_long_list) < 0)
		abort();
	n_entries = 100001;
	set_exports(one_rule);
	begun = loop_now_msec();
	while (numbers_count(numbers) < 100000 && loop_now_msec() - begun < 60000)
		sd_event_run(event, 10000);
	settle();
	is_int((long long)numbers_count(numbers), 100000,
	       "no more than 100,000 media of a rule are listed");
	ok(numbers->largest_assign <= MEDIA_NUMBERED, "and numbered some at a time");
	ok(media_status(media, at("m99999"), &status) &&
		   !media_status(media, at("m100000"), &status),
	   "the rest is left out");
	mkdir(rule_directory, 0755);
	stop();
}

int main(void)
{
	log_open(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT, true);
	if (own_mounts() < 0) {
		ok(true, "media # SKIP no mount namespace to be had");
		return tap_done();
	}
	if (!mkdtemp(top) || sd_event_new(&event) < 0 || mount_table_new(&mounts, event) < 0)
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/s", top);
	snprintf(rule_directory, sizeof(rule_directory), "%s/m", top);
	mkdir(rule_directory, 0755);
	if (mount("tmpfs", rule_directory, "tmpfs", 0, NULL) < 0)
		return 1;
	test_catalogue();
	test_listing_in_parts();
	test_mount();
	test_many_askers();
	test_adoption();
	test_delays();
	test_no();
	test_broken();
	test_odd_keys();
	test_mount_of_nothing();
	test_flicker();
	test_bound();
	test_watch();
	test_eject();
	test_slow_look();
	test_eject_and_load();
	test_idle_under_another_rule();
	test_idle();
	test_wanted_in_the_queue();
	test_many_idle();
	test_adoption_at_start();
	test_adoption_later();
	test_leftovers();
	test_rules();
	test_components();
	test_handlers_that_do_little();
	test_odd_watches();
	test_obstacles();
	test_store_fails();
	test_observers();
	test_long_lists();
	mount_table_free(mounts);
	sd_event_unref(event);
	umount2(rule_directory, MNT_DETACH);
	snprintf(socket_path, sizeof(socket_path), "%s/elsewhere", top);
	umount2(socket_path, MNT_DETACH);
	rmdir(socket_path);
	rmdir(rule_directory);
	rmdir(top);
	return tap_done();
}
