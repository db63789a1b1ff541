/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/kernel/states.h"

#include <errno.h>
#include <sys/sysmacros.h>
#include <utlist.h>

#include "exportsd/base/background.h"
#include "exportsd/base/log.h"
#include "exportsd/worker/worker.h"

/* One waits for clients of one file system: another need not wait for those. */
enum { LETTING_GO_AT_ONCE = 4 };
/* A process that takes longer is killed; what the kernel has begun goes on. */
static const uint64_t letting_go_usec = 60 * UINT64_C(1000000);

struct asker {
	struct pending pending;
	struct asker *prev, *next;
	struct kernel_states *states;
	uint64_t not_before_usec; /* the reading must have begun then */
	kernel_looked_fn done; /* NULL: */
	kernel_held_fn held;
	dev_t device;
	uint64_t quiet_usec;
	void *userdata;
};

struct kernel_states {
	sd_event *event;
	char *proc;
	struct worker *worker; /* NULL: nothing was to be taken away yet */
	struct asker *askers;
	struct later tell;

	struct pending *reading; /* the thread; NULL: none */
	uint64_t begun_usec; /* the reading, or the last one; 0: there was none */
	/* The thread's while it reads. */
	int error;
	struct kernel_holdings *holdings;
};

/* ---- looking ---- */

static void read_states(void *userdata)
{
	struct kernel_states *states = userdata;

	states->error = kernel_holdings_read(states->proc, &states->holdings);
}

static void on_read(void *userdata);

static void start_reading(struct kernel_states *states)
{
	int r;

	states->holdings = kernel_holdings_free(states->holdings);
	states->begun_usec = later_now_usec();
	r = background_start(&states->reading, states->event, read_states, on_read, states);
	if (r < 0)
		states->error = r;
}

static void asker_free(struct pending *pending)
{
	struct asker *asker = (struct asker *)pending;

	DL_DELETE(asker->states->askers, asker);
	free(asker);
}

/* One that can be told by what is known. */
static struct asker *next_told(const struct kernel_states *states)
{
	struct asker *asker;

	DL_FOREACH (states->askers, asker)
		if (asker->not_before_usec <= states->begun_usec)
			return asker;
	return NULL;
}

static void tell(void *userdata)
{
	struct kernel_states *states = userdata;
	struct asker *asker;

	while (!states->reading && (asker = next_told(states))) {
		struct asker told = *asker;

		asker_free(&asker->pending);
		if (told.done)
			told.done(told.userdata, states->error, states->holdings);
		else
			told.held(told.userdata,
				  !states->holdings ||
					  kernel_holdings_count(states->holdings, told.device,
								told.quiet_usec));
	}
	if (!states->askers || states->reading)
		return;
	start_reading(states);
	if (!states->reading) /* then why not is told */
		later_call(&states->tell, states->event, tell, states);
}

static void on_read(void *userdata)
{
	struct kernel_states *states = userdata;

	states->reading = NULL;
	tell(states);
}

static int ask(struct kernel_states *states, uint64_t max_age_usec, const struct asker *template,
	       struct pending **ret_pending)
{
	struct asker *asker = malloc(sizeof(*asker));
	uint64_t now = later_now_usec();

	if (!asker)
		return -ENOMEM;
	*asker = *template;
	asker->pending.cancel = asker_free;
	asker->states = states;
	asker->not_before_usec = max_age_usec < now ? now - max_age_usec : 1;
	DL_APPEND(states->askers, asker);
	later_call(&states->tell, states->event, tell, states);
	*ret_pending = &asker->pending;
	return 0;
}

int kernel_states_look(struct kernel_states *states, uint64_t max_age_usec, kernel_looked_fn done,
		       void *userdata, struct pending **ret_pending)
{
	return ask(states, max_age_usec, &(struct asker){ .done = done, .userdata = userdata },
		   ret_pending);
}

int kernel_states_ask(struct kernel_states *states, dev_t device, uint64_t quiet_usec,
		      uint64_t max_age_usec, kernel_held_fn done, void *userdata,
		      struct pending **ret_pending)
{
	const struct asker template = {
		.held = done, .device = device, .quiet_usec = quiet_usec, .userdata = userdata
	};

	return ask(states, max_age_usec, &template, ret_pending);
}

/* ---- taking away ---- */

static void on_let_go(void *userdata, int error, const struct proto_message *answer)
{
	if (error < 0)
		log_debug(NULL, "Cannot take away what NFSv4 clients hold: %s", strerror(-error));
}

static void let_go(struct kernel_states *states, const char *word, const char *path, dev_t device,
		   bool spares_others)
{
	struct proto_writer message = { 0 };
	int r = 0;

	if (!states->worker)
		r = worker_new(&states->worker, states->event, WORKER_CLIENTS, LETTING_GO_AT_ONCE,
			       NULL);
	proto_begin(&message, word);
	proto_put(&message, "proc", states->proc);
	proto_put(&message, "path", path);
	proto_put_u64(&message, "major", major(device));
	proto_put_u64(&message, "minor", minor(device));
	if (spares_others)
		proto_put_u64(&message, "spares-others", 1);
	if (r == 0)
		r = worker_ask(states->worker, &message, letting_go_usec, on_let_go, states, NULL);
	proto_writer_done(&message);
	if (r < 0)
		on_let_go(states, r, NULL);
}

void kernel_states_shed(struct kernel_states *states, const char *path, dev_t device)
{
	let_go(states, "shed", path, device, false);
}

void kernel_states_revoke(struct kernel_states *states, const char *path, dev_t device,
			  bool spares_others)
{
	let_go(states, "revoke", path, device, spares_others);
}

void kernel_states_serve(const struct proto_message *question, struct proto_writer *answer)
{
	const char *path = proto_get(question, "path"), *proc = proto_get(question, "proc");
	uint64_t major_number = 0, minor_number = 0, spares_others = 0;
	dev_t device;
	int r;

	(void)proto_get_u64(question, "major", UINT32_MAX, &major_number);
	(void)proto_get_u64(question, "minor", UINT32_MAX, &minor_number);
	(void)proto_get_u64(question, "spares-others", 1, &spares_others);
	device = makedev((unsigned int)major_number, (unsigned int)minor_number);
	if (!path || !proc)
		r = -EINVAL;
	else if (str_equal(question->word, "shed"))
		r = kernel_clients_shed(proc, path, device);
	else
		r = kernel_clients_revoke(proc, path, device, spares_others);
	if (r < 0)
		worker_fail(answer, r, NULL);
	else
		proto_begin(answer, "ok");
}

/* ---- start and end ---- */

int kernel_states_new(struct kernel_states **ret_states, sd_event *event, const char *proc)
{
	struct kernel_states *states = calloc(1, sizeof(*states));

	if (!states)
		return -ENOMEM;
	states->event = event;
	states->proc = strdup(proc);
	if (!states->proc) {
		free(states);
		return -ENOMEM;
	}
	*ret_states = states;
	return 0;
}

struct kernel_states *kernel_states_free(struct kernel_states *states)
{
	if (!states)
		return NULL;
	while (states->askers)
		asker_free(&states->askers->pending);
	pending_cancel(&states->reading);
	later_cancel(&states->tell);
	worker_free(states->worker);
	kernel_holdings_free(states->holdings);
	free(states->proc);
	free(states);
	return NULL;
}
