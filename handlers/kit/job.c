/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.c - requests in child processes: starting them, passing their results on, noticing their end.
 *
 * A child's result is trusted no more than a peer's: one that writes nonsense or dies without an
 * outcome costs its own request.
 *
 * Who asks may say how long it waits (deadline-ms), counted anew from each sign of life. Then it is
 * told "busy": a request that was not started is dropped, one that changes nothing ends, and one
 * that mounts or unmounts goes on.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "handlers/kit/private.h"
#include "handlers/kit/request.h"
#include "parser/text.h"

/* Nobody waits for it any more. */
static void job_leave_connection(struct kit_job *job)
{
	if (job->connection)
		job->connection->n_jobs--;
	job->connection = NULL;
	job->deadline = sd_event_source_disable_unref(job->deadline);
}

void kit_job_free(struct kit_job *job)
{
	struct kit *kit = job->kit;

	job_leave_connection(job);
	DL_DELETE(kit->jobs, job);
	if (job->verb->watches)
		kit->n_watches--;
	else if (job->pid)
		kit->n_running--;
	else
		kit->n_waiting--;
	sd_event_source_disable_unref(job->io);
	sd_event_source_disable_unref(job->child);
	closep(&job->fd);
	proto_message_done(&job->message);
	free(job->bytes);
	free(job->input);
	free(job);
}

/* Send a job's message on to who asked, with the id. An outcome ends the job's tie to it. */
static void job_deliver(struct kit_job *job, const struct proto_message *message)
{
	struct kit_connection *connection = job->connection;
	const struct kit *kit = job->kit;
	bool outcome = proto_outcome(message->word) >= 0;

	if (kit->operations->listed && str_equal(message->word, "medium"))
		kit->operations->listed(kit->userdata, message);
	if (!connection)
		return;
	if (job->deadline)
		(void)sd_event_source_set_time_relative(job->deadline,
							job->deadline_msec * USEC_PER_MSEC);
	proto_begin(&connection->output, message->word);
	proto_put_u64(&connection->output, "id", job->id);
	for (size_t i = 0; i < message->n_fields; i++)
		proto_put(&connection->output, message->fields[i].key, message->fields[i].value);
	if (kit->operations->removable && proto_outcome(message->word) == PROTO_OK)
		proto_put_u64(&connection->output, "removable", 1);
	if (proto_end(&connection->output) < 0 && outcome)
		kit_connection_answer(connection, job->id, PROTO_ERROR, E2BIG,
				      "the answer is too long");
	if (outcome)
		job_leave_connection(job);
}

/* An outcome for an operation that gave none. */
static void job_fail(struct kit_job *job, enum proto_outcome outcome, int error, const char *why)
{
	if (!job->connection)
		return;
	kit_connection_answer(job->connection, job->id, outcome, error, why);
	job_leave_connection(job);
}

static int on_job_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct kit_job *job = userdata;

	if (!job->pid) {
		job_fail(job, PROTO_BUSY, 0, "others were at work until its deadline");
		kit_job_free(job);
		return 0;
	}
	job_fail(job, PROTO_BUSY, 0, "it is not done before its deadline");
	if (!job->verb->changes)
		kill(job->pid, SIGKILL);
	return 0;
}

static int job_set_deadline(struct kit_job *job)
{
	enum { LONGEST_MSEC = 86400 * 1000 };
	int r = proto_get_u64(&job->message, "deadline-ms", LONGEST_MSEC, &job->deadline_msec);

	if (r < 0 || job->deadline_msec == 0 || job->verb->watches)
		return 0; /* what cannot be read is not what it was asked for */
	return kit_call_in(job->kit, &job->deadline, job->deadline_msec * USEC_PER_MSEC,
			   on_job_deadline, job);
}

static void job_parse(struct kit_job *job)
{
	struct proto_message message;
	const char *why;
	size_t used;
	int r;

	while ((r = proto_parse(job->input, job->n_input, &message, &used, &why)) == 0) {
		job_deliver(job, &message);
		proto_message_done(&message);
		job->n_input -= used;
		memmove(job->input, job->input + used, job->n_input);
	}
	if (r < 0) {
		job_fail(job, PROTO_ERROR, -r, "the handler's process wrote nonsense");
		job->n_input = 0;
	}
}

/* Returns false when there is nothing more for now, or ever. */
static bool job_read(struct kit_job *job)
{
	ssize_t n = recv(job->fd, job->input + job->n_input, PROTO_MESSAGE_MAX - job->n_input,
			 MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR;
	if (n == 0) {
		job->io = sd_event_source_disable_unref(job->io);
		return false;
	}
	job->n_input += (size_t)n;
	job_parse(job);
	return true;
}

static int on_job_result(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	job_read(userdata);
	return 0;
}

static int on_job_exit(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct kit_job *job = userdata;
	CLEANUP(freep) char *why = NULL;

	while (job_read(job))
		; /* what it wrote before it ended */
	if (job->connection) {
		why = text_format("the handler's process for %s ended with %s %d", job->verb->name,
				  info->si_code == CLD_EXITED ? "exit code" : "signal",
				  info->si_status);
		kit_log(LOG_ERR, "%s", why ? why : "a process died");
		job_fail(job, PROTO_ERROR, EIO, why);
	}
	kit_job_free(job);
	return 0;
}

/* In the child: only the standard descriptors and the one to the kit stay open. */
static void child_run(const struct kit_job *job, int fd)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGTERM, job->verb->changes ? SIG_IGN : SIG_DFL); /* the kit waits for these */
	signal(SIGINT, job->verb->changes ? SIG_IGN : SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!job->verb->changes)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, 3) < 0)
		_exit(1);
	close_range(4, ~0U, 0);
	kit_request_run(operation_of(job->kit, job->verb), job->kit->userdata, &job->message, 3);
	_exit(0);
}

static int job_spawn(struct kit_job *job)
{
	CLEANUP(closep) int theirs = -1;
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	job->fd = fds[0];
	theirs = fds[1];
	r = sd_event_add_io(job->kit->event, &job->io, job->fd, EPOLLIN, on_job_result, job);
	if (r < 0)
		return r;
	job->pid = fork();
	if (job->pid == 0)
		child_run(job, theirs);
	if (job->pid < 0) {
		job->pid = 0;
		return -errno;
	}
	r = sd_event_add_child(job->kit->event, &job->child, job->pid, WEXITED, on_job_exit, job);
	if (r < 0) { /* nobody would notice its end */
		kill(job->pid, SIGKILL);
		waitpid(job->pid, NULL, 0);
		job->pid = 0;
	}
	return r;
}

static bool path_is_busy(const struct kit_job *job)
{
	const char *path = proto_get(&job->message, "path");
	const struct kit_job *other;

	if (!job->verb->changes)
		return false;
	DL_FOREACH (job->kit->jobs, other)
		if (other->pid && other->verb->changes &&
		    str_equal(proto_get(&other->message, "path"), path))
			return true;
	return false;
}

static void job_start(struct kit_job *job)
{
	int r = job_spawn(job);

	if (r < 0) {
		kit_log(LOG_WARNING, "cannot start a process for %s: %s", job->verb->name,
			strerror(-r));
		job_fail(job, PROTO_BUSY, 0, "no process can be started");
		kit_job_free(job);
		return;
	}
	if (!job->verb->watches) {
		job->kit->n_waiting--;
		job->kit->n_running++;
	}
}

void kit_jobs_start(struct kit *kit)
{
	struct kit_job *job, *next;

	DL_FOREACH_SAFE (kit->jobs, job, next) {
		bool has_room = job->verb->watches || kit->n_running < kit->settings.n_at_once;

		if (!job->pid && has_room && !path_is_busy(job))
			job_start(job);
	}
}

/* Copy a parsed message whose strings lie in @bytes. */
static int copy_message(const struct proto_message *message, const char *bytes, size_t n_bytes,
			char **ret_bytes, struct proto_message *ret_message)
{
	struct proto_field *fields = calloc(message->n_fields + 1, sizeof(*fields));
	char *copy = malloc(n_bytes);

	if (!fields || !copy) {
		free(fields);
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, bytes, n_bytes);
	for (size_t i = 0; i < message->n_fields; i++) {
		fields[i].key = copy + (message->fields[i].key - bytes);
		fields[i].value = copy + (message->fields[i].value - bytes);
	}
	*ret_bytes = copy;
	*ret_message = (struct proto_message){
		.word = copy + (message->word - bytes),
		.fields = fields,
		.n_fields = message->n_fields,
	};
	return 0;
}

int kit_job_new(struct kit_connection *connection, uint64_t id, const struct kit_verb *verb,
		const struct proto_message *message, const char *bytes, size_t n_bytes)
{
	struct kit *kit = connection->kit;
	struct kit_job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->input = malloc(PROTO_MESSAGE_MAX);
	if (!job->input || copy_message(message, bytes, n_bytes, &job->bytes, &job->message) < 0) {
		free(job->input);
		free(job);
		return -ENOMEM;
	}
	job->kit = kit;
	job->connection = connection;
	job->id = id;
	job->verb = verb;
	job->fd = -1;
	connection->n_jobs++;
	if (verb->watches)
		kit->n_watches++;
	else
		kit->n_waiting++;
	DL_APPEND(kit->jobs, job);
	if (job_set_deadline(job) < 0) {
		kit_job_free(job);
		return -ENOMEM;
	}
	return 0;
}

void kit_jobs_pause(const struct kit_connection *connection, bool is_paused)
{
	struct kit_job *job;

	DL_FOREACH (connection->kit->jobs, job)
		if (job->connection == connection && job->io)
			sd_event_source_set_enabled(job->io,
						    is_paused ? SD_EVENT_OFF : SD_EVENT_ON);
}

void kit_jobs_leave(struct kit_connection *connection)
{
	struct kit *kit = connection->kit;
	struct kit_job *job, *next;

	kit_jobs_pause(connection, false);
	DL_FOREACH_SAFE (kit->jobs, job, next) {
		if (job->connection != connection)
			continue;
		job_leave_connection(job);
		if (!job->pid)
			kit_job_free(job);
		else if (job->verb->watches)
			kill(job->pid, SIGKILL);
	}
}

void kit_jobs_shed(struct kit *kit)
{
	struct kit_job *job, *next;

	DL_FOREACH_SAFE (kit->jobs, job, next) {
		if (job->verb->watches)
			job_leave_connection(job);
		if (job->verb->watches && job->pid) {
			kill(job->pid, SIGKILL);
		} else if (!job->pid) {
			job_fail(job, PROTO_BUSY, 0, "the handler is stopping");
			kit_job_free(job);
		}
	}
}
