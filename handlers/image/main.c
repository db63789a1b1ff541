/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - exportsd-image: the command line of the handler for image files (exportsd-image(8)).
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "handlers/image/known.h"
#include "handlers/image/verbs.h"

enum { EXIT_USAGE = 2, WORDS_MAX = 64, AT_ONCE_MAX = 1024 };

static const char default_directory[] = "/srv/images";
static const char default_endings[] = "iso,img,squashfs,erofs,udf";
static const char default_types[] = "iso9660,udf,squashfs,erofs,vfat";

/* What the words in the options become; they live until the process ends. */
struct command_line {
	struct image_handler handler;
	struct kit_settings kit;
	char *endings[WORDS_MAX + 1];
	char *types[WORDS_MAX + 1];
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "directory", required_argument, NULL, 'd' },
	{ "endings", required_argument, NULL, 'e' },
	{ "types", required_argument, NULL, 't' },
	{ "options", required_argument, NULL, 'o' },
	{ "follow-links", no_argument, NULL, 'l' },
	{ "at-once", required_argument, NULL, 'n' },
	{ "idle", required_argument, NULL, 'i' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static void print_help(void)
{
	printf("Usage: exportsd-image [OPTION]...\n"
	       "Mount image files for exportsd when somebody reads them.\n\n"
	       "      --directory=DIR   where the images are (%s)\n"
	       "      --endings=LIST    endings of image files (%s)\n"
	       "      --types=LIST      file systems that may be mounted\n"
	       "                        (%s)\n"
	       "      --options=LIST    further mount options; ro,nosuid,nodev are always in force\n"
	       "      --follow-links    also use images that symbolic links outside DIR lead to\n"
	       "      --socket=SOCKET   listen on /PATH or @NAME, unless systemd passes a socket\n"
	       "      --at-once=N       requests that are worked on at a time (%d)\n"
	       "      --idle=SECONDS    exit when nobody is connected for so long, if systemd listens;\n"
	       "                        0: never (60)\n"
	       "      --help, --version\n\n"
	       "See exportsd-image(8).\n",
	       default_directory, default_endings, default_types, KIT_AT_ONCE);
}

static bool parse_number(const char *text, unsigned int min, unsigned int max, unsigned int *ret)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || value < min || value > max)
		return false;
	*ret = (unsigned int)value;
	return true;
}

/* Put a word into a place of a list, which ends behind it. */
static void set_word(char **place, char *word)
{
	free(place[0]);
	place[0] = word;
	free(place[1]);
	place[1] = NULL;
}

/* Cut a list at its commas. @prefix: put before each word that lacks it */
static bool parse_words(const char *list, const char *prefix, char *words[WORDS_MAX + 1])
{
	CLEANUP(freep) char *copy = strdup(list);
	char *rest = copy, *word, *whole;
	size_t n = 0;

	while ((word = strsep(&rest, ","))) {
		bool has_prefix = strncmp(word, prefix, strlen(prefix)) == 0;

		if (n == WORDS_MAX || strlen(word) <= (has_prefix ? strlen(prefix) : 0) ||
		    strchr(word, '/') ||
		    asprintf(&whole, "%s%s", has_prefix ? "" : prefix, word) < 0)
			return false;
		set_word(&words[n++], whole);
	}
	return n > 0;
}

static bool parse_types(const char *list, char *types[WORDS_MAX + 1])
{
	if (!parse_words(list, "", types))
		return false;
	for (char **type = types; *type; type++)
		if (!identity_type_is_known(*type)) {
			fprintf(stderr,
				"exportsd-image: '%s' is no file system that libblkid knows\n",
				*type);
			return false;
		}
	return true;
}

/* Take one option. Returns false if its argument is not good. */
static bool take_option(struct command_line *line, int option, const char *argument)
{
	switch (option) {
	case 's': line->kit.socket = argument; return argument[0] == '/' || argument[0] == '@';
	case 'd': line->handler.images.directory = argument; return argument[0] == '/';
	case 'e': return parse_words(argument, ".", line->endings);
	case 't': return parse_types(argument, line->types);
	case 'o': line->handler.options = argument; return true;
	case 'l': line->handler.images.follow_links = true; return true;
	case 'n': return parse_number(argument, 1, AT_ONCE_MAX, &line->kit.n_at_once);
	case 'i': return parse_number(argument, 0, 1000000, &line->kit.idle_sec);
	default: return false;
	}
}

/* Returns an exit code, or -1 to go on. */
static int parse_command_line(struct command_line *line, int argc, char **argv)
{
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		switch (option) {
		case 'h': print_help(); return EXIT_SUCCESS;
		case 'V': puts("exportsd-image " EXPORTSD_VERSION); return EXIT_SUCCESS;
		case '?': return EXIT_USAGE;
		default:
			if (take_option(line, option, optarg))
				break;
			fprintf(stderr, "exportsd-image: --%s: '%s' is not what it takes\n",
				long_options[index].name, optarg);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "exportsd-image: '%s': there are only options\n", argv[optind]);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static struct command_line line = {
		.handler.images.directory = default_directory,
		.handler.images.endings = line.endings,
		.handler.types = line.types,
		.kit.idle_sec = 60,
	};
	int r;

	if (!parse_words(default_endings, ".", line.endings) ||
	    !parse_words(default_types, "", line.types))
		return EXIT_FAILURE;
	r = parse_command_line(&line, argc, argv);
	if (r >= 0)
		return r;
	umask(022);
	r = kit_run(&image_operations, &line.handler, &line.kit);
	image_handler_done(&line.handler);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
