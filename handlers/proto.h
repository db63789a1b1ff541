/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * proto.h - the wire codec: messages of key=value lines (exportsd-handler(7)).
 *
 *	exportsd/1 mount
 *	id=17
 *	path=/mnt/cdrom/debian-12
 *				(an empty line ends the message)
 *
 * The first line is the version and one word: a verb, or an outcome. Values are escaped by
 * the \ooo codec (ESCAPE_WIRE), so a value may hold any byte but NUL. Keys are [a-z0-9-]; one may
 * occur several times. Unknown keys are the reader's to ignore.
 *
 * Handlers, the daemon, its workers and exportsctl all speak it. Pure: bytes in, bytes out.
 */

#include <stdint.h>

#include "parser/base.h"

enum {
	PROTO_VERSION = 1,
	PROTO_LINE_MAX = 20 * 1024, /* a 4,096-byte path is up to 16,384 escaped */
	PROTO_MESSAGE_MAX = 128 * 1024, /* bytes, with its empty line */
	PROTO_FIELDS_MAX = 1024,
};

struct proto_field {
	const char *key;
	const char *value; /* decoded, NUL-terminated */
};

/* A parsed message. Strings point into the buffer that proto_parse() was given. */
struct proto_message {
	const char *word; /* "mount", "ok", ... */
	struct proto_field *fields;
	size_t n_fields;
};

/* ---- reading ---- */

enum { PROTO_MORE = 1 };

/*
 * proto_parse - take one message off the front of a buffer.
 *
 * @buffer:  @n_bytes received bytes; decoded in place when a message is complete
 * @ret_message: free its fields with proto_message_done(); valid while the buffer is left alone
 * @ret_used:    bytes of the buffer the message took
 * @ret_why:     on -EBADMSG a static text saying what is wrong
 *
 * Returns 0; PROTO_MORE (not complete yet, buffer untouched); -EBADMSG (bad version, a line without
 * '=', a bad key, a NUL byte, too many fields, a line or message beyond its limit: the
 * connection cannot be used any more); -ENOMEM.
 */
int proto_parse(char *buffer, size_t n_bytes, struct proto_message *ret_message, size_t *ret_used,
		const char **ret_why);
void proto_message_done(struct proto_message *message);

/* proto_get - the first value of a key, or NULL. */
const char *proto_get(const struct proto_message *message, const char *key);

/*
 * proto_get_u64 - the first value of a key as a decimal number.
 *
 * Returns 0; -ENOENT if the key is absent; -EINVAL if it is no number or above @max.
 */
int proto_get_u64(const struct proto_message *message, const char *key, uint64_t max,
		  uint64_t *ret_value);

/* ---- writing ---- */

/* A message being written. Zero-initialise; an error sticks and shows in proto_end(). */
struct proto_writer {
	char *bytes;
	size_t n_bytes;
	size_t size;
	int error;
	size_t start; /* where the message being written starts */
	size_t n_fields; /* it has so far */
};

/* Start a message: after proto_end() a further one may follow in the same writer. */
void proto_begin(struct proto_writer *writer, const char *word);
/* @value: NULL leaves the key out */
void proto_put(struct proto_writer *writer, const char *key, const char *value);
void proto_put_bytes(struct proto_writer *writer, const char *key, const void *value,
		     size_t n_bytes);
void proto_put_u64(struct proto_writer *writer, const char *key, uint64_t value);
void proto_printf(struct proto_writer *writer, const char *key, const char *format, ...)
	FORMAT_PRINTF(3, 4);

/*
 * proto_end - close the message.
 *
 * Returns 0; -ENOMEM; -EINVAL (a bad key, a NUL byte in a value); -E2BIG (beyond the limits): the
 * message is not in the writer then, those before it are.
 */
int proto_end(struct proto_writer *writer);
void proto_writer_done(struct proto_writer *writer);

/* ---- words that both sides know ---- */

/* Outcomes of a request, in the order of the manual. */
enum proto_outcome {
	PROTO_OK,
	PROTO_NOENT, /* no such medium */
	PROTO_DENIED, /* not for this client */
	PROTO_BUSY, /* try later: every drive in use */
	PROTO_ERROR, /* errno=NAME message=TEXT */
	PROTO_UNSUPPORTED, /* the verb is not known */
	PROTO_N_OUTCOMES,
};

/* proto_outcome - the outcome a word names, or -1 (progress and list entries are none). */
int proto_outcome(const char *word);
const char *proto_outcome_word(enum proto_outcome outcome);

/* proto_errno_name - "ENOENT" for ENOENT; "EIO" for a number that has no name. */
const char *proto_errno_name(int number);
