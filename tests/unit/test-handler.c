/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The client of one handler, against a scripted one on a real socket in the same event loop. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "exportsd/base/log.h"
#include "exportsd/media/handler.h"
#include "tests/fake/peer.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

enum { SECOND = 1000000 };

static sd_event *event;
static char directory[] = "/tmp/test-handler.XXXXXX";
static char socket_path[64];
static struct peer peer;
static struct handler *handler;

/* ---- what became of requests ---- */

struct result {
	unsigned int n_done, n_messages;
	int outcome;
	int fd;
	bool had_message;
	char why[200];
	char text[64]; /* message= of the outcome */
};

static unsigned int n_done;

static void on_message(void *userdata, const struct proto_message *message)
{
	struct result *result = userdata;

	result->n_messages++;
}

static void on_done(void *userdata, enum handler_outcome outcome,
		    const struct proto_message *message, int mount_fd, const char *why)
{
	struct result *result = userdata;
	const char *text = message ? proto_get(message, "message") : NULL;

	result->n_done++;
	result->outcome = (int)outcome;
	result->fd = mount_fd;
	result->had_message = message;
	snprintf(result->why, sizeof(result->why), "%s", why ? why : "");
	snprintf(result->text, sizeof(result->text), "%s", text ? text : "");
	n_done++;
}

static const struct handler_events events = { .message = on_message, .done = on_done };

static struct pending *ask(struct result *result, const char *verb, uint64_t timeout_usec, bool own)
{
	struct pending *request = NULL;
	struct proto_writer writer = { 0 };
	int r;

	memset(result, 0, sizeof(*result));
	result->outcome = result->fd = -1;
	proto_begin(&writer, verb);
	proto_put(&writer, "path", "/m/x");
	r = handler_ask(handler, &writer, timeout_usec, own, &events, result, &request);
	if (r < 0)
		printf("# handler_ask: %s\n", strerror(-r));
	if (result->n_done)
		printf("# done() from within handler_ask()\n");
	return request;
}

static void begin(void (*heard)(struct talk *, const struct proto_message *))
{
	n_done = 0;
	if (heard && peer_open(&peer, event, socket_path, heard) < 0)
		printf("# cannot listen at %s\n", socket_path);
	if (handler_new(&handler, event, socket_path, getuid()) < 0)
		printf("# handler_new failed\n");
}

static void end(void)
{
	handler = handler_free(handler);
	peer_close(&peer);
	unlink(socket_path);
}

static void wait_done(unsigned int n)
{
	if (!loop_until(event, &n_done, n, 3000))
		printf("# only %u of %u done\n", n_done, n);
}

/* ---- scripts ---- */

static unsigned int n_at_once;

static bool greet(struct talk *talk, const struct proto_message *message)
{
	char line[32];

	if (!str_equal(message->word, "hello"))
		return false;
	snprintf(line, sizeof(line), "requests=%u\n", n_at_once);
	talk_answer(talk, message, n_at_once ? "ok" : "unsupported", n_at_once ? line : "");
	return true;
}

static void script_ok(struct talk *talk, const struct proto_message *message)
{
	if (!greet(talk, message))
		talk_answer(talk, message, "ok", "message=fine\n");
}

static void script_silent(struct talk *talk, const struct proto_message *message)
{
	(void)greet(talk, message);
}

static void script_deaf(struct talk *talk, const struct proto_message *message)
{
}

static void test_many(void)
{
	struct result results[10];
	bool all = true;

	n_at_once = 64;
	begin(script_ok);
	for (size_t i = 0; i < N_ELEMENTS(results); i++)
		ask(&results[i], "mount", SECOND, false);
	wait_done(N_ELEMENTS(results));
	for (size_t i = 0; i < N_ELEMENTS(results); i++)
		all &= results[i].n_done == 1 && results[i].outcome == HANDLER_OK &&
		       str_equal(results[i].text, "fine");
	ok(all, "ten requests: ten answers");
	is_int(peer.n_talks, 1, "on one connection");
	is_int(peer_count(&peer, "hello"), 1, "with one hello");
	is_str(peer.words[0], "hello", "which comes first");
	for (unsigned int i = 0; i < peer.n_heard; i++)
		for (unsigned int j = 0; j < i; j++)
			all &= !str_equal(peer.ids[i], peer.ids[j]);
	ok(all, "every id is used once");
	end();
}

/* Answers in the other order than the questions. */
static void script_backwards(struct talk *talk, const struct proto_message *message)
{
	if (greet(talk, message))
		return;
	if (peer_count(&peer, "mount") < 5)
		return;
	for (unsigned int i = peer.n_heard; i-- > 1;)
		talk_say(talk, "exportsd/1 ok\nmessage=for %s\nid=%s\n\n", peer.ids[i],
			 peer.ids[i]);
}

static unsigned int order[8], n_order;

static void on_done_order(void *userdata, enum handler_outcome outcome,
			  const struct proto_message *message, int mount_fd, const char *why)
{
	if (n_order < N_ELEMENTS(order))
		order[n_order++] = *(unsigned int *)userdata;
	n_done++;
}

static void test_any_order(void)
{
	static const struct handler_events in_order = { .done = on_done_order };
	unsigned int numbers[5] = { 0, 1, 2, 3, 4 };

	n_at_once = 8;
	n_order = 0;
	begin(script_backwards);
	for (size_t i = 0; i < 5; i++) {
		struct proto_writer writer = { 0 };

		proto_begin(&writer, "mount");
		handler_ask(handler, &writer, SECOND, false, &in_order, &numbers[i], NULL);
	}
	wait_done(5);
	ok(n_order == 5 && order[0] == 4 && order[1] == 3 && order[2] == 2 && order[3] == 1 &&
		   order[4] == 0,
	   "replies in any order reach who asked");
	end();
}

static void test_capacity(void)
{
	struct result results[5];
	struct pending *requests[5];

	n_at_once = 2;
	begin(script_silent);
	for (size_t i = 0; i < 5; i++)
		requests[i] = ask(&results[i], "mount", 10 * SECOND, false);
	loop_for(event, 100);
	is_int(peer_count(&peer, "mount"), 2, "no more requests at once than hello allows");
	is_int(peer.n_talks, 1, "and no second connection");
	talk_say(peer.from[1], "exportsd/1 ok\nid=%s\n\n", peer.ids[1]);
	wait_done(1);
	loop_for(event, 50);
	is_int(peer_count(&peer, "mount"), 3, "an answer makes room for the next");
	for (size_t i = 1; i < 5; i++)
		pending_cancel(&requests[i]);
	end();
}

static void test_simple(void)
{
	struct result results[10];
	struct pending *requests[10];

	n_at_once = 0;
	begin(script_silent);
	for (size_t i = 0; i < 10; i++)
		requests[i] = ask(&results[i], "mount", 10 * SECOND, false);
	loop_for(event, 100);
	is_int(peer_count(&peer, "hello"), 1, "a handler without hello is asked for it once");
	is_int(peer_count(&peer, "mount"), 8,
	       "and then has one request on each of at most 8 connections");
	is_int(peer.n_talks, 8, "eight connections");
	for (size_t i = 0; i < 10; i++)
		pending_cancel(&requests[i]);
	loop_for(event, 50);
	is_int(peer.n_open, 0, "cancelling there closes the connection");
	end();
}

/* A script that says one thing a connection, as `socat UNIX-LISTEN:...,fork EXEC:...` may. */
static void script_one_shot(struct talk *talk, const struct proto_message *message)
{
	bool is_hello = str_equal(message->word, "hello");

	talk_answer(talk, message, is_hello ? "unsupported" : "ok", "");
	talk_close(talk);
}

static void test_one_shot(void)
{
	struct result results[20];
	bool all = true;

	begin(script_one_shot);
	for (size_t i = 0; i < N_ELEMENTS(results); i++)
		ask(&results[i], "mount", SECOND, false);
	wait_done(N_ELEMENTS(results));
	for (size_t i = 0; i < N_ELEMENTS(results); i++)
		all &= results[i].n_done == 1 && results[i].outcome == HANDLER_OK;
	ok(all, "a script that closes after each answer loses no request");
	end();
}

static void test_not_there(void)
{
	struct result result;

	begin(NULL);
	ask(&result, "mount", SECOND, false);
	is_int(result.n_done, 0, "no socket: done() is not called from within");
	wait_done(1);
	is_int(result.outcome, HANDLER_LOST, "no socket: lost");
	is_str(result.why, "cannot connect: No such file or directory", "and says why");
	ask(&result, "list", SECOND, true);
	is_int(result.n_done, 0, "neither on a connection of its own");
	wait_done(2);
	is_int(result.outcome, HANDLER_LOST, "no socket: lost");
	end();

	n_at_once = 4;
	begin(script_ok);
	peer_close(&peer);
	ask(&result, "mount", SECOND, false);
	wait_done(1);
	is_str(result.why, "cannot connect: Connection refused", "nobody listens: lost");
	if (peer_open(&peer, event, socket_path, script_ok) == 0)
		ask(&result, "mount", SECOND, false);
	wait_done(2);
	is_int(result.outcome, HANDLER_OK, "when it is there again, it is asked");
	end();
}

/* Who listens is who SO_PEERCRED names, whatever he becomes later. */
static void test_stranger(void)
{
	enum { STRANGER = 65534 };
	struct result result;

	if (getuid() != 0 || chmod(directory, 0777) < 0 || seteuid(STRANGER) < 0) {
		ok(true, "whose handler may answer # SKIP only root can be somebody else");
		return;
	}
	begin(script_ok);
	if (seteuid(0) < 0)
		abort();
	n_at_once = 4;
	ask(&result, "mount", SECOND, false);
	wait_done(1);
	is_int(result.outcome, HANDLER_LOST, "a stranger's handler is lost");
	ok(strstr(result.why, "handler-user"), "with advice: %s", result.why);
	loop_for(event, 30);
	is_int((long long)peer.n_heard, 0, "nothing was sent to it");
	handler_free(handler);
	handler_new(&handler, event, socket_path, STRANGER);
	ask(&result, "mount", SECOND, false);
	wait_done(2);
	is_int(result.outcome, HANDLER_OK, "unless it is the configured user's");
	end();
}

static void test_silence(void)
{
	struct result one, other;
	uint64_t start = loop_now_msec();

	n_at_once = 4;
	begin(script_silent);
	ask(&one, "mount", SECOND / 10, false);
	ask(&other, "mount", 10 * SECOND, false);
	wait_done(1);
	is_int(one.outcome, HANDLER_TIMED_OUT, "silence: timed out");
	is_str(one.why, "no answer within 0.1 s", "and says so");
	ok(loop_now_msec() - start < 1000, "in time");
	is_int(other.n_done, 0, "the other request goes on");
	talk_say(peer.from[1], "exportsd/1 ok\nid=%s\n\n", peer.ids[1]);
	talk_say(peer.from[2], "exportsd/1 ok\nid=%s\n\n", peer.ids[2]);
	wait_done(2);
	is_int(other.outcome, HANDLER_OK, "and is answered");
	is_int(one.n_done, 1, "an answer that is too late is dropped");
	end();

	begin(script_deaf);
	ask(&one, "mount", SECOND / 10, false);
	wait_done(1);
	is_int(one.outcome, HANDLER_TIMED_OUT, "silence on hello: timed out");
	loop_for(event, 30);
	is_int(peer.n_open, 0, "and that connection is given up");
	end();
}

static int later(sd_event_source *source, uint64_t usec, void *userdata)
{
	unsigned int *n = userdata;

	talk_say(peer.from[1], "exportsd/1 %s\nid=%s\npercent=%u\n\n", *n < 5 ? "progress" : "ok",
		 peer.ids[1], *n);
	if ((*n)++ < 5) {
		sd_event_source_set_time_relative(source, 50000);
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	return 0;
}

static void test_progress(void)
{
	struct result result;
	sd_event_source *timer = NULL;
	unsigned int n = 0;

	n_at_once = 4;
	begin(script_silent);
	ask(&result, "mount", SECOND / 8, false);
	sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, 50000, 1000, later, &n);
	wait_done(1);
	is_int(result.outcome, HANDLER_OK,
	       "progress each 50 ms keeps a request with 125 ms alive for 300 ms");
	is_int(result.n_messages, 5, "and is passed on");
	sd_event_source_disable_unref(timer);
	end();
}

/* ---- misbehaviour ---- */

static const char *nonsense;
static size_t nonsense_length;

static void script_nonsense(struct talk *talk, const struct proto_message *message)
{
	if (greet(talk, message))
		return;
	if (peer_count(&peer, "mount") == 1)
		talk_send(talk, nonsense, nonsense_length, -1);
	else
		talk_answer(talk, message, "ok", "");
}

/* What is sent once, and then the peer is fine again. */
static void try_nonsense(const char *what, const char *text, size_t length)
{
	struct result result;

	nonsense = text;
	nonsense_length = length;
	n_at_once = 4;
	begin(script_nonsense);
	ask(&result, "mount", SECOND, false);
	wait_done(1);
	ok(result.outcome == HANDLER_LOST && result.why[0], "%s: lost (%s)", what, result.why);
	ask(&result, "mount", SECOND, false);
	wait_done(2);
	ok(result.outcome == HANDLER_OK, "%s: the next request is answered", what);
	end();
}

static void test_nonsense(void)
{
	static char line[1024 * 1024];

	try_nonsense("garbage", "GET / HTTP/1.0\r\n\r\n", 18);
	try_nonsense("another version", "exportsd/2 ok\nid=2\n\n", 20);
	try_nonsense("a NUL byte", "exportsd/1 ok\nid=2\nx=a\0b\n\n", 26);
	memset(line, 'x', sizeof(line));
	memcpy(line, "exportsd/1 ok\nid=", 17);
	try_nonsense("a megabyte line", line, sizeof(line));
	for (size_t i = 17; i + 8 <= sizeof(line); i += 8)
		memcpy(line + i, "\nabc=def", 8);
	try_nonsense("a megabyte of lines", line, sizeof(line));
}

static void script_half(struct talk *talk, const struct proto_message *message)
{
	if (greet(talk, message))
		return;
	talk_say(talk, "exportsd/1 ok\nid=%s\nidenti", proto_get(message, "id"));
	talk_close(talk);
}

static void script_dies(struct talk *talk, const struct proto_message *message)
{
	if (!greet(talk, message) && peer_count(&peer, "mount") >= 3)
		talk_close(talk);
}

static void test_dying(void)
{
	struct result results[4];
	bool all = true;

	n_at_once = 4;
	begin(script_half);
	ask(&results[0], "mount", SECOND, false);
	wait_done(1);
	is_int(results[0].outcome, HANDLER_LOST, "half a message: lost");
	is_str(results[0].why, "it closed the connection in the middle of a message",
	       "and says so");
	end();

	n_at_once = 3;
	begin(script_dies);
	for (size_t i = 0; i < 3; i++)
		ask(&results[i], "mount", SECOND, false);
	wait_done(3);
	for (size_t i = 0; i < 3; i++)
		all &= results[i].outcome == HANDLER_LOST && results[i].n_done == 1;
	ok(all, "a dying connection loses its requests, each once");
	end();
}

static void script_unknown(struct talk *talk, const struct proto_message *message)
{
	if (greet(talk, message))
		return;
	talk_say(talk,
		 "exportsd/1 ok\nid=4711\n\nexportsd/1 noent\n\nexportsd/1 progress\nid=x\n\n");
	talk_answer(talk, message, "denied", "");
}

static void test_unknown_ids(void)
{
	struct result result;

	n_at_once = 4;
	begin(script_unknown);
	ask(&result, "mount", SECOND, false);
	wait_done(1);
	is_int(result.outcome, HANDLER_DENIED, "answers nobody asked for are passed over");
	is_int(peer.n_open, 1, "and the connection goes on");
	end();
}

static void script_error(struct talk *talk, const struct proto_message *message)
{
	if (!greet(talk, message))
		talk_answer(talk, message, "error", "errno=EIO\nmessage=scratched\\012disc\n");
}

static void test_error(void)
{
	struct result result;

	n_at_once = 4;
	begin(script_error);
	ask(&result, "mount", SECOND, false);
	wait_done(1);
	is_int(result.outcome, HANDLER_ERROR, "error is an error");
	is_str(result.why, "EIO: scratched\ndisc", "with its name and text");
	end();
}

/* ---- descriptors ---- */

static bool say_mount_fd;

static void script_descriptor(struct talk *talk, const struct proto_message *message)
{
	char text[128];
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (!greet(talk, message)) {
		int length = snprintf(text, sizeof(text), "exportsd/1 ok\nid=%s\n%s\n",
				      proto_get(message, "id"), say_mount_fd ? "mount-fd=1\n" : "");

		talk_send(talk, text, (size_t)length, fd);
	}
	close(fd);
}

static void script_no_descriptor(struct talk *talk, const struct proto_message *message)
{
	if (!greet(talk, message))
		talk_answer(talk, message, "ok", "mount-fd=1\n");
}

/* The answer to the first request, which was cancelled, comes late and in two parts, with that of the second. */
static void script_late_descriptor(struct talk *talk, const struct proto_message *message)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	static char late_id[32];
	char text[200];
	int length;

	if (!greet(talk, message) && !*late_id) {
		snprintf(late_id, sizeof(late_id), "%s", proto_get(message, "id"));
	} else if (*late_id) {
		length = snprintf(text, sizeof(text), "exportsd/1 ok\nid=%s\nmount", late_id);
		talk_send(talk, text, (size_t)length, null);
		length = snprintf(text, sizeof(text),
				  "-fd=1\n\nexportsd/1 ok\nid=%s\nmount-fd=1\n\n",
				  proto_get(message, "id"));
		talk_send(talk, text, (size_t)length, zero);
	}
	close(null);
	close(zero);
}

static unsigned int count_descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 200; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_descriptors(void)
{
	struct pending *late;
	struct result result;
	struct stat facts;
	unsigned int before;

	n_at_once = 4;
	begin(script_descriptor);
	say_mount_fd = true;
	ask(&result, "mount", SECOND, false);
	wait_done(1);
	ok(result.outcome == HANDLER_OK && result.fd >= 0 && fstat(result.fd, &facts) == 0 &&
		   S_ISCHR(facts.st_mode),
	   "ok with mount-fd=1 brings its descriptor");
	ok(fcntl(result.fd, F_GETFD) & FD_CLOEXEC, "closed on exec");
	close(result.fd);
	before = count_descriptors();
	say_mount_fd = false;
	for (unsigned int i = 0; i < 20; i++) {
		ask(&result, "mount", SECOND, false);
		wait_done(i + 2);
	}
	is_int(result.fd, -1, "a descriptor that no message speaks of is nobody's");
	is_int(count_descriptors(), before, "and is closed");
	end();

	begin(script_no_descriptor);
	ask(&result, "mount", SECOND, false);
	wait_done(1);
	is_int(result.outcome, HANDLER_ERROR, "mount-fd=1 without a descriptor is an error");
	end();

	begin(script_late_descriptor);
	before = count_descriptors();
	late = ask(&result, "mount", SECOND, false);
	loop_for(event, 50);
	pending_cancel(&late);
	ask(&result, "mount", SECOND, false);
	wait_done(1);
	ok(result.outcome == HANDLER_OK && result.fd >= 0 && fstat(result.fd, &facts) == 0 &&
		   minor(facts.st_rdev) == 5,
	   "a descriptor that came with a late answer is not the next one's");
	close(result.fd);
	end();
	is_int(count_descriptors(), before - 1, "and is closed, too");
}

/* ---- own connections, cancelling, freeing ---- */

static void script_list(struct talk *talk, const struct proto_message *message)
{
	if (str_equal(message->word, "list")) {
		for (unsigned int i = 0; i < 1000; i++)
			talk_say(talk, "exportsd/1 medium\nid=%s\nkey=m%u\n\n",
				 proto_get(message, "id"), i);
		talk_answer(talk, message, "ok", "");
	}
}

static void test_own_connection(void)
{
	struct result list, watch;
	struct pending *request;

	begin(script_list);
	request = ask(&watch, "watch", 0, true);
	ask(&list, "list", SECOND, true);
	wait_done(1);
	is_int(list.n_messages, 1000, "a list comes on a connection of its own, entry by entry");
	is_int(list.outcome, HANDLER_OK, "and ends");
	is_int(peer_count(&peer, "hello"), 0, "without hello");
	is_int(peer.n_talks, 2, "two connections");
	loop_for(event, 30);
	is_int(peer.n_open, 1, "the list's is closed, the watch's stays");
	pending_cancel(&request);
	loop_for(event, 30);
	is_int(peer.n_open, 0, "until it is cancelled");
	is_int(watch.n_done, 0, "done() is not called for what was cancelled");
	end();
}

static void on_done_free(void *userdata, enum handler_outcome outcome,
			 const struct proto_message *message, int mount_fd, const char *why)
{
	handler = handler_free(handler);
	n_done++;
}

static void on_message_free(void *userdata, const struct proto_message *message)
{
	handler = handler_free(handler);
	n_done++;
}

static void test_freeing(void)
{
	static const struct handler_events in_done = { .done = on_done_free };
	static const struct handler_events in_message = { .message = on_message_free,
							  .done = on_done };
	struct proto_writer writer = { 0 };
	struct result other;

	n_at_once = 4;
	begin(script_ok);
	proto_begin(&writer, "mount");
	handler_ask(handler, &writer, SECOND, false, &in_done, NULL, NULL);
	ask(&other, "mount", SECOND, false);
	wait_done(1);
	loop_for(event, 30);
	ok(n_done == 1 && other.n_done == 0, "freed from within done(): the others are cancelled");
	end();

	begin(script_list);
	proto_begin(&writer, "list");
	handler_ask(handler, &writer, SECOND, true, &in_message, NULL, NULL);
	wait_done(1);
	loop_for(event, 30);
	ok(n_done == 1, "freed from within message(): nothing more comes");
	end();

	begin(NULL);
	proto_begin(&writer, "mount");
	handler_ask(handler, &writer, SECOND, false, &in_done, NULL, NULL);
	ask(&other, "mount", SECOND, false);
	wait_done(1);
	loop_for(event, 30);
	ok(n_done == 1 && other.n_done == 0, "freed when lost: the others are cancelled");
	end();
}

static void test_limits(void)
{
	static struct pending *requests[70000];
	struct proto_writer writer = { 0 };
	struct result result;
	char name[200];
	int r = 0;
	size_t n = 0;

	n_at_once = 1000000;
	begin(script_silent);
	for (; n < N_ELEMENTS(requests) && r == 0; n++) {
		proto_begin(&writer, "mount");
		r = handler_ask(handler, &writer, 0, false, &events, &result, &requests[n]);
	}
	is_int((long long)n, 65537, "at most 65,536 requests");
	is_int(r, -EAGAIN, "the next is told to come again");
	loop_for(event, 100);
	ok(peer.n_heard == 257, "however many hello offers, 256 are under way on a connection");
	end();

	begin(NULL);
	proto_begin(&writer, "mount");
	proto_put(&writer, "BAD KEY", "x");
	is_int(handler_ask(handler, &writer, 0, false, &events, &result, NULL), -EINVAL,
	       "a message that cannot be written is the asker's error");
	handler_free(handler);
	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	is_int(handler_new(&handler, event, name, 0), -ENAMETOOLONG,
	       "no socket has a name of 199 bytes");
	is_int(handler_new(&handler, event, "@abstract", 0), 0, "an abstract name is fine");
	is_str(handler_socket(handler), "@abstract", "and kept");
	end();
}

int main(void)
{
	log_open(LOG_ERR, true);
	if (!mkdtemp(directory) || sd_event_new(&event) < 0)
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/s", directory);
	test_many();
	test_any_order();
	test_capacity();
	test_simple();
	test_one_shot();
	test_not_there();
	test_stranger();
	test_silence();
	test_progress();
	test_nonsense();
	test_dying();
	test_unknown_ids();
	test_error();
	test_descriptors();
	test_own_connection();
	test_freeing();
	test_limits();
	sd_event_unref(event);
	rmdir(directory);
	return tap_done();
}
