/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-kit.c - a handler on the kit, with operations made for this test, asked over its socket.
 *
 * The kit's process is a child of this one. Operations wait for files ("gates") in a temporary
 * directory, so that the order of things is given and not a matter of time.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "handlers/kit/kit.h"
#include "tests/tap.h"

enum { ANSWER_MSEC = 10000, QUIET_MSEC = 100 };

static char directory[] = "/tmp/test-kit.XXXXXX";
static char socket_path[64];
static pid_t handler_pid;

static const char *in_directory(const char *name)
{
	static char paths[8][128];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static bool exists(const char *name)
{
	return access(in_directory(name), F_OK) == 0;
}

static void touch(const char *name)
{
	close(open(in_directory(name), O_WRONLY | O_CREAT, 0600));
}

static bool wait_for(const char *name)
{
	for (int i = 0; i < ANSWER_MSEC / 5 && !exists(name); i++)
		usleep(5000);
	return exists(name);
}

/* ---- the operations ---- */

static int op_list(struct kit_request *request, void *userdata)
{
	int n = atoi(kit_get(request, "n"));

	for (int i = 0; i < n; i++) {
		proto_printf(kit_entry(request, "medium"), "key", "medium-%d", i);
		kit_entry_end(request);
	}
	return PROTO_OK;
}

static unsigned int n_open_descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int op_lookup(struct kit_request *request, void *userdata)
{
	const char *key = kit_get(request, "key");
	CLEANUP(freep) char *long_text = NULL;

	if (str_equal(key, "dies"))
		kill(getpid(), SIGKILL);
	if (str_equal(key, "exits"))
		_exit(7);
	if (str_equal(key, "denied"))
		return kit_why(request, PROTO_DENIED, "not you");
	if (str_equal(key, "fails"))
		return -ENOSPC;
	if (str_equal(key, "hangs"))
		pause();
	if (str_equal(key, "babbles"))
		(void)!write(3, "nonsense\n\n", 10);
	if (str_equal(key, "talks long")) {
		long_text = malloc(PROTO_LINE_MAX);
		memset(long_text, 'x', PROTO_LINE_MAX);
		return kit_why(request, -EIO, "%.*s", PROTO_LINE_MAX, long_text);
	}
	kit_put(request, "identity", "line\nbreak");
	kit_put_u64(request, "descriptors", n_open_descriptors());
	return PROTO_OK;
}

/* Tells that it runs, and waits for its gate. */
static int op_mount(struct kit_request *request, void *userdata)
{
	const char *key = kit_get(request, "key");
	char name[64];

	snprintf(name, sizeof(name), "running-%s", key);
	kit_progress(request, 40, "mounting %s", key);
	touch(name);
	snprintf(name, sizeof(name), "gate-%s", key);
	if (!wait_for(name))
		return PROTO_BUSY;
	snprintf(name, sizeof(name), "done-%s", key);
	touch(name);
	return PROTO_OK;
}

static int op_watch(struct kit_request *request, void *userdata)
{
	char name[64];

	snprintf(name, sizeof(name), "%d", getpid());
	proto_put(kit_entry(request, "appeared"), "key", name);
	kit_entry_end(request);
	kit_flush(request);
	while (pause() < 0)
		;
	return -EINTR;
}

/* Not unmount: so it is unsupported. */
static const struct kit_operations operations = {
	.name = "test",
	.list = op_list,
	.lookup = op_lookup,
	.mount = op_mount,
	.watch = op_watch,
};

static pid_t start(const struct kit_settings *settings)
{
	pid_t pid = fork();

	if (pid == 0) {
		close(STDERR_FILENO);
		open(in_directory("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
		_exit(kit_run(&operations, NULL, settings) < 0 ? 1 : 0);
	}
	return pid;
}

/* However long it takes: main() has an alarm. */
static int wait_exit(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* ---- the asking side ---- */

struct client {
	int fd;
	char input[PROTO_MESSAGE_MAX];
	size_t n_input, n_used;
	struct proto_message message;
};

static struct client *client_on(int fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		exit(1);
	client->fd = fd;
	return client;
}

static struct client *client_new(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct client *client = client_on(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	strcpy(address.sun_path, socket_path);
	for (int i = 0; i < ANSWER_MSEC / 5; i++) {
		if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return client;
		usleep(5000);
	}
	ok(false, "the handler listens");
	exit(1);
}

static void client_free(struct client *client)
{
	proto_message_done(&client->message);
	close(client->fd);
	free(client);
}

static void ask(struct client *client, unsigned int id, const char *verb, const char *key,
		const char *value)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "exportsd/1 %s\nid=%u\n%s%s%s%s\n", verb, id, key,
			 *key ? "=" : "", value, *key ? "\n" : "");

	(void)!send(client->fd, text, (size_t)n, MSG_NOSIGNAL);
}

static void ask_mount(struct client *client, unsigned int id, const char *key, const char *path)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "exportsd/1 mount\nid=%u\nkey=%s\npath=%s\n\n", id,
			 key, path);

	(void)!send(client->fd, text, (size_t)n, MSG_NOSIGNAL);
}

/* "WORD ID", or "END" when the connection is closed, or "" when nothing comes. */
static const char *hear(struct client *client, int msec)
{
	static char text[64];
	struct pollfd wait = { .fd = client->fd, .events = POLLIN };
	const char *why;
	ssize_t n;

	proto_message_done(&client->message);
	client->n_input -= client->n_used;
	memmove(client->input, client->input + client->n_used, client->n_input);
	client->n_used = 0;
	while (proto_parse(client->input, client->n_input, &client->message, &client->n_used,
			   &why) != 0) {
		if (poll(&wait, 1, msec) <= 0)
			return "";
		n = recv(client->fd, client->input + client->n_input,
			 sizeof(client->input) - client->n_input, 0);
		if (n <= 0)
			return "END";
		client->n_input += (size_t)n;
	}
	snprintf(text, sizeof(text), "%s %s", client->message.word,
		 proto_get(&client->message, "id"));
	return text;
}

static const char *heard(struct client *client, const char *key)
{
	return proto_get(&client->message, key);
}

/* What comes after progress. */
static const char *hear_on(struct client *client)
{
	const char *answer;

	do
		answer = hear(client, ANSWER_MSEC);
	while (strncmp(answer, "progress", 8) == 0);
	return answer;
}

static const char *log_text(void)
{
	static char text[64 * 1024];
	int fd = open(in_directory("log"), O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* ---- the tests ---- */

static void test_answers(void)
{
	static const struct {
		const char *key, *word, *name, *message;
	} cases[] = {
		{ "good", "ok 9", NULL, NULL },
		{ "denied", "denied 9", NULL, "not you" },
		{ "fails", "error 9", "ENOSPC", "No space left on device" },
		{ "dies", "error 9", "EIO",
		  "the handler's process for lookup ended with signal 9" },
		{ "exits", "error 9", "EIO",
		  "the handler's process for lookup ended with exit code 7" },
		{ "babbles", "error 9", "EBADMSG", "the handler's process wrote nonsense" },
		{ "talks long", "error 9", "EIO", "the reason does not fit into a message" },
	};
	struct client *client = client_new();

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		ask(client, 9, "lookup", "key", cases[i].key);
		is_str(hear(client, ANSWER_MSEC), cases[i].word, cases[i].key);
		is_str(heard(client, "errno"), cases[i].name, "its errno");
		is_str(heard(client, "message"), cases[i].message, "its message");
	}
	ask(client, 1, "lookup", "key", "good");
	hear(client, ANSWER_MSEC);
	is_str(heard(client, "identity"), "line\nbreak", "a value keeps its bytes");
	is_str(heard(client, "descriptors"), "4", "an operation has no descriptors of others");
	ask(client, 2, "lookup", "", "");
	is_str(hear(client, ANSWER_MSEC), "error 2", "a request without its key is an error");
	ask(client, 3, "unmount", "path", "/x");
	is_str(hear(client, ANSWER_MSEC), "unsupported 3", "a verb without an operation");
	ask(client, 4, "hello", "", "");
	is_str(hear(client, ANSWER_MSEC), "ok 4", "hello");
	is_str(heard(client, "requests"), "64", "hello says how many requests");
	is_str(heard(client, "handler"), "test", "and who it is");
	client_free(client);
}

static void ask_by(struct client *client, unsigned int id, const char *verb, const char *key,
		   unsigned int deadline_msec)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
			 "exportsd/1 %s\nid=%u\nkey=%s\npath=/%s\ndeadline-ms=%u\n\n", verb, id,
			 key, key, deadline_msec);

	(void)!send(client->fd, text, (size_t)n, MSG_NOSIGNAL);
}

/* With n_at_once = 2. */
static void test_deadline(void)
{
	struct client *client = client_new();

	ask_by(client, 1, "lookup", "hangs", 200);
	is_str(hear(client, ANSWER_MSEC), "busy 1", "a lookup beyond its deadline is busy");
	ask_by(client, 2, "mount", "late", 200);
	is_str(hear_on(client), "busy 2", "so is a mount");
	ask_by(client, 3, "mount", "later", 60000);
	is_str(hear(client, ANSWER_MSEC), "progress 3", "which keeps its place at work");
	ask_by(client, 4, "mount", "latest", 200);
	is_str(hear_on(client), "busy 4", "what was not started by its deadline is busy");
	touch("gate-late");
	ok(wait_for("done-late"), "a mount that was begun goes on beyond its deadline");
	touch("gate-later");
	is_str(hear_on(client), "ok 3", "one in time is answered");
	ask(client, 5, "lookup", "key", "good");
	is_str(hear(client, ANSWER_MSEC), "ok 5", "and so are others afterwards");
	ok(!exists("running-latest"), "what was not started never was");
	client_free(client);
}

/* With n_at_once = 2: what is slow holds up only itself, what is beyond waits. */
static void test_slow(void)
{
	struct client *client = client_new(), *other = client_new();

	ask_mount(client, 1, "slow", "/slow");
	is_str(hear(client, ANSWER_MSEC), "progress 1", "progress is passed on");
	is_str(heard(client, "percent"), "40", "its percent");
	is_str(heard(client, "message"), "mounting slow", "its message");
	ask(client, 2, "lookup", "key", "good");
	is_str(hear(client, ANSWER_MSEC), "ok 2", "a later request is answered before a slow one");
	ask_mount(client, 3, "again", "/slow");
	ask(client, 4, "lookup", "key", "good");
	is_str(hear(client, ANSWER_MSEC), "ok 4", "one for a busy path waits, and holds up nobody");
	ok(!exists("running-again"), "it was not started");
	ask_mount(other, 5, "second", "/second");
	is_str(hear(other, ANSWER_MSEC), "progress 5", "two run at once");
	ask(other, 6, "lookup", "key", "good");
	is_str(hear(other, QUIET_MSEC), "", "not a third");
	touch("gate-slow");
	is_str(hear(client, ANSWER_MSEC), "ok 1", "the slow one comes to its end");
	is_str(hear(client, ANSWER_MSEC), "progress 3", "the next one for its path starts");
	touch("gate-second");
	is_str(hear(other, ANSWER_MSEC), "ok 5", "the second ends");
	is_str(hear(other, ANSWER_MSEC), "ok 6", "the third had its turn");
	touch("gate-again");
	is_str(hear(client, ANSWER_MSEC), "ok 3", "all are done");
	client_free(client);
	client_free(other);
}

static void test_lost_connection(void)
{
	struct client *client = client_new();

	ask_mount(client, 1, "lost", "/lost");
	hear(client, ANSWER_MSEC);
	ask_mount(client, 2, "never", "/lost");
	client_free(client);
	client = client_new();
	ask(client, 1, "lookup", "key", "good");
	is_str(hear(client, ANSWER_MSEC), "ok 1", "a connection dies, others live");
	touch("gate-lost");
	ok(wait_for("done-lost"), "a mount that was started is carried through");
	ask_mount(client, 3, "after", "/lost");
	touch("gate-after");
	hear(client, ANSWER_MSEC);
	is_str(hear(client, ANSWER_MSEC), "ok 3", "its path is free again");
	ok(!exists("running-never"), "one that waited is dropped");
	client_free(client);
}

static void test_watch(void)
{
	struct client *client = client_new();
	pid_t watcher;

	ask(client, 1, "watch", "", "");
	is_str(hear(client, ANSWER_MSEC), "appeared 1", "an entry comes at once");
	watcher = atoi(heard(client, "key"));
	is_int(kill(watcher, 0), 0, "the watch goes on");
	ask(client, 2, "lookup", "key", "good");
	is_str(hear(client, ANSWER_MSEC), "ok 2", "beside other requests");
	client_free(client);
	for (int i = 0; i < ANSWER_MSEC / 5 && kill(watcher, 0) == 0; i++)
		usleep(5000);
	is_int(kill(watcher, 0), -1, "it ends when nobody listens");

	client = client_new();
	for (unsigned int i = 0; i <= KIT_WATCHES_MAX; i++)
		ask(client, i, "watch", "", "");
	for (unsigned int i = 0, n = 0; i <= KIT_WATCHES_MAX; i++) {
		n += strncmp(hear(client, ANSWER_MSEC), "busy", 4) == 0;
		if (i == KIT_WATCHES_MAX)
			is_int(n, 1, "a watch too many is told to come later");
	}
	client_free(client);
}

static void test_limits(void)
{
	struct client *clients[KIT_QUEUE_MAX / KIT_REQUESTS_MAX + 2];
	unsigned int n_busy = 0, n_ok = 0, n_taken[N_ELEMENTS(clients)];
	char path[32];
	const char *answer;

	for (size_t c = 0; c < N_ELEMENTS(clients); c++) {
		clients[c] = client_new();
		for (unsigned int i = 0; i < KIT_REQUESTS_MAX; i++) {
			snprintf(path, sizeof(path), "/limit/%zu/%u", c, i);
			ask_mount(clients[c], i, "limit", path);
		}
	}
	for (size_t c = 0; c < N_ELEMENTS(clients); c++) {
		n_taken[c] = KIT_REQUESTS_MAX;
		while (strncmp(answer = hear(clients[c], QUIET_MSEC), "progress", 8) == 0 ||
		       strncmp(answer, "busy", 4) == 0)
			n_taken[c] -= answer[0] == 'b';
		n_busy += KIT_REQUESTS_MAX - n_taken[c];
	}
	is_int(n_busy, N_ELEMENTS(clients) * KIT_REQUESTS_MAX - KIT_QUEUE_MAX - 2,
	       "requests beyond those that run and wait are told to come later");
	ask(clients[0], 999, "lookup", "key", "good");
	is_str(hear_on(clients[0]), "busy 999", "so is one too many on a connection");
	is_str(heard(clients[0], "message"), "too many requests under way on this connection",
	       "and why");
	touch("gate-limit");
	for (size_t c = 0; c < N_ELEMENTS(clients); c++) {
		while (n_taken[c] > 0 && *(answer = hear(clients[c], ANSWER_MSEC)))
			if (strncmp(answer, "ok", 2) == 0) {
				n_ok++;
				n_taken[c]--;
			}
		client_free(clients[c]);
	}
	is_int(n_ok, KIT_QUEUE_MAX + 2, "all others are done");
}

static void test_connections(void)
{
	struct client *clients[KIT_CONNECTIONS_MAX + 1];
	unsigned int n_ended = 0, n_ok = 0;

	for (size_t i = 0; i < N_ELEMENTS(clients); i++) {
		clients[i] = client_new();
		ask(clients[i], 1, "hello", "", "");
	}
	for (size_t i = 0; i < N_ELEMENTS(clients); i++) {
		const char *answer = hear(clients[i], ANSWER_MSEC);

		n_ok += strcmp(answer, "ok 1") == 0;
		n_ended += strcmp(answer, "END") == 0;
	}
	is_int(n_ok, KIT_CONNECTIONS_MAX, "as many connections as there may be");
	is_int(n_ended, 1, "one beyond is closed");
	ok(strstr(log_text(), "refusing a connection: there are 64 already") != NULL,
	   "the log says so");
	for (size_t i = 0; i < N_ELEMENTS(clients); i++)
		client_free(clients[i]);
	do { /* until it has noticed */
		n_ok = 0;
		for (size_t i = 0; i < 8; i++) {
			clients[i] = client_new();
			ask(clients[i], 1, "hello", "", "");
			n_ok += strcmp(hear(clients[i], ANSWER_MSEC), "ok 1") == 0;
		}
		for (size_t i = 0; i < 8; i++)
			client_free(clients[i]);
	} while (n_ok < 8);
}

static unsigned int n_logged(const char *text)
{
	unsigned int n = 0;

	for (const char *at = log_text(); (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void test_descriptors(void)
{
	struct rlimit before, few;
	struct client *client;

	prlimit(handler_pid, RLIMIT_NOFILE, NULL, &before);
	few = (struct rlimit){ .rlim_cur = 3, .rlim_max = before.rlim_max };
	prlimit(handler_pid, RLIMIT_NOFILE, &few, NULL);
	client = client_new();
	ask(client, 1, "hello", "", "");
	usleep(300 * 1000);
	is_int(n_logged("accept: "), 1,
	       "without descriptors the handler does not turn for nothing");
	prlimit(handler_pid, RLIMIT_NOFILE, &before, NULL);
	is_str(hear(client, ANSWER_MSEC), "ok 1", "who waits is heard when there are some again");
	client_free(client);
}

static long resident_kib(pid_t pid)
{
	char path[64];
	long pages = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	file = fopen(path, "r");
	if (file && fscanf(file, "%*d %ld", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void test_slow_reader(void)
{
	enum { N = 100000 };
	struct client *client = client_new(), *other = client_new();
	long before = resident_kib(handler_pid);
	unsigned int n = 0;
	const char *answer;

	ask(client, 1, "list", "n", "100000");
	is_str(hear(client, ANSWER_MSEC), "medium 1", "a long list begins");
	ask(other, 1, "lookup", "key", "good");
	is_str(hear(other, ANSWER_MSEC), "ok 1", "who does not read it holds up nobody");
	usleep(QUIET_MSEC * 1000);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
	ok(resident_kib(handler_pid) - before < 2048, "nor does the list pile up");
#else
	(void)before;
#endif
	for (n = 1; strcmp(answer = hear(client, ANSWER_MSEC), "medium 1") == 0; n++)
		;
	is_str(answer, "ok 1", "the list ends");
	is_int(n, N, "nothing of it was lost");
	client_free(client);

	client = client_new();
	fcntl(client->fd, F_SETFL, O_NONBLOCK);
	for (n = 0; n < 100000; n++)
		if (send(client->fd, "exportsd/1 hello\nid=1\n\n", 23, MSG_NOSIGNAL) < 0)
			break;
	ok(n < 100000, "who asks and never reads is not read any more");
	ask(other, 2, "lookup", "key", "good");
	is_str(hear(other, ANSWER_MSEC), "ok 2", "others are");
	client_free(client);
	client_free(other);
}

static void test_misuse(void)
{
	static const char *const bad[] = { "exportsd/1 lookup\nkey=x\n\n",
					   "exportsd/1 lookup\nid=x\nkey=x\n\n",
					   "exportsd/1 lookup\nid=-1\nkey=x\n\n", "hello\n" };
	struct client *client;

	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		client = client_new();
		(void)!send(client->fd, bad[i], strlen(bad[i]), MSG_NOSIGNAL);
		is_str(hear(client, ANSWER_MSEC), "END", "a bad request ends its connection");
		client_free(client);
	}
	client = client_new();
	ask_mount(client, 1, "twin", "/twin");
	hear(client, ANSWER_MSEC);
	ask_mount(client, 1, "twin", "/twin2");
	is_str(hear(client, ANSWER_MSEC), "END", "so does an id that is under way already");
	client_free(client);
	touch("gate-twin");
}

static void test_half_close(void)
{
	struct client *client = client_new();

	ask_mount(client, 1, "half", "/half");
	shutdown(client->fd, SHUT_WR);
	is_str(hear(client, ANSWER_MSEC), "progress 1", "who has said all still gets its answers");
	touch("gate-half");
	is_str(hear(client, ANSWER_MSEC), "ok 1", "up to the outcome");
	is_str(hear(client, ANSWER_MSEC), "END", "and then the end");
	client_free(client);
}

static void test_socket(void)
{
	struct kit_settings settings = { .socket = socket_path };
	struct stat st;
	struct client *client;
	pid_t pid;

	ok(stat(socket_path, &st) == 0 && (st.st_mode & 07777) == 0600,
	   "the socket is root's alone");
	is_int(wait_exit(start(&settings)), 1, "a live socket is not taken over");
	ok(strstr(log_text(), "another process listens there already") != NULL, "the log says why");
	client = client_new();
	ask(client, 1, "hello", "", "");
	is_str(hear(client, ANSWER_MSEC), "ok 1", "it is still the first one's");
	client_free(client);

	settings.socket = in_directory("log");
	is_int(wait_exit(start(&settings)), 1, "a file that is no socket is left alone");
	settings.socket = "relative";
	is_int(wait_exit(start(&settings)), 1, "a relative name is refused");
	settings.socket =
		"/tmp/a-name-which-is-much-too-long-for-a-socket-address-because-they-hold-only-a-little-over-a-hundred-bytes";
	is_int(wait_exit(start(&settings)), 1, "so is a long one");
	kill(handler_pid, SIGKILL);
	wait_exit(handler_pid);
	ok(exists("socket"), "a killed handler leaves its socket");
	settings = (struct kit_settings){ .socket = socket_path, .n_at_once = 2 };
	handler_pid = start(&settings);
	client = client_new();
	ask(client, 1, "hello", "", "");
	is_str(hear(client, ANSWER_MSEC), "ok 1", "the next one takes its place");
	client_free(client);

	snprintf(socket_path, sizeof(socket_path), "@test-kit-%d", getpid());
	settings.socket = socket_path;
	pid = start(&settings);
	kill(pid, 0);
	{
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0), r = -1;

		strcpy(address.sun_path, socket_path);
		address.sun_path[0] = '\0';
		for (int i = 0; i < ANSWER_MSEC / 5 && r < 0; i++, usleep(5000))
			r = connect(fd, (struct sockaddr *)&address,
				    (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
						strlen(socket_path)));
		is_int(r, 0, "an abstract socket is listened on");
		close(fd);
	}
	kill(pid, SIGTERM);
	is_int(wait_exit(pid), 0, "SIGTERM ends it");
	snprintf(socket_path, sizeof(socket_path), "%s/socket", directory);
}

static void test_stop(void)
{
	struct client *client = client_new(), *idle = client_new();

	ask_mount(client, 1, "last", "/last");
	hear(client, ANSWER_MSEC);
	ask_mount(client, 2, "waiting", "/last");
	ask(client, 3, "watch", "", "");
	hear(client, ANSWER_MSEC);
	kill(handler_pid, SIGTERM);
	is_str(hear(client, ANSWER_MSEC), "busy 2", "stopping: what waits is told to come later");
	is_str(hear(idle, ANSWER_MSEC), "END", "a connection without requests ends");
	ask(client, 4, "lookup", "key", "good");
	is_str(hear(client, ANSWER_MSEC), "busy 4", "a new request is told to come later");
	touch("gate-last");
	is_str(hear(client, ANSWER_MSEC), "ok 1", "what runs comes to its end");
	is_str(hear(client, ANSWER_MSEC), "END", "then the connection ends");
	is_int(wait_exit(handler_pid), 0, "and the handler, with success");
	ok(!exists("socket"), "its socket is gone");
	client_free(client);
	client_free(idle);
}

/* As systemd starts it: the socket is descriptor 3. */
static pid_t start_inherited(int fd, unsigned int idle_sec)
{
	const struct kit_settings settings = { .idle_sec = idle_sec };
	pid_t pid = fork();
	char text[16];

	if (pid == 0) {
		dup2(fd, 3);
		close_range(4, ~0U, 0); /* the other end, if it is a pair, among them */
		snprintf(text, sizeof(text), "%d", getpid());
		setenv("LISTEN_PID", text, 1);
		setenv("LISTEN_FDS", "1", 1);
		_exit(kit_run(&operations, NULL, &settings) < 0 ? 1 : 0);
	}
	return pid;
}

static void test_inherited(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];
	struct client *client;
	pid_t pid;

	strcpy(address.sun_path, socket_path);
	ok(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		   listen(listener, 5) == 0,
	   "(a socket is there)");
	pid = start_inherited(listener, 1);
	client = client_new();
	ask(client, 1, "lookup", "key", "good");
	is_str(hear(client, ANSWER_MSEC), "ok 1", "an inherited socket is served");
	usleep(1200000);
	is_int(waitpid(pid, NULL, WNOHANG), 0, "while somebody is connected, it stays");
	client_free(client);
	is_int(wait_exit(pid), 0, "after the idle time it exits");
	ok(exists("socket"), "the inherited socket stays");
	close(listener);

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pid = start_inherited(pair[1], 0);
	close(pair[1]);
	client = client_on(pair[0]);
	ask(client, 1, "lookup", "key", "good");
	is_str(hear(client, ANSWER_MSEC), "ok 1", "an inherited connection is served");
	client_free(client);
	is_int(wait_exit(pid), 0, "its end is the handler's");
}

static void test_standard_input(void)
{
	const struct kit_settings settings = { 0 };
	struct client *client;
	int pair[2];
	pid_t pid;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	pid = fork();
	if (pid == 0) {
		dup2(pair[1], STDIN_FILENO);
		dup2(pair[1], STDOUT_FILENO);
		close(pair[0]);
		close(pair[1]);
		_exit(kit_run(&operations, NULL, &settings) < 0 ? 1 : 0);
	}
	close(pair[1]);
	client = client_on(pair[0]);
	ask(client, 1, "lookup", "key", "good");
	is_str(hear(client, ANSWER_MSEC), "ok 1", "a connection on standard input is served");
	is_str(heard(client, "descriptors"), "4", "and is not its operations'");
	client_free(client);
	is_int(wait_exit(pid), 0, "its end is the handler's");
}

static void test_time_limits(void)
{
	const struct kit_settings settings = { .socket = socket_path,
					       .stall_sec = 1,
					       .stop_sec = 1 };
	struct client *half, *deaf, *waiting;
	pid_t pid;

	unlink(socket_path);
	pid = start(&settings);
	half = client_new();
	deaf = client_new();
	waiting = client_new();
	(void)!send(half->fd, "exportsd/1 he", 13, MSG_NOSIGNAL);
	ask(deaf, 1, "list", "n", "100000");
	ask_mount(waiting, 1, "stuck", "/stuck");
	is_str(hear(half, ANSWER_MSEC), "END", "half a message is not waited for long");
	ok(strstr(log_text(), "half a message, and no more") != NULL, "the log says so");
	for (int i = 0; i < ANSWER_MSEC / 5 && !strstr(log_text(), "its peer does not read"); i++)
		usleep(5000);
	ok(strstr(log_text(), "its peer does not read") != NULL, "nor a peer that does not read");
	is_str(hear(waiting, ANSWER_MSEC), "progress 1", "who waits for an answer stays");
	is_str(hear(waiting, QUIET_MSEC), "", "in peace");
	kill(pid, SIGTERM);
	is_int(wait_exit(pid), 0, "what never ends does not keep the handler from stopping");
	ok(strstr(log_text(), "stopping although ") != NULL, "the log says so");
	client_free(half);
	client_free(deaf);
	client_free(waiting);
	touch("gate-stuck");
}

int main(void)
{
	struct kit_settings settings = { .n_at_once = 2 };
	char command[64];

	alarm(120);
	if (!mkdtemp(directory))
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/socket", directory);
	settings.socket = socket_path;
	handler_pid = start(&settings);
	test_answers();
	test_deadline();
	test_slow();
	test_lost_connection();
	test_watch();
	test_limits();
	test_connections();
	test_descriptors();
	test_slow_reader();
	test_misuse();
	test_half_close();
	test_socket();
	test_stop();
	test_inherited();
	test_standard_input();
	test_time_limits();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) | tap_done();
}
