/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * identity=strict: one drive under one path, whose disc is changed behind everybody's back. The handler is scripted,
 * the mounts are real ones (tmpfs) in a mount namespace of the test's own, the number store is in memory.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "exportsd/base/log.h"
#include "exportsd/media/private.h"
#include "tests/fake/numbers.h"
#include "tests/fake/own_mounts.h"
#include "tests/fake/peer.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

static sd_event *event;
static char top[] = "/tmp/test-identity.XXXXXX";
static char socket_path[64], rule_directory[64], drive[80];
static struct config config;
static struct numbers *numbers;
static struct mount_table *mounts;
static struct media *media;
static struct snapshot *snapshot;
static struct peer peer;

/* ---- the handler ---- */

static struct {
	const char *disc; /* in the drive; NULL: it gives no identity */
	const char *listed; /* what its list says; NULL: nothing */
	bool removable;
	bool is_taciturn; /* it says so only when it mounts */
	bool sends; /* its mounts, detached */
	unsigned int own_number; /* 0: none */
	const char *next; /* the disc is exchanged for it between its look and its answer */
	unsigned int n_mounts;
	struct talk *watch;
	char watch_id[24];
} handler;

static bool is_mounted(void)
{
	struct stat here, above;

	return stat(drive, &here) == 0 && stat(rule_directory, &above) == 0 &&
	       here.st_dev != above.st_dev;
}

static void by_hand(void)
{
	if (is_mounted() && umount2(drive, 0) < 0)
		perror("# umount");
	if (mount("tmpfs", drive, "tmpfs", 0, NULL) < 0)
		perror("# mount");
}

static void take_out(void)
{
	if (is_mounted() && umount2(drive, 0) < 0)
		perror("# umount");
}

/* What it said is not true any more. */
static void exchange(void)
{
	if (!handler.next)
		return;
	handler.disc = TAKE_PTR(handler.next);
	by_hand();
}

static void answer(struct talk *talk, const struct proto_message *message, const char *more)
{
	char text[256];

	snprintf(text, sizeof(text), "%s%s", handler.removable ? "removable=1\n" : "", more);
	talk_answer(talk, message, "ok", text);
}

static void on_mount(struct talk *talk, const struct proto_message *message)
{
	char text[256] = "", line[128];

	handler.n_mounts++;
	if (handler.disc)
		snprintf(text, sizeof(text), "identity=%s\n", handler.disc);
	if (handler.own_number) {
		snprintf(line, sizeof(line), "fsid=%u\n", handler.own_number);
		strcat(text, line);
	}
	if (handler.sends) {
		int context = fsopen("tmpfs", FSOPEN_CLOEXEC), fd, length;
		char all[512];

		fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
		fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
		length = snprintf(all, sizeof(all),
				  "exportsd/1 ok\nid=%s\nmount-fd=1\nremovable=1\n%s\n",
				  proto_get(message, "id"), text);
		talk_send(talk, all, (size_t)length, fd);
		close(fd);
		close(context);
		return;
	}
	if (!is_mounted() && mount("tmpfs", drive, "tmpfs", 0, NULL) < 0)
		perror("# mount");
	exchange();
	answer(talk, message, text);
}

static void script(struct talk *talk, const struct proto_message *message)
{
	if (str_equal(message->word, "hello")) {
		talk_answer(talk, message, "ok", "requests=32\n");
	} else if (str_equal(message->word, "list")) {
		if (handler.listed)
			talk_say(talk, "exportsd/1 medium\nid=%s\nkey=drive\nidentity=%s\n\n",
				 proto_get(message, "id"), handler.listed);
		else
			talk_say(talk, "exportsd/1 medium\nid=%s\nkey=drive\n\n",
				 proto_get(message, "id"));
		if (handler.is_taciturn)
			talk_answer(talk, message, "ok", "");
		else
			answer(talk, message, "");
	} else if (str_equal(message->word, "watch")) {
		handler.watch = talk;
		snprintf(handler.watch_id, sizeof(handler.watch_id), "%s",
			 proto_get(message, "id"));
		talk_answer(talk, message, "progress", "");
	} else if (str_equal(message->word, "mount")) {
		on_mount(talk, message);
	} else {
		talk_answer(talk, message, "unsupported", "");
	}
}

/* ---- setting up ---- */

static const char *no_real_path(void *userdata, const char *path)
{
	return NULL;
}

static bool no_host(void *userdata, const char *name, const char **ret_canonical,
		    const struct address **ret_addresses, size_t *ret_n_addresses)
{
	return false;
}

static unsigned int n_name_changes;

static void on_names(void *userdata)
{
	n_name_changes++;
}

static void start_media(void)
{
	static const struct snapshot_facts facts = { .real_path = no_real_path, .host = no_host };
	struct exports_source *source = NULL;
	struct snapshot *old = snapshot;
	struct diags diags = { 0 };
	char text[512];

	snprintf(text, sizeof(text), "%s/* *(mountpoint,ro,fsid=%s)\n", rule_directory,
		 socket_path);
	if (exports_read_text("exports", text, strlen(text), &diags, &source) < 0 ||
	    snapshot_new(source, &facts, false, &diags, &snapshot) < 0)
		abort();
	diags_done(&diags);
	if (media_new(&media, event, &config, numbers, mounts) < 0)
		abort();
	media_on_names(media, on_names, NULL);
	if (media_set_snapshot(media, snapshot) < 0)
		abort();
	snapshot_free(old);
	loop_for(event, 100);
}

static void start(bool removable, enum config_identity identity)
{
	memset(&handler, 0, sizeof(handler));
	handler.removable = removable;
	handler.disc = "A";
	config = (struct config){ .deadline_seconds = 1, .identity = identity };
	if (peer_open(&peer, event, socket_path, script) < 0)
		abort();
	numbers_open(&numbers, event, NULL);
	start_media();
}

static void stop(void)
{
	media = media_free(media);
	snapshot = snapshot_free(snapshot);
	numbers = numbers_close(numbers);
	peer_close(&peer);
	unlink(socket_path);
	loop_for(event, 1);
	take_out();
	rmdir(drive);
}

/* ---- asking ---- */

static struct {
	unsigned int n_done;
	int outcome;
	uint32_t number;
	char why[200];
} asked;

static void on_mounted(void *userdata, enum media_outcome outcome, struct media_mounted *mounted,
		       const char *why)
{
	asked.outcome = (int)outcome;
	asked.number = mounted ? mounted->number : 0;
	snprintf(asked.why, sizeof(asked.why), "%s", why ?: "");
	asked.n_done++;
}

/* Returns the number of what is mounted when it was asked for; 0: it was not had. */
static uint32_t ask(void)
{
	asked.n_done = 0;
	asked.number = 0;
	asked.outcome = -1;
	if (media_mount(media, drive, NULL, "domain", 0, on_mounted, NULL, NULL) < 0 ||
	    !loop_until(event, &asked.n_done, 1, 10000))
		printf("# no answer\n");
	return asked.number;
}

static uint32_t disc_number(const char *disc)
{
	take_out();
	handler.disc = disc;
	return ask();
}

/* What nfsd.export would be told now: its number; or -errno. */
static long long seen(void)
{
	uint32_t number = 0;
	int fd = media_open_mounted(media, drive, &number);

	if (fd < 0)
		return fd;
	close(fd);
	return number;
}

/* ---- tests ---- */

static void test_swap(void)
{
	uint32_t a, b;

	start(true, CONFIG_AUTO);
	a = numbers_get(numbers, drive);
	ok(a != 0 && !numbers_identity(numbers, a), "a number before there is a medium");
	is_int(ask(), a, "goes to the first medium");
	is_str(numbers_identity(numbers, a), "A", "and is its own from then on");
	ok(media_number_fits(media, drive, a), "its handles are good");
	is_int(seen(), a, "whoever looks sees it");
	n_name_changes = 0;
	b = disc_number("B");
	ok(b != 0 && b != a, "another disc has another number");
	is_int(numbers_get(numbers, drive), b, "which is the path's now");
	ok(!media_number_fits(media, drive, a), "handles of the first are not");
	ok(media_number_fits(media, drive, b), "its own are");
	loop_for(event, 4400);
	is_int(n_name_changes, 1, "clients are to list the directory again");
	is_int(disc_number("A"), a, "the first disc is back, and its number");
	ok(media_number_fits(media, drive, a), "with its handles");
	ok(!media_number_fits(media, drive, b), "but not those of the other");
	is_int(disc_number("B"), b, "and so on");
	is_int((long long)numbers_count(numbers), 1, "one path");
	is_int(disc_number("C") == a || asked.number == b, false, "a third has a third");
	stop();
}

static void test_by_hand(void)
{
	uint32_t a, b;
	unsigned int before;

	start(true, CONFIG_AUTO);
	a = ask();
	before = handler.n_mounts;
	is_int(ask(), a, "asked for again");
	is_int(handler.n_mounts, before, "its handler is not");
	handler.disc = "B";
	by_hand();
	is_int(seen(), -EAGAIN, "somebody mounted something else: nobody is told what it is");
	b = ask();
	ok(b != 0 && b != a, "its handler is asked: another disc");
	is_int(handler.n_mounts, before + 1, "once");
	is_int(seen(), b, "and now it is known");
	take_out();
	is_int(seen(), -ENOENT, "nothing is mounted");
	by_hand();
	is_int(seen(), -EAGAIN, "the same disc, mounted by hand: nobody knows");
	is_int(ask(), b, "until its handler has been asked");
	stop();
}

/* Its handler says what it saw; what is there when that is heard may be another disc. */
static void test_while_asked(void)
{
	uint32_t number;

	start(true, CONFIG_AUTO);
	handler.next = "B";
	number = ask();
	is_str(numbers_identity(numbers, number), "B", "exchanged while it was loaded");
	is_int(seen(), number, "the number of what is there");
	handler.next = "A";
	by_hand();
	number = ask();
	is_str(numbers_identity(numbers, number), "A", "exchanged while its handler was asked");
	is_int(seen(), number, "again");
	stop();
}

static unsigned int n_withdrawn, n_drained;

static int note_withdrawal(void *userdata, const struct media_withdrawal *withdrawal)
{
	n_withdrawn++;
	return 0;
}

static void on_drained(void *userdata, enum media_drain_outcome outcome, const char *why)
{
	n_drained += outcome == MEDIA_DRAINED;
}

static void eject(void)
{
	struct pending *request;

	n_withdrawn = n_drained = 0;
	media_note_domain(media, drive, "domain");
	if (media_drain(media, drive, MEDIA_DRAIN_EJECT, on_drained, NULL, &request) < 0 ||
	    !loop_until(event, &n_drained, 1, 10000))
		printf("# not drained\n");
}

/* To withdraw is to tell once more, for a moment: of another disc that would be its numbers. */
static void test_drained_by_hand(void)
{
	static const struct media_kernel kernel = { .withdraw = note_withdrawal };

	start(true, CONFIG_AUTO);
	media_set_kernel(media, &kernel);
	ask();
	eject();
	is_int(n_withdrawn, 1, "a drain has the kernel forget what it was told");
	ask();
	by_hand();
	eject();
	is_int(n_withdrawn, 0, "but tells it nothing of what somebody else mounted there");
	stop();
}

/* Another disc is listed, and somebody is faster than the drain of the one before. */
static void test_drain_overtaken(void)
{
	struct stat before, after;
	int held;

	start(true, CONFIG_AUTO);
	handler.listed = "A";
	ask();
	held = open(drive, O_RDONLY | O_CLOEXEC);
	talk_say(handler.watch, "exportsd/1 changed\nid=%s\nkey=drive\nidentity=B\n\n",
		 handler.watch_id);
	loop_for(event, 700);
	ok(held >= 0 && is_mounted(), "another one is listed, but the one before is in use");
	handler.disc = "B";
	if (mount("tmpfs", drive, "tmpfs", 0, NULL) < 0 || stat(drive, &before) < 0)
		perror("# mount");
	close(held);
	loop_for(event, 3400);
	ok(stat(drive, &after) == 0 && after.st_dev == before.st_dev,
	   "what is mounted over it is none of the drain's business");
	is_str(numbers_identity(numbers, ask()), "B", "and is had");
	umount2(drive, 0);
	stop();
}

static void test_restart(void)
{
	uint32_t a, b;
	unsigned int before;

	start(true, CONFIG_AUTO);
	a = ask();
	before = handler.n_mounts;
	media = media_free(media);
	peer_close(&peer);
	unlink(socket_path);
	handler.disc = "B";
	by_hand();
	start_media();
	is_int(seen(), -EAGAIN, "a restart while its handler is away: nobody is told");
	asked.n_done = 0;
	if (media_mount(media, drive, NULL, NULL, 0, on_mounted, NULL, NULL) < 0)
		abort();
	loop_for(event, 1400);
	is_int(asked.n_done, 0, "who asks waits");
	if (peer_open(&peer, event, socket_path, script) < 0)
		abort();
	loop_until(event, &asked.n_done, 1, 17000);
	b = asked.number;
	ok(b != 0 && b != a, "until the handler says that the disc was changed meanwhile");
	is_int(handler.n_mounts, before + 1, "it was asked once");
	stop();
}

/* To have said once that its media are removable is enough. */
static void test_taciturn(void)
{
	start(true, CONFIG_AUTO);
	handler.is_taciturn = true;
	ask();
	media = media_free(media);
	handler.disc = "B";
	by_hand();
	start_media();
	is_int(seen(), -EAGAIN, "a list that does not say it is removable changes nothing");
	is_str(numbers_identity(numbers, ask()), "B", "what is there has its own number");
	stop();
}

static void test_path(void)
{
	uint32_t a;

	start(true, CONFIG_PATH);
	a = ask();
	is_int(disc_number("B"), a, "identity=path: the number of another disc is the same");
	ok(media_number_fits(media, drive, a), "and so are its handles");
	is_str(numbers_identity(numbers, a), NULL, "it stands for whatever is there");
	by_hand();
	is_int(seen(), a, "also for what was mounted by hand");
	stop();

	start(false, CONFIG_AUTO);
	a = ask();
	is_int(disc_number("B"), a, "media that are not removable: the same");
	stop();

	start(false, CONFIG_STRICT);
	a = ask();
	ok(disc_number("B") != a, "unless it is configured");
	stop();
}

static void test_no_identity(void)
{
	uint32_t a;

	start(true, CONFIG_AUTO);
	handler.disc = NULL;
	a = ask();
	ok(a != 0, "a handler that gives no identity");
	numbers_give_for(numbers, drive, "B", 90001);
	numbers_give_for(numbers, drive, NULL, a);
	is_int(ask(), a, "again, and the path has the number of another medium, too");
	ok(media_number_fits(media, drive, a), "its own handles are good");
	ok(!media_number_fits(media, drive, 90001), "those of the other may be another disc's");
	is_int(disc_number(NULL), a, "is trusted to have one medium");
	is_int(disc_number("A"), a, "until it gives one");
	is_int(disc_number(NULL), 0, "then that is asked for");
	is_int(asked.outcome, MEDIA_ERROR, "and without it nothing is served");
	ok(strstr(asked.why, "does not say which medium"), "which is said");
	is_int(seen(), -EAGAIN, "to nobody");
	handler.disc = "A";
	loop_for(event, 17000);
	is_int(ask(), a, "with it, all is well again");
	stop();
}

static void test_list(void)
{
	uint32_t a, b;

	start(true, CONFIG_AUTO);
	handler.listed = "A";
	a = ask();
	take_out();
	talk_say(handler.watch, "exportsd/1 changed\nid=%s\nkey=drive\nidentity=B\n\n",
		 handler.watch_id);
	loop_for(event, 100);
	b = numbers_get(numbers, drive);
	ok(b != a, "another disc is listed: the number follows before it is mounted");
	is_str(numbers_identity(numbers, b), "B", "its own");
	is_int(disc_number("A"), a, "what is mounted in truth counts more");
	talk_say(handler.watch, "exportsd/1 changed\nid=%s\nkey=drive\nidentity=B\n\n",
		 handler.watch_id);
	for (int i = 0; i < 200 && is_mounted(); i++)
		loop_for(event, 100);
	ok(!is_mounted(), "another one is listed while it is mounted: it is let go");
	loop_for(event, 100);
	is_int(numbers_get(numbers, drive), b, "and the number follows");
	is_int(access(drive, F_OK), 0, "the placeholder stays");
	is_int(disc_number("B"), b, "for the disc that is there now");
	stop();
}

static void test_own_numbers(void)
{
	uint32_t before;

	start(true, CONFIG_AUTO);
	before = numbers_get(numbers, drive);
	handler.own_number = 90001;
	is_int(ask(), 90001, "a handler's own number for a disc");
	ok(media_number_fits(media, drive, before), "the one shown before is the path's still");
	handler.own_number = 90002;
	is_int(disc_number("B"), 90002, "another for another");
	ok(!media_number_fits(media, drive, before), "the one before was of the first");
	is_int(seen(), 90002, "not of this one");
	handler.own_number = 90001;
	is_int(disc_number("C"), 0, "but not one for two");
	is_int(asked.outcome, MEDIA_ERROR, "that is an error");
	stop();

	start(true, CONFIG_AUTO);
	before = ask();
	handler.own_number = before;
	is_int(ask(), before, "the number that was proposed, given back");
	ok(disc_number("B") != before && asked.number, "is not claimed for another disc");
	stop();
}

static void test_store_fails(void)
{
	uint32_t a;

	start(true, CONFIG_AUTO);
	a = ask();
	numbers->fails = -EIO;
	is_int(disc_number("B"), 0, "a number that cannot be recorded: nobody is told");
	is_int(asked.outcome, MEDIA_ERROR, "an error");
	is_int(seen(), -EAGAIN, "what is mounted stays unknown");
	numbers->fails = 0;
	loop_for(event, 17000);
	ok(ask() != a && asked.number, "when the store is well again it has its own");
	stop();
}

static void test_sent(void)
{
	uint32_t a;

	start(true, CONFIG_AUTO);
	handler.sends = true;
	a = ask();
	ok(a != 0, "a mount that was sent");
	is_int(disc_number("B") != a && asked.number, true, "another");
	by_hand();
	is_int(ask(), 0, "sent while something else is mounted there");
	ok(strstr(asked.why, "another mount is there"), "is not put over it");
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
	snprintf(drive, sizeof(drive), "%s/drive", rule_directory);
	mkdir(rule_directory, 0755);
	test_swap();
	test_by_hand();
	test_while_asked();
	test_drained_by_hand();
	test_drain_overtaken();
	test_restart();
	test_taciturn();
	test_path();
	test_no_identity();
	test_list();
	test_own_numbers();
	test_store_fails();
	test_sent();
	mount_table_free(mounts);
	sd_event_unref(event);
	rmdir(rule_directory);
	rmdir(top);
	return tap_done();
}
