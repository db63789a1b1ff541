/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The order of the start is the architecture: what may block first (the number store), then the
 * processes that do what may block later, then media, the exports, and last the kernel and the
 * clients, who are heard only when there is something to answer with.
 */

#include "exportsd/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "exportsd/base/log.h"
#include "exportsd/base/parts.h"
#include "exportsd/config/config.h"
#include "exportsd/control/control.h"
#include "exportsd/control/fsidd.h"
#include "exportsd/exports/reload.h"
#include "exportsd/fs/mount_table.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/kernel/states.h"
#include "exportsd/media/media.h"
#include "exportsd/mountd/mountd.h"
#include "exportsd/names/names.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/numbers/place.h"
#include "exportsd/questions/questions.h"
#include "exportsd/rivals.h"
#include "exportsd/starts.h"
#include "parser/snapshot/snapshot.h"

enum { STATUS_SECONDS = 10 };

/* ---- what systemd sees ---- */

static void tell_status(struct daemon *daemon, const char *state)
{
	size_t n_mounted, n_media = media_count(daemon->media, &n_mounted);

	(void)sd_notifyf(false, "%sSTATUS=%zu exports, %zu rules; %zu media, %zu mounted%s", state,
			 snapshot_n_exports(daemon->snapshot), snapshot_n_rules(daemon->snapshot),
			 n_media, n_mounted,
			 reload_n_errors(daemon->reload)
				 ? "; the exports files have faults (exportsctl check)"
				 : "");
}

static void on_status_time(void *userdata)
{
	struct daemon *daemon = userdata;

	if (daemon->snapshot)
		tell_status(daemon, "");
	if (daemon->snapshot && !daemon->is_well)
		starts_forget(getenv("RUNTIME_DIRECTORY"));
	daemon->is_well = daemon->snapshot;
	(void)later_call_in(&daemon->status, daemon->event, STATUS_SECONDS * UINT64_C(1000000),
			    on_status_time, daemon);
}

/* ---- reloads ---- */

static void log_faults(const struct diags *diags)
{
	for (size_t i = 0; i < diags->n_items; i++) {
		const struct diag *diag = &diags->items[i];

		char place[32] = "";

		if (diag->line)
			(void)snprintf(place, sizeof(place), ":%u:%u", diag->line, diag->column);
		log_message(diag->level == DIAG_ERROR ? LOG_ERR : LOG_WARNING, NULL, "%s%s%s%s: %s",
			    diag->file, place, diag->file[0] ? ": " : "",
			    diag->level == DIAG_ERROR ? "error" : "warning", diag->text);
	}
}

static void on_reloaded(void *userdata, const struct diags *diags, bool applied, bool changed)
{
	struct daemon *daemon = userdata;

	/* Asked for during the start, which failed and has said so. */
	if (!daemon->snapshot)
		return;
	log_faults(diags);
	if (!applied)
		log_error(NULL, "The exports files have faults (%zu), keeping the previous exports",
			  diags->n_errors);
	else
		log_notice(NULL, "Exports reloaded: %s", changed ? "in force" : "nothing changed");
	tell_status(daemon, "READY=1\n");
}

static int on_sighup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct daemon *daemon = userdata;
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%llu",
			 (unsigned long long)now.tv_sec * 1000000 +
				 (unsigned long long)now.tv_nsec / 1000);
	if (reload_start(daemon->reload, false, on_reloaded, daemon) < 0)
		log_error(NULL, "No memory to reload, keeping the previous exports");
	return 0;
}

static void on_load(void *userdata)
{
	const struct daemon *daemon = userdata;

	questions_begin_load(daemon->questions);
}

static void on_other_exports(void *userdata)
{
	const struct daemon *daemon = userdata;

	if (daemon->mountd)
		mountd_again(daemon->mountd);
	questions_again(daemon->questions);
}

/* NFSv4 clients that looked for a name in vain look again only if its pseudo-root has changed. */
static void on_names(void *userdata)
{
	struct daemon *daemon = userdata;
	int r = daemon->kernel ? kernel_flush_exports(daemon->kernel) : 0;

	if (r < 0) {
		errno = -r;
		log_warning(
			NULL,
			"Cannot flush the kernel's exports, NFSv4 clients see new media late: %m");
	}
}

/* ---- start and end ---- */

/* Said, not refused: its clients are better served by both than by none. */
static void look_for_rivals(const char *proc)
{
	const char *name;
	pid_t process = rivals_find(proc, &name);

	if (process)
		log_error(
			NULL,
			"%s (process %d) runs beside exportsd: each takes some of the kernel's questions, and clients get "
			"wrong answers. Stop nfs-server and it, enable exportsd, and start nfs-server (exportsd(8))",
			name, (int)process);
}

/* The first exports are in force: hear the kernel and the clients. */
static void on_first_exports(void *userdata, const struct diags *diags, bool applied, bool changed)
{
	struct daemon *daemon = userdata;
	int r = 0;

	log_faults(diags);
	if (!applied) {
		log_error(NULL, "No exports could be put in force, ending");
		sd_event_exit(daemon->event, EXIT_FAILURE);
		return;
	}
	if (diags->n_errors)
		log_error(NULL, "The exports files have faults (%zu); what has none is in force",
			  diags->n_errors);
	if (daemon->config->mount_service)
		r = mountd_new(&daemon->mountd, daemon);
	if (r < 0) {
		errno = -r;
		log_error(NULL,
			  "Cannot serve the MOUNT protocol, so NFSv3 clients cannot mount: %m");
	}
	kernel_pause(daemon->kernel, false);
	tell_status(daemon, "READY=1\n");
}

static int open_kernel(struct daemon *daemon, const char *proc)
{
	int r = kernel_open(&daemon->kernel, daemon->event, proc, daemon->config->manage_gids,
			    questions_ask, daemon);

	if (r < 0) {
		errno = -r;
		log_error(
			NULL,
			"Cannot open the kernel NFS server's channels in %s/net/rpc: %m. "
			"Load the module (modprobe nfsd) and mount its file system (mount -t nfsd nfsd /proc/fs/nfsd)",
			proc);
		return r;
	}
	kernel_pause(daemon->kernel, true);
	return daemon->config->rootdir ? kernel_set_rootdir(daemon->kernel, daemon->config->rootdir)
				       : 0;
}

/* Somebody wrote it into the exports files, those in force or those that are about to be. */
static bool is_reserved(void *userdata, uint32_t number)
{
	const struct daemon *daemon = userdata;

	return (daemon->snapshot && snapshot_has_fsid(daemon->snapshot, number)) ||
	       (daemon->reload && reload_reserves(daemon->reload, number));
}

static int open_numbers(struct daemon *daemon)
{
	CLEANUP(freep) char **files = NULL;
	int r;

	if (mkdir(daemon->config->state_directory, 0700) < 0 && errno != EEXIST) {
		log_error(NULL, "Cannot make %s: %m", daemon->config->state_directory);
		return -errno;
	}
	files = store_place_names(daemon->config->state_directory, daemon->config->number_copies);
	r = files ? numbers_open(&daemon->numbers, daemon->event, (const char *const *)files)
		  : -ENOMEM;
	if (r < 0) {
		errno = -r;
		log_error(NULL, "Cannot open the number store: %m");
		return r;
	}
	numbers_set_reserved(daemon->numbers, is_reserved, daemon);
	return 0;
}

/* As the kernel will call it: without symbolic links. "/" is none. */
static int settle_rootdir(struct config *config)
{
	char *real;

	if (!config->rootdir)
		return 0;
	real = realpath(config->rootdir, NULL);
	if (!real) {
		int r = -errno;

		log_error(NULL, "Cannot find rootdir %s: %m", config->rootdir);
		return r;
	}
	free(config->rootdir);
	config->rootdir = real;
	if (str_equal(real, "/")) {
		free(real);
		config->rootdir = NULL;
	}
	return 0;
}

static void serve_fsidd(struct daemon *daemon)
{
	const char *name = daemon->config->fsidd_socket;
	int r = fsidd_new(&daemon->fsidd, daemon->event, name, daemon->numbers);

	if (r == -EADDRINUSE)
		log_error(NULL,
			  "Cannot serve fsidd's protocol at '%s': fsidd runs; stop it, and "
			  "take over its numbers with exportsctl fsid import",
			  name);
	else if (r < 0)
		log_error(NULL, "Cannot serve fsidd's protocol at '%s': %s", name, strerror(-r));
}

int daemon_start(struct daemon *daemon, const char *proc)
{
	const uint64_t second = 1000000;
	const struct config *config = daemon->config;
	int r = settle_rootdir(daemon->config);

	look_for_rivals(proc);
	if (r >= 0)
		r = open_numbers(daemon);
	if (r >= 0)
		r = names_new(&daemon->names, daemon->event, config->name_age_seconds * second,
			      config->name_timeout_seconds * second, config->trust_reverse_names);
	if (r >= 0)
		r = paths_new(&daemon->paths, daemon->event, config->name_timeout_seconds * second,
			      config->rootdir);
	if (r >= 0)
		r = mount_table_new(&daemon->mounts, daemon->event);
	if (r >= 0)
		r = media_new(&daemon->media, daemon->event, config, daemon->numbers,
			      daemon->mounts);
	if (r >= 0) {
		media_on_names(daemon->media, on_names, daemon);
		questions_serve_media(daemon);
		r = kernel_states_new(&daemon->states, daemon->event, proc);
	}
	if (r >= 0)
		r = questions_new(&daemon->questions, daemon);
	if (r >= 0)
		r = reload_new(&daemon->reload, daemon,
			       &(struct reload_hooks){ on_load, on_other_exports, daemon });
	if (r >= 0)
		r = open_kernel(daemon, proc);
	if (r >= 0)
		r = control_new(&daemon->control, daemon);
	if (r >= 0 && config->fsidd_socket)
		serve_fsidd(daemon);
	if (r >= 0)
		r = reload_start(daemon->reload, true, on_first_exports, daemon);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_sighup, daemon);
	if (r >= 0)
		r = later_call_in(&daemon->status, daemon->event, STATUS_SECONDS * second,
				  on_status_time, daemon);
	return r;
}

void daemon_stop(struct daemon *daemon)
{
	(void)sd_notify(false, "STOPPING=1");
	later_cancel(&daemon->status);
	fsidd_free(daemon->fsidd);
	control_free(daemon->control);
	mountd_free(daemon->mountd);
	reload_free(daemon->reload);
	questions_free(daemon->questions);
	kernel_close(daemon->kernel);
	media_free(daemon->media);
	kernel_states_free(daemon->states); /* drains ask it */
	mount_table_free(daemon->mounts);
	paths_free(daemon->paths);
	names_free(daemon->names);
	numbers_close(daemon->numbers);
	snapshot_free(daemon->snapshot);
}
