/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-worker.c - pools of processes that answer, die, hang, talk nonsense, and come back.
 *
 * The processes are this program again; what they do is in serve().
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "exportsd/worker/worker.h"
#include "exportsd/workers.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

enum { PATIENCE_MSEC = 20000 };

static sd_event *event;

/* ---- the processes' side ---- */

static int serve_fd;

/* What a process was born with: descriptors besides 0, 1, 2 and its own; blocked signals. */
static void serve_state(struct proto_writer *answer)
{
	DIR *directory = opendir("/proc/self/fd");
	uint64_t n_strange = 0;
	struct sigaction action;
	struct dirent *entry;
	sigset_t blocked;

	while (directory && (entry = readdir(directory))) {
		int fd = atoi(entry->d_name);

		n_strange += entry->d_name[0] != '.' && fd > 2 && fd != serve_fd &&
			     fd != dirfd(directory);
	}
	closedir(directory);
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	sigaction(SIGUSR1, NULL, &action);
	proto_begin(answer, "ok");
	proto_put_u64(answer, "strange", n_strange);
	proto_put_u64(answer, "blocked", !!sigismember(&blocked, SIGCHLD));
	proto_put_u64(answer, "handled", action.sa_handler != SIG_DFL);
}

static void serve_big(struct proto_writer *answer)
{
	char text[1001];

	memset(text, 'x', 1000);
	text[1000] = '\0';
	proto_begin(answer, "ok");
	for (int i = 0; i < 200; i++)
		proto_put(answer, "text", text);
}

static void serve(const struct proto_message *question, struct proto_writer *answer)
{
	const char *text = proto_get(question, "text");
	const char *word = question->word;

	if (str_equal(word, "echo")) {
		proto_begin(answer, "ok");
		proto_put(answer, "text", text);
	} else if (str_equal(word, "sleep")) {
		usleep((useconds_t)atoi(text) * 1000);
		proto_begin(answer, "ok");
	} else if (str_equal(word, "pid")) {
		proto_begin(answer, "ok");
		proto_put_u64(answer, "pid", (uint64_t)getpid());
	} else if (str_equal(word, "state")) {
		serve_state(answer);
	} else if (str_equal(word, "big")) {
		serve_big(answer);
	} else if (str_equal(word, "fail")) {
		worker_fail(answer, -ENOSPC, "the disk is full");
	} else if (str_equal(word, "exit")) {
		_exit(7);
	} else if (str_equal(word, "hang")) {
		for (;;)
			pause();
	} else if (str_equal(word, "garbage")) {
		(void)send(serve_fd, "rubbish\n\n", 9, 0);
		pause();
	} else if (str_equal(word, "strange")) {
		proto_begin(answer, "ok");
		(void)worker_reply(serve_fd, 123456789, answer);
		pause();
	} else if (str_equal(word, "close")) {
		close(serve_fd);
		pause();
	} else {
		worker_fail(answer, -ENOSYS, NULL);
	}
}

/* ---- asking ---- */

/* What became of a question. */
struct result {
	unsigned int n_done;
	int error;
	char text[64];
	unsigned int order;
};

static unsigned int n_done;

static void on_done(void *userdata, int error, const struct proto_message *answer)
{
	struct result *result = userdata;
	const char *text = answer ? proto_get(answer, "text") : NULL;

	n_done++;
	if (!result)
		return;
	result->n_done++;
	result->error = error;
	result->order = n_done;
	snprintf(result->text, sizeof(result->text), "%s", text ? text : "");
}

static int ask(struct worker *worker, const char *word, const char *text, uint64_t timeout_msec,
	       struct result *result, struct pending **ret_question)
{
	struct proto_writer message = {};
	int r;

	proto_begin(&message, word);
	proto_put(&message, "text", text);
	r = worker_ask(worker, &message, timeout_msec * 1000, on_done, result, ret_question);
	proto_writer_done(&message);
	return r;
}

/* Ask, wait, and return the error. */
static int ask_now(struct worker *worker, const char *word, const char *text)
{
	struct result result = {};

	n_done = 0;
	if (ask(worker, word, text, 0, &result, NULL) < 0 || result.n_done ||
	    !loop_until(event, &result.n_done, 1, PATIENCE_MSEC))
		return 1;
	return result.error;
}

static struct worker *new_worker(enum worker_kind kind, unsigned int n)
{
	struct worker *worker = NULL;
	int r = worker_new(&worker, event, kind, n, NULL);

	ok(r == 0, "a pool of %u %s processes starts", n, worker_kind_word(kind));
	return worker;
}

/* ---- tests ---- */

static void test_answers(void)
{
	struct worker *worker = new_worker(WORKER_PATHS, 2);
	char text[PROTO_LINE_MAX];
	struct result result = {};

	is_int(ask(worker, "echo", "hello", 0, &result, NULL), 0, "a question");
	is_int(result.n_done, 0, "is not answered from within");
	ok(loop_until(event, &result.n_done, 1, PATIENCE_MSEC), "but soon");
	is_str(result.text, "hello", "by what it asked for");
	is_int(ask_now(worker, "fail", NULL), -ENOSPC, "the process's own error arrives");
	is_int(ask_now(worker, "what", NULL), -ENOSYS, "an unknown word is an error");
	is_int(ask_now(worker, "big", NULL), -E2BIG, "an answer that is too long is -E2BIG");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	is_int(ask(worker, "echo", text, 0, NULL, NULL), -E2BIG,
	       "a question that is too long is refused");
	is_int(ask_now(worker, "echo", "again"), 0, "the pool goes on");
	worker_free(worker);
}

/* Who has nothing to do has a question at once; the others' waits until somebody has answered. */
static void test_at_once(void)
{
	struct worker *worker = new_worker(WORKER_PATHS, 1);
	struct result first = {}, second = {};
	struct pending *question;

	ask(worker, "echo", "x", 0, &first, &question);
	ok(worker_has_begun(question), "a process that is free has a question at once");
	ask(worker, "echo", "x", 0, &second, &question);
	ok(!worker_has_begun(question), "one that is busy does not");
	is_int(sd_event_run(event, 0) == 0 || first.n_done, 1, "nor is a turn spent on it");
	ok(loop_until(event, &second.n_done, 1, PATIENCE_MSEC) && second.error == 0 &&
		   first.n_done == 1,
	   "both are answered");
	is_int(sd_event_run(event, 0), 0, "then there is nothing left to do");
	worker_free(worker);
}

static uint64_t number_seen;
static const char *number_key;

static void on_number(void *userdata, int error, const struct proto_message *answer)
{
	n_done++;
	if (error || proto_get_u64(answer, number_key, UINT64_MAX, &number_seen) < 0)
		number_seen = UINT64_MAX;
}

static uint64_t ask_number(struct worker *worker, const char *word, const char *key)
{
	struct proto_writer message = {};

	n_done = 0;
	number_key = key;
	proto_begin(&message, word);
	(void)worker_ask(worker, &message, 0, on_number, NULL, NULL);
	proto_writer_done(&message);
	(void)loop_until(event, &n_done, 1, PATIENCE_MSEC);
	return number_seen;
}

static void test_birth(void)
{
	int leak = dup(2); /* not CLOEXEC */
	sigset_t blocked, before;
	struct worker *worker;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	signal(SIGUSR1, SIG_IGN);
	worker = new_worker(WORKER_NAMES, 1);
	is_int((long long)ask_number(worker, "state", "strange"), 0,
	       "a process has no descriptor but its socket and the standard ones");
	is_int((long long)ask_number(worker, "state", "blocked"), 0, "no blocked signal");
	is_int((long long)ask_number(worker, "state", "handled"), 0, "and none ignored");
	worker_free(worker);
	signal(SIGUSR1, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(leak);
}

enum { N_ORDER = 3000 };

static void test_order(enum worker_kind kind, const char *word, size_t length)
{
	struct worker *worker = new_worker(kind, 1);
	struct result *results = calloc(N_ORDER, sizeof(*results));
	char *text = calloc(1, length + 16);
	unsigned int n = length > 100 ? 200 : N_ORDER, n_wrong = 0;

	n_done = 0;
	for (unsigned int i = 0; i < n; i++) {
		snprintf(text, 16, "%u", i);
		memset(text + strlen(text), ' ', length);
		text[length] = '\0';
		n_wrong += ask(worker, word, text, 0, &results[i], NULL) < 0;
	}
	ok(loop_until(event, &n_done, n, PATIENCE_MSEC), "%u questions of %zu bytes are answered",
	   n, length);
	for (unsigned int i = 0; i < n; i++)
		n_wrong += results[i].n_done != 1 || results[i].order != i + 1 ||
			   atoi(results[i].text) != (int)i;
	is_int(n_wrong, 0, "each once, in order, by its own answer");
	worker_free(worker);
	free(results);
	free(text);
}

static void test_death(void)
{
	struct worker *worker = new_worker(WORKER_PATHS, 2);
	struct result died = {}, lived[5] = {};
	uint64_t start, pid;

	n_done = 0;
	ask(worker, "exit", NULL, 0, &died, NULL);
	for (size_t i = 0; i < N_ELEMENTS(lived); i++)
		ask(worker, "echo", "x", 0, &lived[i], NULL);
	ok(loop_until(event, &n_done, 6, PATIENCE_MSEC), "a process dies over a question");
	is_int(died.error, -EPIPE, "which fails");
	for (size_t i = 0; i < N_ELEMENTS(lived); i++)
		is_int(lived[i].error, 0, "others do not notice");
	pid = ask_number(worker, "pid", "pid");
	kill((pid_t)pid, SIGKILL);
	loop_for(event, 100);
	is_int(ask_now(worker, "echo", "x"), 0, "one killed while idle is not missed");
	is_int(ask_now(worker, "garbage", NULL), -EPIPE, "one that talks nonsense is killed");
	is_int(ask_now(worker, "echo", "x"), 0, "and replaced");
	is_int(ask_now(worker, "strange", NULL), -EPIPE, "one that answers what nobody asked, too");
	is_int(ask_now(worker, "close", NULL), -EPIPE, "and one that closes its socket");
	is_int(ask_now(worker, "echo", "x"), 0, "the pool goes on");
	worker_free(worker);

	worker = new_worker(WORKER_PATHS, 1);
	start = loop_now_msec();
	for (int i = 0; i < 5; i++)
		ask_now(worker, "exit", NULL);
	/* 100 + 200 + 400 + 800 ms before the second to fifth. */
	ok(loop_now_msec() - start >= 1400, "one that dies at once is replaced ever more slowly");
	ok(loop_now_msec() - start < 5000, "but not too slowly");
	is_int(ask_now(worker, "echo", "x"), 0, "until it answers");
	start = loop_now_msec();
	ask_now(worker, "exit", NULL);
	ask_now(worker, "echo", "x");
	ok(loop_now_msec() - start < 1000, "then it is forgiven");
	worker_free(worker);
}

static void test_timeout(void)
{
	struct worker *worker = new_worker(WORKER_NAMES, 1);
	struct result hung = {}, waits = {}, other = {};
	uint64_t start = loop_now_msec(), took;

	ask(worker, "hang", NULL, 300, &hung, NULL);
	ask(worker, "echo", "x", 200, &waits, NULL);
	ask(worker, "echo", "x", 0, &other, NULL);
	ok(loop_until(event, &hung.n_done, 1, PATIENCE_MSEC), "a question that hangs ends");
	took = loop_now_msec() - start;
	is_int(hung.error, -ETIMEDOUT, "with -ETIMEDOUT");
	ok(took >= 300 && took < 1000, "in time: %u ms", (unsigned int)took);
	is_int(waits.error, -ETIMEDOUT, "one that waits behind it, too");
	ok(loop_until(event, &other.n_done, 1, PATIENCE_MSEC), "the next");
	took = loop_now_msec() - start;
	is_int(other.error, 0, "is answered by another process");
	ok(took < WORKER_STUCK_MSEC + 1500, "soon");
	is_int((long long)worker_n_processes(worker), 2, "while the first still hangs");
	while (worker_n_processes(worker) > 1 && loop_now_msec() - start < WORKER_HUNG_MSEC + 3000)
		loop_for(event, 100);
	took = loop_now_msec() - start;
	is_int((long long)worker_n_processes(worker), 1, "in the end it is killed");
	ok(took >= WORKER_HUNG_MSEC, "not before its time");
	is_int(hung.n_done + waits.n_done + other.n_done, 3, "everybody was told once");
	is_int(ask_now(worker, "echo", "x"), 0, "the pool goes on");
	worker_free(worker);
}

/* A slow one is no longer counted, but comes back; the one in its place goes. */
static void test_slow(void)
{
	struct worker *worker = new_worker(WORKER_PATHS, 1);
	struct result slow = {}, other = {};
	uint64_t start;

	ask(worker, "sleep", "2000", 0, &slow, NULL);
	ask(worker, "echo", "x", 0, &other, NULL);
	ok(loop_until(event, &other.n_done, 1, 1900) && !slow.n_done,
	   "a slow question holds up nobody for long");
	ok(loop_until(event, &slow.n_done, 1, PATIENCE_MSEC) && slow.error == 0, "and is answered");
	start = loop_now_msec();
	while (worker_n_processes(worker) > 1 && loop_now_msec() - start < 3000)
		loop_for(event, 50);
	is_int((long long)worker_n_processes(worker), 1, "the pool shrinks again");
	is_int(ask_now(worker, "echo", "x"), 0, "and goes on");
	worker_free(worker);
}

static void test_limits(void)
{
	struct worker *worker = new_worker(WORKER_PATHS, 16);
	int r = 0;

	for (int i = 0; i < 2 * WORKER_PROCESSES_MAX; i++)
		ask(worker, "hang", NULL, 0, NULL, NULL);
	loop_for(event, 2 * WORKER_STUCK_MSEC + 1500);
	is_int((long long)worker_n_processes(worker), WORKER_PROCESSES_MAX,
	       "a pool grows up to its limit");
	is_int((long long)worker_n_waiting(worker), WORKER_PROCESSES_MAX, "the rest waits");
	n_done = 0;
	worker_free(worker);
	is_int(n_done, 0, "a pool that is freed tells nobody");

	worker = new_worker(WORKER_PATHS, 1);
	/* One is asked already. */
	for (int i = 0; r == 0 && i < 1 + WORKER_WAITING_MAX; i++)
		r = ask(worker, "echo", "x", 0, NULL, NULL);
	is_int(r, 0, "65,536 questions wait");
	is_int(ask(worker, "echo", "x", 0, NULL, NULL), -EAGAIN, "one more is refused");
	ok(loop_until(event, &n_done, 1 + WORKER_WAITING_MAX, 60000), "they are all answered");
	is_int(ask_now(worker, "echo", "x"), 0, "then there is room again");
	worker_free(worker);
}

static void test_cancel(void)
{
	struct worker *worker = new_worker(WORKER_PATHS, 1);
	struct pending *flying, *waiting, *timed;
	struct result results[4] = {};

	ask(worker, "sleep", "300", 0, &results[0], &flying);
	ask(worker, "echo", "x", 0, &results[1], &waiting);
	ask(worker, "echo", "x", 100, &results[2], &timed);
	ask(worker, "echo", "x", 0, &results[3], NULL);
	loop_for(event, 50);
	pending_cancel(&flying);
	pending_cancel(&waiting);
	pending_cancel(&timed);
	ok(loop_until(event, &results[3].n_done, 1, PATIENCE_MSEC) && results[3].error == 0,
	   "what was not cancelled is answered");
	loop_for(event, 200);
	is_int(results[0].n_done + results[1].n_done + results[2].n_done, 0,
	       "what was cancelled is not");
	worker_free(worker);
}

/* The store's process gets many questions at once, and is never given up. */
static void test_store(void)
{
	struct worker *worker = new_worker(WORKER_STORE, 1);
	struct result slow = {}, died = {}, lived = {};

	ask(worker, "sleep", "1500", 0, &slow, NULL);
	ask(worker, "exit", NULL, 0, &died, NULL);
	ask(worker, "echo", "x", 0, &lived, NULL);
	loop_for(event, 1200);
	is_int((long long)worker_n_waiting(worker), 0, "the store's process has all questions");
	is_int((long long)worker_n_processes(worker), 1, "a slow store is not doubled");
	ok(loop_until(event, &lived.n_done, 1, PATIENCE_MSEC) && slow.error == 0, "it answers");
	is_int(died.error, -EPIPE, "what it had when it died fails");
	is_int(lived.error, -EPIPE, "all of it");
	is_int(ask_now(worker, "echo", "x"), 0, "and it is replaced");
	worker_free(worker);
}

static void test_numbers(void)
{
	struct proto_writer writer = {};
	struct proto_message message;
	uint32_t numbers[2500], *read_back;
	const char *why;
	size_t n_used, n, n_wrong = 0;

	for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
		numbers[i] = i % 2 ? UINT32_MAX - (uint32_t)i : (uint32_t)i;
	proto_begin(&writer, "ok");
	worker_put_numbers(&writer, "n", numbers, N_ELEMENTS(numbers));
	proto_put(&writer, "bad", "1,,2");
	proto_put(&writer, "over", "4294967296");
	is_int(proto_end(&writer), 0, "2,500 numbers go into a message");
	is_int(proto_parse(writer.bytes, writer.n_bytes, &message, &n_used, &why), 0,
	       "which can be read");
	is_int(worker_get_numbers(&message, "n", &read_back, &n), 0, "as numbers");
	is_int((long long)n, N_ELEMENTS(numbers), "all of them");
	for (size_t i = 0; i < n; i++)
		n_wrong += read_back[i] != numbers[i];
	is_int((long long)n_wrong, 0, "the same ones");
	free(read_back);
	is_int(worker_get_numbers(&message, "none", &read_back, &n), 0, "no field");
	ok(n == 0 && !read_back, "is no number");
	is_int(worker_get_numbers(&message, "bad", &read_back, &n), -EINVAL,
	       "an empty element is an error");
	is_int(worker_get_numbers(&message, "over", &read_back, &n), -EINVAL, "so is 2^32");
	proto_message_done(&message);
	proto_writer_done(&writer);
}

static void test_strays(void)
{
	pid_t left = waitpid(-1, NULL, WNOHANG);

	is_int(worker_main("nonsense", -1, NULL), EXIT_FAILURE, "an unknown kind ends at once");
	ok(worker_free(NULL) == NULL, "freeing nothing is fine");
	ok(left < 0 && errno == ECHILD, "no process is left behind, none unreaped (%d)", left);
}

int main(int argc, char **argv)
{
	if (argc > 3 && str_equal(argv[1], "--worker")) {
		serve_fd = atoi(argv[3]);
		return worker_serve(serve_fd, serve) < 0;
	}
	/* Strays are its own children, not what a sanitizer began in a process that was killed. */
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	if (sd_event_default(&event) < 0)
		return 1;
	test_answers();
	test_at_once();
	test_birth();
	test_order(WORKER_PATHS, "echo", 10);
	test_order(WORKER_STORE, "echo", 10);
	test_order(WORKER_STORE, "echo", 15000);
	test_death();
	test_timeout();
	test_slow();
	test_limits();
	test_cancel();
	test_store();
	test_numbers();
	test_strays();
	sd_event_unref(event);
	return tap_done();
}
