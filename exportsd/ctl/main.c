/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * exportsctl(8): the command line and the help, both from the table of commands.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "exportsd/config/config.h"
#include "exportsd/ctl/ctl.h"

enum {
	ALL_OPTIONS_MAX = 32,
	OWN_OPTION = 256, /* getopt_long(3)'s value of the first option of commands */
	SOCKET_OPTION = OWN_OPTION + ALL_OPTIONS_MAX,
	SUMMARY_COLUMN = 36,
};

/* Every option of some command, once, and what was given. */
struct own_option {
	const struct ctl_option *option;
	const char *value;
	bool is_given;
};
static struct own_option own_options[ALL_OPTIONS_MAX];
static size_t n_own_options;

static struct own_option *find_own(const char *name)
{
	for (size_t i = 0; i < n_own_options; i++)
		if (str_equal(own_options[i].option->name, name))
			return &own_options[i];
	return NULL;
}

static void gather_options(void)
{
	for (size_t i = 0; ctl_commands[i]; i++)
		for (const struct ctl_option *option = ctl_commands[i]->options; option->name;
		     option++)
			if (!find_own(option->name) && n_own_options < ALL_OPTIONS_MAX)
				own_options[n_own_options++].option = option;
}

/* ---- help ---- */

static void print_row(int column, const char *summary)
{
	if (column >= SUMMARY_COLUMN)
		column = printf("\n") - 1;
	printf("%*s%s", SUMMARY_COLUMN - column, "", summary);
}

static bool has_option(const struct ctl_command *command, const char *name)
{
	for (const struct ctl_option *option = command->options; option->name; option++)
		if (str_equal(option->name, name))
			return true;
	return false;
}

static void print_option(const struct ctl_option *option)
{
	const char *before = " (";
	int column = 0;

	column += option->letter ? printf("  -%c, ", option->letter) : printf("      ");
	column += printf("--%s%s%s", option->name, option->argument ? " " : "",
			 option->argument ?: "");
	print_row(column, option->summary);
	for (size_t i = 0; ctl_commands[i]; i++)
		if (has_option(ctl_commands[i], option->name)) {
			printf("%s%s", before, ctl_commands[i]->name);
			before = ", ";
		}
	puts(")");
}

static void print_help(void)
{
	puts("Usage: exportsctl [OPTION...] COMMAND [ARGUMENT...]\n"
	     "\n"
	     "Ask exportsd, and check what it is to read.\n"
	     "\n"
	     "Commands:");
	for (size_t i = 0; ctl_commands[i]; i++) {
		const struct ctl_command *command = ctl_commands[i];

		print_row(printf("  %s%s%s", command->name, command->usage ? " " : "",
				 command->usage ?: ""),
			  command->summary);
		putchar('\n');
	}
	puts("\nOptions:");
	for (size_t i = 0; i < n_own_options; i++)
		print_option(own_options[i].option);
	puts("  -c, --config FILE                 read FILE instead of /etc/exportsd.conf\n"
	     "      --socket FILE                 ask the daemon there; also EXPORTSCTL_SOCKET in the environment\n"
	     "  -h, --help                        this text\n"
	     "  -V, --version                     print the version\n"
	     "\n"
	     "Exit code: 0 done, 1 failed, 2 wrong usage. See exportsctl(8).");
}

/* Of a command, and of those of its group. */
static int usage_error(const struct ctl_command *command)
{
	size_t length = command ? strlen(command->name) : 0;

	for (size_t i = 0; command && ctl_commands[i]; i++) {
		const struct ctl_command *other = ctl_commands[i];

		if (strncmp(other->name, command->name, length) == 0 &&
		    (other == command || other->name[length] == ' '))
			fprintf(stderr, "Usage: exportsctl %s%s%s\n", other->name,
				other->usage ? " " : "", other->usage ?: "");
	}
	if (!command)
		fputs("exportsctl --help lists the commands\n", stderr);
	return CTL_EXIT_USAGE;
}

/* ---- the command line ---- */

static void make_table(struct option *ret_options, char *ret_letters)
{
	static const struct option common[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, SOCKET_OPTION },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
	};

	for (size_t i = 0; i < n_own_options; i++) {
		const struct ctl_option *option = own_options[i].option;

		*ret_options++ =
			(struct option){ option->name,
					 option->argument ? required_argument : no_argument, NULL,
					 OWN_OPTION + (int)i };
		if (option->letter)
			*ret_letters++ = option->letter;
	}
	memcpy(ret_options, common, sizeof(common));
	strcpy(ret_letters, "c:hV");
}

static void note_option(int option)
{
	for (size_t i = 0; i < n_own_options; i++)
		if (option == OWN_OPTION + (int)i || option == own_options[i].option->letter) {
			own_options[i].is_given = true;
			own_options[i].value = optarg ?: "";
		}
}

/* Returns 0, or an exit code plus one. */
static int parse_options(int argc, char **argv, struct ctl_invocation *invocation)
{
	struct option options[ALL_OPTIONS_MAX + 5] = { 0 };
	char letters[ALL_OPTIONS_MAX + 5] = "";
	int option;

	make_table(options, letters);
	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		switch (option) {
		case 'c': invocation->config_file = optarg; break;
		case SOCKET_OPTION: invocation->socket = optarg; break;
		case 'h': print_help(); return EXIT_SUCCESS + 1;
		case 'V': puts("exportsctl " EXPORTSD_VERSION); return EXIT_SUCCESS + 1;
		case '?': return usage_error(NULL) + 1;
		default: note_option(option);
		}
	}
	return 0;
}

/* Of "fsid list" both words count. Returns how many of the words are its name's; 0: it is not. */
static unsigned int match(const struct ctl_command *command, char *const *words)
{
	size_t length = strcspn(command->name, " ");
	const char *second = command->name[length] ? command->name + length + 1 : NULL;

	if (strlen(words[0]) != length || strncmp(words[0], command->name, length) != 0)
		return 0;
	if (!second)
		return 1;
	return words[1] && str_equal(words[1], second) ? 2 : 0;
}

/* The one that takes the most words. */
static const struct ctl_command *find_command(char **words, char ***ret_arguments)
{
	const struct ctl_command *found = NULL;
	unsigned int n_best = 0;

	for (size_t i = 0; ctl_commands[i]; i++) {
		unsigned int n = match(ctl_commands[i], words);

		if (n > n_best) {
			n_best = n;
			found = ctl_commands[i];
		}
	}
	*ret_arguments = words + n_best;
	return found;
}

/* Returns false if an option was given that is not the command's, or too few or many arguments. */
static bool take_values(struct ctl_invocation *invocation)
{
	const struct ctl_command *command = invocation->command;
	unsigned int n = 0;

	for (size_t i = 0; i < n_own_options; i++)
		if (own_options[i].is_given && !has_option(command, own_options[i].option->name))
			return false;
	for (size_t i = 0; command->options[i].name; i++)
		invocation->values[i] = find_own(command->options[i].name)->value;
	while (invocation->arguments[n])
		n++;
	return n >= command->min && n <= command->max;
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

static int run(struct ctl_invocation *invocation)
{
	CLEANUP(freep) char *socket = NULL;
	int exit_code;

	if (!invocation->socket)
		invocation->socket = socket = configured_socket(invocation->config_file);
	if (!invocation->socket) {
		complain("out of memory");
		return EXIT_FAILURE;
	}
	exit_code = invocation->command->run(invocation);
	if (exit_code == CTL_EXIT_USAGE)
		return usage_error(invocation->command);
	return exit_code == CTL_EXIT_LOST ? EXIT_FAILURE : exit_code;
}

int main(int argc, char **argv)
{
	struct ctl_invocation invocation = { .socket = getenv("EXPORTSCTL_SOCKET") };
	int r;

	gather_options();
	r = parse_options(argc, argv, &invocation);
	if (r != 0)
		return r - 1;
	if (optind == argc) {
		complain("a command is missing");
		return usage_error(NULL);
	}
	invocation.command = find_command(argv + optind, &invocation.arguments);
	if (!invocation.command) {
		complain("unknown command '%s'", argv[optind]);
		return usage_error(NULL);
	}
	return take_values(&invocation) ? run(&invocation) : usage_error(invocation.command);
}
