/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-config.c - exportsd.conf: defaults, values, faults with their places, and that what
 * is printed reads back. Files are made in a directory of its own, except the example, which
 * must be the printed defaults.
 */

#include <errno.h>
#include <sys/stat.h>

#include "exportsd/config/config.h"
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
	{ "medium-ttl-seconds = 4\n",
	  "F:1:22: error: medium-ttl-seconds: '4' is not within 5 .. 86400\n" },
	{ "ttl-seconds = 99999999999999999999\n",
	  "F:1:15: error: ttl-seconds: '99999999999999999999' is not within 1 .. 2147483647\n" },
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

static char *read_whole(const char *name)
{
	char *text = calloc(1, 262144);
	FILE *from = fopen(name, "r");

	if (ok(from && fread(text, 1, 262143, from) > 0, "%s can be read", name))
		fclose(from);
	return text;
}

/* The defaults, each commented out: a copy of the example changes nothing. */
static char *example_text(void)
{
	struct diags diags = { 0 };
	struct config *config = NULL;
	CLEANUP(freep) char *printed = NULL;
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	config_load(NULL, false, &diags, &config);
	printed = print(config);
	fputs("# SPDX-License-Identifier: LGPL-2.1-or-later\n", to);
	for (const char *line = printed; *line;) {
		int length = (int)strcspn(line, "\n");

		fprintf(to, "%s%.*s\n", *line == '#' || *line == '\n' ? "" : "#", length, line);
		line += length + 1;
	}
	fclose(to);
	config_free(config);
	diags_done(&diags);
	return text;
}

static void test_example(void)
{
	CLEANUP(freep) char *wanted = example_text();
	CLEANUP(freep) char *example = read_whole("examples/exportsd.conf");
	struct diags diags = { 0 };
	struct config *config = NULL;

	is_str(example, wanted, "the example is what config_print() says of the defaults");
	for (char *line = example; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (*line == '#' && line[1] != ' ')
			*line = ' ';
	}
	is_int(load(example, &diags, &config), 0, "without the #, it is a configuration");
	if (config)
		check_defaults(config);
	config_free(config);
	diags_done(&diags);
}

static void test_manual(void)
{
	static const char head[] = "The keys are:\n.Bl -tag -width Ds\n";
	CLEANUP(freep) char *page = read_whole("man/exportsd.conf.5");
	CLEANUP(freep) char *wanted = NULL;
	char *list = strstr(page, head), *end;
	size_t size;
	FILE *to = open_memstream(&wanted, &size);

	config_print_manual(to);
	fclose(to);
	if (!ok(list != NULL, "exportsd.conf(5) has a list of the keys"))
		return;
	list += strlen(head);
	end = strstr(list, "\n.El\n");
	if (ok(end != NULL, "which ends"))
		end[1] = '\0';
	is_str(list, wanted, "it is the table's (make tables)");
}

/* ---- nfs.conf and the command line ---- */

static char nfs_conf[sizeof(directory) + 16];

static int load_both(const char *nfs_text, const char *text, const char *const *settings,
		     struct diags *diags, struct config **ret_config)
{
	CLEANUP(freep) char *whole = NULL;
	FILE *to = fopen(nfs_conf, "w");

	fputs(nfs_text, to);
	fclose(to);
	if (asprintf(&whole, "nfs-conf = %s\n%s", nfs_conf, text) < 0)
		return -ENOMEM;
	to = fopen(file, "w");
	fputs(whole, to);
	fclose(to);
	return config_load_with(file, false, settings, diags, ret_config);
}

static char *origins_of(const struct config *config)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	config_print_origins(config, to);
	fclose(to);
	return text;
}

static void test_nfs_conf(void)
{
	struct diags diags = { 0 };
	struct config *config = NULL;

	is_int(load_both("[mountd]\nport = 892\nmanage-gids=n\nttl=600\nreverse-lookup=y\n"
			 "cache-use-ipaddr=1\napply-root-cred=T\nha-callout=/usr/bin/ha\n"
			 "state-directory-path=/srv/nfs\ndebug = auth\n"
			 "[exports]\nrootdir=$R\n[environment]\nR=/srv\n"
			 "[nfsd]\nvers2=off\nvers4=n\nudp=no\nthreads=99\nport=2049\n",
			 "", NULL, &diags, &config),
	       0, "nfs.conf");
	is_int((long long)diags.n_items, 0, "no message");
	is_int(config->mount_port, 892, "port");
	ok(!config->manage_gids, "manage-gids");
	is_int(config->ttl_seconds, 600, "ttl");
	ok(config->reverse_lookup && config->cache_use_ipaddr && config->apply_root_cred,
	   "truth values");
	is_str(config->ha_callout, "/usr/bin/ha", "ha-callout");
	is_str(config->nfs_state_directory, "/srv/nfs", "state-directory-path");
	is_str(config->rootdir, "/srv", "rootdir, by way of [environment]");
	ok(config->debug, "debug");
	ok(!config->mount_v2 && config->mount_v3 && config->mount_tcp && !config->mount_udp,
	   "versions and transports");
	ok(config->mount_service, "the MOUNT service is on");
	config = config_free(config);

	is_int(load_both("[exportd]\nttl=60\nmanage-gids=n\nstate-directory-path=/e\n", "", NULL,
			 &diags, &config),
	       0, "[exportd]");
	is_int(config->ttl_seconds, 60, "counts where [mountd] is silent");
	ok(!config->manage_gids && str_equal(config->nfs_state_directory, "/e"), "so here");
	config = config_free(config);
	load_both("[exportd]\nttl=60\n[mountd]\nttl=70\n", "", NULL, &diags, &config);
	is_int(config->ttl_seconds, 70, "else [mountd] does");
	config = config_free(config);
	load_both("[nfsd]\nvers2=n\nvers3=n\n", "", NULL, &diags, &config);
	ok(!config->mount_service, "NFSv4 only: no MOUNT service");
	config = config_free(config);
	is_int((long long)diags.n_items, 0, "still no message");
	diags_done(&diags);
}

static void test_layers(void)
{
	static const char *const settings[] = { "ttl-seconds=3", "exports-files=/a,/b",
						"handler-user=", "mount-udp=false", NULL };
	struct diags diags = { 0 };
	struct config *config = NULL;
	CLEANUP(freep) char *origins = NULL, *wanted = NULL;

	is_int(load_both("[mountd]\nttl=1\nport=1\nha-callout=/h\n[nfsd]\ntcp=n\n",
			 "ttl-seconds=2\nmount-port = 2\nmount-tcp = true\nhandler-user=x\n",
			 settings, &diags, &config),
	       0, "all three speak");
	is_int(config->ttl_seconds, 3, "the command line goes first");
	is_int(config->mount_port, 2, "then exportsd.conf");
	is_str(config->ha_callout, "/h", "then nfs.conf");
	ok(config->mount_tcp && !config->mount_udp, "also if it says what is the default");
	ok(!config->handler_user, "and if it says none");
	is_str(config->exports_files[1], "/b", "a list on the command line");
	ok(!config->exports_files[2], "is the whole list");
	is_str(config->state_directory, "/var/lib/exportsd", "then the default");
	origins = origins_of(config);
	if (asprintf(&wanted,
		     "exports-files = {\"/a\", \"/b\"} # command line\n"
		     "nfs-conf = \"%s\" # %s\n"
		     "ttl-seconds = 3 # command line\nhandler-user = \"\" # command line\n"
		     "mount-port = 2 # %s\nmount-tcp = true # %s\n"
		     "mount-udp = false # command line\n"
		     "ha-callout = \"/h\" # %s:4: [mountd] ha-callout\n",
		     nfs_conf, file, file, file, nfs_conf) > 0)
		is_str(origins, wanted, "who set what");
	config = config_free(config);
	is_int(load_both("[mountd]\nttl=5\n", "", (const char *const[]){ "nfs-conf=", NULL },
			 &diags, &config),
	       0, "no nfs.conf, says the command line");
	is_int(config->ttl_seconds, 1800, "so it is not read");
	config_free(config);
	diags_done(&diags);
}

/* What each text of nfs.conf, file, and command line makes one say. */
static const struct {
	const char *nfs_conf, *file, *setting, *messages;
	int result;
} layer_faults[] = {
	{ "[mountd]\nport=many\nttl = 0\nha-callout=ha\nreverse-lookup=perhaps\n", "", NULL,
	  "F:3:7: warning: [mountd] ttl: '0' is not within 1 .. 2147483647; ignoring it\n"
	  "F:2:6: warning: [mountd] port: 'many' is not a whole number; ignoring it\n"
	  "F:5:16: warning: [mountd] reverse-lookup: 'perhaps' is neither yes nor no; ignoring it\n"
	  "F:4:12: warning: [mountd] ha-callout: 'ha' is not an absolute path; ignoring it\n",
	  0 },
	{ "[mountd]\nthreads=8\ndescriptors=0\n[exportd]\nthreads = 2\n", "", NULL,
	  "F:2:9: warning: [mountd] threads: '8' has no effect: exportsd has one, and nobody waits for another's DNS or disk in it\n"
	  "F:3:13: warning: [mountd] descriptors: '0' has no effect: exportsd takes as many as the system lets it have\n"
	  "F:5:11: warning: [exportd] threads: '2' has no effect: exportsd has one, and nobody waits for another's DNS or disk in it\n",
	  0 },
	{ "[mountd]\nprot=8\n[lockd]\nprot=8\n[nfsd]\nvers4.1=y\n[mountd \"x\"]\ny=z\n", "", NULL,
	  "F:2:6: warning: [mountd] prot: '8' has no effect: exportsd does not know the setting\n",
	  0 },
	{ "port=8\n", "", NULL, "F:1:1: warning: a setting before any section; ignoring it\n", 0 },
	{ "[nfsd]\nvers2=n\nvers3=n\nvers4=n\n", "", NULL,
	  "F: error: vers2, vers3 and vers4 of [nfsd] are all off: nothing is left to serve\n",
	  CONFIG_INVALID },
	{ "[nfsd]\ntcp=n\nudp=n\n", "", NULL,
	  "F: error: mount-tcp and mount-udp are both false; to have no MOUNT service, set mount-service = false\n",
	  CONFIG_INVALID },
	{ "", "", "ttl-seconds=x", "F: error: ttl-seconds: 'x' is not a whole number\n",
	  CONFIG_INVALID },
	{ "", "", "exports-files=/a,b", "F: error: exports-files: '/a,b' is not an absolute path\n",
	  CONFIG_INVALID },
	{ "", "", "ttl=5", "F: error: unknown key 'ttl'\n", CONFIG_INVALID },
};

static void test_layer_faults(void)
{
	for (size_t i = 0; i < N_ELEMENTS(layer_faults); i++) {
		const char *const settings[] = { layer_faults[i].setting, NULL };
		struct diags diags = { 0 };
		struct config *config = NULL;
		CLEANUP(freep) char *messages = NULL;

		is_int(load_both(layer_faults[i].nfs_conf, layer_faults[i].file, settings, &diags,
				 &config),
		       layer_faults[i].result, "taken, or not");
		messages = messages_of(&diags);
		is_str(messages, layer_faults[i].messages, "and what is said of it");
		config_free(config);
		diags_done(&diags);
	}
}

int main(int argc, char **argv)
{
	/* For whoever changes the table: see `make tables`. */
	if (argc > 1 && str_equal(argv[1], "--print")) {
		CLEANUP(freep) char *text = example_text();

		fputs(text, stdout);
		return 0;
	}
	if (argc > 1 && str_equal(argv[1], "--manual")) {
		config_print_manual(stdout);
		return 0;
	}
	if (!mkdtemp(directory))
		return 1;
	sprintf(file, "%s/conf", directory);
	sprintf(nfs_conf, "%s/nfs.conf", directory);
	test_defaults();
	test_values();
	test_faults();
	test_unreadable();
	test_many_unknown();
	test_rules();
	test_print();
	test_example();
	test_manual();
	test_nfs_conf();
	test_layers();
	test_layer_faults();
	unlink(nfs_conf);
	unlink(file);
	rmdir(directory);
	return tap_done();
}
