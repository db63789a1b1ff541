/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rpcbind.c - rounds of rpcb_set(3), each in a child process of its own.
 *
 * Until a round succeeds, it also takes away what an earlier server left under the same
 * versions; later rounds only set, which rpcbind takes as done where the same address is
 * there already (rpcbind src/rpcb_svc_com.c map_set()). So a round's outcome tells whether we
 * are registered.
 *
 * The child keeps no descriptor of the daemon's, dies with it, and ends itself when its time is
 * over.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <rpc/rpc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "exportsd/base/log.h"
#include "exportsd/mountd/rpcbind.h"

enum round { ROUND_TAKE_OVER, ROUND_RENEW, ROUND_TAKE_BACK };

enum { FAREWELL_STEP_MS = 10 };

static const uint64_t usec_a_second = 1000000;

struct rpcbind {
	sd_event *event;
	struct rpcbind_program program;
	enum round next_round;
	bool is_registered;
	bool is_warned;
	pid_t child;
	sd_event_source *child_source;
	sd_event_source *timer;
};

/* ---- in the child ---- */

static bool set_one(const struct rpcbind_program *program, uint32_t version, const char *netid)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(program->port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(program->port) };
	struct netconfig *netconfig = getnetconfigent(netid);
	struct netbuf address;

	if (!netconfig)
		return false;
	if (str_equal(netconfig->nc_protofmly, NC_INET6))
		address = (struct netbuf){ .buf = &v6, .len = sizeof(v6), .maxlen = sizeof(v6) };
	else
		address = (struct netbuf){ .buf = &v4, .len = sizeof(v4), .maxlen = sizeof(v4) };
	return rpcb_set(program->number, version, netconfig, &address);
}

/* Returns how many registrations failed. */
static int play_round(const struct rpcbind_program *program, enum round round)
{
	int n_failed = 0;

	for (uint32_t version = program->first_version; version <= program->last_version;
	     version++) {
		if (round != ROUND_RENEW)
			(void)rpcb_unset(program->number, version, NULL);
		for (size_t i = 0; i < RPCBIND_NETIDS_MAX && round != ROUND_TAKE_BACK; i++) {
			if (program->netids[i] && !set_one(program, version, program->netids[i]))
				n_failed++;
		}
	}
	return n_failed;
}

static void become_child(pid_t parent)
{
	static const int own_signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGALRM, SIGPIPE };
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	(void)prctl(PR_SET_NAME, "exportsd-rpcb");
	for (size_t i = 0; i < N_ELEMENTS(own_signals); i++)
		(void)signal(own_signals[i], SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)close_range(STDERR_FILENO + 1, ~0u, 0);
}

static int start_child(const struct rpcbind_program *program, enum round round,
		       unsigned int seconds, pid_t *ret_pid)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		become_child(parent);
		alarm(seconds);
		_exit(play_round(program, round) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	*ret_pid = pid;
	return 0;
}

/* ---- in the daemon ---- */

static void judge(struct rpcbind *rpcbind, bool good)
{
	const struct rpcbind_program *program = &rpcbind->program;

	if (good && !rpcbind->is_registered)
		log_info(NULL, "registered %s with rpcbind, port %u", program->name, program->port);
	if (!good && !rpcbind->is_warned)
		log_warning(NULL,
			    "cannot register %s with rpcbind (is it running, and is no other "
			    "server registered?); clients must be told port=%u; trying again "
			    "every %d s",
			    program->name, program->port, RPCBIND_RENEW_SECONDS);
	rpcbind->is_registered = good;
	rpcbind->is_warned = !good;
	/* Once ours, it is taken over from nobody again: what others register later is theirs. */
	if (good)
		rpcbind->next_round = ROUND_RENEW;
}

static void arm(struct rpcbind *rpcbind)
{
	if (sd_event_source_set_time_relative(rpcbind->timer,
					      RPCBIND_RENEW_SECONDS * usec_a_second) < 0 ||
	    sd_event_source_set_enabled(rpcbind->timer, SD_EVENT_ONESHOT) < 0)
		log_error(NULL, "cannot arm the timer that renews %s's registration with rpcbind",
			  rpcbind->program.name);
}

static int on_child(sd_event_source *source, const siginfo_t *status, void *userdata)
{
	struct rpcbind *rpcbind = userdata;

	rpcbind->child = 0;
	rpcbind->child_source = sd_event_source_unref(rpcbind->child_source);
	judge(rpcbind, status->si_code == CLD_EXITED && status->si_status == EXIT_SUCCESS);
	arm(rpcbind);
	return 0;
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct rpcbind *rpcbind = userdata;
	pid_t pid;
	int r;

	r = start_child(&rpcbind->program, rpcbind->next_round, RPCBIND_ROUND_SECONDS, &pid);
	if (r >= 0) {
		r = sd_event_add_child(rpcbind->event, &rpcbind->child_source, pid, WEXITED,
				       on_child, rpcbind);
		if (r >= 0) {
			rpcbind->child = pid;
			return 0;
		}
		(void)kill(pid, SIGKILL);
		reap(pid);
	}
	errno = -r;
	log_warning(NULL, "cannot start a process to register %s with rpcbind: %m; trying again",
		    rpcbind->program.name);
	arm(rpcbind);
	return 0;
}

int rpcbind_new(struct rpcbind **ret_rpcbind, sd_event *event,
		const struct rpcbind_program *program)
{
	struct rpcbind *rpcbind = calloc(1, sizeof(*rpcbind));
	int r;

	if (!rpcbind)
		return -ENOMEM;
	rpcbind->event = sd_event_ref(event);
	rpcbind->program = *program;
	rpcbind->next_round = ROUND_TAKE_OVER;
	r = sd_event_add_time_relative(event, &rpcbind->timer, CLOCK_MONOTONIC, 0, 0, on_timer,
				       rpcbind);
	if (r < 0) {
		rpcbind_free(rpcbind);
		return r;
	}
	*ret_rpcbind = rpcbind;
	return 0;
}

/* The daemon is ending: what is waited for here holds up nobody. */
static void say_farewell(struct rpcbind *rpcbind)
{
	const struct timespec step = { .tv_nsec = FAREWELL_STEP_MS * 1000000L };
	pid_t pid;

	if (start_child(&rpcbind->program, ROUND_TAKE_BACK, RPCBIND_FAREWELL_SECONDS, &pid) < 0)
		return;
	for (int ms = 0; ms < RPCBIND_FAREWELL_SECONDS * 1000; ms += FAREWELL_STEP_MS) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		(void)nanosleep(&step, NULL);
	}
	(void)kill(pid, SIGKILL);
	reap(pid);
}

struct rpcbind *rpcbind_free(struct rpcbind *rpcbind)
{
	if (!rpcbind)
		return NULL;
	sd_event_source_unref(rpcbind->timer);
	sd_event_source_unref(rpcbind->child_source);
	if (rpcbind->child > 0) {
		(void)kill(rpcbind->child, SIGKILL);
		reap(rpcbind->child);
	}
	if (rpcbind->is_registered)
		say_farewell(rpcbind);
	sd_event_unref(rpcbind->event);
	free(rpcbind);
	return NULL;
}
