/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * proc.c - the transport of net/sunrpc/cache.c's files:
 *
 *	<proc>/net/rpc/<cache>/channel	questions out, answers in, one a read(2) or write(2)
 *	<proc>/net/rpc/<cache>/flush	"forget everything"
 *	<proc>/net/rpc/<cache>/content	what it was told
 *
 * A read never blocks: with nothing queued it returns 0. A question that was read is not repeated
 * to this open file, so whoever is asked must answer some time (P10); opening the channel again
 * brings back all that is unanswered, which is how a restarted daemon finds them.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>

#include "exportsd/base/log.h"
#include "exportsd/kernel/transport.h"
#include "exportsd/kernel/upcall.h"
#include "parser/text.h"

static const char *const cache_names[KERNEL_N_CACHES] = {
	[KERNEL_IP] = "auth.unix.ip",
	[KERNEL_GID] = "auth.unix.gid",
	[KERNEL_EXPORT] = "nfsd.export",
	[KERNEL_FH] = "nfsd.fh",
};

enum {
	/* A question is at most a page (cache_request()). */
	QUESTION_MAX_BYTES = 4096,
	/*
	 * Questions taken in one turn of the loop, so that one busy channel leaves room for the
	 * rest.
	 */
	QUESTIONS_A_TURN = 64,
};

struct channel {
	struct proc *proc;
	enum kernel_cache cache;
	int fd;
	sd_event_source *source;
};

struct proc {
	struct kernel_transport transport; /* first */
	char *root;
	kernel_ask_fn take;
	void *userdata;
	struct channel channels[KERNEL_N_CACHES];
	char question[QUESTION_MAX_BYTES + 1], words[QUESTION_MAX_BYTES + 1];
	char answer[UPCALL_ANSWER_MAX];
};

/* Open a file of a cache. Returns a descriptor; -errno. */
static int open_file(const struct proc *proc, enum kernel_cache cache, const char *name, int flags)
{
	CLEANUP(freep)
	char *path = text_format("%s/net/rpc/%s/%s", proc->root, cache_names[cache], name);
	int fd = path ? open(path, flags | O_CLOEXEC | O_NOCTTY) : -1;

	return fd < 0 ? -errno : fd;
}

static int proc_answer(struct kernel_transport *transport, const struct kernel_answer *answer)
{
	struct proc *proc = (struct proc *)transport;
	ssize_t n, length = upcall_format(answer, proc->answer, sizeof(proc->answer));

	if (length < 0)
		return (int)length;
	n = write(proc->channels[answer->about.cache].fd, proc->answer, (size_t)length);
	if (n < 0)
		return -errno;
	return n == length ? 0 : -EIO;
}

static int proc_entries(const struct kernel_transport *transport, enum kernel_cache cache,
			kernel_entry_fn each, void *userdata)
{
	const struct proc *proc = (const struct proc *)transport;
	CLEANUP(freep) char *line = NULL;
	size_t size = 0;
	ssize_t n;
	FILE *from;
	int r = open_file(proc, cache, "content", O_RDONLY);

	from = r < 0 ? NULL : fdopen(r, "r");
	if (!from) {
		closep(&r);
		return r < 0 ? r : -ENOMEM;
	}
	r = 0;
	while (r == 0 && (n = getline(&line, &size, from)) > 0) {
		struct kernel_entry entry;

		line[n - (line[n - 1] == '\n')] = '\0';
		if (upcall_parse_entry(cache, line, &entry) == 0)
			r = each(userdata, &entry);
	}
	if (r == 0 && ferror(from))
		r = -EIO;
	fclose(from);
	return r;
}

static int proc_flush(struct kernel_transport *transport, enum kernel_cache cache)
{
	const struct proc *proc = (const struct proc *)transport;
	CLEANUP(closep) int fd = open_file(proc, cache, "flush", O_WRONLY);
	char now[32];
	int length = snprintf(now, sizeof(now), "%lld\n", (long long)time(NULL) + 1);

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	return write(fd, now, (size_t)length) == length ? 0 : -errno;
}

static void proc_pause(struct kernel_transport *transport, bool pause)
{
	struct proc *proc = (struct proc *)transport;

	for (unsigned int i = 0; i < KERNEL_N_CACHES; i++)
		if (proc->channels[i].source)
			(void)sd_event_source_set_enabled(proc->channels[i].source,
							  pause ? SD_EVENT_OFF : SD_EVENT_ON);
}

static void proc_close(struct kernel_transport *transport)
{
	struct proc *proc = (struct proc *)transport;

	for (unsigned int i = 0; i < KERNEL_N_CACHES; i++) {
		sd_event_source_disable_unref(proc->channels[i].source);
		closep(&proc->channels[i].fd);
	}
	free(proc->root);
	free(proc);
}

/* ---- questions ---- */

static void take_line(struct proc *proc, enum kernel_cache cache, const char *line)
{
	struct kernel_question question;

	if (upcall_parse(cache, line, proc->words, &question) == 0)
		proc->take(proc->userdata, &question);
	else
		log_warning(NULL,
			    "The kernel asks what exportsd does not understand: '%s'; ignoring",
			    line);
}

static int on_channel(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct channel *channel = userdata;
	struct proc *proc = channel->proc;
	char *line = proc->question;

	for (unsigned int i = 0; i < QUESTIONS_A_TURN; i++) {
		ssize_t n = read(fd, line, QUESTION_MAX_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			log_error(NULL, "Cannot read the kernel's questions from %s, stopping: %m",
				  cache_names[channel->cache]);
			sd_event_exit(sd_event_source_get_event(source), EXIT_FAILURE);
		}
		if (n <= 0)
			break;
		/* A record whose path could not be told is a lone newline (cache_request()). */
		if (line[n - 1] != '\n' || n == 1)
			continue;
		line[n - 1] = '\0';
		take_line(proc, channel->cache, line);
	}
	return 0;
}

/* ---- opening ---- */

static int channel_open(struct channel *channel, int flags)
{
	int r = open_file(channel->proc, channel->cache, "channel", flags);

	channel->fd = r < 0 ? -1 : r;
	return r < 0 ? r : 0;
}

static int channel_hear(struct channel *channel, sd_event *event)
{
	int r = channel_open(channel, O_RDWR | O_NONBLOCK);

	if (r == 0)
		r = sd_event_add_io(event, &channel->source, channel->fd, EPOLLIN, on_channel,
				    channel);
	if (r >= 0)
		(void)sd_event_source_set_description(channel->source, cache_names[channel->cache]);
	return r;
}

static struct proc *proc_new(const char *root)
{
	static const struct kernel_transport transport = {
		.answer = proc_answer,
		.entries = proc_entries,
		.flush = proc_flush,
		.pause = proc_pause,
		.close = proc_close,
	};
	struct proc *proc = calloc(1, sizeof(*proc));

	if (!proc)
		return NULL;
	proc->transport = transport;
	for (unsigned int i = 0; i < KERNEL_N_CACHES; i++)
		proc->channels[i] = (struct channel){ .proc = proc, .cache = i, .fd = -1 };
	proc->root = strdup(root);
	if (!proc->root) {
		free(proc);
		return NULL;
	}
	return proc;
}

int kernel_proc_open(struct kernel_transport **ret_transport, sd_event *event, const char *root,
		     bool with_gids, kernel_ask_fn take, void *userdata)
{
	struct proc *proc = proc_new(root);
	int r = 0;

	if (!proc)
		return -ENOMEM;
	proc->take = take;
	proc->userdata = userdata;
	for (unsigned int i = 0; i < KERNEL_N_CACHES && r >= 0; i++)
		if (i != KERNEL_GID || with_gids)
			r = channel_hear(&proc->channels[i], event);
	if (r < 0) {
		proc_close(&proc->transport);
		return r;
	}
	*ret_transport = &proc->transport;
	return 0;
}

int kernel_proc_open_for_trials(struct kernel_transport **ret_transport, const char *root,
				bool *ret_is_open)
{
	struct proc *proc = proc_new(root);

	if (!proc)
		return -ENOMEM;
	*ret_is_open = channel_open(&proc->channels[KERNEL_IP], O_WRONLY) == 0 &&
		       channel_open(&proc->channels[KERNEL_EXPORT], O_WRONLY) == 0;
	*ret_transport = &proc->transport;
	return 0;
}
