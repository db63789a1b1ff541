/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * paths.c - questions to exported file systems.
 *
 * A long list for paths_real() goes out in chunks, a few at a time, so that no turn of the loop is
 * long. A path that hangs takes its chunk with it, so a chunk gets half of the time, and what it
 * held is then asked path by path in the other half: only those that hang by themselves stay
 * without an answer.
 */

#include <errno.h>
#include <utlist.h>

#include "exportsd/fs/paths.h"
#include "exportsd/worker/worker.h"
#include "parser/escape.h"

enum {
	N_PROCESSES = 4,
	CHUNK_PATHS_MAX = 200,
	CHUNK_BYTES_MAX = 24 * 1024,
	CHUNKS_AT_ONCE =
		2 * N_PROCESSES, /* of one list; more only while a chunk is asked path by path */
};

struct paths {
	struct worker *worker;
	uint64_t timeout_usec;
	sd_event *event;
	struct paths_question *questions;
};

/* A run of one list's paths that was asked in one message. */
struct chunk {
	struct paths_question *question;
	struct chunk *prev, *next;
	struct pending *asked;
	size_t first, n;
};

struct paths_question {
	struct pending pending;
	struct paths *paths;
	struct paths_question *prev, *next;
	/* One question: done is one of two. */
	struct pending *asked;
	paths_facts_fn facts_done;
	paths_walk_fn walk_done;
	/* Many. */
	paths_real_fn real_done;
	const char **wanted; /* the asker's texts */
	const char **real; /* the same texts, or our own */
	struct snapshot_seen *seen; /* the asker's; NULL: not wanted */
	size_t n_paths;
	size_t n_started; /* paths that some chunk has, or had */
	struct chunk *chunks;
	unsigned int n_chunks;
	bool in_a_hurry; /* something hangs: the others are not to wait for it one after another */
	struct later empty; /* nothing is to be asked */
	void *userdata;
};

const char paths_unknown[] = "";

/* ---- calls ---- */

static void cancel_question(struct pending *pending);

static struct paths_question *question_new(struct paths *paths, void *userdata)
{
	struct paths_question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	question->pending.cancel = cancel_question;
	question->paths = paths;
	question->userdata = userdata;
	DL_APPEND(paths->questions, question);
	return question;
}

static void chunk_free(struct chunk *chunk)
{
	DL_DELETE(chunk->question->chunks, chunk);
	chunk->question->n_chunks--;
	pending_cancel(&chunk->asked);
	free(chunk);
}

static void cancel_question(struct pending *pending)
{
	struct paths_question *question = (struct paths_question *)pending;

	DL_DELETE(question->paths->questions, question);
	pending_cancel(&question->asked);
	later_cancel(&question->empty);
	while (question->chunks)
		chunk_free(question->chunks);
	for (size_t i = 0; question->real && i < question->n_paths; i++)
		if (question->real[i] != question->wanted[i] && question->real[i] != paths_unknown)
			free((void *)question->real[i]);
	free(question->wanted);
	free(question->real);
	free(question);
}

/* ---- realpath of many ---- */

static void on_chunk(void *userdata, int error, const struct proto_message *answer);

static int ask_chunk(struct paths_question *question, size_t first, size_t n, uint64_t timeout_usec)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	struct proto_writer message = {};
	int r;

	if (!chunk)
		return -ENOMEM;
	chunk->question = question;
	chunk->first = first;
	chunk->n = n;
	proto_begin(&message, "real");
	for (size_t i = 0; i < n; i++)
		proto_put(&message, "path", question->wanted[first + i]);
	r = worker_ask(question->paths->worker, &message, timeout_usec, on_chunk, chunk,
		       &chunk->asked);
	proto_writer_done(&message);
	if (r < 0) {
		free(chunk);
		return r;
	}
	DL_APPEND(question->chunks, chunk);
	question->n_chunks++;
	return 0;
}

/* How many of the paths from @first on go into one message. */
static size_t chunk_size(const struct paths_question *question, size_t first)
{
	size_t n = 0, n_bytes = 0;

	while (first + n < question->n_paths && n < CHUNK_PATHS_MAX) {
		/* An escaped byte takes four. */
		n_bytes += 4 * strlen(question->wanted[first + n]);
		if (n && n_bytes > CHUNK_BYTES_MAX)
			break;
		n++;
	}
	return n;
}

static int ask_more(struct paths_question *question)
{
	while (question->n_started < question->n_paths &&
	       (question->in_a_hurry || question->n_chunks < CHUNKS_AT_ONCE)) {
		size_t n = chunk_size(question, question->n_started);
		int r = ask_chunk(question, question->n_started, n,
				  question->paths->timeout_usec / 2);

		if (r < 0)
			return r;
		question->n_started += n;
	}
	return 0;
}

static void finish_if_done(struct paths_question *question)
{
	/* Chunks that wait go on; without any, what cannot be asked stays unknown. */
	if (ask_more(question) < 0 && !question->chunks)
		question->n_started = question->n_paths;
	if (question->chunks)
		return;
	question->real_done(question->userdata, question->real, question->n_paths);
	cancel_question(&question->pending);
}

/* An answer on its way along a chunk's paths. */
struct taking {
	struct paths_question *question;
	size_t at, end;
	struct snapshot_seen seen;
	uint64_t next_inode; /* of a path that is told */
};

static void take_seen(struct taking *taking, uint64_t inode)
{
	taking->seen.inode = inode;
	if (taking->question->seen)
		taking->question->seen[taking->at] = taking->seen;
}

static void take_same(struct taking *taking, const char *inodes)
{
	char *end;

	for (; *inodes && taking->at < taking->end; inodes = end) {
		take_seen(taking, strtoull(inodes, &end, 16));
		if (end == inodes)
			return;
		taking->question->real[taking->at] = taking->question->wanted[taking->at];
		taking->at++;
	}
}

static int take_path(struct taking *taking, const char *text)
{
	const char **real = &taking->question->real[taking->at];

	if (taking->at == taking->end)
		return 0;
	*real = *text ? paths_unknown : NULL;
	if (*text && !str_equal(text, PATHS_UNKNOWN)) {
		char *copy = strdup(text);

		if (!copy)
			return -ENOMEM;
		*real = copy;
		take_seen(taking, taking->next_inode);
	}
	taking->next_inode = 0;
	taking->at++;
	return 0;
}

static int take_real(struct chunk *chunk, const struct proto_message *answer)
{
	struct taking taking = { .question = chunk->question,
				 .at = chunk->first,
				 .end = chunk->first + chunk->n };
	int r = 0;

	for (size_t i = 0; i < answer->n_fields && r == 0; i++) {
		const struct proto_field *field = &answer->fields[i];

		if (str_equal(field->key, "device"))
			taking.seen.device = strtoull(field->value, NULL, 10);
		else if (str_equal(field->key, "inode"))
			taking.next_inode = strtoull(field->value, NULL, 10);
		else if (str_equal(field->key, "same"))
			take_same(&taking, field->value);
		else if (str_equal(field->key, "path"))
			r = take_path(&taking, field->value);
	}
	return r;
}

static void on_chunk(void *userdata, int error, const struct proto_message *answer)
{
	struct chunk *chunk = userdata;
	struct paths_question *question = chunk->question;

	chunk->asked = NULL;
	question->in_a_hurry |= error == -ETIMEDOUT;
	if (error == 0)
		(void)take_real(chunk, answer);
	else if (chunk->n > 1)
		/* One that cannot be asked for want of memory or room stays unknown. */
		for (size_t i = 0; i < chunk->n; i++)
			(void)ask_chunk(question, chunk->first + i, 1,
					question->paths->timeout_usec / 2);
	chunk_free(chunk);
	finish_if_done(question);
}

static void on_empty(void *userdata)
{
	finish_if_done(userdata);
}

int paths_real(struct paths *paths, const char *const *wanted, size_t n_paths,
	       struct snapshot_seen *ret_seen, paths_real_fn done, void *userdata,
	       struct pending **ret_question)
{
	struct paths_question *question = question_new(paths, userdata);
	int r = -ENOMEM;

	if (!question)
		return -ENOMEM;
	question->real_done = done;
	question->n_paths = n_paths;
	question->seen = ret_seen;
	if (ret_seen && n_paths)
		memset(ret_seen, 0, n_paths * sizeof(*ret_seen));
	question->wanted = calloc(n_paths + 1, sizeof(char *));
	question->real = calloc(n_paths + 1, sizeof(char *));
	if (question->wanted && question->real) {
		if (n_paths)
			memcpy(question->wanted, wanted, n_paths * sizeof(*wanted));
		for (size_t i = 0; i < n_paths; i++)
			question->real[i] = paths_unknown;
		r = ask_more(question);
	}
	if (r >= 0 && n_paths == 0)
		later_call(&question->empty, paths->event, on_empty, question);
	if (r < 0)
		cancel_question(&question->pending);
	else if (ret_question)
		*ret_question = &question->pending;
	return r;
}

/* ---- facts and walks: one question each ---- */

/* Returns how many bytes there were, 0 if the key is absent. */
static size_t get_hex(const struct proto_message *message, const char *key, uint8_t *bytes,
		      size_t size)
{
	const char *text = proto_get(message, key);
	ssize_t n = text ? unescape_hex(text, bytes, size) : 0;

	return n > 0 ? (size_t)n : 0;
}

/* What struct stat and struct statx say alike. */
static int get_identity(const struct proto_message *answer, dev_t *ret_device, ino_t *ret_inode,
			mode_t *ret_mode)
{
	uint64_t device, inode, mode;

	if (proto_get_u64(answer, "device", UINT64_MAX, &device) < 0 ||
	    proto_get_u64(answer, "inode", UINT64_MAX, &inode) < 0 ||
	    proto_get_u64(answer, "mode", UINT32_MAX, &mode) < 0)
		return -EIO;
	*ret_device = device;
	*ret_inode = inode;
	*ret_mode = (mode_t)mode;
	return 0;
}

static int take_facts(const struct proto_message *answer, struct paths_facts *ret_facts)
{
	struct paths_facts facts = {};
	uint64_t root, type;
	int r;

	r = get_identity(answer, &facts.device, &facts.inode, &facts.mode);
	if (r < 0)
		return r;
	if (proto_get_u64(answer, "mount-root", 1, &root) < 0 ||
	    proto_get_u64(answer, "file-system", UINT32_MAX, &type) < 0)
		return -EIO;
	facts.is_mount_root = root;
	facts.file_system = (uint32_t)type;
	facts.has_block_uuid = get_hex(answer, "block-uuid", facts.block_uuid, 16);
	facts.has_statfs_uuid = get_hex(answer, "statfs-uuid", facts.statfs_uuid, 16);
	facts.locations = proto_get(answer, "locations");
	*ret_facts = facts;
	return 0;
}

static int take_walked(const struct proto_message *answer, struct paths_walked *ret_walked)
{
	struct paths_walked walked = { .handle_type = -1 };
	uint64_t type;
	int r;

	r = get_identity(answer, &walked.device, &walked.inode, &walked.mode);
	if (r < 0)
		return r;
	if (proto_get_u64(answer, "handle-type", INT32_MAX, &type) == 0) {
		walked.handle_type = (int)type;
		walked.handle_length =
			get_hex(answer, "handle", walked.handle, sizeof(walked.handle));
	}
	*ret_walked = walked;
	return 0;
}

static void on_single(void *userdata, int error, const struct proto_message *answer)
{
	struct paths_question *question = userdata;
	struct paths_facts facts;
	struct paths_walked walked;

	question->asked = NULL;
	if (question->facts_done) {
		if (error == 0)
			error = take_facts(answer, &facts);
		question->facts_done(question->userdata, error, error ? NULL : &facts);
	} else {
		if (error == 0)
			error = take_walked(answer, &walked);
		question->walk_done(question->userdata, error, error ? NULL : &walked);
	}
	cancel_question(&question->pending);
}

static int ask_single(struct paths_question *question, struct proto_writer *message,
		      struct pending **ret_question)
{
	int r;

	r = worker_ask(question->paths->worker, message, question->paths->timeout_usec, on_single,
		       question, &question->asked);
	proto_writer_done(message);
	if (r < 0)
		cancel_question(&question->pending);
	else if (ret_question)
		*ret_question = &question->pending;
	return r;
}

static int ask_facts(struct paths *paths, const char *word, const char *path, paths_facts_fn done,
		     void *userdata, struct pending **ret_question)
{
	struct paths_question *question = question_new(paths, userdata);
	struct proto_writer message = {};

	if (!question)
		return -ENOMEM;
	question->facts_done = done;
	proto_begin(&message, word);
	proto_put(&message, "path", path);
	return ask_single(question, &message, ret_question);
}

int paths_facts(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		struct pending **ret_question)
{
	return ask_facts(paths, "facts", path, done, userdata, ret_question);
}

int paths_junction(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		   struct pending **ret_question)
{
	return ask_facts(paths, "junction", path, done, userdata, ret_question);
}

int paths_walk(struct paths *paths, const char *root, const char *relative,
	       const struct paths_credentials *who, paths_walk_fn done, void *userdata,
	       struct pending **ret_question)
{
	struct paths_question *question = question_new(paths, userdata);
	struct proto_writer message = {};

	if (!question)
		return -ENOMEM;
	question->walk_done = done;
	proto_begin(&message, "walk");
	proto_put(&message, "root", root);
	proto_put(&message, "relative", relative);
	proto_put_u64(&message, "uid", who->uid);
	proto_put_u64(&message, "gid", who->gid);
	worker_put_numbers(&message, "groups", who->groups, who->n_groups);
	return ask_single(question, &message, ret_question);
}

/* ---- the whole ---- */

int paths_new(struct paths **ret_paths, sd_event *event, uint64_t timeout_usec, const char *rootdir)
{
	struct paths *paths = calloc(1, sizeof(*paths));
	int r;

	if (!paths)
		return -ENOMEM;
	paths->event = event;
	paths->timeout_usec = timeout_usec;
	r = worker_new(&paths->worker, event, WORKER_PATHS, N_PROCESSES, rootdir);
	if (r < 0) {
		paths_free(paths);
		return r;
	}
	*ret_paths = paths;
	return 0;
}

struct paths *paths_free(struct paths *paths)
{
	if (!paths)
		return NULL;
	while (paths->questions)
		cancel_question(&paths->questions->pending);
	worker_free(paths->worker);
	free(paths);
	return NULL;
}

void paths_fold_uuid(const char *text, size_t size, uint8_t *ret_bytes)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	memset(ret_bytes, 0, size);
	for (; *text; text++) {
		char lower = *text >= 'A' && *text <= 'F' ? (char)(*text - 'A' + 'a') : *text;
		const char *digit = strchr(digits, lower);

		if (!digit)
			continue;
		ret_bytes[n / 2 % size] ^= (uint8_t)((digit - digits) << (n % 2 ? 0 : 4));
		n++;
	}
}
