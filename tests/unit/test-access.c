/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-access.c - from who asks to what lies there: each step, what it tells, and that one thing is waited for. */

#include <arpa/inet.h>
#include <errno.h>

#include "exportsd/questions/access.h"
#include "tests/fake/facts.h"
#include "tests/tap.h"

static struct daemon server;

/* ---- who and what is asked: answered when the test says so ---- */

static struct {
	struct pending pending;
	clients_domain_fn domain;
	paths_facts_fn path;
	void *userdata;
	bool is_patient, is_open;
	char looked_at[64];
	unsigned int n_asked;
} asked;

static bool knows_now; /* no names are needed */
static int refusal;

static void cancel(struct pending *pending)
{
	asked.is_open = false;
}

static int open_question(struct pending **ret_pending)
{
	ok(!asked.is_open && !*ret_pending, "one thing is asked at a time");
	asked.n_asked++;
	asked.is_open = refusal == 0;
	asked.pending.cancel = cancel;
	if (refusal == 0)
		*ret_pending = &asked.pending;
	return refusal;
}

int clients_domain(struct names *names, sd_event *event, const struct snapshot *snapshot,
		   const struct address *address, bool patient, clients_domain_fn done,
		   void *userdata, char **ret_domain, struct pending **ret_question)
{
	asked.domain = done;
	asked.userdata = userdata;
	asked.is_patient = patient;
	if (!knows_now)
		return open_question(ret_question);
	*ret_domain = strdup("*");
	return CLIENTS_NOW;
}

/* names/clients.c */
bool clients_is_by_address(const char *kernel_domain, struct address *ret_address)
{
	*ret_address = (struct address){ 0 };
	if (kernel_domain[0] == '$' && inet_pton(AF_INET, kernel_domain + 1, &ret_address->v4) == 1)
		ret_address->family = AF_INET;
	return kernel_domain[0] == '$';
}

int paths_facts(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		struct pending **ret_question)
{
	asked.path = done;
	asked.userdata = userdata;
	snprintf(asked.looked_at, sizeof(asked.looked_at), "%s", path);
	return open_question(ret_question);
}

static void say_domain(const char *domain, bool complete)
{
	asked.is_open = false;
	asked.domain(asked.userdata, domain, complete);
}

static void say_facts(int error, bool is_mount_root)
{
	const struct paths_facts facts = { .is_mount_root = is_mount_root };

	asked.is_open = false;
	asked.path(asked.userdata, error, error ? NULL : &facts);
}

/* ---- the asker ---- */

static unsigned int n_who, n_seen;
static int who_error, seen_error;
static enum access_seen seen_what;
static bool has_facts;

static void on_who(void *userdata, int error)
{
	n_who++;
	who_error = error;
}

static void on_seen(void *userdata, enum access_seen seen, int error,
		    const struct paths_facts *facts)
{
	n_seen++;
	seen_what = seen;
	seen_error = error;
	has_facts = facts;
}

static const struct access_steps steps = { on_who, on_seen };

static void is_seen(enum access_seen wanted, int error, const char *what)
{
	ok(n_seen == 1 && seen_what == wanted && seen_error == error, "%s", what);
	ok(has_facts == (wanted == ACCESS_SEEN && *asked.looked_at),
	   "facts are told if there are any");
	n_seen = 0;
}

static void who(struct access *access)
{
	struct address address = { .family = AF_INET };

	is_int(access_ask_domain(access, "*"), 0, "a domain of the kernel's");
	ok(n_who == 1 && str_equal(access->domain, "*") && access->is_complete, "is known at once");
	is_int(access_ask_domain(access, "$nobody"), -EINVAL, "one that is nobody's");
	is_int(n_who, 1, "leads nowhere");
	is_int(access_ask_domain(access, "$192.0.2.7"), 0, "an address");
	ok(n_who == 1 && asked.is_open, "is asked about");
	access_stop(access);
	ok(!asked.is_open && !access->pending, "unless it is stopped");
	access_ask_address(access, &address, false);
	say_domain(NULL, false);
	ok(n_who == 2 && who_error == 0 && !access->domain, "the name service is silent");
	is_int((long long)client_set_size(access_clients(access)), 0, "so nobody is known");
	ok(access_asks_on(access) && asked.is_patient && asked.is_open, "it gets its time");
	say_domain("*", true);
	ok(n_who == 3 && str_equal(access->domain, "*"), "and says");
	ok(!access_asks_on(access), "then nothing is left to ask");
	access_stop(access);
	refusal = -EAGAIN;
	access_ask_address(access, &address, false);
	ok(n_who == 4 && who_error == -EAGAIN, "that it cannot be asked is told");
	refusal = 0;
	knows_now = true;
	access_ask_address(access, &address, false);
	ok(n_who == 5 && access->is_complete && !access->pending, "without names it is known now");
	knows_now = false;
	access_stop(access);
}

static void which(struct access *access)
{
	struct address address = { .family = AF_INET };

	access_ask_address(access, &address, false);
	say_domain("192.0.2.0/24", false);
	is_int(access_find(access, "/srv/net", snapshot_find), 0, "an export by subnet");
	is_int(access->found, SNAPSHOT_FOUND_EXPORT, "is found whatever the names are");
	is_int(access_find(access, "/srv/all", snapshot_find), ACCESS_ASKS_ON,
	       "another may depend on them");
	say_domain("*,192.0.2.0/24", false);
	is_int(access_find(access, "/srv/all", snapshot_find), 0, "which are waited for once");
	is_int(access->found, SNAPSHOT_FOUND_EXPORT, "and then it is found");
	is_int(access_find(access, "/srv/all/below", snapshot_find_mount), 0, "MOUNT's way");
	is_str(access->match.export->path, "/srv/all", "finds what lies above");
	access_stop(access);
}

static void there(struct access *access)
{
	access_ask_domain(access, "*");
	access_find(access, "/srv/all", snapshot_find);
	asked.looked_at[0] = '\0';
	access_look(access, NULL);
	is_seen(ACCESS_SEEN, 0, "no mountpoint, no path: it is there");
	access_look(access, "/srv/all");
	say_facts(0, false);
	is_seen(ACCESS_SEEN, 0, "a path is looked at");
	access_look(access, "/srv/all");
	say_facts(-ENOENT, false);
	is_seen(ACCESS_GONE, -ENOENT, "and is not there");
	access_look(access, "/srv/all");
	say_facts(-ETIMEDOUT, false);
	is_seen(ACCESS_UNSEEN, -ETIMEDOUT, "or nobody could look");

	access_find(access, "/srv/mp", snapshot_find);
	access_look(access, "/srv/mp/x");
	is_str(asked.looked_at, "/srv/mp", "the mountpoint comes first");
	say_facts(0, true);
	is_str(asked.looked_at, "/srv/mp/x", "then the path");
	say_facts(0, false);
	is_seen(ACCESS_SEEN, 0, "both are there");
	access_look(access, "/srv/mp/x");
	say_facts(0, false);
	is_seen(ACCESS_NOT_MOUNTED, 0, "nothing is mounted there");
	access_look(access, "/srv/mp/x");
	say_facts(-ENOENT, false);
	is_seen(ACCESS_NOT_MOUNTED, -ENOENT, "nor is there a place for it");
	access_look(access, "/srv/mp/x");
	say_facts(-EIO, false);
	is_seen(ACCESS_UNSEEN, -EIO, "a bad disk says nothing");
	refusal = -ENOMEM;
	access_look(access, "/srv/mp/x");
	is_seen(ACCESS_UNSEEN, -ENOMEM, "nor does who cannot be asked");
	refusal = 0;
	access_look(access, "/srv/mp/x");
	access_stop(access);
	ok(!asked.is_open && n_seen == 0, "nothing is told to who has stopped");
}

int main(void)
{
	struct diags diags = { 0 };
	struct facts facts = { 0 };
	struct access access;

	server.snapshot = facts_snapshot(
		&facts, "/srv/net 192.0.2.0/24(ro)\n/srv/all *(ro)\n/srv/mp *(ro,mountpoint)\n",
		false, &diags);
	diags_done(&diags);
	access_init(&access, &server, &steps, NULL);
	who(&access);
	which(&access);
	there(&access);
	snapshot_free(server.snapshot);
	return tap_done();
}
