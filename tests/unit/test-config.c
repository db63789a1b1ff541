/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-config.c - exportsd.conf: defaults, values, faults with their places, and that what
 * is printed reads back. Files are made in a directory of its own, except the example, which
 * must be the printed defaults.
 */

#include <errno.h>
#include <sys/stat.h>

#include "exportsd/config.h"
#include "tests/tap.h"

static char directory[] = "/tmp/test-config-XXXXXX";
static char file[sizeof(directory) + 16];

static int load_bytes(const char *text, size_t n_bytes, struct diags *diags,
		      struct config **ret_config)
{
	FILE *to = fopen(file, "w");

	fwrite(text, 1, n_bytes, to);
	fclose(to);
	return config_load(file, false, diags, ret_config);
}

static int load(const char *text, struct diags *diags, struct config **ret_config)
{
	return load_bytes(text, strlen(text), diags, ret_config);
}

static char *print(const struct config *config)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	config_print(config, to);
	fclose(to);
	return text;
}

static void check_defaults(const struct config *config)
{
	is_str(config->exports_files[0], "/etc/exports", "default exports-files");
	ok(!config->exports_files[1], "only one");
	is_str(config->exports_directories[0], "/etc/exports.d", "default exports-directories");
	is_str(config->exports_directories[1], "/etc/exportsd.d", "two of them");
	ok(!config->exports_directories[2], "not more");
	is_str(config->state_directory, "/var/lib/exportsd", "default state-directory");
	is_str(config->runtime_directory, "/run/exportsd", "default runtime-directory");
	ok(config->manage_gids, "default manage-gids");
	is_int(config->ttl_seconds, 1800, "default ttl-seconds");
	is_int(config->medium_ttl_seconds, 60, "default medium-ttl-seconds");
	is_int(config->name_age_seconds, 600, "default name-age-seconds");
	is_int(config->name_timeout_seconds, 10, "default name-timeout-seconds");
	is_int(config->deadline_seconds, 120, "default deadline-seconds");
	is_int(config->retry_seconds, 15, "default retry-seconds");
	is_int(config->idle_seconds, 300, "default idle-seconds");
	is_int(config->min_hold_seconds, 10, "default min-hold-seconds");
	is_int(config->after_deadline, CONFIG_STALE, "default after-deadline");
	is_int(config->identity, CONFIG_AUTO, "default identity");
	ok(!config->handler_user, "default handler-user: nobody");
	ok(config->mount_service && config->mount_tcp && config->mount_udp && config->rpcbind,
	   "default: MOUNT over both, registered");
	is_int(config->mount_port, 20048, "default mount-port");
	ok(!config->trust_reverse_names, "default trust-reverse-names");
}

static void test_defaults(void)
{
	struct diags diags = { 0 };
	struct config *config = NULL;

	is_int(config_load(NULL, false, &diags, &config), 0, "no file");
	check_defaults(config);
	config = config_free(config);
	is_int(config_load("/nonexistent/exportsd.conf", true, &diags, &config), 0,
	       "an optional file");
	check_defaults(config);
	config = config_free(config);
	is_int(load("", &diags, &config), 0, "an empty file");
	check_defaults(config);
	config_free(config);
	is_int((long long)diags.n_items, 0, "no message");
	diags_done(&diags);
	ok(!config_free(NULL), "config_free(NULL)");
}

static void test_values(void)
{
	struct diags diags = { 0 };
	struct config *config = NULL;

	is_int(load("# a comment\n"
		    "exports-files = {\"/a\", '/b c'}\n"
		    "exports-directories += {/d}\n"
		    "state-directory=\"/s\"\nruntime-directory = /r//x # too '\n"
		    "manage-gids = no\nttl-seconds = 10\nmedium-ttl-seconds = 86400\n"
		    "handler-user = discs\nmount-port = 0\nmount-udp = off\n"
		    "trust-reverse-names = yes\nretry-seconds = 7\nretry-seconds = 9\n",
		    &diags, &config),
	       0, "a file of values");
	if (!config)
		return;
	is_str(config->exports_files[1], "/b c", "the second of a list");
	is_str(config->exports_directories[2], "/d", "+= adds to the defaults");
	is_str(config->runtime_directory, "/r//x", "a bare word");
	ok(!config->manage_gids && config->trust_reverse_names && !config->mount_udp, "booleans");
	is_int(config->ttl_seconds, 10, "the least of a range");
	is_int(config->medium_ttl_seconds, 86400, "the most of a range");
	is_str(config->handler_user, "discs", "a user");
	is_int(config->mount_port, 0, "port 0");
	is_int(config->retry_seconds, 9, "of two the last counts");
	config = config_free(config);
	is_int(load("exports-files = {}\n", &diags, &config), 0, "an empty list");
	ok(config && !config->exports_files[0], "is empty");
	config_free(config);
	diags_done(&diags);
}

/* One text, and the messages it must give, one a line. */
static const struct {
	const char *text;
	const char *messages;
} faults[] = {
	{ "ttl-second = 5\n",
	  "F:1:1: error: unknown key 'ttl-second'; did you mean 'ttl-seconds'?\n" },
	{ "mount = 5\n", "F:1:1: error: unknown key 'mount'; did you mean 'mount-service'?\n" },
	{ "colour = {red, blue}\n", "F:1:1: error: unknown key 'colour'\n" },
	{ "colour = {}\n", "F:1:1: error: unknown key 'colour'\n" },
	{ "ttl-seconds = soon\n", "F:1:15: error: ttl-seconds: 'soon' is not a whole number\n" },
	{ "ttl-seconds = -1\n", "F:1:15: error: ttl-seconds: '-1' is not a whole number\n" },
	{ "ttl-seconds = 9\n", "F:1:15: error: ttl-seconds: '9' is not within 10 .. 86400\n" },
	{ "ttl-seconds = 99999999999999999999\n",
	  "F:1:15: error: ttl-seconds: '99999999999999999999' is not within 10 .. 86400\n" },
	{ "mount-port = 65536\n", "F:1:14: error: mount-port: '65536' is not within 0 .. 65535\n" },
	{ "rpcbind = maybe\n", "F:1:11: error: rpcbind: 'maybe' is neither true nor false\n" },
	{ "state-directory = here\n",
	  "F:1:19: error: state-directory: 'here' is not an absolute path\n" },
	{ "exports-files = {\"/a\",\n  \"b\"}\n",
	  "F:2:4: error: exports-files: 'b' is not an absolute path\n" },
	{ "# all of them, in the order of the lines\nrpcbind = 3\nmuont-tcp = no\n\nttl-seconds = x\nnonsense=1\n",
	  "F:2:11: error: rpcbind: '3' is neither true nor false\n"
	  "F:3:1: error: unknown key 'muont-tcp'; did you mean 'mount-tcp'?\n"
	  "F:5:15: error: ttl-seconds: 'x' is not a whole number\n"
	  "F:6:1: error: unknown key 'nonsense'\n" },
	{ "rpcbind = 3\nttl-seconds 5\nmanage-gids = 4\n",
	  "F:1:11: error: rpcbind: '3' is neither true nor false\n"
	  "F:2:1: error: missing equal sign after option 'ttl-seconds'\n" },
	{ "rpcbind = no // not now\n  /* nor this */ rpcbind = 5\nttl-seconds = y # \"\n",
	  "F:1:14: error: a comment begins with #; a value that begins so needs quotes\n"
	  "F:2:3: error: a comment begins with #; a value that begins so needs quotes\n"
	  "F:3:15: error: ttl-seconds: 'y' is not a whole number\n" },
	{ "ttl-seconds = 50\nstate-directory = \"/x\\\"\nmanage-gids = 3\n",
	  "F:2:19: error: this string has no closing quote\n" },
	{ "rule \"/a/*\" {\n  idel = 1\n  deadline-seconds = 2\n  idle = x identity = foo\n}\n",
	  "F:2:3: error: unknown key 'idel' of a rule; did you mean 'idle'?\n"
	  "F:3:3: error: unknown key 'deadline-seconds' of a rule\n"
	  "F:4:10: error: idle: 'x' is not a whole number\n"
	  "F:4:23: error: identity: 'foo' is none of auto, strict and path\n" },
	{ "rule \"/a/*\" { retry = 1 }\nrule \"/a/*\" { }\n",
	  "F:2:1: error: found duplicate title '/a/*'\n" },
	{ "idle = 5\n", "F:1:1: error: unknown key 'idle'; did you mean 'idle-seconds'?\n" },
	{ "ttl-seconds = 50 }\n", "F:1:1: error: unexpected closing brace\n" },
	{ "ttl-seconds =", "F:1:1: error: premature end of file\n" },
	{ "mount-tcp = no\nmount-udp = no\n",
	  "F: error: mount-tcp and mount-udp are both false; to have no MOUNT service, set mount-service = false\n" },
};

/* The messages, with the file's name as F. */
static char *messages_of(struct diags *diags)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	for (size_t i = 0; i < diags->n_items; i++) {
		free(diags->items[i].file);
		diags->items[i].file = strdup("F");
	}
	diags_print(diags, to, false);
	fclose(to);
	return text;
}

static void test_faults(void)
{
	for (size_t i = 0; i < N_ELEMENTS(faults); i++) {
		struct diags diags = { 0 };
		struct config *config = NULL;
		CLEANUP(freep) char *messages = NULL;

		ok(load(faults[i].text, &diags, &config) == CONFIG_INVALID && !config,
		   "refused: %.30s", strtok(strdupa(faults[i].text), "\n"));
		messages = messages_of(&diags);
		is_str(messages, faults[i].messages, "and says why");
		diags_done(&diags);
	}
}

static void test_unreadable(void)
{
	struct diags diags = { 0 };
	struct config *config = NULL;
	size_t big = 1024 * 1024 + 1;
	CLEANUP(freep) char *comment = malloc(big);

	is_int(config_load("/nonexistent/exportsd.conf", false, &diags, &config), CONFIG_INVALID,
	       "a missing file that is not optional");
	is_int(load_bytes("ttl-seconds\0= 5\n", 16, &diags, &config), CONFIG_INVALID, "a NUL byte");
	memset(comment, '#', big);
	is_int(load_bytes(comment, big, &diags, &config), CONFIG_INVALID, "a file over the limit");
	is_int(load_bytes(comment, big - 1, &diags, &config), 0, "a file at the limit");
	config = config_free(config);
	is_int(config_load("/tmp", false, &diags, &config), CONFIG_INVALID, "a directory");
	is_int((long long)diags.n_errors, 4, "each with a message");
	diags_done(&diags);
}

/* More distinct unknown keys than are followed: the rest is not looked at, the file is refused. */
static void test_many_unknown(void)
{
	struct diags diags = { 0 };
	struct config *config = NULL;
	char text[64 * 16] = "";

	for (int i = 0; i < 64; i++)
		sprintf(text + strlen(text), "zzzzzz%d = %d\n", i, i);
	is_int(load(text, &diags, &config), CONFIG_INVALID, "64 unknown keys");
	is_int((long long)diags.n_errors, 21, "are reported up to a limit");
	diags_done(&diags);
	memset(text, 'k', 100);
	strcpy(text + 100, " = 1\n");
	is_int(load(text, &diags, &config), CONFIG_INVALID, "a very long key");
	is_int((long long)diags.n_errors, 1, "is reported once");
	diags_done(&diags);
}

static void replace(char **field, const char *text)
{
	free(*field);
	*field = strdup(text);
}

static bool round_trip(const struct config *config)
{
	struct diags diags = { 0 };
	struct config *again = NULL;
	CLEANUP(freep) char *first = print(config), *second = NULL;
	int r = load(first, &diags, &again);

	if (r == 0)
		second = print(again);
	else
		diags_print(&diags, stdout, false);
	diags_done(&diags);
	config_free(again);
	return r == 0 && str_equal(first, second);
}

static void test_rules(void)
{
	struct diags diags = { 0 };
	struct config *config = NULL;
	struct config_rule rule;

	is_int(load("rule \"/a/*\" { idle = 0  min-hold = 3\nafter-deadline = delay }\n"
		    "rule '/b/*' { identity = path retry = 7 deadline = 8 }\n"
		    "idle-seconds = 20\nidentity = strict\n",
		    &diags, &config),
	       0, "two rules");
	rule = config_rule(config, "/a/*");
	is_int(rule.idle_seconds, 0, "what a rule says");
	is_int(rule.min_hold_seconds, 3, "counts");
	is_int(rule.after_deadline, CONFIG_DELAY, "for it");
	is_int(rule.identity, CONFIG_STRICT, "the rest is as for all, said before or after it");
	is_int(rule.deadline_seconds, 120, "or the default");
	rule = config_rule(config, "/b/*");
	is_int(rule.idle_seconds, 20, "another rule has its own");
	is_int(rule.identity, CONFIG_PATH, "of each");
	is_int((long long)rule.deadline_seconds * 100 + rule.retry_seconds, 807, "key");
	is_int(config_rule(config, "/c/*").idle_seconds, 20, "a rule without a section");
	is_int(config_rule(config, NULL).min_hold_seconds, 10, "and no rule: what is for all");
	ok(round_trip(config), "what is printed of rules reads back");
	config_free(config);
	diags_done(&diags);
}

static void test_print(void)
{
	static const char awkward[] = "/a \"'\\\\$#{}=,\t+()*n${HOME}\xff\n";
	struct diags diags = { 0 };
	struct config *config = NULL;
	bool good = true;

	config_load(NULL, false, &diags, &config);
	ok(round_trip(config), "the printed defaults read back");
	replace(&config->handler_user, "o'brien \"${HOME}\"");
	config->mount_udp = false;
	config->mount_port = 7;
	ok(round_trip(config), "so do other values");
	for (int i = 0; i < 300 && good; i++) {
		char path[24] = "/";
		size_t length = tap_random() % 20;

		for (size_t j = 1; j <= length; j++)
			path[j] = awkward[tap_random() % (sizeof(awkward) - 1)];
		replace(&config->exports_files[0], path);
		replace(&config->state_directory, path);
		good = round_trip(config);
	}
	ok(good, "and paths of any bytes: %s", config->state_directory);
	config_free(config);
	diags_done(&diags);
}

static void test_example(void)
{
	struct diags diags = { 0 };
	struct config *config = NULL;
	CLEANUP(freep) char *printed = NULL, *example = calloc(1, 65536);
	FILE *from = fopen("examples/exportsd.conf", "r");

	config_load(NULL, false, &diags, &config);
	printed = print(config);
	config = config_free(config);
	/* Its first line is the licence's. */
	ok(from && fgets(example, 65536, from) && fread(example, 1, 65535, from) > 0,
	   "the example can be read");
	example[strlen(printed)] = '\0';
	is_str(example, printed, "it is what config_print() says of the defaults");
	is_int(config_load("examples/exportsd.conf", false, &diags, &config), 0,
	       "it is a configuration");
	if (config)
		check_defaults(config);
	config_free(config);
	diags_done(&diags);
	if (from)
		fclose(from);
}

int main(int argc, char **argv)
{
	struct config *config = NULL;
	struct diags diags = { 0 };

	/* For whoever changes the table: test-config --print >examples/exportsd.conf */
	if (argc > 1 && str_equal(argv[1], "--print")) {
		puts("# SPDX-License-Identifier: LGPL-2.1-or-later");
		config_load(NULL, false, &diags, &config);
		config_print(config, stdout);
		config_free(config);
		return 0;
	}
	if (!mkdtemp(directory))
		return 1;
	sprintf(file, "%s/conf", directory);
	test_defaults();
	test_values();
	test_faults();
	test_unreadable();
	test_many_unknown();
	test_rules();
	test_print();
	test_example();
	unlink(file);
	rmdir(directory);
	return tap_done();
}
