/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rpcbind.c - rounds of rpcb_set(3), each in a process of its own.
 *
 * Until a round succeeds, it also takes away what an earlier server left under the same
 * versions; later rounds only set, which rpcbind takes as done where the same address is
 * there already (rpcbind src/rpcb_svc_com.c map_set()). So a round's outcome tells whether we
 * are registered.
 *
 * A process ends itself when its time is over.
 */

#include "exportsd/mountd/rpcbind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/wait.h>

#include "exportsd/base/later.h"
#include "exportsd/base/log.h"
#include "exportsd/base/spawn.h"
#include "exportsd/mountd/mount_xdr.h"
#include "exportsd/worker/worker.h"

enum round { ROUND_TAKE_OVER, ROUND_RENEW, ROUND_TAKE_BACK };

static const uint64_t usec_a_second = 1000000;

struct rpcbind {
	sd_event *event;
	struct rpcbind_service service;
	enum round next_round;
	bool is_registered;
	bool is_warned;
	pid_t pid;
	sd_event_source *process; /* NULL: no round is under way */
	struct later next;
};

/* ---- in the process ---- */

static bool set_one(const struct rpcbind_service *service, uint32_t version, const char *netid)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(service->port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(service->port) };
	struct netconfig *netconfig = getnetconfigent(netid);
	struct netbuf address;

	if (!netconfig)
		return false;
	if (str_equal(netconfig->nc_protofmly, NC_INET6))
		address = (struct netbuf){ .buf = &v6, .len = sizeof(v6), .maxlen = sizeof(v6) };
	else
		address = (struct netbuf){ .buf = &v4, .len = sizeof(v4), .maxlen = sizeof(v4) };
	return rpcb_set(MOUNT_PROGRAM, version, netconfig, &address);
}

/* Returns how many registrations failed. */
static int play_round(const struct rpcbind_service *service, enum round round)
{
	int n_failed = 0;

	for (uint32_t version = service->first_version; version <= service->last_version;
	     version++) {
		if (round != ROUND_RENEW)
			(void)rpcb_unset(MOUNT_PROGRAM, version, NULL);
		for (size_t i = 0; i < RPCBIND_NETIDS_MAX && round != ROUND_TAKE_BACK; i++) {
			if (service->netids[i] && !set_one(service, version, service->netids[i]))
				n_failed++;
		}
	}
	return n_failed;
}

/* The argument: what to do, and the service. */
int rpcbind_serve(int fd, const char *argument)
{
	struct rpcbind_service service = { 0 };
	char netids[RPCBIND_NETIDS_MAX][8] = { 0 };
	int round = ROUND_RENEW, n_read;

	n_read = sscanf(argument, "%d %u %u %hu %7s %7s %7s %7s", &round, &service.first_version,
			&service.last_version, &service.port, netids[0], netids[1], netids[2],
			netids[3]);
	for (int i = 0; i < n_read - 4; i++)
		service.netids[i] = netids[i];
	(void)alarm(round == ROUND_TAKE_BACK ? RPCBIND_FAREWELL_SECONDS : RPCBIND_ROUND_SECONDS);
	/* The daemon says what a failure means. */
	exit(play_round(&service, round) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* ---- in the daemon ---- */

static int spawn(struct rpcbind *rpcbind, enum round round)
{
	const struct rpcbind_service *service = &rpcbind->service;
	CLEANUP(freep) char *argument = NULL;
	const char *netids[RPCBIND_NETIDS_MAX];

	for (size_t i = 0; i < RPCBIND_NETIDS_MAX; i++)
		netids[i] = service->netids[i] ? service->netids[i] : "";
	if (asprintf(&argument, "%d %u %u %u %s %s %s %s", round, service->first_version,
		     service->last_version, service->port, netids[0], netids[1], netids[2],
		     netids[3]) < 0) {
		argument = NULL;
		return -ENOMEM;
	}
	return worker_spawn(WORKER_RPCBIND, -1, argument, &rpcbind->pid);
}

static void judge(struct rpcbind *rpcbind, bool good)
{
	const struct rpcbind_service *service = &rpcbind->service;

	if (good && !rpcbind->is_registered)
		log_info(NULL, "registered the MOUNT service with rpcbind, port %u", service->port);
	if (!good && !rpcbind->is_warned)
		log_warning(
			NULL,
			"cannot register the MOUNT service with rpcbind (is it running, and is no other "
			"server registered?); clients must be told port=%u; trying again "
			"every %d s",
			service->port, RPCBIND_RENEW_SECONDS);
	rpcbind->is_registered = good;
	rpcbind->is_warned = !good;
	/* Once ours, it is taken over from nobody again: what others register later is theirs. */
	if (good)
		rpcbind->next_round = ROUND_RENEW;
}

static void on_next(void *userdata);

static void arm(struct rpcbind *rpcbind)
{
	if (later_call_in(&rpcbind->next, rpcbind->event, RPCBIND_RENEW_SECONDS * usec_a_second,
			  on_next, rpcbind) < 0)
		log_error(NULL, "cannot arm the timer that renews the registration with rpcbind");
}

static int on_end(sd_event_source *source, const siginfo_t *end, void *userdata)
{
	struct rpcbind *rpcbind = userdata;

	rpcbind->process = sd_event_source_unref(rpcbind->process);
	judge(rpcbind, end->si_code == CLD_EXITED && end->si_status == EXIT_SUCCESS);
	arm(rpcbind);
	return 0;
}

static void on_next(void *userdata)
{
	struct rpcbind *rpcbind = userdata;
	int r = spawn(rpcbind, rpcbind->next_round);

	if (r >= 0) {
		r = sd_event_add_child(rpcbind->event, &rpcbind->process, rpcbind->pid, WEXITED,
				       on_end, rpcbind);
		if (r >= 0)
			return;
		(void)spawn_finish(rpcbind->pid, 0);
	}
	errno = -r;
	log_warning(
		NULL,
		"cannot start a process to register the MOUNT service with rpcbind: %m; trying again");
	arm(rpcbind);
}

int rpcbind_new(struct rpcbind **ret_rpcbind, sd_event *event,
		const struct rpcbind_service *service)
{
	struct rpcbind *rpcbind = calloc(1, sizeof(*rpcbind));

	if (!rpcbind)
		return -ENOMEM;
	rpcbind->event = sd_event_ref(event);
	rpcbind->service = *service;
	rpcbind->next_round = ROUND_TAKE_OVER;
	later_call(&rpcbind->next, event, on_next, rpcbind);
	*ret_rpcbind = rpcbind;
	return 0;
}

struct rpcbind *rpcbind_free(struct rpcbind *rpcbind)
{
	if (!rpcbind)
		return NULL;
	later_cancel(&rpcbind->next);
	if (rpcbind->process) {
		sd_event_source_disable_unref(rpcbind->process);
		(void)spawn_finish(rpcbind->pid, 0);
	}
	if (rpcbind->is_registered && spawn(rpcbind, ROUND_TAKE_BACK) == 0)
		(void)spawn_finish(rpcbind->pid,
				   later_now_usec() + RPCBIND_FAREWELL_SECONDS * usec_a_second);
	sd_event_unref(rpcbind->event);
	free(rpcbind);
	return NULL;
}
