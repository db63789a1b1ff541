/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * reader.c - sets of options, option lists and clients, found again by their text.
 *
 * A list's key is the address of the defaults it starts from, their number, and its text; as sets
 * of defaults are kept once, the address stands for what they are. A list that there was a message
 * about is not kept: the message is due at the next place, too.
 *
 * Where many lines have a number of their own, as in (ro,fsid=17), their lists are one list but for
 * that number: the key has a byte in its place that no number has.
 */

#include "parser/reader.h"

#include <errno.h>

/*
 * Where in a list the only number of an fsid= is; length 0: there is none, or it is not that
 * simple.
 */
struct number_in_list {
	size_t at, length;
	uint32_t value;
};

/*
 * Digits that mean what they say: no octal, no overflow. Returns how many, and 0 for anything else.
 */
static size_t plain_number(const char *text, size_t length, uint32_t *ret_value)
{
	enum { DIGITS_MAX = 9 };
	uint32_t value = 0;
	size_t n = 0;

	for (; n < length && text[n] >= '0' && text[n] <= '9' && n <= DIGITS_MAX; n++)
		value = value * 10 + (uint32_t)(text[n] - '0');
	if (n > DIGITS_MAX || (n < length && text[n] != ',') || (n > 1 && text[0] == '0'))
		return 0;
	*ret_value = value;
	return n;
}

static struct number_in_list find_number(const char *text, size_t length)
{
	static const char name[] = "fsid=";
	const size_t name_length = sizeof(name) - 1;
	struct number_in_list found = { 0 };
	const char *at = memmem(text, length, name, name_length), *behind;

	if (!at || (at > text && at[-1] != ','))
		return found;
	behind = at + name_length;
	if (memmem(behind, (size_t)(text + length - behind), name, name_length))
		return found;
	found.at = (size_t)(behind - text);
	found.length = plain_number(behind, length - found.at, &found.value);
	return found;
}

/* The key of a list in reader->key. Returns its length, or 0 when memory is out. */
static size_t make_key(struct reader *reader, const struct option_list *list,
		       const struct kept_options *defaults, const struct number_in_list *number)
{
	static const char any_number = '\1';
	const char *text = list->word->text + list->begin;
	size_t length = list->end - list->begin;
	size_t size = sizeof(defaults->set) + sizeof(defaults->fsid) + length + 1;
	size_t behind = number->at + number->length;
	char *key;

	if (size > reader->key_size) {
		key = realloc(reader->key, 2 * size);
		if (!key)
			return 0;
		reader->key = key;
		reader->key_size = 2 * size;
	}
	key = mempcpy(reader->key, &defaults->set, sizeof(defaults->set));
	key = mempcpy(key, &defaults->fsid, sizeof(defaults->fsid));
	if (!number->length)
		return (size_t)((char *)mempcpy(key, text, length) - reader->key);
	key = mempcpy(key, text, number->at);
	*key++ = any_number;
	return (size_t)((char *)mempcpy(key, text + behind, length - behind) - reader->key);
}

int reader_options(struct reader *reader, const struct option_list *list,
		   const struct kept_options *defaults, struct kept_options *ret_options)
{
	size_t n_warnings = reader->diags->n_warnings;
	struct number_in_list number =
		find_number(list->word->text + list->begin, list->end - list->begin);
	size_t key_length = make_key(reader, list, defaults, &number);
	struct kept_options kept = { .fsid = defaults->fsid };
	const struct kept_list *known;
	struct export_options options;
	int result;

	if (key_length == 0)
		return -ENOMEM;
	known = kept_list(&reader->kept, reader->key, key_length);
	if (known) {
		*ret_options = known->options;
		if (number.length)
			ret_options->fsid = number.value;
		return 0;
	}
	memcpy(&options, defaults->set, sizeof(options));
	result = options_apply(list, reader->arena, reader->diags, &options, &kept.fsid);
	if (result < 0)
		return result;
	kept.set = kept_set(&reader->kept, reader->arena, &options);
	if (!kept.set)
		return -ENOMEM;
	if (result == 0 && reader->diags->n_warnings == n_warnings &&
	    !kept_add_list(&reader->kept, reader->scratch, reader->key, key_length, &kept))
		return -ENOMEM;
	*ret_options = kept;
	return result;
}

/* What is a client to the grammar, but most likely not what was meant. */
static const char *client_doubt(const struct client_spec *spec)
{
	const char *text = spec->text;

	if (spec->type == CLIENT_WILDCARD && text[0] == '[' && strchr(text, ':'))
		return "brackets make it a set of characters in host names; "
		       "write an IPv6 address without them";
	if (spec->type == CLIENT_WILDCARD && text[strspn(text, "0123456789.*?[]-/")] == '\0')
		return "wildcards match host names, never addresses; write a subnet, as in 192.0.2.0/24";
	if (spec->type == CLIENT_NETGROUP && text[1] == '\0')
		return "the netgroup has no name";
	if (str_equal(text, "\\"))
		return "a backslash continues a line only as its very last byte; remove what "
		       "follows it (blanks, a carriage return)";
	if (spec->type == CLIENT_HOST && strpbrk(text, ",;"))
		return "no host name has that; clients are separated by blanks";
	if (spec->type == CLIENT_HOST && strchr(text, ')'))
		return "no '(' comes before the ')'";
	return NULL;
}

int reader_client(struct reader *reader, const char *text, const struct reader_client **ret_client)
{
	size_t length = strlen(text);
	struct reader_client *client = kept_client(&reader->kept, text, length);
	struct client_spec *spec;
	char *copy;
	int r;

	if (!client) {
		copy = arena_copy(reader->arena, text, length);
		spec = arena_alloc(reader->arena, sizeof(*spec));
		if (!copy || !spec)
			return -ENOMEM;
		client = kept_add_client(&reader->kept, reader->scratch, copy, length);
		if (!client)
			return -ENOMEM;
		client->spec = spec;
		r = client_spec_parse(copy, spec, &client->fault);
		if (r < 0)
			return r;
		if (r == 0)
			client->doubt = client_doubt(spec);
	}
	*ret_client = client;
	return 0;
}

struct export_item *reader_new_item(struct reader *reader)
{
	size_t n_room = reader->n_room ? 2 * reader->n_room : 64;
	struct export_item *items;

	if (reader->n_items == reader->n_room) {
		items = reallocarray(reader->items, n_room, sizeof(*items));
		if (!items)
			return NULL;
		reader->items = items;
		reader->n_room = n_room;
	}
	return &reader->items[reader->n_items++];
}

int reader_init(struct reader *reader, struct diags *diags)
{
	struct export_options defaults;

	*reader = (struct reader){
		.diags = diags,
		.arena = arena_new(),
		.scratch = arena_new(),
	};
	if (!reader->arena || !reader->scratch)
		return -ENOMEM;
	options_init(&defaults);
	reader->defaults.set = kept_set(&reader->kept, reader->arena, &defaults);
	return reader->defaults.set ? 0 : -ENOMEM;
}

void reader_done(struct reader *reader)
{
	kept_done(&reader->kept);
	free(reader->items);
	free(reader->key);
	arena_free(reader->arena);
	arena_free(reader->scratch);
}
