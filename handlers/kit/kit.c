/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kit.c - a handler from its start to its end: sockets, signals, idle exit, the log.
 */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "handlers/kit/private.h"

void kit_log(int level, const char *format, ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;
	int length;

	va_start(ap, format);
	length = vasprintf(&text, format, ap);
	va_end(ap);
	if (length < 0)
		text = NULL; /* undefined after a failure */
	for (char *c = text; c && *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '?'; /* one message, one line */
	if (isatty(STDERR_FILENO))
		dprintf(STDERR_FILENO, "%s: %s\n", program_invocation_short_name,
			text ? text : format);
	else
		dprintf(STDERR_FILENO, "<%d>%s\n", level, text ? text : format);
}

void kit_consider_idleness(struct kit *kit)
{
	if (kit->n_connections > 0 || !TAILQ_EMPTY(&kit->jobs))
		return;
	if (kit->stopping || kit->listening.n_fds == 0)
		sd_event_exit(kit->event, 0);
	else if (kit->listening.inherited && kit->settings.idle_sec > 0) {
		sd_event_source_set_time_relative(kit->idle,
						  (uint64_t)kit->settings.idle_sec * USEC_PER_SEC);
		sd_event_source_set_enabled(kit->idle, SD_EVENT_ONESHOT);
	}
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (connection >= 0)
		kit_connection_new(userdata, connection);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		kit_log(LOG_ERR, "accept: %m");
	return 0;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct kit *kit = userdata;

	if (kit->n_connections == 0 && TAILQ_EMPTY(&kit->jobs))
		sd_event_exit(kit->event, 0);
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
	struct connection *connection, *next;

	if (kit->stopping) {
		sd_event_exit(kit->event, 0);
		return 0;
	}
	kit->stopping = true;
	for (size_t i = 0; i < kit->listening.n_fds; i++)
		sd_event_source_set_enabled(kit->accepting[i], SD_EVENT_OFF);
	if (sd_event_add_time_relative(kit->event, NULL, CLOCK_MONOTONIC,
				       (uint64_t)kit->settings.stop_sec * USEC_PER_SEC, 0,
				       on_stop_timeout, kit) < 0)
		sd_event_exit(kit->event, 0);
	jobs_shed(kit);
	for (connection = TAILQ_FIRST(&kit->connections); connection; connection = next) {
		next = TAILQ_NEXT(connection, link);
		kit_connection_settle(connection);
	}
	kit_consider_idleness(kit);
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
	if (r >= 0)
		r = sd_event_add_time_relative(kit->event, &kit->idle, CLOCK_MONOTONIC, 0, 0,
					       on_idle, kit);
	if (r >= 0)
		r = sd_event_source_set_enabled(kit->idle, SD_EVENT_OFF);
	for (size_t i = 0; r >= 0 && i < kit->listening.n_fds; i++)
		r = sd_event_add_io(kit->event, &kit->accepting[i], kit->listening.fds[i], EPOLLIN,
				    on_accept, kit);
	return r < 0 ? r : 0;
}

static int open_and_loop(struct kit *kit, const char **ret_why)
{
	int r = listening_open(&kit->listening, kit->settings.socket, ret_why);

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
	kit_consider_idleness(kit);
	return sd_event_loop(kit->event);
}

int kit_run(const struct kit_operations *operations, void *userdata,
	    const struct kit_settings *settings)
{
	struct kit kit = {
		.operations = operations,
		.userdata = userdata,
		.settings = *settings,
		.listening.connection = -1,
		.connections = TAILQ_HEAD_INITIALIZER(kit.connections),
		.jobs = TAILQ_HEAD_INITIALIZER(kit.jobs),
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
	while (!TAILQ_EMPTY(&kit.connections))
		kit_connection_free(TAILQ_FIRST(&kit.connections));
	while (!TAILQ_EMPTY(&kit.jobs))
		job_free(TAILQ_FIRST(&kit.jobs));
	sd_event_source_disable_unref(kit.idle);
	for (size_t i = 0; i < kit.listening.n_fds; i++)
		sd_event_source_disable_unref(kit.accepting[i]);
	sd_event_unref(kit.event);
	listening_done(&kit.listening);
	return r < 0 ? r : 0;
}
