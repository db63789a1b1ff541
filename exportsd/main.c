/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * exportsd(8): arguments, the process's own state (lock, signals, limits), the loop, the exit code.
 * What runs in the loop is put together in daemon.c.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "exportsd/daemon.h"
#include "exportsd/log.h"
#include "exportsd/worker.h"

enum { EXIT_USAGE = 2 };

struct arguments {
	const char *config_file; /* NULL: the default one, if it exists */
	const char *proc;
	int log_level;
	bool print_config;
};

static const char default_config_file[] = "/etc/exportsd.conf";

static void print_help(FILE *to)
{
	fputs("Usage: exportsd [OPTION...]\n"
	      "\n"
	      "Answer the kernel NFS server's questions about exports, media that are not mounted yet among them.\n"
	      "\n"
	      "  -c, --config FILE   read FILE instead of /etc/exportsd.conf\n"
	      "  -d, --debug         log more; twice: everything\n"
	      "  -p, --print-config  print the configuration in force and exit\n"
	      "      --proc DIR      use DIR as /proc (for tests)\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       print the version\n"
	      "\n"
	      "See exportsd(8), exportsd.conf(5), exportsd.exports(5).\n",
	      to);
}

/* Returns 0, or the exit code plus one. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	enum { OPTION_PROC = 256 };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "debug", no_argument, NULL, 'd' },
		{ "print-config", no_argument, NULL, 'p' },
		{ "proc", required_argument, NULL, OPTION_PROC },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:dphV", options, NULL)) != -1) {
		switch (option) {
		case 'c': arguments->config_file = optarg; break;
		case 'd': arguments->log_level++; break;
		case 'p': arguments->print_config = true; break;
		case OPTION_PROC: arguments->proc = optarg; break;
		case 'h': print_help(stdout); return EXIT_SUCCESS + 1;
		case 'V': puts("exportsd " EXPORTSD_VERSION); return EXIT_SUCCESS + 1;
		default: return EXIT_USAGE + 1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "exportsd: unexpected argument '%s'; see exportsd --help\n",
			argv[optind]);
		return EXIT_USAGE + 1;
	}
	return 0;
}

static int load_config(const struct arguments *arguments, struct config **ret_config)
{
	struct diags diags = { 0 };
	bool given = arguments->config_file != NULL;
	int r = config_load(given ? arguments->config_file : default_config_file, !given, &diags,
			    ret_config);

	diags_print(&diags, stderr, isatty(STDERR_FILENO));
	diags_done(&diags);
	if (r < 0)
		fprintf(stderr, "exportsd: cannot read the configuration: %s\n", strerror(-r));
	return r;
}

/* One daemon a machine: two would answer each other's questions. Returns the lock, kept until the end. */
static int lock_runtime_directory(const struct config *config)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(closep) int fd = -1;

	if (mkdir(config->runtime_directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (asprintf(&path, "%s/lock", config->runtime_directory) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* A descriptor for each medium that is being mounted, each connection, each worker. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int run(struct daemon *daemon, const struct arguments *arguments)
{
	CLEANUP(closep) int lock = lock_runtime_directory(daemon->config);
	sigset_t signals;
	int r;

	if (lock < 0) {
		errno = -lock;
		log_error(NULL,
			  lock == -EWOULDBLOCK ? "Another exportsd is running (it holds %s/lock)"
					       : "Cannot lock %s/lock: %m",
			  daemon->config->runtime_directory);
		return lock;
	}
	sigemptyset(&signals);
	for (const int *number = (const int[]){ SIGHUP, SIGTERM, SIGINT, SIGCHLD, 0 }; *number;
	     number++)
		sigaddset(&signals, *number);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	umask(0022);
	raise_limits();
	r = sd_event_default(&daemon->event);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_set_watchdog(daemon->event, true);
	if (r >= 0)
		r = daemon_start(daemon, arguments->proc);
	if (r >= 0)
		r = sd_event_loop(daemon->event);
	daemon_stop(daemon);
	sd_event_unref(daemon->event);
	return r;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .proc = "/proc", .log_level = LOG_INFO };
	struct daemon daemon = { 0 };
	int r;

	if (argc >= 4 && str_equal(argv[1], "--worker"))
		return worker_main(argv[2], atoi(argv[3]), argv[4]);
	r = parse_arguments(argc, argv, &arguments);
	if (r != 0)
		return r - 1;
	if (load_config(&arguments, &daemon.config) != 0)
		return EXIT_FAILURE;
	if (arguments.print_config) {
		config_print(daemon.config, stdout);
		r = 0;
	} else {
		log_open(arguments.log_level > LOG_DEBUG ? LOG_DEBUG : arguments.log_level, false);
		r = run(&daemon, &arguments);
	}
	config_free(daemon.config);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
