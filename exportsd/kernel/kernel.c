/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The caches of net/sunrpc/cache.c, as files:
 *
 *	<proc>/net/rpc/<cache>/channel	questions out, answers in, one a read(2) or write(2)
 *	<proc>/net/rpc/<cache>/flush	"forget everything"
 *	<proc>/net/rpc/<cache>/content	what it was told
 *	<proc>/fs/nfsd/filehandle	a handle for a path (fs/nfsd/nfsctl.c write_filehandle())
 *	<proc>/fs/nfsd/export_features	flags that this kernel knows
 *
 * A read never blocks: with nothing queued it returns 0. A question that was read is not repeated
 * to this open file, so whoever is asked must answer some time (P10); opening the channel again
 * brings back all that is unanswered, which is how a restarted daemon finds them.
 */

#include "exportsd/kernel/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>

#include "exportsd/base/log.h"
#include "exportsd/kernel/rootdir.h"
#include "parser/escape.h"

static const struct {
	const char *name;
	const char *channel, *flush, *content; /* below net/rpc/ */
} caches[KERNEL_N_CACHES] = {
	[KERNEL_IP] = { "auth.unix.ip", "auth.unix.ip/channel", "auth.unix.ip/flush",
			"auth.unix.ip/content" },
	[KERNEL_GID] = { "auth.unix.gid", "auth.unix.gid/channel", "auth.unix.gid/flush",
			 "auth.unix.gid/content" },
	[KERNEL_EXPORT] = { "nfsd.export", "nfsd.export/channel", "nfsd.export/flush",
			    "nfsd.export/content" },
	[KERNEL_FH] = { "nfsd.fh", "nfsd.fh/channel", "nfsd.fh/flush", "nfsd.fh/content" },
};

enum {
	/* A question is at most a page (cache_request()). */
	QUESTION_MAX_BYTES = 4096,
	/*
	 * Questions taken in one turn of the loop, so that one busy channel leaves room for the
	 * rest.
	 */
	QUESTIONS_A_TURN = 64,
	/*
	 * Read at once of a content file, at least; the kernel gives a page at a time (seq_file).
	 */
	CONTENT_ROOM_BYTES = 64 * 1024,
	OUTSIDE_SECONDS = 1800,
	/*
	 * "Unasked for" and in the past: check_export() is run, nothing is stored
	 * (svc_export_parse()).
	 */
	TRIAL_EXPIRY = 3,
};

static const char trial_domain[] = "-test-client-";

struct channel {
	struct kernel *kernel;
	enum kernel_cache cache;
	int fd;
	sd_event_source *source;
};

struct kernel {
	char *proc;
	char *rootdir; /* NULL: none */
	char *root_word; /* the same in the kernel's escapes */
	kernel_ask_fn ask;
	void *userdata;
	uint32_t per_flavor_flags;
	bool is_tls_tried, knows_tls;
	struct channel channels[KERNEL_N_CACHES];
	struct kernel_counts counts;
};

static int proc_open(const struct kernel *kernel, int flags, const char *folder, const char *name)
{
	CLEANUP(freep) char *path = NULL;
	int fd;

	if (asprintf(&path, "%s%s%s", kernel->proc, folder, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* What is not beneath rootdir is not exported. */
static void answer_outside(struct kernel *kernel, enum kernel_cache cache, const char *line)
{
	char *answer = NULL;
	int length = asprintf(&answer, "%s %lld\n", line, (long long)time(NULL) + OUTSIDE_SECONDS);

	if (length > 0 && write(kernel->channels[cache].fd, answer, (size_t)length) < 0)
		log_warning(NULL, "The kernel asks about what lies outside of rootdir: '%s': %m",
			    line);
	free(answer);
}

/* The kernel repeats what is unanswered to whoever opens its channel next. */
static void out_of_memory(struct kernel *kernel, enum kernel_cache cache)
{
	log_error(NULL, "No memory to keep a question of the kernel, restarting");
	sd_event_exit(sd_event_source_get_event(kernel->channels[cache].source), EXIT_FAILURE);
}

static void take_question(struct kernel *kernel, enum kernel_cache cache, const char *line)
{
	CLEANUP(freep) char *beneath = NULL;
	int r = 0;

	kernel->counts.asked[cache]++;
	if (kernel->root_word)
		r = rootdir_question(kernel->root_word, cache, line, &beneath);
	if (r == 0)
		kernel->ask(kernel->userdata, cache, beneath ? beneath : line);
	else if (r == ROOTDIR_OUTSIDE)
		answer_outside(kernel, cache, line);
	else
		out_of_memory(kernel, cache);
}

static int on_channel(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct channel *channel = userdata;
	struct kernel *kernel = channel->kernel;
	char line[QUESTION_MAX_BYTES + 1];

	for (unsigned int i = 0; i < QUESTIONS_A_TURN; i++) {
		ssize_t n = read(fd, line, sizeof(line) - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			log_error(NULL, "Cannot read the kernel's questions from %s, stopping: %m",
				  caches[channel->cache].name);
			sd_event_exit(sd_event_source_get_event(source), EXIT_FAILURE);
		}
		if (n <= 0)
			break;
		/* A record whose path could not be told is a lone newline (cache_request()). */
		if (line[n - 1] != '\n' || n == 1)
			continue;
		line[n - 1] = '\0';
		take_question(kernel, channel->cache, line);
	}
	return 0;
}

static int channel_open(struct kernel *kernel, sd_event *event, enum kernel_cache cache)
{
	struct channel *channel = &kernel->channels[cache];
	int r;

	channel->kernel = kernel;
	channel->cache = cache;
	r = proc_open(kernel, O_RDWR | O_NONBLOCK, "/net/rpc/", caches[cache].channel);
	if (r < 0)
		return r;
	channel->fd = r;
	r = sd_event_add_io(event, &channel->source, channel->fd, EPOLLIN, on_channel, channel);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(channel->source, caches[cache].name);
	return 0;
}

static uint32_t read_per_flavor_flags(const struct kernel *kernel)
{
	/*
	 * nfs-utils support/nfs/exports.c, get_export_features(): the mask of kernels that do not
	 * say.
	 */
	const uint32_t unsaid = 0xd;
	unsigned int flags, per_flavor;
	char text[64] = "";
	CLEANUP(closep) int fd = proc_open(kernel, O_RDONLY, "/fs/nfsd/", "export_features");

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return unsaid;
	return sscanf(text, "%x %x", &flags, &per_flavor) == 2 ? per_flavor : unsaid;
}

uint32_t kernel_read_per_flavor_flags(const char *proc)
{
	const struct kernel kernel = { .proc = (char *)proc };

	return read_per_flavor_flags(&kernel);
}

int kernel_open(struct kernel **ret_kernel, sd_event *event, const char *proc, bool with_gids,
		kernel_ask_fn ask, void *userdata)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	int r = 0;

	if (!kernel)
		return -ENOMEM;
	for (unsigned int i = 0; i < KERNEL_N_CACHES; i++)
		kernel->channels[i].fd = -1;
	kernel->ask = ask;
	kernel->userdata = userdata;
	kernel->proc = strdup(proc);
	if (!kernel->proc)
		r = -ENOMEM;
	for (unsigned int i = 0; i < KERNEL_N_CACHES && r == 0; i++)
		if (i != KERNEL_GID || with_gids)
			r = channel_open(kernel, event, i);
	if (r < 0) {
		kernel_close(kernel);
		return r;
	}
	kernel->per_flavor_flags = read_per_flavor_flags(kernel);
	*ret_kernel = kernel;
	return 0;
}

int kernel_set_rootdir(struct kernel *kernel, const char *rootdir)
{
	kernel->rootdir = strdup(rootdir);
	kernel->root_word = escape_bytes(rootdir, strlen(rootdir), ESCAPE_KERNEL);
	return kernel->rootdir && kernel->root_word ? 0 : -ENOMEM;
}

const char *kernel_rootdir(const struct kernel *kernel)
{
	return kernel->rootdir;
}

int kernel_open_for_trials(struct kernel **ret_kernel, const char *proc)
{
	static const enum kernel_cache written[] = { KERNEL_IP, KERNEL_EXPORT };
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	if (!kernel)
		return -ENOMEM;
	for (unsigned int i = 0; i < KERNEL_N_CACHES; i++)
		kernel->channels[i].fd = -1;
	kernel->proc = strdup(proc);
	if (!kernel->proc) {
		kernel_close(kernel);
		return -ENOMEM;
	}
	for (size_t i = 0; i < N_ELEMENTS(written); i++) {
		int fd = proc_open(kernel, O_WRONLY, "/net/rpc/", caches[written[i]].channel);

		if (fd >= 0)
			kernel->channels[written[i]].fd = fd;
	}
	*ret_kernel = kernel;
	return 0;
}

bool kernel_is_open(const struct kernel *kernel)
{
	return kernel->channels[KERNEL_IP].fd >= 0 && kernel->channels[KERNEL_EXPORT].fd >= 0;
}

struct kernel *kernel_close(struct kernel *kernel)
{
	if (!kernel)
		return NULL;
	for (unsigned int i = 0; i < KERNEL_N_CACHES; i++) {
		sd_event_source_disable_unref(kernel->channels[i].source);
		closep(&kernel->channels[i].fd);
	}
	free(kernel->proc);
	free(kernel->rootdir);
	free(kernel->root_word);
	free(kernel);
	return NULL;
}

void kernel_pause(struct kernel *kernel, bool pause)
{
	for (unsigned int i = 0; i < KERNEL_N_CACHES; i++)
		if (kernel->channels[i].source)
			(void)sd_event_source_set_enabled(kernel->channels[i].source,
							  pause ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int write_line(struct kernel *kernel, enum kernel_cache cache, const char *line,
		      size_t n_bytes)
{
	CLEANUP(freep) char *whole = NULL;
	ssize_t n;

	if (kernel->root_word) {
		if (rootdir_answer(kernel->root_word, cache, line, &whole) < 0)
			return -ENOMEM;
		line = whole;
		n_bytes = strlen(whole);
	}
	n = write(kernel->channels[cache].fd, line, n_bytes);
	if (n < 0)
		return -errno;
	return (size_t)n == n_bytes ? 0 : -EIO;
}

bool kernel_knows_tls(struct kernel *kernel)
{
	/*
	 * No kernel takes this: whoever knows the word stumbles over its number first (EINVAL), the
	 * others over a path that is neither a directory nor a file (ENOTDIR, check_export()).
	 */
	static const char trial[] = "-test-client- /dev/null 3 1061 65534 65534 0 xprtsec 99\n";

	if (!kernel->is_tls_tried) {
		kernel->is_tls_tried = true;
		kernel->knows_tls =
			kernel_sweep(kernel) == 0 &&
			write(kernel->channels[KERNEL_EXPORT].fd, trial, sizeof(trial) - 1) < 0 &&
			errno == EINVAL;
	}
	return kernel->knows_tls;
}

bool kernel_lacks_tls(const char *proc)
{
	struct kernel *kernel = NULL;
	bool lacks = kernel_open_for_trials(&kernel, proc) == 0 && kernel_is_open(kernel) &&
		     !kernel_knows_tls(kernel);

	kernel_close(kernel);
	return lacks;
}

/* Does an answer about an export ask for TLS only: xprtsec COUNT MODE..., without mode 1? */
static bool asks_for_tls(const char *line)
{
	static const char word[] = " xprtsec ";
	const char *at = strstr(line, word);
	unsigned int count, mode;
	int length;

	if (!at || sscanf(at + strlen(word), "%u%n", &count, &length) != 1)
		return false;
	at += strlen(word) + length;
	for (; count && sscanf(at, "%u%n", &mode, &length) == 1; at += length, count--)
		if (mode == 1)
			return false;
	return true;
}

int kernel_answer(struct kernel *kernel, enum kernel_cache cache, const char *line, size_t n_bytes)
{
	int r;

	if (cache == KERNEL_EXPORT && asks_for_tls(line) && !kernel_knows_tls(kernel))
		return -EPROTONOSUPPORT;
	r = write_line(kernel, cache, line, n_bytes);
	if (r == 0)
		kernel->counts.answered[cache]++;
	return r;
}

int kernel_forget(struct kernel *kernel, enum kernel_cache cache, const char *line, size_t n_bytes)
{
	int r = write_line(kernel, cache, line, n_bytes);

	if (r == 0)
		kernel->counts.forgotten++;
	return r;
}

int kernel_read_content(const struct kernel *kernel, enum kernel_cache cache, char **ret_text)
{
	CLEANUP(closep) int fd = proc_open(kernel, O_RDONLY, "/net/rpc/", caches[cache].content);
	CLEANUP(freep) char *text = NULL;
	size_t length = 0, size = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	do {
		if (size - length < CONTENT_ROOM_BYTES) {
			char *bigger = reallocarray(text, 2, size ? size : CONTENT_ROOM_BYTES);

			if (!bigger)
				return -ENOMEM;
			text = bigger;
			size = size ? 2 * size : 2 * CONTENT_ROOM_BYTES;
		}
		n = read(fd, text + length, size - length - 1);
		if (n > 0)
			length += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	text[length] = '\0';
	*ret_text = TAKE_PTR(text);
	return 0;
}

static int flush(struct kernel *kernel, enum kernel_cache cache)
{
	CLEANUP(closep)
	int fd = proc_open(kernel, O_WRONLY, "/net/rpc/", caches[cache].flush);
	char now[32];
	int length = snprintf(now, sizeof(now), "%lld\n", (long long)time(NULL) + 1);

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	return write(fd, now, (size_t)length) == length ? 0 : -errno;
}

int kernel_content(struct kernel *kernel, enum kernel_cache cache, kernel_content_fn each,
		   void *userdata)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *line = NULL;
	size_t size = 0;
	ssize_t n;
	FILE *from;
	int r = 0;

	if (asprintf(&path, "%s/net/rpc/%s/content", kernel->proc, caches[cache].name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	from = fopen(path, "re");
	if (!from)
		return -errno;
	while (r == 0 && (n = getline(&line, &size, from)) > 0) {
		bool is_old = strncmp(line, "# ", 2) == 0;

		line[n - (line[n - 1] == '\n')] = '\0';
		/*
		 * "#path domain(flags)" is the heading, "# expiry=..." what sunrpc's debug mode
		 * adds (c_show()).
		 */
		if ((line[0] == '#' && !is_old) || strncmp(line, "# expiry=", 9) == 0)
			continue;
		r = each(userdata, is_old ? line + 2 : line);
	}
	fclose(from);
	return r;
}

int kernel_sweep(struct kernel *kernel)
{
	enum { SECONDS = 60 };
	char line[96];
	int length = snprintf(line, sizeof(line), "nfsd 0.0.0.0 %lld %s\n",
			      (long long)time(NULL) + SECONDS, trial_domain);

	return kernel_answer(kernel, KERNEL_IP, line, (size_t)length);
}

bool kernel_takes_export(struct kernel *kernel, const char *path, uint32_t flags)
{
	CLEANUP(freep) char *word = escape_bytes(path, strlen(path), ESCAPE_KERNEL);
	CLEANUP(freep) char *line = NULL;
	int length;

	if (!word || kernel_sweep(kernel) < 0)
		return false;
	length = asprintf(&line, "%s %s %d %u 65534 65534 0\n", trial_domain, word, TRIAL_EXPIRY,
			  flags);
	if (length < 0) {
		line = NULL;
		return false;
	}
	return kernel_answer(kernel, KERNEL_EXPORT, line, (size_t)length) == 0;
}

const char *kernel_proc(const struct kernel *kernel)
{
	return kernel->proc;
}

int kernel_flush(struct kernel *kernel)
{
	/* nfs-utils support/nfs/cacheio.c cache_flush(): who, then what they may see. */
	static const enum kernel_cache order[] = { KERNEL_IP, KERNEL_GID, KERNEL_FH,
						   KERNEL_EXPORT };
	int result = 0;

	for (size_t i = 0; i < N_ELEMENTS(order); i++) {
		int r = flush(kernel, order[i]);

		if (r < 0)
			result = r;
	}
	kernel->counts.flushes++;
	return result;
}

int kernel_flush_exports(struct kernel *kernel)
{
	kernel->counts.export_flushes++;
	return flush(kernel, KERNEL_EXPORT);
}

int kernel_flush_handles(struct kernel *kernel)
{
	kernel->counts.handle_flushes++;
	return flush(kernel, KERNEL_FH);
}

ssize_t kernel_file_handle(struct kernel *kernel, const char *domain, const char *path, size_t size,
			   uint8_t *ret_handle)
{
	CLEANUP(freep) char *domain_word = escape_bytes(domain, strlen(domain), ESCAPE_KERNEL);
	CLEANUP(freep) char *path_word = escape_bytes(path, strlen(path), ESCAPE_KERNEL);
	CLEANUP(freep) char *line = NULL;
	CLEANUP(closep) int fd = -1;
	char answer[256];
	ssize_t n;
	int length;

	if (!domain_word || !path_word)
		return -ENOMEM;
	length = asprintf(&line, "%s %s%s %zu\n", domain_word,
			  kernel->root_word ? kernel->root_word : "",
			  kernel->root_word && str_equal(path_word, "/") ? "" : path_word, size);
	if (length < 0) {
		line = NULL;
		return -ENOMEM;
	}
	fd = proc_open(kernel, O_RDWR, "/fs/nfsd/", "filehandle");
	if (fd < 0)
		return fd;
	if (write(fd, line, (size_t)length) != length)
		return -errno;
	n = read(fd, answer, sizeof(answer) - 1);
	if (n < 0)
		return -errno;
	answer[n] = '\0';
	answer[strcspn(answer, " \n")] = '\0';
	return unescape_hex(answer, ret_handle, size);
}

uint32_t kernel_per_flavor_flags(const struct kernel *kernel)
{
	return kernel->per_flavor_flags;
}

const struct kernel_counts *kernel_counts(const struct kernel *kernel)
{
	return &kernel->counts;
}
