/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exportsd/questions/access.h"

#include <errno.h>

void access_init(struct access *access, const struct daemon *daemon,
		 const struct access_steps *steps, void *userdata)
{
	*access = (struct access){ .daemon = daemon, .steps = steps, .userdata = userdata };
}

static void forget_who(struct access *access)
{
	free(TAKE_PTR(access->composed));
	access->domain = NULL;
	access->address = (struct address){ 0 };
}

void access_stop(struct access *access)
{
	pending_cancel(&access->pending);
	forget_who(access);
	free(TAKE_PTR(access->path));
	access->is_complete = access->is_patient = false;
	access->found = SNAPSHOT_FOUND_NOTHING;
}

/* ---- who ---- */

static void on_domain(void *userdata, const char *domain, bool complete)
{
	struct access *access = userdata;

	access->pending = NULL;
	access->is_complete = complete;
	access->domain = access->composed = domain ? strdup(domain) : NULL;
	access->steps->who(access->userdata, domain && !access->domain ? -ENOMEM : 0);
}

void access_ask_address(struct access *access, const struct address *address, bool patient)
{
	const struct daemon *daemon = access->daemon;
	CLEANUP(freep) char *domain = NULL;
	int r;

	forget_who(access);
	access->address = *address;
	access->is_patient = patient;
	r = clients_domain(daemon->names, daemon->event, daemon->snapshot, address, patient,
			   on_domain, access, &domain, &access->pending);
	if (r == CLIENTS_NOW)
		on_domain(access, domain, true);
	else if (r < 0)
		access->steps->who(access->userdata, r);
}

int access_ask_domain(struct access *access, const char *domain)
{
	struct address address;

	if (clients_is_by_address(domain, &address)) {
		if (!address.family)
			return -EINVAL;
		access_ask_address(access, &address, access->is_patient);
		return 0;
	}
	access->domain = domain;
	access->is_complete = true;
	access->steps->who(access->userdata, 0);
	return 0;
}

bool access_asks_on(struct access *access)
{
	const struct address address = access->address;

	if (access->is_complete || access->is_patient)
		return false;
	access_ask_address(access, &address, true);
	return true;
}

const struct snapshot_client_set *access_clients(const struct access *access)
{
	return snapshot_client_set(access->daemon->snapshot, access->domain ?: "");
}

/* ---- which ---- */

bool access_is_by_address(const struct access *access)
{
	return access->found != SNAPSHOT_FOUND_NOTHING &&
	       access->match.real->client->type <= CLIENT_SUBNET;
}

int access_find(struct access *access, const char *path, access_find_fn find)
{
	const struct snapshot_client_set *clients = access_clients(access);

	if (!clients)
		return -ENOMEM;
	access->found = find(access->daemon->snapshot, clients, path, &access->match);
	return !access_is_by_address(access) && access_asks_on(access) ? ACCESS_ASKS_ON : 0;
}

/* ---- there? ---- */

static void tell_seen(struct access *access, enum access_seen seen, int error,
		      const struct paths_facts *facts)
{
	access->steps->seen(access->userdata, seen, error, facts);
}

static void on_path(void *userdata, int error, const struct paths_facts *facts)
{
	struct access *access = userdata;

	access->pending = NULL;
	if (error == 0)
		tell_seen(access, ACCESS_SEEN, 0, facts);
	else
		tell_seen(access, paths_is_gone(error) ? ACCESS_GONE : ACCESS_UNSEEN, error, NULL);
}

static void look_at(struct access *access, const char *path, paths_facts_fn done)
{
	int r = paths_facts(access->daemon->paths, path, done, access, &access->pending);

	if (r < 0)
		tell_seen(access, ACCESS_UNSEEN, r, NULL);
}

static void look_at_path(struct access *access, const char *path)
{
	if (path)
		look_at(access, path, on_path);
	else
		tell_seen(access, ACCESS_SEEN, 0, NULL);
}

static void on_mountpoint(void *userdata, int error, const struct paths_facts *facts)
{
	struct access *access = userdata;

	access->pending = NULL;
	if (error < 0 && !paths_is_gone(error))
		tell_seen(access, ACCESS_UNSEEN, error, NULL);
	else if (error < 0 || !facts->is_mount_root)
		tell_seen(access, ACCESS_NOT_MOUNTED, error, NULL);
	else
		look_at_path(access, access->path);
}

void access_look(struct access *access, const char *path)
{
	const struct snapshot_export *export = access->match.export;
	const char *mountpoint = export->options->mountpoint;

	free(TAKE_PTR(access->path));
	if (!mountpoint) {
		look_at_path(access, path);
		return;
	}
	if (path) {
		access->path = strdup(path);
		if (!access->path) {
			tell_seen(access, ACCESS_UNSEEN, -ENOMEM, NULL);
			return;
		}
	}
	look_at(access, *mountpoint ? mountpoint : export->path, on_mountpoint);
}
