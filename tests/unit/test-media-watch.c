/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Media whose device goes, fails, or comes back. The device is the test's (tests/fake/device.h), the handler is scripted,
 * the mounts are real ones (tmpfs) in a mount namespace of the test's own, the number store is in memory.
 */

#include <sys/stat.h>

#include "exportsd/base/log.h"
#include "exportsd/media/private.h"
#include "tests/fake/device.h"
#include "tests/fake/numbers.h"
#include "tests/fake/own_mounts.h"
#include "tests/fake/peer.h"
#include "tests/fake/look.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

/* More media than are looked at in one turn. */
enum { MEDIA = 20, ROUND_MSEC = 5000, TRY_MSEC = 20000, PATIENCE_MSEC = 500000 };

static sd_event *event;
static char top[] = "/tmp/test-watch.XXXXXX";
static char socket_path[64], rule_directory[64];
static struct config config;
static struct numbers *numbers;
static struct mount_table *mounts;
static struct media *media;
static struct snapshot *snapshot;
static struct peer peer;

/* ---- the handler ---- */

static struct {
	bool has_none; /* of the media */
	unsigned int n_mounts, n_unmounts;
} handler;

static char *at(unsigned int i)
{
	static char path[4][80];
	static unsigned int n;

	n = (n + 1) % N_ELEMENTS(path);
	snprintf(path[n], sizeof(path[n]), "%s/m%02u", rule_directory, i);
	return path[n];
}

static bool is_mounted(unsigned int i)
{
	struct stat here, above;

	return stat(at(i), &here) == 0 && stat(rule_directory, &above) == 0 &&
	       here.st_dev != above.st_dev;
}

static unsigned int n_mounted(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < MEDIA; i++)
		n += is_mounted(i);
	return n;
}

static void script(struct talk *talk, const struct proto_message *message)
{
	const char *path = proto_get(message, "path");

	if (str_equal(message->word, "hello")) {
		talk_answer(talk, message, "ok", "requests=64\n");
	} else if (str_equal(message->word, "list")) {
		for (unsigned int i = 0; i < MEDIA; i++)
			talk_say(talk, "exportsd/1 medium\nid=%s\nkey=m%02u\n\n",
				 proto_get(message, "id"), i);
		talk_answer(talk, message, "ok", "");
	} else if (str_equal(message->word, "mount")) {
		handler.n_mounts++;
		if (handler.has_none)
			talk_answer(talk, message, "busy", "message=no disk\n");
		else if (mount("tmpfs", path, "tmpfs", 0, NULL) < 0)
			talk_answer(talk, message, "error", "errno=EIO\n");
		else
			talk_answer(talk, message, "ok", "");
	} else if (str_equal(message->word, "unmount")) {
		bool is_busy = umount2(path, UMOUNT_NOFOLLOW) < 0 && errno == EBUSY;

		handler.n_unmounts++;
		talk_answer(talk, message, is_busy ? "busy" : "ok", "");
	} else {
		talk_answer(talk, message, "unsupported", "");
	}
}

/* ---- the kernel ---- */

static struct {
	bool is_held;
	uint64_t quiet_usec; /* as asked last */
	unsigned int n_asked, n_withdrawn, n_revoked;
	bool spares_others;
} kernel;

static int say_held(void *userdata, dev_t device, uint64_t quiet_usec, media_looked_fn done,
		    void *whose, struct pending **ret_pending)
{
	kernel.n_asked++;
	kernel.quiet_usec = quiet_usec;
	return fake_look(event, kernel.is_held, done, whose, ret_pending);
}

static int withdraw(void *userdata, const struct media_withdrawal *withdrawal)
{
	kernel.n_withdrawn++;
	return 0;
}

static void take_away(void *userdata, const char *path, dev_t device, bool spares_others)
{
	kernel.n_revoked++;
	kernel.spares_others = spares_others;
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

static void start(void)
{
	static const struct snapshot_facts facts = { .real_path = no_real_path, .host = no_host };
	static const struct media_kernel calls = { .look = say_held,
						   .withdraw = withdraw,
						   .revoke = take_away };
	struct exports_source *source = NULL;
	struct diags diags = { 0 };
	char text[256];

	memset(&handler, 0, sizeof(handler));
	memset(&kernel, 0, sizeof(kernel));
	memset(&fake_device, 0, sizeof(fake_device));
	fake_device.facts =
		(struct device_facts){ .state = DEVICE_THERE, .has_signs = true, .name = "sdz" };
	config = (struct config){ .deadline_seconds = 300, .retry_seconds = 1 };
	if (peer_open(&peer, event, socket_path, script) < 0)
		abort();
	numbers_open(&numbers, event, NULL);
	snprintf(text, sizeof(text), "%s/* *(mountpoint,ro,fsid=%s)\n", rule_directory,
		 socket_path);
	if (exports_read_text("exports", text, strlen(text), &diags, &source) < 0 ||
	    snapshot_new(source, &facts, false, &diags, &snapshot) < 0)
		abort();
	diags_done(&diags);
	if (media_new(&media, event, &config, numbers, mounts) < 0)
		abort();
	media_set_kernel(media, &calls);
	if (media_set_snapshot(media, snapshot) < 0)
		abort();
	loop_for(event, 100);
}

static void stop(void)
{
	media = media_free(media);
	snapshot = snapshot_free(snapshot);
	numbers = numbers_close(numbers);
	peer_close(&peer);
	unlink(socket_path);
	loop_for(event, 1);
	umount2(rule_directory, MNT_DETACH);
	if (mount("tmpfs", rule_directory, "tmpfs", 0, NULL) < 0)
		abort();
}

/* ---- asking ---- */

static unsigned int n_answers;
static uint32_t last_number;

static void on_mounted(void *userdata, enum media_outcome outcome, struct media_mounted *mounted,
		       const char *why)
{
	n_answers++;
	last_number = mounted ? mounted->number : 0;
}

static void ask(unsigned int i)
{
	if (media_mount(media, at(i), NULL, "domain", 0, on_mounted, NULL, NULL) < 0)
		abort();
}

/* Returns its number. */
static uint32_t mount_one(unsigned int i)
{
	n_answers = 0;
	ask(i);
	(void)loop_until(event, &n_answers, 1, PATIENCE_MSEC);
	media_note_domain(media, at(i), "domain");
	return last_number;
}

/* Is it so within some seconds? */
static bool becomes(bool (*is_so)(unsigned int), bool wanted, unsigned int i)
{
	uint64_t end = loop_now_msec() + PATIENCE_MSEC;

	while (is_so(i) != wanted && loop_now_msec() < end)
		loop_for(event, 20);
	return is_so(i) == wanted;
}

/* Does it come to that within some seconds? */
static bool reaches(const volatile unsigned int *counter, unsigned int wanted)
{
	return loop_until(event, counter, wanted, PATIENCE_MSEC);
}

/* For as long as several rounds, and a try in between, take. */
static void wait_rounds(void)
{
	loop_for(event, 3 * ROUND_MSEC + TRY_MSEC);
}

/* ---- tests ---- */

static void test_gone(void)
{
	uint32_t number;

	start();
	number = mount_one(0);
	ok(number != 0 && is_mounted(0), "a medium is mounted");
	wait_rounds();
	ok(is_mounted(0), "and stays so");
	is_int(fake_device.n_tries, 0, "a device without a sign of trouble is not read from");
	fake_device.facts.state = DEVICE_GONE;
	handler.has_none = true;
	kernel.is_held = true;
	ok(becomes(is_mounted, false, 0), "its device is gone: it is unmounted, held or not");
	ok(kernel.n_withdrawn > 0, "the kernel forgets it");
	is_int(handler.n_unmounts, 1, "its handler unmounts it");
	is_int(numbers_get(numbers, at(0)), number, "its number stays");
	n_answers = 0;
	ask(0);
	loop_for(event, 2 * ROUND_MSEC);
	is_int(n_answers, 0, "who asks waits");
	fake_device.facts.state = DEVICE_THERE;
	handler.has_none = false;
	ok(loop_until(event, &n_answers, 1, PATIENCE_MSEC), "it is back: he is answered");
	is_int(last_number, number, "with its number");
	stop();
}

static void test_lost(void)
{
	struct stat st;
	int fd;

	start();
	mount_one(0);
	fd = open(at(0), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fake_device.facts.state = DEVICE_GONE;
	handler.has_none = true;
	ok(becomes(is_mounted, false, 0), "gone, and in use: it is unmounted all the same");
	ok(fstat(fd, &st) == 0 && st.st_ino == 1, "who has it keeps what he has");
	is_int(kernel.n_revoked, 1, "NFSv4 state was taken away once");
	ok(kernel.spares_others, "but not what is held elsewhere");
	is_int(kernel.n_asked, 0, "nobody asked for it");
	close(fd);
	stop();
}

static void test_offline(void)
{
	unsigned int n_unmounts;

	start();
	mount_one(0);
	kernel.is_held = true;
	fake_device.facts.state = DEVICE_OFFLINE;
	ok(reaches(&kernel.n_asked, 1), "offline: it is asked who holds it");
	ok(is_mounted(0), "a client does: it stays");
	ok(kernel.quiet_usec == UINT64_MAX, "delegations do not count");
	fake_device.facts.state = DEVICE_THERE;
	ok(reaches(&fake_device.n_tries, 1), "online again: it is tried");
	loop_for(event, 2 * ROUND_MSEC);
	kernel.is_held = false;
	n_unmounts = handler.n_unmounts;
	wait_rounds();
	ok(is_mounted(0) && handler.n_unmounts == n_unmounts, "and stays, held or not");
	fake_device.facts.state = DEVICE_OFFLINE;
	ok(becomes(is_mounted, false, 0), "offline, and nobody holds it: it is unmounted");
	is_int(kernel.n_revoked, 0, "nothing was taken away");
	stop();
}

/* Somebody unmounts it, and mounts it again on what came back. */
static void test_by_hand(void)
{
	start();
	mount_one(0);
	kernel.is_held = true;
	fake_device.facts.state = DEVICE_OFFLINE;
	ok(reaches(&kernel.n_asked, 1), "offline, and held");
	fake_device.facts.state = DEVICE_THERE;
	fake_device.hangs = true; /* so that nothing is known of it */
	if (umount2(at(0), 0) < 0 || mount("tmpfs", at(0), "tmpfs", 0, NULL) < 0)
		perror("# by hand");
	kernel.is_held = false;
	loop_for(event, TRY_MSEC);
	ok(is_mounted(0), "another mount is not taken for the one that failed");
	is_int(handler.n_unmounts, 0, "nobody was asked to unmount it");
	fake_device.facts.state = DEVICE_GONE;
	ok(becomes(is_mounted, false, 0), "but it is watched as well");
	stop();
}

static void test_errors(void)
{
	start();
	mount_one(0);
	fake_device.facts.signs += 3;
	ok(reaches(&fake_device.n_tries, 1), "a sign of trouble: it is read from");
	wait_rounds();
	ok(is_mounted(0), "it can be read: it stays");
	is_int(fake_device.n_tries, 1, "nothing new: it is left alone");
	fake_device.hangs = true;
	fake_device.facts.signs++;
	ok(reaches(&fake_device.n_tries, 2), "another one, and no answer");
	wait_rounds();
	ok(is_mounted(0), "it is slow, not broken");
	is_int(fake_device.n_tries, 2, "it is not asked again soon");
	stop();

	start();
	mount_one(0);
	fake_device.facts.signs++;
	fake_device.error = -EIO;
	ok(becomes(is_mounted, false, 0), "it cannot be read: it is unmounted");
	is_int(handler.n_unmounts, 1, "by its handler");
	stop();

	start();
	mount_one(0);
	fake_device.facts.has_signs = false;
	ok(reaches(&fake_device.n_tries, 3), "no signs: it is tried at times");
	stop();
}

/* Of what was judged before, only that it is gone is final. */
static void test_judged_anew(void)
{
	start();
	mount_one(0);
	kernel.is_held = true;
	fake_device.facts.signs++;
	fake_device.error = -EIO;
	ok(reaches(&kernel.n_asked, 1) && is_mounted(0),
	   "it cannot be read, and is held: it stays");
	fake_device.facts.state = DEVICE_GONE;
	ok(becomes(is_mounted, false, 0), "then it is found gone: it is unmounted, held or not");
	stop();

	start();
	mount_one(0);
	kernel.is_held = true;
	fake_device.facts.signs++;
	fake_device.error = -EIO;
	while (fake_device.n_tries == 0)
		loop_for(event, 1);
	fake_device.facts.state = DEVICE_GONE;
	ok(becomes(is_mounted, false, 0),
	   "it goes while it is tried: it is unmounted, held or not");
	is_int(kernel.n_asked, 0, "never was it taken for one that cannot be read");
	stop();

	start();
	mount_one(0);
	kernel.is_held = true;
	fake_device.facts.signs++;
	fake_device.error = -ENODEV;
	ok(becomes(is_mounted, false, 0), "what it lies on is gone: so is it");
	is_int(kernel.n_asked, 0, "nobody asked who holds it");
	stop();
}

static void test_costs(void)
{
	unsigned int before;

	start();
	loop_for(event, 2 * ROUND_MSEC);
	is_int(fake_device.n_looks, 0, "nothing is mounted: nothing is looked at");
	fake_device.facts.state = DEVICE_NONE;
	mount_one(0);
	loop_for(event, 3 * ROUND_MSEC);
	is_int(fake_device.n_looks, 1, "what has no device is looked at once");
	fake_device.facts.state = DEVICE_THERE;
	for (unsigned int i = 1; i < MEDIA; i++)
		mount_one(i);
	before = fake_device.n_looks;
	ok(reaches(&fake_device.n_looks, before + 3 * MEDIA), "all others are, in rounds");
	fake_device.facts.state = DEVICE_GONE;
	handler.has_none = true;
	for (unsigned int i = 1; i < MEDIA; i++)
		(void)becomes(is_mounted, false, i);
	is_int(n_mounted(), 1, "and are unmounted when they are gone");
	before = fake_device.n_looks;
	loop_for(event, 3 * ROUND_MSEC);
	is_int(fake_device.n_looks, before, "then nobody looks any more");
	stop();
}

/* It goes while it is tried; and nothing is left behind. */
static void test_end(void)
{
	start();
	mount_one(0);
	fake_device.facts.signs++;
	while (fake_device.n_tries == 0)
		loop_for(event, 1);
	stop();
	is_int(fake_device.n_cancelled, 1, "a try ends with the medium");
}

int main(void)
{
	if (own_mounts() < 0) {
		printf("1..0 # SKIP no mount namespace here\n");
		return 0;
	}
	if (!mkdtemp(top))
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/socket", top);
	snprintf(rule_directory, sizeof(rule_directory), "%s/m", top);
	mkdir(rule_directory, 0755);
	if (mount("tmpfs", rule_directory, "tmpfs", 0, NULL) < 0 || sd_event_new(&event) < 0 ||
	    mount_table_new(&mounts, event) < 0)
		return 1;
	log_open(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT, true);
	test_gone();
	test_lost();
	test_offline();
	test_by_hand();
	test_errors();
	test_judged_anew();
	test_costs();
	test_end();
	mount_table_free(mounts);
	sd_event_unref(event);
	umount2(rule_directory, MNT_DETACH);
	rmdir(rule_directory);
	rmdir(top);
	return tap_done();
}
