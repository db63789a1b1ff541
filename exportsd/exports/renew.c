/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Three phases. A thread reads the content files and lists what is to be forgotten, comparing by
 * both snapshots. The paths of exports among it are looked at (fs/paths.h). Then the loop writes, some
 * entries a turn: a "no" that has long expired takes an entry's place and dies with the next sweep,
 * so the next use asks. First nfsd.export, then nfsd.fh, whose sweep also removes what of
 * nfsd.export held a mount.
 *
 * Entries that are not valid look alike whether the answer was "no" or nobody answered yet.
 * Somebody may wait for the latter, who would be told "no" by such a write. So if one of these has
 * another answer now, nfsd.export is flushed: a flush leaves alone what was never answered (linux
 * net/sunrpc/cache.c cache_is_expired()), and that is asked anew by us already. So it is with
 * nfsd.fh: an export that is back must not seem stale for the seconds that a "no" still has to
 * live.
 */

#include "exportsd/exports/renew.h"

#include <errno.h>
#include <stdio.h>
#include <uthash.h>

#include "exportsd/base/address.h"
#include "exportsd/base/background.h"
#include "exportsd/base/log.h"
#include "exportsd/kernel/kernel.h"
#include "parser/index.h"

enum {
	/* A write resolves a path and sweeps the caches. */
	WRITES_A_TURN = 32,
};

/* A domain, as both snapshots understand it. */
struct domain {
	UT_hash_handle hh;
	struct snapshot_client_set *old_clients, *new_clients;
	char name[];
};

struct renew {
	struct pending handle;
	sd_event *event;
	struct kernel *kernel;
	struct paths *paths;
	struct media *media;
	struct snapshot *old;
	const struct snapshot *new;
	renew_done_fn done;
	void *userdata;
	struct pending *pending; /* the thread; who looks at the paths */
	struct later turn;

	/* The thread's. */
	struct domain *domains;
	int error; /* not everything could be found out: flush */
	bool flush_all, flush_exports, flush_handles;
	bool came_or_went; /* some path */
	/* To be forgotten: domain and path are their own. */
	VECTOR(struct kernel_question) entries;

	const char **export_paths; /* of entries */
	size_t n_written;
};

/* ---- in the thread: what has another answer ---- */

static struct domain *domain_named(struct renew *renew, const char *name)
{
	size_t length = strlen(name);
	struct domain *domain;

	HASH_FIND(hh, renew->domains, name, length, domain);
	if (domain)
		return domain;
	domain = calloc(1, sizeof(*domain) + length + 1);
	if (!domain)
		return NULL;
	memcpy(domain->name, name, length);
	HASH_ADD_KEYPTR(hh, renew->domains, domain->name, length, domain);
	if (!domain->hh.tbl) {
		free(domain);
		return NULL;
	}
	domain->old_clients = client_set_new(renew->old, name);
	domain->new_clients = client_set_new(renew->new, name);
	return domain->old_clients && domain->new_clients ? domain : NULL;
}

static void domains_clear(struct renew *renew)
{
	struct domain *domain, *next;

	HASH_ITER (hh, renew->domains, domain, next) {
		HASH_DEL(renew->domains, domain);
		client_set_free(domain->old_clients);
		client_set_free(domain->new_clients);
		free(domain);
	}
}

static void entry_done(struct kernel_question *entry)
{
	free((char *)entry->domain);
	free((char *)entry->path);
}

static int entry_add(struct renew *renew, const struct kernel_question *about)
{
	struct kernel_question entry = *about;

	entry.domain = strdup(about->domain);
	entry.path = about->path ? strdup(about->path) : NULL;
	if (entry.domain && (entry.path || !about->path) && vector_add(&renew->entries, entry) == 0)
		return 0;
	entry_done(&entry);
	return -ENOMEM;
}

static bool same_domain(const struct renew *renew, const char *text)
{
	char *old_domain = NULL, *new_domain = NULL;
	struct address address;
	bool same = false;
	int r, s;

	if (!address_parse(text, &address))
		return false;
	/* Clients that are matched by names are the same ones: they add the same to both. */
	r = snapshot_domain(renew->old, &address, NULL, &old_domain);
	s = snapshot_domain(renew->new, &address, NULL, &new_domain);
	if (r == s)
		same = r == SNAPSHOT_NOBODY || (r == 0 && str_equal(old_domain, new_domain));
	free(old_domain);
	free(new_domain);
	return same;
}

/*
 * The look_at_..._entry(): each entry of a cache, until that is to be flushed anyway: LOOKED_ENOUGH.
 */
enum { LOOKED_ENOUGH = 1 };

static int enough(bool is_flushed)
{
	return is_flushed ? LOOKED_ENOUGH : 0;
}

static int look_at_ip(void *userdata, const struct kernel_entry *entry)
{
	struct renew *renew = userdata;

	renew->flush_all |= !same_domain(renew, entry->about.address);
	return enough(renew->flush_all);
}

/*
 * Who "$ADDRESS" is, only the name service can say: then all is forgotten, as rpc.mountd does at
 * every change.
 */
static bool is_by_address(struct renew *renew, const char *domain)
{
	renew->flush_all |= *domain == '$';
	return *domain == '$';
}

static int look_at_export(void *userdata, const struct kernel_entry *entry)
{
	struct renew *renew = userdata;
	const struct kernel_question *about = &entry->about;
	const struct domain *domain;

	if (is_by_address(renew, about->domain))
		return LOOKED_ENOUGH;
	domain = domain_named(renew, about->domain);
	if (!domain)
		return -ENOMEM;
	if (snapshot_same_answer(renew->old, domain->old_clients, renew->new, domain->new_clients,
				 about->path))
		return 0;
	if (!entry->is_not_valid)
		return entry_add(renew, about);
	renew->flush_exports = true;
	return LOOKED_ENOUGH;
}

static bool same_number(const struct renew *renew, const struct domain *domain,
			const struct kernel_fsid *fsid)
{
	return fsid->type != FSID_NUM ||
	       snapshot_same_number(renew->old, domain->old_clients, renew->new,
				    domain->new_clients, kernel_fsid_number(fsid));
}

static int look_at_fh(void *userdata, const struct kernel_entry *entry)
{
	struct renew *renew = userdata;
	const struct domain *domain;
	bool same;

	if (is_by_address(renew, entry->about.domain))
		return LOOKED_ENOUGH;
	domain = domain_named(renew, entry->about.domain);
	if (!domain)
		return -ENOMEM;
	same = same_number(renew, domain, &entry->about.fsid);
	if (entry->is_not_valid) {
		/*
		 * Whose number or file system it is cannot be told from the snapshots alone: it may
		 * be a medium's.
		 */
		renew->flush_handles |= renew->came_or_went || !same;
		return enough(renew->flush_handles);
	}
	if (!entry->path ||
	    (same && snapshot_same_answer(renew->old, domain->old_clients, renew->new,
					  domain->new_clients, entry->path)))
		return 0;
	return entry_add(renew, &entry->about);
}

static int look_at(struct renew *renew, enum kernel_cache cache, kernel_entry_fn look)
{
	int r = kernel_entries(renew->kernel, cache, look, renew);

	return r < 0 ? r : 0;
}

static int find_out(struct renew *renew)
{
	unsigned int changes = snapshot_changes(renew->old, renew->new);
	int r = 0;

	if (!changes)
		return 0;
	renew->flush_all = changes & SNAPSHOT_CHANGED_NAMES;
	renew->flush_exports = renew->came_or_went = changes & SNAPSHOT_CHANGED_PATHS;
	if (changes & SNAPSHOT_CHANGED_CLIENTS && !renew->flush_all)
		r = look_at(renew, KERNEL_IP, look_at_ip);
	if (r == 0 && !renew->flush_all && !renew->flush_exports)
		r = look_at(renew, KERNEL_EXPORT, look_at_export);
	if (r == 0 && !renew->flush_all)
		r = look_at(renew, KERNEL_FH, look_at_fh);
	return r;
}

static void work(void *userdata)
{
	struct renew *renew = userdata;

	renew->error = find_out(renew);
	domains_clear(renew);
	renew->old = snapshot_free(renew->old);
}

/* ---- in the loop: telling ---- */

static void cancel(struct pending *pending)
{
	struct renew *renew = (struct renew *)pending;

	pending_cancel(&renew->pending);
	free(renew->export_paths);
	later_cancel(&renew->turn);
	for (size_t i = 0; i < renew->entries.n; i++)
		entry_done(&renew->entries.items[i]);
	free(renew->entries.items);
	free(renew);
}

static void finish(struct renew *renew)
{
	renew_done_fn done = renew->done;
	void *whose = renew->userdata;

	cancel(&renew->handle);
	done(whose);
}

static void forget_export(struct renew *renew, const struct kernel_question *about)
{
	int covered = media_placeholder_fd(renew->media, about->path);
	struct kernel_question hidden = *about;
	char path[KERNEL_PATH_OF_MAX];

	/* What cannot be written is not there any more: its path went. */
	(void)kernel_forget(renew->kernel, about);
	if (covered < 0)
		return;
	/* The directory that the medium covers has an entry of its own (questions/export.c). */
	hidden.path = kernel_path_of(covered, path);
	(void)kernel_forget(renew->kernel, &hidden);
}

static void on_turn(void *userdata)
{
	struct renew *renew = userdata;

	for (size_t n = 0; n < WRITES_A_TURN && renew->n_written < renew->entries.n; n++) {
		const struct kernel_question *about = &renew->entries.items[renew->n_written++];

		if (about->cache == KERNEL_FH && !renew->flush_handles)
			(void)kernel_forget(renew->kernel, about);
		else if (about->cache == KERNEL_EXPORT && !renew->flush_exports)
			forget_export(renew, about);
	}
	if (renew->n_written == renew->entries.n)
		finish(renew);
	else
		later_call(&renew->turn, renew->event, on_turn, renew);
}

static void log_failure(int error)
{
	errno = -error;
	log_warning(NULL, "Cannot make the kernel forget the old exports: %m");
}

static void flush_all(struct renew *renew)
{
	int r = kernel_flush(renew->kernel);

	if (r < 0)
		log_failure(r);
	finish(renew);
}

static void start_writing(struct renew *renew)
{
	int r = 0;

	if (renew->flush_exports)
		r = kernel_flush_exports(renew->kernel);
	if (renew->flush_handles && r == 0)
		r = kernel_flush_handles(renew->kernel);
	if (r < 0)
		log_failure(r);
	if (renew->entries.n == 0) {
		finish(renew);
		return;
	}
	later_call(&renew->turn, renew->event, on_turn, renew);
}

static void on_paths(void *userdata, const char *const *real, size_t n_paths)
{
	struct renew *renew = userdata;

	renew->pending = NULL;
	for (size_t i = 0; i < n_paths; i++)
		renew->flush_exports |= real[i] == paths_unknown;
	start_writing(renew);
}

/* Returns 0; -errno. */
static int look_at_paths(struct renew *renew)
{
	size_t n = 0;

	renew->export_paths = calloc(renew->entries.n + 1, sizeof(*renew->export_paths));
	if (!renew->export_paths)
		return -ENOMEM;
	for (size_t i = 0; i < renew->entries.n; i++)
		if (renew->entries.items[i].cache == KERNEL_EXPORT)
			renew->export_paths[n++] = renew->entries.items[i].path;
	return paths_real(renew->paths, renew->export_paths, n, NULL, on_paths, renew,
			  &renew->pending);
}

static void on_found(void *userdata)
{
	struct renew *renew = userdata;

	renew->pending = NULL;
	if (renew->flush_all || renew->error < 0) {
		flush_all(renew);
	} else if (renew->flush_exports || renew->entries.n == 0) {
		start_writing(renew);
	} else if (look_at_paths(renew) < 0) {
		renew->flush_exports = true;
		start_writing(renew);
	}
}

int renew_start(struct pending **ret_pending, sd_event *event, struct kernel *kernel,
		struct paths *paths, struct media *media, struct snapshot *old,
		const struct snapshot *new, renew_done_fn done, void *userdata)
{
	struct renew *renew = calloc(1, sizeof(*renew));
	int r;

	if (!renew)
		return -ENOMEM;
	*renew = (struct renew){
		.handle = { cancel },
		.event = event,
		.kernel = kernel,
		.paths = paths,
		.media = media,
		.old = old,
		.new = new,
		.done = done,
		.userdata = userdata,
	};
	r = background_start(&renew->pending, event, work, on_found, renew);
	if (r < 0) {
		free(renew);
		return r;
	}
	*ret_pending = &renew->handle;
	return 0;
}
