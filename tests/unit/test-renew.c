/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the kernel is told after a reload: two exports files, what the kernel holds, and what is written
 * to it. The thread is a real one.
 */

#include <errno.h>

#include "exportsd/exports/renew.h"
#include "exportsd/kernel/upcall.h"
#include "tests/fake/facts.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

static sd_event *event;

/* ---- the kernel ---- */

static struct {
	const char *content[KERNEL_N_CACHES]; /* NULL: no such file */
	unsigned int flushes, export_flushes, handle_flushes;
	char written[4096];
} nfsd;

int kernel_entries(const struct kernel *kernel, enum kernel_cache cache, kernel_entry_fn each,
		   void *userdata)
{
	CLEANUP(freep) char *text = NULL;
	struct kernel_entry entry;
	int r = 0;

	if (!nfsd.content[cache])
		return -ENOENT;
	text = strdup(nfsd.content[cache]);
	for (char *rest = text, *line; r == 0 && (line = strsep(&rest, "\n"));)
		if (upcall_parse_entry(cache, line, &entry) == 0)
			r = each(userdata, &entry);
	return r;
}

int kernel_flush(struct kernel *kernel)
{
	nfsd.flushes++;
	return 0;
}

int kernel_flush_handles(struct kernel *kernel)
{
	nfsd.handle_flushes++;
	return 0;
}

int kernel_flush_exports(struct kernel *kernel)
{
	nfsd.export_flushes++;
	return 0;
}

int kernel_forget(struct kernel *kernel, const struct kernel_question *about)
{
	const struct kernel_answer answer = { .about = *about, .expiry = 1 };
	size_t n = strlen(nfsd.written);

	n += (size_t)snprintf(nfsd.written + n, sizeof(nfsd.written) - n, "%s ",
			      about->cache == KERNEL_FH ? "fh" : "export");
	upcall_format(&answer, nfsd.written + n, sizeof(nfsd.written) - n);
	return 0;
}

int media_placeholder_fd(struct media *media, const char *path)
{
	return str_equal(path, "/mnt/cd/a") ? 7 : -1;
}

/* ---- the paths ---- */

const char paths_unknown[] = "";

/* What nobody can look at; NULL: all is well. */
static const char *dead_path;
static unsigned int n_looks, n_cancelled;

struct paths_question {
	struct pending pending;
	paths_real_fn done;
	void *userdata;
	const char **real;
	size_t n_paths;
	sd_event_source *source;
};

static void cancel_paths(struct pending *pending)
{
	struct paths_question *question = (struct paths_question *)pending;

	n_cancelled++;
	sd_event_source_disable_unref(question->source);
	free(question->real);
	free(question);
}

static int on_looked(sd_event_source *source, void *userdata)
{
	struct paths_question *question = userdata;

	question->done(question->userdata, question->real, question->n_paths);
	cancel_paths(&question->pending);
	return 0;
}

int paths_real(struct paths *paths, const char *const *wanted, size_t n_paths,
	       struct snapshot_seen *ret_seen, paths_real_fn done, void *userdata,
	       struct pending **ret_question)
{
	struct paths_question *question = calloc(1, sizeof(*question));

	*question = (struct paths_question){
		{ cancel_paths }, .done = done, .userdata = userdata, .n_paths = n_paths
	};
	n_looks++;
	question->real = calloc(n_paths + 1, sizeof(*question->real));
	for (size_t i = 0; i < n_paths; i++)
		question->real[i] =
			dead_path && str_equal(wanted[i], dead_path) ? paths_unknown : wanted[i];
	*ret_question = &question->pending;
	return sd_event_add_defer(event, &question->source, on_looked, question);
}

/* ---- one reload ---- */

static unsigned int n_done;
static struct facts facts;

static void on_done(void *userdata)
{
	n_done++;
}

static struct snapshot *made(const char *text)
{
	struct diags diags = { 0 };
	struct snapshot *snapshot = facts_snapshot(&facts, text, false, &diags);

	diags_done(&diags);
	if (!snapshot)
		abort();
	return snapshot;
}

static void reload(const char *before, const char *after)
{
	struct snapshot *new = made(after);
	struct pending *renew;

	nfsd.flushes = nfsd.export_flushes = nfsd.handle_flushes = 0;
	nfsd.written[0] = '\0';
	n_done = 0;
	ok(renew_start(&renew, event, NULL, NULL, NULL, made(before), new, on_done, NULL) == 0,
	   "from '%.*s' to '%.*s'", (int)strcspn(before, "\n"), before, (int)strcspn(after, "\n"),
	   after);
	ok(loop_until(event, &n_done, 1, 10000), "  ends");
	snapshot_free(new);
}

static void told(unsigned int flushes, unsigned int export_flushes, const char *written)
{
	ok(nfsd.flushes == flushes, "  %u flushes, not %u", flushes, nfsd.flushes);
	ok(nfsd.export_flushes == export_flushes, "  %u of the exports alone, not %u",
	   export_flushes, nfsd.export_flushes);
	is_str(nfsd.written, written, "  what is written");
}

/* As a 6.1 kernel shows them. */
static const char held_addresses[] = "#class IP domain\n"
				     "nfsd 10.0.0.1 10.0.0.0/8\n"
				     "# nfsd 192.0.2.9 -no-domain-\n";
static const char held_exports[] =
	"#path domain(flags)\n"
	"/srv/one\t10.0.0.0/8(ro,root_squash,sync,wdelay,no_subtree_check,fsid=1)\n"
	"/srv/two\t10.0.0.0/8(ro,root_squash,sync,wdelay,no_subtree_check,uuid=0:0:0:0)\n"
	"/srv/two/deep\\040er\t10.0.0.0/8(ro)\n"
	"# /srv/nothing\t10.0.0.0/8()\n"
	"/\t10.0.0.0/8(ro,v4root,fsid=0)\n"
	"/mnt/cd/a\t10.0.0.0/8(ro,fsid=70000)\n";
static const char held_handles[] = "#domain fsidtype fsid [path]\n"
				   "10.0.0.0/8 1 0x00000001 /srv/one\n"
				   "10.0.0.0/8 6 0x0102030405060708090a0b0c0d0e0f10 /srv/two\n"
				   "# 10.0.0.0/8 1 0x00000005\n"
				   "10.0.0.0/8 1 0x00011170 /mnt/cd/a\n";

/* The same, and nobody was told "no". */
static const char sure_handles[] = "10.0.0.0/8 1 0x00000001 /srv/one\n"
				   "10.0.0.0/8 6 0x0102030405060708090a0b0c0d0e0f10 /srv/two\n";

static void hold(void)
{
	nfsd.content[KERNEL_IP] = held_addresses;
	nfsd.content[KERNEL_EXPORT] = held_exports;
	nfsd.content[KERNEL_FH] = held_handles;
}

#define ONE "/srv/one 10.0.0.0/8(ro,fsid=1)\n"
#define TWO "/srv/two 10.0.0.0/8(ro,crossmnt)\n"
#define CD "/mnt/cd/* 10.0.0.0/8(ro,mountpoint,fsid=/run/h)\n"

static void only_what_changed(void)
{
	hold();
	reload(ONE TWO CD, ONE TWO CD);
	told(0, 0, "");
	reload(ONE TWO CD, TWO CD ONE);
	told(0, 0, "");
	reload(ONE TWO CD, "/srv/one 10.0.0.0/8(rw,fsid=1)\n" TWO CD);
	told(0, 0, "export 10.0.0.0/8 /srv/one 1 \nfh 10.0.0.0/8 1 \\x01000000 1 \n");
	reload(ONE TWO CD, "/srv/one 10.0.0.0/8(ro,fsid=2)\n" TWO CD);
	told(0, 0, "export 10.0.0.0/8 /srv/one 1 \nfh 10.0.0.0/8 1 \\x01000000 1 \n");
	reload(ONE TWO CD, ONE "/srv/two 10.0.0.0/8(ro,crossmnt,anonuid=7)\n" CD);
	told(0, 0,
	     "export 10.0.0.0/8 /srv/two 1 \nexport 10.0.0.0/8 /srv/two/deep\\040er 1 \n"
	     "fh 10.0.0.0/8 6 \\x0403020108070605"
	     "0c0b0a09100f0e0d 1 \n");
	reload(ONE TWO CD, ONE "/srv/two 10.0.0.0/8(ro)\n" CD);
	told(0, 0,
	     "export 10.0.0.0/8 /srv/two 1 \nexport 10.0.0.0/8 /srv/two/deep\\040er 1 \n"
	     "fh 10.0.0.0/8 6 \\x0403020108070605"
	     "0c0b0a09100f0e0d 1 \n");
	reload(ONE TWO CD, ONE TWO "/mnt/cd/* 10.0.0.0/8(rw,mountpoint,fsid=/run/h)\n");
	told(0, 0,
	     "export 10.0.0.0/8 /mnt/cd/a 1 \nexport 10.0.0.0/8 /proc/self/fd/7/. 1 \n"
	     "fh 10.0.0.0/8 1 \\x70110100 1 \n");
}

static void paths_come_and_go(void)
{
	hold();
	nfsd.content[KERNEL_FH] = sure_handles;
	reload(ONE TWO CD, ONE TWO CD "/srv/three 10.0.0.0/8(ro)\n");
	told(0, 1, "");
	reload(ONE TWO CD, TWO CD);
	told(0, 1, "fh 10.0.0.0/8 1 \\x01000000 1 \n");
	/* A "no", or a question: nobody is told "no" who waits. */
	reload("/srv 10.0.0.0/8(ro)\n", "/srv 10.0.0.0/8(ro,crossmnt)\n");
	told(0, 1,
	     "fh 10.0.0.0/8 1 \\x01000000 1 \n"
	     "fh 10.0.0.0/8 6 \\x0403020108070605"
	     "0c0b0a09100f0e0d 1 \n");
}

static void a_no_may_be_yes(void)
{
	hold();
	reload(TWO CD, ONE TWO CD);
	told(0, 1, "");
	is_int(nfsd.handle_flushes, 1, "who was told no of a handle may ask again");
	reload("/srv/two 10.0.0.0/8(ro,fsid=6)\n", "/srv/two 10.0.0.0/8(ro,fsid=5)\n");
	is_int(nfsd.handle_flushes, 1, "also if it has that number now");
	reload("/srv/two 10.0.0.0/8(ro,fsid=6)\n", "/srv/two 10.0.0.0/8(ro,fsid=7)\n");
	is_int(nfsd.handle_flushes, 0, "but not if it has another one");
}

static void clients_change(void)
{
	hold();
	nfsd.content[KERNEL_FH] = sure_handles;
	reload(ONE, ONE "/srv/one 192.0.2.1(rw)\n");
	told(0, 1, "");
	reload(ONE, ONE "/srv/one 192.0.2.9(rw)\n");
	told(1, 0, "");
	reload(ONE, ONE "/srv/one 10.0.0.1(rw)\n");
	told(1, 0, "");
	reload(ONE, ONE "/srv/one *.example.test(rw)\n");
	told(1, 0, "");
	reload(ONE, ONE "/srv/one @group(rw)\n");
	told(1, 0, "");
	reload(ONE "/srv/one @group(ro)\n", ONE "/srv/one @group(rw)\n");
	told(0, 0, "");
	nfsd.content[KERNEL_IP] = NULL;
	reload(ONE, ONE "/srv/one 192.0.2.1(rw)\n");
	told(1, 0, "");
	hold();
	nfsd.content[KERNEL_EXPORT] = NULL;
	reload(ONE TWO, ONE "/srv/two 10.0.0.0/8(rw)\n");
	told(1, 0, "");
}

static void many(void)
{
	enum { N = 1000 };
	char *text = malloc(N * 64), *held = malloc(N * 64), *after = malloc(N * 64);
	size_t n = 0, n_held = 0, n_after = 0, n_lines = 0;

	for (int i = 0; i < N; i++) {
		n += (size_t)sprintf(text + n, "/srv/d%d 10.0.0.0/8(ro,fsid=%d)\n", i, i + 1);
		n_after += (size_t)sprintf(after + n_after, "/srv/d%d 10.0.0.0/8(%s,fsid=%d)\n", i,
					   i % 100 ? "ro" : "rw", i + 1);
		n_held += (size_t)sprintf(held + n_held, "/srv/d%d\t10.0.0.0/8(ro)\n", i);
	}
	nfsd.content[KERNEL_IP] = nfsd.content[KERNEL_FH] = "";
	nfsd.content[KERNEL_EXPORT] = held;
	reload(text, after);
	for (const char *c = nfsd.written; *c; c++)
		n_lines += *c == '\n';
	is_int((long long)n_lines, 10, "of a thousand entries those ten that changed");
	free(text);
	free(held);
	free(after);
}

static void cancelled(void)
{
	struct snapshot *new = made(ONE);
	struct pending *renew;

	hold();
	nfsd.flushes = nfsd.export_flushes = nfsd.handle_flushes = 0;
	n_done = 0;
	renew_start(&renew, event, NULL, NULL, NULL, made(TWO), new, on_done, NULL);
	pending_cancel(&renew);
	loop_for(event, 20);
	is_int(n_done, 0, "what is cancelled is not told of");
	is_int(nfsd.flushes + nfsd.export_flushes + nfsd.handle_flushes, 0, "and tells nobody");
	snapshot_free(new);
}

/* The kernel would walk there while the loop writes to it. */
static void dead_file_system(void)
{
	struct snapshot *new;
	struct pending *renew;

	hold();
	dead_path = "/srv/one";
	reload(ONE TWO CD, "/srv/one 10.0.0.0/8(rw,fsid=1)\n" TWO CD);
	told(0, 1, "fh 10.0.0.0/8 1 \\x01000000 1 \n");
	n_done = n_looks = n_cancelled = 0;
	new = made("/srv/one 10.0.0.0/8(rw,fsid=1)\n");
	renew_start(&renew, event, NULL, NULL, NULL, made(ONE), new, on_done, NULL);
	for (int i = 0; i < 1000 && !n_looks; i++)
		sd_event_run(event, 10000);
	pending_cancel(&renew);
	is_int(n_cancelled, 1, "a look is cancelled with the rest");
	is_int(n_done, 0, "and nobody is told");
	dead_path = NULL;
	snapshot_free(new);
}

int main(void)
{
	if (sd_event_new(&event) < 0)
		return EXIT_FAILURE;
	only_what_changed();
	paths_come_and_go();
	a_no_may_be_yes();
	clients_change();
	many();
	cancelled();
	dead_file_system();
	sd_event_unref(event);
	return tap_done();
}
