/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * exportsctl(8): options, the table of commands, help.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "exportsd/config/config.h"
#include "exportsd/ctl/commands.h"

struct command {
	const char *name;
	const char *arguments;
	unsigned int min, max; /* how many */
	unsigned int options; /* enum command_option it takes */
	const char *help;
	int (*run)(const struct invocation *invocation);
};

enum { ANY_NUMBER = 1024 * 1024 };

static const struct command commands[] = {
	{ "status", "[PATH] [--json]", 0, 1, COMMAND_JSON,
	  "the daemon, and every medium: state, number, clients, since when", command_status },
	{ "exports", "[-v | --json]", 0, 0, COMMAND_JSON | COMMAND_VERBOSE,
	  "the exports in force, in etab's form; -v: with the lines they come from",
	  command_exports },
	{ "check", "[--etab | --media] [FILE...]", 0, ANY_NUMBER, COMMAND_ETAB | COMMAND_MEDIA,
	  "read exports files and report every fault; --etab: print the result;"
	  " --media: try file handles of what is mounted",
	  command_check },
	{ "reload", "", 0, 0, 0, "read the exports files anew; with faults nothing changes",
	  command_reload },
	{ "mount", "PATH", 1, 1, 0, "have a medium mounted, and wait for it", command_mount },
	{ "busy", "PATH", 1, 1, 0, "who holds a medium: clients, processes", command_busy },
	{ "eject", "PATH [--wait S] [--force]", 1, 1, COMMAND_FORCE | COMMAND_WAIT,
	  "unmount a medium, and have its handler give it up", command_eject },
	{ "fsid", "PATH | VERB ...", 1, 4,
	  COMMAND_JSON | COMMAND_FROM | COMMAND_NEW | COMMAND_UNTRUSTED,
	  "the number of a path; the number store: list, set, retire, verify, copy, export, publish, recover, import",
	  command_fsid },
	{ "path", "FSID", 1, 1, 0, "the path of a number", command_path },
	{ "handle", "HEX... [--json]", 1, ANY_NUMBER, COMMAND_JSON,
	  "what a file handle is the handle of: path, medium, file", command_handle },
};

static void print_help(void)
{
	puts("Usage: exportsctl [OPTION...] COMMAND [ARGUMENT...]\n"
	     "\n"
	     "Ask exportsd, and check what it is to read.\n"
	     "\n"
	     "Commands:");
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		printf("  %-7s %-28s %s\n", commands[i].name, commands[i].arguments,
		       commands[i].help);
	puts("\n"
	     "Options:\n"
	     "      --json         print JSON (status, exports, handle, fsid list and verify)\n"
	     "      --etab         print the exports in etab's form (check)\n"
	     "      --media        try file handles instead of reading files (check)\n"
	     "      --wait S       wait so many seconds for who uses a medium (eject)\n"
	     "      --force        take away what NFSv4 clients hold (eject)\n"
	     "      --from FILE    take numbers from FILE (fsid recover); --untrusted: whoever may have written it\n"
	     "      --new          begin with no numbers (fsid recover)\n"
	     "  -v, --verbose      print more (exports)\n"
	     "  -c, --config FILE  read FILE instead of /etc/exportsd.conf\n"
	     "      --socket FILE  ask the daemon there; also EXPORTSCTL_SOCKET in the environment\n"
	     "  -h, --help         this text\n"
	     "  -V, --version      print the version\n"
	     "\n"
	     "Exit code: 0 done, 1 failed, 2 wrong usage. See exportsctl(8).");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		if (str_equal(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int usage_error(const struct command *command)
{
	if (command)
		fprintf(stderr, "Usage: exportsctl %s %s\n", command->name, command->arguments);
	else
		fputs("exportsctl --help lists the commands\n", stderr);
	return EXIT_USAGE;
}

static bool parse_seconds(const char *text, uint32_t *ret_seconds)
{
	enum { SECONDS_MAX = 7 * 24 * 3600 };
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value > SECONDS_MAX) {
		complain("--wait takes seconds, up to %d", SECONDS_MAX);
		return false;
	}
	*ret_seconds = (uint32_t)value;
	return true;
}

/* Returns 0, or an exit code plus one. */
static int parse_options(int argc, char **argv, struct invocation *invocation)
{
	enum {
		OPTION_JSON = 256,
		OPTION_ETAB,
		OPTION_SOCKET,
		OPTION_FROM,
		OPTION_NEW,
		OPTION_UNTRUSTED,
		OPTION_FORCE,
		OPTION_WAIT,
		OPTION_MEDIA,
	};
	static const struct option options[] = {
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "etab", no_argument, NULL, OPTION_ETAB },
		{ "media", no_argument, NULL, OPTION_MEDIA },
		{ "verbose", no_argument, NULL, 'v' },
		{ "config", required_argument, NULL, 'c' },
		{ "force", no_argument, NULL, OPTION_FORCE },
		{ "wait", required_argument, NULL, OPTION_WAIT },
		{ "socket", required_argument, NULL, OPTION_SOCKET },
		{ "from", required_argument, NULL, OPTION_FROM },
		{ "new", no_argument, NULL, OPTION_NEW },
		{ "untrusted", no_argument, NULL, OPTION_UNTRUSTED },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "vc:hV", options, NULL)) != -1) {
		switch (option) {
		case OPTION_JSON: invocation->options |= COMMAND_JSON; break;
		case OPTION_ETAB: invocation->options |= COMMAND_ETAB; break;
		case OPTION_MEDIA: invocation->options |= COMMAND_MEDIA; break;
		case 'v': invocation->options |= COMMAND_VERBOSE; break;
		case 'c': invocation->config_file = optarg; break;
		case OPTION_FORCE: invocation->options |= COMMAND_FORCE; break;
		case OPTION_WAIT:
			invocation->options |= COMMAND_WAIT;
			if (!parse_seconds(optarg, &invocation->wait_seconds))
				return usage_error(NULL) + 1;
			break;
		case OPTION_SOCKET: invocation->socket = optarg; break;
		case OPTION_NEW: invocation->options |= COMMAND_NEW; break;
		case OPTION_UNTRUSTED: invocation->options |= COMMAND_UNTRUSTED; break;
		case OPTION_FROM:
			invocation->options |= COMMAND_FROM;
			invocation->from = optarg;
			break;
		case 'h': print_help(); return EXIT_SUCCESS + 1;
		case 'V': puts("exportsctl " EXPORTSD_VERSION); return EXIT_SUCCESS + 1;
		default: return usage_error(NULL) + 1;
		}
	}
	return 0;
}

/*
 * The socket of the configured directory. A faulty file is check's matter: then it is the
 * default's.
 */
static char *configured_socket(const char *config_file)
{
	struct diags diags = { 0 };
	struct config *config = NULL;
	char *path = NULL;

	if (config_load(config_file ?: "/etc/exportsd.conf", !config_file, &diags, &config) != 0)
		(void)config_load(NULL, true, &diags, &config);
	if (config && asprintf(&path, "%s/control", config->runtime_directory) < 0)
		path = NULL;
	config_free(config);
	diags_done(&diags);
	return path;
}

int main(int argc, char **argv)
{
	struct invocation invocation = { .socket = getenv("EXPORTSCTL_SOCKET") };
	CLEANUP(freep) char *socket = NULL;
	const struct command *command;
	unsigned int n_arguments;
	int r = parse_options(argc, argv, &invocation);

	if (r != 0)
		return r - 1;
	if (optind == argc) {
		complain("which command?");
		return usage_error(NULL);
	}
	command = find_command(argv[optind]);
	if (!command) {
		complain("unknown command '%s'", argv[optind]);
		return usage_error(NULL);
	}
	invocation.arguments = argv + optind + 1;
	n_arguments = (unsigned int)(argc - optind - 1);
	if (n_arguments < command->min || n_arguments > command->max ||
	    invocation.options & ~command->options)
		return usage_error(command);
	if (!invocation.socket)
		invocation.socket = socket = configured_socket(invocation.config_file);
	if (!invocation.socket) {
		complain("out of memory");
		return EXIT_FAILURE;
	}
	return command->run(&invocation);
}
