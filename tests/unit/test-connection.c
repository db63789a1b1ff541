/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-connection.c - connections of the control socket, with verbs made for this test: when a verb
 * is called, and what becomes of what it keeps.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "exportsd/base/log.h"
#include "exportsd/control/connection.h"
#include "tests/tap.h"

static struct daemon daemon_;
static unsigned int n_begun, n_ended, n_cancelled;

/* ---- verbs ---- */

struct kept {
	struct control_request request;
	char *text;
	unsigned int n_left;
};

static void end(struct control_request *request)
{
	free(((struct kept *)request)->text);
	n_ended++;
}

/* Answered before it has noted what it keeps. */
static int start_now(struct control_request *request, const struct proto_message *message)
{
	struct kept *kept = (struct kept *)request;

	n_begun++;
	control_ok(request);
	kept->text = strdup("noted behind the answer");
	return 0;
}

static int start_failing(struct control_request *request, const struct proto_message *message)
{
	n_begun++;
	return -EIO;
}

static int start_long(struct control_request *request, const struct proto_message *message)
{
	n_begun++;
	((struct kept *)request)->n_left = 10000;
	return 0;
}

static bool produce(struct control_request *request)
{
	struct kept *kept = (struct kept *)request;

	while (kept->n_left && !control_is_full(request)) {
		proto_put_u64(control_begin(request, "entry"), "left", kept->n_left--);
		control_end(request);
	}
	return !kept->n_left;
}

static bool produce_other(struct control_request *request)
{
	struct kept *kept = (struct kept *)request;

	if (kept->n_left > 9990) {
		kept->n_left--;
		return false;
	}
	control_fail(request, PROTO_BUSY, "%u are left", kept->n_left);
	kept->n_left = 0;
	return true;
}

static struct control_request *waiting;

static void cancel(struct pending *pending)
{
	n_cancelled++;
	waiting = NULL;
}

static int start_waiting(struct control_request *request, const struct proto_message *message)
{
	static struct pending pending = { cancel };

	n_begun++;
	waiting = request;
	request->pending = &pending;
	return 0;
}

static const struct control_verb now = { "now", sizeof(struct kept), start_now, NULL, end };
static const struct control_verb failing = { "failing", 0, start_failing, NULL, NULL };
static const struct control_verb long_ = { "long", sizeof(struct kept), start_long, produce, end };
static const struct control_verb other = { "other", sizeof(struct kept), start_long, produce_other,
					   end };
static const struct control_verb waits = { "waits", sizeof(struct kept), start_waiting, NULL, end };
static const struct control_verb *const verbs[] = { &now, &failing, &long_, &other, &waits, NULL };
static struct control_connections connections = { .daemon = &daemon_, .verbs = verbs };

/* ---- the peer ---- */

static int connect_peer(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0 ||
	    control_connections_add(&connections, pair[0]) < 0)
		abort();
	return pair[1];
}

/* Returns all that comes. */
static const char *ask(int fd, const char *text)
{
	static char answer[1 << 20];
	size_t n_bytes = 0;

	n_begun = n_ended = n_cancelled = 0;
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return "unsent";
	for (int idle = 0; idle < 3; idle++) {
		ssize_t n;

		(void)sd_event_run(daemon_.event, 0);
		while ((n = recv(fd, answer + n_bytes, sizeof(answer) - 1 - n_bytes, 0)) > 0) {
			n_bytes += (size_t)n;
			idle = 0;
		}
	}
	answer[n_bytes] = '\0';
	return answer;
}

static void leave(int fd)
{
	close(fd);
	while (sd_event_run(daemon_.event, 0) > 0)
		;
}

static void test_at_once(void)
{
	int fd = connect_peer();

	is_str(ask(fd, "exportsd/1 now\n\n"), "exportsd/1 ok\n\n", "answered in start()");
	ok(n_begun == 1 && n_ended == 1, "what it noted then is freed");
	is_str(ask(fd, "exportsd/1 failing\n\n"),
	       "exportsd/1 error\nmessage=Input/output error\n\n",
	       "an error of start() is the answer");
	is_str(ask(fd, "exportsd/1 unknown\n\n"),
	       "exportsd/1 unsupported\nmessage=exportsd does not know this request\n\n",
	       "no such verb");
	is_str(ask(fd, "exportsd/1 now\n\nexportsd/1 now\n\n"),
	       "exportsd/1 ok\n\nexportsd/1 ok\n\n", "two requests in one piece");
	is_int(n_ended, 2, "each is ended");
	leave(fd);
}

static void test_pieces(void)
{
	static const char last[] = "exportsd/1 entry\nleft=1\n\nexportsd/1 ok\n\n";
	int fd = connect_peer();
	const char *answer = ask(fd, "exportsd/1 long\n\n");
	size_t length = strlen(answer);

	ok(strncmp(answer, "exportsd/1 entry\nleft=10000\n\n", 29) == 0 && n_ended == 1,
	   "an answer in pieces: %zu bytes", length);
	is_str(answer + length - strlen(last), last, "to its end");
	is_str(ask(fd, "exportsd/1 other\n\n"), "exportsd/1 busy\nmessage=9990 are left\n\n",
	       "produce() may answer otherwise");
	is_int(n_ended, 1, "which ends it");
	leave(fd);
	is_int((long long)connections.n, 0, "no connection is left");
}

static void test_waiting(void)
{
	int fd = connect_peer();

	is_str(ask(fd, "exportsd/1 waits\n\nexportsd/1 now\n\n"), "", "one that waits");
	is_int(n_begun, 1, "the next one is not begun");
	waiting->pending = NULL;
	control_ok(waiting);
	is_str(ask(fd, ""), "exportsd/1 ok\n\nexportsd/1 ok\n\n", "until it is answered");
	ask(fd, "exportsd/1 waits\n\n");
	leave(fd);
	ok(n_ended == 1 && n_cancelled == 1, "a peer that leaves: what it waited for is cancelled");
	fd = connect_peer();
	ask(fd, "exportsd/1 waits\n\n");
	control_connections_close(&connections);
	ok(n_ended == 1 && n_cancelled == 1 && connections.n == 0, "as at the end");
	close(fd);
}

int main(void)
{
	log_open(LOG_EMERG, true);
	if (sd_event_new(&daemon_.event) < 0)
		return 1;
	test_at_once();
	test_pieces();
	test_waiting();
	sd_event_unref(daemon_.event);
	return tap_done();
}
