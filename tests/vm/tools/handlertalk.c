/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handlertalk - speak the protocol of exportsd-handler(7) to any handler, by hand or as a check.
 *
 *	handlertalk [-t SECONDS] HANDLER ask VERB [KEY=VALUE]...
 *		one request; prints every message that comes back. Exits with the
 *		outcome: 0 ok, 1 noent, 2 denied, 3 busy, 4 error, 5 unsupported; 20 the
 *		connection died, 21 nothing came in time.
 *	handlertalk [-t SECONDS] HANDLER raw
 *		standard input to the handler as it is; prints all that comes back until the end.
 *	handlertalk [-t SECONDS] HANDLER check [KEY PATH]
 *		does the handler keep to the protocol? Prints TAP. With KEY and PATH also mounts
 *		and unmounts there.
 *
 * HANDLER is /PATH or @NAME of a socket, or "exec:COMMAND", run by sh with each connection on its
 * standard input and output (as systemd does with Accept=yes).
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "exportsd/ctl/handlecheck.h"
#include "handlers/proto.h"
#include "tests/tap.h"

enum { EXIT_USAGE = 64, EXIT_LOST = 20, EXIT_TIMED_OUT = 21, AT_ONCE_MAX = 32, MEBIBYTE = 1 << 20 };

static const char *handler;
static int timeout_msec = 10000;

/* One connection and what was received over it. */
struct talk {
	int fd;
	char input[PROTO_MESSAGE_MAX];
	size_t n_input, n_used; /* of the message last returned */
	struct proto_message message;
};

/* ---- talking ---- */

static int connect_socket(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || length >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, name, length);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	if (connect(fd, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int connect_command(const char *command)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	if (fork() == 0) {
		dup2(fds[1], STDIN_FILENO);
		dup2(fds[1], STDOUT_FILENO);
		signal(SIGPIPE, SIG_DFL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	return fds[0];
}

static struct talk *talk_new(void)
{
	struct talk *talk = calloc(1, sizeof(*talk));

	if (!talk)
		exit(EXIT_FAILURE);
	talk->fd = strncmp(handler, "exec:", 5) == 0 ? connect_command(handler + 5)
						     : connect_socket(handler);
	return talk;
}

static void talk_free(struct talk *talk)
{
	proto_message_done(&talk->message);
	closep(&talk->fd);
	free(talk);
}

static bool talk_send(struct talk *talk, const void *bytes, size_t n_bytes)
{
	const char *at = bytes;

	while (n_bytes > 0) {
		ssize_t n = send(talk->fd, at, n_bytes, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		at += n;
		n_bytes -= (size_t)n;
	}
	return true;
}

/* One request. @pairs: "KEY=VALUE"... up to NULL. */
static bool talk_ask(struct talk *talk, unsigned int id, const char *verb, const char *const *pairs)
{
	struct proto_writer writer = { 0 };
	bool sent;

	proto_begin(&writer, verb);
	proto_put_u64(&writer, "id", id);
	for (; pairs && *pairs; pairs++) {
		const char *equals = strchr(*pairs, '=');
		char key[64];

		if (!equals || (size_t)(equals - *pairs) >= sizeof(key)) {
			fprintf(stderr, "handlertalk: '%s' is not KEY=VALUE\n", *pairs);
			exit(EXIT_USAGE);
		}
		snprintf(key, sizeof(key), "%.*s", (int)(equals - *pairs), *pairs);
		proto_put(&writer, key, equals + 1);
	}
	sent = proto_end(&writer) == 0 && talk_send(talk, writer.bytes, writer.n_bytes);
	proto_writer_done(&writer);
	return sent;
}

enum heard { HEARD, HEARD_END, HEARD_NOTHING, HEARD_NONSENSE };

/* The next message, in talk->message. */
static enum heard talk_hear(struct talk *talk)
{
	struct pollfd wait = { .fd = talk->fd, .events = POLLIN };
	const char *why;
	ssize_t n;
	int r;

	proto_message_done(&talk->message);
	talk->n_input -= talk->n_used;
	memmove(talk->input, talk->input + talk->n_used, talk->n_input);
	talk->n_used = 0;
	for (;;) {
		r = proto_parse(talk->input, talk->n_input, &talk->message, &talk->n_used, &why);
		if (r == 0)
			return HEARD;
		if (r != PROTO_MORE) {
			printf("# the handler sent %s\n", why);
			return HEARD_NONSENSE;
		}
		if (poll(&wait, 1, timeout_msec) <= 0)
			return HEARD_NOTHING;
		n = recv(talk->fd, talk->input + talk->n_input, sizeof(talk->input) - talk->n_input,
			 0);
		if (n <= 0)
			return HEARD_END;
		talk->n_input += (size_t)n;
	}
}

static bool id_is(const struct talk *talk, unsigned int id)
{
	uint64_t got;

	return proto_get_u64(&talk->message, "id", UINT64_MAX, &got) == 0 && got == id;
}

/* Hear up to the outcome of a request: an enum proto_outcome, or -enum heard. */
static int talk_outcome(struct talk *talk, unsigned int id)
{
	enum heard heard;

	while ((heard = talk_hear(talk)) == HEARD) {
		if (!id_is(talk, id)) {
			printf("# a message with another id\n");
			return -HEARD_NONSENSE;
		}
		if (proto_outcome(talk->message.word) >= 0)
			return proto_outcome(talk->message.word);
	}
	return -(int)heard;
}

/* A request of its own connection, and its outcome. */
static int ask_once(const char *verb, const char *const *pairs)
{
	struct talk *talk = talk_new();
	int outcome = talk_ask(talk, 1, verb, pairs) ? talk_outcome(talk, 1) : -HEARD_END;

	talk_free(talk);
	return outcome;
}

#define PAIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* ---- ask and raw ---- */

static void print_message(const struct proto_message *message)
{
	struct proto_writer writer = { 0 };

	proto_begin(&writer, message->word);
	for (size_t i = 0; i < message->n_fields; i++)
		proto_put(&writer, message->fields[i].key, message->fields[i].value);
	if (proto_end(&writer) == 0)
		fwrite(writer.bytes, 1, writer.n_bytes, stdout);
	fflush(stdout);
	proto_writer_done(&writer);
}

static int ask(const char *verb, const char *const *pairs)
{
	struct talk *talk = talk_new();
	enum heard heard = HEARD_END;
	int outcome = -1;

	if (talk->fd >= 0 && talk_ask(talk, 1, verb, pairs))
		while (outcome < 0 && (heard = talk_hear(talk)) == HEARD) {
			print_message(&talk->message);
			outcome = proto_outcome(talk->message.word);
		}
	talk_free(talk);
	if (outcome >= 0)
		return outcome;
	return heard == HEARD_NOTHING ? EXIT_TIMED_OUT : EXIT_LOST;
}

static int raw(void)
{
	struct talk *talk = talk_new();
	struct pollfd wait = { .fd = talk->fd, .events = POLLIN };
	char buffer[4096];
	int status = EXIT_LOST;
	size_t n;
	ssize_t got;

	while (talk->fd >= 0 && (n = fread(buffer, 1, sizeof(buffer), stdin)) > 0)
		if (!talk_send(talk, buffer, n))
			break;
	shutdown(talk->fd, SHUT_WR);
	while ((status = poll(&wait, 1, timeout_msec) > 0 ? EXIT_SUCCESS : EXIT_TIMED_OUT) == 0 &&
	       (got = recv(talk->fd, buffer, sizeof(buffer), 0)) > 0)
		fwrite(buffer, 1, (size_t)got, stdout);
	talk_free(talk);
	return status;
}

/* ---- check ---- */

static bool is_no(int outcome)
{
	return outcome == PROTO_NOENT || outcome == PROTO_ERROR || outcome == PROTO_DENIED;
}

/* Is it still there, and sane? */
static bool lives(void)
{
	int outcome = ask_once("hello", NULL);

	return outcome == PROTO_OK || outcome == PROTO_UNSUPPORTED;
}

/* What hello says of requests at once; 1 without hello. */
static unsigned int check_hello(void)
{
	struct talk *talk = talk_new();
	uint64_t n_requests = 1;
	int outcome = -HEARD_END;

	if (talk_ask(talk, 7, "hello", PAIRS("version=1")))
		outcome = talk_outcome(talk, 7);
	ok(outcome == PROTO_OK || outcome == PROTO_UNSUPPORTED, "hello: ok or unsupported");
	if (outcome == PROTO_OK && proto_get(&talk->message, "requests"))
		ok(proto_get_u64(&talk->message, "requests", UINT32_MAX, &n_requests) == 0 &&
			   n_requests > 0,
		   "hello: requests= is a number above 0");
	talk_free(talk);
	return n_requests < AT_ONCE_MAX ? (unsigned int)n_requests : AT_ONCE_MAX;
}

static void check_list(void)
{
	struct talk *talk = talk_new();
	CLEANUP(freep) char *key = NULL;
	unsigned int n_good = 0, n_bad = 0;
	enum heard heard = HEARD_END;
	int outcome = -1;

	talk_ask(talk, 3, "list", NULL);
	while (outcome < 0 && (heard = talk_hear(talk)) == HEARD) {
		bool medium = str_equal(talk->message.word, "medium");

		outcome = proto_outcome(talk->message.word);
		if (!id_is(talk, 3) || (medium && !proto_get(&talk->message, "key")))
			n_bad++;
		else if (medium && ++n_good == 1)
			key = strdup(proto_get(&talk->message, "key"));
	}
	talk_free(talk);
	printf("# %u media\n", n_good);
	is_int(outcome, PROTO_OK, "list: ok");
	is_int(n_bad, 0, "list: each message has the id, each medium a key");
	if (key) {
		CLEANUP(freep) char *pair = NULL;

		if (asprintf(&pair, "key=%s", key) < 0)
			exit(EXIT_FAILURE);
		outcome = ask_once("lookup", PAIRS(pair));
		ok(outcome == PROTO_OK || outcome == PROTO_UNSUPPORTED,
		   "lookup: a listed key exists");
	}
}

static void check_nonexistent(void)
{
	static const char *const keys[] = { "",
					    ".",
					    "..",
					    "../etc",
					    "a/../../b",
					    "/etc/passwd",
					    "no such medium\nat all\\",
					    "-n",
					    "*",
					    "%s\\c$(id)" };
	int outcome;

	outcome = ask_once("lookup", PAIRS("key=no-such-medium", "unknown-key=x"));
	ok(outcome == PROTO_NOENT || outcome == PROTO_UNSUPPORTED,
	   "lookup of what does not exist: noent; unknown keys do not matter");
	is_int(ask_once("mount", PAIRS("key=no-such-medium", "path=/nowhere/no-such-medium",
				       "unknown-key=x")),
	       PROTO_NOENT, "mount of what does not exist: noent");
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		CLEANUP(freep) char *key = NULL, *path = NULL;

		if (asprintf(&key, "key=%s", keys[i]) < 0 ||
		    asprintf(&path, "path=/nowhere/%s", keys[i]) < 0)
			exit(EXIT_FAILURE);
		ok(is_no(ask_once("mount", PAIRS(key, path))), "mount of odd key %zu: no", i);
	}
}

/* As many requests as hello allows, in one go: each id is answered once, in any order. */
static void check_many(unsigned int n_requests)
{
	struct talk *talk = talk_new();
	unsigned int n_answers[AT_ONCE_MAX + 1] = { 0 }, n_once = 0;
	uint64_t id;

	for (unsigned int i = 1; i <= n_requests; i++)
		talk_ask(talk, i, "lookup", PAIRS("key=no-such-medium"));
	for (unsigned int n = 0; n < n_requests && talk_hear(talk) == HEARD;) {
		if (proto_outcome(talk->message.word) < 0)
			continue;
		n++;
		if (proto_get_u64(&talk->message, "id", n_requests, &id) == 0)
			n_answers[id]++;
	}
	for (unsigned int i = 1; i <= n_requests; i++)
		n_once += n_answers[i] == 1;
	talk_free(talk);
	ok(n_once == n_requests, "%u requests at once: each id is answered once", n_requests);
}

static void check_one_after_the_other(void)
{
	struct talk *talk = talk_new();
	unsigned int n_good = 0;

	for (unsigned int id = 10; id < 13; id++)
		if (talk_ask(talk, id, id == 11 ? "juggle" : "lookup", PAIRS("key=no-such-medium")))
			n_good += talk_outcome(talk, id) ==
				  (id == 11 ? PROTO_UNSUPPORTED : PROTO_NOENT);
	talk_free(talk);
	is_int(n_good, 3, "three requests on one connection; an unknown verb is unsupported");
}

static void check_slow_bytes(void)
{
	static const char request[] =
		"exportsd/1 mount\nid=4\nkey=no-such-medium\npath=/x/no-such-medium\n\n";
	struct talk *talk = talk_new();

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		talk_send(talk, request + i, 1);
		usleep(500);
	}
	is_int(talk_outcome(talk, 4), PROTO_NOENT, "a request that comes byte by byte");
	talk_free(talk);
}

/* Bad bytes: no good answer may come of them, and the handler must live on. */
static void check_bad_bytes(const char *what, const char *bytes, size_t n_bytes)
{
	struct talk *talk = talk_new();
	enum heard heard;
	bool good = false;

	talk_send(talk, bytes, n_bytes);
	shutdown(talk->fd, SHUT_WR);
	while ((heard = talk_hear(talk)) == HEARD)
		good |= proto_outcome(talk->message.word) == PROTO_OK;
	ok(!good && heard == HEARD_END, "%s: the connection ends", what);
	talk_free(talk);
	ok(lives(), "%s: the handler lives on", what);
}

static void check_bad_input(void)
{
	static const char half[] = "exportsd/1 list\nid=1\nkey=ha";
	static const char garbage[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	static const char version[] = "exportsd/9 list\nid=1\n\n";
	static const char zeros[64];
	struct talk *silent = talk_new();
	CLEANUP(freep) char *line = malloc(MEBIBYTE);

	if (!line)
		exit(EXIT_FAILURE);
	talk_send(silent, half, sizeof(half) - 1);
	ok(lives(), "while one connection is silent within a message, another one is served");
	talk_free(silent);
	check_bad_bytes("half a message", half, sizeof(half) - 1);
	check_bad_bytes("garbage", garbage, sizeof(garbage) - 1);
	check_bad_bytes("another version", version, sizeof(version) - 1);
	check_bad_bytes("NUL bytes", zeros, sizeof(zeros));
	memset(line, 'x', MEBIBYTE);
	check_bad_bytes("a line of a mebibyte", line, MEBIBYTE);
	memcpy(line, "exportsd/1 list\nid=1\nkey=", 25);
	check_bad_bytes("a value of a mebibyte", line, MEBIBYTE);
}

/* What nfsd needs of a medium; a warning, as the handler may not be able to help it. */
static void check_handles(const char *path)
{
	struct handlecheck *files = NULL;
	enum handlecheck_verdict verdict;
	const char *advice;
	size_t n_tried;

	if (handlecheck_new(path, &files) < 0)
		return;
	if (handlecheck_has_files(files) && handlecheck_evict() < 0) {
		puts("# file handles were not tried: only root may");
		handlecheck_free(files);
		return;
	}
	verdict = handlecheck_verify(files, &n_tried);
	advice = handlecheck_advice(files, verdict);
	printf("# %s%s%s%s\n", handlecheck_is_bad(verdict) ? "warning: " : "",
	       handlecheck_text(verdict), advice ? "; " : "", advice ?: "");
	handlecheck_free(files);
}

static void check_mount(const char *key, const char *path)
{
	CLEANUP(freep) char *key_pair = NULL, *path_pair = NULL;

	if (asprintf(&key_pair, "key=%s", key) < 0 || asprintf(&path_pair, "path=%s", path) < 0)
		exit(EXIT_FAILURE);
	for (int i = 1; i <= 2; i++) {
		is_int(ask_once("mount", PAIRS(key_pair, path_pair)), PROTO_OK, "mount");
		is_int(ask_once("mount", PAIRS(key_pair, path_pair)), PROTO_OK, "mount once more");
		if (i == 1)
			check_handles(path);
		is_int(ask_once("unmount", PAIRS(key_pair, path_pair)), PROTO_OK, "unmount");
		is_int(ask_once("unmount", PAIRS(key_pair, path_pair)), PROTO_OK,
		       "unmount once more");
	}
}

static int check(const char *key, const char *path)
{
	unsigned int n_requests = check_hello();

	check_list();
	check_nonexistent();
	check_one_after_the_other();
	check_many(n_requests);
	check_slow_bytes();
	check_bad_input();
	if (key && path)
		check_mount(key, path);
	return tap_done();
}

static int usage(void)
{
	fprintf(stderr,
		"Usage: handlertalk [-t SECONDS] HANDLER ask VERB [KEY=VALUE]... | raw | check [KEY PATH]\n");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+t:")) != -1) {
		if (option != 't')
			return usage();
		timeout_msec = atoi(optarg) * 1000;
	}
	argv += optind;
	argc -= optind;
	signal(SIGCHLD, SIG_IGN); /* no zombies of exec: */
	if (argc < 2)
		return usage();
	handler = argv[0];
	if (str_equal(argv[1], "ask") && argc >= 3)
		return ask(argv[2], (const char *const *)argv + 3);
	if (str_equal(argv[1], "raw") && argc == 2)
		return raw();
	if (str_equal(argv[1], "check") && (argc == 2 || argc == 4))
		return check(argc == 4 ? argv[2] : NULL, argc == 4 ? argv[3] : NULL);
	return usage();
}
