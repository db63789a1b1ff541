/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load.c - from a wish to a mount, with a handler's help and none of its word taken on trust.
 *
 *	load_go_on() ◄────────────────────────────────────────────────────┐
 *	      ├── no number ──────────► WAITS, until it is there ─────────┤
 *	      ├── no placeholder ─────► it is recorded, and made ─────────┤
 *	      ├── mounted, known which ► FOUND                            │
 *	      ▼                                                           │
 *	ask_mount() ─── no, not yet ──► ABSENT, REFUSED, DELAYED, ...     │
 *	      ▼                                                           │
 *	check_number() ─ another one ─► adopted; cannot be ──► refuse()   │
 *	      ▼                                                           │
 *	verify() ────── not there ────► refuse() ──► unmounted ──► BROKEN │
 *	      ▼                                                           │
 *	identify_if_told() ── it may have been said of another mount ─────┘
 *	      ▼
 *	identify() ──── its number is recorded ──► FOUND
 *
 * A medium that is mounted already, by whomever, is taken as it is. The placeholder is opened
 * before the handler is asked, so that the covered directory can still be named once something is
 * mounted on it (media_placeholder_fd()). A detached mount that the handler sent is attached. Then
 * we look whether that path, beneath the rule's literal directory and over no symbolic link, is the
 * root of a mount that is not the placeholder's own, and which medium it is (identity.c). A
 * handler whose "ok" does not stand up to this is asked to unmount again, and its answer counts as
 * an error.
 */

#include <errno.h>
#include <stdio.h>

#include "exportsd/media/private.h"

static const uint64_t placeholder_usec = 10 * 1000000ull;

/* ---- have it mounted ---- */

void load_close_placeholder(struct medium *medium)
{
	closep(&medium->load.placeholder_fd);
	medium->load.placeholder_fd = -1;
}

static void on_placeholder_time(void *userdata)
{
	load_close_placeholder(userdata);
}

static void close_mount(struct medium *medium)
{
	closep(&medium->load.mount_fd);
	medium->load.mount_fd = -1;
}

/* It is there. */
static void found(struct medium *medium)
{
	struct media *media = media_of(medium);

	medium->load.percent = 100;
	if (medium->load.placeholder_fd >= 0)
		media_call_at(media, &medium->load.placeholder_timer,
			      media_now(media) + placeholder_usec, on_placeholder_time, medium);
	medium_report(medium, MEDIUM_MOUNT, MEDIUM_FOUND);
}

static void broken(struct medium *medium, int error, const char *what)
{
	medium_say_errno(medium, what, error);
	medium_report(medium, MEDIUM_MOUNT, MEDIUM_BROKEN);
}

static void on_undone(void *userdata, enum handler_outcome outcome,
		      const struct proto_message *message, int mount_fd, const char *why)
{
	struct medium *medium = userdata;

	medium->load.pending = NULL;
	closep(&mount_fd);
	medium_report(medium, MEDIUM_MOUNT, MEDIUM_BROKEN);
}

/* Its handler said ok, and it is not: it has been said why. */
static void refuse(struct medium *medium)
{
	static const struct handler_events events = { .done = on_undone };
	struct proto_writer writer = { 0 };

	close_mount(medium);
	if (medium->load.has_sent_mount) {
		medium_report(medium, MEDIUM_MOUNT, MEDIUM_BROKEN);
		return;
	}
	medium_begin_request(&writer, "unmount", medium);
	if (medium_ask(medium, &writer, &events, &medium->load.pending) < 0)
		medium_report(medium, MEDIUM_MOUNT, MEDIUM_BROKEN);
}

static void on_identified(struct medium *medium, int error)
{
	if (error == -ENODATA) {
		medium_say(medium,
			   "its handler does not say which medium this is, as it did before "
			   "(identity = path in exportsd.conf would not ask)");
		medium_report(medium, MEDIUM_MOUNT, MEDIUM_BROKEN);
		return;
	}
	if (error < 0) {
		broken(medium, error, "the number of what is mounted cannot be recorded");
		return;
	}
	identity_settled(medium, medium->load.identity);
	found(medium);
}

/* It is mounted; which of its numbers is it now? */
static void identify(struct medium *medium, int root_fd)
{
	int r = identity_settle(medium, root_fd, medium->load.identity, on_identified);

	if (r != -EINPROGRESS)
		on_identified(medium, r);
}

/* A file system that has no device of its own is another one each time. */
static bool is_what_was_sent(const struct medium *medium, int root_fd)
{
	struct mounts_place sent, there;

	return root_fd >= 0 && mounts_look(root_fd, &there) == 0 &&
	       mounts_look(medium->load.mount_fd, &sent) == 0 && mounts_same(&sent, &there);
}

/*
 * Returns false if the mount that its handler sent cannot be had at the path, and says why.
 */
static bool attach(struct medium *medium)
{
	int r = mounts_is_detached(medium->load.mount_fd);

	if (r > 0 && medium->load.was_mounted) {
		CLEANUP(closep) int root = medium_open_root(medium);

		if (is_what_was_sent(medium, root))
			return true;
		medium_say(medium,
			   "another mount is there than the one its handler sent; unmount it");
		return false;
	}
	if (r == 0) {
		medium_say(medium,
			   "what its handler sent is no detached mount (fsmount(2), open_tree(2))");
		return false;
	}
	if (r > 0)
		r = mounts_attach(medium->load.mount_fd, medium->load.placeholder_fd);
	if (r < 0)
		medium_say_errno(medium, "the mount that its handler sent cannot be attached", r);
	return r == 0;
}

/*
 * It is mounted. What its handler said may be of another mount: of one that came and went, or of
 * none yet.
 */
static void identify_if_told(struct medium *medium, int root_fd)
{
	bool is_told = medium->load.mount_fd >= 0 ? is_what_was_sent(medium, root_fd)
						  : identity_is_told(medium, root_fd);

	close_mount(medium);
	if (is_told) {
		identify(medium, root_fd);
	} else if (medium->load.was_mounted) {
		medium_say(medium, "something else was mounted there while its handler was asked");
		medium_report(medium, MEDIUM_MOUNT, MEDIUM_DELAYED);
	} else {
		load_go_on(medium);
	}
}

/* The handler says it is mounted: is it? */
static void verify(struct medium *medium)
{
	enum placeholder_state state;
	CLEANUP(closep) int fd = -1;

	if (medium->load.mount_fd >= 0 && !attach(medium)) {
		refuse(medium);
		return;
	}
	fd = medium_open_path(medium, &state);
	if (fd >= 0 && state == PLACEHOLDER_MEDIUM) {
		identify_if_told(medium, fd);
		return;
	}
	if (fd >= 0)
		medium_say(medium, "its handler said ok, but nothing is mounted there");
	else if (fd == -ELOOP)
		medium_say(medium, "its handler said ok, but the path leads over a symbolic link");
	else
		medium_say_errno(medium, "its handler said ok, but the path cannot be opened", fd);
	if (medium->load.mount_fd >= 0 && !medium->load.was_mounted)
		(void)mounts_detach(medium->load.mount_fd);
	refuse(medium);
}

static void refuse_number(struct medium *medium, int error)
{
	struct media *media = media_of(medium);
	const char *other = numbers_path(media->numbers, medium->load.number);
	CLEANUP(freep) char *text = NULL;
	int n;

	if (other)
		n = asprintf(&text, "its handler wants number %u, which is that of '%s'",
			     medium->load.number, other);
	else
		n = asprintf(&text,
			     "its handler wants number %u, but it has number %u for ever: %s",
			     medium->load.number, numbers_get(media->numbers, medium->path),
			     strerror(-error));
	if (n < 0)
		text = NULL;
	medium_say(medium, text);
	refuse(medium);
}

static void on_adopted(void *userdata, int error)
{
	struct medium *medium = userdata;

	medium->load.pending = NULL;
	if (error < 0)
		refuse_number(medium, error);
	else
		verify(medium);
}

/* Returns 0: nothing against the number; -EINPROGRESS: on_adopted() will go on; -errno. */
static int check_number(struct medium *medium, const struct proto_message *message)
{
	struct media *media = media_of(medium);
	const char *owner, *identity = NULL;
	uint64_t number;
	int r = proto_get_u64(message, "fsid", UINT32_MAX, &number);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	/*
	 * The proposed one, given back: of whichever medium it is, that is for identity.c to
	 * say.
	 */
	if (number == numbers_get(media->numbers, medium->path))
		return 0;
	if (identity_is_strict(medium))
		identity = proto_get(message, "identity");
	owner = numbers_path(media->numbers, (uint32_t)number);
	if (owner && str_equal(owner, medium->path) &&
	    (!identity || numbers_get_for(media->numbers, medium->path, identity) == number))
		return 0;
	medium->load.number = (uint32_t)number;
	r = numbers_adopt(media->numbers, medium->path, identity, (uint32_t)number, on_adopted,
			  medium, &medium->load.pending);
	return r < 0 ? r : -EINPROGRESS;
}

/* Never what it said of an earlier mount. */
static int take_identity(struct medium *medium, const struct proto_message *message)
{
	const char *identity = proto_get(message, "identity");

	free(TAKE_PTR(medium->load.identity));
	if (!identity || !*identity)
		return 0;
	medium->load.identity = strdup(identity);
	return medium->load.identity ? 0 : -ENOMEM;
}

static void take_ok(struct medium *medium, const struct proto_message *message, int mount_fd)
{
	int r;

	medium->load.mount_fd = mount_fd;
	medium->load.has_sent_mount = mount_fd >= 0;
	rule_take_kind(medium->rule, message, true);
	medium_take_facts(medium, message);
	r = take_identity(medium, message);
	if (r == 0)
		r = check_number(medium, message);
	if (r == -EINPROGRESS)
		return;
	if (r == 0) {
		verify(medium);
		return;
	}
	medium_say_errno(medium, "the number its handler wants cannot be used", r);
	refuse(medium);
}

static void on_mount_message(void *userdata, const struct proto_message *message)
{
	struct medium *medium = userdata;
	const char *text = proto_get(message, "message");
	uint64_t percent;

	if (!str_equal(message->word, "progress"))
		return;
	if (proto_get_u64(message, "percent", 100, &percent) == 0)
		medium->load.percent = (unsigned int)percent;
	if (text)
		medium_say(medium, text);
	medium_changed(medium);
}

static void on_mount_done(void *userdata, enum handler_outcome outcome,
			  const struct proto_message *message, int mount_fd, const char *why)
{
	struct medium *medium = userdata;

	medium->load.pending = NULL;
	medium_explain(medium, outcome, message, why);
	if (outcome == HANDLER_OK) {
		take_ok(medium, message, mount_fd);
		return;
	}
	closep(&mount_fd);
	medium_report(medium, MEDIUM_MOUNT, medium_event_of(outcome));
}

static void ask_mount(struct medium *medium)
{
	static const struct handler_events events = { .message = on_mount_message,
						      .done = on_mount_done };
	struct media *media = media_of(medium);
	const char *client = NULL, *domain = NULL;
	struct proto_writer writer = { 0 };
	int r;

	medium_forget_users(medium);
	if (medium_first_asker(medium, &client, &domain)) {
		media_set_string(&medium->load.client, client);
		media_set_string(&medium->load.domain, domain);
	}
	medium_begin_request(&writer, "mount", medium);
	proto_put_u64(&writer, "fsid", numbers_get(media->numbers, medium->path));
	proto_put(&writer, "options", medium->rule->is_writable ? "rw" : "ro");
	if (medium->load.client)
		proto_put(&writer, "client", medium->load.client);
	if (medium->load.domain)
		proto_put(&writer, "domain", medium->load.domain);
	proto_put_u64(&writer, "deadline-ms", medium->rule->limits.deadline_usec / 1000);
	r = medium_ask(medium, &writer, &events, &medium->load.pending);
	if (r < 0) {
		medium_say_errno(medium, "its handler cannot be asked", r);
		medium_report(medium, MEDIUM_MOUNT, MEDIUM_DELAYED);
	}
}

static void on_recorded(void *userdata, int error);

/* Make the placeholder; each directory is recorded as the daemon's own before it is made. */
static void make_placeholder(struct medium *medium, int directory_fd)
{
	struct media *media = media_of(medium);
	char **paths = NULL;
	size_t n_paths = 0;
	int r = places_missing(directory_fd, medium, &paths, &n_paths);

	if (r >= 0)
		r = numbers_record_directories(media->numbers, (const char *const *)paths, n_paths,
					       true, on_recorded, medium, &medium->load.pending);
	places_free_paths(paths, n_paths);
	if (r < 0)
		broken(medium, r, "its placeholder cannot be made");
}

static void on_recorded(void *userdata, int error)
{
	struct medium *medium = userdata;
	CLEANUP(closep) int directory = -1;

	medium->load.pending = NULL;
	directory = rule_open_directory(medium->rule);
	if (error == 0)
		error = directory < 0 ? directory : placeholder_make(directory, medium->key);
	if (error == 0 && medium->rule->facts.parent_exported)
		(void)placeholder_bind(directory, medium->key);
	if (error < 0)
		broken(medium, error, "its placeholder cannot be made");
	else
		load_go_on(medium);
}

/* What is in its placeholder's place is not one. */
static void blocked(struct medium *medium, int error)
{
	if (error == -ELOOP)
		medium_say(medium, "a symbolic link is in its placeholder's place");
	else
		medium_say_errno(medium, "its placeholder cannot be opened", error);
	medium_report(medium, MEDIUM_MOUNT, MEDIUM_BROKEN);
}

/* From the start, or from where it waited for something. */
void load_go_on(struct medium *medium)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(closep) int fd = -1;
	enum placeholder_state state;
	int r;

	if (!numbers_get(media_of(medium)->numbers, medium->path)) {
		medium_report(medium, MEDIUM_MOUNT, MEDIUM_WAITS);
		return;
	}
	directory = rule_open_directory(medium->rule);
	if (directory < 0) {
		medium_say_errno(medium, "its rule's directory cannot be opened", directory);
		medium_report(medium, MEDIUM_MOUNT, MEDIUM_DELAYED);
		return;
	}
	fd = mounts_open_beneath(directory, medium->key);
	if (fd == -ENOENT) {
		make_placeholder(medium, directory);
		return;
	}
	r = fd < 0 ? fd : medium_look(medium, directory, fd, &state);
	if (r < 0) {
		blocked(medium, r);
		return;
	}
	medium->load.was_mounted = state == PLACEHOLDER_MEDIUM;
	if (medium->load.was_mounted) {
		if (identity_is_settled(medium, fd)) {
			found(medium);
		} else {
			identity_asked(medium, fd);
			ask_mount(medium);
		}
		return;
	}
	medium->load.was_absent = true;
	identity_asked(medium, -1);
	later_cancel(&medium->load.placeholder_timer);
	closep(&medium->load.placeholder_fd);
	medium->load.placeholder_fd = TAKE_FD(fd);
	ask_mount(medium);
}

void load_begin(struct medium *medium)
{
	medium->load.percent = 0;
	medium->load.was_absent = false;
	load_go_on(medium);
}

void load_log_mounted(const struct medium *medium)
{
	const struct media *media = media_of(medium);
	uint64_t begun = medium->life.part[MEDIUM_MOUNT].begun_usec;

	log_info(ABOUT_MEDIUM(medium), "'%s' is mounted, number %u, after %.3f s", medium->path,
		 numbers_get(media->numbers, medium->path),
		 (double)(media_now(media) - begun) / 1e6);
}

/* Who waits goes on waiting. */
void load_stop(struct medium *medium)
{
	pending_cancel(&medium->load.pending);
	close_mount(medium);
	if (medium_stage(medium, MEDIUM_MOUNT) != MEDIUM_DONE)
		load_close_placeholder(medium);
}

void load_done(struct medium *medium)
{
	later_cancel(&medium->load.placeholder_timer);
	closep(&medium->load.placeholder_fd);
	free(medium->load.identity);
	free(medium->load.client);
	free(medium->load.domain);
}
