/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Questions of the kernel, from their text to the lines that answer them, with everything outside
 * replaced: the kernel collects lines, names, paths, numbers and media say what a test put there.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "exportsd/base/parts.h"
#include "exportsd/config/config.h"
#include "exportsd/fs/mount_table.h"
#include "exportsd/fs/paths.h"
#include "exportsd/kernel/kernel.h"
#include "exportsd/kernel/upcall.h"
#include "exportsd/media/media.h"
#include "exportsd/mountd/mountd.h"
#include "exportsd/names/clients.h"
#include "exportsd/names/names.h"
#include "exportsd/numbers/numbers.h"
#include "exportsd/questions/questions.h"
#include "parser/snapshot/snapshot.h"
#include "tests/tap.h"

static struct daemon server;

#include "tests/fake/one-number.h"

/* ---- the kernel: what it was told ---- */

enum { TOLD_MAX = 64 };
static char *told[TOLD_MAX];
static size_t n_told;
static int kernel_says; /* to answers that hold a path, unless they are negative */

static void forget_told(void)
{
	for (size_t i = 0; i < n_told; i++)
		free(told[i]);
	n_told = 0;
}

/* Expiry times become "T+seconds", so that lines can be compared. */
int kernel_answer(struct kernel *kernel, const struct kernel_answer *answer)
{
	char line[1024], *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);
	long long now = (long long)time(NULL);
	unsigned int words = 0;

	upcall_format(answer, line, sizeof(line));
	for (const char *word = line; *word && *word != '\n';) {
		size_t length = strcspn(word, " \n");
		long long number = strtoll(word, NULL, 10);

		if (number >= now - 2 && number < now + 100000)
			fprintf(memory, "T+%lld ", (number - now + 1) / 5 * 5);
		else
			fprintf(memory, "%.*s ", (int)length, word);
		words++;
		word += length;
		word += strspn(word, " ");
	}
	fclose(memory);
	if (n_told < TOLD_MAX)
		told[n_told++] = text;
	return words > 3 ? kernel_says : 0;
}

void kernel_pause(struct kernel *kernel, bool pause)
{
}

static unsigned int n_export_flushes;

int kernel_flush_exports(struct kernel *kernel)
{
	n_export_flushes++;
	return 0;
}

/* ---- names ---- */

static struct {
	int error;
	const char *names[4];
	size_t n_names;
	const char *netgroups[4];
	size_t n_netgroups;
	bool silent;
	unsigned int asked;
} name_service;

static void cancel_names(struct pending *pending);

struct names_question {
	struct pending pending;
	names_address_fn of_address;
	names_groups_fn of_groups;
	void *userdata;
	sd_event_source *source;
};

static int on_names(sd_event_source *source, void *userdata)
{
	static const uint32_t groups[] = { 100, 27 };
	struct names_question question = *(struct names_question *)userdata;
	struct snapshot_address_names known = {
		.names = name_service.names,
		.n_names = name_service.n_names,
		.netgroups = name_service.netgroups,
		.n_netgroups = name_service.n_netgroups,
	};

	sd_event_source_unref(question.source);
	free(userdata);
	if (question.of_address)
		question.of_address(question.userdata, name_service.error, &known);
	else
		question.of_groups(question.userdata, name_service.error, groups, 2);
	return 0;
}

static int ask_names(struct names_question template, struct pending **ret_question)
{
	struct names_question *question = malloc(sizeof(*question));

	*question = template;
	name_service.asked++;
	if (!name_service.silent)
		sd_event_add_defer(server.event, &question->source, on_names, question);
	*ret_question = &question->pending;
	return 0;
}

int names_of_address(struct names *names, const struct address *address,
		     const char *const *netgroups, size_t n_netgroups, names_address_fn done,
		     void *userdata, struct pending **ret_question)
{
	return ask_names((struct names_question){ { cancel_names },
						  .of_address = done,
						  .userdata = userdata },
			 ret_question);
}

int names_groups(struct names *names, uint32_t uid, names_groups_fn done, void *userdata,
		 struct pending **ret_question)
{
	return ask_names((struct names_question){ { cancel_names },
						  .of_groups = done,
						  .userdata = userdata },
			 ret_question);
}

static void cancel_names(struct pending *pending)
{
	struct names_question *question = (struct names_question *)pending;

	sd_event_source_disable_unref(question->source);
	free(question);
}

/* ---- paths ---- */

static struct {
	int error;
	struct paths_facts facts;
	unsigned int asked;
} file_system;

static void cancel_paths(struct pending *pending);

struct paths_question {
	struct pending pending;
	paths_facts_fn done;
	void *userdata;
	sd_event_source *source;
};

static int on_paths(sd_event_source *source, void *userdata)
{
	struct paths_question question = *(struct paths_question *)userdata;

	sd_event_source_unref(question.source);
	free(userdata);
	question.done(question.userdata, file_system.error, &file_system.facts);
	return 0;
}

int paths_facts(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		struct pending **ret_question)
{
	struct paths_question *question = malloc(sizeof(*question));

	*question = (struct paths_question){ { cancel_paths }, .done = done, .userdata = userdata };
	file_system.asked++;
	sd_event_add_defer(server.event, &question->source, on_paths, question);
	*ret_question = &question->pending;
	return 0;
}

/* Where all junctions lead to; NULL: there are none. */
static const char *junctions_lead_to;

static int on_junction(sd_event_source *source, void *userdata)
{
	struct paths_question question = *(struct paths_question *)userdata;
	struct paths_facts facts = file_system.facts;

	sd_event_source_unref(question.source);
	free(userdata);
	facts.locations = junctions_lead_to;
	question.done(question.userdata,
		      file_system.error	  ? file_system.error
		      : junctions_lead_to ? 0
					  : -ENODATA,
		      &facts);
	return 0;
}

int paths_junction(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		   struct pending **ret_question)
{
	struct paths_question *question = malloc(sizeof(*question));

	*question = (struct paths_question){ { cancel_paths }, .done = done, .userdata = userdata };
	sd_event_add_defer(server.event, &question->source, on_junction, question);
	*ret_question = &question->pending;
	return 0;
}

static void cancel_paths(struct pending *pending)
{
	struct paths_question *question = (struct paths_question *)pending;

	sd_event_source_disable_unref(question->source);
	free(question);
}

/* nfs-utils get_uuid() */
void paths_fold_uuid(const char *text, size_t size, uint8_t *ret_bytes)
{
	memset(ret_bytes, 0, size);
	ret_bytes[0] = (uint8_t)strtoul((const char[]){ text[0], text[1], 0 }, NULL, 16);
}

/* ---- numbers and media ---- */

uint32_t numbers_get(const struct numbers *numbers, const char *path)
{
	return store.path && str_equal(path, store.path) && store.is_known ? 80001 : 0;
}

const char *numbers_path(const struct numbers *numbers, uint32_t number)
{
	if (number == 80001)
		return store.is_known ? store.path : NULL;
	return number == 70001 || number == 70002 ? "/mnt/cdrom/rom1" : NULL;
}

const char *numbers_identity(const struct numbers *numbers, uint32_t number)
{
	return number == 70001 ? "iso9660 FIRST" : "iso9660 SECOND";
}

uint32_t numbers_next(const struct numbers *numbers, uint32_t after)
{
	return 0;
}

static struct {
	bool number_known;
	bool mounted;
	bool cannot_look;
	bool is_mounted_next; /* by somebody else, while the kernel is told of the directory */
	bool silent;
	enum media_outcome outcome;
	unsigned int loads;
	int placeholder_fd;
	bool is_unknown; /* mounted by somebody else, and not identified yet */
} medium;

static void cancel_request(struct pending *pending);

struct media_request {
	struct pending pending;
	media_number_fn number;
	media_mount_fn mount;
	void *userdata;
	sd_event_source *source;
};

static struct media_request *pending_mount;

static int on_medium(sd_event_source *source, void *userdata)
{
	struct media_request request = *(struct media_request *)userdata;
	struct media_mounted mounted = { .number = 70001, .root_fd = 44 };

	sd_event_source_unref(request.source);
	free(userdata);
	if (userdata == pending_mount)
		pending_mount = NULL;
	if (request.number) {
		request.number(request.userdata, medium.outcome, 70001);
		return 0;
	}
	medium.mounted = medium.outcome == MEDIA_OK;
	medium.is_unknown = false;
	request.mount(request.userdata, medium.outcome, &mounted, NULL);
	return 0;
}

int media_number(struct media *media, const char *path, media_number_fn done, void *userdata,
		 uint32_t *ret_number, struct pending **ret_request)
{
	struct media_request *request;

	if (medium.number_known) {
		*ret_number = 70001;
		return MEDIA_NOW;
	}
	request = calloc(1, sizeof(*request));
	*request =
		(struct media_request){ { cancel_request }, .number = done, .userdata = userdata };
	sd_event_add_defer(server.event, &request->source, on_medium, request);
	*ret_request = &request->pending;
	return 0;
}

int media_mount(struct media *media, const char *path, const char *client, const char *domain,
		uint64_t timeout_usec, media_mount_fn done, void *userdata,
		struct pending **ret_request)
{
	struct media_request *request = calloc(1, sizeof(*request));

	*request =
		(struct media_request){ { cancel_request }, .mount = done, .userdata = userdata };
	medium.loads++;
	if (medium.silent)
		pending_mount = request;
	else
		sd_event_add_defer(server.event, &request->source, on_medium, request);
	*ret_request = &request->pending;
	return 0;
}

static void cancel_request(struct pending *pending)
{
	struct media_request *request = (struct media_request *)pending;

	sd_event_source_disable_unref(request->source);
	if (request == pending_mount)
		pending_mount = NULL;
	free(request);
}

static unsigned int n_noted;

void media_note_domain(struct media *media, const char *path, const char *domain)
{
	n_noted++;
}

uint32_t media_ttl_seconds(struct media *media, const char *path)
{
	return server.config->medium_ttl_seconds;
}

enum { ROOT_FD = 144 };

/* A new descriptor each time, as the asker closes it. */
int media_open_mounted(struct media *media, const char *path, uint32_t *ret_number)
{
	*ret_number = 70001;
	if (medium.cannot_look)
		return -EMFILE;
	if (medium.is_unknown)
		return -EAGAIN;
	return medium.mounted ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, ROOT_FD) : -ENOENT;
}

bool media_is_mounted(struct media *media, const char *path)
{
	if (medium.is_mounted_next)
		medium.mounted = medium.is_unknown = true;
	medium.is_mounted_next = false;
	return medium.mounted;
}

bool media_number_fits(struct media *media, const char *path, uint32_t number)
{
	return number == 70001;
}

int media_placeholder_fd(struct media *media, const char *path)
{
	return medium.placeholder_fd;
}

/* ---- asking ---- */

static void turn(void)
{
	while (sd_event_run(server.event, 0) > 0)
		;
}

static void ask(enum kernel_cache cache, const char *line)
{
	struct kernel_question question;
	char room[256];

	forget_told();
	if (upcall_parse(cache, line, room, &question) == 0)
		questions_ask(&server, &question);
	turn();
}

/* The one line that was told, or how many there were. */
static void answers(enum kernel_cache cache, const char *line, const char *wanted, const char *what)
{
	ask(cache, line);
	is_str(n_told == 1 ? told[0] : n_told ? "several lines" : "no line", wanted, what);
}

static const char *same_path(void *userdata, const char *path)
{
	return path;
}

static bool no_host(void *userdata, const char *name, const char **ret_canonical,
		    const struct address **ret_addresses, size_t *ret_n_addresses)
{
	return false;
}

static void put_in_force(const char *text)
{
	struct snapshot_facts facts = { .real_path = same_path, .host = no_host };
	struct exports_source *source;
	struct diags diags = { 0 };
	struct snapshot *old = server.snapshot;

	if (exports_read_text("exports", text, strlen(text), &diags, &source) != 0 ||
	    diags.n_errors)
		diags_print(&diags, stdout, false);
	if (snapshot_new(source, &facts, false, &diags, &server.snapshot) != 0)
		exit(EXIT_FAILURE);
	diags_done(&diags);
	if (server.questions)
		questions_again(server.questions);
	snapshot_free(old);
}

static void reset(void)
{
	memset(&name_service, 0, sizeof(name_service));
	memset(&file_system, 0, sizeof(file_system));
	memset(&medium, 0, sizeof(medium));
	medium.placeholder_fd = -1;
	kernel_says = 0;
}

/* ---- tests ---- */

static void addresses(void)
{
	reset();
	put_in_force("/srv/a 192.0.2.0/24(ro) @group(ro)\n");
	answers(KERNEL_IP, "nfsd 192.0.2.7", "nfsd 192.0.2.7 T+600 192.0.2.0/24 ",
		"a subnet's client");
	is_int(name_service.asked, 1, "netgroups were asked about");
	name_service.netgroups[0] = "group";
	name_service.n_netgroups = 1;
	answers(KERNEL_IP, "nfsd 192.0.2.8", "nfsd 192.0.2.8 T+600 192.0.2.0/24,@group ",
		"and its netgroup");
	name_service.n_netgroups = 0;
	answers(KERNEL_IP, "nfsd 198.51.100.1", "nfsd 198.51.100.1 T+60 ", "nobody's client");
	name_service.error = -ETIMEDOUT;
	answers(KERNEL_IP, "nfsd 192.0.2.7", "nfsd 192.0.2.7 T+5 $192.0.2.7 ",
		"a dead name service: what is known by address, for seconds");
	answers(KERNEL_IP, "nfsd 198.51.100.1", "no line", "nothing known: no answer yet");
	is_int((long long)questions_n_waiting(server.questions), 1, "the question is kept");
	put_in_force("/srv/a *(ro)\n");
	forget_told();
	turn();
	is_str(n_told == 1 ? told[0] : NULL, "nfsd 198.51.100.1 T+1800 * ",
	       "and answered after a reload");
	is_int((long long)questions_n_waiting(server.questions), 0, "then it is over");
	answers(KERNEL_IP, "nlm 192.0.2.7", "no line", "another class is not answered");
	name_service.error = 0;
	answers(KERNEL_GID, "1000", "1000 T+600 2 100 27 ", "a user's groups");
}

static void plain_exports(void)
{
	reset();
	put_in_force(
		"/srv/a *(ro,fsid=7)\n/srv/b *(rw,no_root_squash)\n"
		"/srv/c *(ro,fsid=f0112233445566778899aabbccddeeff)\n/srv/m *(ro,fsid=9,mountpoint)\n"
		"/srv/x *(ro,crossmnt,fsid=11)\n");
	answers(KERNEL_EXPORT, "* /srv/a", "* /srv/a T+1800 9253 65534 65534 7 secinfo 1 1 9253 ",
		"a number");
	is_int(file_system.asked, 1, "somebody else looks at the path first");
	file_system.facts.has_block_uuid = true;
	file_system.facts.block_uuid[0] = 0xaa;
	answers(KERNEL_EXPORT, "* /srv/b",
		"* /srv/b T+1800 1056 65534 65534 0 secinfo 1 1 1056 uuid "
		"\\xaa000000000000000000000000000000 ",
		"the device's uuid");
	answers(KERNEL_EXPORT, "* /srv/c",
		"* /srv/c T+1800 1061 65534 65534 0 secinfo 1 1 1061 uuid "
		"\\xf0000000000000000000000000000000 ",
		"an option's uuid");
	answers(KERNEL_EXPORT, "* /srv/m", "* /srv/m T+5 ", "mountpoint, and nothing mounted");
	file_system.facts.is_mount_root = true;
	answers(KERNEL_EXPORT, "* /srv/m", "* /srv/m T+1800 9253 65534 65534 9 secinfo 1 1 9253 ",
		"mountpoint, mounted");
	answers(KERNEL_EXPORT, "* /srv/x/sub",
		"* /srv/x/sub T+1800 17445 65534 65534 11 secinfo 1 1 17445 uuid "
		"\\xaa000000000000000000000000000000 ",
		"below crossmnt: its own uuid, not the parent's number");
	answers(KERNEL_EXPORT, "* /elsewhere", "* /elsewhere T+1800 ", "not exported");
	answers(KERNEL_EXPORT, "other /srv/a", "other /srv/a T+1800 ", "not for this client");
	kernel_says = -EINVAL;
	ask(KERNEL_EXPORT, "* /srv/a");
	is_int((long long)n_told, 2, "the kernel refuses it");
	is_str(told[n_told - 1], "* /srv/a T+5 ", "so it is told no, for seconds");
	kernel_says = 0;
	file_system.error = -ENOENT;
	answers(KERNEL_EXPORT, "* /srv/b", "* /srv/b T+5 ", "the directory is gone");
	file_system.error = -ETIMEDOUT;
	answers(KERNEL_EXPORT, "* /srv/b", "no line", "a dead disk delays, and does not break");
	file_system.error = -EPIPE;
	answers(KERNEL_EXPORT, "* /srv/m", "no line",
		"mountpoint, and who was to look has died: no answer yet");
	file_system.error = -EIO;
	answers(KERNEL_EXPORT, "* /srv/m", "no line", "nor for a disk that reads badly");
	file_system.error = -ETIMEDOUT;
	answers(KERNEL_EXPORT, "* /srv/a", "no line",
		"the kernel is not made to walk a dead path, number or not");
	answers(KERNEL_EXPORT, "* /", "no line", "nor that of a pseudo-root");
	answers(KERNEL_FH, "* 1 \\x07000000", "no line", "nor for a handle");
	file_system.error = -ENOENT;
	answers(KERNEL_FH, "* 1 \\x0b000000", "* 1 \\x0b000000 T+5 ",
		"a handle whose path is gone: no, for seconds");
	file_system.error = 0;
	put_in_force("/srv/a *(ro,fsid=7)\n");
	turn();
	answers(KERNEL_FH, "* 1 \\x07000000", "* 1 \\x07000000 T+1800 /srv/a ",
		"a handle by number");
	answers(KERNEL_FH, "* 1 \\x08000000", "* 1 \\x08000000 T+5 ",
		"an unknown one: no, for seconds");
}

/* A mount of another NFS server, crossed into: it has no id that lasts but its number in the store. */
static void reexports(void)
{
	reset();
	memset(&store, 0, sizeof(store));
	store.path = "/srv/re/sub";
	file_system.facts.file_system = 0x6969;
	file_system.facts.has_statfs_uuid = true;
	put_in_force("/srv/re *(ro,crossmnt,fsid=80000,reexport=predefined-fsidnum)\n");
	answers(KERNEL_EXPORT, "* /srv/re/sub", "* /srv/re/sub T+5 ", "without a number: no");
	is_int(store.asked, 0, "and none is made");
	put_in_force("/srv/re *(ro,crossmnt,fsid=80000,reexport=auto-fsidnum)\n");
	store.is_full = true;
	answers(KERNEL_EXPORT, "* /srv/re/sub", "no line", "a store that fails: no answer yet");
	store.is_full = false;
	put_in_force("/srv/re *(ro,crossmnt,fsid=80000,reexport=auto-fsidnum)\n");
	forget_told();
	turn();
	is_str(n_told == 1 ? told[0] : NULL,
	       "* /srv/re/sub T+1800 25637 65534 65534 80001 secinfo 1 1 25637 ",
	       "one is made for ever");
	answers(KERNEL_FH, "* 1 \\x81380100", "* 1 \\x81380100 T+1800 /srv/re/sub ",
		"and its handles are known");
	answers(KERNEL_FH, "other 1 \\x81380100", "other 1 \\x81380100 T+5 ", "but not to others");
	file_system.error = -ETIMEDOUT;
	answers(KERNEL_FH, "* 1 \\x81380100", "no line",
		"while the other server is dead: no answer");
	file_system.error = 0;
	put_in_force("/srv/re *(ro,crossmnt,fsid=80000)\n");
	turn();
	answers(KERNEL_FH, "* 1 \\x81380100", "* 1 \\x81380100 T+5 ", "without reexport=: no");
	file_system.facts.file_system = 0;
	put_in_force("/srv/re *(ro,crossmnt,fsid=80000,reexport=auto-fsidnum)\n");
	answers(KERNEL_EXPORT, "* /srv/re/sub",
		"* /srv/re/sub T+1800 17445 65534 65534 80000 secinfo 1 1 17445 uuid "
		"\\x00000000000000000000000000000000 ",
		"a file system of this host's: its own id");
}

static void junctions(void)
{
	reset();
	put_in_force("/srv/a *(ro,fsid=7)\n/srv/b *(rw,fsid=f0112233445566778899aabbccddeeff)\n");
	answers(KERNEL_EXPORT, "* /srv/a/x", "* /srv/a/x T+1800 ",
		"below an export, and no junction");
	junctions_lead_to = "/there@alpha+beta:/else@[2001:db8::5]";
	answers(KERNEL_EXPORT, "* /srv/a/x",
		"* /srv/a/x T+300 9253 65534 65534 7 fsloc 2 alpha:beta /there [2001:db8::5] /else 1 "
		"secinfo 1 1 9253 ",
		"a junction refers clients, as its export would");
	file_system.facts.has_statfs_uuid = true;
	file_system.facts.statfs_uuid[0] = 0xcc;
	answers(KERNEL_EXPORT, "* /srv/b/x",
		"* /srv/b/x T+300 1060 65534 65534 0 fsloc 2 alpha:beta /there [2001:db8::5] /else 1 "
		"secinfo 1 1 1060 uuid \\xcc000000000000000000000000000000 ",
		"with the file system's uuid, not the export's");
	answers(KERNEL_EXPORT, "* /elsewhere/x", "* /elsewhere/x T+1800 ",
		"nobody looks where nothing is exported");
	file_system.error = -ETIMEDOUT;
	answers(KERNEL_EXPORT, "* /srv/a/x", "no line", "a dead disk delays");
	file_system.error = -EBADMSG;
	answers(KERNEL_EXPORT, "* /srv/a/y", "* /srv/a/y T+5 ",
		"one that cannot be read: no, for seconds");
	junctions_lead_to = NULL;
	file_system.error = 0;
	put_in_force("");
	turn();
}

static void pseudo_roots(void)
{
	reset();
	put_in_force("/srv/deep/a *(ro,fsid=7)\n");
	answers(KERNEL_EXPORT, "* /", "* / T+1800 74755 65534 65534 0 secinfo 1 1 74755 ",
		"the root has number 0");
	file_system.facts.has_block_uuid = true;
	answers(KERNEL_EXPORT, "* /srv/deep",
		"* /srv/deep T+1800 66563 65534 65534 0 secinfo 1 1 66563 uuid "
		"\\x0390b55cacf15245a57f16ebaac8adc9 ",
		"the rest a uuid made of the path, whatever the file system has");
}

static void media_answers(void)
{
	reset();
	put_in_force("/mnt/cdrom/* *(mountpoint,ro,fsid=/run/fsidsock)\n");
	medium.number_known = true;
	answers(KERNEL_EXPORT, "* /mnt/cdrom/rom1",
		"* /mnt/cdrom/rom1 T+1800 9253 65534 65534 70001 secinfo 1 1 9253 ",
		"a medium's path: yes, at once");
	is_int(medium.loads, 0, "looking does not load");
	answers(KERNEL_EXPORT, "* /mnt/cdrom/rom1/docs", "* /mnt/cdrom/rom1/docs T+5 ",
		"a mount below a medium is not the medium");

	ask(KERNEL_FH, "* 1 \\x71110100");
	is_int(medium.loads, 1, "its handle does");
	is_int((long long)n_told, 2, "two entries are told");
	is_str(told[0], "* /proc/self/fd/44/. T+60 9253 65534 65534 70001 secinfo 1 1 9253 ",
	       "first the export, short-lived");
	is_str(told[1], "* 1 \\x71110100 T+60 /proc/self/fd/44/. ",
	       "then the handle's path, by what holds the medium");

	kernel_says = -ENOMEM;
	ask(KERNEL_FH, "* 1 \\x71110100");
	is_int((long long)n_told, 1, "a kernel without memory is not told no");
	kernel_says = 0;
	put_in_force("/mnt/cdrom/* *(mountpoint,ro,fsid=/run/fsidsock)\n");
	turn();
	is_str(told[n_told - 1], "* 1 \\x71110100 T+60 /proc/self/fd/44/. ", "but again later");

	medium.outcome = MEDIA_NOENT;
	answers(KERNEL_FH, "* 1 \\x71110100", "* 1 \\x71110100 T+5 ",
		"no such medium: no, for seconds");
	medium.number_known = false;
	answers(KERNEL_EXPORT, "* /mnt/cdrom/rom9", "* /mnt/cdrom/rom9 T+5 ",
		"no such medium: no, for seconds");
	medium.outcome = MEDIA_OK;
	medium.number_known = true;
	medium.mounted = true;
	medium.placeholder_fd = 33;
	ask(KERNEL_EXPORT, "* /mnt/cdrom/rom1");
	is_int((long long)n_told, 2, "just mounted: the covered directory is answered too");
	is_str(told[1], "* /proc/self/fd/33/. T+1800 9253 65534 65534 70001 secinfo 1 1 9253 ",
	       "through its descriptor");
}

static void another_medium(void)
{
	reset();
	put_in_force("/mnt/cdrom/* *(mountpoint,ro,fsid=/run/fsidsock)\n");
	medium.number_known = true;
	ask(KERNEL_FH, "* 1 \\x72110100");
	is_int((long long)n_told, 2, "a handle of another medium than the one that is there");
	is_str(told[0], "* /proc/self/fd/44/. T+60 9253 65534 65534 70001 secinfo 1 1 9253 ",
	       "the path is told with the number of what is there");
	is_str(told[1], "* 1 \\x72110100 T+5 ", "the handle: no, for seconds");

	medium.is_unknown = true;
	medium.silent = true;
	answers(KERNEL_EXPORT, "* /mnt/cdrom/rom1", "no line",
		"a mount that nobody knows is not told of");
	is_int(medium.loads, 2, "its handler is asked");
	medium.silent = false;
	put_in_force("/mnt/cdrom/* *(mountpoint,ro,fsid=/run/fsidsock)\n");
	forget_told();
	turn();
	is_str(n_told ? told[0] : NULL,
	       "* /proc/self/fd/44/. T+60 9253 65534 65534 70001 secinfo 1 1 9253 ",
	       "and then it is told, by what was looked at");

	medium.mounted = false;
	medium.is_mounted_next = true;
	ask(KERNEL_EXPORT, "* /mnt/cdrom/rom1");
	is_int((long long)n_told, 2, "mounted while its directory is told of");
	is_str(told[0], "* /mnt/cdrom/rom1 T+1800 9253 65534 65534 70001 secinfo 1 1 9253 ",
	       "which may have become its own entry:");
	is_str(told[1], "* /proc/self/fd/44/. T+60 9253 65534 65534 70001 secinfo 1 1 9253 ",
	       "it is told itself, once it is known");

	medium.cannot_look = true;
	answers(KERNEL_EXPORT, "* /mnt/cdrom/rom1", "no line",
		"whether it is mounted cannot be found out: no answer yet");
	medium.cannot_look = false;
	put_in_force("/mnt/cdrom/* *(mountpoint,ro,fsid=/run/fsidsock)\n");
	turn();
	is_int((long long)questions_n_waiting(server.questions), 0, "nothing is left");
}

/* A client that has looked is made to list again rather than ask by handle, which would load. */
static void looking_again(void)
{
	uint64_t start, now;

	reset();
	medium.number_known = true;
	put_in_force("/mnt/cdrom/* *(mountpoint,ro,fsid=/run/fsidsock)\n/srv/a *(ro,fsid=7)\n");
	ask(KERNEL_EXPORT, "* /srv/a");
	medium.mounted = true;
	ask(KERNEL_EXPORT, "* /mnt/cdrom/rom1");
	is_int(n_export_flushes, 0, "plain exports and mounted media: nothing to forget");
	medium.mounted = false;
	sd_event_now(server.event, CLOCK_MONOTONIC, &start);
	ask(KERNEL_EXPORT, "* /mnt/cdrom/rom1");
	do {
		ask(KERNEL_EXPORT, "* /mnt/cdrom/rom1");
		sd_event_run(server.event, 100000);
		sd_event_now(server.event, CLOCK_MONOTONIC, &now);
	} while (now < start + 3000000);
	is_int(n_export_flushes, 0, "not while looks go on");
	while (!n_export_flushes && now < start + 20000000) {
		sd_event_run(server.event, 1000000);
		sd_event_now(server.event, CLOCK_MONOTONIC, &now);
	}
	is_int(n_export_flushes, 1, "after the last look the pseudo-roots change, once");
}

static void waiting_for_a_medium(void)
{
	reset();
	medium.silent = true;
	medium.number_known = true;
	put_in_force("/mnt/cdrom/* *(mountpoint,ro,fsid=/run/fsidsock)\n/srv/a *(ro,fsid=7)\n");
	answers(KERNEL_FH, "* 1 \\x71110100", "no line", "a slow medium: no answer yet");
	answers(KERNEL_FH, "* 1 \\x71110100", "no line", "the same again");
	is_int((long long)questions_n_waiting(server.questions), 1, "is one question");
	is_int(medium.loads, 1, "and one load");
	answers(KERNEL_FH, "* 1 \\x07000000", "* 1 \\x07000000 T+1800 /srv/a ",
		"others do not wait");
	put_in_force("/srv/a *(ro,fsid=7)\n");
	forget_told();
	turn();
	is_str(n_told == 1 ? told[0] : NULL, "* 1 \\x71110100 T+5 ",
	       "the rule is gone: so is the wait, with a no");
	is_int((long long)questions_n_waiting(server.questions), 0, "nothing is left");

	put_in_force("/mnt/cdrom/* 192.0.2.1(mountpoint,ro,fsid=/run/fsidsock)\n");
	answers(KERNEL_FH, "* 1 \\x71110100", "* 1 \\x71110100 T+5 ",
		"a handle does not let others in");
}

/* Domains named "$ADDRESS": each question finds out who that is. */
static void by_address(void)
{
	reset();
	put_in_force("/srv/a 192.0.2.0/24(ro,fsid=7)\n/srv/b @group(ro,fsid=8)\n");
	server.config->cache_use_ipaddr = true;
	answers(KERNEL_IP, "nfsd 192.0.2.7", "nfsd 192.0.2.7 T+600 $192.0.2.7 ",
		"cache-use-ipaddr: a client's domain is its address");
	answers(KERNEL_IP, "nfsd 198.51.100.1", "nfsd 198.51.100.1 T+60 ", "nobody stays nobody");
	is_int(questions_tell_client(server.questions, "192.0.2.7", "$192.0.2.7"), 0,
	       "told by MOUNT");
	server.config->cache_use_ipaddr = false;
	answers(KERNEL_EXPORT, "$192.0.2.7 /srv/a",
		"$192.0.2.7 /srv/a T+600 9253 65534 65534 7 secinfo 1 1 9253 ",
		"an export, asked for by address");
	answers(KERNEL_EXPORT, "$192.0.2.7 /srv/b", "$192.0.2.7 /srv/b T+1800 ",
		"that of a netgroup which it is not in");
	name_service.netgroups[0] = "group";
	name_service.n_netgroups = 1;
	answers(KERNEL_EXPORT, "$192.0.2.7 /srv/b",
		"$192.0.2.7 /srv/b T+600 9253 65534 65534 8 secinfo 1 1 9253 ",
		"and now it is in it");
	answers(KERNEL_FH, "$192.0.2.7 1 \\x08000000", "$192.0.2.7 1 \\x08000000 T+600 /srv/b ",
		"a handle");
	name_service.n_netgroups = 0;
	answers(KERNEL_FH, "$198.51.100.1 1 \\x08000000", "$198.51.100.1 1 \\x08000000 T+5 ",
		"nobody's handle");
	name_service.error = -ETIMEDOUT;
	answers(KERNEL_EXPORT, "$192.0.2.7 /srv/a",
		"$192.0.2.7 /srv/a T+600 9253 65534 65534 7 secinfo 1 1 9253 ",
		"a dead name service: what is for its address is answered");
	answers(KERNEL_EXPORT, "$192.0.2.7 /srv/b", "no line", "anything else may be for it later");
	answers(KERNEL_FH, "$192.0.2.7 1 \\x08000000", "no line", "and so may a handle");
	is_int((long long)questions_n_waiting(server.questions), 2, "both are kept");
	name_service.error = 0;
	put_in_force("/srv/a 192.0.2.0/24(ro,fsid=7)\n");
	turn();
	is_int((long long)questions_n_waiting(server.questions), 0, "until a reload");
	answers(KERNEL_EXPORT, "$192.0.2.7 /srv/a",
		"$192.0.2.7 /srv/a T+1800 9253 65534 65534 7 secinfo 1 1 9253 ",
		"without names in the exports it lives as long as any");
	answers(KERNEL_EXPORT, "$nonsense /srv/a", "no line", "what is no address is not answered");
	is_int((long long)questions_n_waiting(server.questions), 0, "nor kept");
}

static int told_error = 1;

static void on_told(void *userdata, int error)
{
	told_error = error;
}

static void telling(void)
{
	struct pending *question;

	reset();
	put_in_force("/srv/a *(ro,fsid=7)\n");
	forget_told();
	is_int(questions_tell_export(server.questions, "*", "/srv/a", on_told, NULL, &question), 0,
	       "an entry told unasked");
	is_int(told_error, 1, "not from within the call");
	turn();
	is_int(told_error, 0, "was taken");
	is_int(questions_tell_export(server.questions, "*", "/nowhere", on_told, NULL, &question),
	       0, "one that is not exported");
	is_int(told_error, 0, "which is not said from within the call either");
	turn();
	is_int(told_error, -EACCES, "is not told at all");
	is_int(questions_tell_export(server.questions, "*", "/srv/a", on_told, NULL, &question), 0,
	       "another");
	told_error = 1;
	pending_cancel(&question);
	turn();
	is_int(told_error, 1, "that is cancelled says nothing");
	file_system.error = -ENOENT;
	questions_tell_export(server.questions, "*", "/srv/a", on_told, NULL, &question);
	turn();
	is_int(told_error, -ENOENT, "nor is one of what is not there, and that is said");
	file_system.error = 0;
	is_int(questions_tell_client(server.questions, "192.0.2.1", "*"), 0, "a client");
	is_str(told[n_told - 1], "nfsd 192.0.2.1 T+1800 * ", "and its domain");
}

int main(void)
{
	struct diags diags = { 0 };

	if (sd_event_default(&server.event) < 0 ||
	    mount_table_new(&server.mounts, server.event) < 0 ||
	    config_load(NULL, true, &diags, &server.config) != 0)
		return EXIT_FAILURE;
	put_in_force("");
	if (questions_new(&server.questions, &server) < 0)
		return EXIT_FAILURE;
	addresses();
	plain_exports();
	reexports();
	junctions();
	pseudo_roots();
	media_answers();
	another_medium();
	looking_again();
	waiting_for_a_medium();
	by_address();
	telling();
	forget_told();
	server.questions = questions_free(server.questions);
	mount_table_free(server.mounts);
	snapshot_free(server.snapshot);
	config_free(server.config);
	sd_event_unref(server.event);
	return tap_done();
}
