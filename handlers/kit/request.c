/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.c - the operation's view of its request.
 *
 * Everything an operation says becomes a message on one socket, in order: progress, entries, and
 * last the outcome. The kit on the other side adds the id and passes them on. When the kit is
 * gone there is nobody to tell: writing fails silently and the operation finishes its work.
 */

#include <errno.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "handlers/kit/request.h"
#include "parser/text.h"

enum { FLUSH_BYTES = 16 * 1024 };

struct kit_request {
	const struct proto_message *asked;
	struct proto_writer ok; /* the outcome, should it be ok */
	struct proto_writer out; /* whole messages that were not written yet */
	char *why;
	int fd;
};

const char *kit_get(const struct kit_request *request, const char *key)
{
	return proto_get(request->asked, key);
}

void kit_put(struct kit_request *request, const char *key, const char *value)
{
	proto_put(&request->ok, key, value);
}

void kit_put_u64(struct kit_request *request, const char *key, uint64_t value)
{
	proto_put_u64(&request->ok, key, value);
}

static void write_all(int fd, const char *bytes, size_t n_bytes)
{
	while (n_bytes > 0) {
		ssize_t n = send(fd, bytes, n_bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		bytes += n;
		n_bytes -= (size_t)n;
	}
}

void kit_flush(struct kit_request *request)
{
	write_all(request->fd, request->out.bytes, request->out.n_bytes);
	proto_writer_done(&request->out);
}

struct proto_writer *kit_entry(struct kit_request *request, const char *word)
{
	proto_begin(&request->out, word);
	return &request->out;
}

void kit_entry_end(struct kit_request *request)
{
	int r = proto_end(&request->out);

	/* An entry that cannot be sent is one medium less; the others still count. */
	if (r < 0)
		kit_log(LOG_WARNING, "leaving an entry out: %s", strerror(-r));
	if (request->out.n_bytes >= FLUSH_BYTES)
		kit_flush(request);
}

void kit_progress(struct kit_request *request, int percent, const char *format, ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = text_vformat(format, ap);
	va_end(ap);
	proto_begin(&request->out, "progress");
	if (percent >= 0)
		proto_put_u64(&request->out, "percent", percent > 100 ? 100 : (uint64_t)percent);
	proto_put(&request->out, "message", text);
	if (proto_end(&request->out) == 0)
		kit_flush(request);
}

int kit_why(struct kit_request *request, int outcome, const char *format, ...)
{
	va_list ap;

	free(request->why);
	va_start(ap, format);
	request->why = text_vformat(format, ap);
	va_end(ap);
	return outcome;
}

static int put_outcome(struct kit_request *request, int outcome)
{
	struct proto_writer *out = &request->out;

	proto_begin(out, proto_outcome_word(outcome < 0 ? PROTO_ERROR : outcome));
	if (outcome < 0)
		proto_put(out, "errno", proto_errno_name(-outcome));
	if (request->why)
		proto_put(out, "message", request->why);
	else if (outcome < 0)
		proto_put(out, "message", strerror(-outcome));
	return proto_end(out);
}

void kit_request_run(kit_operation operation, void *userdata, const struct proto_message *asked,
		     int fd)
{
	struct kit_request request = { .asked = asked, .fd = fd };
	int outcome;

	proto_begin(&request.ok, proto_outcome_word(PROTO_OK));
	outcome = operation(&request, userdata);
	if (outcome == PROTO_OK) {
		outcome = proto_end(&request.ok);
		kit_flush(&request);
		write_all(fd, request.ok.bytes, request.ok.n_bytes);
	}
	if (outcome != PROTO_OK) {
		if (outcome == PROTO_ERROR)
			outcome = -EIO;
		if (put_outcome(&request, outcome) < 0) { /* its text is too long, most likely */
			kit_why(&request, outcome, "the reason does not fit into a message");
			put_outcome(&request, outcome);
		}
		kit_flush(&request);
	}
	free(request.why);
	proto_writer_done(&request.ok);
	proto_writer_done(&request.out);
}
