/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-kernel.c - what is the same for every transport: paths beneath a directory, counts. The transport is the test's. */

#include <errno.h>

#include "exportsd/kernel/transport.h"
#include "exportsd/kernel/upcall.h"
#include "tests/tap.h"

static struct {
	kernel_ask_fn take;
	void *userdata;
	char told[256]; /* the last answer */
	const char *content;
	unsigned int flushed; /* bits of caches */
	bool is_closed, is_paused;
} wire;

static int wire_answer(struct kernel_transport *transport, const struct kernel_answer *answer)
{
	ssize_t n = upcall_format(answer, wire.told, sizeof(wire.told));

	return n < 0 ? (int)n : 0;
}

static int wire_entries(const struct kernel_transport *transport, enum kernel_cache cache,
			kernel_entry_fn each, void *userdata)
{
	struct kernel_entry entry;
	char line[128];

	snprintf(line, sizeof(line), "%s", wire.content);
	return upcall_parse_entry(cache, line, &entry) == 0 ? each(userdata, &entry) : 0;
}

static int wire_flush(struct kernel_transport *transport, enum kernel_cache cache)
{
	wire.flushed |= 1U << cache;
	return 0;
}

static void wire_pause(struct kernel_transport *transport, bool pause)
{
	wire.is_paused = pause;
}

static void wire_close(struct kernel_transport *transport)
{
	wire.is_closed = true;
}

static struct kernel_transport transport = {
	wire_answer, wire_entries, wire_flush, wire_pause, wire_close,
};

int kernel_proc_open(struct kernel_transport **ret_transport, sd_event *event, const char *proc,
		     bool with_gids, kernel_ask_fn take, void *userdata)
{
	wire.take = take;
	wire.userdata = userdata;
	*ret_transport = &transport;
	return 0;
}

int kernel_proc_open_for_trials(struct kernel_transport **ret_transport, const char *proc,
				bool *ret_is_open)
{
	return -ENOMEM;
}

/* ---- the daemon's side ---- */

static char asked[128]; /* the last question's path */

static void on_question(void *userdata, const struct kernel_question *question)
{
	snprintf(asked, sizeof(asked), "%s", question->path ?: "none");
}

static void asks(enum kernel_cache cache, const char *line, const char *wanted, const char *what)
{
	struct kernel_question question;
	char room[128];

	asked[0] = wire.told[0] = '\0';
	if (upcall_parse(cache, line, room, &question) != 0)
		abort();
	wire.take(wire.userdata, &question);
	is_str(asked, wanted, what);
}

static void answers(struct kernel *kernel, const char *path, const char *wanted, const char *what)
{
	struct kernel_answer answer = {
		.about = { .cache = KERNEL_EXPORT, .domain = "*", .path = path }, .expiry = 12
	};

	is_int(kernel_answer(kernel, &answer), 0, what);
	is_str(wire.told, wanted, "  is what the kernel is told");
}

static int on_entry(void *userdata, const struct kernel_entry *entry)
{
	snprintf(asked, sizeof(asked), "%s", entry->path ?: entry->about.path ?: "none");
	return 1;
}

static void shows(struct kernel *kernel, enum kernel_cache cache, const char *line,
		  const char *wanted)
{
	asked[0] = '\0';
	wire.content = line;
	is_int(kernel_entries(kernel, cache, on_entry, NULL), *wanted != '\0', "an entry");
	is_str(asked, wanted, "  is shown as the daemon knows it");
}

static void beneath(struct kernel *kernel)
{
	struct kernel_answer fh = {
		.about = { .cache = KERNEL_FH, .domain = "*", .fsid = kernel_fsid_of_number(7) },
		.expiry = 12,
		.path = "/srv/a",
	};

	asks(KERNEL_EXPORT, "* /nfs\\040root/srv/a", "/srv/a", "a path beneath");
	asks(KERNEL_EXPORT, "* /nfs\\040root", "/", "the directory itself");
	asks(KERNEL_FH, "* 1 \\x07000000", "none", "a handle's question has no path");
	asks(KERNEL_IP, "nfsd 192.0.2.1", "none", "nor has an address'");
	is_str(wire.told, "", "none of them is answered here");
	asks(KERNEL_EXPORT, "* /nfs\\040rooted/a", "", "a path that only begins alike");
	ok(strncmp(wire.told, "* /nfs\\040rooted/a ", 19) == 0, "is answered no");
	asks(KERNEL_EXPORT, "* /", "", "and so is one above");

	answers(kernel, "/srv/a", "* /nfs\\040root/srv/a 12 \n", "an export");
	answers(kernel, "/", "* /nfs\\040root 12 \n", "the root");
	answers(kernel, "/proc/self/fd/7/.", "* /proc/self/fd/7/. 12 \n", "a descriptor");
	is_int(kernel_answer(kernel, &fh), 0, "a handle");
	is_str(wire.told, "* 1 \\x07000000 12 /nfs\\040root/srv/a \n", "  has its path joined");
	is_int(kernel_forget(kernel, &fh.about), 0, "which is forgotten");
	is_str(wire.told, "* 1 \\x07000000 1 \n", "by a no that is long over");

	shows(kernel, KERNEL_EXPORT, "/nfs\\040root/srv\t*(ro)", "/srv");
	shows(kernel, KERNEL_EXPORT, "/srv\t*(ro)", "");
	shows(kernel, KERNEL_FH, "* 1 0x00000007 /nfs\\040root", "/");
	shows(kernel, KERNEL_FH, "# * 1 0x00000007", "none");
}

int main(void)
{
	struct kernel *kernel;
	const struct kernel_counts *counts;

	is_int(kernel_open(&kernel, NULL, "/nowhere", true, on_question, NULL), 0, "it opens");
	asks(KERNEL_EXPORT, "* /srv/a", "/srv/a", "without rootdir paths are as they are");
	answers(kernel, "/srv/a", "* /srv/a 12 \n", "both ways");
	is_int(kernel_set_rootdir(kernel, "/nfs root"), 0, "with rootdir");
	beneath(kernel);
	kernel_flush_handles(kernel);
	is_int(wire.flushed, 1 << KERNEL_FH, "handles are flushed alone");
	kernel_flush(kernel);
	is_int(wire.flushed, (1 << KERNEL_N_CACHES) - 1, "or everything");
	kernel_pause(kernel, true);
	ok(wire.is_paused, "questions wait");
	counts = kernel_counts(kernel);
	is_int((long long)counts->asked[KERNEL_EXPORT], 5, "questions are counted");
	is_int((long long)counts->answered[KERNEL_EXPORT], 4, "answers of ours");
	is_int((long long)counts->forgotten, 1, "and what is forgotten");
	kernel_close(kernel);
	ok(wire.is_closed, "closed");
	return tap_done();
}
