/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Having the kernel forget one medium, and nothing else (linux net/sunrpc/cache.c).
 *
 * What was told is told once more, with a life that ends within two seconds; once it is over, the
 * next answer of whatever kind sweeps it away (media_kernel's sweep). A negative answer would do at
 * once, but might reach a request that came just now and waits for this very entry: its client
 * would get ESTALE (P5). So only what no rule gives to its domain any more is answered "no".
 *
 * Entries of a medium hold its mount, those that were never answered, too. What we told is known by
 * domain (media_note_domain()); the rest (of an earlier run, of a path within the medium that
 * /proc/fs/nfsd/filehandle was asked for) is looked for in what the kernel lists.
 */

#include <errno.h>

#include "exportsd/kernel/states.h"
#include "exportsd/questions/private.h"
#include "parser/index.h"
#include "parser/text.h"

/*
 * The least that is surely not over when the kernel reads it (svc_export_parse() takes no export
 * whose life is).
 */
enum { LIFE_SECONDS = 1 };

struct told {
	char *domain;
	char *below; /* "": the medium itself; or a path from its root, with a slash */
};

/* What is to be forgotten of a medium. */
struct listed {
	const char *path; /* the medium's */
	VECTOR(struct told) told;
};

static void listed_done(struct listed *listed)
{
	for (size_t i = 0; i < listed->told.n; i++) {
		free(listed->told.items[i].domain);
		free(listed->told.items[i].below);
	}
	free(listed->told.items);
}

static int add(struct listed *listed, const char *domain, const char *below)
{
	struct told *told = listed->told.items;

	for (size_t i = 0; i < listed->told.n; i++)
		if (str_equal(told[i].domain, domain) && str_equal(told[i].below, below))
			return 0;
	if (vector_add(&listed->told, (struct told){ strdup(domain), strdup(below) }) < 0)
		return -ENOMEM;
	told = &listed->told.items[listed->told.n - 1];
	return told->domain && told->below ? 0 : -ENOMEM;
}

/* What is left of a path behind the medium's: "", "/...", or NULL if it lies elsewhere. */
static const char *below(const struct listed *listed, const char *path)
{
	size_t length = strlen(listed->path);

	if (!path || strncmp(path, listed->path, length) != 0 ||
	    (path[length] && path[length] != '/'))
		return NULL;
	return path + length;
}

static int see(void *userdata, const struct kernel_entry *entry)
{
	struct listed *listed = userdata;
	bool is_key = entry->about.cache == KERNEL_FH;
	const char *rest = below(listed, is_key ? entry->path : entry->about.path);

	return rest ? add(listed, entry->about.domain, is_key ? "" : rest) : 0;
}

/* A domain or path that is not there any more has nothing to be forgotten. */
static int unless_gone(int error)
{
	return error == -ENOENT || error == -EINVAL ? 0 : error;
}

static int forget_export(struct kernel *kernel, const char *domain, int root_fd, const char *rest)
{
	char root[KERNEL_PATH_OF_MAX];
	CLEANUP(freep) char *path = text_format("%s%s", kernel_path_of(root_fd, root), rest);
	const struct kernel_question about = { .cache = KERNEL_EXPORT,
					       .domain = domain,
					       .path = path };

	return path ? unless_gone(kernel_forget(kernel, &about)) : -ENOMEM;
}

struct withdrawal {
	struct daemon *daemon;
	const char *path;
	char root[KERNEL_PATH_OF_MAX];
	int root_fd;
	uint32_t number; /* of the medium that is there */
};

static int forget_key(const struct withdrawal *withdrawal, const char *domain, uint32_t number)
{
	const struct kernel_answer answer = {
		.about = { .cache = KERNEL_FH,
			   .domain = domain,
			   .fsid = kernel_fsid_of_number(number) },
		.expiry = question_expiry(LIFE_SECONDS),
		.path = withdrawal->root,
	};

	return unless_gone(kernel_answer(withdrawal->daemon->kernel, &answer));
}

/* Those that stand for another medium were answered "no", which holds nothing. */
static int forget_keys(const struct withdrawal *withdrawal, const char *domain)
{
	const struct numbers *numbers = withdrawal->daemon->numbers;
	const char *path = withdrawal->path;
	int r = 0;

	for (uint32_t number = numbers_next_of_path(numbers, path, 0); r == 0 && number;
	     number = numbers_next_of_path(numbers, path, number))
		if (media_number_fits(withdrawal->daemon->media, path, number))
			r = forget_key(withdrawal, domain, number);
	return r;
}

static int forget_domain(const struct withdrawal *withdrawal, const char *domain)
{
	struct daemon *daemon = withdrawal->daemon;
	const struct snapshot_client_set *clients = snapshot_client_set(daemon->snapshot, domain);
	struct snapshot_match match;
	struct kernel_export export;
	struct kernel_answer answer = {
		.about = { .cache = KERNEL_EXPORT, .domain = domain, .path = withdrawal->root },
		.expiry = question_expiry(LIFE_SECONDS),
		.export = &export,
	};
	int r;

	if (!clients || snapshot_find(daemon->snapshot, clients, withdrawal->path, &match) !=
				SNAPSHOT_FOUND_MEDIUM)
		return forget_export(daemon->kernel, domain, withdrawal->root_fd, "");
	export = question_medium_export(&match, withdrawal->number);
	r = unless_gone(kernel_answer(daemon->kernel, &answer));
	return r < 0 ? r : forget_keys(withdrawal, domain);
}

static int forget(const struct withdrawal *withdrawal, const struct listed *listed)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < listed->told.n; i++) {
		const struct told *told = &listed->told.items[i];

		r = *told->below ? forget_export(withdrawal->daemon->kernel, told->domain,
						 withdrawal->root_fd, told->below)
				 : forget_domain(withdrawal, told->domain);
	}
	return r;
}

static int forget_listed(struct daemon *daemon, const struct media_withdrawal *asked,
			 const struct listed *listed)
{
	struct withdrawal withdrawal = {
		.daemon = daemon,
		.path = asked->path,
		.root_fd = asked->root_fd,
	};
	int fd = media_open_mounted(daemon->media, asked->path, &withdrawal.number);

	closep(&fd);
	if (fd < 0)
		withdrawal.number = numbers_get(daemon->numbers, asked->path);
	(void)kernel_path_of(asked->root_fd, withdrawal.root);
	return forget(&withdrawal, listed);
}

static int withdraw(void *userdata, const struct media_withdrawal *withdrawal)
{
	struct daemon *daemon = userdata;
	struct listed listed = { .path = withdrawal->path };
	int r = 0;

	for (size_t i = 0; r == 0 && i < withdrawal->n_domains; i++)
		r = add(&listed, withdrawal->domains[i], "");
	if (r == 0 && withdrawal->all)
		r = kernel_entries(daemon->kernel, KERNEL_EXPORT, see, &listed);
	if (r == 0 && withdrawal->all)
		r = kernel_entries(daemon->kernel, KERNEL_FH, see, &listed);
	if (r == 0)
		r = forget_listed(daemon, withdrawal, &listed);
	listed_done(&listed);
	return r;
}

static void sweep(void *userdata)
{
	const struct daemon *daemon = userdata;

	(void)kernel_sweep(daemon->kernel);
}

/* ---- NFSv4 state ---- */

/*
 * Of one that is to be ejected it is asked what is held now, of those that fall idle what was a
 * moment ago: a file may be closed to eject it, and many fall idle together.
 *
 * Either is over when it is told. A file that is opened since is not lost: the medium is unmounted
 * without force, which the kernel refuses (EBUSY) as long as a state holds it, and what is taken
 * away meanwhile (shed) is judged by what is read then. The drain ends as that of a medium in use,
 * and whoever wanted it has waited for some seconds (P2, P5).
 */
static int look(void *userdata, dev_t device, uint64_t quiet_usec, media_looked_fn done,
		void *whose, struct pending **ret_pending)
{
	static const uint64_t moment_usec = 1000000;
	const struct daemon *daemon = userdata;

	return kernel_states_ask(daemon->states, device, quiet_usec, quiet_usec ? moment_usec : 0,
				 done, whose, ret_pending);
}

static void shed(void *userdata, const char *path, dev_t device)
{
	const struct daemon *daemon = userdata;

	kernel_states_shed(daemon->states, path, device);
}

static void take_away(void *userdata, const char *path, dev_t device, bool spares_others)
{
	const struct daemon *daemon = userdata;

	kernel_states_revoke(daemon->states, path, device, spares_others);
}

void questions_serve_media(struct daemon *daemon)
{
	const struct media_kernel kernel = {
		.look = look,
		.shed = shed,
		.revoke = take_away,
		.withdraw = withdraw,
		.sweep = sweep,
		.userdata = daemon,
	};

	media_set_kernel(daemon->media, &kernel);
}
