/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * worker.c - pools of processes that can block.
 *
 * Each process has a socket pair of its own; the daemon sends a question to a process that is
 * free, so it is always known which process has which question. What no process has yet waits in
 * one list per pool, in order.
 *
 * A question is in exactly one place: the pool's waiting list, or one process's list. Once a
 * process has it, it stays there until that process answers or dies; when its asker cancels it or
 * is told -ETIMEDOUT, only its done() is taken away ("abandoned").
 *
 * A process's death is heard from its pidfd alone, after its socket was read empty, so no answer
 * that it gave is lost.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <utlist.h>

#include "exportsd/base/log.h"
#include "exportsd/base/spawn.h"
#include "exportsd/worker/worker.h"

enum {
	PROCESS_FD = 3, /* where a process finds its socket */
	STORE_QUESTIONS_MAX = 1024, /* what the store's process is sent before it answered */
	ANSWERS_PER_TURN = 64, /* read from one process before others get their turn */
	SOCKET_BYTES = 4 * PROTO_MESSAGE_MAX,
	TICK_USEC = 250 * 1000, /* how often a busy pool is looked at */
	BACKOFF_FIRST_USEC = 100 * 1000,
	BACKOFF_MAX_USEC = 10 * 1000 * 1000,
	FAREWELL_USEC = 2 * 1000 * 1000, /* how long worker_free() waits for processes to go */
	NUMBERS_PER_FIELD = 1000, /* eleven bytes each: well within PROTO_LINE_MAX */
};

struct process {
	struct worker *worker;
	struct process *prev, *next;
	pid_t pid;
	int pidfd;
	int fd; /* -1: nothing more to ask or hear */
	sd_event_source *socket_source;
	sd_event_source *death_source;
	struct worker_question *questions; /* asked, not answered; in order */
	size_t n_questions;
	uint64_t asked_usec; /* when the last one was sent */
	bool stuck; /* does not count until it answers */
	bool full; /* its socket takes no more for now */
	bool dismissed; /* its end is our doing, and nothing to tell of */
};

struct worker {
	sd_event *event;
	enum worker_kind kind;
	unsigned int n_wanted;
	char *argument;
	struct process *processes;
	struct worker_question *waiting;
	size_t n_waiting;
	struct later pump;
	struct later tick;
	uint64_t last_id;
	uint64_t backoff_usec; /* 0: the last process did something useful */
	uint64_t not_before_usec;
	char *buffer;
};

struct worker_question {
	struct pending pending;
	struct worker *worker;
	struct worker_question *prev, *next;
	struct process *process; /* NULL: waiting */
	uint64_t id;
	char *bytes; /* NULL once sent */
	size_t n_bytes;
	struct later timeout;
	worker_done_fn done; /* NULL: abandoned */
	void *userdata;
};

static const char *const kind_words[] = {
	[WORKER_NAMES] = "names",     [WORKER_PATHS] = "paths", [WORKER_STORE] = "store",
	[WORKER_DEVICES] = "devices", [WORKER_RMTAB] = "rmtab", [WORKER_RPCBIND] = "rpcbind",
	[WORKER_CLIENTS] = "clients",
};

static void cancel_question(struct pending *pending);
static size_t n_counting(const struct worker *worker);
static struct process *idle_process(struct worker *worker);
static int hand_over(struct worker_question *question, struct process *process);
static void keep_watch(struct worker *worker);
static void on_pump(void *userdata);
static void on_tick(void *userdata);
static void pump(struct worker *worker);

const char *worker_kind_word(enum worker_kind kind)
{
	return kind_words[kind];
}

/* ---- questions ---- */

static void question_free(struct worker_question *question)
{
	later_cancel(&question->timeout);
	free(question->bytes);
	free(question);
}

/* Take it from wherever it is. */
static void detach(struct worker_question *question)
{
	if (question->process) {
		DL_DELETE(question->process->questions, question);
		question->process->n_questions--;
		question->process = NULL;
	} else {
		DL_DELETE(question->worker->waiting, question);
		question->worker->n_waiting--;
	}
}

/* The end of a detached question. */
static void finish(struct worker_question *question, int error, const struct proto_message *answer)
{
	worker_done_fn done = question->done;
	void *userdata = question->userdata;

	question_free(question);
	if (done)
		done(userdata, error, answer);
}

static void on_timeout(void *userdata)
{
	struct worker_question *question = userdata;
	worker_done_fn done = question->done;
	void *asker = question->userdata;

	cancel_question(&question->pending);
	done(asker, -ETIMEDOUT, NULL);
}

static void cancel_question(struct pending *pending)
{
	struct worker_question *question = (struct worker_question *)pending;

	question->done = NULL;
	later_cancel(&question->timeout);
	if (question->process)
		return;
	detach(question);
	question_free(question);
}

static struct worker_question *question_new(struct worker *worker,
					    const struct proto_writer *message, worker_done_fn done,
					    void *userdata)
{
	struct worker_question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	*question = (struct worker_question){
		.pending = { cancel_question },
		.worker = worker,
		.id = worker->last_id + 1,
		.bytes = malloc(message->n_bytes),
		.n_bytes = message->n_bytes,
		.done = done,
		.userdata = userdata,
	};
	if (!question->bytes) {
		question_free(question);
		return NULL;
	}
	memcpy(question->bytes, message->bytes, message->n_bytes);
	return question;
}

/*
 * Have a process take it: now, or as soon as one is free, or in the next turn. That is for
 * questions to the store, which go out together, and for whatever needs a new process or cannot be
 * sent: nothing fails from within worker_ask().
 */
static void send_soon(struct worker *worker, struct worker_question *question)
{
	struct process *process = worker->n_waiting == 1 ? idle_process(worker) : NULL;

	if (worker->kind == WORKER_STORE || (process && hand_over(question, process) < 0) ||
	    (!process && n_counting(worker) < worker->n_wanted))
		later_call(&worker->pump, worker->event, on_pump, worker);
	else
		keep_watch(worker);
}

int worker_ask(struct worker *worker, struct proto_writer *message, uint64_t timeout_usec,
	       worker_done_fn done, void *userdata, struct pending **ret_question)
{
	struct worker_question *question;
	int r;

	proto_put_u64(message, "id", worker->last_id + 1);
	r = proto_end(message);
	if (r < 0)
		return r;
	if (worker->n_waiting >= WORKER_WAITING_MAX)
		return -EAGAIN;
	question = question_new(worker, message, done, userdata);
	if (!question)
		return -ENOMEM;
	DL_APPEND(worker->waiting, question);
	worker->n_waiting++;
	if (timeout_usec)
		r = later_call_in(&question->timeout, worker->event, timeout_usec, on_timeout,
				  question);
	if (r < 0) {
		detach(question);
		question_free(question);
		return r;
	}
	send_soon(worker, question);
	worker->last_id++;
	if (ret_question)
		*ret_question = &question->pending;
	return 0;
}

/* ---- processes: the end of one ---- */

static void process_free(struct process *process)
{
	sd_event_source_disable_unref(process->socket_source);
	sd_event_source_disable_unref(process->death_source);
	if (process->fd >= 0)
		close(process->fd);
	if (process->pidfd >= 0)
		close(process->pidfd);
	free(process);
}

/* A process whose socket is closed ends by itself once it has answered what it read. */
static void close_socket(struct process *process)
{
	process->socket_source = sd_event_source_disable_unref(process->socket_source);
	if (process->fd >= 0)
		close(process->fd);
	process->fd = -1;
}

static void kill_process(struct process *process)
{
	process->dismissed = true;
	close_socket(process);
	(void)pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
}

/* Each that dies without having answered anything makes the next one wait longer. */
static void wait_longer(struct worker *worker)
{
	worker->backoff_usec = worker->backoff_usec ? worker->backoff_usec * 2 : BACKOFF_FIRST_USEC;
	if (worker->backoff_usec > BACKOFF_MAX_USEC)
		worker->backoff_usec = BACKOFF_MAX_USEC;
	worker->not_before_usec = later_now_usec() + worker->backoff_usec;
}

/* The end of its socket: it is about to end by itself, or must be. */
static void ended(struct process *process)
{
	if (!process->dismissed)
		wait_longer(process->worker);
	close_socket(process);
	(void)pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
}

static void answered(struct process *process, const struct proto_message *message)
{
	struct worker_question *question;
	uint64_t id = 0, number = 0;

	(void)proto_get_u64(message, "id", UINT64_MAX, &id);
	DL_FOREACH (process->questions, question)
		if (question->id == id)
			break;
	if (!question) {
		log_warning(NULL, "A %s process answered what it was not asked, killing it",
			    kind_words[process->worker->kind]);
		kill_process(process);
		return;
	}
	process->worker->backoff_usec = 0;
	process->stuck = process->full = false;
	detach(question);
	if (str_equal(message->word, "ok")) {
		finish(question, 0, message);
	} else {
		if (proto_get_u64(message, "number", 4095, &number) < 0 || number == 0)
			number = EIO;
		finish(question, -(int)number, message);
	}
}

/* Returns whether there may be more to read. */
static bool read_answer(struct process *process)
{
	struct worker *worker = process->worker;
	struct proto_message message;
	const char *why;
	size_t n_used;
	ssize_t n;
	int r;

	if (process->fd < 0)
		return false;
	n = recv(process->fd, worker->buffer, PROTO_MESSAGE_MAX, MSG_DONTWAIT | MSG_TRUNC);
	/* It died with something unread: said once, before the answers it had given (unix(7)). */
	if (n < 0 && (errno == EINTR || errno == ECONNRESET))
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		ended(process);
		return false;
	}
	r = n > PROTO_MESSAGE_MAX ? -EBADMSG
				  : proto_parse(worker->buffer, (size_t)n, &message, &n_used, &why);
	if (r != 0) {
		log_warning(NULL, "A %s process's answer cannot be read (%s), killing it",
			    kind_words[worker->kind],
			    r == -ENOMEM ? "out of memory" : "not a message");
		kill_process(process);
		return false;
	}
	answered(process, &message);
	proto_message_done(&message);
	return true;
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct process *process = userdata;
	struct worker *worker = process->worker;

	if (events & EPOLLOUT) {
		process->full = false;
		(void)sd_event_source_set_io_events(source, EPOLLIN);
	}
	if (events & ~EPOLLOUT)
		for (int i = 0; i < ANSWERS_PER_TURN && read_answer(process); i++)
			if (!process->questions)
				break; /* there is nothing more to come */
	pump(worker);
	return 0;
}

/*
 * Reap it by its pidfd, so never another process of the same number. Returns false if that cannot
 * be yet: a pidfd may poll as readable a moment before there is something to wait for.
 */
static bool reap(const struct process *process, siginfo_t *ret_info)
{
	siginfo_t info = {};

	if (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG) == 0 && !info.si_pid)
		return false;
	*ret_info = info;
	return true;
}

static void say_how_it_ended(const struct process *process, const siginfo_t *info)
{
	const char *kind = kind_words[process->worker->kind];

	if (process->dismissed)
		return;
	if (info->si_code == CLD_EXITED)
		log_warning(NULL, "A %s process ended with status %d, replacing it when needed",
			    kind, info->si_status);
	else
		log_warning(NULL,
			    "A %s process was killed by signal %d (%s), replacing it when needed",
			    kind, info->si_status, strsignal(info->si_status));
}

static int on_death(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct process *process = userdata;
	struct worker *worker = process->worker;
	struct worker_question *question;
	siginfo_t info;

	if (!reap(process, &info))
		return 0; /* called again */
	/* To the end of the socket, so that no answer is lost. */
	while (read_answer(process))
		;
	say_how_it_ended(process, &info);
	DL_DELETE(worker->processes, process);
	close_socket(process);
	while ((question = process->questions)) {
		detach(question);
		finish(question, -EPIPE, NULL);
	}
	process_free(process);
	pump(worker);
	return 0;
}

/* ---- processes: the start of one ---- */

static int socket_pair(int ret_fds[2])
{
	int bytes = SOCKET_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0)
		return -errno;
	/* A message must fit into the sender's buffer: unix_dgram_sendmsg(). */
	for (int i = 0; i < 2; i++)
		if (setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
			(void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

int worker_spawn(enum worker_kind kind, int fd, const char *argument, pid_t *ret_pid)
{
	char name[32], fd_text[16];
	char *argv[] = { name,	  (char *)"--worker", (char *)kind_words[kind],
			 fd_text, (char *)argument,   NULL };
	posix_spawn_file_actions_t files;
	int r;

	snprintf(name, sizeof(name), "exportsd-%s", kind_words[kind]);
	snprintf(fd_text, sizeof(fd_text), "%d", fd < 0 ? -1 : PROCESS_FD);
	r = -posix_spawn_file_actions_init(&files);
	if (r < 0)
		return r;
	/* glibc's dup2 action clears FD_CLOEXEC also where both numbers are the same. */
	if (!(r = fd < 0 ? 0 : -posix_spawn_file_actions_adddup2(&files, fd, PROCESS_FD)) &&
	    !(r = -posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)) &&
	    !(r = -posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0)) &&
	    !(r = -posix_spawn_file_actions_addclosefrom_np(&files, PROCESS_FD + (fd >= 0))))
		r = spawn_program("/proc/self/exe", argv, &files, ret_pid);
	posix_spawn_file_actions_destroy(&files);
	return r;
}

/* Hear of its answers and of its end. */
static int watch(struct process *process)
{
	sd_event *event = process->worker->event;
	int r;

	process->pidfd = pidfd_open(process->pid, 0);
	if (process->pidfd < 0)
		return -errno;
	r = sd_event_add_io(event, &process->socket_source, process->fd, EPOLLIN, on_socket,
			    process);
	if (r < 0)
		return r;
	return sd_event_add_io(event, &process->death_source, process->pidfd, EPOLLIN, on_death,
			       process);
}

static int start_process(struct worker *worker)
{
	CLEANUP(closep) int theirs = -1;
	struct process *process;
	int fds[2], r;

	process = calloc(1, sizeof(*process));
	if (!process)
		return -ENOMEM;
	process->worker = worker;
	process->fd = process->pidfd = -1;
	r = socket_pair(fds);
	if (r >= 0) {
		process->fd = fds[0];
		theirs = fds[1];
		r = worker_spawn(worker->kind, theirs, worker->argument, &process->pid);
	}
	if (r < 0) {
		process_free(process);
		return r;
	}
	r = watch(process);
	if (r < 0) {
		(void)kill(process->pid, SIGKILL);
		(void)waitpid(process->pid, NULL, 0);
		process_free(process);
		return r;
	}
	DL_APPEND(worker->processes, process);
	return 0;
}

/* ---- from the waiting list to processes ---- */

static size_t room(const struct process *process)
{
	size_t max = process->worker->kind == WORKER_STORE ? STORE_QUESTIONS_MAX : 1;

	return process->fd < 0 || process->full || process->n_questions >= max
		       ? 0
		       : max - process->n_questions;
}

static size_t n_counting(const struct worker *worker)
{
	const struct process *process;
	size_t n = 0;

	DL_FOREACH (worker->processes, process)
		n += process->fd >= 0 && !process->stuck;
	return n;
}

/* One that takes a question now. */
static struct process *idle_process(struct worker *worker)
{
	struct process *process;

	DL_FOREACH (worker->processes, process)
		if (room(process))
			return process;
	return NULL;
}

/* A process that takes a question, a new one if need be; NULL: none now. */
static struct process *free_process(struct worker *worker)
{
	struct process *process = idle_process(worker);
	int r;

	if (process)
		return process;
	if (n_counting(worker) >= worker->n_wanted ||
	    worker_n_processes(worker) >= WORKER_PROCESSES_MAX ||
	    later_now_usec() < worker->not_before_usec)
		return NULL;
	r = start_process(worker);
	if (r < 0) {
		errno = -r;
		log_error(NULL, "Cannot start a %s process, trying again: %m",
			  kind_words[worker->kind]);
		wait_longer(worker);
		return NULL;
	}
	return worker->processes->prev; /* the last one: utlist's head points there */
}

/* Send a waiting question. Returns 0; what send(2) says, negative, and it still waits. */
static int hand_over(struct worker_question *question, struct process *process)
{
	ssize_t n =
		send(process->fd, question->bytes, question->n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	detach(question);
	free(TAKE_PTR(question->bytes));
	question->process = process;
	DL_APPEND(process->questions, question);
	process->n_questions++;
	process->asked_usec = later_now_usec();
	return 0;
}

/* Give the first waiting question to a process. */
static void send_question(struct worker *worker, struct process *process)
{
	struct worker_question *question = worker->waiting;
	int r = hand_over(question, process);

	if (r == -EPIPE || r == -ECONNRESET) {
		/* It is dead, and its pidfd will say so; it never had this question. */
		process->full = true;
	} else if (r == -EAGAIN && process->questions) {
		process->full = true;
		(void)sd_event_source_set_io_events(process->socket_source, EPOLLIN | EPOLLOUT);
	} else if (r < 0 && r != -EINTR) {
		detach(question);
		finish(question, r == -EMSGSIZE ? -E2BIG : r, NULL);
	}
}

/* Let idle processes go while there are more than @n_kept. */
static void shrink(struct worker *worker, size_t n_kept)
{
	struct process *process;
	size_t n = n_counting(worker);

	DL_FOREACH (worker->processes, process)
		if (n > n_kept && process->fd >= 0 && !process->questions) {
			process->dismissed = true;
			close_socket(process);
			n--;
		}
}

/* While anything is to be answered, look now and then whether it hangs. */
static void keep_watch(struct worker *worker)
{
	struct process *process;
	bool busy = worker->waiting;

	if (worker->kind != WORKER_STORE)
		DL_FOREACH (worker->processes, process)
			busy |= process->n_questions > 0;
	/* Once begun it ends by itself: nothing is set anew for each question. */
	if (busy && !later_is_pending(&worker->tick))
		(void)later_call_in(&worker->tick, worker->event, TICK_USEC, on_tick, worker);
}

static void pump(struct worker *worker)
{
	struct process *process;

	while (worker->waiting && (process = free_process(worker)))
		send_question(worker, process);
	shrink(worker, worker->n_wanted); /* one that was stuck may have come back */
	keep_watch(worker);
}

bool worker_has_begun(const struct pending *pending)
{
	const struct worker_question *question = (const struct worker_question *)pending;

	return question->process;
}

void worker_rest(struct worker *worker)
{
	if (worker && !worker->waiting)
		shrink(worker, 1);
}

static void on_pump(void *userdata)
{
	pump(userdata);
}

static void on_tick(void *userdata)
{
	struct worker *worker = userdata;
	uint64_t now = later_now_usec();
	struct process *process;

	/*
	 * The store is never given up: a second process could not open the file, and nothing is
	 * gained.
	 */
	if (worker->kind != WORKER_STORE)
		DL_FOREACH (worker->processes, process) {
			uint64_t age_msec = (now - process->asked_usec) / 1000;

			if (!process->questions || process->fd < 0)
				continue;
			if (age_msec >= WORKER_STUCK_MSEC)
				process->stuck = true;
			if (age_msec < WORKER_HUNG_MSEC || process->questions->done)
				continue;
			log_warning(NULL, "A %s process hangs for %d s, killing it",
				    kind_words[worker->kind], WORKER_HUNG_MSEC / 1000);
			kill_process(process);
		}
	pump(worker);
}

/* ---- the pool ---- */

int worker_new(struct worker **ret_worker, sd_event *event, enum worker_kind kind,
	       unsigned int n_processes, const char *argument)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (!worker)
		return -ENOMEM;
	worker->event = sd_event_ref(event);
	worker->kind = kind;
	worker->n_wanted = n_processes;
	worker->buffer = malloc(PROTO_MESSAGE_MAX);
	worker->argument = argument ? strdup(argument) : NULL;
	r = worker->buffer && (worker->argument || !argument) ? 0 : -ENOMEM;
	if (r >= 0)
		r = start_process(worker);
	if (r < 0) {
		worker_free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

/* One that is beyond SIGKILL (a dead disk) is left behind; init reaps it. */
static void wait_for_end(struct worker *worker)
{
	uint64_t deadline = later_now_usec() + FAREWELL_USEC;
	struct process *process;
	siginfo_t info;

	DL_FOREACH (worker->processes, process) {
		struct pollfd end = { .fd = process->pidfd, .events = POLLIN };
		uint64_t now = later_now_usec();

		(void)poll(&end, 1, now < deadline ? (int)((deadline - now) / 1000) : 0);
		while (!reap(process, &info) && later_now_usec() < deadline)
			(void)usleep(1000);
	}
}

struct worker *worker_free(struct worker *worker)
{
	struct process *process, *next_process;
	struct worker_question *question, *next;

	if (!worker)
		return NULL;
	DL_FOREACH (worker->processes, process) {
		if (worker->kind == WORKER_STORE)
			close_socket(process);
		else
			kill_process(process);
	}
	wait_for_end(worker);
	DL_FOREACH_SAFE (worker->processes, process, next_process) {
		DL_FOREACH_SAFE (process->questions, question, next)
			question_free(question);
		process_free(process);
	}
	DL_FOREACH_SAFE (worker->waiting, question, next)
		question_free(question);
	later_cancel(&worker->pump);
	later_cancel(&worker->tick);
	sd_event_unref(worker->event);
	free(worker->argument);
	free(worker->buffer);
	free(worker);
	return NULL;
}

size_t worker_n_waiting(const struct worker *worker)
{
	return worker->n_waiting;
}

size_t worker_n_processes(const struct worker *worker)
{
	const struct process *process;
	size_t n = 0;

	DL_FOREACH (worker->processes, process)
		n++;
	return n;
}
