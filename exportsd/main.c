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

#include "exportsd/base/log.h"
#include "exportsd/config/config.h"
#include "exportsd/daemon.h"
#include "exportsd/starts.h"
#include "exportsd/workers.h"
#include "parser/text.h"

enum { EXIT_USAGE = 2 };

struct arguments {
	const char *config_file; /* NULL: the default one, if it exists */
	const char *proc;
	const char **settings; /* "KEY=VALUE", NULL-terminated */
	size_t n_settings;
	int log_level;
	unsigned int print_config; /* once: the values; twice: who set them */
};

static const char default_config_file[] = "/etc/exportsd.conf";

static void print_help(FILE *to)
{
	fputs("Usage: exportsd [OPTION...]\n"
	      "\n"
	      "Answer the kernel NFS server's questions about exports, media that are not mounted yet among them.\n"
	      "\n"
	      "  -c, --config FILE   read FILE instead of /etc/exportsd.conf\n"
	      "  -d, --debug         log what only somebody who looks for a fault wants to know\n"
	      "  -p, --print-config  print the configuration in force and exit; twice: what is set, and by whom\n"
	      "      --proc DIR      use DIR as /proc (for tests)\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       print the version\n"
	      "\n"
	      "Settings go before those of the file; each is also a key of exportsd.conf(5):\n"
	      "\n",
	      to);
	config_print_help(to);
	fputs("\n"
	      "See exportsd(8), exportsd.conf(5), exportsd.exports(5).\n",
	      to);
}

enum { OPTION_PROC = 256, OPTION_KEY };

static const struct option plain_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "debug", optional_argument, NULL, 'd' },
	{ "print-config", no_argument, NULL, 'p' },
	{ "proc", required_argument, NULL, OPTION_PROC },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
};

/* Those, and the keys of the configuration. */
static struct option *make_options(void)
{
	size_t n_keys = 0, n = N_ELEMENTS(plain_options);
	struct option *options;

	while (config_key_name(n_keys))
		n_keys++;
	options = calloc(n + n_keys + 1, sizeof(*options));
	if (!options)
		return NULL;
	memcpy(options, plain_options, sizeof(plain_options));
	for (size_t i = 0; i < n_keys; i++)
		if (!str_equal(config_key_name(i), "debug"))
			options[n++] = (struct option){
				.name = config_key_name(i),
				.has_arg = required_argument,
				.val = OPTION_KEY,
			};
	return options;
}

/* Returns false when memory is out. */
static bool add_setting(struct arguments *arguments, const char *key, const char *value)
{
	const char **grown =
		reallocarray(arguments->settings, arguments->n_settings + 2, sizeof(*grown));
	char *setting = text_format("%s=%s", key, value);

	if (grown)
		arguments->settings = grown;
	if (!grown || !setting) {
		free(setting);
		return false;
	}
	grown[arguments->n_settings++] = setting;
	grown[arguments->n_settings] = NULL;
	return true;
}

static void arguments_done(struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->n_settings; i++)
		free((char *)arguments->settings[i]);
	free(arguments->settings);
}

/* Returns 0, or the exit code plus one. */
static int take_option(struct arguments *arguments, int option, const char *name)
{
	switch (option) {
	case 'c': arguments->config_file = optarg; break;
	case 'd':
		arguments->log_level++;
		return !optarg || add_setting(arguments, "debug", optarg) ? 0 : EXIT_FAILURE + 1;
	case 'p': arguments->print_config++; break;
	case OPTION_PROC: arguments->proc = optarg; break;
	case OPTION_KEY: return add_setting(arguments, name, optarg) ? 0 : EXIT_FAILURE + 1;
	case 'h': print_help(stdout); return EXIT_SUCCESS + 1;
	case 'V': puts("exportsd " EXPORTSD_VERSION); return EXIT_SUCCESS + 1;
	default: return EXIT_USAGE + 1;
	}
	return 0;
}

/* Returns 0, or the exit code plus one. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	CLEANUP(freep) struct option *options = make_options();
	int option, index = 0, r = options ? 0 : EXIT_FAILURE + 1;

	while (r == 0 && (option = getopt_long(argc, argv, "c:dphV", options, &index)) != -1)
		r = take_option(arguments, option, options[index].name);
	if (r == 0 && optind < argc) {
		fprintf(stderr, "exportsd: unexpected argument '%s'; see exportsd --help\n",
			argv[optind]);
		r = EXIT_USAGE + 1;
	}
	return r;
}

static int load_config(const struct arguments *arguments, struct config **ret_config)
{
	struct diags diags = { 0 };
	bool given = arguments->config_file != NULL;
	int r = config_load_with(given ? arguments->config_file : default_config_file, !given,
				 arguments->settings, &diags, ret_config);

	diags_print(&diags, stderr, isatty(STDERR_FILENO));
	diags_done(&diags);
	if (r < 0)
		fprintf(stderr, "exportsd: cannot read the configuration: %s\n", strerror(-r));
	return r;
}

/*
 * One daemon a machine: two would answer each other's questions. Returns the lock, kept until the
 * end.
 */
static int lock_runtime_directory(const struct config *config)
{
	CLEANUP(freep) char *path = text_format("%s/lock", config->runtime_directory);
	CLEANUP(closep) int fd = -1;

	if (mkdir(config->runtime_directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (!path)
		return -ENOMEM;
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

/* From here on they are the loop's, or nobody's. */
static void block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	for (const int *number = (const int[]){ SIGHUP, SIGTERM, SIGINT, SIGCHLD, 0 }; *number;
	     number++)
		sigaddset(&signals, *number);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

/*
 * Before anything that can fail. Returns false if the daemon is to end instead: somebody knows, so
 * the next start is at once.
 */
static bool pause_before_start(void)
{
	const uint64_t second = 1000000;
	const char *directory = getenv("RUNTIME_DIRECTORY");
	uint64_t usec = directory ? starts_count(directory) : 0;
	struct timespec left = { .tv_sec = (time_t)(usec / second),
				 .tv_nsec = (long)(usec % second) * 1000 };
	sigset_t ends;
	int number;

	if (!usec)
		return true;
	log_warning(NULL, "exportsd was started many times in a row, waiting for %.1f s",
		    (double)usec / (double)second);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	do
		number = sigtimedwait(&ends, NULL, &left);
	while (number < 0 && errno == EINTR);
	if (number >= 0)
		starts_forget(directory);
	return number < 0;
}

static int run(struct daemon *daemon, const struct arguments *arguments)
{
	CLEANUP(closep) int lock = lock_runtime_directory(daemon->config);
	int r;

	if (lock < 0) {
		errno = -lock;
		log_error(NULL,
			  lock == -EWOULDBLOCK ? "Another exportsd is running (it holds %s/lock)"
					       : "Cannot lock %s/lock: %m",
			  daemon->config->runtime_directory);
		return lock;
	}
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

/* Returns the exit code. */
static int serve(const struct arguments *arguments)
{
	struct daemon daemon = { 0 };
	int level = arguments->log_level, r;

	if (!arguments->print_config) {
		log_open(level, false);
		block_signals();
		if (!pause_before_start())
			return EXIT_SUCCESS;
	}
	r = load_config(arguments, &daemon.config);
	if (r != 0)
		return EXIT_FAILURE;
	if (arguments->print_config == 1) {
		config_print(daemon.config, stdout);
	} else if (arguments->print_config) {
		config_print_origins(daemon.config, stdout);
	} else {
		log_open(level > LOG_DEBUG || daemon.config->debug ? LOG_DEBUG : level, false);
		r = run(&daemon, arguments);
	}
	config_free(daemon.config);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .proc = "/proc", .log_level = LOG_INFO };
	int r;

	if (argc >= 4 && str_equal(argv[1], "--worker"))
		return worker_main(argv[2], atoi(argv[3]), argv[4]);
	r = parse_arguments(argc, argv, &arguments);
	if (r == 0)
		r = serve(&arguments) + 1;
	arguments_done(&arguments);
	return r - 1;
}
