/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kit.c - a handler from its start to its end: sockets, signals, idle exit; and what follows from
 * each event.
 */

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "handlers/kit/private.h"

/* ---- what follows from an event ---- */

static void finish_connection(struct kit_connection *connection)
{
	kit_connection_flush(connection);
	if (kit_connection_is_over(connection)) {
		kit_jobs_leave(connection);
		kit_connection_free(connection);
	} else {
		kit_connection_arm(connection);
	}
}

static void take_requests(struct kit_connection *connection)
{
	bool was_paused = connection->is_paused;

	kit_connection_flush(connection);
	if (connection->has_news || was_paused)
		kit_take_requests(connection);
	connection->is_paused = kit_connection_is_full(connection);
	if (connection->is_paused || was_paused)
		kit_jobs_pause(connection, connection->is_paused);
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct kit *kit = userdata;

	return sd_event_exit(kit->event, 0);
}

/* Nothing to do any more? Then exit, at once or after the idle time. */
static void consider_idleness(struct kit *kit)
{
	uint64_t usec = (uint64_t)kit->settings.idle_sec * USEC_PER_SEC;

	if (kit->connections || kit->jobs)
		kit->idle = sd_event_source_disable_unref(kit->idle);
	else if (kit->stopping || kit->listening.n_fds == 0)
		sd_event_exit(kit->event, 0);
	else if (kit->listening.inherited && usec > 0 && !kit->idle)
		(void)kit_call_in(kit, &kit->idle, usec, on_idle, kit);
}

static void settle(struct kit *kit)
{
	struct kit_connection *connection, *next;

	DL_FOREACH (kit->connections, connection)
		take_requests(connection);
	kit_jobs_start(kit);
	DL_FOREACH_SAFE (kit->connections, connection, next)
		finish_connection(connection);
	consider_idleness(kit);
}

static int loop(struct kit *kit)
{
	int r = 0;

	while (r >= 0 && sd_event_get_state(kit->event) != SD_EVENT_FINISHED) {
		settle(kit);
		r = sd_event_run(kit->event, UINT64_MAX);
	}
	return r < 0 ? r : 0;
}

/* ---- events ---- */

static void set_accepting(struct kit *kit, int enabled)
{
	for (size_t i = 0; i < kit->listening.n_fds; i++)
		(void)sd_event_source_set_enabled(kit->accepting[i], enabled);
}

static int on_accept_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct kit *kit = userdata;

	if (!kit->stopping)
		set_accepting(kit, SD_EVENT_ON);
	return 0;
}

/* Without descriptors, say, a socket stays readable: the loop would turn for nothing. */
static void pause_accepting(struct kit *kit)
{
	kit_log(LOG_ERR, "accept: %m; trying again in a second");
	if (kit_call_in(kit, &kit->accept_again, USEC_PER_SEC, on_accept_again, kit) >= 0)
		set_accepting(kit, SD_EVENT_OFF);
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (connection >= 0)
		kit_connection_new(userdata, connection);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		pause_accepting(userdata);
	return 0;
}

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct kit *kit = userdata;

	kit_log(LOG_WARNING, "stopping although %zu requests are not done", kit->n_running);
	sd_event_exit(kit->event, 0);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct kit *kit = userdata;
	uint64_t usec = (uint64_t)kit->settings.stop_sec * USEC_PER_SEC;

	if (kit->stopping)
		return sd_event_exit(kit->event, 0);
	kit->stopping = true;
	set_accepting(kit, SD_EVENT_OFF);
	if (kit_call_in(kit, &kit->stop, usec, on_stop_timeout, kit) < 0)
		return sd_event_exit(kit->event, 0);
	kit_jobs_shed(kit);
	return 0;
}

static int add_sources(struct kit *kit)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	r = sd_event_add_signal(kit->event, NULL, SIGTERM, on_signal, kit);
	if (r >= 0)
		r = sd_event_add_signal(kit->event, NULL, SIGINT, on_signal, kit);
	for (size_t i = 0; r >= 0 && i < kit->listening.n_fds; i++)
		r = sd_event_add_io(kit->event, &kit->accepting[i], kit->listening.fds[i], EPOLLIN,
				    on_accept, kit);
	/* Not for many years; but the loop has the descriptor that it needs to wait. */
	if (r >= 0)
		r = kit_call_in(kit, &kit->accept_again, UINT64_C(1) << 50, on_accept_again, kit);
	return r < 0 ? r : 0;
}

static int open_and_loop(struct kit *kit, const char **ret_why)
{
	int r = kit_listening_open(&kit->listening, kit->settings.socket, ret_why);

	if (r < 0)
		return r;
	*ret_why = "the event loop failed";
	r = sd_event_new(&kit->event);
	if (r >= 0)
		r = add_sources(kit);
	if (r < 0)
		return r;
	if (kit->listening.connection >= 0)
		kit_connection_new(kit, TAKE_FD(kit->listening.connection));
	return loop(kit);
}

int kit_run(const struct kit_operations *operations, void *userdata,
	    const struct kit_settings *settings)
{
	struct kit kit = {
		.operations = operations,
		.userdata = userdata,
		.settings = *settings,
		.listening.connection = -1,
	};
	const char *why = NULL;
	int r;

	if (kit.settings.n_at_once == 0)
		kit.settings.n_at_once = KIT_AT_ONCE;
	if (kit.settings.stall_sec == 0)
		kit.settings.stall_sec = KIT_STALL_SEC;
	if (kit.settings.stop_sec == 0)
		kit.settings.stop_sec = KIT_STOP_SEC;
	r = open_and_loop(&kit, &why);
	if (r < 0)
		kit_log(LOG_ERR, "%s%s%s: %s", settings->socket ? settings->socket : "",
			settings->socket ? ": " : "", why, strerror(-r));
	while (kit.jobs)
		kit_job_free(kit.jobs);
	while (kit.connections)
		kit_connection_free(kit.connections);
	sd_event_source_disable_unref(kit.idle);
	sd_event_source_disable_unref(kit.stop);
	sd_event_source_disable_unref(kit.accept_again);
	for (size_t i = 0; i < kit.listening.n_fds; i++)
		sd_event_source_disable_unref(kit.accepting[i]);
	sd_event_unref(kit.event);
	kit_listening_done(&kit.listening);
	return r < 0 ? r : 0;
}
